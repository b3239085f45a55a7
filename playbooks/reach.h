/* How the stack's database is reached: by the configured connection string, or by what its
 * container tells, and through the back door.
 *
 * Without configuration the address is the container's own on a Docker network (or its published
 * port, or loopback for host networking), and role, database and password are the ones of its
 * environment (POSTGRES_USER, POSTGRES_DB, POSTGRES_PASSWORD). The back door is psql inside the
 * container, as its superuser over its Unix socket. How the database of a Docker stack is reached
 * is decided here alone.
 *
 * May use: base, docker, postgres.
 */
#ifndef PLAYBOOKS_REACH_H
#define PLAYBOOKS_REACH_H

#include "docker/docker.h"
#include "docker/stack.h"
#include "postgres/db.h"
#include "postgres/pooler.h"

struct reach;

struct reach_options {
    const char *connect;  /* libpq's, from the configuration; NULL: from the container */
    const char *passfile; /* NULL: libpq's own */
};

struct reach *reach_new(struct loop *loop, struct docker *docker,
                        const struct reach_options *options);
struct reach *reach_free(struct reach *reach); /* accepts NULL; returns NULL */

/* Other options from the next reach_aim on. */
void reach_configure(struct reach *reach, const struct reach_options *options);

/* The database's container as it is now: makes the client, or turns it to the new address when
 * that has changed. ERR_NOT_FOUND when the container tells no address (it is not running), with
 * the setting that helps; ERR_INVALID when the settings make no connection string. Takes what it
 * needs of the container. */
int reach_aim(struct reach *reach, const struct container *container, struct err *e);

/* NULL until reach_aim succeeded once. Borrowed, and replaced by reach_aim: ask each time. */
struct db *reach_db(const struct reach *reach);

/* Keep a lifeline on whatever database is aimed at, from now on. */
void reach_keep_lifeline(struct reach *reach, db_lifeline_fn on_change, void *data);

/* Around a planned stop of the server: the lifeline is let go, and taken up again afterwards. Both
 * do nothing when none is kept. */
void reach_rest_lifeline(struct reach *reach);
void reach_wake_lifeline(struct reach *reach);

/* The console of the stack's pooler: other settings (the configuration's, NULL: from the
 * containers), and a client for it, which the caller frees. `database` is the database's container,
 * or NULL when it is not known. Errors as of pooler_conninfo (pooler_reach.h). */
void reach_configure_pooler(struct reach *reach, const struct reach_options *options);
int reach_pooler(const struct reach *reach, const struct container *pooler,
                 const struct container *database, struct pooler **ret, struct err *e);

/* The connection string for a container (NULL does where it is configured whole); pure. The caller
 * frees it; NULL as reach_aim fails. It may hold a password: it goes nowhere but to libpq. */
char *reach_conninfo(const struct container *container, const struct reach_options *options,
                     struct err *e);

#endif
