// Electronic coupons.
#ifndef TXC_ADAPTERS_COUPON_H
#define TXC_ADAPTERS_COUPON_H

#include "adapters/adapter.h"
#include "base/money.h"
#include "participant/coupon/v1/coupon.pb-c.h"

enum coupon_method {
    COUPON_LIST_USABLE,
    COUPON_LOCK,
    COUPON_UNLOCK,
    COUPON_USE,
    COUPON_GIVE_BACK,
    COUPON_ISSUE,
    COUPON_WITHDRAW,
};
extern const struct adapter_method coupon_methods[];

enum { COUPON_LINES_MAX = 64 };

struct coupon_line {
    const char *kind, *code;
    struct money amount;
};

struct coupon_list_usable {
    const char *user_id, *station_id;
    const struct coupon_line *lines;
    size_t n_lines; // at most COUPON_LINES_MAX, asserted
};
// ListUsableCouponsResponse.
void coupon_list_usable(struct adapter *adapter, const struct adapter_effect *effect,
                        const struct coupon_list_usable *args, adapter_done_fn *done, void *ctx);

struct coupon_ids {
    const char *const *ids;
    size_t n;
};

struct coupon_lock {
    const char *user_id;
    struct coupon_ids coupons;
};
// All or none. REJECTED: COUPON_UNAVAILABLE.
void coupon_lock(struct adapter *adapter, const struct adapter_effect *effect, const struct coupon_lock *args,
                 adapter_done_fn *done, void *ctx);

// Compensates coupon_lock, under its key.
void coupon_unlock(struct adapter *adapter, const struct adapter_effect *effect, adapter_done_fn *done, void *ctx);

struct coupon_use {
    const char *lock_key; // of coupon_lock; NULL: those that are usable
    struct coupon_ids coupons;
};
// REJECTED: COUPON_UNAVAILABLE.
void coupon_use(struct adapter *adapter, const struct adapter_effect *effect, const struct coupon_use *args,
                adapter_done_fn *done, void *ctx);

struct coupon_give_back {
    const char *refund_no;
    struct coupon_ids coupons;
};
// GiveBackCouponsResponse names those that have expired.
void coupon_give_back(struct adapter *adapter, const struct adapter_effect *effect,
                      const struct coupon_give_back *args, adapter_done_fn *done, void *ctx);

struct coupon_issue {
    const char *user_id, *station_id;
    struct money paid;
};
// IssueCouponsResponse names what was issued, which may be nothing.
void coupon_issue(struct adapter *adapter, const struct adapter_effect *effect, const struct coupon_issue *args,
                  adapter_done_fn *done, void *ctx);

// Compensates coupon_issue, under its key. WithdrawCouponsResponse names those that are spent.
void coupon_withdraw(struct adapter *adapter, const struct adapter_effect *effect, adapter_done_fn *done, void *ctx);

#endif
