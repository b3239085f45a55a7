/* A real PostgreSQL for tests: its own data folder, a free port of the loopback, a Unix socket in
 * its folder; run as the user "postgres" when the test is root. Twenty connections, of which three
 * are reserved.
 *
 * pg_template_make() makes one data folder a program; every server starts on a copy of it, so that
 * no test sees what another has done. On the Unix socket everybody is trusted, over TCP passwords
 * are asked for. There are: the superuser "postgres"; the database "app"; the roles (password =
 * name) "app", an ordinary one; "guard", with pg_monitor and pg_signal_backend; "watcher", with
 * pg_monitor; "plain", with nothing.
 */
#ifndef TESTS_UNIT_PG_FIXTURE_H
#define TESTS_UNIT_PG_FIXTURE_H

#include "base/loop.h"
#include "postgres/db.h"

#include <libpq-fe.h>
#include <stdbool.h>
#include <sys/types.h>

void pg_template_make(void);
void pg_template_remove(void);

struct pg {
    char dir[64];
    int port;
    pid_t pid;
};

void pg_start(struct pg *pg);                   /* and waits until it takes logins */
void pg_launch(struct pg *pg);                  /* starts again after pg_halt, without waiting */
void pg_await_ready(struct pg *pg);             /* by logging in */
void pg_halt(struct pg *pg, int signal_number); /* SIGTERM smart, SIGINT fast, SIGQUIT; waits */
void pg_stop(struct pg *pg);                    /* at once, and removes the folder */

/* "host=127.0.0.1 port=… dbname=app user=U password=U"; static storage, three at a time. */
const char *pg_conninfo(const struct pg *pg, const char *user);

/* Ordinary, blocking sessions over the Unix socket. pg_connect fails the test; pg_try returns NULL
 * when there is no login to be had. */
PGconn *pg_connect(const struct pg *pg, const char *user, const char *application);
PGconn *pg_try(const struct pg *pg, const char *user, const char *application);
void pg_run(PGconn *conn, const char *format, ...) __attribute__((format(printf, 2, 3)));
long pg_number(PGconn *conn, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Many of them. */
struct crowd {
    PGconn *conns[64];
    int count;
};
void crowd_join(struct crowd *crowd, const struct pg *pg, const char *user, int count);
void crowd_fill(struct crowd *crowd, const struct pg *pg, const char *user); /* until refused */
void crowd_leave(struct crowd *crowd);

/* psql on the Unix socket as the superuser, run by the loop: a back door. */
struct pg_door {
    struct loop *loop;
    const struct pg *pg;
    const char *user; /* NULL: postgres */
    int runs;
    bool broken; /* answers that it cannot be run */
};
struct db_backdoor pg_backdoor(struct pg_door *door);

/* Watches from a process of its own how many sessions with our application name there are. */
struct pg_spy {
    pid_t pid;
    volatile int *most; /* in shared memory */
};
void pg_spy_start(struct pg_spy *spy, const struct pg *pg);
int pg_spy_stop(struct pg_spy *spy);

/* A listener on a free port of the loopback, in a process of its own: says what it is told to each
 * who connects and, with `closes`, closes; reply NULL: never accepts. Returns the port. */
struct fake_listener {
    pid_t pid;
    int fd, port;
};
void fake_listen(struct fake_listener *fake, const char *reply, bool closes);
void fake_stop(struct fake_listener *fake);
int free_port(void); /* nobody listens there */

#endif
