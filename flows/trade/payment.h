// The flow trade.payment: one attempt to pay an order with any number of tenders. Gid: "<trade_no>/pay/<attempt_no>".
#ifndef TXC_FLOWS_TRADE_PAYMENT_H
#define TXC_FLOWS_TRADE_PAYMENT_H

#include "flows/trade/trade.h"

extern const struct saga_flow payment_flow;

// Starts the attempt's saga in this turn; its rows (payment, tenders) are there.
void payment_start(struct saga_turn *turn, struct pay_attempt_row *attempt);

// The trade is paid, by this attempt or (NULL) because nothing was payable: state, ledger, what is to follow. In the
// turn that makes it so: the watershed.
void payment_settle(struct saga_turn *turn, struct pay_attempt_row *attempt);

// ---- Points of an order that locks nothing first: each attempt freezes them (D47) -----------------------------------

// The key under which the attempt that paid has frozen them; empty when none did, because nothing was payable.
void payment_points_key(const struct trade *trade, char out[SAGA_KEY_MAX]);
// Unfreezes what is frozen under it, in whatever saga that is done; ends the call.
saga_call_fn payment_unfreeze_paid;

// ---- For capture.c: a card of an attempt, whose number is the input; under which key it was frozen ------------------

struct tender_row *payment_card(const struct trade *trade, struct str input, uint8_t leg);
void payment_freeze_key(const struct trade *trade, int32_t attempt_no, uint8_t leg, char out[SAGA_KEY_MAX]);

// ---- For recall.c: what undoes an attempt, in whatever saga it is done; the input is the attempt's number -----------

saga_legs_fn payment_cards, payment_gateways, payment_freezes_points;
saga_call_fn payment_undo_confirm, payment_undo_create, payment_release, payment_unfreeze_points;
saga_answered_fn payment_closed, payment_released;
// Whether what the gateway is said to have answered to close or reverse makes the tender definite.
bool payment_close_fits(struct saga_turn *turn, const ProtobufCMessage *answer);

// -------------------------------------------------------------------------------------------------------------------

// Its saga looks again at what it waits for (a tender has changed, the trade is closing).
void payment_poke(struct saga_turn *turn, int32_t attempt_no);

#endif
