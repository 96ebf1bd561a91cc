// Refund arithmetic: exact over any sequence of refunds, never more than what is left.
#include "flows/trade/allocation.h"
#include "tests/base/seeded.h"
#include "tests/flows/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { TENDERS_MAX = 5, LINES_MAX = 6, REFUNDS_MAX = 40, TRADES = 3000 };

// A paid trade with what its refunds have taken.
struct trade {
    struct allocation_tender tenders[TENDERS_MAX];
    struct allocation_line lines[LINES_MAX];
    struct allocation_paid paid;
    int64_t total, rest;
};

static void trade_init(struct trade *trade, const int64_t *tenders, size_t n_tenders, const int64_t *nets,
                       size_t n_lines) {
    static const char *const numbers[TENDERS_MAX] = {"t1", "t2", "t3", "t4", "t5"};
    *trade = (struct trade){
        .paid = {.tenders = trade->tenders, .n_tenders = n_tenders, .lines = trade->lines, .n_lines = n_lines}};
    for (size_t i = 0; i < n_tenders; i++) {
        trade->tenders[i] = (struct allocation_tender){.tender_no = str_c(numbers[i]), .amount = tenders[i]};
        trade->total += tenders[i];
    }
    for (size_t i = 0; i < n_lines; i++)
        trade->lines[i].net = nets[i];
    trade->rest = trade->total;
}

static struct allocation allocate(const struct trade *trade, const struct allocation_request *request) {
    struct allocation allocation;
    struct error error = {0};
    if (!allocation_make(&trade->paid, request, &arena, &allocation, &error))
        fail_msg("%s", error.text);
    return allocation;
}

static enum err refused(const struct trade *trade, const struct allocation_request *request, struct error *error) {
    struct allocation untouched = {.amount = -7}, allocation = untouched;
    *error = (struct error){0};
    assert_false(allocation_make(&trade->paid, request, &arena, &allocation, error));
    assert_int_equal(allocation.amount, -7);
    return error->code;
}

// Books an allocation, or gives it back when its refund has failed.
static void book(struct trade *trade, const struct allocation *allocation, int direction) {
    int64_t tenders = 0, lines = 0;
    for (size_t i = 0; i < trade->paid.n_tenders; i++) {
        assert_true(allocation->tenders[i] >= 0);
        tenders += allocation->tenders[i];
        trade->tenders[i].taken += direction * allocation->tenders[i];
        assert_in_range(trade->tenders[i].taken, 0, trade->tenders[i].amount);
    }
    for (size_t i = 0; i < trade->paid.n_lines; i++) {
        assert_true(allocation->lines[i] >= 0);
        lines += allocation->lines[i];
        trade->lines[i].taken += direction * allocation->lines[i];
        assert_in_range(trade->lines[i].taken, 0, trade->lines[i].net);
    }
    assert_true(tenders == allocation->amount && lines == allocation->amount);
    trade->rest -= direction * allocation->amount;
}

static struct allocation refund(struct trade *trade, struct allocation_request request) {
    struct allocation allocation = allocate(trade, &request);
    book(trade, &allocation, 1);
    return allocation;
}

// ---- Single refunds -----------------------------------------------------------------------------------------------

// [A43] an amount is allocated over what is left of each tender, and of each line, by largest remainder
static void test_an_amount_is_split_in_proportion_to_what_is_left(void **state) {
    (void)state;
    struct trade trade;
    trade_init(&trade, (int64_t[]){7000, 3000}, 2, (int64_t[]){9000, 1000}, 2);
    struct allocation first = refund(&trade, (struct allocation_request){ALLOCATION_AMOUNT, .amount = 1001});
    assert_int_equal(first.tenders[0], 701); // 700.7
    assert_int_equal(first.tenders[1], 300); // 300.3
    assert_int_equal(first.lines[0], 901);   // 900.9
    assert_int_equal(first.lines[1], 100);   // 100.1
    assert_false(first.final);
    struct allocation rest = refund(&trade, (struct allocation_request){.extent = ALLOCATION_WHOLE});
    assert_int_equal(rest.amount, 8999);
    assert_int_equal(rest.tenders[0], 6299);
    assert_int_equal(rest.tenders[1], 2700);
    assert_true(rest.final);
}

// [A44] the refund that takes what is left takes exactly the rest of every tender and line
static void test_the_last_refund_takes_exactly_the_rest(void **state) {
    (void)state;
    struct trade trade;
    trade_init(&trade, (int64_t[]){1, 1, 1}, 3, (int64_t[]){2, 1}, 2);
    for (int i = 0; i < 3; i++)
        assert_true(refund(&trade, (struct allocation_request){ALLOCATION_AMOUNT, .amount = 1}).final == (i == 2));
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(trade.tenders[i].taken, 1);
    assert_int_equal(trade.lines[0].taken, 2);
    assert_int_equal(trade.lines[1].taken, 1);
}

// [A40] one unit more than what is left is refused, and the whole of nothing too
static void test_more_than_the_rest_is_refused(void **state) {
    (void)state;
    struct trade trade;
    struct error error;
    trade_init(&trade, (int64_t[]){500}, 1, (int64_t[]){500}, 1);
    refund(&trade, (struct allocation_request){ALLOCATION_AMOUNT, .amount = 400});
    struct allocation_request request = {ALLOCATION_AMOUNT, .amount = 101};
    assert_int_equal(refused(&trade, &request, &error), ERR_REFUND_EXCEEDS_REST);
    assert_string_equal(error.text, "only 100 minor units are left to refund");
    request.amount = 0;
    assert_int_equal(refused(&trade, &request, &error), ERR_INVALID_REQUEST);
    request.amount = INT64_MAX;
    assert_int_equal(refused(&trade, &request, &error), ERR_REFUND_EXCEEDS_REST);
    request.amount = 100;
    assert_true(refund(&trade, request).final);
    request.extent = ALLOCATION_WHOLE;
    assert_int_equal(refused(&trade, &request, &error), ERR_REFUND_EXCEEDS_REST);
}

static void test_a_pending_refund_reserves_and_a_failed_one_frees(void **state) {
    (void)state;
    struct trade trade;
    struct error error;
    trade_init(&trade, (int64_t[]){600, 400}, 2, (int64_t[]){1000}, 1);
    struct allocation_request most = {ALLOCATION_AMOUNT, .amount = 700};
    struct allocation pending = refund(&trade, most);
    assert_int_equal(refused(&trade, &most, &error), ERR_REFUND_EXCEEDS_REST);
    book(&trade, &pending, -1);
    assert_int_equal(refund(&trade, most).amount, 700);
}

// [A43] lines give what is left of their net shares: the whole after an amount was refunded of them
static void test_a_line_refunds_what_is_left_of_its_net_share(void **state) {
    (void)state;
    struct trade trade;
    struct error error;
    trade_init(&trade, (int64_t[]){600, 400}, 2, (int64_t[]){700, 200, 100, 0}, 4);
    refund(&trade, (struct allocation_request){ALLOCATION_AMOUNT, .amount = 100});
    const size_t second[] = {1}, again[] = {0, 1}, twice[] = {2, 2}, none[] = {9}, nothing[] = {3},
                 others[] = {2, 0, 3};
    struct allocation_request request = {ALLOCATION_LINES, .indexes = second, .n_indexes = 1};
    struct allocation line = refund(&trade, request);
    assert_int_equal(line.amount, 180); // 200 less the 20 that the amount took
    assert_int_equal(line.lines[1], 180);
    assert_int_equal(line.tenders[0], 108);
    request = (struct allocation_request){ALLOCATION_LINES, .indexes = again, .n_indexes = 2};
    assert_int_equal(refused(&trade, &request, &error), ERR_REFUND_EXCEEDS_REST);
    assert_string_equal(error.text, "line 1 is refunded already");
    request.indexes = twice;
    assert_int_equal(refused(&trade, &request, &error), ERR_INVALID_REQUEST);
    assert_string_equal(error.fields[0].path, "lines.indexes[1]");
    request = (struct allocation_request){ALLOCATION_LINES, .indexes = none, .n_indexes = 1};
    assert_int_equal(refused(&trade, &request, &error), ERR_INVALID_REQUEST);
    request.indexes = nothing;
    assert_int_equal(refused(&trade, &request, &error), ERR_REFUND_EXCEEDS_REST);
    request.n_indexes = 0;
    assert_int_equal(refused(&trade, &request, &error), ERR_INVALID_REQUEST);
    assert_true(refund(&trade, (struct allocation_request){ALLOCATION_LINES, .indexes = others, .n_indexes = 3}).final);
}

static enum err split_refused(const struct trade *trade, int64_t amount, const struct allocation_split *split, size_t n,
                              struct error *error) {
    struct allocation_request request = {ALLOCATION_AMOUNT, .amount = amount, .split = split, .n_split = n};
    return refused(trade, &request, error);
}

static void test_an_instructed_split_is_followed_or_refused_precisely(void **state) {
    (void)state;
    struct trade trade;
    struct error error;
    trade_init(&trade, (int64_t[]){600, 400}, 2, (int64_t[]){500, 500}, 2);
    const struct allocation_split good[] = {{STR("t2"), 350}, {STR("t1"), 50}};
    const struct allocation_split twice[] = {{STR("t2"), 200}, {STR("t2"), 200}};
    const struct allocation_split unknown[] = {{STR("t9"), 400}};
    const struct allocation_split zero[] = {{STR("t1"), 400}, {STR("t2"), 0}};
    const struct allocation_split many[] = {{STR("t1"), 1}, {STR("t2"), 1}, {STR("t3"), 1}};
    struct allocation told =
        refund(&trade, (struct allocation_request){ALLOCATION_AMOUNT, .amount = 400, .split = good, .n_split = 2});
    assert_int_equal(told.tenders[0], 50);
    assert_int_equal(told.tenders[1], 350);
    assert_int_equal(split_refused(&trade, 400, good, 2, &error), ERR_REFUND_EXCEEDS_REST);
    assert_string_equal(error.text, "only 50 minor units are left of tender t2");
    assert_int_equal(split_refused(&trade, 401, &good[1], 1, &error), ERR_INVALID_REQUEST);
    assert_string_equal(error.fields[0].what, "adds up to 50, not to the refund's 401");
    assert_int_equal(split_refused(&trade, 400, twice, 2, &error), ERR_REFUND_EXCEEDS_REST);
    assert_int_equal(split_refused(&trade, 400, unknown, 1, &error), ERR_INVALID_REQUEST);
    assert_string_equal(error.fields[0].path, "split[0]");
    assert_int_equal(split_refused(&trade, 400, zero, 2, &error), ERR_INVALID_REQUEST);
    assert_int_equal(split_refused(&trade, 3, many, 3, &error), ERR_INVALID_REQUEST);
    trade_init(&trade, (int64_t[]){600, 400}, 2, (int64_t[]){500, 500}, 2);
    assert_int_equal(split_refused(&trade, 400, twice, 2, &error), ERR_INVALID_REQUEST);
    assert_string_equal(error.fields[0].what, "names a tender twice");
}

static void test_a_trade_that_cost_nothing_is_refunded_whole_with_nothing(void **state) {
    (void)state;
    struct trade trade;
    struct error error;
    trade_init(&trade, NULL, 0, (int64_t[]){0, 0}, 2);
    struct allocation whole = refund(&trade, (struct allocation_request){.extent = ALLOCATION_WHOLE});
    assert_true(whole.final && whole.amount == 0);
    struct allocation_request request = {ALLOCATION_AMOUNT, .amount = 1};
    assert_int_equal(refused(&trade, &request, &error), ERR_REFUND_EXCEEDS_REST);
}

// [A51] what does not add up, or is out of range, is refused
static void test_records_that_do_not_add_up_are_refused(void **state) {
    (void)state;
    struct trade good, trade;
    struct error error;
    const struct allocation_request whole = {.extent = ALLOCATION_WHOLE};
    trade_init(&good, (int64_t[]){600, 400}, 2, (int64_t[]){1000}, 1);
    int64_t *const fields[] = {&trade.tenders[0].amount, &trade.tenders[1].taken, &trade.lines[0].net,
                               &trade.lines[0].taken};
    const int64_t values[] = {-1, 5, 1001, MONEY_MAX, INT64_MAX, INT64_MIN};
    for (size_t f = 0; f < sizeof fields / sizeof fields[0]; f++) {
        for (size_t v = 0; v < sizeof values / sizeof values[0]; v++) {
            trade_init(&trade, (int64_t[]){600, 400}, 2, (int64_t[]){1000}, 1);
            *fields[f] = values[v];
            assert_int_equal(refused(&trade, &whole, &error), ERR_STORE_CORRUPT);
        }
    }
    good.paid.n_lines = ALLOCATION_PARTS_MAX + 1;
    assert_int_equal(refused(&good, &whole, &error), ERR_STORE_CORRUPT);
    good.paid.n_lines = 1;
    struct arena small;
    struct allocation allocation;
    arena_init(&small, 16);
    assert_false(allocation_make(&good.paid, &whole, &small, &allocation, &error));
    assert_int_equal(error.code, ERR_OVERLOADED);
    arena_release(&small);
}

// ---- Sequences ----------------------------------------------------------------------------------------------------

// Up to five tenders and six lines with the same sum, of any size; the largest amounts too.
static void some_trade(struct trade *trade, struct seeded *seeded) {
    int64_t tenders[TENDERS_MAX], weights[LINES_MAX], nets[LINES_MAX], total = 0;
    size_t n_tenders = 1 + seeded_below(seeded, TENDERS_MAX), n_lines = 1 + seeded_below(seeded, LINES_MAX);
    int64_t most = seeded_below(seeded, 4) ? 50 : MONEY_MAX / TENDERS_MAX;
    for (size_t i = 0; i < n_tenders; i++)
        total += tenders[i] = (int64_t)seeded_below(seeded, (uint64_t)most) + (i == 0);
    for (size_t i = 0; i < n_lines; i++)
        weights[i] = (int64_t)seeded_below(seeded, 100);
    assert_true(money_allocate(total, weights, n_lines, nets));
    trade_init(trade, tenders, n_tenders, nets, n_lines);
}

// An allowed request of a random kind.
static struct allocation_request some_request(const struct trade *trade, struct seeded *seeded, size_t *indexes,
                                              struct allocation_split *split) {
    struct allocation_request request = {ALLOCATION_AMOUNT,
                                         .amount = 1 + (int64_t)seeded_below(seeded, (uint64_t)trade->rest)};
    uint64_t kind = seeded_below(seeded, 8);
    if (kind == 0) {
        request.extent = ALLOCATION_WHOLE;
    } else if (kind < 3) {
        size_t line = seeded_below(seeded, trade->paid.n_lines);
        if (trade->lines[line].taken < trade->lines[line].net) {
            indexes[0] = line;
            request = (struct allocation_request){ALLOCATION_LINES, .indexes = indexes, .n_indexes = 1};
        }
    } else if (kind == 3) {
        int64_t left = request.amount;
        for (size_t i = 0; i < trade->paid.n_tenders && left > 0; i++) {
            int64_t rest = trade->tenders[i].amount - trade->tenders[i].taken;
            if (rest > 0)
                split[request.n_split++] =
                    (struct allocation_split){trade->tenders[i].tender_no, rest < left ? rest : left};
            left -= rest < left ? rest : left;
        }
        request.split = split;
    }
    return request;
}

// [A40] [A43] [A44] over any sequence of refunds, some of which fail: sums are exact, no tender and no line gives more
// than it has (book() looks), one unit above the rest is refused, and in the end everything is given back to the unit
static void test_any_sequence_of_refunds_is_exact(void **state) {
    (void)state;
    struct seeded seeded = {43};
    for (int n = 0; n < TRADES; n++) {
        struct trade trade;
        some_trade(&trade, &seeded);
        arena_reset(&arena);
        for (int r = 0; trade.rest > 0; r++) {
            size_t indexes[1];
            struct allocation_split split[TENDERS_MAX];
            struct error error;
            struct allocation_request above = {ALLOCATION_AMOUNT, .amount = trade.rest + 1};
            assert_int_equal(refused(&trade, &above, &error), ERR_REFUND_EXCEEDS_REST);
            struct allocation_request request = some_request(&trade, &seeded, indexes, split);
            if (r == REFUNDS_MAX)
                request = (struct allocation_request){.extent = ALLOCATION_WHOLE};
            struct allocation allocation = refund(&trade, request);
            assert_true(allocation.final == (trade.rest == 0));
            if (r < REFUNDS_MAX && seeded_below(&seeded, 5) == 0)
                book(&trade, &allocation, -1);
        }
        for (size_t i = 0; i < trade.paid.n_tenders; i++)
            assert_true(trade.tenders[i].taken == trade.tenders[i].amount);
        for (size_t i = 0; i < trade.paid.n_lines; i++)
            assert_true(trade.lines[i].taken == trade.lines[i].net);
    }
}

// ---- What is due of an amount -------------------------------------------------------------------------------------

// [A44] clawing back in parts takes the award exactly, never more and never ahead of what is refunded
static void test_an_award_is_clawed_back_in_proportion_and_exactly(void **state) {
    (void)state;
    struct seeded seeded = {44};
    for (int n = 0; n < TRADES; n++) {
        int64_t most = seeded_below(&seeded, 3) ? 1000 : MONEY_MAX;
        int64_t paid = 1 + (int64_t)seeded_below(&seeded, (uint64_t)most), refunded = 0;
        int64_t awarded = (int64_t)seeded_below(&seeded, (uint64_t)most), taken = 0, due;
        for (int r = 0; refunded < paid; r++) {
            refunded =
                r == REFUNDS_MAX ? paid : refunded + 1 + (int64_t)seeded_below(&seeded, (uint64_t)(paid - refunded));
            assert_true(allocation_due(awarded, refunded, paid, taken, &due));
            assert_true(due >= 0);
            taken += due;
            // awarded * refunded / paid, rounded down
            assert_true((__int128)taken * paid <= (__int128)awarded * refunded);
            assert_true((__int128)(taken + 1) * paid > (__int128)awarded * refunded);
        }
        assert_true(taken == awarded);
    }
}

static void test_shares_out_of_range_are_refused_and_never_below_zero(void **state) {
    (void)state;
    int64_t due = -7;
    assert_false(allocation_due(-1, 1, 2, 0, &due));
    assert_false(allocation_due(1, -1, 2, 0, &due));
    assert_false(allocation_due(1, 3, 2, 0, &due));
    assert_false(allocation_due(1, 1, MONEY_MAX + 1, 0, &due));
    assert_false(allocation_due(MONEY_MAX + 1, 1, 2, 0, &due));
    assert_false(allocation_due(1, 1, 2, -1, &due));
    assert_int_equal(due, -7);
    assert_true(allocation_due(10, 1, 2, 7, &due)); // an earlier refund failed after its claw-back
    assert_int_equal(due, 0);
    assert_true(allocation_due(300, 0, 0, 0, &due)); // a trade that cost nothing
    assert_int_equal(due, 300);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_amount_is_split_in_proportion_to_what_is_left),
        cmocka_unit_test(test_the_last_refund_takes_exactly_the_rest),
        cmocka_unit_test(test_more_than_the_rest_is_refused),
        cmocka_unit_test(test_a_pending_refund_reserves_and_a_failed_one_frees),
        cmocka_unit_test(test_a_line_refunds_what_is_left_of_its_net_share),
        cmocka_unit_test(test_an_instructed_split_is_followed_or_refused_precisely),
        cmocka_unit_test(test_a_trade_that_cost_nothing_is_refunded_whole_with_nothing),
        cmocka_unit_test(test_records_that_do_not_add_up_are_refused),
        cmocka_unit_test(test_any_sequence_of_refunds_is_exact),
        cmocka_unit_test(test_an_award_is_clawed_back_in_proportion_and_exactly),
        cmocka_unit_test(test_shares_out_of_range_are_refused_and_never_below_zero),
    };
    return cmocka_run_group_tests_name("flows.allocation", tests, arena_setup, arena_teardown);
}
