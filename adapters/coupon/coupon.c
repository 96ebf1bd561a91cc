#include "adapters/coupon/coupon.h"

#include "adapters/wire.h"

#include <assert.h>

#define SERVICE &participant__coupon__v1__coupon_service__descriptor
#define PB(name) Participant__Coupon__V1__##name

const struct adapter_method coupon_methods[] = {
    [COUPON_LIST_USABLE] = {.rpc = {.service = SERVICE, .name = "ListUsableCoupons"},
                            .op = ADAPTER_READ,
                            .deadline_ms = 1000},
    [COUPON_LOCK] = {.rpc = {.service = SERVICE, .name = "LockCoupons"}, .op = ADAPTER_ACTION, .deadline_ms = 3000},
    [COUPON_UNLOCK] = {.rpc = {.service = SERVICE, .name = "UnlockCoupons"},
                       .op = ADAPTER_COMPENSATE,
                       .deadline_ms = 3000},
    [COUPON_USE] = {.rpc = {.service = SERVICE, .name = "UseCoupons"}, .op = ADAPTER_ACTION, .deadline_ms = 3000},
    [COUPON_GIVE_BACK] = {.rpc = {.service = SERVICE, .name = "GiveBackCoupons"},
                          .op = ADAPTER_ACTION,
                          .deadline_ms = 3000},
    [COUPON_ISSUE] = {.rpc = {.service = SERVICE, .name = "IssueCoupons"}, .op = ADAPTER_ACTION, .deadline_ms = 3000},
    [COUPON_WITHDRAW] = {.rpc = {.service = SERVICE, .name = "WithdrawCoupons"},
                         .op = ADAPTER_COMPENSATE,
                         .deadline_ms = 3000},
};

// Lists of texts are only read, too.
static char **wire_ids(const struct coupon_ids *coupons) {
    return (char **)(uintptr_t)coupons->ids;
}

void coupon_list_usable(struct adapter *adapter, const struct adapter_effect *effect,
                        const struct coupon_list_usable *args, adapter_done_fn *done, void *ctx) {
    assert(args->n_lines <= COUPON_LINES_MAX);
    PB(ListUsableCouponsRequest) request = PARTICIPANT__COUPON__V1__LIST_USABLE_COUPONS_REQUEST__INIT;
    PB(CouponLine) lines[COUPON_LINES_MAX], *pointers[COUPON_LINES_MAX];
    Txcenter__Type__V1__Money amounts[COUPON_LINES_MAX];
    for (size_t i = 0; i < args->n_lines; i++) {
        lines[i] = (PB(CouponLine))PARTICIPANT__COUPON__V1__COUPON_LINE__INIT;
        amounts[i] = wire_money(&args->lines[i].amount);
        lines[i].kind = wire_text(args->lines[i].kind);
        lines[i].code = wire_text(args->lines[i].code);
        lines[i].amount = &amounts[i];
        pointers[i] = &lines[i];
    }
    request.user_id = wire_text(args->user_id);
    request.station_id = wire_text(args->station_id);
    request.n_lines = args->n_lines;
    request.lines = pointers;
    adapter_call(adapter, &coupon_methods[COUPON_LIST_USABLE], effect, &request.base, done, ctx);
}

void coupon_lock(struct adapter *adapter, const struct adapter_effect *effect, const struct coupon_lock *args,
                 adapter_done_fn *done, void *ctx) {
    PB(LockCouponsRequest) request = PARTICIPANT__COUPON__V1__LOCK_COUPONS_REQUEST__INIT;
    request.user_id = wire_text(args->user_id);
    request.n_coupon_ids = args->coupons.n;
    request.coupon_ids = wire_ids(&args->coupons);
    adapter_call(adapter, &coupon_methods[COUPON_LOCK], effect, &request.base, done, ctx);
}

void coupon_unlock(struct adapter *adapter, const struct adapter_effect *effect, adapter_done_fn *done, void *ctx) {
    PB(UnlockCouponsRequest) request = PARTICIPANT__COUPON__V1__UNLOCK_COUPONS_REQUEST__INIT;
    adapter_call(adapter, &coupon_methods[COUPON_UNLOCK], effect, &request.base, done, ctx);
}

void coupon_use(struct adapter *adapter, const struct adapter_effect *effect, const struct coupon_use *args,
                adapter_done_fn *done, void *ctx) {
    PB(UseCouponsRequest) request = PARTICIPANT__COUPON__V1__USE_COUPONS_REQUEST__INIT;
    request.lock_key = wire_text(args->lock_key);
    request.n_coupon_ids = args->coupons.n;
    request.coupon_ids = wire_ids(&args->coupons);
    adapter_call(adapter, &coupon_methods[COUPON_USE], effect, &request.base, done, ctx);
}

void coupon_give_back(struct adapter *adapter, const struct adapter_effect *effect,
                      const struct coupon_give_back *args, adapter_done_fn *done, void *ctx) {
    PB(GiveBackCouponsRequest) request = PARTICIPANT__COUPON__V1__GIVE_BACK_COUPONS_REQUEST__INIT;
    request.refund_no = wire_text(args->refund_no);
    request.n_coupon_ids = args->coupons.n;
    request.coupon_ids = wire_ids(&args->coupons);
    adapter_call(adapter, &coupon_methods[COUPON_GIVE_BACK], effect, &request.base, done, ctx);
}

void coupon_issue(struct adapter *adapter, const struct adapter_effect *effect, const struct coupon_issue *args,
                  adapter_done_fn *done, void *ctx) {
    PB(IssueCouponsRequest) request = PARTICIPANT__COUPON__V1__ISSUE_COUPONS_REQUEST__INIT;
    Txcenter__Type__V1__Money paid = wire_money(&args->paid);
    request.user_id = wire_text(args->user_id);
    request.station_id = wire_text(args->station_id);
    request.paid = &paid;
    adapter_call(adapter, &coupon_methods[COUPON_ISSUE], effect, &request.base, done, ctx);
}

void coupon_withdraw(struct adapter *adapter, const struct adapter_effect *effect, adapter_done_fn *done, void *ctx) {
    PB(WithdrawCouponsRequest) request = PARTICIPANT__COUPON__V1__WITHDRAW_COUPONS_REQUEST__INIT;
    adapter_call(adapter, &coupon_methods[COUPON_WITHDRAW], effect, &request.base, done, ctx);
}
