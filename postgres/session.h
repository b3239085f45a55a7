/* One connection, asynchronous from the name lookup to the goodbye: libpq as a state machine on
 * the loop.
 *
 *     looking up → connecting → open ⇄ asking
 *          └───────────┴─ failed   └──────┴─ lost
 *
 * A session has no deadline of its own: its owner has one, and closes it. libpq's connect_timeout
 * does nothing here, and a server that is stopped takes connections and never answers.
 *
 * There is no cancelling of a statement: PQcancel() blocks (up to libpq 16). Every statement of
 * ours carries SET LOCAL statement_timeout instead, so what goes on in the server after we have
 * closed the session ends by itself soon after.
 *
 * May use: base, libpq, target.h, lookup.h, fault.h, farewell.h. Private to postgres/.
 */
#ifndef POSTGRES_SESSION_H
#define POSTGRES_SESSION_H

#include "base/loop.h"
#include "postgres/farewell.h"
#include "postgres/fault.h"
#include "postgres/target.h"

#include <libpq-fe.h>

struct db__session;

/* All are called by the loop, never from inside a call of this header. But for `result` that is the
 * last thing that the session does: the handler may close it. What they are given is borrowed. */
struct db__session_handler {
    /* The login is over; fault NULL: open. */
    void (*opened)(void *data, const struct db__fault *fault);
    /* The answer to a query: the value of the first column of the last row (NULL: no row), or a
     * fault. After a fault db__session_is_open() tells whether the session has survived it. */
    void (*answered)(void *data, const struct db__fault *fault, const char *value);
    /* Or NULL: each result of the answer as libpq has it, rows and errors, before answered. */
    void (*result)(void *data, const PGresult *result);
    /* It was lost while nothing was asked. as_warning: the server's last word came as a warning
     * (an immediate stop, a crash). */
    void (*lost)(void *data, const struct db__fault *fault);
};

/* target must outlive the session. */
struct db__session *db__session_new(struct loop *loop, const struct db__target *target,
                                    const struct db__session_handler *handler, void *data);

/* One query at a time, in the simple protocol, of one or several statements. */
void db__session_query(struct db__session *session, const char *sql);

bool db__session_is_open(const struct db__session *session);

/* Whether its login is over, by whatever answer. */
bool db__session_was_answered(const struct db__session *session);

/* Whether somebody there has taken the connection, whatever he said then. */
bool db__session_was_accepted(const struct db__session *session);

/* Whether the server's last word was a warning and not an error: an immediate stop, a crash. */
bool db__session_was_warned(const struct db__session *session);

/* Says goodbye and closes, without waiting; no handler is called any more. Returns what is left to
 * wait for until the server has freed the slot, or NULL when there is nothing, and then gone is
 * not called. Accepts NULL. */
struct db__farewell *db__session_close(struct db__session *session, loop_fn gone, void *data);

#endif
