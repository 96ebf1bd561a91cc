#include "participant/oil/v1/oil.pb-c.h"
#include "sim/world.h"

#include <stdio.h>

#define PB(name) Participant__Oil__V1__##name

static const struct store_column price_columns[] = {
    STORE_COL_TEXT(sim_price_row, place),     STORE_COL_TEXT(sim_price_row, oil_code),
    STORE_COL_TEXT(sim_price_row, name),      STORE_COL_TEXT(sim_price_row, currency),
    STORE_COL_I64(sim_price_row, unit_price),
};

const struct store_table sim_prices_table = {
    .name = "sim_price",
    .row_size = sizeof(struct sim_price_row),
    .columns = price_columns,
    .n_columns = STORE_COUNT(price_columns),
    .n_key = 1,
    .since = 1,
};

static const struct store_column nozzle_columns[] = {
    STORE_COL_TEXT(sim_nozzle_row, place),
    STORE_COL_TEXT(sim_nozzle_row, oil_code),
    STORE_COL_TEXT(sim_nozzle_row, last_serial, .since = 2),
    STORE_COL_I32(sim_nozzle_row, state, .since = 2),
};

const struct store_table sim_nozzles_table = {
    .name = "sim_nozzle",
    .row_size = sizeof(struct sim_nozzle_row),
    .columns = nozzle_columns,
    .n_columns = STORE_COUNT(nozzle_columns),
    .n_key = 1,
    .since = 1,
};

static const struct store_column record_columns[] = {
    STORE_COL_TEXT(sim_pump_record_row, place),     STORE_COL_TEXT(sim_pump_record_row, oil_code),
    STORE_COL_TEXT(sim_pump_record_row, currency),  STORE_COL_I64(sim_pump_record_row, volume_centi),
    STORE_COL_I64(sim_pump_record_row, unit_price), STORE_COL_I64(sim_pump_record_row, amount),
};

const struct store_table sim_pump_records_table = {
    .name = "sim_pump_record",
    .row_size = sizeof(struct sim_pump_record_row),
    .columns = record_columns,
    .n_columns = STORE_COUNT(record_columns),
    .n_key = 1,
    .since = 1,
};

static void get_price(struct sim_call *call) {
    const PB(GetPriceRequest) *request = (const void *)call->request;
    char place[sizeof((struct sim_price_row *)NULL)->place];
    snprintf(place, sizeof place, "%s/%s", request->station_id, request->nozzle);
    const struct sim_nozzle_row *nozzle = sim_find(call->system, SIM_NOZZLES, place);
    if (*request->nozzle && (!nozzle || strcmp(nozzle->oil_code, request->oil_code) != 0)) {
        sim_reject(call, "NOZZLE_MISMATCH", "nozzle %s of %s does not dispense %s", request->nozzle,
                   request->station_id, request->oil_code);
        return;
    }
    snprintf(place, sizeof place, "%s/%s", request->station_id, request->oil_code);
    const struct sim_price_row *row = sim_find(call->system, SIM_PRICES, place);
    if (!row) {
        sim_reject(call, "NOT_SOLD", "%s is not sold at %s", request->oil_code, request->station_id);
        return;
    }
    PB(GetPriceResponse) response = PARTICIPANT__OIL__V1__GET_PRICE_RESPONSE__INIT;
    response.oil_code = rpc_text(row->oil_code);
    response.name = rpc_text(row->name);
    response.unit_price = sim_money(call, row->currency, row->unit_price);
    sim_answer(call, &response.base);
}

static void get_pump(struct sim_call *call) {
    const PB(GetPumpRequest) *request = (const void *)call->request;
    char place[sizeof((struct sim_nozzle_row *)NULL)->place];
    snprintf(place, sizeof place, "%s/%s", request->station_id, request->nozzle);
    const struct sim_nozzle_row *row = sim_find(call->system, SIM_NOZZLES, place);
    if (!row) {
        sim_reject(call, "NOT_FOUND", "there is no nozzle %s", place);
        return;
    }
    PB(GetPumpResponse) response = PARTICIPANT__OIL__V1__GET_PUMP_RESPONSE__INIT;
    response.state = row->state ? (PB(PumpState))row->state : PARTICIPANT__OIL__V1__PUMP_STATE__PUMP_STATE_IDLE;
    response.oil_code = rpc_text(row->oil_code);
    response.last_serial = rpc_text(row->last_serial);
    sim_answer(call, &response.base);
}

static void get_pump_record(struct sim_call *call) {
    const PB(GetPumpRecordRequest) *request = (const void *)call->request;
    char place[sizeof((struct sim_pump_record_row *)NULL)->place];
    snprintf(place, sizeof place, "%s/%s/%s", request->station_id, request->nozzle, request->serial);
    const struct sim_pump_record_row *row = sim_find(call->system, SIM_PUMP_RECORDS, place);
    if (!row) {
        sim_reject(call, "NOT_FOUND", "there is no record %s", place);
        return;
    }
    PB(GetPumpRecordResponse) response = PARTICIPANT__OIL__V1__GET_PUMP_RECORD_RESPONSE__INIT;
    response.oil_code = rpc_text(row->oil_code);
    response.volume_centi = row->volume_centi;
    response.unit_price = sim_money(call, row->currency, row->unit_price);
    response.amount = sim_money(call, row->currency, row->amount);
    sim_answer(call, &response.base);
}

static const struct sim_method methods[] = {
    {.name = "GetPrice", .op = SIM_READ, .apply = get_price},
    {.name = "GetPump", .op = SIM_READ, .apply = get_pump},
    {.name = "GetPumpRecord", .op = SIM_READ, .apply = get_pump_record},
};

static const struct sim_set_def sets[] = {
    [SIM_PRICES] = {.table = &sim_prices_table},
    [SIM_NOZZLES] = {.table = &sim_nozzles_table},
    [SIM_PUMP_RECORDS] = {.table = &sim_pump_records_table},
};

const struct sim_system_def sim_oil_def = {
    .name = "oil",
    .service = &participant__oil__v1__oil_service__descriptor,
    .methods = methods,
    .n_methods = STORE_COUNT(methods),
    .sets = sets,
    .n_sets = STORE_COUNT(sets),
};
