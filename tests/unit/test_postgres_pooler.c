/* Through PgBouncer: what is left of our promises when a pooler stands between. Where it is not
 * installed the tests say so and pass.
 */
#include "base/mem.h"
#include "tests/unit/pg_loop.h"
#include "tests/unit/pgb_fixture.h"

#include <string.h>

static struct pg pg;
static struct pgb pgb;
static struct loop *loop;
static PGconn *boss;

static void setup(void)
{
    pg_start(&pg);
    loop = loop_new();
    boss = pg_connect(&pg, "postgres", "boss");
}

static void teardown(void)
{
    pgb_kill(&pgb);
    loop_free(loop);
    PQfinish(boss);
    pg_stop(&pg);
}

static struct db *db_through_pooler(void)
{
    return db_of(loop, pgb_conninfo(&pgb, "app", "guard"), NULL);
}

START_TEST(it_lets_us_in_and_we_leave_no_trace)
{
    if (!pgb_start(&pgb, &pg, ""))
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
    PGconn *next = pgb_connect(&pgb, "app", "guard");
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
    if (!pgb_start(&pgb, &pg, ""))
        return;
    struct db *db = db_through_pooler();
    PGconn *admin = pgb_connect(&pgb, "pgbouncer", "app");
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
    if (!pgb_start(&pgb, &pg, ""))
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
