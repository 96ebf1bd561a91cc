// The level system: proto/participant/level/v1.
#ifndef TXC_ADAPTERS_LEVEL_H
#define TXC_ADAPTERS_LEVEL_H

#include "adapters/adapter.h"
#include "participant/level/v1/level.pb-c.h"

ADAPTER_FUNCTION(level_get, Participant__Level__V1__GetLevelRequest)
ADAPTER_FUNCTION(level_report, Participant__Level__V1__ReportGrowthRequest)
ADAPTER_FUNCTION(level_cancel_report, Participant__Level__V1__CancelGrowthRequest)
ADAPTER_FUNCTION(level_reverse, Participant__Level__V1__ReverseGrowthRequest)
extern const struct adapter_method level_inquire_method;

#endif
