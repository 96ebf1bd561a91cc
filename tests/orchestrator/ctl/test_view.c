// What people see of trades, sagas and flows, compared with golden texts.
#include "orchestrator/ctl/flow_view.h"
#include "orchestrator/ctl/matter_view.h"
#include "orchestrator/ctl/operator_view.h"
#include "orchestrator/ctl/reading.h"
#include "orchestrator/ctl/saga_view.h"
#include "orchestrator/ctl/table.h"
#include "orchestrator/ctl/trade_view.h"
#include "orchestrator/ctl/words.h"
#include "tests/orchestrator/ctl/from_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

struct fixture {
    struct arena arena;
    struct view view;
};

static void start(struct fixture *f, bool colour) {
    const int64_t now_ms = INT64_C(1769860830000); // 2026-01-31T12:00:30Z
    arena_init(&f->arena, 16 << 20);
    view_init(&f->view, colour, 100, now_ms);
}

static void finish(struct fixture *f) {
    view_release(&f->view);
    arena_release(&f->arena);
}

static Txcenter__Trade__V1__Trade *sample_trade(struct fixture *f) {
    return (void *)from_sample(&txcenter__trade__v1__trade__descriptor, "trade.json", &f->arena);
}

static Txcenter__Saga__V1__Saga *sample_saga(struct fixture *f) {
    return (void *)from_sample(&txcenter__saga__v1__saga__descriptor, "saga.json", &f->arena);
}

static void test_a_trade_is_shown_with_lines_tenders_refunds_ledger_and_history(void **state) {
    (void)state;
    struct fixture f;
    start(&f, false);
    Txcenter__Trade__V1__GetTradeResponse response = TXCENTER__TRADE__V1__GET_TRADE_RESPONSE__INIT;
    response.trade = sample_trade(&f);
    trade_show_get(&f.view, &f.arena, &response.base);
    assert_golden("trade_get.txt", buf_str(&f.view.text));
    finish(&f);
}

static void test_a_quote_is_shown_with_its_combinations(void **state) {
    (void)state;
    struct fixture f;
    start(&f, false);
    Txcenter__Trade__V1__QuoteResponse response = TXCENTER__TRADE__V1__QUOTE_RESPONSE__INIT;
    Txcenter__Trade__V1__Trade *trade = sample_trade(&f);
    char *degraded[] = {(char[]){"coupon"}, (char[]){"points"}};
    response.trade_no = trade->trade_no;
    response.quote = trade->quote;
    response.quote->exact = false;
    response.quote->degraded_sources = degraded;
    response.quote->n_degraded_sources = 2;
    trade_show_quote(&f.view, &f.arena, &response.base);
    assert_golden("trade_quote.txt", buf_str(&f.view.text));
    finish(&f);
}

static void test_a_payment_that_goes_on_says_so_and_shows_what_the_front_end_needs(void **state) {
    (void)state;
    struct fixture f;
    start(&f, false);
    Txcenter__Trade__V1__PayResponse response = TXCENTER__TRADE__V1__PAY_RESPONSE__INIT;
    response.trade = sample_trade(&f);
    response.trade->state = TXCENTER__TRADE__V1__TRADE_STATE__TRADE_STATE_PAYING;
    response.attempt = response.trade->attempts[1];
    response.attempt->state = TXCENTER__TRADE__V1__ATTEMPT_STATE__ATTEMPT_STATE_OPEN;
    response.attempt->tenders[1]->state = TXCENTER__TRADE__V1__TENDER_STATE__TENDER_STATE_PENDING;
    response.processing = true;
    trade_show_pay(&f.view, &f.arena, &response.base);
    assert_golden("trade_pay.txt", buf_str(&f.view.text));
    finish(&f);
}

static void test_lists_say_how_to_get_the_next_page(void **state) {
    (void)state;
    struct fixture f;
    start(&f, false);
    Txcenter__Trade__V1__ListTradesResponse trades = TXCENTER__TRADE__V1__LIST_TRADES_RESPONSE__INIT;
    Txcenter__Trade__V1__Trade *list[] = {sample_trade(&f), sample_trade(&f)};
    list[1]->paid = list[1]->refunded = NULL;
    list[1]->state = 99; // of a newer server
    trades.trades = list;
    trades.n_trades = 2;
    trades.next_page_token = (char[]){"b3BhcXVl"};
    trade_show_list(&f.view, &f.arena, &trades.base);
    Txcenter__Saga__V1__ListSagasResponse sagas = TXCENTER__SAGA__V1__LIST_SAGAS_RESPONSE__INIT;
    Txcenter__Saga__V1__Saga *one[] = {sample_saga(&f)};
    sagas.sagas = one;
    sagas.n_sagas = 1;
    saga_show_list(&f.view, &f.arena, &sagas.base);
    sagas.n_sagas = 0;
    saga_show_list(&f.view, &f.arena, &sagas.base);
    assert_golden("lists.txt", buf_str(&f.view.text));
    finish(&f);
}

static void test_a_watcher_sees_one_line_for_each_state(void **state) {
    (void)state;
    struct fixture f;
    start(&f, false);
    Txcenter__Trade__V1__WatchTradeResponse change = TXCENTER__TRADE__V1__WATCH_TRADE_RESPONSE__INIT;
    change.trade = sample_trade(&f);
    trade_show_watch(&f.view, &f.arena, &change.base);
    change.trade->n_attempts = change.trade->n_refunds = 0;
    change.trade->payable = NULL;
    trade_show_watch(&f.view, &f.arena, &change.base);
    assert_golden("trade_watch.txt", buf_str(&f.view.text));
    finish(&f);
}

static void test_a_timeline_has_a_bar_for_each_step_and_each_failed_attempt(void **state) {
    (void)state;
    struct fixture f;
    start(&f, false);
    saga_show_timeline(&f.view, &f.arena, sample_saga(&f));
    assert_golden("saga_trace.txt", buf_str(&f.view.text));
    finish(&f);
}

static void test_a_saga_is_shown_with_its_steps_and_keys(void **state) {
    (void)state;
    struct fixture f;
    start(&f, false);
    Txcenter__Saga__V1__GetSagaResponse response = TXCENTER__SAGA__V1__GET_SAGA_RESPONSE__INIT;
    response.saga = sample_saga(&f);
    saga_show_get(&f.view, &f.arena, &response.base);
    assert_golden("saga_get.txt", buf_str(&f.view.text));
    finish(&f);
}

static void test_a_saga_that_stands_still_says_why(void **state) {
    (void)state;
    struct fixture f;
    start(&f, false);
    Txcenter__Saga__V1__RetryResponse response = TXCENTER__SAGA__V1__RETRY_RESPONSE__INIT;
    response.saga = sample_saga(&f);
    response.saga->parked = true;
    response.saga->paused = true;
    response.saga->steps[0]->held_by = (char[]){"card is down"};
    operator_show_saga(&f.view, &f.arena, &response.base);
    assert_non_null(strstr(f.view.text.ptr, " PAUSED"));
    assert_non_null(strstr(f.view.text.ptr, "held back"));
    assert_non_null(strstr(f.view.text.ptr, "card is down"));
    finish(&f);
}

static void test_participants_are_shown_with_what_waits_and_why(void **state) {
    (void)state;
    struct fixture f;
    start(&f, false);
    Txcenter__Saga__V1__ListParticipantsResponse *list =
        (void *)from_sample(&txcenter__saga__v1__list_participants_response__descriptor, "participants.json", &f.arena);
    operator_show_participants(&f.view, &f.arena, &list->base);
    Txcenter__Saga__V1__PauseParticipantResponse paused = TXCENTER__SAGA__V1__PAUSE_PARTICIPANT_RESPONSE__INIT;
    paused.participant = list->participants[2];
    operator_show_paused(&f.view, &f.arena, &paused.base);
    Txcenter__Saga__V1__ResumeParticipantResponse resumed = TXCENTER__SAGA__V1__RESUME_PARTICIPANT_RESPONSE__INIT;
    resumed.participant = list->participants[0];
    operator_show_resumed(&f.view, &f.arena, &resumed.base);
    assert_golden("participants.txt", buf_str(&f.view.text));
    finish(&f);
}

static void test_what_waits_for_operators_is_shown_with_what_became_of_it(void **state) {
    (void)state;
    struct fixture f;
    start(&f, false);
    Txcenter__Trade__V1__ListMattersResponse *matters =
        (void *)from_sample(&txcenter__trade__v1__list_matters_response__descriptor, "matters.json", &f.arena);
    matter_show_list(&f.view, &f.arena, &matters->base);
    Txcenter__Trade__V1__SettleMatterResponse settled = TXCENTER__TRADE__V1__SETTLE_MATTER_RESPONSE__INIT;
    settled.matter = matters->matters[2];
    matter_show_settled(&f.view, &f.arena, &settled.base);
    Txcenter__Trade__V1__ListStraysResponse *strays =
        (void *)from_sample(&txcenter__trade__v1__list_strays_response__descriptor, "strays.json", &f.arena);
    stray_show_list(&f.view, &f.arena, &strays->base);
    Txcenter__Trade__V1__SettleStrayResponse matched = TXCENTER__TRADE__V1__SETTLE_STRAY_RESPONSE__INIT;
    matched.stray = strays->strays[1];
    stray_show_settled(&f.view, &f.arena, &matched.base);
    assert_golden("matters.txt", buf_str(&f.view.text));
    finish(&f);
}

static void test_a_batch_and_the_audit_are_shown_row_by_row(void **state) {
    (void)state;
    struct fixture f;
    start(&f, false);
    Txcenter__Saga__V1__BatchResponse report = TXCENTER__SAGA__V1__BATCH_RESPONSE__INIT;
    Txcenter__Saga__V1__BatchRefusal refusal = TXCENTER__SAGA__V1__BATCH_REFUSAL__INIT, *refusals[] = {&refusal};
    report.matched = 100000;
    report.more = true;
    operator_show_batch(&f.view, &f.arena, &report.base);
    report.done = 7;
    report.done_before = 99992;
    report.refused = 1;
    refusal.gid = (char[]){"01KG9B2Y00170123456789ABCD/1"};
    refusal.reason = (char[]){"SAGA_STATE"};
    refusal.text = (char[]){"no step is parked"};
    report.refusals = refusals;
    report.n_refusals = 1;
    report.finished = true;
    operator_show_batch(&f.view, &f.arena, &report.base);
    operator_show_audit(&f.view, &f.arena,
                        from_sample(&txcenter__saga__v1__list_audit_response__descriptor, "audit.json", &f.arena));
    Txcenter__Saga__V1__ClearCacheResponse cleared = TXCENTER__SAGA__V1__CLEAR_CACHE_RESPONSE__INIT;
    cleared.instance = (char[]){"txcenter-0"};
    operator_show_cleared(&f.view, &f.arena, &cleared.base);
    assert_golden("operator.txt", buf_str(&f.view.text));
    finish(&f);
}

static void test_a_flow_is_drawn_with_its_watershed(void **state) {
    (void)state;
    struct fixture f;
    start(&f, false);
    flow_show_picture(&f.view, &f.arena,
                      (void *)from_sample(&txcenter__saga__v1__flow__descriptor, "flow.json", &f.arena));
    assert_golden("flow_graph.txt", buf_str(&f.view.text));
    finish(&f);
}

static void test_boxes_that_do_not_fit_go_on_below(void **state) {
    (void)state;
    struct fixture f;
    start(&f, false);
    f.view.width = 50;
    flow_show_picture(&f.view, &f.arena,
                      (void *)from_sample(&txcenter__saga__v1__flow__descriptor, "flow.json", &f.arena));
    assert_golden("flow_graph_narrow.txt", buf_str(&f.view.text));
    finish(&f);
}

static void test_empty_answers_are_shown_without_a_fault(void **state) {
    (void)state;
    struct fixture f;
    start(&f, true);
    Txcenter__Trade__V1__GetTradeResponse trade = TXCENTER__TRADE__V1__GET_TRADE_RESPONSE__INIT;
    Txcenter__Trade__V1__QuoteResponse quote = TXCENTER__TRADE__V1__QUOTE_RESPONSE__INIT;
    Txcenter__Saga__V1__GetSagaResponse saga = TXCENTER__SAGA__V1__GET_SAGA_RESPONSE__INIT;
    Txcenter__Saga__V1__GetFlowResponse flow = TXCENTER__SAGA__V1__GET_FLOW_RESPONSE__INIT;
    Txcenter__Trade__V1__Trade empty_trade = TXCENTER__TRADE__V1__TRADE__INIT;
    Txcenter__Saga__V1__Saga empty_saga = TXCENTER__SAGA__V1__SAGA__INIT;
    Txcenter__Saga__V1__ListParticipantsResponse participants = TXCENTER__SAGA__V1__LIST_PARTICIPANTS_RESPONSE__INIT;
    Txcenter__Saga__V1__PauseParticipantResponse paused = TXCENTER__SAGA__V1__PAUSE_PARTICIPANT_RESPONSE__INIT;
    Txcenter__Saga__V1__SkipResponse skipped = TXCENTER__SAGA__V1__SKIP_RESPONSE__INIT;
    Txcenter__Saga__V1__Participant empty_participant = TXCENTER__SAGA__V1__PARTICIPANT__INIT;
    Txcenter__Saga__V1__Flow empty_flow = TXCENTER__SAGA__V1__FLOW__INIT;
    for (int round = 0; round < 2; round++) {
        trade_show_get(&f.view, &f.arena, &trade.base);
        trade_show_quote(&f.view, &f.arena, &quote.base);
        saga_show_get(&f.view, &f.arena, &saga.base);
        flow_show_graph(&f.view, &f.arena, &flow.base);
        saga_show_timeline(&f.view, &f.arena, &empty_saga);
        operator_show_participants(&f.view, &f.arena, &participants.base);
        operator_show_paused(&f.view, &f.arena, &paused.base);
        operator_show_saga(&f.view, &f.arena, &skipped.base);
        paused.participant = &empty_participant;
        skipped.saga = &empty_saga;
        trade.trade = &empty_trade;
        saga.saga = &empty_saga;
        flow.flow = &empty_flow;
    }
    assert_false(f.view.text.failed);
    finish(&f);
}

// ---- Parts --------------------------------------------------------------------------------------------------------

static void test_states_are_coloured_only_where_colours_are_wanted(void **state) {
    (void)state;
    struct fixture f;
    start(&f, true);
    view_text(&f.view, words_paint("PAID"), STR("PAID"));
    view_text(&f.view, words_paint("nonsense"), STR(" x"));
    assert_string_equal(f.view.text.ptr, "\033[32mPAID\033[0m x");
    finish(&f);
    start(&f, false);
    view_text(&f.view, words_paint("PAID"), STR("PAID"));
    assert_string_equal(f.view.text.ptr, "PAID");
    finish(&f);
}

static const struct {
    const char *text, *escaped;
} escapes[] = {
    {"plain 加油", "plain 加油"},
    {"\033[31mred\033[0m", "\\u001b[31mred\\u001b[0m"},
    {"a\nb\tc\rd", "a\\nb\\tc\\u000dd"},
    {"\xc2\x9b"
     "31m",
     "\\u009b31m"},
    {"\x7f", "\\u007f"},
    {"\xff\xfe", "\xEF\xBF\xBD\xEF\xBF\xBD"},
    {"\xe2\x80\xae"
     "evil",
     "\\u202eevil"}, // right-to-left override
    {"\xe2\x80\xa8", "\\u2028"},
};

static void test_text_of_a_server_can_not_act_on_the_terminal(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof escapes / sizeof escapes[0]; i++) {
        struct buf out;
        buf_init(&out, 4096);
        view_escape(&out, str_c(escapes[i].text));
        assert_string_equal(out.ptr, escapes[i].escaped);
        buf_release(&out);
    }
    struct buf out;
    buf_init(&out, 4096);
    view_escape(&out, STR("a\0b"));
    assert_string_equal(out.ptr, "a\\u0000b");
    buf_release(&out);
}

static void test_columns_are_aligned_also_with_wide_characters(void **state) {
    (void)state;
    static const struct table_column columns[] = {
        {"name", false}, {"sum", true}, {"empty", false}, {"last", false}, {NULL, false}};
    struct fixture f;
    start(&f, false);
    struct table table;
    table_init(&table, &f.arena, columns);
    static const char *const cells[] = {"加油站", "1.00", "", "x", "ab", "100.00", "", ""};
    for (size_t i = 0; i < 8; i++)
        table_add(&table, PAINT_PLAIN, str_c(cells[i]));
    table_print(&table, &f.view, 2);
    assert_string_equal(f.view.text.ptr, "  name       sum  last\n"
                                         "  加油站    1.00  x\n"
                                         "  ab      100.00\n");
    finish(&f);
}

static void test_a_table_is_bounded_and_says_that_it_was_cut(void **state) {
    (void)state;
    static const struct table_column columns[] = {{"n", true}, {NULL, false}};
    struct fixture f;
    start(&f, false);
    struct table table;
    table_init(&table, &f.arena, columns);
    for (int i = 0; i < 100000; i++)
        table_addf(&table, PAINT_PLAIN, "%d", i);
    assert_true(table.n_cells <= 2 * TABLE_ROWS_MAX);
    table_print(&table, &f.view, 0);
    assert_string_equal(f.view.text.ptr + f.view.text.len - strlen("…\n"), "…\n");
    finish(&f);
}

static const struct {
    int64_t ms;
    const char *text;
} spans[] = {{0, "0 ms"},
             {999, "999 ms"},
             {1000, "1.000 s"},
             {59999, "59.999 s"},
             {60000, "1 min 00 s"},
             {3599999, "59 min 59 s"},
             {3600000, "1 h 00 min"},
             {86400000, "1 d 00 h"},
             {-1500, "-1.500 s"},
             {INT64_MIN, "-106751991167 d 07 h"}};

static void test_spans_and_times_are_short_and_exact(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof spans / sizeof spans[0]; i++) {
        char text[VIEW_SPAN_MAX];
        view_span(spans[i].ms, text);
        assert_string_equal(text, spans[i].text);
    }
    char time[VIEW_TIME_MAX];
    view_time(INT64_C(1769860830123), time);
    assert_string_equal(time, "2026-01-31 20:00:30.123+08:00");
    view_time(0, time);
    assert_string_equal(time, "-");
    view_time(INT64_MAX, time);
    assert_string_equal(time, "-");
}

static void test_amounts_are_shown_in_their_currency(void **state) {
    (void)state;
    char text[READING_MONEY_MAX];
    Txcenter__Type__V1__Money money = TXCENTER__TYPE__V1__MONEY__INIT;
    money.currency = (char[]){"KWD"};
    money.minor_units = -1234567;
    reading_money(&money, text);
    assert_string_equal(text, "-1234.567 KWD");
    money.currency = (char[]){"a currency that nobody has"};
    money.minor_units = INT64_MIN;
    reading_money(&money, text);
    assert_string_equal(text, "-9223372036854775808 minor a curren");
    reading_money(NULL, text);
    assert_string_equal(text, "");
    char volume[READING_VOLUME_MAX];
    reading_volume(3005, volume);
    assert_string_equal(volume, "30.05");
}

static int china_time(void **state) {
    (void)state;
    return setenv("TZ", "CST-8", 1); // NOLINT(concurrency-mt-unsafe): there is one thread
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_trade_is_shown_with_lines_tenders_refunds_ledger_and_history),
        cmocka_unit_test(test_a_quote_is_shown_with_its_combinations),
        cmocka_unit_test(test_a_payment_that_goes_on_says_so_and_shows_what_the_front_end_needs),
        cmocka_unit_test(test_lists_say_how_to_get_the_next_page),
        cmocka_unit_test(test_a_watcher_sees_one_line_for_each_state),
        cmocka_unit_test(test_a_timeline_has_a_bar_for_each_step_and_each_failed_attempt),
        cmocka_unit_test(test_a_saga_is_shown_with_its_steps_and_keys),
        cmocka_unit_test(test_a_saga_that_stands_still_says_why),
        cmocka_unit_test(test_participants_are_shown_with_what_waits_and_why),
        cmocka_unit_test(test_what_waits_for_operators_is_shown_with_what_became_of_it),
        cmocka_unit_test(test_a_batch_and_the_audit_are_shown_row_by_row),
        cmocka_unit_test(test_a_flow_is_drawn_with_its_watershed),
        cmocka_unit_test(test_boxes_that_do_not_fit_go_on_below),
        cmocka_unit_test(test_empty_answers_are_shown_without_a_fault),
        cmocka_unit_test(test_states_are_coloured_only_where_colours_are_wanted),
        cmocka_unit_test(test_text_of_a_server_can_not_act_on_the_terminal),
        cmocka_unit_test(test_columns_are_aligned_also_with_wide_characters),
        cmocka_unit_test(test_a_table_is_bounded_and_says_that_it_was_cut),
        cmocka_unit_test(test_spans_and_times_are_short_and_exact),
        cmocka_unit_test(test_amounts_are_shown_in_their_currency),
    };
    return cmocka_run_group_tests(tests, china_time, NULL);
}
