#include "tests/participants/contract.h"

int main(void) {
    return contract_run("participant contract, in this process", BED_INPROC);
}
