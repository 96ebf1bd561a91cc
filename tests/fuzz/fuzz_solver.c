// Any bytes as a purchase with coupons: a precise refusal or a legal answer, never a crash. Small purchases are
// compared with the plain model; the others get any numbers at all in their amounts, rules and times.
#include "tests/flows/solver_model.h"
#include "tests/flows/solver_world.h"
#include "tests/fuzz/fuzz.h"

enum { SMALL_COUPONS = 6, NODES = 2000 };

static int64_t any(struct entropy *entropy) {
    uint64_t value = entropy_below(entropy, UINT64_MAX);
    return (int64_t)(value >> entropy_below(entropy, 64));
}

// Puts any numbers into some of the fields.
static void spoil(struct world *world, struct entropy *entropy) {
    struct solver_points *points = &world->input.points;
    int64_t *fields[] = {&points->available, &points->step_points, &points->step_value, &points->max_points};
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        if (entropy_below(entropy, 2))
            *fields[i] = any(entropy);
    points->max_share_bp = (int32_t)any(entropy);
    for (size_t i = 0; i < world->input.n_lines; i++)
        if (entropy_below(entropy, 2))
            world->lines[i].amount = any(entropy);
    for (size_t i = 0; i < world->input.n_coupons; i++) {
        struct solver_coupon *coupon = &world->coupons[i];
        int64_t *rule[] = {&coupon->amount_off, &coupon->cap, &coupon->minimum_spend, &coupon->expires_at_ms};
        *rule[entropy_below(entropy, 4)] = any(entropy);
        if (entropy_below(entropy, 4) == 0)
            coupon->percent_off_bp = (int32_t)any(entropy);
    }
    world->input.now_ms = any(entropy);
}

static void check_shares(const struct solver_input *input, const struct solver_result *result,
                         const struct solver_combination *combination) {
    int64_t payable = 0, discounts = 0;
    for (size_t i = 0; i < input->n_lines; i++) {
        const struct solver_share *share = &combination->shares[i];
        int64_t discount = 0;
        for (int layer = 0; layer < SOLVER_LAYERS; layer++) {
            assert(share->discount[layer] >= 0);
            discount += share->discount[layer];
        }
        assert(share->payable >= 0 && share->payable + discount == input->lines[i].amount);
        payable += share->payable;
        discounts += discount;
    }
    assert(payable == combination->payable && payable + discounts == result->list_price);
}

static void check_replay(const struct solver_input *input, const struct solver_combination *combination,
                         struct arena *arena) {
    struct str ids[WORLD_COUPONS_MAX];
    for (size_t i = 0; i < combination->n_applied; i++)
        ids[i] = input->coupons[combination->applied[i].coupon].id;
    struct solver_choice choice = {{ids, combination->n_applied}, combination->points};
    struct solver_replayed replayed;
    struct error error = {0};
    bool answered = solver_replay(input, &choice, arena, &replayed, &error);
    assert(answered);
    assert(replayed.refusal == SOLVER_FITS && replayed.combination.payable == combination->payable);
}

static void check_model(const struct solver_input *input, const struct solver_result *result) {
    static struct model_price sets[MODEL_SETS_MAX];
    size_t n = model_rank(input, sets);
    size_t expected = n < input->max_combinations ? n : input->max_combinations;
    assert(result->exact && result->n_combinations == expected + 1);
    for (size_t i = 0; i < expected; i++)
        assert(sets[i].payable == result->combinations[i].payable && sets[i].points == result->combinations[i].points);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const uint8_t nothing[1];
    struct entropy entropy = {.bytes = size ? data : nothing, .n_bytes = size};
    static struct world world;
    struct arena arena;
    arena_init(&arena, SOLVER_ARENA_BYTES);
    bool small = entropy_below(&entropy, 2);
    world_small(&world, &entropy, small ? 5 : WORLD_LINES_MAX, small ? SMALL_COUPONS : WORLD_COUPONS_MAX);
    if (!small) {
        spoil(&world, &entropy);
        world.input.node_budget = NODES;
    }
    struct solver_result result;
    struct error error = {0};
    if (solver_solve(&world.input, &arena, &result, &error)) {
        for (size_t i = 0; i < result.n_combinations; i++) {
            check_shares(&world.input, &result, &result.combinations[i]);
            check_replay(&world.input, &result.combinations[i], &arena);
        }
        if (small)
            check_model(&world.input, &result);
    } else {
        assert(error_is(&error) && error.text[0] != '\0');
    }
    arena_release(&arena);
    return 0;
}
