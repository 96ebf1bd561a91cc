// Flows that are made from a saga's input: the same engine, over deaths and evictions, and none of them left behind.
#include "saga/peek.h"
#include "saga/watch.h"
#include "tests/cmocka.h"
#include "tests/saga/bed.h"

#include <stdio.h>
#include <stdlib.h>

enum { STEPS_MAX = 8 };

// The input is a letter a step: c a call, p the pivot, r a retriable one, w an await.
struct made {
    struct saga_flow flow;
    struct saga_step steps[STEPS_MAX];
    char names[STEPS_MAX][8];
};

static int made_now; // that were not released

static struct saga_step step_of(char letter) {
    struct saga_step call = {.participant = "model", .run = bed_send, .inquire = bed_send, .deadline_ms = 1000};
    switch (letter) {
    case 'c':
        call.undo = bed_send;
        call.undo_retry = SAGA_STUBBORN;
        return call;
    case 'p': call.kind = SAGA_PIVOT; return call;
    case 'r':
        call.kind = SAGA_RETRIABLE;
        call.retry = SAGA_STUBBORN;
        return call;
    default: return (struct saga_step){.signal = "paid", .timeout_ms = 600000};
    }
}

static const struct saga_flow *make(void *ctx, struct str input, struct error *error) {
    if (str_empty(input) || input.len > STEPS_MAX || memchr(input.ptr, 'x', input.len)) {
        error_set(error, ERR_STORE_CORRUPT, "these are no steps");
        return NULL;
    }
    struct made *made = calloc(1, sizeof *made);
    assert_non_null(made);
    for (size_t i = 0; i < input.len; i++) {
        made->steps[i] = step_of(input.ptr[i]);
        made->steps[i].id = (uint16_t)(i + 1);
        made->steps[i].stage = (uint8_t)(i + 1);
        snprintf(made->names[i], sizeof made->names[i], "%c%zu", input.ptr[i], i + 1);
        made->steps[i].name = made->names[i];
    }
    made->flow =
        (struct saga_flow){.name = "test.made", .maker = ctx, .steps = made->steps, .n_steps = (uint8_t)input.len};
    made_now++;
    return &made->flow;
}

static void release(const struct saga_flow *flow) {
    made_now--;
    free((struct made *)(uintptr_t)flow);
}

static struct saga_flow_maker maker = {.make = make, .release = release, .ctx = &maker};

static int set_up(void **state) {
    static struct saga_bed bed;
    made_now = 0;
    bed_init(&bed);
    bed.options.flow_maker = &maker;
    bed_open(&bed);
    *state = &bed;
    return 0;
}

static int tear_down(void **state) {
    bed_release(*state);
    assert_int_equal(made_now, 0);
    return 0;
}

static void begin(struct saga_bed *bed, const char *gid, const char *steps, struct bed_reply *reply) {
    struct error error = {0};
    const struct saga_flow *flow = make(&maker, str_c(steps), &error);
    struct saga_turn *turn = saga_turn_begin(bed->engine, NULL);
    struct saga_start start = {.made = flow, .gid = str_c(gid), .input = str_c(steps), .about = STR("somebody")};
    *reply = (struct bed_reply){0};
    if (saga_turn_start(turn, &start, &error)) {
        saga_turn_commit(turn, bed_replied, reply);
        return;
    }
    saga_flow_release(flow); // it is only taken by a saga that was started
    saga_turn_abandon(turn);
    bed_replied(reply, &error);
}

static void start(struct saga_bed *bed, const char *gid, const char *steps) {
    struct bed_reply reply;
    begin(bed, gid, steps, &reply);
    bed_wait(bed, &reply);
    assert_int_equal(reply.code, ERR_OK);
}

// ---- Running --------------------------------------------------------------------------------------------------------

static void test_a_made_flow_runs_like_any_other(void **state) {
    struct saga_bed *bed = *state;
    start(bed, "one", "ccpr");
    assert_int_equal(made_now, 1);
    bed_settle(bed);
    assert_int_equal(made_now, 0); // ended, and no longer in memory
    assert_int_equal(bed_status(bed, "one"), SAGA_SUCCEEDED);
    assert_int_equal(bed_row(bed, "one")->flow_version, 0);
    assert_string_equal(bed_row(bed, "one")->flow, "test.made");
    assert_string_equal(bed_row(bed, "one")->subject, "somebody");
    bed_check_books(bed);
}

// [E3] [E11] whatever is between, the steps are those of its input
static void test_a_made_flow_is_made_again_after_each_death(void **state) {
    struct saga_bed *bed = *state;
    for (int64_t commit = 1; commit <= 4; commit++) {
        char gid[16];
        snprintf(gid, sizeof gid, "saga%d", (int)commit);
        model_plan(&bed->model, "c3", SAGA_ACTION, MODEL_REFUSE, 1, 0);
        bed->death = BED_AFTER_COMMIT;
        bed->death_at = bed->commits + commit;
        struct bed_reply reply;
        begin(bed, gid, "cccp", &reply);
        bed_settle(bed);
        bed->death = BED_LIVES;
        assert_int_equal(bed_status(bed, gid), SAGA_FAILED);
    }
    assert_true(bed->deaths >= 3);
    bed_check_books(bed);
}

static void test_a_made_flow_that_can_not_be_made_leaves_its_saga_untouched(void **state) {
    struct saga_bed *bed = *state;
    model_plan(&bed->model, "c1", SAGA_ACTION, MODEL_HANGS, 1, 0);
    start(bed, "one", "cc");
    bed_kill(bed);
    bed->options.flow_maker = NULL;
    bed_open(bed);
    bed_run(bed, 5000);
    assert_true(bed_stats(bed).unknown_flows > 0);
    assert_int_equal(bed_status(bed, "one"), SAGA_RUNNING);
    bed_kill(bed);
    static const struct saga_flow_maker other = {.make = make, .release = release, .ctx = &maker};
    bed->options.flow_maker = &other;
    bed_open(bed);
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "one"), SAGA_SUCCEEDED);
}

static void test_a_gid_that_is_taken_releases_its_flow(void **state) {
    struct saga_bed *bed = *state;
    struct bed_reply first, second, third;
    begin(bed, "one", "w", &first);
    begin(bed, "one", "cc", &second);
    assert_int_equal(second.code, ERR_STORE_STALE); // the first may yet fail
    bed_wait(bed, &first);
    bed_settle(bed);
    begin(bed, "one", "cc", &third); // it is no longer in memory, but stored
    bed_wait(bed, &third);
    assert_int_equal(third.code, ERR_STORE_CONFLICT);
    bed_run(bed, 1000);
    assert_int_equal(bed->notices[SAGA_NOTICE_WRITE_FAILED], 0); // whoever began it has been told
    assert_int_equal(bed_count(bed, &saga_table), 1);
}

// ---- Watching -------------------------------------------------------------------------------------------------------

struct seen {
    struct saga_watch watch;
    struct saga_bed *bed;
    unsigned n, leave_after;
    int64_t updated_ms;
    enum saga_status status;
};

static void changed(void *ctx, const struct saga_row *row, const struct saga_instance *saga) {
    struct seen *seen = ctx;
    const struct saga_row *stored = bed_row(seen->bed, row->gid);
    assert_true(row->updated_ms > seen->updated_ms);
    assert_non_null(stored); // durable, and just this
    assert_int_equal(stored->updated_ms, row->updated_ms);
    assert_int_equal(stored->status, row->status);
    assert_int_equal(saga->status, (enum saga_status)row->status);
    seen->updated_ms = row->updated_ms;
    seen->status = saga->status;
    if (++seen->n == seen->leave_after)
        saga_unwatch(&seen->watch);
}

static void watch(struct saga_bed *bed, const char *gid, struct seen *seen, unsigned leave_after) {
    *seen = (struct seen){.bed = bed, .leave_after = leave_after};
    seen->watch = (struct saga_watch){.changed = changed, .ctx = seen};
    saga_watch(bed->engine, str_c(gid), &seen->watch);
}

static void test_watchers_are_told_of_each_durable_change_once(void **state) {
    struct saga_bed *bed = *state;
    struct seen all, one, other;
    watch(bed, "one", &all, 0);
    watch(bed, "one", &one, 1);
    watch(bed, "another", &other, 0);
    assert_int_equal(saga_watches(bed->engine, STR("one")), 2);
    model_plan(&bed->model, "c2", SAGA_ACTION, MODEL_REFUSE, 1, 0);
    start(bed, "one", "cc");
    bed_settle(bed);
    assert_int_equal(all.n, 3); // begun, turned round, ended
    assert_int_equal(all.status, SAGA_FAILED);
    assert_int_equal(one.n, 1);
    assert_int_equal(other.n, 0);
    assert_int_equal(saga_watches(bed->engine, STR("one")), 1);
    saga_unwatch(&one.watch); // once more is fine
    saga_unwatch(&all.watch);
    saga_unwatch(&other.watch);
    assert_int_equal(saga_watches(bed->engine, STR("one")), 0);
}

static void test_a_watch_outlasts_an_eviction_and_ends_with_the_engine(void **state) {
    struct saga_bed *bed = *state;
    struct seen seen;
    bed_kill(bed);
    bed->options.resident_max = 4;
    bed_open(bed);
    start(bed, "one", "w");
    struct seen another;
    watch(bed, "one", &seen, 0);
    watch(bed, "one", &another, 0);
    char gid[16];
    for (int i = 0; i < 20; i++) {
        snprintf(gid, sizeof gid, "w%d", i);
        start(bed, gid, "w");
        bed_run(bed, 10);
    }
    assert_true(bed_stats(bed).evictions > 0);
    struct bed_reply reply;
    bed_signal(bed, "one", "paid", "1", &reply);
    bed_wait(bed, &reply);
    bed_run(bed, 100);
    assert_int_equal(seen.status, SAGA_SUCCEEDED);
    bed_kill(bed);
    assert_null(seen.watch.of);
    assert_null(another.watch.of);
    bed_open(bed);
}

// ---- Looking --------------------------------------------------------------------------------------------------------

struct looked {
    unsigned n;
    enum err code;
    enum saga_status status;
    char input[16];
};

static void seen_now(void *ctx, const struct saga_seen *seen, const struct error *error) {
    struct looked *looked = ctx;
    looked->n++;
    looked->code = error ? error->code : ERR_OK;
    if (seen) {
        looked->status = seen->saga->status;
        assert_true(str_copy(seen->input, looked->input, sizeof looked->input));
        assert_int_equal((enum saga_status)seen->row.status, seen->saga->status);
    }
}

static struct looked peek(struct saga_bed *bed, const char *gid) {
    struct looked looked = {0};
    saga_peek(bed->engine, str_c(gid), seen_now, &looked);
    while (looked.n == 0)
        assert_true(bed_step(bed));
    assert_int_equal(looked.n, 1);
    return looked;
}

static void test_a_saga_is_looked_at_when_it_is_durable(void **state) {
    struct saga_bed *bed = *state;
    struct bed_reply reply;
    struct looked early = {0};
    bed_run(bed, 10);
    bed->holds = true;
    begin(bed, "one", "wc", &reply);
    saga_peek(bed->engine, STR("one"), seen_now, &early);
    bed_run(bed, 100);
    assert_int_equal(early.n, 0); // it is not durable yet
    bed->holds = false;
    bed_wait(bed, &reply);
    bed_run(bed, 10);
    assert_true(early.n == 1 && early.code == ERR_OK && early.status == SAGA_RUNNING);
    assert_string_equal(early.input, "wc");
    bed_revive(bed);
    assert_false(saga_engine_has(bed->engine, STR("one")));
    assert_int_equal(peek(bed, "one").status, SAGA_RUNNING); // also one that must be loaded
    assert_true(saga_engine_has(bed->engine, STR("one")));
    assert_int_equal(peek(bed, "nobody").code, ERR_SAGA_NOT_FOUND);
    bed_signal(bed, "one", "paid", "1", &reply);
    bed_settle(bed);
    assert_int_equal(peek(bed, "one").code, ERR_SAGA_STATE);
    struct looked late = {0};
    start(bed, "two", "w");
    bed_revive(bed);
    saga_peek(bed->engine, STR("two"), seen_now, &late);
    bed_kill(bed); // whoever looks is told
    assert_true(late.n == 1 && late.code == ERR_SHUTTING_DOWN);
    bed_open(bed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_made_flow_runs_like_any_other, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_made_flow_is_made_again_after_each_death, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_made_flow_that_can_not_be_made_leaves_its_saga_untouched, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_gid_that_is_taken_releases_its_flow, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_watchers_are_told_of_each_durable_change_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_watch_outlasts_an_eviction_and_ends_with_the_engine, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_saga_is_looked_at_when_it_is_durable, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("saga/made", tests, NULL, NULL);
}
