// How fast a store takes rows: `bench_store [SECONDS [FOLDER]]`. One thread keeps N writes of one row each in flight,
// for N of 1, 8, 64 and 512; each row is first inserted and later replaced, as a saga's is. Prints rows/s, commits/s,
// and the time from submission to callback. SQLite syncs every commit (in FOLDER, default the current one); MariaDB
// flushes its log and syncs its binary log at every commit.
#include "store/backend.h"
#include "tests/servers/mariadb.h"

#include <assert.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct record {
    char gid[33];
    char flow[33];
    int32_t slot, status;
    int64_t created_at, due_at;
    struct str journal;
};
static const struct store_column columns[] = {
    STORE_COL_TEXT(record, gid),
    STORE_COL_TEXT(record, flow),
    STORE_COL_I32(record, slot),
    STORE_COL_I32(record, status),
    STORE_COL_I64(record, created_at),
    STORE_COL_I64(record, due_at),
    STORE_COL_BLOB(record, journal, 65000),
};
static const struct store_index indexes[] = {{.name = "record_by_due", .columns = {"slot", "due_at"}}};
static const struct store_table table = {.name = "record",
                                         .row_size = sizeof(struct record),
                                         .columns = columns,
                                         .indexes = indexes,
                                         .n_columns = STORE_COUNT(columns),
                                         .n_key = 1,
                                         .n_indexes = 1,
                                         .since = 1};
static const struct store_table *const tables[] = {&table, NULL};

enum { JOURNAL = 300, WAITS_MAX = 1 << 21 };

struct bench {
    struct store *store;
    int wake;
    int64_t until_ns, rows, next;
    uint32_t waits_us[WAITS_MAX]; // of each write, for the percentiles
    unsigned in_flight;
};

struct slot {
    struct bench *bench;
    int64_t begun_ns, created_at;
    unsigned slot;
    char gid[ID_LEN + 1];
    bool inserted;
};

static void wake(void *ctx) {
    uint64_t one = 1;
    if (write(((struct bench *)ctx)->wake, &one, sizeof one) != sizeof one)
        abort();
}

static void done(void *ctx, const struct error *error);

static void submit(struct slot *slot) {
    struct bench *bench = slot->bench;
    static char journal[JOURNAL];
    if (!slot->inserted) {
        slot->slot = (unsigned)(bench->next++ % SLOT_COUNT);
        slot->created_at = clock_now_ms(clock_system());
        id_make(slot->created_at, slot->slot, id_random, NULL, slot->gid);
    }
    struct record row = {.slot = (int32_t)slot->slot,
                         .created_at = slot->created_at,
                         .due_at = slot->inserted ? INT64_MAX : slot->created_at + 30000};
    memcpy(row.gid, slot->gid, sizeof slot->gid);
    snprintf(row.flow, sizeof row.flow, "bench.two_steps");
    row.journal = str_n(journal, sizeof journal);
    struct store_write *write = store_write_new(bench->store);
    store_row(write, &table, slot->inserted ? STORE_PUT : STORE_INSERT, &row);
    slot->begun_ns = clock_monotonic_ns();
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
    bench->waits_us[bench->rows++ % WAITS_MAX] = (uint32_t)((now_ns - slot->begun_ns) / 1000);
    bench->in_flight--;
    slot->inserted = !slot->inserted;
    if (now_ns < bench->until_ns)
        submit(slot);
}

static int compare(const void *a, const void *b) {
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

static void run(struct bench *bench, const char *name, unsigned in_flight, int seconds) {
    struct slot *slots = calloc(in_flight, sizeof *slots);
    struct store_stats before, after;
    store_stats(bench->store, &before);
    int64_t begun_ns = clock_monotonic_ns();
    bench->until_ns = begun_ns + seconds * (int64_t)1000000000;
    bench->rows = 0;
    for (unsigned i = 0; slots && i < in_flight; i++) {
        slots[i] = (struct slot){.bench = bench};
        submit(&slots[i]);
    }
    while (bench->in_flight > 0) {
        struct pollfd fd = {.fd = bench->wake, .events = POLLIN};
        uint64_t count;
        if (poll(&fd, 1, -1) == 1 && read(bench->wake, &count, sizeof count) == sizeof count)
            store_poll(bench->store);
    }
    double took = (double)(clock_monotonic_ns() - begun_ns) / 1e9;
    store_stats(bench->store, &after);
    double commits = (double)(after.commits - before.commits);
    size_t n = bench->rows < WAITS_MAX ? (size_t)bench->rows : WAITS_MAX;
    qsort(bench->waits_us, n, sizeof bench->waits_us[0], compare);
    printf("%-8s %4u in flight: %7.0f rows/s %6.0f commits/s of %5.1f rows and %6.0f us; a write takes p50 %6u p99 %6u "
           "max %6u us\n",
           name, in_flight, (double)bench->rows / took, commits / took, (double)bench->rows / commits,
           (double)(after.commit_ns - before.commit_ns) / 1e3 / commits, bench->waits_us[n / 2],
           bench->waits_us[n * 99 / 100], bench->waits_us[n - 1]);
    free(slots);
}

static void measure(struct store_backend *backend, int seconds) {
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
    const char *name = backend->ops->name;
    struct error error = {0};
    if (!store_open(backend, &options, &bench->store, &error)) {
        fprintf(stderr, "%s\n", error.text);
        exit(1);
    }
    if (store_durability_warning(bench->store))
        printf("%s: %s\n", name, store_durability_warning(bench->store));
    static const unsigned in_flight[] = {1, 8, 64, 512};
    for (size_t i = 0; i < sizeof in_flight / sizeof in_flight[0]; i++)
        run(bench, name, in_flight[i], seconds);
    store_close(bench->store);
    close(bench->wake);
    free(bench);
}

int main(int argc, char **argv) {
    int64_t given = 5;
    if (argc > 1 && (!str_to_i64(str_c(argv[1]), &given) || given < 1 || given > 3600)) {
        fprintf(stderr, "usage: %s [SECONDS [FOLDER]]\n", argv[0]);
        return 2;
    }
    int seconds = (int)given;
    char path[512];
    snprintf(path, sizeof path, "%s/bench-XXXXXX", argc > 2 ? argv[2] : ".");
    if (!mkdtemp(path)) {
        perror(path);
        return 1;
    }
    char file[600];
    snprintf(file, sizeof file, "%s/store.db", path);
    measure(store_sqlite(file), seconds);
    unlink(file);
    snprintf(file, sizeof file, "%s/store.db.lock", path);
    unlink(file);
    rmdir(path);

    struct mariadb_server *server = mariadb_start(&(struct mariadb_options){.durable = true});
    mariadb_make_database(server, "bench");
    measure(store_mariadb(&(struct store_mariadb_options){
                .user = "root", .database = "bench", .unix_socket = mariadb_socket(server)}),
            seconds);
    mariadb_stop(server);
    return 0;
}
