/* The client against a fake Engine: negotiation, the calls, and every way an answer can fail. */
#include "docker/docker.h"

#include "base/mem.h"
#include "tests/fake/engine.h"

#include <check.h>
#include <string.h>

/* --- one asker for all calls ------------------------------------------------------------------ */

struct asker {
    struct loop *loop;
    struct fake_engine *engine;
    struct docker *docker;
    struct timer *guard;

    int wanted, answers; /* the loop stops with the last one */
    struct err e;        /* of the last answer; code ERR_NONE for success */
    bool changed;
    int64_t exit_code;
    char *text; /* names of a list, lines of a log, a container's name, a command's output */
};

static void on_guard(void *data)
{
    (void)data;
    ck_abort_msg("no answer within 20 s");
}

static void asker_open(struct asker *a)
{
    *a = (struct asker){.loop = loop_new(), .wanted = 1};
    unsetenv("DOCKER_API_VERSION");
    a->engine = fake_engine_new(a->loop);
    a->guard = timer_new(a->loop, on_guard, NULL);
    struct docker_options options = {.host = fake_engine_host(a->engine)};
    ck_assert_int_eq(docker_new(a->loop, &options, &a->docker, &a->e), 0);
}

static void asker_close(struct asker *a)
{
    docker_free(a->docker);
    fake_engine_free(a->engine);
    timer_free(a->guard);
    loop_free(a->loop);
    free(a->text);
}

/* Runs until `wanted` answers came. */
static void await(struct asker *a, int wanted)
{
    a->wanted = wanted;
    timer_start(a->guard, 20000);
    while (a->answers < a->wanted)
        loop_run(a->loop);
    a->answers = 0;
    timer_stop(a->guard);
}

static void answered(struct asker *a, const struct err *e)
{
    err_copy(&a->e, e);
    if (++a->answers >= a->wanted)
        loop_stop(a->loop);
}

static void on_done(void *data, const struct err *e)
{
    answered(data, e);
}

static void on_change(void *data, const struct err *e, bool changed)
{
    ((struct asker *)data)->changed = changed;
    answered(data, e);
}

static void on_wait(void *data, const struct err *e, int64_t exit_code)
{
    ((struct asker *)data)->exit_code = exit_code;
    answered(data, e);
}

static void on_list(void *data, const struct err *e, const struct docker_summary *items,
                    size_t count)
{
    struct asker *a = data;
    mem_replace(&a->text, "");
    for (size_t i = 0; i < count; i++) {
        char *text =
            mem_printf("%s%s=%s;", a->text, items[i].name, container_state_name(items[i].state));
        free(a->text);
        a->text = text;
    }
    answered(a, e);
}

static void on_inspect(void *data, const struct err *e, struct container *container)
{
    struct asker *a = data;
    mem_replace(&a->text, e ? NULL : container->name);
    answered(a, e);
}

static void on_logs(void *data, const struct err *e, const struct docker_log_line *lines,
                    size_t count)
{
    struct asker *a = data;
    mem_replace(&a->text, count ? lines[count - 1].text : NULL);
    answered(a, e);
}

static void on_exec(void *data, const struct err *e, const struct docker_output *output)
{
    struct asker *a = data;
    a->exit_code = e ? -1 : output->exit_code;
    free(a->text);
    a->text = e ? NULL : mem_printf("out=%s err=%s", output->out, output->err);
    answered(a, e);
}

static const char container_json[] =
    "{\"Id\":\"abc\",\"Name\":\"/backend\",\"State\":{\"Status\":\"running\"},\"Config\":{}}";

#define LAST(a, route) fake_engine_last((a)->engine, (route))

static bool contains(const char *text, const char *part)
{
    return text && strstr(text, part);
}

/* --- negotiation ------------------------------------------------------------------------------ */

static void expect_version(const char *engine, const char *used)
{
    struct asker a;
    asker_open(&a);
    fake_engine_set_api(a.engine, engine);
    docker_ping(a.docker, 5000, on_done, &a);
    await(&a, 1);
    ck_assert_int_eq(a.e.code, ERR_NONE);
    ck_assert_str_eq(docker_api_version(a.docker), used);
    ck_assert_str_eq(docker_server(a.docker), "Docker/20.10.24 (linux)");
    asker_close(&a);
}

START_TEST(the_highest_common_version_is_used)
{
    expect_version("1.41", "1.41");
    expect_version("1.44", "1.44");
    expect_version("1.60", "1.55");
}
END_TEST

START_TEST(an_engine_too_old_is_told)
{
    struct asker a;
    asker_open(&a);
    fake_engine_set_api(a.engine, "1.40");
    docker_start(a.docker, "backend", 5000, on_change, &a);
    await(&a, 1);
    ck_assert_int_eq(a.e.code, ERR_UNSUPPORTED);
    ck_assert_str_eq(a.e.text, "docker: start backend: engine too old: API 1.40, at least 1.41 "
                               "(Docker 20.10) is needed");
    asker_close(&a);
}
END_TEST

START_TEST(an_engine_too_new_is_told)
{
    struct asker a;
    asker_open(&a);
    fake_engine_set_api(a.engine, "1.70");
    fake_engine_text(a.engine, "GET /v1.55/",
                     "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n"
                     "Content-Length: 67\r\n\r\n"
                     "client version 1.55 is too old. Minimum supported API version is 1.60",
                     FAKE_CLOSE);
    docker_list(a.docker, NULL, 5000, on_list, &a);
    await(&a, 1);
    ck_assert_int_eq(a.e.code, ERR_UNSUPPORTED);
    ck_assert(contains(a.e.hint, "too new for this program"));
    asker_close(&a);
}
END_TEST

START_TEST(one_ping_serves_all_calls_that_wait_for_it)
{
    struct asker a;
    asker_open(&a);
    fake_engine_json(a.engine, "GET /v1.41/containers/", 200, container_json);
    for (int i = 0; i < 5; i++)
        docker_inspect(a.docker, "backend", 5000, on_inspect, &a);
    await(&a, 5);
    ck_assert_int_eq(a.e.code, ERR_NONE);
    ck_assert_uint_eq(fake_engine_count(a.engine, "GET /_ping"), 1);
    asker_close(&a);
}
END_TEST

START_TEST(a_lost_connection_makes_the_next_call_negotiate_again)
{
    struct asker a;
    asker_open(&a);
    fake_engine_text(a.engine, "POST /v1.41/containers/x/start", "", FAKE_CLOSE);
    fake_engine_json(a.engine, "POST /v1.43/containers/x/start", 204, "");
    docker_start(a.docker, "x", 5000, on_change, &a);
    await(&a, 1);
    ck_assert_int_eq(a.e.code, ERR_UNREACHABLE);
    fake_engine_set_api(a.engine, "1.43"); /* another engine took its place */
    docker_start(a.docker, "x", 5000, on_change, &a);
    await(&a, 1);
    ck_assert_int_eq(a.e.code, ERR_NONE);
    ck_assert_str_eq(docker_api_version(a.docker), "1.43");
    asker_close(&a);
}
END_TEST

START_TEST(a_version_that_is_given_is_not_negotiated)
{
    struct asker a;
    asker_open(&a);
    docker_free(a.docker);
    struct docker_options options = {.host = fake_engine_host(a.engine), .api_version = "1.43"};
    ck_assert_int_eq(docker_new(a.loop, &options, &a.docker, &a.e), 0);
    fake_engine_json(a.engine, "GET /v1.43/containers/json", 200, "[]");
    docker_list(a.docker, NULL, 5000, on_list, &a);
    await(&a, 1);
    ck_assert_int_eq(a.e.code, ERR_NONE);
    ck_assert_uint_eq(fake_engine_count(a.engine, "GET /_ping"), 0);
    docker_ping(a.docker, 5000, on_done, &a);
    await(&a, 1);
    ck_assert_str_eq(docker_api_version(a.docker), "1.43");
    asker_close(&a);
}
END_TEST

START_TEST(a_version_nobody_knows_is_refused_at_once)
{
    struct loop *loop = loop_new();
    struct docker *docker = NULL;
    struct err e;
    struct docker_options options = {.host = "/run/x", .api_version = "1.40"};
    ck_assert_int_eq(docker_new(loop, &options, &docker, &e), -ERR_UNSUPPORTED);
    options.api_version = "new";
    ck_assert_int_eq(docker_new(loop, &options, &docker, &e), -ERR_INVALID);
    options.host = "ssh://x";
    ck_assert_int_eq(docker_new(loop, &options, &docker, &e), -ERR_UNSUPPORTED);
    ck_assert_ptr_null(docker);
    ck_assert_ptr_null(docker_free(NULL));
    loop_free(loop);
}
END_TEST

START_TEST(who_answers_without_a_version_is_no_engine)
{
    struct asker a;
    asker_open(&a);
    fake_engine_json(a.engine, "GET /_ping", 200, "OK");
    fake_engine_set_api(a.engine, "");
    fake_engine_text(a.engine, "GET /_p", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK",
                     FAKE_KEEP);
    docker_ping(a.docker, 5000, on_done, &a);
    await(&a, 1);
    ck_assert_int_eq(a.e.code, ERR_PROTOCOL);
    asker_close(&a);
}
END_TEST

/* --- the calls -------------------------------------------------------------------------------- */

START_TEST(a_list_names_the_containers_and_asks_for_all_of_the_labels)
{
    struct asker a;
    asker_open(&a);
    fake_engine_json(a.engine, "GET /v1.41/containers/json?all=1", 200,
                     "[{\"Id\":\"1\",\"Names\":[\"/db\"],\"State\":\"running\",\"Labels\":{}},"
                     "{\"Id\":\"2\",\"Names\":[\"/app\"],\"State\":\"exited\",\"Labels\":null},"
                     "{\"no\":\"container\"}]");
    const char *labels[] = {"a=b", "c", NULL};
    docker_list(a.docker, labels, 5000, on_list, &a);
    await(&a, 1);
    ck_assert_int_eq(a.e.code, ERR_NONE);
    ck_assert_str_eq(a.text, "db=running;app=exited;");
    ck_assert(
        contains(LAST(&a, "GET /v1.41"), "filters=%7B%22label%22%3A%5B%22a%3Db%22%2C%22c%22"));
    asker_close(&a);
}
END_TEST

START_TEST(an_answer_that_is_none_is_told)
{
    struct asker a;
    asker_open(&a);
    fake_engine_json(a.engine, "GET /v1.41/containers/json", 200, "[{\"Id\":");
    fake_engine_json(a.engine, "GET /v1.41/containers/json", 200, "{}");
    fake_engine_json(a.engine, "GET /v1.41/containers/x/json", 200, "{]");
    fake_engine_json(a.engine, "GET /v1.41/containers/x/json", 200, "{\"Id\":\"x\"}");
    for (int i = 0; i < 2; i++) {
        docker_list(a.docker, NULL, 5000, on_list, &a);
        await(&a, 1);
        ck_assert_int_eq(a.e.code, ERR_PROTOCOL);
        docker_inspect(a.docker, "x", 5000, on_inspect, &a);
        await(&a, 1);
        ck_assert_int_eq(a.e.code, ERR_PROTOCOL);
    }
    ck_assert_str_eq(a.e.text, "docker: inspect x: the answer describes no container");
    asker_close(&a);
}
END_TEST

START_TEST(an_id_is_escaped_and_shortened_for_people)
{
    struct asker a;
    asker_open(&a);
    fake_engine_json(a.engine, "GET /v1.41/containers/", 404,
                     "{\"message\":\"No such container: x\"}");
    docker_inspect(a.docker, "../x y", 5000, on_inspect, &a);
    await(&a, 1);
    ck_assert(contains(LAST(&a, "GET /v1.41"), "/containers/..%2Fx%20y/json HTTP"));
    docker_inspect(a.docker, "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
                   5000, on_inspect, &a);
    await(&a, 1);
    ck_assert_int_eq(a.e.code, ERR_NOT_FOUND);
    ck_assert(contains(a.e.text, "docker: inspect 0123456789ab: No such container"));
    asker_close(&a);
}
END_TEST

START_TEST(a_change_tells_whether_it_changed_anything)
{
    struct asker a;
    asker_open(&a);
    fake_engine_json(a.engine, "POST /v1.41/containers/x/start", 204, "");
    fake_engine_json(a.engine, "POST /v1.41/containers/x/start", 304, "");
    docker_start(a.docker, "x", 5000, on_change, &a);
    await(&a, 1);
    ck_assert(a.changed);
    docker_start(a.docker, "x", 5000, on_change, &a);
    await(&a, 1);
    ck_assert_int_eq(a.e.code, ERR_NONE);
    ck_assert(!a.changed);
    ck_assert(contains(LAST(&a, "POST "), "Content-Type: application/json"));
    ck_assert(contains(LAST(&a, "POST "), "Content-Length: 0"));
    asker_close(&a);
}
END_TEST

START_TEST(every_change_has_a_connection_of_its_own)
{
    struct asker a;
    asker_open(&a);
    fake_engine_json(a.engine, "POST /v1.41/containers/x/", 204, "");
    docker_ping(a.docker, 5000, on_done, &a);
    await(&a, 1);
    for (int i = 0; i < 3; i++) {
        docker_kill(a.docker, "x", NULL, 5000, on_done, &a);
        await(&a, 1);
    }
    ck_assert_uint_eq(fake_engine_connections(a.engine), 4);
    ck_assert(contains(LAST(&a, "POST "), "/x/kill?signal=SIGKILL"));
    asker_close(&a);
}
END_TEST

START_TEST(a_change_on_a_connection_that_dies_is_not_repeated)
{
    struct asker a;
    asker_open(&a);
    fake_engine_text(a.engine, "POST /v1.41/containers/x/stop", "", FAKE_CLOSE);
    docker_ping(a.docker, 5000, on_done, &a); /* leaves a connection in the pool */
    await(&a, 1);
    docker_stop(a.docker, "x", NULL, 1, on_change, &a);
    await(&a, 1);
    ck_assert_int_eq(a.e.code, ERR_UNREACHABLE);
    ck_assert_uint_eq(fake_engine_count(a.engine, "POST "), 1);
    asker_close(&a);
}
END_TEST

START_TEST(a_stop_signals_by_itself_where_the_engine_can)
{
    struct asker a;
    asker_open(&a);
    fake_engine_set_api(a.engine, "1.42");
    fake_engine_json(a.engine, "POST /v1.42/containers/x/", 204, "");
    docker_stop(a.docker, "x", "SIGINT", 7, on_change, &a);
    await(&a, 1);
    ck_assert(a.changed);
    ck_assert_uint_eq(fake_engine_count(a.engine, "POST "), 1);
    ck_assert(contains(LAST(&a, "POST "), "/x/stop?t=7&signal=SIGINT"));
    asker_close(&a);
}
END_TEST

START_TEST(on_an_old_engine_the_signal_goes_before_the_stop)
{
    struct asker a;
    asker_open(&a);
    fake_engine_json(a.engine, "POST /v1.41/containers/x/kill", 204, "");
    fake_engine_json(a.engine, "POST /v1.41/containers/x/stop", 304, ""); /* gone by then */
    docker_stop(a.docker, "x", "SIGINT", 7, on_change, &a);
    await(&a, 1);
    ck_assert_int_eq(a.e.code, ERR_NONE);
    ck_assert(a.changed);
    ck_assert_uint_eq(fake_engine_count(a.engine, "POST /v1.41/containers/x/kill?signal=SIGINT"),
                      1);
    ck_assert_uint_eq(fake_engine_count(a.engine, "POST /v1.41/containers/x/stop?t=7 "), 1);
    asker_close(&a);
}
END_TEST

START_TEST(a_stop_with_signal_of_what_does_not_run_changes_nothing)
{
    struct asker a;
    asker_open(&a);
    fake_engine_json(a.engine, "POST /v1.41/containers/x/kill", 409,
                     "{\"message\":\"Container x is not running\"}");
    fake_engine_json(a.engine, "POST /v1.41/containers/x/kill", 404,
                     "{\"message\":\"No such container: x\"}");
    fake_engine_json(a.engine, "POST /v1.41/containers/x/stop", 304, "");
    docker_stop(a.docker, "x", "SIGINT", 0, on_change, &a);
    await(&a, 1);
    ck_assert_int_eq(a.e.code, ERR_NONE);
    ck_assert(!a.changed);
    docker_stop(a.docker, "x", "SIGINT", 0, on_change, &a);
    await(&a, 1);
    ck_assert_int_eq(a.e.code, ERR_NOT_FOUND);
    asker_close(&a);
}
END_TEST

START_TEST(restart_unpause_and_wait_ask_what_they_should)
{
    struct asker a;
    asker_open(&a);
    fake_engine_json(a.engine, "POST /v1.41/containers/x/", 204, "");
    fake_engine_json(a.engine, "POST /v1.41/containers/x/wait", 200, "{\"StatusCode\":137}");
    fake_engine_json(a.engine, "POST /v1.41/containers/x/wait", 200,
                     "{\"StatusCode\":1,\"Error\":{\"Message\":\"gone wrong\"}}");
    fake_engine_json(a.engine, "POST /v1.41/containers/x/wait", 200, "{}");
    fake_engine_json(a.engine, "POST /v1.41/containers/x/wait", 200, "{");
    docker_restart(a.docker, "x", 3, on_change, &a);
    await(&a, 1);
    ck_assert(contains(LAST(&a, "POST "), "/x/restart?t=3 "));
    docker_unpause(a.docker, "x", 5000, on_done, &a);
    await(&a, 1);
    ck_assert(contains(LAST(&a, "POST "), "/x/unpause "));
    docker_wait(a.docker, "x", 5000, on_wait, &a);
    await(&a, 1);
    ck_assert_int_eq(a.exit_code, 137);
    docker_wait(a.docker, "x", 5000, on_wait, &a);
    await(&a, 1);
    ck_assert_str_eq(a.e.text, "docker: wait for x: gone wrong");
    for (int i = 0; i < 2; i++) {
        docker_wait(a.docker, "x", 5000, on_wait, &a);
        await(&a, 1);
        ck_assert_int_eq(a.e.code, ERR_PROTOCOL);
    }
    asker_close(&a);
}
END_TEST

START_TEST(a_conflict_keeps_the_engines_words)
{
    struct asker a;
    asker_open(&a);
    fake_engine_json(a.engine, "POST /v1.41/containers/x/", 409,
                     "{\"message\":\"cannot start a paused container, try unpause instead\"}");
    docker_start(a.docker, "x", 5000, on_change, &a);
    await(&a, 1);
    ck_assert_int_eq(a.e.code, ERR_CONFLICT);
    ck_assert_str_eq(a.e.text, "docker: start x: cannot start a paused container, try unpause "
                               "instead (HTTP 409)");
    asker_close(&a);
}
END_TEST

/* --- logs and exec ---------------------------------------------------------------------------- */

START_TEST(logs_are_taken_out_of_their_frames)
{
    static const char body[] = "HTTP/1.1 200 OK\r\n\r\n"
                               "\1\0\0\0\0\0\0\43"
                               "2026-11-23T04:57:32.233624383Z one\n"
                               "\2\0\0\0\0\0\0\43"
                               "2026-11-23T04:57:33.233624383Z two\n";
    struct asker a;
    asker_open(&a);
    fake_engine_raw(a.engine, "GET /v1.41/containers/x/logs?", body, sizeof body - 1, FAKE_CLOSE);
    fake_engine_text(a.engine, "GET /v1.41/containers/x/logs?", "HTTP/1.1 200 OK\r\n\r\nunframed",
                     FAKE_CLOSE);
    fake_engine_json(a.engine, "GET /v1.41/containers/x/logs?", 501,
                     "{\"message\":\"configured logging driver does not support reading\"}");
    docker_logs(a.docker, "x", false, 20, 17, 5000, on_logs, &a);
    await(&a, 1);
    ck_assert_int_eq(a.e.code, ERR_NONE);
    ck_assert_str_eq(a.text, "two");
    ck_assert(contains(LAST(&a, "GET /v1"), "timestamps=1&tail=20&since=17 "));
    docker_logs(a.docker, "x", false, 20, 0, 5000, on_logs, &a);
    await(&a, 1);
    ck_assert_int_eq(a.e.code, ERR_PROTOCOL);
    docker_logs(a.docker, "x", false, 20, 0, 5000, on_logs, &a);
    await(&a, 1);
    ck_assert_int_eq(a.e.code, ERR_UNSUPPORTED);
    ck_assert(contains(a.e.text, "does not support reading"));
    asker_close(&a);
}
END_TEST

static const char *const true_argv[] = {"pg_isready", "-t", "1", NULL};

static void script_exec(struct asker *a, const char *stream, size_t len, const char *inspection)
{
    fake_engine_json(a->engine, "POST /v1.41/containers/x/exec", 201, "{\"Id\":\"e1\"}");
    fake_engine_raw(a->engine, "POST /v1.41/exec/e1/start", stream, len, FAKE_CLOSE);
    fake_engine_json(a->engine, "GET /v1.41/exec/e1/json", 200, inspection);
}

static void run_exec(struct asker *a)
{
    struct docker_exec command = {.argv = true_argv, .user = "postgres", .deadline_ms = 5000};
    docker_exec(a->docker, "x", &command, on_exec, a);
    await(a, 1);
}

START_TEST(a_command_gives_its_output_and_code)
{
    static const char stream[] = "HTTP/1.1 200 OK\r\n\r\n\2\0\0\0\0\0\0\3err\1\0\0\0\0\0\0\3out";
    struct asker a;
    asker_open(&a);
    script_exec(&a, stream, sizeof stream - 1, "{\"Running\":true,\"ExitCode\":null}");
    fake_engine_json(a.engine, "GET /v1.41/exec/e1/json", 200,
                     "{\"Running\":false,\"ExitCode\":3}");
    run_exec(&a);
    ck_assert_int_eq(a.e.code, ERR_NONE);
    ck_assert_int_eq(a.exit_code, 3);
    ck_assert_str_eq(a.text, "out=out err=err");
    const char *create = LAST(&a, "POST /v1.41/containers/x/exec");
    ck_assert(contains(create, "\"Cmd\":[\"pg_isready\",\"-t\",\"1\"]"));
    ck_assert(contains(create, "\"User\":\"postgres\""));
    ck_assert_uint_eq(fake_engine_count(a.engine, "GET /v1.41/exec"), 2);
    asker_close(&a);
}
END_TEST

START_TEST(a_command_that_the_image_lacks_is_an_error)
{
    static const char stream[] = "HTTP/1.1 200 OK\r\n\r\n\1\0\0\0\0\0\0\65"
                                 "OCI runtime exec failed: executable file not found\r\nx";
    struct asker a;
    asker_open(&a);
    script_exec(&a, stream, sizeof stream - 1, "{\"Running\":false,\"ExitCode\":126}");
    run_exec(&a);
    ck_assert_int_eq(a.e.code, ERR_FAILED);
    ck_assert_str_eq(a.e.text, "docker: exec in x: OCI runtime exec failed: executable file not "
                               "found");
    asker_close(&a);
}
END_TEST

START_TEST(a_command_fails_at_every_stage)
{
    struct asker a;
    asker_open(&a);
    fake_engine_json(a.engine, "POST /v1.41/containers/x/exec", 409,
                     "{\"message\":\"Container x is not running\"}");
    fake_engine_json(a.engine, "POST /v1.41/containers/x/exec", 201, "{}");
    fake_engine_json(a.engine, "POST /v1.41/containers/x/exec", 201, "{");
    fake_engine_json(a.engine, "POST /v1.41/containers/x/exec", 201, "{\"Id\":\"e1\"}");
    fake_engine_json(a.engine, "POST /v1.41/exec/e1/start", 400, "{\"message\":\"no user bob\"}");
    fake_engine_text(a.engine, "POST /v1.41/exec/e1/start", "HTTP/1.1 200 OK\r\n\r\nunframed",
                     FAKE_CLOSE);
    fake_engine_text(a.engine, "POST /v1.41/exec/e1/start", "HTTP/1.1 200 OK\r\n\r\n", FAKE_CLOSE);
    fake_engine_json(a.engine, "GET /v1.41/exec/e1/json", 404,
                     "{\"message\":\"No such exec instance: e1\"}");
    fake_engine_json(a.engine, "GET /v1.41/exec/e1/json", 200, "{");
    const enum err_code codes[] = {ERR_CONFLICT, ERR_PROTOCOL,  ERR_PROTOCOL, ERR_FAILED,
                                   ERR_PROTOCOL, ERR_NOT_FOUND, ERR_PROTOCOL};
    for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
        run_exec(&a);
        ck_assert_msg(a.e.code == codes[i], "%zu: %s", i, a.e.text);
    }
    asker_close(&a);
}
END_TEST

START_TEST(a_command_that_talks_without_end_is_cut_off)
{
    const size_t len = 9 << 20;
    CLEANUP_FREE char *stream = mem_new(len + 64);
    int head = snprintf(stream, 64, "HTTP/1.1 200 OK\r\n\r\n");
    memcpy(stream + head, "\1\0\0\0\0\220\0\0", 8); /* 9 MiB */
    struct asker a;
    asker_open(&a);
    script_exec(&a, stream, (size_t)head + 8 + len, "{\"ExitCode\":0}");
    run_exec(&a);
    ck_assert_int_eq(a.e.code, ERR_FAILED);
    ck_assert(contains(a.e.text, "more than 8 MiB"));
    asker_close(&a);
}
END_TEST

START_TEST(a_command_that_runs_on_ends_at_its_deadline)
{
    static const char stream[] = "HTTP/1.1 200 OK\r\n\r\n";
    struct asker a;
    asker_open(&a);
    script_exec(&a, stream, sizeof stream - 1, "{\"Running\":true,\"ExitCode\":null}");
    struct docker_exec command = {.argv = true_argv, .deadline_ms = 300};
    docker_exec(a.docker, "x", &command, on_exec, &a);
    await(&a, 1);
    ck_assert_int_eq(a.e.code, ERR_TIMEOUT);
    asker_close(&a);
}
END_TEST

/* --- what goes wrong below HTTP --------------------------------------------------------------- */

START_TEST(no_engine_is_told_with_the_next_step)
{
    struct asker a;
    asker_open(&a);
    fake_engine_listen(a.engine, false);
    docker_start(a.docker, "x", 5000, on_change, &a);
    await(&a, 1);
    ck_assert_int_eq(a.e.code, ERR_UNREACHABLE);
    ck_assert(contains(a.e.text, "No such file"));
    ck_assert(contains(a.e.hint, "systemctl start docker"));
    fake_engine_listen(a.engine, true); /* and it is found again */
    docker_ping(a.docker, 5000, on_done, &a);
    await(&a, 1);
    ck_assert_int_eq(a.e.code, ERR_NONE);
    asker_close(&a);
}
END_TEST

START_TEST(a_closed_port_is_told)
{
    struct asker a;
    asker_open(&a);
    docker_free(a.docker);
    struct docker_options options = {.host = "tcp://127.0.0.1:1"};
    ck_assert_int_eq(docker_new(a.loop, &options, &a.docker, &a.e), 0);
    ck_assert_str_eq(docker_host(a.docker), "tcp://127.0.0.1:1");
    docker_ping(a.docker, 5000, on_done, &a);
    await(&a, 1);
    ck_assert_int_eq(a.e.code, ERR_UNREACHABLE);
    ck_assert_str_eq(a.e.text, "docker: ping: cannot connect to tcp://127.0.0.1:1: Connection "
                               "refused");
    asker_close(&a);
}
END_TEST

START_TEST(an_answer_that_breaks_off_is_a_lost_connection)
{
    static const char *const texts[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[{\"Id\":",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n[{\"Id\"",
        "HTTP/1.1 20",
        "",
    };
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct asker a;
        asker_open(&a);
        fake_engine_text(a.engine, "GET /v1.41/containers/json", texts[i], FAKE_CLOSE);
        docker_list(a.docker, NULL, 5000, on_list, &a);
        await(&a, 1);
        ck_assert_msg(a.e.code == ERR_UNREACHABLE || (i == 2 && a.e.code == ERR_PROTOCOL),
                      "%zu: %d %s", i, (int)a.e.code, a.e.text);
        asker_close(&a);
    }
}
END_TEST

START_TEST(what_does_not_speak_http_is_told)
{
    struct asker a;
    asker_open(&a);
    fake_engine_text(a.engine, "GET /_ping", "SSH-2.0-OpenSSH_9.2\r\n", FAKE_CLOSE);
    docker_ping(a.docker, 5000, on_done, &a);
    await(&a, 1);
    ck_assert_int_eq(a.e.code, ERR_PROTOCOL);
    asker_close(&a);
}
END_TEST

START_TEST(an_answer_beyond_its_ceiling_is_cut_off)
{
    const size_t len = 5 << 20;
    CLEANUP_FREE char *text = mem_new(len + 128);
    int head = snprintf(text, 128, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", len);
    memset(text + head, ' ', len);
    struct asker a;
    asker_open(&a);
    fake_engine_raw(a.engine, "GET /v1.41/containers/x/json", text, (size_t)head + len, FAKE_KEEP);
    docker_inspect(a.docker, "x", 10000, on_inspect, &a);
    await(&a, 1);
    ck_assert_int_eq(a.e.code, ERR_PROTOCOL);
    ck_assert(contains(a.e.text, "larger than 4096 KiB"));
    asker_close(&a);
}
END_TEST

START_TEST(a_hanging_engine_ends_at_the_deadline)
{
    struct asker a;
    asker_open(&a);
    fake_engine_text(a.engine, "GET /v1.41/containers/json", "", FAKE_HOLD);
    fake_engine_text(a.engine, "GET /v1.41/containers/x/json", "HTTP/1.1 200 OK\r\nContent-",
                     FAKE_HOLD);
    docker_list(a.docker, NULL, 200, on_list, &a);
    docker_inspect(a.docker, "x", 200, on_inspect, &a);
    await(&a, 2);
    ck_assert_int_eq(a.e.code, ERR_TIMEOUT);
    ck_assert(contains(a.e.text, "no answer within 200ms"));
    asker_close(&a);
}
END_TEST

START_TEST(a_ping_that_hangs_ends_with_its_last_waiter)
{
    struct asker a;
    asker_open(&a);
    fake_engine_text(a.engine, "GET /_ping", "", FAKE_HOLD);
    docker_list(a.docker, NULL, 150, on_list, &a);
    docker_ping(a.docker, 200, on_done, &a);
    await(&a, 2);
    ck_assert_int_eq(a.e.code, ERR_TIMEOUT);
    docker_ping(a.docker, 200, on_done, &a); /* a ping of its own, not the stuck one */
    await(&a, 1);
    ck_assert_uint_eq(fake_engine_count(a.engine, "GET /_ping"), 2);
    asker_close(&a);
}
END_TEST

START_TEST(the_answer_to_a_stop_may_take_the_whole_grace_and_more)
{
    struct asker a;
    asker_open(&a);
    fake_engine_json(a.engine, "POST /v1.41/containers/x/stop", 204, "");
    fake_engine_delay(a.engine, 2500);
    int64_t start = loop_now(a.loop);
    docker_stop(a.docker, "x", NULL, 1, on_change, &a);
    await(&a, 1);
    ck_assert_int_eq(a.e.code, ERR_NONE);
    ck_assert_int_ge(loop_now(a.loop) - start, 2400);
    asker_close(&a);
}
END_TEST

START_TEST(a_cancelled_call_lets_go_of_its_connection)
{
    struct asker a;
    asker_open(&a);
    fake_engine_text(a.engine, "POST /v1.41/containers/x/wait", "", FAKE_HOLD);
    docker_ping(a.docker, 5000, on_done, &a);
    await(&a, 1);
    op_id id = docker_wait(a.docker, "x", 60000, on_wait, &a);
    docker_ping(a.docker, 5000, on_done, &a); /* the wait has been sent by its answer */
    await(&a, 1);
    op_cancel(a.loop, id);
    op_cancel(a.loop, id);
    ck_assert_int_eq(a.answers, 0); /* never from inside */
    await(&a, 1);
    ck_assert_int_eq(a.e.code, ERR_CANCELLED);
    asker_close(&a);
}
END_TEST

START_TEST(freeing_the_client_cancels_what_is_under_way)
{
    struct asker a;
    asker_open(&a);
    fake_engine_text(a.engine, "GET /v1.41/containers/json", "", FAKE_HOLD);
    docker_ping(a.docker, 5000, on_done, &a);
    await(&a, 1);
    docker_list(a.docker, NULL, 60000, on_list, &a);
    docker_kill(a.docker, "x", "HUP", 60000, on_done, &a);
    a.docker = docker_free(a.docker);
    ck_assert_int_eq(a.answers, 0);
    await(&a, 2);
    ck_assert_int_eq(a.e.code, ERR_CANCELLED);
    asker_close(&a);
}
END_TEST

static void on_done_ask_again(void *data, const struct err *e)
{
    struct asker *a = data;
    ck_assert_int_eq(e->code, ERR_CANCELLED);
    docker_ping(a->docker, 5000, on_done, a); /* the client still lives, but takes nothing new */
}

START_TEST(a_call_from_a_callback_of_the_end_is_cancelled_too)
{
    struct asker a;
    asker_open(&a);
    docker_ping(a.docker, 5000, on_done_ask_again, &a);
    docker_free(a.docker);
    await(&a, 1);
    ck_assert_int_eq(a.e.code, ERR_CANCELLED);
    a.docker = NULL;
    asker_close(&a);
}
END_TEST

static void on_done_free(void *data, const struct err *e)
{
    struct asker *a = data;
    a->docker = docker_free(a->docker);
    answered(a, e);
}

START_TEST(the_client_may_be_freed_by_its_own_callback)
{
    struct asker a;
    asker_open(&a);
    docker_ping(a.docker, 5000, on_done_free, &a);
    await(&a, 1);
    ck_assert_int_eq(a.e.code, ERR_NONE);
    asker_close(&a);
}
END_TEST

START_TEST(a_pooled_connection_that_died_is_replaced_for_a_read)
{
    struct asker a;
    asker_open(&a);
    fake_engine_text(a.engine, "GET /v1.41/containers/json",
                     "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]", FAKE_CLOSE);
    for (int i = 0; i < 4; i++) {
        docker_list(a.docker, NULL, 5000, on_list, &a);
        await(&a, 1);
        ck_assert_int_eq(a.e.code, ERR_NONE);
    }
    asker_close(&a);
}
END_TEST

START_TEST(a_guard_that_denies_is_named)
{
    struct asker a;
    asker_open(&a);
    fake_engine_text(a.engine, "POST /v1.41/containers/x/stop",
                     "HTTP/1.0 403 Forbidden\r\nContent-Type: text/html\r\n\r\n"
                     "<html><body><h1>403 Forbidden</h1></body></html>",
                     FAKE_CLOSE);
    docker_stop(a.docker, "x", NULL, 1, on_change, &a);
    await(&a, 1);
    ck_assert_int_eq(a.e.code, ERR_PERMISSION);
    ck_assert(contains(a.e.text, "docker: stop x: POST /containers/x/stop?t=1 was denied"));
    asker_close(&a);
}
END_TEST

START_TEST(many_calls_at_once_all_end)
{
    struct asker a;
    asker_open(&a);
    fake_engine_json(a.engine, "GET /v1.41/containers/", 200, container_json);
    fake_engine_delay(a.engine, 20);
    op_id ids[200];
    for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
        ids[i] = docker_inspect(a.docker, "x", 15000, on_inspect, &a);
    for (size_t i = 0; i < ARRAY_SIZE(ids); i += 3)
        op_cancel(a.loop, ids[i]);
    await(&a, (int)ARRAY_SIZE(ids));
    asker_close(&a);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        the_highest_common_version_is_used,
        an_engine_too_old_is_told,
        an_engine_too_new_is_told,
        one_ping_serves_all_calls_that_wait_for_it,
        a_lost_connection_makes_the_next_call_negotiate_again,
        a_version_that_is_given_is_not_negotiated,
        a_version_nobody_knows_is_refused_at_once,
        who_answers_without_a_version_is_no_engine,
        a_list_names_the_containers_and_asks_for_all_of_the_labels,
        an_answer_that_is_none_is_told,
        an_id_is_escaped_and_shortened_for_people,
        a_change_tells_whether_it_changed_anything,
        every_change_has_a_connection_of_its_own,
        a_change_on_a_connection_that_dies_is_not_repeated,
        a_stop_signals_by_itself_where_the_engine_can,
        on_an_old_engine_the_signal_goes_before_the_stop,
        a_stop_with_signal_of_what_does_not_run_changes_nothing,
        restart_unpause_and_wait_ask_what_they_should,
        a_conflict_keeps_the_engines_words,
        logs_are_taken_out_of_their_frames,
        a_command_gives_its_output_and_code,
        a_command_that_the_image_lacks_is_an_error,
        a_command_fails_at_every_stage,
        a_command_that_talks_without_end_is_cut_off,
        a_command_that_runs_on_ends_at_its_deadline,
        no_engine_is_told_with_the_next_step,
        a_closed_port_is_told,
        an_answer_that_breaks_off_is_a_lost_connection,
        what_does_not_speak_http_is_told,
        an_answer_beyond_its_ceiling_is_cut_off,
        a_hanging_engine_ends_at_the_deadline,
        a_ping_that_hangs_ends_with_its_last_waiter,
        the_answer_to_a_stop_may_take_the_whole_grace_and_more,
        a_cancelled_call_lets_go_of_its_connection,
        freeing_the_client_cancels_what_is_under_way,
        a_call_from_a_callback_of_the_end_is_cancelled_too,
        the_client_may_be_freed_by_its_own_callback,
        a_pooled_connection_that_died_is_replaced_for_a_read,
        a_guard_that_denies_is_named,
        many_calls_at_once_all_end,
    };
    Suite *suite = suite_create("docker client");
    TCase *client = tcase_create("client");
    tcase_set_timeout(client, 60);
    for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
        tcase_add_test(client, tests[i]);
    suite_add_tcase(suite, client);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
