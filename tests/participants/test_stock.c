// The business of what is counted: stock of goods, quota of activities; and what the discount engine lists.
#include "participant/sim/v1/sim.pb-c.h"
#include "tests/cmocka.h"
#include "tests/participants/bed.h"

#define WATER "station_id=S001 lines[0].sku=W500 lines[0].quantity="

static int64_t available(struct bed *bed) {
    struct bed_answer answer = bed_ask_of(bed, "goods", "GetGoods", NULL, "station_id=S001 skus[0]=W500");
    return fields_number(answer.message, "goods[0].available");
}

static void stock(struct bed *bed, int pieces) {
    bed_control(bed, "SetGoods",
                bed_text(bed, "station_id=S001 sku=W500 name=water kind=1 unit_price=CNY300 available=%d", pieces));
}

static void test_goods_have_a_price_and_what_is_free(void **state) {
    struct bed *bed = *state;
    struct bed_answer answer = bed_ask_of(bed, "goods", "GetGoods", NULL, "station_id=S001 skus[0]=WHEEL skus[1]=W500");
    assert_int_equal(fields_count(answer.message, "goods"), 2);
    assert_string_equal(fields_text(answer.message, "goods[0].sku"), "WHEEL");
    assert_int_equal(fields_number(answer.message, "goods[0].kind"), 2);
    assert_int_equal(fields_number(answer.message, "goods[1].unit_price.minor_units"), 300);
    assert_int_equal(fields_number(answer.message, "goods[1].available"), 10000);
    assert_answer_of(bed, "REJECTED NOT_SOLD", "goods", "GetGoods", NULL, "station_id=S001 skus[0]=W500 skus[1]=X");
}

static void test_stock_is_reserved_deducted_and_returned_and_never_below_zero(void **state) {
    struct bed *bed = *state;
    stock(bed, 10);
    assert_answer_of(bed, "APPLIED", "goods", "ReserveStock", "T1/a", WATER "7");
    assert_int_equal(available(bed), 3);
    assert_answer_of(bed, "REJECTED OUT_OF_STOCK", "goods", "ReserveStock", "T1/b", WATER "4");
    assert_answer_of(bed, "REJECTED OUT_OF_STOCK", "goods", "DeductStock", "T1/c", WATER "4");
    assert_answer_of(bed, "REJECTED STOCK_MISMATCH", "goods", "DeductStock", "T1/d", "reserve_key=T1/a " WATER "6");
    assert_answer_of(bed, "APPLIED", "goods", "DeductStock", "T1/e", "reserve_key=T1/a " WATER "7");
    assert_answer_of(bed, "REJECTED ALREADY_DEDUCTED", "goods", "DeductStock", "T1/f", "reserve_key=T1/a " WATER "7");
    assert_answer_of(bed, "REJECTED ALREADY_DEDUCTED", "goods", "ReleaseStock", "T1/a", "");
    assert_answer_of(bed, "REJECTED NOT_FOUND", "goods", "DeductStock", "T1/g", "reserve_key=T1/x " WATER "7");
    assert_int_equal(available(bed), 3);
    assert_answer_of(bed, "APPLIED", "goods", "ReturnStock", "T1/h", "refund_no=r1 " WATER "5");
    assert_answer_of(bed, "REJECTED EXCEEDS_REST", "goods", "ReturnStock", "T1/i", "refund_no=r2 " WATER "3");
    assert_answer_of(bed, "APPLIED", "goods", "ReturnStock", "T1/j", "refund_no=r3 " WATER "2");
    assert_int_equal(available(bed), 10);
}

static void test_all_goods_are_reserved_or_none(void **state) {
    struct bed *bed = *state;
    stock(bed, 10);
    assert_answer_of(bed, "REJECTED OUT_OF_STOCK", "goods", "ReserveStock", "T1/a",
                     WATER "1 lines[1].sku=OIL4L lines[1].quantity=21");
    assert_answer_of(bed, "REJECTED NOT_SOLD", "goods", "ReserveStock", "T1/b",
                     WATER "1 lines[1].sku=X lines[1].quantity=1");
    assert_int_equal(available(bed), 10);
    assert_answer_of(bed, "APPLIED", "goods", "ReserveStock", "T1/c",
                     WATER "1 lines[1].sku=OIL4L lines[1].quantity=20");
    assert_answer_of(bed, "APPLIED", "goods", "ReleaseStock", "T1/c", "");
    assert_answer_of(bed, "REJECTED CANCELLED", "goods", "DeductStock", "T1/d", "reserve_key=T1/c " WATER "1");
    assert_int_equal(available(bed), 10);
    struct bed_answer twice = bed_ask_of(bed, "goods", "ReserveStock", "T1/e", WATER "1 lines[1].sku=W500");
    assert_string_equal(twice.reason, "INVALID_REQUEST");
}

static void test_the_last_piece_is_sold_once_when_it_is_raced(void **state) {
    struct bed *bed = *state;
    stock(bed, 1);
    enum { RACERS = 8 };
    struct bed_answer answers[RACERS];
    size_t sold = 0;
    for (int i = 0; i < RACERS; i++)
        bed_send(bed,
                 &(struct bed_call){.system = "goods",
                                    .method = i % 2 ? "ReserveStock" : "DeductStock",
                                    .key = bed_text(bed, "T%d/a", i),
                                    .trade_no = bed_text(bed, "T%d", i),
                                    .fields = WATER "1"},
                 &answers[i]);
    for (int i = 0; i < RACERS; i++) {
        bed_wait(bed, &answers[i]);
        const char *verdict = bed_verdict(bed, &answers[i]);
        sold += strcmp(verdict, "APPLIED") == 0;
        assert_true(strcmp(verdict, "APPLIED") == 0 || strcmp(verdict, "REJECTED OUT_OF_STOCK") == 0);
    }
    assert_int_equal(sold, 1);
    assert_int_equal(available(bed), 0);
}

static void test_an_item_has_no_stock_to_run_out_of(void **state) {
    struct bed *bed = *state;
    assert_answer_of(bed, "APPLIED", "goods", "DeductStock", "T1/a",
                     "station_id=S001 lines[0].sku=WHEEL lines[0].quantity=100000");
}

static void test_stock_survives_kill_9(void **state) {
    struct bed *bed = *state;
    stock(bed, 10);
    bed_ask_of(bed, "goods", "ReserveStock", "T1/a", WATER "7");
    bed_ask_of(bed, "goods", "DeductStock", "T1/b", WATER "2");
    bed_crash(bed);
    assert_int_equal(available(bed), 1);
    assert_answer_of(bed, "APPLIED", "goods", "ReleaseStock", "T1/a", "");
    assert_answer_of(bed, "APPLIED", "goods", "ReturnStock", "T1/c", "refund_no=r1 " WATER "2");
    assert_int_equal(available(bed), 10);
}

// ---- Activities ------------------------------------------------------------------------------------------------

#define IN_APP "station_id=S001 channel=app "
#define FUEL IN_APP "lines[0].kind=fuel lines[0].code=92# lines[0].quantity=3000 lines[0].list_price=CNY23040 "

// The activity's place in the list, or -1.
static int place_of(const struct bed_answer *answer, struct bed *bed, const char *activity_id) {
    int n = (int)fields_count(answer->message, "activities");
    for (int i = 0; i < n; i++)
        if (strcmp(fields_text(answer->message, bed_text(bed, "activities[%d].activity_id", i)), activity_id) == 0)
            return i;
    return -1;
}

static struct bed_answer list(struct bed *bed, const char *fields) {
    return bed_ask_of(bed, "discount", "ListActivities", NULL, fields);
}

static int64_t left(struct bed *bed, const char *activity_id, const char *buyer) {
    struct bed_answer answer = list(bed, bed_text(bed, FUEL "%s", buyer));
    int place = place_of(&answer, bed, activity_id);
    return place < 0 ? -1 : fields_number(answer.message, bed_text(bed, "activities[%d].quota_left", place));
}

static void test_activities_come_with_rules_bearers_and_quota(void **state) {
    struct bed *bed = *state;
    struct bed_answer answer = list(bed, FUEL "buyer.user_id=U0001 buyer.plate_no=A00001");
    assert_int_equal(fields_count(answer.message, "activities"), 5);
    int each = place_of(&answer, bed, "fuel-8-each-200"), wechat = place_of(&answer, bed, "wechat-5-off-100");
    assert_true(each >= 0 && wechat >= 0);
#define OF(place, field) bed_text(bed, "activities[%d]." field, place)
    assert_int_equal(fields_number(answer.message, OF(each, "rule.amount_off.minor_units")), 800);
    assert_int_equal(fields_number(answer.message, OF(each, "rule.max_per_order")), 3);
    assert_string_equal(fields_text(answer.message, OF(each, "rule.bearers[1].bearer")), "station");
    assert_int_equal(fields_number(answer.message, OF(each, "rule.bearers[1].share_bp")), 4000);
    assert_string_equal(fields_text(answer.message, OF(wechat, "rule.tender_kinds[0]")), "WECHAT");
    assert_int_equal(fields_number(answer.message, OF(wechat, "quota_left")), 1);
    assert_int_equal(fields_number(answer.message, OF(wechat, "rule.minimum_base")), 2);
}

static void test_activities_are_listed_by_scope_place_level_and_time(void **state) {
    struct bed *bed = *state;
    struct bed_answer answer = list(bed, IN_APP "buyer.user_id=U0001 lines[0].kind=goods lines[0].code=W500");
    assert_int_equal(fields_count(answer.message, "activities"), 1); // by WeChat: what is bought does not matter
    int64_t now_s = bed_now(bed) / 1000;
    bed_control(bed, "SetActivity",
                bed_text(bed,
                         "activity.activity_id=soon activity.kind=1 activity.rule.kind=1 "
                         "activity.rule.amount_off=CNY100 station_ids[0]=S001 channels[0]=wechat level_codes[0]=GOLD "
                         "starts_at.seconds=%lld activity.ends_at.seconds=%lld",
                         (long long)now_s + 60, (long long)now_s + 120));
    const char *fits = FUEL "channel=wechat level_code=GOLD";
    answer = list(bed, fits);
    assert_int_equal(place_of(&answer, bed, "soon"), -1);
    bed_run_for(bed, 60000);
    answer = list(bed, fits);
    assert_true(place_of(&answer, bed, "soon") >= 0);
    answer = list(bed, FUEL "channel=merchant level_code=GOLD");
    assert_int_equal(place_of(&answer, bed, "soon"), -1);
    answer = list(bed, FUEL "channel=wechat level_code=SILVER");
    assert_int_equal(place_of(&answer, bed, "soon"), -1);
    bed_run_for(bed, 60000);
    answer = list(bed, fits);
    assert_int_equal(place_of(&answer, bed, "soon"), -1);
    assert_answer_of(bed, "REJECTED ACTIVITY_UNAVAILABLE", "discount", "LockQuota", "T1/a",
                     "lines[0].activity_id=soon lines[0].quantity=1");
}

// Whoever asks without the level, a number or a price is told that it may matter.
static void test_an_answer_that_depends_on_what_was_left_open_says_so(void **state) {
    static const char *const controls[] = {
        "activity.activity_id=open channels[0]=open activity.kind=1 activity.rule.kind=1 "
        "activity.rule.amount_off=CNY100 level_codes[0]=GOLD",
        "activity.activity_id=open channels[0]=open activity.kind=1 activity.rule.kind=1 "
        "activity.rule.amount_off=CNY100 activity.quota_unit=1 quota_each=1 quota_by=2",
        "activity.activity_id=open channels[0]=open activity.kind=2 activity.rule.kind=2 "
        "activity.rule.percent_off_bp=333 activity.rule.benefit_scope[0]=goods",
    };
    static const char *const known[] = {"level_code=SILVER", "buyer.plate_no=A1", "lines[0].list_price=CNY100"};
    static const size_t listed[] = {0, 1, 1};
    struct bed *bed = *state;
    for (size_t i = 0; i < 3; i++) {
        bed_control(bed, "SetActivity", controls[i]);
        const char *open = bed_text(bed, "channel=open lines[0].kind=goods lines[0].code=W500");
        struct bed_answer answer = list(bed, open);
        assert_int_equal(fields_count(answer.message, "activities"), 0);
        assert_int_equal(fields_number(answer.message, "incomplete"), 1);
        answer = list(bed, bed_text(bed, "%s %s", open, known[i]));
        assert_int_equal(fields_count(answer.message, "activities"), listed[i]);
        assert_int_equal(fields_number(answer.message, "incomplete"), 0);
    }
}

static void test_the_engine_may_answer_with_amounts(void **state) {
    struct bed *bed = *state;
    bed_control(bed, "SetActivity",
                "activity.activity_id=sum activity.kind=2 activity.rule.kind=2 activity.rule.percent_off_bp=333 "
                "activity.rule.benefit_scope[0]=goods");
    struct bed_answer answer =
        list(bed, FUEL "lines[1].kind=goods lines[1].code=W500 lines[1].list_price=CNY150 lines[1].quantity=1");
    int sum = place_of(&answer, bed, "sum");
    assert_true(sum >= 0);
    assert_int_equal(fields_count(answer.message, OF(sum, "computed")), 2);
    assert_int_equal(fields_number(answer.message, OF(sum, "computed[0].minor_units")), 0);
    assert_int_equal(fields_number(answer.message, OF(sum, "computed[1].minor_units")), 5); // 4.995
}

#define ONE_WECHAT "buyer.user_id=U0001 lines[0].activity_id=wechat-5-off-100 lines[0].quantity=1"

static void test_a_daily_quota_is_locked_used_and_given_back_to_its_day(void **state) {
    struct bed *bed = *state;
    const char *who = "buyer.user_id=U0001";
    assert_answer_of(bed, "APPLIED", "discount", "LockQuota", "T1/a", ONE_WECHAT);
    assert_int_equal(left(bed, "wechat-5-off-100", who), 0);
    assert_int_equal(left(bed, "wechat-5-off-100", "buyer.user_id=U0002"), 1);
    assert_answer_of(bed, "REJECTED QUOTA_EXHAUSTED", "discount", "UseQuota", "T1/b", ONE_WECHAT);
    assert_answer_of(bed, "APPLIED", "discount", "UseQuota", "T1/c", "lock_key=T1/a " ONE_WECHAT);
    assert_answer_of(bed, "REJECTED ALREADY_USED", "discount", "UnlockQuota", "T1/a", "");
    bed_run_for(bed, INT64_C(86400000));
    assert_int_equal(left(bed, "wechat-5-off-100", who), 1);
    assert_answer_of(bed, "APPLIED", "discount", "LockQuota", "T1/d", ONE_WECHAT);
    assert_answer_of(bed, "APPLIED", "discount", "GiveBackQuota", "T1/e",
                     "refund_no=r1 lines[0].activity_id=wechat-5-off-100 lines[0].quantity=1");
    assert_int_equal(left(bed, "wechat-5-off-100", who), 0); // yesterday's came back, not today's
    assert_answer_of(bed, "APPLIED", "discount", "UnlockQuota", "T1/d", "");
    assert_int_equal(left(bed, "wechat-5-off-100", who), 1);
}

static void test_a_daily_limit_is_never_passed_when_it_is_raced(void **state) {
    struct bed *bed = *state;
    enum { RACERS = 10 };
    struct bed_answer answers[RACERS];
    size_t locked = 0;
    for (int i = 0; i < RACERS; i++)
        bed_send(bed,
                 &(struct bed_call){.system = "discount",
                                    .method = "LockQuota",
                                    .key = bed_text(bed, "T%d/a", i),
                                    .trade_no = bed_text(bed, "T%d", i),
                                    .fields = "buyer.plate_no=A00001 lines[0].activity_id=plate-300-litres "
                                              "lines[0].quantity=7000"},
                 &answers[i]);
    for (int i = 0; i < RACERS; i++) {
        bed_wait(bed, &answers[i]);
        locked += strcmp(bed_verdict(bed, &answers[i]), "APPLIED") == 0;
    }
    assert_int_equal(locked, 4);
    assert_int_equal(left(bed, "plate-300-litres", "buyer.plate_no=A00001"), 2000);
}

static void test_what_was_locked_is_used_though_the_activity_has_ended(void **state) {
    struct bed *bed = *state;
    bed_control(bed, "SetActivity",
                bed_text(bed,
                         "activity.activity_id=short activity.kind=1 activity.rule.kind=1 "
                         "activity.rule.amount_off=CNY100 activity.quota_unit=1 quota=5 activity.ends_at.seconds=%lld",
                         (long long)bed_now(bed) / 1000 + 60));
    const char *one = "lines[0].activity_id=short lines[0].quantity=1";
    assert_answer_of(bed, "APPLIED", "discount", "LockQuota", "T1/a", one);
    bed_run_for(bed, 61000);
    assert_answer_of(bed, "REJECTED ACTIVITY_UNAVAILABLE", "discount", "UseQuota", "T1/b", one);
    assert_answer_of(bed, "APPLIED", "discount", "UseQuota", "T1/c", bed_text(bed, "lock_key=T1/a %s", one));
}

static void test_a_world_that_makes_no_sense_is_refused_precisely(void **state) {
    struct bed *bed = *state;
    static const struct {
        const char *method, *fields;
    } bad[] = {
        {"SetGoods", "station_id=S001 sku=W500 kind=1 unit_price=CNY-1"},
        {"SetGoods", "station_id=S001 sku=W500 kind=7 unit_price=CNY5"},
        {"SetGoods", "station_id=S001 sku=a,b kind=1 unit_price=CNY5"},
        {"SetGoods", "station_id=S001 sku=W500 kind=1 unit_price=CNY5 available=-1"},
        {"SetActivity", "activity.activity_id=x activity.kind=1"},
        {"SetActivity", "activity.activity_id=x activity.kind=1 activity.rule.kind=2"},
        {"SetActivity", "activity.activity_id=x activity.kind=1 activity.rule.kind=1 activity.rule.amount_off=CNY-5"},
        {"SetActivity", "activity.activity_id=x activity.kind=1 activity.rule.kind=1 activity.rule.amount_off=CNY5 "
                        "activity.rule.cap=USD5"},
        {"SetActivity", "activity.activity_id=x activity.kind=1 activity.rule.kind=1 activity.rule.amount_off=CNY5 "
                        "activity.rule.bearers[0].bearer=group activity.rule.bearers[0].share_bp=9999"},
        {"SetActivity", "activity.activity_id=x activity.kind=1 activity.rule.kind=1 activity.rule.amount_off=CNY5 "
                        "quota_each=-1"},
        {"SetLevel", "name=iron"},
        {"SetLevel", "level_code=IRON rule.kind=9"},
        {"SetGrowth", "user_id=U0001 growth=-1"},
        {"SetSpendRule", "rule_id=x"},
        {"UseGift", "gift_id=none"},
        {"SetNozzle", "station_id=S001 nozzle=1 oil_code=92# state=9"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct rpc_method method = {.service = &participant__sim__v1__sim_control_service__descriptor,
                                    .name = bad[i].method};
        struct bed_answer answer;
        bed_send_message(bed, &method, fields_make(rpc_method_request(&method), bad[i].fields, &bed->arena), &answer);
        bed_wait(bed, &answer);
        if (strcmp(answer.reason, "INVALID_REQUEST") != 0)
            fail_msg("%s %s: %s", bad[i].method, bad[i].fields, answer.reason);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bed_set_up, bed_tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_goods_have_a_price_and_what_is_free),
        TEST(test_stock_is_reserved_deducted_and_returned_and_never_below_zero),
        TEST(test_all_goods_are_reserved_or_none),
        TEST(test_the_last_piece_is_sold_once_when_it_is_raced),
        TEST(test_an_item_has_no_stock_to_run_out_of),
        TEST(test_stock_survives_kill_9),
        TEST(test_activities_come_with_rules_bearers_and_quota),
        TEST(test_activities_are_listed_by_scope_place_level_and_time),
        TEST(test_an_answer_that_depends_on_what_was_left_open_says_so),
        TEST(test_the_engine_may_answer_with_amounts),
        TEST(test_a_daily_quota_is_locked_used_and_given_back_to_its_day),
        TEST(test_a_daily_limit_is_never_passed_when_it_is_raced),
        TEST(test_what_was_locked_is_used_though_the_activity_has_ended),
        TEST(test_a_world_that_makes_no_sense_is_refused_precisely),
    };
    return cmocka_run_group_tests_name("goods and activities", tests, NULL, NULL);
}
