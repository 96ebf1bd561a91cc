// Any bytes as the journal of a saga, and then any events: refused, or valid and valid for ever. The first two bytes
// say of which status the row is and how many events follow, two bytes each.
#include "saga/journal.h"
#include "tests/fuzz/fuzz.h"
#include "tests/saga/steps.h"

#include <stdlib.h>

static const struct saga_step steps[] = {
    {STEP_CALL(1, 1, "a"), .inquire = step_call},
    {STEP_CALL(2, 1, "b"), .legs = step_two_legs},
    {STEP_AWAIT(3, 1, "await", "paid")},
    {STEP_CHILD(4, 2, "child"), .undo = step_call, .deadline_ms = 1},
    {STEP_LOCAL(5, 3, "decide"), .ask = step_call, .undo = step_call, .deadline_ms = 1},
    {STEP_PIVOT(6, 4, "pivot")},
    {STEP_AFTER(7, 5, "after")},
    {STEP_AFTER(8, 5, "extra"), .tier = SAGA_NON_CORE},
    {STEP_AWAIT(9, 6, "late", "shipped"), .kind = SAGA_RETRIABLE},
};
static const struct saga_flow flow = {.name = "fuzz", .version = 1, .steps = steps, .n_steps = STEP_COUNT(steps)};

static const struct saga_machine machine = {
    .patience = {{.first_ms = 1, .max_ms = 9, .attempts = 2},
                 {.first_ms = 1, .max_ms = 9, .attempts = 2},
                 {.first_ms = 1, .max_ms = 9, .attempts = 2}},
};

static void apply(struct saga_instance *saga, const struct saga_event *event) {
    struct saga_effects effects;
    effects.n = 0;
    saga_machine_apply(&machine, saga, event, &effects);
    for (uint16_t i = 0; i < effects.n; i++) {
        uint8_t leg = effects.list[i].leg;
        if (effects.list[i].kind != SAGA_FX_DECIDE || saga->legs[leg].state != LEG_WAITING)
            continue;
        struct saga_event decided = {.kind = SAGA_EV_DECIDED, .now_ms = event->now_ms, .leg = leg};
        decided.verdict.answer = (enum saga_answer)(event->random % 5);
        decided.verdict.until_ms = (int64_t)event->random * 1000 - 5000;
        apply(saga, &decided);
    }
}

static struct saga_event event_of(const struct saga_instance *saga, const uint8_t *bytes, int64_t now_ms) {
    static const enum saga_event_kind kinds[] = {SAGA_EV_RESUMED, SAGA_EV_ANSWERED, SAGA_EV_ANSWERED, SAGA_EV_TIMER,
                                                 SAGA_EV_POKED,   SAGA_EV_RETRY,    SAGA_EV_SUSPECTED};
    enum outcome outcome = (enum outcome)(bytes[1] >> 4 & 3);
    return (struct saga_event){
        .kind = kinds[bytes[0] % (sizeof kinds / sizeof kinds[0])],
        .now_ms = now_ms,
        .random = bytes[1],
        .leg = (uint8_t)(bytes[1] % saga->n_legs),
        .op = (enum saga_op)(bytes[0] / 16 % 3),
        .outcome = outcome,
        .never_seen = outcome == OUTCOME_OK && bytes[1] & 64,
        .code = outcome == OUTCOME_OK ? ERR_OK : ERR_PARTICIPANT_REJECTED,
    };
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2 || size < 2 + 2 * (size_t)(data[1] % 64))
        return 0;
    size_t n_events = data[1] % 64;
    struct saga_instance saga = {
        .flow = &flow, .status = (enum saga_status)(SAGA_RUNNING + data[0] % SAGA_TERMINATED), .gid = "gid"};
    struct error error = {0};
    if (!saga_journal_decode(str_n(data + 2 + 2 * n_events, size - 2 - 2 * n_events), &saga, &error)) {
        assert(error.code == ERR_STORE_CORRUPT && !saga.legs && !saga.signals);
        return 0;
    }
    for (size_t i = 0; i < n_events; i++) {
        struct saga_event event = event_of(&saga, data + 2 + 2 * i, (int64_t)i * 1000);
        apply(&saga, &event);
        bool valid = saga_instance_valid(&saga, &error);
        assert(valid);
    }
    saga_instance_release(&saga);
    return 0;
}
