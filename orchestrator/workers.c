#include "orchestrator/workers.h"

#include "base/clock.h"
#include "base/log.h"
#include "rpc/address.h"
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    LISTEN_MAX = 16, // as in the configuration
    PAUSE_FIRST_MS = 200,
    PAUSE_MAX_MS = 10000,
    GOOD_MS = 30000, // one that has lived for so long is started again without a pause
};

struct worker {
    pid_t pid;      // 0: none
    int out;        // its standard output; -1: none
    bool ready;     // it has said so
    int64_t due_ms; // when it is started again
    int64_t since_ms, pause_ms;
};

struct workers {
    struct config *config;
    int (*work)(struct config *config);
    struct worker list[WORKERS_MAX];
    unsigned n;
    char folder[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
    char listen[LISTEN_MAX][CONFIG_ADDRESS_MAX + 1]; // with the ports that they got
    size_t n_listen;
    int ports[LISTEN_MAX];
    sigset_t signals, before;
    int signal_fd;
    bool all_ready, stopping, failed;
};

static int64_t now_ms(void) {
    return clock_monotonic_ns() / 1000000;
}

// ---- What a worker is told ------------------------------------------------------------------------------------------

// "host:port" with another port; false when there is no room.
static bool with_port(const char *address, int port, char out[CONFIG_ADDRESS_MAX + 1]) {
    const char *colon = strrchr(address, ':');
    int length = snprintf(out, CONFIG_ADDRESS_MAX + 1, "%.*s:%d", (int)(colon - address), address, port);
    return length <= CONFIG_ADDRESS_MAX;
}

// Where the other instances reach this worker and no other: the configured address with a port of its own, or, where
// none is configured, a socket that is only for those on this machine.
static bool own_address(const struct workers *workers, unsigned number, char out[CONFIG_ADDRESS_MAX + 1]) {
    const struct config *config = workers->config;
    const char *colon = strrchr(config->address, ':');
    int64_t port = 0;
    if (config->own_address)
        return colon && str_to_i64(str_c(colon + 1), &port) && port + 1 + number <= UINT16_MAX &&
               with_port(config->address, (int)port + 1 + (int)number, out);
    int length = snprintf(out, CONFIG_ADDRESS_MAX + 1, "unix:%s/%s-%u.sock", workers->folder, config->instance, number);
    return length < (int)(sizeof workers->folder + strlen("unix:"));
}

static bool take_addresses(struct workers *workers, struct error *error) {
    const struct config *config = workers->config;
    for (size_t i = 0; config->listen[i]; i++, workers->n_listen++) {
        if (!rpc_address_reserve(config->listen[i], &workers->ports[i], error))
            return false;
        if (!with_port(config->listen[i], workers->ports[i], workers->listen[i]))
            return error_set(error, ERR_CONFIG_INVALID, "%s is too long", config->listen[i]);
    }
    return true;
}

bool workers_check(const struct config *config, unsigned n, struct error *error) {
    if (config->store.kind != CONFIG_MARIADB)
        return error_set(error, ERR_CONFIG_INVALID,
                         "--workers needs store.kind mariadb: an SQLite file serves one process");
    for (size_t i = 0; config->listen[i]; i++)
        if (str_starts(str_c(config->listen[i]), STR("unix:")))
            return error_set(error, ERR_CONFIG_INVALID,
                             "workers can't share %s: let them listen on a port; each has a socket of its own besides",
                             config->listen[i]);
    const struct workers last = {.config = (struct config *)(uintptr_t)config, .n = n};
    char address[CONFIG_ADDRESS_MAX + 1];
    if (config->own_address && !own_address(&last, n - 1, address))
        return error_set(error, ERR_CONFIG_INVALID,
                         "address must be host:port, and the ports behind it be there for %u workers", n);
    if (snprintf(NULL, 0, "%s-%u", config->instance, n - 1) > STORE_INSTANCE_MAX)
        return error_set(error, ERR_CONFIG_INVALID, "instance is too long for the names of %u workers", n);
    return true;
}

static bool take_folder(struct workers *workers, struct error *error) {
    const struct config *config = workers->config;
    char address[CONFIG_ADDRESS_MAX + 1], whole[PATH_MAX];
    mkdir(config->data_dir, 0750); // what matters is whether it is there
    if (!realpath(config->data_dir, whole) || strlen(whole) >= sizeof workers->folder)
        return error_set(error, ERR_CONFIG_INVALID, "data_dir %s can't be found, or is too long for sockets in it",
                         config->data_dir);
    snprintf(workers->folder, sizeof workers->folder, "%s", whole);
    if (!own_address(workers, workers->n - 1, address))
        return error_set(error, ERR_CONFIG_INVALID, "data_dir is too long for the sockets of %u workers", workers->n);
    return true;
}

// In the worker.
static void adjust(const struct workers *workers, unsigned number, struct config *config) {
    struct arena *arena = &config->arena;
    char address[CONFIG_ADDRESS_MAX + 1];
    const char **listen = arena_calloc(arena, workers->n_listen + 2, sizeof *listen);
    own_address(workers, number, address);
    if (!listen)
        abort();
    for (size_t i = 0; i < workers->n_listen; i++)
        listen[i] = workers->listen[i];
    config->address = listen[workers->n_listen] = arena_str(arena, str_c(address)).ptr;
    config->instance = arena_printf(arena, "%s-%u", config->instance, number).ptr;
    config->listen = listen;
    config->shared_listen = workers->n_listen;
    if (!config->address || !config->instance)
        abort();
}

// ---- Starting -------------------------------------------------------------------------------------------------------

static _Noreturn void be_worker(const struct workers *workers, unsigned number, int out, pid_t parent) {
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(1); // it died before that
    for (unsigned i = 0; i < workers->n; i++)
        if (workers->list[i].out >= 0)
            close(workers->list[i].out);
    close(workers->signal_fd);
    sigprocmask(SIG_SETMASK, &workers->before, NULL);
    dup2(out, STDOUT_FILENO);
    close(out);
    adjust(workers, number, workers->config);
    log_setup_instance(workers->config->instance);
    exit(workers->work(workers->config)); // NOLINT(concurrency-mt-unsafe): its threads have ended
}

static void start(struct workers *workers, unsigned number) {
    struct worker *worker = &workers->list[number];
    int ends[2];
    pid_t parent = getpid();
    *worker = (struct worker){.out = -1, .since_ms = now_ms(), .pause_ms = worker->pause_ms};
    if (pipe2(ends, O_CLOEXEC) != 0)
        abort();
    fflush(NULL);
    worker->pid = fork();
    if (worker->pid == 0)
        be_worker(workers, number, ends[1], parent);
    close(ends[1]);
    worker->out = ends[0];
    if (worker->pid < 0) {
        LOG(LOG_ERROR, "a worker can't be started", LOG_INT("worker", number), LOG_INT("errno", errno));
        close(ends[0]);
        *worker = (struct worker){.out = -1, .due_ms = now_ms() + PAUSE_MAX_MS, .pause_ms = PAUSE_MAX_MS};
    }
}

// ---- Ending ---------------------------------------------------------------------------------------------------------

static void stop(struct workers *workers) {
    workers->stopping = true;
    for (unsigned i = 0; i < workers->n; i++)
        if (workers->list[i].pid > 0)
            kill(workers->list[i].pid, SIGTERM);
}

static void tell_end(const char *what, unsigned number, int status, int64_t in_ms) {
    LOG(LOG_ERROR, what, LOG_INT("worker", number), LOG_INT("exit_code", WIFEXITED(status) ? WEXITSTATUS(status) : -1),
        LOG_INT("signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0), LOG_INT("in_ms", in_ms));
}

static void start_later(struct workers *workers, unsigned number, int status) {
    struct worker *worker = &workers->list[number];
    bool good = now_ms() - worker->since_ms >= GOOD_MS;
    int64_t pause_ms = good || worker->pause_ms == 0 ? PAUSE_FIRST_MS : worker->pause_ms * 2;
    worker->pause_ms = pause_ms < PAUSE_MAX_MS ? pause_ms : PAUSE_MAX_MS;
    worker->due_ms = now_ms() + worker->pause_ms;
    tell_end("a worker has ended by itself, and is started again", number, status, worker->pause_ms);
}

static void ended(struct workers *workers, unsigned number, int status) {
    struct worker *worker = &workers->list[number];
    bool done = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    worker->pid = 0;
    if (worker->out >= 0)
        close(worker->out);
    worker->out = -1;
    if (workers->stopping) {
        workers->failed = workers->failed || !done;
    } else if (!workers->all_ready) {
        tell_end("a worker has ended before all were ready; the others end, too", number, status, 0);
        workers->failed = true; // what keeps one from starting keeps the others, too
        stop(workers);
    } else {
        start_later(workers, number, status);
    }
}

static void reap(struct workers *workers) {
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
        for (unsigned i = 0; i < workers->n; i++)
            if (workers->list[i].pid == pid) {
                ended(workers, i, status);
                break;
            }
}

// ---- Looking --------------------------------------------------------------------------------------------------------

static void say_ready(struct workers *workers) {
    workers->all_ready = true;
    printf("ready");
    for (size_t i = 0; i < workers->n_listen; i++)
        printf(" %d", workers->ports[i]);
    printf("\n");
    fflush(stdout);
}

// Whatever a worker says is that it is ready.
static void hear(struct workers *workers, struct worker *worker) {
    char bytes[256];
    ssize_t n = read(worker->out, bytes, sizeof bytes);
    if (n <= 0) {
        close(worker->out);
        worker->out = -1;
        return;
    }
    worker->ready = true;
    unsigned ready = 0;
    for (unsigned i = 0; i < workers->n; i++)
        ready += workers->list[i].ready;
    if (ready == workers->n && !workers->all_ready)
        say_ready(workers);
}

static void take_signal(struct workers *workers) {
    struct signalfd_siginfo info;
    if (read(workers->signal_fd, &info, sizeof info) != (ssize_t)sizeof info)
        return;
    if (info.ssi_signo != SIGCHLD) {
        LOG(LOG_INFO, "stopping the workers", LOG_INT("signal", info.ssi_signo));
        stop(workers); // told again, they end at once
    }
    reap(workers);
}

static unsigned running(const struct workers *workers) {
    unsigned n = 0;
    for (unsigned i = 0; i < workers->n; i++)
        n += workers->list[i].pid > 0;
    return n;
}

// Starts what is due; gives how long nothing is.
static int start_due(struct workers *workers) {
    int64_t now = now_ms(), next = INT64_MAX;
    for (unsigned i = 0; i < workers->n && !workers->stopping; i++) {
        struct worker *worker = &workers->list[i];
        if (worker->pid > 0)
            continue;
        if (worker->due_ms <= now)
            start(workers, i);
        else if (worker->due_ms < next)
            next = worker->due_ms;
    }
    return next == INT64_MAX ? -1 : (int)(next - now);
}

static void look(struct workers *workers) {
    struct pollfd fds[WORKERS_MAX + 1] = {{.fd = workers->signal_fd, .events = POLLIN}};
    int wait_ms = start_due(workers);
    for (unsigned i = 0; i < workers->n; i++)
        fds[i + 1] = (struct pollfd){.fd = workers->list[i].out, .events = POLLIN}; // -1 is passed over
    if (poll(fds, workers->n + 1, wait_ms) <= 0)
        return;
    for (unsigned i = 0; i < workers->n; i++)
        if (fds[i + 1].revents)
            hear(workers, &workers->list[i]);
    if (fds[0].revents)
        take_signal(workers);
}

bool workers_run(struct config *config, unsigned n, int (*work)(struct config *config), int *ret_exit,
                 struct error *error) {
    struct workers *workers = calloc(1, sizeof *workers);
    if (!workers)
        abort();
    *workers = (struct workers){.config = config, .work = work, .n = n};
    if (!take_folder(workers, error) || !take_addresses(workers, error)) {
        free(workers);
        return false;
    }
    for (unsigned i = 0; i < n; i++)
        workers->list[i].out = -1;
    sigemptyset(&workers->signals);
    sigaddset(&workers->signals, SIGTERM);
    sigaddset(&workers->signals, SIGINT);
    sigaddset(&workers->signals, SIGCHLD);
    sigprocmask(SIG_BLOCK, &workers->signals, &workers->before);
    workers->signal_fd = signalfd(-1, &workers->signals, SFD_CLOEXEC | SFD_NONBLOCK);
    if (workers->signal_fd < 0)
        abort();
    do
        look(workers);
    while (!workers->stopping || running(workers) > 0);
    close(workers->signal_fd);
    *ret_exit = workers->failed ? 1 : 0;
    free(workers);
    return true;
}
