// Where others may take over: what an owner does whose lease is over by its own clock.
#include "tests/cmocka.h"
#include "tests/saga/bed.h"

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

// [E7] while it is renewed in time, nothing waits for it
static void test_a_lease_that_is_renewed_holds_nothing_up(void **state) {
    struct saga_bed *bed = *state;
    model_plan(&bed->model, "debit", SAGA_ACTION, MODEL_SLOW, 1, LEASE_MS + 200);
    bed_start(bed, &flow_pair, "one", "", NULL);
    bed_run(bed, LEASE_MS + 250);
    assert_int_equal(bed_status(bed, "one"), SAGA_SUCCEEDED);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nothing_is_sent_when_the_lease_is_over, set_up, bed_tear_down),
        cmocka_unit_test_setup_teardown(test_a_lease_that_is_renewed_holds_nothing_up, set_up, bed_tear_down),
    };
    return cmocka_run_group_tests_name("saga/engine, leases", tests, NULL, NULL);
}
