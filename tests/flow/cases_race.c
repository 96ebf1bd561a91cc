// Two things at the same time, at every distance in time: whoever wins, the trade ends as one of the two says, and the
// ledgers agree.
#include "tests/flow/cases.h"
#include "tests/flow/virtual.h"

enum { APART_MAX_MS = 14 };

// A call, or a payer who pays; "%s" in the fields is the trade's number.
struct move {
    const char *method; // NULL: the payer of tender 1-0 pays, though it may be too late
    const char *fields;
};

struct race {
    void (*prepare)(struct flow_bed *bed, struct flow_trade *trade);
    struct move moves[2];
    const char *outcomes; // states that may come of it
};

static struct flow_answer *start(struct flow_bed *bed, const struct flow_trade *trade, const struct move *move) {
    if (!move->method) {
        flow_payer_pays_late(bed, flow_tender_no(bed, trade, 1, 0));
        return NULL;
    }
    return flow_send(bed, move->method, "trade_no=%s %s", trade->no, move->fields);
}

static const char *state_of(struct flow_bed *bed, const struct flow_trade *trade) {
    const ProtobufCEnumDescriptor *type = &txcenter__trade__v1__trade_state__descriptor;
    return protobuf_c_enum_descriptor_get_value(type, (int)flow_get(bed, trade->no)->state)->name +
           strlen("TRADE_STATE_");
}

// What was paid is either the trade's or has gone back, and a refused call has a reason that a caller can act on.
static void finish(struct flow_bed *bed, const struct flow_trade *trade, struct flow_answer *answers[2],
                   const struct race *race) {
    for (int i = 0; i < 2; i++) {
        if (!answers[i])
            continue;
        flow_wait(bed, answers[i]);
        if (!answers[i]->message && !flow_is_definite_no(answers[i]))
            fail_msg("%s: %s %s", race->moves[i].method, flow_verdict(answers[i]), answers[i]->text);
    }
    flow_run_for(bed, 10000); // what comes late has come
    flow_until_still(bed, trade);
    const char *state = state_of(bed, trade);
    if (!strstr(race->outcomes, state))
        fail_msg("%s is none of %s", state, race->outcomes);
    const Txcenter__Trade__V1__Trade *found = flow_get(bed, trade->no);
    int64_t held = flow_ledger(bed, "payment", trade->no, "paid").amount -
                   flow_ledger(bed, "payment", trade->no, "refunded").amount;
    int64_t cards = flow_ledger(bed, "card", trade->no, "confirm").amount -
                    flow_ledger(bed, "card", trade->no, "cancel_confirm").amount -
                    flow_ledger(bed, "card", trade->no, "refund").amount;
    assert_int_equal(held + cards, found->paid->minor_units - found->refunded->minor_units);
}

static void run(struct flow_bed *bed, const struct race *race) {
    for (int apart_ms = -APART_MAX_MS; apart_ms <= APART_MAX_MS; apart_ms++) {
        struct flow_trade trade = {0};
        struct flow_answer *answers[2];
        race->prepare(bed, &trade);
        int first = apart_ms < 0;
        answers[first] = start(bed, &trade, &race->moves[first]);
        if (apart_ms)
            flow_run_for(bed, apart_ms < 0 ? -apart_ms : apart_ms);
        answers[!first] = start(bed, &trade, &race->moves[!first]);
        finish(bed, &trade, answers, race);
        flow_ask(bed, "Cancel", "trade_no=%s", trade.no); // its benefits are for the next
        flow_until_still(bed, &trade);
    }
}

static void quoted(struct flow_bed *bed, struct flow_trade *trade) {
    flow_quote(bed, trade, FUEL_200, "");
}

static void ordered(struct flow_bed *bed, struct flow_trade *trade) {
    flow_ordered(bed, trade);
}

static void paying(struct flow_bed *bed, struct flow_trade *trade) {
    flow_ordered(bed, trade);
    flow_pay(bed, trade);
}

static void completed(struct flow_bed *bed, struct flow_trade *trade) {
    flow_completed(bed, trade);
}

// [A35] [A37] an order and a cancel
static void test_an_order_against_a_cancel(struct flow_bed *bed) {
    run(bed, &(struct race){quoted, {{"PlaceOrder", "quote_version=1"}, {"Cancel", ""}}, "CANCELLED"});
}

// [A57] [A10] an order and an edit: the edit is refused as long as the order holds locks (nobody pays, so it expires),
// or it came first
static void test_an_order_against_an_edit(struct flow_bed *bed) {
    const char *edit = flow_text(bed, "%s lines[0].fuel.oil_code=95# lines[0].fuel.amount=CNY10000", flow_context(bed));
    run(bed, &(struct race){quoted, {{"PlaceOrder", "quote_version=1"}, {"Quote", edit}}, "EXPIRED QUOTED"});
}

// [A35] a payment with a card, which needs no callback, and a cancel
static void test_a_card_payment_against_a_cancel(struct flow_bed *bed) {
    const char *pay = flow_text(bed, "wait_for=2 %s", flow_tenders(bed, 1, KIND(CARD), BEST_200, bed->card));
    run(bed, &(struct race){ordered, {{"Pay", pay}, {"Cancel", ""}}, "CANCELLED REFUNDED"});
}

static void test_a_scanned_payment_against_a_cancel(struct flow_bed *bed) {
    const char *pay = flow_text(bed, "wait_for=2 %s", flow_tenders(bed, 1, KIND(SCANNED), BEST_200, "code"));
    run(bed, &(struct race){ordered, {{"Pay", pay}, {"Cancel", ""}}, "CANCELLED REFUNDED"});
}

static void test_two_payments_against_each_other(struct flow_bed *bed) {
    const char *card = flow_text(bed, "wait_for=2 %s", flow_tenders(bed, 1, KIND(CARD), BEST_200, bed->card));
    const char *scanned = flow_text(bed, "wait_for=2 %s", flow_tenders(bed, 1, KIND(SCANNED), BEST_200, "code"));
    run(bed, &(struct race){ordered, {{"Pay", card}, {"Pay", scanned}}, "COMPLETED"});
}

// [A39] a payer and a refund: it is refused until the trade is paid
static void test_a_payer_against_a_refund(struct flow_bed *bed) {
    run(bed, &(struct race){paying, {{NULL, ""}, {"Refund", "whole=true"}}, "COMPLETED REFUNDED"});
}

// [A41] a refund and a cancel of a paid trade: together they give back what was paid
static void test_a_refund_against_a_cancel(struct flow_bed *bed) {
    run(bed, &(struct race){completed, {{"Refund", "amount=CNY1000"}, {"Cancel", ""}}, "REFUNDED"});
}

// [A41] [A44] two refunds of everything: one gets it
static void test_two_whole_refunds_against_each_other(struct flow_bed *bed) {
    run(bed, &(struct race){completed, {{"Refund", "whole=true"}, {"Refund", "whole=true"}}, "REFUNDED"});
}

static const struct flow_case cases[] = {
    VIRTUAL(test_an_order_against_a_cancel),       VIRTUAL(test_an_order_against_an_edit),
    VIRTUAL(test_a_card_payment_against_a_cancel), VIRTUAL(test_a_scanned_payment_against_a_cancel),
    VIRTUAL(test_two_payments_against_each_other), VIRTUAL(test_a_payer_against_a_refund),
    VIRTUAL(test_a_refund_against_a_cancel),       VIRTUAL(test_two_whole_refunds_against_each_other),
};

CASES(race);
