#include "orchestrator/ctl/operator_view.h"

#include "orchestrator/ctl/reading.h"
#include "orchestrator/ctl/saga_view.h"
#include "orchestrator/ctl/table.h"
#include "orchestrator/ctl/words.h"
#include "rpc/message.h"

// ---- Filters ------------------------------------------------------------------------------------------------------

#define FILTER "filter."

// The option of `saga list` that has this name and is part of the filter.
static const struct option *filter_option(struct str name) {
    const struct command *list = command_find(STR("saga list"));
    const struct option *option;
    for (size_t i = 0; (option = command_option(list, i)); i++)
        if (option->field && str_starts(str_c(option->field), STR(FILTER)) && str_eq_c(name, option->name))
            return option;
    return NULL;
}

static bool set_condition(struct request *request, ProtobufCMessage *filter, const char *spec, struct str condition) {
    struct str value = condition, name = str_cut(&value, '=');
    const struct option *option = filter_option(name);
    const char *text = request_text(request, value);
    if (!text)
        return false;
    // An empty value would be no condition: a script whose variable is empty must not end every saga there is.
    bool empty = value.ptr && value.len == 0;
    if (!option || empty || (option->kind == OPTION_FLAG) != (value.ptr == NULL))
        return request_refuse(request, spec, "conditions as the options of 'saga list' are, such as parked,flow=NAME",
                              condition) != NULL;
    return (!value.ptr || args_fit(option, text, request->error)) &&
           request_set(request, filter, option, option->field + strlen(FILTER), str_c(text));
}

ProtobufCMessage *saga_filter_spec(struct request *request, const char *option, struct str text) {
    ProtobufCMessage *filter = request_new(request, &txcenter__saga__v1__saga_filter__descriptor);
    struct str rest = text;
    while (filter && rest.ptr)
        if (!set_condition(request, filter, option, str_cut(&rest, ',')))
            return NULL;
    return filter;
}

// ---- Sagas --------------------------------------------------------------------------------------------------------

void operator_show_saga(struct view *view, struct arena *arena, const ProtobufCMessage *response) {
    const ProtobufCMessage *saga = rpc_message_in(response, 1);
    if (saga)
        saga_show_steps(view, arena, (const void *)saga);
}

void operator_show_batch(struct view *view, struct arena *arena, const ProtobufCMessage *response) {
    const Txcenter__Saga__V1__BatchResponse *r = (const void *)response;
    (void)arena;
    for (size_t i = 0; i < r->n_refusals; i++) {
        view_printf(view, "  ");
        view_text(view, PAINT_PLAIN, str_c(r->refusals[i]->gid));
        view_printf(view, "  ");
        view_text(view, PAINT_WARN, str_c(r->refusals[i]->reason));
        view_printf(view, ": ");
        view_text(view, PAINT_PLAIN, str_c(r->refusals[i]->text));
        view_printf(view, "\n");
    }
    bool acted = r->done || r->done_before || r->refused || r->failed;
    view_printf(view, "%s%lld saga%s%s", r->finished && acted ? "all of " : "", (long long)r->matched,
                r->matched == 1 ? "" : "s", r->more ? " (there are more)" : "");
    if (!acted) {
        view_printf(view, "\n");
        return;
    }
    view_printf(view, ": %lld done", (long long)r->done);
    if (r->done_before)
        view_printf(view, ", %lld done before", (long long)r->done_before);
    view_printf(view, ", %lld refused, %lld failed\n", (long long)r->refused, (long long)r->failed);
}

// ---- Participants -------------------------------------------------------------------------------------------------

static void add_count(struct table *table, int64_t count, const char *bound, int64_t most) {
    if (most > 0)
        table_addf(table, PAINT_PLAIN, "%lld%s%lld", (long long)count, bound, (long long)most);
    else
        table_addf(table, PAINT_PLAIN, "%lld", (long long)count);
}

static struct str why_of(const Txcenter__Saga__V1__Participant *participant, struct arena *arena) {
    char at[VIEW_TIME_MAX];
    if (*participant->paused_by)
        return arena_printf(arena, "by %s: %s", participant->paused_by, participant->reason);
    if (!*participant->last_failure)
        return STR("");
    reading_time(participant->failed_at, at);
    return arena_printf(arena, "%s: %s", at, participant->last_failure);
}

static void add_participant(struct table *table, const Txcenter__Saga__V1__Participant *participant) {
    static const enum paint paints[] = {PAINT_PLAIN, PAINT_GOOD, PAINT_BAD, PAINT_WARN, PAINT_WARN};
    char word[WORDS_MAX], since[VIEW_TIME_MAX], next[VIEW_TIME_MAX] = "";
    size_t state = (size_t)participant->state;
    words_state(&txcenter__saga__v1__participant_state__descriptor, (int)participant->state, word);
    reading_time(participant->since, since);
    if (participant->next_probe_at)
        reading_time(participant->next_probe_at, next);
    table_add(table, PAINT_PLAIN, str_c(participant->name));
    table_add(table, state < sizeof paints / sizeof paints[0] ? paints[state] : PAINT_PLAIN, str_c(word));
    table_add(table, PAINT_DIM, str_c(since));
    table_add(table, PAINT_DIM, str_c(next));
    add_count(table, participant->in_flight, "/", participant->in_flight_max);
    add_count(table, participant->in_flight_core, "", 0);
    add_count(table, participant->waiting, "", 0);
    add_count(table, participant->put_off, "", 0);
    add_count(table, participant->calls, "", 0);
    add_count(table, participant->failures, "", 0);
    table_add(table, PAINT_PLAIN, why_of(participant, table->arena));
}

static const struct table_column participant_columns[] = {
    {"name", false},   {"state", false}, {"since", false}, {"next probe", false}, {"in flight", true}, {"core", true},
    {"waiting", true}, {"later", true},  {"calls", true},  {"failed", true},      {"why", false},      {NULL, false}};

void operator_show_participants(struct view *view, struct arena *arena, const ProtobufCMessage *response) {
    const Txcenter__Saga__V1__ListParticipantsResponse *r = (const void *)response;
    struct table table;
    table_init(&table, arena, participant_columns);
    for (size_t i = 0; i < r->n_participants; i++)
        add_participant(&table, r->participants[i]);
    view_printf(view, "As seen by ");
    view_text(view, PAINT_BOLD, str_c(r->instance));
    view_printf(view, "\n");
    table_print(&table, view, 2);
}

static void show_one(struct view *view, struct arena *arena, const Txcenter__Saga__V1__Participant *participant) {
    struct table table;
    if (!participant)
        return;
    table_init(&table, arena, participant_columns);
    add_participant(&table, participant);
    table_print(&table, view, 0);
}

void operator_show_paused(struct view *view, struct arena *arena, const ProtobufCMessage *response) {
    show_one(view, arena, ((const Txcenter__Saga__V1__PauseParticipantResponse *)(const void *)response)->participant);
}

void operator_show_resumed(struct view *view, struct arena *arena, const ProtobufCMessage *response) {
    show_one(view, arena, ((const Txcenter__Saga__V1__ResumeParticipantResponse *)(const void *)response)->participant);
}

// ---- Cache --------------------------------------------------------------------------------------------------------

void operator_show_cleared(struct view *view, struct arena *arena, const ProtobufCMessage *response) {
    (void)arena;
    view_printf(view, "cleared by ");
    view_text(view, PAINT_BOLD,
              str_c(((const Txcenter__Saga__V1__ClearCacheResponse *)(const void *)response)->instance));
    view_printf(view, "\n");
}

// ---- Audit --------------------------------------------------------------------------------------------------------

void operator_show_audit(struct view *view, struct arena *arena, const ProtobufCMessage *response) {
    static const struct table_column columns[] = {{"at", false},    {"who", false},    {"did", false},
                                                  {"to", false},    {"reason", false}, {"before", false},
                                                  {"after", false}, {"detail", false}, {NULL, false}};
    const Txcenter__Saga__V1__ListAuditResponse *r = (const void *)response;
    struct table table;
    table_init(&table, arena, columns);
    for (size_t i = 0; i < r->n_entries; i++) {
        const Txcenter__Saga__V1__AuditEntry *entry = r->entries[i];
        char at[VIEW_TIME_MAX];
        reading_time(entry->at, at);
        table_add(&table, PAINT_PLAIN, str_c(at));
        table_add(&table, PAINT_PLAIN, str_c(entry->caller));
        table_add(&table, PAINT_BOLD, str_c(entry->action));
        table_add(&table, PAINT_PLAIN, str_c(*entry->participant ? entry->participant : entry->gid));
        table_add(&table, PAINT_PLAIN, str_c(entry->reason));
        table_add(&table, PAINT_DIM, str_c(entry->before));
        table_add(&table, PAINT_DIM, str_c(entry->after));
        table_add(&table, PAINT_PLAIN, str_c(entry->detail));
    }
    table_print_page(&table, view, r->next_page_token);
}
