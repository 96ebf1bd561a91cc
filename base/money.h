// Money: int64 minor units of one ISO 4217 currency. Every operation is checked; none rounds silently; there is no
// floating point anywhere near it.
#ifndef TXC_BASE_MONEY_H
#define TXC_BASE_MONEY_H

#include "base/str.h"

// No amount may be larger than this in either direction, so that sums of a trade's lines can't overflow.
#define MONEY_MAX INT64_C(1000000000000000)

struct money {
    int64_t minor;
    char currency[4]; // "CNY", NUL-terminated
};

// Decimals of an ISO 4217 currency's minor unit: 2 for CNY, 0 for JPY, 3 for KWD; -1 for a code that we don't have.
int money_decimals(struct str currency);

// "123.45 CNY", "-0.01 CNY", "500 JPY"; always NUL-terminated.
enum { MONEY_TEXT_MAX = 40 };
void money_format(struct money money, char out[MONEY_TEXT_MAX]);

// The same in `out`, returned for one sentence. Of a currency that is none ("" where it is not known) minor units.
const char *money_text(int64_t minor, struct str currency, char out[MONEY_TEXT_MAX]);

// The reverse of money_format's number part: "123.45" in the given currency. False when it has more decimals than
// the currency, isn't a number, or is out of range.
bool money_parse(struct str text, struct str currency, struct money *ret_money);

// a + b within ±MONEY_MAX; false otherwise, *ret_sum untouched.
bool money_add(int64_t a, int64_t b, int64_t *ret_sum);

enum rounding { ROUND_DOWN, ROUND_HALF_UP, ROUND_UP }; // of magnitudes: away from or towards zero

// a * b / c without intermediate overflow; c > 0. False when the result is out of ±MONEY_MAX.
bool money_mul_div(int64_t a, int64_t b, int64_t c, enum rounding rounding, int64_t *ret_result);

// Splits `total` (>= 0) over `n` shares in proportion to `weights` (>= 0) by largest remainder: the parts add up to
// the total exactly, no part is negative, none exceeds its weight when total <= sum of weights, and equal remainders
// go to the lower index. All weights zero: everything goes to the first part (n > 0). False on overflow or n == 0.
bool money_allocate(int64_t total, const int64_t *weights, size_t n, int64_t *ret_parts);

#endif
