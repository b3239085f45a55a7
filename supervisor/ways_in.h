/* The ways in: the socket for those who may act, the one for those who may only ask, the port for
 * alerts and the port for the status page, as far as the configuration has them.
 *
 * May use: everything below supervisor/.
 */
#ifndef SUPERVISOR_WAYS_IN_H
#define SUPERVISOR_WAYS_IN_H

#include "control/control.h"
#include "supervisor/config.h"

struct ways_in;

/* Opens them all, or none. The configuration is not needed afterwards: a change of it is taken at
 * the next start. */
int ways_in_open(struct loop *loop, const char *socket_path, const struct config *config,
                 const struct control_ops *ops, void *app, struct ways_in **ret, struct err *e);

struct ways_in *ways_in_close(struct ways_in *ways); /* accepts NULL; returns NULL */

#endif
