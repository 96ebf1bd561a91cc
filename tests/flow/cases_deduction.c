// What was gone when a paid order was to use it (deduct-later), and is tried again because an operator says so.
#include "tests/flow/cases.h"
#include "tests/flow/notice.h"
#include "tests/flow/virtual.h"
#include "txcenter/saga/v1/operator.pb-c.h"
#include "txcenter/trade/v1/operator.pb-c.h"

typedef Txcenter__Trade__V1__ListMattersResponse matters;
typedef Txcenter__Trade__V1__SettleMatterResponse settled;

#define AS(name) TXCENTER__TRADE__V1__MATTER_OUTCOME__MATTER_OUTCOME_##name

// One kind of what an order uses with its payment.
static const struct used {
    const char *what, *system, *method, *entry; // of the system's ledger, when it is used
    const char *lines, *quote;
    const char *no; // of a refusal
} all_used[] = {
    {"coupons", "coupon", "UseCoupons", "use", FUEL_200, "exclude_points=true", "COUPON_UNAVAILABLE"},
    {"points", "points", "DeductPoints", "deduct", FUEL_200, "", "POINTS_GONE"},
    {"stock", "goods", "DeductStock", "deduct", "lines[0].goods.sku=COLA lines[0].goods.quantity=3",
     "exclude_points=true", "OUT_OF_STOCK"},
    {"quota", "discount", "UseQuota", "use", FUEL_200, "exclude_points=true context.channel=app", "QUOTA_EXHAUSTED"},
};
enum { KINDS = sizeof all_used / sizeof all_used[0] };
// What its ledger calls the giving back.
static const char *const back[KINDS] = {"give_back", "give_back", "return", "give_back"};

// Paid, and refused so often when it was to be used; the first time by the purchase itself.
static void pay_short(struct flow_bed *bed, struct flow_trade *trade, const struct used *used, int refusals) {
    *trade = (struct flow_trade){0};
    flow_quote(bed, trade, used->lines, used->quote);
    flow_order(bed, trade, "mode=2");
    flow_fault(bed, FAULT(REJECT), used->system, used->method,
               flow_text(bed, "code=%s count=%d key_prefix=%s", used->no, refusals, trade->no));
    flow_pay(bed, trade);
    flow_payer_pays(bed, flow_tender_no(bed, trade, 1, 0));
}

// Completed as well.
static void short_of(struct flow_bed *bed, struct flow_trade *trade, const struct used *used, int refusals) {
    pay_short(bed, trade, used, refusals);
    flow_until_state(bed, trade, TRADE(COMPLETED));
    flow_until_still(bed, trade);
    assert_int_equal(flow_get(bed, trade->no)->n_shortfalls, 1);
}

static const settled *deduct(struct flow_bed *bed, const struct flow_trade *trade, const char *more) {
    return flow_must(bed, "SettleMatter", "trade_no=%s number=1 outcome=%d reason=because %s", trade->no, AS(DEDUCTED),
                     more);
}

static void cannot(struct flow_bed *bed, const struct flow_trade *trade, int as) {
    flow_refused(bed, "MATTER_STATE", "SettleMatter", "trade_no=%s number=1 outcome=%d reason=because", trade->no, as);
}

static const matters *listed(struct flow_bed *bed, const struct flow_trade *trade, const char *more) {
    return flow_must(bed, "ListMatters", "filter.trade_no=%s %s", trade->no, more);
}

static const Txcenter__Trade__V1__Matter *the_open(struct flow_bed *bed, const struct flow_trade *trade) {
    const matters *open = listed(bed, trade, "");
    assert_int_equal(open->n_matters, 1);
    return open->matters[0];
}

static int64_t uses(struct flow_bed *bed, const struct flow_trade *trade, const struct used *used, int state) {
    return flow_effects(bed, used->system, trade->no, used->method, state);
}

static void given_back(struct flow_bed *bed, const struct flow_trade *trade) {
    flow_must(bed, "Refund", "trade_no=%s whole=true", trade->no);
    flow_until_state(bed, trade, TRADE(REFUNDED));
    flow_until_still(bed, trade);
}

// Refunded, so that as much comes back as was used.
static void all_given_back(struct flow_bed *bed, const struct flow_trade *trade, size_t kind) {
    const struct used *used = &all_used[kind];
    given_back(bed, trade);
    assert_int_equal(flow_ledger(bed, used->system, trade->no, back[kind]).n,
                     flow_ledger(bed, used->system, trade->no, used->entry).n);
}

// Short of it once, and tried again for long, which meets this fault.
static void try_in_vain(struct flow_bed *bed, struct flow_trade *trade, const struct used *used, int fault) {
    short_of(bed, trade, used, 1);
    flow_fault(bed, fault, used->system, used->method, "");
    assert_true(deduct(bed, trade, "wait_ms=100")->processing);
    flow_run_for(bed, 4000);
    assert_int_equal(uses(bed, trade, used, EFFECT(APPLIED)), fault == FAULT(NO_ANSWER));
}

static void end_the_try(struct flow_bed *bed, const struct flow_trade *trade) {
    flow_must(bed, "Terminate", "gid=%s/deduct/1/1 reason=stuck", trade->no);
    flow_clear_faults(bed);
}

// [E8] [S3-17] [S3-49] each kind: tried again it is used, once; the matter is settled, and a refund gives it back
static void test_what_was_gone_is_deducted_after_all(struct flow_bed *bed) {
    for (size_t i = 0; i < KINDS; i++) {
        const struct used *used = &all_used[i];
        struct flow_trade trade;
        short_of(bed, &trade, used, 1);
        assert_string_equal(the_open(bed, &trade)->what, used->what);
        assert_int_equal(uses(bed, &trade, used, EFFECT(APPLIED)), 0);
        flow_crash_center(bed);
        for (int k = 0; k < 2; k++) {
            const settled *answer = deduct(bed, &trade, flow_text(bed, "request_id=again-%s", trade.no));
            assert_false(answer->processing);
            assert_int_equal(answer->matter->outcome, AS(DEDUCTED));
            assert_int_equal(answer->matter->tries, 1);
            assert_string_equal(answer->matter->settled_by, FLOW_CALLER);
            assert_string_equal(answer->matter->note, "because");
            assert_true(answer->trade->shortfalls[0]->deducted);
        }
        assert_int_equal(uses(bed, &trade, used, EFFECT(APPLIED)), 1);
        cannot(bed, &trade, AS(WRITTEN_OFF));
        cannot(bed, &trade, AS(DEDUCTED));
        const Txcenter__Saga__V1__ListAuditResponse *audit = flow_must(bed, "ListAudit", "gid=%s", trade.no);
        assert_int_equal(audit->n_entries, 1);
        assert_string_equal(audit->entries[0]->after, "UNDER_WAY");
        flow_settle(bed); // the center agrees with every system
        all_given_back(bed, &trade, i);
    }
}

// [E8] [E12] [S3-49] refused again it stays open, with the newest reason; each try has a key of its own
static void test_what_is_refused_again_stays_open(struct flow_bed *bed) {
    const struct used *used = &all_used[0];
    struct flow_trade trade;
    short_of(bed, &trade, used, 1);
    flow_fault(bed, FAULT(REJECT), used->system, used->method,
               flow_text(bed, "code=NOT_TODAY count=1 key_prefix=%s", trade.no));
    const settled *answer = deduct(bed, &trade, "");
    assert_false(answer->processing);
    assert_null(answer->matter->settled_at);
    assert_string_equal(answer->matter->reason, "NOT_TODAY");
    assert_string_equal(answer->matter->settled_by, "");
    assert_string_equal(answer->matter->gid, "");
    assert_int_equal(answer->matter->tries, 1);
    assert_int_equal(uses(bed, &trade, used, EFFECT(REJECTED)), 2);
    assert_false(flow_get(bed, trade.no)->shortfalls[0]->deducted);
    flow_settle(bed);
    answer = deduct(bed, &trade, "");
    assert_int_equal(answer->matter->outcome, AS(DEDUCTED));
    assert_int_equal(answer->matter->tries, 2);
    assert_int_equal(uses(bed, &trade, used, EFFECT(APPLIED)), 1);
    assert_string_equal(answer->matter->gid, flow_text(bed, "%s/deduct/1/2", trade.no));
}

// [E8] [S3-17] while it is tried nobody settles it otherwise, and a refund waits for what comes of it
static void test_a_refund_waits_for_a_deduction_that_is_under_way(struct flow_bed *bed) {
    const struct used *used = &all_used[0];
    struct flow_trade trade;
    short_of(bed, &trade, used, 1);
    flow_fault(bed, FAULT(DOWN), used->system, used->method, "");
    const settled *answer = deduct(bed, &trade, "wait_ms=100 request_id=once");
    assert_true(answer->processing);
    assert_null(answer->matter->settled_at);
    assert_string_equal(answer->matter->gid, flow_text(bed, "%s/deduct/1/1", trade.no));
    cannot(bed, &trade, AS(COLLECTED));
    cannot(bed, &trade, AS(DEDUCTED));
    struct flow_answer *refund = flow_send(bed, "Refund", "trade_no=%s whole=true wait_ms=100", trade.no);
    flow_wait(bed, refund);
    assert_verdict(refund, "OK");
    flow_run_for(bed, 2000);
    assert_state(bed, &trade, TRADE(COMPLETED));
    flow_crash_center(bed);
    flow_clear_faults(bed);
    flow_until_state(bed, &trade, TRADE(REFUNDED));
    flow_until_still(bed, &trade);
    assert_int_equal(deduct(bed, &trade, "request_id=once")->matter->outcome, AS(DEDUCTED));
    assert_int_equal(flow_ledger(bed, "coupon", trade.no, "use").n, BEST_200_COUPONS);
    assert_int_equal(flow_ledger(bed, "coupon", trade.no, "give_back").n, BEST_200_COUPONS);
}

// [E8] what was never to be deducted, or has gone back, is not tried again
static void test_what_is_refunded_is_not_deducted(struct flow_bed *bed) {
    struct flow_trade trade;
    short_of(bed, &trade, &all_used[0], 1);
    flow_fault(bed, FAULT(DOWN), "payment", "RefundPayment", "");
    flow_must(bed, "Refund", "trade_no=%s amount=CNY100 wait_ms=100", trade.no);
    cannot(bed, &trade, AS(DEDUCTED)); // a refund is under way
    flow_clear_faults(bed);
    flow_until_state(bed, &trade, TRADE(PARTIALLY_REFUNDED));
    flow_until_still(bed, &trade);
    given_back(bed, &trade);
    cannot(bed, &trade, AS(DEDUCTED));
    assert_int_equal(uses(bed, &trade, &all_used[0], EFFECT(APPLIED)), 0);
    short_of(bed, &trade, &all_used[2], 1);
    flow_must(bed, "Refund", "trade_no=%s lines.indexes[0]=0", trade.no);
    flow_until_still(bed, &trade);
    cannot(bed, &trade, AS(DEDUCTED)); // the goods have come back
    flow_ordered_bare(bed, &trade);
    flow_pay(bed, &trade);
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 0));
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    flow_until_still(bed, &trade);
    flow_control(bed, "SetPoints", "user_id=%s available=0", bed->user); // what was awarded is spent
    given_back(bed, &trade);
    assert_string_equal(the_open(bed, &trade)->what, "points_spent");
    cannot(bed, &trade, AS(DEDUCTED));
}

// [E3] [E8] an operator ends a try of which nobody knows what became of it: the next one asks under the same key
static void test_a_try_that_was_ended_is_not_made_twice(struct flow_bed *bed) {
    const struct used *used = &all_used[0];
    struct flow_trade trade;
    try_in_vain(bed, &trade, used, FAULT(NO_ANSWER));
    flow_refused(bed, "SAGA_STATE", "Skip", "gid=%s/deduct/1/1 step=deduct reason=stuck", trade.no);
    end_the_try(bed, &trade);
    const Txcenter__Trade__V1__Matter *matter = the_open(bed, &trade);
    assert_string_equal(matter->reason, "STOPPED_BY_OPERATOR");
    assert_string_equal(matter->gid, "");
    assert_int_equal(deduct(bed, &trade, "")->matter->outcome, AS(DEDUCTED));
    assert_int_equal(flow_ledger(bed, "coupon", trade.no, "use").n, BEST_200_COUPONS);
    given_back(bed, &trade);
}

// [E8] [S3-17] what a try that was ended may have used is given back by a refund
static void test_what_a_try_that_was_ended_has_used_comes_back(struct flow_bed *bed) {
    for (size_t i = 0; i < KINDS; i++) {
        struct flow_trade trade;
        try_in_vain(bed, &trade, &all_used[i], FAULT(NO_ANSWER));
        end_the_try(bed, &trade);
        all_given_back(bed, &trade, i);
    }
}

// [E8] [S3-17] what it has not used is not given back: the refund waits for an operator, unless another try has told
static void test_what_a_try_that_was_ended_has_not_used_is_told(struct flow_bed *bed) {
    const struct used *used = &all_used[0];
    struct flow_trade trade;
    for (int again = 0; again < 2; again++) {
        try_in_vain(bed, &trade, used, FAULT(DOWN));
        end_the_try(bed, &trade);
        flow_fault(bed, FAULT(REJECT), used->system, used->method,
                   flow_text(bed, "code=%s key_prefix=%s", used->no, trade.no));
        if (again)
            assert_string_equal(deduct(bed, &trade, "")->matter->reason, used->no);
        given_back(bed, &trade);
        assert_int_equal(flow_parked(bed, trade.no), again ? 0 : 1);
        assert_int_equal(flow_ledger(bed, used->system, trade.no, back[0]).n, 0);
        flow_clear_faults(bed);
    }
    bed->parked = 1;
}

// [E8] [S3-17] who knows what became of it says so: it was deducted, or refused, and is tried again under another key
static void test_an_operator_knows_what_became_of_a_try(struct flow_bed *bed) {
    const struct used *used = &all_used[0];
    struct flow_trade trade;
    short_of(bed, &trade, used, 1);
    flow_fault(bed, FAULT(DOWN), used->system, used->method, "");
    assert_true(deduct(bed, &trade, "wait_ms=100")->processing);
    flow_must(bed, "Resolve", "gid=%s/deduct/1/1 step=deduct outcome=2 reason=they-say-no", trade.no);
    flow_until_parked(bed, &trade, 1);
    cannot(bed, &trade, AS(WRITTEN_OFF)); // its saga waits
    flow_clear_faults(bed);
    flow_retry_parked(bed, &trade);
    flow_until_still(bed, &trade);
    assert_int_equal(listed(bed, &trade, "filter.settled=true")->matters[0]->outcome, AS(DEDUCTED));
    assert_int_equal(uses(bed, &trade, used, EFFECT(APPLIED)), 1);
}

// Two operators at the same time: one tries it again.
static void test_of_two_that_try_it_again_one_does(struct flow_bed *bed) {
    const struct used *used = &all_used[0];
    struct flow_trade trade;
    struct flow_answer *answers[2];
    short_of(bed, &trade, used, 1);
    for (int i = 0; i < 2; i++)
        answers[i] = flow_send(bed, "SettleMatter", "trade_no=%s number=1 outcome=%d reason=because", trade.no,
                               i == 0 ? AS(DEDUCTED) : AS(WRITTEN_OFF));
    for (int i = 0; i < 2; i++)
        flow_wait(bed, answers[i]);
    flow_until_still(bed, &trade);
    bool deducted = strcmp(flow_verdict(answers[0]), "OK") == 0;
    assert_int_not_equal(deducted, strcmp(flow_verdict(answers[1]), "OK") == 0);
    assert_int_equal(uses(bed, &trade, used, EFFECT(APPLIED)), deducted);
    assert_int_equal(listed(bed, &trade, "filter.settled=true")->n_matters, 1);
}

// [S3-49] where a shortfall is not to stand, all that was paid goes back, and nothing that was never used; what is
// whole stands
static void test_a_shortfall_that_is_not_to_stand_is_refunded(struct flow_bed *bed) {
    for (size_t i = 0; i < KINDS; i++) {
        const struct used *used = &all_used[i];
        struct flow_trade trade;
        pay_short(bed, &trade, used, 1);
        flow_until_state(bed, &trade, TRADE(REFUNDED));
        flow_until_still(bed, &trade);
        const Txcenter__Trade__V1__Trade *found = flow_get(bed, trade.no);
        assert_int_equal(found->n_shortfalls, 1);
        assert_int_equal(found->n_refunds, 1);
        assert_string_equal(found->refunds[0]->refund_no, "shortfall");
        assert_int_equal(found->refunded->minor_units, trade.payable);
        assert_int_equal(uses(bed, &trade, used, EFFECT(APPLIED)), 0);
        assert_int_equal(flow_ledger(bed, used->system, trade.no, back[i]).n, 0);
        assert_int_equal(listed(bed, &trade, "")->n_matters, 0);
        const matters *over = listed(bed, &trade, "filter.settled=true");
        assert_int_equal(over->n_matters, 1);
        assert_int_equal(over->matters[0]->outcome, AS(OVER));
        flow_settle(bed);
    }
    struct flow_trade whole = {0};
    flow_quote(bed, &whole, FUEL_200, "");
    flow_order(bed, &whole, "mode=2");
    flow_pay(bed, &whole);
    flow_payer_pays(bed, flow_tender_no(bed, &whole, 1, 0));
    flow_until_state(bed, &whole, TRADE(COMPLETED));
    flow_until_still(bed, &whole);
    flow_refused(bed, "INVALID_REQUEST", "Refund", "trade_no=%s whole=true refund_no=shortfall", whole.no);
    assert_int_equal(flow_get(bed, whole.no)->n_refunds, 0);
}

static int64_t matters_in(struct flow_bed *bed, const struct flow_trade *trade, int outcome) {
    const matters *found = listed(bed, trade, outcome ? "filter.settled=true" : "");
    assert_int_equal(found->n_matters, 1);
    assert_int_equal(found->matters[0]->outcome, outcome);
    return found->matters[0]->number;
}

// [S3-49] [E8] an operator ends the refund of a shortfall: that stays to be settled, and can be
static void test_a_shortfall_whose_refund_was_ended_stays(struct flow_bed *bed) {
    const struct used *used = &all_used[0];
    struct flow_trade trade;
    flow_fault(bed, FAULT(REJECT), "payment", "RefundPayment", "code=ACCOUNT_CLOSED");
    pay_short(bed, &trade, used, 1);
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    flow_until_parked(bed, &trade, 1);
    flow_must(bed, "Terminate", "gid=%s/refund/shortfall reason=it-stands", trade.no);
    flow_until_still(bed, &trade);
    assert_state(bed, &trade, TRADE(COMPLETED));
    assert_int_equal(flow_get(bed, trade.no)->refunds[0]->state, REFUND(STOPPED));
    assert_int_equal(matters_in(bed, &trade, 0), 1);
    flow_clear_faults(bed);
    assert_int_equal(deduct(bed, &trade, "")->matter->outcome, AS(DEDUCTED));
    flow_until_still(bed, &trade);
    assert_state(bed, &trade, TRADE(COMPLETED));
}

// [S3-49] [E8] the purchase was terminated before it was complete: what was short is not to stand all the same
static void test_a_shortfall_of_a_terminated_purchase_is_refunded(struct flow_bed *bed) {
    const struct used *used = &all_used[0];
    struct flow_trade trade;
    flow_fault(bed, FAULT(NO_ANSWER), "order", "MarkPaid", "");
    pay_short(bed, &trade, used, 1);
    flow_until_state(bed, &trade, TRADE(PAID));
    flow_run_for(bed, 2000);
    assert_int_equal(matters_in(bed, &trade, 0), 1);
    flow_must(bed, "Terminate", "gid=%s/1 reason=stuck", trade.no);
    flow_clear_faults(bed);
    flow_until_state(bed, &trade, TRADE(REFUNDED));
    flow_until_still(bed, &trade);
    assert_int_equal(flow_ledger(bed, "payment", trade.no, "refunded").amount, trade.payable);
    assert_int_equal(matters_in(bed, &trade, AS(OVER)), 1);
    bed->not_compared = true; // what follows a payment never comes
}

// [S3-49] [E8] no saga could follow the refund that was ended: its money went back all the same, and so it is settled
static void test_a_shortfall_whose_refund_nobody_drives_is_settled_by_it(struct flow_bed *bed) {
    const struct used *used = &all_used[0];
    struct flow_trade trade;
    flow_fault(bed, FAULT(DOWN), "payment", "QueryRefund", "");
    flow_fault(bed, FAULT(LOST_CALLBACK), "payment", "NotifyRefund", "");
    pay_short(bed, &trade, used, 1);
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    flow_run_for(bed, 2000);
    flow_get_in_the_way(bed, flow_text(bed, "%s/refund/shortfall/2", trade.no));
    flow_must(bed, "Terminate", "gid=%s/refund/shortfall reason=stuck", trade.no);
    assert_int_equal(matters_in(bed, &trade, 0), 1);
    struct flow_refund_notice word = {.refund_no = flow_text(bed, "%s@shortfall@0", trade.no),
                                      .tender_no = flow_tender_no(bed, &trade, 1, 0),
                                      .state = REFUNDED(DONE),
                                      .amount = trade.payable};
    assert_verdict(flow_notify_refund(bed, &word), "OK");
    assert_state(bed, &trade, TRADE(REFUNDED));
    assert_int_equal(matters_in(bed, &trade, AS(OVER)), 1);
    bed->leave_open = bed->not_compared = true; // what is in the way is there for ever
}

static const struct flow_case cases[] = {
    CASE(test_what_was_gone_is_deducted_after_all),
    CASE(test_what_is_refused_again_stays_open),
    CASE(test_a_refund_waits_for_a_deduction_that_is_under_way),
    CASE(test_what_is_refunded_is_not_deducted),
    CASE(test_a_try_that_was_ended_is_not_made_twice),
    CASE(test_what_a_try_that_was_ended_has_used_comes_back),
    CASE(test_what_a_try_that_was_ended_has_not_used_is_told),
    CASE(test_an_operator_knows_what_became_of_a_try),
    CASE(test_of_two_that_try_it_again_one_does),
    CASE_WITH(test_a_shortfall_that_is_not_to_stand_is_refunded, .shortfall_refunds = true),
    CASE_WITH(test_a_shortfall_whose_refund_was_ended_stays, .shortfall_refunds = true),
    CASE_WITH(test_a_shortfall_of_a_terminated_purchase_is_refunded, .shortfall_refunds = true),
    VIRTUAL_WITH(test_a_shortfall_whose_refund_nobody_drives_is_settled_by_it, .shortfall_refunds = true),
};

CASES(deduction);
