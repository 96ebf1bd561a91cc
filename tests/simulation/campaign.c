#include "tests/simulation/campaign.h"

#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SEED_SECONDS = 60, PROGRESS_MS = 5000 }; // of processor time

// What a worker leaves behind, however it ends.
struct lane {
    struct report report;
    struct tally tally;
    struct coverage coverage;
    uint64_t digest;
};

struct shared {
    _Atomic uint64_t next;
    struct lane lanes[];
};

struct worker {
    pid_t pid; // 0: none
    int alive; // ends when the worker does
    int said;  // what it wrote to standard error
};

static void *share(size_t size) {
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        abort();
    return memory;
}

// ---- Workers ------------------------------------------------------------------------------------------------------

static void add_tally(struct tally *sum, const struct tally *more) {
    sum->seeds += more->seeds;
    sum->events += more->events;
    sum->sagas += more->sagas;
    sum->succeeded += more->succeeded;
    sum->failed += more->failed;
    sum->terminated += more->terminated;
    sum->commits += more->commits;
    sum->sends += more->sends;
    sum->deaths += more->deaths;
    sum->taken_over += more->taken_over;
    sum->virtual_ms += more->virtual_ms;
}

static void play_one(const struct plan *plan, enum plant plant, FILE *out, struct lane *lane) {
    struct tally tally;
    uint64_t digest;
    setitimer(ITIMER_PROF, &(struct itimerval){.it_value.tv_sec = SEED_SECONDS}, NULL);
    world_play(plan, plant, out, &lane->report, &tally, &digest);
    setitimer(ITIMER_PROF, &(struct itimerval){0}, NULL);
    add_tally(&lane->tally, &tally);
    lane->digest += digest;
}

static void play_many(const struct campaign *campaign, struct shared *shared, struct lane *lane) {
    struct plan *plan = malloc(sizeof *plan);
    if (!plan)
        abort();
    coverage_begin(&lane->coverage);
    for (uint64_t seed; (seed = atomic_fetch_add(&shared->next, 1)) <= campaign->to;) {
        plan_make(plan, seed);
        play_one(plan, campaign->plant, NULL, lane);
    }
    free(plan);
}

// In the child: returns true.
static bool split(struct worker *worker, bool quiet) {
    int ends[2];
    fflush(NULL);
    if (pipe(ends) != 0 || (worker->said = memfd_create("stderr", 0)) < 0)
        abort();
    worker->pid = fork();
    if (worker->pid < 0)
        abort();
    worker->alive = ends[0];
    if (worker->pid > 0) {
        close(ends[1]);
        return false;
    }
    close(ends[0]);
    if (quiet)
        dup2(worker->said, STDERR_FILENO);
    return true;
}

// Why it ended, when it did not say so itself.
static void explain(struct worker *worker, int status, struct report *report) {
    if (!report->broken && WIFSIGNALED(status)) {
        snprintf(report->rule, sizeof report->rule, "signal %d", WTERMSIG(status));
        snprintf(report->text, sizeof report->text, "%s",
                 WTERMSIG(status) == SIGPROF ? "it does not come to an end" : strsignal(WTERMSIG(status)));
    } else if (!report->broken) {
        snprintf(report->rule, sizeof report->rule, "exit %d", WEXITSTATUS(status));
        snprintf(report->text, sizeof report->text, "the process ended by itself");
    }
    if (!report->broken) {
        ssize_t n = pread(worker->said, report->tail, sizeof report->tail - 1, 0);
        report->tail[n > 0 ? n : 0] = '\0';
    }
    report->broken = true;
}

// Waits for its end. True when nothing was broken.
static bool finish(struct worker *worker, struct report *report) {
    int status;
    while (waitpid(worker->pid, &status, 0) < 0)
        continue;
    bool well = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!well)
        explain(worker, status, report);
    close(worker->alive);
    close(worker->said);
    worker->pid = 0;
    return well;
}

bool campaign_try(const struct plan *plan, enum plant plant, FILE *out, struct report *ret_report) {
    struct lane *lane = share(sizeof *lane);
    struct worker worker;
    lane->report.seed = plan->seed;
    if (split(&worker, true)) {
        play_one(plan, plant, out, lane);
        exit(0);
    }
    bool well = finish(&worker, &lane->report);
    *ret_report = lane->report;
    munmap(lane, sizeof *lane);
    return well;
}

// ---- The whole ----------------------------------------------------------------------------------------------------

static double seconds_since(int64_t start_ns) {
    return (double)(clock_monotonic_ns() - start_ns) / 1e9;
}

static void launch(const struct campaign *campaign, struct shared *shared, struct worker *worker, struct lane *lane) {
    if (!split(worker, true))
        return;
    play_many(campaign, shared, lane);
    exit(0);
}

static void tell_progress(const struct campaign *campaign, const struct shared *shared, int64_t start_ns) {
    uint64_t begun = atomic_load(&shared->next), all = campaign->to - campaign->from + 1;
    uint64_t done = (begun > campaign->to + 1 ? campaign->to + 1 : begun) - campaign->from;
    double seconds = seconds_since(start_ns);
    if (!campaign->quiet)
        fprintf(stderr, "simulate: %llu of %llu seeds, %.0f s\n", (unsigned long long)done, (unsigned long long)all,
                seconds);
}

// One that has ended. When seeds are left that nobody plays, another takes its place.
static void collect(struct campaign *campaign, struct shared *shared, struct worker *workers, unsigned i) {
    struct lane *lane = &shared->lanes[i];
    if (finish(&workers[i], &lane->report))
        return;
    if (!campaign->quiet)
        fprintf(stderr, "simulate: seed %llu broke [%s]\n", (unsigned long long)lane->report.seed, lane->report.rule);
    if (campaign->n_failures < CAMPAIGN_FAILURES_MAX)
        campaign->failures[campaign->n_failures++] = lane->report;
    memset(&lane->report, 0, sizeof lane->report);
    if (!campaign->keep_going || campaign->n_failures == CAMPAIGN_FAILURES_MAX)
        atomic_store(&shared->next, campaign->to + 1);
    else if (atomic_load(&shared->next) <= campaign->to)
        launch(campaign, shared, &workers[i], lane);
}

static void supervise(struct campaign *campaign, struct shared *shared, struct worker *workers, int64_t start_ns) {
    int64_t told_ns = start_ns;
    for (;;) {
        struct pollfd ends[CAMPAIGN_JOBS_MAX];
        unsigned n = 0;
        for (unsigned i = 0; i < campaign->jobs; i++) {
            ends[i] = (struct pollfd){.fd = workers[i].pid ? workers[i].alive : -1, .events = POLLIN};
            n += workers[i].pid != 0;
        }
        if (n == 0)
            return;
        poll(ends, campaign->jobs, PROGRESS_MS);
        for (unsigned i = 0; i < campaign->jobs; i++)
            if (ends[i].revents)
                collect(campaign, shared, workers, i);
        if (seconds_since(told_ns) * 1000 >= PROGRESS_MS) {
            tell_progress(campaign, shared, start_ns);
            told_ns = clock_monotonic_ns();
        }
    }
}

void campaign_run(struct campaign *campaign) {
    size_t size = sizeof(struct shared) + campaign->jobs * sizeof(struct lane);
    struct shared *shared = share(size);
    struct worker workers[CAMPAIGN_JOBS_MAX] = {0};
    int64_t start_ns = clock_monotonic_ns();
    shared->next = campaign->from;
    for (unsigned i = 0; i < campaign->jobs; i++)
        launch(campaign, shared, &workers[i], &shared->lanes[i]);
    supervise(campaign, shared, workers, start_ns);
    for (unsigned i = 0; i < campaign->jobs; i++) {
        add_tally(&campaign->tally, &shared->lanes[i].tally);
        coverage_add(&campaign->coverage, &shared->lanes[i].coverage);
        campaign->digest += shared->lanes[i].digest;
    }
    campaign->seconds = seconds_since(start_ns);
    munmap(shared, size);
}
