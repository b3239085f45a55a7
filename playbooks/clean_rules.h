/* The rules of a clean step: names of containers become the sessions that they hold. Shared by the
 * step and by the dry run. May use: holders/holders.h, postgres/db.h. Pure. */
#ifndef PLAYBOOKS_CLEAN_RULES_H
#define PLAYBOOKS_CLEAN_RULES_H

#include "holders/holders.h"
#include "playbooks/playbook.h"
#include "postgres/db.h"

struct clean_rules {
    struct db_clean_rules rules; /* borrows from the step and from `sessions` */
    struct db_session_id *sessions;
    size_t session_count;
    size_t unknown; /* sessions of others that are left alone as nobody knows who holds them */
};

/* `holders` is looked at only when the step names containers (clean_rules_want_holders); NULL when
 * it does not. The step must outlive the rules. */
bool clean_rules_want_holders(const struct step *step);
struct clean_rules *clean_rules_new(const struct step *step, const struct holders *holders);
struct clean_rules *clean_rules_free(struct clean_rules *rules); /* accepts NULL; returns NULL */

#endif
