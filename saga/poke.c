// Pokes: a turn changed something that another saga waits for, so that one looks again. It does so in the same turn
// when it can. When it can't (it is not in memory, or is just being written), a row goes along that says that it is to
// look, and is taken away in the turn in which it did: a process that dies in between has forgotten nothing.
#include "saga/engine.h"

#include <stdlib.h>
#include <string.h>

// Carried out within one turn. Sagas that poke each other without end go on with it in turns to come, between which
// others have theirs.
enum { POKES_MAX = 256 };

void saga_turn_poke(struct saga_turn *turn, struct str gid) {
    struct turn_poke **at = &turn->pokes;
    for (; *at; at = &(*at)->next)
        if (str_eq_c(gid, (*at)->gid))
            return;
    struct turn_poke *poke = calloc(1, sizeof *poke);
    if (!poke)
        abort();
    if (!str_copy(gid, poke->gid, sizeof poke->gid)) {
        free(poke);
        return;
    }
    *at = poke;
}

void poke_run(struct saga_turn *turn) {
    struct turn_poke **at = &turn->pokes;
    // A poked saga may poke others: the list grows at its end while it is walked.
    for (unsigned n = 0; *at && n < POKES_MAX; n++) {
        struct saga_resident *resident = resident_find(turn->engine, str_c((*at)->gid));
        if (!resident || !turn_takes(turn, resident)) {
            at = &(*at)->next;
            continue;
        }
        struct turn_poke *poke = *at;
        *at = poke->next;
        free(poke);
        turn_apply(turn, resident, SAGA_EV_POKED);
    }
    turn->must_commit = turn->must_commit || *at;
}

// ---- What was noted -----------------------------------------------------------------------------------------------

static struct poke_row row_about(struct str gid, int64_t now_ms) {
    struct poke_row row = {.slot = (int32_t)id_slot(gid), .created_ms = now_ms};
    str_copy(gid, row.gid, sizeof row.gid);
    return row;
}

void poke_note(struct saga_turn *turn) {
    for (const struct turn_poke *poke = turn->pokes; poke; poke = poke->next) {
        struct poke_row row = row_about(str_c(poke->gid), turn->now_ms);
        saga_turn_row(turn, &poke_table, STORE_PUT, &row);
    }
}

void poke_looked(struct saga_turn *turn, struct saga_resident *resident) {
    if (!resident->noted)
        return;
    struct poke_row row = row_about(str_c(resident->saga.gid), 0);
    saga_turn_row(turn, &poke_table, STORE_DELETE, &row);
    resident->noted = false;
    turn->must_commit = true;
}

// Nobody is left who could look.
static void take_away(struct saga_engine *engine, struct str gid) {
    struct saga_turn *turn = saga_turn_begin(engine, NULL);
    struct poke_row row = row_about(gid, 0);
    saga_turn_row(turn, &poke_table, STORE_DELETE, &row);
    saga_turn_commit(turn, NULL, NULL);
}

// ---- Looking ------------------------------------------------------------------------------------------------------

struct poke {
    struct saga_engine *engine;
    struct poke_page *page; // that waits for it
    char gid[SAGA_GID_MAX + 1];
};

static void page_left(struct poke_page *page);

static void poke_loaded(void *ctx, struct saga_resident *resident, const struct error *error) {
    struct poke *poke = ctx;
    struct saga_engine *engine = poke->engine;
    struct str gid = str_c(poke->gid);
    if (resident && !resident_has_ended(resident)) {
        resident->noted = true;
        resident_wake(resident, WAKE_POKED);
    } else if (engine->stopped) {
        // The next start finds the row.
    } else if (resident || error->code == ERR_SAGA_STATE || error->code == ERR_SAGA_NOT_FOUND) {
        take_away(engine, gid);
    } else if (err_info(error->code)->outcome == OUTCOME_RETRY) {
        sentinel_reload(engine->sentinel, gid, 1, ERR_OK); // it looks when it is loaded, too
    }
    if (poke->page)
        page_left(poke->page);
    free(poke);
}

static void look(struct saga_engine *engine, const char *gid, struct poke_page *page) {
    struct poke *poke = calloc(1, sizeof *poke);
    if (!poke)
        abort();
    poke->engine = engine;
    poke->page = page;
    str_copy(str_c(gid), poke->gid, sizeof poke->gid);
    saga_load(engine, str_c(poke->gid), poke_loaded, poke);
}

void poke_rest(struct saga_turn *turn) {
    for (const struct turn_poke *poke = turn->pokes; poke; poke = poke->next)
        look(turn->engine, poke->gid, NULL);
}

// ---- In slots that have become ours -------------------------------------------------------------------------------

enum { PAGE = 250 };

struct poke_page {
    struct saga_engine *engine;
    struct poke_page *next, **link; // of those that are read
    saga_turn_fn *done;
    void *ctx;
    struct poke_row cursor;
    bool has_cursor, last;
    size_t looking;
};

static void read_page(struct poke_page *page);

static void page_end(struct poke_page *page, const struct error *error) {
    *page->link = page->next;
    if (page->next)
        page->next->link = page->link;
    page->done(page->ctx, error);
    free(page);
}

static void page_left(struct poke_page *page) {
    if (--page->looking > 0)
        return;
    if (page->last || page->engine->stopped)
        page_end(page, NULL);
    else
        read_page(page);
}

static void page_read(void *ctx, const struct error *error, const void *rows, size_t n) {
    struct poke_page *page = ctx;
    struct saga_engine *engine = page->engine;
    const struct poke_row *row = rows;
    engine_enter(engine);
    if (error || engine->stopped) {
        page_end(page, error);
    } else {
        page->last = n < PAGE;
        page->looking = 1; // until all are asked for
        for (size_t i = 0; i < n; i++) {
            if (!slot_is_ours(engine, (unsigned)row[i].slot % SLOT_COUNT))
                continue;
            page->looking++;
            look(engine, row[i].gid, page);
        }
        if (n > 0)
            page->cursor = row[n - 1];
        page->has_cursor = page->has_cursor || n > 0;
        page_left(page);
    }
    engine_exit(engine);
}

static void read_page(struct poke_page *page) {
    struct store_query query = {.table = &poke_table, .after = page->has_cursor ? &page->cursor : NULL, .limit = PAGE};
    store_read(page->engine->options.store, &query, page_read, page);
}

void poke_recover(struct saga_engine *engine, saga_turn_fn *done, void *ctx) {
    struct poke_page *page = calloc(1, sizeof *page);
    if (!page)
        abort();
    page->engine = engine;
    page->done = done;
    page->ctx = ctx;
    page->next = engine->pokes;
    page->link = &engine->pokes;
    if (page->next)
        page->next->link = &page->next;
    engine->pokes = page;
    read_page(page);
}

void poke_drop(struct saga_engine *engine) {
    while (engine->pokes) {
        struct poke_page *page = engine->pokes;
        engine->pokes = page->next;
        free(page);
    }
}
