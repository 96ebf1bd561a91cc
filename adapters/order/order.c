#include "adapters/order/order.h"

#include "adapters/wire.h"

#include <assert.h>

#define SERVICE &participant__order__v1__order_service__descriptor
#define PB(name) Participant__Order__V1__##name

const struct adapter_method order_methods[] = {
    [ORDER_CREATE] = {.rpc = {.service = SERVICE, .name = "CreateOrder"},
                      .op = ADAPTER_ACTION,
                      .deadline_ms = 3000,
                      .wanted = {"order_no"}},
    [ORDER_CLOSE] = {.rpc = {.service = SERVICE, .name = "CloseOrder"}, .op = ADAPTER_COMPENSATE, .deadline_ms = 3000},
    [ORDER_MARK_PAID] = {.rpc = {.service = SERVICE, .name = "MarkPaid"}, .op = ADAPTER_ACTION, .deadline_ms = 3000},
    [ORDER_MARK_REFUNDED] = {.rpc = {.service = SERVICE, .name = "MarkRefunded"},
                             .op = ADAPTER_ACTION,
                             .deadline_ms = 3000},
};

struct line {
    PB(OrderLine) line;
    Txcenter__Type__V1__Money list_price, discount;
};

static void fill_line(struct line *wire, const struct order_line *line) {
    wire->line = (PB(OrderLine))PARTICIPANT__ORDER__V1__ORDER_LINE__INIT;
    wire->list_price = wire_money(&line->list_price);
    wire->discount = wire_money(&line->discount);
    wire->line.kind = wire_text(line->kind);
    wire->line.code = wire_text(line->code);
    wire->line.quantity = line->quantity;
    wire->line.list_price = &wire->list_price;
    wire->line.discount = &wire->discount;
}

void order_create(struct adapter *adapter, const struct adapter_effect *effect, const struct order_create *args,
                  adapter_done_fn *done, void *ctx) {
    assert(args->n_lines <= ORDER_LINES_MAX);
    PB(CreateOrderRequest) request = PARTICIPANT__ORDER__V1__CREATE_ORDER_REQUEST__INIT;
    Txcenter__Type__V1__Money payable = wire_money(&args->payable), list_price = wire_money(&args->list_price);
    struct line lines[ORDER_LINES_MAX];
    PB(OrderLine) *pointers[ORDER_LINES_MAX];
    for (size_t i = 0; i < args->n_lines; i++) {
        fill_line(&lines[i], &args->lines[i]);
        pointers[i] = &lines[i].line;
    }
    request.tenant_id = wire_text(args->tenant_id);
    request.user_id = wire_text(args->user_id);
    request.station_id = wire_text(args->station_id);
    request.payable = &payable;
    request.list_price = &list_price;
    request.n_lines = args->n_lines;
    request.lines = pointers;
    adapter_call(adapter, &order_methods[ORDER_CREATE], effect, &request.base, done, ctx);
}

void order_close(struct adapter *adapter, const struct adapter_effect *effect, adapter_done_fn *done, void *ctx) {
    PB(CloseOrderRequest) request = PARTICIPANT__ORDER__V1__CLOSE_ORDER_REQUEST__INIT;
    adapter_call(adapter, &order_methods[ORDER_CLOSE], effect, &request.base, done, ctx);
}

void order_mark_paid(struct adapter *adapter, const struct adapter_effect *effect, const struct money *paid,
                     adapter_done_fn *done, void *ctx) {
    PB(MarkPaidRequest) request = PARTICIPANT__ORDER__V1__MARK_PAID_REQUEST__INIT;
    Txcenter__Type__V1__Money money = wire_money(paid);
    request.paid = &money;
    adapter_call(adapter, &order_methods[ORDER_MARK_PAID], effect, &request.base, done, ctx);
}

void order_mark_refunded(struct adapter *adapter, const struct adapter_effect *effect,
                         const struct order_mark_refunded *args, adapter_done_fn *done, void *ctx) {
    PB(MarkRefundedRequest) request = PARTICIPANT__ORDER__V1__MARK_REFUNDED_REQUEST__INIT;
    Txcenter__Type__V1__Money amount = wire_money(&args->amount);
    request.refund_no = wire_text(args->refund_no);
    request.amount = &amount;
    request.full = args->full;
    adapter_call(adapter, &order_methods[ORDER_MARK_REFUNDED], effect, &request.base, done, ctx);
}
