#include "tests/store/bed.h"

#include "store/row.h"
#include "tests/cmocka.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

enum { PATIENCE_S = 60 };

static int64_t virtual_now_ms(void *ctx) {
    return ((struct bed *)ctx)->now_ms;
}

static void wake(void *ctx) {
    struct bed *bed = ctx;
    pthread_mutex_lock(&bed->mutex);
    bed->woken = true;
    pthread_cond_broadcast(&bed->wakes);
    pthread_mutex_unlock(&bed->mutex);
}

// Waits on bed->wakes with the mutex held; fails the test when nothing ever comes.
static void wait_awhile(struct bed *bed) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += PATIENCE_S;
    if (pthread_cond_timedwait(&bed->wakes, &bed->mutex, &until) == ETIMEDOUT) {
        pthread_mutex_unlock(&bed->mutex);
        fail_msg("the store did not wake its owner for %d s", PATIENCE_S);
    }
}

static void pass_gate(void *ctx) {
    struct bed *bed = ctx;
    pthread_mutex_lock(&bed->mutex);
    bed->at_gate++;
    pthread_cond_broadcast(&bed->wakes);
    while (bed->gate_shut)
        pthread_cond_wait(&bed->wakes, &bed->mutex);
    bed->at_gate--;
    pthread_mutex_unlock(&bed->mutex);
}

void bed_create(struct bed *bed, const struct bed_variant *variant) {
    *bed = (struct bed){.variant = variant, .now_ms = 1000000};
    bed->clock = (struct clock){.ctx = bed, .now_ms = virtual_now_ms};
    bed->options = (struct store_options){
        .clock = &bed->clock,
        .instance = "test-1",
        .address = "127.0.0.1:1",
        .threaded = variant->threaded,
        .wake = wake,
        .wake_ctx = bed,
        .retry_first_ms = 5,
        .retry_max_ms = 20,
    };
    pthread_mutex_init(&bed->mutex, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&bed->wakes, &attributes);
    pthread_condattr_destroy(&attributes);
    arena_init(&bed->rows, (size_t)512 << 20);
    if (variant->threaded && variant->faulty) {
        bed->faults.before_commit = pass_gate;
        bed->faults.before_commit_ctx = bed;
    }
    if (variant->kind->create)
        variant->kind->create(bed);
}

void bed_destroy(struct bed *bed) {
    bed_open_gate(bed);
    bed_close(bed);
    if (bed->variant->kind->destroy)
        bed->variant->kind->destroy(bed);
    arena_release(&bed->rows);
    pthread_cond_destroy(&bed->wakes);
    pthread_mutex_destroy(&bed->mutex);
}

bool bed_try_open(struct bed *bed, const struct store_table *const *tables, struct error *error) {
    assert_null(bed->store);
    struct store_backend *backend = bed->variant->kind->backend(bed);
    if (bed->variant->faulty)
        backend = store_faulty(backend, &bed->faults);
    bed->options.tables = tables;
    return store_open(backend, &bed->options, &bed->store, error);
}

void bed_open(struct bed *bed, const struct store_table *const *tables) {
    struct error error = {0};
    if (!bed_try_open(bed, tables, &error))
        fail_msg("%s", error.text);
}

void bed_close(struct bed *bed) {
    store_close(bed->store);
    bed->store = NULL;
}

void bed_reopen(struct bed *bed) {
    bed_close(bed);
    bed_open(bed, bed->options.tables);
}

// ---- Writes -----------------------------------------------------------------------------------------------------

static void written(void *ctx, const struct error *error) {
    struct fate *fate = ctx;
    assert_false(fate->called);
    fate->called = true;
    fate->order = ++fate->bed->n_called;
    fate->code = error ? error->code : ERR_OK;
    snprintf(fate->text, sizeof fate->text, "%s", error ? error->text : "");
    fate->bed->pending--;
    if (fate->then)
        fate->then(fate);
}

void bed_submit(struct bed *bed, struct store_write *write, struct store_group *group, struct fate *fate) {
    fate->bed = bed;
    fate->called = false;
    bed->pending++;
    store_submit(bed->store, write, group, written, fate);
}

void bed_write(struct bed *bed, const struct store_table *table, enum store_verb verb, const void *row,
               struct store_group *group, struct fate *fate) {
    struct store_write *write = store_write_new(bed->store);
    store_row(write, table, verb, row);
    bed_submit(bed, write, group, fate);
}

void bed_put(struct bed *bed, const struct store_table *table, const void *row) {
    struct fate fate = {0};
    bed_write(bed, table, STORE_PUT, row, NULL, &fate);
    bed_drain(bed);
    if (fate.code != ERR_OK)
        fail_msg("%s", fate.text);
}

void bed_step(struct bed *bed) {
    if (bed->variant->threaded) {
        pthread_mutex_lock(&bed->mutex);
        while (!bed->woken)
            wait_awhile(bed);
        bed->woken = false;
        pthread_mutex_unlock(&bed->mutex);
        store_poll(bed->store);
        return;
    }
    store_pump(bed->store);
    if (store_poll(bed->store) == 0)
        bed->now_ms++;
}

static void run_until(struct bed *bed, const unsigned *more, const bool *done) {
    int64_t begun_ms = bed->now_ms;
    while (more ? *more > 0 : !*done) {
        bed_step(bed);
        if (bed->now_ms - begun_ms > (int64_t)PATIENCE_S * 1000)
            fail_msg("%u callbacks did not come in %d virtual seconds", bed->pending, PATIENCE_S);
    }
}

void bed_drain(struct bed *bed) {
    run_until(bed, &bed->pending, NULL);
}

void bed_shut_gate(struct bed *bed) {
    if (!bed->variant->threaded)
        return;
    assert_true(bed->variant->faulty);
    pthread_mutex_lock(&bed->mutex);
    bed->gate_shut = true;
    pthread_mutex_unlock(&bed->mutex);
    // A first write occupies the writer; what follows it waits and goes into one batch.
    const struct store_slot_row nobody = {.slot = SLOT_COUNT};
    bed_write(bed, &store_slot_table, STORE_DELETE, &nobody, NULL, &bed->at_gate_first);
    pthread_mutex_lock(&bed->mutex);
    while (bed->at_gate == 0)
        wait_awhile(bed);
    pthread_mutex_unlock(&bed->mutex);
}

void bed_open_gate(struct bed *bed) {
    pthread_mutex_lock(&bed->mutex);
    bed->gate_shut = false;
    pthread_cond_broadcast(&bed->wakes);
    pthread_mutex_unlock(&bed->mutex);
}

// ---- Reads ------------------------------------------------------------------------------------------------------

static void answered(void *ctx, const struct error *error, const void *rows, size_t n) {
    struct reading *reading = ctx;
    struct answer *answer = &reading->answer;
    reading->bed->pending--;
    reading->answered = true;
    answer->code = error ? error->code : ERR_OK;
    snprintf(answer->text, sizeof answer->text, "%s", error ? error->text : "");
    answer->n = n;
    if (error || reading->count) {
        assert_null(rows);
        return;
    }
    struct row_page page = {.table = reading->table, .arena = &reading->bed->rows, .max = n};
    for (size_t i = 0; i < n; i++) {
        struct error full;
        void *copy = row_page_add(&page, &full);
        assert_non_null(copy);
        const char *row = (const char *)rows + i * reading->table->row_size;
        assert_true(row_copy_into(reading->table, row, false, copy, page.arena));
    }
    answer->rows = page.rows;
}

void bed_ask(struct bed *bed, const struct store_query *query, struct reading *reading) {
    *reading = (struct reading){.bed = bed, .table = query->table, .count = query->count};
    bed->pending++;
    store_read(bed->store, query, answered, reading);
}

struct answer bed_read(struct bed *bed, const struct store_query *query) {
    struct reading reading;
    bed_ask(bed, query, &reading);
    bed_drain(bed);
    return reading.answer;
}

void bed_await(struct bed *bed, const struct reading *reading) {
    run_until(bed, NULL, &reading->answered);
}
