// Tokens of keyset pages: where the next page begins, bound to the filter that it is a page of. Opaque to callers; what
// was not made here for the same filter is refused.
#ifndef TXC_ORCHESTRATOR_PAGE_TOKEN_H
#define TXC_ORCHESTRATOR_PAGE_TOKEN_H

#include "base/str.h"

enum { PAGE_ID_MAX = 128, PAGE_TOKEN_MAX = 2 * (8 + 8 + PAGE_ID_MAX) };

// The last row of a page: what it is ordered by, and its id.
struct page_cursor {
    int64_t key;
    char id[PAGE_ID_MAX + 1];
};

// What the token is a page of: the name of the list, and the encoded filter.
struct page_of {
    struct str list, filter;
};

void page_token_make(const struct page_of *of, const struct page_cursor *cursor, char out[PAGE_TOKEN_MAX + 1]);

bool page_token_read(struct str token, const struct page_of *of, struct page_cursor *ret_cursor);

#endif
