// The sentinel: finds what is due and not in memory, page by page and under a rate limit, and brings it in. After a
// start that is everything unfinished; later only what comes nearer than the horizon, because everything nearer is in
// memory already (nothing nearer is ever evicted).
#include "saga/engine.h"

#include <stdlib.h>

enum { PAGE = 250, PAUSE_MS = 200, RELOAD_PAUSE_MAX_MS = 30000 };

// The last number of one slot's outbox, being asked for.
struct last_seq {
    struct saga_sentinel *sentinel;
    unsigned slot;
    bool asked;
};

struct saga_sentinel {
    struct saga_engine *engine;
    bool scanning, recovered;
    int64_t from_ms, to_ms; // the present or last scan: due in (from, to]
    struct saga_row cursor; // of the present scan
    bool has_cursor;
    bool last_page;
    bool readable;            // a row of the page can't be read: those that can
    uint32_t loading;         // of the present page
    int64_t page_ms, next_ms; // when the page was read; when to look again
    struct heap reloads;
    struct map reloads_by_gid;
    struct last_seq last_seqs[SLOT_COUNT];
    uint32_t n_slots; // whose numbers are known
    bool poked;       // those that were noted to look have been woken
};

struct saga_sentinel *sentinel_new(struct saga_engine *engine) {
    struct saga_sentinel *sentinel = calloc(1, sizeof *sentinel);
    if (!sentinel)
        abort();
    sentinel->engine = engine;
    sentinel->next_ms = INT64_MAX;
    sentinel->from_ms = sentinel->to_ms = -1;
    return sentinel;
}

bool sentinel_recovered(const struct saga_sentinel *sentinel) {
    return sentinel->recovered;
}

int64_t sentinel_horizon(const struct saga_sentinel *sentinel) {
    return sentinel->to_ms;
}

static int64_t now_ms(const struct saga_sentinel *sentinel) {
    return clock_now_ms(sentinel->engine->options.clock);
}

static void tell_failure(const struct saga_sentinel *sentinel, const struct error *error) {
    if (sentinel->engine->stopped)
        return; // the next start loads everything
    engine_notice(sentinel->engine, SAGA_NOTICE_LOAD_FAILED, NULL, NULL, SAGA_ACTION, err_info(error->code)->name,
                  error->text);
}

static bool may_succeed_later(const struct error *error) {
    return error->code != ERR_SHUTTING_DOWN && err_info(error->code)->outcome == OUTCOME_RETRY;
}

// ---- Again --------------------------------------------------------------------------------------------------------

// A saga that is to be loaded again, because a write or a load of it failed.
struct reload {
    struct heap_node node; // by the time of the next try; in no heap while it is being loaded
    struct map_node by_gid;
    struct saga_sentinel *sentinel;
    char gid[SAGA_GID_MAX + 1];
    uint32_t failures;
    enum err write_refused;
};

static struct reload *find_reload(const struct saga_sentinel *sentinel, struct str gid) {
    struct map_node *node = map_find(&sentinel->reloads_by_gid, gid);
    return node ? CONTAINER_OF(node, struct reload, by_gid) : NULL;
}

bool sentinel_reloads(const struct saga_sentinel *sentinel, struct str gid) {
    return find_reload(sentinel, gid) != NULL;
}

static void set_reload(struct reload *reload) {
    int64_t pause_ms = PAUSE_MS;
    for (uint32_t i = 1; i < reload->failures && pause_ms < RELOAD_PAUSE_MAX_MS; i++)
        pause_ms *= 2;
    if (pause_ms > RELOAD_PAUSE_MAX_MS)
        pause_ms = RELOAD_PAUSE_MAX_MS;
    heap_set(&reload->sentinel->reloads, &reload->node, now_ms(reload->sentinel) + pause_ms);
}

void sentinel_reload(struct saga_sentinel *sentinel, struct str gid, uint32_t failures, enum err write_refused) {
    struct reload *reload = find_reload(sentinel, gid);
    if (!reload) {
        reload = calloc(1, sizeof *reload);
        if (!reload)
            abort();
        reload->sentinel = sentinel;
        str_copy(gid, reload->gid, sizeof reload->gid);
        map_insert(&sentinel->reloads_by_gid, &reload->by_gid, str_c(reload->gid));
    }
    reload->failures = failures > reload->failures ? failures : reload->failures;
    reload->write_refused = write_refused ? write_refused : reload->write_refused;
    set_reload(reload);
}

static void free_reload(struct reload *reload) {
    heap_remove(&reload->sentinel->reloads, &reload->node);
    map_remove(&reload->sentinel->reloads_by_gid, &reload->by_gid);
    free(reload);
}

void sentinel_inform(struct saga_sentinel *sentinel, struct saga_resident *resident) {
    struct reload *reload = find_reload(sentinel, str_c(resident->saga.gid));
    if (!reload)
        return;
    resident->failures = reload->failures;
    resident->write_refused = reload->write_refused;
    if (reload->node.place) // else it is freed when its own loading is through
        free_reload(reload);
}

static void reloaded(void *ctx, struct saga_resident *resident, const struct error *error) {
    struct reload *reload = ctx;
    (void)resident;
    if (reload->node.place)
        return; // meanwhile it was in memory, and lost again
    if (error && may_succeed_later(error)) {
        tell_failure(reload->sentinel, error);
        reload->failures++;
        set_reload(reload);
    } else {
        free_reload(reload); // there, ended, gone, or left untouched, which was told where it was found
    }
}

static void run_reloads(struct saga_sentinel *sentinel, int64_t now) {
    for (struct heap_node *least; (least = heap_least(&sentinel->reloads)) && least->key <= now;) {
        struct reload *reload = CONTAINER_OF(least, struct reload, node);
        heap_remove(&sentinel->reloads, least);
        saga_load(sentinel->engine, str_c(reload->gid), reloaded, reload);
    }
}

void sentinel_free(struct saga_sentinel *sentinel) {
    for (struct heap_node *least; (least = heap_least(&sentinel->reloads));)
        free_reload(CONTAINER_OF(least, struct reload, node));
    heap_release(&sentinel->reloads);
    map_release(&sentinel->reloads_by_gid);
    free(sentinel);
}

// ---- Scanning -----------------------------------------------------------------------------------------------------

static void page_done(struct saga_sentinel *sentinel) {
    const struct saga_options *options = &sentinel->engine->options;
    if (!sentinel->last_page) {
        // The rate limit: a page of n sagas may not take less than n / rate.
        sentinel->next_ms = sentinel->page_ms + PAGE * INT64_C(1000) / options->resume_rate;
        return;
    }
    sentinel->scanning = false;
    sentinel->recovered = true;
    sentinel->next_ms = now_ms(sentinel) + options->scan_interval_ms;
}

// One of a page.
struct page_load {
    struct saga_sentinel *sentinel;
    char gid[SAGA_GID_MAX + 1];
};

static void page_loaded(void *ctx, struct saga_resident *resident, const struct error *error) {
    struct page_load *load = ctx;
    struct saga_sentinel *sentinel = load->sentinel;
    (void)resident;
    if (error && may_succeed_later(error)) {
        tell_failure(sentinel, error);
        sentinel_reload(sentinel, str_c(load->gid), 1, ERR_OK);
    }
    free(load);
    if (--sentinel->loading == 0)
        page_done(sentinel);
}

static void load_page(struct saga_sentinel *sentinel, const struct saga_row *rows, size_t n) {
    sentinel->last_page = n < (sentinel->readable ? 1 : PAGE);
    sentinel->readable = false;
    sentinel->loading = 1; // until all of the page are asked for
    for (size_t i = 0; i < n; i++) {
        struct page_load *load = calloc(1, sizeof *load);
        if (!load)
            abort();
        load->sentinel = sentinel;
        memcpy(load->gid, rows[i].gid, sizeof load->gid);
        sentinel->loading++;
        saga_load(sentinel->engine, str_c(load->gid), page_loaded, load);
    }
    if (n > 0) {
        sentinel->cursor = rows[n - 1];
        sentinel->cursor.input = sentinel->cursor.journal = STR_NONE;
        sentinel->has_cursor = true;
    }
    if (--sentinel->loading == 0)
        page_done(sentinel);
}

// A row that can't be read must not stand in the way of those behind it.
static void tell_page_failure(struct saga_sentinel *sentinel, const struct error *error) {
    struct saga_engine *engine = sentinel->engine;
    sentinel->readable = error->code == ERR_STORE_CORRUPT;
    engine->stats.corrupt += sentinel->readable;
    if (sentinel->readable)
        engine_notice(engine, SAGA_NOTICE_CORRUPT, NULL, NULL, SAGA_ACTION, err_info(error->code)->name, error->text);
    else
        tell_failure(sentinel, error);
}

static void page_read(void *ctx, const struct error *error, const void *rows, size_t n) {
    struct saga_sentinel *sentinel = ctx;
    struct saga_engine *engine = sentinel->engine;
    engine_enter(engine);
    if (error) {
        tell_page_failure(sentinel, error);
        sentinel->next_ms = now_ms(sentinel) + PAUSE_MS; // the same page again
    } else if (!engine->stopped) {
        load_page(sentinel, rows, n);
    }
    engine_leave(engine);
}

static void read_page(struct saga_sentinel *sentinel) {
    struct store_query query = {
        .table = &saga_table,
        .conds = {{.column = "due_ms", .cmp = STORE_GT, .integer = sentinel->from_ms},
                  {.column = "due_ms", .cmp = STORE_LE, .integer = sentinel->to_ms}},
        .order = &saga_table.indexes[0],
        .after = sentinel->has_cursor ? &sentinel->cursor : NULL,
        .limit = PAGE,
        .readable = sentinel->readable,
    };
    sentinel->page_ms = now_ms(sentinel);
    sentinel->next_ms = INT64_MAX;
    store_read(sentinel->engine->options.store, &query, page_read, sentinel);
}

static void scan(struct saga_sentinel *sentinel) {
    sentinel->scanning = true;
    sentinel->has_cursor = sentinel->last_page = false;
    sentinel->from_ms = sentinel->to_ms;
    sentinel->to_ms = now_ms(sentinel) + sentinel->engine->options.horizon_ms;
    read_page(sentinel);
}

// ---- What was noted for sagas to look at --------------------------------------------------------------------------

static void poked(void *ctx, const struct error *error) {
    struct saga_sentinel *sentinel = ctx;
    if (error) {
        tell_failure(sentinel, error);
        sentinel->next_ms = now_ms(sentinel) + PAUSE_MS;
    } else if (!sentinel->engine->stopped) {
        sentinel->poked = true;
        scan(sentinel);
    }
}

static void wake_poked(struct saga_sentinel *sentinel) {
    sentinel->next_ms = INT64_MAX;
    poke_recover(sentinel->engine, poked, sentinel);
}

// ---- The outbox's numbers -----------------------------------------------------------------------------------------

static void last_seq_read(void *ctx, const struct error *error, const void *rows, size_t n) {
    struct last_seq *last = ctx;
    struct saga_sentinel *sentinel = last->sentinel;
    struct saga_engine *engine = sentinel->engine;
    engine_enter(engine);
    if (error) {
        tell_failure(sentinel, error);
        last->asked = false;
        sentinel->next_ms = now_ms(sentinel) + PAUSE_MS;
    } else {
        if (n == 1)
            engine->outbox_seq[last->slot] = ((const struct outbox_row *)rows)->seq;
        if (++sentinel->n_slots == SLOT_COUNT) {
            engine_number(engine);
            if (!engine->stopped)
                wake_poked(sentinel);
        }
    }
    engine_leave(engine);
}

// Those that are not known yet.
static void ask_last_seqs(struct saga_sentinel *sentinel) {
    sentinel->next_ms = INT64_MAX;
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        struct last_seq *last = &sentinel->last_seqs[slot];
        struct store_query query = {.table = &outbox_table,
                                    .conds = {{.column = "slot", .cmp = STORE_EQ, .integer = slot}},
                                    .descending = true,
                                    .limit = 1};
        if (last->asked)
            continue;
        *last = (struct last_seq){sentinel, slot, true};
        store_read(sentinel->engine->options.store, &query, last_seq_read, last);
    }
}

void sentinel_start(struct saga_sentinel *sentinel) {
    ask_last_seqs(sentinel);
}

// ---- Time ---------------------------------------------------------------------------------------------------------

int64_t sentinel_due(const struct saga_sentinel *sentinel) {
    if (sentinel->engine->stopped)
        return INT64_MAX;
    const struct heap_node *least = heap_least(&sentinel->reloads);
    return least && least->key < sentinel->next_ms ? least->key : sentinel->next_ms;
}

void sentinel_tick(struct saga_sentinel *sentinel, int64_t now) {
    if (sentinel->engine->stopped)
        return;
    run_reloads(sentinel, now);
    if (sentinel->next_ms > now)
        return;
    if (sentinel->n_slots < SLOT_COUNT)
        ask_last_seqs(sentinel);
    else if (!sentinel->poked)
        wake_poked(sentinel);
    else if (sentinel->scanning)
        read_page(sentinel);
    else
        scan(sentinel);
}
