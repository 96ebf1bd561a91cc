// Compares the center with every participant, to the unit: after the last trade has ended, whatever happened on the
// way. Works over any channels: real ones, or those of a test in one process.
#ifndef TXC_TESTS_CHECK_LEDGERS_H
#define TXC_TESTS_CHECK_LEDGERS_H

#include "rpc/client.h"

struct check_options {
    struct rpc_channel *center, *sim;
    // Runs whatever makes answers come; called until they do.
    void (*step)(void *ctx);
    void *step_ctx;
    const char *caller;
    // Each fault, one line; NULL: not told.
    void (*fault)(void *ctx, const char *trade_no, const char *text);
    void *fault_ctx;
    bool open_is_fine;            // trades that have not ended, or did so just now, are skipped, not faults
    bool os_is_off;               // the stations' own system is told of nothing
    bool settled;                 // everything that an operator must settle is: what is not is a fault
    const char *const *trade_nos; // only these, ended by NULL; NULL: all that the center or a participant knows
};

struct check_counts {
    int64_t trades, open, paid, refunded, unpaid, postings, entries, faults;
    int64_t money;    // minor units that the center says it holds: paid less refunded
    int64_t notified; // callbacks acknowledged
    int64_t adjusted, edited;
    int64_t recharges, issued; // cards, when it was paid for; coupons
    int64_t fuellings;         // that were paid for
    int64_t matters;           // settled, where that is looked at
};

// False when something could not be read (told as a fault) or any fault was found.
bool check_ledgers(const struct check_options *options, struct check_counts *ret_counts);

#endif
