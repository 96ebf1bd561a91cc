// What was sold comes back with its money: balance before the money is paid out, items (and goods: holding_stock.c)
// after it. A line comes back when all of its money has; part of a line's money is a matter of money alone.
#include "flows/trade/refund_step.h"

#include "adapters/card/card.h"
#include "flows/trade/moved.h"
#include "flows/trade/purchase.h"
#include "flows/trade/quote_line.h"
#include "flows/trade/refund_end.h"
#include "flows/trade/refund_leg.h"
#include "flows/trade/shortfall.h"
#include "flows/trade/view.h"

// ---- Which lines --------------------------------------------------------------------------------------------------

void refund_goods_note(struct trade *trade, const struct refund_row *refund) {
    struct line_row *line;
    for (unsigned i = 0; (line = trade_line_of(trade, NULL, i)); i++) {
        bool all = line->refund_done == line->payable && (line->payable > 0 || refund->final);
        bool none = line->quantity == 0 && line->volume_centi == 0 && line->list_price == 0; // was bought of it
        if (!all || none || line->returned_by[0])
            continue;
        trade_change(trade, line);
        str_copy(str_c(refund->refund_no), line->returned_by, sizeof line->returned_by);
    }
}

bool refund_brings_back(const struct refund_row *refund, const struct line_row *line) {
    return strcmp(line->returned_by, refund->refund_no) == 0;
}

static unsigned lines_of(const struct saga_subject *subject, struct str input, const char *kind) {
    return refund_of_trade(subject, input) ? trade_lines_of(trade_of_const(subject), kind) : 0;
}

// ---- Balance, before the money ------------------------------------------------------------------------------------

#define NEVER_CAME "NOT_FOUND" // the card system's word for a recharge that it does not know

unsigned refund_of_recharge(const struct saga_subject *subject, struct str input) {
    return lines_of(subject, input, LINE_RECHARGE);
}

static void reverse_recharge(struct saga_call *call) {
    struct trade *trade = effect_trade(call);
    struct refund_row *refund = refund_of_call(call);
    Participant__Card__V1__ReverseRechargeRequest request = PARTICIPANT__CARD__V1__REVERSE_RECHARGE_REQUEST__INIT;
    Txcenter__Type__V1__Money amount = effect_money(trade, refund->amount);
    struct effect_whose whose; // of the refund's first saga, whichever asks
    trade_refund_first_gid(trade, refund->refund_no, whose.gid);
    struct adapter_effect effect = effect_of_step(call, saga_call_flow(call), STEP_REVERSE_RECHARGE, 1, &whose);
    char key[SAGA_KEY_MAX];
    purchase_recharge_key(trade, key);
    request.refund_no = refund->refund_no;
    request.recharge_key = key;
    request.amount = &amount;
    const struct effect_expected expected = {moved_principal, refund->amount,
                                             "another amount went from the card than was asked for", effect_done_bare};
    card_reverse_recharge(&effect_adapters(call)->card, &effect, &request, effect_done_as_expected,
                          effect_expecting(call, &expected));
}

void refund_reverse_recharge(struct saga_call *call) {
    if (refund_of_call(call)->recharge == RECHARGE_NEVER)
        purchase_cancel_recharge(call);
    else
        reverse_recharge(call);
}

// What the payer has spent meanwhile is not paid out: the refund comes to nothing, and its money is free again. Also of
// a recharge that has come and is spent while it was to be cancelled: the next refund finds it.
static struct saga_verdict give_up(struct trade *trade, struct refund_row *refund, const struct saga_asked *asked) {
    struct refund_leg_row *leg;
    trade_change(trade, refund);
    refund->recharge = RECHARGE_SPENT;
    for (int32_t i = 0; (leg = trade_refund_leg(trade, refund->refund_no, i)); i++) {
        trade_change(trade, leg);
        str_fit(str_c(asked->text), leg->detail, sizeof leg->detail);
    }
    return saga_done();
}

static void set_recharge(struct refund_row *refund, struct trade *trade, enum refund_recharge recharge) {
    trade_change(trade, refund);
    refund->recharge = (int32_t)recharge;
}

// Its balance is taken; or it can't come any more, so that there is none to take, for this refund or another.
static void reversed(struct trade *trade, struct refund_row *refund) {
    bool never = refund->recharge == RECHARGE_NEVER;
    set_recharge(refund, trade, never ? RECHARGE_NOT_ASKED : RECHARGE_TAKEN);
    if (never)
        trade_edit(trade)->missed |= MISSED_RECHARGE;
}

// The card system does not know the recharge. Where nobody knew whether it had come, it never did. Where it counts as
// credited, it was in another way (by hand, say), and so must be taken: nothing is paid out before somebody has seen to
// it.
static struct saga_verdict not_known(struct trade *trade, struct refund_row *refund, const struct saga_asked *asked) {
    bool never = trade->row.missed & MISSED_PERHAPS;
    set_recharge(refund, trade, never ? RECHARGE_NEVER : RECHARGE_NOT_ASKED);
    if (never)
        return saga_ask();
    return refund->stopped ? saga_done() : saga_reject(ERR_PARTICIPANT_REJECTED, asked->text);
}

// That it is asked for is durable before it is sent. From then on only the answer says whether the balance is taken,
// also to the saga that follows when this one is terminated.
struct saga_verdict refund_recharge_reversed(struct saga_turn *turn) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    struct refund_row *refund = refund_of_turn(turn);
    const struct saga_asked *asked = saga_turn_asked(turn);
    struct saga_verdict failed;
    if (asked && asked->outcome == OUTCOME_REJECTED) {
        if (refund->recharge == RECHARGE_NEVER || strcmp(asked->reason, NEVER_CAME) != 0)
            return give_up(trade, refund, asked);
        return not_known(trade, refund, asked);
    }
    if (refund_asked_in_vain(turn, &failed))
        return failed;
    if (asked)
        reversed(trade, refund);
    else if (refund->recharge == RECHARGE_NOT_ASKED && !refund->stopped && !(trade->row.missed & MISSED_RECHARGE))
        set_recharge(refund, trade, RECHARGE_ASKED);
    bool open = refund->recharge == RECHARGE_ASKED || refund->recharge == RECHARGE_NEVER;
    return open ? saga_ask() : saga_done();
}

// OK: it is done. REJECTED: nothing was taken.
void refund_recharge_ruled(struct saga_turn *turn, const struct saga_ruling *ruling) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    struct refund_row *refund = refund_of_turn(turn);
    if (ruling->outcome == OUTCOME_OK)
        reversed(trade, refund);
    else
        set_recharge(refund, trade, RECHARGE_NOT_ASKED);
}

// ---- Items, after it ----------------------------------------------------------------------------------------------

unsigned refund_of_items(const struct saga_subject *subject, struct str input) {
    return lines_of(subject, input, LINE_ITEM);
}

// A definite no means that the buyer has used it.
void refund_withdraw_item(struct saga_call *call) {
    const struct trade *trade = effect_trade(call);
    const struct line_row *line = trade_line_of(trade, LINE_ITEM, saga_call_leg(call));
    if (!refund_brings_back(refund_of_call(call), line))
        saga_call_ok(call, STR_NONE);
    else
        purchase_withdraw_item(call, saga_call_leg(call));
}

void refund_item_withdrawn(struct saga_turn *turn, enum saga_op op, enum outcome outcome, struct str answer) {
    (void)op, (void)outcome;
    const struct line_row *line = trade_line_of(trade_of(saga_turn_subject(turn)), LINE_ITEM, saga_turn_leg(turn));
    shortfall_of_answer(turn, answer, SHORTFALL_ITEM, line->payable, 0);
}
