// Messages to the merchant's end and to screens.
#ifndef TXC_ADAPTERS_PUSH_H
#define TXC_ADAPTERS_PUSH_H

#include "adapters/adapter.h"
#include "participant/push/v1/push.pb-c.h"

enum push_method { PUSH_SEND };
extern const struct adapter_method push_methods[];

struct push_send {
    const char *station_id, *event, *text;
};
void push_send(struct adapter *adapter, const struct adapter_effect *effect, const struct push_send *args,
               adapter_done_fn *done, void *ctx);

#endif
