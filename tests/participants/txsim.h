// txsim as a process.
#ifndef TXC_TESTS_PARTICIPANTS_TXSIM_H
#define TXC_TESTS_PARTICIPANTS_TXSIM_H

#include "tests/participants/program.h"

static inline pid_t txsim_start(const char *const *args) {
    return program_start(TXSIM, args, NULL);
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
