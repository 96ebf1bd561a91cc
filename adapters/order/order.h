// The order system.
#ifndef TXC_ADAPTERS_ORDER_H
#define TXC_ADAPTERS_ORDER_H

#include "adapters/adapter.h"
#include "base/money.h"
#include "participant/order/v1/order.pb-c.h"

enum order_method { ORDER_CREATE, ORDER_CLOSE, ORDER_MARK_PAID, ORDER_MARK_REFUNDED };
extern const struct adapter_method order_methods[];

enum { ORDER_LINES_MAX = 64 };

struct order_line {
    const char *kind, *code;
    int64_t quantity;
    struct money list_price, discount;
};

struct order_create {
    const char *tenant_id, *user_id, *station_id;
    struct money payable, list_price;
    const struct order_line *lines;
    size_t n_lines; // at most ORDER_LINES_MAX, asserted
};
// CreateOrderResponse.
void order_create(struct adapter *adapter, const struct adapter_effect *effect, const struct order_create *args,
                  adapter_done_fn *done, void *ctx);

// Compensates order_create, under its key.
void order_close(struct adapter *adapter, const struct adapter_effect *effect, adapter_done_fn *done, void *ctx);

// effect->order_no says which.
void order_mark_paid(struct adapter *adapter, const struct adapter_effect *effect, const struct money *paid,
                     adapter_done_fn *done, void *ctx);

struct order_mark_refunded {
    const char *refund_no;
    struct money amount;
    bool full; // with this refund, all is refunded
};
void order_mark_refunded(struct adapter *adapter, const struct adapter_effect *effect,
                         const struct order_mark_refunded *args, adapter_done_fn *done, void *ctx);

#endif
