// Methods as rows, and decoding what may be hostile.
#include "rpc/method.h"

#include "echo.pb-c.h"
#include "tests/cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef Txcenter__Test__V1__EchoRequest EchoRequest;
#define TYPE &txcenter__test__v1__echo_request__descriptor
#define BYTES(literal) STR(literal)

static void a_path_is_made_of_service_and_method(void **state) {
    (void)state;
    const struct rpc_method echo = {.service = &txcenter__test__v1__echo_service__descriptor, .name = "Echo"};
    char path[RPC_PATH_MAX];
    assert_true(rpc_method_path(&echo, path));
    assert_string_equal(path, "/txcenter.test.v1.EchoService/Echo");
    assert_ptr_equal(rpc_method_request(&echo), &txcenter__test__v1__echo_request__descriptor);
    assert_ptr_equal(rpc_method_response(&echo), &txcenter__test__v1__echo_response__descriptor);
}

static void a_message_survives_encoding_and_decoding(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena, 1 << 20);
    Txcenter__Test__V1__Line lines[2] = {TXCENTER__TEST__V1__LINE__INIT, TXCENTER__TEST__V1__LINE__INIT};
    Txcenter__Test__V1__Line *list[] = {&lines[0], &lines[1]};
    lines[1].sku = (char *)(uintptr_t) "92#";
    lines[1].quantity = -5;
    int64_t numbers[] = {1, -1, INT64_MAX};
    protobuf_c_boolean flags[] = {1, 0};
    EchoRequest message = TXCENTER__TEST__V1__ECHO_REQUEST__INIT;
    message.text = (char *)(uintptr_t) "h\xc3\xa9llo";
    message.n_lines = 2;
    message.lines = list;
    message.n_numbers = 3;
    message.numbers = numbers;
    message.n_flags = 2;
    message.flags = flags;
    message.ratio = 0.5;
    message.choice_case = TXCENTER__TEST__V1__ECHO_REQUEST__CHOICE_WORD;
    message.word = (char *)(uintptr_t) "word";
    struct error error = {0};
    const EchoRequest *got = (const void *)rpc_decode(TYPE, rpc_encode(&message.base, &arena), &arena, &error);
    assert_non_null(got);
    assert_string_equal(got->text, message.text);
    assert_int_equal(got->n_lines, 2);
    assert_string_equal(got->lines[1]->sku, "92#");
    assert_int_equal(got->lines[1]->quantity, -5);
    assert_int_equal(got->n_numbers, 3);
    assert_true(got->numbers[2] == INT64_MAX);
    assert_true(got->flags[0] && !got->flags[1]);
    assert_string_equal(got->word, "word");
    arena_release(&arena);
}

// Bytes that are no EchoRequest, the field that is blamed ("" for none), and why.
static const struct {
    struct str bytes;
    const char *path, *what;
} hostile[] = {
    {BYTES("\x0a"), "", "the message is malformed"},                                         // a tag without its value
    {BYTES("\x0a\x05hel"), "", "the message is malformed"},                                  // cut short
    {BYTES("\x0a\xff\xff\xff\xff\x0f"), "", "the message is malformed"},                     // 4 GiB of text
    {BYTES("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "", "the message is malformed"}, // 2^64 - 1 of them
    {BYTES("\x02\x00"), "", "the message is malformed"},                                     // field number 0
    {BYTES("\x0b\x0c"), "", "the message is malformed"},                                     // groups
    {BYTES("\x0f"), "", "the message is malformed"},                                         // wire type 7
    {BYTES("\x20\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"), "", "the message is malformed"}, // 11 bytes of varint
    {BYTES("\xff\xff\xff\xff\xff\xff\x01"), "", "the message is malformed"},                     // a tag without end
    {BYTES("\x51\x00\x00\x00"), "", "the message is malformed"},                                 // half a double
    {BYTES("\x0a\x02\xff\xfe"), "text", "is not UTF-8"},
    {BYTES("\x0a\x03\xed\xa0\x80"), "text", "is not UTF-8"}, // a surrogate
    {BYTES("\x0a\x03"
           "a\0b"),
     "text", "holds a NUL"},
    {BYTES("\x08\x01"), "text", "has another type"}, // a number as text
    {BYTES("\x22\x01\x01"), "count", "has another type"},
    {BYTES("\x2a\x03\x0a\x01\xff"), "lines[0].sku", "is not UTF-8"},
    {BYTES("\x2a\x00\x2a\x00\x2a\x03\x0a\x01\xff"), "lines[2].sku", "is not UTF-8"},
    {BYTES("\x2a\x00\x2a\x05\x1a\x03\x0a\x01\xff"), "lines[1].parts[0].sku", "is not UTF-8"},
    {BYTES("\x2a\x02\x0a\x05"), "lines[0]", "is malformed"}, // cut short inside
    {BYTES("\x32\x05\x0a\x03\x1a\x01\xff"), "tree.left.leaf", "is not UTF-8"},
    {BYTES("\x3a\x03\x01\x80\x80"), "numbers", "is malformed"}, // packed, cut short
    {BYTES("\x5a\x02\x01\x02"), "flags", "is malformed"},       // a bool that is 2
    {BYTES("\x32\x00\x32\x00"), "tree", "is given twice"},
    {BYTES("\x42\x02\x10\x01\x42\x00"), "line", "is given twice"},
    {BYTES("\x62\x01\xff"), "words", "is not UTF-8"},
};

static void hostile_bytes_are_refused_and_the_field_is_named(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
        struct arena arena;
        arena_init(&arena, 1 << 16);
        struct error error = {0};
        assert_null(rpc_decode(TYPE, hostile[i].bytes, &arena, &error));
        assert_int_equal(error.code, ERR_INVALID_REQUEST);
        if (hostile[i].path[0]) {
            assert_int_equal(error.n_fields, 1);
            assert_string_equal(error.fields[0].path, hostile[i].path);
            assert_string_equal(error.fields[0].what, hostile[i].what);
        } else {
            assert_int_equal(error.n_fields, 0);
            assert_string_equal(error.text, hostile[i].what);
        }
        arena_release(&arena);
    }
}

static void what_a_newer_peer_adds_is_no_fault(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena, 1 << 16);
    struct error error = {0};
    // An unknown field of each wire type, an enum number that we don't have, a member of a oneof instead of another.
    struct str bytes =
        BYTES("\xa0\x06\x01\xa1\x06\x01\x02\x03\x04\x05\x06\x07\x08\xa2\x06\x02hi\xa5\x06\x01\x02\x03\x04"
              "\x18\x63\x4a\x01w\x42\x00");
    const EchoRequest *got = (const void *)rpc_decode(TYPE, bytes, &arena, &error);
    assert_non_null(got);
    assert_int_equal(got->base.n_unknown_fields, 4);
    assert_int_equal((int)got->what, 0x63);
    assert_int_equal(got->choice_case, TXCENTER__TEST__V1__ECHO_REQUEST__CHOICE_LINE);
    arena_release(&arena);
}

static void the_last_of_a_scalar_counts(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena, 1 << 16);
    struct error error = {0};
    struct str bytes = BYTES("\x0a\x01"
                             "a\x20\x01\x0a\x01"
                             "b\x20\x02\x3a\x01\x01\x38\x02\x3a\x02\x03\x04");
    const EchoRequest *got = (const void *)rpc_decode(TYPE, bytes, &arena, &error);
    assert_non_null(got);
    assert_string_equal(got->text, "b");
    assert_int_equal(got->count, 2);
    assert_int_equal(got->n_numbers, 4); // packed and not packed are one list
    assert_int_equal(got->numbers[3], 4);
    arena_release(&arena);
}

// A tree of the given depth below the request, into out. Returns its length.
static size_t nest(size_t depth, uint8_t *out, size_t size) {
    size_t len = 0;
    for (size_t i = 0; i < depth; i++) {
        uint8_t head[8];
        size_t n = 0;
        head[n++] = i == depth - 1 ? 0x32 : 0x0a;
        for (size_t left = len;; left >>= 7) {
            head[n++] = (uint8_t)((left & 0x7f) | (left > 0x7f ? 0x80 : 0));
            if (left <= 0x7f)
                break;
        }
        assert_true(len + n <= size);
        memmove(out + n, out, len);
        memcpy(out, head, n);
        len += n;
    }
    return len;
}

static void nesting_has_a_bound(void **state) {
    (void)state;
    static uint8_t bytes[1 << 20];
    struct arena arena;
    arena_init(&arena, 1 << 20);
    struct error error = {0};
    assert_non_null(rpc_decode(TYPE, str_n(bytes, nest(31, bytes, sizeof bytes)), &arena, &error));
    assert_null(rpc_decode(TYPE, str_n(bytes, nest(32, bytes, sizeof bytes)), &arena, &error));
    assert_int_equal(error.code, ERR_INVALID_REQUEST);
    assert_string_equal(error.fields[0].what, "nests too deep");
    assert_null(rpc_decode(TYPE, str_n(bytes, nest(20000, bytes, sizeof bytes)), &arena, &error));
    arena_release(&arena);
}

static void decoding_takes_no_more_memory_than_allowed(void **state) {
    (void)state;
    // Two bytes each make a whole line in memory.
    enum { LINES = 50000 };
    char *bytes = malloc(2 * LINES);
    assert_non_null(bytes);
    for (size_t i = 0; i < LINES; i++)
        memcpy(bytes + 2 * i, "\x2a\x00", 2);
    struct arena arena;
    struct error error = {0};
    for (size_t max = 64; max <= (64u << 20); max *= 4) {
        arena_init(&arena, max);
        const ProtobufCMessage *got = rpc_decode(TYPE, str_n(bytes, 2 * LINES), &arena, &error);
        assert_true(arena.used <= max);
        assert_true(got || error.code == ERR_INVALID_REQUEST);
        assert_true(got || max < (64u << 20) / 4);
        arena_release(&arena);
    }
    free(bytes);
}

static void encoding_fails_when_the_arena_is_full(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena, 64);
    EchoRequest message = TXCENTER__TEST__V1__ECHO_REQUEST__INIT;
    char text[200];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    message.text = text;
    assert_null(rpc_encode(&message.base, &arena).ptr);
    message.text = (char *)(uintptr_t) "";
    struct str empty = rpc_encode(&message.base, &arena);
    assert_non_null(empty.ptr);
    assert_int_equal(empty.len, 0);
    arena_release(&arena);
}

// Every cut and every changed bit of a message is decoded or refused, never a crash; sanitizers watch.
static void changed_bytes_never_harm(void **state) {
    (void)state;
    struct str whole =
        BYTES("\x0a\x02hi\x12\x01\x00\x18\x01\x20\x07\x2a\x09\x0a\x02"
              "ab\x10\x03\x1a\x01\x00"
              "\x32\x04\x0a\x02\x0a\x00\x3a\x03\x01\x96\x01\x42\x03\x0a\x01z\x51\x00\x00\x00\x00\x00\x00\x00\x00"
              "\x5a\x02\x01\x00\x62\x01w\x62\x00");
    struct arena arena;
    arena_init(&arena, 1 << 16);
    struct error error;
    for (size_t len = 0; len <= whole.len; len++) {
        // In memory of its own, so that reading past the end is seen.
        char *copy = malloc(len + 1);
        assert_non_null(copy);
        memcpy(copy, whole.ptr, len);
        for (size_t bit = 0; bit < 8 * len; bit++) {
            char *cut = realloc(NULL, len);
            assert_non_null(cut);
            memcpy(cut, copy, len);
            cut[bit / 8] = (char)(cut[bit / 8] ^ (1 << (bit % 8)));
            arena_reset(&arena);
            error = (struct error){0};
            const ProtobufCMessage *got = rpc_decode(TYPE, str_n(cut, len), &arena, &error);
            assert_true(got || error.code == ERR_INVALID_REQUEST);
            free(cut);
        }
        free(copy);
    }
    arena_release(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_is_made_of_service_and_method),
        cmocka_unit_test(a_message_survives_encoding_and_decoding),
        cmocka_unit_test(hostile_bytes_are_refused_and_the_field_is_named),
        cmocka_unit_test(what_a_newer_peer_adds_is_no_fault),
        cmocka_unit_test(the_last_of_a_scalar_counts),
        cmocka_unit_test(nesting_has_a_bound),
        cmocka_unit_test(decoding_takes_no_more_memory_than_allowed),
        cmocka_unit_test(encoding_fails_when_the_arena_is_full),
        cmocka_unit_test(changed_bytes_never_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
