#include "flows/trade/ledger.h"

#include <stdio.h>

static const char *const discount_accounts[SOLVER_LAYERS] = {
#define X(NAME, name, since) [SOLVER_LAYER_##NAME] = "discount:" #name,
    SOLVER_LAYER_TABLE(X)
#undef X
};

// ---- One entry ----------------------------------------------------------------------------------------------------

// An entry being added: postings go behind those of the ledger and count only with entry_end().
struct entry {
    struct ledger *ledger;
    size_t n;
    int64_t sum;
    char text[LEDGER_TEXT_MAX + 1];
};

static struct entry entry_begin(struct ledger *ledger, const char *text) {
    struct entry entry = {.ledger = ledger};
    snprintf(entry.text, sizeof entry.text, "%s", text);
    return entry;
}

static bool entry_post(struct entry *entry, const char *account, struct str tender_no, int64_t amount,
                       struct error *error) {
    struct ledger *ledger = entry->ledger;
    if (amount == 0)
        return true;
    if (ledger->n + entry->n >= ledger->max)
        return error_set(error, ERR_RECORD_TOO_LARGE, "the ledger has room for %zu postings", ledger->max);
    if (!money_add(entry->sum, amount, &entry->sum))
        return error_set(error, ERR_AMOUNT_OVERFLOW, "an amount of the ledger is out of range");
    struct ledger_posting *posting = &ledger->postings[ledger->n + entry->n];
    *posting = (struct ledger_posting){.amount = amount};
    posting->entry = ledger->n > 0 ? ledger->postings[ledger->n - 1].entry + 1 : 1;
    int length = snprintf(posting->account, sizeof posting->account, "%s%.*s", account, STR_FMT(tender_no));
    if (length < 0 || (size_t)length >= sizeof posting->account)
        return error_set(error, ERR_INTERNAL, "a tender number is too long for the ledger");
    memcpy(posting->text, entry->text, sizeof posting->text);
    entry->n++;
    return true;
}

static bool entry_end(struct entry *entry, struct error *error) {
    if (entry->sum != 0)
        return error_set(error, ERR_AMOUNT_MISMATCH, "the ledger entry \"%s\" is off by %lld", entry->text,
                         (long long)entry->sum);
    entry->ledger->n += entry->n;
    return true;
}

// Each leg on its tender's account, with the sign of `direction`.
static bool post_legs(struct entry *entry, const struct ledger_leg *legs, size_t n, int direction,
                      struct error *error) {
    for (size_t i = 0; i < n; i++) {
        if (legs[i].amount < 0)
            return error_set(error, ERR_INTERNAL, "a leg of the ledger is below zero");
        if (!entry_post(entry, "tender:", legs[i].tender_no, direction * legs[i].amount, error))
            return false;
    }
    return true;
}

static bool in_range(const int64_t discounts[SOLVER_LAYERS]) {
    for (int layer = 0; layer < SOLVER_LAYERS; layer++)
        if (discounts[layer] < 0 || discounts[layer] > MONEY_MAX)
            return false;
    return true;
}

// ---- Paid and refunded --------------------------------------------------------------------------------------------

bool ledger_paid(struct ledger *ledger, const struct ledger_leg *legs, size_t n_legs,
                 const int64_t discounts[SOLVER_LAYERS], int64_t list_price, struct error *error) {
    struct entry entry = entry_begin(ledger, "paid");
    if (!in_range(discounts) || list_price < 0 || list_price > MONEY_MAX)
        return error_set(error, ERR_AMOUNT_OVERFLOW, "a discount or the list price is out of range");
    if (!post_legs(&entry, legs, n_legs, 1, error))
        return false;
    for (int layer = 0; layer < SOLVER_LAYERS; layer++)
        if (!entry_post(&entry, discount_accounts[layer], STR_NONE, discounts[layer], error))
            return false;
    return entry_post(&entry, "sales", STR_NONE, -list_price, error) && entry_end(&entry, error);
}

bool ledger_adjusted(struct ledger *ledger, const struct ledger_leg *held, size_t n_held, const struct ledger_leg *owed,
                     size_t n_owed, const int64_t discounts[SOLVER_LAYERS], int64_t list_price, struct error *error) {
    struct entry entry = entry_begin(ledger, "adjusted");
    if (!post_legs(&entry, held, n_held, -1, error))
        return false;
    for (size_t i = 0; i < n_owed; i++)
        if (!entry_post(&entry, "suspense:", owed[i].tender_no, -owed[i].amount, error))
            return false;
    for (int layer = 0; layer < SOLVER_LAYERS; layer++)
        if (!entry_post(&entry, discount_accounts[layer], STR_NONE, -discounts[layer], error))
            return false;
    return entry_post(&entry, "sales", STR_NONE, list_price, error) && entry_end(&entry, error);
}

// What the lines of a refund come to.
struct reversal {
    int64_t amount;
    int64_t discount[SOLVER_LAYERS];
};

// Whether the whole trade is refunded with this refund (and was not before).
static bool completes(const struct ledger_line *lines, size_t n) {
    bool takes = false, costs = false;
    for (size_t i = 0; i < n; i++) {
        if (lines[i].refunded + lines[i].refunding != lines[i].net)
            return false;
        takes = takes || lines[i].refunding > 0;
        costs = costs || lines[i].net > 0;
    }
    return takes || !costs;
}

static bool reverse_line(const struct ledger_line *line, bool last, struct reversal *reversal, struct error *error) {
    int64_t after = line->refunded + line->refunding;
    for (int layer = 0; layer < SOLVER_LAYERS; layer++) {
        int64_t done = 0, due = last ? line->discount[layer] : 0;
        if (line->net > 0 && !(money_mul_div(line->discount[layer], line->refunded, line->net, ROUND_DOWN, &done) &&
                               money_mul_div(line->discount[layer], after, line->net, ROUND_DOWN, &due)))
            return error_set(error, ERR_AMOUNT_OVERFLOW, "a discount of the ledger is out of range");
        if (!money_add(reversal->discount[layer], due - done, &reversal->discount[layer]))
            return error_set(error, ERR_AMOUNT_OVERFLOW, "the discounts of a refund are out of range");
    }
    return money_add(reversal->amount, line->refunding, &reversal->amount) ||
           error_set(error, ERR_AMOUNT_OVERFLOW, "a refund is out of range");
}

static bool reverse_lines(const struct ledger_line *lines, size_t n, struct reversal *ret_reversal,
                          struct error *error) {
    struct reversal reversal = {0};
    for (size_t i = 0; i < n; i++) {
        const struct ledger_line *line = &lines[i];
        if (line->net < 0 || line->net > MONEY_MAX || line->refunded < 0 || line->refunding < 0 ||
            line->refunding > line->net - line->refunded)
            return error_set(error, ERR_REFUND_EXCEEDS_REST, "line %zu refunds more than is left of it", i);
        if (!in_range(line->discount))
            return error_set(error, ERR_AMOUNT_OVERFLOW, "a discount of line %zu is out of range", i);
    }
    bool last = completes(lines, n);
    for (size_t i = 0; i < n; i++)
        if (!reverse_line(&lines[i], last, &reversal, error))
            return false;
    *ret_reversal = reversal;
    return true;
}

bool ledger_refunded(struct ledger *ledger, struct str refund_no, const struct ledger_leg *legs, size_t n_legs,
                     const struct ledger_line *lines, size_t n_lines, struct error *error) {
    struct reversal reversal = {0};
    if (!reverse_lines(lines, n_lines, &reversal, error))
        return false;
    char text[LEDGER_TEXT_MAX + 1];
    snprintf(text, sizeof text, "refund %.*s", STR_FMT(refund_no));
    struct entry entry = entry_begin(ledger, text);
    int64_t sales = reversal.amount;
    if (!post_legs(&entry, legs, n_legs, -1, error))
        return false;
    for (int layer = 0; layer < SOLVER_LAYERS; layer++) {
        if (!money_add(sales, reversal.discount[layer], &sales))
            return error_set(error, ERR_AMOUNT_OVERFLOW, "a refund is out of range");
        if (!entry_post(&entry, discount_accounts[layer], STR_NONE, -reversal.discount[layer], error))
            return false;
    }
    return entry_post(&entry, "sales", STR_NONE, sales, error) && entry_end(&entry, error);
}

// ---- Suspense -----------------------------------------------------------------------------------------------------

static const struct {
    const char *text;
    const char *debit, *credit; // accounts, each with the tender's number
} suspense_events[] = {
    [LEDGER_UNWANTED] = {"unwanted money", "tender:", "suspense:"},
    [LEDGER_CONFLICTED] = {"conflicting money", "tender:", "suspense:"},
    [LEDGER_RETURNED] = {"money returned", "suspense:", "tender:"},
    [LEDGER_KEPT] = {"conflicting money kept", "suspense:", "kept:"},
    [LEDGER_OTHERWISE] = {"given back otherwise", "tender:", "otherwise:"},
};

bool ledger_suspense(struct ledger *ledger, enum ledger_suspense event, const struct ledger_leg *leg,
                     struct error *error) {
    struct entry entry = entry_begin(ledger, suspense_events[event].text);
    if (leg->amount < 0)
        return error_set(error, ERR_INTERNAL, "a leg of the ledger is below zero");
    return entry_post(&entry, suspense_events[event].debit, leg->tender_no, leg->amount, error) &&
           entry_post(&entry, suspense_events[event].credit, leg->tender_no, -leg->amount, error) &&
           entry_end(&entry, error);
}

bool ledger_is_money(struct str account) {
    for (size_t i = 0; i < sizeof suspense_events / sizeof suspense_events[0]; i++)
        if (str_starts(account, str_c(suspense_events[i].debit)) ||
            str_starts(account, str_c(suspense_events[i].credit)))
            return true;
    return false;
}

// -------------------------------------------------------------------------------------------------------------------

bool ledger_check(const struct ledger_posting *postings, size_t n, struct error *error) {
    int64_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        const struct ledger_posting *posting = &postings[i];
        int32_t before = i > 0 ? postings[i - 1].entry : 0;
        bool begins = posting->entry != before;
        if (begins && (sum != 0 || posting->entry != before + 1))
            return error_set(error, ERR_INTERNAL, "ledger entry %d is off by %lld or not followed by the next", before,
                             (long long)sum);
        if (posting->amount == 0 || posting->account[0] == '\0' || !money_add(sum, posting->amount, &sum))
            return error_set(error, ERR_INTERNAL, "ledger entry %d has a posting without amount or account",
                             posting->entry);
    }
    return sum == 0 ||
           error_set(error, ERR_INTERNAL, "ledger entry %d is off by %lld", postings[n - 1].entry, (long long)sum);
}
