// What came of campaigns: the trade as a record, and each benefit that it has used.
#include "participant/marketing/v1/marketing.pb-c.h"
#include "sim/world.h"

#define PB(name) Participant__Marketing__V1__##name

static void record_trade(struct sim_call *call) {
    const PB(RecordTradeRequest) *request = (const void *)call->request;
    if (!sim_wants_amount(call, request->paid, false, "paid"))
        return;
    for (size_t i = 0; i < request->n_benefits; i++)
        if (!sim_wants_text(call, request->benefits[i]->benefit_id, "benefits.benefit_id") ||
            !sim_wants_amount(call, request->benefits[i]->discount, false, "benefits.discount"))
            return;
    sim_record_add(call, request->user_id, request->paid, request->channel);
    for (size_t i = 0; i < request->n_benefits; i++)
        sim_post(&call->change, &(struct sim_posting){.kind = "benefit",
                                                      .account = request->benefits[i]->benefit_id,
                                                      .currency = request->benefits[i]->discount->currency,
                                                      .amount = request->benefits[i]->discount->minor_units,
                                                      .state = request->benefits[i]->kind});
}

static void cancel_record(struct sim_call *call) {
    int64_t rest;
    sim_record_cancel(call, &rest);
}

static void reverse_trade(struct sim_call *call) {
    const PB(ReverseTradeRequest) *request = (const void *)call->request;
    if (!sim_wants_amount(call, request->refunded, true, "refunded"))
        return;
    struct sim_record_row *record = sim_record_find(call, request->record_key, request->refunded);
    if (record)
        sim_record_reverse(call, record, request->refunded->minor_units, request->refund_no);
}

static const struct sim_method methods[] = {
    {.name = "RecordTrade", .op = SIM_ACTION, .apply = record_trade},
    {.name = "CancelRecord", .op = SIM_COMPENSATE, .apply = cancel_record, .undoes = "RecordTrade"},
    {.name = "ReverseTrade", .op = SIM_ACTION, .apply = reverse_trade},
    {.name = "Inquire", .op = SIM_INQUIRE},
};

static const struct sim_set_def sets[] = {
    SIM_RECORD_SET_DEF(marketing),
};

const struct sim_system_def sim_marketing_def = {
    .name = "marketing",
    .service = &participant__marketing__v1__marketing_service__descriptor,
    .methods = methods,
    .n_methods = STORE_COUNT(methods),
    .sets = sets,
    .n_sets = STORE_COUNT(sets),
};
