/* PgBouncer's console: how its clients fare, and PAUSE and RESUME. A second door of postgres/.
 *
 * The console speaks the simple protocol only, and its columns change with its version: they are
 * found by name. All of its errors are 08P01, so that here, and only here, the words count; they
 * are English always.
 *
 * PAUSE holds at once: from the moment it is sent no new transaction begins. It is answered when
 * the open ones have ended (in session mode: when the clients have left), and it stays in force
 * when its connection is lost, or closed because our deadline has passed. RESUME therefore always
 * comes over a connection of its own. Tried with PgBouncer 1.18.
 *
 * Every call is an operation by the contract of base/op.h. Passwords are treated as in db.h.
 *
 * May use: base, libpq. Knows nothing of Docker, playbooks or policies.
 */
#ifndef POSTGRES_POOLER_H
#define POSTGRES_POOLER_H

#include "base/err.h"
#include "base/loop.h"
#include "base/op.h"

struct pooler;

/* conninfo is libpq's, with dbname=pgbouncer in it; copied. ERR_INVALID when it cannot be read.
 * Connects nothing. */
int pooler_new(struct loop *loop, const char *conninfo, struct pooler **ret, struct err *e);

/* Gives up what is under way; the callbacks still come. Accepts NULL; returns NULL. */
struct pooler *pooler_free(struct pooler *pooler);

/* "host=172.18.0.4 port=6432 dbname=pgbouncer user=admin": never a password. */
const char *pooler_where(const struct pooler *pooler);

struct pooler_state {
    int clients_active;
    int clients_waiting;   /* for a server session; while it is paused, for its end */
    int64_t max_wait_ms;   /* of the one that waits longest */
    int servers_active;    /* with an open transaction, or, in session mode, a client */
    bool has_session_mode; /* a pool is in it */
};

/* SHOW POOLS, all pools together but the console's own. The connection is kept for the next look:
 * PgBouncer logs each login. */
typedef void (*pooler_look_fn)(void *data, const struct err *e, const struct pooler_state *state);
op_id pooler_look(struct pooler *pooler, int64_t deadline_ms, pooler_look_fn done, void *data);

struct pooler_pause {
    bool changed;        /* false: it was paused already */
    int64_t patience_ms; /* query_wait_timeout: a client that waits longer is ended; 0: never */
};

/* ERR_TIMEOUT: transactions are still open; the pause holds all the same. ERR_PERMISSION: the role
 * may not, with the setting that lets it. */
typedef void (*pooler_pause_fn)(void *data, const struct err *e, const struct pooler_pause *pause);
op_id pooler_pause(struct pooler *pooler, int64_t deadline_ms, pooler_pause_fn done, void *data);

/* changed is false when it was not paused. */
typedef void (*pooler_resume_fn)(void *data, const struct err *e, bool changed);
op_id pooler_resume(struct pooler *pooler, int64_t deadline_ms, pooler_resume_fn done, void *data);

#endif
