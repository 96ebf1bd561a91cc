// The forecourt: fuel that a pump has dispensed already is paid for once, at the pump's price.
#include "tests/flow/cases.h"
#include "tests/flow/virtual.h"
#include "txcenter/trade/v1/operator.pb-c.h"

#define AS(name) TXCENTER__TRADE__V1__MATTER_OUTCOME__MATTER_OUTCOME_##name

#define LATER "mode=2"                                           // ORDER_MODE_DEDUCT_LATER
enum { DISPENSED = 15700, PUMP_PRICE = 785, APART_MAX_MS = 14 }; // 20.00 litres

// A fuelling of 92# at nozzle 1 that nobody else names, as the lines of a quote.
static const char *fuelling(struct flow_bed *bed) {
    const char *serial = flow_text(bed, "P-%s-%u", bed->user, ++bed->request_no);
    flow_control(bed, "AddPumpRecord",
                 "station_id=S001 nozzle=1 serial=%s oil_code=92# volume_centi=2000 unit_price=CNY%d amount=CNY%d",
                 serial, PUMP_PRICE, DISPENSED);
    return flow_text(bed, "lines[0].fuel.oil_code=92# lines[0].fuel.nozzle=1 lines[0].fuel.pump_serial=%s", serial);
}

// Quoted for this user, without benefits.
static void quoted(struct flow_bed *bed, struct flow_trade *trade, const char *lines, const char *user) {
    *trade = (struct flow_trade){0};
    const Txcenter__Trade__V1__Quote *quote =
        flow_quote(bed, trade, lines, flow_text(bed, "context.user_id=%s exclude_points=true", user));
    trade->version = quote->version;
}

static struct flow_answer *order(struct flow_bed *bed, const struct flow_trade *trade, const char *mode) {
    return flow_send(bed, "PlaceOrder", "trade_no=%s quote_version=%d %s", trade->no, trade->version, mode);
}

static void paying(struct flow_bed *bed, struct flow_trade *trade, const char *lines, const char *user) {
    quoted(bed, trade, lines, user);
    flow_order(bed, trade, LATER);
    flow_pay(bed, trade);
}

// The payer of the first tender pays, and the trade completes.
static void paid(struct flow_bed *bed, struct flow_trade *trade) {
    flow_payer_pays(bed, flow_tender_no(bed, trade, 1, 0));
    flow_until_state(bed, trade, TRADE(COMPLETED));
    flow_until_still(bed, trade);
}

// [A62] two users and one fuelling: the newer trade takes it over, the older one is closed with its tenders; what its
// user pays all the same goes back once
static void test_a_newer_trade_takes_a_fuelling_over(struct flow_bed *bed) {
    struct flow_trade older, newer;
    const char *lines = fuelling(bed);
    paying(bed, &older, lines, bed->user);
    paying(bed, &newer, lines, bed->other_user);
    flow_until_state(bed, &older, TRADE(CANCELLED));
    assert_string_equal(flow_get(bed, older.no)->reason, "SOURCE_TAKEN");
    assert_tender(bed, &older, 1, 0, TENDER(CLOSED));
    assert_nothing_held(bed, &older);
    paid(bed, &newer);
    flow_payer_pays_late(bed, flow_tender_no(bed, &older, 1, 0));
    flow_until_tender(bed, &older, 1, 0, TENDER(RETURNED));
    flow_until_still(bed, &older);
    assert_int_equal(flow_ledger(bed, "payment", older.no, "refunded").n, 1);
    assert_state(bed, &older, TRADE(CANCELLED));
    assert_state(bed, &newer, TRADE(COMPLETED));
}

// [A62] what is paid can't be bought again, by nobody and in no mode, until all of it has gone back
static void test_a_fuelling_that_is_paid_can_not_be_ordered(struct flow_bed *bed) {
    struct flow_trade first, second;
    const char *lines = fuelling(bed);
    paying(bed, &first, lines, bed->user);
    paid(bed, &first);
    for (int mode = 0; mode < 2; mode++) {
        quoted(bed, &second, lines, bed->other_user);
        struct flow_answer *answer = order(bed, &second, mode ? LATER : "");
        flow_wait(bed, answer);
        assert_verdict(answer, "SOURCE_PAID");
        assert_state(bed, &second, TRADE(FAILED));
        assert_nothing_held(bed, &second);
    }
    flow_must(bed, "Refund", "trade_no=%s amount=CNY100", first.no);
    flow_until_still(bed, &first);
    quoted(bed, &second, lines, bed->other_user);
    struct flow_answer *answer = order(bed, &second, LATER);
    flow_wait(bed, answer);
    assert_verdict(answer, "SOURCE_PAID");
    flow_must(bed, "Refund", "trade_no=%s whole=true", first.no);
    flow_until_still(bed, &first);
    paying(bed, &second, lines, bed->other_user);
    paid(bed, &second);
}

// [A62] [A22] a payment that does not match pays for nothing once its payer has it back; one that is kept does, and so
// does one of which nothing is decided
static void test_a_fuelling_whose_payment_went_back_can_be_ordered(struct flow_bed *bed) {
    static const struct {
        int outcome;
        const char *more;
        bool free;
    } rows[] = {{AS(RETURNED), "", true}, {AS(PAID_OTHERWISE), "reference=transfer~4711", true}, {AS(KEPT), "", false}};
    bed->not_compared = true; // the gateway has said two different things
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct flow_trade first, second;
        const char *lines = fuelling(bed);
        flow_fault(bed, FAULT(WRONG_MERCHANT), "payment", "NotifyPayment", "count=1");
        paying(bed, &first, lines, bed->user);
        flow_payer_pays(bed, flow_tender_no(bed, &first, 1, 0));
        flow_until_state(bed, &first, TRADE(CONFLICTED));
        flow_until_still(bed, &first);
        quoted(bed, &second, lines, bed->other_user);
        struct flow_answer *answer = order(bed, &second, LATER);
        flow_wait(bed, answer);
        assert_verdict(answer, "SOURCE_PAID");
        flow_must(bed, "SettleMatter", "trade_no=%s number=1 outcome=%d reason=because %s", first.no, rows[i].outcome,
                  rows[i].more);
        flow_until_still(bed, &first);
        assert_state(bed, &first, TRADE(CONFLICTED));
        if (rows[i].free) {
            paying(bed, &second, lines, bed->other_user);
            paid(bed, &second);
        }
        quoted(bed, &first, lines, bed->user);
        answer = order(bed, &first, LATER);
        flow_wait(bed, answer);
        assert_verdict(answer, "SOURCE_PAID");
    }
}

// [A62] the older one turns out to be paid when it is to be closed: it stands, and the newer one is refused
static void test_an_older_trade_that_is_found_paid_stands(struct flow_bed *bed) {
    struct flow_trade older, newer;
    const char *lines = fuelling(bed);
    flow_fault(bed, FAULT(LOST_CALLBACK), "payment", "NotifyPayment", "");
    paying(bed, &older, lines, bed->user);
    quoted(bed, &newer, lines, bed->other_user);
    flow_payer_pays(bed, flow_tender_no(bed, &older, 1, 0));
    struct flow_answer *answer = order(bed, &newer, LATER);
    flow_wait(bed, answer);
    assert_verdict(answer, "SOURCE_PAID");
    flow_until_state(bed, &older, TRADE(COMPLETED));
    flow_until_still(bed, &older);
    flow_until_still(bed, &newer);
    assert_int_equal(flow_ledger(bed, "payment", older.no, "refunded").n, 0);
}

// One that locks first takes nothing over; the same trade may order its fuelling again.
static void test_an_order_that_locks_first_takes_nothing_over(struct flow_bed *bed) {
    struct flow_trade older, newer;
    const char *lines = fuelling(bed);
    quoted(bed, &older, lines, bed->user);
    flow_order(bed, &older, LATER);
    quoted(bed, &newer, lines, bed->other_user);
    struct flow_answer *answer = order(bed, &newer, "");
    flow_wait(bed, answer);
    assert_verdict(answer, "SOURCE_TAKEN");
    assert_state(bed, &older, TRADE(ORDERED));
    flow_quote(bed, &older, lines, "exclude_points=true");
    flow_order(bed, &older, LATER); // an edit
    flow_must(bed, "Cancel", "trade_no=%s", older.no);
    quoted(bed, &newer, lines, bed->other_user);
    flow_order(bed, &newer, "");
    flow_pay(bed, &newer);
    paid(bed, &newer);
}

// [A62] [A79] the older one's tender can't be closed at present: the newer one waits for it, then goes on
static void test_a_take_over_waits_until_the_older_one_is_definite(struct flow_bed *bed) {
    struct flow_trade older, newer;
    const char *lines = fuelling(bed);
    paying(bed, &older, lines, bed->user);
    quoted(bed, &newer, lines, bed->other_user);
    flow_fault(bed, FAULT(DOWN), "payment", "ClosePayment", "");
    struct flow_answer *answer =
        flow_send(bed, "PlaceOrder", "trade_no=%s quote_version=1 wait_ms=500 " LATER, newer.no);
    flow_wait(bed, answer);
    assert_true(((const Txcenter__Trade__V1__PlaceOrderResponse *)(const void *)answer->message)->processing);
    assert_state(bed, &older, TRADE(CLOSING));
    assert_state(bed, &newer, TRADE(ORDERING));
    flow_clear_faults(bed);
    flow_until_state(bed, &newer, TRADE(ORDERED));
    assert_state(bed, &older, TRADE(CANCELLED));
    flow_must(bed, "Cancel", "trade_no=%s", newer.no);
}

// [A62] many at once: one is left, and it alone can be paid
static void test_of_many_orders_for_one_fuelling_one_is_left(struct flow_bed *bed) {
    enum { ORDERS = 8 };
    struct flow_trade trades[ORDERS];
    struct flow_answer *answers[ORDERS];
    const char *lines = fuelling(bed);
    int left = -1;
    for (int i = 0; i < ORDERS; i++)
        quoted(bed, &trades[i], lines, i % 2 ? bed->user : bed->other_user);
    for (int i = 0; i < ORDERS; i++)
        answers[i] = order(bed, &trades[i], LATER);
    for (int i = 0; i < ORDERS; i++)
        flow_wait(bed, answers[i]);
    for (int i = 0; i < ORDERS; i++) {
        const Txcenter__Trade__V1__Trade *found = flow_get(bed, trades[i].no);
        if (found->state != TRADE(ORDERED))
            continue;
        assert_int_equal(left, -1);
        left = i;
        trades[i].payable = found->payable->minor_units;
    }
    assert_int_not_equal(left, -1);
    flow_pay(bed, &trades[left]);
    paid(bed, &trades[left]);
    for (int i = 0; i < ORDERS; i++)
        flow_until_still(bed, &trades[i]);
}

// [A62] the payer of the older one against the order of the newer one, at every distance in time: one of the two is
// paid, and no money is left anywhere else
static void test_a_take_over_against_the_payer(struct flow_bed *bed) {
    for (int apart_ms = -APART_MAX_MS; apart_ms <= APART_MAX_MS; apart_ms++) {
        struct flow_trade older, newer;
        const char *lines = fuelling(bed);
        paying(bed, &older, lines, bed->user);
        quoted(bed, &newer, lines, bed->other_user);
        struct flow_answer *answer = apart_ms < 0 ? order(bed, &newer, LATER) : NULL;
        if (apart_ms < 0)
            flow_run_for(bed, -apart_ms);
        flow_payer_pays_late(bed, flow_tender_no(bed, &older, 1, 0));
        if (!answer && apart_ms)
            flow_run_for(bed, apart_ms);
        answer = answer ? answer : order(bed, &newer, LATER);
        flow_wait(bed, answer);
        flow_run_for(bed, 10000); // what comes late has come
        flow_until_still(bed, &older);
        bool taken = answer->message != NULL;
        if (!taken)
            assert_verdict(answer, "SOURCE_PAID");
        assert_state(bed, &older, taken ? TRADE(CANCELLED) : TRADE(COMPLETED));
        assert_int_equal(flow_ledger(bed, "payment", older.no, "paid").n, 1);
        assert_int_equal(flow_ledger(bed, "payment", older.no, "refunded").n, taken);
        flow_ask(bed, "Cancel", "trade_no=%s", newer.no);
        flow_until_still(bed, &newer);
    }
}

// [A64] [A73] what was dispensed is the pump's: its volume, its price, its amount, whatever the price list says today;
// what the caller says of it must agree
static void test_what_was_dispensed_is_priced_by_the_pump(struct flow_bed *bed) {
    struct flow_trade trade;
    const char *lines = fuelling(bed);
    flow_control(bed, "SetOilPrice", "station_id=S001 oil_code=92# name=92~gasoline unit_price=CNY800");
    quoted(bed, &trade, lines, bed->user);
    const Txcenter__Trade__V1__QuotedLine *line = flow_get(bed, trade.no)->quote->lines[0];
    assert_int_equal(line->unit_price->minor_units, PUMP_PRICE);
    assert_int_equal(line->volume_centi, 2000);
    assert_int_equal(line->list_price->minor_units, DISPENSED);
    flow_refused(bed, "INVALID_REQUEST", "Quote", "%s %s lines[0].fuel.amount=CNY15699", flow_context(bed), lines);
    flow_refused(bed, "INVALID_REQUEST", "Quote", "%s %s lines[0].fuel.volume_centi=1999", flow_context(bed), lines);
    flow_refused(bed, "INVALID_REQUEST", "Quote", "%s %sX", flow_context(bed), lines); // no such record
    flow_must(bed, "Quote", "%s %s lines[0].fuel.amount=CNY15700 lines[0].fuel.volume_centi=2000", flow_context(bed),
              lines);
    flow_order(bed, &trade, LATER);
    flow_pay(bed, &trade);
    paid(bed, &trade);
    flow_control(bed, "SetOilPrice", "station_id=S001 oil_code=92# name=92~gasoline unit_price=CNY768");
}

// [A73] a record whose volume, price and amount don't agree to 0.01 is not sold
static void test_a_pump_record_that_does_not_add_up_is_refused(struct flow_bed *bed) {
    flow_control(
        bed, "AddPumpRecord",
        "station_id=S001 nozzle=1 serial=BAD-%s oil_code=92# volume_centi=2000 unit_price=CNY785 amount=CNY15702",
        bed->user);
    flow_refused(bed, "PUMP_AMOUNT_MISMATCH", "Quote",
                 "%s lines[0].fuel.oil_code=92# lines[0].fuel.nozzle=1 lines[0].fuel.pump_serial=BAD-%s",
                 flow_context(bed), bed->user);
    flow_refused(bed, "INVALID_REQUEST", "Quote", "%s lines[0].fuel.oil_code=92# lines[0].fuel.pump_serial=X",
                 flow_context(bed)); // at which nozzle?
}

// [A64] before it is dispensed the kept price holds until the quote expires, and a pump that has another one is told
static void test_a_pump_with_another_price_is_told(struct flow_bed *bed) {
    struct flow_trade trade = {0};
    flow_quote(bed, &trade, FUEL_200 " lines[0].fuel.pump_price=CNY768", "exclude_points=true");
    flow_control(bed, "SetOilPrice", "station_id=S001 oil_code=92# name=92~gasoline unit_price=CNY800");
    flow_order(bed, &trade, ""); // at the price that was kept
    assert_int_equal(flow_get(bed, trade.no)->quote->lines[0]->unit_price->minor_units, 768);
    flow_refused(bed, "PRICE_CHANGED", "Quote", "%s " FUEL_200 " lines[0].fuel.pump_price=CNY768", flow_context(bed));
    flow_must(bed, "Quote", "%s " FUEL_200 " lines[0].fuel.pump_price=CNY800", flow_context(bed));
    flow_must(bed, "Cancel", "trade_no=%s", trade.no);
    flow_control(bed, "SetOilPrice", "station_id=S001 oil_code=92# name=92~gasoline unit_price=CNY768");
}

static const struct flow_case cases[] = {
    CASE(test_a_newer_trade_takes_a_fuelling_over),
    CASE(test_a_fuelling_that_is_paid_can_not_be_ordered),
    CASE(test_a_fuelling_whose_payment_went_back_can_be_ordered),
    CASE(test_an_older_trade_that_is_found_paid_stands),
    CASE(test_an_order_that_locks_first_takes_nothing_over),
    CASE(test_a_take_over_waits_until_the_older_one_is_definite),
    CASE(test_of_many_orders_for_one_fuelling_one_is_left),
    VIRTUAL(test_a_take_over_against_the_payer),
    CASE(test_what_was_dispensed_is_priced_by_the_pump),
    CASE(test_a_pump_record_that_does_not_add_up_is_refused),
    CASE(test_a_pump_with_another_price_is_told),
};
CASES(forecourt);
