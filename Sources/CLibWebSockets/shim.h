// libwebsockets (with TLS by OpenSSL) and libuv, and what Swift can't import from them: macros, variadics and
// structures with conditional members become `static inline` functions and constants here.
//
// Kept source-compatible with libwebsockets 4.1 (Debian 12) and 4.3 (Debian 13).
#pragma once

#include <fcntl.h>
#include <libwebsockets.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <uv.h>

/// Bytes that `lws_write` needs free in front of a payload.
static const size_t striketape_lws_pre = LWS_PRE;

/// The library's own version, for `doctor`.
static inline const char *striketape_lws_version(void) { return lws_get_library_version(); }

/// Names the calling thread, for `top` and the debugger; the system keeps 15 bytes.
static inline void striketape_name_thread(const char *name) { prctl(PR_SET_NAME, name, 0, 0, 0); }

/// No keep-alive by the library: the pings are ours, as it counts only pongs as signs of life.
static inline const lws_retry_bo_t *striketape_no_validity(void) {
    static const lws_retry_bo_t policy = {.secs_since_valid_ping = 0, .secs_since_valid_hangup = 0};
    return &policy;
}

/// A context on a libuv loop of ours; `user` is what `lws_context_user` gives back.
///
/// `first`: the first of the process, which sets up TLS. With every context that does, the library moves a global index
/// and the handshakes under way on other threads fail.
static inline struct lws_context *striketape_context_create(uv_loop_t *loop, void *user, unsigned timeout_seconds,
                                                            bool first) {
    struct lws_context_creation_info info;
    void *loops[1] = {loop};
    memset(&info, 0, sizeof info);
    info.options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS | LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_VALIDATE_UTF8;
    if (first) info.options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
    info.foreign_loops = loops;
    info.user = user;
    info.port = CONTEXT_PORT_NO_LISTEN;
    info.gid = (gid_t)-1;
    info.uid = (uid_t)-1;
    info.timeout_secs = timeout_seconds;
    info.max_http_header_data = 8192;
    info.pt_serv_buf_size = 65536;
    info.retry_and_idle_policy = striketape_no_validity();
    return lws_create_context(&info);
}

/// A virtual host for sockets that we accept ourselves; HTTP/1.1 only. NULL when it can't.
///
/// The library's own listening is not used: 4.1 never frees a listening virtual host, and picks the first virtual host
/// of a context for any `Host`. `certificate_file` NULL: no TLS.
static inline struct lws_vhost *striketape_server_vhost(struct lws_context *context, const char *name,
                                                        const char *certificate_file, const char *key_file,
                                                        const struct lws_protocols *protocols) {
    struct lws_context_creation_info info;
    memset(&info, 0, sizeof info);
    info.options = LWS_SERVER_OPTION_VALIDATE_UTF8;
    info.port = CONTEXT_PORT_NO_LISTEN_SERVER;
    info.vhost_name = name;
    info.protocols = protocols;
    info.alpn = "http/1.1";
    info.keepalive_timeout = 60;
    info.retry_and_idle_policy = striketape_no_validity();
    info.gid = (gid_t)-1;
    info.uid = (uid_t)-1;
    if (certificate_file) {
        info.options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
        info.ssl_cert_filepath = certificate_file;
        info.ssl_private_key_filepath = key_file;
        info.ssl_options_set = SSL_OP_NO_SSLv3 | SSL_OP_NO_TLSv1 | SSL_OP_NO_TLSv1_1 | SSL_OP_NO_RENEGOTIATION;
    }
    return lws_create_vhost(context, &info);
}

/// A virtual host for clients; `ca_file` replaces the system's authorities, NULL keeps them.
static inline struct lws_vhost *striketape_client_vhost(struct lws_context *context, const char *name,
                                                        const char *ca_file, const struct lws_protocols *protocols) {
    struct lws_context_creation_info info;
    memset(&info, 0, sizeof info);
    info.options = LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT | LWS_SERVER_OPTION_VALIDATE_UTF8;
    if (ca_file) info.options |= LWS_SERVER_OPTION_DISABLE_OS_CA_CERTS;
    info.port = CONTEXT_PORT_NO_LISTEN;
    info.vhost_name = name;
    info.protocols = protocols;
    info.client_ssl_ca_filepath = ca_file;
    info.ssl_client_options_set = SSL_OP_NO_SSLv3 | SSL_OP_NO_TLSv1 | SSL_OP_NO_TLSv1_1;
    info.retry_and_idle_policy = striketape_no_validity();
    info.gid = (gid_t)-1;
    info.uid = (uid_t)-1;
    return lws_create_vhost(context, &info);
}

/// Where a client connects to.
struct striketape_target {
    struct lws_vhost *vhost;
    /// A numeric address: the library's own name resolution would block the loop.
    const char *address;
    int port;
    /// The `Host` header, and without its port the name that the certificate must carry.
    const char *host;
    const char *path;
    /// NULL: none offered.
    const char *subprotocol;
    const char *local_protocol;
    bool tls;
    /// Given back by `lws_get_opaque_user_data`.
    void *handle;
};

/// Starts a connection. TLS always verifies chain and host; redirects are not followed.
static inline struct lws *striketape_connect(struct lws_context *context, const struct striketape_target *t) {
    struct lws_client_connect_info info;
    memset(&info, 0, sizeof info);
    info.context = context;
    info.vhost = t->vhost;
    info.address = t->address;
    info.port = t->port;
    info.host = t->host;
    info.path = t->path;
    info.protocol = t->subprotocol;
    info.local_protocol_name = t->local_protocol;
    info.alpn = "http/1.1";
    info.ietf_version_or_minus_one = -1;
    info.ssl_connection = LCCSCF_HTTP_NO_FOLLOW_REDIRECT | (t->tls ? LCCSCF_USE_SSL : 0);
    info.retry_and_idle_policy = striketape_no_validity();
    info.opaque_user_data = t->handle;
    return lws_client_connect_via_info(&info);
}

/// Closes the socket at the next turn, without a close frame.
static inline void striketape_kill(struct lws *wsi) {
    lws_set_timeout(wsi, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_ASYNC);
    // Timeouts that are set outside a callback of the library are seen only after some event.
    lws_cancel_service(lws_get_context(wsi));
}

/// Closes a socket of the library at once; its descriptor goes when libuv has let go of the handle.
static inline void striketape_drop(struct lws *wsi) {
    lws_set_timeout(wsi, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_SYNC);
}

/// Accepts a connection as a descriptor that doesn't block and isn't inherited; -1 and `errno` as `accept`.
static inline int striketape_accept(int listener) {
    int descriptor = accept(listener, NULL, NULL);
    if (descriptor < 0) return -1;
    fcntl(descriptor, F_SETFD, FD_CLOEXEC);
    fcntl(descriptor, F_SETFL, O_NONBLOCK);
    return descriptor;
}

/// Why the peer's certificate was refused, NULL if it wasn't.
static inline const char *striketape_certificate_problem(struct lws *wsi) {
    SSL *ssl = lws_get_ssl(wsi);
    long result = ssl ? SSL_get_verify_result(ssl) : X509_V_OK;
    return result == X509_V_OK ? NULL : X509_verify_cert_error_string(result);
}

/// Begins the closing handshake with the code that `lws_close_reason` set.
static inline void striketape_begin_close(struct lws *wsi) {
    lws_set_timeout(wsi, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_SYNC);
    // The handshake's own timeout was set outside a callback, see striketape_kill.
    lws_cancel_service(lws_get_context(wsi));
}
