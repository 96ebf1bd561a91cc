// Properties of the solver over many random worlds.
//   flows.solver [worlds [seed]]     (default 100000 1)
// The model is compared over all of them, what needs several searches for each world over some.
#include "tests/flows/solver_model.h"
#include "tests/flows/solver_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { WORLDS = 100000 };

// What one property test goes through; the failing world's seed is in `seed`.
struct run {
    struct arena arena;
    struct world world;
    struct model_price *sets;
    uint64_t seed;
};

static uint64_t worlds = WORLDS, first_seed = 1; // the program's arguments

static int run_setup(void **state) {
    struct run *run = calloc(1, sizeof *run);
    assert_non_null(run);
    arena_init(&run->arena, SOLVER_ARENA_BYTES);
    run->sets = calloc(MODEL_SETS_MAX, sizeof *run->sets);
    assert_non_null(run->sets);
    *state = run;
    return 0;
}

static int run_teardown(void **state) {
    struct run *run = *state;
    arena_release(&run->arena);
    free(run->sets);
    free(run);
    return 0;
}

#define check(run, condition)                                                                                          \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            fail_msg("world %llu: %s", (unsigned long long)(run)->seed, #condition);                                   \
    } while (0)

// The next small world, made by its seed alone.
static void next_world(struct run *run, uint64_t i, struct entropy *ret_entropy) {
    run->seed = first_seed + i;
    *ret_entropy = (struct entropy){.seeded = {run->seed * UINT64_C(0x2545f4914f6cdd1d)}};
    arena_reset(&run->arena);
    world_small(&run->world, ret_entropy, 5, i % 50 == 0 ? 9 : 6);
}

static bool solve(struct run *run, const struct world *world, struct solver_result *ret_result) {
    struct error error = {0};
    bool solved = solver_solve(&world->input, &run->arena, ret_result, &error);
    check(run, solved || error.code == ERR_BENEFIT_UNAVAILABLE);
    return solved;
}

static bool has_required(const struct solver_input *input) {
    size_t n = 0;
    for (int source = 0; source < SOLVER_SOURCES; source++)
        n += input->required[source].n;
    return n > 0;
}

static unsigned set_of(const struct solver_combination *combination) {
    unsigned set = 0;
    for (size_t i = 0; i < combination->n_applied; i++)
        set |= 1U << combination->applied[i].benefit;
    return set;
}

static void check_against_model(struct run *run, const struct solver_combination *found,
                                const struct model_price *expected) {
    check(run, set_of(found) == expected->set);
    check(run, found->n_applied == (size_t)expected->count); // no benefit twice
    check(run, found->tender_kinds == expected->tender_kinds);
    check(run, found->points == expected->points);
    check(run, found->payable == expected->payable);
    for (int layer = 0; layer < SOLVER_LAYERS; layer++) {
        check(run, found->discount[layer] == expected->discount[layer]);
        for (size_t i = 0; i < run->world.input.n_lines; i++)
            check(run, found->shares[i].discount[layer] == expected->shares[layer][i]);
    }
}

static void test_the_answer_is_the_optimum_and_the_next_best_in_order(void **state) {
    struct run *run = *state;
    for (uint64_t i = 0, n = worlds; i < n; i++) {
        struct entropy entropy;
        struct solver_result result;
        next_world(run, i, &entropy);
        const struct solver_input *input = &run->world.input;
        size_t n_sets = model_rank(input, run->sets);
        bool solved = solve(run, &run->world, &result);
        check(run, solved == (n_sets > 0 || !has_required(input))); // only what is forced can be impossible
        if (!solved)
            continue;
        size_t expected = n_sets < input->max_combinations ? n_sets : input->max_combinations;
        check(run, result.exact);
        check(run, result.n_combinations == expected + 1);
        for (size_t c = 0; c < expected; c++)
            check_against_model(run, &result.combinations[c], &run->sets[c]);
        const struct solver_combination *none = &result.combinations[expected];
        check(run, none->n_applied == 0 && none->points == 0 && none->payable == result.list_price);
    }
}

// ---- Legality and sums of any answer ------------------------------------------------------------------------------

static bool holds(const struct solver_names *scope, const struct solver_line *line) {
    for (size_t i = 0; i < scope->n; i++)
        if (str_eq(scope->names[i], line->kind) || str_eq(scope->names[i], line->code))
            return true;
    return scope->n == 0;
}

static void check_exclusion(struct run *run, const struct solver_benefit *a, const struct solver_benefit *b) {
    check(run, a->source != b->source || !str_eq(a->id, b->id));
    check(run, str_empty(a->exclusive_group) || !str_eq(a->exclusive_group, b->exclusive_group));
    check(run, a->source != SOLVER_ACTIVITY || b->source != SOLVER_ACTIVITY || (a->stacks && b->stacks));
    for (size_t i = 0; i < a->conflicts_with.n; i++) {
        check(run, !str_eq(a->conflicts_with.names[i], b->id));
        check(run, str_empty(b->exclusive_group) || !str_eq(a->conflicts_with.names[i], b->exclusive_group));
    }
}

// Every tender kind that a combination presumes is named by each of its tender-specific benefits.
static void check_kinds(struct run *run, const struct solver_input *input, const struct solver_benefit *benefit,
                        uint32_t kinds) {
    check(run, benefit->tender_kinds.n == 0 || kinds != 0);
    for (size_t k = 0; k < input->tender_kinds.n; k++) {
        bool named = benefit->tender_kinds.n == 0;
        for (size_t i = 0; i < benefit->tender_kinds.n; i++)
            named = named || str_eq(benefit->tender_kinds.names[i], input->tender_kinds.names[k]);
        check(run, named || !(kinds >> k & 1));
    }
}

// Each line's part is borne in full, by nobody more than one unit beside the share.
static void check_borne(struct run *run, const struct solver_benefit *benefit, int64_t amount) {
    int64_t parts[SOLVER_BEARERS_MAX], sum = 0;
    size_t n;
    const struct solver_bearer *bearers = solver_bearers(benefit, &n);
    check(run, n >= 1);
    solver_borne(benefit, amount, parts);
    for (size_t i = 0; i < n; i++) {
        int64_t off = parts[i] * SOLVER_WHOLE_BP - amount * bearers[i].share_bp;
        check(run, off > -SOLVER_WHOLE_BP && off < SOLVER_WHOLE_BP);
        sum += parts[i];
    }
    check(run, sum == amount);
}

// Takes one benefit's shares from what is left.
static void check_shares(struct run *run, const struct solver_input *input, const struct solver_applied *applied,
                         int64_t *left) {
    const struct solver_benefit *benefit = &input->benefits[applied->benefit];
    int64_t sum = 0;
    for (size_t i = 0; i < input->n_lines; i++) {
        check(run, applied->shares[i] >= 0);
        check(run, applied->shares[i] == 0 || holds(&benefit->benefit_scope, &input->lines[i]));
        check(run, benefit->kind != SOLVER_COMPUTED || applied->shares[i] <= benefit->computed[i]);
        check_borne(run, benefit, applied->shares[i]);
        sum += applied->shares[i];
        left[i] -= applied->shares[i];
        check(run, left[i] >= 0);
    }
    check(run, applied->discount > 0 && sum == applied->discount);
    check(run, benefit->cap == 0 || applied->discount <= benefit->cap);
    check(run, benefit->quota_unit != SOLVER_QUOTA_AMOUNT || applied->discount <= benefit->quota_left);
}

static void take_points(const struct solver_input *input, const struct solver_combination *combination, int64_t *left) {
    for (size_t i = 0; i < input->n_lines; i++)
        left[i] -= combination->shares[i].discount[SOLVER_LAYER_POINTS];
}

// Goes through the benefits as they were applied, with what each found.
static void check_applied(struct run *run, const struct solver_input *input,
                          const struct solver_combination *combination, int64_t *left) {
    enum solver_layer layer = SOLVER_LAYER_LEVEL;
    for (size_t a = 0; a < combination->n_applied; a++) {
        const struct solver_applied *applied = &combination->applied[a];
        const struct solver_benefit *benefit = &input->benefits[applied->benefit];
        check(run, applied->layer >= layer && applied->layer != SOLVER_LAYER_POINTS);
        if (layer < SOLVER_LAYER_POINTS && applied->layer > SOLVER_LAYER_POINTS)
            take_points(input, combination, left);
        layer = applied->layer;
        int64_t spent = 0;
        for (size_t i = 0; i < input->n_lines; i++)
            if (holds(&benefit->condition_scope, &input->lines[i]))
                spent += benefit->minimum_base == SOLVER_BASE_ORIGINAL ? input->lines[i].amount : left[i];
        check(run, spent >= benefit->minimum_spend); // the threshold is met at its position
        check_shares(run, input, applied, left);
        check(run, benefit->expires_at_ms == 0 || input->now_ms < benefit->expires_at_ms);
        check_kinds(run, input, benefit, combination->tender_kinds);
        for (size_t b = 0; b < combination->n_applied; b++)
            if (a != b)
                check_exclusion(run, benefit, &input->benefits[combination->applied[b].benefit]);
    }
    if (layer < SOLVER_LAYER_POINTS)
        take_points(input, combination, left);
}

// Two level benefits never make one line cheaper.
static void check_levels(struct run *run, const struct solver_input *input,
                         const struct solver_combination *combination) {
    for (size_t i = 0; i < input->n_lines; i++) {
        int levels = 0;
        for (size_t a = 0; a < combination->n_applied; a++)
            levels += input->benefits[combination->applied[a].benefit].source == SOLVER_LEVEL &&
                      combination->applied[a].shares[i] > 0;
        check(run, levels <= 1);
    }
}

static int64_t quota_of(const struct solver_combination *combination, struct str id) {
    int64_t quantity = 0;
    for (size_t i = 0; i < combination->n_quotas; i++)
        quantity += str_eq(combination->quotas[i].activity_id, id) ? combination->quotas[i].quantity : 0;
    return quantity;
}

// [A80] a choice says how much quota it takes, never more than is left; limits count what is bought
static void check_quotas(struct run *run, const struct solver_input *input,
                         const struct solver_combination *combination) {
    size_t expected = 0;
    for (size_t a = 0; a < combination->n_applied; a++) {
        const struct solver_applied *applied = &combination->applied[a];
        const struct solver_benefit *benefit = &input->benefits[applied->benefit];
        if (benefit->source != SOLVER_ACTIVITY)
            continue;
        int64_t quantity = quota_of(combination, benefit->id);
        expected += quantity > 0;
        check(run, benefit->quota_unit != SOLVER_QUOTA_NONE || quantity == 0);
        check(run, quantity == 0 || quantity <= benefit->quota_left);
        check(run, benefit->quota_unit != SOLVER_QUOTA_TIMES || quantity == 1);
        check(run, benefit->quota_unit != SOLVER_QUOTA_AMOUNT || quantity == applied->discount);
    }
    for (size_t l = 0; l < input->n_limits; l++) {
        const struct solver_limit *limit = &input->limits[l];
        int64_t times = 0, amount = 0, volume = 0;
        for (size_t i = 0; i < input->n_lines; i++) {
            if (!holds(&limit->scope, &input->lines[i]))
                continue;
            times = 1;
            amount += combination->shares[i].payable;
            volume += str_eq(input->lines[i].kind, STR("fuel")) ? input->lines[i].quantity : 0;
        }
        int64_t quantity = limit->unit == SOLVER_QUOTA_TIMES    ? times
                           : limit->unit == SOLVER_QUOTA_AMOUNT ? amount
                                                                : volume;
        expected += quantity > 0;
        check(run, quota_of(combination, limit->activity_id) == quantity);
    }
    check(run, combination->n_quotas == expected);
}

static void check_points(struct run *run, const struct solver_input *input,
                         const struct solver_combination *combination) {
    const struct solver_points *points = &input->points;
    check(run, combination->points >= 0 && combination->points <= points->available);
    check(run, combination->points == 0 || combination->points % points->step_points == 0);
    check(run, points->max_points == 0 || combination->points <= points->max_points);
    check(run, !input->exclude_points || combination->points == 0);
}

// [A52] the discounts of the lines add up to the discount, in every layer; no line falls below zero
static void check_combination(struct run *run, const struct solver_input *input,
                              const struct solver_combination *combination, int64_t list_price) {
    int64_t left[WORLD_LINES_MAX], sums[SOLVER_LAYERS] = {0}, payable = 0;
    for (size_t i = 0; i < input->n_lines; i++)
        left[i] = input->lines[i].amount;
    check_applied(run, input, combination, left);
    check_levels(run, input, combination);
    check_quotas(run, input, combination);
    check_points(run, input, combination);
    for (size_t i = 0; i < input->n_lines; i++) {
        const struct solver_share *share = &combination->shares[i];
        int64_t discounts = 0;
        for (int layer = 0; layer < SOLVER_LAYERS; layer++) {
            check(run, share->discount[layer] >= 0);
            sums[layer] += share->discount[layer];
            discounts += share->discount[layer];
        }
        check(run, share->payable >= 0 && share->payable == left[i]);
        check(run, discounts + share->payable == input->lines[i].amount);
        payable += share->payable;
    }
    for (int layer = 0; layer < SOLVER_LAYERS; layer++)
        check(run, sums[layer] == combination->discount[layer]);
    check(run, payable == combination->payable && payable >= 0 && payable <= list_price);
}

static void check_result(struct run *run, const struct solver_input *input, const struct solver_result *result) {
    for (size_t c = 0; c < result->n_combinations; c++) {
        check_combination(run, input, &result->combinations[c], result->list_price);
        for (size_t d = 0; d < c; d++)
            check(run, result->combinations[d].payable <= result->combinations[c].payable);
    }
}

static void test_every_combination_is_legal_and_its_shares_add_up(void **state) {
    struct run *run = *state;
    for (uint64_t i = 0, n = worlds; i < n; i++) {
        struct entropy entropy;
        struct solver_result result;
        next_world(run, i, &entropy);
        if (solve(run, &run->world, &result))
            check_result(run, &run->world.input, &result);
    }
}

// ---- Replay -------------------------------------------------------------------------------------------------------

// A choice with room for its ids.
struct choosing {
    struct solver_choice choice;
    struct str ids[SOLVER_SOURCES][WORLD_BENEFITS_MAX];
};

static void choose_none(struct choosing *choosing, int64_t points) {
    choosing->choice = (struct solver_choice){.points = points};
    for (int source = 0; source < SOLVER_SOURCES; source++)
        choosing->choice.ids[source].names = choosing->ids[source];
}

static void choose(struct choosing *choosing, const struct solver_benefit *benefit) {
    choosing->ids[benefit->source][choosing->choice.ids[benefit->source].n++] = benefit->id;
}

static void check_replay(struct run *run, const struct solver_input *input,
                         const struct solver_combination *combination) {
    struct choosing choosing;
    choose_none(&choosing, combination->points);
    for (size_t i = combination->n_applied; i-- > 0;)
        choose(&choosing, &input->benefits[combination->applied[i].benefit]);
    struct solver_replayed replayed;
    struct error error = {0};
    check(run, solver_replay(input, &choosing.choice, &run->arena, &replayed, &error));
    check(run, replayed.refusal == SOLVER_FITS);
    const struct solver_combination *again = &replayed.combination;
    check(run, again->payable == combination->payable && again->points == combination->points);
    check(run, again->n_applied == combination->n_applied);
    check(run, memcmp(again->shares, combination->shares, input->n_lines * sizeof *again->shares) == 0);
    for (size_t i = 0; i < again->n_applied; i++)
        check(run, again->applied[i].benefit == combination->applied[i].benefit &&
                       again->applied[i].discount == combination->applied[i].discount);
}

static void test_replaying_a_kept_combination_gives_the_same_price(void **state) {
    struct run *run = *state;
    for (uint64_t i = 0, n = worlds / 20; i < n; i++) {
        struct entropy entropy;
        struct solver_result result;
        next_world(run, i, &entropy);
        if (!solve(run, &run->world, &result))
            continue;
        for (size_t c = 0; c < result.n_combinations; c++)
            check_replay(run, &run->world.input, &result.combinations[c]);
    }
}

static void test_replay_says_legal_exactly_where_the_model_does(void **state) {
    struct run *run = *state;
    for (uint64_t i = 0, n = worlds / 20; i < n; i++) {
        struct entropy entropy;
        next_world(run, i, &entropy);
        const struct solver_input *input = &run->world.input;
        unsigned set = (unsigned)entropy_below(&entropy, UINT64_C(1) << input->n_benefits);
        struct model_price expected;
        model_price(input, set, &expected);
        struct choosing choosing;
        choose_none(&choosing, expected.points);
        for (size_t c = 0; c < input->n_benefits; c++)
            if (set >> c & 1)
                choose(&choosing, &input->benefits[c]);
        struct solver_replayed replayed;
        struct error error = {0};
        check(run, solver_replay(input, &choosing.choice, &run->arena, &replayed, &error));
        check(run, (replayed.refusal == SOLVER_FITS) == expected.legal);
        if (expected.legal)
            check_against_model(run, &replayed.combination, &expected);
    }
}

// ---- Order and monotony -------------------------------------------------------------------------------------------

static bool same_benefits(const struct solver_input *a, const struct solver_combination *in_a,
                          const struct solver_input *b, const struct solver_combination *in_b) {
    bool same = in_a->n_applied == in_b->n_applied;
    for (size_t i = 0; same && i < in_a->n_applied; i++)
        same = str_eq(a->benefits[in_a->applied[i].benefit].id, b->benefits[in_b->applied[i].benefit].id) &&
               a->benefits[in_a->applied[i].benefit].source == b->benefits[in_b->applied[i].benefit].source &&
               in_a->applied[i].discount == in_b->applied[i].discount;
    return same;
}

static void check_same(struct run *run, const struct world *a, const struct world *b) {
    struct solver_result in_a, in_b;
    bool solved = solve(run, a, &in_a);
    check(run, solved == solve(run, b, &in_b));
    if (!solved)
        return;
    check(run, in_a.n_combinations == in_b.n_combinations && in_a.exact == in_b.exact && in_a.nodes == in_b.nodes);
    for (size_t c = 0; c < in_a.n_combinations; c++) {
        const struct solver_combination *first = &in_a.combinations[c], *second = &in_b.combinations[c];
        check(run, first->payable == second->payable && first->points == second->points);
        check(run, same_benefits(&a->input, first, &b->input, second));
    }
}

static void test_the_order_of_the_input_does_not_matter(void **state) {
    struct run *run = *state;
    for (uint64_t i = 0, n = worlds / 20; i < n; i++) {
        struct entropy entropy;
        struct world shuffled;
        next_world(run, i, &entropy);
        world_shuffle(&run->world, &entropy, &shuffled);
        check_same(run, &run->world, &shuffled);
    }
}

static void test_one_more_benefit_never_raises_what_is_payable(void **state) {
    struct run *run = *state;
    for (uint64_t i = 0, n = worlds / 20; i < n; i++) {
        struct entropy entropy;
        struct solver_result with, without;
        next_world(run, i, &entropy);
        struct solver_input *input = &run->world.input;
        for (int source = 0; source < SOLVER_SOURCES; source++)
            input->required[source].n = 0;
        // An id listed twice makes both unusable: one more there is one less.
        bool twin = input->n_benefits > 1 && str_eq(run->world.benefits[0].id, run->world.benefits[1].id);
        if (input->n_benefits == 0 || twin)
            continue;
        check(run, solve(run, &run->world, &with));
        input->n_benefits--;
        check(run, solve(run, &run->world, &without));
        check(run, with.combinations[0].payable <= without.combinations[0].payable);
    }
}

// ---- Where it can't be exact --------------------------------------------------------------------------------------

static void test_an_exhausted_budget_is_said_and_gives_legal_combinations(void **state) {
    struct run *run = *state;
    size_t cut = 0;
    for (uint64_t i = 0, n = worlds / 50; i < n; i++) {
        struct entropy entropy;
        struct solver_result result, exact;
        next_world(run, i, &entropy);
        check(run, solve(run, &run->world, &exact) || has_required(&run->world.input));
        run->world.input.node_budget = entropy_below(&entropy, 4);
        if (!solve(run, &run->world, &result))
            continue;
        check_result(run, &run->world.input, &result);
        check(run, result.nodes <= run->world.input.node_budget);
        check(run, result.combinations[0].payable >= exact.combinations[0].payable);
        check(run, !result.exact || result.combinations[0].payable == exact.combinations[0].payable);
        cut += !result.exact;
    }
    assert_true(cut > 0);
}

static void test_more_than_twenty_candidates_give_legal_combinations_in_any_order_of_input(void **state) {
    struct run *run = *state;
    size_t beamed = 0;
    for (uint64_t i = 0, n = worlds / 500; i < n; i++) {
        struct entropy entropy = {.seeded = {i}};
        struct solver_result result;
        struct world shuffled;
        run->seed = i;
        arena_reset(&run->arena);
        (i % 2 ? world_believable : world_mixed)(&run->world, &entropy, 1 + i % WORLD_LINES_MAX, 21 + i % 27);
        check(run, solve(run, &run->world, &result));
        check_result(run, &run->world.input, &result);
        for (size_t c = 0; c < result.n_combinations; c++)
            check_replay(run, &run->world.input, &result.combinations[c]);
        world_shuffle(&run->world, &entropy, &shuffled);
        check_same(run, &run->world, &shuffled);
        beamed += !result.exact;
    }
    assert_true(beamed > 0);
}

// Counted in nodes, so that it does not depend on the machine; the benchmark says how long they take.
static void test_of_twenty_mixed_benefits_the_best_is_found_within_the_budget(void **state) {
    struct run *run = *state;
    uint64_t n = worlds / 100, exact = 0;
    for (uint64_t i = 0; i < n; i++) {
        struct entropy entropy = {.seeded = {i}};
        struct solver_result result;
        run->seed = i;
        arena_reset(&run->arena);
        world_mixed(&run->world, &entropy, 10, SOLVER_EXACT_MAX);
        run->world.input.node_budget = SOLVER_NODE_BUDGET;
        check(run, solve(run, &run->world, &result));
        check_result(run, &run->world.input, &result);
        exact += result.exact;
    }
    assert_true(exact * 1000 >= n * 999);
}

int main(int argc, char **argv) {
    worlds = argc > 1 ? strtoull(argv[1], NULL, 10) : worlds;
    first_seed = argc > 2 ? strtoull(argv[2], NULL, 10) : first_seed;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_answer_is_the_optimum_and_the_next_best_in_order),
        cmocka_unit_test(test_every_combination_is_legal_and_its_shares_add_up),
        cmocka_unit_test(test_replaying_a_kept_combination_gives_the_same_price),
        cmocka_unit_test(test_replay_says_legal_exactly_where_the_model_does),
        cmocka_unit_test(test_the_order_of_the_input_does_not_matter),
        cmocka_unit_test(test_one_more_benefit_never_raises_what_is_payable),
        cmocka_unit_test(test_an_exhausted_budget_is_said_and_gives_legal_combinations),
        cmocka_unit_test(test_more_than_twenty_candidates_give_legal_combinations_in_any_order_of_input),
        cmocka_unit_test(test_of_twenty_mixed_benefits_the_best_is_found_within_the_budget),
    };
    return cmocka_run_group_tests_name("flows.solver", tests, run_setup, run_teardown);
}
