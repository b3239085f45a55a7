/* Every SQL text that we send. Each yields exactly one row with one JSON object on one line, so
 * that a session's answer and psql's output are read by the same code. For PostgreSQL 12 to 17.
 *
 * May use: base. Private to postgres/. All functions here are pure; the caller frees the result.
 */
#ifndef POSTGRES_SQL_H
#define POSTGRES_SQL_H

#include "postgres/db.h"

/* The statement as it is sent, with its limits in front: in one message, and so in one implicit
 * transaction whose SET LOCAL leaves no trace behind (a pooler may give the server's session to
 * somebody else afterwards). search_path, because the back door is a superuser: nobody's function
 * of a well-known name may be called in place of the real one. */
char *db__sql_bounded(const char *sql, int64_t limit_ms);

/* {"in_recovery":…,"started_us":…} */
char *db__sql_probe(void);

/* The snapshot that db_activity_parse() reads; `application` is our own sessions' name. */
char *db__sql_activity(const char *application);

/* Which limit a login of this role to this database has met; read by exhaustion.c. */
char *db__sql_exhaustion(const char *application, const char *role, const char *database);

/* A session to be ended, and the conditions under which it still is the one that was chosen. */
struct db__victim {
    int pid;
    const char *backend_start;
    const char *state; /* still in this state … NULL: whatever it does */
    double min_age_s;  /* … and for so long */
};

/* {"sent":[pid,…]}: those that were there, unchanged, and were told to end. */
char *db__sql_terminate(const struct db__victim *victims, size_t count);

/* {"left":[pid,…],"used":n}: those that are still there, and all client backends. */
char *db__sql_remaining(const struct db__victim *victims, size_t count);

/* No row, or one of no interest: the session may stay idle for as long as it likes. */
char *db__sql_stay(void);

/* {"checkpoint":true} */
char *db__sql_checkpoint(void);

/* {"limits":{role:n}}: of whoever holds the connections, but for superusers, replication and
 * ourselves; and of those that are the keys of `roles`. */
char *db__sql_holders(const char *application, const char *user);
char *db__sql_limits(const json_t *roles);

/* {"altered":true}; `limits` is role → limit. */
char *db__sql_alter_limits(const json_t *limits);

/* A name in quotes where it needs them. */
char *db__sql_identifier(const char *name);

/* A GRANT of these roles for a role: an identifier in quotes where it needs them. */
char *db__sql_grant(const char *roles, const char *to);

#endif
