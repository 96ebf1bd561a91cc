#include "flows/trade/pricing.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

_Static_assert(SOLVER_LINES_MAX <= 64 && SOLVER_CANDIDATES_MAX <= 64, "sets of lines and of candidates are uint64_t");
_Static_assert(SOLVER_TENDER_KINDS_MAX <= 32, "sets of tender kinds are uint32_t");
_Static_assert(MONEY_MAX <= (int64_t)(UINT64_MAX / 10001), "an amount times 10000 basis points fits in uint64_t");

enum { BASIS = SOLVER_WHOLE_BP, UNIT = 100 /* quantities are in 0.01 unit */ };

static int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static bool in_range(int64_t amount, int64_t least) {
    return amount >= least && amount <= MONEY_MAX;
}

// ---- The input ----------------------------------------------------------------------------------------------------

static void check_most(struct error *error, const char *path, size_t n, size_t most) {
    if (n > most)
        error_field(error, path, "must be at most %zu", most);
}

static bool check_counts(const struct solver_input *input, struct error *error) {
    if (input->n_lines < 1 || input->n_lines > SOLVER_LINES_MAX)
        error_field(error, "lines", "must be 1 to %d", SOLVER_LINES_MAX);
    check_most(error, "benefits", input->n_benefits, SOLVER_BENEFITS_MAX);
    check_most(error, "tender_kinds", input->tender_kinds.n, SOLVER_TENDER_KINDS_MAX);
    check_most(error, "limits", input->n_limits, SOLVER_LIMITS_MAX);
    for (int source = 0; source < SOLVER_SOURCES; source++) {
        check_most(error, "required", input->required[source].n, SOLVER_CANDIDATES_MAX);
        check_most(error, "excluded", input->excluded[source].n, SOLVER_BENEFITS_MAX);
    }
    if (input->max_combinations < 1 || input->max_combinations > SOLVER_COMBINATIONS_MAX)
        error_field(error, "max_combinations", "must be 1 to %d", SOLVER_COMBINATIONS_MAX);
    return !error_is(error);
}

static bool check_limits(const struct solver_input *input, struct error *error) {
    for (size_t i = 0; i < input->n_limits; i++) {
        char path[40];
        snprintf(path, sizeof path, "limits[%zu].scope", i);
        check_most(error, path, input->limits[i].scope.n, SOLVER_NAMES_MAX);
        snprintf(path, sizeof path, "limits[%zu].unit", i);
        if (input->limits[i].unit <= SOLVER_QUOTA_NONE || input->limits[i].unit >= SOLVER_QUOTA_UNKNOWN)
            error_field(error, path, "must be times, an amount or a volume");
    }
    return !error_is(error);
}

static bool check_lines(const struct solver_input *input, struct error *error) {
    for (size_t i = 0; i < input->n_lines; i++) {
        const struct solver_line *line = &input->lines[i];
        const struct {
            const char *name;
            int64_t value;
        } fields[] = {{"amount", line->amount}, {"quantity", line->quantity}, {"unit_price", line->unit_price}};
        for (size_t f = 0; f < sizeof fields / sizeof fields[0]; f++) {
            char path[40];
            if (in_range(fields[f].value, 0))
                continue;
            snprintf(path, sizeof path, "lines[%zu].%s", i, fields[f].name);
            error_field(error, path, "must be 0 to %lld", (long long)MONEY_MAX);
        }
    }
    return !error_is(error);
}

static int id_order(const struct solver_benefit *a, const struct solver_benefit *b) {
    return a->source != b->source ? (a->source > b->source) - (a->source < b->source) : str_cmp(a->id, b->id);
}

static int by_id(const void *a, const void *b) {
    return id_order(*(const struct solver_benefit *const *)a, *(const struct solver_benefit *const *)b);
}

static bool sort_ids(struct pricing *pricing, struct arena *arena) {
    size_t n = pricing->input->n_benefits;
    pricing->ids = arena_calloc(arena, n + 1, sizeof *pricing->ids);
    pricing->refusals = arena_calloc(arena, n + 1, sizeof *pricing->refusals);
    if (!pricing->ids || !pricing->refusals)
        return false;
    for (size_t i = 0; i < n; i++)
        pricing->ids[i] = &pricing->input->benefits[i];
    qsort(pricing->ids, n, sizeof *pricing->ids, by_id);
    for (size_t i = 1; i < n; i++)
        if (id_order(pricing->ids[i], pricing->ids[i - 1]) == 0)
            for (size_t j = i - 1; j <= i; j++)
                pricing->refusals[pricing->ids[j] - pricing->input->benefits] = SOLVER_LISTED_TWICE;
    return true;
}

const struct solver_benefit *pricing_find(const struct pricing *pricing, enum solver_source source, struct str id) {
    const struct solver_benefit wanted = {.source = source, .id = id}, *key = &wanted;
    const struct solver_benefit **found =
        bsearch(&key, pricing->ids, pricing->input->n_benefits, sizeof *pricing->ids, by_id);
    return found ? *found : NULL;
}

enum solver_refusal pricing_refusal(const struct pricing *pricing, const struct solver_benefit *benefit) {
    return pricing->refusals[benefit - pricing->input->benefits];
}

// ---- Rules that make sense ----------------------------------------------------------------------------------------

static bool kind_well_formed(const struct pricing *pricing, const struct solver_benefit *benefit) {
    switch (benefit->kind) {
    case SOLVER_AMOUNT_OFF: return in_range(benefit->amount_off, 1);
    case SOLVER_PERCENT_OFF: return benefit->percent_off_bp >= 1 && benefit->percent_off_bp <= BASIS;
    case SOLVER_UNIT_OFF:
    case SOLVER_UNIT_PRICE: return in_range(benefit->per_unit, 1);
    case SOLVER_COMPUTED:
        for (size_t i = 0; benefit->computed && i < pricing->n_lines; i++)
            if (!in_range(benefit->computed[i], 0))
                return false;
        return benefit->computed && benefit->cap == 0 && benefit->minimum_spend == 0 &&
               benefit->condition_scope.n == 0 && benefit->benefit_scope.n == 0;
    case SOLVER_KIND_UNKNOWN: break;
    }
    return false;
}

static bool bearers_well_formed(const struct solver_benefit *benefit) {
    if (benefit->n_bearers > SOLVER_BEARERS_MAX)
        return false;
    int64_t sum = 0;
    for (size_t i = 0; i < benefit->n_bearers; i++) {
        if (benefit->bearers[i].share_bp < 0 || str_empty(benefit->bearers[i].bearer))
            return false;
        sum += benefit->bearers[i].share_bp;
    }
    return benefit->n_bearers == 0 || sum == BASIS;
}

static bool quota_well_formed(const struct solver_benefit *benefit) {
    return benefit->quota_unit == SOLVER_QUOTA_NONE ||
           (benefit->source == SOLVER_ACTIVITY && benefit->quota_unit > SOLVER_QUOTA_NONE &&
            benefit->quota_unit <= SOLVER_QUOTA_VOLUME);
}

static bool well_formed(const struct pricing *pricing, const struct solver_benefit *benefit) {
    bool base = benefit->minimum_base == SOLVER_BASE_ORIGINAL || benefit->minimum_base == SOLVER_BASE_DISCOUNTED;
    bool names = benefit->condition_scope.n <= SOLVER_NAMES_MAX && benefit->benefit_scope.n <= SOLVER_NAMES_MAX &&
                 benefit->conflicts_with.n <= SOLVER_NAMES_MAX && benefit->tender_kinds.n <= SOLVER_NAMES_MAX;
    return base && names && benefit->source >= 0 && benefit->source < SOLVER_SOURCES && !str_empty(benefit->id) &&
           in_range(benefit->cap, 0) && in_range(benefit->minimum_spend, 0) && benefit->max_per_order >= 0 &&
           benefit->expires_at_ms >= 0 && kind_well_formed(pricing, benefit) && bearers_well_formed(benefit) &&
           quota_well_formed(benefit);
}

// ---- Lines --------------------------------------------------------------------------------------------------------

static int order_of(int64_t a, int64_t b) {
    return (a > b) - (a < b);
}

// Two lines that are alike may still differ in what the engine computed for them.
static int computed_order(const struct pricing *pricing, size_t a, size_t b) {
    int order = 0;
    for (size_t i = 0; i < pricing->input->n_benefits && order == 0; i++) {
        const struct solver_benefit *benefit = pricing->ids[i];
        if (benefit->kind == SOLVER_COMPUTED && benefit->computed && pricing_refusal(pricing, benefit) == SOLVER_FITS)
            order = order_of(benefit->computed[a], benefit->computed[b]);
    }
    return order;
}

static int line_order(const struct pricing *pricing, size_t a, size_t b) {
    const struct solver_line *first = &pricing->input->lines[a], *second = &pricing->input->lines[b];
    int order = str_cmp(first->kind, second->kind);
    if (order == 0)
        order = str_cmp(first->code, second->code);
    if (order == 0)
        order = order_of(first->amount, second->amount);
    if (order == 0)
        order = order_of(first->quantity, second->quantity);
    if (order == 0)
        order = order_of(first->unit_price, second->unit_price);
    return order ? order : computed_order(pricing, a, b);
}

static bool take_lines(struct pricing *pricing, struct error *error) {
    const struct solver_input *input = pricing->input;
    for (size_t i = 0; i < input->n_lines; i++) {
        size_t at = i;
        for (; at > 0 && line_order(pricing, i, pricing->line_at[at - 1]) < 0; at--)
            pricing->line_at[at] = pricing->line_at[at - 1];
        pricing->line_at[at] = i;
    }
    for (size_t i = 0; i < input->n_lines; i++) {
        pricing->list[i] = input->lines[pricing->line_at[i]].amount;
        if (!money_add(pricing->list_total, pricing->list[i], &pricing->list_total))
            return error_set(error, ERR_AMOUNT_OVERFLOW, "the lines add up to more than %lld", (long long)MONEY_MAX);
    }
    return true;
}

static bool names_hold(const struct solver_names *names, struct str name) {
    for (size_t i = 0; i < names->n; i++)
        if (str_eq(names->names[i], name))
            return true;
    return false;
}

uint64_t pricing_scope(const struct pricing *pricing, const struct solver_names *scope) {
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

// ---- What one takes off -------------------------------------------------------------------------------------------

// What `quantity` comes to at `per_unit`, or the most that there is.
static int64_t worth(int64_t quantity, int64_t per_unit) {
    int64_t amount;
    return money_mul_div(quantity, per_unit, UNIT, ROUND_HALF_UP, &amount) ? amount : MONEY_MAX;
}

static bool counts_by_line(const struct solver_benefit *benefit) {
    return benefit->kind == SOLVER_UNIT_OFF || benefit->kind == SOLVER_UNIT_PRICE || benefit->kind == SOLVER_COMPUTED;
}

// Fills `amounts` of a rule that counts by the line, and leaves in the candidate's scope what it can make cheaper.
static void count_lines(const struct pricing *pricing, struct pricing_candidate *candidate, int64_t *amounts) {
    const struct solver_benefit *benefit = candidate->benefit;
    candidate->amounts = amounts;
    for (uint64_t lines = candidate->scope; lines; lines &= lines - 1) {
        int i = __builtin_ctzll(lines);
        const struct solver_line *line = &pricing->input->lines[pricing->line_at[i]];
        bool cheaper = benefit->kind == SOLVER_COMPUTED   ? benefit->computed[pricing->line_at[i]] > 0
                       : benefit->kind == SOLVER_UNIT_OFF ? line->quantity > 0
                                                          : line->quantity > 0 && line->unit_price > benefit->per_unit;
        amounts[i] = benefit->kind == SOLVER_COMPUTED ? benefit->computed[pricing->line_at[i]]
                                                      : worth(line->quantity, benefit->per_unit);
        if (!cheaper)
            candidate->scope &= ~(UINT64_C(1) << i);
    }
}

static int64_t line_gain(const struct pricing_candidate *candidate, int line, int64_t left) {
    int64_t amount = candidate->amounts[line];
    if (candidate->benefit->kind != SOLVER_UNIT_PRICE)
        return smaller(amount, left);
    return left > amount ? left - amount : 0;
}

int64_t pricing_gain(const struct pricing_candidate *candidate, const int64_t *lines, int64_t benefit_left,
                     int64_t condition_left) {
    const struct solver_benefit *benefit = candidate->benefit;
    int64_t spent = benefit->minimum_base == SOLVER_BASE_ORIGINAL ? candidate->listed : condition_left;
    if (spent < benefit->minimum_spend)
        return 0;
    int64_t discount = 0;
    if (benefit->kind == SOLVER_AMOUNT_OFF) {
        int64_t times = benefit->max_per_order > 1 && benefit->minimum_spend > 0
                            ? smaller(benefit->max_per_order, spent / benefit->minimum_spend)
                            : 1;
        discount = benefit->amount_off > benefit_left / times ? benefit_left : benefit->amount_off * times;
    } else if (benefit->kind == SOLVER_PERCENT_OFF) {
        discount = (int64_t)(((uint64_t)benefit_left * (uint64_t)benefit->percent_off_bp + BASIS / 2) / BASIS);
    } else {
        for (uint64_t mask = candidate->scope; mask; mask &= mask - 1) {
            int line = __builtin_ctzll(mask);
            discount += line_gain(candidate, line, lines[line]);
        }
    }
    return smaller(discount, smaller(candidate->cap, benefit_left));
}

enum solver_refusal pricing_apply(const struct pricing *pricing, const struct pricing_candidate *candidate,
                                  const int64_t *before, int64_t *after, int64_t *ret_discount) {
    const struct solver_benefit *benefit = candidate->benefit;
    if (!candidate->condition)
        return SOLVER_CONDITION_ABSENT;
    int64_t condition_left = pricing_sum(before, candidate->condition);
    int64_t spent = benefit->minimum_base == SOLVER_BASE_ORIGINAL ? candidate->listed : condition_left;
    if (spent < benefit->minimum_spend)
        return SOLVER_BELOW_MINIMUM;
    int64_t discount = pricing_gain(candidate, before, pricing_sum(before, candidate->scope), condition_left);
    if (discount == 0)
        return SOLVER_SAVES_NOTHING;
    int64_t weights[SOLVER_LINES_MAX], parts[SOLVER_LINES_MAX];
    size_t n = 0;
    for (uint64_t lines = candidate->scope; lines; lines &= lines - 1) {
        int line = __builtin_ctzll(lines);
        weights[n++] = counts_by_line(benefit) ? line_gain(candidate, line, before[line]) : before[line];
    }
    bool split = money_allocate(discount, weights, n, parts);
    assert(split); // a positive discount is at most the sum of the weights
    if (after != before)
        memcpy(after, before, pricing->n_lines * sizeof *after);
    n = 0;
    for (uint64_t lines = candidate->scope; lines; lines &= lines - 1)
        after[__builtin_ctzll(lines)] -= parts[n++];
    *ret_discount = discount;
    return SOLVER_FITS;
}

// ---- Each alone ---------------------------------------------------------------------------------------------------

static enum solver_layer layer_of(const struct solver_benefit *benefit) {
    static const enum solver_layer layers[SOLVER_SOURCES] = {[SOLVER_COUPON] = SOLVER_LAYER_COUPON,
                                                             [SOLVER_ACTIVITY] = SOLVER_LAYER_ACTIVITY,
                                                             [SOLVER_LEVEL] = SOLVER_LAYER_LEVEL};
    return benefit->tender_kinds.n > 0 ? SOLVER_LAYER_TENDER : layers[benefit->source];
}

static uint32_t kinds_of(const struct solver_input *input, const struct solver_benefit *benefit) {
    uint32_t kinds = 0;
    for (size_t i = 0; i < input->tender_kinds.n; i++)
        if (names_hold(&benefit->tender_kinds, input->tender_kinds.names[i]))
            kinds |= UINT32_C(1) << i;
    return benefit->tender_kinds.n > 0 ? kinds : UINT32_MAX;
}

// Fuel in the benefit scope, or in the condition scope where that has none.
static int64_t volume_of(const struct pricing *pricing, uint64_t condition, uint64_t scope) {
    int64_t volume = 0;
    for (int look = 0; look < 2 && volume == 0; look++)
        for (uint64_t lines = look == 0 ? scope : condition; lines; lines &= lines - 1) {
            const struct solver_line *line = &pricing->input->lines[pricing->line_at[__builtin_ctzll(lines)]];
            volume += str_eq(line->kind, STR("fuel")) ? line->quantity : 0;
        }
    return volume;
}

int64_t pricing_quota(const struct pricing *pricing, enum solver_quota_unit unit, uint64_t condition, uint64_t scope,
                      int64_t amount) {
    switch (unit) {
    case SOLVER_QUOTA_TIMES: return 1;
    case SOLVER_QUOTA_AMOUNT: return amount;
    case SOLVER_QUOTA_VOLUME: return volume_of(pricing, condition, scope);
    case SOLVER_QUOTA_NONE:
    case SOLVER_QUOTA_UNKNOWN: break;
    }
    return 0;
}

// Fills the candidate and what it saves alone, as far as it gets; `amounts` is the candidate's.
static enum solver_refusal screen(const struct pricing *pricing, struct pricing_candidate *candidate,
                                  int64_t *amounts) {
    const struct solver_benefit *benefit = candidate->benefit;
    if (names_hold(&pricing->input->excluded[benefit->source], benefit->id))
        return SOLVER_EXCLUDED;
    if (benefit->expires_at_ms > 0 && pricing->input->now_ms >= benefit->expires_at_ms)
        return SOLVER_EXPIRED;
    candidate->kinds = kinds_of(pricing->input, benefit);
    if (!candidate->kinds)
        return SOLVER_TENDER_ABSENT;
    candidate->layer = layer_of(benefit);
    candidate->condition = pricing_scope(pricing, &benefit->condition_scope);
    candidate->scope = pricing_scope(pricing, &benefit->benefit_scope);
    candidate->listed = pricing_sum(pricing->list, candidate->condition);
    candidate->cap = benefit->cap > 0 ? benefit->cap : MONEY_MAX;
    if (counts_by_line(benefit))
        count_lines(pricing, candidate, amounts);
    if (benefit->quota_unit != SOLVER_QUOTA_NONE &&
        benefit->quota_left < pricing_quota(pricing, benefit->quota_unit, candidate->condition, candidate->scope, 1))
        return SOLVER_QUOTA_USED_UP;
    if (benefit->quota_unit == SOLVER_QUOTA_AMOUNT)
        candidate->cap = smaller(candidate->cap, benefit->quota_left);
    int64_t after[SOLVER_LINES_MAX];
    return pricing_apply(pricing, candidate, pricing->list, after, &candidate->alone);
}

// ---- Candidates ---------------------------------------------------------------------------------------------------

static int expiry_order(const struct solver_benefit *a, const struct solver_benefit *b) {
    uint64_t ends_a = a->expires_at_ms ? (uint64_t)a->expires_at_ms : UINT64_MAX;
    uint64_t ends_b = b->expires_at_ms ? (uint64_t)b->expires_at_ms : UINT64_MAX;
    int order = ends_a != ends_b ? (ends_a > ends_b) - (ends_a < ends_b) : str_cmp(a->id, b->id);
    return order ? order : order_of(a->source, b->source);
}

static int by_expiry(const void *a, const void *b) {
    const struct pricing_candidate *first = a, *second = b;
    return expiry_order(first->benefit, second->benefit);
}

// Required ones first, then those that save most alone.
static int by_worth(const void *a, const void *b) {
    const struct pricing_candidate *first = a, *second = b;
    if (first->required != second->required)
        return first->required ? -1 : 1;
    if (first->alone != second->alone)
        return first->alone > second->alone ? -1 : 1;
    return expiry_order(first->benefit, second->benefit);
}

static bool names_either(const struct solver_names *names, const struct solver_benefit *benefit) {
    return names_hold(names, benefit->id) ||
           (!str_empty(benefit->exclusive_group) && names_hold(names, benefit->exclusive_group));
}

static bool conflicting(const struct pricing_candidate *first, const struct pricing_candidate *second) {
    const struct solver_benefit *a = first->benefit, *b = second->benefit;
    bool same_group = !str_empty(a->exclusive_group) && str_eq(a->exclusive_group, b->exclusive_group);
    bool best_of = a->source == SOLVER_ACTIVITY && b->source == SOLVER_ACTIVITY && !(a->stacks && b->stacks);
    bool same_line = a->source == SOLVER_LEVEL && b->source == SOLVER_LEVEL && (first->scope & second->scope);
    return same_group || best_of || same_line || !(first->kinds & second->kinds) ||
           names_either(&a->conflicts_with, b) || names_either(&b->conflicts_with, a);
}

// Drops those that can't be used beside a required one.
static size_t beside_required(struct pricing_candidate *usable, size_t n) {
    size_t required = 0, kept = 0;
    for (size_t i = 0; i < n; i++) // to the front
        if (usable[i].required) {
            struct pricing_candidate swap = usable[required];
            usable[required++] = usable[i];
            usable[i] = swap;
        }
    for (size_t i = 0; i < n; i++) {
        bool out = false;
        for (size_t r = 0; r < required && i >= required && !out; r++)
            out = conflicting(&usable[r], &usable[i]);
        if (!out)
            usable[kept++] = usable[i];
    }
    return kept;
}

static bool take_candidates(struct pricing *pricing, const bool *wanted, struct arena *arena) {
    const struct solver_input *input = pricing->input;
    struct pricing_candidate *usable = arena_alloc(arena, (input->n_benefits + 1) * sizeof *usable);
    if (!usable)
        return false;
    size_t n = 0;
    for (size_t i = 0; i < input->n_benefits; i++) {
        const struct solver_benefit *benefit = &input->benefits[i];
        int64_t amounts[SOLVER_LINES_MAX];
        if ((wanted && !wanted[i]) || pricing->refusals[i] != SOLVER_FITS)
            continue;
        usable[n] = (struct pricing_candidate){.benefit = benefit};
        pricing->refusals[i] = screen(pricing, &usable[n], amounts);
        if (pricing->refusals[i] != SOLVER_FITS)
            continue;
        usable[n].required = !wanted && names_hold(&input->required[benefit->source], benefit->id);
        n++;
    }
    n = beside_required(usable, n);
    pricing->cut = n > SOLVER_CANDIDATES_MAX;
    if (pricing->cut) {
        qsort(usable, n, sizeof *usable, by_worth);
        n = SOLVER_CANDIDATES_MAX;
    }
    qsort(usable, n, sizeof *usable, by_expiry);
    memcpy(pricing->candidates, usable, n * sizeof *usable);
    pricing->n = n;
    for (size_t i = 0; i < n; i++)
        if (counts_by_line(pricing->candidates[i].benefit))
            count_lines(pricing, &pricing->candidates[i], pricing->amounts[i]);
    return true;
}

static bool applies_before(const struct pricing_candidate *a, const struct pricing_candidate *b) {
    static const int ranks[] = {[SOLVER_UNIT_PRICE] = 0,
                                [SOLVER_PERCENT_OFF] = 1,
                                [SOLVER_UNIT_OFF] = 2,
                                [SOLVER_COMPUTED] = 3,
                                [SOLVER_AMOUNT_OFF] = 4};
    if (a->layer != b->layer)
        return a->layer < b->layer;
    if (a->benefit->kind != b->benefit->kind)
        return ranks[a->benefit->kind] < ranks[b->benefit->kind];
    int breadth_a = __builtin_popcountll(a->scope), breadth_b = __builtin_popcountll(b->scope);
    return breadth_a != breadth_b ? breadth_a < breadth_b : expiry_order(a->benefit, b->benefit) < 0;
}

static size_t scope_index(struct pricing *pricing, uint64_t lines) {
    size_t i = 0;
    while (i < pricing->n_scopes && pricing->scopes[i] != lines)
        i++;
    if (i == pricing->n_scopes)
        pricing->scopes[pricing->n_scopes++] = lines;
    return i;
}

static void order_candidates(struct pricing *pricing) {
    for (size_t i = 0; i < pricing->n; i++) {
        size_t at = i;
        for (; at > 0 && applies_before(&pricing->candidates[i], &pricing->candidates[pricing->sequence[at - 1]]); at--)
            pricing->sequence[at] = pricing->sequence[at - 1];
        pricing->sequence[at] = i;
    }
    pricing->tenders = pricing->n;
    for (; pricing->tenders > 0; pricing->tenders--) {
        const struct pricing_candidate *candidate = &pricing->candidates[pricing->sequence[pricing->tenders - 1]];
        if (candidate->layer != SOLVER_LAYER_TENDER)
            break;
        pricing->kinds |= candidate->kinds;
    }
}

// Into the first clique all of whose members exclude it, or one of its own.
static void join_clique(struct pricing *pricing, size_t i) {
    struct pricing_candidate *candidate = &pricing->candidates[i];
    size_t c = 0;
    while (c < pricing->n_cliques && (pricing->cliques[c].members & ~candidate->conflicts))
        c++;
    if (c == pricing->n_cliques)
        pricing->n_cliques++;
    pricing->cliques[c].members |= UINT64_C(1) << i;
    pricing->cliques[c].lines |= candidate->scope;
    candidate->clique = c;
}

static void relate_candidates(struct pricing *pricing) {
    for (size_t i = 0; i < pricing->n; i++) {
        struct pricing_candidate *candidate = &pricing->candidates[i];
        candidate->condition_scope = scope_index(pricing, candidate->condition);
        candidate->benefit_scope = scope_index(pricing, candidate->scope);
        if (candidate->required)
            pricing->required |= UINT64_C(1) << i;
        if (candidate->benefit->source == SOLVER_COUPON)
            pricing->coupons |= UINT64_C(1) << i;
        for (size_t j = 0; j < pricing->n; j++)
            if (i != j && conflicting(candidate, &pricing->candidates[j]))
                candidate->conflicts |= UINT64_C(1) << j;
        join_clique(pricing, i);
    }
    for (size_t c = 0; c < pricing->n_cliques; c++)
        pricing->cliques[c].scope = scope_index(pricing, pricing->cliques[c].lines);
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

void pricing_settle(const struct pricing *pricing, int64_t value, const int64_t *before, int64_t *after) {
    int64_t parts[SOLVER_LINES_MAX];
    bool split = money_allocate(value, before, pricing->n_lines, parts);
    assert(split); // their value is within the share of what is left
    for (size_t i = 0; i < pricing->n_lines; i++)
        after[i] = before[i] - parts[i];
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

static bool out_of_memory(struct error *error) {
    return error_set(error, ERR_OVERLOADED, "the memory for pricing is used up");
}

bool pricing_prepare(const struct solver_input *input, const bool *wanted, struct arena *arena,
                     struct pricing **ret_pricing, struct error *error) {
    if (!check_counts(input, error) || !check_limits(input, error) || !check_lines(input, error))
        return false;
    struct pricing *pricing = arena_calloc(arena, 1, sizeof *pricing);
    if (!pricing)
        return out_of_memory(error);
    pricing->input = input;
    pricing->n_lines = input->n_lines;
    pricing->steps_max = most_steps(input);
    if (!sort_ids(pricing, arena))
        return out_of_memory(error);
    for (size_t i = 0; i < input->n_benefits; i++)
        if (pricing->refusals[i] == SOLVER_FITS && !well_formed(pricing, &input->benefits[i]))
            pricing->refusals[i] = SOLVER_MALFORMED;
    if (!take_lines(pricing, error))
        return false;
    if (!take_candidates(pricing, wanted, arena))
        return out_of_memory(error);
    order_candidates(pricing);
    relate_candidates(pricing);
    *ret_pricing = pricing;
    return true;
}
