/* The audit line: who asked for what that may change something, and what came of it.
 *
 * One line in the log a request, whatever its outcome. What comes from outside is cut short; the
 * log keeps control characters out. Private to control/. May use: base.
 */
#ifndef CONTROL_AUDIT_H
#define CONTROL_AUDIT_H

#include "base/err.h"

struct audit; /* NULL: nothing is audited */

/* A request has arrived whole. NULL for one that only asks (GET, HEAD). */
struct audit *control__audit_new(const char *requester, const char *method, const char *path);

/* It is known what came of it: says so, frees it, gives NULL. `e` is NULL when it was done. Accepts
 * NULL. */
struct audit *control__audit_end(struct audit *audit, int status, const struct err *e);

#endif
