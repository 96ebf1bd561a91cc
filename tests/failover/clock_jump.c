// LD_PRELOAD=libclockjump.so: the process's wall clock is off by as many seconds as the file CLOCK_JUMP says (text),
// read anew at each look at the clock, so that it jumps while the process runs. Monotonic time is left as it is.
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static time_t offset_s(void) {
    char text[32] = "";
    const char *path = getenv("CLOCK_JUMP"); // NOLINT(concurrency-mt-unsafe): nobody changes the environment
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return 0;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    return n > 0 ? strtol(text, NULL, 10) : 0;
}

typedef int clock_gettime_fn(clockid_t clock, struct timespec *at);

static int true_time(clockid_t clock, struct timespec *at) {
    static clock_gettime_fn *real;
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
    return real(clock, at);
}

int clock_gettime(clockid_t clock, struct timespec *at) {
    int result = true_time(clock, at);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        at->tv_sec += offset_s();
    return result;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone) {
    struct timespec now;
    (void)zone;
    int result = clock_gettime(CLOCK_REALTIME, &now);
    *at = (struct timeval){.tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1000};
    return result;
}

time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at)
        *at = now.tv_sec;
    return now.tv_sec;
}
