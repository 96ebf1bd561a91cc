// Writes before they are submitted and after they are delivered: filling, pooling.
#include "store/parts.h"

#include "store/row.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

void write_queue_add(struct write_queue *queue, struct store_write *write) {
    write->next = NULL;
    if (queue->last)
        queue->last->next = write;
    else
        queue->first = write;
    queue->last = write;
    queue->n++;
}

struct store_write *write_queue_take(struct write_queue *queue) {
    struct store_write *write = queue->first;
    if (!write)
        return NULL;
    queue->first = write->next;
    if (!queue->first)
        queue->last = NULL;
    queue->n--;
    return write;
}

void write_fail(struct store_write *write, enum err code, const char *text) {
    write->code = code;
    snprintf(write->text, sizeof write->text, "%s", text);
}

void write_destroy(struct store_write *write) {
    arena_release(&write->arena);
    free(write->ops);
    free(write);
}

struct store_write *store_write_new(struct store *store) {
    struct store_write *write = store->spare_writes;
    if (write) {
        store->spare_writes = write->next;
        store->n_spare_writes--;
        write->next = NULL;
        return write;
    }
    write = calloc(1, sizeof *write);
    if (!write)
        abort();
    write->store = store;
    arena_init(&write->arena, STORE_WRITE_BYTES_MAX);
    return write;
}

void store_write_free(struct store_write *write) {
    if (!write)
        return;
    struct store *store = write->store;
    if (store->n_spare_writes == SPARE_WRITES_MAX || write->arena.used > SPARE_BYTES_MAX ||
        write->cap_ops > SPARE_ROWS_MAX) {
        write_destroy(write);
        return;
    }
    arena_reset(&write->arena);
    write->n_ops = 0;
    write->renews = false;
    write->group = NULL;
    write->code = ERR_OK;
    write->next = store->spare_writes;
    store->spare_writes = write;
    store->n_spare_writes++;
}

void store_row(struct store_write *write, const struct store_table *table, enum store_verb verb, const void *row) {
    assert(verb <= STORE_DELETE);
    if (write->code != ERR_OK)
        return;
    struct error error = {0};
    if (!row_check(table, row, verb == STORE_DELETE, &error)) {
        write_fail(write, error.code, error.text);
        return;
    }
    if (write->n_ops == write->cap_ops) {
        size_t cap = write->cap_ops ? 2 * write->cap_ops : 4;
        struct store_op *ops = cap <= STORE_WRITE_ROWS_MAX ? realloc(write->ops, cap * sizeof *ops) : NULL;
        if (!ops) {
            write_fail(write, ERR_STORE_REFUSED, "the write has too many rows");
            return;
        }
        write->ops = ops;
        write->cap_ops = cap;
    }
    const void *copy = row_copy(table, row, verb == STORE_DELETE, &write->arena);
    if (!copy) {
        write_fail(write, ERR_STORE_REFUSED, "the write is too large");
        return;
    }
    write->ops[write->n_ops++] = (struct store_op){.table = table, .verb = verb, .row = copy};
}

void store_write_renews(struct store_write *write) {
    write->renews = true;
}

size_t store_write_rows(const struct store_write *write) {
    return write->n_ops;
}
