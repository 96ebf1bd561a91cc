#include "tests/participants/contract.h"

int main(void) {
    return contract_run("participant contract, over gRPC", BED_PROCESS);
}
