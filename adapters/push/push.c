#include "adapters/push/push.h"

#define SERVICE participant__push__v1__push_service__descriptor

const struct adapter_method push_send_method = ADAPTER_METHOD(SERVICE, "Push", ACTION);
const struct adapter_method push_inquire_method = ADAPTER_METHOD(SERVICE, "Inquire", INQUIRE);
