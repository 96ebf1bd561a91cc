// What is learnt of one tender, from whatever source: an answer, a callback, a query. One place decides what it means.
// A tender's money has one way back at a time: while a reversal is under way nothing else gives it back.
#ifndef TXC_FLOWS_TRADE_TENDER_H
#define TXC_FLOWS_TRADE_TENDER_H

#include "flows/trade/trade.h"
#include "participant/payment/v1/payment.pb-c.h"

// Whether there is such a kind; whether it is taken by hand, at a terminal; of a stored-value card.
bool tender_kind_is_known(int64_t kind);
bool tender_kind_is_cash(int32_t kind);
bool tender_kind_is_card(int32_t kind);

// Taken from a stored-value card; through the payment gateway.
bool tender_is_card(const struct tender_row *tender);
bool tender_is_gateway(const struct tender_row *tender);

// The gateway's method of a tender kind.
Participant__Payment__V1__PaymentMethod tender_method(const struct tender_row *tender);

// Ours, for which the gateway takes its money: as it was configured when the tender was asked for.
const char *tender_merchant(const struct trade *trade, const struct tender_row *tender);

// When to ask the gateway again how a tender (or its refund) stands: after a pause that doubles with each time it was
// asked in vain, which is counted.
int64_t tender_next_query_ms(const struct trade *trade, int32_t *queries, int64_t now_ms);

// What the gateway says of who bears what; what is no amount of money counts as none said.
int64_t tender_minor(const Txcenter__Type__V1__Money *money);

// Sets its state; which may follow which: tender.c. The row is about to be written.
void tender_set_state(struct trade *trade, struct tender_row *tender, Txcenter__Trade__V1__TenderState state);

// Its money (so much came; 0: nobody knows, or in another currency) is an operator's: CONFLICTED, and a matter.
// tender->detail says what is wrong.
void tender_conflicts(struct saga_turn *turn, struct tender_row *tender, int64_t came, const char *reason);

// Starts its money's way back. False, and nothing is changed, when that can't be.
bool tender_give_back(struct saga_turn *turn, struct tender_row *tender, int64_t came, struct error *error);

// Takes in what the gateway answered. Money that came although the trade no longer wants it starts its way back, in
// this turn, exactly once. Money that doesn't match (amount, currency, merchant), or whose way back can't be started,
// makes the tender CONFLICTED.
void tender_learn(struct saga_turn *turn, struct tender_row *tender, const Participant__Payment__V1__Payment *payment);

// The same for what it says by itself. Once a reversal may have been sent that decides nothing: it may be older than
// the reversal or newer. That money came is noted, and looked after when the reversal is answered.
void tender_noticed(struct saga_turn *turn, struct tender_row *tender,
                    const Participant__Payment__V1__Payment *payment);

// It is to be made definite: closed, or, where it is a direct one, reversed, which gives back what was paid. Before the
// first request of that is sent; the requests follow from tender->undo, so that each is a repeat of the first.
void tender_give_up(struct saga_turn *turn, struct tender_row *tender);

// The answer to the attempt's compensation (CLOSED, FAILED or PAID). What was paid and did not go back with it goes
// back now.
void tender_undone(struct saga_turn *turn, struct tender_row *tender, const Participant__Payment__V1__Payment *payment);

// What an operator knows of one that is open: that it was paid in full, or was closed without.
void tender_stated(struct saga_turn *turn, struct tender_row *tender, bool paid, const char *why);

// Open, or with money that has not found its place: paid, and not the trade's yet; not matching.
bool tender_is_unsettled(const struct tender_row *tender);

// The attempt is over, and nobody asks any more: what is open counts as closed, and money that came goes back. A
// reversal that was not answered may have been sent, so what the gateway still has of it is asked before anything is
// given back.
void tender_abandon(struct saga_turn *turn, struct tender_row *tender);

// The payment in an answer to query, close or reverse, which are alike; NULL when there is none.
const Participant__Payment__V1__Payment *tender_payment_in(struct str answer, struct arena *arena);

// Whether it says what became of the tender: paid, failed or closed.
bool tender_is_definite(const Participant__Payment__V1__Payment *payment);

// Whether it is about this tender. Only of one that is paid it must say so.
bool tender_is_meant(const char *tender_no, const Participant__Payment__V1__Payment *payment);

// For a call about a tender: as effect_done(), but an answer that names another tender is not understood; nor, with
// `definite`, one that does not say what became of it.
//   payment_query(…, tender_answered, tender_asking(call, tender, false))
void *tender_asking(struct saga_call *call, const struct tender_row *tender, bool definite);
void tender_answered(void *asking, const struct adapter_answer *answer);

#endif
