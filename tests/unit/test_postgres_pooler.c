/* Through PgBouncer: what is left of our promises when a pooler stands between. Where it is not
 * installed the tests say so and pass.
 */
#include "base/mem.h"
#include "tests/unit/pg_loop.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

static struct pg pg;
static struct loop *loop;
static PGconn *boss;
static pid_t pooler;
static int pooler_port;

/* One server session for everybody, given away after each transaction. */
static void write_ini(const char *path)
{
    FILE *out = fopen(path, "w");
    ck_assert_ptr_nonnull(out);
    fprintf(out,
            "[databases]\napp = host=%s port=%d dbname=app user=guard\n[pgbouncer]\nlisten_addr = "
            "127.0.0.1\n"
            "listen_port = %d\nunix_socket_dir =\nauth_type = any\npool_mode = transaction\n"
            "default_pool_size = 1\nadmin_users = app\n",
            pg.dir, pg.port, pooler_port);
    fclose(out);
}

static bool start_pooler(void)
{
    if (access("/usr/sbin/pgbouncer", X_OK) != 0) {
        puts("no PgBouncer: nothing is tested");
        return false;
    }
    pooler_port = free_port();
    CLEANUP_FREE char *ini = mem_printf("%s/pgbouncer.ini", pg.dir);
    write_ini(ini);
    pooler = fork();
    ck_assert_int_ge(pooler, 0);
    if (pooler == 0) {
        if (!freopen("/dev/null", "w", stderr))
            _exit(126);
        const char *const root[] = {"/usr/sbin/pgbouncer", "-q", "-u", "postgres", ini, NULL};
        const char *const user[] = {"/usr/sbin/pgbouncer", "-q", ini, NULL};
        const char *const *argv = geteuid() == 0 ? root : user;
        execv(argv[0], (char *const *)argv);
        _exit(127);
    }
    return true;
}

static void setup(void)
{
    pg_start(&pg);
    loop = loop_new();
    boss = pg_connect(&pg, "postgres", "boss");
}

static void teardown(void)
{
    int status;
    if (pooler > 0) {
        kill(pooler, SIGKILL);
        waitpid(pooler, &status, 0);
    }
    loop_free(loop);
    PQfinish(boss);
    pg_stop(&pg);
}

static struct db *db_through_pooler(void)
{
    static char conninfo[100];
    snprintf(conninfo, sizeof conninfo, "host=127.0.0.1 port=%d dbname=app user=guard",
             pooler_port);
    struct db *db = db_of(loop, conninfo, NULL);
    while (probe_db(loop, db, 5000).state == DB_REFUSED)
        ; /* it is starting */
    return db;
}

START_TEST(it_lets_us_in_and_we_leave_no_trace)
{
    if (!start_pooler())
        return;
    struct db *db = db_through_pooler();
    struct db_probe probe = probe_db(loop, db, 5000);
    ck_assert_msg(probe.state == DB_READY, "%s", probe.why.text);
    ck_assert_int_gt(probe.started_us, 0);
    struct lifeline_log log;
    keep_lifeline(db, loop, &log);
    struct err e;
    CLEANUP_JSON json_t *json = look(loop, db, &e);
    ck_assert_msg(json != NULL, "%s", e.text);
    /* The next who is given our server session finds it as it was. */
    CLEANUP_FREE char *conninfo =
        mem_printf("host=127.0.0.1 port=%d dbname=app user=guard", pooler_port);
    PGconn *next = PQconnectdb(conninfo);
    ck_assert_int_eq(pg_number(next, "SELECT count(*) FROM pg_settings WHERE source = 'session' "
                                     "AND name IN ('statement_timeout', 'search_path', "
                                     "'idle_session_timeout')"),
                     0);
    PQfinish(next);
    db_free(db);
}
END_TEST

START_TEST(paused_it_is_called_hung)
{
    /* A login is answered by the pooler itself; only a statement tells. */
    if (!start_pooler())
        return;
    struct db *db = db_through_pooler();
    CLEANUP_FREE char *conninfo =
        mem_printf("host=127.0.0.1 port=%d dbname=pgbouncer user=app", pooler_port);
    PGconn *admin = PQconnectdb(conninfo);
    pg_run(admin, "PAUSE");
    struct db_probe probe = probe_db(loop, db, 300);
    ck_assert_int_eq(probe.state, DB_HUNG);
    pg_run(admin, "RESUME");
    probe = probe_db(loop, db, 5000);
    ck_assert_int_eq(probe.state, DB_READY);
    PQfinish(admin);
    db_free(db);
}
END_TEST

START_TEST(it_hides_that_the_server_is_full)
{
    if (!start_pooler())
        return;
    struct crowd crowd = {0};
    crowd_fill(&crowd, &pg, "app");
    struct db *db = db_through_pooler();
    struct db_probe probe = probe_db(loop, db, 3000);
    ck_assert_int_ne(probe.state, DB_READY);
    ck_assert_int_ne(probe.state, DB_EXHAUSTED); /* 08P01, or no answer at all */
    crowd_leave(&crowd);
    db_free(db);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("postgres_pooler");
    TCase *real = tcase_create("real");
    tcase_add_unchecked_fixture(real, pg_template_make, pg_template_remove);
    tcase_add_checked_fixture(real, setup, teardown);
    tcase_set_timeout(real, 60);
    tcase_add_test(real, it_lets_us_in_and_we_leave_no_trace);
    tcase_add_test(real, paused_it_is_called_hung);
    tcase_add_test(real, it_hides_that_the_server_is_full);
    suite_add_tcase(suite, real);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
