/* The last moments of a connection that we have closed: its slot is free only when the server's
 * process has ended, and the end of the stream from there is the proof of it.
 *
 * Without this wait a login right after a goodbye would be a third session of ours for an instant.
 *
 * May use: base. Private to postgres/.
 */
#ifndef POSTGRES_FAREWELL_H
#define POSTGRES_FAREWELL_H

#include "base/loop.h"

struct db__farewell;

/* Takes a descriptor over, closes our direction of it, and reads until the peer has closed his, or
 * for patience_ms: a process that is stopped never closes its end, and what is left of it then is
 * the server's. gone is called once, never from inside; the farewell is over then and its pointer
 * dead. */
struct db__farewell *db__farewell_new(struct loop *loop, int fd, int64_t patience_ms, loop_fn gone,
                                      void *data);

/* Waits no longer; gone is not called. Accepts NULL; returns NULL. */
struct db__farewell *db__farewell_free(struct db__farewell *farewell);

#endif
