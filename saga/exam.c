// One saga, judged by its row: in its status for too long, parked for too long, in nobody's hands, failing in the same
// way again and again, or not to be read.
#include "saga/patrol.h"

#include <inttypes.h>
#include <stdlib.h>

enum { LEGS_MAX = 8, ATTEMPTS_MAX = 500 };

// A step that has failed often enough to be looked at.
struct exam_leg {
    int32_t step_id, leg;
    uint32_t attempts;
    char reason[SAGA_CODE_MAX];
    char step[SAGA_NAME_MAX + 1];
};

static void exam_free(struct exam *exam) {
    *exam->link = exam->next;
    if (exam->next)
        exam->next->link = exam->link;
    free(exam->legs);
    free(exam);
}

void exam_drop_all(struct saga_patrol *patrol) {
    while (patrol->exams)
        exam_free(patrol->exams);
}

static void finish(struct exam *exam, const struct error *error) {
    exam->done(exam, error);
    exam_free(exam);
}

static void find(struct exam *exam, enum saga_anomaly kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void find(struct exam *exam, enum saga_anomaly kind, const char *format, ...) {
    va_list args;
    va_start(args, format);
    exam->found[kind].holds = true;
    str_vprint(exam->found[kind].text, sizeof exam->found[kind].text, format, args);
    va_end(args);
}

static struct saga_engine *engine_of(const struct exam *exam) {
    return exam->patrol->rounds.engine;
}

// ---- Age ----------------------------------------------------------------------------------------------------------

static struct saga_patience_flow limits_of(const struct saga_patrol_options *options, const char *flow) {
    for (size_t i = 0; i < options->n_flows; i++)
        if (strcmp(options->flows[i].flow, flow) == 0)
            return options->flows[i];
    return (struct saga_patience_flow){flow, options->running_ms, options->forward_ms, options->compensating_ms,
                                       options->parked_ms};
}

static int64_t limit_in(const struct saga_patience_flow *limits, int32_t status) {
    switch (status) {
    case SAGA_RUNNING: return limits->running_ms;
    case SAGA_FORWARD: return limits->forward_ms;
    case SAGA_COMPENSATING: return limits->compensating_ms;
    default: return 0;
    }
}

static void judge_age(struct exam *exam, int64_t now) {
    const struct saga_row *row = &exam->row;
    struct saga_patience_flow limits = limits_of(exam->patrol->options, row->flow);
    int64_t limit_ms = limit_in(&limits, row->status), age_ms = now - row->created_ms, idle_ms = now - row->updated_ms;
    if (row->parked && limits.parked_ms && idle_ms >= limits.parked_ms)
        find(exam, ANOMALY_WAITING, "parked for %" PRId64 " s: it waits for an operator", idle_ms / 1000);
    if (!row->parked && limit_ms && age_ms >= limit_ms)
        find(exam, ANOMALY_OLD, "%s, %" PRId64 " s after it began", saga_status_name((enum saga_status)row->status),
             age_ms / 1000);
}

// ---- In nobody's hands --------------------------------------------------------------------------------------------

static bool somebody_has(const struct saga_engine *engine, struct str gid) {
    return map_find(&engine->residents, gid) || map_find(&engine->loadings, gid) ||
           sentinel_reloads(engine->sentinel, gid);
}

// Why nobody would ever drive it on, as far as its row says; NULL: somebody would.
static const char *why_stuck(const struct saga_patrol *patrol, const struct saga_row *row, int64_t now) {
    int64_t stuck_ms = patrol->options->stuck_ms;
    if (saga_status_ended((enum saga_status)row->status))
        return NULL;
    if (row->due_ms == INT64_MAX)
        return "it has not ended and has no due time";
    if (row->due_ms == SAGA_DUE_PARKED)
        return row->parked || row->paused ? NULL : "it waits for an operator, but it is neither parked nor paused";
    if (row->due_ms == SAGA_DUE_CHILD)
        return NULL; // see the patrol's families
    bool overdue = row->due_ms <= now - stuck_ms && row->updated_ms <= now - stuck_ms;
    return overdue ? "it is due for long, and in nobody's memory" : NULL;
}

static void judge_resident(struct exam *exam) {
    const struct saga_resident *resident = resident_find(engine_of(exam), str_c(exam->row.gid));
    if (resident && resident_is_orphan(resident))
        find(exam, ANOMALY_STUCK, "it is in memory, and nothing would ever drive it on");
}

static void judge_legs(struct exam *exam);

// Read after it was known that nobody has it: it is what it is.
static void read_again(void *ctx, const struct error *error, const void *rows, size_t n) {
    struct exam *exam = ctx;
    struct saga_engine *engine = engine_of(exam);
    const struct saga_row *row = rows;
    struct str gid = str_c(exam->row.gid);
    if (error) {
        finish(exam, error);
        return;
    }
    engine_enter(engine);
    const char *why = n == 1 ? why_stuck(exam->patrol, row, rounds_now(&exam->patrol->rounds)) : NULL;
    if (why && row->updated_ms == exam->row.updated_ms && !somebody_has(engine, gid) && !engine->stopped) {
        find(exam, ANOMALY_STUCK, "%s", why);
        sentinel_reload(engine->sentinel, gid, 1, ERR_OK); // told, and mended where that can be
    }
    judge_legs(exam);
    engine_exit(engine);
}

static void judge_owner(struct exam *exam) {
    struct store_query query = {
        .table = &saga_table, .conds = {{.column = "gid", .cmp = STORE_EQ, .text = str_c(exam->row.gid)}}, .limit = 1};
    if (exam->suspect)
        store_read(engine_of(exam)->options.store, &query, read_again, exam);
    else
        judge_legs(exam);
}

// ---- Failing alike ------------------------------------------------------------------------------------------------

static void note_leg(struct exam *exam, const struct saga_leg *leg) {
    bool again = leg->code != ERR_OK && !saga_leg_settled(leg) && leg->state != LEG_PARKED &&
                 leg->state != LEG_UNDO_PARKED; // these wait, for an operator
    uint32_t least = exam->patrol->options->oscillating_attempts;
    if (!again || least == 0 || leg->attempts < least || exam->n_legs == LEGS_MAX)
        return;
    if (!exam->legs)
        exam->legs = calloc(LEGS_MAX, sizeof *exam->legs);
    if (!exam->legs)
        abort();
    struct exam_leg *noted = &exam->legs[exam->n_legs++];
    noted->step_id = leg->step->id;
    noted->leg = leg->leg;
    noted->attempts = leg->attempts;
    memcpy(noted->reason, leg->reason, sizeof noted->reason);
    str_fit(str_c(leg->step->name), noted->step, sizeof noted->step);
}

static void count_alike(struct exam *exam, const struct exam_leg *leg, const struct attempt_row *rows, size_t n) {
    const struct saga_patrol_options *options = exam->patrol->options;
    int64_t from_ms = rounds_now(&exam->patrol->rounds) - options->oscillating_ms;
    uint32_t alike = 0, told = 0;
    for (size_t i = 0; i < n; i++) {
        const struct attempt_row *row = &rows[i];
        if (row->step_id != leg->step_id || row->leg != leg->leg)
            continue;
        alike += row->ended_ms >= from_ms && strcmp(row->reason, leg->reason) == 0;
        told = (uint32_t)row->number > told ? (uint32_t)row->number : told;
    }
    // Of those that are no longer written down only the last one is known. As long as they go on, they go on like that.
    if (leg->attempts > told && exam->row.updated_ms >= from_ms)
        alike += leg->attempts - told;
    if (alike < options->oscillating_attempts)
        return;
    find(exam, ANOMALY_OSCILLATING, "%s failed %u times in %" PRId64 " s with %s", leg->step, alike,
         options->oscillating_ms / 1000, leg->reason);
    memcpy(exam->found[ANOMALY_OSCILLATING].step, leg->step, sizeof leg->step);
}

static void attempts_read(void *ctx, const struct error *error, const void *rows, size_t n) {
    struct exam *exam = ctx;
    for (size_t i = 0; !error && i < exam->n_legs; i++)
        count_alike(exam, &exam->legs[i], rows, n);
    finish(exam, error);
}

static void judge_legs(struct exam *exam) {
    struct store_query query = {.table = &attempt_table,
                                .conds = {{.column = "gid", .cmp = STORE_EQ, .text = str_c(exam->row.gid)}},
                                .descending = true,
                                .limit = ATTEMPTS_MAX};
    if (exam->n_legs > 0)
        store_read(engine_of(exam)->options.store, &query, attempts_read, exam);
    else
        finish(exam, NULL);
}

// ---- All of it ----------------------------------------------------------------------------------------------------

static void judge_record(struct exam *exam, const struct saga_row *row) {
    struct saga_engine *engine = engine_of(exam);
    struct saga_instance saga;
    struct error error = {0};
    int64_t now = rounds_now(&exam->patrol->rounds);
    if (!saga_row_instance(engine, row, &saga, &error)) {
        find(exam, ANOMALY_UNREADABLE, "%s", error.text);
        return;
    }
    for (uint8_t i = 0; i < saga.n_legs; i++)
        note_leg(exam, &saga.legs[i]);
    saga_instance_release(&saga);
    judge_resident(exam);
    exam->suspect = why_stuck(exam->patrol, row, now) && !somebody_has(engine, str_c(row->gid));
}

void exam_begin(struct saga_patrol *patrol, const struct saga_row *row,
                void (*done)(struct exam *, const struct error *), void *ctx) {
    struct exam *exam = calloc(1, sizeof *exam);
    if (!exam)
        abort();
    exam->patrol = patrol;
    exam->row = *row;
    exam->row.input = exam->row.journal = STR_NONE;
    exam->done = done;
    exam->ctx = ctx;
    exam->next = patrol->exams;
    exam->link = &patrol->exams;
    if (exam->next)
        exam->next->link = &exam->next;
    patrol->exams = exam;
    if (saga_status_ended((enum saga_status)row->status)) {
        finish(exam, NULL);
        return;
    }
    judge_record(exam, row);
    judge_age(exam, rounds_now(&patrol->rounds));
    judge_owner(exam);
}
