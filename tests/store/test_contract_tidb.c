#include "tests/servers/mariadb.h"
#include "tests/store/contract.h"
#include "tests/store/kinds.h"

// As in test_contract_mariadb.c, those that TiDB knows.
static const char *const hostile[] = {
    "SET GLOBAL sql_mode = 'ANSI_QUOTES,PIPES_AS_CONCAT,NO_BACKSLASH_ESCAPES'",
    "SET GLOBAL tidb_txn_mode = 'optimistic'",
    "SET GLOBAL autocommit = 0",
    "SET GLOBAL sql_select_limit = 1",
    "SET GLOBAL max_execution_time = 1",
    "SET GLOBAL innodb_lock_wait_timeout = 1",
    "SET GLOBAL foreign_key_checks = 0",
    "SET GLOBAL character_set_server = 'latin1'",
};

int main(void) {
    const struct mariadb_options tidb = {.tidb = true};
    struct mariadb_server *server = mariadb_start(&tidb), *odd = mariadb_start(&tidb);
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++)
        mariadb_run(odd, NULL, hostile[i]);
    const struct bed_variant variants[] = {
        {.kind = &kind_mariadb, .server = server, .threaded = true, .faulty = true},
        {.kind = &kind_mariadb, .server = server},
        {.kind = &kind_mariadb, .server = odd, .faulty = true},
    };
    int failed = contract_run("store contract over tidb", variants, sizeof variants / sizeof variants[0]);
    mariadb_stop(odd);
    mariadb_stop(server);
    return failed;
}
