#include "flows/trade/check.h"

#include "flows/trade/ledger.h"
#include "flows/trade/load.h"
#include "flows/trade/refund_end.h"

#include <inttypes.h>
#include <stdlib.h>

// ---- Sums -----------------------------------------------------------------------------------------------------------

// What is stored may be anything: sums stop at the ends.
static int64_t plus(int64_t a, int64_t b) {
    int64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? (b > 0 ? INT64_MAX : INT64_MIN) : sum;
}

static void add(int64_t *sum, int64_t value) {
    *sum = plus(*sum, value);
}

// A sum and what it must be.
struct sum {
    const char *what;
    int64_t is, should;
};

static bool fails(const struct sum *sum, char ret_fault[SAGA_TEXT_MAX]) {
    if (sum->is == sum->should)
        return false;
    str_print(ret_fault, SAGA_TEXT_MAX, "%s: %" PRId64 ", not %" PRId64, sum->what, sum->is, sum->should);
    return true;
}

static bool sums_hold(const struct sum *sums, size_t n, char ret_fault[SAGA_TEXT_MAX]) {
    for (size_t i = 0; i < n; i++)
        if (fails(&sums[i], ret_fault))
            return false;
    return true;
}

static bool tenders_hold(const struct trade *trade, char ret_fault[SAGA_TEXT_MAX]) {
    const struct trade_row *row = &trade->row;
    const struct pay_attempt_row *attempt = trade_paid_attempt(trade);
    const struct tender_row *tender;
    int64_t paid = 0, refunded = 0, pending = 0;
    for (size_t i = 0; (tender = trade_at(trade, PART_TENDER, i)); i++) {
        bool ours = attempt && tender->attempt_no == attempt->attempt_no;
        // Of what did not match more may have come, and gone back, than was asked for.
        bool more = plus(tender->refunded, tender->refund_pending) > tender->amount;
        if (tender->refunded < 0 || tender->refund_pending < 0 || (more && tender->state != TENDER_STATE(RETURNED))) {
            str_print(ret_fault, SAGA_TEXT_MAX, "of tender %s %" PRId64 " are refunded, and %" PRId64 " were paid",
                      tender->tender_no, plus(tender->refunded, tender->refund_pending), tender->amount);
            return false;
        }
        add(&paid, ours && tender->state == TENDER_STATE(PAID) ? tender->amount : 0);
        add(&refunded, ours ? tender->refunded : 0);
        add(&pending, ours ? tender->refund_pending : 0);
    }
    const struct sum sums[] = {{"paid, by its tenders", paid, row->paid},
                               {"refunded, by its tenders", refunded, row->refunded},
                               {"being refunded, by its tenders", pending, row->refund_pending}};
    return sums_hold(sums, STORE_COUNT(sums), ret_fault);
}

static int64_t legs_of(const struct trade *trade, const struct refund_row *refund) {
    const struct refund_leg_row *leg;
    int64_t amount = 0;
    for (int32_t i = 0; (leg = trade_refund_leg(trade, refund->refund_no, i)); i++)
        add(&amount, leg->amount);
    return amount;
}

static bool refunds_hold(const struct trade *trade, char ret_fault[SAGA_TEXT_MAX]) {
    const struct refund_row *refund;
    int64_t done = 0, pending = 0;
    for (size_t i = 0; (refund = trade_at(trade, PART_REFUND, i)); i++) {
        const struct sum legs = {"a refund, by its legs", legs_of(trade, refund), refund->amount};
        if (fails(&legs, ret_fault))
            return false;
        if (refund->kind == REFUND_OF_TRADE)
            add(refund_end_is_over(refund) ? &done : &pending, refund->amount);
    }
    const struct sum sums[] = {{"refunded, by its refunds", done, trade->row.refunded},
                               {"being refunded, by its refunds", pending, trade->row.refund_pending}};
    return sums_hold(sums, STORE_COUNT(sums), ret_fault);
}

// Of what was sold.
static bool lines_hold(const struct trade *trade, char ret_fault[SAGA_TEXT_MAX]) {
    const struct trade_row *row = &trade->row;
    const struct line_row *line;
    int64_t payable = 0, list_price = 0, taken = 0, done = 0;
    for (unsigned i = 0; (line = trade_line_of(trade, NULL, i)); i++) {
        add(&payable, line->payable);
        add(&list_price, line->list_price);
        add(&taken, line->refund_taken);
        add(&done, line->refund_done);
        if (line->refund_done < 0 || line->refund_done > line->refund_taken || line->refund_taken > line->payable) {
            str_print(ret_fault, SAGA_TEXT_MAX, "of line %d %" PRId64 " are refunded, and it cost %" PRId64, line->line,
                      line->refund_taken, line->payable);
            return false;
        }
    }
    const struct sum sums[] = {{"payable, by its lines", payable, row->payable},
                               {"list price, by its lines", list_price, row->list_price},
                               {"refunded, by its lines", done, row->refunded},
                               {"taken for refunds, by its lines", taken, plus(row->refunded, row->refund_pending)}};
    return sums_hold(sums, STORE_COUNT(sums), ret_fault);
}

// ---- The ledger -----------------------------------------------------------------------------------------------------

static bool ledger_holds(const struct trade *trade, char ret_fault[SAGA_TEXT_MAX]) {
    size_t n = trade->parts[PART_LEDGER].n;
    struct ledger_posting *postings = calloc(n + 1, sizeof *postings);
    struct error error = {0};
    int64_t money = 0;
    if (!postings)
        abort();
    for (size_t i = 0; i < n; i++) {
        const struct ledger_row *row = trade_at(trade, PART_LEDGER, i);
        postings[i] = (struct ledger_posting){.entry = row->entry, .amount = row->amount};
        str_fit(str_c(row->account), postings[i].account, sizeof postings[i].account);
        add(&money, ledger_is_money(str_c(row->account)) ? row->amount : 0);
    }
    int32_t entries = n ? postings[n - 1].entry : 0;
    bool whole = ledger_check(postings, n, &error);
    free(postings);
    if (!whole) {
        str_fit(str_c(error.text), ret_fault, SAGA_TEXT_MAX);
        return false;
    }
    const struct sum sums[] = {{"entries of its ledger", entries, trade->row.ledger_entries},
                               {"money in its ledger and refunded", plus(money, trade->row.refunded), trade->row.paid}};
    return sums_hold(sums, STORE_COUNT(sums), ret_fault);
}

bool check_amounts(const struct trade *trade, char ret_fault[SAGA_TEXT_MAX]) {
    const struct trade_row *row = &trade->row;
    bool paid = trade_is_paid(trade);
    const struct sum sums[] = {{"paid", row->paid, paid ? row->payable : 0}};
    if (!sums_hold(sums, STORE_COUNT(sums), ret_fault))
        return false;
    if (plus(row->refunded, row->refund_pending) > row->paid) {
        str_print(ret_fault, SAGA_TEXT_MAX, "%" PRId64 " are refunded, and %" PRId64 " were paid",
                  plus(row->refunded, row->refund_pending), row->paid);
        return false;
    }
    return tenders_hold(trade, ret_fault) && refunds_hold(trade, ret_fault) &&
           (!paid || lines_hold(trade, ret_fault)) && ledger_holds(trade, ret_fault);
}

// ---- For the patrol -------------------------------------------------------------------------------------------------

static void read_trade(void *ctx, struct trade *trade, const struct error *error) {
    struct saga_checking *checking = ctx;
    char fault[SAGA_TEXT_MAX] = "";
    bool unreadable = error && error->code == ERR_STORE_CORRUPT; // which nothing that is about it may ever find
    bool known = unreadable || (!error && !trade->archived);
    bool holds = !known || (!unreadable && check_amounts(trade, fault));
    if (unreadable)
        str_print(fault, sizeof fault, "it can't be read: %s", error->text);
    saga_checked(checking, known, holds ? NULL : fault);
    if (trade)
        saga_subject_release(&trade->subject);
}

void check_trade(void *ctx, struct str trade_no, struct saga_checking *checking) {
    load_snapshot(ctx, trade_no, read_trade, checking);
}
