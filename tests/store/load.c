#include "tests/store/load.h"

#include "tests/cmocka.h"
#include "tests/store/items.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { BODY_MAX = 1500, PAGE = 500 };

struct lane {
    struct load *load;
    unsigned number;
    size_t writing; // number of the write in flight
    int64_t last;   // number of the last write that was acknowledged; -1: none
    struct store_group group;
    struct fate fate;
};

struct load {
    struct bed *bed;
    struct lane *lanes;
    unsigned n_lanes;
    enum err *outcomes; // of each write
    size_t next, cap;
    size_t done, failed;
    enum err allowed;
    bool running; // lanes go on after a write
    bool stopped;
};

struct load *load_new(struct bed *bed, unsigned lanes) {
    struct load *load = calloc(1, sizeof *load);
    assert_non_null(load);
    load->bed = bed;
    load->n_lanes = lanes;
    load->lanes = calloc(lanes, sizeof *load->lanes);
    assert_non_null(load->lanes);
    for (unsigned i = 0; i < lanes; i++)
        load->lanes[i] = (struct lane){.load = load, .number = i, .last = -1};
    return load;
}

void load_stop(struct load *load) {
    load->stopped = true;
}

void load_free(struct load *load) {
    free(load->lanes);
    free(load->outcomes);
    free(load);
}

void load_allow(struct load *load, enum err code) {
    load->allowed = code;
}

// Everything in it follows from the number.
static struct item row_of(size_t number, char body[BODY_MAX]) {
    unsigned seed = (unsigned)number + 1;
    size_t length = (size_t)rand_r(&seed) % BODY_MAX;
    for (size_t i = 0; i < length; i++)
        body[i] = (char)(rand_r(&seed) >> 8);
    struct item row = item("", "load", (int64_t)number, rand_r(&seed) % 100);
    snprintf(row.id, sizeof row.id, "%010zu", number);
    row.body = str_n(body, length);
    return row;
}

static void answered(struct fate *fate);

static void submit(struct lane *lane) {
    struct load *load = lane->load;
    if (load->next == load->cap) {
        load->cap = load->cap ? 2 * load->cap : 1024;
        load->outcomes = realloc(load->outcomes, load->cap * sizeof *load->outcomes);
        assert_non_null(load->outcomes);
    }
    lane->writing = load->next++;
    load->outcomes[lane->writing] = ERR_INTERNAL; // until it is called back
    char body[BODY_MAX];
    struct item row = row_of(lane->writing, body);
    struct pair last = {.name = "lane", .n = lane->number, .value = (int32_t)lane->writing};
    struct store_write *write = store_write_new(load->bed->store);
    store_row(write, &item_table, STORE_INSERT, &row);
    store_row(write, &pair_table, STORE_PUT, &last);
    lane->fate = (struct fate){.then = answered, .ctx = lane};
    bed_submit(load->bed, write, &lane->group, &lane->fate);
}

static void answered(struct fate *fate) {
    struct lane *lane = fate->ctx;
    struct load *load = lane->load;
    if (load->stopped)
        return;
    if (fate->code != ERR_OK && fate->code != load->allowed)
        fail_msg("write %zu: %s", lane->writing, fate->text);
    load->outcomes[lane->writing] = fate->code;
    if (fate->code == ERR_OK) {
        lane->last = (int64_t)lane->writing;
        load->done++;
    } else {
        store_group_reset(&lane->group);
        load->failed++;
    }
    if (load->running)
        submit(lane);
}

void load_run(struct load *load, size_t n) {
    size_t until = load->done + load->failed + n;
    if (!load->running) {
        load->running = true;
        for (unsigned i = 0; i < load->n_lanes; i++)
            submit(&load->lanes[i]);
    }
    while (load->done + load->failed < until)
        bed_step(load->bed);
}

struct faults {
    void (*fault)(void *ctx);
    void *ctx;
    atomic_bool over;
};

static void *do_faults(void *arg) {
    struct faults *faults = arg;
    while (!atomic_load(&faults->over))
        faults->fault(faults->ctx);
    return NULL;
}

void load_run_under(struct load *load, size_t n, void (*fault)(void *ctx), void *ctx) {
    struct faults faults = {.fault = fault, .ctx = ctx};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, do_faults, &faults), 0);
    load_run(load, n);
    atomic_store(&faults.over, true);
    pthread_join(thread, NULL);
}

// ---- What is there in the end -----------------------------------------------------------------------------------

static void check_row(const struct load *load, const struct item *found, size_t *next) {
    // Every acknowledged one up to this is there.
    size_t number = (size_t)found->amount;
    assert_true(number < load->next);
    for (; *next < number; ++*next)
        if (load->outcomes[*next] == ERR_OK)
            fail_msg("write %zu was acknowledged and is not there", *next);
    ++*next;
    if (load->outcomes[number] != ERR_OK)
        fail_msg("write %zu was said to have failed (%s) and is there", number, err_info(load->outcomes[number])->name);
    char body[BODY_MAX];
    struct item row = row_of(number, body);
    if (strcmp(row.id, found->id) != 0 || row.rank != found->rank || !str_eq(row.body, found->body))
        fail_msg("write %zu is there with other content", number);
}

static void check_rows(struct load *load) {
    size_t next = 0;
    struct item after;
    struct answer page;
    struct store_query query = {.table = &item_table, .limit = PAGE};
    do {
        page = bed_read(load->bed, &query);
        if (page.code != ERR_OK)
            fail_msg("%s", page.text);
        const struct item *rows = page.rows;
        for (size_t i = 0; i < page.n; i++)
            check_row(load, &rows[i], &next);
        if (page.n > 0)
            after = rows[page.n - 1];
        query.after = &after;
    } while (page.n == PAGE);
    for (; next < load->next; next++)
        if (load->outcomes[next] == ERR_OK)
            fail_msg("write %zu was acknowledged and is not there", next);
}

static void check_lane(struct load *load, const struct lane *lane) {
    struct answer answer =
        bed_read(load->bed, &(struct store_query){.table = &pair_table,
                                                  .conds = {{.column = "n", .cmp = STORE_EQ, .integer = lane->number}},
                                                  .limit = 2});
    assert_int_equal(answer.code, ERR_OK);
    assert_int_equal(answer.n, lane->last >= 0 ? 1 : 0);
    const struct pair *row = answer.rows;
    if (lane->last >= 0 && row->value != lane->last)
        fail_msg("lane %u: %d is there, and %lld was acknowledged last", lane->number, row->value,
                 (long long)lane->last);
}

void load_pause(struct load *load) {
    load->running = false;
    bed_drain(load->bed);
}

void load_check(struct load *load) {
    load_pause(load);
    check_rows(load);
    for (unsigned i = 0; i < load->n_lanes; i++)
        check_lane(load, &load->lanes[i]);
}

size_t load_done(const struct load *load) {
    return load->done;
}

size_t load_failed(const struct load *load) {
    return load->failed;
}
