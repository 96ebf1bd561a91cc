#include "orchestrator/participants.h"

static struct adapter *adapter_of(struct participants *participants, enum config_system system) {
    static const size_t offsets[] = {
#define X(NAME, name) offsetof(struct adapters, name),
        ADAPTER_SYSTEMS(X)
#undef X
    };
    return (struct adapter *)(void *)((char *)&participants->adapters + offsets[system]);
}

static bool same(const char *a, const char *b) {
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool reached_alike(const struct config_participant *a, const struct config_participant *b) {
    return same(a->target, b->target) && same(a->tls_ca, b->tls_ca) && same(a->certificate, b->certificate) &&
           same(a->key, b->key) && same(a->server_name, b->server_name);
}

static struct rpc_channel *open_channel(struct rpc_loop *loop, const struct config *config,
                                        const struct config_participant *row, struct error *error) {
    // Systems that share a channel may have as many calls on it as all of them together.
    uint32_t in_flight_max = 0;
    for (int i = 0; i < CONFIG_SYSTEMS; i++)
        if (reached_alike(&config->participants[i], row))
            in_flight_max += config->participants[i].gate.in_flight_max;
    struct rpc_channel_options options = {
        .ca = row->tls_ca,
        .certificate = row->certificate,
        .key = row->key,
        .server_name = row->server_name,
        .message_max = config->limits.message_max_bytes,
        .in_flight_max = in_flight_max,
    };
    return rpc_channel_open(loop, row->target, &options, error);
}

bool participants_open(struct rpc_loop *loop, const struct config *config, struct participants *ret_participants,
                       struct error *error) {
    struct participants made = {.n_channels = 0};
    const struct config_participant *opened[CONFIG_SYSTEMS];
    for (int i = 0; i < CONFIG_SYSTEMS; i++) {
        const struct config_participant *row = &config->participants[i];
        const char *name = config_system_name((enum config_system)i);
        size_t k = 0;
        while (k < made.n_channels && !reached_alike(opened[k], row))
            k++;
        if (k == made.n_channels) {
            struct rpc_channel *channel = open_channel(loop, config, row, error);
            if (!channel) {
                error_within(error, "participants.%s", name);
                participants_close(&made);
                return false;
            }
            opened[made.n_channels] = row;
            made.channels[made.n_channels++] = channel;
        }
        *adapter_of(&made, (enum config_system)i) =
            (struct adapter){.system = name, .channel = made.channels[k], .deadline_ms = row->deadline_ms};
    }
    *ret_participants = made;
    return true;
}

void participants_close(struct participants *participants) {
    for (size_t i = 0; i < participants->n_channels; i++)
        rpc_channel_close(participants->channels[i]);
    participants->n_channels = 0;
}

struct saga_gate_limits participants_limits(const struct config_gate *gate) {
    return (struct saga_gate_limits){
        .in_flight_max = gate->in_flight_max,
        .rate_per_s = gate->rate_per_s,
        .burst = gate->burst,
        .waiting_max = gate->waiting_max,
        .failures_max = gate->failures_max,
        .failure_percent = gate->failure_percent,
        .calls_min = gate->calls_min,
        .window_ms = gate->window_ms,
        .open_first_ms = gate->open_first_ms,
        .open_max_ms = gate->open_max_ms,
    };
}

void participants_gates(const struct config *config, struct saga_gate gates[CONFIG_SYSTEMS]) {
    for (int i = 0; i < CONFIG_SYSTEMS; i++)
        gates[i] = (struct saga_gate){.participant = config_system_name((enum config_system)i),
                                      .limits = participants_limits(&config->participants[i].gate)};
}
