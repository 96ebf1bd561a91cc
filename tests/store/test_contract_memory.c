#include "tests/store/contract.h"
#include "tests/store/kinds.h"

int main(void) {
    static const struct bed_variant variants[] = {
        {.kind = &kind_memory},
        {.kind = &kind_memory, .threaded = true},
        {.kind = &kind_memory, .faulty = true},
        {.kind = &kind_memory, .threaded = true, .faulty = true},
    };
    return contract_run("store contract over memory", variants, sizeof variants / sizeof variants[0]);
}
