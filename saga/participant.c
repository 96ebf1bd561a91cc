// Participants that operators have paused: durable, and known to every instance within a second.
#include "saga/participant.h"

#include "saga/audit.h"
#include "saga/gate.h"

#include <stdlib.h>

enum { POLL_AGAIN_MS = 200 };

// ---- Who is paused ------------------------------------------------------------------------------------------------

struct pauses {
    struct saga_engine *engine;
    int64_t next_ms;
    uint32_t changes; // made here: what was read before one of them is out of date
    uint32_t changes_read;
    uint32_t coming;              // being written
    struct participant_row *rows; // of the pages that were read
    size_t n, cap;
};

struct pauses *pauses_new(struct saga_engine *engine) {
    struct pauses *pauses = calloc(1, sizeof *pauses);
    if (!pauses)
        abort();
    *pauses = (struct pauses){.engine = engine, .next_ms = INT64_MAX};
    return pauses;
}

void pauses_free(struct pauses *pauses) {
    if (!pauses)
        return;
    free(pauses->rows);
    free(pauses);
}

static void keep_rows(struct pauses *pauses, const void *rows, size_t n) {
    if (pauses->n + n > pauses->cap) {
        pauses->cap = pauses->n + n;
        pauses->rows = realloc(pauses->rows, pauses->cap * sizeof *pauses->rows);
        if (!pauses->rows)
            abort();
    }
    if (n)
        memcpy(pauses->rows + pauses->n, rows, n * sizeof *pauses->rows);
    pauses->n += n;
}

static void read_page(struct pauses *pauses);

// All of them count, also where several instances went past the bound together.
static void page_read(void *ctx, const struct error *error, const void *rows, size_t n) {
    struct pauses *pauses = ctx;
    struct saga_engine *engine = pauses->engine;
    engine_enter(engine);
    bool current = !error && pauses->changes == pauses->changes_read;
    if (current)
        keep_rows(pauses, rows, n);
    if (current && !engine->stopped && n == STORE_LIMIT_MAX) {
        read_page(pauses);
    } else {
        if (current && !engine->stopped)
            gates_set_pauses(engine->gates, pauses->rows, pauses->n);
        pauses->next_ms =
            clock_now_ms(engine->options.clock) + (current ? engine->options.pause_poll_ms : POLL_AGAIN_MS);
    }
    engine_exit(engine);
}

static void read_page(struct pauses *pauses) {
    const void *after = pauses->n ? &pauses->rows[pauses->n - 1] : NULL;
    struct store_query query = {.table = &participant_table, .after = after, .limit = STORE_LIMIT_MAX};
    store_read(pauses->engine->options.store, &query, page_read, pauses);
}

static void read_pauses(struct pauses *pauses) {
    pauses->next_ms = INT64_MAX;
    pauses->changes_read = pauses->changes;
    pauses->n = 0;
    read_page(pauses);
}

void pauses_start(struct pauses *pauses) {
    read_pauses(pauses);
}

int64_t pauses_due(const struct pauses *pauses) {
    return pauses->engine->stopped ? INT64_MAX : pauses->next_ms;
}

void pauses_tick(struct pauses *pauses, int64_t now_ms) {
    if (!pauses->engine->stopped && pauses->next_ms <= now_ms)
        read_pauses(pauses);
}

// ---- The command --------------------------------------------------------------------------------------------------

struct pausing {
    struct saga_engine *engine;
    struct participant_row row;
    bool paused;
    saga_reply_fn *done;
    void *ctx;
};

static void pausing_done(void *ctx, const struct error *error) {
    struct pausing *pausing = ctx;
    pausing->engine->pauses->coming -= pausing->paused;
    if (!error) {
        pausing->engine->pauses->changes++;
        gate_set_pause(pausing->engine->gates, &pausing->row, pausing->paused);
    }
    pausing->done(pausing->ctx, error);
    free(pausing);
}

static bool names(const struct saga_step *step, struct str participant) {
    struct str rest = str_c(step->participant);
    while (!str_empty(rest))
        if (str_eq(str_trim(str_cut(&rest, ',')), participant))
            return true;
    return false;
}

// Of a flow, or a target: one that nobody has called lately may be paused beforehand.
static bool may_be_called(const struct saga_engine *engine, struct str participant) {
    for (size_t i = 0; i < participant.len; i++)
        if (participant.ptr[i] == ':')
            return true;
    for (const struct saga_flow *const *flow = engine->flows; *flow; flow++)
        for (uint8_t i = 0; i < (*flow)->n_steps; i++)
            if (names(&(*flow)->steps[i], participant))
                return true;
    return false;
}

static bool check(const struct saga_engine *engine, const struct participant_row *row, bool paused,
                  struct error *error) {
    bool is_paused = false;
    if (!gates_have(engine->gates, row->participant, &is_paused) && !may_be_called(engine, str_c(row->participant)))
        return error_set(error, ERR_PARTICIPANT_UNKNOWN, "no participant has the name %s", row->participant);
    if (is_paused == paused)
        return error_set(error, ERR_SAGA_STATE, paused ? "%s is paused already" : "%s is not paused", row->participant);
    if (paused && gates_paused(engine->gates) + engine->pauses->coming >= PARTICIPANTS_PAUSED_MAX)
        return error_set(error, ERR_SAGA_STATE, "%d participants are paused, as many as there may be: resume one first",
                         PARTICIPANTS_PAUSED_MAX);
    return true;
}

void saga_participant_pause(struct saga_engine *engine, struct str participant, bool paused,
                            const struct saga_pausing *how, saga_reply_fn *done, void *ctx) {
    struct pausing *pausing = calloc(1, sizeof *pausing);
    struct audit_row audit;
    struct error error = {0};
    if (!pausing)
        abort();
    *pausing = (struct pausing){.engine = engine, .paused = paused, .done = done, .ctx = ctx};
    struct participant_row *row = &pausing->row;
    audit_init(&audit, paused ? "pause-participant" : "resume-participant", how->caller, how->reason, &error);
    if (str_empty(participant) || !str_is_utf8(participant) ||
        !str_copy(participant, row->participant, sizeof row->participant))
        error_field(&error, "participant", "must have 1..%d bytes of UTF-8", SAGA_PARTICIPANT_MAX);
    if (error_is(&error) || !check(engine, row, paused, &error)) {
        done(ctx, &error);
        free(pausing);
        return;
    }
    struct saga_turn *turn = saga_turn_begin(engine, NULL);
    memcpy(row->caller, audit.caller, sizeof row->caller);
    memcpy(row->reason, audit.reason, sizeof row->reason);
    row->since_ms = saga_turn_now(turn);
    memcpy(audit.participant, row->participant, sizeof audit.participant);
    str_fit(paused ? STR("open") : STR("paused"), audit.before, sizeof audit.before);
    str_fit(paused ? STR("paused") : STR("open"), audit.after, sizeof audit.after);
    saga_turn_row(turn, &participant_table, paused ? STORE_PUT : STORE_DELETE, row);
    audit_put(turn, id_slot(participant), &audit);
    if (how->also)
        how->also(ctx, turn);
    engine->pauses->changes++; // what is being read may be older
    engine->pauses->coming += paused;
    saga_turn_commit(turn, pausing_done, pausing);
}
