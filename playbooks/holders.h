/* Who holds the connections: the sessions of a snapshot, each with the container it comes from, and
 * counted by state, application, client and container. Pure.
 *
 * A session belongs to the container whose address on a Docker network it comes from; where that is
 * not certain (a shared address, a Unix socket, a proxy) it is shown without one, never with a
 * wrong one. May use: docker/stack.h (the model), postgres/db.h (the snapshot).
 */
#ifndef PLAYBOOKS_HOLDERS_H
#define PLAYBOOKS_HOLDERS_H

#include "docker/stack.h"
#include "postgres/db.h"

/* db_activity_json with "container" and "service" in each session, and "groups". stack may be
 * NULL. The caller owns it. */
json_t *holders_json(const struct db_activity *activity, const struct stack *stack);

#endif
