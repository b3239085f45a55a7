/* Durations and time stamps. */
#include "fuzz.h"

#include "base/clock.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP_FREE char *text = mem_strndup((const char *)data, size);
    char out[DURATION_MAX];
    int64_t value;
    if (duration_parse(text, &value))
        duration_text(value, out);
    clock_parse_rfc3339_ns(text, &value);
    return 0;
}
