// The user system: proto/participant/user/v1.
#ifndef TXC_ADAPTERS_USER_H
#define TXC_ADAPTERS_USER_H

#include "adapters/adapter.h"
#include "participant/user/v1/user.pb-c.h"

ADAPTER_FUNCTION(user_get, Participant__User__V1__GetUserRequest)

#endif
