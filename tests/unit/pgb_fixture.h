/* A real PgBouncer in front of a test's PostgreSQL: one server session a pool, given away after
 * each transaction. It lets app, guard, plain and seer in without a password, and is "guard" at the
 * server. The role app may use its console, the role seer may look.
 */
#ifndef TESTS_UNIT_PGB_FIXTURE_H
#define TESTS_UNIT_PGB_FIXTURE_H

#include "tests/unit/pg_fixture.h"

struct pgb {
    const struct pg *pg;
    pid_t pid;
    int port;
};

/* Returns when it listens. False, and said so on standard output, where it is not installed.
 * `settings` are more lines of its [pgbouncer] section. */
bool pgb_start(struct pgb *pgb, const struct pg *pg, const char *settings);
void pgb_kill(struct pgb *pgb);  /* at once, and waits for its end */
void pgb_again(struct pgb *pgb); /* the same once more, after pgb_kill */

/* "host=127.0.0.1 port=… dbname=D user=U"; static storage, three at a time. */
const char *pgb_conninfo(const struct pgb *pgb, const char *database, const char *user);

PGconn *pgb_connect(const struct pgb *pgb, const char *database, const char *user);

#endif
