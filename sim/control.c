#include "sim/control.h"
#include "sim/coupon.h"
#include "sim/faults.h"
#include "sim/payment.h"

#include <stdio.h>

#define PB(name) Participant__Sim__V1__##name
#define TYPE(name) &participant__sim__v1__##name##__descriptor

static void fail(struct rpc_inbound *in, const struct error *error) {
    rpc_fail(in, error, NULL);
}

static void fail_field(struct rpc_inbound *in, const char *path, const char *what) {
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

static void reply_empty(struct rpc_inbound *in, const ProtobufCMessageDescriptor *type) {
    ProtobufCMessage *response = rpc_message_new(type, rpc_inbound_arena(in));
    struct error error;
    if (response) {
        rpc_reply(in, response);
    } else {
        error_set(&error, ERR_OVERLOADED, NULL);
        fail(in, &error);
    }
}

// A call that is answered with an empty message when its change is durable.
struct waiting {
    struct rpc_inbound *in;
    const ProtobufCMessageDescriptor *response;
};

static struct waiting *waiting_new(struct rpc_inbound *in, const ProtobufCMessageDescriptor *response) {
    struct waiting *waiting = arena_alloc(rpc_inbound_arena(in), sizeof *waiting);
    if (waiting) {
        *waiting = (struct waiting){in, response};
    } else {
        struct error error;
        error_set(&error, ERR_OVERLOADED, NULL);
        fail(in, &error);
    }
    return waiting;
}

static void changed(void *ctx, bool durable) {
    struct waiting *waiting = ctx;
    struct error error;
    if (durable) {
        reply_empty(waiting->in, waiting->response);
    } else {
        error_set(&error, ERR_INTERNAL, "the change is not known to be durable");
        fail(waiting->in, &error);
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
        fail_field(in, "fault", "is missing");
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
    reply_empty(in, TYPE(clear_faults_response));
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
        fail_field(in, "result", "must be PAID or FAILED");
        return;
    }
    sim_code code;
    if (!str_copy(str_c(request->code), code, sizeof code)) {
        fail_field(in, "code", "is too long");
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
            fail_field(in, "rules", "has one that is out of range");
            return;
        }
    state->n_rules = request->n_rules;
    if (state->n_rules)
        memcpy(state->rules, rules, state->n_rules * sizeof rules[0]);
    reply_empty(in, TYPE(set_auto_pay_response));
}

// ---- The world -------------------------------------------------------------------------------------------------

// Puts one row in the place of what is there, and answers when it is durable. The row begins with its key.
static void set_row(struct sim *sim, enum sim_system_index index, unsigned set, const void *row, struct rpc_inbound *in,
                    const ProtobufCMessageDescriptor *response) {
    struct waiting *waiting = waiting_new(in, response);
    if (!waiting)
        return;
    struct sim_change change;
    sim_change_begin(&change, &sim->systems[index], (struct sim_about){0});
    sim_world_put(&change, set, row);
    sim_change_commit(&change, changed, waiting);
}

static void set_user(void *service, struct rpc_inbound *in, const ProtobufCMessage *message) {
    struct sim *sim = service;
    const PB(SetUserRequest) *request = (const void *)message;
    if (!sim_control_begin(sim, in, message))
        return;
    if (!*request->user_id) {
        fail_field(in, "user_id", "is missing");
        return;
    }
    struct sim_user_row row = {.frozen = request->frozen};
    SIM_COPY(row.user_id, request->user_id);
    SIM_COPY(row.name, request->name);
    SIM_COPY(row.card_no, request->card_no);
    SIM_COPY(row.plate_no, request->plate_no);
    set_row(sim, SIM_USER, SIM_USERS, &row, in, TYPE(set_user_response));
}

static void set_card(void *service, struct rpc_inbound *in, const ProtobufCMessage *message) {
    struct sim *sim = service;
    const PB(SetCardRequest) *request = (const void *)message;
    if (!sim_control_begin(sim, in, message))
        return;
    const struct sim_card_row *known = sim_find(&sim->systems[SIM_CARD], SIM_CARDS, request->card_no);
    if (!*request->card_no || !request->principal || request->principal->minor_units < 0 ||
        (request->bonus &&
         (request->bonus->minor_units < 0 || strcmp(request->bonus->currency, request->principal->currency) != 0))) {
        fail_field(in, "principal", "and card_no must be there, bonus in the same currency, none negative");
        return;
    }
    if (request->freeze_ms < 0 || request->freeze_ms > INT64_C(31536000000)) {
        fail_field(in, "freeze_ms", "is out of range");
        return;
    }
    struct sim_card_row row = {
        .frozen = request->frozen,
        .principal = request->principal->minor_units,
        .bonus = request->bonus ? request->bonus->minor_units : 0,
        .held_principal = known ? known->held_principal : 0,
        .held_bonus = known ? known->held_bonus : 0,
        .freeze_ms = request->freeze_ms,
    };
    SIM_COPY(row.card_no, request->card_no);
    SIM_COPY(row.user_id, request->user_id);
    SIM_COPY(row.currency, request->principal->currency);
    set_row(sim, SIM_CARD, SIM_CARDS, &row, in, TYPE(set_card_response));
}

static void set_points(void *service, struct rpc_inbound *in, const ProtobufCMessage *message) {
    struct sim *sim = service;
    const PB(SetPointsRequest) *request = (const void *)message;
    if (!sim_control_begin(sim, in, message))
        return;
    const struct sim_points_row *known = sim_find(&sim->systems[SIM_POINTS], SIM_POINT_ACCOUNTS, request->user_id);
    if (!*request->user_id || request->available < 0 || request->available > MONEY_MAX) {
        fail_field(in, "available", "must not be negative, and user_id be there");
        return;
    }
    struct sim_points_row row = {.available = request->available, .frozen = known ? known->frozen : 0};
    SIM_COPY(row.user_id, request->user_id);
    set_row(sim, SIM_POINTS, SIM_POINT_ACCOUNTS, &row, in, TYPE(set_points_response));
}

static void set_oil_price(void *service, struct rpc_inbound *in, const ProtobufCMessage *message) {
    struct sim *sim = service;
    const PB(SetOilPriceRequest) *request = (const void *)message;
    if (!sim_control_begin(sim, in, message))
        return;
    if (!*request->station_id || !*request->oil_code || !request->unit_price || request->unit_price->minor_units <= 0) {
        fail_field(in, "unit_price", "must be more than 0, station_id and oil_code be there");
        return;
    }
    struct sim_price_row row = {.unit_price = request->unit_price->minor_units};
    snprintf(row.place, sizeof row.place, "%s/%s", request->station_id, request->oil_code);
    SIM_COPY(row.oil_code, request->oil_code);
    SIM_COPY(row.name, request->name);
    SIM_COPY(row.currency, request->unit_price->currency);
    set_row(sim, SIM_OIL, SIM_PRICES, &row, in, TYPE(set_oil_price_response));
}

static void set_nozzle(void *service, struct rpc_inbound *in, const ProtobufCMessage *message) {
    struct sim *sim = service;
    const PB(SetNozzleRequest) *request = (const void *)message;
    if (!sim_control_begin(sim, in, message))
        return;
    struct sim_nozzle_row row = {0};
    snprintf(row.place, sizeof row.place, "%s/%s", request->station_id, request->nozzle);
    SIM_COPY(row.oil_code, request->oil_code);
    set_row(sim, SIM_OIL, SIM_NOZZLES, &row, in, TYPE(set_nozzle_response));
}

static void add_pump_record(void *service, struct rpc_inbound *in, const ProtobufCMessage *message) {
    struct sim *sim = service;
    const PB(AddPumpRecordRequest) *request = (const void *)message;
    if (!sim_control_begin(sim, in, message))
        return;
    if (!request->unit_price || !request->amount ||
        strcmp(request->unit_price->currency, request->amount->currency) != 0) {
        fail_field(in, "amount", "and unit_price must be there, in one currency");
        return;
    }
    struct sim_pump_record_row row = {
        .volume_centi = request->volume_centi,
        .unit_price = request->unit_price->minor_units,
        .amount = request->amount->minor_units,
    };
    snprintf(row.place, sizeof row.place, "%s/%s/%s", request->station_id, request->nozzle, request->serial);
    SIM_COPY(row.oil_code, request->oil_code);
    SIM_COPY(row.currency, request->amount->currency);
    set_row(sim, SIM_OIL, SIM_PUMP_RECORDS, &row, in, TYPE(add_pump_record_response));
}

static void add_coupon(void *service, struct rpc_inbound *in, const ProtobufCMessage *message) {
    struct sim *sim = service;
    const PB(AddCouponRequest) *request = (const void *)message;
    if (!sim_control_begin(sim, in, message))
        return;
    struct sim_template_row rule;
    struct sim_coupon_row row = {.state = SIM_COUPON_USABLE};
    struct error error;
    struct sim_system *system = &sim->systems[SIM_COUPON];
    const Participant__Coupon__V1__Coupon *coupon = request->coupon;
    if (!coupon || !*request->user_id || !*coupon->coupon_id ||
        !str_copy(str_c(coupon->coupon_id), row.coupon_id, sizeof row.coupon_id) ||
        sim_find(system, SIM_COUPONS, row.coupon_id)) {
        fail_field(in, "coupon.coupon_id", "and user_id must be there, at most 48 bytes, and new");
        return;
    }
    if (!sim_template_from(coupon, &rule, &error)) {
        fail(in, &error);
        return;
    }
    const Google__Protobuf__Timestamp *expires = coupon->expires_at;
    if (expires && (expires->seconds < 0 || expires->seconds > INT64_C(253402300799))) {
        fail_field(in, "coupon.expires_at", "is out of range");
        return;
    }
    struct waiting *waiting = waiting_new(in, TYPE(add_coupon_response));
    if (!waiting)
        return;
    if (expires)
        row.expires_ms = expires->seconds * 1000 + expires->nanos / 1000000;
    SIM_COPY(row.user_id, request->user_id);
    SIM_COPY(row.template_id, row.coupon_id);
    SIM_COPY(rule.template_id, row.coupon_id);
    struct sim_change change;
    sim_change_begin(&change, system, (struct sim_about){0});
    sim_world_put(&change, SIM_TEMPLATES, &rule);
    sim_world_put(&change, SIM_COUPONS, &row);
    sim_change_commit(&change, changed, waiting);
}

static void set_issue_rule(void *service, struct rpc_inbound *in, const ProtobufCMessage *message) {
    struct sim *sim = service;
    const PB(SetIssueRuleRequest) *request = (const void *)message;
    if (!sim_control_begin(sim, in, message))
        return;
    struct sim_issue_rule_row row = {.valid_days = request->valid_days};
    struct sim_template_row rule;
    struct error error;
    if (!*request->rule_id || !str_copy(str_c(request->rule_id), row.template_id, sizeof row.template_id) ||
        !request->least || !request->coupon || request->valid_days < 0 || request->valid_days > 36500) {
        fail_field(in, "rule_id", "at most 48 bytes, least and coupon must be there, valid_days 0 to 36500");
        return;
    }
    if (!sim_template_from(request->coupon, &rule, &error)) {
        fail(in, &error);
        return;
    }
    struct waiting *waiting = waiting_new(in, TYPE(set_issue_rule_response));
    if (!waiting)
        return;
    row.least = request->least->minor_units;
    SIM_COPY(row.rule_id, request->rule_id);
    SIM_COPY(row.currency, request->least->currency);
    SIM_COPY(rule.template_id, row.template_id);
    struct sim_change change;
    sim_change_begin(&change, &sim->systems[SIM_COUPON], (struct sim_about){0});
    sim_world_put(&change, SIM_TEMPLATES, &rule);
    sim_world_put(&change, SIM_ISSUE_RULES, &row);
    sim_change_commit(&change, changed, waiting);
}

static const struct rpc_route routes[] = {
#define ROUTE(rpc, fn)                                                                                                 \
    {                                                                                                                  \
        {&participant__sim__v1__sim_control_service__descriptor, rpc, .server_streaming = false}, fn, RPC_SIM,         \
            RPC_TIER_LIST                                                                                              \
    }
    ROUTE("SetFault", set_fault),
    ROUTE("ClearFaults", clear_faults),
    ROUTE("ListFaults", list_faults),
    ROUTE("PayTender", pay_tender),
    ROUTE("SetAutoPay", set_auto_pay),
    ROUTE("SetUser", set_user),
    ROUTE("SetCard", set_card),
    ROUTE("AddCoupon", add_coupon),
    ROUTE("SetIssueRule", set_issue_rule),
    ROUTE("SetPoints", set_points),
    ROUTE("SetOilPrice", set_oil_price),
    ROUTE("SetNozzle", set_nozzle),
    ROUTE("AddPumpRecord", add_pump_record),
    ROUTE("DumpLedger", sim_dump_ledger),
    ROUTE("DumpEffects", sim_dump_effects),
    ROUTE("GetStats", sim_dump_stats),
#undef ROUTE
};

const struct rpc_route *sim_control_routes(size_t *ret_n) {
    *ret_n = sizeof routes / sizeof routes[0];
    return routes;
}
