// What was bought and isn't taken from a pump or a shelf goes to its buyer: the balance of a recharge, a paid item.
#include "flows/trade/purchase_step.h"

#include "adapters/activity/activity.h"
#include "adapters/card/card.h"
#include "flows/trade/moved.h"
#include "flows/trade/quote_line.h"
#include "flows/trade/view.h"

unsigned purchase_recharges(const struct saga_subject *subject, struct str input) {
    (void)input;
    return trade_lines_of(trade_of_const(subject), LINE_RECHARGE);
}

unsigned purchase_items(const struct saga_subject *subject, struct str input) {
    (void)input;
    return trade_lines_of(trade_of_const(subject), LINE_ITEM);
}

void purchase_recharge(struct saga_call *call) {
    struct trade *trade = effect_trade(call);
    const struct line_row *line = trade_line_of(trade, LINE_RECHARGE, saga_call_leg(call));
    Participant__Card__V1__RechargeCardRequest request = PARTICIPANT__CARD__V1__RECHARGE_CARD_REQUEST__INIT;
    Txcenter__Type__V1__Money principal = effect_money(trade, line->payable);
    struct adapter_effect effect = effect_of(call);
    request.card_no = view_text(line->code);
    request.user_id = view_text(trade->row.user_id);
    request.principal = &principal;
    const struct effect_expected expected = {moved_principal, line->payable,
                                             "the card was credited with another amount than was paid for",
                                             effect_done_bare};
    card_recharge(&effect_adapters(call)->card, &effect, &request, effect_done_as_expected,
                  effect_expecting(call, &expected));
}

// Its answer names each piece, which a refund may have to take back.
void purchase_deliver_item(struct saga_call *call) {
    struct trade *trade = effect_trade(call);
    const struct line_row *line = trade_line_of(trade, LINE_ITEM, saga_call_leg(call));
    Participant__Activity__V1__DeliverItemRequest request = PARTICIPANT__ACTIVITY__V1__DELIVER_ITEM_REQUEST__INIT;
    struct adapter_effect effect = effect_of(call);
    if (line->quantity == 0) {
        saga_call_ok(call, STR_NONE); // a cancel has left none of it (adjust.h)
        return;
    }
    request.user_id = view_text(trade->row.user_id);
    request.station_id = view_text(trade->row.station_id);
    request.sku = view_text(line->code);
    request.quantity = line->quantity;
    activity_deliver(&effect_adapters(call)->activity, &effect, &request, effect_done_bare, call);
}

// ---- Under which key ------------------------------------------------------------------------------------------------

// After a definite no another try is made under the next key. A refund is another saga and can't see the leg that
// counts them, so the line does.
static void answered(struct saga_turn *turn, const char *kind, enum outcome outcome) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    struct line_row *line = trade_line_of(trade, kind, saga_turn_leg(turn));
    if (outcome != OUTCOME_REJECTED)
        return;
    trade_change(trade, line);
    line->delivery = (int32_t)saga_turn_generation(turn) + 1;
}

void purchase_recharged(struct saga_turn *turn, enum saga_op op, enum outcome outcome, struct str answer) {
    (void)op, (void)answer;
    answered(turn, LINE_RECHARGE, outcome);
}

void purchase_item_delivered(struct saga_turn *turn, enum saga_op op, enum outcome outcome, struct str answer) {
    (void)op, (void)answer;
    answered(turn, LINE_ITEM, outcome);
}

static struct effect_whose delivery_of(const struct trade *trade, uint16_t step_id, const char *kind, unsigned leg) {
    int32_t generation = trade_line_of(trade, kind, leg)->delivery;
    struct effect_whose whose;
    trade_purchase_gid(trade, whose.gid);
    saga_key(whose.gid, step_id, (uint8_t)leg, generation ? (uint32_t)generation : 1, whose.key);
    return whose;
}

void purchase_recharge_key(const struct trade *trade, char out[SAGA_KEY_MAX]) {
    const struct effect_whose whose = delivery_of(trade, STEP_RECHARGE, LINE_RECHARGE, 0);
    str_copy(str_c(whose.key), out, SAGA_KEY_MAX);
}

// ---- Taken back, as the delivery's compensation ---------------------------------------------------------------------

void purchase_cancel_recharge(struct saga_call *call) {
    Participant__Card__V1__CancelRechargeRequest request = PARTICIPANT__CARD__V1__CANCEL_RECHARGE_REQUEST__INIT;
    const struct effect_whose whose = delivery_of(effect_trade(call), STEP_RECHARGE, LINE_RECHARGE, 0);
    struct adapter_effect effect = effect_under(call, &whose);
    card_cancel_recharge(&effect_adapters(call)->card, &effect, &request, effect_done_bare, call);
}

void purchase_withdraw_item(struct saga_call *call, unsigned item) {
    Participant__Activity__V1__WithdrawItemRequest request = PARTICIPANT__ACTIVITY__V1__WITHDRAW_ITEM_REQUEST__INIT;
    const struct effect_whose whose = delivery_of(effect_trade(call), STEP_DELIVER_ITEMS, LINE_ITEM, item);
    struct adapter_effect effect = effect_under(call, &whose);
    activity_withdraw(&effect_adapters(call)->activity, &effect, &request, effect_done_as_short, call);
}
