#include "tests/simulation/client.h"

#include "saga/participant.h"
#include "saga/request.h"
#include "tests/simulation/books.h"
#include "tests/simulation/center.h"
#include "tests/simulation/durable.h"
#include "tests/simulation/operator.h"
#include "tests/simulation/steps.h"
#include "tests/simulation/world.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum { AGAIN_MS = 700, LATE_MS = 25000, FORWARD_MS = 3 };

// One asking of one process.
struct attempt {
    struct attempt *next, **link; // of the process
    struct client *client;
    struct center *center;
    struct request_entry *entry;
    bool known; // it was made before, and need not be so any more
    struct request_row row;
};

// ---- Attempts -----------------------------------------------------------------------------------------------------

static struct attempt *attempt_new(struct client *client, struct center *center) {
    struct attempt *attempt = calloc(1, sizeof *attempt);
    if (!attempt)
        abort();
    *attempt =
        (struct attempt){.next = center->attempts, .link = &center->attempts, .client = client, .center = center};
    if (attempt->next)
        attempt->next->link = &attempt->next;
    center->attempts = attempt;
    client->under_way++;
    return attempt;
}

static void attempt_free(struct attempt *attempt) {
    attempt->client->under_way--;
    *attempt->link = attempt->next;
    if (attempt->next)
        attempt->next->link = attempt->link;
    free(attempt);
}

void client_forget(struct center *center) {
    while (center->attempts)
        attempt_free(center->attempts);
}

// ---- Answers ------------------------------------------------------------------------------------------------------

static bool has_signal(const struct client *client) {
    const struct saga_row *row = durable_saga(client->gid);
    if (!row)
        return books_status_of(client->gid) != 0; // it went with its saga
    struct saga_instance saga = durable_instance(row);
    bool has = saga_instance_find_signal(&saga, str_c(client->name), str_c(client->request_id)) != NULL;
    saga_instance_release(&saga);
    return has;
}

static size_t audits(const struct client *client) {
    struct store_query query = {.table = &audit_table,
                                .conds = {{.column = "reason", .cmp = STORE_EQ, .text = str_c(client->request_id)}}};
    return durable_count(&query);
}

static bool has_payment(const struct client *client) {
    struct sim_payment_row like;
    snprintf(like.subject, sizeof like.subject, "%s", world_now->subjects[world_saga(client->saga).subject]);
    snprintf(like.name, sizeof like.name, "%s", client->request_id);
    return durable_row(&sim_payment_table, &like) != NULL;
}

// What was acknowledged is durable, now and for good.
static void check_kept(const struct client *client) {
    bool kept = true;
    switch (client->kind) {
    case ITEM_START: kept = books_status_of(client->gid) != 0; break;
    case ITEM_SIGNAL: kept = has_signal(client); break;
    case ITEM_PAY: kept = has_payment(client); break;
    case ITEM_OPERATE:
    case ITEM_HOLD: kept = audits(client) == 1; break;
    default: break;
    }
    if (!kept)
        world_broken("E10", "%s of %s was acknowledged and is not durable", client->request_id,
                     world_short(client->gid));
}

static bool is_definite(const struct client *client, enum err code) {
    if (client->kind == ITEM_TAKEN && (code == ERR_SAGA_EXISTS || code == ERR_STORE_CONFLICT))
        return true;
    return err_info(code)->outcome == OUTCOME_REJECTED && code != ERR_FLOW_UNKNOWN && code != ERR_STORE_REFUSED &&
           code != ERR_STORE_CORRUPT;
}

// Asks whoever it is told about, soon.
static void ask_elsewhere(struct client *client, struct center *center) {
    const char *owner = saga_engine_owner(center->engine, id_slot(str_c(client->gid)));
    client->hint = owner ? owner[1] - '0' : -1;
    if (owner)
        world_now->time.timers.set(&world_now->time, &client->timer, world_now->time.now_ms + FORWARD_MS);
    else
        saga_engine_look(center->engine);
}

// Whether what was acknowledged went with its saga, so that a repeat finds nothing of it.
static bool has_gone(const struct client *client, enum err code) {
    return client->kind == ITEM_SIGNAL && code == ERR_SAGA_NOT_FOUND && !durable_saga(client->gid) &&
           books_status_of(client->gid) != 0;
}

// The answer reaches the caller, unless the process dies before it gives it.
static void reply(struct attempt *attempt, const struct error *error) {
    struct client *client = attempt->client;
    struct center *center = attempt->center;
    enum err code = error ? error->code : ERR_OK;
    bool known = attempt->known;
    if (!center->dying && center_dies_at(center, DIE_AT_REPLY))
        center_die(center, "while it answers a caller");
    if (center->dying) {
        attempt_free(attempt);
        return;
    }
    world_trace(center->label, "answers %s about %s: %s", client->request_id, world_short(client->gid),
                err_info(code)->name);
    bool owner =
        client->kind == ITEM_HOLD ? center_is_current(center) : center_owns(center, id_slot(str_c(client->gid)));
    attempt_free(attempt);
    if (code == ERR_SLOT_ELSEWHERE)
        ask_elsewhere(client, center);
    if (!owner && code != ERR_OK)
        return; // whatever a stale owner refuses, another one may accept
    if (client->acknowledged && is_definite(client, code) && !has_gone(client, code))
        world_broken("E10", "%s was acknowledged and is refused now with %s", client->request_id, err_info(code)->name);
    if (code == ERR_OK && !client->acknowledged) {
        client->acknowledged = true;
        check_kept(client);
    } else if (is_definite(client, code)) {
        client->refused = true;
        client->early = client->early || client->under_way > 0;
        client->code = code;
    }
    if (client->kind == ITEM_OPERATE && client_wants_nothing(client))
        operator_answered(client);
    if (client->kind == ITEM_HOLD && client_wants_nothing(client))
        operator_held(client, known ? NULL : center, code == ERR_OK);
}

// What was refused made nothing: its request id is free again.
static void drop(struct attempt *attempt, const struct error *error) {
    struct request_entry *entry = attempt->entry;
    struct error told = *error;
    bool gone = attempt->center->dying || !attempt->center->store;
    attempt->entry = NULL;
    reply(attempt, &told);
    if (!gone)
        request_dropped(entry);
}

static void replied(void *ctx, const struct error *error) {
    struct attempt *attempt = ctx;
    if (attempt->entry)
        drop(attempt, error);
    else
        reply(attempt, error);
}

static void refuse(struct attempt *attempt, enum err code) {
    struct error error;
    error_set(&error, code, NULL);
    reply(attempt, &error);
}

// ---- Commands about a subject, or about none ----------------------------------------------------------------------

static void made(struct attempt *attempt, struct saga_turn *turn) {
    request_made(attempt->entry, turn, str_c(attempt->client->gid), STR_NONE, &attempt->row);
    attempt->entry = NULL;
    saga_turn_commit(turn, replied, attempt);
}

static void start(struct attempt *attempt, struct sim_subject *subject) {
    const struct client *client = attempt->client;
    struct saga_traits traits = world_saga(client->saga);
    struct saga_turn *turn = saga_turn_begin(attempt->center->engine, subject ? &subject->base : NULL);
    struct saga_start start = {
        .flow = sim_flow_name(&world_now->flows, traits.flow), .gid = str_c(client->gid), .input = str_c(client->body)};
    struct error error = {0};
    if (!saga_turn_start(turn, &start, &error)) {
        saga_turn_abandon(turn);
        drop(attempt, &error);
        return;
    }
    if (subject)
        subject_entry(subject, client->gid);
    made(attempt, turn);
}

// A payment is taken in whatever became of its saga: used by it, or given back (E9).
static void pay(struct attempt *attempt, struct sim_subject *subject) {
    const struct client *client = attempt->client;
    struct saga_turn *turn = saga_turn_begin(attempt->center->engine, &subject->base);
    if (subject_find_payment(subject, client->request_id)) { // its request is forgotten, it is not (E15)
        made(attempt, turn);
        return;
    }
    struct payment *payment = subject_payment(subject, client->request_id);
    const struct sim_entry_row *entry = subject_find_entry(subject, client->gid);
    snprintf(payment->row.gid, sizeof payment->row.gid, "%s", client->gid);
    if (entry && !entry->paid[0] && entry->ends == 0 && entry->reversals == 0) {
        struct sim_entry_row *paid = subject_entry(subject, client->gid);
        snprintf(paid->paid, sizeof paid->paid, "%s", client->request_id);
        saga_turn_poke(turn, str_c(client->gid));
    } else {
        step_refund(turn, subject, payment);
    }
    made(attempt, turn);
}

static void act(struct attempt *attempt, struct sim_subject *subject) {
    if (attempt->client->kind == ITEM_PAY)
        pay(attempt, subject);
    else
        start(attempt, subject);
}

static void subject_there(void *ctx, struct sim_subject *subject, const struct error *error) {
    struct attempt *attempt = ctx;
    if (subject)
        act(attempt, subject);
    else
        drop(attempt, error);
}

static void operated(void *ctx, struct saga_turn *turn) {
    struct attempt *attempt = ctx;
    request_made(attempt->entry, turn, str_c(attempt->client->gid), STR_NONE, &attempt->row);
    attempt->entry = NULL;
}

static void execute(struct attempt *attempt) {
    const struct client *client = attempt->client;
    if (client->kind == ITEM_HOLD) {
        const struct saga_pausing pausing = {
            .caller = STR("operator"), .reason = str_c(client->request_id), .also = operated};
        limits_told(attempt->center);
        saga_participant_pause(attempt->center->engine, str_c(client->gid), client->operation.act == SAGA_ACT_PAUSE,
                               &pausing, replied, attempt);
        return;
    }
    if (client->kind == ITEM_OPERATE) {
        char answer[SAGA_ANSWER_MAX + 512];
        struct saga_operation operation = operator_operation(client, answer);
        operation.also = operated;
        saga_operate(attempt->center->engine, str_c(client->gid), &operation, replied, attempt);
        return;
    }
    int32_t subject = world_saga(client->saga).subject;
    if (subject >= 0)
        subject_want(&attempt->center->subjects, str_c(world_now->subjects[subject]), subject_there, attempt);
    else
        act(attempt, NULL);
}

static void looked_up(void *ctx, enum request_verdict verdict, struct request_entry *entry,
                      const struct request_row *row, const struct error *error) {
    struct attempt *attempt = ctx;
    switch (verdict) {
    case REQUEST_NEW:
        attempt->entry = entry;
        execute(attempt);
        break;
    case REQUEST_KNOWN:
        if (strcmp(row->ref, attempt->client->gid) != 0)
            world_broken("request", "%s made %s, and is answered with %s", attempt->client->request_id,
                         world_short(attempt->client->gid), world_short(row->ref));
        attempt->known = true;
        reply(attempt, NULL);
        break;
    case REQUEST_ERROR: reply(attempt, error); break;
    }
}

// ---- Asking -------------------------------------------------------------------------------------------------------

static void poke(struct attempt *attempt) {
    struct saga_turn *turn = saga_turn_begin(attempt->center->engine, NULL);
    saga_turn_poke(turn, str_c(attempt->client->gid));
    saga_turn_commit(turn, replied, attempt);
}

static void ask(struct client *client, struct center *center) {
    struct attempt *attempt = attempt_new(client, center);
    struct center *before = center_enter(center);
    world_trace(center->label, "is asked %s about %s", client->request_id, world_short(client->gid));
    if (store_room(center->store) == 0) {
        refuse(attempt, ERR_OVERLOADED);
    } else if (client->kind == ITEM_SIGNAL) {
        saga_signal(center->engine, str_c(client->gid), str_c(client->name), str_c(client->request_id),
                    str_c(client->request_id), replied, attempt);
    } else if (client->kind == ITEM_POKE) {
        poke(attempt);
    } else {
        struct request_id id = {
            .caller = STR("caller"), .id = str_c(client->request_id), .method = "M", .body = str_c(client->body)};
        request_begin(center->requests, &id, looked_up, attempt);
    }
    center_leave(center, before);
}

// One that can answer; now and then it is not the right one.
static struct center *choose(const struct client *client) {
    struct seeded dice = draw_stream(world_now->seed, client->request_id, client->asked);
    unsigned turn = client->number + (client->asked > 2 ? client->asked : 0); // who is not answered asks another one
    struct center *chosen = world_now->current[turn % world_now->shape->names];
    bool wrong = draw_chance(&dice, 20) && !world_now->calm;
    for (struct center *center = world_now->centers; center && wrong; center = center->next)
        if (draw_chance(&dice, 50))
            chosen = center;
    if (client->hint >= 0)
        chosen = world_now->current[client->hint];
    bool answers = chosen && !chosen->dying && chosen->paused_until_ms <= world_now->time.now_ms;
    return answers ? chosen : NULL;
}

static void on_time(void *ctx) {
    struct client *client = ctx;
    if (client_wants_nothing(client)) {
        if (!client->again || (client_is_operator(client) && client->refused))
            return;                                  // what an operator may not do now need not be so later
        if (client->number % 2 && !client->waited) { // when what was asked for may be gone
            client->waited = true;
            world_now->time.timers.set(&world_now->time, &client->timer, world_now->time.now_ms + LATE_MS);
            return;
        }
        client->again = false;
    }
    client->asked++;
    struct center *center = choose(client);
    client->hint = -1;
    if (center)
        ask(client, center);
    world_now->time.timers.set(&world_now->time, &client->timer,
                               world_now->time.now_ms + AGAIN_MS + (int64_t)(client->number % 97));
}

struct client *client_new(enum item_kind kind, const char *gid, uint32_t number) {
    struct client *client = calloc(1, sizeof *client);
    if (!client)
        abort();
    *client = (struct client){.next = world_now->clients, .kind = kind, .number = number};
    snprintf(client->gid, sizeof client->gid, "%s", gid);
    snprintf(client->request_id, sizeof client->request_id, "q%u", number);
    client->hint = -1;
    client->timer = (struct rpc_timer){.fire = on_time, .ctx = client};
    world_now->clients = client;
    world_now->time.timers.set(&world_now->time, &client->timer, world_now->time.now_ms);
    return client;
}

static void name_signal(struct client *client, const struct item *item) {
    snprintf(client->name, sizeof client->name, "%s", item->a % 2 ? "blue" : "green");
    snprintf(client->request_id, sizeof client->request_id, "signal%u", item->a);
}

// Several items may tell of the same signal or payment, or want the same start: they have one id then.
void client_begin(const struct item *item, uint32_t number) {
    struct client *client = client_new(item->kind, world_now->gids[item->target], number);
    struct saga_traits traits = world_saga(item->target);
    bool started = client_was_started(item->target);
    client->saga = item->target;
    client->again = item->b > 1 || (item->kind == ITEM_START && item->b);
    snprintf(client->body, sizeof client->body, "%lld", (long long)traits.amount + (item->kind == ITEM_MISUSE));
    switch (item->kind) {
    case ITEM_START:
    case ITEM_MISUSE: snprintf(client->request_id, sizeof client->request_id, "start%u", item->target); break;
    case ITEM_SIGNAL: name_signal(client, item); break;
    case ITEM_PAY: snprintf(client->request_id, sizeof client->request_id, "pay%u.%u", item->target, item->a); break;
    case ITEM_OPERATE: operator_decide(client, (enum saga_act)item->c); break;
    default: break;
    }
    bool misuses = item->kind == ITEM_MISUSE || item->kind == ITEM_TAKEN;
    // A gid is free again when its saga is deleted: whoever chooses gids must not choose one twice.
    bool may_be_free = item->kind == ITEM_TAKEN && world_now->shape->retention.interval_ms > 0;
    if ((misuses && !started) || may_be_free || (item->kind == ITEM_PAY && traits.subject < 0)) {
        client->refused = true; // there is nothing to misuse yet, nothing to pay for
        client->again = false;
    }
    if (item->kind == ITEM_OPERATE && item->b > 1) // several operators at once
        client_begin(&(struct item){.kind = ITEM_OPERATE,
                                    .target = item->target,
                                    .b = item->b - 1,
                                    .c = (item->c + 1 + number) % SAGA_ACTS},
                     number + PLAN_ITEMS_MAX);
    if (item->kind == ITEM_START && item->a)
        client_begin(&(struct item){.kind = ITEM_START, .target = item->target}, number); // a second one at once
}

void client_signal(const char *gid, const char *name, uint32_t number) {
    for (const struct client *other = world_now->clients; other; other = other->next)
        if (other->kind == ITEM_SIGNAL && !client_wants_nothing(other) && strcmp(other->gid, gid) == 0 &&
            strcmp(other->name, name) == 0)
            return; // one is on its way
    struct client *client = client_new(ITEM_SIGNAL, gid, number);
    snprintf(client->name, sizeof client->name, "%s", name);
    snprintf(client->request_id, sizeof client->request_id, "help%u", number);
}

// ---- Afterwards ---------------------------------------------------------------------------------------------------

bool clients_are_done(void) {
    for (const struct client *client = world_now->clients; client; client = client->next)
        if (!client_wants_nothing(client))
            return false;
    return true;
}

bool client_was_started(uint32_t saga) {
    for (const struct client *client = world_now->clients; client; client = client->next)
        if (client->kind == ITEM_START && client->saga == saga && client->acknowledged)
            return true;
    return false;
}

static void check_answer(const struct client *client) {
    bool must = client->kind == ITEM_START || (client->kind == ITEM_PAY && !client->refused);
    if (must && !client->acknowledged)
        world_broken("request", "%s of %s was refused with %s", client->request_id, world_short(client->gid),
                     err_info(client->code)->name);
    // A refusal is about the one that was refused. Another of the same request that was on its way may fare better.
    if (client_is_operator(client) && !client->acknowledged && !client->early && audits(client) > 0)
        world_broken("E8", "%s of %s was refused with %s, and was carried out", client->request_id,
                     world_short(client->gid), err_info(client->code)->name);
    if ((client->kind == ITEM_MISUSE || client->kind == ITEM_TAKEN) && client->acknowledged)
        world_broken("request", "%s of %s was not its caller's to make, and was accepted", client->request_id,
                     world_short(client->gid));
}

void clients_check(void) {
    for (const struct client *client = world_now->clients; client; client = client->next) {
        check_answer(client);
        if (client->acknowledged)
            check_kept(client);
    }
}

void clients_release(void) {
    while (world_now->clients) {
        struct client *next = world_now->clients->next;
        free(world_now->clients);
        world_now->clients = next;
    }
}
