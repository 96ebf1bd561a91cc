#include "flows/trade/reading.h"

#include "flows/trade/command.h"

#include <stdlib.h>

enum { ARENA_MAX = 16 * 1024 * 1024, PAGE_DEFAULT = 50, PAGE_MAX = 200 };

struct reading *reading_new(struct trades *trades, struct trade_call *call, const ProtobufCMessage *request) {
    struct reading *reading = calloc(1, sizeof *reading);
    if (!reading)
        abort();
    *reading = (struct reading){.trades = trades, .call = call, .request = request};
    arena_init(&reading->arena, ARENA_MAX);
    return reading;
}

void reading_finish(struct reading *reading, const ProtobufCMessage *response, const struct error *error) {
    struct error full;
    const char *trade_no = request_text(reading->request, "trade_no");
    if (!response && !error) {
        error_set(&full, ERR_OVERLOADED, "the answer is too large");
        error = &full;
    }
    if (error)
        reading->call->fail(reading->call->ctx, error, trade_no ? trade_no : "", "");
    else
        reading->call->reply(reading->call->ctx, response);
    arena_release(&reading->arena);
    free(reading);
}

void reading_take_page(struct reading *reading, struct error *error) {
    int32_t size = request_int(reading->request, "page_size");
    check_range(error, "page_size", size, 0, PAGE_MAX);
    reading->page_size = size ? size : PAGE_DEFAULT;
}

bool reading_may(const struct reading *reading, const char *path, const char *tenant_id, struct error *error) {
    struct trade_call *call = reading->call;
    bool named = tenant_id && tenant_id[0];
    if (call->may(call->ctx, named ? str_c(tenant_id) : STR("*")))
        return true;
    if (named)
        return error_set(error, ERR_TENANT_FORBIDDEN, NULL);
    error_field(error, path, "is required of callers that don't see every tenant");
    return false;
}
