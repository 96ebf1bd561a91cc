// The stations' own system: proto/participant/os/v1.
#ifndef TXC_ADAPTERS_OS_H
#define TXC_ADAPTERS_OS_H

#include "adapters/adapter.h"
#include "participant/os/v1/os.pb-c.h"

ADAPTER_FUNCTION(os_sync, Participant__Os__V1__SyncOrderRequest)
ADAPTER_FUNCTION(os_record_offline, Participant__Os__V1__RecordOfflineOrderRequest)
extern const struct adapter_method os_inquire_method;

#endif
