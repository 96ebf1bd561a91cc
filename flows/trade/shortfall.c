#include "flows/trade/shortfall.h"

#include "flows/trade/effect.h"
#include "flows/trade/holding.h"
#include "flows/trade/matter.h"
#include "flows/trade/refund_command.h"
#include "flows/trade/refund_plan.h"

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

// An operator who tries it again just now is not disturbed.
static bool is_open(const struct trade *trade, const char *what) {
    const struct matter_row *row = matter_about(trade, MATTER_KIND(SHORTFALL), what);
    return row && matter_is_open(row) && !row->gid[0];
}

static bool any_is_open(const struct trade *trade) {
    for (size_t i = 0; i < HOLDINGS; i++)
        if (is_open(trade, holding_rows[i].name))
            return true;
    return false;
}

void shortfall_refund(struct saga_turn *turn) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    struct refund_plan plan = {.refund_no = REFUND_SHORTFALL_NO, .reason = "not all that was ordered was there"};
    struct error error = {0};
    if (trade->trades->options.shortfall != TRADE_SHORTFALL_REFUNDS || trade->row.completed_ms == 0 ||
        !any_is_open(trade) || trade_refund(trade, STR(REFUND_SHORTFALL_NO)) ||
        !refund_command_allowed(trade, saga_turn_now(turn), &error))
        return;
    refund_plan_rest(trade, &plan);
    if (!refund_plan_start(turn, &plan, &error))
        trades_alert(trade->trades, "refund of a trade with a shortfall can't start", trade, error.text);
}

void shortfall_refunded(struct saga_turn *turn, const struct refund_row *refund) {
    const struct trade *trade = trade_of(saga_turn_subject(turn));
    for (size_t i = 0; i < HOLDINGS && strcmp(refund->refund_no, REFUND_SHORTFALL_NO) == 0; i++)
        if (is_open(trade, holding_rows[i].name))
            matter_over(turn, MATTER_KIND(SHORTFALL), holding_rows[i].name, "the trade was refunded instead");
}
