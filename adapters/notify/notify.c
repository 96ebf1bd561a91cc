#include "adapters/notify/notify.h"

#define SERVICE participant__notify__v1__notify_service__descriptor

const struct adapter_method notify_send_method = ADAPTER_METHOD(SERVICE, "Send", ACTION);
const struct adapter_method notify_inquire_method = ADAPTER_METHOD(SERVICE, "Inquire", INQUIRE);
