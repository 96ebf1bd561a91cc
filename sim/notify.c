// Notifications: rows that stay until the center has acknowledged them, sent again with back-off, bent by faults.
#include "base/digest.h"
#include "sim/faults.h"
#include "sim/payment.h"
#include "txcenter/callback/v1/callback.pb-c.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define KIND(name) (int32_t) PARTICIPANT__SIM__V1__FAULT_KIND__FAULT_KIND_##name

enum { BODY_MAX = 65536, CALL_DEADLINE_MS = 5000, SENDING_MAX = 256, BUSY_MS = 10, REORDERED_MS = 1000 };

static const struct store_column columns[] = {
    STORE_COL_TEXT(sim_note_row, note_id),   STORE_COL_TEXT(sim_note_row, tender_no),
    STORE_COL_TEXT(sim_note_row, refund_no), STORE_COL_I32(sim_note_row, twist),
    STORE_COL_I64(sim_note_row, send_ms),
};

const struct store_table sim_notes_table = {
    .name = "sim_note",
    .row_size = sizeof(struct sim_note_row),
    .columns = columns,
    .n_columns = STORE_COUNT(columns),
    .n_key = 1,
    .since = 1,
};

static const struct rpc_method notify_payment = {.service = &txcenter__callback__v1__callback_service__descriptor,
                                                 .name = "NotifyPayment"};
static const struct rpc_method notify_refund = {.service = &txcenter__callback__v1__callback_service__descriptor,
                                                .name = "NotifyRefund"};

// ---- Bodies ----------------------------------------------------------------------------------------------------

// Changes the message as the fault wants it.
static void bend(struct sim_payment_message *message, int32_t twist, struct arena *arena) {
    if (twist == KIND(WRONG_AMOUNT)) {
        message->amount.minor_units++;
        message->payer.minor_units++;
        message->settlement.minor_units++;
    } else if (twist == KIND(WRONG_CURRENCY)) {
        char *other = strcmp(message->amount.currency, "USD") == 0 ? rpc_text("EUR") : rpc_text("USD");
        message->amount.currency = message->payer.currency = message->gateway.currency = message->merchant.currency =
            message->settlement.currency = other;
    } else if (twist == KIND(WRONG_MERCHANT)) {
        message->payment.merchant_id = rpc_text(arena_printf(arena, "not-%s", message->payment.merchant_id).ptr);
    } else if (twist == KIND(CONTRADICTING_CALLBACK)) {
        message->payment.state = SIM_FAILED;
        message->payment.code = rpc_text("CONTRADICTED");
    } else if (twist == KIND(FORGED_SIGNATURE)) {
        message->payment.state = SIM_PAID;
        message->payment.payer_amount = message->payment.settlement_amount = &message->amount;
    }
}

static struct str payment_body(const char *id, const struct sim_tender_row *tender, int32_t twist,
                               struct arena *arena) {
    struct sim_payment_message message;
    // It tells what happened, also when it is told after the money went back by a reversal.
    struct sim_tender_row then = *tender;
    if (then.paid_ms > 0)
        then.state = (int32_t)SIM_PAID;
    sim_payment_message(&message, &then);
    bend(&message, twist, arena);
    Participant__Payment__V1__PaymentNotification body = PARTICIPANT__PAYMENT__V1__PAYMENT_NOTIFICATION__INIT;
    body.notification_id = rpc_text(id);
    body.payment = &message.payment;
    return rpc_encode(&body.base, arena);
}

static struct str refund_body(const char *id, const struct sim_refund_row *refund, int32_t twist, struct arena *arena) {
    struct sim_refund_message message;
    sim_refund_message(&message, refund);
    if (twist == KIND(WRONG_AMOUNT))
        message.amount.minor_units++;
    Participant__Payment__V1__RefundNotification body = PARTICIPANT__PAYMENT__V1__REFUND_NOTIFICATION__INIT;
    body.notification_id = rpc_text(id);
    body.refund = &message.refund;
    return rpc_encode(&body.base, arena);
}

// ---- Sending ---------------------------------------------------------------------------------------------------

struct delivery {
    struct sim_system *system;
    bool awaited; // its acknowledgement ends the notification; others are extras
    char note_id[sizeof((struct sim_note_row *)NULL)->note_id];
};

static void delivered(void *ctx, const struct rpc_result *result);

static struct str sign(const struct sim_options *options, int64_t now_ms, const char *nonce, struct str body,
                       bool forged, uint8_t signature[DIGEST_LEN], struct arena *arena) {
    struct str head = arena_printf(arena, "%s\n%" PRId64 "\n%s\n", options->callback_key_id, now_ms, nonce);
    char *text = arena_alloc(arena, head.len + body.len);
    if (!head.ptr || !text)
        return STR_NONE;
    memcpy(text, head.ptr, head.len);
    memcpy(text + head.len, body.ptr, body.len);
    digest_hmac(str_c(options->callback_secret), str_n(text, head.len + body.len), signature);
    if (forged)
        signature[0] ^= 1;
    return str_n(signature, DIGEST_LEN);
}

// What is sent, perhaps several times.
struct outgoing {
    struct sim_system *system;
    const char *note_id;
    struct str body;
    bool refund;
    struct arena *arena;
};

static void send_one(const struct outgoing *out, const char *nonce, bool forged, bool awaited) {
    struct sim *sim = out->system->sim;
    struct sim_payment_state *state = sim_payment_state(out->system);
    uint8_t signature[DIGEST_LEN];
    int64_t now_ms = sim_now(sim);
    if (!sign(&sim->options, now_ms, nonce, out->body, forged, signature, out->arena).ptr)
        return;
    Txcenter__Callback__V1__SignedBody signed_body = TXCENTER__CALLBACK__V1__SIGNED_BODY__INIT;
    signed_body.body = (ProtobufCBinaryData){out->body.len, (uint8_t *)(uintptr_t)out->body.ptr};
    signed_body.key_id = rpc_text(sim->options.callback_key_id);
    signed_body.timestamp_ms = now_ms;
    signed_body.nonce = rpc_text(nonce);
    signed_body.signature = (ProtobufCBinaryData){DIGEST_LEN, signature};
    Txcenter__Callback__V1__NotifyPaymentRequest payment = TXCENTER__CALLBACK__V1__NOTIFY_PAYMENT_REQUEST__INIT;
    Txcenter__Callback__V1__NotifyRefundRequest refunded = TXCENTER__CALLBACK__V1__NOTIFY_REFUND_REQUEST__INIT;
    payment.notification = refunded.notification = &signed_body;
    struct delivery *delivery = calloc(1, sizeof *delivery);
    if (!delivery)
        abort();
    delivery->system = out->system;
    delivery->awaited = awaited;
    SIM_COPY(delivery->note_id, out->note_id);
    state->sending++;
    state->sent++;
    const char *caller = sim->options.callback_caller;
    struct rpc_header headers[] = {{caller ? "x-caller" : NULL, str_c(caller ? caller : "")}, {NULL, STR_NONE}};
    rpc_call(sim->options.callback, out->refund ? &notify_refund : &notify_payment,
             out->refund ? &refunded.base : &payment.base,
             &(struct rpc_call_options){.deadline_ms = CALL_DEADLINE_MS, .headers = headers}, delivered, delivery);
}

static void send_note(struct sim_system *system, struct sim_note_row *note) {
    const struct sim_tender_row *tender = sim_find(system, SIM_TENDERS, note->tender_no);
    const struct sim_refund_row *refund = note->refund_no[0] ? sim_find(system, SIM_REFUNDS, note->refund_no) : NULL;
    assert(tender && (refund || !note->refund_no[0])); // all three were made in one transaction
    struct arena arena;
    arena_init(&arena, 4 * (size_t)BODY_MAX);
    // The forged copy is the true body with a bad signature.
    int32_t twist = note->twist == KIND(FORGED_SIGNATURE) ? 0 : note->twist;
    struct outgoing out = {
        .system = system,
        .note_id = note->note_id,
        .body = refund ? refund_body(note->note_id, refund, twist, &arena)
                       : payment_body(note->note_id, tender, twist, &arena),
        .refund = refund != NULL,
        .arena = &arena,
    };
    // Each attempt has a nonce and a time of its own: the center takes a time only for some minutes.
    struct str nonce = arena_printf(&arena, "%s-%" PRId64 "-%d", note->note_id, sim_now(system->sim), note->attempts);
    struct str another = arena_printf(&arena, "%s-again", nonce.ptr);
    if (note->twist == KIND(FORGED_SIGNATURE) && note->attempts == 0)
        send_one(&out, another.ptr, true, false);
    send_one(&out, nonce.ptr, false, true);
    if (note->twist == KIND(DUPLICATE_CALLBACK) && note->attempts == 0) {
        send_one(&out, nonce.ptr, false, false);
        send_one(&out, another.ptr, false, false);
    }
    arena_release(&arena);
}

void sim_notify_forged(struct sim_system *system, const struct sim_tender_row *tender) {
    if (!system->sim->options.callback)
        return;
    struct arena arena;
    arena_init(&arena, 4 * (size_t)BODY_MAX);
    struct str id = arena_printf(&arena, "%s:forged", tender->tender_no);
    struct outgoing out = {system, id.ptr, payment_body(id.ptr, tender, KIND(FORGED_SIGNATURE), &arena), false, &arena};
    send_one(&out, id.ptr, true, false);
    arena_release(&arena);
}

// ---- The queue -------------------------------------------------------------------------------------------------

static int64_t back_off(const struct sim_options *options, int32_t attempts) {
    int64_t wait_ms = options->notify_retry_first_ms;
    for (int32_t i = 1; i < attempts && wait_ms < options->notify_retry_max_ms; i++)
        wait_ms *= 2;
    return wait_ms < options->notify_retry_max_ms ? wait_ms : options->notify_retry_max_ms;
}

static void hurry_reordered(void *ctx, void *row) {
    (void)ctx;
    const struct sim_note_row *note = row;
    if (note->twist == KIND(REORDERED_CALLBACK))
        sim_row_hurry(row);
}

static void acknowledged(struct sim_system *system, struct sim_note_row *note) {
    struct sim_payment_state *state = sim_payment_state(system);
    state->acknowledged++;
    if (note->twist == KIND(REORDERED_CALLBACK) && state->reordered > 0)
        state->reordered--;
    struct sim_change change;
    sim_change_begin(&change, system, (struct sim_about){0});
    sim_remove(&change, note);
    sim_change_commit(&change, NULL, NULL);
    // What was held back until another one came through goes now.
    if (state->reordered > 0)
        sim_each(system, SIM_NOTES, hurry_reordered, NULL);
}

static void delivered(void *ctx, const struct rpc_result *result) {
    struct delivery *delivery = ctx;
    struct sim_system *system = delivery->system;
    struct sim *sim = system->sim;
    sim_payment_state(system)->sending--;
    struct sim_note_row *note =
        delivery->awaited && !sim->stopped ? sim_find(system, SIM_NOTES, delivery->note_id) : NULL;
    if (note) {
        if (result->outcome == OUTCOME_OK)
            acknowledged(system, note);
        else
            sim_row_arm(note, sim_now(sim) + back_off(&sim->options, note->attempts));
        sim_call_release(sim, delivery->note_id);
    }
    free(delivery);
}

void sim_note_due(struct sim_system *system, void *row) {
    struct sim_note_row *note = row;
    struct sim *sim = system->sim;
    if (!sim->options.callback)
        return;
    if (sim_payment_state(system)->sending >= SENDING_MAX) {
        sim_row_arm(note, sim_now(sim) + BUSY_MS);
        return;
    }
    send_note(system, note);
    note->attempts++;
}

int64_t sim_note_rearm(struct sim_system *system, const void *row) {
    (void)system;
    return ((const struct sim_note_row *)row)->send_ms;
}

static const char *queue(struct sim_change *change, struct sim_tender_row *tender, const struct sim_refund_row *refund,
                         int32_t twist, int64_t delay_ms) {
    char id[sizeof((struct sim_note_row *)NULL)->note_id];
    snprintf(id, sizeof id, "%s:%d", tender->tender_no, ++tender->notified);
    struct sim_note_row *note = sim_make(change->system, SIM_NOTES, id);
    SIM_COPY(note->tender_no, tender->tender_no);
    if (refund)
        SIM_COPY(note->refund_no, refund->refund_no);
    note->twist = twist;
    if (twist == KIND(REORDERED_CALLBACK))
        sim_payment_state(change->system)->reordered++;
    note->send_ms = sim_now(change->system->sim) + delay_ms;
    sim_put(change, note);
    sim_arm(change, note, note->send_ms);
    return note->note_id;
}

const char *sim_notify(struct sim_change *change, struct sim_tender_row *tender, const struct sim_refund_row *refund) {
    if (!change->system->sim->options.callback)
        return NULL;
    const struct sim_fault *fault = sim_faults_twist(&(struct sim_fault_subject){
        change->system, refund ? "NotifyRefund" : "NotifyPayment", tender->payer, change->about.key});
    if (!fault)
        return queue(change, tender, refund, 0, 0);
    int32_t kind = (int32_t)fault->kind;
    int64_t delay_ms = fault->delay_ms;
    if (kind == KIND(LOST_CALLBACK))
        return NULL;
    if (kind == KIND(LATE_CALLBACK))
        return queue(change, tender, refund, 0, delay_ms);
    if (kind == KIND(REORDERED_CALLBACK))
        return queue(change, tender, refund, kind, delay_ms > 0 ? delay_ms : REORDERED_MS);
    if (kind != KIND(CONTRADICTING_CALLBACK))
        return queue(change, tender, refund, kind, 0);
    const char *first = queue(change, tender, refund, 0, 0);
    queue(change, tender, refund, kind, delay_ms > 0 ? delay_ms : REORDERED_MS);
    return first;
}
