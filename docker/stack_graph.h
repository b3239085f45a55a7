/* Questions about who depends on whom. Pure.
 *
 * May use: base, stack.h (the shapes).
 */
#ifndef DOCKER_STACK_GRAPH_H
#define DOCKER_STACK_GRAPH_H

#include "docker/stack.h"

/* True when `from` is `to` or depends on it, over any number of others. */
bool stack__reaches(const struct stack *stack, const struct stack_service *from,
                    const struct stack_service *to);

/* "a → b → a" for a circle of dependencies, NULL when there is none; the caller frees it. */
char *stack__find_cycle(const struct stack *stack);

#endif
