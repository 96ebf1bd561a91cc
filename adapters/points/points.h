// Points: spending and earning.
#ifndef TXC_ADAPTERS_POINTS_H
#define TXC_ADAPTERS_POINTS_H

#include "adapters/adapter.h"
#include "base/money.h"
#include "participant/points/v1/points.pb-c.h"

enum points_method {
    POINTS_GET,
    POINTS_FREEZE,
    POINTS_UNFREEZE,
    POINTS_DEDUCT,
    POINTS_GIVE_BACK,
    POINTS_AWARD,
    POINTS_CANCEL_AWARD,
    POINTS_CLAW_BACK,
};
extern const struct adapter_method points_methods[];

// GetPointsResponse.
void points_get(struct adapter *adapter, const struct adapter_effect *effect, const char *user_id,
                adapter_done_fn *done, void *ctx);

struct points_freeze {
    const char *user_id;
    int64_t points;
};
// REJECTED: INSUFFICIENT_POINTS.
void points_freeze(struct adapter *adapter, const struct adapter_effect *effect, const struct points_freeze *args,
                   adapter_done_fn *done, void *ctx);

// Compensates points_freeze, under its key.
void points_unfreeze(struct adapter *adapter, const struct adapter_effect *effect, adapter_done_fn *done, void *ctx);

struct points_deduct {
    const char *freeze_key; // of points_freeze; NULL: from what is available
    const char *user_id;
    int64_t points;
};
void points_deduct(struct adapter *adapter, const struct adapter_effect *effect, const struct points_deduct *args,
                   adapter_done_fn *done, void *ctx);

struct points_give_back {
    const char *refund_no, *user_id;
    int64_t points;
};
void points_give_back(struct adapter *adapter, const struct adapter_effect *effect,
                      const struct points_give_back *args, adapter_done_fn *done, void *ctx);

struct points_award {
    const char *user_id, *station_id;
    struct money paid;
};
// AwardPointsResponse.
void points_award(struct adapter *adapter, const struct adapter_effect *effect, const struct points_award *args,
                  adapter_done_fn *done, void *ctx);

// Compensates points_award, under its key. CancelAwardResponse names the shortfall.
void points_cancel_award(struct adapter *adapter, const struct adapter_effect *effect, const char *user_id,
                         adapter_done_fn *done, void *ctx);

struct points_claw_back {
    const char *refund_no, *user_id;
    const char *award_key; // of points_award
    int64_t points;
};
// ClawBackPointsResponse names the shortfall.
void points_claw_back(struct adapter *adapter, const struct adapter_effect *effect,
                      const struct points_claw_back *args, adapter_done_fn *done, void *ctx);

#endif
