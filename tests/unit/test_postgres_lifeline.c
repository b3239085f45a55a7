/* The lifeline through all that can happen to it, and the promise of at most two slots. */
#include "base/mem.h"
#include "postgres/internal.h"
#include "tests/unit/pg_loop.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static struct pg pg;
static struct loop *loop;
static PGconn *boss;
static struct lifeline_log lifeline;

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

#define OURS "application_name = 'stack-supervisor'"

static long our_sessions(void)
{
    return pg_number(boss, "SELECT count(*) FROM pg_stat_activity WHERE " OURS);
}

static pid_t our_pid(void)
{
    return (pid_t)pg_number(boss, "SELECT pid FROM pg_stat_activity WHERE " OURS);
}

/* The process of the lifeline, when it is idle: one that is stopped in the middle of its work may
 * hold a lock that a login needs. */
static pid_t our_idle_pid(void)
{
    while (pg_number(boss, "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle' "
                           "AND query <> '' AND " OURS) != 1)
        ;
    return our_pid();
}

static bool none_of_ours(void *data)
{
    (void)data;
    return our_sessions() == 0;
}

static const struct db_clean_rules at_once = {.idle_ms = 0, .idle_in_transaction_ms = 0};

/* --- opening, losing, opening again --------------------------------------------------------- */

START_TEST(opens_and_says_goodbye)
{
    struct db *db = db_of(loop, pg_conninfo(&pg, "guard"), NULL);
    keep_lifeline(db, loop, &lifeline);
    ck_assert_int_eq(our_sessions(), 1);
    db_lifeline_drop(db);
    ck_assert(!db_lifeline_is_open(db));
    await(loop, none_of_ours, NULL);
    keep_lifeline(db, loop, &lifeline); /* and again */
    db_free(db);
    await(loop, none_of_ours, NULL);
}
END_TEST

START_TEST(survives_being_terminated)
{
    struct db *db = db_of(loop, pg_conninfo(&pg, "guard"), NULL);
    keep_lifeline(db, loop, &lifeline);
    pid_t before = our_pid();
    pg_run(boss, "SELECT pg_terminate_backend(%d)", (int)before);
    await_lifeline(&lifeline, 1, 1);
    ck_assert_ptr_nonnull(strstr(lifeline.last.text, "57P01"));
    ck_assert(!db_lifeline_is_open(db));
    await_lifeline(&lifeline, 2, 1);
    ck_assert_int_ne(our_pid(), before);
    db_free(db);
}
END_TEST

START_TEST(survives_a_restart)
{
    struct db *db = db_of(loop, pg_conninfo(&pg, "guard"), NULL);
    keep_lifeline(db, loop, &lifeline);
    struct db_probe before = probe_db(loop, db, 10000);
    pg_halt(&pg, SIGINT);
    await_lifeline(&lifeline, 1, 1);
    ck_assert_ptr_nonnull(strstr(lifeline.last.text, "57P01"));
    struct db_probe down = probe_db(loop, db, 10000);
    ck_assert_int_eq(down.state, DB_REFUSED);
    pg_launch(&pg);
    pg_await_ready(&pg);
    db_lifeline_retry_now(db);
    await_lifeline(&lifeline, 2, 1);
    struct db_probe after = probe_db(loop, db, 10000);
    ck_assert_int_eq(after.state, DB_READY);
    ck_assert_int_gt(after.started_us, before.started_us);
    db_free(db);
}
END_TEST

START_TEST(a_probe_that_gets_in_brings_it_back)
{
    /* After several vain tries it would wait for seconds. */
    struct db *db = db_of(loop, pg_conninfo(&pg, "guard"), NULL);
    pg_run(boss, "ALTER ROLE guard NOLOGIN");
    struct lifeline_log *log = &lifeline;
    *log = (struct lifeline_log){.loop = loop};
    keep_lifeline_in_vain(db, log);
    struct db_probe probe = probe_db(loop, db, 10000);
    ck_assert_int_eq(probe.state, DB_AUTH_FAILED);
    pg_run(boss, "ALTER ROLE guard LOGIN");
    probe = probe_db(loop, db, 10000);
    ck_assert_int_eq(probe.state, DB_READY);
    await_lifeline(log, 1, 0);
    db_free(db);
}
END_TEST

static bool has_tried_in_vain(void *data)
{
    return ((struct db *)data)->lifeline.backoff_ms > 1000;
}

START_TEST(tries_less_and_less_often)
{
    char conninfo[100];
    snprintf(conninfo, sizeof conninfo, "host=127.0.0.1 port=%d user=guard", free_port());
    struct db *db = db_of(loop, conninfo, NULL);
    struct lifeline_log log = {.loop = loop};
    keep_lifeline_in_vain(db, &log);
    await(loop, has_tried_in_vain, db);
    ck_assert_int_eq(log.open + log.lost, 0); /* vain tries are not told */
    db_lifeline_retry_now(db);
    ck_assert(!has_tried_in_vain(db)); /* begins with short waits again */
    await(loop, has_tried_in_vain, db);
    db_free(db);
}
END_TEST

START_TEST(tells_of_a_crash)
{
    struct db *db = db_of(loop, pg_conninfo(&pg, "guard"), NULL);
    keep_lifeline(db, loop, &lifeline);
    PGconn *victim = pg_connect(&pg, "app", "victim");
    kill(PQbackendPID(victim), SIGKILL); /* the server ends all its sessions and recovers */
    await_lifeline(&lifeline, 1, 1);
    /* On a slow machine it is the server that kills them, after five seconds, without a word. */
    ck_assert_msg(strstr(lifeline.last.text, "57P02") ||
                      strstr(lifeline.last.text, "without a word"),
                  "%s", lifeline.last.text);
    await_lifeline(&lifeline, 2, 1);
    PQfinish(victim);
    PQreset(boss);
    db_free(db);
}
END_TEST

START_TEST(notices_a_setting_that_changes)
{
    /* The server sends something of its own accord, and nothing is wrong. */
    struct db *db = db_of(loop, pg_conninfo(&pg, "guard"), NULL);
    keep_lifeline(db, loop, &lifeline);
    pg_run(boss, "ALTER SYSTEM SET timezone = 'Asia/Tokyo'");
    pg_run(boss, "SELECT pg_reload_conf()");
    struct err e;
    CLEANUP_JSON json_t *json = look(loop, db, &e);
    ck_assert_str_eq(json_text_at(json, "by", ""), "lifeline");
    ck_assert(db_lifeline_is_open(db));
    db_free(db);
}
END_TEST

static bool is_lost(void *data)
{
    PGconn *conn = data;
    return PQconsumeInput(conn) == 0 || PQstatus(conn) == CONNECTION_BAD;
}

START_TEST(is_not_ended_for_being_idle)
{
    struct db *db = db_of(loop, pg_conninfo(&pg, "guard"), NULL);
    pg_run(boss, "SET idle_session_timeout = 0");
    pg_run(boss, "ALTER SYSTEM SET idle_session_timeout = '100ms'");
    pg_run(boss, "SELECT pg_reload_conf()");
    while (pg_number(boss, "SELECT count(*) FROM pg_file_settings WHERE applied AND "
                           "name = 'idle_session_timeout'") != 1)
        ;
    keep_lifeline(db, loop, &lifeline);
    PGconn *other = pg_connect(&pg, "app", "other");
    await(loop, is_lost, other); /* who came later is ended */
    ck_assert(db_lifeline_is_open(db));
    ck_assert_int_eq(lifeline.lost, 0);
    PQfinish(other);
    db_free(db);
}
END_TEST

/* --- questions -------------------------------------------------------------------------------- */

struct answers {
    int lifeline, other, failed, wanted;
};

static void on_activity(void *data, const struct err *e, const struct db_activity *activity)
{
    struct answers *answers = data;
    if (e)
        answers->failed++;
    else if (strcmp(activity->by, "lifeline") == 0)
        answers->lifeline++;
    else
        answers->other++;
    if (--answers->wanted == 0)
        loop_stop(loop);
}

static bool all_came(void *data)
{
    return ((struct answers *)data)->wanted == 0;
}

START_TEST(many_questions_at_once)
{
    struct db *db = db_of(loop, pg_conninfo(&pg, "guard"), NULL);
    keep_lifeline(db, loop, &lifeline);
    struct answers answers = {.wanted = 20};
    op_id some = 0;
    for (int i = 0; i < 20; i++) {
        op_id id = db_activity(db, 10000, on_activity, &answers);
        if (i == 0 || i == 7)
            op_cancel(loop, id); /* one that is asked already, one that waits */
        some = id;
    }
    ck_assert_uint_ne(some, 0);
    await(loop, all_came, &answers);
    ck_assert_int_eq(answers.failed, 2);
    ck_assert_int_eq(answers.lifeline + answers.other, 18);
    ck_assert(db_lifeline_is_open(db));
    ck_assert_int_eq(lifeline.lost, 0); /* giving a question up costs no lifeline */
    db_free(db);
}
END_TEST

START_TEST(stuck_lifeline_is_left_and_replaced)
{
    struct db *db = db_of(loop, pg_conninfo(&pg, "guard"), NULL);
    keep_lifeline(db, loop, &lifeline);
    pid_t stuck = our_idle_pid();
    kill(stuck, SIGSTOP);
    struct answers answers = {.wanted = 1};
    db_activity(db, 2000, on_activity, &answers);
    await(loop, all_came, &answers);
    ck_assert_int_eq(answers.other, 1); /* a login of its own, after half of the time */
    await_lifeline(&lifeline, 1, 1);
    ck_assert_int_eq(lifeline.last.code, ERR_TIMEOUT);
    await_lifeline(&lifeline, 2, 1);
    kill(stuck, SIGCONT);
    db_free(db);
}
END_TEST

START_TEST(lost_while_asked)
{
    struct db *db = db_of(loop, pg_conninfo(&pg, "guard"), NULL);
    keep_lifeline(db, loop, &lifeline);
    pid_t stopped = our_idle_pid();
    kill(stopped, SIGSTOP);
    struct answers answers = {.wanted = 3};
    for (int i = 0; i < 3; i++)
        db_activity(db, 20000, on_activity, &answers);
    pg_run(boss, "SELECT pg_terminate_backend(%d)", (int)stopped);
    kill(stopped, SIGCONT);
    await(loop, all_came, &answers);
    ck_assert_int_eq(answers.failed, 0);
    await_lifeline(&lifeline, lifeline.open, 1);
    db_free(db);
}
END_TEST

/* What we ask needs the roles, and somebody locks them. Logins need them, too. */
START_TEST(a_question_that_waits_for_a_lock)
{
    struct db *db = db_of(loop, pg_conninfo(&pg, "guard"), NULL);
    keep_lifeline(db, loop, &lifeline);
    pg_run(boss, "BEGIN; LOCK TABLE pg_authid IN ACCESS EXCLUSIVE MODE");
    struct answers answers = {.wanted = 1};
    db_activity(db, 800, on_activity, &answers);
    await(loop, all_came, &answers);
    ck_assert_int_eq(answers.failed, 1);
    struct db_probe probe = probe_db(loop, db, 300);
    ck_assert_int_eq(probe.state, DB_HUNG);
    ck_assert(probe.lifeline_open);
    pg_run(boss, "ROLLBACK");
    /* The server has cut the question off at its limit, and the lifeline lives on. */
    answers = (struct answers){.wanted = 1};
    db_activity(db, 10000, on_activity, &answers);
    await(loop, all_came, &answers);
    ck_assert_int_eq(answers.lifeline, 1);
    ck_assert_int_eq(lifeline.lost, 0);
    db_free(db);
}
END_TEST

START_TEST(dropped_while_asked)
{
    struct db *db = db_of(loop, pg_conninfo(&pg, "guard"), NULL);
    keep_lifeline(db, loop, &lifeline);
    struct answers answers = {.wanted = 2};
    db_activity(db, 20000, on_activity, &answers);
    db_activity(db, 20000, on_activity, &answers);
    db_lifeline_drop(db);
    await(loop, all_came, &answers);
    ck_assert_int_eq(answers.other, 2);
    ck_assert_int_eq(lifeline.lost, 0);
    db_free(db);
}
END_TEST

START_TEST(freed_while_asked)
{
    struct pg_door door = {.loop = loop, .pg = &pg};
    struct db *db = db_of(loop, pg_conninfo(&pg, "guard"), &door);
    keep_lifeline(db, loop, &lifeline);
    struct answers answers = {.wanted = 2};
    db_activity(db, 20000, on_activity, &answers);
    db_activity(db, 20000, on_activity, &answers);
    db_free(db);
    await(loop, all_came, &answers);
    ck_assert_int_eq(answers.failed, 2);
}
END_TEST

/* A back door that answers when the test wants it to. */
struct held_door {
    void (*done)(void *data, const struct err *e, const char *out);
    void *data;
};

static void hold(void *context, const char *sql, int64_t deadline_ms,
                 void (*done)(void *data, const struct err *e, const char *out), void *data)
{
    (void)sql;
    (void)deadline_ms;
    *(struct held_door *)context = (struct held_door){.done = done, .data = data};
}

static bool is_held(void *data)
{
    return ((struct held_door *)data)->done != NULL;
}

START_TEST(freed_while_the_back_door_runs)
{
    struct held_door held = {0};
    struct db_backdoor door = {.run = hold, .context = &held};
    struct db_options options = {.conninfo = "host=/nonexistent user=guard", .backdoor = &door};
    struct db *db;
    ck_assert_int_eq(db_new(loop, &options, &db, NULL), 0);
    struct answers answers = {.wanted = 2};
    db_activity(db, 20000, on_activity, &answers);
    db_activity(db, 20000, on_activity, &answers);
    await(loop, is_held, &held);
    db_free(db);
    await(loop, all_came, &answers);
    ck_assert_int_eq(answers.failed, 2);
    held.done(held.data, NULL, "{}\n"); /* late, and to nobody */
}
END_TEST

/* --- two slots -------------------------------------------------------------------------------- */

static void on_probe(void *data, const struct db_probe *probe)
{
    struct answers *answers = data;
    answers->lifeline += probe->state == DB_READY;
    if (--answers->wanted == 0)
        loop_stop(loop);
}

static void on_done(void *data, const struct err *e)
{
    struct answers *answers = data;
    answers->failed += e != NULL;
    if (--answers->wanted == 0)
        loop_stop(loop);
}

static void on_report(void *data, const struct err *e, const struct db_clean_report *report)
{
    ck_assert((e != NULL) == (report == NULL));
    on_done(data, e);
}

static void ask_for_everything(struct db *db, struct answers *answers)
{
    answers->wanted += 4;
    db_probe(db, 20000, on_probe, answers);
    db_activity(db, 20000, on_activity, answers);
    db_clean(db, &at_once, false, 20000, on_report, answers);
    db_checkpoint(db, 20000, on_done, answers);
}

START_TEST(never_more_than_two)
{
    struct pg_spy spy;
    pg_run(boss, "GRANT pg_checkpoint TO guard");
    struct db *db = db_of(loop, pg_conninfo(&pg, "guard"), NULL);
    pg_spy_start(&spy, &pg);
    keep_lifeline(db, loop, &lifeline);
    struct answers answers = {0};
    for (int round = 0; round < 12; round++) {
        for (int i = 0; i < 3; i++)
            ask_for_everything(db, &answers);
        if (round % 4 == 1)
            pg_run(boss, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE " OURS);
        if (round % 4 == 3) {
            db_lifeline_drop(db);
            db_lifeline_keep(db, NULL, NULL);
        }
        await(loop, all_came, &answers);
    }
    int most = pg_spy_stop(&spy);
    ck_assert_int_eq(most, 2);
    ck_assert_int_gt(answers.lifeline, 0);
    db_free(db);
}
END_TEST

START_TEST(a_probe_does_not_wait_for_a_vain_lifeline)
{
    struct fake_listener fake;
    char conninfo[100];
    fake_listen(&fake, NULL, false);
    snprintf(conninfo, sizeof conninfo, "host=127.0.0.1 port=%d user=guard", fake.port);
    struct db *db = db_of(loop, conninfo, NULL);
    db_lifeline_keep(db, NULL, NULL); /* hangs in its login, for five seconds */
    int64_t began = loop_now(loop);
    struct db_probe probe = probe_db(loop, db, 300);
    ck_assert_int_eq(probe.state, DB_HUNG);
    ck_assert_int_lt(loop_now(loop) - began, 3000);
    db_free(db);
    fake_stop(&fake);
}
END_TEST

/* Two ask at the same time: the second one's login is not begun, and it is told the same. */
START_TEST(a_deadline_behind_a_login_that_meets_silence_is_silence)
{
    struct fake_listener fake;
    char conninfo[100];
    fake_listen(&fake, NULL, false);
    snprintf(conninfo, sizeof conninfo, "host=127.0.0.1 port=%d user=guard", fake.port);
    struct pg_door door = {.loop = loop, .pg = &pg};
    struct db *db = db_of(loop, conninfo, &door);
    struct answers answers = {.wanted = 2};
    db_activity(db, 6000, on_activity, &answers);
    db_activity(db, 300, on_activity, &answers); /* the back door's turn does not come either */
    struct db_probe probe = probe_db(loop, db, 200);
    ck_assert_int_eq(probe.state, DB_HUNG);
    ck_assert_int_eq(probe.why.code, ERR_TIMEOUT);
    await(loop, all_came, &answers);
    ck_assert_int_eq(answers.failed, 1);
    ck_assert_int_eq(answers.other, 1); /* the first one, by the back door in the end */
    db_free(db);
    fake_stop(&fake);
}
END_TEST

/* A `docker exec` that ends when the test says so. */
struct late_door {
    void (*done)(void *data, const struct err *e, const char *out);
    void *data;
};

static void come_late(void *context, const char *sql, int64_t deadline_ms,
                      void (*done)(void *data, const struct err *e, const char *out), void *data)
{
    struct late_door *door = context;
    (void)sql;
    (void)deadline_ms;
    *door = (struct late_door){done, data};
}

static bool is_open(void *data)
{
    return ((struct late_door *)data)->done;
}

START_TEST(a_deadline_behind_a_slow_back_door_says_nothing_of_the_server)
{
    char conninfo[100];
    snprintf(conninfo, sizeof conninfo, "host=127.0.0.1 port=%d user=guard", free_port());
    struct late_door door = {0};
    struct db_backdoor backdoor = {.run = come_late, .context = &door};
    struct db_options options = {.conninfo = conninfo, .backdoor = &backdoor};
    struct db *db = NULL;
    struct err e;
    ck_assert_int_eq(db_new(loop, &options, &db, &e), 0);
    struct answers answers = {.wanted = 1};
    db_activity(db, 60000, on_activity, &answers);
    await(loop, is_open, &door);
    struct db_probe probe = probe_db(loop, db, 200);
    ck_assert_int_eq(probe.state, DB_UNKNOWN);
    ck_assert_int_eq(probe.why.code, ERR_TIMEOUT);
    struct err ended;
    err_set(&ended, ERR_FAILED, "the container is gone");
    door.done(door.data, &ended, NULL);
    await(loop, all_came, &answers);
    ck_assert_int_eq(probe_db(loop, db, 5000).state, DB_REFUSED);
    db_free(db);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("postgres_lifeline");
    TCase *real = tcase_create("real");
    tcase_add_unchecked_fixture(real, pg_template_make, pg_template_remove);
    tcase_add_checked_fixture(real, setup, teardown);
    tcase_set_timeout(real, 60);
    tcase_add_test(real, opens_and_says_goodbye);
    tcase_add_test(real, survives_being_terminated);
    tcase_add_test(real, survives_a_restart);
    tcase_add_test(real, a_probe_that_gets_in_brings_it_back);
    tcase_add_test(real, tries_less_and_less_often);
    tcase_add_test(real, tells_of_a_crash);
    tcase_add_test(real, notices_a_setting_that_changes);
    tcase_add_test(real, is_not_ended_for_being_idle);
    tcase_add_test(real, many_questions_at_once);
    tcase_add_test(real, stuck_lifeline_is_left_and_replaced);
    tcase_add_test(real, lost_while_asked);
    tcase_add_test(real, a_question_that_waits_for_a_lock);
    tcase_add_test(real, dropped_while_asked);
    tcase_add_test(real, freed_while_asked);
    tcase_add_test(real, freed_while_the_back_door_runs);
    tcase_add_test(real, never_more_than_two);
    tcase_add_test(real, a_probe_does_not_wait_for_a_vain_lifeline);
    tcase_add_test(real, a_deadline_behind_a_login_that_meets_silence_is_silence);
    tcase_add_test(real, a_deadline_behind_a_slow_back_door_says_nothing_of_the_server);
    suite_add_tcase(suite, real);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
