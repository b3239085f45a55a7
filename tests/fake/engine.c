/* See engine.h. */
#include "tests/fake/engine.h"

#include "base/buf.h"
#include "base/mem.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

struct reply {
    char *bytes;
    size_t len;
    enum fake_end end;
    int delay_ms;
    fake_answer_fn fn; /* makes the bytes when they are asked for, or NULL */
    void *data;
};

struct route {
    char *prefix;
    struct reply *replies;
    size_t count, next;
};

struct request {
    char *text; /* head and body */
};

struct connection {
    uv_pipe_t pipe; /* first: a handle of it is the connection */
    struct fake_engine *engine;
    struct connection *next;
    struct buf in;
    char *request;             /* that is being answered */
    const struct reply *reply; /* to it, waiting for its pause */
    struct timer *pause;
    bool is_held;
};

struct fake_engine {
    struct loop *loop;
    char folder[32];
    char *path, *host;
    uv_pipe_t *listener; /* NULL: down */
    struct connection *connections;
    struct route *routes;
    size_t route_count;
    struct request *requests;
    size_t request_count, accepted;
    char api[16], server[64];
    fake_otherwise_fn answer;
    void *answer_data;
};

static bool fits(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* --- writing ---------------------------------------------------------------------------------- */

struct write {
    uv_write_t request;
    char *bytes;
};

static void on_written(uv_write_t *request, int status)
{
    (void)status; /* the peer may have left: tests do that on purpose */
    struct write *write = (struct write *)request;
    free(write->bytes);
    free(write);
}

static void send_bytes(struct connection *c, const char *bytes, size_t len)
{
    if (len == 0 || uv_is_closing((uv_handle_t *)&c->pipe))
        return;
    struct write *write = mem_new(sizeof *write);
    write->bytes = mem_strndup(bytes, len);
    uv_buf_t buffer = uv_buf_init(write->bytes, (unsigned)len);
    uv_write(&write->request, (uv_stream_t *)&c->pipe, &buffer, 1, on_written);
}

/* --- connections ------------------------------------------------------------------------------ */

static void on_closed(uv_handle_t *handle)
{
    struct connection *c = (struct connection *)handle;
    buf_free(&c->in);
    free(c->request);
    free(c);
}

static void unlink_connection(struct connection *c)
{
    struct connection **at = &c->engine->connections;
    while (*at && *at != c)
        at = &(*at)->next;
    if (*at)
        *at = c->next;
}

static void on_shut(uv_shutdown_t *request, int status)
{
    (void)status;
    uv_close((uv_handle_t *)request->handle, on_closed);
    free(request);
}

/* Behind what is still to be written. */
static void close_connection(struct connection *c)
{
    unlink_connection(c);
    c->pause = timer_free(c->pause);
    if (uv_is_closing((uv_handle_t *)&c->pipe))
        return;
    uv_read_stop((uv_stream_t *)&c->pipe);
    uv_shutdown_t *request = mem_new(sizeof *request);
    if (uv_shutdown(request, (uv_stream_t *)&c->pipe, on_shut) != 0) {
        free(request);
        uv_close((uv_handle_t *)&c->pipe, on_closed);
    }
}

static void take_requests(struct connection *c);

static void give_reply(void *data)
{
    struct connection *c = data;
    const struct reply *reply = c->reply;
    size_t len = reply->len;
    enum fake_end end = reply->end;
    c->reply = NULL;
    CLEANUP_FREE char *made = reply->fn ? reply->fn(reply->data, c->request, &len, &end) : NULL;
    send_bytes(c, reply->fn ? made : reply->bytes, len);
    c->is_held = end == FAKE_HOLD;
    if (end == FAKE_CLOSE)
        close_connection(c);
    else if (end == FAKE_KEEP)
        take_requests(c);
}

/* --- answering -------------------------------------------------------------------------------- */

static void answer_ping(struct connection *c)
{
    char date[64];
    time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &utc);
    CLEANUP_FREE char *text =
        mem_printf("HTTP/1.1 200 OK\r\nApi-Version: %s\r\nServer: %s\r\nDate: %s\r\n"
                   "Content-Length: 2\r\n\r\nOK",
                   c->engine->api, c->engine->server, date);
    send_bytes(c, text, strlen(text));
}

static bool answer_by_hand(struct connection *c)
{
    const struct fake_engine *engine = c->engine;
    CLEANUP_FREE char *text =
        engine->answer ? engine->answer(engine->answer_data, c->request) : NULL;
    if (text)
        send_bytes(c, text, strlen(text));
    return text;
}

static void answer_unknown(struct connection *c)
{
    static const char text[] = "HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\n"
                               "Content-Length: 29\r\n\r\n{\"message\":\"page not found\"}\n";
    send_bytes(c, text, sizeof text - 1);
}

static const struct reply *next_reply(struct fake_engine *engine, const char *request)
{
    for (size_t i = engine->route_count; i > 0; i--) {
        struct route *route = &engine->routes[i - 1];
        if (!fits(request, route->prefix))
            continue;
        const struct reply *reply = &route->replies[route->next];
        if (route->next + 1 < route->count)
            route->next++;
        return reply;
    }
    return NULL;
}

/* Takes over the request's text. */
static void answer(struct connection *c, char *request)
{
    struct fake_engine *engine = c->engine;
    MEM_PUSH(engine->requests, engine->request_count)->text = mem_strdup(request);
    free(c->request);
    c->request = request;
    c->reply = next_reply(engine, request);
    if (c->reply && c->reply->delay_ms)
        timer_start(c->pause, c->reply->delay_ms);
    else if (c->reply)
        give_reply(c);
    else if (fits(request, "GET /_ping"))
        answer_ping(c);
    else if (!answer_by_hand(c))
        answer_unknown(c);
}

static size_t content_length(const char *head)
{
    const char *header = strcasestr(head, "\r\nContent-Length:");
    return header ? (size_t)strtoul(header + 17, NULL, 10) : 0;
}

static void take_requests(struct connection *c)
{
    while (!c->reply && !c->is_held && !uv_is_closing((uv_handle_t *)&c->pipe)) {
        const char *text = buf_text(&c->in);
        const char *end = strstr(text, "\r\n\r\n");
        if (!end)
            return;
        size_t head = (size_t)(end - text) + 4;
        CLEANUP_FREE char *head_text = mem_strndup(text, head);
        size_t len = head + content_length(head_text);
        if (c->in.len < len)
            return;
        char *request = mem_strndup(text, len);
        buf_consume(&c->in, len);
        answer(c, request);
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
    (void)handle;
    *ret = uv_buf_init(mem_new(suggested), (unsigned)suggested);
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    struct connection *c = (struct connection *)stream;
    if (count > 0) {
        buf_add(&c->in, buffer->base, (size_t)count);
        take_requests(c);
    } else if (count < 0) {
        close_connection(c);
    }
    free(buffer->base);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct fake_engine *engine = listener->data;
    assert(status == 0);
    struct connection *c = mem_new(sizeof *c);
    c->engine = engine;
    buf_init(&c->in, 1 << 24);
    c->pause = timer_new(engine->loop, give_reply, c);
    uv_pipe_init(loop_uv(engine->loop), &c->pipe, 0);
    uv_accept(listener, (uv_stream_t *)&c->pipe);
    c->next = engine->connections;
    engine->connections = c;
    engine->accepted++;
    uv_read_start((uv_stream_t *)&c->pipe, on_alloc, on_read);
}

/* --- life ------------------------------------------------------------------------------------- */

static void on_listener_closed(uv_handle_t *handle)
{
    free(handle);
}

void fake_engine_listen(struct fake_engine *engine, bool on)
{
    if (engine->listener) {
        uv_close((uv_handle_t *)engine->listener, on_listener_closed);
        engine->listener = NULL;
    }
    remove(engine->path);
    if (!on)
        return;
    engine->listener = mem_new(sizeof *engine->listener);
    uv_pipe_init(loop_uv(engine->loop), engine->listener, 0);
    engine->listener->data = engine;
    int code = uv_pipe_bind(engine->listener, engine->path);
    assert(code == 0);
    code = uv_listen((uv_stream_t *)engine->listener, 64, on_connection);
    assert(code == 0);
    (void)code;
}

struct fake_engine *fake_engine_new(struct loop *loop)
{
    struct fake_engine *engine = mem_new(sizeof *engine);
    signal(SIGPIPE, SIG_IGN); /* libuv writes without MSG_NOSIGNAL, and clients hang up on us */
    engine->loop = loop;
    snprintf(engine->folder, sizeof engine->folder, "/tmp/fake-engine-XXXXXX");
    if (!mkdtemp(engine->folder))
        abort();
    engine->path = mem_printf("%s/docker.sock", engine->folder);
    engine->host = mem_printf("unix://%s", engine->path);
    fake_engine_set_api(engine, "1.41");
    fake_engine_set_server(engine, "Docker/20.10.24 (linux)");
    fake_engine_listen(engine, true);
    return engine;
}

static void route_clear(struct route *route)
{
    for (size_t i = 0; i < route->count; i++)
        free(route->replies[i].bytes);
    free(route->replies);
    free(route->prefix);
}

struct fake_engine *fake_engine_free(struct fake_engine *engine)
{
    if (!engine)
        return NULL;
    fake_engine_listen(engine, false);
    while (engine->connections)
        close_connection(engine->connections);
    for (size_t i = 0; i < engine->route_count; i++)
        route_clear(&engine->routes[i]);
    for (size_t i = 0; i < engine->request_count; i++)
        free(engine->requests[i].text);
    rmdir(engine->folder);
    free(engine->routes);
    free(engine->requests);
    free(engine->path);
    free(engine->host);
    free(engine);
    return NULL;
}

const char *fake_engine_host(const struct fake_engine *engine)
{
    return engine->host;
}

void fake_engine_set_api(struct fake_engine *engine, const char *version)
{
    snprintf(engine->api, sizeof engine->api, "%s", version);
}

void fake_engine_set_server(struct fake_engine *engine, const char *server)
{
    snprintf(engine->server, sizeof engine->server, "%s", server);
}

/* --- the script ------------------------------------------------------------------------------- */

static struct reply *add_reply(struct fake_engine *engine, const char *route)
{
    struct route *last = engine->route_count ? &engine->routes[engine->route_count - 1] : NULL;
    if (!last || strcmp(last->prefix, route) != 0) {
        last = MEM_PUSH(engine->routes, engine->route_count);
        last->prefix = mem_strdup(route);
    }
    return MEM_PUSH(last->replies, last->count);
}

void fake_engine_raw(struct fake_engine *engine, const char *route, const char *bytes, size_t len,
                     enum fake_end end)
{
    *add_reply(engine, route) =
        (struct reply){.bytes = mem_strndup(bytes, len), .len = len, .end = end};
}

void fake_engine_answer(struct fake_engine *engine, const char *route, fake_answer_fn fn,
                        void *data)
{
    *add_reply(engine, route) = (struct reply){.fn = fn, .data = data};
}

void fake_engine_text(struct fake_engine *engine, const char *route, const char *text,
                      enum fake_end end)
{
    fake_engine_raw(engine, route, text, strlen(text), end);
}

char *fake_json(int status, const char *body)
{
    if (status == 204 || status == 304) /* these two have no body */
        return mem_printf("HTTP/1.1 %d X\r\n\r\n", status);
    return mem_printf("HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
                      "\r\n%s",
                      status, strlen(body), body);
}

void fake_engine_json(struct fake_engine *engine, const char *route, int status, const char *body)
{
    CLEANUP_FREE char *text = fake_json(status, body);
    fake_engine_text(engine, route, text, FAKE_KEEP);
}

void fake_engine_otherwise(struct fake_engine *engine, fake_otherwise_fn fn, void *data)
{
    engine->answer = fn;
    engine->answer_data = data;
}

void fake_engine_delay(struct fake_engine *engine, int delay_ms)
{
    struct route *last = &engine->routes[engine->route_count - 1];
    last->replies[last->count - 1].delay_ms = delay_ms;
}

void fake_engine_push(struct fake_engine *engine, const char *route, const char *bytes, size_t len)
{
    for (struct connection *c = engine->connections; c; c = c->next)
        if (c->is_held && fits(c->request, route))
            send_bytes(c, bytes, len);
}

void fake_engine_push_chunk(struct fake_engine *engine, const char *route, const char *bytes,
                            size_t len)
{
    struct buf chunk;
    buf_init(&chunk, len + 32);
    buf_printf(&chunk, "%zx\r\n", len);
    buf_add(&chunk, bytes, len);
    buf_puts(&chunk, "\r\n");
    fake_engine_push(engine, route, chunk.data, chunk.len);
    buf_free(&chunk);
}

void fake_engine_end_chunks(struct fake_engine *engine, const char *route)
{
    for (struct connection *c = engine->connections; c; c = c->next)
        if (c->is_held && fits(c->request, route)) {
            send_bytes(c, "0\r\n\r\n", 5);
            c->is_held = false;
        }
}

void fake_engine_cut(struct fake_engine *engine, const char *route)
{
    struct connection *next;
    for (struct connection *c = engine->connections; c; c = next) {
        next = c->next;
        if (c->is_held && fits(c->request, route))
            close_connection(c);
    }
}

size_t fake_engine_count(const struct fake_engine *engine, const char *route)
{
    size_t count = 0;
    for (size_t i = 0; i < engine->request_count; i++)
        count += fits(engine->requests[i].text, route);
    return count;
}

const char *fake_engine_last(const struct fake_engine *engine, const char *route)
{
    for (size_t i = engine->request_count; i > 0; i--)
        if (fits(engine->requests[i - 1].text, route))
            return engine->requests[i - 1].text;
    return "";
}

size_t fake_engine_connections(const struct fake_engine *engine)
{
    return engine->accepted;
}

char *fake_chunk(const char *text)
{
    return mem_printf("%zx\r\n%s\r\n", strlen(text), text);
}
