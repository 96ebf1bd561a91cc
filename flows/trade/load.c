// Trades from the store: the trade's row, then its parts one after the other, all by the trade's number; or, of one
// that was deleted, what is kept of its tenders. Each is a read of its own, so a commit may come in between: the row is
// read once more at the end, and all of it again when its version has moved. A trade that enters memory needs no such
// care: nobody but its owner writes it, who has just none of it in memory and nothing on its way.
#include "flows/trade/load.h"

#include "flows/trade/archive.h"
#include "flows/trade/internal.h"
#include "flows/trade/parts.h"
#include "flows/trade/sound.h"

#include <stdlib.h>

struct found {
    struct found *next;
    load_trade_fn *done;
    void *ctx;
    bool archived; // takes what is kept of a deleted one
};

struct load {
    struct map_node node;
    struct trades *trades;
    struct trade *trade;
    bool keep; // it enters memory
    int part;
    int times; // that it was begun
    struct found *waiting, **last;
};

enum { TIMES_MAX = 8 }; // a trade that changes all the time is read another time

bool load_is_ours(const struct trades *trades, struct str trade_no, struct error *error) {
    return saga_engine_owns(trades->engine, id_slot(trade_no)) || error_set(error, ERR_SLOT_ELSEWHERE, NULL);
}

static bool is_there(const struct trade *trade, bool archived, struct error *error) {
    if (trade->leaving)
        return error_set(error, ERR_RETRY, "the trade is just being deleted");
    if (trade->archived && !archived)
        return error_set(error, ERR_TRADE_NOT_FOUND, "the trade has ended, and was deleted when its time was over");
    return true;
}

static void tell(struct found *found, struct trade *trade, const struct error *error) {
    struct error missing = {0};
    if (trade && !is_there(trade, found->archived, &missing)) {
        found->done(found->ctx, NULL, &missing);
        return;
    }
    if (trade)
        saga_subject_hold(&trade->subject);
    found->done(found->ctx, trade, error);
}

static void finish(struct load *load, const struct error *error) {
    struct error lost;
    if (!error && load->keep && !load_is_ours(load->trades, str_c(load->trade->row.trade_no), &lost))
        error = &lost;
    struct trade *trade = error ? NULL : load->trade;
    if (load->keep)
        map_remove(&load->trades->loading, &load->node);
    if (trade && load->keep) {
        trade_enter_memory(trade);
        trade_evict(load->trades);
    }
    struct found *found = load->waiting;
    while (found) {
        struct found *next = found->next;
        tell(found, trade, error);
        free(found);
        found = next;
    }
    saga_subject_release(&load->trade->subject);
    free(load);
}

// Blobs point into the reader's memory: the trade keeps its own.
static void adopt(struct trade *trade, const struct store_table *table, void *row) {
    for (uint8_t i = 0; i < table->n_columns; i++)
        if (table->columns[i].type == STORE_BLOB) {
            struct str *blob = (void *)((char *)row + table->columns[i].offset);
            *blob = trade_keep(trade, *blob);
        }
}

static void read_row(struct load *load, store_rows_fn *done);
static void read_part(struct load *load);
static void begin(struct load *load);

static void row_read_again(void *ctx, const struct error *error, const void *rows, size_t n) {
    struct load *load = ctx;
    const struct trade_row *row = rows;
    struct error busy;
    if (error || (n == 1 && row->version == load->trade->row.version)) {
        finish(load, error);
    } else if (load->times == TIMES_MAX) {
        error_set(&busy, ERR_OVERLOADED, "the trade changes faster than it can be read");
        finish(load, &busy);
    } else {
        struct trade *stale = load->trade;
        load->trade = trade_blank(load->trades, stale->row.trade_no);
        saga_subject_release(&stale->subject);
        begin(load);
    }
}

static void part_read(void *ctx, const struct error *error, const void *rows, size_t n) {
    struct load *load = ctx;
    struct error unsound;
    if (error) {
        finish(load, error);
        return;
    }
    const struct store_table *table = trade_part_tables[load->part];
    for (size_t i = 0; i < n; i++) {
        struct trade_item *item = trade_append(load->trade, (enum trade_part)load->part);
        memcpy(item->row, (const char *)rows + i * table->row_size, table->row_size);
        adopt(load->trade, table, item->row);
        item->stored = true;
    }
    load->part += n < STORE_LIMIT_MAX; // else there may be more behind the last one
    if (load->part < (load->trade->row.matters > 0 ? TRADE_PARTS : PART_MATTER)) {
        read_part(load);
    } else if (!sound_check(load->trade, &unsound)) {
        finish(load, &unsound);
    } else if (load->keep) {
        finish(load, NULL);
    } else {
        read_row(load, row_read_again);
    }
}

static void read_part(struct load *load) {
    const struct trade_items *items = &load->trade->parts[load->part];
    struct store_query query = {
        .table = trade_part_tables[load->part],
        .conds = {{.column = "trade_no", .cmp = STORE_EQ, .text = str_c(load->trade->row.trade_no)}},
        .after = items->n ? items->list[items->n - 1]->row : NULL,
        .limit = STORE_LIMIT_MAX,
    };
    store_read(load->trades->options.store, &query, part_read, load);
}

static void archive_read(void *ctx, const struct error *error, const void *rows, size_t n) {
    struct load *load = ctx;
    struct error missing;
    if (error) {
        finish(load, error);
    } else if (n == 0) {
        error_set(&missing, ERR_TRADE_NOT_FOUND, "no trade has the number %s", load->trade->row.trade_no);
        finish(load, &missing);
    } else {
        archive_fill(load->trade, rows, n);
        finish(load, NULL);
    }
}

static void read_archive(struct load *load) {
    char prefix[TRADE_NO_MAX + 2];
    struct store_query query = archive_query(load->trade->row.trade_no, prefix);
    store_read(load->trades->options.store, &query, archive_read, load);
}

static void row_read(void *ctx, const struct error *error, const void *rows, size_t n) {
    struct load *load = ctx;
    const struct trade_row *row = rows;
    if (error) {
        finish(load, error);
    } else if (n == 0 || row->closed == TRADE_LEAVING) {
        read_archive(load);
    } else {
        load->trade->row = *(const struct trade_row *)rows;
        load->trade->stored = true;
        adopt(load->trade, &trade_table, &load->trade->row);
        read_part(load);
    }
}

static void read_row(struct load *load, store_rows_fn *done) {
    struct store_query query = {
        .table = &trade_table,
        .conds = {{.column = "trade_no", .cmp = STORE_EQ, .text = str_c(load->trade->row.trade_no)}},
        .limit = 1};
    store_read(load->trades->options.store, &query, done, load);
}

static void begin(struct load *load) {
    load->part = 0;
    load->times++;
    read_row(load, row_read);
}

static void wait_for(struct load *load, const struct found *who) {
    struct found *found = calloc(1, sizeof *found);
    if (!found)
        abort();
    *found = *who;
    *load->last = found;
    load->last = &found->next;
}

static void start(struct trades *trades, struct str trade_no, bool keep, const struct found *who) {
    char number[TRADE_NO_MAX + 1];
    struct load *load = calloc(1, sizeof *load);
    if (!load)
        abort();
    str_copy(trade_no, number, sizeof number);
    load->trades = trades;
    load->trade = trade_blank(trades, number);
    load->keep = keep;
    load->last = &load->waiting;
    if (keep)
        map_insert(&trades->loading, &load->node, str_c(load->trade->row.trade_no));
    wait_for(load, who);
    begin(load);
}

static bool is_trade_no(struct str trade_no, load_trade_fn *done, void *ctx) {
    if (id_valid(trade_no))
        return true;
    struct error error;
    error_set(&error, ERR_TRADE_NOT_FOUND, "no trade has this number");
    done(ctx, NULL, &error);
    return false;
}

static void find(struct trades *trades, struct str trade_no, struct found *who) {
    struct error error;
    if (!is_trade_no(trade_no, who->done, who->ctx))
        return;
    if (!load_is_ours(trades, trade_no, &error)) {
        who->done(who->ctx, NULL, &error);
        return;
    }
    struct map_node *node = map_find(&trades->resident, trade_no);
    if (node) {
        struct trade *trade = CONTAINER_OF(node, struct trade, node);
        trade_touch(trade);
        tell(who, trade, NULL);
        return;
    }
    node = map_find(&trades->loading, trade_no);
    if (node)
        wait_for(CONTAINER_OF(node, struct load, node), who);
    else
        start(trades, trade_no, true, who);
}

void load_trade(struct trades *trades, struct str trade_no, load_trade_fn *done, void *ctx) {
    find(trades, trade_no, &(struct found){.done = done, .ctx = ctx});
}

void load_trade_or_archived(struct trades *trades, struct str trade_no, load_trade_fn *done, void *ctx) {
    find(trades, trade_no, &(struct found){.done = done, .ctx = ctx, .archived = true});
}

void load_snapshot(struct trades *trades, struct str trade_no, load_trade_fn *done, void *ctx) {
    if (is_trade_no(trade_no, done, ctx))
        start(trades, trade_no, false, &(struct found){.done = done, .ctx = ctx, .archived = true});
}

// ---- By order number ----------------------------------------------------------------------------------------------

struct numbering {
    load_order_fn *done;
    void *ctx;
};

static void order_read(void *ctx, const struct error *error, const void *rows, size_t n) {
    struct numbering numbering = *(struct numbering *)ctx;
    struct error missing;
    free(ctx);
    if (!error && n == 0) {
        error_set(&missing, ERR_TRADE_NOT_FOUND, "no trade has this order number");
        error = &missing;
    }
    numbering.done(numbering.ctx, error ? NULL : rows, error);
}

void load_order(struct trades *trades, struct str order_no, load_order_fn *done, void *ctx) {
    struct numbering *numbering = malloc(sizeof *numbering);
    if (!numbering)
        abort();
    *numbering = (struct numbering){done, ctx};
    struct store_query query = {
        .table = &order_table, .conds = {{.column = "order_no", .cmp = STORE_EQ, .text = order_no}}, .limit = 1};
    store_read(trades->options.store, &query, order_read, numbering);
}

// ---- For the engine -----------------------------------------------------------------------------------------------

struct attach {
    struct saga_engine *engine;
    void *token;
};

static void attach_found(void *ctx, struct trade *trade, const struct error *error) {
    struct attach attach = *(struct attach *)ctx;
    free(ctx);
    saga_attached(attach.engine, attach.token, trade ? &trade->subject : NULL, error);
    if (trade)
        saga_subject_release(&trade->subject);
}

static struct attach *attach_new(struct saga_engine *engine, void *token) {
    struct attach *attach = malloc(sizeof *attach);
    if (!attach)
        abort();
    *attach = (struct attach){engine, token};
    return attach;
}

void load_attach(void *ctx, struct saga_engine *engine, struct str subject_key, void *token) {
    load_trade(ctx, subject_key, attach_found, attach_new(engine, token));
}

void load_attach_archived(void *ctx, struct saga_engine *engine, struct str subject_key, void *token) {
    load_trade_or_archived(ctx, subject_key, attach_found, attach_new(engine, token));
}
