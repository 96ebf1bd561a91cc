#include "orchestrator/authorize.h"

#include "base/id.h"
#include "orchestrator/forward.h"
#include "saga/tables.h"

enum { EVERY_SCOPE = RPC_TRADE_READ | RPC_TRADE | RPC_SAGA | RPC_OPERATE | RPC_CALLBACK | RPC_TRADE_BACKDATE };

// ---- Who ----------------------------------------------------------------------------------------------------------

static bool is_printable(struct str text) {
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] <= ' ' || text.ptr[i] > '~')
            return false;
    return text.len > 0;
}

// Whether this is another instance, whose word about who called it is believed.
static bool is_peer(const struct config *config, struct str identity) {
    for (const char *const *peer = config->cluster.peers; peer && *peer; peer++)
        if (str_eq_c(identity, *peer))
            return true;
    return false;
}

static bool name_of(const struct config *config, struct str identity, const struct rpc_inbound *in,
                    struct rpc_caller *caller, struct error *error) {
    struct str name = identity, first = rpc_inbound_header(in, FORWARD_CALLER);
    if (!str_empty(first) && is_peer(config, identity))
        name = first;
    if (str_empty(name) && config->tls.client_ca)
        return error_set(error, ERR_UNAUTHENTICATED, "the certificate has neither a SPIFFE id nor a common name");
    if (str_empty(name))
        name = rpc_inbound_header(in, "x-caller");
    if (str_empty(name) && config->development)
        name = STR("anonymous");
    if (str_empty(name))
        return error_set(error, ERR_UNAUTHENTICATED, "the metadata x-caller is missing");
    if (!is_printable(name) || !str_copy(name, caller->name, sizeof caller->name))
        return error_set(error, ERR_UNAUTHENTICATED, "a caller's name has 1..%d printable characters, no spaces",
                         RPC_NAME_MAX - 1);
    return true;
}

static const struct config_caller *row_of(const struct config *config, const char *name) {
    for (size_t i = 0; i < config->n_callers; i++)
        if (strcmp(config->callers[i].name, name) == 0)
            return &config->callers[i];
    return NULL;
}

// ---- What belongs to the call -------------------------------------------------------------------------------------

static const char *header_or(const struct rpc_inbound *in, const char *name, size_t max, struct arena *arena,
                             const char *otherwise) {
    struct str value = rpc_inbound_header(in, name);
    if (value.len > max || !is_printable(value))
        return otherwise;
    return arena_str(arena, value).ptr;
}

static const struct call_context *context_new(struct rpc_inbound *in, const struct config_caller *row,
                                              struct forward *forward) {
    struct arena *arena = rpc_inbound_arena(in);
    struct call_context *context = arena_calloc(arena, 1, sizeof *context);
    struct call_notes *notes = arena_calloc(arena, 1, sizeof *notes);
    char *made = arena_alloc(arena, ID_LEN + 1);
    if (!context || !notes || !made)
        return NULL;
    id_make(clock_now_ms(clock_system()), 0, id_random, NULL, made);
    *context = (struct call_context){
        .forward = forward,
        .row = row,
        .request_id = header_or(in, "x-request-id", CALL_ID_MAX, arena, made),
        .traceparent = header_or(in, "traceparent", TRACEPARENT_MAX, arena, ""),
        .notes = notes,
    };
    return context->request_id && context->traceparent ? context : NULL;
}

bool authorize(void *authority, struct str identity, struct rpc_inbound *in, struct rpc_caller *caller,
               struct error *error) {
    const struct authority *by = authority;
    const struct config *c = by->config;
    if (!name_of(c, identity, in, caller, error))
        return false;
    const struct config_caller *row = row_of(c, caller->name);
    if (!row && !c->development)
        return error_set(error, ERR_UNAUTHENTICATED, "the caller %s is not configured", caller->name);
    caller->scopes = row ? row->scopes : EVERY_SCOPE;
    caller->in_flight_max = row ? row->in_flight_max : 0;
    caller->tenants = context_new(in, row, by->forward);
    return caller->tenants || error_set(error, ERR_OVERLOADED, "no memory for the call");
}

const struct call_context *call_context(const struct rpc_inbound *in) {
    return rpc_inbound_caller(in)->tenants;
}

bool call_may(const struct call_context *context, struct str tenant_id) {
    if (!context->row)
        return true;
    for (const char *const *tenant = context->row->tenants; *tenant; tenant++)
        if (strcmp(*tenant, "*") == 0 || str_eq_c(tenant_id, *tenant))
            return true;
    return false;
}

bool call_may_all(const struct call_context *context) {
    return call_may(context, STR("*"));
}

// ---- Refusing -----------------------------------------------------------------------------------------------------

static bool is_passed_on(struct rpc_inbound *in, const struct error *error, const char *id) {
    return error->code == ERR_SLOT_ELSEWHERE && id && *id && call_context(in) &&
           forward_call(call_context(in)->forward, in, id_slot(str_c(id)));
}

void call_fail_saga(struct rpc_inbound *in, const struct error *error, const char *gid, const char *request_id) {
    if (!is_passed_on(in, error, gid))
        call_fail(in, error, NULL, request_id);
}

void call_fail(struct rpc_inbound *in, const struct error *error, const char *trade_no, const char *request_id) {
    const char *metadata[5] = {NULL};
    size_t n = 0;
    if (is_passed_on(in, error, trade_no))
        return;
    if (trade_no && !id_valid(str_c(trade_no)))
        trade_no = NULL;
    if (trade_no && *trade_no) {
        metadata[n++] = "trade_no";
        metadata[n++] = trade_no;
    }
    if (request_id && *request_id && strlen(request_id) <= REQUEST_ID_MAX) { // a longer one is what is refused
        metadata[n++] = "request_id";
        metadata[n++] = request_id;
    }
    const struct call_context *context = call_context(in);
    if (context) {
        struct arena *arena = rpc_inbound_arena(in);
        context->notes->reason = err_info(error->code)->name;
        context->notes->text = arena_str(arena, str_c(error->text));
        if (error->n_fields > 0)
            context->notes->cause = arena_printf(arena, "%s: %s", error->fields[0].path, error->fields[0].what);
        if (trade_no && *trade_no)
            context->notes->trade_no = arena_str(arena, str_c(trade_no));
    }
    rpc_fail(in, error, metadata);
}
