#include "adapters/points/points.h"

#include "adapters/wire.h"

#define SERVICE &participant__points__v1__points_service__descriptor
#define PB(name) Participant__Points__V1__##name

const struct adapter_method points_methods[] = {
    [POINTS_GET] = {.rpc = {.service = SERVICE, .name = "GetPoints"}, .op = ADAPTER_READ, .deadline_ms = 1000},
    [POINTS_FREEZE] = {.rpc = {.service = SERVICE, .name = "FreezePoints"}, .op = ADAPTER_ACTION, .deadline_ms = 3000},
    [POINTS_UNFREEZE] = {.rpc = {.service = SERVICE, .name = "UnfreezePoints"},
                         .op = ADAPTER_COMPENSATE,
                         .deadline_ms = 3000},
    [POINTS_DEDUCT] = {.rpc = {.service = SERVICE, .name = "DeductPoints"}, .op = ADAPTER_ACTION, .deadline_ms = 3000},
    [POINTS_GIVE_BACK] = {.rpc = {.service = SERVICE, .name = "GiveBackPoints"},
                          .op = ADAPTER_ACTION,
                          .deadline_ms = 3000},
    [POINTS_AWARD] = {.rpc = {.service = SERVICE, .name = "AwardPoints"}, .op = ADAPTER_ACTION, .deadline_ms = 3000},
    [POINTS_CANCEL_AWARD] = {.rpc = {.service = SERVICE, .name = "CancelAward"},
                             .op = ADAPTER_COMPENSATE,
                             .deadline_ms = 3000},
    [POINTS_CLAW_BACK] = {.rpc = {.service = SERVICE, .name = "ClawBackPoints"},
                          .op = ADAPTER_ACTION,
                          .deadline_ms = 3000},
};

void points_get(struct adapter *adapter, const struct adapter_effect *effect, const char *user_id,
                adapter_done_fn *done, void *ctx) {
    PB(GetPointsRequest) request = PARTICIPANT__POINTS__V1__GET_POINTS_REQUEST__INIT;
    request.user_id = wire_text(user_id);
    adapter_call(adapter, &points_methods[POINTS_GET], effect, &request.base, done, ctx);
}

void points_freeze(struct adapter *adapter, const struct adapter_effect *effect, const struct points_freeze *args,
                   adapter_done_fn *done, void *ctx) {
    PB(FreezePointsRequest) request = PARTICIPANT__POINTS__V1__FREEZE_POINTS_REQUEST__INIT;
    request.user_id = wire_text(args->user_id);
    request.points = args->points;
    adapter_call(adapter, &points_methods[POINTS_FREEZE], effect, &request.base, done, ctx);
}

void points_unfreeze(struct adapter *adapter, const struct adapter_effect *effect, adapter_done_fn *done, void *ctx) {
    PB(UnfreezePointsRequest) request = PARTICIPANT__POINTS__V1__UNFREEZE_POINTS_REQUEST__INIT;
    adapter_call(adapter, &points_methods[POINTS_UNFREEZE], effect, &request.base, done, ctx);
}

void points_deduct(struct adapter *adapter, const struct adapter_effect *effect, const struct points_deduct *args,
                   adapter_done_fn *done, void *ctx) {
    PB(DeductPointsRequest) request = PARTICIPANT__POINTS__V1__DEDUCT_POINTS_REQUEST__INIT;
    request.freeze_key = wire_text(args->freeze_key);
    request.user_id = wire_text(args->user_id);
    request.points = args->points;
    adapter_call(adapter, &points_methods[POINTS_DEDUCT], effect, &request.base, done, ctx);
}

void points_give_back(struct adapter *adapter, const struct adapter_effect *effect,
                      const struct points_give_back *args, adapter_done_fn *done, void *ctx) {
    PB(GiveBackPointsRequest) request = PARTICIPANT__POINTS__V1__GIVE_BACK_POINTS_REQUEST__INIT;
    request.refund_no = wire_text(args->refund_no);
    request.user_id = wire_text(args->user_id);
    request.points = args->points;
    adapter_call(adapter, &points_methods[POINTS_GIVE_BACK], effect, &request.base, done, ctx);
}

void points_award(struct adapter *adapter, const struct adapter_effect *effect, const struct points_award *args,
                  adapter_done_fn *done, void *ctx) {
    PB(AwardPointsRequest) request = PARTICIPANT__POINTS__V1__AWARD_POINTS_REQUEST__INIT;
    Txcenter__Type__V1__Money paid = wire_money(&args->paid);
    request.user_id = wire_text(args->user_id);
    request.station_id = wire_text(args->station_id);
    request.paid = &paid;
    adapter_call(adapter, &points_methods[POINTS_AWARD], effect, &request.base, done, ctx);
}

void points_cancel_award(struct adapter *adapter, const struct adapter_effect *effect, const char *user_id,
                         adapter_done_fn *done, void *ctx) {
    PB(CancelAwardRequest) request = PARTICIPANT__POINTS__V1__CANCEL_AWARD_REQUEST__INIT;
    request.user_id = wire_text(user_id);
    adapter_call(adapter, &points_methods[POINTS_CANCEL_AWARD], effect, &request.base, done, ctx);
}

void points_claw_back(struct adapter *adapter, const struct adapter_effect *effect,
                      const struct points_claw_back *args, adapter_done_fn *done, void *ctx) {
    PB(ClawBackPointsRequest) request = PARTICIPANT__POINTS__V1__CLAW_BACK_POINTS_REQUEST__INIT;
    request.refund_no = wire_text(args->refund_no);
    request.user_id = wire_text(args->user_id);
    request.award_key = wire_text(args->award_key);
    request.points = args->points;
    adapter_call(adapter, &points_methods[POINTS_CLAW_BACK], effect, &request.base, done, ctx);
}
