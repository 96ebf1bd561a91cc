// At sends, and after every event.
#include "tests/simulation/watch.h"

#include "saga/engine.h"
#include "tests/simulation/center.h"
#include "tests/simulation/durable.h"
#include "tests/simulation/operator.h"
#include "tests/simulation/world.h"

#include <stdlib.h>

bool watch_is_durable(const char *gid) {
    return durable_saga(gid) != NULL;
}

bool watch_is_awaited(const struct saga_call *call) {
    return call->resident != NULL && !call->late;
}

bool watch_is_owner(const struct center *center, const struct saga_call *call) {
    return center_owns(center, id_slot(str_c(call->gid)));
}

// ---- Sends --------------------------------------------------------------------------------------------------------

static bool is_one_of(enum saga_status status, enum saga_status a, enum saga_status b) {
    return status == a || status == b || status == SAGA_TERMINATED;
}

// A stale owner may be behind: what it says was true once, and never becomes false.
static void check_turning_points(const struct saga_call *call, const struct effect *effect, enum saga_status status) {
    enum saga_op op = saga_call_op(call);
    if (op == SAGA_COMPENSATE && effect->step->kind != SAGA_COMPENSATABLE)
        world_broken("E12", "%s is compensated, which is no compensatable step", world_short(effect->key));
    if (op == SAGA_COMPENSATE && !is_one_of(status, SAGA_COMPENSATING, SAGA_FAILED))
        world_broken("E2", "%s is compensated before the turn is durable: the saga is %s", world_short(effect->key),
                     saga_status_name(status));
    if (effect->step->kind == SAGA_RETRIABLE && !is_one_of(status, SAGA_FORWARD, SAGA_SUCCEEDED))
        world_broken("E2", "%s is sent before the pivot is durable: the saga is %s", world_short(effect->key),
                     saga_status_name(status));
}

static void check_inquired(const struct center *center, const struct saga_call *call, const struct effect *effect,
                           const struct saga_instance *durable) {
    bool first = saga_call_op(call) == SAGA_COMPENSATE && effect->sends[SAGA_COMPENSATE] == 0;
    const struct saga_leg *leg = saga_instance_leg(durable, effect->step->id, effect->leg);
    bool unknown = effect->unknown && !(leg && operator_did(durable, leg, SAGA_ACT_RESOLVE, IN_ANY_STATE));
    if (first && effect->step->inquire && unknown && watch_is_owner(center, call))
        world_broken("E3", "%s is compensated without having been asked about", world_short(effect->key));
}

// Whether an operator has said that this one counts as done, or as undone.
static bool was_skipped(const struct effect *effect, const struct saga_instance *durable, enum leg_state from) {
    const struct saga_leg *leg = saga_instance_leg(durable, effect->step->id, effect->leg);
    return leg && operator_did(durable, leg, SAGA_ACT_SKIP, from);
}

// Forward: everything before it has taken effect. Backward: nothing behind it has any effect left.
static void check_order(const struct saga_call *call, const struct effect *effect,
                        const struct saga_instance *durable) {
    enum saga_op op = saga_call_op(call);
    for (const struct effect *other = effect->book->first; other; other = other->next) {
        if (op == SAGA_COMPENSATE && other->step->stage > effect->step->stage && other->step->undo &&
            other->state == EFFECT_APPLIED && !was_skipped(other, durable, LEG_UNDO_PARKED))
            world_broken("E3", "%s is compensated before %s", world_short(effect->key), world_short(other->key));
        if (op == SAGA_ACTION && other->step->stage < effect->step->stage && other->step->run &&
            other->step->tier == SAGA_CORE && other->applied == 0 && other->state != EFFECT_REJECTED &&
            !was_skipped(other, durable, LEG_PARKED))
            world_broken("order", "%s is sent before %s took effect", world_short(effect->key),
                         world_short(other->key));
    }
}

static void check_body(const struct saga_call *call, struct effect *effect, const char *body) {
    enum saga_op op = saga_call_op(call);
    if (!effect->bodies[op])
        effect->bodies[op] = strdup(body);
    else if (strcmp(effect->bodies[op], body) != 0)
        world_broken("E11", "%s %s was \"%.200s\" and is now \"%.200s\"", world_short(effect->key), saga_op_name(op),
                     effect->bodies[op], body);
    struct saga_subject *subject = saga_call_subject(call);
    if (!subject || !sim_traits(effect->flow, effect->step)->numbers)
        return;
    struct sim_entry_row like;
    const struct sim_entry_row *entry = subject_find_entry(sim_subject_of(subject), saga_call_gid(call));
    int64_t number = entry ? entry->number : 0;
    memcpy(like.subject, subject->key, sizeof like.subject);
    memcpy(like.gid, effect->book->gid, sizeof like.gid);
    const struct sim_entry_row *durable = durable_row(&sim_entry_table, &like);
    if (number != (durable ? durable->number : 0))
        world_broken("E11", "%s is made from the number %lld, which is not durable", world_short(effect->key),
                     (long long)number);
}

// Another generation only after the one before was proven to be rejected, and always then.
static void check_generation(const struct saga_call *call, const struct effect *effect,
                             const struct saga_instance *durable) {
    const struct saga_leg *leg = saga_instance_leg(durable, effect->step->id, effect->leg);
    if (leg && leg->state == LEG_PARKED && leg->refused && leg->generation == effect->generation &&
        saga_call_op(call) == SAGA_ACTION)
        world_broken("E12", "%s is sent again after it was rejected", world_short(effect->key));
    bool acts = effect->step->run || sim_traits(effect->flow, effect->step)->acts;
    if (!acts || effect->generation == 1 || effect->sends[saga_call_op(call)] > 0)
        return;
    for (const struct effect *other = effect->book->first; other; other = other->next)
        if (other->step == effect->step && other->leg == effect->leg && other->generation + 1 == effect->generation &&
            (other->state == EFFECT_APPLIED || other->state == EFFECT_NONE))
            world_broken("E12", "%s is sent though %s was not rejected", world_short(effect->key),
                         world_short(other->key));
}

// What an instance counted of a step's attempts is durable before the next one.
static void check_attempts(const struct saga_call *call, const struct effect *effect,
                           const struct saga_instance *durable) {
    const struct saga_leg *leg = saga_instance_leg(durable, effect->step->id, effect->leg);
    const struct saga_leg *memory = &call->resident->saga.legs[call->index];
    bool reversed = durable->status == SAGA_COMPENSATING && saga_call_op(call) != SAGA_COMPENSATE;
    if (leg && !reversed && !effect->step->ask && !saga_status_ended(durable->status) &&
        leg->attempts < memory->attempts)
        world_broken("E6", "%s is sent after %u failed attempts, of which %u are durable", world_short(effect->key),
                     memory->attempts, leg->attempts);
}

void watch_send(const struct center *center, const struct saga_call *call, struct effect *effect, const char *body) {
    const struct saga_row *row = durable_saga(saga_call_gid(call));
    if (!row)
        world_broken("E1", "%s %s is sent, and the saga is not durable", world_short(effect->key),
                     saga_op_name(saga_call_op(call)));
    struct saga_instance durable = durable_instance(row);
    check_turning_points(call, effect, durable.status);
    check_inquired(center, call, effect, &durable);
    check_order(call, effect, &durable);
    if (!watch_is_owner(center, call))
        world_broken("E7", "%s sends %s %s, and slot %d is c%u's, whose incarnation is %lld", center->label,
                     world_short(effect->key), saga_op_name(saga_call_op(call)), row->slot,
                     world_now->owners[row->slot],
                     (long long)world_now->incarnations[world_now->owners[row->slot] % SIM_NAMES_MAX]);
    if (watch_is_owner(center, call)) {
        if (row->paused || saga_status_ended(durable.status))
            world_broken("E8", "%s %s is sent, and the saga is %s", world_short(effect->key),
                         saga_op_name(saga_call_op(call)), row->paused ? "paused" : saga_status_name(durable.status));
        check_generation(call, effect, &durable);
        check_attempts(call, effect, &durable);
    }
    saga_instance_release(&durable);
    check_body(call, effect, body);
}

// ---- The patrol ---------------------------------------------------------------------------------------------------

// What it says is so, or was a moment ago.
static void check_anomaly(const struct center *center, const struct saga_notice *notice) {
    const struct saga_patrol_options *patrol = &world_now->shape->patrol;
    const struct saga_row *row = durable_saga(notice->gid);
    int64_t now_ms = clock_now_ms(&center->clock), least_ms = patrol->running_ms;
    least_ms = patrol->forward_ms < least_ms ? patrol->forward_ms : least_ms;
    least_ms = patrol->compensating_ms < least_ms ? patrol->compensating_ms : least_ms;
    bool old = strcmp(notice->reason, "old") == 0 && row && row->created_ms + least_ms <= now_ms;
    bool waits = strcmp(notice->reason, "waiting") == 0 && row;
    bool oscillates = strcmp(notice->reason, "oscillating") == 0;
    // By a clock that was set forward it may be long, before the saga is taken up.
    int64_t since_ms = now_ms - patrol->stuck_ms;
    bool stuck = strcmp(notice->reason, "stuck") == 0 && world_now->jumped && row && row->due_ms <= since_ms &&
                 row->updated_ms <= since_ms;
    bool unreadable = strcmp(notice->reason, "unreadable") == 0 && center->older && row && row->flow_version > 1;
    if (!old && !waits && !oscillates && !stuck && !unreadable)
        world_broken("anomaly", "%s raises \"%s\" about %s%s: %s", center->label, notice->reason, notice->subject,
                     world_short(notice->gid), notice->text);
}

static size_t overdue(void) {
    size_t n = 0;
    for (int class = 0; class < SAGA_KEPT_CLASSES; class ++)
        if (world_now->shape->retention.kept_ms[class] == 0)
            return 0; // what is with one that is kept for ever stays with it
    for (int class = 0; class < SAGA_KEPT_CLASSES && world_now->shape->retention.interval_ms; class ++) {
        struct store_query ended = {
            .table = &saga_table, .conds = {{.column = "status", .cmp = STORE_EQ, .integer = SAGA_SUCCEEDED + class}}};
        n += world_now->shape->retention.kept_ms[class] ? durable_count(&ended) : 0;
    }
    return n;
}

bool watch_is_tidy(bool must) {
    struct store_query open = {.table = &anomaly_table,
                               .conds = {{.column = "cleared_ms", .cmp = STORE_EQ, .integer = ANOMALY_OPEN_MS}}};
    size_t anomalies = durable_count(&open), kept = overdue();
    if (must && anomalies > 0)
        world_broken("anomaly", "all has been well for long, and %zu anomalies are still said to hold", anomalies);
    if (must && kept > 0)
        world_broken("E15", "the time of %zu sagas is over for long, and they are still there", kept);
    return anomalies == 0 && kept == 0;
}

// ---- What it tells ------------------------------------------------------------------------------------------------

// Deaths of processes that had resumed it. One that only found it waiting, and died when its time came, has not; the
// next one then finds it due.
void watch_death_of(const struct center *center, struct book *book) {
    unsigned most = 2 * world_now->shape->resume_max + 1; // one may come when it had survived its resumption
    book->all_deaths++;
    book->deaths += book->resumed_name == center->name && book->resumed_life == center->life;
    if (book->deaths > most || book->all_deaths > 100)
        world_broken("E14",
                     "%s was resumed %u times in a row and brought down the process each time, %u in all; it "
                     "should be parked after %u",
                     world_short(book->gid), book->deaths, book->all_deaths, most);
}

void watch_notice(const struct center *center, const struct saga_notice *notice) {
    if (notice->kind == SAGA_NOTICE_FENCED && world_now->shape->lease_ms)
        center_die((struct center *)(uintptr_t)center, "because another one has taken over");
    if (notice->kind == SAGA_NOTICE_ANOMALY)
        check_anomaly(center, notice);
    if (notice->kind == SAGA_NOTICE_CORRUPT)
        world_broken("disk", "%s can't be read: %s", world_short(notice->gid), notice->text);
    if (notice->kind == SAGA_NOTICE_PARKED)
        operator_hears_of_parked(notice->gid);
    if (notice->kind == SAGA_NOTICE_RESUMED) {
        struct book *book = ledger_book(&world_now->ledger, notice->gid);
        book->resumed_name = center->name;
        book->resumed_life = center->life;
    }
}

// ---- After every event --------------------------------------------------------------------------------------------

// Another one has taken over, and it need not know yet: whatever it thinks, nothing will come of it.
static bool is_behind(const struct center *center) {
    struct store_identity identity;
    store_identity(center->store, &identity);
    return identity.incarnation != world_now->incarnations[center->name] || !center_is_current(center);
}

// When nothing is under way, those in memory are those that are not finished, or fewer.
static void check_bounded(const struct center *center, const struct saga_stats *stats) {
    if (is_behind(center) || stats->in_flight_calls > 0 || center->engine->turns || center->engine->loadings.count > 0)
        return;
    struct store_query query = {.table = &saga_table,
                                .conds = {{.column = "due_ms", .cmp = STORE_LT, .integer = INT64_MAX}}};
    // One that has ended stays there as long as its children, and may be deleted meanwhile: it was terminated, or an
    // operator skipped the step of the child.
    struct store_query children = query;
    children.conds[1] = (struct store_cond){.column = "parent_gid", .cmp = STORE_NE};
    struct store_query terminated = {.table = &saga_table,
                                     .conds = {{.column = "status", .cmp = STORE_EQ, .integer = SAGA_TERMINATED}}};
    int64_t most = (int64_t)(durable_count(&query) + durable_count(&children) + durable_count(&terminated) +
                             world_now->terminated_gone) +
                   (world_now->plant == PLANT_BOUNDLESS ? -1 : 0);
    if (stats->resident > most)
        world_broken("bound", "%s has %lld sagas in memory, of %lld that are not finished", center->label,
                     (long long)stats->resident, (long long)most);
}

// Who thinks that a slot is its own, and may still commit, is its owner.
static void check_slots(const struct center *center) {
    if (is_behind(center))
        return;
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++)
        if (saga_engine_owns(center->engine, slot) && world_now->owners[slot] != center->name)
            world_broken("E7", "%s thinks that slot %u is its own, which is c%u's", center->label, slot,
                         world_now->owners[slot]);
}

void watch_step(void) {
    for (struct center *center = world_now->centers; center; center = center->next) {
        struct saga_stats stats;
        if (center->dying)
            continue;
        limits_step(center);
        if (world_now->shape->lease_ms && world_now->tally.events % 4 == 0)
            check_slots(center);
        saga_engine_stats(center->engine, &stats);
        if (stats.orphans != 0)
            world_broken("E5", "%s has %lld sagas that nothing will ever drive on", center->label,
                         (long long)stats.orphans);
        if (world_now->calm && world_now->tally.events % 64 == 0)
            check_bounded(center, &stats);
    }
}
