// The settlement system: records by shift.
#ifndef TXC_ADAPTERS_SETTLEMENT_H
#define TXC_ADAPTERS_SETTLEMENT_H

#include "adapters/adapter.h"
#include "base/money.h"
#include "participant/settlement/v1/settlement.pb-c.h"

enum settlement_method { SETTLEMENT_RECORD, SETTLEMENT_REVERSE };
extern const struct adapter_method settlement_methods[];

enum { SETTLEMENT_POSTINGS_MAX = 64 };

struct settlement_posting {
    const char *account;
    struct money amount; // signed
};

struct settlement_entry {
    const char *tenant_id, *station_id, *shift_id;
    const char *business_date; // YYYY-MM-DD, local to the station
    const struct settlement_posting *postings; // add up to zero
    size_t n_postings;                         // at most SETTLEMENT_POSTINGS_MAX, asserted
};

void settlement_record(struct adapter *adapter, const struct adapter_effect *effect,
                       const struct settlement_entry *entry, int64_t paid_ms, adapter_done_fn *done, void *ctx);

// The postings are those of the record with the opposite sign, in part or whole. REJECTED: EXCEEDS_RECORDED.
void settlement_reverse(struct adapter *adapter, const struct adapter_effect *effect,
                        const struct settlement_entry *entry, const char *refund_no, adapter_done_fn *done, void *ctx);

#endif
