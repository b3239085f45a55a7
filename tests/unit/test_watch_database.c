/* What the board says of a real PostgreSQL: 20 connections, 17 for everybody. */
#include "tests/unit/pg_loop.h"
#include "tests/unit/unit.h"
#include "watch/database.h"

#include <signal.h>
#include <stdio.h>

enum { FAR_MS = 60000, ROUND_MS = 500 };

struct scene {
    struct pg pg;
    struct loop *loop;
    struct feed *feed;
    struct holders_cache *holders;
    struct db *db;
    struct stack *stack;
    struct first_answer first;
    struct watch_database *watch;
    bool by_hand, yields;
    int met, met_state; /* how often a login met another state, and which it was at last */
    int begun, told, yield_asked; /* rounds begun; told to the end of their login; vain questions */
    /* of `await` */
    int wanted;
    const char *name, *word;
    double number;
};

static struct scene s;

/* --- the watch's questions -------------------------------------------------------------------- */

static struct db *database(void *data)
{
    (void)data;
    s.begun++;
    return s.db;
}

static bool stopped_by_hand(void *data)
{
    (void)data;
    return s.by_hand;
}

static bool yields(void *data)
{
    (void)data;
    s.yield_asked += s.yields;
    return s.yields;
}

static void on_met(void *data, enum db_state state, const struct db_probe *probe)
{
    (void)data;
    s.met++;
    s.met_state = (int)state;
    ck_assert(err_is_set(&probe->why) == (state != DB_READY));
}

static struct stack *stack(void *data)
{
    (void)data;
    return s.stack;
}

static void on_wrote(void *data, const struct trace_event *event)
{
    (void)data;
    s.told += event->kind == TRACE_OBSERVE && strcmp(event->name, "database.state") == 0;
}

/* --- the scene -------------------------------------------------------------------------------- */

static void set_up(void)
{
    s = (struct scene){.loop = loop_new()};
    pg_start(&s.pg);
    s.feed = feed_new(s.loop);
    feed_tap(s.feed, on_wrote, NULL);
    s.holders = holders_cache_new(s.loop);
    s.db = db_of(s.loop, pg_conninfo(&s.pg, "guard"), NULL);
}

static void tear_down(void)
{
    watch_database_free(s.watch);
    holders_cache_free(s.holders);
    db_free(s.db);
    feed_free(s.feed);
    first_answer_clear(&s.first);
    stack_unref(s.stack);
    loop_free(s.loop);
    pg_stop(&s.pg);
}

/* Rounds follow at once when it is pressed, and never by themselves when it is calm. */
static void watch(void)
{
    s.watch = watch_database_new(&(struct watch_database_options){
        .loop = s.loop,
        .feed = s.feed,
        .holders = s.holders,
        .first = &s.first,
        .database = database,
        .stopped_by_hand = stopped_by_hand,
        .yields = yields,
        .met = on_met,
        .stack = stack,
        .calm_ms = FAR_MS,
        .pressed_ms = ROUND_MS,
        .timeout_ms = 5000,
    });
}

static const struct sample *sample_of(const char *name)
{
    const char *parameter;
    size_t len;
    const struct observation_kind *kind = observation_find(name, strlen(name), &parameter, &len);
    CLEANUP_FREE char *key = parameter ? mem_strndup(parameter, len) : NULL;
    const struct series *series = board_find(feed_board(s.feed), kind, key);
    return series ? series_sample(series, 0) : NULL;
}

/* -1: not known. */
static double number(const char *name)
{
    const struct sample *sample = sample_of(name);
    return sample ? sample->number : -1;
}

static const char *word(const char *name)
{
    const struct sample *sample = sample_of(name);
    return sample ? sample->word : "?";
}

static bool has_word(void *data)
{
    (void)data;
    return strcmp(word(s.name), s.word) == 0;
}

static void await_word(const char *name, const char *wanted)
{
    s.name = name;
    s.word = wanted;
    await(s.loop, has_word, NULL);
}

static bool has_number(void *data)
{
    (void)data;
    return number(s.name) == s.number;
}

static void await_number(const char *name, double wanted)
{
    s.name = name;
    s.number = wanted;
    await(s.loop, has_number, NULL);
}

static bool are_told(void *data)
{
    (void)data;
    return s.told >= s.wanted;
}

static void await_told(int rounds)
{
    s.wanted = rounds;
    await(s.loop, are_told, NULL);
}

/* How long until something happens by itself: the next round, as there is no other timer. */
static int next_round_ms(void)
{
    for (int i = 0; i < 3; i++)
        uv_run(loop_uv(s.loop), UV_RUN_NOWAIT);
    return uv_backend_timeout(loop_uv(s.loop));
}

static bool is_calm(void *data)
{
    (void)data;
    return next_round_ms() > FAR_MS / 2;
}

static bool is_pressed(void *data)
{
    (void)data;
    int next_ms = next_round_ms();
    return next_ms > 50 && next_ms <= ROUND_MS; /* not the end of a round just now */
}

/* A stack whose backend has the address that all of the tests' sessions come from. */
static struct stack *stack_at_loopback(const char *image)
{
    static const char *const services[] = {"db", "backend"};
    struct container *containers[2];
    struct stack *made;
    struct err e;
    for (size_t i = 0; i < 2; i++) {
        CLEANUP_FREE char *text = mem_printf(
            "{'Id': '%s-id', 'Name': '/%s-1', 'State': {'Status': 'running'}, 'HostConfig': {}, "
            "'Config': "
            "{'Image': '%s', 'Labels': {'com.docker.compose.project': 'shop', "
            "'com.docker.compose.service': '%s', 'com.docker.compose.container-number': '1', "
            "'com.docker.compose.depends_on': ''}}, 'NetworkSettings': {'Networks': {'shop': "
            "{'IPAddress': '%s'}}}}",
            services[i], services[i], i ? image : "postgres:15", services[i],
            i ? "127.0.0.1" : "10.9.9.9");
        CLEANUP_JSON json_t *body = unit_json(text);
        containers[i] = container_from_json(body, &e);
    }
    ck_assert_msg(stack_build("shop", containers, 2, NULL, NULL, &made, &e) == 0, "%s", e.text);
    container_unref(containers[0]);
    container_unref(containers[1]);
    return made;
}

/* By TCP, so that they have an address. */
static void crowd_come(struct crowd *crowd, int count)
{
    for (int i = 0; i < count; i++) {
        PGconn *conn = PQconnectdb(pg_conninfo(&s.pg, "app"));
        ck_assert_msg(PQstatus(conn) == CONNECTION_OK, "%s", PQerrorMessage(conn));
        crowd->conns[crowd->count++] = conn;
    }
}

/* --- a server that is well -------------------------------------------------------------------- */

START_TEST(a_calm_server)
{
    struct crowd crowd = {0};
    crowd_join(&crowd, &s.pg, "app", 3);
    watch();
    await_number("connections.idle", 3);
    ck_assert_str_eq(word("database.state"), "ready");
    ck_assert_str_eq(word("database.exhaustion"), "none");
    ck_assert_double_eq(number("connections.used"), 4); /* the look itself is one */
    ck_assert_double_eq(number("connections.usable"), 17);
    ck_assert_double_eq(number("connections.idle_in_transaction"), 0);
    ck_assert_double_eq(number("connections.longest_idle_in_transaction"), 0);
    ck_assert_double_gt(number("connections.longest_idle"), 0);
    ck_assert_double_eq(number("connections.blocked"), 0);
    ck_assert_double_eq(number("connections.refused.rate"), 0);
    ck_assert_double_eq(number("connections.opened.rate"), 6); /* three in 30 s; ours not */
    await(s.loop, is_calm, NULL);
    ck_assert_int_eq(s.told, 1);
    crowd_leave(&crowd);
}
END_TEST

START_TEST(open_transactions_and_who_waits_for_them)
{
    PGconn *holder = pg_connect(&s.pg, "postgres", "holder");
    PGconn *waiter = pg_connect(&s.pg, "postgres", "waiter");
    pg_run(holder, "CREATE TABLE t (i int)");
    pg_run(holder, "BEGIN");
    pg_run(holder, "LOCK t");
    pg_run(waiter, "BEGIN");
    ck_assert_int_eq(PQsendQuery(waiter, "LOCK t"), 1);
    ck_assert_int_eq(PQflush(waiter), 0);
    PGconn *other = pg_connect(&s.pg, "postgres", "other");
    while (pg_number(other, "SELECT count(*) FROM pg_locks WHERE NOT granted") == 0)
        ;
    PQfinish(other);
    watch();
    await_number("connections.blocked", 1);
    ck_assert_double_eq(number("connections.idle_in_transaction"), 1);
    ck_assert_double_gt(number("connections.longest_idle_in_transaction"), 0);
    PQfinish(holder);
    PQfinish(waiter);
}
END_TEST

START_TEST(new_sessions_are_counted_once)
{
    struct crowd crowd = {0};
    watch();
    await_number("connections.opened.rate", 0);
    crowd_join(&crowd, &s.pg, "app", 5);
    watch_database_hurry(s.watch);
    await_number("connections.opened.rate", 10);
    int before = s.told;
    watch_database_hurry(s.watch);
    await_told(before + 1);
    await_number("connections.idle", 5);
    ck_assert_double_eq(number("connections.opened.rate"), 10);
    crowd_leave(&crowd);
}
END_TEST

START_TEST(without_the_right_to_look_only_numbers_are_told)
{
    struct crowd crowd = {0};
    db_free(s.db);
    s.db = db_of(s.loop, pg_conninfo(&s.pg, "plain"), NULL);
    crowd_join(&crowd, &s.pg, "app", 3);
    watch();
    await_number("connections.used", 4);
    ck_assert_double_eq(number("connections.usable"), 17);
    ck_assert_double_eq(number("connections.idle"), -1); /* unknown, not none */
    ck_assert_double_eq(number("connections.opened.rate"), -1);
    crowd_leave(&crowd);
}
END_TEST

/* --- pace ------------------------------------------------------------------------------------- */

START_TEST(more_than_half_of_the_slots_make_it_look_often)
{
    struct crowd crowd = {0};
    watch();
    await(s.loop, is_calm, NULL);
    crowd_join(&crowd, &s.pg, "app", 10);
    watch_database_hurry(s.watch);
    await_number("connections.idle", 10);
    await(s.loop, is_pressed, NULL);
    int before = s.told;
    await_told(before + 2);
    crowd_leave(&crowd);
    await_number("connections.idle", 0);
    await(s.loop, is_pressed, NULL); /* for a while yet: it may come back */
}
END_TEST

START_TEST(one_round_at_a_time_and_hurry_asks_for_one_more)
{
    struct pg_spy spy;
    pg_spy_start(&spy, &s.pg);
    watch();
    await_told(1);
    for (int i = 0; i < 100; i++)
        watch_database_hurry(s.watch);
    await(s.loop, is_calm, NULL);
    ck_assert_int_eq(s.told, 2);
    ck_assert_int_le(pg_spy_stop(&spy), 2);
}
END_TEST

START_TEST(while_it_yields_nobody_logs_in)
{
    s.yields = true;
    watch();
    s.wanted = 2;
    while (s.yield_asked < 2)
        uv_run(loop_uv(s.loop), UV_RUN_ONCE);
    ck_assert_int_eq(s.told, 0);
    PGconn *conn = pg_connect(&s.pg, "postgres", "test");
    ck_assert_int_eq(pg_number(conn,
                               "SELECT count(*) FROM pg_stat_activity WHERE application_name = "
                               "'stack-supervisor'"),
                     0);
    PQfinish(conn);
    s.yields = false;
    watch_database_again(s.watch);
    await_told(1);
    ck_assert_str_eq(word("database.state"), "ready");
}
END_TEST

/* The postmaster is held still, so that the login is certainly under way. */
START_TEST(what_was_measured_before_a_run_was_over_is_void)
{
    kill(s.pg.pid, SIGSTOP);
    watch();
    while (s.begun < 1)
        uv_run(loop_uv(s.loop), UV_RUN_ONCE);
    watch_database_again(s.watch);
    kill(s.pg.pid, SIGCONT);
    await_told(1);
    ck_assert_int_ge(s.begun, 2);
    ck_assert_str_eq(word("database.state"), "ready");
}
END_TEST

START_TEST(a_database_that_is_not_known_yet)
{
    struct db *db = s.db;
    s.db = NULL;
    watch();
    await(s.loop, is_calm, NULL);
    ck_assert_int_eq(s.told, 0);
    s.db = db;
    watch_database_hurry(s.watch);
    await_word("database.state", "ready");
}
END_TEST

/* --- trouble ---------------------------------------------------------------------------------- */

static void on_lifeline(void *data, bool open, const struct err *e)
{
    (void)e;
    *(bool *)data = open;
    loop_stop(s.loop);
}

static void open_lifeline(void)
{
    bool open = false;
    db_lifeline_keep(s.db, on_lifeline, &open);
    while (!open)
        loop_run(s.loop);
}

START_TEST(refused_logins_are_counted_and_the_sessions_still_seen)
{
    struct crowd crowd = {0};
    open_lifeline();
    crowd_fill(&crowd, &s.pg, "app");
    watch();
    await_word("database.state", "exhausted");
    ck_assert_str_eq(word("database.exhaustion"), "reserved");
    await_number("connections.used", 17);
    ck_assert_double_eq(number("connections.utilization"), 1);
    await_number("connections.refused.rate", 10); /* the fifth of the breaker's five */
    crowd_leave(&crowd);
    await_word("database.state", "ready");
    ck_assert_str_eq(word("database.exhaustion"), "none");
    ck_assert_double_ge(number("connections.refused.rate"), 10); /* they have been */
}
END_TEST

START_TEST(a_limit_of_the_role_is_no_want_of_slots)
{
    PGconn *conn = pg_connect(&s.pg, "postgres", "test");
    open_lifeline();
    pg_run(conn, "ALTER ROLE guard CONNECTION LIMIT 1");
    watch();
    await_word("database.state", "exhausted");
    ck_assert_str_eq(word("database.exhaustion"), "role");
    await_number("connections.used", 2);
    ck_assert_double_eq(number("connections.refused.rate"), 0);
    PQfinish(conn);
}
END_TEST

START_TEST(a_frozen_postmaster_is_hung_and_its_sessions_are_still_seen)
{
    struct crowd crowd = {0};
    open_lifeline();
    crowd_join(&crowd, &s.pg, "app", 3);
    kill(s.pg.pid, SIGSTOP);
    watch();
    await_word("database.state", "hung");
    await_number("connections.used", 4);
    await(s.loop, is_pressed, NULL);
    kill(s.pg.pid, SIGCONT);
    await_word("database.state", "ready");
    crowd_leave(&crowd);
}
END_TEST

START_TEST(what_a_dead_server_held_is_forgotten)
{
    watch();
    await_number("connections.used", 1);
    pg_halt(&s.pg, SIGINT);
    watch_database_hurry(s.watch);
    await_word("database.state", "refused");
    ck_assert_double_eq(number("connections.used"), -1);
    ck_assert_double_eq(number("connections.utilization"), -1);
    await(s.loop, is_pressed, NULL);
    pg_launch(&s.pg);
    await_word("database.state", "ready");
    await_number("connections.used", 1);
}
END_TEST

/* A container that is down has no address on a network of Docker's: the kernel says so, not it. */
START_TEST(a_container_that_is_down_is_no_trouble_of_the_network)
{
    db_free(s.db);
    s.db = db_of(s.loop, "host=255.255.255.255 port=5432 dbname=app user=app", NULL);
    s.stack = stack_at_loopback("backend:1");
    watch();
    await_word("database.state", "unreachable");
    feed_number(s.feed, "service.running", "db", 0);
    watch_database_hurry(s.watch);
    await_word("database.state", "refused");
    feed_number(s.feed, "service.running", "db", 1);
    watch_database_hurry(s.watch);
    await_word("database.state", "unreachable");
}
END_TEST

/* An entrypoint that initialises, or a server that listens elsewhere: not a dead one. */
START_TEST(a_server_that_has_not_answered_yet_is_starting)
{
    pg_halt(&s.pg, SIGINT);
    s.stack = stack_at_loopback("backend:1");
    struct container *db = stack_container(s.stack, "db-1");
    db->started_ns = 1;
    feed_number(s.feed, "service.running", "db", 1);
    watch();
    await_word("database.state", "starting");
    feed_number(s.feed, "service.running", "db", 0); /* a container that is down starts nothing */
    watch_database_hurry(s.watch);
    await_word("database.state", "refused");
    feed_number(s.feed, "service.running", "db", 1);
    pg_launch(&s.pg);
    await_word("database.state", "ready");
    watch_database_free(s.watch);
    pg_halt(&s.pg, SIGINT);
    watch(); /* a new configuration */
    await_word("database.state", "refused");
    db->started_ns = 2;
    watch_database_hurry(s.watch);
    await_word("database.state", "starting");
}
END_TEST

START_TEST(stopped_by_hand_is_no_refusal)
{
    pg_halt(&s.pg, SIGINT);
    s.by_hand = true;
    watch();
    await_word("database.state", "stopped");
    await(s.loop, is_calm, NULL);
    pg_launch(&s.pg);
    pg_await_ready(&s.pg);
    watch_database_hurry(s.watch);
    await_word("database.state", "ready"); /* whatever is said of its container */
}
END_TEST

START_TEST(a_wrong_password_is_not_the_databases_trouble)
{
    char conninfo[200];
    struct pg_door door = {.loop = s.loop, .pg = &s.pg};
    snprintf(conninfo, sizeof conninfo, "host=127.0.0.1 port=%d dbname=app user=app password=wrong",
             s.pg.port);
    db_free(s.db);
    s.db = db_of(s.loop, conninfo, &door);
    watch();
    await_word("database.state", "auth_failed");
    await_number("connections.usable", 17); /* by the back door */
    await(s.loop, is_calm, NULL);
}
END_TEST

/* Whoever logs it says so once, and not every fifteen seconds. */
START_TEST(what_a_login_meets_is_told_when_it_changes)
{
    char conninfo[200];
    snprintf(conninfo, sizeof conninfo, "host=127.0.0.1 port=%d dbname=app user=app password=wrong",
             s.pg.port);
    struct db *right = s.db;
    s.db = db_of(s.loop, conninfo, NULL);
    watch();
    for (int round = 1; round <= 3; round++) {
        await_told(round);
        ck_assert_int_eq(s.met, 1);
        ck_assert_int_eq(s.met_state, DB_AUTH_FAILED);
        await(s.loop, is_calm, NULL);
        watch_database_hurry(s.watch);
    }
    db_free(s.db);
    s.db = right;
    watch_database_hurry(s.watch);
    await_word("database.state", "ready");
    ck_assert_int_eq(s.met, 2);
    ck_assert_int_eq(s.met_state, DB_READY);
    s.by_hand = true; /* nobody needs to be told */
    pg_halt(&s.pg, SIGINT);
    watch_database_hurry(s.watch);
    await_word("database.state", "stopped");
    ck_assert_int_eq(s.met, 2);
    s.by_hand = false;
    watch_database_hurry(s.watch);
    await_word("database.state", "refused");
    ck_assert_int_eq(s.met, 3);
    ck_assert_int_eq(s.met_state, DB_REFUSED);
}
END_TEST

/* --- who holds them --------------------------------------------------------------------------- */

static void begin_transactions(const struct crowd *crowd, int count)
{
    for (int i = 0; i < count; i++)
        pg_run(crowd->conns[i], "BEGIN");
}

START_TEST(who_holds_them_is_told_until_it_is_no_more)
{
    struct crowd crowd = {0};
    s.stack = stack_at_loopback("x");
    crowd_come(&crowd, 6);
    begin_transactions(&crowd, 4);
    watch();
    await_number("container(backend-1).connections", 6);
    ck_assert_double_eq(number("container(backend-1).idle"), 2);
    ck_assert_double_eq(number("container(backend-1).idle_in_transaction"), 4);
    ck_assert_double_gt(number("container(backend-1).oldest_idle"), 0);
    ck_assert_double_eq(number("container(backend-1).leaked"), 0); /* they have just come */
    crowd_leave(&crowd);
    watch_database_hurry(s.watch);
    await_number("container(backend-1).connections", 0);
    ck_assert_double_eq(number("container(backend-1).idle_in_transaction"), 0);
    stack_unref(s.stack);
    s.stack = stack_at_loopback("y");
    mem_replace(&stack_container(s.stack, "backend-1")->name, "backend-2"); /* was replaced */
    watch_database_hurry(s.watch);
    await_number("container(backend-1).connections", -1);
    ck_assert_double_eq(number("container(backend-1).share"), -1);
}
END_TEST

START_TEST(a_pooler_is_never_the_leaker)
{
    struct crowd crowd = {0};
    s.stack = stack_at_loopback("edoburu/pgbouncer:1.18");
    ck_assert_int_eq(stack_service(s.stack, "backend")->role, ROLE_POOLER);
    crowd_come(&crowd, 6);
    begin_transactions(&crowd, 6);
    watch();
    await_number("container(backend-1).connections", 6);
    await_word("connections.leaker", "none");
    ck_assert_double_eq(number("container(backend-1).idle"), -1);
    ck_assert_double_eq(number("container(backend-1).idle_in_transaction"), -1);
    ck_assert_double_eq(number("container(backend-1).leaked"), -1);
    ck_assert_double_eq(number("connections.idle_in_transaction"), 6); /* the whole still tells */
    crowd_leave(&crowd);
}
END_TEST

START_TEST(freed_in_the_middle_of_a_round)
{
    watch();
    while (s.begun < 1)
        uv_run(loop_uv(s.loop), UV_RUN_ONCE);
    s.watch = watch_database_free(s.watch);
    ck_assert_int_eq(s.told, 0);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_calm_server,
        open_transactions_and_who_waits_for_them,
        new_sessions_are_counted_once,
        without_the_right_to_look_only_numbers_are_told,
        more_than_half_of_the_slots_make_it_look_often,
        one_round_at_a_time_and_hurry_asks_for_one_more,
        while_it_yields_nobody_logs_in,
        what_was_measured_before_a_run_was_over_is_void,
        a_database_that_is_not_known_yet,
        refused_logins_are_counted_and_the_sessions_still_seen,
        a_limit_of_the_role_is_no_want_of_slots,
        a_frozen_postmaster_is_hung_and_its_sessions_are_still_seen,
        what_a_dead_server_held_is_forgotten,
        a_container_that_is_down_is_no_trouble_of_the_network,
        a_server_that_has_not_answered_yet_is_starting,
        stopped_by_hand_is_no_refusal,
        a_wrong_password_is_not_the_databases_trouble,
        what_a_login_meets_is_told_when_it_changes,
        who_holds_them_is_told_until_it_is_no_more,
        a_pooler_is_never_the_leaker,
        freed_in_the_middle_of_a_round,
    };
    Suite *suite = suite_create("watch_database");
    TCase *real = tcase_create("real");
    tcase_add_unchecked_fixture(real, pg_template_make, pg_template_remove);
    tcase_add_checked_fixture(real, set_up, tear_down);
    tcase_set_timeout(real, 60);
    for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
        tcase_add_test(real, tests[i]);
    suite_add_tcase(suite, real);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
