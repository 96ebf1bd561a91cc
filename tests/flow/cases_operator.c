// What operators do to the sagas of a trade, wherever these are: no money is lost, no benefit is lost or used twice,
// and what does not fit is refused with what to do instead.
#include "tests/flow/cases.h"
#include "tests/flow/notice.h"
#include "tests/flow/spots.h"
#include "tests/flow/virtual.h"
#include "txcenter/saga/v1/operator.pb-c.h"

#include <stdio.h>

typedef Txcenter__Saga__V1__Saga saga_message;

static const saga_message *saga_of(struct flow_bed *bed, const char *gid) {
    return ((const Txcenter__Saga__V1__GetSagaResponse *)flow_must(bed, "GetSaga", "gid=%s", gid))->saga;
}

// Each spot of the table that is wanted, with a trade of its own, then `act` with the saga's gid.
struct sweep {
    bool (*wants)(const struct flow_spot *spot);
    void (*act)(struct flow_bed *bed, const struct flow_spot *spot, const struct flow_trade *trade, const char *gid,
                const void *ctx);
    const void *ctx;
};

static unsigned provided;

// What is paid can be refunded, wherever it has been.
static void give_back(struct flow_bed *bed, const struct flow_trade *trade) {
    const Txcenter__Trade__V1__Trade *found = flow_get(bed, trade->no);
    if (found->state != TRADE(COMPLETED) && found->state != TRADE(PARTIALLY_REFUNDED))
        return;
    flow_must(bed, "Refund", "trade_no=%s refund_no=rest whole=true", trade->no);
    assert_state(bed, trade, TRADE(REFUNDED));
    flow_until_still(bed, trade);
}

static int visit(struct flow_bed *bed, const struct flow_spot *spot, const struct sweep *sweep) {
    struct flow_trade trade;
    flow_clear_faults(bed);
    flow_provide(bed, ++provided);
    const char *gid = spot->reach(bed, &trade);
    const saga_message *saga = saga_of(bed, gid);
    if (strcmp(saga->flow, spot->flow) != 0 || saga->ended_at)
        fail_msg("%s: %s is not where it should be", spot->name, gid);
    sweep->act(bed, spot, &trade, gid, sweep->ctx);
    flow_play_out(bed, &trade);
    flow_until_still(bed, &trade);
    give_back(bed, &trade);
    return flow_parked(bed, trade.no);
}

static void sweep_spots(struct flow_bed *bed, const struct sweep *sweep) {
    for (size_t i = 0; i < n_flow_spots; i++)
        if (sweep->wants(&flow_spots[i]))
            bed->parked += visit(bed, &flow_spots[i], sweep);
}

static bool any(const struct flow_spot *spot) {
    (void)spot;
    return true;
}

// ---- Acts that change no outcome ----------------------------------------------------------------------------------

static void act_once(struct flow_bed *bed, const struct flow_spot *spot, const struct flow_trade *trade,
                     const char *gid, const void *ctx) {
    (void)spot, (void)trade;
    flow_ask(bed, ctx, "gid=%s reason=table", gid);
    flow_run_for(bed, 1000);
}

// [E8] [A53] nothing that is only tried again, held up or refused changes what comes of a trade
static void test_a_retry_anywhere_changes_no_outcome(struct flow_bed *bed) {
    sweep_spots(bed, &(struct sweep){any, act_once, "Retry"});
    assert_int_equal(bed->parked, 0);
}

static void test_a_pause_anywhere_changes_no_outcome(struct flow_bed *bed) {
    sweep_spots(bed, &(struct sweep){any, act_once, "Pause"});
    assert_int_equal(bed->parked, 0);
}

// [E8] [E3] turned round or refused: all agree afterwards
static void test_a_compensate_anywhere_leaves_all_agreed(struct flow_bed *bed) {
    sweep_spots(bed, &(struct sweep){any, act_once, "Compensate"});
    assert_int_equal(bed->parked, 0);
}

static void terminate(struct flow_bed *bed, const struct flow_spot *spot, const struct flow_trade *trade,
                      const char *gid, const void *ctx) {
    (void)spot, (void)trade, (void)ctx;
    flow_must(bed, "Terminate", "gid=%s reason=table", gid);
    flow_run_for(bed, 1000);
    assert_int_equal(saga_of(bed, gid)->status, TXCENTER__SAGA__V1__SAGA_STATUS__SAGA_STATUS_TERMINATED);
    flow_refused(bed, "SAGA_STATE", "Terminate", "gid=%s reason=table", gid);
}

static bool leaves_nothing(const struct flow_spot *spot) {
    return !spot->leaves;
}

static bool leaves(const struct flow_spot *spot) {
    return spot->leaves;
}

// [E8] [E9] what is ended by an operator leaves nothing behind: money goes back, locks are undone, and what was not
// refunded is free
static void test_a_terminate_leaves_nothing_behind(struct flow_bed *bed) {
    sweep_spots(bed, &(struct sweep){leaves_nothing, terminate, NULL});
    assert_int_equal(bed->parked, 0);
}

// [E8] it always works, also where what it leaves is somebody else's to see to
static void test_a_terminate_works_everywhere(struct flow_bed *bed) {
    bed->not_compared = true;
    sweep_spots(bed, &(struct sweep){leaves, terminate, NULL});
}

// ---- What can't be read -------------------------------------------------------------------------------------------

struct spoiling {
    struct flow_bed *bed;
    struct saga_row row;
    struct str input;
    bool read;
};

static void row_read(void *ctx, const struct error *error, const void *rows, size_t n) {
    struct spoiling *spoiling = ctx;
    assert_null(error);
    assert_int_equal(n, 1);
    spoiling->row = *(const struct saga_row *)rows;
    spoiling->row.input = arena_str(&spoiling->bed->arena, spoiling->row.input);
    spoiling->read = true;
}

// What is stored of the saga can't be read any more, and the center starts anew with that.
static void spoil(struct flow_bed *bed, const char *gid) {
    struct spoiling spoiling = {.bed = bed};
    struct store_query query = {
        .table = &saga_table, .conds = {{.column = "gid", .cmp = STORE_EQ, .text = str_c(gid)}}, .limit = 1};
    bed->ops->kill_center(bed);
    bed->ops->start_center(bed);
    store_read(flow_virtual(bed)->center.store, &query, row_read, &spoiling);
    while (!spoiling.read)
        bed->ops->step(bed);
    spoiling.row.journal = STR("\xff");
    flow_write_rows(bed, &saga_table, STORE_PUT, &spoiling.row, 1);
    flow_crash_center(bed);
    flow_run_for(bed, 1000);
    flow_refused(bed, "STORE_CORRUPT", "Pause", "gid=%s reason=table", gid);
}

static void terminate_unread(struct flow_bed *bed, const struct flow_spot *spot, const struct flow_trade *trade,
                             const char *gid, const void *ctx) {
    spoil(bed, gid);
    terminate(bed, spot, trade, gid, ctx);
    assert_non_null(strstr(saga_of(bed, gid)->text, "its record could not be read: table"));
}

// [E8] [E9] nothing is left behind of it either: its flow takes whatever may have happened for that
static void test_what_can_not_be_read_is_terminated_and_leaves_nothing_behind(struct flow_bed *bed) {
    sweep_spots(bed, &(struct sweep){leaves_nothing, terminate_unread, NULL});
    assert_int_equal(bed->parked, 0);
}

static void test_what_can_not_be_read_is_terminated_everywhere(struct flow_bed *bed) {
    bed->not_compared = true;
    sweep_spots(bed, &(struct sweep){leaves, terminate_unread, NULL});
}

// Whichever saga has followed the refund's.
static void terminate_again(struct flow_bed *bed, const struct flow_spot *spot, const struct flow_trade *trade,
                            const char *gid, const void *ctx) {
    (void)spot, (void)gid, (void)ctx;
    for (int times = 0; times < 3; times++) {
        const Txcenter__Saga__V1__ListSagasResponse *page = flow_unfinished(bed, trade->no);
        for (size_t i = 0; i < page->n_sagas; i++)
            if (strcmp(page->sagas[i]->flow, "trade.refund") == 0)
                flow_ask(bed, "Terminate", "gid=%s reason=table", page->sagas[i]->gid);
        flow_run_for(bed, 1000);
    }
}

static bool is_refund(const struct flow_spot *spot) {
    return leaves_nothing(spot) && strcmp(spot->flow, "trade.refund") == 0;
}

// [E8] [A30] a refund goes on in another saga until it is known what became of its money, however often one is ended
static void test_a_refund_that_is_terminated_again_and_again_leaves_nothing_behind(struct flow_bed *bed) {
    sweep_spots(bed, &(struct sweep){is_refund, terminate_again, NULL});
    assert_int_equal(bed->parked, 0);
}

static const struct flow_spot *spot_named(const char *name) {
    for (size_t i = 0; i < n_flow_spots; i++)
        if (strcmp(flow_spots[i].name, name) == 0)
            return &flow_spots[i];
    fail_msg("there is no spot %s", name);
    return NULL;
}

// The first leg of the step that waits for an operator; -1: none.
static int parked_leg(struct flow_bed *bed, const char *gid, const char *step) {
    const saga_message *saga = saga_of(bed, gid);
    for (size_t i = 0; i < saga->n_steps; i++)
        if (strcmp(saga->steps[i]->name, step) == 0 &&
            (saga->steps[i]->state == TXCENTER__SAGA__V1__STEP_STATE__STEP_STATE_PARKED ||
             saga->steps[i]->state == TXCENTER__SAGA__V1__STEP_STATE__STEP_STATE_UNDO_PARKED))
            return saga->steps[i]->leg;
    return -1;
}

// ---- Saying how steps ended ---------------------------------------------------------------------------------------

static struct flow_answer *resolve_with(struct flow_bed *bed, const char *gid, const char *step, struct str answer) {
    Txcenter__Saga__V1__ResolveRequest request = TXCENTER__SAGA__V1__RESOLVE_REQUEST__INIT;
    request.request_id = (char *)(uintptr_t)flow_text(bed, "resolve-%u", ++provided);
    request.gid = (char *)(uintptr_t)gid;
    request.step = (char *)(uintptr_t)step;
    request.reason = (char *)(uintptr_t) "they said so";
    request.outcome = TXCENTER__SAGA__V1__STEP_OUTCOME__STEP_OUTCOME_OK;
    request.answer = (ProtobufCBinaryData){answer.len, (uint8_t *)(uintptr_t)answer.ptr};
    struct flow_answer *sent = flow_send_message(bed, "Resolve", &request.base);
    flow_wait(bed, sent);
    return sent;
}

// Whatever is said of each step, one after the other, is taken or refused.
static void say_of_all(struct flow_bed *bed, const struct flow_spot *spot, const struct flow_trade *trade,
                       const char *gid, const void *ctx) {
    const saga_message *saga = saga_of(bed, gid);
    (void)spot, (void)trade;
    for (size_t i = 0; i < saga->n_steps; i++)
        flow_ask(bed, ctx ? "Resolve" : "Skip", "gid=%s step=%s leg=%d reason=table %s", gid, saga->steps[i]->name,
                 saga->steps[i]->leg, ctx ? (const char *)ctx : "");
    flow_run_for(bed, 1000);
}

static void say_anything(struct flow_bed *bed, const struct flow_spot *spot, const char *said) {
    struct flow_trade trade;
    flow_clear_faults(bed);
    flow_provide(bed, ++provided);
    const char *gid = spot->reach(bed, &trade);
    say_of_all(bed, spot, &trade, gid, said);
    flow_play_out(bed, &trade);
    bool over = flow_unfinished(bed, trade.no)->n_sagas == 0;
    if (!over && flow_parked(bed, trade.no) == 0)
        fail_msg("%s, %s: what is unfinished waits for nobody", spot->name, said ? said : "skip");
}

// What is refused to be skipped there is the rest.
static bool can_be_left_out(const struct flow_spot *spot) {
    return strcmp(spot->name, "paid") != 0 && strcmp(spot->name, "refund_waiting") != 0 &&
           strcmp(spot->name, "refund_marking") != 0;
}

// [E8] what is said need not be true: whatever it is, the trade ends, or waits for the next word
static void test_anything_may_be_said_of_any_step(struct flow_bed *bed) {
    bed->not_compared = bed->leave_open = true;
    for (size_t i = 0; i < n_flow_spots; i++) {
        static const char *const said[] = {NULL, "outcome=1", "outcome=2"};
        for (size_t k = 0; k < sizeof said / sizeof said[0]; k++)
            say_anything(bed, &flow_spots[i], said[k]);
    }
}

// [E8] what is skipped is left out and nothing else: all agree afterwards
static void test_a_skip_anywhere_leaves_all_agreed(struct flow_bed *bed) {
    sweep_spots(bed, &(struct sweep){can_be_left_out, say_of_all, NULL});
    assert_int_equal(bed->parked, 0);
}

struct no_skip {
    const char *spot, *step, *why;
};

static void refuse_skip(struct flow_bed *bed, const struct no_skip *row) {
    struct flow_trade trade;
    flow_clear_faults(bed);
    flow_provide(bed, ++provided);
    const char *gid = spot_named(row->spot)->reach(bed, &trade);
    struct flow_answer *answer =
        flow_ask(bed, "Skip", "gid=%s step=%s leg=%d reason=table", gid, row->step, parked_leg(bed, gid, row->step));
    assert_verdict(answer, "SAGA_STATE");
    if (!strstr(answer->text, row->why))
        fail_msg("%s: \"%s\" does not say \"%s\"", row->step, answer->text, row->why);
    flow_play_out(bed, &trade);
    assert_int_equal(flow_parked(bed, trade.no), 0);
}

// [E8] money and benefits are not skipped; the operator is told what to do instead
static void test_what_holds_money_or_benefits_is_not_skipped(struct flow_bed *bed) {
    static const struct no_skip rows[] = {
        {"undoing", "lock_coupons", "resolve the step"},         {"using", "use_coupons", "resolve it"},
        {"using", "deduct_points", "terminate the saga"},        {"not_closed", "collect", "compensate the saga"},
        {"taking_back", "freeze", "the card would stay frozen"}, {"refund_refused", "pay_out", "terminate the refund"},
        {"recalling_payment", "take_back", "resolve the step"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        refuse_skip(bed, &rows[i]);
}

// ---- Orders -------------------------------------------------------------------------------------------------------

// [E8] [A36] a payment that is under way is closed first, which a cancel does
static void test_an_order_that_is_being_paid_is_not_turned_round(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_provide(bed, 1);
    const char *gid = spot_named("being_paid")->reach(bed, &trade);
    struct flow_answer *answer = flow_ask(bed, "Compensate", "gid=%s reason=stuck", gid);
    assert_verdict(answer, "SAGA_STATE");
    assert_non_null(strstr(answer->text, flow_text(bed, "payment %s/pay/1 is under way: cancel the trade", trade.no)));
    flow_must(bed, "Compensate", "gid=%s/pay/1 reason=stuck", trade.no);
    flow_until_state(bed, &trade, TRADE(ORDERED));
    flow_must(bed, "Compensate", "gid=%s reason=stuck", gid);
    flow_until_state(bed, &trade, TRADE(FAILED));
    assert_string_equal(flow_get(bed, trade.no)->reason, "STOPPED_BY_OPERATOR");
    flow_until_tender(bed, &trade, 1, 1, TENDER(RETURNED));
}

// [E8] [E9] its payment is closed, what was paid goes back, and whoever waits is told why
static void test_an_order_that_is_terminated_while_it_is_paid_fails(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_provide(bed, 1);
    const char *gid = spot_named("being_paid")->reach(bed, &trade);
    flow_must(bed, "Terminate", "gid=%s reason=stuck", gid);
    flow_until_state(bed, &trade, TRADE(FAILED));
    flow_until_still(bed, &trade);
    const Txcenter__Trade__V1__Trade *found = flow_get(bed, trade.no);
    assert_string_equal(found->reason, "STOPPED_BY_OPERATOR");
    assert_string_equal(found->text, "stuck");
    assert_tender(bed, &trade, 1, 0, TENDER(CLOSED));
    assert_tender(bed, &trade, 1, 1, TENDER(RETURNED));
    assert_nothing_held(bed, &trade);
    flow_refused(bed, "TRADE_ENDED", "Cancel", "trade_no=%s", trade.no);
    flow_quote(bed, &trade, FUEL_200, ""); // and may be ordered again
    flow_order(bed, &trade, "");
}

// [E9] what its payer pays in the very moment is not the trade's any more
static void test_a_payment_that_succeeds_after_its_order_was_terminated_goes_back(struct flow_bed *bed) {
    for (int ms = 0; ms < 12; ms++) {
        struct flow_trade trade;
        flow_provide(bed, ++provided);
        flow_ordered_bare(bed, &trade);
        flow_pay_with(bed, &trade,
                      flow_tenders(bed, 2, KIND(CARD), 500, bed->card, KIND(WECHAT), LIST_200 - 500, "payer"), "");
        flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 1));
        flow_run_for(bed, ms);
        flow_must(bed, "Terminate", "gid=%s/1 reason=stuck", trade.no);
        flow_until_still(bed, &trade);
        const Txcenter__Trade__V1__Trade *found = flow_get(bed, trade.no);
        if (found->state == TRADE(COMPLETED))
            break; // paid before: what was left to do of it is not done any more
        assert_int_equal(found->state, TRADE(FAILED));
        assert_tender(bed, &trade, 1, 1, TENDER(RETURNED));
    }
    bed->not_compared = true; // of the last one
}

// [E8] a paid trade whose saga was terminated counts as complete: it can be refunded, and gives back what it holds
static void test_a_paid_trade_whose_saga_was_terminated_can_be_refunded(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_provide(bed, 1);
    const char *gid = spot_named("using")->reach(bed, &trade);
    flow_must(bed, "Terminate", "gid=%s reason=stuck", gid);
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    flow_clear_faults(bed);
    flow_must(bed, "Refund", "trade_no=%s whole=true", trade.no);
    assert_state(bed, &trade, TRADE(REFUNDED));
    flow_until_still(bed, &trade);
    assert_int_equal(flow_parked(bed, trade.no), 0);
    assert_nothing_held(bed, &trade);
    assert_true(flow_ledger(bed, "coupon", trade.no, "lock").n > 0);
    assert_int_equal(flow_ledger(bed, "settlement", trade.no, NULL).n, 0);
    assert_int_equal(flow_ledger(bed, "payment", trade.no, "refunded").n, 2);
    bed->not_compared = true; // the screens never heard of the payment
}

// [E8] the order number that an operator knows from the order system
static void test_an_order_goes_on_with_the_number_that_an_operator_states(struct flow_bed *bed) {
    struct flow_trade trade;
    char number[64] = "";
    flow_provide(bed, 1);
    const char *gid = spot_named("creating_order")->reach(bed, &trade);
    const Participant__Sim__V1__DumpLedgerResponse *page =
        flow_control(bed, "DumpLedger", "system=order trade_no=%s", trade.no);
    assert_int_equal(page->n_entries, 1);
    snprintf(number, sizeof number, "\x12%c%s", (char)strlen(page->entries[0]->account), page->entries[0]->account);
    assert_verdict(resolve_with(bed, gid, "create_order", STR_NONE), "INVALID_REQUEST");
    assert_verdict(resolve_with(bed, gid, "create_order", STR("\x12")), "INVALID_REQUEST");
    assert_verdict(resolve_with(bed, gid, "create_order", STR("\x0a\x00")), "INVALID_REQUEST");
    assert_verdict(resolve_with(bed, gid, "create_order", str_c(number)), "OK");
    flow_until_state(bed, &trade, TRADE(ORDERED));
    assert_string_equal(flow_get(bed, trade.no)->order_no, page->entries[0]->account);
    flow_clear_faults(bed);
    trade.payable = flow_get(bed, trade.no)->payable->minor_units;
    flow_pay(bed, &trade);
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 0));
    flow_until_state(bed, &trade, TRADE(COMPLETED));
}

// ---- Payments -----------------------------------------------------------------------------------------------------

// [E8] [A30] the card says that it was taken, to whoever calls them
static void test_a_confirm_that_an_operator_states_pays_the_trade(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_provide(bed, 1);
    const char *gid = spot_named("confirming")->reach(bed, &trade);
    flow_must(bed, "Resolve", "gid=%s step=confirm outcome=1 reason=the~card~system~has~it", gid);
    flow_until_state(bed, &trade, TRADE(PAID));
    flow_clear_faults(bed);
    flow_until_state(bed, &trade, TRADE(COMPLETED));
}

enum { ANSWER_MAX = 512 };

static struct str created_answer(const char *tender_no, int state, int64_t amount, uint8_t bytes[ANSWER_MAX]) {
    Txcenter__Type__V1__Money money = TXCENTER__TYPE__V1__MONEY__INIT;
    Participant__Type__V1__Outcome outcome = PARTICIPANT__TYPE__V1__OUTCOME__INIT;
    Participant__Payment__V1__Payment payment = PARTICIPANT__PAYMENT__V1__PAYMENT__INIT;
    Participant__Payment__V1__CreatePaymentResponse answer = PARTICIPANT__PAYMENT__V1__CREATE_PAYMENT_RESPONSE__INIT;
    char currency[] = "CNY", merchant[] = "M001";
    money.currency = currency;
    money.minor_units = amount;
    outcome.verdict = PARTICIPANT__TYPE__V1__VERDICT__VERDICT_APPLIED;
    payment.tender_no = (char *)(uintptr_t)tender_no;
    payment.state = (Participant__Payment__V1__PaymentState)state;
    payment.merchant_id = merchant;
    payment.amount = &money;
    answer.outcome = &outcome;
    answer.payment = &payment;
    size_t len = participant__payment__v1__create_payment_response__get_packed_size(&answer);
    assert_true(len <= ANSWER_MAX);
    return str_n(bytes, participant__payment__v1__create_payment_response__pack(&answer, bytes));
}

// [E8] [E9] what the gateway says of another payment pays for nothing, also when an operator hands it on
static void test_another_payments_answer_is_not_taken_from_an_operator(struct flow_bed *bed) {
    struct flow_trade paid, trade;
    uint8_t bytes[ANSWER_MAX];
    flow_ordered_bare(bed, &paid);
    flow_pay(bed, &paid);
    flow_payer_pays(bed, flow_tender_no(bed, &paid, 1, 0));
    flow_ordered_bare(bed, &trade);
    flow_fault(bed, FAULT(DOWN), "payment", "*", "");
    flow_must(bed, "Pay", "trade_no=%s wait_ms=1 %s", trade.no,
              flow_tenders(bed, 1, KIND(WECHAT), (int)trade.payable, "payer"));
    const char *gid = flow_text(bed, "%s/pay/1", trade.no), *others = flow_tender_no(bed, &paid, 1, 0);
    const char *numbers[] = {others, ""};
    for (size_t i = 0; i < 2; i++)
        assert_verdict(resolve_with(bed, gid, "create", created_answer(numbers[i], PAYMENT(PAID), LIST_200, bytes)),
                       "INVALID_REQUEST");
    assert_verdict(resolve_with(bed, gid, "create",
                                created_answer(flow_tender_no(bed, &trade, 1, 0), PAYMENT(PENDING), LIST_200, bytes)),
                   "OK");
    flow_must(bed, "Cancel", "trade_no=%s wait_ms=1", trade.no);
    flow_run_for(bed, 1000);
    flow_must(bed, "Resolve", "gid=%s step=collect outcome=2 reason=closed~there", gid);
    flow_run_for(bed, 1000); // and is closed once more, to be undone
    assert_verdict(resolve_with(bed, gid, "create", created_answer(others, PAYMENT(CLOSED), LIST_200, bytes)),
                   "INVALID_REQUEST");
    flow_clear_faults(bed);
    flow_until_state(bed, &trade, TRADE(CANCELLED));
    flow_until_state(bed, &paid, TRADE(COMPLETED));
}

// [E8] [A36] the gateway's people say that the tender is closed: the trade is free
static void test_a_tender_that_an_operator_states_to_be_closed_holds_nothing_up(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_provide(bed, 1);
    const char *gid = spot_named("not_closed")->reach(bed, &trade);
    flow_must(bed, "Resolve", "gid=%s step=collect leg=%d outcome=2 reason=closed~by~hand", gid,
              parked_leg(bed, gid, "collect"));
    flow_run_for(bed, 1000);
    flow_must(bed, "Skip", "gid=%s step=create leg=%d reason=closed~by~hand", gid, parked_leg(bed, gid, "create"));
    flow_clear_faults(bed);
    flow_run_for(bed, 1000);
    flow_retry_parked(bed, &trade);
    flow_until_state(bed, &trade, TRADE(CANCELLED));
    flow_payer_pays_late(bed, flow_tender_no(bed, &trade, 1, 2)); // it was not, after all
    flow_until_tender(bed, &trade, 1, 2, TENDER(RETURNED));
}

// [E8] [E9] the trade goes on at once; what the attempt has left is taken back by a saga of its own
static void test_a_trade_whose_payment_was_terminated_is_paid_otherwise(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_provide(bed, 1);
    const char *gid = spot_named("confirming")->reach(bed, &trade);
    flow_must(bed, "Terminate", "gid=%s reason=stuck", gid);
    assert_state(bed, &trade, TRADE(ORDERED));
    const Txcenter__Trade__V1__PaymentAttempt *attempt = flow_get(bed, trade.no)->attempts[0];
    assert_int_equal(attempt->state, ATTEMPT(FAILED));
    assert_string_equal(attempt->reason, "STOPPED_BY_OPERATOR");
    flow_clear_faults(bed);
    flow_pay(bed, &trade);
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 2, 0));
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    flow_until_still(bed, &trade);
    assert_int_equal(flow_ledger(bed, "card", trade.no, "cancel_confirm").amount, 1000);
    assert_tender(bed, &trade, 1, 0, TENDER(CLOSED));
    assert_tender(bed, &trade, 1, 1, TENDER(RETURNED));
    assert_tender(bed, &trade, 1, 2, TENDER(RETURNED));
}

// ---- Refunds ------------------------------------------------------------------------------------------------------

static const Txcenter__Trade__V1__Refund *refund_of(struct flow_bed *bed, const struct flow_trade *trade, size_t i) {
    const Txcenter__Trade__V1__Trade *found = flow_get(bed, trade->no);
    assert_true(i < found->n_refunds);
    return found->refunds[i];
}

// [E8] [A45] what the channel refuses is free again; what it took stays
static void test_a_terminated_refund_frees_what_has_not_gone_back(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_provide(bed, 1);
    const char *gid = spot_named("refund_refused")->reach(bed, &trade);
    int64_t card = refund_of(bed, &trade, 0)->legs[0]->amount->minor_units;
    flow_must(bed, "Terminate", "gid=%s reason=another~way", gid);
    flow_until_still(bed, &trade);
    const Txcenter__Trade__V1__Refund *refund = refund_of(bed, &trade, 0);
    assert_int_equal(refund->state, REFUND(STOPPED));
    assert_int_equal(refund->amount->minor_units, card);
    assert_state(bed, &trade, TRADE(PARTIALLY_REFUNDED));
    flow_clear_faults(bed);
    const Txcenter__Trade__V1__RefundResponse *rest = flow_must(bed, "Refund", "trade_no=%s whole=true", trade.no);
    assert_int_equal(rest->refund->amount->minor_units, trade.payable - card);
    assert_state(bed, &trade, TRADE(REFUNDED));
}

// [E8] [A30] what may be on its way is followed to its end before anything is free: never paid out twice
static void test_a_terminated_refund_waits_for_what_is_on_its_way(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_provide(bed, 1);
    const char *gid = spot_named("refunding")->reach(bed, &trade);
    flow_must(bed, "Terminate", "gid=%s reason=another~way", gid);
    flow_run_for(bed, 60000);
    assert_int_equal(refund_of(bed, &trade, 0)->state, REFUND(PENDING));
    flow_refused(bed, "REFUND_EXCEEDS_REST", "Refund", "trade_no=%s whole=true", trade.no);
    flow_play_out(bed, &trade);
    assert_int_equal(refund_of(bed, &trade, 0)->state, REFUND(STOPPED));
    flow_must(bed, "Refund", "trade_no=%s whole=true", trade.no);
    assert_state(bed, &trade, TRADE(REFUNDED));
}

// [A46] [E8] the gateway never says it, its people do
static void test_a_leg_that_the_gateway_never_speaks_of_is_done_when_an_operator_says_so(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_completed(bed, &trade);
    flow_fault(bed, FAULT(LOST_CALLBACK), "payment", "NotifyRefund", "");
    flow_fault(bed, FAULT(NO_ANSWER), "payment", "QueryRefund", "");
    flow_must(bed, "Refund", "trade_no=%s refund_no=A whole=true wait_ms=0", trade.no);
    flow_run_for(bed, 3600000);
    assert_int_equal(refund_of(bed, &trade, 0)->legs[0]->state, LEG(ACCEPTED));
    flow_must(bed, "Resolve", "gid=%s/refund/A step=pay_out outcome=1 reason=they~have~it~done", trade.no);
    flow_until_state(bed, &trade, TRADE(REFUNDED));
}

// [A75] [E8] given back in cash: the operator says so, and the refund goes on
static void test_a_leg_that_went_back_another_way_is_done(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_provide(bed, 1);
    const char *gid = spot_named("refund_refused")->reach(bed, &trade);
    for (int leg; (leg = parked_leg(bed, gid, "pay_out")) >= 0;)
        flow_must(bed, "Resolve", "gid=%s step=pay_out leg=%d outcome=1 reason=in~cash,~voucher~4711", gid, leg);
    flow_until_still(bed, &trade);
    const Txcenter__Trade__V1__Refund *refund = refund_of(bed, &trade, 0);
    assert_int_equal(refund->state, REFUND(DONE));
    assert_string_equal(refund->legs[1]->detail, "in cash, voucher 4711");
    bed->not_compared = true; // the gateway still has the money
}

static const struct flow_case cases[] = {
    VIRTUAL(test_a_retry_anywhere_changes_no_outcome),
    VIRTUAL(test_a_pause_anywhere_changes_no_outcome),
    VIRTUAL(test_a_compensate_anywhere_leaves_all_agreed),
    VIRTUAL(test_a_terminate_leaves_nothing_behind),
    VIRTUAL(test_a_terminate_works_everywhere),
    VIRTUAL(test_what_can_not_be_read_is_terminated_and_leaves_nothing_behind),
    VIRTUAL(test_what_can_not_be_read_is_terminated_everywhere),
    VIRTUAL(test_a_refund_that_is_terminated_again_and_again_leaves_nothing_behind),
    VIRTUAL(test_anything_may_be_said_of_any_step),
    VIRTUAL(test_a_skip_anywhere_leaves_all_agreed),
    VIRTUAL(test_what_holds_money_or_benefits_is_not_skipped),
    VIRTUAL(test_an_order_that_is_being_paid_is_not_turned_round),
    VIRTUAL(test_an_order_that_is_terminated_while_it_is_paid_fails),
    VIRTUAL(test_a_payment_that_succeeds_after_its_order_was_terminated_goes_back),
    VIRTUAL(test_a_paid_trade_whose_saga_was_terminated_can_be_refunded),
    VIRTUAL(test_an_order_goes_on_with_the_number_that_an_operator_states),
    VIRTUAL(test_a_confirm_that_an_operator_states_pays_the_trade),
    VIRTUAL(test_another_payments_answer_is_not_taken_from_an_operator),
    VIRTUAL(test_a_tender_that_an_operator_states_to_be_closed_holds_nothing_up),
    VIRTUAL(test_a_trade_whose_payment_was_terminated_is_paid_otherwise),
    VIRTUAL(test_a_terminated_refund_frees_what_has_not_gone_back),
    VIRTUAL(test_a_terminated_refund_waits_for_what_is_on_its_way),
    VIRTUAL(test_a_leg_that_the_gateway_never_speaks_of_is_done_when_an_operator_says_so),
    VIRTUAL(test_a_leg_that_went_back_another_way_is_done),
};

CASES(operator);
