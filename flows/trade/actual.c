#include "flows/trade/actual.h"

#include "flows/trade/chosen.h"
#include "flows/trade/discount.h"
#include "flows/trade/forecourt.h"
#include "flows/trade/quote_again.h"
#include "flows/trade/view.h"

#include <stdlib.h>

typedef Txcenter__Trade__V1__ActualLine told_line;
typedef Txcenter__Trade__V1__Combination combination_message;

// ---- What was dispensed ---------------------------------------------------------------------------------------------

static struct quote_line line_of(const struct line_row *row) {
    return (struct quote_line){.kind = row->kind,
                               .code = row->code,
                               .name = row->name,
                               .nozzle = row->nozzle,
                               .volume_centi = row->volume_centi,
                               .quantity = row->quantity,
                               .unit_price = row->unit_price,
                               .list_price = row->list_price};
}

static bool take_told(const struct trade *trade, const told_line *told, const struct line_row *row,
                      struct quote_line *line, struct error *error) {
    struct str currency = str_c(trade->row.currency);
    char most[MONEY_TEXT_MAX], is[MONEY_TEXT_MAX];
    line->volume_centi = told->volume_centi;
    line->list_price = told->amount ? told->amount->minor_units : 0;
    if (told->pump_price && told->pump_price->minor_units != row->unit_price)
        return error_set(error, ERR_PRICE_CHANGED, "the pump has %s for a unit, the kept quote %s",
                         money_text(told->pump_price->minor_units, currency, is),
                         money_text(row->unit_price, currency, most));
    bool none = line->volume_centi == 0 && line->list_price == 0;
    if (!none && !forecourt_complete(&line->volume_centi, &line->list_price, row->unit_price, currency, error))
        return false;
    return line->list_price <= row->list_price ||
           error_set(error, ERR_ADJUST_EXCEEDS, "%s of line %d were authorised, not %s",
                     money_text(row->list_price, currency, most), row->line,
                     money_text(line->list_price, currency, is));
}

// What the caller says of the line; NULL when it says nothing, or says it twice.
static const told_line *told_of(told_line *const *told, size_t n_told, unsigned index) {
    const told_line *found = NULL;
    for (size_t i = 0; i < n_told; i++)
        if (told[i]->index == (int32_t)index) {
            if (found)
                return NULL;
            found = told[i];
        }
    return found;
}

static bool take_lines(const struct trade *trade, told_line *const *told, size_t n_told, struct actual *actual,
                       struct error *error) {
    const struct line_row *row;
    size_t authorised = 0;
    for (unsigned i = 0; i < TRADE_LINES_MAX && (row = trade_line_of(trade, NULL, i)); i++) {
        struct quote_line *line = &actual->lines[actual->n++];
        *line = line_of(row);
        const told_line *said = row->authorised ? told_of(told, n_told, i) : NULL;
        if (row->authorised && !said)
            error_field(error, "lines", "must name line %u once: it was authorised", i);
        else if (said && !take_told(trade, said, row, line, error))
            return false;
        authorised += row->authorised != 0;
        actual->list_price += line->list_price;
    }
    if (n_told != authorised && !error_is(error))
        error_field(error, "lines", "names one that was not authorised");
    return !error_is(error);
}

// ---- What it costs --------------------------------------------------------------------------------------------------

// The benefits' parts of each line, when the line's is so much in all.
static bool share_among(combination_message *combination, const combination_message *chosen, size_t line, int64_t all,
                        struct arena *arena) {
    int64_t *weights = arena_calloc(arena, chosen->n_benefits + 1, sizeof *weights);
    int64_t *parts = arena_calloc(arena, chosen->n_benefits + 1, sizeof *parts);
    if (!weights || !parts)
        return false;
    for (size_t i = 0; i < chosen->n_benefits; i++)
        weights[i] = chosen->benefits[i]->discount->minor_units;
    if (chosen->n_benefits == 0 || !money_allocate(all, weights, chosen->n_benefits, parts))
        return true;
    for (size_t i = 0; i < chosen->n_benefits; i++) {
        combination->benefits[i]->line_discounts[line] = parts[i];
        combination->benefits[i]->discount->minor_units += parts[i];
    }
    return true;
}

static bool copy_benefits(combination_message *combination, const combination_message *chosen, const char *currency,
                          size_t n_lines, struct arena *arena) {
    combination->benefits = view_array(arena, chosen->n_benefits);
    for (size_t i = 0; i < chosen->n_benefits; i++) {
        Txcenter__Trade__V1__AppliedBenefit *benefit = arena_alloc(arena, sizeof *benefit);
        int64_t *lines = arena_calloc(arena, n_lines, sizeof *lines);
        if (!combination->benefits || !benefit || !lines)
            return false;
        *benefit = *chosen->benefits[i];
        if (!view_put_money(&benefit->discount, currency, 0, arena))
            return false;
        benefit->line_discounts = lines;
        benefit->n_line_discounts = n_lines;
        combination->benefits[i] = benefit;
    }
    return true;
}

// Of each line the part of what was authorised that its list price is of all; what is beyond that, the layers bear in
// the proportion in which they did.
static combination_message *kept_within(const struct trade *trade, const struct actual *actual,
                                        const combination_message *chosen, struct arena *arena) {
    const struct trade_row *row = &trade->row;
    combination_message *combination = arena_alloc(arena, sizeof *combination);
    int64_t lists[TRADE_LINES_MAX], nets[TRADE_LINES_MAX], total[SOLVER_LAYERS] = {0};
    if (!combination)
        return NULL;
    *combination = *chosen;
    combination->line_shares = view_array(arena, actual->n);
    if (!view_put_money(&combination->payable, row->currency, row->paid, arena) || !combination->line_shares ||
        !copy_benefits(combination, chosen, row->currency, actual->n, arena))
        return NULL;
    for (size_t i = 0; i < actual->n; i++)
        lists[i] = actual->lines[i].list_price;
    if (!money_allocate(row->paid, lists, actual->n, nets))
        return NULL;
    for (size_t i = 0; i < actual->n; i++) {
        int64_t parts[SOLVER_LAYERS];
        Txcenter__Trade__V1__LineShare *share =
            VIEW_NEW(arena, txcenter__trade__v1__line_share, Txcenter__Trade__V1__LineShare);
        if (!share || !view_put_money(&share->payable, row->currency, nets[i], arena) ||
            !money_allocate(lists[i] - nets[i], row->discount, SOLVER_LAYERS, parts) ||
            !discount_to_share(parts, row->currency, arena, share))
            return NULL;
        combination->line_shares[i] = share;
        for (int layer = 0; layer < SOLVER_LAYERS; layer++)
            total[layer] += parts[layer];
        int64_t saved = lists[i] - nets[i] - parts[SOLVER_LAYER_POINTS] - parts[SOLVER_LAYER_ROUNDING];
        if (!share_among(combination, chosen, i, saved, arena)) // by benefits
            return NULL;
    }
    return discount_to_combination(total, row->currency, arena, combination) ? combination : NULL;
}

static bool too_large(struct error *error) {
    return error_set(error, ERR_OVERLOADED, "the adjustment needs too much memory");
}

static bool price(const struct trade *trade, struct arena *arena, struct actual *actual, struct error *error) {
    const struct quote_row *kept = trade_quote_row(trade, trade->row.ordered_version);
    const Txcenter__Trade__V1__QuoteFacts *facts =
        kept ? adapter_decode(kept->facts, &txcenter__trade__v1__quote_facts__descriptor, arena) : NULL;
    const combination_message *chosen = chosen_combination(trade, NULL, arena);
    if (!facts || !chosen)
        return error_set(error, ERR_STORE_CORRUPT, "the kept quote can't be read");
    const struct quote_again again = {facts, chosen, actual->lines, actual->n};
    combination_message *combination = quote_price_again(trade->trades, &again, arena, error);
    if (combination && actual->list_price > 0) {
        combination->quotas = chosen->quotas; // what was locked is used; of nothing it is not
        combination->n_quotas = chosen->n_quotas;
    }
    actual->combination = combination;
    if (actual->combination && actual->combination->payable->minor_units > trade->row.paid)
        actual->combination = kept_within(trade, actual, chosen, arena);
    return actual->combination || error_is(error) || too_large(error);
}

// ---- As a quote -----------------------------------------------------------------------------------------------------

// The version of the quote that it makes, packed; none when there is no room for it.
static struct str packed(const struct trade *trade, const struct actual *actual, struct arena *arena) {
    Txcenter__Trade__V1__Quote *quote = view_quote(trade_quote_row(trade, trade->row.ordered_version), arena);
    combination_message chosen = *actual->combination, *combinations[] = {&chosen};
    const char *currency = trade->row.currency;
    if (!quote || !view_put_money(&quote->list_price, currency, actual->list_price, arena))
        return STR_NONE;
    chosen.combination_id = view_text("1");
    quote->version = trade->row.quote_version + 1;
    quote->combinations = combinations;
    quote->n_combinations = 1;
    for (size_t i = 0; i < quote->n_lines && i < actual->n; i++) {
        quote->lines[i]->volume_centi = actual->lines[i].volume_centi;
        quote->lines[i]->quantity = actual->lines[i].quantity;
        if (!view_put_money(&quote->lines[i]->list_price, currency, actual->lines[i].list_price, arena))
            return STR_NONE;
    }
    size_t size = txcenter__trade__v1__quote__get_packed_size(quote);
    uint8_t *bytes = size <= TRADE_BLOB_MAX ? arena_alloc(arena, size + 1) : NULL;
    return bytes ? str_n(bytes, txcenter__trade__v1__quote__pack(quote, bytes)) : STR_NONE;
}

bool actual_of(const struct trade *trade, told_line *const *told, size_t n_told, struct arena *arena,
               struct actual *ret_actual, struct error *error) {
    struct actual actual = {.n = 0};
    if (!take_lines(trade, told, n_told, &actual, error) || !price(trade, arena, &actual, error) || error_is(error))
        return false;
    actual.quote = packed(trade, &actual, arena);
    if (!actual.quote.ptr)
        return too_large(error);
    *ret_actual = actual;
    return true;
}

// No benefit, no points, no quota, and nothing to pay.
static combination_message *without_anything(const struct trade *trade, size_t n_lines, struct arena *arena) {
    static const int64_t none[SOLVER_LAYERS];
    const char *currency = trade->row.currency;
    combination_message *combination =
        VIEW_NEW(arena, txcenter__trade__v1__combination, Txcenter__Trade__V1__Combination);
    if (!combination || !view_put_money(&combination->payable, currency, 0, arena) ||
        !discount_to_combination(none, currency, arena, combination) ||
        !(combination->line_shares = view_array(arena, n_lines)))
        return NULL;
    for (; combination->n_line_shares < n_lines; combination->n_line_shares++) {
        Txcenter__Trade__V1__LineShare *share =
            VIEW_NEW(arena, txcenter__trade__v1__line_share, Txcenter__Trade__V1__LineShare);
        if (!share || !view_put_money(&share->payable, currency, 0, arena) ||
            !discount_to_share(none, currency, arena, share))
            return NULL;
        combination->line_shares[combination->n_line_shares] = share;
    }
    return combination;
}

bool actual_nothing(const struct trade *trade, struct arena *arena, struct actual *ret_actual, struct error *error) {
    struct actual actual = {.n = 0};
    const struct line_row *row;
    for (; actual.n < TRADE_LINES_MAX && (row = trade_line_of(trade, NULL, (unsigned)actual.n)); actual.n++) {
        struct quote_line *line = &actual.lines[actual.n];
        *line = line_of(row);
        line->volume_centi = line->quantity = line->list_price = 0;
    }
    actual.combination = without_anything(trade, actual.n, arena);
    if (!actual.combination)
        return too_large(error);
    actual.quote = packed(trade, &actual, arena);
    if (!actual.quote.ptr)
        return too_large(error);
    *ret_actual = actual;
    return true;
}

void actual_keep(struct trade *trade, const struct actual *actual) {
    const struct quote_row *kept = trade_quote_row(trade, trade->row.ordered_version);
    const struct quote_row row = {.version = trade->row.quote_version + 1,
                                  .created_ms = kept->created_ms,
                                  .expires_ms = kept->expires_ms,
                                  .degraded = kept->degraded,
                                  .facts = kept->facts,
                                  .quote = trade_keep(trade, actual->quote)};
    trade_add(trade, PART_QUOTE, &row);
    trade_edit(trade)->quote_version = trade->row.ordered_version = row.version;
    str_copy(STR("1"), trade->row.combination_id, sizeof trade->row.combination_id);
}
