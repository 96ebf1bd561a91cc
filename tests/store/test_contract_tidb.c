#include "tests/servers/mariadb.h"
#include "tests/store/contract.h"
#include "tests/store/kinds.h"

int main(void) {
    struct mariadb_server *server = mariadb_start(&(struct mariadb_options){.tidb = true});
    const struct bed_variant variants[] = {
        {.kind = &kind_mariadb, .server = server, .threaded = true, .faulty = true},
        {.kind = &kind_mariadb, .server = server},
    };
    int failed = contract_run("store contract over tidb", variants, sizeof variants / sizeof variants[0]);
    mariadb_stop(server);
    return failed;
}
