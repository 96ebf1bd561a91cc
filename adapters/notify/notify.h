// The notification system: proto/participant/notify/v1.
#ifndef TXC_ADAPTERS_NOTIFY_H
#define TXC_ADAPTERS_NOTIFY_H

#include "adapters/adapter.h"
#include "participant/notify/v1/notify.pb-c.h"

ADAPTER_FUNCTION(notify_send, Participant__Notify__V1__SendRequest)
extern const struct adapter_method notify_inquire_method;

#endif
