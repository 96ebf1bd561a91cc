#include "orchestrator/ctl/stats_view.h"

#include "orchestrator/ctl/table.h"
#include "txcenter/ops/v1/stats.pb-c.h"

#include <inttypes.h>

void stats_show(struct view *view, struct arena *arena, const ProtobufCMessage *response) {
    static const struct table_column columns[] = {{"counter", false}, {"value", true}, {"what", false}, {0}};
    const Txcenter__Ops__V1__GetStatsResponse *stats = (const void *)response;
    struct table table;
    table_init(&table, arena, columns);
    for (size_t i = 0; i < stats->n_stats; i++) {
        table_add(&table, PAINT_PLAIN, str_c(stats->stats[i]->name));
        table_addf(&table, PAINT_BOLD, "%" PRId64, stats->stats[i]->value);
        table_add(&table, PAINT_DIM, str_c(stats->stats[i]->text));
    }
    table_print(&table, view, 0);
    for (size_t i = 0; i < stats->n_warnings; i++) {
        view_text(view, PAINT_WARN, STR("warning: "));
        view_text(view, PAINT_PLAIN, str_c(stats->warnings[i]));
        view_printf(view, "\n");
    }
}
