#include "flows/trade/command.h"
#include "flows/trade/load.h"
#include "flows/trade/quote.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { ARENA_MAX = 8 * 1024 * 1024, TRADE_WAITERS_MAX = 256 };

// ---- Fields that every request has --------------------------------------------------------------------------------

static void *field(const ProtobufCMessage *request, const char *name) {
    const ProtobufCFieldDescriptor *found = protobuf_c_message_descriptor_get_field_by_name(request->descriptor, name);
    return found ? (char *)(uintptr_t)request + found->offset : NULL;
}

const char *request_text(const ProtobufCMessage *request, const char *name) {
    const char *const *text = field(request, name);
    return text ? *text : NULL;
}

int32_t request_int(const ProtobufCMessage *request, const char *name) {
    const int32_t *value = field(request, name);
    return value ? *value : 0;
}

// The decoded fields, encoded again, without what only says how long to wait.
static struct str canonical(struct command *command) {
    int32_t *wait_ms = field(command->request, "wait_ms");
    int32_t kept = wait_ms ? *wait_ms : 0;
    if (wait_ms)
        *wait_ms = 0;
    size_t size = protobuf_c_message_get_packed_size(command->request);
    uint8_t *bytes = arena_alloc(&command->arena, size + 1);
    if (bytes)
        size = protobuf_c_message_pack(command->request, bytes);
    if (wait_ms)
        *wait_ms = kept;
    return bytes ? str_n(bytes, size) : STR_NONE;
}

// ---- The end ------------------------------------------------------------------------------------------------------

static void command_free(struct command *command) {
    trade_unwait(&command->waiter);
    heap_remove(&command->trades->waits, &command->until);
    command->trades->stats.waiting -= command->waits;
    if (command->trade)
        saga_subject_release(&command->trade->subject);
    arena_release(&command->arena);
    free(command);
}

static void answer_error(struct command *command, const struct error *error) {
    const char *request_id = request_text(command->request, "request_id");
    command->call->fail(command->call->ctx, error, command->trade_no, request_id ? request_id : "");
    command_free(command);
}

static void answer_bytes(struct command *command, struct str answer) {
    command->call->reply_bytes(command->call->ctx, answer);
    command_free(command);
}

void command_refuse(struct command *command, const struct error *error) {
    struct error copy = *error; // it may live in what is freed
    struct request_entry *entry = command->entry;
    command->entry = NULL;
    answer_error(command, &copy);
    if (entry)
        request_dropped(entry);
}

void command_refuse_as(struct command *command, enum err code, const char *format, ...) {
    struct error error;
    error_set(&error, code, NULL);
    if (format) {
        va_list args;
        va_start(args, format);
        vsnprintf(error.text, sizeof error.text, format, args);
        va_end(args);
    }
    command_refuse(command, &error);
}

void command_give_up(struct command *command, struct saga_turn *turn, const struct error *error) {
    saga_turn_abandon(turn);
    trades_alert(command->trades, "a saga can't start", command->trade, error->text);
    command_refuse_as(command, ERR_RETRY, "%s", error->text);
}

static struct str encode(struct arena *arena, const ProtobufCMessage *message) {
    size_t size = protobuf_c_message_get_packed_size(message);
    uint8_t *bytes = arena_alloc(arena, size + 1);
    if (!bytes)
        return STR_NONE;
    return str_n(bytes, protobuf_c_message_pack(message, bytes));
}

// ---- Waiting for the outcome --------------------------------------------------------------------------------------

static bool waiter_outcome(struct trade_waiter *waiter, struct arena *arena, struct str *ret_answer,
                           struct error *ret_error) {
    struct command *command = CONTAINER_OF(waiter, struct command, waiter);
    ProtobufCMessage *response = NULL;
    if (!command->kind->outcome(command, waiter->trade, true, arena, &response, ret_error))
        return false;
    if (response)
        *ret_answer = encode(arena, response);
    if (!ret_answer->ptr && !error_is(ret_error))
        error_set(ret_error, ERR_INTERNAL, "the answer is too large");
    return true;
}

// A caller who took this for a refusal and came with another request_id could buy twice.
static void acceptance_unknown(struct command *command, const char *text) {
    struct error error;
    error_set(&error, ERR_ACCEPTANCE_UNKNOWN, "%s", text ? text : err_info(ERR_ACCEPTANCE_UNKNOWN)->text);
    error.retry_after_ms = 1000;
    answer_error(command, &error);
}

static void refuse_large(struct command *command) {
    struct error error;
    error_set(&error, ERR_INTERNAL, "the answer is too large");
    answer_error(command, &error);
}

// The wait is over before the outcome: what is durable now.
static void present_read(void *ctx, struct trade *trade, const struct error *error) {
    struct command *command = ctx;
    ProtobufCMessage *response = NULL;
    struct error failed = {0};
    if (trade)
        command->kind->outcome(command, trade, false, &command->arena, &response, &failed);
    struct str answer = response ? encode(&command->arena, response) : STR_NONE;
    if (trade)
        saga_subject_release(&trade->subject);
    if (answer.ptr) {
        answer_bytes(command, answer);
        return;
    }
    if (error)
        acceptance_unknown(command, "accepted, but it can't be read at present; ask again with the same request_id");
    else if (error_is(&failed))
        answer_error(command, &failed);
    else
        refuse_large(command);
}

// Whether its turn is durable, so that it takes effect whatever becomes of this process.
static bool is_accepted(const struct command *command) {
    return command->waiter.told || command->known;
}

static void show_present(struct command *command) {
    heap_remove(&command->trades->waits, &command->until);
    load_snapshot(command->trades, str_c(command->trade_no), present_read, command);
}

static void waiter_done(struct trade_waiter *waiter, struct str answer, const struct error *error) {
    struct command *command = CONTAINER_OF(waiter, struct command, waiter);
    if (error)
        answer_error(command, error);
    else
        answer_bytes(command, answer);
}

static void waiter_failed(struct trade_waiter *waiter, const struct error *error) {
    struct command *command = CONTAINER_OF(waiter, struct command, waiter);
    if (is_accepted(command))
        show_present(command); // a later write failed; what this one began goes on when the trade is loaded afresh
    else
        answer_error(command, error);
}

int64_t commands_tick(struct trades *trades, int64_t now_ms) {
    struct heap_node *least;
    while ((least = heap_least(&trades->waits)) && least->key <= now_ms) {
        struct command *command = CONTAINER_OF(least, struct command, until);
        heap_remove(&trades->waits, least);
        trade_unwait(&command->waiter);
        if (is_accepted(command))
            show_present(command);
        else
            acceptance_unknown(command, NULL);
    }
    return least ? least->key : INT64_MAX;
}

void commands_end(struct trades *trades) {
    for (struct heap_node *least; (least = heap_least(&trades->waits));)
        acceptance_unknown(CONTAINER_OF(least, struct command, until), NULL);
}

// So that the answer is there before the caller gives up.
enum { ANSWER_MARGIN_MS = 100 };

static int64_t answer_by(const struct command *command, int64_t wait_ms) {
    int64_t deadline_ms = command->call->deadline_ms, until_ms = command->started_ms + wait_ms;
    if (deadline_ms == INT64_MAX || until_ms < deadline_ms - ANSWER_MARGIN_MS)
        return until_ms;
    return deadline_ms - ANSWER_MARGIN_MS;
}

static int64_t wait_until(const struct command *command) {
    const struct trades_options *options = &command->trades->options;
    int64_t wait_ms = request_int(command->request, "wait_ms");
    return answer_by(command, wait_ms < options->wait_max_ms ? wait_ms : options->wait_max_ms);
}

static void wait_to(struct command *command, int64_t until_ms) {
    if (command->trades->hurried)
        until_ms = trades_now(command->trades);
    heap_set(&command->trades->waits, &command->until, until_ms);
    trades_alarm_at(command->trades, until_ms);
}

// What was accepted is durable: now the caller's own wait counts.
static void waiter_accepted(struct trade_waiter *waiter) {
    struct command *command = CONTAINER_OF(waiter, struct command, waiter);
    wait_to(command, wait_until(command));
}

static void attach(struct command *command) {
    command->waiter = (struct trade_waiter){.outcome = waiter_outcome,
                                            .done = waiter_done,
                                            .failed = waiter_failed,
                                            .accepted = waiter_accepted,
                                            .request = &command->row};
    trade_wait(command->trade, &command->waiter);
    command->started_ms = trades_now(command->trades);
    wait_to(command, answer_by(command, command->trades->options.wait_max_ms));
    command->waits = true;
    command->trades->stats.waiting++;
}

// So that what one commit must answer stays bounded.
static bool has_room(const struct trade *trade, struct error *error) {
    if (trade->n_waiters < TRADE_WAITERS_MAX)
        return true;
    error_set(error, ERR_OVERLOADED, "%d calls wait for this trade already", TRADE_WAITERS_MAX);
    error->retry_after_ms = 500;
    return false;
}

// ---- Executing ----------------------------------------------------------------------------------------------------

struct saga_turn *command_turn(struct command *command) {
    return saga_turn_begin(command->trades->engine, &command->trade->subject);
}

bool command_is_current(struct command *command) {
    struct error error;
    if (!command->trade->subject.failed)
        return true;
    if (load_is_ours(command->trades, str_c(command->trade_no), &error))
        error_set(&error, ERR_STORE_STALE, NULL);
    command_refuse(command, &error);
    return false;
}

void command_join(struct command *command, struct saga_turn *turn, const char *ref) {
    struct trade *trade = command->trade;
    struct trade_row *row = trade_edit(trade);
    str_fit(str_c(command->call->request_id), row->call_id, sizeof row->call_id);
    str_fit(str_c(command->call->traceparent), row->traceparent, sizeof row->traceparent);
    memcpy(command->trade_no, row->trade_no, sizeof command->trade_no);
    command->ref = arena_str(&command->arena, str_c(ref));
    struct str full = arena_printf(&command->arena, "%s/%s", trade->row.trade_no, ref);
    request_made(command->entry, turn, full, STR_NONE, &command->row);
    command->entry = NULL;
    attach(command);
}

void command_made(struct command *command, struct saga_turn *turn, const char *ref) {
    command_join(command, turn, ref);
    saga_turn_commit(turn, NULL, NULL);
}

// What is asked of an order that was replaced must not be done to the one that replaced it.
static bool is_of_another_order(const struct command *command) {
    return command->purchase_no > 0 && command->purchase_no < command->trade->row.purchase_no;
}

static void trade_found(void *ctx, struct trade *trade, const struct error *error) {
    struct command *command = ctx;
    struct error crowded;
    if (error) {
        command_refuse(command, error);
        return;
    }
    command->trade = trade;
    memcpy(command->trade_no, trade->row.trade_no, sizeof command->trade_no);
    if (!command->call->may(command->call->ctx, str_c(trade->row.tenant_id)))
        command_refuse_as(command, ERR_TENANT_FORBIDDEN, NULL);
    else if (!command->kind->any_currency && strcmp(trade->row.currency, command->trades->options.currency) != 0)
        command_refuse_as(command, ERR_CONFIG_INVALID, "the trade is in %s and trade.currency is %s: set it back",
                          trade->row.currency, command->trades->options.currency);
    else if (is_of_another_order(command))
        command_refuse_as(command, ERR_TRADE_ENDED, "this order was replaced by another one of its trade");
    else if (!has_room(trade, &crowded))
        command_refuse(command, &crowded);
    else
        command->kind->execute(command);
}

static void order_found(void *ctx, const struct order_row *order, const struct error *error) {
    struct command *command = ctx;
    if (error) {
        command_refuse(command, error);
        return;
    }
    memcpy(command->trade_no, order->trade_no, sizeof command->trade_no);
    command->purchase_no = order->purchase_no;
    load_trade(command->trades, str_c(order->trade_no), trade_found, command);
}

static void execute_new(struct command *command) {
    char number[ID_LEN + 1];
    struct error error;
    quote_trade_no(command, number);
    if (load_is_ours(command->trades, str_c(number), &error)) {
        command->kind->execute(command);
        return;
    }
    memcpy(command->trade_no, number, sizeof number); // says where it belongs
    command_refuse(command, &error);
}

static void execute(struct command *command) {
    const char *trade_no = request_text(command->request, "trade_no");
    const char *order_no = request_text(command->request, "order_no");
    if (trade_no && trade_no[0]) {
        str_copy(str_c(trade_no), command->trade_no, sizeof command->trade_no);
        load_trade(command->trades, str_c(trade_no), trade_found, command);
    } else if (order_no && order_no[0]) {
        load_order(command->trades, str_c(order_no), order_found, command);
    } else {
        execute_new(command);
    }
}

// ---- Repeats ------------------------------------------------------------------------------------------------------

static void known_trade_found(void *ctx, struct trade *trade, const struct error *error) {
    struct command *command = ctx;
    struct error crowded;
    if (error) {
        answer_error(command, error);
        return;
    }
    command->trade = trade;
    if (!has_room(trade, &crowded)) {
        answer_error(command, &crowded);
        return;
    }
    command->known = true;
    attach(command);
    // If the outcome is there already, this turn makes the stored answer of it.
    struct saga_turn *turn = command_turn(command);
    saga_turn_commit(turn, NULL, NULL);
}

static void answer_known(struct command *command, const struct request_row *row) {
    struct str rest = str_c(row->ref), trade_no = str_cut(&rest, '/');
    str_copy(trade_no, command->trade_no, sizeof command->trade_no);
    if (row->answered && row->code != ERR_OK) {
        struct error error;
        error_set(&error, (enum err)row->code, "%s", row->text);
        answer_error(command, &error);
    } else if (row->answered) {
        answer_bytes(command, row->answer);
    } else {
        command->row = *row;
        command->ref = arena_str(&command->arena, rest);
        load_trade(command->trades, str_c(command->trade_no), known_trade_found, command);
    }
}

static void looked_up(void *ctx, enum request_verdict verdict, struct request_entry *entry,
                      const struct request_row *row, const struct error *error) {
    struct command *command = ctx;
    switch (verdict) {
    case REQUEST_NEW:
        command->entry = entry;
        execute(command);
        break;
    case REQUEST_KNOWN: answer_known(command, row); break;
    case REQUEST_ERROR: answer_error(command, error); break;
    }
}

void command_serve(struct trades *trades, struct trade_call *call, const ProtobufCMessage *request,
                   const struct command_kind *kind) {
    struct command *command = calloc(1, sizeof *command);
    if (!command)
        abort();
    command->trades = trades;
    command->call = call;
    command->kind = kind;
    command->request = request;
    command->method = request->descriptor->short_name;
    arena_init(&command->arena, ARENA_MAX);
    trades->stats.commands++;
    struct error error = {0};
    check_text(&error, "request_id", request_text(request, "request_id"), 1, REQUEST_ID_MAX);
    check_range(&error, "wait_ms", request_int(request, "wait_ms"), 0, trades->options.wait_max_ms);
    kind->check(trades, request, &error);
    if (error_is(&error)) {
        answer_error(command, &error);
        return;
    }
    struct request_id id = {.caller = str_c(call->caller),
                            .id = str_c(request_text(request, "request_id")),
                            .method = command->method,
                            .body = canonical(command)};
    request_begin(trades->requests, &id, looked_up, command);
}

// ---- Checks of form -----------------------------------------------------------------------------------------------

void check_text(struct error *error, const char *path, const char *text, size_t least, size_t max) {
    size_t length = text ? strlen(text) : 0;
    if (length < least && length == 0)
        error_field(error, path, "is required");
    else if (length < least || length > max)
        error_field(error, path, "must have %zu..%zu bytes", least, max);
}

void check_range(struct error *error, const char *path, int64_t value, int64_t least, int64_t most) {
    if (value < least || value > most)
        error_field(error, path, "must be %lld..%lld", (long long)least, (long long)most);
}

void check_money(const struct trades *trades, struct error *error, const char *path,
                 const Txcenter__Type__V1__Money *money, int64_t least, bool required) {
    if (!money) {
        if (required)
            error_field(error, path, "is required");
        return;
    }
    if (strcmp(money->currency, trades->options.currency) != 0)
        error_field(error, path, "currency must be %s", trades->options.currency);
    if (money->minor_units < least || money->minor_units > MONEY_MAX)
        error_field(error, path, "minor_units must be %lld..%lld", (long long)least, (long long)MONEY_MAX);
}

void check_moment(struct error *error, const char *path, const Google__Protobuf__Timestamp *at) {
    if (at && !clock_is_moment(at->seconds, at->nanos))
        error_field(error, path, "is not a time");
}

void check_trade_no(struct error *error, const char *path, const char *trade_no, bool required) {
    if (trade_no && trade_no[0] && !id_valid(str_c(trade_no)))
        error_field(error, path, "is not a trade number");
    else if (required && (!trade_no || !trade_no[0]))
        error_field(error, path, "is required");
}
