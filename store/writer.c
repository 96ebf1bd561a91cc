// The writer: takes what is queued, commits it in one transaction, and finds out what went wrong when it does not go
// in.
//
// A batch is a stack of ranges. Normally there is one, the whole. A range that is refused is tried once more and then
// halved, until the one write that is the culprit is alone and fails; the ranges before and after it go in as they are.
// Ranges are taken in order, and a range leaves out the writes whose group has failed by then, so neither halving nor
// trying again changes what comes after what.
#include "store/parts.h"

#include <assert.h>
#include <stdlib.h>

// A batch that has come to this is full: servers have limits of their own for one transaction.
enum { BATCH_BYTES_MAX = 32 << 20 };

static bool take_batch(struct store *store) {
    struct writer *writer = &store->writer;
    pthread_mutex_lock(&store->mutex);
    uint32_t n = 0;
    for (size_t bytes = 0; n < store->options.batch_max && bytes < BATCH_BYTES_MAX; n++) {
        writer->batch[n] = write_queue_take(&store->writes);
        if (!writer->batch[n])
            break;
        bytes += writer->batch[n]->arena.used;
    }
    pthread_mutex_unlock(&store->mutex);
    writer->n_batch = n;
    writer->ranges[0] = (struct write_range){.to = n};
    writer->n_ranges = n ? 1 : 0;
    return n > 0;
}

static void fail(struct store_write *write, enum err code, const char *text) {
    write_fail(write, code, text);
    if (write->group)
        write->group->poisoned = true;
}

// Collects the operations of the range, and fails what must not go in. Returns how many writes have operations.
static uint32_t collect(struct writer *writer, const struct write_range *range) {
    uint32_t active = 0;
    writer->n_ops = 0;
    for (uint32_t i = range->from; i < range->to; i++) {
        struct store_write *write = writer->batch[i];
        if (write->code == ERR_OK && write->group && write->group->poisoned)
            fail(write, ERR_STORE_STALE, err_info(ERR_STORE_STALE)->text);
        if (write->code != ERR_OK) {
            if (write->group)
                write->group->poisoned = true;
            continue;
        }
        if (write->n_ops == 0 && !write->renews)
            continue;
        active++;
        if (write->n_ops == 0)
            continue;
        if (writer->n_ops + write->n_ops > writer->cap_ops) {
            writer->cap_ops = 2 * (writer->n_ops + write->n_ops);
            writer->ops = realloc(writer->ops, writer->cap_ops * sizeof *writer->ops);
            if (!writer->ops)
                abort();
        }
        memcpy(writer->ops + writer->n_ops, write->ops, write->n_ops * sizeof *write->ops);
        writer->n_ops += write->n_ops;
    }
    return active;
}

static void fail_range(struct store *store, const struct write_range *range, enum err code, const char *text) {
    for (uint32_t i = range->from; i < range->to; i++) {
        struct store_write *write = store->writer.batch[i];
        if (write->code != ERR_OK)
            continue;
        if (write->n_ops > 0 || write->renews)
            fail(write, code, text);
        else if (write->group && write->group->poisoned) // it says that what is before it is done, and that isn't
            fail(write, ERR_STORE_STALE, err_info(ERR_STORE_STALE)->text);
    }
}

// Hands the range's writes back, with one wake-up.
static void finish_range(struct store *store, const struct write_range *range) {
    struct writer *writer = &store->writer;
    assert(writer->n_ranges > 0 && range == &writer->ranges[writer->n_ranges - 1]);
    pthread_mutex_lock(&store->mutex);
    bool wake = store->done_writes.n == 0 && range->from < range->to;
    for (uint32_t i = range->from; i < range->to; i++) {
        struct store_write *write = writer->batch[i];
        store->stats.writes++;
        if (write->code != ERR_OK)
            store->stats.failed_writes++;
        else
            store->stats.rows += (int64_t)write->n_ops;
        write_queue_add(&store->done_writes, write);
    }
    pthread_mutex_unlock(&store->mutex);
    writer->n_ranges--;
    if (wake && store->options.wake)
        store->options.wake(store->options.wake_ctx);
}

static void halve(struct writer *writer) {
    struct write_range *range = &writer->ranges[writer->n_ranges - 1];
    assert(range->to - range->from > 1 && writer->n_ranges < WRITER_RANGES_MAX);
    uint32_t middle = range->from + (range->to - range->from) / 2;
    struct write_range first = {.from = range->from, .to = middle, .tried_again = true};
    *range = (struct write_range){.from = middle, .to = range->to, .tried_again = true};
    writer->ranges[writer->n_ranges++] = first;
}

// From now on every write fails with this, those of the batch first.
static void refuse_all(struct store *store, enum err code, const char *text) {
    struct writer *writer = &store->writer;
    writer->refuse = code;
    writer->unknown = false;
    memcpy(writer->refuse_text, text, ERR_TEXT_MAX);
    atomic_store(&store->refusing, true);
}

static enum worked backend_down(struct store *store) {
    struct writer *writer = &store->writer;
    if (store_is_closing(store)) {
        if (writer->last_try) {
            struct error error;
            if (writer->unknown)
                error_set(&error, ERR_INTERNAL,
                          "the store closed before it could find out whether the last batch was committed");
            else
                error_set(&error, ERR_STORE_UNAVAILABLE, NULL);
            refuse_all(store, error.code, error.text);
            return WORKED_SOME;
        }
        writer->last_try = true;
    }
    back_off_failed(&writer->back_off, &store->options);
    store_set_down(store, DOWN_WRITER, writer->back_off.failures > 1);
    pthread_mutex_lock(&store->mutex);
    store->stats.retries++;
    pthread_mutex_unlock(&store->mutex);
    return writer->back_off.wait_ms ? WORKED_LATER : WORKED_SOME;
}

static void backend_up(struct store *store) {
    if (store->writer.back_off.failures == 0)
        return;
    store->writer.back_off = (struct back_off){0};
    store_set_down(store, DOWN_WRITER, false);
}

static void committed(struct store *store, const struct write_range *range) {
    pthread_mutex_lock(&store->mutex);
    store->identity.batch_no++;
    store->stats.commits++;
    pthread_mutex_unlock(&store->mutex);
    store->writer.settle = true;
    finish_range(store, range);
}

// The range does not go in as it is. A conflict is not tried again: the row that is in the way stays there.
static void refused(struct store *store, struct write_range *range, uint32_t active, const struct error *error) {
    if (!range->tried_again && error->code != ERR_STORE_CONFLICT) {
        range->tried_again = true;
    } else if (active > 1) {
        halve(&store->writer);
    } else {
        fail_range(store, range, error->code, error->text);
        finish_range(store, range);
    }
}

static enum worked commit_range(struct store *store, struct write_range *range) {
    struct writer *writer = &store->writer;
    uint32_t active = collect(writer, range);
    if (active == 0) {
        finish_range(store, range);
        return WORKED_SOME;
    }
    struct error error = {0};
    if (writer->back_off.failures > 0 && !writer->conn->ops->revive(writer->conn, &error))
        return backend_down(store);
    struct backend_fence fence = {.instance = store->instance,
                                  .incarnation = store->identity.incarnation,
                                  .lease_ms = store->options.lease_ms,
                                  .leaving = atomic_load(&store->leaving)};
    int64_t begun_ns = clock_monotonic_ns(), begun_ms = clock_now_ms(store->options.clock);
    enum backend_result result = writer->conn->ops->commit(writer->conn, &fence, writer->ops, writer->n_ops, &error);
    int64_t took_ns = clock_monotonic_ns() - begun_ns;
    pthread_mutex_lock(&store->mutex);
    store->stats.commit_ns += took_ns;
    pthread_mutex_unlock(&store->mutex);
    // Unknown is a failure like any other as far as the back-off is concerned: a server that loses each COMMIT must not
    // be asked without a pause.
    writer->unknown = result == BACKEND_COMMIT_UNKNOWN;
    if (result == BACKEND_AGAIN || result == BACKEND_COMMIT_UNKNOWN)
        return backend_down(store);
    backend_up(store);
    switch (result) {
    case BACKEND_OK:
        store_renewed(store, begun_ms);
        committed(store, range);
        break;
    case BACKEND_REFUSED:
    case BACKEND_CONFLICT: refused(store, range, active, &error); break;
    case BACKEND_FULL:
        fail_range(store, range, ERR_STORE_FULL, error.text);
        finish_range(store, range);
        break;
    case BACKEND_FENCED: refuse_all(store, ERR_STORE_FENCED, error.text); break;
    case BACKEND_FATAL: store_die(store, "committing", &error);
    case BACKEND_AGAIN:
    case BACKEND_COMMIT_UNKNOWN: break;
    }
    return WORKED_SOME;
}

// Did the last commit take place? Raising our own incarnation finishes or defeats it; then the batch number tells.
static enum worked resolve(struct store *store, struct write_range *range) {
    struct writer *writer = &store->writer;
    struct error error = {0};
    if (!writer->conn->ops->revive(writer->conn, &error))
        return backend_down(store);
    struct backend_claim claim = {.instance = store->instance,
                                  .address = store->address,
                                  .token = store->token,
                                  .lease_ms = store->options.lease_ms,
                                  .kind = CLAIM_RESUME};
    struct store_identity identity;
    int64_t begun_ms = clock_now_ms(store->options.clock);
    enum backend_result result = store->backend->ops->claim(store->backend, &claim, &identity, &error);
    if (result == BACKEND_FATAL)
        store_die(store, "resolving a commit", &error);
    if (result == BACKEND_FENCED) {
        error_within(&error, "whether the last batch was committed before that is not known");
        refuse_all(store, ERR_STORE_FENCED, error.text);
        return WORKED_SOME;
    }
    if (result != BACKEND_OK)
        return backend_down(store);
    int64_t before = store->identity.batch_no;
    if (identity.batch_no != before && identity.batch_no != before + 1) {
        error_set(&error, ERR_STORE_CORRUPT, "batch_no is %lld, which must be %lld or one more",
                  (long long)identity.batch_no, (long long)before);
        store_die(store, "resolving a commit", &error);
    }
    store_renewed(store, begun_ms);
    writer->unknown = false;
    pthread_mutex_lock(&store->mutex);
    store->identity.incarnation = identity.incarnation;
    pthread_mutex_unlock(&store->mutex);
    if (identity.batch_no == before + 1) {
        backend_up(store);
        committed(store, range);
    }
    return WORKED_SOME;
}

enum worked writer_work(struct store *store) {
    struct writer *writer = &store->writer;
    if (writer->n_ranges == 0 && writer->settle) {
        writer->settle = false;
        struct error error = {0};
        if (writer->conn->ops->settle && writer->conn->ops->settle(writer->conn, &error) == BACKEND_FATAL)
            store_die(store, "settling", &error);
    }
    if (writer->n_ranges == 0 && !take_batch(store))
        return WORKED_NOT;
    struct write_range *range = &writer->ranges[writer->n_ranges - 1];
    if (writer->refuse != ERR_OK) {
        fail_range(store, range, writer->refuse, writer->refuse_text);
        finish_range(store, range);
        return WORKED_SOME;
    }
    return writer->unknown ? resolve(store, range) : commit_range(store, range);
}

void writer_release(struct writer *writer) {
    if (writer->conn)
        writer->conn->ops->close(writer->conn);
    free(writer->batch);
    free(writer->ops);
}
