// Notifications of the payment gateway that a test makes itself.
#ifndef TXC_TESTS_FLOW_NOTICE_H
#define TXC_TESTS_FLOW_NOTICE_H

#include "participant/payment/v1/payment.pb-c.h"
#include "tests/flow/bed.h"

#define PAYMENT(name) PARTICIPANT__PAYMENT__V1__PAYMENT_STATE__PAYMENT_STATE_##name

struct flow_notice {
    const char *tender_no;
    int state;                       // PAYMENT(PAID), …
    int64_t amount;                  // CNY
    const char *currency, *merchant; // NULL: ours
    const char *nonce;               // NULL: a new one
    const char *key_id;              // NULL: ours
    const char *secret;              // NULL: ours
    int64_t age_ms;                  // how long ago it was signed
    bool bent;                       // the body is changed after it was signed
};

// The same of a refund; state: REFUNDED(DONE), ….
#define REFUNDED(name) PARTICIPANT__PAYMENT__V1__REFUND_STATE__REFUND_STATE_##name
struct flow_refund_notice {
    const char *refund_no, *tender_no;
    int state;
    int64_t amount;
    const char *currency, *code; // NULL: CNY, none
};
struct flow_answer *flow_notify_refund(struct flow_bed *bed, const struct flow_refund_notice *notice);

// Sends it; the answer is there when the center has given it.
struct flow_answer *flow_notify(struct flow_bed *bed, const struct flow_notice *notice);

#endif
