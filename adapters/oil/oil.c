#include "adapters/oil/oil.h"

#define SERVICE participant__oil__v1__oil_service__descriptor

const struct adapter_method oil_get_price_method = ADAPTER_METHOD(SERVICE, "GetPrice", READ, "unit_price.minor_units");
const struct adapter_method oil_get_pump_record_method =
    ADAPTER_METHOD(SERVICE, "GetPumpRecord", READ, "unit_price", "amount");
