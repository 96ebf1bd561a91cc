#include "flows/trade/reorder.h"

#include "flows/trade/chosen.h"
#include "flows/trade/internal.h"
#include "flows/trade/purchase_end.h"
#include "flows/trade/view.h"

void reorder_ask(struct saga_turn *turn, const struct order_wish *wish,
                 const Txcenter__Trade__V1__Combination *combination) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    struct trade_row *row = trade_edit(trade);
    row->next_version = wish->quote_version;
    row->next_mode = wish->mode;
    row->next_expires_s = wish->expires_in_seconds;
    str_copy(str_c(combination->combination_id), row->next_combination, sizeof row->next_combination);
    row->closing = CLOSING_REORDER;
    trade_set_state(trade, TRADE_STATE(CLOSING), saga_turn_now(turn));
    purchase_end_poke(turn);
}

// What whoever ordered is told.
static bool refuse(struct trade *trade, enum err code) {
    struct trade_row *row = trade_edit(trade);
    row->failure = (int32_t)code;
    str_fit(str_c(err_info(code)->name), row->reason, sizeof row->reason);
    str_fit(str_c(err_info(code)->text), row->text, sizeof row->text);
    return false;
}

bool reorder_begin(struct saga_turn *turn) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    const struct order_wish wish = {.quote_version = trade->row.next_version,
                                    .combination_id = trade->row.next_combination,
                                    .mode = trade->row.next_mode,
                                    .expires_in_seconds = trade->row.next_expires_s,
                                    .accept_degraded = true};
    struct error error = {0};
    struct arena arena;
    const struct quote_row *row = trade_quote_row(trade, wish.quote_version);
    if (row && saga_turn_now(turn) >= row->expires_ms)
        return refuse(trade, ERR_QUOTE_EXPIRED);
    arena_init(&arena, CHOSEN_ARENA_MAX);
    const Txcenter__Trade__V1__Quote *quote = view_quote(row, &arena);
    const Txcenter__Trade__V1__Combination *chosen = quote ? order_choice(quote, wish.combination_id) : NULL;
    bool began = chosen ? order_start(turn, &wish, chosen, NULL, &error)
                        : error_set(&error, ERR_STORE_CORRUPT, "the kept quote can't be read");
    arena_release(&arena);
    if (!began)
        trades_alert(trade->trades, "an edited order can't be ordered again", trade, error.text);
    return began;
}
