// What the comparison at the end of a story must find (tests/check): each of these ends in a world in which somebody
// has done something behind the center's back, or kept something from it. Whole worlds are compared, so each is alone
// in its.
#include "tests/flow/cases.h"

#include "participant/activity/v1/activity.pb-c.h"
#include "participant/card/v1/card.pb-c.h"
#include "participant/coupon/v1/coupon.pb-c.h"
#include "participant/payment/v1/payment.pb-c.h"
#include "participant/settlement/v1/settlement.pb-c.h"

#define SERVICE(of) (&participant__##of##__v1__##of##_service__descriptor)

// Keys of the purchase: a step and a generation. The center's own are the first generation's.
#define RECHARGE "84"
#define ISSUE "110"
#define SETTLEMENT "120"
#define GIFTS "160"

// A request's effect, under a key of the trade's purchase.
static const char *under(struct flow_bed *bed, const struct flow_trade *trade, const char *step, int generation,
                         int op) {
    return flow_text(bed, "effect.key=%s/1/%s/%d effect.gid=%s/1 effect.step=s effect.op=%d effect.trade_no=%s",
                     trade->no, step, generation, trade->no, op, trade->no);
}

enum { ACTION = 1, UNDO = 2 };

static void begin(struct flow_bed *bed, struct flow_trade *trade,
                  void (*make)(struct flow_bed *, struct flow_trade *)) {
    make(bed, trade);
    assert_string_equal(flow_disagreements(bed), "");
    bed->not_compared = true;
}

// These are found of the trade, and nothing else.
#define assert_found(bed, trade_no, ...) found((bed), (trade_no), (const char *const[]){__VA_ARGS__, NULL})
static void found(struct flow_bed *bed, const char *trade_no, const char *const *texts) {
    const char *all = "";
    for (; *texts; texts++)
        all = flow_text(bed, "%s%s: %s\n", all, trade_no, *texts);
    assert_string_equal(flow_disagreements(bed), all);
}

static const char *differs(struct flow_bed *bed, const char *what, int center, int participant) {
    return flow_text(bed, "%s: the center says %d, the participant %d", what, center, participant);
}

// ---- Recharges ----------------------------------------------------------------------------------------------------

enum { RECHARGED = 50000, BONUS = 5000 };

static const char *principal(struct flow_bed *bed) {
    return flow_text(bed, "recharged of %s/principal", bed->card);
}

static const char *bonus(struct flow_bed *bed) {
    return flow_text(bed, "recharged of %s/bonus", bed->card);
}

static void test_a_recharge_that_came_twice_is_found(struct flow_bed *bed) {
    struct flow_trade trade;
    begin(bed, &trade, flow_recharged);
    flow_behind(bed, SERVICE(card), "RechargeCard", "%s card_no=%s principal=CNY50000",
                under(bed, &trade, RECHARGE, 2, ACTION), bed->card);
    assert_found(bed, trade.no, differs(bed, principal(bed), RECHARGED, 2 * RECHARGED),
                 differs(bed, bonus(bed), BONUS, 2 * BONUS));
}

static void test_a_recharge_that_is_missing_is_found(struct flow_bed *bed) {
    struct flow_trade trade;
    begin(bed, &trade, flow_recharged);
    flow_behind(bed, SERVICE(card), "CancelRecharge", "%s", under(bed, &trade, RECHARGE, 1, UNDO));
    assert_found(bed, trade.no, differs(bed, principal(bed), RECHARGED, 0), differs(bed, bonus(bed), BONUS, 0));
}

static void test_a_recharge_of_another_amount_is_found(struct flow_bed *bed) {
    struct flow_trade trade;
    begin(bed, &trade, flow_recharged);
    flow_behind(bed, SERVICE(card), "RechargeCard", "%s card_no=%s principal=CNY1",
                under(bed, &trade, RECHARGE, 2, ACTION), bed->card);
    assert_found(bed, trade.no, differs(bed, principal(bed), RECHARGED, RECHARGED + 1));
}

static void test_a_recharge_of_another_card_is_found(struct flow_bed *bed) {
    struct flow_trade trade;
    begin(bed, &trade, flow_recharged);
    flow_behind(bed, SERVICE(card), "RechargeCard", "%s card_no=%s principal=CNY100",
                under(bed, &trade, RECHARGE, 2, ACTION), bed->other_card);
    assert_found(bed, trade.no, differs(bed, "recharged of all cards", RECHARGED + BONUS, RECHARGED + BONUS + 100));
}

static void test_a_recharge_of_a_trade_that_sold_none_is_found(struct flow_bed *bed) {
    struct flow_trade trade;
    begin(bed, &trade, flow_completed);
    flow_behind(bed, SERVICE(card), "RechargeCard", "%s card_no=%s principal=CNY100",
                under(bed, &trade, RECHARGE, 1, ACTION), bed->card);
    assert_found(bed, trade.no, differs(bed, "recharged of all cards", 0, 100));
}

// The balance goes once with its money: not without it, and not twice.
static void test_a_reversal_that_nobody_asked_for_is_found(struct flow_bed *bed) {
    struct flow_trade trade;
    begin(bed, &trade, flow_recharged);
    flow_refunded(bed, &trade, "amount=CNY20000");
    flow_until_still(bed, &trade);
    assert_string_equal(flow_disagreements(bed), "");
    flow_behind(bed, SERVICE(card), "ReverseRecharge", "%s refund_no=B recharge_key=%s/1/" RECHARGE "/1 amount=CNY1",
                under(bed, &trade, RECHARGE, 2, ACTION), trade.no);
    assert_found(bed, trade.no, differs(bed, principal(bed), RECHARGED - 20000, RECHARGED - 20001));
}

static void test_a_recharge_that_stays_though_it_was_refunded_is_found(struct flow_bed *bed) {
    struct flow_trade trade;
    begin(bed, &trade, flow_recharged);
    flow_refunded(bed, &trade, "whole=true");
    flow_until_still(bed, &trade);
    assert_string_equal(flow_disagreements(bed), "");
    flow_behind(bed, SERVICE(card), "RechargeCard", "%s card_no=%s principal=CNY50000",
                under(bed, &trade, RECHARGE, 2, ACTION), bed->card);
    assert_found(bed, trade.no, differs(bed, principal(bed), 0, RECHARGED), differs(bed, bonus(bed), 0, BONUS));
}

// ---- What was earned ----------------------------------------------------------------------------------------------

static void issue(struct flow_bed *bed, const struct flow_trade *trade, int generation) {
    flow_behind(bed, SERVICE(coupon), "IssueCoupons", "%s user_id=%s paid=CNY10000",
                under(bed, trade, ISSUE, generation, ACTION), bed->user);
}

static void test_coupons_that_were_issued_twice_are_found(struct flow_bed *bed) {
    struct flow_trade trade;
    begin(bed, &trade, flow_completed);
    issue(bed, &trade, 2);
    assert_found(bed, trade.no, differs(bed, "times coupons were issued", 1, 2));
}

static void test_a_coupon_that_was_issued_and_is_gone_is_found(struct flow_bed *bed) {
    struct flow_trade trade;
    begin(bed, &trade, flow_completed);
    flow_behind(bed, SERVICE(coupon), "WithdrawCoupons", "%s", under(bed, &trade, ISSUE, 1, UNDO));
    assert_found(bed, trade.no, differs(bed, "issued coupons kept", 1, 0));
}

// The coupon system says that it has issued what the trade earns, and issues nothing.
static void unissued(struct flow_bed *bed, struct flow_trade *trade) {
    flow_control(bed, "SetIssueRule",
                 "rule_id=thanks least=CNY100000 valid_days=30 coupon.kind=1 coupon.amount_off=CNY300");
    flow_ordered(bed, trade);
    flow_pay(bed, trade);
    flow_payer_pays(bed, flow_tender_no(bed, trade, 1, 0));
    flow_until_state(bed, trade, TRADE(COMPLETED));
    flow_until_still(bed, trade);
}

static void test_a_coupon_that_never_came_is_found(struct flow_bed *bed) {
    struct flow_trade trade;
    unissued(bed, &trade);
    bed->not_compared = true;
    assert_found(bed, trade.no, differs(bed, "times coupons were issued", 1, 0));
}

static void test_a_coupon_that_is_still_to_come_is_found(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_completed_but(bed, &trade, FAULT(DOWN), "coupon", "IssueCoupons", "");
    flow_run_for(bed, 1000);
    assert_found(bed, trade.no, "issue is still to come");
}

static void test_a_coupon_that_comes_after_the_refund_is_found(struct flow_bed *bed) {
    struct flow_trade trade;
    begin(bed, &trade, flow_completed);
    flow_refunded(bed, &trade, "whole=true");
    flow_until_still(bed, &trade);
    assert_string_equal(flow_disagreements(bed), "");
    issue(bed, &trade, 2);
    assert_found(bed, trade.no, differs(bed, "times coupons were issued", 1, 2),
                 differs(bed, "issued coupons kept", 0, 1));
}

static void test_coupons_of_what_was_not_paid_are_found(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_ordered(bed, &trade);
    flow_must(bed, "Cancel", "trade_no=%s", trade.no);
    flow_until_still(bed, &trade);
    assert_string_equal(flow_disagreements(bed), "");
    issue(bed, &trade, 1);
    bed->not_compared = true;
    assert_found(bed, trade.no, differs(bed, "issued coupons kept", 0, 1));
}

static void test_gifts_that_were_given_twice_are_found(struct flow_bed *bed) {
    struct flow_trade trade;
    begin(bed, &trade, flow_completed);
    flow_behind(bed, SERVICE(activity), "EvaluateTrade", "%s user_id=%s station_id=S001 paid=CNY20000",
                under(bed, &trade, GIFTS, 2, ACTION), bed->user);
    assert_found(bed, trade.no, differs(bed, "times gifts were given", 0, 1));
}

// ---- What nobody knows --------------------------------------------------------------------------------------------

// The one line that there is says so many entries, and why the center has no such trade.
static void found_of_no_trade(struct flow_bed *bed, const char *trade_no, int entries, const char *reason) {
    const char *all = flow_disagreements(bed);
    const char *line =
        flow_text(bed, "%s: %d entries of a trade that the center does not have, as a ", trade_no, entries);
    assert_memory_equal(all, line, strlen(line));
    assert_non_null(strstr(all, flow_text(bed, " under k: %s", reason)));
    assert_ptr_equal(strchr(all, '\n'), all + strlen(all) - 1);
}

#define NO_TRADE "00000000000000000000000001"

// Every system's ledger is walked, so one stands for all.
static void test_a_trade_that_the_center_does_not_know_is_found(struct flow_bed *bed) {
    struct flow_trade trade;
    begin(bed, &trade, flow_completed);
    flow_behind(bed, SERVICE(coupon), "IssueCoupons",
                "effect.key=k effect.gid=g effect.step=s effect.op=1 effect.trade_no=" NO_TRADE
                " user_id=%s paid=CNY10000",
                bed->user);
    found_of_no_trade(bed, NO_TRADE, 1, "TRADE_NOT_FOUND");
}

static void test_an_entry_without_a_trade_is_found(struct flow_bed *bed) {
    struct flow_trade trade;
    begin(bed, &trade, flow_completed);
    flow_behind(bed, SERVICE(card), "RechargeCard",
                "effect.key=k effect.gid=g effect.step=s effect.op=1 card_no=%s principal=CNY1", bed->card);
    found_of_no_trade(bed, "", 2, "INVALID_REQUEST"); // principal and bonus
}

static void test_a_key_of_no_saga_is_found(struct flow_bed *bed) {
    struct flow_trade trade;
    begin(bed, &trade, flow_completed);
    const char *key = flow_text(bed, "%s/10/1/1", trade.no); // begins as those of the first purchase do
    flow_behind(bed, SERVICE(activity), "DeliverItem",
                "effect.key=%s effect.gid=%s/1 effect.step=s effect.op=1 effect.trade_no=%s user_id=%s "
                "station_id=S001 sku=WHEEL quantity=1",
                key, trade.no, trade.no, bed->user);
    const char *all = flow_disagreements(bed);
    assert_non_null(strstr(all, "items delivered: the center says 0, the participant 1\n"));
    assert_non_null(strstr(all, flow_text(bed, " under %s, the key of none of the trade's sagas\n", key)));
}

static void test_a_tender_that_the_trade_does_not_have_is_found(struct flow_bed *bed) {
    struct flow_trade trade;
    begin(bed, &trade, flow_completed);
    flow_behind(bed, SERVICE(payment), "CreatePayment",
                "%s tender_no=X merchant_id=M method=4 amount=CNY100 payer=code", under(bed, &trade, "1", 1, ACTION));
    assert_found(bed, trade.no,
                 flow_text(bed, "payment has a create of X under %s/1/1/1, which is none of the trade's", trade.no),
                 flow_text(bed, "payment has a paid of X under %s/1/1/1, which is none of the trade's", trade.no));
}

static void test_a_card_that_pays_a_tender_of_no_trade_is_found(struct flow_bed *bed) {
    struct flow_trade trade;
    begin(bed, &trade, flow_completed);
    flow_behind(bed, SERVICE(card), "FreezeCard", "%s card_no=%s user_id=%s tender_no=X amount=CNY100",
                under(bed, &trade, "1", 1, ACTION), bed->card, bed->user);
    const char *all = flow_disagreements(bed);
    assert_non_null(strstr(all, flow_text(bed, "%s: card has a freeze of X under ", trade.no)));
}

static void test_a_coupon_that_the_trade_does_not_use_is_found(struct flow_bed *bed) {
    struct flow_trade trade;
    begin(bed, &trade, flow_completed);
    flow_behind(bed, SERVICE(coupon), "UseCoupons", "%s coupon_ids[0]=K%s-1", under(bed, &trade, "70", 2, ACTION),
                bed->other_user + 1);
    const char *all = flow_disagreements(bed);
    assert_non_null(strstr(all, flow_text(bed, "%s: coupon has a use of K%s-1 under ", trade.no, bed->other_user + 1)));
    assert_non_null(strstr(all, "used coupons: the center says 2, the participant 3\n"));
}

static void test_an_account_that_the_trade_does_not_have_is_found(struct flow_bed *bed) {
    struct flow_trade trade;
    begin(bed, &trade, flow_completed);
    flow_behind(bed, SERVICE(settlement), "RecordTrade",
                "%s tenant_id=T001 station_id=S001 business_date=2026-01-01 shift_id=1 postings[0].account=a "
                "postings[0].amount=CNY5 postings[1].account=b postings[1].amount=CNY-5",
                under(bed, &trade, SETTLEMENT, 2, ACTION));
    assert_found(
        bed, trade.no,
        flow_text(bed, "settlement has a record of a under %s/1/120/2, which is none of the trade's", trade.no),
        flow_text(bed, "settlement has a record of b under %s/1/120/2, which is none of the trade's", trade.no));
}

static const struct flow_case cases[] = {
    VIRTUAL(test_a_recharge_that_came_twice_is_found),
    VIRTUAL(test_a_recharge_that_is_missing_is_found),
    VIRTUAL(test_a_recharge_of_another_amount_is_found),
    VIRTUAL(test_a_recharge_of_another_card_is_found),
    VIRTUAL(test_a_recharge_of_a_trade_that_sold_none_is_found),
    VIRTUAL(test_a_reversal_that_nobody_asked_for_is_found),
    VIRTUAL(test_a_recharge_that_stays_though_it_was_refunded_is_found),
    VIRTUAL(test_coupons_that_were_issued_twice_are_found),
    VIRTUAL(test_a_coupon_that_was_issued_and_is_gone_is_found),
    VIRTUAL(test_a_coupon_that_never_came_is_found),
    VIRTUAL(test_a_coupon_that_is_still_to_come_is_found),
    VIRTUAL(test_a_coupon_that_comes_after_the_refund_is_found),
    VIRTUAL(test_coupons_of_what_was_not_paid_are_found),
    VIRTUAL(test_gifts_that_were_given_twice_are_found),
    VIRTUAL(test_a_trade_that_the_center_does_not_know_is_found),
    VIRTUAL(test_an_entry_without_a_trade_is_found),
    VIRTUAL(test_a_key_of_no_saga_is_found),
    VIRTUAL(test_a_tender_that_the_trade_does_not_have_is_found),
    VIRTUAL(test_a_card_that_pays_a_tender_of_no_trade_is_found),
    VIRTUAL(test_a_coupon_that_the_trade_does_not_use_is_found),
    VIRTUAL(test_an_account_that_the_trade_does_not_have_is_found),
};

CASES(checked);
