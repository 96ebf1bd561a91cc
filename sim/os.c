// The stations' own orders: the center's, each with its newest state, and those that were made without the center.
#include "participant/os/v1/os.pb-c.h"
#include "sim/world.h"

#include <stdio.h>

#define PB(name) Participant__Os__V1__##name

static const struct store_column columns[] = {
    STORE_COL_TEXT(sim_os_order_row, place),
    STORE_COL_TEXT(sim_os_order_row, order_no),
    STORE_COL_TEXT(sim_os_order_row, state),
    STORE_COL_I64(sim_os_order_row, version),
};

const struct store_table sim_os_orders_table = {
    .name = "sim_os_order",
    .row_size = sizeof(struct sim_os_order_row),
    .columns = columns,
    .n_columns = STORE_COUNT(columns),
    .n_key = 1,
    .since = 2,
};

static void put(struct sim_call *call, struct sim_os_order_row *order, const char *kind, const char *station_id,
                const Txcenter__Type__V1__Money *amount) {
    sim_put(&call->change, order);
    sim_post(&call->change, &(struct sim_posting){.kind = kind,
                                                  .account = station_id,
                                                  .currency = amount->currency,
                                                  .amount = amount->minor_units,
                                                  .state = order->state,
                                                  .detail = str_c(order->order_no)});
}

static void sync_order(struct sim_call *call) {
    const PB(SyncOrderRequest) *request = (const void *)call->request;
    if (!sim_wants_text(call, call->effect->trade_no, "effect.trade_no") ||
        !sim_wants_text(call, request->state, "state") || !sim_wants_amount(call, request->payable, false, "payable"))
        return;
    sim_os_place place;
    snprintf(place, sizeof place, "trade/%s", call->effect->trade_no);
    struct sim_os_order_row *order = sim_find(call->system, SIM_OS_ORDERS, place);
    PB(SyncOrderResponse) response = PARTICIPANT__OS__V1__SYNC_ORDER_RESPONSE__INIT;
    response.superseded = order && order->version >= request->version;
    if (!response.superseded) {
        if (!order)
            order = sim_make(call->system, SIM_OS_ORDERS, place);
        SIM_COPY(order->order_no, call->effect->order_no);
        SIM_COPY(order->state, request->state);
        order->version = request->version;
        put(call, order, "sync", request->station_id, request->payable);
    }
    sim_answer(call, &response.base);
}

static void record_offline_order(struct sim_call *call) {
    const PB(RecordOfflineOrderRequest) *request = (const void *)call->request;
    if (!sim_wants_text(call, request->station_id, "station_id") || !sim_wants_text(call, request->serial, "serial") ||
        !sim_wants_amount(call, request->paid, false, "paid"))
        return;
    sim_os_place place;
    snprintf(place, sizeof place, "offline/%s/%s/%s", request->station_id, request->terminal_id, request->serial);
    if (sim_find(call->system, SIM_OS_ORDERS, place)) {
        sim_reject(call, "ALREADY_RECORDED", "serial %s of %s is known", request->serial, request->station_id);
        return;
    }
    struct sim_os_order_row *order = sim_make(call->system, SIM_OS_ORDERS, place);
    SIM_COPY(order->order_no, call->effect->order_no);
    SIM_COPY(order->state, "OFFLINE");
    put(call, order, "offline", request->station_id, request->paid);
}

static const struct sim_method methods[] = {
    {.name = "SyncOrder", .op = SIM_ACTION, .apply = sync_order},
    {.name = "RecordOfflineOrder", .op = SIM_ACTION, .apply = record_offline_order},
    {.name = "Inquire", .op = SIM_INQUIRE},
};

static const struct sim_set_def sets[] = {
    [SIM_OS_ORDERS] = {.table = &sim_os_orders_table},
};

const struct sim_system_def sim_os_def = {
    .name = "os",
    .service = &participant__os__v1__os_service__descriptor,
    .methods = methods,
    .n_methods = STORE_COUNT(methods),
    .sets = sets,
    .n_sets = STORE_COUNT(sets),
};
