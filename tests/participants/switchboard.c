#include "tests/participants/switchboard.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void forward(void *service, struct rpc_inbound *in, const ProtobufCMessage *request) {
    const struct switchboard_line *line = service;
    if (line->to) {
        line->to->handle(line->service, in, request);
        return;
    }
    struct error error;
    error_set(&error, ERR_SHUTTING_DOWN, "nobody is there");
    rpc_fail(in, &error, NULL);
}

void switchboard_open(struct switchboard *board, struct rpc_inproc *net) {
    *board = (struct switchboard){.net = net};
}

void switchboard_close(struct switchboard *board) {
    for (size_t i = 0; i < board->n_lines; i++)
        free(board->lines[i]);
}

static struct switchboard_line *line_of(struct switchboard *board, const struct rpc_method *method) {
    for (size_t i = 0; i < board->n_lines; i++) {
        const struct rpc_method *known = &board->lines[i]->row.method;
        if (known->service == method->service && strcmp(known->name, method->name) == 0)
            return board->lines[i];
    }
    return NULL;
}

void switchboard_connect(struct switchboard *board, const struct rpc_route *row, void *service) {
    if (row->method.server_streaming)
        return;
    struct switchboard_line *line = line_of(board, &row->method);
    if (!line) {
        assert(board->n_lines < SWITCHBOARD_LINES_MAX);
        line = malloc(sizeof *line);
        assert(line);
        *line = (struct switchboard_line){.row = *row};
        line->row.handle = forward;
        board->lines[board->n_lines++] = line;
        rpc_inproc_add(board->net, &line->row, 1, line);
    }
    line->to = row;
    line->service = service;
}

void switchboard_cut(struct switchboard *board) {
    for (size_t i = 0; i < board->n_lines; i++)
        board->lines[i]->to = NULL;
    rpc_inproc_cut(board->net);
}
