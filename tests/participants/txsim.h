// txsim as a process.
#ifndef TXC_TESTS_PARTICIPANTS_TXSIM_H
#define TXC_TESTS_PARTICIPANTS_TXSIM_H

#include <stddef.h>
#include <sys/types.h>

// Starts txsim with these arguments (ended by NULL), and waits until it says that it is ready.
pid_t txsim_start(const char *const *args);

// kill -9, and its end.
void txsim_kill(pid_t pid);

// SIGTERM: the exit status.
int txsim_stop(pid_t pid);

// Runs it to its end: the exit status, and what it wrote to standard output, cut to the size.
int txsim_run(const char *const *args, char *out, size_t size);

#endif
