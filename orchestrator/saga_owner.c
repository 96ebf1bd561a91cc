#include "orchestrator/saga_owner.h"

#include "base/digest.h"

#include <stdio.h>

enum { DIGITS = 48 }; // of the digest

void saga_owner(const char *caller, char out[SAGA_SUBJECT_MAX + 1]) {
    if (strlen(caller) + strlen("caller/") <= SAGA_SUBJECT_MAX) {
        snprintf(out, SAGA_SUBJECT_MAX + 1, "caller/%s", caller);
        return;
    }
    uint8_t digest[DIGEST_LEN];
    char digits[2 * DIGEST_LEN + 1];
    digest_sha256(str_c(caller), digest);
    digest_hex(digest, digits);
    snprintf(out, SAGA_SUBJECT_MAX + 1, "caller#%.*s", DIGITS, digits);
}

bool saga_owner_sees_all(const struct rpc_inbound *in) {
    return (rpc_inbound_caller(in)->scopes & RPC_OPERATE) && call_may_all(call_context(in));
}

bool saga_owner_may(const struct rpc_inbound *in, const char *subject) {
    char own[SAGA_SUBJECT_MAX + 1];
    saga_owner(rpc_inbound_caller(in)->name, own);
    return strcmp(own, subject) == 0 || saga_owner_sees_all(in);
}
