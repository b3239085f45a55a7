/* The log stream with its framing, cut anywhere. */
#include "fuzz.h"

#include "docker/log_lines.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    /* The first byte chooses the terminal, the second where the stream is cut. */
    struct docker__log_lines *lines = docker__log_lines_new(data[0] & 1, 4096);
    size_t cut = data[1] % (size - 1);
    const char *bytes = (const char *)data + 2;
    size_t len = size - 2;
    cut = cut < len ? cut : len;
    size_t count;
    if (docker__log_lines_feed(lines, bytes, cut) &&
        docker__log_lines_feed(lines, bytes + cut, len - cut))
        docker__log_lines_get(lines, &count);
    docker__log_lines_free(lines);
    return 0;
}
