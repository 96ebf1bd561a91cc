// The readers: each takes one query at a time, in order.
#include "store/parts.h"

#include <stdio.h>
#include <stdlib.h>

enum { TRIES_MAX = 3 }; // of one read, by a backend that is there

void read_queue_add(struct read_queue *queue, struct store_read *read) {
    read->next = NULL;
    if (queue->last)
        queue->last->next = read;
    else
        queue->first = read;
    queue->last = read;
    queue->n++;
}

struct store_read *read_queue_take(struct read_queue *queue) {
    struct store_read *read = queue->first;
    if (!read)
        return NULL;
    queue->first = read->next;
    if (!queue->first)
        queue->last = NULL;
    queue->n--;
    return read;
}

void read_destroy(struct store_read *read) {
    arena_release(&read->arena);
    free(read);
}

// What lists wait for says nothing of the rest.
static void set_down(struct store *store, const struct reader *reader, bool down) {
    if (reader == &store->readers[READS_LOOKUPS])
        store_set_down(store, DOWN_READER, down);
}

static void finish(struct store *store, struct reader *reader, const struct error *error) {
    struct store_read *read = reader->current;
    reader->current = NULL;
    if (reader->back_off.failures > 0)
        set_down(store, reader, false);
    reader->back_off = (struct back_off){0};
    if (error) {
        read->code = error->code;
        snprintf(read->text, sizeof read->text, "%s", error->text);
    }
    pthread_mutex_lock(&store->mutex);
    bool wake = store->done_reads.n == 0;
    store->stats.reads++;
    read_queue_add(&store->done_reads, read);
    pthread_mutex_unlock(&store->mutex);
    if (wake && store->options.wake)
        store->options.wake(store->options.wake_ctx);
}

static enum worked again_later(struct store *store, struct reader *reader) {
    if (store_is_closing(store)) {
        if (reader->last_try) {
            struct error error;
            error_set(&error, ERR_STORE_UNAVAILABLE, NULL);
            finish(store, reader, &error);
            return WORKED_SOME;
        }
        reader->last_try = true;
    }
    back_off_failed(&reader->back_off, &store->options);
    pthread_mutex_lock(&store->mutex);
    store->stats.retries++;
    pthread_mutex_unlock(&store->mutex);
    return reader->back_off.wait_ms ? WORKED_LATER : WORKED_SOME;
}

static enum worked backend_down(struct store *store, struct reader *reader) {
    set_down(store, reader, true);
    return again_later(store, reader);
}

// The connection is lost, or was in order: then it is this read that fails, and must not keep all others waiting.
static enum worked read_failed(struct store *store, struct reader *reader, const struct error *error) {
    struct store_read *read = reader->current;
    if (++read->failures < TRIES_MAX)
        return again_later(store, reader);
    struct error why = *error;
    why.code = ERR_STORE_UNAVAILABLE;
    finish(store, reader, &why);
    return WORKED_SOME;
}

enum { WIDEST = 1 << 20 }; // rows

// A page of readable rows is empty only behind the last of them: however many in a row can't be read, they are passed.
static enum backend_result read_page(struct backend_conn *conn, struct store_read *read, void **ret_rows, size_t *ret_n,
                                     struct error *error) {
    struct store_query query = read->query;
    size_t n = 0;
    enum backend_result result;
    do {
        result = conn->ops->read(conn, &query, &read->arena, ret_rows, &n, error);
        query.limit *= 2;
    } while (result == BACKEND_OK && n == 0 && query.readable && !query.count && query.limit <= WIDEST);
    *ret_n = query.count || n < read->query.limit ? n : read->query.limit;
    return result;
}

static enum worked reader_work(struct store *store, enum store_reader which) {
    struct reader *reader = &store->readers[which];
    if (!reader->current) {
        pthread_mutex_lock(&store->mutex);
        reader->current = read_queue_take(&store->reads[which]);
        pthread_mutex_unlock(&store->mutex);
    }
    struct store_read *read = reader->current;
    if (!read)
        return WORKED_NOT;
    struct error error = {0};
    if (reader->back_off.failures > 0 && !reader->conn->ops->revive(reader->conn, &error))
        return backend_down(store, reader);
    void *rows = NULL;
    size_t n = 0;
    switch (read_page(reader->conn, read, &rows, &n, &error)) {
    case BACKEND_OK:
        read->rows = rows;
        read->n = n;
        finish(store, reader, NULL);
        return WORKED_SOME;
    case BACKEND_FATAL: store_die(store, "reading", &error);
    case BACKEND_AGAIN:
    case BACKEND_FULL: return read_failed(store, reader, &error);
    default:
        if (!error_is(&error))
            error_set(&error, ERR_STORE_REFUSED, NULL);
        finish(store, reader, &error);
        return WORKED_SOME;
    }
}

static enum worked look_up(struct store *store) {
    return reader_work(store, READS_LOOKUPS);
}

static enum worked list(struct store *store) {
    return reader_work(store, READS_LISTS);
}

work_fn *const reader_works[READERS] = {[READS_LOOKUPS] = look_up, [READS_LISTS] = list};
