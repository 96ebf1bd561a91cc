#include "flows/trade/books.h"

#include "flows/trade/refund_plan.h"
#include "flows/trade/tender.h"
#include "flows/trade/view.h"

#include <assert.h>
#include <stdio.h>

enum { ENTRY_MAX = TRADE_TENDERS_MAX + SOLVER_LAYERS + 2 };

// Room for one entry behind those that the trade has: only the last one's number is needed.
struct page {
    struct ledger_posting postings[ENTRY_MAX + 1];
    struct ledger ledger;
};

static void open_page(struct page *page, const struct trade *trade) {
    page->ledger = (struct ledger){.postings = page->postings, .max = ENTRY_MAX + 1};
    if (trade->row.ledger_entries > 0) {
        page->postings[0] = (struct ledger_posting){.entry = trade->row.ledger_entries};
        page->ledger.n = 1;
    }
}

// Its postings become rows. An entry that does not balance would be a fault of ours: nothing may go on from there.
static int32_t close_page(struct page *page, struct trade *trade, bool posted, int64_t now_ms) {
    assert(posted);
    size_t first = trade->row.ledger_entries > 0;
    if (page->ledger.n == first)
        return 0; // nothing was moved
    int32_t entry = page->postings[page->ledger.n - 1].entry;
    for (size_t i = first; i < page->ledger.n; i++) {
        const struct ledger_row key = {.entry = entry, .line = (int32_t)(i - first)};
        struct ledger_row *row = trade_add(trade, PART_LEDGER, &key);
        row->amount = page->postings[i].amount;
        row->at_ms = now_ms;
        snprintf(row->account, sizeof row->account, "%s", page->postings[i].account);
        snprintf(row->text, sizeof row->text, "%s", page->postings[i].text);
    }
    trade_edit(trade)->ledger_entries = entry;
    return entry;
}

void books_paid(struct trade *trade, int64_t now_ms) {
    struct page page;
    struct ledger_leg legs[TRADE_TENDERS_MAX];
    size_t n = 0;
    struct error error = {0};
    const struct tender_row *tender;
    for (int32_t i = 0; (tender = trade_paid_tender(trade, i)); i++)
        legs[n++] = (struct ledger_leg){str_c(tender->tender_no), tender->amount};
    open_page(&page, trade);
    bool posted = ledger_paid(&page.ledger, legs, n, trade->row.discount, trade->row.list_price, &error);
    trade_edit(trade)->paid_entry = close_page(&page, trade, posted, now_ms);
}

void books_adjusted(struct trade *trade, const struct trade_row *before, const int64_t unused[TRADE_TENDERS_MAX],
                    int64_t now_ms) {
    struct page page;
    struct ledger_leg held[TRADE_TENDERS_MAX], owed[TRADE_TENDERS_MAX];
    int64_t less[SOLVER_LAYERS];
    size_t n_held = 0, n_owed = 0;
    struct error error = {0};
    for (int32_t i = 0; i < TRADE_TENDERS_MAX; i++) {
        const struct tender_row *tender = unused[i] > 0 ? trade_paid_tender(trade, i) : NULL;
        if (tender && tender_is_card(tender))
            held[n_held++] = (struct ledger_leg){str_c(tender->tender_no), unused[i]};
        else if (tender)
            owed[n_owed++] = (struct ledger_leg){str_c(tender->tender_no), unused[i]};
    }
    for (int layer = 0; layer < SOLVER_LAYERS; layer++)
        less[layer] = before->discount[layer] - trade->row.discount[layer];
    open_page(&page, trade);
    bool posted = ledger_adjusted(&page.ledger, held, n_held, owed, n_owed, less,
                                  before->list_price - trade->row.list_price, &error);
    trade_edit(trade)->adjust_entry = close_page(&page, trade, posted, now_ms);
}

void books_refunded(struct trade *trade, struct refund_row *refund, int64_t now_ms) {
    struct page page;
    struct ledger_leg legs[TRADE_TENDERS_MAX];
    struct ledger_line lines[TRADE_LINES_MAX];
    size_t n_legs = 0, n_lines = 0;
    struct error error = {0};
    const struct refund_leg_row *leg;
    struct line_row *line;
    for (int32_t i = 0; i < refund->legs && (leg = trade_refund_leg(trade, refund->refund_no, i)); i++)
        legs[n_legs++] =
            (struct ledger_leg){str_c(trade_tender(trade, leg->attempt_no, leg->tender)->tender_no), leg->amount};
    for (unsigned i = 0; (line = trade_line_of(trade, NULL, i)) && n_lines < TRADE_LINES_MAX; i++) {
        int64_t part = refund_plan_line(refund, n_lines);
        struct ledger_line *sold = &lines[n_lines++];
        *sold = (struct ledger_line){.net = line->payable, .refunded = line->refund_done, .refunding = part};
        memcpy(sold->discount, line->discount, sizeof sold->discount);
        trade_change(trade, line);
        line->refund_done += part;
    }
    open_page(&page, trade);
    bool posted = ledger_refunded(&page.ledger, str_c(refund->refund_no), legs, n_legs, lines, n_lines, &error);
    refund->entry = close_page(&page, trade, posted, now_ms);
}

void books_suspense(struct trade *trade, enum ledger_suspense event, const struct tender_row *tender, int64_t amount,
                    int64_t now_ms) {
    struct page page;
    struct error error = {0};
    const struct ledger_leg leg = {str_c(tender->tender_no), amount};
    open_page(&page, trade);
    close_page(&page, trade, ledger_suspense(&page.ledger, event, &leg, &error), now_ms);
}

typedef Participant__Settlement__V1__Posting posting_message;

// The posting to this account; a new one behind the n that there are, with nothing on it.
static posting_message *posting_to(const struct trade *trade, const char *account, posting_message **list, size_t *n,
                                   struct arena *arena) {
    for (size_t i = 0; i < *n; i++)
        if (strcmp(list[i]->account, account) == 0)
            return list[i];
    posting_message *posting = VIEW_NEW(arena, participant__settlement__v1__posting, posting_message);
    if (!posting || !(posting->amount = view_money(trade->row.currency, 0, arena)))
        return NULL;
    posting->account = view_text(account);
    list[(*n)++] = posting;
    return posting;
}

void books_bought(const struct trade *trade, struct arena *arena, posting_message ***ret_postings, size_t *ret_n) {
    posting_message **list = view_array(arena, trade->parts[PART_LEDGER].n);
    size_t n = 0, kept = 0;
    const struct ledger_row *row;
    for (size_t i = 0; list && (row = trade_at(trade, PART_LEDGER, i)); i++) {
        bool bought = row->entry == trade->row.paid_entry || row->entry == trade->row.adjust_entry;
        struct str suspense = STR("suspense:"), account = str_c(row->account);
        const char *name = row->account;
        if (bought && str_starts(account, suspense))
            name = arena_printf(arena, "tender:%s", row->account + suspense.len).ptr;
        posting_message *posting = bought && name ? posting_to(trade, name, list, &n, arena) : NULL;
        if (posting)
            posting->amount->minor_units += row->amount;
    }
    for (size_t i = 0; i < n; i++)
        if (list[i]->amount->minor_units != 0)
            list[kept++] = list[i];
    *ret_postings = list;
    *ret_n = kept;
}

void books_postings(const struct trade *trade, int32_t entry, struct arena *arena,
                    Participant__Settlement__V1__Posting ***ret_postings, size_t *ret_n) {
    Participant__Settlement__V1__Posting **list = view_array(arena, trade->parts[PART_LEDGER].n);
    size_t n = 0;
    const struct ledger_row *row;
    for (size_t i = 0; list && (row = trade_at(trade, PART_LEDGER, i)); i++) {
        if (row->entry != entry)
            continue;
        Participant__Settlement__V1__Posting *posting =
            VIEW_NEW(arena, participant__settlement__v1__posting, Participant__Settlement__V1__Posting);
        if (!posting)
            break;
        posting->account = view_text(row->account);
        posting->amount = view_money(trade->row.currency, row->amount, arena);
        list[n++] = posting;
    }
    *ret_postings = list;
    *ret_n = n;
}
