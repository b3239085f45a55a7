/* The stream of a run's entries as the command reads it, cut anywhere. */
#include "fuzz.h"

#include "supervisorctl/events.h"

static void on_event(void *data, const json_t *event)
{
    (void)data;
    free(json_line(event));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    /* The first byte chooses where it is cut. */
    const char *bytes = (const char *)data + 1;
    size_t len = size - 1;
    size_t cut = data[0] < len ? data[0] : len;
    struct events events;
    events_init(&events, on_event, NULL);
    if (events_feed(&events, bytes, cut))
        events_feed(&events, bytes + cut, len - cut);
    events_free(&events);
    return 0;
}
