// The push system: proto/participant/push/v1.
#ifndef TXC_ADAPTERS_PUSH_H
#define TXC_ADAPTERS_PUSH_H

#include "adapters/adapter.h"
#include "participant/push/v1/push.pb-c.h"

ADAPTER_FUNCTION(push_send, Participant__Push__V1__PushRequest)
extern const struct adapter_method push_inquire_method;

#endif
