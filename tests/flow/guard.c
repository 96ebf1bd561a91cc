#include "tests/flow/guard.h"

#include "tests/scratch.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FOLDERS_MAX = 64 };

static int guard = -1; // where it is told, one folder a record; it ends when nobody holds this any more

static _Noreturn void keep_guard(int from) {
    static char folders[FOLDERS_MAX][SCRATCH_PATH_MAX];
    size_t n = 0;
    setsid(); // what is sent to the terminal's processes is not for it
    for (int number = SIGHUP; number <= SIGTERM; number++)
        signal(number, SIG_IGN);
    // Whoever waits for the end of what the tests print must not wait for this.
    int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        dup2(nowhere, fd);
    while (n < FOLDERS_MAX && read(from, folders[n], sizeof folders[n]) == (ssize_t)sizeof folders[n])
        n++;
    while (n > 0)
        scratch_remove(folders[--n]);
    _exit(0);
}

bool guard_start(void) {
    int ends[2];
    // The programs that are started later hold the writing end too: their folders are removed after their death.
    if (pipe(ends) != 0 || fcntl(ends[0], F_SETFD, FD_CLOEXEC) != 0)
        return false;
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[1]);
        // Twice, so that nobody has to wait for its end.
        if (fork() == 0)
            keep_guard(ends[0]);
        _exit(0);
    }
    close(ends[0]);
    guard = ends[1];
    return pid > 0 && waitpid(pid, NULL, 0) == pid;
}

void guard_folder(const char *path) {
    char record[SCRATCH_PATH_MAX] = {0};
    if (getenv("FLOW_KEEP"))
        return;
    snprintf(record, sizeof record, "%s", path);
    // A record is smaller than PIPE_BUF: written whole or not at all.
    if (write(guard, record, sizeof record) != (ssize_t)sizeof record)
        abort();
}
