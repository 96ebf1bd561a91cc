// Several instances on one store, under virtual time: who owns what, when one leaves, dies, or is stopped for a while.
#include "saga/engine.h"
#include "saga/tables.h"
#include "store/backend.h"
#include "tests/base/seeded.h"
#include "tests/cmocka.h"
#include "tests/time/virtual_time.h"

#include <stdio.h>

enum { NODES = 3, LEASE_MS = 2500, LOOK_MS = LEASE_MS / 4, ROUND_MS = 1000, TAKEN_MS = LEASE_MS + 3 * LOOK_MS };

struct node {
    struct virtual_time *time;
    struct store *store;
    struct saga_engine *engine; // NULL: it does not run
    struct rpc_timer alarm;
    struct store_faults faults;
    bool stopped; // as by SIGSTOP
    bool fenced, left;
    unsigned shared; // how often it was told that another has its address
    char name[8];
};

struct bed {
    struct virtual_time time;
    struct seeded seeded;
    struct store_backend *disk;
    const struct store_table *tables[16];
    struct node nodes[NODES];
};

static void tick(void *ctx) {
    struct node *node = ctx;
    if (node->engine && !node->stopped)
        saga_engine_tick(node->engine);
}

static void set_alarm(void *ctx, int64_t due_ms) {
    struct node *node = ctx;
    node->time->timers.set(node->time, &node->alarm, due_ms);
}

static void notice(void *ctx, const struct saga_notice *told) {
    struct node *node = ctx;
    if (told->kind == SAGA_NOTICE_FENCED)
        node->fenced = true;
    if (told->kind == SAGA_NOTICE_ADDRESS_SHARED)
        node->shared++;
}

static uint64_t any(void *ctx) {
    return seeded_next(ctx);
}

static bool pump(void *ctx) {
    struct bed *bed = ctx;
    bool did = false;
    for (size_t i = 0; i < NODES; i++) {
        struct node *node = &bed->nodes[i];
        if (!node->store || node->stopped)
            continue;
        store_pump(node->store);
        did = store_poll(node->store) > 0 || did;
    }
    return did;
}

static void open_at(struct bed *bed, size_t i, const char *address) {
    struct node *node = &bed->nodes[i];
    struct error error = {0};
    *node = (struct node){.time = &bed->time, .alarm = {.fire = tick, .ctx = node}};
    snprintf(node->name, sizeof node->name, "node-%zu", i);
    struct store_options storing = {.tables = bed->tables,
                                    .clock = &bed->time.clock,
                                    .instance = node->name,
                                    .address = address ? address : node->name,
                                    .lease_ms = LEASE_MS};
    if (!store_open(store_faulty(store_memory_share(bed->disk), &node->faults), &storing, &node->store, &error))
        fail_msg("%s", error.text);
    struct saga_options options = {.store = node->store,
                                   .clock = &bed->time.clock,
                                   .random = any,
                                   .random_ctx = &bed->seeded,
                                   .alarm = set_alarm,
                                   .alarm_ctx = node,
                                   .notice = notice,
                                   .notice_ctx = node,
                                   .lease_ms = LEASE_MS};
    if (!saga_engine_new(&options, &node->engine, &error))
        fail_msg("%s", error.text);
    saga_engine_recover(node->engine);
}

static void open_node(struct bed *bed, size_t i) {
    open_at(bed, i, NULL);
}

static void end_node(struct node *node, void (*end)(struct store *store)) {
    if (!node->engine)
        return;
    saga_engine_stop(node->engine);
    end(node->store);
    node->time->timers.stop(node->time, &node->alarm);
    saga_engine_free(node->engine);
    node->store = NULL;
    node->engine = NULL;
}

static int set_up(void **state) {
    static struct bed bed;
    bed = (struct bed){.seeded = {11}};
    virtual_time_init(&bed.time, 1700000000000);
    virtual_time_add_pump(&bed.time, pump, &bed);
    saga_tables_add(bed.tables, sizeof bed.tables / sizeof bed.tables[0], saga_tables);
    bed.disk = store_memory();
    store_memory_clock(bed.disk, &bed.time.clock);
    *state = &bed;
    return 0;
}

static int tear_down(void **state) {
    struct bed *bed = *state;
    for (size_t i = 0; i < NODES; i++) {
        bed->nodes[i].stopped = false;
        end_node(&bed->nodes[i], store_close);
    }
    virtual_time_release(&bed->time);
    store_backend_free(bed->disk);
    return 0;
}

static void run(struct bed *bed, int64_t ms) {
    virtual_time_run_until(&bed->time, bed->time.now_ms + ms);
}

static unsigned owned(const struct node *node) {
    unsigned n = 0;
    for (unsigned slot = 0; node->engine && slot < SLOT_COUNT; slot++)
        n += saga_engine_owns(node->engine, slot);
    return n;
}

// No slot has two owners that think so.
static void check_apart(const struct bed *bed) {
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        unsigned owners = 0;
        for (size_t i = 0; i < NODES; i++)
            owners += bed->nodes[i].engine && !bed->nodes[i].fenced && saga_engine_owns(bed->nodes[i].engine, slot);
        assert_true(owners <= 1);
    }
}

static struct bed *with(void **state, size_t n) {
    struct bed *bed = *state;
    for (size_t i = 0; i < n; i++)
        open_node(bed, i);
    run(bed, 4 * ROUND_MS);
    check_apart(bed);
    return bed;
}

// ---- Sharing ------------------------------------------------------------------------------------------------------

static void test_they_share_evenly_and_know_of_each_other(void **state) {
    struct bed *bed = with(state, NODES);
    for (size_t i = 0; i < NODES; i++)
        assert_in_range(owned(&bed->nodes[i]), SLOT_COUNT / NODES, SLOT_COUNT / NODES + 1);
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++)
        for (size_t i = 0; i < NODES; i++) {
            const char *owner = saga_engine_owner(bed->nodes[i].engine, slot);
            assert_true(saga_engine_owns(bed->nodes[i].engine, slot) == !owner);
            for (size_t k = 0; owner && k < NODES; k++)
                assert_true((strcmp(owner, bed->nodes[k].name) == 0) == saga_engine_owns(bed->nodes[k].engine, slot));
        }
}

static void test_one_that_comes_is_given_its_share(void **state) {
    struct bed *bed = with(state, 1);
    assert_int_equal(owned(&bed->nodes[0]), SLOT_COUNT);
    open_node(bed, 1);
    run(bed, 4 * ROUND_MS);
    assert_int_equal(owned(&bed->nodes[0]), SLOT_COUNT / 2);
    assert_int_equal(owned(&bed->nodes[1]), SLOT_COUNT / 2);
}

// ---- Leaving ------------------------------------------------------------------------------------------------------

static void has_left(void *ctx, const struct error *error) {
    struct node *node = ctx;
    assert_null(error);
    assert_false(node->left);
    node->left = true;
}

static void leave(struct node *node) {
    saga_engine_hand_over(node->engine, has_left, node);
}

static void test_one_that_leaves_hands_over_at_once_and_is_given_nothing(void **state) {
    struct bed *bed = with(state, NODES);
    leave(&bed->nodes[0]);
    run(bed, ROUND_MS);
    assert_true(bed->nodes[0].left);
    assert_int_equal(owned(&bed->nodes[1]) + owned(&bed->nodes[2]), SLOT_COUNT);
    for (int i = 0; i < 20; i++) { // it still runs, and renews its lease
        run(bed, ROUND_MS);
        check_apart(bed);
        assert_int_equal(owned(&bed->nodes[0]), 0);
    }
    assert_false(bed->nodes[0].fenced);
    end_node(&bed->nodes[0], store_close);
    open_node(bed, 0);
    run(bed, 4 * ROUND_MS);
    assert_in_range(owned(&bed->nodes[0]), SLOT_COUNT / NODES, SLOT_COUNT / NODES + 1);
}

static void test_one_that_leaves_alone_keeps_what_it_has(void **state) {
    struct bed *bed = with(state, 1);
    leave(&bed->nodes[0]);
    run(bed, ROUND_MS);
    assert_true(bed->nodes[0].left);
    assert_int_equal(owned(&bed->nodes[0]), SLOT_COUNT);
}

static void test_whoever_stays_gets_it_all_when_two_leave(void **state) {
    struct bed *bed = with(state, NODES);
    leave(&bed->nodes[0]);
    leave(&bed->nodes[1]);
    run(bed, 3 * ROUND_MS);
    assert_true(bed->nodes[0].left && bed->nodes[1].left);
    assert_int_equal(owned(&bed->nodes[2]), SLOT_COUNT);
    check_apart(bed);
}

// ---- Death --------------------------------------------------------------------------------------------------------

static void test_a_dead_one_is_taken_over_from_when_its_lease_is_over(void **state) {
    struct bed *bed = with(state, NODES);
    unsigned theirs = owned(&bed->nodes[1]) + owned(&bed->nodes[2]);
    end_node(&bed->nodes[0], store_abandon);
    run(bed, LEASE_MS - LOOK_MS);
    assert_int_equal(owned(&bed->nodes[1]) + owned(&bed->nodes[2]), theirs); // it may be alive
    run(bed, TAKEN_MS - LEASE_MS + LOOK_MS + ROUND_MS);
    assert_int_equal(owned(&bed->nodes[1]) + owned(&bed->nodes[2]), SLOT_COUNT);
    check_apart(bed);
}

// What it takes over just as it leaves is given away like the rest, before it is gone.
static void test_what_is_taken_over_while_it_leaves_is_given_away(void **state) {
    struct bed *bed = with(state, NODES);
    struct node *leaver = &bed->nodes[0];
    leaver->faults.fail_take_overs = bed->nodes[1].faults.fail_take_overs = 1000000;
    end_node(&bed->nodes[2], store_abandon);
    run(bed, TAKEN_MS + ROUND_MS);
    leave(leaver);
    run(bed, ROUND_MS);
    leaver->faults.fail_take_overs = 0;
    for (int i = 0; i < 100 && !leaver->left; i++)
        run(bed, ROUND_MS / 10);
    assert_true(leaver->left);
    end_node(leaver, store_close);
    run(bed, 2 * LOOK_MS);
    assert_int_equal(owned(&bed->nodes[1]), SLOT_COUNT);
}

// [E7]
static void test_one_that_was_stopped_for_longer_finds_out_and_drives_nothing_anew(void **state) {
    struct bed *bed = with(state, NODES);
    bed->nodes[0].stopped = true;
    run(bed, TAKEN_MS + ROUND_MS);
    assert_int_equal(owned(&bed->nodes[1]) + owned(&bed->nodes[2]), SLOT_COUNT);
    assert_int_equal(store_lease_left_ms(bed->nodes[0].store), 0); // so it sends nothing
    bed->nodes[0].stopped = false;
    tick(&bed->nodes[0]);
    run(bed, ROUND_MS);
    assert_true(bed->nodes[0].fenced);
    assert_int_equal(owned(&bed->nodes[0]), 0);
    assert_null(saga_engine_owner(bed->nodes[0].engine, 0)); // what it knew of the others is out of date, too
    assert_int_equal(owned(&bed->nodes[1]) + owned(&bed->nodes[2]), SLOT_COUNT);
}

static void test_a_short_pause_costs_nothing(void **state) {
    struct bed *bed = with(state, NODES);
    unsigned before = owned(&bed->nodes[0]);
    bed->nodes[0].stopped = true;
    run(bed, LEASE_MS - LOOK_MS);
    bed->nodes[0].stopped = false;
    tick(&bed->nodes[0]);
    run(bed, 10 * ROUND_MS);
    assert_false(bed->nodes[0].fenced);
    assert_int_equal(owned(&bed->nodes[0]), before);
}

// ---- A database that was away -------------------------------------------------------------------------------------

static void set_down(struct node *node, bool down) {
    node->faults.fail_result = BACKEND_AGAIN;
    node->faults.fail_for = down ? 1000000 : 0;
    node->faults.fail_commit_at = down;
}

static int64_t taken_over(const struct node *node) {
    struct saga_stats stats;
    saga_engine_stats(node->engine, &stats);
    return stats.taken_over;
}

// All leases are over then, and one is back before the others, which must not be taken for dead: however often somebody
// looks.
static void test_who_is_back_first_takes_over_from_nobody_that_lives(void **state) {
    struct bed *bed = with(state, NODES);
    for (size_t i = 0; i < NODES; i++)
        set_down(&bed->nodes[i], true);
    run(bed, 4 * LEASE_MS);
    for (size_t i = 0; i < NODES; i++) {
        set_down(&bed->nodes[i], false);
        for (int k = 0; k < 20; k++) {
            run(bed, 100);
            for (size_t m = 0; m <= i; m++)
                saga_engine_look(bed->nodes[m].engine);
        }
    }
    run(bed, 4 * LEASE_MS);
    for (size_t i = 0; i < NODES; i++) {
        assert_int_equal(taken_over(&bed->nodes[i]), 0);
        assert_false(bed->nodes[i].fenced);
    }
    end_node(&bed->nodes[2], store_abandon); // and one that is dead is taken over from again
    run(bed, TAKEN_MS + ROUND_MS);
    assert_int_equal(owned(&bed->nodes[0]) + owned(&bed->nodes[1]), SLOT_COUNT);
    check_apart(bed);
}

// Whoever waits for a dead one's slots looks all the time, and brings nothing forward by that.
static void test_who_looks_often_takes_over_no_sooner(void **state) {
    struct bed *bed = with(state, 2);
    for (int round = 0; round < 5; round++) { // wherever in its round it is stopped
        run(bed, 4 * ROUND_MS + LOOK_MS / 5);
        bed->nodes[1].stopped = true;
        for (int i = 0; i < LEASE_MS / 50; i++) {
            run(bed, 50);
            saga_engine_look(bed->nodes[0].engine);
        }
        bed->nodes[1].stopped = false;
        tick(&bed->nodes[1]);
    }
    run(bed, 4 * ROUND_MS);
    assert_int_equal(taken_over(&bed->nodes[0]), 0);
    assert_false(bed->nodes[1].fenced);
}

// ---- Rows that are missing, or many -------------------------------------------------------------------------------

static void written(void *ctx, const struct error *error) {
    assert_null(error);
    *(bool *)ctx = true;
}

static void change(struct bed *bed, enum store_verb verb, const struct store_instance_row *rows, size_t n) {
    struct store *store = bed->nodes[0].store;
    struct store_write *write = store_write_new(store);
    bool done = false;
    for (size_t i = 0; i < n; i++)
        store_row(write, &store_instance_table, verb, &rows[i]);
    store_submit(store, write, NULL, written, &done);
    run(bed, 10);
    assert_true(done);
}

// Somebody has deleted it, or a backup did not hold it.
static void test_slots_of_one_without_a_row_are_taken(void **state) {
    struct bed *bed = with(state, NODES);
    end_node(&bed->nodes[2], store_abandon);
    change(bed, STORE_DELETE, &(struct store_instance_row){.name = "node-2"}, 1);
    run(bed, TAKEN_MS + 4 * ROUND_MS);
    assert_int_equal(owned(&bed->nodes[0]) + owned(&bed->nodes[1]), SLOT_COUNT);
    check_apart(bed);
    open_node(bed, 2);
    run(bed, 4 * ROUND_MS);
    assert_in_range(owned(&bed->nodes[2]), SLOT_COUNT / NODES, SLOT_COUNT / NODES + 1);
    for (size_t i = 0; i < NODES; i++)
        assert_false(bed->nodes[i].fenced);
}

// One that lives and whose row is deleted is fenced: its slots are another's then, and it commits nothing any more.
static void test_one_whose_row_is_deleted_ends(void **state) {
    struct bed *bed = with(state, NODES);
    change(bed, STORE_DELETE, &(struct store_instance_row){.name = "node-2"}, 1);
    run(bed, TAKEN_MS + 4 * ROUND_MS);
    assert_true(bed->nodes[2].fenced);
    assert_int_equal(owned(&bed->nodes[0]) + owned(&bed->nodes[1]), SLOT_COUNT);
    check_apart(bed);
}

// What is given to one that is gone before the write that says so stays where it was.
static void test_slots_on_their_way_to_one_whose_row_is_gone_stay(void **state) {
    struct bed *bed = with(state, 1);
    struct saga_engine *engine = bed->nodes[0].engine;
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) // work that is not yet done holds them
        slot_use(engine, slot);
    open_node(bed, 1);
    run(bed, 2 * ROUND_MS);
    unsigned left = SLOT_COUNT - owned(&bed->nodes[0]);
    assert_true(left > 0);
    assert_int_equal(owned(&bed->nodes[1]), 0);
    end_node(&bed->nodes[1], store_abandon);
    change(bed, STORE_DELETE, &(struct store_instance_row){.name = "node-1"}, 1);
    run(bed, 2 * ROUND_MS);
    assert_int_equal(owned(&bed->nodes[0]), SLOT_COUNT - left);
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++)
        slot_unuse(engine, slot);
    run(bed, 2 * ROUND_MS);
    assert_int_equal(owned(&bed->nodes[0]), SLOT_COUNT);
    assert_false(bed->nodes[0].fenced);
    open_node(bed, 1);
    run(bed, 8 * ROUND_MS); // and they can be given again
    assert_in_range(owned(&bed->nodes[1]), SLOT_COUNT / 2 - 1, SLOT_COUNT / 2 + 1);
    check_apart(bed);
}

// Each that lives is told once; of one that is dead nobody is.
static void test_who_shares_an_address_is_told(void **state) {
    struct bed *bed = *state;
    for (size_t i = 0; i < 2; i++)
        open_at(bed, i, "127.0.0.1:50051");
    open_node(bed, 2);
    run(bed, 4 * ROUND_MS);
    assert_int_equal(bed->nodes[0].shared, 1);
    assert_int_equal(bed->nodes[1].shared, 1);
    assert_int_equal(bed->nodes[2].shared, 0);
    for (size_t i = 0; i < 2; i++)
        end_node(&bed->nodes[i], store_abandon);
    run(bed, TAKEN_MS + ROUND_MS);
    open_at(bed, 0, "127.0.0.1:50051");
    run(bed, 4 * ROUND_MS);
    assert_int_equal(bed->nodes[0].shared, 0);
}

// The rows of what ran once are never deleted: names may be new at each start.
static void test_many_were_there_before(void **state) {
    enum { BEFORE = 2300 };
    static struct store_instance_row rows[BEFORE];
    struct bed *bed = with(state, NODES);
    for (size_t i = 0; i < BEFORE; i++)
        snprintf(rows[i].name, sizeof rows[i].name, "before-%zu", i);
    change(bed, STORE_INSERT, rows, BEFORE);
    run(bed, 2 * ROUND_MS);
    end_node(&bed->nodes[2], store_abandon);
    run(bed, TAKEN_MS + ROUND_MS);
    assert_int_equal(owned(&bed->nodes[0]) + owned(&bed->nodes[1]), SLOT_COUNT);
    check_apart(bed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(test_they_share_evenly_and_know_of_each_other),
        TEST(test_one_that_comes_is_given_its_share),
        TEST(test_one_that_leaves_hands_over_at_once_and_is_given_nothing),
        TEST(test_one_that_leaves_alone_keeps_what_it_has),
        TEST(test_whoever_stays_gets_it_all_when_two_leave),
        TEST(test_what_is_taken_over_while_it_leaves_is_given_away),
        TEST(test_a_dead_one_is_taken_over_from_when_its_lease_is_over),
        TEST(test_one_that_was_stopped_for_longer_finds_out_and_drives_nothing_anew),
        TEST(test_a_short_pause_costs_nothing),
        TEST(test_who_is_back_first_takes_over_from_nobody_that_lives),
        TEST(test_who_looks_often_takes_over_no_sooner),
        TEST(test_slots_of_one_without_a_row_are_taken),
        TEST(test_one_whose_row_is_deleted_ends),
        TEST(test_slots_on_their_way_to_one_whose_row_is_gone_stay),
        TEST(test_who_shares_an_address_is_told),
        TEST(test_many_were_there_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
