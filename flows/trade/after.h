// What follows payment and a refund takes back, or keeps from coming (AFTER_TABLE: points awarded, coupons issued,
// growth, records, gifts, invoices). The purchase gives them, each by a step of its own and under that step's key; the
// refund takes them back, under the same key as a compensation does, or by an action of its own that names the key. The
// key holds the leg's generation, which the refund can't see (it is another saga's): so the trade counts its own, by
// the same rule: one more after each definite no.
#ifndef TXC_FLOWS_TRADE_AFTER_H
#define TXC_FLOWS_TRADE_AFTER_H

#include "flows/trade/effect.h"

// The trade is paid: all of them that it has are to come.
void after_paid(struct trade *trade);

// Everything was refunded: what has not come yet never will. Durable before anything is taken back.
void after_refunded(struct trade *trade);

// That the purchase's saga gives none of them any more: those that have not come by now never will.
void after_over(struct saga_turn *turn);

// The benefit of a step of the purchase; AFTERS when it gives none.
enum after_benefit after_of_step(uint16_t step_id);

// ---- For the steps that give them -----------------------------------------------------------------------------------

// True, and the call is answered, when the benefit of its step is never to come.
bool after_never(struct saga_call *call);

// What came of it: given, unless there is no answer, which means that the taking back came first
// (effect_done_unless_cancelled). Refunds that wait for it look again.
saga_answered_fn after_answered;

// Skipped: should it not have come by now, it counts as never to come. Refunds that wait for it look again.
saga_ruled_fn after_ruled;

// ---- For the steps that take them back ------------------------------------------------------------------------------

// The key under which the purchase's step gives it.
void after_key(const struct trade *trade, enum after_benefit benefit, char out[SAGA_KEY_MAX]);

// The effect of that step's compensation: under its key, which is kept in `key`.
struct adapter_effect after_undo_effect(const struct saga_call *call, enum after_benefit benefit,
                                        char key[SAGA_KEY_MAX]);

#endif
