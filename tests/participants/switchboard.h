// Rows of a server that may die and come back, on an in-process net: whoever calls keeps its channel. While nobody
// stands behind a row its callers are refused as by a host that is down.
#ifndef TXC_TESTS_PARTICIPANTS_SWITCHBOARD_H
#define TXC_TESTS_PARTICIPANTS_SWITCHBOARD_H

#include "rpc/inproc.h"

enum { SWITCHBOARD_LINES_MAX = 160 };

struct switchboard_line {
    struct rpc_route row; // what the net knows
    const struct rpc_route *to;
    void *service; // behind `to`
};

struct switchboard {
    struct rpc_inproc *net;
    struct switchboard_line *lines[SWITCHBOARD_LINES_MAX];
    size_t n_lines;
};

void switchboard_open(struct switchboard *board, struct rpc_inproc *net);
// After the net was freed.
void switchboard_close(struct switchboard *board);

// The row is served from now on. Streams are left out.
void switchboard_connect(struct switchboard *board, const struct rpc_route *row, void *service);

// Who stood behind the rows is dead: every call under way ends with UNKNOWN, later ones are refused.
void switchboard_cut(struct switchboard *board);

#endif
