// What settlement knows of a trade: who bears its discounts, and in which shift it and its refunds are posted.
#include "tests/flow/cases.h"

enum { PARTS = 7 };

// In how many postings of this kind the shift is this one.
static int postings_in(struct flow_bed *bed, const char *trade_no, const char *kind, const char *shift) {
    const Participant__Sim__V1__DumpLedgerResponse *page =
        flow_control(bed, "DumpLedger", "system=settlement trade_no=%s", trade_no);
    int n = 0;
    for (size_t i = 0; i < page->n_entries; i++)
        n += strcmp(page->entries[i]->kind, kind) == 0 && strcmp(page->entries[i]->state, shift) == 0;
    return n;
}

// An activity of the test's channel: 13.37 off, borne by three.
static void share_a_discount(struct flow_bed *bed) {
    flow_control(bed, "SetActivity",
                 "activity.activity_id=BORNE-%s channels[0]=%s activity.kind=1 activity.rule.kind=1 "
                 "activity.rule.amount_off=CNY1337 activity.rule.bearers[0].bearer=group "
                 "activity.rule.bearers[0].share_bp=3333 activity.rule.bearers[1].bearer=station "
                 "activity.rule.bearers[1].share_bp=3333 activity.rule.bearers[2].bearer=third_party "
                 "activity.rule.bearers[2].bearer_id=BANK activity.rule.bearers[2].share_bp=3334",
                 bed->user, bed->user);
}

static void bought(struct flow_bed *bed, struct flow_trade *trade) {
    *trade = (struct flow_trade){0};
    flow_quote(
        bed, trade,
        "lines[0].fuel.oil_code=92# lines[0].fuel.amount=CNY10000 lines[1].goods.sku=COLA lines[1].goods.quantity=3",
        flow_text(bed, "context.channel=%s exclude_points=true", bed->user));
    flow_order(bed, trade, "");
    flow_pay(bed, trade);
    flow_payer_pays(bed, flow_tender_no(bed, trade, 1, 0));
    flow_until_state(bed, trade, TRADE(COMPLETED));
    flow_until_still(bed, trade);
}

// [A66] settlement is told who bears each line's part of each benefit, to the minor unit; parts of the trade that go
// back reverse each bearer's share cumulatively, never beyond it, and in the end all of it
static void test_each_bearer_gets_back_exactly_what_it_bore(struct flow_bed *bed) {
    static const char *const bearers[] = {"group", "station", "third_party"};
    struct flow_trade trade;
    int64_t before[3] = {0}, all = 0;
    share_a_discount(bed);
    bought(bed, &trade);
    const Txcenter__Trade__V1__Trade *found = flow_get(bed, trade.no);
    for (size_t i = 0; i < found->combination->n_benefits; i++)
        all += found->combination->benefits[i]->discount->minor_units;
    assert_true(all >= 1337);
    assert_int_equal(flow_ledger(bed, "settlement", trade.no, "borne").amount, all);
    assert_true(flow_settled(bed, trade.no, "borne", "third_party") >= 445);
    for (int part = 0; part < PARTS; part++) {
        int64_t left = trade.payable - flow_get(bed, trade.no)->refunded->minor_units;
        if (part == PARTS - 1)
            flow_must(bed, "Refund", "trade_no=%s whole=true", trade.no);
        else
            flow_must(bed, "Refund", "trade_no=%s amount=CNY%d", trade.no, (int)(left / 3));
        flow_until_still(bed, &trade);
        for (int i = 0; i < 3; i++) {
            int64_t back = flow_settled(bed, trade.no, "unborne", bearers[i]);
            assert_true(back >= before[i] && back <= flow_settled(bed, trade.no, "borne", bearers[i]));
            before[i] = back;
        }
    }
    for (int i = 0; i < 3; i++)
        assert_int_equal(before[i], flow_settled(bed, trade.no, "borne", bearers[i]));
    assert_int_equal(flow_ledger(bed, "settlement", trade.no, "unborne").amount, all);
}

// [A66] several parts at once, in whatever order they end
static void test_bearers_are_exact_when_parts_go_back_at_once(struct flow_bed *bed) {
    struct flow_trade trade;
    struct flow_answer *answers[4];
    share_a_discount(bed);
    bought(bed, &trade);
    flow_fault(bed, FAULT(UNAVAILABLE), "settlement", "ReverseTrade", "count=2");
    for (int i = 0; i < 3; i++)
        answers[i] = flow_send(bed, "Refund", "trade_no=%s amount=CNY%d", trade.no, 1111 * (i + 1));
    answers[3] = flow_send(bed, "Refund", "trade_no=%s lines.indexes[0]=1", trade.no);
    for (int i = 0; i < 4; i++)
        flow_wait(bed, answers[i]);
    flow_must(bed, "Refund", "trade_no=%s whole=true", trade.no);
    flow_until_still(bed, &trade);
    assert_state(bed, &trade, TRADE(REFUNDED));
    assert_int_equal(flow_ledger(bed, "settlement", trade.no, "unborne").amount,
                     flow_ledger(bed, "settlement", trade.no, "borne").amount);
}

static const char *shift_of(struct flow_bed *bed, const char *shift) {
    return flow_text(bed, "context.shift_id=%s-%s context.business_date=2026-03-01", shift, bed->user);
}

static void close_shift(struct flow_bed *bed, const char *shift, const char *next, const char *date) {
    flow_control(bed, "CloseShift",
                 "station_id=S001 shift_id=%s-%s business_date=2026-03-01 next_shift_id=%s-%s next_business_date=%s",
                 shift, bed->user, next, bed->user, date);
}

static void paying_in(struct flow_bed *bed, struct flow_trade *trade, const char *shift) {
    *trade = (struct flow_trade){0};
    flow_quote(bed, trade, FUEL_200, flow_text(bed, "%s exclude_points=true", shift_of(bed, shift)));
    flow_order(bed, trade, "");
    flow_pay(bed, trade);
}

// [A65] the sale keeps the shift and the date at which it was made; settlement posts it there
static void test_a_sale_is_posted_in_its_shift(struct flow_bed *bed) {
    struct flow_trade trade;
    paying_in(bed, &trade, "A");
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 0));
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    flow_until_still(bed, &trade);
    const Txcenter__Trade__V1__Trade *found = flow_get(bed, trade.no);
    assert_string_equal(found->context->shift_id, flow_text(bed, "A-%s", bed->user));
    assert_string_equal(found->posted_shift_id, found->context->shift_id);
    assert_string_equal(found->posted_business_date, "2026-03-01");
}

// It was made in the shift `made`, and stands in `posted` of that date, with all that settlement was told of it;
// nothing of it stands in the one in which it was made.
static void assert_sale_in(struct flow_bed *bed, const struct flow_trade *trade, const char *made, const char *posted,
                           const char *date) {
    const Txcenter__Trade__V1__Trade *found = flow_get(bed, trade->no);
    assert_string_equal(found->context->shift_id, made);
    assert_string_equal(found->context->business_date, "2026-03-01");
    assert_string_equal(found->posted_shift_id, posted);
    assert_string_equal(found->posted_business_date, date);
    assert_true(postings_in(bed, trade->no, "record", posted) > 0);
    assert_int_equal(postings_in(bed, trade->no, "record", posted),
                     flow_ledger(bed, "settlement", trade->no, "record").n);
    assert_int_equal(postings_in(bed, trade->no, "borne", posted),
                     flow_ledger(bed, "settlement", trade->no, "borne").n);
    assert_int_equal(flow_ledger(bed, "settlement", trade->no, "record").amount, 0);
}

// The same of its only refund: of the shift in which the sale was made, posted to this one.
static void assert_refund_in(struct flow_bed *bed, const struct flow_trade *trade, const char *posted,
                             const char *date) {
    const Txcenter__Trade__V1__Trade *found = flow_get(bed, trade->no);
    assert_int_equal(found->n_refunds, 1);
    assert_string_equal(found->refunds[0]->posted_shift_id, posted);
    assert_string_equal(found->refunds[0]->posted_business_date, date);
    assert_true(postings_in(bed, trade->no, "reverse", posted) > 0);
    assert_int_equal(postings_in(bed, trade->no, "reverse", posted),
                     flow_ledger(bed, "settlement", trade->no, "reverse").n);
    assert_int_equal(postings_in(bed, trade->no, "unborne", posted),
                     flow_ledger(bed, "settlement", trade->no, "unborne").n);
}

// [A65] the shift closes before the callback and before the refund: each is posted to the shift that is open by then,
// and the trade still says in which it was made
static void test_what_comes_after_the_shift_closed_is_posted_to_the_open_one(struct flow_bed *bed) {
    struct flow_trade trade;
    const char *a = flow_text(bed, "A-%s", bed->user), *b = flow_text(bed, "B-%s", bed->user),
               *c = flow_text(bed, "C-%s", bed->user);
    paying_in(bed, &trade, "A");
    close_shift(bed, "A", "B", "2026-03-01");
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 0)); // its callback
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    flow_until_still(bed, &trade);
    assert_sale_in(bed, &trade, a, b, "2026-03-01");
    close_shift(bed, "B", "C", "2026-03-02");
    flow_must(bed, "Refund", "trade_no=%s amount=CNY1000", trade.no);
    flow_until_still(bed, &trade);
    assert_refund_in(bed, &trade, c, "2026-03-02");
    assert_sale_in(bed, &trade, a, b, "2026-03-01"); // it stays where it is
}

// [A65] settlement can't take the record, nor the refund's, while their shift is open: each is posted once, to the one
// that is open when settlement is back. Nothing of either is in the shift that was closed
static void test_a_record_that_is_late_for_its_shift_is_posted_to_the_open_one(struct flow_bed *bed) {
    struct flow_trade trade;
    const char *d = flow_text(bed, "D-%s", bed->user), *e = flow_text(bed, "E-%s", bed->user),
               *f = flow_text(bed, "F-%s", bed->user);
    paying_in(bed, &trade, "D");
    flow_fault(bed, FAULT(UNAVAILABLE), "settlement", "RecordTrade", "");
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 0)); // while the shift is open
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    assert_int_equal(flow_ledger(bed, "settlement", trade.no, NULL).n, 0);
    assert_string_equal(flow_get(bed, trade.no)->posted_shift_id, ""); // it isn't yet
    close_shift(bed, "D", "E", "2026-03-02");
    flow_clear_faults(bed);
    flow_until_still(bed, &trade);
    assert_sale_in(bed, &trade, d, e, "2026-03-02");
    flow_fault(bed, FAULT(UNAVAILABLE), "settlement", "ReverseTrade", "");
    flow_must(bed, "Refund", "trade_no=%s whole=true wait_ms=100", trade.no);
    flow_until_state(bed, &trade, TRADE(REFUNDED));
    assert_int_equal(flow_ledger(bed, "settlement", trade.no, "reverse").n, 0);
    flow_control(bed, "CloseShift",
                 "station_id=S001 shift_id=%s business_date=2026-03-02 next_shift_id=%s next_business_date=2026-03-03",
                 e, f);
    flow_clear_faults(bed);
    flow_until_still(bed, &trade);
    assert_refund_in(bed, &trade, f, "2026-03-03");
    assert_sale_in(bed, &trade, d, e, "2026-03-02");
    assert_int_equal(flow_ledger(bed, "settlement", trade.no, "record").n,
                     flow_ledger(bed, "settlement", trade.no, "reverse").n); // each posting goes back
}

static const struct flow_case cases[] = {
    CASE(test_each_bearer_gets_back_exactly_what_it_bore),
    CASE(test_bearers_are_exact_when_parts_go_back_at_once),
    CASE(test_a_sale_is_posted_in_its_shift),
    CASE(test_what_comes_after_the_shift_closed_is_posted_to_the_open_one),
    CASE(test_a_record_that_is_late_for_its_shift_is_posted_to_the_open_one),
};
CASES(books);
