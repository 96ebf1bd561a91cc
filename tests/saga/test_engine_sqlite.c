// The engine as in production: over SQLite with its writer and reader threads, by the clock on the wall; the
// participants answer on the loop. The process "dies" by abandoning the store in the middle of its work.
#include "base/map.h"
#include "saga/call.h"
#include "saga/saga.h"
#include "saga/turn.h"
#include "store/backend.h"
#include "tests/base/seeded.h"
#include "tests/cmocka.h"
#include "tests/scratch.h"

#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <time.h>

enum { SAGAS = 400, AT_ONCE = 20, CALLS_MAX = 8192, KEYS_MAX = 8192, PATIENCE_MS = 60000 };

// What the participant keeps of one key.
struct effect {
    struct map_node node;
    char key[SAGA_KEY_MAX];
    unsigned effects, undone;
    bool undone_first; // the compensation came before its action
};

// What was said to one saga, and what came of it.
struct client {
    char gid[24];
    bool asked; // and not answered yet
    bool acknowledged, there, signalled;
    enum saga_status status; // as its row says
    bool read;
};

struct host {
    char folder[SCRATCH_PATH_MAX], path[SCRATCH_PATH_MAX + 16];
    struct store *store;
    struct saga_engine *engine;
    struct seeded seeded;
    int64_t alarm_ms;
    pthread_mutex_t mutex; // guards the next two
    pthread_cond_t wakes;
    bool woken;
    struct saga_call *calls[CALLS_MAX]; // to be answered
    bool dead[CALLS_MAX];               // their process is
    unsigned n_calls;
    bool mute; // the participant does not answer
    struct map keys;
    struct effect effects[KEYS_MAX];
    unsigned n_effects;
    struct client clients[SAGAS];
};

static struct host *host; // calls have no other way to it

// ---- The flow -----------------------------------------------------------------------------------------------------

static void send(struct saga_call *call) {
    assert_true(host->n_calls < CALLS_MAX);
    host->dead[host->n_calls] = false;
    host->calls[host->n_calls++] = call;
}

static const struct saga_step steps[] = {
    {.id = 1, .stage = 1, .name = "debit", .run = send, .undo = send, .deadline_ms = 1000},
    {.id = 2, .stage = 1, .name = "note", .run = send, .undo = send, .deadline_ms = 1000},
    {.id = 3, .stage = 2, .name = "go", .signal = "go", .timeout_ms = PATIENCE_MS * 10},
    {.id = 4, .stage = 3, .name = "credit", .run = send, .undo = send, .deadline_ms = 1000},
};
static const struct saga_flow flow = {.name = "test.real", .version = 1, .steps = steps, .n_steps = 4};
static const struct saga_flow *const flows[] = {&flow, NULL};

static struct effect *effect_of(const char *key) {
    struct map_node *node = map_find(&host->keys, str_c(key));
    if (node)
        return CONTAINER_OF(node, struct effect, node);
    assert_true(host->n_effects < KEYS_MAX);
    struct effect *effect = &host->effects[host->n_effects++];
    assert_true(str_copy(str_c(key), effect->key, sizeof effect->key));
    map_insert(&host->keys, &effect->node, str_c(effect->key));
    return effect;
}

// Takes effect, and is answered unless whoever asked is dead. (An answer to the dead is nobody's.)
static void serve(struct saga_call *call, bool dead) {
    struct effect *effect = effect_of(saga_call_key(call));
    bool refuses = saga_call_step(call)->id == 4 && strstr(saga_call_gid(call), "refused");
    if (saga_call_op(call) == SAGA_COMPENSATE) {
        if (effect->effects > effect->undone)
            effect->undone++;
        else
            effect->undone_first = effect->undone == 0;
        saga_call_ok(call, STR_NONE);
    } else if (refuses || effect->undone > 0 || effect->undone_first) {
        saga_call_done(call, OUTCOME_REJECTED, ERR_PARTICIPANT_REJECTED, NULL, NULL, STR_NONE);
    } else {
        effect->effects = 1;
        saga_call_done(call, dead ? OUTCOME_UNKNOWN : OUTCOME_OK, ERR_OK, NULL, NULL, STR("kept"));
    }
}

static bool serve_all(void) {
    unsigned n = host->mute ? 0 : host->n_calls;
    for (unsigned i = 0; i < n; i++)
        serve(host->calls[i], host->dead[i]);
    memmove(host->calls, host->calls + n, (host->n_calls - n) * sizeof host->calls[0]);
    memmove(host->dead, host->dead + n, (host->n_calls - n) * sizeof host->dead[0]);
    host->n_calls -= n;
    return n > 0;
}

// ---- The loop -----------------------------------------------------------------------------------------------------

static void wake(void *ctx) {
    struct host *woken = ctx;
    pthread_mutex_lock(&woken->mutex);
    woken->woken = true;
    pthread_cond_signal(&woken->wakes);
    pthread_mutex_unlock(&woken->mutex);
}

static void set_alarm(void *ctx, int64_t due_ms) {
    ((struct host *)ctx)->alarm_ms = due_ms;
}

static uint64_t any(void *ctx) {
    return seeded_next(ctx);
}

static void wait_for_something(void) {
    int64_t wait_ms = host->alarm_ms - clock_now_ms(clock_system());
    if (wait_ms > PATIENCE_MS)
        wait_ms = PATIENCE_MS;
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t ns = until.tv_nsec + (wait_ms > 0 ? wait_ms : 0) * INT64_C(1000000);
    until.tv_sec += ns / 1000000000;
    until.tv_nsec = ns % 1000000000;
    pthread_mutex_lock(&host->mutex);
    while (!host->woken && pthread_cond_timedwait(&host->wakes, &host->mutex, &until) != ETIMEDOUT)
        continue;
    host->woken = false;
    pthread_mutex_unlock(&host->mutex);
}

static void step(void) {
    bool worked = serve_all();
    if (clock_now_ms(clock_system()) >= host->alarm_ms) {
        host->alarm_ms = INT64_MAX;
        saga_engine_tick(host->engine);
        worked = true;
    }
    worked = store_poll(host->store) > 0 || worked;
    if (!worked)
        wait_for_something();
}

static void open_host(void) {
    struct error error = {0};
    struct store_options options = {.tables = saga_tables,
                                    .clock = clock_system(),
                                    .instance = "one",
                                    .address = "",
                                    .threaded = true,
                                    .wake = wake,
                                    .wake_ctx = host};
    if (!store_open(store_sqlite(host->path), &options, &host->store, &error))
        fail_msg("%s", error.text);
    struct saga_options engine = {.store = host->store,
                                  .clock = clock_system(),
                                  .random = any,
                                  .random_ctx = &host->seeded,
                                  .flow_sets = {{.flows = flows}},
                                  .alarm = set_alarm,
                                  .alarm_ctx = host,
                                  .resident_max = SAGAS / 8,
                                  .resume_rate = 100000};
    host->alarm_ms = INT64_MAX;
    assert_true(saga_engine_new(&engine, &host->engine, &error));
    saga_engine_recover(host->engine);
}

static void free_engine(void) {
    saga_engine_free(host->engine);
    host->engine = NULL;
    host->store = NULL;
    for (unsigned i = 0; i < host->n_calls; i++)
        host->dead[i] = true;
}

static void kill_host(void) {
    saga_engine_stop(host->engine);
    store_abandon(host->store);
    free_engine();
}

static void close_host(void) {
    saga_engine_stop(host->engine);
    store_close(host->store);
    free_engine();
}

// ---- Clients ------------------------------------------------------------------------------------------------------

static void started(void *ctx, const struct error *error) {
    struct client *client = ctx;
    client->asked = false;
    client->acknowledged = !error;
    client->there = !error || error->code == ERR_STORE_CONFLICT || error->code == ERR_SAGA_EXISTS;
}

static void start(struct client *client) {
    struct error error = {0};
    struct saga_turn *turn = saga_turn_begin(host->engine, NULL);
    struct saga_start what = {.flow = flow.name, .gid = str_c(client->gid)};
    if (saga_turn_start(turn, &what, &error)) {
        saga_turn_commit(turn, started, client);
    } else {
        saga_turn_abandon(turn);
        started(client, &error);
    }
}

static void signalled(void *ctx, const struct error *error) {
    struct client *client = ctx;
    client->asked = false;
    client->signalled = !error;
}

// Says what is yet to be said for the first `n`, a few at a time; true when all of these were answered.
static bool insist(unsigned n) {
    bool done = true;
    unsigned asking = 0;
    for (unsigned i = 0; i < n && asking < AT_ONCE; i++) {
        struct client *client = &host->clients[i];
        done = done && client->signalled;
        asking += !client->signalled;
        if (client->asked || client->signalled)
            continue;
        client->asked = true;
        if (client->there)
            saga_signal(host->engine, str_c(client->gid), STR("go"), STR("1"), STR_NONE, signalled, client);
        else
            start(client);
    }
    return done;
}

static void check_nobody_waits(void) {
    for (unsigned i = 0; i < SAGAS; i++)
        assert_false(host->clients[i].asked);
}

static void row_read(void *ctx, const struct error *error, const void *rows, size_t n) {
    struct client *client = ctx;
    assert_true(!error && n == 1);
    client->status = (enum saga_status)((const struct saga_row *)rows)->status;
    client->read = true;
}

static void read_status(struct client *client) {
    struct store_query query = {
        .table = &saga_table, .conds = {{.column = "gid", .cmp = STORE_EQ, .text = str_c(client->gid)}}, .limit = 1};
    client->read = false;
    store_read(host->store, &query, row_read, client);
    while (!client->read)
        step();
}

static int setup(void **state) {
    (void)state;
    host = calloc(1, sizeof *host);
    host->seeded.state = 11;
    pthread_mutex_init(&host->mutex, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&host->wakes, &attributes);
    pthread_condattr_destroy(&attributes);
    assert_true(scratch_make("engine", host->folder));
    snprintf(host->path, sizeof host->path, "%s/store.db", host->folder);
    for (unsigned i = 0; i < SAGAS; i++)
        snprintf(host->clients[i].gid, sizeof host->clients[i].gid, i % 5 == 0 ? "refused%u" : "s%u", i);
    open_host();
    return 0;
}

static int teardown(void **state) {
    (void)state;
    if (host->store)
        close_host();
    while (host->n_calls > 0)
        serve_all();
    map_release(&host->keys);
    pthread_cond_destroy(&host->wakes);
    pthread_mutex_destroy(&host->mutex);
    scratch_remove(host->folder);
    free(host);
    return 0;
}

// ---- Tests --------------------------------------------------------------------------------------------------------

static void check_effects(void) {
    for (unsigned i = 0; i < SAGAS; i++) {
        const struct client *client = &host->clients[i];
        bool fails = i % 5 == 0;
        static const int calls[] = {1, 2, 4};
        for (unsigned k = 0; k < 3; k++) {
            char key[SAGA_KEY_MAX];
            snprintf(key, sizeof key, "%s/%d/1", client->gid, calls[k]);
            const struct effect *effect = effect_of(key);
            assert_int_equal(effect->effects, fails && calls[k] == 4 ? 0 : 1);
            assert_int_equal(effect->undone, fails && calls[k] != 4 ? 1 : 0);
        }
    }
}

static void all_end(void) {
    for (unsigned i = 0; i < SAGAS; i++) {
        struct client *client = &host->clients[i];
        do
            read_status(client);
        while (!saga_status_ended(client->status));
        assert_int_equal(client->status, i % 5 == 0 ? SAGA_FAILED : SAGA_SUCCEEDED);
    }
}

// [E1] [E3] [E5] through death after death, over the real store and its threads: what was acknowledged is there, and
// every saga ends in its one outcome
static void test_sagas_outlive_the_deaths_of_the_process(void **state) {
    (void)state;
    unsigned lives = 0;
    bool done = false;
    for (; !done; lives++) {
        // However much one life gets done, some are left for the next four. Each lives longer than those before, so
        // that one gets there on a machine that is slow to start.
        unsigned most = 30 + (unsigned)seeded_below(&host->seeded, 120) + 20 * lives;
        unsigned n = lives < 4 ? (lives + 1) * SAGAS / 5 : SAGAS;
        bool answered = false;
        for (unsigned i = 0; i < most && !answered; i++) {
            answered = insist(n);
            if (!answered)
                step();
        }
        done = answered && n == SAGAS;
        kill_host();
        check_nobody_waits();
        open_host();
    }
    assert_true(lives > 4);
    all_end();
    check_effects();
    struct saga_stats stats;
    saga_engine_stats(host->engine, &stats);
    assert_int_equal(stats.orphans, 0);
    assert_true(stats.resident <= SAGAS / 8 + 32);
}

// A stop in the middle, with writes on the way: what was acknowledged is there, and the next process goes on.
static void test_a_stop_hands_everything_over(void **state) {
    (void)state;
    for (unsigned life = 0; life < 4; life++) {
        for (unsigned n = 0; n < 10 + life * 7 && !insist(SAGAS); n++)
            step();
        close_host();
        check_nobody_waits();
        open_host();
        for (unsigned i = 0; i < SAGAS; i++)
            if (host->clients[i].acknowledged)
                read_status(&host->clients[i]);
    }
    while (!insist(SAGAS))
        step();
    all_end();
    check_effects();
}

// Sagas that wait for a signal, of a host that has died.
static void leave_some_waiting(void) {
    host->mute = true;
    for (unsigned i = 1; i < 5; i++) {
        host->clients[i].asked = true;
        start(&host->clients[i]);
    }
    while (host->n_calls < 8)
        step();
    kill_host();
    host->mute = false;
}

static void damage(const char *sql, int rows) {
    sqlite3 *db;
    assert_int_equal(sqlite3_open(host->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_changes(db), rows);
    sqlite3_close(db);
}

static void recover(void) {
    open_host();
    while (!saga_engine_recovered(host->engine))
        step();
}

static void must_succeed(unsigned i) {
    struct client *client = &host->clients[i];
    time_t from = time(NULL);
    saga_signal(host->engine, str_c(client->gid), STR("go"), STR("1"), STR_NONE, signalled, client);
    do
        read_status(client);
    while (!saga_status_ended(client->status) && time(NULL) - from < 10);
    assert_int_equal(client->status, SAGA_SUCCEEDED);
}

// [E5] a row that can't be read is told, and does not stand in the way of those behind it
static void test_a_damaged_row_stops_nobody_else(void **state) {
    (void)state;
    leave_some_waiting();
    damage("UPDATE saga SET reason = hex(zeroblob(100)) WHERE gid IN ('s1', 's3')", 2);
    recover();
    struct saga_stats stats;
    saga_engine_stats(host->engine, &stats);
    assert_int_equal(stats.corrupt, 2); // a page of each of their slots
    assert_int_equal(stats.resumed, 2);
    must_succeed(2);
    must_succeed(4);
}

// [E5] nor does an event
static void test_a_damaged_event_stops_nobody_else(void **state) {
    (void)state;
    leave_some_waiting();
    recover();
    must_succeed(1);
    kill_host();
    damage("UPDATE outbox SET type = hex(zeroblob(100)) WHERE seq = (SELECT max(seq) FROM outbox)", 1);
    recover();
    for (unsigned i = 2; i < 5; i++)
        must_succeed(i);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sagas_outlive_the_deaths_of_the_process, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_damaged_row_stops_nobody_else, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_damaged_event_stops_nobody_else, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_stop_hands_everything_over, setup, teardown),
    };
    return cmocka_run_group_tests_name("saga/engine over SQLite and its threads", tests, NULL, NULL);
}
