// The commit that this program was built from.
#pragma once

// Text with a short hash; empty where whoever built it didn't say.
const char *striketape_build_commit(void);
