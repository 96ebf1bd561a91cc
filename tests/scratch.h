// Folders of a test's own: in memory where there is enough of it, so that tests don't wait for a busy disk.
#ifndef TXC_TESTS_SCRATCH_H
#define TXC_TESTS_SCRATCH_H

#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>

enum { SCRATCH_PATH_MAX = 64, SCRATCH_LEAST_MB = 512 };

// A new empty folder named after `what`; false when there can't be one.
static inline bool scratch_make(const char *what, char out[SCRATCH_PATH_MAX]) {
    struct statvfs memory;
    bool fits =
        statvfs("/dev/shm", &memory) == 0 && memory.f_bavail * memory.f_frsize / (1024 * 1024) >= SCRATCH_LEAST_MB;
    snprintf(out, SCRATCH_PATH_MAX, "%s/txc-%s-XXXXXX", fits ? "/dev/shm" : "/tmp", what);
    return mkdtemp(out) != NULL;
}

static inline int scratch_remove_one(const char *path, const struct stat *st, int kind, struct FTW *at) {
    (void)st, (void)kind, (void)at;
    return remove(path);
}

// With everything in it.
static inline void scratch_remove(const char *folder) {
    nftw(folder, scratch_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

#endif
