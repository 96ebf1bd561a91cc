// Values as the wire has them. What comes out borrows its texts from what went in.
#ifndef TXC_ADAPTERS_WIRE_H
#define TXC_ADAPTERS_WIRE_H

#include "base/money.h"
#include "google/protobuf/timestamp.pb-c.h"
#include "txcenter/type/v1/money.pb-c.h"

// Generated structs have `char *` where they only read; NULL is the empty text.
static inline char *wire_text(const char *text) {
    return (char *)(uintptr_t)(text ? text : "");
}

static inline Txcenter__Type__V1__Money wire_money(const struct money *money) {
    Txcenter__Type__V1__Money wire = TXCENTER__TYPE__V1__MONEY__INIT;
    wire.currency = wire_text(money->currency);
    wire.minor_units = money->minor;
    return wire;
}

static inline Google__Protobuf__Timestamp wire_time(int64_t unix_ms) {
    Google__Protobuf__Timestamp wire = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    wire.seconds = unix_ms / 1000;
    wire.nanos = (int32_t)(unix_ms % 1000) * 1000000;
    return wire;
}

#endif
