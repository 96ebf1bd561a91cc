// The coupon system: proto/participant/coupon/v1.
#ifndef TXC_ADAPTERS_COUPON_H
#define TXC_ADAPTERS_COUPON_H

#include "adapters/adapter.h"
#include "participant/coupon/v1/coupon.pb-c.h"

ADAPTER_FUNCTION(coupon_list_usable, Participant__Coupon__V1__ListUsableCouponsRequest)
ADAPTER_FUNCTION(coupon_lock, Participant__Coupon__V1__LockCouponsRequest)
ADAPTER_FUNCTION(coupon_unlock, Participant__Coupon__V1__UnlockCouponsRequest)
ADAPTER_FUNCTION(coupon_use, Participant__Coupon__V1__UseCouponsRequest)
ADAPTER_FUNCTION(coupon_give_back, Participant__Coupon__V1__GiveBackCouponsRequest)
ADAPTER_FUNCTION(coupon_issue, Participant__Coupon__V1__IssueCouponsRequest)
ADAPTER_FUNCTION(coupon_withdraw, Participant__Coupon__V1__WithdrawCouponsRequest)
extern const struct adapter_method coupon_inquire_method;

#endif
