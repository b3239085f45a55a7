/* The newest lines of a log stream, up to a ceiling. Pure, incremental. Fuzzed.
 *
 * May use: base, log_stream.h, docker.h (the line's shape).
 */
#ifndef DOCKER_LOG_LINES_H
#define DOCKER_LOG_LINES_H

#include "docker/docker.h"

struct docker__log_lines;

/* `ceiling` is in bytes of text; the oldest lines go first. */
struct docker__log_lines *docker__log_lines_new(bool tty, size_t ceiling);
struct docker__log_lines *docker__log_lines_free(struct docker__log_lines *lines);

/* False when the bytes are no log stream. */
bool docker__log_lines_feed(struct docker__log_lines *lines, const char *bytes, size_t len);

/* All of it, oldest first: borrowed until the next call of this header. Takes a last line without
 * its newline too. */
const struct docker_log_line *docker__log_lines_get(struct docker__log_lines *lines,
                                                    size_t *ret_count);

#endif
