// What the trade's files share behind trades.h.
#ifndef TXC_FLOWS_TRADE_INTERNAL_H
#define TXC_FLOWS_TRADE_INTERNAL_H

#include "base/heap.h"
#include "flows/trade/trade.h"
#include "saga/request.h"

struct trades {
    struct trades_options options;
    struct saga_engine *engine;
    struct requests *requests;
    struct map resident, loading;
    struct trade *oldest, *newest;
    struct heap waits; // commands by the time their wait ends
    bool hurried;      // waits end at once
    int64_t alarm_ms;
    void (*alarm)(void *ctx, int64_t due_ms);
    void *alarm_ctx;
    trades_alert_fn *alert;
    void *alert_ctx;
    struct trades_stats stats;
    struct trade_watch *watches;
    struct retiring *retiring; // trades on their way out of the store
    struct facts *facts;
    int64_t count_ms; // when what waits for operators is counted again
    int counting;     // which of it just now (matter_list.c); 0: none
};

static inline int64_t trades_now(const struct trades *trades) {
    return clock_now_ms(trades->options.clock);
}

// Those in memory are as large as they may be together: no quote is added to them.
static inline bool trades_weigh_too_much(const struct trades *trades) {
    return trades->options.resident_bytes_max > 0 && trades->stats.resident_bytes > trades->options.resident_bytes_max;
}

void trades_alert(struct trades *trades, const char *what, const struct trade *trade, const char *detail);
void trades_alarm_at(struct trades *trades, int64_t due_ms);

#endif
