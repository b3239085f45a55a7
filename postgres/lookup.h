/* Host names to addresses, off the loop's thread: getaddrinfo() can block for half a minute, and
 * libpq would call it on the loop.
 *
 * The result is what libpq takes as host, hostaddr and port: lists of equal length, one element an
 * address, the name kept beside it for the passfile and for certificates. Hosts that need no
 * lookup (addresses, folders of Unix sockets) go through as they are.
 *
 * May use: base, target.h. Private to postgres/.
 */
#ifndef POSTGRES_LOOKUP_H
#define POSTGRES_LOOKUP_H

#include "base/buf.h"
#include "base/loop.h"
#include "postgres/target.h"

struct db__addresses {
    struct buf host, hostaddr, port;
    size_t count; /* 0: no name could be resolved */
};

/* Whether there is a name to be resolved at all. */
bool db__lookup_is_needed(const struct db__target *target);

/* `reason` says why the last name that failed did; `addresses` is borrowed for the call. Never
 * called from inside db__lookup_new; the lookup is to be freed by its owner, also inside. */
typedef void (*db__lookup_fn)(void *data, const struct db__addresses *addresses,
                              const char *reason);
struct db__lookup;
struct db__lookup *db__lookup_new(struct loop *loop, const struct db__target *target,
                                  db__lookup_fn done, void *data);

/* Gives it up; accepts NULL, returns NULL. The resolver's thread may end later. */
struct db__lookup *db__lookup_free(struct db__lookup *lookup);

#endif
