// libwebsockets, the OpenSSL that it is built with, and libuv; and what Swift can't import from them: macros, variadics and
// structures with conditional members become `static inline` functions and constants here.
//
// Kept source-compatible with libwebsockets 4.1 (Debian 12) and 4.3 (Debian 13).
#pragma once

#include <fcntl.h>
#include <libwebsockets.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
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

/// Begins the closing handshake with the code that `lws_close_reason` set.
static inline void striketape_begin_close(struct lws *wsi) {
    lws_set_timeout(wsi, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_SYNC);
    // The handshake's own timeout was set outside a callback, see striketape_kill.
    lws_cancel_service(lws_get_context(wsi));
}

/// What the TLS clients of a loop share: authorities and rules. NULL when `ca_file` has none that can be read.
///
/// `ca_file` replaces the system's authorities, NULL keeps them. The library's own context isn't used: each of its set-ups
/// moves an index that handshakes under way on other threads need.
static inline SSL_CTX *striketape_tls_context(const char *ca_file) {
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (!context) return NULL;
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    // The rest of a write may come from other memory, as the output buffer grows.
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    // Without it each record costs two system calls, one for its header and one for the rest.
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_default_read_buffer_len(context, 131072);
    bool is_good = SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
                   SSL_CTX_set_alpn_protos(context, (const unsigned char *)"\x08http/1.1", 9) == 0 &&
                   (ca_file ? SSL_CTX_load_verify_locations(context, ca_file, NULL)
                            : SSL_CTX_set_default_verify_paths(context)) == 1;
    if (is_good) return context;
    SSL_CTX_free(context);
    return NULL;
}

/// TLS over a connected socket, towards a name or numeric address that the certificate must carry. NULL when it can't.
static inline SSL *striketape_tls_connection(SSL_CTX *context, int descriptor, const char *host) {
    SSL *tls = SSL_new(context);
    if (!tls) return NULL;
    SSL_set_hostflags(tls, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    // An address is no name: neither told to the server nor looked for among the names.
    bool is_address = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls), host) == 1;
    bool is_good = (is_address || (SSL_set1_host(tls, host) == 1 && SSL_set_tlsext_host_name(tls, host) == 1)) &&
                   SSL_set_fd(tls, descriptor) == 1;
    if (is_good) {
        SSL_set_connect_state(tls);
        return tls;
    }
    SSL_free(tls);
    return NULL;
}
