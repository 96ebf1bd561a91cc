#include "orchestrator/ctl/anomaly_view.h"

#include "orchestrator/ctl/reading.h"
#include "orchestrator/ctl/table.h"
#include "orchestrator/ctl/words.h"

static void add_time(struct table *table, const Google__Protobuf__Timestamp *at) {
    char text[VIEW_TIME_MAX];
    reading_time(at, text);
    table_add(table, PAINT_PLAIN, str_c(text));
}

void anomaly_show_list(struct view *view, struct arena *arena, const ProtobufCMessage *response) {
    static const struct table_column columns[] = {{"anomaly", false}, {"of", false},    {"flow", false},
                                                  {"step", false},    {"since", false}, {"seen", false},
                                                  {"over", false},    {"what", false},  {NULL, false}};
    const Txcenter__Saga__V1__ListAnomaliesResponse *r = (const void *)response;
    struct table table;
    table_init(&table, arena, columns);
    for (size_t i = 0; i < r->n_anomalies; i++) {
        const Txcenter__Saga__V1__Anomaly *anomaly = r->anomalies[i];
        char kind[WORDS_MAX];
        words_choice(&txcenter__saga__v1__anomaly_kind__descriptor, (int)anomaly->kind, kind);
        table_add(&table, anomaly->cleared_at ? PAINT_DIM : PAINT_BAD, str_c(kind));
        table_add(&table, PAINT_BOLD, str_c(anomaly->gid[0] ? anomaly->gid : anomaly->subject));
        table_add(&table, PAINT_PLAIN, str_c(anomaly->flow));
        table_add(&table, PAINT_PLAIN, str_c(anomaly->step));
        add_time(&table, anomaly->first_seen_at);
        add_time(&table, anomaly->last_seen_at);
        add_time(&table, anomaly->cleared_at);
        table_add(&table, PAINT_PLAIN, str_c(anomaly->text));
    }
    table_print_page(&table, view, r->next_page_token);
}
