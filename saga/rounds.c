#include "saga/rounds.h"

#include <assert.h>
#include <stdlib.h>

enum {
    PAUSE_MS = 1000,    // after a page that could not be read
    WHOLE_MS = 3600000, // from the beginning again, for what stayed behind
};

int64_t rounds_now(const struct rounds *rounds) {
    return clock_now_ms(rounds->engine->options.clock);
}

void rounds_init(struct rounds *rounds, struct saga_engine *engine, uint32_t rows_per_s, int64_t first_ms) {
    *rounds = (struct rounds){.engine = engine, .rows_per_s = rows_per_s, .next_ms = first_ms};
}

void rounds_release(struct rounds *rounds) {
    for (size_t i = 0; i < rounds->n; i++)
        free(rounds->list[i]->cursor);
    free(rounds->list);
}

void rounds_add(struct rounds *rounds, struct round *round) {
    struct round **list = realloc(rounds->list, (rounds->n + 1) * sizeof(struct round *));
    round->rounds = rounds;
    round->cursor = calloc(1, round->query.table->row_size);
    if (!list || !round->cursor)
        abort();
    rounds->list = list;
    rounds->list[rounds->n++] = round;
}

bool rounds_owns(const struct rounds *rounds, unsigned slot) {
    const struct saga_options *options = &rounds->engine->options;
    return slot_is_ours(rounds->engine, slot) && (!options->owns || options->owns(options->owns_ctx, slot));
}

unsigned rounds_slot_of(const struct store_table *table, const void *row) {
    for (size_t i = 0; i < table->n_columns; i++) {
        const struct store_column *column = &table->columns[i];
        int32_t slot;
        if (strcmp(column->name, "slot") != 0)
            continue;
        memcpy(&slot, (const char *)row + column->offset, sizeof slot);
        return (unsigned)slot % SLOT_COUNT;
    }
    const struct store_column *first = &table->columns[0];
    assert(first->type == STORE_TEXT);
    return id_slot(str_c((const char *)row + first->offset));
}

void round_move(struct round *round, const void *row) {
    memcpy(round->cursor, row, round->query.table->row_size);
    round->has_cursor = true;
}

static void page_done(struct round *round) {
    struct rounds *rounds = round->rounds;
    int64_t now = rounds_now(rounds);
    rounds->busy = false;
    rounds->next_ms = rounds->page_ms + (int64_t)(rounds->spent * 1000 / rounds->rows_per_s);
    round->next_ms = now;
    if (!round->ended)
        return;
    round->next_ms = now + round->often_ms;
    if (round->passed)
        round->passed(round);
    if (now < round->whole_ms && !round->whole)
        return;
    round->whole_ms = now + WHOLE_MS;
    round->has_cursor = false;
}

void round_left(struct round *round) {
    struct saga_engine *engine = round->rounds->engine;
    if (--round->n_waiting > 0)
        return;
    engine_enter(engine);
    page_done(round);
    engine_exit(engine); // sets the alarm
}

static void page_read(void *ctx, const struct error *error, const void *rows, size_t n) {
    struct round *round = ctx;
    struct rounds *rounds = round->rounds;
    struct saga_engine *engine = rounds->engine;
    struct round_page page = {rows, n, n >= (round->readable ? 1 : round->query.limit)};
    engine_enter(engine);
    if (error) {
        round->readable = error->code == ERR_STORE_CORRUPT; // the others of the page are looked at
        rounds->busy = false;
        rounds->next_ms = rounds_now(rounds) + PAUSE_MS;
    } else if (!engine->stopped) {
        round->readable = false;
        round->n_waiting = 1; // until all of them have been looked at
        round->look(round, &page);
        round_left(round);
    }
    engine_exit(engine);
}

static void read_page(struct round *round) {
    struct rounds *rounds = round->rounds;
    rounds->busy = true;
    rounds->spent = 0;
    rounds->page_ms = rounds_now(rounds);
    round->query.after = round->has_cursor ? round->cursor : NULL;
    round->query.readable = round->readable;
    round->query.list = true;
    store_read(rounds->engine->options.store, &round->query, page_read, round);
}

int64_t rounds_due(const struct rounds *rounds) {
    return rounds->busy || rounds->engine->stopped || rounds->n == 0 ? INT64_MAX : rounds->next_ms;
}

// The next one whose time has come.
void rounds_tick(struct rounds *rounds, int64_t now_ms) {
    if (rounds_due(rounds) > now_ms)
        return;
    int64_t next_ms = INT64_MAX;
    for (size_t i = 1; i <= rounds->n; i++) {
        size_t at = (rounds->at + i) % rounds->n;
        struct round *round = rounds->list[at];
        if (round->next_ms <= now_ms) {
            rounds->at = at;
            read_page(round);
            return;
        }
        next_ms = round->next_ms < next_ms ? round->next_ms : next_ms;
    }
    rounds->next_ms = next_ms;
}
