#include "saga/tables.h"

#include <assert.h>

static const struct store_column saga_columns[] = {
    STORE_COL_TEXT(saga_row, gid),
    STORE_COL_TEXT(saga_row, flow, .fixed = true),
    STORE_COL_I32(saga_row, flow_version, .fixed = true),
    STORE_COL_I32(saga_row, status),
    STORE_COL_I32(saga_row, parked),
    STORE_COL_I32(saga_row, slot, .fixed = true),
    STORE_COL_I64(saga_row, due_ms),
    STORE_COL_I64(saga_row, written_by),
    STORE_COL_I32(saga_row, resume_count),
    STORE_COL_TEXT(saga_row, subject, .fixed = true),
    STORE_COL_TEXT(saga_row, parent_gid, .fixed = true),
    STORE_COL_I32(saga_row, parent_step, .fixed = true),
    STORE_COL_I32(saga_row, parent_leg, .fixed = true),
    STORE_COL_I64(saga_row, created_ms, .fixed = true),
    STORE_COL_I64(saga_row, updated_ms),
    STORE_COL_I64(saga_row, ended_ms),
    STORE_COL_TEXT(saga_row, reason),
    STORE_COL_TEXT(saga_row, text),
    STORE_COL_BLOB(saga_row, input, SAGA_INPUT_MAX, .fixed = true),
    STORE_COL_BLOB(saga_row, journal, SAGA_RECORD_MAX),
    STORE_COL_I32(saga_row, paused, .since = 4),
};
// Ended sagas have the largest due_ms there is, so the sentinel's scan of what is due never meets them, nor are they in
// its index.
static const struct store_index saga_indexes[] = {
    [SAGA_BY_DUE] = {.name = "saga_by_slot",
                     .columns = {"ended_ms", "slot", "due_ms"},
                     .bounded = 2,
                     .most = SAGA_DUE_PARKED,
                     .since = 4},
    {.name = "saga_by_created", .columns = {"created_ms"}},
    {.name = "saga_by_subject", .columns = {"subject", "created_ms"}},
    // For lists (saga/list.h).
    {.name = "saga_by_status", .columns = {"status", "created_ms"}, .since = 2},
    {.name = "saga_by_parked", .columns = {"parked", "created_ms"}, .least = 1, .since = 2},
    {.name = "saga_by_flow", .columns = {"flow", "created_ms"}, .since = 2},
};
const struct store_table saga_table = {
    .name = "saga",
    .row_size = sizeof(struct saga_row),
    .columns = saga_columns,
    .n_columns = STORE_COUNT(saga_columns),
    .n_key = 1,
    .indexes = saga_indexes,
    .n_indexes = STORE_COUNT(saga_indexes),
    .since = 1,
};

static const struct store_column attempt_columns[] = {
    STORE_COL_TEXT(attempt_row, gid),       STORE_COL_I64(attempt_row, ended_ms), STORE_COL_I32(attempt_row, step_id),
    STORE_COL_I32(attempt_row, leg),        STORE_COL_I32(attempt_row, op),       STORE_COL_I32(attempt_row, number),
    STORE_COL_I64(attempt_row, started_ms), STORE_COL_I32(attempt_row, outcome),  STORE_COL_TEXT(attempt_row, reason),
    STORE_COL_TEXT(attempt_row, text),
};
const struct store_table attempt_table = {
    .name = "attempt",
    .row_size = sizeof(struct attempt_row),
    .columns = attempt_columns,
    .n_columns = STORE_COUNT(attempt_columns),
    .n_key = 5,
    .since = 1,
};

static const struct store_column trouble_columns[] = {
    STORE_COL_TEXT(trouble_row, gid),    STORE_COL_I32(trouble_row, step_id),
    STORE_COL_I32(trouble_row, leg),     STORE_COL_TEXT(trouble_row, participant),
    STORE_COL_TEXT(trouble_row, reason), STORE_COL_I64(trouble_row, created_ms, .fixed = true),
};
static const struct store_index trouble_indexes[] = {
    [TROUBLE_BY_PARTICIPANT] = {.name = "trouble_by_participant", .columns = {"participant", "created_ms"}},
    [TROUBLE_BY_REASON] = {.name = "trouble_by_reason", .columns = {"reason", "created_ms"}},
};
const struct store_table trouble_table = {
    .name = "saga_trouble",
    .row_size = sizeof(struct trouble_row),
    .columns = trouble_columns,
    .n_columns = STORE_COUNT(trouble_columns),
    .n_key = 4,
    .indexes = trouble_indexes,
    .n_indexes = STORE_COUNT(trouble_indexes),
    .since = 4,
};

static const struct store_column request_columns[] = {
    STORE_COL_TEXT(request_row, caller),
    STORE_COL_TEXT(request_row, request_id),
    STORE_COL_TEXT(request_row, method),
    STORE_COL_TEXT(request_row, fingerprint),
    STORE_COL_TEXT(request_row, ref),
    STORE_COL_I32(request_row, answered),
    STORE_COL_I32(request_row, code),
    STORE_COL_TEXT(request_row, text),
    STORE_COL_BLOB(request_row, answer, REQUEST_ANSWER_MAX),
    STORE_COL_I64(request_row, created_ms, .fixed = true),
};
// For retention; at the end of the index, and never changed.
static const struct store_index request_indexes[] = {
    [REQUEST_BY_CREATED] = {.name = "request_by_created", .columns = {"created_ms"}, .since = 4},
};
const struct store_table request_table = {
    .name = "request",
    .row_size = sizeof(struct request_row),
    .columns = request_columns,
    .n_columns = STORE_COUNT(request_columns),
    .n_key = 2,
    .indexes = request_indexes,
    .n_indexes = STORE_COUNT(request_indexes),
    .since = 1,
};

static const struct store_column outbox_columns[] = {
    STORE_COL_I64(outbox_row, seq),        STORE_COL_I32(outbox_row, slot),
    STORE_COL_TEXT(outbox_row, type),      STORE_COL_TEXT(outbox_row, gid),
    STORE_COL_TEXT(outbox_row, subject),   STORE_COL_BLOB(outbox_row, payload, 4096),
    STORE_COL_I64(outbox_row, created_ms),
};
const struct store_table outbox_table = {
    .name = "outbox",
    .row_size = sizeof(struct outbox_row),
    .columns = outbox_columns,
    .n_columns = STORE_COUNT(outbox_columns),
    .n_key = 2,
    .since = 1,
};

static const struct store_column poke_columns[] = {
    STORE_COL_I32(poke_row, slot),
    STORE_COL_TEXT(poke_row, gid),
    STORE_COL_I64(poke_row, created_ms),
};
const struct store_table poke_table = {
    .name = "poke",
    .row_size = sizeof(struct poke_row),
    .columns = poke_columns,
    .n_columns = STORE_COUNT(poke_columns),
    .n_key = 2,
    .since = 2,
};

static const struct store_column inbox_columns[] = {
    STORE_COL_I32(inbox_row, slot),
    STORE_COL_TEXT(inbox_row, inbox_no),
    STORE_COL_TEXT(inbox_row, method),
    STORE_COL_TEXT(inbox_row, caller),
    STORE_COL_BLOB(inbox_row, body, INBOX_BODY_MAX),
    STORE_COL_I64(inbox_row, received_ms),
    STORE_COL_TEXT(inbox_row, about, .since = 5),
};
const struct store_table inbox_table = {
    .name = "inbox",
    .row_size = sizeof(struct inbox_row),
    .columns = inbox_columns,
    .n_columns = STORE_COUNT(inbox_columns),
    .n_key = 2,
    .since = 4,
};

static const struct store_column audit_columns[] = {
    STORE_COL_TEXT(audit_row, audit_no),
    STORE_COL_TEXT(audit_row, gid),
    STORE_COL_TEXT(audit_row, action),
    STORE_COL_TEXT(audit_row, caller),
    STORE_COL_TEXT(audit_row, reason),
    STORE_COL_TEXT(audit_row, before),
    STORE_COL_TEXT(audit_row, after),
    STORE_COL_I64(audit_row, at_ms),
    STORE_COL_TEXT(audit_row, participant, .since = 4),
    STORE_COL_TEXT(audit_row, detail, .since = 4),
};
static const struct store_index audit_indexes[] = {[AUDIT_BY_GID] = {.name = "audit_by_gid", .columns = {"gid"}}};
const struct store_table audit_table = {
    .name = "audit",
    .row_size = sizeof(struct audit_row),
    .columns = audit_columns,
    .n_columns = STORE_COUNT(audit_columns),
    .n_key = 1,
    .indexes = audit_indexes,
    .n_indexes = STORE_COUNT(audit_indexes),
    .since = 1,
};

static const struct store_column anomaly_columns[] = {
    STORE_COL_TEXT(anomaly_row, about),   STORE_COL_I32(anomaly_row, kind),    STORE_COL_I32(anomaly_row, slot),
    STORE_COL_I64(anomaly_row, first_ms), STORE_COL_I64(anomaly_row, last_ms), STORE_COL_I64(anomaly_row, cleared_ms),
    STORE_COL_I64(anomaly_row, times),    STORE_COL_TEXT(anomaly_row, gid),    STORE_COL_TEXT(anomaly_row, subject),
    STORE_COL_TEXT(anomaly_row, flow),    STORE_COL_TEXT(anomaly_row, step),   STORE_COL_I32(anomaly_row, status),
    STORE_COL_TEXT(anomaly_row, text),
};
static const struct store_index anomaly_indexes[] = {
    [ANOMALY_BY_CLEARED] = {.name = "anomaly_by_cleared", .columns = {"cleared_ms", "first_ms"}},
};
const struct store_table anomaly_table = {
    .name = "anomaly",
    .row_size = sizeof(struct anomaly_row),
    .columns = anomaly_columns,
    .n_columns = STORE_COUNT(anomaly_columns),
    .n_key = 2,
    .indexes = anomaly_indexes,
    .n_indexes = STORE_COUNT(anomaly_indexes),
    .since = 4,
};

static const struct store_column participant_columns[] = {
    STORE_COL_TEXT(participant_row, participant),
    STORE_COL_TEXT(participant_row, caller),
    STORE_COL_TEXT(participant_row, reason),
    STORE_COL_I64(participant_row, since_ms),
};
const struct store_table participant_table = {
    .name = "participant_pause",
    .row_size = sizeof(struct participant_row),
    .columns = participant_columns,
    .n_columns = STORE_COUNT(participant_columns),
    .n_key = 1,
    .since = 4,
};

const struct store_table *const saga_tables[] = {
    &saga_table,  &attempt_table, &trouble_table, &request_table,     &outbox_table, &poke_table,
    &inbox_table, &audit_table,   &anomaly_table, &participant_table, NULL};

void saga_tables_add(const struct store_table **tables, size_t max, const struct store_table *const *more) {
    size_t n = 0;
    while (tables[n])
        n++;
    for (; *more; more++) {
        assert(n + 1 < max);
        tables[n++] = *more;
    }
    tables[n] = NULL;
}
