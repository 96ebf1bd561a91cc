// What happened at each system, appended in the transaction in which it happened. It is not kept in memory.
#include "sim/ledger.h"

static const struct store_column columns[] = {
    STORE_COL_TEXT(sim_ledger_row, system),   STORE_COL_I64(sim_ledger_row, seq),
    STORE_COL_TEXT(sim_ledger_row, about),    STORE_COL_TEXT(sim_ledger_row, gid),
    STORE_COL_TEXT(sim_ledger_row, trade_no), STORE_COL_TEXT(sim_ledger_row, kind),
    STORE_COL_TEXT(sim_ledger_row, account),  STORE_COL_TEXT(sim_ledger_row, currency),
    STORE_COL_I64(sim_ledger_row, amount),    STORE_COL_I64(sim_ledger_row, points),
    STORE_COL_TEXT(sim_ledger_row, state),    STORE_COL_TEXT(sim_ledger_row, detail),
    STORE_COL_I64(sim_ledger_row, at_ms),
};

const struct store_table sim_ledger_table = {
    .name = "sim_ledger",
    .row_size = sizeof(struct sim_ledger_row),
    .columns = columns,
    .n_columns = STORE_COUNT(columns),
    .n_key = 2,
    .since = 1,
};

static const char *or_empty(const char *text) {
    return text ? text : "";
}

void sim_post(struct sim_change *change, const struct sim_posting *posting) {
    struct sim_system *system = change->system;
    struct sim_ledger_row row = {
        .seq = ++system->ledger_seq,
        .amount = posting->amount,
        .points = posting->points,
        .at_ms = sim_now(system->sim),
    };
    SIM_COPY(row.system, system->def->name);
    SIM_COPY(row.about, or_empty(change->about.key));
    SIM_COPY(row.gid, or_empty(change->about.gid));
    SIM_COPY(row.trade_no, or_empty(change->about.trade_no));
    SIM_COPY(row.kind, posting->kind);
    SIM_COPY(row.account, posting->account);
    SIM_COPY(row.currency, or_empty(posting->currency));
    SIM_COPY(row.state, or_empty(posting->state));
    struct str detail = posting->detail;
    if (detail.len >= sizeof row.detail)
        detail.len = sizeof row.detail - 1;
    while (!str_is_utf8(detail)) // cut within a character
        detail.len--;
    str_copy(detail, row.detail, sizeof row.detail);
    sim_put_plain(change, &sim_ledger_table, &row);
}
