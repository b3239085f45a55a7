/* The API on the socket, with a fake application behind it and real clients in a second thread.
 *
 * The server, its loop and the fake run in the test's main thread; a client thread speaks plain
 * HTTP by blocking sockets. What a client wants the fake to do it asks for through the API itself
 * (control_app.h), so nothing is shared between the threads.
 */
#include "base/buf.h"
#include "base/mem.h"
#include "control/routes.h"
#include "control/sse.h"
#include "tests/unit/control_app.h"

#include <check.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* --- the world ------------------------------------------------------------------------------- */

static void *client_thread(void *data)
{
    struct world *world = data;
    world->client(world);
    ck_assert_int_eq(write(world->done[1], "x", 1), 1);
    return NULL;
}

static void on_client_done(void *data, int status, int events)
{
    (void)status;
    (void)events;
    loop_stop(data);
}

/* Starts the server, runs the client against it in a thread until it returns, ends everything and
 * insists that nothing is left. Gives how many streams were unfollowed. */
static int with_server(const struct control_limits *limits, void (*client)(struct world *))
{
    struct world world = {.client = client};
    fresh_path(world.socket);
    world.loop = loop_new();
    world.late = timer_new(world.loop, release, &world);
    struct control_options options = {.socket_path = world.socket, .ops = &fake_ops, .app = &world};
    if (limits)
        options.limits = *limits;
    struct err e;
    ck_assert_msg(control_new(world.loop, &options, &world.control, &e) == 0, "%s", e.text);
    ck_assert_int_eq(pipe(world.done), 0);
    struct poll *done =
        poll_new(world.loop, world.done[0], UV_READABLE, on_client_done, world.loop);
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, client_thread, &world), 0);
    loop_run(world.loop);
    pthread_join(thread, NULL);
    world.control = control_free(world.control);
    release(&world); /* replies that come after the end are dropped */
    ck_assert_ptr_null(world.followers);
    poll_free(done);
    timer_free(world.late);
    loop_free(world.loop);
    close(world.done[0]);
    close(world.done[1]);
    remove_dir_of(world.socket);
    return world.unfollowed;
}

/* --- a client -------------------------------------------------------------------------------- */

struct answer {
    int status;
    char head[2048];
    struct buf body;
    bool closed; /* the server closed before the answer was whole */
};

static int dial(const struct world *world)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", world->socket);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    struct timeval limit = {.tv_sec = 10};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    close(fd);
    return -1;
}

static void say(int fd, const char *bytes, size_t len)
{
    while (len) {
        ssize_t sent = send(fd, bytes, len, MSG_NOSIGNAL);
        if (sent <= 0)
            return; /* the server has cut it: the answer says why */
        bytes += sent;
        len -= (size_t)sent;
    }
}

static void say_text(int fd, const char *text)
{
    say(fd, text, strlen(text));
}

static void ask(int fd, const char *method, const char *path, const char *body)
{
    CLEANUP_FREE char *request =
        mem_printf("%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %zu\r\n\r\n%s", method,
                   path, body ? strlen(body) : 0, body ? body : "");
    say_text(fd, request);
}

static bool read_head(int fd, struct answer *answer)
{
    size_t len = 0;
    *answer = (struct answer){.status = 0};
    buf_init(&answer->body, 16 << 20);
    while (len + 1 < sizeof answer->head) {
        if (recv(fd, answer->head + len, 1, 0) != 1)
            return false;
        answer->head[++len] = '\0';
        if (len >= 4 && strcmp(answer->head + len - 4, "\r\n\r\n") == 0)
            return sscanf(answer->head, "HTTP/1.1 %d", &answer->status) == 1;
    }
    return false;
}

static bool read_exactly(int fd, struct buf *into, size_t len)
{
    while (len) {
        char block[4096];
        ssize_t got = recv(fd, block, len < sizeof block ? len : sizeof block, 0);
        if (got <= 0)
            return false;
        buf_add(into, block, (size_t)got);
        len -= (size_t)got;
    }
    return true;
}

/* One chunk of a chunked body; false at the end of the body or of the connection. */
static bool read_chunk(int fd, struct answer *answer)
{
    struct buf line;
    buf_init(&line, 64);
    while (!strstr(buf_text(&line), "\r\n"))
        if (!read_exactly(fd, &line, 1)) {
            answer->closed = true;
            break;
        }
    size_t len = strtoul(buf_text(&line), NULL, 16);
    buf_free(&line);
    if (answer->closed)
        return false;
    struct buf tail;
    buf_init(&tail, 2);
    answer->closed = !read_exactly(fd, &answer->body, len) || !read_exactly(fd, &tail, 2);
    buf_free(&tail);
    return len > 0 && !answer->closed;
}

static void read_answer(int fd, struct answer *answer)
{
    answer->closed = !read_head(fd, answer);
    if (answer->closed)
        return;
    const char *length = strcasestr(answer->head, "content-length: ");
    if (length)
        answer->closed = !read_exactly(fd, &answer->body,
                                       strtoul(length + strlen("content-length: "), NULL, 10));
    else
        while (read_chunk(fd, answer))
            continue;
}

/* One request on a connection of its own; frees nothing the caller wants: the text is static. */
static int fetch(const struct world *world, const char *method, const char *path, const char *body,
                 char out[static 1024])
{
    int fd = dial(world);
    ck_assert_int_ge(fd, 0);
    struct answer answer;
    ask(fd, method, path, body);
    read_answer(fd, &answer);
    close(fd);
    snprintf(out, 1024, "%s", buf_text(&answer.body));
    buf_free(&answer.body);
    return answer.status;
}

static void expect(const struct world *world, const char *method, const char *path,
                   const char *body, int status, const char *part)
{
    char out[1024];
    int got = fetch(world, method, path, body, out);
    ck_assert_msg(got == status && strstr(out, part), "%s %s %s: %d %s", method, path,
                  body ? body : "", got, out);
}

/* --- tests ----------------------------------------------------------------------------------- */

static void every_route(struct world *w)
{
    expect(w, "GET", "/v1/version", NULL, 200, "\"at once\"");
    expect(w, "GET", "/v1/status", NULL, 200, "released");
    expect(w, "GET", "/v1/playbooks", NULL, 200, "recover");
    expect(w, "GET", "/v1/plan?playbook=my%20own", NULL, 200, "\"my own\"");
    expect(w, "GET", "/v1/plan?playbook=x&containers=a_1,b_1&services=web", NULL, 200,
           "\\\"containers\\\":\\\"a_1,b_1\\\",\\\"services\\\":\\\"web\\\"");
    expect(w, "POST", "/v1/runs",
           "{\"playbook\":\"x\",\"options\":{\"containers\":\"a_1,b_1\",\"services\":[\"web\"]}}",
           200, "\"run\":12");
    expect(w, "POST", "/v1/clean", "{\"dry_run\":true,\"idle\":\"90s\",\"roles\":[\"app\"]}", 200,
           "\"90s\"");
    expect(w, "GET", "/v1/runs", NULL, 200, "all");
    expect(w, "POST", "/v1/runs",
           "{\"playbook\":\"recover\",\"plan_id\":\"ab\",\"options\":{\"idle\":\"never\"}}", 200,
           "\"run\":12");
    expect(w, "POST", "/v1/runs", "{\"playbook\":\"a\",\"trigger\":\"api\"}", 200, "\"run\":12");
    expect(w, "GET", "/v1/runs/41", NULL, 200, "\"run\":41");
    expect(w, "GET", "/v1/runs/7/events", NULL, 200, "\"third\"");
    expect(w, "POST", "/v1/runs/41/abort", NULL, 200, "\"run\":41");
    expect(w, "POST", "/v1/runs/41/abort", "{}", 200, "\"run\":41");
    expect(w, "GET", "/v1/policies", NULL, 200, "each");
    expect(w, "GET", "/v1/observations", NULL, 200, "each");
    expect(w, "GET", "/v1/decisions", NULL, 200, "\"run\":50");
    expect(w, "GET", "/v1/decisions?limit=7", NULL, 200, "\"run\":7");
    expect(w, "POST", "/v1/decisions/31/approve", NULL, 200, "yes");
    expect(w, "POST", "/v1/decisions/31/deny", NULL, 200, "no");
    expect(w, "POST", "/v1/pause", NULL, 200, "{}");
    expect(w, "POST", "/v1/pause", "{\"for\":\"30m\",\"reason\":\"deploy\"}", 200, "deploy");
    expect(w, "POST", "/v1/resume", NULL, 200, "pid");
    expect(w, "POST", "/v1/notify/test", NULL, 200, "everybody");
    expect(w, "POST", "/v1/notify/test", "{\"receiver\":\"ops\"}", 200, "ops");
    expect(w, "POST", "/v1/alerts", "{\"version\":\"4\",\"new in 5\":{}}", 200, "new in 5");
    expect(w, "GET", "/", NULL, 200, "<p>Hello</p>");
    expect(w, "GET", "/style.css", NULL, 200, "p {}");
    expect(w, "GET", "/metrics?collect%5B%5D=x", NULL, 200, "stack_up 1\n");
}

START_TEST(test_every_route_answers)
{
    with_server(NULL, every_route);
}
END_TEST

static void every_refusal(struct world *w)
{
    expect(w, "GET", "/index.html", NULL, 404, "not-found");
    expect(w, "GET", "/v1/statuss", NULL, 404, "no such path");
    expect(w, "GET", "/v1/runs/0", NULL, 404, "no such path");
    expect(w, "GET", "/v1/runs/x7", NULL, 404, "no such path");
    expect(w, "GET", "/v1/runs/1234567890123456789", NULL, 404, "no such path");
    expect(w, "POST", "/v1/status", NULL, 405, "only GET");
    expect(w, "DELETE", "/v1/runs", NULL, 405, "only GET, POST");
    expect(w, "GET", "/v1/status?verbose=1", NULL, 400, "unknown query parameter 'verbose'");
    expect(w, "GET", "/v1/plan", NULL, 400, "'playbook' is missing");
    expect(w, "GET", "/v1/plan?playbok=x", NULL, 400, "did you mean 'playbook'?");
    expect(w, "GET", "/v1/plan?playbook=nosuch", NULL, 404, "supervisorctl playbooks");
    expect(w, "POST", "/v1/runs", "{\"playbook\":", 400, "not JSON");
    expect(w, "POST", "/v1/runs", "[]", 400, "expected an object");
    expect(w, "POST", "/v1/runs", "{}", 400, "'playbook' is missing");
    expect(w, "POST", "/v1/runs", "{\"playbook\":7}", 400, "expected a text");
    expect(w, "POST", "/v1/runs", "{\"playbook\":\"a\",\"plan-id\":\"x\"}", 400, "plan_id");
    expect(w, "POST", "/v1/runs", "{\"playbook\":\"a\",\"trigger\":\"policy\"}", 400, "command");
    expect(w, "POST", "/v1/runs", "{\"playbook\":\"a\",\"trigger\":\"signal\"}", 400, "api");
    expect(w, "POST", "/v1/runs", "{\"playbook\":\"a\",\"trigger\":\"cron\"}", 400, "command");
    expect(w, "POST", "/v1/runs", "{\"playbook\":\"a\",\"trigger\":7}", 400,
           "expected \\\"command");
    expect(w, "POST", "/v1/runs", "{\"playbook\":\"a\",\"options\":{\"idel\":\"1s\"}}", 400,
           "did you mean 'idle'?");
    expect(w, "POST", "/v1/runs", "{\"playbook\":\"a\",\"plan_id\":\"stale\"}", 409, "refused");
    expect(w, "POST", "/v1/clean", "{\"dry_run\":false}", 400, "only a dry run");
    expect(w, "POST", "/v1/clean", "{\"dry_run\":true,\"idle\":60}", 400, "expected a duration");
    expect(w, "POST", "/v1/clean", "{\"dry_run\":true,\"roles\":\"x\"}", 400, "list of texts");
    expect(w, "POST", "/v1/runs", "{\"playbook\":\"a\",\"options\":{\"services\":7}}", 400,
           "list of texts");
    expect(w, "POST", "/v1/clean", "{\"dry_run\":true,\"services\":[\"x\"]}", 400, "services");
    expect(w, "POST", "/v1/clean", "{\"dry_run\":true,\"all\":1}", 400, "true or false");
    expect(w, "POST", "/v1/runs/41/abort", "{\"now\":true}", 400, "unknown field 'now'");
    expect(w, "GET", "/v1/runs/99/events", NULL, 404, "no run 99");
    expect(w, "GET", "/v1/decisions?limit=0", NULL, 400, "a number from 1");
    expect(w, "GET", "/v1/decisions?limit=ten", NULL, 400, "a number from 1");
    expect(w, "POST", "/v1/pause", "{\"for\":30}", 400, "expected a duration");
    expect(w, "POST", "/v1/pause", "{\"for\":\"0s\"}", 400, "expected a duration");
    expect(w, "POST", "/v1/pause", "{\"why\":\"x\"}", 400, "unknown field 'why'");
}

START_TEST(test_what_is_refused_says_why)
{
    with_server(NULL, every_refusal);
}
END_TEST

static void headers(struct world *w)
{
    struct answer answer;
    int fd = dial(w);
    ask(fd, "GET", "/v1/version", NULL);
    read_answer(fd, &answer);
    ck_assert_ptr_nonnull(strcasestr(answer.head, "content-type: application/json"));
    ck_assert_ptr_nonnull(strcasestr(answer.head, "cache-control: no-store"));
    buf_free(&answer.body);
    ask(fd, "PUT", "/v1/runs", NULL); /* the same connection: it is kept */
    read_answer(fd, &answer);
    ck_assert_int_eq(answer.status, 405);
    ck_assert_ptr_nonnull(strcasestr(answer.head, "allow: GET, POST"));
    buf_free(&answer.body);
    ask(fd, "GET", "/v1/runs/7/events", NULL);
    read_answer(fd, &answer);
    ck_assert_ptr_nonnull(strcasestr(answer.head, "content-type: text/event-stream"));
    ck_assert_str_eq(buf_text(&answer.body),
                     "id: 1\ndata: {\"seq\":1,\"type\":\"begin\",\"text\":\"first\"}\n\n"
                     "id: 2\ndata: {\"seq\":2,\"type\":\"note\",\"text\":\"second\"}\n\n"
                     "data: {\"type\":\"progress\",\"text\":\"waits\"}\n\n"
                     "id: 3\ndata: {\"seq\":3,\"type\":\"end\",\"text\":\"third\"}\n\n");
    buf_free(&answer.body);
    ask(fd, "GET", "/v1/status", NULL); /* and one that waits, after a stream */
    read_answer(fd, &answer);
    ck_assert_int_eq(answer.status, 200);
    buf_free(&answer.body);
    close(fd);
}

START_TEST(test_one_connection_many_requests)
{
    with_server(NULL, headers);
}
END_TEST

static void requester(struct world *w)
{
    char expected[64];
    snprintf(expected, sizeof expected, "pid %d", (int)getpid());
    expect(w, "POST", "/v1/runs", "{\"playbook\":\"recover\"}", 200, expected);
    snprintf(expected, sizeof expected, "uid %u", (unsigned)getuid());
    expect(w, "POST", "/v1/runs/3/abort", NULL, 200, expected);
}

START_TEST(test_the_requester_is_who_connected)
{
    with_server(NULL, requester);
}
END_TEST

static void seen_before(struct world *w)
{
    static const char request[] = "GET /v1/runs/7/events HTTP/1.1\r\nHost: x\r\n"
                                  "Last-Event-ID: 2\r\n\r\n";
    struct answer answer;
    int fd = dial(w);
    say_text(fd, request);
    read_answer(fd, &answer);
    ck_assert_ptr_null(strstr(buf_text(&answer.body), "second"));
    ck_assert_ptr_nonnull(strstr(buf_text(&answer.body), "third"));
    buf_free(&answer.body);
    close(fd);
}

START_TEST(test_who_comes_again_hears_only_what_is_new)
{
    with_server(NULL, seen_before);
}
END_TEST

static void large_stream(struct world *w)
{
    struct answer answer;
    int fd = dial(w);
    ask(fd, "GET", "/v1/runs/9/events", NULL);
    read_answer(fd, &answer);
    ck_assert_uint_gt(answer.body.len, 1 << 20);
    ck_assert_ptr_nonnull(strstr(buf_text(&answer.body), "third"));
    /* The reader was behind, so the progress entry was not worth telling. */
    ck_assert_ptr_null(strstr(buf_text(&answer.body), "waits"));
    buf_free(&answer.body);
    close(fd);
}

START_TEST(test_a_large_entry_arrives_whole)
{
    with_server(NULL, large_stream);
}
END_TEST

/* A body of `len` bytes, whole or in chunks; both connections stay in use afterwards. */
static void send_large(struct world *w, size_t len, bool chunked, int status)
{
    CLEANUP_FREE char *body = mem_new(len + 1);
    memset(body, ' ', len);
    body[len - 2] = '{';
    body[len - 1] = '}';
    CLEANUP_FREE char *head = chunked ? mem_printf("POST /v1/runs/5/abort HTTP/1.1\r\nHost: x\r\n"
                                                   "Transfer-Encoding: chunked\r\n\r\n%zx\r\n",
                                                   len)
                                      : mem_printf("POST /v1/runs/5/abort HTTP/1.1\r\nHost: x\r\n"
                                                   "Content-Length: %zu\r\n\r\n",
                                                   len);
    struct answer answer;
    int fd = dial(w);
    say_text(fd, head);
    say(fd, body, len);
    if (chunked)
        say_text(fd, "\r\n0\r\n\r\n");
    read_answer(fd, &answer);
    ck_assert_int_eq(answer.status, status);
    buf_free(&answer.body);
    ask(fd, "GET", "/v1/version", NULL);
    read_answer(fd, &answer);
    ck_assert_int_eq(answer.status, 200);
    buf_free(&answer.body);
    close(fd);
}

static void large_bodies(struct world *w)
{
    send_large(w, 64 << 10, false, 200);
    send_large(w, (64 << 10) + 1, false, 413);
    send_large(w, 1 << 20, false, 413);
    send_large(w, 64 << 10, true, 200);
    send_large(w, 1 << 20, true, 413);
}

START_TEST(test_a_body_may_have_64_KiB)
{
    with_server(NULL, large_bodies);
}
END_TEST

static void gone_before_reply(struct world *w)
{
    for (int i = 0; i < 5; i++) {
        int fd = dial(w);
        ask(fd, "GET", "/v1/connections", NULL);
        if (i % 2)
            shutdown(fd, SHUT_WR);
        expect(w, "GET", "/v1/version", NULL, 200, "at once"); /* the other one has arrived */
        close(fd);
    }
    int stays = dial(w);
    ask(stays, "GET", "/v1/connections", NULL);
    expect(w, "GET", "/v1/version", NULL, 200, "at once");
    expect(w, "POST", "/v1/runs/1/abort", NULL, 200, "\"run\":1");
    struct answer answer;
    read_answer(stays, &answer);
    ck_assert_int_eq(answer.status, 200);
    ck_assert_ptr_nonnull(strstr(buf_text(&answer.body), "released"));
    buf_free(&answer.body);
    close(stays);
    expect(w, "GET", "/v1/status", NULL, 200, "released");
}

START_TEST(test_a_client_that_left_changes_nothing)
{
    with_server(NULL, gone_before_reply);
}
END_TEST

static void drip(struct world *w)
{
    static const char start[] = "GET /v1/version HTTP/1.1\r\nHost: x\r\nX-Slow: ";
    int slow[4];
    for (size_t i = 0; i < ARRAY_SIZE(slow); i++) {
        slow[i] = dial(w);
        say_text(slow[i], start);
    }
    /* All places are taken by those who drip; they are cut, and somebody else is served. */
    for (;;) {
        size_t cut = 0;
        for (size_t i = 0; i < ARRAY_SIZE(slow); i++) {
            char byte;
            cut += send(slow[i], "x", 1, MSG_NOSIGNAL) != 1 ||
                   recv(slow[i], &byte, 1, MSG_DONTWAIT) == 0;
        }
        if (cut == ARRAY_SIZE(slow))
            break;
        poll(NULL, 0, 20);
    }
    expect(w, "GET", "/v1/version", NULL, 200, "at once");
    for (size_t i = 0; i < ARRAY_SIZE(slow); i++)
        close(slow[i]);
    int idle = dial(w); /* one that says nothing at all */
    char byte;
    ck_assert_int_eq(recv(idle, &byte, 1, 0), 0);
    close(idle);
}

START_TEST(test_one_who_drips_is_cut)
{
    with_server(&(struct control_limits){.connections = 4, .arrival_ms = 200}, drip);
}
END_TEST

static void slow_operation(struct world *w)
{
    int fd = dial(w);
    struct answer answer;
    ask(fd, "GET", "/v1/connections", NULL);
    /* Longer than the time for a request to arrive and than the sweep: it has arrived. */
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    ck_assert_int_eq(poll(&wait, 1, 1500), 0);
    expect(w, "POST", "/v1/runs/1/abort", NULL, 200, "\"run\":1");
    read_answer(fd, &answer);
    ck_assert_int_eq(answer.status, 200);
    buf_free(&answer.body);
    close(fd);
}

START_TEST(test_an_operation_may_take_its_time)
{
    with_server(&(struct control_limits){.arrival_ms = 200, .stall_ms = 1000}, slow_operation);
}
END_TEST

/* Opens a stream and reads up to its second entry. */
static int open_stream(struct world *w)
{
    int fd = dial(w);
    struct answer answer;
    ask(fd, "GET", "/v1/runs/8/events", NULL);
    ck_assert(read_head(fd, &answer));
    while (answer.status == 200 && !strstr(buf_text(&answer.body), "second"))
        ck_assert(read_chunk(fd, &answer));
    int status = answer.status;
    buf_free(&answer.body);
    if (status == 200)
        return fd;
    close(fd);
    return -status;
}

static void many_streams(struct world *w)
{
    int streams[3];
    for (size_t i = 0; i < ARRAY_SIZE(streams); i++)
        ck_assert_int_ge(streams[i] = open_stream(w), 0);
    ck_assert_int_eq(open_stream(w), -503);
    expect(w, "GET", "/v1/status", NULL, 200, "released"); /* control is not starved */
    close(streams[1]);
    while ((streams[1] = open_stream(w)) < 0) /* until the ping has found that it left */
        poll(NULL, 0, 10);
    for (size_t i = 0; i < ARRAY_SIZE(streams); i++) {
        struct answer answer = {.status = 0};
        buf_init(&answer.body, 1024);
        while (!strstr(buf_text(&answer.body), ": ping\n\n"))
            ck_assert(read_chunk(streams[i], &answer));
        buf_free(&answer.body);
        close(streams[i]);
    }
}

START_TEST(test_streams_are_counted_and_those_who_left_are_found)
{
    ck_assert_int_eq(
        with_server(&(struct control_limits){.streams = 3, .ping_ms = 30}, many_streams), 4);
}
END_TEST

static void stop_while_busy(struct world *w)
{
    int stream = open_stream(w);
    int waiting = dial(w);
    int half = dial(w);
    struct answer answer;
    ask(waiting, "GET", "/v1/connections", NULL);
    say_text(half, "POST /v1/runs HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n{");
    expect(w, "GET", "/v1/version", NULL, 200, "at once");
    int asking = dial(w);
    ask(asking, "POST", "/v1/runs/2/abort", NULL);
    read_answer(waiting, &answer);
    ck_assert_int_eq(answer.status, 503);
    ck_assert_ptr_nonnull(strstr(buf_text(&answer.body), "is ending"));
    buf_free(&answer.body);
    buf_init(&answer.body, 1024);
    while (read_chunk(stream, &answer))
        continue;
    ck_assert_msg(!answer.closed, "the stream was not ended but cut");
    buf_free(&answer.body);
    char byte;
    ck_assert_int_le(recv(half, &byte, 1, 0), 0);
    ck_assert_int_eq(dial(w), -1);
    close(stream);
    close(waiting);
    close(half);
    close(asking);
}

START_TEST(test_stop_with_open_streams_and_replies_owed)
{
    ck_assert_int_eq(with_server(NULL, stop_while_busy), 1);
}
END_TEST

static void garbage(struct world *w)
{
    static const char *const texts[] = {"\r\n\r\n", "hello\r\n\r\n", "\x16\x03\x01\x02",
                                        "GET /v1/version HTTP/9.9\r\n\r\n",
                                        "GET /v1/version HTTP/1.1\r\nContent-Length: -1\r\n\r\n"};
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        int fd = dial(w);
        say_text(fd, texts[i]);
        shutdown(fd, SHUT_WR);
        struct answer answer;
        read_answer(fd, &answer);
        ck_assert_msg(answer.closed || answer.status >= 400, "%s", texts[i]);
        buf_free(&answer.body);
        close(fd);
    }
    struct buf large;
    buf_init(&large, 1 << 20);
    buf_puts(&large, "GET /v1/version HTTP/1.1\r\nHost: x\r\nX-Large: ");
    while (large.len < 100000)
        buf_puts(&large, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
    struct answer answer;
    int fd = dial(w);
    say(fd, buf_text(&large), large.len);
    read_answer(fd, &answer);
    ck_assert_msg(answer.closed || answer.status == 431, "%d", answer.status);
    buf_free(&answer.body);
    buf_free(&large);
    close(fd);
    expect(w, "GET", "/v1/version", NULL, 200, "at once");
}

START_TEST(test_garbage_is_refused)
{
    with_server(&(struct control_limits){.arrival_ms = 300}, garbage);
}
END_TEST

/* --- the stream's bytes ---------------------------------------------------------------------- */

START_TEST(test_a_reader_too_slow_loses_the_stream_and_no_half_event)
{
    struct sse *sse = control__sse_new(0);
    CLEANUP_FREE char *text = mem_new((1 << 20) + 1);
    memset(text, 'x', 1 << 20);
    for (int i = 1; i <= 20; i++) {
        json_t *entry = entry_of(i, "note", text);
        control__sse_add(sse, entry);
        json_decref(entry);
    }
    CLEANUP_FREE char *block = mem_new(100000);
    char last[3] = "";
    size_t total = 0;
    size_t count;
    while ((count = control__sse_read(sse, block, 100000))) {
        total += count;
        if (count >= 2)
            memcpy(last, block + count - 2, 2);
    }
    ck_assert_uint_gt(total, 6 << 20);
    ck_assert_uint_le(total, 8 << 20);
    ck_assert_str_eq(last, "\n\n");
    ck_assert(control__sse_is_over(sse));
    control__sse_free(sse);
    control__sse_free(NULL);
}
END_TEST

START_TEST(test_every_code_has_a_status)
{
    for (int code = 0; code < ERR_CODES; code++)
        ck_assert_int_ge(control_status_of((enum err_code)code), 200);
    ck_assert_int_eq(control_status_of(ERR_REFUSED), 409);
    ck_assert_int_eq(control_status_of((enum err_code)999), 500);
}
END_TEST

START_TEST(test_the_requester_in_words)
{
    char out[CONTROL_REQUESTER_MAX];
    ck_assert_str_eq(control_requester(0, 4711, out), "uid 0 (root), pid 4711");
    ck_assert_str_eq(control_requester(4000000001U, 1, out), "uid 4000000001, pid 1");
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("control");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_every_route_answers);
    tcase_add_test(tests, test_what_is_refused_says_why);
    tcase_add_test(tests, test_one_connection_many_requests);
    tcase_add_test(tests, test_the_requester_is_who_connected);
    tcase_add_test(tests, test_who_comes_again_hears_only_what_is_new);
    tcase_add_test(tests, test_a_large_entry_arrives_whole);
    tcase_add_test(tests, test_a_body_may_have_64_KiB);
    tcase_add_test(tests, test_a_client_that_left_changes_nothing);
    tcase_add_test(tests, test_one_who_drips_is_cut);
    tcase_add_test(tests, test_an_operation_may_take_its_time);
    tcase_add_test(tests, test_streams_are_counted_and_those_who_left_are_found);
    tcase_add_test(tests, test_stop_with_open_streams_and_replies_owed);
    tcase_add_test(tests, test_garbage_is_refused);
    tcase_add_test(tests, test_a_reader_too_slow_loses_the_stream_and_no_half_event);
    tcase_add_test(tests, test_every_code_has_a_status);
    tcase_add_test(tests, test_the_requester_in_words);
    Suite *suite = suite_create("control");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
