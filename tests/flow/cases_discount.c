// What the discount engine and the member's level make cheaper, the quota that goes with it, and limits on what is
// bought. Each test has a channel of its own, in which its activities run: that of its user's name.
#include "tests/flow/cases.h"
#include "tests/flow/virtual.h"

typedef Txcenter__Trade__V1__Quote quote_message;
typedef Txcenter__Trade__V1__Combination combination_message;

#define OFF(cents) "activity.kind=1 activity.rule.kind=1 activity.rule.amount_off=CNY" #cents " "
#define TIMES "activity.quota_unit=1 "
#define LIMIT "activity.kind=3 activity.rule.condition_scope[0]=fuel "
enum { LITRES_200 = 2604 }; // 200.00 at 7.68, in 0.01 litre

// "<name>-U0010"
static const char *activity_id(struct flow_bed *bed, const char *name) {
    return flow_text(bed, "%s-%s", name, bed->user);
}

static void run_activity(struct flow_bed *bed, const char *name, const char *fields) {
    flow_control(bed, "SetActivity", "activity.activity_id=%s channels[0]=%s %s", activity_id(bed, name), bed->user,
                 fields);
}

// This user in the test's channel, without the coupons and points that everybody has.
static const char *plain_of(struct flow_bed *bed, const char *user, const char *more) {
    const char *text = flow_text(bed, "context.user_id=%s context.channel=%s exclude_points=true", user, bed->user);
    for (int i = 0; i < 5; i++)
        text = flow_text(bed, "%s excluded_coupon_ids[%d]=K%s-%d", text, i, user + 1, i + 1);
    return flow_text(bed, "%s %s", text, more);
}

static const char *plain(struct flow_bed *bed, const char *more) {
    return plain_of(bed, bed->user, more);
}

static const quote_message *quote(struct flow_bed *bed, struct flow_trade *trade, const char *lines, const char *more) {
    return flow_quote(bed, trade, lines, plain(bed, more));
}

// Of the same channel, for the other user.
static const quote_message *quote_for_other(struct flow_bed *bed, struct flow_trade *trade) {
    return flow_quote(bed, trade, FUEL_200, plain_of(bed, bed->other_user, ""));
}

static int64_t best(const quote_message *quote) {
    return quote->combinations[0]->payable->minor_units;
}

static bool uses(const combination_message *combination, const char *benefit_id) {
    for (size_t i = 0; i < combination->n_benefits; i++)
        if (strcmp(combination->benefits[i]->benefit_id, benefit_id) == 0)
            return true;
    return false;
}

static int64_t worst(const quote_message *quote) {
    return quote->combinations[quote->n_combinations - 1]->payable->minor_units;
}

static void pay(struct flow_bed *bed, struct flow_trade *trade) {
    flow_pay(bed, trade);
    flow_payer_pays(bed, flow_tender_no(bed, trade, 1, 0));
    flow_until_state(bed, trade, TRADE(COMPLETED));
    flow_until_still(bed, trade);
}

static void refund(struct flow_bed *bed, const struct flow_trade *trade, const char *extent) {
    flow_must(bed, "Refund", "trade_no=%s %s wait_ms=10000", trade->no, extent);
    flow_until_still(bed, trade);
}

static int64_t quota(struct flow_bed *bed, const struct flow_trade *trade, const char *kind) {
    return flow_ledger(bed, "discount", trade->no, kind).points;
}

// ---- Prices -------------------------------------------------------------------------------------------------------

// [S3-31] [S3-33] the discount engine's activity makes it cheaper, up to its cap; it is on the ledger under its own
// name, and campaigns are told what it took off
static void test_an_activity_makes_it_cheaper_up_to_its_cap(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    run_activity(bed, "ten",
                 "activity.kind=1 activity.rule.kind=2 activity.rule.percent_off_bp=1000 "
                 "activity.rule.cap=CNY1500 activity.rule.condition_scope[0]=fuel");
    const quote_message *made = quote(bed, &trade, FUEL_200, "");
    const combination_message *chosen = made->combinations[0];
    assert_int_equal(best(made), LIST_200 - 1500);
    assert_int_equal(worst(made), LIST_200);
    assert_int_equal(chosen->activity_discount->minor_units, 1500);
    assert_int_equal(chosen->line_shares[0]->activity_discount->minor_units, 1500);
    assert_true(uses(chosen, activity_id(bed, "ten")));
    assert_int_equal(chosen->n_quotas, 0);
    flow_order(bed, &trade, "");
    pay(bed, &trade);
    const Txcenter__Trade__V1__Trade *found = flow_get(bed, trade.no);
    int64_t booked = 0;
    for (size_t i = 0; i < found->n_ledger; i++)
        if (strcmp(found->ledger[i]->account, "discount:activity") == 0)
            booked += found->ledger[i]->amount->minor_units;
    assert_int_equal(booked, 1500);
    assert_int_equal(flow_ledger(bed, "marketing", trade.no, "benefit").amount, 1500);
    refund(bed, &trade, "whole=true");
}

// [S3-31] those that stack add up; one that does not is used alone, and the best of both ways is taken
static void test_activities_stack_or_the_best_is_taken(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    run_activity(bed, "ten", OFF(1000) "activity.stacks=true");
    run_activity(bed, "eight", OFF(800) "activity.stacks=true");
    run_activity(bed, "alone", OFF(1500));
    const quote_message *made = quote(bed, &trade, FUEL_200, "");
    assert_int_equal(best(made), LIST_200 - 1800);
    assert_false(uses(made->combinations[0], activity_id(bed, "alone")));
    run_activity(bed, "alone", OFF(1900));
    made = quote(bed, &trade, FUEL_200, "");
    assert_int_equal(best(made), LIST_200 - 1900);
    assert_int_equal(made->combinations[0]->n_benefits, 1);
}

// [S3-29] [S3-31] what must be bought and what gets cheaper are two things: fuel makes goods cheaper, and goods alone
// are not
static void test_fuel_makes_goods_cheaper(struct flow_bed *bed) {
    struct flow_trade trade = {0}, other = {0};
    run_activity(bed, "goods",
                 "activity.kind=1 activity.rule.kind=2 activity.rule.percent_off_bp=1000 "
                 "activity.rule.minimum_spend=CNY10000 activity.rule.minimum_base=1 "
                 "activity.rule.condition_scope[0]=fuel activity.rule.benefit_scope[0]=goods");
    const quote_message *made = quote(bed, &trade, FUEL_200 " lines[1].goods.sku=COLA lines[1].goods.quantity=4", "");
    assert_int_equal(best(made), LIST_200 + 2000 - 200);
    assert_int_equal(made->combinations[0]->line_shares[0]->activity_discount->minor_units, 0);
    assert_int_equal(made->combinations[0]->line_shares[1]->activity_discount->minor_units, 200);
    made = quote(bed, &other, "lines[0].goods.sku=COLA lines[0].goods.quantity=4", "");
    assert_int_equal(best(made), 2000);
    flow_order(bed, &trade, "");
    pay(bed, &trade);
}

// [S3-31] the engine may do the sum itself. Where it needs the price for that, it is asked again once the price is
// known
static void test_the_engine_may_answer_with_amounts(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    run_activity(bed, "sum",
                 "activity.kind=2 activity.rule.kind=2 activity.rule.percent_off_bp=500 "
                 "activity.rule.benefit_scope[0]=fuel");
    int64_t before = flow_calls(bed, "discount");
    assert_int_equal(best(quote(bed, &trade, FUEL_200, "")), LIST_200 - 1000);
    assert_int_equal(flow_calls(bed, "discount"), before + 1);
    // 10.00 l at 7.68
    const quote_message *made = quote(bed, &trade, "lines[0].fuel.oil_code=92# lines[0].fuel.volume_centi=1000", "");
    assert_int_equal(flow_calls(bed, "discount"), before + 3);
    assert_int_equal(best(made), 7680 - 384);
    assert_int_equal(made->n_degraded_sources, 0);
}

// [S3-39] [S3-31] the member's level makes it cheaper, before activities and coupons; who does not want that says so.
// Activities for a level are found by it
static void test_the_members_level_makes_it_cheaper(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    flow_control(bed, "SetGrowth", "user_id=%s growth=1200", bed->user); // SILVER: 1 % off fuel
    run_activity(bed, "silver", OFF(300) "level_codes[0]=SILVER");
    run_activity(bed, "gold", OFF(900) "level_codes[0]=GOLD");
    const quote_message *made = quote(bed, &trade, FUEL_200, "");
    assert_int_equal(best(made), LIST_200 - 200 - 300);
    assert_int_equal(made->combinations[0]->level_discount->minor_units, 200);
    assert_true(uses(made->combinations[0], "SILVER"));
    assert_int_equal(best(quote(bed, &trade, FUEL_200, "exclude_level=true")), LIST_200 - 300);
    made = flow_quote(bed, &trade, FUEL_200, flow_text(bed, "context.channel=%s", bed->user));
    assert_int_equal(made->combinations[0]->level_discount->minor_units, 200);
    assert_int_equal(made->combinations[0]->activity_discount->minor_units, 300);
    assert_int_equal(made->combinations[0]->coupon_discount->minor_units, 2500);
    assert_int_equal(best(made), LIST_200 - 200 - 300 - 2500 - 5000); // and points
    flow_order(bed, &trade, "");
    pay(bed, &trade);
    refund(bed, &trade, "amount=CNY3333");
    refund(bed, &trade, "whole=true");
}

// [A7] [S3-14] [S3-31] without the discount engine, or the level system, the quote is made and says which is missing
static void test_a_quote_without_them_is_degraded(struct flow_bed *bed) {
    static const char *const systems[] = {"discount", "level"};
    struct flow_trade trade = {0};
    for (size_t i = 0; i < 2; i++) {
        flow_fault(bed, FAULT(DOWN), systems[i], "*", "");
        const quote_message *made = quote(bed, &trade, FUEL_200, "");
        assert_int_equal(made->n_degraded_sources, 1);
        assert_string_equal(made->degraded_sources[0], systems[i]);
        assert_int_equal(best(made), LIST_200);
        flow_clear_faults(bed);
    }
    flow_refused(bed, "QUOTE_DEGRADED", "PlaceOrder", "trade_no=%s quote_version=%d", trade.no, trade.version);
    flow_order(bed, &trade, "accept_degraded=true");
}

static void lose_second(void *ctx, const char *method, unsigned nth, struct rpc_inproc_fate *fate) {
    unsigned *asked = ctx;
    (void)nth;
    if (strcmp(method, "ListActivities") == 0 && ++*asked == 2)
        fate->drop_request = true;
}

// [A7] [A8] the engine is asked again within the one deadline of the quote: without its second answer it is missing
static void test_what_is_asked_again_has_the_rest_of_the_quotes_time(struct flow_bed *bed) {
    enum { BUDGET_MS = 800 };
    struct flow_trade trade = {0};
    unsigned asked = 0;
    run_activity(bed, "ten", OFF(1000));
    run_activity(bed, "gold", OFF(2000) "level_codes[0]=GOLD");
    flow_set_fate(bed, lose_second, &asked);
    flow_fault(bed, FAULT(DELAY), "level", "GetLevel", "delay_ms=500 count=1");
    int64_t begun_ms = flow_now(bed);
    const quote_message *made = quote(bed, &trade, FUEL_200, "");
    int64_t took_ms = flow_now(bed) - begun_ms;
    flow_set_fate(bed, NULL, NULL);
    assert_int_equal(asked, 2);
    assert_true(took_ms >= BUDGET_MS && took_ms < BUDGET_MS + 20);
    assert_int_equal(made->n_degraded_sources, 1);
    assert_string_equal(made->degraded_sources[0], "discount");
    assert_int_equal(best(made), LIST_200);
}

// [A2] an order has the price that was kept, though the activity has changed since
static void test_an_order_uses_the_kept_price_though_the_activity_has_changed(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    run_activity(bed, "ten", OFF(1000));
    quote(bed, &trade, FUEL_200, "");
    run_activity(bed, "ten", OFF(100));
    flow_order(bed, &trade, "");
    assert_int_equal(trade.payable, LIST_200 - 1000);
}

// [A77] an activity that is forced is in every combination but that without benefits, one that is excluded in none; one
// that does not run here is refused
static void test_an_activity_is_forced_or_excluded(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    run_activity(bed, "small", OFF(100));
    run_activity(bed, "big", OFF(1000));
    const char *small = activity_id(bed, "small"), *big = activity_id(bed, "big");
    assert_int_equal(best(quote(bed, &trade, FUEL_200, "")), LIST_200 - 1000);
    const quote_message *made =
        quote(bed, &trade, FUEL_200, flow_text(bed, "required_activity_ids[0]=%s max_combinations=10", small));
    for (size_t i = 0; i + 1 < made->n_combinations; i++)
        assert_true(uses(made->combinations[i], small));
    assert_int_equal(best(made), LIST_200 - 100);
    assert_int_equal(worst(made), LIST_200);
    made = quote(bed, &trade, FUEL_200, flow_text(bed, "excluded_activity_ids[0]=%s max_combinations=10", big));
    for (size_t i = 0; i < made->n_combinations; i++)
        assert_false(uses(made->combinations[i], big));
    flow_refused(bed, "BENEFIT_UNAVAILABLE", "Quote", "%s " FUEL_200 " %s", flow_context(bed),
                 plain(bed, "required_activity_ids[0]=wechat-5-off-100")); // in another channel
    flow_refused(bed, "INVALID_REQUEST", "Quote", "%s " FUEL_200 " %s", flow_context(bed),
                 plain(bed, "required_activity_ids[0]="));
    flow_refused(bed, "INVALID_REQUEST", "Quote", "%s " FUEL_200 " %s", flow_context(bed),
                 plain(bed, "tender_kinds[0]=99"));
}

// ---- Tenders ------------------------------------------------------------------------------------------------------

static void run_wechat(struct flow_bed *bed) {
    run_activity(bed, "wechat",
                 OFF(500) "activity.stacks=true activity.rule.tender_kinds[0]=WECHAT "
                          "activity.rule.tender_kinds[1]=ALIPAY");
}

// [S3-4] a combination that depends on the tender is paid by its tenders alone
static void test_tenders_that_the_combination_does_not_allow_are_refused(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    run_wechat(bed);
    const quote_message *made = quote(bed, &trade, FUEL_200, "");
    assert_int_equal(made->combinations[0]->tender_discount->minor_units, 500);
    assert_int_equal(made->combinations[0]->n_tender_kinds, 2);
    const char *card = flow_tenders(bed, 1, KIND(CARD), LIST_200 - 500, bed->card);
    flow_refused(bed, "TENDER_NOT_ALLOWED", "OrderPay", "trade_no=%s quote_version=1 %s", trade.no, card);
    assert_state(bed, &trade, TRADE(QUOTED));
    flow_order(bed, &trade, "");
    flow_refused(bed, "TENDER_NOT_ALLOWED", "Pay", "trade_no=%s %s", trade.no, card);
    flow_refused(bed, "TENDER_NOT_ALLOWED", "Pay", "trade_no=%s %s", trade.no,
                 flow_tenders(bed, 2, KIND(WECHAT), 500, "payer", KIND(CARD), LIST_200 - 1000, bed->card));
    assert_state(bed, &trade, TRADE(ORDERED));
    flow_pay_with(bed, &trade, flow_tenders(bed, 2, KIND(WECHAT), 500, "payer", KIND(ALIPAY), LIST_200 - 1000, "other"),
                  "");
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 0));
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 1));
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    flow_until_still(bed, &trade);
}

// Without the level's price: what was bought before may have made it a better one by now.
static int64_t bought_by(struct flow_bed *bed, const char *tenders) {
    const Txcenter__Trade__V1__QuoteOrderPayResponse *answer = flow_must(
        bed, "QuoteOrderPay", "%s exclude_level=true " FUEL_200 " %s", flow_context(bed), plain(bed, tenders));
    return answer->trade->payable->minor_units;
}

// [S3-4] [S3-43] who says how it will be paid is priced accordingly, and so is who quotes, orders and pays in one
static void test_what_depends_on_the_tender_follows_how_it_is_paid(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    run_wechat(bed);
    assert_int_equal(best(quote(bed, &trade, FUEL_200, "tender_kinds[0]=1")), LIST_200); // CARD
    assert_int_equal(best(quote(bed, &trade, FUEL_200, "tender_kinds[0]=2")), LIST_200 - 500);
    assert_int_equal(best(quote(bed, &trade, FUEL_200, "tender_kinds[0]=2 tender_kinds[1]=1")), LIST_200);
    assert_int_equal(best(quote(bed, &trade, FUEL_200, "tender_kinds[0]=2 tender_kinds[1]=3")), LIST_200 - 500);
    assert_int_equal(bought_by(bed, flow_tenders(bed, 1, KIND(CARD), LIST_200, bed->card)), LIST_200);
    assert_int_equal(bought_by(bed, flow_tenders(bed, 1, KIND(WECHAT), LIST_200 - 500, "payer")), LIST_200 - 500);
}

// ---- When it is bought
// ------------------------------------------------------------------------------------------------

static const char *bought_ago(struct flow_bed *bed, int64_t ms) {
    return flow_text(bed, "context.at.seconds=%lld", (long long)(flow_now(bed) - ms) / 1000);
}

// [S3-4] when it is bought decides what it costs: usually now; who says that it was before gets what applied then, and
// what is kept is that
static void test_what_is_bought_is_priced_as_of_when(struct flow_bed *bed) {
    enum { MINUTE_MS = 60000, DAY_MS = 86400000 };
    struct flow_trade now = {0}, then = {0};
    run_activity(
        bed, "over",
        flow_text(bed, OFF(1000) "activity.ends_at.seconds=%lld", (long long)(flow_now(bed) - MINUTE_MS) / 1000));
    const quote_message *made = quote(bed, &now, FUEL_200, "");
    assert_int_equal(best(made), LIST_200);
    assert_null(made->priced_at);
    made = quote(bed, &then, FUEL_200, bought_ago(bed, 2 * MINUTE_MS));
    assert_int_equal(best(made), LIST_200 - 1000);
    assert_int_equal(made->created_at->seconds - made->priced_at->seconds, 120);
    flow_crash_center(bed);
    flow_order(bed, &then, "");
    assert_int_equal(then.payable, LIST_200 - 1000);
    assert_int_equal(flow_get(bed, then.no)->quote->priced_at->seconds, made->priced_at->seconds);
    pay(bed, &then);
    refund(bed, &then, "whole=true");
    flow_refused(bed, "INVALID_REQUEST", "Quote", "%s " FUEL_200 " %s", flow_context(bed), bought_ago(bed, 8 * DAY_MS));
    flow_refused(bed, "INVALID_REQUEST", "Quote", "%s " FUEL_200 " %s", flow_context(bed),
                 bought_ago(bed, -2 * MINUTE_MS));
    flow_refused(bed, "INVALID_REQUEST", "Quote", "%s " FUEL_200 " context.at.seconds=-99999999999999",
                 flow_context(bed));
}

// ---- Quota --------------------------------------------------------------------------------------------------------

static void run_once_a_day(struct flow_bed *bed) {
    run_activity(bed, "daily", OFF(1000) TIMES "quota_each=1 quota_daily=true");
}

// [S3-48] [A38] its quota is locked with the order, used once it is paid, and back after the refund of all of it
static void test_quota_is_locked_used_and_given_back(struct flow_bed *bed) {
    struct flow_trade trade = {0}, other = {0};
    run_once_a_day(bed);
    const quote_message *made = quote(bed, &trade, FUEL_200, "");
    assert_int_equal(made->combinations[0]->n_quotas, 1);
    assert_int_equal(made->combinations[0]->quotas[0]->quantity, 1);
    assert_int_equal(flow_ledger(bed, "discount", trade.no, NULL).n, 0);
    flow_order(bed, &trade, "");
    assert_int_equal(quota(bed, &trade, "lock"), 1);
    assert_int_equal(best(quote(bed, &other, FUEL_200, "")), LIST_200); // today's is taken
    pay(bed, &trade);
    assert_int_equal(quota(bed, &trade, "use"), 1);
    refund(bed, &trade, "amount=CNY1000");
    assert_int_equal(quota(bed, &trade, "give_back"), 0);
    refund(bed, &trade, "whole=true");
    assert_state(bed, &trade, TRADE(REFUNDED));
    assert_int_equal(quota(bed, &trade, "give_back"), 1);
    assert_int_equal(best(quote(bed, &other, FUEL_200, "")), LIST_200 - 1000);
}

// [A11] [A38] whatever ends the order before it is paid unlocks it: a cancel, its expiry, another lock that fails
static void test_quota_of_an_order_that_comes_to_nothing_is_unlocked(struct flow_bed *bed) {
    run_once_a_day(bed);
    for (int i = 0; i < 3; i++) {
        struct flow_trade trade = {0};
        quote(bed, &trade, FUEL_200 " lines[1].goods.sku=COLA lines[1].goods.quantity=1", "");
        if (i == 0) {
            flow_order(bed, &trade, "");
            flow_must(bed, "Cancel", "trade_no=%s", trade.no);
        } else if (i == 1) {
            flow_order(bed, &trade, "expires_in_seconds=1");
            flow_until_state(bed, &trade, TRADE(EXPIRED));
        } else {
            flow_fault(bed, FAULT(REJECT), "goods", "ReserveStock", "code=OUT_OF_STOCK count=1");
            flow_refused(bed, "OUT_OF_STOCK", "PlaceOrder", "trade_no=%s quote_version=1", trade.no);
        }
        flow_until_still(bed, &trade);
        assert_nothing_held(bed, &trade);
        assert_int_equal(best(quote(bed, &(struct flow_trade){0}, FUEL_200, "")), LIST_200 - 1000);
    }
}

// Both order at once; the number of the one that may.
static int won_by(struct flow_bed *bed, struct flow_trade trades[2]) {
    struct flow_answer *answers[2];
    int won = -1;
    for (int i = 0; i < 2; i++)
        answers[i] = flow_send(bed, "PlaceOrder", "trade_no=%s quote_version=1", trades[i].no);
    for (int i = 0; i < 2; i++) {
        flow_wait(bed, answers[i]);
        if (answers[i]->message) {
            assert_int_equal(won, -1);
            won = i;
        } else {
            assert_verdict(answers[i], "BENEFIT_UNAVAILABLE");
            assert_non_null(strstr(answers[i]->text, "QUOTA_EXHAUSTED"));
        }
    }
    assert_int_not_equal(won, -1);
    flow_until_still(bed, &trades[!won]);
    assert_state(bed, &trades[!won], TRADE(FAILED));
    assert_nothing_held(bed, &trades[!won]);
    return won;
}

// [A15] of two that race for the last unit of an activity's quota one gets it
static void test_of_two_that_race_for_the_last_quota_one_wins(struct flow_bed *bed) {
    struct flow_trade trades[2] = {{.version = 0}, {.version = 0}};
    run_activity(bed, "last", OFF(1000) TIMES "quota=1");
    assert_int_equal(best(quote(bed, &trades[0], FUEL_200, "")), LIST_200 - 1000);
    assert_int_equal(best(quote_for_other(bed, &trades[1])), LIST_200 - 1000);
    int won = won_by(bed, trades);
    // Without it, by the combination that needs none of it.
    const quote_message *made = won ? quote(bed, &trades[0], FUEL_200, "") : quote_for_other(bed, &trades[1]);
    assert_int_equal(best(made), LIST_200);
    flow_order(bed, &trades[!won], "");
}

// [A80] a limit is quota, too: of two cars' trades, of two users and one plate, the second that day is refused, also
// without any benefit
static void test_of_two_that_race_for_a_daily_limit_one_wins(struct flow_bed *bed) {
    struct flow_trade trades[2] = {{.version = 0}, {.version = 0}};
    const char *plate = flow_text(bed, "A0%s", bed->user + 1); // the first user's
    flow_control(bed, "SetUser", "user_id=%s name=other card_no=%s plate_no=%s", bed->other_user, bed->other_card,
                 plate);
    run_activity(bed, "litres", LIMIT "activity.quota_unit=3 quota_each=3000 quota_by=2 quota_daily=true");
    const quote_message *made = quote(bed, &trades[0], FUEL_200, "");
    assert_int_equal(made->n_degraded_sources, 0);
    assert_int_equal(best(made), LIST_200);
    assert_int_equal(made->combinations[0]->n_quotas, 1);
    assert_int_equal(made->combinations[0]->quotas[0]->quantity, LITRES_200);
    quote_for_other(bed, &trades[1]);
    int won = won_by(bed, trades);
    trades[won].payable = LIST_200;
    pay(bed, &trades[won]);
    assert_int_equal(quota(bed, &trades[won], "use"), LITRES_200);
}

// [A80] a limit of each card: two users who have one card between them share it, at the same time, too; who has another
// card has a limit of their own
static void test_a_limit_is_each_card_s(struct flow_bed *bed) {
    struct flow_trade trades[2] = {{.version = 0}, {.version = 0}}, own = {0}, refused = {0};
    run_activity(bed, "carded", LIMIT "activity.quota_unit=3 quota_each=3000 quota_by=1 quota_daily=true");
    flow_control(bed, "SetUser", "user_id=%s name=other card_no=%s plate_no=", bed->other_user, bed->card);
    const quote_message *made = quote(bed, &trades[0], FUEL_200, "");
    assert_int_equal(made->combinations[0]->quotas[0]->quantity, LITRES_200);
    quote_for_other(bed, &trades[1]);
    int won = won_by(bed, trades);
    flow_control(bed, "SetUser", "user_id=%s name=other card_no=%s plate_no=", bed->other_user, bed->other_card);
    quote_for_other(bed, &own);
    flow_order(bed, &own, "");
    assert_int_equal(quota(bed, &own, "lock"), LITRES_200);
    trades[won].payable = LIST_200;
    pay(bed, &trades[won]);
    assert_int_equal(quota(bed, &trades[won], "use"), LITRES_200);
    quote(bed, &refused, FUEL_200, ""); // the card's, whoever comes with it
    flow_refused(bed, "BENEFIT_UNAVAILABLE", "PlaceOrder", "trade_no=%s quote_version=1", refused.no);
}

// A benefit that each card has once: shown to who comes with a card that has it left, and not to who has used it.
static void test_a_benefit_is_each_card_s(struct flow_bed *bed) {
    struct flow_trade trade = {0}, other = {0};
    run_activity(bed, "carded", OFF(1000) TIMES "quota_each=1 quota_by=1");
    assert_int_equal(best(quote(bed, &trade, FUEL_200, "")), LIST_200 - 1000);
    flow_order(bed, &trade, "");
    flow_control(bed, "SetUser", "user_id=%s name=other card_no=%s plate_no=", bed->other_user, bed->card);
    assert_int_equal(best(quote_for_other(bed, &other)), LIST_200);
    flow_control(bed, "SetUser", "user_id=%s name=other card_no=%s plate_no=", bed->other_user, bed->other_card);
    assert_int_equal(best(quote_for_other(bed, &other)), LIST_200 - 1000);
    flow_must(bed, "Cancel", "trade_no=%s", trade.no);
    assert_int_equal(best(quote(bed, &other, FUEL_200, "")), LIST_200 - 1000);
}

// [A80] a day's limit is the day's
static void test_the_next_day_has_a_limit_of_its_own(struct flow_bed *bed) {
    struct flow_trade today = {0}, tomorrow = {0};
    run_activity(bed, "litres", LIMIT "activity.quota_unit=3 quota_each=3000 quota_daily=true");
    quote(bed, &today, FUEL_200, "");
    flow_order(bed, &today, "");
    pay(bed, &today);
    quote(bed, &tomorrow, FUEL_200, "");
    flow_refused(bed, "BENEFIT_UNAVAILABLE", "PlaceOrder", "trade_no=%s quote_version=1", tomorrow.no);
    flow_run_for(bed, INT64_C(86400000));
    refund(bed, &today, "whole=true"); // to its own day
    assert_int_equal(quota(bed, &today, "give_back"), LITRES_200);
    quote(bed, &tomorrow, FUEL_200, "");
    flow_order(bed, &tomorrow, "");
    assert_int_equal(quota(bed, &tomorrow, "lock"), LITRES_200);
}

// [A30] a lock whose answer is lost is found by asking
static void test_a_lock_of_quota_whose_answer_is_lost_is_found_by_asking(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    run_once_a_day(bed);
    quote(bed, &trade, FUEL_200, "");
    flow_fault(bed, FAULT(NO_ANSWER), "discount", "LockQuota", "count=1");
    flow_order(bed, &trade, "");
    assert_int_equal(flow_effects(bed, "discount", trade.no, "LockQuota", EFFECT(APPLIED)), 1);
    pay(bed, &trade);
    assert_int_equal(quota(bed, &trade, "use"), 1);
}

// [A13] [S3-49] deducting later holds nothing: quota that another has used meanwhile is a shortfall of what it took
// off, the trade stays paid, and a refund does not give back what was never used
static void test_quota_that_is_gone_is_a_shortfall(struct flow_bed *bed) {
    struct flow_trade later = {0}, first = {0};
    run_once_a_day(bed);
    run_activity(bed, "free", OFF(100) "activity.stacks=true");
    quote(bed, &later, FUEL_200, "");
    quote(bed, &first, FUEL_200, "");
    flow_order(bed, &later, "mode=2");
    assert_int_equal(flow_ledger(bed, "discount", later.no, NULL).n, 0);
    flow_order(bed, &first, "");
    pay(bed, &first);
    pay(bed, &later);
    const Txcenter__Trade__V1__Trade *found = flow_get(bed, later.no);
    assert_int_equal(found->n_shortfalls, 1);
    assert_string_equal(found->shortfalls[0]->what, "quota");
    assert_string_equal(found->shortfalls[0]->reason, "QUOTA_EXHAUSTED");
    assert_int_equal(found->shortfalls[0]->amount->minor_units, 1000);
    refund(bed, &later, "whole=true");
    assert_state(bed, &later, TRADE(REFUNDED));
    assert_int_equal(quota(bed, &later, "give_back"), 0);
}

// [S3-49] what is still there when it is paid is used without having been locked, and comes back
static void test_quota_is_used_later_without_a_lock(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    run_once_a_day(bed);
    quote(bed, &trade, FUEL_200, "");
    flow_order(bed, &trade, "mode=2");
    pay(bed, &trade);
    assert_int_equal(quota(bed, &trade, "lock"), 0);
    assert_int_equal(quota(bed, &trade, "use"), 1);
    assert_int_equal(flow_get(bed, trade.no)->n_shortfalls, 0);
    refund(bed, &trade, "whole=true");
    assert_int_equal(quota(bed, &trade, "give_back"), 1);
}

// [A38] [E8] an operator's end of the order's saga leaves no quota locked, before it is paid and after
static void test_a_terminated_order_leaves_no_quota_locked(struct flow_bed *bed) {
    struct flow_trade unpaid = {0}, paid = {0};
    run_once_a_day(bed);
    quote(bed, &unpaid, FUEL_200, "");
    flow_order(bed, &unpaid, "");
    flow_must(bed, "Terminate", "gid=%s/1 reason=table", unpaid.no);
    flow_until_still(bed, &unpaid);
    assert_nothing_held(bed, &unpaid);
    bed->not_compared = true; // what follows a payment never came
    assert_int_equal(best(quote(bed, &paid, FUEL_200, "")), LIST_200 - 1000);
    flow_order(bed, &paid, "");
    flow_fault(bed, FAULT(REJECT), "discount", "UseQuota", "code=NO");
    flow_pay(bed, &paid);
    flow_payer_pays(bed, flow_tender_no(bed, &paid, 1, 0));
    flow_until_parked(bed, &paid, 1);
    assert_state(bed, &paid, TRADE(PAID));
    flow_refused(bed, "SAGA_STATE", "Skip", "gid=%s/1 step=use_quota reason=table", paid.no);
    flow_must(bed, "Terminate", "gid=%s/1 reason=table", paid.no);
    flow_clear_faults(bed);
    refund(bed, &paid, "whole=true");
    assert_int_equal(quota(bed, &paid, "use"), 0);
    assert_nothing_held(bed, &paid);
}

static const struct flow_case cases[] = {
    CASE(test_an_activity_makes_it_cheaper_up_to_its_cap),
    CASE(test_activities_stack_or_the_best_is_taken),
    CASE(test_fuel_makes_goods_cheaper),
    CASE(test_the_engine_may_answer_with_amounts),
    CASE(test_the_members_level_makes_it_cheaper),
    CASE(test_a_quote_without_them_is_degraded),
    VIRTUAL(test_what_is_asked_again_has_the_rest_of_the_quotes_time),
    CASE(test_an_order_uses_the_kept_price_though_the_activity_has_changed),
    CASE(test_an_activity_is_forced_or_excluded),
    CASE(test_tenders_that_the_combination_does_not_allow_are_refused),
    CASE(test_what_depends_on_the_tender_follows_how_it_is_paid),
    CASE(test_what_is_bought_is_priced_as_of_when),
    CASE(test_quota_is_locked_used_and_given_back),
    CASE(test_quota_of_an_order_that_comes_to_nothing_is_unlocked),
    CASE(test_of_two_that_race_for_the_last_quota_one_wins),
    CASE(test_of_two_that_race_for_a_daily_limit_one_wins),
    CASE(test_a_limit_is_each_card_s),
    CASE(test_a_benefit_is_each_card_s),
    VIRTUAL(test_the_next_day_has_a_limit_of_its_own),
    CASE(test_a_lock_of_quota_whose_answer_is_lost_is_found_by_asking),
    CASE(test_quota_that_is_gone_is_a_shortfall),
    CASE(test_quota_is_used_later_without_a_lock),
    CASE(test_a_terminated_order_leaves_no_quota_locked),
};

CASES(discount);
