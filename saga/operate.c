#include "saga/operate.h"

#include "base/buf.h"
#include "saga/audit.h"
#include "saga/engine.h"

#include <stdlib.h>

static const enum saga_event_kind events[SAGA_ACTS] = {
    [SAGA_ACT_RETRY] = SAGA_EV_RETRY,           [SAGA_ACT_SKIP] = SAGA_EV_SKIP,
    [SAGA_ACT_COMPENSATE] = SAGA_EV_COMPENSATE, [SAGA_ACT_RESOLVE] = SAGA_EV_RESOLVE,
    [SAGA_ACT_PAUSE] = SAGA_EV_PAUSE,           [SAGA_ACT_RESUME] = SAGA_EV_RESUME,
    [SAGA_ACT_TERMINATE] = SAGA_EV_TERMINATE,
};

struct operation {
    struct saga_engine *engine;
    struct operation *next, **link; // of those that end a row by itself
    enum saga_act act;
    char gid[SAGA_GID_MAX + 1];
    char step[SAGA_NAME_MAX + 1];
    uint8_t leg; // of the step; from find_leg() on: index into the saga's legs
    enum outcome outcome;
    struct str answer; // owned
    int64_t seen_ms;
    struct audit_row audit;
    void (*also)(void *ctx, struct saga_turn *turn);
    saga_reply_fn *done;
    void *ctx;
};

static void finish(void *ctx, const struct error *error) {
    struct operation *operation = ctx;
    operation->done(operation->ctx, error);
    free((void *)(uintptr_t)operation->answer.ptr);
    free(operation);
}

static void refuse(struct operation *operation, const char *why) {
    struct error error;
    error_set(&error, ERR_SAGA_STATE, "%s", why);
    finish(operation, &error);
}

// ---- Words for the audit ------------------------------------------------------------------------------------------

static void describe(const struct saga_instance *saga, char *out, size_t size) {
    str_print(out, size, "%s%s%s", saga_status_name(saga->status), saga_instance_parked(saga) ? ", parked" : "",
              saga->paused ? ", paused" : "");
}

// Something of the leg may be there at its participant, or may still come there.
static bool in_mid_air(const struct saga_instance *saga, const struct saga_leg *leg) {
    if (leg->kept.came || saga_leg_in_flight(leg))
        return true;
    return saga->status == SAGA_FORWARD ? !saga_leg_settled(leg) && leg->state != LEG_IDLE : !saga_leg_cleared(leg);
}

static void add_leg(struct buf *out, const struct saga_leg *leg) {
    buf_printf(out, "%s", leg->step->name);
    if (leg->leg > 0)
        buf_printf(out, "[%u]", leg->leg);
}

// What the saga leaves behind as it is terminated.
static void list_mid_air(const struct saga_instance *saga, struct buf *out) {
    unsigned n = 0;
    for (uint8_t i = 0; i < saga->n_legs; i++) {
        const struct saga_leg *leg = &saga->legs[i];
        if (!in_mid_air(saga, leg))
            continue;
        buf_printf(out, "%s", n++ ? ", " : "in mid-air: ");
        add_leg(out, leg);
        buf_printf(out, " %s%s%s", leg_state_name(leg->state), leg->unknown ? " (unknown)" : "",
                   leg->child == CHILD_STARTED ? " (its child goes on)" : "");
    }
    if (n == 0)
        buf_printf(out, "nothing in mid-air");
}

static const char not_known[] = "its record can't be read: what is in mid-air is not known";

// Who is not told of its end, since that can't be read.
static void list_unheard(const struct saga_resident *resident, struct buf *out) {
    if (resident->deaf_parent)
        buf_printf(out, "its parent %s can't be read and was not told: terminate it, too; ", resident->parent_gid);
    if (resident->deaf_subject)
        buf_printf(out, "what it is about (%s) can't be read and was not told; ", resident->subject_key);
}

static void put_detail(struct operation *operation, const struct saga_resident *resident) {
    const struct saga_instance *saga = &resident->saga;
    const struct saga_leg *leg = &saga->legs[operation->leg];
    struct buf text;
    buf_init(&text, 16384);
    if (operation->act == SAGA_ACT_TERMINATE) {
        list_unheard(resident, &text);
        if (resident->unread.ptr)
            buf_printf(&text, "%s", not_known);
        else
            list_mid_air(saga, &text);
    } else if (operation->act == SAGA_ACT_SKIP || operation->act == SAGA_ACT_RESOLVE) {
        add_leg(&text, leg);
        buf_printf(&text, " was %s", leg_state_name(leg->state));
        if (operation->act == SAGA_ACT_RESOLVE)
            buf_printf(&text, ", is %s", outcome_name(operation->outcome));
    }
    str_fit(buf_str(&text), operation->audit.detail, sizeof operation->audit.detail);
    buf_release(&text);
}

// ---- Which step ---------------------------------------------------------------------------------------------------

static bool is_meant(const struct operation *operation, const struct saga_leg *leg) {
    if (operation->step[0])
        return strcmp(operation->step, leg->step->name) == 0 && operation->leg == leg->leg;
    return leg->state == LEG_PARKED || leg->state == LEG_UNDO_PARKED;
}

// From here on operation->leg is the leg's place. The reason in words when there is none.
static const char *find_leg(struct operation *operation, const struct saga_instance *saga) {
    int found = -1;
    if (operation->act != SAGA_ACT_SKIP && operation->act != SAGA_ACT_RESOLVE) {
        operation->leg = 0;
        return NULL;
    }
    for (uint8_t i = 0; i < saga->n_legs; i++) {
        if (!is_meant(operation, &saga->legs[i]))
            continue;
        if (found >= 0)
            return "several steps are parked: say which one is meant";
        found = i;
    }
    if (found < 0)
        return operation->step[0] ? "the saga has no such step" : "no step is parked";
    operation->leg = (uint8_t)found;
    return NULL;
}

// ---- Doing it -----------------------------------------------------------------------------------------------------

static const char gone_on[] = "it has gone on since it was looked at";

static bool has_gone_on(const struct operation *operation, int64_t updated_ms) {
    return operation->seen_ms && operation->seen_ms != updated_ms;
}

static enum saga_op op_of(const struct saga_leg *leg) {
    bool undoing = leg->state == LEG_UNDOING || leg->state == LEG_UNDO_RETRYING || leg->state == LEG_UNDO_PARKED;
    return undoing ? SAGA_COMPENSATE : SAGA_ACTION;
}

static struct saga_ruling ruling_of(const struct operation *operation, const struct saga_instance *saga) {
    return (struct saga_ruling){.act = operation->act,
                                .op = op_of(&saga->legs[operation->leg]),
                                .outcome = operation->outcome,
                                .answer = operation->answer,
                                .text = operation->audit.reason};
}

// What the engine itself can't know: whether the flow's subject allows it.
static bool allowed(struct operation *operation, struct saga_turn *turn, struct saga_resident *resident,
                    struct error *error) {
    const struct saga_instance *saga = &resident->saga;
    const struct saga_leg *leg = &saga->legs[operation->leg];
    const struct saga_ruling ruling = ruling_of(operation, saga);
    bool about_step = operation->act == SAGA_ACT_SKIP || operation->act == SAGA_ACT_RESOLVE;
    bool decides = about_step && leg->step->decide && ruling.op == SAGA_ACTION;
    if (decides && !leg->step->ruled)
        return error_set(error, ERR_SAGA_STATE, "%s is a decision of the flow's own, which nobody else can make",
                         leg->step->name);
    if (!(about_step || operation->act == SAGA_ACT_COMPENSATE) || !saga->flow->allows)
        return true;
    struct turn_focus before = turn_focus(turn, (struct turn_focus){resident, operation->leg});
    bool fine = saga->flow->allows(turn, &ruling, error);
    turn_focus(turn, before);
    return fine;
}

// The flow hears how the step ended, before the machine does.
static void tell_flow(struct operation *operation, struct saga_turn *turn, struct saga_resident *resident) {
    const struct saga_leg *leg = &resident->saga.legs[operation->leg];
    const struct saga_ruling ruling = ruling_of(operation, &resident->saga);
    struct turn_focus before = turn_focus(turn, (struct turn_focus){resident, operation->leg});
    bool answers = leg->step->run || ruling.op == SAGA_COMPENSATE;
    if (operation->act == SAGA_ACT_RESOLVE && answers) {
        const struct saga_asked asked = {.outcome = operation->outcome,
                                         .code = operation->outcome == OUTCOME_OK ? ERR_OK : ERR_PARTICIPANT_REJECTED,
                                         .reason = err_info(ERR_STOPPED_BY_OPERATOR)->name,
                                         .text = operation->audit.reason,
                                         .answer = operation->answer};
        turn->asked = &asked;
        if (leg->step->answered)
            leg->step->answered(turn, ruling.op, operation->outcome, operation->answer);
        turn->asked = NULL;
    } else if (operation->act == SAGA_ACT_SKIP || operation->act == SAGA_ACT_RESOLVE) {
        if (leg->step->ruled)
            leg->step->ruled(turn, &ruling);
    }
    turn_focus(turn, before);
}

static void let_go_of_all(struct saga_turn *turn, struct saga_resident *resident) {
    while (resident->first) { // came, and will not be looked at
        struct saga_answer_event *answer = resident->first;
        resident->first = answer->next;
        if (!answer->held)
            late_note(turn, resident, answer);
        free(answer);
    }
    resident->last = &resident->first;
    for (uint8_t i = 0; i < resident->saga.n_legs; i++) {
        late_kept(turn, resident, i);
        call_let_go(resident, i);
    }
    free(resident->held);
    resident->held = NULL;
    resident->n_held = resident->cap_held = 0;
    resident->wake = 0;
    resident->resuming = false;
    resident->write_refused = ERR_OK;
}

static void prepare(struct operation *operation, struct saga_turn *turn, struct saga_resident *resident) {
    switch (operation->act) {
    case SAGA_ACT_TERMINATE: let_go_of_all(turn, resident); break;
    case SAGA_ACT_RESOLVE: call_let_go(resident, operation->leg); break;
    case SAGA_ACT_PAUSE: call_hold_back(resident, false); break;
    default: break;
    }
}

// Whoever waits for its end and can't be told is told of here, for the operators: an event and a notice, and the saga's
// own text, since that is what the answer shows.
static void tell_unheard(struct saga_turn *turn, struct saga_resident *resident, const char *text) {
    const struct turn_about about = {resident->slot, resident->saga.gid, resident->subject_key};
    if (!resident->deaf_parent && !resident->deaf_subject)
        return;
    turn_outbox_about(turn, "saga.unheard", &about, str_c(text));
    engine_notice(turn->engine, SAGA_NOTICE_UNHEARD, resident, NULL, SAGA_ACTION, NULL, text);
}

static void put_text(const struct operation *operation, const struct saga_resident *resident,
                     char ret_text[SAGA_TEXT_MAX]) {
    str_print(ret_text, SAGA_TEXT_MAX, "%s%s%s%s", resident->unread.ptr ? "its record could not be read: " : "",
              resident->deaf_parent ? "its parent was not told: " : "",
              resident->deaf_subject ? "what it is about was not told: " : "", operation->audit.reason);
}

static void carry_out(struct operation *operation, struct saga_turn *turn, struct saga_resident *resident) {
    struct saga_instance *saga = &resident->saga;
    struct audit_row *audit = &operation->audit;
    memcpy(audit->gid, saga->gid, sizeof audit->gid);
    char text[SAGA_TEXT_MAX];
    describe(saga, audit->before, sizeof audit->before);
    put_detail(operation, resident);
    put_text(operation, resident, text);
    turn_join(turn, resident);
    tell_flow(operation, turn, resident);
    prepare(operation, turn, resident);
    struct saga_event event = turn_feed_event(turn, events[operation->act]);
    event.leg = operation->leg;
    event.outcome = operation->outcome;
    event.answer = operation->answer;
    event.text = text;
    turn_feed(turn, resident, &event);
    tell_unheard(turn, resident, audit->detail);
    describe(saga, audit->after, sizeof audit->after);
    audit_put(turn, resident->slot, audit);
    engine_notice(turn->engine, SAGA_NOTICE_OPERATED, resident, NULL, SAGA_ACTION, saga_act_name(operation->act),
                  audit->reason);
    if (operation->also)
        operation->also(operation->ctx, turn);
    saga_turn_commit(turn, finish, operation);
}

static void begin(struct operation *operation, struct saga_resident *resident) {
    struct saga_engine *engine = resident->engine;
    const char *why = has_gone_on(operation, resident->updated_ms) ? gone_on : find_leg(operation, &resident->saga);
    struct saga_event event = {.kind = events[operation->act], .leg = operation->leg, .outcome = operation->outcome};
    if (!why)
        why = saga_operator_refusal(&resident->saga, &event);
    if (why) {
        if (resident->to_end)
            resident->lost = resident->gone = true; // it is in memory for nothing else
        refuse(operation, why);
        return;
    }
    struct error error = {0};
    engine_enter(engine); // left by commit or abandon
    struct saga_turn *turn = turn_new(engine, resident->subject, resident);
    if (allowed(operation, turn, resident, &error)) {
        carry_out(operation, turn, resident);
    } else {
        saga_turn_abandon(turn);
        finish(operation, &error);
    }
}

// ---- One of which not even the flow can be told ---------------------------------------------------------------------

static void row_ended(void *ctx, const struct error *error) {
    struct operation *operation = ctx;
    *operation->link = operation->next;
    if (operation->next)
        operation->next->link = operation->link;
    finish(operation, error);
}

static void refuse_row(struct operation *operation, enum err code, const char *why) {
    struct error error;
    error_set(&error, code, "%s", why);
    row_ended(operation, &error);
}

static void row_unheard(struct saga_turn *turn, const struct saga_row *row, const char *text) {
    const struct saga_options *options = &turn->engine->options;
    const struct turn_about about = {id_slot(str_c(row->gid)), row->gid, row->subject};
    const struct saga_notice notice = {.kind = SAGA_NOTICE_UNHEARD,
                                       .gid = row->gid,
                                       .subject = row->subject,
                                       .flow = row->flow,
                                       .step = "",
                                       .status = SAGA_TERMINATED,
                                       .reason = "",
                                       .text = text};
    turn_outbox_about(turn, "saga.unheard", &about, str_c(text));
    if (options->notice)
        options->notice(options->notice_ctx, &notice);
}

// What it was at stays in its record, as it is. A flow that its caller defined has nothing that would have to hear.
static void end_row(struct operation *operation, const struct saga_row *row) {
    struct saga_turn *turn = saga_turn_begin(operation->engine, NULL);
    struct audit_row *audit = &operation->audit;
    struct saga_row ended = *row;
    const struct turn_about about = {id_slot(str_c(row->gid)), row->gid, row->subject};
    ended.status = SAGA_TERMINATED;
    ended.parked = ended.paused = 0;
    ended.due_ms = INT64_MAX;
    ended.ended_ms = saga_turn_now(turn);
    ended.updated_ms = ended.ended_ms > row->updated_ms ? ended.ended_ms : row->updated_ms + 1;
    str_fit(str_c(err_info(ERR_STOPPED_BY_OPERATOR)->name), ended.reason, sizeof ended.reason);
    str_fit(str_c(audit->reason), ended.text, sizeof ended.text);
    memcpy(audit->gid, row->gid, sizeof audit->gid);
    str_fit(str_c(saga_status_name((enum saga_status)row->status)), audit->before, sizeof audit->before);
    str_fit(str_c(saga_status_name(SAGA_TERMINATED)), audit->after, sizeof audit->after);
    str_print(audit->detail, sizeof audit->detail, "%s%s%s%s", not_known,
              row->parent_gid[0] ? "; its parent was not told: terminate it, too: " : "", row->parent_gid,
              row->flow_version ? "; nor was its flow told" : "");
    saga_turn_row(turn, &saga_table, STORE_PUT, &ended);
    if (row->parent_gid[0] || row->flow_version)
        row_unheard(turn, row, audit->detail);
    turn_outbox_about(turn, "saga.ended", &about, str_c(audit->after));
    audit_put(turn, about.slot, audit);
    if (operation->also)
        operation->also(operation->ctx, turn);
    saga_turn_commit(turn, row_ended, operation);
}

static void unread_row(void *ctx, const struct error *error, const void *rows, size_t n) {
    struct operation *operation = ctx;
    struct saga_engine *engine = operation->engine;
    const struct saga_row *row = rows;
    engine_enter(engine);
    if (error)
        row_ended(operation, error);
    else if (n == 0 || saga_row_ended(row))
        refuse_row(operation, ERR_SAGA_STATE, "the saga has ended");
    else if (has_gone_on(operation, row->updated_ms))
        refuse_row(operation, ERR_SAGA_STATE, gone_on);
    else
        end_row(operation, row);
    engine_exit(engine);
}

// It is in nobody's memory, which would let one come behind the other.
static bool is_being_ended(const struct saga_engine *engine, const char *gid) {
    for (const struct operation *operation = engine->operations; operation; operation = operation->next)
        if (strcmp(operation->gid, gid) == 0)
            return true;
    return false;
}

static void end_unread(struct operation *operation) {
    struct saga_engine *engine = operation->engine;
    if (is_being_ended(engine, operation->gid)) {
        refuse(operation, "another operator is just ending it");
        return;
    }
    struct store_query query = {
        .table = &saga_table, .conds = {{.column = "gid", .cmp = STORE_EQ, .text = str_c(operation->gid)}}, .limit = 1};
    operation->next = engine->operations;
    operation->link = &engine->operations;
    if (operation->next)
        operation->next->link = &operation->next;
    engine->operations = operation;
    store_read(engine->options.store, &query, unread_row, operation);
}

void engine_drop_operations(struct saga_engine *engine) {
    struct error error;
    error_set(&error, ERR_SHUTTING_DOWN, NULL);
    while (engine->operations)
        row_ended(engine->operations, &error);
}

// ---- Which saga ---------------------------------------------------------------------------------------------------

static void loaded(void *ctx, struct saga_resident *resident, const struct error *error);

// A release that knows its flow, or its parent's, is there or may come: it has whom to tell, and this one has not.
static void leave_to_another(struct operation *operation, const struct error *unknown) {
    struct error error;
    error_set(
        &error, ERR_FLOW_UNKNOWN,
        "%s: start an instance of a release that has it on this store, and terminate the saga once that drives it",
        unknown->text);
    finish(operation, &error);
}

static void take(struct operation *operation, struct saga_resident *resident) {
    // To end it, it need not be able to go on: it may be what its process died of.
    bool always = operation->act == SAGA_ACT_TERMINATE;
    if (resident_has_ended(resident))
        refuse(operation, "the saga has ended");
    else if (resident_free(resident) || (always && !resident->busy && !resident->gone))
        begin(operation, resident);
    else
        resident_await(resident, loaded, operation); // it is being written, or yet to be resumed
}

static void loaded_to_end(void *ctx, struct saga_resident *resident, const struct error *error) {
    struct operation *operation = ctx;
    if (resident)
        take(operation, resident);
    else if (error->code == ERR_STORE_CORRUPT)
        end_unread(operation);
    else if (error->code == ERR_FLOW_UNKNOWN)
        leave_to_another(operation, error);
    else
        finish(operation, error);
}

static void loaded(void *ctx, struct saga_resident *resident, const struct error *error) {
    struct operation *operation = ctx;
    struct saga_engine *engine = operation->engine;
    struct str gid = str_c(operation->gid);
    if (resident)
        take(operation, resident);
    else if (operation->act == SAGA_ACT_TERMINATE && error->code == ERR_FLOW_UNKNOWN)
        leave_to_another(operation, error);
    else if (operation->act != SAGA_ACT_TERMINATE || !engine_is_unreadable(error))
        finish(operation, error);
    else if (!saga_load_to_end(engine, gid, loaded_to_end, operation))
        saga_load(engine, gid, loaded, operation); // somebody else has begun to
}

struct str saga_operation_body(const struct saga_operation *operation, struct str gid, struct arena *arena) {
    struct str head = arena_printf(arena, "%s\n%.*s\n%.*s\n%u\n%s\n%.*s\n", saga_act_name(operation->act), STR_FMT(gid),
                                   STR_FMT(operation->step), operation->leg, outcome_name(operation->outcome),
                                   STR_FMT(operation->reason));
    char *all = head.ptr ? arena_alloc(arena, head.len + operation->answer.len + 1) : NULL;
    if (!all)
        return STR_NONE;
    memcpy(all, head.ptr, head.len);
    if (operation->answer.len)
        memcpy(all + head.len, operation->answer.ptr, operation->answer.len);
    return str_n(all, head.len + operation->answer.len);
}

// ---- The command --------------------------------------------------------------------------------------------------

static void check(struct operation *operation, const struct saga_operation *asked, struct error *error) {
    bool about_step = asked->act == SAGA_ACT_SKIP || asked->act == SAGA_ACT_RESOLVE;
    audit_init(&operation->audit, saga_act_name(asked->act), asked->caller, asked->reason, error);
    if (about_step && (!str_is_utf8(asked->step) || !str_copy(asked->step, operation->step, sizeof operation->step)))
        error_field(error, "step", "must have at most %d bytes of UTF-8", SAGA_NAME_MAX);
    if (about_step && asked->leg >= SAGA_LEGS_MAX)
        error_field(error, "leg", "must be below %d", SAGA_LEGS_MAX);
    if (asked->act == SAGA_ACT_RESOLVE && asked->outcome != OUTCOME_OK && asked->outcome != OUTCOME_REJECTED)
        error_field(error, "outcome", "must be OK or REJECTED");
    if (asked->answer.len > (asked->outcome == OUTCOME_OK ? SAGA_ANSWER_MAX : 0))
        error_field(error, "answer", "must have at most %d bytes, and none when the outcome is REJECTED",
                    SAGA_ANSWER_MAX);
}

void saga_operate(struct saga_engine *engine, struct str gid, const struct saga_operation *asked, saga_reply_fn *done,
                  void *ctx) {
    struct operation *operation = calloc(1, sizeof *operation);
    struct error error = {0};
    if (!operation)
        abort();
    *operation = (struct operation){.engine = engine,
                                    .act = asked->act,
                                    .leg = asked->leg < SAGA_LEGS_MAX ? (uint8_t)asked->leg : 0,
                                    .outcome = asked->outcome,
                                    .seen_ms = asked->seen_ms,
                                    .also = asked->also,
                                    .done = done,
                                    .ctx = ctx};
    engine_enter(engine);
    check(operation, asked, &error);
    if (error_is(&error)) {
        finish(operation, &error);
    } else {
        operation->answer = saga_copy_bytes(asked->answer);
        str_fit(gid, operation->gid, sizeof operation->gid);
        saga_load(engine, gid, loaded, operation);
    }
    engine_exit(engine);
}
