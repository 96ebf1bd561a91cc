#include "tests/flow/bed.h"

#include "rpc/message.h"
#include "txcenter/callback/v1/callback.pb-c.h"
#include "txcenter/ops/v1/stats.pb-c.h"
#include "txcenter/saga/v1/operator.pb-c.h"
#include "txcenter/trade/v1/operator.pb-c.h"

#include <inttypes.h>
#include <stdio.h>

enum { ARENA_MAX = 1 << 30, DEADLINE_MS = 40000, TEXT_MAX = 8192 };

// ---- A test's people ------------------------------------------------------------------------------------------------

// The first nine of the world are special; every test has two of the others.
void flow_begin(struct flow_bed *bed) {
    unsigned first = 10 + 2 * bed->test_no++;
    arena_init(&bed->arena, ARENA_MAX);
    bed->user = flow_text(bed, "U%04u", first);
    bed->card = flow_text(bed, "C%04u", first);
    bed->other_user = flow_text(bed, "U%04u", first + 1);
    bed->other_card = flow_text(bed, "C%04u", first + 1);
    bed->began_ms = flow_now(bed);
    bed->parked = 0;
    bed->leave_open = bed->not_compared = false;
    bed->anomalies = 0;
}

// ---- Time -----------------------------------------------------------------------------------------------------------

int64_t flow_now(const struct flow_bed *bed) {
    return bed->ops->now_ms(bed);
}

void flow_run_for(struct flow_bed *bed, int64_t ms) {
    bed->ops->run_for(bed, ms);
}

void flow_until(struct flow_bed *bed, flow_condition_fn *holds, const void *ctx, const char *what) {
    int64_t longest_ms = bed->ops->virtual_time ? INT64_C(4) * 86400000 : 20000;
    int64_t end_ms = flow_now(bed) + longest_ms, pause_ms = 5;
    while (!holds(bed, ctx)) {
        if (flow_now(bed) > end_ms)
            fail_msg("it took too long: %s", what);
        flow_run_for(bed, pause_ms);
        if (pause_ms < longest_ms / 600)
            pause_ms += pause_ms / 4 + 1;
    }
}

void flow_crash_center(struct flow_bed *bed) {
    bed->ops->kill_center(bed);
    bed->ops->start_center(bed);
}

void flow_crash_sim(struct flow_bed *bed) {
    bed->ops->kill_sim(bed);
    bed->ops->start_sim(bed);
}

// ---- Calls ----------------------------------------------------------------------------------------------------------

__attribute__((format(printf, 2, 0))) static const char *format_text(struct flow_bed *bed, const char *format,
                                                                     va_list args) {
    char text[TEXT_MAX];
    int length = vsnprintf(text, sizeof text, format, args);
    assert_true(length >= 0 && (size_t)length < sizeof text);
    return arena_str(&bed->arena, str_c(text)).ptr;
}

const char *flow_text(struct flow_bed *bed, const char *format, ...) {
    va_list args;
    va_start(args, format);
    const char *text = format_text(bed, format, args);
    va_end(args);
    return text;
}

static struct rpc_method method_named(const char *name) {
    static const ProtobufCServiceDescriptor *const services[] = {
        &txcenter__trade__v1__trade_service__descriptor,   &txcenter__saga__v1__saga_service__descriptor,
        &txcenter__saga__v1__operator_service__descriptor, &txcenter__callback__v1__callback_service__descriptor,
        &txcenter__ops__v1__stats_service__descriptor,     &txcenter__trade__v1__trade_operator_service__descriptor};
    for (size_t i = 0; i < sizeof services / sizeof services[0]; i++)
        for (unsigned k = 0; k < services[i]->n_methods; k++)
            if (strcmp(services[i]->methods[k].name, name) == 0)
                return (struct rpc_method){.service = services[i], .name = services[i]->methods[k].name};
    fail_msg("the center has no method %s", name);
    return (struct rpc_method){0};
}

static void answered(void *ctx, const struct rpc_result *result) {
    struct flow_answer *answer = ctx;
    struct flow_bed *bed = answer->bed;
    struct error error = {0};
    bed->sending--;
    answer->done = true;
    answer->at_ms = flow_now(bed);
    answer->outcome = result->outcome;
    answer->reason = arena_str(&bed->arena, str_c(result->reason)).ptr;
    answer->text = arena_str(&bed->arena, str_c(result->error.text)).ptr;
    answer->bytes = arena_str(&bed->arena, result->bytes);
    if (result->message) {
        answer->message = rpc_decode(result->message->descriptor, answer->bytes, &bed->arena, &error);
        assert_non_null(answer->message);
    }
}

static struct flow_answer *start(struct flow_bed *bed, struct rpc_channel *channel, const char *caller,
                                 const struct rpc_method *method, const ProtobufCMessage *request) {
    const struct rpc_header headers[] = {{"x-caller", str_c(caller)}, {.name = NULL}};
    struct flow_answer *answer = arena_calloc(&bed->arena, 1, sizeof *answer);
    assert_non_null(answer);
    answer->bed = bed;
    answer->sent_ms = flow_now(bed);
    answer->reason = answer->text = "";
    bed->sending++;
    rpc_call(channel, method, request, &(struct rpc_call_options){.deadline_ms = DEADLINE_MS, .headers = headers},
             answered, answer);
    return answer;
}

// What every request wants and a test leaves out.
static void fill_in(struct flow_bed *bed, ProtobufCMessage *request, const char *fields) {
    const ProtobufCMessageDescriptor *type = request->descriptor;
    if (protobuf_c_message_descriptor_get_field_by_name(type, "request_id") && !strstr(fields, "request_id="))
        fields_set(request, "request_id", flow_text(bed, "flow-%u-%u", bed->test_no, ++bed->request_no), &bed->arena);
    if (protobuf_c_message_descriptor_get_field_by_name(type, "wait_ms") && !strstr(fields, "wait_ms="))
        fields_set(request, "wait_ms", "30000", &bed->arena);
}

static struct flow_answer *send_text(struct flow_bed *bed, const char *caller, const char *name, const char *fields) {
    struct rpc_method method = method_named(name);
    ProtobufCMessage *request = fields_make(rpc_method_request(&method), fields, &bed->arena);
    fill_in(bed, request, fields);
    return start(bed, bed->center, caller, &method, request);
}

struct flow_answer *flow_send_message(struct flow_bed *bed, const char *name, const ProtobufCMessage *request) {
    struct rpc_method method = method_named(name);
    return start(bed, bed->center, FLOW_CALLER, &method, request);
}

// The text of a printf-like function's arguments behind `format`.
#define FORMATTED(bed, format, ret_text)                                                                               \
    do {                                                                                                               \
        va_list args;                                                                                                  \
        va_start(args, format);                                                                                        \
        (ret_text) = format_text(bed, format, args);                                                                   \
        va_end(args);                                                                                                  \
    } while (0)

struct flow_answer *flow_send(struct flow_bed *bed, const char *method, const char *fields, ...) {
    const char *text;
    FORMATTED(bed, fields, text);
    return send_text(bed, FLOW_CALLER, method, text);
}

struct flow_answer *flow_send_as(struct flow_bed *bed, const char *caller, const char *method, const char *fields,
                                 ...) {
    const char *text;
    FORMATTED(bed, fields, text);
    return send_text(bed, caller, method, text);
}

void flow_wait(struct flow_bed *bed, const struct flow_answer *answer) {
    while (!answer->done)
        bed->ops->step(bed);
}

static struct flow_answer *ask_text(struct flow_bed *bed, const char *method, const char *fields) {
    struct flow_answer *answer = send_text(bed, FLOW_CALLER, method, fields);
    flow_wait(bed, answer);
    return answer;
}

struct flow_answer *flow_ask(struct flow_bed *bed, const char *method, const char *fields, ...) {
    const char *text;
    FORMATTED(bed, fields, text);
    return ask_text(bed, method, text);
}

const void *flow_must(struct flow_bed *bed, const char *method, const char *fields, ...) {
    const char *text;
    FORMATTED(bed, fields, text);
    struct flow_answer *answer = ask_text(bed, method, text);
    if (!answer->message)
        fail_msg("%s %s: %s %s", method, text, flow_verdict(answer), answer->text);
    return answer->message;
}

bool flow_is_definite_no(const struct flow_answer *answer) {
    size_t n;
    const struct err_info *table = err_table(&n);
    for (size_t i = 0; i < n; i++)
        if (strcmp(table[i].name, answer->reason) == 0)
            return table[i].outcome == OUTCOME_REJECTED;
    return false;
}

struct flow_answer *flow_insist(struct flow_bed *bed, const char *method, const char *fields, ...) {
    const char *text;
    FORMATTED(bed, fields, text);
    struct rpc_method named = method_named(method);
    bool has_id = protobuf_c_message_descriptor_get_field_by_name(rpc_method_request(&named), "request_id");
    if (has_id && !strstr(text, "request_id="))
        text = flow_text(bed, "%s request_id=insist-%u-%u", text, bed->test_no, ++bed->request_no);
    for (int tries = 0; tries < 200; tries++) {
        struct flow_answer *answer = ask_text(bed, method, text);
        if (answer->message || flow_is_definite_no(answer))
            return answer;
        flow_run_for(bed, 100);
    }
    fail_msg("%s %s: no answer after many tries", method, text);
    return NULL;
}

void flow_refused(struct flow_bed *bed, const char *reason, const char *method, const char *fields, ...) {
    const char *text;
    FORMATTED(bed, fields, text);
    struct flow_answer *answer = ask_text(bed, method, text);
    if (strcmp(flow_verdict(answer), reason) != 0)
        fail_msg("%s %s: %s %s, not %s", method, text, flow_verdict(answer), answer->text, reason);
}

const char *flow_verdict(const struct flow_answer *answer) {
    if (answer->message)
        return "OK";
    return answer->reason[0] ? answer->reason : outcome_name(answer->outcome);
}

// ---- The participants -----------------------------------------------------------------------------------------------

static struct flow_answer *ask_there(struct flow_bed *bed, const ProtobufCServiceDescriptor *service, const char *name,
                                     const char *fields) {
    struct rpc_method method = {.service = service, .name = name};
    ProtobufCMessage *request = fields_make(rpc_method_request(&method), fields, &bed->arena);
    struct flow_answer *answer = start(bed, bed->sim, FLOW_CALLER, &method, request);
    flow_wait(bed, answer);
    return answer;
}

static struct flow_answer *ask_sim(struct flow_bed *bed, const char *name, const char *fields) {
    return ask_there(bed, &participant__sim__v1__sim_control_service__descriptor, name, fields);
}

void flow_behind(struct flow_bed *bed, const ProtobufCServiceDescriptor *service, const char *method,
                 const char *fields, ...) {
    const char *text;
    FORMATTED(bed, fields, text);
    const struct flow_answer *answer = ask_there(bed, service, method, text);
    if (answer->outcome != OUTCOME_OK)
        fail_msg("%s %s: %s %s", method, text, flow_verdict(answer), answer->text);
}

void flow_control_maybe(struct flow_bed *bed, const char *method, const char *fields) {
    ask_sim(bed, method, fields);
}

static const ProtobufCMessage *control_text(struct flow_bed *bed, const char *name, const char *fields) {
    struct flow_answer *answer = ask_sim(bed, name, fields);
    if (!answer->message)
        fail_msg("%s %s: %s %s", name, fields, flow_verdict(answer), answer->text);
    return answer->message;
}

const void *flow_control(struct flow_bed *bed, const char *method, const char *fields, ...) {
    const char *text;
    FORMATTED(bed, fields, text);
    return control_text(bed, method, text);
}

int64_t flow_fault(struct flow_bed *bed, int kind, const char *system, const char *method, const char *more) {
    const char *fields = flow_text(bed, "fault.kind=%d fault.system=%s fault.method=%s", kind, system, method);
    struct str rest = str_c(more);
    while (rest.len > 0) {
        struct str word = str_cut(&rest, ' ');
        if (word.len > 0)
            fields = flow_text(bed, "%s fault.%.*s", fields, STR_FMT(word));
    }
    const Participant__Sim__V1__SetFaultResponse *response = (const void *)control_text(bed, "SetFault", fields);
    return response->fault_id;
}

void flow_clear_faults(struct flow_bed *bed) {
    control_text(bed, "ClearFaults", "");
}

struct flow_sum flow_ledger(struct flow_bed *bed, const char *system, const char *trade_no, const char *kind) {
    struct flow_sum sum = {0};
    const char *token = "";
    do {
        const Participant__Sim__V1__DumpLedgerResponse *page =
            flow_control(bed, "DumpLedger", "system=%s trade_no=%s page_token=%s", system, trade_no, token);
        for (size_t i = 0; i < page->n_entries; i++) {
            if (kind && strcmp(page->entries[i]->kind, kind) != 0)
                continue;
            sum.n++;
            sum.amount += page->entries[i]->amount ? page->entries[i]->amount->minor_units : 0;
            sum.points += page->entries[i]->points;
        }
        token = page->next_page_token;
    } while (*token);
    return sum;
}

int64_t flow_effects(struct flow_bed *bed, const char *system, const char *trade_no, const char *method, int state) {
    int64_t n = 0;
    const char *token = "";
    do {
        const Participant__Sim__V1__DumpEffectsResponse *page =
            flow_control(bed, "DumpEffects", "system=%s trade_no=%s page_token=%s", system, trade_no, token);
        for (size_t i = 0; i < page->n_effects; i++)
            n += strcmp(page->effects[i]->method, method) == 0 && (int)page->effects[i]->state == state;
        token = page->next_page_token;
    } while (*token);
    return n;
}

int64_t flow_calls(struct flow_bed *bed, const char *system) {
    const Participant__Sim__V1__GetStatsResponse *stats = flow_control(bed, "GetStats", "%s", "");
    for (size_t i = 0; i < stats->n_systems; i++)
        if (strcmp(stats->systems[i]->system, system) == 0)
            return stats->systems[i]->calls;
    fail_msg("there is no system %s", system);
    return 0;
}
