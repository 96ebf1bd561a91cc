#include "rpc/outcome.h"

#include "rpc/status.h"

#include <grpc/status.h>
#include <stdio.h>

enum { STATUSES = 17 };

// What a status means when nothing else is known, and when the participant says REJECTED.
static const struct {
    enum outcome plain, rejected;
    enum err unknown; // the code when it comes to UNKNOWN
} statuses[STATUSES] = {
    [GRPC_STATUS_OK] = {OUTCOME_UNKNOWN, OUTCOME_UNKNOWN, ERR_PARTICIPANT_BROKEN},
    [GRPC_STATUS_CANCELLED] = {OUTCOME_UNKNOWN, OUTCOME_UNKNOWN, ERR_PARTICIPANT_SILENT},
    [GRPC_STATUS_UNKNOWN] = {OUTCOME_UNKNOWN, OUTCOME_UNKNOWN, ERR_PARTICIPANT_BROKEN},
    [GRPC_STATUS_INVALID_ARGUMENT] = {OUTCOME_RETRY, OUTCOME_REJECTED, ERR_OK},
    [GRPC_STATUS_DEADLINE_EXCEEDED] = {OUTCOME_UNKNOWN, OUTCOME_UNKNOWN, ERR_PARTICIPANT_SILENT},
    [GRPC_STATUS_NOT_FOUND] = {OUTCOME_RETRY, OUTCOME_REJECTED, ERR_OK},
    [GRPC_STATUS_ALREADY_EXISTS] = {OUTCOME_RETRY, OUTCOME_REJECTED, ERR_OK},
    [GRPC_STATUS_PERMISSION_DENIED] = {OUTCOME_RETRY, OUTCOME_REJECTED, ERR_OK},
    [GRPC_STATUS_RESOURCE_EXHAUSTED] = {OUTCOME_UNKNOWN, OUTCOME_UNKNOWN, ERR_PARTICIPANT_SILENT},
    [GRPC_STATUS_FAILED_PRECONDITION] = {OUTCOME_RETRY, OUTCOME_REJECTED, ERR_OK},
    [GRPC_STATUS_ABORTED] = {OUTCOME_REJECTED, OUTCOME_REJECTED, ERR_OK},
    [GRPC_STATUS_OUT_OF_RANGE] = {OUTCOME_RETRY, OUTCOME_REJECTED, ERR_OK},
    [GRPC_STATUS_UNIMPLEMENTED] = {OUTCOME_RETRY, OUTCOME_REJECTED, ERR_OK},
    [GRPC_STATUS_INTERNAL] = {OUTCOME_UNKNOWN, OUTCOME_UNKNOWN, ERR_PARTICIPANT_BROKEN},
    [GRPC_STATUS_UNAVAILABLE] = {OUTCOME_UNKNOWN, OUTCOME_UNKNOWN, ERR_PARTICIPANT_SILENT},
    [GRPC_STATUS_DATA_LOSS] = {OUTCOME_UNKNOWN, OUTCOME_UNKNOWN, ERR_PARTICIPANT_BROKEN},
    [GRPC_STATUS_UNAUTHENTICATED] = {OUTCOME_RETRY, OUTCOME_REJECTED, ERR_OK},
};

// Our own servers give these reasons before they do anything.
static bool refused_by_ours(const struct rpc_status *status) {
    if (status->code != GRPC_STATUS_UNAVAILABLE && status->code != GRPC_STATUS_RESOURCE_EXHAUSTED)
        return false;
    if (strcmp(status->domain, RPC_STATUS_DOMAIN) != 0)
        return false;
    size_t n;
    const struct err_info *table = err_table(&n);
    for (size_t i = 0; i < n; i++)
        if (strcmp(table[i].name, status->reason) == 0)
            return table[i].outcome == OUTCOME_RETRY || table[i].code == ERR_MESSAGE_TOO_LARGE;
    return false;
}

static enum outcome judge(const struct rpc_status *status, bool never_sent) {
    if (never_sent || strcmp(status->reason, "RETRY") == 0 || refused_by_ours(status))
        return OUTCOME_RETRY;
    if (status->code < 0 || status->code >= STATUSES)
        return OUTCOME_UNKNOWN;
    return strcmp(status->reason, "REJECTED") == 0 ? statuses[status->code].rejected : statuses[status->code].plain;
}

static enum err code_of(enum outcome outcome, int status) {
    switch (outcome) {
    case OUTCOME_REJECTED: return ERR_PARTICIPANT_REJECTED;
    case OUTCOME_RETRY: return ERR_PARTICIPANT_UNAVAILABLE;
    default: return status >= 0 && status < STATUSES ? statuses[status].unknown : ERR_PARTICIPANT_BROKEN;
    }
}

static void read_failure(const struct rpc_received *received, struct arena *arena, struct rpc_result *result) {
    struct rpc_status status;
    struct error error = {0};
    rpc_status_decode(received->details, arena, &status, &error);
    status.code = received->status;
    *result = (struct rpc_result){.outcome = judge(&status, received->never_sent),
                                  .grpc_status = received->status,
                                  .reason = status.reason,
                                  .domain = status.domain};
    result->text = received->text;
    result->details = received->details;
    result->error = error;
    result->error.code = code_of(result->outcome, received->status);
    snprintf(result->error.text, sizeof result->error.text, "%.*s", STR_FMT(received->text));
}

void rpc_outcome_read(const struct rpc_received *received, struct arena *arena, struct rpc_result *result) {
    if (received->status != GRPC_STATUS_OK) {
        read_failure(received, arena, result);
        return;
    }
    if (!received->has_message) {
        rpc_outcome_local(ERR_PARTICIPANT_BROKEN, "the status is OK, but there is no message", result);
        return;
    }
    const ProtobufCMessage *message = NULL;
    struct error error;
    if (received->type && !(message = rpc_decode(received->type, received->bytes, arena, &error))) {
        error_within(&error, "the answer can't be read");
        rpc_outcome_local(ERR_PARTICIPANT_BROKEN, error.text, result);
        return;
    }
    *result = (struct rpc_result){
        .outcome = OUTCOME_OK, .reason = "", .domain = "", .message = message, .bytes = received->bytes};
}

void rpc_outcome_local(enum err code, const char *text, struct rpc_result *result) {
    const struct err_info *info = err_info(code);
    *result =
        (struct rpc_result){.outcome = info->outcome, .grpc_status = info->grpc_status, .reason = "", .domain = ""};
    error_set(&result->error, code, "%s", text ? text : info->text);
}
