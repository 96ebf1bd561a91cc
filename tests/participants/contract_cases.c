#include "tests/participants/contract.h"

#include "tests/cmocka.h"

#include <string.h>

// ---- What a case can do ----------------------------------------------------------------------------------------

const char *contract_expand(const struct contract_run *run, const char *text) {
    const char *done = text;
    for (const char *at; (at = strchr(done, '$'));) {
        const char *value = at[1] == 'o'   ? run->order_no
                            : at[1] == 'g' ? run->gift_id
                                           : bed_text(run->bed, "%u", run->number);
        done = bed_text(run->bed, "%.*s%s%s", (int)(at - done), done, value, at + 2);
    }
    return done;
}

static struct bed_call call_of(const struct contract_run *run, const char *method, const char *fields) {
    return (struct bed_call){
        .system = run->row->system,
        .method = method,
        .key = run->key,
        .trade_no = run->trade_no,
        .order_no = run->order_no,
        .fields = contract_expand(run, fields),
    };
}

static struct bed_call action(const struct contract_run *run) {
    return call_of(run, run->row->method, run->row->fields);
}

static struct bed_call undo(const struct contract_run *run) {
    return call_of(run, run->row->undo, run->row->undo_fields);
}

static struct bed_answer act(const struct contract_run *run) {
    struct bed_call call = action(run);
    return bed_ask(run->bed, &call);
}

static struct bed_answer take_back(const struct contract_run *run) {
    struct bed_call call = undo(run);
    return bed_ask(run->bed, &call);
}

static struct bed_answer inquire(const struct contract_run *run) {
    struct bed_call call = call_of(run, "Inquire", "");
    return bed_ask(run->bed, &call);
}

static size_t postings(const struct contract_run *run) {
    return bed_ledger(run->bed, run->row->system, run->key, run->row->kind).n;
}

static void assert_same(const struct bed_answer *a, const struct bed_answer *b) {
    assert_true(a->bytes.len > 0);
    assert_true(str_eq(a->bytes, b->bytes));
}

static void fault(const struct contract_run *run, const char *kind_and_more) {
    bed_control(run->bed, "SetFault",
                bed_text(run->bed, "fault.system=%s fault.method=%s fault.key_prefix=%s fault.count=1 %s",
                         run->row->system, run->row->method, run->key, kind_and_more));
}

// ---- Cases -----------------------------------------------------------------------------------------------------

static void a_repeat_answers_alike(struct contract_run *run) {
    struct bed_answer first = act(run), second = act(run), third = act(run);
    assert_verdict(run->bed, &first, "APPLIED");
    assert_same(&first, &second);
    assert_same(&first, &third);
    assert_int_equal(postings(run), run->row->postings);
}

static void duplicates_at_once(struct contract_run *run) {
    enum { COPIES = 5 };
    struct bed_answer answers[COPIES];
    struct bed_call call = action(run);
    for (int i = 0; i < COPIES; i++)
        bed_send(run->bed, &call, &answers[i]);
    for (int i = 0; i < COPIES; i++) {
        bed_wait(run->bed, &answers[i]);
        assert_verdict(run->bed, &answers[i], "APPLIED");
        assert_same(&answers[0], &answers[i]);
    }
    assert_int_equal(postings(run), run->row->postings);
}

static void an_inquiry_before_and_after(struct contract_run *run) {
    struct bed_answer before = inquire(run), answer = act(run), after = inquire(run);
    assert_verdict(run->bed, &before, "NEVER_SEEN");
    assert_verdict(run->bed, &after, "APPLIED");
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(after.message->descriptor, "answer");
    const ProtobufCBinaryData *kept = (const void *)((const char *)after.message + field->offset);
    assert_true(str_eq(str_n(kept->data, kept->len), answer.bytes));
}

static void a_rejection_is_repeated(struct contract_run *run) {
    fault(run, "fault.kind=5 fault.code=NOT_TODAY");
    struct bed_answer first = act(run), second = act(run), asked = inquire(run);
    assert_verdict(run->bed, &first, "REJECTED NOT_TODAY");
    assert_same(&first, &second);
    assert_verdict(run->bed, &asked, "REJECTED NOT_TODAY");
    assert_int_equal(postings(run), 0);
}

static void a_transient_error_is_not_remembered(struct contract_run *run) {
    fault(run, "fault.kind=2");
    struct bed_answer refused = act(run), asked = inquire(run), answer = act(run);
    assert_int_equal(refused.outcome, OUTCOME_RETRY);
    assert_string_equal(refused.reason, "RETRY");
    assert_verdict(run->bed, &asked, "NEVER_SEEN");
    assert_verdict(run->bed, &answer, "APPLIED");
    fault(run, "fault.kind=4");
    struct bed_answer broken = act(run), again = act(run);
    assert_int_equal(broken.outcome, OUTCOME_UNKNOWN);
    assert_same(&answer, &again);
    assert_int_equal(postings(run), run->row->postings);
}

static void an_effect_without_an_answer(struct contract_run *run) {
    fault(run, "fault.kind=3");
    struct bed_call call = action(run);
    call.deadline_ms = 100;
    struct bed_answer silent = bed_ask(run->bed, &call);
    assert_int_equal(silent.outcome, OUTCOME_UNKNOWN);
    struct bed_answer asked = inquire(run), answer = act(run);
    // On a busy machine the deadline may pass before a process has even got the call.
    if (run->bed->kind == BED_INPROC || asked.outcome != OUTCOME_OK ||
        strcmp(bed_verdict(run->bed, &asked), "NEVER_SEEN") != 0)
        assert_verdict(run->bed, &asked, "APPLIED");
    assert_verdict(run->bed, &answer, "APPLIED");
    assert_int_equal(postings(run), run->row->postings);
}

static void another_method_under_the_key(struct contract_run *run) {
    struct bed_answer answer = act(run);
    assert_verdict(run->bed, &answer, "APPLIED");
    // Some other action of the same system, as its row has it.
    for (const struct contract_row *row = contract_rows; row->system; row++)
        if (strcmp(row->system, run->row->system) == 0 && strcmp(row->method, run->row->method) != 0) {
            struct bed_call call = call_of(run, row->method, row->fields);
            struct bed_answer other = bed_ask(run->bed, &call);
            assert_verdict(run->bed, &other, "REJECTED KEY_REUSED");
        }
    assert_int_equal(postings(run), run->row->postings);
}

static void a_changed_repeat_is_counted(struct contract_run *run) {
    struct bed_answer answer = act(run);
    int64_t before = bed_stat(run->bed, run->row->system, "changed_repeats");
    struct bed_answer same = act(run);
    assert_int_equal(bed_stat(run->bed, run->row->system, "changed_repeats"), before);
    struct bed_call call = action(run);
    call.order_no = "another";
    struct bed_answer changed = bed_ask(run->bed, &call);
    assert_same(&answer, &same);
    assert_same(&answer, &changed);
    assert_int_equal(bed_stat(run->bed, run->row->system, "changed_repeats"), before + 1);
}

static void a_key_is_wanted(struct contract_run *run) {
    struct bed_call call = action(run);
    call.key = "";
    struct bed_answer answer = bed_ask(run->bed, &call);
    assert_null(answer.message);
    assert_string_equal(answer.reason, "INVALID_REQUEST");
}

static void a_repeat_after_a_crash(struct contract_run *run) {
    struct bed_answer first = act(run);
    bed_crash(run->bed);
    struct bed_answer asked = inquire(run), second = act(run);
    assert_verdict(run->bed, &first, "APPLIED");
    assert_same(&first, &second);
    assert_verdict(run->bed, &asked, "APPLIED");
    assert_int_equal(postings(run), run->row->postings);
}

static void a_crash_in_the_middle(struct contract_run *run) {
    struct bed_answer lost;
    struct bed_call call = action(run);
    bed_send(run->bed, &call, &lost);
    bed_crash(run->bed);
    bed_wait(run->bed, &lost);
    struct bed_answer answer = act(run);
    assert_verdict(run->bed, &answer, "APPLIED");
    if (lost.outcome == OUTCOME_OK)
        assert_same(&lost, &answer);
    assert_int_equal(postings(run), run->row->postings);
}

static void a_rejection_survives_a_crash(struct contract_run *run) {
    fault(run, "fault.kind=5 fault.code=NOT_TODAY");
    struct bed_answer first = act(run);
    bed_crash(run->bed);
    struct bed_answer second = act(run);
    assert_verdict(run->bed, &first, "REJECTED NOT_TODAY");
    assert_same(&first, &second);
}

// ---- Compensations ---------------------------------------------------------------------------------------------

static void assert_does_not_stand(struct contract_run *run) {
    struct bed_answer late = act(run), asked = inquire(run);
    assert_verdict(run->bed, &late, "REJECTED CANCELLED");
    assert_verdict(run->bed, &asked, "REJECTED CANCELLED");
}

static void a_compensation_undoes(struct contract_run *run) {
    struct bed_answer answer = act(run), undone = take_back(run), again = take_back(run);
    assert_verdict(run->bed, &answer, "APPLIED");
    assert_verdict(run->bed, &undone, "APPLIED");
    assert_same(&undone, &again);
    assert_does_not_stand(run);
    assert_int_equal(postings(run), run->row->postings);
}

static void empty_and_late(struct contract_run *run) {
    struct bed_answer undone = take_back(run);
    assert_verdict(run->bed, &undone, "APPLIED");
    assert_does_not_stand(run);
    struct bed_answer again = take_back(run);
    assert_same(&undone, &again);
    assert_int_equal(bed_ledger(run->bed, run->row->system, run->key, NULL).n, 0);
}

static void empty_and_late_over_a_crash(struct contract_run *run) {
    struct bed_answer undone = take_back(run);
    bed_crash(run->bed);
    assert_does_not_stand(run);
    struct bed_answer again = take_back(run);
    assert_same(&undone, &again);
    assert_int_equal(bed_ledger(run->bed, run->row->system, run->key, NULL).n, 0);
}

static void an_undone_effect_stays_undone_over_a_crash(struct contract_run *run) {
    struct bed_answer answer = act(run), undone = take_back(run);
    assert_verdict(run->bed, &answer, "APPLIED");
    bed_crash(run->bed);
    assert_does_not_stand(run);
    struct bed_answer again = take_back(run);
    assert_same(&undone, &again);
    assert_int_equal(postings(run), run->row->postings);
}

static void a_rejected_action_is_undone_by_nothing(struct contract_run *run) {
    fault(run, "fault.kind=5 fault.code=NOT_TODAY");
    struct bed_answer rejected = act(run), undone = take_back(run), again = take_back(run), repeat = act(run);
    assert_verdict(run->bed, &undone, "APPLIED");
    assert_verdict(run->bed, &again, "APPLIED");
    assert_same(&rejected, &repeat);
    assert_int_equal(bed_ledger(run->bed, run->row->system, run->key, NULL).n, 0);
}

// Whoever comes first: afterwards the effect does not stand.
static void action_and_compensation_at_once(struct contract_run *run) {
    enum { ROUNDS = 3 };
    struct bed_answer actions[ROUNDS], undos[ROUNDS];
    struct bed_call call = action(run), back = undo(run);
    for (int i = 0; i < ROUNDS; i++) {
        bed_send(run->bed, run->number % 2 ? &call : &back, run->number % 2 ? &actions[i] : &undos[i]);
        bed_send(run->bed, run->number % 2 ? &back : &call, run->number % 2 ? &undos[i] : &actions[i]);
    }
    for (int i = 0; i < ROUNDS; i++) {
        bed_wait(run->bed, &actions[i]);
        bed_wait(run->bed, &undos[i]);
        assert_verdict(run->bed, &undos[i], "APPLIED");
        const char *verdict = bed_verdict(run->bed, &actions[i]);
        assert_true(strcmp(verdict, "APPLIED") == 0 || strcmp(verdict, "REJECTED CANCELLED") == 0);
    }
    assert_does_not_stand(run);
    assert_true(postings(run) == 0 || postings(run) == run->row->postings);
}

// ---- Reads -----------------------------------------------------------------------------------------------------

// As the center asks: without a key.
static struct bed_answer look(const struct contract_run *run) {
    struct bed_call call = action(run);
    call.key = NULL;
    return bed_ask(run->bed, &call);
}

static void fail_look(const struct contract_run *run, const char *kind_and_more) {
    bed_control(run->bed, "SetFault",
                bed_text(run->bed, "fault.system=%s fault.method=%s fault.count=1 %s", run->row->system,
                         run->row->method, kind_and_more));
}

static void a_read_leaves_nothing_behind(struct contract_run *run) {
    struct bed_answer first = look(run), second = look(run), keyed = act(run), again = act(run);
    assert_verdict(run->bed, &first, "APPLIED");
    assert_same(&first, &second);
    assert_same(&first, &keyed);
    assert_same(&first, &again);
    struct bed_answer effects = bed_control(run->bed, "DumpEffects", bed_text(run->bed, "system=%s", run->row->system));
    assert_int_equal(fields_count(effects.message, "effects"), 0);
    assert_int_equal(bed_ledger(run->bed, run->row->system, run->key, NULL).n, 0);
}

// A refusal, an error, a lost answer: asked again, it answers as if nothing had been.
static void a_failed_read_is_forgotten(struct contract_run *run) {
    struct bed_answer first = look(run);
    fail_look(run, "fault.kind=5 fault.code=NOT_TODAY");
    struct bed_answer rejected = look(run), answer = look(run);
    assert_verdict(run->bed, &rejected, "REJECTED NOT_TODAY");
    assert_same(&first, &answer);
    fail_look(run, "fault.kind=2");
    struct bed_answer refused = look(run);
    assert_int_equal(refused.outcome, OUTCOME_RETRY);
    fail_look(run, "fault.kind=4");
    struct bed_answer broken = look(run);
    assert_int_equal(broken.outcome, OUTCOME_UNKNOWN);
    fail_look(run, "fault.kind=3");
    struct bed_call call = action(run);
    call.key = NULL;
    call.deadline_ms = 100;
    struct bed_answer silent = bed_ask(run->bed, &call);
    assert_int_equal(silent.outcome, OUTCOME_UNKNOWN);
    answer = look(run);
    assert_same(&first, &answer);
}

static void a_read_after_a_crash(struct contract_run *run) {
    struct bed_answer first = look(run);
    bed_crash(run->bed);
    struct bed_answer second = look(run);
    assert_verdict(run->bed, &first, "APPLIED");
    assert_same(&first, &second);
}

const struct contract_case contract_cases[] = {
    {"a repeat has the same answer and no second effect [S3-19] [S3-20]", a_repeat_answers_alike, false, false, false},
    {"duplicates at once have one effect and one answer [S3-21]", duplicates_at_once, false, false, false},
    {"an inquiry says never seen before, and the action's answer after", an_inquiry_before_and_after, false, false,
     false},
    {"a rejection is kept and repeated", a_rejection_is_repeated, false, false, false},
    {"a transient error is not remembered", a_transient_error_is_not_remembered, false, false, false},
    {"an effect whose answer was lost is found and not done twice [S3-19]", an_effect_without_an_answer, false, false,
     false},
    {"a key of another method is refused", another_method_under_the_key, false, false, false},
    {"a repeat with another body is answered alike and counted", a_changed_repeat_is_counted, false, false, false},
    {"a call without a key is malformed", a_key_is_wanted, false, false, false},
    {"a repeat after kill -9 has the same answer and no second effect [S3-19]", a_repeat_after_a_crash, false, true,
     false},
    {"a call in the middle of a kill -9 takes effect once when repeated [S3-19]", a_crash_in_the_middle, false, true,
     false},
    {"a rejection survives kill -9", a_rejection_survives_a_crash, false, true, false},
    {"a compensation undoes once; its action does not come back [E4]", a_compensation_undoes, true, false, false},
    {"an empty compensation is applied and the late action refused [E4]", empty_and_late, true, false, false},
    {"empty and late hold over kill -9 [E4]", empty_and_late_over_a_crash, true, true, false},
    {"what was undone stays undone over kill -9 [E4]", an_undone_effect_stays_undone_over_a_crash, true, true, false},
    {"a compensation of a rejected action is applied and changes nothing", a_rejected_action_is_undone_by_nothing, true,
     false, false},
    {"action and compensation at once end with no effect [E4] [S3-21]", action_and_compensation_at_once, true, false,
     false},
    {"a read answers alike each time and leaves nothing behind", a_read_leaves_nothing_behind, .reads = true},
    {"a read that failed is forgotten, also where it was refused", a_failed_read_is_forgotten, .reads = true},
    {"a read after kill -9 has the same answer", a_read_after_a_crash, .crashes = true, .reads = true},
    {.name = NULL},
};
