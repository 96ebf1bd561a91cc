#include "adapters/card/card.h"

#define SERVICE participant__card__v1__card_service__descriptor

const struct adapter_method card_get_method = ADAPTER_METHOD(SERVICE, "GetCard", READ);
const struct adapter_method card_freeze_method = ADAPTER_METHOD(SERVICE, "FreezeCard", ACTION, "frozen");
const struct adapter_method card_release_method = ADAPTER_METHOD(SERVICE, "ReleaseCard", COMPENSATE);
const struct adapter_method card_confirm_method = ADAPTER_METHOD(SERVICE, "ConfirmCard", ACTION);
const struct adapter_method card_cancel_confirm_method = ADAPTER_METHOD(SERVICE, "CancelConfirm", COMPENSATE);
const struct adapter_method card_refund_method = ADAPTER_METHOD(SERVICE, "RefundCard", ACTION);
const struct adapter_method card_recharge_method = ADAPTER_METHOD(SERVICE, "RechargeCard", ACTION, "credited");
const struct adapter_method card_cancel_recharge_method = ADAPTER_METHOD(SERVICE, "CancelRecharge", COMPENSATE);
const struct adapter_method card_get_recharge_method = ADAPTER_METHOD(SERVICE, "GetRecharge", READ, "reversible");
const struct adapter_method card_reverse_recharge_method =
    ADAPTER_METHOD(SERVICE, "ReverseRecharge", ACTION, "reversed");
const struct adapter_method card_inquire_method = ADAPTER_METHOD(SERVICE, "Inquire", INQUIRE);
