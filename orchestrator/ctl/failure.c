// What is said when there is no answer: a refusal, silence, or a command line that means nothing.
#include "orchestrator/ctl/protojson.h"
#include "orchestrator/ctl/session.h"

// Of google.rpc.Code.
enum { CANCELLED = 1, UNKNOWN = 2, DEADLINE_EXCEEDED = 4, INTERNAL = 13, UNAVAILABLE = 14, DATA_LOSS = 15 };

enum { OUTPUT_MAX = 1 << 16 };

// What a reason means, from the one table; "" for one that this program does not know.
static const char *meaning(const char *reason) {
    size_t n;
    const struct err_info *table = err_table(&n);
    for (size_t i = 0; i < n; i++)
        if (strcmp(table[i].name, reason) == 0)
            return table[i].text;
    return "";
}

static bool is_silence(const struct session_failure *failure) {
    switch (failure->grpc_status) {
    case CANCELLED:
    case UNKNOWN:
    case DEADLINE_EXCEEDED:
    case INTERNAL:
    case UNAVAILABLE:
    case DATA_LOSS: return failure->reason[0] == '\0';
    default: return false;
    }
}

static bool changes_something(const struct session *session) {
    const struct rpc_method *method = &session->args->command->method;
    return method->service && protobuf_c_message_descriptor_get_field_by_name(rpc_method_request(method), "request_id");
}

static uint32_t violations_of(const struct error *error) {
    return error->n_fields < ERR_FIELDS_MAX ? error->n_fields : ERR_FIELDS_MAX;
}

// ---- For people ---------------------------------------------------------------------------------------------------

static void say_silence(struct session *session, const struct session_failure *failure, struct buf *out) {
    if (failure->grpc_status == UNAVAILABLE)
        buf_printf(out, "  is txcenterd running there? --server or TXCENTER_SERVER says where it is\n");
    if (changes_something(session))
        buf_printf(out,
                   "  it may have been accepted: run the command again with --request-id %s, and it acts only once\n",
                   session->request_id);
}

static void say(struct session *session, const struct session_failure *failure, const char *text, struct buf *out) {
    const struct error *error = &failure->error;
    buf_printf(out, "txctl: ");
    if (is_silence(failure))
        buf_printf(out, "no answer from %s: ", session->server);
    view_escape(out, failure->reason[0] ? str_c(failure->reason) : str_c(err_status_name(failure->grpc_status)));
    buf_printf(out, ": ");
    view_escape(out, str_c(text));
    buf_byte(out, '\n');
    for (uint32_t i = 0; i < violations_of(error); i++) {
        buf_printf(out, "  ");
        view_escape(out, str_c(error->fields[i].path));
        buf_printf(out, ": ");
        view_escape(out, str_c(error->fields[i].what));
        buf_byte(out, '\n');
    }
    if (error->n_fields > ERR_FIELDS_MAX)
        buf_printf(out, "  and %u more\n", error->n_fields - ERR_FIELDS_MAX);
    if (error->retry_after_ms > 0)
        buf_printf(out, "  try again in %u ms\n", error->retry_after_ms);
    if (is_silence(failure))
        say_silence(session, failure, out);
}

// ---- For programs -------------------------------------------------------------------------------------------------

// A server may send bytes that are no UTF-8: view_escape() makes text of them.
static json_t *text_of(const char *text) {
    struct buf escaped;
    buf_init(&escaped, OUTPUT_MAX);
    view_escape(&escaped, str_c(text));
    json_t *made = json_stringn(escaped.len ? escaped.ptr : "", escaped.len);
    buf_release(&escaped);
    return made;
}

static json_t *object_of(const struct session_failure *failure, const char *status, const char *text) {
    const struct error *error = &failure->error;
    json_t *violations = json_array();
    for (uint32_t i = 0; i < violations_of(error); i++)
        json_array_append_new(violations, json_pack("{s:o, s:o}", "field", text_of(error->fields[i].path), "text",
                                                    text_of(error->fields[i].what)));
    json_t *object = json_pack("{s:s, s:o, s:o, s:o}", "status", status, "reason", text_of(failure->reason), "text",
                               text_of(text), "violations", violations);
    if (error->retry_after_ms > 0)
        json_object_set_new(object, "retry_after_ms", json_integer(error->retry_after_ms));
    return object;
}

static void print(const struct session_env *env, json_t *object) {
    struct buf out;
    buf_init(&out, OUTPUT_MAX);
    if (object && protojson_print(&out, object, false))
        fwrite(out.ptr, 1, out.len, env->err);
    buf_release(&out);
    json_decref(object);
}

// ---- The whole ----------------------------------------------------------------------------------------------------

int session_report(struct session *session, const struct session_failure *failure) {
    bool silence = is_silence(failure);
    const char *text = failure->error.text[0] ? failure->error.text : meaning(failure->reason);
    if (session->json) {
        json_t *object = object_of(failure, err_status_name(failure->grpc_status), text);
        if (silence && changes_something(session))
            json_object_set_new(object, "request_id", json_string(session->request_id));
        print(session->env, object);
    } else {
        struct buf out;
        buf_init(&out, OUTPUT_MAX);
        say(session, failure, text, &out);
        fwrite(out.ptr, 1, out.len, session->env->err);
        buf_release(&out);
    }
    return silence ? TXCTL_UNREACHABLE : TXCTL_REFUSED;
}

int session_usage(const struct session_env *env, bool json, const char *text) {
    const struct session_failure failure = {.reason = "COMMAND_LINE"};
    if (json)
        print(env, object_of(&failure, "INVALID_ARGUMENT", text));
    else
        fprintf(env->err, "txctl: %s\n", text);
    return TXCTL_USAGE;
}

void session_warn(struct session *session, const char *text) {
    struct buf out;
    if (session->json) {
        print(session->env, json_pack("{s:o}", "warning", text_of(text)));
        return;
    }
    buf_init(&out, OUTPUT_MAX);
    buf_printf(&out, "txctl: warning: ");
    view_escape(&out, str_c(text));
    buf_byte(&out, '\n');
    fwrite(out.ptr, 1, out.len, session->env->err);
    buf_release(&out);
}
