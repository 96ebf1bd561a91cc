#include "flows/trade/shortfall.h"

#include "flows/trade/effect.h"
#include "flows/trade/matter.h"

enum { ARENA_MAX = 65536 };

void shortfall_add(struct saga_turn *turn, const struct shortfall *shortfall) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    const struct matter matter = {.kind = MATTER_KIND(SHORTFALL),
                                  .what = shortfall->what,
                                  .reason = shortfall->reason,
                                  .text = shortfall->text,
                                  .amount = shortfall->amount,
                                  .points = shortfall->points,
                                  .generation = (int32_t)saga_turn_generation(turn)};
    matter_raise(turn, &matter);
    trades_alert(trade->trades, "a shortfall", trade, shortfall->reason);
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
