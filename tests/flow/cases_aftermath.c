// What a refund does to what followed the payment: benefits that were used, earned, not yet earned, or spent already.
#include "tests/flow/cases.h"
#include "tests/flow/virtual.h"

#include <stdlib.h>

typedef Txcenter__Trade__V1__RefundResponse refund_response;
typedef Participant__Sim__V1__LedgerEntry ledger_entry;

static int64_t points_left(struct flow_bed *bed, const struct flow_trade *trade) {
    return flow_ledger(bed, "points", trade->no, "award").points -
           flow_ledger(bed, "points", trade->no, "claw_back").points;
}

static bool ends_with(const char *text, const char *end) {
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

// The first entry of a kind in a system's ledger of the trade.
static const ledger_entry *entry_of(struct flow_bed *bed, const char *system, const struct flow_trade *trade,
                                    const char *kind, const char *account_end) {
    const Participant__Sim__V1__DumpLedgerResponse *page =
        flow_control(bed, "DumpLedger", "system=%s trade_no=%s", system, trade->no);
    for (size_t i = 0; i < page->n_entries; i++)
        if (strcmp(page->entries[i]->kind, kind) == 0 && ends_with(page->entries[i]->account, account_end))
            return page->entries[i];
    fail_msg("%s has no %s of %s", system, kind, trade->no);
    return NULL;
}

// ---- Coupons --------------------------------------------------------------------------------------------------------

// [A47] a used coupon comes back, unless its time is over by then
static void test_a_coupon_comes_back_unless_its_time_is_over(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_completed(bed, &trade);
    flow_run_for(bed, INT64_C(8) * 86400000); // one of the two was good for seven days
    flow_refunded(bed, &trade, "whole=true");
    flow_until_still(bed, &trade);
    assert_string_equal(entry_of(bed, "coupon", &trade, "give_back", "-1")->state, "USABLE");
    assert_string_equal(entry_of(bed, "coupon", &trade, "give_back", "-3")->state, "EXPIRED");
}

// [A68] a coupon that the trade earned was spent in another one: that one stands, the refund goes through
static void test_an_earned_coupon_that_was_spent_does_not_hold_up_the_refund(struct flow_bed *bed) {
    struct flow_trade trade, other = {0};
    flow_completed(bed, &trade);
    const char *issued = entry_of(bed, "coupon", &trade, "issue", "")->account;
    flow_quote(bed, &other, FUEL_200, flow_text(bed, "required_coupon_ids[0]=%s", issued));
    flow_order(bed, &other, "");
    flow_pay(bed, &other);
    flow_payer_pays(bed, flow_tender_no(bed, &other, 1, 0));
    flow_until_state(bed, &other, TRADE(COMPLETED));
    const refund_response *response = flow_refunded(bed, &trade, "whole=true");
    assert_int_equal(response->trade->state, TRADE(REFUNDED));
    flow_until_still(bed, &trade);
    assert_int_equal(flow_ledger(bed, "coupon", trade.no, "withdraw").n, 0);
    assert_int_equal(flow_get(bed, trade.no)->refunds[0]->coupons_spent, 1);
    assert_string_equal(flow_get(bed, trade.no)->shortfalls[0]->what, "coupons_spent");
    assert_string_equal(flow_get(bed, trade.no)->shortfalls[0]->text, issued);
    assert_state(bed, &other, TRADE(COMPLETED));
    assert_int_equal(flow_ledger(bed, "coupon", other.no, "use").n, flow_ledger(bed, "coupon", other.no, "lock").n);
}

// [A67] an issue that is being retried when everything is refunded never comes later
static void test_an_issue_under_way_is_cancelled_by_the_refund(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_completed_but(bed, &trade, FAULT(DOWN), "coupon", "IssueCoupons", "");
    flow_refunded(bed, &trade, "whole=true");
    flow_clear_faults(bed);
    flow_until_still(bed, &trade);
    assert_int_equal(flow_ledger(bed, "coupon", trade.no, "issue").n, 0);
    assert_int_equal(flow_effects(bed, "coupon", trade.no, "IssueCoupons", EFFECT(CANCELLED)), 1);
}

// ---- Points ---------------------------------------------------------------------------------------------------------

// [A48] what was awarded and is spent already is a shortfall, on record; the refund stands
static void test_awarded_points_that_were_spent_leave_a_shortfall(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_completed(bed, &trade);
    flow_control(bed, "SetPoints", "user_id=%s available=%d", bed->user, 40);
    // What was used comes back in the same moment: not before the award has been taken back.
    flow_fault(bed, FAULT(DELAY), "points", "GiveBackPoints", "delay_ms=300");
    flow_refunded(bed, &trade, "whole=true");
    flow_until_still(bed, &trade);
    const Txcenter__Trade__V1__Refund *kept = flow_get(bed, trade.no)->refunds[0];
    assert_int_equal(kept->points_clawed_back, 40);
    assert_int_equal(kept->points_shortfall, BEST_200 / 100 - 40);
    assert_string_equal(flow_get(bed, trade.no)->shortfalls[0]->what, "points_spent");
    assert_int_equal(flow_get(bed, trade.no)->shortfalls[0]->points, BEST_200 / 100 - 40);
    assert_int_equal(points_left(bed, &trade), BEST_200 / 100 - 40);
}

// A refund that had nothing to take back has ended: what happens later does not look for it any more.
static void test_a_refund_without_points_to_take_back_is_left_alone(struct flow_bed *bed) {
    struct flow_trade trade;
    int64_t writes[3];
    flow_completed(bed, &trade);
    for (int i = 0; i < 3; i++) {
        int64_t before = flow_stat(bed, "store.writes");
        flow_refunded(bed, &trade, "amount=CNY10"); // 0.1 of a point, rounded down
        flow_until_still(bed, &trade);
        flow_run_for(bed, 1000);
        writes[i] = flow_stat(bed, "store.writes") - before;
    }
    assert_int_equal(flow_ledger(bed, "points", trade.no, "claw_back").n, 0);
    assert_int_equal(writes[1], writes[0]);
    assert_int_equal(writes[2], writes[0]);
}

// [A48] of a part too, and of each part what is missing
static void test_each_part_has_its_own_shortfall(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_completed(bed, &trade);
    flow_control(bed, "SetPoints", "user_id=%s available=%d", bed->user, 10);
    flow_refunded(bed, &trade, "amount=CNY2500"); // 25 of the 125 points
    flow_until_still(bed, &trade);
    flow_refunded(bed, &trade, "amount=CNY5000"); // 50 more, and nothing is there
    flow_until_still(bed, &trade);
    const Txcenter__Trade__V1__Trade *found = flow_get(bed, trade.no);
    assert_int_equal(found->refunds[0]->points_clawed_back, 10);
    assert_int_equal(found->refunds[0]->points_shortfall, 15);
    assert_int_equal(found->refunds[1]->points_clawed_back, 0);
    assert_int_equal(found->refunds[1]->points_shortfall, 50);
}

// [A67] an award that is being retried when everything is refunded never comes later
static void test_an_award_under_way_is_cancelled_by_the_refund(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_completed_but(bed, &trade, FAULT(DOWN), "points", "AwardPoints", "");
    flow_refunded(bed, &trade, "whole=true");
    flow_clear_faults(bed);
    flow_until_still(bed, &trade);
    assert_int_equal(flow_ledger(bed, "points", trade.no, "award").n, 0);
    assert_int_equal(flow_effects(bed, "points", trade.no, "AwardPoints", EFFECT(CANCELLED)), 1);
    assert_int_equal(flow_get(bed, trade.no)->points_awarded, 0);
}

// [A67] [A12] an award that was sent before the refund and arrives after it is refused by its key
static void test_an_award_that_arrives_after_the_refund_is_refused(struct flow_bed *bed) {
    struct flow_trade trade;
    int late_ms = bed->ops->virtual_time ? 60000 : 2500;
    flow_completed_but(bed, &trade, FAULT(DELAY), "points", "AwardPoints", flow_text(bed, "delay_ms=%d", late_ms));
    flow_refunded(bed, &trade, "whole=true");
    flow_run_for(bed, late_ms + 500);
    flow_clear_faults(bed);
    flow_until_still(bed, &trade);
    assert_int_equal(points_left(bed, &trade), 0);
    assert_int_equal(flow_ledger(bed, "points", trade.no, "award").n, 0);
}

// [A67] an award that took place and whose answer was lost is taken back all the same
static void test_an_award_whose_answer_was_lost_is_taken_back(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_completed_but(bed, &trade, FAULT(NO_ANSWER), "points", "AwardPoints", "");
    flow_refunded(bed, &trade, "whole=true");
    flow_clear_faults(bed);
    flow_until_still(bed, &trade);
    assert_int_equal(flow_ledger(bed, "points", trade.no, "award").n, 1);
    assert_int_equal(points_left(bed, &trade), 0);
}

// [A67] a refund of a part waits with its share until the award has come
static void test_a_part_takes_its_share_of_an_award_that_comes_later(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_completed_but(bed, &trade, FAULT(DOWN), "points", "AwardPoints", "");
    const refund_response *response = flow_refunded(bed, &trade, "amount=CNY2500");
    assert_int_equal(response->trade->state, TRADE(PARTIALLY_REFUNDED));
    assert_int_equal(flow_ledger(bed, "points", trade.no, "claw_back").n, 0);
    flow_clear_faults(bed);
    flow_until_still(bed, &trade);
    assert_int_equal(flow_ledger(bed, "points", trade.no, "award").points, BEST_200 / 100);
    assert_int_equal(points_left(bed, &trade), (BEST_200 - 2500) / 100);
}

// [A67] [A34] an award that waits for an operator when everything is refunded is not made by the operator's retry
static void test_a_parked_award_is_not_made_after_the_refund(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_completed_but(bed, &trade, FAULT(REJECT), "points", "AwardPoints", "count=1 code=NOT_NOW");
    flow_until_parked(bed, &trade, 1);
    flow_refunded(bed, &trade, "whole=true");
    flow_until_still(bed, &trade);
    flow_retry_parked(bed, &trade);
    flow_until_still(bed, &trade);
    assert_int_equal(flow_ledger(bed, "points", trade.no, "award").n, 0);
    assert_int_equal(points_left(bed, &trade), 0);
}

// ---- Cards, settlement, keys ----------------------------------------------------------------------------------------

// [A70] principal and bonus of a card are kept apart: parts give back both in their proportion, the last takes the rest
static void test_principal_and_bonus_come_back_apart(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_control(bed, "SetCard", "card_no=%s user_id=%s principal=CNY9000 bonus=CNY6001", bed->card, bed->user);
    flow_ordered(bed, &trade);
    flow_pay_with(bed, &trade, flow_tenders(bed, 1, KIND(CARD), BEST_200, bed->card), "wait_for=2");
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    const Txcenter__Trade__V1__Tender *tender = flow_tender(bed, &trade, 1, 0);
    int64_t principal = tender->principal->minor_units, bonus = tender->bonus->minor_units;
    assert_int_equal(principal + bonus, BEST_200);
    assert_int_equal(entry_of(bed, "card", &trade, "confirm", "/principal")->amount->minor_units, principal);
    assert_int_equal(entry_of(bed, "card", &trade, "confirm", "/bonus")->amount->minor_units, bonus);
    for (int i = 0; i < 3; i++)
        flow_refunded(bed, &trade, "amount=CNY1111");
    flow_refunded(bed, &trade, "whole=true");
    flow_until_still(bed, &trade);
    int64_t back[2] = {0};
    const Participant__Sim__V1__DumpLedgerResponse *page =
        flow_control(bed, "DumpLedger", "system=card trade_no=%s", trade.no);
    for (size_t i = 0; i < page->n_entries; i++)
        if (strcmp(page->entries[i]->kind, "refund") == 0)
            back[ends_with(page->entries[i]->account, "/bonus")] += page->entries[i]->amount->minor_units;
    assert_int_equal(back[0], principal);
    assert_int_equal(back[1], bonus);
}

static bool is_reversed(struct flow_bed *bed, const void *ctx) {
    return flow_effects(bed, "settlement", ctx, "ReverseTrade", EFFECT(APPLIED)) > 0;
}

// [A34] [E8] a refund has told settlement that it takes back what it has not recorded: that is recorded, then, and not
// skipped; before a refund it may be, and then there is nothing to take back
static void test_what_settlement_takes_back_was_recorded(struct flow_bed *bed) {
    static const int outcomes[] = {2, 1}; // an operator says that it was not recorded, or that it was
    for (size_t i = 0; i < 2; i++) {
        struct flow_trade trade;
        flow_clear_faults(bed);
        flow_completed_but(bed, &trade, FAULT(REJECT), "settlement", "RecordTrade", "code=SHIFT_CLOSED");
        flow_until_parked(bed, &trade, 1);
        const char *its = flow_text(bed, "gid=%s/1 step=record_settlement reason=because", trade.no);
        flow_refunded(bed, &trade, "whole=true");
        flow_until(bed, is_reversed, trade.no, "settlement has taken back its part");
        flow_refused(bed, "SAGA_STATE", "Skip", "%s", its);
        flow_clear_faults(bed);
        if (outcomes[i] == 1)
            flow_must(bed, "Resolve", "%s outcome=1", its);
        else
            flow_retry_parked(bed, &trade);
        flow_until_still(bed, &trade);
        assert_int_equal(flow_parked(bed, trade.no), 0);
        assert_int_equal(flow_effects(bed, "settlement", trade.no, "RecordTrade", EFFECT(APPLIED)), outcomes[i] == 2);
    }
    struct flow_trade trade;
    flow_completed_but(bed, &trade, FAULT(REJECT), "settlement", "RecordTrade", "code=SHIFT_CLOSED");
    flow_until_parked(bed, &trade, 1);
    flow_must(bed, "Skip", "gid=%s/1 step=record_settlement reason=because", trade.no);
    flow_clear_faults(bed);
    flow_refunded(bed, &trade, "whole=true");
    flow_until_still(bed, &trade);
    assert_int_equal(flow_ledger(bed, "settlement", trade.no, NULL).n, 0);
    bed->not_compared = true; // one was recorded by hand
}

// Whether it was recorded is not known: it is not skipped either.
static void test_what_settlement_may_have_recorded_is_not_skipped(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_completed_but(bed, &trade, FAULT(NO_ANSWER), "settlement", "RecordTrade", "");
    flow_until_parked(bed, &trade, 1);
    const char *its = flow_text(bed, "gid=%s/1 step=record_settlement reason=because", trade.no);
    flow_refused(bed, "SAGA_STATE", "Skip", "%s", its);
    flow_must(bed, "Resolve", "%s outcome=1", its);
    flow_until_still(bed, &trade);
    flow_clear_faults(bed);
    flow_refunded(bed, &trade, "whole=true");
    flow_until_still(bed, &trade);
    assert_int_equal(flow_effects(bed, "settlement", trade.no, "ReverseTrade", EFFECT(APPLIED)), 1);
}

// [S3-15] [A32] settlement was down for the payment and the refund: afterwards its books are even
static void test_settlement_is_even_though_it_was_down_for_both(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_completed_but(bed, &trade, FAULT(DOWN), "settlement", "*", "");
    flow_refunded(bed, &trade, "amount=CNY2500");
    const refund_response *rest = flow_refunded(bed, &trade, "whole=true");
    assert_int_equal(rest->trade->state, TRADE(REFUNDED));
    assert_int_equal(flow_ledger(bed, "settlement", trade.no, NULL).n, 0);
    flow_clear_faults(bed);
    flow_until_still(bed, &trade);
    assert_int_equal(flow_effects(bed, "settlement", trade.no, "RecordTrade", EFFECT(APPLIED)), 1);
    assert_int_equal(flow_effects(bed, "settlement", trade.no, "ReverseTrade", EFFECT(APPLIED)), 2);
}

// [A34] [A32] [S3-17] everything that follows a refund is refused: the money is back all the same, the rest waits for
// an operator and goes through
static void test_what_follows_a_refund_and_is_refused_waits_for_an_operator(struct flow_bed *bed) {
    static const char *const methods[][2] = {
        {"order", "MarkRefunded"},    {"coupon", "GiveBackCoupons"},  {"points", "GiveBackPoints"},
        {"points", "ClawBackPoints"}, {"settlement", "ReverseTrade"}, {"push", "Push"},
        {"level", "ReverseGrowth"},   {"marketing", "ReverseTrade"},  {"notify", "Send"},
        {"os", "SyncOrder"}};
    struct flow_trade trade;
    flow_completed(bed, &trade);
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        flow_fault(bed, FAULT(REJECT), methods[i][0], methods[i][1], "count=1 code=NOT_NOW");
    const refund_response *response = flow_refunded(bed, &trade, "whole=true");
    assert_int_equal(response->trade->state, TRADE(REFUNDED));
    assert_int_equal(flow_ledger(bed, "payment", trade.no, "refunded").amount, BEST_200);
    for (int i = 0; i < 3; i++) { // some may still be on their way to being refused
        flow_until_still(bed, &trade);
        flow_retry_parked(bed, &trade);
    }
    flow_until_still(bed, &trade);
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        assert_true(flow_effects(bed, methods[i][0], trade.no, methods[i][1], EFFECT(APPLIED)) >= 1);
    assert_int_equal(flow_ledger(bed, "push", trade.no, "push").n, 2);
}

enum { KEYS_MAX = 200 };

static int by_text(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

// [A55] every operation of a trade has a key of its own, made of the trade's number: two payments of one order, two
// equal refunds, and each step
static void test_every_operation_has_a_key_of_its_own(struct flow_bed *bed) {
    static const char *const systems[] = {"order", "payment", "card",   "coupon",   "points",    "settlement", "push",
                                          "level", "invoice", "notify", "activity", "marketing", "os"};
    const char *keys[KEYS_MAX];
    size_t n = 0;
    struct flow_trade trade;
    flow_ordered(bed, &trade);
    const char *tenders = flow_tenders(bed, 2, KIND(CARD), 2500, bed->card, KIND(WECHAT), BEST_200 - 2500, "payer");
    flow_pay_with(bed, &trade, tenders, "");
    flow_payer_fails(bed, flow_tender_no(bed, &trade, 1, 1), "NO_MONEY");
    flow_until_state(bed, &trade, TRADE(ORDERED));
    flow_pay_with(bed, &trade, tenders, "");
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 2, 1));
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    for (int i = 0; i < 2; i++)
        flow_refunded(bed, &trade, "amount=CNY1000");
    flow_until_still(bed, &trade);
    for (size_t i = 0; i < sizeof systems / sizeof systems[0]; i++) {
        const Participant__Sim__V1__DumpEffectsResponse *page =
            flow_control(bed, "DumpEffects", "system=%s trade_no=%s", systems[i], trade.no);
        for (size_t k = 0; k < page->n_effects; k++) {
            assert_true(n < KEYS_MAX);
            keys[n++] = page->effects[k]->key;
            assert_true(str_starts(str_c(page->effects[k]->key), str_c(trade.no)));
        }
    }
    assert_true(n >= 20);
    qsort(keys, n, sizeof keys[0], by_text);
    for (size_t i = 1; i < n; i++)
        assert_string_not_equal(keys[i], keys[i - 1]);
}

static const struct flow_case cases[] = {
    VIRTUAL(test_a_refund_without_points_to_take_back_is_left_alone),
    VIRTUAL(test_a_coupon_comes_back_unless_its_time_is_over),
    CASE(test_an_earned_coupon_that_was_spent_does_not_hold_up_the_refund),
    CASE(test_an_issue_under_way_is_cancelled_by_the_refund),
    CASE(test_awarded_points_that_were_spent_leave_a_shortfall),
    CASE(test_each_part_has_its_own_shortfall),
    CASE(test_an_award_under_way_is_cancelled_by_the_refund),
    CASE(test_an_award_that_arrives_after_the_refund_is_refused),
    CASE(test_an_award_whose_answer_was_lost_is_taken_back),
    CASE(test_a_part_takes_its_share_of_an_award_that_comes_later),
    CASE(test_a_parked_award_is_not_made_after_the_refund),
    CASE(test_principal_and_bonus_come_back_apart),
    CASE(test_settlement_is_even_though_it_was_down_for_both),
    CASE(test_what_settlement_takes_back_was_recorded),
    VIRTUAL(test_what_settlement_may_have_recorded_is_not_skipped),
    CASE(test_what_follows_a_refund_and_is_refused_waits_for_an_operator),
    CASE(test_every_operation_has_a_key_of_its_own),
};

CASES(aftermath);
