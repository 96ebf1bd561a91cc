// What an order holds: benefits, quota and stock, locked before it is made, used once it is paid, unlocked when it
// comes to nothing.
#include "flows/trade/purchase_step.h"

#include "adapters/coupon/coupon.h"
#include "adapters/discount/discount.h"
#include "adapters/goods/goods.h"
#include "adapters/points/points.h"
#include "flows/trade/chosen.h"
#include "flows/trade/payment.h"
#include "flows/trade/quote_line.h"
#include "flows/trade/shortfall.h"
#include "flows/trade/view.h"

// ---- Which steps apply --------------------------------------------------------------------------------------------

unsigned purchase_has_coupons(const struct saga_subject *subject, struct str input) {
    (void)input;
    return trade_of_const(subject)->row.coupons > 0;
}

unsigned purchase_has_points(const struct saga_subject *subject, struct str input) {
    (void)input;
    return trade_of_const(subject)->row.points > 0;
}

unsigned purchase_has_stock(const struct saga_subject *subject, struct str input) {
    (void)input;
    return trade_lines_of(trade_of_const(subject), LINE_GOODS) > 0;
}

unsigned purchase_has_quota(const struct saga_subject *subject, struct str input) {
    (void)input;
    return trade_of_const(subject)->row.quotas > 0;
}

static bool locks_first(const struct saga_subject *subject) {
    return trade_locks_first(trade_of_const(subject));
}

unsigned purchase_locks_coupons(const struct saga_subject *subject, struct str input) {
    return locks_first(subject) && purchase_has_coupons(subject, input);
}

unsigned purchase_locks_points(const struct saga_subject *subject, struct str input) {
    return locks_first(subject) && purchase_has_points(subject, input);
}

unsigned purchase_locks_stock(const struct saga_subject *subject, struct str input) {
    return locks_first(subject) && purchase_has_stock(subject, input);
}

unsigned purchase_locks_quota(const struct saga_subject *subject, struct str input) {
    return locks_first(subject) && purchase_has_quota(subject, input);
}

// The key under which a step has locked it; none when nothing was.
static const char *lock_key(const struct saga_call *call, uint16_t step_id, char out[SAGA_KEY_MAX]) {
    out[0] = '\0';
    if (trade_locks_first(effect_trade(call)))
        saga_call_key_of(call, step_id, 0, out);
    return out;
}

// The purchase's own step. What was not locked before may be gone. (Decided now: in its answer a call may have no trade
// any more.)
static void use_by_step(struct saga_call *call, purchase_use_fn *use) {
    struct adapter_effect effect = effect_of(call);
    use(call, &effect, trade_locks_first(effect_trade(call)) ? effect_done_bare : effect_done_as_short);
}

// What was to be used is gone: it was never used, so it does not come back either.
static void used_or_short(struct saga_turn *turn, struct str answer, const char *what, enum trade_missed missed,
                          int64_t amount, int64_t points) {
    if (shortfall_of_answer(turn, answer, what, amount, points))
        trade_edit(trade_of(saga_turn_subject(turn)))->missed |= (int32_t)missed;
}

// ---- Coupons ------------------------------------------------------------------------------------------------------

void purchase_lock_coupons(struct saga_call *call) {
    struct trade *trade = effect_trade(call);
    struct arena arena;
    arena_init(&arena, CHOSEN_ARENA_MAX);
    Participant__Coupon__V1__LockCouponsRequest request = PARTICIPANT__COUPON__V1__LOCK_COUPONS_REQUEST__INIT;
    struct adapter_effect effect = effect_of(call);
    request.user_id = view_text(trade->row.user_id);
    request.n_coupon_ids = chosen_coupons(trade, &arena, &request.coupon_ids);
    coupon_lock(&effect_adapters(call)->coupon, &effect, &request, effect_done_bare, call);
    arena_release(&arena);
}

void purchase_inquire_coupons(struct saga_call *call) {
    struct adapter_effect effect = effect_of(call);
    adapter_inquire(&effect_adapters(call)->coupon, &coupon_inquire_method, &coupon_lock_method, &effect,
                    effect_done_bare, call);
}

void purchase_unlock_coupons(struct saga_call *call) {
    Participant__Coupon__V1__UnlockCouponsRequest request = PARTICIPANT__COUPON__V1__UNLOCK_COUPONS_REQUEST__INIT;
    struct effect_whose whose;
    struct adapter_effect effect = purchase_undo_effect(call, STEP_LOCK_COUPONS, &whose);
    coupon_unlock(&effect_adapters(call)->coupon, &effect, &request, effect_done_bare, call);
}

static void use_coupons(struct saga_call *call, const struct adapter_effect *effect, adapter_done_fn *done) {
    struct arena arena;
    arena_init(&arena, CHOSEN_ARENA_MAX);
    Participant__Coupon__V1__UseCouponsRequest request = PARTICIPANT__COUPON__V1__USE_COUPONS_REQUEST__INIT;
    char key[SAGA_KEY_MAX];
    request.lock_key = view_text(lock_key(call, STEP_LOCK_COUPONS, key));
    request.n_coupon_ids = chosen_coupons(effect_trade(call), &arena, &request.coupon_ids);
    if (request.n_coupon_ids > 0)
        coupon_use(&effect_adapters(call)->coupon, effect, &request, done, call);
    else if (request.lock_key[0])
        purchase_unlock_coupons(call); // an adjustment has lost them
    else
        saga_call_ok(call, STR_NONE);
    arena_release(&arena);
}

void purchase_use_coupons(struct saga_call *call) {
    use_by_step(call, use_coupons);
}

void purchase_coupons_used(struct saga_turn *turn, enum saga_op op, enum outcome outcome, struct str answer) {
    (void)op, (void)outcome;
    const struct trade *trade = trade_of(saga_turn_subject(turn));
    used_or_short(turn, answer, SHORTFALL_COUPONS, MISSED_COUPONS, trade->row.discount[SOLVER_LAYER_COUPON], 0);
}

// ---- Points -------------------------------------------------------------------------------------------------------

void purchase_freeze_points(struct saga_call *call) {
    struct trade *trade = effect_trade(call);
    Participant__Points__V1__FreezePointsRequest request = PARTICIPANT__POINTS__V1__FREEZE_POINTS_REQUEST__INIT;
    struct adapter_effect effect = effect_of(call);
    request.user_id = view_text(trade->row.user_id);
    request.points = trade->row.points;
    points_freeze(&effect_adapters(call)->points, &effect, &request, effect_done_bare, call);
}

void purchase_inquire_points(struct saga_call *call) {
    struct adapter_effect effect = effect_of(call);
    adapter_inquire(&effect_adapters(call)->points, &points_inquire_method, &points_freeze_method, &effect,
                    effect_done_bare, call);
}

void purchase_unfreeze_points(struct saga_call *call) {
    if (!trade_locks_first(effect_trade(call))) {
        payment_unfreeze_paid(call);
        return;
    }
    Participant__Points__V1__UnfreezePointsRequest request = PARTICIPANT__POINTS__V1__UNFREEZE_POINTS_REQUEST__INIT;
    struct effect_whose whose;
    struct adapter_effect effect = purchase_undo_effect(call, STEP_FREEZE_POINTS, &whose);
    points_unfreeze(&effect_adapters(call)->points, &effect, &request, effect_done_bare, call);
}

static void deduct_points(struct saga_call *call, const struct adapter_effect *effect, adapter_done_fn *done) {
    struct trade *trade = effect_trade(call);
    Participant__Points__V1__DeductPointsRequest request = PARTICIPANT__POINTS__V1__DEDUCT_POINTS_REQUEST__INIT;
    char key[SAGA_KEY_MAX];
    if (trade_locks_first(trade))
        saga_call_key_of(call, STEP_FREEZE_POINTS, 0, key);
    else
        payment_points_key(trade, key);
    request.freeze_key = key;
    request.user_id = view_text(trade->row.user_id);
    request.points = trade->row.points;
    if (request.points > 0)
        points_deduct(&effect_adapters(call)->points, effect, &request, done, call);
    else if (key[0])
        purchase_unfreeze_points(call); // an adjustment has lost them
    else
        saga_call_ok(call, STR_NONE);
}

void purchase_deduct_points(struct saga_call *call) {
    use_by_step(call, deduct_points);
}

void purchase_points_deducted(struct saga_turn *turn, enum saga_op op, enum outcome outcome, struct str answer) {
    (void)op, (void)outcome;
    const struct trade_row *row = &trade_of(saga_turn_subject(turn))->row;
    used_or_short(turn, answer, SHORTFALL_POINTS, MISSED_POINTS, row->discount[SOLVER_LAYER_POINTS], row->points);
}

// ---- Stock --------------------------------------------------------------------------------------------------------

// The goods of the order.
struct stock_lines {
    Participant__Goods__V1__StockLine lines[TRADE_LINES_MAX], *list[TRADE_LINES_MAX];
    size_t n;
};

static void list_stock(const struct trade *trade, struct stock_lines *stock) {
    const struct line_row *row;
    stock->n = 0;
    for (unsigned i = 0; (row = trade_line_of(trade, LINE_GOODS, i)) && stock->n < TRADE_LINES_MAX; i++) {
        Participant__Goods__V1__StockLine *line = stock->list[stock->n] = &stock->lines[stock->n];
        participant__goods__v1__stock_line__init(line);
        line->sku = view_text(row->code);
        line->quantity = row->quantity;
        stock->n += row->quantity > 0; // a cancel has left none of it (adjust.h)
    }
}

void purchase_reserve_stock(struct saga_call *call) {
    struct trade *trade = effect_trade(call);
    struct stock_lines stock;
    Participant__Goods__V1__ReserveStockRequest request = PARTICIPANT__GOODS__V1__RESERVE_STOCK_REQUEST__INIT;
    struct adapter_effect effect = effect_of(call);
    list_stock(trade, &stock);
    request.station_id = view_text(trade->row.station_id);
    request.lines = stock.list;
    request.n_lines = stock.n;
    goods_reserve(&effect_adapters(call)->goods, &effect, &request, effect_done_bare, call);
}

void purchase_inquire_stock(struct saga_call *call) {
    struct adapter_effect effect = effect_of(call);
    adapter_inquire(&effect_adapters(call)->goods, &goods_inquire_method, &goods_reserve_method, &effect,
                    effect_done_bare, call);
}

void purchase_release_stock(struct saga_call *call) {
    Participant__Goods__V1__ReleaseStockRequest request = PARTICIPANT__GOODS__V1__RELEASE_STOCK_REQUEST__INIT;
    struct effect_whose whose;
    struct adapter_effect effect = purchase_undo_effect(call, STEP_RESERVE_STOCK, &whose);
    goods_release(&effect_adapters(call)->goods, &effect, &request, effect_done_bare, call);
}

static void deduct_stock(struct saga_call *call, const struct adapter_effect *effect, adapter_done_fn *done) {
    struct trade *trade = effect_trade(call);
    struct stock_lines stock;
    Participant__Goods__V1__DeductStockRequest request = PARTICIPANT__GOODS__V1__DEDUCT_STOCK_REQUEST__INIT;
    char key[SAGA_KEY_MAX];
    list_stock(trade, &stock);
    request.reserve_key = view_text(lock_key(call, STEP_RESERVE_STOCK, key));
    request.station_id = view_text(trade->row.station_id);
    request.lines = stock.list;
    request.n_lines = stock.n;
    if (stock.n > 0)
        goods_deduct(&effect_adapters(call)->goods, effect, &request, done, call);
    else if (key[0])
        purchase_release_stock(call); // nothing was bought
    else
        saga_call_ok(call, STR_NONE);
}

void purchase_deduct_stock(struct saga_call *call) {
    use_by_step(call, deduct_stock);
}

void purchase_stock_deducted(struct saga_turn *turn, enum saga_op op, enum outcome outcome, struct str answer) {
    (void)op, (void)outcome;
    const struct trade *trade = trade_of(saga_turn_subject(turn));
    const struct line_row *line;
    int64_t worth = 0;
    for (unsigned i = 0; (line = trade_line_of(trade, LINE_GOODS, i)); i++)
        worth += line->payable;
    used_or_short(turn, answer, SHORTFALL_STOCK, MISSED_STOCK, worth, 0);
}

// ---- Quota --------------------------------------------------------------------------------------------------------

// What is taken of which quotas, and whose they are.
struct quota {
    struct arena arena;
    Participant__Discount__V1__Buyer buyer;
    Participant__Discount__V1__QuotaLine **lines;
    size_t n;
};

static void quota_open(const struct trade *trade, struct quota *quota) {
    arena_init(&quota->arena, 2 * CHOSEN_ARENA_MAX); // the combination, and the facts
    const Participant__User__V1__User *user = chosen_buyer(trade, &quota->arena);
    participant__discount__v1__buyer__init(&quota->buyer);
    quota->buyer.user_id = view_text(trade->row.user_id);
    quota->buyer.card_no = view_text(user ? user->card_no : "");
    quota->buyer.plate_no = view_text(user ? user->plate_no : "");
    quota->n = chosen_quota(trade, &quota->arena, &quota->lines);
}

void purchase_lock_quota(struct saga_call *call) {
    struct quota quota;
    Participant__Discount__V1__LockQuotaRequest request = PARTICIPANT__DISCOUNT__V1__LOCK_QUOTA_REQUEST__INIT;
    struct adapter_effect effect = effect_of(call);
    quota_open(effect_trade(call), &quota);
    request.buyer = &quota.buyer;
    request.lines = quota.lines;
    request.n_lines = quota.n;
    discount_lock(&effect_adapters(call)->discount, &effect, &request, effect_done_bare, call);
    arena_release(&quota.arena);
}

void purchase_inquire_quota(struct saga_call *call) {
    struct adapter_effect effect = effect_of(call);
    adapter_inquire(&effect_adapters(call)->discount, &discount_inquire_method, &discount_lock_method, &effect,
                    effect_done_bare, call);
}

void purchase_unlock_quota(struct saga_call *call) {
    Participant__Discount__V1__UnlockQuotaRequest request = PARTICIPANT__DISCOUNT__V1__UNLOCK_QUOTA_REQUEST__INIT;
    struct effect_whose whose;
    struct adapter_effect effect = purchase_undo_effect(call, STEP_LOCK_QUOTA, &whose);
    discount_unlock(&effect_adapters(call)->discount, &effect, &request, effect_done_bare, call);
}

static void use_quota(struct saga_call *call, const struct adapter_effect *effect, adapter_done_fn *done) {
    struct quota quota;
    Participant__Discount__V1__UseQuotaRequest request = PARTICIPANT__DISCOUNT__V1__USE_QUOTA_REQUEST__INIT;
    char key[SAGA_KEY_MAX];
    quota_open(effect_trade(call), &quota);
    request.lock_key = view_text(lock_key(call, STEP_LOCK_QUOTA, key));
    request.buyer = &quota.buyer;
    request.lines = quota.lines;
    request.n_lines = quota.n;
    if (quota.n > 0)
        discount_use(&effect_adapters(call)->discount, effect, &request, done, call);
    else if (key[0])
        purchase_unlock_quota(call); // nothing was dispensed
    else
        saga_call_ok(call, STR_NONE);
    arena_release(&quota.arena);
}

void purchase_use_quota(struct saga_call *call) {
    use_by_step(call, use_quota);
}

void purchase_quota_used(struct saga_turn *turn, enum saga_op op, enum outcome outcome, struct str answer) {
    (void)op, (void)outcome;
    used_or_short(turn, answer, SHORTFALL_QUOTA, MISSED_QUOTA, chosen_quota_worth(trade_of(saga_turn_subject(turn))),
                  0);
}

// ---- All of them --------------------------------------------------------------------------------------------------

const struct purchase_holding purchase_holdings[PURCHASE_HOLDINGS] = {
    {.hold_step = STEP_LOCK_COUPONS,
     .use_step = STEP_USE_COUPONS,
     .missed = MISSED_COUPONS,
     .refused = ERR_BENEFIT_UNAVAILABLE,
     .what = SHORTFALL_COUPONS,
     .participant = "coupon",
     .use = use_coupons},
    {.hold_step = STEP_FREEZE_POINTS,
     .use_step = STEP_DEDUCT_POINTS,
     .missed = MISSED_POINTS,
     .refused = ERR_BENEFIT_UNAVAILABLE,
     .what = SHORTFALL_POINTS,
     .participant = "points",
     .use = deduct_points},
    {.hold_step = STEP_RESERVE_STOCK,
     .use_step = STEP_DEDUCT_STOCK,
     .missed = MISSED_STOCK,
     .refused = ERR_OUT_OF_STOCK,
     .what = SHORTFALL_STOCK,
     .participant = "goods",
     .use = deduct_stock},
    {.hold_step = STEP_LOCK_QUOTA,
     .use_step = STEP_USE_QUOTA,
     .missed = MISSED_QUOTA,
     .refused = ERR_BENEFIT_UNAVAILABLE,
     .what = SHORTFALL_QUOTA,
     .participant = "discount",
     .use = use_quota},
};
