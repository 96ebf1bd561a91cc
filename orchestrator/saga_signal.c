#include "orchestrator/saga_signal.h"

#include "orchestrator/saga_owner.h"
#include "rpc/message.h"
#include "saga/peek.h"
#include "txcenter/saga/v1/saga.pb-c.h"

// A signal on its way; lives in the call's arena.
struct signalling {
    struct saga_engine *engine;
    struct store *store;
    struct rpc_inbound *in;
    const Txcenter__Saga__V1__SignalSagaRequest *request;
};

static void refuse(const struct signalling *s, const struct error *error) {
    call_fail_saga(s->in, error, s->request->gid, s->request->request_id);
}

static void refuse_as(const struct signalling *s, enum err code) {
    struct error error;
    error_set(&error, code, NULL);
    refuse(s, &error);
}

static void signalled(void *ctx, const struct error *error) {
    struct signalling *s = ctx;
    Txcenter__Saga__V1__SignalSagaResponse response = TXCENTER__SAGA__V1__SIGNAL_SAGA_RESPONSE__INIT;
    if (error)
        refuse(s, error);
    else
        rpc_reply(s->in, &response.base);
}

static void signal(struct signalling *s) {
    const Txcenter__Saga__V1__SignalSagaRequest *request = s->request;
    saga_signal(s->engine, str_c(request->gid), str_c(request->name), str_c(request->request_id),
                str_n(request->payload.data, request->payload.len), signalled, s);
}

static bool awaits(const struct saga_flow *flow, const char *name) {
    for (uint8_t i = 0; i < flow->n_steps; i++)
        if (flow->steps[i].signal && strcmp(flow->steps[i].signal, name) == 0)
            return true;
    return false;
}

// ---- What is durable ------------------------------------------------------------------------------------------------

struct checking {
    struct saga_engine *engine;
    struct rpc_inbound *in;
    const Txcenter__Saga__V1__SignalSagaRequest *request;
    saga_signal_checked_fn *done;
    void *ctx;
};

// Gives how many more it takes.
static uint32_t check_instance(const struct checking *checking, const struct saga_instance *saga, struct error *error) {
    const Txcenter__Saga__V1__SignalSagaRequest *request = checking->request;
    struct str name = str_c(request->name), id = str_c(request->request_id);
    const struct saga_signal *known = saga_instance_find_signal(saga, name, id);
    if (known && !str_eq(known->payload, str_n(request->payload.data, request->payload.len)))
        error_set(error, ERR_IDEMPOTENCY_KEY_REUSED, NULL);
    else if (!known && saga_status_ended(saga->status))
        error_set(error, ERR_SAGA_STATE, "the saga has ended");
    else if (!awaits(saga->flow, request->name))
        error_field(error, "name", "no step of this saga awaits such a signal");
    else if (!known && saga->n_signals == SAGA_SIGNALS_MAX)
        error_set(error, ERR_SIGNALS_FULL, NULL);
    return SAGA_SIGNALS_MAX - (known ? 0u : saga->n_signals);
}

static void row_checked(void *ctx, const struct error *failed, const void *rows, size_t n) {
    const struct checking *checking = ctx;
    const struct saga_row *row = rows;
    struct saga_instance saga;
    struct error error = {0};
    uint32_t room = 0;
    if (failed) {
        error = *failed;
    } else if (n == 0 || !saga_owner_may(checking->in, row->subject)) {
        error_set(&error, ERR_SAGA_NOT_FOUND, NULL);
    } else if (saga_row_instance(checking->engine, row, &saga, &error)) {
        room = check_instance(checking, &saga, &error);
        saga_instance_release(&saga);
    }
    checking->done(checking->ctx, error_is(&error) ? &error : NULL, checking->request->gid, room);
}

void saga_signal_check(struct saga_engine *engine, struct store *store, struct rpc_inbound *in,
                       saga_signal_checked_fn *done, void *ctx) {
    struct arena *arena = rpc_inbound_arena(in);
    struct checking *checking = arena_alloc(arena, sizeof *checking);
    struct error error = {0};
    const ProtobufCMessage *message =
        rpc_decode(&txcenter__saga__v1__signal_saga_request__descriptor, rpc_inbound_bytes(in), arena, &error);
    if (!checking || !message) {
        error_set(&error, ERR_OVERLOADED, "no memory for the call");
        done(ctx, &error, NULL, 0);
        return;
    }
    *checking = (struct checking){engine, in, (const void *)message, done, ctx};
    struct store_query query = {.table = &saga_table,
                                .conds = {{.column = "gid", .cmp = STORE_EQ, .text = str_c(checking->request->gid)}},
                                .limit = 1};
    store_read(store, &query, row_checked, checking);
}

// ---- The call -------------------------------------------------------------------------------------------------------

// It has ended: a repeat is answered all the same.
static void row_read(void *ctx, const struct error *error, const void *rows, size_t n) {
    struct signalling *s = ctx;
    const struct saga_row *row = rows;
    if (error)
        refuse(s, error);
    else if (n == 0 || !saga_owner_may(s->in, row->subject))
        refuse_as(s, ERR_SAGA_NOT_FOUND);
    else
        signal(s);
}

static void seen(void *ctx, const struct saga_seen *seen, const struct error *error) {
    struct signalling *s = ctx;
    struct error unknown = {0};
    if (!seen && error->code == ERR_SAGA_STATE) {
        struct store_query query = {.table = &saga_table,
                                    .conds = {{.column = "gid", .cmp = STORE_EQ, .text = str_c(s->request->gid)}},
                                    .limit = 1};
        store_read(s->store, &query, row_read, s);
    } else if (!seen) {
        refuse(s, error);
    } else if (!saga_owner_may(s->in, seen->row.subject)) {
        refuse_as(s, ERR_SAGA_NOT_FOUND);
    } else if (!awaits(seen->saga->flow, s->request->name)) {
        error_field(&unknown, "name", "no step of this saga awaits such a signal");
        refuse(s, &unknown);
    } else {
        signal(s);
    }
}

void saga_signal_serve(struct saga_engine *engine, struct store *store, struct rpc_inbound *in,
                       const ProtobufCMessage *message) {
    const Txcenter__Saga__V1__SignalSagaRequest *request = (const void *)message;
    struct error error = {0};
    const struct {
        const char *field, *text;
        size_t most;
    } texts[] = {{"request_id", request->request_id, REQUEST_ID_MAX},
                 {"gid", request->gid, SAGA_GID_MAX},
                 {"name", request->name, SAGA_NAME_MAX}};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (!texts[i].text[0] || strlen(texts[i].text) > texts[i].most)
            error_field(&error, texts[i].field, "must have 1..%zu bytes", texts[i].most);
    if (request->payload.len > SAGA_SIGNAL_MAX)
        error_field(&error, "payload", "must have at most %d bytes", SAGA_SIGNAL_MAX);
    struct signalling *s = arena_alloc(rpc_inbound_arena(in), sizeof *s);
    if (!s)
        error_set(&error, ERR_OVERLOADED, "no memory for the call");
    if (error_is(&error)) {
        call_fail(in, &error, NULL, request->request_id);
        return;
    }
    call_context(in)->notes->gid = str_c(request->gid);
    *s = (struct signalling){.engine = engine, .store = store, .in = in, .request = request};
    saga_peek(engine, str_c(request->gid), seen, s);
}
