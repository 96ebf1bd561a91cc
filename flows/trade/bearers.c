#include "flows/trade/bearers.h"

#include "flows/trade/chosen.h"
#include "flows/trade/refund_plan.h"
#include "flows/trade/view.h"

typedef Participant__Settlement__V1__Borne borne_message;

// How much of each line is back, before the refund and with it.
struct backs {
    bool reverses;  // a refund; else everything is borne
    bool completes; // with it nothing is left of the trade
    int64_t before[TRADE_LINES_MAX], after[TRADE_LINES_MAX], net[TRADE_LINES_MAX];
};

struct bearing {
    const struct trade *trade;
    struct arena *arena;
    struct backs backs;
    borne_message **list;
    size_t n, room;
};

static void look_back(const struct trade *trade, const struct refund_row *refund, struct backs *backs) {
    const struct line_row *line;
    *backs = (struct backs){.reverses = refund != NULL, .completes = true};
    for (unsigned i = 0; i < TRADE_LINES_MAX && (line = trade_line_of(trade, NULL, i)); i++) {
        backs->net[i] = line->payable;
        backs->before[i] = refund ? refund_plan_line_before(trade, refund, i) : 0;
        backs->after[i] = backs->before[i] + (refund ? refund_plan_line(refund, i) : 0);
        backs->completes = backs->completes && backs->after[i] == backs->net[i];
    }
}

static int64_t due(const struct backs *backs, unsigned line, int64_t amount) {
    int64_t before = 0, after = 0;
    if (!backs->reverses)
        return amount;
    if (backs->net[line] == 0)
        return backs->completes ? amount : 0;
    bool good = money_mul_div(amount, backs->before[line], backs->net[line], ROUND_DOWN, &before) &&
                money_mul_div(amount, backs->after[line], backs->net[line], ROUND_DOWN, &after);
    return good ? after - before : 0;
}

static void add(struct bearing *bearing, unsigned line, const char *source, const char *benefit_id,
                const Txcenter__Trade__V1__BenefitBearer *bearer, int64_t amount) {
    int64_t part = due(&bearing->backs, line, amount);
    borne_message *borne = part > 0 && bearing->n < bearing->room
                               ? VIEW_NEW(bearing->arena, participant__settlement__v1__borne, borne_message)
                               : NULL;
    if (!borne)
        return;
    borne->line = (int32_t)line;
    borne->source = view_text(source);
    borne->benefit_id = view_text(benefit_id);
    borne->bearer = bearer->bearer;
    borne->bearer_id = bearer->bearer_id;
    borne->amount = view_money(bearing->trade->row.currency, part, bearing->arena);
    bearing->list[bearing->n++] = borne;
}

static const char *source_name(Txcenter__Trade__V1__BenefitSource source) {
    switch (source) {
    case TXCENTER__TRADE__V1__BENEFIT_SOURCE__BENEFIT_SOURCE_COUPON: return "coupon";
    case TXCENTER__TRADE__V1__BENEFIT_SOURCE__BENEFIT_SOURCE_ACTIVITY: return "activity";
    case TXCENTER__TRADE__V1__BENEFIT_SOURCE__BENEFIT_SOURCE_LEVEL: return "level";
    default: return "";
    }
}

static void add_benefit(struct bearing *bearing, const Txcenter__Trade__V1__AppliedBenefit *benefit) {
    struct solver_bearer bearers[SOLVER_BEARERS_MAX];
    struct solver_benefit shared = {.bearers = bearers};
    for (; shared.n_bearers < benefit->n_bearers && shared.n_bearers < SOLVER_BEARERS_MAX; shared.n_bearers++) {
        const Txcenter__Trade__V1__BenefitBearer *bearer = benefit->bearers[shared.n_bearers];
        bearers[shared.n_bearers] = (struct solver_bearer){
            .bearer = str_c(bearer->bearer), .bearer_id = str_c(bearer->bearer_id), .share_bp = bearer->share_bp};
    }
    for (unsigned line = 0; line < benefit->n_line_discounts && line < TRADE_LINES_MAX; line++) {
        int64_t parts[SOLVER_BEARERS_MAX];
        if (benefit->line_discounts[line] <= 0)
            continue;
        solver_borne(&shared, benefit->line_discounts[line], parts);
        for (size_t i = 0; i < shared.n_bearers; i++)
            add(bearing, line, source_name(benefit->source), benefit->benefit_id, benefit->bearers[i], parts[i]);
    }
}

// What was let off in cash is the station's.
static void add_rounding(struct bearing *bearing) {
    Txcenter__Trade__V1__BenefitBearer station = TXCENTER__TRADE__V1__BENEFIT_BEARER__INIT;
    const struct line_row *row;
    station.bearer = view_text("station");
    for (unsigned line = 0; line < TRADE_LINES_MAX && (row = trade_line_of(bearing->trade, NULL, line)); line++)
        add(bearing, line, "rounding", "", &station, row->discount[SOLVER_LAYER_ROUNDING]);
}

void bearers_of(const struct trade *trade, const struct refund_row *refund, struct arena *arena,
                borne_message ***ret_borne, size_t *ret_n) {
    const Txcenter__Trade__V1__Combination *chosen = chosen_combination(trade, NULL, arena);
    struct bearing bearing = {.trade = trade, .arena = arena, .room = TRADE_LINES_MAX};
    for (size_t i = 0; chosen && i < chosen->n_benefits; i++)
        bearing.room += chosen->benefits[i]->n_bearers * chosen->benefits[i]->n_line_discounts;
    bearing.list = view_array(arena, bearing.room);
    if (!bearing.list)
        bearing.room = 0;
    look_back(trade, refund, &bearing.backs);
    for (size_t i = 0; chosen && i < chosen->n_benefits; i++)
        add_benefit(&bearing, chosen->benefits[i]);
    add_rounding(&bearing);
    *ret_borne = bearing.list;
    *ret_n = bearing.n;
}
