#include "adapters/marketing/marketing.h"

#define SERVICE participant__marketing__v1__marketing_service__descriptor

const struct adapter_method marketing_record_method = ADAPTER_METHOD(SERVICE, "RecordTrade", ACTION);
const struct adapter_method marketing_cancel_record_method = ADAPTER_METHOD(SERVICE, "CancelRecord", COMPENSATE);
const struct adapter_method marketing_reverse_method = ADAPTER_METHOD(SERVICE, "ReverseTrade", ACTION);
const struct adapter_method marketing_inquire_method = ADAPTER_METHOD(SERVICE, "Inquire", INQUIRE);
