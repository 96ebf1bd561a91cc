#include "saga/journal.h"

#include "saga/journal.pb.h"

#include <pb_decode.h>
#include <pb_encode.h>
#include <stdlib.h>

_Static_assert(sizeof(((saga_Leg *)0)->answer.bytes) == SAGA_ANSWER_MAX, "journal.options and flow.h agree");
_Static_assert(sizeof(((saga_Leg *)0)->kept_answer.bytes) == SAGA_ANSWER_MAX, "journal.options and flow.h agree");
_Static_assert(sizeof(((saga_Leg *)0)->reason) == SAGA_CODE_MAX, "journal.options and flow.h agree");
_Static_assert(sizeof(((saga_Leg *)0)->text) == SAGA_TEXT_MAX, "journal.options and flow.h agree");
_Static_assert(sizeof(((saga_Signal *)0)->payload.bytes) == SAGA_SIGNAL_MAX, "journal.options and flow.h agree");
_Static_assert(sizeof(((saga_Signal *)0)->id) == SAGA_GID_MAX + 1, "journal.options and flow.h agree");
_Static_assert(sizeof(((saga_Signal *)0)->name) == SAGA_NAME_MAX + 1, "journal.options and flow.h agree");

// ---- Encoding -----------------------------------------------------------------------------------------------------

static bool encode_leg(pb_ostream_t *stream, const pb_field_t *field, const struct saga_leg *leg) {
    saga_Leg record = {
        .step = leg->step->id,
        .leg = leg->leg,
        .state = (uint8_t)leg->state,
        .may_have_run = leg->may_have_run,
        .unknown = leg->unknown,
        .refused = leg->refused,
        .attempts = leg->attempts,
        .generation = leg->generation,
        .due_ms = leg->due_ms,
        .started_ms = leg->started_ms,
        .ended_ms = leg->ended_ms,
        .code = (uint32_t)leg->code,
        .child = (uint8_t)leg->child,
        .held_ms = leg->held_ms,
        .kept = leg->kept.came ? (uint8_t)(1 + leg->kept.outcome) : 0,
        .kept_never_seen = leg->kept.never_seen,
    };
    memcpy(record.reason, leg->reason, sizeof record.reason);
    memcpy(record.text, leg->text, sizeof record.text);
    if (leg->answer.len > sizeof record.answer.bytes || leg->kept.answer.len > sizeof record.kept_answer.bytes)
        return false;
    record.answer.size = (pb_size_t)leg->answer.len;
    if (leg->answer.len)
        memcpy(record.answer.bytes, leg->answer.ptr, leg->answer.len);
    record.kept_answer.size = (pb_size_t)leg->kept.answer.len;
    if (leg->kept.answer.len)
        memcpy(record.kept_answer.bytes, leg->kept.answer.ptr, leg->kept.answer.len);
    return pb_encode_tag_for_field(stream, field) && pb_encode_submessage(stream, saga_Leg_fields, &record);
}

static bool encode_legs(pb_ostream_t *stream, const pb_field_t *field, void *const *arg) {
    const struct saga_instance *instance = *arg;
    for (uint8_t i = 0; i < instance->n_legs; i++)
        if (!encode_leg(stream, field, &instance->legs[i]))
            return false;
    return true;
}

static bool encode_signals(pb_ostream_t *stream, const pb_field_t *field, void *const *arg) {
    const struct saga_instance *instance = *arg;
    for (uint8_t i = 0; i < instance->n_signals; i++) {
        const struct saga_signal *signal = &instance->signals[i];
        saga_Signal record = {.consumed = signal->consumed};
        memcpy(record.name, signal->name, sizeof record.name);
        memcpy(record.id, signal->id, sizeof record.id);
        record.payload.size = (pb_size_t)signal->payload.len;
        if (signal->payload.len)
            memcpy(record.payload.bytes, signal->payload.ptr, signal->payload.len);
        if (!pb_encode_tag_for_field(stream, field) || !pb_encode_submessage(stream, saga_Signal_fields, &record))
            return false;
    }
    return true;
}

bool saga_journal_encode(const struct saga_instance *instance, struct arena *arena, struct str *ret_bytes,
                         struct error *error) {
    void *borrowed = (void *)(uintptr_t)instance; // nanopb's callback argument has no const
    saga_Journal record = {
        .legs = {.funcs.encode = encode_legs, .arg = borrowed},
        .signals = {.funcs.encode = encode_signals, .arg = borrowed},
        .code = (uint32_t)instance->code,
        .paused = instance->paused,
    };
    memcpy(record.reason, instance->reason, sizeof record.reason);
    memcpy(record.text, instance->text, sizeof record.text);
    size_t size;
    if (!pb_get_encoded_size(&size, saga_Journal_fields, &record) || size > SAGA_RECORD_MAX)
        return error_set(error, ERR_RECORD_TOO_LARGE, NULL);
    pb_byte_t *bytes = arena_alloc(arena, size ? size : 1);
    pb_ostream_t stream = pb_ostream_from_buffer(bytes, size);
    if (!bytes || !pb_encode(&stream, saga_Journal_fields, &record))
        return error_set(error, ERR_RECORD_TOO_LARGE, NULL);
    *ret_bytes = str_n(bytes, size);
    return true;
}

// ---- Decoding -----------------------------------------------------------------------------------------------------

static const struct saga_step *find_step(const struct saga_flow *flow, uint32_t id) {
    for (uint8_t i = 0; i < flow->n_steps; i++)
        if (flow->steps[i].id == id)
            return &flow->steps[i];
    return NULL;
}

static bool decode_leg(pb_istream_t *stream, const pb_field_t *field, void **arg) {
    (void)field;
    struct saga_instance *instance = *arg;
    saga_Leg record = saga_Leg_init_zero;
    if (instance->n_legs == SAGA_LEGS_MAX || !pb_decode(stream, saga_Leg_fields, &record))
        return false;
    const struct saga_step *step = find_step(instance->flow, record.step);
    const struct saga_leg *last = instance->n_legs ? &instance->legs[instance->n_legs - 1] : NULL;
    if (!step || (last && step < last->step) || record.leg != (last && step == last->step ? last->leg + 1 : 0))
        return false;
    if (record.state < LEG_IDLE || record.state >= LEG_STATES || record.child > CHILD_TERMINATED)
        return false;
    if (record.kept > 1 + OUTCOME_UNKNOWN || (record.kept == 0 && (record.kept_never_seen || record.kept_answer.size)))
        return false;
    // They end in text columns again, which a store refuses when they are not UTF-8.
    if (!str_is_utf8(str_c(record.reason)) || !str_is_utf8(str_c(record.text)))
        return false;
    struct saga_leg *leg = &instance->legs[instance->n_legs++];
    *leg = (struct saga_leg){
        .step = step,
        .leg = record.leg,
        .state = (enum leg_state)record.state,
        .may_have_run = record.may_have_run,
        .unknown = record.unknown,
        .refused = record.refused,
        .attempts = record.attempts,
        .generation = record.generation,
        .due_ms = record.due_ms,
        .started_ms = record.started_ms,
        .ended_ms = record.ended_ms,
        .code = (enum err)record.code,
        .child = (enum leg_child)record.child,
        .held_ms = record.held_ms,
    };
    memcpy(leg->reason, record.reason, sizeof leg->reason);
    memcpy(leg->text, record.text, sizeof leg->text);
    if (record.answer.size)
        leg->answer = saga_copy_bytes(str_n(record.answer.bytes, record.answer.size));
    if (record.kept)
        leg->kept =
            (struct leg_kept){.came = true,
                              .never_seen = record.kept_never_seen,
                              .outcome = (enum outcome)(record.kept - 1),
                              .answer = saga_copy_bytes(str_n(record.kept_answer.bytes, record.kept_answer.size))};
    return true;
}

static bool decode_signal(pb_istream_t *stream, const pb_field_t *field, void **arg) {
    (void)field;
    struct saga_instance *instance = *arg;
    saga_Signal record = saga_Signal_init_zero;
    struct error error;
    bool duplicate;
    if (!pb_decode(stream, saga_Signal_fields, &record) ||
        !saga_instance_signal(instance, str_c(record.name), str_c(record.id),
                              str_n(record.payload.bytes, record.payload.size), &duplicate, &error) ||
        duplicate)
        return false;
    instance->signals[instance->n_signals - 1].consumed = record.consumed;
    return true;
}

// Every step of the flow is there: the machine relies on it.
static bool complete(const struct saga_instance *instance) {
    uint8_t step = 0;
    for (uint8_t i = 0; i < instance->n_legs; i++)
        if (instance->legs[i].leg == 0 && instance->legs[i].step != &instance->flow->steps[step++])
            return false;
    return step == instance->flow->n_steps;
}

static bool decode(struct str bytes, struct saga_instance *instance, struct error *error) {
    saga_Journal record = {
        .legs = {.funcs.decode = decode_leg, .arg = instance},
        .signals = {.funcs.decode = decode_signal, .arg = instance},
    };
    pb_istream_t stream = pb_istream_from_buffer((const pb_byte_t *)bytes.ptr, bytes.len);
    if (!pb_decode(&stream, saga_Journal_fields, &record))
        return error_set(error, ERR_STORE_CORRUPT, "%s", stream.errmsg ? stream.errmsg : "not a journal of its flow");
    if (!complete(instance) || !str_is_utf8(str_c(record.reason)) || !str_is_utf8(str_c(record.text)))
        return error_set(error, ERR_STORE_CORRUPT, "it does not fit its flow");
    instance->code = (enum err)record.code;
    instance->paused = record.paused;
    memcpy(instance->reason, record.reason, sizeof instance->reason);
    memcpy(instance->text, record.text, sizeof instance->text);
    return saga_instance_valid(instance, error);
}

bool saga_journal_decode(struct str bytes, struct saga_instance *instance, struct error *error) {
    instance->legs = calloc(SAGA_LEGS_MAX, sizeof *instance->legs);
    if (!instance->legs)
        return error_set(error, ERR_OVERLOADED, "no memory");
    if (!decode(bytes, instance, error)) {
        error_within(error, "the journal of saga %s can't be read", instance->gid);
        saga_instance_release(instance);
        return false;
    }
    struct saga_leg *exact = realloc(instance->legs, instance->n_legs * sizeof *exact);
    if (exact)
        instance->legs = exact;
    return true;
}
