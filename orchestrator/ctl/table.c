#include "orchestrator/ctl/table.h"

enum { CELL_MAX = 64 * 1024 };

void table_init(struct table *table, struct arena *arena, const struct table_column *columns) {
    *table = (struct table){.arena = arena, .columns = columns};
    while (columns[table->n_columns].title && table->n_columns < TABLE_COLUMNS_MAX)
        table->n_columns++;
}

static bool grow(struct table *table) {
    if (table->n_cells < table->cap)
        return true;
    size_t cap = table->cap ? table->cap * 2 : 64;
    struct table_cell *cells = arena_calloc(table->arena, cap, sizeof *cells);
    if (!cells || table->n_cells >= TABLE_ROWS_MAX * table->n_columns)
        return false;
    if (table->n_cells)
        memcpy(cells, table->cells, table->n_cells * sizeof *cells);
    table->cells = cells;
    table->cap = cap;
    return true;
}

void table_add(struct table *table, enum paint paint, struct str text) {
    struct buf escaped;
    buf_init(&escaped, CELL_MAX);
    view_escape(&escaped, text);
    struct str kept = STR_NONE;
    if (!table->failed && grow(table))
        kept = arena_str(table->arena, buf_str(&escaped));
    if (kept.ptr)
        table->cells[table->n_cells++] = (struct table_cell){kept, paint};
    else
        table->failed = true;
    buf_release(&escaped);
}

void table_addf(struct table *table, enum paint paint, const char *format, ...) {
    struct buf text;
    buf_init(&text, CELL_MAX);
    va_list args;
    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    table_add(table, paint, buf_str(&text));
    buf_release(&text);
}

void table_rule(struct table *table, struct str text) {
    table->rule = text;
    table->rule_at = table->n_cells;
}

// The text in the middle of a double line.
static void print_rule(const struct table *table, struct view *view, unsigned indent, const size_t *widths) {
    size_t all = 0, text = view_columns(table->rule) + 2;
    for (size_t c = 0; c < table->n_columns; c++)
        all += widths[c] > 0 ? widths[c] + 2 : 0;
    size_t most = view->width > indent ? view->width - indent : 0;
    all = all < most ? all : most;
    size_t before = all > text ? (all - text) / 2 : 1;
    view_pad(view, indent);
    for (size_t i = 0; i < before; i++)
        view_printf(view, "═");
    view_printf(view, " %.*s ", STR_FMT(table->rule));
    for (size_t i = before + text; i < all; i++)
        view_printf(view, "═");
    view_printf(view, "\n");
}

// 0: every cell of the column is empty.
static size_t width_of(const struct table *table, size_t column) {
    size_t width = 0;
    for (size_t i = column; i < table->n_cells; i += table->n_columns) {
        size_t columns = view_columns(table->cells[i].text);
        width = columns > width ? columns : width;
    }
    size_t title = view_columns(str_c(table->columns[column].title));
    return width == 0 ? 0 : width > title ? width : title;
}

static void print_cell(struct view *view, const struct table_cell *cell, size_t width, bool right, bool last) {
    size_t space = width - view_columns(cell->text);
    if (right)
        view_pad(view, space);
    view_text(view, cell->paint, cell->text);
    if (!right && !last)
        view_pad(view, space);
}

static void print_row(const struct table *table, struct view *view, unsigned indent, const size_t *widths,
                      const struct table_cell *cells) {
    size_t last = 0;
    for (size_t c = 0; c < table->n_columns; c++)
        if (widths[c] > 0 && !str_empty(cells[c].text))
            last = c;
    view_pad(view, indent);
    bool first = true;
    for (size_t c = 0; c <= last; c++) {
        if (widths[c] == 0)
            continue;
        view_pad(view, first ? 0 : 2);
        print_cell(view, &cells[c], widths[c], table->columns[c].right, c == last);
        first = false;
    }
    view_printf(view, "\n");
}

void table_print(const struct table *table, struct view *view, unsigned indent) {
    size_t widths[TABLE_COLUMNS_MAX] = {0};
    struct table_cell titles[TABLE_COLUMNS_MAX] = {0};
    for (size_t c = 0; c < table->n_columns; c++) {
        widths[c] = width_of(table, c);
        titles[c] = (struct table_cell){str_c(table->columns[c].title), PAINT_DIM};
    }
    print_row(table, view, indent, widths, titles);
    for (size_t i = 0; i + table->n_columns <= table->n_cells; i += table->n_columns) {
        if (table->rule.ptr && i == table->rule_at)
            print_rule(table, view, indent, widths);
        print_row(table, view, indent, widths, &table->cells[i]);
    }
    if (table->failed) {
        view_pad(view, indent);
        view_printf(view, "…\n");
    }
}

void table_print_page(const struct table *table, struct view *view, const char *next) {
    if (table->n_cells > 0)
        table_print(table, view, 0);
    else
        view_text(view, PAINT_DIM, STR("nothing"));
    if (table->n_cells == 0)
        view_printf(view, "\n");
    if (!*next)
        return;
    view_text(view, PAINT_DIM, STR("more: --page-token "));
    view_text(view, PAINT_PLAIN, str_c(next));
    view_printf(view, "\n");
}
