// Sagas that callers define, over the center as a whole: an engine that is given its flow as data must keep every rule
// that it keeps for the flows of a table.
#include "tests/base/seeded.h"
#include "tests/flow/cases.h"
#include "tests/flow/virtual.h"

#include <inttypes.h>
#include <stdlib.h>

typedef Txcenter__Saga__V1__SubmitSagaRequest request_message;
typedef Txcenter__Saga__V1__StepDefinition step_message;
typedef Txcenter__Saga__V1__StepCall call_message;
typedef Txcenter__Saga__V1__Saga saga_message;

#define STATUS(name) TXCENTER__SAGA__V1__SAGA_STATUS__SAGA_STATUS_##name
#define KIND_OF(name) TXCENTER__SAGA__V1__STEP_KIND__STEP_KIND_##name

// ---- Definitions ----------------------------------------------------------------------------------------------------

static void *new_message(struct flow_bed *bed, const ProtobufCMessageDescriptor *type) {
    ProtobufCMessage *message = arena_alloc(&bed->arena, type->sizeof_message);
    assert_non_null(message);
    protobuf_c_message_init(type, message);
    return message;
}

static char *text(struct flow_bed *bed, const char *value) {
    return (char *)(uintptr_t)flow_text(bed, "%s", value);
}

static request_message *new_request(struct flow_bed *bed) {
    request_message *request = new_message(bed, &txcenter__saga__v1__submit_saga_request__descriptor);
    request->saga = new_message(bed, &txcenter__saga__v1__saga_definition__descriptor);
    request->saga->flow = text(bed, "shop.order");
    request->saga->steps = arena_calloc(&bed->arena, SAGA_LEGS_MAX, sizeof *request->saga->steps);
    assert_non_null(request->saga->steps);
    request->request_id = text(bed, flow_text(bed, "submit-%u-%u", bed->test_no, ++bed->request_no));
    request->wait_ms = 30000;
    return request;
}

static call_message *new_call(struct flow_bed *bed, const char *method, const char *body) {
    call_message *call = new_message(bed, &txcenter__saga__v1__step_call__descriptor);
    call->target = text(bed, bed->ledger_target);
    call->method = text(bed, flow_text(bed, "/txcenter.test.v1.LedgerService/%s", method));
    char *payload = text(bed, flow_text(bed, "\n%c%s", (int)strlen(body), body)); // field 1
    call->payload = (ProtobufCBinaryData){.data = (uint8_t *)payload, .len = strlen(payload)};
    call->deadline_ms = 1000;
    return call;
}

// One that acts, is inquired and, before the pivot, undone.
static step_message *add_step(struct flow_bed *bed, request_message *request, const char *name, int kind) {
    step_message *step = new_message(bed, &txcenter__saga__v1__step_definition__descriptor);
    step->name = text(bed, name);
    step->kind = (Txcenter__Saga__V1__StepKind)kind;
    step->action = new_call(bed, "Act", name);
    step->inquiry = new_call(bed, "Ask", name);
    if (kind == KIND_OF(COMPENSATABLE))
        step->compensation = new_call(bed, "Undo", name);
    request->saga->steps[request->saga->n_steps++] = step;
    return step;
}

static void take_answer(struct flow_bed *bed, call_message *call, const char *from) {
    Txcenter__Saga__V1__PayloadPart *part = new_message(bed, &txcenter__saga__v1__payload_part__descriptor);
    part->from_step = text(bed, from);
    part->field_number = 2;
    Txcenter__Saga__V1__PayloadPart **parts = arena_calloc(&bed->arena, call->n_parts + 1, sizeof *parts);
    assert_non_null(parts);
    for (size_t i = 0; i < call->n_parts; i++)
        parts[i] = call->parts[i];
    parts[call->n_parts++] = part;
    call->parts = parts;
}

// ---- Submitting -----------------------------------------------------------------------------------------------------

// Over deaths of the center, until it is accepted; the gid.
static const char *insist(struct flow_bed *bed, const request_message *request) {
    for (int tries = 0; tries < 200; tries++) {
        struct flow_answer *answer = flow_send_message(bed, "SubmitSaga", &request->base);
        flow_wait(bed, answer);
        if (answer->message)
            return fields_text(answer->message, "saga.gid");
        assert_false(flow_is_definite_no(answer));
        flow_run_for(bed, 100);
    }
    fail_msg("it was never accepted");
    return NULL;
}

static const saga_message *get(struct flow_bed *bed, const char *gid) {
    const struct flow_answer *answer = flow_insist(bed, "GetSaga", "gid=%s", gid);
    if (!answer->message)
        fail_msg("%s: %s %s", gid, flow_verdict(answer), answer->text);
    return ((const Txcenter__Saga__V1__GetSagaResponse *)(const void *)answer->message)->saga;
}

static bool has_ended(struct flow_bed *bed, const void *gid) {
    const saga_message *saga = get(bed, gid);
    if (saga->parked)
        flow_insist(bed, "Retry", "gid=%s reason=the~faults~are~over", (const char *)gid);
    return saga->status >= STATUS(SUCCEEDED);
}

static const saga_message *until_ended(struct flow_bed *bed, const char *gid) {
    flow_until(bed, has_ended, gid, "the saga must end");
    return get(bed, gid);
}

// What ended agrees with the participant: each effect of what succeeded once, nothing left of what failed.
static void check_books(struct flow_bed *bed, const saga_message *saga) {
    if (saga->status == STATUS(SUCCEEDED))
        assert_int_equal(ledger_count(&bed->ledger, saga->gid, LEDGER_APPLIED), saga->n_steps);
    else
        assert_int_equal(ledger_count(&bed->ledger, saga->gid, LEDGER_APPLIED), 0);
    if (saga->status == STATUS(SUCCEEDED))
        assert_int_equal(ledger_count(&bed->ledger, saga->gid, LEDGER_COMPENSATED), 0);
}

// ---- Stories --------------------------------------------------------------------------------------------------------

// a and b side by side, c, the pivot, then d with what a and the pivot answered.
static request_message *trip(struct flow_bed *bed) {
    request_message *request = new_request(bed);
    add_step(bed, request, "a", KIND_OF(COMPENSATABLE))->stage = 1;
    add_step(bed, request, "b", KIND_OF(COMPENSATABLE))->stage = 1;
    step_message *c = add_step(bed, request, "c", KIND_OF(COMPENSATABLE));
    take_answer(bed, c->action, "b");
    take_answer(bed, c->compensation, "c"); // its own
    add_step(bed, request, "pivot", KIND_OF(PIVOT));
    step_message *d = add_step(bed, request, "d", KIND_OF(RETRIABLE));
    take_answer(bed, d->action, "a");
    take_answer(bed, d->action, "pivot");
    return request;
}

static void test_a_defined_saga_goes_all_the_way(struct flow_bed *bed) {
    const char *gid = insist(bed, trip(bed));
    const saga_message *saga = until_ended(bed, gid);
    assert_int_equal(saga->status, STATUS(SUCCEEDED));
    check_books(bed, saga);
    const struct ledger_key *d = ledger_find(&bed->ledger, gid, "d");
    const char *a_said = flow_text(bed, "a of %s", gid);
    // The payload, then field 2 with the whole answer of a: its field 1.
    struct str expected =
        str_c(flow_text(bed, "\n%c%s\x12%c\n%c%s", 1, "d", (int)strlen(a_said) + 2, (int)strlen(a_said), a_said));
    assert_true(str_starts(d->bodies[SAGA_ACTION], expected));
}

static enum err refuse_pivot(void *ctx, const struct ledger_key *key) {
    (void)ctx;
    return strcmp(key->step, "pivot") == 0 ? ERR_STORE_CONFLICT : ERR_OK;
}

static enum err refuse_c(void *ctx, const struct ledger_key *key) {
    (void)ctx;
    return strcmp(key->step, "c") == 0 ? ERR_STORE_CONFLICT : ERR_OK;
}

// [E3] what ran is undone
static void test_a_defined_saga_that_is_refused_leaves_nothing(struct flow_bed *bed) {
    bed->ledger.judge = refuse_pivot;
    const saga_message *saga = until_ended(bed, insist(bed, trip(bed)));
    assert_int_equal(saga->status, STATUS(FAILED));
    assert_string_equal(saga->reason, "STORE_CONFLICT"); // the participant's own word
    check_books(bed, saga);
    assert_int_equal(ledger_count(&bed->ledger, saga->gid, LEDGER_COMPENSATED), 3);
    bed->ledger.judge = NULL;
}

// [E1] [E2] [E11] a death before and after each commit: the same end, and each request the same again (ledger.c looks)
static void test_a_death_at_any_commit_changes_nothing(struct flow_bed *bed) {
    static const struct {
        enum err (*judge)(void *ctx, const struct ledger_key *key);
        Txcenter__Saga__V1__SagaStatus status;
    } ends[] = {{NULL, STATUS(SUCCEEDED)}, {refuse_pivot, STATUS(FAILED)}, {refuse_c, STATUS(FAILED)}};
    struct flow_center *center = &flow_virtual(bed)->center;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        for (int64_t commit = 1; commit <= 6; commit++)
            for (int before = 0; before < 2; before++) {
                unsigned deaths = center->deaths;
                request_message *request = trip(bed);
                bed->ledger.judge = ends[i].judge;
                crash_point_set(&center->point, commit, before);
                const char *gid = insist(bed, request);
                const saga_message *saga = until_ended(bed, gid);
                assert_int_equal(saga->status, ends[i].status);
                check_books(bed, saga);
                assert_string_equal(insist(bed, request), gid);
                assert_true(center->deaths > deaths || commit > 3);
                crash_point_set(&center->point, 0, false);
            }
    bed->ledger.judge = NULL;
}

// Whoever asks again, at any moment, is told of the one saga; a different body never changes it.
static void test_a_request_is_one_saga_whenever_it_is_repeated(struct flow_bed *bed) {
    for (int64_t after_ms = 0; after_ms < 40; after_ms++) {
        request_message *request = trip(bed);
        struct flow_answer *first = flow_send_message(bed, "SubmitSaga", &request->base);
        flow_run_for(bed, after_ms);
        struct flow_answer *second = flow_send_message(bed, "SubmitSaga", &request->base);
        request_message *other = trip(bed);
        other->request_id = request->request_id;
        other->saga->time_limit_ms = 1;
        struct flow_answer *third = flow_send_message(bed, "SubmitSaga", &other->base);
        flow_wait(bed, first);
        flow_wait(bed, second);
        flow_wait(bed, third);
        assert_verdict(first, "OK");
        assert_verdict(second, "OK");
        assert_verdict(third, "IDEMPOTENCY_KEY_REUSED");
        const char *gid = fields_text(first->message, "saga.gid");
        assert_string_equal(fields_text(second->message, "saga.gid"), gid);
        check_books(bed, until_ended(bed, gid));
    }
}

// Millions of awaits cost rows only: what waits leaves memory, and is found again by its signal, its timer and a
// repeat.
static void test_what_waits_is_evicted_and_comes_back(struct flow_bed *bed) {
    struct flow_center *center = &flow_virtual(bed)->center;
    enum { SAGAS = 40, RESIDENT = 8 };
    const char *gids[SAGAS];
    center->resident_max = RESIDENT;
    flow_crash_center(bed);
    for (int i = 0; i < SAGAS; i++) {
        request_message *request = new_request(bed);
        step_message *await = new_message(bed, &txcenter__saga__v1__step_definition__descriptor);
        add_step(bed, request, "begin", KIND_OF(COMPENSATABLE));
        await->name = text(bed, "paid");
        await->signal = new_message(bed, &txcenter__saga__v1__awaited_signal__descriptor);
        await->signal->name = text(bed, "paid");
        await->signal->timeout_ms = 3600 * 1000;
        request->saga->steps[request->saga->n_steps++] = await;
        take_answer(bed, add_step(bed, request, "close", KIND_OF(COMPENSATABLE))->action, "paid");
        request->wait_ms = 0;
        gids[i] = insist(bed, request);
        flow_run_for(bed, 100);
    }
    struct saga_stats stats;
    saga_engine_stats(center->engine, &stats);
    assert_true(stats.evictions > 0 && stats.resident <= 2 * RESIDENT);
    for (int i = 0; i < SAGAS; i += 2)
        assert_non_null(flow_insist(bed, "SignalSaga", "gid=%s name=paid", gids[i])->message);
    for (int i = 0; i < SAGAS; i++) {
        const saga_message *saga = until_ended(bed, gids[i]);
        assert_int_equal(saga->status, i % 2 ? STATUS(FAILED) : STATUS(SUCCEEDED));
        assert_string_equal(saga->reason, i % 2 ? "TIMED_OUT" : "");
    }
}

// A saga whose time is over turns round even though its process was dead at that moment.
static void test_a_time_limit_passes_while_nobody_is_there(struct flow_bed *bed) {
    request_message *request = trip(bed);
    request->saga->time_limit_ms = 60000;
    request->wait_ms = 0;
    bed->ledger.judge = NULL;
    step_message *c = request->saga->steps[2];
    c->action->target = text(bed, bed->ledger_target);
    c->action->method = text(bed, "/txcenter.test.v1.LedgerService/Nobody"); // misconfigured: tried again and again
    c->retry = new_message(bed, &txcenter__saga__v1__retry_policy__descriptor);
    c->retry->first_ms = c->retry->max_ms = 5000;
    const char *gid = insist(bed, request);
    flow_run_for(bed, 20000);
    bed->ops->kill_center(bed);
    flow_run_for(bed, 120000);
    bed->ops->start_center(bed);
    const saga_message *saga = until_ended(bed, gid);
    assert_int_equal(saga->status, STATUS(FAILED));
    assert_string_equal(saga->reason, "TIMED_OUT");
    check_books(bed, saga);
}

// ---- Chance ---------------------------------------------------------------------------------------------------------

enum { SEEDS = 150, DEATHS = 3, FAULTS_S = 120 };

struct chance {
    struct seeded seeded;
    bool calm;
};

static uint32_t dice(struct chance *chance, uint32_t sides) {
    return (uint32_t)seeded_below(&chance->seeded, sides);
}

static enum err judge(void *ctx, const struct ledger_key *key) {
    struct chance *chance = ctx;
    (void)key;
    if (chance->calm)
        return ERR_OK;
    switch (dice(chance, 12)) {
    case 0: return ERR_STORE_CONFLICT;
    case 1: return ERR_RETRY;
    default: return ERR_OK;
    }
}

static void fate(void *ctx, const char *method, unsigned nth, struct rpc_inproc_fate *ret) {
    static const struct flow_network network = {.times = 12, .request_ms = 20000, .response_ms = 3000};
    struct chance *chance = ctx;
    (void)method, (void)nth;
    if (!chance->calm)
        flow_network_fate(&network, &chance->seeded, ret);
}

static request_message *random_request(struct flow_bed *bed, struct chance *chance) {
    request_message *request = new_request(bed);
    uint32_t n = 1 + dice(chance, 6), pivot = dice(chance, n + 2);
    int stage = 0;
    for (uint32_t i = 0; i < n; i++) {
        int kind = i < pivot ? KIND_OF(COMPENSATABLE) : i == pivot ? KIND_OF(PIVOT) : KIND_OF(RETRIABLE);
        step_message *step = add_step(bed, request, flow_text(bed, "s%u", i), kind);
        bool alone = kind == KIND_OF(PIVOT) || (i > 0 && i == pivot + 1);
        stage += stage == 0 || alone || dice(chance, 2);
        step->stage = stage;
        step->non_core = kind == KIND_OF(RETRIABLE) && dice(chance, 4) == 0;
        if (dice(chance, 3) == 0)
            step->inquiry = NULL;
        for (uint32_t k = 0; k < i; k++)
            if (request->saga->steps[k]->stage < stage && !request->saga->steps[k]->non_core && dice(chance, 2))
                take_answer(bed, step->action, request->saga->steps[k]->name);
        if (step->compensation && dice(chance, 2))
            take_answer(bed, step->compensation, step->name);
    }
    request->saga->time_limit_ms = dice(chance, 3) ? 0 : 1 + dice(chance, 30000);
    return request;
}

static Txcenter__Saga__V1__SagaStatus run_chance(struct flow_bed *bed, uint64_t seed) {
    struct flow_center *center = &flow_virtual(bed)->center;
    struct chance chance = {.seeded = {seed}};
    request_message *request = random_request(bed, &chance);
    bed->ledger.judge = judge;
    bed->ledger.ctx = &chance;
    flow_set_fate(bed, fate, &chance);
    for (uint32_t deaths = dice(&chance, DEATHS + 1); deaths > 0; deaths--) {
        crash_point_set(&center->point, 1 + dice(&chance, 8), dice(&chance, 2));
        insist(bed, request);
        flow_run_for(bed, dice(&chance, FAULTS_S * 1000));
    }
    crash_point_set(&center->point, 0, false);
    const char *gid = insist(bed, request);
    flow_run_for(bed, dice(&chance, FAULTS_S * 1000));
    chance.calm = true;
    const saga_message *saga = until_ended(bed, gid);
    flow_run_for(bed, 30000); // the latest messages have come
    check_books(bed, saga);
    flow_set_fate(bed, NULL, NULL);
    bed->ledger.judge = NULL;
    return saga->status;
}

// [E3] [E4] [E5] [E6] [E11] [E12] random definitions, losses, refusals and deaths: the participant ends as the saga
// says
static void test_whatever_chance_brings_saga_and_participant_agree(struct flow_bed *bed) {
    const char *seeds = getenv("FLOW_SEEDS"); // "FIRST COUNT"
    int64_t first = 1, count = SEEDS;
    unsigned ends[STATUS(TERMINATED) + 1] = {0};
    if (seeds) {
        struct str rest = str_c(seeds);
        assert_true(str_to_i64(str_cut(&rest, ' '), &first) && str_to_i64(rest, &count));
    }
    for (int64_t seed = first; seed < first + count; seed++) {
        if (seeds)
            print_message("seed %" PRId64 "\n", seed);
        ends[run_chance(bed, (uint64_t)seed)]++;
    }
    if (!seeds) // both ends are really come to
        assert_true(ends[STATUS(SUCCEEDED)] > SEEDS / 10 && ends[STATUS(FAILED)] > SEEDS / 10);
}

static const struct flow_case cases[] = {
    CASE(test_a_defined_saga_goes_all_the_way),
    CASE(test_a_defined_saga_that_is_refused_leaves_nothing),
    VIRTUAL(test_a_death_at_any_commit_changes_nothing),
    VIRTUAL(test_a_request_is_one_saga_whenever_it_is_repeated),
    VIRTUAL(test_what_waits_is_evicted_and_comes_back),
    VIRTUAL(test_a_time_limit_passes_while_nobody_is_there),
    VIRTUAL(test_whatever_chance_brings_saga_and_participant_agree),
};

CASES(submit);
