#include "tests/flows/solver_world.h"

#include <assert.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

// "c00", … in no particular order of value.
static const char coupon_ids[WORLD_COUPONS_MAX][4] = {
    "c00", "c01", "c02", "c03", "c04", "c05", "c06", "c07", "c08", "c09", "c10", "c11", "c12", "c13", "c14", "c15",
    "c16", "c17", "c18", "c19", "c20", "c21", "c22", "c23", "c24", "c25", "c26", "c27", "c28", "c29", "c30", "c31",
    "c32", "c33", "c34", "c35", "c36", "c37", "c38", "c39", "c40", "c41", "c42", "c43", "c44", "c45", "c46", "c47",
};

static const struct {
    const char *kind, *code;
} things[] = {{"fuel", "95"}, {"fuel", "92"}, {"goods", "cola"}, {"goods", "wiper"}, {"recharge", "card"}};

static const char *const scope_names[] = {"fuel", "goods", "95", "cola", "wiper", "recharge", "nothing"};
static const char *const groups[] = {"g1", "g2", "g3"};

uint64_t entropy_below(struct entropy *entropy, uint64_t n) {
    assert(n > 0);
    if (!entropy->bytes)
        return seeded_below(&entropy->seeded, n);
    uint64_t value = 0;
    for (uint64_t span = 1; span < n && entropy->n_bytes > 0;
         span = span > UINT64_MAX / 256 ? UINT64_MAX : span * 256) {
        value = value << 8 | *entropy->bytes++;
        entropy->n_bytes--;
    }
    return value % n;
}

static bool one_in(struct entropy *entropy, uint64_t n) {
    return entropy_below(entropy, n) == 0;
}

static int64_t between(struct entropy *entropy, int64_t least, int64_t most) {
    return least + (int64_t)entropy_below(entropy, (uint64_t)(most - least + 1));
}

static void world_init(struct world *world) {
    *world = (struct world){0};
    world->input = (struct solver_input){
        .lines = world->lines,
        .coupons = world->coupons,
        .required_ids = {world->required, 0},
        .excluded_ids = {world->excluded, 0},
        .max_combinations = 3,
        .now_ms = WORLD_NOW_MS,
        .node_budget = UINT64_C(1) << 40,
    };
}

static struct solver_names some_scope(struct entropy *entropy, struct str *names) {
    size_t n = one_in(entropy, 2) ? 0 : 1 + entropy_below(entropy, 2);
    for (size_t i = 0; i < n; i++)
        names[i] = str_c(scope_names[entropy_below(entropy, COUNT(scope_names))]);
    return (struct solver_names){names, n};
}

static struct solver_names some_conflicts(struct entropy *entropy, struct str *names, size_t n_coupons) {
    size_t n = one_in(entropy, 3) ? 1 + entropy_below(entropy, 2) : 0;
    for (size_t i = 0; i < n; i++)
        names[i] = one_in(entropy, 3) ? str_c(groups[entropy_below(entropy, COUNT(groups))])
                                      : str_c(coupon_ids[entropy_below(entropy, n_coupons)]);
    return (struct solver_names){names, n};
}

static void small_coupon(struct world *world, struct entropy *entropy, size_t i, size_t n_coupons) {
    static const int64_t expiries[] = {0, WORLD_NOW_MS, WORLD_NOW_MS + 1, WORLD_NOW_MS + 2, WORLD_NOW_MS + 3};
    static const int64_t amounts[] = {1, 2, 3, 5, 10, 17, 20, 50};
    static const int32_t percents[] = {1, 500, 1000, 1250, 3333, 5000, 10000};
    static const int64_t minimums[] = {0, 0, 0, 1, 10, 20, 30, 40, 60, 100};
    struct solver_coupon *coupon = &world->coupons[i];
    *coupon = (struct solver_coupon){
        .id = str_c(coupon_ids[i]),
        .kind = one_in(entropy, 2) ? SOLVER_PERCENT_OFF : SOLVER_AMOUNT_OFF,
        .amount_off = amounts[entropy_below(entropy, COUNT(amounts))],
        .percent_off_bp = percents[entropy_below(entropy, COUNT(percents))],
        .cap = one_in(entropy, 3) ? between(entropy, 1, 12) : 0,
        .minimum_spend = minimums[entropy_below(entropy, COUNT(minimums))],
        .minimum_base = one_in(entropy, 2) ? SOLVER_BASE_DISCOUNTED : SOLVER_BASE_ORIGINAL,
        .condition_scope = some_scope(entropy, world->conditions[i]),
        .benefit_scope = some_scope(entropy, world->benefits[i]),
        .exclusive_group = one_in(entropy, 3) ? str_c(groups[entropy_below(entropy, COUNT(groups))]) : STR_NONE,
        .conflicts_with = some_conflicts(entropy, world->conflicts[i], n_coupons),
        .expires_at_ms = expiries[entropy_below(entropy, COUNT(expiries))],
    };
    if (one_in(entropy, 40))
        coupon->percent_off_bp = 10001; // malformed, if it is a percentage
    if (one_in(entropy, 40))
        coupon->amount_off = -1;
}

void world_small(struct world *world, struct entropy *entropy, size_t max_lines, size_t max_coupons) {
    world_init(world);
    struct solver_input *input = &world->input;
    input->n_lines = 1 + entropy_below(entropy, max_lines);
    input->n_coupons = entropy_below(entropy, max_coupons + 1);
    for (size_t i = 0; i < input->n_lines; i++) {
        size_t thing = entropy_below(entropy, COUNT(things));
        world->lines[i] = (struct solver_line){str_c(things[thing].kind), str_c(things[thing].code),
                                               one_in(entropy, 8) ? 0 : between(entropy, 1, 60)};
    }
    for (size_t i = 0; i < input->n_coupons; i++)
        small_coupon(world, entropy, i, input->n_coupons);
    if (input->n_coupons > 1 && one_in(entropy, 30))
        world->coupons[0].id = world->coupons[1].id;
    input->points = (struct solver_points){.available = one_in(entropy, 3) ? 0 : between(entropy, 1, 400),
                                           .step_points = between(entropy, 1, 20),
                                           .step_value = between(entropy, 1, 9),
                                           .max_share_bp = (int32_t)between(entropy, 0, 10) * 1000,
                                           .max_points = one_in(entropy, 2) ? between(entropy, 1, 200) : 0};
    input->exclude_points = one_in(entropy, 8);
    input->max_combinations = 1 + entropy_below(entropy, SOLVER_COMBINATIONS_MAX);
    if (input->n_coupons > 0 && one_in(entropy, 6)) {
        world->required[0] = world->coupons[entropy_below(entropy, input->n_coupons)].id;
        input->required_ids.n = 1;
    }
    if (input->n_coupons > 0 && one_in(entropy, 6)) {
        world->excluded[0] = world->coupons[entropy_below(entropy, input->n_coupons)].id;
        input->excluded_ids.n = 1;
    }
}

static void believable_lines(struct world *world, struct entropy *entropy, size_t n_lines) {
    world->input.n_lines = n_lines;
    for (size_t i = 0; i < n_lines; i++) {
        size_t thing = i == 0 ? entropy_below(entropy, 2) : entropy_below(entropy, COUNT(things));
        int64_t amount = thing < 2 ? between(entropy, 10000, 60000) : between(entropy, 300, 9900);
        world->lines[i] = (struct solver_line){str_c(things[thing].kind), str_c(things[thing].code), amount};
    }
    world->input.points = (struct solver_points){.available = between(entropy, 0, 50000),
                                                 .step_points = 100,
                                                 .step_value = 100,
                                                 .max_share_bp = 3000,
                                                 .max_points = 20000};
}

void world_believable(struct world *world, struct entropy *entropy, size_t n_lines, size_t n_coupons) {
    static const int64_t amounts[] = {300, 500, 800, 1000, 1500, 2000, 3000, 5000};
    static const int32_t percents[] = {200, 300, 500, 800, 1000, 1500, 2000};
    world_init(world);
    believable_lines(world, entropy, n_lines);
    world->input.n_coupons = n_coupons;
    for (size_t i = 0; i < n_coupons; i++) {
        bool percent = one_in(entropy, 3);
        world->coupons[i] = (struct solver_coupon){
            .id = str_c(coupon_ids[i]),
            .kind = percent ? SOLVER_PERCENT_OFF : SOLVER_AMOUNT_OFF,
            .amount_off = amounts[entropy_below(entropy, COUNT(amounts))],
            .percent_off_bp = percents[entropy_below(entropy, COUNT(percents))],
            .cap = percent && one_in(entropy, 2) ? between(entropy, 5, 50) * 100 : 0,
            .minimum_spend = one_in(entropy, 3) ? 0 : between(entropy, 1, 200) * 100,
            .minimum_base = one_in(entropy, 2) ? SOLVER_BASE_DISCOUNTED : SOLVER_BASE_ORIGINAL,
            .condition_scope = some_scope(entropy, world->conditions[i]),
            .benefit_scope = some_scope(entropy, world->benefits[i]),
            .exclusive_group = one_in(entropy, 3) ? str_c(groups[entropy_below(entropy, COUNT(groups))]) : STR_NONE,
            .conflicts_with = {world->conflicts[i], one_in(entropy, 4) ? 1 : 0},
            .expires_at_ms = WORLD_NOW_MS + between(entropy, 1, 30) * 86400000,
        };
        world->conflicts[i][0] = str_c(coupon_ids[entropy_below(entropy, n_coupons)]);
    }
}

void world_stackable(struct world *world, struct entropy *entropy, size_t n_lines, size_t n_coupons) {
    world_init(world);
    believable_lines(world, entropy, n_lines);
    world->input.n_coupons = n_coupons;
    for (size_t i = 0; i < n_coupons; i++) {
        bool percent = one_in(entropy, 3);
        world->coupons[i] = (struct solver_coupon){
            .id = str_c(coupon_ids[i]),
            .kind = percent ? SOLVER_PERCENT_OFF : SOLVER_AMOUNT_OFF,
            .amount_off = between(entropy, 1, 1000),
            .percent_off_bp = (int32_t)between(entropy, 10, 500),
            .minimum_spend = between(entropy, 0, 9) * 1000,
            .minimum_base = SOLVER_BASE_DISCOUNTED,
            .benefit_scope = some_scope(entropy, world->benefits[i]),
            .expires_at_ms = WORLD_NOW_MS + between(entropy, 1, 30) * 86400000,
        };
    }
}

void world_abundant(struct world *world, struct entropy *entropy, size_t n_lines, size_t n_coupons) {
    world_init(world);
    believable_lines(world, entropy, n_lines);
    int64_t list = 0;
    for (size_t i = 0; i < n_lines; i++)
        list += world->lines[i].amount;
    world->input.n_coupons = n_coupons;
    for (size_t i = 0; i < n_coupons; i++) {
        bool alike = one_in(entropy, 2);
        world->coupons[i] = (struct solver_coupon){
            .id = str_c(coupon_ids[i]),
            .kind = SOLVER_AMOUNT_OFF,
            .amount_off = alike ? list / 10 : between(entropy, list / 20, list / 5),
            .minimum_spend = one_in(entropy, 2) ? 0 : between(entropy, 1, list / 2),
            .minimum_base = SOLVER_BASE_DISCOUNTED,
            .benefit_scope = alike ? (struct solver_names){0} : some_scope(entropy, world->benefits[i]),
            .expires_at_ms = WORLD_NOW_MS + between(entropy, 1, 3) * 86400000,
        };
    }
}

static void shuffle_order(struct entropy *entropy, size_t *order, size_t n) {
    for (size_t i = 0; i < n; i++) {
        size_t j = entropy_below(entropy, i + 1);
        if (j < i)
            order[i] = order[j];
        order[j] = i;
    }
}

static struct solver_names reversed(struct solver_names names, struct str *into) {
    for (size_t i = 0; i < names.n; i++)
        into[i] = names.names[names.n - 1 - i];
    return (struct solver_names){into, names.n};
}

void world_shuffle(const struct world *world, struct entropy *entropy, struct world *ret_shuffled) {
    size_t lines[WORLD_LINES_MAX], coupons[WORLD_COUPONS_MAX];
    const struct solver_input *input = &world->input;
    *ret_shuffled = *world;
    ret_shuffled->input.lines = ret_shuffled->lines;
    ret_shuffled->input.coupons = ret_shuffled->coupons;
    ret_shuffled->input.required_ids.names = ret_shuffled->required;
    ret_shuffled->input.excluded_ids.names = ret_shuffled->excluded;
    shuffle_order(entropy, lines, input->n_lines);
    shuffle_order(entropy, coupons, input->n_coupons);
    for (size_t i = 0; i < input->n_lines; i++)
        ret_shuffled->lines[i] = world->lines[lines[i]];
    for (size_t i = 0; i < input->n_coupons; i++) {
        struct solver_coupon *coupon = &ret_shuffled->coupons[i];
        *coupon = world->coupons[coupons[i]];
        coupon->condition_scope = reversed(coupon->condition_scope, ret_shuffled->conditions[i]);
        coupon->benefit_scope = reversed(coupon->benefit_scope, ret_shuffled->benefits[i]);
        coupon->conflicts_with = reversed(coupon->conflicts_with, ret_shuffled->conflicts[i]);
    }
}
