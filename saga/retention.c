// Retention: what has ended is kept for as long as its class says, and is then deleted, a few at a time. Every table
// that has such rows is gone through in the order of an index from time to time, one page of one table at a time; what
// is over goes, at most so many rows a second. What can't go at once stays behind and is come back to.
#include "saga/retention.h"

#include <stdlib.h>

enum {
    RARE_MS = 600000, // passes that look at more than what is over
    TEN_MINUTES_MS = 600000,
    LOOKS_A_ROW = 8, // so many rows looked at cost as much as one deleted
};

static int64_t now_ms(const struct saga_retention *retention) {
    return rounds_now(&retention->rounds);
}

// ---- How long -----------------------------------------------------------------------------------------------------

static int64_t ever(int64_t kept_ms) {
    return kept_ms > 0 ? kept_ms : INT64_MAX;
}

int64_t retention_kept_ms(const struct saga_retention *retention, const char *flow, enum saga_kept class) {
    for (size_t i = 0; i < retention->options->n_flows; i++)
        if (strcmp(retention->options->flows[i].flow, flow) == 0)
            return ever(retention->options->flows[i].kept_ms[class]);
    return ever(retention->options->kept_ms[class]);
}

int64_t retention_over_ms(const struct saga_retention *retention, const struct saga_row *row) {
    if (!saga_status_ended((enum saga_status)row->status) || row->status > SAGA_TERMINATED)
        return INT64_MAX;
    int64_t kept_ms = retention_kept_ms(retention, row->flow, (enum saga_kept)(row->status - SAGA_SUCCEEDED));
    return kept_ms == INT64_MAX ? INT64_MAX : row->ended_ms + kept_ms;
}

// The shortest of the classes.
static int64_t least_kept_ms(const struct saga_retention *retention, const char *flow) {
    int64_t least = INT64_MAX;
    for (int i = 0; i < SAGA_KEPT_CLASSES; i++) {
        int64_t kept_ms = retention_kept_ms(retention, flow, (enum saga_kept)i);
        least = kept_ms < least ? kept_ms : least;
    }
    return least;
}

// ---- Counting -----------------------------------------------------------------------------------------------------

enum { HOUR_PARTS = sizeof((struct saga_retention *)NULL)->hour / sizeof(int64_t) };

// The part of the hour that is now.
static int64_t *hour_part(struct saga_retention *retention) {
    int64_t now = now_ms(retention), parts = (now - retention->hour_ms) / TEN_MINUTES_MS - (HOUR_PARTS - 1);
    for (int64_t i = 0; i < parts && i < HOUR_PARTS; i++) {
        memmove(retention->hour, retention->hour + 1, (HOUR_PARTS - 1) * sizeof retention->hour[0]);
        retention->hour[HOUR_PARTS - 1] = 0;
    }
    if (parts > 0)
        retention->hour_ms += parts * TEN_MINUTES_MS;
    return &retention->hour[(now - retention->hour_ms) / TEN_MINUTES_MS];
}

void retention_count(struct saga_retention *retention, size_t sagas, size_t rows) {
    *hour_part(retention) += (int64_t)sagas;
    retention->deleted += (int64_t)sagas;
    retention->deleted_rows += (int64_t)rows;
    retention->rounds.spent += rows;
}

static void take_earlier(int64_t at_ms, int64_t *least) {
    if (at_ms && (!*least || at_ms < *least))
        *least = at_ms;
}

void retention_stats(struct saga_retention *retention, struct saga_stats *stats) {
    int64_t now = now_ms(retention), oldest_ms = 0, behind_ms = 0;
    hour_part(retention);
    stats->deleted = retention->deleted;
    stats->deleted_rows = retention->deleted_rows;
    stats->deleted_hour = 0;
    for (size_t i = 0; i < HOUR_PARTS; i++)
        stats->deleted_hour += retention->hour[i];
    for (size_t i = 0; i < retention->n_chores; i++) {
        take_earlier(retention->chores[i]->oldest_ms, &oldest_ms);
        take_earlier(retention->chores[i]->behind_ms, &behind_ms);
    }
    stats->oldest_kept_s = oldest_ms ? (now - oldest_ms) / 1000 : 0;
    stats->behind_s = behind_ms ? (now - behind_ms) / 1000 : 0;
}

// ---- Judging rows -------------------------------------------------------------------------------------------------

static int64_t i64_at(const void *row, uint32_t offset) {
    int64_t value;
    memcpy(&value, (const char *)row + offset, sizeof value);
    return value;
}

static struct look keep(void) {
    return (struct look){.looked = LOOKED_KEEP, .over_ms = INT64_MAX};
}

// A row that ended then: whether its time is over. `otherwise`: what is done about one whose time is not.
static struct look judge(const struct chore *chore, int64_t since_ms, int64_t kept_ms, enum looked otherwise) {
    int64_t over_ms = since_ms > INT64_MAX - kept_ms ? INT64_MAX : since_ms + kept_ms;
    bool over = over_ms <= now_ms(chore->retention);
    return (struct look){.looked = over ? LOOKED_GOES : otherwise, .since_ms = since_ms, .over_ms = over_ms};
}

// Sagas that go each by itself, flow by flow in the order of their beginnings.
static struct look look_at_saga(struct chore *chore, const struct round_page *page, size_t i) {
    const struct saga_retention *retention = chore->retention;
    const struct saga_row *row = (const struct saga_row *)page->rows + i;
    const struct saga_flow *flow =
        row->flow_version > 0 ? saga_engine_flow(retention->rounds.engine, str_c(row->flow), 0) : NULL;
    int64_t least_ms = least_kept_ms(retention, row->flow), now = now_ms(retention);
    bool own = !flow || !flow->estate;
    if (!own || least_ms == INT64_MAX || row->created_ms + least_ms > now) {
        struct saga_row *skip = chore->skip; // to the next flow
        *skip = (struct saga_row){.created_ms = INT64_MAX};
        memcpy(skip->flow, row->flow, sizeof skip->flow);
        return (struct look){.looked = LOOKED_SKIP, .since_ms = own ? row->ended_ms : 0, .over_ms = INT64_MAX};
    }
    bool foreign = row->flow_version > 0 && !flow && row->subject[0]; // a newer release's: what goes with it?
    if (foreign || !rounds_owns(&retention->rounds, (unsigned)row->slot % SLOT_COUNT))
        return keep();
    int64_t over_ms = retention_over_ms(retention, row);
    return (struct look){over_ms <= now ? LOOKED_GOES : LOOKED_KEEP, row->ended_ms, over_ms};
}

static struct look look_at_subject(struct chore *chore, const struct round_page *page, size_t i) {
    const struct saga_estate *estate = chore->estate;
    const char *row = (const char *)page->rows + i * estate->table->row_size;
    int64_t kept_ms = ever(estate->kept_ms(chore->ctx, chore->closed));
    struct look look = judge(chore, i64_at(row, estate->since_offset), kept_ms, LOOKED_STOP);
    return look.looked == LOOKED_STOP || rounds_owns(&chore->retention->rounds, rounds_slot_of(estate->table, row))
               ? look
               : keep();
}

static struct look look_at_aged(struct chore *chore, const struct round_page *page, size_t i) {
    const struct saga_aged *aged = chore->aged;
    const char *row = (const char *)page->rows + i * aged->table->row_size;
    int64_t kept_ms = ever(aged->kept_ms(chore->ctx));
    enum looked otherwise = aged->order == SAGA_AGED_ANYHOW ? LOOKED_KEEP : LOOKED_STOP;
    struct look look = judge(chore, i64_at(row, aged->at_offset), kept_ms, otherwise);
    look.since_ms = 0; // it is nothing that has an end
    return look.looked == LOOKED_STOP || rounds_owns(&chore->retention->rounds, rounds_slot_of(aged->table, row))
               ? look
               : keep();
}

// Events, in the order of their numbers, which is that of time but where a clock was ahead: those that were numbered
// then come behind those that are too young. The last one of all stays, so that the numbers that follow are behind it,
// whatever the clock says (E16).
static struct look look_at_event(struct chore *chore, const struct round_page *page, size_t i) {
    const struct outbox_row *row = (const struct outbox_row *)page->rows + i;
    struct look look = look_at_aged(chore, page, i);
    int64_t now = now_ms(chore->retention);
    if (look.looked == LOOKED_GOES && i + 1 == page->n)
        look.looked = page->full && i > 0 ? LOOKED_TURN : LOOKED_KEEP;
    else if (look.looked == LOOKED_STOP)
        look.looked = row->seq > now ? LOOKED_KEEP : LOOKED_SKIP;
    *(struct outbox_row *)chore->skip = (struct outbox_row){.seq = now, .slot = INT32_MAX};
    return look;
}

// ---- One page -----------------------------------------------------------------------------------------------------

static void rows_gone(void *ctx, const struct error *error) {
    struct chore *chore = ctx;
    struct saga_retention *retention = chore->retention;
    if (!error)
        retention_count(retention, 0, chore->n_write);
    if (retention->group.failed)
        store_group_reset(&retention->group);
    round_left(&chore->round);
}

static void add_to_write(struct chore *chore, const void *row) {
    if (!chore->write)
        chore->write = store_write_new(chore->retention->rounds.engine->options.store);
    store_row(chore->write, chore->round.query.table, STORE_DELETE, row);
}

static void submit_write(struct chore *chore) {
    struct store_write *write = chore->write;
    if (!write)
        return;
    chore->write = NULL;
    chore->n_write = store_write_rows(write);
    chore->round.n_waiting++;
    store_submit(chore->retention->rounds.engine->options.store, write, &chore->retention->group, rows_gone, chore);
}

static void note(struct chore *chore, const struct look *look) {
    if (look->looked != LOOKED_GOES) {
        take_earlier(look->since_ms, &chore->oldest_ms);
        return;
    }
    chore->behind_ms = look->over_ms;
    if (look->since_ms >= chore->oldest_ms)
        chore->oldest_ms = 0; // that was the one
}

// Behind a row that was skipped with all that are like it.
static bool is_skipped(const struct chore *chore, const void *row) {
    if (chore->round.query.table == &saga_table)
        return strcmp(((const struct saga_row *)row)->flow, ((const struct saga_row *)chore->skip)->flow) == 0;
    return ((const struct outbox_row *)row)->seq <= ((const struct outbox_row *)chore->skip)->seq;
}

static void look_at_rows(struct chore *chore, const struct round_page *page) {
    bool skipping = false;
    for (size_t i = 0; i < page->n; i++) {
        const void *row = (const char *)page->rows + i * chore->round.query.table->row_size;
        if (skipping && is_skipped(chore, row))
            continue;
        struct look look = chore->look(chore, page, i);
        note(chore, &look);
        chore->round.ended = look.looked == LOOKED_STOP;
        if (look.looked == LOOKED_STOP || look.looked == LOOKED_TURN)
            return;
        skipping = look.looked == LOOKED_SKIP;
        round_move(&chore->round, skipping ? chore->skip : row);
        if (look.looked == LOOKED_GOES && chore->leave)
            chore->leave(chore, row);
        else if (look.looked == LOOKED_GOES)
            add_to_write(chore, row);
    }
    chore->round.ended = !page->full;
}

static void look_through(struct round *round, const struct round_page *page) {
    struct chore *chore = CONTAINER_OF(round, struct chore, round);
    if (!round->has_cursor)
        chore->oldest_ms = 0;
    chore->retention->rounds.spent += page->n / LOOKS_A_ROW;
    look_at_rows(chore, page);
    submit_write(chore);
}

static void passed(struct round *round) {
    CONTAINER_OF(round, struct chore, round)->behind_ms = 0;
}

// ---- What there is to do ------------------------------------------------------------------------------------------

static int64_t requests_kept(void *ctx) {
    return ((const struct saga_retention *)ctx)->options->requests_ms;
}
static int64_t events_kept(void *ctx) {
    return ((const struct saga_retention *)ctx)->options->events_ms;
}
static int64_t audit_kept(void *ctx) {
    return ((const struct saga_retention *)ctx)->options->audit_ms;
}

// Its query, but for the table, and how it looks at a row are the caller's to set.
static struct chore *add_chore(struct saga_retention *retention, const struct store_table *table) {
    struct chore **chores = realloc(retention->chores, (retention->n_chores + 1) * sizeof(struct chore *));
    struct chore *chore = calloc(1, sizeof *chore);
    if (!chores || !chore)
        abort();
    retention->chores = chores;
    retention->chores[retention->n_chores++] = chore;
    chore->retention = retention;
    chore->skip = calloc(1, table->row_size);
    if (!chore->skip)
        abort();
    chore->round = (struct round){.query = {.table = table, .limit = retention->options->batch},
                                  .look = look_through,
                                  .passed = passed,
                                  .often_ms = retention->options->interval_ms};
    rounds_add(&retention->rounds, &chore->round);
    return chore;
}

// What stays is among what goes: each pass looks at all of it.
static void set_whole(struct chore *chore) {
    chore->round.whole = true;
    chore->round.often_ms += RARE_MS;
}

static struct chore *add_aged(struct saga_retention *retention, const struct saga_aged *aged, void *ctx) {
    struct chore *chore = add_chore(retention, aged->table);
    chore->round.query.order = aged->order == SAGA_AGED_BY_INDEX ? &aged->table->indexes[aged->by_age] : NULL;
    chore->look = look_at_aged;
    chore->aged = aged;
    chore->ctx = ctx;
    if (aged->order == SAGA_AGED_ANYHOW)
        set_whole(chore);
    return chore;
}

static void add_sagas(struct saga_retention *retention) {
    struct chore *chore = add_chore(retention, &saga_table);
    const struct store_index *order = saga_table.indexes;
    while (strcmp(order->name, "saga_by_flow") != 0)
        order++;
    chore->round.query.order = order;
    chore->look = look_at_saga;
    chore->leave = leaving_saga;
    set_whole(chore);
}

static void add_estate(struct saga_retention *retention, const struct saga_estate *estate, void *ctx) {
    for (int32_t closed = 1; closed <= estate->n_closed; closed++) {
        struct chore *chore = add_chore(retention, estate->table);
        chore->round.query.order = &estate->table->indexes[estate->by_end];
        chore->round.query.conds[0] =
            (struct store_cond){chore->round.query.order->columns[0], STORE_EQ, .integer = closed};
        chore->look = look_at_subject;
        chore->leave = leaving_subject;
        chore->estate = estate;
        chore->ctx = ctx;
        chore->closed = closed;
    }
    for (const struct saga_aged *aged = estate->aged; aged && aged->table; aged++)
        add_aged(retention, aged, ctx);
}

static bool is_first_of_estate(const struct saga_flow *const *flows, const struct saga_flow *const *flow) {
    for (const struct saga_flow *const *other = flows; other != flow; other++)
        if ((*other)->estate == (*flow)->estate)
            return false;
    return (*flow)->estate != NULL;
}

static void add_own(struct saga_retention *retention) {
    static const struct saga_aged own[] = {
        {&request_table, SAGA_AGED_BY_INDEX, REQUEST_BY_CREATED, offsetof(struct request_row, created_ms),
         requests_kept},
        {&audit_table, SAGA_AGED_BY_KEY, .at_offset = offsetof(struct audit_row, at_ms), .kept_ms = audit_kept},
        {&anomaly_table, SAGA_AGED_BY_INDEX, ANOMALY_BY_CLEARED, offsetof(struct anomaly_row, cleared_ms), events_kept},
        {&outbox_table, SAGA_AGED_BY_KEY, .at_offset = offsetof(struct outbox_row, created_ms), .kept_ms = events_kept},
    };
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        struct chore *chore = add_aged(retention, &own[i], retention);
        if (own[i].table == &outbox_table) {
            chore->look = look_at_event; // of which it takes two to know that one is not the last
            chore->round.query.limit = chore->round.query.limit < 2 ? 2 : chore->round.query.limit;
            set_whole(chore);
        }
    }
}

struct saga_retention *retention_new(struct saga_engine *engine) {
    struct saga_retention *retention = calloc(1, sizeof *retention);
    if (!retention)
        abort();
    const struct saga_retention_options *options = &engine->options.retention;
    int64_t now = clock_now_ms(engine->options.clock);
    retention->options = options;
    retention->hour_ms = now;
    rounds_init(&retention->rounds, engine, options->rows_per_s, now + options->interval_ms);
    if (options->interval_ms == 0)
        return retention;
    add_sagas(retention);
    for (const struct saga_flow *const *flow = engine->flows; *flow; flow++)
        if (is_first_of_estate(engine->flows, flow))
            add_estate(retention, (*flow)->estate, engine_flow_ctx(engine, *flow));
    add_own(retention);
    return retention;
}

struct rounds *retention_rounds(struct saga_retention *retention) {
    return &retention->rounds;
}

void retention_free(struct saga_retention *retention) {
    leaving_drop_all(retention);
    rounds_release(&retention->rounds);
    for (size_t i = 0; i < retention->n_chores; i++) {
        free(retention->chores[i]->skip);
        free(retention->chores[i]);
    }
    free(retention->chores);
    free(retention);
}
