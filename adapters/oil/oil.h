// The oil system: proto/participant/oil/v1.
#ifndef TXC_ADAPTERS_OIL_H
#define TXC_ADAPTERS_OIL_H

#include "adapters/adapter.h"
#include "participant/oil/v1/oil.pb-c.h"

ADAPTER_FUNCTION(oil_get_price, Participant__Oil__V1__GetPriceRequest)
ADAPTER_FUNCTION(oil_get_pump_record, Participant__Oil__V1__GetPumpRecordRequest)

#endif
