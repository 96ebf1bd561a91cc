// Asking the sources, and making the quote of what they say.
#include "adapters/coupon/coupon.h"
#include "adapters/oil/oil.h"
#include "adapters/points/points.h"
#include "adapters/user/user.h"
#include "base/digest.h"
#include "flows/trade/combination.h"
#include "flows/trade/internal.h"
#include "flows/trade/parts.h"
#include "flows/trade/quote_input.h"
#include "flows/trade/quote_source.h"
#include "flows/trade/view.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

typedef Txcenter__Trade__V1__Quote quote_message;

struct making {
    struct trades *trades;
    struct quote_wish wish;
    struct arena *arena;
    quote_made_fn *done;
    void *ctx;
    int64_t now_ms;
    const struct quote_sources *sources; // once they have answered
    struct quote_line lines[TRADE_LINES_MAX];
};

// ---- The quote ----------------------------------------------------------------------------------------------------

#define MONEY(amount) view_money(making->trades->options.currency, (amount), making->arena)

static void add_lines(struct making *making, quote_message *quote) {
    struct arena *arena = making->arena;
    quote->lines = view_array(arena, making->wish.n_lines);
    for (size_t i = 0; quote->lines && i < making->wish.n_lines; i++) {
        const struct quote_line *priced = &making->lines[i];
        Txcenter__Trade__V1__QuotedLine *line =
            VIEW_NEW(arena, txcenter__trade__v1__quoted_line, Txcenter__Trade__V1__QuotedLine);
        if (!line)
            return;
        line->kind = view_text(priced->kind);
        line->code = view_text(priced->code);
        line->name = view_text(priced->name);
        line->nozzle = view_text(priced->nozzle);
        line->pump_serial = view_text(priced->pump_serial);
        line->authorised = priced->authorised;
        line->volume_centi = priced->volume_centi;
        line->quantity = priced->quantity;
        line->unit_price = MONEY(priced->unit_price);
        line->list_price = MONEY(priced->list_price);
        quote->lines[quote->n_lines++] = line;
    }
}

static void add_degraded(struct making *making, quote_message *quote) {
    quote->degraded_sources = view_array(making->arena, QUOTE_SOURCE_KINDS);
    for (int kind = 0; quote->degraded_sources && kind < QUOTE_SOURCE_KINDS; kind++) {
        const char *missing = quote_source_missing(making->sources, (enum quote_source_kind)kind);
        bool told = false; // a system that two sources ask
        for (size_t i = 0; missing && i < quote->n_degraded_sources; i++)
            told = told || strcmp(quote->degraded_sources[i], missing) == 0;
        if (missing && !told)
            quote->degraded_sources[quote->n_degraded_sources++] = view_text(missing);
    }
    making->trades->stats.degraded += quote->n_degraded_sources > 0;
}

// What the quote is an answer to.
static const char *hash_of_input(struct making *making) {
    const struct quote_wish *wish = &making->wish;
    Txcenter__Trade__V1__QuoteRequest asked = TXCENTER__TRADE__V1__QUOTE_REQUEST__INIT;
    asked.context = (void *)(uintptr_t)wish->context;
    asked.lines = (void *)(uintptr_t)wish->lines;
    asked.n_lines = wish->n_lines;
#define IDS(field, list) asked.field = (void *)(uintptr_t)(list).ids, asked.n_##field = (list).n
    IDS(excluded_coupon_ids, wish->excluded[SOLVER_COUPON]);
    IDS(required_coupon_ids, wish->required[SOLVER_COUPON]);
    IDS(excluded_activity_ids, wish->excluded[SOLVER_ACTIVITY]);
    IDS(required_activity_ids, wish->required[SOLVER_ACTIVITY]);
#undef IDS
    asked.exclude_points = wish->exclude_points;
    asked.exclude_level = wish->exclude_level;
    asked.tender_kinds = (void *)(uintptr_t)wish->tender_kinds;
    asked.n_tender_kinds = wish->n_tender_kinds;
    asked.max_combinations = wish->max_combinations;
    size_t size = txcenter__trade__v1__quote_request__get_packed_size(&asked);
    uint8_t *bytes = arena_alloc(making->arena, size + 1), digest[DIGEST_LEN];
    char hash[2 * DIGEST_LEN + 1];
    if (!bytes)
        return NULL;
    digest_sha256(str_n(bytes, txcenter__trade__v1__quote_request__pack(&asked, bytes)), digest);
    digest_hex(digest, hash);
    return arena_str(making->arena, str_c(hash)).ptr;
}

static quote_message *quote_of(struct making *making, const struct solver_input *input,
                               const struct solver_result *result) {
    struct arena *arena = making->arena;
    quote_message *quote = VIEW_NEW(arena, txcenter__trade__v1__quote, quote_message);
    if (!quote)
        return NULL;
    quote->created_at = view_time(making->now_ms, arena);
    quote->expires_at = view_time(making->now_ms + making->trades->options.quote_ttl_ms, arena);
    if (making->wish.context->at)
        quote->priced_at = view_time(quote_bought_ms(&making->wish, making->now_ms), arena);
    quote->list_price = MONEY(result->list_price);
    quote->exact = result->exact;
    quote->input_hash = view_text(hash_of_input(making));
    add_lines(making, quote);
    add_degraded(making, quote);
    quote->combinations = view_array(arena, result->n_combinations);
    for (size_t i = 0; quote->combinations && i < result->n_combinations; i++) {
        quote->combinations[i] =
            combination_view(input, &result->combinations[i], i + 1, making->trades->options.currency, arena);
        if (!quote->combinations[i])
            return NULL;
        quote->n_combinations++;
    }
    return quote->n_lines == making->wish.n_lines && quote->n_combinations == result->n_combinations ? quote : NULL;
}

// ---- What the sources said ----------------------------------------------------------------------------------------

// Borrowed from the sources; NULL when the arena is too small.
static Txcenter__Trade__V1__QuoteFacts *facts_of(struct making *making) {
    struct arena *arena = making->arena;
    Txcenter__Trade__V1__QuoteFacts *facts =
        VIEW_NEW(arena, txcenter__trade__v1__quote_facts, Txcenter__Trade__V1__QuoteFacts);
    if (!facts)
        return NULL;
    facts->at = view_time(quote_bought_ms(&making->wish, making->now_ms), arena);
    facts->prices = view_array(arena, making->wish.n_lines);
    facts->pumps = view_array(arena, making->wish.n_lines);
#define ANSWER(kind, line) ((void *)(uintptr_t)quote_answer_of(making->sources, (kind), (line)))
    for (size_t i = 0; facts->prices && i < making->wish.n_lines; i++)
        if (ANSWER(QUOTE_PRICE, i))
            facts->prices[facts->n_prices++] = ANSWER(QUOTE_PRICE, i);
    for (size_t i = 0; facts->pumps && i < making->wish.n_lines; i++)
        if (ANSWER(QUOTE_PUMP, i))
            facts->pumps[facts->n_pumps++] = ANSWER(QUOTE_PUMP, i);
    facts->context = (void *)(uintptr_t)making->wish.context;
    facts->user = ANSWER(QUOTE_USER, 0);
    facts->level = ANSWER(QUOTE_LEVEL, 0);
    facts->activities = ANSWER(QUOTE_ACTIVITIES, 0);
    facts->coupons = ANSWER(QUOTE_COUPONS, 0);
    facts->points = ANSWER(QUOTE_POINTS, 0);
    facts->points_rule = ANSWER(QUOTE_POINTS_RULE, 0);
    facts->goods = ANSWER(QUOTE_GOODS, 0);
    facts->card = ANSWER(QUOTE_CARD, 0);
#undef ANSWER
    return facts->at && facts->prices && facts->pumps ? facts : NULL;
}

static struct str packed(const Txcenter__Trade__V1__QuoteFacts *facts, struct arena *arena) {
    size_t size = txcenter__trade__v1__quote_facts__get_packed_size(facts);
    uint8_t *bytes = arena_alloc(arena, size + 1);
    return bytes ? str_n(bytes, txcenter__trade__v1__quote_facts__pack(facts, bytes)) : STR_NONE;
}

// ---- From the sources to the quote --------------------------------------------------------------------------------

static bool judge_user(struct making *making, struct error *error) {
    const struct quote_source *source = quote_source_of(making->sources, QUOTE_USER, 0);
    if (!source)
        return true; // nobody knows who buys
    if (source->outcome == OUTCOME_REJECTED)
        return error_set(error, ERR_USER_NOT_ALLOWED, "the user system says %s", source->reason);
    if (!source->message)
        return error_set(error, ERR_PRICE_UNAVAILABLE, "the user system does not answer: %s", source->text);
    const Participant__User__V1__GetUserResponse *response = source->message;
    if (response->user->status != PARTICIPANT__USER__V1__USER_STATUS__USER_STATUS_ACTIVE)
        return error_set(error, ERR_USER_NOT_ALLOWED, "the user is not active");
    return true;
}

static bool make(struct making *making, struct quote_made *made, struct error *error) {
    struct solver_input input;
    struct solver_result result;
    if (!judge_user(making, error))
        return false;
    for (size_t i = 0; i < making->wish.n_lines; i++)
        if (!quote_line_price(making->trades, &making->wish, making->sources, i, &making->lines[i], error))
            return false;
    const Txcenter__Trade__V1__QuoteFacts *facts = facts_of(making);
    if (!facts || !quote_input_make(making->trades, &making->wish, making->lines, facts, making->arena, &input))
        return error_set(error, ERR_OVERLOADED, "the quote needs too much memory");
    if (!solver_solve(&input, making->arena, &result, error))
        return false;
    made->quote = quote_of(making, &input, &result);
    made->facts = packed(facts, making->arena);
    if (made->quote) {
        made->quote->version = TRADE_VERSIONS_MAX; // at most: it is known when it is kept
        made->size = txcenter__trade__v1__quote__get_packed_size(made->quote);
    }
    if (!made->quote || !made->facts.ptr || made->facts.len > TRADE_BLOB_MAX || made->size > TRADE_BLOB_MAX)
        return error_set(error, ERR_OVERLOADED, "the quote needs too much memory");
    return true;
}

static void conclude(void *ctx, const struct quote_sources *sources) {
    struct making *making = ctx;
    struct quote_made made = {0};
    struct error error = {0};
    making->sources = sources;
    bool good = make(making, &made, &error);
    making->done(making->ctx, good ? &made : NULL, good ? NULL : &error);
    free(making);
}

void quote_make(struct trades *trades, const struct quote_wish *wish, struct arena *arena, quote_made_fn *done,
                void *ctx) {
    struct error error = {0};
    trade_evict(trades);
    if (wish->context->at && !wish->may_backdate)
        error_set(&error, ERR_SCOPE_MISSING, "context.at needs the scope trade.backdate");
    else if (trades_weigh_too_much(trades))
        error_set(&error, ERR_OVERLOADED, "the trades in memory are as large as they may be together");
    if (error_is(&error)) {
        done(ctx, NULL, &error);
        return;
    }
    struct making *making = calloc(1, sizeof *making);
    if (!making)
        abort();
    *making = (struct making){.trades = trades, .wish = *wish, .arena = arena, .done = done, .ctx = ctx};
    making->now_ms = trades_now(trades);
    quote_sources_ask(trades, &making->wish, making->now_ms, arena, conclude, making);
}
