// What follows a payment at the level, marketing, invoice, notify, activity and OS systems and at the screens, and what
// a refund of all or a part of it does there.
#include "tests/flow/cases.h"
#include "tests/flow/virtual.h"

#include "participant/invoice/v1/invoice.pb-c.h"

// What is recorded of a payment and goes back with a refund, in parts.
struct record {
    const char *system, *method, *given, *back;
    int64_t unit; // of the ledger, in minor units
    const char *follower, *step, *reverse;
};

static const struct record records[] = {
    {"level", "ReportGrowth", "grow", "shrink", 100, "growth", "report_growth", "reverse_growth"},
    {"marketing", "RecordTrade", "record", "reverse", 1, "marketing", "record_marketing", "reverse_marketing"},
    {"invoice", "IssueInvoice", "record", "reverse", 1, "fuel_invoice", "issue_fuel_invoice", "reverse_fuel_invoice"},
    {"points", "AwardPoints", "award", "claw_back", 100, "award", "award_points", "take_back_points"},
};
enum { N_RECORDS = sizeof records / sizeof records[0] };

static int64_t value(struct flow_sum sum) {
    return sum.amount + sum.points;
}

static int64_t given(struct flow_bed *bed, const struct flow_trade *trade, const struct record *record) {
    return value(flow_ledger(bed, record->system, trade->no, record->given));
}

static int64_t taken_back(struct flow_bed *bed, const struct flow_trade *trade, const struct record *record) {
    return value(flow_ledger(bed, record->system, trade->no, record->back));
}

// Of a trade of which everything was refunded.
static void assert_nothing_left(struct flow_bed *bed, const struct flow_trade *trade, const struct record *record) {
    int64_t cancelled = value(flow_ledger(bed, record->system, trade->no, "cancel"));
    assert_int_equal(given(bed, trade, record), taken_back(bed, trade, record) + cancelled);
}

// PENDING, APPLIED or CANCELLED, as the trade says; -1: it has no such follower.
static int follower(struct flow_bed *bed, const struct flow_trade *trade, const char *name) {
    const Txcenter__Trade__V1__Trade *found = flow_get(bed, trade->no);
    for (size_t i = 0; i < found->n_followers; i++)
        if (strcmp(found->followers[i]->name, name) == 0)
            return (int)found->followers[i]->state;
    return -1;
}
#define FOLLOWER(name) TXCENTER__TRADE__V1__FOLLOWER_STATE__FOLLOWER_STATE_##name

// The n-th entry of a system's ledger of the trade.
static const Participant__Sim__V1__LedgerEntry *entry(struct flow_bed *bed, const char *system,
                                                      const struct flow_trade *trade, size_t n) {
    const Participant__Sim__V1__DumpLedgerResponse *page =
        flow_control(bed, "DumpLedger", "system=%s trade_no=%s", system, trade->no);
    assert_true(n < page->n_entries);
    return page->entries[n];
}

// ---- Parts ----------------------------------------------------------------------------------------------------------

// [A66] parts go back exactly: growth, points, the campaign's record, and a red-letter invoice for each part; the last
// refund takes the rest, and voids the invoice
static void test_parts_go_back_exactly_wherever_they_were_recorded(struct flow_bed *bed) {
    static const int parts[] = {1, 4999, 2500};
    struct flow_trade trade;
    int64_t refunded = 0;
    flow_ordered(bed, &trade);
    flow_pay_with(bed, &trade,
                  flow_tenders(bed, 3, KIND(CARD), 3333, bed->card, KIND(WECHAT), 4000, "payer-a", KIND(ALIPAY),
                               BEST_200 - 7333, "payer-b"),
                  "");
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 1));
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 2));
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    flow_until_still(bed, &trade);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        flow_refunded(bed, &trade, flow_text(bed, "amount=CNY%d", parts[i]));
        flow_until_still(bed, &trade);
        refunded += parts[i];
        for (size_t k = 0; k < N_RECORDS; k++)
            assert_int_equal(given(bed, &trade, &records[k]) - taken_back(bed, &trade, &records[k]),
                             k == 3 ? BEST_200 / 100 - refunded / 100 : (BEST_200 - refunded) / records[k].unit);
    }
    assert_int_equal(flow_effects(bed, "invoice", trade.no, "IssueRedInvoice", EFFECT(APPLIED)), 3);
    flow_refunded(bed, &trade, "whole=true");
    flow_until_still(bed, &trade);
    for (size_t k = 0; k < N_RECORDS; k++)
        assert_nothing_left(bed, &trade, &records[k]);
    assert_int_equal(flow_ledger(bed, "invoice", trade.no, "cancel").amount, BEST_200 - refunded);
}

// [A41] [A66] parts at once: however they end, what is left everywhere is what was not refunded
static void test_parts_at_once_go_back_exactly(struct flow_bed *bed) {
    enum { AT_ONCE = 8 };
    struct flow_trade trade;
    struct flow_answer *answers[AT_ONCE];
    flow_completed(bed, &trade);
    for (int i = 0; i < AT_ONCE; i++)
        answers[i] = flow_send(bed, "Refund", "trade_no=%s amount=CNY%d", trade.no, 101 * (i + 1));
    for (int i = 0; i < AT_ONCE; i++) {
        flow_wait(bed, answers[i]);
        assert_verdict(answers[i], "OK");
    }
    flow_until_still(bed, &trade);
    int64_t left = BEST_200 - flow_get(bed, trade.no)->refunded->minor_units;
    assert_int_equal(left, BEST_200 - 101 * 36);
    for (size_t k = 0; k < 3; k++)
        assert_int_equal(given(bed, &trade, &records[k]) - taken_back(bed, &trade, &records[k]),
                         left / records[k].unit);
}

// [A67] what has not come when everything is refunded never comes, wherever it was on its way to
static void test_what_has_not_come_never_comes_after_the_refund(struct flow_bed *bed) {
    static const struct record gift = {.system = "activity", .method = "EvaluateTrade", .follower = "gift"};
    for (size_t k = 0; k <= N_RECORDS; k++) {
        const struct record *record = k < N_RECORDS ? &records[k] : &gift;
        struct flow_trade trade;
        flow_completed_but(bed, &trade, FAULT(DOWN), record->system, record->method, "");
        assert_int_equal(follower(bed, &trade, record->follower), FOLLOWER(PENDING));
        flow_refunded(bed, &trade, "whole=true");
        assert_int_equal(follower(bed, &trade, record->follower), FOLLOWER(CANCELLED));
        flow_clear_faults(bed);
        flow_until_still(bed, &trade);
        assert_int_equal(flow_ledger(bed, record->system, trade.no, "give").n, 0);
        assert_int_equal(flow_effects(bed, record->system, trade.no, record->method, EFFECT(APPLIED)), 0);
        assert_int_equal(flow_effects(bed, record->system, trade.no, record->method, EFFECT(CANCELLED)), 1);
    }
}

// [A67] [A33] it came, and the answer was lost: the refund takes it back all the same
static void test_what_came_without_an_answer_is_taken_back(struct flow_bed *bed) {
    for (size_t k = 0; k < N_RECORDS; k++) {
        struct flow_trade trade;
        flow_completed_but(bed, &trade, FAULT(NO_ANSWER), records[k].system, records[k].method, "");
        flow_refunded(bed, &trade, "whole=true");
        flow_clear_faults(bed);
        flow_until_still(bed, &trade);
        assert_true(given(bed, &trade, &records[k]) > 0);
    }
}

// [A67] [A32] a part waits with its share for what has not come yet
static void test_a_part_waits_for_what_has_not_come_yet(struct flow_bed *bed) {
    for (size_t k = 0; k < N_RECORDS; k++) {
        struct flow_trade trade;
        flow_completed_but(bed, &trade, FAULT(DOWN), records[k].system, records[k].method, "");
        flow_refunded(bed, &trade, "amount=CNY2500");
        assert_int_equal(taken_back(bed, &trade, &records[k]), 0);
        flow_crash_center(bed); // and still knows that it waits
        flow_clear_faults(bed);
        flow_until_still(bed, &trade);
        assert_int_equal(given(bed, &trade, &records[k]), BEST_200 / records[k].unit);
        assert_int_equal(taken_back(bed, &trade, &records[k]), 2500 / records[k].unit);
        flow_refunded(bed, &trade, "whole=true");
        flow_until_still(bed, &trade);
    }
}

// [A34] [S3-17] it is refused for good: an operator gives it up, and a part that waited for it takes nothing back.
// Before that nobody can say of the part what became of it.
static void test_what_an_operator_gives_up_is_not_taken_back(struct flow_bed *bed) {
    for (size_t k = 0; k < N_RECORDS; k++) {
        struct flow_trade trade;
        flow_completed_but(bed, &trade, FAULT(REJECT), records[k].system, records[k].method, "code=NOT_EVER");
        flow_until_parked(bed, &trade, 1);
        flow_refunded(bed, &trade, "refund_no=P1 amount=CNY2500");
        flow_run_for(bed, 50);
        flow_refused(bed, "SAGA_STATE", "Skip", "gid=%s/refund/P1 step=%s reason=table", trade.no, records[k].reverse);
        flow_must(bed, "Skip", "gid=%s/1 step=%s reason=never", trade.no, records[k].step);
        flow_clear_faults(bed);
        flow_until_still(bed, &trade);
        assert_int_equal(follower(bed, &trade, records[k].follower), FOLLOWER(CANCELLED));
        assert_int_equal(given(bed, &trade, &records[k]), 0);
        assert_int_equal(taken_back(bed, &trade, &records[k]), 0);
        flow_refunded(bed, &trade, "whole=true"); // benefits for the next one
        flow_until_still(bed, &trade);
    }
}

// [A34] [A32] it may have come, though it was never answered: it is not skipped before that is known
static void test_what_may_have_come_is_not_given_up(struct flow_bed *bed) {
    for (size_t k = 0; k < N_RECORDS; k++) {
        struct flow_trade trade;
        flow_completed_but(bed, &trade, FAULT(NO_ANSWER), records[k].system, records[k].method, "");
        flow_until_parked(bed, &trade, 1);
        const char *step = flow_text(bed, "gid=%s/1 step=%s reason=table", trade.no, records[k].step);
        flow_refused(bed, "SAGA_STATE", "Skip", "%s", step);
        flow_clear_faults(bed);
        flow_retry_parked(bed, &trade);
        flow_until_still(bed, &trade);
        assert_int_equal(follower(bed, &trade, records[k].follower), FOLLOWER(APPLIED));
        flow_refunded(bed, &trade, "whole=true"); // benefits for the next one
        flow_until_still(bed, &trade);
    }
}

// Of all that follows this trade one thing alone is still to be answered.
struct alone {
    const struct flow_trade *trade;
    const char *follower;
};

static bool is_alone(struct flow_bed *bed, const void *ctx) {
    const struct alone *alone = ctx;
    const Txcenter__Trade__V1__Trade *found = flow_get(bed, alone->trade->no);
    for (size_t i = 0; i < found->n_followers; i++)
        if ((int)found->followers[i]->state != FOLLOWER(APPLIED) &&
            strcmp(found->followers[i]->name, alone->follower) != 0)
            return false;
    return true;
}

// [A67] [E8] the purchase was terminated while it was on its way: nobody knows whether it came, so what a part takes
// back of it is an operator's, and the last refund takes it back if it has come
static void test_what_may_have_come_of_a_terminated_purchase_is_an_operator_s(struct flow_bed *bed) {
    for (size_t k = 0; k < N_RECORDS; k++) {
        struct flow_trade trade;
        flow_completed_but(bed, &trade, FAULT(NO_ANSWER), records[k].system, records[k].method, "");
        struct alone alone = {&trade, records[k].follower};
        flow_until(bed, is_alone, &alone, "all that follows but one must have come");
        flow_must(bed, "Terminate", "gid=%s/1 reason=stuck", trade.no);
        flow_clear_faults(bed);
        flow_crash_center(bed);
        assert_int_equal(follower(bed, &trade, records[k].follower), FOLLOWER(UNSURE));
        flow_refunded(bed, &trade, "refund_no=P1 amount=CNY2500");
        flow_until_parked(bed, &trade, 1);
        flow_retry_parked(bed, &trade);
        flow_until_parked(bed, &trade, 1);
        flow_must(bed, "Skip", "gid=%s/refund/P1 step=%s reason=seen~to", trade.no, records[k].reverse);
        flow_until_still(bed, &trade);
        assert_int_equal(taken_back(bed, &trade, &records[k]), 0);
        flow_refunded(bed, &trade, "whole=true");
        flow_until_still(bed, &trade);
        assert_int_equal(flow_parked(bed, trade.no), 0);
        assert_int_equal(flow_effects(bed, records[k].system, trade.no, records[k].method, EFFECT(COMPENSATED)), 1);
    }
}

// ---- Invoices -------------------------------------------------------------------------------------------------------

// Somebody else has invoiced the card when it was recharged.
static void invoice_recharge(struct flow_bed *bed, const char *card_no) {
    flow_behind(bed, &participant__invoice__v1__invoice_service__descriptor, "IssueInvoice",
                "effect.key=recharge-%s effect.gid=g effect.step=s effect.op=1 effect.trade_no=R%s user_id=%s "
                "lines[0].kind=recharge lines[0].amount=CNY9000 sources[0].tender_no=r%s sources[0].amount=CNY9000 "
                "sources[0].paid=CNY9000 sources[0].card_no=%s",
                card_no, card_no, bed->user, card_no, card_no);
}

// [A74] [A34] money that was invoiced when the card was recharged is not invoiced when it is spent: the invoice system
// says so, an operator sees it, and the trade stands; a repeated request is one invoice
static void test_the_same_money_is_not_invoiced_twice(struct flow_bed *bed) {
    struct flow_trade trade;
    invoice_recharge(bed, bed->card);
    flow_ordered(bed, &trade);
    flow_pay_with(bed, &trade, flow_tenders(bed, 1, KIND(CARD), BEST_200, bed->card), "wait_for=2");
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    flow_until_parked(bed, &trade, 1);
    assert_int_equal(flow_ledger(bed, "invoice", trade.no, NULL).n, 0);
    flow_must(bed, "Skip", "gid=%s/1 step=issue_fuel_invoice reason=invoiced~before", trade.no);
    flow_until_still(bed, &trade);
    flow_refunded(bed, &trade, "whole=true");
    flow_until_still(bed, &trade);
    flow_fault(bed, FAULT(NO_ANSWER), "invoice", "IssueInvoice", "count=3");
    flow_completed(bed, &trade);
    assert_int_equal(flow_ledger(bed, "invoice", trade.no, "record").n, 1);
    assert_int_equal(flow_ledger(bed, "invoice", trade.no, "record").amount, BEST_200);
}

// [S3-37] [A66] fuel is on an invoice of its own, with its volume; what a refund of some lines takes off is taken off
// theirs, whichever tender it goes back to
static void test_fuel_and_goods_have_invoices_of_their_own(struct flow_bed *bed) {
    enum { COLA_2 = 1000, CARD_PART = 5000 };
    struct flow_trade trade = {0};
    const Txcenter__Trade__V1__Quote *quote =
        flow_quote(bed, &trade, FUEL_200 " lines[1].goods.sku=COLA lines[1].goods.quantity=2", "");
    flow_order(bed, &trade,
               flow_text(bed, "combination_id=%s", quote->combinations[quote->n_combinations - 1]->combination_id));
    assert_int_equal(trade.payable, LIST_200 + COLA_2);
    flow_pay_with(
        bed, &trade,
        flow_tenders(bed, 2, KIND(CARD), CARD_PART, bed->card, KIND(WECHAT), LIST_200 + COLA_2 - CARD_PART, "payer"),
        "");
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 1));
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    flow_until_still(bed, &trade);
    assert_int_equal(flow_effects(bed, "invoice", trade.no, "IssueInvoice", EFFECT(APPLIED)), 2);
    assert_int_equal(flow_ledger(bed, "invoice", trade.no, "record").amount, LIST_200 + COLA_2);
    flow_refunded(bed, &trade,
                  flow_text(bed, "lines.indexes[0]=1 split[0].tender_no=%s split[0].amount=CNY%d",
                            flow_tender_no(bed, &trade, 1, 1), COLA_2));
    flow_until_still(bed, &trade);
    assert_int_equal(flow_effects(bed, "invoice", trade.no, "IssueRedInvoice", EFFECT(APPLIED)), 1);
    assert_int_equal(flow_ledger(bed, "invoice", trade.no, "reverse").amount, COLA_2);
    flow_refunded(bed, &trade, "amount=CNY7001");
    flow_until_still(bed, &trade);
    assert_int_equal(flow_effects(bed, "invoice", trade.no, "IssueRedInvoice", EFFECT(APPLIED)), 2);
    flow_refunded(bed, &trade, "whole=true");
    flow_until_still(bed, &trade);
    assert_int_equal(flow_ledger(bed, "invoice", trade.no, "cancel").amount, LIST_200 - 7001);
    assert_int_equal(follower(bed, &trade, "goods_invoice"), FOLLOWER(APPLIED));
}

// [S3-37] [A66] what red-letter invoices take off adds up, in pieces and in volume: never more than was sold, and all
// of a line when all of its money is back
static void test_what_red_letter_invoices_take_off_adds_up(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    const Txcenter__Trade__V1__Quote *quote =
        flow_quote(bed, &trade, FUEL_200 " lines[1].goods.sku=COLA lines[1].goods.quantity=3", "");
    flow_order(bed, &trade,
               flow_text(bed, "combination_id=%s", quote->combinations[quote->n_combinations - 1]->combination_id));
    flow_pay(bed, &trade);
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 0));
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    flow_until_still(bed, &trade);
    flow_refunded(bed, &trade, "amount=CNY3"); // of the fuel, less than a hundredth of a litre
    for (int i = 0; i < 5; i++)
        flow_refunded(bed, &trade, "amount=CNY3583"); // of the goods, half a bottle
    flow_refunded(bed, &trade, "lines.indexes[0]=1");
    flow_until_still(bed, &trade);
    assert_int_equal(flow_parked(bed, trade.no), 0);
    assert_int_equal(flow_effects(bed, "invoice", trade.no, "IssueRedInvoice", EFFECT(REJECTED)), 0);
    flow_refunded(bed, &trade, "whole=true");
    flow_until_still(bed, &trade);
}

// [S3-37] a trade for which nothing was paid has no invoice
static void test_what_cost_nothing_is_not_invoiced(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    flow_control(bed, "AddCoupon",
                 "user_id=%s coupon.coupon_id=FREE-%s coupon.name=free coupon.kind=1 coupon.amount_off=CNY100000",
                 bed->user, bed->user);
    flow_quote(bed, &trade, FUEL_200, flow_text(bed, "required_coupon_ids[0]=FREE-%s", bed->user));
    flow_order(bed, &trade, "");
    assert_int_equal(trade.payable, 0);
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    flow_until_still(bed, &trade);
    assert_int_equal(follower(bed, &trade, "fuel_invoice"), -1);
    assert_int_equal(flow_effects(bed, "invoice", trade.no, "IssueInvoice", EFFECT(APPLIED)), 0);
    assert_int_equal(flow_ledger(bed, "notify", trade.no, "notify").n, 1);
}

// ---- Gifts ----------------------------------------------------------------------------------------------------------

// [S3-40] [A68] a gift for what was spent stays with a part of it, and goes back with the rest; one that was used by
// then is a shortfall, on record
static void test_gifts_go_back_unless_they_were_used(struct flow_bed *bed) {
    for (int used = 0; used < 2; used++) {
        struct flow_trade trade;
        flow_ordered_bare(bed, &trade);
        flow_pay(bed, &trade);
        flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 0));
        flow_until_state(bed, &trade, TRADE(COMPLETED));
        flow_until_still(bed, &trade);
        const char *gift = entry(bed, "activity", &trade, 0)->account;
        if (used)
            flow_control(bed, "UseGift", "gift_id=%s", gift);
        flow_refunded(bed, &trade, "refund_no=G1 amount=CNY2500");
        flow_until_still(bed, &trade);
        assert_int_equal(flow_ledger(bed, "activity", trade.no, "take_back").n, 0);
        flow_refunded(bed, &trade, "refund_no=G2 whole=true");
        flow_until_still(bed, &trade);
        assert_int_equal(flow_ledger(bed, "activity", trade.no, "take_back").n, !used);
        const Txcenter__Trade__V1__Trade *found = flow_get(bed, trade.no);
        assert_int_equal(found->refunds[0]->gifts_spent, 0);
        assert_int_equal(found->refunds[1]->gifts_spent, used);
        assert_int_equal(found->n_shortfalls, used);
        if (used) {
            assert_string_equal(found->shortfalls[0]->what, "gifts_spent");
            assert_string_equal(found->shortfalls[0]->text, gift);
        }
    }
}

// Of many that were used some are named, and how many more there are.
static void test_of_many_gifts_that_were_used_some_are_named(struct flow_bed *bed) {
    enum { MORE = 29, NAMED = 20 };
    struct flow_trade trade;
    for (int i = 0; i < MORE; i++)
        flow_control(bed, "SetSpendRule", "rule_id=g%d name=gift least=CNY100", i);
    flow_ordered_bare(bed, &trade);
    flow_pay(bed, &trade);
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 0));
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    flow_until_still(bed, &trade);
    for (int i = 0; i <= MORE; i++) // and the one that the world gives
        flow_control(bed, "UseGift", "gift_id=%s", entry(bed, "activity", &trade, (size_t)i)->account);
    flow_refunded(bed, &trade, "refund_no=G1 whole=true");
    flow_until_still(bed, &trade);
    const Txcenter__Trade__V1__Trade *found = flow_get(bed, trade.no);
    assert_int_equal(found->refunds[0]->gifts_spent, MORE + 1);
    assert_int_equal(found->n_shortfalls, NAMED + 1);
    assert_string_equal(found->shortfalls[NAMED]->text, "10 more");
}

// ---- Who is told ----------------------------------------------------------------------------------------------------

// [S3-36] [S3-38] merchant end, big screen and dual-screen machine are told, and the user, by template, of the payment
// and of each refund
static void test_screens_and_user_are_told_of_payment_and_refund(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_completed(bed, &trade);
    flow_refunded(bed, &trade, "refund_no=T1 amount=CNY2500");
    flow_until_still(bed, &trade);
    const struct shown {
        const char *event, *text;
    } shown[] = {{"PAID", flow_text(bed, "Order %s paid: 125.00 CNY", trade.order_no)},
                 {"REFUNDED", flow_text(bed, "Order %s refunded: 25.00 CNY", trade.order_no)}};
    assert_int_equal(flow_ledger(bed, "push", trade.no, NULL).n, 2);
    for (size_t i = 0; i < 2; i++) {
        const Participant__Sim__V1__LedgerEntry *push = entry(bed, "push", &trade, i);
        assert_string_equal(push->account, "S001");
        assert_string_equal(push->detail, flow_text(bed, "%s: [MERCHANT_END] [BIG_SCREEN] [DUAL_SCREEN] %s",
                                                    shown[i].event, shown[i].text));
    }
    const char *paid = entry(bed, "notify", &trade, 0)->detail, *back = entry(bed, "notify", &trade, 1)->detail;
    assert_true(str_starts(str_c(paid), STR("TRADE_PAID: ")) && str_starts(str_c(back), STR("TRADE_REFUNDED: ")));
    assert_non_null(strstr(paid, flow_text(bed, "order_no=%s", trade.order_no)));
    assert_non_null(strstr(paid, "125.00"));
    assert_non_null(strstr(back, "25.00 CNY refund_no=T1"));
}

// [S3-41] the stations' system has the order's newest state, in whatever order it is told
static void test_the_newest_state_stands_at_the_stations(struct flow_bed *bed) {
    struct flow_trade trade;
    int late_ms = bed->ops->virtual_time ? 60000 : 1500;
    flow_completed_but(bed, &trade, FAULT(DELAY), "os", "SyncOrder", flow_text(bed, "count=1 delay_ms=%d", late_ms));
    flow_refunded(bed, &trade, "amount=CNY2500");
    flow_until_still(bed, &trade);
    flow_run_for(bed, late_ms + 500);
    const Participant__Sim__V1__DumpLedgerResponse *page =
        flow_control(bed, "DumpLedger", "system=os trade_no=%s", trade.no);
    assert_string_equal(page->entries[page->n_entries - 1]->state, "PARTIALLY_REFUNDED");
    flow_refunded(bed, &trade, "whole=true");
    flow_until_still(bed, &trade);
    page = flow_control(bed, "DumpLedger", "system=os trade_no=%s", trade.no);
    assert_string_equal(page->entries[page->n_entries - 1]->state, "REFUNDED");
}

// [S3-41] switched off, or when it is that system itself that calls, it is told of nothing
static void test_the_stations_are_not_told(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_completed(bed, &trade);
    flow_refunded(bed, &trade, "whole=true");
    flow_until_still(bed, &trade);
    assert_int_equal(flow_effects(bed, "os", trade.no, "SyncOrder", EFFECT(APPLIED)), 0);
    assert_int_equal(flow_ledger(bed, "os", trade.no, NULL).n, 0);
}

static const struct flow_case cases[] = {
    CASE(test_parts_go_back_exactly_wherever_they_were_recorded),
    CASE(test_parts_at_once_go_back_exactly),
    CASE(test_what_has_not_come_never_comes_after_the_refund),
    CASE(test_what_came_without_an_answer_is_taken_back),
    CASE(test_a_part_waits_for_what_has_not_come_yet),
    CASE(test_what_an_operator_gives_up_is_not_taken_back),
    VIRTUAL(test_what_may_have_come_is_not_given_up),
    CASE(test_what_may_have_come_of_a_terminated_purchase_is_an_operator_s),
    CASE(test_the_same_money_is_not_invoiced_twice),
    CASE(test_fuel_and_goods_have_invoices_of_their_own),
    CASE(test_what_red_letter_invoices_take_off_adds_up),
    CASE(test_what_cost_nothing_is_not_invoiced),
    CASE(test_gifts_go_back_unless_they_were_used),
    VIRTUAL(test_of_many_gifts_that_were_used_some_are_named),
    CASE(test_screens_and_user_are_told_of_payment_and_refund),
    CASE(test_the_newest_state_stands_at_the_stations),
    {.name = "test_the_stations_are_not_told_when_that_is_switched_off",
     .run = test_the_stations_are_not_told,
     .settings = {.os_off = true}},
    {.name = "test_the_stations_are_not_told_of_what_they_have_ordered",
     .run = test_the_stations_are_not_told,
     .settings = {.os_caller = FLOW_CALLER}},
};

CASES(followers);
