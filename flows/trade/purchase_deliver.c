// What was bought and isn't taken from a pump or a shelf goes to its buyer: the balance of a recharge, a paid item.
#include "flows/trade/purchase_step.h"

#include "adapters/activity/activity.h"
#include "adapters/card/card.h"
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
    card_recharge(&effect_adapters(call)->card, &effect, &request, effect_done_bare, call);
}

// Its answer names each piece, which a refund may have to take back.
void purchase_deliver_item(struct saga_call *call) {
    struct trade *trade = effect_trade(call);
    const struct line_row *line = trade_line_of(trade, LINE_ITEM, saga_call_leg(call));
    Participant__Activity__V1__DeliverItemRequest request = PARTICIPANT__ACTIVITY__V1__DELIVER_ITEM_REQUEST__INIT;
    struct adapter_effect effect = effect_of(call);
    request.user_id = view_text(trade->row.user_id);
    request.station_id = view_text(trade->row.station_id);
    request.sku = view_text(line->code);
    request.quantity = line->quantity;
    activity_deliver(&effect_adapters(call)->activity, &effect, &request, effect_done_bare, call);
}
