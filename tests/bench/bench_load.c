// Load of one unary method, whoever serves it. The request's bytes are given, or those of several requests that take
// turns; wherever they hold the mark, each call has a name of its own.
//
// Closed loop: so many calls are in flight all the time. Open loop: calls begin at a fixed rate, whether those before
// have ended or not, and a latency counts from the moment when the call should have begun, so that a server that stalls
// can't hide it (no coordinated omission).
//
//   bench_load TARGET PATH --request FILE… --seconds S [--warm S] (--in-flight N | --rate R) [--count N]
//              [--every-ms N] [--deadline-ms N] [--connections N] [--pid NAME=PID]… [--quiet]
//
// Prints one JSON object: calls, calls a second, quantiles, the CPU time that each named process and this one took for
// a call, and how many calls ended otherwise than OK, by status. With --every-ms a line of the same for each such time.
#include "base/clock.h"
#include "base/id.h"
#include "tests/bench/bare.h"
#include "tests/bench/latency.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define MARK "00000000000000000000000000" // as long as an id

enum {
    PIDS_MAX = 8,
    CONNECTIONS_MAX = 1024,
    REQUESTS_MAX = 64,
    REQUEST_MAX = 16 * 1024,
    MARKS_MAX = 16,
    OUT_MAX = 20000, // calls in flight; an open loop that would go beyond counts the call as not sent
    ROUND_MAX = 64,  // calls that are begun before answers are looked for again
    STATUSES = 17,
    TRIM_BYTES = 1 << 30,
    TOP_PAD_BYTES = 16 << 20,
};
#define SECOND_NS INT64_C(1000000000)
#define READ_NS INT64_C(100000) // for which answers are looked for at least

struct process {
    const char *name;
    clockid_t clock;
    double before_us;
};

struct request {
    uint8_t bytes[REQUEST_MAX];
    size_t size, marks[MARKS_MAX], n_marks;
};

// What one span of time came to.
struct span {
    int64_t begun_ns;
    struct latency ok, not_ok; // latencies of calls that ended OK, and of the others
    uint64_t by_status[STATUSES], unsent;
};

struct call {
    struct bare_out out;
    struct load *load;
    struct call *next;
    int64_t begun_ns;
};

struct load {
    struct bare bare;
    struct {
        grpc_channel *channel;
        void *path;
    } connections[CONNECTIONS_MAX];
    struct request requests[REQUESTS_MAX];
    size_t n_requests;
    char run[ID_LEN + 1];
    double seconds, warm_s, rate;
    int64_t n_connections, in_flight_wanted, count, every_ms, deadline_ms;
    struct process pids[PIDS_MAX];
    size_t n_pids;
    bool stopping, quiet;
    int64_t begun, in_flight;
    struct call *spare;
    struct span whole, part;
};

// ---- Calls --------------------------------------------------------------------------------------------------------

static void begin(struct load *load, int64_t at_ns);

static void note(struct span *span, const struct call *call, grpc_status_code status, int64_t now_ns) {
    if (call->begun_ns < span->begun_ns)
        return; // of the time before
    span->by_status[(unsigned)status < STATUSES ? (unsigned)status : (unsigned)GRPC_STATUS_UNKNOWN]++;
    latency_add(status == GRPC_STATUS_OK ? &span->ok : &span->not_ok, now_ns - call->begun_ns);
}

static void ended(struct bare_out *out, grpc_status_code status, struct str answer, struct str text) {
    (void)answer;
    struct call *call = (struct call *)out; // its first member
    struct load *load = call->load;
    int64_t now_ns = clock_monotonic_ns();
    if (status != GRPC_STATUS_OK && load->whole.not_ok.n == 0 && !load->quiet)
        fprintf(stderr, "a call failed: %d %.*s\n", (int)status, STR_FMT(text));
    note(&load->whole, call, status, now_ns);
    note(&load->part, call, status, now_ns);
    load->in_flight--;
    call->next = load->spare;
    load->spare = call;
    if (!load->stopping && load->rate == 0)
        begin(load, clock_monotonic_ns());
}

static void begin(struct load *load, int64_t at_ns) {
    if (load->in_flight >= OUT_MAX || (load->count && load->begun >= load->count)) {
        load->whole.unsent += load->in_flight >= OUT_MAX;
        load->part.unsent += load->in_flight >= OUT_MAX;
        return;
    }
    struct call *call = load->spare;
    if (call)
        load->spare = call->next;
    else if (!(call = malloc(sizeof *call)))
        abort();
    *call = (struct call){.load = load, .begun_ns = at_ns, .out.done = ended};
    const struct request *request = &load->requests[(size_t)load->begun % load->n_requests];
    size_t at = (size_t)(load->begun % load->n_connections);
    char name[ID_LEN + 1];
    snprintf(name, sizeof name, "%.*s%012" PRId64, ID_LEN - 12, load->run, load->begun++);
    grpc_slice slice;
    uint8_t *bytes = bare_room(&slice, request->size);
    memcpy(bytes, request->bytes, request->size);
    for (size_t i = 0; i < request->n_marks; i++)
        memcpy(bytes + request->marks[i], name, ID_LEN);
    load->in_flight++;
    bare_call(&load->bare, load->connections[at].channel, load->connections[at].path, NULL, 0, slice, load->deadline_ms,
              &call->out);
}

// ---- Figures ------------------------------------------------------------------------------------------------------

static double cpu_us(const struct process *process) {
    struct timespec t;
    if (clock_gettime(process->clock, &t) != 0)
        return 0;
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void begin_span(struct span *span) {
    *span = (struct span){.begun_ns = clock_monotonic_ns()};
}

static void print(const struct load *load, const struct span *span, int64_t end_ns) {
    double took = (double)(end_ns - span->begun_ns) / 1e9, per = span->ok.n ? (double)span->ok.n : 1;
    printf("{\"in_flight\": %" PRId64 ", \"calls\": %" PRIu64
           ", \"per_second\": %.1f, \"p50_ms\": %.3f, \"p99_ms\": %.3f, "
           "\"p999_ms\": %.3f, \"most_ms\": %.3f, \"failed\": %" PRIu64
           ", \"failed_p99_ms\": %.3f, \"unsent\": %" PRIu64,
           load->rate > 0 ? load->in_flight : load->in_flight_wanted, span->ok.n, (double)span->ok.n / took,
           latency_ms(&span->ok, 0.5), latency_ms(&span->ok, 0.99), latency_ms(&span->ok, 0.999),
           latency_ms(&span->ok, 1), span->not_ok.n, latency_ms(&span->not_ok, 0.99), span->unsent);
    for (int i = 1; i < STATUSES; i++)
        if (span->by_status[i])
            printf(", \"status_%d\": %" PRIu64, i, span->by_status[i]);
    for (size_t i = 0; span == &load->whole && i < load->n_pids; i++)
        printf(", \"%s_cpu_us\": %.1f", load->pids[i].name, (cpu_us(&load->pids[i]) - load->pids[i].before_us) / per);
    printf("}\n");
    fflush(stdout);
}

// ---- Running ------------------------------------------------------------------------------------------------------

// What is due by now at the fixed rate, each with the time at which it should have begun; of much only a part, so that
// who is behind does not make it worse by leaving answers, and their memory, unread.
static int64_t begin_due(struct load *load, int64_t epoch_ns, int64_t *ret_sent) {
    int64_t now_ns = clock_monotonic_ns(), next_ns = now_ns;
    for (int i = 0; i < ROUND_MAX; i++) {
        next_ns = epoch_ns + (int64_t)((double)*ret_sent / load->rate * 1e9);
        if (next_ns > now_ns)
            break;
        begin(load, next_ns);
        ++*ret_sent;
    }
    return next_ns;
}

static void run_until(struct load *load, int64_t end_ns) {
    static int64_t epoch_ns, sent;
    int64_t part_ns = load->every_ms * 1000000;
    epoch_ns = epoch_ns ? epoch_ns : clock_monotonic_ns();
    for (int64_t now; (now = clock_monotonic_ns()) < end_ns;) {
        int64_t until_ns = now + SECOND_NS / 20;
        if (load->rate > 0) {
            int64_t next_ns = begin_due(load, epoch_ns, &sent), read_ns = clock_monotonic_ns() + READ_NS;
            until_ns = next_ns < until_ns ? next_ns : until_ns;
            until_ns = until_ns < read_ns ? read_ns : until_ns;
        }
        until_ns = until_ns < end_ns ? until_ns : end_ns;
        bare_run(&load->bare, until_ns);
        if (part_ns && now - load->part.begun_ns >= part_ns) {
            print(load, &load->part, now);
            begin_span(&load->part);
        }
        if (load->count && load->begun >= load->count && load->in_flight == 0)
            return;
    }
    // What should have begun by now and has not, though there was time to: what came due in the last look is no delay.
    if (load->rate > 0)
        begin_due(load, epoch_ns, &sent);
    int64_t due = load->rate > 0 ? (int64_t)((double)(end_ns - epoch_ns) / 1e9 * load->rate) : 0;
    load->whole.unsent += due > sent ? (uint64_t)(due - sent) : 0;
}

static void run(struct load *load) {
    begin_span(&load->whole);
    begin_span(&load->part);
    for (int64_t i = 0; load->rate == 0 && i < load->in_flight_wanted; i++)
        begin(load, clock_monotonic_ns());
    if (load->warm_s > 0) {
        run_until(load, clock_monotonic_ns() + (int64_t)(load->warm_s * 1e9));
        begin_span(&load->whole);
        begin_span(&load->part);
    }
    for (size_t i = 0; i < load->n_pids; i++)
        load->pids[i].before_us = cpu_us(&load->pids[i]);
    run_until(load, load->whole.begun_ns + (int64_t)(load->seconds * 1e9));
    print(load, &load->whole, clock_monotonic_ns());
    load->stopping = true;
    int64_t grace_ns = clock_monotonic_ns() + load->deadline_ms * 1000000;
    while (load->in_flight > 0 && clock_monotonic_ns() < grace_ns)
        bare_run(&load->bare, clock_monotonic_ns() + SECOND_NS / 20);
}

// ---- What is asked for --------------------------------------------------------------------------------------------

static void add_request(struct load *load, const char *path) {
    struct request *request = load->n_requests < REQUESTS_MAX ? &load->requests[load->n_requests++] : NULL;
    FILE *file = request ? fopen(path, "rb") : NULL;
    if (file)
        request->size = fread(request->bytes, 1, sizeof request->bytes, file);
    if (!file || request->size == 0 || request->size == sizeof request->bytes) {
        fprintf(stderr, "bench_load: %s is one too many, or holds no request of at most %d bytes\n", path, REQUEST_MAX);
        exit(2);
    }
    fclose(file);
    for (size_t i = 0; i + ID_LEN <= request->size && request->n_marks < MARKS_MAX; i++)
        if (memcmp(request->bytes + i, MARK, ID_LEN) == 0)
            request->marks[request->n_marks++] = i;
}

static void add_process(struct load *load, char *word) {
    char *equals = strchr(word, '=');
    if (!equals || load->n_pids == PIDS_MAX)
        exit(2);
    *equals = '\0';
    struct process *process = &load->pids[load->n_pids++];
    process->name = word;
    if (clock_getcpuclockid((pid_t)strtol(equals + 1, NULL, 10), &process->clock) != 0) {
        fprintf(stderr, "bench_load: there is no process %s\n", equals + 1);
        exit(2);
    }
}

static bool take_option(struct load *load, const char *name, char *value) {
    struct {
        const char *name;
        double *real;
        int64_t *integer;
    } options[] = {
        {"--seconds", &load->seconds, NULL},
        {"--warm", &load->warm_s, NULL},
        {"--rate", &load->rate, NULL},
        {"--connections", NULL, &load->n_connections},
        {"--in-flight", NULL, &load->in_flight_wanted},
        {"--count", NULL, &load->count},
        {"--every-ms", NULL, &load->every_ms},
        {"--deadline-ms", NULL, &load->deadline_ms},
    };
    if (strcmp(name, "--pid") == 0) {
        add_process(load, value);
        return true;
    }
    if (strcmp(name, "--request") == 0) {
        add_request(load, value);
        return true;
    }
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        if (strcmp(name, options[i].name) != 0)
            continue;
        if (options[i].real)
            *options[i].real = strtod(value, NULL);
        else
            *options[i].integer = strtoll(value, NULL, 10);
        return true;
    }
    return false;
}

int main(int argc, char **argv) {
    static struct load load = {.deadline_ms = 35000, .seconds = 5, .n_connections = 1};
    bool fits = argc > 3;
    static char own_pid[32];
    for (int i = 3; fits && i < argc; i++) {
        if (strcmp(argv[i], "--quiet") == 0)
            load.quiet = true;
        else if (i + 1 < argc && take_option(&load, argv[i], argv[i + 1]))
            i++;
        else
            fits = false;
    }
    fits = fits && load.n_connections >= 1 && load.n_connections <= CONNECTIONS_MAX;
    if (!fits || load.n_requests == 0 || (load.rate <= 0 && load.in_flight_wanted <= 0)) {
        fprintf(stderr,
                "usage: bench_load TARGET PATH --request FILE… --seconds S [--warm S] (--in-flight N | --rate R) "
                "[--count N] [--every-ms N] [--deadline-ms N] [--connections N] [--pid NAME=PID]… [--quiet]\n");
        return 2;
    }
    snprintf(own_pid, sizeof own_pid, "load=%d", (int)getpid());
    add_process(&load, own_pid);
    // The memory of calls that have ended is for those that come next: giving it back and asking for it again takes a
    // fifth of this program's time when very many are under way.
    mallopt(M_TRIM_THRESHOLD, TRIM_BYTES);
    mallopt(M_TOP_PAD, TOP_PAD_BYTES);
    id_make(clock_now_ms(clock_system()), 0, id_random, NULL, load.run);
    bare_init(&load.bare, NULL, NULL);
    for (int i = 0; i < load.n_connections; i++) {
        load.connections[i].channel = bare_channel(argv[1], i);
        load.connections[i].path = bare_path(load.connections[i].channel, argv[2]);
    }
    run(&load);
    _Exit(0);
}
