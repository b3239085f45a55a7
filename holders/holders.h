/* Who holds the database's connections: the sessions of a snapshot, each with the container at its
 * other end.
 *
 * A session belongs to a container because of what the kernel and the Engine say of it, never
 * because of its application name, which anybody may choose. Where that is not certain it has no
 * container: unknown, never wrong. The order of the evidence:
 *
 *  1. the process at the client's end and its cgroup (host/peers.h), when the database runs on this
 *     machine and we may look; what the kernel answers stands, also when it is "nobody's";
 *  2. else the address on a Docker network, when exactly one container has it, shares it with no
 *     other, and is older than the session.
 *
 * What was found is kept in a cache by (pid, backend_start), so that looking again at the same
 * sessions costs nothing.
 *
 * May use: base, docker/stack.h, postgres/db.h, host/peers.h.
 */
#ifndef HOLDERS_HOLDERS_H
#define HOLDERS_HOLDERS_H

#include "base/op.h"
#include "docker/stack.h"
#include "postgres/db.h"

struct holders_cache;

struct holders_cache *holders_cache_new(struct loop *loop);
/* What is under way comes to its end as ever. Accepts NULL; returns NULL. */
struct holders_cache *holders_cache_free(struct holders_cache *cache);

struct holders;
/* `holders` is never NULL and borrowed for the call: a deadline or a cancel costs certainty (of
 * what is not known yet by then), not the answer. */
typedef void (*holders_fn)(void *data, const struct holders *holders);

/* Takes references to the snapshot and to the stack (may be NULL: everything is unknown). */
op_id holders_find(struct holders_cache *cache, const struct db_activity *activity,
                   struct stack *stack, int64_t deadline_ms, holders_fn done, void *data);

/* The snapshot; a session's index is its place in it. */
const struct db_activity *holders_activity(const struct holders *holders);

/* The container of the stack that holds the session, or NULL: unknown, or none of the stack's. */
const struct container *holders_container(const struct holders *holders, size_t session);

/* What or who holds it is known, be it a container of the stack, another, or a process on the host.
 */
bool holders_is_known(const struct holders *holders, size_t session);

/* The same in words for a person, never NULL: a container's name, "(unknown)", or what else is
 * known: "(host) psql", "(container) 3f2a90c1d7e4". */
const char *holders_label(const struct holders *holders, size_t session);

/* db_activity_json with "container", "service" (null when there is none) and "holder" (the label)
 * in each session, and "groups": {"state", "application", "client", "container", "service"}, each
 * a list of {"name", "count", "oldest_seconds"}, the largest first. Those of containers and
 * services also tell "idle", "idle_in_transaction", "oldest_idle_seconds" (of both kinds of idle)
 * and "share" (of the ordinary slots, 0 to 1). "attribution_error" is an error as JSON when a
 * session is unknown for want of a right to look, else null. The caller owns it. */
json_t *holders_json(const struct holders *holders);

#endif
