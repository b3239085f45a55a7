/* Events as values: one line of the stream to a struct, and a memory of those that were seen.
 * Pure. Fuzzed.
 *
 * May use: base, docker.h (the event's shape).
 */
#ifndef DOCKER_EVENT_H
#define DOCKER_EVENT_H

#include "docker/docker.h"

struct docker__event_line {
    struct docker_event event; /* borrows from the rest */
    json_t *json;
    char action[64];
};

/* A container event that is on our list of actions. False with `e` clear when it is a sound event
 * of no interest, false with `e` set when the line is none. To be cleared after true. */
bool docker__event_parse(const char *line, size_t len, struct docker__event_line *ret,
                         struct err *e);
void docker__event_clear(struct docker__event_line *line);

/* The last events by (time, container, action): what a replay brings again. More than the Engine
 * itself remembers (256). */
enum { DOCKER__SEEN_MAX = 512 };
struct docker__seen {
    uint64_t hashes[DOCKER__SEEN_MAX];
    size_t next;
};
/* True when the event was there before; it is from now on. */
bool docker__seen_before(struct docker__seen *seen, const struct docker_event *event);

/* The query of GET /events: filters and, unless since_ns is 0, where to begin. Podman's filter
 * does not know all of Docker's action names, so it gets the type alone. The caller frees it. */
char *docker__events_path(bool is_podman, int64_t since_ns);

#endif
