#include "orchestrator/operator_service.h"

#include "orchestrator/authorize.h"
#include "orchestrator/forward.h"
#include "orchestrator/page.h"
#include "orchestrator/saga_view.h"
#include "rpc/message.h"
#include "saga/operate.h"
#include "saga/participant.h"

// ---- Form ---------------------------------------------------------------------------------------------------------

void operator_check_text(struct error *error, const char *path, const char *text, size_t least, size_t most) {
    size_t len = strlen(text);
    if (len < least || len > most)
        error_field(error, path, "must have %zu..%zu bytes, has %zu", least, most, len);
}

static struct str caller_of(const struct rpc_inbound *in) {
    return str_c(rpc_inbound_caller(in)->name);
}

// ---- One saga -----------------------------------------------------------------------------------------------------

// What each request asks for. They begin alike: request_id, gid, reason.
static const struct action {
    const char *method;
    const ProtobufCMessageDescriptor *request, *response; // the response's first field is the saga
    enum saga_act act;
} actions[] = {
#define ACTION(name, lower, which)                                                                                     \
    {                                                                                                                  \
        name, &txcenter__saga__v1__##lower##_request__descriptor, &txcenter__saga__v1__##lower##_response__descriptor, \
            SAGA_ACT_##which                                                                                           \
    }
    ACTION("Retry", retry, RETRY),
    ACTION("Skip", skip, SKIP),
    ACTION("Compensate", compensate, COMPENSATE),
    ACTION("Resolve", resolve, RESOLVE),
    ACTION("Pause", pause, PAUSE),
    ACTION("Resume", resume, RESUME),
    ACTION("Terminate", terminate, TERMINATE),
#undef ACTION
};

static const struct action *action_of(const ProtobufCMessage *request) {
    const struct action *action = actions;
    while (action->request != request->descriptor)
        action++;
    return action;
}

struct str operator_request(const struct saga_operation *operation, const char *gid, const char *request_id,
                            struct arena *arena, const char **ret_method) {
    const struct action *action = actions;
    while (action->act != operation->act)
        action++;
    ProtobufCMessage *message = rpc_message_new(action->request, arena);
    Txcenter__Saga__V1__RetryRequest *request = (void *)message; // as they all begin
    if (!message)
        return STR_NONE;
    request->request_id = rpc_text(request_id);
    request->gid = rpc_text(gid);
    request->reason = rpc_text(arena_str(arena, operation->reason).ptr);
    if (operation->act == SAGA_ACT_SKIP)
        ((Txcenter__Saga__V1__SkipRequest *)(void *)message)->step = rpc_text(arena_str(arena, operation->step).ptr);
    *ret_method = action->method;
    return rpc_encode(message, arena);
}

// An action on its way: it is done once for its request id; a repeat is answered with how the saga stands now.
struct acting {
    struct operator_service *service;
    struct rpc_inbound *in;
    const struct action *action;
    struct saga_operation operation;
    const char *request_id, *gid;
    struct request_entry *entry;
};

static void decided(void *ctx, struct saga_turn *turn) {
    struct acting *acting = ctx;
    request_made(acting->entry, turn, str_c(acting->gid), STR_NONE, NULL);
    acting->entry = NULL;
}

static void show(struct acting *acting) {
    saga_service_show(acting->service->sagas, acting->in, acting->gid, acting->action->response);
}

static void acted(void *ctx, const struct error *error) {
    struct acting *acting = ctx;
    if (acting->entry)
        request_dropped(acting->entry);
    acting->entry = NULL;
    if (error)
        call_fail_saga(acting->in, error, acting->gid, acting->request_id);
    else
        show(acting);
}

static void act_begun(void *ctx, enum request_verdict verdict, struct request_entry *entry,
                      const struct request_row *row, const struct error *error) {
    struct acting *acting = ctx;
    (void)row; // what it made is the saga's present state
    acting->entry = entry;
    switch (verdict) {
    case REQUEST_NEW:
        saga_operate(acting->service->sagas->engine, str_c(acting->gid), &acting->operation, acted, acting);
        break;
    case REQUEST_KNOWN: show(acting); break;
    case REQUEST_ERROR: call_fail(acting->in, error, NULL, acting->request_id); break;
    }
}

static void take_step(const char *step, int32_t leg, struct saga_operation *operation, struct error *error) {
    operator_check_text(error, "step", step, 0, SAGA_NAME_MAX);
    if (leg < 0 || leg >= SAGA_LEGS_MAX)
        error_field(error, "leg", "must be from 0 to %d", SAGA_LEGS_MAX - 1);
    operation->step = str_c(step);
    operation->leg = (uint32_t)leg;
}

static void take_outcome(const Txcenter__Saga__V1__ResolveRequest *request, struct saga_operation *operation,
                         struct error *error) {
    bool ok = request->outcome == TXCENTER__SAGA__V1__STEP_OUTCOME__STEP_OUTCOME_OK;
    if (!ok && request->outcome != TXCENTER__SAGA__V1__STEP_OUTCOME__STEP_OUTCOME_REJECTED)
        error_field(error, "outcome", "must be STEP_OUTCOME_OK or STEP_OUTCOME_REJECTED");
    operation->outcome = ok ? OUTCOME_OK : OUTCOME_REJECTED;
    operation->answer = str_n(request->answer.data, request->answer.len);
}

// The row that another instance decided it on, for a batch of its own. 0: none.
static int64_t seen_by(const struct rpc_inbound *in) {
    int64_t seen_ms;
    return str_to_i64(rpc_inbound_header(in, FORWARD_SEEN), &seen_ms) ? seen_ms : 0;
}

static void act(void *service, struct rpc_inbound *in, const ProtobufCMessage *message) {
    const Txcenter__Saga__V1__RetryRequest *request = (const void *)message; // as they all begin
    const struct action *action = action_of(message);
    struct saga_operation operation = {.act = action->act, .caller = caller_of(in), .reason = str_c(request->reason)};
    struct error error = {0};
    operator_check_text(&error, "request_id", request->request_id, 1, REQUEST_ID_MAX);
    operator_check_text(&error, "gid", request->gid, 1, SAGA_GID_MAX);
    operator_check_text(&error, "reason", request->reason, 1, OPERATOR_REASON_MAX);
    if (action->act == SAGA_ACT_SKIP) {
        const Txcenter__Saga__V1__SkipRequest *skip = (const void *)message;
        take_step(skip->step, skip->leg, &operation, &error);
    } else if (action->act == SAGA_ACT_RESOLVE) {
        const Txcenter__Saga__V1__ResolveRequest *resolve = (const void *)message;
        take_step(resolve->step, resolve->leg, &operation, &error);
        take_outcome(resolve, &operation, &error);
    }
    struct acting *acting;
    const struct operator_service *operators = service;
    if (!saga_service_enter_to_change(operators->sagas, in, &error) ||
        !(acting = saga_service_keep(in, sizeof *acting)))
        return;
    call_context(in)->notes->gid = str_c(request->gid);
    operation.also = decided;
    operation.seen_ms = seen_by(in);
    *acting = (struct acting){.service = service,
                              .in = in,
                              .action = action,
                              .operation = operation,
                              .request_id = request->request_id,
                              .gid = request->gid};
    const struct request_id id = {.caller = operation.caller,
                                  .id = str_c(request->request_id),
                                  .method = saga_act_name(action->act),
                                  .body = saga_operation_body(&operation, str_c(request->gid), rpc_inbound_arena(in))};
    request_begin(acting->service->sagas->requests, &id, act_begun, acting);
}

// ---- Participants -------------------------------------------------------------------------------------------------

// Both requests, and both responses, are alike.
struct pausing {
    struct operator_service *service;
    struct rpc_inbound *in;
    const Txcenter__Saga__V1__PauseParticipantRequest *request;
    bool paused;
    struct request_entry *entry;
};

struct found {
    const char *name;
    struct arena *arena;
    Txcenter__Saga__V1__Participant *view;
};

static void find(void *ctx, const struct saga_participant *participant) {
    struct found *found = ctx;
    if (strcmp(participant->name, found->name) == 0)
        found->view = participant_view(participant, found->arena);
}

static void reply_participant(struct pausing *pausing) {
    struct rpc_inbound *in = pausing->in;
    struct found found = {.name = pausing->request->participant, .arena = rpc_inbound_arena(in)};
    Txcenter__Saga__V1__PauseParticipantResponse paused = TXCENTER__SAGA__V1__PAUSE_PARTICIPANT_RESPONSE__INIT;
    Txcenter__Saga__V1__ResumeParticipantResponse resumed = TXCENTER__SAGA__V1__RESUME_PARTICIPANT_RESPONSE__INIT;
    saga_participants(pausing->service->sagas->engine, find, &found);
    paused.participant = resumed.participant = found.view;
    rpc_reply(in, pausing->paused ? &paused.base : &resumed.base);
}

static void pause_decided(void *ctx, struct saga_turn *turn) {
    struct pausing *pausing = ctx;
    request_made(pausing->entry, turn, str_c(pausing->request->participant), STR_NONE, NULL);
    pausing->entry = NULL;
}

static void paused(void *ctx, const struct error *error) {
    struct pausing *pausing = ctx;
    if (pausing->entry)
        request_dropped(pausing->entry);
    if (error)
        call_fail(pausing->in, error, NULL, pausing->request->request_id);
    else
        reply_participant(pausing);
}

static void pause_begun(void *ctx, enum request_verdict verdict, struct request_entry *entry,
                        const struct request_row *row, const struct error *error) {
    struct pausing *pausing = ctx;
    const struct saga_pausing how = {
        .caller = caller_of(pausing->in), .reason = str_c(pausing->request->reason), .also = pause_decided};
    (void)row;
    pausing->entry = entry;
    switch (verdict) {
    case REQUEST_NEW:
        saga_participant_pause(pausing->service->sagas->engine, str_c(pausing->request->participant), pausing->paused,
                               &how, paused, pausing);
        break;
    case REQUEST_KNOWN: reply_participant(pausing); break;
    case REQUEST_ERROR: call_fail(pausing->in, error, NULL, pausing->request->request_id); break;
    }
}

static void pause_participant(void *service, struct rpc_inbound *in, const ProtobufCMessage *message) {
    const Txcenter__Saga__V1__PauseParticipantRequest *request = (const void *)message;
    bool pauses = message->descriptor == &txcenter__saga__v1__pause_participant_request__descriptor;
    struct error error = {0};
    operator_check_text(&error, "request_id", request->request_id, 1, REQUEST_ID_MAX);
    operator_check_text(&error, "participant", request->participant, 1, SAGA_PARTICIPANT_MAX);
    operator_check_text(&error, "reason", request->reason, 1, OPERATOR_REASON_MAX);
    struct pausing *pausing;
    const struct operator_service *operators = service;
    if (!saga_service_enter_to_change(operators->sagas, in, &error) ||
        !(pausing = saga_service_keep(in, sizeof *pausing)))
        return;
    *pausing = (struct pausing){.service = service, .in = in, .request = request, .paused = pauses};
    const struct request_id id = {.caller = caller_of(in),
                                  .id = str_c(request->request_id),
                                  .method = pauses ? "PauseParticipant" : "ResumeParticipant",
                                  .body = rpc_encode(message, rpc_inbound_arena(in))};
    request_begin(pausing->service->sagas->requests, &id, pause_begun, pausing);
}

struct listing {
    struct arena *arena;
    Txcenter__Saga__V1__Participant **list; // NULL: only counts
    size_t n;
    bool failed;
};

static void add(void *ctx, const struct saga_participant *participant) {
    struct listing *listing = ctx;
    if (listing->list)
        listing->failed |= !(listing->list[listing->n] = participant_view(participant, listing->arena));
    listing->n++;
}

static void list_participants(void *service, struct rpc_inbound *in, const ProtobufCMessage *message) {
    struct operator_service *operators = service;
    Txcenter__Saga__V1__ListParticipantsResponse response = TXCENTER__SAGA__V1__LIST_PARTICIPANTS_RESPONSE__INIT;
    struct listing listing = {.arena = rpc_inbound_arena(in)};
    struct error error = {0};
    (void)message;
    if (!saga_service_enter(in, &error))
        return;
    saga_participants(operators->sagas->engine, add, &listing);
    listing.list = saga_service_keep(in, (listing.n + 1) * sizeof *listing.list);
    if (!listing.list)
        return;
    listing.n = 0;
    saga_participants(operators->sagas->engine, add, &listing);
    if (listing.failed) {
        error_set(&error, ERR_OVERLOADED, "no memory for the answer");
        call_fail(in, &error, NULL, NULL);
        return;
    }
    response.instance = rpc_text(operators->instance);
    response.participants = listing.list;
    response.n_participants = listing.n;
    rpc_reply(in, &response.base);
}

// ---- Audit --------------------------------------------------------------------------------------------------------

static void audit_read(void *ctx, const struct error *error, const void *rows, size_t n) {
    struct page *page = ctx;
    const struct audit_row *row = rows;
    struct arena *arena = rpc_inbound_arena(page->in);
    Txcenter__Saga__V1__ListAuditResponse response = TXCENTER__SAGA__V1__LIST_AUDIT_RESPONSE__INIT;
    struct error full;
    if (error) {
        call_fail(page->in, error, NULL, NULL);
        return;
    }
    size_t shown = n > page->size ? page->size : n;
    response.entries = arena_calloc(arena, shown + 1, sizeof *response.entries);
    bool made = response.entries != NULL;
    for (size_t i = 0; made && i < shown; i++)
        made = (response.entries[response.n_entries++] = audit_view(&row[i], arena)) != NULL;
    if (made && n > shown)
        made = (response.next_page_token = page_next(page, 0, row[shown - 1].audit_no)) != NULL;
    if (made) {
        rpc_reply(page->in, &response.base);
    } else {
        error_set(&full, ERR_OVERLOADED, "no memory for the answer; a smaller page may fit");
        call_fail(page->in, &full, NULL, NULL);
    }
}

static void list_audit(void *service, struct rpc_inbound *in, const ProtobufCMessage *message) {
    const Txcenter__Saga__V1__ListAuditRequest *request = (const void *)message;
    Txcenter__Saga__V1__ListAuditRequest unpaged = *request;
    unpaged.page_size = 0;
    unpaged.page_token = rpc_text("");
    struct error error = {0};
    struct page *page = page_new(in, "audit", &unpaged.base, request->page_size, request->page_token, &error);
    operator_check_text(&error, "gid", request->gid, 0, SAGA_GID_MAX);
    if (!saga_service_enter(in, &error))
        return;
    struct audit_row after = {0};
    str_copy(str_c(request->gid), after.gid, sizeof after.gid);
    str_copy(str_c(page->cursor.id), after.audit_no, sizeof after.audit_no);
    struct store_query query = {
        .table = &audit_table,
        .descending = true,
        .after = page->has_cursor ? &after : NULL,
        .limit = page->size + 1,
        .list = true,
    };
    if (*request->gid) {
        query.order = &audit_table.indexes[AUDIT_BY_GID];
        query.conds[0] = (struct store_cond){"gid", STORE_EQ, .text = str_c(request->gid)};
    }
    store_read(((struct operator_service *)service)->sagas->store, &query, audit_read, page);
}

// ---- Rows ---------------------------------------------------------------------------------------------------------

#define ROW(method_name, handler, urgency, ...)                                                                        \
    {                                                                                                                  \
        .method = {.service = &txcenter__saga__v1__operator_service__descriptor, .name = (method_name), __VA_ARGS__},  \
        .handle = (handler), .scope = RPC_OPERATE, .tier = (urgency)                                                   \
    }

const struct rpc_route operator_routes[] = {
    ROW("Retry", act, RPC_TIER_HIGH),
    ROW("Skip", act, RPC_TIER_HIGH),
    ROW("Compensate", act, RPC_TIER_HIGH),
    ROW("Resolve", act, RPC_TIER_HIGH),
    ROW("Pause", act, RPC_TIER_HIGH),
    ROW("Resume", act, RPC_TIER_HIGH),
    ROW("Terminate", act, RPC_TIER_HIGH),
    ROW("Batch", operator_batch, RPC_TIER_LOW, .server_streaming = true),
    ROW("PauseParticipant", pause_participant, RPC_TIER_HIGH),
    ROW("ResumeParticipant", pause_participant, RPC_TIER_HIGH),
    ROW("ListParticipants", list_participants, RPC_TIER_LOW),
    ROW("ListAudit", list_audit, RPC_TIER_LOW),
    ROW("ClearCache", operator_clear_cache, RPC_TIER_HIGH),
};
const size_t n_operator_routes = sizeof operator_routes / sizeof operator_routes[0];
