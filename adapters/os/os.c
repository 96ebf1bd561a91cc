#include "adapters/os/os.h"

#define SERVICE participant__os__v1__os_service__descriptor

const struct adapter_method os_sync_method = ADAPTER_METHOD(SERVICE, "SyncOrder", ACTION);
const struct adapter_method os_record_offline_method = ADAPTER_METHOD(SERVICE, "RecordOfflineOrder", ACTION);
const struct adapter_method os_inquire_method = ADAPTER_METHOD(SERVICE, "Inquire", INQUIRE);
