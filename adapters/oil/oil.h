// The oil system: prices and pump records.
#ifndef TXC_ADAPTERS_OIL_H
#define TXC_ADAPTERS_OIL_H

#include "adapters/adapter.h"
#include "participant/oil/v1/oil.pb-c.h"

enum oil_method { OIL_PRICE, OIL_PUMP_RECORD };
extern const struct adapter_method oil_methods[];

struct oil_price {
    const char *station_id, *oil_code;
    const char *nozzle; // NULL: not checked
    int64_t at_ms;
};
// GetPriceResponse. REJECTED: NOT_SOLD, NOZZLE_MISMATCH.
void oil_price(struct adapter *adapter, const struct adapter_effect *effect, const struct oil_price *args,
               adapter_done_fn *done, void *ctx);

struct oil_pump_record {
    const char *station_id, *nozzle, *serial;
};
// GetPumpRecordResponse. REJECTED: NOT_FOUND.
void oil_pump_record(struct adapter *adapter, const struct adapter_effect *effect, const struct oil_pump_record *args,
                     adapter_done_fn *done, void *ctx);

#endif
