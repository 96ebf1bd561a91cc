#include "saga/turn.h"

#include "saga/engine.h"

#include <assert.h>
#include <stdlib.h>

enum { TURN_ARENA_MAX = 4 * 1024 * 1024 };

static void turn_slot(struct saga_turn *turn, unsigned slot) {
    turn->slotted = true;
    turn->slot = slot;
    slot_use(turn->engine, slot);
}

struct saga_turn *turn_new(struct saga_engine *engine, struct saga_subject *subject, struct saga_resident *opener) {
    struct saga_turn *turn = pool_take(&engine->turn_pool);
    turn->engine = engine;
    turn->next = engine->turns;
    turn->link = &engine->turns;
    if (turn->next)
        turn->next->link = &turn->next;
    engine->turns = turn;
    turn->subject = subject ? saga_subject_hold(subject) : NULL;
    turn->group = opener ? opener->group : subject ? &subject->group : &turn->own_group;
    turn->family = opener ? opener->family : subject ? &subject->family : &turn->own_family;
    turn->opener = opener;
    if (opener)
        resident_pin(opener);
    if (opener || subject)
        turn_slot(turn, opener ? opener->slot : id_slot(str_c(subject->key)));
    turn->write = store_write_new(engine->options.store);
    turn->now_ms = clock_now_ms(engine->options.clock);
    turn->last_event = &turn->events;
    arena_init(&turn->arena, TURN_ARENA_MAX);
    return turn;
}

void turn_free(struct saga_turn *turn) {
    assert(!turn->done); // whoever is to hear of its end has heard
    while (turn->pokes) {
        struct turn_poke *next = turn->pokes->next;
        free(turn->pokes);
        turn->pokes = next;
    }
    *turn->link = turn->next;
    if (turn->next)
        turn->next->link = turn->link;
    for (uint8_t i = 0; i < turn->n_sagas; i++)
        resident_unpin(turn->sagas[i]);
    if (turn->opener)
        resident_unpin(turn->opener);
    if (turn->subject)
        saga_subject_release(turn->subject);
    store_write_free(turn->write);
    if (turn->slotted)
        slot_unuse(turn->engine, turn->slot);
    arena_release(&turn->arena);
    pool_give(&turn->engine->turn_pool, turn);
}

struct saga_turn *saga_turn_begin(struct saga_engine *engine, struct saga_subject *subject) {
    engine_enter(engine); // until commit or abandon: nothing else runs in between
    return turn_new(engine, subject, NULL);
}

void saga_turn_abandon(struct saga_turn *turn) {
    struct saga_engine *engine = turn->engine;
    assert(turn->n_sagas == 0 && !turn->done);
    turn_free(turn);
    engine_exit(engine);
}

// ---- Taking part --------------------------------------------------------------------------------------------------

void turn_join(struct saga_turn *turn, struct saga_resident *resident) {
    assert(turn->n_sagas < TURN_SAGAS_MAX);
    resident_pin(resident);
    turn->sagas[turn->n_sagas++] = resident;
}

static bool is_in(const struct saga_turn *turn, const struct saga_resident *resident) {
    for (uint8_t i = 0; i < turn->n_sagas; i++)
        if (turn->sagas[i] == resident)
            return true;
    return false;
}

bool turn_takes(struct saga_turn *turn, struct saga_resident *resident) {
    if (!resident_free(resident))
        return false;
    if (is_in(turn, resident))
        return true;
    if (turn->n_sagas == TURN_SAGAS_MAX || resident->group != turn->group)
        return false;
    turn_join(turn, resident);
    return true;
}

struct saga_event turn_feed_event(const struct saga_turn *turn, enum saga_event_kind kind) {
    return (struct saga_event){.kind = kind, .now_ms = turn->now_ms, .random = engine_chance(turn->engine)};
}

void turn_apply(struct saga_turn *turn, struct saga_resident *resident, enum saga_event_kind kind) {
    struct saga_event event = turn_feed_event(turn, kind);
    turn_feed(turn, resident, &event);
}

void turn_put(struct saga_turn *turn, struct saga_resident *resident) {
    struct arena *arena = &turn->engine->scratch;
    struct saga_row row;
    arena_reset(arena);
    // Each write of the row is later than the one before, so that whoever watches can name the last one it saw.
    resident->updated_ms = turn->now_ms > resident->updated_ms ? turn->now_ms : resident->updated_ms + 1;
    row_of(resident, arena, &row);
    saga_turn_row(turn, &saga_table, resident->stored ? STORE_PUT : STORE_INSERT, &row);
    trouble_put(turn, resident);
    resident->row_due_ms = row.due_ms;
    resident->stored = true;
    resident->dirty = false;
}

void turn_tell(struct saga_turn *turn, struct saga_resident *resident) {
    turn->must_commit = true;
    if (turn_takes(turn, resident)) {
        turn_apply(turn, resident, SAGA_EV_POKED);
        return;
    }
    // Its own turn is under way (and what that holds was submitted before this, in the same group), or it is yet to be
    // resumed: its row goes along, and it looks at what was added when it is free.
    if (resident->wake & WAKE_RESUMED)
        saga_instance_assume_sent(&resident->saga, resident->updated_ms);
    turn_put(turn, resident);
    resident_wake(resident, WAKE_POKED);
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

// A decision may lead to another one, of another leg or saga.
struct turn_focus turn_focus(struct saga_turn *turn, struct turn_focus focus) {
    struct turn_focus before = {turn->current, turn->leg};
    turn->current = focus.resident;
    turn->leg = focus.leg;
    return before;
}

static struct saga_verdict evaluate(struct saga_turn *turn, struct saga_resident *resident, uint8_t leg,
                                    saga_decide_fn *decide) {
    struct turn_focus before = turn_focus(turn, (struct turn_focus){resident, leg});
    struct saga_verdict verdict = decide(turn);
    turn_focus(turn, before);
    return verdict;
}

static bool has_come_right(struct saga_turn *turn, struct saga_resident *resident, uint8_t leg) {
    struct turn_focus before = turn_focus(turn, (struct turn_focus){resident, leg});
    bool right = resident->saga.legs[leg].step->came_right(turn);
    turn_focus(turn, before);
    return right;
}

static void decide(struct saga_turn *turn, struct saga_resident *resident, const struct saga_effect *effect) {
    struct saga_leg *leg = &resident->saga.legs[effect->leg];
    bool parked = saga_leg_may_come_right(leg);
    if (leg->state != LEG_WAITING && !(parked && has_come_right(turn, resident, effect->leg)))
        return; // moved on within this turn, or still an operator's
    const struct saga_asked *asked = turn->asked;
    if (effect->op != SAGA_INQUIRE)
        turn->asked = NULL; // the answer is for the decision that asked
    struct saga_event event = turn_feed_event(turn, SAGA_EV_DECIDED);
    event.leg = effect->leg;
    event.verdict = evaluate(turn, resident, effect->leg, leg->step->decide);
    turn->asked = NULL;
    turn_feed(turn, resident, &event);
    turn->asked = asked;
}

static struct saga_resident *start(struct saga_turn *turn, const struct saga_start *start, struct saga_resident *parent,
                                   const struct saga_leg *leg, struct error *error);

static void start_child(struct saga_turn *turn, struct saga_resident *resident, uint8_t index) {
    struct saga_leg *leg = &resident->saga.legs[index];
    struct saga_child child = {0};
    struct error error = {0};
    struct turn_focus before = turn_focus(turn, (struct turn_focus){resident, index});
    bool wanted = leg->step->child(turn, &turn->arena, &child);
    turn_focus(turn, before);
    struct saga_start as = {.flow = child.flow, .gid = child.gid, .input = child.input};
    if (wanted && start(turn, &as, resident, leg, &error))
        return;
    leg->child = wanted ? CHILD_REFUSED : CHILD_SUCCEEDED;
    turn_tell(turn, resident);
}

// What is asked for as long as it takes is not written down as often: behind its policy's end, or this many attempts of
// one that is endless or might as well be, its step alone says how often it was tried and how the last attempt failed.
enum { ENDLESS_KEPT_MAX = 100, ATTEMPTS_KEPT_MAX = 500 };

static bool is_kept(const struct saga_turn *turn, const struct saga_leg *leg, enum saga_op op) {
    uint32_t most = saga_leg_policy(&turn->engine->options.machine, leg, op == SAGA_COMPENSATE)->attempts;
    most = most ? most : ENDLESS_KEPT_MAX;
    return leg->attempts <= (most < ATTEMPTS_KEPT_MAX ? most : ATTEMPTS_KEPT_MAX);
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
    if (is_kept(turn, leg, effect->op))
        saga_turn_row(turn, &attempt_table, STORE_PUT, &row);
    turn->engine->stats.attempts_failed++;
    engine_notice(turn->engine, SAGA_NOTICE_ATTEMPT_FAILED, resident, leg, effect->op, leg->reason, leg->text);
}

// The child's end and the parent's progress are one transaction.
static void tell_parent(struct saga_turn *turn, struct saga_resident *child) {
    struct saga_resident *parent = child->parent;
    struct saga_leg *leg = parent ? saga_instance_leg(&parent->saga, child->parent_step, child->parent_leg) : NULL;
    if (!leg || leg->child != CHILD_STARTED || saga_status_ended(parent->saga.status))
        return;
    leg->child = child->saga.status == SAGA_SUCCEEDED    ? CHILD_SUCCEEDED
                 : child->saga.status == SAGA_TERMINATED ? CHILD_TERMINATED
                                                         : CHILD_FAILED;
    turn_tell(turn, parent);
}

static void ended(struct saga_turn *turn, struct saga_resident *resident) {
    resident->ended_ms = turn->now_ms;
    if (resident->saga.flow->on_end && !resident->deaf_subject)
        evaluate(turn, resident, 0, resident->saga.flow->on_end);
    struct turn_focus before = turn_focus(turn, (struct turn_focus){resident, 0});
    saga_turn_event(turn, "saga.ended", str_c(saga_status_name(resident->saga.status)));
    turn_focus(turn, before);
    turn->engine->stats.ended++;
    poke_looked(turn, resident);
    tell_parent(turn, resident);
}

static void apply_kept(struct saga_turn *turn, struct saga_resident *resident, uint8_t leg);

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
    case SAGA_FX_KEPT: apply_kept(turn, resident, effect->leg); break;
    case SAGA_FX_REVERSED:
        call_hold_back(resident, true);
        if (saga->flow->on_reversed)
            evaluate(turn, resident, effect->leg, saga->flow->on_reversed);
        engine_notice(turn->engine, SAGA_NOTICE_REVERSED, resident, leg, SAGA_ACTION, saga->reason, saga->text);
        break;
    case SAGA_FX_PARKED:
        turn->engine->stats.parked_events++;
        engine_notice(turn->engine, SAGA_NOTICE_PARKED, resident, leg, effect->op, leg->reason, leg->text);
        break;
    case SAGA_FX_ATTEMPT: keep_attempt(turn, resident, effect, event); break;
    case SAGA_FX_ENDED: ended(turn, resident); break;
    }
}

void turn_feed(struct saga_turn *turn, struct saga_resident *resident, const struct saga_event *event) {
    struct saga_effects effects;
    effects.n = 0;
    resident->dirty = true;
    saga_machine_apply(&turn->engine->options.machine, &resident->saga, event, &effects);
    for (uint16_t i = 0; i < effects.n; i++)
        carry_out(turn, resident, &effects.list[i], event);
}

// ---- Events of a saga ---------------------------------------------------------------------------------------------

static struct saga_event event_of_answer(const struct saga_turn *turn, const struct saga_answer_event *answer) {
    struct saga_event event = turn_feed_event(turn, answer->held ? SAGA_EV_HELD : SAGA_EV_ANSWERED);
    event.leg = answer->leg;
    event.op = answer->op;
    event.outcome = answer->outcome;
    event.never_seen = answer->never_seen;
    event.uncounted = answer->uncounted;
    event.since_ms = answer->started_ms;
    event.until_ms = answer->until_ms;
    event.code = answer->code;
    event.reason = answer->reason;
    event.text = answer->text;
    event.answer = str_n(answer->answer, answer->length);
    return event;
}

static void apply_answer(struct saga_turn *turn, struct saga_resident *resident,
                         const struct saga_answer_event *answer) {
    struct saga_event event = event_of_answer(turn, answer);
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
        struct turn_focus before = turn_focus(turn, (struct turn_focus){resident, answer->leg});
        enum saga_op op = answer->op == SAGA_INQUIRE ? SAGA_ACTION : answer->op; // it is the action's answer
        leg->step->answered(turn, op, answer->outcome, event.answer);
        turn_focus(turn, before);
    }
    turn_feed(turn, resident, &event);
    turn->asked = NULL;
    turn->started_ms = 0;
}

static void apply_kept(struct saga_turn *turn, struct saga_resident *resident, uint8_t leg) {
    struct saga_leg *of = &resident->saga.legs[leg];
    struct leg_kept kept = saga_leg_take_kept(of);
    struct saga_answer_event *answer = calloc(1, sizeof *answer + kept.answer.len);
    if (!answer)
        abort();
    *answer = (struct saga_answer_event){.leg = leg,
                                         .op = saga_leg_op(of),
                                         .outcome = kept.outcome,
                                         .code = kept.outcome == OUTCOME_OK ? ERR_OK : of->code,
                                         .never_seen = kept.never_seen,
                                         .started_ms = of->started_ms,
                                         .length = kept.answer.len};
    if (kept.outcome != OUTCOME_OK) {
        memcpy(answer->reason, of->reason, sizeof answer->reason);
        memcpy(answer->text, of->text, sizeof answer->text);
    }
    if (kept.answer.len)
        memcpy(answer->answer, kept.answer.ptr, kept.answer.len);
    free((void *)(uintptr_t)kept.answer.ptr);
    apply_answer(turn, resident, answer);
    free(answer);
}

// One that was not sent, or that nobody waits for any more, or that waits until the saga goes on, is no answer yet.
static void take_answer(struct saga_turn *turn, struct saga_resident *resident,
                        const struct saga_answer_event *answer) {
    const struct saga_instance *saga = &resident->saga;
    bool late = answer->late || !saga_leg_expects(&saga->legs[answer->leg], answer->op);
    if (late && !answer->held) {
        late_note(turn, resident, answer);
    } else if (answer->late) {
        return;
    } else if (answer->held || saga->paused) {
        struct saga_event event = event_of_answer(turn, answer);
        turn_feed(turn, resident, &event);
    } else {
        apply_answer(turn, resident, answer);
    }
}

static void apply_answers(struct saga_turn *turn, struct saga_resident *resident) {
    while (resident->first) {
        struct saga_answer_event *answer = resident->first;
        resident->first = answer->next;
        if (!resident->first)
            resident->last = &resident->first;
        take_answer(turn, resident, answer);
        free(answer);
    }
}

static void apply_wakes(struct saga_turn *turn, struct saga_resident *resident, unsigned wake) {
    static const struct {
        unsigned why;
        enum saga_event_kind kind;
    } kinds[] = {{WAKE_RESUMED, SAGA_EV_RESUMED}, {WAKE_TIMER, SAGA_EV_TIMER}, {WAKE_POKED, SAGA_EV_POKED}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (!(wake & kinds[i].why))
            continue;
        struct saga_event event = turn_feed_event(turn, kinds[i].kind);
        event.since_ms = resident->updated_ms;
        turn_feed(turn, resident, &event);
    }
    turn->must_commit = turn->must_commit || wake & WAKE_FLUSH;
    if (wake & (WAKE_RESUMED | WAKE_POKED))
        poke_looked(turn, resident);
}

static struct saga_turn *turn_of(struct saga_resident *resident) {
    struct saga_turn *turn = turn_new(resident->engine, resident->subject, resident);
    turn->of_saga = true;
    turn_join(turn, resident);
    return turn;
}

// The turn before a saga goes on that may have been what its process died of, or whose write the store refused. The
// resumption is counted durably; where that makes too many, or the write was refused, everything of the saga that could
// be the cause waits for an operator instead (E13, E14).
static void count_or_park(struct saga_resident *resident) {
    struct saga_turn *turn = turn_of(resident);
    uint32_t most = 2 * resident->engine->options.resume_max; // half of them trials
    enum err why = resident->write_refused;
    if (resident->resuming && (uint32_t)++resident->resume_count > most)
        why = ERR_RESUMED_TOO_OFTEN;
    resident->resuming = false;
    resident->write_refused = ERR_OK;
    if (why != ERR_OK) {
        resident->resume_count = 0;
        struct saga_event event = turn_feed_event(turn, SAGA_EV_SUSPECTED);
        event.code = why;
        event.since_ms = resident->updated_ms;
        turn_feed(turn, resident, &event);
        if (saga_instance_parked(&resident->saga))
            resident->wake &= ~(unsigned)WAKE_RESUMED;
    } else {
        saga_instance_assume_sent(&resident->saga, resident->updated_ms);
    }
    turn->must_commit = true;
    turn_finish(turn);
}

static bool must_be_tried(const struct saga_resident *resident) {
    const struct saga_engine *engine = resident->engine;
    return resident->resuming && !resident->write_refused && engine->trial != resident &&
           (uint32_t)resident->resume_count >= engine->options.resume_max;
}

// A resumption was survived when a call came back, or when nothing came of it but waiting for a later time.
static void note_survival(struct saga_turn *turn, struct saga_resident *resident, bool answered, bool resumed) {
    bool waits = resumed && saga_instance_due(&resident->saga) > turn->now_ms;
    if (resident->resume_count == 0 || !(answered || waits))
        return;
    resident->resume_count = 0;
    turn->must_commit = turn->must_commit || waits || resident->engine->trial == resident; // then the next one is tried
}

static void run_own(struct saga_resident *resident) {
    if (must_be_tried(resident)) {
        trial_wait(resident);
        return;
    }
    if (resident->resuming || resident->write_refused) {
        if (!resident->engine->stopped) // else it is not begun, and must not be counted as if it were
            count_or_park(resident);
        return;
    }
    struct saga_turn *turn = turn_of(resident);
    unsigned wake = resident->wake;
    bool answered = resident->first != NULL;
    resident->wake = 0;
    apply_wakes(turn, resident, wake);
    apply_answers(turn, resident);
    note_survival(turn, resident, answered, wake & WAKE_RESUMED);
    turn_finish(turn);
}

void turn_run(struct saga_resident *resident) {
    resident_pin(resident);   // a turn of those who are served may be refused at once, and drop it
    resident_serve(resident); // before its own events, or it would wait for as long as these come
    bool goes_on = !resident->busy && !resident->gone && (resident->wake || resident->first);
    resident_unpin(resident);
    if (goes_on)
        run_own(resident);
}

// ---- What commands and decisions can do ---------------------------------------------------------------------------

int64_t saga_turn_now(const struct saga_turn *turn) {
    return turn->now_ms;
}

struct saga_subject *saga_turn_subject(const struct saga_turn *turn) {
    return turn->subject;
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

// One in memory may be gone again soon: it was never durable, or what is in memory is not what is.
static void set_exists(const struct saga_turn *turn, const struct saga_resident *there, struct error *error) {
    bool passes = there->lost || (there->fresh && !is_in(turn, there));
    error_set(error, passes ? ERR_STORE_STALE : ERR_SAGA_EXISTS, NULL);
}

bool saga_turn_can_start(const struct saga_turn *turn, struct str gid, struct error *error) {
    const struct saga_resident *there = resident_find(turn->engine, gid);
    if (there)
        set_exists(turn, there, error);
    else if (turn->n_sagas == TURN_SAGAS_MAX)
        error_set(error, ERR_OVERLOADED, "a turn takes at most %d sagas", TURN_SAGAS_MAX);
    return !there && turn->n_sagas < TURN_SAGAS_MAX;
}

static struct saga_resident *start(struct saga_turn *turn, const struct saga_start *start, struct saga_resident *parent,
                                   const struct saga_leg *leg, struct error *error) {
    struct saga_engine *engine = turn->engine;
    const struct saga_flow *flow = start->made ? start->made : saga_engine_flow(engine, str_c(start->flow), 0);
    struct saga_instance instance;
    if (!flow)
        error_set(error, ERR_FLOW_UNKNOWN, "no flow is named %s", start->flow ? start->flow : "");
    else if (start->input.len > SAGA_INPUT_MAX)
        error_set(error, ERR_RECORD_TOO_LARGE, "a saga's input has at most %d bytes", SAGA_INPUT_MAX);
    else if (!saga_turn_can_start(turn, start->gid, error))
        return NULL;
    else if (!turn->subject && !parent && turn->group != &turn->own_group)
        error_set(error, ERR_INVALID_REQUEST, "sagas that are started together need a subject in common");
    else
        saga_instance_init(&instance, flow, start->gid, turn->subject, start->input, error);
    if (error_is(error))
        return NULL;
    if (!turn->slotted)
        turn_slot(turn, id_slot(start->gid));
    instance.limit_ms = flow->limit_ms ? turn->now_ms + flow->limit_ms : 0;
    struct saga_subject *subject = turn->subject ? saga_subject_hold(turn->subject) : NULL;
    struct saga_resident *resident = resident_add(engine, &instance, subject, parent, start->input);
    if (!subject)
        str_copy(start->about, resident->subject_key, sizeof resident->subject_key);
    if (turn->group == &turn->own_group) { // a command that only starts this saga: its write is the saga's
        turn->group = resident->group;
        turn->family = resident->family;
    }
    assert(resident->group == turn->group);
    if (leg) {
        resident->parent_step = leg->step->id;
        resident->parent_leg = leg->leg;
    }
    resident->created_ms = turn->now_ms;
    resident->fresh = true;
    turn_join(turn, resident);
    turn->must_commit = true;
    engine->stats.started++;
    engine_notice(engine, SAGA_NOTICE_STARTED, resident, NULL, SAGA_ACTION, NULL, NULL);
    turn_apply(turn, resident, SAGA_EV_STARTED);
    return resident;
}

bool saga_turn_start(struct saga_turn *turn, const struct saga_start *what, struct error *error) {
    *error = (struct error){0};
    return start(turn, what, NULL, NULL, error) != NULL;
}

void turn_outbox_about(struct saga_turn *turn, const char *type, const struct turn_about *about, struct str payload) {
    struct turn_outbox *event = arena_calloc(&turn->arena, 1, sizeof *event);
    struct str kept = arena_str(&turn->arena, payload);
    if (!event || !kept.ptr)
        abort();
    assert(payload.len <= SAGA_EVENT_MAX);
    if (!turn->slotted) // whose numbers only its owner gives
        turn_slot(turn, about->slot);
    event->row = (struct outbox_row){.slot = (int32_t)about->slot, .payload = kept, .created_ms = turn->now_ms};
    bool fits = str_copy(str_c(type), event->row.type, sizeof event->row.type);
    assert(fits);
    str_copy(str_c(about->gid), event->row.gid, sizeof event->row.gid);
    str_copy(str_c(about->subject), event->row.subject, sizeof event->row.subject);
    *turn->last_event = event;
    turn->last_event = &event->next;
    turn->must_commit = true;
}

void saga_turn_event(struct saga_turn *turn, const char *type, struct str payload) {
    const struct saga_resident *resident = turn->current;
    const char *subject = turn->subject ? turn->subject->key : "";
    struct turn_about about = {resident ? resident->slot : id_slot(str_c(subject)), resident ? resident->saga.gid : "",
                               subject};
    turn_outbox_about(turn, type, &about, payload);
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

uint32_t saga_turn_generation(const struct saga_turn *turn) {
    return turn->current->saga.legs[turn->leg].generation;
}

enum saga_happened saga_turn_happened(const struct saga_turn *turn, uint16_t step_id, uint8_t leg) {
    const struct saga_leg *found = turn->current ? saga_instance_leg(&turn->current->saga, step_id, leg) : NULL;
    return found ? saga_leg_happened(found) : SAGA_HAPPENED_NOT;
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
    return saga_leg_policy(&turn->engine->options.machine, &turn->current->saga.legs[turn->leg], false);
}

bool saga_turn_exhausted(const struct saga_turn *turn) {
    const struct saga_retry *retry = policy(turn);
    return retry->attempts && saga_turn_attempts(turn) >= retry->attempts;
}

bool saga_turn_just_exhausted(const struct saga_turn *turn) {
    const struct saga_retry *retry = policy(turn);
    return retry->attempts && saga_turn_attempts(turn) == retry->attempts;
}

int64_t saga_turn_again_ms(const struct saga_turn *turn) {
    const struct saga_leg *leg = &turn->current->saga.legs[turn->leg];
    const struct saga_retry *retry = policy(turn);
    return turn->now_ms + saga_backoff_ms(retry, leg->attempts ? leg->attempts : 1, engine_chance(turn->engine));
}
