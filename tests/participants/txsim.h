// txsim as a process.
#ifndef TXC_TESTS_PARTICIPANTS_TXSIM_H
#define TXC_TESTS_PARTICIPANTS_TXSIM_H

#include "tests/participants/program.h"

#include <assert.h>

enum { TXSIM_ARGS_MAX = 30 };

// It ends with this process, so that a test which crashes leaves nothing behind.
static inline pid_t txsim_start(const char *const *args) {
    const char *all[TXSIM_ARGS_MAX + 2];
    size_t n = 0;
    for (; args[n]; n++) {
        assert(n < TXSIM_ARGS_MAX);
        all[n] = args[n];
    }
    all[n++] = "--with-parent";
    all[n] = NULL;
    return program_start(TXSIM, all, NULL);
}
static inline void txsim_kill(pid_t pid) {
    program_kill(pid);
}
static inline int txsim_stop(pid_t pid) {
    return program_stop(pid);
}
static inline int txsim_run(const char *const *args, char *out, size_t size) {
    return program_run(TXSIM, args, out, size);
}

#endif
