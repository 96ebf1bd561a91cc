#include "flows/trade/bill.h"

#include <assert.h>

// A combination under construction, on the pricing's own order of lines.
struct bill {
    const struct pricing *pricing;
    struct arena *arena;
    struct solver_combination combination;
    struct solver_applied *applied;
    struct solver_share *shares; // in the input's order
    struct solver_quota *quotas;
    uint32_t kinds; // of tenders that may pay
    int64_t left[SOLVER_LINES_MAX];
};

static bool bill_init(const struct pricing *pricing, size_t n_benefits, struct arena *arena, struct bill *ret_bill) {
    *ret_bill = (struct bill){.pricing = pricing, .arena = arena, .kinds = UINT32_MAX};
    ret_bill->applied = arena_calloc(arena, n_benefits + 1, sizeof *ret_bill->applied);
    ret_bill->quotas = arena_calloc(arena, n_benefits + pricing->input->n_limits + 1, sizeof *ret_bill->quotas);
    ret_bill->shares = arena_calloc(arena, pricing->n_lines, sizeof *ret_bill->shares);
    memcpy(ret_bill->left, pricing->list, sizeof ret_bill->left);
    return ret_bill->applied && ret_bill->quotas && ret_bill->shares;
}

// What `after` has less than what was left is the layer's; `shares` (NULL: not kept) gets it by the input's lines.
static void bill_take(struct bill *bill, enum solver_layer layer, const int64_t *after, int64_t *shares) {
    for (size_t i = 0; i < bill->pricing->n_lines; i++) {
        int64_t share = bill->left[i] - after[i];
        size_t line = bill->pricing->line_at[i];
        if (shares)
            shares[line] = share;
        bill->shares[line].discount[layer] += share;
        bill->combination.discount[layer] += share;
        bill->left[i] = after[i];
    }
}

static void bill_quota(struct bill *bill, struct str activity_id, int64_t quantity) {
    if (quantity > 0)
        bill->quotas[bill->combination.n_quotas++] =
            (struct solver_quota){.activity_id = activity_id, .quantity = quantity};
}

// False when the arena is too small; a refusal changes nothing.
static bool bill_benefit(struct bill *bill, const struct pricing_candidate *candidate,
                         enum solver_refusal *ret_refusal) {
    const struct pricing *pricing = bill->pricing;
    const struct solver_benefit *benefit = candidate->benefit;
    int64_t after[SOLVER_LINES_MAX], discount;
    bool tender = bill->kinds & candidate->kinds;
    *ret_refusal = tender ? pricing_apply(pricing, candidate, bill->left, after, &discount) : SOLVER_CONFLICTING;
    if (*ret_refusal != SOLVER_FITS)
        return true;
    int64_t *shares = arena_calloc(bill->arena, pricing->n_lines, sizeof *shares);
    if (!shares)
        return false;
    bill_take(bill, candidate->layer, after, shares);
    bill->kinds &= candidate->kinds;
    bill->applied[bill->combination.n_applied++] =
        (struct solver_applied){.benefit = (size_t)(benefit - pricing->input->benefits),
                                .layer = candidate->layer,
                                .discount = discount,
                                .shares = shares};
    bill_quota(bill, benefit->id,
               pricing_quota(pricing, benefit->quota_unit, candidate->condition, candidate->scope, discount));
    return true;
}

// Exactly so many; false when they are not allowed.
static bool bill_points(struct bill *bill, int64_t points) {
    const struct solver_points *rule = &bill->pricing->input->points;
    int64_t left = 0, after[SOLVER_LINES_MAX];
    for (size_t i = 0; i < bill->pricing->n_lines; i++)
        left += bill->left[i];
    struct pricing_points most = pricing_points(bill->pricing, left);
    if (points < 0 || points > most.points || points % rule->step_points != 0)
        return false;
    pricing_settle(bill->pricing, points / rule->step_points * rule->step_value, bill->left, after);
    bill_take(bill, SOLVER_LAYER_POINTS, after, NULL);
    bill->combination.points = points;
    return true;
}

static struct solver_combination bill_total(struct bill *bill) {
    const struct pricing *pricing = bill->pricing;
    struct solver_combination *combination = &bill->combination;
    for (size_t i = 0; i < pricing->n_lines; i++) {
        bill->shares[pricing->line_at[i]].payable = bill->left[i];
        combination->payable += bill->left[i];
    }
    for (size_t i = 0; i < pricing->input->n_limits; i++) {
        const struct solver_limit *limit = &pricing->input->limits[i];
        uint64_t lines = pricing_scope(pricing, &limit->scope);
        if (lines)
            bill_quota(bill, limit->activity_id,
                       pricing_quota(pricing, limit->unit, lines, lines, pricing_sum(bill->left, lines)));
    }
    combination->applied = bill->applied;
    combination->shares = bill->shares;
    combination->quotas = bill->quotas;
    combination->tender_kinds = bill->kinds == UINT32_MAX ? 0 : bill->kinds;
    return *combination;
}

bool bill_price(const struct pricing *pricing, uint64_t members, int64_t points, struct arena *arena,
                struct bill_verdict *ret_verdict) {
    struct bill bill;
    struct bill_verdict verdict = {.refusal = SOLVER_FITS};
    bool settled = points == 0;
    if (!bill_init(pricing, (size_t)__builtin_popcountll(members), arena, &bill))
        return false;
    for (size_t place = 0; place <= pricing->n && verdict.refusal == SOLVER_FITS; place++) {
        const struct pricing_candidate *candidate =
            place < pricing->n ? &pricing->candidates[pricing->sequence[place]] : NULL;
        if (!settled && (!candidate || candidate->layer > SOLVER_LAYER_POINTS)) {
            settled = true;
            if (!bill_points(&bill, points)) {
                verdict.refusal = SOLVER_POINTS_REFUSED;
                break;
            }
        }
        if (!candidate || !(members >> pricing->sequence[place] & 1))
            continue;
        verdict.refused_id = candidate->benefit->id;
        if (candidate->conflicts & members)
            verdict.refusal = SOLVER_CONFLICTING;
        else if (!bill_benefit(&bill, candidate, &verdict.refusal))
            return false;
    }
    if (verdict.refusal == SOLVER_FITS)
        verdict.combination = bill_total(&bill);
    if (verdict.refusal == SOLVER_FITS || verdict.refusal == SOLVER_POINTS_REFUSED)
        verdict.refused_id = STR_NONE;
    *ret_verdict = verdict;
    return true;
}
