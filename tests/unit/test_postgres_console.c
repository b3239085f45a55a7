/* PgBouncer's console: a real one before a real server, and clients that wait, or do not. Where it
 * is not installed the tests say so and pass.
 */
#include "postgres/pooler.h"

#include "base/mem.h"
#include "tests/unit/pg_loop.h"
#include "tests/unit/pgb_fixture.h"
#include "tests/unit/unit.h"

#include <signal.h>
#include <string.h>
#include <time.h>

static struct pg pg;
static struct pgb pgb;
static struct loop *loop;

static void setup(void)
{
    pg_start(&pg);
    loop = loop_new();
}

static void teardown(void)
{
    pgb_kill(&pgb);
    loop_free(loop);
    pg_stop(&pg);
}

/* --- asking --------------------------------------------------------------------------------- */

struct result {
    bool delivered;
    struct err e;
    struct pooler_state state;
    struct pooler_pause pause;
    bool changed;
};

static void deliver(struct result *result, const struct err *e)
{
    ck_assert(!result->delivered);
    result->delivered = true;
    err_copy(&result->e, e);
    loop_stop(loop);
}

static void on_state(void *data, const struct err *e, const struct pooler_state *state)
{
    struct result *result = data;
    ck_assert((e != NULL) == (state == NULL));
    if (state)
        result->state = *state;
    deliver(result, e);
}

static void on_pause(void *data, const struct err *e, const struct pooler_pause *pause)
{
    struct result *result = data;
    ck_assert((e != NULL) == (pause == NULL));
    if (pause)
        result->pause = *pause;
    deliver(result, e);
}

static void on_resume(void *data, const struct err *e, bool changed)
{
    ((struct result *)data)->changed = changed;
    deliver(data, e);
}

static struct result *run(struct result *result)
{
    while (!result->delivered)
        loop_run(loop);
    return result;
}

static struct result look_at(struct pooler *pooler, int64_t deadline_ms)
{
    struct result result = {0};
    pooler_look(pooler, deadline_ms, on_state, &result);
    return *run(&result);
}

static struct result pause_it(struct pooler *pooler, int64_t deadline_ms)
{
    struct result result = {0};
    pooler_pause(pooler, deadline_ms, on_pause, &result);
    return *run(&result);
}

static struct result resume_it(struct pooler *pooler)
{
    struct result result = {0};
    pooler_resume(pooler, 5000, on_resume, &result);
    return *run(&result);
}

static void assert_fine(const struct result *result)
{
    ck_assert_msg(!err_is_set(&result->e), "%s", result->e.text);
}

static struct pooler *console(const char *user)
{
    struct pooler *pooler = NULL;
    struct err e;
    ck_assert_msg(pooler_new(loop, pgb_conninfo(&pgb, "pgbouncer", user), &pooler, &e) == 0, "%s",
                  e.text);
    return pooler;
}

/* Whether a statement that was sent has its answer within a moment; fetches it. */
static bool answers(PGconn *conn, int64_t within_ms)
{
    struct timespec pause = {.tv_nsec = 2000000};
    for (int64_t waited = 0; waited < within_ms; waited += 2) {
        ck_assert_int_eq(PQconsumeInput(conn), 1);
        if (!PQisBusy(conn)) {
            PGresult *result = PQgetResult(conn);
            ck_assert_int_eq(PQresultStatus(result), PGRES_TUPLES_OK);
            PQclear(result);
            ck_assert_ptr_null(PQgetResult(conn));
            return true;
        }
        nanosleep(&pause, NULL);
    }
    return false;
}

struct waiting {
    struct pooler *pooler;
    struct result now;
};

static bool some_wait(void *data)
{
    struct waiting *waiting = data;
    waiting->now = look_at(waiting->pooler, 5000);
    return waiting->now.state.clients_waiting > 0 && waiting->now.state.max_wait_ms > 0;
}

/* --- looking -------------------------------------------------------------------------------- */

START_TEST(who_waits_is_seen)
{
    if (!pgb_start(&pgb, &pg, ""))
        return;
    struct pooler *pooler = console("seer");
    struct result calm = look_at(pooler, 5000);
    assert_fine(&calm);
    ck_assert_int_eq(calm.state.clients_active + calm.state.clients_waiting, 0);
    PGconn *holder = pgb_connect(&pgb, "app", "plain");
    PGconn *waiter = pgb_connect(&pgb, "app", "plain");
    pg_run(holder, "BEGIN");
    ck_assert_int_eq(PQsendQuery(waiter, "SELECT 1"), 1);
    ck_assert(!answers(waiter, 50));
    struct waiting seen = {.pooler = pooler};
    await(loop, some_wait, &seen);
    assert_fine(&seen.now);
    ck_assert_int_eq(seen.now.state.clients_waiting, 1);
    ck_assert_int_eq(seen.now.state.servers_active, 1);
    ck_assert(!seen.now.state.has_session_mode);
    pg_run(holder, "COMMIT");
    ck_assert(answers(waiter, 5000));
    PQfinish(holder);
    PQfinish(waiter);
    pooler_free(pooler);
}
END_TEST

START_TEST(looking_again_needs_no_new_login)
{
    if (!pgb_start(&pgb, &pg, ""))
        return;
    struct pooler *pooler = console("seer");
    PGconn *admin = pgb_connect(&pgb, "pgbouncer", "app");
    for (int i = 0; i < 5; i++) {
        struct result now = look_at(pooler, 5000);
        assert_fine(&now);
        PGresult *clients = PQexec(admin, "SHOW CLIENTS");
        ck_assert_int_eq(PQntuples(clients), 2); /* the admin and one of ours */
        PQclear(clients);
    }
    PQfinish(admin);
    pooler_free(pooler);
}
END_TEST

START_TEST(session_mode_is_told)
{
    if (!pgb_start(&pgb, &pg, "pool_mode = session\n"))
        return;
    struct pooler *pooler = console("app");
    PGconn *client = pgb_connect(&pgb, "app", "plain");
    pg_run(client, "SELECT 1");
    struct result now = look_at(pooler, 5000);
    ck_assert(now.state.has_session_mode);
    ck_assert_int_eq(now.state.servers_active, 1); /* as long as the client stays */
    PQfinish(client);
    pooler_free(pooler);
}
END_TEST

/* --- pausing -------------------------------------------------------------------------------- */

START_TEST(clients_wait_while_it_is_paused_and_then_go_on)
{
    if (!pgb_start(&pgb, &pg, "query_wait_timeout = 45\n"))
        return;
    struct pooler *pooler = console("app");
    PGconn *client = pgb_connect(&pgb, "app", "plain");
    pg_run(client, "SELECT 1");
    struct result paused = pause_it(pooler, 5000);
    assert_fine(&paused);
    ck_assert(paused.pause.changed);
    ck_assert_int_eq(paused.pause.patience_ms, 45000);
    ck_assert_int_eq(PQsendQuery(client, "SELECT 1"), 1);
    pg_halt(&pg, SIGINT); /* the server goes away and comes back: nobody notices */
    pg_launch(&pg);
    pg_await_ready(&pg);
    ck_assert(!answers(client, 50));
    struct result resumed = resume_it(pooler);
    assert_fine(&resumed);
    ck_assert(resumed.changed);
    ck_assert(answers(client, 5000));
    PQfinish(client);
    pooler_free(pooler);
}
END_TEST

START_TEST(what_is_so_already_is_no_error)
{
    if (!pgb_start(&pgb, &pg, ""))
        return;
    struct pooler *pooler = console("app");
    struct result result = resume_it(pooler);
    assert_fine(&result);
    ck_assert(!result.changed);
    result = pause_it(pooler, 5000);
    assert_fine(&result);
    result = pause_it(pooler, 5000);
    assert_fine(&result);
    ck_assert(!result.pause.changed);
    result = resume_it(pooler);
    ck_assert(!err_is_set(&result.e) && result.changed);
    pooler_free(pooler);
}
END_TEST

START_TEST(an_open_transaction_holds_a_pause_up_and_new_ones_wait_all_the_same)
{
    if (!pgb_start(&pgb, &pg, "default_pool_size = 5\n"))
        return;
    struct pooler *pooler = console("app");
    PGconn *holder = pgb_connect(&pgb, "app", "plain");
    PGconn *client = pgb_connect(&pgb, "app", "plain");
    pg_run(holder, "BEGIN");
    struct result paused = pause_it(pooler, 300);
    ck_assert_int_eq(paused.e.code, ERR_TIMEOUT);
    unit_assert_has(paused.e.text, "PAUSE");
    ck_assert_int_eq(PQsendQuery(client, "SELECT 1"), 1);
    ck_assert(!answers(client, 100)); /* though our connection is closed */
    struct result again = pause_it(pooler, 5000);
    ck_assert(!err_is_set(&again.e) && !again.pause.changed);
    struct result resumed = resume_it(pooler);
    ck_assert(!err_is_set(&resumed.e) && resumed.changed);
    ck_assert(answers(client, 5000));
    pg_run(holder, "COMMIT");
    PQfinish(holder);
    PQfinish(client);
    pooler_free(pooler);
}
END_TEST

/* --- refusals ------------------------------------------------------------------------------- */

START_TEST(who_may_only_look_is_told_the_setting)
{
    if (!pgb_start(&pgb, &pg, ""))
        return;
    struct pooler *pooler = console("seer");
    struct result result = pause_it(pooler, 5000);
    ck_assert_int_eq(result.e.code, ERR_PERMISSION);
    unit_assert_has(result.e.text, "admin access needed");
    unit_assert_has(result.e.hint, "name user seer in admin_users");
    result = resume_it(pooler);
    ck_assert_int_eq(result.e.code, ERR_PERMISSION);
    result = look_at(pooler, 5000);
    assert_fine(&result);
    pooler_free(pooler);
}
END_TEST

START_TEST(who_may_not_even_look_is_told_too)
{
    if (!pgb_start(&pgb, &pg, ""))
        return;
    struct pooler *pooler = console("plain");
    struct result result = look_at(pooler, 5000);
    ck_assert_int_eq(result.e.code, ERR_PERMISSION);
    unit_assert_has(result.e.text, "does not let us in (08P01)");
    unit_assert_has(result.e.hint, "admin_users");
    pooler_free(pooler);
}
END_TEST

START_TEST(nobody_home)
{
    pgb = (struct pgb){.pg = &pg, .port = free_port()};
    struct pooler *pooler = console("app");
    struct result result = look_at(pooler, 5000);
    ck_assert_int_eq(result.e.code, ERR_UNREACHABLE);
    result = pause_it(pooler, 5000);
    ck_assert_int_eq(result.e.code, ERR_UNREACHABLE);
    pooler_free(pooler);
    struct err e;
    ck_assert_int_eq(pooler_new(loop, "nonsense", &pooler, &e), -(int)ERR_INVALID);
}
END_TEST

START_TEST(one_that_hangs_has_a_deadline)
{
    if (!pgb_start(&pgb, &pg, ""))
        return;
    struct pooler *pooler = console("app");
    struct result result = look_at(pooler, 5000);
    assert_fine(&result);
    kill(pgb.pid, SIGSTOP);
    result = look_at(pooler, 200); /* over the kept line */
    ck_assert_int_eq(result.e.code, ERR_TIMEOUT);
    result = look_at(pooler, 200); /* over a new one */
    ck_assert_int_eq(result.e.code, ERR_TIMEOUT);
    kill(pgb.pid, SIGCONT);
    result = look_at(pooler, 5000);
    assert_fine(&result);
    pooler_free(pooler);
}
END_TEST

START_TEST(one_that_was_restarted_is_logged_in_to_anew)
{
    if (!pgb_start(&pgb, &pg, ""))
        return;
    struct pooler *pooler = console("app");
    struct result result = look_at(pooler, 5000);
    assert_fine(&result);
    pgb_kill(&pgb);
    result = look_at(pooler, 5000); /* the kept line is dead, or was found out to be */
    ck_assert_int_eq(result.e.code, ERR_UNREACHABLE);
    pgb_again(&pgb);
    result = look_at(pooler, 5000);
    assert_fine(&result);
    pooler_free(pooler);
}
END_TEST

START_TEST(what_is_under_way_is_given_up_when_it_is_freed)
{
    if (!pgb_start(&pgb, &pg, ""))
        return;
    struct result looked = {0};
    struct result paused = {0};
    struct pooler *pooler = console("app");
    pooler_look(pooler, 5000, on_state, &looked);
    pooler_pause(pooler, 5000, on_pause, &paused);
    pooler_free(pooler);
    run(&looked);
    run(&paused);
    ck_assert_int_eq(looked.e.code, ERR_CANCELLED);
    ck_assert_int_eq(paused.e.code, ERR_CANCELLED);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("postgres_console");
    TCase *real = tcase_create("real");
    tcase_add_unchecked_fixture(real, pg_template_make, pg_template_remove);
    tcase_add_checked_fixture(real, setup, teardown);
    tcase_set_timeout(real, 60);
    tcase_add_test(real, who_waits_is_seen);
    tcase_add_test(real, looking_again_needs_no_new_login);
    tcase_add_test(real, session_mode_is_told);
    tcase_add_test(real, clients_wait_while_it_is_paused_and_then_go_on);
    tcase_add_test(real, what_is_so_already_is_no_error);
    tcase_add_test(real, an_open_transaction_holds_a_pause_up_and_new_ones_wait_all_the_same);
    tcase_add_test(real, who_may_only_look_is_told_the_setting);
    tcase_add_test(real, who_may_not_even_look_is_told_too);
    tcase_add_test(real, nobody_home);
    tcase_add_test(real, one_that_hangs_has_a_deadline);
    tcase_add_test(real, one_that_was_restarted_is_logged_in_to_anew);
    tcase_add_test(real, what_is_under_way_is_given_up_when_it_is_freed);
    suite_add_tcase(suite, real);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
