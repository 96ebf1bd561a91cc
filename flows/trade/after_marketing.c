// What each benefit took off, as the marketing system records it.
#include "adapters/marketing/marketing.h"
#include "flows/trade/after.h"
#include "flows/trade/chosen.h"
#include "flows/trade/refund_end.h"
#include "flows/trade/refund_leg.h"

static bool add_used(struct arena *arena, char *kind, char *benefit_id, Txcenter__Type__V1__Money *discount,
                     Participant__Marketing__V1__RecordTradeRequest *request) {
    Participant__Marketing__V1__UsedBenefit *used =
        VIEW_NEW(arena, participant__marketing__v1__used_benefit, Participant__Marketing__V1__UsedBenefit);
    if (!used || !request->benefits)
        return false;
    used->kind = kind;
    used->benefit_id = benefit_id;
    used->discount = discount;
    request->benefits[request->n_benefits++] = used;
    return true;
}

static const char *kind_of(Txcenter__Trade__V1__BenefitSource source) {
    switch (source) {
    case TXCENTER__TRADE__V1__BENEFIT_SOURCE__BENEFIT_SOURCE_COUPON: return "coupon";
    case TXCENTER__TRADE__V1__BENEFIT_SOURCE__BENEFIT_SOURCE_ACTIVITY: return "activity";
    case TXCENTER__TRADE__V1__BENEFIT_SOURCE__BENEFIT_SOURCE_LEVEL: return "level";
    default: return "";
    }
}

// What each benefit took off.
static void list_used(const struct trade *trade, struct arena *arena,
                      Participant__Marketing__V1__RecordTradeRequest *request) {
    const Txcenter__Trade__V1__Combination *chosen = chosen_combination(trade, NULL, arena);
    size_t n = chosen ? chosen->n_benefits : 0;
    request->benefits = view_array(arena, n + 1);
    for (size_t i = 0; i < n; i++) {
        const Txcenter__Trade__V1__AppliedBenefit *benefit = chosen->benefits[i];
        if (!add_used(arena, view_text(kind_of(benefit->source)), benefit->benefit_id, benefit->discount, request))
            return;
    }
    if (trade->row.points > 0)
        add_used(arena, view_text("points"), view_text("points"),
                 view_money(trade->row.currency, trade->row.discount[SOLVER_LAYER_POINTS], arena), request);
}

static void give(struct saga_call *call, enum after_benefit benefit) {
    struct trade *trade = effect_trade(call);
    Participant__Marketing__V1__RecordTradeRequest request = PARTICIPANT__MARKETING__V1__RECORD_TRADE_REQUEST__INIT;
    Txcenter__Type__V1__Money paid;
    struct adapter_effect effect = effect_of(call);
    struct arena arena;
    (void)benefit;
    arena_init(&arena, CHOSEN_ARENA_MAX);
    AFTER_PAYMENT(&request, trade, &paid);
    request.tenant_id = view_text(trade->row.tenant_id);
    request.channel = view_text(trade->row.channel);
    request.scenario = view_text(trade->row.scenario);
    list_used(trade, &arena, &request);
    marketing_record(&effect_adapters(call)->marketing, &effect, &request, effect_done_unless_cancelled, call);
    arena_release(&arena);
}

static void cancel(struct saga_call *call, enum after_benefit benefit) {
    Participant__Marketing__V1__CancelRecordRequest request = PARTICIPANT__MARKETING__V1__CANCEL_RECORD_REQUEST__INIT;
    char key[SAGA_KEY_MAX];
    struct adapter_effect effect = after_undo_effect(call, benefit, key);
    marketing_cancel_record(&effect_adapters(call)->marketing, &effect, &request, effect_done_bare, call);
}

static void take(struct saga_call *call, enum after_benefit benefit) {
    struct trade *trade = effect_trade(call);
    struct refund_row *refund = refund_of_call(call);
    if (trade->row.paid == 0) {
        cancel(call, benefit); // it cost nothing: no money is part of it, so all of it goes
        return;
    }
    Participant__Marketing__V1__ReverseTradeRequest request = PARTICIPANT__MARKETING__V1__REVERSE_TRADE_REQUEST__INIT;
    Txcenter__Type__V1__Money refunded = effect_money(trade, refund->amount);
    struct adapter_effect effect = effect_of(call);
    char key[SAGA_KEY_MAX];
    after_key(trade, benefit, key);
    request.refund_no = refund->refund_no;
    request.record_key = key;
    request.refunded = &refunded;
    marketing_reverse(&effect_adapters(call)->marketing, &effect, &request, effect_done_bare, call);
}

const struct follower follower_marketing = {
    .give = give,
    .answers = &marketing_record_method,
    .cancel = cancel,
    .takes = refund_end_gave_back,
    .take = take,
};
