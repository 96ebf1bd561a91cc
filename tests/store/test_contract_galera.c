#include "tests/servers/galera.h"
#include "tests/store/contract.h"
#include "tests/store/kinds.h"

int main(void) {
    struct galera *galera = galera_start();
    const struct bed_variant variants[] = {
        {.kind = &kind_galera, .galera = galera, .threaded = true, .faulty = true},
        {.kind = &kind_galera, .galera = galera},
    };
    int failed = contract_run("store contract over galera", variants, sizeof variants / sizeof variants[0]);
    galera_stop(galera);
    return failed;
}
