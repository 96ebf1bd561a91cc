// Refunds before their flow: how they are spread over tenders and lines, reserved, and started.
#ifndef TXC_FLOWS_TRADE_REFUND_PLAN_H
#define TXC_FLOWS_TRADE_REFUND_PLAN_H

#include "flows/trade/trade.h"

// How a refund is spread: decided before it starts, reserved with it.
struct refund_plan {
    const char *refund_no;
    const char *reason;
    int64_t amount;
    bool final;                              // nothing is left after it
    int64_t tender_parts[TRADE_TENDERS_MAX]; // of the paid attempt's tenders, by number
    size_t n_tenders;
    int64_t line_parts[TRADE_LINES_MAX]; // of the order's lines
    size_t n_lines;
};

// Everything that is left.
void refund_plan_rest(const struct trade *trade, struct refund_plan *plan);

// Whether one of this number, which the trade has not had yet, can be started in this turn.
bool refund_plan_can_start(struct saga_turn *turn, const char *refund_no, struct error *error);

// Reserves and starts it in this turn. False, and nothing is changed, when its saga can't be started (in memory there
// is still one of this gid, whose writes have failed, say).
bool refund_plan_start(struct saga_turn *turn, const struct refund_plan *plan, struct error *error);

// A cancel that found the trade paid: all of it goes back.
void refund_plan_cancelled(struct saga_turn *turn);
enum { REFUND_CANCELLED_NO_MAX = 16 };
#define REFUND_CANCELLED_NO "cancel"
// Of a trade whose shortfall is not to stand (shortfall.h).
#define REFUND_SHORTFALL_NO "shortfall"

// This tender's money was not wanted: so much of it goes back. Once, however often it is said; again only once an
// operator has ended a return before it was paid out. Fails as refund_plan_start() does.
bool refund_plan_return(struct saga_turn *turn, const struct tender_row *tender, int64_t amount, struct error *error);

// What was authorised and not used, of each tender of the paid attempt, by number: what was taken of it goes back.
// Fails as refund_plan_start() does.
bool refund_plan_unused(struct saga_turn *turn, const int64_t parts[TRADE_TENDERS_MAX], struct error *error);

// The part of `total` (a discount, an award) that this refund, whose money is back, reverses: in proportion to what is
// refunded with it and with all that ended before it, so that the parts of all refunds of a trade add up to the total
// exactly.
int64_t refund_plan_share(int64_t total, const struct refund_row *refund, int64_t paid);

// How much of the n-th line of the order the refund bears; and all those together whose money was back before its was.
int64_t refund_plan_line(const struct refund_row *refund, size_t n);
int64_t refund_plan_line_before(const struct trade *trade, const struct refund_row *refund, size_t n);

#endif
