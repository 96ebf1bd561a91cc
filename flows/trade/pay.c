// The command Pay, and what the combined calls share of it.
#include "flows/trade/pay.h"

#include "flows/trade/chosen.h"
#include "flows/trade/payment.h"
#include "flows/trade/tender.h"
#include "flows/trade/view.h"

#include <assert.h>
#include <stdio.h>

// Less than one unit, and nothing but cash.
static void check_rounding(const struct trades *trades, const struct pay_wish *wish, struct error *error) {
    int64_t unit = 1;
    if (!wish->rounding_off)
        return;
    for (int decimals = money_decimals(str_c(trades->options.currency)); decimals > 0; decimals--)
        unit *= 10;
    check_money(trades, error, "rounding_off", wish->rounding_off, 0, false);
    if (wish->rounding_off->minor_units >= unit)
        error_field(error, "rounding_off", "must be less than one unit of the currency");
    for (size_t i = 0; i < wish->n_tenders && wish->rounding_off->minor_units > 0; i++)
        if (!tender_kind_is_cash((int32_t)wish->tenders[i]->kind)) {
            error_field(error, "rounding_off", "is for cash alone");
            break;
        }
}

void pay_check(const struct trades *trades, const struct pay_wish *wish, bool may_leave_one_open, struct error *error) {
    size_t without_amount = 0;
    if (wish->n_tenders > TRADE_TENDERS_MAX)
        error_field(error, "tenders", "must have at most %d", TRADE_TENDERS_MAX);
    for (size_t i = 0; i < wish->n_tenders && i < TRADE_TENDERS_MAX; i++) {
        const Txcenter__Trade__V1__TenderInput *tender = wish->tenders[i];
        char path[64];
        snprintf(path, sizeof path, "tenders[%zu].kind", i);
        if (!tender_kind_is_known((int64_t)tender->kind))
            error_field(error, path, "is no kind of tender");
        snprintf(path, sizeof path, "tenders[%zu].amount", i);
        bool open = may_leave_one_open && !tender->amount && without_amount++ == 0;
        check_money(trades, error, path, tender->amount, 1, !open);
        snprintf(path, sizeof path, "tenders[%zu].account", i);
        check_text(error, path, tender->account, tender_kind_is_cash((int32_t)tender->kind) ? 0 : 1, TRADE_ACCOUNT_MAX);
    }
    check_range(error, "on_failure", wish->on_failure, 0, ON_FAILURE(FAIL_TRADE));
    check_rounding(trades, wish, error);
}

bool pay_user(const struct pay_wish *wish, const char *user_id, struct error *error) {
    char path[64];
    for (size_t i = 0; i < wish->n_tenders && !user_id[0]; i++)
        if (tender_kind_is_card((int32_t)wish->tenders[i]->kind)) {
            snprintf(path, sizeof path, "tenders[%zu].kind", i);
            error_field(error, path, "can't be a card: it is not known who buys");
        }
    return !error_is(error);
}

void pay_round_off(struct trade *trade, int64_t rounding_off) {
    struct trade_row *row = trade_edit(trade);
    int64_t nets[TRADE_LINES_MAX], parts[TRADE_LINES_MAX];
    struct line_row *line;
    size_t n = 0;
    while (n < TRADE_LINES_MAX && (line = trade_line_of(trade, NULL, (unsigned)n)))
        nets[n++] = line->payable;
    bool split = money_allocate(rounding_off, nets, n, parts);
    assert(split); // less than is payable
    for (size_t i = 0; i < n; i++) {
        line = trade_change(trade, trade_line_of(trade, NULL, (unsigned)i));
        line->payable -= parts[i];
        line->discount[SOLVER_LAYER_ROUNDING] += parts[i];
    }
    row->payable -= rounding_off;
    row->discount[SOLVER_LAYER_ROUNDING] += rounding_off;
}

static bool allows(const Txcenter__Trade__V1__Combination *chosen, Txcenter__Trade__V1__TenderKind kind) {
    for (size_t i = 0; i < chosen->n_tender_kinds; i++)
        if (chosen->tender_kinds[i] == kind)
            return true;
    return chosen->n_tender_kinds == 0;
}

bool pay_kinds(const struct pay_wish *wish, const Txcenter__Trade__V1__Combination *chosen, struct error *error) {
    const ProtobufCEnumDescriptor *kinds = &txcenter__trade__v1__tender_kind__descriptor;
    for (size_t i = 0; i < wish->n_tenders; i++)
        if (!allows(chosen, wish->tenders[i]->kind))
            return error_set(error, ERR_TENDER_NOT_ALLOWED,
                             "combination %s does not allow tenders[%zu], which is %s: order one that does",
                             chosen->combination_id, i,
                             protobuf_c_enum_descriptor_get_value(kinds, (int)wish->tenders[i]->kind)->name);
    return true;
}

bool pay_amounts(const struct pay_wish *wish, int64_t payable, const char *currency, int64_t *ret_amounts,
                 struct error *error) {
    int64_t sum = 0;
    size_t open = wish->n_tenders;
    int64_t off = wish->rounding_off ? wish->rounding_off->minor_units : 0;
    if (off > 0 && off >= payable)
        return error_set(error, ERR_TENDERS_UNEQUAL, "all that is payable would be let off");
    payable -= off;
    for (size_t i = 0; i < wish->n_tenders; i++) {
        ret_amounts[i] = wish->tenders[i]->amount ? wish->tenders[i]->amount->minor_units : 0;
        if (!wish->tenders[i]->amount)
            open = i;
        if (!money_add(sum, ret_amounts[i], &sum))
            return error_set(error, ERR_AMOUNT_OVERFLOW, NULL);
    }
    if (open < wish->n_tenders && payable > sum) {
        ret_amounts[open] = payable - sum;
        sum = payable;
    }
    bool none_needed = payable == 0 && (open < wish->n_tenders || wish->n_tenders == 0);
    char told[MONEY_TEXT_MAX], due[MONEY_TEXT_MAX];
    if (sum != payable || (open < wish->n_tenders && ret_amounts[open] == 0 && !none_needed))
        return error_set(error, ERR_TENDERS_UNEQUAL, "the tenders add up to %s, payable is %s",
                         money_text(sum, str_c(currency), told), money_text(payable, str_c(currency), due));
    return true;
}

bool pay_may_attempt(const struct trade *trade, struct error *error) {
    return trade->row.attempt_no < TRADE_ATTEMPTS_MAX ||
           error_set(error, ERR_NOT_PAYABLE, "a trade has at most %d payment attempts", TRADE_ATTEMPTS_MAX);
}

struct pay_attempt_row *pay_plan(struct saga_turn *turn, const struct pay_wish *wish, const int64_t *amounts) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    const struct pay_attempt_row key = {.attempt_no = ++trade_edit(trade)->attempt_no};
    struct pay_attempt_row *attempt = trade_add(trade, PART_ATTEMPT, &key);
    attempt->state = ATTEMPT_PLANNED;
    attempt->on_failure = wish->on_failure;
    attempt->created_ms = saga_turn_now(turn);
    attempt->rounding_off = wish->rounding_off ? wish->rounding_off->minor_units : 0;
    for (size_t i = 0; i < wish->n_tenders; i++) {
        const struct tender_row tender_key = {.attempt_no = attempt->attempt_no, .tender = (int32_t)i};
        struct tender_row *tender = trade_add(trade, PART_TENDER, &tender_key);
        snprintf(tender->tender_no, sizeof tender->tender_no, "%s-%d-%d", trade->row.trade_no, attempt->attempt_no,
                 tender->tender);
        tender->kind = (int32_t)wish->tenders[i]->kind;
        tender->state = tender_kind_is_cash(tender->kind) ? TENDER_STATE(PENDING) : TENDER_STATE(CREATED);
        tender->amount = amounts[i];
        str_copy(str_c(wish->tenders[i]->account), tender->account, sizeof tender->account);
        if (tender_is_gateway(tender))
            str_copy(str_c(trade->trades->options.merchant_id), tender->merchant_id, sizeof tender->merchant_id);
    }
    return attempt;
}

bool pay_outcome(const struct trade *trade, int32_t attempt_no, int32_t wait_for, struct error *ret_error) {
    const struct pay_attempt_row *attempt = trade_attempt(trade, attempt_no);
    if (!attempt)
        return trade->row.payable == 0 ? trade_is_paid(trade) : true;
    switch (attempt->state) {
    case ATTEMPT_PAID: return true;
    case ATTEMPT_FAILED:
        error_set(ret_error, ERR_PAYMENT_FAILED, "%s: %s", attempt->reason, attempt->text);
        return true;
    default: return attempt->offered && wait_for != TXCENTER__TRADE__V1__WAIT_FOR__WAIT_FOR_OUTCOME;
    }
}

// ---- The command ----------------------------------------------------------------------------------------------------

static struct pay_wish wish_of(const ProtobufCMessage *message) {
    const Txcenter__Trade__V1__PayRequest *request = (const void *)message;
    int32_t on_failure = (int32_t)request->on_failure;
    return (struct pay_wish){request->tenders, request->n_tenders,
                             on_failure == ON_FAILURE(UNSPECIFIED) ? ON_FAILURE(KEEP) : on_failure,
                             request->rounding_off};
}

static void check(const struct trades *trades, const ProtobufCMessage *message, struct error *error) {
    const Txcenter__Trade__V1__PayRequest *request = (const void *)message;
    struct pay_wish wish = wish_of(message);
    check_trade_no(error, "trade_no", request->trade_no, true);
    pay_check(trades, &wish, false, error);
    check_range(error, "wait_for", (int64_t)request->wait_for, 0, TXCENTER__TRADE__V1__WAIT_FOR__WAIT_FOR_OUTCOME);
}

static bool payable(const struct trade *trade, int64_t now_ms, struct error *error) {
    if (trade_is_paid(trade))
        return error_set(error, ERR_ALREADY_PAID, NULL);
    if (trade_open_attempt(trade))
        return error_set(error, ERR_PAYMENT_IN_PROGRESS, NULL);
    if (trade->row.state != TRADE_STATE(ORDERED) || trade->row.closing != CLOSING_NO)
        return error_set(error, ERR_NOT_PAYABLE, NULL);
    if (now_ms >= trade->row.order_expires_ms)
        return error_set(error, ERR_NOT_PAYABLE, "the order has expired");
    return pay_may_attempt(trade, error);
}

static bool allowed(struct command *command, const struct pay_wish *wish, struct error *error) {
    if (command->trade->row.discount[SOLVER_LAYER_TENDER] == 0)
        return true; // nothing depends on the tender
    const Txcenter__Trade__V1__Combination *chosen = chosen_combination(command->trade, NULL, &command->arena);
    return chosen ? pay_kinds(wish, chosen, error)
                  : error_set(error, ERR_STORE_CORRUPT, "the kept quote can't be read");
}

static void execute(struct command *command) {
    struct trade *trade = command->trade;
    struct pay_wish wish = wish_of(command->request);
    int64_t amounts[TRADE_TENDERS_MAX];
    struct error error = {0};
    if (!payable(trade, trades_now(command->trades), &error) || !allowed(command, &wish, &error) ||
        !pay_user(&wish, trade->row.user_id, &error) ||
        !pay_amounts(&wish, trade->row.payable, trade->row.currency, amounts, &error)) {
        command_refuse(command, &error);
        return;
    }
    struct saga_turn *turn = command_turn(command);
    struct pay_attempt_row *attempt = pay_plan(turn, &wish, amounts);
    payment_start(turn, attempt);
    command_made(command, turn, arena_printf(&command->arena, "%d", attempt->attempt_no).ptr);
}

static bool outcome(const struct command *command, const struct trade *trade, bool settled, struct arena *arena,
                    ProtobufCMessage **ret_response, struct error *ret_error) {
    const Txcenter__Trade__V1__PayRequest *request = (const void *)command->request;
    int64_t attempt_no = 0;
    str_to_i64(command->ref, &attempt_no);
    if (settled && !pay_outcome(trade, (int32_t)attempt_no, (int32_t)request->wait_for, ret_error))
        return false;
    if (error_is(ret_error))
        return true;
    Txcenter__Trade__V1__PayResponse *response =
        VIEW_NEW(arena, txcenter__trade__v1__pay_response, Txcenter__Trade__V1__PayResponse);
    if (response && (response->trade = view_trade(trade, arena)) &&
        (response->attempt = view_attempt(trade, (int32_t)attempt_no, arena))) {
        response->processing = !settled;
        *ret_response = &response->base;
    }
    return true;
}

const struct command_kind pay_kind = {.check = check, .execute = execute, .outcome = outcome};
