// Who waits for a trade: calls for their outcome, streams for every change. What they are told is made when the change
// is handed to the store and sent when it is durable, so nobody ever hears of what a crash could take back; the stored
// answer of a request is written in the same transaction.
#ifndef TXC_FLOWS_TRADE_WAIT_H
#define TXC_FLOWS_TRADE_WAIT_H

#include "base/heap.h"
#include "flows/trade/trade.h"

struct trade_waiter {
    struct trade_waiter *next;
    struct trade *trade; // held while attached
    // Has it come to what is waited for? Then either the answer, in the arena, or the error. `arena` is scratch.
    bool (*outcome)(struct trade_waiter *waiter, struct arena *arena, struct str *ret_answer, struct error *ret_error);
    // Once (streams: each time), when that is durable. A call's waiter is detached.
    void (*done)(struct trade_waiter *waiter, struct str answer, const struct error *error);
    // Instead, when the trade's writes failed. The waiter is detached.
    void (*failed)(struct trade_waiter *waiter, const struct error *error);
    // The turn after which it was attached is durable, and it isn't ready yet: from here on the wait may end. NULL is
    // fine.
    void (*accepted)(struct trade_waiter *waiter);
    bool streams;                // stays attached; `outcome` is asked again after each change
    struct request_row *request; // gets the answer; NULL: none
    // Of wait.c:
    int64_t attached, flush; // the flush that was next when it was attached, and that of the answer
    bool told;
    bool ready;
    struct str answer; // owned
    struct error error;
};

void trade_wait(struct trade *trade, struct trade_waiter *waiter);
// Detaches; nothing if it isn't attached.
void trade_unwait(struct trade_waiter *waiter);

// For trade.c: when a turn is flushed, committed, failed.
void trade_waiters_look(struct trade *trade, struct store_write *write);
void trade_waiters_release(struct trade *trade);
void trade_waiters_fail(struct trade *trade, const struct error *error);

#endif
