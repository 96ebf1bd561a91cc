// The process dies: at every commit (before it takes place, after it, after what follows from it was done), at every
// step in between, and once more while it is recovering. Whenever it was, the sagas end as they must: one outcome each,
// no key with two effects, everything undone that failed.
#include "tests/cmocka.h"
#include "tests/saga/bed.h"

#include <stdio.h>

struct scenario {
    const char *name;
    const struct saga_flow *flow;
    const char *account, *input; // account NULL: none
    void (*plan)(struct model *model);
    void (*drive)(struct saga_bed *bed); // what clients say to it; NULL: nothing
    enum saga_status end;
    int64_t within_ms; // virtual time that it may take
    int64_t amount;    // of the account at the end
};

// ---- Clients: they insist until they are answered -----------------------------------------------------------------

static void insist_on_start(struct saga_bed *bed, const struct scenario *scenario) {
    struct bed_reply reply;
    do {
        bed_begin(bed, scenario->flow, "one", scenario->input, scenario->account, &reply);
        bed_wait(bed, &reply);
    } while (reply.code == ERR_SHUTTING_DOWN); // it died: nobody knows whether the saga exists
    if (reply.code != ERR_OK && reply.code != ERR_SAGA_EXISTS && reply.code != ERR_STORE_CONFLICT)
        fail_msg("%s", reply.text);
    if (bed_row(bed, "one") == NULL)
        fail_msg("%s, and there is no saga", reply.text);
}

static void insist_on_signal(struct saga_bed *bed) {
    struct bed_reply reply;
    do {
        bed_signal(bed, "one", "paid", "1", &reply);
        bed_wait(bed, &reply);
    } while (reply.code == ERR_SHUTTING_DOWN || reply.code == ERR_RETRY);
    if (reply.code != ERR_OK)
        fail_msg("%s", reply.text);
}

static void signal_later(struct saga_bed *bed) {
    bed_run(bed, 20);
    insist_on_signal(bed);
}

static void pay(struct saga_bed *bed, const char *paid) {
    struct bed_reply reply = {.code = ERR_SHUTTING_DOWN};
    while (reply.code != ERR_OK && !saga_status_ended(bed_status(bed, "one"))) {
        if (accounts_find(&bed->accounts, "account")) {
            bed_pay(bed, "account", paid, 0, "one", &reply);
            bed_wait(bed, &reply);
        } else {
            saga_poke(bed->engine, STR("one")); // loads both
            bed_run(bed, 1);
        }
    }
}

static void pay_later(struct saga_bed *bed) {
    bed_run(bed, 20);
    pay(bed, "yes");
}

static void decline_later(struct saga_bed *bed) {
    bed_run(bed, 20);
    pay(bed, "no");
}

// ---- Plans --------------------------------------------------------------------------------------------------------

static void c_is_refused(struct model *model) {
    model_plan(model, "c", SAGA_ACTION, MODEL_REFUSE, 1, 0);
}

static void answers_are_lost(struct model *model) {
    model_plan(model, "a", SAGA_ACTION, MODEL_LOST_ANSWER, 1, 0);
    model_plan(model, "b", SAGA_ACTION, MODEL_LATE, 1, 3000);
    model_plan(model, "pivot", SAGA_ACTION, MODEL_LOST_ANSWER, 1, 0);
    model_plan(model, "e", SAGA_ACTION, MODEL_AGAIN, 2, 0);
}

static void everything_goes_wrong(struct model *model) {
    model_plan(model, "a", SAGA_ACTION, MODEL_LATE, 1, 2500);
    model_plan(model, "b", SAGA_ACTION, MODEL_LOST_ANSWER, 1, 0);
    model_plan(model, "c", SAGA_ACTION, MODEL_REFUSE, 1, 0);
    model_plan(model, "a", SAGA_COMPENSATE, MODEL_LOST_ANSWER, 1, 0);
    model_plan(model, "b", SAGA_COMPENSATE, MODEL_AGAIN, 2, 0);
}

static void b_is_refused(struct model *model) {
    model_plan(model, "b", SAGA_ACTION, MODEL_REFUSE, 1, 0);
}

static void the_child_fails(struct model *model) {
    model_plan(model, "credit", SAGA_ACTION, MODEL_REFUSE, 1, 0);
}

static const struct scenario scenarios[] = {
    {"two steps", &flow_pair, NULL, "x", NULL, NULL, SAGA_SUCCEEDED, 5000, 0},
    {"a trip", &flow_trip, NULL, "x", NULL, NULL, SAGA_SUCCEEDED, 5000, 0},
    {"a trip that is refused", &flow_trip, NULL, "x", c_is_refused, NULL, SAGA_FAILED, 5000, 0},
    {"a trip without answers", &flow_trip, NULL, "x", answers_are_lost, NULL, SAGA_SUCCEEDED, 20000, 0},
    {"a trip without luck", &flow_trip, NULL, "x", everything_goes_wrong, NULL, SAGA_FAILED, 20000, 0},
    {"an order", &flow_order, "account", "10", NULL, pay_later, SAGA_SUCCEEDED, 5000, 10},
    {"an order that is declined", &flow_order, "account", "10", NULL, decline_later, SAGA_FAILED, 5000, 0},
    {"an order that nobody pays", &flow_order, "account", "10", NULL, NULL, SAGA_FAILED, 70000, 0},
    {"a signal", &flow_await, NULL, "x", NULL, signal_later, SAGA_SUCCEEDED, 5000, 0},
    {"an early signal", &flow_await, NULL, "x", NULL, insist_on_signal, SAGA_SUCCEEDED, 5000, 0},
    {"a child", &flow_parent, NULL, "x", NULL, NULL, SAGA_SUCCEEDED, 5000, 0},
    {"a child that fails", &flow_parent, NULL, "x", the_child_fails, NULL, SAGA_FAILED, 5000, 0},
    {"a child that is undone", &flow_parent, NULL, "x", b_is_refused, NULL, SAGA_FAILED, 5000, 0},
    {"a question", &flow_ask, NULL, "x", NULL, NULL, SAGA_SUCCEEDED, 5000, 0},
};
enum { SCENARIOS = sizeof scenarios / sizeof scenarios[0] };

// ---- One run ------------------------------------------------------------------------------------------------------

static void check_key(void *ctx, struct map_node *node) {
    const struct model_key *key = CONTAINER_OF(node, struct model_key, node);
    (void)ctx;
    if (key->effects > 1 || key->undone > key->effects)
        fail_msg("%s took effect %u times, and was undone %u times", key->key, key->effects, key->undone);
}

// One event says how the saga ended, however often that was tried.
static void check_ends_told(struct saga_bed *bed) {
    struct store_query sagas = {.table = &saga_table, .limit = 10}, events = {.table = &outbox_table, .limit = 100};
    size_t n_sagas, n_events;
    const struct saga_row *rows = bed_rows(bed, &sagas, &n_sagas);
    const struct outbox_row *told = bed_rows(bed, &events, &n_events);
    for (size_t i = 0; i < n_sagas; i++) {
        unsigned n = 0;
        for (size_t k = 0; k < n_events; k++)
            n += strcmp(told[k].gid, rows[i].gid) == 0 && strcmp(told[k].type, "saga.ended") == 0;
        assert_int_equal(n, 1);
        assert_true(saga_status_ended((enum saga_status)rows[i].status) && rows[i].ended_ms > 0);
    }
}

static void play(struct saga_bed *bed, const struct scenario *scenario) {
    int64_t begun_ms = bed->time.now_ms;
    insist_on_start(bed, scenario);
    if (scenario->drive)
        scenario->drive(bed);
    bed_settle(bed);
    int64_t took_ms = bed->time.now_ms - begun_ms;
    bed_run(bed, 10000); // what is late has arrived
    if (bed_status(bed, "one") != scenario->end)
        fail_msg("%s", saga_status_name(bed_status(bed, "one")));
    if (took_ms > scenario->within_ms)
        fail_msg("it took %lld ms", (long long)took_ms);
    bed_check_books(bed);
    map_each(&bed->model.keys, check_key, NULL);
    check_ends_told(bed);
    if (scenario->account)
        assert_int_equal(bed_account(bed, scenario->account)->amount, scenario->amount);
}

static void begin(struct saga_bed *bed, const struct scenario *scenario) {
    bed_init(bed);
    bed->options.scan_interval_ms = 1000;
    if (scenario->plan)
        scenario->plan(&bed->model);
    bed_open(bed);
}

// ---- Deaths -------------------------------------------------------------------------------------------------------

static char run[160]; // the present one, for when it fails

static int tell_run(void **state) {
    (void)state;
    if (run[0])
        print_error("in: %s\n", run);
    return 0;
}

static const char *const death_names[] = {[BED_LIVES] = "lives",
                                          [BED_BEFORE_COMMIT] = "before",
                                          [BED_AFTER_COMMIT] = "after",
                                          [BED_AFTER_TELLING] = "after telling"};

// Dies at the Nth commit; true when there were so many.
static bool dies_at(const struct scenario *scenario, enum bed_death death, int64_t at, enum bed_death next,
                    int64_t next_after) {
    static struct saga_bed bed;
    begin(&bed, scenario);
    bed.death = death;
    bed.death_at = at;
    bed.next_death = next;
    bed.next_death_after = next_after;
    snprintf(run, sizeof run, "%s: dies %s commit %lld, then %s %lld", scenario->name, death_names[death],
             (long long)at, death_names[next], (long long)next_after);
    play(&bed, scenario);
    unsigned deaths = bed.deaths;
    bed_release(&bed);
    run[0] = '\0';
    return deaths >= (next ? 2 : 1);
}

// [E3] [E5] whichever commit the process dies at, the saga is resumed and ends in its one outcome
static void test_a_death_at_every_commit(void **state) {
    (void)state;
    for (size_t i = 0; i < SCENARIOS; i++)
        for (enum bed_death death = BED_BEFORE_COMMIT; death <= BED_AFTER_TELLING; death++) {
            int64_t at = 1;
            while (dies_at(&scenarios[i], death, at, BED_LIVES, 0))
                at++;
            assert_true(at > 2);
        }
}

// The heir dies, too: at every commit of its own.
static void test_a_second_death_at_every_commit_of_the_heir(void **state) {
    (void)state;
    for (size_t i = 0; i < SCENARIOS; i++)
        for (int64_t at = 1, after = 2; after > 1; at++) {
            after = 1;
            while (dies_at(&scenarios[i], BED_AFTER_COMMIT, at, (enum bed_death)(BED_BEFORE_COMMIT + (at + after) % 3),
                           after))
                after++;
            assert_true(at < 100);
        }
}

// Between commits: with calls on their way, answers not applied, timers not set.
static void test_a_death_at_every_step(void **state) {
    (void)state;
    static struct saga_bed bed;
    for (size_t i = 0; i < SCENARIOS; i++) {
        bool ended = false;
        for (unsigned steps = 1; !ended; steps++) {
            snprintf(run, sizeof run, "%s: dies at step %u", scenarios[i].name, steps);
            begin(&bed, &scenarios[i]);
            insist_on_start(&bed, &scenarios[i]);
            int64_t until_ms = bed.time.now_ms + 30000; // by then it only waits for somebody
            for (unsigned n = 0; n < steps && !ended; n++) {
                assert_true(bed_step(&bed));
                ended = saga_status_ended(bed_status(&bed, "one")) || bed.time.now_ms >= until_ms;
            }
            bed_revive(&bed);
            play(&bed, &scenarios[i]);
            bed_release(&bed);
            run[0] = '\0';
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_a_death_at_every_commit, tell_run),
        cmocka_unit_test_teardown(test_a_second_death_at_every_commit_of_the_heir, tell_run),
        cmocka_unit_test_teardown(test_a_death_at_every_step, tell_run),
    };
    return cmocka_run_group_tests_name("saga/engine: deaths", tests, NULL, NULL);
}
