// What an operator must settle: what was short, money that does not match, refunds that their channel can't make, and
// notifications that nothing took in. Each is listed as long as it is open, settled once, and audited.
#include "tests/flow/cases.h"
#include "tests/flow/notice.h"
#include "txcenter/saga/v1/operator.pb-c.h"
#include "txcenter/trade/v1/operator.pb-c.h"

typedef Txcenter__Trade__V1__ListMattersResponse matters;
typedef Txcenter__Trade__V1__SettleMatterResponse settled;

#define MATTER(name) TXCENTER__TRADE__V1__MATTER_KIND__MATTER_KIND_##name
#define AS(name) TXCENTER__TRADE__V1__MATTER_OUTCOME__MATTER_OUTCOME_##name
#define STRAY_AS(name) TXCENTER__TRADE__V1__STRAY_OUTCOME__STRAY_OUTCOME_##name

static const matters *listed(struct flow_bed *bed, const struct flow_trade *trade, const char *more) {
    return flow_must(bed, "ListMatters", "filter.trade_no=%s %s", trade->no, more);
}

static void assert_matters(struct flow_bed *bed, const struct flow_trade *trade, size_t open, size_t done) {
    assert_int_equal(listed(bed, trade, "")->n_matters, open);
    assert_int_equal(listed(bed, trade, "filter.settled=true")->n_matters, done);
}

// The one matter of the trade that is open.
static const Txcenter__Trade__V1__Matter *only(struct flow_bed *bed, const struct flow_trade *trade, int kind) {
    const matters *open = listed(bed, trade, "");
    assert_int_equal(open->n_matters, 1);
    assert_int_equal(open->matters[0]->kind, kind);
    assert_string_equal(open->matters[0]->trade_no, trade->no);
    assert_string_equal(open->matters[0]->tenant_id, "T001");
    assert_null(open->matters[0]->settled_at);
    return open->matters[0];
}

static const settled *settle(struct flow_bed *bed, const struct flow_trade *trade, int as, const char *more) {
    return flow_must(bed, "SettleMatter", "trade_no=%s number=1 outcome=%d reason=because %s", trade->no, as, more);
}

static void cannot_settle(struct flow_bed *bed, const struct flow_trade *trade, int as, const char *reason) {
    flow_refused(bed, reason, "SettleMatter", "trade_no=%s number=1 outcome=%d reason=because %s", trade->no, as,
                 as == AS(PAID_OTHERWISE) ? "reference=V1" : "");
}

static size_t audited(struct flow_bed *bed, const char *gid) {
    const Txcenter__Saga__V1__ListAuditResponse *page = flow_must(bed, "ListAudit", "gid=%s", gid);
    for (size_t i = 0; i < page->n_entries; i++) {
        assert_string_equal(page->entries[i]->caller, FLOW_CALLER);
        assert_string_equal(page->entries[i]->reason, "because");
        assert_string_equal(page->entries[i]->before, "open");
    }
    return page->n_entries;
}

static bool is_counted(struct flow_bed *bed, const void *name) {
    return flow_stat(bed, name) > 0;
}

// ---- Shortfalls ---------------------------------------------------------------------------------------------------

// A deduct-later trade whose coupons are gone when they are to be used.
static void short_of_coupons(struct flow_bed *bed, struct flow_trade *trade) {
    *trade = (struct flow_trade){0};
    flow_quote(bed, trade, FUEL_200, "exclude_points=true");
    flow_order(bed, trade, "mode=2");
    flow_fault(bed, FAULT(REJECT), "coupon", "UseCoupons", "code=COUPON_UNAVAILABLE count=1");
    flow_pay(bed, trade);
    flow_payer_pays(bed, flow_tender_no(bed, trade, 1, 0));
    flow_until_state(bed, trade, TRADE(COMPLETED));
    flow_until_still(bed, trade);
}

// [E8] [S3-17] [S3-49] a shortfall is listed until an operator settles it, once, and audited
static void test_a_shortfall_is_settled_once(struct flow_bed *bed) {
    struct flow_trade trade;
    short_of_coupons(bed, &trade);
    const Txcenter__Trade__V1__Matter *matter = only(bed, &trade, MATTER(SHORTFALL));
    assert_string_equal(matter->what, "coupons");
    assert_string_equal(matter->reason, "COUPON_UNAVAILABLE");
    assert_true(matter->amount->minor_units > 0);
    flow_until(bed, is_counted, "trades.open_shortfalls", "open shortfalls are counted");
    flow_crash_center(bed); // durable
    cannot_settle(bed, &trade, AS(RETURNED), "MATTER_STATE");
    flow_refused(bed, "MATTER_NOT_FOUND", "SettleMatter", "trade_no=%s number=2 outcome=1 reason=because", trade.no);
    flow_refused(bed, "INVALID_REQUEST", "SettleMatter", "trade_no=%s number=1 outcome=1", trade.no);
    flow_refused(bed, "INVALID_REQUEST", "SettleMatter", "trade_no=%s number=1 outcome=6 reason=because", trade.no);
    assert_matters(bed, &trade, 1, 0);
    for (int i = 0; i < 2; i++) {
        const settled *answer = settle(bed, &trade, AS(WRITTEN_OFF), "request_id=write-it-off");
        assert_int_equal(answer->matter->outcome, AS(WRITTEN_OFF));
        assert_string_equal(answer->matter->settled_by, FLOW_CALLER);
        assert_string_equal(answer->trade->shortfalls[0]->note, "because");
        assert_non_null(answer->trade->shortfalls[0]->settled_at);
    }
    flow_refused(bed, "IDEMPOTENCY_KEY_REUSED", "SettleMatter",
                 "trade_no=%s number=1 outcome=2 reason=because request_id=write-it-off", trade.no);
    cannot_settle(bed, &trade, AS(COLLECTED), "MATTER_STATE");
    assert_matters(bed, &trade, 0, 1);
    assert_int_equal(audited(bed, trade.no), 1);
}

// Two operators at the same time: one has settled it.
static void test_of_two_that_settle_a_matter_one_does(struct flow_bed *bed) {
    struct flow_trade trade;
    struct flow_answer *answers[2];
    short_of_coupons(bed, &trade);
    for (int i = 0; i < 2; i++)
        answers[i] = flow_send(bed, "SettleMatter", "trade_no=%s number=1 outcome=%d reason=because", trade.no,
                               i == 0 ? AS(WRITTEN_OFF) : AS(COLLECTED));
    for (int i = 0; i < 2; i++)
        flow_wait(bed, answers[i]);
    assert_int_equal((strcmp(flow_verdict(answers[0]), "OK") == 0) + (strcmp(flow_verdict(answers[1]), "OK") == 0), 1);
    assert_matters(bed, &trade, 0, 1);
    assert_int_equal(audited(bed, trade.no), 1);
}

// Pages of what is open, the oldest first, each once; who may see what.
static void test_matters_are_listed_page_by_page(struct flow_bed *bed) {
    struct flow_trade trades[3];
    size_t seen = 0, found = 0;
    const char *token = "";
    int64_t before = 0;
    for (size_t i = 0; i < 3; i++)
        short_of_coupons(bed, &trades[i]);
    do {
        const matters *page =
            flow_must(bed, "ListMatters", "page_size=1 filter.tenant_id=T001 filter.kind=1 page_token=%s", token);
        assert_true(page->n_matters <= 1 && ++seen < 100);
        for (size_t i = 0; i < 3 && page->n_matters > 0; i++)
            found += strcmp(page->matters[0]->trade_no, trades[i].no) == 0;
        assert_true(page->n_matters == 0 || page->matters[0]->created_at->seconds >= before);
        before = page->n_matters ? page->matters[0]->created_at->seconds : before;
        token = page->next_page_token;
    } while (*token);
    assert_int_equal(found, 3);
    assert_int_equal(listed(bed, &trades[0], "filter.kind=2")->n_matters, 0);
    assert_int_equal(listed(bed, &trades[0], "filter.tenant_id=T002")->n_matters, 0);
    flow_refused(bed, "INVALID_REQUEST", "ListMatters", "page_token=1.2.3");
    flow_refused(bed, "INVALID_REQUEST", "ListMatters", "page_size=201");
    flow_refused(bed, "INVALID_REQUEST", "ListMatters", "filter.kind=4");
}

static void refused_as(struct flow_bed *bed, const char *caller, const char *reason, const char *method,
                       const char *fields) {
    struct flow_answer *answer = flow_send_as(bed, caller, method, "%s", fields);
    flow_wait(bed, answer);
    assert_verdict(answer, reason);
}

static void test_an_operator_sees_and_settles_what_is_of_its_tenants(struct flow_bed *bed) {
    struct flow_trade trade;
    short_of_coupons(bed, &trade);
    const char *it = flow_text(bed, "trade_no=%s number=1 outcome=1 reason=because", trade.no);
    refused_as(bed, FLOW_SHOP, "SCOPE_MISSING", "ListMatters", "filter.tenant_id=T001");
    refused_as(bed, FLOW_SHOP, "SCOPE_MISSING", "SettleMatter", it);
    refused_as(bed, FLOW_OTHER_OPERATOR, "INVALID_REQUEST", "ListMatters", ""); // of everybody
    refused_as(bed, FLOW_OTHER_OPERATOR, "TENANT_FORBIDDEN", "ListMatters", "filter.tenant_id=T001");
    refused_as(bed, FLOW_OTHER_OPERATOR, "OK", "ListMatters", "filter.tenant_id=T002");
    refused_as(bed, FLOW_OTHER_OPERATOR, "TENANT_FORBIDDEN", "SettleMatter", it);
    refused_as(bed, FLOW_OTHER_OPERATOR, "TENANT_FORBIDDEN", "ListStrays", "");
    refused_as(bed, FLOW_OTHER_OPERATOR, "TENANT_FORBIDDEN", "SettleStray",
               "key_id=k nonce=nonce-00 outcome=3 reason=because");
    settle(bed, &trade, AS(COLLECTED), "");
}

// ---- Conflicts ----------------------------------------------------------------------------------------------------

static void conflicting(struct flow_bed *bed, struct flow_trade *trade, int kind) {
    flow_ordered(bed, trade);
    flow_fault(bed, kind, "payment", "NotifyPayment", "");
    flow_pay(bed, trade);
    flow_payer_pays(bed, flow_tender_no(bed, trade, 1, 0));
    flow_until_state(bed, trade, TRADE(CONFLICTED));
    flow_until_still(bed, trade);
    flow_clear_faults(bed);
    bed->not_compared = true; // the gateway has said two different things
}

static int64_t balance(struct flow_bed *bed, const struct flow_trade *trade, const char *account) {
    const Txcenter__Trade__V1__Trade *found = flow_get(bed, trade->no);
    int64_t sum = 0;
    for (size_t i = 0; i < found->n_ledger; i++)
        if (strncmp(found->ledger[i]->account, account, strlen(account)) == 0)
            sum += found->ledger[i]->amount->minor_units;
    return sum;
}

// [A22] [E8] money that does not match goes back when an operator says so, once
static void test_money_in_conflict_goes_back(struct flow_bed *bed) {
    struct flow_trade trade;
    conflicting(bed, &trade, FAULT(WRONG_MERCHANT));
    const Txcenter__Trade__V1__Matter *matter = only(bed, &trade, MATTER(CONFLICT));
    assert_string_equal(matter->what, flow_tender_no(bed, &trade, 1, 0));
    assert_int_equal(matter->amount->minor_units, BEST_200);
    cannot_settle(bed, &trade, AS(WRITTEN_OFF), "MATTER_STATE");
    settle(bed, &trade, AS(RETURNED), "");
    cannot_settle(bed, &trade, AS(KEPT), "MATTER_STATE");
    flow_until_tender(bed, &trade, 1, 0, TENDER(RETURNED));
    flow_until_still(bed, &trade);
    assert_int_equal(flow_ledger(bed, "payment", trade.no, "refunded").amount, BEST_200);
    assert_int_equal(flow_ledger(bed, "payment", trade.no, "refunded").n, 1);
    assert_int_equal(balance(bed, &trade, "suspense:") | balance(bed, &trade, "tender:"), 0);
    assert_matters(bed, &trade, 0, 1);
}

// [A22] [A53] it may be kept: then it is booked as kept, and buys nothing. The trade is never paid, nothing of it is
// delivered, used or told, and it can neither be paid again nor refunded.
static void test_money_in_conflict_is_kept(struct flow_bed *bed) {
    struct flow_trade trade;
    conflicting(bed, &trade, FAULT(WRONG_AMOUNT));
    assert_int_equal(only(bed, &trade, MATTER(CONFLICT))->amount->minor_units, BEST_200 + 1);
    settle(bed, &trade, AS(KEPT), "");
    cannot_settle(bed, &trade, AS(RETURNED), "MATTER_STATE");
    assert_state(bed, &trade, TRADE(CONFLICTED));
    assert_int_equal(balance(bed, &trade, "suspense:"), 0);
    assert_int_equal(balance(bed, &trade, "kept:"), -BEST_200 - 1);
    assert_int_equal(balance(bed, &trade, "sales"), 0);
    flow_run_for(bed, 2000);
    flow_until_still(bed, &trade);
    assert_nothing_held(bed, &trade);
    assert_int_equal(flow_get(bed, trade.no)->paid->minor_units, 0);
    assert_tender(bed, &trade, 1, 0, TENDER(CONFLICTED));
    static const char *const untold[] = {"settlement", "invoice", "push", "notify", "level", "marketing"};
    for (size_t i = 0; i < sizeof untold / sizeof untold[0]; i++)
        assert_int_equal(flow_ledger(bed, untold[i], trade.no, NULL).n, 0);
    assert_int_equal(flow_ledger(bed, "order", trade.no, "paid").n, 0);
    assert_int_equal(flow_ledger(bed, "order", trade.no, "close").n, 1);
    assert_int_equal(flow_ledger(bed, "coupon", trade.no, "use").n, 0);
    assert_int_equal(flow_ledger(bed, "payment", trade.no, "refunded").n, 0);
    flow_refused(bed, "NOT_PAYABLE", "Pay", "trade_no=%s %s", trade.no,
                 flow_tenders(bed, 1, KIND(WECHAT), BEST_200, "payer"));
    flow_refused(bed, "NOT_REFUNDABLE", "Refund", "trade_no=%s whole=true", trade.no);
}

// [A22] [A75] of what came in another currency nobody knows how much to send back; and what the channel refuses to send
// back goes another way
static void test_money_in_conflict_that_its_channel_cannot_return_goes_another_way(struct flow_bed *bed) {
    struct flow_trade odd, more;
    conflicting(bed, &odd, FAULT(WRONG_CURRENCY));
    assert_int_equal(only(bed, &odd, MATTER(CONFLICT))->amount->minor_units, 0);
    cannot_settle(bed, &odd, AS(RETURNED), "MATTER_STATE");
    settle(bed, &odd, AS(PAID_OTHERWISE), "reference=transfer~4711");
    assert_tender(bed, &odd, 1, 0, TENDER(RETURNED));
    conflicting(bed, &more, FAULT(WRONG_AMOUNT)); // by one: the gateway has less than it said
    settle(bed, &more, AS(RETURNED), "");
    flow_until_parked(bed, &more, 1);
    const Txcenter__Trade__V1__Matter *matter = only(bed, &more, MATTER(PAYOUT));
    assert_string_equal(matter->what, "late-1-0/0");
    flow_must(bed, "SettleMatter", "trade_no=%s number=%d outcome=%d reason=because reference=V1", more.no,
              matter->number, AS(PAID_OTHERWISE));
    flow_until_tender(bed, &more, 1, 0, TENDER(RETURNED));
    flow_until_still(bed, &more);
    assert_int_equal(balance(bed, &more, "suspense:"), 0);
    assert_int_equal(balance(bed, &more, "otherwise:"), -BEST_200 - 1);
    assert_matters(bed, &more, 0, 2);
}

// ---- Refunds that the channel can't make --------------------------------------------------------------------------

static void refused_by_channel(struct flow_bed *bed, struct flow_trade *trade, const char *code) {
    flow_completed(bed, trade);
    flow_fault(bed, FAULT(REFUND_FAILS), "payment", "RefundPayment",
               flow_text(bed, "code=%s count=1 key_prefix=%s", code, trade->no));
    flow_must(bed, "Refund", "trade_no=%s refund_no=P1 whole=true wait_ms=100", trade->no);
    flow_until_parked(bed, trade, 1);
}

// [A75] [E8] the merchant's balance is short, the account closed: the operator pays it out otherwise, once, and the
// refund goes on; should the gateway pay it after all, it is known
static void test_a_refund_that_its_channel_cannot_make_is_paid_out_otherwise_once(struct flow_bed *bed) {
    static const char *const codes[] = {"MERCHANT_BALANCE_SHORT", "ACCOUNT_CLOSED"};
    for (size_t i = 0; i < 2; i++) {
        struct flow_trade trade;
        refused_by_channel(bed, &trade, codes[i]);
        const Txcenter__Trade__V1__Matter *matter = only(bed, &trade, MATTER(PAYOUT));
        assert_string_equal(matter->what, "P1/0");
        assert_string_equal(matter->text, codes[i]);
        assert_string_equal(matter->gid, flow_text(bed, "%s/refund/P1", trade.no));
        assert_int_equal(matter->amount->minor_units, BEST_200);
        flow_refused(bed, "INVALID_REQUEST", "SettleMatter", "trade_no=%s number=1 outcome=5 reason=because", trade.no);
        flow_crash_center(bed);
        for (int k = 0; k < 2; k++) {
            const settled *answer = settle(bed, &trade, AS(PAID_OTHERWISE),
                                           flow_text(bed, "reference=voucher~4711 request_id=pay-%s", trade.no));
            assert_int_equal(answer->matter->outcome, AS(PAID_OTHERWISE));
            assert_string_equal(answer->matter->reference, "voucher 4711");
        }
        cannot_settle(bed, &trade, AS(PAID_OTHERWISE), "MATTER_STATE");
        flow_until_state(bed, &trade, TRADE(REFUNDED));
        flow_until_still(bed, &trade);
        assert_string_equal(flow_get(bed, trade.no)->refunds[0]->legs[0]->detail, "given back otherwise: voucher 4711");
        assert_int_equal(balance(bed, &trade, "otherwise:"), -BEST_200);
        assert_int_equal(flow_ledger(bed, "payment", trade.no, "refunded").n, 0);
        int64_t conflicts = flow_stat(bed, "trades.conflicts");
        struct flow_refund_notice word = {.refund_no = flow_text(bed, "%s@P1@0", trade.no),
                                          .tender_no = flow_tender_no(bed, &trade, 1, 0),
                                          .state = REFUNDED(DONE),
                                          .amount = BEST_200};
        assert_verdict(flow_notify_refund(bed, &word), "OK");
        assert_int_equal(flow_stat(bed, "trades.conflicts"), conflicts + 1);
    }
    bed->not_compared = true; // the gateway still has the money
}

// [A45] tried again it goes through, or its refund is ended: there is nothing to settle any more
static void test_a_refund_that_comes_right_is_over(struct flow_bed *bed) {
    struct flow_trade trade;
    refused_by_channel(bed, &trade, "MERCHANT_BALANCE_SHORT");
    flow_retry_parked(bed, &trade);
    flow_until_state(bed, &trade, TRADE(REFUNDED));
    flow_until_still(bed, &trade);
    assert_matters(bed, &trade, 0, 1);
    assert_int_equal(listed(bed, &trade, "filter.settled=true")->matters[0]->outcome, AS(OVER));
    cannot_settle(bed, &trade, AS(PAID_OTHERWISE), "MATTER_STATE");
    refused_by_channel(bed, &trade, "ACCOUNT_CLOSED");
    flow_must(bed, "Terminate", "gid=%s/refund/P1 reason=another~way", trade.no);
    flow_until_still(bed, &trade);
    assert_matters(bed, &trade, 0, 1);
    flow_must(bed, "Refund", "trade_no=%s whole=true", trade.no);
    flow_until_state(bed, &trade, TRADE(REFUNDED));
}

// [A45] [E8] what became of a leg is not known: an operator says that it has not gone back, and then it is a matter,
// too
static void test_a_leg_that_an_operator_knows_to_be_unpaid_is_listed(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_completed(bed, &trade);
    flow_fault(bed, FAULT(DOWN), "payment", "RefundPayment", "");
    flow_must(bed, "Refund", "trade_no=%s refund_no=P1 whole=true wait_ms=100", trade.no);
    flow_must(bed, "Resolve", "gid=%s/refund/P1 step=pay_out outcome=2 reason=they~say~no", trade.no);
    flow_until_parked(bed, &trade, 1);
    const Txcenter__Trade__V1__Matter *matter = only(bed, &trade, MATTER(PAYOUT));
    assert_string_equal(matter->what, "P1/0");
    assert_string_equal(matter->text, "they say no");
    flow_clear_faults(bed);
    flow_retry_parked(bed, &trade);
    flow_until_state(bed, &trade, TRADE(REFUNDED));
    flow_until_still(bed, &trade);
    assert_matters(bed, &trade, 0, 1);
    assert_int_equal(flow_ledger(bed, "payment", trade.no, "refunded").n, 1);
}

// ---- What was authorised and not used -----------------------------------------------------------------------------

enum { USED = 15000, UNUSED = LIST_200 - USED };

// A fill-up that was paid with one code and adjusted to less, whose rest the channel refuses to give back.
static void unused_refused(struct flow_bed *bed, struct flow_trade *trade) {
    *trade = (struct flow_trade){0};
    const Txcenter__Trade__V1__Quote *quote = flow_quote(bed, trade, FUEL_200 " lines[0].fuel.authorised=true", "");
    flow_order(bed, trade,
               flow_text(bed, "combination_id=%s", quote->combinations[quote->n_combinations - 1]->combination_id));
    flow_pay_with(bed, trade, flow_tenders(bed, 1, KIND(SCANNED), LIST_200, "code"), "wait_for=2");
    flow_until_state(bed, trade, TRADE(PAID));
    flow_fault(bed, FAULT(REFUND_FAILS), "payment", "RefundPayment",
               flow_text(bed, "code=ACCOUNT_CLOSED count=1 key_prefix=%s", trade->no));
    flow_must(bed, "Adjust", "trade_no=%s lines[0].index=0 lines[0].amount=CNY%d", trade->no, USED);
    flow_until_state(bed, trade, TRADE(COMPLETED));
    flow_until_parked(bed, trade, 1);
    assert_string_equal(only(bed, trade, MATTER(PAYOUT))->gid, flow_text(bed, "%s/refund/unused", trade->no));
}

// [A75] [E8] [A53] an operator ends its refund: the money is the payer's all the same, and stays a matter until it was
// paid otherwise, once
static void test_what_was_not_used_is_settled_though_its_refund_was_ended(struct flow_bed *bed) {
    struct flow_trade trade;
    unused_refused(bed, &trade);
    flow_must(bed, "Terminate", "gid=%s/refund/unused reason=another~way", trade.no);
    flow_until_still(bed, &trade);
    const Txcenter__Trade__V1__Matter *matter = only(bed, &trade, MATTER(PAYOUT));
    assert_string_equal(matter->what, "unused/0");
    assert_string_equal(matter->reason, "RETURN_STOPPED");
    assert_string_equal(matter->gid, "");
    assert_int_equal(matter->amount->minor_units, UNUSED);
    assert_int_equal(flow_get(bed, trade.no)->unused->state, REFUND(STOPPED));
    assert_int_equal(balance(bed, &trade, "suspense:"), -UNUSED);
    flow_until(bed, is_counted, "trades.open_payouts", "open payouts are counted");
    flow_crash_center(bed); // durable
    cannot_settle(bed, &trade, AS(RETURNED), "MATTER_STATE");
    for (int i = 0; i < 2; i++) {
        const settled *answer =
            settle(bed, &trade, AS(PAID_OTHERWISE), flow_text(bed, "reference=transfer~1 request_id=pay-%s", trade.no));
        assert_int_equal(answer->matter->outcome, AS(PAID_OTHERWISE));
        assert_int_equal(answer->trade->unused->state, REFUND(DONE));
        assert_int_equal(answer->trade->unused->legs[0]->state, LEG(DONE));
        assert_string_equal(answer->trade->unused->legs[0]->detail, "given back otherwise: transfer 1");
    }
    cannot_settle(bed, &trade, AS(PAID_OTHERWISE), "MATTER_STATE");
    assert_int_equal(balance(bed, &trade, "suspense:"), 0);
    assert_int_equal(balance(bed, &trade, "otherwise:"), -UNUSED);
    assert_matters(bed, &trade, 0, 1);
    assert_int_equal(audited(bed, trade.no), 1);
    flow_must(bed, "Refund", "trade_no=%s whole=true", trade.no); // what was used
    flow_until_state(bed, &trade, TRADE(REFUNDED));
    flow_until_still(bed, &trade);
    assert_int_equal(flow_ledger(bed, "payment", trade.no, "refunded").amount, USED);
    bed->not_compared = true; // the gateway still has the money
}

// [A75] while its saga waits it is as with any refund: tried again it is over, or it is paid otherwise, and goes on
static void test_what_was_not_used_comes_right_or_is_paid_otherwise(struct flow_bed *bed) {
    struct flow_trade trade;
    unused_refused(bed, &trade);
    flow_retry_parked(bed, &trade);
    flow_until_still(bed, &trade);
    assert_matters(bed, &trade, 0, 1);
    assert_int_equal(flow_get(bed, trade.no)->unused->state, REFUND(DONE));
    unused_refused(bed, &trade);
    settle(bed, &trade, AS(PAID_OTHERWISE), "reference=transfer~2");
    flow_until_still(bed, &trade);
    assert_int_equal(flow_get(bed, trade.no)->unused->state, REFUND(DONE));
    assert_int_equal(balance(bed, &trade, "suspense:"), 0);
    assert_int_equal(balance(bed, &trade, "otherwise:"), -UNUSED);
    bed->not_compared = true; // the gateway still has the money
}

// ---- Strays -------------------------------------------------------------------------------------------------------

static const Txcenter__Trade__V1__Stray *stray_of(struct flow_bed *bed, const char *nonce, const char *more) {
    const char *token = "";
    do {
        const Txcenter__Trade__V1__ListStraysResponse *page =
            flow_must(bed, "ListStrays", "page_size=2 page_token=%s %s", token, more);
        for (size_t i = 0; i < page->n_strays; i++)
            if (strcmp(page->strays[i]->nonce, nonce) == 0)
                return page->strays[i];
        token = page->next_page_token;
    } while (*token);
    return NULL;
}

static const char *stray(struct flow_bed *bed, const struct flow_trade *trade, const char *number) {
    const char *nonce = flow_text(bed, "stray-%s-%u", trade->no, ++bed->request_no);
    struct flow_notice notice = {.tender_no = number, .state = PAYMENT(PAID), .amount = BEST_200, .nonce = nonce};
    assert_verdict(flow_notify(bed, &notice), "OK");
    return nonce;
}

// [A24] [E8] a notification for an unknown number is kept and listed until an operator says what becomes of it, once
static void test_a_stray_is_set_aside_once(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_ordered(bed, &trade);
    const char *nonce = stray(bed, &trade, "nothing-of-ours");
    const Txcenter__Trade__V1__Stray *kept = stray_of(bed, nonce, "");
    assert_non_null(kept);
    assert_string_equal(kept->number, "nothing-of-ours");
    assert_string_equal(kept->state, "PAID");
    assert_string_equal(kept->why, "callback for an unknown number");
    assert_int_equal(kept->amount->minor_units, BEST_200);
    const char *it = flow_text(bed, "key_id=%s nonce=%s reason=because", kept->key_id, nonce);
    flow_refused(bed, "INVALID_REQUEST", "SettleStray", "%s outcome=%d", it, STRAY_AS(GIVEN_BACK));
    flow_refused(bed, "INVALID_REQUEST", "SettleStray", "%s outcome=%d", it, STRAY_AS(MATCHED));
    flow_refused(bed, "MATTER_NOT_FOUND", "SettleStray", "key_id=%s nonce=never-seen outcome=3 reason=because",
                 kept->key_id);
    flow_crash_center(bed);
    for (int i = 0; i < 2; i++) {
        const Txcenter__Trade__V1__SettleStrayResponse *answer =
            flow_must(bed, "SettleStray", "%s outcome=%d request_id=away-%s", it, STRAY_AS(IGNORED), trade.no);
        assert_int_equal(answer->stray->outcome, STRAY_AS(IGNORED));
        assert_string_equal(answer->stray->settled_by, FLOW_CALLER);
    }
    flow_refused(bed, "MATTER_STATE", "SettleStray", "%s outcome=%d reference=V1", it, STRAY_AS(GIVEN_BACK));
    assert_null(stray_of(bed, nonce, ""));
    assert_string_equal(stray_of(bed, nonce, "settled=true")->note, "because");
    assert_state(bed, &trade, TRADE(ORDERED));
}

// [A24] it is about a tender of ours after all: taken in as if it had named it
static void test_a_stray_is_matched_to_the_tender_that_it_is_about(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_ordered(bed, &trade);
    flow_fault(bed, FAULT(LOST_CALLBACK), "payment", "NotifyPayment", "");
    flow_fault(bed, FAULT(DOWN), "payment", "QueryPayment", ""); // only the callback can tell
    flow_pay(bed, &trade);
    const char *tender_no = flow_tender_no(bed, &trade, 1, 0);
    flow_payer_pays(bed, tender_no);
    const char *nonce = stray(bed, &trade, flow_text(bed, "x-%s", tender_no));
    const char *key_id = stray_of(bed, nonce, "")->key_id;
    const char *it = flow_text(bed, "key_id=%s nonce=%s outcome=%d reason=because", key_id, nonce, STRAY_AS(MATCHED));
    flow_refused(bed, "MATTER_STATE", "SettleStray", "%s trade_no=%s", it, trade.no); // the number is none of its
    flow_refused(bed, "TRADE_NOT_FOUND", "SettleStray", "%s trade_no=01M7YBK6QT3HKKBQ7APVMWGMYR", it);
    flow_must(bed, "SettleStray", "%s trade_no=%s number=%s", it, trade.no, tender_no);
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    flow_refused(bed, "MATTER_STATE", "SettleStray", "%s trade_no=%s number=%s", it, trade.no, tender_no);
    assert_string_equal(stray_of(bed, nonce, "settled=true")->trade_no, trade.no);
    assert_int_equal(audited(bed, trade.no), 1);
}

// Two operators at the same time: one has settled it.
static void test_of_two_that_settle_a_stray_one_does(struct flow_bed *bed) {
    struct flow_trade trade;
    struct flow_answer *answers[2];
    flow_ordered(bed, &trade);
    const char *nonce = stray(bed, &trade, "nothing-of-ours");
    const char *key_id = stray_of(bed, nonce, "")->key_id;
    for (int i = 0; i < 2; i++)
        answers[i] = flow_send(bed, "SettleStray", "key_id=%s nonce=%s outcome=3 reason=because", key_id, nonce);
    for (int i = 0; i < 2; i++)
        flow_wait(bed, answers[i]);
    int done = (strcmp(flow_verdict(answers[0]), "OK") == 0) + (strcmp(flow_verdict(answers[1]), "OK") == 0);
    assert_int_equal(done, 1);
    assert_verdict(answers[strcmp(flow_verdict(answers[0]), "OK") == 0], "MATTER_STATE");
}

static const struct flow_case cases[] = {
    CASE(test_a_shortfall_is_settled_once),
    CASE(test_of_two_that_settle_a_matter_one_does),
    CASE(test_matters_are_listed_page_by_page),
    CASE_WITH(test_an_operator_sees_and_settles_what_is_of_its_tenants, .callers = true),
    CASE(test_money_in_conflict_goes_back),
    CASE(test_money_in_conflict_is_kept),
    CASE(test_money_in_conflict_that_its_channel_cannot_return_goes_another_way),
    CASE(test_a_refund_that_its_channel_cannot_make_is_paid_out_otherwise_once),
    CASE(test_a_refund_that_comes_right_is_over),
    CASE(test_a_leg_that_an_operator_knows_to_be_unpaid_is_listed),
    CASE(test_what_was_not_used_is_settled_though_its_refund_was_ended),
    CASE(test_what_was_not_used_comes_right_or_is_paid_otherwise),
    CASE(test_a_stray_is_set_aside_once),
    CASE(test_a_stray_is_matched_to_the_tender_that_it_is_about),
    CASE(test_of_two_that_settle_a_stray_one_does),
};

CASES(matters);
