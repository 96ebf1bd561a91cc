// Invoices. Money is counted by the tender that paid it, on all invoices and on each; by the card that it was put on or
// taken from, so that no money is invoiced both when a card is recharged and when it is spent; and by what was bought,
// as is how much of that was, so that red-letter invoices take off no more.
#include "participant/invoice/v1/invoice.pb-c.h"
#include "sim/world.h"

#include <inttypes.h>
#include <stdio.h>

enum { QUANTITY_MAX = 1000000000 }; // so that sums of a request's lines can't pass their range

#define PB(name) Participant__Invoice__V1__##name

static const struct store_column columns[] = {
    STORE_COL_TEXT(sim_invoiced_row, place),
    STORE_COL_TEXT(sim_invoiced_row, card),
    STORE_COL_I64(sim_invoiced_row, amount),
};

const struct store_table sim_invoiced_table = {
    .name = "sim_invoiced",
    .row_size = sizeof(struct sim_invoiced_row),
    .columns = columns,
    .n_columns = STORE_COUNT(columns),
    .n_key = 1,
    .since = 2,
};

static void tender_place(const char *tender_no, sim_invoiced_place out) {
    snprintf(out, sizeof(sim_invoiced_place), "tender/%s", tender_no);
}

static void part_place(const char *key, const char *tender_no, sim_invoiced_place out) {
    snprintf(out, sizeof(sim_invoiced_place), "part/%s/%s", tender_no, key);
}

static void card_place(const char *card_no, bool recharge, sim_invoiced_place out) {
    snprintf(out, sizeof(sim_invoiced_place), "card/%s/%s", card_no, recharge ? "in" : "out");
}

// What an invoice has of a code: its money ("sum"), how much it is ("qty").
static void line_place(const char *what, const char *key, const char *code, sim_invoiced_place out) {
    snprintf(out, sizeof(sim_invoiced_place), "%s/%s/%s", what, key, code);
}

static int64_t counted(struct sim_call *call, const char *place) {
    const struct sim_invoiced_row *row = sim_find(call->system, SIM_INVOICED, place);
    return row ? row->amount : 0;
}

static struct sim_invoiced_row *count(struct sim_call *call, const char *place, int64_t amount) {
    struct sim_invoiced_row *row = sim_find(call->system, SIM_INVOICED, place);
    if (!row)
        row = sim_make(call->system, SIM_INVOICED, place);
    row->amount += amount;
    sim_put(&call->change, row);
    return row;
}

// ---- Form ------------------------------------------------------------------------------------------------------

// What both kinds of invoices have in common.
struct invoice {
    PB(InvoiceLine) *const *lines;
    PB(InvoiceSource) *const *sources;
    size_t n_lines, n_sources;
    Txcenter__Type__V1__Money total;
};

static bool sum_up(const struct invoice *invoice, int64_t *ret_lines, int64_t *ret_sources) {
    *ret_lines = *ret_sources = 0;
    for (size_t i = 0; i < invoice->n_lines; i++)
        if (strcmp(invoice->lines[i]->amount->currency, invoice->total.currency) != 0 ||
            !money_add(*ret_lines, invoice->lines[i]->amount->minor_units, ret_lines))
            return false;
    for (size_t i = 0; i < invoice->n_sources; i++)
        if (strcmp(invoice->sources[i]->amount->currency, invoice->total.currency) != 0 ||
            !money_add(*ret_sources, invoice->sources[i]->amount->minor_units, ret_sources))
            return false;
    return true;
}

static bool check(struct sim_call *call, struct invoice *invoice) {
    int64_t lines, sources;
    if (invoice->n_lines == 0 || invoice->n_sources == 0)
        sim_invalid(call, invoice->n_lines == 0 ? "lines" : "sources", "is empty");
    for (size_t i = 0; i < invoice->n_lines; i++) {
        sim_wants_amount(call, invoice->lines[i]->amount, true, "lines.amount");
        if (strlen(invoice->lines[i]->code) > SIM_ID_MAX)
            sim_invalid(call, "lines.code", "must have at most 64 bytes");
        if (invoice->lines[i]->quantity < 0 || invoice->lines[i]->quantity > QUANTITY_MAX)
            sim_invalid(call, "lines.quantity", "is out of range");
    }
    for (size_t i = 0; i < invoice->n_sources; i++) {
        sim_wants_amount(call, invoice->sources[i]->amount, true, "sources.amount");
        const char *tender_no = invoice->sources[i]->tender_no;
        if (!*tender_no || strlen(tender_no) > SIM_LISTED_ID_MAX || strchr(tender_no, ','))
            sim_invalid(call, "sources.tender_no", "must be 1 to 48 bytes without a comma");
        for (size_t k = 0; k < i; k++)
            if (strcmp(tender_no, invoice->sources[k]->tender_no) == 0)
                sim_invalid(call, "sources", "names a tender twice");
    }
    if (error_is(&call->invalid))
        return false;
    invoice->total = *invoice->lines[0]->amount;
    if (!sum_up(invoice, &lines, &sources) || lines != sources) {
        sim_reject(call, "UNBALANCED", "lines and sources do not add up to the same");
        return false;
    }
    invoice->total.minor_units = lines;
    return true;
}

static bool is_kind(const struct invoice *invoice, size_t line, const char *kind) {
    return strcmp(invoice->lines[line]->kind, kind) == 0;
}

static bool fuel_is_alone(struct sim_call *call, const struct invoice *invoice) {
    for (size_t i = 0; i < invoice->n_lines; i++) {
        if (is_kind(invoice, i, "fuel") != is_kind(invoice, 0, "fuel"))
            sim_reject(call, "MIXED_KINDS", "fuel has an invoice of its own");
        else if (is_kind(invoice, i, "fuel") && invoice->lines[i]->quantity <= 0)
            sim_reject(call, "VOLUME_MISSING", "fuel %s has no volume", invoice->lines[i]->code);
        if (call->rejected)
            return false;
    }
    return true;
}

// Totals stay far enough from the end of their range that one more entry can't pass it.
static bool has_room(struct sim_call *call, const char *card_no, bool recharge) {
    sim_invoiced_place place;
    card_place(card_no, recharge, place);
    if (counted(call, place) > INT64_MAX / 2)
        sim_reject(call, "OUT_OF_RANGE", "card %s is full", card_no);
    return !call->rejected;
}

static bool is_new_money(struct sim_call *call, const struct invoice *invoice) {
    sim_invoiced_place place;
    for (size_t i = 0; i < invoice->n_sources; i++) {
        const PB(InvoiceSource) *source = invoice->sources[i];
        if (!sim_wants_amount(call, source->paid, true, "sources.paid"))
            return false;
        tender_place(source->tender_no, place);
        if (counted(call, place) > source->paid->minor_units - source->amount->minor_units) {
            sim_reject(call, "ALREADY_INVOICED", "of tender %s %" PRId64 " are invoiced", source->tender_no,
                       counted(call, place));
            return false;
        }
        card_place(source->card_no, !is_kind(invoice, 0, "recharge"), place);
        if (*source->card_no && counted(call, place) > 0) {
            sim_reject(call, "ALREADY_INVOICED", "card %s is invoiced when it is %s", source->card_no,
                       is_kind(invoice, 0, "recharge") ? "spent" : "recharged");
            return false;
        }
        if (!has_room(call, source->card_no, is_kind(invoice, 0, "recharge")))
            return false;
    }
    return true;
}

// ---- Issuing ---------------------------------------------------------------------------------------------------

// So much of the tender, on this invoice: more, or less.
static void count_source(struct sim_call *call, const char *key, const char *tender_no, int64_t amount) {
    sim_invoiced_place place;
    tender_place(tender_no, place);
    count(call, place, amount);
    part_place(key, tender_no, place);
    const struct sim_invoiced_row *part = count(call, place, amount);
    if (*part->card)
        count(call, part->card, amount);
}

// So much of each line's code, on this invoice: more (1), or less (-1).
static void count_lines(struct sim_call *call, const char *key, const struct invoice *invoice, int sign) {
    sim_invoiced_place place;
    for (size_t i = 0; i < invoice->n_lines; i++) {
        const PB(InvoiceLine) *line = invoice->lines[i];
        line_place("sum", key, line->code, place);
        count(call, place, sign * line->amount->minor_units);
        line_place("qty", key, line->code, place);
        count(call, place, sign * line->quantity);
    }
}

// Whether the invoice still has what the lines take off it.
static bool lines_are_left(struct sim_call *call, const char *key, const struct invoice *invoice) {
    for (size_t i = 0; i < invoice->n_lines; i++) {
        const char *code = invoice->lines[i]->code;
        sim_invoiced_place sum, quantity;
        line_place("sum", key, code, sum);
        line_place("qty", key, code, quantity);
        int64_t money_left = counted(call, sum), left = counted(call, quantity);
        for (size_t k = 0; k < invoice->n_lines; k++)
            if (strcmp(invoice->lines[k]->code, code) == 0) {
                money_left -= invoice->lines[k]->amount->minor_units;
                left -= invoice->lines[k]->quantity;
            }
        if (money_left < 0 || left < 0)
            sim_reject(call, "EXCEEDS_REST", "of %s less is on it", code);
        else if (money_left == 0 && left > 0)
            sim_reject(call, "QUANTITY_MISMATCH", "of %s all money comes off it, and %" PRId64 " stay", code, left);
        if (call->rejected)
            return false;
    }
    return true;
}

static char *new_number(struct sim_call *call, const char *prefix, sim_id out) {
    snprintf(out, sizeof(sim_id), "%s%013" PRId64 "%06" PRId64, prefix, sim_now(call->system->sim),
             call->system->ledger_seq);
    return out;
}

static void issue_invoice(struct sim_call *call) {
    const PB(IssueInvoiceRequest) *request = (const void *)call->request;
    struct invoice invoice = {request->lines, request->sources, request->n_lines, request->n_sources,
                              TXCENTER__TYPE__V1__MONEY__INIT};
    if (!check(call, &invoice) || !fuel_is_alone(call, &invoice) || !is_new_money(call, &invoice))
        return;
    sim_id invoice_no;
    sim_record_add(call, new_number(call, "F", invoice_no), &invoice.total, request->title);
    char *tender_nos[SIM_LISTED_MAX];
    for (size_t i = 0; i < invoice.n_sources; i++) {
        const PB(InvoiceSource) *source = invoice.sources[i];
        sim_invoiced_place place, card;
        part_place(call->effect->key, source->tender_no, place);
        card_place(source->card_no, is_kind(&invoice, 0, "recharge"), card);
        struct sim_invoiced_row *part = count(call, place, 0);
        SIM_COPY(part->card, *source->card_no ? card : "");
        count_source(call, call->effect->key, source->tender_no, source->amount->minor_units);
        tender_nos[i] = source->tender_no;
    }
    count_lines(call, call->effect->key, &invoice, 1);
    sim_note_ids(call, tender_nos, invoice.n_sources);
    PB(IssueInvoiceResponse) response = PARTICIPANT__INVOICE__V1__ISSUE_INVOICE_RESPONSE__INIT;
    response.invoice_no = invoice_no;
    sim_answer(call, &response.base);
}

static void void_invoice(struct sim_call *call) {
    int64_t rest;
    if (!sim_record_cancel(call, &rest))
        return;
    struct str tenders = call->note;
    while (tenders.len > 0) {
        sim_id tender_no;
        sim_invoiced_place place;
        str_copy(str_cut(&tenders, ','), tender_no, sizeof tender_no);
        part_place(call->effect->key, tender_no, place);
        count_source(call, call->effect->key, tender_no, -counted(call, place));
    }
}

static void issue_red_invoice(struct sim_call *call) {
    const PB(IssueRedInvoiceRequest) *request = (const void *)call->request;
    struct invoice invoice = {request->lines, request->sources, request->n_lines, request->n_sources,
                              TXCENTER__TYPE__V1__MONEY__INIT};
    struct sim_record_row *record =
        check(call, &invoice) ? sim_record_find(call, request->invoice_key, &invoice.total) : NULL;
    for (size_t i = 0; record && i < invoice.n_sources; i++) {
        sim_invoiced_place place;
        part_place(request->invoice_key, invoice.sources[i]->tender_no, place);
        if (invoice.sources[i]->amount->minor_units > counted(call, place)) {
            sim_reject(call, "EXCEEDS_REST", "of tender %s %" PRId64 " are on it", invoice.sources[i]->tender_no,
                       counted(call, place));
            return;
        }
    }
    if (!record || !lines_are_left(call, request->invoice_key, &invoice))
        return;
    count_lines(call, request->invoice_key, &invoice, -1);
    sim_id invoice_no;
    new_number(call, "R", invoice_no);
    for (size_t i = 0; i < invoice.n_sources; i++)
        count_source(call, request->invoice_key, invoice.sources[i]->tender_no,
                     -invoice.sources[i]->amount->minor_units);
    sim_record_reverse(call, record, invoice.total.minor_units, invoice_no);
    PB(IssueRedInvoiceResponse) response = PARTICIPANT__INVOICE__V1__ISSUE_RED_INVOICE_RESPONSE__INIT;
    response.invoice_no = invoice_no;
    sim_answer(call, &response.base);
}

static const struct sim_method methods[] = {
    {.name = "IssueInvoice", .op = SIM_ACTION, .apply = issue_invoice},
    {.name = "VoidInvoice", .op = SIM_COMPENSATE, .apply = void_invoice, .undoes = "IssueInvoice"},
    {.name = "IssueRedInvoice", .op = SIM_ACTION, .apply = issue_red_invoice},
    {.name = "Inquire", .op = SIM_INQUIRE},
};

static const struct sim_set_def sets[] = {
    SIM_RECORD_SET_DEF(invoice),
    [SIM_INVOICED] = {.table = &sim_invoiced_table},
};

const struct sim_system_def sim_invoice_def = {
    .name = "invoice",
    .service = &participant__invoice__v1__invoice_service__descriptor,
    .methods = methods,
    .n_methods = STORE_COUNT(methods),
    .sets = sets,
    .n_sets = STORE_COUNT(sets),
};
