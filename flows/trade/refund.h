// The flow trade.refund: money goes back, then everything that followed the payment. Gid:
// "<trade_no>/refund/<refund_no>". Two kinds: the refund of a trade, whole or in part; and the return of money that a
// trade did not want (a late success).
#ifndef TXC_FLOWS_TRADE_REFUND_H
#define TXC_FLOWS_TRADE_REFUND_H

#include "flows/trade/trade.h"
#include "participant/payment/v1/payment.pb-c.h"
#include "participant/settlement/v1/settlement.pb-c.h"

extern const struct saga_flow refund_flow;

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

// Reserves and starts it in this turn. False, and nothing is changed, when its saga can't be started (in memory there
// is still one of this gid, whose writes have failed, say).
bool refund_start(struct saga_turn *turn, const struct refund_plan *plan, struct error *error);

// A cancel that found the trade paid: all of it goes back.
void refund_cancelled(struct saga_turn *turn);
enum { REFUND_CANCELLED_NO_MAX = 16 };
#define REFUND_CANCELLED_NO "cancel"

// This tender's money was not wanted: it goes back. Once, however often it is said. Fails as refund_start() does.
bool refund_return(struct saga_turn *turn, const struct tender_row *tender, struct error *error);

// Unfinished refunds look again (the trade has completed, an award has come).
void refund_poke_all(struct saga_turn *turn);

// What the gateway says of one of our refunds. Only the newest try of a leg changes how the leg stands. What was not
// learnt has changed nothing, and is for an operator.
enum refund_learnt {
    REFUND_LEARNT,
    REFUND_UNKNOWN,         // no leg has this number
    REFUND_PAID_OUT_BEFORE, // an older try, after which another one was made
};
enum refund_learnt refund_learn(struct saga_turn *turn, const Participant__Payment__V1__PaymentRefund *refund);

// The postings of one entry of the trade's ledger, for the settlement system; `reversed` flips their signs.
void settlement_postings(const struct trade *trade, int32_t entry, bool reversed, struct arena *arena,
                         Participant__Settlement__V1__Posting ***ret_postings, size_t *ret_n);

#endif
