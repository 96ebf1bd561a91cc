// Who calls, and what belongs to one call: the caller's row of the configuration, its scopes and tenants, the ids that
// are passed on, and what its log line shall say.
#ifndef TXC_ORCHESTRATOR_AUTHORIZE_H
#define TXC_ORCHESTRATOR_AUTHORIZE_H

#include "orchestrator/config.h"
#include "rpc/server.h"

enum { CALL_ID_MAX = 128, TRACEPARENT_MAX = 64 };

// What becomes known while the call is served, for its log line. Text lives as long as the call.
struct call_notes {
    struct str trade_no, gid;
    const char *reason; // of a refusal: the error's name; NULL: none
    struct str text;    // and what it said
    struct str cause;   // the first field that was at fault, "path: what"; STR_NONE: none
};

struct forward;

// What calls are judged by; for rpc_server_options.authorize_ctx.
struct authority {
    const struct config *config;
    struct forward *forward; // NULL: nothing is passed on
};

struct call_context {
    struct forward *forward;
    const struct config_caller *row; // NULL: in development, where everybody may do everything
    const char *request_id;          // metadata x-request-id, or made
    const char *traceparent;         // metadata, "" where none
    struct call_notes *notes;
};

// For rpc_server_options.authorize; `authority` is a struct authority. The caller is its certificate's identity or,
// where no client certificates are asked for, its metadata `x-caller`; of a call that another instance passes on, who
// it says called it. Keeps a struct call_context in the call's arena.
bool authorize(void *authority, struct str identity, struct rpc_inbound *in, struct rpc_caller *caller,
               struct error *error);

// NULL for calls that nobody authorized: public methods, and callers that are not known.
const struct call_context *call_context(const struct rpc_inbound *in);

// Does the caller belong to this tenant?
bool call_may(const struct call_context *context, struct str tenant_id);
bool call_may_all(const struct call_context *context);

// Ends the call with the error, and keeps it for the log; what is SLOT_ELSEWHERE and says whose it is (by `trade_no`)
// is passed on instead, where it can be. `trade_no` and `request_id` (the caller's own,
// of the request) become metadata of the status where they are known; NULL or "" where not.
void call_fail(struct rpc_inbound *in, const struct error *error, const char *trade_no, const char *request_id);

// The same of a call about a saga, whose owner follows from its gid.
void call_fail_saga(struct rpc_inbound *in, const struct error *error, const char *gid, const char *request_id);

#endif
