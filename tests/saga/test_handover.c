// Two engines on one store with sagas under way: slots are handed over with what is in them, and taken over from the
// dead. Who gets which slots: test_members.c.
#include "saga/watch.h"
#include "tests/cmocka.h"
#include "tests/saga/bed.h"
#include "tests/saga/neighbour.h"

#include <stdio.h>

enum { SAGAS = 400 };

static int set_up(void **state) {
    neighbour_set_up(state);
    bed_open(*state);
    bed_run(*state, NEIGHBOUR_LEASE_MS + NEIGHBOUR_LEASE_MS / 10); // between two looks
    return 0;
}

static const char *gid_of(char out[16], unsigned i) {
    snprintf(out, 16, "saga%u", i);
    return out;
}

// Many, that will be under way for a while.
static void start_many(struct saga_bed *bed) {
    static struct bed_reply replies[SAGAS];
    char gid[16];
    model_plan(&bed->model, "credit", SAGA_ACTION, MODEL_SLOW, SAGAS, 900);
    model_plan(&bed->model, "debit", SAGA_ACTION, MODEL_AGAIN, SAGAS / 2, 0); // these wait, the others are at work
    for (unsigned i = 0; i < SAGAS; i++)
        bed_begin(bed, &flow_pair, gid_of(gid, i), "", NULL, &replies[i]);
    for (unsigned i = 0; i < SAGAS; i++)
        bed_wait(bed, &replies[i]);
}

static void check_all_ended(struct saga_bed *bed) {
    char gid[16];
    for (unsigned i = 0; i < SAGAS; i++)
        assert_int_equal(bed_status(bed, gid_of(gid, i)), SAGA_SUCCEEDED);
    bed_check_books(bed);
}

static struct saga_stats stats_of(const struct saga_engine *engine) {
    struct saga_stats stats;
    saga_engine_stats(engine, &stats);
    return stats;
}

// ---- Cases --------------------------------------------------------------------------------------------------------

// [E5] [E14] what is under way in a slot goes on with its next owner, and was not cut off by a death
static void test_sagas_go_along_with_their_slots(void **state) {
    struct saga_bed *bed = *state;
    start_many(bed);
    neighbour_open();
    bed_run(bed, NEIGHBOUR_LONG_MS);
    check_all_ended(bed);
    assert_int_equal(neighbour_slots(neighbour.engine), SLOT_COUNT / 2);
    assert_true(stats_of(neighbour.engine).ended > 0);
    assert_int_equal(stats_of(neighbour.engine).resumed, 0);
}

// [E5] [E7] [E14] what a dead instance was at is gone on with by another, within a few leases, and counted as cut off
static void test_the_dead_are_taken_over_from(void **state) {
    struct saga_bed *bed = *state;
    start_many(bed);
    neighbour_open();
    while (neighbour_slots(neighbour.engine) < SLOT_COUNT / 2)
        assert_true(bed_step(bed));
    neighbour_end(true);
    bed_run(bed, NEIGHBOUR_LONG_MS);
    assert_int_equal(bed->notices[SAGA_NOTICE_TAKING_OVER], 1);
    assert_int_equal(bed->notices[SAGA_NOTICE_TAKEN_OVER], 1);
    assert_int_equal(stats_of(bed->engine).taken_over, 1);
    assert_int_equal(stats_of(bed->engine).slots, SLOT_COUNT);
    // It may have died of one of these. Both are in their first incarnation, and are not taken for each other.
    assert_true(stats_of(bed->engine).resumed > 0);
    assert_int_equal(neighbour_slots(bed->engine), SLOT_COUNT);
    check_all_ended(bed);
}

// A slot whose owner can't be told that it is has not gone: it stays, with what is under way in it, and goes the next
// time.
static void test_a_hand_over_that_fails_is_made_up_for(void **state) {
    struct saga_bed *bed = *state;
    start_many(bed);
    neighbour_open();
    bed->faults.fail_result = BACKEND_FULL;
    bed->faults.fail_for = 30;
    bed->faults.fail_commit_at = 1;
    bed_run(bed, 2 * NEIGHBOUR_LONG_MS);
    assert_int_equal(bed->faults.fail_for, 0);
    assert_int_equal(neighbour_slots(bed->engine), SLOT_COUNT / 2);
    assert_int_equal(neighbour_slots(neighbour.engine), SLOT_COUNT / 2);
    check_all_ended(bed);
}

static void has_left(void *ctx, const struct error *error) {
    assert_null(error);
    *(bool *)ctx = true;
}

static size_t slots_of(struct saga_bed *bed, const char *name) {
    size_t n;
    struct store_query query = {.table = &store_slot_table,
                                .conds = {{.column = "owner", .cmp = STORE_EQ, .text = str_c(name)}},
                                .count = true};
    bed_rows(bed, &query, &n);
    return n;
}

// [E14] whoever leaves while sagas are being written gives every slot away before it is gone, also those that were in
// use when the first were given: nothing waits for its lease to be over, and nothing counts as cut off.
static void test_one_that_leaves_under_load_gives_everything_away(void **state) {
    struct saga_bed *bed = *state;
    static struct bed_reply replies[SAGAS];
    char gid[16];
    bool left = false;
    bed->batch_max = 1; // what is being written is so for a while
    bed_revive(bed);
    neighbour_open();
    bed_run(bed, NEIGHBOUR_LONG_MS);
    saga_engine_hand_over(bed->engine, has_left, &left);
    saga_engine_tick(bed->engine); // its last look begins before these are written, and ends before all of them are
    for (unsigned i = 0; i < SAGAS; i++)
        bed_begin(bed, &flow_pair, gid_of(gid, i), "", NULL, &replies[i]);
    while (!left)
        assert_true(bed_step(bed));
    assert_int_equal(slots_of(bed, "one"), 0);
    bed_run(bed, NEIGHBOUR_LONG_MS);
    assert_int_equal(neighbour_slots(neighbour.engine), SLOT_COUNT);
    assert_int_equal(stats_of(neighbour.engine).resumed, 0);
    assert_int_equal(bed->notices[SAGA_NOTICE_TAKING_OVER], 0);
    unsigned accepted = 0;
    for (unsigned i = 0; i < SAGAS; i++)
        if (replies[i].code == ERR_OK) {
            accepted++;
            assert_int_equal(bed_status(bed, gid_of(gid, i)), SAGA_SUCCEEDED);
        }
    assert_true(accepted > 0);
}

static void start_at(struct saga_engine *engine, const char *gid) {
    struct saga_turn *turn = saga_turn_begin(engine, NULL);
    struct saga_start start = {.flow = flow_pair.name, .gid = str_c(gid)};
    struct error error = {0};
    if (!saga_turn_start(turn, &start, &error))
        fail_msg("%s", error.text);
    saga_turn_commit(turn, NULL, NULL);
}

// [E14] a taking-over that came too late leaves nothing behind: what its owner gives away afterwards was not cut off
static void test_who_was_nearly_taken_over_from_gives_away_in_order(void **state) {
    struct saga_bed *bed = *state;
    char gid[16];
    bool left = false;
    neighbour_open();
    bed_run(bed, NEIGHBOUR_LONG_MS);
    neighbour.stopped = true;
    bed->faults.fail_take_overs = 1000;
    while (bed->notices[SAGA_NOTICE_TAKING_OVER] == 0)
        assert_true(bed_step(bed));
    neighbour_go_on();
    bed_run(bed, NEIGHBOUR_LEASE_MS / 2);
    bed->faults.fail_take_overs = 0;
    bed_run(bed, NEIGHBOUR_LONG_MS);
    assert_int_equal(bed->notices[SAGA_NOTICE_TAKEN_OVER], 0);
    model_plan(&bed->model, "credit", SAGA_ACTION, MODEL_SLOW, SAGAS, 900);
    for (unsigned i = 0; i < SAGAS; i++)
        if (saga_engine_owns(neighbour.engine, id_slot(str_c(gid_of(gid, i)))))
            start_at(neighbour.engine, gid);
    bed_run(bed, 100);
    saga_engine_hand_over(neighbour.engine, has_left, &left);
    bed_run(bed, NEIGHBOUR_LONG_MS);
    assert_true(left);
    assert_int_equal(neighbour_slots(bed->engine), SLOT_COUNT);
    assert_int_equal(stats_of(bed->engine).resumed, 0);
    bed_check_books(bed);
}

// [E7] a reader that hangs costs nobody its lease: renewals wait for no read
static void test_reads_that_are_not_answered_cost_no_lease(void **state) {
    struct saga_bed *bed = *state;
    neighbour_open();
    bed_run(bed, NEIGHBOUR_LONG_MS);
    bed->faults.fail_reads = 1000000;
    bed_run(bed, NEIGHBOUR_LONG_MS);
    assert_int_equal(bed->notices[SAGA_NOTICE_TAKING_OVER], 0);
    assert_int_equal(neighbour_slots(neighbour.engine), SLOT_COUNT / 2);
    bed->faults.fail_reads = 0;
    bed_run(bed, NEIGHBOUR_LONG_MS);
    assert_int_equal(neighbour_slots(bed->engine), SLOT_COUNT / 2);
}

// Reads of who is there that find no room are told of, and tried again.
static void test_reads_that_fail_delay_a_round(void **state) {
    struct saga_bed *bed = *state;
    neighbour.reads_max = 1;
    neighbour_open();
    bed_run(bed, NEIGHBOUR_LONG_MS);
    assert_true(bed->notices[SAGA_NOTICE_MEMBERS_UNREAD] > 0);
    assert_int_equal(neighbour_slots(neighbour.engine), SLOT_COUNT / 2);
    assert_int_equal(neighbour_slots(bed->engine), SLOT_COUNT / 2);
}

// A take-over that fails is told of, and tried again.
static void test_a_take_over_that_fails_is_made_up_for(void **state) {
    struct saga_bed *bed = *state;
    neighbour_open();
    bed_run(bed, NEIGHBOUR_LONG_MS);
    neighbour_end(true);
    bed->faults.fail_take_overs = 3;
    bed_run(bed, NEIGHBOUR_LONG_MS);
    assert_int_equal(bed->faults.fail_take_overs, 0);
    assert_int_equal(neighbour_slots(bed->engine), SLOT_COUNT);
}

// [E14] who gives a slot away before it has taken up what is in it has not left that in order: it was cut off
static void test_what_its_giver_had_not_taken_up_counts_as_cut_off(void **state) {
    struct saga_bed *bed = *state;
    start_many(bed);
    bed->options.resume_rate = 1;
    bed_revive(bed);
    bed->options.resume_rate = 5000;
    neighbour_open();
    while (neighbour_slots(neighbour.engine) < SLOT_COUNT / 2)
        assert_true(bed_step(bed));
    bed_run(bed, NEIGHBOUR_LONG_MS);
    assert_true(stats_of(bed->engine).resumed < SAGAS / 4);
    assert_true(stats_of(neighbour.engine).resumed > SAGAS / 4);
    bed_settle(bed);
    check_all_ended(bed);
}

// A caller of the other's, who has the request's entry in hand.
struct asked {
    struct saga_bed *bed;
    struct account *about;
    struct bed_reply first, reply; // of the turn, and of the request
};

static void make(void *ctx, enum request_verdict verdict, struct request_entry *entry, const struct request_row *row,
                 const struct error *error) {
    struct asked *asked = ctx;
    (void)row;
    if (verdict != REQUEST_NEW) {
        bed_replied(&asked->reply, error);
        return;
    }
    struct saga_turn *turn = saga_turn_begin(asked->bed->engine, &asked->about->subject);
    request_made(entry, turn, STR("ref"), STR_NONE, NULL);
    saga_turn_commit(turn, bed_replied, &asked->first);
    assert_true(asked->first.came);
}

// [E7] a turn about what is the other's is refused before the one who makes it is back: whoever asked the same
// meanwhile hears of that, and the id is free again
static void test_a_request_that_is_refused_at_once_is_refused_to_all_who_wait(void **state) {
    struct saga_bed *bed = *state;
    char name[16];
    neighbour_open();
    bed_run(bed, NEIGHBOUR_LONG_MS);
    struct asked asked[3] = {{.bed = bed}, {.bed = bed}, {.bed = bed}};
    const struct request_id id = {.caller = STR("olga"), .id = STR("r-1"), .method = "Test", .body = STR("body")};
    unsigned i = 0;
    while (saga_engine_owns(bed->engine, id_slot(str_c(gid_of(name, i)))))
        i++;
    asked[0].about = asked[2].about = accounts_new(&bed->accounts, name);
    request_begin(bed->requests, &id, make, &asked[0]);
    request_begin(bed->requests, &id, make, &asked[1]);
    bed_wait(bed, &asked[1].reply);
    assert_int_equal(asked[0].first.code, ERR_SLOT_ELSEWHERE);
    assert_int_equal(asked[1].reply.code, ERR_SLOT_ELSEWHERE);
    request_begin(bed->requests, &id, make, &asked[2]);
    bed_wait(bed, &asked[2].first);
    assert_int_equal(asked[2].first.code, ERR_SLOT_ELSEWHERE);
    assert_int_equal(bed_count(bed, &request_table), 0);
    saga_subject_release(&asked[0].about->subject);
}

// Commands to what is the other's are refused, with where to go.
static void test_what_is_the_others_is_refused(void **state) {
    struct saga_bed *bed = *state;
    struct bed_reply reply;
    char gid[16];
    neighbour_open();
    bed_run(bed, NEIGHBOUR_LONG_MS);
    unsigned i = 0;
    while (saga_engine_owns(bed->engine, id_slot(str_c(gid_of(gid, i)))))
        i++;
    bed_signal(bed, gid, "any", "1", &reply);
    bed_wait(bed, &reply);
    assert_int_equal(reply.code, ERR_SLOT_ELSEWHERE);
}

struct watching {
    struct saga_watch watch;
    bool left;
};

static void changed(void *ctx, const struct saga_row *row, const struct saga_instance *saga) {
    (void)saga;
    ((struct watching *)ctx)->left |= !row;
}

// Who watches a saga is told that it is somebody else's now, and must look there.
static void test_watchers_hear_that_a_saga_has_gone_elsewhere(void **state) {
    struct saga_bed *bed = *state;
    static struct watching watching[SAGAS];
    char gid[16];
    start_many(bed);
    for (unsigned i = 0; i < SAGAS; i++) {
        watching[i] = (struct watching){.watch = {.changed = changed, .ctx = &watching[i]}};
        saga_watch(bed->engine, str_c(gid_of(gid, i)), &watching[i].watch);
    }
    neighbour_open();
    bed_run(bed, NEIGHBOUR_LONG_MS);
    for (unsigned i = 0; i < SAGAS; i++) {
        bool ours = saga_engine_owns(bed->engine, id_slot(str_c(gid_of(gid, i))));
        assert_true(watching[i].left == !ours);
        saga_unwatch(&watching[i].watch);
    }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, neighbour_tear_down)
    static const struct CMUnitTest tests[] = {
        TEST(test_sagas_go_along_with_their_slots),
        TEST(test_the_dead_are_taken_over_from),
        TEST(test_a_hand_over_that_fails_is_made_up_for),
        TEST(test_a_take_over_that_fails_is_made_up_for),
        TEST(test_one_that_leaves_under_load_gives_everything_away),
        TEST(test_who_was_nearly_taken_over_from_gives_away_in_order),
        TEST(test_reads_that_are_not_answered_cost_no_lease),
        TEST(test_reads_that_fail_delay_a_round),
        TEST(test_what_is_the_others_is_refused),
        TEST(test_what_its_giver_had_not_taken_up_counts_as_cut_off),
        TEST(test_a_request_that_is_refused_at_once_is_refused_to_all_who_wait),
        TEST(test_watchers_hear_that_a_saga_has_gone_elsewhere),
    };
    return cmocka_run_group_tests_name("saga/handover", tests, NULL, NULL);
}
