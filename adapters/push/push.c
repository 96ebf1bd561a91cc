#include "adapters/push/push.h"

#include "adapters/wire.h"

const struct adapter_method push_methods[] = {
    [PUSH_SEND] = {.rpc = {.service = &participant__push__v1__push_service__descriptor, .name = "Push"},
                   .op = ADAPTER_ACTION,
                   .deadline_ms = 2000},
};

void push_send(struct adapter *adapter, const struct adapter_effect *effect, const struct push_send *args,
               adapter_done_fn *done, void *ctx) {
    Participant__Push__V1__PushRequest request = PARTICIPANT__PUSH__V1__PUSH_REQUEST__INIT;
    request.station_id = wire_text(args->station_id);
    request.event = wire_text(args->event);
    request.text = wire_text(args->text);
    adapter_call(adapter, &push_methods[PUSH_SEND], effect, &request.base, done, ctx);
}
