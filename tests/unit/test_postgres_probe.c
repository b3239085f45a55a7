/* What a probe says of a server in every state that a login can meet it in. */
#include "base/mem.h"
#include "tests/unit/pg_fixture.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static struct pg pg;
static struct loop *loop;

static void with_server(void)
{
    pg_start(&pg);
    loop = loop_new();
}

static void end_server(void)
{
    loop_free(loop);
    pg_stop(&pg);
}

static void without_server(void)
{
    loop = loop_new();
}

static void end_loop(void)
{
    loop_free(loop);
}

/* --- helpers -------------------------------------------------------------------------------- */

static struct db *make(const char *conninfo, const struct db_backdoor *door)
{
    struct db *db;
    struct err e;
    struct db_options options = {.conninfo = conninfo, .backdoor = door};
    ck_assert_msg(db_new(loop, &options, &db, &e) == 0, "%s", e.text);
    return db;
}

static void on_probe(void *data, const struct db_probe *probe)
{
    *(struct db_probe *)data = *probe;
    loop_stop(loop);
}

static struct db_probe probe_within(struct db *db, int64_t deadline_ms)
{
    struct db_probe probe = {.state = DB_STATES};
    ck_assert_uint_ne(db_probe(db, deadline_ms, on_probe, &probe), 0);
    ck_assert_int_eq(probe.state, DB_STATES); /* never from inside the call */
    loop_run(loop);
    ck_assert_int_ne(probe.state, DB_STATES);
    ck_assert_ptr_null(strstr(probe.why.text, "sesame"));
    ck_assert_ptr_null(strstr(probe.why.hint, "sesame"));
    return probe;
}

static struct db_probe probe_of(const char *conninfo)
{
    struct db *db = make(conninfo, NULL);
    struct db_probe probe = probe_within(db, 10000);
    db_free(db);
    return probe;
}

static void on_lifeline(void *data, bool open, const struct err *e)
{
    (void)e;
    *(int *)data += open ? 1 : 100;
    loop_stop(loop);
}

static void open_lifeline(struct db *db, int *changes)
{
    *changes = 0;
    db_lifeline_keep(db, on_lifeline, changes);
    loop_run(loop);
    ck_assert_int_eq(*changes, 1);
    ck_assert(db_lifeline_is_open(db));
}

#define assert_state(probe, wanted)                                                                \
    ck_assert_msg((probe).state == (wanted), "%s instead of %s: %s", db_state_name((probe).state), \
                  db_state_name(wanted), (probe).why.text)

/* --- a server that is well ------------------------------------------------------------------ */

START_TEST(ready)
{
    struct db_probe probe = probe_of(pg_conninfo(&pg, "app"));
    assert_state(probe, DB_READY);
    ck_assert(!probe.is_standby);
    ck_assert(!probe.lifeline_open);
    ck_assert(!err_is_set(&probe.why));
    PGconn *conn = pg_connect(&pg, "postgres", "test");
    long started = pg_number(conn, "SELECT extract(epoch FROM pg_postmaster_start_time())::bigint");
    ck_assert_int_le(labs(started - (long)(probe.started_us / 1000000)), 1);
    PQfinish(conn);
}
END_TEST

START_TEST(ready_by_unix_socket_and_by_name)
{
    char conninfo[200];
    snprintf(conninfo, sizeof conninfo, "host=%s port=%d dbname=app user=app", pg.dir, pg.port);
    struct db_probe probe = probe_of(conninfo);
    assert_state(probe, DB_READY);
    /* The name leads to ::1 as well, where nobody listens. */
    snprintf(conninfo, sizeof conninfo, "postgresql://app:app@localhost:%d/app?sslmode=disable",
             pg.port);
    probe = probe_of(conninfo);
    assert_state(probe, DB_READY);
    snprintf(conninfo, sizeof conninfo,
             "host=%s,localhost port=%d user=app password=app dbname=app", "/nowhere", pg.port);
    probe = probe_of(conninfo);
    assert_state(probe, DB_READY);
}
END_TEST

START_TEST(read_only_is_ready)
{
    PGconn *conn = pg_connect(&pg, "postgres", "test");
    pg_run(conn, "ALTER ROLE app SET default_transaction_read_only = on");
    PQfinish(conn);
    struct db_probe probe = probe_of(pg_conninfo(&pg, "app"));
    assert_state(probe, DB_READY);
}
END_TEST

START_TEST(standby)
{
    struct db *db = make(pg_conninfo(&pg, "app"), NULL);
    pg_halt(&pg, SIGINT);
    CLEANUP_FREE char *signal_file = mem_printf("%s/data/standby.signal", pg.dir);
    FILE *out = fopen(signal_file, "w");
    ck_assert_ptr_nonnull(out);
    fclose(out);
    pg_launch(&pg);
    pg_await_ready(&pg);
    struct db_probe probe = probe_within(db, 10000);
    assert_state(probe, DB_READY);
    ck_assert(probe.is_standby);
    db_free(db);
}
END_TEST

/* A certificate of its own; the test says so and passes where openssl is not installed. */
static bool switch_tls_on(void)
{
    CLEANUP_FREE char *command =
        mem_printf("cd %s/data && openssl req -new -x509 -days 2 -nodes -subj /CN=test -out "
                   "server.crt -keyout server.key 2>/dev/null && chmod 600 server.key && "
                   "chown --reference=PG_VERSION server.key server.crt",
                   pg.dir);
    if (system(command) != 0) {
        puts("no openssl: TLS is not tested");
        return false;
    }
    PGconn *conn = pg_connect(&pg, "postgres", "test");
    pg_run(conn, "ALTER SYSTEM SET ssl = on");
    PQfinish(conn);
    pg_halt(&pg, SIGINT);
    pg_launch(&pg);
    pg_await_ready(&pg);
    return true;
}

START_TEST(over_tls)
{
    if (!switch_tls_on())
        return;
    char conninfo[200];
    snprintf(conninfo, sizeof conninfo, "%s sslmode=require", pg_conninfo(&pg, "app"));
    struct db_probe probe = probe_of(conninfo);
    assert_state(probe, DB_READY);
    /* With sslmode=prefer libpq tries again without TLS when it is refused: on a new socket. */
    struct crowd crowd = {0};
    crowd_fill(&crowd, &pg, "app");
    probe = probe_of(pg_conninfo(&pg, "app"));
    assert_state(probe, DB_EXHAUSTED);
    crowd_leave(&crowd);
    probe = probe_of(pg_conninfo(&pg, "app"));
    assert_state(probe, DB_READY);
    snprintf(conninfo, sizeof conninfo, "%s sslmode=verify-full sslrootcert=%s/data/PG_VERSION",
             pg_conninfo(&pg, "app"), pg.dir);
    probe = probe_of(conninfo);
    assert_state(probe, DB_UNREACHABLE);
}
END_TEST

START_TEST(no_tls_there)
{
    char conninfo[200];
    snprintf(conninfo, sizeof conninfo, "%s sslmode=require", pg_conninfo(&pg, "app"));
    struct db_probe probe = probe_of(conninfo);
    assert_state(probe, DB_UNREACHABLE);
    ck_assert_int_eq(probe.why.code, ERR_UNSUPPORTED);
}
END_TEST

/* --- not let in ----------------------------------------------------------------------------- */

START_TEST(wrong_password)
{
    char conninfo[200];
    snprintf(conninfo, sizeof conninfo,
             "host=127.0.0.1 port=%d dbname=app user=app password=sesame", pg.port);
    struct db_probe probe = probe_of(conninfo);
    assert_state(probe, DB_AUTH_FAILED);
    ck_assert_str_eq(probe.sqlstate, "28P01");
    ck_assert_int_eq(probe.why.code, ERR_PERMISSION);
    char wanted[200];
    snprintf(wanted, sizeof wanted,
             "postgres: cannot connect to host=127.0.0.1 port=%d dbname=app user=app: password "
             "authentication failed (28P01)",
             pg.port);
    ck_assert_str_eq(probe.why.text, wanted);
    ck_assert_ptr_nonnull(strstr(probe.why.hint, "passfile"));
}
END_TEST

START_TEST(no_password)
{
    setenv("PGPASSFILE", "/nonexistent", 1);
    char conninfo[200];
    snprintf(conninfo, sizeof conninfo, "host=127.0.0.1 port=%d dbname=app user=app", pg.port);
    struct db_probe probe = probe_of(conninfo);
    assert_state(probe, DB_AUTH_FAILED);
    ck_assert_str_eq(probe.sqlstate, "");
    ck_assert_ptr_nonnull(strstr(probe.why.text, "password"));
}
END_TEST

START_TEST(password_from_the_environment)
{
    setenv("PGPASSWORD", "app", 1);
    char conninfo[200];
    snprintf(conninfo, sizeof conninfo, "host=127.0.0.1 port=%d dbname=app user=app", pg.port);
    struct db_probe probe = probe_of(conninfo);
    assert_state(probe, DB_READY);
}
END_TEST

START_TEST(not_in_pg_hba)
{
    struct db_probe probe = probe_of(pg_conninfo(&pg, "stranger"));
    assert_state(probe, DB_AUTH_FAILED);
    ck_assert_str_eq(probe.sqlstate, "28000");
}
END_TEST

START_TEST(no_such_database)
{
    char conninfo[200];
    snprintf(conninfo, sizeof conninfo, "host=127.0.0.1 port=%d dbname=nix user=app password=app",
             pg.port);
    struct db_probe probe = probe_of(conninfo);
    assert_state(probe, DB_UNREACHABLE);
    ck_assert_str_eq(probe.sqlstate, "3D000");
    ck_assert_int_eq(probe.why.code, ERR_NOT_FOUND);
}
END_TEST

START_TEST(database_takes_no_connections)
{
    PGconn *conn = pg_connect(&pg, "postgres", "test");
    pg_run(conn, "CREATE DATABASE closed ALLOW_CONNECTIONS false");
    PQfinish(conn);
    char conninfo[200];
    snprintf(conninfo, sizeof conninfo,
             "host=127.0.0.1 port=%d dbname=closed user=app password=app", pg.port);
    struct db_probe probe = probe_of(conninfo);
    assert_state(probe, DB_UNREACHABLE);
    ck_assert_str_eq(probe.sqlstate, "55000");
}
END_TEST

START_TEST(no_connect_privilege)
{
    PGconn *conn = pg_connect(&pg, "postgres", "test");
    pg_run(conn, "REVOKE CONNECT ON DATABASE app FROM PUBLIC");
    PQfinish(conn);
    struct db_probe probe = probe_of(pg_conninfo(&pg, "app"));
    assert_state(probe, DB_AUTH_FAILED);
    ck_assert_str_eq(probe.sqlstate, "42501");
}
END_TEST

/* --- nobody there, or somebody else --------------------------------------------------------- */

static struct db_probe probe_port(int port, int64_t deadline_ms)
{
    char conninfo[200];
    snprintf(conninfo, sizeof conninfo,
             "host=127.0.0.1 port=%d dbname=app user=app password=sesame", port);
    struct db *db = make(conninfo, NULL);
    struct db_probe probe = probe_within(db, deadline_ms);
    db_free(db);
    return probe;
}

START_TEST(refused)
{
    struct db_probe probe = probe_port(free_port(), 5000);
    assert_state(probe, DB_REFUSED);
    ck_assert_int_eq(probe.why.code, ERR_UNREACHABLE);
    probe = probe_of("host=/nonexistent user=app dbname=app");
    assert_state(probe, DB_REFUSED);
}
END_TEST

START_TEST(name_unknown)
{
    struct db_probe probe = probe_of("host=no-such-host.invalid user=app password=sesame");
    assert_state(probe, DB_UNREACHABLE);
    ck_assert_ptr_nonnull(strstr(probe.why.text, "cannot resolve"));
}
END_TEST

START_TEST(black_hole)
{
    struct fake_listener fake;
    fake_listen(&fake, NULL, false);
    struct db_probe probe = probe_port(fake.port, 300);
    assert_state(probe, DB_HUNG);
    ck_assert_int_eq(probe.why.code, ERR_TIMEOUT);
    ck_assert_int_ge(probe.took_ms, 290);
    fake_stop(&fake);
}
END_TEST

START_TEST(not_postgresql)
{
    struct fake_listener fake;
    fake_listen(&fake, "HTTP/1.1 400 Bad Request\r\n\r\n", true);
    struct db_probe probe = probe_port(fake.port, 5000);
    assert_state(probe, DB_UNREACHABLE);
    ck_assert_ptr_nonnull(strstr(probe.why.text, "not PostgreSQL"));
    fake_stop(&fake);
}
END_TEST

START_TEST(closes_at_once)
{
    struct fake_listener fake;
    fake_listen(&fake, "", true);
    struct db_probe probe = probe_port(fake.port, 5000);
    assert_state(probe, DB_UNREACHABLE);
    fake_stop(&fake);
}
END_TEST

START_TEST(cancelled)
{
    struct fake_listener fake;
    fake_listen(&fake, NULL, false);
    char conninfo[100];
    snprintf(conninfo, sizeof conninfo, "host=127.0.0.1 port=%d user=app", fake.port);
    struct db *db = make(conninfo, NULL);
    struct db_probe probe = {0};
    op_id id = db_probe(db, 60000, on_probe, &probe);
    op_cancel(loop, id);
    op_cancel(loop, id);
    loop_run(loop);
    assert_state(probe, DB_UNKNOWN);
    ck_assert_int_eq(probe.why.code, ERR_CANCELLED);
    db_free(db);
    fake_stop(&fake);
}
END_TEST

START_TEST(freed_under_way)
{
    struct fake_listener fake;
    fake_listen(&fake, NULL, false);
    char conninfo[100];
    snprintf(conninfo, sizeof conninfo, "host=localhost port=%d user=app", fake.port);
    struct db *db = make(conninfo, NULL);
    struct db_probe first = {.state = DB_STATES}, second = {.state = DB_STATES};
    db_lifeline_keep(db, NULL, NULL);
    db_probe(db, 60000, on_probe, &first);
    db_probe(db, 60000, on_probe, &second);
    db_free(db);
    loop_run(loop);
    loop_run(loop);
    assert_state(first, DB_UNKNOWN);
    assert_state(second, DB_UNKNOWN);
    fake_stop(&fake);
}
END_TEST

/* --- exhausted ------------------------------------------------------------------------------ */

static struct db_probe probe_exhausted(struct db *db)
{
    struct db_probe probe = probe_within(db, 10000);
    assert_state(probe, DB_EXHAUSTED);
    ck_assert_str_eq(probe.sqlstate, "53300");
    ck_assert_int_eq(probe.why.code, ERR_EXHAUSTED);
    return probe;
}

#define assert_kind(probe, wanted)                                                                 \
    ck_assert_msg((probe).exhaustion == (wanted), "%s instead of %s: %s",                          \
                  db_exhaustion_name((probe).exhaustion), db_exhaustion_name(wanted),              \
                  (probe).why.text)

/* Who is asked which limit it was: nobody, the lifeline, the back door. */
enum asked { NOBODY, LIFELINE, BACKDOOR, ASKED };

static struct db *make_to_ask(enum asked asked, struct pg_door *door)
{
    static struct db_backdoor backdoor;
    *door = (struct pg_door){.loop = loop, .pg = &pg};
    backdoor = pg_backdoor(door);
    struct db *db = make(pg_conninfo(&pg, "app"), asked == BACKDOOR ? &backdoor : NULL);
    static int changes;
    if (asked == LIFELINE)
        open_lifeline(db, &changes);
    return db;
}

START_TEST(exhausted_reserved_left)
{
    struct pg_door door;
    struct db *db = make_to_ask((enum asked)_i, &door);
    struct crowd crowd = {0};
    crowd_fill(&crowd, &pg, "app");
    struct db_probe probe = probe_exhausted(db);
    assert_kind(probe, _i == NOBODY ? DB_EXHAUSTION_UNKNOWN : DB_EXHAUSTION_RESERVED);
    ck_assert_int_eq(door.runs, _i == BACKDOOR);
    ck_assert_int_eq(probe.lifeline_open, _i == LIFELINE);
    crowd_leave(&crowd);
    db_free(db);
}
END_TEST

START_TEST(exhausted_all_taken)
{
    struct pg_door door;
    struct db *db = make_to_ask((enum asked)_i, &door);
    struct crowd crowd = {0};
    crowd_fill(&crowd, &pg, "app");
    crowd_fill(&crowd, &pg, "postgres");
    struct db_probe probe = probe_exhausted(db);
    assert_kind(probe, _i == NOBODY ? DB_EXHAUSTION_UNKNOWN : DB_EXHAUSTION_ALL);
    crowd_leave(&crowd);
    db_free(db);
}
END_TEST

START_TEST(exhausted_role_limit)
{
    struct pg_door door;
    struct db *db = make_to_ask((enum asked)_i, &door);
    struct crowd crowd = {0};
    PGconn *conn = pg_connect(&pg, "postgres", "test");
    pg_run(conn, "ALTER ROLE app CONNECTION LIMIT 4");
    crowd_fill(&crowd, &pg, "app");
    struct db_probe probe = probe_exhausted(db);
    assert_kind(probe, _i == NOBODY ? DB_EXHAUSTION_UNKNOWN : DB_EXHAUSTION_ROLE);
    if (_i != NOBODY)
        ck_assert_ptr_nonnull(strstr(probe.why.text, "the role has 4 sessions"));
    crowd_leave(&crowd);
    PQfinish(conn);
    db_free(db);
}
END_TEST

START_TEST(exhausted_database_limit)
{
    struct pg_door door;
    struct db *db = make_to_ask((enum asked)_i, &door);
    struct crowd crowd = {0};
    PGconn *conn = pg_connect(&pg, "postgres", "test");
    pg_run(conn, "ALTER DATABASE app CONNECTION LIMIT 5");
    crowd_fill(&crowd, &pg, "app");
    struct db_probe probe = probe_exhausted(db);
    assert_kind(probe, _i == NOBODY ? DB_EXHAUSTION_UNKNOWN : DB_EXHAUSTION_DATABASE);
    crowd_leave(&crowd);
    PQfinish(conn);
    db_free(db);
}
END_TEST

/* The lifeline's own process is stopped: it takes the question and never answers. */
START_TEST(exhausted_and_lifeline_stuck)
{
    struct pg_door door;
    struct db *db = make_to_ask(LIFELINE, &door);
    struct crowd crowd = {0};
    PGconn *conn = pg_connect(&pg, "postgres", "test");
    /* Idle: in the middle of its work it might hold a lock that a login needs. */
    while (pg_number(conn, "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle' AND "
                           "query <> '' AND application_name = 'stack-supervisor'") != 1)
        ;
    pid_t pid = (pid_t)pg_number(
        conn, "SELECT pid FROM pg_stat_activity WHERE application_name = 'stack-supervisor'");
    crowd_fill(&crowd, &pg, "app");
    kill(pid, SIGSTOP);
    struct db_probe probe = probe_within(db, 500);
    assert_state(probe, DB_EXHAUSTED);
    assert_kind(probe, DB_EXHAUSTION_UNKNOWN);
    kill(pid, SIGCONT);
    crowd_leave(&crowd);
    PQfinish(conn);
    db_free(db);
}
END_TEST

/* --- starting, recovering, shutting down, hung ---------------------------------------------- */

START_TEST(hung)
{
    struct db *db = make(pg_conninfo(&pg, "app"), NULL);
    int changes;
    open_lifeline(db, &changes);
    kill(pg.pid, SIGSTOP);
    struct db_probe probe = probe_within(db, 300);
    assert_state(probe, DB_HUNG);
    ck_assert(probe.lifeline_open);
    kill(pg.pid, SIGCONT);
    probe = probe_within(db, 10000);
    assert_state(probe, DB_READY);
    db_free(db);
}
END_TEST

static struct db_probe probe_while(struct db *db, enum db_state state)
{
    struct db_probe probe;
    do
        probe = probe_within(db, 10000);
    while (probe.state == state);
    return probe;
}

START_TEST(smart_shutdown_with_lifeline)
{
    struct db *db = make(pg_conninfo(&pg, "app"), NULL);
    int changes;
    open_lifeline(db, &changes);
    kill(pg.pid, SIGTERM); /* waits for the lifeline, and for us */
    struct db_probe probe = probe_while(db, DB_READY);
    assert_state(probe, DB_SHUTTING_DOWN);
    ck_assert_str_eq(probe.sqlstate, "57P03");
    db_free(db);
}
END_TEST

START_TEST(announced_shutdown)
{
    struct db *db = make(pg_conninfo(&pg, "app"), NULL);
    struct crowd crowd = {0};
    crowd_join(&crowd, &pg, "app", 1);
    db_expect_shutdown(db, true);
    kill(pg.pid, SIGTERM);
    struct db_probe probe = probe_while(db, DB_READY);
    assert_state(probe, DB_SHUTTING_DOWN);
    db_expect_shutdown(db, false);
    probe = probe_within(db, 10000);
    assert_state(probe, DB_STARTING); /* nothing is known any more, and this is what it is called */
    crowd_leave(&crowd);
    db_free(db);
}
END_TEST

/* Behind a 57P03 libpq goes on to the next address, and its last word is of that one. */
START_TEST(takes_no_logins_and_nobody_listens_at_its_next_address)
{
    char conninfo[200];
    snprintf(conninfo, sizeof conninfo,
             "host=localhost,127.0.0.1 port=%d,%d dbname=app user=app password=app", pg.port,
             free_port());
    struct db *db = make(conninfo, NULL);
    struct crowd crowd = {0};
    crowd_join(&crowd, &pg, "app", 1);
    kill(pg.pid, SIGTERM); /* waits for the crowd, and says no to others meanwhile */
    struct db_probe probe = probe_while(db, DB_READY);
    assert_state(probe, DB_STARTING);
    ck_assert_str_eq(probe.sqlstate, "57P03");
    crowd_leave(&crowd);
    db_free(db);
}
END_TEST

/* A crash with much to replay: unflushed changes, the server killed, and started anew. */
static void make_work_for_recovery(void)
{
    PGconn *conn = pg_connect(&pg, "postgres", "test");
    pg_run(conn, "ALTER SYSTEM SET recovery_init_sync_method = 'fsync'");
    pg_run(conn, "CREATE TABLE many AS SELECT g AS id, repeat('x', 200) AS text "
                 "FROM generate_series(1, 150000) g");
    pg_run(conn, "UPDATE many SET text = text || 'y'");
    PQfinish(conn);
}

START_TEST(starting_after_a_crash_that_nobody_saw)
{
    make_work_for_recovery();
    pg_halt(&pg, SIGQUIT);
    struct db *db = make(pg_conninfo(&pg, "app"), NULL);
    struct db_probe probe = probe_within(db, 10000);
    assert_state(probe, DB_REFUSED);
    pg_launch(&pg);
    probe = probe_while(db, DB_REFUSED);
    assert_state(probe, DB_STARTING);
    ck_assert_str_eq(probe.sqlstate, "57P03");
    probe = probe_while(db, DB_STARTING);
    assert_state(probe, DB_READY);
    db_free(db);
}
END_TEST

START_TEST(recovering_after_a_crash_that_the_lifeline_saw)
{
    struct db *db = make(pg_conninfo(&pg, "app"), NULL);
    int changes;
    open_lifeline(db, &changes);
    make_work_for_recovery();
    pg_halt(&pg, SIGQUIT);
    loop_run(loop);
    ck_assert_int_eq(changes, 101); /* lost */
    pg_launch(&pg);
    struct db_probe probe = probe_while(db, DB_REFUSED);
    assert_state(probe, DB_RECOVERING);
    probe = probe_while(db, DB_RECOVERING);
    assert_state(probe, DB_READY);
    db_free(db);
}
END_TEST

/* --- without a server ----------------------------------------------------------------------- */

START_TEST(names)
{
    /* the words of docs/api.md */
    ck_assert_str_eq(db_state_name(DB_SHUTTING_DOWN), "shutting_down");
    ck_assert_str_eq(db_state_name(DB_AUTH_FAILED), "auth_failed");
    for (int i = 0; i < DB_STATES; i++)
        ck_assert_int_eq(db_state_parse(db_state_name((enum db_state)i)), i);
    ck_assert_int_eq(db_state_parse("nonsense"), DB_UNKNOWN);
    ck_assert_int_eq(db_state_parse(NULL), DB_UNKNOWN);
    ck_assert_str_eq(db_exhaustion_name(DB_EXHAUSTION_RESERVED), "reserved");
    ck_assert_str_eq(db_exhaustion_name(DB_EXHAUSTION_DATABASE), "database");
}
END_TEST

START_TEST(connection_strings)
{
    struct db *db;
    struct err e;
    static const char *const bad[] = {"password=open sesame host=x", "nonsense=1 password=sesame",
                                      "host='x", "postgresql://u:sesame@[::1/x", "service=sesame"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct db_options options = {.conninfo = bad[i]};
        ck_assert_int_eq(db_new(loop, &options, &db, &e), -ERR_INVALID);
        ck_assert_ptr_null(strstr(e.text, "sesame"));
        ck_assert_ptr_null(strstr(e.hint, "sesame"));
        ck_assert_str_ne(e.hint, "");
    }
    unsetenv("PGHOST");
    unsetenv("PGPORT");
    db = make("postgresql://me:sesame@db.example:5433/shop?sslmode=require", NULL);
    ck_assert_str_eq(db_where(db), "host=db.example port=5433 dbname=shop user=me");
    db_free(db);
    db = make("user=me", NULL);
    ck_assert_str_eq(db_where(db), "host=local port=5432 dbname=me user=me");
    db_free(db);
    setenv("PGHOST", "other", 1);
    setenv("PGPORT", "99", 1);
    db = make("user=me password=sesame", NULL);
    ck_assert_str_eq(db_where(db), "host=other port=99 dbname=me user=me");
    db_free(db);
    ck_assert_ptr_null(db_free(NULL));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("postgres_probe");
    TCase *alone = tcase_create("alone");
    tcase_add_checked_fixture(alone, without_server, end_loop);
    tcase_set_timeout(alone, 30);
    tcase_add_test(alone, names);
    tcase_add_test(alone, connection_strings);
    tcase_add_test(alone, refused);
    tcase_add_test(alone, name_unknown);
    tcase_add_test(alone, black_hole);
    tcase_add_test(alone, not_postgresql);
    tcase_add_test(alone, closes_at_once);
    tcase_add_test(alone, cancelled);
    tcase_add_test(alone, freed_under_way);
    suite_add_tcase(suite, alone);

    TCase *real = tcase_create("real");
    tcase_add_unchecked_fixture(real, pg_template_make, pg_template_remove);
    tcase_add_checked_fixture(real, with_server, end_server);
    tcase_set_timeout(real, 60);
    tcase_add_test(real, ready);
    tcase_add_test(real, ready_by_unix_socket_and_by_name);
    tcase_add_test(real, read_only_is_ready);
    tcase_add_test(real, standby);
    tcase_add_test(real, over_tls);
    tcase_add_test(real, no_tls_there);
    tcase_add_test(real, wrong_password);
    tcase_add_test(real, no_password);
    tcase_add_test(real, password_from_the_environment);
    tcase_add_test(real, not_in_pg_hba);
    tcase_add_test(real, no_such_database);
    tcase_add_test(real, database_takes_no_connections);
    tcase_add_test(real, no_connect_privilege);
    tcase_add_loop_test(real, exhausted_reserved_left, 0, ASKED);
    tcase_add_loop_test(real, exhausted_all_taken, 0, ASKED);
    tcase_add_loop_test(real, exhausted_role_limit, 0, ASKED);
    tcase_add_loop_test(real, exhausted_database_limit, 0, ASKED);
    tcase_add_test(real, exhausted_and_lifeline_stuck);
    tcase_add_test(real, hung);
    tcase_add_test(real, smart_shutdown_with_lifeline);
    tcase_add_test(real, announced_shutdown);
    tcase_add_test(real, takes_no_logins_and_nobody_listens_at_its_next_address);
    tcase_add_test(real, starting_after_a_crash_that_nobody_saw);
    tcase_add_test(real, recovering_after_a_crash_that_the_lifeline_saw);
    suite_add_tcase(suite, real);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
