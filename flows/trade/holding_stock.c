// The goods of the order. Each refund gives back the lines whose money it gives back.
#include "adapters/goods/goods.h"
#include "flows/trade/holding.h"
#include "flows/trade/quote_line.h"
#include "flows/trade/refund_leg.h"
#include "flows/trade/refund_step.h"
#include "flows/trade/view.h"

static bool has(const struct trade *trade) {
    return trade_lines_of(trade, LINE_GOODS) > 0;
}

struct stock {
    Participant__Goods__V1__StockLine lines[TRADE_LINES_MAX], *list[TRADE_LINES_MAX];
    size_t n;
};

// Those of the order, or (`refund`) those that come back with it.
static void list_lines(const struct trade *trade, const struct refund_row *refund, struct stock *stock) {
    const struct line_row *row;
    stock->n = 0;
    for (unsigned i = 0; (row = trade_line_of(trade, LINE_GOODS, i)) && stock->n < TRADE_LINES_MAX; i++) {
        if (row->quantity <= 0 || (refund && !refund_brings_back(refund, row)))
            continue; // a cancel has left none of it (adjust.h)
        Participant__Goods__V1__StockLine *line = stock->list[stock->n] = &stock->lines[stock->n];
        participant__goods__v1__stock_line__init(line);
        line->sku = view_text(row->code);
        line->quantity = row->quantity;
        stock->n++;
    }
}

static void hold(struct saga_call *call, const struct adapter_effect *effect) {
    struct trade *trade = effect_trade(call);
    struct stock stock;
    Participant__Goods__V1__ReserveStockRequest request = PARTICIPANT__GOODS__V1__RESERVE_STOCK_REQUEST__INIT;
    list_lines(trade, NULL, &stock);
    request.station_id = view_text(trade->row.station_id);
    request.lines = stock.list;
    request.n_lines = stock.n;
    goods_reserve(&effect_adapters(call)->goods, effect, &request, effect_done_bare, call);
}

static void inquire(struct saga_call *call, const struct adapter_effect *effect) {
    adapter_inquire(&effect_adapters(call)->goods, &goods_inquire_method, &goods_reserve_method, effect,
                    effect_done_bare, call);
}

static void let_go(struct saga_call *call, const struct adapter_effect *effect) {
    Participant__Goods__V1__ReleaseStockRequest request = PARTICIPANT__GOODS__V1__RELEASE_STOCK_REQUEST__INIT;
    goods_release(&effect_adapters(call)->goods, effect, &request, effect_done_bare, call);
}

static bool use(struct saga_call *call, const struct adapter_effect *effect, const char *held_key,
                adapter_done_fn *done) {
    struct trade *trade = effect_trade(call);
    struct stock stock;
    Participant__Goods__V1__DeductStockRequest request = PARTICIPANT__GOODS__V1__DEDUCT_STOCK_REQUEST__INIT;
    list_lines(trade, NULL, &stock);
    if (stock.n == 0)
        return false;
    request.reserve_key = view_text(held_key);
    request.station_id = view_text(trade->row.station_id);
    request.lines = stock.list;
    request.n_lines = stock.n;
    goods_deduct(&effect_adapters(call)->goods, effect, &request, done, call);
    return true;
}

static struct holding_worth worth(const struct trade *trade) {
    const struct line_row *line;
    struct holding_worth worth = {0};
    for (unsigned i = 0; (line = trade_line_of(trade, LINE_GOODS, i)); i++)
        worth.amount += line->payable;
    return worth;
}

static bool comes_back(const struct trade *trade, const struct refund_row *refund) {
    struct stock stock;
    list_lines(trade, refund, &stock);
    return stock.n > 0;
}

static void give_back(struct saga_call *call, const struct adapter_effect *effect) {
    struct trade *trade = effect_trade(call);
    const struct refund_row *refund = refund_of_call(call);
    struct stock stock;
    Participant__Goods__V1__ReturnStockRequest request = PARTICIPANT__GOODS__V1__RETURN_STOCK_REQUEST__INIT;
    list_lines(trade, refund, &stock);
    request.refund_no = view_text(refund->refund_no);
    request.station_id = view_text(trade->row.station_id);
    request.lines = stock.list;
    request.n_lines = stock.n;
    goods_return(&effect_adapters(call)->goods, effect, &request, effect_done_bare, call);
}

static const char *too_late(const struct trade *trade) {
    const struct line_row *line;
    for (unsigned i = 0; (line = trade_line_of(trade, NULL, i)); i++)
        if (line->returned_by[0])
            return "goods of it have come back: there is nothing to deduct any more";
    return NULL;
}

const struct holding holding_stock = {
    .refused = ERR_OUT_OF_STOCK,
    .has = has,
    .hold = hold,
    .inquire = inquire,
    .let_go = let_go,
    .use = use,
    .worth = worth,
    .give_back = give_back,
    .comes_back = comes_back,
    .too_late = too_late,
};
