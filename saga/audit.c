#include "saga/audit.h"

#include "saga/engine.h"

void audit_init(struct audit_row *row, const char *action, struct str caller, struct str reason, struct error *error) {
    *row = (struct audit_row){0};
    str_copy(str_c(action), row->action, sizeof row->action);
    if (str_empty(reason) || !str_is_utf8(reason) || !str_copy(reason, row->reason, sizeof row->reason))
        error_field(error, "reason", "must have 1..%zu bytes of UTF-8", sizeof row->reason - 1);
    if (!str_is_utf8(caller) || !str_copy(caller, row->caller, sizeof row->caller))
        error_field(error, "caller", "must have at most %d bytes of UTF-8", REQUEST_CALLER_MAX);
}

void audit_put(struct saga_turn *turn, unsigned slot, struct audit_row *row) {
    const struct saga_options *options = &turn->engine->options;
    row->at_ms = turn->now_ms;
    id_make(turn->now_ms, slot, options->random, options->random_ctx, row->audit_no);
    saga_turn_row(turn, &audit_table, STORE_INSERT, row);
}
