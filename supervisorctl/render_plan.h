/* A plan as people read it. May use: base. */
#ifndef SUPERVISORCTL_RENDER_PLAN_H
#define SUPERVISORCTL_RENDER_PLAN_H

#include "base/json.h"
#include "supervisorctl/print.h"

/* Numbered actions, each with the numbers of those it comes after; what is left alone, and why. */
void render_plan(FILE *out, const struct print_style *style, const json_t *plan);

#endif
