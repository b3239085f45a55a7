/* The Engine's framing of two output streams in one: 8 bytes {stream,0,0,0,length as big-endian
 * 32 bits}, then that many bytes. Pure, incremental: bytes may come cut anywhere. Fuzzed.
 *
 * May use: base.
 */
#ifndef DOCKER_FRAMES_H
#define DOCKER_FRAMES_H

#include <stdbool.h>
#include <stddef.h>

struct docker__frames {
    unsigned char header[8];
    size_t header_len;
    size_t left;  /* bytes of the present frame still to come */
    bool raw;     /* a terminal's stream: no frames, all of it is stdout */
    bool is_open; /* the present frame's begin was told */
};

/* A piece of a frame, never empty; `is_begin` and `is_end` mark its first and last piece. Raw
 * bytes are frames without begin and end. False stops the parser. */
typedef bool (*docker__frames_fn)(void *data, bool is_stderr, const char *bytes, size_t len,
                                  bool is_begin, bool is_end);

void docker__frames_init(struct docker__frames *frames, bool raw);

/* False when the bytes are no such stream, or fn said so. */
bool docker__frames_feed(struct docker__frames *frames, const char *bytes, size_t len,
                         docker__frames_fn fn, void *data);

#endif
