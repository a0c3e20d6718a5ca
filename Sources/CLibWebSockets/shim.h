// libwebsockets (with TLS by OpenSSL) and libuv, and what Swift can't import from them: macros, variadics and
// structures with conditional members become `static inline` functions and constants here.
//
// Kept source-compatible with libwebsockets 4.1 (Debian 12) and 4.3 (Debian 13).
#pragma once

#include <libwebsockets.h>
#include <uv.h>

#include <sys/prctl.h>

/// Names the calling thread, for `top` and the debugger; the system keeps 15 bytes.
static inline void striketape_name_thread(const char *name) { prctl(PR_SET_NAME, name, 0, 0, 0); }
