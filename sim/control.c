#include "sim/control.h"
#include "sim/faults.h"
#include "sim/payment.h"

#include <stdio.h>

#define PB(name) Participant__Sim__V1__##name
#define TYPE(name) &participant__sim__v1__##name##__descriptor

static void fail(struct rpc_inbound *in, const struct error *error) {
    rpc_fail(in, error, NULL);
}

void sim_control_refuse(struct rpc_inbound *in, const char *path, const char *what) {
    struct error error = {0};
    error_field(&error, path, "%s", what);
    fail(in, &error);
}

bool sim_control_begin(struct sim *sim, struct rpc_inbound *in, const ProtobufCMessage *request) {
    struct error error;
    if (!sim->ready || sim->stopped || sim->broken || store_room(sim->options.store) == 0)
        error_set(&error, ERR_RETRY, NULL);
    else if (sim_check_request(request, &error))
        return true;
    fail(in, &error);
    return false;
}

// ---- Answering -------------------------------------------------------------------------------------------------

void sim_control_reply(struct rpc_inbound *in, const ProtobufCMessageDescriptor *type) {
    ProtobufCMessage *response = rpc_message_new(type, rpc_inbound_arena(in));
    struct error error;
    if (response) {
        rpc_reply(in, response);
    } else {
        error_set(&error, ERR_OVERLOADED, NULL);
        fail(in, &error);
    }
}

// ---- Faults ----------------------------------------------------------------------------------------------------

static const char *or_all(const char *pattern) {
    return *pattern ? pattern : "*";
}

static bool fault_from(struct sim *sim, const PB(Fault) * fault, struct sim_fault *rule, struct error *error) {
    *rule = (struct sim_fault){
        .kind = fault->kind,
        .left = fault->count > 0 ? fault->count : -1,
        .permille = fault->permille,
        .delay_ms = fault->delay_ms,
    };
    *error = (struct error){0};
    const char *system = or_all(fault->system);
    if (strcmp(system, "*") != 0 && !sim_system_named(sim, str_c(system)))
        error_field(error, "fault.system", "is none of the systems");
    if (!str_copy(str_c(or_all(fault->method)), rule->method, sizeof rule->method))
        error_field(error, "fault.method", "is too long");
    if (!protobuf_c_enum_descriptor_get_value(TYPE(fault_kind), (int)fault->kind) ||
        fault->kind == PARTICIPANT__SIM__V1__FAULT_KIND__FAULT_KIND_UNSPECIFIED)
        error_field(error, "fault.kind", "is not known");
    if (fault->count < 0 || fault->permille < 0 || fault->permille > 1000)
        error_field(error, "fault.permille", "must be 0 to 1000, and count not negative");
    if (fault->delay_ms < 0 || fault->delay_ms > 3600000)
        error_field(error, "fault.delay_ms", "must be 0 to 3600000");
    bool wants_code = fault->kind == PARTICIPANT__SIM__V1__FAULT_KIND__FAULT_KIND_REJECT ||
                      fault->kind == PARTICIPANT__SIM__V1__FAULT_KIND__FAULT_KIND_BENT_ANSWER ||
                      fault->kind == PARTICIPANT__SIM__V1__FAULT_KIND__FAULT_KIND_REFUND_FAILS;
    if (!str_copy(str_c(fault->code), rule->code, sizeof rule->code) || (wants_code && !*fault->code))
        error_field(error, "fault.code", "is missing or too long");
    if (error_is(error))
        return false;
    SIM_COPY(rule->system, system);
    SIM_COPY(rule->user, fault->user_id);
    SIM_COPY(rule->key_prefix, fault->key_prefix);
    return true;
}

static void set_fault(void *service, struct rpc_inbound *in, const ProtobufCMessage *message) {
    struct sim *sim = service;
    const PB(SetFaultRequest) *request = (const void *)message;
    if (!sim_control_begin(sim, in, message))
        return;
    struct sim_fault rule;
    struct error error;
    if (!request->fault) {
        sim_control_refuse(in, "fault", "is missing");
        return;
    }
    PB(SetFaultResponse) response = PARTICIPANT__SIM__V1__SET_FAULT_RESPONSE__INIT;
    if (fault_from(sim, request->fault, &rule, &error)) {
        response.fault_id = sim_faults_add(sim->faults, &rule);
        if (response.fault_id == 0)
            error_set(&error, ERR_OVERLOADED, "there are %d faults already", SIM_FAULTS_MAX);
    }
    if (error_is(&error))
        fail(in, &error);
    else
        rpc_reply(in, &response.base);
}

static void clear_faults(void *service, struct rpc_inbound *in, const ProtobufCMessage *message) {
    struct sim *sim = service;
    const PB(ClearFaultsRequest) *request = (const void *)message;
    sim_faults_clear(sim->faults, request->system);
    sim_control_reply(in, TYPE(clear_faults_response));
}

static void fault_message(const struct sim_fault *rule, PB(Fault) * fault) {
    fault->fault_id = rule->id;
    fault->system = rpc_text(rule->system);
    fault->method = rpc_text(rule->method);
    fault->user_id = rpc_text(rule->user);
    fault->key_prefix = rpc_text(rule->key_prefix);
    fault->kind = rule->kind;
    fault->count = rule->left > 0 ? rule->left : 0;
    fault->permille = rule->permille;
    fault->delay_ms = rule->delay_ms;
    fault->code = rpc_text(rule->code);
    fault->fired = rule->fired;
}

static void list_faults(void *service, struct rpc_inbound *in, const ProtobufCMessage *message) {
    struct sim *sim = service;
    (void)message;
    size_t n;
    const struct sim_fault *rules = sim_faults_list(sim->faults, &n);
    PB(Fault) faults[SIM_FAULTS_MAX], *pointers[SIM_FAULTS_MAX];
    PB(ListFaultsResponse) response = PARTICIPANT__SIM__V1__LIST_FAULTS_RESPONSE__INIT;
    for (size_t i = 0; i < n; i++) {
        if (rules[i].left == 0) // has fired as often as it should
            continue;
        PB(Fault) *fault = &faults[response.n_faults];
        *fault = (PB(Fault))PARTICIPANT__SIM__V1__FAULT__INIT;
        fault_message(&rules[i], fault);
        pointers[response.n_faults++] = fault;
    }
    response.faults = pointers;
    rpc_reply(in, &response.base);
}

// ---- Paying ----------------------------------------------------------------------------------------------------

struct paying {
    struct sim *sim;
    struct rpc_inbound *in;
    sim_id tender_no;
};

static void paid(void *ctx, bool durable) {
    struct paying *paying = ctx;
    struct error error;
    const struct sim_tender_row *tender =
        durable ? sim_find(&paying->sim->systems[SIM_PAYMENT], SIM_TENDERS, paying->tender_no) : NULL;
    if (!tender) {
        error_set(&error, ERR_INTERNAL, "the change is not known to be durable");
        fail(paying->in, &error);
        return;
    }
    struct sim_payment_message payment;
    sim_payment_message(&payment, tender);
    PB(PayTenderResponse) response = PARTICIPANT__SIM__V1__PAY_TENDER_RESPONSE__INIT;
    response.payment = &payment.payment;
    rpc_reply(paying->in, &response.base);
}

static void pay_tender(void *service, struct rpc_inbound *in, const ProtobufCMessage *message) {
    struct sim *sim = service;
    const PB(PayTenderRequest) *request = (const void *)message;
    if (!sim_control_begin(sim, in, message))
        return;
    if (request->result != PARTICIPANT__SIM__V1__PAY_RESULT__PAY_RESULT_PAID &&
        request->result != PARTICIPANT__SIM__V1__PAY_RESULT__PAY_RESULT_FAILED) {
        sim_control_refuse(in, "result", "must be PAID or FAILED");
        return;
    }
    sim_code code;
    if (!str_copy(str_c(request->code), code, sizeof code)) {
        sim_control_refuse(in, "code", "is too long");
        return;
    }
    struct error error;
    struct paying *paying = arena_alloc(rpc_inbound_arena(in), sizeof *paying);
    if (!paying) {
        error_set(&error, ERR_OVERLOADED, NULL);
        fail(in, &error);
        return;
    }
    *paying = (struct paying){.sim = sim, .in = in};
    SIM_COPY(paying->tender_no, request->tender_no);
    struct sim_pay pay = {(int32_t)request->result, code, request->gateway_discount, request->merchant_discount};
    if (!sim_payment_tell(sim, request->tender_no, &pay, request->force, paid, paying, &error))
        fail(in, &error);
}

static bool pay_rule_from(const PB(AutoPayRule) * rule, struct sim_pay_rule *ret_rule) {
    *ret_rule = (struct sim_pay_rule){
        .method = (int32_t)rule->method,
        .result = (int32_t)rule->result,
        .after_ms = rule->after_ms,
        .gateway_discount_bp = rule->gateway_discount_bp,
        .merchant_discount_bp = rule->merchant_discount_bp,
    };
    SIM_COPY(ret_rule->payer, rule->payer);
    return str_copy(str_c(rule->code), ret_rule->code, sizeof ret_rule->code) &&
           rule->result >= PARTICIPANT__SIM__V1__PAY_RESULT__PAY_RESULT_PAID &&
           rule->result <= PARTICIPANT__SIM__V1__PAY_RESULT__PAY_RESULT_IN_PROGRESS && rule->after_ms >= 0 &&
           rule->after_ms <= INT64_C(86400000) && rule->gateway_discount_bp >= 0 && rule->merchant_discount_bp >= 0 &&
           rule->gateway_discount_bp <= 10000 && rule->merchant_discount_bp <= 10000 - rule->gateway_discount_bp;
}

static void set_auto_pay(void *service, struct rpc_inbound *in, const ProtobufCMessage *message) {
    struct sim *sim = service;
    const PB(SetAutoPayRequest) *request = (const void *)message;
    if (!sim_control_begin(sim, in, message))
        return;
    struct sim_payment_state *state = sim_payment_state(&sim->systems[SIM_PAYMENT]);
    struct sim_pay_rule rules[SIM_PAY_RULES_MAX];
    for (size_t i = 0; i < request->n_rules; i++)
        if (i >= SIM_PAY_RULES_MAX || !pay_rule_from(request->rules[i], &rules[i])) {
            sim_control_refuse(in, "rules", "has one that is out of range");
            return;
        }
    state->n_rules = request->n_rules;
    if (state->n_rules)
        memcpy(state->rules, rules, state->n_rules * sizeof rules[0]);
    sim_control_reply(in, TYPE(set_auto_pay_response));
}

static const struct rpc_route routes[] = {
#define ROUTE(rpc, fn)                                                                                                 \
    {                                                                                                                  \
        {&participant__sim__v1__sim_control_service__descriptor, rpc, .server_streaming = false}, fn, RPC_SIM,         \
            RPC_TIER_LOW                                                                                               \
    }
    ROUTE("SetFault", set_fault),
    ROUTE("ClearFaults", clear_faults),
    ROUTE("ListFaults", list_faults),
    ROUTE("PayTender", pay_tender),
    ROUTE("SetAutoPay", set_auto_pay),
    ROUTE("SetUser", sim_world_change),
    ROUTE("SetCard", sim_world_change),
    ROUTE("AddCoupon", sim_world_change),
    ROUTE("SetIssueRule", sim_world_change),
    ROUTE("SetPoints", sim_world_change),
    ROUTE("SetOilPrice", sim_world_change),
    ROUTE("SetNozzle", sim_world_change),
    ROUTE("AddPumpRecord", sim_world_change),
    ROUTE("SetGoods", sim_world_change),
    ROUTE("SetActivity", sim_world_change),
    ROUTE("SetLevel", sim_world_change),
    ROUTE("SetGrowth", sim_world_change),
    ROUTE("SetSpendRule", sim_world_change),
    ROUTE("CloseShift", sim_world_change),
    ROUTE("UseGift", sim_world_change),
    ROUTE("DumpLedger", sim_dump_ledger),
    ROUTE("DumpEffects", sim_dump_effects),
    ROUTE("GetStats", sim_dump_stats),
#undef ROUTE
};

const struct rpc_route *sim_control_routes(size_t *ret_n) {
    *ret_n = sizeof routes / sizeof routes[0];
    return routes;
}
