// Several instances over one database: whose slots are whose, how long, and who may take them over.
#include "tests/cmocka.h"
#include "tests/store/contract.h"
#include "tests/store/items.h"

#include <stdio.h>

enum { HOUR_MS = 3600000, TRIES = 100000 };

static struct store_options options_of_other(struct bed *bed, const char *name, uint32_t lease_ms) {
    struct store_options options = bed->options;
    options.threaded = false;
    options.instance = name;
    options.lease_ms = lease_ms;
    return options;
}

// Another instance of the bed's database, without threads.
static struct store *open_on(struct bed *bed, struct store_backend *backend, const char *name, uint32_t lease_ms) {
    struct store_options options = options_of_other(bed, name, lease_ms);
    struct store *other;
    struct error error = {0};
    if (!store_open(backend, &options, &other, &error))
        fail_msg("%s", error.text);
    return other;
}

static struct store *open_other(struct bed *bed, const char *name, uint32_t lease_ms) {
    return open_on(bed, bed->variant->kind->backend(bed), name, lease_ms);
}

// One that was taken over from, it thinks. NULL when the store knows better.
static struct store *open_returning(struct bed *bed, const char *name) {
    struct store_options options = options_of_other(bed, name, HOUR_MS);
    struct store *other = NULL;
    struct error error = {0};
    options.returning = true;
    if (!store_open(bed->variant->kind->backend(bed), &options, &other, &error))
        assert_int_equal(error.code, ERR_STORE_FENCED);
    return other;
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

static void begin_write_by(struct store *store, struct bed *bed, const char *id, struct fate *fate) {
    struct item row = item(id, "ann", 1, 0);
    struct store_write *write = store_write_new(store);
    store_row(write, &item_table, STORE_PUT, &row);
    struct store *own = bed->store;
    bed->store = store;
    bed_submit(bed, write, NULL, fate);
    bed->store = own;
    bed->pending--; // not the bed's own
}

static enum err finish_write_by(struct store *store, struct bed *bed, const struct fate *fate) {
    bed->pending++;
    while (!fate->called) {
        store_pump(store);
        store_poll(store);
        bed->now_ms++; // a pause after a failure is over
    }
    return fate->code;
}

static enum err write_by(struct store *store, struct bed *bed, const char *id) {
    struct fate fate = {0};
    begin_write_by(store, bed, id, &fate);
    return finish_write_by(store, bed, &fate);
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

// It finds out that its last commit is not known, and raises its own incarnation to find out: not after a take-over.
static void test_a_dead_instance_does_not_resume(struct bed *bed) {
    reopen_with_lease(bed, 1);
    struct store *heir = open_other(bed, "heir", HOUR_MS);
    struct store_instance_row row = instance(bed, "test-1");
    struct taking_seen seen = {.bed = bed};
    for (int tries = 0; !seen.taken; tries++) {
        assert_true(tries < TRIES);
        bed->pending++;
        bed->now_ms++;
        store_take_over(heir, &row, took, &seen);
        while (bed->pending > 0) {
            store_pump(heir);
            store_poll(heir);
        }
        assert_int_equal(seen.code, ERR_OK);
    }
    bed->faults.lost_commit_at = 1;
    struct fate fate = {0};
    struct item late = item("late", "ann", 1, 0);
    struct store_write *write = store_write_new(bed->store);
    store_row(write, &item_table, STORE_PUT, &late);
    bed_submit(bed, write, NULL, &fate);
    bed_drain(bed);
    assert_int_equal(fate.code, ERR_ACCEPTANCE_UNKNOWN);
    store_close(heir);
}

static void test_only_one_that_was_taken_over_from_returns(struct bed *bed) {
    reopen_with_lease(bed, HOUR_MS);
    assert_null(open_returning(bed, "other")); // there never was one
    struct store *other = open_other(bed, "other", 1);
    assert_null(open_returning(bed, "other")); // it is another process
    struct store_instance_row row = instance(bed, "other");
    give_all_to(bed, "other");
    take_over_at_last(bed, &row);
    struct store *again = open_returning(bed, "other");
    assert_non_null(again);
    assert_int_equal(write_by(again, bed, "new"), ERR_OK);
    assert_int_equal(write_by(other, bed, "stale"), ERR_STORE_FENCED);
    assert_int_equal(slots_of(bed, "test-1"), SLOT_COUNT); // it owns what it is given
    store_close(other);
    store_close(again);
}

static void test_one_that_leaves_says_so_until_it_opens_again(struct bed *bed) {
    reopen_with_lease(bed, HOUR_MS);
    struct store *other = open_other(bed, "other", HOUR_MS);
    assert_int_equal(write_by(other, bed, "before"), ERR_OK);
    assert_int_equal(instance(bed, "other").leaving, 0);
    store_leave(other);
    assert_int_equal(write_by(other, bed, "leaving"), ERR_OK);
    assert_int_equal(instance(bed, "other").leaving, 1);
    store_close(other);
    other = open_other(bed, "other", HOUR_MS);
    assert_int_equal(instance(bed, "other").leaving, 0);
    assert_int_equal(instance(bed, "test-1").leaving, 0);
    store_close(other);
}

// Whether its last commit took place is not known to it; before it has asked, it is taken over from.
static void test_an_unknown_commit_is_not_resolved_after_a_take_over(struct bed *bed) {
    reopen_with_lease(bed, HOUR_MS);
    struct store_faults faults = {0};
    struct store *other = open_on(bed, store_faulty(bed->variant->kind->backend(bed), &faults), "other", 1);
    struct store_instance_row row = instance(bed, "other");
    struct fate fate = {0};
    faults.lost_commit_at = 1;
    faults.fail_claims = INT64_MAX; // it can't ask
    begin_write_by(other, bed, "stale", &fate);
    store_pump(other);
    assert_int_equal(faults.lost_commit_at, 0);
    take_over_at_last(bed, &row);
    faults.fail_claims = 0;
    assert_int_equal(finish_write_by(other, bed, &fate), ERR_ACCEPTANCE_UNKNOWN);
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

static void take_a_second(void *ctx) {
    ((struct bed *)ctx)->now_ms += 1000;
}

// Whatever the commit took, the lease ends here no later than in the database.
static void test_a_lease_is_counted_from_before_its_commit(struct bed *bed) {
    reopen_with_lease(bed, HOUR_MS);
    void (*before)(void *ctx) = bed->faults.before_commit;
    void *ctx = bed->faults.before_commit_ctx;
    bed->faults.before_commit = take_a_second;
    bed->faults.before_commit_ctx = bed;
    struct fate fate = {0};
    bed_write(bed, &item_table, STORE_PUT, &(struct item){.id = "one"}, NULL, &fate);
    bed_drain(bed);
    bed->faults.before_commit = before;
    bed->faults.before_commit_ctx = ctx;
    assert_int_equal(fate.code, ERR_OK);
    assert_in_range(store_lease_left_ms(bed->store), 1, HOUR_MS - 1000);
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
    {.name = "[E7] an instance that was taken over from does not resume when the outcome of a commit is lost",
     .run = test_a_dead_instance_does_not_resume,
     .needs_faults = true,
     .needs_sharing = true},
    {.name = "[E7] only an instance that was taken over from returns, and as another incarnation",
     .run = test_only_one_that_was_taken_over_from_returns,
     .needs_sharing = true},
    {.name = "an instance that leaves says so until it is opened again",
     .run = test_one_that_leaves_says_so_until_it_opens_again,
     .needs_sharing = true},
    {.name = "[E7] a commit that is unknown when the instance is taken over from has no effect, and is not repeated",
     .run = test_an_unknown_commit_is_not_resolved_after_a_take_over,
     .needs_sharing = true},
    {.name = "[E7] an instance that has come back is not taken over from",
     .run = test_one_that_has_come_back_is_not_taken_over_from,
     .needs_sharing = true},
    {.name = "every commit renews the lease, one without rows too",
     .run = test_commits_renew_the_lease,
     .needs_sharing = true},
    {.name = "a lease is counted from before the commit that renewed it",
     .run = test_a_lease_is_counted_from_before_its_commit,
     .needs_faults = true,
     .needs_sharing = true,
     .alone = true},
    {.name = "without leases nothing ends", .run = test_without_leases_nothing_ends},
    {.name = "a take-over is tried again while the backend is down",
     .run = test_a_take_over_is_tried_again_while_the_backend_is_down,
     .needs_faults = true,
     .needs_sharing = true},
    {0},
};
