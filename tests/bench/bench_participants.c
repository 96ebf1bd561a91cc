// What the simulators cost: `bench_participants [PURCHASES [FOLDER]]`. Sixteen purchases at a time, each fifteen calls
// in a row to a txsim that syncs every commit (in FOLDER, default the current one). Prints purchases/s, calls/s, and
// the CPU time of txsim for one call, gRPC and store included.
#include "rpc/client.h"
#include "sim/core.h"
#include "tests/participants/fields.h"
#include "tests/participants/txsim.h"
#include "tests/scratch.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { IN_FLIGHT = 16, FIRST_USER = 5 /* those before are special */ };

// "$u" is the user's number; each purchase has a user of its own.
static const struct {
    const struct sim_system_def *system;
    const char *method, *fields;
} calls[] = {
    {&sim_user_def, "GetUser", "effect.op=4 user_id=U$u"},
    {&sim_oil_def, "GetPrice", "effect.op=4 station_id=S001 oil_code=92#"},
    {&sim_coupon_def, "ListUsableCoupons", "effect.op=4 user_id=U$u lines[0].kind=fuel lines[0].code=92#"},
    {&sim_points_def, "GetPoints", "effect.op=4 user_id=U$u"},
    {&sim_coupon_def, "LockCoupons", "user_id=U$u coupon_ids[0]=K$u-1"},
    {&sim_points_def, "FreezePoints", "user_id=U$u points=500"},
    {&sim_order_def, "CreateOrder",
     "station_id=S001 user_id=U$u payable=CNY19500 list_price=CNY22000 lines[0].kind=fuel lines[0].code=92# "
     "lines[0].list_price=CNY22000 lines[0].discount=CNY2500"},
    {&sim_payment_def, "CreatePayment", "tender_no=t$u merchant_id=M1 method=4 amount=CNY19500 payer=code-$u"},
    {&sim_order_def, "MarkPaid", "paid=CNY19500"},
    {&sim_coupon_def, "UseCoupons", "lock_key=T$u/4 coupon_ids[0]=K$u-1"},
    {&sim_points_def, "DeductPoints", "freeze_key=T$u/5 user_id=U$u points=500"},
    {&sim_points_def, "AwardPoints", "user_id=U$u station_id=S001 paid=CNY19500"},
    {&sim_coupon_def, "IssueCoupons", "user_id=U$u station_id=S001 paid=CNY19500"},
    {&sim_settlement_def, "RecordTrade",
     "tenant_id=G1 station_id=S001 shift_id=1 business_date=2026-10-01 postings[0].account=sales "
     "postings[0].amount=CNY-19500 postings[1].account=scanned postings[1].amount=CNY19500"},
    {&sim_push_def, "Push", "station_id=S001 event=PAID"},
};
enum { CALLS = sizeof calls / sizeof calls[0] };

struct bench {
    struct rpc_loop *loop;
    struct rpc_channel *channel;
    unsigned purchases, started, ended;
};

struct purchase {
    struct bench *bench;
    unsigned number;
    size_t at;
    char order_no[65];
    struct arena arena;
};

static void next(struct purchase *purchase);

static void answered(void *ctx, const struct rpc_result *result) {
    struct purchase *purchase = ctx;
    if (result->outcome != OUTCOME_OK || fields_number(result->message, "outcome.verdict") != 1) {
        fprintf(stderr, "%s: %s\n", calls[purchase->at].method,
                result->message ? fields_text(result->message, "outcome.code") : result->reason);
        exit(1);
    }
    if (strcmp(calls[purchase->at].method, "CreateOrder") == 0)
        str_copy(str_c(fields_text(result->message, "order_no")), purchase->order_no, sizeof purchase->order_no);
    purchase->at++;
    next(purchase);
}

static const char *expand(struct purchase *purchase, const char *text) {
    const char *done = text;
    for (const char *at; (at = strstr(done, "$u"));)
        done = arena_printf(&purchase->arena, "%.*s%04u%s", (int)(at - done), done, purchase->number, at + 2).ptr;
    return done;
}

static void next(struct purchase *purchase) {
    struct bench *bench = purchase->bench;
    if (purchase->at == CALLS) {
        bench->ended++;
        purchase->at = 0;
        purchase->number = FIRST_USER + bench->started++;
        purchase->order_no[0] = '\0';
        if (bench->started > bench->purchases)
            return;
    }
    arena_reset(&purchase->arena);
    struct rpc_method method = {.service = calls[purchase->at].system->service, .name = calls[purchase->at].method};
    const char *fields = expand(purchase, calls[purchase->at].fields);
    if (purchase->at > 3)
        fields =
            arena_printf(&purchase->arena,
                         "effect.op=1 effect.key=T%04u/%zu effect.gid=T%04u effect.step=step effect.trade_no=T%04u "
                         "effect.order_no=%s %s",
                         purchase->number, purchase->at, purchase->number, purchase->number, purchase->order_no, fields)
                .ptr;
    ProtobufCMessage *request = fields_make(rpc_method_request(&method), fields, &purchase->arena);
    rpc_call(bench->channel, &method, request, &(struct rpc_call_options){.deadline_ms = 30000}, answered, purchase);
}

// User and system time of the process so far, in seconds.
static double cpu_of(pid_t pid) {
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    size_t n = file ? fread(text, 1, sizeof text - 1, file) : 0;
    text[n] = '\0';
    if (file)
        fclose(file);
    struct str rest = str_c(text);
    for (int field = 1; field < 14; field++)
        str_cut(&rest, ' ');
    int64_t user = 0, kernel = 0;
    str_to_i64(str_cut(&rest, ' '), &user);
    str_to_i64(str_cut(&rest, ' '), &kernel);
    return (double)(user + kernel) / (double)sysconf(_SC_CLK_TCK);
}

static void run(struct bench *bench, pid_t pid) {
    static struct purchase purchases[IN_FLIGHT];
    double cpu = cpu_of(pid);
    int64_t start_ns = clock_monotonic_ns();
    for (unsigned i = 0; i < IN_FLIGHT; i++) {
        purchases[i] = (struct purchase){.bench = bench, .number = FIRST_USER + bench->started++};
        arena_init(&purchases[i].arena, 1 << 20);
        next(&purchases[i]);
    }
    while (bench->ended < bench->purchases)
        rpc_loop_once(bench->loop, 1000);
    double seconds = (double)(clock_monotonic_ns() - start_ns) / 1e9;
    cpu = cpu_of(pid) - cpu;
    double n = bench->purchases;
    printf("%.0f purchases/s, %.0f calls/s, %.0f µs of txsim's CPU for a call\n", n / seconds, n * CALLS / seconds,
           cpu / n / CALLS * 1e6);
}

int main(int argc, char **argv) {
    struct bench bench = {.purchases = 3000};
    int64_t purchases;
    if (argc > 1 && str_to_i64(str_c(argv[1]), &purchases) && purchases >= IN_FLIGHT && purchases <= 1000000)
        bench.purchases = (unsigned)purchases;
    char folder[256], listen[300], users[16];
    struct error error = {0};
    snprintf(folder, sizeof folder, "%s/bench-txsim-%d", argc > 2 ? argv[2] : ".", (int)getpid());
    snprintf(listen, sizeof listen, "unix:%s/sim", folder);
    snprintf(users, sizeof users, "%u", bench.purchases + FIRST_USER - 1);
    const char *const args[] = {"serve", "--listen", listen, "--data", folder, "--seed-world", "--users", users, NULL};
    pid_t pid = txsim_start(args);
    bench.loop = rpc_loop_new();
    bench.channel = rpc_channel_open(bench.loop, listen, NULL, &error);
    assert(bench.channel);
    run(&bench, pid);
    rpc_channel_close(bench.channel);
    txsim_kill(pid);
    rpc_loop_free(bench.loop);
    scratch_remove(folder);
    return 0;
}
