#include "saga/turn.h"

#include "saga/engine.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum { TURN_ARENA_MAX = 4 * 1024 * 1024 };

static void apply(struct saga_turn *turn, struct saga_resident *resident, struct saga_event *event);

struct saga_turn *turn_new(struct saga_engine *engine, struct saga_subject *subject, struct store_group *group) {
    struct saga_turn *turn = calloc(1, sizeof *turn);
    if (!turn)
        abort();
    turn->engine = engine;
    turn->subject = subject ? saga_subject_hold(subject) : NULL;
    turn->group = group ? group : subject ? &subject->group : &turn->own_group;
    turn->write = store_write_new(engine->options.store);
    turn->now_ms = clock_now_ms(engine->options.clock);
    arena_init(&turn->arena, TURN_ARENA_MAX);
    return turn;
}

static void turn_free(struct saga_turn *turn) {
    while (turn->done) {
        struct turn_done *next = turn->done->next;
        free(turn->done);
        turn->done = next;
    }
    while (turn->pokes) {
        struct turn_poke *next = turn->pokes->next;
        free(turn->pokes);
        turn->pokes = next;
    }
    if (turn->subject)
        saga_subject_release(turn->subject);
    store_write_free(turn->write);
    arena_release(&turn->arena);
    free(turn);
}

struct saga_turn *saga_turn_begin(struct saga_engine *engine, struct saga_subject *subject) {
    engine_enter(engine); // until commit or abandon: nothing else runs in between
    return turn_new(engine, subject, NULL);
}

void saga_turn_abandon(struct saga_turn *turn) {
    struct saga_engine *engine = turn->engine;
    assert(turn->n_sagas == 0 && !turn->done);
    turn_free(turn);
    engine_leave(engine);
}

// ---- Taking part --------------------------------------------------------------------------------------------------

static bool takes_part(const struct saga_turn *turn, const struct saga_resident *resident) {
    for (uint8_t i = 0; i < turn->n_sagas; i++)
        if (turn->sagas[i] == resident)
            return true;
    return false;
}

static bool may_join(const struct saga_turn *turn, const struct saga_resident *resident) {
    return takes_part(turn, resident) ||
           (turn->n_sagas < TURN_SAGAS_MAX && !resident->busy && !resident->lost && resident->group == turn->group);
}

static void join(struct saga_turn *turn, struct saga_resident *resident) {
    if (!takes_part(turn, resident))
        turn->sagas[turn->n_sagas++] = resident;
}

static struct saga_event event_of(const struct saga_turn *turn, enum saga_event_kind kind) {
    return (struct saga_event){
        .kind = kind, .now_ms = turn->now_ms, .random = turn->engine->options.random(turn->engine->options.random_ctx)};
}

// ---- Carrying out what the machine wants --------------------------------------------------------------------------

static void hold(struct saga_resident *resident, const struct saga_effect *effect) {
    if (resident->n_held == resident->cap_held) {
        uint16_t cap = resident->cap_held ? (uint16_t)(resident->cap_held * 2) : 8;
        struct saga_held *list = realloc(resident->held, cap * sizeof *list);
        if (!list)
            abort();
        resident->held = list;
        resident->cap_held = cap;
    }
    resident->held[resident->n_held++] =
        (struct saga_held){.leg = effect->leg, .op = effect->op, .ask = effect->kind == SAGA_FX_ASK};
}

// Runs a callback of the flow as the decision of one leg.
static struct saga_verdict evaluate(struct saga_turn *turn, struct saga_resident *resident, uint8_t leg,
                                    saga_decide_fn *decide) {
    struct saga_resident *outer = turn->current;
    uint8_t outer_leg = turn->leg;
    turn->current = resident;
    turn->leg = leg;
    struct saga_verdict verdict = decide(turn);
    turn->current = outer;
    turn->leg = outer_leg;
    return verdict;
}

static void decide(struct saga_turn *turn, struct saga_resident *resident, const struct saga_effect *effect) {
    struct saga_leg *leg = &resident->saga.legs[effect->leg];
    if (leg->state != LEG_WAITING)
        return; // moved on within this turn
    const struct saga_asked *asked = turn->asked;
    if (effect->op != SAGA_INQUIRE)
        turn->asked = NULL; // the answer is for the decision that asked
    struct saga_event event = event_of(turn, SAGA_EV_DECIDED);
    event.leg = effect->leg;
    event.verdict = evaluate(turn, resident, effect->leg, leg->step->decide);
    turn->asked = asked;
    apply(turn, resident, &event);
}

static void start_child(struct saga_turn *turn, struct saga_resident *resident, uint8_t index) {
    struct saga_leg *leg = &resident->saga.legs[index];
    struct saga_child child = {0};
    struct saga_resident *outer = turn->current;
    uint8_t outer_leg = turn->leg;
    turn->current = resident;
    turn->leg = index;
    bool wanted = leg->step->child(turn, &turn->arena, &child);
    turn->current = outer;
    turn->leg = outer_leg;
    struct error error = {0};
    struct saga_start start = {.flow = child.flow,
                               .gid = child.gid,
                               .input = child.input,
                               .parent_gid = str_c(resident->saga.gid),
                               .parent_step = leg->step->id,
                               .parent_leg = leg->leg};
    if (wanted && saga_turn_start(turn, &start, &error))
        return;
    // No child: as if it had failed at once. The signal is the machine's way to hear of it.
    char name[SAGA_NAME_MAX + 1];
    snprintf(name, sizeof name, "child:%u.%u", leg->step->id, leg->leg);
    bool duplicate;
    saga_instance_signal(&resident->saga, str_c(name), STR("none"), str_c(wanted ? "F" : "S"), &duplicate, &error);
    turn_signal(turn, resident);
}

static void keep_attempt(struct saga_turn *turn, const struct saga_resident *resident, const struct saga_effect *effect,
                         const struct saga_event *event) {
    const struct saga_leg *leg = &resident->saga.legs[effect->leg];
    struct attempt_row row = {
        .ended_ms = turn->now_ms,
        .step_id = leg->step->id,
        .leg = leg->leg,
        .op = (int32_t)effect->op,
        .number = (int32_t)leg->attempts,
        .started_ms = turn->started_ms ? turn->started_ms : leg->started_ms,
        .outcome = (int32_t)(event->kind == SAGA_EV_ANSWERED ? event->outcome : OUTCOME_REJECTED),
    };
    memcpy(row.gid, resident->saga.gid, sizeof row.gid);
    memcpy(row.reason, leg->reason, sizeof row.reason);
    memcpy(row.text, leg->text, sizeof row.text);
    saga_turn_row(turn, &attempt_table, STORE_PUT, &row);
    turn->engine->stats.attempts_failed++;
    engine_notice(turn->engine, SAGA_NOTICE_ATTEMPT_FAILED, resident, leg, effect->op, leg->reason, leg->text);
}

// The child's end and the parent's progress are one transaction.
static void tell_parent(struct saga_turn *turn, struct saga_resident *child) {
    struct saga_resident *parent = child->parent;
    if (!parent || saga_status_ended(parent->saga.status))
        return;
    char name[SAGA_NAME_MAX + 1];
    snprintf(name, sizeof name, "child:%u.%u", child->parent_step, child->parent_leg);
    bool duplicate = false;
    struct error error = {0};
    if (!saga_instance_signal(&parent->saga, str_c(name), str_c(child->saga.gid),
                              child->saga.status == SAGA_SUCCEEDED ? STR("S") : STR("F"), &duplicate, &error))
        engine_notice(turn->engine, SAGA_NOTICE_CORRUPT, parent, NULL, SAGA_ACTION, err_info(error.code)->name,
                      error.text);
    if (!duplicate)
        turn_signal(turn, parent);
}

static void ended(struct saga_turn *turn, struct saga_resident *resident) {
    resident->ended_ms = turn->now_ms;
    if (resident->saga.flow->on_end)
        evaluate(turn, resident, 0, resident->saga.flow->on_end);
    tell_parent(turn, resident);
    struct saga_resident *outer = turn->current;
    turn->current = resident;
    saga_turn_event(turn, "saga.ended", str_c(saga_status_name(resident->saga.status)));
    turn->current = outer;
    turn->engine->stats.ended++;
}

static void carry_out(struct saga_turn *turn, struct saga_resident *resident, const struct saga_effect *effect,
                      const struct saga_event *event) {
    struct saga_instance *saga = &resident->saga;
    const struct saga_leg *leg = &saga->legs[effect->leg];
    switch (effect->kind) {
    case SAGA_FX_COMMIT: turn->must_commit = true; break;
    case SAGA_FX_CALL:
    case SAGA_FX_ASK: hold(resident, effect); break;
    case SAGA_FX_DECIDE: decide(turn, resident, effect); break;
    case SAGA_FX_CHILD: start_child(turn, resident, effect->leg); break;
    case SAGA_FX_TURNED:
        if (saga->flow->on_turn)
            evaluate(turn, resident, effect->leg, saga->flow->on_turn);
        engine_notice(turn->engine, SAGA_NOTICE_TURNED, resident, leg, SAGA_ACTION, saga->reason, saga->text);
        break;
    case SAGA_FX_PARKED:
        turn->engine->stats.parked_events++;
        engine_notice(turn->engine, SAGA_NOTICE_PARKED, resident, leg, effect->op, leg->reason, leg->text);
        break;
    case SAGA_FX_ATTEMPT: keep_attempt(turn, resident, effect, event); break;
    case SAGA_FX_ENDED: ended(turn, resident); break;
    }
}

static void apply(struct saga_turn *turn, struct saga_resident *resident, struct saga_event *event) {
    struct saga_effects effects;
    effects.n = 0;
    resident->dirty = true;
    saga_machine_apply(&turn->engine->options.machine, &resident->saga, event, &effects);
    for (uint16_t i = 0; i < effects.n; i++)
        carry_out(turn, resident, &effects.list[i], event);
}

// ---- Events of a saga ---------------------------------------------------------------------------------------------

static void apply_answer(struct saga_turn *turn, struct saga_resident *resident,
                         const struct saga_answer_event *answer) {
    struct saga_event event = event_of(turn, SAGA_EV_ANSWERED);
    event.leg = answer->leg;
    event.op = answer->op;
    event.outcome = answer->outcome;
    event.never_seen = answer->never_seen;
    event.code = answer->code;
    event.reason = answer->reason;
    event.text = answer->text;
    event.answer = str_n(answer->answer, answer->length);
    struct saga_leg *leg = &resident->saga.legs[answer->leg];
    struct saga_asked asked = {.outcome = answer->outcome,
                               .code = answer->code,
                               .never_seen = answer->never_seen,
                               .reason = answer->reason,
                               .text = answer->text,
                               .answer = event.answer};
    turn->asked = &asked;
    turn->started_ms = answer->started_ms;
    bool definite = (answer->outcome == OUTCOME_OK && !answer->never_seen) || answer->outcome == OUTCOME_REJECTED;
    bool acted = leg->state == LEG_RUNNING || leg->state == LEG_INQUIRING || leg->state == LEG_UNDOING;
    if (acted && definite && leg->step->answered) {
        turn->current = resident;
        turn->leg = answer->leg;
        enum saga_op op = answer->op == SAGA_INQUIRE ? SAGA_ACTION : answer->op; // it is the action's answer
        leg->step->answered(turn, op, answer->outcome, event.answer);
        turn->current = NULL;
    }
    apply(turn, resident, &event);
    turn->asked = NULL;
    turn->started_ms = 0;
}

// A saga that was under way when its process died too often: everything of it that could have been the cause waits for
// an operator now.
static void quarantine(struct saga_turn *turn, struct saga_resident *resident) {
    struct saga_event event = event_of(turn, SAGA_EV_SUSPECTED);
    apply(turn, resident, &event);
}

static void apply_wakes(struct saga_turn *turn, struct saga_resident *resident, unsigned wake) {
    static const struct {
        unsigned why;
        enum saga_event_kind kind;
    } kinds[] = {{WAKE_RESUMED, SAGA_EV_RESUMED},
                 {WAKE_RETRY, SAGA_EV_RETRY},
                 {WAKE_TIMER, SAGA_EV_TIMER},
                 {WAKE_POKED, SAGA_EV_POKED}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (wake & kinds[i].why) {
            struct saga_event event = event_of(turn, kinds[i].kind);
            apply(turn, resident, &event);
        }
    turn->must_commit = turn->must_commit || wake & WAKE_FLUSH;
}

static void finish(struct saga_turn *turn);

// Before a saga is resumed that was in flight when its process died, the attempt is counted durably (E14).
static void count_resumption(struct saga_resident *resident) {
    struct saga_turn *turn = turn_new(resident->engine, resident->subject, resident->group);
    join(turn, resident);
    resident->resume_count++;
    if ((uint32_t)resident->resume_count > 2 * resident->engine->options.resume_max) {
        resident->wake &= ~(unsigned)WAKE_RESUMED;
        resident->resume_count = 0;
        resident->resuming = false;
        quarantine(turn, resident);
        if (!saga_instance_parked(&resident->saga))
            resident->wake |= WAKE_RESUMED; // nothing was under way after all
    }
    turn->must_commit = true;
    finish(turn);
}

void turn_run(struct saga_resident *resident) {
    if (resident->busy || resident->lost)
        return;
    if (resident->resuming) {
        bool suspected = (uint32_t)resident->resume_count >= resident->engine->options.resume_max;
        if (suspected && resident->engine->trial != resident)
            sentinel_suspect(resident->engine->sentinel, resident);
        else
            count_resumption(resident);
        return;
    }
    struct saga_turn *turn = turn_new(resident->engine, resident->subject, resident->group);
    join(turn, resident);
    unsigned wake = resident->wake;
    resident->wake = 0;
    if (wake)
        apply_wakes(turn, resident, wake);
    while (resident->first) {
        struct saga_answer_event *answer = resident->first;
        resident->first = answer->next;
        if (!resident->first)
            resident->last = &resident->first;
        apply_answer(turn, resident, answer);
        free(answer);
    }
    if (turn->must_commit) {
        resident->resume_count = 0; // it made progress since it was resumed
        sentinel_acquit(resident->engine->sentinel, resident);
    }
    finish(turn);
}

void turn_signal(struct saga_turn *turn, struct saga_resident *resident) {
    turn->must_commit = true;
    resident->dirty = true;
    if (!may_join(turn, resident)) {
        // Its own turn is under way (and what it holds was submitted before this, in the same group): its row goes
        // along, and it looks at the signal when it is free.
        struct saga_row row;
        row_of(resident, &turn->arena, &row);
        saga_turn_row(turn, &saga_table, STORE_PUT, &row);
        resident_wake(resident, WAKE_POKED);
        return;
    }
    join(turn, resident);
    struct saga_event event = event_of(turn, SAGA_EV_POKED);
    apply(turn, resident, &event);
}

void turn_retry(struct saga_turn *turn, struct saga_resident *resident) {
    join(turn, resident);
    struct saga_event event = event_of(turn, SAGA_EV_RETRY);
    apply(turn, resident, &event);
}

// ---- Committing ---------------------------------------------------------------------------------------------------

static void run_pokes(struct saga_turn *turn) {
    struct turn_poke **at = &turn->pokes;
    // A poked saga may poke others: the list grows at its end while it is walked.
    while (*at) {
        struct saga_resident *resident = resident_find(turn->engine, str_c((*at)->gid));
        if (resident && may_join(turn, resident) && !resident->resuming && !(resident->wake & WAKE_RESUMED)) {
            struct turn_poke *poke = *at;
            *at = poke->next;
            free(poke);
            join(turn, resident);
            struct saga_event event = event_of(turn, SAGA_EV_POKED);
            apply(turn, resident, &event);
        } else {
            at = &(*at)->next;
        }
    }
}

// After the turn: those that could not take part.
static void poke_rest(struct saga_turn *turn) {
    for (struct turn_poke *poke = turn->pokes; poke; poke = poke->next)
        saga_poke(turn->engine, str_c(poke->gid));
}

// Everything of this group was lost with the write that failed: dropped when its last write has come back, and loaded
// afresh.
struct lost_search {
    struct store_group *group;
    struct saga_resident *found;
};

static void mark_lost(void *ctx, struct map_node *node) {
    struct lost_search *search = ctx;
    struct saga_resident *resident = CONTAINER_OF(node, struct saga_resident, node);
    if (resident->group == search->group)
        resident->lost = true;
}

static void find_lost(void *ctx, struct map_node *node) {
    struct lost_search *search = ctx;
    struct saga_resident *resident = CONTAINER_OF(node, struct saga_resident, node);
    if (resident->group == search->group && resident->lost && resident->pins == 0)
        search->found = resident;
}

static void fail_group(struct saga_turn *turn, const struct error *error) {
    struct saga_engine *engine = turn->engine;
    struct saga_subject *subject = turn->subject;
    struct lost_search search = {.group = turn->group};
    map_each(&engine->residents, mark_lost, &search);
    engine_notice(engine, SAGA_NOTICE_WRITE_FAILED, turn->n_sagas ? turn->sagas[0] : NULL, NULL, SAGA_ACTION,
                  err_info(error->code)->name, error->text);
    if (subject && !subject->failed) {
        subject->failed = true;
        subject->ops->fail(subject);
    }
    if (turn->group->in_flight > 0)
        return;
    for (;;) { // children before their parents, as pins allow
        search.found = NULL;
        map_each(&engine->residents, find_lost, &search);
        if (!search.found)
            break;
        sentinel_reload(engine->sentinel, str_c(search.found->saga.gid));
        resident_drop(search.found);
    }
    turn->n_sagas = 0;
}

static void release(struct saga_turn *turn) {
    for (uint8_t i = 0; i < turn->n_sagas; i++) {
        struct saga_resident *resident = turn->sagas[i];
        resident->busy = false;
        if (resident->lost)
            continue;
        if (resident->resuming) {
            resident->resuming = false;
            resident_wake(resident, 0);
        }
        call_send_held(resident);
        if (saga_status_ended(resident->saga.status)) {
            engine_notice(turn->engine, SAGA_NOTICE_ENDED, resident, NULL, SAGA_ACTION, resident->saga.reason,
                          resident->saga.text);
            continue;
        }
        resident_arm(resident);
        if (resident->first || resident->wake)
            resident_wake(resident, 0);
    }
    // Only now: a parent that ended in the same turn is pinned by its child until the child is gone.
    for (int pass = 0; pass < 2; pass++)
        for (uint8_t i = 0; i < turn->n_sagas; i++) {
            struct saga_resident *resident = turn->sagas[i];
            if (resident && !resident->lost && saga_status_ended(resident->saga.status) && resident->pins == 0) {
                resident_drop(resident);
                turn->sagas[i] = NULL;
            }
        }
}

static void committed(void *ctx, const struct error *error) {
    struct saga_turn *turn = ctx;
    struct saga_engine *engine = turn->engine;
    engine_enter(engine);
    if (error)
        fail_group(turn, error);
    else
        release(turn);
    if (!error && turn->subject && turn->flushed)
        turn->subject->ops->committed(turn->subject);
    struct turn_done *done = turn->done;
    turn->done = NULL;
    while (done) {
        struct turn_done *next = done->next;
        done->fn(done->ctx, error);
        free(done);
        done = next;
    }
    if (!error)
        poke_rest(turn);
    turn_free(turn);
    engine_leave(engine);
}

static void put_rows(struct saga_turn *turn) {
    for (uint8_t i = 0; i < turn->n_sagas; i++) {
        struct saga_resident *resident = turn->sagas[i];
        struct saga_row row;
        resident->updated_ms = turn->now_ms;
        row_of(resident, &turn->arena, &row);
        saga_turn_row(turn, &saga_table, resident->stored ? STORE_PUT : STORE_INSERT, &row);
        resident->stored = true;
        resident->dirty = false;
    }
    if (turn->subject) {
        turn->flushed = true;
        turn->subject->ops->flush(turn->subject, turn->write);
    }
}

static bool holds_calls(const struct saga_turn *turn) {
    for (uint8_t i = 0; i < turn->n_sagas; i++)
        if (turn->sagas[i]->n_held)
            return true;
    return false;
}

// Ends the turn: makes it durable when it must be, else lets its calls go at once.
static void finish(struct saga_turn *turn) {
    run_pokes(turn);
    if (turn->must_commit || store_write_rows(turn->write) > 0) {
        put_rows(turn);
    } else if (turn->group->in_flight == 0 || !holds_calls(turn)) {
        release(turn);
        poke_rest(turn);
        turn_free(turn);
        return;
    }
    // Without rows this is a barrier: what the calls are made from was changed by a write that is still on its way
    // (E11).
    for (uint8_t i = 0; i < turn->n_sagas; i++)
        turn->sagas[i]->busy = true;
    struct store_write *write = turn->write;
    turn->write = NULL;
    store_submit(turn->engine->options.store, write, turn->group, committed, turn);
}

void saga_turn_commit(struct saga_turn *turn, saga_turn_fn *done, void *ctx) {
    struct saga_engine *engine = turn->engine;
    turn->must_commit = true;
    if (done)
        saga_turn_after(turn, done, ctx);
    finish(turn);
    engine_leave(engine);
}

// ---- What commands and decisions can do ---------------------------------------------------------------------------

int64_t saga_turn_now(const struct saga_turn *turn) {
    return turn->now_ms;
}

struct saga_subject *saga_turn_subject(const struct saga_turn *turn) {
    return turn->subject;
}

struct saga_engine *saga_turn_engine(const struct saga_turn *turn) {
    return turn->engine;
}

void saga_turn_row(struct saga_turn *turn, const struct store_table *table, enum store_verb verb, const void *row) {
    store_row(turn->write, table, verb, row);
}

void saga_turn_after(struct saga_turn *turn, saga_turn_fn *fn, void *ctx) {
    struct turn_done *done = malloc(sizeof *done), **at = &turn->done;
    if (!done)
        abort();
    *done = (struct turn_done){.fn = fn, .ctx = ctx};
    while (*at)
        at = &(*at)->next;
    *at = done;
    turn->must_commit = true;
}

bool saga_turn_start(struct saga_turn *turn, const struct saga_start *start, struct error *error) {
    struct saga_engine *engine = turn->engine;
    const struct saga_flow *flow = saga_engine_flow(engine, str_c(start->flow), 0);
    if (!flow)
        return error_set(error, ERR_FLOW_UNKNOWN, "no flow is named %s", start->flow);
    if (start->input.len > SAGA_INPUT_MAX)
        return error_set(error, ERR_RECORD_TOO_LARGE, "a saga's input has at most %d bytes", SAGA_INPUT_MAX);
    if (resident_find(engine, start->gid))
        return error_set(error, ERR_SAGA_EXISTS, NULL);
    if (turn->n_sagas == TURN_SAGAS_MAX)
        return error_set(error, ERR_OVERLOADED, "a turn takes at most %d sagas", TURN_SAGAS_MAX);
    struct saga_resident *parent = str_empty(start->parent_gid) ? NULL : resident_find(engine, start->parent_gid);
    struct saga_subject *subject = turn->subject;
    struct saga_instance instance;
    if (!saga_instance_init(&instance, flow, start->gid, subject, start->input, error))
        return false;
    struct saga_resident *resident =
        resident_add(engine, &instance, subject ? saga_subject_hold(subject) : NULL, parent, start->input);
    if (!subject && !parent && turn->group != &resident->own_group && turn->n_sagas == 0 && turn->current == NULL)
        turn->group = &resident->own_group; // a command that only starts this saga: its write is the saga's
    assert(resident->group == turn->group);
    resident->parent_step = start->parent_step;
    resident->parent_leg = start->parent_leg;
    resident->created_ms = turn->now_ms;
    join(turn, resident);
    engine->stats.started++;
    engine_notice(engine, SAGA_NOTICE_STARTED, resident, NULL, SAGA_ACTION, NULL, NULL);
    struct saga_event event = event_of(turn, SAGA_EV_STARTED);
    apply(turn, resident, &event);
    return true;
}

void saga_turn_poke(struct saga_turn *turn, struct str gid) {
    struct turn_poke **at = &turn->pokes;
    for (; *at; at = &(*at)->next)
        if (str_eq_c(gid, (*at)->gid))
            return;
    struct turn_poke *poke = calloc(1, sizeof *poke);
    if (!poke)
        abort();
    if (!str_copy(gid, poke->gid, sizeof poke->gid)) {
        free(poke);
        return;
    }
    *at = poke;
}

void saga_turn_event(struct saga_turn *turn, const char *type, struct str payload) {
    struct saga_engine *engine = turn->engine;
    const struct saga_resident *resident = turn->current;
    const char *subject = turn->subject ? turn->subject->key : "";
    unsigned slot = resident ? resident->slot : id_slot(str_c(subject));
    struct outbox_row row = {
        .slot = (int32_t)slot, .seq = ++engine->outbox_seq[slot], .payload = payload, .created_ms = turn->now_ms};
    str_copy(str_c(type), row.type, sizeof row.type);
    if (resident)
        memcpy(row.gid, resident->saga.gid, sizeof row.gid);
    str_copy(str_c(subject), row.subject, sizeof row.subject);
    saga_turn_row(turn, &outbox_table, STORE_INSERT, &row);
}

const struct saga_instance *saga_turn_saga(const struct saga_turn *turn) {
    return turn->current ? &turn->current->saga : NULL;
}

struct str saga_turn_input(const struct saga_turn *turn) {
    return turn->current ? turn->current->input : STR_NONE;
}

uint8_t saga_turn_leg(const struct saga_turn *turn) {
    return turn->current ? turn->current->saga.legs[turn->leg].leg : 0;
}

const struct saga_step *saga_turn_step(const struct saga_turn *turn) {
    return turn->current ? turn->current->saga.legs[turn->leg].step : NULL;
}

struct str saga_turn_answer_of(const struct saga_turn *turn, uint16_t step_id, uint8_t leg) {
    const struct saga_leg *found = turn->current ? saga_instance_leg(&turn->current->saga, step_id, leg) : NULL;
    return found ? found->answer : STR_NONE;
}

const struct saga_asked *saga_turn_asked(const struct saga_turn *turn) {
    return turn->asked;
}

uint32_t saga_turn_attempts(const struct saga_turn *turn) {
    return turn->current->saga.legs[turn->leg].attempts;
}

static const struct saga_retry *policy(const struct saga_turn *turn) {
    const struct saga_step *step = turn->current->saga.legs[turn->leg].step;
    return step->policy ? step->policy : &turn->engine->options.machine.patience[step->retry];
}

bool saga_turn_exhausted(const struct saga_turn *turn) {
    const struct saga_retry *retry = policy(turn);
    return retry->attempts && saga_turn_attempts(turn) >= retry->attempts;
}

int64_t saga_turn_again_ms(const struct saga_turn *turn) {
    const struct saga_leg *leg = &turn->current->saga.legs[turn->leg];
    const struct saga_retry *retry = policy(turn);
    uint64_t random = turn->engine->options.random(turn->engine->options.random_ctx);
    return turn->now_ms + saga_backoff_ms(retry, leg->attempts ? leg->attempts : 1, random);
}
