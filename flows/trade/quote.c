// The command Quote.
#include "flows/trade/quote.h"

#include "flows/trade/quote_line.h"
#include "flows/trade/tender.h"
#include "flows/trade/view.h"

#include <stdio.h>
#include <stdlib.h>

enum { BACKDATE_MAX_MS = 7 * 86400000, CLOCKS_APART_MS = 60000 };

static void check_bought_at(const struct trades *trades, const Google__Protobuf__Timestamp *at, struct error *error) {
    int64_t ago_ms = trades_now(trades) - clock_moment_ms(at->seconds, at->nanos);
    if (!clock_is_moment(at->seconds, at->nanos) || ago_ms > BACKDATE_MAX_MS || ago_ms < -CLOCKS_APART_MS)
        error_field(error, "context.at", "must be within the last 7 days");
}

void quote_check(const struct trades *trades, const Txcenter__Trade__V1__Context *context,
                 Txcenter__Trade__V1__Line *const *lines, size_t n_lines, struct error *error) {
    if (!context) {
        error_field(error, "context", "is required");
    } else {
        check_text(error, "context.tenant_id", context->tenant_id, 1, TRADE_ID_MAX);
        check_text(error, "context.user_id", context->user_id, 0, TRADE_ID_MAX);
        check_text(error, "context.station_id", context->station_id, 1, TRADE_ID_MAX);
        check_text(error, "context.terminal_id", context->terminal_id, 0, TRADE_ID_MAX);
        check_text(error, "context.employee_id", context->employee_id, 0, TRADE_ID_MAX);
        check_text(error, "context.channel", context->channel, 0, 32);
        check_text(error, "context.scenario", context->scenario, 0, 32);
        check_text(error, "context.shift_id", context->shift_id, 0, 32);
        if (context->business_date[0])
            check_text(error, "context.business_date", context->business_date, 10, 10);
        if (context->at)
            check_bought_at(trades, context->at, error);
    }
    if (n_lines == 0 || n_lines > TRADE_LINES_MAX)
        error_field(error, "lines", "must have 1..%d", TRADE_LINES_MAX);
    size_t n = n_lines < TRADE_LINES_MAX ? n_lines : TRADE_LINES_MAX;
    for (size_t i = 0; i < n; i++)
        quote_line_check(trades, lines, i, error);
    quote_lines_check(lines, n, error);
}

void quote_check_ids(struct error *error, const char *field, char *const *ids, size_t n) {
    if (n > 32)
        error_field(error, field, "must have at most 32");
    for (size_t i = 0; i < n && i < 32; i++) {
        char path[64];
        snprintf(path, sizeof path, "%s[%zu]", field, i);
        check_text(error, path, ids[i], 1, TRADE_ID_MAX);
    }
}

static void check_kinds(struct error *error, const Txcenter__Trade__V1__TenderKind *kinds, size_t n) {
    if (n > TRADE_TENDERS_MAX)
        error_field(error, "tender_kinds", "must have at most %d", TRADE_TENDERS_MAX);
    for (size_t i = 0; i < n && i < TRADE_TENDERS_MAX; i++) {
        char path[64];
        snprintf(path, sizeof path, "tender_kinds[%zu]", i);
        if (!tender_kind_is_known((int64_t)kinds[i]))
            error_field(error, path, "is no kind of tender");
    }
}

static void check(const struct trades *trades, const ProtobufCMessage *message, struct error *error) {
    const Txcenter__Trade__V1__QuoteRequest *request = (const void *)message;
    check_trade_no(error, "trade_no", request->trade_no, false);
    quote_check(trades, request->context, request->lines, request->n_lines, error);
    quote_check_ids(error, "excluded_coupon_ids", request->excluded_coupon_ids, request->n_excluded_coupon_ids);
    quote_check_ids(error, "required_coupon_ids", request->required_coupon_ids, request->n_required_coupon_ids);
    quote_check_ids(error, "excluded_activity_ids", request->excluded_activity_ids, request->n_excluded_activity_ids);
    quote_check_ids(error, "required_activity_ids", request->required_activity_ids, request->n_required_activity_ids);
    check_kinds(error, request->tender_kinds, request->n_tender_kinds);
    check_range(error, "max_combinations", request->max_combinations, 0, 10);
}

void quote_trade_no(struct command *command, char out[ID_LEN + 1]) {
    const struct trades_options *options = &command->trades->options;
    // The slot follows from the request, so that a repeat at another instance finds the same owner.
    struct str key =
        arena_printf(&command->arena, "%s\n%s", command->call->caller, request_text(command->request, "request_id"));
    id_make(trades_now(command->trades), (unsigned)(str_hash(key) % SLOT_COUNT), options->random, options->random_ctx,
            out);
}

struct trade *quote_new_trade(struct command *command, const char *trade_no,
                              const Txcenter__Trade__V1__Context *context) {
    struct trade *trade = trade_new(command->trades, trade_no);
    struct trade_row *row = trade_edit(trade);
    row->created_ms = trades_now(command->trades);
    str_copy(str_c(command->trades->options.currency), row->currency, sizeof row->currency);
    str_copy(str_c(context->tenant_id), row->tenant_id, sizeof row->tenant_id);
    str_copy(str_c(command->call->caller), row->created_by, sizeof row->created_by);
    trade_set_state(trade, TRADE_STATE(CREATED), row->created_ms);
    return trade;
}

void quote_keep_context(struct trade *trade, const Txcenter__Trade__V1__Context *context) {
    struct trade_row *row = trade_edit(trade);
    str_copy(str_c(context->user_id), row->user_id, sizeof row->user_id);
    str_copy(str_c(context->station_id), row->station_id, sizeof row->station_id);
    str_copy(str_c(context->terminal_id), row->terminal_id, sizeof row->terminal_id);
    str_copy(str_c(context->employee_id), row->employee_id, sizeof row->employee_id);
    str_copy(str_c(context->channel), row->channel, sizeof row->channel);
    str_copy(str_c(context->scenario), row->scenario, sizeof row->scenario);
    str_copy(str_c(context->shift_id), row->shift_id, sizeof row->shift_id);
    str_copy(str_c(context->business_date), row->business_date, sizeof row->business_date);
}

static int64_t moment_ms(const Google__Protobuf__Timestamp *at) {
    return clock_moment_ms(at->seconds, at->nanos);
}

void quote_keep(struct saga_turn *turn, const Txcenter__Trade__V1__Context *context, const struct quote_made *made) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    int64_t now_ms = saga_turn_now(turn);
    struct trade_row *row = trade_edit(trade);
    const struct quote_row key = {.version = ++row->quote_version};
    struct quote_row *quote = trade_add(trade, PART_QUOTE, &key);
    made->quote->version = quote->version;
    // As the caller is told: it was priced at the moment at which its sources were asked.
    quote->created_ms = moment_ms(made->quote->created_at);
    quote->expires_ms = moment_ms(made->quote->expires_at);
    quote->degraded = made->quote->n_degraded_sources > 0;
    size_t size = txcenter__trade__v1__quote__get_packed_size(made->quote);
    uint8_t *bytes = arena_alloc(&trade->blobs, size + 1);
    if (!bytes)
        abort(); // there is room (trade_has_room())
    quote->quote = str_n(bytes, txcenter__trade__v1__quote__pack(made->quote, bytes));
    quote->facts = trade_keep(trade, made->facts);
    row->quoted_ms = now_ms;
    if (trade_is_editable(trade))
        return; // what is ordered stays as it is until the trade is ordered again
    quote_keep_context(trade, context);
    row->list_price = made->quote->list_price->minor_units;
    row->reason[0] = row->text[0] = '\0';
    trade_set_state(trade, TRADE_STATE(QUOTED), now_ms);
}

// Whether a (new) quote fits the trade's state.
static bool quotable(const struct trade *trade, struct error *error) {
    if (trade_is_paid(trade))
        return error_set(error, ERR_ALREADY_PAID, NULL);
    if (trade->row.quote_version >= TRADE_VERSIONS_MAX)
        return error_set(error, ERR_OVERLOADED, "a trade has at most %d versions", TRADE_VERSIONS_MAX);
    if (trade->row.state == TRADE_STATE(CONFLICTED))
        return error_set(error, ERR_TRADE_ENDED, NULL);
    if (trade->row.state != TRADE_STATE(CREATED) && trade->row.state != TRADE_STATE(QUOTED) &&
        !trade_ended_unpaid(trade) && !trade_is_editable(trade))
        return error_set(error, ERR_CANCEL_FIRST, NULL);
    return true;
}

static bool has_room(const struct trade *trade, const struct quote_made *made, struct error *error) {
    return trade_has_room(trade, made->size + made->facts.len) ||
           error_set(error, ERR_OVERLOADED, "the trade's versions are too large to keep another one");
}

static void quoted(void *ctx, const struct quote_made *made, const struct error *failed) {
    struct command *command = ctx;
    const Txcenter__Trade__V1__QuoteRequest *request = (const void *)command->request;
    struct error error = {0};
    if (failed) {
        command_refuse(command, failed);
        return;
    }
    if (command->trade && !command_is_current(command))
        return;
    if (command->trade && (!quotable(command->trade, &error) || !has_room(command->trade, made, &error))) {
        command_refuse(command, &error);
        return;
    }
    if (!command->trade)
        command->trade = quote_new_trade(command, command->state, request->context);
    struct saga_turn *turn = command_turn(command);
    quote_keep(turn, request->context, made);
    command_made(command, turn, arena_printf(&command->arena, "%d", command->trade->row.quote_version).ptr);
}

static void execute(struct command *command) {
    const Txcenter__Trade__V1__QuoteRequest *request = (const void *)command->request;
    struct error error = {0};
    if (command->trade ? !quotable(command->trade, &error)
                       : !command->call->may(command->call->ctx, str_c(request->context->tenant_id))) {
        if (!error_is(&error))
            error_set(&error, ERR_TENANT_FORBIDDEN, NULL);
        command_refuse(command, &error);
        return;
    }
    if (command->trade && strcmp(command->trade->row.tenant_id, request->context->tenant_id) != 0) {
        error_field(&error, "context.tenant_id", "is not the trade's");
        command_refuse(command, &error);
        return;
    }
    char number[ID_LEN + 1];
    if (command->trade)
        memcpy(number, command->trade->row.trade_no, sizeof number);
    else
        quote_trade_no(command, number);
    command->state = view_text(arena_str(&command->arena, str_c(number)).ptr);
    struct quote_wish wish = {
        QUOTE_WISH_OF(command, request),
        .required = {[SOLVER_COUPON] = {request->required_coupon_ids, request->n_required_coupon_ids},
                     [SOLVER_ACTIVITY] = {request->required_activity_ids, request->n_required_activity_ids}},
        .max_combinations = request->max_combinations,
        .tender_kinds = request->tender_kinds,
        .n_tender_kinds = request->n_tender_kinds,
    };
    quote_make(command->trades, &wish, &command->arena, quoted, command);
}

static bool outcome(const struct command *command, const struct trade *trade, bool settled, struct arena *arena,
                    ProtobufCMessage **ret_response, struct error *ret_error) {
    (void)settled, (void)ret_error;
    int64_t version = 0;
    str_to_i64(command->ref, &version);
    Txcenter__Trade__V1__QuoteResponse *response =
        VIEW_NEW(arena, txcenter__trade__v1__quote_response, Txcenter__Trade__V1__QuoteResponse);
    if (response && (response->quote = view_quote(trade_quote_row(trade, (int32_t)version), arena))) {
        response->trade_no = view_text(trade->row.trade_no);
        *ret_response = &response->base;
    }
    return true;
}

const struct command_kind quote_kind = {.check = check, .execute = execute, .outcome = outcome};
