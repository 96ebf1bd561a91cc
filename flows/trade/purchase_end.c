#include "flows/trade/purchase_end.h"

#include "adapters/order/order.h"
#include "flows/trade/adjust.h"
#include "flows/trade/after.h"
#include "flows/trade/holding.h"
#include "flows/trade/internal.h"
#include "flows/trade/payment.h"
#include "flows/trade/purchase.h"
#include "flows/trade/recall.h"
#include "flows/trade/refund.h"
#include "flows/trade/refund_end.h"
#include "flows/trade/reorder.h"
#include "flows/trade/ruling.h"
#include "flows/trade/shortfall.h"

// ---- Ends ---------------------------------------------------------------------------------------------------------

// What whoever ordered is told: which part of it failed. The participant's own words stay beside it.
static enum err failure_of(const struct saga_turn *turn, int32_t closing) {
    switch (closing) {
    case CLOSING_CANCEL:
    case CLOSING_REORDER:
    case CLOSING_EXPIRY: return ERR_TRADE_ENDED;
    case CLOSING_TAKEN: return ERR_SOURCE_TAKEN;
    case CLOSING_FAILURE:
    case CLOSING_CONFLICT: return ERR_PAYMENT_FAILED;
    default: break;
    }
    if (saga_turn_saga(turn)->code == ERR_STOPPED_BY_OPERATOR)
        return ERR_STOPPED_BY_OPERATOR;
    if (saga_turn_step(turn)->id == STEP_CLAIM_SOURCES)
        return strcmp(saga_turn_saga(turn)->reason, err_info(ERR_SOURCE_PAID)->name) == 0 ? ERR_SOURCE_PAID
                                                                                          : ERR_SOURCE_TAKEN;
    const struct holding_row *holding = holding_of_step(HOLDING_HOLD, saga_turn_step(turn)->id);
    return holding ? holding->is->refused : ERR_ORDER_REFUSED;
}

// It is not to be paid any more, because of what the saga says, or of what it was being closed for already.
static void close_trade(struct saga_turn *turn) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    const struct saga_instance *saga = saga_turn_saga(turn);
    struct trade_row *row = trade_edit(trade);
    trade_set_state(trade, TRADE_STATE(CLOSING), saga_turn_now(turn));
    if (row->failure != ERR_OK)
        return; // why is known
    row->failure = (int32_t)failure_of(turn, row->closing);
    if (row->closing == CLOSING_NO)
        row->closing = CLOSING_FAILURE;
    str_fit(str_c(row->closing == CLOSING_CANCEL ? TRADE_REASON_CANCELLED : saga->reason), row->reason,
            sizeof row->reason);
    if (row->closing != CLOSING_CANCEL)
        str_fit(str_c(saga->text), row->text, sizeof row->text); // else the caller's own words stay
}

struct saga_verdict purchase_end_reversed(struct saga_turn *turn) {
    close_trade(turn);
    return saga_done();
}

void purchase_end_over(struct saga_turn *turn) {
    static const Txcenter__Trade__V1__TradeState states[] = {
        [CLOSING_NO] = TRADE_STATE(FAILED),           [CLOSING_CANCEL] = TRADE_STATE(CANCELLED),
        [CLOSING_EXPIRY] = TRADE_STATE(EXPIRED),      [CLOSING_FAILURE] = TRADE_STATE(FAILED),
        [CLOSING_CONFLICT] = TRADE_STATE(CONFLICTED), [CLOSING_REORDER] = TRADE_STATE(FAILED),
        [CLOSING_TAKEN] = TRADE_STATE(CANCELLED),
    };
    struct trade *trade = trade_of(saga_turn_subject(turn));
    struct pay_attempt_row *planned = trade_open_attempt(trade);
    if (planned && planned->state == ATTEMPT_PLANNED) {
        trade_change(trade, planned);
        planned->state = ATTEMPT_FAILED;
        planned->ended_ms = saga_turn_now(turn);
        memcpy(planned->reason, trade->row.reason, sizeof planned->reason);
        memcpy(planned->text, trade->row.text, sizeof planned->text);
    }
    if (trade->row.closing == CLOSING_REORDER && reorder_begin(turn))
        return;
    trade_set_state(trade, states[trade->row.closing], saga_turn_now(turn));
    trade_edit(trade)->closing = CLOSING_NO;
}

static bool is_being_paid(const struct trade *trade) {
    const struct pay_attempt_row *open = trade_open_attempt(trade);
    return open && open->state == ATTEMPT_OPEN;
}

void purchase_end_abandon(struct saga_turn *turn) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    if (trade->row.state != TRADE_STATE(CLOSING))
        return;
    trade_edit(trade)->stopped = STOPPED_ABANDONED;
    if (!is_being_paid(trade))
        purchase_end_over(turn);
}

void purchase_end_poke(struct saga_turn *turn) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    char gid[TRADE_GID_MAX];
    if (trade->row.stopped == STOPPED_ABANDONED) {
        purchase_end_abandon(turn);
        return;
    }
    if (trade->row.stopped == STOPPED_RECALLED)
        recall_order_gid(trade, gid);
    else
        trade_purchase_gid(trade, gid);
    saga_turn_poke(turn, str_c(gid));
}

void purchase_end_complete(struct saga_turn *turn) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    trade_edit(trade)->completed_ms = saga_turn_now(turn);
    if (trade->row.state == TRADE_STATE(PAID))
        trade_set_state(trade, TRADE_STATE(COMPLETED), saga_turn_now(turn));
    refund_poke_all(turn); // refunds wait for this
}

// Known not to have taken place: what was never done is not taken back either.
void purchase_end_missed(struct saga_turn *turn, uint16_t step_id, enum trade_missed missed) {
    if (saga_turn_happened(turn, step_id, 0) == SAGA_HAPPENED_NOT)
        trade_edit(trade_of(saga_turn_subject(turn)))->missed |= (int32_t)missed;
}

// What a refund whose money is back takes back of the record, settlement has been told, or is being told.
static bool is_reversed(const struct trade *trade) {
    const struct refund_row *refund;
    for (size_t i = 0; (refund = trade_at(trade, PART_REFUND, i)); i++)
        if (refund->kind == REFUND_OF_TRADE && refund_end_is_over(refund) && !refund_end_came_to_nothing(refund))
            return true;
    return false;
}

// ---- Operators ----------------------------------------------------------------------------------------------------

// Terminated before it was paid. It will not be paid any more: money that still comes goes back.
static void stop_unpaid(struct saga_turn *turn) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    struct error error = {0};
    if (trade->row.closing == CLOSING_REORDER)
        trade_edit(trade)->closing = CLOSING_NO; // nor is it ordered again
    close_trade(turn);
    trade->row.stopped = STOPPED_RECALLED;
    if (is_being_paid(trade))
        payment_poke(turn, trade->row.attempt_no);
    if (!recall_order(turn, &error)) {
        trades_alert(trade->trades, "a terminated order can't be undone", trade, error.text);
        purchase_end_abandon(turn);
    }
}

// Terminated after it was paid: it counts as complete, so that it can be refunded, and what has not come of it never
// will.
static void stop_paid(struct saga_turn *turn) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    for (size_t i = 0; i < HOLDINGS; i++) {
        uint16_t use_step = holding_rows[i].steps[HOLDING_USE];
        if (saga_instance_leg(saga_turn_saga(turn), use_step, 0)) // though nothing is left to use
            purchase_end_missed(turn, use_step, holding_rows[i].missed);
    }
    purchase_end_missed(turn, STEP_RECHARGE, MISSED_RECHARGE);
    if (saga_turn_happened(turn, STEP_RECHARGE, 0) == SAGA_HAPPENED_PERHAPS)
        trade_edit(trade)->missed |= MISSED_PERHAPS;
    purchase_end_missed(turn, STEP_RECORD_SETTLEMENT, MISSED_SETTLEMENT);
    if (trade->row.adjust == ADJUST_AWAITED)
        adjust_as_authorised(turn);
    after_over(turn);
    if (trade->row.completed_ms == 0) {
        purchase_end_complete(turn);
        shortfall_refund(turn);
    }
    trades_alert(trade->trades, "the saga of a paid trade was terminated", trade, saga_turn_saga(turn)->text);
    if (is_reversed(trade) && saga_turn_happened(turn, STEP_RECORD_SETTLEMENT, 0) != SAGA_HAPPENED)
        trades_alert(trade->trades, "settlement was told to take back what it may not have recorded", trade, "");
}

struct saga_verdict purchase_end_ended(struct saga_turn *turn) {
    enum saga_status status = saga_turn_saga(turn)->status;
    if (status == SAGA_FAILED)
        purchase_end_over(turn);
    else if (status == SAGA_TERMINATED && trade_is_paid(trade_of(saga_turn_subject(turn))))
        stop_paid(turn);
    else if (status == SAGA_TERMINATED)
        stop_unpaid(turn);
    return saga_done();
}

static bool order_no_fits(struct saga_turn *turn, const ProtobufCMessage *answer) {
    const Participant__Order__V1__CreateOrderResponse *response = (const void *)answer;
    (void)turn;
    return strlen(response->order_no) <= TRADE_ID_MAX;
}

static bool may_turn_round(const struct trade *trade, struct error *error) {
    char gid[TRADE_GID_MAX];
    if (trade_is_paid(trade))
        return error_set(error, ERR_SAGA_STATE, "the trade is paid: refund it");
    if (!is_being_paid(trade))
        return true;
    trade_payment_gid(trade, trade->row.attempt_no, gid);
    return error_set(error, ERR_SAGA_STATE, "payment %s is under way: %s", gid,
                     trade->row.closing == CLOSING_NO ? "cancel the trade, which closes it first"
                                                      : "the trade is being closed, and waits for it");
}

// Skipped, nothing of the record is taken back: so it is known not to be there, and nothing was taken back of it.
static bool may_skip_record(struct saga_turn *turn, struct error *error) {
    if (saga_turn_happened(turn, STEP_RECORD_SETTLEMENT, 0) != SAGA_HAPPENED_NOT)
        return error_set(error, ERR_SAGA_STATE, "whether it was recorded is not known: retry it, or resolve it");
    return !is_reversed(trade_of(saga_turn_subject(turn))) ||
           error_set(error, ERR_SAGA_STATE,
                     "a refund takes back part of the record: retry it, or see to it there and resolve it");
}

#define RESOLVE_IT "resolve it with what became of it; should it never be possible, terminate the saga"

#define RULES(NAME, name, missed, participant, hold, use, let_go, give_back, when_used, when_back, unheld, still_held) \
    {.step_id = ROW_STEP_ID hold, .no_skip = unheld ": " RULING_RESOLVE_OR_COMPENSATE},                                \
        {.step_id = ROW_STEP_ID hold, SAGA_COMPENSATE, still_held ": " RULING_RESOLVE_THERE},                          \
        {.step_id = ROW_STEP_ID use, .no_skip = still_held ": " RESOLVE_IT},

bool purchase_end_allows(struct saga_turn *turn, const struct saga_ruling *ruling, struct error *error) {
    static const struct ruling_rule rules[] = {
        TRADE_HOLDINGS(RULES) // a row each
        {.step_id = STEP_CREATE_ORDER,
         .no_skip = "nothing goes on without an order number: " RULING_RESOLVE_OR_COMPENSATE,
         .answers = &order_create_method,
         .fits = order_no_fits},
        {.step_id = STEP_CREATE_ORDER, SAGA_COMPENSATE, "the order would stay open: " RULING_RESOLVE_THERE},
        {.step_id = STEP_RECHARGE, .no_skip = "the buyer would not get what was paid for: " RESOLVE_IT},
        {.step_id = STEP_DELIVER_ITEMS, .no_skip = "the buyer would not get what was paid for: " RESOLVE_IT},
        {.step_id = 0},
    };
    if (ruling->act == SAGA_ACT_COMPENSATE)
        return may_turn_round(trade_of(saga_turn_subject(turn)), error);
    if (ruling->act == SAGA_ACT_SKIP && saga_turn_step(turn)->id == STEP_RECORD_SETTLEMENT &&
        !may_skip_record(turn, error))
        return false;
    enum after_benefit benefit = after_of_step(saga_turn_step(turn)->id);
    if (benefit != AFTERS && ruling->act == SAGA_ACT_SKIP && !after_may_skip(turn, benefit, error))
        return false;
    if (benefit != AFTERS) {
        const struct follower *follower = follower_rows[benefit].is;
        const struct ruling_rule resolved[] = {
            {.step_id = follower_rows[benefit].give_step, .answers = follower->answers, .fits = follower->fits},
            {.step_id = 0}};
        return ruling_allowed(resolved, turn, ruling, error);
    }
    return ruling_allowed(rules, turn, ruling, error);
}
