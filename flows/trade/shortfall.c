#include "flows/trade/shortfall.h"

#include "flows/trade/effect.h"

enum { ARENA_MAX = 65536 };

void shortfall_add(struct saga_turn *turn, const struct shortfall *shortfall) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    const struct shortfall_row key = {.number = (int32_t)trade->parts[PART_SHORTFALL].n + 1};
    struct shortfall_row *row = trade_add(trade, PART_SHORTFALL, &key);
    str_fit(str_c(shortfall->what), row->what, sizeof row->what);
    str_fit(str_c(shortfall->reason), row->reason, sizeof row->reason);
    str_fit(str_c(shortfall->text), row->text, sizeof row->text);
    row->amount = shortfall->amount;
    row->points = shortfall->points;
    row->created_ms = saga_turn_now(turn);
    trades_alert(trade->trades, "a shortfall", trade, row->reason);
}

bool shortfall_of_answer(struct saga_turn *turn, struct str answer, const char *what, int64_t amount, int64_t points) {
    struct arena arena;
    arena_init(&arena, ARENA_MAX);
    const Txcenter__Trade__V1__Shortfall *kept =
        effect_answer(answer, &txcenter__trade__v1__shortfall__descriptor, &arena);
    if (kept)
        shortfall_add(turn, &(struct shortfall){what, kept->reason, kept->text, amount, points});
    arena_release(&arena);
    return kept != NULL;
}
