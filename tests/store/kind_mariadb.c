#include "tests/cmocka.h"
#include "tests/servers/mariadb.h"
#include "tests/store/kinds.h"

#include <stdio.h>

static void create(struct bed *bed) {
    snprintf(bed->place, sizeof bed->place, "txc_test");
    mariadb_make_database(bed->variant->server, bed->place);
}

static struct store_backend *backend(struct bed *bed) {
    const struct store_mariadb_options options = {.user = "root",
                                                  .password = "",
                                                  .database = bed->place,
                                                  .overlaps = true,
                                                  .plain_statements = bed->variant->plain,
                                                  .unix_socket = mariadb_socket(bed->variant->server)};
    return store_mariadb(&options);
}

static void destroy(struct bed *bed) {
    mariadb_drop_database(bed->variant->server, bed->place);
}

static void usurp(struct bed *bed) {
    struct store_options options = bed->options;
    options.threaded = false;
    struct store *other;
    struct error error = {0};
    if (!store_open(backend(bed), &options, &other, &error))
        fail_msg("%s", error.text);
    store_close(other);
}

const struct bed_kind kind_mariadb = {"mariadb", create, backend, destroy, usurp, true, true};
