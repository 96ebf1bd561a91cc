"""Notifications of the payment gateway that tests make themselves: signed well, whatever they say."""

import hashlib
import hmac
import time

from harness import PROTOS, SECRET

KEY_ID = "e2e"
CALLBACK = "txcenter.callback.v1.CallbackService/NotifyPayment"


def notify_payment(client, nonce, tender_no, **fields):
    """That this tender is paid, or what else `fields` say of it."""
    said = PROTOS.message("participant.payment.v1.PaymentNotification", {"payment": {
        "tenderNo": tender_no, "state": "PAYMENT_STATE_PAID", "merchantId": "M001", **fields}}).SerializeToString()
    stamp = int(time.time() * 1000)
    request = PROTOS.message("txcenter.callback.v1.NotifyPaymentRequest", {"notification": {
        "keyId": KEY_ID, "timestampMs": str(stamp), "nonce": nonce}})
    request.notification.body = said
    request.notification.signature = hmac.new(SECRET.encode(), f"{KEY_ID}\n{stamp}\n{nonce}\n".encode() + said,
                                              hashlib.sha256).digest()
    return client.call(CALLBACK, request)
