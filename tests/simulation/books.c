#include "tests/simulation/books.h"

#include "tests/simulation/center.h"
#include "tests/simulation/client.h"
#include "tests/simulation/durable.h"
#include "tests/simulation/network.h"
#include "tests/simulation/operator.h"
#include "tests/simulation/subject.h"
#include "tests/simulation/world.h"

#include <stdio.h>

// ---- Coming to rest -----------------------------------------------------------------------------------------------

bool books_are_closed(void) {
    struct store_query query = {.table = &saga_table,
                                .conds = {{.column = "due_ms", .cmp = STORE_LT, .integer = INT64_MAX}}};
    return durable_count(&query) == 0;
}

// What is still awaited comes, at last: behind the watershed nothing else would ever end it.
static void signal_awaited(const struct saga_row *row) {
    struct saga_instance saga = durable_instance(row);
    for (uint8_t i = 0; i < saga.n_legs; i++) {
        const struct saga_leg *leg = &saga.legs[i];
        if (leg->step->signal && (leg->state == LEG_WAITING || leg->state == LEG_PARKED))
            client_signal(row->gid, leg->step->signal, world_now->helps++);
    }
    saga_instance_release(&saga);
}

static void help(const struct saga_row *row) {
    if (saga_status_ended((enum saga_status)row->status))
        return;
    signal_awaited(row);
    if (row->parked || row->paused)
        operator_help(row, world_now->helps++);
}

void books_help(void) {
    operator_let_go();
    durable_each_saga(help);
}

static struct {
    char *out;
    size_t size, at;
} described;

static void describe(const struct saga_row *row) {
    if (saga_status_ended((enum saga_status)row->status))
        return;
    struct saga_instance saga = durable_instance(row);
    char line[200];
    int length = snprintf(line, sizeof line, "%s %s:", world_short(row->gid), saga_status_name(saga.status));
    for (uint8_t i = 0; i < saga.n_legs && (size_t)length < sizeof line; i++)
        if (!saga_leg_settled(&saga.legs[i]))
            length += snprintf(line + length, sizeof line - (size_t)length, " %s=%s", saga.legs[i].step->name,
                               leg_state_name(saga.legs[i].state));
    saga_instance_release(&saga);
    described.at += (size_t)snprintf(described.out + described.at, described.size - described.at, "%s; ", line);
    if (described.at > described.size - 1)
        described.at = described.size - 1;
}

void books_describe_open(char *out, size_t size) {
    out[0] = '\0';
    described.out = out;
    described.size = size;
    described.at = 0;
    durable_each_saga(describe);
}

// ---- Sagas against participants -----------------------------------------------------------------------------------

static struct effect *effect_of(const struct saga_instance *saga, const struct saga_leg *leg, uint32_t generation) {
    char key[SAGA_KEY_MAX];
    struct saga_leg as = *leg;
    as.generation = generation;
    saga_leg_key(saga, &as, key);
    return ledger_effect(&world_now->ledger, key);
}

static bool acts(const struct sim_flow *flow, const struct saga_step *step) {
    return step->run || sim_traits(flow, step)->acts;
}

// Succeeded: each step that is done took effect once under its last key, and under no other.
static void check_succeeded(const struct saga_instance *saga, const struct saga_leg *leg) {
    if (!saga_leg_settled(leg))
        world_broken("status", "%s succeeded, and its step %s is %s", world_short(saga->gid), leg->step->name,
                     leg_state_name(leg->state));
    for (uint32_t generation = 1; generation <= leg->generation; generation++) {
        const struct effect *effect = effect_of(saga, leg, generation);
        bool must = generation == leg->generation && leg->state == LEG_DONE && acts(sim_flow_of(saga->flow), leg->step);
        bool is = effect && effect->state == EFFECT_APPLIED;
        bool skipped = leg->state == LEG_SKIPPED && operator_did(saga, leg, SAGA_ACT_SKIP, LEG_PARKED);
        if (must != is && !skipped)
            world_broken("books", "%s succeeded, step %s is %s, and its effect %u is %sthere", world_short(saga->gid),
                         leg->step->name, leg_state_name(leg->state), generation, is ? "" : "not ");
        if (must && !leg->step->ask) {
            char bytes[SAGA_ANSWER_MAX + 512];
            if (!str_eq(leg->answer, network_answer_of(effect, bytes)))
                world_broken("E11", "%s step %s keeps another answer than it was given", world_short(saga->gid),
                             leg->step->name);
        }
    }
}

// Failed: of what took effect nothing is left.
static void check_failed(const struct saga_instance *saga, const struct saga_leg *leg) {
    for (uint32_t generation = 1; generation <= leg->generation; generation++) {
        const struct effect *effect = effect_of(saga, leg, generation);
        if (effect && effect->state == EFFECT_APPLIED && !operator_did(saga, leg, SAGA_ACT_SKIP, LEG_UNDO_PARKED))
            world_broken("E3", "%s failed, and the effect of its step %s is still there", world_short(saga->gid),
                         leg->step->name);
    }
    const struct effect *effect = effect_of(saga, leg, leg->generation);
    if (leg->step->child && leg->state == LEG_UNDONE && (!effect || effect->state != EFFECT_UNDONE) &&
        !operator_did(saga, leg, SAGA_ACT_SKIP, LEG_UNDO_PARKED))
        world_broken("E3", "%s failed, and the child of its step %s was never given back", world_short(saga->gid),
                     leg->step->name);
}

// ---- Sagas against what they did with their own tables ------------------------------------------------------------

static bool books_something(const struct saga_instance *saga) {
    for (uint8_t i = 0; i < saga->n_legs; i++)
        if (sim_traits(sim_flow_of(saga->flow), saga->legs[i].step)->decide == DECIDES_BOOK &&
            saga->legs[i].state == LEG_DONE)
            return true;
    return false;
}

static bool is_marked(const struct saga_instance *saga, const char *mark) {
    struct sim_mark_row like;
    snprintf(like.gid, sizeof like.gid, "%s", saga->gid);
    snprintf(like.mark, sizeof like.mark, "%s", mark);
    return durable_row(&sim_mark_table, &like) != NULL;
}

static bool was_noted(const struct saga_instance *saga, const char *noted) {
    char bytes[SAGA_ANSWER_MAX + 512];
    bool any = false;
    for (uint8_t i = 0; i < saga->n_legs; i++) {
        const struct saga_leg *leg = &saga->legs[i];
        const struct effect *effect = effect_of(saga, leg, leg->generation);
        if (leg->step->answered && leg->state == LEG_SKIPPED && operator_did(saga, leg, SAGA_ACT_SKIP, LEG_PARKED))
            return true; // it may have been told of an answer that could not be kept
        if (!leg->step->answered || leg->state != LEG_DONE || !effect)
            continue;
        any = true;
        if (strncmp(network_answer_of(effect, bytes).ptr, noted, 16) == 0 && noted[0])
            return true;
    }
    return !any;
}

static void check_own(const struct saga_instance *saga, const char *subject) {
    bool failed = saga->status == SAGA_FAILED, booked = books_something(saga);
    bool terminated = saga->status == SAGA_TERMINATED;
    struct sim_entry_row like;
    if (!subject[0]) {
        bool fits = is_marked(saga, "reversed") == failed && (failed || is_marked(saga, "booked") == booked);
        if (!is_marked(saga, "ended") || (!fits && !terminated))
            world_broken("once", "%s %s, and what its decisions wrote does not say so", world_short(saga->gid),
                         saga_status_name(saga->status));
        return;
    }
    snprintf(like.subject, sizeof like.subject, "%s", subject);
    snprintf(like.gid, sizeof like.gid, "%s", saga->gid);
    const struct sim_entry_row *entry = durable_row(&sim_entry_table, &like);
    bool fits = entry && entry->reversals == failed && (failed ? entry->booked == 0 : (entry->bookings == 1) == booked);
    if (!entry || entry->ends != 1 || (!fits && !terminated))
        world_broken("once", "%s %s: booked %d times, reversed %d times, ended %d times", world_short(saga->gid),
                     saga_status_name(saga->status), entry ? entry->bookings : 0, entry ? entry->reversals : 0,
                     entry ? entry->ends : 0);
    char noted[sizeof entry->noted];
    memcpy(noted, entry->noted, sizeof noted); // the row is borrowed
    if (saga->status == SAGA_SUCCEEDED && !was_noted(saga, noted))
        world_broken("books", "%s succeeded, and what an answer brought was not noted", world_short(saga->gid));
}

void books_check_saga(const struct saga_row *row) {
    struct saga_instance saga = durable_instance(row);
    bool succeeded = saga.status == SAGA_SUCCEEDED, terminated = saga.status == SAGA_TERMINATED;
    if (!saga_status_ended(saga.status) || (terminated && !operator_terminated(saga.gid)))
        world_broken("E5", "%s is %s", world_short(row->gid), saga_status_name(saga.status));
    for (uint8_t i = 0; i < saga.n_legs && !terminated; i++)
        (succeeded ? check_succeeded : check_failed)(&saga, &saga.legs[i]);
    check_own(&saga, row->subject);
    unsigned ends = ledger_book(&world_now->ledger, row->gid)->ends;
    if (ends != 1)
        world_broken("E16", "%s ended, and %u events say so", world_short(row->gid), ends);
    world_now->tally.sagas++;
    world_now->tally.succeeded += succeeded;
    world_now->tally.failed += saga.status == SAGA_FAILED;
    world_now->tally.terminated += terminated;
    saga_instance_release(&saga);
}

// ---- Money --------------------------------------------------------------------------------------------------------

int books_status_of(const char *gid) {
    const struct saga_row *row = durable_saga(gid);
    return row ? row->status : ledger_book(&world_now->ledger, gid)->gone;
}

static void check_effect(void *ctx, struct map_node *node) {
    const struct effect *effect = CONTAINER_OF(node, struct effect, node);
    int64_t *moved = ctx;
    if (effect->applied > 1 || effect->undone > effect->applied)
        world_broken("once", "%s took effect %u times and was undone %u times", world_short(effect->key),
                     effect->applied, effect->undone);
    if (books_status_of(effect->book->gid) == 0)
        world_broken("E1", "%s was sent for a saga that there is not", world_short(effect->key));
    *moved += effect->state == EFFECT_APPLIED ? effect->amount : 0;
}

// Each payment is used by a saga that succeeded, or given back by one: never both, never neither (E9).
static void check_payment(const struct sim_payment_row *payment) {
    struct sim_entry_row like;
    memcpy(like.subject, payment->subject, sizeof like.subject);
    memcpy(like.gid, payment->gid, sizeof like.gid);
    const struct sim_entry_row *entry = durable_row(&sim_entry_table, &like);
    // Of a subject that went, that one which has no refund was used is known: else it would not have gone.
    bool taken = entry ? strcmp(entry->paid, payment->name) == 0
                       : ledger_book(&world_now->ledger, payment->gid)->gone && !payment->refund[0];
    bool used = taken && books_status_of(payment->gid) == SAGA_SUCCEEDED;
    // One whose refund an operator ended is the operator's to see to.
    int refund = payment->refund[0] ? books_status_of(payment->refund) : 0;
    bool returned = refund == SAGA_SUCCEEDED || refund == SAGA_TERMINATED;
    if (used == returned)
        world_broken("E9", "payment %s for %s is %s", payment->name, world_short(payment->gid),
                     used ? "used and given back" : "neither used nor given back");
}

static void check_payments(const struct store_query *all) {
    struct store_query query = *all;
    struct sim_payment_row after;
    size_t n;
    query.table = &sim_payment_table;
    query.limit = 1;
    for (const struct sim_payment_row *row; (row = durable_rows(&query, &n)) && n > 0; query.after = &after) {
        after = *row;
        check_payment(&after);
    }
}

void books_check_payments(const char *subject) {
    check_payments(&(struct store_query){.conds = {{.column = "subject", .cmp = STORE_EQ, .text = str_c(subject)}}});
}

static void check_money(void) {
    int64_t moved = 0, sum = world_now->ledger.customers;
    map_each(&world_now->ledger.effects, check_effect, &moved);
    int64_t off = world_now->ledger.customers + moved;
    if (off != 0)
        world_broken("money", "customers are off by %lld", (long long)off);
    for (size_t i = 0; i < PLAN_PARTICIPANTS; i++)
        sum += world_now->ledger.participants[i];
    if (sum != 0)
        world_broken("money", "%lld came from nowhere", (long long)sum);
    check_payments(&(struct store_query){0});
}

// ---- Memory -------------------------------------------------------------------------------------------------------

static void check_memory(void) {
    for (const struct center *center = world_now->centers; center; center = center->next) {
        struct saga_stats stats;
        saga_engine_stats(center->engine, &stats);
        if (stats.resident > 0 || stats.in_flight_calls > 0 || center->attempts)
            world_broken("bound", "everything has ended, and %s holds %lld sagas and %lld calls", center->label,
                         (long long)stats.resident, (long long)stats.in_flight_calls);
    }
}

void books_check(void) {
    durable_each_saga(books_check_saga);
    check_money();
    clients_check();
    check_memory();
}
