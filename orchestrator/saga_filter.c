#include "orchestrator/saga_filter.h"

#include "base/clock.h"
#include "base/id.h"

#include <stdio.h>

_Static_assert(sizeof *((Txcenter__Saga__V1__SagaFilter *)NULL)->slots == sizeof(int32_t), "slots are the engine's");

enum { PATH_MAX_BYTES = 64 };

struct checked {
    const char *path;
    struct error *error;
};

static void fault(const struct checked *at, const char *field, const char *what) {
    char path[PATH_MAX_BYTES];
    snprintf(path, sizeof path, "%s.%s", at->path, field);
    error_field(at->error, path, "%s", what);
}

static void check_text(const struct checked *at, const char *field, const char *text, size_t most) {
    char what[48];
    snprintf(what, sizeof what, "must have 0..%zu bytes, has %zu", most, strlen(text));
    if (strlen(text) > most)
        fault(at, field, what);
}

static void check_moment(const struct checked *at, const char *field, const Google__Protobuf__Timestamp *moment) {
    if (moment && !clock_is_moment(moment->seconds, moment->nanos))
        fault(at, field, "is not a time");
}

void saga_filter_check(const Txcenter__Saga__V1__SagaFilter *asked, const char *path, struct error *error) {
    const struct checked at = {path, error};
    if (!asked)
        return;
    if (!protobuf_c_enum_descriptor_get_value(&txcenter__saga__v1__saga_status__descriptor, (int)asked->status))
        fault(&at, "status", "is no status");
    check_text(&at, "flow", asked->flow, SAGA_NAME_MAX);
    check_text(&at, "subject", asked->subject, SAGA_SUBJECT_MAX);
    check_text(&at, "participant", asked->participant, SAGA_PARTICIPANT_MAX);
    check_text(&at, "reason", asked->reason, SAGA_CODE_MAX - 1);
    check_moment(&at, "created_from", asked->created_from);
    check_moment(&at, "created_to", asked->created_to);
    check_moment(&at, "updated_before", asked->updated_before);
    bool in_range = asked->n_slots <= SLOT_COUNT;
    for (size_t i = 0; in_range && i < asked->n_slots; i++)
        in_range = asked->slots[i] >= 0 && asked->slots[i] < SLOT_COUNT;
    if (!in_range)
        fault(&at, "slots", "must be numbers from 0 to 255, at most 256 of them");
}

struct saga_filter saga_filter_of(const Txcenter__Saga__V1__SagaFilter *asked) {
    struct saga_filter filter = {.to_ms = INT64_MAX, .updated_before_ms = INT64_MAX};
    if (!asked)
        return filter;
    filter.status = (enum saga_status)asked->status;
    filter.parked = asked->parked;
    filter.unfinished = asked->unfinished;
    filter.paused = asked->paused;
    filter.flow = str_c(asked->flow);
    filter.subject = str_c(asked->subject);
    filter.participant = str_c(asked->participant);
    filter.reason = str_c(asked->reason);
    if (asked->created_from)
        filter.from_ms = clock_moment_ms(asked->created_from->seconds, asked->created_from->nanos);
    if (asked->created_to)
        filter.to_ms = clock_moment_ms(asked->created_to->seconds, asked->created_to->nanos);
    if (asked->updated_before)
        filter.updated_before_ms = clock_moment_ms(asked->updated_before->seconds, asked->updated_before->nanos);
    filter.slots = asked->slots;
    filter.n_slots = asked->n_slots;
    return filter;
}
