#include "orchestrator/observe.h"

#include "base/clock.h"
#include "orchestrator/authorize.h"

enum { FIELDS_MAX = 12 };

// A line's fields: those without a value are left out.
struct line {
    struct log_field fields[FIELDS_MAX + 1];
    size_t n;
};

static void add_text(struct line *line, const char *name, struct str value) {
    if (line->n < FIELDS_MAX && !str_empty(value))
        line->fields[line->n++] = LOG_STR(name, value);
}

static void add_number(struct line *line, const char *name, int64_t value) {
    if (line->n < FIELDS_MAX)
        line->fields[line->n++] = LOG_INT(name, value);
}

// ---- Calls --------------------------------------------------------------------------------------------------------

// google.rpc.Code, as far as it makes a difference here.
enum {
    OK = 0,
    UNKNOWN = 2,
    DEADLINE_EXCEEDED = 4,
    RESOURCE_EXHAUSTED = 8,
    INTERNAL = 13,
    UNAVAILABLE = 14,
    DATA_LOSS = 15
};

enum log_level observe_call_level(int grpc_status) {
    switch (grpc_status) {
    case OK: return LOG_DEBUG;
    case UNKNOWN:
    case INTERNAL:
    case DATA_LOSS: return LOG_ERROR;
    case DEADLINE_EXCEEDED:
    case RESOURCE_EXHAUSTED:
    case UNAVAILABLE: return LOG_WARN;
    default: return LOG_INFO;
    }
}

void observe_counted(struct observer *observer) {
    for (int i = 0; i < OBSERVE_STATUSES; i++) {
        uint64_t n = log_limit_held_back(&observer->refused[i]);
        if (n > 0)
            LOG(observe_call_level(i), "more calls were refused", LOG_C("status", err_status_name(i)),
                LOG_INT("calls", (int64_t)n));
    }
}

static bool may_be_told(struct observer *observer, int grpc_status, enum log_level level) {
    int last = OBSERVE_STATUSES - 1, status = grpc_status > 0 && grpc_status < last ? grpc_status : last;
    return level == LOG_DEBUG || level == LOG_ERROR ||
           log_limit_take(&observer->refused[status], clock_now_ms(clock_system()));
}

void observe_call(void *ctx, const struct rpc_method *method, struct rpc_inbound *in, int grpc_status,
                  int64_t duration_us) {
    enum log_level level = observe_call_level(grpc_status);
    if (!log_enabled(level) || !may_be_told(ctx, grpc_status, level))
        return;
    char path[RPC_PATH_MAX];
    struct line line = {.n = 0};
    if (rpc_method_path(method, path))
        add_text(&line, "method", str_c(path));
    add_text(&line, "caller", str_c(rpc_inbound_caller(in)->name));
    add_text(&line, "status", str_c(err_status_name(grpc_status)));
    const struct call_context *context = call_context(in);
    if (context) {
        add_text(&line, "reason", str_c(context->notes->reason));
        add_text(&line, "text", context->notes->text);
        add_text(&line, "cause", context->notes->cause);
        add_text(&line, "trade_no", context->notes->trade_no);
        add_text(&line, "gid", context->notes->gid);
        add_text(&line, "x_request_id", str_c(context->request_id));
        add_text(&line, "traceparent", str_c(context->traceparent));
    }
    add_number(&line, "duration_us", duration_us);
    log_fields(level, grpc_status == OK ? "call answered" : "call refused", line.fields);
}

// ---- Sagas --------------------------------------------------------------------------------------------------------

enum { ATTEMPTS_QUIET = 3 }; // failures in a row that are nothing to speak of

static const struct {
    const char *text;
    enum log_level level;
} notices[] = {
    [SAGA_NOTICE_STARTED] = {"saga started", LOG_DEBUG},
    [SAGA_NOTICE_ATTEMPT_FAILED] = {"attempt failed", LOG_DEBUG},
    [SAGA_NOTICE_REVERSED] = {"saga turned round", LOG_INFO},
    [SAGA_NOTICE_PARKED] = {"saga parked: it waits for an operator", LOG_WARN},
    [SAGA_NOTICE_ENDED] = {"saga ended", LOG_DEBUG},
    [SAGA_NOTICE_RESUMED] = {"saga resumed", LOG_DEBUG},
    [SAGA_NOTICE_OPERATED] = {"an operator acted", LOG_INFO},
    [SAGA_NOTICE_LATE] = {"an answer came late and decides nothing", LOG_WARN},
    [SAGA_NOTICE_FLOW_UNKNOWN] = {"saga left untouched: its flow is not known here", LOG_WARN},
    [SAGA_NOTICE_CORRUPT] = {"saga can't be read", LOG_ERROR},
    [SAGA_NOTICE_WRITE_FAILED] = {"write failed", LOG_ERROR},
    [SAGA_NOTICE_FENCED] = {"another process has taken over what was driven here", LOG_WARN},
    [SAGA_NOTICE_LOAD_FAILED] = {"saga could not be loaded yet", LOG_WARN},
    [SAGA_NOTICE_MEMBERS_UNREAD] = {"who else is there could not be read", LOG_WARN},
    [SAGA_NOTICE_ADDRESS_SHARED] = {"another instance has the same address, and can't be reached: give each its own",
                                    LOG_ERROR},
    [SAGA_NOTICE_TAKING_OVER] = {"an instance's lease is over: trying to take over from it", LOG_INFO},
    [SAGA_NOTICE_TAKEN_OVER] = {"taken over from an instance whose lease is over", LOG_WARN},
    [SAGA_NOTICE_KEPT_REFUSED] = {"what was kept for this instance is refused", LOG_ERROR},
    [SAGA_NOTICE_UNHEARD] = {"a saga was terminated, and who waits for its end could not be told", LOG_ERROR},
    [SAGA_NOTICE_ANOMALY] = {"something is wrong", LOG_WARN},
    [SAGA_NOTICE_ANOMALY_OVER] = {"it is well again", LOG_INFO},
};

// All that is under way when another process has taken over fails so, which is told once.
static bool is_fenced_off(const struct saga_notice *notice) {
    return notice->kind == SAGA_NOTICE_WRITE_FAILED && strcmp(notice->reason, err_info(ERR_STORE_FENCED)->name) == 0;
}

enum log_level observe_saga_level(const struct saga_notice *notice) {
    if (is_fenced_off(notice))
        return LOG_DEBUG;
    if (notice->kind == SAGA_NOTICE_ATTEMPT_FAILED && notice->attempt > ATTEMPTS_QUIET)
        return LOG_INFO;
    return notices[notice->kind].level;
}

void observe_saga(void *ctx, const struct saga_notice *notice) {
    (void)ctx;
    enum log_level level = observe_saga_level(notice);
    if (!log_enabled(level))
        return;
    struct line line = {.n = 0};
    // Of the trades' own sagas; "trade" are trades themselves, whose amounts don't add up, say.
    bool of_trade = str_starts(str_c(notice->flow), STR("trade.")) || strcmp(notice->flow, "trade") == 0;
    add_text(&line, of_trade ? "trade_no" : "subject", str_c(notice->subject));
    add_text(&line, "gid", str_c(notice->gid));
    add_text(&line, "flow", str_c(notice->flow));
    add_text(&line, "step", str_c(notice->step));
    if (*notice->step)
        add_text(&line, "op", str_c(saga_op_name(notice->op)));
    if (*notice->gid)
        add_text(&line, "status", str_c(saga_status_name(notice->status)));
    if (notice->attempt)
        add_number(&line, "attempt", notice->attempt);
    add_text(&line, "reason", str_c(notice->reason));
    add_text(&line, "text", str_c(notice->text));
    log_fields(level, notices[notice->kind].text, line.fields);
}

// ---- Trades -------------------------------------------------------------------------------------------------------

void observe_trade(void *ctx, const char *what, const char *trade_no, const char *detail) {
    (void)ctx;
    struct line line = {.n = 0};
    add_text(&line, "what", str_c(what));
    add_text(&line, "trade_no", str_c(trade_no));
    add_text(&line, "detail", str_c(detail));
    log_fields(LOG_WARN, "a trade needs attention", line.fields);
}
