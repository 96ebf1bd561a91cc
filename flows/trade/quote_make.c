// Asking the sources, and making the quote of what they say.
#include "adapters/coupon/coupon.h"
#include "adapters/oil/oil.h"
#include "adapters/points/points.h"
#include "adapters/user/user.h"
#include "base/digest.h"
#include "flows/trade/combination.h"
#include "flows/trade/internal.h"
#include "flows/trade/quote_line.h"
#include "flows/trade/quote_source.h"
#include "flows/trade/rule.h"
#include "flows/trade/solver.h"
#include "flows/trade/view.h"
#include "txcenter/trade/v1/facts.pb-c.h"

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

// ---- Solving ------------------------------------------------------------------------------------------------------

static int64_t minor(const Txcenter__Type__V1__Money *money) {
    return money ? money->minor_units : 0;
}

// No money, or money of the trade's currency: what is in another one can't be counted with.
static bool is_ours(const struct making *making, const Txcenter__Type__V1__Money *money) {
    return minor(money) == 0 || strcmp(money->currency, making->trades->options.currency) == 0;
}

static bool points_are_ours(const struct making *making, const Participant__Points__V1__GetPointsResponse *points) {
    if (is_ours(making, points->rule->step_value))
        return true;
    trades_alert(making->trades, "the points rule is in another currency", NULL, points->rule->step_value->currency);
    return false;
}

static struct solver_line line_of(const struct quote_line *line) {
    return (struct solver_line){.kind = str_c(line->kind),
                                .code = str_c(line->code),
                                .amount = line->list_price,
                                .quantity = line->volume_centi ? line->volume_centi : line->quantity * SOLVER_UNIT,
                                .unit_price = line->unit_price};
}

static bool make_input(struct making *making, struct solver_input *input) {
    struct arena *arena = making->arena;
    const struct quote_wish *wish = &making->wish;
    const Participant__Coupon__V1__ListUsableCouponsResponse *coupons =
        quote_answer_of(making->sources, QUOTE_COUPONS, 0);
    const Participant__Points__V1__GetPointsResponse *points = quote_answer_of(making->sources, QUOTE_POINTS, 0);
    size_t offered = coupons ? coupons->n_coupons : 0, n_benefits = 0;
    struct solver_line *solver_lines = arena_calloc(arena, wish->n_lines, sizeof *solver_lines);
    struct solver_benefit *benefits = arena_calloc(arena, SOLVER_BENEFITS_MAX, sizeof *benefits);
    if (!solver_lines || !benefits)
        return false;
    for (size_t i = 0; i < wish->n_lines; i++)
        solver_lines[i] = line_of(&making->lines[i]);
    for (size_t i = 0; i < offered && n_benefits < SOLVER_BENEFITS_MAX; i++)
        if (rule_coupon(coupons->coupons[i], making->trades->options.currency, arena, &benefits[n_benefits]))
            n_benefits++;
        else
            trades_alert(making->trades, "a coupon is in another currency", NULL, coupons->coupons[i]->coupon_id);
    *input = (struct solver_input){
        .lines = solver_lines,
        .n_lines = wish->n_lines,
        .benefits = benefits,
        .n_benefits = n_benefits,
        .tender_kinds = rule_tender_kinds(arena),
        .required = {[SOLVER_COUPON] = rule_names(wish->required_coupon_ids, wish->n_required_coupon_ids, arena)},
        .excluded = {[SOLVER_COUPON] = rule_names(wish->excluded_coupon_ids, wish->n_excluded_coupon_ids, arena)},
        .exclude_points = wish->exclude_points || !points,
        .max_combinations = (size_t)(wish->max_combinations ? wish->max_combinations : 3),
        .now_ms = making->now_ms,
        .node_budget = SOLVER_NODE_BUDGET,
    };
    if (points && points->rule && points_are_ours(making, points))
        input->points = (struct solver_points){.available = points->available,
                                               .step_points = points->rule->step_points,
                                               .step_value = minor(points->rule->step_value),
                                               .max_share_bp = points->rule->max_share_bp,
                                               .max_points = points->rule->max_points};
    return true;
}

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
        if (missing)
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
    asked.excluded_coupon_ids = (void *)(uintptr_t)wish->excluded_coupon_ids;
    asked.n_excluded_coupon_ids = wish->n_excluded_coupon_ids;
    asked.required_coupon_ids = (void *)(uintptr_t)wish->required_coupon_ids;
    asked.n_required_coupon_ids = wish->n_required_coupon_ids;
    asked.exclude_points = wish->exclude_points;
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

static struct str facts_of(struct making *making) {
    Txcenter__Trade__V1__QuoteFacts facts = TXCENTER__TRADE__V1__QUOTE_FACTS__INIT;
    Participant__Oil__V1__GetPriceResponse *prices[TRADE_LINES_MAX];
    facts.at = view_time(making->now_ms, making->arena);
    facts.prices = prices;
#define ANSWER(kind, line) ((void *)(uintptr_t)quote_answer_of(making->sources, (kind), (line)))
    for (size_t i = 0; i < making->wish.n_lines; i++)
        if (ANSWER(QUOTE_PRICE, i))
            prices[facts.n_prices++] = ANSWER(QUOTE_PRICE, i);
    facts.user = ANSWER(QUOTE_USER, 0);
    facts.coupons = ANSWER(QUOTE_COUPONS, 0);
    facts.points = ANSWER(QUOTE_POINTS, 0);
    facts.goods = ANSWER(QUOTE_GOODS, 0);
    facts.card = ANSWER(QUOTE_CARD, 0);
#undef ANSWER
    size_t size = txcenter__trade__v1__quote_facts__get_packed_size(&facts);
    uint8_t *bytes = arena_alloc(making->arena, size + 1);
    return bytes ? str_n(bytes, txcenter__trade__v1__quote_facts__pack(&facts, bytes)) : STR_NONE;
}

// ---- From the sources to the quote --------------------------------------------------------------------------------

static bool judge_user(struct making *making, struct error *error) {
    const struct quote_source *source = quote_source_of(making->sources, QUOTE_USER, 0);
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
    if (!make_input(making, &input))
        return error_set(error, ERR_OVERLOADED, "the quote needs too much memory");
    if (!solver_solve(&input, making->arena, &result, error))
        return false;
    made->quote = quote_of(making, &input, &result);
    made->facts = facts_of(making);
    if (!made->quote || !made->facts.ptr || made->facts.len > TRADE_BLOB_MAX)
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
    struct making *making = calloc(1, sizeof *making);
    if (!making)
        abort();
    *making = (struct making){.trades = trades, .wish = *wish, .arena = arena, .done = done, .ctx = ctx};
    making->now_ms = trades_now(trades);
    quote_sources_ask(trades, &making->wish, making->now_ms, arena, conclude, making);
}
