#include "flows/trade/chosen.h"

#include "flows/trade/view.h"
#include "txcenter/trade/v1/facts.pb-c.h"

typedef Txcenter__Trade__V1__Combination combination_message;
typedef Participant__Discount__V1__QuotaLine quota_line;

const combination_message *chosen_combination(const struct trade *trade, const Txcenter__Trade__V1__Quote *quote,
                                              struct arena *arena) {
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
    const combination_message *chosen = chosen_combination(trade, NULL, arena);
    if (!chosen)
        return 0;
    *ret_ids = chosen->coupon_ids;
    return chosen->n_coupon_ids;
}

// ---- Quota --------------------------------------------------------------------------------------------------------

static bool takes_quota(const combination_message *chosen, const char *activity_id) {
    for (size_t i = 0; i < chosen->n_quotas; i++)
        if (strcmp(chosen->quotas[i]->activity_id, activity_id) == 0)
            return true;
    return false;
}

int64_t chosen_quota_worth(const struct trade *trade) {
    struct arena arena;
    arena_init(&arena, CHOSEN_ARENA_MAX);
    const combination_message *chosen = chosen_combination(trade, NULL, &arena);
    int64_t sum = 0;
    for (size_t i = 0; chosen && i < chosen->n_benefits; i++) {
        const Txcenter__Trade__V1__AppliedBenefit *benefit = chosen->benefits[i];
        if (benefit->source == TXCENTER__TRADE__V1__BENEFIT_SOURCE__BENEFIT_SOURCE_ACTIVITY &&
            takes_quota(chosen, benefit->benefit_id))
            sum += benefit->discount->minor_units;
    }
    arena_release(&arena);
    return sum;
}

size_t chosen_quota(const struct trade *trade, struct arena *arena, quota_line ***ret_lines) {
    const combination_message *chosen = chosen_combination(trade, NULL, arena);
    quota_line **lines = chosen ? view_array(arena, chosen->n_quotas) : NULL;
    size_t n = 0;
    for (; lines && n < chosen->n_quotas; n++) {
        lines[n] = VIEW_NEW(arena, participant__discount__v1__quota_line, quota_line);
        if (!lines[n])
            return 0;
        lines[n]->activity_id = chosen->quotas[n]->activity_id;
        lines[n]->quantity = chosen->quotas[n]->quantity;
    }
    *ret_lines = lines;
    return n;
}

const Participant__User__V1__User *chosen_buyer(const struct trade *trade, struct arena *arena) {
    const struct quote_row *row = trade_quote_row(trade, trade->row.ordered_version);
    const Txcenter__Trade__V1__QuoteFacts *facts =
        row ? adapter_decode(row->facts, &txcenter__trade__v1__quote_facts__descriptor, arena) : NULL;
    return facts && facts->user ? facts->user->user : NULL;
}
