// What can be said to one saga from outside: look again, a signal, an operator's retry.
#include "saga/engine.h"

#include <stdio.h>
#include <stdlib.h>

// ---- Poke ---------------------------------------------------------------------------------------------------------

static void poke_loaded(void *ctx, struct saga_resident *resident, const struct error *error) {
    (void)ctx;
    (void)error; // ended or gone: there is nothing left to look at
    if (resident)
        resident_wake(resident, WAKE_POKED);
}

void saga_poke(struct saga_engine *engine, struct str gid) {
    engine_enter(engine);
    saga_load(engine, gid, poke_loaded, NULL);
    engine_leave(engine);
}

// ---- Signals and operators ----------------------------------------------------------------------------------------

struct command {
    struct saga_engine *engine;
    saga_reply_fn *done;
    void *ctx;
    char name[SAGA_NAME_MAX + 1];
    char id[SAGA_GID_MAX + 1];
    struct str payload; // owned
    struct audit_row audit;
    void (*also)(void *ctx, struct saga_turn *turn);
};

static struct command *command_new(struct saga_engine *engine, saga_reply_fn *done, void *ctx) {
    struct command *command = calloc(1, sizeof *command);
    if (!command)
        abort();
    command->engine = engine;
    command->done = done;
    command->ctx = ctx;
    return command;
}

static void command_finish(void *ctx, const struct error *error) {
    struct command *command = ctx;
    command->done(command->ctx, error);
    free((void *)(uintptr_t)command->payload.ptr);
    free(command);
}

static void commit(struct saga_turn *turn, struct command *command) {
    saga_turn_commit(turn, command_finish, command);
}

static struct saga_turn *turn_of(struct saga_resident *resident) {
    engine_enter(resident->engine); // left by saga_turn_commit()
    return turn_new(resident->engine, resident->subject, resident->group);
}

static void signal_loaded(void *ctx, struct saga_resident *resident, const struct error *error) {
    struct command *command = ctx;
    struct error refused = {0};
    bool duplicate = false;
    if (!resident || resident->lost) {
        error_set(&refused, ERR_STORE_STALE, NULL);
        command_finish(command, error ? error : &refused);
    } else if (!saga_instance_signal(&resident->saga, str_c(command->name), str_c(command->id), command->payload,
                                     &duplicate, &refused)) {
        command_finish(command, &refused);
    } else {
        // A repeat is acknowledged when the first is durable: behind it, in the same group.
        struct saga_turn *turn = turn_of(resident);
        if (!duplicate)
            turn_signal(turn, resident);
        commit(turn, command);
    }
}

void saga_signal(struct saga_engine *engine, struct str gid, struct str name, struct str id, struct str payload,
                 saga_reply_fn *done, void *ctx) {
    struct command *command = command_new(engine, done, ctx);
    struct error error = {0};
    engine_enter(engine);
    char *copy = payload.len <= SAGA_SIGNAL_MAX ? malloc(payload.len + 1) : NULL;
    bool reserved = str_starts(name, STR("child:"));
    if (!copy || reserved || str_empty(name) || str_empty(id) || !str_copy(name, command->name, sizeof command->name) ||
        !str_copy(id, command->id, sizeof command->id)) {
        free(copy);
        error_set(&error, ERR_INVALID_REQUEST,
                  "a signal has a name of 1..%d bytes (not child:…), an id of 1..%d and at most %d bytes",
                  SAGA_NAME_MAX, SAGA_GID_MAX, SAGA_SIGNAL_MAX);
        command_finish(command, &error);
    } else {
        if (payload.len)
            memcpy(copy, payload.ptr, payload.len);
        command->payload = str_n(copy, payload.len);
        saga_load(engine, gid, signal_loaded, command);
    }
    engine_leave(engine);
}

static bool can_retry(const struct saga_instance *saga) {
    for (uint8_t i = 0; i < saga->n_legs; i++) {
        enum leg_state state = saga->legs[i].state;
        if (state == LEG_PARKED || state == LEG_UNDO_PARKED || state == LEG_RETRYING || state == LEG_UNDO_RETRYING ||
            state == LEG_WAITING)
            return true;
    }
    return false;
}

static void retry_loaded(void *ctx, struct saga_resident *resident, const struct error *error) {
    struct command *command = ctx;
    struct error refused = {0};
    if (!resident) {
        command_finish(command, error);
    } else if (resident->busy || resident->lost || resident->resuming || resident->wake & WAKE_RESUMED) {
        error_set(&refused, ERR_SAGA_STATE, "the saga is just being written; try again");
        refused.retry_after_ms = 100;
        command_finish(command, &refused);
    } else if (!can_retry(&resident->saga)) {
        error_set(&refused, ERR_SAGA_STATE, "no step is parked or waits for its next attempt");
        command_finish(command, &refused);
    } else {
        struct saga_turn *turn = turn_of(resident);
        struct audit_row *audit = &command->audit;
        memcpy(audit->gid, resident->saga.gid, sizeof audit->gid);
        audit->at_ms = turn->now_ms;
        snprintf(audit->before, sizeof audit->before, "%s%s", saga_status_name(resident->saga.status),
                 saga_instance_parked(&resident->saga) ? ", parked" : "");
        turn_retry(turn, resident);
        snprintf(audit->after, sizeof audit->after, "%s", saga_status_name(resident->saga.status));
        id_make(turn->now_ms, resident->slot, resident->engine->options.random, resident->engine->options.random_ctx,
                audit->audit_no);
        saga_turn_row(turn, &audit_table, STORE_INSERT, audit);
        if (command->also)
            command->also(command->ctx, turn);
        commit(turn, command);
    }
}

void saga_retry(struct saga_engine *engine, struct str gid, const struct saga_operator *op, saga_reply_fn *done,
                void *ctx) {
    struct command *command = command_new(engine, done, ctx);
    struct error error = {0};
    command->also = op->also;
    engine_enter(engine);
    str_copy(STR("retry"), command->audit.action, sizeof command->audit.action);
    if (str_empty(op->reason) || !str_copy(op->reason, command->audit.reason, sizeof command->audit.reason) ||
        !str_copy(op->caller, command->audit.caller, sizeof command->audit.caller)) {
        error_set(&error, ERR_INVALID_REQUEST, NULL);
        error_field(&error, "reason", "must have 1..200 bytes");
        command_finish(command, &error);
    } else {
        saga_load(engine, gid, retry_loaded, command);
    }
    engine_leave(engine);
}
