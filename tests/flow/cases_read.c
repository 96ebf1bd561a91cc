// What callers see: one trade by either number, pages of many, and every change of one as it happens.
#include "tests/flow/cases.h"
#include "tests/flow/virtual.h"

#include <stdio.h>
#include <stdlib.h>

typedef Txcenter__Trade__V1__Trade trade_message;
typedef Txcenter__Trade__V1__ListTradesResponse page_message;

// ---- One ------------------------------------------------------------------------------------------------------------

// Every entry of the ledger adds up to zero.
static void assert_balanced(const trade_message *trade) {
    for (size_t i = 0; i < trade->n_ledger; i++) {
        int64_t sum = 0;
        for (size_t k = 0; k < trade->n_ledger; k++)
            if (trade->ledger[k]->entry == trade->ledger[i]->entry)
                sum += trade->ledger[k]->amount->minor_units;
        assert_int_equal(sum, 0);
    }
}

static int64_t account(const trade_message *trade, const char *name) {
    int64_t sum = 0;
    for (size_t i = 0; i < trade->n_ledger; i++)
        if (strcmp(trade->ledger[i]->account, name) == 0)
            sum += trade->ledger[i]->amount->minor_units;
    return sum;
}

// [S3-22] [S3-24] either number finds all of it: what was chosen, tenders, refunds, ledger, states with their times
static void test_either_number_finds_all_of_a_trade(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_ordered(bed, &trade);
    flow_pay_with(bed, &trade,
                  flow_tenders(bed, 2, KIND(CARD), 2500, bed->card, KIND(WECHAT), BEST_200 - 2500, "payer"), "");
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 1));
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    flow_must(bed, "Refund", "trade_no=%s refund_no=R-x amount=CNY1000", trade.no);
    flow_until_still(bed, &trade);
    const trade_message *by_trade = flow_get(bed, trade.no);
    const Txcenter__Trade__V1__GetTradeResponse *by_order = flow_must(bed, "GetTrade", "order_no=%s", trade.order_no);
    assert_int_equal(by_order->trade->version, by_trade->version);
    assert_int_equal(protobuf_c_message_get_packed_size(&by_order->trade->base),
                     protobuf_c_message_get_packed_size(&by_trade->base));
    assert_string_equal(by_trade->order_no, trade.order_no);
    assert_string_equal(by_trade->context->user_id, bed->user);
    assert_int_equal(by_trade->combination->payable->minor_units, BEST_200);
    assert_int_equal(by_trade->attempts[0]->n_tenders, 2);
    assert_int_equal(by_trade->n_refunds, 1);
    assert_string_equal(by_trade->refunds[0]->refund_no, "R-x");
    assert_int_equal(by_trade->refunds[0]->n_legs, 2);
    assert_int_equal(by_trade->n_saga_gids, 3);
    for (size_t i = 1; i < by_trade->n_history; i++)
        assert_true(by_trade->history[i]->at->seconds >= by_trade->history[i - 1]->at->seconds);
    assert_history(bed, &trade, "CREATED QUOTED ORDERING ORDERED PAYING PAID COMPLETED PARTIALLY_REFUNDED");
}

// [A53] the ledger is double entry and adds up to zero after every step
static void test_the_ledger_adds_up_after_every_step(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_ordered(bed, &trade);
    assert_int_equal(flow_get(bed, trade.no)->n_ledger, 0);
    flow_pay(bed, &trade);
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 0));
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    const char *tender = flow_text(bed, "tender:%s", flow_tender_no(bed, &trade, 1, 0));
    const trade_message *found = flow_get(bed, trade.no);
    assert_balanced(found);
    assert_int_equal(account(found, tender), BEST_200);
    assert_int_equal(account(found, "sales"), -LIST_200);
    assert_int_equal(account(found, "discount:coupon") + account(found, "discount:points"), LIST_200 - BEST_200);
    for (int i = 1; i <= 3; i++) {
        flow_must(bed, "Refund", "trade_no=%s amount=CNY3333", trade.no);
        found = flow_get(bed, trade.no);
        assert_balanced(found);
        assert_int_equal(account(found, tender), BEST_200 - 3333 * i);
    }
    flow_must(bed, "Refund", "trade_no=%s whole=true", trade.no);
    found = flow_get(bed, trade.no);
    assert_balanced(found);
    assert_int_equal(account(found, tender), 0);
    assert_int_equal(account(found, "sales"), 0);
    assert_int_equal(account(found, "discount:coupon"), 0);
    assert_int_equal(account(found, "discount:points"), 0);
}

// What is shown is durable: the same after the center died, to the byte.
static void test_what_is_shown_is_the_same_after_a_death(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_completed(bed, &trade);
    flow_must(bed, "Refund", "trade_no=%s amount=CNY1000", trade.no);
    flow_until_still(bed, &trade);
    struct flow_answer *before = flow_ask(bed, "GetTrade", "trade_no=%s", trade.no);
    flow_crash_center(bed);
    struct flow_answer *after = flow_ask(bed, "GetTrade", "trade_no=%s", trade.no);
    assert_int_equal(before->bytes.len, after->bytes.len);
    assert_memory_equal(before->bytes.ptr, after->bytes.ptr, after->bytes.len);
}

// A trade that was ordered again and again shows every change it went through.
static void test_a_long_history_is_shown_whole(struct flow_bed *bed) {
    enum { TIMES = 14, CHANGES = 5 };
    struct flow_trade trade = {0};
    for (int i = 0; i < TIMES; i++) {
        flow_quote(bed, &trade, FUEL_200, "");
        flow_order(bed, &trade, "");
        flow_must(bed, "Cancel", "trade_no=%s", trade.no);
        flow_until_state(bed, &trade, TRADE(CANCELLED));
    }
    const trade_message *found = flow_get(bed, trade.no);
    assert_int_equal(found->n_history, 1 + TIMES * CHANGES);
    assert_int_equal(found->history[found->n_history - 1]->state, TRADE(CANCELLED));
}

// What is read is one version of the trade, also when it is paid between the first read and the last.
static void test_a_trade_is_read_as_of_one_moment(struct flow_bed *bed) {
    struct flow_trade trade;
    struct flow_center *center = &flow_virtual(bed)->center;
    flow_ordered(bed, &trade);
    flow_pay(bed, &trade);
    center->point.held = true;
    struct flow_answer *answer = flow_send(bed, "GetTrade", "trade_no=%s", trade.no);
    flow_run_for(bed, 5);
    store_pump(center->store); // its row is read, before it is paid
    store_poll(center->store);
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 0));
    flow_run_for(bed, 5);
    center->point.held = false;
    flow_wait(bed, answer);
    assert_verdict(answer, "OK");
    const Txcenter__Trade__V1__Trade *found = ((const Txcenter__Trade__V1__GetTradeResponse *)answer->message)->trade;
    assert_int_equal(found->state, TRADE(PAID));
    assert_int_equal(found->attempts[0]->state, ATTEMPT(PAID));
    assert_true(found->n_ledger > 0);
    flow_until_state(bed, &trade, TRADE(COMPLETED));
}

static void test_what_is_not_there_is_not_found(struct flow_bed *bed) {
    flow_refused(bed, "TRADE_NOT_FOUND", "GetTrade", "trade_no=01M7YBK6QT3HKKBQ7APVMWGMYR");
    flow_refused(bed, "TRADE_NOT_FOUND", "GetTrade", "order_no=no-such-order");
    flow_refused(bed, "INVALID_REQUEST", "GetTrade", "trade_no=no-number");
    flow_refused(bed, "INVALID_REQUEST", "GetTrade", "%s", "");
}

// ---- Who may see it -------------------------------------------------------------------------------------------------

static void refused_as(struct flow_bed *bed, const char *caller, const char *reason, const char *method,
                       const char *fields) {
    struct flow_answer *answer = flow_send_as(bed, caller, method, "%s", fields);
    flow_wait(bed, answer);
    if (strcmp(flow_verdict(answer), reason) != 0)
        fail_msg("%s of %s: %s, not %s", method, caller, flow_verdict(answer), reason);
}

// A trade is its tenant's: others neither see nor change it; a reader changes nothing.
static void test_a_trade_is_seen_by_callers_of_its_tenant(struct flow_bed *bed) {
    struct flow_trade trade;
    flow_ordered(bed, &trade);
    const char *no = flow_text(bed, "trade_no=%s", trade.no), *order = flow_text(bed, "order_no=%s", trade.order_no);
    struct {
        const char *method, *fields;
    } calls[] = {{"GetTrade", no},
                 {"GetTrade", order},
                 {"Cancel", no},
                 {"Cancel", order},
                 {"Refund", flow_text(bed, "%s whole=true", no)},
                 {"Quote", flow_text(bed, "%s %s " FUEL_200, no, flow_context(bed))},
                 {"PlaceOrder", flow_text(bed, "%s quote_version=1", no)},
                 {"Pay", flow_text(bed, "%s %s", no, flow_tenders(bed, 1, KIND(WECHAT), BEST_200, "p"))},
                 {"ListTrades", "filter.tenant_id=T001"}};
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
        refused_as(bed, FLOW_OTHER, "TENANT_FORBIDDEN", calls[i].method, calls[i].fields);
    for (size_t i = 2; i < 8; i++)
        refused_as(bed, FLOW_READER, "SCOPE_MISSING", calls[i].method, calls[i].fields);
    const char *before =
        flow_text(bed, "%s context.at.seconds=%lld " FUEL_200, flow_context(bed), (long long)flow_now(bed) / 1000 - 60);
    refused_as(bed, FLOW_SHOP, "SCOPE_MISSING", "Quote", before); // when it was bought is not its to say
    refused_as(bed, FLOW_SHOP, "SCOPE_MISSING", "QuoteOrderPay", flow_text(bed, "%s expected_payable=CNY1", before));
    refused_as(bed, FLOW_READER, "OK", "GetTrade", no);
    refused_as(bed, FLOW_OTHER, "INVALID_REQUEST", "ListTrades", ""); // it must name its tenant
    refused_as(bed, "nobody", "UNAUTHENTICATED", "GetTrade", no);
    assert_state(bed, &trade, TRADE(ORDERED));
    refused_as(bed, FLOW_SHOP, "OK", "Cancel", no); // of the tenant, though another caller made it
    assert_state(bed, &trade, TRADE(CANCELLED));
}

// ---- Many -----------------------------------------------------------------------------------------------------------

enum { MADE = 7 };

// Makes that many trades at the same time, so that some begin in the same millisecond.
static void make_at_once(struct flow_bed *bed, const char **numbers) {
    struct flow_answer *answers[MADE];
    for (int i = 0; i < MADE; i++)
        answers[i] = flow_send(bed, "Quote", "%s " FUEL_200, flow_context(bed));
    for (int i = 0; i < MADE; i++) {
        flow_wait(bed, answers[i]);
        assert_verdict(answers[i], "OK");
        numbers[i] = ((const Txcenter__Trade__V1__QuoteResponse *)answers[i]->message)->trade_no;
    }
}

static size_t list_all(struct flow_bed *bed, const char *filter, int page_size, const char **out, size_t max) {
    const char *token = "";
    size_t n = 0;
    do {
        const page_message *page =
            flow_must(bed, "ListTrades", "%s page_size=%d page_token=%s", filter, page_size, token);
        assert_true(page->n_trades <= (size_t)page_size);
        assert_true(n + page->n_trades <= max);
        for (size_t i = 0; i < page->n_trades; i++)
            out[n++] = page->trades[i]->trade_no;
        token = page->next_page_token;
    } while (*token);
    return n;
}

static bool among(const char *const *list, size_t n, const char *text) {
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i], text) == 0)
            return true;
    return false;
}

// Pages of any size hold every trade once, newest first, though several began in the same millisecond.
static void test_pages_hold_every_trade_once(struct flow_bed *bed) {
    const char *made[MADE], *listed[MADE + 1];
    make_at_once(bed, made);
    for (int size = 1; size <= MADE + 1; size++) {
        assert_int_equal(list_all(bed, flow_text(bed, "filter.user_id=%s", bed->user), size, listed, MADE + 1), MADE);
        for (int i = 0; i < MADE; i++) {
            assert_true(among(listed, MADE, made[i]));
            if (i > 0)
                assert_true(strcmp(listed[i], listed[i - 1]) != 0);
        }
    }
    const page_message *page = flow_must(bed, "ListTrades", "filter.user_id=%s", bed->user);
    for (size_t i = 0; i < page->n_trades; i++) {
        assert_null(page->trades[i]->quote);
        assert_int_equal(page->trades[i]->n_ledger, 0);
        assert_int_equal(page->trades[i]->n_history, 0);
        assert_string_equal(page->trades[i]->context->user_id, bed->user);
    }
}

// Trades that are made while somebody turns the pages neither repeat nor hide any.
static void test_pages_stay_true_while_trades_are_made(struct flow_bed *bed) {
    const char *made[MADE], *seen[MADE];
    size_t n = 0;
    make_at_once(bed, made);
    const char *token = "";
    do {
        const page_message *page = flow_must(
            bed, "ListTrades", "filter.user_id=%s filter.tenant_id=T001 page_size=2 page_token=%s", bed->user, token);
        for (size_t i = 0; i < page->n_trades; i++) {
            assert_true(n < MADE);
            assert_false(among(seen, n, page->trades[i]->trade_no));
            seen[n++] = page->trades[i]->trade_no;
        }
        struct flow_trade another = {0};
        flow_quote(bed, &another, FUEL_200, "");
        token = page->next_page_token;
    } while (*token);
    assert_int_equal(n, MADE);
}

// All parts of a filter must hold: user, station, state, and made from and before.
static void test_a_filter_holds_in_all_its_parts(struct flow_bed *bed) {
    struct flow_trade quoted = {0}, ordered, elsewhere = {0};
    const char *listed[8];
    flow_quote(bed, &quoted, FUEL_200, "");
    flow_run_for(bed, 1100);
    flow_ordered(bed, &ordered);
    const Txcenter__Trade__V1__QuoteResponse *response = flow_must(
        bed, "Quote", "context.tenant_id=T001 context.user_id=%s context.station_id=S002 " FUEL_200, bed->user);
    snprintf(elsewhere.no, sizeof elsewhere.no, "%s", response->trade_no);
    const char *user = flow_text(bed, "filter.user_id=%s", bed->user);
    long long second = flow_get(bed, ordered.no)->created_at->seconds;
    int nanos = flow_get(bed, ordered.no)->created_at->nanos;
    const char *at = flow_text(bed, ".seconds=%lld", second);
    struct {
        const char *filter;
        size_t n;
        const char *first;
    } cases[] = {
        {"", 3, elsewhere.no},
        {flow_text(bed, "filter.state=%d", TRADE(QUOTED)), 2, elsewhere.no},
        {flow_text(bed, "filter.state=%d", TRADE(ORDERED)), 1, ordered.no},
        {flow_text(bed, "filter.state=%d", TRADE(COMPLETED)), 0, NULL},
        {"filter.station_id=S001", 2, ordered.no},
        {"filter.station_id=S002", 1, elsewhere.no},
        {"filter.station_id=S003", 0, NULL},
        {"filter.tenant_id=T001 filter.station_id=S001", 2, ordered.no},
        {"filter.tenant_id=T009", 0, NULL},
        {flow_text(bed, "filter.created_from%s filter.created_from.nanos=%d", at, nanos), 2, elsewhere.no},
        {flow_text(bed, "filter.created_to%s filter.created_to.nanos=%d", at, nanos), 1, quoted.no},
        {flow_text(bed, "filter.created_to%s filter.state=%d", at, TRADE(ORDERED)), 0, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t n = list_all(bed, flow_text(bed, "%s %s", user, cases[i].filter), 1, listed, 8);
        if (n != cases[i].n)
            fail_msg("%s: %zu, not %zu", cases[i].filter, n, cases[i].n);
        if (n > 0)
            assert_string_equal(listed[0], cases[i].first);
    }
}

static void test_a_list_of_bad_form_is_refused(struct flow_bed *bed) {
    static const char *const bad[] = {"page_size=201",
                                      "page_size=-1",
                                      "page_token=x",
                                      "page_token=1.x",
                                      "filter.state=15",
                                      "filter.state=-1",
                                      "filter.created_from.seconds=999999999999",
                                      "filter.created_to.nanos=-1"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        flow_refused(bed, "INVALID_REQUEST", "ListTrades", "%s", bad[i]);
}

// ---- As it happens --------------------------------------------------------------------------------------------------

static void watch(struct flow_bed *bed, const char *trade_no, int64_t after_version, struct flow_watch *watched) {
    Txcenter__Trade__V1__WatchTradeRequest *request = arena_alloc(&bed->arena, sizeof *request);
    txcenter__trade__v1__watch_trade_request__init(request);
    request->trade_no = (char *)(uintptr_t)trade_no;
    request->after_version = after_version;
    bed->ops->watch(bed, request, watched);
}

static bool is_over(struct flow_bed *bed, const void *ctx) {
    (void)bed;
    return ((const struct flow_watch *)ctx)->over;
}

static bool has_begun(struct flow_bed *bed, const void *ctx) {
    (void)bed;
    const struct flow_watch *watched = ctx;
    return watched->n > 0 || watched->over;
}

static void until_over(struct flow_bed *bed, const struct flow_watch *watched) {
    flow_until(bed, is_over, watched, "the watch must end");
}

// Rising versions, and states in the order of the trade's history.
static void assert_in_order(struct flow_bed *bed, const char *trade_no, const struct flow_watch *watched) {
    const trade_message *trade = flow_get(bed, trade_no);
    size_t at = 0;
    for (size_t i = 0; i < watched->n; i++) {
        assert_true(i == 0 || watched->versions[i] > watched->versions[i - 1]);
        while (at < trade->n_history && (int32_t)trade->history[at]->state != watched->states[i])
            at++;
        assert_true(at < trade->n_history);
    }
}

// A watcher sees the present state and then every change, in order, to the end.
static void test_a_watcher_sees_every_change_in_order(struct flow_bed *bed) {
    static const int32_t expected[] = {TRADE(QUOTED), TRADE(ORDERING), TRADE(ORDERED),
                                       TRADE(PAYING), TRADE(PAID),     TRADE(COMPLETED)};
    struct flow_trade trade = {0};
    struct flow_watch watched, beside;
    flow_quote(bed, &trade, FUEL_200, "");
    watch(bed, trade.no, 0, &watched);
    watch(bed, trade.no, 0, &beside);
    flow_until(bed, has_begun, &watched, "the present state must come");
    flow_until(bed, has_begun, &beside, "the present state must come");
    bed->ops->unwatch(&beside); // who leaves does not disturb the other
    flow_order(bed, &trade, "");
    flow_pay(bed, &trade);
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 0));
    until_over(bed, &watched);
    until_over(bed, &beside);
    assert_string_equal(watched.reason, "");
    assert_in_order(bed, trade.no, &watched);
    size_t at = 0;
    for (size_t i = 0; i < watched.n && at < 6; i++)
        at += watched.states[i] == expected[at];
    assert_int_equal(at, 6);
    assert_int_equal(flow_stat(bed, "trades.watching"), 0);
}

// Who has seen up to a version goes on behind it; who has seen the end is told so at once.
static void test_a_watch_goes_on_from_a_version(struct flow_bed *bed) {
    struct flow_trade trade;
    struct flow_watch first, second, third;
    flow_ordered(bed, &trade);
    watch(bed, trade.no, 0, &first);
    flow_until(bed, has_begun, &first, "the present state must come");
    int64_t seen = first.versions[0];
    bed->ops->unwatch(&first);
    flow_pay(bed, &trade);
    watch(bed, trade.no, seen, &second);
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 0));
    until_over(bed, &second);
    assert_true(second.n > 0);
    assert_true(second.versions[0] > seen);
    assert_int_equal(second.states[second.n - 1], TRADE(COMPLETED));
    assert_in_order(bed, trade.no, &second);
    flow_until_still(bed, &trade);
    watch(bed, trade.no, flow_get(bed, trade.no)->version, &third);
    until_over(bed, &third);
    assert_int_equal(third.n, 0);
    assert_string_equal(third.reason, "");
    until_over(bed, &first);
}

// A death ends the stream with a reason that says: again. From the last version nothing is missed and nothing repeated.
static void test_a_watch_goes_on_after_a_death(struct flow_bed *bed) {
    struct flow_trade trade;
    struct flow_watch before, after;
    flow_ordered(bed, &trade);
    watch(bed, trade.no, 0, &before);
    flow_until(bed, has_begun, &before, "the present state must come");
    flow_pay(bed, &trade);
    flow_crash_center(bed);
    until_over(bed, &before);
    assert_string_not_equal(before.reason, "");
    int64_t seen = before.versions[before.n - 1];
    watch(bed, trade.no, seen, &after);
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 0));
    until_over(bed, &after);
    assert_string_equal(after.reason, "");
    assert_true(after.versions[0] > seen);
    assert_int_equal(after.states[after.n - 1], TRADE(COMPLETED));
    assert_in_order(bed, trade.no, &after);
}

// A refund is watched to its end; so is a cancel.
static void test_a_watch_ends_with_the_trade(struct flow_bed *bed) {
    struct flow_trade trade, cancelled;
    struct flow_watch watched, other;
    flow_ordered(bed, &trade);
    flow_ordered_bare(bed, &cancelled);
    watch(bed, cancelled.no, 0, &other);
    flow_must(bed, "Cancel", "trade_no=%s", cancelled.no);
    until_over(bed, &other);
    assert_int_equal(other.states[other.n - 1], TRADE(CANCELLED));
    flow_pay(bed, &trade);
    flow_payer_pays(bed, flow_tender_no(bed, &trade, 1, 0));
    flow_until_state(bed, &trade, TRADE(COMPLETED));
    flow_must(bed, "Refund", "trade_no=%s amount=CNY100", trade.no);
    flow_until_still(bed, &trade);
    watch(bed, trade.no, 0, &watched); // something is left: it goes on
    flow_until(bed, has_begun, &watched, "the present state must come");
    assert_false(watched.over);
    flow_must(bed, "Refund", "trade_no=%s whole=true", trade.no);
    until_over(bed, &watched);
    assert_int_equal(watched.states[watched.n - 1], TRADE(REFUNDED));
}

static void test_a_watch_of_nothing_is_refused(struct flow_bed *bed) {
    struct flow_watch watched;
    watch(bed, "01M7YBK6QT3HKKBQ7APVMWGMYR", 0, &watched);
    until_over(bed, &watched);
    assert_string_equal(watched.reason, "TRADE_NOT_FOUND");
    watch(bed, "x", 0, &watched);
    until_over(bed, &watched);
    assert_string_equal(watched.reason, "INVALID_REQUEST");
    watch(bed, "01M7YBK6QT3HKKBQ7APVMWGMYR", -1, &watched);
    until_over(bed, &watched);
    assert_string_equal(watched.reason, "INVALID_REQUEST");
}

static void refused_watch(struct flow_bed *bed, const struct flow_trade *trade) {
    struct flow_watch watched = {0};
    watch(bed, trade->no, 0, &watched);
    until_over(bed, &watched);
    assert_string_equal(watched.reason, "OVERLOADED");
}

// So many may watch one trade, and so many all of them, and no more; who leaves makes room. They take nothing from
// those who pay.
static void test_watchers_have_a_bound(struct flow_bed *bed) {
    enum { OF_ONE = 64, OF_ALL = 100 };
    struct flow_watch *watched = calloc(OF_ALL + 1, sizeof *watched);
    struct flow_trade trades[2];
    assert_non_null(watched);
    flow_ordered(bed, &trades[0]);
    flow_ordered_bare(bed, &trades[1]);
    for (int i = 0; i < OF_ALL; i++) {
        watch(bed, trades[i >= OF_ONE].no, 0, &watched[i]);
        if (i == OF_ONE - 1)
            refused_watch(bed, &trades[0]);
    }
    refused_watch(bed, &trades[1]);
    bed->ops->unwatch(&watched[0]);
    until_over(bed, &watched[0]);
    watch(bed, trades[0].no, 0, &watched[OF_ALL]);
    flow_must(bed, "Cancel", "trade_no=%s", trades[0].no);
    flow_must(bed, "Cancel", "trade_no=%s", trades[1].no);
    for (int i = 1; i < OF_ALL + 1; i++) {
        until_over(bed, &watched[i]);
        assert_string_equal(watched[i].reason, "");
        assert_int_equal(watched[i].states[watched[i].n - 1], TRADE(CANCELLED));
    }
    free(watched);
}

static const struct flow_case cases[] = {
    CASE(test_either_number_finds_all_of_a_trade),
    CASE(test_the_ledger_adds_up_after_every_step),
    CASE(test_what_is_shown_is_the_same_after_a_death),
    CASE(test_what_is_not_there_is_not_found),
    CASE(test_pages_hold_every_trade_once),
    CASE(test_pages_stay_true_while_trades_are_made),
    CASE(test_a_filter_holds_in_all_its_parts),
    CASE(test_a_list_of_bad_form_is_refused),
    CASE(test_a_watcher_sees_every_change_in_order),
    CASE(test_a_watch_goes_on_from_a_version),
    CASE(test_a_watch_goes_on_after_a_death),
    CASE(test_a_watch_ends_with_the_trade),
    CASE(test_a_watch_of_nothing_is_refused),
    VIRTUAL(test_a_long_history_is_shown_whole),
    VIRTUAL(test_a_trade_is_read_as_of_one_moment),
    VIRTUAL(test_watchers_have_a_bound),
    CASE_WITH(test_a_trade_is_seen_by_callers_of_its_tenant, .callers = true),
};

CASES(read);
