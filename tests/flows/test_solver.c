// Properties of the solver over many random worlds.
//   flows.solver [worlds [seed]]     (default 20000 1)
// The model is compared over all of them, what needs several searches for each world over some.
#include "tests/flows/solver_model.h"
#include "tests/flows/solver_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { WORLDS = 20000 };

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

static unsigned set_of(const struct solver_combination *combination) {
    unsigned set = 0;
    for (size_t i = 0; i < combination->n_applied; i++)
        set |= 1U << combination->applied[i].coupon;
    return set;
}

static void check_against_model(struct run *run, const struct solver_combination *found,
                                const struct model_price *expected) {
    check(run, set_of(found) == expected->set);
    check(run, found->n_applied == (size_t)expected->count); // no coupon twice
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
        check(run, solved == (n_sets > 0 || input->required_ids.n == 0)); // only what is forced can be impossible
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

static void check_exclusion(struct run *run, const struct solver_coupon *a, const struct solver_coupon *b) {
    check(run, !str_eq(a->id, b->id));
    check(run, str_empty(a->exclusive_group) || !str_eq(a->exclusive_group, b->exclusive_group));
    for (size_t i = 0; i < a->conflicts_with.n; i++) {
        check(run, !str_eq(a->conflicts_with.names[i], b->id));
        check(run, str_empty(b->exclusive_group) || !str_eq(a->conflicts_with.names[i], b->exclusive_group));
    }
}

// Goes through the coupons as they were applied, with what each found.
static void check_applied(struct run *run, const struct solver_input *input,
                          const struct solver_combination *combination, int64_t *left) {
    for (size_t a = 0; a < combination->n_applied; a++) {
        const struct solver_applied *applied = &combination->applied[a];
        const struct solver_coupon *coupon = &input->coupons[applied->coupon];
        int64_t spent = 0, sum = 0;
        for (size_t i = 0; i < input->n_lines; i++)
            if (holds(&coupon->condition_scope, &input->lines[i]))
                spent += coupon->minimum_base == SOLVER_BASE_ORIGINAL ? input->lines[i].amount : left[i];
        check(run, spent >= coupon->minimum_spend); // the threshold is met at its position
        for (size_t i = 0; i < input->n_lines; i++) {
            check(run, applied->shares[i] >= 0);
            check(run, applied->shares[i] == 0 || holds(&coupon->benefit_scope, &input->lines[i]));
            sum += applied->shares[i];
            left[i] -= applied->shares[i];
            check(run, left[i] >= 0);
        }
        check(run, applied->discount > 0 && sum == applied->discount);
        check(run, coupon->cap == 0 || applied->discount <= coupon->cap);
        check(run, coupon->expires_at_ms == 0 || input->now_ms < coupon->expires_at_ms);
        for (size_t b = 0; b < combination->n_applied; b++)
            if (a != b)
                check_exclusion(run, coupon, &input->coupons[combination->applied[b].coupon]);
    }
}

// [A52] the discounts of the lines add up to the discount, in every layer; no line falls below zero
static void check_combination(struct run *run, const struct solver_input *input,
                              const struct solver_combination *combination, int64_t list_price) {
    int64_t left[WORLD_LINES_MAX], sums[SOLVER_LAYERS] = {0}, payable = 0;
    for (size_t i = 0; i < input->n_lines; i++)
        left[i] = input->lines[i].amount;
    check_applied(run, input, combination, left);
    for (size_t i = 0; i < input->n_lines; i++) {
        const struct solver_share *share = &combination->shares[i];
        check(run, left[i] == input->lines[i].amount - share->discount[SOLVER_LAYER_COUPON]);
        check(run, share->discount[SOLVER_LAYER_POINTS] >= 0 && share->payable >= 0);
        check(run, left[i] == share->discount[SOLVER_LAYER_POINTS] + share->payable);
        for (int layer = 0; layer < SOLVER_LAYERS; layer++)
            sums[layer] += share->discount[layer];
        payable += share->payable;
    }
    for (int layer = 0; layer < SOLVER_LAYERS; layer++)
        check(run, sums[layer] == combination->discount[layer]);
    check(run, payable == combination->payable && payable >= 0 && payable <= list_price);
    const struct solver_points *points = &input->points;
    check(run, combination->points >= 0 && combination->points <= points->available);
    check(run, combination->points == 0 || combination->points % points->step_points == 0);
    check(run, points->max_points == 0 || combination->points <= points->max_points);
    check(run, !input->exclude_points || combination->points == 0);
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

static void check_replay(struct run *run, const struct solver_input *input,
                         const struct solver_combination *combination) {
    struct str ids[WORLD_COUPONS_MAX];
    for (size_t i = 0; i < combination->n_applied; i++)
        ids[i] = input->coupons[combination->applied[combination->n_applied - 1 - i].coupon].id;
    struct solver_choice choice = {{ids, combination->n_applied}, combination->points};
    struct solver_replayed replayed;
    struct error error = {0};
    check(run, solver_replay(input, &choice, &run->arena, &replayed, &error));
    check(run, replayed.refusal == SOLVER_FITS);
    const struct solver_combination *again = &replayed.combination;
    check(run, again->payable == combination->payable && again->points == combination->points);
    check(run, again->n_applied == combination->n_applied);
    check(run, memcmp(again->shares, combination->shares, input->n_lines * sizeof *again->shares) == 0);
    for (size_t i = 0; i < again->n_applied; i++)
        check(run, again->applied[i].coupon == combination->applied[i].coupon &&
                       again->applied[i].discount == combination->applied[i].discount);
}

static void test_replaying_a_kept_combination_gives_the_same_price(void **state) {
    struct run *run = *state;
    for (uint64_t i = 0, n = worlds / 4; i < n; i++) {
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
    for (uint64_t i = 0, n = worlds / 4; i < n; i++) {
        struct entropy entropy;
        next_world(run, i, &entropy);
        const struct solver_input *input = &run->world.input;
        unsigned set = (unsigned)entropy_below(&entropy, UINT64_C(1) << input->n_coupons);
        struct str ids[WORLD_COUPONS_MAX];
        struct solver_choice choice = {{ids, 0}, 0};
        for (size_t c = 0; c < input->n_coupons; c++)
            if (set >> c & 1)
                ids[choice.coupon_ids.n++] = input->coupons[c].id;
        struct model_price expected;
        model_price(input, set, &expected);
        choice.points = expected.points;
        struct solver_replayed replayed;
        struct error error = {0};
        check(run, solver_replay(input, &choice, &run->arena, &replayed, &error));
        check(run, (replayed.refusal == SOLVER_FITS) == expected.legal);
        if (expected.legal)
            check_against_model(run, &replayed.combination, &expected);
    }
}

// ---- Order and monotony -------------------------------------------------------------------------------------------

static bool same_coupons(const struct solver_input *a, const struct solver_combination *in_a,
                         const struct solver_input *b, const struct solver_combination *in_b) {
    bool same = in_a->n_applied == in_b->n_applied;
    for (size_t i = 0; same && i < in_a->n_applied; i++)
        same = str_eq(a->coupons[in_a->applied[i].coupon].id, b->coupons[in_b->applied[i].coupon].id) &&
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
        check(run, same_coupons(&a->input, first, &b->input, second));
    }
}

static void test_the_order_of_the_input_does_not_matter(void **state) {
    struct run *run = *state;
    for (uint64_t i = 0, n = worlds / 4; i < n; i++) {
        struct entropy entropy;
        struct world shuffled;
        next_world(run, i, &entropy);
        world_shuffle(&run->world, &entropy, &shuffled);
        check_same(run, &run->world, &shuffled);
    }
}

static void test_one_more_coupon_never_raises_what_is_payable(void **state) {
    struct run *run = *state;
    for (uint64_t i = 0, n = worlds / 4; i < n; i++) {
        struct entropy entropy;
        struct solver_result with, without;
        next_world(run, i, &entropy);
        struct solver_input *input = &run->world.input;
        input->required_ids.n = 0;
        // An id listed twice makes both unusable: one more there is one less.
        bool twin = input->n_coupons > 1 && str_eq(run->world.coupons[0].id, run->world.coupons[1].id);
        if (input->n_coupons == 0 || twin)
            continue;
        check(run, solve(run, &run->world, &with));
        input->n_coupons--;
        check(run, solve(run, &run->world, &without));
        check(run, with.combinations[0].payable <= without.combinations[0].payable);
    }
}

// ---- Where it can't be exact --------------------------------------------------------------------------------------

static void test_an_exhausted_budget_is_said_and_gives_legal_combinations(void **state) {
    struct run *run = *state;
    size_t cut = 0;
    for (uint64_t i = 0, n = worlds / 10; i < n; i++) {
        struct entropy entropy;
        struct solver_result result, exact;
        next_world(run, i, &entropy);
        check(run, solve(run, &run->world, &exact) || run->world.input.required_ids.n > 0);
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
    for (uint64_t i = 0, n = worlds / 100; i < n; i++) {
        struct entropy entropy = {.seeded = {i}};
        struct solver_result result;
        struct world shuffled;
        run->seed = i;
        arena_reset(&run->arena);
        world_believable(&run->world, &entropy, 1 + i % WORLD_LINES_MAX, 21 + i % 27);
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

int main(int argc, char **argv) {
    worlds = argc > 1 ? strtoull(argv[1], NULL, 10) : worlds;
    first_seed = argc > 2 ? strtoull(argv[2], NULL, 10) : first_seed;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_answer_is_the_optimum_and_the_next_best_in_order),
        cmocka_unit_test(test_every_combination_is_legal_and_its_shares_add_up),
        cmocka_unit_test(test_replaying_a_kept_combination_gives_the_same_price),
        cmocka_unit_test(test_replay_says_legal_exactly_where_the_model_does),
        cmocka_unit_test(test_the_order_of_the_input_does_not_matter),
        cmocka_unit_test(test_one_more_coupon_never_raises_what_is_payable),
        cmocka_unit_test(test_an_exhausted_budget_is_said_and_gives_legal_combinations),
        cmocka_unit_test(test_more_than_twenty_candidates_give_legal_combinations_in_any_order_of_input),
    };
    return cmocka_run_group_tests_name("flows.solver", tests, run_setup, run_teardown);
}
