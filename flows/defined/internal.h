// What the files of this folder share.
#ifndef TXC_FLOWS_DEFINED_INTERNAL_H
#define TXC_FLOWS_DEFINED_INTERNAL_H

#include "flows/defined/definition.h"
#include "saga/call.h"

// A flow that was made, and what it was made from: step i of the flow is step i of the message.
struct definition {
    struct saga_flow flow;
    const struct defined *defined;
    const Txcenter__Saga__V1__SagaDefinition *message;
    const char *request_id, *traceparent;
    struct arena arena; // everything above
};

static inline const struct definition *definition_of_flow(const struct saga_flow *flow) {
    return (const struct definition *)(const void *)((const char *)flow - offsetof(struct definition, flow));
}

// The steps of a definition, in the arena; NULL without memory. What is wrong with them is for saga_flow_check().
struct saga_step *definition_steps(const Txcenter__Saga__V1__SagaDefinition *message, struct arena *arena);

// The same once every fault of the definition was added below `path`; NULL also where their number is one.
struct saga_step *definition_check(const Txcenter__Saga__V1__SagaDefinition *message, const char *path,
                                   struct arena *arena, struct error *error);

// call.c: any of a step's effects, and whom it calls.
void defined_send(struct saga_call *call);
const char *defined_whom(const struct saga_call *call);

// The step of this name; -1: none.
int definition_find(const Txcenter__Saga__V1__SagaDefinition *message, const char *name);

#endif
