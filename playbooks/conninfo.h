/* The pieces of a connection string, and what of it a container tells. Private to playbooks/.
 *
 * May use: base, docker/container.h. Pure.
 */
#ifndef PLAYBOOKS_CONNINFO_H
#define PLAYBOOKS_CONNINFO_H

#include "base/buf.h"
#include "docker/container.h"

enum { CONNINFO_MAX = 4096 };

bool conninfo__is_uri(const char *text);

/* key='value' with libpq's quoting; of two of the same key libpq takes the later one. */
void conninfo__add(struct buf *out, const char *key, const char *value);

/* The same for a URI, which stands in `out` already. */
void conninfo__add_to_uri(struct buf *out, const char *key, const char *value);

/* Where the host can reach a server's port: the container's own address, else a published port,
 * else loopback. Borrowed from the container. */
bool conninfo__address(const struct container *container, int port, const char **ret_host,
                       int *ret_port);

/* What the image takes for not set: compose writes an empty value for a variable it does not
 * know. */
const char *conninfo__env(const struct container *container, const char *key, const char *fallback);

/* Hands the string over to the caller; wipes what has overflowed, and gives NULL then. */
char *conninfo__take(struct buf *out);

#endif
