#include "orchestrator/saga_watch.h"

#include "base/clock.h"
#include "orchestrator/saga_owner.h"
#include "orchestrator/saga_view.h"
#include "saga/watch.h"

#include <assert.h>
#include <stdlib.h>

enum { CROWDED_RETRY_MS = 1000, VIEW_MAX = 1024 * 1024 };

struct saga_streams {
    struct saga_engine *engine;
    struct store *store;
    uint32_t most, n;
    struct stream *first;
};

struct stream {
    struct saga_streams *streams;
    struct rpc_inbound *in; // NULL: ended, and only waited for by a read
    struct stream *next, **link;
    struct saga_watch watch;
    int64_t sent_ms; // updated_ms of the last state that was sent, or that the caller has
    bool admitted;   // the saga is there, and the caller may see it
    bool missed;     // it has changed while its row was being read
    char gid[SAGA_GID_MAX + 1];
};

// ---- Ends -----------------------------------------------------------------------------------------------------------

static struct rpc_inbound *leave(struct stream *stream) {
    struct rpc_inbound *in = stream->in;
    saga_unwatch(&stream->watch);
    *stream->link = stream->next;
    if (stream->next)
        stream->next->link = stream->link;
    stream->streams->n--;
    stream->in = NULL;
    if (stream->admitted)
        free(stream); // no read is under way
    return in;
}

static void fail(struct stream *stream, const struct error *error) {
    char gid[SAGA_GID_MAX + 1];
    memcpy(gid, stream->gid, sizeof gid); // the stream may be gone first
    call_fail_saga(leave(stream), error, gid, NULL);
}

static void fail_as(struct stream *stream, enum err code, const char *text) {
    struct error error;
    error_set(&error, code, "%s", text ? text : err_info(code)->text);
    fail(stream, &error);
}

static void gone(void *ctx) {
    fail_as(ctx, ERR_CANCELLED_BY_CALLER, NULL);
}

void saga_streams_end(struct saga_streams *streams) {
    while (streams->first)
        fail_as(streams->first, ERR_SHUTTING_DOWN, NULL);
}

// ---- States ---------------------------------------------------------------------------------------------------------

// Sends what is newer than what was sent. `saga` NULL: it is made from the row.
static void show(struct stream *stream, const struct saga_row *row, const struct saga_instance *saga) {
    Txcenter__Saga__V1__WatchSagaResponse response = TXCENTER__SAGA__V1__WATCH_SAGA_RESPONSE__INIT;
    bool sent = true, over = saga_status_ended((enum saga_status)row->status);
    if (row->updated_ms > stream->sent_ms) {
        struct arena arena;
        arena_init(&arena, VIEW_MAX);
        response.saga = saga_view(row, &arena);
        bool made = response.saga && (saga ? saga_view_legs(response.saga, saga, &arena)
                                           : saga_view_steps(response.saga, row, stream->streams->engine, &arena));
        sent = made && rpc_stream_send(stream->in, &response.base);
        arena_release(&arena);
        stream->sent_ms = row->updated_ms;
    }
    if (!sent)
        fail_as(stream, ERR_OVERLOADED, "the watcher does not keep up; watch again from the last updated_at");
    else if (over)
        rpc_stream_end(leave(stream));
}

static void changed(void *ctx, const struct saga_row *row, const struct saga_instance *saga) {
    struct stream *stream = ctx;
    if (!row)
        fail_as(stream, ERR_SLOT_ELSEWHERE, NULL); // goes on at the next owner
    else if (stream->admitted)
        show(stream, row, saga);
    else
        stream->missed = true;
}

static void read_row(struct stream *stream);

static void row_read(void *ctx, const struct error *error, const void *rows, size_t n) {
    struct stream *stream = ctx;
    const struct saga_row *row = rows;
    bool again = stream->missed;
    if (!stream->in) {
        free(stream);
        return;
    }
    stream->missed = false;
    if (!error && again) {
        read_row(stream); // what was read may be older than what has happened
        return;
    }
    stream->admitted = true; // from here on nothing of it is under way
    if (error)
        fail(stream, error);
    else if (n == 0 || !saga_owner_may(stream->in, row->subject))
        fail_as(stream, ERR_SAGA_NOT_FOUND, NULL);
    else
        show(stream, row, NULL);
}

static void read_row(struct stream *stream) {
    struct store_query query = {
        .table = &saga_table, .conds = {{.column = "gid", .cmp = STORE_EQ, .text = str_c(stream->gid)}}, .limit = 1};
    store_read(stream->streams->store, &query, row_read, stream);
}

// ---- Calls ----------------------------------------------------------------------------------------------------------

static bool check(const struct saga_streams *streams, const Txcenter__Saga__V1__WatchSagaRequest *request,
                  struct error *error) {
    const Google__Protobuf__Timestamp *after = request->after_updated_at;
    struct str gid = str_c(request->gid);
    if (str_empty(gid) || gid.len > SAGA_GID_MAX)
        error_field(error, "gid", "must have 1..%d bytes", SAGA_GID_MAX);
    if (after && !clock_is_moment(after->seconds, after->nanos))
        error_field(error, "after_updated_at", "is not a time");
    if (error_is(error))
        return false;
    if (!saga_engine_owns(streams->engine, id_slot(gid)))
        error_set(error, ERR_SLOT_ELSEWHERE, NULL);
    else if (streams->n >= streams->most)
        error_set(error, ERR_OVERLOADED, "%u watchers are there already", streams->most);
    else if (saga_watches(streams->engine, gid) >= SAGA_STREAMS_OF_ONE_MAX)
        error_set(error, ERR_OVERLOADED, "this saga has as many watchers as it may have");
    error->retry_after_ms = error_is(error) ? CROWDED_RETRY_MS : 0;
    return !error_is(error);
}

void saga_streams_serve(struct saga_streams *streams, struct rpc_inbound *in, const ProtobufCMessage *message) {
    const Txcenter__Saga__V1__WatchSagaRequest *request = (const void *)message;
    const Google__Protobuf__Timestamp *after = request->after_updated_at;
    struct error error = {0};
    if (!check(streams, request, &error)) {
        call_fail_saga(in, &error, request->gid, NULL);
        return;
    }
    struct stream *stream = calloc(1, sizeof *stream);
    if (!stream)
        abort();
    stream->streams = streams;
    stream->in = in;
    stream->next = streams->first;
    stream->link = &streams->first;
    if (stream->next)
        stream->next->link = &stream->next;
    streams->first = stream;
    streams->n++;
    stream->watch = (struct saga_watch){.changed = changed, .ctx = stream};
    stream->sent_ms = after ? clock_moment_ms(after->seconds, after->nanos) : 0;
    str_copy(str_c(request->gid), stream->gid, sizeof stream->gid);
    call_context(in)->notes->gid = arena_str(rpc_inbound_arena(in), str_c(stream->gid));
    rpc_stream_on_gone(in, gone, stream);
    saga_watch(streams->engine, str_c(stream->gid), &stream->watch);
    read_row(stream);
}

// ---- Life -----------------------------------------------------------------------------------------------------------

struct saga_streams *saga_streams_new(struct saga_engine *engine, struct store *store, uint32_t most) {
    struct saga_streams *streams = calloc(1, sizeof *streams);
    if (!streams)
        abort();
    *streams = (struct saga_streams){.engine = engine, .store = store, .most = most};
    return streams;
}

void saga_streams_free(struct saga_streams *streams) {
    assert(!streams || !streams->first); // they have been ended
    free(streams);
}
