// The reply parser of hiredis, 0.14 (Debian 12) and 1.x (Debian 13); its contexts and its asynchronous API are not used
// (docs/decisions/0010).
#pragma once

#include <hiredis/hiredis.h>
