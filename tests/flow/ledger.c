#include "tests/flow/ledger.h"

#include "ledger.pb-c.h"
#include "tests/cmocka.h"

#include <stdlib.h>

static struct ledger_key *key_of(struct ledger *ledger, const struct rpc_inbound *in) {
    struct str key = rpc_inbound_header(in, "tx-key");
    for (size_t i = 0; i < ledger->n; i++)
        if (str_eq_c(key, ledger->keys[i]->key))
            return ledger->keys[i];
    assert_true(ledger->n < LEDGER_KEYS_MAX);
    struct ledger_key *made = calloc(1, sizeof *made);
    assert_non_null(made);
    assert_true(str_copy(key, made->key, sizeof made->key) &&
                str_copy(rpc_inbound_header(in, "tx-gid"), made->gid, sizeof made->gid) &&
                str_copy(rpc_inbound_header(in, "tx-step"), made->step, sizeof made->step));
    ledger->keys[ledger->n++] = made;
    return made;
}

// [E11] each request of one key and operation is the same
static void note(struct ledger_key *key, const struct rpc_inbound *in, enum saga_op op) {
    struct str body = rpc_inbound_bytes(in);
    assert_true(str_eq_c(rpc_inbound_header(in, "tx-op"), saga_op_name(op)));
    if (key->asked[op]++ == 0) {
        char *copy = malloc(body.len + 1);
        assert_non_null(copy);
        if (body.len)
            memcpy(copy, body.ptr, body.len);
        key->bodies[op] = str_n(copy, body.len);
    } else if (!str_eq(key->bodies[op], body)) {
        fail_msg("%s of %s is not the same request again", saga_op_name(op), key->key);
    }
}

static void answer(struct rpc_inbound *in, const struct ledger_key *key) {
    Txcenter__Test__V1__LedgerResponse response = TXCENTER__TEST__V1__LEDGER_RESPONSE__INIT;
    struct str text = arena_printf(rpc_inbound_arena(in), "%s of %s", key->step, key->gid);
    response.answer = (char *)(uintptr_t)text.ptr;
    rpc_reply(in, &response.base);
}

static void refuse(struct rpc_inbound *in, enum err code) {
    struct error error;
    error_set(&error, code, NULL);
    rpc_fail(in, &error, NULL);
}

static void answer_by_state(struct rpc_inbound *in, const struct ledger_key *key) {
    if (key->state == LEDGER_APPLIED)
        answer(in, key);
    else
        refuse(in, ERR_STORE_CONFLICT); // ABORTED
}

static void act(void *service, struct rpc_inbound *in, const ProtobufCMessage *request) {
    struct ledger *ledger = service;
    struct ledger_key *key = key_of(ledger, in);
    (void)request;
    note(key, in, SAGA_ACTION);
    if (key->state == LEDGER_NEVER_SEEN) {
        enum err verdict = ledger->judge ? ledger->judge(ledger->ctx, key) : ERR_OK;
        if (verdict == ERR_RETRY) {
            refuse(in, verdict);
            return;
        }
        key->state = verdict == ERR_OK ? LEDGER_APPLIED : LEDGER_REJECTED;
    }
    answer_by_state(in, key);
}

static void undo(void *service, struct rpc_inbound *in, const ProtobufCMessage *request) {
    struct ledger_key *key = key_of(service, in);
    (void)request;
    note(key, in, SAGA_COMPENSATE);
    if (key->state != LEDGER_REJECTED)
        key->state = LEDGER_COMPENSATED;
    answer(in, key);
}

static void ask(void *service, struct rpc_inbound *in, const ProtobufCMessage *request) {
    struct ledger_key *key = key_of(service, in);
    (void)request;
    note(key, in, SAGA_INQUIRE);
    if (key->state == LEDGER_NEVER_SEEN)
        refuse(in, ERR_SAGA_NOT_FOUND); // NOT_FOUND
    else
        answer_by_state(in, key);
}

#define ROW(method_name, handler)                                                                                      \
    {                                                                                                                  \
        .method = {.service = &txcenter__test__v1__ledger_service__descriptor, .name = (method_name)},                 \
        .handle = (handler), .scope = RPC_PUBLIC                                                                       \
    }
const struct rpc_route ledger_routes[] = {ROW("Act", act), ROW("Undo", undo), ROW("Ask", ask)};
const size_t n_ledger_routes = sizeof ledger_routes / sizeof ledger_routes[0];

void ledger_release(struct ledger *ledger) {
    for (size_t i = 0; i < ledger->n; i++) {
        for (int op = 0; op < LEDGER_OPS; op++)
            free((void *)(uintptr_t)ledger->keys[i]->bodies[op].ptr);
        free(ledger->keys[i]);
    }
    ledger->n = 0;
}

unsigned ledger_count(const struct ledger *ledger, const char *gid, enum ledger_state state) {
    unsigned n = 0;
    for (size_t i = 0; i < ledger->n; i++)
        n += ledger->keys[i]->state == state && strcmp(ledger->keys[i]->gid, gid) == 0;
    return n;
}

const struct ledger_key *ledger_find(const struct ledger *ledger, const char *gid, const char *step) {
    for (size_t i = 0; i < ledger->n; i++)
        if (strcmp(ledger->keys[i]->gid, gid) == 0 && strcmp(ledger->keys[i]->step, step) == 0)
            return ledger->keys[i];
    return NULL;
}
