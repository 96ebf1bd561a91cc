// The solver's rules one by one, at their boundaries.
#include "flows/trade/solver.h"
#include "tests/flows/arena.h"
#include "tests/flows/solver_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define NAMES(...)                                                                                                     \
    ((struct solver_names){(const struct str[]){__VA_ARGS__},                                                          \
                           sizeof((const struct str[]){__VA_ARGS__}) / sizeof(struct str)})

#define LINE(line_kind, line_code, line_amount)                                                                        \
    ((struct solver_line){.kind = STR(line_kind), .code = STR(line_code), .amount = (line_amount)})

enum { NOW = 1000 };

// Prices a purchase of `n_lines` lines with `n_benefits` coupons.
static struct solver_input purchase(const struct solver_line *lines, size_t n_lines,
                                    const struct solver_benefit *benefits, size_t n_benefits) {
    return (struct solver_input){.lines = lines,
                                 .n_lines = n_lines,
                                 .benefits = benefits,
                                 .n_benefits = n_benefits,
                                 .max_combinations = 3,
                                 .now_ms = NOW,
                                 .node_budget = SOLVER_NODE_BUDGET};
}

static struct solver_result solve(const struct solver_input *input) {
    struct solver_result result;
    struct error error = {0};
    arena_reset(&arena);
    if (!solver_solve(input, &arena, &result, &error))
        fail_msg("%s", error.text);
    return result;
}

static enum err refused(const struct solver_input *input, struct error *error) {
    struct solver_result result;
    *error = (struct error){0};
    arena_reset(&arena);
    assert_false(solver_solve(input, &arena, &result, error));
    return error->code;
}

static struct solver_replayed replay(const struct solver_input *input, struct solver_names ids, int64_t points) {
    struct solver_choice choice = {.ids = {[SOLVER_COUPON] = ids}, .points = points};
    struct solver_replayed replayed;
    struct error error = {0};
    if (!solver_replay(input, &choice, &arena, &replayed, &error))
        fail_msg("%s", error.text);
    return replayed;
}

// What is payable at best for one line of fuel with one coupon.
static int64_t fuel_with(int64_t amount, struct solver_benefit coupon) {
    struct solver_line line = LINE("fuel", "95", amount);
    coupon.id = STR("c");
    struct solver_input input = purchase(&line, 1, &coupon, 1);
    return solve(&input).combinations[0].payable;
}

// ---- One coupon ---------------------------------------------------------------------------------------------------

static void test_a_minimum_is_met_exactly_at_it_and_not_one_unit_below(void **state) {
    (void)state;
    const enum solver_minimum_base bases[] = {SOLVER_BASE_ORIGINAL, SOLVER_BASE_DISCOUNTED};
    for (size_t i = 0; i < 2; i++) {
        struct solver_benefit coupon = {.amount_off = 500, .minimum_spend = 20000, .minimum_base = bases[i]};
        assert_int_equal(fuel_with(20000, coupon), 19500);
        assert_int_equal(fuel_with(19999, coupon), 19999);
    }
}

static void test_a_discounted_minimum_counts_what_the_coupons_before_have_left(void **state) {
    (void)state;
    struct solver_line line = LINE("fuel", "95", 20000);
    struct solver_benefit coupons[] = {
        {.id = STR("ten"), .kind = SOLVER_PERCENT_OFF, .percent_off_bp = 1000, .exclusive_group = STR("a")},
        {.id = STR("off"), .amount_off = 500, .minimum_spend = 18000, .minimum_base = SOLVER_BASE_DISCOUNTED},
    };
    struct solver_input input = purchase(&line, 1, coupons, 2);
    assert_int_equal(solve(&input).combinations[0].payable, 17500); // 20000 - 2000, exactly the minimum, - 500
    coupons[1].minimum_spend = 18001;
    assert_int_equal(solve(&input).combinations[0].payable, 18000); // one unit below: the percentage alone
    coupons[1].minimum_base = SOLVER_BASE_ORIGINAL;
    assert_int_equal(solve(&input).combinations[0].payable, 17500);
}

static void test_a_cap_holds_from_the_unit_at_which_it_is_reached(void **state) {
    (void)state;
    struct solver_benefit coupon = {.kind = SOLVER_PERCENT_OFF, .percent_off_bp = 1000, .cap = 2000};
    assert_int_equal(fuel_with(19990, coupon), 19990 - 1999);
    assert_int_equal(fuel_with(20000, coupon), 18000);
    assert_int_equal(fuel_with(30000, coupon), 28000);
}

static void test_a_coupon_is_usable_until_the_instant_of_its_expiry(void **state) {
    (void)state;
    struct solver_benefit coupon = {.amount_off = 100};
    assert_int_equal(fuel_with(1000, coupon), 900); // never expires
    coupon.expires_at_ms = NOW + 1;
    assert_int_equal(fuel_with(1000, coupon), 900);
    coupon.expires_at_ms = NOW;
    assert_int_equal(fuel_with(1000, coupon), 1000);
    coupon.expires_at_ms = NOW - 1;
    assert_int_equal(fuel_with(1000, coupon), 1000);
}

static void test_a_percentage_rounds_half_up_once_for_the_coupon(void **state) {
    (void)state;
    struct solver_benefit coupon = {.kind = SOLVER_PERCENT_OFF, .percent_off_bp = 1000};
    assert_int_equal(fuel_with(14, coupon), 13); // 1.4 off
    assert_int_equal(fuel_with(15, coupon), 13); // 1.5 off
    // Three lines of 5 would round to 1 each; the coupon takes 1.5, so 2.
    struct solver_line lines[] = {LINE("fuel", "92", 5), LINE("fuel", "95", 5), LINE("goods", "x", 5)};
    coupon.id = STR("c");
    struct solver_input input = purchase(lines, 3, &coupon, 1);
    assert_int_equal(solve(&input).combinations[0].discount[SOLVER_LAYER_COUPON], 2);
}

static void test_a_discount_is_at_most_what_is_left_and_a_useless_coupon_is_not_spent(void **state) {
    (void)state;
    assert_int_equal(fuel_with(300, (struct solver_benefit){.amount_off = 500}), 0);
    struct solver_line line = LINE("fuel", "95", 300);
    struct solver_benefit coupons[] = {{.id = STR("a"), .amount_off = 300}, {.id = STR("b"), .amount_off = 100}};
    struct solver_input input = purchase(&line, 1, coupons, 2);
    assert_int_equal(solve(&input).combinations[0].n_applied, 1);
    assert_int_equal(replay(&input, NAMES(STR("a"), STR("b")), 0).refusal, SOLVER_SAVES_NOTHING);
}

static void test_a_condition_on_fuel_can_save_on_goods_and_only_there(void **state) {
    (void)state;
    struct solver_line lines[] = {LINE("fuel", "95", 20000), LINE("goods", "cola", 300)};
    struct solver_benefit coupon = {.id = STR("c"),
                                    .amount_off = 500,
                                    .minimum_spend = 20000,
                                    .condition_scope = NAMES(STR("fuel")),
                                    .benefit_scope = NAMES(STR("cola"))};
    struct solver_input input = purchase(lines, 2, &coupon, 1);
    struct solver_result result = solve(&input);
    assert_int_equal(result.combinations[0].payable, 20000);
    assert_int_equal(result.combinations[0].shares[0].payable, 20000);
    assert_int_equal(result.combinations[0].shares[1].payable, 0);
    input = purchase(&lines[1], 1, &coupon, 1); // no fuel
    assert_int_equal(solve(&input).combinations[0].payable, 300);
    coupon.minimum_spend = 0; // the condition still asks for fuel
    assert_int_equal(replay(&input, NAMES(STR("c")), 0).refusal, SOLVER_CONDITION_ABSENT);
}

// ---- Several coupons ----------------------------------------------------------------------------------------------

static void test_a_group_allows_one_and_either_sides_conflict_counts(void **state) {
    (void)state;
    struct solver_line line = LINE("fuel", "95", 10000);
    struct solver_benefit grouped[] = {{.id = STR("a"), .amount_off = 100, .exclusive_group = STR("g")},
                                       {.id = STR("b"), .amount_off = 200, .exclusive_group = STR("g")}};
    struct solver_benefit by_id[] = {{.id = STR("a"), .amount_off = 100, .conflicts_with = NAMES(STR("b"))},
                                     {.id = STR("b"), .amount_off = 200}};
    struct solver_benefit by_group[] = {{.id = STR("a"), .amount_off = 100, .conflicts_with = NAMES(STR("g"))},
                                        {.id = STR("b"), .amount_off = 200, .exclusive_group = STR("g")}};
    struct solver_benefit free_of_each_other[] = {
        {.id = STR("a"), .amount_off = 100, .conflicts_with = NAMES(STR("a"))}, {.id = STR("b"), .amount_off = 200}};
    const struct solver_benefit *pairs[] = {grouped, by_id, by_group, free_of_each_other};
    for (size_t i = 0; i < 4; i++) {
        struct solver_input input = purchase(&line, 1, pairs[i], 2);
        assert_int_equal(solve(&input).combinations[0].payable, i < 3 ? 9800 : 9700);
        assert_int_equal(replay(&input, NAMES(STR("b"), STR("a")), 0).refusal,
                         i < 3 ? SOLVER_CONFLICTING : SOLVER_FITS);
    }
}

static void test_percentages_come_first_then_the_narrower_scope(void **state) {
    (void)state;
    struct solver_line lines[] = {LINE("fuel", "95", 1000), LINE("goods", "cola", 1000)};
    struct solver_benefit coupons[] = {
        {.id = STR("wide"), .amount_off = 1000},
        {.id = STR("narrow"), .amount_off = 900, .benefit_scope = NAMES(STR("fuel"))},
        {.id = STR("ten"), .kind = SOLVER_PERCENT_OFF, .percent_off_bp = 1000},
    };
    struct solver_input input = purchase(lines, 2, coupons, 3);
    struct solver_result result = solve(&input);
    const struct solver_combination *best = &result.combinations[0];
    assert_int_equal(best->payable, 0); // 200 + 900 + 900: the wide one finds what the narrow one has left
    assert_int_equal(best->n_applied, 3);
    assert_int_equal(best->applied[0].benefit, 2);
    assert_int_equal(best->applied[1].benefit, 1);
    assert_int_equal(best->applied[2].benefit, 0);
    assert_int_equal(best->applied[2].shares[0], 0);
    assert_int_equal(best->applied[2].shares[1], 900);
}

static void expect_best(struct solver_input *input, const char *ids) {
    struct solver_result result = solve(input);
    assert_int_equal(result.combinations[0].n_applied, strlen(ids)); // each id is one letter
    for (size_t i = 0; ids[i]; i++)
        assert_int_equal(input->benefits[result.combinations[0].applied[i].benefit].id.ptr[0], ids[i]);
}

static void test_ties_go_to_fewer_points_fewer_coupons_earlier_expiry_smaller_id(void **state) {
    (void)state;
    struct solver_line line = LINE("fuel", "95", 300);
    // 200 off leaves 100 and no points; nothing off leaves 300 of which points may pay 200: both cost 100.
    struct solver_benefit points[] = {{.id = STR("a"), .amount_off = 200}};
    struct solver_input input = purchase(&line, 1, points, 1);
    input.points =
        (struct solver_points){.available = 200, .step_points = 200, .step_value = 200, .max_share_bp = 10000};
    expect_best(&input, "a");
    struct solver_benefit fewer[] = {
        {.id = STR("a"), .amount_off = 100}, {.id = STR("b"), .amount_off = 100}, {.id = STR("c"), .amount_off = 300}};
    input = purchase(&line, 1, fewer, 3);
    fewer[0].amount_off = 200;
    expect_best(&input, "c");
    struct solver_benefit sooner[] = {
        {.id = STR("a"), .amount_off = 100, .expires_at_ms = NOW + 9, .exclusive_group = STR("g")},
        {.id = STR("b"), .amount_off = 100, .exclusive_group = STR("g")},
        {.id = STR("c"), .amount_off = 100, .expires_at_ms = NOW + 8, .exclusive_group = STR("g")}};
    input = purchase(&line, 1, sooner, 3);
    expect_best(&input, "c");
    sooner[2].expires_at_ms = NOW + 9;
    expect_best(&input, "a");
}

// ---- Points -------------------------------------------------------------------------------------------------------

static int64_t points_for(int64_t amount, struct solver_points points) {
    struct solver_line line = LINE("fuel", "95", amount);
    struct solver_input input = purchase(&line, 1, NULL, 0);
    input.points = points;
    struct solver_result result = solve(&input);
    assert_int_equal(result.combinations[0].payable, amount - result.combinations[0].points / 100 * points.step_value);
    return result.combinations[0].points;
}

static void test_points_go_in_whole_steps_up_to_balance_maximum_and_share(void **state) {
    (void)state;
    struct solver_points points = {.available = 1099, .step_points = 100, .step_value = 50, .max_share_bp = 10000};
    assert_int_equal(points_for(100000, points), 1000);
    points.max_points = 999;
    assert_int_equal(points_for(100000, points), 900);
    points.max_share_bp = 3000;
    assert_int_equal(points_for(1000, points), 600); // 300 of 1000
    assert_int_equal(points_for(999, points), 500);  // 299.7, and 299 is no sixth step
    points.max_share_bp = 0;
    assert_int_equal(points_for(100000, points), 0);
}

static void test_a_rule_of_points_without_sense_means_no_points(void **state) {
    (void)state;
    const struct solver_points good = {.available = 500, .step_points = 100, .step_value = 50, .max_share_bp = 10000};
    struct solver_points bad[7] = {good, good, good, good, good, good, good};
    bad[0].step_points = 0;
    bad[1].step_value = 0;
    bad[2].step_value = INT64_MAX;
    bad[3].max_share_bp = 10001;
    bad[4].available = INT64_MIN;
    bad[5].max_points = -1;
    bad[6].step_points = INT64_MAX;
    assert_int_equal(points_for(1000, good), 500);
    for (size_t i = 0; i < 7; i++)
        assert_int_equal(points_for(1000, bad[i]), 0);
}

static void test_points_of_a_choice_are_taken_as_chosen_or_refused(void **state) {
    (void)state;
    struct solver_line line = LINE("fuel", "95", 1000);
    struct solver_input input = purchase(&line, 1, NULL, 0);
    input.points =
        (struct solver_points){.available = 500, .step_points = 100, .step_value = 50, .max_share_bp = 10000};
    struct solver_replayed replayed = replay(&input, (struct solver_names){0}, 300);
    assert_int_equal(replayed.refusal, SOLVER_FITS);
    assert_int_equal(replayed.combination.payable, 850);
    assert_int_equal(replay(&input, (struct solver_names){0}, 600).refusal, SOLVER_POINTS_REFUSED);
    assert_int_equal(replay(&input, (struct solver_names){0}, 50).refusal, SOLVER_POINTS_REFUSED);
    assert_int_equal(replay(&input, (struct solver_names){0}, -100).refusal, SOLVER_POINTS_REFUSED);
    input.exclude_points = true;
    assert_int_equal(replay(&input, (struct solver_names){0}, 100).refusal, SOLVER_POINTS_REFUSED);
}

// ---- Splits -------------------------------------------------------------------------------------------------------

// [A52] a discount is split over its lines by largest remainder, in whole minor units that add up to it
static void test_a_discount_is_split_by_largest_remainder(void **state) {
    (void)state;
    struct solver_line lines[] = {LINE("fuel", "95", 100), LINE("fuel", "92", 100), LINE("goods", "cola", 100)};
    struct solver_benefit coupon = {.id = STR("c"), .amount_off = 100};
    struct solver_input input = purchase(lines, 3, &coupon, 1);
    struct solver_result result = solve(&input);
    const struct solver_applied *applied = &result.combinations[0].applied[0];
    assert_int_equal(applied->shares[1], 34); // fuel 92 is the smallest of equals, wherever it is listed
    assert_int_equal(applied->shares[0], 33);
    assert_int_equal(applied->shares[2], 33);
    lines[0].amount = 199; // 49.87, 25.06, 25.06
    result = solve(&input);
    applied = &result.combinations[0].applied[0];
    assert_int_equal(applied->shares[0], 50);
    assert_int_equal(applied->shares[1] + applied->shares[2], 50);
}

// ---- Forced and excluded ------------------------------------------------------------------------------------------

// [A77] a forced coupon is in every combination but the last; one that is foreign, expired or excluded is refused by
// name
static void test_a_forced_coupon_is_used_or_refused_by_name(void **state) {
    (void)state;
    struct solver_line line = LINE("fuel", "95", 10000);
    struct solver_benefit coupons[] = {{.id = STR("good"), .amount_off = 500, .exclusive_group = STR("g")},
                                       {.id = STR("poor"), .amount_off = 100, .exclusive_group = STR("g")},
                                       {.id = STR("old"), .amount_off = 900, .expires_at_ms = NOW}};
    struct solver_input input = purchase(&line, 1, coupons, 3);
    struct error error;
    input.required[SOLVER_COUPON] = NAMES(STR("poor"));
    struct solver_result result = solve(&input);
    assert_int_equal(result.n_combinations, 2);
    assert_int_equal(result.combinations[0].payable, 9900);
    assert_int_equal(result.combinations[1].payable, 10000);
    input.required[SOLVER_COUPON] = NAMES(STR("foreign"));
    assert_int_equal(refused(&input, &error), ERR_BENEFIT_UNAVAILABLE);
    assert_string_equal(error.text, "required coupon foreign: it is not among the usable ones");
    input.required[SOLVER_COUPON] = NAMES(STR("old"));
    assert_int_equal(refused(&input, &error), ERR_BENEFIT_UNAVAILABLE);
    assert_string_equal(error.text, "required coupon old: it has expired");
    input.required[SOLVER_COUPON] = NAMES(STR("poor"), STR("good"));
    assert_int_equal(refused(&input, &error), ERR_BENEFIT_UNAVAILABLE);
    input.required[SOLVER_COUPON] = NAMES(STR("good"));
    input.excluded[SOLVER_COUPON] = NAMES(STR("good"));
    assert_int_equal(refused(&input, &error), ERR_BENEFIT_UNAVAILABLE);
    assert_string_equal(error.text, "required coupon good: it is excluded");
}

// [A77] a choice that names a coupon which the quote does not have is refused
static void test_a_foreign_choice_is_refused(void **state) {
    (void)state;
    struct solver_line line = LINE("fuel", "95", 10000);
    struct solver_benefit coupon = {.id = STR("mine"), .amount_off = 500};
    struct solver_input input = purchase(&line, 1, &coupon, 1);
    struct solver_replayed replayed = replay(&input, NAMES(STR("mine"), STR("yours")), 0);
    assert_int_equal(replayed.refusal, SOLVER_UNKNOWN);
    assert_true(str_eq(replayed.refused_id, STR("yours")));
    assert_int_equal(replay(&input, NAMES(STR("mine"), STR("mine")), 0).combination.payable, 9500); // once
}

// ---- Broken and hostile input -------------------------------------------------------------------------------------

static void test_a_malformed_or_doubled_coupon_is_never_used_and_fails_nothing(void **state) {
    (void)state;
    struct solver_line line = LINE("fuel", "95", 10000);
    static const struct str many[SOLVER_NAMES_MAX + 1];
    struct solver_benefit coupons[] = {
        {.id = STR("zero")},
        {.id = STR("negative"), .amount_off = -5},
        {.id = STR("huge"), .amount_off = MONEY_MAX + 1},
        {.id = STR("percent"), .kind = SOLVER_PERCENT_OFF, .percent_off_bp = 10001},
        {.id = STR("kind"), .kind = (enum solver_kind)7, .amount_off = 5},
        {.id = STR("base"), .amount_off = 5, .minimum_base = (enum solver_minimum_base)9},
        {.id = STR("cap"), .amount_off = 5, .cap = -1},
        {.id = STR("minimum"), .amount_off = 5, .minimum_spend = INT64_MIN},
        {.id = STR("scope"), .amount_off = 5, .benefit_scope = {many, SOLVER_NAMES_MAX + 1}},
        {.id = STR(""), .amount_off = 5},
        {.id = STR("twin"), .amount_off = 5},
        {.id = STR("twin"), .amount_off = 6},
        {.id = STR("good"), .amount_off = 1},
    };
    size_t n = sizeof coupons / sizeof coupons[0];
    struct solver_input input = purchase(&line, 1, coupons, n);
    struct solver_result result = solve(&input);
    assert_int_equal(result.n_combinations, 2);
    assert_int_equal(result.combinations[0].payable, 9999);
    for (size_t i = 0; i + 1 < n; i++)
        assert_int_equal(replay(&input, NAMES(coupons[i].id), 0).refusal,
                         str_eq(coupons[i].id, STR("twin")) ? SOLVER_LISTED_TWICE : SOLVER_MALFORMED);
}

// [A51] lines that add up to more than an amount may be are refused; the largest amounts that may be are priced exactly
static void test_amounts_at_the_edge_do_not_overflow(void **state) {
    (void)state;
    struct solver_line lines[] = {LINE("fuel", "95", MONEY_MAX), LINE("fuel", "92", 1)};
    struct solver_benefit coupon = {.id = STR("c"), .kind = SOLVER_PERCENT_OFF, .percent_off_bp = 9999};
    struct solver_input input = purchase(lines, 2, &coupon, 1);
    struct error error;
    assert_int_equal(refused(&input, &error), ERR_AMOUNT_OVERFLOW);
    input.n_lines = 1;
    input.points = (struct solver_points){
        .available = INT64_MAX, .step_points = 1, .step_value = 1, .max_share_bp = 10000, .max_points = INT64_MAX};
    assert_int_equal(solve(&input).combinations[0].discount[SOLVER_LAYER_COUPON], MONEY_MAX / 10000 * 9999);
    assert_int_equal(solve(&input).combinations[0].payable, 0);
    input.points.step_value = MONEY_MAX;
    assert_int_equal(solve(&input).combinations[0].payable, 0); // points alone: one step pays it all
    lines[0].amount = -1;
    assert_int_equal(refused(&input, &error), ERR_INVALID_REQUEST);
    assert_string_equal(error.fields[0].path, "lines[0].amount");
}

static void test_every_field_out_of_bounds_is_named(void **state) {
    (void)state;
    struct solver_input input = {.n_benefits = SOLVER_BENEFITS_MAX + 1,
                                 .max_combinations = SOLVER_COMBINATIONS_MAX + 1};
    struct error error;
    assert_int_equal(refused(&input, &error), ERR_INVALID_REQUEST);
    assert_int_equal(error.n_fields, 3);
}

static void test_the_largest_input_fits_into_the_stated_memory(void **state) {
    (void)state;
    static struct solver_line lines[SOLVER_LINES_MAX];
    static struct solver_benefit coupons[SOLVER_BENEFITS_MAX];
    static char ids[SOLVER_BENEFITS_MAX][8];
    for (size_t i = 0; i < SOLVER_LINES_MAX; i++)
        lines[i] = LINE("goods", "x", 1000);
    for (size_t i = 0; i < SOLVER_BENEFITS_MAX; i++) {
        snprintf(ids[i], sizeof ids[i], "c%zu", i);
        coupons[i] = (struct solver_benefit){.id = str_c(ids[i]), .amount_off = 1 + (int64_t)(i % 97)};
    }
    struct solver_input input = purchase(lines, SOLVER_LINES_MAX, coupons, SOLVER_BENEFITS_MAX);
    input.max_combinations = SOLVER_COMBINATIONS_MAX;
    struct solver_result result = solve(&input);
    assert_false(result.exact);
    assert_int_equal(result.n_combinations, SOLVER_COMBINATIONS_MAX + 1);
    assert_int_equal(result.combinations[0].n_applied, SOLVER_CANDIDATES_MAX);
}

static void test_too_little_memory_is_an_error_wherever_it_ends(void **state) {
    (void)state;
    static struct world world;
    struct entropy entropy = {.seeded = {7}};
    world_believable(&world, &entropy, 5, 20);
    world.input.node_budget = 10; // so that the beam is needed too
    size_t failures = 0;
    for (size_t max = 0;; max += 64) {
        struct arena small;
        struct solver_result result;
        struct error error = {0};
        arena_init(&small, max);
        bool solved = solver_solve(&world.input, &small, &result, &error);
        arena_release(&small);
        if (solved)
            break;
        assert_int_equal(error.code, ERR_OVERLOADED);
        failures++;
    }
    assert_true(failures > 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_minimum_is_met_exactly_at_it_and_not_one_unit_below),
        cmocka_unit_test(test_a_discounted_minimum_counts_what_the_coupons_before_have_left),
        cmocka_unit_test(test_a_cap_holds_from_the_unit_at_which_it_is_reached),
        cmocka_unit_test(test_a_coupon_is_usable_until_the_instant_of_its_expiry),
        cmocka_unit_test(test_a_percentage_rounds_half_up_once_for_the_coupon),
        cmocka_unit_test(test_a_discount_is_at_most_what_is_left_and_a_useless_coupon_is_not_spent),
        cmocka_unit_test(test_a_condition_on_fuel_can_save_on_goods_and_only_there),
        cmocka_unit_test(test_a_group_allows_one_and_either_sides_conflict_counts),
        cmocka_unit_test(test_percentages_come_first_then_the_narrower_scope),
        cmocka_unit_test(test_ties_go_to_fewer_points_fewer_coupons_earlier_expiry_smaller_id),
        cmocka_unit_test(test_points_go_in_whole_steps_up_to_balance_maximum_and_share),
        cmocka_unit_test(test_a_rule_of_points_without_sense_means_no_points),
        cmocka_unit_test(test_points_of_a_choice_are_taken_as_chosen_or_refused),
        cmocka_unit_test(test_a_discount_is_split_by_largest_remainder),
        cmocka_unit_test(test_a_forced_coupon_is_used_or_refused_by_name),
        cmocka_unit_test(test_a_foreign_choice_is_refused),
        cmocka_unit_test(test_a_malformed_or_doubled_coupon_is_never_used_and_fails_nothing),
        cmocka_unit_test(test_amounts_at_the_edge_do_not_overflow),
        cmocka_unit_test(test_every_field_out_of_bounds_is_named),
        cmocka_unit_test(test_the_largest_input_fits_into_the_stated_memory),
        cmocka_unit_test(test_too_little_memory_is_an_error_wherever_it_ends),
    };
    return cmocka_run_group_tests_name("flows.solver_rules", tests, arena_setup, arena_teardown);
}
