// The user system.
#ifndef TXC_ADAPTERS_USER_H
#define TXC_ADAPTERS_USER_H

#include "adapters/adapter.h"
#include "participant/user/v1/user.pb-c.h"

enum user_method { USER_GET };
extern const struct adapter_method user_methods[];

// GetUserResponse. REJECTED: NOT_FOUND.
void user_get(struct adapter *adapter, const struct adapter_effect *effect, const char *user_id, adapter_done_fn *done,
              void *ctx);

#endif
