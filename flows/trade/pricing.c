#include "flows/trade/pricing.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

_Static_assert(SOLVER_LINES_MAX <= 64 && SOLVER_CANDIDATES_MAX <= 64, "sets of lines and of candidates are uint64_t");
_Static_assert(MONEY_MAX <= (int64_t)(UINT64_MAX / 10001), "an amount times 10000 basis points fits in uint64_t");

enum { BASIS = 10000 };

static int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}

// ---- Lines --------------------------------------------------------------------------------------------------------

static int line_order(const struct solver_line *a, const struct solver_line *b) {
    int order = str_cmp(a->kind, b->kind);
    if (order == 0)
        order = str_cmp(a->code, b->code);
    return order ? order : (a->amount > b->amount) - (a->amount < b->amount);
}

static bool check_counts(const struct solver_input *input, struct error *error) {
    if (input->n_lines < 1 || input->n_lines > SOLVER_LINES_MAX)
        error_field(error, "lines", "must be 1 to %d", SOLVER_LINES_MAX);
    if (input->n_coupons > SOLVER_COUPONS_MAX)
        error_field(error, "coupons", "must be at most %d", SOLVER_COUPONS_MAX);
    if (input->required_ids.n > SOLVER_CANDIDATES_MAX)
        error_field(error, "required_coupon_ids", "must be at most %d", SOLVER_CANDIDATES_MAX);
    if (input->excluded_ids.n > SOLVER_COUPONS_MAX)
        error_field(error, "excluded_coupon_ids", "must be at most %d", SOLVER_COUPONS_MAX);
    if (input->max_combinations < 1 || input->max_combinations > SOLVER_COMBINATIONS_MAX)
        error_field(error, "max_combinations", "must be 1 to %d", SOLVER_COMBINATIONS_MAX);
    return !error_is(error);
}

static bool take_lines(struct pricing *pricing, struct error *error) {
    const struct solver_input *input = pricing->input;
    for (size_t i = 0; i < input->n_lines; i++) {
        if (input->lines[i].amount < 0 || input->lines[i].amount > MONEY_MAX) {
            char path[32];
            snprintf(path, sizeof path, "lines[%zu].amount", i);
            error_field(error, path, "must be 0 to %lld", (long long)MONEY_MAX);
        }
        size_t at = i;
        for (; at > 0 && line_order(&input->lines[i], &input->lines[pricing->line_at[at - 1]]) < 0; at--)
            pricing->line_at[at] = pricing->line_at[at - 1];
        pricing->line_at[at] = i;
    }
    if (error_is(error))
        return false;
    pricing->n_lines = input->n_lines;
    for (size_t i = 0; i < input->n_lines; i++) {
        pricing->list[i] = input->lines[pricing->line_at[i]].amount;
        if (!money_add(pricing->list_total, pricing->list[i], &pricing->list_total))
            return error_set(error, ERR_AMOUNT_OVERFLOW, "the lines add up to more than %lld", (long long)MONEY_MAX);
    }
    return true;
}

// ---- Coupons, each alone ------------------------------------------------------------------------------------------

static bool names_hold(const struct solver_names *names, struct str name) {
    for (size_t i = 0; i < names->n; i++)
        if (str_eq(names->names[i], name))
            return true;
    return false;
}

static uint64_t scope_lines(const struct pricing *pricing, const struct solver_names *scope) {
    uint64_t lines = 0;
    for (size_t i = 0; i < pricing->n_lines; i++) {
        const struct solver_line *line = &pricing->input->lines[pricing->line_at[i]];
        if (scope->n == 0 || names_hold(scope, line->kind) || names_hold(scope, line->code))
            lines |= UINT64_C(1) << i;
    }
    return lines;
}

int64_t pricing_sum(const int64_t *amounts, uint64_t lines) {
    int64_t sum = 0;
    for (; lines; lines &= lines - 1)
        sum += amounts[__builtin_ctzll(lines)];
    return sum;
}

int64_t pricing_discount(const struct solver_coupon *coupon, int64_t scope_left) {
    int64_t discount = coupon->amount_off;
    if (coupon->kind == SOLVER_PERCENT_OFF)
        discount = (int64_t)(((uint64_t)scope_left * (uint64_t)coupon->percent_off_bp + BASIS / 2) / BASIS);
    if (coupon->cap > 0)
        discount = smaller(discount, coupon->cap);
    return smaller(discount, scope_left);
}

static bool in_range(int64_t amount, int64_t least) {
    return amount >= least && amount <= MONEY_MAX;
}

static bool well_formed(const struct solver_coupon *coupon) {
    bool rule = (coupon->kind == SOLVER_AMOUNT_OFF && in_range(coupon->amount_off, 1)) ||
                (coupon->kind == SOLVER_PERCENT_OFF && coupon->percent_off_bp >= 1 && coupon->percent_off_bp <= BASIS);
    bool base = coupon->minimum_base == SOLVER_BASE_ORIGINAL || coupon->minimum_base == SOLVER_BASE_DISCOUNTED;
    return rule && base && !str_empty(coupon->id) && in_range(coupon->cap, 0) && in_range(coupon->minimum_spend, 0) &&
           coupon->expires_at_ms >= 0 && coupon->condition_scope.n <= SOLVER_NAMES_MAX &&
           coupon->benefit_scope.n <= SOLVER_NAMES_MAX && coupon->conflicts_with.n <= SOLVER_NAMES_MAX;
}

// Fills the candidate's scopes and what it saves alone, as far as it gets.
static enum solver_refusal screen(const struct pricing *pricing, struct pricing_candidate *candidate) {
    const struct solver_coupon *coupon = candidate->coupon;
    if (!well_formed(coupon))
        return SOLVER_MALFORMED;
    if (names_hold(&pricing->input->excluded_ids, coupon->id))
        return SOLVER_EXCLUDED;
    if (coupon->expires_at_ms > 0 && pricing->input->now_ms >= coupon->expires_at_ms)
        return SOLVER_EXPIRED;
    candidate->condition = scope_lines(pricing, &coupon->condition_scope);
    candidate->benefit = scope_lines(pricing, &coupon->benefit_scope);
    int64_t after[SOLVER_LINES_MAX];
    return pricing_apply(pricing, candidate, pricing->list, after, &candidate->alone);
}

enum solver_refusal pricing_apply(const struct pricing *pricing, const struct pricing_candidate *candidate,
                                  const int64_t *before, int64_t *after, int64_t *ret_discount) {
    const struct solver_coupon *coupon = candidate->coupon;
    if (!candidate->condition)
        return SOLVER_CONDITION_ABSENT;
    const int64_t *base = coupon->minimum_base == SOLVER_BASE_ORIGINAL ? pricing->list : before;
    if (coupon->minimum_spend > 0 && pricing_sum(base, candidate->condition) < coupon->minimum_spend)
        return SOLVER_BELOW_MINIMUM;
    int64_t discount = pricing_discount(coupon, pricing_sum(before, candidate->benefit));
    if (discount == 0)
        return SOLVER_SAVES_NOTHING;
    int64_t weights[SOLVER_LINES_MAX], parts[SOLVER_LINES_MAX];
    size_t n = 0;
    for (uint64_t lines = candidate->benefit; lines; lines &= lines - 1)
        weights[n++] = before[__builtin_ctzll(lines)];
    bool split = money_allocate(discount, weights, n, parts);
    assert(split); // a positive discount is at most the sum of the weights
    if (after != before)
        memcpy(after, before, pricing->n_lines * sizeof *after);
    n = 0;
    for (uint64_t lines = candidate->benefit; lines; lines &= lines - 1)
        after[__builtin_ctzll(lines)] -= parts[n++];
    *ret_discount = discount;
    return SOLVER_FITS;
}

// ---- Candidates ---------------------------------------------------------------------------------------------------

static int expiry_order(const struct solver_coupon *a, const struct solver_coupon *b) {
    uint64_t ends_a = a->expires_at_ms ? (uint64_t)a->expires_at_ms : UINT64_MAX;
    uint64_t ends_b = b->expires_at_ms ? (uint64_t)b->expires_at_ms : UINT64_MAX;
    return ends_a != ends_b ? (ends_a > ends_b) - (ends_a < ends_b) : str_cmp(a->id, b->id);
}

static int by_id(const void *a, const void *b) {
    return str_cmp((*(const struct solver_coupon *const *)a)->id, (*(const struct solver_coupon *const *)b)->id);
}

static int by_expiry(const void *a, const void *b) {
    const struct pricing_candidate *first = a, *second = b;
    return expiry_order(first->coupon, second->coupon);
}

// Required ones first, then those that save most alone.
static int by_worth(const void *a, const void *b) {
    const struct pricing_candidate *first = a, *second = b;
    if (first->required != second->required)
        return first->required ? -1 : 1;
    if (first->alone != second->alone)
        return first->alone > second->alone ? -1 : 1;
    return expiry_order(first->coupon, second->coupon);
}

static bool names_either(const struct solver_names *names, const struct solver_coupon *coupon) {
    return names_hold(names, coupon->id) ||
           (!str_empty(coupon->exclusive_group) && names_hold(names, coupon->exclusive_group));
}

static bool conflicting(const struct solver_coupon *a, const struct solver_coupon *b) {
    bool same_group = !str_empty(a->exclusive_group) && str_eq(a->exclusive_group, b->exclusive_group);
    return same_group || names_either(&a->conflicts_with, b) || names_either(&b->conflicts_with, a);
}

static bool conflicts_required(const struct pricing *pricing, const struct solver_coupon *coupon) {
    for (size_t i = 0; i < pricing->input->required_ids.n; i++) {
        const struct solver_coupon *required = pricing_find(pricing, pricing->input->required_ids.names[i]);
        if (required && required != coupon && conflicting(required, coupon))
            return true;
    }
    return false;
}

static bool sort_ids(struct pricing *pricing, struct arena *arena) {
    size_t n = pricing->input->n_coupons;
    pricing->ids = arena_calloc(arena, n + 1, sizeof *pricing->ids);
    pricing->refusals = arena_calloc(arena, n + 1, sizeof *pricing->refusals);
    if (!pricing->ids || !pricing->refusals)
        return false;
    for (size_t i = 0; i < n; i++)
        pricing->ids[i] = &pricing->input->coupons[i];
    qsort(pricing->ids, n, sizeof *pricing->ids, by_id);
    for (size_t i = 1; i < n; i++)
        if (str_eq(pricing->ids[i]->id, pricing->ids[i - 1]->id))
            for (size_t j = i - 1; j <= i; j++)
                pricing->refusals[pricing->ids[j] - pricing->input->coupons] = SOLVER_LISTED_TWICE;
    return true;
}

const struct solver_coupon *pricing_find(const struct pricing *pricing, struct str id) {
    const struct solver_coupon wanted = {.id = id}, *key = &wanted;
    const struct solver_coupon **found =
        bsearch(&key, pricing->ids, pricing->input->n_coupons, sizeof *pricing->ids, by_id);
    return found ? *found : NULL;
}

enum solver_refusal pricing_refusal(const struct pricing *pricing, const struct solver_coupon *coupon) {
    return pricing->refusals[coupon - pricing->input->coupons];
}

static bool take_candidates(struct pricing *pricing, const bool *wanted, struct arena *arena) {
    const struct solver_input *input = pricing->input;
    struct pricing_candidate *usable = arena_alloc(arena, (input->n_coupons + 1) * sizeof *usable);
    if (!usable || !sort_ids(pricing, arena))
        return false;
    size_t n = 0;
    for (size_t i = 0; i < input->n_coupons; i++) {
        if ((wanted && !wanted[i]) || pricing->refusals[i] != SOLVER_FITS)
            continue;
        usable[n] = (struct pricing_candidate){.coupon = &input->coupons[i], .group = PRICING_NO_GROUP};
        pricing->refusals[i] = screen(pricing, &usable[n]);
        usable[n].required = !wanted && names_hold(&input->required_ids, input->coupons[i].id);
        if (pricing->refusals[i] == SOLVER_FITS &&
            (wanted || usable[n].required || !conflicts_required(pricing, usable[n].coupon)))
            n++;
    }
    pricing->cut = n > SOLVER_CANDIDATES_MAX;
    if (pricing->cut) {
        qsort(usable, n, sizeof *usable, by_worth);
        n = SOLVER_CANDIDATES_MAX;
    }
    qsort(usable, n, sizeof *usable, by_expiry);
    memcpy(pricing->candidates, usable, n * sizeof *usable);
    pricing->n = n;
    return true;
}

static bool applies_before(const struct pricing_candidate *a, const struct pricing_candidate *b) {
    if (a->coupon->kind != b->coupon->kind)
        return a->coupon->kind == SOLVER_PERCENT_OFF;
    int breadth_a = __builtin_popcountll(a->benefit), breadth_b = __builtin_popcountll(b->benefit);
    return breadth_a != breadth_b ? breadth_a < breadth_b : expiry_order(a->coupon, b->coupon) < 0;
}

static size_t scope_index(struct pricing *pricing, uint64_t lines) {
    size_t i = 0;
    while (i < pricing->n_scopes && pricing->scopes[i] != lines)
        i++;
    if (i == pricing->n_scopes)
        pricing->scopes[pricing->n_scopes++] = lines;
    return i;
}

static void relate_candidates(struct pricing *pricing) {
    for (size_t i = 0; i < pricing->n; i++) {
        struct pricing_candidate *candidate = &pricing->candidates[i];
        candidate->condition_scope = scope_index(pricing, candidate->condition);
        candidate->benefit_scope = scope_index(pricing, candidate->benefit);
        if (candidate->required)
            pricing->required |= UINT64_C(1) << i;
        if (!str_empty(candidate->coupon->exclusive_group) && candidate->group == PRICING_NO_GROUP)
            candidate->group = pricing->n_groups++;
        for (size_t j = 0; j < pricing->n; j++) {
            struct pricing_candidate *other = &pricing->candidates[j];
            if (i != j && conflicting(candidate->coupon, other->coupon))
                candidate->conflicts |= UINT64_C(1) << j;
            if (j > i && candidate->group != PRICING_NO_GROUP &&
                str_eq(candidate->coupon->exclusive_group, other->coupon->exclusive_group))
                other->group = candidate->group;
        }
        size_t at = i;
        for (; at > 0 && applies_before(candidate, &pricing->candidates[pricing->sequence[at - 1]]); at--)
            pricing->sequence[at] = pricing->sequence[at - 1];
        pricing->sequence[at] = i;
    }
}

// ---- Points -------------------------------------------------------------------------------------------------------

static int64_t most_steps(const struct solver_input *input) {
    const struct solver_points *points = &input->points;
    if (input->exclude_points || points->available <= 0 || points->step_points <= 0 || points->step_value <= 0 ||
        points->step_value > MONEY_MAX || points->max_share_bp <= 0 || points->max_share_bp > BASIS ||
        points->max_points < 0)
        return 0;
    int64_t most = points->max_points > 0 ? smaller(points->available, points->max_points) : points->available;
    return most / points->step_points;
}

static int64_t steps_at(const struct pricing *pricing, int64_t left) {
    if (pricing->steps_max == 0)
        return 0;
    const struct solver_points *points = &pricing->input->points;
    int64_t share = (int64_t)((uint64_t)left * (uint64_t)points->max_share_bp / BASIS);
    return smaller(pricing->steps_max, share / points->step_value);
}

struct pricing_points pricing_points(const struct pricing *pricing, int64_t left) {
    int64_t steps = steps_at(pricing, left);
    const struct solver_points *points = &pricing->input->points;
    return (struct pricing_points){.points = steps * points->step_points, .value = steps * points->step_value};
}

int64_t pricing_least_payable(const struct pricing *pricing, int64_t least, int64_t greatest) {
    int64_t steps = steps_at(pricing, least);
    const struct solver_points *points = &pricing->input->points;
    int64_t payable = least - steps * points->step_value;
    if (steps >= pricing->steps_max)
        return payable;
    // Between two jumps the payable rises with what is left, and from one jump to the next it does not fall (a step's
    // worth of share needs at least a step's worth of price), so only the next jump can be lower than `least` itself.
    int64_t jump;
    if (money_mul_div((steps + 1) * points->step_value, BASIS, points->max_share_bp, ROUND_UP, &jump) &&
        jump <= greatest)
        payable = smaller(payable, jump - (steps + 1) * points->step_value);
    return payable;
}

int64_t pricing_least_points(const struct pricing *pricing, int64_t left, int64_t payable) {
    const struct solver_points *points = &pricing->input->points;
    if (left <= payable)
        return 0;
    if (pricing->steps_max == 0)
        return INT64_MAX;
    int64_t steps = (left - payable - 1) / points->step_value + 1;
    return steps > pricing->steps_max ? INT64_MAX : steps * points->step_points;
}

// -------------------------------------------------------------------------------------------------------------------

bool pricing_prepare(const struct solver_input *input, const bool *wanted, struct arena *arena,
                     struct pricing **ret_pricing, struct error *error) {
    if (!check_counts(input, error))
        return false;
    struct pricing *pricing = arena_calloc(arena, 1, sizeof *pricing);
    if (!pricing)
        return error_set(error, ERR_OVERLOADED, "the memory for pricing is used up");
    pricing->input = input;
    pricing->steps_max = most_steps(input);
    if (!take_lines(pricing, error))
        return false;
    if (!take_candidates(pricing, wanted, arena))
        return error_set(error, ERR_OVERLOADED, "the memory for pricing is used up");
    relate_candidates(pricing);
    *ret_pricing = pricing;
    return true;
}
