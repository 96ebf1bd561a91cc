#include "tests/servers/mariadb.h"
#include "tests/store/contract.h"
#include "tests/store/kinds.h"

// Defaults that nobody would choose: a session must not depend on any.
static const char *const hostile[] = {
    "SET GLOBAL sql_mode = 'ANSI_QUOTES,PIPES_AS_CONCAT,NO_BACKSLASH_ESCAPES,EMPTY_STRING_IS_NULL'",
    "SET GLOBAL tx_isolation = 'SERIALIZABLE'",
    "SET GLOBAL tx_read_only = 1",
    "SET GLOBAL autocommit = 0",
    "SET GLOBAL completion_type = 2", // COMMIT closes the connection
    "SET GLOBAL sql_select_limit = 1",
    "SET GLOBAL max_join_size = 1",
    "SET GLOBAL sql_safe_updates = 1",
    "SET GLOBAL unique_checks = 0",
    "SET GLOBAL foreign_key_checks = 0",
    "SET GLOBAL character_set_server = 'latin1'",
};

int main(void) {
    struct mariadb_server *server = mariadb_start(NULL), *odd = mariadb_start(NULL);
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++)
        mariadb_run(odd, NULL, hostile[i]);
    const struct bed_variant variants[] = {
        {.kind = &kind_mariadb, .server = server},
        {.kind = &kind_mariadb, .server = server, .threaded = true},
        {.kind = &kind_mariadb, .server = server, .threaded = true, .faulty = true},
        {.kind = &kind_mariadb, .server = odd, .faulty = true},
        {.kind = &kind_mariadb, .server = odd, .plain = true, .faulty = true},
        {.kind = &kind_mariadb, .server = server, .plain = true, .threaded = true, .faulty = true},
    };
    int failed = contract_run("store contract over mariadb", variants, sizeof variants / sizeof variants[0]);
    mariadb_stop(odd);
    mariadb_stop(server);
    return failed;
}
