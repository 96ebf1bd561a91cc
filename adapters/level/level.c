#include "adapters/level/level.h"

#define SERVICE participant__level__v1__level_service__descriptor

const struct adapter_method level_get_method = ADAPTER_METHOD(SERVICE, "GetLevel", READ, "level.level_code");
const struct adapter_method level_report_method = ADAPTER_METHOD(SERVICE, "ReportGrowth", ACTION);
const struct adapter_method level_cancel_report_method = ADAPTER_METHOD(SERVICE, "CancelGrowth", COMPENSATE);
const struct adapter_method level_reverse_method = ADAPTER_METHOD(SERVICE, "ReverseGrowth", ACTION);
const struct adapter_method level_inquire_method = ADAPTER_METHOD(SERVICE, "Inquire", INQUIRE);
