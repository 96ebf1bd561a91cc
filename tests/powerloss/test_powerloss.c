// A store on SQLite loses power, again and again: whatever it said was durable is there afterwards, whole. And the test
// can fail: with one kind of sync left out, it does.
#include "tests/cmocka.h"
#include "tests/powerloss/numbered.h"
#include "tests/scratch.h"

#include <errno.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROUNDS = 12 };

struct victim {
    char folder[SCRATCH_PATH_MAX];
    char database[96];
    int64_t next;  // number to begin with
    int64_t acked; // the highest number that was said to be durable; all below are, too
    char found[240];
};

static int set_up(void **state) {
    struct victim *victim = calloc(1, sizeof *victim);
    assert_non_null(victim);
    assert_true(scratch_make("powerloss", victim->folder));
    snprintf(victim->database, sizeof victim->database, "%s/store.db", victim->folder);
    victim->acked = -1;
    *state = victim;
    return 0;
}

static int tear_down(void **state) {
    struct victim *victim = *state;
    scratch_remove(victim->folder);
    free(victim);
    return 0;
}

static pid_t start(const struct victim *victim, const char *skip, const char *leak, int *ret_acks) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        char first[24];
        snprintf(first, sizeof first, "%lld", (long long)victim->next);
        setenv("LD_PRELOAD", POWERLOSS_LIBRARY, 1);
        setenv("ASAN_OPTIONS", "verify_asan_link_order=0", 1);
        if (skip)
            setenv("POWERLOSS_SKIP", skip, 1);
        if (leak)
            setenv("POWERLOSS_LEAK", leak, 1);
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        execl(POWERLOSS_WRITER, "powerloss_writer", victim->database, first, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    *ret_acks = ends[0];
    return child;
}

// Numbers are acknowledged in order.
static bool read_ack(struct victim *victim, int fd) {
    int64_t number;
    if (read(fd, &number, sizeof number) != sizeof number)
        return false;
    assert_true(number >= victim->next);
    victim->acked = number;
    return true;
}

// Writes until `acks` numbers were acknowledged, then pulls the plug.
static void run_and_kill(struct victim *victim, int acks, const char *skip, const char *leak) {
    int fd;
    pid_t child = start(victim, skip, leak, &fd);
    for (int i = 0; i < acks; i++)
        if (!read_ack(victim, fd))
            fail_msg("the writer ended by itself after %d of %d", i, acks);
    kill(child, SIGKILL);
    while (read_ack(victim, fd))
        ;
    close(fd);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static bool found(struct victim *victim, const char *what, int64_t number) {
    snprintf(victim->found, sizeof victim->found, "%s (%lld, acknowledged up to %lld)", what, (long long)number,
             (long long)victim->acked);
    return false;
}

static bool rows_are_whole(struct victim *victim, sqlite3_stmt *rows) {
    int64_t expected = 0;
    int step;
    while ((step = sqlite3_step(rows)) == SQLITE_ROW) {
        int64_t id = sqlite3_column_int64(rows, 0);
        char bytes[NUMBERED_BYTES];
        struct numbered row = numbered_row(id, bytes);
        if (id != expected && expected <= victim->acked)
            return found(victim, "a row is missing", expected);
        if (sqlite3_column_int64(rows, 1) != row.value ||
            !str_eq(row.body, str_n(sqlite3_column_blob(rows, 2), (size_t)sqlite3_column_bytes(rows, 2))))
            return found(victim, "a row is damaged", id);
        expected = id + 1;
    }
    if (step != SQLITE_DONE)
        return found(victim, "the rows can't be read", step);
    return expected > victim->acked || found(victim, "a row is missing", expected);
}

// One statement's first value; -1 when there is none.
static int64_t ask(sqlite3 *db, const char *sql, char *out, size_t size) {
    sqlite3_stmt *statement = NULL;
    int64_t value = -1;
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW) {
        value = sqlite3_column_int64(statement, 0);
        if (out)
            snprintf(out, size, "%s", (const char *)sqlite3_column_text(statement, 0));
    }
    sqlite3_finalize(statement);
    return value;
}

static bool look(struct victim *victim, sqlite3 *db) {
    char integrity[64] = {0};
    ask(db, "PRAGMA integrity_check", integrity, sizeof integrity);
    if (strcmp(integrity, "ok") != 0)
        return found(victim, "the database is damaged", 0);
    sqlite3_stmt *rows = NULL;
    if (sqlite3_prepare_v2(db, "SELECT id, value, body FROM numbered WHERE id >= 0 ORDER BY id", -1, &rows, NULL) !=
        SQLITE_OK)
        return found(victim, "the table is missing", 0);
    bool whole = rows_are_whole(victim, rows);
    sqlite3_finalize(rows);
    // The row beside: what the last write left, with its row.
    int64_t last = ask(db, "SELECT value FROM numbered WHERE id = -1", NULL, 0);
    int64_t highest = ask(db, "SELECT max(id) FROM numbered", NULL, 0);
    if (whole && last != highest)
        return found(victim, "a write went in by half", last);
    // What went in without being acknowledged is there as well; the next round goes on after it.
    victim->next = highest + 1;
    return whole;
}

// What is really on the disk.
static bool holds(struct victim *victim) {
    sqlite3 *db;
    assert_int_equal(sqlite3_open_v2(victim->database, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    bool whole = look(victim, db);
    // The next round must begin with the log as the loss left it.
    sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_close(db);
    return whole;
}

static void lose_power(struct victim *victim, const char *leak) {
    unsigned seed = 1; // a failure comes again
    for (int round = 0; round < ROUNDS; round++) {
        // Some rounds end before the log is copied back for the first time, some after several times.
        int acks = round % 3 == 0 ? rand_r(&seed) % 20 + 1 : rand_r(&seed) % 1500;
        run_and_kill(victim, acks, NULL, leak);
        if (!holds(victim))
            fail_msg("round %d: %s", round, victim->found);
    }
}

static void test_everything_acknowledged_survives_a_power_loss(void **state) {
    lose_power(*state, NULL);
}

static void test_a_disk_that_writes_in_any_order_changes_nothing(void **state) {
    lose_power(*state, "30");
}

static void assert_loses(struct victim *victim, const char *skip) {
    for (int round = 0; round < ROUNDS; round++) {
        run_and_kill(victim, 1500, skip, NULL);
        if (!holds(victim)) {
            print_message("found: %s\n", victim->found);
            return;
        }
    }
    fail_msg("nothing was lost without the syncs of %s", skip);
}

static void test_without_syncs_of_the_log_something_is_lost(void **state) {
    assert_loses(*state, "wal");
}

static void test_without_syncs_of_the_database_something_is_lost(void **state) {
    assert_loses(*state, "db");
}

static void test_without_syncs_of_the_folder_something_is_lost(void **state) {
    assert_loses(*state, "folder");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_everything_acknowledged_survives_a_power_loss, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_disk_that_writes_in_any_order_changes_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_without_syncs_of_the_log_something_is_lost, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_without_syncs_of_the_database_something_is_lost, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_without_syncs_of_the_folder_something_is_lost, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("power loss", tests, NULL, NULL);
}
