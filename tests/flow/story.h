// What most tests do: quote, order, pay, and look.
#ifndef TXC_TESTS_FLOW_STORY_H
#define TXC_TESTS_FLOW_STORY_H

#include "tests/flow/bed.h"
#include "txcenter/trade/v1/operator.pb-c.h"

#define TRADE(name) TXCENTER__TRADE__V1__TRADE_STATE__TRADE_STATE_##name
#define TENDER(name) TXCENTER__TRADE__V1__TENDER_STATE__TENDER_STATE_##name
#define KIND(name) TXCENTER__TRADE__V1__TENDER_KIND__TENDER_KIND_##name
#define ATTEMPT(name) TXCENTER__TRADE__V1__ATTEMPT_STATE__ATTEMPT_STATE_##name
#define REFUND(name) TXCENTER__TRADE__V1__REFUND_STATE__REFUND_STATE_##name
#define LEG(name) TXCENTER__TRADE__V1__REFUND_LEG_STATE__REFUND_LEG_STATE_##name

// 200.00 of 92#: with the world's coupons and points 125.00 are payable; without benefits all of it.
#define FUEL_200 "lines[0].fuel.oil_code=92# lines[0].fuel.amount=CNY20000"
enum { LIST_200 = 20000, BEST_200 = 12500, BEST_200_POINTS = 5000, BEST_200_COUPONS = 2 };

struct flow_trade {
    char no[32];
    int32_t version;
    int64_t payable; // of what was ordered
    char order_no[80];
};

// The context of the test's user at station S001 for tenant T001, as fields.
const char *flow_context(struct flow_bed *bed);

// Quotes for `lines`; a `trade` with a number is quoted again. Returns the quote.
const Txcenter__Trade__V1__Quote *flow_quote(struct flow_bed *bed, struct flow_trade *trade, const char *lines,
                                             const char *more);
// Orders the newest version (`more`: combination_id=2, …), which must succeed.
void flow_order(struct flow_bed *bed, struct flow_trade *trade, const char *more);
// Both, for 200 of fuel with the best combination, and with none.
void flow_ordered(struct flow_bed *bed, struct flow_trade *trade);
void flow_ordered_bare(struct flow_bed *bed, struct flow_trade *trade);

// Tenders as fields: flow_tenders(bed, 2, KIND(CARD), 500, bed->card, KIND(WECHAT), 200, "payer").
const char *flow_tenders(struct flow_bed *bed, int n, ...);
// Pays all of it with one WeChat tender, which waits for its payer. Returns what Pay answered.
const Txcenter__Trade__V1__PayResponse *flow_pay(struct flow_bed *bed, const struct flow_trade *trade);
// With these tenders.
const Txcenter__Trade__V1__PayResponse *flow_pay_with(struct flow_bed *bed, const struct flow_trade *trade,
                                                      const char *tenders, const char *more);

// "<trade>-<attempt>-<tender>".
const char *flow_tender_no(struct flow_bed *bed, const struct flow_trade *trade, int attempt, int tender);
// The payer of an asynchronous tender pays, or fails to.
void flow_payer_pays(struct flow_bed *bed, const char *tender_no);
void flow_payer_fails(struct flow_bed *bed, const char *tender_no, const char *code);
// Though the gateway has closed it: a gateway that breaks its word.
void flow_payer_pays_late(struct flow_bed *bed, const char *tender_no);

// Ordered and paid with WeChat, and completed with everything that follows.
void flow_completed(struct flow_bed *bed, struct flow_trade *trade);

// Ordered; paid with WeChat and completed although this fault is there, perhaps not with everything that follows.
void flow_completed_but(struct flow_bed *bed, struct flow_trade *trade, int kind, const char *system,
                        const char *method, const char *more);

// Refunds so much of it ("whole=true", …), which must be done when it is answered.
const Txcenter__Trade__V1__RefundResponse *flow_refunded(struct flow_bed *bed, const struct flow_trade *trade,
                                                         const char *extent);

// A recharge of 500.00 that waits for its payer; and one that is paid and completed.
void flow_recharging(struct flow_bed *bed, struct flow_trade *trade);
void flow_recharged(struct flow_bed *bed, struct flow_trade *trade);

// The other user has a coupon that pays all of it: the trade is PAID at once, and the coupon system does not let the
// coupon be used (a fault).
void flow_for_nothing(struct flow_bed *bed, struct flow_trade *trade);

const Txcenter__Trade__V1__Trade *flow_get(struct flow_bed *bed, const char *trade_no);
const Txcenter__Trade__V1__Tender *flow_tender(struct flow_bed *bed, const struct flow_trade *trade, int attempt,
                                               int tender);

// Runs until the trade is there; until its tender is.
void flow_until_state(struct flow_bed *bed, const struct flow_trade *trade, int state);
void flow_until_tender(struct flow_bed *bed, const struct flow_trade *trade, int attempt, int tender, int state);
// Its sagas that have not ended; how many of them are parked.
const Txcenter__Saga__V1__ListSagasResponse *flow_unfinished(struct flow_bed *bed, const char *trade_no);
int flow_parked(struct flow_bed *bed, const char *trade_no);
// Runs until every saga of the trade has ended or is parked.
void flow_until_still(struct flow_bed *bed, const struct flow_trade *trade);
// Runs until so many of its sagas are parked.
void flow_until_parked(struct flow_bed *bed, const struct flow_trade *trade, int n);

// An operator tries every parked saga of the trade again.
void flow_retry_parked(struct flow_bed *bed, const struct flow_trade *trade);

// What settlement has of the trade under this kind on this account ("borne": by this bearer).
int64_t flow_settled(struct flow_bed *bed, const char *trade_no, const char *kind, const char *account);

// A counter of StatsService.
int64_t flow_stat(struct flow_bed *bed, const char *name);
// The open stray about this number; there must be one.
const Txcenter__Trade__V1__Stray *flow_stray(struct flow_bed *bed, const char *number);

void assert_state(struct flow_bed *bed, const struct flow_trade *trade, int state);
// This order number finds the trade with its present one.
void assert_found_by(struct flow_bed *bed, const struct flow_trade *trade, const char *order_no);
void assert_tender(struct flow_bed *bed, const struct flow_trade *trade, int attempt, int tender, int state);
// What the trade's history says, in order: "QUOTED ORDERED …"; states without TRADE_STATE_.
void assert_history(struct flow_bed *bed, const struct flow_trade *trade, const char *expected);
// Nothing of the trade is locked, frozen, or open at any participant.
void assert_nothing_held(struct flow_bed *bed, const struct flow_trade *trade);

#endif
