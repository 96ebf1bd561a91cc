// What may follow a paid order later, each part by itself: awards and records. What is only told is in tell.c, invoices
// are in invoicing.c.
#include "flows/trade/purchase_step.h"

#include "adapters/activity/activity.h"
#include "adapters/coupon/coupon.h"
#include "adapters/level/level.h"
#include "adapters/marketing/marketing.h"
#include "adapters/points/points.h"
#include "adapters/settlement/settlement.h"
#include "flows/trade/after.h"
#include "flows/trade/bearers.h"
#include "flows/trade/books.h"
#include "flows/trade/chosen.h"
#include "flows/trade/moved.h"
#include "flows/trade/purchase_end.h"
#include "flows/trade/tell.h"
#include "flows/trade/view.h"

// ---- What the trade earns -----------------------------------------------------------------------------------------

// Who has paid how much, and where: what each of these systems goes by. `money` is the caller's.
#define FILL_IN_PAYMENT(request, trade, money)                                                                         \
    do {                                                                                                               \
        *(money) = effect_money(trade, (trade)->row.paid);                                                             \
        (request)->user_id = view_text((trade)->row.user_id);                                                          \
        (request)->station_id = view_text((trade)->row.station_id);                                                    \
        (request)->paid = (money);                                                                                     \
    } while (0)

unsigned purchase_has_user(const struct saga_subject *subject, struct str input) {
    (void)input;
    return trade_has_user(trade_of_const(subject));
}

void purchase_award_points(struct saga_call *call) {
    Participant__Points__V1__AwardPointsRequest request = PARTICIPANT__POINTS__V1__AWARD_POINTS_REQUEST__INIT;
    Txcenter__Type__V1__Money paid;
    struct adapter_effect effect = effect_of(call);
    if (after_never(call))
        return;
    FILL_IN_PAYMENT(&request, effect_trade(call), &paid);
    const struct effect_expected expected = {moved_award, 0, "the points system awarded what can't be points",
                                             effect_done_unless_cancelled};
    points_award(&effect_adapters(call)->points, &effect, &request, effect_done_as_expected,
                 effect_expecting(call, &expected));
}

void purchase_points_awarded(struct saga_turn *turn, enum saga_op op, enum outcome outcome, struct str answer) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    struct arena arena;
    arena_init(&arena, 65536);
    const Participant__Points__V1__AwardPointsResponse *response =
        effect_answer(answer, &participant__points__v1__award_points_response__descriptor, &arena);
    if (response && trade->row.after[AFTER_AWARD].state == AFTER_PENDING)
        trade_edit(trade)->points_awarded = response->points;
    after_answered(turn, op, outcome, response ? answer : STR_NONE);
    arena_release(&arena);
}

void purchase_issue_coupons(struct saga_call *call) {
    Participant__Coupon__V1__IssueCouponsRequest request = PARTICIPANT__COUPON__V1__ISSUE_COUPONS_REQUEST__INIT;
    Txcenter__Type__V1__Money paid;
    struct adapter_effect effect = effect_of(call);
    if (after_never(call))
        return;
    FILL_IN_PAYMENT(&request, effect_trade(call), &paid);
    coupon_issue(&effect_adapters(call)->coupon, &effect, &request, effect_done_unless_cancelled, call);
}

void purchase_report_growth(struct saga_call *call) {
    Participant__Level__V1__ReportGrowthRequest request = PARTICIPANT__LEVEL__V1__REPORT_GROWTH_REQUEST__INIT;
    Txcenter__Type__V1__Money paid;
    struct adapter_effect effect = effect_of(call);
    if (after_never(call))
        return;
    FILL_IN_PAYMENT(&request, effect_trade(call), &paid);
    level_report(&effect_adapters(call)->level, &effect, &request, effect_done_unless_cancelled, call);
}

void purchase_evaluate_activities(struct saga_call *call) {
    struct trade *trade = effect_trade(call);
    Participant__Activity__V1__EvaluateTradeRequest request = PARTICIPANT__ACTIVITY__V1__EVALUATE_TRADE_REQUEST__INIT;
    Txcenter__Type__V1__Money paid;
    struct adapter_effect effect = effect_of(call);
    if (after_never(call))
        return;
    FILL_IN_PAYMENT(&request, trade, &paid);
    request.channel = view_text(trade->row.channel);
    activity_evaluate(&effect_adapters(call)->activity, &effect, &request, effect_done_unless_cancelled, call);
}

// ---- What is recorded ---------------------------------------------------------------------------------------------

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

void purchase_record_marketing(struct saga_call *call) {
    struct trade *trade = effect_trade(call);
    Participant__Marketing__V1__RecordTradeRequest request = PARTICIPANT__MARKETING__V1__RECORD_TRADE_REQUEST__INIT;
    Txcenter__Type__V1__Money paid;
    struct adapter_effect effect = effect_of(call);
    struct arena arena;
    if (after_never(call))
        return;
    arena_init(&arena, CHOSEN_ARENA_MAX);
    FILL_IN_PAYMENT(&request, trade, &paid);
    request.tenant_id = view_text(trade->row.tenant_id);
    request.channel = view_text(trade->row.channel);
    request.scenario = view_text(trade->row.scenario);
    list_used(trade, &arena, &request);
    marketing_record(&effect_adapters(call)->marketing, &effect, &request, effect_done_unless_cancelled, call);
    arena_release(&arena);
}

void purchase_record_settlement(struct saga_call *call) {
    struct trade *trade = effect_trade(call);
    struct arena arena;
    arena_init(&arena, 2 * CHOSEN_ARENA_MAX);
    Participant__Settlement__V1__RecordTradeRequest request = PARTICIPANT__SETTLEMENT__V1__RECORD_TRADE_REQUEST__INIT;
    struct adapter_effect effect = effect_of(call);
    books_bought(trade, &arena, &request.postings, &request.n_postings);
    bearers_of(trade, NULL, &arena, &request.borne, &request.n_borne);
    if (request.n_postings == 0) {
        saga_call_ok(call, STR_NONE); // nothing was bought
        arena_release(&arena);
        return;
    }
    request.tenant_id = view_text(trade->row.tenant_id);
    request.station_id = view_text(trade->row.station_id);
    request.shift_id = view_text(trade->row.shift_id);
    request.business_date = view_text(trade->row.business_date);
    request.paid_at = view_time(trade->row.paid_ms, &arena);
    settlement_record(&effect_adapters(call)->settlement, &effect, &request, effect_done, call);
    arena_release(&arena);
}

void purchase_recorded(struct saga_turn *turn, enum saga_op op, enum outcome outcome, struct str answer) {
    struct trade_row *row = trade_edit(trade_of(saga_turn_subject(turn)));
    struct arena arena;
    (void)op;
    arena_init(&arena, 65536);
    const Participant__Settlement__V1__RecordTradeResponse *response =
        effect_answer(answer, &participant__settlement__v1__record_trade_response__descriptor, &arena);
    if (outcome == OUTCOME_OK && response) {
        str_fit(str_c(response->shift_id), row->posted_shift, sizeof row->posted_shift);
        str_fit(str_c(response->business_date), row->posted_date, sizeof row->posted_date);
    }
    arena_release(&arena);
}

void purchase_record_ruled(struct saga_turn *turn, const struct saga_ruling *ruling) {
    if (ruling->act == SAGA_ACT_SKIP)
        purchase_end_missed(turn, STEP_RECORD_SETTLEMENT, MISSED_SETTLEMENT);
}

// ---- Who is told --------------------------------------------------------------------------------------------------

unsigned purchase_tells_os(const struct saga_subject *subject, struct str input) {
    (void)input;
    return tell_os_applies(trade_of_const(subject));
}
