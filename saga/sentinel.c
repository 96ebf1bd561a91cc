// The sentinel: finds what is due and not in memory, slot by slot and page by page under a rate limit, and brings it
// in. In a slot that has become ours that is everything unfinished; later only what comes nearer than the horizon,
// because everything nearer is in memory already (nothing nearer is ever evicted).
#include "saga/engine.h"

#include <stdlib.h>

enum { PAGE = 250, PAUSE_MS = 200, RELOAD_PAUSE_MAX_MS = 30000, WATCHES_MAX = 16 };

// What is done for a slot, one after the other. Each ends in the next one; a failure tries the same again.
enum watch_phase {
    WATCH_OFF,    // not ours
    WATCH_NUMBER, // the last number of its outbox is asked for
    WATCH_POKES,  // those that were noted to look are woken
    WATCH_SCAN,   // what is due is read
    WATCH_REST,   // until the next scan
};

// One slot, as the sentinel sees it.
struct watch {
    struct heap_node node; // by when it is its turn; in no heap while it is at work, or off
    struct saga_sentinel *sentinel;
    unsigned slot;
    enum watch_phase phase;
    bool reading;           // an answer is to come
    bool begun_anew;        // the slot was lost and is ours again: that answer is of no use
    bool recovered;         // it was scanned to its end once
    int64_t from_ms, to_ms; // the present or last scan: due in (from, to]
    int64_t cursor_ms;      // of the present scan
    char cursor[SAGA_GID_MAX + 1];
    bool last_page;
    bool readable;    // a row of the page can't be read: those that can
    uint32_t loading; // of the present page
};

struct saga_sentinel {
    struct saga_engine *engine;
    struct watch watches[SLOT_COUNT];
    struct heap waiting;   // watches
    uint32_t n_working;    // neither waiting nor off
    uint32_t n_unfinished; // ours, and not recovered
    int64_t pages_from_ms; // the rate limit: no page is read before
    bool started;
    struct heap reloads;
    struct map reloads_by_gid;
};

struct saga_sentinel *sentinel_new(struct saga_engine *engine) {
    struct saga_sentinel *sentinel = calloc(1, sizeof *sentinel);
    if (!sentinel)
        abort();
    sentinel->engine = engine;
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++)
        sentinel->watches[slot] = (struct watch){.sentinel = sentinel, .slot = slot, .to_ms = -1};
    return sentinel;
}

bool sentinel_recovered(const struct saga_sentinel *sentinel) {
    return sentinel->started && sentinel->n_unfinished == 0;
}

int64_t sentinel_horizon(const struct saga_sentinel *sentinel, unsigned slot) {
    return sentinel->watches[slot].to_ms;
}

static int64_t now_ms(const struct saga_sentinel *sentinel) {
    return clock_now_ms(sentinel->engine->options.clock);
}

static void tell_failure(const struct saga_sentinel *sentinel, const struct error *error) {
    if (sentinel->engine->stopped || error->code == ERR_SLOT_ELSEWHERE)
        return; // the next start, or the slot's owner, loads everything
    engine_notice(sentinel->engine, SAGA_NOTICE_LOAD_FAILED, NULL, NULL, SAGA_ACTION, err_info(error->code)->name,
                  error->text);
}

static bool may_succeed_later(const struct error *error) {
    return error->code != ERR_SHUTTING_DOWN && error->code != ERR_SLOT_ELSEWHERE &&
           err_info(error->code)->outcome == OUTCOME_RETRY;
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
    heap_release(&sentinel->waiting);
    map_release(&sentinel->reloads_by_gid);
    free(sentinel);
}

// ---- Watching -----------------------------------------------------------------------------------------------------

static void watch_at(struct watch *watch, int64_t at_ms) {
    watch->sentinel->n_working--;
    heap_set(&watch->sentinel->waiting, &watch->node, at_ms);
}

// What is asked for only once comes before what is scanned, and is no part of the rate limit: commands wait for it.
static bool is_limited(const struct watch *watch) {
    return watch->phase == WATCH_SCAN || watch->phase == WATCH_REST;
}

static void watch_next(struct watch *watch, enum watch_phase phase) {
    watch->phase = phase;
    watch_at(watch, is_limited(watch) ? now_ms(watch->sentinel) : 0);
}

// An answer has come. False when it is of no use any more.
static bool watch_answered(struct watch *watch) {
    watch->reading = false;
    if (watch->sentinel->engine->stopped || watch->phase == WATCH_OFF)
        return false;
    if (watch->begun_anew) {
        watch->begun_anew = false;
        watch_next(watch, WATCH_NUMBER);
        return false;
    }
    return true;
}

static void watch_failed(struct watch *watch, const struct error *error) {
    tell_failure(watch->sentinel, error);
    watch_at(watch, now_ms(watch->sentinel) + PAUSE_MS);
}

// ---- The outbox's numbers -----------------------------------------------------------------------------------------

static void number_read(void *ctx, const struct error *error, const void *rows, size_t n) {
    struct watch *watch = ctx;
    struct saga_engine *engine = watch->sentinel->engine;
    engine_enter(engine);
    if (watch_answered(watch)) {
        if (error) {
            watch_failed(watch, error);
        } else {
            watch_next(watch, WATCH_POKES);
            engine_number(engine, watch->slot, n ? ((const struct outbox_row *)rows)->seq : 0);
        }
    }
    engine_leave(engine);
}

static void ask_number(struct watch *watch) {
    struct store_query query = {.table = &outbox_table,
                                .conds = {{.column = "slot", .cmp = STORE_EQ, .integer = watch->slot}},
                                .descending = true,
                                .limit = 1};
    store_read(watch->sentinel->engine->options.store, &query, number_read, watch);
}

// ---- What was noted for sagas to look at --------------------------------------------------------------------------

static void poked(void *ctx, const struct error *error) {
    struct watch *watch = ctx;
    if (!watch_answered(watch))
        return;
    if (error)
        watch_failed(watch, error);
    else
        watch_next(watch, WATCH_REST); // which is over
}

// ---- Scanning -----------------------------------------------------------------------------------------------------

static void scanned(struct watch *watch) {
    struct saga_sentinel *sentinel = watch->sentinel;
    sentinel->n_unfinished -= !watch->recovered;
    watch->recovered = true;
    watch->phase = WATCH_REST;
    watch_at(watch, now_ms(sentinel) + sentinel->engine->options.scan_interval_ms);
}

static void page_done(struct watch *watch) {
    if (!watch_answered(watch))
        return;
    if (watch->last_page)
        scanned(watch);
    else
        watch_next(watch, WATCH_SCAN);
}

// One of a page.
struct page_load {
    struct watch *watch;
    char gid[SAGA_GID_MAX + 1];
};

static void page_loaded(void *ctx, struct saga_resident *resident, const struct error *error) {
    struct page_load *load = ctx;
    struct watch *watch = load->watch;
    (void)resident;
    if (error && may_succeed_later(error)) {
        tell_failure(watch->sentinel, error);
        sentinel_reload(watch->sentinel, str_c(load->gid), 1, ERR_OK);
    }
    free(load);
    if (--watch->loading == 0)
        page_done(watch);
}

static void load_page(struct watch *watch, const struct saga_row *rows, size_t n) {
    struct saga_sentinel *sentinel = watch->sentinel;
    watch->last_page = n < (watch->readable ? 1 : PAGE);
    watch->readable = false;
    watch->reading = true;
    watch->loading = 1; // until all of the page are asked for
    sentinel->pages_from_ms += (int64_t)n * 1000 / sentinel->engine->options.resume_rate;
    for (size_t i = 0; i < n; i++) {
        struct page_load *load = calloc(1, sizeof *load);
        if (!load)
            abort();
        load->watch = watch;
        memcpy(load->gid, rows[i].gid, sizeof load->gid);
        watch->loading++;
        saga_load(sentinel->engine, str_c(load->gid), page_loaded, load);
    }
    if (n > 0) {
        watch->cursor_ms = rows[n - 1].due_ms;
        memcpy(watch->cursor, rows[n - 1].gid, sizeof watch->cursor);
    }
    if (--watch->loading == 0)
        page_done(watch);
}

// A row that can't be read must not stand in the way of those behind it.
static void page_failed(struct watch *watch, const struct error *error) {
    struct saga_engine *engine = watch->sentinel->engine;
    watch->readable = error->code == ERR_STORE_CORRUPT;
    engine->stats.corrupt += watch->readable;
    if (watch->readable)
        engine_notice(engine, SAGA_NOTICE_CORRUPT, NULL, NULL, SAGA_ACTION, err_info(error->code)->name, error->text);
    else
        tell_failure(watch->sentinel, error);
    watch_at(watch, now_ms(watch->sentinel) + PAUSE_MS); // the same page again
}

static void page_read(void *ctx, const struct error *error, const void *rows, size_t n) {
    struct watch *watch = ctx;
    struct saga_engine *engine = watch->sentinel->engine;
    engine_enter(engine);
    if (watch_answered(watch)) {
        if (error)
            page_failed(watch, error);
        else
            load_page(watch, rows, n);
    }
    engine_leave(engine);
}

static void read_page(struct watch *watch) {
    struct saga_row after = {.slot = (int32_t)watch->slot, .due_ms = watch->cursor_ms};
    memcpy(after.gid, watch->cursor, sizeof after.gid);
    struct store_query query = {
        .table = &saga_table,
        .conds = {{.column = "slot", .cmp = STORE_EQ, .integer = watch->slot},
                  {.column = "due_ms", .cmp = STORE_GT, .integer = watch->from_ms},
                  {.column = "due_ms", .cmp = STORE_LE, .integer = watch->to_ms}},
        .order = &saga_table.indexes[SAGA_BY_DUE],
        .after = watch->cursor[0] ? &after : NULL,
        .limit = PAGE,
        .readable = watch->readable,
    };
    store_read(watch->sentinel->engine->options.store, &query, page_read, watch);
}

static void begin_scan(struct watch *watch) {
    watch->phase = WATCH_SCAN;
    watch->cursor[0] = '\0';
    watch->from_ms = watch->to_ms;
    watch->to_ms = now_ms(watch->sentinel) + watch->sentinel->engine->options.horizon_ms;
}

// ---- Time ---------------------------------------------------------------------------------------------------------

static void work(struct watch *watch) {
    struct saga_engine *engine = watch->sentinel->engine;
    watch->reading = true;
    switch (watch->phase) {
    case WATCH_NUMBER: ask_number(watch); break;
    case WATCH_POKES: poke_recover(engine, watch->slot, poked, watch); break;
    case WATCH_REST:
        begin_scan(watch);
        read_page(watch);
        break;
    case WATCH_SCAN: read_page(watch); break;
    case WATCH_OFF: break;
    }
}

void sentinel_watch(struct saga_sentinel *sentinel, unsigned slot) {
    struct watch *watch = &sentinel->watches[slot];
    watch->phase = WATCH_NUMBER;
    watch->recovered = watch->readable = false;
    watch->to_ms = -1;
    watch->cursor[0] = '\0';
    sentinel->started = true;
    sentinel->n_unfinished++;
    sentinel->n_working++;
    watch->begun_anew = watch->reading;
    if (!watch->reading)
        watch_next(watch, WATCH_NUMBER);
}

void sentinel_forget(struct saga_sentinel *sentinel, unsigned slot) {
    struct watch *watch = &sentinel->watches[slot];
    if (watch->node.place)
        heap_remove(&sentinel->waiting, &watch->node);
    else
        sentinel->n_working--;
    sentinel->n_unfinished -= !watch->recovered;
    watch->phase = WATCH_OFF;
    watch->begun_anew = false;
}

static int64_t next_watch_ms(const struct saga_sentinel *sentinel) {
    struct heap_node *least = heap_least(&sentinel->waiting);
    if (!least || sentinel->n_working >= WATCHES_MAX)
        return INT64_MAX;
    if (!is_limited(CONTAINER_OF(least, struct watch, node)))
        return least->key;
    return least->key > sentinel->pages_from_ms ? least->key : sentinel->pages_from_ms;
}

int64_t sentinel_due(const struct saga_sentinel *sentinel) {
    if (sentinel->engine->stopped)
        return INT64_MAX;
    int64_t watch_ms = next_watch_ms(sentinel);
    const struct heap_node *least = heap_least(&sentinel->reloads);
    return least && least->key < watch_ms ? least->key : watch_ms;
}

void sentinel_tick(struct saga_sentinel *sentinel, int64_t now) {
    if (sentinel->engine->stopped)
        return;
    run_reloads(sentinel, now);
    while (next_watch_ms(sentinel) <= now) {
        struct watch *watch = CONTAINER_OF(heap_least(&sentinel->waiting), struct watch, node);
        if (sentinel->pages_from_ms < now && is_limited(watch))
            sentinel->pages_from_ms = now;
        heap_remove(&sentinel->waiting, &watch->node);
        sentinel->n_working++;
        work(watch);
    }
}
