// Closed-loop load of quotes for one line of fuel, by so many users in turn: so many are kept in flight for so long,
// after each user has quoted once. Prints one JSON object.
//   bench_quote TARGET SECONDS IN_FLIGHT USERS
#include "base/clock.h"
#include "base/id.h"
#include "rpc/client.h"
#include "tests/bench/basket.h"
#include "tests/bench/latency.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { DEADLINE_MS = 10000, IN_FLIGHT_MAX = 256 };

struct load {
    struct rpc_loop *loop;
    struct rpc_channel *channel;
    unsigned users, in_flight;
    uint64_t next, left; // quotes to begin
    int64_t failed, degraded;
    struct latency latency;
    char run[ID_LEN + 1];
};

struct slot {
    struct load *load;
    int64_t begun_ns;
};

static void begin(struct slot *slot);

static void answered(void *ctx, const struct rpc_result *result) {
    struct slot *slot = ctx;
    struct load *load = slot->load;
    const Txcenter__Trade__V1__QuoteResponse *response = (const void *)result->message;
    latency_add(&load->latency, clock_monotonic_ns() - slot->begun_ns);
    if (result->outcome != OUTCOME_OK && load->failed++ == 0)
        fprintf(stderr, "a quote failed: %s %s\n", result->reason, result->error.text);
    if (result->outcome == OUTCOME_OK)
        load->degraded += response->quote->n_degraded_sources > 0;
    load->in_flight--;
    if (load->left > 0)
        begin(slot);
}

static void begin(struct slot *slot) {
    static const struct rpc_method method = {.service = &txcenter__trade__v1__trade_service__descriptor,
                                             .name = "Quote"};
    struct load *load = slot->load;
    struct basket basket;
    Txcenter__Trade__V1__QuoteRequest request = TXCENTER__TRADE__V1__QUOTE_REQUEST__INIT;
    basket_fill(&basket, load->run, load->next++, load->users);
    request.request_id = basket.request_id;
    request.context = &basket.context;
    request.lines = basket.lines;
    request.n_lines = 1;
    load->left--;
    load->in_flight++;
    slot->begun_ns = clock_monotonic_ns();
    rpc_call(load->channel, &method, &request.base, &(struct rpc_call_options){.deadline_ms = DEADLINE_MS}, answered,
             slot);
}

// So many quotes, or as many as go into so many seconds.
static void run(struct load *load, unsigned width, uint64_t quotes, double seconds) {
    static struct slot slots[IN_FLIGHT_MAX];
    int64_t end_ns = clock_monotonic_ns() + (int64_t)(seconds * 1e9);
    load->left = quotes;
    for (unsigned i = 0; i < width && load->left > 0; i++) {
        slots[i].load = load;
        begin(&slots[i]);
    }
    while (load->in_flight > 0) {
        rpc_loop_once(load->loop, 50);
        if (clock_monotonic_ns() >= end_ns)
            load->left = 0;
    }
}

int main(int argc, char **argv) {
    static struct load load;
    struct error error = {0};
    if (argc != 5) {
        fprintf(stderr, "usage: bench_quote TARGET SECONDS IN_FLIGHT USERS\n");
        return 2;
    }
    unsigned width = (unsigned)strtoul(argv[3], NULL, 10);
    load.loop = rpc_loop_new();
    load.users = (unsigned)strtoul(argv[4], NULL, 10);
    load.channel = rpc_channel_open(load.loop, argv[1], NULL, &error);
    if (!load.channel || load.users == 0 || width == 0 || width > IN_FLIGHT_MAX)
        return 1;
    id_make(clock_now_ms(clock_system()), 0, id_random, NULL, load.run);
    run(&load, 4, load.users, DEADLINE_MS);
    load.latency = (struct latency){.n = 0};
    load.failed = load.degraded = 0;
    int64_t begun_ns = clock_monotonic_ns();
    run(&load, width, UINT64_MAX, strtod(argv[2], NULL));
    double took = (double)(clock_monotonic_ns() - begun_ns) / 1e9;
    printf("{\"in_flight\": %u, \"quotes\": %" PRIu64 ", \"per_second\": %.1f, \"p50_ms\": %.2f, \"p99_ms\": %.2f, "
           "\"degraded\": %" PRId64 ", \"failed\": %" PRId64 "}\n",
           width, load.latency.n, (double)load.latency.n / took, latency_ms(&load.latency, 0.5),
           latency_ms(&load.latency, 0.99), load.degraded, load.failed);
    rpc_channel_close(load.channel);
    rpc_loop_free(load.loop);
    return 0;
}
