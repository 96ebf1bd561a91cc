// What the systems tell of benefits becomes what the solver reads, and what it finds a message.
#include "flows/trade/combination.h"
#include "flows/trade/rule.h"
#include "tests/flows/arena.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

typedef Participant__Type__V1__DiscountRule rule_message;
typedef Participant__Discount__V1__Activity activity_message;
typedef Txcenter__Type__V1__Money money_message;

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define KIND(name) PARTICIPANT__TYPE__V1__DISCOUNT_KIND__DISCOUNT_KIND_##name
#define ACTIVITY(name) PARTICIPANT__DISCOUNT__V1__ACTIVITY_KIND__ACTIVITY_KIND_##name
#define UNIT(name) PARTICIPANT__DISCOUNT__V1__QUOTA_UNIT__QUOTA_UNIT_##name

static char cny[] = "CNY", usd[] = "USD", fuel[] = "fuel", goods[] = "goods", wechat[] = "WECHAT", id[] = "a-1",
            group[] = "g", other[] = "x";

static money_message money(char *currency, int64_t minor_units) {
    money_message message = TXCENTER__TYPE__V1__MONEY__INIT;
    message.currency = currency;
    message.minor_units = minor_units;
    return message;
}

static void test_every_field_of_a_rule_arrives(void **state) {
    (void)state;
    rule_message rule = PARTICIPANT__TYPE__V1__DISCOUNT_RULE__INIT;
    money_message amount = money(cny, 5), unit = money(cny, 15), cap = money(cny, 900), minimum = money(cny, 20000);
    char *conditions[] = {fuel}, *scopes[] = {goods, other}, *kinds[] = {wechat}, *conflicts[] = {other, group, id};
    Participant__Type__V1__DiscountBearer bearer = PARTICIPANT__TYPE__V1__DISCOUNT_BEARER__INIT, *bearers[] = {&bearer};
    bearer.bearer = group;
    bearer.bearer_id = other;
    bearer.share_bp = 10000;
    rule.kind = KIND(UNIT_OFF);
    rule.amount_off = &amount;
    rule.percent_off_bp = 700;
    rule.per_unit = &unit;
    rule.cap = &cap;
    rule.minimum_spend = &minimum;
    rule.minimum_base = PARTICIPANT__TYPE__V1__DISCOUNT_BASE__DISCOUNT_BASE_DISCOUNTED;
    rule.condition_scope = conditions;
    rule.n_condition_scope = 1;
    rule.benefit_scope = scopes;
    rule.n_benefit_scope = 2;
    rule.max_per_order = 3;
    rule.exclusive_group = group;
    rule.conflicts_with = conflicts;
    rule.n_conflicts_with = 3;
    rule.tender_kinds = kinds;
    rule.n_tender_kinds = 1;
    rule.bearers = bearers;
    rule.n_bearers = 1;
    struct solver_benefit benefit;
    assert_true(rule_benefit(&rule, "CNY", &arena, &benefit));
    assert_int_equal(benefit.kind, SOLVER_UNIT_OFF);
    assert_true(benefit.amount_off == 5 && benefit.percent_off_bp == 700 && benefit.per_unit == 15);
    assert_true(benefit.cap == 900 && benefit.minimum_spend == 20000 && benefit.max_per_order == 3);
    assert_int_equal(benefit.minimum_base, SOLVER_BASE_DISCOUNTED);
    assert_true(benefit.condition_scope.n == 1 && str_eq_c(benefit.condition_scope.names[0], fuel));
    assert_true(benefit.benefit_scope.n == 2 && str_eq_c(benefit.benefit_scope.names[1], other));
    assert_true(benefit.conflicts_with.n == 3 && str_eq_c(benefit.conflicts_with.names[2], id));
    assert_true(benefit.tender_kinds.n == 1 && str_eq_c(benefit.tender_kinds.names[0], wechat));
    assert_true(str_eq_c(benefit.exclusive_group, group));
    assert_true(benefit.n_bearers == 1 && str_eq_c(benefit.bearers[0].bearer, group) &&
                str_eq_c(benefit.bearers[0].bearer_id, other) && benefit.bearers[0].share_bp == 10000);
}

static void test_each_kind_is_that_kind_and_one_that_is_not_known_is_none(void **state) {
    (void)state;
    const struct {
        Participant__Type__V1__DiscountKind told;
        enum solver_kind kind;
    } rows[] = {
        {KIND(AMOUNT_OFF), SOLVER_AMOUNT_OFF},    {KIND(PERCENT_OFF), SOLVER_PERCENT_OFF},
        {KIND(UNIT_OFF), SOLVER_UNIT_OFF},        {KIND(UNIT_PRICE), SOLVER_UNIT_PRICE},
        {KIND(UNSPECIFIED), SOLVER_KIND_UNKNOWN}, {(Participant__Type__V1__DiscountKind)99, SOLVER_KIND_UNKNOWN}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        rule_message rule = PARTICIPANT__TYPE__V1__DISCOUNT_RULE__INIT;
        struct solver_benefit benefit;
        rule.kind = rows[i].told;
        assert_true(rule_benefit(&rule, "CNY", &arena, &benefit));
        assert_int_equal(benefit.kind, rows[i].kind);
        assert_int_equal(benefit.minimum_base, SOLVER_BASE_ORIGINAL);
    }
}

static void test_a_rule_in_another_currency_is_none_of_ours(void **state) {
    (void)state;
    money_message foreign = money(usd, 5), nothing = money(usd, 0);
    rule_message rules[4] = {PARTICIPANT__TYPE__V1__DISCOUNT_RULE__INIT, PARTICIPANT__TYPE__V1__DISCOUNT_RULE__INIT,
                             PARTICIPANT__TYPE__V1__DISCOUNT_RULE__INIT, PARTICIPANT__TYPE__V1__DISCOUNT_RULE__INIT};
    rules[0].amount_off = rules[1].per_unit = rules[2].cap = rules[3].minimum_spend = &foreign;
    struct solver_benefit benefit;
    for (size_t i = 0; i < COUNT(rules); i++)
        assert_false(rule_benefit(&rules[i], "CNY", &arena, &benefit));
    rules[0].amount_off = &nothing;
    assert_true(rule_benefit(&rules[0], "CNY", &arena, &benefit));
}

static activity_message activity_of(rule_message *rule) {
    activity_message activity = PARTICIPANT__DISCOUNT__V1__ACTIVITY__INIT;
    activity.activity_id = id;
    activity.kind = ACTIVITY(RULE);
    activity.rule = rule;
    activity.stacks = true;
    activity.has_quota = true;
    activity.quota_unit = UNIT(AMOUNT);
    activity.quota_left = 77;
    return activity;
}

static void test_an_activity_brings_its_quota_and_its_end(void **state) {
    (void)state;
    rule_message rule = PARTICIPANT__TYPE__V1__DISCOUNT_RULE__INIT;
    Google__Protobuf__Timestamp end = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    end.seconds = 12;
    activity_message activity = activity_of(&rule);
    activity.ends_at = &end;
    struct solver_benefit benefit;
    assert_true(rule_activity(&activity, 1, "CNY", &arena, &benefit));
    assert_true(benefit.source == SOLVER_ACTIVITY && str_eq_c(benefit.id, id) && benefit.stacks);
    assert_true(benefit.quota_unit == SOLVER_QUOTA_AMOUNT && benefit.quota_left == 77);
    assert_int_equal(benefit.expires_at_ms, 12000);
    activity.quota_unit = UNIT(UNSPECIFIED);
    assert_true(rule_activity(&activity, 1, "CNY", &arena, &benefit));
    assert_int_equal(benefit.quota_unit, SOLVER_QUOTA_UNKNOWN);
    activity.has_quota = false;
    activity.kind = (Participant__Discount__V1__ActivityKind)99;
    assert_true(rule_activity(&activity, 1, "CNY", &arena, &benefit));
    assert_int_equal(benefit.quota_unit, SOLVER_QUOTA_NONE);
    assert_int_equal(benefit.kind, SOLVER_KIND_UNKNOWN);
}

static void test_computed_amounts_count_when_there_is_one_for_each_line_in_our_currency(void **state) {
    (void)state;
    money_message amounts[] = {money(cny, 30), money(cny, 0)}, *computed[] = {&amounts[0], &amounts[1]};
    activity_message activity = activity_of(NULL);
    activity.kind = ACTIVITY(COMPUTED);
    activity.computed = computed;
    activity.n_computed = 2;
    struct solver_benefit benefit;
    assert_true(rule_activity(&activity, 2, "CNY", &arena, &benefit));
    assert_int_equal(benefit.kind, SOLVER_COMPUTED);
    assert_true(benefit.computed[0] == 30 && benefit.computed[1] == 0);
    assert_true(rule_activity(&activity, 3, "CNY", &arena, &benefit));
    assert_null(benefit.computed); // never used
    amounts[0].currency = usd;
    assert_false(rule_activity(&activity, 2, "CNY", &arena, &benefit));
}

static void test_a_limit_is_one_only_with_a_quota_that_can_be_counted(void **state) {
    (void)state;
    rule_message rule = PARTICIPANT__TYPE__V1__DISCOUNT_RULE__INIT;
    char *conditions[] = {fuel};
    rule.condition_scope = conditions;
    rule.n_condition_scope = 1;
    activity_message activity = activity_of(&rule);
    struct solver_limit limit;
    assert_false(rule_limit(&activity, &arena, &limit));
    activity.kind = ACTIVITY(LIMIT);
    activity.quota_unit = UNIT(VOLUME);
    assert_true(rule_limit(&activity, &arena, &limit));
    assert_true(str_eq_c(limit.activity_id, id) && limit.unit == SOLVER_QUOTA_VOLUME && limit.scope.n == 1);
    activity.has_quota = false;
    assert_false(rule_limit(&activity, &arena, &limit));
}

static void test_without_memory_a_rule_is_never_used(void **state) {
    (void)state;
    struct arena none;
    arena_init(&none, 0);
    rule_message rule = PARTICIPANT__TYPE__V1__DISCOUNT_RULE__INIT;
    money_message amount = money(cny, 5);
    char *conditions[] = {fuel};
    rule.kind = KIND(AMOUNT_OFF);
    rule.amount_off = &amount;
    rule.condition_scope = conditions;
    rule.n_condition_scope = 1;
    struct solver_benefit benefit;
    assert_true(rule_benefit(&rule, "CNY", &none, &benefit));
    arena_release(&none);
    benefit.id = STR("b");
    const struct solver_line line = {.kind = STR("fuel"), .code = STR("95"), .amount = 100};
    struct solver_input input = {
        .lines = &line, .n_lines = 1, .benefits = &benefit, .n_benefits = 1, .max_combinations = 1, .node_budget = 10};
    struct solver_result result;
    struct error error = {0};
    assert_true(solver_solve(&input, &arena, &result, &error));
    assert_int_equal(result.n_combinations, 1);
    assert_int_equal(result.combinations[0].payable, 100);
}

// What a level, an activity for one kind of tender and a coupon make of a line is all in the message.
static void test_a_combination_names_its_benefits_tenders_and_quota(void **state) {
    (void)state;
    rule_message rule = PARTICIPANT__TYPE__V1__DISCOUNT_RULE__INIT;
    money_message amount = money(cny, 100);
    char *kinds[] = {wechat};
    rule.kind = KIND(AMOUNT_OFF);
    rule.amount_off = &amount;
    Participant__Level__V1__LevelBenefit level = PARTICIPANT__LEVEL__V1__LEVEL_BENEFIT__INIT;
    Participant__Coupon__V1__Coupon coupon = PARTICIPANT__COUPON__V1__COUPON__INIT;
    rule_message tender_rule = rule;
    tender_rule.tender_kinds = kinds;
    tender_rule.n_tender_kinds = 1;
    activity_message activity = activity_of(&tender_rule);
    level.benefit_id = group;
    level.rule = &rule;
    coupon.coupon_id = other;
    coupon.kind = PARTICIPANT__COUPON__V1__COUPON_KIND__COUPON_KIND_PERCENT_OFF;
    coupon.percent_off_bp = 1000;
    struct solver_benefit benefits[3];
    assert_true(rule_level(&level, "CNY", &arena, &benefits[0]));
    assert_true(rule_coupon(&coupon, "CNY", &arena, &benefits[1]));
    assert_true(rule_activity(&activity, 1, "CNY", &arena, &benefits[2]));
    const struct solver_line line = {.kind = STR("fuel"), .code = STR("95"), .amount = 1100};
    struct solver_input input = {.lines = &line,
                                 .n_lines = 1,
                                 .benefits = benefits,
                                 .n_benefits = 3,
                                 .tender_kinds = rule_tender_kinds(&arena),
                                 .max_combinations = 1,
                                 .node_budget = 100};
    struct solver_result result;
    struct error error = {0};
    assert_true(solver_solve(&input, &arena, &result, &error));
    const Txcenter__Trade__V1__Combination *message =
        combination_view(&input, &result.combinations[0], 1, "CNY", &arena);
    assert_int_equal(message->level_discount->minor_units, 100);
    assert_int_equal(message->coupon_discount->minor_units, 100);
    assert_int_equal(message->tender_discount->minor_units, 77); // its quota
    assert_int_equal(message->payable->minor_units, 823);
    assert_int_equal(message->line_shares[0]->tender_discount->minor_units, 77);
    assert_int_equal(message->n_coupon_ids, 1);
    assert_string_equal(message->coupon_ids[0], other);
    assert_int_equal(message->n_tender_kinds, 1);
    assert_int_equal(message->tender_kinds[0], TXCENTER__TRADE__V1__TENDER_KIND__TENDER_KIND_WECHAT);
    assert_int_equal(message->n_benefits, 3);
    assert_int_equal(message->benefits[2]->source, TXCENTER__TRADE__V1__BENEFIT_SOURCE__BENEFIT_SOURCE_ACTIVITY);
    assert_string_equal(message->benefits[2]->benefit_id, id);
    assert_int_equal(message->benefits[2]->line_discounts[0], 77);
    assert_string_equal(message->benefits[2]->bearers[0]->bearer, "station");
    assert_int_equal(message->n_quotas, 1);
    assert_string_equal(message->quotas[0]->activity_id, id);
    assert_int_equal(message->quotas[0]->quantity, 77);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_field_of_a_rule_arrives),
        cmocka_unit_test(test_each_kind_is_that_kind_and_one_that_is_not_known_is_none),
        cmocka_unit_test(test_a_rule_in_another_currency_is_none_of_ours),
        cmocka_unit_test(test_an_activity_brings_its_quota_and_its_end),
        cmocka_unit_test(test_computed_amounts_count_when_there_is_one_for_each_line_in_our_currency),
        cmocka_unit_test(test_a_limit_is_one_only_with_a_quota_that_can_be_counted),
        cmocka_unit_test(test_without_memory_a_rule_is_never_used),
        cmocka_unit_test(test_a_combination_names_its_benefits_tenders_and_quota),
    };
    return cmocka_run_group_tests_name("flows.rule", tests, arena_setup, arena_teardown);
}
