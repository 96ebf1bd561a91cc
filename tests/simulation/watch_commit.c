// At commits: each row against the one that it replaces, in the order of the batch.
#include "tests/simulation/watch.h"

#include "saga/machine.h"
#include "store/row.h"
#include "tests/simulation/books.h"
#include "tests/simulation/center.h"
#include "tests/simulation/durable.h"
#include "tests/simulation/network.h"
#include "tests/simulation/subject.h"
#include "tests/simulation/world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { TOUCHED_MAX = 64 };

// The batch under way. What is wrong with it is said when it was committed.
static struct batch {
    const struct center *center;
    int64_t incarnation;
    const struct store_op *ops;
    size_t n, at;
    bool gives; // slots away
    bool wrong;
    char rule[REPORT_RULE_MAX];
    char text[REPORT_TEXT_MAX];
    char touched[TOUCHED_MAX][SAGA_SUBJECT_MAX + 1]; // subjects whose sums are looked at afterwards
    size_t n_touched;
} batch;

__attribute__((format(printf, 2, 3))) static void wrong(const char *rule, const char *format, ...) {
    if (batch.wrong)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(batch.text, sizeof batch.text, format, args);
    va_end(args);
    snprintf(batch.rule, sizeof batch.rule, "%s", rule);
    batch.wrong = true;
}

// What the row of this op replaces: from earlier in the batch, or from the disk.
static const void *predecessor(const struct store_table *table, const void *row) {
    for (size_t i = batch.at; i > 0; i--) {
        const struct store_op *op = &batch.ops[i - 1];
        if (op->table == table && row_compare_keys(table, op->row, row) == 0)
            return op->verb == STORE_DELETE ? NULL : op->row;
    }
    return durable_row(table, row);
}

// ---- Sagas --------------------------------------------------------------------------------------------------------

// What an operator did is in the same batch as the row that it changed. `action` NULL: any.
static bool was_operated(const char *gid, const char *action) {
    for (size_t i = 0; i < batch.n; i++) {
        const struct audit_row *row = batch.ops[i].table == &audit_table ? batch.ops[i].row : NULL;
        if (row && strcmp(row->gid, gid) == 0 && (!action || strcmp(row->action, action) == 0))
            return true;
    }
    return false;
}

static void check_status(const struct saga_row *old, const struct saga_row *new) {
    static const struct {
        enum saga_status from;
        unsigned to;
    } moves[] = {
        {SAGA_RUNNING,
         1u << SAGA_RUNNING | 1u << SAGA_FORWARD | 1u << SAGA_COMPENSATING | 1u << SAGA_SUCCEEDED | 1u << SAGA_FAILED},
        {SAGA_FORWARD, 1u << SAGA_FORWARD | 1u << SAGA_SUCCEEDED},
        {SAGA_COMPENSATING, 1u << SAGA_COMPENSATING | 1u << SAGA_FAILED},
    };
    if (new->status == SAGA_TERMINATED && !saga_status_ended((enum saga_status)old->status) &&
        was_operated(new->gid, saga_act_name(SAGA_ACT_TERMINATE)))
        return;
    for (size_t i = 0; i < sizeof moves / sizeof moves[0]; i++)
        if ((int32_t)moves[i].from == old->status && moves[i].to >> new->status & 1)
            return;
    wrong("status", "%s moves from %s to %s", world_short(new->gid), saga_status_name((enum saga_status)old->status),
          saga_status_name((enum saga_status) new->status));
}

static bool goes_back(const struct saga_leg *leg) {
    return leg->state == LEG_UNDOING || leg->state == LEG_UNDO_RETRYING || leg->state == LEG_UNDO_PARKED;
}

static void check_leg(const struct saga_instance *old, const struct saga_instance *new, uint8_t i, bool operated) {
    const struct saga_leg *from = &old->legs[i], *to = &new->legs[i];
    bool forward = old->status != SAGA_COMPENSATING && new->status != SAGA_COMPENSATING &&new->status != SAGA_FAILED;
    bool same_phase = forward || (goes_back(from) && goes_back(to));
    if (same_phase && !operated && !from->step->ask && to->attempts < from->attempts)
        wrong("E6", "%s step %s had failed %u times, and now %u", world_short(new->gid), from->step->name,
              from->attempts, to->attempts);
    if (to->generation != from->generation && to->generation != from->generation + 1)
        wrong("E12", "%s step %s goes from generation %u to %u", world_short(new->gid), from->step->name,
              from->generation, to->generation);
    if (from->state == LEG_DONE && to->state == LEG_DONE && !str_eq(from->answer, to->answer))
        wrong("E11", "%s step %s was done, and its kept answer changes", world_short(new->gid), from->step->name);
    if (saga_leg_settled(from) && forward && !saga_leg_settled(to))
        wrong("status", "%s step %s was %s and is %s", world_short(new->gid), from->step->name,
              leg_state_name(from->state), leg_state_name(to->state));
}

static void check_signals(const struct saga_instance *old, const struct saga_instance *new) {
    for (uint8_t i = 0; i < old->n_signals; i++) {
        const struct saga_signal *signal = &old->signals[i];
        const struct saga_signal *kept = i < new->n_signals ? &new->signals[i] : NULL;
        if (!kept || strcmp(kept->id, signal->id) != 0 || !str_eq(kept->payload, signal->payload) ||
            kept->consumed < signal->consumed)
            wrong("E10", "%s forgets the signal %s", world_short(new->gid), signal->id);
    }
}

// Its count begins anew when it has survived, and when it is parked, for whatever reason.
static void check_resumes(const struct saga_row *old, const struct saga_row *new, const struct saga_instance *after) {
    if (new->resume_count == 0 && (old->resume_count > 0 || saga_instance_parked(after)))
        ledger_book(&world_now->ledger, new->gid)->deaths = 0;
    if (new->resume_count > (int32_t)(2 * world_now->shape->resume_max))
        wrong("E14", "%s was resumed %d times", world_short(new->gid), new->resume_count);
}

static void check_replacement(const struct saga_row *old, const struct saga_row *new) {
    struct saga_instance before = durable_instance(old), after = durable_instance(new);
    bool operated = was_operated(new->gid, NULL);
    check_status(old, new);
    if (old->flow_version != new->flow_version || before.n_legs != after.n_legs) {
        wrong("status", "%s is another saga than before", world_short(new->gid));
    } else {
        for (uint8_t i = 0; i < before.n_legs; i++)
            check_leg(&before, &after, i, operated);
        check_signals(&before, &after);
    }
    check_resumes(old, new, &after);
    saga_instance_release(&before);
    saga_instance_release(&after);
}

static bool goes_too(const char *subject) {
    for (size_t i = 0; i < batch.n; i++)
        if (batch.ops[i].table == &sim_subject_table && batch.ops[i].verb == STORE_DELETE &&
            strcmp(((const struct sim_subject_row *)batch.ops[i].row)->name, subject) == 0)
            return true;
    return false;
}

// What has ended goes when its time is over, and everything about a subject together.
static void check_deletion(const struct saga_row *old, const char *gid) {
    if (!old) // a repeat of what was committed
        return;
    struct saga_row kept = *old;
    if (!saga_status_ended((enum saga_status)kept.status)) {
        wrong("E5", "%s is deleted, and has not ended", world_short(gid));
        return;
    }
    int64_t kept_ms = world_now->shape->retention.kept_ms[kept.status - SAGA_SUCCEEDED];
    int64_t now_ms = clock_now_ms(&batch.center->clock);
    if (kept_ms == 0 || kept.ended_ms + kept_ms > now_ms)
        wrong("E15", "%s is deleted %lld ms after its end, and is kept for %lld", world_short(gid),
              (long long)(now_ms - kept.ended_ms), (long long)kept_ms);
    if (world_now->shape->estate && !goes_too(kept.subject))
        wrong("E15", "%s is deleted, and its subject stays", world_short(gid));
    ledger_book(&world_now->ledger, gid)->going = kept.status;
    books_check_saga(&kept);
}

static void check_saga(const struct store_op *op) {
    const struct saga_row *row = op->row, *old = predecessor(&saga_table, row);
    struct saga_row kept;
    if (op->verb == STORE_DELETE) {
        check_deletion(old, row->gid);
        return;
    }
    if (old) {
        // What follows asks the disk for more: only this one's blobs are needed meanwhile.
        kept = *old;
        check_replacement(&kept, row);
    }
}

// ---- Events -------------------------------------------------------------------------------------------------------

static const struct outbox_row *last_event(const struct store_query *query) {
    size_t n;
    const struct outbox_row *row = durable_rows(query, &n);
    return n ? row : NULL;
}

static int64_t last_seq(int32_t slot) {
    for (size_t i = batch.at; i > 0; i--) {
        const struct store_op *op = &batch.ops[i - 1];
        if (op->table == &outbox_table && op->verb == STORE_INSERT &&
            ((const struct outbox_row *)op->row)->slot == slot)
            return ((const struct outbox_row *)op->row)->seq;
    }
    struct store_query query = {.table = &outbox_table,
                                .conds = {{.column = "slot", .cmp = STORE_EQ, .integer = slot}},
                                .descending = true,
                                .limit = 1};
    const struct outbox_row *row = last_event(&query);
    return row ? row->seq : 0;
}

static void check_event(const struct store_op *op) {
    const struct outbox_row *row = op->row;
    if (op->verb == STORE_DELETE) {
        struct store_query query = {.table = &outbox_table, .descending = true, .limit = 1};
        const struct outbox_row *last = last_event(&query);
        if (last && last->seq == row->seq && last->slot == row->slot)
            wrong("E16", "the last event is deleted: its number could be given again");
        return;
    }
    int64_t last = last_seq(row->slot);
    int64_t seq = world_now->plant == PLANT_REORDERED && row->seq % 3 == 0 ? last : row->seq;
    if (op->verb == STORE_INSERT && seq <= last)
        wrong("E16",
              "an event of %s has number %lld of slot %d, where %lld is committed: who reads behind it misses it",
              world_short(row->gid), (long long)seq, row->slot, (long long)last);
}

// ---- Subjects -----------------------------------------------------------------------------------------------------

static void check_subject(const struct store_op *op) {
    const struct sim_subject_row *row = op->row, *old = predecessor(&sim_subject_table, row);
    if (op->verb == STORE_DELETE) {
        // Of a stale one, which does not know of the latest payments, nothing is deleted (E7).
        if (batch.incarnation == world_now->incarnations[batch.center->name])
            books_check_payments(row->name);
        return;
    }
    if (row->version != (old ? old->version + 1 : 1))
        wrong("E13", "subject %.6s goes from version %lld to %lld: a write between them is missing", row->name,
              old ? (long long)old->version : 0LL, (long long)row->version);
    for (size_t i = 0; i < batch.n_touched; i++)
        if (strcmp(batch.touched[i], row->name) == 0)
            return;
    if (batch.n_touched < TOUCHED_MAX)
        memcpy(batch.touched[batch.n_touched++], row->name, sizeof row->name);
}

static void check_entry(const struct store_op *op) {
    const struct sim_entry_row *row = op->row;
    if (op->verb != STORE_DELETE && (row->bookings > 1 || row->reversals > 1 || row->ends > 1))
        wrong("once", "%s was booked %d times, reversed %d times, ended %d times", world_short(row->gid), row->bookings,
              row->reversals, row->ends);
}

// What the subject says is the sum of what its sagas booked.
static void check_sum(const char *name) {
    struct sim_subject_row like;
    snprintf(like.name, sizeof like.name, "%s", name);
    const struct sim_subject_row *subject = durable_row(&sim_subject_table, &like);
    int64_t amount = subject ? subject->amount : 0;
    struct store_query query = {.table = &sim_entry_table,
                                .conds = {{.column = "subject", .cmp = STORE_EQ, .text = str_c(name)}},
                                .limit = STORE_LIMIT_MAX};
    size_t n;
    const struct sim_entry_row *entries = durable_rows(&query, &n);
    for (size_t i = 0; i < n; i++)
        amount -= entries[i].booked;
    if (amount != 0)
        world_broken("money", "subject %.6s is off by %lld from what its sagas booked", name, (long long)amount);
}

// ---- Slots --------------------------------------------------------------------------------------------------------

static void read_owners(void) {
    struct store_query query = {.table = &store_slot_table, .limit = SLOT_COUNT};
    size_t n;
    const struct store_slot_row *rows = durable_rows(&query, &n);
    for (size_t i = 0; i < n; i++)
        world_now->owners[rows[i].slot] = rows[i].owner[0] ? (uint8_t)(rows[i].owner[1] - '0') : SIM_NOBODY;
}

// Only the owner writes what is in a slot, and gives it away itself.
static void check_owner(const struct store_op *op) {
    int32_t slot = op->table == &saga_table         ? ((const struct saga_row *)op->row)->slot
                   : op->table == &outbox_table     ? ((const struct outbox_row *)op->row)->slot
                   : op->table == &store_slot_table ? ((const struct store_slot_row *)op->row)->slot
                                                    : -1;
    if (slot >= 0 && world_now->owners[slot] != batch.center->name)
        wrong("E7", "%s writes a row of %s in slot %d, which is c%u's", batch.center->label, op->table->name, slot,
              world_now->owners[slot]);
    batch.gives = batch.gives || op->table == &store_slot_table;
}

// ---- Batches ------------------------------------------------------------------------------------------------------

static void check_op(const struct store_op *op) {
    static const struct {
        const struct store_table *table;
        void (*check)(const struct store_op *op);
    } checks[] = {
        {&saga_table, check_saga},
        {&outbox_table, check_event},
        {&sim_subject_table, check_subject},
        {&sim_entry_table, check_entry},
    };
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++)
        if (checks[i].table == op->table)
            checks[i].check(op);
}

void watch_commit(const struct center *center, const struct backend_fence *fence, const struct store_op *ops,
                  size_t n) {
    batch = (struct batch){.center = center, .incarnation = fence->incarnation, .ops = ops, .n = n};
    for (batch.at = 0; batch.at < n; batch.at++) {
        check_op(&ops[batch.at]);
        if (world_now->shape->lease_ms && ops[batch.at].verb != STORE_DELETE)
            check_owner(&ops[batch.at]);
    }
}

// What is not seen any more when its rows are gone.
static void note(const struct store_op *op) {
    if (op->table == &saga_table && op->verb == STORE_DELETE) {
        struct book *book = ledger_book(&world_now->ledger, ((const struct saga_row *)op->row)->gid);
        book->gone = book->going;
        world_now->terminated_gone += book->gone == SAGA_TERMINATED;
        world_now->tally.deleted++;
    }
    const struct outbox_row *event = op->table == &outbox_table && op->verb == STORE_INSERT ? op->row : NULL;
    if (event && strcmp(event->type, "saga.ended") == 0)
        ledger_book(&world_now->ledger, event->gid)->ends++;
}

void watch_committed(void) {
    world_now->tally.commits++;
    world_trace(center_name(batch.center), "commits %zu rows", batch.n);
    if (batch.incarnation != world_now->incarnations[batch.center->name])
        world_broken("E7", "%s writes as incarnation %lld, and %lld exists", batch.center->label,
                     (long long)batch.incarnation, (long long)world_now->incarnations[batch.center->name]);
    if (batch.wrong)
        world_broken(batch.rule, "%s", batch.text);
    for (size_t i = 0; i < batch.n; i++)
        note(&batch.ops[i]);
    if (batch.gives)
        read_owners();
    for (size_t i = 0; i < batch.n_touched; i++)
        check_sum(batch.touched[i]);
}

void watch_rolled_back(const char *why) {
    world_trace(center_name(batch.center), "can't commit %zu rows: %s", batch.n, why);
}

void watch_claimed(const struct center *center, int64_t incarnation) {
    if (incarnation <= world_now->incarnations[center->name])
        world_broken("E7", "%s claims the incarnation %lld a second time", center->label, (long long)incarnation);
    world_now->incarnations[center->name] = incarnation;
    read_owners();
}

void watch_taken_over(const struct center *heir, unsigned dead, int64_t incarnation) {
    world_trace(heir->label, "has taken over from c%u", dead);
    if (incarnation != world_now->incarnations[dead] + 1)
        world_broken("E7", "%s takes over from c%u as it was before", heir->label, dead);
    if (world_now->current[dead])
        network_unknown(world_now->current[dead]);
    world_now->incarnations[dead] = incarnation;
    world_now->tally.taken_over++;
    read_owners();
}

void watch_balance(void) {
    unsigned share = SLOT_COUNT / world_now->shape->names, has[SIM_NAMES_MAX + 1] = {0};
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++)
        has[world_now->owners[slot]]++;
    for (unsigned name = 0; name < world_now->shape->names && world_now->shape->lease_ms; name++)
        if (has[name] < share)
            world_broken("slots", "all has been well for long, and c%u has %u slots of %u", name, has[name], share);
}
