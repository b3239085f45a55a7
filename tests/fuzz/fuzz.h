/* What every fuzz program is: one function that takes foreign bytes. Built by the preset `fuzz`;
 * scripts/fuzz runs them over tests/fuzz/corpus/NAME. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
