#include "tests/cmocka.h"
#include "tests/store/items.h"
#include "tests/store/kinds.h"

static void create(struct bed *bed) {
    bed->memory = store_memory();
}

static struct store_backend *backend(struct bed *bed) {
    return store_memory_share(bed->memory);
}

static void destroy(struct bed *bed) {
    store_backend_free(bed->memory);
}

static void usurp(struct bed *bed) {
    struct store_options options = bed->options;
    options.threaded = false;
    struct store *other;
    struct error error = {0};
    if (!store_open(store_memory_share(bed->memory), &options, &other, &error))
        fail_msg("%s", error.text);
    store_close(other);
}

const struct bed_kind kind_memory = {"memory", create, backend, destroy, usurp, true, true};
