#include "tests/store/small_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

static _Noreturn void die(const char *what) {
    fprintf(stderr, "small disk: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void tell(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        die(path);
    close(fd);
}

void small_disk_prepare(void) {
    char users[64], groups[64];
    snprintf(users, sizeof users, "0 %d 1", (int)geteuid());
    snprintf(groups, sizeof groups, "0 %d 1", (int)getegid());
    if (unshare(CLONE_NEWNS) != 0) {
        if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
            die("this test has to mount a file system: run it as root, or allow user namespaces");
        tell("/proc/self/setgroups", "deny");
        tell("/proc/self/uid_map", users);
        tell("/proc/self/gid_map", groups);
    }
    // EINVAL: in a chroot "/" is no mount; what is mounted may be seen outside, until the test unmounts it.
    if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 && errno != EINVAL)
        die("mounts of its own");
}

void small_disk_make(unsigned megabytes, char folder[SCRATCH_PATH_MAX]) {
    char options[32];
    snprintf(options, sizeof options, "size=%um", megabytes);
    if (!scratch_make("disk", folder) || mount("small", folder, "tmpfs", 0, options) != 0)
        die("mounting");
}

void small_disk_fill(const char *folder, unsigned kilobytes) {
    char path[SCRATCH_PATH_MAX + 16];
    snprintf(path, sizeof path, "%s/ballast", folder);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        die(path);
    // Others may take space at the same time.
    off_t free_bytes, left = (off_t)kilobytes * 1024;
    do {
        struct statvfs space;
        if (statvfs(folder, &space) != 0)
            die(path);
        free_bytes = (off_t)(space.f_bavail * space.f_frsize);
        errno = free_bytes > left ? posix_fallocate(fd, 0, free_bytes - left) : 0;
    } while (errno == ENOSPC);
    if (errno != 0)
        die(path);
    close(fd);
}

void small_disk_clear(const char *folder) {
    char path[SCRATCH_PATH_MAX + 16];
    snprintf(path, sizeof path, "%s/ballast", folder);
    if (unlink(path) != 0)
        die(path);
}

void small_disk_remove(const char *folder) {
    if (umount2(folder, MNT_DETACH) != 0 || rmdir(folder) != 0)
        die(folder);
}
