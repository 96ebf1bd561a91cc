#include "orchestrator/ctl/matter_view.h"

#include "orchestrator/ctl/reading.h"
#include "orchestrator/ctl/table.h"
#include "orchestrator/ctl/words.h"

static void add_time(struct table *table, const Google__Protobuf__Timestamp *at) {
    char text[VIEW_TIME_MAX] = "";
    if (at)
        reading_time(at, text);
    table_add(table, PAINT_DIM, str_c(text));
}

static void add_money(struct table *table, const Txcenter__Type__V1__Money *money) {
    char text[READING_MONEY_MAX];
    reading_money(reading_is_zero(money) ? NULL : money, text);
    table_add(table, PAINT_PLAIN, str_c(text));
}

static void add_choice(struct table *table, enum paint paint, const ProtobufCEnumDescriptor *type, int value) {
    char word[WORDS_MAX] = "";
    if (value != 0)
        words_choice(type, value, word);
    table_add(table, paint, str_c(word));
}

// "SETTLED by olga: lost (voucher 7)"; nothing while it is open.
static void add_note(struct table *table, const char *by, const char *note, const char *reference) {
    struct str text = arena_printf(table->arena, "%s%s%s%s%s%s", by, *by && *note ? ": " : "", note,
                                   *reference ? " (" : "", reference, *reference ? ")" : "");
    table_add(table, PAINT_PLAIN, text);
}

// ---- Matters ------------------------------------------------------------------------------------------------------

static const struct table_column matter_columns[] = {
    {"trade", false},   {"no", true},     {"matter", false}, {"what", false}, {"amount", true},
    {"points", true},   {"since", false}, {"reason", false}, {"text", false}, {"saga", false},
    {"settled", false}, {"as", false},    {"note", false},   {NULL, false}};

static void add_matter(struct table *table, const Txcenter__Trade__V1__Matter *matter) {
    enum paint paint = matter->settled_at ? PAINT_DIM : PAINT_BAD;
    table_add(table, PAINT_BOLD, str_c(matter->trade_no));
    table_addf(table, PAINT_PLAIN, "%d", matter->number);
    add_choice(table, paint, &txcenter__trade__v1__matter_kind__descriptor, (int)matter->kind);
    table_add(table, PAINT_PLAIN, str_c(matter->what));
    add_money(table, matter->amount);
    if (matter->points)
        table_addf(table, PAINT_PLAIN, "%lld", (long long)matter->points);
    else
        table_add(table, PAINT_PLAIN, STR(""));
    add_time(table, matter->created_at);
    table_add(table, PAINT_PLAIN, str_c(matter->reason));
    table_add(table, PAINT_PLAIN, str_c(matter->text));
    table_add(table, PAINT_PLAIN, str_c(matter->settled_at ? "" : matter->gid));
    add_time(table, matter->settled_at);
    add_choice(table, PAINT_GOOD, &txcenter__trade__v1__matter_outcome__descriptor, (int)matter->outcome);
    add_note(table, matter->settled_by, matter->note, matter->reference);
}

void matter_show_list(struct view *view, struct arena *arena, const ProtobufCMessage *response) {
    const Txcenter__Trade__V1__ListMattersResponse *r = (const void *)response;
    struct table table;
    table_init(&table, arena, matter_columns);
    for (size_t i = 0; i < r->n_matters; i++)
        add_matter(&table, r->matters[i]);
    table_print_page(&table, view, r->next_page_token);
}

void matter_show_settled(struct view *view, struct arena *arena, const ProtobufCMessage *response) {
    const Txcenter__Trade__V1__SettleMatterResponse *r = (const void *)response;
    struct table table;
    table_init(&table, arena, matter_columns);
    if (r->matter)
        add_matter(&table, r->matter);
    table_print(&table, view, 0);
}

// ---- Strays -------------------------------------------------------------------------------------------------------

static const struct table_column stray_columns[] = {
    {"nonce", false}, {"key", false},  {"of", false},  {"number", false}, {"amount", true},
    {"says", false},  {"at", false},   {"why", false}, {"trade", false},  {"settled", false},
    {"as", false},    {"note", false}, {NULL, false}};

static void add_stray(struct table *table, const Txcenter__Trade__V1__Stray *stray) {
    table_add(table, PAINT_BOLD, str_c(stray->nonce));
    table_add(table, PAINT_PLAIN, str_c(stray->key_id));
    table_add(table, PAINT_PLAIN, str_c(stray->of_refund ? "refund" : "payment"));
    table_add(table, PAINT_PLAIN, str_c(stray->number));
    add_money(table, stray->amount);
    table_add(table, words_paint(stray->state), str_c(stray->state));
    add_time(table, stray->received_at);
    table_add(table, stray->settled_at ? PAINT_DIM : PAINT_BAD, str_c(stray->why));
    table_add(table, PAINT_PLAIN, str_c(stray->trade_no));
    add_time(table, stray->settled_at);
    add_choice(table, PAINT_GOOD, &txcenter__trade__v1__stray_outcome__descriptor, (int)stray->outcome);
    add_note(table, stray->settled_by, stray->note, stray->reference);
}

void stray_show_list(struct view *view, struct arena *arena, const ProtobufCMessage *response) {
    const Txcenter__Trade__V1__ListStraysResponse *r = (const void *)response;
    struct table table;
    table_init(&table, arena, stray_columns);
    for (size_t i = 0; i < r->n_strays; i++)
        add_stray(&table, r->strays[i]);
    table_print_page(&table, view, r->next_page_token);
}

void stray_show_settled(struct view *view, struct arena *arena, const ProtobufCMessage *response) {
    const Txcenter__Trade__V1__SettleStrayResponse *r = (const void *)response;
    struct table table;
    table_init(&table, arena, stray_columns);
    if (r->stray)
        add_stray(&table, r->stray);
    table_print(&table, view, 0);
}
