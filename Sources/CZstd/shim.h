#ifndef STRIKETAPE_CZSTD_SHIM_H
#define STRIKETAPE_CZSTD_SHIM_H

#include <zstd.h>

#endif
