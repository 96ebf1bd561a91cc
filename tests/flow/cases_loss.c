// Messages that are lost, late or overtaken: each single one of whole stories, in turn. Unknown is never a failure.
#include "tests/flow/cases.h"
#include "tests/flow/virtual.h"

enum { CALLS_MAX = 300, LATE_MS = 90000, SLOW_MS = 1500 };

// What happens to one message of a story.
enum mishap { REQUEST_LOST, ANSWER_LOST, REFUSED, REQUEST_LATE, REQUEST_SLOW, ANSWER_SLOW, MISHAPS };

struct mischief {
    enum mishap mishap;
    unsigned at, sent; // the at-th message of the story is hit
};

static void hit(void *ctx, const char *method, unsigned nth, struct rpc_inproc_fate *fate) {
    struct mischief *mischief = ctx;
    (void)method, (void)nth;
    if (++mischief->sent != mischief->at)
        return;
    switch (mischief->mishap) {
    case REQUEST_LOST: fate->drop_request = true; break;
    case ANSWER_LOST: fate->drop_response = true; break;
    case REFUSED: fate->drop_request = fate->refuse = true; break;
    case REQUEST_LATE: fate->request_delay_ms = LATE_MS; break;
    case REQUEST_SLOW: fate->request_delay_ms = SLOW_MS; break;
    case ANSWER_SLOW: fate->response_delay_ms = SLOW_MS; break;
    default: break;
    }
}

static const char *two_tenders(struct flow_bed *bed, const struct flow_trade *trade) {
    return flow_tenders(bed, 2, KIND(CARD), 2500, bed->card, KIND(WECHAT), (int)trade->payable - 2500, "payer");
}

// Quoted and ordered, for two_tenders(), in the channel where there is a limit and activities: when a source was not
// heard, with fewer benefits.
static void ordered(struct flow_bed *bed, struct flow_trade *trade) {
    *trade = (struct flow_trade){0};
    struct flow_answer *quoted =
        flow_insist(bed, "Quote", "%s context.channel=app tender_kinds[0]=%d tender_kinds[1]=%d " FUEL_200,
                    flow_context(bed), KIND(CARD), KIND(WECHAT));
    assert_verdict(quoted, "OK");
    str_copy(str_c(fields_text(quoted->message, "trade_no")), trade->no, sizeof trade->no);
    trade->version = 1;
    flow_order(bed, trade, "accept_degraded=true");
}

static void bought_and_given_back(struct flow_bed *bed) {
    struct flow_trade trade;
    ordered(bed, &trade);
    flow_pay_with(bed, &trade, two_tenders(bed, &trade), "");
    flow_until_tender(bed, &trade, 1, 1, TENDER(PENDING));
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 1));
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    flow_must(bed, "Refund", "trade_no=%s amount=CNY1000", trade.no);
    flow_must(bed, "Cancel", "trade_no=%s", trade.no);
    flow_until_state(bed, &trade, TRADE(REFUNDED));
    flow_until_still(bed, &trade);
    assert_int_equal(flow_ledger(bed, "payment", trade.no, "paid").n, 1);
    assert_int_equal(flow_ledger(bed, "card", trade.no, "refund").amount, 2500);
}

static void cancelled_while_paying(struct flow_bed *bed) {
    struct flow_trade trade;
    ordered(bed, &trade);
    flow_pay_with(bed, &trade, two_tenders(bed, &trade), "");
    flow_must(bed, "Cancel", "trade_no=%s", trade.no);
    flow_until_state(bed, &trade, TRADE(CANCELLED));
    flow_until_still(bed, &trade);
    assert_nothing_held(bed, &trade);
}

// The attempt fails, the order is paid by the next.
static void paid_by_the_second_attempt(struct flow_bed *bed) {
    struct flow_trade trade;
    ordered(bed, &trade);
    flow_pay_with(bed, &trade, two_tenders(bed, &trade), "");
    flow_until_tender(bed, &trade, 1, 1, TENDER(PENDING));
    flow_payer_fails(bed, flow_tender_no(bed, &trade, 1, 1), "NO_MONEY");
    flow_until_state(bed, &trade, TRADE(ORDERED));
    flow_pay_with(bed, &trade, two_tenders(bed, &trade), "");
    flow_until_tender(bed, &trade, 2, 1, TENDER(PENDING));
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 2, 1));
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    flow_must(bed, "Cancel", "trade_no=%s", trade.no); // its benefits are for the next
    flow_until_state(bed, &trade, TRADE(REFUNDED));
    flow_until_still(bed, &trade);
}

typedef void story_fn(struct flow_bed *bed);

static void sweep(struct flow_bed *bed, story_fn *story) {
    for (int mishap = 0; mishap < MISHAPS; mishap++) {
        unsigned at = 1;
        for (; at < CALLS_MAX; at++) {
            struct mischief mischief = {.mishap = (enum mishap)mishap, .at = at};
            flow_set_fate(bed, hit, &mischief);
            story(bed);
            flow_set_fate(bed, NULL, NULL);
            if (mischief.sent < at)
                break;
        }
        assert_true(at > 10 && at < CALLS_MAX);
    }
    flow_run_for(bed, 2 * LATE_MS); // the last of the late ones have come
}

// [A30] [A29] [S3-19] whichever message of a purchase and its refunds is lost or late
static void test_any_message_of_a_purchase_may_be_lost(struct flow_bed *bed) {
    sweep(bed, bought_and_given_back);
}

// [A30] [A12] whichever message of a cancel while paying is lost or late
static void test_any_message_of_a_cancel_may_be_lost(struct flow_bed *bed) {
    sweep(bed, cancelled_while_paying);
}

// [A30] [A21] whichever message of two attempts is lost or late
static void test_any_message_of_two_attempts_may_be_lost(struct flow_bed *bed) {
    sweep(bed, paid_by_the_second_attempt);
}

static const struct flow_case cases[] = {
    VIRTUAL(test_any_message_of_a_purchase_may_be_lost),
    VIRTUAL(test_any_message_of_a_cancel_may_be_lost),
    VIRTUAL(test_any_message_of_two_attempts_may_be_lost),
};

CASES(loss);
