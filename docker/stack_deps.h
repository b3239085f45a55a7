/* Lists of dependencies: sorted by service, none twice. Pure.
 *
 * May use: base, stack.h (the shapes).
 */
#ifndef DOCKER_STACK_DEPS_H
#define DOCKER_STACK_DEPS_H

#include "docker/stack.h"

/* Adds one; where the service is there already, the stronger condition stays. */
void stack__depend(struct stack_dependency **list, size_t *count, const char *service,
                   enum stack_condition condition);
void stack__depend_all(struct stack_dependency **list, size_t *count,
                       const struct stack_dependency *more, size_t more_count);

/* "service_healthy" … to its value; CONDITION_STARTED for what is not known, as an order without
 * its condition is better than none. */
enum stack_condition stack__condition_parse(const char *name, size_t len);

/* What compose takes for the name of a service. */
bool stack__is_service_name(const char *name, size_t len);

/* What a compose file says of one service; NULL when it does not name it. */
const struct stack_dependency *stack__file_service(const struct stack_file *file, const char *name,
                                                   size_t *ret_count);
/* Takes over what `more` says beside `file`, as compose does with several files, and frees it. */
void stack__file_merge(struct stack_file *file, struct stack_file *more);

#endif
