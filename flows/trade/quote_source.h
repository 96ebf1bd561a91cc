// What a quote is made from: each system that has a say is asked at the same time, under one deadline and each within
// a time of its own. A core source that does not answer fails the quote; without an optional one it is degraded. One
// whose answer says that it depends on what the others were still being asked is asked once more when they have
// answered, within the same time.
#ifndef TXC_FLOWS_TRADE_QUOTE_SOURCE_H
#define TXC_FLOWS_TRADE_QUOTE_SOURCE_H

#include "flows/trade/quote.h"
#include "flows/trade/source.h"

// What came of asking one.
struct quote_source {
    enum quote_source_kind kind;
    size_t line; // of QUOTE_PRICE and QUOTE_PUMP; else 0
    enum outcome outcome;
    const char *reason, *text; // in the arena; why not, when the outcome isn't OK
    const void *message;       // the answer, decoded into the arena; NULL without one
};

// All that one quote asks.
struct quote_sources;
typedef void quote_sources_fn(void *ctx, const struct quote_sources *sources);

// Asks; then calls `done` once, in which the sources are valid, and before this returns when all have answered by then.
// What the sources point to lives in the arena.
void quote_sources_ask(struct trades *trades, const struct quote_wish *wish, int64_t now_ms, struct arena *arena,
                       quote_sources_fn *done, void *ctx);

// When it is bought: what applies then is asked for. `now_ms`, but for a caller that says otherwise.
int64_t quote_bought_ms(const struct quote_wish *wish, int64_t now_ms);

// NULL: that one has no say here, and was not asked.
const struct quote_source *quote_source_of(const struct quote_sources *sources, enum quote_source_kind kind,
                                           size_t line);
// Its answer; NULL when there is none.
const void *quote_answer_of(const struct quote_sources *sources, enum quote_source_kind kind, size_t line);

// The optional source that is missing by its name in `degraded_sources`; NULL when it answered (a definite no is an
// answer: nothing can be used), is core, or was not asked.
const char *quote_source_missing(const struct quote_sources *sources, enum quote_source_kind kind);

// What it said seems to be out of date: if it was kept, it is not used again.
void quote_source_forget(const struct quote_sources *sources, enum quote_source_kind kind, size_t line);

#endif
