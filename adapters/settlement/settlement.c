#include "adapters/settlement/settlement.h"

#include "adapters/wire.h"

#include <assert.h>

#define SERVICE &participant__settlement__v1__settlement_service__descriptor
#define PB(name) Participant__Settlement__V1__##name

const struct adapter_method settlement_methods[] = {
    [SETTLEMENT_RECORD] = {.rpc = {.service = SERVICE, .name = "RecordTrade"},
                           .op = ADAPTER_ACTION,
                           .deadline_ms = 3000},
    [SETTLEMENT_REVERSE] = {.rpc = {.service = SERVICE, .name = "ReverseTrade"},
                            .op = ADAPTER_ACTION,
                            .deadline_ms = 3000},
};

// The postings of an entry as the wire has them.
struct postings {
    PB(Posting) posting[SETTLEMENT_POSTINGS_MAX];
    PB(Posting) *pointers[SETTLEMENT_POSTINGS_MAX];
    Txcenter__Type__V1__Money amount[SETTLEMENT_POSTINGS_MAX];
};

static PB(Posting) **fill(struct postings *wire, const struct settlement_entry *entry) {
    assert(entry->n_postings <= SETTLEMENT_POSTINGS_MAX);
    for (size_t i = 0; i < entry->n_postings; i++) {
        wire->amount[i] = wire_money(&entry->postings[i].amount);
        wire->posting[i] = (PB(Posting))PARTICIPANT__SETTLEMENT__V1__POSTING__INIT;
        wire->posting[i].account = wire_text(entry->postings[i].account);
        wire->posting[i].amount = &wire->amount[i];
        wire->pointers[i] = &wire->posting[i];
    }
    return wire->pointers;
}

void settlement_record(struct adapter *adapter, const struct adapter_effect *effect,
                       const struct settlement_entry *entry, int64_t paid_ms, adapter_done_fn *done, void *ctx) {
    PB(RecordTradeRequest) request = PARTICIPANT__SETTLEMENT__V1__RECORD_TRADE_REQUEST__INIT;
    struct postings wire;
    Google__Protobuf__Timestamp paid_at = wire_time(paid_ms);
    request.tenant_id = wire_text(entry->tenant_id);
    request.station_id = wire_text(entry->station_id);
    request.shift_id = wire_text(entry->shift_id);
    request.business_date = wire_text(entry->business_date);
    request.paid_at = &paid_at;
    request.n_postings = entry->n_postings;
    request.postings = fill(&wire, entry);
    adapter_call(adapter, &settlement_methods[SETTLEMENT_RECORD], effect, &request.base, done, ctx);
}

void settlement_reverse(struct adapter *adapter, const struct adapter_effect *effect,
                        const struct settlement_entry *entry, const char *refund_no, adapter_done_fn *done,
                        void *ctx) {
    PB(ReverseTradeRequest) request = PARTICIPANT__SETTLEMENT__V1__REVERSE_TRADE_REQUEST__INIT;
    struct postings wire;
    request.refund_no = wire_text(refund_no);
    request.tenant_id = wire_text(entry->tenant_id);
    request.station_id = wire_text(entry->station_id);
    request.shift_id = wire_text(entry->shift_id);
    request.business_date = wire_text(entry->business_date);
    request.n_postings = entry->n_postings;
    request.postings = fill(&wire, entry);
    adapter_call(adapter, &settlement_methods[SETTLEMENT_REVERSE], effect, &request.base, done, ctx);
}
