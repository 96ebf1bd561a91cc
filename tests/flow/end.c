// What must hold when a test has ended.
#include "tests/check/ledgers.h"
#include "tests/flow/bed.h"
#include "tests/flow/story.h"
#include "txcenter/ops/v1/stats.pb-c.h"

#include <inttypes.h>
#include <stdio.h>

enum { TRADES_MAX = 2000 };

// The trades that the test has made: those of its people, and since it has begun those of nobody.
struct made {
    const char *trade_nos[TRADES_MAX + 1];
    size_t n;
    int parked;
};

static void add_trades(struct flow_bed *bed, const char *filter, const char *user, struct made *made) {
    const char *token = "";
    do {
        const Txcenter__Trade__V1__ListTradesResponse *page =
            flow_must(bed, "ListTrades", "%s page_size=200 page_token=%s", filter, token);
        for (size_t i = 0; i < page->n_trades; i++) {
            if (strcmp(page->trades[i]->context->user_id, user) != 0)
                continue;
            assert_true(made->n < TRADES_MAX);
            made->trade_nos[made->n++] = page->trades[i]->trade_no;
        }
        token = page->next_page_token;
    } while (*token);
}

static void add_trades_of(struct flow_bed *bed, const char *user, struct made *made) {
    add_trades(bed, flow_text(bed, "filter.user_id=%s", user), user, made);
}

static void add_trades_of_nobody(struct flow_bed *bed, struct made *made) {
    add_trades(bed,
               flow_text(bed, "filter.created_from.seconds=%" PRId64 " filter.created_from.nanos=%d",
                         bed->began_ms / 1000, (int)(bed->began_ms % 1000) * 1000000),
               "", made);
}

static void cancel_what_is_open(struct flow_bed *bed, const struct made *made) {
    for (size_t i = 0; i < made->n; i++) {
        switch (flow_get(bed, made->trade_nos[i])->state) {
        case TRADE(ORDERING):
        case TRADE(ORDERED):
        case TRADE(PAYING):
        case TRADE(CLOSING):
            flow_insist(bed, "Cancel", "trade_no=%s reason=the~test~has~ended wait_ms=0", made->trade_nos[i]);
            break;
        default: break;
        }
    }
}

// Every saga has ended or waits for an operator.
static bool all_still(struct flow_bed *bed, const void *ctx) {
    struct made *made = (struct made *)(uintptr_t)ctx;
    made->parked = 0;
    for (size_t i = 0; i < made->n; i++) {
        const Txcenter__Saga__V1__ListSagasResponse *page = flow_unfinished(bed, made->trade_nos[i]);
        for (size_t k = 0; k < page->n_sagas; k++) {
            if (!page->sagas[k]->parked)
                return false;
            made->parked++;
        }
    }
    return true;
}

static void told(void *ctx, const char *trade_no, const char *text) {
    (void)ctx;
    print_error("%s: %s\n", trade_no, text);
}

struct disagreements {
    struct flow_bed *bed;
    const char *text;
};

static void noted(void *ctx, const char *trade_no, const char *text) {
    struct disagreements *all = ctx;
    all->text = flow_text(all->bed, "%s%s: %s\n", all->text, trade_no, text);
}

static void step(void *ctx) {
    struct flow_bed *bed = ctx;
    bed->ops->step(bed);
}

static struct check_options everything(struct flow_bed *bed) {
    return (struct check_options){
        .center = bed->center,
        .sim = bed->sim,
        .step = step,
        .step_ctx = bed,
        .caller = FLOW_CALLER,
        .fault = told,
        .open_is_fine = bed->leave_open || bed->parked > 0,
        .os_is_off = bed->settings.os_off || bed->settings.os_caller,
    };
}

const char *flow_disagreements(struct flow_bed *bed) {
    struct check_counts counts;
    struct check_options options = everything(bed);
    struct disagreements all = {bed, ""};
    options.fault = noted;
    options.fault_ctx = &all;
    bool agree = check_ledgers(&options, &counts);
    assert_int_equal(agree, all.text[0] == '\0');
    return all.text;
}

static void compare(struct flow_bed *bed, const struct made *made) {
    struct check_counts counts;
    struct check_options options = everything(bed);
    options.trade_nos = made->trade_nos;
    if (!check_ledgers(&options, &counts))
        fail_msg("%" PRId64 " things do not agree", counts.faults);
}

int64_t flow_stat(struct flow_bed *bed, const char *name) {
    const Txcenter__Ops__V1__GetStatsResponse *stats = flow_must(bed, "GetStats", "%s", "");
    for (size_t i = 0; i < stats->n_stats; i++)
        if (strcmp(stats->stats[i]->name, name) == 0)
            return stats->stats[i]->value;
    fail_msg("there is no counter %s", name);
    return 0;
}

static bool nobody_waits(struct flow_bed *bed, const void *ctx) {
    (void)ctx;
    return flow_stat(bed, "trades.waiting") == 0 && flow_stat(bed, "sagas.in_flight_calls") == 0;
}

void flow_settle(struct flow_bed *bed) {
    struct made made = {0};
    flow_clear_faults(bed);
    add_trades_of(bed, bed->user, &made);
    add_trades_of(bed, bed->other_user, &made);
    add_trades_of_nobody(bed, &made);
    if (!bed->leave_open) {
        cancel_what_is_open(bed, &made);
        flow_until(bed, all_still, &made, "sagas must end or be parked");
        if (made.parked != bed->parked)
            fail_msg("%d sagas are parked, not %d", made.parked, bed->parked);
        flow_until(bed, nobody_waits, NULL, "calls must be answered");
    }
    // [E5] nothing is left that nobody would ever drive on
    assert_int_equal(flow_stat(bed, "sagas.orphans"), 0);
    // [A53] whatever happened: amounts that were looked at have added up
    assert_int_equal(flow_stat(bed, "anomalies.raised"), bed->anomalies);
    if (!bed->not_compared)
        compare(bed, &made);
}

void flow_end(struct flow_bed *bed) {
    flow_settle(bed);
    assert_int_equal(bed->sending, 0);
    arena_release(&bed->arena);
}
