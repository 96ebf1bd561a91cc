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

static bool excludes(const struct solver_coupon *a, const struct solver_coupon *b) {
    return listed(a->conflicts_with, b->id) || listed(a->conflicts_with, b->exclusive_group);
}

static bool usable(const struct solver_input *input, size_t c) {
    const struct solver_coupon *coupon = &input->coupons[c];
    for (size_t i = 0; i < input->n_coupons; i++)
        if (i != c && compare_text(input->coupons[i].id, coupon->id) == 0)
            return false;
    if (coupon->kind == SOLVER_AMOUNT_OFF ? coupon->amount_off <= 0
                                          : coupon->percent_off_bp <= 0 || coupon->percent_off_bp > 10000)
        return false;
    if (coupon->expires_at_ms != 0 && coupon->expires_at_ms <= input->now_ms)
        return false;
    return !listed(input->excluded_ids, coupon->id);
}

// Percentages first, then fewer lines, then expiry, then id.
static int apply_order(const struct solver_input *input, size_t a, size_t b) {
    const struct solver_coupon *first = &input->coupons[a], *second = &input->coupons[b];
    if (first->kind != second->kind)
        return first->kind == SOLVER_PERCENT_OFF ? -1 : 1;
    int lines = 0;
    for (size_t i = 0; i < input->n_lines; i++)
        lines += in_scope(first->benefit_scope, &input->lines[i]) - in_scope(second->benefit_scope, &input->lines[i]);
    if (lines != 0)
        return lines;
    int64_t ends_first = first->expires_at_ms ? first->expires_at_ms : INT64_MAX;
    int64_t ends_second = second->expires_at_ms ? second->expires_at_ms : INT64_MAX;
    if (ends_first != ends_second)
        return ends_first < ends_second ? -1 : 1;
    return compare_text(first->id, second->id);
}

static bool line_before(const struct solver_line *a, const struct solver_line *b) {
    int order = compare_text(a->kind, b->kind);
    if (order == 0)
        order = compare_text(a->code, b->code);
    return order ? order < 0 : a->amount < b->amount;
}

// Takes `total` from the lines in scope in proportion to what is left: everybody's share rounded down, then a unit each
// to the largest remainders.
static void take(const struct solver_input *input, struct model_price *price, enum solver_layer layer,
                 struct solver_names scope, int64_t total) {
    int64_t sum = 0, rest = total, fraction[MODEL_LINES_MAX] = {0}, taken[MODEL_LINES_MAX] = {0};
    for (size_t i = 0; i < input->n_lines; i++)
        sum += in_scope(scope, &input->lines[i]) ? price->left[i] : 0;
    for (size_t i = 0; i < input->n_lines; i++) {
        fraction[i] = -1;
        if (!in_scope(scope, &input->lines[i]) || sum == 0)
            continue;
        taken[i] = total * price->left[i] / sum; // the worlds are small
        fraction[i] = total * price->left[i] % sum;
        rest -= taken[i];
    }
    for (; rest > 0; rest--) {
        size_t most = 0;
        for (size_t i = 1; i < input->n_lines; i++)
            if (fraction[i] > fraction[most] ||
                (fraction[i] == fraction[most] && line_before(&input->lines[i], &input->lines[most])))
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

static bool apply(const struct solver_input *input, const struct solver_coupon *coupon, struct model_price *price) {
    int64_t spent = 0, base = 0;
    bool any = false;
    for (size_t i = 0; i < input->n_lines; i++) {
        if (in_scope(coupon->condition_scope, &input->lines[i])) {
            any = true;
            spent += coupon->minimum_base == SOLVER_BASE_ORIGINAL ? input->lines[i].amount : price->left[i];
        }
        if (in_scope(coupon->benefit_scope, &input->lines[i]))
            base += price->left[i];
    }
    if (!any || spent < coupon->minimum_spend)
        return false;
    int64_t discount = coupon->amount_off;
    if (coupon->kind == SOLVER_PERCENT_OFF) {
        discount = base * coupon->percent_off_bp / 10000;
        if (base * coupon->percent_off_bp % 10000 >= 5000)
            discount++;
    }
    if (coupon->cap != 0 && discount > coupon->cap)
        discount = coupon->cap;
    if (discount > base)
        discount = base;
    if (discount > 0)
        take(input, price, SOLVER_LAYER_COUPON, coupon->benefit_scope, discount);
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
    price->points = steps * points->step_points;
    if (steps > 0)
        take(input, price, SOLVER_LAYER_POINTS, (struct solver_names){0}, steps * points->step_value);
}

void model_price(const struct solver_input *input, unsigned set, struct model_price *ret_price) {
    struct model_price *price = ret_price;
    *price = (struct model_price){.set = set, .legal = true};
    for (size_t i = 0; i < input->n_lines; i++)
        price->left[i] = input->lines[i].amount;
    size_t order[MODEL_COUPONS_MAX], n = 0;
    for (size_t c = 0; c < input->n_coupons; c++) {
        if (!(set >> c & 1))
            continue;
        price->legal = price->legal && usable(input, c);
        size_t at = n++;
        for (; at > 0 && apply_order(input, c, order[at - 1]) < 0; at--)
            order[at] = order[at - 1];
        order[at] = c;
    }
    price->count = (int)n;
    for (size_t i = 0; i < n && price->legal; i++) {
        const struct solver_coupon *coupon = &input->coupons[order[i]];
        for (size_t j = 0; j < i; j++) {
            const struct solver_coupon *other = &input->coupons[order[j]];
            bool group = coupon->exclusive_group.len > 0 && other->exclusive_group.len > 0 &&
                         compare_text(coupon->exclusive_group, other->exclusive_group) == 0;
            price->legal = price->legal && !group && !excludes(coupon, other) && !excludes(other, coupon);
        }
        price->legal = price->legal && apply(input, coupon, price);
    }
    if (price->legal)
        spend_points(input, price);
    for (size_t i = 0; i < input->n_lines; i++)
        price->payable += price->left[i];
}

static int64_t ends_at(const struct solver_coupon *coupon) {
    return coupon->expires_at_ms ? coupon->expires_at_ms : INT64_MAX;
}

// Whether `a` has the soonest coupon that only one of the two has.
static bool has_soonest(const struct solver_input *input, unsigned a, unsigned b) {
    const struct solver_coupon *soonest = NULL;
    for (size_t c = 0; c < input->n_coupons; c++) {
        const struct solver_coupon *coupon = &input->coupons[c];
        if (((a ^ b) >> c & 1) && (!soonest || ends_at(coupon) < ends_at(soonest) ||
                                   (ends_at(coupon) == ends_at(soonest) && compare_text(coupon->id, soonest->id) < 0)))
            soonest = coupon;
    }
    return a >> (soonest - input->coupons) & 1;
}

static int compare_prices(const void *a, const void *b, void *ctx) {
    const struct model_price *first = a, *second = b;
    if (first->payable != second->payable)
        return first->payable < second->payable ? -1 : 1;
    if (first->points != second->points)
        return first->points < second->points ? -1 : 1;
    if (first->count != second->count)
        return first->count - second->count;
    return first->set == second->set ? 0 : has_soonest(ctx, first->set, second->set) ? -1 : 1;
}

static bool has_required(const struct solver_input *input, unsigned set) {
    for (size_t i = 0; i < input->required_ids.n; i++) {
        bool found = false;
        for (size_t c = 0; c < input->n_coupons; c++)
            if ((set >> c & 1) && compare_text(input->coupons[c].id, input->required_ids.names[i]) == 0)
                found = true;
        if (!found)
            return false;
    }
    return true;
}

size_t model_rank(const struct solver_input *input, struct model_price *ret_sets) {
    size_t n = 0;
    for (unsigned set = 0; set < 1U << input->n_coupons; set++) {
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
