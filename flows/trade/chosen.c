#include "flows/trade/chosen.h"

#include "flows/trade/view.h"

const Txcenter__Trade__V1__Combination *
chosen_combination(const struct trade *trade, const Txcenter__Trade__V1__Quote *quote, struct arena *arena) {
    const struct trade_row *row = &trade->row;
    if (!row->combination_id[0])
        return NULL;
    if (!quote || row->ordered_version != row->quote_version)
        quote = view_quote(trade_quote_row(trade, row->ordered_version), arena);
    for (size_t i = 0; quote && i < quote->n_combinations; i++)
        if (strcmp(quote->combinations[i]->combination_id, row->combination_id) == 0)
            return quote->combinations[i];
    return NULL;
}

size_t chosen_coupons(const struct trade *trade, struct arena *arena, char ***ret_ids) {
    const Txcenter__Trade__V1__Combination *chosen = chosen_combination(trade, NULL, arena);
    if (!chosen)
        return 0;
    *ret_ids = chosen->coupon_ids;
    return chosen->n_coupon_ids;
}
