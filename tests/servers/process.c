#include "tests/servers/process.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { READY_MS = 60000, PATH_BYTES = 128 };

_Noreturn void server_die(const char *what, const char *detail) {
    fprintf(stderr, "%s for tests: %s\n", what, detail);
    exit(1);
}

static bool become(const struct passwd *user) {
    return initgroups(user->pw_name, user->pw_gid) == 0 && setgid(user->pw_gid) == 0 && setuid(user->pw_uid) == 0;
}

pid_t server_spawn(const char *folder, char *const *arguments, const struct passwd *user) {
    char log[PATH_BYTES];
    snprintf(log, sizeof log, "%s/log", folder);
    pid_t parent = getpid(), pid = fork();
    if (pid < 0)
        server_die("fork", strerror(errno));
    if (pid > 0)
        return pid;
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(fd, STDOUT_FILENO);
    dup2(fd, STDERR_FILENO);
    if (user && !become(user)) {
        fprintf(stderr, "becoming %s: %s\n", user->pw_name, strerror(errno));
        _exit(1);
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    // Sanitizers of the test program are not the server's.
    unsetenv("LD_PRELOAD");
    execvp(arguments[0], arguments);
    fprintf(stderr, "%s: %s\n", arguments[0], strerror(errno));
    _exit(127);
}

void server_show_log(const char *folder) {
    char path[PATH_BYTES], line[512];
    snprintf(path, sizeof path, "%s/log", folder);
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file))
        fputs(line, stderr);
    if (file)
        fclose(file);
}

static _Noreturn void not_started(const struct server_process *server) {
    server_show_log(server->folder);
    server_die(server->what, "did not start");
}

// An event in the folder, awaited together with the end of the process.
bool server_await_or_end(struct server_process *server, bool (*answers)(void *ctx), void *ctx) {
    int events = inotify_init1(IN_CLOEXEC), process = (int)syscall(SYS_pidfd_open, server->pid, 0);
    if (events < 0 || process < 0 || inotify_add_watch(events, server->folder, IN_CREATE | IN_ATTRIB) < 0)
        server_die("waiting", strerror(errno));
    while (!answers(ctx)) {
        struct pollfd fds[] = {{.fd = events, .events = POLLIN}, {.fd = process, .events = POLLIN}};
        // When the socket is there and not yet listened to, the next event may not come: look again soon.
        int wait_ms = access(server->socket, F_OK) == 0 ? 10 : READY_MS;
        int n = poll(fds, 2, wait_ms);
        if (n == 0 && wait_ms == READY_MS)
            not_started(server);
        if (fds[1].revents) {
            waitpid(server->pid, NULL, 0);
            server->pid = 0;
            break;
        }
        char buffer[4096];
        if (fds[0].revents && read(events, buffer, sizeof buffer) < 0)
            server_die("waiting", strerror(errno));
    }
    close(events);
    close(process);
    return server->pid != 0;
}

void server_await(struct server_process *server, bool (*answers)(void *ctx), void *ctx) {
    if (!server_await_or_end(server, answers, ctx))
        not_started(server);
}

void server_end(struct server_process *process, int signal) {
    if (process->pid == 0)
        return;
    kill(process->pid, signal);
    waitpid(process->pid, NULL, 0);
    process->pid = 0;
}
