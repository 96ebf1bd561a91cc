#include "flows/trade/quote_source.h"

#include "adapters/card/card.h"
#include "adapters/coupon/coupon.h"
#include "adapters/goods/goods.h"
#include "adapters/oil/oil.h"
#include "adapters/points/points.h"
#include "adapters/user/user.h"
#include "flows/trade/fact.h"
#include "flows/trade/internal.h"
#include "flows/trade/quote_line.h"
#include "flows/trade/view.h"

#include <stdlib.h>

struct asked {
    struct quote_source source; // first: what others see
    struct quote_sources *all;
    char key[FACT_KEY_MAX + 1]; // of a fact that may be kept
};

struct quote_sources {
    struct trades *trades;
    const struct quote_wish *wish;
    struct arena *arena;
    struct adapter_effect effect;
    int64_t now_ms, until_ms;
    quote_sources_fn *done;
    void *ctx;
    unsigned open;
    size_t n;
    struct asked list[TRADE_LINES_MAX + QUOTE_SOURCE_KINDS];
};

// ---- Answers ------------------------------------------------------------------------------------------------------

static void close_one(struct quote_sources *all) {
    if (--all->open > 0)
        return;
    all->done(all->ctx, all);
    free(all);
}

static void answered(void *ctx, const struct adapter_answer *answer) {
    struct asked *asked = ctx;
    struct quote_sources *all = asked->all;
    struct quote_source *source = &asked->source;
    source->outcome = answer->outcome;
    source->reason = arena_str(all->arena, str_c(answer->reason)).ptr;
    source->text = arena_str(all->arena, str_c(answer->text)).ptr;
    if (answer->outcome == OUTCOME_OK)
        source->message = adapter_decode(arena_str(all->arena, answer->bytes), answer->message->descriptor, all->arena);
    close_one(all);
}

// ---- What each is asked -------------------------------------------------------------------------------------------

// A system that takes no calls at present counts as one without an answer.
static void put_question(struct asked *asked, const struct adapter_method *method, ProtobufCMessage *request);

static void ask_user(struct asked *asked) {
    Participant__User__V1__GetUserRequest request = PARTICIPANT__USER__V1__GET_USER_REQUEST__INIT;
    request.user_id = asked->all->wish->context->user_id;
    put_question(asked, &user_get_method, &request.base);
}

static void ask_price(struct asked *asked) {
    const Txcenter__Trade__V1__Fuel *fuel = asked->all->wish->lines[asked->source.line]->fuel;
    Google__Protobuf__Timestamp at = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    Participant__Oil__V1__GetPriceRequest request = PARTICIPANT__OIL__V1__GET_PRICE_REQUEST__INIT;
    at.seconds = asked->all->now_ms / 1000;
    request.station_id = asked->all->wish->context->station_id;
    request.oil_code = fuel->oil_code;
    request.nozzle = fuel->nozzle;
    request.at = &at;
    put_question(asked, &oil_get_price_method, &request.base);
}

static void ask_goods(struct asked *asked) {
    const struct quote_wish *wish = asked->all->wish;
    char *skus[TRADE_LINES_MAX];
    Participant__Goods__V1__GetGoodsRequest request = PARTICIPANT__GOODS__V1__GET_GOODS_REQUEST__INIT;
    request.station_id = wish->context->station_id;
    request.skus = skus;
    for (size_t i = 0; i < wish->n_lines; i++)
        if (wish->lines[i]->item_case == TXCENTER__TRADE__V1__LINE__ITEM_GOODS)
            skus[request.n_skus++] = wish->lines[i]->goods->sku;
    put_question(asked, &goods_get_method, &request.base);
}

static void ask_card(struct asked *asked) {
    Participant__Card__V1__GetCardRequest request = PARTICIPANT__CARD__V1__GET_CARD_REQUEST__INIT;
    request.card_no = asked->all->wish->lines[0]->recharge->card_no;
    put_question(asked, &card_get_method, &request.base);
}

static void ask_coupons(struct asked *asked) {
    const struct quote_wish *wish = asked->all->wish;
    Participant__Coupon__V1__ListUsableCouponsRequest request =
        PARTICIPANT__COUPON__V1__LIST_USABLE_COUPONS_REQUEST__INIT;
    Participant__Coupon__V1__CouponLine lines[TRADE_LINES_MAX], *pointers[TRADE_LINES_MAX];
    for (size_t i = 0; i < wish->n_lines; i++) {
        participant__coupon__v1__coupon_line__init(&lines[i]);
        quote_line_preview(wish->lines[i], &lines[i]);
        pointers[i] = &lines[i];
    }
    request.user_id = wish->context->user_id;
    request.station_id = wish->context->station_id;
    request.lines = pointers;
    request.n_lines = wish->n_lines;
    put_question(asked, &coupon_list_usable_method, &request.base);
}

static void ask_points(struct asked *asked) {
    Participant__Points__V1__GetPointsRequest request = PARTICIPANT__POINTS__V1__GET_POINTS_REQUEST__INIT;
    request.user_id = asked->all->wish->context->user_id;
    put_question(asked, &points_get_method, &request.base);
}

// ---- Who has a say ------------------------------------------------------------------------------------------------

static bool always(const struct quote_wish *wish, size_t line) {
    (void)wish;
    return line == 0;
}

static bool for_fuel(const struct quote_wish *wish, size_t line) {
    return wish->lines[line]->item_case == TXCENTER__TRADE__V1__LINE__ITEM_FUEL;
}

static bool for_any_goods(const struct quote_wish *wish, size_t line) {
    for (size_t i = 0; line == 0 && i < wish->n_lines; i++)
        if (wish->lines[i]->item_case == TXCENTER__TRADE__V1__LINE__ITEM_GOODS)
            return true;
    return false;
}

static bool for_recharge(const struct quote_wish *wish, size_t line) {
    return line == 0 && quote_is_recharge(wish);
}

static bool for_what_gets_cheaper(const struct quote_wish *wish, size_t line) {
    return line == 0 && !quote_is_recharge(wish);
}

static bool for_points(const struct quote_wish *wish, size_t line) {
    return for_what_gets_cheaper(wish, line) && !wish->exclude_points;
}

// A new source is its line in TRADE_SOURCES and a row here.
static const struct {
    const char *optional; // its name in degraded_sources; NULL: core
    size_t system;        // offset of its adapter
    bool (*applies)(const struct quote_wish *wish, size_t line);
    void (*ask)(struct asked *asked);
    enum trade_fact fact; // as what its answer is kept; 0: it is not, what a user has among it
} sources[] = {
    [QUOTE_USER] = {NULL, offsetof(struct adapters, user), always, ask_user},
    [QUOTE_PRICE] = {NULL, offsetof(struct adapters, oil), for_fuel, ask_price, TRADE_FACT_PRICE},
    [QUOTE_GOODS] = {NULL, offsetof(struct adapters, goods), for_any_goods, ask_goods},
    [QUOTE_CARD] = {NULL, offsetof(struct adapters, card), for_recharge, ask_card},
    [QUOTE_COUPONS] = {"coupon", offsetof(struct adapters, coupon), for_what_gets_cheaper, ask_coupons},
    [QUOTE_POINTS] = {"points", offsetof(struct adapters, points), for_points, ask_points},
};
_Static_assert(sizeof sources / sizeof sources[0] == QUOTE_SOURCE_KINDS, "a row each");

// What is left of the quote's time, or less where the source has less.
static uint32_t time_of(const struct quote_sources *all, enum quote_source_kind kind) {
    int64_t own_ms = all->trades->options.source_budget_ms[kind], left_ms = all->until_ms - trades_now(all->trades);
    if (own_ms > 0 && own_ms < left_ms)
        left_ms = own_ms;
    return left_ms > 0 ? (uint32_t)left_ms : 1;
}

static void put_question(struct asked *asked, const struct adapter_method *method, ProtobufCMessage *request) {
    struct quote_sources *all = asked->all;
    enum quote_source_kind kind = asked->source.kind;
    struct adapter_effect effect = all->effect;
    struct error error = {0};
    const struct fact_question question = {
        .fact = sources[kind].fact,
        .system = (struct adapter *)(void *)((char *)all->trades->options.adapters + sources[kind].system),
        .method = method,
        .effect = &effect,
        .request = request,
    };
    effect.deadline_ms = time_of(all, kind);
    if (fact_ask(all->trades->facts, &question, asked->key, answered, asked, &error)) {
        all->open++;
        return;
    }
    asked->source.outcome = OUTCOME_RETRY;
    asked->source.reason = err_info(error.code)->name;
    asked->source.text = arena_str(all->arena, str_c(error.text)).ptr;
}

static void ask(struct quote_sources *all, enum quote_source_kind kind, size_t line) {
    struct asked *asked = &all->list[all->n++];
    *asked = (struct asked){.source = {.kind = kind, .line = line, .reason = "", .text = ""}, .all = all};
    sources[kind].ask(asked);
}

void quote_sources_ask(struct trades *trades, const struct quote_wish *wish, int64_t now_ms, struct arena *arena,
                       quote_sources_fn *done, void *ctx) {
    struct quote_sources *all = calloc(1, sizeof *all);
    if (!all)
        abort();
    *all = (struct quote_sources){
        .trades = trades, .wish = wish, .arena = arena, .now_ms = now_ms, .done = done, .ctx = ctx, .open = 1};
    all->until_ms = now_ms + trades->options.quote_budget_ms;
    all->effect = (struct adapter_effect){
        .step = "quote", .trade_no = wish->trade_no, .request_id = wish->call_id, .traceparent = wish->traceparent};
    for (int kind = 0; kind < QUOTE_SOURCE_KINDS; kind++)
        for (size_t line = 0; line < wish->n_lines; line++)
            if (sources[kind].applies(wish, line))
                ask(all, (enum quote_source_kind)kind, line);
    close_one(all); // all are asked
}

// ---- Looking at them ----------------------------------------------------------------------------------------------

const struct quote_source *quote_source_of(const struct quote_sources *all, enum quote_source_kind kind, size_t line) {
    for (size_t i = 0; i < all->n; i++)
        if (all->list[i].source.kind == kind && all->list[i].source.line == line)
            return &all->list[i].source;
    return NULL;
}

const void *quote_answer_of(const struct quote_sources *all, enum quote_source_kind kind, size_t line) {
    const struct quote_source *source = quote_source_of(all, kind, line);
    return source ? source->message : NULL;
}

const char *quote_source_missing(const struct quote_sources *all, enum quote_source_kind kind) {
    const struct quote_source *source = quote_source_of(all, kind, 0);
    bool missing = source && !source->message && source->outcome != OUTCOME_REJECTED;
    return missing ? sources[kind].optional : NULL;
}

void quote_source_forget(const struct quote_sources *all, enum quote_source_kind kind, size_t line) {
    for (size_t i = 0; i < all->n; i++)
        if (all->list[i].source.kind == kind && all->list[i].source.line == line)
            fact_forget(all->trades->facts, sources[kind].fact, all->list[i].key);
}
