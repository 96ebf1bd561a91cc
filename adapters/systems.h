// The systems that the center calls. A new one is one line here: its adapter, its section `participants.<system>` of
// the configuration and its gate follow.
#ifndef TXC_ADAPTERS_SYSTEMS_H
#define TXC_ADAPTERS_SYSTEMS_H

#define ADAPTER_SYSTEMS(X)                                                                                             \
    X(USER, user)                                                                                                      \
    X(OIL, oil)                                                                                                        \
    X(ORDER, order)                                                                                                    \
    X(PAYMENT, payment)                                                                                                \
    X(GOODS, goods)                                                                                                    \
    X(CARD, card)                                                                                                      \
    X(DISCOUNT, discount)                                                                                              \
    X(COUPON, coupon)                                                                                                  \
    X(POINTS, points)                                                                                                  \
    X(LEVEL, level)                                                                                                    \
    X(MARKETING, marketing)                                                                                            \
    X(SETTLEMENT, settlement)                                                                                          \
    X(PUSH, push)                                                                                                      \
    X(INVOICE, invoice)                                                                                                \
    X(NOTIFY, notify)                                                                                                  \
    X(ACTIVITY, activity)                                                                                              \
    X(OS, os)

#endif
