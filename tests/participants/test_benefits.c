// The business of cards, points and coupons.
#include "tests/cmocka.h"
#include "tests/participants/bed.h"

// ---- Cards -----------------------------------------------------------------------------------------------------

struct parts {
    int64_t principal, bonus;
};

static struct parts parts_in(const struct bed_answer *answer, struct bed *bed, const char *field) {
    return (struct parts){
        fields_number(answer->message, bed_text(bed, "%s.principal.minor_units", field)),
        fields_number(answer->message, bed_text(bed, "%s.bonus.minor_units", field)),
    };
}

static struct parts balance(struct bed *bed, const char *field) {
    struct bed_answer answer = bed_ask_of(bed, "card", "GetCard", NULL, "card_no=C0001");
    return parts_in(&answer, bed, field);
}

static void assert_parts(struct parts parts, int64_t principal, int64_t bonus) {
    assert_int_equal(parts.principal, principal);
    assert_int_equal(parts.bonus, bonus);
}

static struct bed_answer freeze(struct bed *bed, const char *tender_no, int amount) {
    return bed_ask_of(bed, "card", "FreezeCard", bed_text(bed, "T1/%s", tender_no),
                      bed_text(bed, "tender_no=%s card_no=C0001 user_id=U0001 amount=CNY%d", tender_no, amount));
}

static void test_a_freeze_takes_principal_and_bonus_in_proportion(void **state) {
    struct bed *bed = *state;
    bed_control(bed, "SetCard", "card_no=C0001 user_id=U0001 principal=CNY1000 bonus=CNY500");
    struct bed_answer answer = freeze(bed, "t1", 100);
    assert_parts(parts_in(&answer, bed, "frozen"), 67, 33);
    assert_parts(balance(bed, "available"), 933, 467);
    assert_parts(balance(bed, "frozen"), 67, 33);
}

static void test_refunds_restore_both_parts_exactly(void **state) {
    struct bed *bed = *state;
    bed_control(bed, "SetCard", "card_no=C0001 user_id=U0001 principal=CNY1000 bonus=CNY500");
    freeze(bed, "t1", 100);
    struct bed_answer confirmed = bed_ask_of(bed, "card", "ConfirmCard", "T1/c", "tender_no=t1 freeze_key=T1/t1");
    assert_parts(parts_in(&confirmed, bed, "taken"), 67, 33);
    for (int i = 0; i < 100; i++) // one by one, the hardest way to stay in proportion
        assert_answer_of(bed, "APPLIED", "card", "RefundCard", bed_text(bed, "T1/r%d", i),
                         bed_text(bed, "tender_no=t1 refund_no=r%d amount=CNY1", i));
    assert_parts(balance(bed, "available"), 1000, 500);
    assert_answer_of(bed, "REJECTED EXCEEDS_REST", "card", "RefundCard", "T1/r",
                     "tender_no=t1 refund_no=r amount=CNY1");
}

static void test_cancelling_a_confirm_gives_back_what_was_not_refunded(void **state) {
    struct bed *bed = *state;
    bed_control(bed, "SetCard", "card_no=C0001 user_id=U0001 principal=CNY1000 bonus=CNY500");
    freeze(bed, "t1", 100);
    bed_ask_of(bed, "card", "ConfirmCard", "T1/c", "tender_no=t1 freeze_key=T1/t1");
    bed_ask_of(bed, "card", "RefundCard", "T1/r", "tender_no=t1 refund_no=r amount=CNY10");
    assert_answer_of(bed, "APPLIED", "card", "CancelConfirm", "T1/c", "tender_no=t1");
    assert_parts(balance(bed, "available"), 1000, 500);
    assert_answer_of(bed, "APPLIED", "card", "ReleaseCard", "T1/t1", "tender_no=t1");
    assert_parts(balance(bed, "available"), 1000, 500);
}

static void test_a_release_gives_back_what_was_frozen_but_not_what_was_taken(void **state) {
    struct bed *bed = *state;
    freeze(bed, "t1", 5000);
    assert_answer_of(bed, "APPLIED", "card", "ReleaseCard", "T1/t1", "tender_no=t1");
    assert_parts(balance(bed, "available"), 100000, 20000);
    freeze(bed, "t2", 5000);
    bed_ask_of(bed, "card", "ConfirmCard", "T1/c", "tender_no=t2 freeze_key=T1/t2");
    assert_answer_of(bed, "REJECTED ALREADY_CONFIRMED", "card", "ReleaseCard", "T1/t2", "tender_no=t2");
    assert_answer_of(bed, "REJECTED CANCELLED", "card", "ConfirmCard", "T1/d", "tender_no=t1 freeze_key=T1/t1");
}

static void test_a_card_that_is_short_frozen_or_another_users_is_refused(void **state) {
    struct bed *bed = *state;
    struct bed_answer answer = freeze(bed, "t1", 120001);
    assert_verdict(bed, &answer, "REJECTED INSUFFICIENT_BALANCE");
    answer = freeze(bed, "t2", 120000);
    assert_verdict(bed, &answer, "APPLIED");
    assert_answer_of(bed, "REJECTED NOT_FOUND", "card", "FreezeCard", "T1/a",
                     "tender_no=t3 card_no=C0002 user_id=U0001 amount=CNY1");
    bed_control(bed, "SetCard", "card_no=C0009 user_id=U0001 principal=CNY1000 frozen=true");
    assert_answer_of(bed, "REJECTED CARD_FROZEN", "card", "FreezeCard", "T1/b",
                     "tender_no=t4 card_no=C0009 user_id=U0001 amount=CNY1");
    assert_answer_of(bed, "REJECTED CURRENCY_MISMATCH", "card", "FreezeCard", "T1/c",
                     "tender_no=t5 card_no=C0001 user_id=U0001 amount=USD1");
}

static void test_a_freeze_expires_and_the_money_is_back(void **state) {
    struct bed *bed = *state;
    bed_control(bed, "SetCard", "card_no=C0001 user_id=U0001 principal=CNY1000 freeze_ms=60000");
    freeze(bed, "t1", 1000);
    bed_run_for(bed, 30000);
    bed_crash(bed);
    bed_run_for(bed, 29000);
    assert_parts(balance(bed, "available"), 0, 0);
    bed_run_for(bed, 2000);
    assert_parts(balance(bed, "available"), 1000, 0);
    assert_answer_of(bed, "REJECTED FREEZE_EXPIRED", "card", "ConfirmCard", "T1/c", "tender_no=t1 freeze_key=T1/t1");
    assert_answer_of(bed, "APPLIED", "card", "ReleaseCard", "T1/t1", "tender_no=t1");
    assert_parts(balance(bed, "available"), 1000, 0);
}

static void test_two_freezes_at_once_never_take_more_than_there_is(void **state) {
    struct bed *bed = *state;
    bed_control(bed, "SetCard", "card_no=C0001 user_id=U0001 principal=CNY150");
    struct bed_answer answers[2];
    for (int i = 0; i < 2; i++)
        bed_send(
            bed,
            &(struct bed_call){.system = "card",
                               .method = "FreezeCard",
                               .key = bed_text(bed, "T%d/a", i),
                               .fields = bed_text(bed, "tender_no=t%d card_no=C0001 user_id=U0001 amount=CNY100", i)},
            &answers[i]);
    bed_wait(bed, &answers[0]);
    bed_wait(bed, &answers[1]);
    assert_verdict(bed, &answers[0], "APPLIED");
    assert_verdict(bed, &answers[1], "REJECTED INSUFFICIENT_BALANCE");
}

// ---- Points ----------------------------------------------------------------------------------------------------

static int64_t points(struct bed *bed) {
    struct bed_answer answer = bed_ask_of(bed, "points", "GetPoints", NULL, "user_id=U0001");
    return fields_number(answer.message, "available");
}

static void test_points_are_spent_in_whole_steps_and_never_beyond_the_balance(void **state) {
    struct bed *bed = *state;
    assert_answer_of(bed, "REJECTED NOT_WHOLE_STEPS", "points", "FreezePoints", "T1/a", "user_id=U0001 points=150");
    assert_answer_of(bed, "REJECTED INSUFFICIENT_POINTS", "points", "FreezePoints", "T1/b",
                     "user_id=U0001 points=5100");
    assert_answer_of(bed, "APPLIED", "points", "FreezePoints", "T1/c", "user_id=U0001 points=5000");
    assert_answer_of(bed, "REJECTED INSUFFICIENT_POINTS", "points", "DeductPoints", "T1/d", "user_id=U0001 points=100");
    assert_answer_of(bed, "REJECTED POINTS_MISMATCH", "points", "DeductPoints", "T1/e",
                     "freeze_key=T1/c user_id=U0001 points=5100");
    assert_answer_of(bed, "APPLIED", "points", "DeductPoints", "T1/f", "freeze_key=T1/c user_id=U0001 points=4900");
    assert_int_equal(points(bed), 100); // what was frozen and not taken
    assert_answer_of(bed, "REJECTED ALREADY_DEDUCTED", "points", "DeductPoints", "T1/g",
                     "freeze_key=T1/c user_id=U0001 points=100");
    assert_answer_of(bed, "REJECTED ALREADY_DEDUCTED", "points", "UnfreezePoints", "T1/c", "");
}

// With a key of a lock: what it locked and is not used is free again.
static void test_coupons_that_were_locked_and_are_not_used_are_free_again(void **state) {
    struct bed *bed = *state;
    assert_answer_of(bed, "APPLIED", "coupon", "LockCoupons", "T1/a",
                     "user_id=U0001 coupon_ids[0]=K0001-1 coupon_ids[1]=K0001-2");
    assert_answer_of(bed, "APPLIED", "coupon", "UseCoupons", "T1/b", "lock_key=T1/a coupon_ids[0]=K0001-1");
    assert_answer_of(bed, "APPLIED", "coupon", "LockCoupons", "T2/a", "user_id=U0001 coupon_ids[0]=K0001-2");
    assert_answer_of(bed, "REJECTED COUPON_UNAVAILABLE", "coupon", "LockCoupons", "T2/b",
                     "user_id=U0001 coupon_ids[0]=K0001-1");
}

static void test_points_that_were_unfrozen_can_not_be_taken(void **state) {
    struct bed *bed = *state;
    bed_ask_of(bed, "points", "FreezePoints", "T1/a", "user_id=U0001 points=500");
    assert_answer_of(bed, "APPLIED", "points", "UnfreezePoints", "T1/a", "");
    assert_int_equal(points(bed), 5000);
    assert_answer_of(bed, "REJECTED CANCELLED", "points", "DeductPoints", "T1/b",
                     "freeze_key=T1/a user_id=U0001 points=500");
}

static void test_no_more_points_are_given_back_than_the_trade_has_spent(void **state) {
    struct bed *bed = *state;
    assert_answer_of(bed, "REJECTED EXCEEDS_REST", "points", "GiveBackPoints", "T1/a",
                     "refund_no=r1 user_id=U0001 points=100");
    bed_ask_of(bed, "points", "DeductPoints", "T1/b", "user_id=U0001 points=300");
    assert_answer_of(bed, "APPLIED", "points", "GiveBackPoints", "T1/c", "refund_no=r1 user_id=U0001 points=200");
    assert_answer_of(bed, "REJECTED EXCEEDS_REST", "points", "GiveBackPoints", "T1/d",
                     "refund_no=r2 user_id=U0001 points=101");
    assert_answer_of(bed, "APPLIED", "points", "GiveBackPoints", "T1/e", "refund_no=r3 user_id=U0001 points=100");
    assert_int_equal(points(bed), 5000);
}

static void test_one_point_is_earned_for_each_whole_yuan(void **state) {
    struct bed *bed = *state;
    struct bed_answer answer =
        bed_ask_of(bed, "points", "AwardPoints", "T1/a", "user_id=U0001 station_id=S001 paid=CNY12399");
    assert_int_equal(fields_number(answer.message, "points"), 123);
    assert_int_equal(points(bed), 5123);
    answer = bed_ask_of(bed, "points", "AwardPoints", "T1/b", "user_id=U0001 station_id=S001 paid=JPY500");
    assert_int_equal(fields_number(answer.message, "points"), 500);
}

static void test_what_was_spent_meanwhile_is_a_shortfall_of_a_claw_back(void **state) {
    struct bed *bed = *state;
    bed_control(bed, "SetPoints", "user_id=U0001 available=0");
    bed_ask_of(bed, "points", "AwardPoints", "T1/a", "user_id=U0001 station_id=S001 paid=CNY30000");
    bed_ask_of(bed, "points", "DeductPoints", "T1/b", "user_id=U0001 points=200");
    struct bed_answer answer =
        bed_ask_of(bed, "points", "ClawBackPoints", "T1/c", "refund_no=r1 user_id=U0001 award_key=T1/a points=150");
    assert_int_equal(fields_number(answer.message, "points"), 100);
    assert_int_equal(fields_number(answer.message, "shortfall"), 50);
    assert_int_equal(points(bed), 0);
    answer = bed_ask_of(bed, "points", "CancelAward", "T1/a", "user_id=U0001");
    assert_int_equal(fields_number(answer.message, "points"), 0);
    assert_int_equal(fields_number(answer.message, "shortfall"), 150);
    assert_answer_of(bed, "REJECTED CANCELLED", "points", "ClawBackPoints", "T1/d",
                     "refund_no=r2 user_id=U0001 award_key=T1/a points=1");
}

static void test_no_more_is_clawed_back_than_was_awarded(void **state) {
    struct bed *bed = *state;
    bed_ask_of(bed, "points", "AwardPoints", "T1/a", "user_id=U0001 station_id=S001 paid=CNY10000");
    assert_answer_of(bed, "REJECTED EXCEEDS_REST", "points", "ClawBackPoints", "T1/b",
                     "refund_no=r1 user_id=U0001 award_key=T1/a points=101");
    assert_answer_of(bed, "REJECTED NOT_FOUND", "points", "ClawBackPoints", "T1/c",
                     "refund_no=r1 user_id=U0001 award_key=T1/none points=1");
}

// ---- Coupons ---------------------------------------------------------------------------------------------------

static size_t usable(struct bed *bed, const char *lines) {
    struct bed_answer answer =
        bed_ask_of(bed, "coupon", "ListUsableCoupons", NULL, bed_text(bed, "user_id=U0001 station_id=S001 %s", lines));
    return fields_count(answer.message, "coupons");
}

static void test_coupons_are_listed_by_scope_until_they_expire(void **state) {
    struct bed *bed = *state;
    assert_int_equal(usable(bed, "lines[0].kind=fuel lines[0].code=92#"), 4);
    assert_int_equal(usable(bed, "lines[0].kind=fuel lines[0].code=95#"), 5);
    assert_int_equal(usable(bed, "lines[0].kind=goods lines[0].code=water"), 1);
    bed_run_for(bed, INT64_C(15) * 86400000);
    assert_int_equal(usable(bed, "lines[0].kind=fuel lines[0].code=95#"), 3);
}

static void test_all_coupons_are_locked_or_none(void **state) {
    struct bed *bed = *state;
    assert_answer_of(bed, "APPLIED", "coupon", "LockCoupons", "T1/a", "user_id=U0001 coupon_ids[0]=K0001-2");
    assert_answer_of(bed, "REJECTED COUPON_UNAVAILABLE", "coupon", "LockCoupons", "T1/b",
                     "user_id=U0001 coupon_ids[0]=K0001-1 coupon_ids[1]=K0001-2 coupon_ids[2]=K0001-3");
    assert_int_equal(bed_ledger(bed, "coupon", "T1/b", NULL).n, 0);
    assert_answer_of(bed, "APPLIED", "coupon", "LockCoupons", "T1/c",
                     "user_id=U0001 coupon_ids[0]=K0001-1 coupon_ids[1]=K0001-3");
    assert_answer_of(bed, "APPLIED", "coupon", "UnlockCoupons", "T1/c", "");
    assert_answer_of(bed, "APPLIED", "coupon", "LockCoupons", "T1/d",
                     "user_id=U0001 coupon_ids[0]=K0001-1 coupon_ids[1]=K0001-3");
}

static void test_expired_foreign_and_unknown_coupons_can_not_be_locked(void **state) {
    struct bed *bed = *state;
    assert_answer_of(bed, "REJECTED COUPON_UNAVAILABLE", "coupon", "LockCoupons", "T1/a",
                     "user_id=U0001 coupon_ids[0]=K0001-6");
    assert_answer_of(bed, "REJECTED COUPON_UNAVAILABLE", "coupon", "LockCoupons", "T1/b",
                     "user_id=U0001 coupon_ids[0]=K0002-1");
    assert_answer_of(bed, "REJECTED COUPON_UNAVAILABLE", "coupon", "LockCoupons", "T1/c",
                     "user_id=U0001 coupon_ids[0]=none");
}

static void test_only_the_lock_that_holds_a_coupon_can_use_it(void **state) {
    struct bed *bed = *state;
    bed_ask_of(bed, "coupon", "LockCoupons", "T1/a", "user_id=U0001 coupon_ids[0]=K0001-1");
    assert_answer_of(bed, "REJECTED COUPON_UNAVAILABLE", "coupon", "UseCoupons", "T1/b", "coupon_ids[0]=K0001-1");
    assert_answer_of(bed, "REJECTED COUPON_UNAVAILABLE", "coupon", "UseCoupons", "T1/c",
                     "lock_key=T1/other coupon_ids[0]=K0001-1");
    assert_answer_of(bed, "APPLIED", "coupon", "UseCoupons", "T1/d", "lock_key=T1/a coupon_ids[0]=K0001-1");
    assert_answer_of(bed, "APPLIED", "coupon", "UnlockCoupons", "T1/a", "");
    assert_int_equal(usable(bed, "lines[0].kind=fuel lines[0].code=92#"), 3);
}

static void test_a_used_coupon_comes_back_unless_it_has_expired(void **state) {
    struct bed *bed = *state;
    bed_ask_of(bed, "coupon", "UseCoupons", "T1/a", "coupon_ids[0]=K0001-1 coupon_ids[1]=K0001-3");
    bed_run_for(bed, INT64_C(8) * 86400000); // the second one's time is over
    struct bed_answer answer = bed_ask_of(bed, "coupon", "GiveBackCoupons", "T1/b",
                                          "refund_no=r1 coupon_ids[0]=K0001-1 coupon_ids[1]=K0001-3");
    assert_verdict(bed, &answer, "APPLIED");
    assert_int_equal(fields_count(answer.message, "expired_ids"), 1);
    assert_string_equal(fields_text(answer.message, "expired_ids[0]"), "K0001-3");
    assert_answer_of(bed, "REJECTED NOT_USED", "coupon", "GiveBackCoupons", "T1/c",
                     "refund_no=r2 coupon_ids[0]=K0001-1");
    assert_answer_of(bed, "APPLIED", "coupon", "UseCoupons", "T1/d", "coupon_ids[0]=K0001-1");
}

static void test_coupons_are_issued_by_rule_and_withdrawn_unless_spent(void **state) {
    struct bed *bed = *state;
    struct bed_answer answer =
        bed_ask_of(bed, "coupon", "IssueCoupons", "T1/a", "user_id=U0001 station_id=S001 paid=CNY9999");
    assert_int_equal(fields_count(answer.message, "coupon_ids"), 0);
    bed_control(bed, "SetIssueRule", "rule_id=more least=CNY20000 valid_days=7 coupon.kind=1 coupon.amount_off=CNY700");
    answer = bed_ask_of(bed, "coupon", "IssueCoupons", "T1/b", "user_id=U0001 station_id=S001 paid=CNY20000");
    assert_int_equal(fields_count(answer.message, "coupon_ids"), 2);
    const char *spent = fields_text(answer.message, "coupon_ids[0]");
    assert_answer_of(bed, "APPLIED", "coupon", "UseCoupons", "T2/a", bed_text(bed, "coupon_ids[0]=%s", spent));
    answer = bed_ask_of(bed, "coupon", "WithdrawCoupons", "T1/b", "");
    assert_verdict(bed, &answer, "APPLIED");
    assert_int_equal(fields_count(answer.message, "spent_ids"), 1);
    assert_string_equal(fields_text(answer.message, "spent_ids[0]"), spent);
    assert_int_equal(usable(bed, "lines[0].kind=fuel lines[0].code=92#"), 4);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bed_set_up, bed_tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_a_freeze_takes_principal_and_bonus_in_proportion),
        TEST(test_refunds_restore_both_parts_exactly),
        TEST(test_cancelling_a_confirm_gives_back_what_was_not_refunded),
        TEST(test_a_release_gives_back_what_was_frozen_but_not_what_was_taken),
        TEST(test_a_card_that_is_short_frozen_or_another_users_is_refused),
        TEST(test_a_freeze_expires_and_the_money_is_back),
        TEST(test_two_freezes_at_once_never_take_more_than_there_is),
        TEST(test_points_are_spent_in_whole_steps_and_never_beyond_the_balance),
        TEST(test_coupons_that_were_locked_and_are_not_used_are_free_again),
        TEST(test_points_that_were_unfrozen_can_not_be_taken),
        TEST(test_no_more_points_are_given_back_than_the_trade_has_spent),
        TEST(test_one_point_is_earned_for_each_whole_yuan),
        TEST(test_what_was_spent_meanwhile_is_a_shortfall_of_a_claw_back),
        TEST(test_no_more_is_clawed_back_than_was_awarded),
        TEST(test_coupons_are_listed_by_scope_until_they_expire),
        TEST(test_all_coupons_are_locked_or_none),
        TEST(test_expired_foreign_and_unknown_coupons_can_not_be_locked),
        TEST(test_only_the_lock_that_holds_a_coupon_can_use_it),
        TEST(test_a_used_coupon_comes_back_unless_it_has_expired),
        TEST(test_coupons_are_issued_by_rule_and_withdrawn_unless_spent),
    };
    return cmocka_run_group_tests_name("cards, points and coupons", tests, NULL, NULL);
}
