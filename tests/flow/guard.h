// Cleans up behind this process, however it ends: a small process that outlives it removes the folders that it was told
// of. Programs end with it by themselves (program.h).
#ifndef TXC_TESTS_FLOW_GUARD_H
#define TXC_TESTS_FLOW_GUARD_H

#include <stdbool.h>

// Once, before any thread is started.
bool guard_start(void);

// The folder is removed when this process is gone, if it is still there. With FLOW_KEEP in the environment it stays, so
// that one can look at the logs in it.
void guard_folder(const char *path);

#endif
