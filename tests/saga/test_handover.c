// Two engines on one store with sagas under way: slots are handed over with what is in them, and taken over from the
// dead. The bed is one of the two; the participant and the time are the same for both. Who gets which slots:
// test_members.c.
#include "tests/cmocka.h"
#include "tests/saga/bed.h"

#include <stdio.h>

enum { LEASE_MS = 500, SAGAS = 400, LONG_ENOUGH_MS = 20 * LEASE_MS };

// The second instance.
struct other {
    struct saga_bed *bed;
    struct store *store;
    struct saga_engine *engine;
    struct rpc_timer alarm;
};
static struct other second;

static void tick(void *ctx) {
    saga_engine_tick(((struct other *)ctx)->engine);
}

static void set_alarm(void *ctx, int64_t due_ms) {
    struct other *other = ctx;
    other->bed->time.timers.set(&other->bed->time, &other->alarm, due_ms);
}

static bool pump(void *ctx) {
    struct other *other = ctx;
    if (!other->store)
        return false;
    store_pump(other->store);
    return store_poll(other->store) > 0;
}

static void open_other(struct other *other) {
    struct error error = {0};
    struct saga_options options = other->bed->options;
    struct store_options store_options = {.tables = other->bed->tables,
                                          .clock = &other->bed->time.clock,
                                          .instance = "two",
                                          .address = "two:1",
                                          .lease_ms = LEASE_MS};
    if (!store_open(store_memory_share(other->bed->disk), &store_options, &other->store, &error))
        fail_msg("%s", error.text);
    options.store = other->store;
    options.alarm = set_alarm;
    options.alarm_ctx = other;
    if (!saga_engine_new(&options, &other->engine, &error))
        fail_msg("%s", error.text);
    saga_engine_recover(other->engine);
}

static void end_other(struct other *other, bool dies) {
    if (!other->store)
        return;
    saga_engine_stop(other->engine);
    if (dies)
        store_abandon(other->store);
    else
        store_close(other->store);
    other->bed->time.timers.stop(&other->bed->time, &other->alarm);
    saga_engine_free(other->engine);
    other->engine = NULL;
    other->store = NULL;
}

static int set_up(void **state) {
    static struct saga_bed bed;
    bed_init(&bed);
    bed.lease_ms = LEASE_MS;
    bed_open(&bed);
    bed_run(&bed, LEASE_MS + LEASE_MS / 8); // between two of its looks: the second one's first look is before its next
    second = (struct other){.bed = &bed};
    second.alarm = (struct rpc_timer){.fire = tick, .ctx = &second};
    virtual_time_add_pump(&bed.time, pump, &second);
    *state = &bed;
    return 0;
}

static int tear_down(void **state) {
    end_other(&second, false);
    bed_release(*state);
    return 0;
}

static unsigned slots_of(const struct saga_engine *engine) {
    unsigned n = 0;
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++)
        n += saga_engine_owns(engine, slot);
    return n;
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
    model_plan(&bed->model, "debit", SAGA_ACTION, MODEL_AGAIN, SAGAS, 0);
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
    open_other(&second);
    bed_run(bed, LONG_ENOUGH_MS);
    check_all_ended(bed);
    assert_int_equal(slots_of(second.engine), SLOT_COUNT / 2);
    assert_true(stats_of(second.engine).ended > 0);
    assert_int_equal(stats_of(second.engine).resumed, 0);
}

// [E5] [E7] what a dead instance was at is gone on with by another, within a few leases
static void test_the_dead_are_taken_over_from(void **state) {
    struct saga_bed *bed = *state;
    start_many(bed);
    open_other(&second);
    while (slots_of(second.engine) < SLOT_COUNT / 2)
        assert_true(bed_step(bed));
    end_other(&second, true);
    bed_run(bed, LONG_ENOUGH_MS);
    assert_int_equal(bed->notices[SAGA_NOTICE_TAKING_OVER], 1);
    assert_int_equal(bed->notices[SAGA_NOTICE_TAKEN_OVER], 1);
    assert_int_equal(stats_of(bed->engine).taken_over, 1);
    assert_int_equal(stats_of(bed->engine).slots, SLOT_COUNT);
    assert_int_equal(slots_of(bed->engine), SLOT_COUNT);
    check_all_ended(bed);
    // Both are in their first incarnation, and are not taken for each other.
    assert_true(stats_of(bed->engine).resumed > 0);
}

// [E14] who gives a slot away before it has taken up what is in it has not left that in order: it was cut off
static void test_what_its_giver_had_not_taken_up_counts_as_cut_off(void **state) {
    struct saga_bed *bed = *state;
    start_many(bed);
    bed->options.resume_rate = 1;
    bed_revive(bed);
    bed->options.resume_rate = 5000;
    open_other(&second);
    while (slots_of(second.engine) < SLOT_COUNT / 2)
        assert_true(bed_step(bed));
    bed_run(bed, LONG_ENOUGH_MS);
    assert_true(stats_of(bed->engine).resumed < SAGAS / 4);
    assert_true(stats_of(second.engine).resumed > SAGAS / 4);
    bed_settle(bed);
    check_all_ended(bed);
}

// A slot whose owner can't be told that it is has not gone: it stays, and goes the next time.
static void test_a_hand_over_that_fails_is_made_up_for(void **state) {
    struct saga_bed *bed = *state;
    open_other(&second);
    bed->faults.fail_result = BACKEND_REFUSED;
    bed->faults.fail_for = 6;
    bed->faults.fail_commit_at = 3;
    bed_run(bed, 2 * LONG_ENOUGH_MS);
    assert_int_equal(slots_of(bed->engine), SLOT_COUNT / 2);
    assert_int_equal(slots_of(second.engine), SLOT_COUNT / 2);
}

// Reads of who is there that fail are told, and tried again.
static void test_reads_that_fail_delay_a_round(void **state) {
    struct saga_bed *bed = *state;
    bed->faults.fail_reads = 3; // for less than a lease
    open_other(&second);
    bed_run(bed, LONG_ENOUGH_MS);
    assert_int_equal(slots_of(second.engine), SLOT_COUNT / 2);
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
    open_other(&second);
    bed_run(bed, LONG_ENOUGH_MS);
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
    open_other(&second);
    bed_run(bed, LONG_ENOUGH_MS);
    unsigned i = 0;
    while (saga_engine_owns(bed->engine, id_slot(str_c(gid_of(gid, i)))))
        i++;
    bed_signal(bed, gid, "any", "1", &reply);
    bed_wait(bed, &reply);
    assert_int_equal(reply.code, ERR_SLOT_ELSEWHERE);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    static const struct CMUnitTest tests[] = {
        TEST(test_sagas_go_along_with_their_slots),
        TEST(test_the_dead_are_taken_over_from),
        TEST(test_a_hand_over_that_fails_is_made_up_for),
        TEST(test_reads_that_fail_delay_a_round),
        TEST(test_what_is_the_others_is_refused),
        TEST(test_what_its_giver_had_not_taken_up_counts_as_cut_off),
        TEST(test_a_request_that_is_refused_at_once_is_refused_to_all_who_wait),
    };
    return cmocka_run_group_tests_name("saga/handover", tests, NULL, NULL);
}
