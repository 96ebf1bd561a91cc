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

#define ANY .to_ms = INT64_MAX
#define PURCHASE                                                                                                       \
    { "trade.purchase", 14 }
static const struct plan_case plan_cases[] = {
    {{ANY}, "saga_by_created"},
    {{ANY, .from_ms = 5}, "saga_by_created (created_ms>?"},
    {{.from_ms = 5, .to_ms = 9}, "saga_by_created (created_ms>? AND created_ms<?"},
    {{ANY, .unfinished = true}, "saga_by_status (status<?"},
    {{ANY, .unfinished = true, .flow = PURCHASE}, "saga_by_status (status<?"},
    {{ANY, .parked = true}, "saga_by_parked (parked=?"},
    {{ANY, .parked = true, .from_ms = 5}, "saga_by_parked (parked=? AND created_ms>?"},
    {{ANY, .parked = true, .status = SAGA_COMPENSATING}, "saga_by_parked (parked=?"},
    {{ANY, .parked = true, .flow = PURCHASE}, "saga_by_parked (parked=?"},
    {{ANY, .status = SAGA_FAILED}, "saga_by_status (status=?"},
    {{.status = SAGA_FAILED, .from_ms = 5, .to_ms = 9}, "saga_by_status (status=? AND created_ms>? AND created_ms<?"},
    {{ANY, .status = SAGA_COMPENSATING}, "saga_by_status (status=?"},
    {{ANY, .status = SAGA_RUNNING, .unfinished = true}, "saga_by_status (status=?"},
    {{ANY, .status = SAGA_FAILED, .flow = PURCHASE}, "saga_by_status (status=?"},
    {{ANY, .status = SAGA_SUCCEEDED, .flow = PURCHASE}, "saga_by_flow (flow=?"},
    {{ANY, .flow = PURCHASE}, "saga_by_flow (flow=?"},
    {{ANY, .flow = PURCHASE, .from_ms = 5}, "saga_by_flow (flow=? AND created_ms>?"},
    {{ANY, .subject = {"t1", 2}}, "saga_by_subject (subject=?"},
    {{ANY, .subject = {"t1", 2}, .parked = true, .status = SAGA_RUNNING}, "saga_by_subject (subject=?"},
};
enum { PLAN_CASES = sizeof plan_cases / sizeof plan_cases[0] };

static struct store *open_at(const char *path, const struct store_table *table) {
    const struct store_table *const tables[] = {table, NULL};
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
            struct saga_row after;
            saga_list(&plan_cases[i].filter, &query);
            saga_list_after(&plan_cases[i].filter, 7, STR("gid"), &after);
            query.after = next ? &after : NULL;
            query.limit = 51;
            query_plan(db, &query, said, sizeof said);
            if (!strstr(said, plan_cases[i].index) || strstr(said, "TEMP B-TREE"))
                fail_msg("%zu: %s, not %s", i, said, plan_cases[i].index);
        }
    sqlite3_close(db);
    scratch_remove(folder);
}

// ---- Pages --------------------------------------------------------------------------------------------------------

// Every page of a filter, three at a time, as names in a row.
static void list(struct saga_bed *bed, const struct saga_filter *filter, char *out, size_t size) {
    struct store_query query;
    struct saga_row after;
    size_t n, at = 0;
    saga_list(filter, &query);
    query.limit = 3;
    out[0] = '\0';
    do {
        const struct saga_row *rows = bed_rows(bed, &query, &n);
        for (size_t i = 0; i < n; i++)
            at += (size_t)snprintf(out + at, size - at, "%s ", rows[i].gid);
        if (n > 0)
            saga_list_after(filter, saga_list_key(filter, &rows[n - 1]), str_c(rows[n - 1].gid), &after);
        query.after = &after;
    } while (n > 0);
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
        {{.from_ms = p3_ms, .to_ms = d4_ms, .parked = true}, "p4 p3 "},
        {{ANY, .from_ms = d4_ms, .status = SAGA_FAILED}, "d4 "},
        {{.to_ms = 0}, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char gids[256];
        list(&bed, &cases[i].filter, gids, sizeof gids);
        if (strcmp(gids, cases[i].gids) != 0)
            fail_msg("%zu: %s", i, gids);
    }
    bed_release(&bed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_filter_has_its_index),
        cmocka_unit_test(test_pages_hold_what_the_filter_says),
    };
    return cmocka_run_group_tests_name("saga/list", tests, NULL, NULL);
}
