#include "flows/trade/solver.h"

#include "flows/trade/bill.h"
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
    [SOLVER_TENDER_ABSENT] = "nothing that may pay is of its tender kinds",
    [SOLVER_QUOTA_USED_UP] = "too little is left of its quota",
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

// ---- Search -------------------------------------------------------------------------------------------------------

static bool unavailable(enum solver_source source, struct str id, enum solver_refusal refusal, struct error *error) {
    static const char *const names[SOLVER_SOURCES] = {
        [SOLVER_COUPON] = "coupon", [SOLVER_ACTIVITY] = "activity", [SOLVER_LEVEL] = "level benefit"};
    return error_set(error, ERR_BENEFIT_UNAVAILABLE, "required %s %.*s: %s", names[source], STR_FMT(id),
                     solver_refusal_text(refusal));
}

// Each required benefit must fit alone, and no two may conflict.
static bool check_required(const struct pricing *pricing, struct error *error) {
    for (int source = 0; source < SOLVER_SOURCES; source++) {
        const struct solver_names *ids = &pricing->input->required[source];
        for (size_t i = 0; i < ids->n; i++) {
            const struct solver_benefit *benefit = pricing_find(pricing, (enum solver_source)source, ids->names[i]);
            enum solver_refusal refusal = benefit ? pricing_refusal(pricing, benefit) : SOLVER_UNKNOWN;
            if (refusal != SOLVER_FITS)
                return unavailable((enum solver_source)source, ids->names[i], refusal, error);
        }
    }
    for (size_t i = 0; i < pricing->n; i++) {
        const struct pricing_candidate *candidate = &pricing->candidates[i];
        if (candidate->required && (candidate->conflicts & pricing->required))
            return unavailable(candidate->benefit->source, candidate->benefit->id, SOLVER_CONFLICTING, error);
    }
    return true;
}

// The set that a search has found, with its shares. False when the arena is too small.
static bool price_found(const struct pricing *pricing, const struct search_set *set, struct arena *arena,
                        struct solver_combination *ret_combination) {
    struct bill_verdict verdict;
    if (!bill_price(pricing, set->members, set->points, arena, &verdict))
        return false;
    assert(verdict.refusal == SOLVER_FITS && verdict.combination.payable == set->payable);
    *ret_combination = verdict.combination;
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
        return error_set(error, ERR_BENEFIT_UNAVAILABLE, "the required benefits can't all be used together");
    struct solver_combination *combinations = arena_calloc(arena, found.n + 1, sizeof *combinations);
    if (!combinations)
        return out_of_memory(error);
    const struct search_set nothing = {.payable = pricing->list_total};
    for (size_t i = 0; i <= found.n; i++)
        if (!price_found(pricing, i < found.n ? &found.best[i] : &nothing, arena, &combinations[i]))
            return out_of_memory(error);
    *ret_result = (struct solver_result){.list_price = pricing->list_total,
                                         .combinations = combinations,
                                         .n_combinations = found.n + 1,
                                         .exact = found.exact,
                                         .nodes = found.nodes};
    return true;
}

// ---- Replay -------------------------------------------------------------------------------------------------------

// Marks the choice's benefits in `wanted`; false when one is not listed.
static bool find_chosen(const struct solver_input *input, const struct solver_choice *choice, bool *wanted,
                        struct solver_replayed *replayed) {
    for (int source = 0; source < SOLVER_SOURCES; source++)
        for (size_t i = 0; i < choice->ids[source].n; i++) {
            struct str id = choice->ids[source].names[i];
            bool found = false;
            for (size_t j = 0; j < input->n_benefits; j++)
                if ((int)input->benefits[j].source == source && str_eq(input->benefits[j].id, id))
                    found = wanted[j] = true;
            if (!found) {
                *replayed = (struct solver_replayed){.refusal = SOLVER_UNKNOWN, .refused_id = id};
                return false;
            }
        }
    return true;
}

// True with the verdict in `replayed`; false when the arena is too small.
static bool replay(const struct pricing *pricing, const bool *wanted, int64_t points, struct arena *arena,
                   struct solver_replayed *replayed) {
    for (size_t i = 0; i < pricing->input->n_benefits; i++) {
        const struct solver_benefit *benefit = pricing->ids[i];
        replayed->refusal = pricing_refusal(pricing, benefit);
        replayed->refused_id = benefit->id;
        if (wanted[benefit - pricing->input->benefits] && replayed->refusal != SOLVER_FITS)
            return true;
    }
    struct bill_verdict verdict;
    uint64_t all = pricing->n < 64 ? (UINT64_C(1) << pricing->n) - 1 : UINT64_MAX;
    if (!bill_price(pricing, all, points, arena, &verdict))
        return false;
    *replayed = (struct solver_replayed){
        .refusal = verdict.refusal, .refused_id = verdict.refused_id, .combination = verdict.combination};
    return true;
}

bool solver_replay(const struct solver_input *input, const struct solver_choice *choice, struct arena *arena,
                   struct solver_replayed *ret_replayed, struct error *error) {
    struct solver_replayed replayed = {0};
    struct pricing *pricing;
    size_t n = 0;
    for (int source = 0; source < SOLVER_SOURCES; source++)
        n += choice->ids[source].n;
    if (n > SOLVER_CANDIDATES_MAX) {
        error_field(error, "ids", "must be at most %d", SOLVER_CANDIDATES_MAX);
        return false;
    }
    bool *wanted = arena_calloc(arena, input->n_benefits + 1, sizeof *wanted);
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

// ---- Bearers ------------------------------------------------------------------------------------------------------

const struct solver_bearer *solver_bearers(const struct solver_benefit *benefit, size_t *ret_n) {
    static const struct solver_bearer station = {.bearer = {"station", sizeof "station" - 1},
                                                 .share_bp = SOLVER_WHOLE_BP};
    *ret_n = benefit->n_bearers > 0 ? benefit->n_bearers : 1;
    return benefit->n_bearers > 0 ? benefit->bearers : &station;
}

void solver_borne(const struct solver_benefit *benefit, int64_t amount, int64_t ret_parts[SOLVER_BEARERS_MAX]) {
    size_t n;
    const struct solver_bearer *bearers = solver_bearers(benefit, &n);
    int64_t weights[SOLVER_BEARERS_MAX];
    for (size_t i = 0; i < n; i++)
        weights[i] = bearers[i].share_bp;
    bool split = money_allocate(amount, weights, n, ret_parts);
    assert(split); // a benefit with other bearers is never used
}
