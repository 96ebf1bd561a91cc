#include "saga/engine.h"

#include <assert.h>
#include <stdlib.h>

// ---- Rows ---------------------------------------------------------------------------------------------------------

void row_head(const struct saga_resident *resident, struct saga_row *ret_row) {
    const struct saga_instance *saga = &resident->saga;
    struct saga_row row = {
        .flow_version = saga->flow->version,
        .status = (int32_t)saga->status,
        .parked = saga_instance_parked(saga),
        .paused = saga->paused,
        .slot = (int32_t)resident->slot,
        .due_ms = saga_instance_due(saga),
        // A resumption that is yet to be counted must not look as if it were: the saga may be loaded again before it
        // is.
        .written_by = resident->resuming ? resident->row_mark : slot_mark(resident->engine, resident->slot),
        .resume_count = resident->resume_count,
        .parent_step = resident->parent_step,
        .parent_leg = resident->parent_leg,
        .created_ms = resident->created_ms,
        .updated_ms = resident->updated_ms,
        .ended_ms = resident->ended_ms,
    };
    memcpy(row.gid, saga->gid, sizeof row.gid);
    str_copy(str_c(saga->flow->name), row.flow, sizeof row.flow);
    memcpy(row.subject, resident->subject_key, sizeof row.subject);
    memcpy(row.parent_gid, resident->parent_gid, sizeof row.parent_gid);
    memcpy(row.reason, saga->reason, sizeof row.reason);
    memcpy(row.text, saga->text, sizeof row.text);
    *ret_row = row;
}

void row_of(const struct saga_resident *resident, struct arena *arena, struct saga_row *ret_row) {
    struct saga_row row;
    struct error error = {0};
    row_head(resident, &row);
    row.input = resident->input;
    bool unread = resident->unread.ptr != NULL; // it stays as it is, for whoever can make sense of it
    row.journal = resident->unread;
    bool encoded = unread || saga_journal_encode(&resident->saga, arena, &row.journal, &error);
    assert(encoded); // SAGA_RECORD_MAX holds the largest instance there can be
    *ret_row = row;
}

// The one of its version, or the one that its input defines.
static const struct saga_flow *flow_of(const struct saga_engine *engine, const struct saga_row *row,
                                       struct error *error) {
    const struct saga_flow_maker *maker = engine->options.flow_maker;
    const struct saga_flow *flow = NULL;
    if (row->flow_version < 0 || row->flow_version > UINT16_MAX) {
        error_set(error, ERR_STORE_CORRUPT, "flow %s has version %d", row->flow, row->flow_version);
        return NULL;
    }
    if (row->flow_version > 0)
        flow = saga_engine_flow(engine, str_c(row->flow), row->flow_version);
    else if (row->flow_version == 0 && maker)
        return maker->make(maker->ctx, row->input, error);
    if (!flow)
        error_set(error, ERR_FLOW_UNKNOWN, "flow %s version %d is not known here", row->flow, row->flow_version);
    return flow;
}

bool saga_row_instance(const struct saga_engine *engine, const struct saga_row *row, struct saga_instance *ret_instance,
                       struct error *error) {
    struct saga_instance instance = {.status = (enum saga_status)row->status};
    memcpy(instance.gid, row->gid, sizeof instance.gid);
    if (row->status < SAGA_RUNNING || row->status > SAGA_TERMINATED)
        return error_set(error, ERR_STORE_CORRUPT, "saga %s has status %d", row->gid, row->status);
    instance.flow = flow_of(engine, row, error);
    if (!instance.flow)
        return false;
    instance.limit_ms = instance.flow->limit_ms ? row->created_ms + instance.flow->limit_ms : 0;
    if (!saga_journal_decode(row->journal, &instance, error)) {
        saga_instance_release(&instance);
        return false;
    }
    *ret_instance = instance;
    return true;
}

// A status that is none is no end, either.
bool saga_row_ended(const struct saga_row *row) {
    return row->status >= SAGA_SUCCEEDED && row->status <= SAGA_TERMINATED;
}

// ---- Loading ------------------------------------------------------------------------------------------------------

// One saga on its way into memory: row, then parent, then subject. Whoever wants it meanwhile waits here.
struct loading {
    struct map_node node; // by gid
    struct saga_engine *engine;
    char gid[SAGA_GID_MAX + 1];
    struct saga_waiter *waiters, **last;
    struct saga_instance saga;
    struct saga_row row;          // without its blobs
    struct str input;             // owned
    struct saga_resident *parent; // pinned
    bool at_parent;               // waits at its parent's loading, which will finish it
    bool outdated;                // the saga was in memory meanwhile, so what was read may be older than what is stored
    bool to_end;                  // for saga_load_to_end()
    struct str unread;            // see struct saga_resident
    bool deaf_subject, deaf_parent;
};

// One of those who wait may bring about that it is dropped: the others get it as it is loaded then.
static void loading_finish(struct loading *loading, struct saga_resident *resident, const struct error *error) {
    struct saga_engine *engine = loading->engine;
    if (resident)
        resident_pin(resident);
    map_remove(&engine->loadings, &loading->node);
    slot_unuse(engine, id_slot(str_c(loading->gid)));
    struct saga_waiter *waiter = loading->waiters;
    while (waiter) {
        struct saga_waiter *next = waiter->next;
        if (resident && resident->gone)
            resident_await(resident, waiter->done, waiter->ctx);
        else
            waiter->done(waiter->ctx, resident, error);
        free(waiter);
        waiter = next;
    }
    if (resident)
        resident_unpin(resident);
    if (loading->parent)
        resident_unpin(loading->parent);
    saga_instance_release(&loading->saga);
    free((void *)(uintptr_t)loading->input.ptr);
    free((void *)(uintptr_t)loading->unread.ptr);
    free(loading);
}

static void loading_stale(struct loading *loading) {
    struct error error;
    error_set(&error, ERR_STORE_STALE, NULL);
    loading_finish(loading, NULL, &error);
}

// One that waits for the store or for its subject; NULL: there is none left, nor any that waits at it.
static struct loading *first_loading(const struct saga_engine *engine) {
    for (size_t i = 0; i < engine->loadings.n_buckets; i++)
        for (struct map_node *node = engine->loadings.buckets[i]; node; node = node->next) {
            struct loading *loading = CONTAINER_OF(node, struct loading, node);
            if (!loading->at_parent)
                return loading;
        }
    return NULL;
}

void engine_drop_loadings(struct saga_engine *engine) {
    struct error error;
    error_set(&error, ERR_SHUTTING_DOWN, NULL);
    for (struct loading *loading; (loading = first_loading(engine));)
        loading_finish(loading, NULL, &error);
}

static void enter_memory(struct loading *loading, struct saga_subject *subject) {
    struct saga_engine *engine = loading->engine;
    const struct saga_row *row = &loading->row;
    if (loading->unread.ptr)
        saga_instance_assume(&loading->saga, subject, loading->input, !loading->deaf_subject);
    struct saga_resident *resident = resident_add(engine, &loading->saga, subject, loading->parent, loading->input);
    loading->saga = (struct saga_instance){0}; // it is the resident's now
    resident->to_end = loading->to_end;
    resident->unread = loading->unread;
    loading->unread = STR_NONE;
    resident->deaf_subject = loading->deaf_subject;
    resident->deaf_parent = loading->deaf_parent;
    resident->stored = true;
    resident->created_ms = row->created_ms;
    resident->updated_ms = row->updated_ms;
    resident->row_due_ms = row->due_ms;
    resident->row_mark = row->written_by;
    resident->resume_count = row->resume_count;
    resident->parent_step = (uint16_t)row->parent_step;
    resident->parent_leg = (uint8_t)row->parent_leg;
    memcpy(resident->parent_gid, row->parent_gid, sizeof resident->parent_gid);
    memcpy(resident->subject_key, row->subject, sizeof resident->subject_key);
    trouble_loaded(resident);
    // Another process wrote it, and may have been at it when it died: something was due.
    resident->resuming = !loading->to_end && !slot_left_in_order(engine, resident->slot, row->written_by) &&
                         row->due_ms <= clock_now_ms(engine->options.clock);
    sentinel_inform(engine->sentinel, resident);
    engine->stats.loads++;
    if (resident->resuming) {
        engine->stats.resumed++;
        engine_notice(engine, SAGA_NOTICE_RESUMED, resident, NULL, SAGA_ACTION, NULL, NULL);
    }
    resident_wake(resident, WAKE_RESUMED);
    loading_finish(loading, resident, NULL);
}

// It may have been started while it was looked for here, or even come and gone; or it is somebody else's now.
static bool is_overtaken(struct loading *loading) {
    struct saga_resident *resident = resident_find(loading->engine, str_c(loading->gid));
    struct error error = {0};
    if (!slot_check(loading->engine, id_slot(str_c(loading->gid)), &error))
        loading_finish(loading, NULL, &error);
    else if (resident)
        loading_finish(loading, resident, NULL);
    else if (loading->outdated)
        loading_stale(loading);
    else
        return false;
    return true;
}

void engine_outdate(struct saga_engine *engine, struct str gid) {
    struct map_node *node = map_find(&engine->loadings, gid);
    if (node)
        CONTAINER_OF(node, struct loading, node)->outdated = true;
}

bool engine_is_unreadable(const struct error *error) {
    return err_info(error->code)->outcome == OUTCOME_REJECTED && error->code != ERR_SAGA_NOT_FOUND &&
           error->code != ERR_SAGA_STATE && error->code != ERR_FLOW_UNKNOWN;
}

// It is left as it is, which somebody must hear of.
static void report_unreadable(struct loading *loading, const struct error *error) {
    struct saga_engine *engine = loading->engine;
    bool unknown = error->code == ERR_FLOW_UNKNOWN;
    engine->stats.unknown_flows += unknown;
    engine->stats.corrupt += !unknown;
    if (engine->options.notice) {
        struct saga_notice notice = {.kind = unknown ? SAGA_NOTICE_FLOW_UNKNOWN : SAGA_NOTICE_CORRUPT,
                                     .gid = loading->gid,
                                     .subject = loading->row.subject,
                                     .flow = loading->row.flow,
                                     .step = "",
                                     .reason = err_info(error->code)->name,
                                     .text = error->text};
        engine->options.notice(engine->options.notice_ctx, &notice);
    }
    loading_finish(loading, NULL, error);
}

void saga_attached(struct saga_engine *engine, void *token, struct saga_subject *subject, const struct error *error) {
    struct loading *loading = token;
    engine_enter(engine);
    loading->deaf_subject = !subject && loading->to_end && engine_is_unreadable(error);
    if (!subject && err_info(error->code)->outcome == OUTCOME_RETRY)
        loading_finish(loading, NULL, error);
    else if (!subject && !loading->deaf_subject)
        report_unreadable(loading, error);
    else if ((subject && subject->failed) || (loading->parent && loading->parent->lost))
        loading_stale(loading);
    else if (!is_overtaken(loading))
        enter_memory(loading, subject ? saga_subject_hold(subject) : NULL);
    engine_exit(engine);
}

static void load_subject(struct loading *loading) {
    const struct saga_flow *flow = loading->saga.flow;
    if (flow->attach && loading->row.subject[0]) {
        flow->attach(engine_flow_ctx(loading->engine, flow), loading->engine, str_c(loading->row.subject), loading);
        return;
    }
    loading->deaf_subject = loading->to_end && flow->attach; // whose key its row does not have any more
    enter_memory(loading, NULL);
}

static void parent_loaded(void *ctx, struct saga_resident *parent, const struct error *error) {
    struct loading *loading = ctx;
    loading->at_parent = false;
    // A parent that has ended or is gone: the child ends on its own.
    bool gone = error && (error->code == ERR_SAGA_STATE || error->code == ERR_SAGA_NOT_FOUND);
    loading->deaf_parent = error && loading->to_end && engine_is_unreadable(error);
    if (error && !gone && !loading->deaf_parent) {
        loading_finish(loading, NULL, error);
    } else if (parent && parent->lost) {
        loading_stale(loading);
    } else if (!is_overtaken(loading)) {
        loading->parent = parent;
        if (parent)
            resident_pin(parent);
        load_subject(loading);
    }
}

// Whether the saga of this gid waits, over however many parents, for the one that is being loaded.
static bool waits_for(const struct loading *loading, const char *gid) {
    while (strcmp(gid, loading->gid) != 0) {
        struct map_node *node = map_find(&loading->engine->loadings, str_c(gid));
        const struct loading *other = node ? CONTAINER_OF(node, struct loading, node) : NULL;
        if (!other || !other->at_parent)
            return false;
        gid = other->row.parent_gid;
    }
    return true;
}

// To be ended it need not be readable, but its flow must be known.
static bool make_instance(struct loading *loading, const struct saga_row *row, struct error *error) {
    struct error unknown = {0};
    if (saga_row_instance(loading->engine, row, &loading->saga, error))
        return true;
    if (!loading->to_end || error->code != ERR_STORE_CORRUPT)
        return false;
    const struct saga_flow *flow = flow_of(loading->engine, row, &unknown);
    if (!flow) {
        *error = unknown;
        return false;
    }
    // Of a status that is none nothing follows.
    bool known = row->status >= SAGA_RUNNING && row->status <= SAGA_COMPENSATING;
    loading->saga = (struct saga_instance){
        .flow = flow, .status = known ? (enum saga_status)row->status : SAGA_FORWARD, .paused = row->paused != 0};
    memcpy(loading->saga.gid, row->gid, sizeof loading->saga.gid);
    loading->unread = saga_copy_bytes(row->journal);
    return true;
}

static void load_parent(struct loading *loading) {
    struct error error = {0};
    bool circle = waits_for(loading, loading->row.parent_gid);
    if (circle && !loading->to_end) {
        error_set(&error, ERR_STORE_CORRUPT, "saga %s is an ancestor of its own parent", loading->gid);
        report_unreadable(loading, &error);
    } else if (circle) {
        loading->deaf_parent = true;
        load_subject(loading);
    } else if (loading->row.parent_gid[0]) {
        loading->at_parent = true;
        saga_load(loading->engine, str_c(loading->row.parent_gid), parent_loaded, loading);
    } else {
        load_subject(loading);
    }
}

static void row_loaded(struct loading *loading, const struct saga_row *row) {
    struct error error = {0};
    loading->row = *row;
    loading->row.input = loading->row.journal = STR_NONE;
    loading->input = saga_copy_bytes(row->input);
    if (saga_row_ended(row)) {
        error_set(&error, ERR_SAGA_STATE, "the saga has ended: %s", saga_status_name((enum saga_status)row->status));
        loading_finish(loading, NULL, &error);
    } else if (!make_instance(loading, row, &error)) {
        report_unreadable(loading, &error);
    } else {
        load_parent(loading);
    }
}

static void look_at(struct loading *loading, const struct error *error, const struct saga_row *row) {
    struct error missing = {0};
    if (error && error->code == ERR_STORE_CORRUPT) {
        report_unreadable(loading, error);
    } else if (error) {
        loading_finish(loading, NULL, error);
    } else if (!row) {
        error_set(&missing, ERR_SAGA_NOT_FOUND, "no saga has the gid %s", loading->gid);
        loading_finish(loading, NULL, &missing);
    } else {
        row_loaded(loading, row);
    }
}

static void row_read(void *ctx, const struct error *error, const void *rows, size_t n) {
    struct loading *loading = ctx;
    struct saga_engine *engine = loading->engine;
    engine_enter(engine);
    if (!is_overtaken(loading))
        look_at(loading, error, n ? rows : NULL);
    engine_exit(engine);
}

static void load(struct saga_engine *engine, struct str gid, bool to_end, saga_loaded_fn *done, void *ctx) {
    struct loading *loading = calloc(1, sizeof *loading);
    struct error error = {0};
    if (!loading)
        abort();
    loading->engine = engine;
    loading->last = &loading->waiters;
    loading->to_end = to_end;
    if (str_empty(gid) || !str_copy(gid, loading->gid, sizeof loading->gid)) {
        free(loading);
        error_set(&error, ERR_SAGA_NOT_FOUND, "no saga has this gid");
        done(ctx, NULL, &error);
        return;
    }
    map_insert(&engine->loadings, &loading->node, str_c(loading->gid));
    slot_use(engine, id_slot(str_c(loading->gid)));
    loading->last = waiter_add(loading->last, done, ctx);
    struct store_query query = {
        .table = &saga_table, .conds = {{.column = "gid", .cmp = STORE_EQ, .text = str_c(loading->gid)}}, .limit = 1};
    store_read(engine->options.store, &query, row_read, loading);
}

void saga_load(struct saga_engine *engine, struct str gid, saga_loaded_fn *done, void *ctx) {
    struct saga_resident *resident = resident_find(engine, gid);
    struct error error = {0};
    if (!slot_check(engine, id_slot(gid), &error)) {
        done(ctx, NULL, &error);
        return;
    }
    if (resident) {
        done(ctx, resident, NULL);
        return;
    }
    struct map_node *node = map_find(&engine->loadings, gid);
    if (node) {
        struct loading *under_way = CONTAINER_OF(node, struct loading, node);
        under_way->last = waiter_add(under_way->last, done, ctx);
        return;
    }
    load(engine, gid, false, done, ctx);
}

bool saga_load_to_end(struct saga_engine *engine, struct str gid, saga_loaded_fn *done, void *ctx) {
    struct error error = {0};
    if (resident_find(engine, gid) || map_find(&engine->loadings, gid))
        return false;
    if (slot_check(engine, id_slot(gid), &error))
        load(engine, gid, true, done, ctx);
    else
        done(ctx, NULL, &error);
    return true;
}
