#include "tests/saga/gated.h"

#include "tests/cmocka.h"

#include <stdio.h>

static struct saga_gate gate = {.participant = "model"};

void gated_open(struct saga_bed *bed, struct saga_gate_limits limits) {
    gate.limits = limits;
    bed_init(bed);
    bed->options.gates = &gate;
    bed->options.n_gates = 1;
    bed_open(bed);
}

static void seen_each(void *ctx, const struct saga_participant *participant) {
    if (strcmp(participant->name, "model") == 0)
        *(struct saga_participant *)ctx = *participant;
}

struct saga_participant gated_seen(struct saga_bed *bed) {
    struct saga_participant model = {0};
    saga_participants(bed->engine, seen_each, &model);
    return model;
}

void gated_start_many(struct saga_bed *bed, const struct saga_flow *flow, unsigned n) {
    char gid[16];
    for (unsigned i = 0; i < n; i++) {
        snprintf(gid, sizeof gid, "s%u", i);
        bed_start(bed, flow, gid, "", NULL);
    }
}

void gated_must_all_be(struct saga_bed *bed, unsigned n, enum saga_status status) {
    char gid[16];
    for (unsigned i = 0; i < n; i++) {
        snprintf(gid, sizeof gid, "s%u", i);
        assert_int_equal(bed_status(bed, gid), status);
    }
    bed_check_books(bed);
}

void gated_pause(struct saga_bed *bed, const char *participant, bool paused, struct bed_reply *reply) {
    const struct saga_pausing how = {.caller = STR("olga"), .reason = STR("maintenance")};
    *reply = (struct bed_reply){0};
    saga_participant_pause(bed->engine, str_c(participant), paused, &how, bed_replied, reply);
    bed_wait(bed, reply);
}

void gated_must_pause(struct saga_bed *bed, bool paused) {
    struct bed_reply reply;
    gated_pause(bed, "model", paused, &reply);
    if (reply.code != ERR_OK)
        fail_msg("%s", reply.text);
}
