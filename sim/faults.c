#include "sim/faults.h"

#include "base/splitmix.h"

#include <stdlib.h>

#define KIND(name) PARTICIPANT__SIM__V1__FAULT_KIND__FAULT_KIND_##name

struct sim_faults {
    struct sim_fault *rules; // room for SIM_FAULTS_MAX
    size_t n;
    int64_t last_id;
    uint64_t dice;
};

struct sim_faults *sim_faults_new(uint64_t seed) {
    struct sim_faults *faults = calloc(1, sizeof *faults);
    if (!faults || !(faults->rules = calloc(SIM_FAULTS_MAX, sizeof *faults->rules)))
        abort();
    faults->dice = seed;
    return faults;
}

void sim_faults_free(struct sim_faults *faults) {
    if (!faults)
        return;
    free(faults->rules);
    free(faults);
}

int64_t sim_faults_add(struct sim_faults *faults, const struct sim_fault *fault) {
    if (faults->n == SIM_FAULTS_MAX)
        return 0;
    struct sim_fault *rule = &faults->rules[faults->n++];
    *rule = *fault;
    rule->id = ++faults->last_id;
    return rule->id;
}

void sim_faults_clear(struct sim_faults *faults, const char *system) {
    size_t kept = 0;
    for (size_t i = 0; i < faults->n; i++)
        if (*system && strcmp(faults->rules[i].system, system) != 0)
            faults->rules[kept++] = faults->rules[i];
    faults->n = kept;
}

const struct sim_fault *sim_faults_list(const struct sim_faults *faults, size_t *ret_n) {
    *ret_n = faults->n;
    return faults->rules;
}

static bool is_or_all(const char *pattern, const char *name) {
    return strcmp(pattern, "*") == 0 || strcmp(pattern, name) == 0;
}

static bool fits(const struct sim_fault *rule, const struct sim_fault_subject *subject) {
    return is_or_all(rule->system, subject->system->def->name) && is_or_all(rule->method, subject->method) &&
           (!*rule->user || (subject->user && strcmp(rule->user, subject->user) == 0)) &&
           (!*rule->key_prefix || str_starts(str_c(subject->key), str_c(rule->key_prefix)));
}

static bool fires(struct sim_faults *faults, struct sim_fault *rule, const struct sim_fault_subject *subject) {
    if (rule->left == 0 || !fits(rule, subject))
        return false;
    if (rule->permille > 0 && splitmix_next(&faults->dice) % 1000 >= (uint64_t)rule->permille)
        return false;
    if (rule->left > 0)
        rule->left--;
    rule->fired++;
    subject->system->stats.faults_fired++;
    return true;
}

static bool is_create(const struct sim_fault_subject *subject) {
    return subject->system->def == &sim_payment_def && strcmp(subject->method, "CreatePayment") == 0;
}

static bool is_refund(const struct sim_fault_subject *subject) {
    return subject->system->def == &sim_payment_def && strcmp(subject->method, "RefundPayment") == 0;
}

// Does this kind mean anything to a call (and not only to a notification)?
static bool of_call(int32_t kind, const struct sim_fault_subject *subject) {
    switch (kind) {
    case KIND(DELAY):
    case KIND(UNAVAILABLE):
    case KIND(NO_ANSWER):
    case KIND(ERROR):
    case KIND(REJECT):
    case KIND(DOWN):
    case KIND(BENT_ANSWER):
    case KIND(SLOW_DRIP): return true;
    case KIND(EARLY_CALLBACK):
    case KIND(FORGED_SIGNATURE): return is_create(subject);
    case KIND(REFUND_FAILS): return is_refund(subject);
    default: return false;
    }
}

static bool of_notification(int32_t kind) {
    return kind >= KIND(DUPLICATE_CALLBACK) && kind <= KIND(CONTRADICTING_CALLBACK) && kind != KIND(EARLY_CALLBACK);
}

static void plan_add(struct sim_plan *plan, const struct sim_fault *rule) {
    switch ((int32_t)rule->kind) {
    case KIND(DELAY): plan->delay_ms += rule->delay_ms; break;
    case KIND(UNAVAILABLE):
    case KIND(ERROR):
    case KIND(DOWN):
        if (plan->fails == 0)
            plan->fails = (int32_t)rule->kind;
        break;
    case KIND(NO_ANSWER): plan->no_answer = true; break;
    case KIND(REJECT):
        plan->reject = true;
        memcpy(plan->code, rule->code, sizeof plan->code);
        break;
    case KIND(SLOW_DRIP): plan->drip_ms = rule->delay_ms > 0 ? rule->delay_ms : 20; break;
    case KIND(EARLY_CALLBACK): plan->early_callback = true; break;
    case KIND(FORGED_SIGNATURE): plan->forged_callback = true; break;
    case KIND(BENT_ANSWER): memcpy(plan->bend, rule->code, sizeof plan->bend); break;
    case KIND(REFUND_FAILS): memcpy(plan->refund_fails, rule->code, sizeof plan->refund_fails); break;
    default: break;
    }
}

void sim_faults_plan(const struct sim_fault_subject *subject, struct sim_plan *plan) {
    struct sim_faults *faults = subject->system->sim->faults;
    for (size_t i = 0; i < faults->n; i++) {
        struct sim_fault *rule = &faults->rules[i];
        if (of_call((int32_t)rule->kind, subject) && fires(faults, rule, subject))
            plan_add(plan, rule);
    }
}

const struct sim_fault *sim_faults_twist(const struct sim_fault_subject *subject) {
    struct sim_faults *faults = subject->system->sim->faults;
    for (size_t i = 0; i < faults->n; i++) {
        struct sim_fault *rule = &faults->rules[i];
        if (of_notification((int32_t)rule->kind) && fires(faults, rule, subject))
            return rule;
    }
    return NULL;
}
