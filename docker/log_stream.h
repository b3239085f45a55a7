/* Log lines out of the Engine's log stream, as they come: frames or a terminal's raw bytes, each
 * line with its stamp in front. Pure, incremental: bytes may come cut anywhere. Fuzzed.
 *
 * May use: base, frames.h, docker.h (the line's shape).
 */
#ifndef DOCKER_LOG_STREAM_H
#define DOCKER_LOG_STREAM_H

#include "base/buf.h"
#include "docker/docker.h"
#include "docker/frames.h"

enum { DOCKER__LOG_STREAMS = 2 }; /* stdout and stderr, which may interleave */

struct docker__log_stream {
    struct docker__frames frames;
    struct docker__log_open {
        struct buf frame;  /* the present frame, or a terminal's line so far */
        bool ends_in_line; /* its last byte is a newline */
        bool has_text;     /* a line is being put together */
        struct buf text;   /* of that line, without its newline */
        int64_t time_ns;   /* of that line's first part */
    } open[DOCKER__LOG_STREAMS];
    size_t line_max;
};

/* What of a line goes beyond line_max bytes is cut. */
void docker__log_stream_init(struct docker__log_stream *stream, bool tty, size_t line_max);
void docker__log_stream_clear(struct docker__log_stream *stream);

/* A whole line, borrowed. False stops the feeding. */
typedef bool (*docker__log_line_fn)(void *data, const struct docker_log_line *line);

/* False when the bytes are no log stream, or fn said so. */
bool docker__log_stream_feed(struct docker__log_stream *stream, const char *bytes, size_t len,
                             docker__log_line_fn fn, void *data);

/* The log has ended: gives what stands there without its newline. */
bool docker__log_stream_finish(struct docker__log_stream *stream, docker__log_line_fn fn,
                               void *data);

#endif
