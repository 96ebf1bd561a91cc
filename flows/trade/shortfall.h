// What a paid trade could not have though it stands (D40): a benefit that was gone when it was to be used, which the
// payer has had. Each is a matter that an operator settles (matter.h).
#ifndef TXC_FLOWS_TRADE_SHORTFALL_H
#define TXC_FLOWS_TRADE_SHORTFALL_H

#include "flows/trade/trade.h"

// What was missing, as it is stored and told: a holding's name (holding_table.h), or
#define SHORTFALL_ITEM "item" // refunded, and used before it was taken back
#define SHORTFALL_CARD "card" // what it was to pay was not taken of it, or nobody knows: an operator has ended that
// What the trade earned, and was spent before a refund could take it back.
#define SHORTFALL_POINTS_SPENT "points_spent"
#define SHORTFALL_COUPONS_SPENT "coupons_spent"
#define SHORTFALL_GIFTS_SPENT "gifts_spent"

struct shortfall {
    const char *what, *reason, *text;
    int64_t amount, points; // what it is worth
};
void shortfall_add(struct saga_turn *turn, const struct shortfall *shortfall);

// Refunds a trade that is complete, where what it could not have is not to stand (trade_shortfall). To be called once
// it is (also because its purchase was terminated), and whenever a deduction was tried once more, and in vain.
void shortfall_refund(struct saga_turn *turn);
// All the money of a refund is back: if it was that one, there is nothing to settle any more. (One that an operator has
// ended leaves what was short in the queue.)
void shortfall_refunded(struct saga_turn *turn, const struct refund_row *refund);

// Of an answer that effect_done_as_short() has kept: whether it is a shortfall, which is added then.
bool shortfall_of_answer(struct saga_turn *turn, struct str answer, const char *what, int64_t amount, int64_t points);

#endif
