// The business of orders and settlement, the world of users and oils, and the dumps.
#include "sim/core.h"
#include "tests/cmocka.h"
#include "tests/participants/bed.h"

static struct bed_answer ask(struct bed *bed, const char *system, const char *method, const char *key,
                             const char *order_no, const char *fields) {
    return bed_ask(
        bed,
        &(struct bed_call){
            .system = system, .method = method, .key = key, .trade_no = "T1", .order_no = order_no, .fields = fields});
}

#define assert_answer(bed, expected, ...)                                                                              \
    do {                                                                                                               \
        struct bed_answer answer_ = ask((bed), __VA_ARGS__);                                                           \
        assert_verdict((bed), &answer_, (expected));                                                                   \
    } while (0)

#define LINES "lines[0].kind=fuel lines[0].code=92# lines[0].list_price=CNY1000 lines[0].discount=CNY100 "

static const char *order(struct bed *bed, const char *key) {
    struct bed_answer answer = ask(bed, "order", "CreateOrder", key, NULL,
                                   LINES "station_id=S001 user_id=U0001 payable=CNY900 list_price=CNY1000");
    assert_verdict(bed, &answer, "APPLIED");
    return fields_text(answer.message, "order_no");
}

static void test_an_orders_lines_add_up(void **state) {
    struct bed *bed = *state;
    assert_answer(bed, "REJECTED LINES_UNEQUAL", "order", "CreateOrder", "T1/a", NULL,
                  LINES "station_id=S001 payable=CNY901 list_price=CNY1000");
    assert_answer(bed, "REJECTED LINES_UNEQUAL", "order", "CreateOrder", "T1/b", NULL,
                  LINES "station_id=S001 payable=CNY900 list_price=CNY1001");
    assert_answer(bed, "REJECTED LINES_UNEQUAL", "order", "CreateOrder", "T1/e", NULL,
                  LINES "station_id=S001 payable=CNY900 list_price=USD1000");
    assert_string_not_equal(order(bed, "T1/c"), order(bed, "T1/d"));
}

static void test_an_order_is_paid_once_and_with_what_is_payable(void **state) {
    struct bed *bed = *state;
    const char *order_no = order(bed, "T1/a");
    assert_answer(bed, "REJECTED AMOUNT_MISMATCH", "order", "MarkPaid", "T1/b", order_no, "paid=CNY899");
    assert_answer(bed, "REJECTED AMOUNT_MISMATCH", "order", "MarkPaid", "T1/c", order_no, "paid=USD900");
    assert_answer(bed, "APPLIED", "order", "MarkPaid", "T1/d", order_no, "paid=CNY900");
    assert_answer(bed, "REJECTED ALREADY_PAID", "order", "MarkPaid", "T1/e", order_no, "paid=CNY900");
    assert_answer(bed, "REJECTED ORDER_PAID", "order", "CloseOrder", "T1/a", order_no, "");
    assert_answer(bed, "REJECTED NOT_FOUND", "order", "MarkPaid", "T1/f", "none", "paid=CNY900");
}

static void test_a_closed_order_can_not_be_paid(void **state) {
    struct bed *bed = *state;
    const char *order_no = order(bed, "T1/a");
    assert_answer(bed, "APPLIED", "order", "CloseOrder", "T1/a", order_no, "");
    assert_answer(bed, "REJECTED ORDER_CLOSED", "order", "MarkPaid", "T1/b", order_no, "paid=CNY900");
}

static void test_an_order_is_refunded_up_to_what_was_paid(void **state) {
    struct bed *bed = *state;
    const char *order_no = order(bed, "T1/a");
    assert_answer(bed, "REJECTED NOT_PAID", "order", "MarkRefunded", "T1/b", order_no, "refund_no=r amount=CNY1");
    ask(bed, "order", "MarkPaid", "T1/c", order_no, "paid=CNY900");
    assert_answer(bed, "APPLIED", "order", "MarkRefunded", "T1/d", order_no, "refund_no=r1 amount=CNY400");
    assert_answer(bed, "REJECTED EXCEEDS_REST", "order", "MarkRefunded", "T1/e", order_no,
                  "refund_no=r2 amount=CNY501");
    assert_answer(bed, "APPLIED", "order", "MarkRefunded", "T1/f", order_no, "refund_no=r3 amount=CNY500 full=true");
    assert_answer(bed, "REJECTED NOT_PAID", "order", "MarkRefunded", "T1/g", order_no, "refund_no=r4 amount=CNY0");
}

// ---- Settlement ------------------------------------------------------------------------------------------------

#define SHIFT "tenant_id=G1 station_id=S001 shift_id=SH1 business_date=2026-10-01 "

static void test_postings_add_up_to_zero_in_each_currency(void **state) {
    struct bed *bed = *state;
    assert_answer(bed, "REJECTED UNBALANCED", "settlement", "RecordTrade", "T1/a", NULL,
                  SHIFT "postings[0].account=sales postings[0].amount=CNY-900 postings[1].account=card "
                        "postings[1].amount=CNY899");
    assert_answer(bed, "REJECTED UNBALANCED", "settlement", "RecordTrade", "T1/b", NULL,
                  SHIFT "postings[0].account=sales postings[0].amount=CNY-900 postings[1].account=card "
                        "postings[1].amount=USD900");
}

static void test_no_more_is_reversed_than_was_recorded(void **state) {
    struct bed *bed = *state;
    ask(bed, "settlement", "RecordTrade", "T1/a", NULL,
        SHIFT "postings[0].account=sales postings[0].amount=CNY-900 postings[1].account=card "
              "postings[1].amount=CNY900");
    const char *fields = SHIFT "refund_no=r postings[0].account=sales postings[0].amount=CNY600 "
                               "postings[1].account=card postings[1].amount=CNY-600";
    assert_answer(bed, "APPLIED", "settlement", "ReverseTrade", "T1/b", NULL, fields);
    assert_answer(bed, "REJECTED EXCEEDS_RECORDED", "settlement", "ReverseTrade", "T1/c", NULL, fields);
    assert_answer(bed, "REJECTED EXCEEDS_RECORDED", "settlement", "ReverseTrade", "T1/d", NULL,
                  SHIFT "refund_no=r postings[0].account=sales postings[0].amount=CNY-1 postings[1].account=card "
                        "postings[1].amount=CNY1");
    assert_answer(bed, "APPLIED", "settlement", "ReverseTrade", "T1/e", NULL,
                  SHIFT "refund_no=r postings[0].account=sales postings[0].amount=CNY300 postings[1].account=card "
                        "postings[1].amount=CNY-300");
}

static void test_totals_never_leave_their_range(void **state) {
    struct bed *bed = *state;
    const char *most = "1000000000000000"; // MONEY_MAX
    const char *fields = bed_text(bed,
                                  SHIFT "postings[0].account=a postings[0].amount=CNY%s postings[1].account=b "
                                        "postings[1].amount=CNY-%s",
                                  most, most);
    bool refused = false;
    for (int i = 0; i < 6000 && !refused; i++) {
        struct bed_answer answer = ask(bed, "settlement", "RecordTrade", bed_text(bed, "T1/%d", i), NULL, fields);
        refused = strcmp(bed_verdict(bed, &answer), "REJECTED OUT_OF_RANGE") == 0;
    }
    assert_true(refused);
}

// ---- The world -------------------------------------------------------------------------------------------------

static void test_users_have_a_status(void **state) {
    struct bed *bed = *state;
    struct bed_answer answer = ask(bed, "user", "GetUser", NULL, NULL, "user_id=U0001");
    assert_int_equal(fields_number(answer.message, "user.status"), 1);
    assert_string_equal(fields_text(answer.message, "user.card_no"), "C0001");
    answer = ask(bed, "user", "GetUser", NULL, NULL, "user_id=U0003");
    assert_int_equal(fields_number(answer.message, "user.status"), 2);
    assert_answer(bed, "REJECTED NOT_FOUND", "user", "GetUser", NULL, NULL, "user_id=nobody");
    bed_control(bed, "SetUser", "user_id=U0001 name=Wang frozen=true");
    answer = ask(bed, "user", "GetUser", NULL, NULL, "user_id=U0001");
    assert_int_equal(fields_number(answer.message, "user.status"), 2);
}

static void test_an_oil_has_a_price_at_its_station_and_nozzle(void **state) {
    struct bed *bed = *state;
    struct bed_answer answer = ask(bed, "oil", "GetPrice", NULL, NULL, "station_id=S001 oil_code=92# nozzle=1");
    assert_int_equal(fields_number(answer.message, "unit_price.minor_units"), 768);
    assert_answer(bed, "REJECTED NOZZLE_MISMATCH", "oil", "GetPrice", NULL, NULL,
                  "station_id=S001 oil_code=95# nozzle=1");
    assert_answer(bed, "REJECTED NOT_SOLD", "oil", "GetPrice", NULL, NULL, "station_id=S001 oil_code=97#");
    bed_control(bed, "SetOilPrice", "station_id=S001 oil_code=92# name=92 unit_price=CNY800");
    answer = ask(bed, "oil", "GetPrice", NULL, NULL, "station_id=S001 oil_code=92#");
    assert_int_equal(fields_number(answer.message, "unit_price.minor_units"), 800);
}

static void test_a_pump_record_is_found_by_its_serial(void **state) {
    struct bed *bed = *state;
    bed_control(bed, "AddPumpRecord",
                "station_id=S001 nozzle=1 serial=77 oil_code=92# volume_centi=3000 unit_price=CNY768 amount=CNY23040");
    struct bed_answer answer = ask(bed, "oil", "GetPumpRecord", NULL, NULL, "station_id=S001 nozzle=1 serial=77");
    assert_int_equal(fields_number(answer.message, "amount.minor_units"), 23040);
    assert_answer(bed, "REJECTED NOT_FOUND", "oil", "GetPumpRecord", NULL, NULL, "station_id=S001 nozzle=1 serial=78");
}

static void test_a_pump_has_a_state_and_its_last_record(void **state) {
    struct bed *bed = *state;
    struct bed_answer answer = ask(bed, "oil", "GetPump", NULL, NULL, "station_id=S001 nozzle=1");
    assert_int_equal(fields_number(answer.message, "state"), 1);
    assert_string_equal(fields_text(answer.message, "oil_code"), "92#");
    assert_string_equal(fields_text(answer.message, "last_serial"), "");
    bed_control(bed, "AddPumpRecord",
                "station_id=S001 nozzle=1 serial=78 oil_code=92# volume_centi=3000 unit_price=CNY768 amount=CNY23040");
    bed_control(bed, "SetNozzle", "station_id=S001 nozzle=1 oil_code=95# state=2");
    bed_crash(bed);
    answer = ask(bed, "oil", "GetPump", NULL, NULL, "station_id=S001 nozzle=1");
    assert_int_equal(fields_number(answer.message, "state"), 2);
    assert_string_equal(fields_text(answer.message, "oil_code"), "95#");
    assert_string_equal(fields_text(answer.message, "last_serial"), "78");
    assert_answer(bed, "REJECTED NOT_FOUND", "oil", "GetPump", NULL, NULL, "station_id=S001 nozzle=9");
}

static void test_what_was_set_survives_kill_9_and_is_not_seeded_again(void **state) {
    struct bed *bed = *state;
    bed_control(bed, "SetUser", "user_id=U0001 name=Wang");
    bed_crash(bed);
    struct bed_answer answer = ask(bed, "user", "GetUser", NULL, NULL, "user_id=U0001");
    assert_string_equal(fields_text(answer.message, "user.name"), "Wang");
    assert_false(sim_seed(bed->sims.sim, 1, NULL, NULL));
}

// ---- Dumps -----------------------------------------------------------------------------------------------------

static void test_dumps_come_in_pages_and_by_trade(void **state) {
    struct bed *bed = *state;
    for (int i = 0; i < 25; i++)
        bed_must(bed, &(struct bed_call){.system = "push",
                                         .method = "Push",
                                         .key = bed_text(bed, "T%d/%02d", i % 5, i),
                                         .trade_no = bed_text(bed, "T%d", i % 5),
                                         .fields = "station_id=S001 event=PAID"});
    size_t n = 0;
    const char *token = "";
    do {
        struct bed_answer page =
            bed_control(bed, "DumpLedger", bed_text(bed, "system=push page_size=10 page_token=%s", token));
        for (size_t i = 0; i < fields_count(page.message, "entries"); i++)
            assert_int_equal(fields_number(page.message, bed_text(bed, "entries[%zu].seq", i)), ++n);
        token = fields_text(page.message, "next_page_token");
    } while (*token);
    assert_int_equal(n, 25);
    struct bed_answer of_trade = bed_control(bed, "DumpEffects", "system=push trade_no=T3");
    assert_int_equal(fields_count(of_trade.message, "effects"), 5);
    assert_string_equal(fields_text(of_trade.message, "effects[0].method"), "Push");
    assert_int_equal(fields_number(of_trade.message, "effects[0].state"), 1);
    of_trade = bed_control(bed, "DumpLedger", "system=push trade_no=T3");
    assert_int_equal(fields_count(of_trade.message, "entries"), 5);
}

static void test_malformed_requests_are_refused_precisely(void **state) {
    struct bed *bed = *state;
    char long_text[200];
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    const char *const bad[] = {
        "tender_no=t1 card_no=C0001 amount=XYZ100",
        "tender_no=t1 card_no=C0001 amount=CNY1000000000000001",
        "tender_no=t1 card_no=C0001 amount=CNY-5",
        "tender_no=t1 card_no=C0001",
        "card_no=C0001 amount=CNY5",
        bed_text(bed, "tender_no=%s card_no=C0001 amount=CNY5", long_text),
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct bed_answer answer = ask(bed, "card", "FreezeCard", "T1/a", NULL, bad[i]);
        assert_string_equal(answer.reason, "INVALID_REQUEST");
    }
    struct bed_answer answer =
        ask(bed, "card", "FreezeCard", long_text, NULL, "tender_no=t1 card_no=C0001 amount=CNY5");
    assert_string_equal(answer.reason, "INVALID_REQUEST");
    assert_answer(bed, "NEVER_SEEN", "card", "Inquire", "T1/a", NULL, "");
}

static void test_every_table_fits_every_store(void **state) {
    (void)state;
    struct error error = {0};
    assert_true(store_check_tables(sim_tables(), &error));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bed_set_up, bed_tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_an_orders_lines_add_up),
        TEST(test_an_order_is_paid_once_and_with_what_is_payable),
        TEST(test_a_closed_order_can_not_be_paid),
        TEST(test_an_order_is_refunded_up_to_what_was_paid),
        TEST(test_postings_add_up_to_zero_in_each_currency),
        TEST(test_no_more_is_reversed_than_was_recorded),
        TEST(test_totals_never_leave_their_range),
        TEST(test_users_have_a_status),
        TEST(test_an_oil_has_a_price_at_its_station_and_nozzle),
        TEST(test_a_pump_record_is_found_by_its_serial),
        TEST(test_a_pump_has_a_state_and_its_last_record),
        TEST(test_what_was_set_survives_kill_9_and_is_not_seeded_again),
        TEST(test_dumps_come_in_pages_and_by_trade),
        TEST(test_malformed_requests_are_refused_precisely),
        cmocka_unit_test(test_every_table_fits_every_store),
    };
    return cmocka_run_group_tests_name("orders, settlement, the world and the dumps", tests, NULL, NULL);
}
