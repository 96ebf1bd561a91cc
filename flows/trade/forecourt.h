// Fuel: volume times unit price. Volume is in 0.01 unit (litre, kilogram, cubic metre), the price is for one unit in
// minor units of its currency. Pure.
#ifndef TXC_FLOWS_TRADE_FORECOURT_H
#define TXC_FLOWS_TRADE_FORECOURT_H

#include "base/err.h"
#include "base/money.h"

// Volume times price, rounded half up to the minor unit. Fails with INVALID_REQUEST (volume below zero, price not
// above) or AMOUNT_OVERFLOW.
bool forecourt_amount(int64_t volume_centi, int64_t unit_price, int64_t *ret_amount, struct error *error);

// The volume that an amount buys, to the nearest 0.01 unit. Times the price it may differ from the amount by half of
// what 0.01 unit costs, so it is what to show, never what to check the amount by. Errors as above.
bool forecourt_volume(int64_t amount, int64_t unit_price, int64_t *ret_volume_centi, struct error *error);

// Whether a pump's volume and amount belong together: they may differ by 0.01 of the currency's unit (1 fen; 10 fils;
// nothing where the currency has no decimals). Fails with PUMP_AMOUNT_MISMATCH, and as above.
bool forecourt_check(int64_t volume_centi, int64_t unit_price, int64_t amount, struct str currency,
                     struct error *error);

// Fills in the one of volume and amount that is missing (0), or checks them when both are there; the pump's amount
// rules, so it is not changed. Fails with INVALID_REQUEST when both are missing or one is below zero, and as above;
// then neither is changed.
bool forecourt_complete(int64_t *volume_centi, int64_t *amount, int64_t unit_price, struct str currency,
                        struct error *error);

#endif
