// Asking the sources, and making the quote of what they say.
#include "adapters/coupon/coupon.h"
#include "adapters/oil/oil.h"
#include "adapters/points/points.h"
#include "adapters/user/user.h"
#include "base/digest.h"
#include "flows/trade/combination.h"
#include "flows/trade/forecourt.h"
#include "flows/trade/quote.h"
#include "flows/trade/rule.h"
#include "flows/trade/solver.h"
#include "flows/trade/view.h"
#include "saga/participant.h"
#include "txcenter/trade/v1/facts.pb-c.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

typedef Txcenter__Trade__V1__Quote quote_message;

// ---- Sources ------------------------------------------------------------------------------------------------------

enum source_kind { SOURCE_USER, SOURCE_PRICE, SOURCE_COUPONS, SOURCE_POINTS };

struct making;

struct source {
    struct making *making;
    enum source_kind kind;
    size_t line;
    struct saga_pass pass;
    enum outcome outcome;
    const char *reason, *text;
    const void *message; // in the arena
};

struct making {
    struct trades *trades;
    struct quote_wish wish;
    struct arena *arena;
    quote_made_fn *done;
    void *ctx;
    int64_t now_ms;
    unsigned open;
    size_t n_sources;
    struct source sources[TRADE_LINES_MAX + 3];
};

static void conclude(struct making *making);

static void answered(void *ctx, const struct adapter_answer *answer) {
    struct source *source = ctx;
    struct making *making = source->making;
    saga_pass_end(making->trades->engine, &source->pass, answer->outcome, answer->code, answer->text);
    source->outcome = answer->outcome;
    source->reason = arena_str(making->arena, str_c(answer->reason)).ptr;
    source->text = arena_str(making->arena, str_c(answer->text)).ptr;
    if (answer->outcome == OUTCOME_OK)
        source->message =
            adapter_decode(arena_str(making->arena, answer->bytes), answer->message->descriptor, making->arena);
    if (--making->open == 0)
        conclude(making);
}

// NULL: its system takes no calls at present, which counts as no answer.
static struct source *add(struct making *making, enum source_kind kind, size_t line, const struct adapter *system) {
    struct source *source = &making->sources[making->n_sources++];
    struct error error = {0};
    *source = (struct source){.making = making, .kind = kind, .line = line};
    if (!saga_pass_begin(making->trades->engine, system->system, &source->pass, &error)) {
        source->outcome = OUTCOME_RETRY;
        source->reason = err_info(error.code)->name;
        source->text = arena_str(making->arena, str_c(error.text)).ptr;
        return NULL;
    }
    making->open++;
    return source;
}

static struct source *source_of(struct making *making, enum source_kind kind, size_t line) {
    for (size_t i = 0; i < making->n_sources; i++)
        if (making->sources[i].kind == kind && making->sources[i].line == line)
            return &making->sources[i];
    return NULL;
}

static void ask_prices(struct making *making, const struct adapter_effect *effect) {
    Google__Protobuf__Timestamp at = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    at.seconds = making->now_ms / 1000;
    for (size_t i = 0; i < making->wish.n_lines; i++) {
        const Txcenter__Trade__V1__Fuel *fuel = making->wish.lines[i]->fuel;
        Participant__Oil__V1__GetPriceRequest request = PARTICIPANT__OIL__V1__GET_PRICE_REQUEST__INIT;
        request.station_id = making->wish.context->station_id;
        request.oil_code = fuel->oil_code;
        request.nozzle = fuel->nozzle;
        request.at = &at;
        struct adapter *oil = &making->trades->options.adapters->oil;
        struct source *source = add(making, SOURCE_PRICE, i, oil);
        if (source)
            oil_get_price(oil, effect, &request, answered, source);
    }
}

static void ask_coupons(struct making *making, const struct adapter_effect *effect) {
    Participant__Coupon__V1__ListUsableCouponsRequest request =
        PARTICIPANT__COUPON__V1__LIST_USABLE_COUPONS_REQUEST__INIT;
    Participant__Coupon__V1__CouponLine lines[TRADE_LINES_MAX], *pointers[TRADE_LINES_MAX];
    for (size_t i = 0; i < making->wish.n_lines; i++) {
        const Txcenter__Trade__V1__Fuel *fuel = making->wish.lines[i]->fuel;
        participant__coupon__v1__coupon_line__init(&lines[i]);
        lines[i].kind = view_text("fuel");
        lines[i].code = fuel->oil_code;
        lines[i].amount = fuel->amount; // absent where only the volume is known so far
        pointers[i] = &lines[i];
    }
    request.user_id = making->wish.context->user_id;
    request.station_id = making->wish.context->station_id;
    request.lines = pointers;
    request.n_lines = making->wish.n_lines;
    struct adapter *coupon = &making->trades->options.adapters->coupon;
    struct source *source = add(making, SOURCE_COUPONS, 0, coupon);
    if (source)
        coupon_list_usable(coupon, effect, &request, answered, source);
}

static void ask_user(struct making *making, const struct adapter_effect *effect) {
    struct adapter *user = &making->trades->options.adapters->user;
    Participant__User__V1__GetUserRequest request = PARTICIPANT__USER__V1__GET_USER_REQUEST__INIT;
    request.user_id = making->wish.context->user_id;
    struct source *source = add(making, SOURCE_USER, 0, user);
    if (source)
        user_get(user, effect, &request, answered, source);
}

static void ask_points(struct making *making, const struct adapter_effect *effect) {
    struct adapter *points = &making->trades->options.adapters->points;
    Participant__Points__V1__GetPointsRequest request = PARTICIPANT__POINTS__V1__GET_POINTS_REQUEST__INIT;
    request.user_id = making->wish.context->user_id;
    struct source *source = add(making, SOURCE_POINTS, 0, points);
    if (source)
        points_get(points, effect, &request, answered, source);
}

void quote_make(struct trades *trades, const struct quote_wish *wish, struct arena *arena, quote_made_fn *done,
                void *ctx) {
    struct making *making = calloc(1, sizeof *making);
    if (!making)
        abort();
    *making = (struct making){.trades = trades, .wish = *wish, .arena = arena, .done = done, .ctx = ctx};
    making->now_ms = trades_now(trades);
    struct adapter_effect effect = {.step = "quote",
                                    .trade_no = wish->trade_no,
                                    .request_id = wish->call_id,
                                    .traceparent = wish->traceparent,
                                    .deadline_ms = (uint32_t)trades->options.quote_budget_ms};
    making->open = 1; // until all are asked
    ask_user(making, &effect);
    ask_prices(making, &effect);
    ask_coupons(making, &effect);
    if (!wish->exclude_points)
        ask_points(making, &effect);
    if (--making->open == 0)
        conclude(making);
}

// ---- Judging the core sources ---------------------------------------------------------------------------------------

static bool judge_user(struct making *making, struct error *error) {
    const struct source *source = source_of(making, SOURCE_USER, 0);
    if (source->outcome == OUTCOME_REJECTED)
        return error_set(error, ERR_USER_NOT_ALLOWED, "the user system says %s", source->reason);
    if (!source->message)
        return error_set(error, ERR_PRICE_UNAVAILABLE, "the user system does not answer: %s", source->text);
    const Participant__User__V1__GetUserResponse *response = source->message;
    if (response->user->status != PARTICIPANT__USER__V1__USER_STATUS__USER_STATUS_ACTIVE)
        return error_set(error, ERR_USER_NOT_ALLOWED, "the user is not active");
    return true;
}

static bool judge_price(struct making *making, size_t line, struct error *error) {
    const struct source *source = source_of(making, SOURCE_PRICE, line);
    char path[64];
    if (source->outcome == OUTCOME_REJECTED) {
        snprintf(path, sizeof path, "lines[%zu].fuel", line);
        error_field(error, path, "the oil system says %s", source->reason);
        return false;
    }
    if (!source->message)
        return error_set(error, ERR_PRICE_UNAVAILABLE, "the oil system does not answer: %s", source->text);
    const Participant__Oil__V1__GetPriceResponse *response = source->message;
    if (strcmp(response->unit_price->currency, making->trades->options.currency) != 0)
        return error_set(error, ERR_PRICE_UNAVAILABLE, "the price's currency is not %s",
                         making->trades->options.currency);
    return true;
}

// ---- Lines --------------------------------------------------------------------------------------------------------

struct priced_line {
    int64_t volume_centi, list_price, unit_price;
};

static bool price_line(struct making *making, size_t i, struct priced_line *ret_line, struct error *error) {
    const Txcenter__Trade__V1__Fuel *fuel = making->wish.lines[i]->fuel;
    const Participant__Oil__V1__GetPriceResponse *price = source_of(making, SOURCE_PRICE, i)->message;
    struct priced_line line = {.unit_price = price->unit_price->minor_units, .volume_centi = fuel->volume_centi};
    struct str currency = str_c(making->trades->options.currency);
    if (fuel->amount && fuel->volume_centi) {
        line.list_price = fuel->amount->minor_units;
        if (!forecourt_check(line.volume_centi, line.unit_price, line.list_price, currency, error)) {
            error_within(error, "lines[%zu]", i);
            return false;
        }
    } else if (fuel->amount) {
        line.list_price = fuel->amount->minor_units;
        if (!forecourt_volume(line.list_price, line.unit_price, &line.volume_centi, error))
            return false;
    } else if (!forecourt_amount(line.volume_centi, line.unit_price, &line.list_price, error)) {
        return false;
    }
    *ret_line = line;
    return true;
}

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

static bool make_input(struct making *making, const struct priced_line *lines, struct solver_input *input) {
    struct arena *arena = making->arena;
    const struct quote_wish *wish = &making->wish;
    const Participant__Coupon__V1__ListUsableCouponsResponse *coupons = source_of(making, SOURCE_COUPONS, 0)->message;
    const struct source *points_source = source_of(making, SOURCE_POINTS, 0);
    const Participant__Points__V1__GetPointsResponse *points = points_source ? points_source->message : NULL;
    size_t offered = coupons ? coupons->n_coupons : 0, n_benefits = 0;
    struct solver_line *solver_lines = arena_calloc(arena, wish->n_lines, sizeof *solver_lines);
    struct solver_benefit *benefits = arena_calloc(arena, SOLVER_BENEFITS_MAX, sizeof *benefits);
    if (!solver_lines || !benefits)
        return false;
    for (size_t i = 0; i < wish->n_lines; i++)
        solver_lines[i] = (struct solver_line){.kind = STR("fuel"),
                                               .code = str_c(wish->lines[i]->fuel->oil_code),
                                               .amount = lines[i].list_price,
                                               .quantity = lines[i].volume_centi,
                                               .unit_price = lines[i].unit_price};
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

static void add_lines(struct making *making, const struct priced_line *lines, quote_message *quote) {
    struct arena *arena = making->arena;
    quote->lines = view_array(arena, making->wish.n_lines);
    for (size_t i = 0; quote->lines && i < making->wish.n_lines; i++) {
        const Txcenter__Trade__V1__Fuel *fuel = making->wish.lines[i]->fuel;
        const Participant__Oil__V1__GetPriceResponse *price = source_of(making, SOURCE_PRICE, i)->message;
        Txcenter__Trade__V1__QuotedLine *line =
            VIEW_NEW(arena, txcenter__trade__v1__quoted_line, Txcenter__Trade__V1__QuotedLine);
        if (!line)
            return;
        line->kind = view_text("fuel");
        line->code = fuel->oil_code;
        line->name = price->name;
        line->nozzle = fuel->nozzle;
        line->volume_centi = lines[i].volume_centi;
        line->unit_price = MONEY(lines[i].unit_price);
        line->list_price = MONEY(lines[i].list_price);
        quote->lines[quote->n_lines++] = line;
    }
}

static void add_degraded(struct making *making, quote_message *quote) {
    static const struct {
        enum source_kind kind;
        const char *name;
    } optional[] = {{SOURCE_COUPONS, "coupon"}, {SOURCE_POINTS, "points"}};
    quote->degraded_sources = view_array(making->arena, 2);
    for (size_t i = 0; quote->degraded_sources && i < 2; i++) {
        const struct source *source = source_of(making, optional[i].kind, 0);
        // A definite no (an unknown user there) is an answer: nothing can be used.
        if (source && !source->message && source->outcome != OUTCOME_REJECTED)
            quote->degraded_sources[quote->n_degraded_sources++] = view_text(optional[i].name);
    }
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

static quote_message *quote_of(struct making *making, const struct priced_line *lines, const struct solver_input *input,
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
    add_lines(making, lines, quote);
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
    const struct source *points = source_of(making, SOURCE_POINTS, 0);
    facts.at = view_time(making->now_ms, making->arena);
    facts.user = (void *)(uintptr_t)source_of(making, SOURCE_USER, 0)->message;
    for (size_t i = 0; i < making->wish.n_lines; i++)
        prices[i] = (void *)(uintptr_t)source_of(making, SOURCE_PRICE, i)->message;
    facts.prices = prices;
    facts.n_prices = making->wish.n_lines;
    facts.coupons = (void *)(uintptr_t)source_of(making, SOURCE_COUPONS, 0)->message;
    facts.points = points ? (void *)(uintptr_t)points->message : NULL;
    size_t size = txcenter__trade__v1__quote_facts__get_packed_size(&facts);
    uint8_t *bytes = arena_alloc(making->arena, size + 1);
    return bytes ? str_n(bytes, txcenter__trade__v1__quote_facts__pack(&facts, bytes)) : STR_NONE;
}

static bool make(struct making *making, struct quote_made *made, struct error *error) {
    struct priced_line lines[TRADE_LINES_MAX];
    struct solver_input input;
    struct solver_result result;
    if (!judge_user(making, error))
        return false;
    for (size_t i = 0; i < making->wish.n_lines; i++)
        if (!judge_price(making, i, error) || !price_line(making, i, &lines[i], error))
            return false;
    if (!make_input(making, lines, &input))
        return error_set(error, ERR_OVERLOADED, "the quote needs too much memory");
    if (!solver_solve(&input, making->arena, &result, error))
        return false;
    made->quote = quote_of(making, lines, &input, &result);
    made->facts = facts_of(making);
    if (!made->quote || !made->facts.ptr || made->facts.len > TRADE_BLOB_MAX)
        return error_set(error, ERR_OVERLOADED, "the quote needs too much memory");
    return true;
}

static void conclude(struct making *making) {
    struct quote_made made = {0};
    struct error error = {0};
    bool good = make(making, &made, &error);
    making->done(making->ctx, good ? &made : NULL, good ? NULL : &error);
    free(making);
}
