#include "flows/trade/quote_again.h"

#include "flows/trade/combination.h"
#include "flows/trade/internal.h"
#include "flows/trade/quote_input.h"

// Only what was chosen may be used, and no more points than were.
static bool keep_to_chosen(struct solver_input *input, const Txcenter__Trade__V1__Combination *chosen,
                           struct arena *arena) {
    struct solver_benefit *kept = arena_calloc(arena, chosen->n_benefits + 1, sizeof *kept);
    size_t n = 0;
    for (size_t i = 0; kept && i < input->n_benefits && n < chosen->n_benefits; i++)
        if (combination_has(chosen, &input->benefits[i]))
            kept[n++] = input->benefits[i];
    input->benefits = kept;
    input->n_benefits = n;
    input->exclude_points = input->exclude_points || chosen->points == 0;
    if (input->points.max_points == 0 || input->points.max_points > chosen->points)
        input->points.max_points = chosen->points;
    return kept != NULL;
}

Txcenter__Trade__V1__Combination *quote_price_again(struct trades *trades, const struct quote_again *again,
                                                    struct arena *arena, struct error *error) {
    const struct quote_wish wish = {.context = again->facts->context, .n_lines = again->n_lines, .max_combinations = 1};
    struct solver_input input;
    struct solver_result result;
    if (!quote_input_make(trades, &wish, again->lines, again->facts, arena, &input) ||
        !keep_to_chosen(&input, again->chosen, arena) || !solver_solve(&input, arena, &result, error))
        return NULL;
    return combination_view(&input, &result.combinations[0], 1, again->chosen->payable->currency, arena);
}
