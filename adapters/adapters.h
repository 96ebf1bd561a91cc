// The systems that the center calls, each by its adapter.
#ifndef TXC_ADAPTERS_ADAPTERS_H
#define TXC_ADAPTERS_ADAPTERS_H

#include "adapters/adapter.h"
#include "adapters/systems.h"

// Whoever composes the program fills them in.
struct adapters {
#define X(NAME, name) struct adapter name;
    ADAPTER_SYSTEMS(X)
#undef X
};

#endif
