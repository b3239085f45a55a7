/* Which container belongs to which service. Pure.
 *
 * May use: base, container.h, stack.h (the shapes).
 */
#ifndef DOCKER_STACK_MEMBERS_H
#define DOCKER_STACK_MEMBERS_H

#include "docker/stack.h"

/* Sorts the containers into services and one-offs (references are taken), services by name and
 * replicas by number; settles what a `compose up` in the middle of recreating leaves twice. */
void stack__collect(struct stack *stack, struct container *const *containers, size_t count);

/* The first that the Engine lists and did not describe, so that its role may not be known; or NULL.
 */
const struct container *stack__undescribed(struct container *const *containers, size_t count);
/* ERR_TIMEOUT: such a one may be the database of `what`. */
int stack__fail_undescribed(const char *what, const struct container *container, struct err *e);

void stack__note(struct stack *stack, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
