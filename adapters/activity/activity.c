#include "adapters/activity/activity.h"

#define SERVICE participant__activity__v1__activity_service__descriptor

const struct adapter_method activity_evaluate_method = ADAPTER_METHOD(SERVICE, "EvaluateTrade", ACTION);
const struct adapter_method activity_cancel_evaluation_method = ADAPTER_METHOD(SERVICE, "CancelEvaluation", COMPENSATE);
const struct adapter_method activity_deliver_method = ADAPTER_METHOD(SERVICE, "DeliverItem", ACTION);
const struct adapter_method activity_withdraw_method = ADAPTER_METHOD(SERVICE, "WithdrawItem", COMPENSATE);
const struct adapter_method activity_take_back_method = ADAPTER_METHOD(SERVICE, "TakeBack", ACTION);
const struct adapter_method activity_inquire_method = ADAPTER_METHOD(SERVICE, "Inquire", INQUIRE);
