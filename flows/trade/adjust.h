// A fill-up is authorised before it begins: what is ordered and paid is the most that is dispensed. Adjust says once
// what was, and then the trade is what was dispensed: its lines, its price by the rules that were kept with the quote,
// its ledger. What is not used of the money is not taken (cards are frozen until then: capture.h) or goes back (a
// refund of its own, which is none of what was sold). What follows the payment waits for it.
//
// The benefits are those that were chosen, as far as they still fit: a threshold that is lost loses its discount. But
// nobody pays more than was authorised: where it would come to more, the benefits are kept for the difference.
//
// A cancel before that is an adjustment to nothing, of all lines, and a refund of nothing after it: it tells the others
// that the order came to nothing, and the trade ends REFUNDED. A cancel after it is a refund of what was dispensed.
#ifndef TXC_FLOWS_TRADE_ADJUST_H
#define TXC_FLOWS_TRADE_ADJUST_H

#include "flows/trade/command.h"

// Whether the order is one that is adjusted: a leg each, from its start to its end.
saga_legs_fn adjust_applies, adjust_does_not;

// A cancel that comes before it is known what was dispensed, or that finds a fill-up paid: nothing was bought, of any
// of its lines. What was frozen of cards is released, what other tenders gave goes back, what was locked is free.
// False, and nothing is changed, when that can't be kept, or one of the sagas that the money needs can't be started.
bool adjust_to_nothing(struct saga_turn *turn, struct error *error);
// Whether it could be in this turn; also of a trade that is just about to be paid.
bool adjust_can_be_nothing(struct saga_turn *turn, struct error *error);

// It has been adjusted, and nothing was bought.
bool adjust_left_nothing(const struct trade *trade);

// Nothing will be adjusted any more: all that was authorised counts as bought. The trade is paid, and still to be
// adjusted.
void adjust_as_authorised(struct saga_turn *turn);

// The purchase's step that waits for it, and for what is captured then; and the order system is told of the difference.
saga_decide_fn adjust_adjusted;
saga_call_fn adjust_mark;

// The refund that gives back what was authorised and not used.
#define ADJUST_REFUND_NO "unused"

extern const struct command_kind adjust_kind;

#endif
