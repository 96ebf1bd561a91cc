// Several instances over one database: whose slots are whose, how long, and who may take them over.
#include "tests/cmocka.h"
#include "tests/store/contract.h"
#include "tests/store/items.h"

#include <stdio.h>

enum { HOUR_MS = 3600000, TRIES = 100000 };

// Another instance of the bed's database, without threads.
static struct store *open_faulty(struct bed *bed, const char *name, uint32_t lease_ms, struct store_faults *faults) {
    struct store_options options = bed->options;
    options.threaded = false;
    options.instance = name;
    options.lease_ms = lease_ms;
    struct store *other;
    struct error error = {0};
    struct store_backend *backend = bed->variant->kind->backend(bed);
    if (!store_open(faults ? store_faulty(backend, faults) : backend, &options, &other, &error))
        fail_msg("%s", error.text);
    return other;
}

static struct store *open_other(struct bed *bed, const char *name, uint32_t lease_ms) {
    return open_faulty(bed, name, lease_ms, NULL);
}

static void reopen_with_lease(struct bed *bed, uint32_t lease_ms) {
    bed_close(bed);
    bed->options.lease_ms = lease_ms;
    bed_open(bed, item_tables);
}

static struct store_instance_row instance(struct bed *bed, const char *name) {
    struct answer answer = bed_read(bed, &(struct store_query){.table = &store_instance_table,
                                                               .conds = {{.column = "name", .text = str_c(name)}},
                                                               .limit = 1});
    assert_int_equal(answer.n, 1);
    return *(const struct store_instance_row *)answer.rows;
}

static size_t slots_of(struct bed *bed, const char *name) {
    return bed_read(bed, &(struct store_query){.table = &store_slot_table,
                                               .conds = {{.column = "owner", .text = str_c(name)}},
                                               .count = true})
        .n;
}

struct taking_seen {
    struct bed *bed;
    bool taken;
    enum err code;
};

static void took(void *ctx, const struct error *error, bool taken) {
    struct taking_seen *seen = ctx;
    seen->bed->pending--;
    seen->taken = taken;
    seen->code = error ? error->code : ERR_OK;
}

static bool take_over(struct bed *bed, const struct store_instance_row *dead) {
    struct taking_seen seen = {.bed = bed};
    bed->pending++;
    store_take_over(bed->store, dead, took, &seen);
    bed_drain(bed);
    assert_int_equal(seen.code, ERR_OK);
    return seen.taken;
}

// Until the lease is over by the database's clock.
static void take_over_at_last(struct bed *bed, const struct store_instance_row *dead) {
    for (int tries = 0; !take_over(bed, dead); tries++) {
        assert_true(tries < TRIES);
        bed->now_ms++;
    }
}

static enum err write_by(struct store *store, struct bed *bed, const char *id) {
    struct fate fate = {.bed = bed};
    struct item row = item(id, "ann", 1, 0);
    struct store_write *write = store_write_new(store);
    store_row(write, &item_table, STORE_PUT, &row);
    struct store *own = bed->store;
    bed->store = store;
    bed_submit(bed, write, NULL, &fate);
    while (!fate.called) {
        store_pump(store);
        store_poll(store);
    }
    bed->store = own;
    return fate.code;
}

static void test_a_live_instance_keeps_its_slots(struct bed *bed) {
    struct store *other = open_other(bed, "other", HOUR_MS);
    reopen_with_lease(bed, HOUR_MS);
    struct store_instance_row row = instance(bed, "other");
    size_t before = slots_of(bed, "test-1");
    assert_false(take_over(bed, &row));
    assert_int_equal(slots_of(bed, "test-1"), before);
    assert_int_equal(write_by(other, bed, "theirs"), ERR_OK);
    store_close(other);
}

static void give_all_to(struct bed *bed, const char *name) {
    struct store_write *write = store_write_new(bed->store);
    struct fate fate = {0};
    for (int32_t slot = 0; slot < SLOT_COUNT; slot++) {
        struct store_slot_row row = {.slot = slot};
        snprintf(row.owner, sizeof row.owner, "%s", name);
        store_row(write, &store_slot_table, STORE_PUT, &row);
    }
    bed_submit(bed, write, NULL, &fate);
    bed_drain(bed);
    assert_int_equal(fate.code, ERR_OK);
}

static void test_a_dead_instance_loses_its_slots_and_its_voice(struct bed *bed) {
    reopen_with_lease(bed, HOUR_MS);
    struct store *other = open_other(bed, "other", 1);
    give_all_to(bed, "other");
    struct store_instance_row row = instance(bed, "other");
    take_over_at_last(bed, &row);
    assert_int_equal(slots_of(bed, "test-1"), SLOT_COUNT);
    assert_int_equal(slots_of(bed, "other"), 0);
    assert_int_equal(write_by(other, bed, "stale"), ERR_STORE_FENCED);
    struct answer stale = bed_read(bed, &(struct store_query){.table = &item_table, .count = true});
    assert_int_equal(stale.n, 0);
    store_close(other);
}

// It stood still for longer than its lease, and loses its connection in the first commit that it then tries.
static void test_a_dead_instance_does_not_come_back_to_see_what_became_of_a_commit(struct bed *bed) {
    struct store_faults faults = {0};
    reopen_with_lease(bed, HOUR_MS);
    struct store *other = open_faulty(bed, "other", 1, &faults);
    give_all_to(bed, "other");
    struct store_instance_row row = instance(bed, "other");
    take_over_at_last(bed, &row);
    faults.lost_commit_at = 1;
    assert_int_equal(write_by(other, bed, "stale"), ERR_STORE_FENCED);
    assert_int_equal(write_by(other, bed, "stale too"), ERR_STORE_FENCED);
    assert_int_equal(instance(bed, "other").incarnation, row.incarnation + 1);
    struct answer stale = bed_read(bed, &(struct store_query){.table = &item_table, .count = true});
    assert_int_equal(stale.n, 0);
    store_close(other);
}

static void test_one_that_has_come_back_is_not_taken_over_from(struct bed *bed) {
    reopen_with_lease(bed, HOUR_MS);
    store_close(open_other(bed, "other", 1));
    struct store_instance_row before = instance(bed, "other");
    give_all_to(bed, "other");
    struct store *other = open_other(bed, "other", HOUR_MS);
    assert_false(take_over(bed, &before)); // another incarnation
    struct store_instance_row now = instance(bed, "other");
    assert_int_equal(now.incarnation, before.incarnation + 1);
    assert_false(take_over(bed, &now)); // alive
    assert_int_equal(slots_of(bed, "other"), SLOT_COUNT);
    store_close(other);
}

static void test_commits_renew_the_lease(struct bed *bed) {
    reopen_with_lease(bed, HOUR_MS);
    int64_t opened = instance(bed, "test-1").lease_until_ms;
    assert_in_range(store_lease_left_ms(bed->store), 1, HOUR_MS);
    bed->now_ms += HOUR_MS; // of this process's clock
    assert_int_equal(store_lease_left_ms(bed->store), 0);
    struct store_stats before, after;
    store_stats(bed->store, &before);
    struct store_write *write = store_write_new(bed->store);
    struct fate fate = {0};
    store_write_renews(write);
    bed_submit(bed, write, NULL, &fate);
    bed_drain(bed);
    assert_int_equal(fate.code, ERR_OK);
    store_stats(bed->store, &after);
    assert_int_equal(after.commits, before.commits + 1);
    assert_true(store_lease_left_ms(bed->store) > HOUR_MS / 2);
    assert_true(instance(bed, "test-1").lease_until_ms >= opened);
}

static void test_without_leases_nothing_ends(struct bed *bed) {
    assert_int_equal(store_lease_left_ms(bed->store), INT64_MAX);
}

static void test_a_take_over_is_tried_again_while_the_backend_is_down(struct bed *bed) {
    reopen_with_lease(bed, HOUR_MS);
    store_close(open_other(bed, "other", 1));
    struct store_instance_row row = instance(bed, "other");
    bed->faults.fail_take_overs = 3;
    take_over_at_last(bed, &row);
    assert_int_equal(bed->faults.fail_take_overs, 0);
}

const struct contract_case contract_instances[] = {
    {.name = "[E7] nobody takes over from an instance whose lease lasts",
     .run = test_a_live_instance_keeps_its_slots,
     .needs_sharing = true},
    {.name = "[E7] a take-over moves the slots and defeats every later write of the dead instance",
     .run = test_a_dead_instance_loses_its_slots_and_its_voice,
     .needs_sharing = true},
    {.name = "[E7] a dead instance does not come back to see what became of a commit",
     .run = test_a_dead_instance_does_not_come_back_to_see_what_became_of_a_commit,
     .needs_sharing = true},
    {.name = "[E7] an instance that has come back is not taken over from",
     .run = test_one_that_has_come_back_is_not_taken_over_from,
     .needs_sharing = true},
    {.name = "every commit renews the lease, one without rows too",
     .run = test_commits_renew_the_lease,
     .needs_sharing = true},
    {.name = "without leases nothing ends", .run = test_without_leases_nothing_ends},
    {.name = "a take-over is tried again while the backend is down",
     .run = test_a_take_over_is_tried_again_while_the_backend_is_down,
     .needs_faults = true,
     .needs_sharing = true},
    {0},
};
