// What is learnt of one tender, from whatever source: an answer, a callback, a query. One place decides what it means.
#ifndef TXC_FLOWS_TRADE_TENDER_H
#define TXC_FLOWS_TRADE_TENDER_H

#include "flows/trade/trade.h"
#include "participant/payment/v1/payment.pb-c.h"

// Goes through the payment gateway.
bool tender_is_gateway(const struct tender_row *tender);

// The gateway's method of a tender kind.
Participant__Payment__V1__PaymentMethod tender_method(const struct tender_row *tender);

// When to ask the gateway again how a tender (or its refund) stands: after a pause that doubles with each time it was
// asked in vain, which is counted.
int64_t tender_next_query_ms(const struct trade *trade, int32_t *queries, int64_t now_ms);

// Sets its state; which may follow which: tender.c. The row is about to be written.
void tender_set_state(struct trade *trade, struct tender_row *tender, Txcenter__Trade__V1__TenderState state);

// Takes in what the gateway says. Money that came although the trade no longer wants it starts its way back, in this
// turn, exactly once. Money that doesn't match (amount, currency, merchant) makes the tender CONFLICTED.
void tender_learn(struct saga_turn *turn, struct tender_row *tender, const Participant__Payment__V1__Payment *payment);

// Whether what it held at the gateway has gone back there, or is just about to: a scanned tender that we closed. Money
// that is said to have come for it is no longer there to be returned.
bool tender_is_reversed(const struct tender_row *tender);

// The gateway's code for a refund of what it does not hold.
#define TENDER_NOT_PAID "NOT_PAID"

// The tender's money is not wanted: starts its way back in this turn. Should that be impossible at present, the tender
// stays as it is: an operator is told, and when it is heard of again it is tried again.
void tender_return(struct saga_turn *turn, struct tender_row *tender);

#endif
