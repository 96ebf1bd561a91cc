// What a call costs with server and client on one loop, which is how a center serves and calls; and what a server with
// every method of the center takes when it is idle.
//   bench_rpc [SECONDS]     per run (default 3)
// Prints the resident memory before the first call, then for 1, 16 and 64 calls in flight: calls/s, the latency's
// median and 99th percentile, and the CPU time of a call, both ends together.
#include "rpc/client.h"
#include "rpc/server.h"

#include "echo.pb-c.h"
#include "txc_descriptors.h"
#include "txcenter/callback/v1/callback.pb-c.h"
#include "txcenter/ops/v1/stats.pb-c.h"
#include "txcenter/saga/v1/operator.pb-c.h"
#include "txcenter/saga/v1/saga.pb-c.h"
#include "txcenter/trade/v1/trade.pb-c.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

enum { ROUTES_MAX = 100, SAMPLES_MAX = 2000000, IN_FLIGHT_MAX = 64, PAYLOAD = 140, WARM_MS = 500 };

typedef Txcenter__Test__V1__EchoRequest Request;
typedef Txcenter__Test__V1__EchoResponse Response;

static void echo(void *service, struct rpc_inbound *in, const ProtobufCMessage *message) {
    (void)service;
    const Request *request = (const void *)message;
    Response response = TXCENTER__TEST__V1__ECHO_RESPONSE__INIT;
    response.text = request->text;
    response.payload = request->payload;
    response.index = request->count + 1;
    rpc_reply(in, &response.base);
}

static const ProtobufCServiceDescriptor *const services[] = {
    &txcenter__test__v1__echo_service__descriptor,         &txcenter__trade__v1__trade_service__descriptor,
    &txcenter__saga__v1__saga_service__descriptor,         &txcenter__saga__v1__operator_service__descriptor,
    &txcenter__callback__v1__callback_service__descriptor, &txcenter__ops__v1__stats_service__descriptor,
};

// Every method of the services; only Echo is ever called.
static size_t make_routes(struct rpc_route *routes) {
    size_t n = 0;
    for (size_t i = 0; i < sizeof services / sizeof services[0]; i++)
        for (size_t k = 0; k < services[i]->n_methods && n < ROUTES_MAX; k++)
            routes[n++] = (struct rpc_route){.method = {.service = services[i], .name = services[i]->methods[k].name},
                                             .handle = echo,
                                             .scope = RPC_TRADE,
                                             .tier = i ? RPC_TIER_LOW : RPC_TIER_HIGH};
    return n;
}

// ---- Load ---------------------------------------------------------------------------------------------------------

struct load {
    struct rpc_loop *loop;
    struct rpc_channel *channel;
    bool measuring, stopping;
    size_t in_flight, n, failed;
    int64_t *latency_ns;
};

struct caller {
    struct load *load;
    uint32_t number;
    int64_t begun_ns;
};

static const struct rpc_method echo_method = {.service = &txcenter__test__v1__echo_service__descriptor, .name = "Echo"};

static void begin(struct caller *caller);

static void answered(void *ctx, const struct rpc_result *result) {
    struct caller *caller = ctx;
    struct load *load = caller->load;
    const Response *response = (const void *)result->message;
    load->failed += !response || response->index != caller->number + 1;
    if (load->measuring && load->n < SAMPLES_MAX)
        load->latency_ns[load->n++] = clock_monotonic_ns() - caller->begun_ns;
    load->in_flight--;
    if (!load->stopping)
        begin(caller);
}

static void begin(struct caller *caller) {
    static uint8_t payload[PAYLOAD];
    static char text[] = "01JZ8Y3V6P7Q8R9S0T1V2W3X4Y/reserve-inventory";
    Request request = TXCENTER__TEST__V1__ECHO_REQUEST__INIT;
    request.text = text;
    request.payload = (ProtobufCBinaryData){sizeof payload, payload};
    request.count = ++caller->number;
    caller->begun_ns = clock_monotonic_ns();
    caller->load->in_flight++;
    rpc_call(caller->load->channel, &echo_method, &request.base, &(struct rpc_call_options){.deadline_ms = 5000},
             answered, caller);
}

static void stop(void *loop) {
    rpc_loop_stop(loop);
}

static void run_for(struct rpc_loop *loop, int64_t ms) {
    struct rpc_timer timer = {.fire = stop, .ctx = loop};
    rpc_timer_set(loop, &timer, clock_now_ms(rpc_loop_clock(loop)) + ms);
    rpc_loop_run(loop);
}

static int by_value(const void *a, const void *b) {
    int64_t first = *(const int64_t *)a, second = *(const int64_t *)b;
    return (first > second) - (first < second);
}

static double cpu_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void measure(struct load *load, size_t in_flight, int64_t ms) {
    struct caller callers[IN_FLIGHT_MAX] = {0};
    *load = (struct load){.loop = load->loop, .channel = load->channel, .latency_ns = load->latency_ns};
    for (size_t i = 0; i < in_flight; i++) {
        callers[i].load = load;
        begin(&callers[i]);
    }
    run_for(load->loop, WARM_MS);
    load->measuring = true;
    double cpu_before = cpu_us();
    int64_t began_ns = clock_monotonic_ns();
    run_for(load->loop, ms);
    double took_s = (double)(clock_monotonic_ns() - began_ns) / 1e9, cpu = cpu_us() - cpu_before;
    load->measuring = false;
    load->stopping = true;
    while (load->in_flight)
        rpc_loop_once(load->loop, 1000);
    qsort(load->latency_ns, load->n, sizeof load->latency_ns[0], by_value);
    double count = load->n ? (double)load->n : 1;
    printf("%2zu in flight: %6.0f calls/s, p50 %4lld us, p99 %4lld us, %.1f us of CPU a call, %zu failed\n", in_flight,
           count / took_s, (long long)(load->n ? load->latency_ns[load->n / 2] / 1000 : 0),
           (long long)(load->n ? load->latency_ns[load->n * 99 / 100] / 1000 : 0), cpu / count, load->failed);
}

// ---- Both ends ----------------------------------------------------------------------------------------------------

static void print_resident(const char *when) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("%s: at most %.1f MB resident\n", when, (double)usage.ru_maxrss / 1024);
}

static void note(void *ctx) {
    *(bool *)ctx = true;
}

int main(int argc, char **argv) {
    int64_t seconds = 3;
    if (argc > 2 || (argc == 2 && !str_to_i64(str_c(argv[1]), &seconds)) || seconds < 1) {
        fprintf(stderr, "usage: bench_rpc [SECONDS]\n");
        return 1;
    }
    static struct rpc_route routes[ROUTES_MAX];
    static const char *const listen[] = {"127.0.0.1:0", NULL};
    struct rpc_server_options options = {.listen = listen};
    options.descriptor_set = str_n(txc_descriptors, (size_t)(txc_descriptors_end - txc_descriptors));
    struct load load = {.loop = rpc_loop_new()};
    struct rpc_server *server = rpc_server_new(load.loop, &options);
    size_t n = make_routes(routes);
    rpc_server_add(server, routes, n, NULL);
    struct error error;
    if (!rpc_server_start(server, &error)) {
        fprintf(stderr, "bench_rpc: %s\n", error.text);
        return 1;
    }
    run_for(load.loop, 100);
    printf("%zu methods, ", n);
    print_resident("idle");
    char target[32];
    snprintf(target, sizeof target, "127.0.0.1:%d", rpc_server_port(server, 0));
    load.channel = rpc_channel_open(load.loop, target, NULL, &error);
    load.latency_ns = calloc(SAMPLES_MAX, sizeof load.latency_ns[0]);
    if (!load.channel || !load.latency_ns)
        return 1;
    static const size_t steps[] = {1, 16, 64};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
        measure(&load, steps[i], seconds * 1000);
    free(load.latency_ns);
    print_resident("after the calls");
    rpc_channel_close(load.channel);
    bool drained = false;
    rpc_server_drain(server, note, &drained);
    while (!drained)
        rpc_loop_once(load.loop, 1000);
    rpc_server_free(server);
    rpc_loop_free(load.loop);
    return 0;
}
