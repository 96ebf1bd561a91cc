#include "tests/cmocka.h"
#include "tests/servers/galera.h"
#include "tests/store/kinds.h"

#include <stdio.h>

static void create(struct bed *bed) {
    snprintf(bed->place, sizeof bed->place, "txc_test");
    mariadb_make_database(galera_node(bed->variant->galera, 0), bed->place);
}

struct store_backend *kind_galera_at(struct bed *bed, const char *hosts) {
    const struct store_mariadb_options options = {
        .user = "txc", .database = bed->place, .host = hosts, .connect_timeout_ms = 2000};
    return store_mariadb(&options);
}

static struct store_backend *backend(struct bed *bed) {
    return kind_galera_at(bed, galera_hosts(bed->variant->galera, 0));
}

static void destroy(struct bed *bed) {
    mariadb_drop_database(galera_node(bed->variant->galera, 0), bed->place);
}

// At another node, and again when a commit of the one that is to be defeated wins the conflict.
static void usurp(struct bed *bed) {
    enum { TRIES_MAX = 20 };
    struct store_options options = bed->options;
    options.threaded = false;
    struct store *other = NULL;
    for (int tries = 1; !other; tries++) {
        struct error error = {0};
        if (!store_open(kind_galera_at(bed, galera_hosts(bed->variant->galera, 2)), &options, &other, &error) &&
            (tries == TRIES_MAX || error.code != ERR_STORE_UNAVAILABLE))
            fail_msg("%s", error.text);
    }
    store_close(other);
}

const struct bed_kind kind_galera = {"galera", create, backend, destroy, usurp, true, false};
