// Our programs as processes: started, listened to until they are ready, killed or stopped by their id. They die
// with the process that started them.
#ifndef TXC_TESTS_PARTICIPANTS_PROGRAM_H
#define TXC_TESTS_PARTICIPANTS_PROGRAM_H

#include <stddef.h>
#include <sys/types.h>

// Starts the program at `path` with these arguments (ended by NULL), its standard error going to the file `log` (added
// to; NULL: ours), and waits until it says that it is ready. One that doesn't fails the running test.
pid_t program_start(const char *path, const char *const *args, const char *log);

// kill -9, and its end.
void program_kill(pid_t pid);

// SIGTERM: the exit status.
int program_stop(pid_t pid);

// Runs it to its end: the exit status, and what it wrote to standard output, cut to the size.
int program_run(const char *path, const char *const *args, char *out, size_t size);

#endif
