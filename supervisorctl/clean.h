/* What a clean did, or would do, as people read it. May use: base. */
#ifndef SUPERVISORCTL_CLEAN_H
#define SUPERVISORCTL_CLEAN_H

#include "base/json.h"
#include "supervisorctl/print.h"

/* Who was (or would be) ended and why, who was spared, who stayed, who could not be ended. */
void render_clean(FILE *out, const struct print_style *style, const json_t *report);

#endif
