/* What a run does with the database: one that does not get up, and a real one. */
#include "base/buf.h"
#include "tests/unit/pg_fixture.h"
#include "tests/unit/run_fixture.h"

#include <signal.h>

/* --- a database that starts up ---------------------------------------------------------------- */

#define STARTING "SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0"

static void on_client_closed(uv_handle_t *client)
{
    free(client);
}

/* "57P03" to whoever connects; a NUL cannot be told to fake_listen, so the port is our own. */
static void on_client(uv_stream_t *server, int status)
{
    static const char words[] = STARTING;
    ck_assert_int_eq(status, 0);
    uv_tcp_t *client = mem_new(sizeof *client);
    uv_tcp_init(loop_uv(loop), client);
    uv_accept(server, (uv_stream_t *)client);
    char message[5 + sizeof words] = {'E'};
    message[4] = (char)(4 + sizeof words - 1);
    memcpy(message + 5, words, sizeof words - 1);
    uv_buf_t bytes = uv_buf_init(message, 5 + sizeof words - 1);
    uv_try_write((uv_stream_t *)client, &bytes, 1);
    uv_close((uv_handle_t *)client, on_client_closed);
}

static int listen_starting(uv_tcp_t *server)
{
    struct sockaddr_in address;
    int len = sizeof address;
    uv_ip4_addr("127.0.0.1", 0, &address);
    uv_tcp_init(loop_uv(loop), server);
    ck_assert_int_eq(uv_tcp_bind(server, (const struct sockaddr *)&address, 0), 0);
    ck_assert_int_eq(uv_listen((uv_stream_t *)server, 16, on_client), 0);
    uv_tcp_getsockname(server, (struct sockaddr *)&address, &len);
    return ntohs(address.sin_port);
}

/* One line of the database's log, as the Engine frames it; told in turn, the last for ever. */
static void add_log_line(const char *line)
{
    static const char route[] = "GET /v1.41/containers/shop_db_1/logs";
    CLEANUP_FREE char *text = mem_printf("2026-01-01T00:00:00.000000000Z %s\n", line);
    struct buf answer;
    buf_init(&answer, 4096);
    buf_printf(&answer, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", strlen(text) + 8);
    const char head[8] = {1, 0, 0, 0, 0, 0, 0, (char)strlen(text)};
    buf_add(&answer, head, sizeof head);
    buf_puts(&answer, text);
    fake_engine_raw(world.engine, route, answer.data, answer.len, FAKE_KEEP);
    buf_free(&answer);
}

/* What the startup process calls itself the next time that it is asked. */
static void add_title(const char *title)
{
    static const char route[] = "GET /v1.41/containers/shop_db_1/top";
    CLEANUP_FREE char *body = mem_printf("{\"Titles\":[\"PID\",\"COMMAND\"],\"Processes\":"
                                         "[[\"1\",\"postgres\"],[\"7\",\"%s\"]]}",
                                         title);
    CLEANUP_FREE char *answer =
        mem_printf("HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(body), body);
    fake_engine_raw(world.engine, route, answer, strlen(answer), FAKE_KEEP);
}

/* Waits for a server that says "starting up" until it is given up; gives the milliseconds. */
static int64_t wait_for_one_that_starts(void)
{
    static uv_tcp_t server; /* closed by the loop's end */
    CLEANUP_FREE char *connect =
        mem_printf("host=127.0.0.1 port=%d user=x sslmode=disable", listen_starting(&server));
    const struct reach_options options = {.connect = connect};
    reach_configure(reach, &options);
    add_playbook("raise", "- wait: database ready\n  timeout: 1s\n");
    int64_t began = loop_now(loop);
    json_t *record = run_to_end("raise");
    int64_t took = loop_now(loop) - began;
    assert_end(record, "failed", 0);
    unit_assert_has(json_text_at(end_of(record), "text", ""), "shows no progress: starting");
    json_decref(record);
    uv_close((uv_handle_t *)&server, NULL);
    return took;
}

START_TEST(a_server_is_seen_to_get_on_by_what_its_process_calls_itself)
{
    add_log_line("das Datenbanksystem startet");
    add_title("postgres: startup recovering 00000001000000000000001A");
    add_title("postgres: startup recovering 00000001000000000000001B");
    int64_t took = wait_for_one_that_starts();
    ck_assert_int_ge(took, 2900); /* two signs, a second each, and the last time none */
    ck_assert_int_lt(took, 8000);
}
END_TEST

START_TEST(what_clients_leave_in_the_log_is_no_sign_of_a_replay)
{
    add_log_line("connection received: host=172.20.0.3 port=40001");
    add_log_line("connection received: host=172.20.0.3 port=40002");
    add_log_line("connection received: host=172.20.0.3 port=40003");
    ck_assert_int_lt(wait_for_one_that_starts(), 2000);
}
END_TEST

START_TEST(a_server_that_replays_is_given_more_time_while_it_gets_on)
{
    add_log_line("redo in progress, elapsed time: 1.00 s, current LSN: 0/1A000000");
    add_log_line("redo in progress, elapsed time: 2.00 s, current LSN: 0/1B000000");
    add_log_line("redo in progress, elapsed time: 3.00 s, current LSN: 0/1C000000");
    int64_t took = wait_for_one_that_starts();
    /* Three signs of progress, a second each, and the last one that was none. */
    ck_assert_int_ge(took, 3900);
    ck_assert_int_lt(took, 8000);
}
END_TEST

/* --- a database that answers ------------------------------------------------------------------ */

static struct pg pg;

/* A real server, on which the world's database is found. */
static void begin_server(void)
{
    pg_template_make();
    pg_start(&pg);
    const struct reach_options options = {.connect = pg_conninfo(&pg, "guard")};
    reach_configure(reach, &options);
}

static void end_server(void)
{
    pg_stop(&pg);
    pg_template_remove();
}

static const json_t *evidence_of(const json_t *record, const char *what)
{
    const json_t *entries = json_at(record, "entries");
    for (size_t i = 0; i < json_array_size(entries); i++) {
        const json_t *entry = json_array_get(entries, i);
        if (strcmp(json_text_at(entry, "what", ""), what) == 0)
            return json_at(entry, "detail");
    }
    ck_abort_msg("no evidence of %s", what);
    return NULL;
}

static const json_t *detail_of(const json_t *record, const char *action)
{
    const json_t *entries = json_at(record, "entries");
    for (size_t i = 0; i < json_array_size(entries); i++) {
        const json_t *entry = json_array_get(entries, i);
        if (strcmp(json_text_at(entry, "action", ""), action) == 0 && json_at(entry, "detail"))
            return json_at(entry, "detail");
    }
    ck_abort_msg("no detail of %s", action);
    return NULL;
}

START_TEST(a_database_is_looked_at_cleaned_and_verified)
{
    struct crowd crowd = {0};
    begin_server();
    crowd_join(&crowd, &pg, "app", 12);
    add_playbook("tidy", "- capture: evidence\n"
                         "- clean: {idle: 0s}\n"
                         "- checkpoint: database\n"
                         "- wait: database ready\n"
                         "- verify: {services: healthy, connections.utilization: '< 60%'}\n");
    json_t *record = run_to_end("tidy");
    assert_end(record, "succeeded", 0);
    assert_results(record,
                   "capture done, clean done, checkpoint failed, wait-ready:shop_db_1 done, "
                   "verify done"); /* "guard" may not checkpoint, and that is no harm */
    const json_t *connections = evidence_of(record, "connections");
    ck_assert_int_ge(json_int_at(connections, "used", 0), 12);
    ck_assert_str_eq(json_text_at(evidence_of(record, "database"), "state", ""), "ready");
    ck_assert_uint_eq(json_array_size(json_at(detail_of(record, "clean"), "ended")), 12);
    const json_t *end = end_of(record);
    ck_assert_int_ge(json_int_at(end, "before/connections/used", 0), 12);
    ck_assert_int_lt(json_int_at(end, "after/connections/used", 99), 12);
    ck_assert_str_eq(json_text_at(end, "after/database", ""), "ready");
    json_decref(record);
    crowd_leave(&crowd);
    end_server();
}
END_TEST

static void on_planned(void *data, const struct err *e, const struct plan *plan)
{
    (void)e;
    *(bool *)data = plan != NULL;
    ck_assert_msg(plan != NULL, "%s", e ? e->text : "");
}

/* A clean that has ended one of two sessions, and waits for the other, which is `stuck`. */
static int64_t start_clean_that_waits(PGconn *boss, struct crowd *crowd, pid_t *ret_stuck)
{
    crowd_join(crowd, &pg, "app", 2);
    *ret_stuck = PQbackendPID(crowd->conns[0]);
    kill(*ret_stuck, SIGSTOP);
    add_playbook("tidy", "- clean: {idle: 0s}\n");
    int64_t run = start("tidy");
    while (pg_number(boss, "SELECT count(*) FROM pg_stat_activity WHERE application_name = "
                           "'crowd'") > 1)
        turn();
    return run;
}

START_TEST(a_plan_that_is_shown_takes_nothing_from_a_run)
{
    struct crowd crowd = {0};
    pid_t stuck;
    bool planned = false;
    begin_server();
    PGconn *boss = pg_connect(&pg, "postgres", "boss");
    int64_t run = start_clean_that_waits(boss, &crowd, &stuck);
    CLEANUP_FREE char *connect = mem_printf("%s application_name=other", pg_conninfo(&pg, "guard"));
    const struct reach_options options = {.connect = connect};
    reach_configure(reach, &options);
    runner_plan(runner, "bounce", NULL, on_planned, &planned);
    while (!planned)
        turn();
    kill(stuck, SIGCONT);
    await_end();
    json_t *record = record_of(run);
    assert_results(record, "clean done");
    ck_assert_uint_eq(json_array_size(json_at(detail_of(record, "clean"), "ended")), 2);
    json_decref(record);
    PQfinish(boss);
    crowd_leave(&crowd);
    end_server();
}
END_TEST

/* The note that is left of a clean that was given up, when it had told two sessions to end. */
static void assert_told_of_two(const json_t *record, int stuck)
{
    ck_assert(has_entry(record, "note", "clean did not come to its end; it had "));
    const json_t *detail = detail_of(record, "clean");
    const json_t *stayed = json_at(detail, "stayed");
    ck_assert_uint_eq(json_array_size(json_at(detail, "ended")) + json_array_size(stayed), 2);
    bool is_named = false;
    for (size_t i = 0; i < json_array_size(stayed); i++) {
        const json_t *one = json_array_get(stayed, i);
        unit_assert_has(json_text_at(one, "why", ""), "idle for ");
        is_named |= json_int_at(one, "pid", 0) == stuck;
    }
    ck_assert(is_named);
}

START_TEST(whom_an_aborted_clean_has_ended_is_told)
{
    struct crowd crowd = {0};
    struct err e;
    pid_t stuck;
    begin_server();
    PGconn *boss = pg_connect(&pg, "postgres", "boss");
    int64_t run = start_clean_that_waits(boss, &crowd, &stuck);
    ck_assert_int_eq(runner_abort(runner, run, "me", &e), 0);
    await_end();
    json_t *record = record_of(run);
    assert_end(record, "aborted", 0);
    assert_results(record, "clean skipped");
    assert_told_of_two(record, stuck);
    json_decref(record);
    kill(stuck, SIGCONT);
    PQfinish(boss);
    crowd_leave(&crowd);
    end_server();
}
END_TEST

START_TEST(whom_a_clean_has_ended_is_told_when_its_way_in_is_taken)
{
    struct crowd crowd = {0};
    pid_t stuck;
    begin_server();
    PGconn *boss = pg_connect(&pg, "postgres", "boss");
    int64_t run = start_clean_that_waits(boss, &crowd, &stuck);
    const struct reach_options options = {.connect = pg_conninfo(&pg, "postgres")};
    reach_configure(reach, &options);
    char name[] = "shop_db_1";
    const struct container nowhere = {.id = "db", .name = name};
    ck_assert_int_eq(reach_aim(reach, &nowhere, NULL), 0);
    await_end();
    json_t *record = record_of(run);
    assert_results(record, "clean failed");
    assert_told_of_two(record, stuck);
    json_decref(record);
    kill(stuck, SIGCONT);
    PQfinish(boss);
    crowd_leave(&crowd);
    end_server();
}
END_TEST

START_TEST(whom_a_clean_has_ended_is_told_though_the_daemon_ends)
{
    struct crowd crowd = {0};
    pid_t stuck;
    begin_server();
    end_life();
    begin_life(path);
    PGconn *boss = pg_connect(&pg, "postgres", "boss");
    int64_t run = start_clean_that_waits(boss, &crowd, &stuck);
    drain();
    end_life();
    begin_life(path);
    json_t *record = record_of(run);
    assert_told_of_two(record, stuck);
    json_decref(record);
    kill(stuck, SIGCONT);
    ck_assert(resume()); /* and is gone on with */
    await_end();
    record = record_of(run);
    assert_results(record, "clean done");
    json_decref(record);
    PQfinish(boss);
    crowd_leave(&crowd);
    end_server();
}
END_TEST

START_TEST(a_database_that_stays_full_is_not_verified)
{
    struct crowd crowd = {0};
    begin_server();
    crowd_join(&crowd, &pg, "app", 12);
    add_playbook("look", "- verify: {connections.utilization: '< 60%'}\n  timeout: 1s\n");
    json_t *record = run_to_end("look");
    assert_end(record, "failed", 0);
    unit_assert_has(json_text_at(end_of(record), "text", ""), "not below 60%");
    json_decref(record);
    crowd_leave(&crowd);
    end_server();
}
END_TEST

START_TEST(a_database_that_does_not_answer_fails_its_steps_in_seconds)
{
    add_playbook("tidy", "- capture: evidence\n- clean: {}\n- checkpoint: database\n");
    int64_t began = loop_now(loop);
    json_t *record = run_to_end("tidy");
    ck_assert_int_lt(loop_now(loop) - began, 10000);
    assert_results(record, "capture done, clean failed, checkpoint failed");
    assert_end(record, "succeeded", 0); /* none of the three turns a run */
    json_decref(record);
}
END_TEST

/* --- a run that is carried on ----------------------------------------------------------------- */

/* A life that has begun a run and not one of its actions, and another that does them all and knows
 * no address yet, as a command's process knows none. The caller owns the record. */
static json_t *carried_on_to_end(const char *playbook)
{
    end_life();
    begin_life(path);
    int64_t run = start(playbook);
    drain();
    end_life();
    reach_free(reach);
    const struct reach_options options = {.connect = pg_conninfo(&pg, "guard")};
    reach = reach_new(loop, world.docker, &options);
    begin_life(path);
    ck_assert(resume());
    await_end();
    return record_of(run);
}

START_TEST(a_run_that_is_carried_on_finds_the_database_to_verify)
{
    begin_server();
    add_playbook("look", "- verify: {connections.utilization: '< 90%'}\n  timeout: 4s\n");
    json_t *record = carried_on_to_end("look");
    assert_end(record, "succeeded", 0);
    json_decref(record);
    end_server();
}
END_TEST

START_TEST(a_run_that_is_carried_on_finds_the_database_for_its_evidence)
{
    begin_server();
    json_t *record = carried_on_to_end("other");
    assert_end(record, "succeeded", 0);
    ck_assert_str_eq(json_text_at(evidence_of(record, "database"), "state", ""), "ready");
    ck_assert_int_gt(json_int_at(evidence_of(record, "connections"), "max", 0), 0);
    json_decref(record);
    end_server();
}
END_TEST

START_TEST(a_run_that_is_carried_on_looks_at_the_database_at_its_end)
{
    begin_server();
    json_t *record = carried_on_to_end("bounce");
    assert_end(record, "succeeded", 0);
    ck_assert_str_eq(json_text_at(end_of(record), "after/database", ""), "ready");
    ck_assert_int_gt(json_int_at(end_of(record), "after/connections/max", 0), 0);
    json_decref(record);
    end_server();
}
END_TEST

START_TEST(a_run_that_is_carried_on_starts_nobody_before_slots_are_free)
{
    begin_server();
    add_playbook("gated", "- stop: apps\n- start: apps\n  gate: 1000\n");
    json_t *record = carried_on_to_end("gated");
    assert_end(record, "succeeded", 0);
    ck_assert(has_entry(record, "note", "free slots, not 1000")); /* it was asked for them */
    json_decref(record);
    end_server();
}
END_TEST

UNIT_MAIN_WITH("run_database", run_set_up, run_tear_down,
               a_server_is_seen_to_get_on_by_what_its_process_calls_itself,
               what_clients_leave_in_the_log_is_no_sign_of_a_replay,
               a_server_that_replays_is_given_more_time_while_it_gets_on,
               a_database_is_looked_at_cleaned_and_verified,
               a_plan_that_is_shown_takes_nothing_from_a_run,
               whom_an_aborted_clean_has_ended_is_told,
               whom_a_clean_has_ended_is_told_when_its_way_in_is_taken,
               whom_a_clean_has_ended_is_told_though_the_daemon_ends,
               a_database_that_stays_full_is_not_verified,
               a_database_that_does_not_answer_fails_its_steps_in_seconds,
               a_run_that_is_carried_on_finds_the_database_to_verify,
               a_run_that_is_carried_on_finds_the_database_for_its_evidence,
               a_run_that_is_carried_on_looks_at_the_database_at_its_end,
               a_run_that_is_carried_on_starts_nobody_before_slots_are_free)
