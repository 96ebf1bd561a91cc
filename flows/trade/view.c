#include "flows/trade/view.h"

#include "flows/trade/adjust.h"
#include "flows/trade/capture.h"
#include "flows/trade/chosen.h"
#include "flows/trade/deduction.h"
#include "flows/trade/recall.h"
#include "flows/trade/tender.h"

#include <stdio.h>

typedef Txcenter__Trade__V1__Trade trade_message;
typedef Txcenter__Trade__V1__Tender tender_message;

void *view_init(void *memory, const ProtobufCMessageDescriptor *type) {
    if (memory)
        type->message_init(memory);
    return memory;
}

void *view_array(struct arena *arena, size_t n) {
    return n ? arena_calloc(arena, n, sizeof(void *)) : NULL;
}

Txcenter__Type__V1__Money *view_money(const char *currency, int64_t minor, struct arena *arena) {
    Txcenter__Type__V1__Money *money = VIEW_NEW(arena, txcenter__type__v1__money, Txcenter__Type__V1__Money);
    if (money) {
        money->currency = view_text(currency);
        money->minor_units = minor;
    }
    return money;
}

Google__Protobuf__Timestamp *view_time(int64_t ms, struct arena *arena) {
    Google__Protobuf__Timestamp *time =
        ms ? VIEW_NEW(arena, google__protobuf__timestamp, Google__Protobuf__Timestamp) : NULL;
    if (time) {
        time->seconds = ms / 1000;
        time->nanos = (int32_t)(ms % 1000) * 1000000;
    }
    return time;
}

Txcenter__Trade__V1__Quote *view_quote(const struct quote_row *row, struct arena *arena) {
    const void *quote = row ? adapter_decode(row->quote, &txcenter__trade__v1__quote__descriptor, arena) : NULL;
    return (Txcenter__Trade__V1__Quote *)(uintptr_t)quote;
}

static Txcenter__Trade__V1__Context *view_context(const struct trade_row *row, struct arena *arena) {
    Txcenter__Trade__V1__Context *context = VIEW_NEW(arena, txcenter__trade__v1__context, Txcenter__Trade__V1__Context);
    if (!context)
        return NULL;
    context->tenant_id = view_text(row->tenant_id);
    context->user_id = view_text(row->user_id);
    context->station_id = view_text(row->station_id);
    context->terminal_id = view_text(row->terminal_id);
    context->employee_id = view_text(row->employee_id);
    context->channel = view_text(row->channel);
    context->scenario = view_text(row->scenario);
    context->shift_id = view_text(row->shift_id);
    context->business_date = view_text(row->business_date);
    return context;
}

// What a message holds besides texts of its row is put into it by one of these: false when the arena is full. Then
// there is no message at all: whoever reads one without some of it would take it for how things are.
bool view_put_money(Txcenter__Type__V1__Money **at, const char *currency, int64_t minor, struct arena *arena) {
    *at = view_money(currency, minor, arena);
    return *at != NULL;
}

static bool put_time(Google__Protobuf__Timestamp **at, int64_t ms, struct arena *arena) {
    *at = view_time(ms, arena);
    return *at || ms == 0;
}

static bool put_text(char **at, struct str text, struct arena *arena) {
    struct str copy = arena_str(arena, text);
    *at = view_text(copy.ptr);
    return copy.ptr != NULL;
}

// Who bore what of it, or what it was taken from.
static bool put_parts(tender_message *tender, const struct tender_row *row, const char *currency, struct arena *arena) {
    if (tender_is_card(row))
        return view_put_money(&tender->principal, currency, row->principal, arena) &&
               view_put_money(&tender->bonus, currency, row->bonus, arena);
    return row->paid_ms == 0 || (view_put_money(&tender->payer_amount, currency, row->payer_amount, arena) &&
                                 view_put_money(&tender->gateway_discount, currency, row->gateway_discount, arena) &&
                                 view_put_money(&tender->merchant_discount, currency, row->merchant_discount, arena) &&
                                 view_put_money(&tender->settlement_amount, currency, row->settlement_amount, arena));
}

static tender_message *view_tender(const struct trade *trade, const struct tender_row *row, struct arena *arena) {
    tender_message *tender = VIEW_NEW(arena, txcenter__trade__v1__tender, tender_message);
    if (!tender)
        return NULL;
    const char *currency = trade->row.currency;
    tender->tender_no = view_text(row->tender_no);
    tender->kind = (Txcenter__Trade__V1__TenderKind)row->kind;
    tender->state = (Txcenter__Trade__V1__TenderState)row->state;
    tender->account = view_text(row->account);
    tender->gateway_no = view_text(row->gateway_no);
    tender->detail = view_text(row->detail);
    bool whole = view_put_money(&tender->amount, currency, row->amount, arena) &&
                 view_put_money(&tender->refunded, currency, row->refunded, arena) &&
                 put_text(&tender->prepay_parameters, row->prepay_parameters, arena) &&
                 put_parts(tender, row, currency, arena);
    return whole ? tender : NULL;
}

Txcenter__Trade__V1__PaymentAttempt *view_attempt(const struct trade *trade, int32_t attempt_no, struct arena *arena) {
    static const Txcenter__Trade__V1__AttemptState states[] = {
        [ATTEMPT_PLANNED] = TXCENTER__TRADE__V1__ATTEMPT_STATE__ATTEMPT_STATE_OPEN,
        [ATTEMPT_OPEN] = TXCENTER__TRADE__V1__ATTEMPT_STATE__ATTEMPT_STATE_OPEN,
        [ATTEMPT_PAID] = TXCENTER__TRADE__V1__ATTEMPT_STATE__ATTEMPT_STATE_PAID,
        [ATTEMPT_FAILED] = TXCENTER__TRADE__V1__ATTEMPT_STATE__ATTEMPT_STATE_FAILED,
    };
    const struct pay_attempt_row *row = trade_attempt(trade, attempt_no);
    Txcenter__Trade__V1__PaymentAttempt *attempt =
        row ? VIEW_NEW(arena, txcenter__trade__v1__payment_attempt, Txcenter__Trade__V1__PaymentAttempt) : NULL;
    if (!attempt)
        return NULL;
    attempt->attempt_no = row->attempt_no;
    attempt->state = states[row->state];
    attempt->on_failure = (Txcenter__Trade__V1__OnFailure)row->on_failure;
    attempt->reason = view_text(row->reason);
    attempt->text = view_text(row->text);
    attempt->tenders = view_array(arena, TRADE_TENDERS_MAX);
    if (!attempt->tenders ||
        (row->rounding_off && !view_put_money(&attempt->rounding_off, trade->row.currency, row->rounding_off, arena)))
        return NULL;
    const struct tender_row *tender;
    for (int32_t i = 0; (tender = trade_tender(trade, attempt_no, i)); i++)
        if (!(attempt->tenders[attempt->n_tenders++] = view_tender(trade, tender, arena)))
            return NULL;
    return attempt;
}

static Txcenter__Trade__V1__RefundLeg *view_leg(const struct trade *trade, const struct refund_leg_row *row,
                                                struct arena *arena) {
    const struct tender_row *tender = trade_tender(trade, row->attempt_no, row->tender);
    const char *currency = trade->row.currency;
    Txcenter__Trade__V1__RefundLeg *leg =
        VIEW_NEW(arena, txcenter__trade__v1__refund_leg, Txcenter__Trade__V1__RefundLeg);
    if (!leg)
        return NULL;
    leg->tender_no = view_text(tender ? tender->tender_no : "");
    leg->state = (Txcenter__Trade__V1__RefundLegState)row->state;
    leg->detail = view_text(row->detail);
    bool whole = view_put_money(&leg->amount, currency, row->amount, arena) &&
                 view_put_money(&leg->payer_amount, currency, row->payer_amount, arena) &&
                 view_put_money(&leg->gateway_discount, currency, row->gateway_discount, arena) &&
                 view_put_money(&leg->merchant_discount, currency, row->merchant_discount, arena) &&
                 view_put_money(&leg->settlement_amount, currency, row->settlement_amount, arena);
    return whole ? leg : NULL;
}

Txcenter__Trade__V1__Refund *view_refund(const struct trade *trade, const char *refund_no, struct arena *arena) {
    const struct refund_row *row = trade_refund(trade, str_c(refund_no));
    Txcenter__Trade__V1__Refund *refund =
        row ? VIEW_NEW(arena, txcenter__trade__v1__refund, Txcenter__Trade__V1__Refund) : NULL;
    if (!refund)
        return NULL;
    refund->refund_no = view_text(row->refund_no);
    refund->state = (Txcenter__Trade__V1__RefundState)row->state;
    refund->final = row->final;
    refund->reason = view_text(row->reason);
    refund->points_given_back = row->points_given_back;
    refund->points_clawed_back = row->points_clawed_back;
    refund->points_shortfall = row->points_shortfall;
    refund->coupons_spent = row->coupons_spent;
    refund->posted_shift_id = view_text(row->posted_shift);
    refund->posted_business_date = view_text(row->posted_date);
    refund->gifts_spent = row->gifts_spent;
    refund->legs = view_array(arena, (size_t)row->legs);
    if (!view_put_money(&refund->amount, trade->row.currency, row->amount, arena) ||
        !put_time(&refund->created_at, row->created_ms, arena) || !put_time(&refund->done_at, row->done_ms, arena) ||
        (row->legs > 0 && !refund->legs))
        return NULL;
    const struct refund_leg_row *leg;
    for (int32_t i = 0; i < row->legs && (leg = trade_refund_leg(trade, refund_no, i)); i++)
        if (!(refund->legs[refund->n_legs++] = view_leg(trade, leg, arena)))
            return NULL;
    return refund;
}

// ---- The whole ----------------------------------------------------------------------------------------------------

// Each adds a part of the trade: false when the arena is full.

static bool add_ledger(trade_message *message, const struct trade *trade, struct arena *arena) {
    const struct ledger_row *row;
    size_t n = trade->parts[PART_LEDGER].n;
    message->ledger = view_array(arena, n);
    for (size_t i = 0; message->ledger && (row = trade_at(trade, PART_LEDGER, i)); i++) {
        Txcenter__Trade__V1__LedgerPosting *posting =
            VIEW_NEW(arena, txcenter__trade__v1__ledger_posting, Txcenter__Trade__V1__LedgerPosting);
        if (!posting || !view_put_money(&posting->amount, trade->row.currency, row->amount, arena) ||
            !put_time(&posting->at, row->at_ms, arena))
            return false;
        posting->entry = row->entry;
        posting->account = view_text(row->account);
        posting->text = view_text(row->text);
        message->ledger[message->n_ledger++] = posting;
    }
    return message->n_ledger == n;
}

static bool add_history(trade_message *message, const struct trade *trade, struct arena *arena) {
    struct trade_change_at changes[TRADE_HISTORY_MAX];
    size_t n = trade_history(trade, changes, TRADE_HISTORY_MAX);
    message->history = view_array(arena, n);
    for (size_t i = 0; message->history && i < n; i++) {
        Txcenter__Trade__V1__StateChange *change =
            VIEW_NEW(arena, txcenter__trade__v1__state_change, Txcenter__Trade__V1__StateChange);
        if (!change || !put_time(&change->at, changes[i].at_ms, arena))
            return false;
        change->state = (Txcenter__Trade__V1__TradeState)changes[i].state;
        message->history[message->n_history++] = change;
    }
    return message->n_history == n;
}

static bool add_followers(trade_message *message, const struct trade *trade, struct arena *arena) {
#define X(NAME, name, ...) #name,
    static const char *const names[] = {AFTER_TABLE(X)};
#undef X
    message->followers = view_array(arena, AFTERS);
    for (int benefit = 0; message->followers && benefit < AFTERS; benefit++) {
        if (trade->row.after[benefit].state == AFTER_NONE)
            continue;
        Txcenter__Trade__V1__Follower *follower =
            VIEW_NEW(arena, txcenter__trade__v1__follower, Txcenter__Trade__V1__Follower);
        if (!follower)
            return false;
        follower->name = view_text(names[benefit]);
        follower->state = (Txcenter__Trade__V1__FollowerState)trade->row.after[benefit].state;
        message->followers[message->n_followers++] = follower;
    }
    return message->followers != NULL;
}

static bool add_gid(trade_message *message, const char *gid, struct arena *arena) {
    return put_text(&message->saga_gids[message->n_saga_gids++], str_c(gid), arena);
}

static bool add_purchases(trade_message *message, const struct trade *trade, struct arena *arena) {
    char gid[TRADE_GID_MAX];
    for (int32_t no = 1; no <= trade->row.purchase_no; no++) {
        snprintf(gid, sizeof gid, "%s/%d", trade->row.trade_no, no);
        if (!add_gid(message, gid, arena))
            return false;
    }
    recall_order_gid(trade, gid);
    return trade->row.stopped == STOPPED_NO || add_gid(message, gid, arena);
}

static bool add_attempt(trade_message *message, const struct trade *trade, const struct pay_attempt_row *row,
                        struct arena *arena) {
    char paid_by[TRADE_GID_MAX], recalled_by[TRADE_GID_MAX];
    trade_payment_gid(trade, row->attempt_no, paid_by);
    recall_payment_gid(trade, row->attempt_no, recalled_by);
    return (message->attempts[message->n_attempts++] = view_attempt(trade, row->attempt_no, arena)) != NULL &&
           (row->state == ATTEMPT_PLANNED || add_gid(message, paid_by, arena)) &&
           (!row->recalled || add_gid(message, recalled_by, arena));
}

static bool add_refund(trade_message *message, const struct trade *trade, const struct refund_row *row,
                       struct arena *arena) {
    char first[TRADE_GID_MAX], present[TRADE_GID_MAX];
    trade_refund_first_gid(trade, row->refund_no, first);
    trade_refund_gid(trade, row->refund_no, present);
    return (row->kind != REFUND_OF_TRADE ||
            (message->refunds[message->n_refunds++] = view_refund(trade, row->refund_no, arena)) != NULL) &&
           add_gid(message, first, arena) && (!row->stopped || add_gid(message, present, arena));
}

static bool add_attempts_and_refunds(trade_message *message, const struct trade *trade, struct arena *arena) {
    size_t payments = trade->parts[PART_ATTEMPT].n, refunds = trade->parts[PART_REFUND].n;
    const struct pay_attempt_row *attempt;
    const struct refund_row *refund;
    char gid[TRADE_GID_MAX];
    message->attempts = view_array(arena, payments);
    message->refunds = view_array(arena, refunds);
    message->saga_gids =
        view_array(arena, 2 * (payments + refunds) + (size_t)trade->row.purchase_no + 2 + trade->parts[PART_MATTER].n);
    if ((payments > 0 && !message->attempts) || (refunds > 0 && !message->refunds) || !message->saga_gids ||
        !add_purchases(message, trade, arena))
        return false;
    for (size_t i = 0; (attempt = trade_at(trade, PART_ATTEMPT, i)); i++)
        if (!add_attempt(message, trade, attempt, arena))
            return false;
    capture_gid(trade, gid);
    if (trade->row.adjust == ADJUST_DONE && !add_gid(message, gid, arena))
        return false;
    for (size_t i = 0; (refund = trade_at(trade, PART_REFUND, i)); i++)
        if (!add_refund(message, trade, refund, arena))
            return false;
    return true;
}

static Txcenter__Trade__V1__Shortfall *view_shortfall(const struct trade *trade, const struct matter_row *row,
                                                      struct arena *arena) {
    Txcenter__Trade__V1__Shortfall *view =
        VIEW_NEW(arena, txcenter__trade__v1__shortfall, Txcenter__Trade__V1__Shortfall);
    if (!view || !view_put_money(&view->amount, trade->row.currency, row->amount, arena) ||
        !put_time(&view->created_at, row->created_ms, arena) || !put_time(&view->settled_at, row->settled_ms, arena))
        return NULL;
    view->number = row->number;
    view->what = view_text(row->what);
    view->reason = view_text(row->reason);
    view->text = view_text(row->text);
    view->points = row->points;
    view->settled_by = view_text(row->settled_by);
    view->note = view_text(row->note);
    view->deducted = row->outcome == (int32_t)MATTER_OUTCOME(DEDUCTED);
    return view;
}

// With the saga that has tried each again last.
static bool add_shortfalls(trade_message *message, const struct trade *trade, struct arena *arena) {
    const struct matter_row *row;
    char gid[TRADE_GID_MAX];
    size_t n = trade->parts[PART_MATTER].n;
    message->shortfalls = view_array(arena, n);
    if (n > 0 && !message->shortfalls)
        return false;
    for (size_t i = 0; (row = trade_at(trade, PART_MATTER, i)); i++) {
        if (row->kind != (int32_t)MATTER_KIND(SHORTFALL))
            continue;
        deduction_gid(trade, row, gid);
        if (!(message->shortfalls[message->n_shortfalls++] = view_shortfall(trade, row, arena)) ||
            (row->tries > 0 && !add_gid(message, gid, arena)))
            return false;
    }
    return true;
}

trade_message *view_trade_row(const struct trade_row *row, struct arena *arena) {
    trade_message *message = VIEW_NEW(arena, txcenter__trade__v1__trade, trade_message);
    if (!message)
        return NULL;
    message->trade_no = view_text(row->trade_no);
    message->version = row->version;
    message->state = (Txcenter__Trade__V1__TradeState)row->state;
    message->order_no = view_text(row->order_no);
    message->reason = view_text(row->reason);
    message->text = view_text(row->text);
    message->created_by = view_text(row->created_by);
    message->points_awarded = row->points_awarded;
    message->mode = (Txcenter__Trade__V1__OrderMode)row->mode;
    message->posted_shift_id = view_text(row->posted_shift);
    message->posted_business_date = view_text(row->posted_date);
    bool whole = (message->context = view_context(row, arena)) != NULL &&
                 view_put_money(&message->payable, row->currency, row->payable, arena) &&
                 view_put_money(&message->paid, row->currency, row->paid, arena) &&
                 view_put_money(&message->refunded, row->currency, row->refunded, arena) &&
                 put_time(&message->created_at, row->created_ms, arena) &&
                 put_time(&message->order_expires_at, row->order_expires_ms, arena) &&
                 put_time(&message->paid_at, row->paid_ms, arena) &&
                 (!row->authorised || view_put_money(&message->authorised, row->currency, row->authorised, arena)) &&
                 put_time(&message->adjusted_at, row->adjusted_ms, arena);
    return whole ? message : NULL;
}

// What was quoted, and of it what was ordered. A quote is kept as long as its trade.
static bool add_quote(trade_message *message, const struct trade *trade, struct arena *arena) {
    // Of a paid trade what was bought, though it may have been quoted again before it was found paid.
    int32_t version = trade_is_paid(trade) ? trade->row.ordered_version : trade->row.quote_version;
    message->quote = view_quote(trade_quote_row(trade, version), arena);
    message->combination = (void *)(uintptr_t)chosen_combination(trade, message->quote, arena);
    return (message->quote || !trade_quote_row(trade, version)) &&
           (message->combination || !trade->row.combination_id[0] ||
            !trade_quote_row(trade, trade->row.ordered_version));
}

trade_message *view_trade(const struct trade *trade, struct arena *arena) {
    trade_message *message = view_trade_row(&trade->row, arena);
    if (!message || !add_quote(message, trade, arena))
        return NULL;
    message->unused = view_refund(trade, ADJUST_REFUND_NO, arena);
    if (!message->unused && trade_refund(trade, STR(ADJUST_REFUND_NO)))
        return NULL;
    bool whole = add_attempts_and_refunds(message, trade, arena) && add_followers(message, trade, arena) &&
                 add_ledger(message, trade, arena) && add_history(message, trade, arena) &&
                 add_shortfalls(message, trade, arena) && put_time(&message->archived_at, trade->archived_ms, arena);
    return whole ? message : NULL;
}
