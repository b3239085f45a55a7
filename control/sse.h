/* One stream of server-sent events as bytes: what was told and not yet read.
 *
 * Source of the form: https://html.spec.whatwg.org/multipage/server-sent-events.html. Each kept
 * entry is "id: SEQ\ndata: JSON\n\n"; an entry that is not kept has no id. The queue has a ceiling:
 * a reader that is too slow loses first the progress entries and, at the ceiling, the stream; it
 * comes again with Last-Event-ID and misses nothing that is kept.
 *
 * Private to control/; knows neither sockets nor HTTP. May use: base.
 */
#ifndef CONTROL_SSE_H
#define CONTROL_SSE_H

#include "base/json.h"

#include <stdbool.h>
#include <stddef.h>

struct sse;

/* Entries up to this number are left out: the client has them already. */
struct sse *control__sse_new(int64_t after);
void control__sse_free(struct sse *sse); /* accepts NULL */

void control__sse_add(struct sse *sse, const json_t *entry);
void control__sse_ping(struct sse *sse);
void control__sse_end(struct sse *sse); /* what is queued is still read */

/* Takes up to `room` bytes; 0: nothing there now. */
size_t control__sse_read(struct sse *sse, char *out, size_t room);
bool control__sse_is_over(const struct sse *sse); /* ended, and everything was read */

#endif
