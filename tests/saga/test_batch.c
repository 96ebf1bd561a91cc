// One action for many sagas: counted first, at the rate that is asked for, each once for one request, whatever dies.
#include "saga/batch.h"
#include "tests/cmocka.h"
#include "tests/saga/neighbour.h"

#include <stdio.h>

// What a batch has told.
struct watched {
    unsigned reports, listens; // listens: to so many reports; 0: to all
    struct saga_batch_report last;
    char refused[SAGA_GID_MAX + 1];
    enum err refusal, failed; // `failed`: it ended with this
    bool ended;
    size_t most_refusals; // in one report
    struct {
        saga_reply_fn *done;
        void *ctx;
    } sent[64]; // elsewhere
    unsigned n_sent;
};

static bool on_report(void *ctx, const struct saga_batch_report *report, const struct error *error) {
    struct watched *watched = ctx;
    assert_false(watched->ended);
    watched->reports++;
    watched->last = *report;
    if (report->n_refusals) {
        memcpy(watched->refused, report->refusals[0].gid, sizeof watched->refused);
        watched->refusal = report->refusals[0].code;
    }
    if (report->n_refusals > watched->most_refusals)
        watched->most_refusals = report->n_refusals;
    watched->failed = error ? error->code : ERR_OK;
    watched->ended = error || report->finished;
    return watched->reports != watched->listens;
}

static struct saga_batch_options retry_parked(struct saga_bed *bed, struct watched *watched) {
    return (struct saga_batch_options){
        .requests = bed->requests,
        .request_id = STR("batch-1"),
        .body = STR("retry what is parked"),
        .filter = {.parked = true, .flow = STR("test.trip"), .to_ms = INT64_MAX, .updated_before_ms = INT64_MAX},
        .operation = {.act = SAGA_ACT_RETRY, .caller = STR("operator"), .reason = STR("mended")},
        .rate_per_s = 1000,
        .report = on_report,
        .ctx = watched,
    };
}

static struct saga_batch *begin(struct saga_bed *bed, const struct saga_batch_options *options) {
    struct error error = {0};
    struct saga_batch *batch = saga_batch_begin(bed->engine, options, &error);
    if (!batch)
        fail_msg("%s", error.text);
    return batch;
}

static void until_ended(struct saga_bed *bed, const struct watched *watched) {
    for (unsigned i = 0; i < 100000 && !watched->ended; i++)
        assert_true(bed_step(bed));
    assert_true(watched->ended);
}

static void run(struct saga_bed *bed, const struct saga_batch_options *options) {
    struct watched *watched = options->ctx;
    *watched = (struct watched){0};
    begin(bed, options);
    until_ended(bed, watched);
}

static size_t audits(struct saga_bed *bed, const char *action) {
    size_t n;
    struct store_query query = {
        .table = &audit_table, .conds = {{.column = "action", .cmp = STORE_EQ, .text = str_c(action)}}, .count = true};
    bed_rows(bed, &query, &n);
    return n;
}

// So many that are parked behind their pivot, and one of another flow that is parked too.
static void park(struct saga_bed *bed, unsigned n) {
    char gid[16];
    for (unsigned i = 0; i < n; i++) {
        snprintf(gid, sizeof gid, "trip%03u", i);
        model_plan(&bed->model, "d", SAGA_ACTION, MODEL_REFUSE, 1, 0);
        bed_start(bed, &flow_trip, gid, "", NULL);
        bed_settle(bed);
        assert_true(bed_parked(bed, gid));
    }
    bed_start(bed, &flow_desk, "desk", "", "account");
    bed_settle(bed);
    assert_true(bed_parked(bed, "desk"));
}

static unsigned succeeded(struct saga_bed *bed, unsigned of) {
    char gid[16];
    unsigned n = 0;
    for (unsigned i = 0; i < of; i++) {
        snprintf(gid, sizeof gid, "trip%03u", i);
        n += bed_status(bed, gid) == SAGA_SUCCEEDED;
    }
    return n;
}

// ---- Counting -----------------------------------------------------------------------------------------------------

// [E8] nothing is done, nothing is written
static void test_a_dry_run_only_counts(void **state) {
    struct saga_bed *bed = *state;
    struct watched watched;
    struct saga_batch_options options = retry_parked(bed, &watched);
    park(bed, 5);
    size_t requests = bed_count(bed, &request_table);
    options.dry_run = true;
    options.operation.reason = STR_NONE; // there is nothing to be audited
    run(bed, &options);
    assert_int_equal(watched.reports, 1);
    assert_true(watched.last.finished && watched.last.matched == 5 && !watched.last.more && watched.last.done == 0);
    bed_run(bed, 10000);
    assert_int_equal(succeeded(bed, 5), 0);
    assert_int_equal(bed_count(bed, &audit_table), 0);
    assert_int_equal(bed_count(bed, &request_table), requests);
}

static void test_there_may_be_more_than_are_acted_on(void **state) {
    struct saga_bed *bed = *state;
    struct watched watched;
    struct saga_batch_options options = retry_parked(bed, &watched);
    park(bed, 5);
    options.sagas_max = 3;
    run(bed, &options);
    assert_true(watched.last.matched == 3 && watched.last.more && watched.last.done == 3);
    bed_settle(bed);
    assert_int_equal(succeeded(bed, 5), 3);
}

// ---- Acting -------------------------------------------------------------------------------------------------------

// [E8] each has its own row in the audit, and the batch has one
static void test_the_action_is_done_to_each_saga_of_the_filter(void **state) {
    struct saga_bed *bed = *state;
    struct watched watched;
    struct saga_batch_options options = retry_parked(bed, &watched);
    park(bed, 5);
    run(bed, &options);
    assert_true(watched.last.matched == 5 && watched.last.done == 5 && watched.last.done_before == 0);
    assert_true(watched.last.refused == 0 && watched.last.failed == 0);
    bed_settle(bed);
    assert_int_equal(succeeded(bed, 5), 5);
    assert_true(bed_parked(bed, "desk"));
    assert_int_equal(audits(bed, "retry"), 5);
    assert_int_equal(audits(bed, "batch"), 1);
    bed_check_books(bed);
}

static void test_it_keeps_to_its_rate_and_tells_how_far_it_is(void **state) {
    struct saga_bed *bed = *state;
    struct watched watched;
    struct saga_batch_options options = retry_parked(bed, &watched);
    park(bed, 25);
    options.rate_per_s = 10;
    int64_t begun_ms = bed->time.now_ms;
    run(bed, &options);
    int64_t took_ms = bed->time.now_ms - begun_ms;
    assert_int_equal(watched.last.done, 25);
    assert_true(took_ms >= 1400 && took_ms <= 2600); // the first second's may come at once
    assert_true(watched.reports >= 3 && watched.reports <= 2 + took_ms / 500);
}

static void test_what_does_not_fit_is_refused_and_named(void **state) {
    struct saga_bed *bed = *state;
    struct watched watched;
    struct saga_batch_options options = retry_parked(bed, &watched);
    park(bed, 1);
    bed_start(bed, &flow_trip, "fine", "", NULL);
    bed_settle(bed);
    options.filter.parked = false;
    options.operation.act = SAGA_ACT_SKIP;
    run(bed, &options);
    assert_true(watched.last.done == 1 && watched.last.refused == 1 && watched.last.failed == 0);
    assert_string_equal(watched.refused, "fine");
    assert_int_equal(watched.refusal, ERR_SAGA_STATE);
    assert_int_equal(audits(bed, "skip"), 1);
}

// [E8] whoever went on by itself while others had their turn is left alone
static void left_alone(struct saga_bed *bed, const struct saga_batch_options *options) {
    struct watched *watched = options->ctx;
    struct bed_reply reply;
    park(bed, 3);
    begin(bed, options);
    while (audits(bed, "terminate") == 0)
        assert_true(bed_step(bed));
    const char *last = bed_status(bed, "trip000") == SAGA_TERMINATED ? "trip002" : "trip000";
    model_plan(&bed->model, "d", SAGA_ACTION, MODEL_SLOW, 1, 900000);
    bed_retry(bed, last, &reply);
    bed_wait(bed, &reply);
    until_ended(bed, watched);
    assert_true(watched->last.done == 2 && watched->last.refused == 1 && watched->last.failed == 0);
    assert_string_equal(watched->refused, last);
    assert_int_equal(watched->refusal, ERR_SAGA_STATE);
    assert_int_equal(bed_status(bed, last), SAGA_FORWARD);
}

static void test_what_is_no_longer_parked_is_left_alone(void **state) {
    struct watched watched = {0};
    struct saga_batch_options options = retry_parked(*state, &watched);
    options.operation.act = SAGA_ACT_TERMINATE;
    options.rate_per_s = 1;
    left_alone(*state, &options);
}

static void test_what_is_no_longer_in_trouble_is_left_alone(void **state) {
    struct watched watched = {0};
    struct saga_batch_options options = retry_parked(*state, &watched);
    options.operation.act = SAGA_ACT_TERMINATE;
    options.rate_per_s = 1;
    options.filter.parked = false;
    options.filter.reason = STR("PARTICIPANT_REJECTED");
    options.filter.participant = STR("model");
    left_alone(*state, &options);
}

// [E8] one whose pivot is being written as it is looked at is not what was asked for: by the time it is free to be
// acted on it can't be turned round any more
static void test_what_goes_on_while_it_is_looked_at_is_left_alone(void **state) {
    struct saga_bed *bed = *state;
    struct watched watched = {0};
    struct saga_batch_options options = retry_parked(bed, &watched);
    options.filter.parked = false;
    options.filter.status = SAGA_RUNNING;
    options.operation.act = SAGA_ACT_TERMINATE;
    options.rate_per_s = 1;
    model_plan(&bed->model, "pivot", SAGA_ACTION, MODEL_SLOW, 2, 900);
    bed_start(bed, &flow_trip, "trip000", "", NULL);
    bed_start(bed, &flow_trip, "trip001", "", NULL);
    begin(bed, &options);
    while (audits(bed, "terminate") == 0)
        assert_true(bed_step(bed));
    bed->faults.fail_for = 7;
    bed->faults.fail_commit_at = 1; // what the pivots come to is written only when the second one has been looked at
    until_ended(bed, &watched);
    assert_true(watched.last.done == 1 && watched.last.refused == 1 && watched.last.failed == 0);
    assert_int_equal(watched.refusal, ERR_SAGA_STATE);
    bed_settle(bed);
    assert_int_equal(succeeded(bed, 2), 1);
    assert_int_equal(audits(bed, "terminate"), 1);
}

// [E8] one that has gone on, and is still what was asked for, is acted on as it is now
static void test_what_still_fits_after_it_went_on_is_acted_on(void **state) {
    struct saga_bed *bed = *state;
    struct watched watched = {0};
    struct saga_batch_options options = retry_parked(bed, &watched);
    options.filter.parked = false;
    options.filter.unfinished = true;
    options.operation.act = SAGA_ACT_PAUSE;
    options.rate_per_s = 1;
    model_plan(&bed->model, "pivot", SAGA_ACTION, MODEL_SLOW, 2, 900);
    model_plan(&bed->model, "e", SAGA_ACTION, MODEL_SLOW, 2, 90000);
    bed_start(bed, &flow_trip, "trip000", "", NULL);
    bed_start(bed, &flow_trip, "trip001", "", NULL);
    begin(bed, &options);
    while (audits(bed, "pause") == 0)
        assert_true(bed_step(bed));
    bed->faults.fail_for = 7;
    bed->faults.fail_commit_at = 1;
    until_ended(bed, &watched);
    assert_true(watched.last.done == 2 && watched.last.refused == 0 && watched.last.failed == 0);
    assert_int_equal(audits(bed, "pause"), 2);
}

// A commit behind the first action fails for good; whether it was one of the batch. One that fails is told as such.
static bool told_apart(struct saga_bed *bed, int64_t commit) {
    struct watched watched;
    struct saga_batch_options options = retry_parked(bed, &watched);
    park(bed, 3);
    options.rate_per_s = 1;
    watched = (struct watched){0};
    begin(bed, &options);
    while (audits(bed, "retry") == 0)
        assert_true(bed_step(bed));
    bed->faults.fail_result = BACKEND_FULL;
    bed->faults.fail_for = 3;
    bed->faults.fail_commit_at = commit;
    until_ended(bed, &watched);
    bed->faults.fail_commit_at = 0;
    assert_int_equal(watched.failed, ERR_OK);
    assert_int_equal(watched.last.done + watched.last.failed, 3);
    bool told = watched.last.failed > 0;
    run(bed, &options);
    assert_true(watched.last.done + watched.last.done_before == watched.last.matched);
    bed_settle(bed);
    assert_int_equal(succeeded(bed, 3), 3);
    return told;
}

static void test_what_could_not_be_done_is_told_apart_from_what_was_refused(void **state) {
    bool told = false;
    (void)state;
    for (int64_t commit = 1; commit <= 8; commit++) {
        void *bed = NULL;
        bed_set_up(&bed);
        told = told_apart(bed, commit) || told;
        bed_tear_down(&bed);
    }
    assert_true(told);
}

// ---- Once for one request -----------------------------------------------------------------------------------------

// [E8]
static void test_the_same_request_again_acts_only_on_those_that_are_left(void **state) {
    struct saga_bed *bed = *state;
    struct watched watched;
    struct saga_batch_options options = retry_parked(bed, &watched);
    park(bed, 6);
    options.filter.parked = false;
    options.operation.act = SAGA_ACT_PAUSE;
    options.rate_per_s = 1;
    begin(bed, &options);
    watched = (struct watched){.listens = 3};
    bed_run(bed, 3600000); // nobody listens any more after a second: it stops
    assert_int_equal(watched.reports, 3);
    int64_t done = (int64_t)audits(bed, "pause");
    assert_true(done > 0 && done < 6);
    options.rate_per_s = 1000;
    run(bed, &options);
    assert_int_equal(watched.last.done_before, done);
    assert_int_equal(watched.last.done, 6 - done);
    assert_int_equal(audits(bed, "pause"), 6);
    assert_int_equal(audits(bed, "batch"), 1);
    run(bed, &options);
    assert_true(watched.last.done_before == 6 && watched.last.done == 0);
    assert_int_equal(audits(bed, "pause"), 6);
}

// [E8] "older than a while" is another moment each time that it is asked for: the first one holds
static void test_the_same_request_again_is_about_the_same_sagas(void **state) {
    struct saga_bed *bed = *state;
    struct watched watched;
    struct saga_batch_options options = retry_parked(bed, &watched);
    park(bed, 3);
    options.filter.parked = false;
    options.filter.to_ms = bed_row(bed, "trip002")->created_ms;
    options.operation.act = SAGA_ACT_PAUSE;
    run(bed, &options);
    assert_int_equal(watched.last.done, 2);
    options.filter.to_ms = INT64_MAX;
    run(bed, &options);
    assert_true(watched.last.matched == 2 && watched.last.done_before == 2 && watched.last.done == 0);
    assert_int_equal(bed_row(bed, "trip002")->paused, 0);
}

// [E8]
static void test_the_same_id_for_something_else_is_refused(void **state) {
    struct saga_bed *bed = *state;
    struct watched watched;
    struct saga_batch_options options = retry_parked(bed, &watched);
    park(bed, 2);
    run(bed, &options);
    options.body = STR("terminate what is parked");
    options.operation.act = SAGA_ACT_TERMINATE;
    options.filter.parked = false;
    run(bed, &options);
    assert_int_equal(watched.failed, ERR_IDEMPOTENCY_KEY_REUSED);
    bed_settle(bed);
    assert_int_equal(audits(bed, "terminate"), 0);
    assert_int_equal(succeeded(bed, 2), 2);
}

// [E8] wherever the process dies: asked for again it does the rest, and nothing twice
static void test_a_batch_that_died_is_gone_on_with(void **state) {
    (void)state;
    for (int64_t after = 1; after <= 8; after++)
        for (enum bed_death death = BED_BEFORE_COMMIT; death <= BED_AFTER_TELLING; death++) {
            struct saga_bed bed;
            struct watched watched = {0};
            bed_init(&bed);
            bed_open(&bed);
            park(&bed, 4);
            struct saga_batch_options options = retry_parked(&bed, &watched);
            options.filter.parked = false; // so that it meets those that it has done
            options.operation.act = SAGA_ACT_PAUSE;
            bed.death = death;
            bed.death_at = bed.commits + after;
            begin(&bed, &options);
            for (unsigned i = 0; i < 2000 && !watched.ended && bed.deaths == 0; i++)
                bed_step(&bed);
            bed.death = BED_LIVES;
            options.requests = bed.requests;
            run(&bed, &options);
            assert_int_equal(watched.last.done + watched.last.done_before, 4);
            assert_int_equal(audits(&bed, "pause"), 4);
            assert_int_equal(audits(&bed, "batch"), 1);
            bed_release(&bed);
        }
}

// Rows of so many sagas that ended long ago.
static void fill(struct saga_bed *bed, unsigned n) {
    struct store_write *write = store_write_new(bed->store);
    struct bed_reply durable = {0};
    for (unsigned i = 0; i < n; i++) {
        struct saga_row row = {.status = SAGA_FAILED, .due_ms = INT64_MAX, .created_ms = 1 + i, .slot = (int32_t)i % 4};
        snprintf(row.gid, sizeof row.gid, "old%04u", i);
        snprintf(row.flow, sizeof row.flow, "test.trip");
        store_row(write, &saga_table, STORE_INSERT, &row);
    }
    store_submit(bed->store, write, NULL, bed_replied, &durable);
    bed_wait(bed, &durable);
}

// [E8] pages of it, in some slots alone; so many refusals are named between two reports, and the others counted
static void test_a_large_batch_goes_page_by_page(void **state) {
    struct saga_bed *bed = *state;
    struct watched watched;
    struct saga_batch_options options = retry_parked(bed, &watched);
    const int32_t slots[] = {1, 2, 3};
    fill(bed, 700);
    options.filter.parked = false;
    options.filter.status = SAGA_FAILED;
    options.filter.slots = slots;
    options.filter.n_slots = 3;
    run(bed, &options);
    assert_true(watched.last.matched == 525 && !watched.last.more);
    assert_true(watched.last.refused == 525 && watched.last.done == 0);
    assert_true(watched.most_refusals == SAGA_BATCH_REFUSALS);
}

// [E8] what goes from one status to the next while others have their turn is not passed over
static void test_what_was_counted_is_acted_on_wherever_it_has_got_to(void **state) {
    struct saga_bed *bed = *state;
    struct watched watched = {0};
    struct saga_batch_options options = retry_parked(bed, &watched);
    char gid[16];
    model_plan(&bed->model, "d", SAGA_ACTION, MODEL_REFUSE, 206, 0);
    for (unsigned i = 0; i < 205; i++) { // more than are read at once, and listed before those that run
        snprintf(gid, sizeof gid, "trip%03u", i);
        bed_start(bed, &flow_trip, gid, "", NULL);
    }
    bed_settle(bed);
    model_plan(&bed->model, "a", SAGA_ACTION, MODEL_SLOW, 1, 900);
    model_plan(&bed->model, "b", SAGA_ACTION, MODEL_AGAIN, 2, 0);
    bed_start(bed, &flow_trip, "runs", "", NULL);
    bed_run(bed, 10);
    assert_int_equal(bed_status(bed, "runs"), SAGA_RUNNING);
    options.filter.parked = false;
    options.filter.unfinished = true;
    options.operation.act = SAGA_ACT_PAUSE;
    options.rate_per_s = 20;
    begin(bed, &options);
    until_ended(bed, &watched);
    assert_true(watched.last.matched == 206 && watched.last.done == 206);
    assert_int_equal(bed_row(bed, "runs")->paused, 1);
}

static int set_up_neighbour(void **state) {
    neighbour_set_up(state);
    bed_open(*state);
    return 0;
}

// Another instance drives some: what it says of them counts as if it had been done here.
static void elsewhere(void *ctx, const struct saga_operation *operation, const char *gid, const char *request_id,
                      saga_reply_fn *done, void *done_ctx) {
    struct watched *watched = ctx;
    assert_int_equal(operation->act, SAGA_ACT_RETRY);
    assert_true(request_id[0] && gid[0] && watched->n_sent < sizeof watched->sent / sizeof watched->sent[0]);
    watched->sent[watched->n_sent].done = done;
    watched->sent[watched->n_sent++].ctx = done_ctx;
}

static void test_what_another_instance_drives_is_done_there(void **state) {
    struct saga_bed *bed = *state;
    struct watched watched = {0};
    struct saga_batch_options options = retry_parked(bed, &watched);
    struct error busy;
    error_set(&busy, ERR_OVERLOADED, NULL);
    neighbour_open();
    bed_run(bed, NEIGHBOUR_LONG_MS);
    fill(bed, 40); // their gids are in slots of both
    options.filter.parked = false;
    options.filter.status = SAGA_FAILED;
    options.elsewhere = elsewhere;
    begin(bed, &options);
    unsigned answered = 0, most = 0;
    while (!watched.ended) {
        bed_run(bed, 10);
        unsigned n = watched.n_sent;
        most = n - answered > most ? n - answered : most;
        for (unsigned i = n; i-- > answered;)
            watched.sent[i].done(watched.sent[i].ctx, i < 3 ? &busy : NULL);
        answered = n;
    }
    assert_true(most > 1);                                  // at once
    assert_true(watched.n_sent > 5 && watched.n_sent < 35); // what is ours is refused here: it has ended
    assert_int_equal(watched.last.failed, 3);
    assert_int_equal(watched.last.done, watched.n_sent - 3);
    assert_int_equal(watched.last.refused, 40 - watched.n_sent);
}

// It ends with its engine while others are at it: their answers find nobody, and must not come any more.
static void test_it_is_gone_while_another_instance_acts(void **state) {
    struct saga_bed *bed = *state;
    struct watched watched = {0};
    struct saga_batch_options options = retry_parked(bed, &watched);
    neighbour_open();
    bed_run(bed, NEIGHBOUR_LONG_MS);
    fill(bed, 40);
    options.filter.parked = false;
    options.filter.status = SAGA_FAILED;
    options.elsewhere = elsewhere;
    begin(bed, &options);
    bed_run(bed, 100);
    assert_true(watched.n_sent > 1 && !watched.ended);
    bed_close(bed);
    assert_false(watched.ended);
    bed_open(bed);
}

static void test_a_slow_store_delays_the_first_report(void **state) {
    struct saga_bed *bed = *state;
    struct watched watched = {0};
    struct saga_batch_options options = retry_parked(bed, &watched);
    park(bed, 2);
    bed->holds = true;
    begin(bed, &options);
    bed_run(bed, 2000);
    assert_int_equal(watched.reports, 0);
    bed->holds = false;
    until_ended(bed, &watched);
    assert_int_equal(watched.last.done, 2);
}

// [E8] reads that find no room: a page ends the batch, a saga counts as failed and is done the next time
static void test_reads_that_find_no_room_are_told_of(void **state) {
    struct saga_bed *bed = *state;
    struct watched watched = {0}, other = {0};
    park(bed, 6);
    bed_close(bed);
    bed->reads_max = 1;
    bed_open(bed);
    bed_run(bed, 5500); // between two looks at who is paused
    struct saga_batch_options options = retry_parked(bed, &watched), second = retry_parked(bed, &other);
    options.rate_per_s = 5;
    second.request_id = STR("batch-2");
    begin(bed, &second);
    begin(bed, &options); // the newest has its turn first
    while (audits(bed, "batch") == 0 && !watched.ended)
        assert_true(bed_step(bed));
    assert_int_equal(other.failed, ERR_OVERLOADED); // the other one's request was being looked for
    struct bed_reply somebody;
    bed_signal(bed, "nobody", "paid", "1", &somebody);
    bed->holds = true; // while the store looks for that
    bed_run(bed, 2000);
    bed->holds = false;
    until_ended(bed, &watched);
    assert_true(watched.last.failed > 0 && watched.last.refused == 0);
    bed_close(bed);
    bed->reads_max = 0;
    bed_open(bed);
    options.requests = bed->requests;
    run(bed, &options);
    bed_settle(bed);
    assert_int_equal(succeeded(bed, 6), 6);
}

// ---- Its end ------------------------------------------------------------------------------------------------------

static void test_it_stops_when_it_is_told_to(void **state) {
    struct saga_bed *bed = *state;
    struct watched watched = {0};
    struct saga_batch_options options = retry_parked(bed, &watched);
    park(bed, 4);
    for (unsigned steps = 0; steps < 40; steps++) {
        char id[16];
        snprintf(id, sizeof id, "stop-%u", steps);
        watched = (struct watched){0};
        options.request_id = str_c(id);
        options.rate_per_s = 1;
        struct saga_batch *batch = begin(bed, &options);
        for (unsigned i = 0; i < steps && !watched.ended; i++)
            bed_step(bed);
        if (watched.ended)
            break;
        unsigned reports = watched.reports;
        saga_batch_stop(batch);
        bed_run(bed, 10000);
        assert_int_equal(watched.reports, reports);
    }
    assert_true(succeeded(bed, 4) > 0);
}

static void test_it_is_gone_with_its_engine(void **state) {
    (void)state;
    for (unsigned steps = 0; steps < 30; steps++) {
        struct saga_bed bed;
        struct watched watched = {0};
        bed_init(&bed);
        bed_open(&bed);
        park(&bed, 3);
        struct saga_batch_options options = retry_parked(&bed, &watched);
        begin(&bed, &options);
        for (unsigned i = 0; i < steps; i++)
            bed_step(&bed);
        unsigned reports = watched.reports;
        bed_close(&bed);
        assert_int_equal(watched.reports, reports);
        bed_release(&bed);
    }
}

static void refused(struct saga_bed *bed, const struct saga_batch_options *options, enum err code) {
    struct error error = {0};
    assert_null(saga_batch_begin(bed->engine, options, &error));
    assert_int_equal(error.code, code);
}

static void test_a_batch_has_a_request_id(void **state) {
    struct saga_bed *bed = *state;
    struct watched watched;
    struct saga_batch_options options = retry_parked(bed, &watched);
    park(bed, 1);
    options.request_id = STR("");
    run(bed, &options);
    assert_int_equal(watched.failed, ERR_INVALID_REQUEST);
    assert_true(bed_parked(bed, "trip000"));
}

static void test_what_can_not_be_a_batch_is_refused(void **state) {
    struct saga_bed *bed = *state;
    struct watched watched[SAGA_BATCHES_MAX] = {0};
    struct saga_batch_options good = retry_parked(bed, &watched[0]), bad = good;
    bad.operation.act = SAGA_ACT_RESOLVE;
    refused(bed, &bad, ERR_INVALID_REQUEST);
    bad = good;
    bad.rate_per_s = 0;
    refused(bed, &bad, ERR_INVALID_REQUEST);
    bad.rate_per_s = SAGA_BATCH_RATE_MAX + 1;
    refused(bed, &bad, ERR_INVALID_REQUEST);
    bad = good;
    bad.operation.reason = STR("");
    refused(bed, &bad, ERR_INVALID_REQUEST);
    bad = good;
    bad.operation.step = STR("\xff");
    refused(bed, &bad, ERR_INVALID_REQUEST);
    for (unsigned i = 0; i < SAGA_BATCHES_MAX; i++) {
        good.ctx = &watched[i];
        begin(bed, &good);
    }
    refused(bed, &good, ERR_OVERLOADED);
    for (unsigned i = 0; i < SAGA_BATCHES_MAX; i++)
        until_ended(bed, &watched[i]);
    begin(bed, &good); // there is room again
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bed_set_up, bed_tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_a_dry_run_only_counts),
        TEST(test_there_may_be_more_than_are_acted_on),
        TEST(test_the_action_is_done_to_each_saga_of_the_filter),
        TEST(test_it_keeps_to_its_rate_and_tells_how_far_it_is),
        TEST(test_what_does_not_fit_is_refused_and_named),
        TEST(test_what_is_no_longer_parked_is_left_alone),
        TEST(test_what_is_no_longer_in_trouble_is_left_alone),
        TEST(test_what_goes_on_while_it_is_looked_at_is_left_alone),
        TEST(test_what_still_fits_after_it_went_on_is_acted_on),
        TEST(test_the_same_request_again_is_about_the_same_sagas),
        cmocka_unit_test(test_what_could_not_be_done_is_told_apart_from_what_was_refused),
        TEST(test_the_same_request_again_acts_only_on_those_that_are_left),
        TEST(test_the_same_id_for_something_else_is_refused),
        cmocka_unit_test(test_a_batch_that_died_is_gone_on_with),
        TEST(test_a_large_batch_goes_page_by_page),
        TEST(test_what_was_counted_is_acted_on_wherever_it_has_got_to),
        TEST(test_reads_that_find_no_room_are_told_of),
        TEST(test_a_slow_store_delays_the_first_report),
        cmocka_unit_test_setup_teardown(test_it_is_gone_while_another_instance_acts, set_up_neighbour,
                                        neighbour_tear_down),
        cmocka_unit_test_setup_teardown(test_what_another_instance_drives_is_done_there, set_up_neighbour,
                                        neighbour_tear_down),
        TEST(test_it_stops_when_it_is_told_to),
        cmocka_unit_test(test_it_is_gone_with_its_engine),
        TEST(test_a_batch_has_a_request_id),
        TEST(test_what_can_not_be_a_batch_is_refused),
    };
    return cmocka_run_group_tests_name("saga/batch", tests, NULL, NULL);
}
