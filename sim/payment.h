// What the payment simulator's files share: tenders that pay themselves or are told to, and notifications of it.
#ifndef TXC_SIM_PAYMENT_H
#define TXC_SIM_PAYMENT_H

#include "google/protobuf/timestamp.pb-c.h"
#include "participant/payment/v1/payment.pb-c.h"
#include "participant/sim/v1/sim.pb-c.h"
#include "sim/world.h"

#define SIM_PAID PARTICIPANT__PAYMENT__V1__PAYMENT_STATE__PAYMENT_STATE_PAID
#define SIM_PENDING PARTICIPANT__PAYMENT__V1__PAYMENT_STATE__PAYMENT_STATE_PENDING
#define SIM_FAILED PARTICIPANT__PAYMENT__V1__PAYMENT_STATE__PAYMENT_STATE_FAILED
#define SIM_CLOSED PARTICIPANT__PAYMENT__V1__PAYMENT_STATE__PAYMENT_STATE_CLOSED
#define SIM_REFUND_ACCEPTED PARTICIPANT__PAYMENT__V1__REFUND_STATE__REFUND_STATE_ACCEPTED
#define SIM_REFUND_DONE PARTICIPANT__PAYMENT__V1__REFUND_STATE__REFUND_STATE_DONE
#define SIM_REFUND_FAILED PARTICIPANT__PAYMENT__V1__REFUND_STATE__REFUND_STATE_FAILED

enum { SIM_PAY_RULES_MAX = 64 };

// As participant.sim.v1.AutoPayRule.
struct sim_pay_rule {
    int32_t method, result;
    sim_name payer;
    int64_t after_ms;
    sim_code code;
    int32_t gateway_discount_bp, merchant_discount_bp;
};

struct sim_payment_state {
    struct sim_pay_rule rules[SIM_PAY_RULES_MAX];
    size_t n_rules;
    uint32_t sending; // notifications on their way
    size_t reordered; // notifications that wait for another one
    int64_t sent, acknowledged;
};

static inline struct sim_payment_state *sim_payment_state(struct sim_system *system) {
    return system->state;
}

// ---- tender.c: what happens to a tender, by whomever -----------------------------------------------------------

// How somebody pays, or fails to.
struct sim_pay {
    int32_t result; // PAID or FAILED, a PayResult
    const char *code;
    int64_t gateway_discount, merchant_discount;
};

// PENDING (or, with force, anything) → PAID or FAILED, with ledger and notification. The name of the notification,
// NULL when none is sent; borrowed until it is acknowledged.
const char *sim_tender_pay(struct sim_change *change, struct sim_tender_row *tender, const struct sim_pay *pay);

// Decides by the rules what becomes of a new tender: sets its pay_… columns. True when it is to be paid (or to fail) in
// the answer of its creation.
bool sim_tender_plan(struct sim_system *system, struct sim_tender_row *tender);
struct sim_pay sim_tender_planned(const struct sim_tender_row *tender);

void sim_tender_due(struct sim_system *system, void *row);
int64_t sim_tender_rearm(struct sim_system *system, const void *row);
void sim_tender_post(struct sim_change *change, const struct sim_tender_row *tender, const char *kind, int64_t amount,
                     const char *detail);
bool sim_tender_direct(const struct sim_tender_row *tender);
bool sim_tender_expired(const struct sim_tender_row *tender, int64_t now_ms);

void sim_refund_due(struct sim_system *system, void *row);
int64_t sim_refund_rearm(struct sim_system *system, const void *row);

// Tells the simulator that the payer of a tender acts. `done` runs when it is durable. False: *error says why not.
bool sim_payment_tell(struct sim *sim, const char *tender_no, const struct sim_pay *pay, bool force,
                      sim_durable_fn *done, void *ctx, struct error *error);

// A Payment message on the stack; lives as long as `tender`.
struct sim_payment_message {
    Participant__Payment__V1__Payment payment;
    Txcenter__Type__V1__Money amount, payer, gateway, merchant, settlement;
    Google__Protobuf__Timestamp paid_at;
};
void sim_payment_message(struct sim_payment_message *message, const struct sim_tender_row *tender);

struct sim_refund_message {
    Participant__Payment__V1__PaymentRefund refund;
    Txcenter__Type__V1__Money amount, payer, gateway, merchant, settlement;
};
void sim_refund_message(struct sim_refund_message *message, const struct sim_refund_row *refund);

// ---- notify.c: the queue of notifications ----------------------------------------------------------------------

// Queues a notification of the tender, or of the refund (NULL: of the payment), as faults want it. Its name as above.
const char *sim_notify(struct sim_change *change, struct sim_tender_row *tender, const struct sim_refund_row *refund);

// Somebody who does not have the secret says that the tender is paid.
void sim_notify_forged(struct sim_system *system, const struct sim_tender_row *tender);

void sim_note_due(struct sim_system *system, void *row);
int64_t sim_note_rearm(struct sim_system *system, const void *row);

#endif
