#include "tests/participants/bed.h"

#include "base/buf.h"
#include "base/digest.h"
#include "participant/payment/v1/payment.pb-c.h"
#include "participant/sim/v1/sim.pb-c.h"
#include "rpc/message.h"
#include "sim/core.h"
#include "tests/cmocka.h"
#include "tests/participants/txsim.h"
#include "txcenter/callback/v1/callback.pb-c.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { ARENA_MAX = 64 << 20, WORLD_USERS = 6 };

static const char callback_key_id[] = "test-key", callback_secret[] = "a secret of the tests";

// ---- The center ------------------------------------------------------------------------------------------------

static bool genuine(const Txcenter__Callback__V1__SignedBody *body) {
    struct buf text;
    uint8_t expected[DIGEST_LEN];
    buf_init(&text, 1 << 20);
    buf_printf(&text, "%s\n%" PRId64 "\n%s\n", body->key_id, body->timestamp_ms, body->nonce);
    buf_append(&text, str_n(body->body.data, body->body.len));
    digest_hmac(str_c(callback_secret), buf_str(&text), expected);
    buf_release(&text);
    return strcmp(body->key_id, callback_key_id) == 0 &&
           digest_equal(str_n(expected, DIGEST_LEN), str_n(body->signature.data, body->signature.len));
}

static void notified(struct bed *bed, struct rpc_inbound *in, const Txcenter__Callback__V1__SignedBody *body,
                     bool refund, const ProtobufCMessage *response) {
    assert_non_null(body);
    assert_true(bed->n_notes < BED_NOTES_MAX);
    struct bed_note *note = &bed->notes[bed->n_notes++];
    struct error error = {0};
    *note = (struct bed_note){.refund = refund,
                              .genuine = genuine(body),
                              .at_ms = bed_now(bed),
                              .timestamp_ms = body->timestamp_ms,
                              .body = arena_str(&bed->arena, str_n(body->body.data, body->body.len))};
    assert_true(str_copy(str_c(body->nonce), note->nonce, sizeof note->nonce));
    note->inner = rpc_decode(refund ? &participant__payment__v1__refund_notification__descriptor
                                    : &participant__payment__v1__payment_notification__descriptor,
                             note->body, &bed->arena, &error);
    assert_non_null(note->inner);
    if (!note->genuine)
        error_set(&error, ERR_SIGNATURE_INVALID, NULL);
    else if (bed->refuse_notes > 0 && bed->refuse_notes--)
        error_set(&error, ERR_STORE_UNAVAILABLE, NULL);
    if (error_is(&error))
        rpc_fail(in, &error, NULL);
    else
        rpc_reply(in, response);
}

static void notify_payment(void *service, struct rpc_inbound *in, const ProtobufCMessage *message) {
    const Txcenter__Callback__V1__NotifyPaymentRequest *request = (const void *)message;
    Txcenter__Callback__V1__NotifyPaymentResponse response = TXCENTER__CALLBACK__V1__NOTIFY_PAYMENT_RESPONSE__INIT;
    notified(service, in, request->notification, false, &response.base);
}

static void notify_refund(void *service, struct rpc_inbound *in, const ProtobufCMessage *message) {
    const Txcenter__Callback__V1__NotifyRefundRequest *request = (const void *)message;
    Txcenter__Callback__V1__NotifyRefundResponse response = TXCENTER__CALLBACK__V1__NOTIFY_REFUND_RESPONSE__INIT;
    notified(service, in, request->notification, true, &response.base);
}

static const ProtobufCServiceDescriptor *const callbacks = &txcenter__callback__v1__callback_service__descriptor;

// ---- In this process -------------------------------------------------------------------------------------------

static void open_inproc(struct bed *bed) {
    virtual_time_init(&bed->time, INT64_C(1790000000000));
    bed->net = rpc_inproc_new(&bed->time.scheduler);
    rpc_inproc_add(bed->net, bed->center_routes, 2, bed);
    inproc_sim_open(&bed->sims, &bed->time, bed->net, WORLD_USERS);
    bed->channel = rpc_inproc_channel(bed->sims.board.net, "test", NULL, NULL);
}

static void close_inproc(struct bed *bed) {
    inproc_sim_kill(&bed->sims);
    rpc_channel_close(bed->channel);
    virtual_time_release(&bed->time);
    inproc_sim_close(&bed->sims);
    rpc_inproc_free(bed->net);
}

// ---- As a process ----------------------------------------------------------------------------------------------

static void start_process(struct bed *bed) {
    char listen[96], center[96], data[96], users[16], key[96];
    struct error error = {0};
    snprintf(listen, sizeof listen, "unix:%s/sim", bed->folder);
    snprintf(center, sizeof center, "unix:%s/center", bed->folder);
    snprintf(data, sizeof data, "%s/data", bed->folder);
    snprintf(users, sizeof users, "%d", WORLD_USERS);
    snprintf(key, sizeof key, "%s:%s", callback_key_id, callback_secret);
    const char *const args[] = {"serve",          "--listen", listen,         "--data",  data,  "--center", center,
                                "--callback-key", key,        "--seed-world", "--users", users, NULL};
    bed->pid = txsim_start(args);
    if (!(bed->channel = rpc_channel_open(bed->loop, listen, NULL, &error)))
        fail_msg("%s", error.text);
}

static void kill_process(struct bed *bed) {
    txsim_kill(bed->pid);
    rpc_channel_close(bed->channel);
}

static void open_process(struct bed *bed) {
    char center[96];
    struct error error = {0};
    assert_true(scratch_make("txsim", bed->folder));
    bed->loop = rpc_loop_new();
    snprintf(center, sizeof center, "unix:%s/center", bed->folder);
    const char *const listen[] = {center, NULL};
    bed->center = rpc_server_new(bed->loop, &(struct rpc_server_options){.listen = listen});
    rpc_server_add(bed->center, bed->center_routes, 2, bed);
    if (!rpc_server_start(bed->center, &error))
        fail_msg("%s", error.text);
    start_process(bed);
}

static void drained(void *ctx) {
    *(bool *)ctx = true;
}

static void close_process(struct bed *bed) {
    bool done = false;
    kill_process(bed);
    rpc_server_drain(bed->center, drained, &done);
    while (!done)
        rpc_loop_once(bed->loop, 1000);
    rpc_server_free(bed->center);
    rpc_loop_free(bed->loop);
    scratch_remove(bed->folder);
}

// ---- Both ------------------------------------------------------------------------------------------------------

void bed_open(struct bed *bed, enum bed_kind kind) {
    *bed = (struct bed){.kind = kind};
    arena_init(&bed->arena, ARENA_MAX);
    bed->center_routes[0] = (struct rpc_route){
        {callbacks, "NotifyPayment", .server_streaming = false}, notify_payment, RPC_CALLBACK, RPC_TIER_HIGH};
    bed->center_routes[1] = (struct rpc_route){
        {callbacks, "NotifyRefund", .server_streaming = false}, notify_refund, RPC_CALLBACK, RPC_TIER_HIGH};
    bed->sims.options =
        (struct sim_options){.callback_key_id = callback_key_id, .callback_secret = callback_secret, .fault_seed = 1};
    if (kind == BED_INPROC)
        open_inproc(bed);
    else
        open_process(bed);
}

void bed_kill(struct bed *bed) {
    if (bed->kind == BED_INPROC)
        inproc_sim_kill(&bed->sims);
    else
        kill_process(bed);
}

void bed_start(struct bed *bed) {
    if (bed->kind == BED_INPROC)
        inproc_sim_start(&bed->sims);
    else
        start_process(bed);
}

void bed_crash(struct bed *bed) {
    bed_kill(bed);
    bed_start(bed);
}

void bed_close(struct bed *bed) {
    if (bed->kind == BED_INPROC)
        close_inproc(bed);
    else
        close_process(bed);
    arena_release(&bed->arena);
}

int bed_set_up(void **state) {
    struct bed *bed = malloc(sizeof *bed);
    assert_non_null(bed);
    bed_open(bed, BED_INPROC);
    *state = bed;
    return 0;
}

int bed_tear_down(void **state) {
    bed_close(*state);
    free(*state);
    return 0;
}

void bed_clear(struct bed *bed) {
    assert_int_equal(bed->sending, 0);
    bed->n_notes = 0;
    bed->refuse_notes = 0;
    arena_reset(&bed->arena);
}

int64_t bed_now(const struct bed *bed) {
    return bed->kind == BED_INPROC ? bed->time.now_ms : clock_now_ms(rpc_loop_clock(bed->loop));
}

static void step(struct bed *bed) {
    if (bed->kind == BED_INPROC)
        assert_true(virtual_time_step(&bed->time));
    else
        rpc_loop_once(bed->loop, 1000);
}

static void elapsed(void *ctx) {
    *(bool *)ctx = true;
}

void bed_run_for(struct bed *bed, int64_t ms) {
    if (bed->kind == BED_INPROC) {
        virtual_time_run_until(&bed->time, bed->time.now_ms + ms);
        return;
    }
    bool done = false;
    struct rpc_timer timer = {.fire = elapsed, .ctx = &done};
    rpc_timer_set(bed->loop, &timer, bed_now(bed) + ms);
    while (!done)
        rpc_loop_once(bed->loop, 1000);
}

void bed_wait_notes(struct bed *bed, size_t n) {
    while (bed->n_notes < n)
        step(bed);
}

const char *bed_text(struct bed *bed, const char *format, ...) {
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return arena_str(&bed->arena, str_c(text)).ptr;
}

// ---- Calls -----------------------------------------------------------------------------------------------------

static struct rpc_method method_of(const struct bed_call *call, enum sim_op *ret_op) {
    for (size_t i = 0; i < SIM_SYSTEMS; i++)
        for (size_t k = 0; k < sim_system_defs[i]->n_methods; k++)
            if (strcmp(sim_system_defs[i]->name, call->system) == 0 &&
                strcmp(sim_system_defs[i]->methods[k].name, call->method) == 0) {
                *ret_op = sim_system_defs[i]->methods[k].op;
                return (struct rpc_method){.service = sim_system_defs[i]->service, .name = call->method};
            }
    fail_msg("%s has no method %s", call->system, call->method);
    return (struct rpc_method){0};
}

static void answered(void *ctx, const struct rpc_result *result) {
    struct bed_answer *answer = ctx;
    struct bed *bed = answer->bed;
    struct error error = {0};
    bed->sending--;
    answer->done = true;
    answer->outcome = result->outcome;
    answer->grpc_status = result->grpc_status;
    str_copy(str_c(result->reason), answer->reason, sizeof answer->reason);
    answer->bytes = arena_str(&bed->arena, result->bytes);
    if (!result->message)
        return;
    answer->message = rpc_decode(result->message->descriptor, answer->bytes, &bed->arena, &error);
    assert_non_null(answer->message);
}

static void start(struct bed *bed, const struct rpc_method *method, const ProtobufCMessage *request,
                  uint32_t deadline_ms, struct bed_answer *answer) {
    *answer = (struct bed_answer){.bed = bed};
    bed->sending++;
    rpc_call(bed->channel, method, request,
             &(struct rpc_call_options){.deadline_ms = deadline_ms ? deadline_ms : BED_DEADLINE_MS}, answered, answer);
}

static void set_text(struct bed *bed, ProtobufCMessage *request, const char *path, const char *value) {
    if (value)
        fields_set(request, path, value, &bed->arena);
}

void bed_send(struct bed *bed, const struct bed_call *call, struct bed_answer *answer) {
    static const int wire_ops[] = {
        [SIM_READ] = PARTICIPANT__TYPE__V1__OPERATION__OPERATION_READ,
        [SIM_ACTION] = PARTICIPANT__TYPE__V1__OPERATION__OPERATION_ACTION,
        [SIM_COMPENSATE] = PARTICIPANT__TYPE__V1__OPERATION__OPERATION_COMPENSATE,
        [SIM_INQUIRE] = PARTICIPANT__TYPE__V1__OPERATION__OPERATION_INQUIRE,
    };
    enum sim_op op = SIM_READ;
    struct rpc_method method = method_of(call, &op);
    ProtobufCMessage *request = fields_make(rpc_method_request(&method), call->fields ? call->fields : "", &bed->arena);
    fields_set(request, "effect.op", bed_text(bed, "%d", wire_ops[op]), &bed->arena);
    set_text(bed, request, "effect.key", call->key);
    set_text(bed, request, "effect.trade_no", call->trade_no);
    set_text(bed, request, "effect.order_no", call->order_no);
    start(bed, &method, request, call->deadline_ms, answer);
}

void bed_send_message(struct bed *bed, const struct rpc_method *method, const ProtobufCMessage *request,
                      struct bed_answer *answer) {
    start(bed, method, request, 0, answer);
}

void bed_wait(struct bed *bed, const struct bed_answer *answer) {
    while (!answer->done)
        step(bed);
}

struct bed_answer bed_ask(struct bed *bed, const struct bed_call *call) {
    struct bed_answer answer;
    bed_send(bed, call, &answer);
    bed_wait(bed, &answer);
    return answer;
}

struct bed_answer bed_must(struct bed *bed, const struct bed_call *call) {
    struct bed_answer answer = bed_ask(bed, call);
    if (strcmp(bed_verdict(bed, &answer), "APPLIED") != 0)
        fail_msg("%s: %s", call->method, bed_verdict(bed, &answer));
    return answer;
}

struct bed_answer bed_ask_of(struct bed *bed, const char *system, const char *method, const char *key,
                             const char *fields) {
    return bed_ask(
        bed, &(struct bed_call){.system = system, .method = method, .key = key, .trade_no = "T1", .fields = fields});
}

struct bed_answer bed_control(struct bed *bed, const char *name, const char *fields) {
    struct rpc_method method = {.service = &participant__sim__v1__sim_control_service__descriptor, .name = name};
    ProtobufCMessage *request = fields_make(rpc_method_request(&method), fields, &bed->arena);
    struct bed_answer answer;
    start(bed, &method, request, 0, &answer);
    bed_wait(bed, &answer);
    if (answer.outcome != OUTCOME_OK)
        fail_msg("%s: %s %s", name, outcome_name(answer.outcome), answer.reason);
    return answer;
}

// ---- What came of it -------------------------------------------------------------------------------------------

const char *bed_verdict(struct bed *bed, const struct bed_answer *answer) {
    if (!answer->message)
        return bed_text(bed, "%s%s%s", outcome_name(answer->outcome), answer->reason[0] ? " " : "", answer->reason);
    switch (fields_number(answer->message, "outcome.verdict")) {
    case PARTICIPANT__TYPE__V1__VERDICT__VERDICT_APPLIED: return "APPLIED";
    case PARTICIPANT__TYPE__V1__VERDICT__VERDICT_REJECTED:
        return bed_text(bed, "REJECTED %s", fields_text(answer->message, "outcome.code"));
    case PARTICIPANT__TYPE__V1__VERDICT__VERDICT_NEVER_SEEN: return "NEVER_SEEN";
    default: return "?";
    }
}

struct bed_sum bed_ledger(struct bed *bed, const char *system, const char *key, const char *kind) {
    struct bed_sum sum = {0};
    const char *token = "";
    do {
        struct bed_answer page =
            bed_control(bed, "DumpLedger", bed_text(bed, "system=%s page_size=100 page_token=%s", system, token));
        const Participant__Sim__V1__DumpLedgerResponse *dump = (const void *)page.message;
        for (size_t i = 0; i < dump->n_entries; i++) {
            const Participant__Sim__V1__LedgerEntry *entry = dump->entries[i];
            if (strcmp(entry->key, key) != 0 || (kind && strcmp(entry->kind, kind) != 0))
                continue;
            sum.n++;
            sum.amount += entry->amount ? entry->amount->minor_units : 0;
            sum.points += entry->points;
        }
        token = dump->next_page_token;
    } while (*token);
    return sum;
}

int64_t bed_stat(struct bed *bed, const char *system, const char *counter) {
    struct bed_answer answer = bed_control(bed, "GetStats", "");
    for (size_t i = 0; i < fields_count(answer.message, "systems"); i++)
        if (strcmp(fields_text(answer.message, bed_text(bed, "systems[%zu].system", i)), system) == 0)
            return fields_number(answer.message, bed_text(bed, "systems[%zu].%s", i, counter));
    fail_msg("there is no system %s", system);
    return 0;
}
