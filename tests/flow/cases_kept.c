// What has ended: kept for its time, then deleted whole; and money that comes for it afterwards.
#include "flows/trade/rows.h"
#include "tests/flow/cases.h"
#include "tests/flow/notice.h"
#include "tests/flow/virtual.h"
#include "txcenter/saga/v1/operator.pb-c.h"
#include "txcenter/trade/v1/operator.pb-c.h"

#include <stdio.h>

#define DAY_MS INT64_C(86400000)
enum { HOUR_MS = 3600000, DAYS = 2 };

// Everything of each kind, in the store.
static const struct {
    const struct store_table *table;
    const char *column;
    enum store_cmp cmp;
} kinds[] = {
    {&trade_table, "trade_no", STORE_EQ},       {&order_table, "trade_no", STORE_EQ},
    {&quote_table, "trade_no", STORE_EQ},       {&line_table, "trade_no", STORE_EQ},
    {&pay_attempt_table, "trade_no", STORE_EQ}, {&tender_table, "trade_no", STORE_EQ},
    {&refund_table, "trade_no", STORE_EQ},      {&refund_leg_table, "trade_no", STORE_EQ},
    {&ledger_table, "trade_no", STORE_EQ},      {&saga_table, "gid", STORE_PREFIX},
    {&attempt_table, "gid", STORE_PREFIX},      {&trouble_table, "gid", STORE_PREFIX},
};
enum { KINDS = sizeof kinds / sizeof kinds[0], ARCHIVE = KINDS };

static size_t count(struct flow_bed *bed, const struct store_table *table, const char *column, enum store_cmp cmp,
                    const char *text) {
    struct store_backend *disk = flow_virtual(bed)->center.disk;
    struct store_query query = {
        .table = table, .conds = {{.column = column, .cmp = cmp, .text = str_c(text)}}, .count = true};
    struct backend_conn *view = NULL;
    struct error error = {0};
    struct arena arena;
    void *rows = NULL;
    size_t n = 0;
    arena_init(&arena, 1 << 20);
    assert_true(disk->ops->connect(disk, false, &view, &error));
    assert_int_equal(view->ops->read(view, &query, &arena, &rows, &n, &error), BACKEND_OK);
    view->ops->close(view);
    arena_release(&arena);
    return n;
}

struct kept {
    size_t of[KINDS + 1], all; // without the archive
};

static struct kept look(struct flow_bed *bed, const struct flow_trade *trade) {
    struct kept kept = {.all = 0};
    for (size_t i = 0; i < KINDS; i++)
        kept.all += kept.of[i] = count(bed, kinds[i].table, kinds[i].column, kinds[i].cmp, trade->no);
    kept.of[ARCHIVE] = count(bed, &archived_table, "tender_no", STORE_PREFIX, trade->no);
    return kept;
}

static size_t all_of(struct flow_bed *bed, const struct flow_trade *trade) {
    return look(bed, trade).all;
}

static size_t archived_of(struct flow_bed *bed, const struct flow_trade *trade) {
    return look(bed, trade).of[ARCHIVE];
}

// With everything that it had, and as what it was.
static void assert_stays(struct flow_bed *bed, const struct flow_trade *trade, int state) {
    assert_state(bed, trade, state);
    assert_true(count(bed, &trade_table, "trade_no", STORE_EQ, trade->no) == 1);
}

static void days(struct flow_bed *bed, int n) {
    flow_run_for(bed, n * DAY_MS);
}

static bool is_gone(struct flow_bed *bed, const void *ctx) {
    return all_of(bed, ctx) == 0;
}

static void until_gone(struct flow_bed *bed, const struct flow_trade *trade) {
    flow_until(bed, is_gone, trade, "the trade must go when its time is over");
}

// Expired with a tender that was offered.
static void expired(struct flow_bed *bed, struct flow_trade *trade) {
    flow_ordered_bare(bed, trade);
    flow_pay(bed, trade);
    flow_until_state(bed, trade, TRADE(EXPIRED));
    flow_until_still(bed, trade);
}

// ---- Going --------------------------------------------------------------------------------------------------------

// A paid one goes when its refund window and its sagas' time are over: the whole of it, but for a row a tender.
static void test_a_paid_trade_goes_whole_when_its_time_is_over(struct flow_bed *bed) {
    struct flow_trade trade, other;
    flow_ordered(bed, &trade);
    flow_fault(bed, FAULT(DOWN), "settlement", "RecordTrade", "count=2"); // it has attempts to be shown
    flow_pay_with(bed, &trade,
                  flow_tenders(bed, 2, KIND(CARD), 2500, bed->card, KIND(WECHAT), BEST_200 - 2500, "payer"), "");
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 1));
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    flow_until_still(bed, &trade);
    flow_must(bed, "Refund", "trade_no=%s amount=CNY1000", trade.no);
    flow_until_still(bed, &trade);
    flow_run_for(bed, DAYS * DAY_MS - HOUR_MS);
    struct kept before = look(bed, &trade);
    for (size_t i = 0; i < KINDS; i++)
        if (kinds[i].table != &trouble_table)
            assert_true(before.of[i] > 0);
    assert_int_equal(before.of[ARCHIVE], 0);
    flow_ordered_bare(bed, &other);
    until_gone(bed, &trade);
    assert_int_equal(archived_of(bed, &trade), 2);
    assert_true(all_of(bed, &other) > 5);
    assert_true(flow_stat(bed, "retention.deleted") >= 3);
    flow_refused(bed, "TRADE_NOT_FOUND", "Refund", "trade_no=%s whole=true", trade.no);
    flow_refused(bed, "TRADE_NOT_FOUND", "GetTrade", "order_no=%s", trade.order_no);
}

// The paid trade of a center whose refunds can be made for a year stays that long.
static void test_a_trade_that_can_be_refunded_stays(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_completed(bed, &trade);
    struct trades_options *options = &flow_virtual(bed)->center.options;
    options->kept_ms[TRADE_SOLD] = options->refund_window_ms = 20 * DAY_MS;
    flow_crash_center(bed);
    days(bed, 10);
    flow_must(bed, "Refund", "trade_no=%s whole=true", trade.no);
    flow_until_still(bed, &trade);
    days(bed, 15); // from the refund's end
    assert_stays(bed, &trade, TRADE(REFUNDED));
    days(bed, 6);
    assert_int_equal(all_of(bed, &trade), 0);
}

static void test_a_trade_stays_as_long_as_its_sagas(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_completed(bed, &trade);
    flow_virtual(bed)->center.options.kept_ms[TRADE_SOLD] = HOUR_MS;
    flow_crash_center(bed);
    flow_run_for(bed, DAYS * DAY_MS - 2 * HOUR_MS);
    assert_stays(bed, &trade, TRADE(COMPLETED));
    until_gone(bed, &trade);
}

static void test_what_was_never_ordered_and_what_was_never_paid_goes(struct flow_bed *bed) {
    struct flow_trade quoted = {0}, cancelled, late = {0};
    flow_quote(bed, &quoted, FUEL_200, "");
    flow_ordered(bed, &cancelled);
    flow_must(bed, "Cancel", "trade_no=%s", cancelled.no);
    flow_quote(bed, &late, FUEL_200, "");
    days(bed, 1);
    flow_quote(bed, &late, FUEL_200, ""); // quoted again: its time begins again
    flow_run_for(bed, DAY_MS + 3 * HOUR_MS);
    assert_int_equal(all_of(bed, &quoted), 0);
    assert_int_equal(all_of(bed, &cancelled), 0);
    assert_int_equal(archived_of(bed, &cancelled), 0); // nothing was ever offered
    assert_true(all_of(bed, &late) > 0);
    until_gone(bed, &late);
}

// [E5] what is parked, and with it the whole trade, stays until an operator has seen to it
static void test_a_trade_with_a_parked_saga_stays(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_ordered(bed, &trade);
    flow_fault(bed, FAULT(REJECT), "settlement", "RecordTrade", "count=1 code=SHIFT_CLOSED");
    flow_pay(bed, &trade);
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 0));
    flow_until_parked(bed, &trade, 1);
    flow_crash_center(bed); // it is in memory no longer
    days(bed, 4 * DAYS);
    assert_stays(bed, &trade, TRADE(COMPLETED));
    flow_retry_parked(bed, &trade);
    flow_until_still(bed, &trade);
    days(bed, DAYS - 1);
    assert_stays(bed, &trade, TRADE(COMPLETED));
    until_gone(bed, &trade);
}

// ---- What still answers -------------------------------------------------------------------------------------------

// [E15] what is kept of it is shown, and nothing can be done with it
static void test_a_deleted_trade_shows_what_is_kept_of_it(struct flow_bed *bed) {
    struct flow_trade trade;
    expired(bed, &trade);
    until_gone(bed, &trade);
    const Txcenter__Trade__V1__Trade *kept = flow_get(bed, trade.no);
    assert_non_null(kept->archived_at);
    assert_int_equal(kept->state, TRADE(EXPIRED));
    assert_int_equal(kept->n_attempts, 1);
    assert_int_equal(kept->attempts[0]->n_tenders, 1);
    const Txcenter__Trade__V1__Tender *tender = kept->attempts[0]->tenders[0];
    assert_string_equal(tender->tender_no, flow_tender_no(bed, &trade, 1, 0));
    assert_int_equal(tender->state, TENDER(CLOSED));
    assert_int_equal(tender->amount->minor_units, LIST_200);
    flow_refused(bed, "TRADE_NOT_FOUND", "Quote", "trade_no=%s %s " FUEL_200, trade.no, flow_context(bed));
    flow_refused(bed, "TRADE_NOT_FOUND", "Cancel", "trade_no=%s", trade.no);
}

static void until_returned(struct flow_bed *bed, const struct flow_trade *trade) {
    flow_until_tender(bed, trade, 1, 0, TENDER(RETURNED));
    flow_until_still(bed, trade);
}

static int64_t refunded(struct flow_bed *bed, const struct flow_trade *trade) {
    return flow_ledger(bed, "payment", trade->no, "refunded").n;
}

// [E15] [E9] a success that comes when the trade is gone finds its tender, and is given back under a key of its own,
// once, however often it is told
static void test_money_for_a_deleted_trade_goes_back_once(struct flow_bed *bed) {
    struct flow_trade trade;
    expired(bed, &trade);
    until_gone(bed, &trade);
    const char *tender_no = flow_tender_no(bed, &trade, 1, 0);
    flow_fault(bed, FAULT(DUPLICATE_CALLBACK), "payment", "NotifyPayment", "");
    flow_payer_pays_late(bed, tender_no);
    until_returned(bed, &trade);
    struct flow_notice again = {.tender_no = tender_no, .state = PAYMENT(PAID), .amount = LIST_200};
    assert_verdict(flow_notify(bed, &again), "OK");
    flow_run_for(bed, HOUR_MS);
    assert_int_equal(refunded(bed, &trade), 1);
    assert_int_equal(flow_ledger(bed, "payment", trade.no, "refunded").amount, LIST_200);
    assert_int_equal(flow_effects(bed, "payment", trade.no, "RefundPayment", EFFECT(APPLIED)), 1);
    assert_int_equal(flow_stat(bed, "trades.returned"), 1);
    assert_int_equal(flow_center_alerts(&flow_virtual(bed)->center, "money returned"), 1);
    assert_int_equal(flow_stat(bed, "trades.unknown_callbacks"), 0);
    const Txcenter__Saga__V1__ListSagasResponse *sagas = flow_must(bed, "ListSagas", "filter.flow=trade.late");
    assert_int_equal(sagas->n_sagas, 1);
    assert_string_equal(sagas->sagas[0]->gid, flow_text(bed, "%s/refund/%s/late", trade.no, tender_no));
    struct flow_refund_notice told = {.refund_no = flow_text(bed, "%s/late", tender_no),
                                      .tender_no = tender_no,
                                      .state = REFUNDED(DONE),
                                      .amount = LIST_200};
    assert_verdict(flow_notify_refund(bed, &told), "OK"); // its number is known
    assert_int_equal(flow_stat(bed, "trades.unknown_callbacks"), 0);
    days(bed, DAYS + 1); // the saga of it goes by itself
    sagas = flow_must(bed, "ListSagas", "filter.flow=trade.late");
    assert_int_equal(sagas->n_sagas, 0);
    assert_verdict(flow_notify(bed, &again), "OK");
    flow_run_for(bed, HOUR_MS);
    assert_int_equal(refunded(bed, &trade), 1);
    assert_int_equal(flow_tender(bed, &trade, 1, 0)->state, TENDER(RETURNED));
}

// [E15] [A45] an operator has given it back in another way; the gateway pays it out after all: it may have left twice
static void test_money_for_a_deleted_trade_that_leaves_twice_is_told(struct flow_bed *bed) {
    struct flow_trade trade;
    expired(bed, &trade);
    until_gone(bed, &trade);
    const char *tender_no = flow_tender_no(bed, &trade, 1, 0);
    flow_fault(bed, FAULT(REJECT), "payment", "RefundPayment", "code=ACCOUNT_CLOSED count=1");
    flow_payer_pays_late(bed, tender_no);
    flow_until_parked(bed, &trade, 1);
    flow_must(bed, "Resolve", "gid=%s/refund/%s/late step=pay_out outcome=1 reason=in-cash", trade.no, tender_no);
    until_returned(bed, &trade);
    flow_crash_center(bed);
    int64_t conflicts = flow_stat(bed, "trades.conflicts");
    struct flow_refund_notice told = {.refund_no = flow_text(bed, "%s/late", tender_no),
                                      .tender_no = tender_no,
                                      .state = REFUNDED(DONE),
                                      .amount = LIST_200};
    assert_verdict(flow_notify_refund(bed, &told), "OK");
    assert_int_equal(flow_stat(bed, "trades.conflicts"), conflicts + 1);
    bed->not_compared = true; // the gateway still has the money
}

// [E15] of a trade that was paid, a repeat of the success is none that came late
static void test_a_repeat_of_what_was_paid_gives_nothing_back(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_completed(bed, &trade);
    until_gone(bed, &trade);
    struct flow_notice again = {
        .tender_no = flow_tender_no(bed, &trade, 1, 0), .state = PAYMENT(PAID), .amount = BEST_200};
    assert_verdict(flow_notify(bed, &again), "OK");
    flow_run_for(bed, HOUR_MS);
    assert_int_equal(refunded(bed, &trade), 0);
    assert_int_equal(flow_tender(bed, &trade, 1, 0)->state, TENDER(PAID));
}

// There is one notice about this number that nothing took in; its money is given back by hand.
static void settle_stray(struct flow_bed *bed, const char *number) {
    const Txcenter__Trade__V1__Stray *stray = flow_stray(bed, number);
    flow_must(bed, "SettleStray", "key_id=%s nonce=%s outcome=%d reason=bank reference=B1", stray->key_id, stray->nonce,
              TXCENTER__TRADE__V1__STRAY_OUTCOME__STRAY_OUTCOME_GIVEN_BACK);
}

// [E15] [A22] what does not match is an operator's
static void test_money_that_does_not_match_is_on_record(struct flow_bed *bed) {
    struct flow_trade trade;
    expired(bed, &trade);
    until_gone(bed, &trade);
    struct flow_notice other = {
        .tender_no = flow_tender_no(bed, &trade, 1, 0), .state = PAYMENT(PAID), .amount = LIST_200 + 1};
    assert_verdict(flow_notify(bed, &other), "OK");
    flow_run_for(bed, HOUR_MS);
    assert_int_equal(flow_tender(bed, &trade, 1, 0)->state, TENDER(CONFLICTED));
    flow_crash_center(bed);
    assert_int_equal(flow_tender(bed, &trade, 1, 0)->state, TENDER(CONFLICTED));
    assert_int_equal(refunded(bed, &trade), 0);
    settle_stray(bed, other.tender_no); // nothing but its tenders is kept of the trade, so that it has no matter
    assert_verdict(flow_notify(bed, &other), "OK");
    assert_int_equal(count(bed, &stray_table, "number", STORE_EQ, other.tender_no), 0);
}

// [E15] two tenders of one deleted trade, both paid late: each goes back
static void test_each_late_tender_goes_back(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_ordered(bed, &trade);
    flow_pay_with(bed, &trade,
                  flow_tenders(bed, 2, KIND(WECHAT), 5000, "payer-a", KIND(ALIPAY), BEST_200 - 5000, "payer-b"), "");
    flow_until_state(bed, &trade, TRADE(EXPIRED));
    until_gone(bed, &trade);
    assert_int_equal(archived_of(bed, &trade), 2);
    flow_payer_pays_late(bed, flow_tender_no(bed, &trade, 1, 1));
    flow_until_tender(bed, &trade, 1, 1, TENDER(RETURNED));
    flow_crash_center(bed);
    flow_payer_pays_late(bed, flow_tender_no(bed, &trade, 1, 0));
    flow_until_tender(bed, &trade, 1, 0, TENDER(RETURNED));
    assert_int_equal(flow_ledger(bed, "payment", trade.no, "refunded").amount, BEST_200);
    assert_int_equal(refunded(bed, &trade), 2);
}

// [E15] what the archive no longer has is kept for the operators, as any number that nobody knows
static void test_the_archive_has_its_time_too(struct flow_bed *bed) {
    struct flow_trade trade;
    expired(bed, &trade);
    until_gone(bed, &trade);
    days(bed, 10 * DAYS + 1);
    assert_int_equal(archived_of(bed, &trade), 0);
    flow_refused(bed, "TRADE_NOT_FOUND", "GetTrade", "trade_no=%s", trade.no);
    struct flow_notice late = {
        .tender_no = flow_tender_no(bed, &trade, 1, 0), .state = PAYMENT(PAID), .amount = LIST_200};
    assert_verdict(flow_notify(bed, &late), "OK");
    assert_int_equal(flow_stat(bed, "trades.unknown_callbacks"), 1);
    assert_int_equal(count(bed, &stray_table, "number", STORE_EQ, late.tender_no), 1);
    days(bed, 20 * DAYS); // it may be all that is known of the money: it stays until somebody sees to it
    assert_int_equal(count(bed, &stray_table, "number", STORE_EQ, late.tender_no), 1);
    settle_stray(bed, late.tender_no);
    assert_int_equal(count(bed, &settled_stray_table, "number", STORE_EQ, late.tender_no), 1);
    days(bed, DAYS + 1);
    assert_int_equal(count(bed, &settled_stray_table, "number", STORE_EQ, late.tender_no), 0);
}

// [E15] a refund of late money that the gateway refuses waits for an operator, and goes on under the next number
static void test_a_late_return_that_is_refused_waits_for_an_operator(struct flow_bed *bed) {
    struct flow_trade trade;
    expired(bed, &trade);
    until_gone(bed, &trade);
    flow_fault(bed, FAULT(REJECT), "payment", "RefundPayment", "count=1 code=BALANCE_SHORT");
    flow_payer_pays_late(bed, flow_tender_no(bed, &trade, 1, 0));
    flow_until_parked(bed, &trade, 1);
    assert_int_equal(flow_tender(bed, &trade, 1, 0)->state, TENDER(RETURNING));
    days(bed, 3 * DAYS);
    flow_crash_center(bed);
    flow_retry_parked(bed, &trade);
    until_returned(bed, &trade);
    assert_int_equal(refunded(bed, &trade), 1);
}

// [E15] [E8] one whose return an operator has ended stays the operator's, over deaths, and is never returned by itself
static void test_a_late_return_that_is_terminated_stays_with_the_operator(struct flow_bed *bed) {
    struct flow_trade trade;
    expired(bed, &trade);
    until_gone(bed, &trade);
    flow_fault(bed, FAULT(REJECT), "payment", "RefundPayment", "count=1 code=BALANCE_SHORT");
    const char *tender_no = flow_tender_no(bed, &trade, 1, 0);
    flow_payer_pays_late(bed, tender_no);
    flow_until_parked(bed, &trade, 1);
    flow_must(bed, "Terminate", "gid=%s/refund/%s/late reason=by~hand", trade.no, tender_no);
    assert_int_equal(flow_tender(bed, &trade, 1, 0)->state, TENDER(CONFLICTED));
    assert_int_equal(flow_center_alerts(&flow_virtual(bed)->center, "money that is not wanted stays"), 1);
    flow_crash_center(bed);
    flow_clear_faults(bed);
    const struct flow_notice again = {.tender_no = tender_no, .state = PAYMENT(PAID), .amount = LIST_200};
    assert_verdict(flow_notify(bed, &again), "OK");
    days(bed, 1);
    assert_int_equal(flow_tender(bed, &trade, 1, 0)->state, TENDER(CONFLICTED));
    assert_int_equal(refunded(bed, &trade), 0);
}

// ---- What the patrol finds ----------------------------------------------------------------------------------------

typedef Txcenter__Saga__V1__ListAnomaliesResponse anomalies_response;

static void put(struct flow_bed *bed, const struct store_table *table, const void *rows, size_t n) {
    flow_write_rows(bed, table, STORE_PUT, rows, n);
}

// [E8] what waits for such a trade may never find out: it is raised all the same, and cleared when it can be read again
static void test_a_trade_that_can_not_be_read_is_raised(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_completed(bed, &trade);
    struct refund_row none = {.refund_no = "none", .state = 99};
    memcpy(none.trade_no, trade.no, sizeof none.trade_no);
    put(bed, &refund_table, &none, 1);
    flow_crash_center(bed);
    days(bed, 1);
    flow_run_for(bed, 2 * HOUR_MS);
    const anomalies_response *found = flow_must(bed, "ListAnomalies", "%s", "");
    assert_int_equal(found->n_anomalies, 1);
    assert_string_equal(found->anomalies[0]->subject, trade.no);
    assert_non_null(strstr(found->anomalies[0]->text, "it can't be read: "));
    flow_write_rows(bed, &refund_table, STORE_DELETE, &none, 1);
    flow_crash_center(bed);
    flow_run_for(bed, 3 * HOUR_MS);
    assert_int_equal(flow_stat(bed, "anomalies.open"), 0);
}

// The ledger of a trade is off, or what was paid is: found in the round through all of them, and raised once.
static void test_amounts_that_do_not_add_up_are_raised(struct flow_bed *bed) {
    struct flow_trade trade, other;
    flow_completed(bed, &trade);
    flow_ordered_bare(bed, &other);
    flow_pay(bed, &other);
    flow_payer_pays(bed, flow_tender_no(bed, &other, 1, 0));
    flow_until_state(bed, &other, TRADE(COMPLETED));
    flow_until_still(bed, &other);
    flow_run_for(bed, HOUR_MS);
    assert_true(flow_stat(bed, "anomalies.checked") >= 2); // as soon as they had ended
    struct ledger_row off = {.entry = 1, .line = 1, .account = "sales", .amount = -1};
    memcpy(off.trade_no, trade.no, sizeof off.trade_no);
    put(bed, &ledger_table, &off, 1);
    flow_crash_center(bed);
    days(bed, 1);
    flow_run_for(bed, 2 * HOUR_MS);
    const anomalies_response *found = flow_must(bed, "ListAnomalies", "%s", "");
    assert_int_equal(found->n_anomalies, 1);
    assert_int_equal(found->anomalies[0]->kind, TXCENTER__SAGA__V1__ANOMALY_KIND__ANOMALY_KIND_AMOUNTS);
    assert_string_equal(found->anomalies[0]->subject, trade.no);
    assert_non_null(strstr(found->anomalies[0]->text, "ledger entry 1 is off by"));
    assert_int_equal(flow_stat(bed, "anomalies.open"), 1);
    bed->anomalies = 1;
    until_gone(bed, &trade); // and the anomaly with it
    flow_run_for(bed, 3 * HOUR_MS);
    assert_int_equal(flow_stat(bed, "anomalies.open"), 0);
    found = flow_must(bed, "ListAnomalies", "filter.cleared=true");
    assert_int_equal(found->n_anomalies, 1);
    assert_non_null(found->anomalies[0]->cleared_at);
}

enum { RAISED = 600 };

static size_t pages_of(struct flow_bed *bed, const char *filter, int size, size_t *ret_pages) {
    const char *token = "";
    size_t n = 0, pages = 0;
    int64_t last_ms = INT64_MAX;
    do {
        const anomalies_response *page =
            flow_must(bed, "ListAnomalies", "%s page_size=%d page_token=%s", filter, size, token);
        for (size_t i = 0; i < page->n_anomalies; i++) {
            const Google__Protobuf__Timestamp *at = page->anomalies[i]->first_seen_at;
            int64_t first_ms = at->seconds * 1000 + at->nanos / 1000000;
            assert_true(first_ms <= last_ms); // and each is there once
            last_ms = first_ms;
        }
        n += page->n_anomalies;
        pages++;
        token = page->next_page_token;
    } while (*token);
    *ret_pages = pages;
    return n;
}

static void test_anomalies_are_listed_in_pages(struct flow_bed *bed) {
    static struct anomaly_row rows[RAISED];
    size_t pages;
    for (int i = 0; i < RAISED; i++) {
        rows[i] = (struct anomaly_row){.kind = ANOMALY_AMOUNTS + i % 2 * (ANOMALY_UNREADABLE - ANOMALY_AMOUNTS),
                                       .first_ms = 1000000 + i / 2,
                                       .last_ms = 2000000 + i,
                                       .cleared_ms = ANOMALY_OPEN_MS,
                                       .flow = "trade"};
        snprintf(rows[i].about, sizeof rows[i].about, "g%d", i / 2);
        snprintf(rows[i].subject, sizeof rows[i].subject, "g%d", i / 2);
    }
    put(bed, &anomaly_table, rows, RAISED);
    assert_int_equal(pages_of(bed, "", 200, &pages), RAISED);
    assert_int_equal(pages, 3);
    assert_int_equal(pages_of(bed, "filter.kind=5", 200, &pages), RAISED / 2);
    assert_int_equal(pages_of(bed, "filter.subject=g7", 50, &pages), 2);
    assert_int_equal(pages, 3); // each has looked at so many
    assert_int_equal(pages_of(bed, "filter.seen_from.seconds=2000 filter.seen_from.nanos=590000000", 50, &pages), 10);
    const anomalies_response *page = flow_must(bed, "ListAnomalies", "page_size=7");
    assert_int_equal(page->n_anomalies, 7);
    flow_refused(bed, "INVALID_REQUEST", "ListAnomalies", "filter.kind=5 page_token=%s", page->next_page_token);
    flow_refused(bed, "INVALID_REQUEST", "ListAnomalies", "filter.kind=7");
    flow_refused(bed, "INVALID_REQUEST", "ListAnomalies", "page_size=-1");
    static struct anomaly_row over[RAISED];
    for (int i = 0; i < RAISED; i++) {
        over[i] = rows[i];
        over[i].cleared_ms = over[i].last_ms;
    }
    put(bed, &anomaly_table, over, RAISED);
}

// What no release has written is not acted on: it is refused, and the process goes on.
static void test_a_trade_that_makes_no_sense_is_left_alone(struct flow_bed *bed) {
    static const struct {
        int32_t trade, tender, refund, leg;
        const char *lines, *invoices; // of the refund
        int32_t closing, award, kind; // kind: of the refund
    } bent[] = {
        {.trade = 99},
        {.trade = 0},
        {.trade = -1},
        {.trade = 2, .tender = 77},
        {.trade = 2, .refund = 77},
        {.trade = 2, .leg = 77},
        {.trade = 2, .refund = 1, .lines = "too odd"},
        {.trade = 2, .refund = 1, .invoices = "just one"},
        {.trade = 2, .refund = 1, .kind = 3},
        {.trade = 2, .closing = 99},
        {.trade = 2, .closing = -1},
        {.trade = 2, .award = 9},
    };
    for (size_t i = 0; i < sizeof bent / sizeof bent[0]; i++) {
        struct trade_row row = {.version = 1,
                                .state = bent[i].trade,
                                .tenant_id = "T001",
                                .created_ms = 1,
                                .closing = bent[i].closing,
                                .after[AFTER_AWARD].state = bent[i].award};
        snprintf(row.trade_no, sizeof row.trade_no, "01M7YBK6QT3HKKBQ7APVMX%04zu", i);
        struct tender_row tender = {.attempt_no = 1, .kind = KIND(CARD), .state = bent[i].tender};
        struct refund_row refund = {.refund_no = "R",
                                    .kind = bent[i].kind,
                                    .state = bent[i].refund,
                                    .line_parts = str_c(bent[i].lines),
                                    .invoice_parts = str_c(bent[i].invoices)};
        struct refund_leg_row leg = {.refund_no = "R", .state = bent[i].leg};
        memcpy(tender.trade_no, row.trade_no, sizeof tender.trade_no);
        memcpy(refund.trade_no, row.trade_no, sizeof refund.trade_no);
        memcpy(leg.trade_no, row.trade_no, sizeof leg.trade_no);
        put(bed, &trade_table, &row, 1);
        put(bed, &tender_table, &tender, bent[i].tender != 0);
        put(bed, &refund_table, &refund, bent[i].refund != 0);
        put(bed, &refund_leg_table, &leg, bent[i].leg != 0);
        flow_refused(bed, "STORE_CORRUPT", "GetTrade", "trade_no=%s", row.trade_no);
        flow_refused(bed, "STORE_CORRUPT", "Cancel", "trade_no=%s", row.trade_no);
        flow_write_rows(bed, &trade_table, STORE_DELETE, &row, 1);
        flow_write_rows(bed, &tender_table, STORE_DELETE, &tender, 1);
        flow_write_rows(bed, &refund_table, STORE_DELETE, &refund, 1);
        flow_write_rows(bed, &refund_leg_table, STORE_DELETE, &leg, 1);
    }
}

// ---- Lists of much ------------------------------------------------------------------------------------------------

enum { OLD = 2500 };

// The pages of a list of trades, all of which `bed` must find to hold `n` together.
static size_t pages_of_trades(struct flow_bed *bed, const char *filter, size_t n) {
    const char *token = "";
    size_t found = 0, pages = 0;
    do {
        const Txcenter__Trade__V1__ListTradesResponse *page =
            flow_must(bed, "ListTrades", "%s page_size=200 page_token=%s", filter, token);
        found += page->n_trades;
        pages++;
        token = page->next_page_token;
    } while (*token);
    assert_int_equal(found, n);
    return pages;
}

// Of one page at most 1000 trades are looked at, however many there are and however few fit; it says where it stopped.
static void test_a_page_looks_at_so_many_trades(struct flow_bed *bed) {
    static struct trade_row rows[OLD];
    for (int i = 0; i < OLD; i++) {
        rows[i] = (struct trade_row){.version = 1,
                                     .state = i == 0 ? TRADE(CONFLICTED) : TRADE(QUOTED),
                                     .created_ms = 1000000 + i / 3,
                                     .updated_ms = 1000000 + i / 3,
                                     .tenant_id = "T900",
                                     .user_id = "old"};
        snprintf(rows[i].trade_no, sizeof rows[i].trade_no, "01M7YBK6QT3HKKBQ7APVMW%04d", i);
        snprintf(rows[i].station_id, sizeof rows[i].station_id, "S%d", i % 2);
    }
    put(bed, &trade_table, rows, OLD);
    const char *conflicted = flow_text(bed, "filter.state=%d", TRADE(CONFLICTED));
    assert_int_equal(pages_of_trades(bed, "filter.tenant_id=T900", OLD), (OLD + 199) / 200);
    assert_int_equal(pages_of_trades(bed, flow_text(bed, "filter.tenant_id=T900 %s", conflicted), 1), 3);
    assert_int_equal(pages_of_trades(bed, flow_text(bed, "filter.user_id=old %s", conflicted), 1), 3);
    assert_int_equal(
        pages_of_trades(bed, flow_text(bed, "filter.tenant_id=T900 filter.station_id=S0 %s", conflicted), 1), 2);
    assert_int_equal(
        pages_of_trades(bed, flow_text(bed, "filter.tenant_id=T900 filter.station_id=S1 %s", conflicted), 0), 2);
    assert_int_equal(pages_of_trades(bed, "filter.tenant_id=T900 filter.user_id=old filter.station_id=S9", 0), 3);
    // What is another tenant's is not even looked at.
    assert_int_equal(pages_of_trades(bed, "filter.tenant_id=T901 filter.user_id=old", 0), 1);
    assert_int_equal(pages_of_trades(bed, "filter.tenant_id=T901 filter.station_id=S0", 0), 1);
    flow_write_rows(bed, &trade_table, STORE_DELETE, rows, OLD);
}

// The same of matters; those of one trade are found by its number.
static void test_a_page_looks_at_so_many_matters(struct flow_bed *bed) {
    static struct matter_row rows[OLD];
    enum { PAYOUT = TXCENTER__TRADE__V1__MATTER_KIND__MATTER_KIND_PAYOUT };
    for (int i = 0; i < OLD; i++) {
        rows[i] = (struct matter_row){.number = 1,
                                      .kind = PAYOUT - (i < OLD - 1),
                                      .outcome = 1,
                                      .tenant_id = "T900",
                                      .currency = "CNY",
                                      .created_ms = 1000000 + i,
                                      .settled_ms = 2000000 - i};
        snprintf(rows[i].trade_no, sizeof rows[i].trade_no, "01M7YBK6QT3HKKBQ7APVMW%04d", i);
    }
    put(bed, &matter_table, rows, OLD);
    size_t pages = 0, found = 0;
    const char *token = "";
    do {
        const Txcenter__Trade__V1__ListMattersResponse *page =
            flow_must(bed, "ListMatters", "filter.settled=true filter.kind=%d page_token=%s", PAYOUT, token);
        found += page->n_matters;
        pages++;
        token = page->next_page_token;
    } while (*token);
    assert_int_equal(found, 1);
    assert_int_equal(pages, 3);
    const Txcenter__Trade__V1__ListMattersResponse *page =
        flow_must(bed, "ListMatters", "filter.settled=true filter.trade_no=%s", rows[OLD - 1].trade_no);
    assert_int_equal(page->n_matters, 1);
    assert_string_equal(page->next_page_token, "");
    flow_write_rows(bed, &matter_table, STORE_DELETE, rows, OLD);
}

// ---- Deaths and races ---------------------------------------------------------------------------------------------

static void check_all_or_nothing(const struct kept *before, const struct kept *now) {
    if (now->all == 0) {
        assert_int_equal(now->of[ARCHIVE], 1);
        return;
    }
    for (size_t i = 0; i < KINDS; i++)
        if (kinds[i].table != &attempt_table && kinds[i].table != &trouble_table)
            assert_int_equal(now->of[i], before->of[i]);
    assert_int_equal(now->of[ARCHIVE], 0);
}

enum { COMMITS = 8 };

// A death before or after any commit of the deletion: the trade is there whole, or gone whole, and goes in the end; and
// money that comes right after the death goes back.
static void test_a_death_while_it_goes_harms_nothing(struct flow_bed *bed) {
    for (int64_t at = 1; at <= COMMITS; at++)
        for (int before = 0; before < 2; before++) {
            struct flow_trade trade;
            struct crash_point *point = &flow_virtual(bed)->center.point;
            expired(bed, &trade);
            struct kept whole = look(bed, &trade);
            flow_run_for(bed, DAYS * DAY_MS - HOUR_MS);
            crash_point_set(point, at, before);
            for (int i = 0; i < 3 * 60; i++) {
                flow_run_for(bed, HOUR_MS / 60);
                struct kept now = look(bed, &trade);
                check_all_or_nothing(&whole, &now);
                if (point->at == 0 && now.all > 0)
                    break; // it has died of it
            }
            crash_point_set(point, 0, false);
            flow_until(bed, (flow_condition_fn *)is_gone, &trade, "it must go in the end");
            flow_payer_pays_late(bed, flow_tender_no(bed, &trade, 1, 0));
            until_returned(bed, &trade);
            assert_int_equal(refunded(bed, &trade), 1);
        }
}

// [E15] the center dies before or after any commit of the return: once, all the same
static void test_a_death_at_any_commit_of_a_late_return(struct flow_bed *bed) {
    for (int64_t at = 1; at <= COMMITS; at++)
        for (int before = 0; before < 2; before++) {
            struct flow_trade trade;
            struct crash_point *point = &flow_virtual(bed)->center.point;
            expired(bed, &trade);
            until_gone(bed, &trade);
            crash_point_set(point, at, before);
            flow_payer_pays_late(bed, flow_tender_no(bed, &trade, 1, 0));
            flow_run_for(bed, HOUR_MS);
            crash_point_set(point, 0, false);
            until_returned(bed, &trade);
            assert_int_equal(refunded(bed, &trade), 1);
            assert_int_equal(flow_effects(bed, "payment", trade.no, "RefundPayment", EFFECT(APPLIED)), 1);
        }
}

enum { MOMENTS = 10 };

// [E15] a success and a command that come in any moment while the trade goes: told to come again, or that it is gone;
// and the money goes back
static void test_what_comes_while_the_trade_goes(struct flow_bed *bed) {
    unsigned told_to_come_again = 0, told_gone = 0;
    for (int moment = 0; moment < MOMENTS; moment++) {
        struct flow_trade trade;
        struct crash_point *point = &flow_virtual(bed)->center.point;
        expired(bed, &trade);
        flow_run_for(bed, DAYS * DAY_MS);
        // What stands beside its sagas goes in the pass in which it goes.
        while (count(bed, &trouble_table, "gid", STORE_PREFIX, trade.no) > 0)
            bed->ops->step(bed);
        for (int i = 0; i < moment; i++)
            bed->ops->step(bed);
        point->held = true; // the store takes long
        struct flow_answer *cancelled = flow_send(bed, "Cancel", "trade_no=%s", trade.no);
        flow_run_for(bed, 50);
        point->held = false;
        flow_wait(bed, cancelled);
        told_to_come_again += strcmp(flow_verdict(cancelled), "RETRY") == 0;
        told_gone += strcmp(flow_verdict(cancelled), "TRADE_NOT_FOUND") == 0;
        flow_payer_pays_late(bed, flow_tender_no(bed, &trade, 1, 0));
        until_returned(bed, &trade);
        assert_int_equal(refunded(bed, &trade), 1);
    }
    assert_true(told_to_come_again > 0 && told_gone > 0);
}

// One with more rows than go at once: from the first of several transactions on nobody finds it, over any death.
static void test_a_large_trade_goes_in_pieces_that_nobody_sees(struct flow_bed *bed) {
    for (int64_t at = 0; at <= COMMITS; at++) {
        struct flow_trade trade;
        struct crash_point *point = &flow_virtual(bed)->center.point;
        expired(bed, &trade);
        struct kept whole = look(bed, &trade), now;
        flow_run_for(bed, DAYS * DAY_MS - HOUR_MS);
        crash_point_set(point, at, at % 2 == 0);
        do {
            flow_run_for(bed, HOUR_MS / 60);
            now = look(bed, &trade);
            const Txcenter__Trade__V1__GetTradeResponse *shown =
                (const void *)flow_insist(bed, "GetTrade", "trade_no=%s", trade.no)->message;
            bool begun = now.of[ARCHIVE] > 0;
            if (shown)
                assert_int_equal(shown->trade->archived_at != NULL, begun);
            for (size_t i = 0; !begun && i < KINDS; i++)
                if (kinds[i].table != &attempt_table && kinds[i].table != &trouble_table)
                    assert_int_equal(now.of[i], whole.of[i]);
        } while (now.all > 0);
        crash_point_set(point, 0, false);
        flow_payer_pays_late(bed, flow_tender_no(bed, &trade, 1, 0));
        until_returned(bed, &trade);
        assert_int_equal(refunded(bed, &trade), 1);
    }
}

static const struct flow_case cases[] = {
#define KEPT(function) VIRTUAL_WITH(function, .kept_days = DAYS, .a_day_of_refunds = true)
    KEPT(test_a_paid_trade_goes_whole_when_its_time_is_over),
    KEPT(test_a_trade_that_can_be_refunded_stays),
    KEPT(test_a_trade_stays_as_long_as_its_sagas),
    KEPT(test_what_was_never_ordered_and_what_was_never_paid_goes),
    KEPT(test_a_trade_with_a_parked_saga_stays),
    KEPT(test_a_deleted_trade_shows_what_is_kept_of_it),
    KEPT(test_money_for_a_deleted_trade_goes_back_once),
    KEPT(test_money_for_a_deleted_trade_that_leaves_twice_is_told),
    KEPT(test_a_repeat_of_what_was_paid_gives_nothing_back),
    KEPT(test_money_that_does_not_match_is_on_record),
    KEPT(test_each_late_tender_goes_back),
    KEPT(test_the_archive_has_its_time_too),
    KEPT(test_a_late_return_that_is_refused_waits_for_an_operator),
    KEPT(test_a_late_return_that_is_terminated_stays_with_the_operator),
    KEPT(test_a_trade_that_can_not_be_read_is_raised),
    KEPT(test_amounts_that_do_not_add_up_are_raised),
    KEPT(test_anomalies_are_listed_in_pages),
    KEPT(test_a_trade_that_makes_no_sense_is_left_alone),
    KEPT(test_a_page_looks_at_so_many_trades),
    KEPT(test_a_page_looks_at_so_many_matters),
    KEPT(test_a_death_while_it_goes_harms_nothing),
    KEPT(test_a_death_at_any_commit_of_a_late_return),
    KEPT(test_what_comes_while_the_trade_goes),
    VIRTUAL_WITH(test_a_large_trade_goes_in_pieces_that_nobody_sees, .kept_days = DAYS, .rows_max = 4),
};
CASES(kept);
