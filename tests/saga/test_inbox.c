// What is kept for a slot whose owner is silent is acted on by whoever owns it, until that says that it is done.
#include "saga/inbox.h"

#include "tests/cmocka.h"
#include "tests/saga/neighbour.h"

#include <stdio.h>

enum { KEPT = 120 }; // more than a page, and more than are acted on at once

// An instance that acts.
struct actor {
    enum err answer; // with which it ends what it is at
    bool holds;      // it does not end it
    unsigned under_way, most, acts[KEPT];
    struct {
        saga_reply_fn *done;
        void *ctx;
    } held[KEPT];
};

static struct actor one, two;

static void end_act(const struct actor *actor, saga_reply_fn *done, void *ctx) {
    struct error error;
    if (actor->answer != ERR_OK)
        error_set(&error, actor->answer, NULL);
    done(ctx, actor->answer == ERR_OK ? NULL : &error);
}

static void act(void *ctx, const struct inbox_row *row, saga_reply_fn *done, void *done_ctx) {
    struct actor *actor = ctx;
    int64_t number = -1;
    assert_string_equal(row->method, "SignalSaga");
    assert_string_equal(row->caller, "caller");
    assert_true(str_to_i64(row->body, &number) && number >= 0 && number < KEPT);
    actor->acts[number]++;
    if (!actor->holds) {
        end_act(actor, done, done_ctx);
        return;
    }
    assert_true(actor->under_way < KEPT);
    actor->held[actor->under_way].done = done;
    actor->held[actor->under_way++].ctx = done_ctx;
    actor->most = actor->under_way > actor->most ? actor->under_way : actor->most;
}

static void let_go(struct actor *actor) {
    actor->holds = false;
    while (actor->under_way > 0) {
        actor->under_way--;
        end_act(actor, actor->held[actor->under_way].done, actor->held[actor->under_way].ctx);
    }
}

static unsigned acted(const struct actor *actor) {
    unsigned n = 0;
    for (unsigned i = 0; i < KEPT; i++)
        n += actor->acts[i];
    return n;
}

static int set_up(void **state) {
    neighbour_set_up(state);
    struct saga_bed *bed = *state;
    one = two = (struct actor){0};
    bed->options.inbox = act;
    bed->options.inbox_ctx = &one;
    neighbour.inbox_ctx = &two;
    bed_open(bed);
    neighbour_open();
    bed_run(bed, NEIGHBOUR_LONG_MS);
    assert_int_equal(neighbour_slots(neighbour.engine), SLOT_COUNT / 2);
    return 0;
}

// A slot that the neighbour has.
static unsigned its_slot(void) {
    unsigned slot = 0;
    while (!saga_engine_owns(neighbour.engine, slot))
        slot++;
    return slot;
}

static void begin_keeping(struct saga_bed *bed, unsigned slot, const char *about, uint32_t about_max, unsigned number,
                          struct bed_reply *reply) {
    char body[16];
    snprintf(body, sizeof body, "%u", number);
    const struct saga_keeping what = {.slot = slot,
                                      .method = "SignalSaga",
                                      .caller = STR("caller"),
                                      .body = str_c(body),
                                      .about = str_c(about),
                                      .about_max = about_max};
    *reply = (struct bed_reply){0};
    saga_inbox_keep(bed->engine, &what, bed_replied, reply);
}

static void keep(struct saga_bed *bed, unsigned n) {
    static struct bed_reply replies[KEPT];
    for (unsigned i = 0; i < n; i++)
        begin_keeping(bed, its_slot(), "", 0, i, &replies[i]);
    for (unsigned i = 0; i < n; i++) {
        bed_wait(bed, &replies[i]);
        assert_int_equal(replies[i].code, ERR_OK);
    }
}

// ---- Cases --------------------------------------------------------------------------------------------------------

// [E10] whoever received it has only made it durable; the slot's owner acts, and then it is gone
static void test_what_is_kept_is_acted_on_by_the_owner_and_goes_away(void **state) {
    struct saga_bed *bed = *state;
    two.holds = true;
    keep(bed, 1);
    bed_run(bed, NEIGHBOUR_LONG_MS);
    assert_int_equal(two.acts[0], 1);
    assert_int_equal(bed_count(bed, &inbox_table), 1); // until it has been acted on
    let_go(&two);
    bed_run(bed, NEIGHBOUR_LONG_MS);
    assert_int_equal(bed_count(bed, &inbox_table), 0);
    assert_int_equal(two.acts[0], 1);
    assert_int_equal(acted(&one), 0);
}

static void test_many_are_acted_on_once_each_and_so_many_at_once(void **state) {
    struct saga_bed *bed = *state;
    two.holds = true;
    keep(bed, KEPT);
    bed_run(bed, NEIGHBOUR_LONG_MS);
    assert_int_equal(two.most, 64);
    assert_int_equal(acted(&two), 64);
    let_go(&two);
    bed_run(bed, NEIGHBOUR_LONG_MS);
    assert_int_equal(bed_count(bed, &inbox_table), 0);
    for (unsigned i = 0; i < KEPT; i++)
        assert_int_equal(two.acts[i], 1);
}

// [E10] no more is kept about a saga than it takes, also of what comes at once: what is acknowledged is not dropped
// then
static void test_no_more_is_kept_about_a_saga_than_it_takes(void **state) {
    struct saga_bed *bed = *state;
    enum { MOST = 32 };
    static struct bed_reply about_one[KEPT], about_other[8];
    unsigned n = 0, n_other = 0;
    two.answer = ERR_OVERLOADED;
    for (unsigned i = 0; i < KEPT; i++)
        begin_keeping(bed, its_slot(), "busy", MOST, i, &about_one[i]);
    for (unsigned i = 0; i < 8; i++)
        begin_keeping(bed, its_slot(), "other", MOST, i, &about_other[i]);
    for (unsigned i = 0; i < KEPT; i++) {
        bed_wait(bed, &about_one[i]);
        assert_true(about_one[i].code == ERR_OK || about_one[i].code == ERR_OVERLOADED);
        n += about_one[i].code == ERR_OK;
    }
    for (unsigned i = 0; i < 8; i++) {
        bed_wait(bed, &about_other[i]);
        n_other += about_other[i].code == ERR_OK;
    }
    assert_int_equal(n, MOST);
    assert_int_equal(n_other, 8);
    assert_int_equal(bed_count(bed, &inbox_table), MOST + 8);
}

// [E10] nor more for a slot than is stated
static void test_no_more_is_kept_for_a_slot_than_may_be(void **state) {
    struct saga_bed *bed = *state;
    struct bed_reply written = {0}, reply;
    struct store_write *write = store_write_new(bed->store);
    two.answer = ERR_OVERLOADED;
    for (unsigned i = 1; i < SAGA_INBOX_MAX; i++) {
        struct inbox_row row = {.slot = (int32_t)its_slot(), .body = STR("0")};
        snprintf(row.inbox_no, sizeof row.inbox_no, "%026u", i);
        snprintf(row.method, sizeof row.method, "SignalSaga");
        snprintf(row.caller, sizeof row.caller, "caller");
        store_row(write, &inbox_table, STORE_INSERT, &row);
    }
    store_submit(bed->store, write, NULL, bed_replied, &written);
    bed_wait(bed, &written);
    begin_keeping(bed, its_slot(), "", 0, 1, &reply);
    bed_wait(bed, &reply);
    assert_int_equal(reply.code, ERR_OK);
    begin_keeping(bed, its_slot(), "", 0, 1, &reply);
    bed_wait(bed, &reply);
    assert_int_equal(reply.code, ERR_OVERLOADED);
    begin_keeping(bed, its_slot() + 1, "", 0, 1, &reply);
    bed_wait(bed, &reply);
    assert_int_equal(reply.code, ERR_OK);
}

// Who waits to be kept is told when the process ends before.
static void test_what_is_not_kept_when_the_process_ends_is_refused(void **state) {
    struct saga_bed *bed = *state;
    struct bed_reply replies[3];
    bed->holds = true;
    for (unsigned i = 0; i < 3; i++)
        begin_keeping(bed, its_slot(), "busy", 32, i, &replies[i]);
    bed_run(bed, 100);
    bed->holds = false;
    bed_kill(bed);
    for (unsigned i = 0; i < 3; i++)
        assert_true(replies[i].came && replies[i].code == ERR_SHUTTING_DOWN);
    bed_open(bed);
}

static void test_what_fails_for_now_is_acted_on_again(void **state) {
    struct saga_bed *bed = *state;
    two.answer = ERR_OVERLOADED;
    keep(bed, 1);
    bed_run(bed, NEIGHBOUR_LONG_MS);
    assert_true(two.acts[0] > 1);
    assert_int_equal(bed_count(bed, &inbox_table), 1);
    two.answer = ERR_OK;
    bed_run(bed, NEIGHBOUR_LONG_MS);
    assert_int_equal(bed_count(bed, &inbox_table), 0);
    assert_int_equal(bed->notices[SAGA_NOTICE_KEPT_REFUSED], 0);
}

// [E10] what this release can't read, the next owner's may: it stays, is tried now and then, and is in nobody's way
static void test_what_can_not_be_read_stays(void **state) {
    struct saga_bed *bed = *state;
    static const enum err unread[] = {ERR_FLOW_UNKNOWN, ERR_METHOD_UNKNOWN, ERR_STORE_CORRUPT};
    two.answer = unread[0];
    keep(bed, KEPT);
    for (size_t i = 0; i < sizeof unread / sizeof unread[0]; i++) {
        unsigned before = two.acts[0];
        two.answer = unread[i];
        bed_run(bed, 61000);
        assert_int_equal(bed_count(bed, &inbox_table), KEPT);
        assert_true(two.acts[0] > before && two.acts[0] <= before + 2);
        assert_true(two.acts[KEPT - 1] > 0);
    }
    neighbour_end(true);
    bed_run(bed, NEIGHBOUR_LONG_MS);
    assert_int_equal(acted(&one), KEPT);
    assert_int_equal(bed_count(bed, &inbox_table), 0);
    assert_int_equal(bed->notices[SAGA_NOTICE_KEPT_REFUSED], 0);
}

static void test_what_does_not_fit_any_more_is_told_of_and_goes_away(void **state) {
    struct saga_bed *bed = *state;
    two.answer = ERR_SAGA_NOT_FOUND;
    keep(bed, 1);
    bed_run(bed, NEIGHBOUR_LONG_MS);
    assert_int_equal(two.acts[0], 1);
    assert_int_equal(bed_count(bed, &inbox_table), 0);
    assert_int_equal(bed->notices[SAGA_NOTICE_KEPT_REFUSED], 1);
    assert_string_equal(bed->last_reason, "SAGA_NOT_FOUND");
}

// [E10] the owner dies of it, or before it has heard of the end: the next owner acts
static void test_what_an_owner_died_over_is_acted_on_by_the_next(void **state) {
    struct saga_bed *bed = *state;
    two.holds = true;
    keep(bed, 3);
    bed_run(bed, NEIGHBOUR_LONG_MS);
    assert_int_equal(two.under_way, 3);
    neighbour_end(true);
    bed_run(bed, NEIGHBOUR_LONG_MS);
    assert_int_equal(acted(&one), 3);
    assert_int_equal(bed_count(bed, &inbox_table), 0);
}

// What can't be taken away (the store refuses) is acted on again: whoever acts knows it by its id.
static void test_what_can_not_be_taken_away_is_acted_on_again(void **state) {
    struct saga_bed *bed = *state;
    neighbour_end(true);
    bed_run(bed, NEIGHBOUR_LONG_MS);
    one.holds = true;
    struct bed_reply reply;
    begin_keeping(bed, 0, "", 0, 0, &reply);
    bed_wait(bed, &reply);
    while (one.under_way == 0)
        assert_true(bed_step(bed));
    bed->faults.fail_result = BACKEND_REFUSED;
    bed->faults.fail_for = 2; // also by itself
    bed->faults.fail_commit_at = 1;
    let_go(&one);
    bed_run(bed, NEIGHBOUR_LONG_MS);
    assert_int_equal(one.acts[0], 2);
    assert_int_equal(bed_count(bed, &inbox_table), 0);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, neighbour_tear_down)
    static const struct CMUnitTest tests[] = {
        TEST(test_what_is_kept_is_acted_on_by_the_owner_and_goes_away),
        TEST(test_many_are_acted_on_once_each_and_so_many_at_once),
        TEST(test_no_more_is_kept_about_a_saga_than_it_takes),
        TEST(test_no_more_is_kept_for_a_slot_than_may_be),
        TEST(test_what_is_not_kept_when_the_process_ends_is_refused),
        TEST(test_what_fails_for_now_is_acted_on_again),
        TEST(test_what_can_not_be_read_stays),
        TEST(test_what_does_not_fit_any_more_is_told_of_and_goes_away),
        TEST(test_what_an_owner_died_over_is_acted_on_by_the_next),
        TEST(test_what_can_not_be_taken_away_is_acted_on_again),
    };
    return cmocka_run_group_tests_name("saga/inbox", tests, NULL, NULL);
}
