#include "sim/ask.h"

#include "participant/sim/v1/sim.pb-c.h"
#include "rpc/client.h"

#include <ctype.h>
#include <stdio.h>

enum { ASK_MS = 10000, KIND_MAX = 64 };

#define KIND_PREFIX "FAULT_KIND_"

// ---- Requests -----------------------------------------------------------------------------------------------------

static bool kind_of(const char *text, Participant__Sim__V1__FaultKind *ret_kind, struct error *error) {
    char name[KIND_MAX];
    int n = snprintf(name, sizeof name, KIND_PREFIX "%s", text);
    for (char *c = name; *c; c++)
        *c = (char)(*c == '-' ? '_' : toupper((unsigned char)*c));
    const ProtobufCEnumDescriptor *type = &participant__sim__v1__fault_kind__descriptor;
    const ProtobufCEnumValue *value =
        n > 0 && (size_t)n < sizeof name ? protobuf_c_enum_descriptor_get_value_by_name(type, name) : NULL;
    if (value && value->value != 0) {
        *ret_kind = (Participant__Sim__V1__FaultKind)value->value;
        return true;
    }
    return error_set(error, ERR_CONFIG_INVALID, "%s is no kind of fault; --help lists them", text);
}

// ---- The call -----------------------------------------------------------------------------------------------------

struct ask {
    bool done;
    struct error error;
    int64_t fault_id;
};

static void answered(void *ctx, const struct rpc_result *result) {
    struct ask *ask = ctx;
    ask->done = true;
    ask->error = result->error;
    if (result->message && result->message->descriptor == &participant__sim__v1__set_fault_response__descriptor)
        ask->fault_id = ((const Participant__Sim__V1__SetFaultResponse *)(const void *)result->message)->fault_id;
}

static bool call(const struct sim_settings *settings, const char *name, const ProtobufCMessage *request,
                 struct ask *ret_ask, struct error *error) {
    const struct rpc_method method = {.service = &participant__sim__v1__sim_control_service__descriptor, .name = name};
    const struct rpc_call_options options = {.deadline_ms = ASK_MS};
    struct ask ask = {.done = false};
    struct rpc_loop *loop = rpc_loop_new();
    struct rpc_channel *channel = rpc_channel_open(loop, settings->sim, NULL, error);
    if (channel) {
        rpc_call(channel, &method, request, &options, answered, &ask);
        while (!ask.done)
            rpc_loop_once(loop, 1000);
        rpc_channel_close(channel);
    }
    rpc_loop_free(loop);
    if (!channel)
        return false;
    if (ask.error.n_fields > 0)
        return error_set(error, ask.error.code, "%s: %s %s", settings->sim, ask.error.fields[0].path,
                         ask.error.fields[0].what);
    if (error_is(&ask.error))
        return error_set(error, ask.error.code, "%s: %s", settings->sim, ask.error.text);
    *ret_ask = ask;
    return true;
}

// ---- Commands -----------------------------------------------------------------------------------------------------

static char *text_of(const char *text) {
    return (char *)(uintptr_t)(text ? text : ""); // the messages' texts are not const; nobody writes to them
}

static bool set_fault(const struct sim_settings *settings, struct error *error) {
    Participant__Sim__V1__Fault fault = PARTICIPANT__SIM__V1__FAULT__INIT;
    Participant__Sim__V1__SetFaultRequest request = PARTICIPANT__SIM__V1__SET_FAULT_REQUEST__INIT;
    request.fault = &fault;
    if (!kind_of(settings->operands[0], &fault.kind, error))
        return false;
    fault.system = text_of(settings->operands[1]);
    fault.method = text_of(settings->operands[2] ? settings->operands[2] : "*");
    fault.code = text_of(settings->code);
    fault.key_prefix = text_of(settings->key);
    fault.count = (int32_t)settings->count;
    fault.delay_ms = settings->delay_ms;
    struct ask ask;
    if (!call(settings, "SetFault", &request.base, &ask, error))
        return false;
    printf("fault %lld is set; `txsim clear` takes all away\n", (long long)ask.fault_id);
    return true;
}

static bool clear_faults(const struct sim_settings *settings, struct error *error) {
    Participant__Sim__V1__ClearFaultsRequest request = PARTICIPANT__SIM__V1__CLEAR_FAULTS_REQUEST__INIT;
    struct ask ask;
    if (!call(settings, "ClearFaults", &request.base, &ask, error))
        return false;
    printf("no fault is set any more\n");
    return true;
}

static bool pay_tender(const struct sim_settings *settings, struct error *error) {
    Participant__Sim__V1__PayTenderRequest request = PARTICIPANT__SIM__V1__PAY_TENDER_REQUEST__INIT;
    request.tender_no = text_of(settings->operands[0]);
    request.result = settings->code ? PARTICIPANT__SIM__V1__PAY_RESULT__PAY_RESULT_FAILED
                                    : PARTICIPANT__SIM__V1__PAY_RESULT__PAY_RESULT_PAID;
    request.code = text_of(settings->code);
    struct ask ask;
    if (!call(settings, "PayTender", &request.base, &ask, error))
        return false;
    printf("%s %s\n", settings->operands[0], settings->code ? "has failed" : "is paid");
    return true;
}

void sim_ask_help(void) {
    const ProtobufCEnumDescriptor *type = &participant__sim__v1__fault_kind__descriptor;
    printf("faults:");
    for (unsigned i = 0; i < type->n_values; i++)
        if (type->values[i].value != 0)
            printf(" %s", type->values[i].name + strlen(KIND_PREFIX));
    printf("\n");
}

bool sim_ask(const struct sim_settings *settings, struct error *error) {
    switch (settings->command) {
    case SIM_COMMAND_FAULT: return set_fault(settings, error);
    case SIM_COMMAND_CLEAR: return clear_faults(settings, error);
    case SIM_COMMAND_PAY: return pay_tender(settings, error);
    default: return false;
    }
}
