// Any bytes as a purchase with benefits of every kind: a precise refusal or a legal answer, never a crash. Small
// purchases are compared with the plain model; the others get any numbers at all in their amounts, rules and times.
#include "tests/flows/solver_model.h"
#include "tests/flows/solver_world.h"
#include "tests/fuzz/fuzz.h"

enum { SMALL_BENEFITS = 6, NODES = 2000 };

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
        if (entropy_below(entropy, 2)) {
            struct solver_line *line = &world->lines[i];
            int64_t *line_fields[] = {&line->amount, &line->quantity, &line->unit_price};
            *line_fields[entropy_below(entropy, 3)] = any(entropy);
        }
    for (size_t i = 0; i < world->input.n_benefits; i++) {
        struct solver_benefit *benefit = &world->benefits[i];
        int64_t *rule[] = {&benefit->amount_off, &benefit->cap,        &benefit->minimum_spend, &benefit->expires_at_ms,
                           &benefit->per_unit,   &benefit->quota_left, &world->computed[i][0]};
        *rule[entropy_below(entropy, sizeof rule / sizeof rule[0])] = any(entropy);
        int32_t *small[] = {&benefit->percent_off_bp, &benefit->max_per_order, &world->bearers[i][0].share_bp};
        if (entropy_below(entropy, 4) == 0)
            *small[entropy_below(entropy, sizeof small / sizeof small[0])] = (int32_t)any(entropy);
        if (entropy_below(entropy, 8) == 0)
            benefit->kind = (enum solver_kind)entropy_below(entropy, SOLVER_KIND_UNKNOWN + 2);
        if (benefit->kind == SOLVER_COMPUTED && !benefit->computed && entropy_below(entropy, 2))
            benefit->computed = world->computed[i];
        if (entropy_below(entropy, 8) == 0)
            benefit->quota_unit = (enum solver_quota_unit)entropy_below(entropy, SOLVER_QUOTA_UNKNOWN + 2);
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
    struct str ids[SOLVER_SOURCES][WORLD_BENEFITS_MAX];
    struct solver_choice choice = {.points = combination->points};
    for (int source = 0; source < SOLVER_SOURCES; source++)
        choice.ids[source].names = ids[source];
    for (size_t i = 0; i < combination->n_applied; i++) {
        const struct solver_benefit *benefit = &input->benefits[combination->applied[i].benefit];
        ids[benefit->source][choice.ids[benefit->source].n++] = benefit->id;
    }
    struct solver_replayed replayed;
    struct error error = {0};
    bool answered = solver_replay(input, &choice, arena, &replayed, &error);
    assert(answered);
    assert(replayed.refusal == SOLVER_FITS && replayed.combination.payable == combination->payable);
}

static void check_borne(const struct solver_input *input, const struct solver_combination *combination) {
    for (size_t a = 0; a < combination->n_applied; a++) {
        const struct solver_benefit *benefit = &input->benefits[combination->applied[a].benefit];
        int64_t parts[SOLVER_BEARERS_MAX], sum = 0;
        size_t n;
        solver_bearers(benefit, &n);
        solver_borne(benefit, combination->applied[a].discount, parts);
        for (size_t i = 0; i < n; i++)
            sum += parts[i];
        assert(sum == combination->applied[a].discount);
    }
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
    world_small(&world, &entropy, small ? 5 : WORLD_LINES_MAX, small ? SMALL_BENEFITS : WORLD_BENEFITS_MAX);
    if (!small) {
        spoil(&world, &entropy);
        world.input.node_budget = NODES;
    }
    struct solver_result result;
    struct error error = {0};
    if (solver_solve(&world.input, &arena, &result, &error)) {
        for (size_t i = 0; i < result.n_combinations; i++) {
            check_shares(&world.input, &result, &result.combinations[i]);
            check_borne(&world.input, &result.combinations[i]);
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
