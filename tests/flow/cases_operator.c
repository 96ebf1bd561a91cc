// What operators do to the sagas of a trade, wherever these are: no money is lost, no benefit is lost or used twice,
// and what does not fit is refused with what to do instead.
#include "tests/flow/cases.h"
#include "tests/flow/spots.h"
#include "tests/flow/virtual.h"

#include <stdio.h>

typedef Txcenter__Saga__V1__Saga saga_message;

static const saga_message *saga_of(struct flow_bed *bed, const char *gid) {
    return ((const Txcenter__Saga__V1__GetSagaResponse *)flow_must(bed, "GetSaga", "gid=%s", gid))->saga;
}

// Each spot of the table that is wanted, with a trade of its own, then `act` with the saga's gid.
struct sweep {
    bool (*wants)(const struct flow_spot *spot);
    void (*act)(struct flow_bed *bed, const struct flow_spot *spot, const struct flow_trade *trade, const char *gid,
                const void *ctx);
    const void *ctx;
};

static unsigned provided;

// What is paid can be refunded, wherever it has been.
static void give_back(struct flow_bed *bed, const struct flow_trade *trade) {
    const Txcenter__Trade__V1__Trade *found = flow_get(bed, trade->no);
    if (found->state != TRADE(COMPLETED) && found->state != TRADE(PARTIALLY_REFUNDED))
        return;
    flow_must(bed, "Refund", "trade_no=%s refund_no=rest whole=true", trade->no);
    assert_state(bed, trade, TRADE(REFUNDED));
    flow_until_still(bed, trade);
}

static int visit(struct flow_bed *bed, const struct flow_spot *spot, const struct sweep *sweep) {
    struct flow_trade trade;
    flow_clear_faults(bed);
    flow_provide(bed, ++provided);
    const char *gid = spot->reach(bed, &trade);
    const saga_message *saga = saga_of(bed, gid);
    if (strcmp(saga->flow, spot->flow) != 0 || saga->ended_at)
        fail_msg("%s: %s is not where it should be", spot->name, gid);
    sweep->act(bed, spot, &trade, gid, sweep->ctx);
    flow_play_out(bed, &trade);
    give_back(bed, &trade);
    return flow_parked(bed, &trade);
}

static void sweep_spots(struct flow_bed *bed, const struct sweep *sweep) {
    for (size_t i = 0; i < n_flow_spots; i++)
        if (sweep->wants(&flow_spots[i]))
            bed->parked += visit(bed, &flow_spots[i], sweep);
}

static bool any(const struct flow_spot *spot) {
    (void)spot;
    return true;
}

// ---- Acts that change no outcome ----------------------------------------------------------------------------------

static void act_once(struct flow_bed *bed, const struct flow_spot *spot, const struct flow_trade *trade,
                     const char *gid, const void *ctx) {
    (void)spot, (void)trade;
    flow_ask(bed, ctx, "gid=%s reason=table", gid);
    flow_run_for(bed, 1000);
}

// [E8] [A53] nothing that is only tried again, held up or refused changes what comes of a trade
static void test_a_retry_anywhere_changes_no_outcome(struct flow_bed *bed) {
    sweep_spots(bed, &(struct sweep){any, act_once, "Retry"});
    assert_int_equal(bed->parked, 0);
}

static void test_a_pause_anywhere_changes_no_outcome(struct flow_bed *bed) {
    sweep_spots(bed, &(struct sweep){any, act_once, "Pause"});
    assert_int_equal(bed->parked, 0);
}

// [E8] [E3] turned round or refused: all agree afterwards
static void test_a_compensate_anywhere_leaves_all_agreed(struct flow_bed *bed) {
    sweep_spots(bed, &(struct sweep){any, act_once, "Compensate"});
    assert_int_equal(bed->parked, 0);
}

static void terminate(struct flow_bed *bed, const struct flow_spot *spot, const struct flow_trade *trade,
                      const char *gid, const void *ctx) {
    (void)spot, (void)trade, (void)ctx;
    flow_must(bed, "Terminate", "gid=%s reason=table", gid);
    flow_run_for(bed, 1000);
    assert_int_equal(saga_of(bed, gid)->status, TXCENTER__SAGA__V1__SAGA_STATUS__SAGA_STATUS_TERMINATED);
    flow_refused(bed, "SAGA_STATE", "Terminate", "gid=%s reason=table", gid);
}

static bool leaves_nothing(const struct flow_spot *spot) {
    return !spot->leaves;
}

static bool leaves(const struct flow_spot *spot) {
    return spot->leaves;
}

// [E8] [E9] what is ended by an operator leaves nothing behind: money goes back, locks are undone, and what was not
// refunded is free
static void test_a_terminate_leaves_nothing_behind(struct flow_bed *bed) {
    sweep_spots(bed, &(struct sweep){leaves_nothing, terminate, NULL});
    assert_int_equal(bed->parked, 0);
}

// [E8] it always works, also where what it leaves is somebody else's to see to
static void test_a_terminate_works_everywhere(struct flow_bed *bed) {
    bed->not_compared = true;
    sweep_spots(bed, &(struct sweep){leaves, terminate, NULL});
}

static const struct flow_case cases[] = {
    VIRTUAL(test_a_retry_anywhere_changes_no_outcome),
    VIRTUAL(test_a_pause_anywhere_changes_no_outcome),
    VIRTUAL(test_a_compensate_anywhere_leaves_all_agreed),
    VIRTUAL(test_a_terminate_leaves_nothing_behind),
    VIRTUAL(test_a_terminate_works_everywhere),
};

CASES(operator);
