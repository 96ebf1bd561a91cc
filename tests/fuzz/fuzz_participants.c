// Any calls with any bytes to the simulators, the control service included: each is answered or refused precisely, none
// brings them down, none takes effect twice, and what is loaded after a kill -9 is what was there.
//
// The input is a list of calls: one byte says which method, two (little-endian) how many bytes of request follow.
#include "sim/core.h"
#include "tests/fuzz/fuzz.h"
#include "tests/participants/inproc_sim.h"

enum { CALLS_MAX = 24, METHODS_MAX = 128, USERS = 4 };

struct methods {
    const struct rpc_method *at[METHODS_MAX];
    size_t n;
};

static void answered(void *ctx, const struct rpc_result *result) {
    (void)result;
    --*(unsigned *)ctx;
}

static struct methods methods_of(struct sim *sim) {
    struct methods methods = {.n = 0};
    for (const char *const *name = sim_system_names(); *name; name++) {
        size_t n;
        void *service;
        const struct rpc_route *routes = sim_routes(sim, *name, &n, &service);
        for (size_t i = 0; i < n && methods.n < METHODS_MAX; i++)
            methods.at[methods.n++] = &routes[i].method;
    }
    return methods;
}

static void make_calls(struct inproc_sim *sims, struct rpc_channel *channel, struct str input) {
    unsigned waiting = 0;
    struct methods methods = methods_of(sims->sim);
    for (int i = 0; i < CALLS_MAX && input.len > 3; i++) {
        const unsigned char *head = (const unsigned char *)input.ptr;
        const struct rpc_method *method = methods.at[head[0] % methods.n];
        size_t size = head[1] | (size_t)head[2] << 8;
        input = str_n(input.ptr + 3, input.len - 3);
        if (size > input.len)
            size = input.len;
        char path[RPC_PATH_MAX];
        bool fits = rpc_method_path(method, path);
        assert(fits);
        waiting++;
        rpc_call_bytes(channel, path, str_n(input.ptr, size), &(struct rpc_call_options){.deadline_ms = 1000}, answered,
                       &waiting);
        input = str_n(input.ptr + size, input.len - size);
    }
    while (waiting > 0) {
        bool more = virtual_time_step(sims->time);
        assert(more);
    }
}

static void check(const struct inproc_sim *sims) {
    for (const char *const *name = sim_system_names(); *name; name++) {
        struct sim_stats stats;
        if (sim_stats(sims->sim, *name, &stats))
            assert(stats.took_effect_twice == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct virtual_time time;
    struct inproc_sim sims = {.options = {.callback_key_id = "key", .callback_secret = "secret", .fault_seed = 1}};
    virtual_time_init(&time, INT64_C(1790000000000));
    struct rpc_inproc *center = rpc_inproc_new(&time.scheduler); // nobody hears the notifications
    inproc_sim_open(&sims, &time, center, USERS);
    struct rpc_channel *channel = rpc_inproc_channel(sims.board.net, "fuzz", NULL, NULL);
    make_calls(&sims, channel, str_n(data, size));
    check(&sims);
    inproc_sim_kill(&sims);
    inproc_sim_start(&sims);
    make_calls(&sims, channel, str_n(data, size));
    check(&sims);
    inproc_sim_kill(&sims);
    rpc_channel_close(channel);
    virtual_time_release(&time);
    inproc_sim_close(&sims);
    rpc_inproc_free(center);
    return 0;
}
