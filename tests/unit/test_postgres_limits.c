/* New logins held off and let in again, on a real server. */
#include "base/mem.h"
#include "tests/unit/pg_loop.h"
#include "tests/unit/unit.h"

#include <signal.h>

static struct pg pg;
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
    loop_free(loop);
    PQfinish(boss);
    pg_stop(&pg);
}

/* --- asking --------------------------------------------------------------------------------- */

struct result {
    bool delivered;
    struct err e;
    json_t *limits;
};

static void on_done(void *data, const struct err *e)
{
    struct result *result = data;
    ck_assert(!result->delivered);
    result->delivered = true;
    err_copy(&result->e, e);
    loop_stop(loop);
}

static void on_limits(void *data, const struct err *e, const json_t *limits)
{
    ck_assert((e != NULL) == (limits == NULL));
    ((struct result *)data)->limits = json_deep_copy(limits);
    on_done(data, e);
}

static struct err run(struct result *result)
{
    while (!result->delivered)
        loop_run(loop);
    return result->e;
}

static json_t *limits_of(struct db *db)
{
    struct result result = {0};
    db_limits(db, 10000, on_limits, &result);
    struct err e = run(&result);
    ck_assert_msg(!err_is_set(&e), "%s", e.text);
    return result.limits;
}

static struct err block(struct db *db, const json_t *limits)
{
    struct result result = {0};
    db_block(db, limits, 10000, on_done, &result);
    return run(&result);
}

static struct err unblock(struct db *db, const json_t *limits)
{
    struct result result = {0};
    db_unblock(db, limits, 10000, on_done, &result);
    return run(&result);
}

static void assert_fine(struct err e)
{
    ck_assert_msg(!err_is_set(&e), "%s", e.text);
}

static long limit_of(const char *role)
{
    return pg_number(boss, "SELECT rolconnlimit FROM pg_roles WHERE rolname = '%s'", role);
}

static bool may_log_in(const char *role)
{
    PGconn *conn = pg_try(&pg, role, "try");
    PQfinish(conn);
    return conn != NULL;
}

static struct db *db_as(const char *user, struct pg_door *door)
{
    return db_of(loop, pg_conninfo(&pg, user), door);
}

/* --- who ------------------------------------------------------------------------------------ */

START_TEST(those_who_hold_connections_are_found_and_nobody_else)
{
    pg_run(boss, "ALTER ROLE plain CONNECTION LIMIT 7; CREATE ROLE copier LOGIN REPLICATION;"
                 "CREATE ROLE idler LOGIN");
    PGconn *conns[] = {
        pg_connect(&pg, "app", "a"),   pg_connect(&pg, "app", "b"),
        pg_connect(&pg, "plain", "c"), pg_connect(&pg, "copier", "d"),
        pg_connect(&pg, "guard", "e"), pg_connect(&pg, "watcher", "stack-supervisor")};
    struct db *db = db_as("guard", NULL);
    json_t *limits = limits_of(db);
    json_t *expected = unit_json("{'app':-1,'plain':7}");
    ck_assert(json_equal(limits, expected));
    json_decref(expected);
    json_decref(limits);
    for (size_t i = 0; i < ARRAY_SIZE(conns); i++)
        PQfinish(conns[i]);
    db_free(db);
}
END_TEST

/* --- holding off and letting in --------------------------------------------------------------- */

START_TEST(nobody_logs_in_until_the_limits_are_as_before)
{
    pg_run(boss, "ALTER ROLE plain CONNECTION LIMIT 7");
    PGconn *stays = pg_connect(&pg, "app", "stays");
    json_t *limits = unit_json("{'app':-1,'plain':7}");
    struct db *db = db_as("postgres", NULL);
    pg_run(boss, "ALTER ROLE postgres PASSWORD 'postgres'");
    for (int i = 0; i < 2; i++) { /* done twice it is the same */
        assert_fine(block(db, limits));
        ck_assert(!may_log_in("app") && !may_log_in("plain"));
        ck_assert_int_eq(pg_number(stays, "SELECT 1"), 1);
    }
    for (int i = 0; i < 2; i++) {
        assert_fine(unblock(db, limits));
        ck_assert(may_log_in("app") && may_log_in("plain"));
        ck_assert_int_eq(limit_of("app"), -1);
        ck_assert_int_eq(limit_of("plain"), 7);
    }
    json_decref(limits);
    PQfinish(stays);
    db_free(db);
}
END_TEST

START_TEST(a_limit_that_somebody_else_has_set_stays)
{
    struct pg_door door = {.loop = loop, .pg = &pg};
    struct db *db = db_as("guard", &door);
    json_t *limits = unit_json("{'app':-1,'gone':5}"); /* one was dropped meanwhile */
    assert_fine(block(db, limits));
    pg_run(boss, "ALTER ROLE app CONNECTION LIMIT 3");
    assert_fine(unblock(db, limits));
    ck_assert_int_eq(limit_of("app"), 3);
    json_decref(limits);
    db_free(db);
}
END_TEST

START_TEST(names_are_taken_as_they_are)
{
    pg_run(boss, "CREATE ROLE \"od'd \"\"x\" LOGIN; CREATE ROLE \"back\\slash\" LOGIN;"
                 "CREATE ROLE \"user\" LOGIN");
    json_t *limits = json_pack("{s:i, s:i, s:i}", "od'd \"x", -1, "back\\slash", 4, "user", -1);
    struct pg_door door = {.loop = loop, .pg = &pg};
    struct db *db = db_as("guard", &door);
    assert_fine(block(db, limits));
    ck_assert_int_eq(pg_number(boss, "SELECT count(*) FROM pg_roles WHERE rolconnlimit = 0"), 3);
    assert_fine(unblock(db, limits));
    ck_assert_int_eq(pg_number(boss, "SELECT count(*) FROM pg_roles WHERE rolconnlimit = 0"), 0);
    ck_assert_int_eq(limit_of("back\\slash"), 4);
    json_decref(limits);
    db_free(db);
}
END_TEST

START_TEST(a_superuser_is_never_held_off)
{
    struct pg_door door = {.loop = loop, .pg = &pg};
    struct db *db = db_as("guard", &door);
    json_t *limits = unit_json("{'postgres':-1}");
    assert_fine(block(db, limits));
    ck_assert_int_eq(limit_of("postgres"), -1);
    json_decref(limits);
    db_free(db);
}
END_TEST

/* --- rights --------------------------------------------------------------------------------- */

START_TEST(without_the_right_the_grant_is_named)
{
    struct db *db = db_as("guard", NULL);
    json_t *limits = unit_json("{'app':-1}");
    struct err e = block(db, limits);
    ck_assert_int_eq(e.code, ERR_PERMISSION);
    unit_assert_has(e.text, "guard may not change the CONNECTION LIMIT of role app");
    unit_assert_has(e.hint, "ALTER ROLE guard CREATEROLE");
    ck_assert_int_eq(limit_of("app"), -1);
    pg_run(boss, "ALTER ROLE guard CREATEROLE"); /* and the grant is the right one */
    assert_fine(block(db, limits));
    ck_assert_int_eq(limit_of("app"), 0);
    json_decref(limits);
    db_free(db);
}
END_TEST

START_TEST(the_back_door_may)
{
    struct pg_door door = {.loop = loop, .pg = &pg};
    struct db *db = db_as("guard", &door);
    json_t *limits = unit_json("{'app':-1}");
    assert_fine(block(db, limits));
    ck_assert_int_eq(limit_of("app"), 0);
    assert_fine(unblock(db, limits));
    ck_assert_int_eq(limit_of("app"), -1);
    ck_assert_int_gt(door.runs, 0);
    json_decref(limits);
    db_free(db);
}
END_TEST

START_TEST(a_full_server_takes_no_more)
{
    struct pg_door door = {.loop = loop, .pg = &pg};
    struct db *db = db_as("guard", &door);
    struct crowd crowd = {0};
    crowd_fill(&crowd, &pg, "app");
    json_t *limits = limits_of(db);
    ck_assert_int_eq(json_int_at(limits, "app", 99), -1);
    assert_fine(block(db, limits));
    crowd_leave(&crowd);
    ck_assert(!may_log_in("app"));
    assert_fine(unblock(db, limits));
    ck_assert(may_log_in("app"));
    json_decref(limits);
    db_free(db);
}
END_TEST

START_TEST(a_server_that_is_away_is_an_error)
{
    struct db *db = db_as("guard", NULL);
    json_t *limits = unit_json("{'app':-1}");
    pg_halt(&pg, SIGINT);
    ck_assert_int_eq(block(db, limits).code, ERR_UNREACHABLE);
    ck_assert_int_eq(unblock(db, limits).code, ERR_UNREACHABLE);
    json_decref(limits);
    db_free(db);
}
END_TEST

START_TEST(a_person_is_told_the_statements)
{
    json_t *limits = json_pack("{s:i, s:i}", "app", -1, "A \"b", 5);
    CLEANUP_FREE char *text = db_unblock_text(limits);
    ck_assert_str_eq(text, "ALTER ROLE \"app\" CONNECTION LIMIT -1; "
                           "ALTER ROLE \"A \"\"b\" CONNECTION LIMIT 5;");
    json_decref(limits);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("postgres_limits");
    TCase *real = tcase_create("real");
    tcase_add_unchecked_fixture(real, pg_template_make, pg_template_remove);
    tcase_add_checked_fixture(real, setup, teardown);
    tcase_set_timeout(real, 60);
    tcase_add_test(real, those_who_hold_connections_are_found_and_nobody_else);
    tcase_add_test(real, nobody_logs_in_until_the_limits_are_as_before);
    tcase_add_test(real, a_limit_that_somebody_else_has_set_stays);
    tcase_add_test(real, names_are_taken_as_they_are);
    tcase_add_test(real, a_superuser_is_never_held_off);
    tcase_add_test(real, without_the_right_the_grant_is_named);
    tcase_add_test(real, the_back_door_may);
    tcase_add_test(real, a_full_server_takes_no_more);
    tcase_add_test(real, a_server_that_is_away_is_an_error);
    tcase_add_test(real, a_person_is_told_the_statements);
    suite_add_tcase(suite, real);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
