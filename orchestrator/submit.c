#include "orchestrator/submit.h"

#include "base/digest.h"
#include "base/heap.h"
#include "base/map.h"
#include "orchestrator/admission.h"
#include "orchestrator/saga_owner.h"
#include "orchestrator/saga_view.h"
#include "rpc/method.h"
#include "saga/peek.h"
#include "saga/turn.h"
#include "saga/watch.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

typedef Txcenter__Saga__V1__SubmitSagaRequest request_message;

enum {
    CHOSEN_GID_MAX = 64,
    ANSWER_MARGIN_MS = 100, // so that the answer is there before the caller gives up
    GID_DIGITS = 32,
    CALLER_SHOWN_MAX = 27, // shorter than a digest, so that none reads like one
    RECENT = 16384,        // a power of two
    DURABLE_MS = 30000,    // that a saga may take to become durable
};
#define GID_PREFIX "req-"

struct submit {
    struct submit_options options;
    struct heap waits; // submissions by when they must be answered
    struct rpc_timer timer;
    int64_t timer_ms; // INT64_MAX: not set
    uint32_t n_waiting;
    bool hurried;
    uint64_t recent[RECENT]; // hashes of gids, each in its place; see is_recent()
};

// One call, and then what is left of it until nobody will come back to it.
struct submission {
    struct submit *submit;
    struct rpc_inbound *in;       // NULL: answered
    struct str input;             // of the saga; in the call's arena
    const struct saga_flow *flow; // NULL: the saga has it
    struct saga_watch watch;
    struct heap_node until;
    uint64_t gid_hash;
    struct saga_place *places; // of the calls of its first stage, until it is durable
    size_t n_places;
    unsigned pending; // callbacks that are still to come
    bool durable;     // the saga is
    bool waits;       // for the outcome; counted
    bool late;        // it is answered with whatever is found
    int64_t wait_ms;
    char gid[SAGA_GID_MAX + 1], about[SAGA_SUBJECT_MAX + 1], request_id[REQUEST_ID_MAX + 1];
};

static int64_t now_ms(const struct submit *submit) {
    return clock_now_ms(submit->options.timers->clock);
}

// ---- The end of a call ----------------------------------------------------------------------------------------------

static void free_when_over(struct submission *s) {
    if (s->in || s->pending > 0)
        return;
    saga_flow_release(s->flow);
    free(s);
}

// The call is about to be answered: nothing may come back to it. Gives up the call.
static struct rpc_inbound *leave(struct submission *s) {
    struct rpc_inbound *in = s->in;
    saga_unwatch(&s->watch);
    heap_remove(&s->submit->waits, &s->until);
    s->submit->n_waiting -= s->waits;
    s->waits = false;
    s->in = NULL;
    return in;
}

static void fail(struct submission *s, const struct error *error) {
    call_fail_saga(leave(s), error, s->gid, s->request_id);
    free_when_over(s);
}

static void fail_as(struct submission *s, enum err code, const char *text) {
    struct error error;
    error_set(&error, code, "%s", text ? text : err_info(code)->text);
    fail(s, &error);
}

static void reply(struct submission *s, Txcenter__Saga__V1__Saga *view) {
    Txcenter__Saga__V1__SubmitSagaResponse response = TXCENTER__SAGA__V1__SUBMIT_SAGA_RESPONSE__INIT;
    if (!view) {
        fail_as(s, ERR_ACCEPTANCE_UNKNOWN, "no memory for the answer; ask again");
        return;
    }
    response.saga = view;
    response.processing = !saga_status_ended((enum saga_status)view->status);
    rpc_reply(leave(s), &response.base);
    free_when_over(s);
}

static void reply_with(struct submission *s, const struct saga_row *row, const struct saga_instance *saga) {
    struct arena *arena = rpc_inbound_arena(s->in);
    Txcenter__Saga__V1__Saga *view = saga_view(row, arena);
    reply(s, view && saga_view_legs(view, saga, arena) ? view : NULL);
}

// ---- Waiting --------------------------------------------------------------------------------------------------------

static void set_timer(struct submit *submit, int64_t due_ms) {
    if (due_ms >= submit->timer_ms)
        return; // it looks earlier anyway
    submit->timer_ms = due_ms;
    submit->options.timers->set(submit->options.timers->ctx, &submit->timer, due_ms);
}

static int64_t deadline_of(const struct submission *s) {
    int64_t deadline = rpc_inbound_deadline_ms(s->in);
    return deadline == INT64_MAX ? INT64_MAX : deadline - ANSWER_MARGIN_MS;
}

static void answer_by(struct submission *s, int64_t longest_ms) {
    int64_t until = now_ms(s->submit) + longest_ms, deadline = deadline_of(s);
    heap_set(&s->submit->waits, &s->until, until < deadline ? until : deadline);
    set_timer(s->submit, s->until.key);
}

// Whether the call still waits for the outcome, now that the saga is durable.
static bool goes_on_waiting(struct submission *s) {
    struct submit *submit = s->submit;
    if (s->late || submit->hurried || s->wait_ms == 0)
        return false;
    if (s->waits)
        return true;
    if (submit->n_waiting >= submit->options.waiters_max)
        return false;
    s->waits = true;
    submit->n_waiting++;
    answer_by(s, s->wait_ms);
    return true;
}

static void read_row(struct submission *s);

static void changed(void *ctx, const struct saga_row *row, const struct saga_instance *saga) {
    struct submission *s = ctx;
    if (!row) { // it goes on at another instance, and what is durable can be told
        saga_unwatch(&s->watch);
        read_row(s);
        return;
    }
    s->durable = true;
    if (saga_status_ended(saga->status) || !goes_on_waiting(s))
        reply_with(s, row, saga);
}

static void look_up(struct submission *s);

// Its time is over.
static void answer_now(struct submission *s) {
    heap_remove(&s->submit->waits, &s->until);
    s->late = true;
    if (s->durable)
        look_up(s);
    else
        fail_as(s, ERR_ACCEPTANCE_UNKNOWN, NULL);
}

static void look(void *ctx) {
    struct submit *submit = ctx;
    submit->timer_ms = INT64_MAX;
    struct heap_node *least;
    while ((least = heap_least(&submit->waits)) && least->key <= now_ms(submit))
        answer_now(CONTAINER_OF(least, struct submission, until));
    if (least)
        set_timer(submit, least->key);
}

void submit_hurry(struct submit *submit) {
    submit->hurried = true;
    for (struct heap_node *least; (least = heap_least(&submit->waits));)
        answer_now(CONTAINER_OF(least, struct submission, until));
}

// ---- A saga that is there already -----------------------------------------------------------------------------------

// False: it is another one, which the call has been told.
static bool is_same(struct submission *s, const char *about, struct str input) {
    if (strcmp(about, s->about) != 0)
        fail_as(s, ERR_SAGA_EXISTS, NULL);
    else if (!defined_same(defined_definition(input), defined_definition(s->input)))
        fail_as(s, ERR_IDEMPOTENCY_KEY_REUSED, NULL);
    else
        return true;
    return false;
}

static void start(struct submission *s);

// It has ended, or there is none.
static void row_read(void *ctx, const struct error *error, const void *rows, size_t n) {
    struct submission *s = ctx;
    const struct saga_row *row = rows;
    s->pending--;
    if (!s->in) {
        free_when_over(s);
    } else if (error) {
        fail(s, error);
    } else if (n == 0 && s->flow) {
        start(s); // without take_places(): it is looked for here because it was started lately, and had room then
    } else if (n == 0) {
        fail_as(s, ERR_STORE_STALE, "the first submission failed; try again");
    } else if (is_same(s, row->subject, row->input)) {
        struct arena *arena = rpc_inbound_arena(s->in);
        Txcenter__Saga__V1__Saga *view = saga_view(row, arena);
        reply(s, view && saga_view_steps(view, row, s->submit->options.engine, arena) ? view : NULL);
    }
}

static void read_row(struct submission *s) {
    struct store_query query = {
        .table = &saga_table, .conds = {{.column = "gid", .cmp = STORE_EQ, .text = str_c(s->gid)}}, .limit = 1};
    s->pending++;
    store_read(s->submit->options.store, &query, row_read, s);
}

static void seen(void *ctx, const struct saga_seen *seen, const struct error *error) {
    struct submission *s = ctx;
    s->pending--;
    if (!s->in) {
        free_when_over(s);
    } else if (!seen && (error->code == ERR_SAGA_STATE || error->code == ERR_SAGA_NOT_FOUND)) {
        read_row(s);
    } else if (!seen && error->code == ERR_STORE_STALE) {
        look_up(s); // it was being loaded when the same saga was started here, in vain
    } else if (!seen && s->durable) {
        read_row(s); // it was accepted, whatever keeps it from being looked at
    } else if (!seen) {
        fail(s, error);
    } else if (is_same(s, seen->row.subject, seen->input)) {
        s->durable = true;
        if (!goes_on_waiting(s))
            reply_with(s, &seen->row, seen->saga);
        else if (!s->watch.of)
            saga_watch(s->submit->options.engine, str_c(s->gid), &s->watch);
    }
}

static void look_up(struct submission *s) {
    s->pending++;
    saga_peek(s->submit->options.engine, str_c(s->gid), seen, s);
}

// ---- A new one ------------------------------------------------------------------------------------------------------

static void give_places(struct submission *s) {
    for (size_t i = 0; i < s->n_places; i++)
        saga_place_give(&s->places[i]);
    free(s->places);
    s->places = NULL;
    s->n_places = 0;
}

// That it is durable the watch has told already: changed() has answered, or waits for more.
static void stored(void *ctx, const struct error *error) {
    struct submission *s = ctx;
    s->pending--;
    give_places(s);
    if (!s->in) {
        free_when_over(s);
    } else if (error && error->code == ERR_STORE_CONFLICT) {
        saga_unwatch(&s->watch);
        look_up(s);
    } else if (error) {
        fail(s, error);
    }
}

// Whether a saga of this gid may have been submitted lately: then it is looked for before it is inserted. A row that is
// there already costs its whole batch a second commit, and callers that were not answered ask again all at once.
static bool is_recent(const struct submission *s) {
    return s->submit->recent[s->gid_hash % RECENT] == s->gid_hash;
}

// Whether what its first stage calls can take one more. What is in memory was accepted, and has its room.
static bool take_places(struct submission *s, const Txcenter__Saga__V1__SagaDefinition *saga, struct error *error) {
    struct saga_engine *engine = s->submit->options.engine;
    const struct saga_step *steps = s->flow->steps; // of the definition's, in their order
    size_t n = 0;
    while (n < saga->n_steps && steps[n].stage == steps[0].stage)
        n++;
    s->places = calloc(n + 1, sizeof *s->places);
    if (!s->places)
        abort();
    for (size_t i = 0; i < n; i++) {
        const Txcenter__Saga__V1__StepCall *action = saga->steps[i]->action;
        bool core = steps[i].tier == SAGA_CORE;
        if (action && !saga_place_take(engine, action->target, core, &s->places[s->n_places++], error)) {
            give_places(s);
            return saga_engine_has(engine, str_c(s->gid));
        }
    }
    return true;
}

static void start(struct submission *s) {
    struct saga_engine *engine = s->submit->options.engine;
    struct saga_turn *turn = saga_turn_begin(engine, NULL);
    struct saga_start start = {.made = s->flow, .gid = str_c(s->gid), .input = s->input, .about = str_c(s->about)};
    struct error error;
    if (!saga_turn_start(turn, &start, &error)) {
        saga_turn_abandon(turn);
        give_places(s);
        if (error.code == ERR_SAGA_EXISTS)
            look_up(s);
        else
            fail(s, &error);
        return;
    }
    s->flow = NULL;
    s->submit->recent[s->gid_hash % RECENT] = s->gid_hash;
    saga_watch(engine, str_c(s->gid), &s->watch);
    s->pending++;
    saga_turn_commit(turn, stored, s);
}

// ---- Checks of form -------------------------------------------------------------------------------------------------

static void append(struct str *gid, struct str part) {
    memcpy((char *)(uintptr_t)gid->ptr + gid->len, part.ptr, part.len);
    gid->len += part.len;
}

static void append_digest(struct str *gid, struct str text) {
    char digits[2 * DIGEST_LEN + 1];
    uint8_t digest[DIGEST_LEN];
    digest_sha256(text, digest);
    digest_hex(digest, digits);
    append(gid, str_n(digits, GID_DIGITS));
}

static bool is_plain(struct str text, const char *signs) {
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!plain && (c == '\0' || !strchr(signs, c)))
            return false;
    }
    return true;
}

// req-CALLER:REQUEST_ID where that is short and plain, so that operators can read it, and so that the store finds sagas
// with request ids in a row beside each other: a new one goes where the last one went. Else of digests.
void submit_gid(struct str caller, struct str request_id, char out[SAGA_GID_MAX + 1]) {
    struct str gid = {out, 0};
    bool caller_shown = caller.len <= CALLER_SHOWN_MAX && is_plain(caller, "._-");
    size_t length = strlen(GID_PREFIX) + (caller_shown ? caller.len : GID_DIGITS) + 1 + request_id.len;
    append(&gid, STR(GID_PREFIX));
    if (length > SAGA_GID_MAX || !is_plain(request_id, "._:-")) {
        char text[REQUEST_CALLER_MAX + 1 + REQUEST_ID_MAX + 1]; // no caller's name has a line end
        str_print(text, sizeof text, "%.*s\n%.*s", STR_FMT(caller), STR_FMT(request_id));
        append_digest(&gid, str_c(text));
    } else {
        if (caller_shown)
            append(&gid, caller);
        else
            append_digest(&gid, caller);
        append(&gid, STR(":"));
        append(&gid, request_id);
    }
    out[gid.len] = '\0';
}

static void check_gid(struct str gid, struct error *error) {
    bool plain = gid.len > 0 && gid.len <= CHOSEN_GID_MAX && is_plain(gid, "._:-");
    if (!plain)
        error_field(error, "gid", "must have 1..%d letters, digits, '.', '_', ':' and '-'", CHOSEN_GID_MAX);
    else if (id_valid(gid) || str_starts(gid, STR(GID_PREFIX)))
        error_field(error, "gid", "is one that the center itself could make");
}

static void check_name(const struct submit *submit, const request_message *request, struct error *error) {
    uint32_t wait_max_ms = submit->options.wait_max_ms;
    struct str id = str_c(request->request_id);
    if (!*request->gid && (str_empty(id) || id.len > REQUEST_ID_MAX))
        error_field(error, "request_id", "must have 1..%d bytes, where there is no gid", REQUEST_ID_MAX);
    else if (*request->gid && *request->request_id)
        error_field(error, "gid", "either this or request_id names the saga, not both");
    else if (*request->gid)
        check_gid(str_c(request->gid), error);
    if (request->wait_ms < 0 || (uint32_t)request->wait_ms > wait_max_ms)
        error_field(error, "wait_ms", "must be from 0 to %u", wait_max_ms);
    struct str flow = str_c(request->saga ? request->saga->flow : ""), area = str_cut(&flow, '.');
    for (const struct saga_flow *const *own = saga_engine_flows(submit->options.engine); *own; own++) {
        struct str name = str_c((*own)->name);
        if (str_eq(str_cut(&name, '.'), area)) {
            error_field(error, "saga.flow", "begins like the center's own flow %s", (*own)->name);
            break;
        }
    }
}

static bool check(const struct submit *submit, const request_message *request, struct error *error) {
    check_name(submit, request, error);
    if (!request->saga) {
        error_field(error, "saga", "is missing");
        return false;
    }
    defined_check_targets(submit->options.defined, request->saga, "saga", error);
    if (!error_is(error))
        return true;
    defined_check(request->saga, "saga", error); // all there is, at once
    return false;
}

// ---- Calls ----------------------------------------------------------------------------------------------------------

static struct submission *submission_new(struct submit *submit, struct rpc_inbound *in,
                                         const request_message *request) {
    struct submission *s = calloc(1, sizeof *s);
    if (!s)
        abort();
    s->submit = submit;
    s->in = in;
    s->watch = (struct saga_watch){.changed = changed, .ctx = s};
    s->wait_ms = request->wait_ms;
    saga_owner(rpc_inbound_caller(in)->name, s->about);
    str_copy(str_c(request->request_id), s->request_id, sizeof s->request_id);
    if (*request->gid)
        str_copy(str_c(request->gid), s->gid, sizeof s->gid);
    else
        submit_gid(str_c(rpc_inbound_caller(in)->name), str_c(request->request_id), s->gid);
    s->gid_hash = str_hash(str_c(s->gid));
    call_context(in)->notes->gid = arena_str(rpc_inbound_arena(in), str_c(s->gid));
    return s;
}

// The flow, which takes the arena, and the saga's input.
static const struct saga_flow *make_flow(const struct submit *submit, struct rpc_inbound *in,
                                         const request_message *request, struct arena *arena, struct str *ret_input,
                                         struct error *error) {
    enum { SAGA_FIELD = 3 }; // of SubmitSagaRequest
    const struct call_context *context = call_context(in);
    const char *request_id = context->request_id, *traceparent = context->traceparent;
    struct str definition = rpc_field(rpc_inbound_bytes(in), SAGA_FIELD);
    struct str input = defined_input(definition, request_id, traceparent, rpc_inbound_arena(in));
    if (!input.ptr)
        error_set(error, ERR_OVERLOADED, "no memory for the call");
    else if (input.len > SAGA_INPUT_MAX)
        error_field(error, "saga", "has %zu bytes; at most %d", input.len, SAGA_INPUT_MAX);
    if (error_is(error))
        return NULL;
    *ret_input = input;
    return defined_flow(submit->options.defined, request->saga, request_id, traceparent, "saga", arena, error);
}

// NULL when it is refused.
static struct submission *accept(struct submit *submit, struct rpc_inbound *in, const request_message *request,
                                 struct arena *arena, struct error *error) {
    const struct submit_options *options = &submit->options;
    struct str input;
    if (!raw_is_open(options->defined->raw)) {
        error_set(error, ERR_SUBMIT_DISABLED, NULL);
        return NULL;
    }
    if (!check(submit, request, error) || !admission_check(options->store, RPC_TIER_NORMAL, error))
        return NULL;
    const struct saga_flow *flow = make_flow(submit, in, request, arena, &input, error);
    if (!flow)
        return NULL;
    struct submission *s = submission_new(submit, in, request);
    s->input = input;
    s->flow = flow;
    return s;
}

void submit_saga(struct submit *submit, struct rpc_inbound *in) {
    struct error error = {0};
    struct arena arena; // the flow's, if there will be one
    arena_init(&arena, rpc_inbound_arena(in)->max);
    const request_message *request = (const void *)rpc_decode(&txcenter__saga__v1__submit_saga_request__descriptor,
                                                              rpc_inbound_bytes(in), &arena, &error);
    struct submission *s = request ? accept(submit, in, request, &arena, &error) : NULL;
    if (!s) {
        call_fail(in, &error, NULL, request ? request->request_id : NULL);
        arena_release(&arena);
        return;
    }
    answer_by(s, DURABLE_MS);
    if (!saga_engine_owns(submit->options.engine, id_slot(str_c(s->gid))))
        fail_as(s, ERR_SLOT_ELSEWHERE, NULL);
    else if (is_recent(s))
        look_up(s);
    else if (!take_places(s, request->saga, &error))
        fail(s, &error);
    else
        start(s);
}

// ---- Life -----------------------------------------------------------------------------------------------------------

struct submit *submit_new(const struct submit_options *options) {
    struct submit *submit = calloc(1, sizeof *submit);
    if (!submit)
        abort();
    submit->options = *options;
    submit->timer = (struct rpc_timer){.fire = look, .ctx = submit};
    submit->timer_ms = INT64_MAX;
    return submit;
}

void submit_free(struct submit *submit) {
    if (!submit)
        return;
    assert(!heap_least(&submit->waits)); // every call was answered
    submit->options.timers->stop(submit->options.timers->ctx, &submit->timer);
    heap_release(&submit->waits);
    free(submit);
}
