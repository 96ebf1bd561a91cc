#include "flows/trade/invoicing.h"

#include "adapters/invoice/invoice.h"
#include "base/money.h"
#include "flows/trade/after.h"
#include "flows/trade/quote_line.h"
#include "flows/trade/refund_leg.h"
#include "flows/trade/refund_plan.h"
#include "flows/trade/tender.h"
#include "flows/trade/view.h"

#include <assert.h>

enum invoice_kind { INVOICE_FUEL, INVOICE_GOODS, INVOICE_KINDS };
_Static_assert((int)INVOICE_KINDS == (int)TRADE_INVOICES_MAX, "rows.h has room for each");

// INVOICE_KINDS: on none.
static enum invoice_kind kind_of(const char *line_kind) {
    if (strcmp(line_kind, LINE_FUEL) == 0)
        return INVOICE_FUEL;
    return strcmp(line_kind, LINE_RECHARGE) == 0 ? INVOICE_KINDS : INVOICE_GOODS;
}

static enum invoice_kind kind_of_benefit(enum after_benefit benefit) {
    return benefit == AFTER_FUEL_INVOICE ? INVOICE_FUEL : INVOICE_GOODS;
}

// ---- What is on them ----------------------------------------------------------------------------------------------

// How much of each tender is on each invoice.
struct split {
    int64_t parts[INVOICE_KINDS][TRADE_TENDERS_MAX];
    size_t n; // tenders
};

// The lines of a kind, of what was paid, or (with `refund`) of what it gives back.
static int64_t total_of(const struct trade *trade, enum invoice_kind kind, const struct refund_row *refund) {
    const struct line_row *line;
    int64_t total = 0;
    for (unsigned i = 0; (line = trade_line_of(trade, NULL, i)); i++)
        if (kind_of(line->kind) == kind)
            total += refund ? refund_plan_line(refund, i) : line->payable;
    return total;
}

static void split_payment(const struct trade *trade, struct split *ret_split) {
    int64_t rest[TRADE_TENDERS_MAX];
    const struct tender_row *tender;
    *ret_split = (struct split){.n = 0};
    while ((tender = trade_paid_tender(trade, (int32_t)ret_split->n)))
        rest[ret_split->n++] = tender->amount;
    for (int kind = 0; kind < INVOICE_KINDS; kind++) {
        int64_t total = total_of(trade, (enum invoice_kind)kind, NULL);
        if (total == 0)
            continue;
        bool good = money_allocate(total, rest, ret_split->n, ret_split->parts[kind]);
        assert(good); // the tenders add up to the lines
        for (size_t i = 0; i < ret_split->n; i++)
            rest[i] -= ret_split->parts[kind][i];
    }
}

// What a refund takes off each; false when it is not settled, or nothing.
static bool split_refund(const struct refund_row *refund, struct split *ret_split) {
    size_t bytes = refund->invoice_parts.len / INVOICE_KINDS;
    *ret_split = (struct split){.n = bytes / sizeof(int64_t)};
    for (size_t kind = 0; kind < INVOICE_KINDS && bytes > 0; kind++)
        memcpy(ret_split->parts[kind], refund->invoice_parts.ptr + kind * bytes, bytes);
    return bytes > 0;
}

static int64_t sum_of(const struct split *split, enum invoice_kind kind) {
    int64_t sum = 0;
    for (size_t i = 0; i < split->n; i++)
        sum += split->parts[kind][i];
    return sum;
}

static bool has_any(const struct trade *trade, enum invoice_kind kind) {
    const struct line_row *line;
    bool any = false;
    for (unsigned i = 0; (line = trade_line_of(trade, NULL, i)); i++)
        any = any || kind_of(line->kind) == kind;
    return any;
}

// What a line costs is not known before a fill-up is adjusted: an adjustment may lose the discount that paid for it.
static bool has(const struct trade *trade, enum invoice_kind kind) {
    return trade->row.adjust == ADJUST_AWAITED ? has_any(trade, kind) : total_of(trade, kind, NULL) > 0;
}

static bool has_fuel(const struct trade *trade) {
    return has(trade, INVOICE_FUEL);
}

static bool has_goods(const struct trade *trade) {
    return has(trade, INVOICE_GOODS);
}

// ---- What a refund takes off --------------------------------------------------------------------------------------

void invoicing_refunded(struct trade *trade, struct refund_row *refund) {
    struct split rest, other, taken = {.n = 0};
    const struct refund_row *row;
    split_payment(trade, &rest);
    for (size_t i = 0; (row = trade_at(trade, PART_REFUND, i)); i++)
        if (row != refund && split_refund(row, &other))
            for (int kind = 0; kind < INVOICE_KINDS; kind++)
                for (size_t k = 0; k < other.n && k < rest.n; k++)
                    rest.parts[kind][k] -= other.parts[kind][k];
    int64_t packed[INVOICE_KINDS * TRADE_TENDERS_MAX];
    taken.n = rest.n;
    for (int kind = 0; kind < INVOICE_KINDS; kind++) {
        int64_t total = total_of(trade, (enum invoice_kind)kind, refund);
        // No more than is left of the lines, so no more than is left of the invoice.
        bool good = total == 0 || money_allocate(total, rest.parts[kind], rest.n, taken.parts[kind]);
        assert(good);
        memcpy(packed + (size_t)kind * taken.n, taken.parts[kind], taken.n * sizeof packed[0]);
    }
    trade_change(trade, refund);
    refund->invoice_parts = trade_keep(trade, str_n(packed, INVOICE_KINDS * taken.n * sizeof packed[0]));
}

static bool is_touched(const struct refund_row *refund, enum invoice_kind kind) {
    struct split taken;
    return split_refund(refund, &taken) && sum_of(&taken, kind) > 0;
}

static bool takes_fuel(const struct trade *trade, const struct refund_row *refund) {
    (void)trade;
    return is_touched(refund, INVOICE_FUEL);
}

static bool takes_goods(const struct trade *trade, const struct refund_row *refund) {
    (void)trade;
    return is_touched(refund, INVOICE_GOODS);
}

// ---- Messages -----------------------------------------------------------------------------------------------------

// The lines and sources of one invoice, for a request; borrowed from the trade.
struct content {
    Participant__Invoice__V1__InvoiceLine lines[TRADE_LINES_MAX], *line_pointers[TRADE_LINES_MAX];
    Participant__Invoice__V1__InvoiceSource sources[TRADE_TENDERS_MAX], *source_pointers[TRADE_TENDERS_MAX];
    Txcenter__Type__V1__Money line_amounts[TRADE_LINES_MAX];
    Txcenter__Type__V1__Money source_amounts[TRADE_TENDERS_MAX], paid[TRADE_TENDERS_MAX];
    size_t n_lines, n_sources;
};

// Of a part in proportion, cumulatively rounded down: all of it when all of the line is back, never more. (So that of a
// part which is worth less than a unit there is none.)
static int64_t quantity_of(const struct trade *trade, const struct line_row *line, const struct refund_row *refund,
                           size_t number) {
    int64_t all = line->volume_centi ? line->volume_centi : line->quantity, before = 0, after = 0;
    if (!refund)
        return all;
    int64_t back = refund_plan_line_before(trade, refund, number);
    bool good = money_mul_div(all, back, line->payable, ROUND_DOWN, &before) &&
                money_mul_div(all, back + refund_plan_line(refund, number), line->payable, ROUND_DOWN, &after);
    return good ? after - before : 0;
}

static void add_line(const struct trade *trade, const struct line_row *line, int64_t amount, int64_t quantity,
                     struct content *content) {
    size_t n = content->n_lines++;
    Participant__Invoice__V1__InvoiceLine *message = content->line_pointers[n] = &content->lines[n];
    participant__invoice__v1__invoice_line__init(message);
    content->line_amounts[n] = effect_money(trade, amount);
    message->kind = view_text(line->kind);
    message->code = view_text(line->code);
    message->name = view_text(line->name);
    message->amount = &content->line_amounts[n];
    message->quantity = quantity;
}

static void add_lines(const struct trade *trade, enum invoice_kind kind, const struct refund_row *refund,
                      struct content *content) {
    const struct line_row *line;
    for (unsigned i = 0; (line = trade_line_of(trade, NULL, i)) && content->n_lines < TRADE_LINES_MAX; i++) {
        int64_t amount = refund ? refund_plan_line(refund, i) : line->payable;
        if (kind_of(line->kind) == kind && amount > 0)
            add_line(trade, line, amount, quantity_of(trade, line, refund, i), content);
    }
}

static void add_sources(const struct trade *trade, enum invoice_kind kind, const struct split *split,
                        struct content *content) {
    for (size_t i = 0; i < split->n; i++) {
        const struct tender_row *tender = trade_paid_tender(trade, (int32_t)i);
        if (split->parts[kind][i] == 0)
            continue;
        size_t n = content->n_sources++;
        Participant__Invoice__V1__InvoiceSource *message = content->source_pointers[n] = &content->sources[n];
        participant__invoice__v1__invoice_source__init(message);
        content->source_amounts[n] = effect_money(trade, split->parts[kind][i]);
        content->paid[n] = effect_money(trade, tender->amount);
        message->tender_no = view_text(tender->tender_no);
        message->amount = &content->source_amounts[n];
        message->paid = &content->paid[n];
        if (tender_is_card(tender))
            message->card_no = view_text(tender->account);
    }
}

static void issue(struct saga_call *call, enum after_benefit benefit) {
    struct trade *trade = effect_trade(call);
    enum invoice_kind kind = kind_of_benefit(benefit);
    Participant__Invoice__V1__IssueInvoiceRequest request = PARTICIPANT__INVOICE__V1__ISSUE_INVOICE_REQUEST__INIT;
    struct adapter_effect effect = effect_of(call);
    struct content content = {.n_lines = 0};
    struct split split;
    split_payment(trade, &split);
    add_lines(trade, kind, NULL, &content);
    add_sources(trade, kind, &split, &content);
    request.tenant_id = view_text(trade->row.tenant_id);
    request.user_id = view_text(trade->row.user_id);
    request.station_id = view_text(trade->row.station_id);
    request.lines = content.line_pointers;
    request.n_lines = content.n_lines;
    request.sources = content.source_pointers;
    request.n_sources = content.n_sources;
    invoice_issue(&effect_adapters(call)->invoice, &effect, &request, effect_done_unless_cancelled, call);
}

static void issue_red(struct saga_call *call, enum after_benefit benefit) {
    struct trade *trade = effect_trade(call);
    const struct refund_row *refund = refund_of_call(call);
    enum invoice_kind kind = kind_of_benefit(benefit);
    Participant__Invoice__V1__IssueRedInvoiceRequest request =
        PARTICIPANT__INVOICE__V1__ISSUE_RED_INVOICE_REQUEST__INIT;
    struct adapter_effect effect = effect_of(call);
    struct content content = {.n_lines = 0};
    struct split split;
    char key[SAGA_KEY_MAX];
    after_key(trade, benefit, key);
    split_refund(refund, &split);
    add_lines(trade, kind, refund, &content);
    add_sources(trade, kind, &split, &content);
    request.refund_no = view_text(refund->refund_no);
    request.invoice_key = key;
    request.lines = content.line_pointers;
    request.n_lines = content.n_lines;
    request.sources = content.source_pointers;
    request.n_sources = content.n_sources;
    // The last refund may have voided it already, and this part with it.
    invoice_issue_red(&effect_adapters(call)->invoice, &effect, &request, effect_done_unless_cancelled, call);
}

// The last refund voids the invoice, a part of it has a red-letter one.
static void take_back(struct saga_call *call, enum after_benefit benefit) {
    if (!refund_of_call(call)->final) {
        issue_red(call, benefit);
        return;
    }
    Participant__Invoice__V1__VoidInvoiceRequest request = PARTICIPANT__INVOICE__V1__VOID_INVOICE_REQUEST__INIT;
    char key[SAGA_KEY_MAX];
    struct adapter_effect effect = after_undo_effect(call, benefit, key);
    invoice_void(&effect_adapters(call)->invoice, &effect, &request, effect_done_bare, call);
}

// The last refund voids what is left, and which one that is is not known before its money is back: so each looks.
const struct follower follower_fuel_invoice = {
    .applies = has_fuel,
    .give = issue,
    .answers = &invoice_issue_method,
    .returns = has_fuel,
    .cancel = take_back,
    .takes = takes_fuel,
    .take = take_back,
};

const struct follower follower_goods_invoice = {
    .applies = has_goods,
    .give = issue,
    .answers = &invoice_issue_method,
    .returns = has_goods,
    .cancel = take_back,
    .takes = takes_goods,
    .take = take_back,
};
