#include "adapters/coupon/coupon.h"

#define SERVICE participant__coupon__v1__coupon_service__descriptor

const struct adapter_method coupon_list_usable_method = ADAPTER_METHOD(SERVICE, "ListUsableCoupons", READ);
const struct adapter_method coupon_lock_method = ADAPTER_METHOD(SERVICE, "LockCoupons", ACTION);
const struct adapter_method coupon_unlock_method = ADAPTER_METHOD(SERVICE, "UnlockCoupons", COMPENSATE);
const struct adapter_method coupon_use_method = ADAPTER_METHOD(SERVICE, "UseCoupons", ACTION);
const struct adapter_method coupon_give_back_method = ADAPTER_METHOD(SERVICE, "GiveBackCoupons", ACTION);
const struct adapter_method coupon_issue_method = ADAPTER_METHOD(SERVICE, "IssueCoupons", ACTION);
const struct adapter_method coupon_withdraw_method = ADAPTER_METHOD(SERVICE, "WithdrawCoupons", COMPENSATE);
const struct adapter_method coupon_inquire_method = ADAPTER_METHOD(SERVICE, "Inquire", INQUIRE);
