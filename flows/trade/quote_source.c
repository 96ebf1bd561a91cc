#include "flows/trade/quote_source.h"

#include "adapters/card/card.h"
#include "adapters/coupon/coupon.h"
#include "adapters/discount/discount.h"
#include "adapters/goods/goods.h"
#include "adapters/level/level.h"
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
    bool informed;              // nobody else was being asked when it was
};

struct quote_sources {
    struct trades *trades;
    const struct quote_wish *wish;
    struct arena *arena;
    struct adapter_effect effect;
    int64_t now_ms;
    quote_sources_fn *done;
    void *ctx;
    unsigned open;
    bool again; // the second round has begun
    size_t n;
    struct asked list[2 * TRADE_LINES_MAX + QUOTE_SOURCE_KINDS];
};

// ---- Answers ------------------------------------------------------------------------------------------------------

static bool ask_again(struct quote_sources *all);

static void close_one(struct quote_sources *all) {
    if (--all->open > 0 || ask_again(all))
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

int64_t quote_bought_ms(const struct quote_wish *wish, int64_t now_ms) {
    const Google__Protobuf__Timestamp *at = wish->context->at;
    return at ? clock_moment_ms(at->seconds, at->nanos) : now_ms;
}

static void put_bought_at(const struct quote_sources *all, Google__Protobuf__Timestamp *at) {
    int64_t ms = quote_bought_ms(all->wish, all->now_ms);
    at->seconds = ms / 1000;
    at->nanos = (int32_t)(ms % 1000) * 1000000;
}

// ---- What each is asked -------------------------------------------------------------------------------------------

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
    put_bought_at(asked->all, &at);
    request.station_id = asked->all->wish->context->station_id;
    request.oil_code = fuel->oil_code;
    request.nozzle = fuel->nozzle;
    request.at = &at;
    put_question(asked, &oil_get_price_method, &request.base);
}

static void ask_pump(struct asked *asked) {
    const Txcenter__Trade__V1__Fuel *fuel = asked->all->wish->lines[asked->source.line]->fuel;
    Participant__Oil__V1__GetPumpRecordRequest request = PARTICIPANT__OIL__V1__GET_PUMP_RECORD_REQUEST__INIT;
    request.station_id = asked->all->wish->context->station_id;
    request.nozzle = fuel->nozzle;
    request.serial = fuel->pump_serial;
    put_question(asked, &oil_get_pump_record_method, &request.base);
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

static void ask_level(struct asked *asked) {
    Participant__Level__V1__GetLevelRequest request = PARTICIPANT__LEVEL__V1__GET_LEVEL_REQUEST__INIT;
    request.user_id = asked->all->wish->context->user_id;
    put_question(asked, &level_get_method, &request.base);
}

static void ask_points_rule(struct asked *asked) {
    Participant__Points__V1__GetRuleRequest request = PARTICIPANT__POINTS__V1__GET_RULE_REQUEST__INIT;
    request.station_id = asked->all->wish->context->station_id;
    put_question(asked, &points_get_rule_method, &request.base);
}

// What the discount engine is told of a line.
struct discount_line {
    Participant__Discount__V1__DiscountLine line;
    Txcenter__Type__V1__Money price;
};

// With its price, where that is known by now.
static void describe_line(const struct quote_sources *all, size_t i, struct discount_line *described) {
    Participant__Discount__V1__DiscountLine *line = &described->line;
    struct quote_line priced;
    struct error unpriced = {0};
    participant__discount__v1__discount_line__init(line);
    txcenter__type__v1__money__init(&described->price);
    if (quote_line_price(all->trades, all->wish, all, i, &priced, &unpriced)) {
        described->price.currency = view_text(all->trades->options.currency);
        described->price.minor_units = priced.list_price;
        line->kind = view_text(priced.kind);
        line->code = view_text(priced.code);
        line->quantity = priced.volume_centi ? priced.volume_centi : priced.quantity;
        line->list_price = &described->price;
        return;
    }
    Participant__Coupon__V1__CouponLine preview = PARTICIPANT__COUPON__V1__COUPON_LINE__INIT;
    quote_line_preview(all->wish->lines[i], &preview);
    line->kind = preview.kind;
    line->code = preview.code;
    line->list_price = preview.amount;
}

static void ask_activities(struct asked *asked) {
    const struct quote_sources *all = asked->all;
    const Txcenter__Trade__V1__Context *context = all->wish->context;
    const Participant__User__V1__GetUserResponse *user = quote_answer_of(all, QUOTE_USER, 0);
    const Participant__Level__V1__GetLevelResponse *level = quote_answer_of(all, QUOTE_LEVEL, 0);
    Participant__Discount__V1__ListActivitiesRequest request = PARTICIPANT__DISCOUNT__V1__LIST_ACTIVITIES_REQUEST__INIT;
    Participant__Discount__V1__Buyer buyer = PARTICIPANT__DISCOUNT__V1__BUYER__INIT;
    Google__Protobuf__Timestamp at = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    struct discount_line lines[TRADE_LINES_MAX];
    Participant__Discount__V1__DiscountLine *pointers[TRADE_LINES_MAX];
    for (size_t i = 0; i < all->wish->n_lines; i++) {
        describe_line(all, i, &lines[i]);
        pointers[i] = &lines[i].line;
    }
    put_bought_at(all, &at);
    buyer.user_id = context->user_id;
    buyer.card_no = view_text(user ? user->user->card_no : "");
    buyer.plate_no = view_text(user ? user->user->plate_no : "");
    request.buyer = &buyer;
    request.tenant_id = context->tenant_id;
    request.station_id = context->station_id;
    request.channel = context->channel;
    request.scenario = context->scenario;
    request.level_code = view_text(level ? level->level->level_code : "");
    request.at = &at;
    request.lines = pointers;
    request.n_lines = all->wish->n_lines;
    put_question(asked, &discount_list_activities_method, &request.base);
}

// What is left of a quota is this buyer's.
static bool have_quota(const ProtobufCMessage *message) {
    const Participant__Discount__V1__ListActivitiesResponse *answer = (const void *)message;
    for (size_t i = 0; i < answer->n_activities; i++)
        if (answer->activities[i]->has_quota)
            return true;
    return false;
}

// It would have been told more than when it was asked.
static bool lacked_something(const struct asked *asked) {
    const Participant__Discount__V1__ListActivitiesResponse *answer = asked->source.message;
    return !asked->informed && answer && answer->incomplete;
}

// ---- Who has a say ------------------------------------------------------------------------------------------------

static bool for_user(const struct quote_wish *wish, size_t line) {
    return line == 0 && wish->context->user_id[0];
}

static bool for_fuel(const struct quote_wish *wish, size_t line) {
    return wish->lines[line]->item_case == TXCENTER__TRADE__V1__LINE__ITEM_FUEL;
}

static bool for_dispensed(const struct quote_wish *wish, size_t line) {
    return for_fuel(wish, line) && wish->lines[line]->fuel->pump_serial[0];
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

// Whoever buys: the engine lists what is for everybody where it is told of nobody.
static bool for_what_gets_cheaper(const struct quote_wish *wish, size_t line) {
    return line == 0 && !quote_is_recharge(wish);
}

static bool for_what_user_has(const struct quote_wish *wish, size_t line) {
    return for_user(wish, line) && for_what_gets_cheaper(wish, line);
}

static bool for_points(const struct quote_wish *wish, size_t line) {
    return for_what_user_has(wish, line) && !wish->exclude_points;
}

// A new source is its line in TRADE_SOURCES and a row here.
static const struct {
    const char *optional; // its name in degraded_sources; NULL: core
    size_t system;        // offset of its adapter
    bool (*applies)(const struct quote_wish *wish, size_t line);
    void (*ask)(struct asked *asked);
    enum trade_fact fact;                     // as what its answer is kept; 0: it is not, what a user has among it
    bool (*is_own)(const ProtobufCMessage *); // of its answer: whether something in it is a user's own; NULL: never
    bool (*again)(const struct asked *asked); // of its answer: whether to ask once more; NULL: never
} sources[] = {
    [QUOTE_USER] = {NULL, offsetof(struct adapters, user), for_user, ask_user, .fact = TRADE_FACT_NONE},
    [QUOTE_PRICE] = {NULL, offsetof(struct adapters, oil), for_fuel, ask_price, .fact = TRADE_FACT_PRICE},
    [QUOTE_PUMP] = {NULL, offsetof(struct adapters, oil), for_dispensed, ask_pump, .fact = TRADE_FACT_NONE},
    [QUOTE_GOODS] = {NULL, offsetof(struct adapters, goods), for_any_goods, ask_goods, .fact = TRADE_FACT_NONE},
    [QUOTE_CARD] = {NULL, offsetof(struct adapters, card), for_recharge, ask_card, .fact = TRADE_FACT_NONE},
    [QUOTE_LEVEL] = {"level", offsetof(struct adapters, level), for_what_user_has, ask_level, .fact = TRADE_FACT_LEVEL},
    [QUOTE_COUPONS] = {"coupon", offsetof(struct adapters, coupon), for_what_user_has, ask_coupons,
                       .fact = TRADE_FACT_NONE},
    [QUOTE_POINTS] = {"points", offsetof(struct adapters, points), for_points, ask_points, .fact = TRADE_FACT_NONE},
    [QUOTE_POINTS_RULE] = {"points", offsetof(struct adapters, points), for_points, ask_points_rule,
                           .fact = TRADE_FACT_POINTS_RULE},
    [QUOTE_ACTIVITIES] = {"discount", offsetof(struct adapters, discount), for_what_gets_cheaper, ask_activities,
                          .fact = TRADE_FACT_ACTIVITIES, .is_own = have_quota, .again = lacked_something},
};
_Static_assert(sizeof sources / sizeof sources[0] == QUOTE_SOURCE_KINDS, "a row each");

// What is left of the quote's time, or of the source's own where that is less.
static int64_t left_of(const struct quote_sources *all, enum quote_source_kind kind) {
    int64_t whole_ms = all->trades->options.quote_budget_ms, own_ms = all->trades->options.source_budget_ms[kind];
    int64_t spent_ms = trades_now(all->trades) - all->now_ms;
    return (own_ms > 0 && own_ms < whole_ms ? own_ms : whole_ms) - (spent_ms > 0 ? spent_ms : 0);
}

// A system that takes no calls at present counts as one without an answer, and so does one for which no time is left.
static void put_question(struct asked *asked, const struct adapter_method *method, ProtobufCMessage *request) {
    struct quote_sources *all = asked->all;
    enum quote_source_kind kind = asked->source.kind;
    struct adapter_effect effect = all->effect;
    struct error error = {0};
    const struct fact_question question = {
        .fact = all->wish->context->at ? TRADE_FACT_NONE : sources[kind].fact, // what is kept is of now
        .is_own = sources[kind].is_own,
        .system = (struct adapter *)(void *)((char *)all->trades->options.adapters + sources[kind].system),
        .method = method,
        .effect = &effect,
        .request = request,
    };
    int64_t left_ms = left_of(all, kind);
    effect.deadline_ms = (uint32_t)left_ms;
    bool asks = left_ms > 0 ? fact_ask(all->trades->facts, &question, asked->key, answered, asked, &error)
                            : error_set(&error, ERR_TIMED_OUT, "the quote's time is over");
    if (asks) {
        all->open++;
        return;
    }
    asked->source.outcome = OUTCOME_RETRY;
    asked->source.reason = err_info(error.code)->name;
    asked->source.text = arena_str(all->arena, str_c(error.text)).ptr;
}

static void ask(struct asked *asked) {
    asked->source.message = NULL;
    asked->informed = asked->all->open == 1;
    sources[asked->source.kind].ask(asked);
}

// False when there is nobody to ask again, or they have answered at once.
static bool ask_again(struct quote_sources *all) {
    if (all->again)
        return false;
    all->again = true;
    all->open = 1;
    for (size_t i = 0; i < all->n; i++)
        if (sources[all->list[i].source.kind].again && sources[all->list[i].source.kind].again(&all->list[i]))
            ask(&all->list[i]);
    return --all->open > 0;
}

void quote_sources_ask(struct trades *trades, const struct quote_wish *wish, int64_t now_ms, struct arena *arena,
                       quote_sources_fn *done, void *ctx) {
    struct quote_sources *all = calloc(1, sizeof *all);
    if (!all)
        abort();
    *all = (struct quote_sources){
        .trades = trades, .wish = wish, .arena = arena, .now_ms = now_ms, .done = done, .ctx = ctx, .open = 1};
    all->effect = (struct adapter_effect){
        .step = "quote", .trade_no = wish->trade_no, .request_id = wish->call_id, .traceparent = wish->traceparent};
    for (int kind = 0; kind < QUOTE_SOURCE_KINDS; kind++)
        for (size_t line = 0; line < wish->n_lines; line++) {
            if (!sources[kind].applies(wish, line))
                continue;
            struct asked *asked = &all->list[all->n++];
            asked->all = all;
            asked->source =
                (struct quote_source){.kind = (enum quote_source_kind)kind, .line = line, .reason = "", .text = ""};
            ask(asked);
        }
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
