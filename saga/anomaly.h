// What the patrol finds: its names, and pages of what it found.
#ifndef TXC_SAGA_ANOMALY_H
#define TXC_SAGA_ANOMALY_H

#include "saga/tables.h"

// "old", "waiting", "stuck", "oscillating", "amounts", "unreadable".
const char *anomaly_name(enum saga_anomaly kind);

struct anomaly_filter {
    enum saga_anomaly kind; // 0: any
    bool cleared;           // also what holds no longer
    struct str flow, subject;
    int64_t from_ms; // last seen at or after this
};

// The query of the rows that the filter is looked for in, but for its limit: what holds first, the newest first, then
// what was cleared last.
struct store_query anomaly_query(const struct anomaly_filter *filter);
bool anomaly_fits(const struct anomaly_filter *filter, const struct anomaly_row *row);

#endif
