#include "tests/flow/story.h"

#include <stdio.h>

const char *flow_context(struct flow_bed *bed) {
    return flow_text(bed, "context.tenant_id=T001 context.user_id=%s context.station_id=S001", bed->user);
}

const Txcenter__Trade__V1__Quote *flow_quote(struct flow_bed *bed, struct flow_trade *trade, const char *lines,
                                             const char *more) {
    const Txcenter__Trade__V1__QuoteResponse *response =
        flow_must(bed, "Quote", "trade_no=%s %s %s %s", trade->no, flow_context(bed), lines, more);
    snprintf(trade->no, sizeof trade->no, "%s", response->trade_no);
    trade->version = response->quote->version;
    return response->quote;
}

void flow_order(struct flow_bed *bed, struct flow_trade *trade, const char *more) {
    const Txcenter__Trade__V1__PlaceOrderResponse *response =
        flow_must(bed, "PlaceOrder", "trade_no=%s quote_version=%d %s", trade->no, trade->version, more);
    assert_false(response->processing);
    trade->payable = response->trade->payable->minor_units;
    snprintf(trade->order_no, sizeof trade->order_no, "%s", response->trade->order_no);
}

void flow_ordered(struct flow_bed *bed, struct flow_trade *trade) {
    *trade = (struct flow_trade){0};
    flow_quote(bed, trade, FUEL_200, "");
    flow_order(bed, trade, "");
    assert_int_equal(trade->payable, BEST_200);
}

void flow_ordered_bare(struct flow_bed *bed, struct flow_trade *trade) {
    *trade = (struct flow_trade){0};
    const Txcenter__Trade__V1__Quote *quote = flow_quote(bed, trade, FUEL_200, "");
    flow_order(bed, trade,
               flow_text(bed, "combination_id=%s", quote->combinations[quote->n_combinations - 1]->combination_id));
    assert_int_equal(trade->payable, LIST_200);
}

const char *flow_tenders(struct flow_bed *bed, int n, ...) {
    const char *fields = "";
    va_list args;
    va_start(args, n);
    for (int i = 0; i < n; i++) {
        int kind = va_arg(args, int), amount = va_arg(args, int);
        const char *account = va_arg(args, const char *);
        fields = flow_text(bed, "%s tenders[%d].kind=%d tenders[%d].amount=CNY%d tenders[%d].account=%s", fields, i,
                           kind, i, amount, i, account);
    }
    va_end(args);
    return fields;
}

const Txcenter__Trade__V1__PayResponse *flow_pay_with(struct flow_bed *bed, const struct flow_trade *trade,
                                                      const char *tenders, const char *more) {
    return flow_must(bed, "Pay", "trade_no=%s %s %s", trade->no, tenders, more);
}

const Txcenter__Trade__V1__PayResponse *flow_pay(struct flow_bed *bed, const struct flow_trade *trade) {
    return flow_pay_with(bed, trade, flow_tenders(bed, 1, KIND(WECHAT), (int)trade->payable, "payer"), "");
}

const char *flow_tender_no(struct flow_bed *bed, const struct flow_trade *trade, int attempt, int tender) {
    return flow_text(bed, "%s-%d-%d", trade->no, attempt, tender);
}

void flow_payer_pays(struct flow_bed *bed, const char *tender_no) {
    flow_control(bed, "PayTender", "tender_no=%s result=1", tender_no);
}

void flow_payer_fails(struct flow_bed *bed, const char *tender_no, const char *code) {
    flow_control(bed, "PayTender", "tender_no=%s result=2 code=%s", tender_no, code);
}

void flow_payer_pays_late(struct flow_bed *bed, const char *tender_no) {
    flow_control(bed, "PayTender", "tender_no=%s result=1 force=true", tender_no);
}

void flow_completed(struct flow_bed *bed, struct flow_trade *trade) {
    flow_ordered(bed, trade);
    flow_pay(bed, trade);
    flow_payer_pays(bed, flow_tender_no(bed, trade, 1, 0));
    flow_until_state(bed, trade, TRADE(COMPLETED));
    flow_until_still(bed, trade);
}

void flow_completed_but(struct flow_bed *bed, struct flow_trade *trade, int kind, const char *system,
                        const char *method, const char *more) {
    flow_ordered(bed, trade);
    flow_fault(bed, kind, system, method, more);
    flow_pay(bed, trade);
    flow_payer_pays(bed, flow_tender_no(bed, trade, 1, 0));
    flow_until_state(bed, trade, TRADE(COMPLETED));
}

const Txcenter__Trade__V1__RefundResponse *flow_refunded(struct flow_bed *bed, const struct flow_trade *trade,
                                                         const char *extent) {
    const Txcenter__Trade__V1__RefundResponse *response = flow_must(bed, "Refund", "trade_no=%s %s", trade->no, extent);
    assert_false(response->processing);
    assert_int_equal(response->refund->state, REFUND(DONE));
    return response;
}

void flow_recharging(struct flow_bed *bed, struct flow_trade *trade) {
    *trade = (struct flow_trade){0};
    flow_quote(bed, trade, flow_text(bed, "lines[0].recharge.card_no=%s lines[0].recharge.amount=CNY50000", bed->card),
               "");
    flow_order(bed, trade, "");
    flow_pay(bed, trade);
}

void flow_recharged(struct flow_bed *bed, struct flow_trade *trade) {
    flow_recharging(bed, trade);
    flow_payer_pays(bed, flow_tender_no(bed, trade, 1, 0));
    flow_until_state(bed, trade, TRADE(COMPLETED));
    flow_until_still(bed, trade);
}

void flow_for_nothing(struct flow_bed *bed, struct flow_trade *trade) {
    const char *coupon = flow_text(bed, "ALL-%s-%u", bed->user, ++bed->request_no);
    *trade = (struct flow_trade){0};
    flow_control(bed, "AddCoupon",
                 "user_id=%s coupon.coupon_id=%s coupon.name=all coupon.kind=1 coupon.amount_off=CNY100000",
                 bed->other_user, coupon);
    flow_quote(bed, trade, FUEL_200,
               flow_text(bed, "context.user_id=%s required_coupon_ids[0]=%s", bed->other_user, coupon));
    flow_fault(bed, FAULT(REJECT), "coupon", "UseCoupons", "code=BUSY");
    flow_order(bed, trade, "");
    assert_int_equal(trade->payable, 0);
    flow_until_parked(bed, trade, 1);
    assert_state(bed, trade, TRADE(PAID));
}

const Txcenter__Trade__V1__Trade *flow_get(struct flow_bed *bed, const char *trade_no) {
    return ((const Txcenter__Trade__V1__GetTradeResponse *)flow_must(bed, "GetTrade", "trade_no=%s", trade_no))->trade;
}

static const Txcenter__Trade__V1__Tender *tender_of(const Txcenter__Trade__V1__Trade *trade, int attempt, int tender) {
    for (size_t i = 0; i < trade->n_attempts; i++)
        if (trade->attempts[i]->attempt_no == attempt && trade->attempts[i]->n_tenders > (size_t)tender)
            return trade->attempts[i]->tenders[tender];
    return NULL;
}

const Txcenter__Trade__V1__Tender *flow_tender(struct flow_bed *bed, const struct flow_trade *trade, int attempt,
                                               int tender) {
    const Txcenter__Trade__V1__Tender *found = tender_of(flow_get(bed, trade->no), attempt, tender);
    assert_non_null(found);
    return found;
}

// ---- Waiting --------------------------------------------------------------------------------------------------------

struct awaited {
    const char *trade_no;
    int attempt, tender, state, n;
};

static bool has_state(struct flow_bed *bed, const void *ctx) {
    const struct awaited *awaited = ctx;
    return (int)flow_get(bed, awaited->trade_no)->state == awaited->state;
}

void flow_until_state(struct flow_bed *bed, const struct flow_trade *trade, int state) {
    struct awaited awaited = {.trade_no = trade->no, .state = state};
    flow_until(
        bed, has_state, &awaited,
        flow_text(bed, "the trade must become %s",
                  protobuf_c_enum_descriptor_get_value(&txcenter__trade__v1__trade_state__descriptor, state)->name));
}

static bool tender_has_state(struct flow_bed *bed, const void *ctx) {
    const struct awaited *awaited = ctx;
    const Txcenter__Trade__V1__Tender *tender =
        tender_of(flow_get(bed, awaited->trade_no), awaited->attempt, awaited->tender);
    return tender && (int)tender->state == awaited->state;
}

void flow_until_tender(struct flow_bed *bed, const struct flow_trade *trade, int attempt, int tender, int state) {
    struct awaited awaited = {.trade_no = trade->no, .attempt = attempt, .tender = tender, .state = state};
    flow_until(
        bed, tender_has_state, &awaited,
        flow_text(bed, "tender %d-%d must become %s", attempt, tender,
                  protobuf_c_enum_descriptor_get_value(&txcenter__trade__v1__tender_state__descriptor, state)->name));
}

const Txcenter__Saga__V1__ListSagasResponse *flow_unfinished(struct flow_bed *bed, const char *trade_no) {
    return flow_must(bed, "ListSagas", "filter.subject=%s filter.unfinished=true page_size=200", trade_no);
}

static int parked_of(const Txcenter__Saga__V1__ListSagasResponse *page) {
    int parked = 0;
    for (size_t i = 0; i < page->n_sagas; i++)
        parked += page->sagas[i]->parked;
    return parked;
}

int flow_parked(struct flow_bed *bed, const char *trade_no) {
    return parked_of(flow_unfinished(bed, trade_no));
}

static bool is_still(struct flow_bed *bed, const void *ctx) {
    const struct awaited *awaited = ctx;
    const Txcenter__Saga__V1__ListSagasResponse *page = flow_unfinished(bed, awaited->trade_no);
    return parked_of(page) == (int)page->n_sagas;
}

void flow_until_still(struct flow_bed *bed, const struct flow_trade *trade) {
    struct awaited awaited = {.trade_no = trade->no};
    flow_until(bed, is_still, &awaited, "its sagas must end or be parked");
}

static bool has_parked(struct flow_bed *bed, const void *ctx) {
    const struct awaited *awaited = ctx;
    return flow_parked(bed, awaited->trade_no) == awaited->n;
}

void flow_until_parked(struct flow_bed *bed, const struct flow_trade *trade, int n) {
    struct awaited awaited = {.trade_no = trade->no, .n = n};
    flow_until(bed, has_parked, &awaited, flow_text(bed, "%d sagas must be parked", n));
}

int64_t flow_settled(struct flow_bed *bed, const char *trade_no, const char *kind, const char *account) {
    const Participant__Sim__V1__DumpLedgerResponse *page =
        flow_control(bed, "DumpLedger", "system=settlement trade_no=%s", trade_no);
    int64_t sum = 0;
    assert_string_equal(page->next_page_token, "");
    for (size_t i = 0; i < page->n_entries; i++)
        if (strcmp(page->entries[i]->kind, kind) == 0 && strcmp(page->entries[i]->account, account) == 0)
            sum += page->entries[i]->amount->minor_units;
    return sum;
}

void flow_retry_parked(struct flow_bed *bed, const struct flow_trade *trade) {
    const Txcenter__Saga__V1__ListSagasResponse *page = flow_unfinished(bed, trade->no);
    for (size_t i = 0; i < page->n_sagas; i++)
        if (page->sagas[i]->parked)
            flow_must(bed, "Retry", "gid=%s reason=the~cause~is~mended", page->sagas[i]->gid);
}

// ---- Looking --------------------------------------------------------------------------------------------------------

static const char *state_name(int state) {
    const ProtobufCEnumValue *value =
        protobuf_c_enum_descriptor_get_value(&txcenter__trade__v1__trade_state__descriptor, state);
    return value ? value->name + strlen("TRADE_STATE_") : "?";
}

void assert_state(struct flow_bed *bed, const struct flow_trade *trade, int state) {
    assert_string_equal(state_name((int)flow_get(bed, trade->no)->state), state_name(state));
}

void assert_tender(struct flow_bed *bed, const struct flow_trade *trade, int attempt, int tender, int state) {
    const ProtobufCEnumDescriptor *type = &txcenter__trade__v1__tender_state__descriptor;
    const Txcenter__Trade__V1__Tender *found = flow_tender(bed, trade, attempt, tender);
    assert_string_equal(protobuf_c_enum_descriptor_get_value(type, (int)found->state)->name,
                        protobuf_c_enum_descriptor_get_value(type, state)->name);
}

void assert_found_by(struct flow_bed *bed, const struct flow_trade *trade, const char *order_no) {
    const Txcenter__Trade__V1__GetTradeResponse *found = flow_must(bed, "GetTrade", "order_no=%s", order_no);
    assert_string_equal(found->trade->trade_no, trade->no);
    assert_string_equal(found->trade->order_no, trade->order_no);
}

void assert_history(struct flow_bed *bed, const struct flow_trade *trade, const char *expected) {
    const Txcenter__Trade__V1__Trade *found = flow_get(bed, trade->no);
    const char *text = "";
    for (size_t i = 0; i < found->n_history; i++)
        text = flow_text(bed, "%s%s%s", text, i ? " " : "", state_name((int)found->history[i]->state));
    assert_string_equal(text, expected);
}

static int64_t difference(struct flow_bed *bed, const char *system, const char *trade_no, const char *plus,
                          const char *const *minus) {
    struct flow_sum sum = flow_ledger(bed, system, trade_no, plus);
    int64_t left = sum.amount + sum.points + (sum.amount || sum.points ? 0 : sum.n);
    for (; *minus; minus++) {
        sum = flow_ledger(bed, system, trade_no, *minus);
        left -= sum.amount + sum.points + (sum.amount || sum.points ? 0 : sum.n);
    }
    return left;
}

void assert_nothing_held(struct flow_bed *bed, const struct flow_trade *trade) {
    // What is deducted later is used without having been locked.
    bool locks = flow_get(bed, trade->no)->mode != TXCENTER__TRADE__V1__ORDER_MODE__ORDER_MODE_DEDUCT_LATER;
    assert_int_equal(
        difference(bed, "coupon", trade->no, "lock", (const char *const[]){"unlock", locks ? "use" : NULL, NULL}), 0);
    assert_int_equal(difference(bed, "points", trade->no, "freeze", (const char *const[]){"unfreeze", "deduct", NULL}),
                     0);
    assert_int_equal(
        difference(bed, "discount", trade->no, "lock", (const char *const[]){"unlock", locks ? "use" : NULL, NULL}), 0);
    assert_int_equal(
        difference(bed, "goods", trade->no, "reserve", (const char *const[]){"release", locks ? "deduct" : NULL, NULL}),
        0);
    assert_int_equal(
        difference(bed, "card", trade->no, "freeze", (const char *const[]){"release", "confirm", "expire", NULL}), 0);
}

const Txcenter__Trade__V1__Stray *flow_stray(struct flow_bed *bed, const char *number) {
    const Txcenter__Trade__V1__ListStraysResponse *strays = flow_must(bed, "ListStrays", "page_size=100");
    for (size_t i = 0; i < strays->n_strays; i++)
        if (strcmp(strays->strays[i]->number, number) == 0)
            return strays->strays[i];
    fail_msg("there is no stray about %s", number);
    return NULL;
}
