// The commands PlaceOrder, OrderPay and QuoteOrderPay.
#include "flows/trade/order.h"

#include "flows/trade/discount.h"
#include "flows/trade/purchase.h"
#include "flows/trade/quote.h"
#include "flows/trade/reorder.h"
#include "flows/trade/view.h"
#include "txcenter/trade/v1/facts.pb-c.h"

#include <stdio.h>

typedef Txcenter__Trade__V1__Combination combination_message;

enum { QUOTE_ARENA = 4 * 1024 * 1024 };

void order_check(const struct trades *trades, const struct order_wish *wish, struct error *error) {
    const struct trades_options *options = &trades->options;
    check_text(error, "combination_id", wish->combination_id, 0, 8);
    check_money(trades, error, "expected_payable", wish->expected_payable, 0, false);
    check_range(error, "mode", wish->mode, 0, TXCENTER__TRADE__V1__ORDER_MODE__ORDER_MODE_DEDUCT_LATER);
    if (wish->expires_in_seconds != 0)
        check_range(error, "expires_in_seconds", wish->expires_in_seconds, 1, options->order_ttl_max_ms / 1000);
}

const combination_message *order_choice(const Txcenter__Trade__V1__Quote *quote, const char *id) {
    for (size_t i = 0; i < quote->n_combinations; i++)
        if (!id[0] || strcmp(quote->combinations[i]->combination_id, id) == 0)
            return quote->combinations[i];
    return NULL;
}

// Whether it is not what is ordered already: a newer version, or another combination of the same one. `chosen` is NULL
// when the version has no such combination.
static bool is_another(const struct trade *trade, const struct order_wish *wish, const combination_message *chosen) {
    if (wish->quote_version != trade->row.ordered_version)
        return wish->quote_version > trade->row.ordered_version;
    return !chosen || strcmp(chosen->combination_id, trade->row.combination_id) != 0;
}

static bool orderable(const struct trade *trade, const struct order_wish *wish, const combination_message *chosen,
                      struct error *error) {
    if (trade->row.state == TRADE_STATE(QUOTED) || (trade_is_editable(trade) && is_another(trade, wish, chosen)))
        return true;
    if (trade_is_paid(trade))
        return error_set(error, ERR_ALREADY_PAID, NULL);
    if (trade_ended_unpaid(trade) || trade->row.state == TRADE_STATE(CONFLICTED))
        return error_set(error, ERR_TRADE_ENDED, NULL);
    return error_set(error, ERR_CANCEL_FIRST, NULL);
}

static bool differs(const Txcenter__Type__V1__Money *payable, const Txcenter__Type__V1__Money *expected,
                    const char *says, struct error *error) {
    char right[MONEY_TEXT_MAX], wrong[MONEY_TEXT_MAX];
    return error_set(error, ERR_AMOUNT_MISMATCH, "%s %s, the caller expected %s", says,
                     money_text(payable->minor_units, str_c(payable->currency), right),
                     money_text(expected->minor_units, str_c(expected->currency), wrong));
}

bool order_allowed(const struct trade *trade, const struct order_wish *wish, int64_t now_ms, struct arena *arena,
                   const combination_message **ret_combination, struct error *error) {
    const struct quote_row *row = trade_quote_row(trade, wish->quote_version);
    const Txcenter__Trade__V1__Quote *quote = view_quote(row, arena);
    const combination_message *chosen = quote ? order_choice(quote, wish->combination_id) : NULL;
    if (!orderable(trade, wish, chosen, error))
        return false;
    if (!row)
        return error_set(error, ERR_QUOTE_NOT_FOUND, NULL);
    if (row->version != trade->row.quote_version)
        return error_set(error, ERR_QUOTE_SUPERSEDED, "version %d is the newest", trade->row.quote_version);
    if (now_ms >= row->expires_ms)
        return error_set(error, ERR_QUOTE_EXPIRED, NULL);
    if (row->degraded && !wish->accept_degraded)
        return error_set(error, ERR_QUOTE_DEGRADED, NULL);
    if (!quote)
        return error_set(error, ERR_STORE_CORRUPT, "the kept quote can't be read");
    if (!chosen)
        return error_set(error, ERR_COMBINATION_UNKNOWN, NULL);
    if (wish->expected_payable && wish->expected_payable->minor_units != chosen->payable->minor_units)
        return differs(chosen->payable, wish->expected_payable, "the kept quote says", error);
    *ret_combination = chosen;
    return true;
}

// What can't be started has no lines.
static void forget_lines(struct trade *trade) {
    for (struct line_row *row; (row = trade_line_of(trade, NULL, 0));)
        trade_forget(trade, PART_LINE, row);
}

static void keep_lines(struct trade *trade, const Txcenter__Trade__V1__Quote *quote,
                       const combination_message *chosen) {
    for (size_t i = 0; i < quote->n_lines && i < chosen->n_line_shares; i++) {
        const Txcenter__Trade__V1__QuotedLine *line = quote->lines[i];
        const Txcenter__Trade__V1__LineShare *share = chosen->line_shares[i];
        const struct line_row key = {.purchase_no = trade->row.purchase_no, .line = (int32_t)i};
        struct line_row *row = trade_add(trade, PART_LINE, &key);
        str_copy(str_c(line->kind), row->kind, sizeof row->kind);
        str_copy(str_c(line->code), row->code, sizeof row->code);
        str_fit(str_c(line->name), row->name, sizeof row->name);
        str_copy(str_c(line->nozzle), row->nozzle, sizeof row->nozzle);
        str_copy(str_c(line->pump_serial), row->pump_serial, sizeof row->pump_serial);
        row->volume_centi = line->volume_centi;
        row->authorised = line->authorised;
        if (line->authorised)
            trade_edit(trade)->adjust = ADJUST_AWAITED;
        row->quantity = line->quantity;
        row->unit_price = line->unit_price->minor_units;
        row->list_price = line->list_price->minor_units;
        discount_of_share(share, row->discount);
        row->payable = share->payable->minor_units;
    }
}

// Starts the saga of the trade's newest purchase. What it is to do follows from the rows.
static bool start_purchase(struct saga_turn *turn, struct error *error) {
    char gid[TRADE_GID_MAX];
    trade_purchase_gid(trade_of(saga_turn_subject(turn)), gid);
    struct saga_start start = {.flow = purchase_flow.name, .gid = str_c(gid)};
    return saga_turn_start(turn, &start, error);
}

// What the quote was made for, and what it comes to: another one may have been ordered since it was kept.
static void take_quote(struct trade *trade, const struct quote_row *kept, const Txcenter__Trade__V1__Quote *quote,
                       struct arena *arena) {
    const Txcenter__Trade__V1__QuoteFacts *facts =
        (const void *)adapter_decode(kept->facts, &txcenter__trade__v1__quote_facts__descriptor, arena);
    if (facts && facts->context)
        quote_keep_context(trade, facts->context);
    trade_edit(trade)->list_price = quote->list_price->minor_units;
}

bool order_start(struct saga_turn *turn, const struct order_wish *wish, const combination_message *chosen,
                 const struct pay_wish *pay, struct error *error) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    const struct trades_options *options = &trade->trades->options;
    int64_t now_ms = saga_turn_now(turn), amounts[TRADE_TENDERS_MAX];
    const struct trade_row before = trade->row;
    struct trade_row *row = trade_edit(trade);
    struct arena arena;
    row->purchase_no++;
    row->ordered_version = row->quote_version;
    str_copy(str_c(chosen->combination_id), row->combination_id, sizeof row->combination_id);
    row->payable = chosen->payable->minor_units;
    discount_of_combination(chosen, row->discount);
    row->points = chosen->points;
    row->quotas = (int32_t)chosen->n_quotas;
    row->coupons = (int32_t)chosen->n_coupon_ids;
    row->order_no[0] = '\0';
    row->closing = CLOSING_NO;
    row->failure = ERR_OK;
    row->stopped = STOPPED_NO;
    row->missed = 0;
    row->next_version = 0;
    row->adjust = ADJUST_NONE;
    row->reason[0] = row->text[0] = '\0';
    row->mode = wish->mode;
    row->order_expires_ms =
        now_ms + (wish->expires_in_seconds ? wish->expires_in_seconds * INT64_C(1000) : options->order_ttl_ms);
    arena_init(&arena, QUOTE_ARENA);
    const struct quote_row *kept = trade_quote_row(trade, row->ordered_version);
    const Txcenter__Trade__V1__Quote *quote = view_quote(kept, &arena);
    bool readable = quote != NULL;
    if (readable) {
        take_quote(trade, kept, quote, &arena);
        keep_lines(trade, quote, chosen);
    }
    arena_release(&arena);
    bool started =
        readable ? start_purchase(turn, error) : error_set(error, ERR_STORE_CORRUPT, "the kept quote can't be read");
    if (!started) {
        forget_lines(trade);
        trade->row = before;
        return false;
    }
    trade_set_state(trade, TRADE_STATE(ORDERING), now_ms);
    if (pay && row->payable > 0 && pay_amounts(pay, row->payable, row->currency, amounts, error))
        pay_plan(turn, pay, amounts);
    return true;
}

// ---- What the three requests have in common -------------------------------------------------------------------------

static struct order_wish wish_of(const ProtobufCMessage *message) {
    if (message->descriptor == &txcenter__trade__v1__place_order_request__descriptor) {
        const Txcenter__Trade__V1__PlaceOrderRequest *r = (const void *)message;
        return (struct order_wish){r->quote_version, r->combination_id,     r->expected_payable,
                                   (int32_t)r->mode, r->expires_in_seconds, r->accept_degraded};
    }
    if (message->descriptor == &txcenter__trade__v1__order_pay_request__descriptor) {
        const Txcenter__Trade__V1__OrderPayRequest *r = (const void *)message;
        return (struct order_wish){r->quote_version, r->combination_id,     r->expected_payable,
                                   (int32_t)r->mode, r->expires_in_seconds, r->accept_degraded};
    }
    const Txcenter__Trade__V1__QuoteOrderPayRequest *r = (const void *)message;
    return (struct order_wish){1, "", r->expected_payable, (int32_t)r->mode, r->expires_in_seconds, r->accept_degraded};
}

static int32_t failing(Txcenter__Trade__V1__OnFailure on_failure) {
    return on_failure == ON_FAILURE(UNSPECIFIED) ? ON_FAILURE(FAIL_TRADE) : (int32_t)on_failure;
}

// False for a call that only orders.
static bool pays(const ProtobufCMessage *message, struct pay_wish *ret_wish, int32_t *ret_wait_for) {
    if (message->descriptor == &txcenter__trade__v1__order_pay_request__descriptor) {
        const Txcenter__Trade__V1__OrderPayRequest *r = (const void *)message;
        *ret_wish = (struct pay_wish){r->tenders, r->n_tenders, failing(r->on_failure), r->rounding_off};
        *ret_wait_for = (int32_t)r->wait_for;
        return true;
    }
    if (message->descriptor == &txcenter__trade__v1__quote_order_pay_request__descriptor) {
        const Txcenter__Trade__V1__QuoteOrderPayRequest *r = (const void *)message;
        *ret_wish = (struct pay_wish){r->tenders, r->n_tenders, failing(r->on_failure), r->rounding_off};
        *ret_wait_for = (int32_t)r->wait_for;
        return true;
    }
    return false;
}

static void check(const struct trades *trades, const ProtobufCMessage *message, struct error *error) {
    struct order_wish wish = wish_of(message);
    struct pay_wish pay;
    int32_t wait_for;
    bool with_quote = message->descriptor == &txcenter__trade__v1__quote_order_pay_request__descriptor;
    if (with_quote) {
        const Txcenter__Trade__V1__QuoteOrderPayRequest *r = (const void *)message;
        quote_check(trades, r->context, r->lines, r->n_lines, error);
        quote_check_ids(error, "excluded_coupon_ids", r->excluded_coupon_ids, r->n_excluded_coupon_ids);
        quote_check_ids(error, "excluded_activity_ids", r->excluded_activity_ids, r->n_excluded_activity_ids);
    } else {
        check_trade_no(error, "trade_no", request_text(message, "trade_no"), true);
        check_range(error, "quote_version", wish.quote_version, 1, INT32_MAX);
    }
    order_check(trades, &wish, error);
    if (pays(message, &pay, &wait_for)) {
        pay_check(trades, &pay, with_quote, error);
        check_range(error, "wait_for", wait_for, 0, TXCENTER__TRADE__V1__WAIT_FOR__WAIT_FOR_OUTCOME);
    }
}

static const char *user_of(const struct command *command) {
    if (command->trade)
        return command->trade->row.user_id;
    const Txcenter__Trade__V1__QuoteOrderPayRequest *request = (const void *)command->request;
    return request->context->user_id;
}

static bool tenders_fit(const struct command *command, const combination_message *chosen, struct error *error) {
    struct pay_wish pay;
    int32_t wait_for;
    int64_t amounts[TRADE_TENDERS_MAX];
    return !pays(command->request, &pay, &wait_for) ||
           ((!command->trade || pay_may_attempt(command->trade, error)) && pay_kinds(&pay, chosen, error) &&
            pay_user(&pay, user_of(command), error) &&
            pay_amounts(&pay, chosen->payable->minor_units, chosen->payable->currency, amounts, error));
}

static const char *ref_of(struct command *command, int32_t purchase_no) {
    return arena_printf(&command->arena, "%d", purchase_no).ptr;
}

static void start(struct command *command, struct saga_turn *turn, const combination_message *chosen) {
    struct order_wish wish = wish_of(command->request);
    struct pay_wish pay;
    int32_t wait_for;
    struct error error = {0};
    bool with_pay = pays(command->request, &pay, &wait_for);
    if (order_start(turn, &wish, chosen, with_pay ? &pay : NULL, &error))
        command_made(command, turn, ref_of(command, command->trade->row.purchase_no));
    else
        command_give_up(command, turn, &error);
}

// The order that there is comes to its end first.
static void start_again(struct command *command, const struct order_wish *wish, const combination_message *chosen) {
    struct pay_wish pay;
    int32_t wait_for;
    if (pays(command->request, &pay, &wait_for)) {
        command_refuse_as(command, ERR_CANCEL_FIRST, "an order is edited with PlaceOrder, and paid when it is there");
        return;
    }
    struct saga_turn *turn = command_turn(command);
    reorder_ask(turn, wish, chosen);
    command_made(command, turn, ref_of(command, command->trade->row.purchase_no + 1));
}

static void execute(struct command *command) {
    struct order_wish wish = wish_of(command->request);
    const combination_message *chosen = NULL;
    struct error error = {0};
    if (!order_allowed(command->trade, &wish, trades_now(command->trades), &command->arena, &chosen, &error) ||
        !tenders_fit(command, chosen, &error))
        command_refuse(command, &error);
    else if (trade_is_editable(command->trade))
        start_again(command, &wish, chosen);
    else
        start(command, command_turn(command), chosen);
}

// ---- With a quote ---------------------------------------------------------------------------------------------------

static void quoted(void *ctx, const struct quote_made *made, const struct error *failed) {
    struct command *command = ctx;
    const Txcenter__Trade__V1__QuoteOrderPayRequest *request = (const void *)command->request;
    struct error error = {0};
    if (failed) {
        command_refuse(command, failed);
        return;
    }
    const combination_message *chosen = made->quote->combinations[0];
    if (made->quote->n_degraded_sources > 0 && !request->accept_degraded)
        error_set(&error, ERR_QUOTE_DEGRADED, NULL);
    else if (request->expected_payable && request->expected_payable->minor_units != chosen->payable->minor_units)
        differs(chosen->payable, request->expected_payable, "the best price is", &error);
    if (error_is(&error) || !tenders_fit(command, chosen, &error)) {
        command_refuse(command, &error);
        return;
    }
    command->trade = quote_new_trade(command, command->state, request->context);
    struct saga_turn *turn = command_turn(command);
    quote_keep(turn, request->context, made);
    start(command, turn, chosen);
}

// With which it will be paid. NULL when the arena is full.
static const Txcenter__Trade__V1__TenderKind *kinds_of(const Txcenter__Trade__V1__QuoteOrderPayRequest *request,
                                                       struct arena *arena) {
    Txcenter__Trade__V1__TenderKind *kinds = arena_calloc(arena, request->n_tenders + 1, sizeof *kinds);
    for (size_t i = 0; kinds && i < request->n_tenders; i++)
        kinds[i] = request->tenders[i]->kind;
    return kinds;
}

static void execute_with_quote(struct command *command) {
    const Txcenter__Trade__V1__QuoteOrderPayRequest *request = (const void *)command->request;
    char number[ID_LEN + 1];
    if (!command->call->may(command->call->ctx, str_c(request->context->tenant_id))) {
        command_refuse_as(command, ERR_TENANT_FORBIDDEN, NULL);
        return;
    }
    quote_trade_no(command, number);
    command->state = view_text(arena_str(&command->arena, str_c(number)).ptr);
    struct quote_wish wish = {
        QUOTE_WISH_OF(command, request),
        .max_combinations = 1,
        .tender_kinds = kinds_of(request, &command->arena),
        .n_tender_kinds = request->n_tenders,
    };
    if (!wish.tender_kinds) {
        command_refuse_as(command, ERR_OVERLOADED, NULL);
        return;
    }
    quote_make(command->trades, &wish, &command->arena, quoted, command);
}

// ---- Outcomes -----------------------------------------------------------------------------------------------------

static bool order_failed(const struct trade *trade, struct error *ret_error) {
    if (!trade_ended_unpaid(trade) && trade->row.state != TRADE_STATE(CONFLICTED))
        return false;
    enum err code = trade->row.failure ? (enum err)trade->row.failure : ERR_TRADE_ENDED;
    error_set(ret_error, code, "%s: %s", trade->row.reason, trade->row.text);
    return true;
}

static int64_t made_by(const struct command *command) {
    int64_t purchase_no = 0;
    str_to_i64(command->ref, &purchase_no);
    return purchase_no;
}

static bool superseded(const struct command *command, const struct trade *trade) {
    return made_by(command) < trade->row.purchase_no; // the trade was ordered again since
}

// The order that it was to replace stands: it was found paid.
static bool came_too_late(const struct command *command, const struct trade *trade, struct error *ret_error) {
    if (made_by(command) <= trade->row.purchase_no || !trade_is_paid(trade))
        return false;
    error_set(ret_error, ERR_ALREADY_PAID, "the order that was to be replaced has been paid");
    return true;
}

static bool outcome(const struct command *command, const struct trade *trade, bool settled, struct arena *arena,
                    ProtobufCMessage **ret_response, struct error *ret_error) {
    if (settled && !superseded(command, trade)) {
        if (trade->row.state == TRADE_STATE(ORDERING) || trade->row.state == TRADE_STATE(CLOSING))
            return false;
        if (order_failed(trade, ret_error) || came_too_late(command, trade, ret_error))
            return true;
    }
    Txcenter__Trade__V1__PlaceOrderResponse *response =
        VIEW_NEW(arena, txcenter__trade__v1__place_order_response, Txcenter__Trade__V1__PlaceOrderResponse);
    if (response && (response->trade = view_trade(trade, arena))) {
        response->processing = !settled;
        *ret_response = &response->base;
    }
    return true;
}

// By which the order is, or is to be, paid; NULL: nothing is payable, whatever was attempted of an earlier one.
static const struct pay_attempt_row *attempt_of(const struct trade *trade) {
    if (trade_is_paid(trade))
        return trade_paid_attempt(trade);
    return trade->row.payable > 0 ? trade_attempt(trade, trade->row.attempt_no) : NULL;
}

static bool outcome_paid(const struct command *command, const struct trade *trade, bool settled, struct arena *arena,
                         ProtobufCMessage **ret_response, struct error *ret_error) {
    struct pay_wish pay;
    int32_t wait_for = 0;
    const struct pay_attempt_row *attempt = attempt_of(trade);
    pays(command->request, &pay, &wait_for);
    if (settled && !superseded(command, trade)) {
        if (trade->row.state == TRADE_STATE(ORDERING) || trade->row.state == TRADE_STATE(CLOSING))
            return false;
        if (order_failed(trade, ret_error))
            return true;
        if (!trade_is_paid(trade) && (!attempt || !pay_outcome(trade, attempt->attempt_no, wait_for, ret_error)))
            return false;
        if (error_is(ret_error))
            return true;
    }
    // OrderPayResponse and QuoteOrderPayResponse are of one shape.
    bool with_quote = command->request->descriptor == &txcenter__trade__v1__quote_order_pay_request__descriptor;
    Txcenter__Trade__V1__OrderPayResponse *response = arena_alloc(arena, sizeof *response);
    view_init(response, with_quote ? &txcenter__trade__v1__quote_order_pay_response__descriptor
                                   : &txcenter__trade__v1__order_pay_response__descriptor);
    if (response && (response->trade = view_trade(trade, arena)) &&
        (!attempt || (response->attempt = view_attempt(trade, attempt->attempt_no, arena)))) {
        response->processing = !settled;
        *ret_response = &response->base;
    }
    return true;
}

_Static_assert(sizeof(Txcenter__Trade__V1__OrderPayResponse) == sizeof(Txcenter__Trade__V1__QuoteOrderPayResponse),
               "one shape");

const struct command_kind order_kind = {.check = check, .execute = execute, .outcome = outcome};
const struct command_kind order_pay_kind = {.check = check, .execute = execute, .outcome = outcome_paid};
const struct command_kind quote_order_pay_kind = {
    .check = check, .execute = execute_with_quote, .outcome = outcome_paid};
