// What every fuzz target defines: one run over bytes that anybody may have sent. It must neither crash nor leak, and
// asserts what must hold for any input.
#ifndef TXC_TESTS_FUZZ_FUZZ_H
#define TXC_TESTS_FUZZ_FUZZ_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

// Returns 0. The name is libFuzzer's.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
