#include "adapters/user/user.h"

#include "adapters/wire.h"

const struct adapter_method user_methods[] = {
    [USER_GET] = {.rpc = {.service = &participant__user__v1__user_service__descriptor, .name = "GetUser"},
                  .op = ADAPTER_READ,
                  .deadline_ms = 1000,
                  .wanted = {"user.user_id", "user.status"}},
};

void user_get(struct adapter *adapter, const struct adapter_effect *effect, const char *user_id, adapter_done_fn *done,
              void *ctx) {
    Participant__User__V1__GetUserRequest request = PARTICIPANT__USER__V1__GET_USER_REQUEST__INIT;
    request.user_id = wire_text(user_id);
    adapter_call(adapter, &user_methods[USER_GET], effect, &request.base, done, ctx);
}
