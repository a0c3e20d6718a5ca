#ifndef STRIKETAPE_COPENSSL_SHIM_H
#define STRIKETAPE_COPENSSL_SHIM_H

// Only the digests of libcrypto; TLS belongs to the Network target's library.
#include <openssl/evp.h>

#endif
