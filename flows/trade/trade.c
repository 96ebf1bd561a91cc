#include "flows/trade/trade.h"

#include "flows/trade/archive.h"
#include "flows/trade/internal.h"
#include "flows/trade/parts.h"
#include "flows/trade/retire.h"
#include "flows/trade/wait.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

const struct store_table *const trade_part_tables[TRADE_PARTS] = {
    [PART_QUOTE] = &quote_table,   [PART_LINE] = &line_table,     [PART_ATTEMPT] = &pay_attempt_table,
    [PART_TENDER] = &tender_table, [PART_REFUND] = &refund_table, [PART_REFUND_LEG] = &refund_leg_table,
    [PART_LEDGER] = &ledger_table, [PART_MATTER] = &matter_table,
};

// Of all that a trade keeps; and of that what is not for callers: parameters of its tenders, its history, its refunds.
enum { BLOBS_MAX = 64 * 1024 * 1024, BLOBS_OWN = 16 * 1024 * 1024 };

// ---- Rows ---------------------------------------------------------------------------------------------------------

struct trade_row *trade_edit(struct trade *trade) {
    trade->dirty = true;
    return &trade->row;
}

void *trade_at(const struct trade *trade, enum trade_part part, size_t i) {
    const struct trade_items *items = &trade->parts[part];
    return i < items->n ? items->list[i]->row : NULL;
}

void *trade_change(struct trade *trade, void *row) {
    (void)trade;
    CONTAINER_OF(row, struct trade_item, row)->dirty = true;
    return row;
}

struct trade_item *trade_append(struct trade *trade, enum trade_part part) {
    struct trade_items *items = &trade->parts[part];
    if (items->n == items->cap) {
        size_t cap = items->cap ? items->cap * 2 : 4;
        struct trade_item **list = realloc(items->list, cap * sizeof(struct trade_item *));
        if (!list)
            abort();
        items->list = list;
        items->cap = cap;
    }
    struct trade_item *item = calloc(1, sizeof *item + trade_part_tables[part]->row_size);
    if (!item)
        abort();
    items->list[items->n++] = item;
    return item;
}

// As the store orders them: numbers, or texts bytewise.
static int compare_keys(const struct store_table *table, const char *a, const char *b) {
    int order = 0;
    for (uint8_t i = 0; i < table->n_key && order == 0; i++) {
        uint32_t at = table->columns[i].offset;
        int32_t x = 0, y = 0;
        if (table->columns[i].type == STORE_TEXT) {
            order = strcmp(a + at, b + at);
            continue;
        }
        assert(table->columns[i].type == STORE_I32);
        memcpy(&x, a + at, sizeof x);
        memcpy(&y, b + at, sizeof y);
        order = (x > y) - (x < y);
    }
    return order;
}

void *trade_add(struct trade *trade, enum trade_part part, const void *row) {
    const struct store_table *table = trade_part_tables[part];
    struct trade_items *items = &trade->parts[part];
    struct trade_item *item = trade_append(trade, part);
    memcpy(item->row, row, table->row_size);
    // The first column of every part is the trade's number.
    memcpy(item->row, trade->row.trade_no, sizeof trade->row.trade_no);
    item->dirty = true;
    size_t at = items->n - 1;
    for (int order; at > 0 && (order = compare_keys(table, items->list[at - 1]->row, item->row)) >= 0; at--) {
        assert(order != 0);
        items->list[at] = items->list[at - 1];
    }
    items->list[at] = item;
    return item->row;
}

void trade_forget(struct trade *trade, enum trade_part part, void *row) {
    struct trade_items *items = &trade->parts[part];
    struct trade_item *item = CONTAINER_OF(row, struct trade_item, row);
    size_t at = 0;
    assert(!item->stored);
    while (items->list[at] != item)
        at++;
    items->n--;
    memmove(items->list + at, items->list + at + 1, (items->n - at) * sizeof(struct trade_item *));
    free(item);
}

struct str trade_keep(struct trade *trade, struct str bytes) {
    struct str kept = arena_str(&trade->blobs, bytes);
    if (!kept.ptr)
        abort();
    return kept;
}

bool trade_has_room(const struct trade *trade, size_t bytes) {
    size_t used = trade->blobs.used, most = BLOBS_MAX - BLOBS_OWN;
    return used <= most && bytes <= most - used;
}

struct quote_row *trade_quote_row(const struct trade *trade, int32_t version) {
    struct quote_row *row;
    for (size_t i = 0; (row = trade_at(trade, PART_QUOTE, i)); i++)
        if (row->version == version)
            return row;
    return NULL;
}

struct line_row *trade_line_of(const struct trade *trade, const char *kind, unsigned i) {
    struct line_row *row;
    for (size_t k = 0; (row = trade_at(trade, PART_LINE, k)); k++)
        if (row->purchase_no == trade->row.purchase_no && (!kind || strcmp(row->kind, kind) == 0) && i-- == 0)
            return row;
    return NULL;
}

unsigned trade_lines_of(const struct trade *trade, const char *kind) {
    unsigned n = 0;
    while (trade_line_of(trade, kind, n))
        n++;
    return n;
}

struct pay_attempt_row *trade_attempt(const struct trade *trade, int32_t attempt_no) {
    struct pay_attempt_row *row;
    for (size_t i = 0; (row = trade_at(trade, PART_ATTEMPT, i)); i++)
        if (row->attempt_no == attempt_no)
            return row;
    return NULL;
}

struct pay_attempt_row *trade_open_attempt(const struct trade *trade) {
    struct pay_attempt_row *row = trade_attempt(trade, trade->row.attempt_no);
    return row && (row->state == ATTEMPT_PLANNED || row->state == ATTEMPT_OPEN) ? row : NULL;
}

struct pay_attempt_row *trade_paid_attempt(const struct trade *trade) {
    struct pay_attempt_row *row = trade_attempt(trade, trade->row.attempt_no); // after it there is no other
    return row && row->state == ATTEMPT_PAID ? row : NULL;
}

struct tender_row *trade_tender(const struct trade *trade, int32_t attempt_no, int32_t tender) {
    struct tender_row *row;
    for (size_t i = 0; (row = trade_at(trade, PART_TENDER, i)); i++)
        if (row->attempt_no == attempt_no && row->tender == tender)
            return row;
    return NULL;
}

struct tender_row *trade_paid_tender(const struct trade *trade, int32_t tender) {
    const struct pay_attempt_row *attempt = trade_paid_attempt(trade);
    return attempt ? trade_tender(trade, attempt->attempt_no, tender) : NULL;
}

struct tender_row *trade_tender_by_no(const struct trade *trade, struct str tender_no) {
    struct tender_row *row;
    for (size_t i = 0; (row = trade_at(trade, PART_TENDER, i)); i++)
        if (str_eq_c(tender_no, row->tender_no))
            return row;
    return NULL;
}

struct refund_row *trade_refund(const struct trade *trade, struct str refund_no) {
    struct refund_row *row;
    for (size_t i = 0; (row = trade_at(trade, PART_REFUND, i)); i++)
        if (str_eq_c(refund_no, row->refund_no))
            return row;
    return NULL;
}

struct refund_leg_row *trade_refund_leg(const struct trade *trade, const char *refund_no, int32_t leg) {
    struct refund_leg_row *row;
    for (size_t i = 0; (row = trade_at(trade, PART_REFUND_LEG, i)); i++)
        if (row->leg == leg && strcmp(row->refund_no, refund_no) == 0)
            return row;
    return NULL;
}

// ---- States -------------------------------------------------------------------------------------------------------

#define TO(name) (1u << TRADE_STATE(name))
static const uint32_t next_states[] = {
    [0] = TO(CREATED),
    [TRADE_STATE(CREATED)] = TO(QUOTED) | TO(CANCELLED),
    [TRADE_STATE(QUOTED)] = TO(ORDERING) | TO(CANCELLED),
    [TRADE_STATE(ORDERING)] = TO(ORDERED) | TO(CLOSING),
    [TRADE_STATE(ORDERED)] = TO(PAYING) | TO(PAID) /* nothing is payable */ | TO(CLOSING),
    [TRADE_STATE(PAYING)] = TO(PAID) | TO(ORDERED) /* the attempt failed */ | TO(CLOSING),
    [TRADE_STATE(CLOSING)] =
        TO(PAID) | TO(CANCELLED) | TO(EXPIRED) | TO(FAILED) | TO(CONFLICTED) | TO(ORDERING) /* ordered again */,
    [TRADE_STATE(PAID)] = TO(COMPLETED),
    [TRADE_STATE(COMPLETED)] = TO(PARTIALLY_REFUNDED) | TO(REFUNDED),
    [TRADE_STATE(PARTIALLY_REFUNDED)] = TO(REFUNDED),
    [TRADE_STATE(REFUNDED)] = 0,
    [TRADE_STATE(CANCELLED)] = TO(QUOTED), // and ordered again
    [TRADE_STATE(EXPIRED)] = TO(QUOTED),
    [TRADE_STATE(FAILED)] = TO(QUOTED),
    [TRADE_STATE(CONFLICTED)] = 0,
};

// ---- History ------------------------------------------------------------------------------------------------------

// 9 bytes a change: the state, and the time in milliseconds, little-endian.
enum { CHANGE_BYTES = 9, HISTORY_BYTES = CHANGE_BYTES * TRADE_HISTORY_MAX };

void trade_set_state(struct trade *trade, Txcenter__Trade__V1__TradeState state, int64_t now_ms) {
    struct trade_row *row = trade_edit(trade);
    if (row->state == (int32_t)state)
        return;
    assert(trade_may_become(next_states, STORE_COUNT(next_states), row->state, (int32_t)state));
    row->state = (int32_t)state;
    char history[HISTORY_BYTES];
    size_t length = row->history.len;
    if (length + CHANGE_BYTES > sizeof history)
        return;
    if (length)
        memcpy(history, row->history.ptr, length);
    history[length] = (char)state;
    for (int i = 0; i < 8; i++)
        history[length + 1 + (size_t)i] = (char)((uint64_t)now_ms >> (8 * i) & 0xff);
    row->history = trade_keep(trade, str_n(history, length + CHANGE_BYTES));
}

size_t trade_history(const struct trade *trade, struct trade_change_at *out, size_t max) {
    struct str history = trade->row.history;
    size_t n = 0;
    for (size_t at = 0; at + CHANGE_BYTES <= history.len && n < max; at += CHANGE_BYTES) {
        uint64_t time = 0;
        for (int i = 7; i >= 0; i--)
            time = time << 8 | (unsigned char)history.ptr[at + 1 + (size_t)i];
        out[n++] = (struct trade_change_at){(unsigned char)history.ptr[at], (int64_t)time};
    }
    return n;
}

// ---- Rules --------------------------------------------------------------------------------------------------------

bool trade_ended_unpaid(const struct trade *trade) {
    return trade->row.state == TRADE_STATE(CANCELLED) || trade->row.state == TRADE_STATE(EXPIRED) ||
           trade->row.state == TRADE_STATE(FAILED);
}

bool trade_locks_first(const struct trade *trade) {
    return trade->row.mode != TXCENTER__TRADE__V1__ORDER_MODE__ORDER_MODE_DEDUCT_LATER;
}

bool trade_has_user(const struct trade *trade) {
    return trade->row.user_id[0] != '\0';
}

bool trade_is_editable(const struct trade *trade) {
    bool ordered = trade->row.state == TRADE_STATE(ORDERING) || trade->row.state == TRADE_STATE(ORDERED) ||
                   trade->row.state == TRADE_STATE(PAYING);
    return ordered && trade->row.closing == CLOSING_NO && !trade_locks_first(trade);
}

bool trade_is_paid(const struct trade *trade) {
    return trade->row.state == TRADE_STATE(PAID) || trade->row.state == TRADE_STATE(COMPLETED) ||
           trade->row.state == TRADE_STATE(PARTIALLY_REFUNDED) || trade->row.state == TRADE_STATE(REFUNDED);
}

void trade_purchase_gid(const struct trade *trade, char out[TRADE_GID_MAX]) {
    snprintf(out, TRADE_GID_MAX, "%s/%d", trade->row.trade_no, trade->row.purchase_no);
}

void trade_payment_gid(const struct trade *trade, int32_t attempt_no, char out[TRADE_GID_MAX]) {
    snprintf(out, TRADE_GID_MAX, "%s/pay/%d", trade->row.trade_no, attempt_no);
}

void trade_refund_first_gid(const struct trade *trade, const char *refund_no, char out[TRADE_GID_MAX]) {
    snprintf(out, TRADE_GID_MAX, "%s/refund/%s", trade->row.trade_no, refund_no);
}

void trade_refund_gid(const struct trade *trade, const char *refund_no, char out[TRADE_GID_MAX]) {
    const struct refund_row *refund = trade_refund(trade, str_c(refund_no));
    trade_refund_first_gid(trade, refund_no, out);
    if (refund && refund->stopped > 0)
        snprintf(out + strlen(out), TRADE_GID_MAX - strlen(out), "/%d", refund->stopped + 1);
}

// ---- The trade as a subject ---------------------------------------------------------------------------------------

static bool is_dirty(const struct trade *trade) {
    bool dirty = trade->dirty;
    for (int part = 0; part < TRADE_PARTS; part++)
        for (size_t i = 0; i < trade->parts[part].n; i++)
            dirty = dirty || trade->parts[part].list[i]->dirty;
    return dirty;
}

// What an operator keeps of money that does not match stays in conflict.
static bool has_money(const struct trade *trade) {
    const struct tender_row *tender;
    for (size_t i = 0; (tender = trade_at(trade, PART_TENDER, i)); i++)
        if (tender->state != TENDER_STATE(FAILED) && tender->state != TENDER_STATE(CLOSED) &&
            tender->state != TENDER_STATE(RETURNED))
            return true;
    return false;
}

static bool is_resident(const struct trade *trade) {
    return trade->node.key.ptr != NULL;
}

// What it takes of memory, about: all but what calls that wait for it have of their own.
static void weigh(struct trade *trade) {
    int64_t bytes = (int64_t)(sizeof *trade + trade->blobs.used);
    for (int part = 0; part < TRADE_PARTS; part++)
        bytes += (int64_t)(trade->parts[part].n * (sizeof(struct trade_item) + trade_part_tables[part]->row_size));
    if (is_resident(trade))
        trade->trades->stats.resident_bytes += bytes - trade->bytes;
    trade->bytes = bytes;
}

static void write_rows(struct trade *trade, struct store_write *write) {
    if (trade->row.state == TRADE_STATE(CONFLICTED) && !has_money(trade))
        trade->row.unsold = 1;
    trade->row.version++;
    trade->row.updated_ms = trades_now(trade->trades);
    retire_note(&trade->row);
    store_row(write, &trade_table, trade->stored ? STORE_PUT : STORE_INSERT, &trade->row);
    trade->dirty = false;
    trade->stored = true;
    for (int part = 0; part < TRADE_PARTS; part++)
        for (size_t i = 0; i < trade->parts[part].n; i++) {
            struct trade_item *item = trade->parts[part].list[i];
            if (item->dirty)
                store_row(write, trade_part_tables[part], item->stored ? STORE_PUT : STORE_INSERT, item->row);
            item->dirty = false;
            item->stored = true;
        }
}

static void flush(struct saga_subject *subject, struct store_write *write) {
    struct trade *trade = trade_of(subject);
    trade->flushes++;
    if (trade->archived)
        archive_flush(trade, write);
    else if (is_dirty(trade))
        write_rows(trade, write);
    weigh(trade);
    trade_waiters_look(trade, write);
}

static void committed(struct saga_subject *subject) {
    struct trade *trade = trade_of(subject);
    trade->commits++;
    trade_waiters_release(trade);
}

static void lru_remove(struct trade *trade) {
    struct trades *trades = trade->trades;
    *(trade->older ? &trade->older->newer : &trades->oldest) = trade->newer;
    *(trade->newer ? &trade->newer->older : &trades->newest) = trade->older;
    trade->older = trade->newer = NULL;
}

static void lru_append(struct trade *trade) {
    struct trades *trades = trade->trades;
    trade->older = trades->newest;
    trade->newer = NULL;
    *(trades->newest ? &trades->newest->newer : &trades->oldest) = trade;
    trades->newest = trade;
}

void trade_leave_memory(struct trade *trade) {
    if (!is_resident(trade))
        return;
    map_remove(&trade->trades->resident, &trade->node);
    trade->node.key = STR_NONE;
    trade->trades->stats.resident--;
    trade->trades->stats.resident_bytes -= trade->bytes;
    lru_remove(trade);
    saga_subject_release(&trade->subject); // the memory's own hold
}

static void fail(struct saga_subject *subject, const struct error *error) {
    struct trade *trade = trade_of(subject);
    saga_subject_hold(subject);
    trade_leave_memory(trade);
    trade_waiters_fail(trade, error);
    saga_subject_release(subject);
}

static void free_trade(struct saga_subject *subject) {
    struct trade *trade = trade_of(subject);
    assert(!is_resident(trade) && trade->subject.group.in_flight == 0);
    for (int part = 0; part < TRADE_PARTS; part++) {
        for (size_t i = 0; i < trade->parts[part].n; i++)
            free(trade->parts[part].list[i]);
        free(trade->parts[part].list);
    }
    arena_release(&trade->blobs);
    free(trade);
}

static const struct saga_subject_ops ops = {.flush = flush, .committed = committed, .fail = fail, .free = free_trade};

struct trade *trade_blank(struct trades *trades, const char *trade_no) {
    struct trade *trade = calloc(1, sizeof *trade);
    if (!trade)
        abort();
    trade->trades = trades;
    trade->subject.ops = &ops;
    trade->subject.refs = 1;
    arena_init(&trade->blobs, BLOBS_MAX);
    str_copy(str_c(trade_no), trade->subject.key, sizeof trade->subject.key);
    str_copy(str_c(trade_no), trade->row.trade_no, sizeof trade->row.trade_no);
    return trade;
}

void trade_enter_memory(struct trade *trade) {
    map_insert(&trade->trades->resident, &trade->node, str_c(trade->row.trade_no));
    lru_append(trade);
    saga_subject_hold(&trade->subject);
    trade->trades->stats.resident++;
    trade->trades->stats.resident_bytes += trade->bytes;
    weigh(trade);
}

void trade_touch(struct trade *trade) {
    if (is_resident(trade)) {
        lru_remove(trade);
        lru_append(trade);
    }
}

struct trade *trade_new(struct trades *trades, const char *trade_no) {
    struct trade *trade = trade_blank(trades, trade_no);
    trade_enter_memory(trade);
    trade_evict(trades);
    return trade;
}

static bool is_full(const struct trades *trades) {
    return trades->resident.count > trades->options.resident_max || trades_weigh_too_much(trades);
}

// What is in use now comes to the other end, so that it doesn't hide those behind it.
void trade_evict(struct trades *trades) {
    enum { LOOKS = 16 };
    for (int looked = 0; looked < LOOKS && trades->oldest && is_full(trades); looked++) {
        struct trade *trade = trades->oldest;
        // What is only in memory is an answer that will be given again (saga_answered_fn).
        if (trade->subject.refs == 1 && trade->subject.group.in_flight == 0 && !trade->waiters)
            trade_leave_memory(trade);
        else
            trade_touch(trade);
    }
}

void trade_drop_slot(struct trades *trades, unsigned slot) {
    struct error error;
    error_set(&error, ERR_SLOT_ELSEWHERE, NULL);
    struct trade **list = calloc((size_t)trades->stats.resident + 1, sizeof(struct trade *));
    size_t n = 0;
    if (!list)
        abort();
    for (struct trade *trade = trades->oldest; trade; trade = trade->newer)
        if (id_slot(str_c(trade->row.trade_no)) == slot) {
            saga_subject_hold(&trade->subject); // whoever is told may let go of others
            list[n++] = trade;
        }
    for (size_t i = 0; i < n; i++) {
        list[i]->subject.failed = true;
        fail(&list[i]->subject, &error);
        saga_subject_release(&list[i]->subject);
    }
    free(list);
}

bool trade_is_idle(const struct trade *trade, uint32_t holds) {
    return trade->subject.refs == 1 + holds && trade->subject.group.in_flight == 0 && !trade->waiters &&
           !trade->subject.family.first && !is_dirty(trade);
}

void trade_drop_all(struct trades *trades) {
    while (trades->oldest)
        trade_leave_memory(trades->oldest);
}
