#include "saga/journal.h"

#include "saga/journal.pb.h"

#include <pb_decode.h>
#include <stdlib.h>

_Static_assert(sizeof(((saga_Leg *)0)->answer.bytes) == SAGA_ANSWER_MAX, "journal.options and flow.h agree");
_Static_assert(sizeof(((saga_Leg *)0)->kept_answer.bytes) == SAGA_ANSWER_MAX, "journal.options and flow.h agree");
_Static_assert(sizeof(((saga_Leg *)0)->reason) == SAGA_CODE_MAX, "journal.options and flow.h agree");
_Static_assert(sizeof(((saga_Leg *)0)->text) == SAGA_TEXT_MAX, "journal.options and flow.h agree");
_Static_assert(sizeof(((saga_Signal *)0)->payload.bytes) == SAGA_SIGNAL_MAX, "journal.options and flow.h agree");
_Static_assert(sizeof(((saga_Signal *)0)->id) == SAGA_GID_MAX + 1, "journal.options and flow.h agree");
_Static_assert(sizeof(((saga_Signal *)0)->name) == SAGA_NAME_MAX + 1, "journal.options and flow.h agree");

// ---- Encoding -----------------------------------------------------------------------------------------------------
// Field by field and by hand: a saga's row is written at each of its durable points, and nanopb takes several times as
// long, for what it looks up and because it puts each inner message together twice. What reads it back is made from the
// description, and the tests compare.

enum { VARINT, LENGTH_DELIMITED = 2, VARINT_MAX = 10 };

// Where the next byte goes. Without room it stays where it is, and nothing more is put.
struct pen {
    uint8_t *at, *end;
    bool full;
};

static bool has_room(struct pen *pen, size_t size) {
    pen->full = pen->full || (size_t)(pen->end - pen->at) < size;
    return !pen->full;
}

static uint8_t *varint(uint8_t *at, uint64_t value) {
    for (; value > 0x7f; value >>= 7)
        *at++ = (uint8_t)(value | 0x80);
    *at++ = (uint8_t)value;
    return at;
}

static void put_number(struct pen *pen, uint32_t tag, uint64_t value) {
    if (value == 0 || !has_room(pen, 2 * VARINT_MAX))
        return;
    pen->at = varint(pen->at, tag << 3 | VARINT);
    pen->at = varint(pen->at, value);
}

static void put_bytes(struct pen *pen, uint32_t tag, struct str bytes) {
    if (bytes.len == 0 || !has_room(pen, 2 * VARINT_MAX + bytes.len))
        return;
    pen->at = varint(pen->at, tag << 3 | LENGTH_DELIMITED);
    pen->at = varint(pen->at, bytes.len);
    memcpy(pen->at, bytes.ptr, bytes.len);
    pen->at += bytes.len;
}

// A message within the record begins with its size, which is known at its end: there is one byte for it, and what
// follows makes way for more.
static uint8_t *begin(struct pen *pen, uint32_t tag) {
    if (has_room(pen, 2 * VARINT_MAX))
        pen->at = varint(pen->at, tag << 3 | LENGTH_DELIMITED) + 1;
    return pen->at;
}

static void end(struct pen *pen, uint8_t *body) {
    uint8_t size[VARINT_MAX];
    size_t len = (size_t)(pen->at - body), more = (size_t)(varint(size, len) - size) - 1;
    if (!has_room(pen, more))
        return;
    if (more > 0)
        memmove(body + more, body, len);
    memcpy(body - 1, size, more + 1);
    pen->at += more;
}

static void put_leg(struct pen *pen, const struct saga_leg *leg) {
    pen->full = pen->full || leg->answer.len > SAGA_ANSWER_MAX || leg->kept.answer.len > SAGA_ANSWER_MAX;
    put_number(pen, saga_Leg_step_tag, leg->step->id);
    put_number(pen, saga_Leg_leg_tag, leg->leg);
    put_number(pen, saga_Leg_state_tag, leg->state);
    put_number(pen, saga_Leg_may_have_run_tag, leg->may_have_run);
    put_number(pen, saga_Leg_unknown_tag, leg->unknown);
    put_number(pen, saga_Leg_refused_tag, leg->refused);
    put_number(pen, saga_Leg_attempts_tag, leg->attempts);
    put_number(pen, saga_Leg_generation_tag, leg->generation);
    put_number(pen, saga_Leg_due_ms_tag, (uint64_t)leg->due_ms);
    put_number(pen, saga_Leg_started_ms_tag, (uint64_t)leg->started_ms);
    put_number(pen, saga_Leg_ended_ms_tag, (uint64_t)leg->ended_ms);
    put_number(pen, saga_Leg_code_tag, leg->code);
    put_bytes(pen, saga_Leg_reason_tag, str_c(leg->reason));
    put_bytes(pen, saga_Leg_text_tag, str_c(leg->text));
    put_bytes(pen, saga_Leg_answer_tag, leg->answer);
    put_number(pen, saga_Leg_child_tag, leg->child);
    put_number(pen, saga_Leg_held_ms_tag, (uint64_t)leg->held_ms);
    put_number(pen, saga_Leg_kept_tag, leg->kept.came ? 1 + (uint64_t)leg->kept.outcome : 0);
    put_number(pen, saga_Leg_kept_never_seen_tag, leg->kept.never_seen);
    put_bytes(pen, saga_Leg_kept_answer_tag, leg->kept.answer);
    put_number(pen, saga_Leg_sent_ms_tag, (uint64_t)leg->sent_ms);
}

static void put_signal(struct pen *pen, const struct saga_signal *signal) {
    put_bytes(pen, saga_Signal_name_tag, str_c(signal->name));
    put_bytes(pen, saga_Signal_id_tag, str_c(signal->id));
    put_bytes(pen, saga_Signal_payload_tag, signal->payload);
    put_number(pen, saga_Signal_consumed_tag, signal->consumed);
}

// What the record takes at most.
static size_t most_bytes(const struct saga_instance *instance) {
    enum { NUMBERS_MAX = 21 * 13 + 2 * VARINT_MAX }; // of a leg or a signal: a tag and a value; room is asked for two
    size_t most = NUMBERS_MAX + sizeof instance->reason + sizeof instance->text;
    for (uint8_t i = 0; i < instance->n_legs; i++)
        most += NUMBERS_MAX + sizeof instance->legs[i].reason + sizeof instance->legs[i].text +
                instance->legs[i].answer.len + instance->legs[i].kept.answer.len;
    for (uint8_t i = 0; i < instance->n_signals; i++)
        most += NUMBERS_MAX + sizeof *instance->signals + instance->signals[i].payload.len;
    return most < SAGA_RECORD_MAX ? most : SAGA_RECORD_MAX;
}

bool saga_journal_encode(const struct saga_instance *instance, struct arena *arena, struct str *ret_bytes,
                         struct error *error) {
    size_t most = most_bytes(instance);
    uint8_t *bytes = arena_alloc(arena, most);
    struct pen pen = {.at = bytes, .end = bytes ? bytes + most : bytes, .full = !bytes};
    for (uint8_t i = 0; i < instance->n_legs && !pen.full; i++) {
        uint8_t *body = begin(&pen, saga_Journal_legs_tag);
        put_leg(&pen, &instance->legs[i]);
        end(&pen, body);
    }
    for (uint8_t i = 0; i < instance->n_signals && !pen.full; i++) {
        uint8_t *body = begin(&pen, saga_Journal_signals_tag);
        put_signal(&pen, &instance->signals[i]);
        end(&pen, body);
    }
    put_number(&pen, saga_Journal_code_tag, instance->code);
    put_bytes(&pen, saga_Journal_reason_tag, str_c(instance->reason));
    put_bytes(&pen, saga_Journal_text_tag, str_c(instance->text));
    put_number(&pen, saga_Journal_paused_tag, instance->paused);
    put_number(&pen, saga_Journal_operated_tag, instance->operated);
    if (pen.full)
        return error_set(error, ERR_RECORD_TOO_LARGE, NULL);
    *ret_bytes = str_n(bytes, (size_t)(pen.at - bytes));
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
        .sent_ms = record.sent_ms,
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
    instance->operated = record.operated;
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
