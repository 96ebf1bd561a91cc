// Raw calls: whom they may reach, what may be sent, what an answer means, and how connections come and go.
#include "adapters/raw/raw.h"

#include "participant/points/v1/points.pb-c.h"
#include "rpc/inproc.h"
#include "tests/cmocka.h"
#include "tests/time/virtual_time.h"

#include <stdio.h>
#include <stdlib.h>

// ---- Whom

// ------------------------------------------------------------------------------------------------------------

static const struct {
    const char *pattern, *target;
    bool allowed;
} pairs[] = {
    {"orders:7000", "orders:7000", true},
    {"orders:7000", "orders:7001", false},
    {"orders:7000", "orders:70000", false},
    {"orders:7000", "orders:700", false},
    {"127.0.0.1:*", "127.0.0.1:7800", true},
    {"127.0.0.1:*", "127.0.0.1:", true},
    {"127.0.0.1:*", "127.0.0.1:78,evil:1", false},
    {"dns:///*.shop.internal:443", "dns:///orders.shop.internal:443", true},
    {"dns:///*.shop.internal:443", "dns:///a.b.shop.internal:443", false},
    {"dns:///*.shop.internal:443", "dns:///evil/x.shop.internal:443", false},
    {"dns:///*-eu-*.internal:443", "dns:///orders-eu-1.internal:443", true},
    {"dns:///*-eu-*.internal:443", "dns:///orders-eu-eu-1.internal:443", true},
    {"dns:///*-eu-*.internal:443", "dns:///orders-us-1.internal:443", false},
    {"a*a", "aa", true},
    {"a*a", "a", false},
    {"*", "anything-7", true},
    {"*", "any:thing", false},
    {"orders:7000", "", false},
    {"*", "*", false},
};

static void test_only_listed_targets_are_allowed(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        const char *const targets[] = {"other:1", pairs[i].pattern, NULL};
        struct rpc_timers timers = {0};
        struct virtual_time time;
        virtual_time_init(&time, 0);
        timers = time.timers;
        struct raw *raw = raw_new(&(struct raw_options){.timers = &timers, .targets = targets});
        assert_true(raw_is_open(raw));
        if (raw_allows(raw, str_c(pairs[i].target)) != pairs[i].allowed)
            fail_msg("%s, %s", pairs[i].pattern, pairs[i].target);
        // No byte goes with a pattern's end, not even the one that is there.
        assert_false(raw_allows(raw, str_n(pairs[i].pattern, strlen(pairs[i].pattern) + 1)));
        raw_free(raw);
        virtual_time_release(&time);
    }
}

// ---- A net of participants

// -------------------------------------------------------------------------------------------

enum { KEPT_MAX = 16, IDLE_MS = 60000 };

struct kept {
    unsigned n;
    enum outcome outcome;
    enum err code;
    char reason[48];
    bool never_seen;
    size_t n_bytes;
};

struct world {
    struct virtual_time time;
    struct rpc_inproc *net;
    struct raw *raw;
    unsigned opened, open, refused_opens;
    enum err refusal; // of what is served
    bool silent;      // it never answers in time
    struct rpc_inbound *held[KEPT_MAX];
    unsigned n_held;
    char metadata[512]; // of the last call
};

static struct world world;

static void serve(void *service, struct rpc_inbound *in, const ProtobufCMessage *request) {
    static const char *const names[] = {"tx-key", "tx-gid", "tx-step", "tx-op", "x-request-id", "traceparent", "x-own"};
    Participant__Points__V1__InquireResponse response = PARTICIPANT__POINTS__V1__INQUIRE_RESPONSE__INIT;
    (void)service, (void)request;
    size_t at = 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        at += (size_t)snprintf(world.metadata + at, sizeof world.metadata - at, "%s=%.*s ", names[i],
                               STR_FMT(rpc_inbound_header(in, names[i])));
    if (world.silent) {
        assert_true(world.n_held < KEPT_MAX);
        world.held[world.n_held++] = in;
    } else if (world.refusal != ERR_OK) {
        struct error error;
        error_set(&error, world.refusal, NULL);
        rpc_fail(in, &error, NULL);
    } else {
        response.answer = (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t) "kept", .len = 4};
        rpc_reply(in, &response.base);
    }
}

static const struct rpc_route route = {
    .method = {.service = &participant__points__v1__points_service__descriptor, .name = "Inquire"},
    .handle = serve,
    .scope = RPC_PUBLIC};

// A channel that counts itself.
struct counted {
    struct rpc_channel base;
    struct rpc_channel *inner;
};

static void call_bytes(struct rpc_channel *channel, const char *path, struct str request,
                       const struct rpc_call_options *options, rpc_done_fn *done, void *ctx) {
    rpc_call_bytes(((struct counted *)channel)->inner, path, request, options, done, ctx);
}

static void close_counted(struct rpc_channel *channel) {
    world.open--;
    rpc_channel_close(((struct counted *)channel)->inner);
    free(channel);
}

static struct rpc_channel *open_counted(void *ctx, const char *target, struct error *error) {
    static const struct rpc_channel_ops ops = {.call_bytes = call_bytes, .close = close_counted};
    (void)ctx;
    if (strcmp(target, "t:broken") == 0) {
        world.refused_opens++;
        error_set(error, ERR_CONFIG_INVALID, "no");
        return NULL;
    }
    struct counted *made = calloc(1, sizeof *made);
    assert_non_null(made);
    made->base.ops = &ops;
    made->inner = rpc_inproc_channel(world.net, "center", NULL, NULL);
    world.opened++;
    world.open++;
    return &made->base;
}

static int set_up(void **state) {
    static const char *const targets[] = {"t:*", NULL};
    (void)state;
    world = (struct world){.refusal = ERR_OK};
    virtual_time_init(&world.time, 1000);
    world.net = rpc_inproc_new(&world.time.scheduler);
    rpc_inproc_add(world.net, &route, 1, NULL);
    world.raw = raw_new(&(struct raw_options){
        .open = open_counted, .timers = &world.time.timers, .targets = targets, .channels_max = 2, .idle_ms = IDLE_MS});
    return 0;
}

static void answer_held(void) {
    struct error error;
    error_set(&error, ERR_RETRY, NULL);
    for (; world.n_held > 0; world.n_held--)
        rpc_fail(world.held[world.n_held - 1], &error, NULL);
}

static int tear_down(void **state) {
    (void)state;
    raw_free(world.raw);
    assert_int_equal(world.open, 0);
    answer_held();
    while (virtual_time_step(&world.time))
        continue;
    rpc_inproc_free(world.net);
    virtual_time_release(&world.time);
    return 0;
}

static void keep(void *ctx, const struct adapter_answer *answer) {
    struct kept *kept = ctx;
    kept->n++;
    kept->outcome = answer->outcome;
    kept->code = answer->code;
    kept->never_seen = answer->never_seen;
    kept->n_bytes = answer->bytes.len;
    assert_true(str_copy(str_c(answer->reason), kept->reason, sizeof kept->reason));
    assert_non_null(answer->text);
}

static void send(const char *target, bool inquiry, struct kept *kept) {
    static const struct rpc_header headers[] = {{"x-own", {"mine", 4}}, {.name = NULL}};
    struct raw_call call = {.target = target,
                            .method = "/participant.points.v1.PointsService/Inquire",
                            .headers = headers,
                            .key = "G/1/1",
                            .gid = "G",
                            .step = "charge",
                            .op = inquiry ? "inquire" : "action",
                            .request_id = "r",
                            .traceparent = "",
                            .deadline_ms = 500,
                            .inquiry = inquiry};
    *kept = (struct kept){0};
    raw_send(world.raw, &call, keep, kept);
}

static struct kept ask(const char *target, bool inquiry) {
    struct kept kept;
    send(target, inquiry, &kept);
    virtual_time_run_until(&world.time, world.time.now_ms + 1000);
    assert_int_equal(kept.n, 1);
    return kept;
}

static void test_what_an_answer_means(void **state) {
    (void)state;
    static const struct {
        enum err refusal;
        bool inquiry;
        enum outcome outcome;
        bool never_seen;
        const char *reason;
    } rows[] = {
        {ERR_OK, false, OUTCOME_OK, false, ""},
        {ERR_STORE_CONFLICT, false, OUTCOME_REJECTED, false, "STORE_CONFLICT"},   // ABORTED, with a word of its own
        {ERR_SAGA_STATE, false, OUTCOME_RETRY, false, "PARTICIPANT_UNAVAILABLE"}, // FAILED_PRECONDITION alone
        {ERR_RETRY, false, OUTCOME_RETRY, false, "PARTICIPANT_UNAVAILABLE"},      // UNAVAILABLE, nothing was done
        {ERR_INTERNAL, false, OUTCOME_UNKNOWN, false, "PARTICIPANT_BROKEN"},
        {ERR_TIMED_OUT, false, OUTCOME_UNKNOWN, false, "PARTICIPANT_SILENT"},         // DEADLINE_EXCEEDED
        {ERR_SAGA_NOT_FOUND, false, OUTCOME_RETRY, false, "PARTICIPANT_UNAVAILABLE"}, // NOT_FOUND of an action
        {ERR_SAGA_NOT_FOUND, true, OUTCOME_OK, true, ""},
        {ERR_STORE_CONFLICT, true, OUTCOME_REJECTED, false, "STORE_CONFLICT"},
        {ERR_OK, true, OUTCOME_OK, false, ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        world.refusal = rows[i].refusal;
        struct kept kept = ask("t:1", rows[i].inquiry);
        if (kept.outcome != rows[i].outcome || kept.never_seen != rows[i].never_seen ||
            strcmp(kept.reason, rows[i].reason) != 0)
            fail_msg("row %zu: %s %s%s", i, outcome_name(kept.outcome), kept.reason,
                     kept.never_seen ? ", never seen" : "");
        assert_int_equal(kept.n_bytes > 0, rows[i].refusal == ERR_OK);
    }
    world.silent = true;
    assert_int_equal(ask("t:1", false).outcome, OUTCOME_UNKNOWN);
}

static void test_metadata_says_what_the_call_is(void **state) {
    (void)state;
    ask("t:1", false);
    assert_string_equal(world.metadata, "tx-key=G/1/1 tx-gid=G tx-step=charge tx-op=action x-request-id=r traceparent= "
                                        "x-own=mine ");
}

// ---- Connections

// -----------------------------------------------------------------------------------------------------

static void test_a_connection_is_shared_and_closed_when_it_was_idle_for_long(void **state) {
    (void)state;
    ask("t:1", false);
    ask("t:1", false);
    ask("t:2", false);
    assert_int_equal(world.opened, 2);
    virtual_time_run_until(&world.time, world.time.now_ms + IDLE_MS / 2);
    ask("t:1", false);
    virtual_time_run_until(&world.time, world.time.now_ms + IDLE_MS / 2);
    assert_int_equal(world.open, 1); // t:2's is closed
    virtual_time_run_until(&world.time, world.time.now_ms + IDLE_MS);
    assert_int_equal(world.open, 0);
    assert_int_equal(ask("t:2", false).outcome, OUTCOME_OK);
    assert_int_equal(world.opened, 3);
}

static void test_connections_are_bounded_and_the_longest_idle_gives_way(void **state) {
    (void)state;
    struct kept kept[3];
    ask("t:1", false);
    ask("t:2", false);
    ask("t:3", false);
    assert_int_equal(world.open, 2);
    world.silent = true;
    for (size_t i = 0; i < 3; i++) {
        char target[8];
        snprintf(target, sizeof target, "t:%zu", i + 4);
        send(target, false, &kept[i]);
    }
    assert_int_equal(world.open, 2);
    assert_int_equal(kept[2].n, 1); // both are busy: told at once, and to be tried again
    assert_int_equal(kept[2].outcome, OUTCOME_RETRY);
    assert_int_equal(kept[2].code, ERR_OVERLOADED);
    assert_int_equal(kept[0].n + kept[1].n, 0);
    virtual_time_run_until(&world.time, world.time.now_ms + 1000);
    assert_int_equal(kept[0].n + kept[1].n, 2);
}

static void test_what_can_not_be_reached_is_tried_again(void **state) {
    (void)state;
    struct kept kept = ask("elsewhere:1", false);
    assert_int_equal(kept.outcome, OUTCOME_RETRY);
    assert_int_equal(kept.code, ERR_PARTICIPANT_UNAVAILABLE);
    kept = ask("t:broken", false);
    assert_int_equal(kept.outcome, OUTCOME_RETRY);
    assert_int_equal(world.refused_opens, 1);
    assert_int_equal(world.opened, 0);
}

static void test_closing_ends_what_is_under_way(void **state) {
    (void)state;
    struct kept kept;
    world.silent = true;
    send("t:1", false, &kept);
    virtual_time_run_until(&world.time, world.time.now_ms + 10);
    raw_free(world.raw);
    world.raw = NULL;
    assert_int_equal(kept.n, 1);
    assert_int_equal(kept.outcome, OUTCOME_UNKNOWN);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_listed_targets_are_allowed),
        cmocka_unit_test_setup_teardown(test_what_an_answer_means, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_metadata_says_what_the_call_is, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_connection_is_shared_and_closed_when_it_was_idle_for_long, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_connections_are_bounded_and_the_longest_idle_gives_way, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_can_not_be_reached_is_tried_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_closing_ends_what_is_under_way, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("adapters/raw", tests, NULL, NULL);
}
