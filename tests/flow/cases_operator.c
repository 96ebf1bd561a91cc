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

static int visit(struct flow_bed *bed, const struct flow_spot *spot, const struct sweep *sweep) {
    struct flow_trade trade;
    flow_clear_faults(bed);
    flow_provide(bed, ++provided);
    const char *gid = spot->reach(bed, &trade);
    const saga_message *saga = saga_of(bed, gid);
    if (strcmp(saga->flow, spot->flow) != 0 || saga->ended_at)
        fail_msg("%s: %s is not where it should be", spot->name, gid);
    sweep->act(bed, spot, &trade, gid, sweep->ctx);
    return flow_play_out(bed, &trade);
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
    (void)trade, (void)ctx;
    flow_must(bed, "Terminate", "gid=%s reason=table", gid);
    flow_run_for(bed, 1000);
    assert_int_equal(saga_of(bed, gid)->status, TXCENTER__SAGA__V1__SAGA_STATUS__SAGA_STATUS_TERMINATED);
    flow_refused(bed, "SAGA_STATE", "Terminate", "gid=%s reason=table", gid);
    (void)spot;
}

static bool is_recalled(const struct flow_spot *spot) {
    return !spot->paid && strncmp(spot->flow, "trade.recall", 12) != 0;
}

// [E8] [E9] of what is not paid yet nothing stays behind: money goes back, locks are undone
static void test_a_terminate_before_the_watershed_leaves_nothing_behind(struct flow_bed *bed) {
    sweep_spots(bed, &(struct sweep){is_recalled, terminate, NULL});
    assert_int_equal(bed->parked, 0);
}

static const struct flow_case cases[] = {
    VIRTUAL(test_a_retry_anywhere_changes_no_outcome),
    VIRTUAL(test_a_pause_anywhere_changes_no_outcome),
    VIRTUAL(test_a_compensate_anywhere_leaves_all_agreed),
    VIRTUAL(test_a_terminate_before_the_watershed_leaves_nothing_behind),
};

CASES(operator);
