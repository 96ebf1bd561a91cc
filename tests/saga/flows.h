// Flows that the engine is tested with; their effects go to the model participant of the bed that is open.
#ifndef TXC_TESTS_SAGA_FLOWS_H
#define TXC_TESTS_SAGA_FLOWS_H

#include "saga/turn.h"

extern const struct saga_flow flow_pair, // debit, then credit
    flow_trip,                           // a and b, then c, the pivot, then d beside extra (non-core), then e
    flow_order,  // about an account: reserve, book (local), paid (the pivot: waits for the account), ship beside tell
    flow_await,  // begin, then an await of "paid", then close
    flow_parent, // a child (pair), then b
    flow_beside, // a child (pair), and b beside it
    flow_ask,    // a decision that asks until it knows
    flow_desk;   // about an account: reserve, then a decision that is parked until somebody says; see flows.c

extern const struct saga_flow *const test_flows[]; // all of them; NULL-terminated

#endif
