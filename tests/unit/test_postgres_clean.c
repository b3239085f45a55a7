/* Looking, cleaning and CHECKPOINT on a real server. */
#include "base/mem.h"
#include "tests/unit/pg_loop.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static struct pg pg;
static struct loop *loop;
static PGconn *boss; /* a superuser's session, opened in good times */

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

static const struct db_clean_rules at_once = {.idle_ms = 0, .idle_in_transaction_ms = 0};

static struct pg_door door_of(void)
{
    return (struct pg_door){.loop = loop, .pg = &pg};
}

static json_t *clean_well(struct db *db, const struct db_clean_rules *rules, bool dry_run)
{
    struct err e;
    json_t *json = clean(loop, db, rules, dry_run, 10000, &e);
    ck_assert_msg(json != NULL, "%s", e.text);
    return json;
}

/* --- looking -------------------------------------------------------------------------------- */

static const json_t *find(const json_t *activity, const char *application)
{
    size_t i;
    json_t *item;
    json_array_foreach(json_at(activity, "sessions"), i, item)
    {
        if (strcmp(json_text_at(item, "application", ""), application) == 0)
            return item;
    }
    ck_abort_msg("no session of %s", application);
}

START_TEST(who_is_there)
{
    PGconn *leak = pg_connect(&pg, "app", "leak");
    PGconn *waiter = pg_connect(&pg, "app", "waiter");
    PGconn *dump = pg_connect(&pg, "app", "pg_dump");
    PGconn *tcp = PQconnectdb(pg_conninfo(&pg, "plain"));
    ck_assert_int_eq(PQstatus(tcp), CONNECTION_OK);
    pg_run(tcp, "SET application_name = 'tcp'");
    pg_run(leak, "BEGIN; CREATE TEMP TABLE t(); SELECT pg_advisory_xact_lock(1)");
    ck_assert_int_eq(PQsendQuery(waiter, "SELECT pg_advisory_lock(1)"), 1);
    while (pg_number(boss, "SELECT count(*) FROM pg_locks WHERE NOT granted") == 0)
        ;
    struct pg_door door = door_of();
    /* By a login with pg_monitor, and by the container as a superuser: the same picture. */
    for (int by_container = 0; by_container <= 1; by_container++) {
        struct db *db = db_of(
            loop, by_container ? "host=/nonexistent user=app" : pg_conninfo(&pg, "guard"), &door);
        struct err e;
        CLEANUP_JSON json_t *json = look(loop, db, &e);
        ck_assert_msg(json != NULL, "%s", e.text);
        ck_assert_str_eq(json_text_at(json, "by", ""), by_container ? "container" : "login");
        ck_assert_int_eq(json_int_at(json, "max", 0), 20);
        ck_assert_int_eq(json_int_at(json, "reserved", 0), 3);
        ck_assert_int_eq(json_int_at(json, "used", 0), 6); /* five of ours above, and the asker */
        ck_assert_int_eq(json_int_at(json, "available", 0), 11);
        ck_assert(!json_bool_at(json, "restricted", true));
        ck_assert(!json_bool_at(json, "in_recovery", true));
        ck_assert_str_eq(json_text_at(find(json, "leak"), "state", ""), "idle in transaction");
        ck_assert_int_eq(json_int_at(find(json, "leak"), "blocks", 0), 1);
        ck_assert_str_eq(json_text_at(find(json, "leak"), "client", ""), "local");
        ck_assert_int_eq(json_int_at(find(json, "leak"), "client_port", 0), -1);
        ck_assert_str_eq(json_text_at(find(json, "waiter"), "state", ""), "active");
        ck_assert_str_eq(json_text_at(find(json, "tcp"), "client", ""), "127.0.0.1");
        ck_assert(json_bool_at(find(json, "pg_dump"), "backup", false));
        ck_assert(json_bool_at(find(json, "boss"), "superuser", false));
        ck_assert(!json_bool_at(find(json, "boss"), "replication", true));
        const char *ours = by_container ? "psql" : "stack-supervisor";
        ck_assert(json_bool_at(find(json, ours), "ours", false));
        db_free(db);
    }
    ck_assert_int_eq(door.runs, 1);
    PQfinish(leak);
    PQfinish(waiter);
    PQfinish(dump);
    PQfinish(tcp);
}
END_TEST

START_TEST(who_is_there_without_pg_monitor)
{
    struct crowd crowd = {0};
    crowd_join(&crowd, &pg, "app", 3);
    struct db *db = db_of(loop, pg_conninfo(&pg, "plain"), NULL);
    struct err e;
    CLEANUP_JSON json_t *json = look(loop, db, &e);
    ck_assert(json_bool_at(json, "restricted", false));
    ck_assert_int_eq(json_int_at(json, "used", 0), 5);
    ck_assert_str_eq(json_text_at(find(json, "crowd"), "role", ""), "app");
    ck_assert_str_eq(json_text_at(find(json, "crowd"), "state", "?"), "");
    ck_assert_str_eq(json_text_at(find(json, "crowd"), "client", "?"), "");
    crowd_leave(&crowd);
    db_free(db);
}
END_TEST

START_TEST(prepared_transactions_are_counted)
{
    pg_run(boss, "BEGIN; PREPARE TRANSACTION 'left behind'");
    struct db *db = db_of(loop, pg_conninfo(&pg, "guard"), NULL);
    struct err e;
    CLEANUP_JSON json_t *json = look(loop, db, &e);
    ck_assert_int_eq(json_int_at(json, "prepared", 0), 1);
    db_free(db);
}
END_TEST

/* A function of a well-known name that the back door's superuser must not call. */
START_TEST(nobody_elses_functions_are_called)
{
    pg_run(boss, "CREATE SCHEMA evil; CREATE FUNCTION evil.pg_is_in_recovery() RETURNS bool "
                 "LANGUAGE sql AS 'SELECT true'; "
                 "ALTER DATABASE app SET search_path = evil, pg_catalog; "
                 "ALTER DATABASE postgres SET search_path = evil, pg_catalog; "
                 "GRANT USAGE ON SCHEMA evil TO PUBLIC");
    struct db *db = db_of(loop, pg_conninfo(&pg, "guard"), NULL);
    struct db_probe probe = probe_db(loop, db, 10000);
    ck_assert_int_eq(probe.state, DB_READY);
    ck_assert(!probe.is_standby);
    db_free(db);
}
END_TEST

START_TEST(exhausted_and_no_way_in)
{
    struct crowd crowd = {0};
    crowd_fill(&crowd, &pg, "app");
    crowd_fill(&crowd, &pg, "postgres");
    struct pg_door door = door_of();
    struct db *db = db_of(loop, pg_conninfo(&pg, "guard"), &door);
    struct err e;
    ck_assert_ptr_null(look(loop, db, &e));
    ck_assert_int_eq(e.code, ERR_EXHAUSTED);
    ck_assert_int_eq(door.runs, 1);
    door.broken = true;
    ck_assert_ptr_null(clean(loop, db, &at_once, false, 10000, &e));
    ck_assert_int_eq(e.code, ERR_EXHAUSTED);
    crowd_leave(&crowd);
    db_free(db);
}
END_TEST

START_TEST(nobody_home)
{
    struct db *db = db_of(loop, "host=/nonexistent user=app password=sesame", NULL);
    struct err e;
    ck_assert_ptr_null(look(loop, db, &e));
    ck_assert_int_eq(e.code, ERR_UNREACHABLE);
    ck_assert_ptr_null(clean(loop, db, &at_once, false, 10000, &e));
    ck_assert_int_eq(e.code, ERR_UNREACHABLE);
    e = checkpoint(loop, db, 10000);
    ck_assert_int_eq(e.code, ERR_UNREACHABLE);
    ck_assert_ptr_null(strstr(e.text, "sesame"));
    db_free(db);
}
END_TEST

/* --- cleaning ------------------------------------------------------------------------------- */

START_TEST(dry_run_ends_nobody)
{
    struct crowd crowd = {0};
    crowd_join(&crowd, &pg, "app", 4);
    struct db *db = db_of(loop, pg_conninfo(&pg, "guard"), NULL);
    CLEANUP_JSON json_t *json = clean_well(db, &at_once, true);
    ck_assert(json_bool_at(json, "dry_run", false));
    ck_assert_uint_eq(count_at(json, "ended"), 4);
    ck_assert_uint_eq(count_at(json, "spared"), 1); /* the boss */
    ck_assert_int_eq(json_int_at(json, "used_before", 0), json_int_at(json, "used_after", 1));
    ck_assert_int_eq(
        pg_number(boss, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'crowd'"),
        4);
    crowd_leave(&crowd);
    db_free(db);
}
END_TEST

START_TEST(idle_sessions_are_ended_and_gone)
{
    struct crowd crowd = {0};
    crowd_join(&crowd, &pg, "app", 6);
    pg_run(crowd.conns[5], "BEGIN");
    PGconn *busy = pg_connect(&pg, "app", "busy");
    PGconn *dump = pg_connect(&pg, "app", "pg_dump");
    ck_assert_int_eq(PQsendQuery(busy, "SELECT pg_sleep(60)"), 1);
    while (pg_number(boss, "SELECT count(*) FROM pg_stat_activity WHERE state = 'active'") < 2)
        ;
    struct db *db = db_of(loop, pg_conninfo(&pg, "guard"), NULL);
    CLEANUP_JSON json_t *json = clean_well(db, &at_once, false);
    ck_assert_str_eq(json_text_at(json, "by", ""), "login");
    ck_assert_uint_eq(count_at(json, "ended"), 6);
    ck_assert_uint_eq(count_at(json, "stayed"), 0);
    const json_t *first = json_array_get(json_at(json, "ended"), 0);
    ck_assert_str_eq(json_text_at(first, "state", ""), "idle in transaction");
    ck_assert_int_eq(json_int_at(json, "used_before", 0) - json_int_at(json, "used_after", 0), 6);
    ck_assert_int_eq(pg_number(boss, "SELECT count(*) FROM pg_stat_activity WHERE "
                                     "application_name IN ('crowd', 'busy', 'pg_dump')"),
                     2);
    crowd_leave(&crowd);
    PQfinish(busy);
    PQfinish(dump);
    db_free(db);
}
END_TEST

START_TEST(an_exhausted_server_is_cleaned)
{
    /* Over the lifeline, and by the back door. */
    struct pg_door door = door_of();
    struct lifeline_log log;
    struct crowd crowd = {0};
    struct db *db = db_of(loop, pg_conninfo(&pg, "guard"), &door);
    if (_i == 0)
        keep_lifeline(db, loop, &log);
    crowd_fill(&crowd, &pg, "app");
    struct db_probe probe = probe_db(loop, db, 10000);
    ck_assert_int_eq(probe.state, DB_EXHAUSTED);
    CLEANUP_JSON json_t *json = clean_well(db, &at_once, false);
    ck_assert_str_eq(json_text_at(json, "by", ""), _i == 0 ? "lifeline" : "container");
    ck_assert_uint_eq(count_at(json, "ended"), (size_t)crowd.count);
    probe = probe_db(loop, db, 10000);
    ck_assert_int_eq(probe.state, DB_READY);
    crowd_leave(&crowd);
    db_free(db);
}
END_TEST

START_TEST(everybody_goes_before_a_restart)
{
    PGconn *busy = pg_connect(&pg, "app", "busy");
    ck_assert_int_eq(PQsendQuery(busy, "SELECT pg_sleep(60)"), 1);
    struct db *db = db_of(loop, pg_conninfo(&pg, "guard"), NULL);
    struct db_clean_rules rules = {.all = true};
    CLEANUP_JSON json_t *json = clean_well(db, &rules, false);
    ck_assert_uint_eq(count_at(json, "ended"), 1);
    PQfinish(busy);
    db_free(db);
}
END_TEST

START_TEST(superusers_are_spared_and_told_of)
{
    PGconn *app = pg_connect(&pg, "postgres", "app as superuser");
    struct db *db = db_of(loop, pg_conninfo(&pg, "guard"), NULL);
    CLEANUP_JSON json_t *json = clean_well(db, &at_once, false);
    ck_assert_uint_eq(count_at(json, "ended"), 0);
    ck_assert_uint_eq(count_at(json, "spared"), 2);
    ck_assert_ptr_nonnull(strstr(json_text_at(json, "hint/message", ""), "superuser postgres"));
    PQfinish(app);
    db_free(db);
}
END_TEST

START_TEST(superusers_are_ended_when_told)
{
    static const char *const only[] = {"app as *", NULL};
    PGconn *app = pg_connect(&pg, "postgres", "app as superuser");
    struct pg_door door = door_of();
    struct db_clean_rules rules = {.applications = only, .superusers = true};
    struct db *db = db_of(loop, pg_conninfo(&pg, "guard"), _i == 0 ? &door : NULL);
    CLEANUP_JSON json_t *json = clean_well(db, &rules, false);
    /* Our role may not; the back door's may. */
    ck_assert_str_eq(json_text_at(json, "by", ""), _i == 0 ? "container" : "login");
    ck_assert_uint_eq(count_at(json, "ended"), _i == 0);
    ck_assert_uint_eq(count_at(json, "denied"), _i != 0);
    PQfinish(app);
    db_free(db);
}
END_TEST

START_TEST(no_pg_signal_backend)
{
    struct crowd crowd = {0};
    crowd_join(&crowd, &pg, "app", 2);
    struct pg_door door = door_of();
    struct db *db = db_of(loop, pg_conninfo(&pg, "watcher"), _i == 0 ? &door : NULL);
    CLEANUP_JSON json_t *json = clean_well(db, &at_once, false);
    ck_assert_uint_eq(count_at(json, "ended"), _i == 0 ? 2 : 0);
    ck_assert_uint_eq(count_at(json, "denied"), _i == 0 ? 0 : 2);
    if (_i == 1)
        ck_assert_ptr_nonnull(
            strstr(json_text_at(json, "hint/hint", ""), "GRANT pg_signal_backend TO watcher;"));
    crowd_leave(&crowd);
    db_free(db);
}
END_TEST

START_TEST(no_pg_monitor)
{
    struct crowd crowd = {0};
    crowd_join(&crowd, &pg, "app", 2);
    struct pg_door door = door_of();
    struct db *db = db_of(loop, pg_conninfo(&pg, "plain"), _i == 0 ? &door : NULL);
    CLEANUP_JSON json_t *json = clean_well(db, &at_once, false);
    ck_assert_uint_eq(count_at(json, "ended"), _i == 0 ? 2 : 0);
    if (_i == 1) {
        ck_assert_str_eq(json_text_at(json, "hint/code", ""), "permission");
        ck_assert_ptr_nonnull(
            strstr(json_text_at(json, "hint/hint", ""), "GRANT pg_monitor TO plain;"));
    }
    crowd_leave(&crowd);
    db_free(db);
}
END_TEST

START_TEST(back_door_would_help_and_does_not_open)
{
    /* Our own role may end its own sessions: that much is done. */
    PGconn *own = pg_connect(&pg, "watcher", "own");
    PGconn *other = pg_connect(&pg, "app", "other");
    struct pg_door door = door_of();
    door.broken = true;
    struct db *db = db_of(loop, pg_conninfo(&pg, "watcher"), &door);
    CLEANUP_JSON json_t *json = clean_well(db, &at_once, false);
    ck_assert_int_eq(door.runs, 1);
    ck_assert_str_eq(json_text_at(json, "by", ""), "login");
    ck_assert_uint_eq(count_at(json, "ended"), 1);
    ck_assert_uint_eq(count_at(json, "denied"), 1);
    PQfinish(own);
    PQfinish(other);
    db_free(db);
}
END_TEST

/* A role that becomes a superuser between our look and our blow denies the whole statement. */
START_TEST(one_superuser_among_the_victims)
{
    struct crowd crowd = {0};
    crowd_join(&crowd, &pg, "app", 3);
    PGconn *sly = pg_connect(&pg, "plain", "sly");
    /* What the snapshot sees (pg_roles of its own schema) and what the server checks differ, as
     * they would after an ALTER ROLE in between. */
    pg_run(boss, "ALTER ROLE plain SUPERUSER");
    pg_run(boss, "CREATE OR REPLACE VIEW pg_catalog.pg_roles AS SELECT rolname, "
                 "rolsuper AND rolname <> 'plain' AS rolsuper, rolinherit, rolcreaterole, "
                 "rolcreatedb, rolcanlogin, rolreplication, rolconnlimit, '********'::text AS "
                 "rolpassword, rolvaliduntil, rolbypassrls, setconfig AS rolconfig, "
                 "pg_authid.oid FROM pg_authid LEFT JOIN pg_db_role_setting s ON "
                 "pg_authid.oid = setrole AND setdatabase = 0");
    struct db *db = db_of(loop, pg_conninfo(&pg, "guard"), NULL);
    CLEANUP_JSON json_t *json = clean_well(db, &at_once, false);
    ck_assert_uint_eq(count_at(json, "ended"), 3);
    ck_assert_uint_eq(count_at(json, "denied"), 1);
    const json_t *denied = json_array_get(json_at(json, "denied"), 0);
    ck_assert_str_eq(json_text_at(denied, "application", ""), "sly");
    ck_assert_ptr_nonnull(strstr(json_text_at(denied, "why", ""), "42501"));
    PQfinish(sly);
    crowd_leave(&crowd);
    db_free(db);
}
END_TEST

START_TEST(one_that_cannot_be_ended)
{
    struct crowd crowd = {0};
    crowd_join(&crowd, &pg, "app", 3);
    pid_t stuck = PQbackendPID(crowd.conns[1]);
    kill(stuck, SIGSTOP);
    struct db *db = db_of(loop, pg_conninfo(&pg, "guard"), NULL);
    struct err e;
    CLEANUP_JSON json_t *json = clean(loop, db, &at_once, false, 3000, &e);
    ck_assert_msg(json != NULL, "%s", e.text);
    ck_assert_uint_eq(count_at(json, "ended"), 2);
    ck_assert_uint_eq(count_at(json, "stayed"), 1);
    const json_t *stayed = json_array_get(json_at(json, "stayed"), 0);
    ck_assert_int_eq(json_int_at(stayed, "pid", 0), stuck);
    ck_assert_int_eq(json_int_at(json, "used_before", 0) - json_int_at(json, "used_after", 0), 2);
    kill(stuck, SIGCONT);
    crowd_leave(&crowd);
    db_free(db);
}
END_TEST

/* Watching goes on by another way when the first is lost in the middle of it. It has begun when
 * the last that we asked is who is left. */
static bool watching(void *data)
{
    (void)data;
    return pg_number(boss, "SELECT count(*) FROM pg_stat_activity WHERE application_name = "
                           "'stack-supervisor' AND query LIKE '%%''left''%%'") == 1 &&
           pg_number(boss, "SELECT count(*) FROM pg_stat_activity WHERE application_name = "
                           "'crowd'") == 1;
}

struct outcome {
    bool delivered;
    json_t *json;
    enum err_code code;
};

static void on_report(void *data, const struct err *e, const struct db_clean_report *report)
{
    struct outcome *outcome = data;
    outcome->delivered = true;
    outcome->json = report ? db_clean_report_json(report) : NULL;
    outcome->code = e ? e->code : ERR_NONE;
    loop_stop(loop);
}

static bool door_was_opened(void *data)
{
    return ((struct pg_door *)data)->runs > 0;
}

static bool is_delivered(void *data)
{
    return ((struct outcome *)data)->delivered;
}

START_TEST(lifeline_lost_while_watching)
{
    struct crowd crowd = {0};
    struct lifeline_log log;
    crowd_join(&crowd, &pg, "app", 2);
    kill(PQbackendPID(crowd.conns[0]), SIGSTOP);
    struct db *db = db_of(loop, pg_conninfo(&pg, "guard"), NULL);
    keep_lifeline(db, loop, &log);
    struct outcome outcome = {0};
    db_clean(db, &at_once, false, 20000, on_report, &outcome);
    await(loop, watching, NULL);
    pg_run(boss, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                 "WHERE application_name = 'stack-supervisor'");
    await_lifeline(&log, 1, 1);
    ck_assert(!outcome.delivered);
    kill(PQbackendPID(crowd.conns[0]), SIGCONT);
    await(loop, is_delivered, &outcome);
    ck_assert_uint_eq(count_at(outcome.json, "ended"), 2);
    json_decref(outcome.json);
    crowd_leave(&crowd);
    db_free(db);
}
END_TEST

static const json_t *of_pid(const json_t *list, int pid)
{
    size_t i;
    json_t *item;
    json_array_foreach((json_t *)list, i, item)
    {
        if (json_int_at(item, "pid", 0) == pid)
            return item;
    }
    ck_abort_msg("no pid %d", pid);
}

/* By whom it is given up: its asker, or the client whose end gives up all that is open. */
static void give_up_while_watching(bool by_asker)
{
    struct crowd crowd = {0};
    crowd_join(&crowd, &pg, "app", 2);
    int stuck = PQbackendPID(crowd.conns[0]);
    kill(stuck, SIGSTOP);
    struct db *db = db_of(loop, pg_conninfo(&pg, "guard"), NULL);
    struct outcome outcome = {0};
    op_id id = db_clean(db, &at_once, false, 20000, on_report, &outcome);
    await(loop, watching, NULL);
    if (by_asker)
        op_cancel(loop, id);
    else
        db = db_free(db);
    ck_assert(!outcome.delivered);
    await(loop, is_delivered, &outcome);
    ck_assert_int_eq(outcome.code, ERR_CANCELLED);
    ck_assert_uint_eq(count_at(outcome.json, "ended") + count_at(outcome.json, "stayed"), 2);
    const json_t *stayed = of_pid(json_at(outcome.json, "stayed"), stuck);
    ck_assert_ptr_nonnull(strstr(json_text_at(stayed, "why", ""), "told to end, and not seen"));
    json_decref(outcome.json);
    kill(stuck, SIGCONT);
    crowd_leave(&crowd);
    db_free(db);
}

/* Who was told to end is told of all the same. */
START_TEST(cancelled_while_watching)
{
    give_up_while_watching(true);
}
END_TEST

START_TEST(freed_while_watching)
{
    give_up_while_watching(false);
}
END_TEST

/* The server dies while victims are watched: they are reported, as what is known of them. */
START_TEST(server_lost_while_watching)
{
    struct crowd crowd = {0};
    crowd_join(&crowd, &pg, "app", 2);
    kill(PQbackendPID(crowd.conns[0]), SIGSTOP);
    struct db *db = db_of(loop, pg_conninfo(&pg, "guard"), NULL);
    struct outcome outcome = {0};
    db_clean(db, &at_once, false, 20000, on_report, &outcome);
    await(loop, watching, NULL);
    pg_halt(&pg, SIGQUIT);
    await(loop, is_delivered, &outcome);
    size_t stayed = count_at(outcome.json, "stayed");
    ck_assert_uint_ge(stayed, 1);
    ck_assert_uint_eq(stayed + count_at(outcome.json, "ended"), 2);
    const json_t *one = json_array_get(json_at(outcome.json, "stayed"), 0);
    ck_assert_ptr_nonnull(strstr(json_text_at(one, "why", ""), "the way in was lost"));
    json_decref(outcome.json);
    crowd_leave(&crowd);
    db_free(db);
}
END_TEST

/* The login that the cleaning came by is ended in the middle: the back door goes on. */
START_TEST(login_lost_while_watching)
{
    struct crowd crowd = {0};
    crowd_join(&crowd, &pg, "app", 2);
    kill(PQbackendPID(crowd.conns[0]), SIGSTOP);
    struct pg_door door = door_of();
    struct db *db = db_of(loop, pg_conninfo(&pg, "guard"), &door);
    struct outcome outcome = {0};
    db_clean(db, &at_once, false, 20000, on_report, &outcome);
    await(loop, watching, NULL);
    while (pg_number(boss, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE "
                           "state = 'idle' AND application_name = 'stack-supervisor'") == 0)
        ; /* between two looks */
    await(loop, door_was_opened, &door);
    ck_assert(!outcome.delivered);
    kill(PQbackendPID(crowd.conns[0]), SIGCONT);
    await(loop, is_delivered, &outcome);
    ck_assert_uint_eq(count_at(outcome.json, "ended"), 2);
    json_decref(outcome.json);
    crowd_leave(&crowd);
    db_free(db);
}
END_TEST

/* A `docker exec` that hangs till its time is over. */
struct hanging_door {
    struct timer *timer;
    void (*done)(void *data, const struct err *e, const char *out);
    void *data;
};

static void on_time_over(void *data)
{
    struct hanging_door *door = data;
    struct err e;
    err_set(&e, ERR_TIMEOUT, "docker: no answer");
    door->done(door->data, &e, NULL);
}

static void hang(void *context, const char *sql, int64_t deadline_ms,
                 void (*done)(void *data, const struct err *e, const char *out), void *data)
{
    struct hanging_door *door = context;
    (void)sql;
    door->done = done;
    door->data = data;
    timer_start(door->timer, deadline_ms);
}

START_TEST(back_door_would_help_and_hangs)
{
    PGconn *own = pg_connect(&pg, "watcher", "own");
    PGconn *other = pg_connect(&pg, "app", "other");
    struct hanging_door door = {0};
    door.timer = timer_new(loop, on_time_over, &door);
    struct db_backdoor backdoor = {.run = hang, .context = &door};
    struct db_options options = {.conninfo = pg_conninfo(&pg, "watcher"), .backdoor = &backdoor};
    struct outcome outcome = {0};
    struct db *db;
    ck_assert_int_eq(db_new(loop, &options, &db, NULL), 0);
    db_clean(db, &at_once, false, 4000, on_report, &outcome);
    await(loop, is_delivered, &outcome);
    ck_assert_int_eq(outcome.code, ERR_NONE);
    ck_assert_uint_eq(count_at(outcome.json, "ended"), 1);
    ck_assert_uint_eq(count_at(outcome.json, "denied"), 1);
    json_decref(outcome.json);
    PQfinish(own);
    PQfinish(other);
    db_free(db);
    timer_free(door.timer);
}
END_TEST

/* A back door whose second question, the one that ends, is asked and not answered. */
struct mute_door {
    struct db_backdoor door;
    int runs;
    void (*done)(void *data, const struct err *e, const char *out);
    void *data;
};

static void run_or_hold(void *context, const char *sql, int64_t deadline_ms,
                        void (*done)(void *data, const struct err *e, const char *out), void *data)
{
    struct mute_door *mute = context;
    if (++mute->runs == 1) {
        mute->door.run(mute->door.context, sql, deadline_ms, done, data);
        return;
    }
    mute->done = done;
    mute->data = data;
}

static bool is_asked_to_end(void *data)
{
    return ((struct mute_door *)data)->runs == 2;
}

START_TEST(cancelled_before_an_answer)
{
    struct crowd crowd = {0};
    crowd_join(&crowd, &pg, "app", 2);
    struct pg_door door = door_of();
    struct mute_door mute = {.door = pg_backdoor(&door)};
    struct db_backdoor backdoor = {.run = run_or_hold, .context = &mute};
    struct db_options options = {.conninfo = "host=/nonexistent user=app", .backdoor = &backdoor};
    struct outcome outcome = {0};
    struct err e;
    struct db *db;
    ck_assert_int_eq(db_new(loop, &options, &db, NULL), 0);
    op_id id = db_clean(db, &at_once, false, 20000, on_report, &outcome);
    await(loop, is_asked_to_end, &mute);
    op_cancel(loop, id);
    await(loop, is_delivered, &outcome);
    ck_assert_int_eq(outcome.code, ERR_CANCELLED);
    ck_assert_uint_eq(count_at(outcome.json, "stayed"), 2);
    const json_t *one = json_array_get(json_at(outcome.json, "stayed"), 0);
    ck_assert_ptr_nonnull(strstr(json_text_at(one, "why", ""), "no answer came"));
    json_decref(outcome.json);
    err_set(&e, ERR_CANCELLED, "docker: given up");
    mute.done(mute.data, &e, NULL);
    crowd_leave(&crowd);
    db_free(db);
}
END_TEST

START_TEST(cancelled_before_anybody_was_told)
{
    struct crowd crowd = {0};
    crowd_join(&crowd, &pg, "app", 2);
    struct db *db = db_of(loop, pg_conninfo(&pg, "guard"), NULL);
    struct outcome outcome = {0};
    op_cancel(loop, db_clean(db, &at_once, false, 20000, on_report, &outcome));
    await(loop, is_delivered, &outcome);
    ck_assert_int_eq(outcome.code, ERR_CANCELLED);
    ck_assert_ptr_null(outcome.json);
    crowd_leave(&crowd);
    db_free(db);
}
END_TEST

/* A session that was idle when we looked, and works again when we strike. */
struct waking_door {
    struct db_backdoor door;
    PGconn *sleeper;
    int runs;
};

static void wake_and_run(void *context, const char *sql, int64_t deadline_ms,
                         void (*done)(void *data, const struct err *e, const char *out), void *data)
{
    struct waking_door *waking = context;
    if (++waking->runs == 2) /* the first looks, the second ends */
        pg_run(waking->sleeper, "SELECT 1");
    waking->door.run(waking->door.context, sql, deadline_ms, done, data);
}

static bool crowd_is_idle_for_long(void *data)
{
    (void)data;
    return pg_number(boss, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'crowd' "
                           "AND state_change < clock_timestamp() - interval '1 s'") == 2;
}

START_TEST(one_that_wakes_up_is_spared)
{
    struct crowd crowd = {0};
    crowd_join(&crowd, &pg, "app", 2);
    struct pg_door door = door_of();
    struct waking_door waking = {.door = pg_backdoor(&door), .sleeper = crowd.conns[0]};
    struct db_backdoor backdoor = {.run = wake_and_run, .context = &waking};
    struct db_options options = {.conninfo = "host=/nonexistent user=app", .backdoor = &backdoor};
    struct db *db;
    ck_assert_int_eq(db_new(loop, &options, &db, NULL), 0);
    await(loop, crowd_is_idle_for_long, NULL);
    struct db_clean_rules rules = {.idle_ms = 1000, .idle_in_transaction_ms = -1};
    CLEANUP_JSON json_t *json = clean_well(db, &rules, false);
    ck_assert_uint_eq(count_at(json, "ended"), 1);
    const json_t *spared = json_array_get(json_at(json, "spared"), 0);
    ck_assert_int_eq(json_int_at(spared, "pid", 0), PQbackendPID(crowd.conns[0]));
    ck_assert_ptr_nonnull(strstr(json_text_at(spared, "why", ""), "in use again"));
    ck_assert_int_eq(PQstatus(crowd.conns[0]), CONNECTION_OK);
    pg_run(crowd.conns[0], "SELECT 1");
    crowd_leave(&crowd);
    db_free(db);
}
END_TEST

START_TEST(replication_is_never_touched)
{
    CLEANUP_FREE char *conninfo =
        mem_printf("host=%s port=%d user=postgres dbname=app replication=database "
                   "application_name=sender",
                   pg.dir, pg.port);
    PGconn *sender = PQconnectdb(conninfo);
    ck_assert_msg(PQstatus(sender) == CONNECTION_OK, "%s", PQerrorMessage(sender));
    PGconn *leak = pg_connect(&pg, "postgres", "leak");
    struct pg_door door = door_of();
    struct db *db = db_of(loop, pg_conninfo(&pg, "guard"), &door);
    struct err e;
    json_t *seen = look(loop, db, &e);
    ck_assert_str_eq(json_text_at(find(seen, "sender"), "backend_type", ""), "walsender");
    ck_assert_int_eq(json_int_at(seen, "used", 0), 3);
    json_decref(seen);
    struct db_clean_rules rules = {.all = true, .superusers = true};
    static const char *const us[] = {"boss", NULL};
    rules.protect = us;
    CLEANUP_JSON json_t *json = clean_well(db, &rules, false);
    ck_assert_uint_eq(count_at(json, "ended"), 1);
    ck_assert_uint_eq(count_at(json, "spared"), 1);
    ck_assert_int_eq(pg_number(boss, "SELECT count(*) FROM pg_stat_activity "
                                     "WHERE application_name = 'sender'"),
                     1);
    PQfinish(sender);
    PQfinish(leak);
    db_free(db);
}
END_TEST

/* --- CHECKPOINT ----------------------------------------------------------------------------- */

static long checkpoints(void)
{
    return pg_number(boss, "SELECT checkpoints_req FROM pg_stat_bgwriter");
}

START_TEST(checkpoint_by_every_way)
{
    struct pg_door door = door_of();
    struct crowd crowd = {0};
    struct lifeline_log log;
    pg_run(boss, "GRANT pg_checkpoint TO guard");
    long before = checkpoints();
    struct db *db = db_of(loop, pg_conninfo(&pg, "guard"), &door);
    struct err e = checkpoint(loop, db, 10000);
    ck_assert_msg(!err_is_set(&e), "%s", e.text);
    ck_assert_int_eq(door.runs, 0);
    crowd_fill(&crowd, &pg, "app");
    e = checkpoint(loop, db, 10000); /* no login to be had */
    ck_assert_msg(!err_is_set(&e), "%s", e.text);
    ck_assert_int_eq(door.runs, 1);
    PQfinish(crowd.conns[--crowd.count]);
    keep_lifeline(db, loop, &log);
    crowd_fill(&crowd, &pg, "app");
    e = checkpoint(loop, db, 10000);
    ck_assert_msg(!err_is_set(&e), "%s", e.text);
    ck_assert_int_eq(door.runs, 1);
    while (checkpoints() < before + 3)
        ;
    crowd_leave(&crowd);
    db_free(db);
}
END_TEST

START_TEST(checkpoint_without_the_right)
{
    struct pg_door door = door_of();
    struct db *db = db_of(loop, pg_conninfo(&pg, "guard"), NULL);
    struct err e = checkpoint(loop, db, 10000);
    ck_assert_int_eq(e.code, ERR_PERMISSION);
    ck_assert_ptr_nonnull(strstr(e.hint, "GRANT pg_checkpoint TO guard;"));
    db_free(db);
    db = db_of(loop, pg_conninfo(&pg, "guard"), &door);
    e = checkpoint(loop, db, 10000);
    ck_assert_msg(!err_is_set(&e), "%s", e.text);
    ck_assert_int_eq(door.runs, 1);
    db_free(db);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("postgres_clean");
    TCase *real = tcase_create("real");
    tcase_add_unchecked_fixture(real, pg_template_make, pg_template_remove);
    tcase_add_checked_fixture(real, setup, teardown);
    tcase_set_timeout(real, 60);
    tcase_add_test(real, who_is_there);
    tcase_add_test(real, who_is_there_without_pg_monitor);
    tcase_add_test(real, prepared_transactions_are_counted);
    tcase_add_test(real, nobody_elses_functions_are_called);
    tcase_add_test(real, exhausted_and_no_way_in);
    tcase_add_test(real, nobody_home);
    tcase_add_test(real, dry_run_ends_nobody);
    tcase_add_test(real, idle_sessions_are_ended_and_gone);
    tcase_add_loop_test(real, an_exhausted_server_is_cleaned, 0, 2);
    tcase_add_test(real, everybody_goes_before_a_restart);
    tcase_add_test(real, superusers_are_spared_and_told_of);
    tcase_add_loop_test(real, superusers_are_ended_when_told, 0, 2);
    tcase_add_loop_test(real, no_pg_signal_backend, 0, 2);
    tcase_add_loop_test(real, no_pg_monitor, 0, 2);
    tcase_add_test(real, back_door_would_help_and_does_not_open);
    tcase_add_test(real, back_door_would_help_and_hangs);
    tcase_add_test(real, one_superuser_among_the_victims);
    tcase_add_test(real, one_that_cannot_be_ended);
    tcase_add_test(real, lifeline_lost_while_watching);
    tcase_add_test(real, cancelled_while_watching);
    tcase_add_test(real, freed_while_watching);
    tcase_add_test(real, cancelled_before_an_answer);
    tcase_add_test(real, cancelled_before_anybody_was_told);
    tcase_add_test(real, server_lost_while_watching);
    tcase_add_test(real, login_lost_while_watching);
    tcase_add_test(real, one_that_wakes_up_is_spared);
    tcase_add_test(real, replication_is_never_touched);
    tcase_add_test(real, checkpoint_by_every_way);
    tcase_add_test(real, checkpoint_without_the_right);
    suite_add_tcase(suite, real);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
