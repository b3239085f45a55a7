/* How the console of a stack's pooler is reached: by the configuration, or by what the pooler's
 * container and the database's way tell.
 *
 * Without configuration the address is the container's own (or its published port, or loopback for
 * host networking), the port the one that its environment names (LISTEN_PORT, PGBOUNCER_PORT, …)
 * or 6432, and the user the admin of its environment (ADMIN_USER, ADMIN_PASSWORD), else the one
 * that the supervisor logs in to the database with.
 *
 * May use: base, docker, postgres, reach.h.
 */
#ifndef PLAYBOOKS_POOLER_REACH_H
#define PLAYBOOKS_POOLER_REACH_H

#include "playbooks/reach.h"

/* The connection string of a console; pure. `database` may be NULL: it is not known. The options
 * are the configuration's of the console and of the database. The caller frees it; NULL with e set
 * (ERR_NOT_FOUND: no address). It may hold a password: it goes nowhere but to libpq. */
char *pooler_conninfo(const struct container *pooler, const struct container *database,
                      const struct reach_options *console, const struct reach_options *options,
                      struct err *e);

#endif
