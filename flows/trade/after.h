// Benefits that follow payment (points awarded, coupons issued) and that a refund takes back, or keeps from coming. The
// purchase gives them, under the key of its step; the refund takes them back under the same key, as a compensation
// does. The key holds the leg's generation, which the refund can't see (it is another saga's): so the trade counts its
// own, by the same rule: one more after each definite no.
#ifndef TXC_FLOWS_TRADE_AFTER_H
#define TXC_FLOWS_TRADE_AFTER_H

#include "flows/trade/trade.h"

// The trade is paid: all of them are to come.
void after_paid(struct trade *trade);

// Everything was refunded: what has not come yet never will. Durable before anything is taken back.
void after_refunded(struct trade *trade);

// For the step that gives it. True, and the call is answered, when it is never to come.
bool after_never(struct saga_call *call, enum after_benefit benefit);

// What came of that step: `applied` unless the participant answered that the taking back came first. Refunds that wait
// for it look again.
void after_answered(struct saga_turn *turn, enum after_benefit benefit, enum outcome outcome, bool applied);

// That step was skipped, or its saga terminated: should it not have come by now, it counts as never to come. Refunds
// that wait for it look again.
void after_given_up(struct saga_turn *turn, enum after_benefit benefit);

// The key under which the purchase's step gives it.
void after_key(const struct trade *trade, enum after_benefit benefit, uint16_t step_id, char out[SAGA_KEY_MAX]);

#endif
