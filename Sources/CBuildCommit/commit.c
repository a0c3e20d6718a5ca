#include "CBuildCommit.h"

// In C, as a Swift setting can't carry a text; and alone, so that another commit compiles this file and nothing else.
const char *striketape_build_commit(void) { return STRIKETAPE_COMMIT; }
