#include "adapters/settlement/settlement.h"

#define SERVICE participant__settlement__v1__settlement_service__descriptor

const struct adapter_method settlement_record_method = ADAPTER_METHOD(SERVICE, "RecordTrade", ACTION);
const struct adapter_method settlement_reverse_method = ADAPTER_METHOD(SERVICE, "ReverseTrade", ACTION);
const struct adapter_method settlement_inquire_method = ADAPTER_METHOD(SERVICE, "Inquire", INQUIRE);
