// The command Pay, and what the calls that order and pay in one share of it.
#ifndef TXC_FLOWS_TRADE_PAY_H
#define TXC_FLOWS_TRADE_PAY_H

#include "flows/trade/command.h"

// What a payment needs.
struct pay_wish {
    Txcenter__Trade__V1__TenderInput *const *tenders;
    size_t n_tenders;
    int32_t on_failure;                            // resolved: KEEP or FAIL_TRADE
    const Txcenter__Type__V1__Money *rounding_off; // NULL: nothing is let off
};

void pay_check(const struct trades *trades, const struct pay_wish *wish, bool may_leave_one_open, struct error *error);
// Whether the combination allows all of the tenders.
bool pay_kinds(const struct pay_wish *wish, const Txcenter__Trade__V1__Combination *chosen, struct error *error);
// Whether a trade of this user may be paid so: without one no card pays.
bool pay_user(const struct pay_wish *wish, const char *user_id, struct error *error);
// What is let off is no longer payable, once the attempt has paid: of each line its part.
void pay_round_off(struct trade *trade, int64_t rounding_off);
// The tenders' amounts: with what is let off they add up to `payable`; the one without an amount gets the rest.
bool pay_amounts(const struct pay_wish *wish, int64_t payable, const char *currency, int64_t *ret_amounts,
                 struct error *error);
// Whether the trade may be tried to be paid once more.
bool pay_may_attempt(const struct trade *trade, struct error *error);
// Adds the trade's next attempt with its tenders, PLANNED: of these amounts, as pay_amounts() has looked at them.
struct pay_attempt_row *pay_plan(struct saga_turn *turn, const struct pay_wish *wish, const int64_t *amounts);
// Whether a call that pays has come to its outcome, with an error where the attempt failed; `wait_for` as in the API.
bool pay_outcome(const struct trade *trade, int32_t attempt_no, int32_t wait_for, struct error *ret_error);

extern const struct command_kind pay_kind;

#endif
