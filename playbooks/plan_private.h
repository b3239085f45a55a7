/* What plan.c and plan_json.c share. Private to playbooks/. */
#ifndef PLAYBOOKS_PLAN_PRIVATE_H
#define PLAYBOOKS_PLAN_PRIVATE_H

#include "playbooks/plan.h"

/* Sets the worst case and the content id of a plan that is otherwise whole. */
void plan__finish(struct plan *plan);

#endif
