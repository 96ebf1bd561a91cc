#include "base/money.h"

#include <stdio.h>

static const struct {
    char code[4];
    int decimals;
} currencies[] = {
    {"AED", 2}, {"AUD", 2}, {"BHD", 3}, {"BRL", 2}, {"CAD", 2}, {"CHF", 2}, {"CLP", 0}, {"CNY", 2}, {"CZK", 2},
    {"DKK", 2}, {"EUR", 2}, {"GBP", 2}, {"HKD", 2}, {"HUF", 2}, {"IDR", 2}, {"ILS", 2}, {"INR", 2}, {"IQD", 3},
    {"ISK", 0}, {"JOD", 3}, {"JPY", 0}, {"KRW", 0}, {"KWD", 3}, {"KZT", 2}, {"LYD", 3}, {"MOP", 2}, {"MXN", 2},
    {"MYR", 2}, {"NOK", 2}, {"NZD", 2}, {"OMR", 3}, {"PHP", 2}, {"PKR", 2}, {"PLN", 2}, {"PYG", 0}, {"RUB", 2},
    {"SAR", 2}, {"SEK", 2}, {"SGD", 2}, {"THB", 2}, {"TND", 3}, {"TRY", 2}, {"TWD", 2}, {"UAH", 2}, {"USD", 2},
    {"VND", 0}, {"XAF", 0}, {"XOF", 0}, {"ZAR", 2},
};

int money_decimals(struct str currency) {
    for (size_t i = 0; i < sizeof currencies / sizeof currencies[0]; i++)
        if (str_eq_c(currency, currencies[i].code))
            return currencies[i].decimals;
    return -1;
}

static int64_t power_of_ten(int exponent) {
    int64_t power = 1;
    while (exponent-- > 0)
        power *= 10;
    return power;
}

void money_format(struct money money, char out[MONEY_TEXT_MAX]) {
    int decimals = money_decimals(str_c(money.currency));
    int64_t unit = power_of_ten(decimals > 0 ? decimals : 0);
    uint64_t magnitude = money.minor < 0 ? 0 - (uint64_t)money.minor : (uint64_t)money.minor;
    const char *sign = money.minor < 0 ? "-" : "";
    if (decimals > 0)
        snprintf(out, MONEY_TEXT_MAX, "%s%llu.%0*llu %.3s", sign, (unsigned long long)(magnitude / (uint64_t)unit),
                 decimals, (unsigned long long)(magnitude % (uint64_t)unit), money.currency);
    else
        snprintf(out, MONEY_TEXT_MAX, "%s%llu %.3s", sign, (unsigned long long)magnitude, money.currency);
}

const char *money_text(int64_t minor, struct str currency, char out[MONEY_TEXT_MAX]) {
    struct money money = {.minor = minor};
    if (!str_copy(currency, money.currency, sizeof money.currency) || !money.currency[0])
        snprintf(out, MONEY_TEXT_MAX, "%lld minor units", (long long)minor);
    else
        money_format(money, out);
    return out;
}

bool money_parse(struct str text, struct str currency, struct money *ret_money) {
    int decimals = money_decimals(currency);
    if (decimals < 0)
        return false;
    bool negative = text.len > 0 && text.ptr[0] == '-';
    struct str fraction = negative ? str_n(text.ptr + 1, text.len - 1) : text;
    struct str whole = str_cut(&fraction, '.');
    bool has_point = fraction.ptr != NULL;
    int64_t units, part = 0;
    if (!str_to_i64(whole, &units) || units < 0 || whole.ptr[0] == '-' || units > MONEY_MAX)
        return false;
    if (has_point) {
        if (fraction.len == 0 || fraction.len > (size_t)decimals || fraction.ptr[0] == '-' ||
            !str_to_i64(fraction, &part))
            return false;
        part *= power_of_ten(decimals - (int)fraction.len);
    }
    int64_t minor;
    if (__builtin_mul_overflow(units, power_of_ten(decimals), &minor) || __builtin_add_overflow(minor, part, &minor) ||
        minor > MONEY_MAX)
        return false;
    *ret_money = (struct money){.minor = negative ? -minor : minor};
    return str_copy(currency, ret_money->currency, sizeof ret_money->currency);
}

bool money_add(int64_t a, int64_t b, int64_t *ret_sum) {
    int64_t sum;
    if (__builtin_add_overflow(a, b, &sum) || sum > MONEY_MAX || sum < -MONEY_MAX)
        return false;
    *ret_sum = sum;
    return true;
}

bool money_mul_div(int64_t a, int64_t b, int64_t c, enum rounding rounding, int64_t *ret_result) {
    if (c <= 0)
        return false;
    __int128 product = (__int128)a * b;
    bool negative = product < 0;
    __int128 magnitude = negative ? -product : product;
    __int128 quotient = magnitude / c, remainder = magnitude % c;
    if ((rounding == ROUND_UP && remainder > 0) || (rounding == ROUND_HALF_UP && remainder * 2 >= c))
        quotient++;
    if (quotient > MONEY_MAX)
        return false;
    *ret_result = negative ? -(int64_t)quotient : (int64_t)quotient;
    return true;
}

// The fractional part that weight `i` lost when its share was rounded down, in units of 1/sum.
static __int128 remainder_of(int64_t total, int64_t weight, __int128 sum) {
    return (__int128)total * weight % sum;
}

// Gives one unit to each of the `left` largest remainders. O(n * left) with left < n; n is a trade's lines or tenders.
static void hand_out(int64_t total, const int64_t *weights, size_t n, __int128 sum, int64_t left, int64_t *parts) {
    // A unit already given is seen by comparing the part with its rounded-down share, so no scratch memory is needed.
    for (; left > 0; left--) {
        size_t best = n;
        for (size_t i = 0; i < n; i++) {
            bool given = parts[i] != (int64_t)((__int128)total * weights[i] / sum);
            if (given || weights[i] == 0)
                continue;
            if (best == n || remainder_of(total, weights[i], sum) > remainder_of(total, weights[best], sum))
                best = i;
        }
        parts[best]++;
    }
}

bool money_allocate(int64_t total, const int64_t *weights, size_t n, int64_t *ret_parts) {
    if (n == 0 || total < 0 || total > MONEY_MAX)
        return false;
    __int128 sum = 0;
    for (size_t i = 0; i < n; i++) {
        if (weights[i] < 0 || weights[i] > MONEY_MAX)
            return false;
        sum += weights[i];
    }
    int64_t left = total;
    for (size_t i = 0; i < n; i++) {
        ret_parts[i] = sum > 0 ? (int64_t)((__int128)total * weights[i] / sum) : 0;
        left -= ret_parts[i];
    }
    if (sum == 0)
        ret_parts[0] = total;
    else
        hand_out(total, weights, n, sum, left, ret_parts);
    return true;
}
