#include "orchestrator/ctl/saga_view.h"

#include "orchestrator/ctl/reading.h"
#include "orchestrator/ctl/table.h"
#include "orchestrator/ctl/words.h"

// ---- Headline -----------------------------------------------------------------------------------------------------

// Why it stands still; "" while it does not.
static struct str standstill(const Txcenter__Saga__V1__Saga *saga) {
    return saga->paused ? STR("PAUSED") : saga->parked ? STR("PARKED") : STR("");
}

static void print_status(struct view *view, const Txcenter__Saga__V1__Saga *saga) {
    char word[WORDS_MAX];
    words_state(&txcenter__saga__v1__saga_status__descriptor, (int)saga->status, word);
    view_text(view, words_paint(word), str_c(word));
    if (!str_empty(standstill(saga))) {
        view_printf(view, " ");
        view_text(view, PAINT_BAD, standstill(saga));
    }
}

bool saga_has_ended(const Txcenter__Saga__V1__Saga *saga) {
    return saga->status >= TXCENTER__SAGA__V1__SAGA_STATUS__SAGA_STATUS_SUCCEEDED;
}

static void show_because(struct view *view, const char *reason, const char *text) {
    if (!*reason && !*text)
        return;
    view_printf(view, "  because ");
    view_text(view, PAINT_WARN, str_c(reason));
    view_printf(view, "%s", *reason && *text ? ": " : "");
    view_text(view, PAINT_PLAIN, str_c(text));
    view_printf(view, "\n");
}

static void show_headline(struct view *view, const Txcenter__Saga__V1__Saga *saga, int64_t length_ms) {
    char made[VIEW_TIME_MAX], span[VIEW_SPAN_MAX];
    reading_time(saga->created_at, made);
    view_span(length_ms, span);
    view_text(view, PAINT_BOLD, STR("Saga "));
    view_text(view, PAINT_BOLD, str_c(saga->gid));
    view_printf(view, "  ");
    view_text(view, PAINT_PLAIN, str_c(saga->flow));
    if (saga->flow_version > 0) // else its caller defined it
        view_printf(view, " v%d", saga->flow_version);
    view_printf(view, "  ");
    print_status(view, saga);
    view_printf(view, "  %s %s\n", saga_has_ended(saga) ? "in" : "for", span);
    view_printf(view, "  began %s", made);
    if (*saga->subject) {
        view_printf(view, "  about ");
        view_text(view, PAINT_PLAIN, str_c(saga->subject));
    }
    if (*saga->parent_gid) {
        view_printf(view, "  child of ");
        view_text(view, PAINT_PLAIN, str_c(saga->parent_gid));
    }
    view_printf(view, "  slot %d", saga->slot);
    if (saga->resume_count > 0)
        view_printf(view, "  resumed %d×", saga->resume_count);
    view_printf(view, "\n");
    show_because(view, saga->reason, saga->text);
    if (!saga_has_ended(saga) && saga->due_at) {
        char due[VIEW_TIME_MAX];
        reading_time(saga->due_at, due);
        view_printf(view, "  due %s\n", due);
    }
}

// ---- Bars ---------------------------------------------------------------------------------------------------------

enum { BAR_COLUMNS = 32 };

struct scale {
    int64_t start_ms, length_ms; // length_ms > 0
};

static int64_t later(int64_t a, int64_t b) {
    return a > b ? a : b;
}

// From the saga's start to the last thing that is known of it; for one that goes on, to now.
static struct scale scale_of(const struct view *view, const Txcenter__Saga__V1__Saga *saga) {
    int64_t start = reading_ms(saga->created_at),
            last = later(reading_ms(saga->ended_at), reading_ms(saga->updated_at));
    for (size_t i = 0; i < saga->n_steps; i++)
        last = later(last, later(reading_ms(saga->steps[i]->started_at), reading_ms(saga->steps[i]->ended_at)));
    for (size_t i = 0; i < saga->n_attempts; i++)
        last = later(last, reading_ms(saga->attempts[i]->ended_at));
    if (!saga_has_ended(saga))
        last = later(last, view->now_ms);
    return (struct scale){start, later(last - start, 1)};
}

static size_t column_of(const struct scale *scale, int64_t ms) {
    int64_t at = ms - scale->start_ms;
    if (at <= 0)
        return 0;
    return at >= scale->length_ms ? BAR_COLUMNS : (size_t)(at * BAR_COLUMNS / scale->length_ms);
}

// At least one cell, however short; `from` 0: it has not begun.
static struct str bar(struct arena *arena, const struct scale *scale, int64_t from, int64_t to, const char *cell) {
    if (from <= 0)
        return STR("");
    size_t first = column_of(scale, from), end = column_of(scale, to);
    first = first == BAR_COLUMNS ? BAR_COLUMNS - 1 : first;
    end = end > first ? end : first + 1;
    struct buf text;
    buf_init(&text, BAR_COLUMNS * 4); // bytes of the longest cell
    for (size_t i = 0; i < end; i++)
        buf_append(&text, i < first ? STR(" ") : str_c(cell));
    struct str kept = arena_str(arena, buf_str(&text));
    buf_release(&text);
    return kept;
}

// ---- Timeline -----------------------------------------------------------------------------------------------------

static const struct table_column timeline_columns[] = {{"stage", true},     {"step", false}, {"", false},
                                                       {"state", false},    {"start", true}, {"took", true},
                                                       {"timeline", false}, {"what", false}, {NULL, false}};

static void add_since(struct table *table, const struct scale *scale, int64_t ms) {
    char span[VIEW_SPAN_MAX] = "";
    if (ms > 0)
        view_span(ms - scale->start_ms, span);
    table_addf(table, PAINT_PLAIN, "%s%s", ms > 0 ? "+" : "", span);
}

static void add_took(struct table *table, int64_t from, int64_t to) {
    char span[VIEW_SPAN_MAX] = "";
    if (from > 0 && to > 0)
        view_span(to - from, span);
    table_add(table, PAINT_PLAIN, str_c(span));
}

// ═ the watershed, ↶ what may be undone, ~ what isn't core.
static struct str mark_of(const Txcenter__Saga__V1__Step *step) {
    if (strcmp(step->kind, "pivot") == 0)
        return STR("═");
    if (strcmp(step->kind, "compensatable") == 0)
        return STR("↶");
    return step->core ? STR("") : STR("~");
}

static void add_name(struct table *table, const Txcenter__Saga__V1__Step *step) {
    if (step->leg > 0)
        table_addf(table, PAINT_PLAIN, "%s[%d]", step->name, step->leg);
    else
        table_add(table, PAINT_PLAIN, str_c(step->name));
}

static void add_step(struct table *table, const struct view *view, const struct scale *scale,
                     const Txcenter__Saga__V1__Saga *saga, const Txcenter__Saga__V1__Step *step) {
    int64_t from = reading_ms(step->started_at), to = reading_ms(step->ended_at);
    int64_t end = to > 0 ? to : saga_has_ended(saga) ? reading_ms(saga->ended_at) : view->now_ms;
    char word[WORDS_MAX];
    words_state(&txcenter__saga__v1__step_state__descriptor, (int)step->state, word);
    table_addf(table, PAINT_DIM, "%d", step->stage);
    add_name(table, step);
    table_add(table, PAINT_DIM, mark_of(step));
    table_add(table, words_paint(word), str_c(word));
    add_since(table, scale, from);
    add_took(table, from, to);
    table_add(table, words_paint(word), bar(table->arena, scale, from, end, to > 0 ? "█" : "░"));
    // Why one that is done was not for a while, its attempts say.
    bool done = step->state == TXCENTER__SAGA__V1__STEP_STATE__STEP_STATE_DONE;
    const char *reason = done ? "" : step->reason, *text = done ? "" : step->text;
    struct str what =
        arena_printf(table->arena, "%s%s%s%s%s", step->participant, *step->participant && *reason ? "  " : "", reason,
                     *reason && *text ? ": " : "", text);
    table_add(table, PAINT_PLAIN, what);
}

static void add_attempt(struct table *table, const struct scale *scale, const Txcenter__Saga__V1__Attempt *attempt) {
    int64_t from = reading_ms(attempt->started_at), to = reading_ms(attempt->ended_at);
    table_add(table, PAINT_DIM, STR(""));
    table_addf(table, PAINT_DIM, "  %s %d", attempt->op, attempt->number);
    table_add(table, PAINT_DIM, STR(""));
    table_add(table, words_paint(attempt->outcome), str_c(attempt->outcome));
    add_since(table, scale, from);
    add_took(table, from, to);
    table_add(table, PAINT_WARN, bar(table->arena, scale, from, to, "▒"));
    table_addf(table, PAINT_DIM, "%s%s%s", attempt->reason, *attempt->reason && *attempt->text ? ": " : "",
               attempt->text);
}

void saga_show_timeline(struct view *view, struct arena *arena, const Txcenter__Saga__V1__Saga *saga) {
    struct scale scale = scale_of(view, saga);
    struct table table;
    table_init(&table, arena, timeline_columns);
    for (size_t i = 0; i < saga->n_steps; i++) {
        const Txcenter__Saga__V1__Step *step = saga->steps[i];
        if (i > 0 && strcmp(saga->steps[i - 1]->kind, "pivot") == 0 && saga->steps[i - 1]->stage != step->stage)
            table_rule(&table, STR("the watershed: above it may be undone, below it only goes on"));
        add_step(&table, view, &scale, saga, step);
        for (size_t k = 0; k < saga->n_attempts; k++)
            if (saga->attempts[k]->step_id == step->step_id && saga->attempts[k]->leg == step->leg)
                add_attempt(&table, &scale, saga->attempts[k]);
    }
    show_headline(view, saga, scale.length_ms);
    view_printf(view, "\n");
    table_print(&table, view, 2);
}

// ---- Responses ----------------------------------------------------------------------------------------------------

void saga_show_steps(struct view *view, struct arena *arena, const Txcenter__Saga__V1__Saga *saga) {
    static const struct table_column columns[] = {{"stage", true},    {"id", true},           {"step", false},
                                                  {"kind", false},    {"participant", false}, {"state", false},
                                                  {"attempts", true}, {"next", false},        {"reason", false},
                                                  {"text", false},    {"key", false},         {NULL, false}};
    struct table table;
    table_init(&table, arena, columns);
    for (size_t i = 0; i < saga->n_steps; i++) {
        const Txcenter__Saga__V1__Step *step = saga->steps[i];
        char word[WORDS_MAX], due[VIEW_TIME_MAX] = "";
        words_state(&txcenter__saga__v1__step_state__descriptor, (int)step->state, word);
        if (step->due_at)
            reading_time(step->due_at, due);
        table_addf(&table, PAINT_DIM, "%d", step->stage);
        table_addf(&table, PAINT_DIM, "%d", step->step_id);
        add_name(&table, step);
        table_addf(&table, PAINT_PLAIN, "%s%s", step->kind, step->core ? "" : ", non-core");
        table_add(&table, PAINT_PLAIN, str_c(step->participant));
        table_add(&table, words_paint(word), str_c(word));
        table_addf(&table, PAINT_PLAIN, "%d", step->attempts);
        table_add(&table, PAINT_PLAIN, str_c(due));
        table_add(&table, PAINT_WARN, *step->held_by ? STR("held back") : str_c(step->reason));
        table_add(&table, PAINT_PLAIN, str_c(*step->held_by ? step->held_by : step->text));
        table_add(&table, PAINT_DIM, str_c(step->key));
    }
    show_headline(view, saga, scale_of(view, saga).length_ms);
    view_printf(view, "\n");
    table_print(&table, view, 2);
}

void saga_show_get(struct view *view, struct arena *arena, const ProtobufCMessage *response) {
    const Txcenter__Saga__V1__GetSagaResponse *r = (const void *)response;
    if (r->saga)
        saga_show_steps(view, arena, r->saga);
}

void saga_show_submit(struct view *view, struct arena *arena, const ProtobufCMessage *response) {
    const Txcenter__Saga__V1__SubmitSagaResponse *r = (const void *)response;
    if (!r->saga)
        return;
    saga_show_steps(view, arena, r->saga);
    if (!r->processing)
        return;
    view_printf(view, "\n");
    view_text(view, PAINT_WARN, STR("Still processing."));
    view_printf(view, " It goes on by itself; see `txctl saga watch ");
    view_text(view, PAINT_PLAIN, str_c(r->saga->gid));
    view_printf(view, "`.\n");
}

void saga_show_signal(struct view *view, struct arena *arena, const ProtobufCMessage *response) {
    (void)arena, (void)response;
    view_printf(view, "The signal is durable.\n");
}

void saga_show_count(struct view *view, struct arena *arena, const ProtobufCMessage *response) {
    (void)arena;
    const Txcenter__Saga__V1__CountSagasResponse *r = (const void *)response;
    view_printf(view, "%s%lld\n", r->at_least ? "at least " : "", (long long)r->count);
}

void saga_show_watch(struct view *view, struct arena *arena, const ProtobufCMessage *response) {
    (void)arena;
    const Txcenter__Saga__V1__WatchSagaResponse *r = (const void *)response;
    const Txcenter__Saga__V1__Saga *saga = r->saga;
    if (!saga)
        return;
    char time[VIEW_TIME_MAX], word[WORDS_MAX];
    reading_time(saga->updated_at, time);
    view_text(view, PAINT_DIM, str_c(time));
    view_printf(view, "  ");
    print_status(view, saga);
    for (size_t i = 0; i < saga->n_steps; i++) {
        const Txcenter__Saga__V1__Step *step = saga->steps[i];
        if (step->state == TXCENTER__SAGA__V1__STEP_STATE__STEP_STATE_IDLE)
            continue;
        words_state(&txcenter__saga__v1__step_state__descriptor, (int)step->state, word);
        view_printf(view, "  ");
        view_text(view, PAINT_PLAIN, str_c(step->name));
        view_printf(view, " ");
        view_text(view, words_paint(word), str_c(word));
    }
    view_printf(view, "%s", *saga->reason ? "  " : "");
    view_text(view, PAINT_WARN, str_c(saga->reason));
    view_printf(view, "\n");
}

// The first one that waits for an operator; NULL: none, or the saga came without its steps.
static const Txcenter__Saga__V1__Step *parked_step(const Txcenter__Saga__V1__Saga *saga) {
    for (size_t i = 0; i < saga->n_steps; i++)
        if (saga->steps[i]->state == TXCENTER__SAGA__V1__STEP_STATE__STEP_STATE_PARKED ||
            saga->steps[i]->state == TXCENTER__SAGA__V1__STEP_STATE__STEP_STATE_UNDO_PARKED)
            return saga->steps[i];
    return NULL;
}

void saga_show_list(struct view *view, struct arena *arena, const ProtobufCMessage *response) {
    static const struct table_column columns[] = {
        {"gid", false},   {"flow", false}, {"status", false}, {"", false},     {"made", false},
        {"length", true}, {"step", false}, {"reason", false}, {"text", false}, {NULL, false}};
    const Txcenter__Saga__V1__ListSagasResponse *r = (const void *)response;
    struct table table;
    table_init(&table, arena, columns);
    for (size_t i = 0; i < r->n_sagas; i++) {
        const Txcenter__Saga__V1__Saga *saga = r->sagas[i];
        char word[WORDS_MAX], made[VIEW_TIME_MAX], span[VIEW_SPAN_MAX];
        words_state(&txcenter__saga__v1__saga_status__descriptor, (int)saga->status, word);
        reading_time(saga->created_at, made);
        view_span((saga_has_ended(saga) ? reading_ms(saga->ended_at) : view->now_ms) - reading_ms(saga->created_at),
                  span);
        table_add(&table, PAINT_PLAIN, str_c(saga->gid));
        if (saga->flow_version > 0)
            table_addf(&table, PAINT_PLAIN, "%s v%d", saga->flow, saga->flow_version);
        else
            table_add(&table, PAINT_PLAIN, str_c(saga->flow));
        table_add(&table, words_paint(word), str_c(word));
        table_add(&table, PAINT_BAD, standstill(saga));
        table_add(&table, PAINT_PLAIN, str_c(made));
        table_add(&table, PAINT_PLAIN, str_c(span));
        const Txcenter__Saga__V1__Step *parked = parked_step(saga);
        table_add(&table, PAINT_PLAIN, parked ? str_c(parked->name) : STR(""));
        table_add(&table, PAINT_WARN, str_c(parked ? parked->reason : saga->reason));
        table_add(&table, PAINT_PLAIN, str_c(parked ? parked->text : saga->text));
    }
    table_print_page(&table, view, r->next_page_token);
}
