// Stored-value cards.
#ifndef TXC_ADAPTERS_CARD_H
#define TXC_ADAPTERS_CARD_H

#include "adapters/adapter.h"
#include "base/money.h"
#include "participant/card/v1/card.pb-c.h"

enum card_method { CARD_GET, CARD_FREEZE, CARD_RELEASE, CARD_CONFIRM, CARD_REFUND };
extern const struct adapter_method card_methods[];

// GetCardResponse. REJECTED: NOT_FOUND.
void card_get(struct adapter *adapter, const struct adapter_effect *effect, const char *card_no, adapter_done_fn *done,
              void *ctx);

struct card_freeze {
    const char *tender_no, *card_no, *user_id;
    struct money amount;
};
// FreezeCardResponse. REJECTED: INSUFFICIENT_BALANCE, NOT_FOUND, CARD_FROZEN.
void card_freeze(struct adapter *adapter, const struct adapter_effect *effect, const struct card_freeze *args,
                 adapter_done_fn *done, void *ctx);

// Compensates card_freeze, under its key.
void card_release(struct adapter *adapter, const struct adapter_effect *effect, const char *tender_no,
                  adapter_done_fn *done, void *ctx);

struct card_confirm {
    const char *tender_no;
    const char *freeze_key; // of card_freeze
};
// ConfirmCardResponse. REJECTED: FREEZE_EXPIRED, CANCELLED.
void card_confirm(struct adapter *adapter, const struct adapter_effect *effect, const struct card_confirm *args,
                  adapter_done_fn *done, void *ctx);

struct card_refund {
    const char *tender_no, *refund_no;
    struct money amount;
};
// RefundCardResponse.
void card_refund(struct adapter *adapter, const struct adapter_effect *effect, const struct card_refund *args,
                 adapter_done_fn *done, void *ctx);

#endif
