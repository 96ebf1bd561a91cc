#include "tests/flows/solver_world.h"

#include <assert.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

// "c00", … in no particular order of value.
static const char benefit_ids[WORLD_BENEFITS_MAX][4] = {
    "c00", "c01", "c02", "c03", "c04", "c05", "c06", "c07", "c08", "c09", "c10", "c11", "c12", "c13", "c14", "c15",
    "c16", "c17", "c18", "c19", "c20", "c21", "c22", "c23", "c24", "c25", "c26", "c27", "c28", "c29", "c30", "c31",
    "c32", "c33", "c34", "c35", "c36", "c37", "c38", "c39", "c40", "c41", "c42", "c43", "c44", "c45", "c46", "c47",
};

static const struct {
    const char *kind, *code;
} things[] = {{"fuel", "95"}, {"fuel", "92"}, {"goods", "cola"}, {"goods", "wiper"}, {"recharge", "card"}};

static const char *const scope_names[] = {"fuel", "goods", "95", "cola", "wiper", "recharge", "nothing"};
static const char *const groups[] = {"g1", "g2", "g3"};
static const struct str tender_kinds[] = {{"CARD", 4}, {"WECHAT", 6}, {"ALIPAY", 6}};

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
        .benefits = world->benefits,
        .tender_kinds = {tender_kinds, COUNT(tender_kinds)},
        .limits = world->limits,
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

static struct solver_names some_conflicts(struct entropy *entropy, struct str *names, size_t n_benefits) {
    size_t n = one_in(entropy, 3) ? 1 + entropy_below(entropy, 2) : 0;
    for (size_t i = 0; i < n; i++)
        names[i] = one_in(entropy, 3) ? str_c(groups[entropy_below(entropy, COUNT(groups))])
                                      : str_c(benefit_ids[entropy_below(entropy, n_benefits)]);
    return (struct solver_names){names, n};
}

// Of a kind that may be unknown here.
static struct solver_names some_kinds(struct entropy *entropy, struct str *names) {
    size_t n = one_in(entropy, 5) ? 1 + entropy_below(entropy, 2) : 0;
    for (size_t i = 0; i < n; i++)
        names[i] = one_in(entropy, 9) ? STR("CASH") : tender_kinds[entropy_below(entropy, COUNT(tender_kinds))];
    return (struct solver_names){names, n};
}

static void some_bearers(struct world *world, struct entropy *entropy, size_t i) {
    static const struct str names[] = {{"group", 5}, {"station", 7}, {"platform", 8}};
    int32_t rest = SOLVER_WHOLE_BP;
    struct solver_benefit *benefit = &world->benefits[i];
    benefit->bearers = world->bearers[i];
    benefit->n_bearers = entropy_below(entropy, COUNT(names) + 1);
    for (size_t k = 0; k < benefit->n_bearers; k++) {
        int32_t share = k + 1 == benefit->n_bearers ? rest : (int32_t)between(entropy, 0, rest);
        world->bearers[i][k] = (struct solver_bearer){.bearer = names[k], .share_bp = share};
        rest -= share;
    }
    if (benefit->n_bearers > 0 && one_in(entropy, 40))
        world->bearers[i][0].share_bp++; // malformed
}

static void some_quota(struct solver_benefit *benefit, struct entropy *entropy) {
    static const int64_t lefts[] = {0, 1, 2, 5, 10, 300, 1000, 5000};
    if (benefit->source != SOLVER_ACTIVITY || one_in(entropy, 2))
        return;
    benefit->quota_unit = (enum solver_quota_unit)between(entropy, SOLVER_QUOTA_TIMES, SOLVER_QUOTA_VOLUME);
    benefit->quota_left = lefts[entropy_below(entropy, COUNT(lefts))];
}

static void make_computed(struct world *world, struct entropy *entropy, size_t i, int64_t most) {
    struct solver_benefit *benefit = &world->benefits[i];
    benefit->kind = SOLVER_COMPUTED;
    benefit->computed = world->computed[i];
    benefit->cap = benefit->minimum_spend = 0;
    benefit->condition_scope.n = benefit->benefit_scope.n = 0;
    for (size_t line = 0; line < world->input.n_lines; line++)
        world->computed[i][line] = one_in(entropy, 3) ? 0 : between(entropy, 0, most);
    if (one_in(entropy, 40))
        world->computed[i][0] = -1; // malformed
}

static void small_benefit(struct world *world, struct entropy *entropy, size_t i, size_t n_benefits) {
    static const int64_t expiries[] = {0, WORLD_NOW_MS, WORLD_NOW_MS + 1, WORLD_NOW_MS + 2, WORLD_NOW_MS + 3};
    static const int64_t amounts[] = {1, 2, 3, 5, 10, 17, 20, 50};
    static const int32_t percents[] = {1, 500, 1000, 1250, 3333, 5000, 10000};
    static const int64_t minimums[] = {0, 0, 0, 1, 10, 20, 30, 40, 60, 100};
    static const enum solver_source sources[] = {SOLVER_COUPON,   SOLVER_COUPON,   SOLVER_COUPON,
                                                 SOLVER_ACTIVITY, SOLVER_ACTIVITY, SOLVER_LEVEL};
    struct solver_benefit *benefit = &world->benefits[i];
    *benefit = (struct solver_benefit){
        .source = sources[entropy_below(entropy, COUNT(sources))],
        .id = str_c(benefit_ids[i]),
        .kind = (enum solver_kind)between(entropy, SOLVER_AMOUNT_OFF, SOLVER_UNIT_PRICE),
        .amount_off = amounts[entropy_below(entropy, COUNT(amounts))],
        .percent_off_bp = percents[entropy_below(entropy, COUNT(percents))],
        .per_unit = between(entropy, 1, 5),
        .cap = one_in(entropy, 3) ? between(entropy, 1, 12) : 0,
        .minimum_spend = minimums[entropy_below(entropy, COUNT(minimums))],
        .minimum_base = one_in(entropy, 2) ? SOLVER_BASE_DISCOUNTED : SOLVER_BASE_ORIGINAL,
        .max_per_order = one_in(entropy, 2) ? (int32_t)between(entropy, 1, 4) : 0,
        .condition_scope = some_scope(entropy, world->conditions[i]),
        .benefit_scope = some_scope(entropy, world->scopes[i]),
        .exclusive_group = one_in(entropy, 3) ? str_c(groups[entropy_below(entropy, COUNT(groups))]) : STR_NONE,
        .conflicts_with = some_conflicts(entropy, world->conflicts[i], n_benefits),
        .tender_kinds = some_kinds(entropy, world->kinds[i]),
        .stacks = one_in(entropy, 2),
        .expires_at_ms = expiries[entropy_below(entropy, COUNT(expiries))],
    };
    if (benefit->source == SOLVER_ACTIVITY && one_in(entropy, 4))
        make_computed(world, entropy, i, 30);
    some_quota(benefit, entropy);
    some_bearers(world, entropy, i);
    if (one_in(entropy, 40))
        benefit->percent_off_bp = 10001; // malformed, if it is a percentage
    if (one_in(entropy, 40))
        benefit->amount_off = 0; // malformed, if it is an amount
}

static struct solver_line small_line(struct entropy *entropy) {
    size_t thing = entropy_below(entropy, COUNT(things));
    struct solver_line line = {.kind = str_c(things[thing].kind),
                               .code = str_c(things[thing].code),
                               .amount = one_in(entropy, 8) ? 0 : between(entropy, 1, 60),
                               .quantity = one_in(entropy, 5) ? 0 : between(entropy, 1, 1500)};
    line.unit_price =
        line.quantity > 0 && one_in(entropy, 2) ? line.amount * 100 / line.quantity : between(entropy, 0, 9);
    return line;
}

static void name_one(struct world *world, struct entropy *entropy, struct solver_names *lists, struct str *name) {
    const struct solver_benefit *benefit = &world->benefits[entropy_below(entropy, world->input.n_benefits)];
    *name = benefit->id;
    lists[benefit->source] = (struct solver_names){name, 1};
}

void world_small(struct world *world, struct entropy *entropy, size_t max_lines, size_t max_benefits) {
    world_init(world);
    struct solver_input *input = &world->input;
    input->n_lines = 1 + entropy_below(entropy, max_lines);
    input->n_benefits = entropy_below(entropy, max_benefits + 1);
    for (size_t i = 0; i < input->n_lines; i++)
        world->lines[i] = small_line(entropy);
    for (size_t i = 0; i < input->n_benefits; i++)
        small_benefit(world, entropy, i, input->n_benefits);
    input->n_limits = entropy_below(entropy, WORLD_LIMITS_MAX + 1);
    for (size_t i = 0; i < input->n_limits; i++)
        world->limits[i] = (struct solver_limit){
            .activity_id = str_c(i == 0 ? "limit0" : "limit1"),
            .scope = some_scope(entropy, world->limit_scopes[i]),
            .unit = (enum solver_quota_unit)between(entropy, SOLVER_QUOTA_TIMES, SOLVER_QUOTA_VOLUME)};
    if (input->n_benefits > 1 && one_in(entropy, 30))
        world->benefits[0].id = world->benefits[1].id;
    input->points = (struct solver_points){.available = one_in(entropy, 3) ? 0 : between(entropy, 1, 400),
                                           .step_points = between(entropy, 1, 20),
                                           .step_value = between(entropy, 1, 9),
                                           .max_share_bp = (int32_t)between(entropy, 0, 10) * 1000,
                                           .max_points = one_in(entropy, 2) ? between(entropy, 1, 200) : 0};
    input->exclude_points = one_in(entropy, 8);
    input->max_combinations = 1 + entropy_below(entropy, SOLVER_COMBINATIONS_MAX);
    if (input->n_benefits > 0 && one_in(entropy, 6))
        name_one(world, entropy, input->required, &world->required[0]);
    if (input->n_benefits > 0 && one_in(entropy, 6))
        name_one(world, entropy, input->excluded, &world->excluded[0]);
}

static void believable_lines(struct world *world, struct entropy *entropy, size_t n_lines) {
    world->input.n_lines = n_lines;
    for (size_t i = 0; i < n_lines; i++) {
        size_t thing = i == 0 ? entropy_below(entropy, 2) : entropy_below(entropy, COUNT(things));
        int64_t amount = thing < 2 ? between(entropy, 10000, 60000) : between(entropy, 300, 9900);
        int64_t unit_price = thing < 2 ? between(entropy, 700, 850) : amount;
        world->lines[i] = (struct solver_line){.kind = str_c(things[thing].kind),
                                               .code = str_c(things[thing].code),
                                               .amount = amount,
                                               .quantity = amount * 100 / unit_price,
                                               .unit_price = unit_price};
    }
    world->input.points = (struct solver_points){.available = between(entropy, 0, 50000),
                                                 .step_points = 100,
                                                 .step_value = 100,
                                                 .max_share_bp = 3000,
                                                 .max_points = 20000};
}

void world_believable(struct world *world, struct entropy *entropy, size_t n_lines, size_t n_benefits) {
    static const int64_t amounts[] = {300, 500, 800, 1000, 1500, 2000, 3000, 5000};
    static const int32_t percents[] = {200, 300, 500, 800, 1000, 1500, 2000};
    world_init(world);
    believable_lines(world, entropy, n_lines);
    world->input.n_benefits = n_benefits;
    for (size_t i = 0; i < n_benefits; i++) {
        bool percent = one_in(entropy, 3);
        world->benefits[i] = (struct solver_benefit){
            .id = str_c(benefit_ids[i]),
            .kind = percent ? SOLVER_PERCENT_OFF : SOLVER_AMOUNT_OFF,
            .amount_off = amounts[entropy_below(entropy, COUNT(amounts))],
            .percent_off_bp = percents[entropy_below(entropy, COUNT(percents))],
            .cap = percent && one_in(entropy, 2) ? between(entropy, 5, 50) * 100 : 0,
            .minimum_spend = one_in(entropy, 3) ? 0 : between(entropy, 1, 200) * 100,
            .minimum_base = one_in(entropy, 2) ? SOLVER_BASE_DISCOUNTED : SOLVER_BASE_ORIGINAL,
            .condition_scope = some_scope(entropy, world->conditions[i]),
            .benefit_scope = some_scope(entropy, world->scopes[i]),
            .exclusive_group = one_in(entropy, 3) ? str_c(groups[entropy_below(entropy, COUNT(groups))]) : STR_NONE,
            .conflicts_with = {world->conflicts[i], one_in(entropy, 4) ? 1 : 0},
            .expires_at_ms = WORLD_NOW_MS + between(entropy, 1, 30) * 86400000,
        };
        world->conflicts[i][0] = str_c(benefit_ids[entropy_below(entropy, n_benefits)]);
    }
}

void world_stackable(struct world *world, struct entropy *entropy, size_t n_lines, size_t n_benefits) {
    world_init(world);
    believable_lines(world, entropy, n_lines);
    world->input.n_benefits = n_benefits;
    for (size_t i = 0; i < n_benefits; i++) {
        bool percent = one_in(entropy, 3);
        world->benefits[i] = (struct solver_benefit){
            .id = str_c(benefit_ids[i]),
            .kind = percent ? SOLVER_PERCENT_OFF : SOLVER_AMOUNT_OFF,
            .amount_off = between(entropy, 1, 1000),
            .percent_off_bp = (int32_t)between(entropy, 10, 500),
            .minimum_spend = between(entropy, 0, 9) * 1000,
            .minimum_base = SOLVER_BASE_DISCOUNTED,
            .benefit_scope = some_scope(entropy, world->scopes[i]),
            .expires_at_ms = WORLD_NOW_MS + between(entropy, 1, 30) * 86400000,
        };
    }
}

void world_abundant(struct world *world, struct entropy *entropy, size_t n_lines, size_t n_benefits) {
    world_init(world);
    believable_lines(world, entropy, n_lines);
    int64_t list = 0;
    for (size_t i = 0; i < n_lines; i++)
        list += world->lines[i].amount;
    world->input.n_benefits = n_benefits;
    for (size_t i = 0; i < n_benefits; i++) {
        bool alike = one_in(entropy, 2);
        world->benefits[i] = (struct solver_benefit){
            .id = str_c(benefit_ids[i]),
            .kind = SOLVER_AMOUNT_OFF,
            .amount_off = alike ? list / 10 : between(entropy, list / 20, list / 5),
            .minimum_spend = one_in(entropy, 2) ? 0 : between(entropy, 1, list / 2),
            .minimum_base = SOLVER_BASE_DISCOUNTED,
            .benefit_scope = alike ? (struct solver_names){0} : some_scope(entropy, world->scopes[i]),
            .expires_at_ms = WORLD_NOW_MS + between(entropy, 1, 3) * 86400000,
        };
    }
}

// Levels, activities (some for what is paid by one kind of tender) and coupons, in this order.
static enum solver_source mixed_source(size_t i, size_t n) {
    return i < n / 7 ? SOLVER_LEVEL : i < n * 11 / 20 ? SOLVER_ACTIVITY : SOLVER_COUPON;
}

static void mixed_benefit(struct world *world, struct entropy *entropy, size_t i) {
    static const int64_t amounts[] = {300, 500, 800, 1000, 1500, 2000, 3000, 5000};
    static const int32_t percents[] = {100, 200, 300, 500, 800, 1000};
    struct solver_benefit *benefit = &world->benefits[i];
    size_t n = world->input.n_benefits;
    enum solver_source source = mixed_source(i, n);
    bool tender = source == SOLVER_ACTIVITY && one_in(entropy, 3), percent = one_in(entropy, 3);
    bool unit = source != SOLVER_COUPON && one_in(entropy, 2);
    *benefit = (struct solver_benefit){
        .source = source,
        .id = str_c(benefit_ids[i]),
        .kind = unit      ? one_in(entropy, 4) ? SOLVER_UNIT_PRICE : SOLVER_UNIT_OFF
                : percent ? SOLVER_PERCENT_OFF
                          : SOLVER_AMOUNT_OFF,
        .amount_off = amounts[entropy_below(entropy, COUNT(amounts))],
        .percent_off_bp = percents[entropy_below(entropy, COUNT(percents))],
        .cap = percent && one_in(entropy, 2) ? between(entropy, 5, 50) * 100 : 0,
        .minimum_spend = one_in(entropy, 3) ? 0 : between(entropy, 1, 200) * 100,
        .minimum_base = one_in(entropy, 2) ? SOLVER_BASE_DISCOUNTED : SOLVER_BASE_ORIGINAL,
        .max_per_order = one_in(entropy, 3) ? 3 : 0,
        .condition_scope = some_scope(entropy, world->conditions[i]),
        .benefit_scope = some_scope(entropy, world->scopes[i]),
        .exclusive_group = one_in(entropy, 4) ? str_c(groups[entropy_below(entropy, COUNT(groups))]) : STR_NONE,
        .conflicts_with = {world->conflicts[i], one_in(entropy, 5) ? 1 : 0},
        .tender_kinds = {world->kinds[i], tender ? 1 : 0},
        .stacks = !one_in(entropy, 3),
        .quota_unit = source == SOLVER_ACTIVITY && one_in(entropy, 3) ? SOLVER_QUOTA_TIMES : SOLVER_QUOTA_NONE,
        .quota_left = 1,
        .expires_at_ms = WORLD_NOW_MS + between(entropy, 1, 30) * 86400000,
    };
    benefit->per_unit = between(entropy, 5, 40);
    if (benefit->kind == SOLVER_UNIT_PRICE) { // of a litre
        benefit->per_unit = between(entropy, 680, 800);
        world->scopes[i][0] = STR("fuel");
        benefit->benefit_scope.n = 1;
    }
    world->kinds[i][0] = tender_kinds[entropy_below(entropy, COUNT(tender_kinds))];
    world->conflicts[i][0] = str_c(benefit_ids[entropy_below(entropy, n)]);
    if (source == SOLVER_ACTIVITY && one_in(entropy, 6))
        make_computed(world, entropy, i, 400);
}

void world_mixed(struct world *world, struct entropy *entropy, size_t n_lines, size_t n_benefits) {
    world_init(world);
    believable_lines(world, entropy, n_lines);
    world->input.n_benefits = n_benefits;
    for (size_t i = 0; i < n_benefits; i++)
        mixed_benefit(world, entropy, i);
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

// Whatever points into the world points into this one now.
static void shuffle_benefit(const struct world *world, const struct solver_benefit *from, const size_t *lines,
                            size_t to, struct world *shuffled) {
    struct solver_benefit *benefit = &shuffled->benefits[to];
    *benefit = *from;
    benefit->condition_scope = reversed(from->condition_scope, shuffled->conditions[to]);
    benefit->benefit_scope = reversed(from->benefit_scope, shuffled->scopes[to]);
    benefit->conflicts_with = reversed(from->conflicts_with, shuffled->conflicts[to]);
    benefit->tender_kinds = reversed(from->tender_kinds, shuffled->kinds[to]);
    if (from->kind == SOLVER_COMPUTED)
        benefit->computed = shuffled->computed[to];
    for (size_t i = 0; from->kind == SOLVER_COMPUTED && i < world->input.n_lines; i++)
        shuffled->computed[to][i] = from->computed[lines[i]];
}

void world_shuffle(const struct world *world, struct entropy *entropy, struct world *ret_shuffled) {
    size_t lines[WORLD_LINES_MAX], benefits[WORLD_BENEFITS_MAX];
    const struct solver_input *input = &world->input;
    *ret_shuffled = *world; // bearers and limits are still the old world's
    ret_shuffled->input.lines = ret_shuffled->lines;
    ret_shuffled->input.benefits = ret_shuffled->benefits;
    shuffle_order(entropy, lines, input->n_lines);
    shuffle_order(entropy, benefits, input->n_benefits);
    for (size_t i = 0; i < input->n_lines; i++)
        ret_shuffled->lines[i] = world->lines[lines[i]];
    for (size_t i = 0; i < input->n_benefits; i++)
        shuffle_benefit(world, &input->benefits[benefits[i]], lines, i, ret_shuffled);
}
