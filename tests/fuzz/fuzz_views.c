// Whatever a server may answer, as txctl prints it: never a crash, never a control character but the line end, and JSON
// that is JSON. The first byte chooses the answer's type.
#include "orchestrator/ctl/flow_view.h"
#include "orchestrator/ctl/operator_view.h"
#include "orchestrator/ctl/protojson.h"
#include "orchestrator/ctl/saga_view.h"
#include "orchestrator/ctl/trade_view.h"
#include "rpc/method.h"
#include "tests/fuzz/fuzz.h"

enum { MESSAGE_MEMORY = 4 << 20, VIEW_MEMORY = 64 << 20 };

static void show_timeline(struct view *view, struct arena *arena, const ProtobufCMessage *response) {
    const Txcenter__Saga__V1__GetSagaResponse *r = (const void *)response;
    if (r->saga)
        saga_show_timeline(view, arena, r->saga);
}

static const struct {
    const ProtobufCMessageDescriptor *type;
    void (*show)(struct view *view, struct arena *arena, const ProtobufCMessage *response);
} kinds[] = {
    {&txcenter__trade__v1__get_trade_response__descriptor, trade_show_get},
    {&txcenter__trade__v1__quote_response__descriptor, trade_show_quote},
    {&txcenter__trade__v1__pay_response__descriptor, trade_show_pay},
    {&txcenter__trade__v1__refund_response__descriptor, trade_show_refund},
    {&txcenter__trade__v1__list_trades_response__descriptor, trade_show_list},
    {&txcenter__trade__v1__watch_trade_response__descriptor, trade_show_watch},
    {&txcenter__saga__v1__get_saga_response__descriptor, saga_show_get},
    {&txcenter__saga__v1__get_saga_response__descriptor, show_timeline},
    {&txcenter__saga__v1__list_sagas_response__descriptor, saga_show_list},
    {&txcenter__saga__v1__list_audit_response__descriptor, operator_show_audit},
    {&txcenter__saga__v1__list_participants_response__descriptor, operator_show_participants},
    {&txcenter__saga__v1__batch_response__descriptor, operator_show_batch},
    {&txcenter__saga__v1__resolve_response__descriptor, operator_show_saga},
    {&txcenter__saga__v1__get_flow_response__descriptor, flow_show_graph},
    {&txcenter__saga__v1__list_flows_response__descriptor, flow_show_list},
};

static void check(const struct buf *text) {
    assert(str_is_utf8(buf_str(text)));
    for (size_t i = 0; i < text->len; i++) {
        unsigned char c = (unsigned char)text->ptr[i];
        assert((c >= 0x20 || c == '\n') && c != 0x7f);
    }
}

static void as_json(const ProtobufCMessage *message) {
    struct buf text;
    buf_init(&text, VIEW_MEMORY);
    json_t *json = protojson_of(message);
    assert(json);
    if (protojson_print(&text, json, true)) {
        check(&text);
        json_t *again = json_loadb(text.ptr, text.len, JSON_ALLOW_NUL, NULL);
        assert(again && json_equal(json, again));
        json_decref(again);
    }
    json_decref(json);
    buf_release(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0)
        return 0;
    size_t kind = data[0] % (sizeof kinds / sizeof kinds[0]);
    struct arena arena, memory;
    arena_init(&arena, MESSAGE_MEMORY);
    arena_init(&memory, VIEW_MEMORY);
    struct error error = {0};
    ProtobufCMessage *message = rpc_decode(kinds[kind].type, str_n(data + 1, size - 1), &arena, &error);
    if (message) {
        struct view view;
        view_init(&view, false, 80, 1769860830000);
        kinds[kind].show(&view, &memory, message);
        check(&view.text);
        view_release(&view);
        as_json(message);
    }
    arena_release(&memory);
    arena_release(&arena);
    return 0;
}
