#include "participant/order/v1/order.pb-c.h"
#include "sim/world.h"

#include <inttypes.h>
#include <stdio.h>

#define PB(name) Participant__Order__V1__##name

static const struct store_column columns[] = {
    STORE_COL_TEXT(sim_order_row, order_no),   STORE_COL_TEXT(sim_order_row, trade_no),
    STORE_COL_TEXT(sim_order_row, station_id), STORE_COL_TEXT(sim_order_row, user_id),
    STORE_COL_TEXT(sim_order_row, currency),   STORE_COL_I32(sim_order_row, state),
    STORE_COL_I64(sim_order_row, payable),     STORE_COL_I64(sim_order_row, list_price),
    STORE_COL_I64(sim_order_row, paid),        STORE_COL_I64(sim_order_row, refunded),
    STORE_COL_I64(sim_order_row, created_ms),
};

const struct store_table sim_orders_table = {
    .name = "sim_order",
    .row_size = sizeof(struct sim_order_row),
    .columns = columns,
    .n_columns = STORE_COUNT(columns),
    .n_key = 1,
    .since = 1,
};

static const char *state_name(int32_t state) {
    static const char *const names[] = {
        [SIM_ORDER_OPEN] = "OPEN",         [SIM_ORDER_PAID] = "PAID",
        [SIM_ORDER_CLOSED] = "CLOSED",     [SIM_ORDER_PARTIALLY_REFUNDED] = "PARTIALLY_REFUNDED",
        [SIM_ORDER_REFUNDED] = "REFUNDED",
    };
    return names[state];
}

static void put(struct sim_call *call, struct sim_order_row *order, const char *kind, int64_t amount,
                const char *detail) {
    sim_put(&call->change, order);
    sim_post(&call->change, &(struct sim_posting){.kind = kind,
                                                  .account = order->order_no,
                                                  .currency = order->currency,
                                                  .amount = amount,
                                                  .state = state_name(order->state),
                                                  .detail = str_c(detail)});
}

static bool in_currency(const Txcenter__Type__V1__Money *money, const char *currency) {
    return !money || strcmp(money->currency, currency) == 0;
}

static bool lines_add_up(const PB(CreateOrderRequest) * request) {
    const char *currency = request->payable->currency;
    int64_t list = 0, payable = 0;
    if (!in_currency(request->list_price, currency))
        return false;
    for (size_t i = 0; i < request->n_lines; i++) {
        const PB(OrderLine) *line = request->lines[i];
        int64_t price = line->list_price ? line->list_price->minor_units : 0;
        int64_t discount = line->discount ? line->discount->minor_units : 0;
        if (!in_currency(line->list_price, currency) || !in_currency(line->discount, currency) || discount < 0 ||
            discount > price || !money_add(list, price, &list) || !money_add(payable, price - discount, &payable))
            return false;
    }
    return list == request->list_price->minor_units && payable == request->payable->minor_units;
}

static void create_order(struct sim_call *call) {
    const PB(CreateOrderRequest) *request = (const void *)call->request;
    if (!sim_wants_amount(call, request->payable, false, "payable") ||
        !sim_wants_amount(call, request->list_price, false, "list_price") ||
        !sim_wants_text(call, request->station_id, "station_id") ||
        !sim_wants_text(call, request->effect->trade_no, "effect.trade_no"))
        return;
    if (request->n_lines == 0 || !lines_add_up(request)) {
        sim_reject(call, "LINES_UNEQUAL", "the lines do not add up to list_price and payable");
        return;
    }
    int64_t now_ms = sim_now(call->system->sim);
    sim_id order_no;
    // The time keeps numbers of a fresh simulator apart from those that the center remembers of an older one.
    snprintf(order_no, sizeof order_no, "O%013" PRId64 "%06zu", now_ms, sim_count(call->system, SIM_ORDERS) + 1);
    struct sim_order_row *order = sim_make(call->system, SIM_ORDERS, order_no);
    SIM_COPY(order->trade_no, request->effect->trade_no);
    SIM_COPY(order->station_id, request->station_id);
    SIM_COPY(order->user_id, request->user_id);
    SIM_COPY(order->currency, request->payable->currency);
    order->state = SIM_ORDER_OPEN;
    order->payable = request->payable->minor_units;
    order->list_price = request->list_price->minor_units;
    order->created_ms = now_ms;
    put(call, order, "create", order->payable, "");
    sim_note(call, str_c(order_no));
    PB(CreateOrderResponse) response = PARTICIPANT__ORDER__V1__CREATE_ORDER_RESPONSE__INIT;
    response.order_no = order_no;
    sim_answer(call, &response.base);
}

static void close_order(struct sim_call *call) {
    struct sim_order_row *order = sim_find(call->system, SIM_ORDERS, call->note.ptr);
    if (!order || order->state == SIM_ORDER_CLOSED)
        return;
    if (order->state != SIM_ORDER_OPEN) {
        sim_reject(call, "ORDER_PAID", "order %s is %s", order->order_no, state_name(order->state));
        return;
    }
    order->state = SIM_ORDER_CLOSED;
    put(call, order, "close", order->payable, "");
}

static struct sim_order_row *order_of(struct sim_call *call) {
    if (!sim_wants_text(call, call->effect->order_no, "effect.order_no"))
        return NULL;
    struct sim_order_row *order = sim_find(call->system, SIM_ORDERS, call->effect->order_no);
    if (!order)
        sim_reject(call, "NOT_FOUND", "there is no order %s", call->effect->order_no);
    return order;
}

static void mark_paid(struct sim_call *call) {
    const PB(MarkPaidRequest) *request = (const void *)call->request;
    if (!sim_wants_amount(call, request->paid, false, "paid"))
        return;
    struct sim_order_row *order = order_of(call);
    if (!order)
        return;
    if (order->state != SIM_ORDER_OPEN) {
        sim_reject(call, order->state == SIM_ORDER_CLOSED ? "ORDER_CLOSED" : "ALREADY_PAID", "order %s is %s",
                   order->order_no, state_name(order->state));
        return;
    }
    int64_t off = request->rounding_off ? request->rounding_off->minor_units : 0;
    if (off < 0 || request->paid->minor_units + off != order->payable ||
        strcmp(request->paid->currency, order->currency) != 0) {
        sim_reject(call, "AMOUNT_MISMATCH", "order %s is payable with %" PRId64 " %s", order->order_no, order->payable,
                   order->currency);
        return;
    }
    order->state = SIM_ORDER_PAID;
    order->paid = request->paid->minor_units;
    put(call, order, "paid", order->paid, "");
}

static void mark_refunded(struct sim_call *call) {
    const PB(MarkRefundedRequest) *request = (const void *)call->request;
    if (!sim_wants_amount(call, request->amount, false, "amount"))
        return;
    struct sim_order_row *order = order_of(call);
    if (!order)
        return;
    if (order->state != SIM_ORDER_PAID && order->state != SIM_ORDER_PARTIALLY_REFUNDED) {
        sim_reject(call, "NOT_PAID", "order %s is %s", order->order_no, state_name(order->state));
        return;
    }
    if (request->amount->minor_units > order->paid - order->refunded ||
        strcmp(request->amount->currency, order->currency) != 0) {
        sim_reject(call, "EXCEEDS_REST", "of order %s %" PRId64 " %s are left", order->order_no,
                   order->paid - order->refunded, order->currency);
        return;
    }
    order->refunded += request->amount->minor_units;
    order->state = request->full ? SIM_ORDER_REFUNDED : SIM_ORDER_PARTIALLY_REFUNDED;
    put(call, order, "refunded", request->amount->minor_units, request->refund_no);
}

static const struct sim_method methods[] = {
    {.name = "CreateOrder", .op = SIM_ACTION, .apply = create_order},
    {.name = "CloseOrder", .op = SIM_COMPENSATE, .apply = close_order, .undoes = "CreateOrder"},
    {.name = "MarkPaid", .op = SIM_ACTION, .apply = mark_paid},
    {.name = "MarkRefunded", .op = SIM_ACTION, .apply = mark_refunded},
    {.name = "Inquire", .op = SIM_INQUIRE},
};

static const struct sim_set_def sets[] = {
    [SIM_ORDERS] = {.table = &sim_orders_table},
};

const struct sim_system_def sim_order_def = {
    .name = "order",
    .service = &participant__order__v1__order_service__descriptor,
    .methods = methods,
    .n_methods = STORE_COUNT(methods),
    .sets = sets,
    .n_sets = STORE_COUNT(sets),
};
