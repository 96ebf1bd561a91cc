#include "tests/orchestrator/ctl/fake_server.h"

#include "orchestrator/ctl/saga_view.h"
#include "rpc/server.h"
#include "tests/orchestrator/ctl/from_json.h"
#include "txcenter/saga/v1/operator.pb-c.h"
#include "txcenter/trade/v1/trade.pb-c.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static Txcenter__Trade__V1__Trade *sample_trade(struct rpc_inbound *in) {
    return (void *)from_sample(&txcenter__trade__v1__trade__descriptor, "trade.json", rpc_inbound_arena(in));
}

static char *copy(struct rpc_inbound *in, struct str text) {
    return (char *)(uintptr_t)arena_str(rpc_inbound_arena(in), text).ptr;
}

// ---- Misbehaviour -------------------------------------------------------------------------------------------------

static void refuse(struct rpc_inbound *in, enum err code) {
    struct error error;
    error_set(&error, code, NULL);
    if (code == ERR_OVERLOADED)
        error.retry_after_ms = 200;
    rpc_fail(in, &error, NULL);
}

static void refuse_fields(struct rpc_inbound *in) {
    struct error error = {0};
    for (int i = 0; i < 10; i++) {
        char path[32];
        snprintf(path, sizeof path, "lines[%d].fuel.oil_code", i);
        error_field(&error, path, "must not be empty");
    }
    rpc_fail(in, &error, NULL);
}

static void refuse_hostile(struct rpc_inbound *in) {
    struct error error;
    error_set(&error, ERR_INVALID_REQUEST, "\033[2J\033]0;owned\a\nroot# ");
    error_field(&error, "a\rb",
                "\xc2\x9b"
                "31m");
    rpc_fail(in, &error, NULL);
}

// True when the trade's number asks for it; the call is then answered, or never will be.
static bool misbehaves(struct rpc_inbound *in, const char *trade_no) {
    if (strcmp(trade_no, "NONE") == 0)
        refuse(in, ERR_TRADE_NOT_FOUND);
    else if (strcmp(trade_no, "BUSY") == 0)
        refuse(in, ERR_OVERLOADED);
    else if (strcmp(trade_no, "FIELDS") == 0)
        refuse_fields(in);
    else if (strcmp(trade_no, "HOSTILE") == 0)
        refuse_hostile(in);
    else if (strcmp(trade_no, "GARBAGE") == 0)
        rpc_reply_bytes(in, STR("\xff\xff\xff\xff"));
    else
        return strcmp(trade_no, "MUTE") == 0;
    return true;
}

// ---- Trades -------------------------------------------------------------------------------------------------------

static void on_get(void *service, struct rpc_inbound *in, const ProtobufCMessage *message) {
    (void)service;
    const Txcenter__Trade__V1__GetTradeRequest *request = (const void *)message;
    if (misbehaves(in, request->trade_no))
        return;
    Txcenter__Trade__V1__GetTradeResponse response = TXCENTER__TRADE__V1__GET_TRADE_RESPONSE__INIT;
    response.trade = sample_trade(in);
    if (strcmp(request->trade_no, "WHO") == 0) {
        response.trade->created_by = copy(in, rpc_inbound_header(in, "x-caller"));
        response.trade->reason = copy(in, rpc_inbound_header(in, "x-request-id"));
    }
    rpc_reply(in, &response.base);
}

static void on_quote(void *service, struct rpc_inbound *in, const ProtobufCMessage *message) {
    (void)service;
    (void)message;
    Txcenter__Trade__V1__QuoteResponse response = TXCENTER__TRADE__V1__QUOTE_RESPONSE__INIT;
    Txcenter__Trade__V1__Trade *trade = sample_trade(in);
    response.trade_no = trade->trade_no;
    response.quote = trade->quote;
    rpc_reply(in, &response.base);
}

static void on_order(void *service, struct rpc_inbound *in, const ProtobufCMessage *message) {
    (void)service;
    const Txcenter__Trade__V1__PlaceOrderRequest *request = (const void *)message;
    if (misbehaves(in, request->trade_no))
        return;
    Txcenter__Trade__V1__PlaceOrderResponse response = TXCENTER__TRADE__V1__PLACE_ORDER_RESPONSE__INIT;
    response.trade = sample_trade(in);
    response.trade->reason = request->request_id; // so that a test sees what it was
    response.processing = request->wait_ms == 0;
    rpc_reply(in, &response.base);
}

static void on_list(void *service, struct rpc_inbound *in, const ProtobufCMessage *message) {
    (void)service;
    const Txcenter__Trade__V1__ListTradesRequest *request = (const void *)message;
    Txcenter__Trade__V1__ListTradesResponse response = TXCENTER__TRADE__V1__LIST_TRADES_RESPONSE__INIT;
    Txcenter__Trade__V1__Trade *trades[] = {sample_trade(in)};
    response.trades = trades;
    response.n_trades = *request->page_token ? 0 : 1;
    static char second[] = "second", none[] = "";
    response.next_page_token = *request->page_token ? none : second;
    rpc_reply(in, &response.base);
}

// Three versions of a trade, to its end. That of BROKEN breaks off behind each.
static void on_watch(void *service, struct rpc_inbound *in, const ProtobufCMessage *message) {
    (void)service;
    const Txcenter__Trade__V1__WatchTradeRequest *request = (const void *)message;
    if (misbehaves(in, request->trade_no))
        return;
    static const Txcenter__Trade__V1__TradeState states[] = {TXCENTER__TRADE__V1__TRADE_STATE__TRADE_STATE_PAYING,
                                                             TXCENTER__TRADE__V1__TRADE_STATE__TRADE_STATE_PAID,
                                                             TXCENTER__TRADE__V1__TRADE_STATE__TRADE_STATE_COMPLETED};
    bool breaks = strcmp(request->trade_no, "BROKEN") == 0;
    for (int64_t version = request->after_version + 1; version <= 3; version++) {
        Txcenter__Trade__V1__WatchTradeResponse change = TXCENTER__TRADE__V1__WATCH_TRADE_RESPONSE__INIT;
        Txcenter__Trade__V1__Trade trade = TXCENTER__TRADE__V1__TRADE__INIT;
        change.trade = &trade;
        trade.trade_no = request->trade_no;
        trade.version = version;
        trade.state = states[version - 1];
        rpc_stream_send(in, &change.base);
        if (breaks) {
            refuse(in, ERR_SHUTTING_DOWN);
            return;
        }
    }
    rpc_stream_end(in);
}

// ---- Sagas --------------------------------------------------------------------------------------------------------

static void on_saga(void *service, struct rpc_inbound *in, const ProtobufCMessage *message) {
    (void)service;
    const Txcenter__Saga__V1__GetSagaRequest *request = (const void *)message;
    if (strcmp(request->gid, "NONE") == 0) {
        refuse(in, ERR_SAGA_NOT_FOUND);
        return;
    }
    Txcenter__Saga__V1__GetSagaResponse response = TXCENTER__SAGA__V1__GET_SAGA_RESPONSE__INIT;
    response.saga = (void *)from_sample(&txcenter__saga__v1__saga__descriptor, "saga.json", rpc_inbound_arena(in));
    response.saga->gid = request->gid;
    rpc_reply(in, &response.base);
}

// What was asked for comes back: the gid (or the request_id, where there is none), the steps.
static void on_submit(void *service, struct rpc_inbound *in, const ProtobufCMessage *message) {
    (void)service;
    const Txcenter__Saga__V1__SubmitSagaRequest *request = (const void *)message;
    Txcenter__Saga__V1__SubmitSagaResponse response = TXCENTER__SAGA__V1__SUBMIT_SAGA_RESPONSE__INIT;
    Txcenter__Saga__V1__Saga saga = TXCENTER__SAGA__V1__SAGA__INIT;
    Txcenter__Saga__V1__Step step = TXCENTER__SAGA__V1__STEP__INIT, *steps[] = {&step};
    response.saga = &saga;
    response.processing = request->wait_ms == 0;
    saga.gid = *request->gid ? request->gid : request->request_id;
    saga.flow = request->saga->flow;
    saga.status = response.processing                  ? TXCENTER__SAGA__V1__SAGA_STATUS__SAGA_STATUS_RUNNING
                  : strcmp(request->gid, "FAILS") == 0 ? TXCENTER__SAGA__V1__SAGA_STATUS__SAGA_STATUS_FAILED
                                                       : TXCENTER__SAGA__V1__SAGA_STATUS__SAGA_STATUS_SUCCEEDED;
    saga.steps = steps;
    saga.n_steps = 1;
    step.name = request->saga->steps[0]->name;
    step.participant = request->saga->steps[0]->action->target;
    rpc_reply(in, &response.base);
}

static void on_signal(void *service, struct rpc_inbound *in, const ProtobufCMessage *message) {
    (void)service;
    const Txcenter__Saga__V1__SignalSagaRequest *request = (const void *)message;
    Txcenter__Saga__V1__SignalSagaResponse response = TXCENTER__SAGA__V1__SIGNAL_SAGA_RESPONSE__INIT;
    bool fine = strcmp(request->gid, "G1") == 0 && strcmp(request->name, "paid") == 0 && *request->request_id &&
                request->payload.len == 7 && memcmp(request->payload.data, "receipt", 7) == 0;
    if (fine)
        rpc_reply(in, &response.base);
    else
        refuse(in, ERR_SAGA_STATE);
}

static void on_count(void *service, struct rpc_inbound *in, const ProtobufCMessage *message) {
    (void)service;
    const Txcenter__Saga__V1__CountSagasRequest *request = (const void *)message;
    Txcenter__Saga__V1__CountSagasResponse response = TXCENTER__SAGA__V1__COUNT_SAGAS_RESPONSE__INIT;
    response.at_least = request->filter && request->filter->parked;
    response.count = response.at_least ? 100000 : 17;
    rpc_reply(in, &response.base);
}

// Three states of a saga, to its end. That of BROKEN breaks off behind each.
static void on_watch_saga(void *service, struct rpc_inbound *in, const ProtobufCMessage *message) {
    (void)service;
    const Txcenter__Saga__V1__WatchSagaRequest *request = (const void *)message;
    static const Txcenter__Saga__V1__SagaStatus states[] = {TXCENTER__SAGA__V1__SAGA_STATUS__SAGA_STATUS_RUNNING,
                                                            TXCENTER__SAGA__V1__SAGA_STATUS__SAGA_STATUS_FORWARD,
                                                            TXCENTER__SAGA__V1__SAGA_STATUS__SAGA_STATUS_SUCCEEDED};
    enum { FIRST_S = 1769860820 };
    int64_t after = request->after_updated_at->seconds;
    for (int64_t at = after < FIRST_S ? FIRST_S : after + 1; at < FIRST_S + 3; at++) {
        Txcenter__Saga__V1__WatchSagaResponse change = TXCENTER__SAGA__V1__WATCH_SAGA_RESPONSE__INIT;
        Txcenter__Saga__V1__Saga saga = TXCENTER__SAGA__V1__SAGA__INIT;
        Txcenter__Saga__V1__Step step = TXCENTER__SAGA__V1__STEP__INIT, *steps[] = {&step};
        Google__Protobuf__Timestamp stamp = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
        stamp.seconds = at;
        change.saga = &saga;
        saga.gid = request->gid;
        saga.status = states[at - FIRST_S];
        saga.updated_at = &stamp;
        saga.steps = steps;
        saga.n_steps = 1;
        step.name = (char[]){"charge"};
        step.state = TXCENTER__SAGA__V1__STEP_STATE__STEP_STATE_RETRYING;
        rpc_stream_send(in, &change.base);
        if (strcmp(request->gid, "BROKEN") == 0) {
            refuse(in, ERR_SHUTTING_DOWN);
            return;
        }
    }
    rpc_stream_end(in);
}

static void on_flow(void *service, struct rpc_inbound *in, const ProtobufCMessage *message) {
    (void)service;
    (void)message;
    Txcenter__Saga__V1__GetFlowResponse response = TXCENTER__SAGA__V1__GET_FLOW_RESPONSE__INIT;
    response.flow = (void *)from_sample(&txcenter__saga__v1__flow__descriptor, "flow.json", rpc_inbound_arena(in));
    rpc_reply(in, &response.base);
}

// ---- What operators do --------------------------------------------------------------------------------------------

static void on_retry(void *service, struct rpc_inbound *in, const ProtobufCMessage *message) {
    (void)service;
    (void)message;
    refuse(in, ERR_SAGA_STATE);
}

// A saga that comes back with what was asked for as its subject and its flow, so that a test sees it.
static void on_resolve(void *service, struct rpc_inbound *in, const ProtobufCMessage *message) {
    (void)service;
    const Txcenter__Saga__V1__ResolveRequest *request = (const void *)message;
    Txcenter__Saga__V1__ResolveResponse response = TXCENTER__SAGA__V1__RESOLVE_RESPONSE__INIT;
    response.saga = (void *)from_sample(&txcenter__saga__v1__saga__descriptor, "saga.json", rpc_inbound_arena(in));
    response.saga->gid = request->gid;
    response.saga->subject = request->step;
    response.saga->flow = copy(in, str_n((const char *)request->answer.data, request->answer.len));
    response.saga->flow_version = request->leg;
    rpc_reply(in, &response.base);
}

// Two reports. Its flow says how it goes: "whole", "refused", "broken" off, "malformed".
static void on_batch(void *service, struct rpc_inbound *in, const ProtobufCMessage *message) {
    (void)service;
    const Txcenter__Saga__V1__BatchRequest *request = (const void *)message;
    Txcenter__Saga__V1__BatchResponse report = TXCENTER__SAGA__V1__BATCH_RESPONSE__INIT;
    Txcenter__Saga__V1__BatchRefusal refusal = TXCENTER__SAGA__V1__BATCH_REFUSAL__INIT, *refusals[] = {&refusal};
    if (strcmp(request->filter->flow, "malformed") == 0) {
        refuse_fields(in);
        return;
    }
    report.matched = 3;
    rpc_stream_send(in, &report.base);
    if (strcmp(request->filter->flow, "broken") == 0) {
        refuse(in, ERR_SHUTTING_DOWN);
        return;
    }
    report.done = 3;
    report.finished = true;
    if (strcmp(request->filter->flow, "refused") == 0) {
        report.done = 2;
        report.refused = 1;
        refusal.gid = copy(in, STR("01KG9B2Y00170123456789ABCD/1"));
        refusal.reason = copy(in, STR("SAGA_STATE"));
        refusal.text = copy(in, STR("no step is parked"));
        report.refusals = refusals;
        report.n_refusals = 1;
    }
    rpc_stream_send(in, &report.base);
    rpc_stream_end(in);
}

static void on_participants(void *service, struct rpc_inbound *in, const ProtobufCMessage *message) {
    (void)service;
    (void)message;
    rpc_reply(in, from_sample(&txcenter__saga__v1__list_participants_response__descriptor, "participants.json",
                              rpc_inbound_arena(in)));
}

static void on_audit(void *service, struct rpc_inbound *in, const ProtobufCMessage *message) {
    (void)service;
    (void)message;
    rpc_reply(in,
              from_sample(&txcenter__saga__v1__list_audit_response__descriptor, "audit.json", rpc_inbound_arena(in)));
}

#define TRADE(method) .service = &txcenter__trade__v1__trade_service__descriptor, .name = (method)
#define SAGA(method) .service = &txcenter__saga__v1__saga_service__descriptor, .name = (method)
#define OPERATOR(method) .service = &txcenter__saga__v1__operator_service__descriptor, .name = (method)

static const struct rpc_route routes[] = {
    {.method = {TRADE("GetTrade")}, .handle = on_get, .scope = RPC_TRADE_READ},
    {.method = {TRADE("Quote")}, .handle = on_quote, .scope = RPC_TRADE},
    {.method = {TRADE("PlaceOrder")}, .handle = on_order, .scope = RPC_TRADE},
    {.method = {TRADE("ListTrades")}, .handle = on_list, .scope = RPC_TRADE_READ},
    {.method = {TRADE("WatchTrade"), .server_streaming = true}, .handle = on_watch, .scope = RPC_TRADE_READ},
    {.method = {SAGA("GetSaga")}, .handle = on_saga, .scope = RPC_SAGA},
    {.method = {SAGA("SubmitSaga")}, .handle = on_submit, .scope = RPC_SAGA},
    {.method = {SAGA("SignalSaga")}, .handle = on_signal, .scope = RPC_SAGA},
    {.method = {SAGA("CountSagas")}, .handle = on_count, .scope = RPC_SAGA},
    {.method = {SAGA("WatchSaga"), .server_streaming = true}, .handle = on_watch_saga, .scope = RPC_SAGA},
    {.method = {SAGA("GetFlow")}, .handle = on_flow, .scope = RPC_SAGA},
    {.method = {OPERATOR("Retry")}, .handle = on_retry, .scope = RPC_OPERATE},
    {.method = {OPERATOR("Resolve")}, .handle = on_resolve, .scope = RPC_OPERATE},
    {.method = {OPERATOR("Batch"), .server_streaming = true}, .handle = on_batch, .scope = RPC_OPERATE},
    {.method = {OPERATOR("ListParticipants")}, .handle = on_participants, .scope = RPC_OPERATE},
    {.method = {OPERATOR("ListAudit")}, .handle = on_audit, .scope = RPC_OPERATE},
};

// ---- The process --------------------------------------------------------------------------------------------------

static void serve(int pipe_fd) {
    prctl(PR_SET_PDEATHSIG, SIGKILL); // never outlives the test
    struct rpc_loop *loop = rpc_loop_new();
    static const char *const listen[] = {"127.0.0.1:0", NULL};
    const struct rpc_server_options options = {.listen = listen};
    struct rpc_server *server = rpc_server_new(loop, &options);
    rpc_server_add(server, routes, sizeof routes / sizeof routes[0], NULL);
    struct error error = {0};
    int port = rpc_server_start(server, &error) ? rpc_server_port(server, 0) : 0;
    if (write(pipe_fd, &port, sizeof port) != (ssize_t)sizeof port || port == 0)
        _exit(1);
    rpc_loop_run(loop);
    _exit(0);
}

void fake_server_start(struct fake_server *server) {
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    server->pid = fork();
    assert_true(server->pid >= 0);
    if (server->pid == 0)
        serve(fds[1]);
    close(fds[1]);
    assert_int_equal(read(fds[0], &server->port, sizeof server->port), sizeof server->port);
    close(fds[0]);
    assert_int_not_equal(server->port, 0);
}

void fake_server_stop(struct fake_server *server) {
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
}
