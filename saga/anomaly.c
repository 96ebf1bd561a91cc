#include "saga/anomaly.h"

#include "saga/patrol.h"

#include <stdlib.h>

enum { SEEN_MS = 600000 }; // how exact `last_ms` is

const char *anomaly_name(enum saga_anomaly kind) {
    static const char *const names[ANOMALY_KINDS] = {
        [ANOMALY_OLD] = "old",         [ANOMALY_WAITING] = "waiting",
        [ANOMALY_STUCK] = "stuck",     [ANOMALY_OSCILLATING] = "oscillating",
        [ANOMALY_AMOUNTS] = "amounts", [ANOMALY_UNREADABLE] = "unreadable"};
    return kind >= ANOMALY_OLD && kind < ANOMALY_KINDS ? names[kind] : "?";
}

// ---- Pages --------------------------------------------------------------------------------------------------------

struct store_query anomaly_query(const struct anomaly_filter *filter) {
    struct store_query query = {
        .table = &anomaly_table, .order = &anomaly_table.indexes[ANOMALY_BY_CLEARED], .descending = true, .limit = 1};
    if (!filter->cleared)
        query.conds[0] = (struct store_cond){"cleared_ms", STORE_EQ, .integer = ANOMALY_OPEN_MS};
    return query;
}

bool anomaly_fits(const struct anomaly_filter *filter, const struct anomaly_row *row) {
    return (!filter->kind || row->kind == (int32_t)filter->kind) &&
           (str_empty(filter->flow) || str_eq_c(filter->flow, row->flow)) &&
           (str_empty(filter->subject) || str_eq_c(filter->subject, row->subject)) && row->last_ms >= filter->from_ms;
}

// ---- Raising and clearing -----------------------------------------------------------------------------------------

void patrol_count(struct patrol_open *open, const struct anomaly_row *row, int n) {
    open->all += n;
    open->stuck += row->kind == ANOMALY_STUCK ? n : 0;
    open->amounts += row->kind == ANOMALY_AMOUNTS ? n : 0;
}

struct anomaly_task {
    struct anomaly_task *next, **link;
    struct saga_patrol *patrol;
    struct anomaly_row row;
    int open; // what becomes of the number of those that hold
    anomaly_done_fn *done;
    void *ctx;
};

static struct anomaly_task *task_new(struct saga_patrol *patrol, const struct anomaly_row *row, anomaly_done_fn *done,
                                     void *ctx) {
    struct anomaly_task *task = calloc(1, sizeof *task);
    if (!task)
        abort();
    *task = (struct anomaly_task){
        .next = patrol->tasks, .link = &patrol->tasks, .patrol = patrol, .row = *row, .done = done, .ctx = ctx};
    if (task->next)
        task->next->link = &task->next;
    patrol->tasks = task;
    return task;
}

static void task_free(struct anomaly_task *task) {
    *task->link = task->next;
    if (task->next)
        task->next->link = task->link;
    free(task);
}

void anomaly_drop_all(struct saga_patrol *patrol) {
    while (patrol->tasks)
        task_free(patrol->tasks);
}

static void finish(struct anomaly_task *task) {
    anomaly_done_fn *done = task->done;
    void *ctx = task->ctx;
    task_free(task);
    done(ctx);
}

static void tell(const struct anomaly_task *task) {
    const struct anomaly_row *row = &task->row;
    struct saga_engine *engine = task->patrol->rounds.engine;
    struct saga_notice notice = {
        .kind = task->open > 0 ? SAGA_NOTICE_ANOMALY : SAGA_NOTICE_ANOMALY_OVER,
        .gid = row->gid,
        .subject = row->subject,
        .flow = row->flow,
        .step = row->step,
        .status = (enum saga_status)row->status,
        .reason = anomaly_name((enum saga_anomaly)row->kind),
        .text = row->text,
    };
    if (engine->options.notice)
        engine->options.notice(engine->options.notice_ctx, &notice);
}

static void written(void *ctx, const struct error *error) {
    struct anomaly_task *task = ctx;
    struct saga_patrol *patrol = task->patrol;
    if (!error && task->open != 0) {
        patrol->raised += task->open > 0;
        patrol_count(&patrol->open, &task->row, task->open);
        tell(task);
    }
    finish(task);
}

// With an event when it begins or ends.
static void write_row(struct anomaly_task *task) {
    const struct anomaly_row *row = &task->row;
    struct saga_turn *turn = saga_turn_begin(task->patrol->rounds.engine, NULL);
    saga_turn_row(turn, &anomaly_table, STORE_PUT, row);
    if (task->open != 0) {
        struct turn_about about = {(unsigned)row->slot, row->gid, row->subject};
        char text[SAGA_NAME_MAX + SAGA_TEXT_MAX];
        str_print(text, sizeof text, "%s: %s", anomaly_name((enum saga_anomaly)row->kind), row->text);
        turn_outbox_about(turn, task->open > 0 ? "anomaly.raised" : "anomaly.cleared", &about, str_c(text));
    }
    saga_turn_commit(turn, written, task);
}

static void known_read(void *ctx, const struct error *error, const void *rows, size_t n) {
    struct anomaly_task *task = ctx;
    const struct anomaly_row *known = rows;
    bool holds = !error && n == 1 && known->cleared_ms == ANOMALY_OPEN_MS;
    if (error || holds || task->patrol->rounds.engine->stopped) {
        finish(task);
        return;
    }
    task->row.first_ms = task->row.last_ms = rounds_now(&task->patrol->rounds);
    task->row.cleared_ms = ANOMALY_OPEN_MS;
    task->row.times = n == 1 ? known->times + 1 : 1;
    task->open = 1;
    write_row(task);
}

void anomaly_raise(struct saga_patrol *patrol, const struct anomaly_row *what, anomaly_done_fn *done, void *ctx) {
    struct anomaly_task *task = task_new(patrol, what, done, ctx);
    struct store_query query = {.table = &anomaly_table,
                                .conds = {{.column = "about", .cmp = STORE_EQ, .text = str_c(task->row.about)},
                                          {.column = "kind", .cmp = STORE_EQ, .integer = what->kind}},
                                .limit = 1};
    store_read(patrol->rounds.engine->options.store, &query, known_read, task);
}

void anomaly_seen(struct saga_patrol *patrol, const struct anomaly_row *row, anomaly_done_fn *done, void *ctx) {
    int64_t now = rounds_now(&patrol->rounds);
    struct anomaly_task *task = task_new(patrol, row, done, ctx);
    if (now < row->last_ms + SEEN_MS) {
        finish(task);
        return;
    }
    task->row.last_ms = now;
    write_row(task);
}

void anomaly_clear(struct saga_patrol *patrol, const struct anomaly_row *row, anomaly_done_fn *done, void *ctx) {
    struct anomaly_task *task = task_new(patrol, row, done, ctx);
    task->row.cleared_ms = rounds_now(&patrol->rounds);
    task->open = -1;
    write_row(task);
}
