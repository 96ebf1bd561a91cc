// Answers that come late: their leg has been skipped or resolved, or their saga terminated. Nothing is decided from
// them any more, but that something was done is written down: as an attempt of the step, and as an event (E9).
#include "saga/engine.h"

#include <stdlib.h>

struct late {
    const char *gid;
    uint16_t step_id;
    uint8_t leg;
    uint32_t number;
};

static void note(struct saga_turn *turn, const struct late *late, const struct saga_answer_event *answer) {
    struct attempt_row row = {
        .ended_ms = turn->now_ms,
        .step_id = late->step_id,
        .leg = late->leg,
        .op = (int32_t)answer->op,
        .number = (int32_t)late->number,
        .started_ms = answer->started_ms,
        .outcome = (int32_t)answer->outcome,
    };
    char payload[100];
    str_fit(str_c(late->gid), row.gid, sizeof row.gid);
    str_fit(STR("LATE"), row.reason, sizeof row.reason);
    str_print(row.text, sizeof row.text, "the saga had gone on without this answer%s%s", answer->text[0] ? ": " : "",
              answer->text);
    saga_turn_row(turn, &attempt_table, STORE_PUT, &row);
    turn->engine->stats.late_answers++;
    const struct turn_about about = {id_slot(str_c(late->gid)), late->gid, turn->subject ? turn->subject->key : ""};
    if (!slot_is_ours(turn->engine, about.slot))
        return; // another instance gives the numbers of its events
    str_print(payload, sizeof payload, "step %u leg %u %s %s", late->step_id, late->leg, saga_op_name(answer->op),
              outcome_name(answer->outcome));
    turn_outbox_about(turn, "saga.late_answer", &about, str_c(payload));
}

void late_note(struct saga_turn *turn, const struct saga_resident *resident, const struct saga_answer_event *answer) {
    const struct saga_leg *leg = &resident->saga.legs[answer->leg];
    const struct late late = {resident->saga.gid, leg->step->id, leg->leg, leg->attempts};
    note(turn, &late, answer);
    engine_notice(turn->engine, SAGA_NOTICE_LATE, resident, leg, answer->op, outcome_name(answer->outcome),
                  answer->text);
}

void late_kept(struct saga_turn *turn, struct saga_resident *resident, uint8_t leg) {
    struct saga_leg *of = &resident->saga.legs[leg];
    if (!of->kept.came)
        return;
    struct saga_answer_event answer = {
        .leg = leg, .op = saga_leg_op(of), .outcome = of->kept.outcome, .started_ms = of->started_ms};
    struct leg_kept kept = saga_leg_take_kept(of);
    late_note(turn, resident, &answer);
    free((void *)(uintptr_t)kept.answer.ptr);
}

void late_tell(const struct saga_call *call, const struct saga_answer_event *answer) {
    struct saga_turn *turn = saga_turn_begin(call->engine, NULL);
    const struct late late = {call->gid, call->step_id, call->leg, 0};
    note(turn, &late, answer);
    engine_notice(turn->engine, SAGA_NOTICE_LATE, NULL, NULL, answer->op, outcome_name(answer->outcome), call->gid);
    saga_turn_commit(turn, NULL, NULL);
}
