// Rows, instances and flows as the messages that SagaService answers. Everything is made in the arena, which is also
// borrowed from: NULL when it is full.
#ifndef TXC_ORCHESTRATOR_SAGA_VIEW_H
#define TXC_ORCHESTRATOR_SAGA_VIEW_H

#include "saga/saga.h"
#include "txcenter/saga/v1/saga.pb-c.h"

// Without steps and attempts. The row may go afterwards.
Txcenter__Saga__V1__Saga *saga_view(const struct saga_row *row, struct arena *arena);

// Adds the steps, which may go afterwards; false when the arena is full.
bool saga_view_legs(Txcenter__Saga__V1__Saga *view, const struct saga_instance *saga, struct arena *arena);

// The same for a row. What the journal doesn't tell (a flow version that is not known here, a record that can't be
// read) leaves the saga without steps, and its text says why.
bool saga_view_steps(Txcenter__Saga__V1__Saga *view, const struct saga_row *row, const struct saga_engine *engine,
                     struct arena *arena);

// Adds the attempts, given newest first, oldest first. Their steps have the names that the view's steps have.
bool saga_view_attempts(Txcenter__Saga__V1__Saga *view, const struct attempt_row *rows, size_t n, struct arena *arena);

Txcenter__Saga__V1__Flow *flow_view(const struct saga_flow *flow, struct arena *arena);

Txcenter__Saga__V1__AuditEntry *audit_view(const struct audit_row *row, struct arena *arena);

#endif
