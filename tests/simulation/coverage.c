#include "tests/simulation/coverage.h"

#include "tests/simulation/lurker.h"

#include <assert.h>

static struct coverage *counted;

static const char *const status_names[ON_STATUSES] = {"running", "forward", "compensating", "paused"};

static const char *const event_names[AT_EVENTS] = {
    [AT_STARTED] = "started",
    [AT_RESUMED] = "resumed",
    [AT_TIMER] = "timer",
    [AT_POKED] = "poked",
    [AT_SUSPECTED] = "suspected",
    [AT_HELD] = "held",
    [AT_OK] = "ok",
    [AT_REJECTED] = "rejected",
    [AT_FAILED] = "failed",
    [AT_UNKNOWN] = "unknown",
    [AT_NEVER_SEEN] = "never seen",
    [AT_DONE] = "says done",
    [AT_REJECT] = "says reject",
    [AT_WAIT] = "says wait",
    [AT_ASK] = "says ask",
    [AT_PARK] = "says park",
    [AT_RETRY] = "retry",
    [AT_SKIP] = "skip",
    [AT_COMPENSATE] = "compensate",
    [AT_RESOLVE_OK] = "resolve ok",
    [AT_RESOLVE_NO] = "resolve no",
    [AT_PAUSE] = "pause",
    [AT_RESUME] = "resume",
    [AT_TERMINATE] = "terminate",
};

const char *coverage_status_name(enum coverage_status status) {
    return status_names[status];
}

const char *coverage_event_name(enum coverage_event event) {
    return event_names[event];
}

// ---- Counting -----------------------------------------------------------------------------------------------------

void coverage_begin(struct coverage *coverage) {
    counted = coverage;
}

void coverage_add(struct coverage *sum, const struct coverage *more) {
    for (int status = 0; status < ON_STATUSES; status++)
        for (int state = 0; state < LEG_STATES; state++)
            for (int event = 0; event < AT_EVENTS; event++)
                sum->seen[status][state][event] += more->seen[status][state][event];
    sum->after_end += more->after_end;
}

static enum coverage_event event_of(const struct saga_event *event) {
    static const enum coverage_event whole[] = {
        [SAGA_EV_STARTED] = AT_STARTED, [SAGA_EV_RESUMED] = AT_RESUMED,     [SAGA_EV_TIMER] = AT_TIMER,
        [SAGA_EV_POKED] = AT_POKED,     [SAGA_EV_SUSPECTED] = AT_SUSPECTED, [SAGA_EV_HELD] = AT_HELD,
        [SAGA_EV_RETRY] = AT_RETRY,     [SAGA_EV_SKIP] = AT_SKIP,           [SAGA_EV_COMPENSATE] = AT_COMPENSATE,
        [SAGA_EV_PAUSE] = AT_PAUSE,     [SAGA_EV_RESUME] = AT_RESUME,       [SAGA_EV_TERMINATE] = AT_TERMINATE,
    };
    static const enum coverage_event answers[] = {
        [OUTCOME_OK] = AT_OK,
        [OUTCOME_REJECTED] = AT_REJECTED,
        [OUTCOME_RETRY] = AT_FAILED,
        [OUTCOME_UNKNOWN] = AT_UNKNOWN,
    };
    static const enum coverage_event verdicts[] = {
        [SAGA_DONE] = AT_DONE, [SAGA_REJECT] = AT_REJECT, [SAGA_WAIT] = AT_WAIT,
        [SAGA_ASK] = AT_ASK,   [SAGA_PARK] = AT_PARK,
    };
    if (event->kind == SAGA_EV_ANSWERED)
        return event->never_seen ? AT_NEVER_SEEN : answers[event->outcome];
    if (event->kind == SAGA_EV_RESOLVE)
        return event->outcome == OUTCOME_OK ? AT_RESOLVE_OK : AT_RESOLVE_NO;
    return event->kind == SAGA_EV_DECIDED ? verdicts[event->verdict.answer] : whole[event->kind];
}

static bool is_of_leg(enum saga_event_kind kind) {
    return kind == SAGA_EV_ANSWERED || kind == SAGA_EV_DECIDED || kind == SAGA_EV_HELD || kind == SAGA_EV_SKIP ||
           kind == SAGA_EV_RESOLVE;
}

static void count(const struct saga_instance *saga, const struct saga_event *event) {
    static const enum coverage_status statuses[] = {
        [SAGA_RUNNING] = ON_RUNNING, [SAGA_FORWARD] = ON_FORWARD, [SAGA_COMPENSATING] = ON_COMPENSATING};
    if (saga_status_ended(saga->status)) {
        counted->after_end++;
        return;
    }
    enum coverage_status status = saga->paused ? ON_PAUSED : statuses[saga->status];
    enum coverage_event at = event_of(event);
    if (is_of_leg(event->kind)) {
        counted->seen[status][saga->legs[event->leg].state][at]++;
        return;
    }
    for (uint8_t i = 0; i < saga->n_legs; i++)
        counted->seen[status][saga->legs[i].state][at]++;
}

void __real_saga_machine_apply(const struct saga_machine *machine, struct saga_instance *instance,
                               const struct saga_event *event, struct saga_effects *effects);
void __wrap_saga_machine_apply(const struct saga_machine *machine, struct saga_instance *instance,
                               const struct saga_event *event, struct saga_effects *effects);

void __wrap_saga_machine_apply(const struct saga_machine *machine, struct saga_instance *instance,
                               const struct saga_event *event, struct saga_effects *effects) {
    if (counted)
        count(instance, event);
    __real_saga_machine_apply(machine, instance, event, effects);
    lurkers_see(instance, event);
}

// ---- What can't be ------------------------------------------------------------------------------------------------

#define STATE(state) (1u << LEG_##state)
#define EVENT(event) (1u << AT_##event)
#define STATUS(status) (1u << ON_##status)
enum {
    ANY_STATUS = (1u << ON_STATUSES) - 1,
    ANY_STATE = (1u << LEG_STATES) - 2,
    ANY_EVENT = (1u << AT_EVENTS) - 1,
    ON_ITS_WAY = STATE(RUNNING) | STATE(INQUIRING) | STATE(ASKING) | STATE(UNDOING),
    TRIED = STATE(RUNNING) | STATE(INQUIRING) | STATE(RETRYING) | STATE(PARKED) | STATE(UNDOING) |
            STATE(UNDO_RETRYING) | STATE(UNDO_PARKED) | STATE(WAITING) | STATE(ASKING),
    OF_THE_WAY_BACK = STATE(REJECTED) | STATE(UNDOING) | STATE(UNDO_RETRYING) | STATE(UNDONE) | STATE(UNDO_PARKED),
    ANSWERS = EVENT(OK) | EVENT(REJECTED) | EVENT(FAILED) | EVENT(UNKNOWN),
    VERDICTS = EVENT(DONE) | EVENT(REJECT) | EVENT(WAIT) | EVENT(ASK) | EVENT(PARK),
    RESOLVED = EVENT(RESOLVE_OK) | EVENT(RESOLVE_NO),
    NOT_OF_A_PAUSED_ONE = EVENT(RETRY) | EVENT(SKIP) | EVENT(COMPENSATE) | RESOLVED | EVENT(PAUSE),
};

struct pairs {
    unsigned statuses, states, events;
    const char *why;
};

static const struct pairs impossible[] = {
    {ANY_STATUS & ~STATUS(RUNNING), ANY_STATE, EVENT(STARTED), "a saga starts once, and as a running one"},
    {STATUS(RUNNING), ANY_STATE & ~(STATE(IDLE) | STATE(SKIPPED)), EVENT(STARTED), "before it starts nothing was done"},
    {STATUS(RUNNING) | STATUS(FORWARD), OF_THE_WAY_BACK, ANY_EVENT, "only a saga that has turned round goes back"},
    {ANY_STATUS, ANY_STATE & ~ON_ITS_WAY, ANSWERS, "a call is on its way only while its step says so"},
    {ANY_STATUS, ANY_STATE & ~STATE(INQUIRING), EVENT(NEVER_SEEN), "only an inquiry is answered like that"},
    {ANY_STATUS, ANY_STATE & ~STATE(WAITING), VERDICTS, "a decision is asked for while its step waits"},
    {STATUS(COMPENSATING), ANY_STATE, VERDICTS, "a saga that has turned round decides nothing any more"},
    {STATUS(PAUSED), ANY_STATE, VERDICTS, "a saga that is paused decides nothing"},
    {ANY_STATUS, ANY_STATE & ~ON_ITS_WAY, EVENT(HELD),
     "a call waits to be sent only while its step says that it is on its way: one whose outcome is stated is let go "
     "of"},
    {ANY_STATUS, ANY_STATE & ~(STATE(PARKED) | STATE(UNDO_PARKED)), EVENT(SKIP), "what is not parked can't be skipped"},
    {STATUS(COMPENSATING), STATE(PARKED), EVENT(SKIP),
     "a parked step is not yet undone only while a later one may have run, and its requests were made from the answer"},
    {ANY_STATUS & ~STATUS(RUNNING), ANY_STATE, EVENT(COMPENSATE), "a saga turns round once, and before its watershed"},
    {ANY_STATUS, ANY_STATE & ~TRIED, RESOLVED, "the outcome of what is not being tried can't be stated"},
    {STATUS(COMPENSATING), STATE(WAITING), RESOLVED,
     "in a saga that has turned round only what has a child still waits"},
    {ANY_STATUS, STATE(UNDO_PARKED), EVENT(RESOLVE_NO), "that a parked compensation was refused is known"},
    {ANY_STATUS & ~STATUS(PAUSED), ANY_STATE, EVENT(RESUME), "only a saga that is paused is resumed"},
    {STATUS(PAUSED), ANY_STATE, NOT_OF_A_PAUSED_ONE, "a saga that is paused is resumed first"},
};

static const struct pairs *why_impossible(unsigned status, unsigned state, unsigned event) {
    for (size_t i = 0; i < sizeof impossible / sizeof impossible[0]; i++) {
        const struct pairs *row = &impossible[i];
        if (row->statuses >> status & 1 && row->states >> state & 1 && row->events >> event & 1)
            return row;
    }
    return NULL;
}

// ---- Showing ------------------------------------------------------------------------------------------------------

static void print_status(const struct coverage *coverage, unsigned status, FILE *out) {
    fprintf(out, "\n%-12s", status_names[status]);
    for (unsigned state = 1; state < LEG_STATES; state++)
        fprintf(out, " %9.9s", leg_state_name((enum leg_state)state));
    for (unsigned event = 0; event < AT_EVENTS; event++) {
        fprintf(out, "\n  %-10s", event_names[event]);
        for (unsigned state = 1; state < LEG_STATES; state++) {
            uint64_t n = coverage->seen[status][state][event];
            if (n > 0)
                fprintf(out, " %9llu", (unsigned long long)n);
            else
                fprintf(out, " %9s", why_impossible(status, state, event) ? "-" : "0");
        }
    }
    fprintf(out, "\n");
}

void coverage_print(const struct coverage *coverage, FILE *out) {
    fprintf(out, "How often a step in this state, in a saga of this status, met this event. \"-\": that can't be.\n");
    for (unsigned status = 0; status < ON_STATUSES; status++)
        print_status(coverage, status, out);
    fprintf(out, "\nafter the end: %llu\n", (unsigned long long)coverage->after_end);
}

unsigned coverage_faults(const struct coverage *coverage, bool complete, FILE *out) {
    unsigned faults = 0;
    for (unsigned status = 0; status < ON_STATUSES; status++)
        for (unsigned state = 1; state < LEG_STATES; state++)
            for (unsigned event = 0; event < AT_EVENTS; event++) {
                const struct pairs *row = why_impossible(status, state, event);
                uint64_t n = coverage->seen[status][state][event];
                if (row && n > 0)
                    fprintf(out, "seen %llu times, though it can't be (%s):", (unsigned long long)n, row->why);
                else if (!row && n == 0 && complete)
                    fprintf(out, "never seen:");
                else
                    continue;
                faults++;
                fprintf(out, " a step that is %s in a saga that is %s, at \"%s\"\n",
                        leg_state_name((enum leg_state)state), status_names[status], event_names[event]);
            }
    return faults;
}
