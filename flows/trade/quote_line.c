#include "flows/trade/quote_line.h"

#include "adapters/card/card.h"
#include "adapters/coupon/coupon.h"
#include "adapters/goods/goods.h"
#include "adapters/oil/oil.h"
#include "flows/trade/forecourt.h"
#include "flows/trade/internal.h"
#include "flows/trade/view.h"

#include <stdio.h>

typedef Txcenter__Trade__V1__Line line_message;

enum { VOLUME_CENTI_MAX = 100000000, QUANTITY_MAX = 1000000, PATH_MAX_BYTES = 64 };

// What pricing a line works on.
struct pricing_line {
    const struct trades *trades;
    const struct quote_wish *wish;
    const struct quote_sources *sources;
    size_t at;
};

// "lines[2].fuel.nozzle"
static const char *path_of(size_t line, const char *field, char out[PATH_MAX_BYTES]) {
    snprintf(out, PATH_MAX_BYTES, "lines[%zu].%s", line, field);
    return out;
}

// ---- Sources ------------------------------------------------------------------------------------------------------

// The answer of a core source; when it says no, that is about `field` of the line.
static const void *core_answer(const struct pricing_line *line, enum quote_source_kind kind, size_t source_line,
                               const char *system, const char *field, struct error *error) {
    const struct quote_source *source = quote_source_of(line->sources, kind, source_line);
    char path[PATH_MAX_BYTES];
    if (source->outcome == OUTCOME_REJECTED)
        error_field(error, path_of(line->at, field, path), "the %s system says %s", system, source->reason);
    else if (!source->message)
        error_set(error, ERR_PRICE_UNAVAILABLE, "the %s system does not answer: %s", system, source->text);
    return error_is(error) ? NULL : source->message;
}

static bool price_is_ours(const struct pricing_line *line, const Txcenter__Type__V1__Money *price,
                          struct error *error) {
    const char *ours = line->trades->options.currency;
    if (!price || price->minor_units < 0 || price->minor_units > MONEY_MAX)
        return error_set(error, ERR_PRICE_UNAVAILABLE, "the price of lines[%zu] is none", line->at);
    return strcmp(price->currency, ours) == 0 ||
           error_set(error, ERR_PRICE_UNAVAILABLE, "the price's currency is not %s", ours);
}

// ---- Fuel ---------------------------------------------------------------------------------------------------------

static void check_fuel(const struct trades *trades, const line_message *line, size_t i, struct error *error) {
    const Txcenter__Trade__V1__Fuel *fuel = line->fuel;
    char path[PATH_MAX_BYTES];
    if (!fuel->amount && fuel->volume_centi == 0 && !fuel->pump_serial[0])
        error_field(error, path_of(i, "fuel", path), "needs a volume or an amount");
    check_text(error, path_of(i, "fuel.oil_code", path), fuel->oil_code, 1, 32);
    check_text(error, path_of(i, "fuel.nozzle", path), fuel->nozzle, 0, 32);
    check_range(error, path_of(i, "fuel.volume_centi", path), fuel->volume_centi, 0, VOLUME_CENTI_MAX);
    check_money(trades, error, path_of(i, "fuel.amount", path), fuel->amount, 1, false);
    check_text(error, path_of(i, "fuel.pump_serial", path), fuel->pump_serial, 0, TRADE_ID_MAX);
    if (fuel->pump_serial[0] && !fuel->nozzle[0])
        error_field(error, path_of(i, "fuel.nozzle", path), "is required with a pump_serial");
    if (fuel->pump_serial[0] && fuel->authorised)
        error_field(error, path_of(i, "fuel.authorised", path), "is over with a pump_serial");
    check_money(trades, error, path_of(i, "fuel.pump_price", path), fuel->pump_price, 1, false);
}

static void preview_fuel(const line_message *line, Participant__Coupon__V1__CouponLine *ret_line) {
    ret_line->kind = view_text(LINE_FUEL);
    ret_line->code = line->fuel->oil_code;
    ret_line->amount = line->fuel->amount; // absent where only the volume is known so far
}

// What was dispensed is what the pump says, at the pump's price.
static bool price_dispensed(const struct pricing_line *line, struct quote_line *priced, struct error *error) {
    const Txcenter__Trade__V1__Fuel *fuel = line->wish->lines[line->at]->fuel;
    const Participant__Oil__V1__GetPumpRecordResponse *record =
        core_answer(line, QUOTE_PUMP, line->at, "oil", "fuel.pump_serial", error);
    char path[PATH_MAX_BYTES];
    if (!record || !price_is_ours(line, record->unit_price, error) || !price_is_ours(line, record->amount, error))
        return false;
    if (strcmp(record->oil_code, fuel->oil_code) != 0)
        error_field(error, path_of(line->at, "fuel.oil_code", path), "is not what was dispensed: %s", record->oil_code);
    if (fuel->amount && fuel->amount->minor_units != record->amount->minor_units)
        error_field(error, path_of(line->at, "fuel.amount", path), "is not the pump's");
    if (fuel->volume_centi != 0 && fuel->volume_centi != record->volume_centi)
        error_field(error, path_of(line->at, "fuel.volume_centi", path), "is not the pump's");
    if (error_is(error))
        return false;
    priced->unit_price = record->unit_price->minor_units;
    priced->volume_centi = record->volume_centi;
    priced->list_price = record->amount->minor_units;
    return true;
}

static bool price_ordered(const struct pricing_line *line, const Txcenter__Type__V1__Money *listed,
                          struct quote_line *priced, struct error *error) {
    const Txcenter__Trade__V1__Fuel *fuel = line->wish->lines[line->at]->fuel;
    char pump[MONEY_TEXT_MAX], list[MONEY_TEXT_MAX];
    priced->unit_price = listed->minor_units;
    priced->volume_centi = fuel->volume_centi;
    priced->list_price = fuel->amount ? fuel->amount->minor_units : 0;
    return !fuel->pump_price || fuel->pump_price->minor_units == listed->minor_units ||
           error_set(error, ERR_PRICE_CHANGED, "the pump has %s for a unit, the price list %s",
                     money_text(fuel->pump_price->minor_units, str_c(listed->currency), pump),
                     money_text(listed->minor_units, str_c(listed->currency), list));
}

static bool price_fuel(const struct pricing_line *line, struct quote_line *priced, struct error *error) {
    const Txcenter__Trade__V1__Fuel *fuel = line->wish->lines[line->at]->fuel;
    const Participant__Oil__V1__GetPriceResponse *price =
        core_answer(line, QUOTE_PRICE, line->at, "oil", "fuel", error);
    if (!price || !price_is_ours(line, price->unit_price, error))
        return false;
    *priced = (struct quote_line){.kind = LINE_FUEL,
                                  .code = fuel->oil_code,
                                  .name = price->name,
                                  .nozzle = fuel->nozzle,
                                  .pump_serial = fuel->pump_serial,
                                  .authorised = fuel->authorised};
    bool known = fuel->pump_serial[0] ? price_dispensed(line, priced, error)
                                      : price_ordered(line, price->unit_price, priced, error);
    if (known && forecourt_complete(&priced->volume_centi, &priced->list_price, priced->unit_price,
                                    str_c(line->trades->options.currency), error))
        return true;
    if (error->code == ERR_PUMP_AMOUNT_MISMATCH || error->code == ERR_PRICE_CHANGED) // by one that was kept, perhaps
        quote_source_forget(line->sources, QUOTE_PRICE, line->at);
    error_within(error, "lines[%zu]", line->at);
    return false;
}

// ---- Goods and other paid items -----------------------------------------------------------------------------------

static void check_goods(const struct trades *trades, const line_message *line, size_t i, struct error *error) {
    char path[PATH_MAX_BYTES];
    (void)trades;
    check_text(error, path_of(i, "goods.sku", path), line->goods->sku, 1, TRADE_ID_MAX);
    check_range(error, path_of(i, "goods.quantity", path), line->goods->quantity, 1, QUANTITY_MAX);
}

static void preview_goods(const line_message *line, Participant__Coupon__V1__CouponLine *ret_line) {
    ret_line->kind = view_text(LINE_GOODS);
    ret_line->code = line->goods->sku;
}

static const Participant__Goods__V1__Goods *goods_named(const Participant__Goods__V1__GetGoodsResponse *answer,
                                                        const char *sku) {
    for (size_t i = 0; i < answer->n_goods; i++)
        if (strcmp(answer->goods[i]->sku, sku) == 0)
            return answer->goods[i];
    return NULL;
}

static bool price_goods(const struct pricing_line *line, struct quote_line *priced, struct error *error) {
    const Txcenter__Trade__V1__Goods *wanted = line->wish->lines[line->at]->goods;
    const Participant__Goods__V1__GetGoodsResponse *answer = core_answer(line, QUOTE_GOODS, 0, "goods", "goods", error);
    const Participant__Goods__V1__Goods *goods = answer ? goods_named(answer, wanted->sku) : NULL;
    if (answer && !goods)
        return error_set(error, ERR_PRICE_UNAVAILABLE, "the goods system gives no price of %s", wanted->sku);
    if (!goods || !price_is_ours(line, goods->unit_price, error))
        return false;
    if (!adapter_is_known(&participant__goods__v1__goods_kind__descriptor, (int)goods->kind))
        return error_set(error, ERR_PRICE_UNAVAILABLE, "the kind of %s is none that is known here", wanted->sku);
    bool item = goods->kind == PARTICIPANT__GOODS__V1__GOODS_KIND__GOODS_KIND_ITEM;
    *priced = (struct quote_line){.kind = item ? LINE_ITEM : LINE_GOODS,
                                  .code = wanted->sku,
                                  .name = goods->name,
                                  .nozzle = "",
                                  .quantity = wanted->quantity,
                                  .unit_price = goods->unit_price->minor_units};
    if (item && !line->wish->context->user_id[0]) {
        char path[PATH_MAX_BYTES];
        error_field(error, path_of(line->at, "goods.sku", path), "is an item that somebody must own: user_id is empty");
        return false;
    }
    if (!item && goods->available < wanted->quantity)
        return error_set(error, ERR_OUT_OF_STOCK, "of %s %lld are left", wanted->sku, (long long)goods->available);
    return money_mul_div(priced->quantity, priced->unit_price, 1, ROUND_DOWN, &priced->list_price) ||
           error_set(error, ERR_AMOUNT_OVERFLOW, "lines[%zu]: quantity times price is out of range", line->at);
}

// ---- Recharge -----------------------------------------------------------------------------------------------------

static void check_recharge(const struct trades *trades, const line_message *line, size_t i, struct error *error) {
    char path[PATH_MAX_BYTES];
    check_text(error, path_of(i, "recharge.card_no", path), line->recharge->card_no, 1, TRADE_ID_MAX);
    check_money(trades, error, path_of(i, "recharge.amount", path), line->recharge->amount, 1, true);
}

static void preview_recharge(const line_message *line, Participant__Coupon__V1__CouponLine *ret_line) {
    ret_line->kind = view_text(LINE_RECHARGE);
    ret_line->code = line->recharge->card_no;
    ret_line->amount = line->recharge->amount;
}

static bool price_recharge(const struct pricing_line *line, struct quote_line *priced, struct error *error) {
    const Txcenter__Trade__V1__Recharge *recharge = line->wish->lines[line->at]->recharge;
    if (!core_answer(line, QUOTE_CARD, 0, "card", "recharge.card_no", error))
        return false;
    *priced = (struct quote_line){.kind = LINE_RECHARGE,
                                  .code = recharge->card_no,
                                  .name = "",
                                  .nozzle = "",
                                  .unit_price = recharge->amount->minor_units,
                                  .list_price = recharge->amount->minor_units};
    return true;
}

// ---- Each kind ----------------------------------------------------------------------------------------------------

static const struct kind {
    Txcenter__Trade__V1__Line__ItemCase item;
    void (*check)(const struct trades *trades, const line_message *line, size_t i, struct error *error);
    void (*preview)(const line_message *line, Participant__Coupon__V1__CouponLine *ret_line);
    bool (*price)(const struct pricing_line *line, struct quote_line *priced, struct error *error);
} kinds[] = {
    {TXCENTER__TRADE__V1__LINE__ITEM_FUEL, check_fuel, preview_fuel, price_fuel},
    {TXCENTER__TRADE__V1__LINE__ITEM_GOODS, check_goods, preview_goods, price_goods},
    {TXCENTER__TRADE__V1__LINE__ITEM_RECHARGE, check_recharge, preview_recharge, price_recharge},
};

static const struct kind *kind_of(const line_message *line) {
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (kinds[i].item == line->item_case)
            return &kinds[i];
    return NULL;
}

void quote_line_check(const struct trades *trades, line_message *const *lines, size_t i, struct error *error) {
    const struct kind *kind = kind_of(lines[i]);
    char path[PATH_MAX_BYTES];
    if (kind) {
        kind->check(trades, lines[i], i, error);
        return;
    }
    snprintf(path, sizeof path, "lines[%zu]", i);
    error_field(error, path, "must be fuel, goods (also paid items) or recharge");
}

static const Txcenter__Trade__V1__Fuel *dispensed(const line_message *line) {
    bool fuel = line->item_case == TXCENTER__TRADE__V1__LINE__ITEM_FUEL;
    return fuel && line->fuel->pump_serial[0] ? line->fuel : NULL;
}

// Two lines of one fuelling: it would be sold twice in one trade.
static void check_serials(line_message *const *lines, size_t i, struct error *error) {
    const Txcenter__Trade__V1__Fuel *fuel = dispensed(lines[i]);
    char path[PATH_MAX_BYTES];
    for (size_t k = 0; fuel && k < i; k++) {
        const Txcenter__Trade__V1__Fuel *other = dispensed(lines[k]);
        if (other && strcmp(fuel->pump_serial, other->pump_serial) == 0 && strcmp(fuel->nozzle, other->nozzle) == 0)
            error_field(error, path_of(i, "fuel.pump_serial", path), "is that of lines[%zu] too", k);
    }
}

void quote_lines_check(line_message *const *lines, size_t n, struct error *error) {
    char path[PATH_MAX_BYTES];
    for (size_t i = 0; i < n; i++) {
        check_serials(lines, i, error);
        if (lines[i]->item_case == TXCENTER__TRADE__V1__LINE__ITEM_RECHARGE && n > 1)
            error_field(error, path_of(i, "recharge", path), "must be the only line");
        for (size_t k = 0; k < i && lines[i]->item_case == TXCENTER__TRADE__V1__LINE__ITEM_GOODS; k++)
            if (lines[k]->item_case == lines[i]->item_case && strcmp(lines[k]->goods->sku, lines[i]->goods->sku) == 0)
                error_field(error, path_of(i, "goods.sku", path), "is that of lines[%zu] too", k);
    }
}

bool quote_is_recharge(const struct quote_wish *wish) {
    return wish->lines[0]->item_case == TXCENTER__TRADE__V1__LINE__ITEM_RECHARGE;
}

void quote_line_preview(const line_message *line, Participant__Coupon__V1__CouponLine *ret_line) {
    kind_of(line)->preview(line, ret_line);
}

bool quote_line_price(const struct trades *trades, const struct quote_wish *wish, const struct quote_sources *sources,
                      size_t i, struct quote_line *ret_line, struct error *error) {
    const struct pricing_line line = {trades, wish, sources, i};
    struct quote_line priced;
    if (!kind_of(wish->lines[i])->price(&line, &priced, error))
        return false;
    *ret_line = priced;
    return true;
}
