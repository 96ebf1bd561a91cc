// The sentinel: finds what is due and not in memory, page by page and under a rate limit, and brings it in. After a
// start that is everything unfinished; later only what comes nearer than the horizon, because everything nearer is in
// memory already (nothing nearer is ever evicted).
#include "saga/engine.h"

#include <stdlib.h>

enum { PAGE = 250, RELOAD_PAUSE_MS = 200, TRIAL_MS = 1000 };

struct reload {
    struct reload *next;
    char gid[SAGA_GID_MAX + 1];
};

struct saga_sentinel {
    struct saga_engine *engine;
    bool started, scanning, recovered;
    int64_t from_ms, to_ms; // the present or last scan: due in (from, to]
    struct saga_row cursor; // of the present scan
    bool has_cursor;
    bool last_page;
    uint32_t loading;         // of the present page
    int64_t page_ms, next_ms; // when the page was read; when to look again
    struct reload *reloads;
    int64_t reload_ms;
    int64_t trial_ms; // when the present trial ends, or the first begins
};

struct saga_sentinel *sentinel_new(struct saga_engine *engine) {
    struct saga_sentinel *sentinel = calloc(1, sizeof *sentinel);
    if (!sentinel)
        abort();
    sentinel->engine = engine;
    sentinel->next_ms = sentinel->reload_ms = sentinel->trial_ms = INT64_MAX;
    sentinel->from_ms = sentinel->to_ms = -1;
    return sentinel;
}

void sentinel_free(struct saga_sentinel *sentinel) {
    while (sentinel->reloads) {
        struct reload *next = sentinel->reloads->next;
        free(sentinel->reloads);
        sentinel->reloads = next;
    }
    free(sentinel);
}

int64_t sentinel_due(const struct saga_sentinel *sentinel) {
    int64_t due = sentinel->next_ms < sentinel->reload_ms ? sentinel->next_ms : sentinel->reload_ms;
    return due < sentinel->trial_ms ? due : sentinel->trial_ms;
}

int64_t sentinel_horizon(const struct saga_sentinel *sentinel) {
    return sentinel->to_ms;
}

bool sentinel_recovered(const struct saga_sentinel *sentinel) {
    return sentinel->recovered;
}

static void read_page(struct saga_sentinel *sentinel);

static int64_t now_ms(const struct saga_sentinel *sentinel) {
    return clock_now_ms(sentinel->engine->options.clock);
}

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

static void loaded(void *ctx, struct saga_resident *resident, const struct error *error) {
    struct saga_sentinel *sentinel = ctx;
    (void)resident;
    (void)error; // told where it happened; what could not be read for want of the store is put back by the caller below
    if (--sentinel->loading == 0)
        page_done(sentinel);
}

// One of a page: like loaded(), but remembers what to try again.
struct page_load {
    struct saga_sentinel *sentinel;
    char gid[SAGA_GID_MAX + 1];
};

static void page_loaded(void *ctx, struct saga_resident *resident, const struct error *error) {
    struct page_load *load = ctx;
    struct saga_sentinel *sentinel = load->sentinel;
    if (error && err_info(error->code)->outcome == OUTCOME_RETRY) {
        engine_notice(sentinel->engine, SAGA_NOTICE_LOAD_FAILED, NULL, NULL, SAGA_ACTION, err_info(error->code)->name,
                      error->text);
        sentinel_reload(sentinel, str_c(load->gid));
    }
    free(load);
    loaded(sentinel, resident, error);
}

static void load(struct saga_sentinel *sentinel, struct str gid) {
    struct page_load *load = calloc(1, sizeof *load);
    if (!load)
        abort();
    load->sentinel = sentinel;
    str_copy(gid, load->gid, sizeof load->gid);
    sentinel->loading++;
    saga_load(sentinel->engine, str_c(load->gid), page_loaded, load);
}

static void page_read(void *ctx, const struct error *error, const void *rows, size_t n) {
    struct saga_sentinel *sentinel = ctx;
    struct saga_engine *engine = sentinel->engine;
    engine_enter(engine);
    if (error) {
        sentinel->next_ms = now_ms(sentinel) + RELOAD_PAUSE_MS; // the same page again
    } else {
        const struct saga_row *row = rows;
        sentinel->last_page = n < PAGE;
        sentinel->loading = 1; // until all of the page are asked for
        for (size_t i = 0; i < n; i++)
            load(sentinel, str_c(row[i].gid));
        if (n > 0) {
            sentinel->cursor = row[n - 1];
            sentinel->cursor.input = sentinel->cursor.journal = STR_NONE;
            sentinel->has_cursor = true;
        }
        loaded(sentinel, NULL, NULL);
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

// ---- The outbox's sequences -----------------------------------------------------------------------------------------

struct last_seq {
    struct saga_sentinel *sentinel;
    unsigned slot;
};

static void ask_last_seq(struct saga_sentinel *sentinel, unsigned slot);

static void last_seq_read(void *ctx, const struct error *error, const void *rows, size_t n) {
    struct last_seq *last = ctx;
    struct saga_sentinel *sentinel = last->sentinel;
    struct saga_engine *engine = sentinel->engine;
    engine_enter(engine);
    if (error) {
        ask_last_seq(sentinel, last->slot);
    } else {
        if (n == 1)
            engine->outbox_seq[last->slot] = ((const struct outbox_row *)rows)->seq;
        if (--sentinel->loading == 0)
            scan(sentinel);
    }
    engine_leave(engine);
    free(last);
}

static void ask_last_seq(struct saga_sentinel *sentinel, unsigned slot) {
    struct last_seq *last = calloc(1, sizeof *last);
    if (!last)
        abort();
    *last = (struct last_seq){sentinel, slot};
    struct store_query query = {.table = &outbox_table,
                                .conds = {{.column = "slot", .cmp = STORE_EQ, .integer = slot}},
                                .descending = true,
                                .limit = 1};
    store_read(sentinel->engine->options.store, &query, last_seq_read, last);
}

void sentinel_start(struct saga_sentinel *sentinel) {
    sentinel->started = true;
    sentinel->loading = SLOT_COUNT;
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++)
        ask_last_seq(sentinel, slot);
}

// ---- Suspects -------------------------------------------------------------------------------------------------------
//
// Whoever was under way at several deaths of the process may be their cause, or only slow while others were. So it is
// resumed alone for a while, one after the other; only those that die of their own trials, several times, are parked
// (E14).

struct least {
    struct saga_resident *resident;
};

static void find_suspect(void *ctx, struct map_node *node) {
    struct least *least = ctx;
    struct saga_resident *resident = CONTAINER_OF(node, struct saga_resident, node);
    if (resident->suspect && (!least->resident || resident->resume_count < least->resident->resume_count))
        least->resident = resident;
}

static void next_trial(struct saga_sentinel *sentinel) {
    struct saga_engine *engine = sentinel->engine;
    sentinel->trial_ms = INT64_MAX;
    if (engine->suspects == 0)
        return;
    struct least least = {0};
    map_each(&engine->residents, find_suspect, &least);
    engine->trial = least.resident;
    engine->suspects--;
    least.resident->suspect = false;
    sentinel->trial_ms = now_ms(sentinel) + TRIAL_MS;
    resident_wake(least.resident, 0);
}

void sentinel_suspect(struct saga_sentinel *sentinel, struct saga_resident *resident) {
    if (resident->suspect)
        return;
    resident->suspect = true;
    sentinel->engine->suspects++;
    if (!sentinel->engine->trial && sentinel->trial_ms == INT64_MAX)
        sentinel->trial_ms = now_ms(sentinel) + TRIAL_MS; // when the innocent have had their time
}

void sentinel_acquit(struct saga_sentinel *sentinel, struct saga_resident *resident) {
    if (sentinel->engine->trial != resident)
        return;
    sentinel->engine->trial = NULL;
    next_trial(sentinel);
}

static void end_trial(struct saga_sentinel *sentinel) {
    struct saga_resident *resident = sentinel->engine->trial;
    sentinel->engine->trial = NULL;
    if (resident)
        resident_wake(resident, WAKE_FLUSH); // it has survived: durably, so that it isn't tried for this again
    next_trial(sentinel);
}

// ---- Time ---------------------------------------------------------------------------------------------------------

void sentinel_reload(struct saga_sentinel *sentinel, struct str gid) {
    struct reload *reload = calloc(1, sizeof *reload);
    if (!reload)
        abort();
    str_copy(gid, reload->gid, sizeof reload->gid);
    reload->next = sentinel->reloads;
    sentinel->reloads = reload;
    if (sentinel->reload_ms == INT64_MAX)
        sentinel->reload_ms = now_ms(sentinel) + RELOAD_PAUSE_MS;
}

static void reloaded(void *ctx, struct saga_resident *resident, const struct error *error) {
    struct page_load *load = ctx;
    (void)resident;
    if (error && err_info(error->code)->outcome == OUTCOME_RETRY)
        sentinel_reload(load->sentinel, str_c(load->gid));
    free(load);
}

void sentinel_tick(struct saga_sentinel *sentinel, int64_t now) {
    if (sentinel->reload_ms <= now) {
        struct reload *reload = sentinel->reloads;
        sentinel->reloads = NULL;
        sentinel->reload_ms = INT64_MAX;
        while (reload) {
            struct reload *next = reload->next;
            struct page_load *load = calloc(1, sizeof *load);
            if (!load)
                abort();
            load->sentinel = sentinel;
            memcpy(load->gid, reload->gid, sizeof load->gid);
            free(reload);
            saga_load(sentinel->engine, str_c(load->gid), reloaded, load);
            reload = next;
        }
    }
    if (sentinel->trial_ms <= now)
        end_trial(sentinel);
    if (!sentinel->started || sentinel->next_ms > now)
        return;
    if (sentinel->scanning)
        read_page(sentinel);
    else
        scan(sentinel);
}
