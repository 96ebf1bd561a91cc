#include "tests/flows/solver_model.h"

#include <stdlib.h>

static int compare_text(struct str a, struct str b) {
    int order = memcmp(a.ptr, b.ptr, a.len < b.len ? a.len : b.len);
    return order ? order : (int)a.len - (int)b.len;
}

static bool listed(struct solver_names names, struct str name) {
    for (size_t i = 0; i < names.n; i++)
        if (name.len > 0 && name.len == names.names[i].len && compare_text(names.names[i], name) == 0)
            return true;
    return false;
}

static bool in_scope(struct solver_names scope, const struct solver_line *line) {
    return scope.n == 0 || listed(scope, line->kind) || listed(scope, line->code);
}

static bool same_id(const struct solver_benefit *a, const struct solver_benefit *b) {
    return a->source == b->source && a->id.len == b->id.len && compare_text(a->id, b->id) == 0;
}

static bool excludes(const struct solver_benefit *a, const struct solver_benefit *b) {
    return listed(a->conflicts_with, b->id) || listed(a->conflicts_with, b->exclusive_group);
}

// n hundredths of a unit at so much a unit, to the nearest, halves up.
static int64_t of_unit(int64_t quantity, int64_t per_unit) {
    return (2 * quantity * per_unit + 100) / 200;
}

// Whether the benefit can make the line cheaper at all.
static bool touches(const struct solver_input *input, const struct solver_benefit *benefit, size_t i) {
    const struct solver_line *line = &input->lines[i];
    switch (benefit->kind) {
    case SOLVER_COMPUTED: return benefit->computed[i] > 0;
    case SOLVER_UNIT_OFF: return in_scope(benefit->benefit_scope, line) && line->quantity > 0;
    case SOLVER_UNIT_PRICE:
        return in_scope(benefit->benefit_scope, line) && line->quantity > 0 && line->unit_price > benefit->per_unit;
    default: return in_scope(benefit->benefit_scope, line);
    }
}

static bool sensible(const struct solver_input *input, const struct solver_benefit *benefit) {
    int64_t shares = 0;
    for (size_t i = 0; i < benefit->n_bearers; i++)
        shares += benefit->bearers[i].share_bp;
    if (benefit->n_bearers > 0 && shares != 10000)
        return false;
    for (size_t i = 0; benefit->kind == SOLVER_COMPUTED && i < input->n_lines; i++)
        if (benefit->computed[i] < 0)
            return false;
    return benefit->kind == SOLVER_AMOUNT_OFF    ? benefit->amount_off > 0
           : benefit->kind == SOLVER_PERCENT_OFF ? benefit->percent_off_bp > 0 && benefit->percent_off_bp <= 10000
           : benefit->kind == SOLVER_COMPUTED    ? true
                                                 : benefit->per_unit > 0;
}

static uint32_t kinds_of(const struct solver_input *input, const struct solver_benefit *benefit) {
    uint32_t kinds = 0;
    for (size_t i = 0; i < input->tender_kinds.n; i++)
        if (listed(benefit->tender_kinds, input->tender_kinds.names[i]))
            kinds += 1U << i;
    return kinds;
}

// How much of a quota it takes, apart from an amount.
static int64_t volume_of(const struct solver_input *input, const struct solver_benefit *benefit) {
    int64_t cheaper = 0, bought = 0;
    for (size_t i = 0; i < input->n_lines; i++) {
        int64_t quantity = compare_text(input->lines[i].kind, STR("fuel")) == 0 ? input->lines[i].quantity : 0;
        cheaper += touches(input, benefit, i) ? quantity : 0;
        bought += in_scope(benefit->condition_scope, &input->lines[i]) ? quantity : 0;
    }
    return cheaper > 0 ? cheaper : bought;
}

static bool alone_of_id(const struct solver_input *input, size_t c) {
    for (size_t i = 0; i < input->n_benefits; i++)
        if (i != c && same_id(&input->benefits[i], &input->benefits[c]))
            return false;
    return true;
}

static bool usable(const struct solver_input *input, size_t c) {
    const struct solver_benefit *benefit = &input->benefits[c];
    if (!alone_of_id(input, c) || !sensible(input, benefit))
        return false;
    if (benefit->expires_at_ms != 0 && benefit->expires_at_ms <= input->now_ms)
        return false;
    if (benefit->tender_kinds.n > 0 && kinds_of(input, benefit) == 0)
        return false;
    int64_t least = benefit->quota_unit == SOLVER_QUOTA_VOLUME ? volume_of(input, benefit) : 1;
    if (benefit->quota_unit != SOLVER_QUOTA_NONE && benefit->quota_left < least)
        return false;
    return !listed(input->excluded[benefit->source], benefit->id);
}

static int layer_of(const struct solver_benefit *benefit) {
    if (benefit->tender_kinds.n > 0)
        return SOLVER_LAYER_TENDER;
    return benefit->source == SOLVER_LEVEL      ? SOLVER_LAYER_LEVEL
           : benefit->source == SOLVER_ACTIVITY ? SOLVER_LAYER_ACTIVITY
                                                : SOLVER_LAYER_COUPON;
}

static int kind_rank(const struct solver_benefit *benefit) {
    return benefit->kind == SOLVER_UNIT_PRICE    ? 1
           : benefit->kind == SOLVER_PERCENT_OFF ? 2
           : benefit->kind == SOLVER_UNIT_OFF    ? 3
           : benefit->kind == SOLVER_COMPUTED    ? 4
                                                 : 5;
}

static int64_t ends_at(const struct solver_benefit *benefit) {
    return benefit->expires_at_ms ? benefit->expires_at_ms : INT64_MAX;
}

static int compare_ends(const struct solver_benefit *first, const struct solver_benefit *second) {
    if (ends_at(first) != ends_at(second))
        return ends_at(first) < ends_at(second) ? -1 : 1;
    int order = compare_text(first->id, second->id);
    return order ? order : (int)first->source - (int)second->source;
}

// Layers; in each unit prices, percentages, by the unit, computed, amounts; then fewer lines, then expiry, id, source.
static int apply_order(const struct solver_input *input, size_t a, size_t b) {
    const struct solver_benefit *first = &input->benefits[a], *second = &input->benefits[b];
    if (layer_of(first) != layer_of(second))
        return layer_of(first) - layer_of(second);
    if (kind_rank(first) != kind_rank(second))
        return kind_rank(first) - kind_rank(second);
    int lines = 0;
    for (size_t i = 0; i < input->n_lines; i++)
        lines += touches(input, first, i) - touches(input, second, i);
    return lines ? lines : compare_ends(first, second);
}

static bool together(const struct solver_input *input, const struct solver_benefit *a, const struct solver_benefit *b) {
    if (a->exclusive_group.len > 0 && b->exclusive_group.len > 0 &&
        compare_text(a->exclusive_group, b->exclusive_group) == 0)
        return false;
    if (a->source == SOLVER_ACTIVITY && b->source == SOLVER_ACTIVITY && (!a->stacks || !b->stacks))
        return false;
    for (size_t i = 0; a->source == SOLVER_LEVEL && b->source == SOLVER_LEVEL && i < input->n_lines; i++)
        if (touches(input, a, i) && touches(input, b, i))
            return false;
    return !excludes(a, b) && !excludes(b, a);
}

static int compare_numbers(int64_t a, int64_t b) {
    return a < b ? -1 : a > b ? 1 : 0;
}

static int compare_lines(const struct solver_input *input, size_t a, size_t b) {
    const struct solver_line *first = &input->lines[a], *second = &input->lines[b];
    int order = compare_text(first->kind, second->kind);
    order = order ? order : compare_text(first->code, second->code);
    order = order ? order : compare_numbers(first->amount, second->amount);
    order = order ? order : compare_numbers(first->quantity, second->quantity);
    order = order ? order : compare_numbers(first->unit_price, second->unit_price);
    if (order)
        return order;
    const struct solver_benefit *least = NULL; // by (source, id), of those that were computed differently for the two
    for (size_t c = 0; c < input->n_benefits; c++) {
        const struct solver_benefit *benefit = &input->benefits[c];
        if (benefit->kind == SOLVER_COMPUTED && sensible(input, benefit) && alone_of_id(input, c) &&
            benefit->computed[a] != benefit->computed[b] &&
            (!least || benefit->source < least->source ||
             (benefit->source == least->source && compare_text(benefit->id, least->id) < 0)))
            least = benefit;
    }
    return least ? compare_numbers(least->computed[a], least->computed[b]) : 0;
}

// Takes `total` from the lines in proportion to `weights`: everybody's share rounded down, then a unit each to the
// largest remainders.
static void take(const struct solver_input *input, struct model_price *price, int layer, const int64_t *weights,
                 int64_t total) {
    int64_t sum = 0, rest = total, fraction[MODEL_LINES_MAX] = {0}, taken[MODEL_LINES_MAX] = {0};
    for (size_t i = 0; i < input->n_lines; i++)
        sum += weights[i];
    for (size_t i = 0; i < input->n_lines; i++) {
        fraction[i] = -1;
        if (weights[i] == 0)
            continue;
        taken[i] = total * weights[i] / sum; // the worlds are small
        fraction[i] = total * weights[i] % sum;
        rest -= taken[i];
    }
    for (; rest > 0; rest--) {
        size_t most = 0;
        for (size_t i = 1; i < input->n_lines; i++)
            if (fraction[i] > fraction[most] || (fraction[i] == fraction[most] && compare_lines(input, i, most) < 0))
                most = i;
        taken[most]++;
        fraction[most] = -1;
    }
    for (size_t i = 0; i < input->n_lines; i++) {
        price->left[i] -= taken[i];
        price->shares[layer][i] += taken[i];
    }
    price->discount[layer] += total;
}

// What it would take off each line if there were no cap.
static int64_t by_line(const struct solver_input *input, const struct solver_benefit *benefit, size_t i, int64_t left) {
    int64_t quantity = input->lines[i].quantity, off;
    if (!touches(input, benefit, i))
        return 0;
    if (benefit->kind == SOLVER_UNIT_PRICE)
        off = left - of_unit(quantity, benefit->per_unit);
    else
        off = benefit->kind == SOLVER_UNIT_OFF ? of_unit(quantity, benefit->per_unit) : benefit->computed[i];
    return off < 0 ? 0 : off > left ? left : off;
}

static bool apply(const struct solver_input *input, const struct solver_benefit *benefit, struct model_price *price) {
    int64_t spent = 0, base = 0, weights[MODEL_LINES_MAX] = {0}, discount = 0;
    bool any = false, lines = benefit->kind != SOLVER_PERCENT_OFF && benefit->kind != SOLVER_AMOUNT_OFF;
    for (size_t i = 0; i < input->n_lines; i++) {
        if (in_scope(benefit->condition_scope, &input->lines[i])) {
            any = true;
            spent += benefit->minimum_base == SOLVER_BASE_ORIGINAL ? input->lines[i].amount : price->left[i];
        }
        weights[i] = !touches(input, benefit, i) ? 0
                     : lines                     ? by_line(input, benefit, i, price->left[i])
                                                 : price->left[i];
        base += weights[i];
    }
    if (!any || spent < benefit->minimum_spend)
        return false;
    if (benefit->kind == SOLVER_PERCENT_OFF) {
        discount = base * benefit->percent_off_bp / 10000;
        if (base * benefit->percent_off_bp % 10000 >= 5000)
            discount++;
    } else if (benefit->kind == SOLVER_AMOUNT_OFF) {
        int times = 1;
        while (times < benefit->max_per_order && benefit->minimum_spend > 0 &&
               (times + 1) * benefit->minimum_spend <= spent)
            times++;
        discount = times * benefit->amount_off;
    } else {
        discount = base;
    }
    if (benefit->cap != 0 && discount > benefit->cap)
        discount = benefit->cap;
    if (benefit->quota_unit == SOLVER_QUOTA_AMOUNT && discount > benefit->quota_left)
        discount = benefit->quota_left;
    if (discount > base)
        discount = base;
    if (discount > 0)
        take(input, price, layer_of(benefit), weights, discount);
    return discount > 0;
}

static void spend_points(const struct solver_input *input, struct model_price *price) {
    const struct solver_points *points = &input->points;
    if (input->exclude_points || points->step_points <= 0 || points->step_value <= 0)
        return;
    int64_t left = 0;
    for (size_t i = 0; i < input->n_lines; i++)
        left += price->left[i];
    int64_t steps = 0;
    for (;; steps++) { // one more, as long as all the limits allow it
        int64_t next = (steps + 1) * points->step_points, worth = (steps + 1) * points->step_value;
        if (next > points->available || (points->max_points != 0 && next > points->max_points) ||
            worth * 10000 > left * points->max_share_bp)
            break;
    }
    int64_t weights[MODEL_LINES_MAX];
    memcpy(weights, price->left, sizeof weights);
    price->points = steps * points->step_points;
    if (steps > 0)
        take(input, price, SOLVER_LAYER_POINTS, weights, steps * points->step_value);
}

// The set's benefits in the order in which they apply; false when two of them can't be used together, or one not at
// all.
static bool arrange(const struct solver_input *input, struct model_price *price, size_t *order) {
    size_t n = 0;
    bool legal = true;
    uint32_t kinds = UINT32_MAX;
    for (size_t c = 0; c < input->n_benefits; c++) {
        const struct solver_benefit *benefit = &input->benefits[c];
        if (!(price->set >> c & 1))
            continue;
        legal = legal && usable(input, c);
        if (benefit->tender_kinds.n > 0) {
            kinds &= kinds_of(input, benefit);
            price->tender_kinds = kinds;
        }
        price->coupons += benefit->source == SOLVER_COUPON;
        for (size_t o = 0; o < c; o++)
            if ((price->set >> o & 1) && !together(input, benefit, &input->benefits[o]))
                legal = false;
        size_t at = n++;
        for (; at > 0 && legal && apply_order(input, c, order[at - 1]) < 0; at--)
            order[at] = order[at - 1];
        order[at] = c;
    }
    price->count = (int)n;
    return legal && kinds != 0;
}

void model_price(const struct solver_input *input, unsigned set, struct model_price *ret_price) {
    struct model_price *price = ret_price;
    *price = (struct model_price){.set = set};
    for (size_t i = 0; i < input->n_lines; i++)
        price->left[i] = input->lines[i].amount;
    size_t order[MODEL_BENEFITS_MAX], at = 0;
    price->legal = arrange(input, price, order);
    for (int layer = 0; layer < SOLVER_LAYERS && price->legal; layer++) {
        if (layer == SOLVER_LAYER_POINTS)
            spend_points(input, price);
        for (; at < (size_t)price->count && layer_of(&input->benefits[order[at]]) == layer; at++)
            price->legal = price->legal && apply(input, &input->benefits[order[at]], price);
    }
    for (size_t i = 0; i < input->n_lines; i++)
        price->payable += price->left[i];
}

// Whether `a` has the soonest benefit that only one of the two has.
static bool has_soonest(const struct solver_input *input, unsigned a, unsigned b) {
    const struct solver_benefit *soonest = NULL;
    for (size_t c = 0; c < input->n_benefits; c++)
        if (((a ^ b) >> c & 1) && (!soonest || compare_ends(&input->benefits[c], soonest) < 0))
            soonest = &input->benefits[c];
    return a >> (soonest - input->benefits) & 1;
}

static int compare_prices(const void *a, const void *b, void *ctx) {
    const struct model_price *first = a, *second = b;
    if (first->payable != second->payable)
        return first->payable < second->payable ? -1 : 1;
    if (first->points != second->points)
        return first->points < second->points ? -1 : 1;
    if (first->coupons != second->coupons)
        return first->coupons - second->coupons;
    return first->set == second->set ? 0 : has_soonest(ctx, first->set, second->set) ? -1 : 1;
}

static bool has_required(const struct solver_input *input, unsigned set) {
    for (int source = 0; source < SOLVER_SOURCES; source++)
        for (size_t i = 0; i < input->required[source].n; i++) {
            bool found = false;
            for (size_t c = 0; c < input->n_benefits; c++)
                if ((set >> c & 1) && (int)input->benefits[c].source == source &&
                    compare_text(input->benefits[c].id, input->required[source].names[i]) == 0)
                    found = true;
            if (!found)
                return false;
        }
    return true;
}

size_t model_rank(const struct solver_input *input, struct model_price *ret_sets) {
    size_t n = 0;
    for (unsigned set = 0; set < 1U << input->n_benefits; set++) {
        if (!has_required(input, set))
            continue;
        model_price(input, set, &ret_sets[n]);
        if (ret_sets[n].legal && (set != 0 || ret_sets[n].points > 0))
            n++;
    }
    struct solver_input sorted = *input;
    qsort_r(ret_sets, n, sizeof *ret_sets, compare_prices, &sorted);
    return n;
}
