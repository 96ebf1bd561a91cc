// The systems that the center calls. A new one is one line here.
#ifndef TXC_ADAPTERS_ADAPTERS_H
#define TXC_ADAPTERS_ADAPTERS_H

#include "adapters/adapter.h"

#define ADAPTER_SYSTEMS(X)                                                                                             \
    X(user)                                                                                                            \
    X(oil)                                                                                                             \
    X(order)                                                                                                           \
    X(payment)                                                                                                         \
    X(card)                                                                                                            \
    X(coupon)                                                                                                          \
    X(points)                                                                                                          \
    X(settlement)                                                                                                      \
    X(push)

// One adapter for each; whoever composes the program fills them in.
struct adapters {
#define X(name) struct adapter name;
    ADAPTER_SYSTEMS(X)
#undef X
};

#endif
