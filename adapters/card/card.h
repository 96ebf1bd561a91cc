// The card system: proto/participant/card/v1.
#ifndef TXC_ADAPTERS_CARD_H
#define TXC_ADAPTERS_CARD_H

#include "adapters/adapter.h"
#include "participant/card/v1/card.pb-c.h"

ADAPTER_FUNCTION(card_get, Participant__Card__V1__GetCardRequest)
ADAPTER_FUNCTION(card_freeze, Participant__Card__V1__FreezeCardRequest)
ADAPTER_FUNCTION(card_release, Participant__Card__V1__ReleaseCardRequest)
ADAPTER_FUNCTION(card_confirm, Participant__Card__V1__ConfirmCardRequest)
ADAPTER_FUNCTION(card_cancel_confirm, Participant__Card__V1__CancelConfirmRequest)
ADAPTER_FUNCTION(card_refund, Participant__Card__V1__RefundCardRequest)
extern const struct adapter_method card_inquire_method;

#endif
