#include "tests/powerloss/plug.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
    const char *path;
    char count_path[4096];
    struct stat seen; // the plan that is followed; st_ino 0: none
    long at, count;
    bool before;
} plug;

static _Noreturn void die(const char *what) {
    fprintf(stderr, "powerloss: %s\n", what);
    abort();
}

void plug_init(const char *path) {
    int n = path ? snprintf(plug.count_path, sizeof plug.count_path, "%s.count", path) : 0;
    if (n < 0 || (size_t)n >= sizeof plug.count_path)
        die("the name of the plan is too long");
    plug.path = path;
}

static bool is_same(const struct stat *a, const struct stat *b) {
    return a->st_ino == b->st_ino && a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

// False when there is no plan.
static bool follow_plan(void) {
    struct stat now;
    if (!plug.path || stat(plug.path, &now) != 0)
        return false;
    if (is_same(&now, &plug.seen))
        return true;
    FILE *file = fopen(plug.path, "re");
    char line[64] = "", *word = NULL;
    bool read = file && fgets(line, sizeof line, file);
    plug.at = strtol(line, &word, 10);
    if (!read || word == line || *word != ' ')
        die("the plan is not \"K before\" or \"K after\"");
    fclose(file);
    plug.before = strncmp(word + 1, "before", 6) == 0;
    plug.seen = now;
    plug.count = 0;
    return true;
}

static void tell(const char *word) {
    int fd = open(plug.count_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0 || dprintf(fd, "%ld%s\n", plug.count, word) < 0)
        die("the count can't be written");
    close(fd);
}

static void pull(void) {
    tell(" killed");
    kill(getpid(), SIGKILL);
    for (;;)
        pause();
}

void plug_before_sync(void) {
    if (!follow_plan())
        return;
    plug.count++;
    if (plug.before && plug.count == plug.at)
        pull();
    tell("");
}

void plug_after_sync(void) {
    if (plug.path && !plug.before && plug.count == plug.at && plug.count > 0)
        pull();
}
