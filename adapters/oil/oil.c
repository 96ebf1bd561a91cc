#include "adapters/oil/oil.h"

#include "adapters/wire.h"

#define SERVICE &participant__oil__v1__oil_service__descriptor

const struct adapter_method oil_methods[] = {
    [OIL_PRICE] = {.rpc = {.service = SERVICE, .name = "GetPrice"},
                   .op = ADAPTER_READ,
                   .deadline_ms = 1000,
                   .wanted = {"oil_code", "unit_price.currency"}},
    [OIL_PUMP_RECORD] = {.rpc = {.service = SERVICE, .name = "GetPumpRecord"},
                         .op = ADAPTER_READ,
                         .deadline_ms = 1000,
                         .wanted = {"oil_code", "unit_price.currency", "amount.currency"}},
};

void oil_price(struct adapter *adapter, const struct adapter_effect *effect, const struct oil_price *args,
               adapter_done_fn *done, void *ctx) {
    Participant__Oil__V1__GetPriceRequest request = PARTICIPANT__OIL__V1__GET_PRICE_REQUEST__INIT;
    Google__Protobuf__Timestamp at = wire_time(args->at_ms);
    request.station_id = wire_text(args->station_id);
    request.oil_code = wire_text(args->oil_code);
    request.nozzle = wire_text(args->nozzle);
    request.at = &at;
    adapter_call(adapter, &oil_methods[OIL_PRICE], effect, &request.base, done, ctx);
}

void oil_pump_record(struct adapter *adapter, const struct adapter_effect *effect, const struct oil_pump_record *args,
                     adapter_done_fn *done, void *ctx) {
    Participant__Oil__V1__GetPumpRecordRequest request = PARTICIPANT__OIL__V1__GET_PUMP_RECORD_REQUEST__INIT;
    request.station_id = wire_text(args->station_id);
    request.nozzle = wire_text(args->nozzle);
    request.serial = wire_text(args->serial);
    adapter_call(adapter, &oil_methods[OIL_PUMP_RECORD], effect, &request.base, done, ctx);
}
