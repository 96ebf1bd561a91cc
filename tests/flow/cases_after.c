// After the watershed: what must follow, what may follow later, and what an operator does. Nothing of it ever takes the
// payment back.
#include "tests/flow/cases.h"
#include "tests/flow/virtual.h"

// Everything that follows a payment with benefits.
struct follower {
    const char *system, *method;
};

static const struct follower core[] = {{"order", "MarkPaid"}, {"coupon", "UseCoupons"}, {"points", "DeductPoints"}};
static const struct follower later[] = {
    {"points", "AwardPoints"},     {"coupon", "IssueCoupons"},   {"settlement", "RecordTrade"}, {"push", "Push"},
    {"level", "ReportGrowth"},     {"marketing", "RecordTrade"}, {"invoice", "IssueInvoice"},   {"notify", "Send"},
    {"activity", "EvaluateTrade"}, {"os", "SyncOrder"},
};
enum { N_CORE = 3, N_LATER = sizeof later / sizeof later[0] };

static void fault_all(struct flow_bed *bed, const struct follower *list, size_t n, int kind, const char *more) {
    for (size_t i = 0; i < n; i++)
        flow_fault(bed, kind, list[i].system, list[i].method, more);
}

static void assert_applied(struct flow_bed *bed, const struct flow_trade *trade, const struct follower *list, size_t n,
                           int64_t times) {
    for (size_t i = 0; i < n; i++)
        if (flow_effects(bed, list[i].system, trade->no, list[i].method, EFFECT(APPLIED)) != times)
            fail_msg("%s has not been applied %d times", list[i].method, (int)times);
}

// Everything has followed, once.
static void assert_followed(struct flow_bed *bed, const struct flow_trade *trade) {
    assert_state(bed, trade, TRADE(COMPLETED));
    assert_applied(bed, trade, core, N_CORE, 1);
    assert_applied(bed, trade, later, N_LATER, 1);
    assert_int_equal(flow_ledger(bed, "order", trade->no, "paid").amount, BEST_200);
    assert_int_equal(flow_ledger(bed, "coupon", trade->no, "use").n, BEST_200_COUPONS);
    assert_int_equal(flow_ledger(bed, "points", trade->no, "deduct").points, BEST_200_POINTS);
    assert_int_equal(flow_ledger(bed, "points", trade->no, "award").points, BEST_200 / 100);
    assert_int_equal(flow_ledger(bed, "coupon", trade->no, "issue").n, 1);
    assert_int_equal(flow_ledger(bed, "settlement", trade->no, "record").amount, 0);
    assert_true(flow_ledger(bed, "settlement", trade->no, "record").n >= 4);
    assert_int_equal(flow_ledger(bed, "push", trade->no, "push").n, 1);
    assert_int_equal(flow_ledger(bed, "level", trade->no, "grow").points, BEST_200 / 100);
    assert_int_equal(flow_ledger(bed, "marketing", trade->no, "record").amount, BEST_200);
    assert_int_equal(flow_ledger(bed, "marketing", trade->no, "benefit").amount, LIST_200 - BEST_200);
    assert_int_equal(flow_ledger(bed, "invoice", trade->no, "record").amount, BEST_200);
    assert_int_equal(flow_ledger(bed, "notify", trade->no, "notify").n, 1);
    assert_int_equal(flow_ledger(bed, "os", trade->no, "sync").n, 1);
    assert_int_equal(flow_get(bed, trade->no)->points_awarded, BEST_200 / 100);
}

// Nothing was taken back, wherever the trade got stuck.
static void assert_not_rolled_back(struct flow_bed *bed, const struct flow_trade *trade) {
    static const struct follower back[] = {
        {"order", "close"}, {"coupon", "unlock"}, {"points", "unfreeze"}, {"payment", "refunded"}};
    for (size_t i = 0; i < sizeof back / sizeof back[0]; i++)
        assert_int_equal(flow_ledger(bed, back[i].system, trade->no, back[i].method).n, 0);
    assert_tender(bed, trade, 1, 0, TENDER(PAID));
}

static void paid(struct flow_bed *bed, struct flow_trade *trade) {
    flow_ordered(bed, trade);
    flow_pay(bed, trade);
    flow_payer_pays(bed, flow_tender_no(bed, trade, 1, 0));
}

// [S3-30] [S3-33] [S3-34] [S3-35] [S3-37] [S3-38] [S3-39] [S3-40] [S3-41] [S3-51] benefits are used, the order
// is marked, points are awarded, a coupon is issued, growth and activities follow, an invoice is made, and settlement,
// marketing, screens, user and stations are told
static void test_everything_follows_a_payment_once(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_ordered(bed, &trade);
    // Frozen before there is any payment, so that the callback can't lack them.
    assert_int_equal(flow_ledger(bed, "points", trade.no, "freeze").points, BEST_200_POINTS);
    flow_pay(bed, &trade);
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 0));
    flow_until_still(bed, &trade);
    assert_followed(bed, &trade);
    assert_history(bed, &trade, "CREATED QUOTED ORDERING ORDERED PAYING PAID COMPLETED");
}

// Every system but user, fuel, order and payment.
static const char *const others[] = {"goods",      "card", "discount", "coupon", "points",   "level", "marketing",
                                     "settlement", "push", "invoice",  "notify", "activity", "os"};
enum { N_OTHERS = sizeof others / sizeof others[0] };

// [S3-42] [S3-25] [S3-26] [S3-27] [S3-28] user, fuel, order and payment alone complete a refuelling
static void test_the_four_core_systems_complete_a_refuelling(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    for (size_t i = 0; i < N_OTHERS; i++)
        flow_fault(bed, FAULT(DOWN), others[i], "*", "");
    assert_int_equal(flow_quote(bed, &trade, FUEL_200, "")->n_degraded_sources, 4);
    flow_order(bed, &trade, "accept_degraded=true");
    assert_int_equal(trade.payable, LIST_200);
    flow_pay(bed, &trade);
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 0));
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    assert_applied(bed, &trade, later, N_LATER, 0);
    flow_clear_faults(bed);
    flow_until_still(bed, &trade);
    assert_applied(bed, &trade, later, N_LATER, 1);
}

// [S3-42] [A32] [S3-14] each other system by itself is down from the quote on: the refuelling completes, and what was
// to follow does when it is back
static void test_without_any_one_other_system_a_refuelling_completes(struct flow_bed *bed) {
    for (size_t i = 0; i < N_OTHERS; i++) {
        struct flow_trade trade = {0};
        flow_fault(bed, FAULT(DOWN), others[i], "*", "");
        flow_quote(bed, &trade, FUEL_200, "exclude_points=true");
        flow_order(bed, &trade, "accept_degraded=true");
        flow_pay(bed, &trade);
        flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 0));
        flow_until_state(bed, &trade, TRADE(COMPLETED));
        for (size_t k = 0; k < N_LATER; k++)
            if (strcmp(later[k].system, others[i]) == 0)
                assert_applied(bed, &trade, &later[k], 1, 0);
        flow_clear_faults(bed);
        flow_until_still(bed, &trade);
        assert_applied(bed, &trade, later, N_LATER, 1);
        flow_must(bed, "Refund", "trade_no=%s whole=true", trade.no);
        flow_until_still(bed, &trade);
    }
}

// [S3-42] without the order system, or without the gateway, nothing can be bought, and nothing is held
static void test_without_order_system_or_gateway_nothing_can_be_bought(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    flow_quote(bed, &trade, FUEL_200, "");
    flow_fault(bed, FAULT(DOWN), "order", "*", "");
    flow_refused(bed, "ORDER_REFUSED", "PlaceOrder", "trade_no=%s quote_version=1", trade.no);
    flow_clear_faults(bed);
    flow_until_state(bed, &trade, TRADE(FAILED));
    flow_until_still(bed, &trade);
    assert_nothing_held(bed, &trade);
    flow_ordered(bed, &trade);
    flow_fault(bed, FAULT(DOWN), "payment", "*", "");
    flow_ask(bed, "Pay", "trade_no=%s wait_for=2 wait_ms=2000 %s", trade.no,
             flow_tenders(bed, 1, KIND(WECHAT), BEST_200, "payer"));
    assert_int_equal(flow_get(bed, trade.no)->paid->minor_units, 0);
    assert_int_equal(flow_ledger(bed, "payment", trade.no, NULL).n, 0);
}

// [A32] [S3-14] [S3-15] [S3-62] with every non-core system down the trade completes; each step is tried again until it
// is done
static void test_with_every_non_core_system_down_the_trade_completes(struct flow_bed *bed) {
    struct flow_trade trade;
    fault_all(bed, later, N_LATER, FAULT(DOWN), "");
    paid(bed, &trade);
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    assert_applied(bed, &trade, later, N_LATER, 0);
    flow_run_for(bed, bed->ops->virtual_time ? 3600000 : 1500);
    assert_state(bed, &trade, TRADE(COMPLETED));
    assert_applied(bed, &trade, later, N_LATER, 0);
    flow_crash_center(bed); // what is still to be done is not forgotten
    flow_clear_faults(bed);
    flow_until_still(bed, &trade);
    assert_followed(bed, &trade);
}

// [S3-60] [S3-61] [S3-62] core steps after the watershed are driven on until they are done; the trade is PAID meanwhile
static void test_core_steps_after_the_watershed_are_driven_until_they_are_done(struct flow_bed *bed) {
    struct flow_trade trade;
    fault_all(bed, core, N_CORE, FAULT(DOWN), "");
    paid(bed, &trade);
    flow_until_state(bed, &trade, TRADE(PAID));
    flow_run_for(bed, bed->ops->virtual_time ? 300000 : 1000);
    assert_state(bed, &trade, TRADE(PAID));
    assert_not_rolled_back(bed, &trade);
    flow_refused(bed, "ALREADY_PAID", "PlaceOrder", "trade_no=%s quote_version=1", trade.no);
    flow_clear_faults(bed);
    flow_until_still(bed, &trade);
    assert_followed(bed, &trade);
}

// [A33] [A30] [S3-19] whichever answer is lost, each is done once
static void test_lost_answers_after_the_watershed_double_nothing(struct flow_bed *bed) {
    struct flow_trade trade;
    fault_all(bed, core, N_CORE, FAULT(NO_ANSWER), "count=1");
    fault_all(bed, later, N_LATER, FAULT(NO_ANSWER), "count=1");
    paid(bed, &trade);
    flow_until_still(bed, &trade);
    assert_followed(bed, &trade);
}

// [A33] [A30] each request arrives after its caller gave up, and beside the one that was sent instead
static void test_requests_that_arrive_late_double_nothing(struct flow_bed *bed) {
    struct flow_trade trade;
    const char *late = bed->ops->virtual_time ? "count=2 delay_ms=20000" : "count=2 delay_ms=1300";
    fault_all(bed, core, N_CORE, FAULT(DELAY), late);
    fault_all(bed, later, N_LATER, FAULT(DELAY), late);
    paid(bed, &trade);
    flow_until_still(bed, &trade);
    flow_run_for(bed, bed->ops->virtual_time ? 60000 : 1500);
    assert_followed(bed, &trade);
}

// [A33] transient errors of every kind, several times
static void test_errors_that_pass_are_tried_again(struct flow_bed *bed) {
    static const int kinds[] = {FAULT(UNAVAILABLE), FAULT(ERROR), FAULT(DOWN)};
    struct flow_trade trade;
    for (size_t i = 0; i < 3; i++) {
        fault_all(bed, core, N_CORE, kinds[i], "count=2");
        fault_all(bed, later, N_LATER, kinds[i], "count=2");
    }
    paid(bed, &trade);
    flow_until_still(bed, &trade);
    assert_followed(bed, &trade);
}

static const char *parked_gid(struct flow_bed *bed, const struct flow_trade *trade) {
    const Txcenter__Saga__V1__ListSagasResponse *page =
        flow_must(bed, "ListSagas", "filter.subject=%s filter.parked=true", trade->no);
    return page->n_sagas == 1 ? page->sagas[0]->gid : NULL;
}

struct parked {
    const struct flow_trade *trade;
    size_t steps;
    const char *reason; // NULL: any
};

static bool steps_are_parked(struct flow_bed *bed, const void *ctx) {
    const struct parked *parked = ctx;
    const char *gid = parked_gid(bed, parked->trade);
    size_t n = 0;
    if (!gid)
        return false;
    const Txcenter__Saga__V1__GetSagaResponse *found = flow_must(bed, "GetSaga", "gid=%s", gid);
    for (size_t i = 0; i < found->saga->n_steps; i++) {
        const Txcenter__Saga__V1__Step *step = found->saga->steps[i];
        n += step->state == TXCENTER__SAGA__V1__STEP_STATE__STEP_STATE_PARKED &&
             (!parked->reason || strcmp(step->reason, parked->reason) == 0);
    }
    return n == parked->steps;
}

static void until_parked(struct flow_bed *bed, const struct flow_trade *trade, size_t steps, const char *reason) {
    struct parked parked = {trade, steps, reason};
    flow_until(bed, steps_are_parked, &parked, flow_text(bed, "%zu steps must be parked", steps));
}

struct applied {
    const struct flow_trade *trade;
    const struct follower *follower;
};

static bool is_applied(struct flow_bed *bed, const void *ctx) {
    const struct applied *applied = ctx;
    const struct follower *follower = applied->follower;
    return flow_effects(bed, follower->system, applied->trade->no, follower->method, EFFECT(APPLIED)) == 1;
}

static void until_applied(struct flow_bed *bed, const struct flow_trade *trade, const struct follower *follower) {
    struct applied applied = {trade, follower};
    flow_until(bed, is_applied, &applied, follower->method);
}

// [A34] [A32] [S3-16] [S3-17] each core step is refused: parked for an operator, counted, nothing is rolled back; tried
// again by hand it goes through
static void test_a_core_step_that_is_refused_waits_for_an_operator(struct flow_bed *bed) {
    struct flow_trade trade;
    int64_t before = flow_stat(bed, "sagas.parked");
    fault_all(bed, core, N_CORE, FAULT(REJECT), "count=1 code=NOT_NOW");
    paid(bed, &trade);
    until_parked(bed, &trade, N_CORE, "NOT_NOW");
    assert_int_equal(flow_stat(bed, "sagas.parked"), before + N_CORE);
    assert_state(bed, &trade, TRADE(PAID));
    assert_not_rolled_back(bed, &trade);
    assert_applied(bed, &trade, later, N_LATER, 0);
    flow_crash_center(bed);
    assert_state(bed, &trade, TRADE(PAID));
    flow_retry_parked(bed, &trade);
    flow_until_still(bed, &trade);
    assert_followed(bed, &trade);
}

// [A34] [A32] [S3-17] what may follow later and is refused waits for an operator too; the trade is complete meanwhile
static void test_a_later_step_that_is_refused_waits_for_an_operator(struct flow_bed *bed) {
    struct flow_trade trade;
    fault_all(bed, later, N_LATER, FAULT(REJECT), "count=1 code=NOT_NOW");
    paid(bed, &trade);
    until_parked(bed, &trade, N_LATER, "NOT_NOW");
    assert_state(bed, &trade, TRADE(COMPLETED));
    assert_not_rolled_back(bed, &trade);
    flow_retry_parked(bed, &trade);
    flow_until_still(bed, &trade);
    assert_followed(bed, &trade);
}

// [A32] one later step that is refused does not hold up the others
static void test_one_later_step_does_not_hold_up_the_others(struct flow_bed *bed) {
    for (size_t i = 0; i < N_LATER; i++) {
        struct flow_trade trade;
        flow_fault(bed, FAULT(REJECT), later[i].system, later[i].method, "count=1 code=NOT_NOW");
        flow_ordered_bare(bed, &trade);
        flow_pay(bed, &trade);
        flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 0));
        flow_until_state(bed, &trade, TRADE(COMPLETED));
        until_parked(bed, &trade, 1, "NOT_NOW");
        for (size_t k = 0; k < N_LATER; k++)
            if (k != i)
                until_applied(bed, &trade, &later[k]);
        assert_applied(bed, &trade, &later[i], 1, 0);
        flow_retry_parked(bed, &trade);
        flow_until_still(bed, &trade);
        assert_applied(bed, &trade, later, N_LATER, 1);
    }
}

// [A32] [A34] who stays away for longer than anybody waits is parked, and can be called back by hand
static void test_who_stays_away_too_long_is_parked(struct flow_bed *bed) {
    struct flow_trade trade;
    fault_all(bed, core, N_CORE, FAULT(DOWN), "");
    fault_all(bed, later, N_LATER, FAULT(NO_ANSWER), "");
    paid(bed, &trade);
    until_parked(bed, &trade, N_CORE, NULL);
    assert_state(bed, &trade, TRADE(PAID));
    assert_not_rolled_back(bed, &trade);
    for (size_t i = 0; i < N_CORE; i++)
        flow_control(bed, "ClearFaults", "system=%s", core[i].system);
    fault_all(bed, later, N_LATER, FAULT(NO_ANSWER), "");
    flow_retry_parked(bed, &trade);
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    until_parked(bed, &trade, N_LATER, NULL);
    flow_clear_faults(bed);
    flow_retry_parked(bed, &trade);
    flow_until_still(bed, &trade);
    assert_followed(bed, &trade);
}

// [S3-17] a retry by hand that comes twice, or when nothing waits, changes nothing
static void test_a_retry_by_hand_fits_or_is_refused(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_fault(bed, FAULT(REJECT), "settlement", "RecordTrade", "count=1 code=SHIFT_CLOSED");
    paid(bed, &trade);
    until_parked(bed, &trade, 1, "SHIFT_CLOSED");
    const char *gid = parked_gid(bed, &trade);
    for (int i = 0; i < 2; i++)
        flow_must(bed, "Retry", "gid=%s reason=the~shift~is~open request_id=%s-again", gid, trade.no);
    flow_refused(bed, "IDEMPOTENCY_KEY_REUSED", "Retry", "gid=%s reason=other request_id=%s-again", gid, trade.no);
    flow_until_still(bed, &trade);
    flow_refused(bed, "SAGA_STATE", "Retry", "gid=%s reason=once~more", gid);
    assert_followed(bed, &trade);
}

static const struct flow_case cases[] = {
    CASE(test_everything_follows_a_payment_once),
    CASE(test_the_four_core_systems_complete_a_refuelling),
    CASE(test_without_any_one_other_system_a_refuelling_completes),
    CASE(test_without_order_system_or_gateway_nothing_can_be_bought),
    CASE(test_with_every_non_core_system_down_the_trade_completes),
    CASE(test_core_steps_after_the_watershed_are_driven_until_they_are_done),
    CASE(test_lost_answers_after_the_watershed_double_nothing),
    CASE(test_requests_that_arrive_late_double_nothing),
    CASE(test_errors_that_pass_are_tried_again),
    CASE(test_a_core_step_that_is_refused_waits_for_an_operator),
    CASE(test_a_later_step_that_is_refused_waits_for_an_operator),
    CASE(test_one_later_step_does_not_hold_up_the_others),
    VIRTUAL(test_who_stays_away_too_long_is_parked),
    CASE(test_a_retry_by_hand_fits_or_is_refused),
};

CASES(after);
