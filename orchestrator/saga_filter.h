// The filter of sagas as callers say it, for whoever lists, counts or acts on what it selects.
#ifndef TXC_ORCHESTRATOR_SAGA_FILTER_H
#define TXC_ORCHESTRATOR_SAGA_FILTER_H

#include "saga/list.h"
#include "txcenter/saga/v1/saga.pb-c.h"

// Every fault of its form, as fields below `path` ("filter"). NULL is fine.
void saga_filter_check(const Txcenter__Saga__V1__SagaFilter *asked, const char *path, struct error *error);

// What the engine's lists take; NULL: everything. Its texts and slots are the message's.
struct saga_filter saga_filter_of(const Txcenter__Saga__V1__SagaFilter *asked);

#endif
