// What the payment gateway tells: verified, made durable, then acknowledged. A repeat of a nonce with the same bytes is
// acknowledged again without effect.
#include "flows/trade/callback.h"

#include "base/digest.h"
#include "flows/trade/internal.h"
#include "flows/trade/load.h"
#include "flows/trade/matter_list.h"
#include "flows/trade/payment.h"
#include "flows/trade/refund_leg.h"
#include "flows/trade/tender.h"
#include "txcenter/callback/v1/callback.pb-c.h"

#include <stdio.h>
#include <stdlib.h>

#define UNKNOWN_NUMBER "callback for an unknown number"

enum { BODY_MAX = 65536, NONCE_LEAST = 8 };

struct notice {
    struct trades *trades;
    struct trade_call *call;
    const Txcenter__Callback__V1__SignedBody *body;
    bool of_refund;
    struct arena arena;
    struct request_entry *entry;
    const Participant__Payment__V1__Payment *payment;
    const Participant__Payment__V1__PaymentRefund *refund;
    char number[81]; // of the tender, or of the refund at the gateway
};

static void finish(struct notice *notice, const struct error *error) {
    struct trade_call *call = notice->call;
    if (error) {
        char trade_no[ID_LEN + 1] = ""; // our numbers begin with it
        str_fit(str_c(notice->number), trade_no, sizeof trade_no);
        call->fail(call->ctx, error, trade_no, "");
    } else if (notice->of_refund) {
        Txcenter__Callback__V1__NotifyRefundResponse response = TXCENTER__CALLBACK__V1__NOTIFY_REFUND_RESPONSE__INIT;
        call->reply(call->ctx, &response.base);
    } else {
        Txcenter__Callback__V1__NotifyPaymentResponse response = TXCENTER__CALLBACK__V1__NOTIFY_PAYMENT_RESPONSE__INIT;
        call->reply(call->ctx, &response.base);
    }
    arena_release(&notice->arena);
    free(notice);
}

static void refuse(struct notice *notice, enum err code, const char *text) {
    struct error error;
    error_set(&error, code, "%s", text ? text : err_info(code)->text);
    struct request_entry *entry = notice->entry;
    finish(notice, &error);
    if (entry)
        request_dropped(entry);
}

// ---- Who says so ----------------------------------------------------------------------------------------------------

static bool is_genuine(const struct notice *notice, struct arena *arena) {
    const struct trades_options *options = &notice->trades->options;
    const Txcenter__Callback__V1__SignedBody *body = notice->body;
    uint8_t expected[DIGEST_LEN];
    for (const struct trade_callback_key *key = options->callback_keys; key && key->id; key++) {
        if (strcmp(key->id, body->key_id) != 0)
            continue;
        struct str head =
            arena_printf(arena, "%s\n%lld\n%s\n", body->key_id, (long long)body->timestamp_ms, body->nonce);
        char *all = head.ptr ? arena_alloc(arena, head.len + body->body.len + 1) : NULL;
        if (!all)
            return false;
        memcpy(all, head.ptr, head.len);
        if (body->body.len)
            memcpy(all + head.len, body->body.data, body->body.len);
        digest_hmac(key->secret, str_n(all, head.len + body->body.len), expected);
        return digest_equal(str_n(expected, DIGEST_LEN), str_n(body->signature.data, body->signature.len));
    }
    return false;
}

static bool is_fresh(const struct notice *notice) {
    int64_t now = trades_now(notice->trades), window = notice->trades->options.callback_window_ms;
    int64_t at = notice->body->timestamp_ms;
    return at >= now - window && at <= now + window;
}

// ---- What it says ---------------------------------------------------------------------------------------------------

static bool read_body(struct notice *notice) {
    struct str bytes = str_n(notice->body->body.data, notice->body->body.len);
    const char *number = NULL;
    if (notice->of_refund) {
        const Participant__Payment__V1__RefundNotification *body =
            adapter_decode(bytes, &participant__payment__v1__refund_notification__descriptor, &notice->arena);
        notice->refund = body ? body->refund : NULL;
        number = notice->refund ? notice->refund->refund_no : NULL;
    } else {
        const Participant__Payment__V1__PaymentNotification *body =
            adapter_decode(bytes, &participant__payment__v1__payment_notification__descriptor, &notice->arena);
        notice->payment = body ? body->payment : NULL;
        number = notice->payment ? notice->payment->tender_no : NULL;
    }
    return number && number[0] && str_copy(str_c(number), notice->number, sizeof notice->number);
}

static void durable(void *ctx, const struct error *error) {
    finish(ctx, error);
}

static void make(struct notice *notice, struct saga_turn *turn) {
    struct request_entry *entry = notice->entry;
    notice->entry = NULL;
    request_made(entry, turn, str_c(notice->number), STR(""), NULL);
    saga_turn_commit(turn, durable, notice);
}

static void put_stray(struct notice *notice, struct saga_turn *turn, const struct trade *trade, const char *why) {
    struct stray_row row = {.kind = notice->of_refund ? STRAY_OF_REFUND : STRAY_OF_PAYMENT,
                            .received_ms = saga_turn_now(turn)};
    str_copy(str_c(notice->body->key_id), row.key_id, sizeof row.key_id);
    str_copy(str_c(notice->body->nonce), row.nonce, sizeof row.nonce);
    memcpy(row.number, notice->number, sizeof row.number);
    row.body = str_n(notice->body->body.data, notice->body->body.len);
    str_fit(str_c(why), row.why, sizeof row.why);
    if (trade)
        memcpy(row.trade_no, trade->row.trade_no, sizeof row.trade_no);
    saga_turn_row(turn, &stray_table, STORE_PUT, &row);
    matter_count_soon(notice->trades);
}

// Nothing of ours can take it in: kept for the operators, acknowledged, alarmed.
static void keep_stray(struct notice *notice, const struct trade *trade, const char *why) {
    struct saga_turn *turn = saga_turn_begin(notice->trades->engine, NULL);
    put_stray(notice, turn, trade, why);
    trades_alert(notice->trades, why, trade, notice->number);
    make(notice, turn);
}

static void keep_unknown(struct notice *notice, const struct trade *trade, const char *why) {
    notice->trades->stats.unknown_callbacks++;
    keep_stray(notice, trade, why);
}

static bool is_understood(const struct notice *notice) {
    return notice->of_refund
               ? adapter_is_known(&participant__payment__v1__refund_state__descriptor, (int)notice->refund->state)
               : adapter_is_known(&participant__payment__v1__payment_state__descriptor, (int)notice->payment->state);
}

static void apply_payment(struct notice *notice, struct trade *trade, struct tender_row *tender) {
    struct saga_turn *turn = saga_turn_begin(notice->trades->engine, &trade->subject);
    int32_t before = tender->state;
    tender_noticed(turn, tender, notice->payment);
    if (!trade->archived)
        payment_poke(turn, tender->attempt_no);
    else if (tender->state != before && tender->state == TENDER_STATE(CONFLICTED))
        put_stray(notice, turn, trade, "money of a deleted trade that can't go back by itself"); // it has no matters
    make(notice, turn);
}

static void apply_refund(struct notice *notice, struct trade *trade) {
    struct saga_turn *turn = saga_turn_begin(notice->trades->engine, &trade->subject);
    enum refund_learnt learnt = refund_leg_learn(turn, notice->refund);
    if (learnt == REFUND_LEARNT) {
        make(notice, turn);
        return;
    }
    saga_turn_abandon(turn);
    static const char *const whys[] = {
        [REFUND_MISMATCHED] = "refund does not match",
        [REFUND_PAID_OUT_BEFORE] = "a refund that had failed was paid out after all",
        [REFUND_PAID_OUT_TOO] = "the gateway has paid out a refund that counts as paid already",
    };
    if (learnt == REFUND_UNKNOWN) {
        keep_unknown(notice, trade, UNKNOWN_NUMBER);
        return;
    }
    notice->trades->stats.conflicts++;
    keep_stray(notice, trade, whys[learnt]);
}

// ---- Whose it is ----------------------------------------------------------------------------------------------------

static void trade_found(void *ctx, struct trade *trade, const struct error *error) {
    struct notice *notice = ctx;
    if (error && error->code != ERR_TRADE_NOT_FOUND) {
        refuse(notice, error->code, error->text);
        return;
    }
    struct tender_row *tender = trade && !notice->of_refund ? trade_tender_by_no(trade, str_c(notice->number)) : NULL;
    if (tender && !tender_is_gateway(tender))
        keep_unknown(notice, trade, "callback for a tender that is not the gateway's");
    else if ((tender || (trade && notice->of_refund)) && !is_understood(notice))
        keep_stray(notice, trade, "callback with an unknown state");
    else if (tender)
        apply_payment(notice, trade, tender);
    else if (trade && notice->of_refund)
        apply_refund(notice, trade);
    else
        keep_unknown(notice, NULL, UNKNOWN_NUMBER);
    if (trade)
        saga_subject_release(&trade->subject);
}

static void looked_up(void *ctx, enum request_verdict verdict, struct request_entry *entry,
                      const struct request_row *row, const struct error *error) {
    struct notice *notice = ctx;
    (void)row;
    notice->entry = entry;
    if (verdict == REQUEST_ERROR && error->code == ERR_IDEMPOTENCY_KEY_REUSED) {
        refuse(notice, ERR_NONCE_REUSED, NULL);
    } else if (verdict == REQUEST_ERROR) {
        refuse(notice, error->code, error->text);
    } else if (verdict == REQUEST_KNOWN) {
        finish(notice, NULL);
    } else {
        // Our numbers begin with the trade's.
        struct str trade_no = str_n(notice->number, ID_LEN);
        if (strlen(notice->number) > ID_LEN && id_valid(trade_no))
            load_trade_or_archived(notice->trades, trade_no, trade_found, notice);
        else
            keep_unknown(notice, NULL, UNKNOWN_NUMBER);
    }
}

static void serve(struct trades *trades, struct trade_call *call, const Txcenter__Callback__V1__SignedBody *body,
                  bool of_refund) {
    struct notice *notice = calloc(1, sizeof *notice);
    struct error error = {0};
    if (!notice)
        abort();
    *notice = (struct notice){.trades = trades, .call = call, .body = body, .of_refund = of_refund};
    arena_init(&notice->arena, 8 * BODY_MAX);
    trades->stats.callbacks++;
    if (!body) {
        error_field(&error, "notification", "is required");
        finish(notice, &error);
        return;
    }
    size_t nonce = strlen(body->nonce);
    if (nonce < NONCE_LEAST || nonce > REQUEST_ID_MAX)
        error_field(&error, "notification.nonce", "must have %d..%d bytes", NONCE_LEAST, REQUEST_ID_MAX);
    // What is signed is cut by line ends.
    for (const char *c = body->nonce; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f) {
            error_field(&error, "notification.nonce", "may not hold control characters");
            break;
        }
    if (body->body.len == 0 || body->body.len > BODY_MAX)
        error_field(&error, "notification.body", "must have 1..%d bytes", BODY_MAX);
    if (strlen(body->key_id) > TRADE_ID_MAX)
        error_field(&error, "notification.key_id", "must have at most %d bytes", TRADE_ID_MAX);
    if (error_is(&error)) {
        finish(notice, &error);
    } else if (!is_genuine(notice, &notice->arena) || !(call->kept || is_fresh(notice))) {
        refuse(notice, ERR_SIGNATURE_INVALID, NULL);
    } else if (!read_body(notice)) {
        error_field(&error, "notification.body", "is no notification with a number");
        finish(notice, &error);
    } else {
        struct request_id id = {
            .caller = arena_printf(&notice->arena, "callback:%s", body->key_id),
            .id = str_c(body->nonce),
            .method = of_refund ? "NotifyRefund" : "NotifyPayment",
            .body = str_n(body->body.data, body->body.len),
        };
        request_begin(trades->requests, &id, looked_up, notice);
    }
}

void callback_payment(struct trades *trades, struct trade_call *call, const ProtobufCMessage *request) {
    serve(trades, call, ((const Txcenter__Callback__V1__NotifyPaymentRequest *)(const void *)request)->notification,
          false);
}

void callback_refund(struct trades *trades, struct trade_call *call, const ProtobufCMessage *request) {
    serve(trades, call, ((const Txcenter__Callback__V1__NotifyRefundRequest *)(const void *)request)->notification,
          true);
}
