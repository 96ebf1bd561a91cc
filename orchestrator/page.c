#include "orchestrator/page.h"

#include "rpc/message.h"

enum { PAGE_DEFAULT = 50, PAGE_MAX = 200 };

struct page *page_new(struct rpc_inbound *in, const char *list, const ProtobufCMessage *request, int32_t size,
                      const char *token, struct error *error) {
    struct arena *arena = rpc_inbound_arena(in);
    struct page *page = arena_calloc(arena, 1, sizeof *page);
    struct str filter = rpc_encode(request, arena);
    if (!page || !filter.ptr) {
        error_set(error, ERR_OVERLOADED, "no memory for the call");
        return NULL;
    }
    page->in = in;
    page->of = (struct page_of){.list = str_c(list), .filter = filter};
    page->size = size == 0 ? PAGE_DEFAULT : size > PAGE_MAX ? PAGE_MAX : (uint32_t)size;
    page->has_cursor = *token != '\0';
    if (size < 0)
        error_field(error, "page_size", "must not be negative");
    if (page->has_cursor && !page_token_read(str_c(token), &page->of, &page->cursor))
        error_field(error, "page_token", "is not one that this list gave for this filter");
    return page;
}

char *page_next(const struct page *page, int64_t key, const char *id) {
    struct page_cursor last = {.key = key};
    char token[PAGE_TOKEN_MAX + 1];
    str_copy(str_c(id), last.id, sizeof last.id);
    page_token_make(&page->of, &last, token);
    return rpc_text(arena_str(rpc_inbound_arena(page->in), str_c(token)).ptr);
}
