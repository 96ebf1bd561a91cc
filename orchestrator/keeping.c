#include "orchestrator/keeping.h"

#define DAY_MS INT64_C(86400000)
#define SECOND_MS INT64_C(1000)

static void class_times(uint32_t succeeded_days, uint32_t failed_days, uint32_t terminated_days,
                        int64_t kept_ms[SAGA_KEPT_CLASSES]) {
    kept_ms[SAGA_KEPT_SUCCEEDED] = succeeded_days * DAY_MS;
    kept_ms[SAGA_KEPT_FAILED] = failed_days * DAY_MS;
    kept_ms[SAGA_KEPT_TERMINATED] = terminated_days * DAY_MS;
}

bool keeping_sagas(struct config *config, struct saga_retention_options *ret_options, struct error *error) {
    const struct config_retention *c = &config->retention;
    struct saga_kept_flow *flows = arena_calloc(&config->arena, c->n_flows + 1, sizeof *flows);
    if (!flows)
        return error_set(error, ERR_OVERLOADED, "no memory for the retention of %zu flows", c->n_flows);
    struct saga_retention_options options = {
        .flows = flows,
        .n_flows = c->n_flows,
        .requests_ms = c->requests_days * DAY_MS,
        .events_ms = c->events_days * DAY_MS,
        .audit_ms = c->audit_days * DAY_MS,
        .rows_per_s = c->rows_per_s,
        .batch = c->batch,
        .interval_ms = c->interval_s * 1000,
    };
    class_times(c->succeeded_days, c->failed_days, c->terminated_days, options.kept_ms);
    for (size_t i = 0; i < c->n_flows; i++) {
        flows[i].flow = c->flows[i].flow;
        class_times(c->flows[i].succeeded_days, c->flows[i].failed_days, c->flows[i].terminated_days, flows[i].kept_ms);
    }
    *ret_options = options;
    return true;
}

bool keeping_patrol(struct config *config, struct saga_patrol_options *ret_options, struct error *error) {
    const struct config_anomaly *c = &config->anomaly;
    struct saga_patience_flow *flows = arena_calloc(&config->arena, c->n_flows + 1, sizeof *flows);
    if (!flows)
        return error_set(error, ERR_OVERLOADED, "no memory for the times of %zu flows", c->n_flows);
    for (size_t i = 0; i < c->n_flows; i++)
        flows[i] = (struct saga_patience_flow){
            .flow = c->flows[i].flow,
            .running_ms = c->flows[i].running_s * SECOND_MS,
            .forward_ms = c->flows[i].forward_s * SECOND_MS,
            .compensating_ms = c->flows[i].compensating_s * SECOND_MS,
            .parked_ms = c->flows[i].parked_s * SECOND_MS,
        };
    *ret_options = (struct saga_patrol_options){
        .running_ms = c->running_s * SECOND_MS,
        .forward_ms = c->forward_s * SECOND_MS,
        .compensating_ms = c->compensating_s * SECOND_MS,
        .parked_ms = c->parked_s * SECOND_MS,
        .flows = flows,
        .n_flows = c->n_flows,
        .stuck_ms = c->stuck_s * SECOND_MS,
        .oscillating_attempts = c->oscillating_attempts,
        .oscillating_ms = c->oscillating_s * SECOND_MS,
        .rows_per_s = c->rows_per_s,
        .checks_per_s = c->checks_per_s,
        .interval_ms = (uint32_t)(c->interval_s * SECOND_MS),
    };
    return true;
}

// The longer of two times, of which 0 is for ever.
static int64_t longer(int64_t a_ms, int64_t b_ms) {
    return a_ms == 0 || b_ms == 0 ? 0 : a_ms > b_ms ? a_ms : b_ms;
}

void keeping_trades(const struct config *config, struct trades_options *options) {
    const struct config_retention *c = &config->retention;
    int64_t window_ms = options->refund_window_ms > 0 ? options->refund_window_ms : 1;
    options->kept_ms[TRADE_UNORDERED] = c->unordered_days * DAY_MS;
    options->kept_ms[TRADE_UNPAID] = c->failed_days * DAY_MS;
    options->kept_ms[TRADE_SOLD] = longer(c->succeeded_days * DAY_MS, window_ms);
    options->kept_ms[TRADE_DISPUTED] = c->terminated_days * DAY_MS;
    options->archive_kept_ms = c->archive_days * DAY_MS;
    options->strays_kept_ms = c->strays_days * DAY_MS;
}
