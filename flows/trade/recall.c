#include "flows/trade/recall.h"

#include "adapters/payment/payment.h"
#include "flows/trade/effect.h"
#include "flows/trade/holding.h"
#include "flows/trade/load.h"
#include "flows/trade/payment.h"
#include "flows/trade/purchase.h"
#include "flows/trade/purchase_end.h"
#include "flows/trade/retire.h"
#include "flows/trade/ruling.h"
#include "flows/trade/tender.h"

#include <stdio.h>

#define NOTHING_ELSE RULING_RESOLVE_THERE "; nothing else would"

enum { STEP_CLOSE_ORDER = 20 };                                                                     // of an order
enum { STEP_TAKE_BACK = 10, STEP_CLOSE_TENDER = 20, STEP_RELEASE = 30, STEP_UNFREEZE_POINTS = 40 }; // of a payment

// ---- An order -----------------------------------------------------------------------------------------------------

// A gateway that can't be reached keeps the locks: whether it was paid is not known yet.
static struct saga_verdict unpaid(struct saga_turn *turn) {
    const struct pay_attempt_row *open = trade_open_attempt(trade_of(saga_turn_subject(turn)));
    if (!open || open->state != ATTEMPT_OPEN)
        return saga_done();
    payment_poke(turn, open->attempt_no);
    return saga_wait(saga_turn_now(turn) + EFFECT_CLOSING_LOOK_MS);
}

static struct saga_verdict over(struct saga_turn *turn) {
    purchase_end_over(turn);
    return saga_done();
}

// Without it nobody but the last payment attempt is left to end the trade.
static struct saga_verdict order_ended(struct saga_turn *turn) {
    if (saga_turn_saga(turn)->status == SAGA_TERMINATED)
        purchase_end_abandon(turn);
    return saga_done();
}

#define RULE(NAME, name, missed, participant, hold, use, let_go, give_back, when_used, when_back, unheld, still_held)  \
    {.step_id = ROW_STEP_ID let_go, .no_skip = still_held ": " NOTHING_ELSE},

static bool order_allows(struct saga_turn *turn, const struct saga_ruling *ruling, struct error *error) {
    static const struct ruling_rule rules[] = {
        {.step_id = STEP_CLOSE_ORDER, .no_skip = "the order would stay open: " NOTHING_ELSE},
        TRADE_HOLDINGS(RULE) // a row each
        {.step_id = 0},
    };
    return ruling_allowed(rules, turn, ruling, error);
}

#define LET_GO(NAME, name_, missed, participant_, hold, use, let_go, ...)                                              \
    {ROW_STEP let_go,                                                                                                  \
     .stage = 3,                                                                                                       \
     .kind = SAGA_RETRIABLE,                                                                                           \
     .participant = participant_,                                                                                      \
     .legs = holding_locks_##name_,                                                                                    \
     .run = holding_let_go,                                                                                            \
     .deadline_ms = EFFECT_SOON_MS,                                                                                    \
     .retry = SAGA_STUBBORN},

static const struct saga_step order_steps[] = {
    {.id = 10,
     .stage = 1,
     .kind = SAGA_RETRIABLE,
     .name = "unpaid",
     .text = "Waits until no payment is under way any more",
     .decide = unpaid},
    {.id = STEP_CLOSE_ORDER,
     .stage = 2,
     .kind = SAGA_RETRIABLE,
     .name = "close_order",
     .participant = "order",
     .text = "Closes the order, if there is one",
     .run = purchase_close_order,
     .deadline_ms = EFFECT_SOON_MS,
     .retry = SAGA_STUBBORN},
    TRADE_HOLDINGS(LET_GO) // a row each
    {.id = 50, .stage = 4, .kind = SAGA_RETRIABLE, .name = "over", .text = "The trade ends", .decide = over},
};

const struct saga_flow recall_order_flow = {
    .name = "trade.recall_order",
    .version = 1,
    .text = "Undoes an unpaid order whose saga was terminated",
    .steps = order_steps,
    .n_steps = STORE_COUNT(order_steps),
    .on_end = order_ended,
    .allows = order_allows,
    .attach = load_attach,
    .estate = &retire_estate,
};

// ---- A payment attempt --------------------------------------------------------------------------------------------

// Nobody asks any more how its tenders stand: money that comes from here on is late.
static struct saga_verdict payment_ended(struct saga_turn *turn) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    int64_t attempt_no = 0;
    str_to_i64(saga_turn_input(turn), &attempt_no);
    struct tender_row *tender;
    for (int32_t i = 0; (tender = trade_tender(trade, (int32_t)attempt_no, i)); i++)
        tender_abandon(turn, tender);
    return saga_done();
}

static bool payment_allows(struct saga_turn *turn, const struct saga_ruling *ruling, struct error *error) {
    static const struct ruling_rule rules[] = {
        {.step_id = STEP_TAKE_BACK, .no_skip = "what was taken of the card would stay taken: " NOTHING_ELSE},
        {.step_id = STEP_CLOSE_TENDER,
         .answers = &payment_close_method,
         .optional = true,
         .fits = payment_close_fits}, // skipped: what is paid after that is late
        {.step_id = STEP_RELEASE, .no_skip = "the card would stay frozen: " NOTHING_ELSE},
        {.step_id = STEP_UNFREEZE_POINTS, .no_skip = "the points would stay frozen: " NOTHING_ELSE},
        {.step_id = 0},
    };
    return ruling_allowed(rules, turn, ruling, error);
}

static const struct saga_step payment_steps[] = {
    {.id = STEP_TAKE_BACK,
     .stage = 1,
     .kind = SAGA_RETRIABLE,
     .name = "take_back",
     .participant = "card",
     .text = "Gives back what was taken of each card",
     .legs = payment_cards,
     .run = payment_undo_confirm,
     .deadline_ms = EFFECT_SOON_MS,
     .retry = SAGA_STUBBORN},
    {.id = STEP_CLOSE_TENDER,
     .stage = 1,
     .kind = SAGA_RETRIABLE,
     .tier = SAGA_NON_CORE, // the cards need not wait for it
     .name = "close",
     .participant = "payment",
     .text = "Makes each asynchronous tender definite",
     .legs = payment_gateways,
     .run = payment_undo_create,
     .answered = payment_closed,
     .deadline_ms = EFFECT_SOON_MS,
     .retry = SAGA_STUBBORN},
    {.id = STEP_RELEASE,
     .stage = 2,
     .kind = SAGA_RETRIABLE,
     .name = "release",
     .participant = "card",
     .text = "Releases each card",
     .legs = payment_cards,
     .run = payment_release,
     .answered = payment_released,
     .deadline_ms = EFFECT_SOON_MS,
     .retry = SAGA_STUBBORN},
    {.id = STEP_UNFREEZE_POINTS,
     .stage = 2,
     .kind = SAGA_RETRIABLE,
     .name = "unfreeze_points",
     .participant = "points",
     .text = "Unfreezes the attempt's points",
     .legs = payment_freezes_points,
     .run = payment_unfreeze_points,
     .deadline_ms = EFFECT_SOON_MS,
     .retry = SAGA_STUBBORN},
};

const struct saga_flow recall_payment_flow = {
    .name = "trade.recall_payment",
    .version = 1,
    .text = "Takes back what a terminated payment attempt has left",
    .steps = payment_steps,
    .n_steps = STORE_COUNT(payment_steps),
    .on_end = payment_ended,
    .allows = payment_allows,
    .attach = load_attach,
    .estate = &retire_estate,
};

// ---- Starting -----------------------------------------------------------------------------------------------------

void recall_order_gid(const struct trade *trade, char out[TRADE_GID_MAX]) {
    snprintf(out, TRADE_GID_MAX, "%s/recall/%d", trade->row.trade_no, trade->row.purchase_no);
}

void recall_payment_gid(const struct trade *trade, int32_t attempt_no, char out[TRADE_GID_MAX]) {
    snprintf(out, TRADE_GID_MAX, "%s/recall/pay/%d", trade->row.trade_no, attempt_no);
}

bool recall_order(struct saga_turn *turn, struct error *error) {
    char gid[TRADE_GID_MAX];
    recall_order_gid(trade_of(saga_turn_subject(turn)), gid);
    const struct saga_start start = {.flow = recall_order_flow.name, .gid = str_c(gid)};
    return saga_turn_start(turn, &start, error);
}

bool recall_payment(struct saga_turn *turn, const struct pay_attempt_row *attempt, struct error *error) {
    char gid[TRADE_GID_MAX], input[16];
    recall_payment_gid(trade_of(saga_turn_subject(turn)), attempt->attempt_no, gid);
    snprintf(input, sizeof input, "%d", attempt->attempt_no);
    const struct saga_start start = {.flow = recall_payment_flow.name, .gid = str_c(gid), .input = str_c(input)};
    return saga_turn_start(turn, &start, error);
}
