// What can be bought: what each kind of line must look like, and what it costs. A new kind is a case of the proto's
// `item`, and a row in quote_line.c.
#ifndef TXC_FLOWS_TRADE_QUOTE_LINE_H
#define TXC_FLOWS_TRADE_QUOTE_LINE_H

#include "flows/trade/quote_source.h"
#include "participant/coupon/v1/coupon.pb-c.h"

// The kinds as they are stored and told.
#define LINE_FUEL "fuel"
#define LINE_GOODS "goods"
#define LINE_ITEM "item" // a paid item: goods without stock
#define LINE_RECHARGE "recharge"

// One line, priced. Texts are borrowed from the wish and the sources.
struct quote_line {
    const char *kind, *code, *name, *nozzle;
    const char *pump_serial; // of fuel that has been dispensed; NULL: none
    bool authorised;         // a fill-up: it is the most that is dispensed
    int64_t volume_centi;    // of fuel
    int64_t quantity;        // of goods and items
    int64_t unit_price, list_price;
};

// Every violation of form of lines[i], and of the lines together.
void quote_line_check(const struct trades *trades, Txcenter__Trade__V1__Line *const *lines, size_t i,
                      struct error *error);
void quote_lines_check(Txcenter__Trade__V1__Line *const *lines, size_t n, struct error *error);

// A recharge is bought by itself.
bool quote_is_recharge(const struct quote_wish *wish);

// What is known of the line before its price is; texts are borrowed.
void quote_line_preview(const Txcenter__Trade__V1__Line *line, Participant__Coupon__V1__CouponLine *ret_line);

// Prices line i of the wish from its source. False when that source is not there, or says no.
bool quote_line_price(const struct trades *trades, const struct quote_wish *wish, const struct quote_sources *sources,
                      size_t i, struct quote_line *ret_line, struct error *error);

#endif
