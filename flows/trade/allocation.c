#include "flows/trade/allocation.h"

#include <stdio.h>

// What is left of each tender and line, and the allocation in the making.
struct draft {
    const struct allocation_paid *paid;
    int64_t tender_rest[ALLOCATION_PARTS_MAX], line_rest[ALLOCATION_PARTS_MAX];
    int64_t total, rest; // of the trade
    int64_t amount;
    int64_t *tenders, *lines;
};

// ---- What is left -------------------------------------------------------------------------------------------------

static bool part_rest(int64_t amount, int64_t taken, int64_t *ret_rest) {
    if (amount < 0 || amount > MONEY_MAX || taken < 0 || taken > amount)
        return false;
    *ret_rest = amount - taken;
    return true;
}

bool allocation_rest(const struct allocation_paid *paid, int64_t *ret_rest) {
    int64_t rest = 0, part;
    for (size_t i = 0; i < paid->n_tenders; i++)
        if (!part_rest(paid->tenders[i].amount, paid->tenders[i].taken, &part) || !money_add(rest, part, &rest))
            return false;
    *ret_rest = rest;
    return true;
}

static bool draft_init(const struct allocation_paid *paid, struct draft *ret_draft) {
    *ret_draft = (struct draft){.paid = paid};
    int64_t nets = 0, line_rest = 0;
    if (paid->n_tenders > ALLOCATION_PARTS_MAX || paid->n_lines < 1 || paid->n_lines > ALLOCATION_PARTS_MAX ||
        !allocation_rest(paid, &ret_draft->rest))
        return false;
    for (size_t i = 0; i < paid->n_tenders; i++) {
        ret_draft->tender_rest[i] = paid->tenders[i].amount - paid->tenders[i].taken;
        if (!money_add(ret_draft->total, paid->tenders[i].amount, &ret_draft->total))
            return false;
    }
    for (size_t i = 0; i < paid->n_lines; i++)
        if (!part_rest(paid->lines[i].net, paid->lines[i].taken, &ret_draft->line_rest[i]) ||
            !money_add(line_rest, ret_draft->line_rest[i], &line_rest) || !money_add(nets, paid->lines[i].net, &nets))
            return false;
    return ret_draft->total == nets && ret_draft->rest == line_rest;
}

// ---- How much -----------------------------------------------------------------------------------------------------

static const char *amount_text(const struct draft *draft, int64_t minor, char out[MONEY_TEXT_MAX]) {
    return money_text(minor, str_c(draft->paid->currency ? draft->paid->currency : ""), out);
}

static bool exceeds(struct error *error, const struct draft *draft, int64_t rest) {
    char text[MONEY_TEXT_MAX];
    return error_set(error, ERR_REFUND_EXCEEDS_REST, "only %s are left to refund", amount_text(draft, rest, text));
}

static bool extent_amount(struct draft *draft, int64_t amount, struct error *error) {
    if (amount <= 0) {
        error_field(error, "amount", "must be above zero");
        return false;
    }
    if (amount > draft->rest)
        return exceeds(error, draft, draft->rest);
    draft->amount = amount;
    bool split = money_allocate(amount, draft->line_rest, draft->paid->n_lines, draft->lines);
    return split || error_set(error, ERR_INTERNAL, "a refund can't be split over its lines");
}

static bool extent_lines(struct draft *draft, const struct allocation_request *request, struct error *error) {
    uint64_t seen = 0;
    if (request->n_indexes == 0)
        error_field(error, "lines.indexes", "must not be empty");
    if (request->n_indexes > draft->paid->n_lines)
        error_field(error, "lines.indexes", "must name each line once");
    for (size_t i = 0; i < request->n_indexes && !error_is(error); i++) {
        char path[48];
        snprintf(path, sizeof path, "lines.indexes[%zu]", i);
        size_t index = request->indexes[i];
        if (index >= draft->paid->n_lines) {
            error_field(error, path, "must be below %zu", draft->paid->n_lines);
            break;
        }
        if (seen >> index & 1)
            error_field(error, path, "is named twice");
        seen |= UINT64_C(1) << index;
        if (draft->line_rest[index] == 0 && draft->paid->lines[index].net > 0 && !error_is(error))
            return error_set(error, ERR_REFUND_EXCEEDS_REST, "line %zu is refunded already", index);
        draft->lines[index] = draft->line_rest[index];
        draft->amount += draft->line_rest[index];
    }
    if (error_is(error))
        return false;
    return draft->amount > 0 ||
           error_set(error, ERR_REFUND_EXCEEDS_REST, "nothing was paid for these lines, so nothing is left of them");
}

// A trade that cost nothing is refunded with nothing, for the sake of its benefits.
static bool extent_whole(struct draft *draft, struct error *error) {
    if (draft->rest == 0 && draft->total > 0)
        return exceeds(error, draft, 0);
    draft->amount = draft->rest;
    memcpy(draft->lines, draft->line_rest, draft->paid->n_lines * sizeof *draft->lines);
    return true;
}

static bool extent(struct draft *draft, const struct allocation_request *request, struct error *error) {
    switch (request->extent) {
    case ALLOCATION_WHOLE: return extent_whole(draft, error);
    case ALLOCATION_AMOUNT: return extent_amount(draft, request->amount, error);
    case ALLOCATION_LINES: return extent_lines(draft, request, error);
    }
    error_field(error, "extent", "is unknown");
    return false;
}

// ---- From which tenders -------------------------------------------------------------------------------------------

static size_t find_tender(const struct allocation_paid *paid, struct str tender_no) {
    size_t i = 0;
    while (i < paid->n_tenders && !str_eq(paid->tenders[i].tender_no, tender_no))
        i++;
    return i;
}

static bool split_as_told(struct draft *draft, const struct allocation_request *request, struct error *error) {
    int64_t sum = 0;
    if (request->n_split > draft->paid->n_tenders)
        error_field(error, "split", "must name each tender at most once");
    for (size_t i = 0; i < request->n_split && !error_is(error); i++) {
        char path[32];
        char left[MONEY_TEXT_MAX];
        snprintf(path, sizeof path, "split[%zu]", i);
        const struct allocation_split *split = &request->split[i];
        size_t tender = find_tender(draft->paid, split->tender_no);
        if (tender == draft->paid->n_tenders)
            error_field(error, path, "the trade has no such tender");
        else if (draft->tenders[tender] > 0)
            error_field(error, path, "names a tender twice");
        else if (split->amount <= 0 || !money_add(sum, split->amount, &sum))
            error_field(error, path, "must be above zero and add up");
        else if (split->amount > draft->tender_rest[tender])
            return error_set(error, ERR_REFUND_EXCEEDS_REST, "only %s are left of tender %.*s",
                             amount_text(draft, draft->tender_rest[tender], left), STR_FMT(split->tender_no));
        else
            draft->tenders[tender] = split->amount;
    }
    if (!error_is(error) && sum != draft->amount)
        error_field(error, "split", "adds up to %lld, not to the refund's %lld", (long long)sum,
                    (long long)draft->amount);
    return !error_is(error);
}

// From those that are `first`, or from the others, as much of `left` as there is of them.
static bool give_back(struct draft *draft, bool first, int64_t *left) {
    int64_t rests[ALLOCATION_PARTS_MAX], parts[ALLOCATION_PARTS_MAX], rest = 0;
    size_t n = draft->paid->n_tenders;
    for (size_t i = 0; i < n; i++) {
        rests[i] = draft->paid->tenders[i].first == first ? draft->tender_rest[i] : 0;
        rest += rests[i];
    }
    int64_t amount = *left < rest ? *left : rest;
    if (amount == 0)
        return true;
    if (!money_allocate(amount, rests, n, parts))
        return false;
    for (size_t i = 0; i < n; i++)
        draft->tenders[i] += parts[i];
    *left -= amount;
    return true;
}

static bool split_over_tenders(struct draft *draft, const struct allocation_request *request, struct error *error) {
    if (request->n_split > 0)
        return split_as_told(draft, request, error);
    int64_t left = draft->amount;
    bool split = give_back(draft, true, &left) && give_back(draft, false, &left);
    return split || error_set(error, ERR_INTERNAL, "a refund can't be split over its tenders");
}

// -------------------------------------------------------------------------------------------------------------------

bool allocation_make(const struct allocation_paid *paid, const struct allocation_request *request, struct arena *arena,
                     struct allocation *ret_allocation, struct error *error) {
    struct draft draft;
    if (!draft_init(paid, &draft))
        return error_set(error, ERR_STORE_CORRUPT, "the tenders and lines of the trade do not add up");
    draft.tenders = arena_calloc(arena, paid->n_tenders + 1, sizeof *draft.tenders);
    draft.lines = arena_calloc(arena, paid->n_lines, sizeof *draft.lines);
    if (!draft.tenders || !draft.lines)
        return error_set(error, ERR_OVERLOADED, "the memory for the refund is used up");
    if (!extent(&draft, request, error) || !split_over_tenders(&draft, request, error))
        return false;
    *ret_allocation = (struct allocation){
        .amount = draft.amount, .tenders = draft.tenders, .lines = draft.lines, .final = draft.amount == draft.rest};
    return true;
}

bool allocation_due(int64_t total, int64_t refunded, int64_t paid, int64_t done, int64_t *ret_due) {
    if (total < 0 || total > MONEY_MAX || refunded < 0 || paid > MONEY_MAX || refunded > paid || done < 0)
        return false;
    int64_t due = total;
    if (refunded < paid && !money_mul_div(total, refunded, paid, ROUND_DOWN, &due))
        return false;
    *ret_due = due > done ? due - done : 0;
    return true;
}
