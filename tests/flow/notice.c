#include "tests/flow/notice.h"

#include "base/digest.h"
#include "rpc/message.h"
#include "tests/flow/center.h"
#include "txcenter/callback/v1/callback.pb-c.h"

#include <inttypes.h>

static char *text_or(const char *text, const char *otherwise) {
    return (char *)(uintptr_t)(text ? text : otherwise);
}

static struct str body_of(struct flow_bed *bed, const struct flow_notice *notice) {
    Txcenter__Type__V1__Money amount = TXCENTER__TYPE__V1__MONEY__INIT;
    Participant__Payment__V1__Payment payment = PARTICIPANT__PAYMENT__V1__PAYMENT__INIT;
    Participant__Payment__V1__PaymentNotification body = PARTICIPANT__PAYMENT__V1__PAYMENT_NOTIFICATION__INIT;
    amount.currency = text_or(notice->currency, "CNY");
    amount.minor_units = notice->amount;
    payment.tender_no = text_or(notice->tender_no, "");
    payment.state = (Participant__Payment__V1__PaymentState)notice->state;
    payment.merchant_id = text_or(notice->merchant, "M001");
    payment.amount = payment.payer_amount = payment.settlement_amount = &amount;
    payment.gateway_no = text_or("G1", "");
    body.notification_id = text_or("n", "");
    body.payment = &payment;
    return rpc_encode(&body.base, &bed->arena);
}

// Signs the body and sends it; NotifyPaymentRequest and NotifyRefundRequest are of one shape.
static struct flow_answer *send_signed(struct flow_bed *bed, const struct flow_notice *notice, const char *method,
                                       const ProtobufCMessageDescriptor *type, struct str body) {
    Txcenter__Callback__V1__NotifyPaymentRequest request;
    Txcenter__Callback__V1__SignedBody signed_body = TXCENTER__CALLBACK__V1__SIGNED_BODY__INIT;
    uint8_t signature[DIGEST_LEN];
    assert_int_equal(type->sizeof_message, sizeof request);
    type->message_init(&request.base);
    signed_body.key_id = text_or(notice->key_id, FLOW_KEY_ID);
    signed_body.timestamp_ms = flow_now(bed) - notice->age_ms;
    signed_body.nonce = text_or(notice->nonce, flow_text(bed, "nonce-%u-%u", bed->test_no, ++bed->request_no));
    struct str head = arena_printf(&bed->arena, "%s\n%" PRId64 "\n%s\n", signed_body.key_id, signed_body.timestamp_ms,
                                   signed_body.nonce);
    char *all = arena_alloc(&bed->arena, head.len + body.len);
    memcpy(all, head.ptr, head.len);
    memcpy(all + head.len, body.ptr, body.len);
    digest_hmac(str_c(notice->secret ? notice->secret : FLOW_SECRET), str_n(all, head.len + body.len), signature);
    if (notice->bent)
        ((char *)(uintptr_t)body.ptr)[body.len - 1] ^= 1;
    signed_body.body = (ProtobufCBinaryData){body.len, (uint8_t *)(uintptr_t)body.ptr};
    signed_body.signature = (ProtobufCBinaryData){DIGEST_LEN, signature};
    request.notification = &signed_body;
    struct flow_answer *answer = flow_send_message(bed, method, &request.base);
    flow_wait(bed, answer);
    return answer;
}

struct flow_answer *flow_notify(struct flow_bed *bed, const struct flow_notice *notice) {
    return send_signed(bed, notice, "NotifyPayment", &txcenter__callback__v1__notify_payment_request__descriptor,
                       body_of(bed, notice));
}

struct flow_answer *flow_notify_refund(struct flow_bed *bed, const struct flow_refund_notice *notice) {
    const struct flow_notice well_signed = {0};
    Txcenter__Type__V1__Money amount = TXCENTER__TYPE__V1__MONEY__INIT;
    Participant__Payment__V1__PaymentRefund refund = PARTICIPANT__PAYMENT__V1__PAYMENT_REFUND__INIT;
    Participant__Payment__V1__RefundNotification body = PARTICIPANT__PAYMENT__V1__REFUND_NOTIFICATION__INIT;
    amount.currency = text_or(notice->currency, "CNY");
    amount.minor_units = notice->amount;
    refund.refund_no = text_or(notice->refund_no, "");
    refund.tender_no = text_or(notice->tender_no, "");
    refund.state = (Participant__Payment__V1__RefundState)notice->state;
    refund.amount = &amount;
    refund.code = text_or(notice->code, "");
    body.notification_id = text_or("n", "");
    body.refund = &refund;
    return send_signed(bed, &well_signed, "NotifyRefund", &txcenter__callback__v1__notify_refund_request__descriptor,
                       rpc_encode(&body.base, &bed->arena));
}
