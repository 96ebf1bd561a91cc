#include "flows/trade/combination.h"

#include "flows/trade/discount.h"
#include "flows/trade/rule.h"
#include "flows/trade/view.h"

typedef Txcenter__Trade__V1__Combination combination_message;
typedef Txcenter__Trade__V1__AppliedBenefit benefit_message;

// The ids come from messages or are in an arena, NUL-terminated.
static char *text_of(struct str text) {
    return view_text(text.ptr ? text.ptr : "");
}

static bool add_shares(const struct solver_input *input, const struct solver_combination *found, const char *currency,
                       struct arena *arena, combination_message *combination) {
    combination->line_shares = view_array(arena, input->n_lines);
    for (size_t i = 0; combination->line_shares && i < input->n_lines; i++) {
        Txcenter__Trade__V1__LineShare *share =
            VIEW_NEW(arena, txcenter__trade__v1__line_share, Txcenter__Trade__V1__LineShare);
        if (!share || !discount_to_share(found->shares[i].discount, currency, arena, share) ||
            !(share->payable = view_money(currency, found->shares[i].payable, arena)))
            return false;
        combination->line_shares[combination->n_line_shares++] = share;
    }
    return combination->n_line_shares == input->n_lines;
}

static bool add_bearers(const struct solver_benefit *benefit, struct arena *arena, benefit_message *message) {
    size_t n;
    const struct solver_bearer *bearers = solver_bearers(benefit, &n);
    message->bearers = view_array(arena, n);
    for (size_t i = 0; message->bearers && i < n; i++) {
        Txcenter__Trade__V1__BenefitBearer *bearer =
            VIEW_NEW(arena, txcenter__trade__v1__benefit_bearer, Txcenter__Trade__V1__BenefitBearer);
        if (!bearer)
            return false;
        bearer->bearer = text_of(bearers[i].bearer);
        bearer->bearer_id = text_of(bearers[i].bearer_id);
        bearer->share_bp = bearers[i].share_bp;
        message->bearers[message->n_bearers++] = bearer;
    }
    return message->n_bearers == n;
}

static const Txcenter__Trade__V1__BenefitSource sources[SOLVER_SOURCES] = {
    [SOLVER_COUPON] = TXCENTER__TRADE__V1__BENEFIT_SOURCE__BENEFIT_SOURCE_COUPON,
    [SOLVER_ACTIVITY] = TXCENTER__TRADE__V1__BENEFIT_SOURCE__BENEFIT_SOURCE_ACTIVITY,
    [SOLVER_LEVEL] = TXCENTER__TRADE__V1__BENEFIT_SOURCE__BENEFIT_SOURCE_LEVEL};

bool combination_has(const combination_message *combination, const struct solver_benefit *benefit) {
    for (size_t i = 0; i < combination->n_benefits; i++)
        if (combination->benefits[i]->source == sources[benefit->source] &&
            str_eq_c(benefit->id, combination->benefits[i]->benefit_id))
            return true;
    return false;
}

static benefit_message *benefit_of(const struct solver_input *input, const struct solver_applied *applied,
                                   const char *currency, struct arena *arena) {
    const struct solver_benefit *benefit = &input->benefits[applied->benefit];
    benefit_message *message =
        VIEW_NEW(arena, txcenter__trade__v1__applied_benefit, Txcenter__Trade__V1__AppliedBenefit);
    int64_t *lines = arena_calloc(arena, input->n_lines, sizeof *lines);
    if (!message || !lines)
        return NULL;
    memcpy(lines, applied->shares, input->n_lines * sizeof *lines);
    message->source = sources[benefit->source];
    message->benefit_id = text_of(benefit->id);
    message->discount = view_money(currency, applied->discount, arena);
    message->line_discounts = lines;
    message->n_line_discounts = input->n_lines;
    return add_bearers(benefit, arena, message) ? message : NULL;
}

static bool add_benefits(const struct solver_input *input, const struct solver_combination *found, const char *currency,
                         struct arena *arena, combination_message *combination) {
    combination->benefits = view_array(arena, found->n_applied);
    combination->coupon_ids = view_array(arena, found->n_applied);
    if (found->n_applied > 0 && (!combination->benefits || !combination->coupon_ids))
        return false;
    for (size_t i = 0; i < found->n_applied; i++) {
        const struct solver_benefit *benefit = &input->benefits[found->applied[i].benefit];
        combination->benefits[i] = benefit_of(input, &found->applied[i], currency, arena);
        if (!combination->benefits[i])
            return false;
        combination->n_benefits++;
        if (benefit->source == SOLVER_COUPON)
            combination->coupon_ids[combination->n_coupon_ids++] = text_of(benefit->id);
    }
    return true;
}

static bool add_tender_kinds(const struct solver_combination *found, struct arena *arena,
                             combination_message *combination) {
    size_t n = (size_t)__builtin_popcount(found->tender_kinds);
    combination->tender_kinds = arena_calloc(arena, n + 1, sizeof *combination->tender_kinds);
    for (uint32_t kinds = found->tender_kinds; combination->tender_kinds && kinds; kinds &= kinds - 1)
        combination->tender_kinds[combination->n_tender_kinds++] = rule_tender_kind((size_t)__builtin_ctz(kinds));
    return combination->tender_kinds;
}

static bool add_quotas(const struct solver_combination *found, struct arena *arena, combination_message *combination) {
    combination->quotas = view_array(arena, found->n_quotas);
    for (size_t i = 0; combination->quotas && i < found->n_quotas; i++) {
        Txcenter__Trade__V1__QuotaUse *quota =
            VIEW_NEW(arena, txcenter__trade__v1__quota_use, Txcenter__Trade__V1__QuotaUse);
        if (!quota)
            return false;
        quota->activity_id = text_of(found->quotas[i].activity_id);
        quota->quantity = found->quotas[i].quantity;
        combination->quotas[combination->n_quotas++] = quota;
    }
    return combination->n_quotas == found->n_quotas;
}

combination_message *combination_view(const struct solver_input *input, const struct solver_combination *found,
                                      size_t number, const char *currency, struct arena *arena) {
    combination_message *combination =
        VIEW_NEW(arena, txcenter__trade__v1__combination, Txcenter__Trade__V1__Combination);
    if (!combination || !discount_to_combination(found->discount, currency, arena, combination) ||
        !(combination->payable = view_money(currency, found->payable, arena)))
        return NULL;
    combination->combination_id = view_text(arena_printf(arena, "%zu", number).ptr);
    combination->points = found->points;
    bool whole = add_benefits(input, found, currency, arena, combination) &&
                 add_shares(input, found, currency, arena, combination) &&
                 add_tender_kinds(found, arena, combination) && add_quotas(found, arena, combination);
    return whole ? combination : NULL;
}
