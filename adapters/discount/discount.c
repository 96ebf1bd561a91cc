#include "adapters/discount/discount.h"

#define SERVICE participant__discount__v1__discount_service__descriptor

const struct adapter_method discount_list_activities_method = ADAPTER_METHOD(SERVICE, "ListActivities", READ);
const struct adapter_method discount_lock_method = ADAPTER_METHOD(SERVICE, "LockQuota", ACTION);
const struct adapter_method discount_unlock_method = ADAPTER_METHOD(SERVICE, "UnlockQuota", COMPENSATE);
const struct adapter_method discount_use_method = ADAPTER_METHOD(SERVICE, "UseQuota", ACTION);
const struct adapter_method discount_give_back_method = ADAPTER_METHOD(SERVICE, "GiveBackQuota", ACTION);
const struct adapter_method discount_inquire_method = ADAPTER_METHOD(SERVICE, "Inquire", INQUIRE);
