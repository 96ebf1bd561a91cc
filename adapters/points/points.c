#include "adapters/points/points.h"

#define SERVICE participant__points__v1__points_service__descriptor

const struct adapter_method points_get_method = ADAPTER_METHOD(SERVICE, "GetPoints", READ);
const struct adapter_method points_get_rule_method = ADAPTER_METHOD(SERVICE, "GetRule", READ, "rule");
const struct adapter_method points_freeze_method = ADAPTER_METHOD(SERVICE, "FreezePoints", ACTION);
const struct adapter_method points_unfreeze_method = ADAPTER_METHOD(SERVICE, "UnfreezePoints", COMPENSATE);
const struct adapter_method points_deduct_method = ADAPTER_METHOD(SERVICE, "DeductPoints", ACTION);
const struct adapter_method points_give_back_method = ADAPTER_METHOD(SERVICE, "GiveBackPoints", ACTION);
const struct adapter_method points_award_method = ADAPTER_METHOD(SERVICE, "AwardPoints", ACTION);
const struct adapter_method points_cancel_award_method = ADAPTER_METHOD(SERVICE, "CancelAward", COMPENSATE);
const struct adapter_method points_claw_back_method = ADAPTER_METHOD(SERVICE, "ClawBackPoints", ACTION);
const struct adapter_method points_inquire_method = ADAPTER_METHOD(SERVICE, "Inquire", INQUIRE);
