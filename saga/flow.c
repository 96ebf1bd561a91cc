#include "saga/flow.h"

#include <stdarg.h>
#include <stdio.h>

const char *saga_kind_name(enum saga_kind kind) {
    static const char *const names[] = {"compensatable", "pivot", "retriable"};
    return names[kind];
}

const char *saga_op_name(enum saga_op op) {
    static const char *const names[] = {"action", "compensate", "inquire"};
    return names[op];
}

const char *saga_patience_name(enum saga_patience patience) {
    static const char *const names[] = {"quick", "stubborn", "leisurely"};
    return names[patience];
}

const char *saga_act_name(enum saga_act act) {
    static const char *const names[] = {"retry", "skip", "compensate", "resolve", "pause", "resume", "terminate"};
    return names[act];
}

const char *saga_step_shape(const struct saga_step *step) {
    if (step->run)
        return "call";
    if (step->child)
        return "child";
    if (step->signal)
        return "await";
    return "local";
}

void saga_flow_release(const struct saga_flow *flow) {
    if (flow && flow->maker)
        flow->maker->release(flow);
}

// Tells faults.
struct faults {
    const struct saga_flow *flow;
    saga_fault_fn *tell;
    void *ctx;
    bool any;
};

__attribute__((format(printf, 3, 4))) static void fault(struct faults *faults, const struct saga_step *step,
                                                        const char *format, ...) {
    char line[160];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    faults->any = true;
    faults->tell(faults->ctx, step ? (int)(step - faults->flow->steps) : -1, line);
}

static bool name_fits(const char *name) {
    return name && name[0] && strlen(name) <= SAGA_NAME_MAX && str_is_utf8(str_c(name));
}

bool saga_retry_valid(const struct saga_retry *retry) {
    return retry->first_ms > 0 && retry->max_ms >= retry->first_ms && retry->jitter_percent <= 100;
}

static void check_shape(struct faults *faults, const struct saga_step *step) {
    int shapes = !!step->run + !!step->decide + !!step->signal + !!step->child;
    if (shapes != 1)
        fault(faults, step, "must have exactly one of an action, a decision, a signal, a child");
    if (step->whom && !step->participant)
        fault(faults, step, "says whom it calls, but names no participant");
    struct str names = str_c(step->participant ? step->participant : "nobody");
    do {
        size_t named = str_trim(str_cut(&names, ',')).len;
        if (named == 0 || named > SAGA_PARTICIPANT_MAX)
            fault(faults, step, "a participant's name has 1..%d bytes", SAGA_PARTICIPANT_MAX);
    } while (names.ptr);
    if (step->ask && !step->decide)
        fault(faults, step, "ask without decide");
    if (step->came_right && !step->decide)
        fault(faults, step, "came_right without decide");
    if (step->inquire && !step->run)
        fault(faults, step, "an inquiry without an action");
    if (step->answered && !step->run && !step->undo)
        fault(faults, step, "answered without a call");
    if ((step->run || step->ask || step->undo) && step->deadline_ms == 0)
        fault(faults, step, "an effect without a deadline");
    if (step->signal && (step->timeout_ms == 0 || !name_fits(step->signal)))
        fault(faults, step, "an await needs a name that fits and a timeout");
    if ((unsigned)step->retry >= SAGA_PATIENCES || (unsigned)step->undo_retry >= SAGA_PATIENCES)
        fault(faults, step, "unknown retry policy");
    if ((step->policy && !saga_retry_valid(step->policy)) ||
        (step->undo_policy && !saga_retry_valid(step->undo_policy)))
        fault(faults, step, "a policy needs first_ms <= max_ms and at most 100 percent of jitter");
}

static void check_kind(struct faults *faults, const struct saga_step *step) {
    if ((unsigned)step->kind > SAGA_RETRIABLE || (unsigned)step->tier > SAGA_NON_CORE)
        fault(faults, step, "unknown kind or tier");
    if (step->kind == SAGA_COMPENSATABLE && (step->run || step->child) && !step->undo)
        fault(faults, step, "compensatable and acts, but has no compensation");
    if (step->kind != SAGA_COMPENSATABLE && step->undo)
        fault(faults, step, "a compensation of a step that is never undone");
    if (step->tier == SAGA_NON_CORE && step->kind != SAGA_RETRIABLE)
        fault(faults, step, "only retriable steps can be non-core");
    if (step->kind == SAGA_PIVOT && step->legs)
        fault(faults, step, "a pivot has one leg");
}

// The pivot divides the flow: what can be undone is before it, what only goes forward behind it.
static void check_side(struct faults *faults, const struct saga_step *step, const struct saga_step *pivot,
                       bool any_compensatable) {
    if (step == pivot)
        return;
    if (step->kind == SAGA_PIVOT)
        fault(faults, step, "a second pivot");
    else if (pivot && step->stage == pivot->stage)
        fault(faults, step, "the pivot must be alone in its stage");
    else if (step->kind == SAGA_COMPENSATABLE && pivot && step->stage > pivot->stage)
        fault(faults, step, "compensatable behind the pivot");
    else if (step->kind == SAGA_RETRIABLE && (pivot ? step->stage < pivot->stage : any_compensatable))
        fault(faults, step, "retriable, but not behind a pivot");
}

static void check_order(struct faults *faults, uint8_t i) {
    const struct saga_step *step = &faults->flow->steps[i];
    if (step->id == 0)
        fault(faults, step, "ids count from 1");
    if (step->stage == 0)
        fault(faults, step, "stages count from 1");
    if (i > 0 && step->stage < step[-1].stage)
        fault(faults, step, "stages must not go down");
    for (uint8_t k = 0; k < i; k++) {
        if (faults->flow->steps[k].id == step->id)
            fault(faults, step, "duplicate id");
        if (step->name && faults->flow->steps[k].name && strcmp(faults->flow->steps[k].name, step->name) == 0)
            fault(faults, step, "duplicate name");
    }
}

bool saga_flow_check(const struct saga_flow *flow, saga_fault_fn *tell, void *ctx) {
    struct faults faults = {.flow = flow, .tell = tell, .ctx = ctx};
    if (!name_fits(flow->name))
        fault(&faults, NULL, "needs a name of at most %d bytes", SAGA_NAME_MAX);
    if ((flow->version == 0) != (flow->maker != NULL))
        fault(&faults, NULL, "versions count from 1; a made flow has none");
    if (flow->n_steps == 0 || flow->n_steps > SAGA_LEGS_MAX) {
        fault(&faults, NULL, "needs 1..%d steps", SAGA_LEGS_MAX);
        return false;
    }
    const struct saga_step *pivot = NULL;
    bool any_compensatable = false;
    for (uint8_t i = 0; i < flow->n_steps; i++) {
        if (flow->steps[i].kind == SAGA_PIVOT && !pivot)
            pivot = &flow->steps[i];
        any_compensatable = any_compensatable || flow->steps[i].kind == SAGA_COMPENSATABLE;
    }
    for (uint8_t i = 0; i < flow->n_steps; i++) {
        const struct saga_step *step = &flow->steps[i];
        if (!name_fits(step->name) || strchr(step->name, '/'))
            fault(&faults, step, "needs a name of at most %d bytes without '/'", SAGA_NAME_MAX);
        check_shape(&faults, step);
        check_kind(&faults, step);
        check_side(&faults, step, pivot, any_compensatable);
        check_order(&faults, i);
    }
    return !faults.any;
}

// Collects faults as text, one line each, cut at the error's size.
struct lines {
    const struct saga_flow *flow;
    struct error *error;
};

static void add_line(void *ctx, int step, const char *what) {
    struct lines *lines = ctx;
    const struct saga_flow *flow = lines->flow;
    if (!error_is(lines->error))
        error_set(lines->error, ERR_CONFIG_INVALID, "flow %s:", flow->name ? flow->name : "(no name)");
    size_t at = strlen(lines->error->text);
    const char *name = step >= 0 ? flow->steps[step].name : NULL;
    snprintf(lines->error->text + at, sizeof lines->error->text - at, "\n  step %s (%u): %s", name ? name : "-",
             step >= 0 ? flow->steps[step].id : 0, what);
}

bool saga_flow_valid(const struct saga_flow *flow, struct error *ret_error) {
    struct error error = {0};
    struct lines lines = {.flow = flow, .error = &error};
    if (saga_flow_check(flow, add_line, &lines))
        return true;
    *ret_error = error;
    return false;
}
