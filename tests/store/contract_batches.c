// What goes into one transaction, in which order it is called back, and what fails with what.
#include "tests/cmocka.h"
#include "tests/store/contract.h"
#include "tests/store/items.h"

#include <stdio.h>

enum { MANY = 40 };

// `n` writes of one new row each, named by their number, all queued at once.
static void submit_inserts(struct bed *bed, struct fate *fates, int n, struct store_group *groups, int n_groups) {
    for (int i = 0; i < n; i++) {
        char id[16];
        snprintf(id, sizeof id, "i%04d", i);
        struct item row = item(id, "batch", i, 0);
        bed_write(bed, &item_table, STORE_INSERT, &row, n_groups ? &groups[i % n_groups] : NULL, &fates[i]);
    }
}

static size_t count_items(struct bed *bed) {
    struct answer answer = bed_read(bed, &(struct store_query){.table = &item_table, .count = true});
    assert_int_equal(answer.code, ERR_OK);
    return answer.n;
}

static int64_t commits(struct bed *bed) {
    struct store_stats stats;
    store_stats(bed->store, &stats);
    return stats.commits;
}

// What waits behind the gate goes in so many transactions.
static void assert_goes_in(struct bed *bed, int64_t transactions) {
    bed_shut_gate(bed);
    struct fate fates[MANY] = {0};
    int64_t before = commits(bed);
    submit_inserts(bed, fates, MANY, NULL, 0);
    bed_open_gate(bed);
    bed_drain(bed);
    assert_int_equal(count_items(bed), MANY);
    // With threads, one more for the write that waited at the gate.
    assert_int_equal(commits(bed) - before, transactions + bed->variant->threaded);
}

static void test_one_transaction(struct bed *bed) {
    assert_goes_in(bed, 1);
}

static void test_batch_max(struct bed *bed) {
    bed_close(bed);
    bed->options.batch_max = 16;
    bed_open(bed, item_tables);
    assert_goes_in(bed, 3);
}

static void count_hold(void *ctx) {
    ++*(unsigned *)ctx;
}

static void reopen_holding(struct bed *bed, unsigned *holds) {
    bed_close(bed);
    bed->options.hold = count_hold;
    bed->options.hold_ctx = holds;
    bed_open(bed, item_tables);
}

static void test_held(struct bed *bed) {
    unsigned holds = 0;
    reopen_holding(bed, &holds);
    struct fate fates[MANY] = {0};
    struct store_stats stats;
    int64_t before = commits(bed);
    submit_inserts(bed, fates, MANY, NULL, 0);
    store_stats(bed->store, &stats);
    assert_int_equal(holds, 1);
    assert_int_equal(stats.queue, MANY);
    store_flush(bed->store);
    bed_drain(bed);
    assert_int_equal(commits(bed) - before, 1);
    assert_int_equal(count_items(bed), MANY);
    store_flush(bed->store); // nothing is held: nothing happens
    struct item more = item("more", "ann", 0, 0);
    struct fate fate = {0};
    bed_write(bed, &item_table, STORE_INSERT, &more, NULL, &fate);
    assert_int_equal(holds, 2);
    bed_close(bed); // hands over what is held
    assert_int_equal(fate.code, ERR_OK);
    bed_open(bed, item_tables);
    store_flush(bed->store);
    assert_int_equal(count_items(bed), MANY + 1);
}

static void test_held_at_most(struct bed *bed) {
    unsigned holds = 0;
    bed->options.batch_max = 16;
    reopen_holding(bed, &holds);
    struct fate fates[MANY] = {0};
    submit_inserts(bed, fates, MANY, NULL, 0); // 16, 16, and 8 that are held
    while (!fates[31].called)
        bed_step(bed);
    assert_int_equal(holds, 3);
    store_flush(bed->store);
    bed_drain(bed);
    assert_int_equal(count_items(bed), MANY);
}

static void test_in_order(struct bed *bed) {
    struct fate fates[3 * MANY] = {0};
    struct item row = item("same", "ann", 0, 0);
    for (int i = 0; i < 3 * MANY; i++) {
        row.amount = i;
        bed_write(bed, &item_table, STORE_PUT, &row, NULL, &fates[i]);
    }
    bed_drain(bed);
    for (int i = 0; i < 3 * MANY; i++)
        assert_int_equal(fates[i].order, i + 1);
    struct answer answer = bed_read(bed, &(struct store_query){.table = &item_table, .limit = 2});
    assert_int_equal(answer.n, 1);
    assert_int_equal(((const struct item *)answer.rows)->amount, 3 * MANY - 1);
}

static void test_without_rows(struct bed *bed) {
    struct fate fates[MANY] = {0}, empty = {0};
    submit_inserts(bed, fates, MANY, NULL, 0);
    bed_submit(bed, store_write_new(bed->store), NULL, &empty);
    bed_drain(bed);
    assert_int_equal(empty.code, ERR_OK);
    assert_int_equal(empty.order, MANY + 1);
}

// A conflict in the middle: the write that is the culprit fails, alone.
static void test_culprit_alone(struct bed *bed) {
    struct item taken = item("i0017", "before", -1, 0);
    bed_put(bed, &item_table, &taken);
    bed->n_called = 0;
    bed_shut_gate(bed);
    struct fate fates[MANY] = {0};
    submit_inserts(bed, fates, MANY, NULL, 0);
    bed_open_gate(bed);
    bed_drain(bed);
    unsigned first = fates[0].order;
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(fates[i].code, i == 17 ? ERR_STORE_CONFLICT : ERR_OK);
        assert_int_equal(fates[i].order, first + (unsigned)i);
    }
    assert_int_equal(count_items(bed), MANY);
}

static void test_several_culprits(struct bed *bed) {
    const int culprits[] = {0, 1, 20, 38, 39};
    for (size_t i = 0; i < 5; i++) {
        char id[16];
        snprintf(id, sizeof id, "i%04d", culprits[i]);
        struct item taken = item(id, "before", -1, 0);
        bed_put(bed, &item_table, &taken);
    }
    bed_shut_gate(bed);
    struct fate fates[MANY] = {0};
    submit_inserts(bed, fates, MANY, NULL, 0);
    bed_open_gate(bed);
    bed_drain(bed);
    int failed = 0;
    for (int i = 0; i < MANY; i++) {
        bool culprit = i < 2 || i == 20 || i > 37;
        assert_int_equal(fates[i].code, culprit ? ERR_STORE_CONFLICT : ERR_OK);
        failed += culprit;
    }
    assert_int_equal(failed, 5);
    struct store_stats stats;
    store_stats(bed->store, &stats);
    assert_int_equal(stats.failed_writes, 5);
}

// Three groups in turns; write 4 (group 1) conflicts: from there on every write of group 1 is stale, no other.
static void test_group_fails_together(struct bed *bed) {
    struct item taken = item("i0004", "before", -1, 0);
    bed_put(bed, &item_table, &taken);
    bed_shut_gate(bed);
    struct store_group groups[3] = {0};
    struct fate fates[MANY] = {0};
    submit_inserts(bed, fates, MANY, groups, 3);
    assert_int_equal(groups[0].in_flight, (MANY + 2) / 3);
    bed_open_gate(bed);
    bed_drain(bed);
    size_t succeeded = 0;
    for (int i = 0; i < MANY; i++) {
        enum err expected = i == 4 ? ERR_STORE_CONFLICT : i > 4 && i % 3 == 1 ? ERR_STORE_STALE : ERR_OK;
        assert_int_equal(fates[i].code, expected);
        succeeded += expected == ERR_OK;
    }
    assert_int_equal(count_items(bed), succeeded + 1);
    assert_true(groups[1].failed);
    assert_false(groups[0].failed || groups[2].failed);
    assert_int_equal(groups[1].in_flight, 0);
}

// In the culprit's own batch, before and behind it, and of another group.
static void test_without_rows_of_a_group(struct bed *bed) {
    struct item row = item("a", "ann", 1, 1);
    bed_put(bed, &item_table, &row);
    bed_shut_gate(bed);
    struct store_group group = {0}, other = {0};
    struct fate before = {0}, culprit = {0}, behind = {0}, beside = {0};
    bed_submit(bed, store_write_new(bed->store), &group, &before);
    bed_write(bed, &item_table, STORE_INSERT, &row, &group, &culprit);
    bed_submit(bed, store_write_new(bed->store), &group, &behind);
    bed_submit(bed, store_write_new(bed->store), &other, &beside);
    bed_open_gate(bed);
    bed_drain(bed);
    assert_int_equal(before.code, ERR_OK);
    assert_int_equal(culprit.code, ERR_STORE_CONFLICT);
    assert_int_equal(behind.code, ERR_STORE_STALE);
    assert_int_equal(beside.code, ERR_OK);
}

static void test_stale_until_reset(struct bed *bed) {
    struct item row = item("a", "ann", 1, 1), next = item("b", "ann", 2, 2);
    bed_put(bed, &item_table, &row);
    struct store_group group = {0};
    struct fate culprit = {0}, later = {0}, after_reset = {0};
    bed_write(bed, &item_table, STORE_INSERT, &row, &group, &culprit);
    bed_drain(bed);
    bed_write(bed, &item_table, STORE_PUT, &next, &group, &later);
    bed_drain(bed);
    assert_int_equal(culprit.code, ERR_STORE_CONFLICT);
    assert_int_equal(later.code, ERR_STORE_STALE);
    assert_true(group.failed);
    store_group_reset(&group);
    bed_write(bed, &item_table, STORE_PUT, &next, &group, &after_reset);
    bed_drain(bed);
    assert_int_equal(after_reset.code, ERR_OK);
    assert_false(group.failed);
    assert_int_equal(count_items(bed), 2);
}

// A write that never gets to the database fails its group as well.
static void test_bad_row_fails_group(struct bed *bed) {
    struct item bad = item("a", "ann", 1, 1), next = item("b", "ann", 2, 2);
    memset(bad.note, 'n', sizeof bad.note);
    struct store_group group = {0};
    struct fate culprit = {0}, later = {0};
    bed_write(bed, &item_table, STORE_PUT, &bad, &group, &culprit);
    bed_write(bed, &item_table, STORE_PUT, &next, &group, &later);
    bed_drain(bed);
    assert_int_equal(culprit.code, ERR_STORE_REFUSED);
    assert_int_equal(later.code, ERR_STORE_STALE);
    assert_int_equal(count_items(bed), 0);
}

// The owner drops its state in the callback of the failure's last write, and writes anew at once.
static void start_afresh(struct fate *fate) {
    struct fate *next = fate->ctx;
    struct store_group *group = next->ctx;
    if (group->in_flight > 0)
        return;
    assert_true(group->failed);
    store_group_reset(group);
    struct item row = item("fresh", "ann", 1, 1);
    bed_write(fate->bed, &item_table, STORE_INSERT, &row, group, next);
}

static void test_reset_in_callback(struct bed *bed) {
    struct item row = item("a", "ann", 1, 1), other = item("b", "ann", 1, 1);
    bed_put(bed, &item_table, &row);
    struct store_group group = {0};
    struct fate next = {.ctx = &group}, culprit = {.then = start_afresh, .ctx = &next},
                stale = {.then = start_afresh, .ctx = &next};
    bed_write(bed, &item_table, STORE_INSERT, &row, &group, &culprit);
    bed_write(bed, &item_table, STORE_PUT, &other, &group, &stale);
    bed_drain(bed);
    assert_true(next.called);
    assert_int_equal(next.code, ERR_OK);
    assert_int_equal(count_items(bed), 2);
}

static void test_room(struct bed *bed) {
    bed_close(bed);
    bed->options.queue_max = 50;
    bed_open(bed, item_tables);
    bed_shut_gate(bed);
    uint32_t room = store_room(bed->store);
    assert_int_equal(room, bed->variant->threaded ? 49 : 50);
    struct fate fates[MANY] = {0};
    submit_inserts(bed, fates, MANY, NULL, 0);
    assert_int_equal(store_room(bed->store), room - MANY);
    struct item row = item("more", "x", 0, 0);
    struct fate more[15] = {0};
    for (int i = 0; i < 15; i++)
        bed_write(bed, &item_table, STORE_PUT, &row, NULL, &more[i]);
    assert_int_equal(store_room(bed->store), 0);
    bed_open_gate(bed);
    bed_drain(bed);
    assert_int_equal(store_room(bed->store), 50);
}

static void test_close_delivers(struct bed *bed) {
    bed_shut_gate(bed);
    struct fate fates[MANY] = {0};
    submit_inserts(bed, fates, MANY, NULL, 0);
    bed_open_gate(bed);
    bed_close(bed);
    assert_int_equal(bed->pending, 0);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(fates[i].code, ERR_OK);
    bed_open(bed, item_tables);
    assert_int_equal(count_items(bed), MANY);
}

static void write_again(struct fate *fate) {
    struct item row = item("late", "x", 0, 0);
    bed_write(fate->bed, &item_table, STORE_PUT, &row, NULL, fate->ctx);
}

static void test_submit_while_closing(struct bed *bed) {
    struct fate late = {0}, first = {.then = write_again, .ctx = &late};
    struct item row = item("a", "x", 0, 0);
    bed_write(bed, &item_table, STORE_PUT, &row, NULL, &first);
    bed_close(bed);
    assert_int_equal(first.code, ERR_OK);
    assert_int_equal(late.code, ERR_SHUTTING_DOWN);
    bed_open(bed, item_tables);
    assert_int_equal(count_items(bed), 1);
}

// What was called back is there, what was only queued is not: as after a crash.
static void test_abandon(struct bed *bed) {
    struct item row = item("a", "x", 0, 0), lost = item("b", "x", 0, 0);
    bed_put(bed, &item_table, &row);
    struct fate fate = {0};
    bed_write(bed, &item_table, STORE_PUT, &lost, NULL, &fate);
    store_abandon(bed->store);
    bed->store = NULL;
    bed->pending = 0;
    assert_false(fate.called);
    bed_open(bed, item_tables);
    assert_int_equal(count_items(bed), 1);
}

static void test_batch_numbers(struct bed *bed) {
    struct store_identity before, after, again;
    store_identity(bed->store, &before);
    assert_string_equal(before.name, "test-1");
    struct item row = item("a", "x", 0, 0);
    for (int i = 0; i < 3; i++)
        bed_put(bed, &item_table, &row);
    store_identity(bed->store, &after);
    assert_int_equal(after.batch_no, before.batch_no + 3);
    assert_int_equal(after.incarnation, before.incarnation);
    bed_reopen(bed);
    store_identity(bed->store, &again);
    assert_int_equal(again.batch_no, after.batch_no);
    assert_int_equal(again.incarnation, after.incarnation + 1);
    struct answer answer = bed_read(bed, &(struct store_query){.table = &store_instance_table, .limit = 10});
    assert_int_equal(answer.n, 1);
    const struct store_instance_row *instance = answer.rows;
    assert_string_equal(instance->name, "test-1");
    assert_string_equal(instance->address, "127.0.0.1:1");
    assert_int_equal(instance->incarnation, again.incarnation);
    assert_int_equal(instance->batch_no, again.batch_no);
}

static void test_slots(struct bed *bed) {
    struct answer answer =
        bed_read(bed, &(struct store_query){.table = &store_slot_table,
                                            .conds = {{.column = "owner", .cmp = STORE_EQ, .text = STR("test-1")}},
                                            .count = true});
    assert_int_equal(answer.n, SLOT_COUNT);
}

const struct contract_case contract_batches[] = {
    {.name = "what is queued goes into one transaction", .run = test_one_transaction, .needs_faults = true},
    {.name = "a transaction takes no more than batch_max writes", .run = test_batch_max, .needs_faults = true},
    {.name = "what is held back goes in one transaction when it is flushed, or at the end", .run = test_held},
    {.name = "no more is held back than one transaction takes", .run = test_held_at_most},
    {.name = "writes take effect and call back in order", .run = test_in_order},
    {.name = "a write without rows is done when everything before it is", .run = test_without_rows},
    {.name = "[E13] the culprit of a batch fails alone", .run = test_culprit_alone, .needs_faults = true},
    {.name = "[E13] several culprits of a batch fail alone", .run = test_several_culprits, .needs_faults = true},
    {.name = "[E13] a failed write fails the later writes of its group, and no others",
     .run = test_group_fails_together,
     .needs_faults = true},
    {.name = "[E13] a write without rows is not done when what is before it in its group failed",
     .run = test_without_rows_of_a_group,
     .needs_faults = true},
    {.name = "[E13] a group stays failed until it is reset", .run = test_stale_until_reset},
    {.name = "[E13] a row that breaks its description fails its group", .run = test_bad_row_fails_group},
    {.name = "a group can be reset in its last callback", .run = test_reset_in_callback},
    {.name = "store_room tells how many more the queue takes", .run = test_room, .needs_faults = true},
    {.name = "closing finishes what is queued", .run = test_close_delivers, .needs_faults = true},
    {.name = "what is submitted while closing fails", .run = test_submit_while_closing},
    {.name = "abandoning keeps what was called back and nothing more", .run = test_abandon, .alone = true},
    {.name = "opening raises the incarnation, committing the batch number", .run = test_batch_numbers},
    {.name = "an instance that is alone owns every slot", .run = test_slots},
    {0},
};
