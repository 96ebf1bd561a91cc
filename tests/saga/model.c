#include "tests/saga/model.h"

#include "tests/cmocka.h"

#include <stdio.h>
#include <stdlib.h>

enum { LATENCY_MS = 1 };

void model_init(struct model *model, struct virtual_time *time) {
    *model = (struct model){.time = time};
}

// One that has not ended: it is on its way, its answer is, or neither ever will be.
struct request {
    struct request *next, **link;
    struct saga_call *call; // NULL: nobody waits for the answer
    struct model_key *key;
    enum saga_op op;
    enum outcome outcome;
    enum err code; // ERR_OK: as the outcome says
};

static void end(struct request *request) {
    *request->link = request->next;
    if (request->next)
        request->next->link = request->link;
    free(request);
}

static void free_key(void *ctx, struct map_node *node) {
    struct model_key *key = CONTAINER_OF(node, struct model_key, node);
    map_remove(ctx, node);
    for (int op = 0; op <= SAGA_INQUIRE; op++)
        free(key->bodies[op]);
    free(key);
}

void model_release(struct model *model) {
    while (model->requests) {
        if (model->requests->call)
            saga_call_done(model->requests->call, OUTCOME_UNKNOWN, ERR_OK, NULL, NULL, STR_NONE);
        end(model->requests);
    }
    map_each(&model->keys, free_key, &model->keys);
    map_release(&model->keys);
}

void model_plan(struct model *model, const char *step, enum saga_op op, enum model_fate fate, unsigned times,
                int64_t ms) {
    assert_true(model->n_plans < MODEL_PLANS_MAX);
    model->plans[model->n_plans++] = (struct model_plan){step, op, fate, times, ms};
}

static struct model_plan take_plan(struct model *model, const char *step, enum saga_op op) {
    for (unsigned i = 0; i < model->n_plans; i++) {
        struct model_plan *plan = &model->plans[i];
        if (plan->times > 0 && plan->op == op && strcmp(plan->step, step) == 0) {
            plan->times--;
            return *plan;
        }
    }
    return (struct model_plan){.fate = MODEL_OK};
}

struct model_key *model_key(const struct model *model, const char *key) {
    struct map_node *node = map_find(&model->keys, str_c(key));
    return node ? CONTAINER_OF(node, struct model_key, node) : NULL;
}

enum model_state model_state(const struct model *model, const char *key) {
    const struct model_key *found = model_key(model, key);
    return found ? found->state : MODEL_UNSEEN;
}

unsigned model_requests(const struct model *model, const char *key, enum saga_op op) {
    const struct model_key *found = model_key(model, key);
    return found ? found->requests[op] : 0;
}

static struct model_key *key_of(struct model *model, const char *text) {
    struct model_key *key = model_key(model, text);
    if (key)
        return key;
    key = calloc(1, sizeof *key);
    assert_non_null(key);
    snprintf(key->key, sizeof key->key, "%s", text);
    map_insert(&model->keys, &key->node, str_c(key->key));
    return key;
}

// ---- One request --------------------------------------------------------------------------------------------------

static void take_effect(struct model_key *key, enum saga_op op, bool refuse) {
    if (op == SAGA_ACTION && key->state == MODEL_UNSEEN) {
        key->state = refuse ? MODEL_REJECTED : MODEL_APPLIED;
        key->effects += key->state == MODEL_APPLIED;
    } else if (op == SAGA_COMPENSATE && !refuse && (key->state == MODEL_UNSEEN || key->state == MODEL_APPLIED)) {
        key->undone += key->state == MODEL_APPLIED;
        key->state = MODEL_COMPENSATED; // of a key never seen, too: the late action will be refused
    }
}

static void arrive(void *arg) {
    struct request *request = arg;
    take_effect(request->key, request->op, false);
    end(request);
}

static void answer(void *arg) {
    struct request *request = arg;
    struct saga_call *call = request->call;
    const struct model_key *key = request->key;
    bool asked = request->op == SAGA_INQUIRE, question = saga_call_step(call)->ask;
    enum outcome outcome = request->outcome;
    enum err code = request->code;
    char text[SAGA_KEY_MAX + 16];
    snprintf(text, sizeof text, "answer to %s", key->key);
    if (outcome == OUTCOME_OK && request->op != SAGA_COMPENSATE && !question &&
        (key->state == MODEL_REJECTED || key->state == MODEL_COMPENSATED))
        outcome = OUTCOME_REJECTED;
    end(request);
    if (outcome == OUTCOME_OK && asked && !question && key->state == MODEL_UNSEEN)
        saga_call_never_seen(call);
    else if (outcome == OUTCOME_OK)
        saga_call_ok(call, str_c(text));
    else
        saga_call_done(call, outcome, outcome == OUTCOME_REJECTED ? ERR_PARTICIPANT_REJECTED : code, NULL, "as planned",
                       STR_NONE);
}

static struct request *request_new(struct model *model, struct saga_call *call, struct model_key *key, enum saga_op op,
                                   enum outcome outcome) {
    struct request *request = malloc(sizeof *request);
    assert_non_null(request);
    *request = (struct request){model->requests, &model->requests, call, key, op, outcome, ERR_OK};
    if (request->next)
        request->next->link = &request->next;
    model->requests = request;
    return request;
}

static const struct {
    bool arrives, answers;
    enum outcome outcome; // OK: as the key's state says
} fates[] = {
    [MODEL_OK] = {true, true, OUTCOME_OK},
    [MODEL_REFUSE] = {true, true, OUTCOME_OK},
    [MODEL_AGAIN] = {false, true, OUTCOME_RETRY},
    [MODEL_NO_ROOM] = {false, true, OUTCOME_RETRY},
    [MODEL_LOST_REQUEST] = {false, true, OUTCOME_UNKNOWN},
    [MODEL_LOST_ANSWER] = {true, true, OUTCOME_UNKNOWN},
    [MODEL_LATE] = {false, true, OUTCOME_UNKNOWN},
    [MODEL_SLOW] = {true, true, OUTCOME_OK},
    [MODEL_HANGS] = {true, false, OUTCOME_OK},
    [MODEL_KILLS] = {false, false, OUTCOME_OK},
};

void model_send(struct model *model, struct saga_call *call, const char *body) {
    enum saga_op op = saga_call_op(call);
    struct model_key *key = key_of(model, saga_call_key(call));
    struct model_plan plan = take_plan(model, saga_call_step(call)->name, op);
    int64_t deadline_ms = saga_call_deadline_ms(call);
    enum outcome outcome = fates[plan.fate].outcome;
    model->sent++;
    key->requests[op]++;
    if (!key->bodies[op])
        key->bodies[op] = strdup(body);
    if (model->watch)
        model->watch(model->ctx, call, body);
    if (fates[plan.fate].arrives)
        take_effect(key, op, plan.fate == MODEL_REFUSE);
    if (plan.fate == MODEL_REFUSE && op == SAGA_COMPENSATE)
        outcome = OUTCOME_REJECTED;
    struct request *request = request_new(model, call, key, op, outcome);
    request->code = plan.fate == MODEL_NO_ROOM ? ERR_OVERLOADED : ERR_OK;
    if (fates[plan.fate].answers)
        model->time->scheduler.later(model->time,
                                     plan.fate == MODEL_SLOW      ? plan.ms
                                     : outcome == OUTCOME_UNKNOWN ? deadline_ms
                                                                  : LATENCY_MS,
                                     answer, request);
    if (plan.fate == MODEL_LATE)
        model->time->scheduler.later(model->time, deadline_ms + plan.ms, arrive,
                                     request_new(model, NULL, key, op, OUTCOME_OK));
    if (plan.fate == MODEL_KILLS)
        model->die(model->ctx);
}
