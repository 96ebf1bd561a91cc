// Where others may take over: what an owner does whose lease is over by its own clock.
#include "tests/cmocka.h"
#include "tests/saga/bed.h"

#include <stdio.h>

enum { LEASE_MS = 500 };

static int set_up(void **state) {
    static struct saga_bed bed;
    bed_init(&bed);
    bed.lease_ms = LEASE_MS;
    bed_open(&bed);
    bed_run(&bed, LEASE_MS);
    assert_true(saga_engine_settled(bed.engine));
    *state = &bed;
    return 0;
}

// [E7] somebody else may be the owner by now: it sends nothing, though nothing of it needs a commit
static void test_nothing_is_sent_when_the_lease_is_over(void **state) {
    struct saga_bed *bed = *state;
    model_plan(&bed->model, "debit", SAGA_ACTION, MODEL_SLOW, 1, LEASE_MS + 200);
    bed_start(bed, &flow_pair, "one", "", NULL);
    bed->holds = true;
    bed_run(bed, LEASE_MS + 400);
    assert_int_equal(store_lease_left_ms(bed->store), 0);
    assert_int_equal(model_state(&bed->model, "one/1/1"), MODEL_APPLIED);
    assert_int_equal(model_requests(&bed->model, "one/2/1", SAGA_ACTION), 0);
    bed->holds = false;
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "one"), SAGA_SUCCEEDED);
    assert_int_equal(model_requests(&bed->model, "one/2/1", SAGA_ACTION), 1);
}

// [E8] what was to be sent is not, when an operator has settled or paused its saga meanwhile
static void test_what_was_withheld_is_not_sent_when_an_operator_was_faster(void **state) {
    struct saga_bed *bed = *state;
    const struct saga_operation acts[] = {
        {.act = SAGA_ACT_PAUSE},
        {.act = SAGA_ACT_RESOLVE, .step = STR("credit"), .outcome = OUTCOME_OK, .answer = STR("said")},
        {.act = SAGA_ACT_COMPENSATE}};
    enum { ACTS = sizeof acts / sizeof acts[0] };
    static const char *const gids[ACTS] = {"one", "two", "three"};
    struct bed_reply replies[ACTS];
    char key[16];
    model_plan(&bed->model, "debit", SAGA_ACTION, MODEL_SLOW, ACTS, LEASE_MS + 200);
    for (size_t i = 0; i < ACTS; i++)
        bed_start(bed, &flow_pair, gids[i], "", NULL);
    bed->holds = true;
    bed_run(bed, LEASE_MS + 400);
    assert_int_equal(store_lease_left_ms(bed->store), 0);
    for (size_t i = 0; i < ACTS; i++)
        bed_operate(bed, gids[i], &acts[i], &replies[i]);
    bed->holds = false;
    for (size_t i = 0; i < ACTS; i++)
        bed_wait(bed, &replies[i]);
    bed_run(bed, 2 * LEASE_MS);
    for (size_t i = 0; i < ACTS; i++) {
        assert_int_equal(replies[i].code, ERR_OK);
        snprintf(key, sizeof key, "%s/2/1", gids[i]);
        assert_int_equal(model_requests(&bed->model, key, SAGA_ACTION), 0);
    }
    bed_must(bed, "one", &(struct saga_operation){.act = SAGA_ACT_RESUME});
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "one"), SAGA_SUCCEEDED);
    assert_int_equal(bed_status(bed, "two"), SAGA_SUCCEEDED);
    assert_int_equal(bed_status(bed, "three"), SAGA_FAILED);
}

// [E8] a compensation that was withheld when its outcome was stated is let go of: it neither goes out beside the one
// that an operator wants then, nor does it put that one off
static void test_what_was_withheld_and_stated_is_not_in_the_way_of_the_next_attempt(void **state) {
    struct saga_bed *bed = *state;
    const struct saga_operation no = {.act = SAGA_ACT_RESOLVE, .step = STR("a"), .outcome = OUTCOME_REJECTED};
    const struct saga_operation retry = {.act = SAGA_ACT_RETRY};
    struct bed_reply stated, tried;
    model_plan(&bed->model, "pivot", SAGA_ACTION, MODEL_REFUSE, 1, 0);
    model_plan(&bed->model, "c", SAGA_COMPENSATE, MODEL_SLOW, 1, LEASE_MS + 200);
    bed_start(bed, &flow_trip, "one", "", NULL);
    while (model_requests(&bed->model, "one/3/1", SAGA_COMPENSATE) == 0)
        assert_true(bed_step(bed));
    bed->holds = true;
    bed_run(bed, LEASE_MS + 400);
    assert_int_equal(store_lease_left_ms(bed->store), 0);
    assert_int_equal(model_state(&bed->model, "one/3/1"), MODEL_COMPENSATED);
    assert_int_equal(model_requests(&bed->model, "one/1/1", SAGA_COMPENSATE), 0);
    bed_operate(bed, "one", &no, &stated);
    bed_operate(bed, "one", &retry, &tried);
    bed->holds = false;
    bed_wait(bed, &stated);
    bed_wait(bed, &tried);
    assert_int_equal(stated.code, ERR_OK);
    assert_int_equal(tried.code, ERR_OK);
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "one"), SAGA_FAILED);
    assert_int_equal(model_requests(&bed->model, "one/1/1", SAGA_COMPENSATE), 1);
}

// [E7] while it is renewed in time, nothing waits for it
static void test_a_lease_that_is_renewed_holds_nothing_up(void **state) {
    struct saga_bed *bed = *state;
    model_plan(&bed->model, "debit", SAGA_ACTION, MODEL_SLOW, 1, LEASE_MS + 200);
    bed_start(bed, &flow_pair, "one", "", NULL);
    bed_run(bed, LEASE_MS + 250);
    assert_int_equal(bed_status(bed, "one"), SAGA_SUCCEEDED);
}

// A gid in one of the slots that are given away first.
static const char *gid_of_first_slots(char gid[16]) {
    unsigned i = 0;
    do
        snprintf(gid, 16, "s%u", i++);
    while (id_slot(str_c(gid)) >= 32);
    return gid;
}

// [E16] an answer that comes when the slot has another owner is written down, but not as an event: its number would be
// one that the owner gives, too
static void test_who_has_left_a_slot_gives_no_numbers_in_it(void **state) {
    struct saga_bed *bed = *state;
    struct error error = {0};
    struct store *other;
    char gid[16];
    const struct saga_operation terminate = {.act = SAGA_ACT_TERMINATE};
    model_plan(&bed->model, "debit", SAGA_ACTION, MODEL_SLOW, 1, 2 * LEASE_MS - 50);
    bed_start(bed, &flow_pair, gid_of_first_slots(gid), "", NULL);
    bed_must(bed, gid, &terminate);
    size_t events = bed_count(bed, &outbox_table);
    const struct store_options options = {
        .tables = bed->tables, .clock = &bed->time.clock, .instance = "other", .address = "", .lease_ms = 3600000};
    if (!store_open(store_memory_share(bed->disk), &options, &other, &error))
        fail_msg("%s", error.text);
    while (saga_engine_owns(bed->engine, id_slot(str_c(gid))))
        assert_true(bed_step(bed));
    while (bed_stats(bed).late_answers == 0)
        assert_true(bed_step(bed));
    bed_run(bed, LEASE_MS);
    assert_int_equal(bed_count(bed, &attempt_table), 1);
    assert_int_equal(bed_count(bed, &outbox_table), events);
    store_close(other);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nothing_is_sent_when_the_lease_is_over, set_up, bed_tear_down),
        cmocka_unit_test_setup_teardown(test_who_has_left_a_slot_gives_no_numbers_in_it, set_up, bed_tear_down),
        cmocka_unit_test_setup_teardown(test_what_was_withheld_is_not_sent_when_an_operator_was_faster, set_up,
                                        bed_tear_down),
        cmocka_unit_test_setup_teardown(test_what_was_withheld_and_stated_is_not_in_the_way_of_the_next_attempt, set_up,
                                        bed_tear_down),
        cmocka_unit_test_setup_teardown(test_a_lease_that_is_renewed_holds_nothing_up, set_up, bed_tear_down),
    };
    return cmocka_run_group_tests_name("saga/engine, leases", tests, NULL, NULL);
}
