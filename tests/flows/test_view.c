// What callers see of a trade: all of it, or, where there is no room for that, nothing.
#include "flows/trade/internal.h"
#include "flows/trade/parts.h"
#include "flows/trade/view.h"
#include "tests/cmocka.h"

#include <stdio.h>
#include <stdlib.h>

enum { ATTEMPTS = 3, TENDERS = 2, STEP = 16, ENOUGH = 1 << 20 };

static struct trades trades;

static void add_attempt(struct trade *trade, int32_t attempt_no) {
    struct pay_attempt_row attempt = {.attempt_no = attempt_no,
                                      .state = attempt_no == ATTEMPTS ? ATTEMPT_PAID : ATTEMPT_FAILED,
                                      .rounding_off = 1,
                                      .recalled = attempt_no == 1};
    trade_add(trade, PART_ATTEMPT, &attempt);
    for (int32_t i = 0; i < TENDERS; i++) {
        struct tender_row tender = {.attempt_no = attempt_no,
                                    .tender = i,
                                    .kind = i ? (int32_t)TENDER_KIND(WECHAT) : (int32_t)TENDER_KIND(CARD),
                                    .amount = 100,
                                    .paid_ms = 1000,
                                    .prepay_parameters = trade_keep(trade, STR("for the app"))};
        snprintf(tender.tender_no, sizeof tender.tender_no, "%s-%d-%d", trade->row.trade_no, attempt_no, i);
        trade_add(trade, PART_TENDER, &tender);
    }
}

static void add_refund(struct trade *trade, const char *refund_no, int32_t kind) {
    struct refund_row refund = {.kind = kind, .amount = 10, .legs = 1, .created_ms = 1000, .stopped = 1};
    struct refund_leg_row leg = {.attempt_no = ATTEMPTS, .amount = 10};
    str_copy(str_c(refund_no), refund.refund_no, sizeof refund.refund_no);
    str_copy(str_c(refund_no), leg.refund_no, sizeof leg.refund_no);
    trade_add(trade, PART_REFUND, &refund);
    trade_add(trade, PART_REFUND_LEG, &leg);
}

static void add_quote(struct trade *trade) {
    Txcenter__Trade__V1__Quote quote = TXCENTER__TRADE__V1__QUOTE__INIT;
    Txcenter__Trade__V1__Combination combination = TXCENTER__TRADE__V1__COMBINATION__INIT,
                                     *combinations[] = {&combination};
    struct quote_row row = {.version = 1};
    uint8_t bytes[256];
    combination.combination_id = view_text("1");
    quote.combinations = combinations;
    quote.n_combinations = 1;
    quote.version = 1;
    row.quote = trade_keep(trade, str_n(bytes, txcenter__trade__v1__quote__pack(&quote, bytes)));
    trade_add(trade, PART_QUOTE, &row);
}

// One with everything that can be seen of a trade.
static struct trade *a_trade(void) {
    struct trade *trade = trade_blank(&trades, "01M7YBK6QT3HKKBQ7APVMWGMYR");
    struct trade_row *row = &trade->row;
    row->quote_version = row->ordered_version = row->purchase_no = 1;
    row->attempt_no = ATTEMPTS;
    row->paid = row->authorised = 200;
    row->adjust = ADJUST_DONE;
    row->stopped = STOPPED_RECALLED;
    row->created_ms = row->paid_ms = 1000;
    str_copy(STR("1"), row->combination_id, sizeof row->combination_id);
    str_copy(STR("CNY"), row->currency, sizeof row->currency);
    trade_set_state(trade, TRADE_STATE(CREATED), 1000);
    trade_set_state(trade, TRADE_STATE(QUOTED), 1001);
    row->after[AFTER_AWARD].state = AFTER_APPLIED;
    add_quote(trade);
    for (int32_t no = 1; no <= ATTEMPTS; no++)
        add_attempt(trade, no);
    add_refund(trade, "R1", REFUND_OF_TRADE);
    add_refund(trade, "unused", REFUND_UNUSED);
    struct ledger_row posting = {.entry = 1, .amount = 200, .at_ms = 1000};
    trade_add(trade, PART_LEDGER, &posting);
    struct matter_row matter = {
        .number = 1, .kind = (int32_t)MATTER_KIND(SHORTFALL), .amount = 5, .created_ms = 1000, .tries = 1};
    trade_add(trade, PART_MATTER, &matter);
    return trade;
}

// The message in this much room, as a caller gets it; -1: there is none.
typedef const ProtobufCMessage *show_fn(const struct trade *trade, struct arena *arena);
static int64_t shown(const struct trade *trade, show_fn *show, size_t room, uint8_t *out) {
    struct arena arena;
    arena_init(&arena, room);
    const ProtobufCMessage *message = show(trade, &arena);
    int64_t length = message ? (int64_t)protobuf_c_message_pack(message, out) : -1;
    arena_release(&arena);
    return length;
}

static const ProtobufCMessage *the_trade(const struct trade *trade, struct arena *arena) {
    return (const ProtobufCMessage *)view_trade(trade, arena);
}

static const ProtobufCMessage *an_attempt(const struct trade *trade, struct arena *arena) {
    return (const ProtobufCMessage *)view_attempt(trade, ATTEMPTS, arena);
}

static const ProtobufCMessage *a_refund(const struct trade *trade, struct arena *arena) {
    return (const ProtobufCMessage *)view_refund(trade, "R1", arena);
}

// With less room than it takes there is no view, never one that lacks something
static void test_a_trade_is_shown_whole_or_not_at_all(void **state) {
    static show_fn *const shows[] = {the_trade, an_attempt, a_refund};
    static uint8_t whole[ENOUGH], bytes[ENOUGH];
    struct trade *trade = a_trade();
    (void)state;
    for (size_t i = 0; i < sizeof shows / sizeof shows[0]; i++) {
        int64_t length = shown(trade, shows[i], ENOUGH, whole), got = -1;
        assert_true(length > 0);
        size_t room = 0;
        for (; room < ENOUGH && got < 0; room += STEP)
            got = shown(trade, shows[i], room, bytes);
        assert_true(room > STEP);
        assert_int_equal(got, length);
        assert_memory_equal(bytes, whole, (size_t)length);
    }
    saga_subject_release(&trade->subject);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_trade_is_shown_whole_or_not_at_all)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
