#include "tests/servers/mariadb.h"
#include "tests/store/contract.h"
#include "tests/store/kinds.h"

int main(void) {
    struct mariadb_server *server = mariadb_start(NULL);
    const struct bed_variant variants[] = {
        {.kind = &kind_mariadb, .server = server},
        {.kind = &kind_mariadb, .server = server, .threaded = true},
        {.kind = &kind_mariadb, .server = server, .faulty = true},
        {.kind = &kind_mariadb, .server = server, .threaded = true, .faulty = true},
        {.kind = &kind_mariadb, .server = server, .plain = true, .faulty = true},
    };
    int failed = contract_run("store contract over mariadb", variants, sizeof variants / sizeof variants[0]);
    mariadb_stop(server);
    return failed;
}
