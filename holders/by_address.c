/* A session's container by its address on a Docker network, where nothing better is known. Pure.
 *
 * An address alone may lie: containers that share a network namespace share it, and a session whose
 * client vanished without a word outlives it, while the next container is given the address.
 *
 * May use: docker/stack.h (the model), postgres/db.h (a session). Used by: holders.c.
 */
#include "holders/holders_private.h"

#include <string.h>

static bool joins(const struct stack *stack, const struct container *one,
                  const struct container *owner)
{
    return strncmp(one->network_mode, "container:", 10) == 0 &&
           stack_container(stack, one->network_mode + 10) == owner;
}

static bool is_shared(const struct stack *stack, const struct container *owner)
{
    for (size_t s = 0; s < stack->service_count; s++)
        for (size_t i = 0; i < stack->services[s].container_count; i++)
            if (joins(stack, stack->services[s].containers[i], owner))
                return true;
    for (size_t i = 0; i < stack->oneoff_count; i++)
        if (joins(stack, stack->oneoffs[i], owner))
            return true;
    return false;
}

/* The present life of the container began after the session did. The session's age is the server's
 * word, as old as the snapshot: a second stands between the two. */
static bool is_younger(const struct container *container, const struct db_session *session,
                       int64_t now_ns)
{
    double age_s = (double)(now_ns - container->started_ns) / 1e9;
    return container->started_ns > 0 && age_s + 1 < session->age_s;
}

const struct container *holders__by_address(const struct stack *stack,
                                            const struct db_session *session, int64_t now_ns)
{
    const struct container *found = stack_container_at(stack, session->client);
    if (!found || is_shared(stack, found) || is_younger(found, session, now_ns))
        return NULL;
    return found;
}
