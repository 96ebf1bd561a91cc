// Steps in trouble, as rows beside their saga's: what lists by participant and by reason go by. Which rows there are
// follows from the saga's own row, with which they are written, so they can't disagree with it.
#include "saga/engine.h"

#include <assert.h>
#include <stdlib.h>

enum { PARTICIPANTS_MAX = 4 }; // of one step, "payment, card"

static bool is_cause(const struct saga_instance *saga, const struct saga_leg *leg) {
    bool turned = saga->status == SAGA_COMPENSATING || saga->status == SAGA_FAILED || saga->status == SAGA_TERMINATED;
    return turned && strcmp(leg->reason, saga->reason) == 0 && strcmp(leg->text, saga->text) == 0;
}

static bool in_trouble(const struct saga_instance *saga, const struct saga_leg *leg) {
    if (leg->code == ERR_OK || saga->status == SAGA_SUCCEEDED)
        return false;
    if (is_cause(saga, leg))
        return true;
    if (saga->status == SAGA_FAILED)
        return false; // it was undone, whatever it took
    switch (leg->state) {
    case LEG_RETRYING:
    case LEG_REJECTED:
    case LEG_PARKED:
    case LEG_UNDO_RETRYING:
    case LEG_UNDO_PARKED: return true;
    case LEG_RUNNING:
    case LEG_INQUIRING:
    case LEG_WAITING:
    case LEG_ASKING:
    case LEG_UNDOING: return leg->attempts > 0;
    default: return false;
    }
}

// What is written of a leg: 0 nothing, else by its reason.
static uint64_t trouble_of(const struct saga_instance *saga, const struct saga_leg *leg) {
    return in_trouble(saga, leg) ? str_hash(str_c(leg->reason)) | 1 : 0;
}

static void write_leg(struct saga_turn *turn, const struct saga_resident *resident, const struct saga_leg *leg,
                      enum store_verb verb) {
    struct trouble_row row = {.step_id = leg->step->id, .leg = leg->leg, .created_ms = resident->created_ms};
    memcpy(row.gid, resident->saga.gid, sizeof row.gid);
    memcpy(row.reason, leg->reason, sizeof row.reason);
    struct str all = str_c(leg->step->participant ? leg->step->participant : "");
    unsigned n = 0;
    do {
        struct str one = str_trim(str_cut(&all, ','));
        str_fit(one, row.participant, sizeof row.participant);
        saga_turn_row(turn, &trouble_table, verb, &row);
    } while (!str_empty(all) && ++n < PARTICIPANTS_MAX);
}

static uint64_t *troubles_of(struct saga_resident *resident) {
    if (!resident->troubles)
        resident->troubles = calloc(resident->saga.n_legs, sizeof *resident->troubles);
    if (!resident->troubles)
        abort();
    return resident->troubles;
}

void trouble_put(struct saga_turn *turn, struct saga_resident *resident) {
    const struct saga_instance *saga = &resident->saga;
    for (uint8_t i = 0; i < saga->n_legs; i++) {
        uint64_t is = trouble_of(saga, &saga->legs[i]), was = resident->troubles ? resident->troubles[i] : 0;
        if (is == was)
            continue;
        write_leg(turn, resident, &saga->legs[i], is ? STORE_PUT : STORE_DELETE);
        troubles_of(resident)[i] = is;
    }
}

void trouble_loaded(struct saga_resident *resident) {
    const struct saga_instance *saga = &resident->saga;
    for (uint8_t i = 0; i < saga->n_legs; i++) {
        uint64_t stored = trouble_of(saga, &saga->legs[i]);
        if (stored)
            troubles_of(resident)[i] = stored;
    }
}
