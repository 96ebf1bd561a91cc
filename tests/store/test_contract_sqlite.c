#include "tests/store/contract.h"
#include "tests/store/kinds.h"

int main(void) {
    static const struct bed_variant variants[] = {
        {.kind = &kind_sqlite},
        {.kind = &kind_sqlite, .threaded = true},
        {.kind = &kind_sqlite, .faulty = true},
        {.kind = &kind_sqlite, .threaded = true, .faulty = true},
    };
    return contract_run("store contract over sqlite", variants, sizeof variants / sizeof variants[0]);
}
