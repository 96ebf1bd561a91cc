// The outbox's numbers, and what is refused because a bound is reached or the saga is being written.
#include "tests/cmocka.h"
#include "tests/saga/bed.h"

#include <stdio.h>
#include <stdlib.h>

static const char *gid_of(char gid[24], const char *prefix, unsigned i) {
    snprintf(gid, 24, "%s%u", prefix, i);
    return gid;
}

// The next gid from *number on that is in one of a few slots.
static const char *gid_of_few_slots(char gid[24], unsigned *number) {
    do
        gid_of(gid, "s", (*number)++);
    while (id_slot(str_c(gid)) % 64 != 0);
    return gid;
}

// ---- Numbers ------------------------------------------------------------------------------------------------------

// A reader with one cursor for each slot, that looks after every step.
struct cursor {
    int64_t seq[SLOT_COUNT];
    unsigned n_read;
};

// What there is behind the cursor is read. What is then found to be at or before it, and was not read, was skipped.
static void read_on(struct saga_bed *bed, struct cursor *cursor) {
    struct store_query query = {.table = &outbox_table, .limit = STORE_LIMIT_MAX};
    size_t n;
    const struct outbox_row *rows = bed_rows(bed, &query, &n);
    for (size_t i = 0; i < n; i++)
        if (rows[i].seq > cursor->seq[rows[i].slot]) {
            cursor->seq[rows[i].slot] = rows[i].seq;
            cursor->n_read++;
        }
    assert_int_equal(cursor->n_read, n);
}

static void run_and_read(struct saga_bed *bed, struct cursor *cursor, unsigned until_n) {
    while (cursor->n_read < until_n) {
        assert_true(bed_step(bed));
        read_on(bed, cursor);
    }
}

// [E16] a cursor never skips a commit: with many sagas in few slots, writes one by one, some of them failing
static void test_a_cursor_never_skips_a_late_commit(void **state) {
    struct saga_bed *bed = *state;
    struct cursor cursor = {0};
    struct bed_reply replies[60];
    char gid[24];
    unsigned number = 0;
    bed_close(bed);
    bed->batch_max = 3;
    bed_open(bed);
    model_plan(&bed->model, "debit", SAGA_ACTION, MODEL_SLOW, 20, 7);
    model_plan(&bed->model, "credit", SAGA_ACTION, MODEL_REFUSE, 10, 0);
    for (unsigned i = 0; i < 60; i++) {
        if (i == 20 || i == 40) {
            bed->faults.fail_result = i == 20 ? BACKEND_FULL : BACKEND_AGAIN;
            bed->faults.fail_for = 3;
            bed->faults.fail_commit_at = 4;
        }
        bed_begin(bed, &flow_pair, gid_of_few_slots(gid, &number), "", NULL, &replies[i]);
        bed_step(bed);
        read_on(bed, &cursor);
    }
    unsigned started = 0;
    for (unsigned i = 0; i < 60; i++) {
        while (!replies[i].came) {
            assert_true(bed_step(bed));
            read_on(bed, &cursor);
        }
        started += replies[i].code == ERR_OK;
    }
    assert_true(started >= 30);
    run_and_read(bed, &cursor, started); // each ends once
    bed_settle(bed);
    read_on(bed, &cursor);
    assert_int_equal(cursor.n_read, started);
}

// [E16] the next process goes on behind the last number of each slot, though its clock is behind
static void test_numbers_go_on_after_a_restart(void **state) {
    struct saga_bed *bed = *state;
    struct cursor cursor = {0};
    char gid[24];
    unsigned number = 0;
    for (unsigned life = 0; life < 4; life++) {
        for (unsigned i = 0; i < 20; i++)
            bed_start(bed, &flow_pair, gid_of_few_slots(gid, &number), "", NULL);
        run_and_read(bed, &cursor, 20 * (life + 1) - 5);
        bed_kill(bed);
        bed->time.now_ms -= 3600000;
        bed_open(bed);
        run_and_read(bed, &cursor, 20 * (life + 1));
    }
}

// [E16] numbered behind what a later process could otherwise give again: the commit was not heard of
static void test_a_number_is_given_once(void **state) {
    struct saga_bed *bed = *state;
    struct cursor cursor = {0};
    char gid[24];
    unsigned number = 0;
    for (unsigned i = 0; i < 12; i++) {
        bed->death = BED_BEFORE_COMMIT + i % 3;
        bed->death_at = bed->commits + 2;
        bed_start(bed, &flow_pair, gid_of_few_slots(gid, &number), "", NULL);
        bed_settle(bed);
        read_on(bed, &cursor);
    }
    assert_int_equal(cursor.n_read, 12);
    assert_int_equal(bed->deaths, 12);
}

// What is decided before the numbers are known waits for them, in its order.
static void test_nothing_is_committed_before_the_numbers_are_known(void **state) {
    struct saga_bed *bed = *state;
    struct bed_reply started, signalled, more;
    bed_revive(bed);
    bed->faults.fail_reads = 5;
    bed_begin(bed, &flow_await, "one", "", NULL, &started);
    bed_signal(bed, "one", "paid", "1", &signalled);
    bed_begin(bed, &flow_pair, "two", "", NULL, &more);
    assert_int_equal(bed->commits, 0);
    bed_wait(bed, &started);
    bed_wait(bed, &signalled);
    bed_wait(bed, &more);
    assert_true(started.code == ERR_OK && signalled.code == ERR_OK && more.code == ERR_OK);
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "one"), SAGA_SUCCEEDED);
}

// [E13] What changes the same rows behind a turn that waits for the numbers does not overtake it.
static void test_nothing_overtakes_a_turn_that_waits_for_the_numbers(void **state) {
    struct saga_bed *bed = *state;
    struct bed_reply replies[3] = {0};
    bed_start(bed, &flow_order, "old", "0", "account");
    bed_revive(bed);
    bed_run(bed, 100); // the saga is resumed: its account is in memory
    struct account *account = accounts_find(&bed->accounts, "account");
    bed->faults.fail_reads = 5;
    for (unsigned i = 0; i < 3; i++) {
        struct saga_turn *turn = saga_turn_begin(bed->engine, &account->subject);
        account_edit(account)->amount += 10;
        if (i == 0)
            saga_turn_event(turn, "account.opened", STR(""));
        saga_turn_commit(turn, bed_replied, &replies[i]);
    }
    for (unsigned i = 0; i < 3; i++)
        bed_wait(bed, &replies[i]);
    assert_true(replies[0].code == ERR_OK && replies[1].code == ERR_OK && replies[2].code == ERR_OK);
    assert_int_equal(bed_account(bed, "account")->amount, 30);
}

// A stop drops what waits for the numbers: it was refused, so nothing of it may be written later.
static void test_what_a_stop_refuses_is_not_written_later(void **state) {
    struct saga_bed *bed = *state;
    struct bed_reply refused, later;
    bed_start(bed, &flow_order, "old", "0", "account");
    bed_run(bed, 10);
    bed_kill(bed);
    bed_open(bed);
    bed->faults.fail_reads = 1000000; // the numbers never come
    struct account *other = accounts_new(&bed->accounts, "other");
    struct saga_turn *turn = saga_turn_begin(bed->engine, &other->subject);
    refused = (struct bed_reply){0};
    account_edit(other);
    saga_turn_event(turn, "account.opened", STR(""));
    saga_turn_commit(turn, bed_replied, &refused);
    saga_engine_stop(bed->engine);
    assert_true(refused.came && refused.code == ERR_SHUTTING_DOWN);
    assert_true(other->subject.failed); // nobody works on with it
    assert_int_equal(other->subject.family.changing, 0);
    assert_null(accounts_find(&bed->accounts, "other"));
    saga_subject_release(&other->subject);
    bed->faults.fail_reads = 0;
    bed_begin(bed, &flow_order, "two", "10", "other", &later);
    bed_run(bed, 1000);
    bed_close(bed);
    assert_true(later.came);
    assert_null(bed_row(bed, "one"));
    if (later.code == ERR_OK)
        assert_int_equal(bed_account(bed, "other")->amount, 0);
    bed_open(bed);
    bed_settle(bed);
    assert_null(bed_row(bed, "one"));
}

// ---- Bounds -------------------------------------------------------------------------------------------------------

static void test_an_input_has_its_bound(void **state) {
    struct saga_bed *bed = *state;
    static char input[SAGA_INPUT_MAX + 2];
    struct bed_reply reply;
    memset(input, 'x', SAGA_INPUT_MAX + 1);
    bed_begin(bed, &flow_ask, "one", input, NULL, &reply);
    assert_true(reply.came && reply.code == ERR_RECORD_TOO_LARGE);
    input[SAGA_INPUT_MAX] = '\0';
    bed_start(bed, &flow_ask, "one", input, NULL);
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "one"), SAGA_SUCCEEDED);
}

// A turn takes so many sagas: the next is refused, and the others start.
static void test_a_turn_has_its_bound(void **state) {
    struct saga_bed *bed = *state;
    struct error error = {0};
    struct bed_reply reply = {0};
    char gid[24];
    struct account *account = accounts_new(&bed->accounts, "account");
    struct saga_turn *turn = saga_turn_begin(bed->engine, &account->subject);
    account_edit(account);
    unsigned n = 0;
    struct saga_start start = {.flow = flow_pair.name, .gid = str_c(gid_of(gid, "s", n))};
    while (saga_turn_start(turn, &start, &error))
        start.gid = str_c(gid_of(gid, "s", ++n));
    assert_int_equal(n, 64);
    assert_int_equal(error.code, ERR_OVERLOADED);
    saga_turn_commit(turn, bed_replied, &reply);
    saga_subject_release(&account->subject);
    bed_wait(bed, &reply);
    assert_int_equal(reply.code, ERR_OK);
    bed_settle(bed);
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(bed_status(bed, gid_of(gid, "s", i)), SAGA_SUCCEEDED);
}

// More sagas are poked in a turn than it takes: the rest look behind it.
static void test_more_pokes_than_a_turn_takes(void **state) {
    struct saga_bed *bed = *state;
    struct bed_reply replies[100], paid;
    char gid[24];
    for (unsigned i = 0; i < 100; i++)
        bed_begin(bed, &flow_order, gid_of(gid, "s", i), "1", "account", &replies[i]);
    bed_run(bed, 100);
    struct account *account = accounts_find(&bed->accounts, "account");
    struct saga_turn *turn = saga_turn_begin(bed->engine, &account->subject);
    snprintf(account_edit(account)->paid, sizeof account->row.paid, "yes");
    for (unsigned i = 0; i < 100; i++)
        saga_turn_poke(turn, str_c(gid_of(gid, "s", i)));
    paid = (struct bed_reply){0};
    saga_turn_commit(turn, bed_replied, &paid);
    bed_wait(bed, &paid);
    bed_run(bed, 100);
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(replies[i].code, ERR_OK);
        assert_int_equal(bed_status(bed, gid_of(gid, "s", i)), SAGA_SUCCEEDED);
    }
    assert_int_equal(bed_account(bed, "account")->amount, 100);
}

// So many reads wait and no more: a command is refused and says so, the sentinel's are tried again.
static void test_a_full_queue_of_reads_refuses_precisely(void **state) {
    struct saga_bed *bed = *state;
    struct bed_reply replies[50], late;
    char gid[24];
    model_plan(&bed->model, "debit", SAGA_ACTION, MODEL_HANGS, 30, 0);
    for (unsigned i = 0; i < 30; i++)
        bed_start(bed, &flow_pair, gid_of(gid, "s", i), "", NULL);
    bed_start(bed, &flow_await, "late", "", NULL);
    bed_run(bed, 10);
    bed_kill(bed);
    bed->reads_max = 10;
    bed_open(bed);
    unsigned refused = 0;
    for (unsigned i = 0; i < 50; i++)
        bed_signal(bed, gid_of(gid, "nobody", i), "paid", "1", &replies[i]);
    for (unsigned i = 0; i < 50; i++) {
        bed_wait(bed, &replies[i]);
        assert_true(replies[i].code == ERR_OVERLOADED || replies[i].code == ERR_SAGA_NOT_FOUND);
        refused += replies[i].code == ERR_OVERLOADED;
    }
    assert_true(refused > 0);
    bed_run(bed, 30000);
    bed_signal(bed, "late", "paid", "1", &late);
    bed_wait(bed, &late);
    assert_int_equal(late.code, ERR_OK);
    bed_settle(bed);
    for (unsigned i = 0; i < 30; i++)
        assert_int_equal(bed_status(bed, gid_of(gid, "s", i)), SAGA_SUCCEEDED);
    assert_int_equal(bed_status(bed, "late"), SAGA_SUCCEEDED);
}

// ---- Operators meet a saga that is being written ------------------------------------------------------------------

// A retry whose write fails did nothing, and can be given again.
static void test_a_retry_that_is_not_written_did_nothing(void **state) {
    struct saga_bed *bed = *state;
    struct bed_reply reply;
    model_plan(&bed->model, "d", SAGA_ACTION, MODEL_REFUSE, 1, 0);
    bed_start(bed, &flow_trip, "one", "", NULL);
    bed_settle(bed);
    bed->faults.fail_result = BACKEND_FULL;
    bed->faults.fail_commit_at = 1;
    bed_retry(bed, "one", &reply);
    bed_wait(bed, &reply);
    assert_int_equal(reply.code, ERR_STORE_FULL);
    assert_null(model_key(&bed->model, "one/5/2"));
    bed_run(bed, 1000);
    bed_retry(bed, "one", &reply);
    bed_wait(bed, &reply);
    assert_int_equal(reply.code, ERR_OK);
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "one"), SAGA_SUCCEEDED);
    assert_int_equal(bed_count(bed, &audit_table), 1);
}

// A retry of a step that waits for its next attempt makes it now, once.
static void test_a_retry_does_not_wait(void **state) {
    struct saga_bed *bed = *state;
    struct bed_reply reply;
    model_plan(&bed->model, "d", SAGA_ACTION, MODEL_AGAIN, 4, 0);
    bed_start(bed, &flow_trip, "one", "", NULL);
    while (model_requests(&bed->model, "one/5/1", SAGA_ACTION) < 4)
        assert_true(bed_step(bed));
    bed_run(bed, 10);
    int64_t begun_ms = bed->time.now_ms;
    bed_retry(bed, "one", &reply);
    bed_wait(bed, &reply);
    bed_run(bed, 20);
    assert_int_equal(bed_status(bed, "one"), SAGA_SUCCEEDED);
    assert_true(bed->time.now_ms - begun_ms < 100);
    bed_run(bed, 10000);
    assert_int_equal(model_requests(&bed->model, "one/5/1", SAGA_ACTION), 5);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, bed_set_up, bed_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_a_cursor_never_skips_a_late_commit),
        TEST(test_numbers_go_on_after_a_restart),
        TEST(test_a_number_is_given_once),
        TEST(test_nothing_is_committed_before_the_numbers_are_known),
        TEST(test_nothing_overtakes_a_turn_that_waits_for_the_numbers),
        TEST(test_what_a_stop_refuses_is_not_written_later),
        TEST(test_an_input_has_its_bound),
        TEST(test_a_turn_has_its_bound),
        TEST(test_more_pokes_than_a_turn_takes),
        TEST(test_a_full_queue_of_reads_refuses_precisely),
        TEST(test_a_retry_that_is_not_written_did_nothing),
        TEST(test_a_retry_does_not_wait),
    };
    return cmocka_run_group_tests_name("saga/engine: events and bounds", tests, NULL, NULL);
}
