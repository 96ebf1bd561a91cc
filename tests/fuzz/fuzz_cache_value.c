// Any bytes as a value that stands in a cache which others can write to: none, or just what was written for this name,
// in this generation, and for a time to come. The first 8 bytes say what of a good value is bent.
#include "store/cache_value.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

static const struct cache_value of = {.name = {"txcenter:v:price:1", 18}, .generation = 7, .until_ms = 1000};

static void read_any(struct str bytes) {
    struct str value;
    uint8_t head[CACHE_VALUE_HEAD];
    if (!cache_value_read(&of, bytes, &value))
        return;
    assert(value.len == bytes.len - CACHE_VALUE_HEAD && value.ptr == bytes.ptr + CACHE_VALUE_HEAD);
    // Only who knows what is kept when could have made it: made again with its own time it is the same.
    struct cache_value again = of;
    again.until_ms = 0;
    for (size_t i = 0; i < sizeof again.until_ms; i++)
        again.until_ms = (int64_t)((uint64_t)again.until_ms << 8 | (uint8_t)bytes.ptr[32 + i]);
    assert(again.until_ms > of.until_ms);
    cache_value_head(&again, value, head);
    assert(memcmp(head, bytes.ptr, sizeof head) == 0);
}

// A good value with one byte changed is none.
static void read_bent(struct str value, size_t at, char by) {
    struct str found;
    struct cache_value good = of;
    char *bytes = malloc(CACHE_VALUE_HEAD + value.len);
    assert(bytes);
    good.until_ms = of.until_ms + 1;
    cache_value_head(&good, value, (uint8_t *)bytes);
    if (value.len > 0)
        memcpy(bytes + CACHE_VALUE_HEAD, value.ptr, value.len);
    struct str all = str_n(bytes, CACHE_VALUE_HEAD + value.len);
    assert(cache_value_read(&of, all, &found) && str_eq(found, value));
    bytes[at % all.len] = (char)(bytes[at % all.len] ^ by);
    assert(cache_value_read(&of, all, &found) == (by == 0));
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    read_any(str_n(data, size));
    if (size >= 8) {
        size_t at;
        memcpy(&at, data, sizeof at);
        read_bent(str_n(data + 8, size - 8), at, (char)data[7]);
    }
    return 0;
}
