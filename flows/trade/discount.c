#include "flows/trade/discount.h"

#include "flows/trade/view.h"

static int64_t minor(const Txcenter__Type__V1__Money *money) {
    return money ? money->minor_units : 0;
}

void discount_of_combination(const Txcenter__Trade__V1__Combination *combination, int64_t ret_discount[SOLVER_LAYERS]) {
#define X(NAME, name, since) ret_discount[SOLVER_LAYER_##NAME] = minor(combination->name##_discount);
    SOLVER_LAYER_TABLE(X)
#undef X
}

void discount_of_share(const Txcenter__Trade__V1__LineShare *share, int64_t ret_discount[SOLVER_LAYERS]) {
#define X(NAME, name, since) ret_discount[SOLVER_LAYER_##NAME] = minor(share->name##_discount);
    SOLVER_LAYER_TABLE(X)
#undef X
}

bool discount_to_combination(const int64_t discount[SOLVER_LAYERS], const char *currency, struct arena *arena,
                             Txcenter__Trade__V1__Combination *combination) {
#define X(NAME, name, since)                                                                                           \
    &&(combination->name##_discount = view_money(currency, discount[SOLVER_LAYER_##NAME], arena))
    return true SOLVER_LAYER_TABLE(X);
#undef X
}

bool discount_to_share(const int64_t discount[SOLVER_LAYERS], const char *currency, struct arena *arena,
                       Txcenter__Trade__V1__LineShare *share) {
#define X(NAME, name, since) &&(share->name##_discount = view_money(currency, discount[SOLVER_LAYER_##NAME], arena))
    return true SOLVER_LAYER_TABLE(X);
#undef X
}

int64_t discount_sum(const int64_t discount[SOLVER_LAYERS]) {
    int64_t sum = 0;
    for (int layer = 0; layer < SOLVER_LAYERS; layer++)
        sum += discount[layer];
    return sum;
}
