#include "orchestrator/ctl/trade_view.h"

#include "orchestrator/ctl/reading.h"
#include "orchestrator/ctl/table.h"
#include "orchestrator/ctl/words.h"

// ---- Cells and lines ----------------------------------------------------------------------------------------------

static void add_money(struct table *table, const Txcenter__Type__V1__Money *money) {
    char text[READING_MONEY_MAX];
    reading_money(money, text);
    table_add(table, PAINT_PLAIN, str_c(text));
}

// Nothing where there is no amount to speak of.
static void add_amount(struct table *table, const Txcenter__Type__V1__Money *money) {
    add_money(table, reading_is_zero(money) ? NULL : money);
}

static void add_state(struct table *table, const ProtobufCEnumDescriptor *type, int value) {
    char word[WORDS_MAX];
    words_state(type, value, word);
    table_add(table, words_paint(word), str_c(word));
}

static void add_time(struct table *table, const Google__Protobuf__Timestamp *stamp) {
    char text[VIEW_TIME_MAX];
    reading_time(stamp, text);
    table_add(table, PAINT_PLAIN, str_c(text));
}

static void print_state(struct view *view, const ProtobufCEnumDescriptor *type, int value) {
    char word[WORDS_MAX];
    words_state(type, value, word);
    view_text(view, words_paint(word), str_c(word));
}

static void heading(struct view *view, const char *title) {
    view_printf(view, "\n");
    view_text(view, PAINT_BOLD, str_c(title));
    view_printf(view, "\n");
}

// "  name  value" when there is a value.
static void fact(struct view *view, const char *name, struct str value) {
    if (str_empty(value))
        return;
    view_printf(view, "  ");
    view_text(view, PAINT_DIM, str_c(name));
    view_pad(view, 10 > strlen(name) ? 10 - strlen(name) : 1);
    view_text(view, PAINT_PLAIN, value);
    view_printf(view, "\n");
}

static void fact_money(struct view *view, const char *name, const Txcenter__Type__V1__Money *money) {
    char text[READING_MONEY_MAX];
    reading_money(money, text);
    fact(view, name, str_c(text));
}

static void fact_time(struct view *view, const char *name, const Google__Protobuf__Timestamp *stamp) {
    char text[VIEW_TIME_MAX];
    reading_time(stamp, text);
    if (stamp)
        fact(view, name, str_c(text));
}

static void fact_because(struct view *view, const char *reason, const char *text) {
    struct buf both;
    buf_init(&both, 4096);
    buf_printf(&both, "%.200s%s%.2000s", reason, *reason && *text ? ": " : "", text);
    fact(view, "because", buf_str(&both));
    buf_release(&both);
}

static struct str joined(struct arena *arena, char *const *texts, size_t n) {
    struct str all = STR("");
    for (size_t i = 0; i < n; i++)
        all = i == 0 ? str_c(texts[0]) : arena_printf(arena, "%.*s, %s", STR_FMT(all), texts[i]);
    return all;
}

// ---- Quotes -------------------------------------------------------------------------------------------------------

static void show_lines(struct view *view, struct arena *arena, const Txcenter__Trade__V1__Quote *quote,
                       const Txcenter__Trade__V1__Combination *combination) {
    static const struct table_column columns[] = {
        {"#", true},       {"kind", false},      {"code", false},  {"name", false},   {"nozzle", false},
        {"volume", true},  {"unit price", true}, {"list", true},   {"level", true},   {"activities", true},
        {"coupons", true}, {"points", true},     {"tender", true}, {"payable", true}, {NULL, false}};
    struct table table;
    table_init(&table, arena, columns);
    for (size_t i = 0; i < quote->n_lines; i++) {
        const Txcenter__Trade__V1__QuotedLine *line = quote->lines[i];
        const Txcenter__Trade__V1__LineShare *share =
            combination && i < combination->n_line_shares ? combination->line_shares[i] : NULL;
        char volume[READING_VOLUME_MAX] = "";
        if (line->volume_centi != 0)
            reading_volume(line->volume_centi, volume);
        table_addf(&table, PAINT_DIM, "%zu", i);
        table_add(&table, PAINT_PLAIN, str_c(line->kind));
        table_add(&table, PAINT_PLAIN, str_c(line->code));
        table_add(&table, PAINT_PLAIN, str_c(line->name));
        table_add(&table, PAINT_PLAIN, str_c(line->nozzle));
        table_add(&table, PAINT_PLAIN, str_c(volume));
        add_money(&table, line->unit_price);
        add_money(&table, line->list_price);
        add_amount(&table, share ? share->level_discount : NULL);
        add_amount(&table, share ? share->activity_discount : NULL);
        add_amount(&table, share ? share->coupon_discount : NULL);
        add_amount(&table, share ? share->points_discount : NULL);
        add_amount(&table, share ? share->tender_discount : NULL);
        add_money(&table, share ? share->payable : NULL);
    }
    table_print(&table, view, 2);
}

static struct str benefits_of(struct arena *arena, const Txcenter__Trade__V1__Combination *combination) {
    struct str all = STR("none");
    for (size_t i = 0; i < combination->n_benefits; i++)
        all = i == 0 ? str_c(combination->benefits[0]->benefit_id)
                     : arena_printf(arena, "%.*s, %s", STR_FMT(all), combination->benefits[i]->benefit_id);
    return all;
}

// The kinds of tenders that it allows; empty: all.
static struct str tenders_of(struct arena *arena, const Txcenter__Trade__V1__Combination *combination) {
    struct str all = STR("");
    for (size_t i = 0; i < combination->n_tender_kinds; i++) {
        char kind[WORDS_MAX];
        words_choice(&txcenter__trade__v1__tender_kind__descriptor, (int)combination->tender_kinds[i], kind);
        all = arena_printf(arena, "%.*s%s%s", STR_FMT(all), i ? ", " : "", kind);
    }
    return all;
}

static void show_combinations(struct view *view, struct arena *arena, Txcenter__Trade__V1__Combination *const *list,
                              size_t n) {
    static const struct table_column columns[] = {{"combination", false}, {"benefits", false}, {"level", true},
                                                  {"activities", true},   {"coupons", true},   {"points", true},
                                                  {"less", true},         {"tender", true},    {"payable", true},
                                                  {"paid by", false},     {NULL, false}};
    struct table table;
    table_init(&table, arena, columns);
    for (size_t i = 0; i < n; i++) {
        table_add(&table, PAINT_BOLD, str_c(list[i]->combination_id));
        table_add(&table, PAINT_PLAIN, benefits_of(arena, list[i]));
        add_amount(&table, list[i]->level_discount);
        add_amount(&table, list[i]->activity_discount);
        add_amount(&table, list[i]->coupon_discount);
        if (list[i]->points != 0)
            table_addf(&table, PAINT_PLAIN, "%lld", (long long)list[i]->points);
        else
            table_add(&table, PAINT_PLAIN, STR(""));
        add_amount(&table, list[i]->points_discount);
        add_amount(&table, list[i]->tender_discount);
        add_money(&table, list[i]->payable);
        table_add(&table, PAINT_PLAIN, tenders_of(arena, list[i]));
    }
    table_print(&table, view, 2);
}

static void show_quote(struct view *view, struct arena *arena, const Txcenter__Trade__V1__Quote *quote) {
    fact_money(view, "list", quote->list_price);
    fact_time(view, "until", quote->expires_at);
    fact_time(view, "prices of", quote->priced_at);
    if (quote->n_degraded_sources)
        fact(view, "degraded", joined(arena, quote->degraded_sources, quote->n_degraded_sources));
    if (!quote->exact)
        fact(view, "search", STR("cut short; a better combination may exist"));
    heading(view, "Lines");
    show_lines(view, arena, quote, NULL);
    heading(view, "Combinations");
    show_combinations(view, arena, quote->combinations, quote->n_combinations);
}

// ---- Payments and refunds -----------------------------------------------------------------------------------------

static void show_attempt(struct view *view, struct arena *arena, const Txcenter__Trade__V1__PaymentAttempt *attempt) {
    static const struct table_column columns[] = {{"tender", false},     {"kind", false},    {"state", false},
                                                  {"amount", true},      {"account", false}, {"refunded", true},
                                                  {"payer paid", true},  {"gateway", false}, {"detail", false},
                                                  {"parameters", false}, {NULL, false}};
    struct table table;
    table_init(&table, arena, columns);
    for (size_t i = 0; i < attempt->n_tenders; i++) {
        const Txcenter__Trade__V1__Tender *tender = attempt->tenders[i];
        char kind[WORDS_MAX];
        words_choice(&txcenter__trade__v1__tender_kind__descriptor, (int)tender->kind, kind);
        table_add(&table, PAINT_PLAIN, str_c(tender->tender_no));
        table_add(&table, PAINT_PLAIN, str_c(kind));
        add_state(&table, &txcenter__trade__v1__tender_state__descriptor, (int)tender->state);
        add_money(&table, tender->amount);
        table_add(&table, PAINT_PLAIN, str_c(tender->account));
        add_amount(&table, tender->refunded);
        add_amount(&table, tender->payer_amount);
        table_add(&table, PAINT_PLAIN, str_c(tender->gateway_no));
        table_add(&table, PAINT_WARN, str_c(tender->detail));
        // What the payer's app needs is of no use once the payer has paid.
        bool open = tender->state == TXCENTER__TRADE__V1__TENDER_STATE__TENDER_STATE_PENDING;
        table_add(&table, PAINT_PLAIN, open ? str_c(tender->prepay_parameters) : STR(""));
    }
    view_printf(view, "\n");
    view_text(view, PAINT_BOLD, STR("Payment attempt "));
    view_printf(view, "%d  ", attempt->attempt_no);
    print_state(view, &txcenter__trade__v1__attempt_state__descriptor, (int)attempt->state);
    view_printf(view, "\n");
    fact_because(view, attempt->reason, attempt->text);
    table_print(&table, view, 2);
}

static void show_refund(struct view *view, struct arena *arena, const Txcenter__Trade__V1__Refund *refund) {
    static const struct table_column columns[] = {
        {"tender", false}, {"state", false}, {"amount", true}, {"detail", false}, {NULL, false}};
    struct table table;
    table_init(&table, arena, columns);
    for (size_t i = 0; i < refund->n_legs; i++) {
        table_add(&table, PAINT_PLAIN, str_c(refund->legs[i]->tender_no));
        add_state(&table, &txcenter__trade__v1__refund_leg_state__descriptor, (int)refund->legs[i]->state);
        add_money(&table, refund->legs[i]->amount);
        table_add(&table, PAINT_WARN, str_c(refund->legs[i]->detail));
    }
    char amount[READING_MONEY_MAX];
    reading_money(refund->amount, amount);
    view_printf(view, "\n");
    view_text(view, PAINT_BOLD, STR("Refund "));
    view_text(view, PAINT_PLAIN, str_c(refund->refund_no));
    view_printf(view, "  ");
    print_state(view, &txcenter__trade__v1__refund_state__descriptor, (int)refund->state);
    view_printf(view, "  ");
    view_text(view, PAINT_PLAIN, str_c(amount));
    view_printf(view, "%s\n", refund->final ? "  (nothing is left)" : "");
    fact(view, "because", str_c(refund->reason));
    fact_time(view, "begun", refund->created_at);
    fact_time(view, "done", refund->done_at);
    if (refund->points_given_back || refund->points_clawed_back || refund->points_shortfall) {
        struct str points =
            arena_printf(arena, "%lld given back, %lld taken back, %lld missing", (long long)refund->points_given_back,
                         (long long)refund->points_clawed_back, (long long)refund->points_shortfall);
        fact(view, "points", points);
    }
    if (refund->coupons_spent || refund->gifts_spent)
        fact(view, "spent",
             arena_printf(arena, "%d coupons, %d gifts", (int)refund->coupons_spent, (int)refund->gifts_spent));
    table_print(&table, view, 2);
}

// ---- Trades -------------------------------------------------------------------------------------------------------

static void show_headline(struct view *view, const Txcenter__Trade__V1__Trade *trade) {
    view_text(view, PAINT_BOLD, STR("Trade "));
    view_text(view, PAINT_BOLD, str_c(trade->trade_no));
    view_printf(view, "  ");
    print_state(view, &txcenter__trade__v1__trade_state__descriptor, (int)trade->state);
    view_printf(view, "  version %lld\n", (long long)trade->version);
}

#define FOLLOWER(name) TXCENTER__TRADE__V1__FOLLOWER_STATE__FOLLOWER_STATE_##name

// What follows the payment, of those that stand like this.
static void fact_followers(struct view *view, struct arena *arena, const char *what,
                           const Txcenter__Trade__V1__Trade *trade, Txcenter__Trade__V1__FollowerState state) {
    struct str names = STR("");
    for (size_t i = 0; i < trade->n_followers; i++)
        if (trade->followers[i]->state == state)
            names = arena_printf(arena, "%.*s%s%s", STR_FMT(names), names.len ? ", " : "", trade->followers[i]->name);
    fact(view, what, names);
}

static void show_summary(struct view *view, struct arena *arena, const Txcenter__Trade__V1__Trade *trade) {
    show_headline(view, trade);
    fact(view, "order", str_c(trade->order_no));
    const Txcenter__Trade__V1__Context *c = trade->context;
    if (c) {
        struct str where =
            arena_printf(arena, "%s%s%s%s%s%s%s%s%s", c->user_id, *c->station_id ? " at " : "", c->station_id,
                         *c->terminal_id ? " terminal " : "", c->terminal_id, *c->channel ? " through " : "",
                         c->channel, *c->tenant_id ? " of " : "", c->tenant_id);
        fact(view, "user", where);
    }
    fact_money(view, "payable", trade->payable);
    fact_money(view, "paid", reading_is_zero(trade->paid) ? NULL : trade->paid);
    fact_money(view, "authorised", trade->authorised);
    fact_money(view, "refunded", reading_is_zero(trade->refunded) ? NULL : trade->refunded);
    if (trade->points_awarded != 0)
        fact(view, "awarded", arena_printf(arena, "%lld points", (long long)trade->points_awarded));
    fact_followers(view, arena, "to come", trade, FOLLOWER(PENDING));
    fact_followers(view, arena, "unsure", trade, FOLLOWER(UNSURE));
    fact_because(view, trade->reason, trade->text);
    fact_time(view, "made", trade->created_at);
    fact_time(view, "expires", trade->paid_at ? NULL : trade->order_expires_at);
    fact_time(view, "paid at", trade->paid_at);
    fact_time(view, "archived", trade->archived_at);
}

static void show_ledger(struct view *view, struct arena *arena, const Txcenter__Trade__V1__Trade *trade) {
    static const struct table_column columns[] = {{"entry", true}, {"account", false}, {"amount", true},
                                                  {"text", false}, {"at", false},      {NULL, false}};
    struct table table;
    table_init(&table, arena, columns);
    for (size_t i = 0; i < trade->n_ledger; i++) {
        table_addf(&table, PAINT_DIM, "%d", trade->ledger[i]->entry);
        table_add(&table, PAINT_PLAIN, str_c(trade->ledger[i]->account));
        add_money(&table, trade->ledger[i]->amount);
        table_add(&table, PAINT_PLAIN, str_c(trade->ledger[i]->text));
        add_time(&table, trade->ledger[i]->at);
    }
    heading(view, "Ledger");
    table_print(&table, view, 2);
}

static void show_history(struct view *view, struct arena *arena, const Txcenter__Trade__V1__Trade *trade) {
    static const struct table_column columns[] = {{"state", false}, {"at", false}, {"after", true}, {NULL, false}};
    struct table table;
    table_init(&table, arena, columns);
    for (size_t i = 0; i < trade->n_history; i++) {
        char span[VIEW_SPAN_MAX] = "";
        if (i > 0)
            view_span(reading_ms(trade->history[i]->at) - reading_ms(trade->history[i - 1]->at), span);
        add_state(&table, &txcenter__trade__v1__trade_state__descriptor, (int)trade->history[i]->state);
        add_time(&table, trade->history[i]->at);
        table_add(&table, PAINT_DIM, str_c(span));
    }
    heading(view, "History");
    table_print(&table, view, 2);
}

static void show_trade(struct view *view, struct arena *arena, const Txcenter__Trade__V1__Trade *trade) {
    show_summary(view, arena, trade);
    if (trade->quote) {
        heading(view, "Lines");
        show_lines(view, arena, trade->quote, trade->combination);
    }
    if (trade->combination) {
        heading(view, "Combination");
        show_combinations(view, arena, &trade->combination, 1);
    } else if (trade->quote) {
        heading(view, "Combinations");
        show_combinations(view, arena, trade->quote->combinations, trade->quote->n_combinations);
    }
    for (size_t i = 0; i < trade->n_attempts; i++)
        show_attempt(view, arena, trade->attempts[i]);
    for (size_t i = 0; i < trade->n_refunds; i++)
        show_refund(view, arena, trade->refunds[i]);
    if (trade->unused)
        show_refund(view, arena, trade->unused);
    if (trade->n_ledger)
        show_ledger(view, arena, trade);
    if (trade->n_history)
        show_history(view, arena, trade);
    if (trade->n_saga_gids) {
        heading(view, "Sagas");
        for (size_t i = 0; i < trade->n_saga_gids; i++) {
            view_printf(view, "  ");
            view_text(view, PAINT_PLAIN, str_c(trade->saga_gids[i]));
            view_printf(view, "\n");
        }
    }
}

static void show_outcome(struct view *view, struct arena *arena, const Txcenter__Trade__V1__Trade *trade,
                         const Txcenter__Trade__V1__PaymentAttempt *attempt, const Txcenter__Trade__V1__Refund *refund,
                         bool processing) {
    if (trade)
        show_summary(view, arena, trade);
    if (attempt)
        show_attempt(view, arena, attempt);
    if (refund)
        show_refund(view, arena, refund);
    if (processing) {
        view_printf(view, "\n");
        view_text(view, PAINT_WARN, STR("Still processing."));
        view_printf(view, " It goes on by itself; see `txctl trade watch ");
        view_text(view, PAINT_PLAIN, str_c(trade ? trade->trade_no : "TRADE"));
        view_printf(view, "`.\n");
    }
}

// ---- Responses ----------------------------------------------------------------------------------------------------

void trade_show_quote(struct view *view, struct arena *arena, const ProtobufCMessage *response) {
    const Txcenter__Trade__V1__QuoteResponse *r = (const void *)response;
    view_text(view, PAINT_BOLD, STR("Quote of trade "));
    view_text(view, PAINT_BOLD, str_c(r->trade_no));
    view_printf(view, "  version %d\n", r->quote ? r->quote->version : 0);
    if (r->quote)
        show_quote(view, arena, r->quote);
}

void trade_show_order(struct view *view, struct arena *arena, const ProtobufCMessage *response) {
    const Txcenter__Trade__V1__PlaceOrderResponse *r = (const void *)response;
    show_outcome(view, arena, r->trade, NULL, NULL, r->processing);
}

void trade_show_pay(struct view *view, struct arena *arena, const ProtobufCMessage *response) {
    const Txcenter__Trade__V1__PayResponse *r = (const void *)response;
    show_outcome(view, arena, r->trade, r->attempt, NULL, r->processing);
}

void trade_show_order_pay(struct view *view, struct arena *arena, const ProtobufCMessage *response) {
    const Txcenter__Trade__V1__OrderPayResponse *r = (const void *)response;
    show_outcome(view, arena, r->trade, r->attempt, NULL, r->processing);
}

void trade_show_quote_order_pay(struct view *view, struct arena *arena, const ProtobufCMessage *response) {
    const Txcenter__Trade__V1__QuoteOrderPayResponse *r = (const void *)response;
    show_outcome(view, arena, r->trade, r->attempt, NULL, r->processing);
}

void trade_show_cancel(struct view *view, struct arena *arena, const ProtobufCMessage *response) {
    const Txcenter__Trade__V1__CancelResponse *r = (const void *)response;
    show_outcome(view, arena, r->trade, NULL, r->refund, r->processing);
}

void trade_show_refund(struct view *view, struct arena *arena, const ProtobufCMessage *response) {
    const Txcenter__Trade__V1__RefundResponse *r = (const void *)response;
    show_outcome(view, arena, r->trade, NULL, r->refund, r->processing);
}

void trade_show_adjust(struct view *view, struct arena *arena, const ProtobufCMessage *response) {
    const Txcenter__Trade__V1__AdjustResponse *r = (const void *)response;
    show_outcome(view, arena, r->trade, NULL, r->trade ? r->trade->unused : NULL, false);
}

void trade_show_get(struct view *view, struct arena *arena, const ProtobufCMessage *response) {
    const Txcenter__Trade__V1__GetTradeResponse *r = (const void *)response;
    if (r->trade)
        show_trade(view, arena, r->trade);
}

void trade_show_list(struct view *view, struct arena *arena, const ProtobufCMessage *response) {
    static const struct table_column columns[] = {
        {"trade", false}, {"state", false},   {"payable", true}, {"paid", true},  {"refunded", true},
        {"user", false},  {"station", false}, {"order", false},  {"made", false}, {NULL, false}};
    const Txcenter__Trade__V1__ListTradesResponse *r = (const void *)response;
    struct table table;
    table_init(&table, arena, columns);
    for (size_t i = 0; i < r->n_trades; i++) {
        const Txcenter__Trade__V1__Trade *trade = r->trades[i];
        table_add(&table, PAINT_PLAIN, str_c(trade->trade_no));
        add_state(&table, &txcenter__trade__v1__trade_state__descriptor, (int)trade->state);
        add_money(&table, trade->payable);
        add_amount(&table, trade->paid);
        add_amount(&table, trade->refunded);
        table_add(&table, PAINT_PLAIN, str_c(trade->context ? trade->context->user_id : ""));
        table_add(&table, PAINT_PLAIN, str_c(trade->context ? trade->context->station_id : ""));
        table_add(&table, PAINT_PLAIN, str_c(trade->order_no));
        add_time(&table, trade->created_at);
    }
    table_print_page(&table, view, r->next_page_token);
}

// "card PENDING 50.00 CNY, wechat PAID 130.00 CNY" of the last attempt.
static void watch_attempt(struct view *view, const Txcenter__Trade__V1__PaymentAttempt *attempt) {
    view_printf(view, "  attempt %d ", attempt->attempt_no);
    print_state(view, &txcenter__trade__v1__attempt_state__descriptor, (int)attempt->state);
    for (size_t i = 0; i < attempt->n_tenders; i++) {
        char kind[WORDS_MAX], amount[READING_MONEY_MAX];
        words_choice(&txcenter__trade__v1__tender_kind__descriptor, (int)attempt->tenders[i]->kind, kind);
        reading_money(attempt->tenders[i]->amount, amount);
        view_printf(view, "%s%s ", i ? ", " : ": ", kind);
        print_state(view, &txcenter__trade__v1__tender_state__descriptor, (int)attempt->tenders[i]->state);
        view_printf(view, " ");
        view_text(view, PAINT_PLAIN, str_c(amount));
    }
}

void trade_show_watch(struct view *view, struct arena *arena, const ProtobufCMessage *response) {
    (void)arena;
    const Txcenter__Trade__V1__WatchTradeResponse *r = (const void *)response;
    const Txcenter__Trade__V1__Trade *trade = r->trade;
    if (!trade)
        return;
    char time[VIEW_TIME_MAX], payable[READING_MONEY_MAX];
    view_time(view->now_ms, time);
    reading_money(trade->payable, payable);
    view_text(view, PAINT_DIM, str_c(time));
    view_printf(view, "  version %lld  ", (long long)trade->version);
    print_state(view, &txcenter__trade__v1__trade_state__descriptor, (int)trade->state);
    if (*payable) {
        view_printf(view, "  payable ");
        view_text(view, PAINT_PLAIN, str_c(payable));
    }
    if (trade->n_attempts)
        watch_attempt(view, trade->attempts[trade->n_attempts - 1]);
    for (size_t i = 0; i < trade->n_refunds; i++) {
        view_printf(view, "  refund ");
        view_text(view, PAINT_PLAIN, str_c(trade->refunds[i]->refund_no));
        view_printf(view, " ");
        print_state(view, &txcenter__trade__v1__refund_state__descriptor, (int)trade->refunds[i]->state);
    }
    view_printf(view, "\n");
}

bool trade_has_ended(const Txcenter__Trade__V1__Trade *trade) {
    switch (trade->state) {
    case TXCENTER__TRADE__V1__TRADE_STATE__TRADE_STATE_COMPLETED:
    case TXCENTER__TRADE__V1__TRADE_STATE__TRADE_STATE_REFUNDED:
    case TXCENTER__TRADE__V1__TRADE_STATE__TRADE_STATE_CANCELLED:
    case TXCENTER__TRADE__V1__TRADE_STATE__TRADE_STATE_EXPIRED:
    case TXCENTER__TRADE__V1__TRADE_STATE__TRADE_STATE_FAILED: return true;
    default: return false;
    }
}
