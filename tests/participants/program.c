#include "tests/participants/program.h"

#include "tests/cmocka.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ARGS_MAX = 32 };

// In the new process, which ends with the test's: nothing is left behind, however that ends. Only what may be called
// between fork and exec.
static _Noreturn void become(const char *path, char **argv, const char *log, int out, pid_t parent) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127); // it was faster
    dup2(out, STDOUT_FILENO);
    if (log) {
        int file = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
        if (file >= 0)
            dup2(file, STDERR_FILENO);
    }
    execv(path, argv);
    _exit(127);
}

static pid_t spawn(const char *path, const char *const *args, const char *log, int *ret_out) {
    char *argv[ARGS_MAX + 2] = {(char *)(uintptr_t)path};
    for (size_t i = 0; args[i]; i++) {
        assert_true(i < ARGS_MAX);
        argv[i + 1] = (char *)(uintptr_t)args[i];
    }
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t parent = getpid(), pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        become(path, argv, log, ends[1], parent);
    close(ends[1]);
    *ret_out = ends[0];
    return pid;
}

// Up to the end of the line, or of everything.
static size_t read_text(int from, char *out, size_t size, bool one_line) {
    size_t n = 0;
    while (n + 1 < size) {
        ssize_t got = read(from, out + n, 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0 || (one_line && out[n] == '\n'))
            break;
        n++;
    }
    out[n] = '\0';
    return n;
}

static int wait_for(pid_t pid) {
    int status;
    while (waitpid(pid, &status, 0) < 0)
        assert_int_equal(errno, EINTR);
    return status;
}

pid_t program_start(const char *path, const char *const *args, const char *log) {
    int out;
    char line[128];
    pid_t pid = spawn(path, args, log, &out);
    read_text(out, line, sizeof line, true);
    close(out);
    if (strncmp(line, "ready", 5) != 0) {
        kill(pid, SIGKILL);
        wait_for(pid);
        fail_msg("%s does not serve: '%s'", path, line);
    }
    return pid;
}

void program_kill(pid_t pid) {
    assert_int_equal(kill(pid, SIGKILL), 0);
    wait_for(pid);
}

int program_stop(pid_t pid) {
    assert_int_equal(kill(pid, SIGTERM), 0);
    int status = wait_for(pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int program_run(const char *path, const char *const *args, char *text, size_t size) {
    int out;
    pid_t pid = spawn(path, args, NULL, &out);
    read_text(out, text, size, false);
    close(out);
    int status = wait_for(pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
