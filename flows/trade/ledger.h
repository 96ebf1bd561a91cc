// A trade's own double-entry ledger: what each event posts. Debits are positive, credits negative, and the amounts of
// one entry add up to zero, so the ledger does at all times. Pure.
//
//   event       postings
//   paid        tender:<no> + its amount, discount:<kind> + what it bore, sales - the list price
//   adjusted    tender:<no> - what is not taken of it, suspense:<no> - what goes back of it,
//               discount:<kind> - what is less of it, sales + what is less of the list price
//   refunded    tender:<no> - its leg, discount:<kind> - its part, sales + both
//   unwanted    tender:<no> + the money, suspense:<no> - the same      (late, double: to be given back)
//   conflicted  tender:<no> + the money, suspense:<no> - the same      (does not match: the operator's)
//   returned    suspense:<no> + the money, tender:<no> - the same
//   kept        suspense:<no> + the money, kept:<no> - the same        (does not match, and was accepted)
//   otherwise   tender:<no> + the money, otherwise:<no> - the same     (given back in another way than by its tender)
#ifndef TXC_FLOWS_TRADE_LEDGER_H
#define TXC_FLOWS_TRADE_LEDGER_H

#include "base/err.h"
#include "flows/trade/solver.h"

enum { LEDGER_ACCOUNT_MAX = 80, LEDGER_TEXT_MAX = 80 };

struct ledger_posting {
    int32_t entry; // 1, 2, …
    int64_t amount;
    char account[LEDGER_ACCOUNT_MAX + 1];
    char text[LEDGER_TEXT_MAX + 1];
};

// A trade's postings in order, with room for more. `postings` is the caller's and has room for `max`; `n` of them are
// there. Each function below adds one entry or, when it fails, nothing.
struct ledger {
    struct ledger_posting *postings;
    size_t n, max;
};

// What a tender gave, or is given back.
struct ledger_leg {
    struct str tender_no;
    int64_t amount; // >= 0; zero is not posted
};

// The trade is paid: the legs and the discounts add up to the list price. Fails with AMOUNT_MISMATCH when they don't,
// AMOUNT_OVERFLOW, RECORD_TOO_LARGE (no room left) or INTERNAL (a tender number too long for its account); so do all.
bool ledger_paid(struct ledger *ledger, const struct ledger_leg *legs, size_t n_legs,
                 const int64_t discounts[SOLVER_LAYERS], int64_t list_price, struct error *error);

// Less was bought than was authorised: so much less of each tender, which was not taken yet (`held`) or is to be given
// back (`owed`), of each layer's discount (below zero: more), of the list price. Fails as ledger_paid does.
bool ledger_adjusted(struct ledger *ledger, const struct ledger_leg *held, size_t n_held, const struct ledger_leg *owed,
                     size_t n_owed, const int64_t discounts[SOLVER_LAYERS], int64_t list_price, struct error *error);

// One line of what was bought, as a refund finds it: its list price is net + discounts.
struct ledger_line {
    int64_t net;
    int64_t discount[SOLVER_LAYERS];
    int64_t refunded;  // by the refunds that are posted already
    int64_t refunding; // by this one
};

// A refund: its legs add up to what its lines refund. With a line's net its discounts are reversed in proportion:
// cumulatively rounded down, so that they are reversed exactly when the whole net is, and never beyond. The discounts
// of a line that cost nothing are reversed by the refund with which the whole trade is. Fails as ledger_paid does, and
// with REFUND_EXCEEDS_REST when a line refunds more than is left of its net.
bool ledger_refunded(struct ledger *ledger, struct str refund_no, const struct ledger_leg *legs, size_t n_legs,
                     const struct ledger_line *lines, size_t n_lines, struct error *error);

enum ledger_suspense { LEDGER_UNWANTED, LEDGER_CONFLICTED, LEDGER_RETURNED, LEDGER_KEPT, LEDGER_OTHERWISE };

// Money that does not belong to the trade came, went back, or is kept; money goes another way than by its tender.
// Fails as ledger_paid does.
bool ledger_suspense(struct ledger *ledger, enum ledger_suspense event, const struct ledger_leg *leg,
                     struct error *error);

// Whether money that is there, or went, stands on this account.
bool ledger_is_money(struct str account);

// Whether the postings are a ledger: entries numbered 1, 2, … without gaps, each adding up to zero, no amount zero,
// every account named. Fails with INTERNAL, naming the entry.
bool ledger_check(const struct ledger_posting *postings, size_t n, struct error *error);

#endif
