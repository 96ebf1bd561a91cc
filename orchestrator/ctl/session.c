#include "orchestrator/ctl/session.h"

#include "base/id.h"
#include "orchestrator/ctl/protojson.h"
#include "orchestrator/ctl/request.h"

#include <assert.h>

// Of google.rpc.Code.
enum { UNAVAILABLE = 14, DATA_LOSS = 15 };

enum { ARENA_MAX = 64 << 20, TIMEOUT_S = 10, MESSAGE_MAX = 16 << 20 };

// ---- Life ---------------------------------------------------------------------------------------------------------

static bool take_output(struct session *session, struct error *error) {
    const char *output = args_text(session->args, "output");
    session->json = strcmp(output, "json") == 0;
    if (!session->json && strcmp(output, "human") != 0)
        return error_set(error, ERR_INVALID_REQUEST, "--output: expected human or json, got '%s'", output);
    return true;
}

static bool take_request_id(struct session *session, struct error *error) {
    const char *given = args_text(session->args, "request-id");
    if (!given)
        id_make(clock_now_ms(clock_system()), 0, id_random, NULL, session->request_id);
    else if (!*given || !str_copy(str_c(given), session->request_id, sizeof session->request_id))
        return error_set(error, ERR_INVALID_REQUEST, "--request-id: expected 1 to 64 bytes, got '%s'", given);
    return true;
}

static bool check_tls(struct session *session, struct error *error) {
    const struct args *args = session->args;
    bool ca = args_text(args, "tls-ca"), certificate = args_text(args, "tls-cert"), key = args_text(args, "tls-key");
    if (certificate != key)
        return error_set(error, ERR_INVALID_REQUEST, "--tls-cert and --tls-key come together");
    if (!ca && (certificate || args_text(args, "tls-name")))
        return error_set(error, ERR_INVALID_REQUEST, "without --tls-ca the connection is in plain text");
    return true;
}

// What stands behind the last colon is a port, but of a socket's path and inside of an IPv6 address's brackets.
static bool take_server(struct session *session, struct error *error) {
    const char *given = args_text(session->args, "server"), *environment = session->env->server;
    session->server = given ? given : environment && *environment ? environment : "127.0.0.1:7600";
    const char *colon = strrchr(session->server, ':');
    int64_t port;
    if (!colon || strncmp(session->server, "unix", 4) == 0 || strchr(colon, ']') || colon[1] == '/')
        return true;
    if (!str_to_i64(str_c(colon + 1), &port) || port < 1 || port > 65535)
        return error_set(error, ERR_INVALID_REQUEST, "%s: expected HOST:PORT with a port from 1 to 65535, got '%s'",
                         given ? "--server" : "TXCENTER_SERVER", session->server);
    return true;
}

bool session_init(struct session *session, const struct args *args, const struct session_env *env,
                  struct error *error) {
    *session = (struct session){.args = args, .env = env};
    if (!take_output(session, error) || !take_request_id(session, error) || !check_tls(session, error) ||
        !take_server(session, error))
        return false;
    session->headers[0] = (struct rpc_header){"x-request-id", str_c(session->request_id)};
    if (args_text(args, "caller"))
        session->headers[1] = (struct rpc_header){"x-caller", str_c(args_text(args, "caller"))};
    view_init(&session->view, env->colour && !session->json && !args_flag(args, "no-color"), env->width,
              clock_now_ms(clock_system()));
    arena_init(&session->arena, ARENA_MAX);
    return true;
}

void session_release(struct session *session) {
    rpc_channel_close(session->channel);
    if (session->loop)
        rpc_loop_free(session->loop);
    view_release(&session->view);
    arena_release(&session->arena);
}

// ---- Calls --------------------------------------------------------------------------------------------------------

static bool connect_once(struct session *session, struct session_failure *failure) {
    if (session->channel)
        return true;
    const struct args *args = session->args;
    const struct rpc_channel_options options = {.ca = args_text(args, "tls-ca"),
                                                .certificate = args_text(args, "tls-cert"),
                                                .key = args_text(args, "tls-key"),
                                                .server_name = args_text(args, "tls-name"),
                                                .message_max = MESSAGE_MAX};
    if (!session->loop)
        session->loop = rpc_loop_new();
    session->channel = rpc_channel_open(session->loop, session->server, &options, &failure->error);
    if (!session->channel)
        failure->grpc_status = UNAVAILABLE;
    return session->channel != NULL;
}

struct call {
    const struct rpc_method *method;
    struct arena *arena;
    struct session_failure *failure;
    ProtobufCMessage *message;
    rpc_each_fn *each; // of a stream
    void *each_ctx;
    bool done;
};

static bool on_each(void *ctx, const ProtobufCMessage *message) {
    struct call *call = ctx;
    return call->each(call->each_ctx, message);
}

static void on_done(void *ctx, const struct rpc_result *result) {
    struct call *call = ctx;
    call->done = true;
    call->failure->grpc_status = result->grpc_status;
    call->failure->error = result->error;
    if (!str_copy(str_c(result->reason), call->failure->reason, sizeof call->failure->reason))
        call->failure->reason[0] = '\0';
    if (call->each || error_is(&result->error))
        return;
    // The result's message is gone when this returns; the bytes are decoded again into what stays.
    call->message = rpc_decode(rpc_method_response(call->method), result->bytes, call->arena, &call->failure->error);
}

uint32_t session_deadline_ms(const struct session *session) {
    const struct args *args = session->args;
    if (args_text(args, "timeout"))
        return (uint32_t)args_number(args, "timeout") * 1000;
    uint32_t seconds = TIMEOUT_S;
    const struct option *option;
    for (size_t i = 0; (option = command_option(args->command, i)); i++)
        if (option->field && strcmp(option->field, "wait_ms") == 0)
            seconds += (uint32_t)args_number(args, option->name);
    return seconds * 1000;
}

const ProtobufCMessage *session_call(struct session *session, const struct rpc_method *method,
                                     const ProtobufCMessage *request, struct session_failure *ret_failure) {
    struct session_failure failure = {0};
    struct call call = {.method = method, .arena = &session->arena, .failure = &failure};
    const struct rpc_call_options options = {.deadline_ms = session_deadline_ms(session), .headers = session->headers};
    if (connect_once(session, &failure)) {
        rpc_call(session->channel, method, request, &options, on_done, &call);
        while (!call.done)
            rpc_loop_once(session->loop, 1000);
    }
    if (!call.message) {
        if (failure.grpc_status == 0)
            failure.grpc_status = DATA_LOSS; // an answer, but not one that can be understood
        *ret_failure = failure;
    }
    return call.message;
}

void session_stream(struct session *session, const struct rpc_method *method, const ProtobufCMessage *request,
                    uint32_t deadline_ms, rpc_each_fn *each, void *ctx, struct session_failure *ret_failure) {
    struct session_failure failure = {0};
    struct call call = {.method = method, .each = each, .each_ctx = ctx, .failure = &failure};
    const struct rpc_call_options options = {.deadline_ms = deadline_ms, .headers = session->headers};
    if (connect_once(session, &failure)) {
        rpc_stream(session->channel, method, request, &options, on_each, on_done, &call);
        while (!call.done)
            rpc_loop_once(session->loop, 1000);
    }
    if (error_is(&failure.error) && failure.grpc_status == 0)
        failure.grpc_status = DATA_LOSS;
    *ret_failure = failure;
}

ProtobufCMessage *session_request(struct session *session) {
    struct error error = {0};
    ProtobufCMessage *request =
        request_make(session->args, session->request_id, session->view.now_ms, &session->arena, &error);
    if (!request)
        session_usage(session->env, session->json, error.text);
    return request;
}

// ---- Printing -----------------------------------------------------------------------------------------------------

void session_flush(struct session *session) {
    struct str text = buf_str(&session->view.text);
    bool whole = !session->view.text.failed && fwrite(text.ptr, 1, text.len, session->env->out) == text.len;
    if (fflush(session->env->out) != 0 || !whole)
        session->cut = true;
    buf_clear(&session->view.text);
}

void session_print(struct session *session, show_fn *show, const ProtobufCMessage *response) {
    if (!session->json) {
        show(&session->view, &session->arena, response);
    } else {
        json_t *document = protojson_of(response);
        if (!document ||
            !protojson_print(&session->view.text, document, session->args->command->method.server_streaming))
            session->view.text.failed = true;
        json_decref(document);
    }
    session_flush(session);
}

static bool is_processing(const ProtobufCMessage *response) {
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(response->descriptor, "processing");
    protobuf_c_boolean processing = false;
    if (field)
        memcpy(&processing, (const char *)response + field->offset, sizeof processing);
    return processing;
}

int session_run_call(struct session *session) {
    const ProtobufCMessage *request = session_request(session);
    return request ? session_send(session, request) : TXCTL_USAGE;
}

int session_send(struct session *session, const ProtobufCMessage *request) {
    const struct command *command = session->args->command;
    struct session_failure failure;
    const ProtobufCMessage *response = session_call(session, &command->method, request, &failure);
    if (!response)
        return session_report(session, &failure);
    session_print(session, command->show, response);
    return is_processing(response) ? TXCTL_PROCESSING : TXCTL_OK;
}
