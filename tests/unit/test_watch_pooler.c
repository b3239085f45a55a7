/* What clients meet at a real PgBouncer, on the board. Where it is not installed the tests say so
 * and pass.
 */
#include "watch/pooler.h"

#include "tests/unit/pg_loop.h"
#include "tests/unit/pgb_fixture.h"
#include "tests/unit/unit.h"

#include <signal.h>

static struct pg pg;
static struct pgb pgb;
static struct loop *loop;
static struct feed *feed;
static struct watch_pooler *watch;

static struct {
    const char *user; /* who looks */
    bool yields;
    int connects, troubles, recoveries;
    struct err last;
} world;

/* --- the world ------------------------------------------------------------------------------ */

static int connect_pooler(void *data, const struct container *container, struct pooler **ret,
                          struct err *e)
{
    (void)data;
    ck_assert_str_eq(container->service, "bouncer");
    world.connects++;
    if (!world.user)
        return err_set(e, ERR_NOT_FOUND, "no address");
    return pooler_new(loop, pgb_conninfo(&pgb, "pgbouncer", world.user), ret, e);
}

static bool yields(void *data)
{
    (void)data;
    return world.yields;
}

static void on_trouble(void *data, const char *container, const struct err *e)
{
    (void)data;
    ck_assert_str_eq(container, "bouncer_1");
    *(e ? &world.troubles : &world.recoveries) += 1;
    err_copy(&world.last, e);
}

static struct container *container_of(const char *service, const char *image, const char *state)
{
    struct err e;
    CLEANUP_FREE char *text = mem_printf(
        "{'Id':'id-%s','Name':'/%s_1','State':{'Status':'%s','StartedAt':"
        "'2026-11-23T04:57:32.5Z'},'Config':{'Image':'%s','Labels':{"
        "'com.docker.compose.project':'shop','com.docker.compose.service':'%s'}},'HostConfig':{}}",
        service, service, state, image, service);
    json_t *body = unit_json(text);
    struct container *c = container_from_json(body, &e);
    ck_assert_msg(c != NULL, "%s", e.text);
    json_decref(body);
    return c;
}

/* A model with a pooler in this state; NULL: with none. */
static void tell_stack(const char *state)
{
    struct err e;
    struct stack *stack = NULL;
    struct container *containers[2] = {container_of("db", "postgres:15", "running"), NULL};
    if (state)
        containers[1] = container_of("bouncer", "pgbouncer", state);
    ck_assert_msg(stack_build("shop", containers, state ? 2 : 1, NULL, NULL, &stack, &e) == 0, "%s",
                  e.text);
    watch_pooler_stack(watch, stack);
    stack_unref(stack);
    container_unref(containers[0]);
    container_unref(containers[1]);
}

static void begin_watch(int64_t timeout_ms)
{
    const struct watch_pooler_options options = {.loop = loop,
                                                 .feed = feed,
                                                 .connect = connect_pooler,
                                                 .yields = yields,
                                                 .on_trouble = on_trouble,
                                                 .calm_ms = 5,
                                                 .pressed_ms = 5,
                                                 .timeout_ms = timeout_ms};
    watch = watch_pooler_new(&options);
}

static void setup(void)
{
    pg_start(&pg);
    loop = loop_new();
    feed = feed_new(loop);
    memset(&world, 0, sizeof world);
    world.user = "seer";
    begin_watch(5000);
}

static void teardown(void)
{
    watch_pooler_free(watch);
    feed_free(feed);
    pgb_kill(&pgb);
    loop_free(loop);
    pg_stop(&pg);
}

/* --- what is known -------------------------------------------------------------------------- */

/* The newest number; -1: unknown. */
static double known(const char *name)
{
    const char *parameter;
    size_t len;
    const struct series *series =
        board_find(feed_board(feed), observation_find(name, strlen(name), &parameter, &len), NULL);
    return series && series_sample(series, 0) ? series_sample(series, 0)->number : -1;
}

static bool nobody_waits(void *data)
{
    (void)data;
    return known("pgbouncer.cl_waiting") == 0 && known("pgbouncer.maxwait") == 0;
}

static bool one_waits(void *data)
{
    (void)data;
    return known("pgbouncer.cl_waiting") == 1 && known("pgbouncer.maxwait") > 0;
}

static bool is_unknown(void *data)
{
    (void)data;
    return known("pgbouncer.cl_waiting") < 0 && known("pgbouncer.maxwait") < 0;
}

static bool has_troubles(void *data)
{
    return world.troubles >= *(int *)data;
}

static void ask(PGconn *conn)
{
    ck_assert_int_eq(PQsendQuery(conn, "SELECT 1"), 1);
    ck_assert_int_eq(PQflush(conn), 0);
}

/* --- tests ---------------------------------------------------------------------------------- */

START_TEST(who_waits_is_counted)
{
    if (!pgb_start(&pgb, &pg, ""))
        return;
    tell_stack("running");
    await(loop, nobody_waits, NULL);
    PGconn *holder = pgb_connect(&pgb, "app", "plain");
    pg_run(holder, "BEGIN");
    PGconn *waiter = pgb_connect(&pgb, "app", "plain");
    ask(waiter);
    await(loop, one_waits, NULL);
    pg_run(holder, "COMMIT");
    await(loop, nobody_waits, NULL);
    ck_assert_int_eq(world.connects, 1); /* over one connection, all the time */
    PQfinish(holder);
    PQfinish(waiter);
}
END_TEST

static void stop_loop(void *data)
{
    (void)data;
    loop_stop(loop);
}

START_TEST(during_a_run_nothing_is_told)
{
    if (!pgb_start(&pgb, &pg, ""))
        return;
    tell_stack("running");
    await(loop, nobody_waits, NULL);
    PGconn *admin = pgb_connect(&pgb, "pgbouncer", "app");
    PGconn *waiter = pgb_connect(&pgb, "app", "plain");
    pg_run(waiter, "SELECT 1");
    world.yields = true; /* a run pauses it, and clients wait */
    pg_run(admin, "PAUSE");
    ask(waiter);
    struct timer *moment = timer_new(loop, stop_loop, NULL);
    timer_start(moment, 100); /* some twenty rounds */
    loop_run(loop);
    ck_assert(nobody_waits(NULL));
    world.yields = false; /* it has left it paused: that is to be seen */
    await(loop, one_waits, NULL);
    pg_run(admin, "RESUME");
    await(loop, nobody_waits, NULL);
    timer_free(moment);
    PQfinish(waiter);
    PQfinish(admin);
}
END_TEST

START_TEST(one_that_is_away_is_unknown_and_told_once)
{
    int once = 1;
    int twice = 2;
    if (!pgb_start(&pgb, &pg, ""))
        return;
    tell_stack("running");
    await(loop, nobody_waits, NULL);
    pgb_kill(&pgb);
    await(loop, is_unknown, NULL);
    await(loop, has_troubles, &once);
    ck_assert_int_eq(world.last.code, ERR_UNREACHABLE);
    pgb_again(&pgb);
    await(loop, nobody_waits, NULL);
    ck_assert_int_eq(world.troubles, 1);
    ck_assert_int_eq(world.recoveries, 1);
    pgb_kill(&pgb);
    await(loop, has_troubles, &twice);
    await(loop, is_unknown, NULL);
}
END_TEST

START_TEST(one_that_does_not_let_us_look_is_asked_no_more_for_a_while)
{
    int once = 1;
    if (!pgb_start(&pgb, &pg, ""))
        return;
    world.user = "plain";
    tell_stack("running");
    await(loop, has_troubles, &once);
    ck_assert_int_eq(world.last.code, ERR_PERMISSION);
    ck_assert(is_unknown(NULL));
}
END_TEST

START_TEST(one_whose_address_is_not_known_is_asked_for_again)
{
    int once = 1;
    if (!pgb_start(&pgb, &pg, ""))
        return;
    world.user = NULL;
    tell_stack("running");
    await(loop, has_troubles, &once);
    ck_assert_int_eq(world.last.code, ERR_NOT_FOUND);
    world.user = "seer";
    await(loop, nobody_waits, NULL);
    ck_assert_int_eq(world.recoveries, 1);
}
END_TEST

START_TEST(one_that_is_no_more_is_forgotten)
{
    if (!pgb_start(&pgb, &pg, ""))
        return;
    tell_stack("exited");
    ck_assert_int_eq(world.connects, 0);
    tell_stack("running");
    await(loop, nobody_waits, NULL);
    tell_stack("running"); /* the same model again is no news */
    tell_stack(NULL);
    await(loop, is_unknown, NULL);
    ck_assert_int_eq(world.connects, 1);
    tell_stack("running");
    await(loop, nobody_waits, NULL);
    ck_assert_int_eq(world.connects, 2);
}
END_TEST

static bool has_connected(void *data)
{
    (void)data;
    return world.connects > 0;
}

START_TEST(it_can_be_freed_and_changed_in_the_middle_of_a_look)
{
    if (!pgb_start(&pgb, &pg, ""))
        return;
    kill(pgb.pid, SIGSTOP);
    tell_stack("running");
    await(loop, has_connected, NULL);
    tell_stack(NULL);
    tell_stack("running");
    watch_pooler_free(watch);
    begin_watch(100);
    int once = 1;
    tell_stack("running");
    await(loop, has_troubles, &once);
    ck_assert_int_eq(world.last.code, ERR_TIMEOUT);
    kill(pgb.pid, SIGCONT);
    await(loop, nobody_waits, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("watch_pooler");
    TCase *real = tcase_create("real");
    tcase_add_unchecked_fixture(real, pg_template_make, pg_template_remove);
    tcase_add_checked_fixture(real, setup, teardown);
    tcase_set_timeout(real, 60);
    tcase_add_test(real, who_waits_is_counted);
    tcase_add_test(real, during_a_run_nothing_is_told);
    tcase_add_test(real, one_that_is_away_is_unknown_and_told_once);
    tcase_add_test(real, one_that_does_not_let_us_look_is_asked_no_more_for_a_while);
    tcase_add_test(real, one_whose_address_is_not_known_is_asked_for_again);
    tcase_add_test(real, one_that_is_no_more_is_forgotten);
    tcase_add_test(real, it_can_be_freed_and_changed_in_the_middle_of_a_look);
    suite_add_tcase(suite, real);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
