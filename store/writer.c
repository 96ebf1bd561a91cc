// The writer: takes what is queued, commits it in one transaction, and finds out what went wrong when it does not go
// in.
//
// A batch is a stack of ranges. Normally there is one, the whole. A range that is refused is tried once more and then
// halved, until the one write that is the culprit is alone and fails; the ranges before and after it go in as they are.
// Ranges are taken in order, and a range leaves out the writes whose group has failed by then, so neither halving nor
// trying again changes what comes after what.
//
// Where the backend can stage, two batches are at work: while COMMIT of one is under way, the operations of the next
// one run. That lasts as long as all goes well. When anything else than OK comes of a batch, what was staged of the
// next is dropped, and collected anew when the batch before is through.
#include "store/parts.h"

#include <assert.h>
#include <stdlib.h>

// A batch that has come to this is full: servers have limits of their own for one transaction.
enum { BATCH_BYTES_MAX = 32 << 20 };

static bool take_batch(struct store *store, struct batch *batch) {
    pthread_mutex_lock(&store->mutex);
    uint32_t n = 0;
    for (size_t bytes = 0; n < store->options.batch_max && bytes < BATCH_BYTES_MAX; n++) {
        batch->writes[n] = write_queue_take(&store->writes);
        if (!batch->writes[n])
            break;
        bytes += batch->writes[n]->arena.used;
    }
    pthread_mutex_unlock(&store->mutex);
    batch->ranges[0] = (struct write_range){.to = n};
    batch->n_ranges = n ? 1 : 0;
    return n > 0;
}

static struct write_range *next_range(struct batch *batch) {
    assert(batch->n_ranges > 0);
    return &batch->ranges[batch->n_ranges - 1];
}

static void fail(struct store_write *write, enum err code, const char *text) {
    write_fail(write, code, text);
    if (write->group)
        write->group->poisoned = true;
}

// Collects the operations of the next range, and fails what must not go in. False when nothing is left to commit.
static bool collect(struct batch *batch) {
    const struct write_range *range = next_range(batch);
    batch->active = 0;
    batch->n_ops = 0;
    for (uint32_t i = range->from; i < range->to; i++) {
        struct store_write *write = batch->writes[i];
        if (write->code == ERR_OK && write->group && write->group->poisoned)
            fail(write, ERR_STORE_STALE, err_info(ERR_STORE_STALE)->text);
        if (write->code != ERR_OK) {
            if (write->group)
                write->group->poisoned = true;
            continue;
        }
        if (write->n_ops == 0 && !write->renews)
            continue;
        batch->active++;
        if (write->n_ops == 0)
            continue;
        if (batch->n_ops + write->n_ops > batch->cap_ops) {
            batch->cap_ops = 2 * (batch->n_ops + write->n_ops);
            batch->ops = realloc(batch->ops, batch->cap_ops * sizeof *batch->ops);
            if (!batch->ops)
                abort();
        }
        memcpy(batch->ops + batch->n_ops, write->ops, write->n_ops * sizeof *write->ops);
        batch->n_ops += write->n_ops;
    }
    return batch->active > 0;
}

static void fail_range(struct store *store, const struct write_range *range, enum err code, const char *text) {
    for (uint32_t i = range->from; i < range->to; i++) {
        struct store_write *write = store->writer.now.writes[i];
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
    struct batch *batch = &store->writer.now;
    assert(range == next_range(batch));
    pthread_mutex_lock(&store->mutex);
    bool wake = store->done_writes.n == 0 && range->from < range->to;
    for (uint32_t i = range->from; i < range->to; i++) {
        struct store_write *write = batch->writes[i];
        store->stats.writes++;
        if (write->code != ERR_OK)
            store->stats.failed_writes++;
        else
            store->stats.rows += (int64_t)write->n_ops;
        write_queue_add(&store->done_writes, write);
    }
    pthread_mutex_unlock(&store->mutex);
    if (--batch->n_ranges == 0)
        store->writer.n_through++;
    if (wake && store->options.wake)
        store->options.wake(store->options.wake_ctx);
}

static void halve(struct batch *batch) {
    struct write_range *range = next_range(batch);
    assert(range->to - range->from > 1 && batch->n_ranges < WRITER_RANGES_MAX);
    uint32_t middle = range->from + (range->to - range->from) / 2;
    struct write_range first = {.from = range->from, .to = middle, .tried_again = true};
    *range = (struct write_range){.from = middle, .to = range->to, .tried_again = true};
    batch->ranges[batch->n_ranges++] = first;
}

// From now on every write fails with this, those of the batch first.
static void refuse_all(struct store *store, enum err code, const char *text) {
    struct writer *writer = &store->writer;
    writer->refuse = code;
    writer->unknown = false;
    memcpy(writer->refuse_text, text, ERR_TEXT_MAX);
    atomic_store(&store->fenced, code == ERR_STORE_FENCED);
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
static void refused(struct store *store, struct write_range *range, const struct error *error) {
    struct batch *batch = &store->writer.now;
    if (!range->tried_again && error->code != ERR_STORE_CONFLICT) {
        range->tried_again = true;
    } else if (batch->active > 1) {
        halve(batch);
    } else {
        fail_range(store, range, error->code, error->text);
        finish_range(store, range);
    }
}

// ---- In steps ---------------------------------------------------------------------------------------------------

// Only whole batches, with nothing gone wrong: the rest is done by itself, with nothing else under way.
static bool in_steps(const struct writer *writer) {
    const struct batch *now = &writer->now;
    return writer->conn->ops->stage && writer->back_off.failures == 0 && now->n_ranges == 1 &&
           !now->ranges[0].tried_again;
}

static void took_lately(int64_t *lately_ns, int64_t took_ns) {
    *lately_ns += (took_ns - *lately_ns) / 8;
}

static enum backend_result stage_part(struct writer *writer, struct batch *batch, struct error *error) {
    int64_t begun_ns = clock_monotonic_ns();
    batch->stage_ns = batch->staged ? batch->stage_ns : 0;
    enum backend_result result = writer->conn->ops->stage(writer->conn, batch->ops, batch->n_ops, &batch->more, error);
    batch->staged = result == BACKEND_OK;
    batch->more = batch->staged && batch->more;
    batch->stage_ns += clock_monotonic_ns() - begun_ns;
    return result;
}

// Whether as much is queued as is being committed: a batch that is taken early must not become a small one, each of
// which costs a fence and a COMMIT.
static bool is_worth_it(struct store *store) {
    const struct write_range *range = next_range(&store->writer.now);
    pthread_mutex_lock(&store->mutex);
    bool worth = store->writes.n >= range->to - range->from;
    pthread_mutex_unlock(&store->mutex);
    return worth;
}

// Stages what has been queued meanwhile, until COMMIT of the batch before is answered; begins so late that it is done
// about then, since what is queued later has to wait for one batch more. What of it can't be staged is looked at when
// that batch is through: it may have to do with it.
static void stage_next(struct store *store) {
    struct writer *writer = &store->writer;
    const struct backend_conn_ops *ops = writer->conn->ops;
    struct batch *next = &writer->next;
    int64_t early_ns = writer->commit_ns - writer->stage_ns;
    if (ops->may_stage && !ops->may_stage(writer->conn, early_ns > 0 ? early_ns : 0))
        return;
    if (next->n_ranges == 0 && (!is_worth_it(store) || !take_batch(store, next)))
        return;
    if (!collect(next))
        return;
    struct error error = {0};
    next->more = true;
    while (next->more && (!ops->may_stage || ops->may_stage(writer->conn, 0)))
        if (stage_part(writer, next, &error) == BACKEND_FATAL)
            store_die(store, "writing", &error);
    next->more = next->staged && next->more;
    // Only of what was staged here it is known how long it takes, or takes at least: else seal() waits for it.
    if (next->staged)
        took_lately(&writer->stage_ns, next->stage_ns);
}

// What came of a batch that failed decides what becomes of the next one, which is collected anew then.
static void drop_next(struct writer *writer) {
    if (writer->next.staged)
        writer->conn->ops->drop(writer->conn);
    writer->next.staged = false;
}

static enum backend_result commit_in_steps(struct store *store, const struct backend_fence *fence,
                                           struct error *error) {
    struct writer *writer = &store->writer;
    const struct backend_conn_ops *ops = writer->conn->ops;
    struct batch *now = &writer->now;
    enum backend_result result = BACKEND_OK;
    now->more = now->more || !now->staged;
    while (result == BACKEND_OK && now->more)
        result = stage_part(writer, now, error);
    now->staged = false;
    if (result == BACKEND_OK)
        result = ops->seal(writer->conn, fence, error);
    if (result != BACKEND_OK)
        return result;
    int64_t sealed_ns = clock_monotonic_ns();
    stage_next(store);
    result = ops->finish(writer->conn, error);
    took_lately(&writer->commit_ns, clock_monotonic_ns() - sealed_ns);
    if (result != BACKEND_OK)
        drop_next(writer);
    return result;
}

// ---- Committing -------------------------------------------------------------------------------------------------

static enum backend_result commit_ops(struct store *store, struct error *error) {
    struct writer *writer = &store->writer;
    struct backend_fence fence = {.instance = store->instance,
                                  .incarnation = store->identity.incarnation,
                                  .lease_ms = store->options.lease_ms,
                                  .leaving = atomic_load(&store->leaving)};
    int64_t begun_ns = clock_monotonic_ns();
    enum backend_result result =
        in_steps(writer) ? commit_in_steps(store, &fence, error)
                         : writer->conn->ops->commit(writer->conn, &fence, writer->now.ops, writer->now.n_ops, error);
    int64_t took_ns = clock_monotonic_ns() - begun_ns;
    pthread_mutex_lock(&store->mutex);
    store->stats.commit_ns += took_ns;
    pthread_mutex_unlock(&store->mutex);
    return result;
}

static enum worked commit_range(struct store *store, struct write_range *range) {
    struct writer *writer = &store->writer;
    if (!writer->now.staged && !collect(&writer->now)) {
        finish_range(store, range);
        return WORKED_SOME;
    }
    struct error error = {0};
    if (writer->back_off.failures > 0 && !writer->conn->ops->revive(writer->conn, &error))
        return backend_down(store);
    int64_t begun_ms = clock_now_ms(store->options.clock);
    enum backend_result result = commit_ops(store, &error);
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
    case BACKEND_CONFLICT: refused(store, range, &error); break;
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
        struct error unknown = error;
        error_within(&unknown, "whether this was committed before that is not known");
        fail_range(store, range, ERR_ACCEPTANCE_UNKNOWN, unknown.text);
        refuse_all(store, ERR_STORE_FENCED, error.text);
        finish_range(store, range);
        return WORKED_SOME;
    }
    if (result != BACKEND_OK)
        return backend_down(store);
    if (identity.incarnation <= store->identity.incarnation)
        return backend_down(store); // what was read is not what was raised
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

// The batch to go on with; false when there is none.
static bool take_up(struct store *store) {
    struct writer *writer = &store->writer;
    if (writer->now.n_ranges > 0)
        return true;
    struct batch through = writer->now;
    writer->now = writer->next;
    writer->next = through;
    if (writer->now.n_ranges > 0)
        return true;
    if (writer->settle) {
        writer->settle = false;
        struct error error = {0};
        if (writer->conn->ops->settle && writer->conn->ops->settle(writer->conn, &error) == BACKEND_FATAL)
            store_die(store, "settling", &error);
    }
    return take_batch(store, &writer->now);
}

enum worked writer_work(struct store *store) {
    struct writer *writer = &store->writer;
    if (!take_up(store))
        return WORKED_NOT;
    struct write_range *range = next_range(&writer->now);
    if (writer->refuse != ERR_OK) {
        fail_range(store, range, writer->refuse, writer->refuse_text);
        finish_range(store, range);
        return WORKED_SOME;
    }
    return writer->unknown ? resolve(store, range) : commit_range(store, range);
}

bool writer_init(struct writer *writer, uint32_t batch_max) {
    writer->now.writes = calloc(batch_max, sizeof(struct store_write *));
    writer->next.writes = calloc(batch_max, sizeof(struct store_write *));
    return writer->now.writes && writer->next.writes;
}

static void release_batch(struct batch *batch) {
    for (uint32_t i = 0; i < batch->n_ranges; i++)
        for (uint32_t k = batch->ranges[i].from; k < batch->ranges[i].to; k++)
            write_destroy(batch->writes[k]);
    free(batch->writes);
    free(batch->ops);
}

void writer_release(struct writer *writer) {
    if (writer->conn)
        writer->conn->ops->close(writer->conn);
    release_batch(&writer->now);
    release_batch(&writer->next);
}
