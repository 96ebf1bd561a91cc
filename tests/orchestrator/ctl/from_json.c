#include "tests/orchestrator/ctl/from_json.h"

#include "base/buf.h"
#include "orchestrator/ctl/jsonread.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

ProtobufCMessage *from_json(const ProtobufCMessageDescriptor *type, const json_t *json, struct arena *arena) {
    struct error error;
    ProtobufCMessage *message = jsonread(type, json, arena, &error);
    if (!message)
        fail_msg("%s", error.text);
    return message;
}

ProtobufCMessage *from_sample(const ProtobufCMessageDescriptor *type, const char *name, struct arena *arena) {
    char path[256];
    snprintf(path, sizeof path, "tests/orchestrator/ctl/samples/%s", name);
    json_error_t error;
    json_t *json = json_load_file(path, 0, &error);
    if (!json)
        fail_msg("%s:%d: %s", path, error.line, error.text);
    ProtobufCMessage *message = from_json(type, json, arena);
    json_decref(json);
    return message;
}

struct str read_text(const char *path, struct arena *arena) {
    FILE *file = fopen(path, "r");
    if (!file)
        fail_msg("%s can't be read", path);
    struct buf text;
    buf_init(&text, 1 << 20);
    char chunk[4096];
    for (size_t n; (n = fread(chunk, 1, sizeof chunk, file)) > 0;)
        buf_append(&text, str_n(chunk, n));
    fclose(file);
    struct str kept = arena_str(arena, buf_str(&text));
    buf_release(&text);
    return kept;
}

void assert_golden(const char *name, struct str text) {
    char path[256];
    snprintf(path, sizeof path, "tests/orchestrator/ctl/golden/%s", name);
    const char *mode = getenv("TXC_GOLDEN"); // NOLINT(concurrency-mt-unsafe): there is one thread
    if (mode && strcmp(mode, "write") == 0) {
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        fwrite(text.ptr, 1, text.len, file);
        fclose(file);
        return;
    }
    struct arena arena;
    arena_init(&arena, 1 << 20);
    struct str golden = read_text(path, &arena);
    if (!str_eq(golden, text))
        fail_msg("%s differs; TXC_GOLDEN=write writes it anew. Got:\n%.*s", path, STR_FMT(text));
    arena_release(&arena);
}
