/* One line of the event stream. */
#include "fuzz.h"

#include "docker/event.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e;
    struct docker__event_line line;
    if (docker__event_parse((const char *)data, size, &line, &e))
        docker__event_clear(&line);
    return 0;
}
