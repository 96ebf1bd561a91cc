// What is SQLite's own: its file, its lock, its disk, its log.
#include "tests/cmocka.h"
#include "tests/store/bed.h"
#include "tests/store/items.h"
#include "tests/store/kinds.h"
#include "tests/store/sick_disk.h"

#include <errno.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct state {
    struct bed bed;
    struct sick_disk *disk;
};

static const struct bed_variant variant = {.kind = &kind_sqlite};

static int set_up(void **state) {
    struct state *s = calloc(1, sizeof *s);
    assert_non_null(s);
    s->disk = sick_disk_install();
    s->disk->space = -1;
    s->disk->sync_fails_at = 0;
    s->disk->copy_fails = s->disk->copy_waits = 0;
    bed_create(&s->bed, &variant);
    bed_open(&s->bed, item_tables);
    *state = s;
    return 0;
}

static int tear_down(void **state) {
    struct state *s = *state;
    s->disk->space = -1;
    s->disk->sync_fails_at = 0;
    bed_destroy(&s->bed);
    free(s);
    return 0;
}

static enum err put(struct bed *bed, int i) {
    static const char bytes[ITEM_BODY_MAX];
    struct item row = item("", "x", i, 0);
    snprintf(row.id, sizeof row.id, "%08d", i);
    row.body = str_n(bytes, sizeof bytes);
    struct fate fate = {0};
    bed_write(bed, &item_table, STORE_INSERT, &row, NULL, &fate);
    bed_drain(bed);
    return fate.code;
}

static size_t count(struct bed *bed) {
    return bed_read(bed, &(struct store_query){.table = &item_table, .count = true}).n;
}

static void test_full_disk(void **state) {
    struct state *s = *state;
    int n = 0;
    while (n < 20)
        assert_int_equal(put(&s->bed, n++), ERR_OK);
    s->disk->space = 30000;
    enum err code;
    while ((code = put(&s->bed, n)) == ERR_OK)
        assert_true(++n < 40);
    assert_int_equal(code, ERR_STORE_FULL);
    assert_int_equal(put(&s->bed, n), ERR_STORE_FULL);
    assert_int_equal(count(&s->bed), n); // reading goes on
    s->disk->space = -1;
    for (int i = 0; i < 20; i++)
        assert_int_equal(put(&s->bed, n++), ERR_OK);
    bed_reopen(&s->bed);
    assert_int_equal(count(&s->bed), n);
}

static int64_t log_size(const struct bed *bed) {
    char path[160];
    struct stat st;
    snprintf(path, sizeof path, "%s-wal", bed->place);
    return stat(path, &st) == 0 ? st.st_size : 0;
}

enum { MANY = 64, LOG_MAX = 200 << 20 };

// So many rows, some 70 pages, in one commit.
static enum err put_many(struct bed *bed, int i) {
    static const char bytes[ITEM_BODY_MAX];
    struct store_write *write = store_write_new(bed->store);
    for (int k = 0; k < MANY; k++) {
        struct item row = item("", "x", i, 0);
        snprintf(row.id, sizeof row.id, "%08d", i * MANY + k);
        row.body = str_n(bytes, sizeof bytes);
        store_row(write, &item_table, STORE_INSERT, &row);
    }
    struct fate fate = {0};
    bed_submit(bed, write, NULL, &fate);
    bed_drain(bed);
    return fate.code;
}

// The log is copied back beside the commits and begins anew now and then, also when the disk was full for a while.
static void test_log_is_bounded(void **state) {
    struct state *s = *state;
    int n = 0;
    s->disk->copy_waits = 1; // so that there is always a commit beside it
    while (n < 800)
        assert_int_equal(put_many(&s->bed, n++), ERR_OK);
    assert_true(log_size(&s->bed) < LOG_MAX);
    s->disk->space = 3 << 20;
    while (put_many(&s->bed, n) == ERR_OK)
        assert_true(++n < 1600);
    s->disk->space = -1;
    for (int i = 0; i < 800; i++)
        assert_int_equal(put_many(&s->bed, n++), ERR_OK);
    assert_true(log_size(&s->bed) < LOG_MAX);
    assert_int_equal(count(&s->bed), n * MANY);
}

// More is added each time that the log is copied than copying it leaves: one day commits wait until all of it is.
static void test_log_is_bounded_however_slowly_it_is_copied(void **state) {
    struct state *s = *state;
    s->disk->copy_waits = 60;
    for (int n = 0; n < 900; n++)
        assert_int_equal(put_many(&s->bed, n), ERR_OK);
    assert_true(log_size(&s->bed) < LOG_MAX);
}

// A read that takes longer than one may is ended and fails alone: others are answered.
static void test_a_read_has_an_end(void **state) {
    struct state *s = *state;
    enum { ROWS = 3000 };
    struct store_write *write = store_write_new(s->bed.store);
    for (int i = 0; i < ROWS; i++) {
        struct item row = item("", "x", i, 0);
        snprintf(row.id, sizeof row.id, "%d", i);
        store_row(write, &item_table, STORE_INSERT, &row);
    }
    struct fate fate = {0};
    bed_submit(&s->bed, write, NULL, &fate);
    bed_drain(&s->bed);
    bed_close(&s->bed);
    struct store_backend *backend = store_sqlite(s->bed.place);
    store_sqlite_read_max(backend, 0);
    struct error error;
    assert_true(store_open(backend, &s->bed.options, &s->bed.store, &error));
    struct store_query nothing = {
        .table = &item_table, .conds = {{.column = "note", .cmp = STORE_EQ, .text = STR("none has it")}}, .limit = 1};
    for (int list = 0; list <= 1; list++) {
        nothing.list = list;
        struct answer answer = bed_read(&s->bed, &nothing);
        assert_int_equal(answer.code, ERR_STORE_UNAVAILABLE);
        assert_non_null(strstr(answer.text, "interrupted"));
        assert_int_equal(bed_read(&s->bed, &(struct store_query){.table = &item_table, .limit = 1}).n, 1);
    }
    struct store_stats stats;
    store_stats(s->bed.store, &stats);
    assert_int_equal(stats.retries, 0);
}

enum { LARGE_BYTES = 12 << 20, LARGE_ROWS = LARGE_BYTES / ITEM_BODY_MAX };

static struct store_write *large_write(struct bed *bed, int i) {
    static const char bytes[ITEM_BODY_MAX];
    struct store_write *write = store_write_new(bed->store);
    for (int k = 0; k < LARGE_ROWS; k++) {
        struct item row = item("", "x", i, 0);
        snprintf(row.id, sizeof row.id, "%d-%d", i, k);
        row.body = str_n(bytes, sizeof bytes);
        store_row(write, &item_table, STORE_INSERT, &row);
    }
    return write;
}

// However many writes a batch may have, it has a size: what comes behind it goes into the next.
static void test_a_batch_has_a_size(void **state) {
    struct state *s = *state;
    struct fate fates[5] = {0};
    for (int i = 0; i < 5; i++)
        bed_submit(&s->bed, large_write(&s->bed, i), NULL, &fates[i]);
    bed_drain(&s->bed);
    struct store_stats stats;
    store_stats(s->bed.store, &stats);
    assert_int_equal(stats.writes, 5);
    assert_int_equal(stats.commits, 2); // three of them are more than 32 MB
    assert_int_equal(count(&s->bed), 5 * LARGE_ROWS);
}

static void test_every_commit_is_synced(void **state) {
    struct state *s = *state;
    for (int n = 0; n < 20; n++) {
        int64_t before = s->disk->syncs;
        assert_int_equal(put(&s->bed, n), ERR_OK);
        assert_true(s->disk->syncs > before);
    }
}

// Writes into an empty database on this disk, in a child, until it ends; returns how. At most `most` writes.
static int ends_how(struct state *s, const struct sick_disk *disk, int most) {
    bed_close(&s->bed);
    kind_sqlite.destroy(&s->bed);
    kind_sqlite.create(&s->bed);
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        if (!freopen("/dev/null", "w", stderr))
            _exit(2);
        bed_open(&s->bed, item_tables);
        s->disk->sync_fails_at = disk->sync_fails_at;
        s->disk->copy_fails = disk->copy_fails;
        s->disk->copy_waits = disk->copy_waits;
        for (int n = 0; n < most; n++) {
            put_many(&s->bed, n);
            store_pump(s->bed.store);
        }
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    bed_open(&s->bed, item_tables);
    return status;
}

static void test_failed_sync_ends_the_process(void **state) {
    struct state *s = *state;
    int status = ends_how(s, &(struct sick_disk){.sync_fails_at = 1}, 1);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

// The sync of the database file after copying the log back, beside which every commit's succeeds: SQLite itself would
// pass over its failure. What was committed is in the log. Once it is the one beside commits, once the writer's own.
static void test_failed_checkpoint_ends_the_process(void **state) {
    struct state *s = *state;
    static const enum sick_copies fails[] = {SICK_BESIDE, SICK_OTHERS};
    for (int i = 0; i < 2; i++) {
        struct sick_disk disk = {.copy_fails = (int)fails[i], .copy_waits = fails[i] == SICK_OTHERS};
        int status = ends_how(s, &disk, 1200);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
        size_t n = count(&s->bed);
        assert_true(n >= MANY && n % MANY == 0);
    }
}

// Nor is the log deleted after it, when the store is closed before anybody heard of the failure.
static void test_failed_checkpoint_keeps_the_log(void **state) {
    struct state *s = *state;
    s->disk->copy_fails = SICK_BESIDE;
    struct fate fate = {0};
    bed_submit(&s->bed, large_write(&s->bed, 0), NULL, &fate);
    bed_drain(&s->bed);
    assert_int_equal(fate.code, ERR_OK);
    bed_close(&s->bed);
    assert_true(log_size(&s->bed) > LARGE_BYTES);
    bed_open(&s->bed, item_tables);
    assert_int_equal(count(&s->bed), LARGE_ROWS);
    s->disk->copy_fails = 0;
    bed_close(&s->bed);
    assert_int_equal(log_size(&s->bed), 0);
    bed_open(&s->bed, item_tables);
}

static void test_second_store_is_refused(void **state) {
    struct state *s = *state;
    struct error error = {0};
    struct store *other;
    struct store_options options = s->bed.options;
    assert_false(store_open(store_sqlite(s->bed.place), &options, &other, &error));
    assert_non_null(strstr(error.text, "is in use by another process"));
    char pid[16];
    snprintf(pid, sizeof pid, "(%d)", (int)getpid());
    assert_non_null(strstr(error.text, pid));
    assert_int_equal(put(&s->bed, 1), ERR_OK); // the first is not disturbed
}

// A file serves one process: nobody could take over, and no lease ends.
static void test_there_are_no_leases(void **state) {
    struct state *s = *state;
    bed_close(&s->bed);
    s->bed.options.lease_ms = 100;
    bed_open(&s->bed, item_tables);
    assert_int_equal(store_lease_ms(s->bed.store), 0);
    assert_true(store_lease_left_ms(s->bed.store) == INT64_MAX);
}

static void test_an_address_has_its_length(void **state) {
    struct state *s = *state;
    struct error error = {0};
    struct store *other;
    struct store_options options = s->bed.options;
    char address[STORE_ADDRESS_MAX + 2];
    memset(address, 'a', sizeof address - 1);
    address[sizeof address - 1] = '\0';
    options.address = address;
    assert_false(store_open(store_sqlite(s->bed.place), &options, &other, &error));
    assert_int_equal(error.code, ERR_CONFIG_INVALID);
    assert_non_null(strstr(error.text, "address"));
}

static void test_second_process_is_refused(void **state) {
    struct state *s = *state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct error error = {0};
        struct store *other;
        bool opened = store_open(store_sqlite(s->bed.place), &s->bed.options, &other, &error);
        if (write(ends[1], error.text, strlen(error.text)) < 0)
            _exit(2);
        _exit(opened ? 1 : 0);
    }
    close(ends[1]);
    char said[ERR_TEXT_MAX] = {0};
    assert_true(read(ends[0], said, sizeof said - 1) > 0);
    close(ends[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_non_null(strstr(said, "is in use by another process"));
}

// The lock is the process's, not the file's: what a crash leaves does not lock anybody out.
static void test_lock_ends_with_the_process(void **state) {
    struct state *s = *state;
    bed_close(&s->bed);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct error error = {0};
        struct store *store;
        bool opened = store_open(store_sqlite(s->bed.place), &s->bed.options, &store, &error);
        kill(getpid(), opened ? SIGKILL : SIGTERM);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    bed_open(&s->bed, item_tables);
    assert_int_equal(put(&s->bed, 1), ERR_OK);
}

static void assert_refused(const char *path, const char *text) {
    struct store_options options = {.tables = item_tables, .clock = clock_system(), .instance = "x", .address = "y"};
    struct error error = {0};
    struct store *store;
    assert_false(store_open(store_sqlite(path), &options, &store, &error));
    if (!strstr(error.text, text))
        fail_msg("\"%s\" is not in \"%s\"", text, error.text);
}

static void test_missing_folder(void **state) {
    struct state *s = *state;
    char path[200];
    snprintf(path, sizeof path, "%s/no/such/store.db", s->bed.place);
    assert_refused(path, "the folder of the database");
}

static void test_not_a_database(void **state) {
    struct state *s = *state;
    bed_close(&s->bed);
    FILE *file = fopen(s->bed.place, "w");
    assert_non_null(file);
    for (int i = 0; i < 2000; i++)
        fputs("this is not a database, ", file);
    fclose(file);
    assert_refused(s->bed.place, "damaged");
}

// What is in it is its owner's, and so is its log.
static void test_nobody_else_may_read_it(void **state) {
    struct state *s = *state;
    static const char *const beside[] = {"", "-wal", "-shm", ".lock"};
    assert_int_equal(put(&s->bed, 1), ERR_OK);
    for (size_t i = 0; i < sizeof beside / sizeof beside[0]; i++) {
        char path[4096];
        struct stat found;
        snprintf(path, sizeof path, "%s%s", s->bed.place, beside[i]);
        assert_int_equal(stat(path, &found), 0);
        assert_int_equal(found.st_mode & 0777, 0600);
    }
}

static void test_settings(void **state) {
    struct state *s = *state;
    assert_null(store_durability_warning(s->bed.store));
    sqlite3 *db;
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_open(s->bed.place, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA journal_mode", -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    assert_string_equal((const char *)sqlite3_column_text(statement, 0), "wal");
    sqlite3_finalize(statement);
    sqlite3_close(db);
}

static void test_rows_that_can_not_be_read_are_left_out(void **state) {
    struct state *s = *state;
    sqlite3 *db;
    items_put_four(&s->bed);
    bed_close(&s->bed);
    assert_int_equal(sqlite3_open(s->bed.place, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "UPDATE item SET owner = hex(zeroblob(100)) WHERE id = 'b'", NULL, NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "UPDATE item SET amount = 'none' WHERE id = 'c'", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    bed_open(&s->bed, item_tables);
    items_check_readable(&s->bed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_full_disk, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_log_is_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_log_is_bounded_however_slowly_it_is_copied, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_batch_has_a_size, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_read_has_an_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_every_commit_is_synced, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_failed_sync_ends_the_process, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_failed_checkpoint_ends_the_process, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_failed_checkpoint_keeps_the_log, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_second_store_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_there_are_no_leases, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_address_has_its_length, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_second_process_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lock_ends_with_the_process, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_missing_folder, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_not_a_database, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rows_that_can_not_be_read_are_left_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_settings, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nobody_else_may_read_it, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("store over sqlite", tests, NULL, NULL);
}
