// Aligned columns. Cells are escaped when they are added, so anything may go in.
#ifndef TXC_ORCHESTRATOR_CTL_TABLE_H
#define TXC_ORCHESTRATOR_CTL_TABLE_H

#include "orchestrator/ctl/view.h"

enum { TABLE_COLUMNS_MAX = 16, TABLE_ROWS_MAX = 4096 };

struct table_column {
    const char *title; // NULL ends the list
    bool right;        // aligned to the right
};

struct table_cell {
    struct str text; // escaped
    enum paint paint;
};

struct table {
    struct arena *arena;
    const struct table_column *columns;
    size_t n_columns, n_cells, cap;
    struct table_cell *cells; // row by row
    struct str rule;          // of table_rule()
    size_t rule_at;           // behind so many cells
    bool failed;              // no memory, or more rows than TABLE_ROWS_MAX
};

// `columns` is borrowed; cells live in the arena.
void table_init(struct table *table, struct arena *arena, const struct table_column *columns);

// The next cell of the current row; after the last one the next row begins.
void table_add(struct table *table, enum paint paint, struct str text);
void table_addf(struct table *table, enum paint paint, const char *format, ...) __attribute__((format(printf, 3, 4)));

// A line across all columns, behind the rows that are there. Text of our own. A table has one at most.
void table_rule(struct table *table, struct str text);

// With a line of titles. Columns whose cells are all empty are left out. Ends with "…" when rows were dropped.
void table_print(const struct table *table, struct view *view, unsigned indent);

// One page of a list: the table, or that there is nothing, and how to get the next page. `next` is the page token, ""
// on the last page.
void table_print_page(const struct table *table, struct view *view, const char *next);

#endif
