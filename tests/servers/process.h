// A server of a test's own as a process: it writes to a log, dies with the thread that started it, and is waited for
// until it listens on a unix socket. What can't be done ends the program with a message.
#ifndef TXC_TESTS_SERVERS_PROCESS_H
#define TXC_TESTS_SERVERS_PROCESS_H

#include <pwd.h>
#include <stdbool.h>
#include <sys/types.h>

struct server_process {
    const char *what;   // "mariadbd", for messages
    const char *folder; // where its log and its socket are
    const char *socket;
    pid_t pid; // 0: not running
};

_Noreturn void server_die(const char *what, const char *detail);

// Its output goes to "<folder>/log". As `user`, where there is one; who has it change its user itself has a server that
// outlives the test, as that takes from it the signal of its parent's death (prctl(2), PR_SET_PDEATHSIG).
pid_t server_spawn(const char *folder, char *const *arguments, const struct passwd *user);

// Until `answers` says so: the server makes its socket when it is about to listen.
void server_await(struct server_process *process, bool (*answers)(void *ctx), void *ctx);

// The same; false when the process ended instead, and is gone.
bool server_await_or_end(struct server_process *process, bool (*answers)(void *ctx), void *ctx);

// The log, to standard error.
void server_show_log(const char *folder);

// kill(2), and waits until it is gone. Nothing when it is not running.
void server_end(struct server_process *process, int signal);

#endif
