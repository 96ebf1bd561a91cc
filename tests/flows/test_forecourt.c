// Volume times price, in currencies with 0, 2 and 3 decimals.
#include "flows/trade/forecourt.h"
#include "tests/base/seeded.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static int64_t amount_of(int64_t volume_centi, int64_t unit_price) {
    int64_t amount;
    struct error error = {0};
    if (!forecourt_amount(volume_centi, unit_price, &amount, &error))
        fail_msg("%s", error.text);
    return amount;
}

static enum err check(int64_t volume_centi, int64_t unit_price, int64_t amount, const char *currency) {
    struct error error = {0};
    bool agrees = forecourt_check(volume_centi, unit_price, amount, str_c(currency), &error);
    assert_true(agrees == !error_is(&error));
    return error.code;
}

static void test_volume_times_price_rounds_half_up_to_the_minor_unit(void **state) {
    (void)state;
    assert_int_equal(amount_of(3000, 785), 23550); // 30.00 l at 7.85
    assert_int_equal(amount_of(1, 749), 7);        // 7.49
    assert_int_equal(amount_of(1, 750), 8);        // 7.50
    assert_int_equal(amount_of(0, 750), 0);
}

// [A51] currencies with 0 and with 3 decimals are exact; what is out of range is refused
static void test_other_decimals_and_the_largest_amounts_are_exact(void **state) {
    (void)state;
    assert_int_equal(amount_of(4150, 172), 7138); // 41.50 l at 172 JPY
    assert_int_equal(amount_of(4150, 85), 3528);  // 41.50 l at 0.085 KWD: 3.5275
    assert_int_equal(amount_of(100, MONEY_MAX), MONEY_MAX);
    int64_t amount = -7;
    struct error error = {0};
    assert_false(forecourt_amount(101, MONEY_MAX, &amount, &error));
    assert_int_equal(error.code, ERR_AMOUNT_OVERFLOW);
    error = (struct error){0};
    assert_false(forecourt_amount(INT64_MAX, INT64_MAX, &amount, &error));
    assert_int_equal(error.code, ERR_AMOUNT_OVERFLOW);
    error = (struct error){0};
    assert_false(forecourt_volume(MONEY_MAX, 1, &amount, &error));
    assert_int_equal(error.code, ERR_AMOUNT_OVERFLOW);
    assert_int_equal(amount, -7);
}

// [A73] a pump amount that is off by 0.01 of the currency's unit is accepted, one unit more is refused, either way
static void test_a_pump_amount_may_be_off_by_a_hundredth(void **state) {
    (void)state;
    static const struct {
        const char *currency;
        int64_t most;
    } rows[] = {{"CNY", 1}, {"JPY", 0}, {"KWD", 10}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (int sign = -1; sign <= 1; sign += 2) {
            assert_int_equal(check(3000, 785, 23550 + sign * rows[i].most, rows[i].currency), ERR_OK);
            assert_int_equal(check(3000, 785, 23550 + sign * (rows[i].most + 1), rows[i].currency),
                             ERR_PUMP_AMOUNT_MISMATCH);
        }
    }
}

static void test_senseless_numbers_are_named(void **state) {
    (void)state;
    assert_int_equal(check(-1, 785, 100, "CNY"), ERR_INVALID_REQUEST);
    assert_int_equal(check(100, 0, 100, "CNY"), ERR_INVALID_REQUEST);
    assert_int_equal(check(100, 785, -1, "CNY"), ERR_INVALID_REQUEST);
    assert_int_equal(check(100, 785, INT64_MAX, "CNY"), ERR_INVALID_REQUEST);
    assert_int_equal(check(100, 785, 785, "ZZZ"), ERR_INVALID_REQUEST);
}

static enum err complete(int64_t *volume_centi, int64_t *amount, int64_t unit_price) {
    struct error error = {0};
    bool done = forecourt_complete(volume_centi, amount, unit_price, STR("CNY"), &error);
    assert_true(done == !error_is(&error));
    return error.code;
}

static void test_the_missing_one_of_volume_and_amount_is_filled_in(void **state) {
    (void)state;
    int64_t volume = 3000, amount = 0;
    assert_int_equal(complete(&volume, &amount, 785), ERR_OK);
    assert_int_equal(amount, 23550);
    volume = 0;
    amount = 20000;
    assert_int_equal(complete(&volume, &amount, 785), ERR_OK);
    assert_int_equal(volume, 2548); // 25.4777 l
    assert_int_equal(amount, 20000);
    volume = 3000;
    amount = 23551;
    assert_int_equal(complete(&volume, &amount, 785), ERR_OK);
    assert_int_equal(amount, 23551); // the pump's amount rules
    amount = 23552;
    assert_int_equal(complete(&volume, &amount, 785), ERR_PUMP_AMOUNT_MISMATCH);
    volume = amount = 0;
    assert_int_equal(complete(&volume, &amount, 785), ERR_INVALID_REQUEST);
    amount = -5;
    assert_int_equal(complete(&volume, &amount, 785), ERR_INVALID_REQUEST);
    assert_true(volume == 0 && amount == -5);
}

static void test_amount_and_volume_are_each_others_nearest(void **state) {
    (void)state;
    struct seeded seeded = {73};
    for (int i = 0; i < 20000; i++) {
        int64_t price = 1 + (int64_t)seeded_below(&seeded, 2000), volume = (int64_t)seeded_below(&seeded, 100000), back;
        struct error error = {0};
        int64_t amount = amount_of(volume, price);
        int64_t exact = volume * price, rounded = amount * 100;
        assert_true(rounded - exact <= 50 && exact - rounded < 50);
        assert_int_equal(check(volume, price, amount, "CNY"), ERR_OK);
        assert_true(forecourt_volume(amount, price, &back, &error));
        assert_true(2 * (back * price - amount * 100) <= price && 2 * (amount * 100 - back * price) < price);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_volume_times_price_rounds_half_up_to_the_minor_unit),
        cmocka_unit_test(test_other_decimals_and_the_largest_amounts_are_exact),
        cmocka_unit_test(test_a_pump_amount_may_be_off_by_a_hundredth),
        cmocka_unit_test(test_senseless_numbers_are_named),
        cmocka_unit_test(test_the_missing_one_of_volume_and_amount_is_filled_in),
        cmocka_unit_test(test_amount_and_volume_are_each_others_nearest),
    };
    return cmocka_run_group_tests_name("flows.forecourt", tests, NULL, NULL);
}
