// The patrol: goes through everything unfinished that is stored, whatever is in memory, and through the amounts of what
// sagas were about; slowly, and again and again. What it finds is raised once and kept until it is over.
#include "saga/patrol.h"

#include "saga/families.h"

#include <stdlib.h>

enum {
    PAGE = 20,
    CHECKS = 4,          // subjects looked at together
    AGAIN_MS = 86400000, // from the end of a round through all subjects to the next
    RECENT_MAX = 256,
};

static struct saga_engine *engine_of(const struct saga_patrol *patrol) {
    return patrol->rounds.engine;
}

static void left(void *ctx) {
    round_left(ctx);
}

// ---- Findings -----------------------------------------------------------------------------------------------------

static struct anomaly_row about_saga(const struct saga_row *row, enum saga_anomaly kind, const struct finding *found) {
    struct anomaly_row what = {.kind = (int32_t)kind, .slot = row->slot, .status = row->status};
    memcpy(what.about, row->gid, sizeof what.about);
    memcpy(what.gid, row->gid, sizeof what.gid);
    memcpy(what.subject, row->subject, sizeof what.subject);
    memcpy(what.flow, row->flow, sizeof what.flow);
    memcpy(what.step, found->step, sizeof what.step);
    memcpy(what.text, found->text, sizeof what.text);
    return what;
}

// ---- Everything unfinished ----------------------------------------------------------------------------------------

static void examined(struct exam *exam, const struct error *error) {
    struct round *round = exam->ctx;
    for (int kind = 1; !error && kind < ANOMALY_KINDS; kind++) {
        if (!exam->found[kind].holds)
            continue;
        struct anomaly_row what = about_saga(&exam->row, (enum saga_anomaly)kind, &exam->found[kind]);
        round->n_waiting++;
        anomaly_raise(exam->patrol, &what, left, round);
    }
    round_left(round);
}

struct unfinished {
    struct round round;
    struct saga_patrol *patrol;
};

// A parent that seemed to be without a child, as it is now.
static void parent_read(void *ctx, const struct error *error, const void *rows, size_t n) {
    struct unfinished *unfinished = ctx;
    struct saga_engine *engine = engine_of(unfinished->patrol);
    const struct saga_row *row = rows;
    const struct finding found = {.holds = true, .text = "it waits for a child that is not there"};
    engine_enter(engine);
    bool alone = !error && n == 1 && row->due_ms == SAGA_DUE_CHILD && !resident_find(engine, str_c(row->gid)) &&
                 row->updated_ms < unfinished->patrol->families->began_ms;
    if (alone && !engine->stopped) {
        struct anomaly_row what = about_saga(row, ANOMALY_STUCK, &found);
        anomaly_raise(unfinished->patrol, &what, left, &unfinished->round);
    } else {
        round_left(&unfinished->round);
    }
    engine_exit(engine);
}

static void judge_families(struct unfinished *unfinished) {
    struct saga_patrol *patrol = unfinished->patrol;
    struct store_query query = {.table = &saga_table, .limit = 1};
    const char *gid;
    for (size_t i = 0; (gid = families_childless(patrol->families, &i)); i++) {
        query.conds[0] = (struct store_cond){"gid", STORE_EQ, .text = str_c(gid)};
        unfinished->round.n_waiting++;
        store_read(engine_of(patrol)->options.store, &query, parent_read, unfinished);
    }
}

static void look_at_saga(struct unfinished *unfinished, const struct saga_row *row) {
    struct saga_patrol *patrol = unfinished->patrol;
    int64_t still_ms = patrol->families->began_ms - patrol->options->stuck_ms;
    if (row->parent_gid[0])
        families_note_child(patrol->families, row->parent_gid);
    if (!rounds_owns(&patrol->rounds, (unsigned)row->slot % SLOT_COUNT))
        return;
    if (row->due_ms == SAGA_DUE_CHILD && row->updated_ms <= still_ms)
        families_note_parent(patrol->families, row->gid);
    unfinished->round.n_waiting++;
    exam_begin(patrol, row, examined, &unfinished->round);
}

// Status after status; their stored values are in this order.
static void look_at_sagas(struct round *round, const struct round_page *page) {
    struct unfinished *unfinished = CONTAINER_OF(round, struct unfinished, round);
    struct saga_patrol *patrol = unfinished->patrol;
    int64_t *status = &round->query.conds[0].integer;
    if (!round->has_cursor && *status == SAGA_RUNNING)
        families_begin(patrol->families, rounds_now(&patrol->rounds));
    patrol->rounds.spent += page->n;
    for (size_t i = 0; i < page->n; i++)
        look_at_saga(unfinished, (const struct saga_row *)page->rows + i);
    if (page->n > 0)
        round_move(round, (const struct saga_row *)page->rows + page->n - 1);
    round->ended = !page->full && *status == SAGA_COMPENSATING;
    if (page->full)
        return;
    if (round->ended)
        judge_families(unfinished);
    *status = round->ended ? SAGA_RUNNING : *status + 1;
    round->has_cursor = false;
}

static void sagas_passed(struct round *round) {
    struct saga_patrol *patrol = CONTAINER_OF(round, struct unfinished, round)->patrol;
    patrol->round_ms = rounds_now(&patrol->rounds);
}

// ---- Subjects -----------------------------------------------------------------------------------------------------

struct patrol_estate {
    struct round round;
    struct saga_patrol *patrol;
    const struct saga_estate *estate;
    void *ctx;
};

// One that was raised, looked at again.
struct held {
    struct held *next, **link;
    struct saga_patrol *patrol;
    struct round *round;
    struct anomaly_row row;
};

struct saga_checking {
    struct saga_checking *next, **link;
    struct saga_patrol *patrol;
    struct round *round; // that waits for it; NULL: none
    struct held *held;   // that it is about; NULL: none
    const struct patrol_estate *of;
    char key[SAGA_SUBJECT_MAX + 1];
};

static void held_end(struct held *held, bool holds);

static void checking_free(struct saga_checking *checking) {
    *checking->link = checking->next;
    if (checking->next)
        checking->next->link = checking->link;
    free(checking);
}

static void check(struct patrol_estate *of, const char *key, struct round *round, struct held *held) {
    struct saga_patrol *patrol = of->patrol;
    struct saga_checking *checking = calloc(1, sizeof *checking);
    if (!checking)
        abort();
    *checking = (struct saga_checking){.next = patrol->checkings,
                                       .link = &patrol->checkings,
                                       .patrol = patrol,
                                       .round = round,
                                       .held = held,
                                       .of = of};
    str_copy(str_c(key), checking->key, sizeof checking->key);
    if (checking->next)
        checking->next->link = &checking->next;
    patrol->checkings = checking;
    of->estate->check(of->ctx, str_c(checking->key), checking);
}

static void nobody(void *ctx) {
    (void)ctx;
}

static void raise_amounts(const struct saga_checking *checking, const char *fault) {
    struct anomaly_row what = {.kind = ANOMALY_AMOUNTS, .slot = (int32_t)id_slot(str_c(checking->key))};
    memcpy(what.subject, checking->key, sizeof what.subject);
    str_copy(str_c(checking->key), what.about, sizeof what.about);
    str_fit(str_c(checking->of->estate->table->name), what.flow, sizeof what.flow);
    str_fit(str_c(fault), what.text, sizeof what.text);
    anomaly_raise(checking->patrol, &what, checking->round ? left : nobody, checking->round);
}

void saga_checked(struct saga_checking *checking, bool known, const char *fault) {
    struct saga_engine *engine = engine_of(checking->patrol);
    engine_enter(engine);
    checking->patrol->checked += known;
    if (checking->held)
        held_end(checking->held, known && fault);
    else if (known && fault && !engine->stopped)
        raise_amounts(checking, fault);
    else if (checking->round)
        round_left(checking->round);
    checking_free(checking);
    engine_exit(engine);
}

static void look_at_subjects(struct round *round, const struct round_page *page) {
    struct patrol_estate *of = CONTAINER_OF(round, struct patrol_estate, round);
    const struct store_table *table = of->estate->table;
    of->patrol->amounts.spent += page->n;
    for (size_t i = 0; i < page->n; i++) {
        const char *row = (const char *)page->rows + i * table->row_size;
        round_move(round, row);
        if (!rounds_owns(&of->patrol->amounts, rounds_slot_of(table, row)))
            continue;
        round->n_waiting++;
        check(of, row + table->columns[0].offset, round, NULL);
    }
    round->ended = !page->full;
}

// ---- What holds ---------------------------------------------------------------------------------------------------

struct holding {
    struct round round;
    struct saga_patrol *patrol;
};

static void held_free(struct held *held) {
    *held->link = held->next;
    if (held->next)
        held->next->link = held->link;
    free(held);
}

static void held_end(struct held *held, bool holds) {
    struct saga_patrol *patrol = held->patrol;
    struct anomaly_row row = held->row;
    struct round *round = held->round;
    held_free(held);
    if (engine_of(patrol)->stopped) {
        round_left(round);
    } else if (holds) {
        patrol_count(&patrol->seen, &row, 1);
        anomaly_seen(patrol, &row, left, round);
    } else {
        anomaly_clear(patrol, &row, left, round);
    }
}

static void held_examined(struct exam *exam, const struct error *error) {
    struct held *held = exam->ctx;
    // A parent without a child has not been written since.
    bool childless = held->row.kind == ANOMALY_STUCK && exam->row.due_ms == SAGA_DUE_CHILD &&
                     exam->row.updated_ms < held->row.first_ms;
    held_end(held, error || childless || exam->found[held->row.kind].holds);
}

static void held_saga_read(void *ctx, const struct error *error, const void *rows, size_t n) {
    struct held *held = ctx;
    struct saga_engine *engine = engine_of(held->patrol);
    engine_enter(engine);
    if (!error && n == 1)
        exam_begin(held->patrol, rows, held_examined, held);
    else
        held_end(held, error != NULL);
    engine_exit(engine);
}

static struct patrol_estate *estate_named(const struct saga_patrol *patrol, const char *name) {
    for (size_t i = 0; i < patrol->n_estates; i++)
        if (strcmp(patrol->estates[i].estate->table->name, name) == 0)
            return &patrol->estates[i];
    return NULL;
}

static void look_again(struct holding *holding, const struct anomaly_row *row) {
    struct saga_patrol *patrol = holding->patrol;
    struct patrol_estate *of = row->kind == ANOMALY_AMOUNTS ? estate_named(patrol, row->flow) : NULL;
    struct held *held = calloc(1, sizeof *held);
    if (!held)
        abort();
    *held = (struct held){
        .next = patrol->helds, .link = &patrol->helds, .patrol = patrol, .round = &holding->round, .row = *row};
    if (held->next)
        held->next->link = &held->next;
    patrol->helds = held;
    holding->round.n_waiting++;
    if (of) {
        check(of, held->row.subject, NULL, held);
        return;
    }
    struct store_query query = {
        .table = &saga_table, .conds = {{.column = "gid", .cmp = STORE_EQ, .text = str_c(held->row.gid)}}, .limit = 1};
    store_read(engine_of(patrol)->options.store, &query, held_saga_read, held);
}

static void look_at_held(struct round *round, const struct round_page *page) {
    struct holding *holding = CONTAINER_OF(round, struct holding, round);
    struct saga_patrol *patrol = holding->patrol;
    const struct anomaly_row *row = page->rows;
    if (!round->has_cursor)
        patrol->seen = (struct patrol_open){0};
    patrol->rounds.spent += page->n;
    for (size_t i = 0; i < page->n; i++)
        if (rounds_owns(&patrol->rounds, (unsigned)row[i].slot % SLOT_COUNT))
            look_again(holding, &row[i]);
    if (page->n > 0)
        round_move(round, &row[page->n - 1]);
    round->ended = !page->full;
}

static void held_passed(struct round *round) {
    struct saga_patrol *patrol = CONTAINER_OF(round, struct holding, round)->patrol;
    patrol->open = patrol->seen;
}

// ---- What has just ended ------------------------------------------------------------------------------------------

struct patrol_recent {
    struct {
        struct patrol_estate *of;
        char key[SAGA_SUBJECT_MAX + 1];
    } list[RECENT_MAX];
    size_t first, n;
};

void patrol_note(struct saga_patrol *patrol, const struct saga_resident *resident) {
    struct patrol_recent *recent = patrol->recent;
    const struct saga_estate *estate = resident->saga.flow->estate;
    struct patrol_estate *of = estate ? estate_named(patrol, estate->table->name) : NULL;
    size_t last = (recent->first + recent->n + RECENT_MAX - 1) % RECENT_MAX;
    if (!of || recent->n == RECENT_MAX) // the round through all of them comes to it, too
        return;
    if (recent->n > 0 && strcmp(recent->list[last].key, resident->subject_key) == 0)
        return;
    size_t at = (last + 1) % RECENT_MAX;
    recent->list[at].of = of;
    memcpy(recent->list[at].key, resident->subject_key, sizeof recent->list[at].key);
    recent->n++;
}

static void check_recent(struct saga_patrol *patrol, int64_t now) {
    struct patrol_recent *recent = patrol->recent;
    if (recent->n == 0 || now < patrol->check_ms)
        return;
    size_t at = recent->first;
    recent->first = (at + 1) % RECENT_MAX;
    recent->n--;
    patrol->check_ms = now + 1000 / patrol->options->checks_per_s;
    if (patrol->amounts.next_ms < patrol->check_ms)
        patrol->amounts.next_ms = patrol->check_ms; // together they are no more than so many a second
    check(recent->list[at].of, recent->list[at].key, NULL, NULL);
}

// ---- Time ---------------------------------------------------------------------------------------------------------

int64_t patrol_due(const struct saga_patrol *patrol) {
    if (patrol->options->interval_ms == 0 || engine_of(patrol)->stopped ||
        !sentinel_recovered(engine_of(patrol)->sentinel))
        return INT64_MAX;
    int64_t due = rounds_due(&patrol->rounds), amounts = rounds_due(&patrol->amounts);
    due = amounts < due ? amounts : due;
    return patrol->recent->n > 0 && patrol->check_ms < due ? patrol->check_ms : due;
}

void patrol_tick(struct saga_patrol *patrol, int64_t now_ms) {
    if (patrol_due(patrol) > now_ms)
        return;
    check_recent(patrol, now_ms);
    rounds_tick(&patrol->rounds, now_ms);
    rounds_tick(&patrol->amounts, now_ms);
}

void patrol_stats(const struct saga_patrol *patrol, struct saga_stats *stats) {
    stats->anomalies_raised = patrol->raised;
    stats->anomalies_open = patrol->open.all;
    stats->anomalies_stuck = patrol->open.stuck;
    stats->anomalies_amounts = patrol->open.amounts;
    stats->patrol_passes = families_passes(patrol->families);
    stats->subjects_checked = patrol->checked;
    stats->patrol_s = (rounds_now(&patrol->rounds) - patrol->round_ms) / 1000;
}

// ---- Life ---------------------------------------------------------------------------------------------------------

static void *made(size_t n, size_t size) {
    void *memory = calloc(n, size);
    if (!memory)
        abort();
    return memory;
}

static void add_sagas(struct saga_patrol *patrol) {
    const struct store_index *by_status = saga_table.indexes;
    while (strcmp(by_status->name, "saga_by_status") != 0)
        by_status++;
    patrol->unfinished = made(1, sizeof *patrol->unfinished);
    patrol->unfinished->patrol = patrol;
    patrol->unfinished->round = (struct round){
        .query = {.table = &saga_table,
                  .conds = {{.column = "status", .cmp = STORE_EQ, .integer = SAGA_RUNNING}},
                  .order = by_status,
                  .limit = PAGE},
        .look = look_at_sagas,
        .passed = sagas_passed,
        .often_ms = patrol->options->interval_ms,
        .whole = true,
    };
    rounds_add(&patrol->rounds, &patrol->unfinished->round);
}

static void add_held(struct saga_patrol *patrol) {
    patrol->holding = made(1, sizeof *patrol->holding);
    patrol->holding->patrol = patrol;
    patrol->holding->round = (struct round){
        .query = {.table = &anomaly_table,
                  .conds = {{.column = "cleared_ms", .cmp = STORE_EQ, .integer = ANOMALY_OPEN_MS}},
                  .order = &anomaly_table.indexes[ANOMALY_BY_CLEARED],
                  .limit = PAGE},
        .look = look_at_held,
        .passed = held_passed,
        .often_ms = patrol->options->interval_ms,
        .whole = true,
    };
    rounds_add(&patrol->rounds, &patrol->holding->round);
}

static void add_estates(struct saga_patrol *patrol, struct saga_engine *engine) {
    size_t n = 0;
    while (engine->flows[n])
        n++;
    patrol->estates = made(n + 1, sizeof *patrol->estates);
    for (size_t i = 0; i < n; i++) {
        const struct saga_estate *estate = engine->flows[i]->estate;
        if (!estate || !estate->check || estate_named(patrol, estate->table->name))
            continue;
        struct patrol_estate *of = &patrol->estates[patrol->n_estates++];
        of->patrol = patrol;
        of->estate = estate;
        of->ctx = engine_flow_ctx(engine, engine->flows[i]);
        of->round = (struct round){.query = {.table = estate->table, .limit = CHECKS},
                                   .look = look_at_subjects,
                                   .often_ms = AGAIN_MS,
                                   .whole = true};
        rounds_add(&patrol->amounts, &of->round);
    }
}

struct saga_patrol *patrol_new(struct saga_engine *engine) {
    struct saga_patrol *patrol = made(1, sizeof *patrol);
    const struct saga_patrol_options *options = &engine->options.patrol;
    int64_t now = clock_now_ms(engine->options.clock);
    patrol->options = options;
    patrol->round_ms = now;
    patrol->families = made(1, sizeof *patrol->families);
    patrol->recent = made(1, sizeof *patrol->recent);
    rounds_init(&patrol->rounds, engine, options->rows_per_s, now + options->interval_ms);
    rounds_init(&patrol->amounts, engine, options->checks_per_s, now + options->interval_ms);
    if (options->interval_ms == 0)
        return patrol;
    add_sagas(patrol);
    add_held(patrol);
    add_estates(patrol, engine);
    return patrol;
}

void patrol_free(struct saga_patrol *patrol) {
    exam_drop_all(patrol);
    anomaly_drop_all(patrol);
    while (patrol->checkings)
        checking_free(patrol->checkings);
    while (patrol->helds)
        held_free(patrol->helds);
    rounds_release(&patrol->rounds);
    rounds_release(&patrol->amounts);
    families_release(patrol->families);
    free(patrol->unfinished);
    free(patrol->holding);
    free(patrol->families);
    free(patrol->recent);
    free(patrol->estates);
    free(patrol);
}
