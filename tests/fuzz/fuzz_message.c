// Any bytes as a message from the network: refused with a reason, or decoded within the arena's bound; what was decoded
// can be encoded, and that decodes again. Also as a status with details, and as a descriptor set.
#include "rpc/catalog.h"
#include "rpc/method.h"
#include "rpc/outcome.h"
#include "tests/fuzz/fuzz.h"

#include "echo.pb-c.h"

enum { ARENA_MAX = 1 << 20 };

static void as_message(struct str bytes) {
    struct arena arena;
    struct error error = {0};
    arena_init(&arena, ARENA_MAX);
    const ProtobufCMessage *message = rpc_decode(&txcenter__test__v1__echo_request__descriptor, bytes, &arena, &error);
    assert(arena.used <= ARENA_MAX);
    if (message) {
        struct arena second;
        arena_init(&second, 4 * ARENA_MAX);
        struct str encoded = rpc_encode(message, &second);
        assert(encoded.ptr);
        bool again = rpc_decode(&txcenter__test__v1__echo_request__descriptor, encoded, &second, &error) != NULL;
        assert(again);
        arena_release(&second);
    } else {
        assert(error.code == ERR_INVALID_REQUEST && error.text[0]);
    }
    arena_release(&arena);
}

static void as_status(struct str bytes) {
    struct arena arena;
    arena_init(&arena, ARENA_MAX);
    struct rpc_received received = {.status = 9, .text = bytes, .details = bytes};
    struct rpc_result result;
    rpc_outcome_read(&received, &arena, &result);
    assert(result.outcome == OUTCOME_RETRY || result.outcome == OUTCOME_REJECTED);
    assert(result.reason && result.domain && !result.message);
    arena_release(&arena);
}

static void as_descriptors(struct str bytes) {
    struct rpc_catalog *catalog = rpc_catalog_new(bytes);
    const struct rpc_catalog_file *file = rpc_catalog_symbol(catalog, STR("a.B"));
    struct str files[RPC_CATALOG_FILES_MAX];
    if (file) {
        size_t n = rpc_catalog_closure(catalog, file, files);
        assert(n >= 1 && n <= RPC_CATALOG_FILES_MAX);
    }
    rpc_catalog_free(catalog);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct str bytes = str_n(data, size);
    as_message(bytes);
    as_status(bytes);
    as_descriptors(bytes);
    return 0;
}
