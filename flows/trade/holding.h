// What an order holds until it is paid (TRADE_HOLDINGS): the steps that all of them share, and what each brings to
// them.
#ifndef TXC_FLOWS_TRADE_HOLDING_H
#define TXC_FLOWS_TRADE_HOLDING_H

#include "flows/trade/effect.h"
#include "flows/trade/holding_table.h"

// What a shortfall of it comes to.
struct holding_worth {
    int64_t amount, points;
};

// A call of its system, which ends the step's call.
typedef void holding_call_fn(struct saga_call *call, const struct adapter_effect *effect);

// One of them, as its file exports it. Functions look at the trade as it is: an adjustment may have left less of it
// than was held, or nothing.
struct holding {
    enum err refused; // what whoever ordered is told when it can't be held
    bool (*has)(const struct trade *trade);
    holding_call_fn *hold, *inquire, *let_go;
    // Asks for its use, with what is held under this key (empty: nothing is), and ends the call with `done`. False, and
    // the call is as it was, when there is nothing left to use.
    bool (*use)(struct saga_call *call, const struct adapter_effect *effect, const char *held_key,
                adapter_done_fn *done);
    struct holding_worth (*worth)(const struct trade *trade);
    holding_call_fn *give_back;
    // It has come back; NULL: nothing to note.
    void (*given_back)(struct trade *trade, struct refund_row *refund);

    // Of what each refund gives back a part of; NULL: the one after which nothing is left gives back all of it.
    // Whether this refund, whose money is back, gives back any.
    bool (*comes_back)(const struct trade *trade, const struct refund_row *refund);
    // Why it can't be used any more, as an operator is told who wants it deducted after all; NULL: it can.
    const char *(*too_late)(const struct trade *trade);

    // Of what is held in deduct-later mode, too, but elsewhere; NULL: nothing is. The key under which it is (empty: it
    // is not), and what lets go of it there.
    void (*later_key)(const struct trade *trade, char out[SAGA_KEY_MAX]);
    saga_call_fn *let_go_later;
};

// The rows, in the order of TRADE_HOLDINGS.
#define X(NAME, ...) +1
enum { HOLDINGS = TRADE_HOLDINGS(X) };
#undef X
enum holding_step { HOLDING_HOLD, HOLDING_USE, HOLDING_LET_GO, HOLDING_GIVE_BACK, HOLDING_STEPS };
struct holding_row {
    const struct holding *is;
    const char *name, *participant;
    enum trade_missed missed; // when it was held, and never used
    uint16_t steps[HOLDING_STEPS];
};
extern const struct holding_row holding_rows[HOLDINGS];
#define X(NAME, name, ...) extern const struct holding holding_##name;
TRADE_HOLDINGS(X)
#undef X

// Whether a step applies to the order; where it locks first; to a refund.
#define X(NAME, name, ...) saga_legs_fn holding_has_##name, holding_locks_##name, holding_returns_##name;
TRADE_HOLDINGS(X)
#undef X

// trade.purchase: what holds it, with its compensation; what uses it.
saga_call_fn holding_hold, holding_inquire, holding_undo, holding_use;
saga_answered_fn holding_used;
// trade.recall_order
saga_call_fn holding_let_go;
// trade.refund
saga_call_fn holding_give_back;
saga_answered_fn holding_given_back;

// Uses it as the purchase's step does, in whatever saga that is done.
void holding_use_as(struct saga_call *call, const struct holding_row *row, const struct adapter_effect *effect,
                    adapter_done_fn *done);

// Whether the trade holds any that was never used: a refund lets go of it.
bool holding_any_missed(const struct trade *trade);

// That whose step this is; that which a shortfall is called. NULL: none.
const struct holding_row *holding_of_step(enum holding_step which, uint16_t step_id);
const struct holding_row *holding_named(const char *name);

#endif
