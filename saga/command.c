// What can be said to one saga from outside: a signal. (Operators: operate.c.)
#include "saga/engine.h"

#include <stdlib.h>

// ---- Commands -----------------------------------------------------------------------------------------------------

struct command {
    struct saga_engine *engine;
    struct command *next, **link; // of those that wait for a row
    saga_reply_fn *done;
    void *ctx;
    char gid[SAGA_GID_MAX + 1];
    char name[SAGA_NAME_MAX + 1];
    char id[SAGA_GID_MAX + 1];
    struct str payload; // owned
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

static void refuse(struct command *command, enum err code, const char *text) {
    struct error error;
    error_set(&error, code, "%s", text ? text : err_info(code)->text);
    command_finish(command, &error);
}

static struct saga_turn *turn_about(struct saga_resident *resident) {
    engine_enter(resident->engine); // left by saga_turn_commit()
    return turn_new(resident->engine, resident->subject, resident);
}

// ---- Signals ------------------------------------------------------------------------------------------------------

static void signal_known(struct command *command, const struct saga_instance *saga) {
    const struct saga_signal *known = saga_instance_find_signal(saga, str_c(command->name), str_c(command->id));
    if (!known)
        refuse(command, ERR_SAGA_STATE, "the saga has ended");
    else if (!str_eq(known->payload, command->payload))
        refuse(command, ERR_IDEMPOTENCY_KEY_REUSED, NULL);
    else
        command_finish(command, NULL);
}

static void ask(struct command *command) {
    struct saga_engine *engine = command->engine;
    command->next = engine->asking;
    command->link = &engine->asking;
    if (command->next)
        command->next->link = &command->next;
    engine->asking = command;
}

static void stop_asking(struct command *command) {
    *command->link = command->next;
    if (command->next)
        command->next->link = command->link;
}

void engine_drop_commands(struct saga_engine *engine) {
    struct error error;
    error_set(&error, ERR_SHUTTING_DOWN, NULL);
    while (engine->asking) {
        struct command *command = engine->asking;
        stop_asking(command);
        command_finish(command, &error);
    }
}

static void ended_read(void *ctx, const struct error *error, const void *rows, size_t n) {
    struct command *command = ctx;
    stop_asking(command);
    struct saga_instance instance;
    struct error unreadable = {0};
    if (error) {
        command_finish(command, error);
    } else if (n == 0) {
        refuse(command, ERR_SAGA_NOT_FOUND, NULL);
    } else if (!saga_row_instance(command->engine, rows, &instance, &unreadable)) {
        command_finish(command, &unreadable); // whether it had this signal can't be told
    } else {
        signal_known(command, &instance);
        saga_instance_release(&instance);
    }
}

static void signal_loaded(void *ctx, struct saga_resident *resident, const struct error *error);

static void signal_resident(struct command *command, struct saga_resident *resident) {
    struct error error = {0};
    bool duplicate = false;
    if (resident_has_ended(resident)) {
        signal_known(command, &resident->saga);
    } else if (resident->lost || saga_status_ended(resident->saga.status)) {
        // Its end is just being written, or what led to it is loaded afresh: soon it will be known which.
        resident_await(resident, signal_loaded, command);
    } else if (!saga_instance_signal(&resident->saga, str_c(command->name), str_c(command->id), command->payload,
                                     &duplicate, &error)) {
        command_finish(command, &error);
    } else {
        // A repeat is acknowledged when the first is durable: behind it, in the same group.
        struct saga_turn *turn = turn_about(resident);
        if (!duplicate)
            turn_tell(turn, resident);
        saga_turn_commit(turn, command_finish, command);
    }
}

static void signal_loaded(void *ctx, struct saga_resident *resident, const struct error *error) {
    struct command *command = ctx;
    if (resident) {
        signal_resident(command, resident);
    } else if (error->code == ERR_SAGA_STATE) {
        struct store_query query = {.table = &saga_table,
                                    .conds = {{.column = "gid", .cmp = STORE_EQ, .text = str_c(command->gid)}},
                                    .limit = 1};
        ask(command);
        store_read(command->engine->options.store, &query, ended_read, command);
    } else {
        command_finish(command, error);
    }
}

void saga_signal(struct saga_engine *engine, struct str gid, struct str name, struct str id, struct str payload,
                 saga_reply_fn *done, void *ctx) {
    struct command *command = command_new(engine, done, ctx);
    engine_enter(engine);
    if (payload.len <= SAGA_SIGNAL_MAX)
        command->payload = saga_copy_bytes(payload);
    bool fits = command->payload.ptr && !str_empty(name) && str_copy(name, command->name, sizeof command->name) &&
                !str_empty(id) && str_copy(id, command->id, sizeof command->id) && str_is_utf8(name) && str_is_utf8(id);
    struct error error;
    if (!fits) {
        error_set(&error, ERR_INVALID_REQUEST,
                  "a signal has a name of 1..%d bytes, an id of 1..%d and at most %d of its own", SAGA_NAME_MAX,
                  SAGA_GID_MAX, SAGA_SIGNAL_MAX);
        command_finish(command, &error);
    } else {
        str_copy(gid, command->gid, sizeof command->gid);
        saga_load(engine, gid, signal_loaded, command);
    }
    engine_exit(engine);
}
