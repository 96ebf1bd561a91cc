#include "orchestrator/ctl/flow_view.h"

#include "orchestrator/ctl/table.h"

enum { MARGIN = 6, GAP = 2, LINES = 2 };

// How the frame of a box is drawn.
struct frame {
    const char *top_left, *top_right, *bottom_left, *bottom_right, *across, *down;
};
static const struct frame plain = {"┌", "┐", "└", "┘", "─", "│"};
static const struct frame dashed = {"┌", "┐", "└", "┘", "╌", "┊"};
static const struct frame doubled = {"╔", "╗", "╚", "╝", "═", "║"};

struct box {
    const struct frame *frame;
    struct str lines[LINES]; // escaped
    size_t columns;          // of the text
    enum paint paint;
};

// ---- Boxes --------------------------------------------------------------------------------------------------------

static bool is_pivot(const Txcenter__Saga__V1__FlowStep *step) {
    return strcmp(step->kind, "pivot") == 0;
}

static struct str escaped(struct arena *arena, struct str text) {
    struct buf out;
    buf_init(&out, 4096);
    view_escape(&out, text);
    struct str kept = arena_str(arena, buf_str(&out));
    buf_release(&out);
    return kept.ptr ? kept : STR("");
}

static struct box make_box(struct arena *arena, const Txcenter__Saga__V1__FlowStep *step) {
    struct box box = {.frame = is_pivot(step) ? &doubled
                               : step->core   ? &plain
                                              : &dashed,
                      .paint = is_pivot(step) ? PAINT_BOLD
                               : step->core   ? PAINT_PLAIN
                                              : PAINT_DIM};
    box.lines[0] =
        escaped(arena, arena_printf(arena, "%s%s%s", step->name, step->many ? " ×n" : "", step->has_undo ? " ↶" : ""));
    box.lines[1] = escaped(arena, arena_printf(arena, "%s%s%s%s", step->shape, *step->participant ? " " : "",
                                               step->participant, step->has_inquire ? " ?" : ""));
    for (int i = 0; i < LINES; i++) {
        size_t columns = view_columns(box.lines[i]);
        box.columns = columns > box.columns ? columns : box.columns;
    }
    return box;
}

static void draw_edge(struct view *view, const struct box *box, const char *left, const char *right) {
    struct buf edge;
    buf_init(&edge, 4096);
    buf_append(&edge, str_c(left));
    for (size_t i = 0; i < box->columns + 2; i++)
        buf_append(&edge, str_c(box->frame->across));
    buf_append(&edge, str_c(right));
    view_text(view, box->paint, buf_str(&edge));
    buf_release(&edge);
}

// Line 0 is the upper edge, 1 and 2 the text, 3 the lower edge.
static void draw_line(struct view *view, const struct box *box, int line) {
    if (line == 0) {
        draw_edge(view, box, box->frame->top_left, box->frame->top_right);
    } else if (line == LINES + 1) {
        draw_edge(view, box, box->frame->bottom_left, box->frame->bottom_right);
    } else {
        struct str text = box->lines[line - 1];
        view_text(view, box->paint, str_c(box->frame->down));
        view_printf(view, " ");
        view_text(view, line == 1 ? box->paint : PAINT_DIM, text);
        view_pad(view, box->columns - view_columns(text) + 1);
        view_text(view, box->paint, str_c(box->frame->down));
    }
}

// ---- Stages -------------------------------------------------------------------------------------------------------

// How many of the boxes fit beside each other; at least one.
static size_t fitting(const struct view *view, const struct box *boxes, size_t n) {
    size_t used = MARGIN, i = 0;
    while (i < n) {
        used += boxes[i].columns + 4 + (i ? GAP : 0);
        if (i > 0 && used > view->width)
            break;
        i++;
    }
    return i;
}

static void draw_row(struct view *view, const struct box *boxes, size_t n, int32_t stage, bool first) {
    for (int line = 0; line <= LINES + 1; line++) {
        if (line == 1 && first)
            view_printf(view, "%*d  ", MARGIN - 2, stage);
        else
            view_pad(view, MARGIN);
        for (size_t i = 0; i < n; i++) {
            view_pad(view, i ? GAP : 0);
            draw_line(view, &boxes[i], line);
        }
        view_printf(view, "\n");
    }
}

static void draw_stage(struct view *view, const struct box *boxes, size_t n, int32_t stage) {
    for (size_t done = 0; done < n;) {
        size_t row = fitting(view, boxes + done, n - done);
        draw_row(view, boxes + done, row, stage, done == 0);
        done += row;
    }
}

static void draw_watershed(struct view *view) {
    static const char whole[] = " watershed: above it everything can be undone, below it only forward ";
    const char *text = MARGIN + 8 + sizeof whole - 1 <= view->width ? whole : " watershed ";
    struct buf line;
    buf_init(&line, 4096);
    buf_printf(&line, "════%s════", text);
    for (size_t i = MARGIN + 8 + strlen(text); i < view->width; i++)
        buf_append(&line, STR("═"));
    view_pad(view, MARGIN);
    view_text(view, PAINT_BOLD, buf_str(&line));
    view_printf(view, "\n");
    buf_release(&line);
}

static void draw_legend(struct view *view) {
    static const char *const lines[] = {"↶ can be undone   ? can be asked what became of it   ×n several times at once",
                                        "dashed: not core, never fails the saga   double: the watershed"};
    view_printf(view, "\n");
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        view_text(view, PAINT_DIM, str_c(lines[i]));
        view_printf(view, "\n");
    }
}

void flow_show_picture(struct view *view, struct arena *arena, const Txcenter__Saga__V1__Flow *flow) {
    view_text(view, PAINT_BOLD, str_c(flow->name));
    view_printf(view, " v%d  ", flow->version);
    view_text(view, PAINT_PLAIN, str_c(flow->text));
    view_printf(view, "\n\n");
    struct box *boxes = arena_calloc(arena, flow->n_steps ? flow->n_steps : 1, sizeof *boxes);
    if (!boxes)
        return;
    for (size_t i = 0; i < flow->n_steps; i++)
        boxes[i] = make_box(arena, flow->steps[i]);
    for (size_t i = 0, n; i < flow->n_steps; i += n) {
        bool pivot = false;
        for (n = 0; i + n < flow->n_steps && flow->steps[i + n]->stage == flow->steps[i]->stage; n++)
            pivot = pivot || is_pivot(flow->steps[i + n]);
        if (i > 0) {
            view_pad(view, MARGIN + 4);
            view_printf(view, "│\n");
        }
        draw_stage(view, boxes + i, n, flow->steps[i]->stage);
        if (pivot)
            draw_watershed(view);
    }
    draw_legend(view);
}

// ---- Responses ----------------------------------------------------------------------------------------------------

void flow_show_graph(struct view *view, struct arena *arena, const ProtobufCMessage *response) {
    const Txcenter__Saga__V1__GetFlowResponse *r = (const void *)response;
    if (r->flow)
        flow_show_picture(view, arena, r->flow);
}

void flow_show_list(struct view *view, struct arena *arena, const ProtobufCMessage *response) {
    static const struct table_column columns[] = {
        {"flow", false}, {"version", true}, {"steps", true}, {"", false}, {NULL, false}};
    const Txcenter__Saga__V1__ListFlowsResponse *r = (const void *)response;
    struct table table;
    table_init(&table, arena, columns);
    for (size_t i = 0; i < r->n_flows; i++) {
        table_add(&table, PAINT_BOLD, str_c(r->flows[i]->name));
        table_addf(&table, PAINT_PLAIN, "%d", r->flows[i]->version);
        table_addf(&table, PAINT_PLAIN, "%zu", r->flows[i]->n_steps);
        table_add(&table, PAINT_PLAIN, str_c(r->flows[i]->text));
    }
    table_print_page(&table, view, "");
}
