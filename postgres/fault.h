/* What a failure means: SQLSTATE, or libpq's own words where no server spoke, to a state and an
 * error that says what to do next. Pure.
 *
 * The server's text is never read: it follows lc_messages, and with PQERRORS_SQLSTATE it is not
 * even sent on to us. So every code that people meet has our own words here.
 *
 * May use: base, db.h. Private to postgres/.
 */
#ifndef POSTGRES_FAULT_H
#define POSTGRES_FAULT_H

#include "postgres/db.h"

#define DB__SQLSTATE_MAX 6

struct db__fault {
    enum db_state state;
    char sqlstate[DB__SQLSTATE_MAX]; /* "" when the server gave none */
    bool is_absent;                  /* nobody is there, at none of its addresses: no server that
                                        could be shutting down */
    struct err e;
};

/* A login failed. `message` is PQerrorMessage(), of SQLSTATE verbosity: a paragraph for each
 * address that was tried. Where a server answered, that decides; where somebody took the connection
 * or stood in its way, that comes before nobody; among equals the last one counts. */
void db__fault_login(struct db__fault *ret, const char *where, const char *message);

/* A session that was open is gone; sqlstate "" when it went without a word. */
void db__fault_loss(struct db__fault *ret, const char *where, const char *sqlstate);

/* The server answered a statement with an error; the session lives on. */
void db__fault_statement(struct db__fault *ret, const char *where, const char *sqlstate);

/* The name of the host could not be resolved; `reason` is the resolver's. */
void db__fault_name(struct db__fault *ret, const char *where, const char *reason);

/* Nothing was heard for `waited_ms`; accepted tells whether the connection was taken. */
void db__fault_silence(struct db__fault *ret, const char *where, bool accepted, int64_t waited_ms);

/* Whether this code means that the server ended the session with it. */
bool db__sqlstate_ends_session(const char *sqlstate);

/* The last SQLSTATE of a message ("…: FATAL:  53300"), whatever language its severity is in.
 * False, and "" in out, when there is none. */
bool db__sqlstate_find(const char *message, char out[static DB__SQLSTATE_MAX]);

#endif
