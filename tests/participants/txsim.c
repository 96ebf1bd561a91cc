#include "tests/participants/txsim.h"

#include "tests/cmocka.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { ARGS_MAX = 32 };

static pid_t spawn(const char *const *args, int *ret_out) {
    char *argv[ARGS_MAX + 2] = {(char *)(uintptr_t) "txsim"};
    for (size_t i = 0; args[i]; i++) {
        assert_true(i <= ARGS_MAX);
        argv[i + 1] = (char *)(uintptr_t)args[i];
    }
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    pid_t pid;
    int result = posix_spawn(&pid, TXSIM, &actions, NULL, argv, environ);
    if (result != 0)
        fail_msg("%s can't be started: %d", TXSIM, result);
    posix_spawn_file_actions_destroy(&actions);
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

pid_t txsim_start(const char *const *args) {
    int out;
    char line[128];
    const char *with_parent[ARGS_MAX + 2];
    size_t n = 0;
    for (; args[n]; n++) {
        assert_true(n < ARGS_MAX);
        with_parent[n] = args[n];
    }
    with_parent[n++] = "--with-parent"; // so that a test which crashes leaves nothing behind
    with_parent[n] = NULL;
    pid_t pid = spawn(with_parent, &out);
    read_text(out, line, sizeof line, true);
    close(out);
    if (strncmp(line, "ready", 5) != 0) {
        kill(pid, SIGKILL);
        wait_for(pid);
        fail_msg("txsim does not serve: '%s'", line);
    }
    return pid;
}

void txsim_kill(pid_t pid) {
    assert_int_equal(kill(pid, SIGKILL), 0);
    wait_for(pid);
}

int txsim_stop(pid_t pid) {
    assert_int_equal(kill(pid, SIGTERM), 0);
    int status = wait_for(pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int txsim_run(const char *const *args, char *text, size_t size) {
    int out;
    pid_t pid = spawn(args, &out);
    read_text(out, text, size, false);
    close(out);
    int status = wait_for(pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
