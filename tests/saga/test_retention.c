// What has ended is kept for as long as it is to be, and is then gone, with all of its own and nothing else.
#include "saga/list.h"
#include "tests/cmocka.h"
#include "tests/saga/bed.h"

#include <stdio.h>

#define DAY_MS INT64_C(86400000)
enum { HOUR_MS = 3600000 };

static const struct saga_retention_options by_class = {
    .kept_ms = {[SAGA_KEPT_SUCCEEDED] = 3 * DAY_MS, [SAGA_KEPT_FAILED] = 9 * DAY_MS},
    .requests_ms = 2 * DAY_MS,
    .events_ms = 4 * DAY_MS,
    .audit_ms = 5 * DAY_MS,
    .interval_ms = HOUR_MS,
};

static int open_with(void **state, const struct saga_retention_options *retention) {
    static struct saga_bed bed;
    bed_init(&bed);
    bed.options.retention = *retention;
    bed.options.scan_interval_ms = HOUR_MS / 6; // days go by
    bed.options.horizon_ms = HOUR_MS / 3;
    bed.options.pause_poll_ms = HOUR_MS / 6;
    bed_open(&bed);
    *state = &bed;
    return 0;
}

static int set_up(void **state) {
    return open_with(state, &by_class);
}

// Everything that has ended is succeeded with "s…", failed with "f…".
static void make(struct saga_bed *bed, const char *gid) {
    if (gid[0] == 'f')
        model_plan(&bed->model, "credit", SAGA_ACTION, MODEL_REFUSE, 1, 0);
    else
        model_plan(&bed->model, "debit", SAGA_ACTION, MODEL_AGAIN, 1, 0); // it has an attempt to be shown
    bed_start(bed, &flow_pair, gid, "", NULL);
    bed_settle(bed);
}

static bool is_there(struct saga_bed *bed, const char *gid) {
    return bed_row(bed, gid) != NULL;
}

static size_t count_of(struct saga_bed *bed, const struct store_table *table, const char *gid) {
    struct store_query query = {
        .table = table, .conds = {{.column = "gid", .cmp = STORE_EQ, .text = str_c(gid)}}, .count = true};
    size_t n;
    bed_rows(bed, &query, &n);
    return n;
}

static void days(struct saga_bed *bed, int64_t n) {
    bed_run(bed, n * DAY_MS);
}

static void operate_on(struct saga_bed *bed, const char *gid, const struct saga_operation *operation) {
    model_plan(&bed->model, "a", SAGA_ACTION, MODEL_SLOW, 1, 800);
    bed_start(bed, &flow_trip, gid, "", NULL);
    bed_run(bed, 100);
    bed_must(bed, gid, operation);
    bed_run(bed, 10000);
    assert_int_equal(count_of(bed, &attempt_table, gid), 1);
    assert_int_equal(bed_row(bed, gid)->due_ms, INT64_MAX);
}

// [E9] also when nothing of it failed: its call answered when an operator had gone on without it
static void test_sagas_go_with_what_came_late(void **state) {
    struct saga_bed *bed;
    struct saga_retention_options all = by_class;
    all.kept_ms[SAGA_KEPT_TERMINATED] = 3 * DAY_MS;
    open_with(state, &all);
    bed = *state;
    operate_on(bed, "resolved",
               &(struct saga_operation){.act = SAGA_ACT_RESOLVE, .step = STR("a"), .outcome = OUTCOME_OK});
    operate_on(bed, "terminated", &(struct saga_operation){.act = SAGA_ACT_TERMINATE});
    assert_int_equal(bed_status(bed, "resolved"), SAGA_SUCCEEDED);
    assert_int_equal(bed_status(bed, "terminated"), SAGA_TERMINATED);
    days(bed, 4);
    assert_true(!is_there(bed, "resolved") && !is_there(bed, "terminated"));
    assert_int_equal(count_of(bed, &attempt_table, "resolved"), 0);
    assert_int_equal(count_of(bed, &attempt_table, "terminated"), 0);
}

// ---- Class and age ------------------------------------------------------------------------------------------------

static void test_sagas_go_by_class_and_age_with_their_attempts_and_troubles(void **state) {
    struct saga_bed *bed = *state;
    make(bed, "s1");
    make(bed, "f1");
    assert_int_equal(count_of(bed, &attempt_table, "s1"), 1);
    assert_int_equal(count_of(bed, &trouble_table, "f1"), 1);
    days(bed, 2);
    make(bed, "s2");
    bed_run(bed, DAY_MS - HOUR_MS);
    assert_true(is_there(bed, "s1") && is_there(bed, "f1"));
    bed_run(bed, 3 * HOUR_MS);
    assert_true(!is_there(bed, "s1") && is_there(bed, "s2") && is_there(bed, "f1"));
    assert_int_equal(count_of(bed, &attempt_table, "s1"), 0);
    assert_int_equal(count_of(bed, &attempt_table, "s2"), 1);
    days(bed, 3);
    assert_true(!is_there(bed, "s2") && is_there(bed, "f1"));
    days(bed, 4);
    assert_false(is_there(bed, "f1"));
    assert_int_equal(bed_count(bed, &attempt_table), 0);
    assert_int_equal(bed_count(bed, &trouble_table), 0);
    assert_int_equal(bed_stats(bed).deleted, 3);
}

static void test_a_flow_can_have_times_of_its_own(void **state) {
    static const struct saga_kept_flow flows[] = {{"test.pair", {DAY_MS, 0, 0}}, {"test.ask", {20 * DAY_MS}}};
    struct saga_retention_options retention = by_class;
    retention.flows = flows;
    retention.n_flows = 2;
    open_with(state, &retention);
    struct saga_bed *bed = *state;
    make(bed, "s1");
    make(bed, "f1");
    bed_start(bed, &flow_ask, "ask", "", NULL);
    bed_start(bed, &flow_trip, "trip", "", NULL);
    bed_settle(bed);
    bed_run(bed, DAY_MS + 2 * HOUR_MS);
    assert_true(!is_there(bed, "s1") && is_there(bed, "f1") && is_there(bed, "ask") && is_there(bed, "trip"));
    days(bed, 2);
    assert_true(is_there(bed, "f1") && is_there(bed, "ask") && !is_there(bed, "trip"));
    days(bed, 18);
    assert_true(is_there(bed, "f1") && !is_there(bed, "ask")); // the one for ever
}

// [E5] what has not ended stays, however old it is
static void test_what_has_not_ended_stays(void **state) {
    struct saga_bed *bed = *state;
    model_plan(&bed->model, "d", SAGA_ACTION, MODEL_REFUSE, 1, 0);
    bed_start(bed, &flow_trip, "parked", "", NULL);
    bed_start(bed, &flow_pair, "s1", "", NULL);
    days(bed, 30);
    assert_true(bed_parked(bed, "parked"));
    assert_false(is_there(bed, "s1"));
    struct bed_reply reply;
    bed_retry(bed, "parked", &reply);
    bed_wait(bed, &reply);
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "parked"), SAGA_SUCCEEDED);
    days(bed, 2);
    assert_true(is_there(bed, "parked")); // from its end
    days(bed, 2);
    assert_false(is_there(bed, "parked"));
}

static void test_without_an_interval_nothing_goes(void **state) {
    struct saga_retention_options retention = by_class;
    retention.interval_ms = 0;
    open_with(state, &retention);
    struct saga_bed *bed = *state;
    make(bed, "s1");
    bed_close(bed);
    bed->time.now_ms += 100 * DAY_MS;
    bed_open(bed);
    bed_run(bed, HOUR_MS);
    assert_true(is_there(bed, "s1"));
}

// ---- Families, slots ----------------------------------------------------------------------------------------------

static void test_a_child_stays_as_long_as_its_parent(void **state) {
    static const struct saga_kept_flow flows[] = {{"test.pair", {DAY_MS, DAY_MS, DAY_MS}}};
    struct saga_retention_options retention = by_class;
    retention.flows = flows;
    retention.n_flows = 1;
    open_with(state, &retention);
    struct saga_bed *bed = *state;
    bed_start(bed, &flow_parent, "parent", "", NULL);
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "parent/child1"), SAGA_SUCCEEDED);
    days(bed, 2);
    assert_true(is_there(bed, "parent") && is_there(bed, "parent/child1"));
    days(bed, 2);
    assert_true(!is_there(bed, "parent") && !is_there(bed, "parent/child1"));
}

static bool owns_even(void *ctx, unsigned slot) {
    (void)ctx;
    return slot % 2 == 0;
}

static void test_only_what_is_in_slots_of_ours_goes(void **state) {
    static struct saga_bed bed;
    (void)state;
    unsigned kept = 0, total = 20;
    bed_init(&bed);
    bed.options.retention = by_class;
    bed.options.owns = owns_even;
    bed_open(&bed);
    for (unsigned i = 0; i < total; i++) {
        char gid[8];
        snprintf(gid, sizeof gid, "s%u", i);
        make(&bed, gid);
        kept += !owns_even(NULL, (unsigned)bed_row(&bed, gid)->slot);
    }
    assert_true(kept > 0 && kept < total);
    days(&bed, 4);
    size_t n;
    struct store_query query = {.table = &saga_table, .limit = 100};
    const struct saga_row *rows = bed_rows(&bed, &query, &n);
    assert_int_equal(n, kept);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(rows[i].slot % 2, 1);
    days(&bed, 4);
    struct store_query events = {.table = &outbox_table, .limit = 100};
    const struct outbox_row *told = bed_rows(&bed, &events, &n);
    unsigned odd = 0;
    for (size_t i = 0; i < n; i++)
        odd += (unsigned)told[i].slot % 2;
    assert_int_equal(odd, kept);
    assert_in_range(n, kept, kept + 1); // and the last one
    bed_release(&bed);
}

// ---- Requests, events, audit --------------------------------------------------------------------------------------

struct asked {
    enum request_verdict verdict;
    bool came;
};

static void verdict(void *ctx, enum request_verdict given, struct request_entry *entry, const struct request_row *row,
                    const struct error *error) {
    struct asked *asked = ctx;
    (void)row;
    assert_null(error);
    *asked = (struct asked){given, true};
    if (given == REQUEST_NEW) {
        struct saga_turn *turn = saga_turn_begin(bed_now->engine, NULL);
        request_made(entry, turn, STR("what it made"), STR(""), NULL);
        saga_turn_commit(turn, NULL, NULL);
    }
}

static enum request_verdict ask(struct saga_bed *bed, const char *id) {
    struct asked asked = {.came = false};
    struct request_id request = {.caller = STR("shop"), .id = str_c(id), .method = "Do", .body = STR("this")};
    request_begin(bed->requests, &request, verdict, &asked);
    while (!asked.came)
        assert_true(bed_step(bed));
    return asked.verdict;
}

// A repeat within the stated time acts no second time.
static void test_a_request_is_known_for_as_long_as_is_stated(void **state) {
    struct saga_bed *bed = *state;
    assert_int_equal(ask(bed, "one"), REQUEST_NEW);
    days(bed, 1);
    assert_int_equal(ask(bed, "two"), REQUEST_NEW);
    bed_run(bed, DAY_MS - 1000);
    assert_int_equal(ask(bed, "one"), REQUEST_KNOWN);
    bed_run(bed, 2 * HOUR_MS);
    assert_int_equal(bed_count(bed, &request_table), 1);
    assert_int_equal(ask(bed, "two"), REQUEST_KNOWN);
    assert_int_equal(ask(bed, "one"), REQUEST_NEW);
}

// [E16] numbers go on behind all that were given, though what had them is gone and the clock is behind
static void test_the_last_event_stays_for_its_number(void **state) {
    struct saga_bed *bed = *state;
    for (int i = 0; i < 5; i++) {
        make(bed, "s1");
        days(bed, 4);
    }
    make(bed, "s2");
    days(bed, 10);
    size_t n;
    struct store_query query = {.table = &outbox_table, .limit = 10};
    const struct outbox_row *rows = bed_rows(bed, &query, &n);
    assert_int_equal(n, 1);
    assert_int_equal(rows[0].slot, id_slot(STR("s2")));
    int64_t last = rows[0].seq;
    bed_kill(bed);
    bed->time.now_ms -= 30 * DAY_MS;
    bed_open(bed);
    make(bed, "s1");
    rows = bed_rows(bed, &query, &n);
    assert_int_equal(n, 2);
    assert_true(rows[1].slot == (int32_t)id_slot(STR("s1")) && rows[1].seq > last);
}

// One event that was written while the clock was a year ahead holds up no other.
static void test_an_event_from_the_future_holds_up_no_other(void **state) {
    struct saga_bed *bed = *state;
    bed->time.now_ms += 365 * DAY_MS;
    make(bed, "s1");
    bed_kill(bed);
    bed->time.now_ms -= 365 * DAY_MS;
    bed_open(bed);
    for (int i = 2; i < 20; i++) {
        char gid[8];
        snprintf(gid, sizeof gid, "s%d", i);
        make(bed, gid);
        if (i == 10)
            bed_revive(bed); // those that come now are numbered behind it
        days(bed, 1);
    }
    days(bed, 20);
    assert_in_range(bed_count(bed, &outbox_table), 1, 2); // that one, and the last
}

static void test_what_operators_did_goes_by_its_own_time(void **state) {
    struct saga_bed *bed = *state;
    struct bed_reply reply;
    model_plan(&bed->model, "d", SAGA_ACTION, MODEL_REFUSE, 1, 0);
    bed_start(bed, &flow_trip, "one", "", NULL);
    bed_run(bed, 1000);
    bed_retry(bed, "one", &reply);
    bed_wait(bed, &reply);
    bed_settle(bed);
    days(bed, 4);
    assert_int_equal(bed_count(bed, &audit_table), 1);
    assert_false(is_there(bed, "one"));
    days(bed, 2);
    assert_int_equal(bed_count(bed, &audit_table), 0);
}

// ---- Bounds -------------------------------------------------------------------------------------------------------

static void fill(struct saga_bed *bed, int n) {
    for (int from = 0; from < n; from += 500) {
        struct store_write *write = store_write_new(bed->store);
        struct store_group group = {0};
        for (int i = from; i < n && i < from + 500; i++) {
            struct saga_row row = {
                .flow_version = 1, .status = SAGA_SUCCEEDED, .due_ms = INT64_MAX, .created_ms = 1000, .ended_ms = 2000};
            snprintf(row.gid, sizeof row.gid, "old%d", i);
            snprintf(row.flow, sizeof row.flow, "test.pair");
            store_row(write, &saga_table, STORE_INSERT, &row);
        }
        store_submit(bed->store, write, &group, NULL, NULL);
        while (bed_count(bed, &saga_table) < (size_t)(n < from + 500 ? n : from + 500))
            assert_true(bed_step(bed));
    }
}

// So many a second and no more, in writes of a bounded size, and the gauges say how far it is.
static void test_a_backlog_goes_at_the_stated_rate(void **state) {
    struct saga_retention_options retention = by_class;
    retention.rows_per_s = 100;
    retention.batch = 10;
    retention.interval_ms = 1000;
    open_with(state, &retention);
    struct saga_bed *bed = *state;
    fill(bed, 1500);
    bed_run(bed, 2000);
    size_t before = bed_count(bed, &saga_table);
    bed_run(bed, 5000);
    size_t gone = before - bed_count(bed, &saga_table);
    assert_in_range(gone, 450, 550);
    struct saga_stats stats = bed_stats(bed);
    assert_int_equal(stats.deleted, 1500 - bed_count(bed, &saga_table));
    assert_int_equal(stats.deleted_hour, stats.deleted);
    assert_int_equal(stats.behind_s, (bed->time.now_ms - 2000 - 3 * DAY_MS) / 1000);
    bed_run(bed, 20000);
    stats = bed_stats(bed);
    assert_int_equal(bed_count(bed, &saga_table), 0);
    assert_int_equal(stats.behind_s, 0);
    assert_int_equal(stats.deleted, 1500);
    bed_run(bed, 2 * HOUR_MS);
    assert_int_equal(bed_stats(bed).deleted_hour, 0);
}

static void test_the_oldest_that_is_kept_is_known(void **state) {
    struct saga_bed *bed = *state;
    assert_int_equal(bed_stats(bed).oldest_kept_s, 0);
    make(bed, "s1");
    days(bed, 1);
    make(bed, "s2");
    bed_run(bed, 2 * HOUR_MS);
    assert_int_equal(bed_stats(bed).oldest_kept_s, (bed->time.now_ms - bed_row(bed, "s1")->ended_ms) / 1000);
    days(bed, 2);
    bed_run(bed, 2 * HOUR_MS);
    assert_int_equal(bed_stats(bed).oldest_kept_s, (bed->time.now_ms - bed_row(bed, "s2")->ended_ms) / 1000);
}

// ---- Failures -----------------------------------------------------------------------------------------------------

// Everything that is to go goes in the end, and nothing else; a saga is never there in part but for its attempts.
static void check_whole(struct saga_bed *bed) {
    assert_true(is_there(bed, "young") && is_there(bed, "f1"));
    assert_int_equal(count_of(bed, &trouble_table, "f1"), 1);
    assert_int_equal(count_of(bed, &attempt_table, "young"), 1);
    for (int i = 0; i < 5; i++) {
        char gid[8];
        snprintf(gid, sizeof gid, "s%d", i);
        if (!is_there(bed, gid))
            assert_int_equal(count_of(bed, &attempt_table, gid), 0);
    }
}

static void test_a_death_in_the_middle_of_deleting_harms_nothing(void **state) {
    struct saga_retention_options retention = by_class;
    unsigned deaths = 0;
    retention.batch = 1; // as many commits as can be
    for (int64_t at = 1; at <= 12; at++)
        for (int kind = BED_BEFORE_COMMIT; kind <= BED_AFTER_TELLING; kind++) {
            open_with(state, &retention);
            struct saga_bed *bed = *state;
            for (int i = 0; i < 5; i++) {
                char gid[8];
                snprintf(gid, sizeof gid, "s%d", i);
                make(bed, gid);
            }
            make(bed, "f1");
            days(bed, 2);
            make(bed, "young");
            bed->death = (enum bed_death)kind;
            bed->death_at = bed->commits + at;
            for (int hour = 0; hour < 30; hour++) {
                bed_run(bed, HOUR_MS);
                check_whole(bed);
            }
            assert_int_equal(bed_count(bed, &saga_table), 2);
            assert_int_equal(bed_count(bed, &attempt_table), 2);
            deaths += bed->deaths;
            bed_release(bed);
        }
    assert_true(deaths >= 30);
    open_with(state, &by_class);
}

static void test_a_store_that_fails_is_tried_again(void **state) {
    struct saga_bed *bed = *state;
    make(bed, "s1");
    days(bed, 3);
    bed->faults.fail_result = BACKEND_REFUSED;
    bed->faults.fail_for = 4;
    bed->faults.fail_commit_at = 1;
    bed->faults.fail_reads = 3;
    days(bed, 1);
    assert_false(is_there(bed, "s1"));
    assert_int_equal(bed_count(bed, &attempt_table), 0);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, bed_tear_down)
#define OPENS(test) cmocka_unit_test_teardown(test, bed_tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_sagas_go_by_class_and_age_with_their_attempts_and_troubles),
        OPENS(test_a_flow_can_have_times_of_its_own),
        OPENS(test_sagas_go_with_what_came_late),
        TEST(test_what_has_not_ended_stays),
        OPENS(test_without_an_interval_nothing_goes),
        OPENS(test_a_child_stays_as_long_as_its_parent),
        cmocka_unit_test(test_only_what_is_in_slots_of_ours_goes),
        TEST(test_a_request_is_known_for_as_long_as_is_stated),
        TEST(test_the_last_event_stays_for_its_number),
        TEST(test_an_event_from_the_future_holds_up_no_other),
        TEST(test_what_operators_did_goes_by_its_own_time),
        OPENS(test_a_backlog_goes_at_the_stated_rate),
        TEST(test_the_oldest_that_is_kept_is_known),
        OPENS(test_a_death_in_the_middle_of_deleting_harms_nothing),
        TEST(test_a_store_that_fails_is_tried_again),
    };
    return cmocka_run_group_tests_name("saga/retention", tests, NULL, NULL);
}
