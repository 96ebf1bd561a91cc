// Goods of stations. What has a stock is counted by pool.c; a paid item has none and never runs out.
#include "participant/goods/v1/goods.pb-c.h"
#include "sim/world.h"

#include <stdio.h>

#define PB(name) Participant__Goods__V1__##name
#define STOCKED PARTICIPANT__GOODS__V1__GOODS_KIND__GOODS_KIND_STOCKED

static const struct store_column columns[] = {
    STORE_COL_TEXT(sim_goods_row, place),     STORE_COL_TEXT(sim_goods_row, name),
    STORE_COL_I32(sim_goods_row, kind),       STORE_COL_TEXT(sim_goods_row, currency),
    STORE_COL_I64(sim_goods_row, unit_price), STORE_COL_I64(sim_goods_row, stock),
};

const struct store_table sim_goods_table = {
    .name = "sim_goods",
    .row_size = sizeof(struct sim_goods_row),
    .columns = columns,
    .n_columns = STORE_COUNT(columns),
    .n_key = 1,
    .since = 2,
};

static const struct sim_pool_words words = {"reserve",      "release",          "deduct",        "return",
                                            "OUT_OF_STOCK", "ALREADY_DEDUCTED", "STOCK_MISMATCH"};

static const struct sim_goods_row *goods_of(struct sim_call *call, const char *station_id, const char *sku) {
    char place[sizeof((struct sim_goods_row *)NULL)->place];
    snprintf(place, sizeof place, "%s/%s", station_id, sku);
    const struct sim_goods_row *row = sim_find(call->system, SIM_GOODS_LIST, place);
    if (!row)
        sim_reject(call, "NOT_SOLD", "%s is not sold at %s", sku, station_id);
    return row;
}

static void get_goods(struct sim_call *call) {
    const PB(GetGoodsRequest) *request = (const void *)call->request;
    PB(Goods) goods[SIM_LISTED_MAX], *pointers[SIM_LISTED_MAX];
    PB(GetGoodsResponse) response = PARTICIPANT__GOODS__V1__GET_GOODS_RESPONSE__INIT;
    for (size_t i = 0; i < request->n_skus; i++) {
        const struct sim_goods_row *row = goods_of(call, request->station_id, request->skus[i]);
        if (!row)
            return;
        goods[i] = (PB(Goods))PARTICIPANT__GOODS__V1__GOODS__INIT;
        goods[i].sku = request->skus[i];
        goods[i].name = rpc_text(row->name);
        goods[i].kind = (PB(GoodsKind))row->kind;
        goods[i].unit_price = sim_money(call, row->currency, row->unit_price);
        goods[i].available = row->kind == STOCKED ? sim_pool_free(call->system, row->place, row->stock) : 0;
        pointers[i] = &goods[i];
    }
    response.goods = pointers;
    response.n_goods = request->n_skus;
    sim_answer(call, &response.base);
}

// What the request's lines are in pool.c's words; false after a rejection, or when they are malformed.
static bool lines_of(struct sim_call *call, const char *station_id, PB(StockLine) *const *lines, size_t n,
                     struct sim_pool_line *ret_lines) {
    for (size_t i = 0; i < n; i++)
        ret_lines[i] = (struct sim_pool_line){.name = lines[i]->sku, .quantity = lines[i]->quantity};
    if (!sim_pool_check(call, ret_lines, n))
        return false;
    for (size_t i = 0; i < n; i++) {
        const struct sim_goods_row *row = goods_of(call, station_id, lines[i]->sku);
        if (!row)
            return false;
        if (row->kind != STOCKED)
            continue;
        SIM_COPY(ret_lines[i].places[0].text, row->place);
        ret_lines[i].places[0].limit = row->stock;
        ret_lines[i].n_places = 1;
    }
    return true;
}

static void reserve_stock(struct sim_call *call) {
    const PB(ReserveStockRequest) *request = (const void *)call->request;
    struct sim_pool_line lines[SIM_LISTED_MAX];
    if (lines_of(call, request->station_id, request->lines, request->n_lines, lines))
        sim_pool_hold(call, &words, lines, request->n_lines);
}

static void release_stock(struct sim_call *call) {
    sim_pool_release(call, &words);
}

static void deduct_stock(struct sim_call *call) {
    const PB(DeductStockRequest) *request = (const void *)call->request;
    struct sim_pool_line lines[SIM_LISTED_MAX];
    if (lines_of(call, request->station_id, request->lines, request->n_lines, lines))
        sim_pool_take(call, &words, request->reserve_key, lines, request->n_lines);
}

static void return_stock(struct sim_call *call) {
    const PB(ReturnStockRequest) *request = (const void *)call->request;
    struct sim_pool_line lines[SIM_LISTED_MAX];
    if (lines_of(call, request->station_id, request->lines, request->n_lines, lines))
        sim_pool_put_back(call, &words, lines, request->n_lines, request->refund_no);
}

static const struct sim_method methods[] = {
    {.name = "GetGoods", .op = SIM_READ, .apply = get_goods},
    {.name = "ReserveStock", .op = SIM_ACTION, .apply = reserve_stock},
    {.name = "ReleaseStock", .op = SIM_COMPENSATE, .apply = release_stock, .undoes = "ReserveStock"},
    {.name = "DeductStock", .op = SIM_ACTION, .apply = deduct_stock},
    {.name = "ReturnStock", .op = SIM_ACTION, .apply = return_stock},
    {.name = "Inquire", .op = SIM_INQUIRE},
};

static const struct sim_set_def sets[] = {
    SIM_POOL_SET_DEFS(goods),
    [SIM_GOODS_LIST] = {.table = &sim_goods_table},
};

const struct sim_system_def sim_goods_def = {
    .name = "goods",
    .service = &participant__goods__v1__goods_service__descriptor,
    .methods = methods,
    .n_methods = STORE_COUNT(methods),
    .sets = sets,
    .n_sets = STORE_COUNT(sets),
};
