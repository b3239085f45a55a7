/* Reading server-sent events: bytes in, entries out.
 *
 * Source of the form: https://html.spec.whatwg.org/multipage/server-sent-events.html; comments
 * (lines that begin with ':') and fields other than id and data are left out.
 *
 * May use: base.
 */
#ifndef SUPERVISORCTL_EVENTS_H
#define SUPERVISORCTL_EVENTS_H

#include "base/buf.h"
#include "base/json.h"

struct events {
    struct buf line; /* the line that is not whole yet */
    struct buf data; /* of the event that is not whole yet */
    int64_t last_id; /* of the last whole event that had one; 0: none */
    int64_t id;      /* of the event that is not whole yet */
    void (*on_event)(void *data, const json_t *event); /* borrowed */
    void *context;
};

void events_init(struct events *events, void (*on_event)(void *data, const json_t *event),
                 void *context);
void events_free(struct events *events);

/* A new connection: forgets what was not whole. */
void events_restart(struct events *events);

/* False when the peer does not speak this (too long a line, data that is no JSON). */
bool events_feed(struct events *events, const char *bytes, size_t len);

#endif
