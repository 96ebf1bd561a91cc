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

static tender_message *view_tender(const struct trade *trade, const struct tender_row *row, struct arena *arena) {
    tender_message *tender = VIEW_NEW(arena, txcenter__trade__v1__tender, tender_message);
    if (!tender)
        return NULL;
    const char *currency = trade->row.currency;
    tender->tender_no = view_text(row->tender_no);
    tender->kind = (Txcenter__Trade__V1__TenderKind)row->kind;
    tender->state = (Txcenter__Trade__V1__TenderState)row->state;
    tender->amount = view_money(currency, row->amount, arena);
    tender->account = view_text(row->account);
    tender->prepay_parameters = view_text(arena_str(arena, row->prepay_parameters).ptr);
    tender->refunded = view_money(currency, row->refunded, arena);
    tender->gateway_no = view_text(row->gateway_no);
    tender->detail = view_text(row->detail);
    if (tender_is_card(row)) {
        tender->principal = view_money(currency, row->principal, arena);
        tender->bonus = view_money(currency, row->bonus, arena);
    } else if (row->paid_ms) {
        tender->payer_amount = view_money(currency, row->payer_amount, arena);
        tender->gateway_discount = view_money(currency, row->gateway_discount, arena);
        tender->merchant_discount = view_money(currency, row->merchant_discount, arena);
        tender->settlement_amount = view_money(currency, row->settlement_amount, arena);
    }
    return tender;
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
    attempt->rounding_off = row->rounding_off ? view_money(trade->row.currency, row->rounding_off, arena) : NULL;
    attempt->reason = view_text(row->reason);
    attempt->text = view_text(row->text);
    attempt->tenders = view_array(arena, TRADE_TENDERS_MAX);
    const struct tender_row *tender;
    for (int32_t i = 0; attempt->tenders && (tender = trade_tender(trade, attempt_no, i)); i++)
        attempt->tenders[attempt->n_tenders++] = view_tender(trade, tender, arena);
    return attempt;
}

Txcenter__Trade__V1__Refund *view_refund(const struct trade *trade, const char *refund_no, struct arena *arena) {
    const struct refund_row *row = trade_refund(trade, str_c(refund_no));
    Txcenter__Trade__V1__Refund *refund =
        row ? VIEW_NEW(arena, txcenter__trade__v1__refund, Txcenter__Trade__V1__Refund) : NULL;
    if (!refund)
        return NULL;
    refund->refund_no = view_text(row->refund_no);
    refund->state = (Txcenter__Trade__V1__RefundState)row->state;
    refund->amount = view_money(trade->row.currency, row->amount, arena);
    refund->final = row->final;
    refund->reason = view_text(row->reason);
    refund->created_at = view_time(row->created_ms, arena);
    refund->done_at = view_time(row->done_ms, arena);
    refund->points_given_back = row->points_given_back;
    refund->points_clawed_back = row->points_clawed_back;
    refund->points_shortfall = row->points_shortfall;
    refund->coupons_spent = row->coupons_spent;
    refund->posted_shift_id = view_text(row->posted_shift);
    refund->posted_business_date = view_text(row->posted_date);
    refund->gifts_spent = row->gifts_spent;
    refund->legs = view_array(arena, (size_t)row->legs);
    for (int32_t i = 0; refund->legs && i < row->legs; i++) {
        const struct refund_leg_row *leg = trade_refund_leg(trade, refund_no, i);
        Txcenter__Trade__V1__RefundLeg *message =
            VIEW_NEW(arena, txcenter__trade__v1__refund_leg, Txcenter__Trade__V1__RefundLeg);
        if (!leg || !message)
            break;
        const struct tender_row *tender = trade_tender(trade, leg->attempt_no, leg->tender);
        message->tender_no = view_text(tender ? tender->tender_no : "");
        message->state = (Txcenter__Trade__V1__RefundLegState)leg->state;
        message->amount = view_money(trade->row.currency, leg->amount, arena);
        message->detail = view_text(leg->detail);
        message->payer_amount = view_money(trade->row.currency, leg->payer_amount, arena);
        message->gateway_discount = view_money(trade->row.currency, leg->gateway_discount, arena);
        message->merchant_discount = view_money(trade->row.currency, leg->merchant_discount, arena);
        message->settlement_amount = view_money(trade->row.currency, leg->settlement_amount, arena);
        refund->legs[refund->n_legs++] = message;
    }
    return refund;
}

// ---- The whole ----------------------------------------------------------------------------------------------------

static void add_ledger(trade_message *message, const struct trade *trade, struct arena *arena) {
    size_t n = trade->parts[PART_LEDGER].n;
    message->ledger = view_array(arena, n);
    for (size_t i = 0; message->ledger && i < n; i++) {
        const struct ledger_row *row = trade_at(trade, PART_LEDGER, i);
        Txcenter__Trade__V1__LedgerPosting *posting =
            VIEW_NEW(arena, txcenter__trade__v1__ledger_posting, Txcenter__Trade__V1__LedgerPosting);
        if (!posting)
            return;
        posting->entry = row->entry;
        posting->account = view_text(row->account);
        posting->amount = view_money(trade->row.currency, row->amount, arena);
        posting->text = view_text(row->text);
        posting->at = view_time(row->at_ms, arena);
        message->ledger[message->n_ledger++] = posting;
    }
}

static void add_history(trade_message *message, const struct trade *trade, struct arena *arena) {
    struct trade_change_at changes[TRADE_HISTORY_MAX];
    size_t n = trade_history(trade, changes, TRADE_HISTORY_MAX);
    message->history = view_array(arena, n);
    for (size_t i = 0; message->history && i < n; i++) {
        Txcenter__Trade__V1__StateChange *change =
            VIEW_NEW(arena, txcenter__trade__v1__state_change, Txcenter__Trade__V1__StateChange);
        if (!change)
            return;
        change->state = (Txcenter__Trade__V1__TradeState)changes[i].state;
        change->at = view_time(changes[i].at_ms, arena);
        message->history[message->n_history++] = change;
    }
}

static void add_followers(trade_message *message, const struct trade *trade, struct arena *arena) {
#define X(NAME, name, since) #name,
    static const char *const names[] = {AFTER_TABLE(X)};
#undef X
    message->followers = view_array(arena, AFTERS);
    for (int benefit = 0; message->followers && benefit < AFTERS; benefit++) {
        if (trade->row.after[benefit].state == AFTER_NONE)
            continue;
        Txcenter__Trade__V1__Follower *follower =
            VIEW_NEW(arena, txcenter__trade__v1__follower, Txcenter__Trade__V1__Follower);
        if (!follower)
            return;
        follower->name = view_text(names[benefit]);
        follower->state = (Txcenter__Trade__V1__FollowerState)trade->row.after[benefit].state;
        message->followers[message->n_followers++] = follower;
    }
}

static void add_gid(trade_message *message, const char *gid, struct arena *arena) {
    struct str copy = arena_str(arena, str_c(gid));
    if (copy.ptr)
        message->saga_gids[message->n_saga_gids++] = view_text(copy.ptr);
}

static void add_attempts_and_refunds(trade_message *message, const struct trade *trade, struct arena *arena) {
    size_t payments = trade->parts[PART_ATTEMPT].n, refunds = trade->parts[PART_REFUND].n;
    char gid[TRADE_GID_MAX];
    message->attempts = view_array(arena, payments);
    message->refunds = view_array(arena, refunds);
    message->saga_gids =
        view_array(arena, 2 * (payments + refunds) + (size_t)trade->row.purchase_no + 2 + trade->parts[PART_MATTER].n);
    if (!message->saga_gids)
        return;
    for (int32_t no = 1; no <= trade->row.purchase_no; no++) {
        snprintf(gid, sizeof gid, "%s/%d", trade->row.trade_no, no);
        add_gid(message, gid, arena);
    }
    if (trade->row.stopped != STOPPED_NO) {
        recall_order_gid(trade, gid);
        add_gid(message, gid, arena);
    }
    for (size_t i = 0; message->attempts && i < payments; i++) {
        const struct pay_attempt_row *row = trade_at(trade, PART_ATTEMPT, i);
        message->attempts[message->n_attempts++] = view_attempt(trade, row->attempt_no, arena);
        if (row->state != ATTEMPT_PLANNED) {
            trade_payment_gid(trade, row->attempt_no, gid);
            add_gid(message, gid, arena);
        }
        if (row->recalled) {
            recall_payment_gid(trade, row->attempt_no, gid);
            add_gid(message, gid, arena);
        }
    }
    if (trade->row.adjust == ADJUST_DONE) {
        capture_gid(trade, gid);
        add_gid(message, gid, arena);
    }
    for (size_t i = 0; message->refunds && i < refunds; i++) {
        const struct refund_row *row = trade_at(trade, PART_REFUND, i);
        if (row->kind == REFUND_OF_TRADE)
            message->refunds[message->n_refunds++] = view_refund(trade, row->refund_no, arena);
        trade_refund_first_gid(trade, row->refund_no, gid);
        add_gid(message, gid, arena);
        if (row->stopped) {
            trade_refund_gid(trade, row->refund_no, gid);
            add_gid(message, gid, arena);
        }
    }
}

// With the saga that has tried each again last.
static void add_shortfalls(trade_message *message, const struct trade *trade, struct arena *arena) {
    const struct matter_row *row;
    char gid[TRADE_GID_MAX];
    message->shortfalls = view_array(arena, trade->parts[PART_MATTER].n);
    for (size_t i = 0; message->shortfalls && (row = trade_at(trade, PART_MATTER, i)); i++) {
        if (row->kind != (int32_t)MATTER_KIND(SHORTFALL))
            continue;
        Txcenter__Trade__V1__Shortfall *view =
            VIEW_NEW(arena, txcenter__trade__v1__shortfall, Txcenter__Trade__V1__Shortfall);
        if (!view)
            return;
        view->number = row->number;
        view->what = view_text(row->what);
        view->reason = view_text(row->reason);
        view->text = view_text(row->text);
        view->amount = view_money(trade->row.currency, row->amount, arena);
        view->points = row->points;
        view->created_at = view_time(row->created_ms, arena);
        view->settled_at = view_time(row->settled_ms, arena);
        view->settled_by = view_text(row->settled_by);
        view->note = view_text(row->note);
        view->deducted = row->outcome == (int32_t)MATTER_OUTCOME(DEDUCTED);
        if (row->tries > 0 && message->saga_gids) {
            deduction_gid(trade, row, gid);
            add_gid(message, gid, arena);
        }
        message->shortfalls[message->n_shortfalls++] = view;
    }
}

trade_message *view_trade_row(const struct trade_row *row, struct arena *arena) {
    trade_message *message = VIEW_NEW(arena, txcenter__trade__v1__trade, trade_message);
    if (!message)
        return NULL;
    message->trade_no = view_text(row->trade_no);
    message->version = row->version;
    message->state = (Txcenter__Trade__V1__TradeState)row->state;
    message->order_no = view_text(row->order_no);
    message->context = view_context(row, arena);
    message->payable = view_money(row->currency, row->payable, arena);
    message->paid = view_money(row->currency, row->paid, arena);
    message->refunded = view_money(row->currency, row->refunded, arena);
    message->created_at = view_time(row->created_ms, arena);
    message->order_expires_at = view_time(row->order_expires_ms, arena);
    message->paid_at = view_time(row->paid_ms, arena);
    message->reason = view_text(row->reason);
    message->text = view_text(row->text);
    message->created_by = view_text(row->created_by);
    message->points_awarded = row->points_awarded;
    message->mode = (Txcenter__Trade__V1__OrderMode)row->mode;
    message->posted_shift_id = view_text(row->posted_shift);
    message->posted_business_date = view_text(row->posted_date);
    message->authorised = row->authorised ? view_money(row->currency, row->authorised, arena) : NULL;
    message->adjusted_at = view_time(row->adjusted_ms, arena);
    return message;
}

trade_message *view_trade(const struct trade *trade, struct arena *arena) {
    trade_message *message = view_trade_row(&trade->row, arena);
    if (!message)
        return NULL;
    // Of a paid trade what was bought, though it may have been quoted again before it was found paid.
    int32_t version = trade_is_paid(trade) ? trade->row.ordered_version : trade->row.quote_version;
    message->quote = view_quote(trade_quote_row(trade, version), arena);
    message->combination = (void *)(uintptr_t)chosen_combination(trade, message->quote, arena);
    message->unused = view_refund(trade, ADJUST_REFUND_NO, arena);
    add_attempts_and_refunds(message, trade, arena);
    add_followers(message, trade, arena);
    add_ledger(message, trade, arena);
    add_history(message, trade, arena);
    add_shortfalls(message, trade, arena);
    message->archived_at = view_time(trade->archived_ms, arena);
    return message;
}
