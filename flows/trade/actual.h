// What was really dispensed of an authorised order, and what it costs: by the prices and rules that were kept with the
// quote, with the benefits that were chosen.
#ifndef TXC_FLOWS_TRADE_ACTUAL_H
#define TXC_FLOWS_TRADE_ACTUAL_H

#include "flows/trade/quote_line.h"

enum { ACTUAL_VOLUME_MAX = 100000000 };

// Of all lines of the order, in their order.
struct actual {
    struct quote_line lines[TRADE_LINES_MAX];
    size_t n;
    int64_t list_price;
    const Txcenter__Trade__V1__Combination *combination; // no more to pay than was authorised
    struct str quote;                                    // the version of the quote that this makes, packed
};

// From what the caller says of each authorised line, once. Changes nothing. Fails with INVALID_REQUEST (lines that are
// none, or missing), PUMP_AMOUNT_MISMATCH, PRICE_CHANGED, ADJUST_EXCEEDS, or as a quote does (OVERLOADED where the
// arena has no room for all of it). What is made is borrowed from the arena.
bool actual_of(const struct trade *trade, Txcenter__Trade__V1__ActualLine *const *told, size_t n_told,
               struct arena *arena, struct actual *ret_actual, struct error *error);

// The same where nothing was bought of any line, whatever its kind. Fails with OVERLOADED alone.
bool actual_nothing(const struct trade *trade, struct arena *arena, struct actual *ret_actual, struct error *error);

// Keeps it as another version of the quote, the one that was ordered: whoever looks for what was chosen finds it.
void actual_keep(struct trade *trade, const struct actual *actual);

#endif
