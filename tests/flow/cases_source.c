// How the sources of a quote are asked: each within its time, and what changes slowly not every time.
#include "tests/flow/cases.h"
#include "txcenter/saga/v1/operator.pb-c.h"

typedef Txcenter__Trade__V1__Quote quote_message;

enum { FACTS = 4 };   // that a quote for fuel wants: its price, the points rule, the level, the activities
enum { USUAL = 760 }; // a litre of 0# at S001, in minor units, while these tests run
#define DIESEL "lines[0].fuel.oil_code=0# lines[0].fuel.volume_centi=1000"

static void set_price(struct flow_bed *bed, int price) {
    flow_control(bed, "SetOilPrice", "station_id=S001 oil_code=0# name=0~diesel unit_price=CNY%d", price);
}

// What the next quote prices a litre of it at.
static int64_t quoted_price(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    return flow_quote(bed, &trade, DIESEL, "")->lines[0]->unit_price->minor_units;
}

static void clear(struct flow_bed *bed, const char *fields) {
    flow_must(bed, "ClearCache", "reason=prices~have~changed %s", fields);
}

// Nothing is kept of what stories before have asked for.
static void begin(struct flow_bed *bed) {
    set_price(bed, USUAL);
    clear(bed, "");
}

// ---- Time -----------------------------------------------------------------------------------------------------------

// [A7] a source that is not core has a time of its own within the quote's: past it the quote is degraded, and comes
static void test_a_source_past_its_own_time_degrades_the_quote_which_does_not_wait(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    flow_fault(bed, FAULT(DELAY), "coupon", "ListUsableCoupons", "delay_ms=700"); // in time for the quote
    int64_t begun_ms = flow_now(bed), degraded = flow_stat(bed, "quotes.degraded");
    const quote_message *quote = flow_quote(bed, &trade, FUEL_200, "");
    int64_t took_ms = flow_now(bed) - begun_ms;
    assert_int_equal(quote->n_degraded_sources, 1);
    assert_string_equal(quote->degraded_sources[0], "coupon");
    assert_int_equal(quote->combinations[0]->n_coupon_ids, 0);
    assert_int_equal(quote->combinations[0]->payable->minor_units, LIST_200 - 5000); // by points alone
    assert_true(took_ms >= 200);
    if (bed->ops->virtual_time)
        assert_true(took_ms <= 205);
    assert_int_equal(flow_stat(bed, "quotes.degraded"), degraded + 1);
}

// [A7] [S3-14] a core one fails it
static void test_a_core_source_past_its_own_time_fails_the_quote(struct flow_bed *bed) {
    flow_fault(bed, FAULT(DELAY), "user", "GetUser", "delay_ms=700");
    int64_t begun_ms = flow_now(bed);
    flow_refused(bed, "PRICE_UNAVAILABLE", "Quote", "%s " FUEL_200, flow_context(bed));
    assert_true(flow_now(bed) - begun_ms >= 300);
    if (bed->ops->virtual_time)
        assert_true(flow_now(bed) - begun_ms <= 305);
    flow_clear_faults(bed);
    assert_verdict(flow_insist(bed, "Quote", "%s " FUEL_200, flow_context(bed)), "OK"); // a busy machine is late, too
}

// [A8] however slow every one is, they are late together
static void test_all_sources_are_late_at_the_same_time(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    flow_fault(bed, FAULT(DELAY), "coupon", "*", "delay_ms=5000");
    flow_fault(bed, FAULT(DELAY), "points", "*", "delay_ms=5000");
    int64_t begun_ms = flow_now(bed);
    const quote_message *quote = flow_quote(bed, &trade, FUEL_200, "");
    assert_int_equal(quote->n_degraded_sources, 2);
    assert_int_equal(quote->combinations[0]->payable->minor_units, LIST_200);
    assert_true(flow_now(bed) - begun_ms >= 800); // points have all that the quote has
    if (bed->ops->virtual_time)
        assert_true(flow_now(bed) - begun_ms <= 805);
}

// ---- Kept facts -----------------------------------------------------------------------------------------------------

// [S3-13]
static void test_a_price_that_is_kept_is_not_asked_for_again(struct flow_bed *bed) {
    begin(bed);
    assert_int_equal(quoted_price(bed), USUAL);
    int64_t calls = flow_calls(bed, "oil"), hits = flow_stat(bed, "cache.hits");
    for (int i = 0; i < 5; i++)
        assert_int_equal(quoted_price(bed), USUAL);
    assert_int_equal(flow_calls(bed, "oil"), calls);
    assert_int_equal(flow_stat(bed, "cache.hits"), hits + 5 * FACTS);
    struct flow_trade other = {0}, before = {0};
    static const char lines[] = "lines[0].fuel.oil_code=95# lines[0].fuel.volume_centi=1000";
    flow_quote(bed, &other, lines, ""); // another question
    assert_int_equal(flow_calls(bed, "oil"), calls + 1);
    flow_quote(bed, &before, lines, flow_text(bed, "context.at.seconds=%lld", (long long)flow_now(bed) / 1000 - 60));
    assert_int_equal(flow_calls(bed, "oil"), calls + 2); // what is kept is of now
    flow_quote(bed, &other, lines, "");
    assert_int_equal(flow_calls(bed, "oil"), calls + 2);
}

static void test_a_price_is_kept_as_long_as_was_said(struct flow_bed *bed) {
    begin(bed);
    quoted_price(bed);
    set_price(bed, 2 * USUAL);
    assert_int_equal(quoted_price(bed), USUAL);
    flow_run_for(bed, 5000);
    assert_int_equal(quoted_price(bed), 2 * USUAL);
    begin(bed);
}

// [S3-43] what a user has is asked each time: the balance that the last order has taken is not offered again
static void test_what_a_user_has_is_never_kept(struct flow_bed *bed) {
    struct flow_trade first = {0}, second = {0};
    begin(bed);
    flow_quote(bed, &first, FUEL_200, "");
    flow_order(bed, &first, "");
    int64_t user = flow_calls(bed, "user"), coupon = flow_calls(bed, "coupon"), points = flow_calls(bed, "points");
    const quote_message *quote = flow_quote(bed, &second, FUEL_200, "");
    assert_int_equal(flow_calls(bed, "user"), user + 1);
    assert_int_equal(flow_calls(bed, "coupon"), coupon + 1);
    assert_int_equal(flow_calls(bed, "points"), points + 1); // the balance, and not what points are worth
    assert_true(quote->combinations[0]->payable->minor_units > BEST_200);
}

// Activities and levels are kept, too; but an activity with a quota says what this buyer has left of it
static void test_activities_are_kept_unless_a_quota_is_among_them(struct flow_bed *bed) {
    static const char *const quotas[] = {"", "activity.quota_unit=1 quota_each=3"};
    begin(bed);
    for (int i = 0; i < 2; i++) {
        const char *channel = flow_text(bed, "kept-%s-%d", bed->user, i);
        flow_control(bed, "SetActivity",
                     "activity.activity_id=%s channels[0]=%s activity.kind=1 activity.rule.kind=1 "
                     "activity.rule.amount_off=CNY100 %s",
                     channel, channel, quotas[i]);
        struct flow_trade trade = {0};
        flow_quote(bed, &trade, FUEL_200, flow_text(bed, "context.channel=%s", channel));
        int64_t discount = flow_calls(bed, "discount"), level = flow_calls(bed, "level");
        flow_quote(bed, &trade, FUEL_200, flow_text(bed, "context.channel=%s", channel));
        assert_int_equal(flow_calls(bed, "discount") - discount, i);
        assert_int_equal(flow_calls(bed, "level"), level);
    }
}

// Another user is another question, and so is another basket.
static void test_what_is_kept_for_one_user_is_not_used_for_another(struct flow_bed *bed) {
    struct flow_trade trade = {0}, other = {0};
    begin(bed);
    flow_quote(bed, &trade, FUEL_200, "");
    int64_t discount = flow_calls(bed, "discount"), level = flow_calls(bed, "level");
    flow_quote(bed, &other, FUEL_200, flow_text(bed, "context.user_id=%s", bed->other_user));
    assert_int_equal(flow_calls(bed, "discount"), discount + 1);
    assert_int_equal(flow_calls(bed, "level"), level + 1);
    flow_quote(bed, &trade, "lines[0].fuel.oil_code=92# lines[0].fuel.amount=CNY30000", "");
    assert_int_equal(flow_calls(bed, "discount"), discount + 2);
    assert_int_equal(flow_calls(bed, "level"), level + 1);
}

// A price that is kept lets a quote be made while the oil system is away; a price that is not kept does not.
static void test_a_kept_price_bridges_a_core_source_that_is_down(struct flow_bed *bed) {
    begin(bed);
    quoted_price(bed);
    flow_fault(bed, FAULT(DOWN), "oil", "*", "");
    assert_int_equal(quoted_price(bed), USUAL);
    clear(bed, "");
    flow_refused(bed, "PRICE_UNAVAILABLE", "Quote", "%s " DIESEL, flow_context(bed));
    flow_refused(bed, "PRICE_UNAVAILABLE", "Quote", "%s " DIESEL, flow_context(bed)); // nor is its absence kept
    flow_clear_faults(bed);
    assert_int_equal(quoted_price(bed), USUAL);
}

// Many who want to know the same at the same time are one question
static void test_many_quotes_at_once_ask_for_a_price_once(struct flow_bed *bed) {
    enum { MANY = 20 };
    struct flow_answer *answers[MANY];
    begin(bed);
    int64_t calls = flow_calls(bed, "oil"), shared = flow_stat(bed, "quotes.shared");
    flow_fault(bed, FAULT(DELAY), "oil", "GetPrice", "delay_ms=150");
    for (int i = 0; i < MANY; i++)
        answers[i] = flow_send(bed, "Quote", "%s " DIESEL, flow_context(bed));
    for (int i = 0; i < MANY; i++) {
        flow_wait(bed, answers[i]);
        assert_verdict(answers[i], "OK");
        const Txcenter__Trade__V1__QuoteResponse *response = (const void *)answers[i]->message;
        assert_int_equal(response->quote->lines[0]->unit_price->minor_units, USUAL);
    }
    int64_t asked = flow_calls(bed, "oil") - calls;
    assert_true(asked >= 1);
    if (bed->ops->virtual_time) {
        assert_int_equal(asked, 1);
        assert_int_equal(flow_stat(bed, "quotes.shared") - shared, FACTS * (MANY - 1));
    } else {
        assert_true(asked < MANY / 2); // a busy machine may see them come apart
    }
}

// What one hears, all who wait hear; and the next asks anew.
static void test_a_question_that_fails_fails_for_all_who_share_it_and_is_not_kept(struct flow_bed *bed) {
    struct flow_answer *answers[5];
    begin(bed);
    flow_fault(bed, FAULT(DOWN), "oil", "*", "");
    for (int i = 0; i < 5; i++)
        answers[i] = flow_send(bed, "Quote", "%s " DIESEL, flow_context(bed));
    for (int i = 0; i < 5; i++) {
        flow_wait(bed, answers[i]);
        assert_verdict(answers[i], "PRICE_UNAVAILABLE");
    }
    flow_clear_faults(bed);
    assert_int_equal(quoted_price(bed), USUAL);
}

// ---- Out of date ----------------------------------------------------------------------------------------------------

// [E8] an operator's clearing is audited, acts at once, and again when it is repeated
static void test_an_operator_clears_what_is_kept(struct flow_bed *bed) {
    begin(bed);
    quoted_price(bed);
    set_price(bed, 3 * USUAL);
    const Txcenter__Saga__V1__ListAuditResponse *before = flow_must(bed, "ListAudit", "page_size=%d", 100);
    assert_int_equal(quoted_price(bed), USUAL);
    clear(bed, "source=price request_id=clear-1");
    assert_int_equal(quoted_price(bed), 3 * USUAL);
    set_price(bed, USUAL);
    clear(bed, "source=price request_id=clear-1");
    assert_int_equal(quoted_price(bed), USUAL);
    const Txcenter__Saga__V1__ListAuditResponse *after = flow_must(bed, "ListAudit", "page_size=%d", 100);
    assert_int_equal(after->n_entries, before->n_entries + 1);
    assert_string_equal(after->entries[0]->action, "clear-cache");
    assert_string_equal(after->entries[0]->detail, "price");
    assert_string_equal(after->entries[0]->reason, "prices have changed");
    assert_string_equal(after->entries[0]->caller, FLOW_CALLER);
    flow_refused(bed, "INVALID_REQUEST", "ClearCache", "reason=why source=%s", "coupons");
    flow_refused(bed, "INVALID_REQUEST", "ClearCache", "source=%s", "price");
    flow_refused(bed, "IDEMPOTENCY_KEY_REUSED", "ClearCache", "reason=why source=%s request_id=clear-1", "price");
}

// Who asked before it was cleared does not fill it with what was true then, and nobody new waits for that.
static void test_what_was_asked_for_before_the_clearing_is_not_used_after_it(struct flow_bed *bed) {
    begin(bed);
    flow_fault(bed, FAULT(DELAY), "oil", "GetPrice", "delay_ms=300 count=1");
    struct flow_answer *slow = flow_send(bed, "Quote", "%s " DIESEL, flow_context(bed));
    int64_t calls = flow_calls(bed, "oil");
    flow_run_for(bed, 100); // it is on its way, with the old price
    assert_false(slow->done);
    clear(bed, "");
    int64_t price = quoted_price(bed);
    assert_int_equal(price, USUAL);
    assert_true(flow_calls(bed, "oil") > calls); // it did not join the one before
    flow_wait(bed, slow);
    assert_verdict(slow, "OK");
    int64_t hits = flow_stat(bed, "cache.hits");
    quoted_price(bed);
    assert_int_equal(flow_stat(bed, "cache.hits"), hits + FACTS); // the newer answer is what is kept
}

// What a pump says at a new price is refused for the kept one, which is then asked for again.
static void asked_for_again(struct flow_bed *bed, const char *at_new_price, const char *refusal) {
    struct flow_trade trade = {0};
    begin(bed);
    quoted_price(bed);
    set_price(bed, 800);
    flow_refused(bed, refusal, "Quote", "%s %s", flow_context(bed), at_new_price);
    assert_int_equal(flow_quote(bed, &trade, at_new_price, "")->lines[0]->unit_price->minor_units, 800);
    begin(bed);
}

// [A73] a pump whose amount does not fit the kept price may know a newer one: it is asked for again
static void test_a_pump_that_does_not_fit_a_kept_price_has_it_asked_for_again(struct flow_bed *bed) {
    asked_for_again(bed, "lines[0].fuel.oil_code=0# lines[0].fuel.volume_centi=1000 lines[0].fuel.amount=CNY8000",
                    "PUMP_AMOUNT_MISMATCH");
}

// [A64] and so may one that says its price
static void test_a_pump_with_another_price_has_it_asked_for_again(struct flow_bed *bed) {
    asked_for_again(bed, DIESEL " lines[0].fuel.pump_price=CNY800", "PRICE_CHANGED");
}

// [S3-44] [A2] what is charged is what the quote has kept, whatever is kept elsewhere by then
static void test_what_is_charged_is_what_the_quote_kept_and_never_what_the_cache_holds(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    begin(bed);
    quoted_price(bed);
    const quote_message *quote = flow_quote(bed, &trade, DIESEL, "exclude_points=true");
    int64_t payable = quote->combinations[0]->payable->minor_units;
    set_price(bed, 5 * USUAL);
    clear(bed, "");
    assert_int_equal(quoted_price(bed), 5 * USUAL); // which is what the cache holds now
    flow_order(bed, &trade, "");
    assert_int_equal(trade.payable, payable);
    flow_pay(bed, &trade);
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 0));
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    assert_int_equal(flow_ledger(bed, "payment", trade.no, "paid").amount, payable);
    begin(bed);
}

#define KEPT(function) CASE_WITH(function, .facts_ttl_s = 600)

static const struct flow_case cases[] = {
    CASE_WITH(test_a_source_past_its_own_time_degrades_the_quote_which_does_not_wait, .coupons_ms = 200),
    CASE_WITH(test_a_core_source_past_its_own_time_fails_the_quote, .user_ms = 300),
    CASE(test_all_sources_are_late_at_the_same_time),
    KEPT(test_a_price_that_is_kept_is_not_asked_for_again),
    KEPT(test_what_a_user_has_is_never_kept),
    KEPT(test_activities_are_kept_unless_a_quota_is_among_them),
    KEPT(test_what_is_kept_for_one_user_is_not_used_for_another),
    KEPT(test_a_kept_price_bridges_a_core_source_that_is_down),
    KEPT(test_many_quotes_at_once_ask_for_a_price_once),
    KEPT(test_a_question_that_fails_fails_for_all_who_share_it_and_is_not_kept),
    KEPT(test_an_operator_clears_what_is_kept),
    KEPT(test_what_was_asked_for_before_the_clearing_is_not_used_after_it),
    KEPT(test_a_pump_that_does_not_fit_a_kept_price_has_it_asked_for_again),
    KEPT(test_a_pump_with_another_price_has_it_asked_for_again),
    KEPT(test_what_is_charged_is_what_the_quote_kept_and_never_what_the_cache_holds),
    CASE_WITH(test_a_price_is_kept_as_long_as_was_said, .facts_ttl_s = 5),
};

CASES(source);
