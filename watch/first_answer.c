/* See first_answer.h. */
#include "watch/first_answer.h"

#include "base/mem.h"

#include <string.h>

void watch__first_answer_clear(struct watch__first_answer *first)
{
    free(first->container_id);
    *first = (struct watch__first_answer){0};
}

static bool is_same_container(const struct watch__first_answer *first,
                              const struct container *container)
{
    return first->container_id && strcmp(first->container_id, container->id) == 0;
}

void watch__first_answer_look(struct watch__first_answer *first, const struct container *container,
                              bool has_answered)
{
    if (!container)
        return;
    bool is_same = is_same_container(first, container);
    if (!is_same || container->started_ns != first->started_ns) {
        first->loops = is_same && !first->has_answered;
        first->has_answered = false;
        first->started_ns = container->started_ns;
        mem_replace(&first->container_id, container->id);
    }
    first->has_answered |= has_answered;
}

bool watch__first_answer_is_due(const struct watch__first_answer *first)
{
    return first->container_id && !first->has_answered && !first->loops;
}
