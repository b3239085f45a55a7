/* Checks of one's own: reading them, and each kind against small servers, programs and a fake
 * Engine. */
#include "watch/checks.h"

#include "base/buf.h"
#include "tests/fake/engine.h"
#include "tests/unit/unit.h"

#include <signal.h>
#include <stdio.h>

/* --- a server on loopback --------------------------------------------------------------------- */

struct server {
    uv_tcp_t listener; /* first: a handle of it is the server */
    struct loop *loop;
    int port;
    const char *answer;  /* NULL: none */
    bool closes_at_once; /* like Docker's proxy before a container that does not listen */
    int requests;
    char last[1024];
};

struct client {
    uv_tcp_t tcp; /* first */
    uv_write_t write;
    struct server *server;
    char chunk[1024];
};

static void on_client_closed(uv_handle_t *handle)
{
    free(handle);
}

static void client_close(struct client *client)
{
    if (!uv_is_closing((uv_handle_t *)&client->tcp))
        uv_close((uv_handle_t *)&client->tcp, on_client_closed);
}

static void on_written(uv_write_t *write, int status)
{
    (void)status;
    client_close(write->data);
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
    struct client *client = (struct client *)handle;
    (void)suggested;
    *ret = uv_buf_init(client->chunk, sizeof client->chunk - 1);
}

static void give(struct client *client)
{
    const char *answer = client->server->answer;
    uv_buf_t bytes = uv_buf_init((char *)answer, (unsigned)strlen(answer));
    client->write.data = client;
    uv_write(&client->write, (uv_stream_t *)&client->tcp, &bytes, 1, on_written);
}

static void on_request(uv_stream_t *stream, ssize_t got, const uv_buf_t *chunk)
{
    struct client *client = (struct client *)stream;
    if (got < 0) {
        client_close(client);
        return;
    }
    chunk->base[got] = '\0';
    client->server->requests++;
    snprintf(client->server->last, sizeof client->server->last, "%s", chunk->base);
    if (client->server->answer)
        give(client);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct server *server = (struct server *)listener;
    ck_assert_int_eq(status, 0);
    struct client *client = mem_new(sizeof *client);
    client->server = server;
    uv_tcp_init(loop_uv(server->loop), &client->tcp);
    uv_accept(listener, (uv_stream_t *)&client->tcp);
    if (server->closes_at_once)
        client_close(client);
    else
        uv_read_start((uv_stream_t *)&client->tcp, on_room, on_request);
}

static void server_open(struct server *server, struct loop *loop)
{
    struct sockaddr_in address;
    int len = sizeof address;
    *server = (struct server){.loop = loop};
    uv_tcp_init(loop_uv(loop), &server->listener);
    uv_ip4_addr("127.0.0.1", 0, &address);
    ck_assert_int_eq(uv_tcp_bind(&server->listener, (struct sockaddr *)&address, 0), 0);
    ck_assert_int_eq(uv_listen((uv_stream_t *)&server->listener, 16, on_connection), 0);
    uv_tcp_getsockname(&server->listener, (struct sockaddr *)&address, &len);
    server->port = ntohs(address.sin_port);
}

static void server_close(struct server *server)
{
    if (!uv_is_closing((uv_handle_t *)&server->listener))
        uv_close((uv_handle_t *)&server->listener, NULL);
}

/* --- the scene -------------------------------------------------------------------------------- */

struct scene {
    struct loop *loop;
    struct server server;
    struct fake_engine *engine;
    struct docker *docker;
    struct feed *feed;
    struct checks *checks;
    struct watch_checks *watch;
    struct timer *guard, *pause;
};

static void on_guard(void *data)
{
    (void)data;
    ck_abort_msg("nothing happened within 20 s");
}

static void on_pause(void *data)
{
    loop_stop(((struct scene *)data)->loop);
}

static struct checks *read_checks(const char *text, char **ret_complaints)
{
    struct diag_list diags;
    diag_init(&diags, "f.yaml", text);
    struct yaml_node *list = yaml_parse(text, strlen(text), &diags);
    struct checks *checks = list ? checks_read(list, &diags) : NULL;
    *ret_complaints = diag_format(&diags);
    yaml_node_free(list);
    diag_free(&diags);
    return checks;
}

static void scene_open(struct scene *s)
{
    struct err e;
    *s = (struct scene){.loop = loop_new()};
    signal(SIGPIPE, SIG_IGN);
    unsetenv("DOCKER_API_VERSION");
    server_open(&s->server, s->loop);
    s->engine = fake_engine_new(s->loop);
    struct docker_options options = {.host = fake_engine_host(s->engine)};
    ck_assert_int_eq(docker_new(s->loop, &options, &s->docker, &e), 0);
    s->feed = feed_new(s->loop);
    s->guard = timer_new(s->loop, on_guard, s);
    s->pause = timer_new(s->loop, on_pause, s);
}

/* "$PORT" in the text is the server's. */
static void scene_watch(struct scene *s, const char *text)
{
    CLEANUP_FREE char *complaints = NULL;
    CLEANUP_FREE char *port = mem_printf("%d", s->server.port);
    struct buf with_port;
    buf_init(&with_port, 4096);
    for (const char *at = text; *at;) {
        bool is_port = strncmp(at, "$PORT", 5) == 0;
        buf_add(&with_port, is_port ? port : at, is_port ? strlen(port) : 1);
        at += is_port ? 5 : 1;
    }
    s->checks = read_checks(buf_text(&with_port), &complaints);
    ck_assert_msg(s->checks != NULL, "%s", complaints);
    buf_free(&with_port);
    s->watch = watch_checks_new(&(struct watch_checks_options){
        .loop = s->loop, .docker = s->docker, .feed = s->feed, .checks = s->checks});
}

static void scene_close(struct scene *s)
{
    watch_checks_free(s->watch);
    feed_free(s->feed);
    docker_free(s->docker);
    fake_engine_free(s->engine);
    server_close(&s->server);
    timer_free(s->guard);
    timer_free(s->pause);
    checks_free(s->checks);
    loop_free(s->loop);
}

static void turn(struct scene *s, int ms)
{
    timer_start(s->pause, ms);
    loop_run(s->loop);
}

#define AWAIT(s, condition)                                                                        \
    do {                                                                                           \
        timer_start((s)->guard, 20000);                                                            \
        while (!(condition))                                                                       \
            turn((s), 1);                                                                          \
        timer_stop((s)->guard);                                                                    \
    } while (0)

/* The word on the board, or "" when there is none. */
static const char *state(const struct scene *s, const char *check)
{
    const char *parameter;
    size_t len;
    const struct observation_kind *kind = observation_find("check.state", 11, &parameter, &len);
    const struct series *series = board_find(feed_board(s->feed), kind, check);
    const struct sample *sample = series ? series_sample(series, 0) : NULL;
    return sample ? sample->word : "";
}

static bool is_state(const struct scene *s, const char *check, const char *word)
{
    return strcmp(state(s, check), word) == 0;
}

/* What the status says of the first check. */
static bool problem_has(const struct scene *s, const char *part)
{
    CLEANUP_JSON json_t *list = watch_checks_json(s->watch);
    const char *problem = json_text_at(json_array_get(list, 0), "problem", "");
    return strstr(problem, part) != NULL;
}

#define OK_ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{\"status\":\"ok\"}"

/* --- by HTTP ---------------------------------------------------------------------------------- */

START_TEST(an_answer_passes)
{
    struct scene s;
    scene_open(&s);
    s.server.answer = OK_ANSWER;
    setenv("http_proxy", "http://127.0.0.1:9", 1);
    scene_watch(&s, "- {name: up, http: 'http://127.0.0.1:$PORT/healthz', contains: '\"ok\"'}\n");
    AWAIT(&s, is_state(&s, "up", "passing"));
    ck_assert_ptr_nonnull(strstr(s.server.last, "GET /healthz HTTP/1.1\r\n"));
    unit_assert_has(s.server.last, "User-Agent: stack-supervisor/");
    CLEANUP_JSON json_t *list = watch_checks_json(s.watch);
    ck_assert_str_eq(json_text_at(json_array_get(list, 0), "state", ""), "passing");
    ck_assert(json_is_null(json_at(json_array_get(list, 0), "problem")));
    scene_close(&s);
}
END_TEST

START_TEST(a_status_that_is_not_expected_fails)
{
    struct scene s;
    scene_open(&s);
    s.server.answer = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n";
    scene_watch(&s, "- {name: up, http: 'http://u:secret@127.0.0.1:$PORT/x', failures: 1}\n");
    AWAIT(&s, is_state(&s, "up", "failing"));
    ck_assert(problem_has(&s, "/x: HTTP 503"));
    ck_assert(!problem_has(&s, "secret"));
    scene_close(&s);
}
END_TEST

START_TEST(what_may_be_secret_in_the_address_is_sent_and_not_shown)
{
    struct scene s;
    scene_open(&s);
    s.server.answer = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n";
    scene_watch(&s,
                "- {name: up, http: 'http://u:hidden@127.0.0.1:$PORT/health?token=hidden#hidden', "
                "failures: 1}\n");
    AWAIT(&s, is_state(&s, "up", "failing"));
    unit_assert_has(s.server.last, "GET /health?token=hidden ");
    ck_assert(problem_has(&s, "/health?…: HTTP 503"));
    ck_assert(!problem_has(&s, "hidden"));
    scene_close(&s);
}
END_TEST

START_TEST(a_redirect_is_an_answer_and_is_not_followed)
{
    struct scene s;
    scene_open(&s);
    s.server.answer = "HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n";
    scene_watch(&s,
                "- {name: up, http: 'http://127.0.0.1:$PORT/', failures: 1}\n"
                "- {name: strict, http: 'http://127.0.0.1:$PORT/', expect: 200, failures: 1}\n");
    AWAIT(&s, is_state(&s, "up", "passing") && is_state(&s, "strict", "failing"));
    ck_assert_int_eq(s.server.requests, 2);
    scene_close(&s);
}
END_TEST

START_TEST(a_text_that_is_missing_fails)
{
    struct scene s;
    scene_open(&s);
    s.server.answer = OK_ANSWER;
    scene_watch(&s, "- {name: up, http: 'http://127.0.0.1:$PORT/', contains: degraded, failures: "
                    "1}\n");
    AWAIT(&s, is_state(&s, "up", "failing"));
    ck_assert(problem_has(&s, "HTTP 200, but the answer does not contain 'degraded'"));
    scene_close(&s);
}
END_TEST

START_TEST(of_an_endless_answer_the_beginning_counts)
{
    struct scene s;
    struct buf answer;
    scene_open(&s);
    buf_init(&answer, 1 << 20);
    buf_puts(&answer, "HTTP/1.1 200 OK\r\n\r\nneedle");
    while (answer.len < 600000)
        buf_puts(&answer, "hay hay hay ");
    s.server.answer = buf_text(&answer);
    scene_watch(&s, "- {name: up, http: 'http://127.0.0.1:$PORT/', contains: needle, failures: "
                    "1}\n");
    AWAIT(&s, is_state(&s, "up", "passing"));
    scene_close(&s);
    buf_free(&answer);
}
END_TEST

START_TEST(silence_fails_at_the_timeout)
{
    struct scene s;
    scene_open(&s);
    scene_watch(&s, "- {name: up, http: 'http://127.0.0.1:$PORT/', timeout: 500ms, failures: 1}\n");
    AWAIT(&s, is_state(&s, "up", "failing"));
    ck_assert(problem_has(&s, "no answer within 500ms"));
    scene_close(&s);
}
END_TEST

START_TEST(nobody_there_fails)
{
    struct scene s;
    scene_open(&s);
    server_close(&s.server);
    turn(&s, 10);
    scene_watch(&s, "- {name: up, http: 'http://127.0.0.1:$PORT/', failures: 1}\n"
                    "- {name: port, tcp: '127.0.0.1:$PORT', failures: 1}\n");
    AWAIT(&s, is_state(&s, "up", "failing") && is_state(&s, "port", "failing"));
    ck_assert(problem_has(&s, "refused"));
    scene_close(&s);
}
END_TEST

/* --- counting --------------------------------------------------------------------------------- */

START_TEST(it_takes_failures_in_a_row)
{
    struct scene s;
    scene_open(&s);
    s.server.answer = OK_ANSWER;
    scene_watch(&s, "- {name: up, http: 'http://127.0.0.1:$PORT/', every: 1s, timeout: 500ms, "
                    "failures: 2, successes: 2}\n");
    AWAIT(&s, s.server.requests == 1);
    turn(&s, 50);
    ck_assert_str_eq(state(&s, "up"), ""); /* two successes are asked for */
    AWAIT(&s, is_state(&s, "up", "passing"));
    s.server.answer = "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n";
    int before = s.server.requests;
    AWAIT(&s, s.server.requests == before + 1);
    turn(&s, 50);
    ck_assert(problem_has(&s, "HTTP 500"));
    ck_assert_str_eq(state(&s, "up"), "passing");
    AWAIT(&s, is_state(&s, "up", "failing"));
    ck_assert_int_eq(s.server.requests, before + 2);
    scene_close(&s);
}
END_TEST

/* --- names of the stack ----------------------------------------------------------------------- */

static void give_model(struct scene *s, const char *state_name, const char *address)
{
    struct container *all[2];
    struct stack *stack;
    struct err e;
    for (int i = 0; i < 2; i++) {
        const char *name = i ? "backend" : "db";
        CLEANUP_FREE char *text = mem_printf(
            "{'Id': '%s1', 'Name': '/shop_%s_1', 'State': {'Status': '%s'}, 'Config': {'Image': "
            "'%s', 'Labels': {'com.docker.compose.project': 'shop', 'com.docker.compose.service': "
            "'%s', 'com.docker.compose.container-number': '1', 'com.docker.compose.depends_on': "
            "''}}, 'NetworkSettings': {'Networks': {'shop': {'IPAddress': '%s'}}}}",
            name, name, state_name, i ? "shop" : "postgres:15", name, address);
        CLEANUP_JSON json_t *body = unit_json(text);
        all[i] = container_from_json(body, NULL);
        ck_assert_ptr_nonnull(all[i]);
    }
    ck_assert_msg(stack_build("shop", all, 2, NULL, NULL, &stack, &e) == 0, "%s", e.text);
    watch_checks_stack(s->watch, stack);
    stack_unref(stack);
    for (int i = 0; i < 2; i++)
        container_unref(all[i]);
}

START_TEST(a_services_name_leads_to_its_container)
{
    struct scene s;
    scene_open(&s);
    s.server.answer = OK_ANSWER;
    scene_watch(&s, "- {name: up, http: 'http://backend:$PORT/', failures: 1}\n"
                    "- {name: port, tcp: 'shop_backend_1:$PORT', failures: 1}\n");
    give_model(&s, "running", "127.0.0.1");
    AWAIT(&s, is_state(&s, "up", "passing") && is_state(&s, "port", "passing"));
    unit_assert_has(s.server.last, "Host: backend:");
    scene_close(&s);
}
END_TEST

START_TEST(a_service_that_does_not_run_fails)
{
    struct scene s;
    scene_open(&s);
    scene_watch(&s, "- {name: up, http: 'http://backend:$PORT/', failures: 1}\n");
    give_model(&s, "exited", "");
    AWAIT(&s, is_state(&s, "up", "failing"));
    ck_assert(problem_has(&s, "no container of backend runs"));
    scene_close(&s);
}
END_TEST

/* --- by TCP ----------------------------------------------------------------------------------- */

START_TEST(a_connection_that_stands_passes)
{
    struct scene s;
    scene_open(&s);
    scene_watch(&s, "- {name: port, tcp: '127.0.0.1:$PORT'}\n");
    AWAIT(&s, is_state(&s, "port", "passing"));
    scene_close(&s);
}
END_TEST

START_TEST(a_connection_that_is_closed_at_once_fails)
{
    struct scene s;
    scene_open(&s);
    s.server.closes_at_once = true;
    scene_watch(&s, "- {name: port, tcp: '127.0.0.1:$PORT', failures: 1}\n");
    AWAIT(&s, is_state(&s, "port", "failing"));
    ck_assert(problem_has(&s, "at once"));
    scene_close(&s);
}
END_TEST

/* --- by a command ----------------------------------------------------------------------------- */

START_TEST(a_commands_exit_code_is_the_verdict)
{
    struct scene s;
    scene_open(&s);
    scene_watch(&s, "- {name: bad, exec: [sh, -c, 'echo first; echo too old >&2; exit 3'], "
                    "failures: 1}\n"
                    "- {name: good, exec: [sh, -c, 'test \"$STACK_SUPERVISOR_CHECK\" = good']}\n"
                    "- {name: none, exec: [/no/such/program], failures: 1}\n");
    AWAIT(&s, is_state(&s, "bad", "failing") && is_state(&s, "good", "passing") &&
                  is_state(&s, "none", "failing"));
    ck_assert(problem_has(&s, "sh: exit code 3: too old"));
    scene_close(&s);
}
END_TEST

START_TEST(a_command_that_does_not_end_is_killed)
{
    struct scene s;
    scene_open(&s);
    scene_watch(&s, "- {name: slow, exec: [sleep, '600'], timeout: 500ms, failures: 1}\n");
    AWAIT(&s, is_state(&s, "slow", "failing"));
    ck_assert(problem_has(&s, "sleep: no answer within 500ms"));
    scene_close(&s); /* waits for its end */
}
END_TEST

#define EXEC "POST /v1.41/containers/backend1/exec"

static void script_exec(struct scene *s, int exit_code)
{
    static const char output[] = "HTTP/1.1 200 OK\r\n\r\n\2\0\0\0\0\0\0\5stale";
    CLEANUP_FREE char *end = mem_printf("{\"Running\":false,\"ExitCode\":%d}", exit_code);
    fake_engine_json(s->engine, EXEC, 201, "{\"Id\":\"e1\"}");
    fake_engine_raw(s->engine, "POST /v1.41/exec/e1/start", output, sizeof output - 1, FAKE_CLOSE);
    fake_engine_json(s->engine, "GET /v1.41/exec/e1/json", 200, end);
}

#define IN_BACKEND                                                                                 \
    "- {name: in, exec: [check, --quick], container: backend, every: 1s, timeout: "                \
    "500ms, failures: 1}\n"

START_TEST(a_command_in_a_container_is_judged_alike)
{
    struct scene s;
    scene_open(&s);
    scene_watch(&s, IN_BACKEND);
    give_model(&s, "running", "");
    script_exec(&s, 0);
    AWAIT(&s, is_state(&s, "in", "passing"));
    unit_assert_has(fake_engine_last(s.engine, EXEC), "\"Cmd\":[\"check\",\"--quick\"]");
    fake_engine_json(s.engine, "GET /v1.41/exec/e1/json", 200,
                     "{\"Running\":false,\"ExitCode\":1}");
    AWAIT(&s, is_state(&s, "in", "failing"));
    ck_assert(problem_has(&s, "check in backend: exit code 1: stale"));
    scene_close(&s);
}
END_TEST

START_TEST(an_engine_out_of_reach_gives_no_verdict)
{
    struct scene s;
    scene_open(&s);
    fake_engine_listen(s.engine, false);
    scene_watch(&s, IN_BACKEND);
    give_model(&s, "running", "");
    AWAIT(&s, problem_has(&s, "check in backend: docker: exec in backend1"));
    ck_assert_str_eq(state(&s, "in"), "");
    script_exec(&s, 0);
    fake_engine_listen(s.engine, true);
    AWAIT(&s, is_state(&s, "in", "passing"));
    scene_close(&s);
}
END_TEST

START_TEST(a_command_that_hangs_in_a_container_gets_no_second_beside_it)
{
    struct scene s;
    scene_open(&s);
    scene_watch(&s, IN_BACKEND);
    give_model(&s, "running", "");
    fake_engine_json(s.engine, EXEC, 201, "{\"Id\":\"e1\"}");
    fake_engine_text(s.engine, "POST /v1.41/exec/e1/start", "HTTP/1.1 200 OK\r\n\r\n", FAKE_HOLD);
    fake_engine_json(s.engine, "GET /v1.41/exec/e1/json", 200,
                     "{\"Running\":false,\"ExitCode\":0}");
    AWAIT(&s, is_state(&s, "in", "failing"));
    ck_assert(problem_has(&s, "check: not ended yet"));
    turn(&s, 1500);
    ck_assert_uint_eq(fake_engine_count(s.engine, EXEC), 1);
    /* It ended after all: too late for a verdict, and the next one may come. */
    fake_engine_cut(s.engine, "POST /v1.41/exec/e1/start");
    AWAIT(&s, fake_engine_count(s.engine, EXEC) == 2);
    ck_assert_str_eq(state(&s, "in"), "failing");
    scene_close(&s);
}
END_TEST

START_TEST(checks_may_be_given_up_at_any_time)
{
    struct scene s;
    scene_open(&s);
    fake_engine_text(s.engine, EXEC, "", FAKE_HOLD);
    scene_watch(&s, "- {name: a, http: 'http://127.0.0.1:$PORT/'}\n"
                    "- {name: b, tcp: '127.0.0.1:$PORT'}\n"
                    "- {name: c, exec: [sleep, '600']}\n"
                    "- {name: d, exec: [x], container: backend1}\n"
                    "- {name: e, http: 'http://no-such-host.invalid/'}\n");
    AWAIT(&s, fake_engine_count(s.engine, EXEC) == 1 && s.server.requests == 1);
    turn(&s, 120);
    ck_assert_ptr_null(watch_checks_free(NULL));
    scene_close(&s);
}
END_TEST

/* --- reading ---------------------------------------------------------------------------------- */

START_TEST(checks_are_read)
{
    CLEANUP_FREE char *complaints = NULL;
    struct checks *checks =
        read_checks("- name: a\n  http: https://shop.example/\n  expect: [200, 301-308]\n"
                    "  contains: ok\n  every: 30s\n  timeout: 10s\n  failures: 5\n  successes: 2\n"
                    "- {name: b, tcp: '[::1]:5672'}\n"
                    "- {name: c, exec: [true], container: backend, x-note: mine}\n",
                    &complaints);
    ck_assert_msg(checks != NULL, "%s", complaints);
    ck_assert_uint_eq(checks_count(checks), 3);
    ck_assert_str_eq(checks_name(checks, 2), "c");
    checks_free(checks);
}
END_TEST

static void expect_complaint(const char *text, const char *complaint)
{
    CLEANUP_FREE char *complaints = NULL;
    struct checks *checks = read_checks(text, &complaints);
    ck_assert_msg(checks == NULL, "accepted: %s", text);
    unit_assert_has(complaints, complaint);
}

START_TEST(what_is_wrong_is_told_where_it_stands)
{
    expect_complaint("- {name: a}\n", "one of http, tcp and exec is needed\n");
    expect_complaint("- {name: a, tcp: 'x:1', exec: [y]}\n", "is needed, not several");
    expect_complaint("- {name: a, http: 'http://x/', tcp: 'x:1'}\n", "is needed, not several");
    expect_complaint("- {tcp: 'x:1'}\n", "f.yaml:1:3: error: check: it has no name");
    expect_complaint("- {name: 'a b', tcp: 'x:1'}\n", "f.yaml:1:12: error: name: ' ' may not");
    expect_complaint("- {name: a, http: 'ftp://x/'}\n", "only http:// and https:// can be checked");
    expect_complaint("- {name: a, http: 'http://[::1'}\n", "f.yaml:1:19: error: http: ");
    expect_complaint("- {name: a, tcp: x}\n", "'x' is not of the form host:port");
    expect_complaint("- {name: a, tcp: 'x:99999'}\n", "not of the form host:port");
    expect_complaint("- {name: a, tcp: '::1:80'}\n", "not of the form host:port");
    expect_complaint("- {name: a, exec: 'ls -l'}\n", "there is no shell unless you name one");
    expect_complaint("- {name: a, exec: []}\n", "exec: expected 1 to 64 words, found 0");
    expect_complaint("- {name: a, http: 'http://x/', expect: 20}\n", "expect: a status such as");
    expect_complaint("- {name: a, http: 'http://x/', expect: 399-200}\n", "expect: a status");
    expect_complaint("- {name: a, http: 'http://x/', expect: 200-}\n", "expect: a status");
    expect_complaint("- {name: a, tcp: 'x:1', contains: y}\n", "contains: goes with http only");
    expect_complaint("- {name: a, tcp: 'x:1', container: y}\n", "container: goes with exec only");
    expect_complaint("- {name: a, tcp: 'x:1', every: 10s, timeout: 20s}\n", "longer than every");
    expect_complaint("- {name: a, tcp: 'x:1', every: 5m}\n", "not between 1.0s and 30.0s");
    expect_complaint("- {name: a, tcp: 'x:1', failures: 0}\n", "not between 1 and 100");
    expect_complaint("- {name: a, tpc: 'x:1'}\n", "did you mean 'tcp'?");
    expect_complaint("- {name: a, tcp: 'x:1'}\n- {name: a, tcp: 'x:1'}\n",
                     "f.yaml:2:10: error: two checks bear the name a");
    expect_complaint("{name: a}\n", "checks: expected a list, found a map");
    /* all at once */
    expect_complaint("- {name: a}\n- {name: b, tcp: x}\n", "f.yaml:1:");
    expect_complaint("- {name: a}\n- {name: b, tcp: x}\n", "f.yaml:2:");
}
END_TEST

UNIT_MAIN("checks", an_answer_passes, a_status_that_is_not_expected_fails,
          what_may_be_secret_in_the_address_is_sent_and_not_shown,
          a_redirect_is_an_answer_and_is_not_followed, a_text_that_is_missing_fails,
          of_an_endless_answer_the_beginning_counts, silence_fails_at_the_timeout,
          nobody_there_fails, it_takes_failures_in_a_row, a_services_name_leads_to_its_container,
          a_service_that_does_not_run_fails, a_connection_that_stands_passes,
          a_connection_that_is_closed_at_once_fails, a_commands_exit_code_is_the_verdict,
          a_command_that_does_not_end_is_killed, a_command_in_a_container_is_judged_alike,
          an_engine_out_of_reach_gives_no_verdict,
          a_command_that_hangs_in_a_container_gets_no_second_beside_it,
          checks_may_be_given_up_at_any_time, checks_are_read,
          what_is_wrong_is_told_where_it_stands)
