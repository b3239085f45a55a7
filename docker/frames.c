/* See frames.h. The form: https://docs.docker.com/engine/api/v1.41/ "Stream format" of attach. */
#include "docker/frames.h"

#include <stdint.h>
#include <string.h>

enum { STREAM_STDERR = 2, STREAM_MAX = 3 }; /* 3: the Engine's own error text in the stream */

void docker__frames_init(struct docker__frames *frames, bool raw)
{
    *frames = (struct docker__frames){.raw = raw};
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Takes header bytes from the input; false when the header is none. */
static bool take_header(struct docker__frames *frames, const char **bytes, size_t *len)
{
    size_t take = smaller(sizeof frames->header - frames->header_len, *len);
    memcpy(frames->header + frames->header_len, *bytes, take);
    frames->header_len += take;
    *bytes += take;
    *len -= take;
    if (frames->header_len < sizeof frames->header)
        return true;
    const unsigned char *h = frames->header;
    frames->left = (size_t)((uint32_t)h[4] << 24 | (uint32_t)h[5] << 16 | (uint32_t)h[6] << 8 |
                            (uint32_t)h[7]);
    frames->is_open = false;
    if (frames->left == 0)
        frames->header_len = 0; /* an empty frame says nothing */
    return h[0] <= STREAM_MAX && h[1] == 0 && h[2] == 0 && h[3] == 0;
}

bool docker__frames_feed(struct docker__frames *frames, const char *bytes, size_t len,
                         docker__frames_fn fn, void *data)
{
    if (frames->raw)
        return len == 0 || fn(data, false, bytes, len, false, false);
    while (len > 0) {
        if (frames->left == 0) {
            if (!take_header(frames, &bytes, &len))
                return false;
            continue;
        }
        size_t take = smaller(frames->left, len);
        bool is_begin = !frames->is_open;
        frames->is_open = true;
        frames->left -= take;
        if (frames->left == 0)
            frames->header_len = 0;
        if (!fn(data, frames->header[0] >= STREAM_STDERR, bytes, take, is_begin, frames->left == 0))
            return false;
        bytes += take;
        len -= take;
    }
    return true;
}
