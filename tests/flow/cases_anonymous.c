// Sales to nobody in particular: no benefits but those for everybody, nothing is earned; cash, and what is let off of
// it.
#include "tests/flow/cases.h"

static const char *nobody(void) {
    return "context.tenant_id=T001 context.station_id=S001 context.terminal_id=POS1";
}

static void quoted(struct flow_bed *bed, struct flow_trade *trade, const char *lines) {
    const Txcenter__Trade__V1__QuoteResponse *response = flow_must(bed, "Quote", "%s %s", nobody(), lines);
    *trade = (struct flow_trade){.version = response->quote->version};
    memcpy(trade->no, response->trade_no, strlen(response->trade_no) + 1);
    assert_int_equal(response->quote->n_combinations, 1);
    assert_int_equal(response->quote->n_degraded_sources, 0);
}

static void completed(struct flow_bed *bed, struct flow_trade *trade) {
    flow_until_state(bed, trade, TRADE(COMPLETED));
    flow_until_still(bed, trade);
}

// Calls of the systems that know users.
static int64_t calls_about_users(struct flow_bed *bed) {
    static const char *const systems[] = {"user", "coupon", "points", "level", "activity", "notify"};
    int64_t calls = 0;
    for (size_t i = 0; i < sizeof systems / sizeof systems[0]; i++)
        calls += flow_calls(bed, systems[i]);
    return calls;
}

// [A78] without a user the systems that know users are not asked, and what only a user can have is never made; screens,
// settlement, invoices and the stations' system are as always
static void test_a_sale_to_nobody_asks_and_gives_nothing_that_needs_somebody(struct flow_bed *bed) {
    struct flow_trade trade;
    int64_t before = calls_about_users(bed);
    quoted(bed, &trade, FUEL_200);
    flow_order(bed, &trade, "");
    assert_int_equal(trade.payable, LIST_200);
    flow_pay(bed, &trade);
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 0));
    completed(bed, &trade);
    flow_must(bed, "Refund", "trade_no=%s amount=CNY5000", trade.no);
    flow_must(bed, "Refund", "trade_no=%s whole=true", trade.no);
    flow_until_still(bed, &trade);
    assert_state(bed, &trade, TRADE(REFUNDED));
    assert_int_equal(calls_about_users(bed), before);
    assert_int_equal(flow_ledger(bed, "push", trade.no, NULL).n, 3);
    assert_true(flow_ledger(bed, "invoice", trade.no, "record").n > 0);
}

static int64_t quota(struct flow_bed *bed, const struct flow_trade *trade, const char *kind) {
    return flow_ledger(bed, "discount", trade->no, kind).points;
}

static void run_activity(struct flow_bed *bed, const char *name, const char *fields) {
    flow_control(bed, "SetActivity",
                 "activity.activity_id=%s-%s channels[0]=%s activity.kind=1 activity.rule.kind=1 "
                 "activity.quota_unit=1 %s",
                 name, bed->user, bed->user, fields);
}

// [A78] [S3-31] what is cheaper for everybody is so for nobody in particular, too, with its quota in all; what is for a
// level, or counts what each buyer has had, is not
static void test_activities_for_everybody_are_for_nobody_too(struct flow_bed *bed) {
    enum { OFF = 1000 };
    const char *channel = flow_text(bed, "context.channel=%s " FUEL_200, bed->user);
    struct flow_trade trade = {0};
    int64_t before = calls_about_users(bed);
    run_activity(bed, "everybody", "activity.rule.amount_off=CNY1000 quota=2");
    run_activity(bed, "each", "activity.rule.amount_off=CNY3000 quota_each=1");
    run_activity(bed, "plates", "activity.rule.amount_off=CNY4000 quota_each=1 quota_by=2");
    run_activity(bed, "silver", "activity.rule.amount_off=CNY5000 level_codes[0]=SILVER");
    const Txcenter__Trade__V1__QuoteResponse *made = flow_must(bed, "Quote", "%s %s", nobody(), channel);
    assert_int_equal(made->quote->n_degraded_sources, 0);
    assert_int_equal(made->quote->n_combinations, 2); // and none
    const Txcenter__Trade__V1__Combination *best = made->quote->combinations[0];
    assert_int_equal(best->payable->minor_units, LIST_200 - OFF);
    assert_int_equal(best->n_quotas, 1);
    trade.version = made->quote->version;
    memcpy(trade.no, made->trade_no, strlen(made->trade_no) + 1);
    flow_order(bed, &trade, "");
    assert_int_equal(quota(bed, &trade, "lock"), 1);
    flow_pay(bed, &trade);
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 0));
    completed(bed, &trade);
    assert_int_equal(flow_get(bed, trade.no)->paid->minor_units, LIST_200 - OFF);
    assert_int_equal(quota(bed, &trade, "use"), 1);
    flow_must(bed, "Refund", "trade_no=%s whole=true", trade.no);
    flow_until_still(bed, &trade);
    assert_int_equal(quota(bed, &trade, "give_back"), 1);
    assert_int_equal(calls_about_users(bed), before);
    // An engine that does not answer makes the quote poorer, as it does for anybody.
    flow_fault(bed, FAULT(DOWN), "discount", "ListActivities", "");
    made = flow_must(bed, "Quote", "%s %s", nobody(), channel);
    assert_int_equal(made->quote->n_degraded_sources, 1);
    assert_int_equal(made->quote->combinations[0]->payable->minor_units, LIST_200);
    flow_clear_faults(bed);
}

// [A78] no card pays for nobody, and nobody owns an item
static void test_what_must_be_somebodys_is_refused(struct flow_bed *bed) {
    struct flow_trade trade;
    quoted(bed, &trade, FUEL_200);
    flow_refused(bed, "INVALID_REQUEST", "OrderPay", "trade_no=%s quote_version=1 %s", trade.no,
                 flow_tenders(bed, 1, KIND(CARD), LIST_200, bed->card));
    flow_order(bed, &trade, "");
    flow_refused(bed, "INVALID_REQUEST", "Pay", "trade_no=%s %s", trade.no,
                 flow_tenders(bed, 1, KIND(CARD), LIST_200, bed->card));
    flow_refused(bed, "INVALID_REQUEST", "QuoteOrderPay", "%s " FUEL_200 " %s", nobody(),
                 flow_tenders(bed, 1, KIND(CARD), LIST_200, bed->card));
    flow_refused(bed, "INVALID_REQUEST", "Quote", "%s lines[0].goods.sku=WHEEL lines[0].goods.quantity=1", nobody());
    flow_must(bed, "Cancel", "trade_no=%s", trade.no);
}

static int64_t booked(const Txcenter__Trade__V1__Trade *trade, const char *account) {
    int64_t sum = 0;
    for (size_t i = 0; i < trade->n_ledger; i++)
        sum += strcmp(trade->ledger[i]->account, account) == 0 ? trade->ledger[i]->amount->minor_units : 0;
    return sum;
}

// [A78] [A53] cash is recorded as taken, and what is let off is a posting of its own, which settlement is told the
// station bears; refunds give back what was paid, and take from the station what it bore, to the last of it
static void test_what_is_let_off_has_an_entry_of_its_own(struct flow_bed *bed) {
    struct flow_trade trade;
    quoted(bed, &trade,
           "lines[0].fuel.oil_code=92# lines[0].fuel.amount=CNY15050 "
           "lines[1].goods.sku=OIL4L lines[1].goods.quantity=1");
    flow_order(bed, &trade, "");
    int64_t off = 50, cash = trade.payable - off;
    flow_refused(bed, "TENDERS_UNEQUAL", "Pay", "trade_no=%s rounding_off=CNY50 %s", trade.no,
                 flow_tenders(bed, 1, KIND(CASH), (int)trade.payable, ""));
    flow_refused(bed, "INVALID_REQUEST", "Pay", "trade_no=%s rounding_off=CNY100 %s", trade.no,
                 flow_tenders(bed, 1, KIND(CASH), (int)trade.payable - 100, ""));
    flow_refused(bed, "INVALID_REQUEST", "Pay", "trade_no=%s rounding_off=CNY50 %s", trade.no,
                 flow_tenders(bed, 2, KIND(CASH), 1000, "", KIND(WECHAT), (int)cash - 1000, "payer"));
    flow_must(bed, "Pay", "trade_no=%s rounding_off=CNY50 wait_for=2 %s", trade.no,
              flow_tenders(bed, 1, KIND(CASH), (int)cash, ""));
    completed(bed, &trade);
    const Txcenter__Trade__V1__Trade *found = flow_get(bed, trade.no);
    assert_int_equal(found->paid->minor_units, cash);
    assert_int_equal(found->attempts[0]->rounding_off->minor_units, off);
    assert_int_equal(booked(found, "discount:rounding"), off);
    assert_int_equal(booked(found, "sales"), -(cash + off));
    assert_int_equal(flow_settled(bed, trade.no, "borne", "station"), off);
    assert_int_equal(flow_ledger(bed, "settlement", trade.no, "borne").amount, off); // and nobody else anything
    assert_int_equal(flow_settled(bed, trade.no, "record", "discount:rounding"), off);
    assert_int_equal(flow_settled(bed, trade.no, "record", "sales"), -(cash + off));
    flow_refused(bed, "REFUND_EXCEEDS_REST", "Refund", "trade_no=%s amount=CNY%d", trade.no, (int)cash + 1);
    flow_must(bed, "Refund", "trade_no=%s lines.indexes[0]=0", trade.no);
    flow_until_still(bed, &trade);
    int64_t back = flow_settled(bed, trade.no, "unborne", "station");
    assert_true(back > 0 && back < off); // this line's part
    flow_must(bed, "Refund", "trade_no=%s whole=true", trade.no);
    flow_until_still(bed, &trade);
    assert_int_equal(flow_settled(bed, trade.no, "unborne", "station"), off);
    assert_int_equal(flow_ledger(bed, "settlement", trade.no, "unborne").amount, off);
    assert_int_equal(flow_settled(bed, trade.no, "reverse", "discount:rounding"), -off);
    found = flow_get(bed, trade.no);
    assert_int_equal(found->state, TRADE(REFUNDED));
    assert_int_equal(booked(found, "discount:rounding"), 0);
}

// [A78] all in one call, as a till does it
static void test_a_till_sells_in_one_call(struct flow_bed *bed) {
    const Txcenter__Trade__V1__QuoteOrderPayResponse *response =
        flow_must(bed, "QuoteOrderPay",
                  "%s lines[0].fuel.oil_code=92# lines[0].fuel.amount=CNY10020 rounding_off=CNY20 wait_for=2 "
                  "tenders[0].kind=%d",
                  nobody(), KIND(CASH));
    struct flow_trade trade = {.version = 1};
    memcpy(trade.no, response->trade->trade_no, strlen(response->trade->trade_no) + 1);
    completed(bed, &trade);
    assert_int_equal(flow_get(bed, trade.no)->paid->minor_units, 10000);
}

// Where the setting says so refunds are taken from cash first; a split that the caller gives counts before that.
static void test_refunds_are_taken_from_cash_first(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_ordered_bare(bed, &trade);
    flow_must(bed, "Pay", "trade_no=%s wait_for=2 %s", trade.no,
              flow_tenders(bed, 3, KIND(CARD), 5000, bed->card, KIND(CASH), 5000, "", KIND(SCANNED), 10000, "code"));
    completed(bed, &trade);
    flow_must(bed, "Refund", "trade_no=%s amount=CNY4000", trade.no);
    flow_until_still(bed, &trade);
    assert_int_equal(flow_tender(bed, &trade, 1, 1)->refunded->minor_units, 4000);
    flow_must(bed, "Refund", "trade_no=%s amount=CNY4000", trade.no); // 1000 are left in cash
    flow_until_still(bed, &trade);
    assert_int_equal(flow_tender(bed, &trade, 1, 1)->refunded->minor_units, 5000);
    assert_int_equal(flow_tender(bed, &trade, 1, 0)->refunded->minor_units, 1000);
    assert_int_equal(flow_tender(bed, &trade, 1, 2)->refunded->minor_units, 2000);
    flow_must(bed, "Refund", "trade_no=%s amount=CNY500 split[0].tender_no=%s split[0].amount=CNY500", trade.no,
              flow_tender_no(bed, &trade, 1, 2));
    flow_must(bed, "Refund", "trade_no=%s whole=true", trade.no);
    flow_until_still(bed, &trade);
    assert_state(bed, &trade, TRADE(REFUNDED));
}

static const struct flow_case cases[] = {
    CASE(test_a_sale_to_nobody_asks_and_gives_nothing_that_needs_somebody),
    CASE(test_activities_for_everybody_are_for_nobody_too),
    CASE(test_what_must_be_somebodys_is_refused),
    CASE(test_what_is_let_off_has_an_entry_of_its_own),
    CASE(test_a_till_sells_in_one_call),
    CASE_WITH(test_refunds_are_taken_from_cash_first, .cash_first = true),
};
CASES(anonymous);
