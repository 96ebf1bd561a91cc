#include "tests/store/contract.h"

const struct contract_case contract_reads[] = {{0}};
