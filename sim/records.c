#include "sim/records.h"

#include <inttypes.h>

static const struct store_column columns[] = {
    STORE_COL_TEXT(sim_record_row, record_key), STORE_COL_TEXT(sim_record_row, account),
    STORE_COL_TEXT(sim_record_row, trade_no),   STORE_COL_TEXT(sim_record_row, currency),
    STORE_COL_I32(sim_record_row, cancelled),   STORE_COL_I64(sim_record_row, amount),
    STORE_COL_I64(sim_record_row, reversed),
};

#define TABLE(table_name)                                                                                              \
    {                                                                                                                  \
        .name = (table_name), .row_size = sizeof(struct sim_record_row), .columns = columns,                           \
        .n_columns = STORE_COUNT(columns), .n_key = 1, .since = 2                                                      \
    }
const struct store_table sim_growth_records_table = TABLE("sim_growth_record");
const struct store_table sim_marketing_records_table = TABLE("sim_marketing_record");
const struct store_table sim_invoice_records_table = TABLE("sim_invoice_record");

static void post(struct sim_call *call, const char *kind, struct sim_record_row *record, int64_t amount,
                 const char *detail) {
    sim_put(&call->change, record);
    sim_post(&call->change, &(struct sim_posting){.kind = kind,
                                                  .account = record->account,
                                                  .currency = record->currency,
                                                  .amount = amount,
                                                  .state = record->cancelled ? "CANCELLED" : "RECORDED",
                                                  .detail = str_c(detail)});
}

struct sim_record_row *sim_record_add(struct sim_call *call, const char *account,
                                      const Txcenter__Type__V1__Money *amount, const char *detail) {
    struct sim_record_row *record = sim_make(call->system, SIM_RECORDS, call->effect->key);
    SIM_COPY(record->account, account);
    SIM_COPY(record->trade_no, call->effect->trade_no);
    SIM_COPY(record->currency, amount->currency);
    record->amount = amount->minor_units;
    post(call, "record", record, record->amount, detail);
    return record;
}

struct sim_record_row *sim_record_cancel(struct sim_call *call, int64_t *ret_rest) {
    struct sim_record_row *record = sim_find(call->system, SIM_RECORDS, call->effect->key);
    if (!record)
        return NULL;
    int64_t rest = record->amount - record->reversed;
    record->cancelled = 1;
    record->reversed = record->amount;
    post(call, "cancel", record, rest, "");
    *ret_rest = rest;
    return record;
}

struct sim_record_row *sim_record_find(struct sim_call *call, const char *record_key,
                                       const Txcenter__Type__V1__Money *part) {
    struct sim_record_row *record = sim_find(call->system, SIM_RECORDS, record_key);
    if (!record || strcmp(record->trade_no, call->effect->trade_no) != 0) {
        sim_reject(call, "NOT_FOUND", "this trade has recorded nothing under this key");
        return NULL;
    }
    int64_t rest = record->amount - record->reversed;
    if (record->cancelled)
        sim_reject(call, "CANCELLED", "the record was cancelled");
    else if (part->minor_units > rest || strcmp(part->currency, record->currency) != 0)
        sim_reject(call, "EXCEEDS_REST", "of this record %" PRId64 " %s are left", rest, record->currency);
    return call->rejected ? NULL : record;
}

void sim_record_reverse(struct sim_call *call, struct sim_record_row *record, int64_t part, const char *detail) {
    record->reversed += part;
    post(call, "reverse", record, part, detail);
}
