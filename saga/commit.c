// How a turn ends: its rows go to the store in one write, and what it decided is done when they are durable, or undone
// when they are not.
#include "saga/engine.h"

#include <assert.h>
#include <stdlib.h>

// ---- When it is durable -------------------------------------------------------------------------------------------

static void release(struct saga_turn *turn) {
    for (uint8_t i = 0; i < turn->n_sagas; i++) {
        struct saga_resident *resident = turn->sagas[i];
        resident->busy = resident->fresh = false;
        if (resident->gone)
            continue;
        trial_note(resident);
        call_send_held(resident);
        if (saga_status_ended(resident->saga.status)) {
            engine_notice(turn->engine, SAGA_NOTICE_ENDED, resident, NULL, SAGA_ACTION, resident->saga.reason,
                          resident->saga.text);
            patrol_note(turn->engine->patrol, resident);
            resident->gone = true;
            resident_serve(resident);
            continue;
        }
        resident_arm(resident);
        if (resident->first || resident->wake || resident->waiters)
            resident_wake(resident, 0);
    }
    poke_rest(turn);
}

static bool holds_calls(const struct saga_turn *turn) {
    for (uint8_t i = 0; i < turn->n_sagas; i++)
        if (turn->sagas[i]->n_held || turn->sagas[i]->n_admitted)
            return true;
    return false;
}

// ---- When it failed -----------------------------------------------------------------------------------------------

// Whether the same write would be refused again, however often.
static bool is_final(enum err code) {
    return code == ERR_STORE_REFUSED || code == ERR_STORE_CONFLICT;
}

// Who is to be parked because the same write would be refused again. A row that exists already is that of a child whose
// gid is taken, whoever opened the turn in which its parent came to it; else it is the saga whose own turn this was.
static void suspect(struct saga_turn *turn, enum err code) {
    bool known = false;
    for (uint8_t i = 0; i < turn->n_sagas && code == ERR_STORE_CONFLICT; i++) {
        struct saga_resident *child = turn->sagas[i];
        if (!child->fresh || !child->parent || child->parent->fresh)
            continue;
        child->parent->write_refused = code;
        known = true;
    }
    if (turn->of_saga && !known)
        turn->opener->write_refused = code;
}

// Everything of this family is ahead of what is durable: it is dropped, as soon as nothing pins it, and loaded afresh.
static void fail(struct saga_turn *turn, const struct error *error) {
    struct saga_family *family = turn->family;
    struct saga_subject *subject = turn->subject;
    bool is_repeat = error->code == ERR_STORE_CONFLICT && !turn->of_saga && !subject; // which the command is told
    if (error->code != ERR_SHUTTING_DOWN && error->code != ERR_SLOT_ELSEWHERE && !is_repeat)
        engine_notice(turn->engine, SAGA_NOTICE_WRITE_FAILED, turn->opener ? turn->opener : turn->sagas[0], NULL,
                      SAGA_ACTION, err_info(error->code)->name, error->text);
    for (struct saga_resident *kin = family->first; kin; kin = kin->kin_next) {
        kin->lost_by = kin->lost ? kin->lost_by : error->code;
        kin->lost = kin->gone = true;
    }
    if (is_final(error->code))
        suspect(turn, error->code);
    if (subject && !subject->failed) {
        subject->failed = true;
        subject->ops->fail(subject, error);
    }
    for (struct saga_resident *kin = family->first; kin;) {
        bool drops = kin->pins == 0;
        if (drops)
            resident_drop(kin);
        kin = drops ? family->first : kin->kin_next; // a dropped child may have taken its parent along
    }
}

// ---- Submitting ---------------------------------------------------------------------------------------------------

static void submit(struct saga_turn *turn);

static void tell(struct saga_turn *turn, const struct error *error) {
    struct turn_done *done = turn->done;
    turn->done = NULL;
    while (done) {
        struct turn_done *next = done->next;
        done->fn(done->ctx, error);
        free(done);
        done = next;
    }
}

// The turn's write took place, or will not.
static void conclude(struct saga_turn *turn, const struct error *error) {
    if (turn->changing)
        turn->family->changing--;
    if (error)
        fail(turn, error);
    else if (turn->flushed)
        turn->subject->ops->committed(turn->subject);
    for (uint8_t i = 0; turn->changing && !error && i < turn->n_sagas; i++) {
        turn->sagas[i]->failures = 0;
        watch_tell(turn->sagas[i]);
    }
    turn->flushed = turn->changing = false;
    tell(turn, error);
}

static void committed(void *ctx, const struct error *error) {
    struct saga_turn *turn = ctx;
    struct saga_engine *engine = turn->engine;
    engine_enter(engine);
    turn->submitted = false;
    conclude(turn, error);
    if (!error && turn->family->changing > 0 && holds_calls(turn)) {
        submit(turn); // what the calls are made from has been changed meanwhile: once more, behind that
    } else {
        if (!error)
            release(turn);
        turn_free(turn);
    }
    if (error)
        slots_note(engine, error);
    engine_exit(engine);
}

static void number_events(struct saga_turn *turn) {
    for (struct turn_outbox *event = turn->events; event; event = event->next) {
        int64_t *last = &turn->engine->slots[event->row.slot].outbox_seq;
        *last = event->row.created_ms > *last ? event->row.created_ms : *last + 1;
        event->row.seq = *last;
        saga_turn_row(turn, &outbox_table, STORE_INSERT, &event->row);
    }
    turn->events = NULL;
    turn->last_event = &turn->events;
}

// Whether the numbers of its events are known; asks for those that are not.
static bool is_numbered(const struct saga_turn *turn) {
    bool known = true;
    for (const struct turn_outbox *event = turn->events; event; event = event->next) {
        unsigned slot = (unsigned)event->row.slot;
        if (!turn->engine->slots[slot].numbered)
            sentinel_number(turn->engine->sentinel, slot);
        known = known && turn->engine->slots[slot].numbered;
    }
    return known;
}

static void refuse(struct saga_turn *turn, enum err code) {
    struct error error;
    error_set(&error, code, NULL);
    conclude(turn, &error);
    turn_free(turn);
}

static void submit(struct saga_turn *turn) {
    struct saga_engine *engine = turn->engine;
    if (engine->stopped && turn->events) { // numbers may be missing, and are no longer read
        refuse(turn, ERR_SHUTTING_DOWN);
        return;
    }
    // What comes behind one of its family that waits for numbers waits, too: their rows are the same ones.
    if (!is_numbered(turn) || turn->family->unnumbered > 0) {
        *engine->unnumbered_last = turn;
        engine->unnumbered_last = &turn->unnumbered;
        turn->family->unnumbered++;
        return;
    }
    number_events(turn);
    struct store_write *write = turn->write ? turn->write : store_write_new(engine->options.store);
    turn->write = NULL;
    turn->submitted = true;
    store_submit(engine->options.store, write, turn->group, committed, turn);
}

// All that wait for numbers, in their order; those for whom they are still missing come back into the list.
static struct saga_turn *take_unnumbered(struct saga_engine *engine) {
    struct saga_turn *first = engine->unnumbered;
    engine->unnumbered = NULL;
    engine->unnumbered_last = &engine->unnumbered;
    for (struct saga_turn *turn = first; turn; turn = turn->unnumbered)
        turn->family->unnumbered--;
    return first;
}

void engine_number(struct saga_engine *engine, unsigned slot, int64_t seq) {
    engine->slots[slot].numbered = true;
    engine->slots[slot].outbox_seq = seq;
    struct saga_turn *turn = take_unnumbered(engine);
    while (turn) {
        struct saga_turn *next = turn->unnumbered;
        turn->unnumbered = NULL;
        submit(turn);
        turn = next;
    }
}

static void put_rows(struct saga_turn *turn) {
    poke_note(turn);
    for (uint8_t i = 0; i < turn->n_sagas; i++)
        turn_put(turn, turn->sagas[i]);
    if (turn->subject) {
        turn->flushed = true;
        turn->subject->ops->flush(turn->subject, turn->write);
    }
    turn->changing = turn->events || store_write_rows(turn->write) > 0;
    turn->family->changing += turn->changing;
}

// A saga that has come to rest says so in its row, or what was last on its way would be sent again at every start.
static bool rests_anew(const struct saga_resident *resident) {
    int64_t due_ms = saga_instance_due(&resident->saga);
    return due_ms != 0 && due_ms != resident->row_due_ms;
}

static bool may_commit(const struct saga_turn *turn) {
    return !turn->slotted || slot_is_ours(turn->engine, turn->slot);
}

void turn_finish(struct saga_turn *turn) {
    if (!may_commit(turn)) {
        refuse(turn, ERR_SLOT_ELSEWHERE);
        return;
    }
    poke_run(turn);
    for (uint8_t i = 0; i < turn->n_sagas; i++)
        turn->must_commit = turn->must_commit || rests_anew(turn->sagas[i]);
    if (turn->must_commit || store_write_rows(turn->write) > 0) {
        put_rows(turn);
    } else if (turn->family->changing == 0 || !holds_calls(turn)) {
        release(turn);
        turn_free(turn);
        return;
    }
    // Without rows this is a barrier: what the calls are made from was changed by a write that is still on its way
    // (E11).
    for (uint8_t i = 0; i < turn->n_sagas; i++)
        turn->sagas[i]->busy = true;
    submit(turn);
}

void saga_turn_commit(struct saga_turn *turn, saga_turn_fn *done, void *ctx) {
    struct saga_engine *engine = turn->engine;
    turn->must_commit = true;
    if (done)
        saga_turn_after(turn, done, ctx);
    turn_finish(turn);
    engine_exit(engine);
}

// ---- The end of the engine ----------------------------------------------------------------------------------------

void engine_refuse_turns(struct saga_engine *engine) {
    struct saga_turn *turn = take_unnumbered(engine);
    while (turn) {
        struct saga_turn *next = turn->unnumbered;
        turn->unnumbered = NULL;
        if (engine->stopped)
            refuse(turn, ERR_SHUTTING_DOWN);
        else if (!may_commit(turn))
            refuse(turn, ERR_SLOT_ELSEWHERE);
        else
            submit(turn);
        turn = next;
    }
}

void engine_drop_turns(struct saga_engine *engine) {
    struct error error;
    error_set(&error, ERR_SHUTTING_DOWN, NULL);
    while (engine->turns) {
        struct saga_turn *turn = engine->turns;
        if (turn->submitted)
            turn->group->in_flight--; // the store is gone, and will not tell
        turn->flushed = false;
        for (uint8_t i = 0; i < turn->n_sagas; i++)
            turn->sagas[i]->gone = true;
        tell(turn, &error);
        turn_free(turn);
    }
}
