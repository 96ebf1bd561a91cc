#include "adapters/user/user.h"

#define SERVICE participant__user__v1__user_service__descriptor

const struct adapter_method user_get_method = ADAPTER_METHOD(SERVICE, "GetUser", READ, "user");
