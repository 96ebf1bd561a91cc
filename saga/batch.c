#include "saga/batch.h"

#include "base/digest.h"
#include "saga/audit.h"
#include "saga/engine.h"
#include "saga/valve.h"

#include <stdio.h>
#include <stdlib.h>

enum { PAGE = 200, AT_ONCE = 16, REPORT_MS = 500, ARENA_MAX = 4 << 20, LOOKS_MAX = 4 };

enum stage { BEGUN, ASKING, COUNTING, RECORDING, ACTING };

struct saga_batch {
    struct saga_engine *engine;
    struct saga_batch *next, **link; // of the engine's
    struct saga_batch_options options;
    struct arena arena; // its texts
    struct audit_row audit;
    struct request_entry *entry; // of its own record, until that is made
    struct valve valve;          // its rate
    enum stage stage;
    bool stopped;
    struct error error; // it ends with this
    struct saga_batch_report report;
    struct saga_batch_refusal refusals[SAGA_BATCH_REFUSALS];
    struct saga_list_cursor cursor; // of the counting
    bool has_cursor, more_pages;
    char (*gids)[SAGA_GID_MAX + 1]; // that were counted; what comes to the filter later is not meant
    size_t n_gids, cap_gids, at;
    uint32_t under_way; // actions, reads, its own request and record
    struct act *acts;
    bool reading;
    struct saga_listing *listing; // of the page that is being read
    int64_t report_ms;
};

// One saga's turn.
struct act {
    struct saga_batch *batch;
    struct act *next, **link;                           // of the batch
    char gid[SAGA_GID_MAX + 1], id[REQUEST_ID_MAX + 1]; // id: of its own request
    struct request_entry *entry;
    int64_t seen_ms;      // of its row, which it was decided on; 0: not looked at yet
    unsigned looks;       // so far
    struct error refusal; // of the last time
};

static void act_free(struct act *act) {
    *act->link = act->next;
    if (act->next)
        act->next->link = act->link;
    free(act);
}

static void go_on(struct saga_batch *batch);

static int64_t now_ms(const struct saga_batch *batch) {
    return clock_now_ms(batch->engine->options.clock);
}

// ---- The end ------------------------------------------------------------------------------------------------------

static void batch_free(struct saga_batch *batch) {
    *batch->link = batch->next;
    if (batch->next)
        batch->next->link = batch->link;
    while (batch->acts)
        act_free(batch->acts);
    saga_list_drop(batch->listing);
    arena_release(&batch->arena);
    free(batch->gids);
    free(batch);
}

static void tell(struct saga_batch *batch) {
    bool failed = error_is(&batch->error);
    batch->stopped = batch->stopped || batch->engine->stopped;
    batch->report.refusals = batch->refusals;
    if (!batch->stopped && !batch->options.report(batch->options.ctx, &batch->report, failed ? &batch->error : NULL))
        batch->stopped = true;
    batch->report.n_refusals = 0;
    batch->report_ms = now_ms(batch) + REPORT_MS;
}

static bool is_ending(const struct saga_batch *batch) {
    return batch->stopped || batch->engine->stopped || batch->report.finished || error_is(&batch->error);
}

// When nothing of it is under way any more.
static void end(struct saga_batch *batch) {
    if (batch->under_way > 0)
        return;
    tell(batch);
    struct request_entry *entry = batch->entry;
    batch_free(batch);
    if (entry)
        request_dropped(entry); // somebody else may ask for the same, and go on
}

void saga_batch_stop(struct saga_batch *batch) {
    batch->stopped = true;
    end(batch);
}

void engine_drop_batches(struct saga_engine *engine) {
    while (engine->batches)
        batch_free(engine->batches);
}

// ---- One saga -----------------------------------------------------------------------------------------------------

static void note_refusal(struct saga_batch *batch, const struct act *act, const struct error *error) {
    struct saga_batch_report *report = &batch->report;
    if (report->n_refusals == SAGA_BATCH_REFUSALS)
        return;
    struct saga_batch_refusal *refusal = &batch->refusals[report->n_refusals++];
    memcpy(refusal->gid, act->gid, sizeof refusal->gid);
    memcpy(refusal->text, error->text, sizeof refusal->text);
    refusal->code = error->code;
}

static void act_ended(struct act *act, int64_t *counter, const struct error *error) {
    struct saga_batch *batch = act->batch;
    bool is_no = error && err_info(error->code)->outcome == OUTCOME_REJECTED;
    if (error)
        note_refusal(batch, act, error);
    *(error ? is_no ? &batch->report.refused : &batch->report.failed : counter) += 1;
    const struct valve_end gone = {.use = VALVE_CORE, .outcome = OUTCOME_OK, .text = ""};
    valve_leave(&batch->valve, &gone, now_ms(batch), 0);
    batch->under_way--;
    act_free(act);
    go_on(batch);
}

static void ask(struct act *act);

// It was refused; where its row has changed since it was looked at, that may be why, and it is looked at again.
static void done_or_refused(struct act *act, const struct error *error) {
    if (error && error->code == ERR_SAGA_STATE && ++act->looks < LOOKS_MAX && !is_ending(act->batch)) {
        act->refusal = *error;
        ask(act);
    } else {
        act_ended(act, &act->batch->report.done, error);
    }
}

static void operated_elsewhere(void *ctx, const struct error *error) {
    struct act *act = ctx;
    struct saga_engine *engine = act->batch->engine;
    engine_enter(engine);
    done_or_refused(act, error);
    engine_exit(engine);
}

static void operated(void *ctx, const struct error *error) {
    struct act *act = ctx;
    const struct saga_batch_options *options = &act->batch->options;
    struct saga_operation operation = options->operation;
    operation.seen_ms = act->seen_ms;
    if (act->entry)
        request_dropped(act->entry);
    act->entry = NULL;
    if (error && error->code == ERR_SLOT_ELSEWHERE && options->elsewhere && !is_ending(act->batch))
        options->elsewhere(options->ctx, &operation, act->gid, act->id, operated_elsewhere, act);
    else
        done_or_refused(act, error);
}

static void operate_made(void *ctx, struct saga_turn *turn) {
    struct act *act = ctx;
    request_made(act->entry, turn, str_c(act->gid), STR_NONE, NULL);
    act->entry = NULL;
}

static void refuse_act(struct act *act, const struct error *error) {
    request_dropped(act->entry);
    act->entry = NULL;
    act_ended(act, NULL, error);
}

static void operate(struct act *act) {
    struct saga_operation operation = act->batch->options.operation;
    operation.also = operate_made;
    operation.seen_ms = act->seen_ms;
    saga_operate(act->batch->engine, str_c(act->gid), &operation, operated, act);
}

// Whether it is still to be acted on; else the act is gone.
static bool is_still_asked_for(struct act *act, const struct error *failed, bool fits) {
    struct error error = {0};
    if (failed)
        error = *failed;
    else if (is_ending(act->batch))
        error_set(&error, ERR_SHUTTING_DOWN, NULL);
    else if (!fits)
        error_set(&error, ERR_SAGA_STATE, "it is no longer one of those that the filter asks for");
    if (error_is(&error))
        refuse_act(act, &error);
    return !error_is(&error);
}

// Not one that was refused as it is.
static bool is_news(struct act *act, const struct saga_row *row) {
    bool news = act->looks == 0 || act->seen_ms != row->updated_ms;
    act->seen_ms = row->updated_ms;
    if (!news)
        refuse_act(act, &act->refusal);
    return news;
}

static void trouble_read(void *ctx, const struct error *failed, const void *rows, size_t n) {
    struct act *act = ctx;
    struct saga_engine *engine = act->batch->engine;
    (void)rows;
    engine_enter(engine);
    if (is_still_asked_for(act, failed, n > 0))
        operate(act);
    engine_exit(engine);
}

// Whether it is still in the trouble that the filter asks for.
static void look_at_trouble(struct act *act) {
    const struct saga_batch *batch = act->batch;
    const struct saga_filter *filter = &batch->options.filter;
    struct store_query query = {
        .table = &trouble_table, .conds = {{.column = "gid", .cmp = STORE_EQ, .text = str_c(act->gid)}}, .limit = 1};
    struct store_cond *cond = &query.conds[1];
    if (!str_empty(filter->reason))
        *cond++ = (struct store_cond){.column = "reason", .cmp = STORE_EQ, .text = filter->reason};
    if (!str_empty(filter->participant))
        *cond = (struct store_cond){.column = "participant", .cmp = STORE_EQ, .text = filter->participant};
    store_read(batch->engine->options.store, &query, trouble_read, act);
}

static void row_read(void *ctx, const struct error *failed, const void *rows, size_t n) {
    struct act *act = ctx;
    struct saga_engine *engine = act->batch->engine;
    const struct saga_filter *filter = &act->batch->options.filter;
    bool of_trouble = !str_empty(filter->reason) || !str_empty(filter->participant);
    engine_enter(engine);
    if (is_still_asked_for(act, failed, n > 0 && saga_filter_fits(filter, rows)) && is_news(act, rows)) {
        if (of_trouble)
            look_at_trouble(act);
        else
            operate(act);
    }
    engine_exit(engine);
}

// It may be long since it was counted, and what is true of a saga now is what counts: one that has gone on by itself is
// left alone.
static void look(struct act *act) {
    struct store_query query = {
        .table = &saga_table, .conds = {{.column = "gid", .cmp = STORE_EQ, .text = str_c(act->gid)}}, .limit = 1};
    store_read(act->batch->engine->options.store, &query, row_read, act);
}

static void act_begun(void *ctx, enum request_verdict verdict, struct request_entry *entry,
                      const struct request_row *row, const struct error *error) {
    struct act *act = ctx;
    (void)row;
    act->entry = entry;
    switch (verdict) {
    case REQUEST_NEW: look(act); break;
    case REQUEST_KNOWN: act_ended(act, &act->batch->report.done_before, NULL); break;
    case REQUEST_ERROR: act_ended(act, NULL, error); break;
    }
}

// Of the batch's request and the saga, in the form of a request id of its own.
static void act_id(const struct saga_batch *batch, const char *gid, char out[REQUEST_ID_MAX + 1]) {
    char both[REQUEST_ID_MAX + SAGA_GID_MAX + 2], hex[2 * DIGEST_LEN + 1];
    uint8_t digest[DIGEST_LEN];
    int length = snprintf(both, sizeof both, "%.*s\n%s", STR_FMT(batch->options.request_id), gid);
    digest_sha256(str_n(both, (size_t)length), digest);
    digest_hex(digest, hex);
    str_print(out, REQUEST_ID_MAX + 1, "batch/%.58s", hex);
}

static void ask(struct act *act) {
    const struct saga_batch *batch = act->batch;
    const struct saga_operation *operation = &batch->options.operation;
    struct arena arena;
    arena_init(&arena, ARENA_MAX);
    const struct request_id request = {.caller = operation->caller,
                                       .id = str_c(act->id),
                                       .method = saga_act_name(operation->act),
                                       .body = saga_operation_body(operation, str_c(act->gid), &arena)};
    request_begin(batch->options.requests, &request, act_begun, act);
    arena_release(&arena);
}

static void act_on(struct saga_batch *batch, const char *gid) {
    struct act *act = calloc(1, sizeof *act);
    if (!act)
        abort();
    act->batch = batch;
    act->next = batch->acts;
    act->link = &batch->acts;
    if (act->next)
        act->next->link = &act->next;
    batch->acts = act;
    memcpy(act->gid, gid, sizeof act->gid);
    act_id(batch, gid, act->id);
    valve_take(&batch->valve, VALVE_CORE, now_ms(batch));
    batch->under_way++;
    ask(act);
}

// ---- Pages --------------------------------------------------------------------------------------------------------

static void keep_gid(struct saga_batch *batch, const char *gid) {
    if (batch->n_gids == batch->options.sagas_max)
        return;
    if (batch->n_gids == batch->cap_gids) {
        batch->cap_gids = batch->cap_gids ? 2 * batch->cap_gids : PAGE;
        batch->gids = realloc(batch->gids, batch->cap_gids * sizeof *batch->gids);
        if (!batch->gids)
            abort();
    }
    memcpy(batch->gids[batch->n_gids++], gid, sizeof *batch->gids);
}

static void take_page(struct saga_batch *batch, const struct saga_list_page *page) {
    batch->more_pages = page->more;
    batch->cursor = page->next;
    batch->has_cursor = true;
    batch->report.matched += (int64_t)page->n;
    for (size_t i = 0; i < page->n && !batch->options.dry_run; i++)
        keep_gid(batch, page->rows[i].gid);
}

static void page_read(void *ctx, const struct error *error, const struct saga_list_page *page) {
    struct saga_batch *batch = ctx;
    struct saga_engine *engine = batch->engine;
    engine_enter(engine);
    batch->reading = false;
    batch->listing = NULL;
    batch->under_way--;
    if (error)
        batch->error = *error;
    else
        take_page(batch, page);
    go_on(batch);
    engine_exit(engine);
}

static void read_page(struct saga_batch *batch) {
    batch->reading = true;
    batch->under_way++;
    batch->listing = saga_list_read(batch->engine->options.store, &batch->options.filter,
                                    batch->has_cursor ? &batch->cursor : NULL, PAGE, page_read, batch);
}

// ---- Its own record -----------------------------------------------------------------------------------------------

// The times of its filter, for whoever goes on with it: what was "older than half an hour" is told in moments, which
// are later ones the next time, and would make it a batch of other sagas.
static struct str print_times(const struct saga_filter *filter, char out[REQUEST_REF_MAX + 1]) {
    str_print(out, REQUEST_REF_MAX + 1, "%lld %lld %lld", (long long)filter->from_ms, (long long)filter->to_ms,
              (long long)filter->updated_before_ms);
    return str_c(out);
}

static bool take_times(struct saga_filter *filter, const char *text, struct error *error) {
    int64_t *const times[] = {&filter->from_ms, &filter->to_ms, &filter->updated_before_ms};
    struct str rest = str_c(text);
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++)
        if (!str_to_i64(str_cut(&rest, ' '), times[i]))
            return error_set(error, ERR_STORE_CORRUPT, "the times of the batch that was begun can't be read");
    return true;
}

static void recorded(void *ctx, const struct error *error) {
    struct saga_batch *batch = ctx;
    batch->under_way--;
    if (error)
        batch->error = *error;
    batch->stage = ACTING;
    go_on(batch);
}

static void record(struct saga_batch *batch) {
    struct request_entry *entry = batch->entry;
    struct saga_turn *turn = saga_turn_begin(batch->engine, NULL);
    char times[REQUEST_REF_MAX + 1];
    str_print(batch->audit.detail, sizeof batch->audit.detail, "%s of %lld%s sagas",
              saga_act_name(batch->options.operation.act), (long long)batch->report.matched,
              batch->report.more ? " (there are more)" : "");
    audit_put(turn, id_slot(batch->options.request_id), &batch->audit);
    batch->entry = NULL;
    batch->stage = RECORDING;
    batch->under_way++;
    request_made(entry, turn, print_times(&batch->options.filter, times), STR_NONE, NULL);
    saga_turn_commit(turn, recorded, batch);
}

static void asked(void *ctx, enum request_verdict verdict, struct request_entry *entry, const struct request_row *row,
                  const struct error *error) {
    struct saga_batch *batch = ctx;
    batch->under_way--;
    batch->entry = entry;
    batch->stage = COUNTING;
    if (verdict == REQUEST_ERROR)
        batch->error = *error;
    else if (verdict == REQUEST_KNOWN) // it goes on where it was left
        take_times(&batch->options.filter, row->ref, &batch->error);
    go_on(batch);
}

static void begin_asking(struct saga_batch *batch) {
    const struct request_id request = {.caller = batch->options.operation.caller,
                                       .id = batch->options.request_id,
                                       .method = "Batch",
                                       .body = batch->options.body};
    batch->stage = ASKING;
    batch->under_way++;
    request_begin(batch->options.requests, &request, asked, batch);
}

// ---- Going on -----------------------------------------------------------------------------------------------------

static void count(struct saga_batch *batch) {
    const int64_t most = batch->options.sagas_max;
    batch->report.more = batch->report.matched > most;
    if (batch->more_pages && !batch->report.more) {
        read_page(batch);
        return;
    }
    if (batch->report.more)
        batch->report.matched = most;
    batch->report.finished = batch->options.dry_run;
    if (!batch->options.dry_run)
        tell(batch);
    if (is_ending(batch)) {
        end(batch);
    } else if (batch->entry) {
        record(batch);
    } else {
        batch->stage = ACTING;
        go_on(batch);
    }
}

static void act(struct saga_batch *batch) {
    while (batch->at < batch->n_gids && !valve_refusal(&batch->valve, VALVE_CORE, now_ms(batch)))
        act_on(batch, batch->gids[batch->at++]);
    if (batch->at < batch->n_gids || batch->under_way > 0)
        return;
    batch->report.finished = true;
    end(batch);
}

// The batch may be gone afterwards.
static void go_on(struct saga_batch *batch) {
    if (batch->stage == BEGUN && batch->options.dry_run)
        batch->stage = COUNTING;
    if (is_ending(batch))
        end(batch);
    else if (batch->stage == BEGUN)
        begin_asking(batch);
    else if (batch->stage == COUNTING && !batch->reading)
        count(batch);
    else if (batch->stage == ACTING)
        act(batch);
}

int64_t batches_due(const struct saga_engine *engine) {
    int64_t due_ms = INT64_MAX;
    for (const struct saga_batch *batch = engine->batches; batch && !engine->stopped; batch = batch->next) {
        int64_t next_ms = valve_due_ms(&batch->valve, VALVE_CORE, now_ms(batch));
        next_ms = batch->report_ms < next_ms ? batch->report_ms : next_ms;
        due_ms = next_ms < due_ms ? next_ms : due_ms;
    }
    return due_ms;
}

void batches_tick(struct saga_engine *engine, int64_t now) {
    for (struct saga_batch *batch = engine->batches, *next; batch && !engine->stopped; batch = next) {
        next = batch->next;
        if (batch->report_ms <= now && batch->stage == ACTING && !is_ending(batch))
            tell(batch);
        else if (batch->report_ms <= now)
            batch->report_ms = now + REPORT_MS;
        go_on(batch);
    }
}

// ---- The beginning ------------------------------------------------------------------------------------------------

static bool check(struct saga_engine *engine, const struct saga_batch_options *options, struct audit_row *audit,
                  struct error *error) {
    unsigned n = 0;
    for (const struct saga_batch *batch = engine->batches; batch; batch = batch->next)
        n++;
    *audit = (struct audit_row){0};
    if (!options->dry_run)
        audit_init(audit, "batch", options->operation.caller, options->operation.reason, error);
    if (options->operation.act == SAGA_ACT_RESOLVE)
        error_field(error, "action", "is not one that fits many sagas");
    if (options->rate_per_s < 1 || options->rate_per_s > SAGA_BATCH_RATE_MAX)
        error_field(error, "rate_per_s", "must be from 1 to %d", SAGA_BATCH_RATE_MAX);
    if (!str_is_utf8(options->operation.step) || options->operation.step.len > SAGA_NAME_MAX)
        error_field(error, "step", "must have at most %d bytes of UTF-8", SAGA_NAME_MAX);
    if (!error_is(error) && n == SAGA_BATCHES_MAX)
        error_set(error, ERR_OVERLOADED, "%d batches are under way", SAGA_BATCHES_MAX);
    return !error_is(error);
}

static void keep_texts(struct saga_batch *batch) {
    struct saga_filter *filter = &batch->options.filter;
    struct saga_operation *operation = &batch->options.operation;
    struct str *texts[] = {&batch->options.request_id, &batch->options.body, &filter->flow,
                           &filter->subject,           &filter->participant, &filter->reason,
                           &operation->caller,         &operation->reason,   &operation->step};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        *texts[i] = arena_str(&batch->arena, *texts[i]);
    int32_t *slots = arena_calloc(&batch->arena, filter->n_slots + 1, sizeof *slots);
    if (!slots)
        abort();
    if (filter->n_slots)
        memcpy(slots, filter->slots, filter->n_slots * sizeof *slots);
    filter->slots = slots;
}

struct saga_batch *saga_batch_begin(struct saga_engine *engine, const struct saga_batch_options *options,
                                    struct error *error) {
    struct audit_row audit;
    if (!check(engine, options, &audit, error))
        return NULL;
    struct saga_batch *batch = calloc(1, sizeof *batch);
    if (!batch)
        abort();
    batch->engine = engine;
    batch->options = *options;
    batch->audit = audit;
    if (batch->options.sagas_max == 0 || batch->options.sagas_max > SAGA_BATCH_MAX)
        batch->options.sagas_max = SAGA_BATCH_MAX;
    arena_init(&batch->arena, ARENA_MAX);
    keep_texts(batch);
    const struct saga_gate_limits limits = {.in_flight_max = AT_ONCE, .rate_per_s = options->rate_per_s};
    valve_init(&batch->valve, &limits, now_ms(batch));
    batch->report_ms = now_ms(batch); // it begins with the next tick
    batch->more_pages = true;
    batch->next = engine->batches;
    batch->link = &engine->batches;
    if (batch->next)
        batch->next->link = &batch->next;
    engine->batches = batch;
    engine_enter(engine);
    engine_exit(engine); // sets the alarm
    return batch;
}
