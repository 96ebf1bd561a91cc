// What every store does, whatever keeps its rows: one list of cases, run over every kind of database.
#ifndef TXC_TESTS_STORE_CONTRACT_H
#define TXC_TESTS_STORE_CONTRACT_H

#include "tests/store/bed.h"

struct contract_case {
    const char *name;             // what must hold
    void (*run)(struct bed *bed); // the store is open with item_tables
    bool needs_faults;            // only for variants that are faulty
    bool alone;                   // in a variant without threads only
    bool needs_sharing;           // only where several processes may use the database
};

// Each list ends with a case without a name.
extern const struct contract_case contract_writes[], contract_batches[], contract_faults[], contract_reads[],
    contract_schema[], contract_instances[], contract_beside[];

// Runs every case over every variant; returns main()'s result.
int contract_run(const char *group, const struct bed_variant *variants, size_t n_variants);

#endif
