// The owner's side of a store: opening and closing, handing over, delivering. The workers' sides are writer.c,
// reader.c.
#include "store/parts.h"

#include "store/query.h"
#include "store/schema.h"
#include "store/thread.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

enum {
    BATCH_MAX = 512,
    QUEUE_MAX = 65536,
    READS_MAX = 4096,
    RETRY_FIRST_MS = 50,
    RETRY_MAX_MS = 2000,
};

void store_die(const struct store *store, const char *what, const struct error *error) {
    fprintf(stderr, "txcenter: the store %s failed while %s, and what it holds can't be told any more: %s\n",
            store->backend->ops->name, what, error->text);
    abort();
}

void store_renewed(struct store *store, int64_t begun_ms) {
    atomic_store(&store->lease_end_ms, begun_ms + store->options.lease_ms);
}

bool store_is_closing(struct store *store) {
    pthread_mutex_lock(&store->mutex);
    bool closing = store->closing;
    pthread_mutex_unlock(&store->mutex);
    return closing;
}

void store_set_down(struct store *store, enum store_down worker, bool down) {
    if (down)
        atomic_fetch_or(&store->down, worker);
    else
        atomic_fetch_and(&store->down, ~(unsigned)worker);
}

void back_off_failed(struct back_off *back_off, const struct store_options *options) {
    uint32_t failures = ++back_off->failures;
    if (failures == 1) {
        back_off->wait_ms = 0;
        return;
    }
    uint64_t wait_ms = failures < 32 ? (uint64_t)options->retry_first_ms << (failures - 2) : UINT32_MAX;
    back_off->wait_ms = wait_ms < options->retry_max_ms ? (uint32_t)wait_ms : options->retry_max_ms;
}

// ---- Threads ----------------------------------------------------------------------------------------------------

static void sleep_on(struct store *store, pthread_cond_t *cond, uint32_t wait_ms) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += wait_ms / 1000;
    until.tv_nsec += (long)(wait_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    while (!store->closing && pthread_cond_timedwait(cond, &store->mutex, &until) == 0)
        ;
}

// Round by round until the store closes and nothing is queued, or until it is abandoned.
static void work(struct store *store, work_fn *round, pthread_cond_t *cond, bool *sleeps, const size_t *queued,
                 const struct back_off *back_off) {
    bool more = true;
    while (more) {
        enum worked came_to = round(store);
        pthread_mutex_lock(&store->mutex);
        if (came_to == WORKED_LATER)
            sleep_on(store, cond, back_off->wait_ms);
        *sleeps = true;
        while (came_to == WORKED_NOT && *queued == 0 && !store->closing)
            pthread_cond_wait(cond, &store->mutex);
        *sleeps = false;
        more = !store->abandoned && (came_to != WORKED_NOT || *queued > 0 || !store->closing);
        pthread_mutex_unlock(&store->mutex);
    }
}

static void *writer_main(void *arg) {
    struct store *store = arg;
    work(store, writer_work, &store->writer_wakes, &store->writer_sleeps, &store->writes.n, &store->writer.back_off);
    return NULL;
}

static void read_as(struct store *store, enum store_reader reader) {
    work(store, reader_works[reader], &store->reader_wakes[reader], &store->reader_sleeps[reader],
         &store->reads[reader].n, &store->readers[reader].back_off);
}

static void *lookups_main(void *arg) {
    read_as(arg, READS_LOOKUPS);
    return NULL;
}

static void *lists_main(void *arg) {
    read_as(arg, READS_LISTS);
    return NULL;
}

static void *keeper_main(void *arg) {
    struct store *store = arg;
    work(store, keeper_work, &store->keeper_wakes, &store->keeper_sleeps, &store->taking.queued,
         &store->keeper.back_off);
    return NULL;
}

static void wake_all(struct store *store) {
    pthread_cond_signal(&store->writer_wakes);
    for (unsigned i = 0; i < READERS; i++)
        pthread_cond_signal(&store->reader_wakes[i]);
    pthread_cond_signal(&store->keeper_wakes);
}

static void join_threads(struct store *store) {
    while (store->n_threads > 0)
        pthread_join(store->threads[--store->n_threads], NULL);
}

// The keeper only where somebody may be taken over from.
static bool start_threads(struct store *store, struct error *error) {
    static const struct {
        void *(*run)(void *);
        const char *name;
    } workers[STORE_THREADS] = {{writer_main, "store-writer"},
                                {lookups_main, "store-reader"},
                                {lists_main, "store-lists"},
                                {keeper_main, "store-keeper"}};
    unsigned n = store->options.lease_ms ? STORE_THREADS : STORE_THREADS - 1;
    for (unsigned i = 0; i < n; i++, store->n_threads++)
        if (!thread_start(&store->threads[i], workers[i].run, store, workers[i].name))
            break;
    if (store->n_threads == n)
        return true;
    pthread_mutex_lock(&store->mutex);
    store->closing = true;
    wake_all(store);
    pthread_mutex_unlock(&store->mutex);
    join_threads(store);
    return error_set(error, ERR_INTERNAL, "no thread for the store");
}

// ---- Opening and closing ----------------------------------------------------------------------------------------

void store_backend_free(struct store_backend *backend) {
    if (backend)
        backend->ops->free(backend);
}

static void drop_writes(struct write_queue *queue) {
    for (struct store_write *write; (write = write_queue_take(queue));)
        write_destroy(write);
}

static void drop_reads(struct read_queue *queue) {
    for (struct store_read *read; (read = read_queue_take(queue));)
        read_destroy(read);
}

static void destroy(struct store *store) {
    for (unsigned i = 0; i < READERS; i++) {
        struct reader *reader = &store->readers[i];
        if (reader->current)
            read_destroy(reader->current);
        if (reader->conn)
            reader->conn->ops->close(reader->conn);
        drop_reads(&store->reads[i]);
        pthread_cond_destroy(&store->reader_wakes[i]);
    }
    writer_release(&store->writer); // last, for SQLite tidies up when its last connection closes
    drop_writes(&store->held);
    drop_writes(&store->writes);
    drop_writes(&store->done_writes);
    drop_reads(&store->done_reads);
    for (struct store_write *write; (write = store->spare_writes);) {
        store->spare_writes = write->next;
        write_destroy(write);
    }
    for (struct store_read *read; (read = store->spare_reads);) {
        store->spare_reads = read->next;
        read_destroy(read);
    }
    store_backend_free(store->backend);
    pthread_cond_destroy(&store->writer_wakes);
    pthread_cond_destroy(&store->keeper_wakes);
    pthread_mutex_destroy(&store->mutex);
    free((void *)(uintptr_t)store->tables);
    free(store);
}

static uint32_t or_default(uint32_t value, uint32_t otherwise) {
    return value ? value : otherwise;
}

static bool set_options(struct store *store, const struct store_options *options, struct error *error) {
    store->options = *options;
    store->options.batch_max = or_default(options->batch_max, BATCH_MAX);
    store->options.queue_max = or_default(options->queue_max, QUEUE_MAX);
    store->options.reads_max = or_default(options->reads_max, READS_MAX);
    store->options.retry_first_ms = or_default(options->retry_first_ms, RETRY_FIRST_MS);
    store->options.retry_max_ms = or_default(options->retry_max_ms, RETRY_MAX_MS);
    struct str instance = str_c(options->instance), address = str_c(options->address);
    if (str_empty(instance) || !str_copy(instance, store->instance, sizeof store->instance) || !str_is_utf8(instance))
        return error_set(error, ERR_CONFIG_INVALID, "the instance's name has 1 to %d bytes", STORE_INSTANCE_MAX);
    if (!str_copy(address, store->address, sizeof store->address) || !str_is_utf8(address))
        return error_set(error, ERR_CONFIG_INVALID, "the instance's address has at most %d bytes", STORE_ADDRESS_MAX);
    if (store->options.lease_ms && !store->backend->ops->take_over)
        store->options.lease_ms = 0; // nobody else is there
    return writer_init(&store->writer, store->options.batch_max) || error_set(error, ERR_INTERNAL, "no memory");
}

static bool open_backend(struct store *store, struct error *error) {
    struct store_backend *backend = store->backend;
    struct backend_claim claim = {
        .instance = store->instance,
        .address = store->address,
        .lease_ms = store->options.lease_ms,
        .kind = store->options.returning ? CLAIM_RETURN : CLAIM_OPEN,
    };
    while (claim.token == 0)
        if (getrandom(&claim.token, sizeof claim.token, 0) != sizeof claim.token)
            return error_set(error, ERR_INTERNAL, "no random number");
    store->token = claim.token;
    if (!backend->ops->migrate(backend, store->tables, error))
        return false;
    store_renewed(store, clock_now_ms(store->options.clock));
    if (backend->ops->claim(backend, &claim, &store->identity, error) != BACKEND_OK)
        return false;
    if (!backend->ops->connect(backend, true, &store->writer.conn, error))
        return false;
    for (unsigned i = 0; i < READERS; i++)
        if (!backend->ops->connect(backend, false, &store->readers[i].conn, error))
            return false;
    return true;
}

bool store_open(struct store_backend *backend, const struct store_options *options, struct store **ret_store,
                struct error *error) {
    struct store *store = calloc(1, sizeof *store);
    if (!store)
        abort();
    store->backend = backend;
    pthread_mutex_init(&store->mutex, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&store->writer_wakes, &attributes);
    for (unsigned i = 0; i < READERS; i++)
        pthread_cond_init(&store->reader_wakes[i], &attributes);
    pthread_cond_init(&store->keeper_wakes, &attributes);
    pthread_condattr_destroy(&attributes);
    const struct store_table *const *all = NULL;
    bool done = schema_with_own(options->tables, &all, error);
    store->tables = all;
    done = done && set_options(store, options, error) && open_backend(store, error) &&
           (!options->threaded || start_threads(store, error));
    if (!done) {
        error_within(error, "opening the store (%s)", backend->ops->name);
        destroy(store);
        return false;
    }
    *ret_store = store;
    return true;
}

static void stop(struct store *store, bool abandon) {
    pthread_mutex_lock(&store->mutex);
    store->closing = true;
    store->abandoned = abandon;
    wake_all(store);
    pthread_mutex_unlock(&store->mutex);
    join_threads(store);
}

void store_close(struct store *store) {
    if (!store)
        return;
    assert(!store->delivering);
    store_flush(store);
    store->closed = true;
    stop(store, false);
    if (!store->options.threaded) {
        // A back-off is not waited for: the workers give up after one more try.
        while (writer_work(store) != WORKED_NOT)
            ;
        for (unsigned i = 0; i < READERS; i++)
            while (reader_works[i](store) != WORKED_NOT)
                ;
        while (keeper_work(store) != WORKED_NOT)
            ;
    }
    while (store_poll(store) > 0)
        ;
    destroy(store);
}

void store_abandon(struct store *store) {
    stop(store, true);
    destroy(store);
}

// ---- Handing over -----------------------------------------------------------------------------------------------

void store_flush(struct store *store) {
    if (store->held.n == 0)
        return;
    pthread_mutex_lock(&store->mutex);
    for (struct store_write *write; (write = write_queue_take(&store->held));)
        write_queue_add(&store->writes, write);
    if (store->writer_sleeps)
        pthread_cond_signal(&store->writer_wakes);
    pthread_mutex_unlock(&store->mutex);
}

void store_submit(struct store *store, struct store_write *write, struct store_group *group, store_done_fn *done,
                  void *ctx) {
    write->group = group;
    write->done = done;
    write->ctx = ctx;
    if (group)
        group->in_flight++;
    store->writes_in_flight++;
    if (store->closed && write->code == ERR_OK)
        write_fail(write, ERR_SHUTTING_DOWN, err_info(ERR_SHUTTING_DOWN)->text);
    if (store->closed) {
        pthread_mutex_lock(&store->mutex);
        write_queue_add(&store->done_writes, write);
        pthread_mutex_unlock(&store->mutex);
        return;
    }
    write_queue_add(&store->held, write);
    if (!store->options.hold || store->held.n >= store->options.batch_max)
        store_flush(store);
    else if (store->held.n == 1)
        store->options.hold(store->options.hold_ctx);
}

uint32_t store_room(const struct store *store) {
    if (atomic_load(&store->down) || atomic_load(&store->refusing))
        return 0;
    uint32_t max = store->options.queue_max;
    return store->writes_in_flight < max ? max - store->writes_in_flight : 0;
}

uint32_t store_queue_max(const struct store *store) {
    return store->options.queue_max;
}

void store_group_reset(struct store_group *group) {
    assert(group->in_flight == 0);
    *group = (struct store_group){0};
}

static struct store_read *read_new(struct store *store) {
    struct store_read *read = store->spare_reads;
    if (read) {
        store->spare_reads = read->next;
        store->n_spare_reads--;
        return read;
    }
    read = calloc(1, sizeof *read);
    if (!read)
        abort();
    arena_init(&read->arena, STORE_READ_BYTES_MAX);
    return read;
}

void store_read(struct store *store, const struct store_query *query, store_rows_fn *done, void *ctx) {
    struct store_read *read = read_new(store);
    enum store_reader reader = query->list ? READS_LISTS : READS_LOOKUPS;
    read->reader = reader;
    read->done = done;
    read->ctx = ctx;
    struct error error = {0};
    if (store->closed)
        error_set(&error, ERR_SHUTTING_DOWN, NULL);
    else if (store->reads_in_flight[reader] >= store->options.reads_max)
        error_set(&error, ERR_OVERLOADED, "%u reads are waiting already", store->reads_in_flight[reader]);
    else if (query_check(query, &error) && !query_copy(query, &read->arena, &read->query))
        error_set(&error, ERR_STORE_REFUSED, "the query is too large");
    read->code = error.code;
    memcpy(read->text, error.text, sizeof read->text);
    store->reads_in_flight[reader]++;
    pthread_mutex_lock(&store->mutex);
    read_queue_add(error_is(&error) ? &store->done_reads : &store->reads[reader], read);
    if (store->reader_sleeps[reader])
        pthread_cond_signal(&store->reader_wakes[reader]);
    pthread_mutex_unlock(&store->mutex);
    if (error_is(&error) && store->options.wake)
        store->options.wake(store->options.wake_ctx);
}

// ---- Delivering -------------------------------------------------------------------------------------------------

static const struct error *error_of(enum err code, const char *text, struct error *error) {
    if (code == ERR_OK)
        return NULL;
    *error = (struct error){.code = code};
    memcpy(error->text, text, sizeof error->text);
    return error;
}

static void deliver_write(struct store *store, struct store_write *write) {
    store->writes_in_flight--;
    if (write->group) {
        write->group->in_flight--;
        write->group->failed = write->group->failed || write->code != ERR_OK;
    }
    struct error error;
    if (write->done)
        write->done(write->ctx, error_of(write->code, write->text, &error));
    store_write_free(write);
}

static void deliver_read(struct store *store, struct store_read *read) {
    store->reads_in_flight[read->reader]--;
    struct error error;
    read->done(read->ctx, error_of(read->code, read->text, &error), read->rows, read->n);
    if (store->n_spare_reads == SPARE_READS_MAX || read->arena.used > SPARE_BYTES_MAX) {
        read_destroy(read);
        return;
    }
    arena_reset(&read->arena);
    read->rows = NULL;
    read->n = 0;
    read->failures = 0;
    read->next = store->spare_reads;
    store->spare_reads = read;
    store->n_spare_reads++;
}

size_t store_poll(struct store *store) {
    assert(!store->delivering);
    pthread_mutex_lock(&store->mutex);
    struct write_queue writes = store->done_writes;
    struct read_queue reads = store->done_reads;
    store->done_writes = (struct write_queue){0};
    store->done_reads = (struct read_queue){0};
    pthread_mutex_unlock(&store->mutex);
    size_t delivered = writes.n + reads.n;
    store->delivering = true;
    for (struct store_write *write; (write = write_queue_take(&writes));)
        deliver_write(store, write);
    for (struct store_read *read; (read = read_queue_take(&reads));)
        deliver_read(store, read);
    delivered += keeper_deliver(store);
    store->delivering = false;
    return delivered;
}

// ---- Without threads --------------------------------------------------------------------------------------------

// Turns until nothing is queued, one more is `through`, or a back-off begins. True while there is more to do.
static bool pump(struct store *store, work_fn *round, const struct back_off *back_off, int64_t *due_ms,
                 const uint32_t *through) {
    uint32_t before = through ? *through : 0;
    int64_t now_ms = clock_now_ms(store->options.clock);
    if (back_off->failures > 0 && now_ms < *due_ms)
        return true;
    enum worked came_to;
    do
        came_to = round(store);
    while (came_to == WORKED_SOME && !(through && *through != before));
    if (came_to == WORKED_LATER)
        *due_ms = now_ms + back_off->wait_ms;
    return came_to != WORKED_NOT;
}

bool store_pump(struct store *store) {
    assert(!store->options.threaded);
    store_flush(store);
    struct writer *writer = &store->writer;
    bool more = pump(store, writer_work, &writer->back_off, &store->writer_due_ms, &writer->n_through);
    bool writes_wait = more && (writer->now.n_ranges > 0 || writer->next.n_ranges > 0 || store->writes.n > 0);
    bool reads_wait = false;
    for (unsigned i = 0; i < READERS; i++)
        if (pump(store, reader_works[i], &store->readers[i].back_off, &store->reader_due_ms[i], NULL))
            reads_wait = true;
    bool taking_waits = pump(store, keeper_work, &store->keeper.back_off, &store->keeper_due_ms, NULL);
    return writes_wait || reads_wait || taking_waits;
}

// ---- What it is and does ----------------------------------------------------------------------------------------

// The mutex of a store that is only looked at.
static pthread_mutex_t *mutex_of(const struct store *store) {
    return (pthread_mutex_t *)(uintptr_t)&store->mutex;
}

void store_identity(const struct store *store, struct store_identity *ret_identity) {
    pthread_mutex_lock(mutex_of(store));
    *ret_identity = store->identity;
    pthread_mutex_unlock(mutex_of(store));
}

void store_stats(const struct store *store, struct store_stats *ret_stats) {
    pthread_mutex_lock(mutex_of(store));
    *ret_stats = store->stats;
    ret_stats->queue = (int64_t)(store->writes.n + store->held.n);
    ret_stats->down = atomic_load(&store->down) != 0;
    pthread_mutex_unlock(mutex_of(store));
}

const char *store_durability_warning(const struct store *store) {
    struct store_backend *backend = store->backend;
    return backend->ops->durability_warning ? backend->ops->durability_warning(backend) : NULL;
}
