// Closed-loop load of whole purchases: QuoteOrderPay, each waited for until it is PAID. "plain" ones have no benefit
// and one WeChat-like tender; "full" ones use what their user has of coupons and points, lock it first, and are paid by
// card and WeChat. So many are kept in flight for so long; then throughput, latency, the CPU time of the processes and
// the store's commits are printed, one JSON object a run.
//   bench_purchase TARGET SECONDS IN_FLIGHT USERS CENTER_PID SIM_PID plain|full
#include "base/buf.h"
#include "base/clock.h"
#include "base/id.h"
#include "rpc/client.h"
#include "tests/bench/basket.h"
#include "tests/bench/latency.h"
#include "txcenter/ops/v1/stats.pb-c.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { DEADLINE_MS = 35000, BY_CARD = 2000 };

struct load {
    struct rpc_loop *loop;
    struct rpc_channel *channel;
    unsigned users, in_flight;
    uint64_t next;
    bool stopping, full;
    int64_t failed, processing, without_benefits, done; // from beginning to end
    struct latency latency;
    char run[ID_LEN + 1];
};

struct purchase {
    struct load *load;
    int64_t begun_ns;
};

static void begin(struct purchase *purchase);

static void answered(void *ctx, const struct rpc_result *result) {
    struct purchase *purchase = ctx;
    struct load *load = purchase->load;
    const Txcenter__Trade__V1__QuoteOrderPayResponse *response = (const void *)result->message;
    if (result->outcome != OUTCOME_OK) {
        if (load->failed++ == 0)
            fprintf(stderr, "a purchase failed: %s %s\n", result->reason, result->error.text);
    } else if (response->processing) {
        load->processing++;
    } else {
        load->done++;
        const Txcenter__Trade__V1__Combination *chosen = response->trade ? response->trade->combination : NULL;
        load->without_benefits += !chosen || chosen->n_coupon_ids == 0 || chosen->points == 0;
        latency_add(&load->latency, clock_monotonic_ns() - purchase->begun_ns);
    }
    load->in_flight--;
    if (!load->stopping)
        begin(purchase);
}

// What pays: by card first where it is a full one; WeChat takes the rest.
static size_t make_tenders(const struct load *load, char *card, Txcenter__Type__V1__Money *by_card,
                           Txcenter__Trade__V1__TenderInput made[2], Txcenter__Trade__V1__TenderInput *list[2]) {
    static char payer[] = "payer";
    size_t n = 0;
    if (load->full) {
        made[n].kind = TXCENTER__TRADE__V1__TENDER_KIND__TENDER_KIND_CARD;
        made[n].account = card;
        made[n].amount = by_card;
        list[n] = &made[n], n++;
    }
    made[n].kind = TXCENTER__TRADE__V1__TENDER_KIND__TENDER_KIND_WECHAT;
    made[n].account = payer;
    list[n] = &made[n];
    return n + 1;
}

static void send(struct purchase *purchase, const Txcenter__Trade__V1__QuoteOrderPayRequest *request) {
    static const struct rpc_method method = {.service = &txcenter__trade__v1__trade_service__descriptor,
                                             .name = "QuoteOrderPay"};
    struct load *load = purchase->load;
    load->in_flight++;
    rpc_call(load->channel, &method, &request->base, &(struct rpc_call_options){.deadline_ms = DEADLINE_MS}, answered,
             purchase);
}

static void begin(struct purchase *purchase) {
    struct load *load = purchase->load;
    struct basket basket;
    Txcenter__Trade__V1__TenderInput made[2] = {TXCENTER__TRADE__V1__TENDER_INPUT__INIT,
                                                TXCENTER__TRADE__V1__TENDER_INPUT__INIT};
    Txcenter__Trade__V1__TenderInput *tenders[2];
    Txcenter__Trade__V1__QuoteOrderPayRequest request = TXCENTER__TRADE__V1__QUOTE_ORDER_PAY_REQUEST__INIT;
    basket_fill(&basket, load->run, load->next++, load->users);
    Txcenter__Type__V1__Money by_card = basket.amount;
    by_card.minor_units = BY_CARD;
    purchase->begun_ns = clock_monotonic_ns();
    request.request_id = basket.request_id;
    request.context = &basket.context;
    request.lines = basket.lines;
    request.n_lines = 1;
    request.exclude_points = !load->full;
    request.mode = TXCENTER__TRADE__V1__ORDER_MODE__ORDER_MODE_LOCK_FIRST;
    request.tenders = tenders;
    request.n_tenders = make_tenders(load, basket.card, &by_card, made, tenders);
    request.wait_for = TXCENTER__TRADE__V1__WAIT_FOR__WAIT_FOR_OUTCOME;
    request.wait_ms = 30000;
    send(purchase, &request);
}

// User and system time of a process in microseconds; 0 when there is none.
static int64_t cpu_us(pid_t pid) {
    clockid_t id;
    struct timespec t;
    if (pid <= 0 || clock_getcpuclockid(pid, &id) != 0 || clock_gettime(id, &t) != 0)
        return 0;
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int64_t counter(struct load *load, const char *name) {
    static const struct rpc_method method = {.service = &txcenter__ops__v1__stats_service__descriptor,
                                             .name = "GetStats"};
    Txcenter__Ops__V1__GetStatsRequest request = TXCENTER__OPS__V1__GET_STATS_REQUEST__INIT;
    const ProtobufCMessage *message = NULL;
    struct arena arena;
    struct error error = {0};
    int64_t value = 0;
    arena_init(&arena, 1 << 20);
    if (rpc_call_wait(load->loop, load->channel, &method, &request.base,
                      &(struct rpc_call_options){.deadline_ms = 5000}, &arena, &message, &error)) {
        const Txcenter__Ops__V1__GetStatsResponse *response = (const void *)message;
        for (size_t i = 0; i < response->n_stats; i++)
            if (strcmp(response->stats[i]->name, name) == 0)
                value = response->stats[i]->value;
    } else {
        fprintf(stderr, "no stats: %s\n", error.text);
    }
    arena_release(&arena);
    return value;
}

static void run_until(struct load *load, int64_t end_ns) {
    while (clock_monotonic_ns() < end_ns)
        rpc_loop_once(load->loop, 50);
}

int main(int argc, char **argv) {
    if (argc != 8) {
        fprintf(stderr, "usage: bench_purchase TARGET SECONDS IN_FLIGHT USERS CENTER_PID SIM_PID plain|full\n");
        return 2;
    }
    struct error error = {0};
    static struct load load;
    load.loop = rpc_loop_new();
    load.users = (unsigned)strtoul(argv[4], NULL, 10);
    load.users -= load.users >= BASKET_FIRST_USER ? BASKET_FIRST_USER - 1 : load.users;
    load.full = strcmp(argv[7], "full") == 0;
    load.channel = rpc_channel_open(load.loop, argv[1], NULL, &error);
    if (!load.channel || load.users == 0)
        return 1;
    id_make(clock_now_ms(clock_system()), 0, id_random, NULL, load.run);
    unsigned width = (unsigned)strtoul(argv[3], NULL, 10);
    struct purchase *purchases = calloc(width, sizeof *purchases);
    double seconds = strtod(argv[2], NULL);
    pid_t center = (pid_t)strtol(argv[5], NULL, 10), sim = (pid_t)strtol(argv[6], NULL, 10);
    for (unsigned i = 0; i < width; i++) {
        purchases[i].load = &load;
        begin(&purchases[i]);
    }
    run_until(&load, clock_monotonic_ns() + (int64_t)(seconds * 0.2e9)); // warm
    int64_t commits = counter(&load, "store.commits"), rows = counter(&load, "store.rows");
    int64_t center_us = cpu_us(center), sim_us = cpu_us(sim), own_us = cpu_us(getpid());
    load.latency = (struct latency){.n = 0};
    int64_t begun = clock_monotonic_ns();
    run_until(&load, begun + (int64_t)(seconds * 1e9));
    const struct latency measured = load.latency;
    double took = (double)(clock_monotonic_ns() - begun) / 1e9;
    center_us = cpu_us(center) - center_us, sim_us = cpu_us(sim) - sim_us, own_us = cpu_us(getpid()) - own_us;
    commits = counter(&load, "store.commits") - commits, rows = counter(&load, "store.rows") - rows;
    load.stopping = true;
    while (load.in_flight > 0)
        rpc_loop_once(load.loop, 100);
    uint64_t n = measured.n;
    double per = n ? (double)n : 1;
    printf(
        "{\"in_flight\": %u, \"purchases\": %" PRIu64 ", \"per_second\": %.1f, \"p50_ms\": %.2f, \"p99_ms\": %.2f, "
        "\"commits_per_purchase\": %.3f, \"rows_per_purchase\": %.1f, \"center_cpu_us\": %.0f, \"sim_cpu_us\": %.0f, "
        "\"load_cpu_us\": %.0f, \"failed\": %" PRId64 ", \"processing\": %" PRId64 ", \"without_benefits\": %" PRId64
        ", \"done\": %" PRId64 "}\n",
        width, n, (double)n / took, latency_ms(&measured, 0.5), latency_ms(&measured, 0.99), (double)commits / per,
        (double)rows / per, (double)center_us / per, (double)sim_us / per, (double)own_us / per, load.failed,
        load.processing, load.without_benefits, load.done);
    rpc_channel_close(load.channel);
    rpc_loop_free(load.loop);
    free(purchases);
    return load.failed > 0;
}
