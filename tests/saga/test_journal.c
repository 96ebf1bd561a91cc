// The journal inside a saga's row: what goes in comes out, whatever else is read is refused or valid.
#include "saga/journal.h"
#include "tests/base/seeded.h"
#include "tests/cmocka.h"
#include "tests/saga/steps.h"

#include <stdio.h>
#include <stdlib.h>

static const struct saga_step steps[] = {
    {STEP_CALL(1, 1, "a"), .inquire = step_call, .legs = step_two_legs},
    {STEP_AWAIT(2, 1, "await", "paid")},
    {STEP_CHILD(3, 2, "child"), .undo = step_call, .deadline_ms = 1},
    {STEP_CALL(4, 2, "none"), .legs = step_no_legs},
    {STEP_PIVOT(5, 3, "pivot")},
    {STEP_AFTER(6, 4, "after")},
};
static const struct saga_flow flow = {.name = "journal", .version = 1, .steps = steps, .n_steps = STEP_COUNT(steps)};

// ---- Instances ----------------------------------------------------------------------------------------------------

static struct saga_instance blank(const struct saga_flow *of, enum saga_status status) {
    struct saga_instance instance;
    struct error error = {0};
    if (!saga_instance_init(&instance, of, STR("gid"), NULL, STR_NONE, &error))
        fail_msg("%s", error.text);
    instance.status = status;
    return instance;
}

static void add_signal(struct saga_instance *instance, const char *name, const char *id, struct str payload) {
    struct error error = {0};
    bool duplicate;
    if (!saga_instance_signal(instance, str_c(name), str_c(id), payload, &duplicate, &error))
        fail_msg("%s", error.text);
}

// A saga under way, with something in every field.
static struct saga_instance full(void) {
    struct saga_instance saga = blank(&flow, SAGA_RUNNING);
    saga.code = ERR_TIMED_OUT;
    str_fit(str_c("REASON"), saga.reason, sizeof saga.reason);
    str_fit(str_c("为什么"), saga.text, sizeof saga.text);
    struct saga_leg *leg = saga.legs;
    leg[0].state = LEG_DONE;
    leg[0].answer = saga_copy_bytes(str_n("an\0swer", 7));
    leg[0].started_ms = 1700000000001;
    leg[0].ended_ms = 1700000000777;
    leg[0].sent_ms = 1700000000002;
    leg[1].state = LEG_RETRYING;
    leg[1].may_have_run = leg[1].unknown = leg[1].refused = true;
    leg[1].attempts = 4000000000;
    leg[1].generation = 3;
    leg[1].due_ms = INT64_MAX - 5;
    leg[1].code = ERR_PARTICIPANT_SILENT;
    str_fit(str_c("SILENT"), leg[1].reason, sizeof leg[1].reason);
    str_fit(str_c("no answer"), leg[1].text, sizeof leg[1].text);
    leg[2].state = LEG_WAITING;
    leg[2].due_ms = 99;
    leg[3].child = CHILD_STARTED;
    add_signal(&saga, "paid", "id-1", STR("payload"));
    add_signal(&saga, "other", "id-1", STR_NONE);
    saga.signals[1].consumed = true;
    return saga;
}

// Everything at its largest.
static struct saga_step many_steps[SAGA_LEGS_MAX];
static struct saga_flow many = {.name = "many", .version = 1, .steps = many_steps, .n_steps = SAGA_LEGS_MAX};

static struct saga_instance largest(void) {
    static char names[SAGA_LEGS_MAX][8];
    static char answer[SAGA_ANSWER_MAX], payload[SAGA_SIGNAL_MAX];
    char text[SAGA_TEXT_MAX] = "", id[SAGA_GID_MAX + 1], name[SAGA_NAME_MAX + 1];
    memset(answer, 0xff, sizeof answer);
    memset(payload, 0xff, sizeof payload);
    memset(text, 'x', sizeof text - 1);
    for (unsigned i = 0; i < SAGA_LEGS_MAX; i++) {
        snprintf(names[i], sizeof names[i], "s%u", i);
        many_steps[i] = (struct saga_step){STEP_CALL((uint16_t)(65535 - i), (uint8_t)(1 + i / 4), names[i])};
    }
    struct saga_instance saga = blank(&many, SAGA_COMPENSATING);
    saga.code = (enum err)INT32_MAX;
    str_fit(str_c(text), saga.reason, sizeof saga.reason);
    str_fit(str_c(text), saga.text, sizeof saga.text);
    for (uint8_t i = 0; i < saga.n_legs; i++) {
        struct saga_leg *leg = &saga.legs[i];
        *leg = (struct saga_leg){.step = leg->step, .state = LEG_UNDONE, .may_have_run = true, .unknown = true};
        leg->attempts = leg->generation = UINT32_MAX;
        leg->due_ms = leg->started_ms = leg->ended_ms = leg->sent_ms = INT64_MAX;
        leg->code = (enum err)INT32_MAX;
        str_fit(str_c(text), leg->reason, sizeof leg->reason);
        str_fit(str_c(text), leg->text, sizeof leg->text);
        leg->answer = saga_copy_bytes(str_n(answer, sizeof answer));
    }
    for (unsigned i = 0; i < SAGA_SIGNALS_MAX; i++) {
        snprintf(name, sizeof name, "%0*u", SAGA_NAME_MAX, i);
        snprintf(id, sizeof id, "%0*u", SAGA_GID_MAX, i);
        add_signal(&saga, name, id, str_n(payload, sizeof payload));
        saga.signals[i].consumed = true;
    }
    return saga;
}

static struct str encode(const struct saga_instance *saga, struct arena *arena) {
    struct error error = {0};
    struct str bytes;
    if (!saga_journal_encode(saga, arena, &bytes, &error))
        fail_msg("%s", error.text);
    return bytes;
}

static bool decode(struct str bytes, const struct saga_flow *of, enum saga_status status, struct saga_instance *out,
                   struct error *error) {
    *out = (struct saga_instance){.flow = of, .status = status, .gid = "gid"};
    *error = (struct error){0};
    return saga_journal_decode(bytes, out, error);
}

static void assert_equal(const struct saga_instance *a, const struct saga_instance *b) {
    assert_int_equal(a->n_legs, b->n_legs);
    for (uint8_t i = 0; i < a->n_legs; i++) {
        struct saga_leg x = a->legs[i], y = b->legs[i];
        assert_true(str_eq(x.answer, y.answer));
        x.answer = y.answer = STR_NONE;
        assert_ptr_equal(x.step, y.step);
        assert_int_equal(x.leg, y.leg);
        assert_int_equal(x.state, y.state);
        assert_true(x.may_have_run == y.may_have_run && x.unknown == y.unknown && x.refused == y.refused);
        assert_int_equal(x.child, y.child);
        assert_true(x.attempts == y.attempts && x.generation == y.generation);
        assert_true(x.due_ms == y.due_ms && x.started_ms == y.started_ms && x.ended_ms == y.ended_ms);
        assert_true(x.sent_ms == y.sent_ms);
        assert_int_equal(x.code, y.code);
        assert_string_equal(x.reason, y.reason);
        assert_string_equal(x.text, y.text);
    }
    assert_int_equal(a->n_signals, b->n_signals);
    for (uint8_t i = 0; i < a->n_signals; i++) {
        assert_string_equal(a->signals[i].name, b->signals[i].name);
        assert_string_equal(a->signals[i].id, b->signals[i].id);
        assert_true(str_eq(a->signals[i].payload, b->signals[i].payload));
        assert_true(a->signals[i].consumed == b->signals[i].consumed);
    }
    assert_int_equal(a->code, b->code);
    assert_string_equal(a->reason, b->reason);
    assert_string_equal(a->text, b->text);
}

static void round_trip(struct saga_instance saga) {
    struct arena arena;
    struct saga_instance read;
    struct error error;
    arena_init(&arena, SAGA_RECORD_MAX);
    struct str bytes = encode(&saga, &arena);
    assert_true(bytes.len <= SAGA_RECORD_MAX);
    if (!decode(bytes, saga.flow, saga.status, &read, &error))
        fail_msg("%s", error.text);
    assert_equal(&saga, &read);
    saga_instance_release(&saga);
    saga_instance_release(&read);
    arena_release(&arena);
}

// ---- Tests --------------------------------------------------------------------------------------------------------

static void test_what_is_written_is_read_alike(void **state) {
    (void)state;
    round_trip(blank(&flow, SAGA_RUNNING));
    round_trip(full());
}

static void test_the_largest_record_fits(void **state) {
    (void)state;
    round_trip(largest());
}

static void test_an_oversize_record_is_refused_never_cut(void **state) {
    (void)state;
    static char answer[SAGA_ANSWER_MAX + 1];
    struct saga_instance saga = blank(&flow, SAGA_RUNNING);
    struct error error = {0};
    struct str bytes = STR("untouched");
    struct arena arena;
    arena_init(&arena, SAGA_RECORD_MAX);
    saga.legs[0].state = LEG_DONE;
    saga.legs[0].answer = saga_copy_bytes(str_n(answer, sizeof answer));
    assert_false(saga_journal_encode(&saga, &arena, &bytes, &error));
    assert_int_equal(error.code, ERR_RECORD_TOO_LARGE);
    saga_instance_release(&saga);
    arena_release(&arena);

    saga = largest();
    arena_init(&arena, 1000);
    assert_false(saga_journal_encode(&saga, &arena, &bytes, &error));
    assert_int_equal(error.code, ERR_RECORD_TOO_LARGE);
    assert_true(str_eq_c(bytes, "untouched"));
    saga_instance_release(&saga);
    arena_release(&arena);
}

// Refused as corrupt with nothing kept, or valid.
static bool is_read(struct str bytes, const struct saga_flow *of, enum saga_status status) {
    struct saga_instance saga;
    struct error error;
    if (!decode(bytes, of, status, &saga, &error)) {
        assert_int_equal(error.code, ERR_STORE_CORRUPT);
        assert_true(saga.legs == NULL && saga.n_legs == 0 && saga.n_signals == 0);
        return false;
    }
    if (!saga_instance_valid(&saga, &error))
        fail_msg("%s", error.text);
    saga_instance_release(&saga);
    return true;
}

static void test_every_truncation_is_refused_or_valid(void **state) {
    (void)state;
    struct saga_instance saga = full();
    struct arena arena;
    arena_init(&arena, SAGA_RECORD_MAX);
    struct str bytes = encode(&saga, &arena);
    unsigned refused = 0;
    for (size_t len = 0; len < bytes.len; len++) {
        char *cut = malloc(len ? len : 1); // so that a byte read behind the end is seen
        assert_non_null(cut);
        memcpy(cut, bytes.ptr, len);
        refused += !is_read(str_n(cut, len), &flow, SAGA_RUNNING);
        free(cut);
    }
    assert_true(refused > bytes.len / 2);
    saga_instance_release(&saga);
    arena_release(&arena);
}

static void test_every_flipped_bit_is_refused_or_valid(void **state) {
    (void)state;
    struct saga_instance saga = full();
    struct arena arena;
    arena_init(&arena, SAGA_RECORD_MAX);
    struct str bytes = encode(&saga, &arena);
    char *flipped = malloc(bytes.len);
    assert_non_null(flipped);
    unsigned refused = 0;
    for (size_t bit = 0; bit < 8 * bytes.len; bit++) {
        memcpy(flipped, bytes.ptr, bytes.len);
        flipped[bit / 8] = (char)(flipped[bit / 8] ^ 1 << bit % 8);
        refused += !is_read(str_n(flipped, bytes.len), &flow, SAGA_RUNNING);
    }
    assert_true(refused > 0);
    free(flipped);
    saga_instance_release(&saga);
    arena_release(&arena);
}

static void test_any_bytes_are_refused_or_valid(void **state) {
    (void)state;
    struct seeded seeded = {1};
    char bytes[400];
    for (unsigned i = 0; i < 20000; i++) {
        size_t len = seeded_below(&seeded, sizeof bytes);
        seeded_bytes(&seeded, bytes, len);
        is_read(str_n(bytes, len), &flow, (enum saga_status)(SAGA_RUNNING + seeded_below(&seeded, 6)));
    }
}

// What is well formed, but no state that the machine leaves a saga in.
static void make_impossible(struct saga_instance *saga, unsigned i) {
    static const char broken[] = "\xe4\xb8";
    switch (i) {
    case 0: saga->legs[0].state = LEG_ASKING; break;                              // a call asks nothing
    case 1: saga->legs[2].state = LEG_RUNNING; break;                             // an await calls nobody
    case 2: saga->legs[0].state = LEG_UNDONE; break;                              // before the turn
    case 3: saga->legs[5].state = LEG_DONE; break;                                // the pivot before its stage
    case 4: saga->legs[6].state = LEG_RUNNING; break;                             // behind the pivot
    case 5: saga->legs[0].generation = 0; break;                                  // no key
    case 6: saga->legs[1].due_ms = -1; break;                                     // never due
    case 7: saga->legs[0].child = CHILD_FAILED; break;                            // a call has no child
    case 8: saga->legs[3].state = LEG_DONE; break;                                // while an earlier stage is open
    case 9: memcpy(saga->legs[0].text, broken, sizeof broken); break;             // no text
    case 10: memcpy(saga->reason, broken, sizeof broken); break;                  //
    case 11: saga->legs[1].leg = 2; break;                                        // leg 1 is missing
    case 12: saga->legs[1].step = &steps[1]; break;                               // two of the await
    case 13: saga->legs[0].state = (enum leg_state)0; break;                      //
    case 14: saga->legs[0].state = LEG_STATES; break;                             //
    case 15: memcpy(saga->signals[1].name, saga->signals[0].name, SAGA_NAME_MAX); // a repeat
    }
}

static void test_what_the_machine_never_leaves_is_refused(void **state) {
    (void)state;
    for (unsigned i = 0; i <= 15; i++) {
        struct saga_instance saga = full();
        struct arena arena;
        arena_init(&arena, SAGA_RECORD_MAX);
        make_impossible(&saga, i);
        if (is_read(encode(&saga, &arena), &flow, SAGA_RUNNING))
            fail_msg("case %u is read", i);
        saga_instance_release(&saga);
        arena_release(&arena);
    }
}

// [E2] before the pivot is durable nothing behind it is sent
static void test_what_is_behind_the_pivot_can_t_have_run_before_it(void **state) {
    (void)state;
    for (enum saga_status status = SAGA_RUNNING; status <= SAGA_COMPENSATING; status++) {
        struct saga_instance saga = blank(&flow, status);
        struct arena arena;
        arena_init(&arena, SAGA_RECORD_MAX);
        for (uint8_t i = 0; i + 1 < saga.n_legs; i++)
            saga.legs[i].state = status == SAGA_FORWARD ? LEG_SKIPPED : LEG_IDLE;
        assert_true(is_read(encode(&saga, &arena), &flow, status));
        saga.legs[saga.n_legs - 1].may_have_run = true;
        assert_true(is_read(encode(&saga, &arena), &flow, status) == (status == SAGA_FORWARD));
        saga_instance_release(&saga);
        arena_release(&arena);
    }
}

static void test_another_flow_s_or_status_journal_is_refused(void **state) {
    (void)state;
    struct saga_flow shorter = flow, other = flow;
    shorter.n_steps--;
    other.steps = steps + 1;
    other.n_steps--;
    struct saga_instance saga = full();
    struct arena arena;
    arena_init(&arena, SAGA_RECORD_MAX);
    struct str bytes = encode(&saga, &arena);
    assert_true(is_read(bytes, &flow, SAGA_RUNNING));
    assert_false(is_read(bytes, &shorter, SAGA_RUNNING));
    assert_false(is_read(bytes, &other, SAGA_RUNNING));
    assert_false(is_read(bytes, &flow, SAGA_FORWARD));
    assert_false(is_read(bytes, &flow, SAGA_SUCCEEDED));
    assert_false(is_read(bytes, &flow, SAGA_FAILED));
    saga_instance_release(&saga);
    arena_release(&arena);
}

static void test_texts_are_cut_between_characters(void **state) {
    (void)state;
    char out[8];
    str_fit(str_c("为什么"), out, sizeof out);
    assert_string_equal(out, "为什");
    str_fit(str_c("a\xff\xe4z"), out, sizeof out);
    assert_string_equal(out, "a??z");
    str_fit(str_c("1234567890"), out, sizeof out);
    assert_string_equal(out, "1234567");
    str_fit(str_c(NULL), out, sizeof out);
    assert_string_equal(out, "");
}

static unsigned too_many_legs(const struct saga_subject *subject, struct str input) {
    (void)subject, (void)input;
    return SAGA_LEGS_MAX;
}

static void test_a_saga_has_so_many_legs_and_no_more(void **state) {
    static const struct saga_step wide_steps[] = {{STEP_CALL(1, 1, "wide"), .legs = too_many_legs},
                                                  {STEP_CALL(2, 2, "one")}};
    static const struct saga_flow fits = {.name = "fits", .version = 1, .steps = wide_steps, .n_steps = 1};
    static const struct saga_flow wide = {.name = "wide", .version = 1, .steps = wide_steps, .n_steps = 2};
    struct saga_instance instance = blank(&fits, SAGA_RUNNING);
    struct error error = {0};
    (void)state;
    assert_non_null(saga_instance_leg(&instance, 1, SAGA_LEGS_MAX - 1));
    assert_null(saga_instance_leg(&instance, 1, SAGA_LEGS_MAX));
    assert_null(saga_instance_leg(&instance, 2, 0));
    saga_instance_release(&instance);
    assert_false(saga_instance_init(&instance, &wide, STR("gid"), NULL, STR_NONE, &error));
    assert_int_equal(error.code, ERR_RECORD_TOO_LARGE);
}

static void test_what_is_known_of_an_action_follows_from_its_leg(void **state) {
    static const struct {
        struct saga_leg leg;
        enum saga_happened happened;
    } cases[] = {
        {{.state = LEG_DONE}, SAGA_HAPPENED},
        {{.state = LEG_REJECTED}, SAGA_HAPPENED_NOT},
        {{.state = LEG_UNDONE}, SAGA_HAPPENED_NOT},
        {{.state = LEG_IDLE}, SAGA_HAPPENED_NOT},
        {{.state = LEG_IDLE, .may_have_run = true}, SAGA_HAPPENED_PERHAPS},
        {{.state = LEG_SKIPPED}, SAGA_HAPPENED_NOT},
        {{.state = LEG_SKIPPED, .may_have_run = true}, SAGA_HAPPENED_PERHAPS},
        {{.state = LEG_PARKED}, SAGA_HAPPENED_PERHAPS},
        {{.state = LEG_PARKED, .refused = true}, SAGA_HAPPENED_NOT},
        {{.state = LEG_RUNNING}, SAGA_HAPPENED_PERHAPS},
        {{.state = LEG_RETRYING}, SAGA_HAPPENED_PERHAPS},
        {{.state = LEG_UNDOING}, SAGA_HAPPENED_PERHAPS},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(saga_leg_happened(&cases[i].leg), cases[i].happened);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_written_is_read_alike),
        cmocka_unit_test(test_the_largest_record_fits),
        cmocka_unit_test(test_an_oversize_record_is_refused_never_cut),
        cmocka_unit_test(test_every_truncation_is_refused_or_valid),
        cmocka_unit_test(test_every_flipped_bit_is_refused_or_valid),
        cmocka_unit_test(test_any_bytes_are_refused_or_valid),
        cmocka_unit_test(test_what_the_machine_never_leaves_is_refused),
        cmocka_unit_test(test_what_is_behind_the_pivot_can_t_have_run_before_it),
        cmocka_unit_test(test_another_flow_s_or_status_journal_is_refused),
        cmocka_unit_test(test_texts_are_cut_between_characters),
        cmocka_unit_test(test_a_saga_has_so_many_legs_and_no_more),
        cmocka_unit_test(test_what_is_known_of_an_action_follows_from_its_leg),
    };
    return cmocka_run_group_tests_name("saga/journal", tests, NULL, NULL);
}
