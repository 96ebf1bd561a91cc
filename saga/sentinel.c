// The sentinel: finds what is due and not in memory, and brings it in, under a rate limit. It goes over its slots one
// after the other (a survey: for each slot that has anything unfinished one read, for the others together one) and
// scans those where something has come due, page by page. In a slot that has become ours that is everything unfinished;
// later only what comes nearer than the horizon, because everything nearer is in memory already (nothing nearer is ever
// evicted).
#include "saga/engine.h"

#include <stdlib.h>

enum { PAGE = SAGA_ROWS_MAX, PAUSE_MS = 200, RELOAD_PAUSE_MAX_MS = 30000, SCANS_MAX = 16 };

// Of a scan: from a survey to the end of the scan that it leads to.
enum watch_phase {
    WATCH_OFF,    // not ours
    WATCH_NEW,    // became ours behind the present survey: the next one comes to it
    WATCH_REST,   // scanned
    WATCH_SURVEY, // the present survey comes to it
    WATCH_SCAN,   // what is due is read
};

// A number that no event of a slot is behind: the greatest of all slots, asked for when the slot first needs one.
enum watch_number {
    NUMBER_UNWANTED,
    NUMBER_ASKED,
    NUMBER_BEHIND, // an answer of an earlier time is to come: asked for behind it
    NUMBER_FAILED, // asked for again in a while
};

// One slot, as the sentinel sees it.
struct watch {
    struct heap_node node; // of a scan, by when its next page may be read; in no heap while one is
    struct saga_sentinel *sentinel;
    unsigned slot;
    enum watch_phase phase;
    enum watch_number number;
    bool reading, asking;   // an answer is to come
    bool stale;             // of the scan: the slot was lost meanwhile, and that answer is of no use
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
    struct heap scans;     // watches
    uint32_t n_scanning;   // whose page is being read or loaded
    uint32_t n_unfinished; // ours, and not recovered
    int64_t pages_from_ms; // the rate limit: no page is read before
    int64_t survey_ms;     // the next survey, or step of the present one
    unsigned survey_at;    // the slot that the present one has come to; SLOT_COUNT: there is none
    bool surveying;        // an answer is to come
    int64_t pokes_ms;      // those that were noted are looked for then; INT64_MAX: not at all
    bool poking, poke_again;
    uint32_t n_failed;  // numbers
    int64_t numbers_ms; // they are asked for again then
    bool started;
    struct heap reloads;
    struct map reloads_by_gid;
};

struct saga_sentinel *sentinel_new(struct saga_engine *engine) {
    struct saga_sentinel *sentinel = calloc(1, sizeof *sentinel);
    if (!sentinel)
        abort();
    sentinel->engine = engine;
    sentinel->survey_at = SLOT_COUNT;
    sentinel->survey_ms = sentinel->pokes_ms = INT64_MAX;
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++)
        sentinel->watches[slot] = (struct watch){.sentinel = sentinel, .slot = slot, .to_ms = -1};
    return sentinel;
}

bool sentinel_recovered(const struct saga_sentinel *sentinel) {
    return sentinel->started && sentinel->n_unfinished == 0 && !sentinel->poking && sentinel->pokes_ms == INT64_MAX;
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
    heap_release(&sentinel->scans);
    map_release(&sentinel->reloads_by_gid);
    free(sentinel);
}

// ---- The outbox's numbers -----------------------------------------------------------------------------------------

static void ask_number(struct watch *watch);

static void number_read(void *ctx, const struct error *error, const void *rows, size_t n) {
    struct watch *watch = ctx;
    struct saga_sentinel *sentinel = watch->sentinel;
    struct saga_engine *engine = sentinel->engine;
    engine_enter(engine);
    watch->asking = false;
    if (engine->stopped || watch->number == NUMBER_UNWANTED) {
        // Nobody waits for it any more.
    } else if (watch->number == NUMBER_BEHIND) {
        ask_number(watch);
    } else if (error) {
        tell_failure(sentinel, error);
        watch->number = NUMBER_FAILED;
        sentinel->n_failed++;
        sentinel->numbers_ms = now_ms(sentinel) + PAUSE_MS;
    } else {
        watch->number = NUMBER_UNWANTED;
        engine_number(engine, watch->slot, n ? ((const struct outbox_row *)rows)->seq : 0);
    }
    engine_exit(engine);
}

static void ask_number(struct watch *watch) {
    // One that can't be read is passed, or the damage would stop every slot: the clock numbers what comes behind it.
    struct store_query query = {.table = &outbox_table, .descending = true, .limit = 1, .readable = true};
    watch->number = NUMBER_ASKED;
    watch->asking = true;
    store_read(watch->sentinel->engine->options.store, &query, number_read, watch);
}

static void ask_again(struct saga_sentinel *sentinel) {
    sentinel->n_failed = 0;
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++)
        if (sentinel->watches[slot].number == NUMBER_FAILED)
            ask_number(&sentinel->watches[slot]);
}

void sentinel_number(struct saga_sentinel *sentinel, unsigned slot) {
    struct watch *watch = &sentinel->watches[slot];
    if (watch->number != NUMBER_UNWANTED)
        return;
    if (watch->asking)
        watch->number = NUMBER_BEHIND;
    else
        ask_number(watch);
}

// ---- What was noted for sagas to look at --------------------------------------------------------------------------

static void poked(void *ctx, const struct error *error) {
    struct saga_sentinel *sentinel = ctx;
    sentinel->poking = false;
    if (error)
        tell_failure(sentinel, error);
    if (error || sentinel->poke_again)
        sentinel->pokes_ms = now_ms(sentinel) + (error ? PAUSE_MS : 0);
    sentinel->poke_again = false;
}

static void poke(struct saga_sentinel *sentinel) {
    sentinel->poking = true;
    sentinel->pokes_ms = INT64_MAX;
    poke_recover(sentinel->engine, poked, sentinel);
}

// ---- Scanning -----------------------------------------------------------------------------------------------------

static void scan_at(struct watch *watch, int64_t at_ms) {
    watch->sentinel->n_scanning--;
    heap_set(&watch->sentinel->scans, &watch->node, at_ms);
}

static void scanned(struct watch *watch) {
    watch->sentinel->n_unfinished -= !watch->recovered;
    watch->recovered = true;
    watch->phase = WATCH_REST;
}

// An answer has come. False when it is of no use any more.
static bool scan_answered(struct watch *watch) {
    bool stale = watch->stale;
    watch->reading = watch->stale = false;
    if (watch->sentinel->engine->stopped)
        return false;
    if (stale && watch->phase == WATCH_SCAN)
        scan_at(watch, now_ms(watch->sentinel));
    return !stale;
}

static void page_done(struct watch *watch) {
    if (!scan_answered(watch))
        return;
    if (!watch->last_page) {
        scan_at(watch, now_ms(watch->sentinel));
        return;
    }
    watch->sentinel->n_scanning--;
    scanned(watch);
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
    scan_at(watch, now_ms(watch->sentinel) + PAUSE_MS); // the same page again
}

static void page_read(void *ctx, const struct error *error, const void *rows, size_t n) {
    struct watch *watch = ctx;
    struct saga_engine *engine = watch->sentinel->engine;
    engine_enter(engine);
    if (!scan_answered(watch))
        ;
    else if (error)
        page_failed(watch, error);
    else
        load_page(watch, rows, n);
    engine_exit(engine);
}

static void read_page(struct watch *watch) {
    struct saga_row after = {.slot = (int32_t)watch->slot, .due_ms = watch->cursor_ms};
    memcpy(after.gid, watch->cursor, sizeof after.gid);
    struct store_query query = {
        .table = &saga_table,
        .conds = {{.column = "ended_ms", .cmp = STORE_EQ, .integer = 0},
                  {.column = "slot", .cmp = STORE_EQ, .integer = watch->slot},
                  {.column = "due_ms", .cmp = STORE_GT, .integer = watch->from_ms},
                  {.column = "due_ms", .cmp = STORE_LE, .integer = watch->to_ms}},
        .order = &saga_table.indexes[SAGA_BY_DUE],
        .after = watch->cursor[0] ? &after : NULL,
        .limit = PAGE,
        .readable = watch->readable,
    };
    store_read(watch->sentinel->engine->options.store, &query, page_read, watch);
}

// ---- Surveys ------------------------------------------------------------------------------------------------------

// What is nearer than the new horizon is not evicted from here on, so nothing slips through between a read and its
// answer.
static void begin_survey(struct saga_sentinel *sentinel) {
    int64_t to_ms = now_ms(sentinel) + sentinel->engine->options.horizon_ms;
    sentinel->survey_at = 0;
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        struct watch *watch = &sentinel->watches[slot];
        if (watch->phase != WATCH_NEW && watch->phase != WATCH_REST)
            continue; // not ours, or its scan goes on
        watch->phase = WATCH_SURVEY;
        watch->from_ms = watch->to_ms;
        watch->to_ms = to_ms;
    }
}

static void begin_scan(struct watch *watch) {
    watch->phase = WATCH_SCAN;
    watch->cursor[0] = '\0';
    watch->sentinel->n_scanning++;
    if (!watch->reading) // else behind that answer
        scan_at(watch, now_ms(watch->sentinel));
}

// Those from the slot that it has come to up to this one (without it) have nothing unfinished.
static void survey_pass(struct saga_sentinel *sentinel, unsigned to) {
    for (; sentinel->survey_at < to; sentinel->survey_at++)
        if (sentinel->watches[sentinel->survey_at].phase == WATCH_SURVEY)
            scanned(&sentinel->watches[sentinel->survey_at]);
}

// The first unfinished one from there on, which is the one of its slot that is due first.
static void survey_found(struct saga_sentinel *sentinel, const struct saga_row *row) {
    unsigned slot = row->slot < SLOT_COUNT ? (unsigned)row->slot : SLOT_COUNT;
    survey_pass(sentinel, slot);
    if (slot == SLOT_COUNT)
        return; // no slot of ours is behind it
    struct watch *watch = &sentinel->watches[slot];
    sentinel->survey_at++;
    if (watch->phase == WATCH_SURVEY && row->due_ms <= watch->to_ms)
        begin_scan(watch);
    else if (watch->phase == WATCH_SURVEY)
        scanned(watch);
}

static void survey_failed(struct saga_sentinel *sentinel, const struct error *error) {
    if (error->code != ERR_STORE_CORRUPT) {
        tell_failure(sentinel, error);
        sentinel->survey_ms = now_ms(sentinel) + PAUSE_MS;
        return;
    }
    for (; sentinel->survey_at < SLOT_COUNT; sentinel->survey_at++) // each finds its own
        if (sentinel->watches[sentinel->survey_at].phase == WATCH_SURVEY)
            begin_scan(&sentinel->watches[sentinel->survey_at]);
}

static bool has_new(const struct saga_sentinel *sentinel) {
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++)
        if (sentinel->watches[slot].phase == WATCH_NEW)
            return true;
    return false;
}

static void survey(struct saga_sentinel *sentinel);

static void surveyed(void *ctx, const struct error *error, const void *rows, size_t n) {
    struct saga_sentinel *sentinel = ctx;
    struct saga_engine *engine = sentinel->engine;
    engine_enter(engine);
    sentinel->surveying = false;
    if (error)
        survey_failed(sentinel, error);
    else if (n == 1)
        survey_found(sentinel, rows);
    else
        survey_pass(sentinel, SLOT_COUNT);
    if (!error || error->code == ERR_STORE_CORRUPT)
        survey(sentinel);
    engine_exit(engine);
}

static void survey(struct saga_sentinel *sentinel) {
    if (sentinel->engine->stopped)
        return;
    while (sentinel->survey_at < SLOT_COUNT && sentinel->watches[sentinel->survey_at].phase != WATCH_SURVEY)
        sentinel->survey_at++;
    if (sentinel->survey_at == SLOT_COUNT) {
        sentinel->survey_ms = has_new(sentinel) ? 0 : now_ms(sentinel) + sentinel->engine->options.scan_interval_ms;
        return;
    }
    struct store_query query = {
        .table = &saga_table,
        .conds = {{.column = "ended_ms", .cmp = STORE_EQ, .integer = 0},
                  {.column = "slot", .cmp = STORE_GE, .integer = sentinel->survey_at}},
        .order = &saga_table.indexes[SAGA_BY_DUE],
        .limit = 1,
    };
    sentinel->surveying = true;
    sentinel->survey_ms = INT64_MAX;
    store_read(sentinel->engine->options.store, &query, surveyed, sentinel);
}

// ---- Slots --------------------------------------------------------------------------------------------------------

void sentinel_watch(struct saga_sentinel *sentinel, unsigned slot) {
    struct watch *watch = &sentinel->watches[slot];
    watch->phase = WATCH_NEW;
    watch->number = NUMBER_UNWANTED;
    watch->recovered = watch->readable = false;
    watch->to_ms = -1;
    watch->stale = watch->reading;
    sentinel->started = true;
    sentinel->n_unfinished++;
    if (sentinel->survey_at == SLOT_COUNT && !sentinel->surveying)
        sentinel->survey_ms = 0;
    sentinel->poke_again = sentinel->poking;
    if (!sentinel->poking)
        sentinel->pokes_ms = 0;
}

void sentinel_forget(struct saga_sentinel *sentinel, unsigned slot) {
    struct watch *watch = &sentinel->watches[slot];
    if (watch->node.place)
        heap_remove(&sentinel->scans, &watch->node);
    else
        sentinel->n_scanning -= watch->phase == WATCH_SCAN;
    sentinel->n_unfinished -= !watch->recovered;
    watch->phase = WATCH_OFF;
    watch->number = NUMBER_UNWANTED;
    watch->stale = watch->reading;
}

// ---- Time ---------------------------------------------------------------------------------------------------------

static int64_t later(int64_t a, int64_t b) {
    return a > b ? a : b;
}

static int64_t sooner(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static int64_t next_scan_ms(const struct saga_sentinel *sentinel) {
    struct heap_node *least = heap_least(&sentinel->scans);
    return !least || sentinel->n_scanning >= SCANS_MAX ? INT64_MAX : later(least->key, sentinel->pages_from_ms);
}

int64_t sentinel_due(const struct saga_sentinel *sentinel) {
    if (sentinel->engine->stopped)
        return INT64_MAX;
    const struct heap_node *reload = heap_least(&sentinel->reloads);
    int64_t due_ms = sooner(next_scan_ms(sentinel), reload ? reload->key : INT64_MAX);
    due_ms = sooner(due_ms, sooner(sentinel->survey_ms, sentinel->pokes_ms));
    return sooner(due_ms, sentinel->n_failed > 0 ? sentinel->numbers_ms : INT64_MAX);
}

static void scan(struct saga_sentinel *sentinel, int64_t now) {
    while (next_scan_ms(sentinel) <= now) {
        struct watch *watch = CONTAINER_OF(heap_least(&sentinel->scans), struct watch, node);
        sentinel->pages_from_ms = later(sentinel->pages_from_ms, now);
        heap_remove(&sentinel->scans, &watch->node);
        sentinel->n_scanning++;
        watch->reading = true;
        read_page(watch);
    }
}

void sentinel_tick(struct saga_sentinel *sentinel, int64_t now) {
    if (sentinel->engine->stopped)
        return;
    run_reloads(sentinel, now);
    if (sentinel->n_failed > 0 && sentinel->numbers_ms <= now)
        ask_again(sentinel);
    if (sentinel->pokes_ms <= now)
        poke(sentinel);
    if (sentinel->survey_ms <= now && sentinel->survey_at == SLOT_COUNT)
        begin_survey(sentinel);
    if (sentinel->survey_ms <= now)
        survey(sentinel);
    scan(sentinel, now);
}
