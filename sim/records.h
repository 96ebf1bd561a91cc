// What is recorded under a key and may be taken back: whole by its compensation, or in part by actions under keys of
// their own; in all never more than was recorded. Once for all systems that do no more than that: each has the set of
// SIM_RECORD_SET_DEF at its beginning.
#ifndef TXC_SIM_RECORDS_H
#define TXC_SIM_RECORDS_H

#include "sim/core.h"

enum { SIM_RECORDS, SIM_RECORD_SETS };

struct sim_record_row {
    sim_key record_key;
    sim_name account; // whose
    sim_id trade_no;
    char currency[4];
    int32_t cancelled;
    int64_t amount, reversed;
};

extern const struct store_table sim_growth_records_table, sim_marketing_records_table, sim_invoice_records_table;

#define SIM_RECORD_SET_DEF(name) [SIM_RECORDS] = {.table = &sim_##name##_records_table}

// Under the call's key. Posts "record".
struct sim_record_row *sim_record_add(struct sim_call *call, const char *account,
                                      const Txcenter__Type__V1__Money *amount, const char *detail);

// For the compensation: takes back what is left, and says how much that was. Posts "cancel". NULL: nothing was
// recorded.
struct sim_record_row *sim_record_cancel(struct sim_call *call, int64_t *ret_rest);

// What was recorded under this key and of which so much can be taken back; NULL after a rejection (NOT_FOUND,
// CANCELLED, EXCEEDS_REST). Changes nothing.
struct sim_record_row *sim_record_find(struct sim_call *call, const char *record_key,
                                       const Txcenter__Type__V1__Money *part);
// Takes it back. Posts "reverse".
void sim_record_reverse(struct sim_call *call, struct sim_record_row *record, int64_t part, const char *detail);

#endif
