#include "base/money.h"
#include "tests/base/seeded.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct money money(int64_t minor, const char *currency) {
    struct money money = {.minor = minor};
    assert_true(str_copy(str_c(currency), money.currency, sizeof money.currency));
    return money;
}

static void assert_text(int64_t minor, const char *currency, const char *expected) {
    char text[MONEY_TEXT_MAX];
    money_format(money(minor, currency), text);
    assert_string_equal(text, expected);
}

// [A51] amounts of currencies with 0, 2 and 3 decimals are written with exactly their decimals
static void test_amounts_are_written_with_their_currencys_decimals(void **state) {
    (void)state;
    assert_text(12345, "CNY", "123.45 CNY");
    assert_text(-1, "CNY", "-0.01 CNY");
    assert_text(0, "CNY", "0.00 CNY");
    assert_text(500, "JPY", "500 JPY");
    assert_text(-500, "JPY", "-500 JPY");
    assert_text(1234, "KWD", "1.234 KWD");
    assert_text(-5, "KWD", "-0.005 KWD");
    assert_text(MONEY_MAX, "CNY", "10000000000000.00 CNY");
    assert_text(INT64_MIN, "KWD", "-9223372036854775.808 KWD");
    assert_text(INT64_MIN, "JPY", "-9223372036854775808 JPY");
    assert_text(7, "???", "7 ???");
}

static void test_an_amount_without_a_currency_is_written_in_minor_units(void **state) {
    (void)state;
    char text[MONEY_TEXT_MAX];
    assert_string_equal(money_text(18600, STR("CNY"), text), "186.00 CNY");
    assert_string_equal(money_text(500, STR("JPY"), text), "500 JPY");
    assert_string_equal(money_text(-5, STR(""), text), "-5 minor units");
    assert_string_equal(money_text(INT64_MIN, STR("much too long"), text), "-9223372036854775808 minor units");
}

static void test_decimals_are_known_by_iso_code_only(void **state) {
    (void)state;
    assert_int_equal(money_decimals(STR("CNY")), 2);
    assert_int_equal(money_decimals(STR("JPY")), 0);
    assert_int_equal(money_decimals(STR("KWD")), 3);
    static const struct str wrong[] = {STR(""),     STR("cny"), STR("CN"),    STR("CNYX"),
                                       STR("CNY "), STR("QQQ"), STR("CNY\0"), STR("\0\0\0")};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(money_decimals(wrong[i]), -1);
}

static const char *const some_currencies[] = {"CNY", "JPY", "KWD", "USD", "KRW", "BHD"};

// [A51] every amount within the bounds survives being written and read, whatever its currency's decimals
static void test_what_is_written_is_read_back(void **state) {
    (void)state;
    struct seeded seeded = {61};
    for (int round = 0; round < 20000; round++) {
        const char *currency = some_currencies[seeded_below(&seeded, 6)];
        int64_t minor = seeded_i64(&seeded) % (MONEY_MAX + 1);
        char text[MONEY_TEXT_MAX];
        money_format(money(minor, currency), text);
        struct str number = str_n(text, strlen(text) - 4);
        struct money back;
        assert_true(money_parse(number, str_c(currency), &back));
        assert_int_equal(back.minor, minor);
        assert_string_equal(back.currency, currency);
    }
}

static void assert_parses(const char *text, const char *currency, int64_t minor) {
    struct money parsed;
    assert_true(money_parse(str_c(text), str_c(currency), &parsed));
    assert_int_equal(parsed.minor, minor);
}

// [A51] missing decimals are zeros, surplus ones are refused, never rounded
static void test_decimals_may_be_fewer_than_the_currencys_never_more(void **state) {
    (void)state;
    assert_parses("1", "CNY", 100);
    assert_parses("1.5", "CNY", 150);
    assert_parses("1.05", "CNY", 105);
    assert_parses("-0.01", "CNY", -1);
    assert_parses("-0", "CNY", 0);
    assert_parses("1", "JPY", 1);
    assert_parses("1.5", "KWD", 1500);
    assert_parses("0.001", "KWD", 1);
    assert_parses("10000000000000", "CNY", MONEY_MAX);
    assert_parses("-10000000000000.00", "CNY", -MONEY_MAX);
    assert_parses("1000000000000.000", "KWD", MONEY_MAX);
}

static void assert_refused(struct str text, const char *currency) {
    struct money untouched = money(42, "EUR");
    assert_false(money_parse(text, str_c(currency), &untouched));
    assert_int_equal(untouched.minor, 42);
    assert_string_equal(untouched.currency, "EUR");
}

// [A51] an amount out of range, or with decimals that its currency has not, is refused and nothing is changed
static void test_what_is_no_amount_is_refused_and_changes_nothing(void **state) {
    (void)state;
    static const struct str wrong[] = {
        STR(""),
        STR("-"),
        STR("."),
        STR("-."),
        STR("1."),
        STR(".5"),
        STR("-.5"),
        STR("+1"),
        STR("--1"),
        STR("--0"),
        STR("1.-5"),
        STR("1,5"),
        STR("1.2.3"),
        STR("1 "),
        STR(" 1"),
        STR("1e2"),
        STR("0x10"),
        STR("1.\0"),
        STR("1\0.00"),
        STR("NaN"),
        STR("1.005"),
        STR("１"),
        STR("1.5-"),
        STR("\xff"),
        STR("10000000000000.01"),
        STR("-10000000000000.01"),
        STR("9223372036854775807"),
        STR("9223372036854775808"),
        STR("99999999999999999999999999"),
        STR("92233720368547758.07"),
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_refused(wrong[i], "CNY");
    assert_refused(STR_NONE, "CNY");
    assert_refused(STR("1"), "QQQ");
    assert_refused(STR("1"), "");
    assert_refused(STR("1.0"), "JPY");
    assert_refused(STR("1.0000"), "KWD");
    assert_refused(STR("1000000000000001"), "JPY");
    assert_refused(STR("1000000000000.001"), "KWD");
}

static void test_hostile_text_never_becomes_another_amount(void **state) {
    (void)state;
    struct seeded seeded = {62};
    size_t parsed = 0;
    for (int round = 0; round < 50000; round++) {
        char bytes[8];
        size_t len = seeded_below(&seeded, sizeof bytes);
        for (size_t i = 0; i < len; i++)
            bytes[i] = "0123456789-..\0 e"[seeded_below(&seeded, 16)];
        struct money amount;
        if (!money_parse(str_n(bytes, len), STR("CNY"), &amount))
            continue;
        parsed++;
        // What was taken is an optional sign, digits, and one or two digits behind a point: it equals its own sum.
        int64_t minor = 0;
        size_t at = bytes[0] == '-', point = len;
        for (; at < len; at++) {
            if (bytes[at] == '.' && point == len && at > 0) {
                point = at;
                continue;
            }
            assert_in_range(bytes[at], '0', '9');
            minor = minor * 10 + (bytes[at] - '0');
        }
        size_t decimals = point == len ? 0 : len - point - 1;
        assert_true(point == len || decimals == 1 || decimals == 2);
        for (; decimals < 2; decimals++)
            minor *= 10;
        assert_int_equal(amount.minor, bytes[0] == '-' ? -minor : minor);
    }
    assert_true(parsed > 1000);
}

// [A51] sums beyond the bound are refused, in both directions, and change nothing
static void test_sums_are_exact_or_refused(void **state) {
    (void)state;
    struct seeded seeded = {63};
    for (int round = 0; round < 20000; round++) {
        int64_t a = seeded_i64(&seeded), b = seeded_i64(&seeded), sum = 42;
        if (round % 2) {
            a %= MONEY_MAX + 2;
            b %= MONEY_MAX + 2;
        }
        __int128 exact = (__int128)a + b;
        bool fits = exact <= MONEY_MAX && exact >= -MONEY_MAX;
        assert_int_equal(money_add(a, b, &sum), fits);
        assert_int_equal(sum, fits ? (int64_t)exact : 42);
    }
    int64_t sum = 42;
    assert_true(money_add(MONEY_MAX - 1, 1, &sum));
    assert_int_equal(sum, MONEY_MAX);
    assert_true(money_add(1 - MONEY_MAX, -1, &sum));
    assert_int_equal(sum, -MONEY_MAX);
    assert_false(money_add(MONEY_MAX, 1, &sum));
    assert_false(money_add(-MONEY_MAX, -1, &sum));
    assert_int_equal(sum, -MONEY_MAX);
}

// The definition of each rounding, without division: the integer q >= 0 that bounds |a * b| / c as it says.
static bool rounds_to(__int128 magnitude, int64_t c, enum rounding rounding, int64_t q) {
    __int128 low = (__int128)q * c;
    switch (rounding) {
    case ROUND_DOWN: return low <= magnitude && magnitude < low + c;
    case ROUND_UP: return low - c < magnitude && magnitude <= low;
    case ROUND_HALF_UP: return 2 * low - c <= 2 * magnitude && 2 * magnitude < 2 * low + c;
    }
    return false;
}

static bool beyond_the_bound(__int128 magnitude, int64_t c, enum rounding rounding) {
    switch (rounding) {
    case ROUND_DOWN: return magnitude >= ((__int128)MONEY_MAX + 1) * c;
    case ROUND_UP: return magnitude > (__int128)MONEY_MAX * c;
    case ROUND_HALF_UP: return magnitude >= ((2 * (__int128)MONEY_MAX + 1) * c + 1) / 2;
    }
    return false;
}

// [A51] a product of amounts never overflows on its way, and its rounding is the one asked for
static void test_mul_div_is_exact_against_wide_arithmetic(void **state) {
    (void)state;
    struct seeded seeded = {64};
    size_t fitted = 0;
    for (int round = 0; round < 60000; round++) {
        int64_t a = seeded_i64(&seeded), b = seeded_i64(&seeded), c = seeded_i64(&seeded), result = 42;
        if (round % 3 == 0) { // small enough for halves to be met often
            a %= 100;
            b %= 100;
            c = (int64_t)(1 + (uint64_t)c % 8);
        }
        enum rounding rounding = (enum rounding)seeded_below(&seeded, 3);
        bool done = money_mul_div(a, b, c, rounding, &result);
        __int128 product = (__int128)a * b, magnitude = product < 0 ? -product : product;
        if (!done) {
            assert_int_equal(result, 42);
            assert_true(c <= 0 || beyond_the_bound(magnitude, c, rounding));
            continue;
        }
        fitted++;
        assert_true(c > 0 && result <= MONEY_MAX && result >= -MONEY_MAX);
        assert_true(result == 0 || (result < 0) == (product < 0));
        assert_true(rounds_to(magnitude, c, rounding, result < 0 ? -result : result));
    }
    assert_true(fitted > 20000);
}

// [A51] halves go away from zero on both sides; a divisor must be positive; the bound is exact
static void test_mul_div_at_its_edges(void **state) {
    (void)state;
    int64_t result = 42;
    assert_true(money_mul_div(5, 1, 2, ROUND_HALF_UP, &result) && result == 3);
    assert_true(money_mul_div(-5, 1, 2, ROUND_HALF_UP, &result) && result == -3);
    assert_true(money_mul_div(-5, 1, 2, ROUND_DOWN, &result) && result == -2);
    assert_true(money_mul_div(-5, 1, 2, ROUND_UP, &result) && result == -3);
    assert_true(money_mul_div(7, 1, 3, ROUND_HALF_UP, &result) && result == 2);
    assert_true(money_mul_div(INT64_MIN, INT64_MIN, INT64_MAX, ROUND_DOWN, &result) == false);
    assert_true(money_mul_div(INT64_MIN, 0, 1, ROUND_UP, &result) && result == 0);
    assert_true(money_mul_div(MONEY_MAX, INT64_MAX, INT64_MAX, ROUND_UP, &result) && result == MONEY_MAX);
    assert_true(money_mul_div(MONEY_MAX, -7, 7, ROUND_UP, &result) && result == -MONEY_MAX);
    result = 42;
    assert_false(money_mul_div(2 * MONEY_MAX + 1, 1, 2, ROUND_UP, &result));
    assert_false(money_mul_div(2 * MONEY_MAX + 1, 1, 2, ROUND_HALF_UP, &result));
    assert_false(money_mul_div(1, 1, 0, ROUND_DOWN, &result));
    assert_false(money_mul_div(1, 1, -1, ROUND_DOWN, &result));
    assert_int_equal(result, 42);
    assert_true(money_mul_div(2 * MONEY_MAX + 1, 1, 2, ROUND_DOWN, &result) && result == MONEY_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_amounts_are_written_with_their_currencys_decimals),
        cmocka_unit_test(test_an_amount_without_a_currency_is_written_in_minor_units),
        cmocka_unit_test(test_decimals_are_known_by_iso_code_only),
        cmocka_unit_test(test_what_is_written_is_read_back),
        cmocka_unit_test(test_decimals_may_be_fewer_than_the_currencys_never_more),
        cmocka_unit_test(test_what_is_no_amount_is_refused_and_changes_nothing),
        cmocka_unit_test(test_hostile_text_never_becomes_another_amount),
        cmocka_unit_test(test_sums_are_exact_or_refused),
        cmocka_unit_test(test_mul_div_is_exact_against_wide_arithmetic),
        cmocka_unit_test(test_mul_div_at_its_edges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
