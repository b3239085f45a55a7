/* The rules of a clean step for a stack: names of containers become addresses. Shared by the step
 * and by the dry run. May use: docker/stack.h (the model), postgres/db.h. Pure. */
#ifndef PLAYBOOKS_CLEAN_RULES_H
#define PLAYBOOKS_CLEAN_RULES_H

#include "docker/stack.h"
#include "playbooks/playbook.h"
#include "postgres/db.h"

struct clean_rules {
    struct db_clean_rules rules; /* borrows from the step and from `clients` */
    char **clients;              /* NULL-terminated; NULL when the step narrows nothing */
};

/* stack is looked at only when the step names containers (clean_rules_want_stack). The step must
 * outlive the rules. */
bool clean_rules_want_stack(const struct step *step);
struct clean_rules *clean_rules_new(const struct step *step, const struct stack *stack);
struct clean_rules *clean_rules_free(struct clean_rules *rules); /* accepts NULL; returns NULL */

#endif
