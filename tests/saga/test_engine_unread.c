// Sagas that can't be read, or whose kin can't, are terminated: whoever waits for their end hears of it, or it is said
// that they did not (E8).
#include "tests/cmocka.h"
#include "tests/saga/bed.h"

static const struct saga_operation retry = {.act = SAGA_ACT_RETRY}, terminate = {.act = SAGA_ACT_TERMINATE};

// ---- A flow that looks back when it ends ----------------------------------------------------------------------------

static enum saga_happened before, at_pivot, behind;
static unsigned legs;

static unsigned two(const struct saga_subject *subject, struct str input) {
    assert_non_null(subject);
    assert_true(str_eq_c(input, "two"));
    return 2;
}

static struct saga_verdict look_back(struct saga_turn *turn) {
    before = saga_turn_happened(turn, 1, 1);
    at_pivot = saga_turn_happened(turn, 2, 0);
    behind = saga_turn_happened(turn, 3, 0);
    legs = saga_turn_saga(turn)->n_legs;
    account_edit(account_of(saga_turn_subject(turn)))->amount++;
    return saga_done();
}

#define CALL .participant = "model", .run = bed_send, .inquire = bed_send, .deadline_ms = 1000
static const struct saga_step steps[] = {
    {.id = 1, .stage = 1, .name = "hold", .legs = two, CALL, .undo = bed_send, .undo_retry = SAGA_STUBBORN},
    {.id = 2, .stage = 2, .name = "pay", .kind = SAGA_PIVOT, CALL},
    {.id = 3, .stage = 3, .name = "ship", .kind = SAGA_RETRIABLE, CALL, .retry = SAGA_STUBBORN},
};
static const struct saga_flow flow_back = {
    .name = "test.back", .version = 1, .steps = steps, .n_steps = 3, .on_end = look_back, .attach = account_attach};

// What a newer release has, and what is left of it.
static const struct saga_flow *const newer[] = {&flow_back, &flow_await, &flow_order, &flow_parent,
                                                &flow_pair, &flow_trip,  NULL},
                                     *const without_parent[] = {&flow_await, &flow_order, &flow_pair, NULL};

static int setup(void **state) {
    static struct saga_bed bed;
    bed_init(&bed);
    bed.options.flow_sets[0].flows = newer;
    bed_open(&bed);
    *state = &bed;
    return 0;
}

// ---- Records that can't be read -------------------------------------------------------------------------------------

static void written(void *ctx, const struct error *error) {
    assert_null(error);
    *(bool *)ctx = true;
}

static void write_row(struct saga_bed *bed, enum store_verb verb, const struct saga_row *row) {
    struct store_group group = {0};
    struct store_write *write = store_write_new(bed->store);
    bool done = false;
    store_row(write, &saga_table, verb, row);
    store_submit(bed->store, write, &group, written, &done);
    while (!done)
        assert_true(bed_step(bed));
}

// Anew, since some of its columns never change.
static void put(struct saga_bed *bed, const struct saga_row *row) {
    write_row(bed, STORE_DELETE, row);
    write_row(bed, STORE_INSERT, row);
}

// What is stored of the saga can't be read any more, whoever wrote it.
static void spoil(struct saga_bed *bed, const char *gid) {
    struct saga_row row = *bed_row(bed, gid);
    row.journal = STR("\xff");
    put(bed, &row);
}

// That waits for its pivot.
static void start_back(struct saga_bed *bed) {
    model_plan(&bed->model, "pay", SAGA_ACTION, MODEL_HANGS, 1, 0);
    bed_start(bed, &flow_back, "one", "two", "account");
    bed_run(bed, 10);
}

static void find_them_spoiled(struct saga_bed *bed) {
    bed_revive(bed);
    bed_run(bed, 1000);
}

static bool says(const char *text, const char *part) {
    return strstr(text, part) != NULL;
}

// ---- Its own record -------------------------------------------------------------------------------------------------

// [E8]
static void test_what_can_not_be_read_can_be_terminated(void **state) {
    struct saga_bed *bed = *state;
    bed_start(bed, &flow_await, "one", "", NULL);
    bed_run(bed, 10);
    spoil(bed, "one");
    find_them_spoiled(bed);
    bed_refused(bed, "one", &retry, ERR_STORE_CORRUPT);
    struct bed_reply replies[3];
    bed_operate(bed, "one", &terminate, &replies[0]);
    bed_operate(bed, "one", &terminate, &replies[1]);
    bed_operate(bed, "one", &retry, &replies[2]);
    for (int i = 0; i < 3; i++)
        bed_wait(bed, &replies[i]);
    assert_int_equal(replies[0].code, ERR_OK);
    assert_int_equal(replies[1].code, ERR_SAGA_STATE);
    assert_true(replies[2].code == ERR_SAGA_STATE || replies[2].code == ERR_STORE_CORRUPT);
    const struct saga_row *row = bed_row(bed, "one");
    assert_int_equal(row->status, SAGA_TERMINATED);
    assert_true(row->due_ms == INT64_MAX && row->ended_ms > 0);
    assert_string_equal(row->reason, "STOPPED_BY_OPERATOR");
    assert_true(says(row->text, "its record could not be read: "));
    assert_true(str_eq(row->journal, STR("\xff"))); // as it was
    bed_events(bed, "saga.ended", 1);
    bed_events(bed, "saga.unheard", 0);
    const struct audit_row *audit = bed_audits(bed, 1);
    assert_string_equal(audit->before, "running");
    assert_string_equal(audit->after, "terminated");
    assert_string_equal(audit->detail, "its record can't be read: what is in mid-air is not known");
    bed_refused(bed, "one", &terminate, ERR_SAGA_STATE);
    bed_run(bed, 1000);
    assert_int_equal(bed_stats(bed).resident, 0);
}

// [E8] [E3] what may have run counts as that; what can't have, because the pivot's success is durable before, does not
static void test_its_flow_hears_what_may_have_run(void **state) {
    struct saga_bed *bed = *state;
    start_back(bed);
    spoil(bed, "one");
    find_them_spoiled(bed);
    unsigned sent = bed->model.sent;
    bed_must(bed, "one", &terminate);
    assert_true(before == SAGA_HAPPENED_PERHAPS && at_pivot == SAGA_HAPPENED_PERHAPS && behind == SAGA_HAPPENED_NOT);
    assert_int_equal(legs, 4);
    assert_int_equal(bed_account(bed, "account")->amount, 1);
    assert_int_equal(bed_status(bed, "one"), SAGA_TERMINATED);
    assert_int_equal(bed->notices[SAGA_NOTICE_UNHEARD], 0);
    bed_run(bed, 60000);
    assert_int_equal(bed->model.sent, sent);
}

static void test_behind_its_pivot_anything_may_have_run(void **state) {
    struct saga_bed *bed = *state;
    model_plan(&bed->model, "ship", SAGA_ACTION, MODEL_HANGS, 1, 0);
    bed_start(bed, &flow_back, "one", "two", "account");
    bed_run(bed, 10);
    assert_int_equal(bed_status(bed, "one"), SAGA_FORWARD);
    spoil(bed, "one");
    find_them_spoiled(bed);
    bed_must(bed, "one", &terminate);
    assert_true(before == SAGA_HAPPENED_PERHAPS && behind == SAGA_HAPPENED_PERHAPS);
}

// Not only its journal: of a status that is none nothing follows, and what it is about is gone.
static void test_what_else_is_wrong_with_its_row_does_not_matter(void **state) {
    struct saga_bed *bed = *state;
    start_back(bed);
    bed_start(bed, &flow_await, "two", "", NULL);
    bed_run(bed, 100);
    struct saga_row row = *bed_row(bed, "one");
    row.status = 99;
    memset(row.subject, 0, sizeof row.subject);
    put(bed, &row);
    row = *bed_row(bed, "two");
    row.flow_version = -1;
    put(bed, &row);
    find_them_spoiled(bed);
    bed_must(bed, "one", &terminate);
    assert_int_equal(bed_status(bed, "one"), SAGA_TERMINATED);
    bed_must(bed, "two", &terminate);
    assert_int_equal(bed_status(bed, "two"), SAGA_TERMINATED);
    bed_events(bed, "saga.unheard", 2);
    assert_int_equal(bed->notices[SAGA_NOTICE_UNHEARD], 2);
    const struct audit_row *rows = bed_audits(bed, 2);
    bool two_is_first = strcmp(rows[0].gid, "two") == 0;
    assert_true(says(rows[two_is_first ? 0 : 1].detail, "nor was its flow told"));
}

static unsigned noted;

static void note(void *ctx, struct saga_turn *turn) {
    (void)ctx;
    assert_non_null(turn);
    noted++;
}

// [E8] of those of which not even the flow can be told each is ended by one operator, whoever ends it, or another, at
// the same time; and not when it has gone on since it was looked at
static void test_what_nothing_is_known_of_is_ended_once(void **state) {
    struct saga_bed *bed = *state;
    static const char *const gids[] = {"one", "two", "three"};
    struct saga_operation seen = terminate, and_note = terminate;
    struct bed_reply replies[3], again;
    for (size_t i = 0; i < 3; i++) {
        bed_start(bed, &flow_await, gids[i], "", NULL);
        bed_run(bed, 100);
        struct saga_row row = *bed_row(bed, gids[i]);
        row.flow_version = -1;
        put(bed, &row);
    }
    find_them_spoiled(bed);
    seen.seen_ms = 1;
    bed_refused(bed, "one", &seen, ERR_SAGA_STATE);
    noted = 0;
    and_note.also = note;
    for (size_t i = 0; i < 3; i++)
        bed_operate(bed, gids[i], &and_note, &replies[i]);
    bed_operate(bed, "two", &and_note, &again);
    for (size_t i = 0; i < 3; i++) {
        bed_wait(bed, &replies[i]);
        assert_int_equal(replies[i].code, ERR_OK);
        assert_int_equal(bed_status(bed, gids[i]), SAGA_TERMINATED);
    }
    bed_wait(bed, &again);
    assert_int_equal(again.code, ERR_SAGA_STATE);
    assert_int_equal(noted, 3);
    bed_audits(bed, 3);
}

// Refused, it is not left in memory as something that it is not.
static void test_one_that_has_gone_on_is_left_as_it_is(void **state) {
    struct saga_bed *bed = *state;
    struct saga_operation seen = terminate;
    bed_start(bed, &flow_await, "one", "", NULL);
    bed_run(bed, 10);
    spoil(bed, "one");
    find_them_spoiled(bed);
    seen.seen_ms = 1;
    bed_refused(bed, "one", &seen, ERR_SAGA_STATE);
    assert_int_equal(bed_stats(bed).resident, 0);
    bed_run(bed, 10000);
    assert_int_equal(bed_status(bed, "one"), SAGA_RUNNING);
    assert_true(str_eq(bed_row(bed, "one")->journal, STR("\xff")));
    bed_audits(bed, 0);
}

static void test_an_end_that_can_not_be_written_is_not_one(void **state) {
    struct saga_bed *bed = *state;
    struct bed_reply reply;
    start_back(bed);
    spoil(bed, "one");
    find_them_spoiled(bed);
    bed->faults.fail_commit_at = 1;
    bed->faults.fail_result = BACKEND_REFUSED;
    bed_operate(bed, "one", &terminate, &reply);
    bed_wait(bed, &reply);
    bed_run(bed, 10000);
    assert_true((bed_status(bed, "one") == SAGA_TERMINATED) == (reply.code == ERR_OK));
    assert_int_equal(bed_account(bed, "account")->amount, reply.code == ERR_OK);
    assert_true(str_eq(bed_row(bed, "one")->journal, STR("\xff")));
}

// [E8] whoever waits for it when the process ends hears of that, and it is ended once
static void test_a_death_while_it_is_ended_is_told(void **state) {
    struct saga_bed *bed = *state;
    start_back(bed);
    spoil(bed, "one");
    find_them_spoiled(bed);
    for (unsigned at = 0; bed_status(bed, "one") != SAGA_TERMINATED; at++) {
        struct bed_reply reply;
        assert_true(at < 100);
        bed_operate(bed, "one", &terminate, &reply);
        for (unsigned i = 0; i < at && !reply.came; i++)
            assert_true(bed_step(bed));
        bed_revive(bed);
        assert_true(reply.came);
        assert_true(reply.code != ERR_OK || bed_status(bed, "one") == SAGA_TERMINATED);
    }
    assert_int_equal(bed_account(bed, "account")->amount, 1);
    bed_audits(bed, 1);
}

// ---- Its parent, and its children -----------------------------------------------------------------------------------

static void start_family(struct saga_bed *bed) {
    model_plan(&bed->model, "debit", SAGA_ACTION, MODEL_HANGS, 1, 0);
    bed_start(bed, &flow_parent, "one", "", NULL);
    bed_run(bed, 100);
    assert_non_null(bed_row(bed, "one/child1"));
}

// [E8]
static void test_its_parent_hears_of_it(void **state) {
    struct saga_bed *bed = *state;
    start_family(bed);
    spoil(bed, "one/child1");
    find_them_spoiled(bed);
    bed_must(bed, "one/child1", &terminate);
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "one/child1"), SAGA_TERMINATED);
    assert_int_equal(bed_status(bed, "one"), SAGA_FAILED);
    assert_string_equal(bed_row(bed, "one")->text, "the child saga was terminated");
    bed_events(bed, "saga.unheard", 0);
}

// [E8] [E5] the parent waits for what has ended: that is told, and the parent can be terminated, too
static void test_a_parent_that_can_not_be_told_is_named(void **state) {
    struct saga_bed *bed = *state;
    for (int both = 0; both < 2; both++) {
        if (both)
            bed_release(bed), setup(state);
        start_family(bed);
        spoil(bed, "one");
        if (both)
            spoil(bed, "one/child1");
        find_them_spoiled(bed);
        bed_must(bed, "one/child1", &terminate);
        assert_int_equal(bed_status(bed, "one/child1"), SAGA_TERMINATED);
        assert_true(says(bed_row(bed, "one/child1")->text, "its parent was not told: "));
        const struct outbox_row *event = bed_events(bed, "saga.unheard", 1);
        assert_string_equal(event->gid, "one/child1");
        assert_true(says(bed_audits(bed, 1)->detail, "its parent one can't be read and was not told"));
        assert_true(str_starts(event->payload, STR("its parent one can't be read and was not told")));
        assert_int_equal(bed->notices[SAGA_NOTICE_UNHEARD], 1);
        bed_must(bed, "one", &terminate);
        assert_int_equal(bed_status(bed, "one"), SAGA_TERMINATED);
    }
}

static void test_one_that_is_its_own_parent_ends(void **state) {
    struct saga_bed *bed = *state;
    bed_start(bed, &flow_await, "one", "", NULL);
    bed_run(bed, 1000);
    struct saga_row row = *bed_row(bed, "one");
    memcpy(row.parent_gid, row.gid, sizeof row.parent_gid);
    put(bed, &row);
    find_them_spoiled(bed);
    bed_must(bed, "one", &terminate);
    assert_int_equal(bed_status(bed, "one"), SAGA_TERMINATED);
    bed_events(bed, "saga.unheard", 1);
}

// ---- What it is about -----------------------------------------------------------------------------------------------

// [E8]
static void test_a_subject_that_can_not_be_read_is_named(void **state) {
    struct saga_bed *bed = *state;
    bed_start(bed, &flow_order, "one", "5", "account");
    bed_run(bed, 10);
    bed_kill(bed);
    bed->accounts.fail_loads = 1000;
    bed->accounts.fail_code = ERR_STORE_CORRUPT;
    bed_open(bed);
    bed_run(bed, 1000);
    bed_refused(bed, "one", &retry, ERR_STORE_CORRUPT);
    bed_must(bed, "one", &terminate);
    const struct saga_row *row = bed_row(bed, "one");
    assert_int_equal(row->status, SAGA_TERMINATED);
    assert_string_equal(row->subject, "account");
    assert_true(says(row->text, "what it is about was not told: "));
    const struct outbox_row *event = bed_events(bed, "saga.unheard", 1);
    assert_string_equal(event->subject, "account");
    assert_true(
        says(bed_audits(bed, 1)->detail, "what it is about (account) can't be read and was not told; in mid-air"));
    assert_string_equal(bed_account(bed, "account")->note, "");
    bed->accounts.fail_loads = 0;
}

// That the store does not answer is no reason to leave anybody out.
static void test_a_subject_that_can_be_read_later_is_waited_for(void **state) {
    struct saga_bed *bed = *state;
    bed_start(bed, &flow_order, "one", "5", "account");
    bed_run(bed, 10);
    spoil(bed, "one");
    find_them_spoiled(bed);
    bed_kill(bed);
    bed_open(bed);
    bed_run(bed, 1000);
    bed->accounts.fail_loads = 1;
    bed->accounts.fail_code = ERR_STORE_UNAVAILABLE;
    bed_refused(bed, "one", &terminate, ERR_STORE_UNAVAILABLE);
    bed_must(bed, "one", &terminate);
    assert_string_equal(bed_account(bed, "account")->note, "terminated");
}

// ---- A newer release's ----------------------------------------------------------------------------------------------

static void assert_left(struct saga_bed *bed, const char *gid) {
    struct bed_reply reply;
    bed_operate(bed, gid, &terminate, &reply);
    bed_wait(bed, &reply);
    assert_int_equal(reply.code, ERR_FLOW_UNKNOWN);
    assert_true(says(reply.text, "start an instance of a release that has it"));
    assert_true(says(reply.text, "terminate the saga once that drives it"));
}

// [E8] neither it, nor a child of it: that release knows who must hear of their ends, and is told to be started
static void test_a_newer_releases_is_left_to_that(void **state) {
    struct saga_bed *bed = *state;
    start_family(bed);
    bed_start(bed, &flow_back, "back", "two", "account");
    bed_kill(bed);
    bed->options.flow_sets[0].flows = without_parent;
    bed_open(bed);
    bed_run(bed, 1000);
    assert_left(bed, "back");
    assert_left(bed, "one");
    assert_left(bed, "one/child1");
    spoil(bed, "one/child1");
    bed_revive(bed);
    bed_run(bed, 1000);
    assert_left(bed, "one/child1");
    bed_audits(bed, 0);
    bed_kill(bed);
    bed->options.flow_sets[0].flows = newer;
    bed_open(bed);
    bed_run(bed, 1000);
    bed_must(bed, "one/child1", &terminate);
    bed_settle(bed);
    assert_int_equal(bed_status(bed, "one"), SAGA_FAILED);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, bed_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_what_can_not_be_read_can_be_terminated),  TEST(test_its_flow_hears_what_may_have_run),
        TEST(test_behind_its_pivot_anything_may_have_run),  TEST(test_what_else_is_wrong_with_its_row_does_not_matter),
        TEST(test_behind_its_pivot_anything_may_have_run),  TEST(test_what_nothing_is_known_of_is_ended_once),
        TEST(test_one_that_has_gone_on_is_left_as_it_is),   TEST(test_an_end_that_can_not_be_written_is_not_one),
        TEST(test_a_death_while_it_is_ended_is_told),       TEST(test_its_parent_hears_of_it),
        TEST(test_a_parent_that_can_not_be_told_is_named),  TEST(test_one_that_is_its_own_parent_ends),
        TEST(test_a_subject_that_can_not_be_read_is_named), TEST(test_a_subject_that_can_be_read_later_is_waited_for),
        TEST(test_a_newer_releases_is_left_to_that),
    };
    return cmocka_run_group_tests_name("saga/engine: what can't be read", tests, NULL, NULL);
}
