// Sagas that callers define: a definition from data becomes a flow like any other. What is stored of such a saga as its
// input is the definition itself, so it runs as it was submitted however long it takes.
#ifndef TXC_FLOWS_DEFINED_DEFINITION_H
#define TXC_FLOWS_DEFINED_DEFINITION_H

#include "adapters/raw/raw.h"
#include "saga/flow.h"
#include "txcenter/saga/v1/saga.pb-c.h"

enum {
    DEFINED_DEADLINE_MS = 3000, // of a call whose definition says none
    DEFINED_DEADLINE_MAX_MS = 60000,
    DEFINED_PAUSE_MAX_MS = 3600000,
    DEFINED_PARTS_MAX = 16, // of one payload
    DEFINED_STEPS_MAX = 64,
};
// 29 days: of an await, and of a whole saga. What is undone when it is over must still be remembered by its
// participant: for 30 days (participant/type/v1/effect.proto).
#define DEFINED_TIME_MAX_MS INT64_C(2505600000)

// What makes flows of definitions, and carries out their calls.
struct defined {
    struct saga_flow_maker maker;
    struct raw *raw; // borrowed
};
void defined_init(struct defined *defined, struct raw *raw);

// What is stored of a saga: an encoded SagaDefinition, and what is passed on with each of its calls (texts without
// spaces). In the arena; ptr NULL without memory.
struct str defined_input(struct str definition, const char *request_id, const char *traceparent, struct arena *arena);

// The encoded definition in it.
struct str defined_definition(struct str input);

// Whether two encoded definitions say the same, however each is written (fields may come in any order).
bool defined_same(struct str one, struct str other);

// Adds every fault of a definition as a field violation below `path`. One without any makes a flow.
void defined_check(const Txcenter__Saga__V1__SagaDefinition *definition, const char *path, struct error *error);

// The same for targets that may not be called (any more, where the saga is there already).
void defined_check_targets(const struct defined *defined, const Txcenter__Saga__V1__SagaDefinition *definition,
                           const char *path, struct error *error);

// The flow of a definition that was decoded into `arena`, which becomes the flow's own. NULL, with every fault of it
// below `path`: then the arena stays the caller's. The texts are copied.
const struct saga_flow *defined_flow(const struct defined *defined,
                                     const Txcenter__Saga__V1__SagaDefinition *definition, const char *request_id,
                                     const char *traceparent, const char *path, struct arena *arena,
                                     struct error *error);

#endif
