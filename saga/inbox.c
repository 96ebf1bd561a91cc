#include "saga/inbox.h"

#include "saga/engine.h"

#include <stdlib.h>

enum { PAGE = 50, POLL_MS = 1000, ITEMS_MAX = 64, UNREAD_MS = 60000, RESTS_MAX = 1024 };

// One that is being acted on, or that was, in vain, and is left alone for a while.
struct item {
    struct inbox *inbox;
    struct item *next, **link;
    int64_t rests_until_ms; // 0: it is being acted on
    struct inbox_row row;   // without its body
};

struct keeping;

struct inbox {
    struct saga_engine *engine;
    struct keeping *keepings, **last_keeping; // on their way into the table
    struct item *items;
    uint32_t n, n_rest; // that are being acted on; that are left alone
    int64_t next_ms;
    struct inbox_row cursor; // of the page
    bool has_cursor;
};

struct inbox *inbox_new(struct saga_engine *engine) {
    struct inbox *inbox = calloc(1, sizeof *inbox);
    if (!inbox)
        abort();
    *inbox = (struct inbox){.engine = engine, .last_keeping = &inbox->keepings, .next_ms = INT64_MAX};
    return inbox;
}

static void item_free(struct item *item) {
    *item->link = item->next;
    if (item->next)
        item->next->link = item->link;
    *(item->rests_until_ms ? &item->inbox->n_rest : &item->inbox->n) -= 1;
    free(item);
}

// ---- Keeping ------------------------------------------------------------------------------------------------------

// One on its way into the table. Those about the same saga come one behind the other, so that each counts for the next.
struct keeping {
    struct inbox *inbox;
    struct keeping *next, **link;
    struct inbox_row row; // its body is owned
    uint32_t about_max;
    bool begun;
    saga_reply_fn *done;
    void *ctx;
};

static void count_about(struct keeping *keeping);

static void keeping_end(struct keeping *keeping, const struct error *error) {
    struct inbox *inbox = keeping->inbox;
    struct keeping *waits = keeping->next;
    *keeping->link = keeping->next;
    *(keeping->next ? &keeping->next->link : &inbox->last_keeping) = keeping->link;
    while (waits && (waits->begun || strcmp(waits->row.about, keeping->row.about) != 0))
        waits = waits->next;
    keeping->done(keeping->ctx, error);
    free((void *)(uintptr_t)keeping->row.body.ptr);
    free(keeping);
    if (waits && !inbox->engine->stopped)
        count_about(waits);
}

static void end_all(struct inbox *inbox) {
    struct error error;
    error_set(&error, ERR_SHUTTING_DOWN, NULL);
    while (inbox->keepings)
        keeping_end(inbox->keepings, &error);
}

static void kept(void *ctx, const struct error *error) {
    keeping_end(ctx, error);
}

static void put(struct keeping *keeping) {
    struct saga_turn *turn = saga_turn_begin(keeping->inbox->engine, NULL);
    saga_turn_row(turn, &inbox_table, STORE_INSERT, &keeping->row);
    saga_turn_commit(turn, kept, keeping);
}

// Whether there is room for one more; else it has ended.
static bool has_room(struct keeping *keeping, const struct error *failed, size_t n, uint32_t most) {
    struct error error = {0};
    if (failed)
        error = *failed;
    else if (keeping->inbox->engine->stopped)
        error_set(&error, ERR_SHUTTING_DOWN, NULL);
    else if (n >= most)
        error_set(&error, ERR_OVERLOADED, "as much is kept for its owner, who is silent, as may be");
    if (error_is(&error))
        keeping_end(keeping, &error);
    return !error_is(&error);
}

static void slot_counted(void *ctx, const struct error *error, const void *rows, size_t n) {
    (void)rows;
    if (has_room(ctx, error, n, SAGA_INBOX_MAX))
        put(ctx);
}

static struct store_query count_of(const struct keeping *keeping, uint32_t most) {
    return (struct store_query){.table = &inbox_table,
                                .conds = {{.column = "slot", .cmp = STORE_EQ, .integer = keeping->row.slot}},
                                .count = true,
                                .limit = most};
}

static void count_slot(struct keeping *keeping) {
    struct store_query query = count_of(keeping, SAGA_INBOX_MAX);
    store_read(keeping->inbox->engine->options.store, &query, slot_counted, keeping);
}

static void about_counted(void *ctx, const struct error *error, const void *rows, size_t n) {
    struct keeping *keeping = ctx;
    (void)rows;
    if (has_room(keeping, error, n, keeping->about_max))
        count_slot(keeping);
}

static void count_about(struct keeping *keeping) {
    keeping->begun = true;
    if (!keeping->row.about[0]) {
        count_slot(keeping);
        return;
    }
    struct store_query query = count_of(keeping, keeping->about_max);
    query.conds[1] = (struct store_cond){.column = "about", .cmp = STORE_EQ, .text = str_c(keeping->row.about)};
    store_read(keeping->inbox->engine->options.store, &query, about_counted, keeping);
}

// Whether another one about the same saga is on its way.
static bool must_wait(const struct keeping *keeping) {
    const struct keeping *other = keeping->row.about[0] ? keeping->inbox->keepings : keeping;
    while (other != keeping && strcmp(other->row.about, keeping->row.about) != 0)
        other = other->next;
    return other != keeping;
}

void saga_inbox_keep(struct saga_engine *engine, const struct saga_keeping *asked, saga_reply_fn *done, void *ctx) {
    const struct saga_options *options = &engine->options;
    struct inbox *inbox = engine->inbox;
    struct keeping *keeping = calloc(1, sizeof *keeping);
    if (!keeping)
        abort();
    *keeping = (struct keeping){.inbox = inbox,
                                .link = inbox->last_keeping,
                                .row = {.slot = (int32_t)asked->slot,
                                        .received_ms = clock_now_ms(options->clock),
                                        .body = saga_copy_bytes(asked->body)},
                                .about_max = asked->about_max,
                                .done = done,
                                .ctx = ctx};
    struct inbox_row *row = &keeping->row;
    id_make(row->received_ms, asked->slot, options->random, options->random_ctx, row->inbox_no);
    str_fit(str_c(asked->method), row->method, sizeof row->method);
    str_fit(asked->caller, row->caller, sizeof row->caller);
    str_fit(asked->about, row->about, sizeof row->about);
    *inbox->last_keeping = keeping;
    inbox->last_keeping = &keeping->next;
    if (!must_wait(keeping))
        count_about(keeping);
}

// ---- Acting -------------------------------------------------------------------------------------------------------

static void taken_away(void *ctx, const struct error *error) {
    struct item *item = ctx;
    (void)error; // it is acted on again, and acts no second time
    item_free(item);
}

static void take_away(struct item *item) {
    struct saga_turn *turn = saga_turn_begin(item->inbox->engine, NULL);
    saga_turn_row(turn, &inbox_table, STORE_DELETE, &item->row);
    saga_turn_commit(turn, taken_away, item);
}

// What only this release can't read was acknowledged all the same: it stays for a newer one, which may be the slot's
// next owner, and each try here is told of.
static bool is_unread(const struct error *error) {
    return error &&
           (error->code == ERR_FLOW_UNKNOWN || error->code == ERR_METHOD_UNKNOWN || error->code == ERR_STORE_CORRUPT);
}

static void rest(struct item *item) {
    item->rests_until_ms = clock_now_ms(item->inbox->engine->options.clock) + UNREAD_MS;
    item->inbox->n--;
    item->inbox->n_rest++;
}

static void acted(void *ctx, const struct error *error) {
    struct item *item = ctx;
    struct saga_engine *engine = item->inbox->engine;
    bool unread = is_unread(error), is_final = !error || err_info(error->code)->outcome == OUTCOME_REJECTED;
    engine_enter(engine);
    if (error && is_final && !unread)
        engine_notice(engine, SAGA_NOTICE_KEPT_REFUSED, NULL, NULL, SAGA_ACTION, err_info(error->code)->name,
                      error->text);
    if (unread && item->inbox->n_rest < RESTS_MAX)
        rest(item);
    else if (is_final && !unread && !engine->stopped)
        take_away(item);
    else
        item_free(item); // the next round comes to it again
    engine_exit(engine);
}

// Whether it is to be left alone now.
static bool is_left_alone(const struct inbox *inbox, const struct inbox_row *row) {
    const struct item *item = inbox->items;
    while (item && strcmp(item->row.inbox_no, row->inbox_no) != 0)
        item = item->next;
    return item != NULL;
}

// What has rested is forgotten, and is as good as new; its row may be another's by now, which has acted on it.
static void forget_rested(struct inbox *inbox, int64_t now_ms) {
    for (struct item *item = inbox->items, *next; item; item = next) {
        next = item->next;
        if (item->rests_until_ms && item->rests_until_ms <= now_ms)
            item_free(item);
    }
}

static void act(struct inbox *inbox, const struct inbox_row *row) {
    const struct saga_options *options = &inbox->engine->options;
    struct item *item = calloc(1, sizeof *item);
    if (!item)
        abort();
    *item = (struct item){.inbox = inbox, .next = inbox->items, .link = &inbox->items, .row = *row};
    item->row.body = STR_NONE;
    if (item->next)
        item->next->link = &item->next;
    inbox->items = item;
    inbox->n++;
    options->inbox(options->inbox_ctx, row, acted, item);
}

// ---- Rounds -------------------------------------------------------------------------------------------------------

static void page_read(void *ctx, const struct error *error, const void *rows, size_t n) {
    struct inbox *inbox = ctx;
    struct saga_engine *engine = inbox->engine;
    const struct inbox_row *row = rows;
    engine_enter(engine);
    for (size_t i = 0; !error && !engine->stopped && i < n; i++)
        if (slot_is_ours(engine, (unsigned)row[i].slot % SLOT_COUNT) && inbox->n < ITEMS_MAX &&
            !is_left_alone(inbox, &row[i]))
            act(inbox, &row[i]);
    inbox->has_cursor = !error && n == PAGE;
    if (inbox->has_cursor) {
        inbox->cursor = row[n - 1];
        inbox->cursor.body = STR_NONE;
    }
    inbox->next_ms = clock_now_ms(engine->options.clock) + (inbox->has_cursor ? 0 : POLL_MS);
    engine_exit(engine);
}

void inbox_free(struct inbox *inbox) {
    if (!inbox)
        return;
    end_all(inbox);
    while (inbox->items)
        item_free(inbox->items);
    free(inbox);
}

void inbox_start(struct inbox *inbox) {
    if (inbox->engine->options.inbox && inbox->engine->members)
        inbox->next_ms = clock_now_ms(inbox->engine->options.clock);
}

int64_t inbox_due(const struct inbox *inbox) {
    return inbox->engine->stopped ? INT64_MAX : inbox->next_ms;
}

void inbox_tick(struct inbox *inbox, int64_t now_ms) {
    if (inbox_due(inbox) > now_ms)
        return;
    forget_rested(inbox, now_ms);
    struct store_query query = {
        .table = &inbox_table, .after = inbox->has_cursor ? &inbox->cursor : NULL, .limit = PAGE};
    inbox->next_ms = INT64_MAX;
    store_read(inbox->engine->options.store, &query, page_read, inbox);
}
