// The contract of calls (proto/participant/type/v1/effect.proto) as one suite over every action of every participant:
// rows say how to make a valid request, cases what must hold for each. The systems user and oil have no action, so no
// key of theirs is ever kept, inquired or compensated: of them every read has a row, with what the contract says of
// reads.
#ifndef TXC_TESTS_PARTICIPANTS_CONTRACT_H
#define TXC_TESTS_PARTICIPANTS_CONTRACT_H

#include "tests/participants/bed.h"

enum { CONTRACT_BEFORE_MAX = 3 };

// In texts "$n" stands for a number of the run's own, "$o" and "$g" for the order_no and the gift that an earlier call
// has answered. The action's key is "T$n/a", those of the calls before it are "T$n/b1", "T$n/b2", …; the trade is
// "T$n".
struct contract_row {
    const char *system, *method, *fields;
    const char *undo, *undo_fields; // the compensation; NULL: it has none
    const char *kind;               // what the action posts to the ledger; NULL: it is a read …
    size_t postings;                // … and how often
    struct {
        const char *system, *method, *fields;
    } before[CONTRACT_BEFORE_MAX]; // what must have happened
};
extern const struct contract_row contract_rows[]; // ends with a row without a system

struct contract_run {
    struct bed *bed;
    const struct contract_row *row;
    unsigned number;
    const char *trade_no, *key; // "T7", "T7/a"
    const char *order_no, *gift_id;
};

struct contract_case {
    const char *name;
    void (*run)(struct contract_run *run);
    bool needs_undo, crashes, reads; // reads: it is about them, and about nothing else
};
extern const struct contract_case contract_cases[]; // ends with a case without a name

// "$n" and "$o" filled in.
const char *contract_expand(const struct contract_run *run, const char *text);

// Runs every case for every row. The exit code of the program.
int contract_run(const char *group, enum bed_kind kind);

#endif
