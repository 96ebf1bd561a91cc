#include "flows/trade/rule.h"

#include "base/clock.h"

#include <assert.h>

typedef Participant__Type__V1__DiscountRule rule_message;
typedef Participant__Discount__V1__Activity activity_message;

static int64_t minor(const Txcenter__Type__V1__Money *money) {
    return money ? money->minor_units : 0;
}

static int64_t time_ms(const Google__Protobuf__Timestamp *time) {
    return time ? clock_moment_ms(time->seconds, time->nanos) : 0;
}

// No money, or money of this currency: what is in another one can't be counted with.
static bool is_of(const Txcenter__Type__V1__Money *money, const char *currency) {
    return minor(money) == 0 || strcmp(money->currency, currency) == 0;
}

// Without memory more names than there may be, so that what they belong to is not taken for one without limits.
struct solver_names rule_names(char *const *texts, size_t n, struct arena *arena) {
    if (n == 0)
        return (struct solver_names){0};
    struct str *names = n <= SOLVER_BENEFITS_MAX ? arena_calloc(arena, n, sizeof *names) : NULL;
    for (size_t i = 0; names && i < n; i++)
        names[i] = str_c(texts[i]);
    return (struct solver_names){names, names ? n : SIZE_MAX};
}

// ---- Rules --------------------------------------------------------------------------------------------------------

// A kind or base that we don't know (of a newer system) is not guessed at.
static enum solver_kind kind_of(Participant__Type__V1__DiscountKind kind) {
    switch (kind) {
    case PARTICIPANT__TYPE__V1__DISCOUNT_KIND__DISCOUNT_KIND_AMOUNT_OFF: return SOLVER_AMOUNT_OFF;
    case PARTICIPANT__TYPE__V1__DISCOUNT_KIND__DISCOUNT_KIND_PERCENT_OFF: return SOLVER_PERCENT_OFF;
    case PARTICIPANT__TYPE__V1__DISCOUNT_KIND__DISCOUNT_KIND_UNIT_OFF: return SOLVER_UNIT_OFF;
    case PARTICIPANT__TYPE__V1__DISCOUNT_KIND__DISCOUNT_KIND_UNIT_PRICE: return SOLVER_UNIT_PRICE;
    default: return SOLVER_KIND_UNKNOWN;
    }
}

static enum solver_minimum_base base_of(Participant__Type__V1__DiscountBase base) {
    switch (base) {
    case PARTICIPANT__TYPE__V1__DISCOUNT_BASE__DISCOUNT_BASE_UNSPECIFIED:
    case PARTICIPANT__TYPE__V1__DISCOUNT_BASE__DISCOUNT_BASE_ORIGINAL: return SOLVER_BASE_ORIGINAL;
    case PARTICIPANT__TYPE__V1__DISCOUNT_BASE__DISCOUNT_BASE_DISCOUNTED: return SOLVER_BASE_DISCOUNTED;
    default: return SOLVER_BASE_UNKNOWN;
    }
}

static void add_bearers(const rule_message *rule, struct arena *arena, struct solver_benefit *benefit) {
    benefit->n_bearers = rule->n_bearers;
    if (rule->n_bearers == 0 || rule->n_bearers > SOLVER_BEARERS_MAX)
        return;
    struct solver_bearer *bearers = arena_calloc(arena, rule->n_bearers, sizeof *bearers);
    for (size_t i = 0; bearers && i < rule->n_bearers; i++)
        bearers[i] = (struct solver_bearer){.bearer = str_c(rule->bearers[i]->bearer),
                                            .bearer_id = str_c(rule->bearers[i]->bearer_id),
                                            .share_bp = rule->bearers[i]->share_bp};
    benefit->bearers = bearers;
    if (!bearers)
        benefit->n_bearers = SIZE_MAX;
}

bool rule_benefit(const rule_message *rule, const char *currency, struct arena *arena,
                  struct solver_benefit *ret_benefit) {
    if (!is_of(rule->amount_off, currency) || !is_of(rule->per_unit, currency) || !is_of(rule->cap, currency) ||
        !is_of(rule->minimum_spend, currency))
        return false;
    *ret_benefit = (struct solver_benefit){
        .kind = kind_of(rule->kind),
        .amount_off = minor(rule->amount_off),
        .percent_off_bp = rule->percent_off_bp,
        .per_unit = minor(rule->per_unit),
        .cap = minor(rule->cap),
        .minimum_spend = minor(rule->minimum_spend),
        .minimum_base = base_of(rule->minimum_base),
        .max_per_order = rule->max_per_order,
        .condition_scope = rule_names(rule->condition_scope, rule->n_condition_scope, arena),
        .benefit_scope = rule_names(rule->benefit_scope, rule->n_benefit_scope, arena),
        .exclusive_group = str_c(rule->exclusive_group),
        .conflicts_with = rule_names(rule->conflicts_with, rule->n_conflicts_with, arena),
        .tender_kinds = rule_names(rule->tender_kinds, rule->n_tender_kinds, arena),
    };
    add_bearers(rule, arena, ret_benefit);
    return true;
}

// ---- Coupons and levels -------------------------------------------------------------------------------------------

_Static_assert((int)PARTICIPANT__COUPON__V1__COUPON_KIND__COUPON_KIND_AMOUNT_OFF ==
                       (int)PARTICIPANT__TYPE__V1__DISCOUNT_KIND__DISCOUNT_KIND_AMOUNT_OFF &&
                   (int)PARTICIPANT__COUPON__V1__COUPON_KIND__COUPON_KIND_PERCENT_OFF ==
                       (int)PARTICIPANT__TYPE__V1__DISCOUNT_KIND__DISCOUNT_KIND_PERCENT_OFF &&
                   (int)PARTICIPANT__COUPON__V1__MINIMUM_BASE__MINIMUM_BASE_ORIGINAL ==
                       (int)PARTICIPANT__TYPE__V1__DISCOUNT_BASE__DISCOUNT_BASE_ORIGINAL &&
                   (int)PARTICIPANT__COUPON__V1__MINIMUM_BASE__MINIMUM_BASE_DISCOUNTED ==
                       (int)PARTICIPANT__TYPE__V1__DISCOUNT_BASE__DISCOUNT_BASE_DISCOUNTED,
               "a coupon's rule speaks as other rules do");

bool rule_coupon(const Participant__Coupon__V1__Coupon *coupon, const char *currency, struct arena *arena,
                 struct solver_benefit *ret_benefit) {
    rule_message rule = PARTICIPANT__TYPE__V1__DISCOUNT_RULE__INIT;
    rule.kind = (Participant__Type__V1__DiscountKind)coupon->kind;
    rule.amount_off = coupon->amount_off;
    rule.percent_off_bp = coupon->percent_off_bp;
    rule.cap = coupon->cap;
    rule.minimum_spend = coupon->minimum_spend;
    rule.minimum_base = (Participant__Type__V1__DiscountBase)coupon->minimum_base;
    rule.condition_scope = coupon->condition_scope;
    rule.n_condition_scope = coupon->n_condition_scope;
    rule.benefit_scope = coupon->benefit_scope;
    rule.n_benefit_scope = coupon->n_benefit_scope;
    rule.exclusive_group = coupon->exclusive_group;
    rule.conflicts_with = coupon->conflicts_with;
    rule.n_conflicts_with = coupon->n_conflicts_with;
    if (!rule_benefit(&rule, currency, arena, ret_benefit))
        return false;
    ret_benefit->source = SOLVER_COUPON;
    ret_benefit->id = str_c(coupon->coupon_id);
    ret_benefit->expires_at_ms = time_ms(coupon->expires_at);
    return true;
}

bool rule_level(const Participant__Level__V1__LevelBenefit *level, const char *currency, struct arena *arena,
                struct solver_benefit *ret_benefit) {
    const rule_message none = PARTICIPANT__TYPE__V1__DISCOUNT_RULE__INIT;
    if (!rule_benefit(level->rule ? level->rule : &none, currency, arena, ret_benefit))
        return false;
    ret_benefit->source = SOLVER_LEVEL;
    ret_benefit->id = str_c(level->benefit_id);
    return true;
}

// ---- Activities ---------------------------------------------------------------------------------------------------

static enum solver_quota_unit quota_of(const activity_message *activity) {
    static const struct {
        Participant__Discount__V1__QuotaUnit unit;
        enum solver_quota_unit quota;
    } units[] = {{PARTICIPANT__DISCOUNT__V1__QUOTA_UNIT__QUOTA_UNIT_TIMES, SOLVER_QUOTA_TIMES},
                 {PARTICIPANT__DISCOUNT__V1__QUOTA_UNIT__QUOTA_UNIT_AMOUNT, SOLVER_QUOTA_AMOUNT},
                 {PARTICIPANT__DISCOUNT__V1__QUOTA_UNIT__QUOTA_UNIT_VOLUME, SOLVER_QUOTA_VOLUME}};
    if (!activity->has_quota)
        return SOLVER_QUOTA_NONE;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (units[i].unit == activity->quota_unit)
            return units[i].quota;
    return SOLVER_QUOTA_UNKNOWN;
}

// Of the rule of a computed one only what says with what it is used, and who bears it, counts.
static bool add_computed(const activity_message *activity, size_t n_lines, const char *currency, struct arena *arena,
                         struct solver_benefit *benefit) {
    int64_t *computed = activity->n_computed == n_lines ? arena_calloc(arena, n_lines + 1, sizeof *computed) : NULL;
    for (size_t i = 0; i < activity->n_computed; i++) {
        if (!is_of(activity->computed[i], currency))
            return false;
        if (computed)
            computed[i] = minor(activity->computed[i]);
    }
    benefit->kind = SOLVER_COMPUTED;
    benefit->computed = computed;
    benefit->cap = benefit->minimum_spend = 0;
    benefit->minimum_base = SOLVER_BASE_ORIGINAL;
    benefit->condition_scope = benefit->benefit_scope = (struct solver_names){0};
    return true;
}

bool rule_activity(const activity_message *activity, size_t n_lines, const char *currency, struct arena *arena,
                   struct solver_benefit *ret_benefit) {
    const rule_message none = PARTICIPANT__TYPE__V1__DISCOUNT_RULE__INIT;
    struct solver_benefit benefit;
    if (!rule_benefit(activity->rule ? activity->rule : &none, currency, arena, &benefit))
        return false;
    if (activity->kind == PARTICIPANT__DISCOUNT__V1__ACTIVITY_KIND__ACTIVITY_KIND_COMPUTED) {
        if (!add_computed(activity, n_lines, currency, arena, &benefit))
            return false;
    } else if (activity->kind != PARTICIPANT__DISCOUNT__V1__ACTIVITY_KIND__ACTIVITY_KIND_RULE) {
        benefit.kind = SOLVER_KIND_UNKNOWN;
    }
    benefit.source = SOLVER_ACTIVITY;
    benefit.id = str_c(activity->activity_id);
    benefit.stacks = activity->stacks;
    benefit.quota_unit = quota_of(activity);
    benefit.quota_left = activity->quota_left;
    benefit.expires_at_ms = time_ms(activity->ends_at);
    *ret_benefit = benefit;
    return true;
}

bool rule_limit(const activity_message *activity, struct arena *arena, struct solver_limit *ret_limit) {
    enum solver_quota_unit unit = quota_of(activity);
    if (activity->kind != PARTICIPANT__DISCOUNT__V1__ACTIVITY_KIND__ACTIVITY_KIND_LIMIT || unit == SOLVER_QUOTA_NONE ||
        unit == SOLVER_QUOTA_UNKNOWN)
        return false;
    const rule_message *rule = activity->rule;
    *ret_limit = (struct solver_limit){.activity_id = str_c(activity->activity_id),
                                       .scope = rule ? rule_names(rule->condition_scope, rule->n_condition_scope, arena)
                                                     : (struct solver_names){0},
                                       .unit = unit};
    return true;
}

// ---- Tender kinds -------------------------------------------------------------------------------------------------

// The value 0 of the enumeration is none.
struct solver_names rule_tender_kinds(struct arena *arena) {
    const ProtobufCEnumDescriptor *kinds = &txcenter__trade__v1__tender_kind__descriptor;
    static const char prefix[] = "TENDER_KIND_";
    size_t n = kinds->n_values - 1;
    struct str *names = arena_calloc(arena, n, sizeof *names);
    for (size_t i = 0; names && i < n; i++)
        names[i] = str_c(kinds->values[i + 1].name + sizeof prefix - 1);
    return (struct solver_names){names, names ? n : 0};
}

Txcenter__Trade__V1__TenderKind rule_tender_kind(size_t place) {
    const ProtobufCEnumDescriptor *kinds = &txcenter__trade__v1__tender_kind__descriptor;
    assert(place + 1 < kinds->n_values);
    return (Txcenter__Trade__V1__TenderKind)kinds->values[place + 1].value;
}
