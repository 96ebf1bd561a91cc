// Deaths: of the center and of the participants, at every commit of whole stories. Nothing is lost, nothing is doubled.
#include "tests/flow/cases.h"
#include "tests/flow/virtual.h"

#include <stdio.h>

typedef Txcenter__Trade__V1__Trade trade_message;

// A call over deaths, which must be done in the end.
#define INSIST(bed, method, ...)                                                                                       \
    do {                                                                                                               \
        const struct flow_answer *answer_ = flow_insist((bed), (method), __VA_ARGS__);                                 \
        if (!answer_->message)                                                                                         \
            fail_msg("%s: %s %s", (method), flow_verdict(answer_), answer_->text);                                     \
    } while (0)

static const trade_message *seen(struct flow_bed *bed, const char *trade_no) {
    const struct flow_answer *answer = flow_insist(bed, "GetTrade", "trade_no=%s", trade_no);
    assert_non_null(answer->message);
    return ((const Txcenter__Trade__V1__GetTradeResponse *)(const void *)answer->message)->trade;
}

struct awaited {
    const char *trade_no;
    int state;
};

static bool is_there(struct flow_bed *bed, const void *ctx) {
    const struct awaited *awaited = ctx;
    return (int)seen(bed, awaited->trade_no)->state == awaited->state;
}

static void until(struct flow_bed *bed, const struct flow_trade *trade, int state) {
    struct awaited awaited = {trade->no, state};
    flow_until(bed, is_there, &awaited, "the trade must get there over any death");
}

static bool has_ended(struct flow_bed *bed, const void *ctx) {
    const struct flow_answer *answer =
        flow_insist(bed, "ListSagas", "filter.subject=%s filter.unfinished=true", (const char *)ctx);
    assert_non_null(answer->message);
    return fields_count(answer->message, "sagas") == 0;
}

// There, and with nothing left to do.
static void until_ended(struct flow_bed *bed, const struct flow_trade *trade, int state) {
    until(bed, trade, state);
    flow_until(bed, has_ended, trade->no, "every saga must end over any death");
    until(bed, trade, state);
}

static void ordered_as(struct flow_bed *bed, struct flow_trade *trade, const char *wish, const char *more) {
    *trade = (struct flow_trade){0};
    const struct flow_answer *quoted = flow_insist(bed, "Quote", "%s %s " FUEL_200, flow_context(bed), wish);
    assert_non_null(quoted->message);
    snprintf(trade->no, sizeof trade->no, "%s", fields_text(quoted->message, "trade_no"));
    // A source that was dead in this moment makes the quote poorer, never wrong.
    INSIST(bed, "PlaceOrder", "trade_no=%s quote_version=1 accept_degraded=true %s", trade->no, more);
    trade->payable = seen(bed, trade->no)->payable->minor_units;
}

static void ordered(struct flow_bed *bed, struct flow_trade *trade) {
    ordered_as(bed, trade, "", "");
}

// ---- The stories: each pays without anybody telling the participants anything -------------------------------------

// Bought with a card and a scanned code, refunded in part, then cancelled.
static void bought_and_given_back(struct flow_bed *bed) {
    struct flow_trade trade;
    ordered(bed, &trade);
    INSIST(bed, "Pay", "trade_no=%s wait_for=2 %s", trade.no,
           flow_tenders(bed, 2, KIND(CARD), 2500, bed->card, KIND(SCANNED), (int)trade.payable - 2500, "code"));
    until(bed, &trade, TRADE(COMPLETED));
    INSIST(bed, "Refund", "trade_no=%s amount=CNY1000", trade.no);
    until(bed, &trade, TRADE(PARTIALLY_REFUNDED));
    INSIST(bed, "Cancel", "trade_no=%s", trade.no);
    until_ended(bed, &trade, TRADE(REFUNDED));
    assert_int_equal(seen(bed, trade.no)->n_refunds, 2);
}

// Ordered, offered to a payer who does not come, cancelled, ordered again, and left to expire.
static void never_paid(struct flow_bed *bed) {
    struct flow_trade trade;
    ordered(bed, &trade);
    INSIST(bed, "Pay", "trade_no=%s %s", trade.no,
           flow_tenders(bed, 2, KIND(CARD), 2500, bed->card, KIND(WECHAT), (int)trade.payable - 2500, "payer"));
    INSIST(bed, "Cancel", "trade_no=%s", trade.no);
    until(bed, &trade, TRADE(CANCELLED));
    INSIST(bed, "Quote", "trade_no=%s %s " FUEL_200, trade.no, flow_context(bed));
    INSIST(bed, "PlaceOrder", "trade_no=%s quote_version=2 accept_degraded=true expires_in_seconds=5", trade.no);
    until_ended(bed, &trade, TRADE(EXPIRED));
}

// Ordered without locks, offered to a payer who does not come, edited, ordered again and paid.
static void edited(struct flow_bed *bed) {
    struct flow_trade trade;
    ordered_as(bed, &trade, "", "mode=2");
    INSIST(bed, "Pay", "trade_no=%s %s", trade.no, flow_tenders(bed, 1, KIND(WECHAT), (int)trade.payable, "payer"));
    INSIST(bed, "Quote", "trade_no=%s %s lines[0].fuel.oil_code=95# lines[0].fuel.amount=CNY10000 exclude_points=true",
           trade.no, flow_context(bed));
    INSIST(bed, "PlaceOrder", "trade_no=%s quote_version=2 accept_degraded=true mode=2", trade.no);
    until(bed, &trade, TRADE(ORDERED));
    trade.payable = seen(bed, trade.no)->payable->minor_units;
    INSIST(bed, "Pay", "trade_no=%s wait_for=2 %s", trade.no,
           flow_tenders(bed, 1, KIND(SCANNED), (int)trade.payable, "code"));
    until_ended(bed, &trade, TRADE(COMPLETED));
    INSIST(bed, "Cancel", "trade_no=%s", trade.no); // its benefits are for the next
    until_ended(bed, &trade, TRADE(REFUNDED));
}

// Ordered without locks for what a pump has dispensed.
static void fuelled(struct flow_bed *bed, struct flow_trade *trade, const char *serial) {
    *trade = (struct flow_trade){0};
    const struct flow_answer *quoted = flow_insist(
        bed, "Quote",
        "%s exclude_points=true lines[0].fuel.oil_code=92# lines[0].fuel.nozzle=1 lines[0].fuel.pump_serial=%s",
        flow_context(bed), serial);
    assert_non_null(quoted->message);
    snprintf(trade->no, sizeof trade->no, "%s", fields_text(quoted->message, "trade_no"));
    INSIST(bed, "PlaceOrder", "trade_no=%s quote_version=1 accept_degraded=true mode=2", trade->no);
    until(bed, trade, TRADE(ORDERED));
    trade->payable = seen(bed, trade->no)->payable->minor_units;
}

// Two trades for one fuelling: the older one, offered to a payer who does not come, gives way to the newer one.
static void taken_over(struct flow_bed *bed) {
    struct flow_trade older, newer;
    const char *serial = flow_text(bed, "P%u", ++bed->request_no);
    const char *record = flow_text(
        bed, "station_id=S001 nozzle=1 serial=%s oil_code=92# volume_centi=2000 unit_price=CNY785 amount=CNY15700",
        serial);
    for (int i = 0; i < 2; i++) { // one of them may be what it dies of
        flow_control_maybe(bed, "AddPumpRecord", record);
        flow_run_for(bed, 2000);
    }
    fuelled(bed, &older, serial);
    INSIST(bed, "Pay", "trade_no=%s %s", older.no, flow_tenders(bed, 1, KIND(WECHAT), (int)older.payable, "payer"));
    fuelled(bed, &newer, serial);
    until_ended(bed, &older, TRADE(CANCELLED));
    INSIST(bed, "Pay", "trade_no=%s wait_for=2 %s", newer.no,
           flow_tenders(bed, 1, KIND(SCANNED), (int)newer.payable, "code"));
    until_ended(bed, &newer, TRADE(COMPLETED));
    INSIST(bed, "Cancel", "trade_no=%s", newer.no);
    until_ended(bed, &newer, TRADE(REFUNDED));
}

// A fill-up that is authorised with a card and a code.
static void authorised(struct flow_bed *bed, struct flow_trade *trade) {
    *trade = (struct flow_trade){0};
    const struct flow_answer *quoted =
        flow_insist(bed, "Quote", "%s " FUEL_200 " lines[0].fuel.authorised=true", flow_context(bed));
    assert_non_null(quoted->message);
    snprintf(trade->no, sizeof trade->no, "%s", fields_text(quoted->message, "trade_no"));
    INSIST(bed, "PlaceOrder", "trade_no=%s quote_version=1 accept_degraded=true", trade->no);
    until(bed, trade, TRADE(ORDERED));
    trade->payable = seen(bed, trade->no)->payable->minor_units;
    INSIST(bed, "Pay", "trade_no=%s wait_for=2 %s", trade->no,
           flow_tenders(bed, 2, KIND(CARD), 2500, bed->card, KIND(SCANNED), (int)trade->payable - 2500, "code"));
    until(bed, trade, TRADE(PAID));
}

// Cancelled before anything was dispensed.
static void never_filled_up(struct flow_bed *bed) {
    struct flow_trade trade;
    authorised(bed, &trade);
    INSIST(bed, "Cancel", "trade_no=%s", trade.no);
    until_ended(bed, &trade, TRADE(REFUNDED));
    assert_int_equal(seen(bed, trade.no)->paid->minor_units, 0);
}

// Adjusted to less.
static void filled_up(struct flow_bed *bed) {
    struct flow_trade trade;
    authorised(bed, &trade);
    INSIST(bed, "Adjust", "trade_no=%s lines[0].index=0 lines[0].amount=CNY6000", trade.no);
    until_ended(bed, &trade, TRADE(COMPLETED));
    INSIST(bed, "Cancel", "trade_no=%s", trade.no); // its benefits are for the next
    until_ended(bed, &trade, TRADE(REFUNDED));
}

// Paid without locks while another order has locked its coupons; when that has let go of them an operator has them
// deducted after all, and then it is given back.
static void deducted_after_all(struct flow_bed *bed) {
    struct flow_trade trade, other;
    ordered_as(bed, &trade, "exclude_points=true", "mode=2");
    ordered_as(bed, &other, "exclude_points=true", "");
    INSIST(bed, "Pay", "trade_no=%s wait_for=2 %s", trade.no,
           flow_tenders(bed, 1, KIND(SCANNED), (int)trade.payable, "code"));
    until_ended(bed, &trade, TRADE(COMPLETED));
    INSIST(bed, "Cancel", "trade_no=%s", other.no);
    until_ended(bed, &other, TRADE(CANCELLED));
    // Else their system was dead when one of the two was quoted.
    bool both = seen(bed, trade.no)->combination->n_coupon_ids && seen(bed, other.no)->combination->n_coupon_ids;
    assert_int_equal(seen(bed, trade.no)->n_shortfalls, both);
    if (both) {
        INSIST(bed, "SettleMatter", "trade_no=%s number=1 outcome=7 reason=table wait_ms=1000", trade.no);
        until_ended(bed, &trade, TRADE(COMPLETED));
        assert_true(seen(bed, trade.no)->shortfalls[0]->deducted);
    }
    INSIST(bed, "Cancel", "trade_no=%s", trade.no);
    until_ended(bed, &trade, TRADE(REFUNDED));
}

// Of two codes one is refused: the other's money and the card's freeze go back.
static void half_paid(struct flow_bed *bed) {
    struct flow_trade trade;
    ordered(bed, &trade);
    flow_insist(bed, "Pay", "trade_no=%s wait_for=2 on_failure=2 %s", trade.no,
                flow_tenders(bed, 3, KIND(CARD), 2500, bed->card, KIND(SCANNED), 2500, "code", KIND(BANK_CARD),
                             (int)trade.payable - 5000, "no-money"));
    until_ended(bed, &trade, TRADE(FAILED));
}

// Offered to a payer who does not come; an operator ends the payment, then the order while another one is under way.
static void ended_by_operators(struct flow_bed *bed) {
    struct flow_trade trade;
    const char *tenders;
    ordered(bed, &trade);
    tenders = flow_tenders(bed, 2, KIND(CARD), 2500, bed->card, KIND(WECHAT), (int)trade.payable - 2500, "payer");
    INSIST(bed, "Pay", "trade_no=%s %s", trade.no, tenders);
    INSIST(bed, "Terminate", "gid=%s/pay/1 reason=stuck", trade.no);
    until(bed, &trade, TRADE(ORDERED));
    INSIST(bed, "Pay", "trade_no=%s %s", trade.no, tenders);
    INSIST(bed, "Terminate", "gid=%s/1 reason=stuck", trade.no);
    until_ended(bed, &trade, TRADE(FAILED));
}

// Refunded to a card that is out of reach and to a code; an operator ends the refund, and the rest goes back in
// another.
static void refund_ended(struct flow_bed *bed) {
    struct flow_trade trade;
    ordered(bed, &trade);
    INSIST(bed, "Pay", "trade_no=%s wait_for=2 %s", trade.no,
           flow_tenders(bed, 2, KIND(CARD), 2500, bed->card, KIND(SCANNED), (int)trade.payable - 2500, "code"));
    until(bed, &trade, TRADE(COMPLETED));
    INSIST(bed, "Refund", "trade_no=%s refund_no=A whole=true wait_ms=0", trade.no);
    flow_insist(bed, "Pause", "gid=%s/refund/A reason=stuck", trade.no);
    // Where its money is back already, the others are to hear of it.
    bool over = seen(bed, trade.no)->refunds[0]->state == REFUND(DONE);
    flow_insist(bed, over ? "Resume" : "Terminate", "gid=%s/refund/A reason=stuck", trade.no);
    flow_until(bed, has_ended, trade.no, "every saga must end over any death");
    if (seen(bed, trade.no)->state != TRADE(REFUNDED))
        INSIST(bed, "Refund", "trade_no=%s refund_no=B whole=true", trade.no);
    until_ended(bed, &trade, TRADE(REFUNDED));
}

typedef void story_fn(struct flow_bed *bed);
static story_fn *const stories[] = {
    bought_and_given_back, never_paid,         ended_by_operators, refund_ended, edited, taken_over, filled_up,
    never_filled_up,       deducted_after_all, half_paid};
enum { STORIES = sizeof stories / sizeof stories[0], COMMITS_MAX = 400 };

// Who fails to pay does so by himself; the rule is said again after each death, which forgets it.
static void set_payers(struct flow_bed *bed) {
    flow_control(bed, "SetAutoPay", "rules[0].payer=no-money rules[0].result=2 rules[0].code=NO_MONEY");
}

// Each story once for each commit of `point`'s store, which dies there. Returns how many there were.
static int64_t sweep(struct flow_bed *bed, struct crash_point *point, story_fn *story, bool before) {
    for (int64_t n = 1; n < COMMITS_MAX; n++) {
        set_payers(bed);
        crash_point_set(point, n, before);
        story(bed);
        bool died = point->at == 0; // a new life has a new point
        crash_point_set(point, 0, false);
        if (!died)
            return n - 1;
    }
    fail_msg("the story has no end");
    return 0;
}

static void sweep_center(struct flow_bed *bed, bool before) {
    for (size_t i = 0; i < STORIES; i++)
        assert_true(sweep(bed, &flow_virtual(bed)->center.point, stories[i], before) >= 8);
}

// [A29] the center dies before each of its commits
static void test_a_death_before_any_commit_loses_nothing(struct flow_bed *bed) {
    sweep_center(bed, true);
}

// [A29] [A28] the center dies after each of its commits, before anybody heard of it
static void test_a_death_after_any_commit_doubles_nothing(struct flow_bed *bed) {
    sweep_center(bed, false);
}

// [A29] [S3-21] the participants die at each of their commits, before or after it
static void test_a_death_of_the_participants_at_any_commit(struct flow_bed *bed) {
    for (int before = 0; before < 2; before++)
        for (size_t i = 0; i < STORIES - 1; i++) // a payer's rule would be forgotten
            assert_true(sweep(bed, &flow_virtual(bed)->sims.point, stories[i], before) >= 8);
}

static void kill_either(struct flow_bed *bed, int which) {
    if (which % 2)
        flow_crash_sim(bed);
    else
        flow_crash_center(bed);
}

// [A29] the real programs are killed between any two calls
static void test_deaths_between_calls_change_nothing(struct flow_bed *bed) {
    for (int which = 0; which < 2; which++) {
        struct flow_trade trade;
        ordered(bed, &trade);
        kill_either(bed, which);
        INSIST(bed, "Pay", "trade_no=%s %s", trade.no,
               flow_tenders(bed, 2, KIND(CARD), 2500, bed->card, KIND(WECHAT), (int)trade.payable - 2500, "payer"));
        kill_either(bed, which);
        flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 1));
        kill_either(bed, which + 1);
        until(bed, &trade, TRADE(COMPLETED));
        kill_either(bed, which);
        INSIST(bed, "Refund", "trade_no=%s amount=CNY1000 wait_ms=0", trade.no);
        kill_either(bed, which);
        INSIST(bed, "Cancel", "trade_no=%s wait_ms=0", trade.no);
        kill_either(bed, which + 1);
        until(bed, &trade, TRADE(REFUNDED));
        flow_until_still(bed, &trade);
    }
}

static int64_t commits(struct flow_bed *bed) {
    struct store_stats stats;
    store_stats(flow_virtual(bed)->center.store, &stats);
    return stats.commits;
}

// Each of these must be durable before anybody acts on it, and no other commit is made. 1: the purchase with its kept
// quote, before the first lock. 2: the order and the payment with its tenders, before a card is frozen or the gateway
// is called. 3: what the front end needs, before it is answered. 4: the callback, before it is acknowledged. 5: the
// watershed, before anything that only goes forward. A scanned code has no 3 and no 4.
static void test_a_purchase_has_as_many_commits_on_the_way_to_paid_as_the_promises_need(struct flow_bed *bed) {
    flow_control(bed, "SetAutoPay", "rules[0].payer=payer rules[0].result=1 rules[0].after_ms=5");
    const struct {
        const char *tenders;
        int64_t commits;
    } rows[] = {
        {flow_tenders(bed, 2, KIND(CARD), 2000, bed->card, KIND(WECHAT), BEST_200 - 2000, "payer"), 5},
        {flow_text(bed, "tenders[0].kind=%d tenders[0].account=code", KIND(SCANNED)), 3},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t before = commits(bed);
        if (i == 1) // what the gateway tells of it, too, comes behind the answer
            flow_fault(bed, FAULT(LOST_CALLBACK), "payment", "NotifyPayment", "");
        const Txcenter__Trade__V1__QuoteOrderPayResponse *paid =
            flow_must(bed, "QuoteOrderPay", "%s " FUEL_200 " wait_for=2 %s %s", flow_context(bed),
                      i == 0 ? "" : "exclude_points=true", rows[i].tenders);
        assert_int_equal(commits(bed) - before, rows[i].commits);
        struct flow_trade trade = {0};
        str_copy(str_c(paid->trade->trade_no), trade.no, sizeof trade.no);
        flow_until_state(bed, &trade, TRADE(COMPLETED));
        flow_until_still(bed, &trade);
    }
}

static const struct flow_case cases[] = {
    VIRTUAL(test_a_death_before_any_commit_loses_nothing),
    VIRTUAL(test_a_death_after_any_commit_doubles_nothing),
    VIRTUAL(test_a_death_of_the_participants_at_any_commit),
    CASE(test_deaths_between_calls_change_nothing),
    VIRTUAL(test_a_purchase_has_as_many_commits_on_the_way_to_paid_as_the_promises_need),
};

CASES(crash);
