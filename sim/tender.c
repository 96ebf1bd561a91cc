#include "sim/payment.h"

#include <assert.h>
#include <stdio.h>

void sim_payment_message(struct sim_payment_message *message, const struct sim_tender_row *tender) {
    static const Txcenter__Type__V1__Money no_money = TXCENTER__TYPE__V1__MONEY__INIT;
    message->amount = no_money;
    message->amount.currency = rpc_text(tender->currency);
    message->payer = message->gateway = message->merchant = message->settlement = message->amount;
    message->amount.minor_units = tender->amount;
    message->payer.minor_units = tender->amount - tender->gateway_discount - tender->merchant_discount;
    message->gateway.minor_units = tender->gateway_discount;
    message->merchant.minor_units = tender->merchant_discount;
    message->settlement.minor_units = tender->amount - tender->merchant_discount;
    message->payment = (Participant__Payment__V1__Payment)PARTICIPANT__PAYMENT__V1__PAYMENT__INIT;
    message->payment.tender_no = rpc_text(tender->tender_no);
    message->payment.state = (Participant__Payment__V1__PaymentState)tender->state;
    message->payment.merchant_id = rpc_text(tender->merchant_id);
    message->payment.amount = &message->amount;
    message->payment.gateway_no = rpc_text(tender->gateway_no);
    message->payment.code = rpc_text(tender->code);
    if (tender->state != (int32_t)SIM_PAID)
        return;
    message->payment.payer_amount = &message->payer;
    message->payment.gateway_discount = &message->gateway;
    message->payment.merchant_discount = &message->merchant;
    message->payment.settlement_amount = &message->settlement;
    message->paid_at = (Google__Protobuf__Timestamp)GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    message->paid_at.seconds = tender->paid_ms / 1000;
    message->paid_at.nanos = (int32_t)(tender->paid_ms % 1000) * 1000000;
    message->payment.paid_at = &message->paid_at;
}

void sim_refund_message(struct sim_refund_message *message, const struct sim_refund_row *refund) {
    message->amount = (Txcenter__Type__V1__Money)TXCENTER__TYPE__V1__MONEY__INIT;
    message->amount.currency = rpc_text(refund->currency);
    message->payer = message->gateway = message->merchant = message->settlement = message->amount;
    message->amount.minor_units = refund->amount;
    message->payer.minor_units = refund->payer_amount;
    message->gateway.minor_units = refund->gateway_discount;
    message->merchant.minor_units = refund->amount - refund->payer_amount - refund->gateway_discount;
    message->settlement.minor_units = refund->amount - message->merchant.minor_units;
    message->refund = (Participant__Payment__V1__PaymentRefund)PARTICIPANT__PAYMENT__V1__PAYMENT_REFUND__INIT;
    message->refund.refund_no = rpc_text(refund->refund_no);
    message->refund.tender_no = rpc_text(refund->tender_no);
    message->refund.state = (Participant__Payment__V1__RefundState)refund->state;
    message->refund.amount = &message->amount;
    message->refund.payer_amount = &message->payer;
    message->refund.gateway_discount = &message->gateway;
    message->refund.merchant_discount = &message->merchant;
    message->refund.settlement_amount = &message->settlement;
    message->refund.code = rpc_text(refund->code);
}

static const char *state_name(int32_t state) {
    switch (state) {
    case SIM_PENDING: return "PENDING";
    case SIM_PAID: return "PAID";
    case SIM_FAILED: return "FAILED";
    case SIM_CLOSED: return "CLOSED";
    default: return "";
    }
}

void sim_tender_post(struct sim_change *change, const struct sim_tender_row *tender, const char *kind, int64_t amount,
                     const char *detail) {
    sim_post(change, &(struct sim_posting){.kind = kind,
                                           .account = tender->tender_no,
                                           .currency = tender->currency,
                                           .amount = amount,
                                           .state = state_name(tender->state),
                                           .detail = str_c(detail)});
}

bool sim_tender_direct(const struct sim_tender_row *tender) {
    return tender->method == (int32_t)PARTICIPANT__PAYMENT__V1__PAYMENT_METHOD__PAYMENT_METHOD_SCANNED;
}

bool sim_tender_expired(const struct sim_tender_row *tender, int64_t now_ms) {
    return tender->expires_ms > 0 && now_ms >= tender->expires_ms;
}

const char *sim_tender_pay(struct sim_change *change, struct sim_tender_row *tender, const struct sim_pay *pay) {
    if (pay->result == (int32_t)PARTICIPANT__SIM__V1__PAY_RESULT__PAY_RESULT_PAID) {
        tender->state = (int32_t)SIM_PAID;
        tender->paid_ms = sim_now(change->system->sim);
        tender->gateway_discount = pay->gateway_discount;
        tender->merchant_discount = pay->merchant_discount;
        tender->code[0] = '\0';
        sim_tender_post(change, tender, "paid", tender->amount, "");
    } else {
        tender->state = (int32_t)SIM_FAILED;
        SIM_COPY(tender->code, *pay->code ? pay->code : "PAYER_REFUSED");
        sim_tender_post(change, tender, "failed", tender->amount, tender->code);
    }
    const char *note = sim_notify(change, tender, NULL);
    sim_put(change, tender);
    return note;
}

// ---- By itself -------------------------------------------------------------------------------------------------

static int64_t share_of(int64_t amount, int32_t basis_points) {
    int64_t share = 0;
    money_mul_div(amount, basis_points, 10000, ROUND_DOWN, &share);
    return share;
}

bool sim_tender_plan(struct sim_system *system, struct sim_tender_row *tender) {
    const struct sim_payment_state *state = sim_payment_state(system);
    bool direct = sim_tender_direct(tender);
    static const struct sim_pay_rule at_once = {.result = PARTICIPANT__SIM__V1__PAY_RESULT__PAY_RESULT_PAID};
    const struct sim_pay_rule *rule = direct ? &at_once : NULL;
    for (size_t i = 0; i < state->n_rules; i++) {
        const struct sim_pay_rule *it = &state->rules[i];
        if ((it->method == 0 || it->method == tender->method) &&
            (!it->payer[0] || strcmp(it->payer, tender->payer) == 0)) {
            rule = it;
            break;
        }
    }
    if (!rule || rule->result == (int32_t)PARTICIPANT__SIM__V1__PAY_RESULT__PAY_RESULT_IN_PROGRESS)
        return false;
    tender->pay_result = rule->result;
    tender->pay_gateway_discount = share_of(tender->amount, rule->gateway_discount_bp);
    tender->pay_merchant_discount = share_of(tender->amount, rule->merchant_discount_bp);
    memcpy(tender->pay_code, rule->code, sizeof tender->pay_code);
    if (direct && rule->after_ms == 0)
        return true;
    tender->pay_ms = sim_now(system->sim) + rule->after_ms;
    return false;
}

struct sim_pay sim_tender_planned(const struct sim_tender_row *tender) {
    return (struct sim_pay){
        .result = tender->pay_result ? tender->pay_result : (int32_t)PARTICIPANT__SIM__V1__PAY_RESULT__PAY_RESULT_PAID,
        .code = tender->pay_code,
        .gateway_discount = tender->pay_gateway_discount,
        .merchant_discount = tender->pay_merchant_discount,
    };
}

void sim_auto_pay(struct sim *sim, int64_t after_ms) {
    struct sim_payment_state *state = sim_payment_state(&sim->systems[SIM_PAYMENT]);
    const struct sim_pay_rule paid = {.result = PARTICIPANT__SIM__V1__PAY_RESULT__PAY_RESULT_PAID};
    state->rules[0] = state->rules[1] = paid;
    state->rules[0].method = PARTICIPANT__PAYMENT__V1__PAYMENT_METHOD__PAYMENT_METHOD_SCANNED;
    state->rules[1].after_ms = after_ms;
    state->n_rules = 2;
}

static struct sim_about about_tender(const struct sim_tender_row *tender) {
    return (struct sim_about){tender->made_by, tender->gid, tender->trade_no};
}

void sim_tender_due(struct sim_system *system, void *row) {
    struct sim_tender_row *tender = row;
    int64_t now_ms = sim_now(system->sim);
    if (tender->state != (int32_t)SIM_PENDING || sim_tender_expired(tender, now_ms))
        return;
    struct sim_pay pay = sim_tender_planned(tender);
    struct sim_change change;
    sim_change_begin(&change, system, about_tender(tender));
    sim_tender_pay(&change, tender, &pay);
    sim_change_commit(&change, NULL, NULL);
}

int64_t sim_tender_rearm(struct sim_system *system, const void *row) {
    (void)system;
    const struct sim_tender_row *tender = row;
    return tender->state == (int32_t)SIM_PENDING ? tender->pay_ms : 0;
}

// ---- When told -------------------------------------------------------------------------------------------------

static bool may_pay(const struct sim_tender_row *tender, const struct sim_pay *pay, int64_t now_ms,
                    struct error *error) {
    if (pay->gateway_discount < 0 || pay->merchant_discount < 0 || pay->gateway_discount > tender->amount ||
        pay->merchant_discount > tender->amount - pay->gateway_discount) {
        error_field(error, "gateway_discount", "is more than the amount");
        return false;
    }
    if (tender->state != (int32_t)SIM_PENDING || sim_tender_expired(tender, now_ms)) {
        error_field(error, "tender_no", "is %s%s", state_name(tender->state),
                    tender->state == (int32_t)SIM_PENDING ? " and past its time" : "");
        return false;
    }
    return true;
}

bool sim_payment_tell(struct sim *sim, const char *tender_no, const struct sim_pay *pay, bool force,
                      sim_durable_fn *done, void *ctx, struct error *error) {
    struct sim_system *system = &sim->systems[SIM_PAYMENT];
    struct sim_tender_row *tender = sim_find(system, SIM_TENDERS, tender_no);
    *error = (struct error){0};
    if (!tender) {
        error_field(error, "tender_no", "is not known");
        return false;
    }
    // One that was paid and reversed is not paid again: no gateway takes a tender's money twice.
    bool forced = force && tender->state != (int32_t)SIM_PAID && tender->refunded == 0;
    if (!may_pay(tender, pay, sim_now(sim), error)) {
        if (!forced || error->n_fields == 0 || strcmp(error->fields[0].path, "tender_no") != 0)
            return false;
        *error = (struct error){0};
    }
    struct sim_change change;
    sim_change_begin(&change, system, about_tender(tender));
    sim_tender_pay(&change, tender, pay);
    sim_change_commit(&change, done, ctx);
    return true;
}

// ---- Refunds ---------------------------------------------------------------------------------------------------

void sim_refund_due(struct sim_system *system, void *row) {
    struct sim_refund_row *refund = row;
    if (refund->state != (int32_t)SIM_REFUND_ACCEPTED)
        return;
    struct sim_tender_row *tender = sim_find(system, SIM_TENDERS, refund->tender_no);
    assert(tender); // they were made in one transaction
    struct sim_change change;
    sim_change_begin(&change, system, (struct sim_about){refund->made_by, refund->gid, refund->trade_no});
    tender->refunding -= refund->amount;
    if (refund->fails[0]) {
        refund->state = (int32_t)SIM_REFUND_FAILED;
        SIM_COPY(refund->code, refund->fails);
        sim_tender_post(&change, tender, "refund_failed", refund->amount, refund->refund_no);
    } else {
        refund->state = (int32_t)SIM_REFUND_DONE;
        tender->refunded += refund->amount;
        sim_tender_post(&change, tender, "refunded", refund->amount, refund->refund_no);
    }
    sim_notify(&change, tender, refund);
    sim_put(&change, tender);
    sim_put(&change, refund);
    sim_change_commit(&change, NULL, NULL);
}

int64_t sim_refund_rearm(struct sim_system *system, const void *row) {
    (void)system;
    const struct sim_refund_row *refund = row;
    return refund->state == (int32_t)SIM_REFUND_ACCEPTED ? refund->done_ms : 0;
}
