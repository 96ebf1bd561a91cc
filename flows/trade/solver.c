#include "flows/trade/solver.h"

#include "flows/trade/pricing.h"
#include "flows/trade/search.h"

#include <assert.h>

static const char *const refusal_texts[] = {
    [SOLVER_FITS] = "it fits",
    [SOLVER_UNKNOWN] = "it is not among the usable ones",
    [SOLVER_LISTED_TWICE] = "its id is listed more than once",
    [SOLVER_MALFORMED] = "its rule makes no sense",
    [SOLVER_EXCLUDED] = "it is excluded",
    [SOLVER_EXPIRED] = "it has expired",
    [SOLVER_CONDITION_ABSENT] = "nothing is bought that it asks for",
    [SOLVER_BELOW_MINIMUM] = "its minimum spend is not reached",
    [SOLVER_SAVES_NOTHING] = "it would save nothing",
    [SOLVER_CONFLICTING] = "it can't be used together with another one",
    [SOLVER_POINTS_REFUSED] = "not whole steps, or more than balance, maximum or share allow",
};

const char *solver_refusal_text(enum solver_refusal refusal) {
    assert((size_t)refusal < sizeof refusal_texts / sizeof refusal_texts[0]);
    return refusal_texts[refusal];
}

static bool out_of_memory(struct error *error) {
    return error_set(error, ERR_OVERLOADED, "the memory for pricing is used up");
}

// ---- One set, priced in full --------------------------------------------------------------------------------------

// A combination under construction, on the pricing's own order of lines.
struct bill {
    const struct pricing *pricing;
    struct arena *arena;
    struct solver_combination combination;
    struct solver_applied *applied;
    struct solver_share *shares; // in the input's order
    int64_t left[SOLVER_LINES_MAX];
};

static bool bill_init(const struct pricing *pricing, size_t n_coupons, struct arena *arena, struct bill *ret_bill) {
    *ret_bill = (struct bill){.pricing = pricing, .arena = arena};
    ret_bill->applied = arena_calloc(arena, n_coupons + 1, sizeof *ret_bill->applied);
    ret_bill->shares = arena_calloc(arena, pricing->n_lines, sizeof *ret_bill->shares);
    memcpy(ret_bill->left, pricing->list, sizeof ret_bill->left);
    return ret_bill->applied && ret_bill->shares;
}

// False when the arena is too small; a refusal changes nothing.
static bool bill_coupon(struct bill *bill, const struct pricing_candidate *candidate,
                        enum solver_refusal *ret_refusal) {
    const struct pricing *pricing = bill->pricing;
    int64_t after[SOLVER_LINES_MAX], discount;
    *ret_refusal = pricing_apply(pricing, candidate, bill->left, after, &discount);
    if (*ret_refusal != SOLVER_FITS)
        return true;
    int64_t *shares = arena_calloc(bill->arena, pricing->n_lines, sizeof *shares);
    if (!shares)
        return false;
    for (size_t i = 0; i < pricing->n_lines; i++) {
        shares[pricing->line_at[i]] = bill->left[i] - after[i];
        bill->shares[pricing->line_at[i]].discount[SOLVER_LAYER_COUPON] += bill->left[i] - after[i];
        bill->left[i] = after[i];
    }
    bill->combination.discount[SOLVER_LAYER_COUPON] += discount;
    bill->applied[bill->combination.n_applied++] = (struct solver_applied){
        .coupon = (size_t)(candidate->coupon - pricing->input->coupons), .discount = discount, .shares = shares};
    return true;
}

static int64_t bill_left(const struct bill *bill) {
    int64_t left = 0;
    for (size_t i = 0; i < bill->pricing->n_lines; i++)
        left += bill->left[i];
    return left;
}

static void bill_points(struct bill *bill, struct pricing_points points) {
    const struct pricing *pricing = bill->pricing;
    int64_t parts[SOLVER_LINES_MAX];
    bool split = money_allocate(points.value, bill->left, pricing->n_lines, parts);
    assert(split); // their value is within the share of what is left
    for (size_t i = 0; i < pricing->n_lines; i++) {
        bill->shares[pricing->line_at[i]].discount[SOLVER_LAYER_POINTS] += parts[i];
        bill->left[i] -= parts[i];
    }
    bill->combination.points = points.points;
    bill->combination.discount[SOLVER_LAYER_POINTS] = points.value;
}

static struct solver_combination bill_total(struct bill *bill) {
    for (size_t i = 0; i < bill->pricing->n_lines; i++)
        bill->shares[bill->pricing->line_at[i]].payable = bill->left[i];
    bill->combination.payable = bill_left(bill);
    bill->combination.applied = bill->applied;
    bill->combination.shares = bill->shares;
    return bill->combination;
}

// The set that a search has found, again with its shares. False when the arena is too small.
static bool bill_set(const struct pricing *pricing, const struct search_set *set, struct arena *arena,
                     struct solver_combination *ret_combination) {
    struct bill bill;
    if (!bill_init(pricing, (size_t)set->count, arena, &bill))
        return false;
    for (size_t place = 0; place < pricing->n; place++) {
        size_t i = pricing->sequence[place];
        if (!(set->members >> i & 1))
            continue;
        enum solver_refusal refusal;
        if (!bill_coupon(&bill, &pricing->candidates[i], &refusal))
            return false;
        assert(refusal == SOLVER_FITS);
    }
    if (set->points > 0)
        bill_points(&bill, pricing_points(pricing, bill_left(&bill)));
    *ret_combination = bill_total(&bill);
    assert(ret_combination->payable == set->payable && ret_combination->points == set->points);
    return true;
}

// ---- Search -------------------------------------------------------------------------------------------------------

static bool unavailable(struct str id, enum solver_refusal refusal, struct error *error) {
    return error_set(error, ERR_BENEFIT_UNAVAILABLE, "required coupon %.*s: %s", STR_FMT(id),
                     solver_refusal_text(refusal));
}

// Each required coupon must fit alone, and no two may conflict.
static bool check_required(const struct pricing *pricing, struct error *error) {
    const struct solver_names *ids = &pricing->input->required_ids;
    for (size_t i = 0; i < ids->n; i++) {
        const struct solver_coupon *coupon = pricing_find(pricing, ids->names[i]);
        enum solver_refusal refusal = coupon ? pricing_refusal(pricing, coupon) : SOLVER_UNKNOWN;
        if (refusal != SOLVER_FITS)
            return unavailable(ids->names[i], refusal, error);
    }
    for (size_t i = 0; i < pricing->n; i++)
        if (pricing->candidates[i].required && (pricing->candidates[i].conflicts & pricing->required))
            return unavailable(pricing->candidates[i].coupon->id, SOLVER_CONFLICTING, error);
    return true;
}

bool solver_solve(const struct solver_input *input, struct arena *arena, struct solver_result *ret_result,
                  struct error *error) {
    struct pricing *pricing;
    struct search_result found;
    if (!pricing_prepare(input, NULL, arena, &pricing, error) || !check_required(pricing, error))
        return false;
    if (!search_run(pricing, arena, &found))
        return out_of_memory(error);
    if (pricing->required && found.n == 0)
        return error_set(error, ERR_BENEFIT_UNAVAILABLE, "the required coupons can't all be used together");
    struct solver_combination *combinations = arena_calloc(arena, found.n + 1, sizeof *combinations);
    if (!combinations)
        return out_of_memory(error);
    for (size_t i = 0; i < found.n; i++)
        if (!bill_set(pricing, &found.best[i], arena, &combinations[i]))
            return out_of_memory(error);
    const struct search_set nothing = {.left = pricing->list_total, .payable = pricing->list_total};
    if (!bill_set(pricing, &nothing, arena, &combinations[found.n]))
        return out_of_memory(error);
    *ret_result = (struct solver_result){.list_price = pricing->list_total,
                                         .combinations = combinations,
                                         .n_combinations = found.n + 1,
                                         .exact = found.exact,
                                         .nodes = found.nodes};
    return true;
}

// ---- Replay -------------------------------------------------------------------------------------------------------

// Marks the choice's coupons in `wanted`; false when one is not listed.
static bool find_chosen(const struct solver_input *input, const struct solver_choice *choice, bool *wanted,
                        struct solver_replayed *replayed) {
    for (size_t i = 0; i < choice->coupon_ids.n; i++) {
        struct str id = choice->coupon_ids.names[i];
        bool found = false;
        for (size_t j = 0; j < input->n_coupons; j++)
            if (str_eq(input->coupons[j].id, id))
                found = wanted[j] = true;
        if (!found) {
            *replayed = (struct solver_replayed){.refusal = SOLVER_UNKNOWN, .refused_id = id};
            return false;
        }
    }
    return true;
}

static bool refuse(struct solver_replayed *replayed, enum solver_refusal refusal, struct str id) {
    replayed->refusal = refusal;
    replayed->refused_id = id;
    return true;
}

static struct pricing_points chosen_points(const struct pricing *pricing, int64_t left, int64_t points) {
    const struct solver_points *rule = &pricing->input->points;
    struct pricing_points most = pricing_points(pricing, left);
    if (points <= 0 || points > most.points || points % rule->step_points != 0)
        return (struct pricing_points){0};
    return (struct pricing_points){.points = points, .value = points / rule->step_points * rule->step_value};
}

// True with the verdict in `replayed`; false when the arena is too small.
static bool replay(const struct pricing *pricing, const bool *wanted, int64_t points, struct arena *arena,
                   struct solver_replayed *replayed) {
    for (size_t i = 0; i < pricing->input->n_coupons; i++) {
        const struct solver_coupon *coupon = pricing->ids[i];
        if (wanted[coupon - pricing->input->coupons] && pricing_refusal(pricing, coupon) != SOLVER_FITS)
            return refuse(replayed, pricing_refusal(pricing, coupon), coupon->id);
    }
    struct bill bill;
    if (!bill_init(pricing, pricing->n, arena, &bill))
        return false;
    for (size_t place = 0; place < pricing->n; place++) {
        const struct pricing_candidate *candidate = &pricing->candidates[pricing->sequence[place]];
        if (candidate->conflicts)
            return refuse(replayed, SOLVER_CONFLICTING, candidate->coupon->id);
        enum solver_refusal refusal;
        if (!bill_coupon(&bill, candidate, &refusal))
            return false;
        if (refusal != SOLVER_FITS)
            return refuse(replayed, refusal, candidate->coupon->id);
    }
    if (points != 0) {
        struct pricing_points spent = chosen_points(pricing, bill_left(&bill), points);
        if (spent.points == 0)
            return refuse(replayed, SOLVER_POINTS_REFUSED, STR_NONE);
        bill_points(&bill, spent);
    }
    replayed->refusal = SOLVER_FITS;
    replayed->combination = bill_total(&bill);
    return true;
}

bool solver_replay(const struct solver_input *input, const struct solver_choice *choice, struct arena *arena,
                   struct solver_replayed *ret_replayed, struct error *error) {
    struct solver_replayed replayed = {0};
    struct pricing *pricing;
    if (choice->coupon_ids.n > SOLVER_CANDIDATES_MAX) {
        error_field(error, "coupon_ids", "must be at most %d", SOLVER_CANDIDATES_MAX);
        return false;
    }
    bool *wanted = arena_calloc(arena, input->n_coupons + 1, sizeof *wanted);
    if (!wanted)
        return out_of_memory(error);
    if (find_chosen(input, choice, wanted, &replayed)) {
        if (!pricing_prepare(input, wanted, arena, &pricing, error))
            return false;
        if (!replay(pricing, wanted, choice->points, arena, &replayed))
            return out_of_memory(error);
    }
    *ret_replayed = replayed;
    return true;
}
