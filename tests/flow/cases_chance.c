// Whatever chance brings: random calls in random order on random trades, while messages are lost, systems fail and
// everybody dies now and then. At the end all must agree to the unit. Each seed is a run of its own, the same every
// time.
#include "tests/flow/cases.h"
#include "tests/flow/virtual.h"

#include <inttypes.h>
#include <stdlib.h>

enum { TRADES = 4, MOVES = 60, SEEDS = 24, PAUSE_MAX_MS = 3000 };

struct chance {
    struct seeded seeded;
    struct flow_bed *bed;
    struct flow_trade trades[TRADES];
    bool operators; // do something every now and then
    struct flow_answer *answers[MOVES];
    size_t n;
};

static uint32_t dice(struct chance *chance, uint32_t sides) {
    return (uint32_t)seeded_below(&chance->seeded, sides);
}

static void fate(void *ctx, const char *method, unsigned nth, struct rpc_inproc_fate *ret) {
    static const struct flow_network network = {.times = 25, .request_ms = 60000, .response_ms = 6000};
    struct chance *chance = ctx;
    (void)method, (void)nth;
    flow_network_fate(&network, &chance->seeded, ret);
}

static const char *some_tenders(struct chance *chance, int64_t payable) {
    static const int kinds[] = {KIND(CARD), KIND(WECHAT), KIND(ALIPAY), KIND(SCANNED), KIND(BANK_CARD), KIND(CASH)};
    struct flow_bed *bed = chance->bed;
    int first = kinds[dice(chance, 6)], second = kinds[dice(chance, 6)];
    const char *account = first == KIND(CARD) ? bed->card : "payer-a";
    if (payable < 2 || dice(chance, 2))
        return flow_tenders(bed, 1, first, (int)payable, account);
    int part = 1 + (int)dice(chance, (uint32_t)payable - 1);
    return flow_tenders(bed, 2, first, part, account, second, (int)payable - part,
                        second == KIND(CARD) ? bed->other_card : "payer-b");
}

// A payer pays or fails, in time or not; a tender that is not there is nobody's.
static void move_payer(struct chance *chance, const struct flow_trade *trade) {
    struct flow_bed *bed = chance->bed;
    const Txcenter__Trade__V1__Trade *found = flow_get(bed, trade->no);
    if (found->n_attempts == 0)
        return;
    const Txcenter__Trade__V1__PaymentAttempt *attempt = found->attempts[dice(chance, (uint32_t)found->n_attempts)];
    const Txcenter__Trade__V1__Tender *tender = attempt->tenders[dice(chance, (uint32_t)attempt->n_tenders)];
    bool gateway = tender->kind != KIND(CARD) && tender->kind != KIND(CASH);
    if (!gateway || flow_effects(bed, "payment", trade->no, "CreatePayment", EFFECT(APPLIED)) == 0)
        return;
    const char *fields = dice(chance, 4) ? flow_text(bed, "tender_no=%s result=1 force=true", tender->tender_no)
                                         : flow_text(bed, "tender_no=%s result=2 code=NO", tender->tender_no);
    flow_control_maybe(bed, "PayTender", fields);
}

// ---- Operators ----------------------------------------------------------------------------------------------------

typedef Txcenter__Saga__V1__Saga saga_message;

static bool is_flow(const saga_message *saga, const char *flow) {
    return strcmp(saga->flow, flow) == 0;
}

static bool is_done(const saga_message *saga, const char *step) {
    for (size_t i = 0; i < saga->n_steps; i++)
        if (strcmp(saga->steps[i]->name, step) == 0)
            return saga->steps[i]->state == TXCENTER__SAGA__V1__STEP_STATE__STEP_STATE_DONE;
    return false;
}

// Whether a terminate of the saga, which is paused, leaves nothing behind.
static bool may_be_ended(struct chance *chance, const struct flow_trade *trade, const saga_message *saga) {
    int state = (int)flow_get(chance->bed, trade->no)->state;
    if (is_flow(saga, "trade.payment"))
        return true;
    if (is_flow(saga, "trade.purchase"))
        return state == TRADE(ORDERING) || state == TRADE(ORDERED);
    return is_flow(saga, "trade.refund") && strstr(saga->gid, "/refund/R") && !is_done(saga, "refunded");
}

// Each act is done or refused. What is paused goes on at the end, if not before.
static void move_operator(struct chance *chance, const struct flow_trade *trade) {
    static const char *const acts[] = {"Retry", "Pause", "Resume", "Compensate"};
    struct flow_bed *bed = chance->bed;
    const Txcenter__Saga__V1__ListSagasResponse *page = flow_unfinished(bed, trade->no);
    if (page->n_sagas == 0)
        return;
    const char *gid = page->sagas[dice(chance, (uint32_t)page->n_sagas)]->gid;
    uint32_t which = dice(chance, 6);
    if (which < 4) {
        flow_ask(bed, acts[which], "gid=%s reason=chance", gid);
        return;
    }
    flow_ask(bed, "Pause", "gid=%s reason=chance", gid);
    const saga_message *saga =
        ((const Txcenter__Saga__V1__GetSagaResponse *)flow_must(bed, "GetSaga", "gid=%s", gid))->saga;
    bool ends = saga->paused && may_be_ended(chance, trade, saga);
    flow_ask(bed, ends ? "Terminate" : "Resume", "gid=%s reason=chance", gid);
}

static void resume_all(struct chance *chance) {
    const Txcenter__Saga__V1__ListSagasResponse *page =
        flow_must(chance->bed, "ListSagas", "filter.unfinished=true page_size=200");
    assert_string_equal(page->next_page_token, "");
    for (size_t i = 0; i < page->n_sagas; i++)
        flow_ask(chance->bed, "Resume", "gid=%s reason=chance", page->sagas[i]->gid);
}

// -------------------------------------------------------------------------------------------------------------------

enum what { QUOTE, ORDER, PAY, PAYER, CANCEL, REFUND_PART, REFUND_ALL, OPERATE, WHATS };

// What somebody would do with a trade in this state; now and then, anything.
static enum what next_move(struct chance *chance, int state) {
    if (dice(chance, 5) == 0)
        return (enum what)dice(chance, WHATS);
    if (chance->operators && dice(chance, 3) == 0)
        return OPERATE;
    switch (state) {
    case TRADE(QUOTED): return dice(chance, 8) ? ORDER : CANCEL;
    case TRADE(ORDERING):
    case TRADE(ORDERED): return dice(chance, 8) ? PAY : CANCEL;
    case TRADE(PAYING):
    case TRADE(CLOSING): return dice(chance, 6) ? PAYER : CANCEL;
    case TRADE(PAID):
    case TRADE(COMPLETED):
    case TRADE(PARTIALLY_REFUNDED): return dice(chance, 8) ? REFUND_PART : dice(chance, 2) ? REFUND_ALL : CANCEL;
    default: return dice(chance, 3) ? QUOTE : PAYER;
    }
}

static void move(struct chance *chance) {
    struct flow_bed *bed = chance->bed;
    struct flow_trade *trade = &chance->trades[dice(chance, TRADES)];
    struct flow_answer **answer = &chance->answers[chance->n];
    const Txcenter__Trade__V1__Trade *now = flow_get(bed, trade->no);
    int64_t payable = now->payable ? now->payable->minor_units : 0;
    switch (next_move(chance, (int)now->state)) {
    case QUOTE:
        *answer = flow_send(bed, "Quote", "trade_no=%s %s " FUEL_200 " context.channel=%s", trade->no,
                            flow_context(bed), dice(chance, 2) ? "app" : "merchant");
        break;
    case ORDER:
        *answer = flow_send(
            bed, "PlaceOrder",
            "trade_no=%s quote_version=%d accept_degraded=true expires_in_seconds=%u mode=%d wait_ms=%u", trade->no,
            now->quote->version, 1 + dice(chance, 60), dice(chance, 3) ? 1 : 2, dice(chance, 2) * 20000);
        break;
    case PAY:
        *answer = flow_send(bed, "Pay", "trade_no=%s wait_ms=%u on_failure=%u %s", trade->no, dice(chance, 2) * 10000,
                            1 + dice(chance, 2), some_tenders(chance, payable));
        break;
    case CANCEL: *answer = flow_send(bed, "Cancel", "trade_no=%s", trade->no); break;
    case REFUND_PART:
        *answer = flow_send(bed, "Refund", "trade_no=%s amount=CNY%u", trade->no, 1 + dice(chance, 5000));
        break;
    case REFUND_ALL: *answer = flow_send(bed, "Refund", "trade_no=%s whole=true wait_ms=0", trade->no); break;
    case OPERATE: move_operator(chance, trade); return;
    default: move_payer(chance, trade); return;
    }
    chance->n++;
}

// Somebody dies now and then.
static void die(struct chance *chance) {
    switch (dice(chance, 20)) {
    case 0: flow_crash_center(chance->bed); break;
    case 1: flow_crash_sim(chance->bed); break;
    default: break;
    }
}

static void run(struct flow_bed *bed, uint64_t seed, bool operators) {
    struct chance *chance = calloc(1, sizeof *chance);
    assert_non_null(chance);
    chance->seeded.state = seed;
    chance->bed = bed;
    chance->operators = operators;
    flow_control(bed, "SetPoints", "user_id=%s available=9000", bed->user);
    for (int i = 0; i < 2; i++)
        flow_control(bed, "AddCoupon",
                     "user_id=%s coupon.coupon_id=CH-%s-%llu-%d coupon.name=chance coupon.kind=1 "
                     "coupon.amount_off=CNY1500",
                     bed->user, bed->user, (unsigned long long)seed, i);
    flow_control(bed, "SetCard", "card_no=%s user_id=%s principal=CNY30000 bonus=CNY9000", bed->card, bed->user);
    for (int i = 0; i < TRADES; i++)
        flow_quote(bed, &chance->trades[i], FUEL_200, "context.channel=app"); // where activities and limits are
    flow_set_fate(bed, fate, chance);
    for (int i = 0; i < MOVES; i++) {
        move(chance);
        flow_run_for(bed, dice(chance, 4) ? dice(chance, PAUSE_MAX_MS) : 0);
        die(chance);
    }
    flow_set_fate(bed, NULL, NULL);
    resume_all(chance);
    for (size_t i = 0; i < chance->n; i++)
        flow_wait(bed, chance->answers[i]);
    free(chance);
    flow_run_for(bed, 120000); // the latest messages have come
    flow_settle(bed);
}

static void run_seeds(struct flow_bed *bed, bool operators) {
    const char *seeds = getenv("FLOW_SEEDS"); // "FIRST COUNT"
    int64_t first = 1, count = SEEDS;
    if (seeds) {
        struct str rest = str_c(seeds);
        assert_true(str_to_i64(str_cut(&rest, ' '), &first) && str_to_i64(rest, &count));
    }
    for (int64_t seed = first; seed < first + count; seed++) {
        if (seeds)
            print_message("seed %" PRId64 "\n", seed);
        run(bed, (uint64_t)seed, operators);
    }
}

// [A29] [A30] [A53] calls, losses and deaths in any order: afterwards nothing is open, and all agree
static void test_whatever_chance_brings_all_agree(struct flow_bed *bed) {
    run_seeds(bed, false);
}

// [A29] [A53] [E8] the same while operators hold up, try again, turn round and end whatever they see
static void test_whatever_operators_do_all_agree(struct flow_bed *bed) {
    run_seeds(bed, true);
}

static const struct flow_case cases[] = {
    VIRTUAL(test_whatever_chance_brings_all_agree),
    VIRTUAL(test_whatever_operators_do_all_agree),
};

CASES(chance);
