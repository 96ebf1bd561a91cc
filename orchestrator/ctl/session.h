// One run of txctl: its command line, its connection, and where it prints.
#ifndef TXC_ORCHESTRATOR_CTL_SESSION_H
#define TXC_ORCHESTRATOR_CTL_SESSION_H

#include "orchestrator/ctl/args.h"
#include "orchestrator/ctl/view.h"
#include "rpc/client.h"

#include <stdio.h>

// Exit codes. Stable.
enum {
    TXCTL_OK = 0,
    TXCTL_REFUSED = 1,     // the server said no
    TXCTL_USAGE = 2,       // the command line is not valid
    TXCTL_UNREACHABLE = 3, // no answer: what happened is not known
    TXCTL_PROCESSING = 4,  // accepted; the outcome isn't there yet
    TXCTL_OUTPUT = 5,      // the answer came, but could not be written whole
};

// What comes from outside of the command line.
struct session_env {
    FILE *out, *err;
    const char *server;  // TXCENTER_SERVER; NULL: not set
    const char *version; // of this program
    bool colour;         // both wanted and possible
    unsigned width;      // columns of the terminal
};

struct session {
    const struct args *args;
    const struct session_env *env;
    bool json;
    bool cut; // something could not be written
    struct view view;
    struct arena arena; // of the requests and answers
    const char *server;
    char request_id[65];
    struct rpc_loop *loop; // NULL until the first call
    struct rpc_channel *channel;
    struct rpc_header headers[3];
};

// Why a call gave no answer. Zeroed means that it did.
struct session_failure {
    int grpc_status;
    char reason[64]; // ErrorInfo's, "" where there is none
    struct error error;
};

// False and INVALID_REQUEST when the options contradict each other. Nothing is connected yet.
bool session_init(struct session *session, const struct args *args, const struct session_env *env, struct error *error);
void session_release(struct session *session);

// The command's own request, from its options. NULL after it has said why on `err`; the exit code is TXCTL_USAGE.
ProtobufCMessage *session_request(struct session *session);

// Calls, and waits for the answer, which lives in the arena. NULL: see *ret_failure.
const ProtobufCMessage *session_call(struct session *session, const struct rpc_method *method,
                                     const ProtobufCMessage *request, struct session_failure *ret_failure);

// A server stream, to its end. *ret_failure has grpc_status 0 when the server ended it in good order.
void session_stream(struct session *session, const struct rpc_method *method, const ProtobufCMessage *request,
                    uint32_t deadline_ms, rpc_each_fn *each, void *ctx, struct session_failure *ret_failure);

// Milliseconds that a call may take, from --timeout and --wait.
uint32_t session_deadline_ms(const struct session *session);

// Says on `err` why a call failed and what can be done about it: to people, or with `-o json` as an object of status,
// reason, text, violations, retry_after_ms and request_id (where the call may be repeated with it). Returns the exit
// code.
int session_report(struct session *session, const struct session_failure *failure);

// Says on `err` what the answer does not show and somebody should see to: a sentence, or an object with `warning`.
void session_warn(struct session *session, const char *text);

// Says on `err` what is wrong with the command line, in the same forms. Returns TXCTL_USAGE.
int session_usage(const struct session_env *env, bool json, const char *text);

// Prints an answer: as JSON, or by `show`, and at once.
void session_print(struct session *session, show_fn *show, const ProtobufCMessage *response);

// What the view holds goes to `out`. What can't be written sets `cut`.
void session_flush(struct session *session);

// A command that is one call: makes the request, calls, prints.
int session_run_call(struct session *session);

// Its second half: calls with this request, prints.
int session_send(struct session *session, const ProtobufCMessage *request);

#endif
