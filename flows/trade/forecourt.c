#include "flows/trade/forecourt.h"

enum { VOLUME_SCALE = 100 };

static bool valid(int64_t quantity, const char *name, int64_t unit_price, struct error *error) {
    if (quantity < 0)
        error_field(error, name, "must not be below zero");
    if (unit_price <= 0)
        error_field(error, "unit_price", "must be above zero");
    return !error_is(error);
}

bool forecourt_amount(int64_t volume_centi, int64_t unit_price, int64_t *ret_amount, struct error *error) {
    if (!valid(volume_centi, "volume_centi", unit_price, error))
        return false;
    return money_mul_div(volume_centi, unit_price, VOLUME_SCALE, ROUND_HALF_UP, ret_amount) ||
           error_set(error, ERR_AMOUNT_OVERFLOW, "volume times price is out of range");
}

bool forecourt_volume(int64_t amount, int64_t unit_price, int64_t *ret_volume_centi, struct error *error) {
    if (!valid(amount, "amount", unit_price, error))
        return false;
    return money_mul_div(amount, VOLUME_SCALE, unit_price, ROUND_HALF_UP, ret_volume_centi) ||
           error_set(error, ERR_AMOUNT_OVERFLOW, "amount divided by price is out of range");
}

// 0.01 of the currency's unit in minor units; -1 for a currency that we don't have.
static int64_t tolerance(struct str currency) {
    int decimals = money_decimals(currency);
    if (decimals < 2)
        return decimals < 0 ? -1 : 0;
    int64_t minor = 1;
    for (; decimals > 2; decimals--)
        minor *= 10;
    return minor;
}

bool forecourt_check(int64_t volume_centi, int64_t unit_price, int64_t amount, struct str currency,
                     struct error *error) {
    int64_t expected, most = tolerance(currency);
    if (amount < 0 || amount > MONEY_MAX)
        error_field(error, "amount", "must be 0 to %lld", (long long)MONEY_MAX);
    if (most < 0)
        error_field(error, "currency", "is not one that we have");
    if (error_is(error) || !forecourt_amount(volume_centi, unit_price, &expected, error))
        return false;
    int64_t difference = amount > expected ? amount - expected : expected - amount;
    char right[MONEY_TEXT_MAX], wrong[MONEY_TEXT_MAX];
    return difference <= most || error_set(error, ERR_PUMP_AMOUNT_MISMATCH, "volume times price is %s, not %s",
                                           money_text(expected, currency, right), money_text(amount, currency, wrong));
}

bool forecourt_complete(int64_t *volume_centi, int64_t *amount, int64_t unit_price, struct str currency,
                        struct error *error) {
    if (*volume_centi == 0 && *amount == 0) {
        error_field(error, "volume_centi", "volume or amount must be given");
        return false;
    }
    if (*amount == 0)
        return forecourt_amount(*volume_centi, unit_price, amount, error);
    if (*volume_centi == 0)
        return forecourt_volume(*amount, unit_price, volume_centi, error);
    return forecourt_check(*volume_centi, unit_price, *amount, currency, error);
}
