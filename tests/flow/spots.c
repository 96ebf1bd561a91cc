#include "tests/flow/spots.h"

#include <stdio.h>

enum { PART = 1000 };

static const char *purchase_of(struct flow_bed *bed, const struct flow_trade *trade) {
    return flow_text(bed, "%s/1", trade->no);
}

static const char *payment_of(struct flow_bed *bed, const struct flow_trade *trade) {
    return flow_text(bed, "%s/pay/1", trade->no);
}

void flow_provide(struct flow_bed *bed, unsigned n) {
    flow_control(bed, "SetPoints", "user_id=%s available=9000", bed->user);
    flow_control(bed, "AddCoupon",
                 "user_id=%s coupon.coupon_id=SPOT-%s-%u coupon.name=spot coupon.kind=1 coupon.amount_off=CNY2000 "
                 "coupon.exclusive_group=spot",
                 bed->user, bed->user, n);
    flow_control(bed, "SetCard", "card_no=%s user_id=%s principal=CNY30000 bonus=CNY9000", bed->card, bed->user);
}

// ---- What holds it there --------------------------------------------------------------------------------------------

static void refuses(struct flow_bed *bed, const char *system, const char *method, const char *code) {
    flow_fault(bed, FAULT(REJECT), system, method, flow_text(bed, "code=%s", code));
}

static void is_silent(struct flow_bed *bed, const char *system, const char *method) {
    flow_fault(bed, FAULT(NO_ANSWER), system, method, "");
}

static void cancel(struct flow_bed *bed, const struct flow_trade *trade) {
    flow_must(bed, "Cancel", "trade_no=%s wait_ms=0", trade->no);
}

// ---- An order -----------------------------------------------------------------------------------------------------

// Asked for, and held by a fault.
static const char *ordering(struct flow_bed *bed, struct flow_trade *trade) {
    *trade = (struct flow_trade){0};
    flow_quote(bed, trade, FUEL_200, "");
    flow_send(bed, "PlaceOrder", "trade_no=%s quote_version=%d wait_ms=0", trade->no, trade->version);
    flow_run_for(bed, 20);
    return purchase_of(bed, trade);
}

static void ordered(struct flow_bed *bed, struct flow_trade *trade) {
    *trade = (struct flow_trade){0};
    flow_quote(bed, trade, FUEL_200, "");
    flow_order(bed, trade, "");
}

static const char *locking(struct flow_bed *bed, struct flow_trade *trade) {
    flow_fault(bed, FAULT(DELAY), "coupon", "LockCoupons", "delay_ms=2000");
    return ordering(bed, trade);
}

static const char *creating_order(struct flow_bed *bed, struct flow_trade *trade) {
    is_silent(bed, "order", "CreateOrder");
    return ordering(bed, trade);
}

static const char *waiting(struct flow_bed *bed, struct flow_trade *trade) {
    ordered(bed, trade);
    return purchase_of(bed, trade);
}

static const char *undoing(struct flow_bed *bed, struct flow_trade *trade) {
    ordered(bed, trade);
    refuses(bed, "coupon", "UnlockCoupons", "NOT_NOW");
    cancel(bed, trade);
    flow_until_parked(bed, trade, 1);
    return purchase_of(bed, trade);
}

// ---- Payments -----------------------------------------------------------------------------------------------------

static void pay(struct flow_bed *bed, const struct flow_trade *trade, int kind, int wait_ms) {
    flow_pay_with(bed, trade,
                  flow_tenders(bed, 3, KIND(CARD), PART, bed->card, kind, PART, "payer-a", KIND(ALIPAY),
                               (int)trade->payable - 2 * PART, "payer-b"),
                  flow_text(bed, "wait_ms=%d", wait_ms));
}

static void paying(struct flow_bed *bed, struct flow_trade *trade) {
    ordered(bed, trade);
    pay(bed, trade, KIND(WECHAT), 30000);
}

static void half_paid(struct flow_bed *bed, struct flow_trade *trade) {
    paying(bed, trade);
    flow_payer_pays(bed, flow_tender_no(bed, trade, 1, 1));
    flow_until_tender(bed, trade, 1, 1, TENDER(PAID));
}

static void all_pay(struct flow_bed *bed, const struct flow_trade *trade) {
    for (int i = 1; i < 3; i++)
        flow_payer_pays(bed, flow_tender_no(bed, trade, 1, i));
}

static const char *being_paid(struct flow_bed *bed, struct flow_trade *trade) {
    half_paid(bed, trade);
    return purchase_of(bed, trade);
}

static const char *closing(struct flow_bed *bed, struct flow_trade *trade) {
    half_paid(bed, trade);
    is_silent(bed, "payment", "*");
    cancel(bed, trade);
    flow_run_for(bed, 5000);
    return purchase_of(bed, trade);
}

static const char *freezing(struct flow_bed *bed, struct flow_trade *trade) {
    ordered(bed, trade);
    is_silent(bed, "card", "FreezeCard");
    pay(bed, trade, KIND(WECHAT), 20);
    return payment_of(bed, trade);
}

static const char *creating(struct flow_bed *bed, struct flow_trade *trade) {
    ordered(bed, trade);
    flow_fault(bed, FAULT(NO_ANSWER), "payment", "CreatePayment", "count=1");
    is_silent(bed, "payment", "Inquire");
    pay(bed, trade, KIND(WECHAT), 20);
    return payment_of(bed, trade);
}

static const char *offered(struct flow_bed *bed, struct flow_trade *trade) {
    paying(bed, trade);
    return payment_of(bed, trade);
}

static const char *collecting(struct flow_bed *bed, struct flow_trade *trade) {
    half_paid(bed, trade);
    return payment_of(bed, trade);
}

static const char *confirming(struct flow_bed *bed, struct flow_trade *trade) {
    paying(bed, trade);
    is_silent(bed, "card", "ConfirmCard");
    is_silent(bed, "card", "Inquire");
    all_pay(bed, trade);
    flow_run_for(bed, 5000);
    return payment_of(bed, trade);
}

// The gateway will not close one of them.
static const char *not_closed(struct flow_bed *bed, struct flow_trade *trade) {
    half_paid(bed, trade);
    refuses(bed, "payment", "ClosePayment", "BUSY");
    cancel(bed, trade);
    flow_until_parked(bed, trade, 1);
    return payment_of(bed, trade);
}

static const char *taking_back(struct flow_bed *bed, struct flow_trade *trade) {
    paying(bed, trade);
    refuses(bed, "card", "ReleaseCard", "BUSY");
    flow_payer_fails(bed, flow_tender_no(bed, trade, 1, 1), "NO_MONEY");
    flow_until_parked(bed, trade, 1);
    return payment_of(bed, trade);
}

static const char *reversing(struct flow_bed *bed, struct flow_trade *trade) {
    ordered(bed, trade);
    refuses(bed, "payment", "ReversePayment", "BUSY");
    is_silent(bed, "payment", "ClosePayment");
    pay(bed, trade, KIND(SCANNED), 3000);
    cancel(bed, trade);
    flow_run_for(bed, 20000);
    return payment_of(bed, trade);
}

// ---- Behind the watershed -----------------------------------------------------------------------------------------

static void bought(struct flow_bed *bed, struct flow_trade *trade) {
    paying(bed, trade);
    all_pay(bed, trade);
}

static const char *paid(struct flow_bed *bed, struct flow_trade *trade) {
    refuses(bed, "order", "MarkPaid", "BUSY");
    bought(bed, trade);
    flow_until_parked(bed, trade, 1);
    return purchase_of(bed, trade);
}

static const char *using(struct flow_bed *bed, struct flow_trade *trade) {
    refuses(bed, "coupon", "UseCoupons", "BUSY");
    refuses(bed, "points", "DeductPoints", "BUSY");
    bought(bed, trade);
    flow_run_for(bed, 5000);
    return purchase_of(bed, trade);
}

static const char *rewarding(struct flow_bed *bed, struct flow_trade *trade) {
    refuses(bed, "points", "AwardPoints", "BUSY");
    is_silent(bed, "coupon", "IssueCoupons");
    refuses(bed, "settlement", "RecordTrade", "BUSY");
    bought(bed, trade);
    flow_until_state(bed, trade, TRADE(COMPLETED));
    flow_run_for(bed, 5000);
    return purchase_of(bed, trade);
}

// ---- Refunds ------------------------------------------------------------------------------------------------------

static const char *refund(struct flow_bed *bed, const struct flow_trade *trade, const char *extent) {
    flow_must(bed, "Refund", "trade_no=%s refund_no=A %s wait_ms=0", trade->no, extent);
    flow_run_for(bed, 20000);
    return flow_text(bed, "%s/refund/A", trade->no);
}

static void completed(struct flow_bed *bed, struct flow_trade *trade) {
    bought(bed, trade);
    flow_until_state(bed, trade, TRADE(COMPLETED));
    flow_until_still(bed, trade);
}

static const char *refund_all(struct flow_bed *bed, const struct flow_trade *trade) {
    return refund(bed, trade, "whole=true");
}

static const char *refund_waiting(struct flow_bed *bed, struct flow_trade *trade) {
    paid(bed, trade);
    return refund_all(bed, trade);
}

// A leg is accepted and never heard of again, one is refused, one is unknown.
static const char *refunding(struct flow_bed *bed, struct flow_trade *trade) {
    completed(bed, trade);
    is_silent(bed, "card", "RefundCard");
    flow_fault(bed, FAULT(REJECT), "payment", "RefundPayment", "code=BALANCE_SHORT count=1");
    flow_fault(bed, FAULT(LOST_CALLBACK), "payment", "NotifyRefund", "");
    is_silent(bed, "payment", "QueryRefund");
    return refund_all(bed, trade);
}

static const char *refund_refused(struct flow_bed *bed, struct flow_trade *trade) {
    completed(bed, trade);
    refuses(bed, "payment", "RefundPayment", "BALANCE_SHORT");
    return refund(bed, trade, "amount=CNY5000");
}

static const char *refund_marking(struct flow_bed *bed, struct flow_trade *trade) {
    completed(bed, trade);
    refuses(bed, "order", "MarkRefunded", "BUSY");
    refuses(bed, "points", "*", "BUSY");
    refuses(bed, "coupon", "*", "BUSY");
    return refund_all(bed, trade);
}

static const char *returning(struct flow_bed *bed, struct flow_trade *trade) {
    paying(bed, trade);
    flow_must(bed, "Cancel", "trade_no=%s", trade->no);
    refuses(bed, "payment", "RefundPayment", "BALANCE_SHORT");
    flow_payer_pays_late(bed, flow_tender_no(bed, trade, 1, 1));
    flow_until_parked(bed, trade, 1);
    return flow_text(bed, "%s/refund/late-1-1", trade->no);
}

// Whether the balance is taken is not known.
static const char *reversing_recharge(struct flow_bed *bed, struct flow_trade *trade) {
    flow_recharged(bed, trade);
    is_silent(bed, "card", "ReverseRecharge");
    return refund_all(bed, trade);
}

// It is taken, and its money is refused.
static const char *recharge_refused(struct flow_bed *bed, struct flow_trade *trade) {
    flow_recharged(bed, trade);
    refuses(bed, "payment", "RefundPayment", "BALANCE_SHORT");
    return refund_all(bed, trade);
}

// Of a trade that cost nothing, and is not complete.
static const char *refund_of_nothing(struct flow_bed *bed, struct flow_trade *trade) {
    flow_for_nothing(bed, trade);
    return refund_all(bed, trade);
}

// All the rest has gone back beside it.
static const char *refused_beside_the_rest(struct flow_bed *bed, struct flow_trade *trade) {
    const char *gid = refund_refused(bed, trade);
    flow_clear_faults(bed);
    flow_must(bed, "Refund", "trade_no=%s refund_no=B whole=true", trade->no);
    return gid;
}

// ---- What follows a terminate -------------------------------------------------------------------------------------

static const char *recalling_order(struct flow_bed *bed, struct flow_trade *trade) {
    flow_must(bed, "Terminate", "gid=%s reason=spot", closing(bed, trade));
    flow_run_for(bed, 5000);
    return flow_text(bed, "%s/recall/1", trade->no);
}

static const char *recalling_payment(struct flow_bed *bed, struct flow_trade *trade) {
    const char *gid = confirming(bed, trade);
    refuses(bed, "card", "CancelConfirm", "BUSY");
    refuses(bed, "payment", "ClosePayment", "BUSY");
    flow_must(bed, "Terminate", "gid=%s reason=spot", gid);
    flow_run_for(bed, 5000);
    return flow_text(bed, "%s/recall/pay/1", trade->no);
}

#define SPOT(flow_, function_, leaves_)                                                                                \
    { .name = #function_, .flow = "trade." flow_, .reach = (function_), .leaves = (leaves_) }
const struct flow_spot flow_spots[] = {
    SPOT("purchase", locking, false),
    SPOT("purchase", creating_order, false),
    SPOT("purchase", waiting, false),
    SPOT("purchase", undoing, false),
    SPOT("purchase", being_paid, false),
    SPOT("purchase", closing, false),
    SPOT("payment", freezing, false),
    SPOT("payment", creating, false),
    SPOT("payment", offered, false),
    SPOT("payment", collecting, false),
    SPOT("payment", confirming, false),
    SPOT("payment", not_closed, false),
    SPOT("payment", taking_back, false),
    SPOT("payment", reversing, false),
    SPOT("recall_order", recalling_order, true),
    SPOT("recall_payment", recalling_payment, true),
    SPOT("purchase", paid, true),
    SPOT("purchase", using, true),
    SPOT("purchase", rewarding, true),
    SPOT("refund", refund_waiting, false),
    SPOT("refund", refunding, false),
    SPOT("refund", refund_refused, false),
    SPOT("refund", refund_marking, true),
    SPOT("refund", returning, false),
    SPOT("refund", reversing_recharge, false),
    SPOT("refund", recharge_refused, false),
    SPOT("refund", refund_of_nothing, false),
    SPOT("refund", refused_beside_the_rest, false),
};
const size_t n_flow_spots = sizeof flow_spots / sizeof flow_spots[0];

// ---- Going on -----------------------------------------------------------------------------------------------------

static void resume_all(struct flow_bed *bed, const struct flow_trade *trade) {
    const Txcenter__Saga__V1__ListSagasResponse *page = flow_unfinished(bed, trade->no);
    for (size_t i = 0; i < page->n_sagas; i++)
        if (page->sagas[i]->paused)
            flow_must(bed, "Resume", "gid=%s reason=spot", page->sagas[i]->gid);
}

static void all_payers_pay(struct flow_bed *bed, const struct flow_trade *trade) {
    const Txcenter__Trade__V1__Trade *found = flow_get(bed, trade->no);
    for (size_t i = 0; i < found->n_attempts; i++)
        for (size_t k = 0; k < found->attempts[i]->n_tenders; k++)
            flow_control_maybe(
                bed, "PayTender",
                flow_text(bed, "tender_no=%s result=1 force=true", found->attempts[i]->tenders[k]->tender_no));
}

void flow_play_out(struct flow_bed *bed, const struct flow_trade *trade) {
    flow_clear_faults(bed);
    resume_all(bed, trade);
    all_payers_pay(bed, trade);
    flow_run_for(bed, 3600000); // every order has expired by then
    for (int tries = 0; tries < 3 && flow_parked(bed, trade->no) > 0; tries++) {
        flow_retry_parked(bed, trade);
        flow_run_for(bed, 600000);
    }
}
