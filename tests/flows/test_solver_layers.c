// The solver's layers and the kinds of rules in them, at their boundaries: levels, activities, tenders, quota, bearers.
#include "flows/trade/solver.h"
#include "tests/flows/arena.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define NAMES(...)                                                                                                     \
    ((struct solver_names){(const struct str[]){__VA_ARGS__},                                                          \
                           sizeof((const struct str[]){__VA_ARGS__}) / sizeof(struct str)})
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { NOW = 1000 };

// 50.00 litres at 8.00.
static const struct solver_line fuel = {
    .kind = {"fuel", 4}, .code = {"95", 2}, .amount = 40000, .quantity = 5000, .unit_price = 800};
static const struct solver_line cola = {
    .kind = {"goods", 5}, .code = {"cola", 4}, .amount = 600, .quantity = 200, .unit_price = 300};

static const struct str tender_kinds[] = {{"CARD", 4}, {"WECHAT", 6}, {"ALIPAY", 6}};

static struct solver_input purchase(const struct solver_line *lines, size_t n_lines,
                                    const struct solver_benefit *benefits, size_t n_benefits) {
    return (struct solver_input){.lines = lines,
                                 .n_lines = n_lines,
                                 .benefits = benefits,
                                 .n_benefits = n_benefits,
                                 .tender_kinds = {tender_kinds, COUNT(tender_kinds)},
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
    assert_true(result.exact);
    return result;
}

static struct solver_combination best(const struct solver_input *input) {
    return solve(input).combinations[0];
}

static enum solver_refusal replayed(const struct solver_input *input, const struct solver_choice *choice) {
    struct solver_replayed result;
    struct error error = {0};
    if (!solver_replay(input, choice, &arena, &result, &error))
        fail_msg("%s", error.text);
    return result.refusal;
}

static int64_t off_fuel(struct solver_benefit benefit) {
    benefit.id = STR("b");
    struct solver_input input = purchase(&fuel, 1, &benefit, 1);
    return 40000 - best(&input).payable;
}

// ---- Kinds --------------------------------------------------------------------------------------------------------

static void test_so_much_off_a_unit_rounds_half_up_once_for_each_line(void **state) {
    (void)state;
    assert_int_equal(off_fuel((struct solver_benefit){.kind = SOLVER_UNIT_OFF, .per_unit = 15}), 750);
    struct solver_line lines[] = {fuel, fuel};
    lines[0].quantity = 150; // 1.5 and 2.49 units at 1: 2 and 2
    lines[1].quantity = 249;
    struct solver_benefit benefit = {.id = STR("b"), .kind = SOLVER_UNIT_OFF, .per_unit = 1};
    struct solver_input input = purchase(lines, 2, &benefit, 1);
    struct solver_combination combination = best(&input);
    assert_int_equal(combination.shares[0].discount[SOLVER_LAYER_COUPON], 2);
    assert_int_equal(combination.shares[1].discount[SOLVER_LAYER_COUPON], 2);
    benefit.cap = 3; // split by what each would get
    combination = best(&input);
    assert_int_equal(combination.discount[SOLVER_LAYER_COUPON], 3);
    lines[0].quantity = 0; // not known
    assert_int_equal(best(&input).shares[0].discount[SOLVER_LAYER_COUPON], 0);
}

static void test_a_unit_price_holds_where_a_unit_costs_more(void **state) {
    (void)state;
    struct solver_benefit benefit = {.kind = SOLVER_UNIT_PRICE, .per_unit = 750};
    assert_int_equal(off_fuel(benefit), 2500);
    benefit.cap = 2499;
    assert_int_equal(off_fuel(benefit), 2499);
    benefit.cap = 0;
    benefit.per_unit = 800;
    assert_int_equal(off_fuel(benefit), 0);
    benefit.per_unit = 0; // not said: not free
    assert_int_equal(off_fuel(benefit), 0);
    // A pump that rounded up by a unit is not a unit that costs more.
    struct solver_line pumped = fuel;
    pumped.amount++;
    benefit = (struct solver_benefit){.id = STR("b"), .kind = SOLVER_UNIT_PRICE, .per_unit = 800};
    struct solver_input input = purchase(&pumped, 1, &benefit, 1);
    assert_int_equal(best(&input).payable, 40001);
}

static void test_an_amount_is_given_once_for_each_whole_minimum_up_to_its_maximum(void **state) {
    (void)state;
    struct solver_benefit benefit = {.amount_off = 800, .minimum_spend = 20000, .max_per_order = 3};
    assert_int_equal(off_fuel(benefit), 1600);
    benefit.minimum_spend = 20001;
    assert_int_equal(off_fuel(benefit), 800);
    benefit.minimum_spend = 10000;
    assert_int_equal(off_fuel(benefit), 2400);
    benefit.max_per_order = 0;
    assert_int_equal(off_fuel(benefit), 800);
    benefit.max_per_order = INT32_MAX;
    benefit.minimum_spend = 1;
    benefit.amount_off = MONEY_MAX; // what is left, however often
    assert_int_equal(off_fuel(benefit), 40000);
}

static void test_computed_amounts_are_taken_from_their_lines_as_far_as_these_go(void **state) {
    (void)state;
    const struct solver_line lines[] = {fuel, cola};
    const int64_t computed[] = {1500, 700}, negative[] = {1500, -1};
    struct solver_benefit benefit = {
        .source = SOLVER_ACTIVITY, .id = STR("b"), .kind = SOLVER_COMPUTED, .computed = computed};
    struct solver_input input = purchase(lines, 2, &benefit, 1);
    struct solver_combination combination = best(&input);
    assert_int_equal(combination.shares[0].discount[SOLVER_LAYER_ACTIVITY], 1500);
    assert_int_equal(combination.shares[1].discount[SOLVER_LAYER_ACTIVITY], 600);
    benefit.computed = negative;
    assert_int_equal(best(&input).payable, 40600);
    benefit.computed = NULL;
    assert_int_equal(best(&input).payable, 40600);
}

// ---- Layers -------------------------------------------------------------------------------------------------------

static void test_levels_come_before_activities_coupons_points_and_tenders(void **state) {
    (void)state;
    struct solver_benefit benefits[] = {
        {.source = SOLVER_ACTIVITY,
         .id = STR("t"),
         .kind = SOLVER_PERCENT_OFF,
         .percent_off_bp = 1000,
         .stacks = true,
         .tender_kinds = NAMES(STR("WECHAT"))},
        {.source = SOLVER_COUPON, .id = STR("c"), .kind = SOLVER_PERCENT_OFF, .percent_off_bp = 1000},
        {.source = SOLVER_ACTIVITY, .id = STR("a"), .amount_off = 5000, .stacks = true},
        {.source = SOLVER_LEVEL, .id = STR("l"), .kind = SOLVER_UNIT_PRICE, .per_unit = 700},
    };
    struct solver_input input = purchase(&fuel, 1, benefits, COUNT(benefits));
    input.points = (struct solver_points){.available = 70, .step_points = 10, .step_value = 100, .max_share_bp = 10000};
    struct solver_combination combination = best(&input);
    const int64_t expected[SOLVER_LAYERS] = {
        [SOLVER_LAYER_LEVEL] = 5000,    // 50 litres at 7.00: 35000 left
        [SOLVER_LAYER_ACTIVITY] = 5000, // 30000
        [SOLVER_LAYER_COUPON] = 3000,   // 27000
        [SOLVER_LAYER_POINTS] = 700,    // 26300
        [SOLVER_LAYER_TENDER] = 2630,
    };
    for (int layer = 0; layer < SOLVER_LAYERS; layer++)
        assert_int_equal(combination.discount[layer], expected[layer]);
    assert_int_equal(combination.payable, 23670);
    assert_int_equal(combination.tender_kinds, 1 << 1);
}

static void test_one_activity_at_most_unless_all_of_them_stack(void **state) {
    (void)state;
    struct solver_benefit benefits[] = {
        {.source = SOLVER_ACTIVITY, .id = STR("a"), .amount_off = 500, .stacks = true},
        {.source = SOLVER_ACTIVITY, .id = STR("b"), .amount_off = 400, .stacks = true},
        {.source = SOLVER_ACTIVITY, .id = STR("c"), .amount_off = 700},
        {.source = SOLVER_COUPON, .id = STR("d"), .amount_off = 100},
    };
    struct solver_input input = purchase(&fuel, 1, benefits, COUNT(benefits));
    assert_int_equal(best(&input).payable, 40000 - 1000); // a, b and the coupon
    benefits[2].amount_off = 901;
    assert_int_equal(best(&input).payable, 40000 - 1001); // c and the coupon
    benefits[2].stacks = true;
    assert_int_equal(best(&input).payable, 40000 - 1901);
}

static void test_the_best_level_benefit_counts_for_each_line_or_group(void **state) {
    (void)state;
    const struct solver_line lines[] = {fuel, cola};
    struct solver_benefit benefits[] = {
        {.source = SOLVER_LEVEL,
         .id = STR("a"),
         .kind = SOLVER_UNIT_OFF,
         .per_unit = 10,
         .benefit_scope = NAMES(STR("fuel"))},
        {.source = SOLVER_LEVEL,
         .id = STR("b"),
         .kind = SOLVER_PERCENT_OFF,
         .percent_off_bp = 200,
         .benefit_scope = NAMES(STR("95"))},
        {.source = SOLVER_LEVEL, .id = STR("c"), .amount_off = 50, .benefit_scope = NAMES(STR("goods"))},
    };
    struct solver_input input = purchase(lines, 2, benefits, COUNT(benefits));
    assert_int_equal(best(&input).payable, 40600 - 800 - 50);
    benefits[1].exclusive_group = benefits[2].exclusive_group = STR("g");
    assert_int_equal(best(&input).payable, 40600 - 800); // b alone beats a with c by 250
    assert_int_equal(best(&input).n_applied, 1);
}

static void test_a_conflict_holds_across_sources_and_equal_ids_of_two_sources_are_two_benefits(void **state) {
    (void)state;
    struct solver_benefit benefits[] = {
        {.source = SOLVER_ACTIVITY, .id = STR("x"), .amount_off = 500},
        {.source = SOLVER_COUPON, .id = STR("x"), .amount_off = 300},
        {.source = SOLVER_COUPON, .id = STR("y"), .amount_off = 100},
    };
    struct solver_input input = purchase(&fuel, 1, benefits, COUNT(benefits));
    assert_int_equal(best(&input).payable, 40000 - 900);
    benefits[2].conflicts_with = NAMES(STR("x")); // either of them
    assert_int_equal(best(&input).payable, 40000 - 800);
    struct solver_choice choice = {.ids = {[SOLVER_COUPON] = NAMES(STR("y")), [SOLVER_ACTIVITY] = NAMES(STR("x"))}};
    assert_int_equal(replayed(&input, &choice), SOLVER_CONFLICTING);
}

// [A77] an activity is forced or excluded by its own id
static void test_activities_are_forced_and_excluded_by_id(void **state) {
    (void)state;
    struct solver_benefit benefits[] = {
        {.source = SOLVER_ACTIVITY, .id = STR("good"), .amount_off = 500},
        {.source = SOLVER_ACTIVITY, .id = STR("poor"), .amount_off = 100},
        {.source = SOLVER_COUPON, .id = STR("poor"), .amount_off = 10},
    };
    struct solver_input input = purchase(&fuel, 1, benefits, COUNT(benefits));
    input.required[SOLVER_ACTIVITY] = NAMES(STR("poor"));
    assert_int_equal(best(&input).payable, 40000 - 110);
    input.required[SOLVER_ACTIVITY] = (struct solver_names){0};
    input.excluded[SOLVER_ACTIVITY] = NAMES(STR("good"));
    assert_int_equal(best(&input).payable, 40000 - 110);
    input.required[SOLVER_ACTIVITY] = NAMES(STR("good"));
    struct solver_result result;
    struct error error = {0};
    assert_false(solver_solve(&input, &arena, &result, &error));
    assert_int_equal(error.code, ERR_BENEFIT_UNAVAILABLE);
    assert_string_equal(error.text, "required activity good: it is excluded");
}

static void test_ties_prefer_fewer_coupons_whatever_else_is_used(void **state) {
    (void)state;
    struct solver_benefit benefits[] = {
        {.source = SOLVER_COUPON, .id = STR("a"), .amount_off = 500, .exclusive_group = STR("g")},
        {.source = SOLVER_ACTIVITY, .id = STR("b"), .amount_off = 200, .stacks = true, .exclusive_group = STR("g")},
        {.source = SOLVER_ACTIVITY,
         .id = STR("c"),
         .amount_off = 300,
         .stacks = true,
         .conflicts_with = NAMES(STR("a"))},
    };
    struct solver_input input = purchase(&fuel, 1, benefits, COUNT(benefits));
    struct solver_combination combination = best(&input);
    assert_int_equal(combination.payable, 39500);
    assert_int_equal(combination.n_applied, 2); // the two activities, not the coupon
}

// ---- Tenders ------------------------------------------------------------------------------------------------------

static void test_tender_specific_benefits_need_a_kind_in_common(void **state) {
    (void)state;
    struct solver_benefit benefits[] = {
        {.source = SOLVER_ACTIVITY,
         .id = STR("a"),
         .amount_off = 500,
         .stacks = true,
         .tender_kinds = NAMES(STR("CARD"), STR("WECHAT"))},
        {.source = SOLVER_ACTIVITY,
         .id = STR("b"),
         .amount_off = 400,
         .stacks = true,
         .tender_kinds = NAMES(STR("WECHAT"), STR("ALIPAY"))},
        {.source = SOLVER_COUPON, .id = STR("c"), .amount_off = 300, .tender_kinds = NAMES(STR("ALIPAY"), STR("CARD"))},
        {.source = SOLVER_COUPON, .id = STR("d"), .amount_off = 9000, .tender_kinds = NAMES(STR("CASH"))},
    };
    struct solver_input input = purchase(&fuel, 1, benefits, COUNT(benefits));
    struct solver_combination combination = best(&input);
    assert_int_equal(combination.payable, 40000 - 900); // each two have one in common, all three none
    assert_int_equal(combination.tender_kinds, 1 << 1);
    assert_int_equal(combination.discount[SOLVER_LAYER_TENDER], 900);
    struct solver_choice all = {
        .ids = {[SOLVER_ACTIVITY] = NAMES(STR("a"), STR("b")), [SOLVER_COUPON] = NAMES(STR("c"))}};
    assert_int_equal(replayed(&input, &all), SOLVER_CONFLICTING);
    struct solver_choice cash = {.ids = {[SOLVER_COUPON] = NAMES(STR("d"))}};
    assert_int_equal(replayed(&input, &cash), SOLVER_TENDER_ABSENT);
    input.tender_kinds = NAMES(STR("CASH"));
    assert_int_equal(best(&input).payable, 31000);
    assert_int_equal(best(&input).tender_kinds, 1);
}

static void test_what_points_pay_does_not_count_for_a_tender(void **state) {
    (void)state;
    struct solver_benefit benefit = {.source = SOLVER_ACTIVITY,
                                     .id = STR("t"),
                                     .amount_off = 500,
                                     .minimum_spend = 30000,
                                     .minimum_base = SOLVER_BASE_DISCOUNTED,
                                     .tender_kinds = NAMES(STR("WECHAT"))};
    struct solver_input input = purchase(&fuel, 1, &benefit, 1);
    input.points = (struct solver_points){.available = 10000, .step_points = 1, .step_value = 1, .max_share_bp = 10000};
    assert_int_equal(best(&input).payable, 29500); // exactly at it: 30000 are left to the tender
    input.points.available = 10001;
    assert_int_equal(best(&input).payable, 29999); // one below
    assert_int_equal(best(&input).tender_kinds, 0);
}

// ---- Quota --------------------------------------------------------------------------------------------------------

static int64_t with_quota(enum solver_quota_unit unit, int64_t left, int64_t *ret_quantity) {
    const struct solver_benefit benefit = {.source = SOLVER_ACTIVITY,
                                           .id = STR("a"),
                                           .kind = SOLVER_UNIT_OFF,
                                           .per_unit = 20,
                                           .quota_unit = unit,
                                           .quota_left = left};
    struct solver_input input = purchase(&fuel, 1, &benefit, 1);
    struct solver_combination combination = best(&input);
    *ret_quantity = combination.n_quotas > 0 ? combination.quotas[0].quantity : 0;
    return 40000 - combination.payable;
}

// [A80] what is left of a quota is enough, or the activity does not fit; a choice says what it takes of it
static void test_an_activity_takes_from_its_quota_no_more_than_is_left(void **state) {
    (void)state;
    int64_t quantity;
    assert_int_equal(with_quota(SOLVER_QUOTA_TIMES, 1, &quantity), 1000);
    assert_int_equal(quantity, 1);
    assert_int_equal(with_quota(SOLVER_QUOTA_TIMES, 0, &quantity), 0);
    assert_int_equal(quantity, 0);
    assert_int_equal(with_quota(SOLVER_QUOTA_VOLUME, 5000, &quantity), 1000);
    assert_int_equal(quantity, 5000);
    assert_int_equal(with_quota(SOLVER_QUOTA_VOLUME, 4999, &quantity), 0);
    assert_int_equal(with_quota(SOLVER_QUOTA_AMOUNT, 1000, &quantity), 1000);
    assert_int_equal(with_quota(SOLVER_QUOTA_AMOUNT, 999, &quantity), 999);
    assert_int_equal(quantity, 999);
    assert_int_equal(with_quota(SOLVER_QUOTA_AMOUNT, 0, &quantity), 0);
    assert_int_equal(with_quota(SOLVER_QUOTA_UNKNOWN, 9999, &quantity), 0);
}

// [A80] a limit makes nothing cheaper, but whatever is chosen locks it, as far as something in its scope is bought
static void test_a_limit_counts_what_is_bought_in_its_scope(void **state) {
    (void)state;
    const struct solver_line lines[] = {fuel, cola};
    const struct solver_benefit coupon = {.id = STR("c"), .amount_off = 1000, .benefit_scope = NAMES(STR("fuel"))};
    const struct solver_limit limits[] = {
        {STR("litres"), NAMES(STR("fuel")), SOLVER_QUOTA_VOLUME},
        {STR("spent"), NAMES(STR("fuel")), SOLVER_QUOTA_AMOUNT},
        {STR("recharges"), NAMES(STR("recharge")), SOLVER_QUOTA_TIMES},
    };
    struct solver_input input = purchase(lines, 2, &coupon, 1);
    input.limits = limits;
    input.n_limits = COUNT(limits);
    struct solver_result result = solve(&input);
    for (size_t i = 0; i < result.n_combinations; i++) {
        const struct solver_combination *combination = &result.combinations[i];
        assert_int_equal(combination->n_quotas, 2);
        assert_true(str_eq(combination->quotas[0].activity_id, STR("litres")));
        assert_int_equal(combination->quotas[0].quantity, 5000);
        assert_int_equal(combination->quotas[1].quantity, combination->shares[0].payable);
    }
    struct solver_limit unknown = limits[0];
    unknown.unit = SOLVER_QUOTA_UNKNOWN;
    input.limits = &unknown;
    input.n_limits = 1;
    struct error error = {0};
    assert_false(solver_solve(&input, &arena, &result, &error));
    assert_int_equal(error.code, ERR_INVALID_REQUEST);
    assert_string_equal(error.fields[0].path, "limits[0].unit");
}

// ---- Bearers ------------------------------------------------------------------------------------------------------

static void test_each_share_is_borne_by_largest_remainder_and_the_station_bears_what_nobody_does(void **state) {
    (void)state;
    const struct solver_bearer bearers[] = {
        {STR("group"), STR_NONE, 3333}, {STR("station"), STR_NONE, 3333}, {STR("third_party"), STR("bank"), 3334}};
    struct solver_benefit benefit = {.id = STR("b"), .amount_off = 500, .bearers = bearers, .n_bearers = 3};
    int64_t parts[SOLVER_BEARERS_MAX];
    solver_borne(&benefit, 100, parts);
    assert_int_equal(parts[0], 33);
    assert_int_equal(parts[1], 33);
    assert_int_equal(parts[2], 34);
    solver_borne(&benefit, 2, parts); // 0.6666 twice, 0.6668
    assert_int_equal(parts[0], 1);
    assert_int_equal(parts[1], 0);
    assert_int_equal(parts[2], 1);
    assert_int_equal(off_fuel(benefit), 500);
    benefit.n_bearers = 2; // not the whole: makes no sense
    assert_int_equal(off_fuel(benefit), 0);
    benefit.n_bearers = 0;
    size_t n;
    assert_true(str_eq(solver_bearers(&benefit, &n)[0].bearer, STR("station")));
    assert_int_equal(n, 1);
    solver_borne(&benefit, 7, parts);
    assert_int_equal(parts[0], 7);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_so_much_off_a_unit_rounds_half_up_once_for_each_line),
        cmocka_unit_test(test_a_unit_price_holds_where_a_unit_costs_more),
        cmocka_unit_test(test_an_amount_is_given_once_for_each_whole_minimum_up_to_its_maximum),
        cmocka_unit_test(test_computed_amounts_are_taken_from_their_lines_as_far_as_these_go),
        cmocka_unit_test(test_levels_come_before_activities_coupons_points_and_tenders),
        cmocka_unit_test(test_one_activity_at_most_unless_all_of_them_stack),
        cmocka_unit_test(test_the_best_level_benefit_counts_for_each_line_or_group),
        cmocka_unit_test(test_a_conflict_holds_across_sources_and_equal_ids_of_two_sources_are_two_benefits),
        cmocka_unit_test(test_activities_are_forced_and_excluded_by_id),
        cmocka_unit_test(test_ties_prefer_fewer_coupons_whatever_else_is_used),
        cmocka_unit_test(test_tender_specific_benefits_need_a_kind_in_common),
        cmocka_unit_test(test_what_points_pay_does_not_count_for_a_tender),
        cmocka_unit_test(test_an_activity_takes_from_its_quota_no_more_than_is_left),
        cmocka_unit_test(test_a_limit_counts_what_is_bought_in_its_scope),
        cmocka_unit_test(test_each_share_is_borne_by_largest_remainder_and_the_station_bears_what_nobody_does),
    };
    return cmocka_run_group_tests_name("flows.solver_layers", tests, arena_setup, arena_teardown);
}
