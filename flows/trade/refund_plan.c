// How refunds are spread, reserved and started.
#include "flows/trade/refund_plan.h"

#include "flows/trade/adjust.h"
#include "flows/trade/allocation.h"
#include "flows/trade/archive.h"
#include "flows/trade/internal.h"
#include "flows/trade/refund.h"
#include "flows/trade/tender.h"

#include <stdio.h>

int64_t refund_plan_share(int64_t total, const struct refund_row *refund, int64_t paid) {
    int64_t before = 0, share = 0;
    allocation_due(total, refund->refunded_before, paid > 0 ? paid : 1, 0, &before);
    allocation_due(total, refund->refunded_before + refund->amount, paid, before, &share);
    return share;
}

int64_t refund_plan_line(const struct refund_row *refund, size_t n) {
    int64_t part = 0;
    if ((n + 1) * sizeof part <= refund->line_parts.len)
        memcpy(&part, refund->line_parts.ptr + n * sizeof part, sizeof part);
    return part;
}

int64_t refund_plan_line_before(const struct trade *trade, const struct refund_row *refund, size_t n) {
    const struct refund_row *other;
    int64_t before = 0;
    for (size_t i = 0; (other = trade_at(trade, PART_REFUND, i)); i++)
        if (other->kind == REFUND_OF_TRADE && other->entry > 0 && other->entry < refund->entry)
            before += refund_plan_line(other, n); // in the order in which they are booked
    return before;
}

void refund_plan_rest(const struct trade *trade, struct refund_plan *plan) {
    const struct tender_row *tender;
    const struct line_row *line;
    plan->amount = trade->row.paid - trade->row.refunded - trade->row.refund_pending;
    plan->final = true;
    plan->n_tenders = plan->n_lines = 0;
    for (int32_t i = 0; (tender = trade_paid_tender(trade, i)); i++)
        plan->tender_parts[plan->n_tenders++] = tender->amount - tender->refunded - tender->refund_pending;
    for (unsigned i = 0; (line = trade_line_of(trade, NULL, i)); i++)
        plan->line_parts[plan->n_lines++] = line->payable - line->refund_taken;
}

static struct refund_row *add_refund(struct trade *trade, const char *refund_no) {
    struct refund_row key = {0};
    str_copy(str_c(refund_no), key.refund_no, sizeof key.refund_no);
    return trade_add(trade, PART_REFUND, &key);
}

static struct refund_leg_row *add_leg(struct trade *trade, struct refund_row *refund, const struct tender_row *tender,
                                      int64_t amount) {
    struct refund_leg_row key = {.leg = refund->legs++};
    memcpy(key.refund_no, refund->refund_no, sizeof key.refund_no);
    struct refund_leg_row *leg = trade_add(trade, PART_REFUND_LEG, &key);
    leg->attempt_no = tender->attempt_no;
    leg->tender = tender->tender;
    leg->amount = amount;
    leg->state = REFUND_LEG_STATE(PENDING);
    return leg;
}

// Starts the refund that was added in this turn, or takes it back: without a saga nothing would ever end it.
static bool start(struct saga_turn *turn, struct refund_row *refund, struct error *error) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    char gid[TRADE_GID_MAX];
    trade_refund_gid(trade, refund->refund_no, gid);
    const struct saga_flow *flow = trade->archived ? &late_flow : &refund_flow;
    struct saga_start start = {.flow = flow->name, .gid = str_c(gid), .input = str_c(refund->refund_no)};
    if (saga_turn_start(turn, &start, error))
        return true;
    for (int32_t i = 0; i < refund->legs; i++)
        trade_forget(trade, PART_REFUND_LEG, trade_refund_leg(trade, refund->refund_no, i));
    trade_forget(trade, PART_REFUND, refund);
    return false;
}

// What the plan takes is taken (or, with -1, is free again), so that no other refund can.
static void reserve(struct trade *trade, const struct refund_plan *plan, int sign) {
    struct line_row *line;
    for (size_t i = 0; i < plan->n_tenders; i++) {
        struct tender_row *tender = trade_change(trade, trade_paid_tender(trade, (int32_t)i));
        tender->refund_pending += sign * plan->tender_parts[i];
    }
    for (unsigned i = 0; i < plan->n_lines && (line = trade_line_of(trade, NULL, i)); i++) {
        trade_change(trade, line);
        line->refund_taken += sign * plan->line_parts[i];
    }
    trade_edit(trade)->refund_pending += sign * plan->amount;
    trade->row.refund_count += sign;
}

bool refund_plan_start(struct saga_turn *turn, const struct refund_plan *plan, struct error *error) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    struct refund_row *refund = add_refund(trade, plan->refund_no);
    snprintf(refund->reason, sizeof refund->reason, "%s", plan->reason);
    refund->kind = REFUND_OF_TRADE;
    refund->state = REFUND_STATE(PENDING);
    refund->amount = plan->amount;
    refund->final = plan->final;
    refund->refunded_before = trade->row.refunded + trade->row.refund_pending;
    refund->created_ms = saga_turn_now(turn);
    refund->line_parts = trade_keep(trade, str_n(plan->line_parts, plan->n_lines * sizeof plan->line_parts[0]));
    for (size_t i = 0; i < plan->n_tenders; i++)
        if (plan->tender_parts[i] > 0)
            add_leg(trade, refund, trade_paid_tender(trade, (int32_t)i), plan->tender_parts[i]);
    reserve(trade, plan, 1);
    if (start(turn, refund, error))
        return true;
    reserve(trade, plan, -1);
    return false;
}

bool refund_plan_can_start(struct saga_turn *turn, const char *refund_no, struct error *error) {
    char gid[TRADE_GID_MAX];
    trade_refund_gid(trade_of(saga_turn_subject(turn)), refund_no, gid);
    return saga_turn_can_start(turn, str_c(gid), error);
}

void refund_plan_cancelled(struct saga_turn *turn) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    struct refund_plan plan = {.refund_no = REFUND_CANCELLED_NO, .reason = "cancelled while it was being paid"};
    struct error error = {0};
    refund_plan_rest(trade, &plan);
    if (!refund_plan_start(turn, &plan, &error))
        trades_alert(trade->trades, "refund of a cancelled trade can't start", trade, error.text);
}

// The number of its return: one that is not ended, or a new one.
static void return_no(const struct trade *trade, const struct tender_row *tender, char out[ARCHIVE_RETURN_NO_MAX]) {
    const struct refund_row *before;
    if (trade->archived) {
        archive_return_no(tender, out);
        return;
    }
    int length = snprintf(out, ARCHIVE_RETURN_NO_MAX, "late-%d-%d", tender->attempt_no, tender->tender);
    for (int n = 2; (before = trade_refund(trade, str_c(out))) && before->state == REFUND_STATE(STOPPED); n++)
        snprintf(out + length, ARCHIVE_RETURN_NO_MAX - (size_t)length, "-%d", n);
}

bool refund_plan_unused(struct saga_turn *turn, const int64_t parts[TRADE_TENDERS_MAX], struct error *error) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    struct refund_row *refund = NULL;
    for (int32_t i = 0; i < TRADE_TENDERS_MAX; i++) {
        const struct tender_row *tender = parts[i] > 0 ? trade_paid_tender(trade, i) : NULL;
        if (!tender || tender_is_card(tender))
            continue; // of a card it was never taken
        if (!refund) {
            refund = add_refund(trade, ADJUST_REFUND_NO);
            snprintf(refund->reason, sizeof refund->reason, "authorised, and not used");
            refund->kind = REFUND_UNUSED;
            refund->state = REFUND_STATE(PENDING);
            refund->created_ms = saga_turn_now(turn);
        }
        add_leg(trade, refund, tender, parts[i]);
        refund->amount += parts[i];
    }
    return !refund || start(turn, refund, error);
}

bool refund_plan_return(struct saga_turn *turn, const struct tender_row *tender, int64_t amount, struct error *error) {
    struct trade *trade = trade_of(saga_turn_subject(turn));
    char number[ARCHIVE_RETURN_NO_MAX];
    return_no(trade, tender, number);
    if (trade_refund(trade, str_c(number)))
        return true;
    struct refund_row *refund = add_refund(trade, number);
    snprintf(refund->reason, sizeof refund->reason, "received after the trade no longer wanted it");
    refund->kind = REFUND_RETURN;
    refund->state = REFUND_STATE(PENDING);
    refund->amount = amount;
    refund->created_ms = saga_turn_now(turn);
    add_leg(trade, refund, tender, amount);
    return start(turn, refund, error);
}
