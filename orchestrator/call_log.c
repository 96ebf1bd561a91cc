#include "orchestrator/call_log.h"

enum {
    OK = 0,
    CANCELLED = 1,
    UNKNOWN = 2,
    DEADLINE_EXCEEDED = 4,
    RESOURCE_EXHAUSTED = 8,
    INTERNAL = 13,
    UNAVAILABLE = 14,
    DATA_LOSS = 15
};

enum log_level call_log_level(int grpc_status) {
    switch (grpc_status) {
    case OK: return LOG_DEBUG;
    case UNKNOWN:
    case INTERNAL:
    case DATA_LOSS: return LOG_ERROR;
    case DEADLINE_EXCEEDED:
    case RESOURCE_EXHAUSTED:
    case UNAVAILABLE: return LOG_WARN;
    case CANCELLED:
    default: return LOG_INFO;
    }
}

void call_log_fields(const struct rpc_method *method, const struct rpc_inbound *in, int grpc_status,
                     int64_t duration_us, char path[RPC_PATH_MAX], struct log_field fields[CALL_LOG_FIELDS]) {
    if (!rpc_method_path(method, path))
        path[0] = '\0';
    size_t n = 0;
    fields[n++] = LOG_C("method", path);
    fields[n++] = LOG_C("caller", rpc_inbound_caller(in)->name);
    fields[n++] = LOG_C("status", err_status_name(grpc_status));
    fields[n++] = LOG_INT("duration_us", duration_us);
    fields[n++] = LOG_STR("request_id", rpc_inbound_header(in, "x-request-id"));
    fields[n++] = LOG_STR("traceparent", rpc_inbound_header(in, "traceparent"));
    fields[n] = (struct log_field){.name = NULL};
}

void call_log(void *ctx, const struct rpc_method *method, struct rpc_inbound *in, int grpc_status,
              int64_t duration_us) {
    (void)ctx;
    enum log_level level = call_log_level(grpc_status);
    if (!log_enabled(level))
        return;
    char path[RPC_PATH_MAX];
    struct log_field fields[CALL_LOG_FIELDS];
    call_log_fields(method, in, grpc_status, duration_us, path, fields);
    log_fields(level, grpc_status == OK ? "call answered" : "call failed", fields);
}
