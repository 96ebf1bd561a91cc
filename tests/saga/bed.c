#include "tests/saga/bed.h"

#include "saga/journal.h"
#include "tests/cmocka.h"

#include <stdio.h>
#include <stdlib.h>

struct saga_bed *bed_now;

// ---- Life ---------------------------------------------------------------------------------------------------------

static uint64_t any(void *ctx) {
    return seeded_next(&((struct saga_bed *)ctx)->seeded);
}

static void tick(void *ctx) {
    struct saga_bed *bed = ctx;
    if (bed->engine)
        saga_engine_tick(bed->engine);
}

static void set_alarm(void *ctx, int64_t due_ms) {
    struct saga_bed *bed = ctx;
    bed->time.timers.set(&bed->time, &bed->alarm, due_ms);
}

static void notice(void *ctx, const struct saga_notice *told) {
    struct saga_bed *bed = ctx;
    bed->notices[told->kind]++;
    if (told->reason[0]) {
        snprintf(bed->last_reason, sizeof bed->last_reason, "%s", told->reason);
        snprintf(bed->last_text, sizeof bed->last_text, "%s", told->text);
    }
}

static void do_nothing(void *ctx) {
    (void)ctx;
}

static void die(void *ctx) {
    ((struct saga_bed *)ctx)->dying = true;
}

static void watch(void *ctx, struct saga_call *call, const char *body);
static bool pump(void *ctx);

void bed_init(struct saga_bed *bed) {
    *bed = (struct saga_bed){.seeded = {7}};
    static const struct store_table *const own_tables[] = {&account_table, NULL};
    saga_tables_add(bed->tables, sizeof bed->tables / sizeof bed->tables[0], saga_tables);
    saga_tables_add(bed->tables, sizeof bed->tables / sizeof bed->tables[0], own_tables);
    virtual_time_init(&bed->time, 1700000000000);
    virtual_time_add_pump(&bed->time, pump, bed);
    model_init(&bed->model, &bed->time);
    bed->model.watch = watch;
    bed->model.die = die;
    bed->model.ctx = bed;
    bed->alarm = (struct rpc_timer){.fire = tick, .ctx = bed};
    bed->idle = (struct rpc_timer){.fire = do_nothing, .ctx = bed};
    bed->disk = store_memory();
    store_memory_clock(bed->disk, &bed->time.clock);
    arena_init(&bed->rows, SIZE_MAX);
    bed->options = (struct saga_options){
        .clock = &bed->time.clock,
        .random = any,
        .random_ctx = bed,
        .flow_sets = {{test_flows, &bed->accounts}},
        .machine = {.patience = {[SAGA_QUICK] = {.first_ms = 100, .max_ms = 1000, .attempts = 3, .jitter_percent = 20},
                                 [SAGA_STUBBORN] = {.first_ms = 200, .max_ms = 2000, .attempts = 5},
                                 [SAGA_LEISURELY] = {.first_ms = 500, .max_ms = 5000, .attempts = 5}}},
        .alarm = set_alarm,
        .alarm_ctx = bed,
        .notice = notice,
        .notice_ctx = bed,
    };
    bed_now = bed;
}

void bed_open(struct saga_bed *bed) {
    struct error error = {0};
    struct store_options options = {.tables = bed->tables,
                                    .clock = &bed->time.clock,
                                    .instance = "one",
                                    .address = "",
                                    .batch_max = bed->batch_max,
                                    .reads_max = bed->reads_max,
                                    .lease_ms = bed->lease_ms};
    struct store_backend *backend = store_faulty(store_memory_share(bed->disk), &bed->faults);
    if (!store_open(backend, &options, &bed->store, &error))
        fail_msg("%s", error.text);
    if (!bed->view)
        assert_true(bed->disk->ops->connect(bed->disk, false, &bed->view, &error));
    bed->options.store = bed->accounts.store = bed->store;
    bed->options.lease_ms = bed->lease_ms;
    if (!saga_engine_new(&bed->options, &bed->engine, &error))
        fail_msg("%s", error.text);
    bed->requests = requests_new(bed->store, &bed->time.clock);
    saga_engine_recover(bed->engine);
}

static void drop(struct saga_bed *bed) {
    bed->time.timers.stop(&bed->time, &bed->alarm);
    saga_engine_free(bed->engine);
    bed->engine = NULL;
    bed->store = NULL;
    requests_free(bed->requests);
    bed->requests = NULL;
    accounts_drop_all(&bed->accounts);
}

void bed_close(struct saga_bed *bed) {
    if (!bed->store)
        return;
    saga_engine_stop(bed->engine);
    store_close(bed->store);
    drop(bed);
}

void bed_kill(struct saga_bed *bed) {
    bed->deaths++;
    saga_engine_stop(bed->engine);
    store_abandon(bed->store);
    drop(bed);
}

void bed_revive(struct saga_bed *bed) {
    bed_kill(bed);
    bed_open(bed);
}

void bed_release(struct saga_bed *bed) {
    bed_close(bed);
    if (bed->view)
        bed->view->ops->close(bed->view);
    virtual_time_release(&bed->time);
    model_release(&bed->model);
    store_backend_free(bed->disk);
    arena_release(&bed->rows);
    bed_now = NULL;
}

int bed_set_up(void **state) {
    static struct saga_bed bed;
    bed_init(&bed);
    bed_open(&bed);
    *state = &bed;
    return 0;
}

int bed_tear_down(void **state) {
    bed_release(*state);
    return 0;
}

// ---- Time ---------------------------------------------------------------------------------------------------------

static bool store_waits(const struct saga_bed *bed) {
    struct store_stats stats;
    store_stats(bed->store, &stats);
    return stats.queue > 0;
}

static void count_commits(struct saga_bed *bed, int64_t before) {
    struct store_stats stats;
    store_stats(bed->store, &stats);
    bed->commits += stats.commits - before;
}

static bool pump(void *ctx) {
    struct saga_bed *bed = ctx;
    struct store_stats stats;
    if (!bed->store || bed->holds || bed->dying)
        return false;
    store_stats(bed->store, &stats);
    bool comes = bed->death != BED_LIVES && bed->commits + 1 == bed->death_at;
    if (comes && bed->death == BED_BEFORE_COMMIT && store_waits(bed)) {
        bed->dying = true;
        return true;
    }
    bool more = store_pump(bed->store);
    count_commits(bed, stats.commits);
    comes = bed->death != BED_LIVES && bed->commits >= bed->death_at;
    if (comes && bed->death == BED_AFTER_COMMIT) {
        bed->dying = true;
        return true;
    }
    size_t told = store_poll(bed->store);
    bed->dying = bed->dying || comes;
    if (more && told == 0) // the store is down, and tries again later
        bed->time.timers.set(&bed->time, &bed->idle, bed->time.now_ms + 10);
    return told > 0;
}

static void check_orphans(const struct saga_bed *bed) {
    assert_int_equal(bed_stats(bed).orphans, 0);
}

bool bed_step(struct saga_bed *bed) {
    bool did = virtual_time_step(&bed->time);
    if (bed->dying) {
        bed->dying = false;
        bed->death = bed->next_death;
        bed->death_at = bed->commits + bed->next_death_after;
        bed->next_death = BED_LIVES;
        bed_revive(bed);
        return true;
    }
    check_orphans(bed);
    return did;
}

static void stop_here(void *ctx) {
    *(bool *)ctx = true;
}

void bed_run(struct saga_bed *bed, int64_t ms) {
    bool over = false;
    bed->end = (struct rpc_timer){.fire = stop_here, .ctx = &over};
    bed->time.timers.set(&bed->time, &bed->end, bed->time.now_ms + ms);
    while (!over)
        assert_true(bed_step(bed));
}

static bool settled(struct saga_bed *bed) {
    struct store_query query = {.table = &saga_table,
                                .conds = {{.column = "due_ms", .cmp = STORE_LT, .integer = SAGA_DUE_CHILD}},
                                .count = true};
    size_t n;
    bed_rows(bed, &query, &n);
    return n == 0 && saga_engine_recovered(bed->engine);
}

void bed_settle(struct saga_bed *bed) {
    int64_t until_ms = bed->time.now_ms + 3600 * 1000;
    while (!settled(bed)) {
        if (bed->time.now_ms >= until_ms)
            fail_msg("the sagas do not come to an end");
        bed_run(bed, 50);
    }
    bed_run(bed, 50); // what was committed is told
}

// ---- Effects ------------------------------------------------------------------------------------------------------

void bed_send(struct saga_call *call) {
    struct buf body;
    buf_init(&body, 2 * SAGA_INPUT_MAX);
    struct str input = saga_call_input(call);
    struct saga_subject *subject = saga_call_subject(call);
    buf_printf(&body, "%s %s input=%.*s", saga_call_key(call), saga_op_name(saga_call_op(call)), STR_FMT(input));
    // The core answers of earlier stages: these are known whenever this is sent. Our steps' ids count from 1.
    const struct saga_step *self = saga_call_step(call);
    for (const struct saga_step *step = self - (self->id - 1); step->stage < self->stage; step++)
        if (step->tier == SAGA_CORE)
            buf_printf(&body, " %u=%.*s", step->id, STR_FMT(saga_call_answer_of(call, step->id, 0)));
    if (subject)
        buf_printf(&body, " amount=%lld", (long long)account_of(subject)->row.amount);
    model_send(&bed_now->model, call, body.ptr);
    buf_release(&body);
}

static void watch(void *ctx, struct saga_call *call, const char *body) {
    struct saga_bed *bed = ctx;
    const struct saga_row *row = bed_row(bed, saga_call_gid(call));
    const struct saga_step *step = saga_call_step(call);
    if (!row)
        fail_msg("[E1] %s is sent for a saga that is not durable", body);
    if (saga_call_op(call) == SAGA_COMPENSATE && row->status != SAGA_COMPENSATING)
        fail_msg("[E2] %s is sent before the turn is durable", body);
    if (step->kind == SAGA_RETRIABLE && row->status != SAGA_FORWARD)
        fail_msg("[E2] %s is sent before the pivot is durable", body);
    const struct model_key *key = model_key(&bed->model, saga_call_key(call));
    if (strcmp(key->bodies[saga_call_op(call)], body) != 0)
        fail_msg("[E11] sent again, \"%s\" is now \"%s\"", key->bodies[saga_call_op(call)], body);
    struct saga_subject *subject = saga_call_subject(call);
    if (subject) {
        const struct account_row *account = bed_account(bed, subject->key);
        if (!account || account->amount != account_of(subject)->row.amount)
            fail_msg("[E11] %s is made from what is not durable", body);
    }
}

// ---- Commands -----------------------------------------------------------------------------------------------------

void bed_replied(void *ctx, const struct error *error) {
    struct bed_reply *reply = ctx;
    assert_false(reply->came);
    reply->came = true;
    reply->code = error ? error->code : ERR_OK;
    snprintf(reply->text, sizeof reply->text, "%s", error ? error->text : "");
}

void bed_wait(struct saga_bed *bed, struct bed_reply *reply) {
    while (!reply->came)
        assert_true(bed_step(bed));
}

void bed_begin(struct saga_bed *bed, const struct saga_flow *flow, const char *gid, const char *input,
               const char *account, struct bed_reply *reply) {
    struct error error = {0};
    struct account *about = account ? accounts_find(&bed->accounts, account) : NULL;
    if (account && !about)
        about = accounts_new(&bed->accounts, account);
    else if (about)
        saga_subject_hold(&about->subject);
    struct saga_turn *turn = saga_turn_begin(bed->engine, about ? &about->subject : NULL);
    struct saga_start start = {.flow = flow->name, .gid = str_c(gid), .input = str_c(input)};
    *reply = (struct bed_reply){0};
    if (about)
        account_edit(about);
    if (saga_turn_start(turn, &start, &error)) {
        saga_turn_commit(turn, bed_replied, reply);
    } else {
        saga_turn_abandon(turn);
        bed_replied(reply, &error);
    }
    if (about)
        saga_subject_release(&about->subject);
}

void bed_start(struct saga_bed *bed, const struct saga_flow *flow, const char *gid, const char *input,
               const char *account) {
    struct bed_reply reply;
    bed_begin(bed, flow, gid, input, account, &reply);
    bed_wait(bed, &reply);
    if (reply.code != ERR_OK)
        fail_msg("%s", reply.text);
}

void bed_pay(struct saga_bed *bed, const char *account, const char *paid, int64_t amount, const char *gid,
             struct bed_reply *reply) {
    struct account *about = accounts_find(&bed->accounts, account);
    assert_non_null(about);
    struct saga_turn *turn = saga_turn_begin(bed->engine, &about->subject);
    snprintf(account_edit(about)->paid, sizeof about->row.paid, "%s", paid);
    about->row.amount += amount;
    if (gid)
        saga_turn_poke(turn, str_c(gid));
    *reply = (struct bed_reply){0};
    saga_turn_commit(turn, bed_replied, reply);
}

void bed_signal(struct saga_bed *bed, const char *gid, const char *name, const char *id, struct bed_reply *reply) {
    *reply = (struct bed_reply){0};
    saga_signal(bed->engine, str_c(gid), str_c(name), str_c(id), STR("payload"), bed_replied, reply);
}

void bed_poke(struct saga_bed *bed, const char *gid) {
    struct saga_turn *turn = saga_turn_begin(bed->engine, NULL);
    saga_turn_poke(turn, str_c(gid));
    saga_turn_commit(turn, NULL, NULL);
}

void bed_operate(struct saga_bed *bed, const char *gid, const struct saga_operation *operation,
                 struct bed_reply *reply) {
    struct saga_operation said = *operation;
    said.caller = said.caller.ptr ? said.caller : STR("operator");
    said.reason = said.reason.ptr ? said.reason : STR("tried again");
    *reply = (struct bed_reply){0};
    saga_operate(bed->engine, str_c(gid), &said, bed_replied, reply);
}

void bed_retry(struct saga_bed *bed, const char *gid, struct bed_reply *reply) {
    bed_operate(bed, gid, &(struct saga_operation){.act = SAGA_ACT_RETRY}, reply);
}

void bed_must(struct saga_bed *bed, const char *gid, const struct saga_operation *operation) {
    struct bed_reply reply;
    bed_operate(bed, gid, operation, &reply);
    bed_wait(bed, &reply);
    if (reply.code != ERR_OK)
        fail_msg("%s", reply.text);
}

void bed_refused(struct saga_bed *bed, const char *gid, const struct saga_operation *operation, enum err code) {
    struct bed_reply reply;
    bed_operate(bed, gid, operation, &reply);
    bed_wait(bed, &reply);
    if (reply.code != code)
        fail_msg("%s is answered with %s: %s", saga_act_name(operation->act), err_info(reply.code)->name, reply.text);
}

// ---- What is durable ----------------------------------------------------------------------------------------------

const void *bed_rows(struct saga_bed *bed, const struct store_query *query, size_t *ret_n) {
    struct error error = {0};
    void *rows = NULL;
    size_t n = 0;
    if (bed->view->ops->read(bed->view, query, &bed->rows, &rows, &n, &error) != BACKEND_OK)
        fail_msg("%s", error.text);
    *ret_n = n;
    return rows;
}

static const void *one(struct saga_bed *bed, const struct store_table *table, const char *column, const char *value) {
    struct store_query query = {
        .table = table, .conds = {{.column = column, .cmp = STORE_EQ, .text = str_c(value)}}, .limit = 1};
    size_t n;
    const void *rows = bed_rows(bed, &query, &n);
    return n ? rows : NULL;
}

const struct saga_row *bed_row(struct saga_bed *bed, const char *gid) {
    return one(bed, &saga_table, "gid", gid);
}

const struct account_row *bed_account(struct saga_bed *bed, const char *name) {
    return one(bed, &account_table, "name", name);
}

enum saga_status bed_status(struct saga_bed *bed, const char *gid) {
    const struct saga_row *row = bed_row(bed, gid);
    if (!row)
        fail_msg("no saga %s is durable", gid);
    return (enum saga_status)row->status;
}

bool bed_parked(struct saga_bed *bed, const char *gid) {
    return bed_row(bed, gid)->parked;
}

struct saga_instance bed_instance(struct saga_bed *bed, const char *gid) {
    struct saga_instance instance;
    struct error error = {0};
    if (!saga_row_instance(bed->engine, bed_row(bed, gid), &instance, &error))
        fail_msg("%s", error.text);
    return instance;
}

size_t bed_count(struct saga_bed *bed, const struct store_table *table) {
    struct store_query query = {.table = table, .count = true};
    size_t n;
    bed_rows(bed, &query, &n);
    return n;
}

const struct audit_row *bed_audits(struct saga_bed *bed, size_t expected) {
    size_t n;
    struct store_query query = {.table = &audit_table, .limit = 100};
    const struct audit_row *rows = bed_rows(bed, &query, &n);
    assert_int_equal(n, expected);
    return rows;
}

const struct outbox_row *bed_events(struct saga_bed *bed, const char *type, size_t expected) {
    size_t n;
    struct store_query query = {
        .table = &outbox_table, .conds = {{.column = "type", .cmp = STORE_EQ, .text = str_c(type)}}, .limit = 100};
    const struct outbox_row *rows = bed_rows(bed, &query, &n);
    assert_int_equal(n, expected);
    return rows;
}

struct saga_stats bed_stats(const struct saga_bed *bed) {
    struct saga_stats stats;
    saga_engine_stats(bed->engine, &stats);
    return stats;
}

// ---- Books --------------------------------------------------------------------------------------------------------

static void check_leg(struct saga_bed *bed, const struct saga_instance *saga, const struct saga_leg *leg) {
    char key[SAGA_KEY_MAX];
    saga_leg_key(saga, leg, key);
    const struct model_key *kept = model_key(&bed->model, key);
    if (!leg->step->run || leg->state == LEG_SKIPPED)
        return;
    if (saga->status == SAGA_SUCCEEDED && (!kept || kept->state != MODEL_APPLIED || kept->effects != 1))
        fail_msg("%s succeeded without %s", saga->gid, key);
    if (saga->status == SAGA_FAILED && kept && (kept->state == MODEL_APPLIED || kept->effects != kept->undone))
        fail_msg("%s failed, and %s is not undone", saga->gid, key);
}

void bed_check_books(struct saga_bed *bed) {
    struct saga_row after;
    struct store_query query = {.table = &saga_table, .limit = STORE_LIMIT_MAX};
    size_t n;
    do {
        const struct saga_row *rows = bed_rows(bed, &query, &n);
        for (size_t i = 0; i < n; i++) {
            struct saga_instance saga = bed_instance(bed, rows[i].gid);
            for (uint8_t k = 0; k < saga.n_legs; k++)
                check_leg(bed, &saga, &saga.legs[k]);
            saga_instance_release(&saga);
        }
        if (n > 0)
            after = rows[n - 1];
        query.after = &after;
    } while (n == STORE_LIMIT_MAX);
}
