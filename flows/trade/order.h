// Ordering from a kept quote, alone or with the first payment (the combined calls).
#ifndef TXC_FLOWS_TRADE_ORDER_H
#define TXC_FLOWS_TRADE_ORDER_H

#include "flows/trade/command.h"

// What an order needs; all three calls come down to it.
struct order_wish {
    int32_t quote_version;
    const char *combination_id;
    const Txcenter__Type__V1__Money *expected_payable;
    int32_t mode, expires_in_seconds;
    bool accept_degraded;
};

// What a payment needs.
struct pay_wish {
    Txcenter__Trade__V1__TenderInput *const *tenders;
    size_t n_tenders;
    int32_t on_failure; // resolved: KEEP or FAIL_TRADE
};

void order_check(const struct trades *trades, const struct order_wish *wish, struct error *error);

// Whether the trade can be ordered so, and then the combination that was chosen.
bool order_allowed(const struct trade *trade, const struct order_wish *wish, int64_t now_ms, struct arena *arena,
                   const Txcenter__Trade__V1__Combination **ret_combination, struct error *error);
// Puts the order into the turn: starts its saga, then lines, amounts, state; with `pay`, the planned attempt too. The
// trade must have been looked at by order_allowed(), the tenders by pay_amounts(). False, and nothing is changed, when
// the saga can't be started.
bool order_start(struct saga_turn *turn, const struct order_wish *wish,
                 const Txcenter__Trade__V1__Combination *combination, const struct pay_wish *pay, struct error *error);

// pay.c
void pay_check(const struct trades *trades, const struct pay_wish *wish, bool may_leave_one_open, struct error *error);
// The tenders' amounts: they add up to `payable`; the one without an amount gets the rest.
bool pay_amounts(const struct pay_wish *wish, int64_t payable, int64_t *ret_amounts, struct error *error);
struct payment_row *pay_plan(struct saga_turn *turn, const struct pay_wish *wish, const int64_t *amounts);
// The outcome of a call that pays: `wait_for` as in the API.
bool pay_outcome(const struct trade *trade, int32_t attempt_no, int32_t wait_for, struct error *ret_error);

// refund_command.c: may (more of) the trade be refunded?
bool refund_allowed(const struct trade *trade, int64_t now_ms, struct error *error);

extern const struct command_kind order_kind, order_pay_kind, quote_order_pay_kind, pay_kind, cancel_kind, refund_kind;

#endif
