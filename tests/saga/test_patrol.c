// What the patrol finds in what is stored, raises once, and clears when it is over.
#include "saga/anomaly.h"
#include "saga/estate.h"
#include "tests/cmocka.h"
#include "tests/saga/bed.h"

#include <stdio.h>

enum { SECOND_MS = 1000, MINUTE_MS = 60000, HOUR_MS = 3600000 };

static const struct saga_patrol_options usual = {
    .running_ms = 3 * MINUTE_MS,
    .forward_ms = 3 * MINUTE_MS,
    .compensating_ms = 7 * MINUTE_MS,
    .parked_ms = 20 * MINUTE_MS,
    .stuck_ms = 10 * MINUTE_MS,
    .oscillating_attempts = 4,
    .oscillating_ms = MINUTE_MS,
    .interval_ms = MINUTE_MS,
};

static int open_with(void **state, const struct saga_patrol_options *patrol) {
    static struct saga_bed bed;
    bed_init(&bed);
    bed.options.patrol = *patrol;
    bed_open(&bed);
    *state = &bed;
    return 0;
}

static int set_up(void **state) {
    return open_with(state, &usual);
}

// NULL: it was never raised.
static const struct anomaly_row *found(struct saga_bed *bed, const char *about, enum saga_anomaly kind) {
    struct store_query query = {.table = &anomaly_table,
                                .conds = {{.column = "about", .cmp = STORE_EQ, .text = str_c(about)},
                                          {.column = "kind", .cmp = STORE_EQ, .integer = kind}},
                                .limit = 1};
    size_t n;
    const struct anomaly_row *row = bed_rows(bed, &query, &n);
    return n ? row : NULL;
}

static bool holds(struct saga_bed *bed, const char *about, enum saga_anomaly kind) {
    const struct anomaly_row *row = found(bed, about, kind);
    return row && row->cleared_ms == ANOMALY_OPEN_MS;
}

static void durable(void *ctx, const struct error *error) {
    assert_null(error);
    *(bool *)ctx = true;
}

static void put(struct saga_bed *bed, const struct store_table *table, const void *row) {
    struct store_group group = {0};
    struct store_write *write = store_write_new(bed->store);
    bool done = false;
    store_row(write, table, STORE_PUT, row);
    store_submit(bed->store, write, &group, durable, &done);
    while (!done)
        assert_true(bed_step(bed));
}

// A row like that of a saga that waits, of another gid, which nobody has in memory.
static void plant(struct saga_bed *bed, const char *like, const char *gid, int64_t due_ms, int32_t parked) {
    struct saga_row row = *bed_row(bed, like);
    snprintf(row.gid, sizeof row.gid, "%s", gid);
    row.due_ms = due_ms;
    row.parked = parked;
    put(bed, &saga_table, &row);
}

// ---- Too old, waiting for too long --------------------------------------------------------------------------------

static void test_what_is_too_old_is_raised_once_and_cleared_when_it_has_ended(void **state) {
    struct saga_bed *bed = *state;
    bed_start(bed, &flow_await, "one", "", NULL);
    bed_run(bed, 3 * MINUTE_MS - 5 * SECOND_MS);
    assert_null(found(bed, "one", ANOMALY_OLD));
    bed_run(bed, 2 * MINUTE_MS);
    const struct anomaly_row *row = found(bed, "one", ANOMALY_OLD);
    assert_non_null(row);
    assert_int_equal(row->cleared_ms, ANOMALY_OPEN_MS);
    assert_in_range(row->first_ms, bed_row(bed, "one")->created_ms + 3 * MINUTE_MS, bed->time.now_ms);
    assert_string_equal(row->flow, "test.await");
    assert_int_equal(row->status, SAGA_RUNNING);
    assert_non_null(strstr(row->text, "running, "));
    assert_int_equal(bed->notices[SAGA_NOTICE_ANOMALY], 1);
    assert_string_equal(bed->last_reason, "old");
    bed_run(bed, 3 * MINUTE_MS);
    bed_revive(bed); // and not again by its heir
    bed_run(bed, MINUTE_MS + 30 * SECOND_MS);
    assert_int_equal(bed_status(bed, "one"), SAGA_RUNNING);
    bed_events(bed, "anomaly.raised", 1);
    assert_int_equal(bed_stats(bed).anomalies_open, 1);
    bed_settle(bed);
    bed_run(bed, 2 * MINUTE_MS);
    assert_false(holds(bed, "one", ANOMALY_OLD));
    bed_events(bed, "anomaly.cleared", 1);
    bed_events(bed, "anomaly.raised", 1);
    assert_int_equal(bed_stats(bed).anomalies_open, 0);
    assert_int_equal(bed->notices[SAGA_NOTICE_ANOMALY_OVER], 1);
}

static void test_each_status_and_flow_has_its_own_time(void **state) {
    static const struct saga_patience_flow flows[] = {
        {.flow = "test.await", .running_ms = 9 * MINUTE_MS},
        {.flow = "test.trip", .forward_ms = 0, .parked_ms = MINUTE_MS},
    };
    struct saga_patrol_options patrol = usual;
    patrol.flows = flows;
    patrol.n_flows = 2;
    open_with(state, &patrol);
    struct saga_bed *bed = *state;
    bed_close(bed);
    bed->options.machine.patience[SAGA_STUBBORN].attempts = 1000;
    bed_open(bed);
    model_plan(&bed->model, "credit", SAGA_ACTION, MODEL_REFUSE, 1, 0);
    model_plan(&bed->model, "debit", SAGA_COMPENSATE, MODEL_AGAIN, 1000, 0);
    model_plan(&bed->model, "d", SAGA_ACTION, MODEL_AGAIN, 1000, 0);
    bed_start(bed, &flow_await, "await", "", NULL);
    bed_start(bed, &flow_trip, "trip", "", NULL); // forward
    bed_start(bed, &flow_pair, "pair", "", NULL); // compensating
    bed_run(bed, 5 * MINUTE_MS);
    assert_int_equal(bed_status(bed, "trip"), SAGA_FORWARD);
    assert_int_equal(bed_status(bed, "pair"), SAGA_COMPENSATING);
    assert_null(found(bed, "await", ANOMALY_OLD));
    assert_null(found(bed, "trip", ANOMALY_OLD)); // never
    assert_null(found(bed, "pair", ANOMALY_OLD)); // its status has seven minutes
    bed_run(bed, 4 * MINUTE_MS + 30 * SECOND_MS);
    assert_true(holds(bed, "pair", ANOMALY_OLD));
    assert_true(holds(bed, "await", ANOMALY_OLD));
    assert_null(found(bed, "trip", ANOMALY_OLD));
}

static void test_what_is_parked_for_too_long_waits_for_an_operator(void **state) {
    struct saga_bed *bed = *state;
    model_plan(&bed->model, "d", SAGA_ACTION, MODEL_REFUSE, 1, 0);
    bed_start(bed, &flow_trip, "one", "", NULL);
    bed_run(bed, 19 * MINUTE_MS);
    assert_int_equal(bed_count(bed, &anomaly_table), 0); // and is not too old, for being parked
    bed_run(bed, 3 * MINUTE_MS);
    assert_true(holds(bed, "one", ANOMALY_WAITING));
    struct bed_reply reply;
    bed_retry(bed, "one", &reply);
    bed_wait(bed, &reply);
    bed_settle(bed);
    bed_run(bed, 2 * MINUTE_MS);
    assert_false(holds(bed, "one", ANOMALY_WAITING));
    assert_int_equal(bed_count(bed, &anomaly_table), 1);
}

// ---- Failing alike ------------------------------------------------------------------------------------------------

static void with_policy(void **state, uint32_t pause_ms, uint32_t attempts) {
    open_with(state, &usual);
    struct saga_bed *bed = *state;
    bed_close(bed);
    bed->options.machine.patience[SAGA_STUBBORN] =
        (struct saga_retry){.first_ms = pause_ms, .max_ms = pause_ms, .attempts = attempts};
    bed_open(bed);
}

static void patient(void **state, uint32_t pause_ms) {
    with_policy(state, pause_ms, 100);
}

static void test_a_step_that_fails_alike_again_and_again_is_found(void **state) {
    patient(state, 10 * SECOND_MS);
    struct saga_bed *bed = *state;
    model_plan(&bed->model, "d", SAGA_ACTION, MODEL_AGAIN, 12, 0);
    bed_start(bed, &flow_trip, "one", "", NULL);
    bed_run(bed, 2 * MINUTE_MS);
    const struct anomaly_row *row = found(bed, "one", ANOMALY_OSCILLATING);
    assert_non_null(row);
    assert_string_equal(row->step, "d");
    assert_non_null(strstr(row->text, "d failed "));
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "one"), SAGA_SUCCEEDED);
    bed_run(bed, 2 * MINUTE_MS);
    assert_false(holds(bed, "one", ANOMALY_OSCILLATING));
}

// Also when its attempts are so many that they are no longer written down one by one; which has an end, too, where the
// policy has one that nobody lives to see.
static void test_what_fails_without_end_stays_found(void **state) {
    static const struct {
        uint32_t attempts;
        size_t rows;
    } policies[] = {{0, 100}, {100000, 500}};
    for (size_t i = 0; i < 2; i++) {
        with_policy(state, 10 * SECOND_MS, policies[i].attempts);
        struct saga_bed *bed = *state;
        model_plan(&bed->model, "d", SAGA_ACTION, MODEL_AGAIN, 700, 0);
        bed_start(bed, &flow_trip, "one", "", NULL);
        bed_run(bed, 2 * MINUTE_MS);
        assert_true(holds(bed, "one", ANOMALY_OSCILLATING));
        bed_run(bed, 110 * MINUTE_MS);
        assert_int_equal(bed_count(bed, &attempt_table), policies[i].rows);
        assert_true(holds(bed, "one", ANOMALY_OSCILLATING));
        assert_int_equal(found(bed, "one", ANOMALY_OSCILLATING)->times, 1);
        bed_settle(bed);
        bed_run(bed, 2 * MINUTE_MS);
        assert_false(holds(bed, "one", ANOMALY_OSCILLATING));
        if (i == 0)
            bed_release(bed);
    }
}

static void test_failures_that_differ_or_are_far_apart_are_none(void **state) {
    patient(state, 20 * SECOND_MS); // three a minute
    struct saga_bed *bed = *state;
    model_plan(&bed->model, "d", SAGA_ACTION, MODEL_AGAIN, 8, 0);
    bed_start(bed, &flow_trip, "slow", "", NULL);
    bed_settle(bed);
    bed_release(bed);
    patient(state, 10 * SECOND_MS);
    bed = *state;
    model_plan(&bed->model, "d", SAGA_ACTION, MODEL_AGAIN, 8, 0);
    bed_start(bed, &flow_trip, "mixed", "", NULL);
    for (int i = 0; i < 10; i++) { // what failed before the last time failed otherwise
        size_t n;
        struct store_query query = {.table = &attempt_table, .limit = 20};
        const struct attempt_row *rows = bed_rows(bed, &query, &n);
        for (size_t k = 0; k < n; k++) {
            struct attempt_row row = rows[k];
            snprintf(row.reason, sizeof row.reason, "OTHER");
            put(bed, &attempt_table, &row);
        }
        bed_run(bed, 10 * SECOND_MS);
    }
    bed_run(bed, 2 * MINUTE_MS);
    assert_int_equal(bed_status(bed, "mixed"), SAGA_SUCCEEDED);
    assert_int_equal(bed_count(bed, &attempt_table), 8);
    assert_int_equal(bed_count(bed, &anomaly_table), 0);
}

// ---- In nobody's hands --------------------------------------------------------------------------------------------

// [E5] over the stored rows: what has no due time, or is due and with nobody, is found, told, and counted
static void test_what_nobody_would_drive_on_is_found(void **state) {
    struct saga_bed *bed = *state;
    bed_start(bed, &flow_await, "like", "", NULL);
    bed_run(bed, SECOND_MS);
    plant(bed, "like", "timeless", INT64_MAX, 0);
    plant(bed, "like", "unparked", SAGA_DUE_PARKED, 0);
    plant(bed, "like", "childless", SAGA_DUE_CHILD, 0);
    bed_run(bed, 14 * MINUTE_MS); // a due time is long past after ten
    assert_true(holds(bed, "timeless", ANOMALY_STUCK) || found(bed, "timeless", ANOMALY_STUCK));
    assert_non_null(found(bed, "unparked", ANOMALY_STUCK));
    assert_true(holds(bed, "childless", ANOMALY_STUCK));
    assert_true(bed_stats(bed).anomalies_stuck >= 1);
    assert_null(found(bed, "like", ANOMALY_STUCK));
    assert_non_null(strstr(found(bed, "childless", ANOMALY_STUCK)->text, "child"));
    // What could be mended is: loaded, they go on, and time out as they must.
    assert_int_equal(bed_status(bed, "timeless"), SAGA_FAILED);
    assert_int_equal(bed_status(bed, "unparked"), SAGA_FAILED);
    assert_false(holds(bed, "timeless", ANOMALY_STUCK));
    size_t events = bed_count(bed, &outbox_table);
    bed_run(bed, 30 * MINUTE_MS); // what can't be stays, and is not told again
    assert_true(holds(bed, "childless", ANOMALY_STUCK));
    assert_int_equal(bed_count(bed, &outbox_table), events);
    assert_int_equal(bed_stats(bed).anomalies_stuck, 1);
}

// [E5] one that was due long ago, and that no scan comes to any more, is taken up
static void test_what_is_due_and_forgotten_is_taken_up(void **state) {
    struct saga_bed *bed = *state;
    bed_start(bed, &flow_await, "like", "", NULL);
    bed_run(bed, 11 * MINUTE_MS);
    struct saga_row row = *bed_row(bed, "like");
    assert_int_equal(row.status, SAGA_FAILED);
    bed_start(bed, &flow_await, "waits", "", NULL);
    bed_run(bed, SECOND_MS);
    row = *bed_row(bed, "waits");
    snprintf(row.gid, sizeof row.gid, "forgotten");
    row.due_ms = bed->time.now_ms - 11 * MINUTE_MS;
    row.updated_ms = row.due_ms - 1;
    put(bed, &saga_table, &row);
    bed_run(bed, 2 * MINUTE_MS);
    assert_non_null(found(bed, "forgotten", ANOMALY_STUCK));
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "forgotten"), SAGA_FAILED);
    bed_run(bed, 2 * MINUTE_MS);
    assert_int_equal(bed_stats(bed).anomalies_stuck, 0);
}

static void test_a_parent_whose_child_is_at_work_is_not_stuck(void **state) {
    struct saga_bed *bed = *state;
    model_plan(&bed->model, "credit", SAGA_ACTION, MODEL_REFUSE, 1, 0);
    model_plan(&bed->model, "debit", SAGA_COMPENSATE, MODEL_REFUSE, 1, 0);
    bed_start(bed, &flow_parent, "parent", "", NULL); // its child is parked
    bed_run(bed, MINUTE_MS);
    bed_revive(bed); // neither is in memory
    bed_run(bed, 40 * MINUTE_MS);
    assert_int_equal(bed_row(bed, "parent")->due_ms, SAGA_DUE_CHILD);
    assert_null(found(bed, "parent", ANOMALY_STUCK));
    assert_null(found(bed, "parent/child1", ANOMALY_STUCK));
}

// [E5] more than one pass can keep: it takes some, and each of them is found
static void test_however_many_wait_for_a_child_each_is_looked_at(void **state) {
    enum { PARENTS = 1500, AT_ONCE = 100 };
    struct saga_patrol_options patrol = usual;
    patrol.rows_per_s = 100000;
    patrol.running_ms = 0;
    open_with(state, &patrol);
    struct saga_bed *bed = *state;
    bed_start(bed, &flow_await, "like", "", NULL);
    bed_run(bed, SECOND_MS);
    struct saga_row row = *bed_row(bed, "like");
    row.due_ms = SAGA_DUE_CHILD;
    for (int i = 0; i < PARENTS; i += AT_ONCE) {
        struct store_group group = {0};
        struct store_write *write = store_write_new(bed->store);
        bool done = false;
        for (int k = 0; k < AT_ONCE; k++) {
            snprintf(row.gid, sizeof row.gid, "childless%d", i + k);
            store_row(write, &saga_table, STORE_PUT, &row);
        }
        store_submit(bed->store, write, &group, durable, &done);
        while (!done)
            assert_true(bed_step(bed));
    }
    bed_run(bed, 30 * MINUTE_MS);
    assert_true(bed_stats(bed).patrol_passes > 1);
    assert_int_equal(bed_stats(bed).anomalies_stuck, PARENTS);
}

// ---- Not to be read -----------------------------------------------------------------------------------------------

static void test_what_can_not_be_read_is_found(void **state) {
    struct saga_bed *bed = *state;
    bed_start(bed, &flow_await, "like", "", NULL);
    bed_run(bed, SECOND_MS);
    struct saga_row row = *bed_row(bed, "like");
    snprintf(row.gid, sizeof row.gid, "newer");
    row.flow_version = 7;
    put(bed, &saga_table, &row);
    snprintf(row.gid, sizeof row.gid, "broken");
    row.flow_version = 1;
    row.journal = STR("no journal");
    put(bed, &saga_table, &row);
    bed_run(bed, 3 * MINUTE_MS);
    assert_true(holds(bed, "newer", ANOMALY_UNREADABLE));
    assert_true(holds(bed, "broken", ANOMALY_UNREADABLE));
    assert_non_null(strstr(found(bed, "newer", ANOMALY_UNREADABLE)->text, "version 7"));
    assert_null(found(bed, "newer", ANOMALY_STUCK)); // left as it is, by intention
    assert_null(found(bed, "like", ANOMALY_UNREADABLE));
}

// ---- Amounts ------------------------------------------------------------------------------------------------------

static void account_read(void *ctx, const struct error *error, const void *rows, size_t n) {
    const struct account_row *row = rows;
    bool known = !error && n == 1;
    saga_checked(ctx, known, known && row->amount < 0 ? "the account is overdrawn" : NULL);
}

static void check_account(void *ctx, struct str key, struct saga_checking *checking) {
    struct store_query query = {
        .table = &account_table, .conds = {{.column = "name", .cmp = STORE_EQ, .text = key}}, .limit = 1};
    store_read(((struct accounts *)ctx)->store, &query, account_read, checking);
}

static const struct saga_estate account_estate = {.table = &account_table, .check = check_account};

static void open_with_estate(void **state) {
    static struct saga_flow flow;
    static const struct saga_flow *const flows[] = {&flow, NULL};
    open_with(state, &usual);
    struct saga_bed *bed = *state;
    bed_close(bed);
    flow = flow_order;
    flow.estate = &account_estate;
    bed->options.flow_sets[0].flows = flows;
    bed_open(bed);
}

static void pay(struct saga_bed *bed, const char *account, const char *gid) {
    struct bed_reply reply;
    bed_pay(bed, account, "yes", 0, gid, &reply);
    bed_wait(bed, &reply);
    bed_settle(bed);
}

static void spoil(struct saga_bed *bed, const char *name, int64_t amount) {
    struct account_row row = *bed_account(bed, name);
    row.amount = amount;
    put(bed, &account_table, &row);
}

static void test_amounts_that_do_not_add_up_are_found(void **state) {
    open_with_estate(state);
    struct saga_bed *bed = *state;
    bed_start(bed, &flow_order, "one", "5", "a");
    pay(bed, "a", "one");
    bed_start(bed, &flow_order, "two", "-5", "b");
    pay(bed, "b", "two");
    bed_run(bed, 2 * SECOND_MS); // soon after their ends
    assert_null(found(bed, "a", ANOMALY_AMOUNTS));
    assert_true(holds(bed, "b", ANOMALY_AMOUNTS));
    const struct anomaly_row *row = found(bed, "b", ANOMALY_AMOUNTS);
    assert_string_equal(row->subject, "b");
    assert_string_equal(row->text, "the account is overdrawn");
    assert_int_equal(bed_stats(bed).subjects_checked, 2);
    spoil(bed, "b", 0);
    bed_run(bed, 2 * MINUTE_MS);
    assert_false(holds(bed, "b", ANOMALY_AMOUNTS));
    spoil(bed, "a", -1); // long after its end
    bed_run(bed, 25 * HOUR_MS);
    assert_true(holds(bed, "a", ANOMALY_AMOUNTS));
    bed_events(bed, "anomaly.raised", 2);
}

// ---- Bounds, slots, deaths ----------------------------------------------------------------------------------------

static bool owns_none_of_one(void *ctx, unsigned slot) {
    (void)ctx;
    return slot != id_slot(STR("one"));
}

static void test_only_what_is_in_slots_of_ours_is_looked_at(void **state) {
    open_with(state, &usual);
    struct saga_bed *bed = *state;
    bed_close(bed);
    bed->options.owns = owns_none_of_one;
    bed_open(bed);
    bed_start(bed, &flow_await, "one", "", NULL);
    bed_start(bed, &flow_await, "two", "", NULL);
    bed_run(bed, 6 * MINUTE_MS);
    assert_null(found(bed, "one", ANOMALY_OLD));
    assert_true(holds(bed, "two", ANOMALY_OLD));
}

// So many rows a second, however many there are.
static void test_the_patrol_keeps_its_pace(void **state) {
    struct saga_patrol_options patrol = usual;
    patrol.rows_per_s = 40;
    patrol.interval_ms = SECOND_MS;
    open_with(state, &patrol);
    struct saga_bed *bed = *state;
    bed_start(bed, &flow_await, "like", "", NULL);
    bed_run(bed, SECOND_MS);
    for (int i = 0; i < 400; i++) {
        char gid[16];
        snprintf(gid, sizeof gid, "w%d", i);
        plant(bed, "like", gid, bed->time.now_ms + HOUR_MS, 0);
    }
    bed_run(bed, 30 * SECOND_MS);
    assert_in_range(bed_stats(bed).patrol_s, 0, 12); // a round takes ten
    struct store_stats before, after;
    store_stats(bed->store, &before);
    bed_run(bed, 60 * SECOND_MS);
    store_stats(bed->store, &after);
    assert_in_range(after.reads - before.reads, 100, 300); // twenty a read, and what else is looked at each second
    assert_int_equal(after.writes, before.writes);
}

static void test_a_death_at_any_moment_raises_neither_twice_nor_never(void **state) {
    for (int64_t at = 1; at <= 6; at++)
        for (int kind = BED_BEFORE_COMMIT; kind <= BED_AFTER_TELLING; kind++) {
            open_with(state, &usual);
            struct saga_bed *bed = *state;
            bed_start(bed, &flow_await, "one", "", NULL);
            bed_start(bed, &flow_await, "two", "", NULL);
            bed_run(bed, MINUTE_MS);
            bed->death = (enum bed_death)kind;
            bed->death_at = bed->commits + at;
            bed_run(bed, 7 * MINUTE_MS);
            assert_true(holds(bed, "one", ANOMALY_OLD) && holds(bed, "two", ANOMALY_OLD));
            bed_events(bed, "anomaly.raised", 2);
            bed_run(bed, 8 * MINUTE_MS);
            assert_false(holds(bed, "one", ANOMALY_OLD) || holds(bed, "two", ANOMALY_OLD));
            bed_events(bed, "anomaly.cleared", 2);
            assert_int_equal(found(bed, "one", ANOMALY_OLD)->times, 1);
            bed_release(bed);
        }
    open_with(state, &usual);
}

// It is gone with its process whatever it looks at: also while the store does not answer.
static void test_it_is_gone_with_its_process_whatever_it_looks_at(void **state) {
    struct saga_bed *bed = *state;
    bed_start(bed, &flow_await, "one", "", NULL);
    bed_start(bed, &flow_await, "two", "", NULL);
    plant(bed, "one", "stuck", bed->time.now_ms - 60 * MINUTE_MS, 0);
    for (unsigned steps = 0; steps < 60; steps++) {
        for (unsigned i = 0; i < 40 + steps; i++)
            assert_true(bed_step(bed));
        bed->holds = true;
        bed_run(bed, 100);
        bed_kill(bed);
        bed->holds = false;
        bed_open(bed);
    }
    bed_start(bed, &flow_await, "three", "", NULL); // and the last one goes on with its work
    bed_run(bed, 7 * MINUTE_MS);
    assert_true(holds(bed, "three", ANOMALY_OLD));
}

// ---- Pages --------------------------------------------------------------------------------------------------------

static void test_what_holds_is_listed_first_and_the_newest_first(void **state) {
    struct saga_bed *bed = *state;
    struct anomaly_row row = {.kind = ANOMALY_OLD, .flow = "f"};
    for (int i = 0; i < 6; i++) {
        snprintf(row.about, sizeof row.about, "g%d", i);
        row.first_ms = 100 + i;
        row.last_ms = 200 + i;
        row.cleared_ms = i % 2 ? ANOMALY_OPEN_MS : 300 + i;
        put(bed, &anomaly_table, &row);
    }
    const struct anomaly_filter open = {.kind = 0}, all = {.cleared = true}, late = {.cleared = true, .from_ms = 204},
                                stuck = {.kind = ANOMALY_STUCK};
    const struct {
        const struct anomaly_filter *filter;
        const char *found;
    } cases[] = {{&open, "g5 g3 g1 "}, {&all, "g5 g3 g1 g4 g2 g0 "}, {&late, "g5 g4 "}, {&stuck, ""}};
    for (size_t i = 0; i < 4; i++) {
        struct store_query query = anomaly_query(cases[i].filter);
        char names[64] = "";
        size_t n;
        query.limit = 10;
        const struct anomaly_row *rows = bed_rows(bed, &query, &n);
        for (size_t k = 0; k < n; k++)
            if (anomaly_fits(cases[i].filter, &rows[k]))
                snprintf(names + strlen(names), sizeof names - strlen(names), "%s ", rows[k].about);
        assert_string_equal(names, cases[i].found);
    }
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, bed_tear_down)
#define OPENS(test) cmocka_unit_test_teardown(test, bed_tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_what_is_too_old_is_raised_once_and_cleared_when_it_has_ended),
        OPENS(test_each_status_and_flow_has_its_own_time),
        TEST(test_what_is_parked_for_too_long_waits_for_an_operator),
        OPENS(test_a_step_that_fails_alike_again_and_again_is_found),
        OPENS(test_what_fails_without_end_stays_found),
        OPENS(test_failures_that_differ_or_are_far_apart_are_none),
        TEST(test_what_nobody_would_drive_on_is_found),
        TEST(test_what_is_due_and_forgotten_is_taken_up),
        TEST(test_a_parent_whose_child_is_at_work_is_not_stuck),
        OPENS(test_however_many_wait_for_a_child_each_is_looked_at),
        TEST(test_what_can_not_be_read_is_found),
        OPENS(test_amounts_that_do_not_add_up_are_found),
        OPENS(test_only_what_is_in_slots_of_ours_is_looked_at),
        OPENS(test_the_patrol_keeps_its_pace),
        OPENS(test_a_death_at_any_moment_raises_neither_twice_nor_never),
        TEST(test_it_is_gone_with_its_process_whatever_it_looks_at),
        TEST(test_what_holds_is_listed_first_and_the_newest_first),
    };
    return cmocka_run_group_tests_name("saga/patrol", tests, NULL, NULL);
}
