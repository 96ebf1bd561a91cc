// How many calls one participant gets: the cap, the bucket and the breaker, by themselves.
#include "saga/valve.h"
#include "tests/base/seeded.h"
#include "tests/cmocka.h"

enum { NOW = 1000000 };

static struct valve make(const struct saga_gate_limits *limits) {
    struct valve valve;
    valve_init(&valve, limits, NOW);
    return valve;
}

static bool goes_for(struct valve *valve, enum valve_use use, int64_t now_ms) {
    if (valve_refusal(valve, use, now_ms))
        return false;
    valve_take(valve, use, now_ms);
    return true;
}

static bool goes(struct valve *valve, int64_t now_ms) {
    return goes_for(valve, VALVE_CORE, now_ms);
}

static uint32_t go(struct valve *valve, enum valve_use use, int64_t now_ms) {
    uint32_t n = 0;
    while (goes_for(valve, use, now_ms))
        n++;
    return n;
}

static void ends(struct valve *valve, bool probe, enum outcome outcome, int64_t now_ms) {
    static const enum err codes[] = {ERR_OK, ERR_PARTICIPANT_REJECTED, ERR_PARTICIPANT_UNAVAILABLE,
                                     ERR_PARTICIPANT_SILENT};
    const struct valve_end end = {VALVE_CORE, probe, outcome, codes[outcome], "why"};
    valve_leave(valve, &end, now_ms, 0);
}

// ---- The cap ------------------------------------------------------------------------------------------------------

static void test_no_more_go_at_once_than_may(void **state) {
    (void)state;
    struct valve valve = make(&(struct saga_gate_limits){.in_flight_max = 3});
    for (int i = 0; i < 3; i++)
        assert_true(goes(&valve, NOW));
    assert_non_null(valve_refusal(&valve, VALVE_CORE, NOW));
    assert_int_equal(valve_due_ms(&valve, VALVE_CORE, NOW), INT64_MAX); // time alone does not help
    ends(&valve, false, OUTCOME_OK, NOW);
    assert_true(goes(&valve, NOW));
}

static void test_without_limits_everything_goes(void **state) {
    (void)state;
    struct valve valve = make(&(struct saga_gate_limits){0});
    for (int i = 0; i < 100000; i++)
        assert_true(goes(&valve, NOW));
    for (int i = 0; i < 100000; i++)
        ends(&valve, false, OUTCOME_UNKNOWN, NOW);
    assert_true(goes(&valve, NOW));
}

// ---- The bucket ---------------------------------------------------------------------------------------------------

static void test_the_bucket_holds_a_burst_and_fills_at_its_rate(void **state) {
    (void)state;
    struct valve valve = make(&(struct saga_gate_limits){.rate_per_s = 10, .burst = 3});
    for (int i = 0; i < 3; i++)
        assert_true(goes(&valve, NOW));
    assert_false(goes(&valve, NOW));
    assert_int_equal(valve_due_ms(&valve, VALVE_CORE, NOW), NOW + 100);
    assert_false(goes(&valve, NOW + 99));
    assert_true(goes(&valve, NOW + 100));
    assert_false(goes(&valve, NOW + 100));
    for (int i = 0; i < 3; i++)
        assert_true(goes(&valve, NOW + 10000)); // no more than the burst, however long it was quiet
    assert_false(goes(&valve, NOW + 10000));
}

// Whatever the rate: over any time no more go than the burst and the rate allow, and all of those if they want to.
static void test_the_rate_is_kept_over_any_time(void **state) {
    (void)state;
    struct seeded seeded = {11};
    for (int round = 0; round < 200; round++) {
        struct saga_gate_limits limits = {.rate_per_s = 1 + (uint32_t)seeded_below(&seeded, 3000),
                                          .burst = (uint32_t)seeded_below(&seeded, 50)};
        struct valve valve = make(&limits);
        uint64_t burst = limits.burst ? limits.burst : 1, gone = 0;
        int64_t now = NOW;
        while (now < NOW + 5000) {
            while (goes(&valve, now))
                gone++;
            uint64_t most = burst + (uint64_t)(now - NOW + 1) * limits.rate_per_s / 1000 + 1;
            assert_true(gone <= most);
            assert_true(valve_due_ms(&valve, VALVE_CORE, now) > now);
            now = valve_due_ms(&valve, VALVE_CORE, now);
        }
        assert_true(gone * 1000 + 1000 >= (uint64_t)(now - NOW) * limits.rate_per_s * 99 / 100);
    }
}

// ---- The breaker --------------------------------------------------------------------------------------------------

static const struct saga_gate_limits breaker = {
    .in_flight_max = 10, .failures_max = 3, .open_first_ms = 1000, .open_max_ms = 5000};

static struct valve opened(void) {
    struct valve valve = make(&breaker);
    for (int i = 0; i < 3; i++) {
        assert_true(goes(&valve, NOW));
        ends(&valve, false, OUTCOME_UNKNOWN, NOW);
    }
    return valve;
}

// ---- What is kept for core steps ------------------------------------------------------------------------------------

// [S3-14] a quarter of the calls at once is kept for core steps, and those that nobody waits for have half at most; of
// one call alone nothing can be kept
static void test_a_quarter_of_the_calls_at_once_is_kept_for_core_steps(void **state) {
    (void)state;
    static const struct {
        uint32_t most, later, others;
    } rows[] = {{1, 1, 1}, {2, 1, 1}, {3, 1, 2}, {4, 2, 3}, {5, 2, 3}, {8, 4, 6}, {1024, 512, 768}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct saga_gate_limits limits = {.in_flight_max = rows[i].most};
        struct valve valve = make(&limits);
        assert_int_equal(go(&valve, VALVE_LATER, NOW), rows[i].later);
        assert_int_equal(go(&valve, VALVE_PASS, NOW), rows[i].others - rows[i].later);
        assert_int_equal(go(&valve, VALVE_LATER, NOW), 0);
        assert_int_equal(go(&valve, VALVE_CORE, NOW), rows[i].most - rows[i].others);
        assert_false(valve_crowds_out(&valve));
        valve = make(&limits);
        assert_int_equal(go(&valve, VALVE_CORE, NOW), rows[i].most); // all of it is for core steps
        assert_int_equal(go(&valve, VALVE_PASS, NOW) + go(&valve, VALVE_LATER, NOW), 0);
    }
}

static void test_a_quarter_of_the_bucket_is_kept_for_core_steps(void **state) {
    (void)state;
    struct valve valve = make(&(struct saga_gate_limits){.rate_per_s = 10, .burst = 8});
    assert_int_equal(go(&valve, VALVE_LATER, NOW), 6);
    assert_int_equal(valve_due_ms(&valve, VALVE_LATER, NOW), NOW + 100);
    assert_int_equal(go(&valve, VALVE_CORE, NOW), 2);
    assert_int_equal(valve_due_ms(&valve, VALVE_CORE, NOW), NOW + 100);
    assert_int_equal(valve_due_ms(&valve, VALVE_LATER, NOW), NOW + 300);
}

// Things that happen to a valve by chance: a call comes, or one that is under way ends.
struct chance {
    struct seeded seeded;
    bool probing;
    enum valve_use probe;
};

static void happen(struct chance *chance, struct valve *valve, int64_t now) {
    enum valve_use use = (enum valve_use)seeded_below(&chance->seeded, VALVE_USES);
    bool has_probe = chance->probing && use == chance->probe;
    if (seeded_below(&chance->seeded, 2) && !valve_refusal(valve, use, now)) {
        if (!valve_take(valve, use, now))
            return;
        chance->probing = true;
        chance->probe = use;
    } else if (valve->taken[use] > (has_probe ? 1U : 0U)) {
        bool fine = seeded_below(&chance->seeded, 3) > 0;
        const struct valve_end end = {.use = use,
                                      .outcome = fine ? OUTCOME_OK : OUTCOME_UNKNOWN,
                                      .code = fine ? ERR_OK : ERR_PARTICIPANT_SILENT,
                                      .text = ""};
        valve_leave(valve, &end, now, 0);
    } else if (has_probe) {
        const struct valve_end end = {.use = use, .probe = true, .outcome = OUTCOME_OK, .text = ""};
        valve_leave(valve, &end, now, 0);
        chance->probing = false;
    }
}

// [S3-14] whatever comes and goes, and however few may go at once for a while: never is there no room for a core call
// while fewer of them are under way than there is room kept for
static void test_core_calls_are_never_crowded_out(void **state) {
    (void)state;
    struct chance chance = {.seeded = {5}};
    for (int round = 0; round < 300; round++) {
        const struct saga_gate_limits limits = {.in_flight_max = 1 + (uint32_t)seeded_below(&chance.seeded, 40),
                                                .failures_max = 3,
                                                .open_first_ms = 10,
                                                .open_max_ms = 10};
        struct valve valve = make(&limits);
        int64_t now = NOW;
        chance.probing = false;
        for (int i = 0; i < 400; i++) {
            now += (int64_t)seeded_below(&chance.seeded, 4);
            happen(&chance, &valve, now);
            assert_false(valve_crowds_out(&valve));
            assert_true(valve.in_flight <= limits.in_flight_max);
        }
    }
}

// What is kept is there at once, also while less may go than before and the others have more than their part of it.
static void test_what_is_kept_is_there_while_it_speeds_up_again(void **state) {
    (void)state;
    struct valve valve = make(&breaker);
    assert_int_equal(go(&valve, VALVE_LATER, NOW), 5);
    for (int i = 0; i < 3; i++) {
        assert_true(goes(&valve, NOW));
        ends(&valve, false, OUTCOME_UNKNOWN, NOW);
    }
    int64_t now = valve_due_ms(&valve, VALVE_CORE, NOW);
    assert_true(valve_take(&valve, VALVE_CORE, now));
    ends(&valve, true, OUTCOME_OK, now);
    assert_int_equal(valve.slow_start, 2); // and five are still under way
    assert_int_equal(go(&valve, VALVE_LATER, now) + go(&valve, VALVE_PASS, now), 0);
    assert_int_equal(go(&valve, VALVE_CORE, now), 1);
}

// ---- How it opens -------------------------------------------------------------------------------------------------

static void test_it_opens_after_so_many_failures_in_a_row(void **state) {
    (void)state;
    struct valve valve = make(&breaker);
    static const enum outcome outcomes[] = {OUTCOME_RETRY,    OUTCOME_UNKNOWN, OUTCOME_OK,     OUTCOME_UNKNOWN,
                                            OUTCOME_REJECTED, OUTCOME_UNKNOWN, OUTCOME_UNKNOWN};
    for (size_t i = 0; i < sizeof outcomes / sizeof outcomes[0]; i++) {
        assert_true(goes(&valve, NOW));
        ends(&valve, false, outcomes[i], NOW);
        assert_int_equal(valve.state, SAGA_BREAKER_CLOSED); // a refusal is an answer, too
    }
    assert_true(goes(&valve, NOW));
    ends(&valve, false, OUTCOME_RETRY, NOW);
    assert_int_equal(valve.state, SAGA_BREAKER_OPEN);
    assert_non_null(valve_refusal(&valve, VALVE_CORE, NOW));
    assert_true(valve_is_shut(&valve, NOW));
    assert_true(valve_due_ms(&valve, VALVE_CORE, NOW) >= NOW + 800 &&
                valve_due_ms(&valve, VALVE_CORE, NOW) <= NOW + 1200);
}

static void test_our_own_bounds_are_no_failure_of_its(void **state) {
    (void)state;
    struct valve valve = make(&breaker);
    for (int i = 0; i < 20; i++) {
        assert_true(goes(&valve, NOW));
        const struct valve_end end = {VALVE_CORE, false, OUTCOME_RETRY, ERR_OVERLOADED, "full"};
        valve_leave(&valve, &end, NOW, 0);
    }
    assert_int_equal(valve.state, SAGA_BREAKER_CLOSED);
}

static void test_it_opens_when_too_many_of_the_window_fail(void **state) {
    (void)state;
    struct valve valve = make(&(struct saga_gate_limits){
        .failure_percent = 50, .calls_min = 10, .window_ms = 10000, .open_first_ms = 1, .open_max_ms = 1});
    for (int i = 0; i < 9; i++) { // too few to say
        assert_true(goes(&valve, NOW));
        ends(&valve, false, OUTCOME_UNKNOWN, NOW);
        assert_int_equal(valve.state, SAGA_BREAKER_CLOSED);
    }
    int64_t later = NOW + 20000; // these are forgotten
    for (int i = 0; i < 20; i++) {
        assert_true(goes(&valve, later));
        ends(&valve, false, i % 2 ? OUTCOME_OK : OUTCOME_UNKNOWN, later + i % 2);
        assert_int_equal(valve.state, i < 10 ? SAGA_BREAKER_CLOSED : SAGA_BREAKER_OPEN);
        if (valve.state == SAGA_BREAKER_OPEN)
            return;
    }
    fail_msg("it never opens");
}

static void test_one_probe_at_a_time_and_later_each_time(void **state) {
    (void)state;
    struct valve valve = opened();
    int64_t now = NOW, pause = 0;
    for (int i = 0; i < 6; i++) {
        int64_t due = valve_due_ms(&valve, VALVE_CORE, now);
        assert_true(due - now > pause || due - now >= 4000);
        pause = due - now;
        now = due;
        assert_null(valve_refusal(&valve, VALVE_CORE, now));
        assert_true(valve_take(&valve, VALVE_CORE, now)); // the probe
        assert_int_equal(valve.state, SAGA_BREAKER_HALF_OPEN);
        assert_non_null(valve_refusal(&valve, VALVE_CORE, now + 100000)); // alone
        ends(&valve, true, i % 2 ? OUTCOME_UNKNOWN : OUTCOME_RETRY, now);
        assert_int_equal(valve.state, SAGA_BREAKER_OPEN);
    }
    assert_true(pause <= 6000);
}

static void test_a_probe_that_told_nothing_is_made_again_after_the_same_pause(void **state) {
    (void)state;
    struct valve valve = opened();
    const struct valve_end full = {VALVE_CORE, true, OUTCOME_RETRY, ERR_OVERLOADED, "full"};
    int64_t due = valve_due_ms(&valve, VALVE_CORE, NOW), first = due - NOW;
    for (int i = 0; i < 3; i++) {
        int64_t now = due;
        assert_true(valve_take(&valve, VALVE_CORE, now));
        valve_leave(&valve, &full, now, 0);
        assert_int_equal(valve.state, SAGA_BREAKER_OPEN);
        due = valve_due_ms(&valve, VALVE_CORE, now);
        assert_int_equal(due - now, first);
    }
}

static void test_after_a_probe_that_was_answered_it_speeds_up_step_by_step(void **state) {
    (void)state;
    struct valve valve = opened();
    int64_t now = valve_due_ms(&valve, VALVE_CORE, NOW);
    assert_true(valve_take(&valve, VALVE_CORE, now));
    ends(&valve, true, OUTCOME_REJECTED, now);
    assert_int_equal(valve.state, SAGA_BREAKER_CLOSED);
    for (uint32_t most = 2; most <= 10; most++) {
        uint32_t n = 0;
        while (goes(&valve, now))
            n++;
        assert_int_equal(n, most);
        ends(&valve, false, OUTCOME_OK, now);
        while (valve.in_flight > 0)
            valve_give_back(&valve, VALVE_CORE, false);
    }
}

static void test_a_probe_that_was_not_sent_leaves_room_for_another(void **state) {
    (void)state;
    struct valve valve = opened();
    int64_t now = valve_due_ms(&valve, VALVE_CORE, NOW);
    assert_true(valve_take(&valve, VALVE_CORE, now));
    valve_give_back(&valve, VALVE_CORE, true);
    assert_null(valve_refusal(&valve, VALVE_CORE, now));
    assert_true(valve_take(&valve, VALVE_CORE, now));
}

static void test_what_was_under_way_when_it_opened_says_nothing_of_it(void **state) {
    (void)state;
    struct valve valve = make(&breaker);
    for (int i = 0; i < 6; i++)
        assert_true(goes(&valve, NOW));
    for (int i = 0; i < 3; i++)
        ends(&valve, false, OUTCOME_UNKNOWN, NOW);
    int64_t due = valve_due_ms(&valve, VALVE_CORE, NOW);
    ends(&valve, false, OUTCOME_OK, NOW);
    ends(&valve, false, OUTCOME_UNKNOWN, NOW);
    assert_int_equal(valve.state, SAGA_BREAKER_OPEN);
    assert_int_equal(valve_due_ms(&valve, VALVE_CORE, NOW), due);
}

static void test_one_that_nobody_probes_is_forgotten(void **state) {
    (void)state;
    struct valve valve = opened();
    int64_t due = valve_due_ms(&valve, VALVE_CORE, NOW);
    assert_false(valve_is_idle(&valve, due + breaker.open_max_ms - 1)); // who was turned away may still come
    assert_true(valve_is_idle(&valve, due + breaker.open_max_ms));
    assert_true(valve_take(&valve, VALVE_CORE, due + breaker.open_max_ms));
    assert_false(valve_is_idle(&valve, due + 2 * breaker.open_max_ms)); // a probe is under way
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_more_go_at_once_than_may),
        cmocka_unit_test(test_without_limits_everything_goes),
        cmocka_unit_test(test_the_bucket_holds_a_burst_and_fills_at_its_rate),
        cmocka_unit_test(test_the_rate_is_kept_over_any_time),
        cmocka_unit_test(test_a_quarter_of_the_calls_at_once_is_kept_for_core_steps),
        cmocka_unit_test(test_a_quarter_of_the_bucket_is_kept_for_core_steps),
        cmocka_unit_test(test_core_calls_are_never_crowded_out),
        cmocka_unit_test(test_what_is_kept_is_there_while_it_speeds_up_again),
        cmocka_unit_test(test_it_opens_after_so_many_failures_in_a_row),
        cmocka_unit_test(test_our_own_bounds_are_no_failure_of_its),
        cmocka_unit_test(test_it_opens_when_too_many_of_the_window_fail),
        cmocka_unit_test(test_one_probe_at_a_time_and_later_each_time),
        cmocka_unit_test(test_a_probe_that_told_nothing_is_made_again_after_the_same_pause),
        cmocka_unit_test(test_after_a_probe_that_was_answered_it_speeds_up_step_by_step),
        cmocka_unit_test(test_a_probe_that_was_not_sent_leaves_room_for_another),
        cmocka_unit_test(test_what_was_under_way_when_it_opened_says_nothing_of_it),
        cmocka_unit_test(test_one_that_nobody_probes_is_forgotten),
    };
    return cmocka_run_group_tests_name("saga/valve", tests, NULL, NULL);
}
