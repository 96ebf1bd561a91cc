// How fast a store takes sagas: `bench_store [--seconds N] [--pairs N] [--in-flight N] [sqlite|mariadb] [FOLDER]`.
//
// One thread keeps N sagas in flight; each is a row of the engine's saga table that is inserted and then replaced, two
// writes of one row each. The bare ceiling beside it appends the same number of bytes twice to a table that is nothing
// but a log, in as many writes through the same store. They run in turn, in pairs; a pair's ratio is what counts, since
// the machine drifts. SQLite syncs every commit (in FOLDER, default the current one); MariaDB flushes its log and syncs
// its binary log at every commit, with its data in FOLDER.
#include "saga/tables.h"
#include "store/backend.h"
#include "tests/scratch.h"
#include "tests/servers/mariadb.h"

#include <assert.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

// ---- What is written ----------------------------------------------------------------------------------------------

enum { INPUT = 256, JOURNAL = 512, BODY = 900, WAITS_MAX = 1 << 21, IN_FLIGHT_MAX = 4096, PAIRS_MAX = 100 };

struct log_row {
    int64_t id;
    struct str body;
};
static const struct store_column log_columns[] = {STORE_COL_I64(log_row, id), STORE_COL_BLOB(log_row, body, 65000)};
static const struct store_table log_table = {.name = "bare_log",
                                             .row_size = sizeof(struct log_row),
                                             .columns = log_columns,
                                             .n_columns = STORE_COUNT(log_columns),
                                             .n_key = 1,
                                             .since = 1};
static const struct store_table *const tables[] = {&saga_table, &log_table, NULL};

struct bench {
    struct store *store;
    int wake;
    bool bare;
    int64_t until_ns, sagas, next;
    uint32_t waits_us[WAITS_MAX]; // of each saga, for the percentiles
    unsigned in_flight;
};

struct slot {
    struct bench *bench;
    int64_t begun_ns, created_ms;
    unsigned slot;
    char gid[ID_LEN + 1];
    bool begun; // its first write was acknowledged
};

static const char bytes[BODY] = "journal";

static void fill_saga(const struct slot *slot, struct saga_row *row) {
    *row = (struct saga_row){.flow_version = 1,
                             .status = slot->begun ? SAGA_SUCCEEDED : SAGA_RUNNING,
                             .slot = (int32_t)slot->slot,
                             .due_ms = slot->begun ? INT64_MAX : slot->created_ms + 30000,
                             .written_by = 1,
                             .created_ms = slot->created_ms,
                             .updated_ms = slot->created_ms + slot->begun,
                             .ended_ms = slot->begun ? slot->created_ms + 1 : 0,
                             .input = str_n(bytes, INPUT),
                             .journal = str_n(bytes, JOURNAL)};
    memcpy(row->gid, slot->gid, sizeof slot->gid);
    memcpy(row->subject, slot->gid, sizeof slot->gid);
    snprintf(row->flow, sizeof row->flow, "bench.two_steps");
}

// ---- One run ------------------------------------------------------------------------------------------------------

static void wake(void *ctx) {
    uint64_t one = 1;
    if (write(((struct bench *)ctx)->wake, &one, sizeof one) != sizeof one)
        abort();
}

static void done(void *ctx, const struct error *error);

static void submit(struct slot *slot) {
    struct bench *bench = slot->bench;
    struct store_write *write = store_write_new(bench->store);
    if (!slot->begun) {
        slot->begun_ns = clock_monotonic_ns();
        slot->slot = (unsigned)(bench->next % SLOT_COUNT);
        slot->created_ms = clock_now_ms(clock_system());
        id_make(slot->created_ms, slot->slot, id_random, NULL, slot->gid);
    }
    if (bench->bare) {
        struct log_row row = {.id = bench->next, .body = str_n(bytes, BODY)};
        store_row(write, &log_table, STORE_INSERT, &row);
    } else {
        struct saga_row row;
        fill_saga(slot, &row);
        store_row(write, &saga_table, slot->begun ? STORE_PUT : STORE_INSERT, &row);
    }
    bench->next++;
    bench->in_flight++;
    store_submit(bench->store, write, NULL, done, slot);
}

static void done(void *ctx, const struct error *error) {
    struct slot *slot = ctx;
    struct bench *bench = slot->bench;
    if (error) {
        fprintf(stderr, "%s\n", error->text);
        exit(1);
    }
    int64_t now_ns = clock_monotonic_ns();
    bench->in_flight--;
    slot->begun = !slot->begun;
    if (!slot->begun)
        bench->waits_us[bench->sagas++ % WAITS_MAX] = (uint32_t)((now_ns - slot->begun_ns) / 1000);
    if (slot->begun || now_ns < bench->until_ns)
        submit(slot);
}

static int compare(const void *a, const void *b) {
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

static double cpu_us(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

// Sagas a second.
static double run(struct bench *bench, bool bare, unsigned in_flight, int64_t seconds) {
    static struct slot slots[IN_FLIGHT_MAX];
    struct store_stats before, after;
    store_stats(bench->store, &before);
    double cpu_before_us = cpu_us();
    int64_t begun_ns = clock_monotonic_ns();
    bench->until_ns = begun_ns + seconds * 1000000000;
    bench->sagas = 0;
    bench->bare = bare;
    for (unsigned i = 0; i < in_flight; i++) {
        slots[i] = (struct slot){.bench = bench};
        submit(&slots[i]);
    }
    while (bench->in_flight > 0) {
        struct pollfd fd = {.fd = bench->wake, .events = POLLIN};
        uint64_t count;
        if (poll(&fd, 1, -1) == 1 && read(bench->wake, &count, sizeof count) == sizeof count)
            store_poll(bench->store);
    }
    double took = (double)(clock_monotonic_ns() - begun_ns) / 1e9, sagas = (double)bench->sagas;
    double cpu = (cpu_us() - cpu_before_us) / sagas;
    store_stats(bench->store, &after);
    double commits = (double)(after.commits - before.commits);
    size_t n = bench->sagas < WAITS_MAX ? (size_t)bench->sagas : WAITS_MAX;
    qsort(bench->waits_us, n, sizeof bench->waits_us[0], compare);
    printf(
        "  %-6s %7.0f sagas/s  %5.1f us of CPU each  %5.0f commits/s of %5.1f rows and %6.0f us  p50 %6u p99 %6u us\n",
        bare ? "bare" : "sagas", sagas / took, cpu, commits / took, 2 * sagas / commits,
        (double)(after.commit_ns - before.commit_ns) / 1e3 / commits, bench->waits_us[n / 2],
        bench->waits_us[n * 99 / 100]);
    return sagas / took;
}

static int compare_ratios(const void *a, const void *b) {
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

struct plan {
    int64_t seconds, pairs, in_flight;
};

static void measure(struct store_backend *backend, const struct plan *plan) {
    struct bench *bench = calloc(1, sizeof *bench);
    if (!bench)
        abort();
    bench->wake = eventfd(0, EFD_CLOEXEC);
    struct store_options options = {.tables = tables,
                                    .clock = clock_system(),
                                    .instance = "bench",
                                    .threaded = true,
                                    .wake = wake,
                                    .wake_ctx = bench};
    printf("%s, %d in flight\n", backend->ops->name, (int)plan->in_flight);
    struct error error = {0};
    if (!store_open(backend, &options, &bench->store, &error)) {
        fprintf(stderr, "%s\n", error.text);
        exit(1);
    }
    if (store_durability_warning(bench->store))
        printf("  %s\n", store_durability_warning(bench->store));
    double ratios[PAIRS_MAX];
    for (int64_t i = 0; i < plan->pairs; i++) {
        // Which of the two comes first alternates, too.
        double first = run(bench, i % 2, (unsigned)plan->in_flight, plan->seconds);
        double second = run(bench, i % 2 == 0, (unsigned)plan->in_flight, plan->seconds);
        ratios[i] = i % 2 ? second / first : first / second;
    }
    qsort(ratios, (size_t)plan->pairs, sizeof ratios[0], compare_ratios);
    printf("  of the bare ceiling: %.0f %% (%.0f to %.0f)\n", 100 * ratios[plan->pairs / 2], 100 * ratios[0],
           100 * ratios[plan->pairs - 1]);
    store_close(bench->store);
    close(bench->wake);
    free(bench);
}

static int usage(void) {
    fprintf(stderr, "usage: bench_store [--seconds N] [--pairs N] [--in-flight N] [sqlite|mariadb] [FOLDER]\n");
    return 2;
}

int main(int argc, char **argv) {
    struct plan plan = {.seconds = 2, .pairs = 3, .in_flight = 64};
    static const struct option options[] = {{"seconds", required_argument, NULL, 's'},
                                            {"pairs", required_argument, NULL, 'p'},
                                            {"in-flight", required_argument, NULL, 'n'},
                                            {0}};
    int letter;
    while ((letter = getopt_long(argc, argv, "", options, NULL)) != -1) {
        int64_t *to = letter == 's' ? &plan.seconds : letter == 'p' ? &plan.pairs : &plan.in_flight;
        if (letter == '?' || !str_to_i64(str_c(optarg), to) || *to < 1)
            return usage();
    }
    if (plan.seconds > 3600 || plan.pairs > PAIRS_MAX || plan.in_flight > IN_FLIGHT_MAX)
        return usage();
    bool sqlite = true, mariadb = true;
    if (optind < argc && (strcmp(argv[optind], "sqlite") == 0 || strcmp(argv[optind], "mariadb") == 0)) {
        sqlite = strcmp(argv[optind], "sqlite") == 0;
        mariadb = !sqlite;
        optind++;
    }
    char folder[400], file[420];
    if (snprintf(folder, sizeof folder, "%s/bench-XXXXXX", optind < argc ? argv[optind] : ".") >= (int)sizeof folder ||
        !mkdtemp(folder)) {
        perror(folder);
        return 1;
    }
    if (sqlite) {
        snprintf(file, sizeof file, "%s/store.db", folder);
        measure(store_sqlite(file), &plan);
    }
    if (mariadb) {
        struct mariadb_server *server = mariadb_start(&(struct mariadb_options){.durable = true, .folder = folder});
        mariadb_make_database(server, "bench");
        measure(store_mariadb(&(struct store_mariadb_options){
                    .user = "root", .database = "bench", .unix_socket = mariadb_socket(server)}),
                &plan);
        mariadb_stop(server);
    }
    scratch_remove(folder);
    return 0;
}
