// Who begins a saga asks for a place in line: what was accepted can be driven.
#include "tests/cmocka.h"
#include "tests/saga/gated.h"

#include <stdio.h>

enum { PLACES = 100 };

// How many sagas could be begun at once, up to PLACES.
static unsigned places_at(struct saga_bed *bed, const char *participant, bool core) {
    struct saga_place places[PLACES];
    struct error error = {0};
    unsigned n = 0;
    while (n < PLACES && saga_place_take(bed->engine, participant, core, &places[n], &error))
        n++;
    assert_int_equal(error.code, n == PLACES ? ERR_OK : ERR_OVERLOADED);
    for (unsigned i = 0; i < n; i++)
        saga_place_give(&places[i]);
    return n;
}

static unsigned places(struct saga_bed *bed, bool core) {
    return places_at(bed, flow_pair.steps[0].participant, core);
}

static bool has_room(struct saga_bed *bed) {
    return places(bed, true) > 0;
}

// So that what was accepted finds room in line, and is not put off.
static void test_nothing_new_is_begun_while_half_of_the_line_is_taken(void **state) {
    (void)state;
    struct saga_bed bed;
    gated_open(&bed, (struct saga_gate_limits){.in_flight_max = 1, .waiting_max = 8});
    model_plan(&bed.model, "debit", SAGA_ACTION, MODEL_SLOW, 8, 300);
    unsigned n = 0;
    for (; has_room(&bed) && n < 20; n++) {
        char gid[16];
        snprintf(gid, sizeof gid, "s%u", n);
        bed_start(&bed, &flow_pair, gid, "", NULL);
        bed_run(&bed, 10);
    }
    assert_int_equal(gated_seen(&bed).waiting, 4);
    assert_int_equal(n, 5);
    assert_true(places(&bed, false) > 0); // they have a line of their own
    bed_settle(&bed);
    assert_int_equal(gated_seen(&bed).put_off, 0);
    // Those that are being begun, and have not come to it, count, too, of whom one can go; but only where they come to.
    assert_int_equal(places(&bed, true), 5);
    assert_int_equal(places(&bed, false), 3);
    struct saga_place others[6];
    struct error error;
    for (unsigned i = 0; i < 6; i++)
        assert_true(saga_place_take(bed.engine, "other", true, &others[i], &error));
    assert_int_equal(places(&bed, true), 5);
    for (unsigned i = 0; i < 6; i++)
        saga_place_give(&others[i]);
    gated_must_all_be(&bed, n, SAGA_SUCCEEDED);
    bed_release(&bed);
}

// What is accepted is not put off, also where a rate limits it, or its kind has a part of the calls only.
static void test_no_more_is_begun_than_can_go_or_wait(void **state) {
    (void)state;
    struct saga_bed bed;
    gated_open(&bed, (struct saga_gate_limits){.in_flight_max = 60, .rate_per_s = 1, .burst = 4, .waiting_max = 8});
    assert_int_equal(places(&bed, true), PLACES); // whether it is paused is not known: what is begun waits
    bed_run(&bed, 10);
    assert_int_equal(places(&bed, true), 4 + 4);
    assert_int_equal(places(&bed, false), 3 + 2);
    gated_start_many(&bed, &flow_pair, 4 + 4);
    bed_run(&bed, 50);
    assert_int_equal(gated_seen(&bed).put_off, 0);
    bed_release(&bed);
    gated_open(&bed, (struct saga_gate_limits){.in_flight_max = 60, .waiting_max = 8});
    bed_run(&bed, 10);
    assert_int_equal(places(&bed, true), 60 + 4);
    assert_int_equal(places(&bed, false), 30 + 2);
    bed_release(&bed);
}

// However short the line is: what comes would wait for longer.
static void test_nothing_new_is_begun_behind_who_has_waited_for_long(void **state) {
    (void)state;
    struct saga_bed bed;
    gated_open(&bed, (struct saga_gate_limits){.in_flight_max = 1, .waiting_max = 100});
    model_plan(&bed.model, "debit", SAGA_ACTION, MODEL_SLOW, 8, 300);
    gated_start_many(&bed, &flow_pair, 4);
    bed_run(&bed, 150);
    assert_int_equal(gated_seen(&bed).waiting, 3);
    assert_true(has_room(&bed));
    bed_run(&bed, 100);
    assert_int_equal(gated_seen(&bed).waiting, 3);
    assert_false(has_room(&bed));
    bed_settle(&bed);
    assert_true(has_room(&bed));
    bed_release(&bed);
}

// Of one that is paused, or does not answer, nobody knows how long that lasts: sagas are begun, and wait.
static void test_sagas_are_begun_for_one_that_is_paused_or_does_not_answer(void **state) {
    (void)state;
    struct saga_bed bed;
    gated_open(&bed, (struct saga_gate_limits){.in_flight_max = 1, .waiting_max = 8});
    gated_must_pause(&bed, true);
    gated_start_many(&bed, &flow_pair, 7);
    bed_run(&bed, 50);
    assert_int_equal(gated_seen(&bed).waiting, 7);
    assert_true(has_room(&bed));
    gated_must_pause(&bed, false);
    bed_settle(&bed);
    gated_must_all_be(&bed, 7, SAGA_SUCCEEDED);
    bed_release(&bed);
    gated_open(
        &bed, (struct saga_gate_limits){
                  .in_flight_max = 1, .waiting_max = 8, .failures_max = 1, .open_first_ms = 1000, .open_max_ms = 8000});
    model_plan(&bed.model, "debit", SAGA_ACTION, MODEL_AGAIN, 1, 0);
    gated_start_many(&bed, &flow_pair, 7);
    bed_run(&bed, 500);
    assert_int_equal(gated_seen(&bed).state, SAGA_BREAKER_OPEN);
    assert_true(gated_seen(&bed).waiting > 5);
    assert_true(has_room(&bed));
    bed_settle(&bed);
    gated_must_all_be(&bed, 7, SAGA_SUCCEEDED);
    bed_release(&bed);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_new_is_begun_while_half_of_the_line_is_taken),
        cmocka_unit_test(test_no_more_is_begun_than_can_go_or_wait),
        cmocka_unit_test(test_nothing_new_is_begun_behind_who_has_waited_for_long),
        cmocka_unit_test(test_sagas_are_begun_for_one_that_is_paused_or_does_not_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
