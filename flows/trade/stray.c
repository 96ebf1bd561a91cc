#include "flows/trade/stray.h"

#include "flows/trade/command.h"
#include "flows/trade/load.h"
#include "flows/trade/matter_list.h"
#include "flows/trade/payment.h"
#include "flows/trade/refund_leg.h"
#include "flows/trade/tender.h"
#include "flows/trade/view.h"
#include "saga/audit.h"

#include <stdlib.h>

#define STRAY_OUTCOME(name) TXCENTER__TRADE__V1__STRAY_OUTCOME__STRAY_OUTCOME_##name

enum { ARENA_MAX = 4 << 20 };

typedef Txcenter__Trade__V1__SettleStrayRequest settle_request;

// ---- What it says -------------------------------------------------------------------------------------------------

static const Participant__Payment__V1__Payment *payment_in(const struct stray_row *row, struct arena *arena) {
    const Participant__Payment__V1__PaymentNotification *body =
        adapter_decode(row->body, &participant__payment__v1__payment_notification__descriptor, arena);
    return body ? body->payment : NULL;
}

static const Participant__Payment__V1__PaymentRefund *refund_in(const struct stray_row *row, struct arena *arena) {
    const Participant__Payment__V1__RefundNotification *body =
        adapter_decode(row->body, &participant__payment__v1__refund_notification__descriptor, arena);
    return body ? body->refund : NULL;
}

// "PAID" of PAYMENT_STATE_PAID.
static const char *state_word(const ProtobufCEnumDescriptor *type, int state, const char *prefix) {
    const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value(type, state);
    bool named = value && strncmp(value->name, prefix, strlen(prefix)) == 0;
    return named ? value->name + strlen(prefix) : "";
}

static void view_body(const struct stray_row *row, Txcenter__Trade__V1__Stray *view, struct arena *arena) {
    const Participant__Payment__V1__PaymentRefund *refund = view->of_refund ? refund_in(row, arena) : NULL;
    const Participant__Payment__V1__Payment *payment = view->of_refund ? NULL : payment_in(row, arena);
    const Txcenter__Type__V1__Money *amount = refund ? refund->amount : payment ? payment->amount : NULL;
    if (amount)
        view->amount = view_money(amount->currency, amount->minor_units, arena);
    view->state = view_text(
        refund ? state_word(&participant__payment__v1__refund_state__descriptor, (int)refund->state, "REFUND_STATE_")
        : payment
            ? state_word(&participant__payment__v1__payment_state__descriptor, (int)payment->state, "PAYMENT_STATE_")
            : "");
}

Txcenter__Trade__V1__Stray *stray_view(const struct stray_row *row, struct arena *arena) {
    Txcenter__Trade__V1__Stray *view = VIEW_NEW(arena, txcenter__trade__v1__stray, Txcenter__Trade__V1__Stray);
    if (!view)
        return NULL;
    view->key_id = view_text(row->key_id);
    view->nonce = view_text(row->nonce);
    view->of_refund = row->kind == STRAY_OF_REFUND;
    view->number = view_text(row->number);
    view_body(row, view, arena);
    view->received_at = view_time(row->received_ms, arena);
    view->why = view_text(row->why);
    view->trade_no = view_text(row->trade_no);
    view->settled_at = view_time(row->settled_ms, arena);
    view->outcome = (Txcenter__Trade__V1__StrayOutcome)row->outcome;
    view->settled_by = view_text(row->settled_by);
    view->note = view_text(row->note);
    view->reference = view_text(row->reference);
    return view;
}

// ---- Settling -----------------------------------------------------------------------------------------------------

struct settling {
    struct trades *trades;
    struct trade_call *call;
    const settle_request *request;
    struct request_entry *entry;
    struct audit_row audit;
    struct stray_row row; // its body in the arena
    struct arena arena;
};

static void finish(struct settling *settling, const struct error *error) {
    struct trade_call *call = settling->call;
    struct request_entry *entry = settling->entry;
    Txcenter__Trade__V1__SettleStrayResponse response = TXCENTER__TRADE__V1__SETTLE_STRAY_RESPONSE__INIT;
    struct error full;
    if (!error && !(response.stray = stray_view(&settling->row, &settling->arena))) {
        error_set(&full, ERR_INTERNAL, "the stray can't be shown");
        error = &full;
    }
    if (error)
        call->fail(call->ctx, error, settling->request->trade_no, settling->request->request_id);
    else
        call->reply(call->ctx, &response.base);
    arena_release(&settling->arena);
    free(settling);
    if (entry)
        request_dropped(entry);
}

static void refuse(struct settling *settling, enum err code, const char *why) {
    struct error error;
    error_set(&error, code, "%s", why ? why : err_info(code)->text);
    finish(settling, &error);
}

// Two at the same time: the store takes the first.
static void settled(void *ctx, const struct error *error) {
    if (error && error->code == ERR_STORE_CONFLICT)
        refuse(ctx, ERR_MATTER_STATE, "somebody else has just settled it");
    else
        finish(ctx, error);
}

static void commit(struct settling *settling, struct saga_turn *turn) {
    const settle_request *request = settling->request;
    struct stray_row *row = &settling->row;
    struct audit_row *audit = &settling->audit;
    struct request_entry *entry = settling->entry;
    settling->entry = NULL;
    row->settled_ms = saga_turn_now(turn);
    row->outcome = (int32_t)request->outcome;
    str_fit(str_c(request->trade_no[0] ? request->trade_no : row->trade_no), row->trade_no, sizeof row->trade_no);
    str_fit(str_c(settling->call->caller), row->settled_by, sizeof row->settled_by);
    str_fit(str_c(request->reason), row->note, sizeof row->note);
    str_fit(str_c(request->reference), row->reference, sizeof row->reference);
    saga_turn_row(turn, &stray_table, STORE_DELETE, row);
    saga_turn_row(turn, &settled_stray_table, STORE_INSERT, row);
    matter_count_soon(settling->trades);
    str_fit(str_c(row->trade_no), audit->gid, sizeof audit->gid);
    str_fit(STR("open"), audit->before, sizeof audit->before);
    str_fit(str_c(state_word(&txcenter__trade__v1__stray_outcome__descriptor, row->outcome, "STRAY_OUTCOME_")),
            audit->after, sizeof audit->after);
    str_print(audit->detail, sizeof audit->detail, "callback %s of %s: %s", row->nonce, row->key_id, row->number);
    audit_put(turn, id_slot(str_c(row->trade_no[0] ? row->trade_no : row->nonce)), audit);
    request_made(entry, turn, str_c(row->nonce), STR_NONE, NULL);
    saga_turn_commit(turn, settled, settling);
}

// As if it had named what the operator says.
static bool take_in(struct settling *settling, struct saga_turn *turn, struct trade *trade, struct error *error) {
    const char *number = settling->request->number[0] ? settling->request->number : settling->row.number;
    if (settling->row.kind == STRAY_OF_REFUND) {
        const Participant__Payment__V1__PaymentRefund *refund = refund_in(&settling->row, &settling->arena);
        if (!refund)
            return error_set(error, ERR_MATTER_STATE, "it can't be read");
        Participant__Payment__V1__PaymentRefund named = *refund;
        named.refund_no = view_text(number);
        return refund_leg_learn(turn, &named) == REFUND_LEARNT ||
               error_set(error, ERR_MATTER_STATE, "no refund of the trade is waiting for what it says");
    }
    const Participant__Payment__V1__Payment *payment = payment_in(&settling->row, &settling->arena);
    struct tender_row *tender = trade_tender_by_no(trade, str_c(number));
    if (!payment || !tender || !tender_is_gateway(tender))
        return error_set(error, ERR_MATTER_STATE, "the trade has no such tender at the gateway");
    if (!adapter_is_known(&participant__payment__v1__payment_state__descriptor, (int)payment->state))
        return error_set(error, ERR_MATTER_STATE, "what its state means is not known here");
    tender_noticed(turn, tender, payment);
    payment_poke(turn, tender->attempt_no);
    return true;
}

static void trade_found(void *ctx, struct trade *trade, const struct error *failed) {
    struct settling *settling = ctx;
    struct error error = {0};
    if (failed) {
        finish(settling, failed);
        return;
    }
    if (!settling->call->may(settling->call->ctx, str_c(trade->row.tenant_id))) {
        refuse(settling, ERR_TENANT_FORBIDDEN, NULL);
    } else {
        struct saga_turn *turn = saga_turn_begin(settling->trades->engine, &trade->subject);
        if (take_in(settling, turn, trade, &error)) {
            commit(settling, turn);
        } else {
            saga_turn_abandon(turn);
            finish(settling, &error);
        }
    }
    saga_subject_release(&trade->subject);
}

// ---- Finding ------------------------------------------------------------------------------------------------------

static void read_row(struct settling *settling, const struct store_table *table, store_rows_fn *done) {
    struct store_query query = {
        .table = table,
        .conds = {{.column = "key_id", .cmp = STORE_EQ, .text = str_c(settling->request->key_id)},
                  {.column = "nonce", .cmp = STORE_EQ, .text = str_c(settling->request->nonce)}},
        .limit = 1};
    store_read(settling->trades->options.store, &query, done, settling);
}

static void take_row(struct settling *settling, const struct stray_row *row) {
    settling->row = *row;
    settling->row.body = arena_str(&settling->arena, row->body);
}

static void known_read(void *ctx, const struct error *error, const void *rows, size_t n) {
    struct settling *settling = ctx;
    if (n == 1)
        take_row(settling, rows);
    if (error)
        finish(settling, error);
    else if (n == 0)
        refuse(settling, ERR_MATTER_NOT_FOUND, NULL);
    else if (settling->entry)
        refuse(settling, ERR_MATTER_STATE, "it is settled already");
    else
        finish(settling, NULL);
}

static void open_read(void *ctx, const struct error *error, const void *rows, size_t n) {
    struct settling *settling = ctx;
    if (error) {
        finish(settling, error);
    } else if (n == 0) {
        read_row(settling, &settled_stray_table, known_read);
    } else {
        take_row(settling, rows);
        if (settling->request->outcome == STRAY_OUTCOME(MATCHED))
            load_trade(settling->trades, str_c(settling->request->trade_no), trade_found, settling);
        else
            commit(settling, saga_turn_begin(settling->trades->engine, NULL));
    }
}

static void looked_up(void *ctx, enum request_verdict verdict, struct request_entry *entry,
                      const struct request_row *row, const struct error *error) {
    struct settling *settling = ctx;
    (void)row;
    settling->entry = entry;
    switch (verdict) {
    case REQUEST_NEW: read_row(settling, &stray_table, open_read); break;
    case REQUEST_KNOWN: read_row(settling, &settled_stray_table, known_read); break;
    case REQUEST_ERROR: finish(settling, error); break;
    }
}

// ---- The method ---------------------------------------------------------------------------------------------------

static void check(const settle_request *request, struct error *error) {
    bool matched = request->outcome == STRAY_OUTCOME(MATCHED), back = request->outcome == STRAY_OUTCOME(GIVEN_BACK);
    check_text(error, "request_id", request->request_id, 1, REQUEST_ID_MAX);
    check_text(error, "key_id", request->key_id, 1, TRADE_ID_MAX);
    check_text(error, "nonce", request->nonce, 1, REQUEST_ID_MAX);
    check_range(error, "outcome", (int64_t)request->outcome, 1, STRAY_OUTCOME(IGNORED));
    check_trade_no(error, "trade_no", request->trade_no, matched);
    check_text(error, "number", request->number, 0, matched ? sizeof((struct stray_row *)NULL)->number - 1 : 0);
    check_text(error, "reference", request->reference, back, back ? MATTER_REFERENCE_MAX : 0);
}

void stray_settle(struct trades *trades, struct trade_call *call, const ProtobufCMessage *message) {
    struct settling *settling = calloc(1, sizeof *settling);
    struct error error = {0};
    if (!settling)
        abort();
    *settling = (struct settling){.trades = trades, .call = call, .request = (const void *)message};
    arena_init(&settling->arena, ARENA_MAX);
    const settle_request *request = settling->request;
    check(request, &error);
    audit_init(&settling->audit, "settle-stray", str_c(call->caller), str_c(request->reason), &error);
    if (!error_is(&error) && !call->may(call->ctx, STR("*")))
        error_set(&error, ERR_TENANT_FORBIDDEN, "only callers that see every tenant may settle what is nobody's");
    if (error_is(&error)) {
        finish(settling, &error);
        return;
    }
    uint8_t *bytes = arena_alloc(&settling->arena, protobuf_c_message_get_packed_size(message) + 1);
    if (!bytes)
        abort(); // a request is far smaller than the arena
    struct request_id id = {.caller = str_c(call->caller),
                            .id = str_c(request->request_id),
                            .method = "SettleStray",
                            .body = str_n(bytes, protobuf_c_message_pack(message, bytes))};
    request_begin(trades->requests, &id, looked_up, settling);
}
