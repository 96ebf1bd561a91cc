// The payment gateway. "Accepted" is not "done": what a tender or a refund has become is in the answer's state.
#ifndef TXC_ADAPTERS_PAYMENT_H
#define TXC_ADAPTERS_PAYMENT_H

#include "adapters/adapter.h"
#include "base/money.h"
#include "participant/payment/v1/payment.pb-c.h"

enum payment_method {
    PAYMENT_CREATE,
    PAYMENT_QUERY,
    PAYMENT_CLOSE,
    PAYMENT_REVERSE,
    PAYMENT_REFUND,
    PAYMENT_QUERY_REFUND,
};
extern const struct adapter_method payment_methods[];

struct payment_create {
    const char *tender_no, *merchant_id;
    Participant__Payment__V1__PaymentMethod method;
    struct money amount;
    const char *payer;
    int64_t expires_ms; // 0: no limit
};
// CreatePaymentResponse. A direct tender that was refused is REJECTED.
void payment_create(struct adapter *adapter, const struct adapter_effect *effect, const struct payment_create *args,
                    adapter_done_fn *done, void *ctx);

// QueryPaymentResponse; of a tender that the gateway does not know the state is NOT_FOUND.
void payment_query(struct adapter *adapter, const struct adapter_effect *effect, const char *tender_no,
                   adapter_done_fn *done, void *ctx);

// Compensates payment_create, under its key. ClosePaymentResponse: CLOSED, PAID (too late) or FAILED.
void payment_close(struct adapter *adapter, const struct adapter_effect *effect, const char *tender_no,
                   adapter_done_fn *done, void *ctx);

// The same for direct tenders: ReversePaymentResponse, CLOSED or FAILED; what was paid is given back.
void payment_reverse(struct adapter *adapter, const struct adapter_effect *effect, const char *tender_no,
                     adapter_done_fn *done, void *ctx);

struct payment_refund {
    const char *tender_no, *refund_no;
    struct money amount;
};
// RefundPaymentResponse.
void payment_refund(struct adapter *adapter, const struct adapter_effect *effect, const struct payment_refund *args,
                    adapter_done_fn *done, void *ctx);

// QueryRefundResponse; the state of an unknown one is NOT_FOUND.
void payment_query_refund(struct adapter *adapter, const struct adapter_effect *effect, const char *refund_no,
                          adapter_done_fn *done, void *ctx);

#endif
