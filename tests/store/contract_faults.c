// Databases that fail: down, full, silent during COMMIT, taken over.
#include "tests/cmocka.h"
#include "tests/store/contract.h"
#include "tests/store/items.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BATCH = 12 };

// A batch of inserts; write `culprit` (-1: none) has a key that is taken.
static void submit_batch(struct bed *bed, struct fate *fates, int culprit) {
    if (culprit >= 0) {
        char id[16];
        snprintf(id, sizeof id, "i%04d", culprit);
        struct item taken = item(id, "before", -1, 0);
        bed_put(bed, &item_table, &taken);
    }
    bed_shut_gate(bed);
    for (int i = 0; i < BATCH; i++) {
        char id[16];
        snprintf(id, sizeof id, "i%04d", i);
        struct item row = item(id, "batch", i, 0);
        bed_write(bed, &item_table, STORE_INSERT, &row, NULL, &fates[i]);
    }
}

static void assert_all(const struct fate *fates, enum err code) {
    for (int i = 0; i < BATCH; i++)
        assert_int_equal(fates[i].code, code);
}

static size_t count_items(struct bed *bed) {
    return bed_read(bed, &(struct store_query){.table = &item_table, .count = true}).n;
}

// Opens the gate with a fault due at the batch's nth commit, and waits. With threads a write waits at the gate, whose
// commit comes before and is counted as well.
static void open_gate_before(struct bed *bed, _Atomic int64_t *counter, int64_t nth) {
    *counter = nth + (bed->variant->threaded ? 1 : 0);
    bed_open_gate(bed);
    bed_drain(bed);
}

static struct store_stats stats(struct bed *bed) {
    struct store_stats now;
    store_stats(bed->store, &now);
    return now;
}

static void test_refused_once(struct bed *bed) {
    struct fate fates[BATCH] = {0};
    submit_batch(bed, fates, -1);
    bed->faults.fail_result = BACKEND_REFUSED;
    int64_t before = stats(bed).commits;
    open_gate_before(bed, &bed->faults.fail_commit_at, 1);
    assert_all(fates, ERR_OK);
    assert_int_equal(stats(bed).commits - before, bed->variant->threaded ? 2 : 1);
}

static void test_refused_always(struct bed *bed) {
    struct fate fates[BATCH] = {0};
    submit_batch(bed, fates, -1);
    bed->faults.fail_result = BACKEND_REFUSED;
    bed->faults.fail_for = 1000;
    open_gate_before(bed, &bed->faults.fail_commit_at, 1);
    assert_all(fates, ERR_STORE_REFUSED);
    bed->faults.fail_commit_at = 0;
    assert_int_equal(count_items(bed), 0);
    struct item row = item("after", "x", 0, 0);
    bed_put(bed, &item_table, &row);
}

// Whether the batch landed is found out by its number, and nothing is written twice: the rows are inserts.
static void unknown(struct bed *bed, _Atomic int64_t *counter, int64_t claims_that_fail) {
    struct store_identity before, after;
    store_identity(bed->store, &before);
    struct fate fates[BATCH] = {0};
    submit_batch(bed, fates, -1);
    bed->faults.fail_claims = claims_that_fail;
    open_gate_before(bed, counter, 1);
    assert_all(fates, ERR_OK);
    assert_int_equal(count_items(bed), BATCH);
    store_identity(bed->store, &after);
    assert_int_equal(after.incarnation, before.incarnation + 1);
    struct item row = item("after", "x", 0, 0);
    bed_put(bed, &item_table, &row);
    bed_reopen(bed);
    assert_int_equal(count_items(bed), BATCH + 1);
}

static void test_unknown_landed(struct bed *bed) {
    unknown(bed, &bed->faults.unknown_commit_at, 0);
}

static void test_unknown_lost(struct bed *bed) {
    unknown(bed, &bed->faults.lost_commit_at, 0);
}

static void test_unknown_while_down(struct bed *bed) {
    unknown(bed, &bed->faults.unknown_commit_at, 5);
}

static void test_unknown_while_halving(struct bed *bed) {
    for (int64_t nth = 1; nth <= 8; nth++) {
        struct fate fates[BATCH] = {0};
        submit_batch(bed, fates, 5);
        if (nth % 2)
            open_gate_before(bed, &bed->faults.unknown_commit_at, nth);
        else
            open_gate_before(bed, &bed->faults.lost_commit_at, nth);
        for (int i = 0; i < BATCH; i++)
            assert_int_equal(fates[i].code, i == 5 ? ERR_STORE_CONFLICT : ERR_OK);
        assert_int_equal(count_items(bed), BATCH);
        bed->faults.unknown_commit_at = 0;
        bed->faults.lost_commit_at = 0;
        for (int i = 0; i < BATCH; i++) {
            struct fate fate = {0};
            struct item row = item("", "", 0, 0);
            snprintf(row.id, sizeof row.id, "i%04d", i);
            bed_write(bed, &item_table, STORE_DELETE, &row, NULL, &fate);
            bed_drain(bed);
        }
    }
}

static void test_full(struct bed *bed) {
    struct fate fates[BATCH] = {0};
    submit_batch(bed, fates, -1);
    bed->faults.fail_result = BACKEND_FULL;
    open_gate_before(bed, &bed->faults.fail_commit_at, 1);
    assert_all(fates, ERR_STORE_FULL);
    assert_int_equal(count_items(bed), 0);
    struct item row = item("after", "x", 0, 0);
    bed_put(bed, &item_table, &row);
    assert_int_equal(count_items(bed), 1);
}

static void test_down_and_back(struct bed *bed) {
    struct fate fates[BATCH] = {0};
    submit_batch(bed, fates, -1);
    bed->faults.fail_for = 8;
    open_gate_before(bed, &bed->faults.fail_commit_at, 1);
    assert_all(fates, ERR_OK);
    assert_int_equal(count_items(bed), BATCH);
    assert_int_equal(stats(bed).retries, 8);
    assert_false(stats(bed).down);
    assert_true(store_room(bed->store) > 0);
}

static void test_no_room_while_down(struct bed *bed) {
    bed->faults.fail_for = 1000000;
    bed->faults.fail_commit_at = 1;
    struct item row = item("a", "x", 0, 0);
    struct fate fate = {0};
    bed_write(bed, &item_table, STORE_PUT, &row, NULL, &fate);
    while (store_room(bed->store) > 0) {
        if (!bed->variant->threaded)
            bed_step(bed);
    }
    assert_true(stats(bed).down);
    assert_false(fate.called);
    bed->faults.fail_commit_at = 0;
    bed_drain(bed);
    assert_int_equal(fate.code, ERR_OK);
    assert_true(store_room(bed->store) > 0);
}

// Without threads the back-off is the clock's: nothing is tried before it has passed.
static void test_back_off_waits_for_the_clock(struct bed *bed) {
    bed->faults.fail_for = 1000000;
    bed->faults.fail_commit_at = 1;
    struct item row = item("a", "x", 0, 0);
    struct fate fate = {0};
    bed_write(bed, &item_table, STORE_PUT, &row, NULL, &fate);
    assert_true(store_pump(bed->store)); // fails twice: the first time is tried again at once
    assert_int_equal(bed->faults.commits, 2);
    assert_true(store_pump(bed->store));
    assert_int_equal(bed->faults.commits, 2);
    bed->now_ms += 5;
    assert_true(store_pump(bed->store));
    assert_int_equal(bed->faults.commits, 3);
    bed->now_ms += 9;
    assert_true(store_pump(bed->store));
    assert_int_equal(bed->faults.commits, 3);
    bed->now_ms += 1;
    bed->faults.fail_commit_at = 0;
    assert_false(store_pump(bed->store));
    store_poll(bed->store);
    assert_true(fate.called);
    assert_int_equal(fate.code, ERR_OK);
}

// A server that loses each COMMIT is not asked for another one without a pause, and new work is refused meanwhile.
static void test_unknown_again_and_again(struct bed *bed) {
    bed->faults.fail_result = BACKEND_COMMIT_UNKNOWN;
    bed->faults.fail_for = 1000000;
    bed->faults.fail_commit_at = 1;
    struct item row = item("a", "x", 0, 0);
    struct fate fate = {0};
    bed_write(bed, &item_table, STORE_INSERT, &row, NULL, &fate);
    for (int64_t commits = 2; commits < 6; commits++) {
        assert_true(store_pump(bed->store));
        assert_true(store_pump(bed->store));
        assert_int_equal(bed->faults.commits, commits);
        assert_int_equal(store_room(bed->store), 0);
        bed->now_ms += 20; // the longest pause
    }
    bed->faults.fail_commit_at = 0;
    bed_drain(bed);
    assert_int_equal(fate.code, ERR_OK);
    assert_int_equal(count_items(bed), 1);
    assert_true(store_room(bed->store) > 0);
}

static void test_reads_while_down(struct bed *bed) {
    struct item row = item("a", "x", 0, 0);
    bed_put(bed, &item_table, &row);
    bed->faults.fail_reads = 5;
    assert_int_equal(count_items(bed), 1);
    assert_int_equal(bed->faults.fail_reads, 0);
}

// A read that fails where the database is there is not tried for ever: all others wait for it.
static void test_a_sick_read_fails_alone(struct bed *bed) {
    struct item row = item("a", "x", 0, 0);
    bed_put(bed, &item_table, &row);
    bed->faults.sick_reads = 2;
    assert_int_equal(count_items(bed), 1);
    for (int list = 0; list <= 1; list++) {
        bed->faults.sick_reads = 3;
        struct answer answer = bed_read(bed, &(struct store_query){.table = &item_table, .count = true, .list = list});
        assert_int_equal(answer.code, ERR_STORE_UNAVAILABLE);
        assert_int_equal(bed->faults.sick_reads, 0);
        assert_false(stats(bed).down);
        assert_int_equal(count_items(bed), 1);
    }
}

// Whatever a list waits for, everything else goes on, and new work is taken.
static void test_nothing_waits_for_a_list(struct bed *bed) {
    struct item row = item("a", "x", 0, 0);
    struct reading list, lookup;
    bed_put(bed, &item_table, &row);
    bed->faults.fail_lists = 1000000;
    bed_ask(bed, &(struct store_query){.table = &item_table, .limit = 10, .list = true}, &list);
    bed_ask(bed, &(struct store_query){.table = &item_table, .limit = 1}, &lookup);
    bed_await(bed, &lookup);
    assert_int_equal(lookup.answer.n, 1);
    while (bed->faults.fail_lists > 1000000 - 3) // it is tried, and waits
        if (!bed->variant->threaded)
            bed_step(bed);
    assert_false(list.answered);
    assert_true(store_room(bed->store) > 0);
    assert_false(stats(bed).down);
    bed->faults.fail_lists = 0;
    bed_drain(bed);
    assert_int_equal(list.answer.n, 1);
}

static void close_while_down(struct bed *bed, _Atomic int64_t *counter, enum err expected) {
    struct fate fates[BATCH] = {0};
    submit_batch(bed, fates, -1);
    bed->faults.fail_for = 1000000;
    bed->faults.fail_claims = 1000000;
    *counter = bed->variant->threaded ? 2 : 1;
    bed_open_gate(bed);
    bed_close(bed);
    assert_all(fates, expected);
    bed->faults.fail_claims = 0;
    bed->faults.fail_commit_at = 0;
    bed_open(bed, item_tables);
}

static void test_close_while_down(struct bed *bed) {
    close_while_down(bed, &bed->faults.fail_commit_at, ERR_STORE_UNAVAILABLE);
    assert_int_equal(count_items(bed), 0);
}

static void test_close_while_unknown(struct bed *bed) {
    close_while_down(bed, &bed->faults.unknown_commit_at, ERR_INTERNAL);
    assert_int_equal(count_items(bed), BATCH);
}

static void test_fenced(struct bed *bed) {
    struct item row = item("a", "x", 1, 0), late = item("a", "x", 2, 0);
    bed_put(bed, &item_table, &row);
    bed->variant->kind->usurp(bed);
    struct fate fates[3] = {0};
    for (int i = 0; i < 3; i++) {
        bed_write(bed, &item_table, STORE_PUT, &late, NULL, &fates[i]);
        bed_drain(bed);
        assert_int_equal(fates[i].code, ERR_STORE_FENCED);
    }
    assert_int_equal(store_room(bed->store), 0);
    struct answer answer = bed_read(bed, &(struct store_query){.table = &item_table, .limit = 2});
    assert_int_equal(((const struct item *)answer.rows)->amount, 1);
    bed_reopen(bed); // a new incarnation may write again
    bed_put(bed, &item_table, &late);
}

// Taken over while it did not know whether its batch landed: it must not take itself back, nor say that nothing was
// done.
static void taken_over_while_unknown(struct bed *bed, _Atomic int64_t *fault_at, size_t landed) {
    struct fate fate = {0}, next = {0};
    struct item row = item("a", "x", 1, 0);
    bed->faults.fail_claims = 1000000;
    *fault_at = 1;
    bed_write(bed, &item_table, STORE_PUT, &row, NULL, &fate);
    while (stats(bed).retries == 0)
        if (!bed->variant->threaded)
            bed_step(bed);
    bed->variant->kind->usurp(bed);
    bed->faults.fail_claims = 0;
    bed_drain(bed);
    assert_int_equal(fate.code, ERR_ACCEPTANCE_UNKNOWN);
    assert_int_equal(count_items(bed), landed);
    assert_true(store_is_fenced(bed->store));
    bed_write(bed, &item_table, STORE_PUT, &row, NULL, &next);
    bed_drain(bed);
    assert_int_equal(next.code, ERR_STORE_FENCED); // of what came later nothing is in doubt
}

static void test_fenced_while_unknown_and_lost(struct bed *bed) {
    taken_over_while_unknown(bed, &bed->faults.lost_commit_at, 0);
}

static void test_fenced_while_unknown_and_done(struct bed *bed) {
    taken_over_while_unknown(bed, &bed->faults.unknown_commit_at, 1);
}

// A failed fsync leaves nothing to rely on.
static void test_fatal_ends_the_process(struct bed *bed) {
    bed->faults.fail_result = BACKEND_FATAL;
    bed->faults.fail_commit_at = 1;
    struct item row = item("a", "x", 1, 0);
    struct fate fate = {0};
    bed_write(bed, &item_table, STORE_PUT, &row, NULL, &fate);
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        dup2(ends[1], STDERR_FILENO);
        store_pump(bed->store);
        _exit(0);
    }
    close(ends[1]);
    char said[512] = {0};
    assert_true(read(ends[0], said, sizeof said - 1) > 0);
    close(ends[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_non_null(strstr(said, "an injected fault"));
    bed->faults.fail_commit_at = 0;
    bed_drain(bed);
    assert_int_equal(fate.code, ERR_OK);
}

const struct contract_case contract_faults[] = {
    {.name = "[E13] a batch that is refused once is tried again", .run = test_refused_once, .needs_faults = true},
    {.name = "writes that are refused always fail, one by one", .run = test_refused_always, .needs_faults = true},
    {.name = "an unknown commit that took place is not repeated", .run = test_unknown_landed, .needs_faults = true},
    {.name = "an unknown commit that did not take place is repeated", .run = test_unknown_lost, .needs_faults = true},
    {.name = "an unknown commit is found out once the database is back",
     .run = test_unknown_while_down,
     .needs_faults = true},
    {.name = "an unknown commit while halving is found out", .run = test_unknown_while_halving, .needs_faults = true},
    {.name = "a full disk fails a batch, and the store goes on", .run = test_full, .needs_faults = true},
    {.name = "a database that is down fails nothing", .run = test_down_and_back, .needs_faults = true},
    {.name = "there is no room while the database is down", .run = test_no_room_while_down, .needs_faults = true},
    {.name = "the back-off waits for the clock",
     .run = test_back_off_waits_for_the_clock,
     .needs_faults = true,
     .alone = true},
    {.name = "a commit that is unknown again and again is waited for",
     .run = test_unknown_again_and_again,
     .needs_faults = true,
     .alone = true},
    {.name = "reads wait for a database that is down", .run = test_reads_while_down, .needs_faults = true},
    {.name = "a read that fails again and again fails alone",
     .run = test_a_sick_read_fails_alone,
     .needs_faults = true},
    {.name = "nothing waits for a list but lists", .run = test_nothing_waits_for_a_list, .needs_faults = true},
    {.name = "closing while the database is down fails what is queued",
     .run = test_close_while_down,
     .needs_faults = true},
    {.name = "closing while a commit is unknown says so", .run = test_close_while_unknown, .needs_faults = true},
    {.name = "[E7] after a take-over every write fails and has no effect", .run = test_fenced},
    {.name = "[E7] a store that was taken over does not take itself back",
     .run = test_fenced_while_unknown_and_lost,
     .needs_faults = true},
    {.name = "what may have been committed before a take-over is not said to be undone",
     .run = test_fenced_while_unknown_and_done,
     .needs_faults = true},
    {.name = "a failed fsync ends the process",
     .run = test_fatal_ends_the_process,
     .needs_faults = true,
     .alone = true},
    {0},
};
