// The business of what follows a payment: levels, marketing, invoices, notifications, gifts, the stations' own system,
// and the recharges of cards.
#include "tests/cmocka.h"
#include "tests/participants/bed.h"

// ---- Levels ----------------------------------------------------------------------------------------------------

static void assert_level(struct bed *bed, const char *user_id, const char *level_code, int64_t growth) {
    struct bed_answer answer = bed_ask_of(bed, "level", "GetLevel", NULL, bed_text(bed, "user_id=%s", user_id));
    assert_string_equal(fields_text(answer.message, "level.level_code"), level_code);
    assert_int_equal(fields_number(answer.message, "level.growth"), growth);
}

static void test_a_level_follows_from_growth_and_has_its_prices(void **state) {
    struct bed *bed = *state;
    assert_level(bed, "U0002", "BRONZE", 0);
    assert_level(bed, "nobody", "BRONZE", 0);
    struct bed_answer answer =
        bed_ask_of(bed, "level", "ReportGrowth", "T1/a", "user_id=U0002 station_id=S001 paid=CNY500099");
    assert_int_equal(fields_number(answer.message, "growth"), 5000);
    assert_string_equal(fields_text(answer.message, "level_code"), "GOLD");
    answer = bed_ask_of(bed, "level", "GetLevel", NULL, "user_id=U0002");
    assert_int_equal(fields_number(answer.message, "level.benefits[0].rule.per_unit.minor_units"), 15);
    bed_control(bed, "SetLevel", "level_code=IRON name=iron least=0");
    bed_control(bed, "SetGrowth", "user_id=U0002 growth=1000");
    assert_level(bed, "U0002", "SILVER", 1000);
}

static void test_growth_is_reversed_in_parts_exactly(void **state) {
    struct bed *bed = *state;
    bed_ask_of(bed, "level", "ReportGrowth", "T1/a", "user_id=U0002 station_id=S001 paid=CNY10050");
    for (int i = 0; i < 100; i++)
        assert_answer_of(bed, "APPLIED", "level", "ReverseGrowth", bed_text(bed, "T1/r%d", i),
                         bed_text(bed, "refund_no=r%d report_key=T1/a refunded=CNY99", i));
    assert_level(bed, "U0002", "BRONZE", 1);
    assert_answer_of(bed, "REJECTED EXCEEDS_REST", "level", "ReverseGrowth", "T1/b",
                     "refund_no=r report_key=T1/a refunded=CNY151");
    assert_answer_of(bed, "APPLIED", "level", "CancelGrowth", "T1/a", "");
    assert_level(bed, "U0002", "BRONZE", 0);
    assert_answer_of(bed, "REJECTED CANCELLED", "level", "ReverseGrowth", "T1/c",
                     "refund_no=r report_key=T1/a refunded=CNY1");
    assert_answer_of(bed, "REJECTED NOT_FOUND", "level", "ReverseGrowth", "T1/d",
                     "refund_no=r report_key=T1/x refunded=CNY1");
}

// ---- Marketing, notifications ----------------------------------------------------------------------------------

static void test_marketing_takes_back_no_more_than_was_recorded(void **state) {
    struct bed *bed = *state;
    bed_ask_of(bed, "marketing", "RecordTrade", "T1/a",
               "user_id=U0001 channel=wechat paid=CNY900 benefits[0].kind=coupon benefits[0].benefit_id=K1 "
               "benefits[0].discount=CNY100 benefits[1].kind=activity benefits[1].benefit_id=A1 "
               "benefits[1].discount=CNY50");
    assert_int_equal(bed_ledger(bed, "marketing", "T1/a", "benefit").amount, 150);
    assert_answer_of(bed, "APPLIED", "marketing", "ReverseTrade", "T1/b",
                     "refund_no=r record_key=T1/a refunded=CNY400");
    assert_answer_of(bed, "REJECTED EXCEEDS_REST", "marketing", "ReverseTrade", "T1/c",
                     "refund_no=r record_key=T1/a refunded=CNY501");
    assert_answer_of(bed, "APPLIED", "marketing", "CancelRecord", "T1/a", "");
    assert_int_equal(bed_ledger(bed, "marketing", "T1/a", "cancel").amount, 500);
}

static void test_a_notification_needs_a_user_and_a_template(void **state) {
    struct bed *bed = *state;
    struct bed_answer answer = bed_ask_of(bed, "notify", "Send", "T1/a", "user_id=U0001");
    assert_string_equal(answer.reason, "INVALID_REQUEST");
    assert_answer_of(bed, "APPLIED", "notify", "Send", "T1/a", "user_id=U0001 template_code=TRADE_PAID");
}

// ---- Invoices --------------------------------------------------------------------------------------------------

#define PAID_BY(tender, amount, paid)                                                                                  \
    "sources[0].tender_no=" tender " sources[0].amount=CNY" amount " sources[0].paid=CNY" paid " "
#define FUEL_FOR(amount) "lines[0].kind=fuel lines[0].code=92# lines[0].quantity=130 lines[0].amount=CNY" amount " "
#define GOODS_FOR(amount) "lines[0].kind=goods lines[0].code=W500 lines[0].quantity=1 lines[0].amount=CNY" amount " "

static void test_fuel_has_an_invoice_of_its_own_with_a_volume(void **state) {
    struct bed *bed = *state;
    assert_answer_of(bed, "REJECTED MIXED_KINDS", "invoice", "IssueInvoice", "T1/a",
                     FUEL_FOR("900") "lines[1].kind=goods lines[1].amount=CNY100 " PAID_BY("t1", "1000", "1000"));
    assert_answer_of(bed, "REJECTED VOLUME_MISSING", "invoice", "IssueInvoice", "T1/b",
                     "lines[0].kind=fuel lines[0].amount=CNY900 " PAID_BY("t1", "900", "900"));
    assert_answer_of(bed, "REJECTED UNBALANCED", "invoice", "IssueInvoice", "T1/c",
                     FUEL_FOR("900") PAID_BY("t1", "901", "901"));
    struct bed_answer first =
        bed_ask_of(bed, "invoice", "IssueInvoice", "T1/d", FUEL_FOR("900") PAID_BY("t1", "900", "1000"));
    struct bed_answer second =
        bed_ask_of(bed, "invoice", "IssueInvoice", "T1/e", GOODS_FOR("100") PAID_BY("t1", "100", "1000"));
    assert_verdict(bed, &first, "APPLIED");
    assert_verdict(bed, &second, "APPLIED");
    assert_string_not_equal(fields_text(first.message, "invoice_no"), fields_text(second.message, "invoice_no"));
}

static void test_the_same_money_is_never_invoiced_twice(void **state) {
    struct bed *bed = *state;
    bed_ask_of(bed, "invoice", "IssueInvoice", "T1/a", FUEL_FOR("900") PAID_BY("t1", "900", "1000"));
    assert_answer_of(bed, "REJECTED ALREADY_INVOICED", "invoice", "IssueInvoice", "T1/b",
                     GOODS_FOR("101") PAID_BY("t1", "101", "1000"));
    assert_answer_of(bed, "APPLIED", "invoice", "VoidInvoice", "T1/a", "");
    assert_answer_of(bed, "APPLIED", "invoice", "IssueInvoice", "T1/c",
                     GOODS_FOR("1000") PAID_BY("t1", "1000", "1000"));
}

static void test_money_on_a_card_is_invoiced_when_recharged_or_when_spent(void **state) {
    struct bed *bed = *state;
    const char *recharge = "lines[0].kind=recharge lines[0].quantity=1 lines[0].amount=CNY1000 " PAID_BY(
        "t1", "1000", "1000") "sources[0].card_no=C0001";
    const char *spending = FUEL_FOR("900") PAID_BY("t2", "900", "900") "sources[0].card_no=C0001";
    assert_answer_of(bed, "APPLIED", "invoice", "IssueInvoice", "T1/a", recharge);
    assert_answer_of(bed, "REJECTED ALREADY_INVOICED", "invoice", "IssueInvoice", "T1/b", spending);
    assert_answer_of(bed, "APPLIED", "invoice", "VoidInvoice", "T1/a", "");
    assert_answer_of(bed, "APPLIED", "invoice", "IssueInvoice", "T1/c", spending);
    assert_answer_of(bed, "REJECTED ALREADY_INVOICED", "invoice", "IssueInvoice", "T1/d", recharge);
}

static void test_a_red_invoice_takes_no_more_than_is_left(void **state) {
    struct bed *bed = *state;
    bed_ask_of(bed, "invoice", "IssueInvoice", "T1/a", FUEL_FOR("900") PAID_BY("t1", "900", "900"));
    const char *red = "refund_no=r1 invoice_key=T1/a " FUEL_FOR("600") PAID_BY("t1", "600", "0");
    assert_answer_of(bed, "APPLIED", "invoice", "IssueRedInvoice", "T1/b", red);
    assert_answer_of(bed, "REJECTED EXCEEDS_REST", "invoice", "IssueRedInvoice", "T1/c", red);
    assert_answer_of(bed, "REJECTED EXCEEDS_REST", "invoice", "IssueRedInvoice", "T1/d",
                     "refund_no=r1 invoice_key=T1/a " FUEL_FOR("300") PAID_BY("t2", "300", "0"));
    assert_answer_of(bed, "APPLIED", "invoice", "VoidInvoice", "T1/a", "");
    assert_int_equal(bed_ledger(bed, "invoice", "T1/a", "cancel").amount, 300);
    assert_answer_of(bed, "REJECTED CANCELLED", "invoice", "IssueRedInvoice", "T1/e", red);
    assert_answer_of(bed, "APPLIED", "invoice", "IssueInvoice", "T1/f", FUEL_FOR("900") PAID_BY("t1", "900", "900"));
}

#define COLA(pieces, amount)                                                                                           \
    "lines[0].kind=goods lines[0].code=COLA lines[0].quantity=" pieces " lines[0].amount=CNY" amount " "

static void test_a_red_invoice_takes_no_more_pieces_than_are_left(void **state) {
    struct bed *bed = *state;
    bed_ask_of(bed, "invoice", "IssueInvoice", "T1/a", COLA("3", "900") PAID_BY("t1", "900", "900"));
    assert_answer_of(bed, "REJECTED EXCEEDS_REST", "invoice", "IssueRedInvoice", "T1/b",
                     "refund_no=r1 invoice_key=T1/a " COLA("4", "600") PAID_BY("t1", "600", "0"));
    assert_answer_of(bed, "APPLIED", "invoice", "IssueRedInvoice", "T1/c",
                     "refund_no=r1 invoice_key=T1/a " COLA("2", "600") PAID_BY("t1", "600", "0"));
    assert_answer_of(bed, "REJECTED QUANTITY_MISMATCH", "invoice", "IssueRedInvoice", "T1/d",
                     "refund_no=r2 invoice_key=T1/a " COLA("0", "300") PAID_BY("t1", "300", "0"));
    assert_answer_of(bed, "APPLIED", "invoice", "IssueRedInvoice", "T1/e",
                     "refund_no=r2 invoice_key=T1/a " COLA("1", "300") PAID_BY("t1", "300", "0"));
}

// ---- Gifts and items -------------------------------------------------------------------------------------------

static void test_gifts_follow_rules_and_come_back_unless_used(void **state) {
    struct bed *bed = *state;
    struct bed_answer answer = bed_ask_of(bed, "activity", "EvaluateTrade", "T1/a", "user_id=U0001 paid=CNY19999");
    assert_int_equal(fields_count(answer.message, "gifts"), 0);
    bed_control(bed, "SetSpendRule", "rule_id=more name=umbrella least=CNY30000");
    answer = bed_ask_of(bed, "activity", "EvaluateTrade", "T1/b", "user_id=U0001 paid=CNY30000");
    assert_int_equal(fields_count(answer.message, "gifts"), 2);
    const char *used = fields_text(answer.message, "gifts[0].gift_id");
    bed_control(bed, "UseGift", bed_text(bed, "gift_id=%s", used));
    answer = bed_ask_of(bed, "activity", "CancelEvaluation", "T1/b", "");
    assert_verdict(bed, &answer, "APPLIED");
    assert_int_equal(fields_count(answer.message, "used_ids"), 1);
    assert_string_equal(fields_text(answer.message, "used_ids[0]"), used);
    assert_int_equal(bed_ledger(bed, "activity", "T1/b", "take_back").n, 1);
}

static void test_an_item_is_delivered_by_the_piece_and_withdrawn_unless_used(void **state) {
    struct bed *bed = *state;
    struct bed_answer answer = bed_ask_of(bed, "activity", "DeliverItem", "T1/a", "user_id=U0001 sku=WHEEL quantity=3");
    assert_int_equal(fields_count(answer.message, "items"), 3);
    const char *first = fields_text(answer.message, "items[0].gift_id");
    const char *second = fields_text(answer.message, "items[1].gift_id");
    assert_answer_of(bed, "APPLIED", "activity", "TakeBack", "T1/b",
                     bed_text(bed, "refund_no=r gift_ids[0]=%s", first));
    bed_control(bed, "UseGift", bed_text(bed, "gift_id=%s", second));
    answer = bed_ask_of(bed, "activity", "TakeBack", "T1/c", bed_text(bed, "refund_no=r gift_ids[0]=%s", second));
    assert_string_equal(fields_text(answer.message, "used_ids[0]"), second);
    assert_answer_of(bed, "REJECTED ALREADY_USED", "activity", "WithdrawItem", "T1/a", "");
    assert_answer_of(bed, "REJECTED NOT_FOUND", "activity", "TakeBack", "T1/d", "refund_no=r gift_ids[0]=none");
}

// ---- The stations' own system ----------------------------------------------------------------------------------

static void test_the_newest_state_of_an_order_stands(void **state) {
    struct bed *bed = *state;
    struct bed_answer answer =
        bed_ask_of(bed, "os", "SyncOrder", "T1/a", "station_id=S001 version=3 state=REFUNDED payable=CNY900");
    assert_int_equal(fields_number(answer.message, "superseded"), 0);
    answer = bed_ask_of(bed, "os", "SyncOrder", "T1/b", "station_id=S001 version=2 state=PAID payable=CNY900");
    assert_int_equal(fields_number(answer.message, "superseded"), 1);
    assert_int_equal(bed_ledger(bed, "os", "T1/b", NULL).n, 0);
}

static void test_an_offline_order_is_recorded_once(void **state) {
    struct bed *bed = *state;
    const char *sale = "station_id=S001 terminal_id=P1 serial=77 paid=CNY900";
    assert_answer_of(bed, "APPLIED", "os", "RecordOfflineOrder", "T1/a", sale);
    assert_answer_of(bed, "REJECTED ALREADY_RECORDED", "os", "RecordOfflineOrder", "T1/b", sale);
}

// ---- Cards -----------------------------------------------------------------------------------------------------

static int64_t of_card(struct bed *bed, const char *part) {
    struct bed_answer answer = bed_ask_of(bed, "card", "GetCard", NULL, "card_no=C0001");
    return fields_number(answer.message, bed_text(bed, "available.%s.minor_units", part));
}

static void spend(struct bed *bed, int amount) {
    bed_ask_of(bed, "card", "FreezeCard", "T1/f", bed_text(bed, "tender_no=t1 card_no=C0001 amount=CNY%d", amount));
    assert_answer_of(bed, "APPLIED", "card", "ConfirmCard", "T1/c", "tender_no=t1 freeze_key=T1/f");
}

static int64_t reversible(struct bed *bed) {
    struct bed_answer answer = bed_ask_of(bed, "card", "GetRecharge", NULL, "recharge_key=T1/a");
    return fields_number(answer.message, "reversible.minor_units");
}

static void recharge_empty_card(struct bed *bed) {
    bed_control(bed, "SetCard", "card_no=C0001 user_id=U0001 principal=CNY0");
    assert_answer_of(bed, "APPLIED", "card", "RechargeCard", "T1/a", "card_no=C0001 user_id=U0001 principal=CNY100000");
    assert_int_equal(of_card(bed, "principal"), 100000);
    assert_int_equal(of_card(bed, "bonus"), 10000);
}

static void test_a_reversed_recharge_gives_its_bonus_back_first(void **state) {
    struct bed *bed = *state;
    recharge_empty_card(bed);
    struct bed_answer answer =
        bed_ask_of(bed, "card", "ReverseRecharge", "T1/b", "refund_no=r1 recharge_key=T1/a amount=CNY30000");
    assert_int_equal(fields_number(answer.message, "reversed.bonus.minor_units"), 10000);
    assert_int_equal(of_card(bed, "principal"), 70000);
    assert_int_equal(of_card(bed, "bonus"), 0);
    assert_answer_of(bed, "REJECTED EXCEEDS_REST", "card", "ReverseRecharge", "T1/d",
                     "refund_no=r2 recharge_key=T1/a amount=CNY70001");
    assert_answer_of(bed, "APPLIED", "card", "CancelRecharge", "T1/a", "");
    assert_int_equal(of_card(bed, "principal"), 0);
    assert_answer_of(bed, "REJECTED CANCELLED", "card", "ReverseRecharge", "T1/e",
                     "refund_no=r2 recharge_key=T1/a amount=CNY1");
}

static void test_of_a_recharge_that_was_spent_only_the_rest_can_be_reversed(void **state) {
    struct bed *bed = *state;
    recharge_empty_card(bed);
    spend(bed, 22000); // 20000 of the principal, 2000 of the bonus
    assert_int_equal(of_card(bed, "principal"), 80000);
    assert_int_equal(reversible(bed), 78000);
    assert_answer_of(bed, "REJECTED ALREADY_SPENT", "card", "CancelRecharge", "T1/a", "");
    assert_answer_of(bed, "REJECTED EXCEEDS_REST", "card", "ReverseRecharge", "T1/d",
                     "refund_no=r1 recharge_key=T1/a amount=CNY78001");
    assert_answer_of(bed, "APPLIED", "card", "ReverseRecharge", "T1/e",
                     "refund_no=r2 recharge_key=T1/a amount=CNY78000");
    assert_int_equal(reversible(bed), 0);
    assert_int_equal(of_card(bed, "bonus"), 0);
}

static void test_a_confirm_may_take_less_than_was_frozen(void **state) {
    struct bed *bed = *state;
    bed_control(bed, "SetCard", "card_no=C0001 user_id=U0001 principal=CNY1000 bonus=CNY500");
    bed_ask_of(bed, "card", "FreezeCard", "T1/f", "tender_no=t1 card_no=C0001 amount=CNY900");
    assert_answer_of(bed, "REJECTED EXCEEDS_REST", "card", "ConfirmCard", "T1/b",
                     "tender_no=t1 freeze_key=T1/f amount=CNY901");
    struct bed_answer answer =
        bed_ask_of(bed, "card", "ConfirmCard", "T1/c", "tender_no=t1 freeze_key=T1/f amount=CNY300");
    assert_int_equal(fields_number(answer.message, "taken.principal.minor_units"), 200);
    assert_int_equal(fields_number(answer.message, "taken.bonus.minor_units"), 100);
    assert_int_equal(of_card(bed, "principal"), 800);
    assert_int_equal(of_card(bed, "bonus"), 400);
    assert_answer_of(bed, "APPLIED", "card", "CancelConfirm", "T1/c", "tender_no=t1");
    assert_int_equal(of_card(bed, "principal"), 1000);
    assert_int_equal(of_card(bed, "bonus"), 500);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bed_set_up, bed_tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_a_level_follows_from_growth_and_has_its_prices),
        TEST(test_growth_is_reversed_in_parts_exactly),
        TEST(test_marketing_takes_back_no_more_than_was_recorded),
        TEST(test_a_notification_needs_a_user_and_a_template),
        TEST(test_fuel_has_an_invoice_of_its_own_with_a_volume),
        TEST(test_the_same_money_is_never_invoiced_twice),
        TEST(test_money_on_a_card_is_invoiced_when_recharged_or_when_spent),
        TEST(test_a_red_invoice_takes_no_more_than_is_left),
        TEST(test_a_red_invoice_takes_no_more_pieces_than_are_left),
        TEST(test_gifts_follow_rules_and_come_back_unless_used),
        TEST(test_an_item_is_delivered_by_the_piece_and_withdrawn_unless_used),
        TEST(test_the_newest_state_of_an_order_stands),
        TEST(test_an_offline_order_is_recorded_once),
        TEST(test_a_reversed_recharge_gives_its_bonus_back_first),
        TEST(test_of_a_recharge_that_was_spent_only_the_rest_can_be_reversed),
        TEST(test_a_confirm_may_take_less_than_was_frozen),
    };
    return cmocka_run_group_tests_name("what follows a payment", tests, NULL, NULL);
}
