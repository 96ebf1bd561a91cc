// Durable before acknowledged: what a simulator says is still so after kill -9.
#include "participant/payment/v1/payment.pb-c.h"
#include "tests/cmocka.h"
#include "tests/participants/bed.h"

static const struct bed_call action = {.system = "points",
                                       .method = "FreezePoints",
                                       .key = "T1/a",
                                       .trade_no = "T1",
                                       .fields = "user_id=U0001 points=100"};
static const struct bed_call inquiry = {.system = "points", .method = "Inquire", .key = "T1/a", .trade_no = "T1"};
static const struct bed_call balance = {.system = "points", .method = "GetPoints", .fields = "user_id=U0001"};

static void test_nothing_is_answered_that_rests_on_what_is_not_durable(void **state) {
    struct bed *bed = *state;
    const struct bed_call *const calls[] = {&action, &action, &inquiry, &balance};
    enum { CALLS = sizeof calls / sizeof calls[0] };
    struct bed_answer answers[CALLS];
    bed->sims.point.held = true;
    for (int i = 0; i < CALLS; i++)
        bed_send(bed, calls[i], &answers[i]);
    bed_run_for(bed, 500);
    for (int i = 0; i < CALLS; i++)
        assert_false(answers[i].done);
    bed->sims.point.held = false;
    for (int i = 0; i < CALLS; i++) {
        bed_wait(bed, &answers[i]);
        assert_verdict(bed, &answers[i], "APPLIED");
    }
    assert_int_equal(fields_number(answers[3].message, "available"), 4900);
}

static void test_other_systems_answer_meanwhile(void **state) {
    struct bed *bed = *state;
    struct bed_answer stalled;
    bed->sims.point.held = true;
    bed_send(bed, &action, &stalled);
    bed_must(bed, &(struct bed_call){.system = "user", .method = "GetUser", .fields = "user_id=U0001"});
    assert_false(stalled.done);
    bed->sims.point.held = false;
    bed_wait(bed, &stalled);
}

static void test_nobody_is_notified_of_what_is_not_durable(void **state) {
    struct bed *bed = *state;
    bed_must(bed, &(struct bed_call){.system = "payment",
                                     .method = "CreatePayment",
                                     .key = "T1/t",
                                     .trade_no = "T1",
                                     .fields = "tender_no=t1 merchant_id=M1 method=4 amount=CNY1000"});
    bed_wait_notes(bed, 1); // of the payment
    struct bed_answer refund;
    bed->sims.point.held = true;
    bed_send(bed,
             &(struct bed_call){.system = "payment",
                                .method = "RefundPayment",
                                .key = "T1/r",
                                .trade_no = "T1",
                                .fields = "tender_no=t1 refund_no=r1 amount=CNY400"},
             &refund);
    bed_run_for(bed, 500);
    assert_int_equal(bed->n_notes, 1);
    assert_false(refund.done);
    bed->sims.point.held = false;
    bed_wait_notes(bed, 2);
    assert_true(refund.done);
}

// Where the process dies at a commit: what it had not written it has never seen.
static void test_a_kill_before_the_commit_leaves_nothing_and_after_it_everything(void **state) {
    struct bed *bed = *state;
    for (int before = 0; before < 2; before++) {
        bed_clear(bed);
        struct bed_call call = action, ask = inquiry;
        call.key = ask.key = bed_text(bed, "T1/%d", before);
        crash_point_set(&bed->sims.point, 1, before);
        struct bed_answer lost = bed_ask(bed, &call);
        assert_int_equal(lost.outcome, OUTCOME_UNKNOWN);
        while (!bed->sims.store) // they come back by themselves
            assert_true(virtual_time_step(&bed->time));
        struct bed_answer asked = bed_ask(bed, &ask);
        assert_verdict(bed, &asked, before ? "NEVER_SEEN" : "APPLIED");
        bed_must(bed, &call);
        assert_int_equal(bed_ledger(bed, "points", call.key, "freeze").n, 1);
    }
}

// Rows come in table by table. Something of the first that is due before the last is in would find half a world.
static void test_nothing_is_due_before_everything_is_loaded(void **state) {
    struct bed *bed = *state;
    bed_must(bed, &(struct bed_call){.system = "payment",
                                     .method = "CreatePayment",
                                     .key = "T1/t",
                                     .trade_no = "T1",
                                     .fields = "tender_no=t1 merchant_id=M1 method=4 amount=CNY1000"});
    bed_wait_notes(bed, 1); // of the payment
    bed_run_for(bed, 100);
    bed_must(bed, &(struct bed_call){.system = "payment",
                                     .method = "RefundPayment",
                                     .key = "T1/r",
                                     .trade_no = "T1",
                                     .fields = "tender_no=t1 refund_no=r1 amount=CNY400"});
    bed_kill(bed);
    bed->time.now_ms += 60000; // the refund is overdue
    struct store *store;
    struct error error = {0};
    struct store_options options = {
        .tables = sim_tables(), .clock = &bed->time.clock, .instance = "sim", .address = "here"};
    assert_true(store_open(store_memory_share(bed->sims.disk), &options, &store, &error));
    struct sim_options sim_options = bed->sims.options;
    sim_options.store = store;
    sim_options.callback = rpc_inproc_channel(bed->net, "txsim", NULL, NULL);
    struct sim *sim = sim_new(&sim_options);
    while (!sim_ready(sim)) { // one page at a time, with all that time brings between them
        assert_int_equal(bed->n_notes, 1);
        store_pump(store);
        store_poll(store);
        virtual_time_run_until(&bed->time, bed->time.now_ms);
    }
    while (bed->n_notes == 1) {
        store_pump(store);
        store_poll(store);
        virtual_time_run_until(&bed->time, bed->time.now_ms + 1);
    }
    assert_true(bed->notes[1].refund);
    sim_stop(sim);
    rpc_channel_close(sim_options.callback);
    store_close(store);
    sim_free(sim);
    bed_start(bed);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bed_set_up, bed_tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_nothing_is_answered_that_rests_on_what_is_not_durable),
        TEST(test_other_systems_answer_meanwhile),
        TEST(test_nobody_is_notified_of_what_is_not_durable),
        TEST(test_nothing_is_due_before_everything_is_loaded),
        TEST(test_a_kill_before_the_commit_leaves_nothing_and_after_it_everything),
    };
    return cmocka_run_group_tests_name("durable before acknowledged", tests, NULL, NULL);
}
