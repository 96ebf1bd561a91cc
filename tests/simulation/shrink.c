#include "tests/simulation/shrink.h"

#include "tests/simulation/campaign.h"

#include <stdlib.h>
#include <string.h>

enum { TRIES_MAX = 1500 };

struct shrinking {
    struct plan *plan;
    enum plant plant;
    struct report *report, *tried;
    unsigned tries;
};

// The same failure: the same rule, whichever saga broke it.
static bool still_fails(struct shrinking *shrinking) {
    shrinking->tries++;
    if (campaign_try(shrinking->plan, shrinking->plant, NULL, shrinking->tried) ||
        strcmp(shrinking->tried->rule, shrinking->report->rule) != 0)
        return false;
    *shrinking->report = *shrinking->tried;
    return true;
}

// Tries to do without `length` of the items that are left, from the `from`th on. True when that goes.
static bool leave_out(struct shrinking *shrinking, uint32_t from, uint32_t length) {
    struct plan *plan = shrinking->plan;
    bool before[PLAN_ITEMS_MAX];
    memcpy(before, plan->left_out, sizeof before);
    uint32_t place = 0;
    for (uint32_t i = 0; i < plan->n; i++)
        if (!before[i]) {
            plan->left_out[i] = place >= from && place < from + length;
            place++;
        }
    if (still_fails(shrinking))
        return true;
    memcpy(plan->left_out, before, sizeof before);
    return false;
}

static uint32_t count_left(const struct plan *plan) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < plan->n; i++)
        n += !plan->left_out[i];
    return n;
}

// By halves, quarters, and so on down to single items, until no single one can go.
unsigned shrink(struct plan *plan, enum plant plant, struct report *report) {
    struct shrinking shrinking = {.plan = plan, .plant = plant, .report = report, .tried = malloc(sizeof *report)};
    if (!shrinking.tried)
        abort();
    bool smaller = true;
    while (smaller && shrinking.tries < TRIES_MAX) {
        smaller = false;
        for (uint32_t length = count_left(plan) / 2; length > 0; length /= 2)
            for (uint32_t from = 0; from < count_left(plan) && shrinking.tries < TRIES_MAX;)
                if (leave_out(&shrinking, from, length))
                    smaller = true;
                else
                    from += length;
    }
    free(shrinking.tried);
    return shrinking.tries;
}
