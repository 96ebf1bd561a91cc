// The keyed contract of participant/type/v1/effect.proto, once for all systems:
//
//   kept under the key   action comes                 compensation comes          inquiry comes
//   nothing              runs, its answer is kept     CANCELLED is kept ("empty") NEVER_SEEN
//   APPLIED              the kept answer              undoes, COMPENSATED         APPLIED and the kept answer
//   REJECTED             the kept answer              APPLIED, nothing changes    REJECTED with the kept code
//   COMPENSATED          REJECTED "CANCELLED"         the kept answer             REJECTED "CANCELLED"
//   CANCELLED            REJECTED "CANCELLED" (late)  the kept answer             REJECTED "CANCELLED"
//
// Duplicates at once: the first to arrive is in memory before the next is looked at, and none is answered before it is
// durable (call.c).
#include "sim/effects.h"

#include <assert.h>
#include <stdlib.h>

static const struct store_column columns[] = {
    STORE_COL_TEXT(sim_effect_row, system),
    STORE_COL_TEXT(sim_effect_row, effect_key),
    STORE_COL_TEXT(sim_effect_row, method),
    STORE_COL_I32(sim_effect_row, state),
    STORE_COL_I64(sim_effect_row, body_hash),
    STORE_COL_TEXT(sim_effect_row, gid),
    STORE_COL_TEXT(sim_effect_row, step),
    STORE_COL_TEXT(sim_effect_row, trade_no),
    STORE_COL_I64(sim_effect_row, at_ms),
    STORE_COL_BLOB(sim_effect_row, note, SIM_NOTE_MAX),
    STORE_COL_BLOB(sim_effect_row, answer, SIM_ANSWER_MAX),
    STORE_COL_BLOB(sim_effect_row, undo, SIM_ANSWER_MAX),
};

const struct store_table sim_effects_table = {
    .name = "sim_effect",
    .row_size = sizeof(struct sim_effect_row),
    .columns = columns,
    .n_columns = STORE_COUNT(columns),
    .n_key = 2,
    .since = 1,
};

// A row in memory, as small as its texts.
struct sim_record {
    struct map_node node;
    const struct sim_method *method; // the action's
    enum sim_effect_state state;
    uint32_t times_applied;
    int64_t body_hash, at_ms;
    const char *gid, *step, *trade_no;
    struct str note, answer;
    struct str undo; // allocated by itself
    char texts[];
};

static char *append(char **at, struct str text) {
    char *start = *at;
    if (text.len)
        memcpy(start, text.ptr, text.len);
    start[text.len] = '\0';
    *at += text.len + 1;
    return start;
}

static struct sim_record *record_new(struct sim_system *system, const struct sim_method *method,
                                     const struct sim_effect_row *row) {
    struct str key = str_c(row->effect_key), gid = str_c(row->gid), step = str_c(row->step),
               trade_no = str_c(row->trade_no);
    size_t size = key.len + gid.len + step.len + trade_no.len + row->note.len + row->answer.len + 6;
    struct sim_record *record = malloc(sizeof *record + size);
    if (!record)
        abort();
    *record = (struct sim_record){
        .method = method,
        .state = (enum sim_effect_state)row->state,
        .body_hash = row->body_hash,
        .at_ms = row->at_ms,
    };
    char *at = record->texts;
    const char *kept_key = append(&at, key);
    record->gid = append(&at, gid);
    record->step = append(&at, step);
    record->trade_no = append(&at, trade_no);
    record->note = str_n(append(&at, row->note), row->note.len);
    record->answer = str_n(append(&at, row->answer), row->answer.len);
    map_insert(&system->records, &record->node, str_n(kept_key, key.len));
    return record;
}

static void record_undone(struct sim_record *record, enum sim_effect_state state, struct str answer) {
    record->state = state;
    char *copy = malloc(answer.len + 1);
    if (!copy)
        abort();
    memcpy(copy, answer.ptr, answer.len);
    record->undo = str_n(copy, answer.len);
}

static const struct sim_method *action_named(const struct sim_system *system, const char *name) {
    for (size_t i = 0; i < system->def->n_methods; i++)
        if (system->def->methods[i].op == SIM_ACTION && strcmp(system->def->methods[i].name, name) == 0)
            return &system->def->methods[i];
    return NULL;
}

void sim_effects_join(struct sim_system *system, const void *row) {
    const struct sim_effect_row *effect = row;
    const struct sim_method *method = action_named(system, effect->method);
    if (!method)
        return; // of a method that this version no longer has
    struct sim_record *record = record_new(system, method, effect);
    if (effect->undo.len > 0)
        record_undone(record, record->state, effect->undo);
    record->times_applied = record->state == SIM_APPLIED || record->state == SIM_COMPENSATED;
}

static void release_one(void *ctx, struct map_node *node) {
    (void)ctx;
    struct sim_record *record = CONTAINER_OF(node, struct sim_record, node);
    free((char *)(uintptr_t)record->undo.ptr);
    free(record);
}

void sim_effects_release(struct sim_system *system) {
    map_each(&system->records, release_one, NULL);
    map_release(&system->records);
}

static struct sim_record *find(struct sim_call *call) {
    struct map_node *node = map_find(&call->system->records, str_c(call->effect->key));
    return node ? CONTAINER_OF(node, struct sim_record, node) : NULL;
}

static void put(struct sim_call *call, const struct sim_record *record) {
    struct sim_effect_row row = {
        .state = (int32_t)record->state,
        .body_hash = record->body_hash,
        .at_ms = record->at_ms,
        .note = record->note,
        .answer = record->answer,
        .undo = record->undo,
    };
    SIM_COPY(row.system, call->system->def->name);
    SIM_COPY(row.effect_key, call->effect->key);
    SIM_COPY(row.method, record->method->name);
    SIM_COPY(row.gid, record->gid);
    SIM_COPY(row.step, record->step);
    SIM_COPY(row.trade_no, record->trade_no);
    sim_put_plain(&call->change, &sim_effects_table, &row);
}

static int64_t body_hash(const struct sim_call *call) {
    return (int64_t)str_hash(rpc_inbound_bytes(call->in));
}

// Keeps what became of a key that was not known.
static struct sim_record *keep(struct sim_call *call, const struct sim_method *action, enum sim_effect_state state,
                               int64_t hash, struct str answer) {
    struct sim_effect_row row = {
        .state = (int32_t)state,
        .body_hash = hash,
        .at_ms = sim_now(call->system->sim),
        .note = call->note,
        .answer = answer,
    };
    SIM_COPY(row.effect_key, call->effect->key);
    SIM_COPY(row.gid, call->effect->gid);
    SIM_COPY(row.step, call->effect->step);
    SIM_COPY(row.trade_no, call->effect->trade_no);
    return record_new(call->system, action, &row);
}

static void applied_bare(struct sim_call *call) {
    sim_answer_bare(call, PARTICIPANT__TYPE__V1__VERDICT__VERDICT_APPLIED, "", "");
}

static void reject_reused(struct sim_call *call, const struct sim_record *record) {
    sim_reject(call, "KEY_REUSED", "this key is one of %s", record->method->name);
}

// ---- The rules -------------------------------------------------------------------------------------------------

static void repeat_action(struct sim_call *call, struct sim_record *record) {
    struct sim_stats *stats = &call->system->stats;
    if (record->method != call->method) {
        reject_reused(call, record);
        return;
    }
    if (record->state == SIM_CANCELLED || record->state == SIM_COMPENSATED) {
        stats->late_actions++;
        sim_reject(call, "CANCELLED", "the effect was compensated");
        return;
    }
    stats->repeats++;
    if (record->body_hash != body_hash(call))
        stats->changed_repeats++;
    call->answer = record->answer;
}

static void apply(struct sim_call *call) {
    if (call->plan.reject)
        sim_reject(call, call->plan.code, "a rejection that was asked for");
    else
        call->method->apply(call);
    if (!call->answer.ptr && !error_is(&call->invalid))
        applied_bare(call);
}

static void run_action(struct sim_call *call) {
    struct sim_record *record = find(call);
    if (record) {
        repeat_action(call, record);
        return;
    }
    apply(call);
    if (error_is(&call->invalid))
        return;
    struct sim_stats *stats = &call->system->stats;
    record = keep(call, call->method, call->rejected ? SIM_REJECTED : SIM_APPLIED, body_hash(call), call->answer);
    if (call->rejected)
        stats->rejections++;
    else
        stats->effects++;
    if (!call->rejected && ++record->times_applied > 1)
        stats->took_effect_twice++;
    put(call, record);
}

static void answer_empty(struct sim_call *call) {
    if (call->method->empty)
        call->method->empty(call);
    if (!call->answer.ptr && !error_is(&call->invalid))
        applied_bare(call);
}

static void undo_applied(struct sim_call *call, struct sim_record *record) {
    call->note = record->note;
    if (call->method->apply)
        call->method->apply(call);
    if (!call->answer.ptr && !error_is(&call->invalid))
        applied_bare(call);
    if (call->rejected || call->not_undone || error_is(&call->invalid))
        return;
    call->system->stats.compensations++;
    record_undone(record, SIM_COMPENSATED, call->answer);
    put(call, record);
}

static void run_compensation(struct sim_call *call) {
    if (call->plan.reject) {
        sim_reject(call, call->plan.code, "a rejection that was asked for");
        return;
    }
    const struct sim_method *action = action_named(call->system, call->method->undoes);
    struct sim_record *record = find(call);
    if (record && record->method != action) {
        reject_reused(call, record);
    } else if (!record) {
        call->system->stats.empty_compensations++;
        answer_empty(call);
        if (error_is(&call->invalid))
            return;
        record = keep(call, action, SIM_CANCELLED, 0, STR(""));
        record_undone(record, SIM_CANCELLED, call->answer);
        put(call, record);
    } else if (record->state == SIM_APPLIED) {
        undo_applied(call, record);
    } else if (record->undo.ptr) {
        call->system->stats.repeats++;
        call->answer = record->undo;
    } else {
        answer_empty(call); // the action was rejected
    }
}

static void run_inquiry(struct sim_call *call) {
    ProtobufCMessage *response = rpc_message_new(call->types->response, call->arena);
    struct sim_record *record = find(call);
    if (!response) {
        error_set(&call->invalid, ERR_OVERLOADED, NULL);
    } else if (!record) {
        sim_answer_bare(call, PARTICIPANT__TYPE__V1__VERDICT__VERDICT_NEVER_SEEN, "", "");
    } else if (record->state == SIM_APPLIED) {
        *rpc_bytes_at(response, 2) =
            (ProtobufCBinaryData){record->answer.len, (uint8_t *)(uintptr_t)record->answer.ptr};
        sim_answer(call, response);
    } else if (record->state == SIM_REJECTED) {
        size_t action = (size_t)(record->method - call->system->def->methods);
        ProtobufCMessage *kept =
            rpc_decode(call->system->types[action].response, record->answer, call->arena, &call->invalid);
        if (!kept)
            return;
        const Participant__Type__V1__Outcome *outcome = (const void *)rpc_message_in(kept, 1);
        sim_reject(call, outcome->code, "%s", outcome->text);
    } else {
        sim_reject(call, "CANCELLED", "the effect was compensated");
    }
}

void sim_effects_run(struct sim_call *call) {
    switch (call->method->op) {
    case SIM_READ: apply(call); break;
    case SIM_ACTION: run_action(call); break;
    case SIM_COMPENSATE: run_compensation(call); break;
    case SIM_INQUIRE: run_inquiry(call); break;
    }
}
