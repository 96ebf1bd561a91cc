// Quotes: what is kept, what an order may use of it, and what the sources may do.
#include "flows/trade/internal.h"
#include "tests/flow/cases.h"
#include "tests/flow/virtual.h"

typedef Txcenter__Trade__V1__Quote quote_message;

static int64_t payable_of(const quote_message *quote, size_t i) {
    return quote->combinations[i]->payable->minor_units;
}

// [A1] [S3-4] [S3-44] the quote is kept under the trade's number, with its expiry and a hash of its input, before it is
// answered
static void test_a_quote_is_kept_as_it_was_answered(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    const quote_message *quote = flow_quote(bed, &trade, FUEL_200, "");
    assert_int_equal(quote->version, 1);
    assert_int_equal(quote->list_price->minor_units, LIST_200);
    assert_int_equal(payable_of(quote, 0), BEST_200);
    assert_int_equal(quote->combinations[0]->n_coupon_ids, BEST_200_COUPONS);
    assert_int_equal(quote->combinations[0]->points, BEST_200_POINTS);
    assert_int_equal(quote->expires_at->seconds - quote->created_at->seconds, 900);
    flow_crash_center(bed);
    const Txcenter__Trade__V1__Trade *kept = flow_get(bed, trade.no);
    assert_int_equal(kept->state, TRADE(QUOTED));
    assert_int_equal(protobuf_c_message_get_packed_size(&kept->quote->base),
                     protobuf_c_message_get_packed_size(&quote->base));
    assert_int_equal(kept->quote->n_combinations, quote->n_combinations);
    assert_int_equal(kept->quote->expires_at->seconds, quote->expires_at->seconds);
    assert_string_equal(kept->quote->input_hash, quote->input_hash);
    assert_string_equal(kept->order_no, "");
    struct flow_trade same = {0}, other = {0};
    char hash[65];
    assert_int_equal(strlen(quote->input_hash), 64);
    memcpy(hash, quote->input_hash, sizeof hash);
    assert_string_equal(flow_quote(bed, &same, FUEL_200, "")->input_hash, hash);
    assert_string_not_equal(flow_quote(bed, &other, FUEL_200, "exclude_points=true")->input_hash, hash);
}

static void test_no_benefit_is_always_among_the_combinations(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    const quote_message *quote = flow_quote(bed, &trade, FUEL_200, "max_combinations=1");
    const Txcenter__Trade__V1__Combination *last = quote->combinations[quote->n_combinations - 1];
    assert_int_equal(last->payable->minor_units, LIST_200);
    assert_int_equal(last->n_coupon_ids, 0);
    assert_int_equal(last->points, 0);
}

// [A2] an order uses the kept quote though the price, the coupons' rules and the points have changed since
static void test_an_order_uses_the_kept_quote_though_the_price_has_changed(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    flow_quote(bed, &trade, "lines[0].fuel.oil_code=0# lines[0].fuel.volume_centi=3000", "");
    const quote_message *quote = flow_get(bed, trade.no)->quote;
    int64_t price = quote->lines[0]->unit_price->minor_units, payable = payable_of(quote, 0);
    flow_control(bed, "SetOilPrice", "station_id=S001 oil_code=0# name=0~diesel unit_price=CNY%d", (int)price * 2);
    flow_order(bed, &trade, "");
    assert_int_equal(trade.payable, payable);
    flow_control(bed, "SetOilPrice", "station_id=S001 oil_code=0# name=0~diesel unit_price=CNY%d", (int)price);
}

// [A3] an expired quote is refused; there is never a silent new price
static void test_an_expired_quote_must_be_made_again(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    flow_quote(bed, &trade, FUEL_200, "");
    flow_run_for(bed, 2100);
    flow_refused(bed, "QUOTE_EXPIRED", "PlaceOrder", "trade_no=%s quote_version=1", trade.no);
    assert_state(bed, &trade, TRADE(QUOTED));
    flow_quote(bed, &trade, FUEL_200, "");
    assert_int_equal(trade.version, 2);
    flow_order(bed, &trade, "");
}

// [A4] [S3-43] each edit is a new version, and only the newest can be ordered
static void test_each_edit_makes_a_new_version_that_kills_the_old_one(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    flow_quote(bed, &trade, FUEL_200, "");
    flow_quote(bed, &trade, "lines[0].fuel.oil_code=92# lines[0].fuel.amount=CNY10000", "");
    flow_quote(bed, &trade, "lines[0].fuel.oil_code=95# lines[0].fuel.amount=CNY10000", "");
    assert_int_equal(trade.version, 3);
    flow_refused(bed, "QUOTE_SUPERSEDED", "PlaceOrder", "trade_no=%s quote_version=1", trade.no);
    flow_refused(bed, "QUOTE_SUPERSEDED", "PlaceOrder", "trade_no=%s quote_version=2", trade.no);
    flow_refused(bed, "QUOTE_NOT_FOUND", "PlaceOrder", "trade_no=%s quote_version=4", trade.no);
    flow_order(bed, &trade, "");
    assert_string_equal(flow_get(bed, trade.no)->quote->lines[0]->code, "95#");
}

static bool offers(const quote_message *quote, const char *coupon_id) {
    for (size_t i = 0; i < quote->n_combinations; i++)
        for (size_t k = 0; k < quote->combinations[i]->n_coupon_ids; k++)
            if (strcmp(quote->combinations[i]->coupon_ids[k], coupon_id) == 0)
                return true;
    return false;
}

// [S3-43] another pump, another amount: the combinations are made anew, each time, of what fits that. At the pump of
// 92# the coupon for 95# is in none, at that of 95# it is offered; 100.00 are too little for the one from 200.00 on.
// Going back to the first pump offers what it did at first
static void test_another_pump_or_amount_makes_new_combinations(struct flow_bed *bed) {
    static const struct {
        const char *fuel;
        int64_t list, best;
        bool for_95, from_200;
    } edits[] = {
        {"lines[0].fuel.oil_code=92# lines[0].fuel.nozzle=1 lines[0].fuel.amount=CNY20000", LIST_200, BEST_200, false,
         true},
        {"lines[0].fuel.oil_code=95# lines[0].fuel.nozzle=2 lines[0].fuel.amount=CNY20000", LIST_200, BEST_200, true,
         true},
        {"lines[0].fuel.oil_code=92# lines[0].fuel.nozzle=1 lines[0].fuel.amount=CNY10000", 10000, 4800, false, false},
        {"lines[0].fuel.oil_code=95# lines[0].fuel.nozzle=2 lines[0].fuel.volume_centi=1000", 8180, 3971, false, false},
        {"lines[0].fuel.oil_code=92# lines[0].fuel.nozzle=1 lines[0].fuel.amount=CNY20000", LIST_200, BEST_200, false,
         true},
    };
    struct flow_trade trade = {0};
    const char *from_200 = flow_text(bed, "K%s-1", bed->user + 1), *for_95 = flow_text(bed, "K%s-4", bed->user + 1);
    for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++) {
        const quote_message *quote = flow_quote(bed, &trade, edits[i].fuel, "max_combinations=10");
        assert_int_equal(quote->version, i + 1);
        assert_int_equal(payable_of(quote, 0), edits[i].best);
        assert_int_equal(payable_of(quote, quote->n_combinations - 1), edits[i].list);
        assert_int_equal(offers(quote, for_95), edits[i].for_95);
        assert_int_equal(offers(quote, from_200), edits[i].from_200);
        // What was offered before is no more, though it has the same number.
        if (i > 0)
            flow_refused(bed, "QUOTE_SUPERSEDED", "PlaceOrder", "trade_no=%s quote_version=%d combination_id=1",
                         trade.no, (int)i);
    }
    flow_refused(bed, "INVALID_REQUEST", "Quote", "trade_no=%s %s %s", trade.no, flow_context(bed),
                 "lines[0].fuel.oil_code=92# lines[0].fuel.nozzle=2 lines[0].fuel.amount=CNY20000");
    flow_order(bed, &trade, "combination_id=1");
    assert_int_equal(trade.payable, BEST_200);
}

// [A5] what the front end showed is compared with the kept quote
static void test_an_amount_that_differs_from_the_quote_is_refused(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    flow_quote(bed, &trade, FUEL_200, "");
    flow_refused(bed, "AMOUNT_MISMATCH", "PlaceOrder", "trade_no=%s quote_version=1 expected_payable=CNY%d", trade.no,
                 BEST_200 - 1);
    flow_refused(bed, "INVALID_REQUEST", "PlaceOrder", "trade_no=%s quote_version=1 expected_payable=USD%d", trade.no,
                 BEST_200);
    flow_order(bed, &trade, flow_text(bed, "expected_payable=CNY%d", BEST_200));
}

// [A6] [S3-48] a coupon that was spent since the quote fails the order that has chosen it, and what was locked is free
static void test_a_coupon_that_was_spent_in_between_is_noticed(struct flow_bed *bed) {
    struct flow_trade first = {0}, second = {0};
    flow_quote(bed, &first, FUEL_200, "");
    flow_quote(bed, &second, FUEL_200, "");
    flow_order(bed, &first, "");
    flow_refused(bed, "BENEFIT_UNAVAILABLE", "PlaceOrder", "trade_no=%s quote_version=1", second.no);
    assert_state(bed, &second, TRADE(FAILED));
    assert_nothing_held(bed, &second);
    const quote_message *quote = flow_quote(bed, &second, FUEL_200, "");
    assert_int_equal(payable_of(quote, 0), LIST_200 - 1000); // the 5 % coupon, which the first has not taken
    flow_order(bed, &second, "");
}

// [A7] [S3-14] [S3-30] without the coupon system the quote is made, and says so
static void test_a_quote_without_the_coupon_system_is_degraded(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    flow_fault(bed, FAULT(DOWN), "coupon", "*", "");
    const quote_message *quote = flow_quote(bed, &trade, FUEL_200, "");
    assert_int_equal(quote->n_degraded_sources, 1);
    assert_string_equal(quote->degraded_sources[0], "coupon");
    assert_int_equal(quote->combinations[0]->n_coupon_ids, 0);
    assert_int_equal(payable_of(quote, 0), LIST_200 - 5000);
    flow_refused(bed, "QUOTE_DEGRADED", "PlaceOrder", "trade_no=%s quote_version=1", trade.no);
    flow_order(bed, &trade, "accept_degraded=true");
}

static void test_a_quote_without_the_points_system_is_degraded(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    flow_fault(bed, FAULT(UNAVAILABLE), "points", "*", "");
    const quote_message *quote = flow_quote(bed, &trade, FUEL_200, "");
    assert_int_equal(quote->n_degraded_sources, 1);
    assert_string_equal(quote->degraded_sources[0], "points");
    assert_int_equal(quote->combinations[0]->points, 0);
    assert_int_equal(payable_of(quote, 0), LIST_200 - 2500);
}

static void test_a_source_that_is_slower_than_the_budget_is_left_out(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    flow_fault(bed, FAULT(DELAY), "points", "GetPoints", "delay_ms=5000");
    int64_t begun_ms = flow_now(bed);
    const quote_message *quote = flow_quote(bed, &trade, FUEL_200, "");
    assert_int_equal(quote->n_degraded_sources, 1);
    assert_true(flow_now(bed) - begun_ms < 4000);
}

// [S3-25] [S3-26] the user and the fuel system are core: without one of them there is no quote, and no trade
static void test_a_core_source_that_is_down_fails_the_quote(struct flow_bed *bed) {
    static const char *const systems[] = {"user", "oil"};
    for (size_t i = 0; i < 2; i++) {
        flow_fault(bed, FAULT(DOWN), systems[i], "*", "");
        flow_refused(bed, "PRICE_UNAVAILABLE", "Quote", "%s " FUEL_200, flow_context(bed));
        flow_clear_faults(bed);
    }
    const Txcenter__Trade__V1__ListTradesResponse *list = flow_must(bed, "ListTrades", "filter.user_id=%s", bed->user);
    assert_int_equal(list->n_trades, 0);
}

static void test_who_may_not_buy_gets_no_quote(struct flow_bed *bed) {
    static const char context[] = "context.tenant_id=T001 context.station_id=S001 " FUEL_200;
    flow_refused(bed, "USER_NOT_ALLOWED", "Quote", "context.user_id=U0003 %s", context);
    flow_refused(bed, "USER_NOT_ALLOWED", "Quote", "context.user_id=nobody %s", context);
}

static void test_fuel_that_the_station_does_not_sell_is_a_bad_request(struct flow_bed *bed) {
    flow_refused(bed, "INVALID_REQUEST", "Quote", "%s lines[0].fuel.oil_code=77# lines[0].fuel.amount=CNY100",
                 flow_context(bed));
    flow_refused(bed, "INVALID_REQUEST", "Quote",
                 "%s lines[0].fuel.oil_code=92# lines[0].fuel.nozzle=4 lines[0].fuel.amount=CNY100", flow_context(bed));
}

// [A8] [S3-5] [S3-13] the sources are asked at the same time: a quote takes as long as the slowest
static void test_the_sources_of_a_quote_are_asked_in_parallel(struct flow_bed *bed) {
    static const char *const methods[][2] = {
        {"user", "GetUser"}, {"oil", "GetPrice"}, {"coupon", "ListUsableCoupons"}, {"points", "GetPoints"}};
    for (size_t i = 0; i < 4; i++)
        flow_fault(bed, FAULT(DELAY), methods[i][0], methods[i][1], flow_text(bed, "delay_ms=%d", 100 + 50 * (int)i));
    struct flow_trade trade = {0};
    int64_t begun_ms = flow_now(bed);
    const quote_message *quote =
        flow_quote(bed, &trade, FUEL_200 " lines[1].fuel.oil_code=95# lines[1].fuel.amount=CNY10000", "");
    assert_int_equal(quote->n_degraded_sources, 0);
    int64_t took_ms = flow_now(bed) - begun_ms;
    assert_true(took_ms >= 250);
    assert_true(took_ms <= (bed->ops->virtual_time ? 256 : 500)); // one after the other: 950
}

// [A9] [S3-23] [S3-46] quoting again and again never touches the order system, and makes no order number
static void test_quoting_never_touches_the_order_system(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    int64_t before = flow_calls(bed, "order");
    for (int i = 0; i < 5; i++)
        flow_quote(bed, &trade, FUEL_200, "");
    assert_int_equal(flow_calls(bed, "order"), before);
    assert_string_equal(flow_get(bed, trade.no)->order_no, "");
    assert_int_equal(flow_effects(bed, "coupon", trade.no, "LockCoupons", EFFECT(APPLIED)), 0);
}

// The chosen combination can be any of the kept ones.
static void test_any_kept_combination_can_be_ordered(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    const quote_message *quote = flow_quote(bed, &trade, FUEL_200, "");
    for (size_t i = 0; i < quote->n_combinations; i++) {
        struct flow_trade other = {0};
        flow_quote(bed, &other, FUEL_200, "");
        flow_order(bed, &other, flow_text(bed, "combination_id=%s", quote->combinations[i]->combination_id));
        assert_int_equal(other.payable, payable_of(quote, i));
        flow_must(bed, "Cancel", "trade_no=%s", other.no);
    }
    flow_refused(bed, "COMBINATION_UNKNOWN", "PlaceOrder", "trade_no=%s quote_version=1 combination_id=99", trade.no);
}

// [A77] what the caller forces is in every combination but that without benefits; what is not the user's is refused
static void test_a_forced_coupon_is_used_and_a_foreign_one_refused(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    const char *second = flow_text(bed, "K%s-2", bed->user + 1),
               *foreign = flow_text(bed, "K%s-1", bed->other_user + 1);
    const quote_message *quote = flow_quote(bed, &trade, FUEL_200, flow_text(bed, "required_coupon_ids[0]=%s", second));
    bool there = false;
    for (size_t i = 0; i < quote->combinations[0]->n_coupon_ids; i++)
        there = there || strcmp(quote->combinations[0]->coupon_ids[i], second) == 0;
    assert_true(there);
    flow_order(bed, &trade, "");
    flow_refused(bed, "BENEFIT_UNAVAILABLE", "Quote", "%s " FUEL_200 " required_coupon_ids[0]=%s", flow_context(bed),
                 foreign);
}

static void test_excluded_benefits_are_in_no_combination(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    const char *first = flow_text(bed, "K%s-1", bed->user + 1);
    const quote_message *quote =
        flow_quote(bed, &trade, FUEL_200, flow_text(bed, "excluded_coupon_ids[0]=%s exclude_points=true", first));
    for (size_t i = 0; i < quote->n_combinations; i++) {
        assert_int_equal(quote->combinations[i]->points, 0);
        for (size_t k = 0; k < quote->combinations[i]->n_coupon_ids; k++)
            assert_string_not_equal(quote->combinations[i]->coupon_ids[k], first);
    }
}

// [A73] volume and amount must agree with the price to 0.01; the amount that was given rules
static void test_a_pump_amount_may_be_off_by_one_unit_and_no_more(struct flow_bed *bed) {
    // 20.00 l at 7.68 are 153.60
    for (int off = -2; off <= 2; off++) {
        const char *line = flow_text(
            bed, "lines[0].fuel.oil_code=92# lines[0].fuel.volume_centi=2000 lines[0].fuel.amount=CNY%d", 15360 + off);
        if (off < -1 || off > 1) {
            flow_refused(bed, "PUMP_AMOUNT_MISMATCH", "Quote", "%s %s", flow_context(bed), line);
        } else {
            struct flow_trade trade = {0};
            assert_int_equal(flow_quote(bed, &trade, line, "")->list_price->minor_units, 15360 + off);
        }
    }
}

static void test_a_volume_is_priced_and_an_amount_is_measured(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    const quote_message *quote =
        flow_quote(bed, &trade, "lines[0].fuel.oil_code=92# lines[0].fuel.volume_centi=1001", "");
    assert_int_equal(quote->list_price->minor_units, 7688); // 10.01 l at 7.68: 76.8768
    quote = flow_quote(bed, &trade, "lines[0].fuel.oil_code=92# lines[0].fuel.amount=CNY7680", "");
    assert_int_equal(quote->lines[0]->volume_centi, 1000);
}

// A trade keeps what its versions were made from, up to a bound, which leaves room for what it needs itself.
static void test_versions_that_are_too_large_are_refused(struct flow_bed *bed) {
    enum { FAT = 1 << 20 };
    static char fat[FAT];
    struct flow_trade trade = {0};
    flow_quote(bed, &trade, FUEL_200, "");
    struct trades *trades = flow_virtual(bed)->center.trades;
    struct trade *found = CONTAINER_OF(map_find(&trades->resident, str_c(trade.no)), struct trade, node);
    while (trade_has_room(found, FAT))
        trade_keep(found, str_n(fat, FAT));
    flow_quote(bed, &trade, FUEL_200, "");
    while (trade_has_room(found, 1024))
        trade_keep(found, str_n(fat, 1024));
    flow_refused(bed, "OVERLOADED", "Quote", "trade_no=%s %s " FUEL_200, trade.no, flow_context(bed));
    for (int i = 0; i < 15; i++)
        trade_keep(found, str_n(fat, FAT));
    flow_order(bed, &trade, "");
    flow_pay(bed, &trade);
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 0));
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    flow_until_still(bed, &trade);
}

// ---- How much is in memory ------------------------------------------------------------------------------------------

enum { IN_USE = 20 };

// So many that wait for their payers.
static void in_use(struct flow_bed *bed, struct flow_trade trades[IN_USE]) {
    for (int i = 0; i < IN_USE; i++) {
        flow_ordered_bare(bed, &trades[i]);
        flow_pay(bed, &trades[i]);
    }
}

// Those that nobody uses give way, though the oldest are all in use.
static void test_trades_in_use_do_not_hide_those_that_nobody_uses(struct flow_bed *bed) {
    struct trades *trades = flow_virtual(bed)->center.trades;
    struct flow_trade used[IN_USE], quoted = {0};
    in_use(bed, used);
    trades->options.resident_max = 4;
    for (int i = 0; i < 3 * IN_USE; i++) {
        quoted = (struct flow_trade){0};
        flow_quote(bed, &quoted, FUEL_200, "");
    }
    assert_true(trades->resident.count >= IN_USE && trades->resident.count < IN_USE + IN_USE / 2);
    flow_order(bed, &quoted, "");
}

// What trades in memory take is counted by the byte: those that nobody uses give way, and are there when they are
// wanted; where all are in use no quote is added to them, and what was begun goes on.
static void test_trades_in_memory_are_bounded_by_their_bytes(struct flow_bed *bed) {
    enum { FAT = 1 << 20, MOST = 8 * FAT };
    static char fat[FAT];
    struct trades *trades = flow_virtual(bed)->center.trades;
    struct flow_trade first = {0}, trade = {0}, used[IN_USE];
    trades->options.resident_bytes_max = MOST;
    flow_quote(bed, &first, FUEL_200, "");
    for (int i = 0; i < 4 * MOST / FAT; i++) {
        trade = (struct flow_trade){0};
        flow_quote(bed, &trade, FUEL_200, "");
        trade_keep(CONTAINER_OF(map_find(&trades->resident, str_c(trade.no)), struct trade, node), str_n(fat, FAT));
        flow_quote(bed, &trade, FUEL_200, "");
        assert_true(trades->stats.resident_bytes <= MOST + 2 * FAT);
    }
    assert_null(map_find(&trades->resident, str_c(first.no)));
    flow_order(bed, &first, "");
    flow_must(bed, "Cancel", "trade_no=%s", first.no);
    in_use(bed, used);
    trades->options.resident_bytes_max = 1;
    flow_refused(bed, "OVERLOADED", "Quote", "%s " FUEL_200, flow_context(bed));
    for (int i = 0; i < IN_USE; i++) {
        flow_payer_pays(bed, flow_tender_no(bed, &used[i], 1, 0));
        flow_until_state(bed, &used[i], TRADE(COMPLETED));
    }
    trades->options.resident_bytes_max = MOST;
    flow_quote(bed, &trade, FUEL_200, "");
}

static const struct flow_case cases[] = {
    CASE(test_a_quote_is_kept_as_it_was_answered),
    CASE(test_no_benefit_is_always_among_the_combinations),
    CASE(test_an_order_uses_the_kept_quote_though_the_price_has_changed),
    CASE(test_each_edit_makes_a_new_version_that_kills_the_old_one),
    CASE(test_another_pump_or_amount_makes_new_combinations),
    CASE(test_an_amount_that_differs_from_the_quote_is_refused),
    CASE(test_a_coupon_that_was_spent_in_between_is_noticed),
    CASE(test_a_quote_without_the_coupon_system_is_degraded),
    CASE(test_a_quote_without_the_points_system_is_degraded),
    CASE(test_a_source_that_is_slower_than_the_budget_is_left_out),
    CASE(test_a_core_source_that_is_down_fails_the_quote),
    CASE(test_who_may_not_buy_gets_no_quote),
    CASE(test_fuel_that_the_station_does_not_sell_is_a_bad_request),
    CASE(test_the_sources_of_a_quote_are_asked_in_parallel),
    CASE(test_quoting_never_touches_the_order_system),
    CASE(test_any_kept_combination_can_be_ordered),
    CASE(test_a_forced_coupon_is_used_and_a_foreign_one_refused),
    CASE(test_excluded_benefits_are_in_no_combination),
    CASE(test_a_pump_amount_may_be_off_by_one_unit_and_no_more),
    CASE(test_a_volume_is_priced_and_an_amount_is_measured),
    CASE_WITH(test_an_expired_quote_must_be_made_again, .quote_ttl_s = 2),
    VIRTUAL(test_versions_that_are_too_large_are_refused),
    VIRTUAL(test_trades_in_use_do_not_hide_those_that_nobody_uses),
    VIRTUAL(test_trades_in_memory_are_bounded_by_their_bytes),
};

CASES(quote);
