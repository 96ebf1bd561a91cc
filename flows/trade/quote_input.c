#include "flows/trade/quote_input.h"

#include "flows/trade/internal.h"
#include "flows/trade/rule.h"

// An input being made.
struct feeding {
    struct trades *trades;
    const struct quote_wish *wish;
    struct arena *arena;
    struct solver_names paid_by; // all kinds of tenders that will pay; none: not known yet
    struct solver_benefit *benefits;
    struct solver_limit *limits;
    size_t n_benefits, n_limits;
};

static int64_t minor(const Txcenter__Type__V1__Money *money) {
    return money ? money->minor_units : 0;
}

static const char *currency_of(const struct feeding *feeding) {
    return feeding->trades->options.currency;
}

// ---- Tenders ------------------------------------------------------------------------------------------------------

static struct solver_names paid_by(const struct quote_wish *wish, struct arena *arena) {
    const struct solver_names kinds = rule_tender_kinds(arena);
    struct str *names = arena_calloc(arena, kinds.n + 1, sizeof *names);
    struct solver_names found = {names, 0};
    for (size_t place = 0; names && place < kinds.n; place++)
        for (size_t i = 0; i < wish->n_tender_kinds; i++)
            if (wish->tender_kinds[i] == rule_tender_kind(place)) {
                names[found.n++] = kinds.names[place];
                break;
            }
    return found;
}

static bool names_one(const struct solver_names *names, struct str name) {
    for (size_t i = 0; i < names->n; i++)
        if (str_eq(names->names[i], name))
            return true;
    return false;
}

// Whether the benefit allows all that will pay.
static bool allows_tenders(const struct feeding *feeding, const struct solver_benefit *benefit) {
    if (benefit->tender_kinds.n == 0 || benefit->tender_kinds.n > SOLVER_NAMES_MAX)
        return true; // for any, or for the solver to refuse
    for (size_t i = 0; i < feeding->paid_by.n; i++)
        if (!names_one(&benefit->tender_kinds, feeding->paid_by.names[i]))
            return false;
    return true;
}

// ---- Benefits -----------------------------------------------------------------------------------------------------

// Where the next benefit goes; NULL: there is no room for more.
static struct solver_benefit *next(const struct feeding *feeding) {
    return feeding->n_benefits < SOLVER_BENEFITS_MAX ? &feeding->benefits[feeding->n_benefits] : NULL;
}

// What is at next() is one, `known`: in our currency.
static void offer(struct feeding *feeding, bool known, const char *what, const char *id) {
    if (!known)
        trades_alert(feeding->trades, what, NULL, id);
    else if (allows_tenders(feeding, next(feeding)))
        feeding->n_benefits++;
}

static void add_level(struct feeding *feeding, const Participant__Level__V1__GetLevelResponse *answer) {
    if (!answer || feeding->wish->exclude_level)
        return;
    for (size_t i = 0; i < answer->level->n_benefits && next(feeding); i++)
        offer(feeding, rule_level(answer->level->benefits[i], currency_of(feeding), feeding->arena, next(feeding)),
              "a level's benefit is in another currency", answer->level->benefits[i]->benefit_id);
}

static void add_limit(struct feeding *feeding, const Participant__Discount__V1__Activity *activity) {
    if (feeding->n_limits < SOLVER_LIMITS_MAX &&
        rule_limit(activity, feeding->arena, &feeding->limits[feeding->n_limits]))
        feeding->n_limits++;
    else
        trades_alert(feeding->trades, "a limit can't be counted", NULL, activity->activity_id);
}

static void add_activities(struct feeding *feeding, const Participant__Discount__V1__ListActivitiesResponse *answer) {
    for (size_t i = 0; answer && i < answer->n_activities; i++) {
        const Participant__Discount__V1__Activity *activity = answer->activities[i];
        if (activity->kind == PARTICIPANT__DISCOUNT__V1__ACTIVITY_KIND__ACTIVITY_KIND_LIMIT)
            add_limit(feeding, activity);
        else if (next(feeding))
            offer(feeding,
                  rule_activity(activity, feeding->wish->n_lines, currency_of(feeding), feeding->arena, next(feeding)),
                  "an activity is in another currency", activity->activity_id);
    }
}

static void add_coupons(struct feeding *feeding, const Participant__Coupon__V1__ListUsableCouponsResponse *answer) {
    for (size_t i = 0; answer && i < answer->n_coupons && next(feeding); i++)
        offer(feeding, rule_coupon(answer->coupons[i], currency_of(feeding), feeding->arena, next(feeding)),
              "a coupon is in another currency", answer->coupons[i]->coupon_id);
}

static struct solver_points points_of(struct feeding *feeding, const Txcenter__Trade__V1__QuoteFacts *facts) {
    const Participant__Points__V1__PointsRule *rule = facts->points_rule ? facts->points_rule->rule : NULL;
    if (!facts->points || !rule)
        return (struct solver_points){0};
    if (minor(rule->step_value) != 0 && strcmp(rule->step_value->currency, currency_of(feeding)) != 0) {
        trades_alert(feeding->trades, "the points rule is in another currency", NULL, rule->step_value->currency);
        return (struct solver_points){0};
    }
    return (struct solver_points){.available = facts->points->available,
                                  .step_points = rule->step_points,
                                  .step_value = minor(rule->step_value),
                                  .max_share_bp = rule->max_share_bp,
                                  .max_points = rule->max_points};
}

// ---- The input ----------------------------------------------------------------------------------------------------

static struct solver_line line_of(const struct quote_line *line) {
    return (struct solver_line){.kind = str_c(line->kind),
                                .code = str_c(line->code),
                                .amount = line->list_price,
                                .quantity = line->volume_centi ? line->volume_centi : line->quantity * SOLVER_UNIT,
                                .unit_price = line->unit_price};
}

bool quote_input_make(struct trades *trades, const struct quote_wish *wish, const struct quote_line *lines,
                      const Txcenter__Trade__V1__QuoteFacts *facts, struct arena *arena,
                      struct solver_input *ret_input) {
    struct feeding feeding = {.trades = trades, .wish = wish, .arena = arena, .paid_by = paid_by(wish, arena)};
    struct solver_line *solver_lines = arena_calloc(arena, wish->n_lines, sizeof *solver_lines);
    feeding.benefits = arena_calloc(arena, SOLVER_BENEFITS_MAX, sizeof *feeding.benefits);
    feeding.limits = arena_calloc(arena, SOLVER_LIMITS_MAX, sizeof *feeding.limits);
    if (!solver_lines || !feeding.benefits || !feeding.limits)
        return false;
    for (size_t i = 0; i < wish->n_lines; i++)
        solver_lines[i] = line_of(&lines[i]);
    add_level(&feeding, facts->level);
    add_activities(&feeding, facts->activities);
    add_coupons(&feeding, facts->coupons);
    *ret_input = (struct solver_input){
        .lines = solver_lines,
        .n_lines = wish->n_lines,
        .benefits = feeding.benefits,
        .n_benefits = feeding.n_benefits,
        .points = points_of(&feeding, facts),
        .tender_kinds = rule_tender_kinds(arena),
        .limits = feeding.limits,
        .n_limits = feeding.n_limits,
        .exclude_points = wish->exclude_points || !facts->points || !facts->points_rule,
        .max_combinations = (size_t)(wish->max_combinations ? wish->max_combinations : 3),
        .now_ms = clock_moment_ms(facts->at->seconds, facts->at->nanos),
        .node_budget = SOLVER_NODE_BUDGET,
    };
    for (int source = 0; source < SOLVER_SOURCES; source++) {
        const struct quote_ids *required = &wish->required[source], *excluded = &wish->excluded[source];
        ret_input->required[source] = rule_names(required->ids, required->n, arena);
        ret_input->excluded[source] = rule_names(excluded->ids, excluded->n, arena);
    }
    return true;
}
