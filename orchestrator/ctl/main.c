// txctl: the operators' command line.
#include "orchestrator/ctl/txctl.h"

#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { WIDTH_WITHOUT_TERMINAL = 100, WIDTH_MIN = 40, WIDTH_MAX = 400 };

static unsigned terminal_width(void) {
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < WIDTH_MIN)
        return WIDTH_WITHOUT_TERMINAL;
    return size.ws_col < WIDTH_MAX ? size.ws_col : WIDTH_MAX;
}

static const char *environment(const char *name) {
    return getenv(name); // NOLINT(concurrency-mt-unsafe): there is one thread yet
}

int main(int argc, char **argv) {
    const char *no_color = environment("NO_COLOR");
    const struct session_env env = {
        .out = stdout,
        .err = stderr,
        .server = environment("TXCENTER_SERVER"),
        .version = TXC_VERSION,
        .colour = isatty(STDOUT_FILENO) && !(no_color && *no_color),
        .width = terminal_width(),
    };
    return txctl_main(argc, argv, &env);
}
