// One leg of a refund: a tender gives back its part. The step pay_out of the flow trade.refund.
#ifndef TXC_FLOWS_TRADE_REFUND_LEG_H
#define TXC_FLOWS_TRADE_REFUND_LEG_H

#include "flows/trade/trade.h"
#include "participant/payment/v1/payment.pb-c.h"

// The refund of the saga whose turn, or call, it is.
static inline struct refund_row *refund_of_turn(const struct saga_turn *turn) {
    return trade_refund(trade_of(saga_turn_subject(turn)), saga_turn_input(turn));
}
static inline struct refund_row *refund_of_call(const struct saga_call *call) {
    return trade_refund(trade_of(saga_call_subject(call)), saga_call_input(call));
}

// The step: whom a leg calls, how it stands, what is asked, what an operator says of it.
enum { STEP_PAY_OUT = 20 };
#define REFUND_LEG_STEP "pay_out"
saga_whom_fn refund_leg_pays_out;
saga_decide_fn refund_leg_paid_out;
saga_call_fn refund_leg_pay_out;
saga_ruled_fn refund_leg_ruled;
saga_right_fn refund_leg_came_right;
// Whether what is said of it can be.
bool refund_leg_may_be(struct saga_turn *turn, const struct saga_ruling *ruling, struct error *error);

// Whether the money may be on its way: what became of the leg's newest try is not known.
bool refund_leg_is_open(const struct refund_leg_row *leg);

// Its money is an operator's to pay out: a matter, for this reason. The saga that waits for it is `gid`; NULL: none.
void refund_leg_hold(struct saga_turn *turn, const struct refund_leg_row *leg, const char *reason, const char *gid);

// The channel refused it, and an operator has paid it out in another way, which the reference names: it is DONE. Should
// the channel say later that it has paid it out after all, that is an operator's again.
void refund_leg_paid_otherwise(struct saga_turn *turn, struct refund_leg_row *leg, const char *reference);

// Another saga drives it from now on, which begins with what this one has heard.
void refund_leg_handed_over(struct trade *trade, struct refund_leg_row *leg);

// The leg stays unpaid: its refund was terminated.
void refund_leg_stop(struct saga_turn *turn, struct refund_leg_row *leg);

// What the gateway says of one of our refunds. Only the newest try of a leg changes how the leg stands, but for
// an older one that was paid out after all before the newest was. What was not learnt has changed nothing, and is for
// an operator.
enum refund_learnt {
    REFUND_LEARNT,
    REFUND_UNKNOWN,         // no leg has this number
    REFUND_PAID_OUT_BEFORE, // an older try, or one of a refund that was ended
    REFUND_PAID_OUT_TOO,    // one that has gone back already: by another try, or otherwise
    REFUND_MISMATCHED,      // of another tender, amount or currency than was asked for
};
enum refund_learnt refund_leg_learn(struct saga_turn *turn, const Participant__Payment__V1__PaymentRefund *refund);

#endif
