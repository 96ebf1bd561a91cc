// Pricing what is to be bought: every source asked at once under one deadline, then the search for the best
// combination.
#ifndef TXC_FLOWS_TRADE_QUOTE_H
#define TXC_FLOWS_TRADE_QUOTE_H

#include "flows/trade/command.h"

// Benefits of one source.
struct quote_ids {
    char *const *ids;
    size_t n;
};

// What is to be priced; borrowed until `done`.
struct quote_wish {
    const char *trade_no;
    bool may_backdate;
    const char *call_id, *traceparent; // metadata, passed on to the sources
    const Txcenter__Trade__V1__Context *context;
    Txcenter__Trade__V1__Line *const *lines;
    size_t n_lines;
    struct quote_ids required[SOLVER_SOURCES], excluded[SOLVER_SOURCES];
    bool exclude_points, exclude_level;
    int32_t max_combinations;
    const Txcenter__Trade__V1__TenderKind *tender_kinds; // all that will pay; none: not known yet
    size_t n_tender_kinds;
};

// Of it what every command that quotes says with fields of these names, and whose trade's number is its state.
#define QUOTE_WISH_OF(command, request)                                                                                \
    .trade_no = (command)->state, .may_backdate = (command)->call->backdates, .call_id = (command)->call->request_id,  \
    .traceparent = (command)->call->traceparent, .context = (request)->context, .lines = (request)->lines,             \
    .n_lines = (request)->n_lines,                                                                                     \
    .excluded = {[SOLVER_COUPON] = {(request)->excluded_coupon_ids, (request)->n_excluded_coupon_ids},                 \
                 [SOLVER_ACTIVITY] = {(request)->excluded_activity_ids, (request)->n_excluded_activity_ids}},          \
    .exclude_points = (request)->exclude_points, .exclude_level = (request)->exclude_level

// The result, in the arena that was given; `quote` has no version yet.
struct quote_made {
    Txcenter__Trade__V1__Quote *quote;
    struct str facts;
    size_t size; // of the quote, packed: at most
};
typedef void quote_made_fn(void *ctx, const struct quote_made *made, const struct error *error);

// Once; before this returns when every source has answered by then.
void quote_make(struct trades *trades, const struct quote_wish *wish, struct arena *arena, quote_made_fn *done,
                void *ctx);

// Every violation of form of a context and its lines.
void quote_check(const struct trades *trades, const Txcenter__Trade__V1__Context *context,
                 Txcenter__Trade__V1__Line *const *lines, size_t n_lines, struct error *error);

// The same of a list of benefits.
void quote_check_ids(struct error *error, const char *field, char *const *ids, size_t n);

// Keeps the quote as the trade's newest version (which it sets in made->quote). Where the trade is ordered, and may be
// edited, nothing else of it changes.
void quote_keep(struct saga_turn *turn, const Txcenter__Trade__V1__Context *context, const struct quote_made *made);

// Where and through whom the trade is bought from now on.
void quote_keep_context(struct trade *trade, const Txcenter__Trade__V1__Context *context);

// A new trade for this context, made by this caller; held once. NULL with an error when the caller isn't of the tenant.
struct trade *quote_new_trade(struct command *command, const char *trade_no,
                              const Txcenter__Trade__V1__Context *context);

// The number for a new trade of this request.
void quote_trade_no(struct command *command, char out[ID_LEN + 1]);

extern const struct command_kind quote_kind;

#endif
