#include "flows/trade/refund_end.h"

#include "flows/trade/after.h"
#include "flows/trade/books.h"
#include "flows/trade/internal.h"
#include "flows/trade/invoicing.h"
#include "flows/trade/matter.h"
#include "flows/trade/refund.h"
#include "flows/trade/refund_leg.h"
#include "flows/trade/shortfall.h"
#include "flows/trade/tender.h"

#include <assert.h>

// ---- What has not gone back ---------------------------------------------------------------------------------------

// The lines bear what is left of the refund in the proportion in which they bore all of it.
static void free_lines(struct trade *trade, struct refund_row *refund, int64_t done) {
    int64_t before[TRADE_LINES_MAX], after[TRADE_LINES_MAX];
    size_t n = refund->line_parts.len / sizeof before[0];
    struct line_row *line;
    memcpy(before, refund->line_parts.ptr, n * sizeof before[0]);
    bool split = n == 0 || money_allocate(done, before, n, after);
    assert(split); // no more than they add up to
    for (unsigned i = 0; i < n && (line = trade_line_of(trade, NULL, i)); i++) {
        trade_change(trade, line);
        line->refund_taken -= before[i] - after[i];
    }
    refund->line_parts = trade_keep(trade, str_n(after, n * sizeof after[0]));
}

// Takes out of the refund what has not gone back: it can be refunded by another one. False when all of it has.
static bool free_rest(struct saga_turn *turn, struct refund_row *refund) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    int64_t freed = 0;
    for (int32_t i = 0; i < refund->legs; i++) {
        struct refund_leg_row *leg = trade_refund_leg(trade, refund->refund_no, i);
        if (leg->state == REFUND_LEG_STATE(DONE))
            continue;
        struct tender_row *tender = trade_change(trade, trade_tender(trade, leg->attempt_no, leg->tender));
        refund_leg_stop(turn, leg);
        freed += leg->amount;
        tender->refund_pending -= leg->amount;
        leg->amount = 0;
    }
    if (freed == 0)
        return false;
    free_lines(trade, refund, refund->amount - freed);
    trade_edit(trade)->refund_pending -= freed;
    refund->amount -= freed;
    return true;
}

// None need wait until others are told of it.
static void let_others_go_on(struct saga_turn *turn, struct refund_row *refund) {
    trade_change(trade_of(saga_turn_subject(turn)), refund);
    refund->marked = 1;
    refund->awaits = 0;
    refund_poke_all(turn);
}

// ---- The money ----------------------------------------------------------------------------------------------------

// Of money that the trade did not want.
static void returned(struct saga_turn *turn, struct refund_row *refund) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    struct refund_leg_row *leg = trade_refund_leg(trade, refund->refund_no, 0);
    struct tender_row *tender = trade_change(trade, trade_tender(trade, leg->attempt_no, leg->tender));
    if (leg->state == REFUND_LEG_STATE(DONE)) {
        books_suspense(trade, LEDGER_RETURNED, tender, refund->amount, saga_turn_now(turn));
        tender_set_state(trade, tender, TENDER_STATE(RETURNED));
        tender->refunded = refund->amount;
        return;
    }
    refund->state = REFUND_STATE(STOPPED);
    refund_leg_stop(turn, leg);
    str_fit(STR("not wanted, and not given back: an operator has ended its return"), tender->detail,
            sizeof tender->detail);
    tender_conflicts(turn, tender, refund->amount, "RETURN_STOPPED"); // in suspense until that is settled
    trades_alert(trade->trades, "money that is not wanted stays", trade, tender->tender_no);
}

// It is the payer's, and nobody's task any more: an operator's (matter_settle.c).
static void stays_with_us(struct saga_turn *turn, const struct refund_leg_row *leg) {
    refund_leg_hold(turn, leg, "RETURN_STOPPED", NULL);
}

// Of what was authorised and not used. It is none of what was sold.
static void unused_back(struct saga_turn *turn, struct refund_row *refund) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    int64_t kept = 0, now_ms = saga_turn_now(turn);
    for (int32_t i = 0; i < refund->legs; i++) {
        struct refund_leg_row *leg = trade_refund_leg(trade, refund->refund_no, i);
        const struct tender_row *tender = trade_tender(trade, leg->attempt_no, leg->tender);
        if (leg->state == REFUND_LEG_STATE(DONE)) {
            books_suspense(trade, LEDGER_RETURNED, tender, leg->amount, now_ms);
            continue;
        }
        refund_leg_stop(turn, leg);
        stays_with_us(turn, leg);
        kept += leg->amount;
    }
    if (kept == 0)
        return;
    refund->state = REFUND_STATE(STOPPED); // in suspense until an operator has settled it
    trades_alert(trade->trades, "money that was authorised and not used stays", trade, refund->refund_no);
}

// What was freed is none of it any more.
static bool is_all_back(const struct trade *trade, const struct refund_row *refund) {
    for (int32_t i = 0; i < refund->legs; i++) {
        const struct refund_leg_row *leg = trade_refund_leg(trade, refund->refund_no, i);
        if (leg->state != REFUND_LEG_STATE(DONE) && leg->amount > 0)
            return false;
    }
    return true;
}

void refund_end_otherwise(struct saga_turn *turn, struct refund_leg_row *leg, const char *reference) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    struct refund_row *refund = trade_change(trade, trade_refund(trade, str_c(leg->refund_no)));
    refund_leg_paid_otherwise(turn, leg, reference);
    if (!refund_end_is_over(refund)) {
        refund_end_look(turn, refund);
        return;
    }
    books_suspense(trade, LEDGER_RETURNED, trade_tender(trade, leg->attempt_no, leg->tender), leg->amount,
                   saga_turn_now(turn));
    if (is_all_back(trade, refund))
        refund->state = REFUND_STATE(DONE);
}

static void take_from_reserved(struct trade *trade, const struct refund_row *refund) {
    for (int32_t i = 0; i < refund->legs; i++) {
        const struct refund_leg_row *leg = trade_refund_leg(trade, refund->refund_no, i);
        struct tender_row *tender = trade_change(trade, trade_tender(trade, leg->attempt_no, leg->tender));
        tender->refunded += leg->amount;
        tender->refund_pending -= leg->amount;
    }
    trade_edit(trade)->refunded += refund->amount;
    trade->row.refund_pending -= refund->amount;
}

void refund_end_paid_out(struct saga_turn *turn, struct refund_row *refund) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    int64_t now_ms = saga_turn_now(turn);
    trade_change(trade, refund);
    refund->state = REFUND_STATE(DONE);
    refund->done_ms = now_ms;
    if (refund->kind == REFUND_RETURN) {
        returned(turn, refund);
        return;
    }
    if (refund->kind == REFUND_UNUSED) {
        unused_back(turn, refund);
        return;
    }
    if (refund_end_is_given_up(refund) && (free_rest(turn, refund) || refund->amount == 0))
        refund->state = REFUND_STATE(STOPPED);
    if (refund_end_came_to_nothing(refund)) {
        refund->final = 0;
        let_others_go_on(turn, refund);
        return;
    }
    bool back = is_all_back(trade, refund);
    assert(back); // nothing is booked that did not go
    invoicing_refunded(trade, refund);
    books_refunded(trade, refund, now_ms);
    refund->refunded_before = trade->row.refunded;
    take_from_reserved(trade, refund);
    const struct trade_row *row = &trade->row;
    refund->final = row->refunded == row->paid && row->refund_pending == 0;
    refund_goods_note(trade, refund);
    if (refund->final)
        after_refunded(trade);
    trade_set_state(trade, refund->final ? TRADE_STATE(REFUNDED) : TRADE_STATE(PARTIALLY_REFUNDED), now_ms);
    if (refund->state == REFUND_STATE(DONE))
        shortfall_refunded(turn, refund);
}

// ---- Terminated ---------------------------------------------------------------------------------------------------

// Whether it is known what became of each leg, and nothing of it is owed.
static bool is_settled(const struct trade *trade, const struct refund_row *refund) {
    for (int32_t i = 0; i < refund->legs; i++) {
        const struct refund_leg_row *leg = trade_refund_leg(trade, refund->refund_no, i);
        bool stays = refund_end_is_given_up(refund) && !refund_leg_is_open(leg);
        if (leg->state != REFUND_LEG_STATE(DONE) && !stays)
            return false;
    }
    return true;
}

void refund_end_look(struct saga_turn *turn, struct refund_row *refund) {
    const struct trade *trade = trade_of(saga_turn_subject(turn));
    if (refund->stopped != REFUND_ALONE || refund_end_is_over(refund) || !is_settled(trade, refund))
        return;
    refund_end_paid_out(turn, refund);
    let_others_go_on(turn, refund);
}

static bool follow(struct saga_turn *turn, struct refund_row *refund, struct error *error) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    char gid[TRADE_GID_MAX];
    for (int32_t i = 0; i < refund->legs; i++)
        refund_leg_handed_over(trade, trade_refund_leg(trade, refund->refund_no, i));
    trade_refund_gid(trade, refund->refund_no, gid);
    const struct saga_start start = {.flow = refund_flow.name, .gid = str_c(gid), .input = str_c(refund->refund_no)};
    return saga_turn_start(turn, &start, error);
}

// Of what is kept of a deleted trade there is no other saga.
static void stop(struct saga_turn *turn, struct refund_row *refund) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    struct error error = {0};
    trade_change(trade, refund);
    refund->stopped++;
    if (!trade->archived && follow(turn, refund, &error))
        return;
    refund->stopped = REFUND_ALONE;
    refund_end_look(turn, refund);
    if (refund_end_is_over(refund))
        return;
    for (int32_t i = 0; i < refund->legs; i++)
        if (trade_refund_leg(trade, refund->refund_no, i)->state == REFUND_LEG_STATE(FAILED))
            stays_with_us(turn, trade_refund_leg(trade, refund->refund_no, i));
    trades_alert(trade->trades, "what becomes of a refund is not looked after any more", trade, refund->refund_no);
}

struct saga_verdict refund_end_ended(struct saga_turn *turn) {
    struct refund_row *refund = refund_of_turn(turn);
    if (saga_turn_saga(turn)->status == SAGA_TERMINATED && refund_end_is_over(refund))
        let_others_go_on(turn, refund);
    else if (saga_turn_saga(turn)->status == SAGA_TERMINATED)
        stop(turn, refund);
    return saga_done();
}
