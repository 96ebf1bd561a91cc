// Lists: every filter's pages come from an index, in its order, and hold what they must.
#include "saga/list.h"
#include "store/backend.h"
#include "tests/cmocka.h"
#include "tests/saga/bed.h"
#include "tests/scratch.h"
#include "tests/store/query_plan.h"

#include <stdio.h>

// ---- Plans --------------------------------------------------------------------------------------------------------

struct plan_case {
    struct saga_filter filter;
    const char *index; // and what SQLite says of it
};

#define ANY .to_ms = INT64_MAX, .updated_before_ms = INT64_MAX
#define SINCE .updated_before_ms = INT64_MAX, .from_ms
#define PURCHASE                                                                                                       \
    { "trade.purchase", 14 }
static const int32_t some_slots[] = {3, 7};
static const struct plan_case plan_cases[] = {
    {{ANY}, "saga_by_created"},
    {{ANY, .from_ms = 5}, "saga_by_created (created_ms>?"},
    {{SINCE = 5, .to_ms = 9}, "saga_by_created (created_ms>? AND created_ms<?"},
    {{.to_ms = INT64_MAX, .updated_before_ms = 9}, "saga_by_created (created_ms<?"},
    {{.to_ms = 12, .from_ms = 5, .updated_before_ms = 9}, "saga_by_created (created_ms>? AND created_ms<?"},
    {{ANY, .slots = some_slots, .n_slots = 2}, "saga_by_created"},
    {{ANY, .unfinished = true}, "saga_by_status (status<?"},
    {{ANY, .unfinished = true, .flow = PURCHASE}, "saga_by_status (status<?"},
    {{ANY, .unfinished = true, .slots = some_slots, .n_slots = 2}, "saga_by_status (status<?"},
    {{.to_ms = INT64_MAX, .unfinished = true, .updated_before_ms = 9}, "saga_by_status (status<?"},
    {{ANY, .parked = true}, "saga_by_parked (parked=?"},
    {{ANY, .parked = true, .from_ms = 5}, "saga_by_parked (parked=? AND created_ms>?"},
    {{ANY, .parked = true, .status = SAGA_COMPENSATING}, "saga_by_parked (parked=?"},
    {{ANY, .parked = true, .flow = PURCHASE}, "saga_by_parked (parked=?"},
    {{ANY, .status = SAGA_FAILED}, "saga_by_status (status=?"},
    {{SINCE = 5, .status = SAGA_FAILED, .to_ms = 9}, "saga_by_status (status=? AND created_ms>? AND created_ms<?"},
    {{ANY, .status = SAGA_COMPENSATING}, "saga_by_status (status=?"},
    {{ANY, .status = SAGA_RUNNING, .unfinished = true}, "saga_by_status (status=?"},
    {{.to_ms = INT64_MAX, .status = SAGA_FORWARD, .updated_before_ms = 9}, "saga_by_status (status=? AND created_ms<?"},
    {{ANY, .status = SAGA_FAILED, .flow = PURCHASE}, "saga_by_status (status=?"},
    {{ANY, .status = SAGA_SUCCEEDED, .flow = PURCHASE}, "saga_by_flow (flow=?"},
    {{ANY, .flow = PURCHASE}, "saga_by_flow (flow=?"},
    {{ANY, .flow = PURCHASE, .from_ms = 5}, "saga_by_flow (flow=? AND created_ms>?"},
    {{ANY, .subject = {"t1", 2}}, "saga_by_subject (subject=?"},
    {{ANY, .subject = {"t1", 2}, .parked = true, .status = SAGA_RUNNING}, "saga_by_subject (subject=?"},
    {{ANY, .reason = {"SHUT", 4}}, "trouble_by_reason (reason=?"},
    {{ANY, .reason = {"SHUT", 4}, .participant = {"card", 4}}, "trouble_by_reason (reason=?"},
    {{ANY, .reason = {"SHUT", 4}, .subject = {"t1", 2}, .from_ms = 5}, "trouble_by_reason (reason=? AND created_ms>?"},
    {{ANY, .participant = {"card", 4}}, "trouble_by_participant (participant=?"},
    {{ANY, .participant = {"card", 4}, .parked = true}, "trouble_by_participant (participant=?"},
    {{.to_ms = INT64_MAX, .participant = {"card", 4}, .updated_before_ms = 9},
     "trouble_by_participant (participant=? AND created_ms<?"},
};
enum { PLAN_CASES = sizeof plan_cases / sizeof plan_cases[0] };

static struct store *open_at(const char *path, const struct store_table *table) {
    const struct store_table *const tables[] = {table, &trouble_table, NULL};
    struct store_options options = {.tables = tables, .clock = clock_system(), .instance = "one", .address = ""};
    struct error error = {0};
    struct store *store;
    if (!store_open(store_sqlite(path), &options, &store, &error))
        fail_msg("%s", error.text);
    return store;
}

// The first page and the next one of each filter: an index's first columns, and nothing is sorted. In a database that
// was made before the lists' indexes were.
static void test_every_filter_has_its_index(void **state) {
    (void)state;
    char folder[SCRATCH_PATH_MAX], path[SCRATCH_PATH_MAX + 16], said[512];
    assert_true(scratch_make("list", folder));
    snprintf(path, sizeof path, "%s/store.db", folder);
    struct store_table old = saga_table;
    old.n_indexes = 0;
    while (saga_table.indexes[old.n_indexes].since <= 1)
        old.n_indexes++;
    assert_true(old.n_indexes < saga_table.n_indexes);
    store_close(open_at(path, &old));
    store_close(open_at(path, &saga_table));
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    for (size_t i = 0; i < PLAN_CASES; i++)
        for (int next = 0; next < 2; next++) {
            struct store_query query;
            struct saga_list_after after;
            struct saga_list_cursor cursor = {7, "gid"};
            saga_list_query(&plan_cases[i].filter, next ? &cursor : NULL, &after, &query);
            query.limit = 51;
            query_plan(db, &query, said, sizeof said);
            if (!strstr(said, plan_cases[i].index) || strstr(said, "TEMP B-TREE"))
                fail_msg("%zu: %s, not %s", i, said, plan_cases[i].index);
        }
    sqlite3_close(db);
    scratch_remove(folder);
}

// ---- Pages --------------------------------------------------------------------------------------------------------

// A page as it came.
struct shown {
    bool came, more;
    char gids[2048];
    size_t n;
    struct saga_list_cursor next;
};

static void page_came(void *ctx, const struct error *error, const struct saga_list_page *page) {
    struct shown *shown = ctx;
    size_t at = strlen(shown->gids);
    if (error)
        fail_msg("%s", error->text);
    for (size_t i = 0; i < page->n; i++)
        at += (size_t)snprintf(shown->gids + at, sizeof shown->gids - at, "%s ", page->rows[i].gid);
    shown->n = page->n;
    shown->more = page->more;
    shown->next = page->next;
    shown->came = true;
}

static void show(struct saga_bed *bed, const struct saga_filter *filter, uint32_t limit, struct shown *shown) {
    struct saga_list_cursor cursor = shown->next;
    shown->came = false;
    saga_list_read(bed->store, filter, shown->more ? &cursor : NULL, limit, page_came, shown);
    while (!shown->came)
        assert_true(bed_step(bed));
}

// Every page of a filter, three at a time, as names in a row.
static void list(struct saga_bed *bed, const struct saga_filter *filter, char *out, size_t size) {
    struct shown shown = {0};
    do {
        show(bed, filter, 3, &shown);
        assert_true(shown.n == 3 || !shown.more);
    } while (shown.more);
    snprintf(out, size, "%s", shown.gids);
}

static void start(struct saga_bed *bed, const struct saga_flow *flow, const char *gid, const char *account) {
    bed_start(bed, flow, gid, "", account);
    bed_run(bed, 10);
}

static void test_pages_hold_what_the_filter_says(void **state) {
    (void)state;
    static struct saga_bed bed;
    bed_init(&bed);
    bed_open(&bed);
    model_plan(&bed.model, "d", SAGA_ACTION, MODEL_REFUSE, 5, 0);
    model_plan(&bed.model, "credit", SAGA_ACTION, MODEL_REFUSE, 4, 0);
    for (int n = 1; n <= 5; n++) {
        char i = (char)('0' + n);
        const char parked[] = {'p', i, '\0'}, waits[] = {'w', i, '\0'}, done[] = {'d', i, '\0'};
        start(&bed, &flow_trip, parked, NULL);
        start(&bed, &flow_pair, done, NULL); // four fail
        start(&bed, &flow_order, waits, "account");
    }
    bed_run(&bed, 1000);
    int64_t p3_ms = bed_row(&bed, "p3")->created_ms, d4_ms = bed_row(&bed, "d4")->created_ms;
    const int32_t slots[] = {bed_row(&bed, "p4")->slot, bed_row(&bed, "w2")->slot};
    const struct {
        struct saga_filter filter;
        const char *gids;
    } cases[] = {
        {{ANY}, "w5 d5 p5 w4 d4 p4 w3 d3 p3 w2 d2 p2 w1 d1 p1 "},
        {{ANY, .parked = true}, "p5 p4 p3 p2 p1 "},
        {{ANY, .status = SAGA_FAILED}, "d4 d3 d2 d1 "},
        {{ANY, .status = SAGA_SUCCEEDED}, "d5 "},
        {{ANY, .status = SAGA_RUNNING}, "w5 w4 w3 w2 w1 "},
        {{ANY, .status = SAGA_FORWARD, .unfinished = true}, "p5 p4 p3 p2 p1 "},
        {{ANY, .status = SAGA_COMPENSATING}, ""},
        {{ANY, .flow = {"test.pair", 9}}, "d5 d4 d3 d2 d1 "},
        {{ANY, .flow = {"test.pair", 9}, .status = SAGA_SUCCEEDED}, "d5 "},
        {{ANY, .flow = {"test.pair", 9}, .unfinished = true}, ""},
        {{ANY, .unfinished = true}, "p5 p4 p3 p2 p1 w5 w4 w3 w2 w1 "},
        {{ANY, .subject = {"account", 7}}, "w5 w4 w3 w2 w1 "},
        {{ANY, .subject = {"account", 7}, .parked = true}, ""},
        {{SINCE = p3_ms, .to_ms = d4_ms, .parked = true}, "p4 p3 "},
        {{ANY, .from_ms = d4_ms, .status = SAGA_FAILED}, "d4 "},
        {{SINCE = 0, .to_ms = 0}, ""},
        {{.to_ms = INT64_MAX, .updated_before_ms = d4_ms}, "p4 w3 d3 p3 w2 d2 p2 w1 d1 p1 "},
        {{.to_ms = INT64_MAX, .updated_before_ms = d4_ms, .unfinished = true}, "p4 p3 p2 p1 w3 w2 w1 "},
        {{ANY, .slots = slots, .n_slots = 2, .unfinished = true}, "p4 w2 "},
        {{ANY, .slots = slots, .n_slots = 2}, "p4 w2 "},
        {{ANY, .participant = {"model", 5}}, "p5 d4 p4 d3 p3 d2 p2 d1 p1 "},
        {{ANY, .participant = {"model", 5}, .parked = true}, "p5 p4 p3 p2 p1 "},
        {{ANY, .participant = {"model", 5}, .status = SAGA_FAILED, .from_ms = p3_ms}, "d4 d3 "},
        {{ANY, .participant = {"nobody", 6}}, ""},
        {{ANY, .reason = {"PARTICIPANT_REJECTED", 20}}, "p5 d4 p4 d3 p3 d2 p2 d1 p1 "},
        {{ANY, .reason = {"PARTICIPANT_REJECTED", 20}, .flow = {"test.pair", 9}}, "d4 d3 d2 d1 "},
        {{ANY, .reason = {"PARTICIPANT_REJECTED", 20}, .participant = {"nobody", 6}}, ""},
        {{ANY, .reason = {"PARTICIPANT_REJECTED", 20}, .subject = {"account", 7}}, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char gids[256];
        list(&bed, &cases[i].filter, gids, sizeof gids);
        if (strcmp(gids, cases[i].gids) != 0)
            fail_msg("%zu: %s", i, gids);
    }
    bed_release(&bed);
}

// ---- Bounded work -------------------------------------------------------------------------------------------------

static void done(void *ctx, const struct error *error) {
    assert_null(error);
    *(bool *)ctx = true;
}

// Rows of sagas that ended long ago, and of their troubles.
static void fill(struct saga_bed *bed, int n, int troubles) {
    struct store_group group = {0};
    struct store_write *write = store_write_new(bed->store);
    bool durable = false;
    for (int i = 0; i < n; i++) {
        struct saga_row row = {.status = SAGA_FAILED, .due_ms = INT64_MAX, .created_ms = 1 + i, .slot = i % 400};
        snprintf(row.gid, sizeof row.gid, "g%04d", i);
        snprintf(row.flow, sizeof row.flow, "test.pair");
        store_row(write, &saga_table, STORE_INSERT, &row);
        for (int leg = 0; leg < troubles; leg++) {
            struct trouble_row trouble = {.step_id = 1, .leg = leg, .created_ms = 1 + i, .reason = "SHUT"};
            memcpy(trouble.gid, row.gid, sizeof trouble.gid);
            snprintf(trouble.participant, sizeof trouble.participant, leg % 2 ? "odd" : "even");
            store_row(write, &trouble_table, STORE_INSERT, &trouble);
        }
    }
    store_submit(bed->store, write, &group, done, &durable);
    while (!durable)
        assert_true(bed_step(bed));
}

// A page that has looked at its maximum of rows comes back short, and the next one goes on where it stopped.
static void test_a_page_looks_at_so_many_rows_and_no_more(void **state) {
    struct saga_bed *bed = *state;
    const int32_t slots[] = {5};
    const struct saga_filter filter = {ANY, .status = SAGA_FAILED, .slots = slots, .n_slots = 1};
    struct shown shown = {0};
    fill(bed, 2500, 0);
    show(bed, &filter, 50, &shown);
    assert_true(shown.more && shown.n == 3);
    assert_string_equal(shown.gids, "g2405 g2005 g1605 ");
    assert_string_equal(shown.next.gid, "g1500");
    int pages = 1;
    for (; shown.more; pages++)
        show(bed, &filter, 50, &shown);
    assert_string_equal(shown.gids, "g2405 g2005 g1605 g1205 g0805 g0405 g0005 ");
    assert_int_equal(pages, 3);
}

// A saga with many steps in trouble is one line, wherever a page ends.
static void test_a_saga_is_listed_once_however_many_of_its_steps_are_in_trouble(void **state) {
    struct saga_bed *bed = *state;
    const struct saga_filter by_reason = {ANY, .reason = {"SHUT", 4}};
    const struct saga_filter by_both = {ANY, .reason = {"SHUT", 4}, .participant = {"odd", 3}};
    const struct saga_filter by_slot = {ANY, .reason = {"SHUT", 4}, .slots = (int32_t[]){3}, .n_slots = 1};
    const struct saga_filter *const filters[] = {&by_reason, &by_both};
    fill(bed, 60, 64); // more than a page looks at
    for (uint32_t limit = 1; limit < 60; limit += 7)
        for (size_t i = 0; i < 2; i++) {
            struct shown shown = {0};
            char expected[1024] = "";
            size_t at = 0;
            do
                show(bed, filters[i], limit, &shown);
            while (shown.more);
            for (int n = 59; n >= 0; n--)
                at += (size_t)snprintf(expected + at, sizeof expected - at, "g%04d ", n);
            assert_string_equal(shown.gids, expected);
        }
    struct shown shown = {0};
    show(bed, &by_slot, 10, &shown);
    assert_true(shown.n == 0 && shown.more);
    while (shown.more)
        show(bed, &by_slot, 10, &shown);
    assert_string_equal(shown.gids, "g0003 ");
}

// ---- Counting -----------------------------------------------------------------------------------------------------

struct counted {
    bool came, at_least;
    size_t n;
    enum err code;
};

static void counted(void *ctx, const struct error *error, size_t n, bool at_least) {
    *(struct counted *)ctx =
        (struct counted){.came = true, .at_least = at_least, .n = n, .code = error ? error->code : ERR_OK};
}

static struct counted count(struct saga_bed *bed, const struct saga_filter *filter, uint32_t most) {
    struct counted found = {0};
    saga_list_count(bed->store, filter, most, counted, &found);
    while (!found.came)
        assert_true(bed_step(bed));
    return found;
}

// By an index where one decides, else by looking at rows: it comes to the same.
static void test_a_count_is_what_the_pages_hold(void **state) {
    struct saga_bed *bed = *state;
    const int32_t slots[] = {5};
    const struct {
        struct saga_filter filter;
        size_t n;
    } cases[] = {
        {{ANY}, 2000},
        {{ANY, .status = SAGA_FAILED}, 2000},
        {{ANY, .status = SAGA_SUCCEEDED}, 0},
        {{ANY, .unfinished = true}, 0},
        {{ANY, .parked = true}, 0},
        {{ANY, .paused = true}, 0},
        {{ANY, .flow = {"test.pair", 9}}, 2000},
        {{ANY, .flow = {"test.pair", 9}, .status = SAGA_FAILED}, 2000},
        {{SINCE = 11, .to_ms = 21, .flow = {"test.pair", 9}}, 10},
        {{SINCE = 11, .to_ms = 21, .unfinished = true}, 0},
        {{ANY, .slots = slots, .n_slots = 1}, 5},
        {{.to_ms = INT64_MAX, .updated_before_ms = 0}, 0},
        {{ANY, .reason = {"SHUT", 4}}, 2000},
    };
    fill(bed, 2000, 1);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct counted found = count(bed, &cases[i].filter, 100000);
        if (found.n != cases[i].n || found.at_least || found.code != ERR_OK)
            fail_msg("%zu: %zu", i, found.n);
    }
}

// One that was terminated while it was parked waits for nobody, in a count as in a list.
static void test_a_terminated_saga_is_not_counted_as_parked(void **state) {
    struct saga_bed *bed = *state;
    const struct saga_operation terminate = {.act = SAGA_ACT_TERMINATE};
    const struct saga_filter parked = {ANY, .parked = true};
    char gids[64];
    model_plan(&bed->model, "d", SAGA_ACTION, MODEL_REFUSE, 1, 0);
    bed_start(bed, &flow_trip, "one", "", NULL);
    bed_settle(bed);
    assert_int_equal(count(bed, &parked, 10).n, 1);
    bed_must(bed, "one", &terminate);
    assert_int_equal(bed_status(bed, "one"), SAGA_TERMINATED);
    assert_int_equal(bed_row(bed, "one")->parked, 0);
    assert_int_equal(count(bed, &parked, 10).n, 0);
    list(bed, &parked, gids, sizeof gids);
    assert_string_equal(gids, "");
}

static void test_a_count_says_when_there_may_be_more(void **state) {
    struct saga_bed *bed = *state;
    const struct saga_filter by_index = {ANY}, by_looking = {ANY, .reason = {"SHUT", 4}};
    const struct saga_filter *const filters[] = {&by_index, &by_looking};
    fill(bed, 50, 1);
    for (size_t i = 0; i < 2; i++) {
        struct counted some = count(bed, filters[i], 20), all = count(bed, filters[i], 51);
        assert_true(some.n == 20 && some.at_least);
        assert_true(all.n == 50 && !all.at_least);
    }
}

// A store whose reads find no room answers with an error, once, whatever was being read.
static void test_a_read_that_fails_ends_a_list_and_a_count(void **state) {
    struct saga_bed *bed = *state;
    const struct saga_filter any = {ANY}, by_reason = {ANY, .reason = {"SHUT", 4}};
    const struct saga_filter *const filters[] = {&any, &by_reason};
    fill(bed, 50, 1);
    bed_close(bed);
    bed->reads_max = 1;
    bed_open(bed);
    bed_run(bed, 1000);
    for (size_t i = 0; i < 2; i++) {
        struct counted first = {0}, second = {0};
        saga_list_count(bed->store, filters[i], 100, counted, &first);
        saga_list_count(bed->store, filters[i], 100, counted, &second);
        while (!first.came || !second.came)
            assert_true(bed_step(bed));
        assert_int_equal(second.code, ERR_OVERLOADED);
        // The sagas of a page of troubles are read all at once: there is room for one.
        assert_int_equal(first.code, i == 0 ? ERR_OK : ERR_OVERLOADED);
    }
}

// ---- Rows of trouble ----------------------------------------------------------------------------------------------

// Every row of trouble is of a saga and a step that is in it, and there is no other: also over deaths.
static void test_trouble_comes_and_goes_with_its_saga(void **state) {
    struct saga_bed *bed = *state;
    model_plan(&bed->model, "debit", SAGA_ACTION, MODEL_AGAIN, 2, 0);
    bed_start(bed, &flow_pair, "one", "", NULL);
    assert_int_equal(bed_count(bed, &trouble_table), 0);
    bed_run(bed, 10);
    assert_int_equal(bed_count(bed, &trouble_table), 1);
    bed_revive(bed);
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "one"), SAGA_SUCCEEDED);
    assert_int_equal(bed_count(bed, &trouble_table), 0);
    model_plan(&bed->model, "d", SAGA_ACTION, MODEL_REFUSE, 1, 0);
    bed_start(bed, &flow_trip, "two", "", NULL);
    bed_run(bed, 1000);
    assert_true(bed_parked(bed, "two"));
    assert_int_equal(bed_count(bed, &trouble_table), 1);
    bed_revive(bed);
    struct bed_reply reply;
    bed_retry(bed, "two", &reply);
    bed_wait(bed, &reply);
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "two"), SAGA_SUCCEEDED);
    assert_int_equal(bed_count(bed, &trouble_table), 0);
}

// What turned a saga round is found for as long as the saga is kept; what was only undone is not.
static void test_a_failed_saga_is_found_by_what_failed_it(void **state) {
    struct saga_bed *bed = *state;
    model_plan(&bed->model, "debit", SAGA_ACTION, MODEL_LOST_ANSWER, 1, 0);
    model_plan(&bed->model, "credit", SAGA_ACTION, MODEL_REFUSE, 1, 0);
    bed_start(bed, &flow_pair, "one", "", NULL);
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "one"), SAGA_FAILED);
    size_t n;
    struct store_query query = {.table = &trouble_table, .limit = 10};
    const struct trouble_row *rows = bed_rows(bed, &query, &n);
    assert_int_equal(n, 1);
    assert_int_equal(rows[0].step_id, 2);
    assert_string_equal(rows[0].reason, bed_row(bed, "one")->reason);
    assert_string_equal(rows[0].participant, "model");
}

#define BED(test) cmocka_unit_test_setup_teardown(test, bed_set_up, bed_tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_filter_has_its_index),
        cmocka_unit_test(test_pages_hold_what_the_filter_says),
        BED(test_a_page_looks_at_so_many_rows_and_no_more),
        BED(test_a_saga_is_listed_once_however_many_of_its_steps_are_in_trouble),
        BED(test_a_count_is_what_the_pages_hold),
        BED(test_a_terminated_saga_is_not_counted_as_parked),
        BED(test_a_count_says_when_there_may_be_more),
        BED(test_a_read_that_fails_ends_a_list_and_a_count),
        BED(test_trouble_comes_and_goes_with_its_saga),
        BED(test_a_failed_saga_is_found_by_what_failed_it),
    };
    return cmocka_run_group_tests_name("saga/list", tests, NULL, NULL);
}
