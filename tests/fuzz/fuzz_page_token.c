// Any bytes as a page token: refused, or one that was made for this very list and filter, and then made again alike.
#include "orchestrator/page_token.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct page_of of = {.list = {"sagas", 5}, .filter = {"", 0}};
    struct str token = str_n(data, size);
    struct page_cursor cursor;
    if (!page_token_read(token, &of, &cursor))
        return 0;
    char again[PAGE_TOKEN_MAX + 1];
    page_token_make(&of, &cursor, again);
    assert(str_eq_c(token, again));
    return 0;
}
