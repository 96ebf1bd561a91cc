// Two batches at work: while COMMIT of one is under way, the operations of the next one run.
#include "tests/cmocka.h"
#include "tests/store/contract.h"
#include "tests/store/items.h"

#include <stdio.h>

enum { EACH = 4, BATCHES = 3, ALL = EACH * BATCHES };

// Batches of EACH writes wait, each write of a row of its own and of one that all of them write; `groups`: the write is
// in the group of its place in its batch. NULL: in none.
static void submit_batches(struct bed *bed, struct fate *fates, struct store_group *groups) {
    bed_close(bed);
    bed->options.batch_max = EACH;
    bed_open(bed, item_tables);
    bed_shut_gate(bed);
    for (int i = 0; i < ALL; i++) {
        char id[16];
        snprintf(id, sizeof id, "i%04d", i);
        struct item row = item(id, "own", i, 0), same = item("same", "all", i, 0);
        struct store_write *write = store_write_new(bed->store);
        store_row(write, &item_table, STORE_INSERT, &row);
        store_row(write, &item_table, STORE_PUT, &same);
        bed_submit(bed, write, groups ? &groups[i % EACH] : NULL, &fates[i]);
    }
}

static size_t count_own(struct bed *bed) {
    struct store_query query = {
        .table = &item_table, .conds = {{.column = "owner", .cmp = STORE_EQ, .text = STR("own")}}, .count = true};
    return bed_read(bed, &query).n;
}

static int64_t last_same(struct bed *bed) {
    struct store_query query = {
        .table = &item_table, .conds = {{.column = "id", .cmp = STORE_EQ, .text = STR("same")}}, .limit = 1};
    struct answer answer = bed_read(bed, &query);
    assert_int_equal(answer.n, 1);
    return ((const struct item *)answer.rows)->amount;
}

static void assert_all_in(struct bed *bed, const struct fate *fates) {
    for (int i = 0; i < ALL; i++) {
        assert_int_equal(fates[i].code, ERR_OK);
        assert_true(i == 0 || fates[i].order == fates[i - 1].order + 1);
    }
    assert_int_equal(count_own(bed), ALL);
    assert_int_equal(last_same(bed), ALL - 1);
}

static void assert_beside(struct bed *bed, bool dropped) {
    if (!bed->variant->kind->stages)
        return;
    assert_true(bed->faults.beside > 0);
    assert_int_equal(bed->faults.drops > 0, dropped);
}

static void test_in_order(struct bed *bed) {
    struct fate fates[ALL] = {0};
    struct store_identity before, after;
    submit_batches(bed, fates, NULL);
    store_identity(bed->store, &before);
    bed_open_gate(bed);
    bed_drain(bed);
    assert_all_in(bed, fates);
    store_identity(bed->store, &after);
    assert_int_equal(after.batch_no - before.batch_no, BATCHES + bed->variant->threaded);
    assert_int_equal(after.incarnation, before.incarnation);
    assert_beside(bed, false);
}

// With threads a write comes before the batches, which is counted as well.
static void fail_batch(struct bed *bed, _Atomic int64_t *counter, enum backend_result result, int batch) {
    bed->faults.fail_result = bed->faults.fail_stage_result = result;
    *counter = batch + (bed->variant->threaded ? 1 : 0);
    bed_open_gate(bed);
    bed_drain(bed);
}

static void test_each_fault(struct bed *bed) {
    const struct {
        _Atomic int64_t *counter;
        enum backend_result result;
        bool drops;
    } faults[] = {
        {&bed->faults.fail_commit_at, BACKEND_AGAIN, false},
        {&bed->faults.fail_commit_at, BACKEND_REFUSED, false},
        {&bed->faults.fail_commit_at, BACKEND_CONFLICT, false},
        {&bed->faults.fail_finish_at, BACKEND_AGAIN, true},
        {&bed->faults.fail_finish_at, BACKEND_REFUSED, true},
        {&bed->faults.fail_finish_at, BACKEND_CONFLICT, true},
        {&bed->faults.unknown_commit_at, BACKEND_COMMIT_UNKNOWN, true},
        {&bed->faults.lost_commit_at, BACKEND_COMMIT_UNKNOWN, true},
        {&bed->faults.fail_stage_at, BACKEND_AGAIN, false},
        {&bed->faults.fail_stage_at, BACKEND_REFUSED, false},
        {&bed->faults.fail_stage_at, BACKEND_CONFLICT, false},
    };
    for (size_t f = 0; f < sizeof faults / sizeof faults[0]; f++)
        for (int batch = 1; batch <= BATCHES; batch++) {
            struct fate fates[ALL] = {0};
            bed->faults.drops = 0;
            submit_batches(bed, fates, NULL);
            fail_batch(bed, faults[f].counter, faults[f].result, batch);
            assert_all_in(bed, fates);
            // Behind the last batch there is none to be dropped.
            assert_beside(bed, faults[f].drops && batch < BATCHES);
            *faults[f].counter = 0;
            for (int i = 0; i < ALL; i++) {
                char id[16];
                snprintf(id, sizeof id, "i%04d", i);
                struct item row = item(id, "", 0, 0);
                struct fate fate = {0};
                bed_write(bed, &item_table, STORE_DELETE, &row, NULL, &fate);
                bed_drain(bed);
            }
        }
}

// A whole batch fails at its COMMIT, while the next one, whose writes are in the same groups, is written.
static void test_groups(struct bed *bed) {
    if (!bed->variant->kind->stages)
        return;
    struct fate fates[ALL] = {0};
    struct store_group groups[EACH] = {0};
    submit_batches(bed, fates, groups);
    fail_batch(bed, &bed->faults.fail_finish_at, BACKEND_FULL, 2);
    for (int i = 0; i < ALL; i++)
        assert_int_equal(fates[i].code, i < EACH ? ERR_OK : i < 2 * EACH ? ERR_STORE_FULL : ERR_STORE_STALE);
    assert_int_equal(count_own(bed), EACH);
    assert_int_equal(last_same(bed), EACH - 1);
    assert_beside(bed, true);
}

static void test_fenced(struct bed *bed) {
    struct fate fates[ALL] = {0};
    submit_batches(bed, fates, NULL);
    assert_true(store_pump(bed->store));
    bed->variant->kind->usurp(bed);
    bed_drain(bed);
    for (int i = 0; i < ALL; i++)
        assert_int_equal(fates[i].code, i < EACH ? ERR_OK : ERR_STORE_FENCED);
    assert_int_equal(count_own(bed), EACH);
    assert_int_equal(last_same(bed), EACH - 1);
}

static void test_close(struct bed *bed) {
    struct fate fates[ALL] = {0};
    submit_batches(bed, fates, NULL);
    assert_true(store_pump(bed->store));
    bed_close(bed);
    bed_open(bed, item_tables);
    assert_all_in(bed, fates);
}

static void test_abandon(struct bed *bed) {
    struct fate fates[ALL] = {0};
    submit_batches(bed, fates, NULL);
    assert_true(store_pump(bed->store));
    store_abandon(bed->store);
    bed->store = NULL;
    bed->pending = 0;
    assert_int_equal(bed->n_called, 0);
    bed_open(bed, item_tables);
    assert_int_equal(count_own(bed), EACH);
    assert_int_equal(last_same(bed), EACH - 1);
}

const struct contract_case contract_beside[] = {
    {.name = "[E16] a batch is written while the one before is committed, and committed behind it",
     .run = test_in_order,
     .needs_faults = true},
    {.name = "[E13] whatever fails of one of two batches, both go in, in order",
     .run = test_each_fault,
     .needs_faults = true},
    {.name = "[E13] what was written behind a batch that failed is not committed with what had to fail with it",
     .run = test_groups,
     .needs_faults = true},
    {.name = "[E7] what was written, and not fenced yet, has no effect after a take-over",
     .run = test_fenced,
     .alone = true},
    {.name = "closing commits what was written already", .run = test_close, .alone = true},
    {.name = "[E10] abandoning keeps nothing of what was written and not committed",
     .run = test_abandon,
     .alone = true},
    {0},
};
