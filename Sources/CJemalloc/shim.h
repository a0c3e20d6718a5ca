// jemalloc by name: `mallctl` is all that is called; malloc itself is replaced by linking.
#pragma once
#include <jemalloc/jemalloc.h>
