/* See first_answer.h. */
#include "watch/first_answer.h"

#include "base/mem.h"

#include <string.h>

void first_answer_clear(struct first_answer *first)
{
    free(first->container_id);
    *first = (struct first_answer){0};
}

/* A container that was created and not started, or not inspected, has no life to speak of. */
static bool lives(const struct container *container)
{
    return container && container->state == CONTAINER_RUNNING && !container->is_partial &&
           container->started_ns != 0;
}

static bool is_same(const struct first_answer *first, const struct container *container)
{
    return first->container_id && strcmp(first->container_id, container->id) == 0;
}

static void begin_life(struct first_answer *first, const struct container *container)
{
    first->loops = is_same(first, container) && !first->has_answered &&
                   container->restart_count > first->restart_count;
    first->has_answered = false;
    first->started_ns = container->started_ns;
    first->restart_count = container->restart_count;
    mem_replace(&first->container_id, container->id);
}

void first_answer_look(struct first_answer *first, const struct container *container,
                       bool has_answered)
{
    if (!lives(container))
        return;
    if (!is_same(first, container) || container->started_ns != first->started_ns)
        begin_life(first, container);
    first->has_answered |= has_answered;
}

bool first_answer_is_due(const struct first_answer *first)
{
    return first->container_id && !first->has_answered && !first->loops;
}
