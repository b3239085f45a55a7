/* The server: libmicrohttpd on our loop. See control.h. The only file that knows the library.
 *
 * How it is driven: the library gives one epoll descriptor, which the loop watches; whatever
 * happens there, and whenever the library's own time-out passes, MHD_run() is called and the
 * time-out asked for anew. A request that has to wait is suspended in the library; resuming it
 * moves nothing by itself in this mode (0.9.75), so every resume also starts the timer with 0.
 *
 * Who owns what: an exchange is one request with its answer, made by on_access and freed by
 * on_completed, whatever happens between. A call is an operation of the application under way for
 * an exchange; it knows the exchange by its number only, since the client may be gone when the
 * reply comes, and it outlives even the server.
 */
#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "control/audit.h"
#include "control/entrance.h"
#include "control/peers.h"
#include "control/reception.h"
#include "control/routes.h"
#include "control/sse.h"

#include <assert.h>
#include <microhttpd.h>
#include <stdio.h>
#include <string.h>

enum {
    BODY_MAX = 64 << 10,
    HEADER_MEMORY = 32 << 10, /* a connection's: request line, headers and the library's buffers */
    STREAM_BLOCK = 16 << 10,
    DRAIN_ROUNDS = 8,
    SHARE = 4,        /* one user may have this part of the places */
    PLACES_KEPT = 8,  /* this part of them is for root and our own user */
    STREAMS_KEPT = 4, /* and this part of the streams */
};

struct exchange {
    struct exchange *next;
    uint64_t id;
    struct control *control;
    struct MHD_Connection *connection;
    struct peer *peer;
    struct buf body;
    bool dispatched;
    bool suspended;
    struct audit *audit; /* until the outcome is known, or a call has it */
    int status;          /* of the answer, when there is one */
    char *answer;
    const char *type; /* of the answer */
    char allow[ROUTE_METHODS_MAX];
    struct sse *stream;
    uint64_t follow; /* the application's handle; 0 once it is over */
};

struct call {
    struct call *next;
    struct control *control; /* NULL once the server is gone */
    uint64_t exchange;
    struct audit *audit;
    const char *type; /* of a reply that is a text; NULL: JSON */
};

struct control {
    struct loop *loop;
    const struct control_ops *ops;
    void *app;
    struct control_limits limits;
    struct entrance entrance;
    struct MHD_Daemon *daemon;
    struct poll *poll;
    struct timer *wake; /* the library's time-out, or 0 after a resume */
    struct timer *ping;
    struct peers *peers;
    struct reception *reception;
    struct exchange *exchanges;
    struct call *calls;
    int streams;
    bool closing;
};

/* --- driving the library --------------------------------------------------------------------- */

static void run_library(void *data)
{
    struct control *control = data;
    MHD_UNSIGNED_LONG_LONG in_ms;
    MHD_run(control->daemon);
    if (MHD_get_timeout(control->daemon, &in_ms) == MHD_YES)
        timer_start(control->wake, in_ms < INT32_MAX ? (int64_t)in_ms : INT32_MAX);
    else
        timer_stop(control->wake);
}

static void on_epoll(void *data, int status, int events)
{
    (void)status; /* an error shows again inside the library, which knows whose it is */
    (void)events;
    run_library(data);
}

static void resume(struct exchange *exchange)
{
    if (!exchange->suspended)
        return;
    exchange->suspended = false;
    MHD_resume_connection(exchange->connection);
    timer_start(exchange->control->wake, 0);
}

static void suspend(struct exchange *exchange)
{
    exchange->suspended = true;
    MHD_suspend_connection(exchange->connection);
}

__attribute__((format(printf, 2, 0))) static void on_library_log(void *data, const char *format,
                                                                 va_list args)
{
    (void)data;
    CLEANUP_FREE char *text = mem_vprintf(format, args);
    text[strcspn(text, "\n")] = '\0';
    log_debug("control: %s", text);
}

/* --- answers --------------------------------------------------------------------------------- */

static void answer_json(struct exchange *exchange, int status, const json_t *body)
{
    CLEANUP_FREE char *line = json_line(body);
    exchange->status = status;
    exchange->answer = mem_printf("%s\n", line);
    exchange->type = "application/json";
    resume(exchange);
}

static void answer_text(struct exchange *exchange, const char *type, const json_t *text)
{
    exchange->status = 200;
    exchange->answer = mem_strdup(json_string_value(text));
    exchange->type = type;
    resume(exchange);
}

static void answer_error(struct exchange *exchange, int status, const struct err *e)
{
    json_t *body = json_object();
    exchange->audit = control__audit_end(exchange->audit, status, e);
    json_object_set_new(body, "error", json_from_err(e));
    answer_json(exchange, status, body);
    json_decref(body);
}

static void answer_closing(struct exchange *exchange)
{
    struct err e;
    err_set(&e, ERR_CANCELLED, "the supervisor is ending");
    err_hint(&e, "ask again in a moment");
    answer_error(exchange, 503, &e);
}

static void add_headers(const struct exchange *exchange, struct MHD_Response *response,
                        const char *type)
{
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    /* For browsers, which the page brings here: nothing but itself, and in nobody's frame. */
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(response, "Content-Security-Policy",
                            "default-src 'none'; style-src 'self'; base-uri 'none'; "
                            "form-action 'none'; frame-ancestors 'none'");
    MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
    MHD_add_response_header(response, "Cross-Origin-Resource-Policy", "same-origin");
    if (exchange->status == 405)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, exchange->allow);
    if (exchange->status == 401)
        MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
    if (exchange->status == 503)
        MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, "1");
}

static enum MHD_Result queue(struct exchange *exchange, struct MHD_Response *response,
                             const char *type)
{
    if (!response)
        return MHD_NO;
    add_headers(exchange, response, type);
    enum MHD_Result queued =
        MHD_queue_response(exchange->connection, (unsigned)exchange->status, response);
    MHD_destroy_response(response); /* the library holds a reference of its own */
    return queued;
}

static enum MHD_Result send_answer(struct exchange *exchange)
{
    return queue(exchange,
                 MHD_create_response_from_buffer(strlen(exchange->answer), exchange->answer,
                                                 MHD_RESPMEM_MUST_COPY),
                 exchange->type);
}

static ssize_t on_stream_read(void *data, uint64_t position, char *out, size_t room)
{
    (void)position;
    struct exchange *exchange = data;
    size_t count = control__sse_read(exchange->stream, out, room);
    if (count)
        return (ssize_t)count;
    if (control__sse_is_over(exchange->stream))
        return MHD_CONTENT_READER_END_OF_STREAM;
    suspend(exchange);
    return 0;
}

static enum MHD_Result send_stream(struct exchange *exchange)
{
    return queue(exchange,
                 MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK, on_stream_read,
                                                   exchange, NULL),
                 "text/event-stream");
}

/* --- calls of the application ----------------------------------------------------------------- */

/* Takes the audit along: the line is due also when the client does not wait for the outcome. */
static struct call *call_new(struct exchange *exchange, const char *type)
{
    struct call *call = mem_new(sizeof *call);
    *call = (struct call){.next = exchange->control->calls,
                          .control = exchange->control,
                          .exchange = exchange->id,
                          .audit = exchange->audit,
                          .type = type};
    exchange->audit = NULL;
    exchange->control->calls = call;
    return call;
}

static void call_unlink(struct call *call)
{
    struct call **at = &call->control->calls;
    while (*at != call)
        at = &(*at)->next;
    *at = call->next;
}

static struct exchange *find_exchange(struct control *control, uint64_t id)
{
    struct exchange *exchange = control->exchanges;
    while (exchange && exchange->id != id)
        exchange = exchange->next;
    return exchange;
}

static void on_reply(void *data, const struct err *e, const json_t *body)
{
    struct call *call = data;
    const char *type = call->type;
    struct exchange *exchange = NULL;
    if (call->control) {
        call_unlink(call);
        exchange = find_exchange(call->control, call->exchange);
    }
    control__audit_end(call->audit, e ? control_status_of(e->code) : 200, e);
    free(call);
    if (!exchange)
        return; /* the client is gone, or we are */
    if (e)
        answer_error(exchange, control_status_of(e->code), e);
    else if (type && json_is_string(body))
        answer_text(exchange, type, body);
    else
        answer_json(exchange, 200, body);
}

/* --- streams --------------------------------------------------------------------------------- */

static void on_entry(void *data, const json_t *entry, bool last)
{
    struct exchange *exchange = data;
    if (entry)
        control__sse_add(exchange->stream, entry);
    if (last) {
        exchange->follow = 0;
        control__sse_end(exchange->stream);
    }
    resume(exchange);
}

/* Where a client that comes again says what it has seen; 0 when it says nothing sensible. */
static int64_t last_event_id(const struct exchange *exchange)
{
    const char *text =
        MHD_lookup_connection_value(exchange->connection, MHD_HEADER_KIND, "Last-Event-ID");
    int64_t id = 0;
    for (; text && *text >= '0' && *text <= '9' && id < INT64_MAX / 10 - 1; text++)
        id = id * 10 + (*text - '0');
    return id;
}

static void start_stream(struct exchange *exchange, int64_t run)
{
    struct control *control = exchange->control;
    struct err e;
    int limit = control->limits.streams;
    if (!control__peer_is_privileged(exchange->peer))
        limit -= limit / STREAMS_KEPT;
    if (control->streams >= limit) {
        err_set(&e, ERR_REFUSED, "%d clients follow runs already", control->streams);
        err_hint(&e, "GET " WIRE_RUNS "/%lld gives the entries so far", (long long)run);
        answer_error(exchange, 503, &e);
        return;
    }
    exchange->stream = control__sse_new(last_event_id(exchange));
    exchange->follow = control->ops->follow(control->app, run, on_entry, exchange, &e);
    if (!exchange->follow) {
        control__sse_free(exchange->stream);
        exchange->stream = NULL;
        answer_error(exchange, control_status_of(e.code), &e);
        return;
    }
    exchange->status = 200;
    control->streams++;
    if (!timer_is_running(control->ping))
        timer_start(control->ping, control->limits.ping_ms);
}

static void end_stream(struct exchange *exchange)
{
    if (exchange->follow)
        exchange->control->ops->unfollow(exchange->control->app, exchange->follow);
    exchange->follow = 0;
    if (exchange->stream)
        control__sse_end(exchange->stream);
}

/* A suspended connection does not see that its client left: only writing shows it. */
static void on_ping(void *data)
{
    struct control *control = data;
    for (struct exchange *exchange = control->exchanges; exchange; exchange = exchange->next) {
        if (!exchange->stream)
            continue;
        control__sse_ping(exchange->stream);
        resume(exchange);
    }
    if (control->streams)
        timer_start(control->ping, control->limits.ping_ms);
}

/* --- requests -------------------------------------------------------------------------------- */

static enum MHD_Result add_argument(void *data, enum MHD_ValueKind kind, const char *key,
                                    const char *value)
{
    (void)kind;
    json_t *query = data;
    CLEANUP_JSON json_t *name = json_lossy_string(key, strlen(key));
    json_set_text(query, json_string_value(name), value ? value : "");
    return MHD_YES;
}

/* The body as an object, which the caller owns; none was sent: an empty one. */
static json_t *parse_body(const struct exchange *exchange, struct err *e)
{
    if (exchange->body.len == 0)
        return json_object();
    json_t *body = json_parse(exchange->body.data, exchange->body.len, "request body", e);
    if (body && !json_is_object(body)) {
        json_decref(body);
        body = NULL;
        err_set(e, ERR_PROTOCOL, "request body: expected an object");
    }
    return body;
}

/* Reads the rest of the request against its route and hands it on. */
static void perform(struct exchange *exchange, const struct route *route, int64_t number)
{
    struct control *control = exchange->control;
    struct err e;
    CLEANUP_JSON json_t *query = json_object();
    MHD_get_connection_values(exchange->connection, MHD_GET_ARGUMENT_KIND, add_argument, query);
    CLEANUP_JSON json_t *body = parse_body(exchange, &e);
    if (!body || control__route_check(route, query, body, &e)) {
        answer_error(exchange, 400, &e);
        return;
    }
    if (control__route_is_stream(route)) {
        start_stream(exchange, number);
        return;
    }
    struct request request = {.ops = control->ops,
                              .app = control->app,
                              .requester = control__peer_requester(exchange->peer),
                              .number = number,
                              .query = query,
                              .body = body};
    control__route_call(route, &request, on_reply, call_new(exchange, control__route_type(route)));
}

static const char *header_of(const struct exchange *exchange, const char *name)
{
    return MHD_lookup_connection_value(exchange->connection, MHD_HEADER_KIND, name);
}

/* Whether the entrance lets the request pass; else it is answered. */
static bool pass_entrance(struct exchange *exchange, const char *method, const char *path)
{
    struct err e;
    const struct visit visit = {.method = method,
                                .path = path,
                                .host = header_of(exchange, MHD_HTTP_HEADER_HOST),
                                .authorization =
                                    header_of(exchange, MHD_HTTP_HEADER_AUTHORIZATION)};
    int refused = control__entrance_check(&exchange->control->entrance, &visit, &e);
    if (refused)
        answer_error(exchange, refused, &e);
    return !refused;
}

static void dispatch(struct exchange *exchange, const char *method, const char *path)
{
    const struct route *route = NULL;
    int64_t number = 0;
    struct err e;
    exchange->dispatched = true;
    control__peer_arrived(exchange->peer);
    exchange->audit = control__audit_new(control__peer_requester(exchange->peer), method, path);
    if (exchange->control->closing) {
        answer_closing(exchange);
        return;
    }
    if (!pass_entrance(exchange, method, path))
        return;
    if (exchange->body.overflowed) {
        err_set(&e, ERR_INVALID, "request body: more than %d bytes", BODY_MAX);
        answer_error(exchange, 413, &e);
        return;
    }
    int refused = control__route_find(method, path, &route, &number, exchange->allow, &e);
    if (refused)
        answer_error(exchange, refused, &e);
    else
        perform(exchange, route, number);
}

static struct exchange *exchange_new(struct control *control, struct MHD_Connection *connection)
{
    struct exchange *exchange = mem_new(sizeof *exchange);
    exchange->id = loop_next_id(control->loop);
    exchange->control = control;
    exchange->connection = connection;
    exchange->peer =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    buf_init(&exchange->body, BODY_MAX);
    exchange->next = control->exchanges;
    control->exchanges = exchange;
    return exchange;
}

static void exchange_free(struct exchange *exchange)
{
    struct exchange **at = &exchange->control->exchanges;
    while (*at != exchange)
        at = &(*at)->next;
    *at = exchange->next;
    if (exchange->stream)
        exchange->control->streams--;
    end_stream(exchange);
    assert(!exchange->audit);
    control__sse_free(exchange->stream);
    buf_free(&exchange->body);
    free(exchange->answer);
    free(exchange);
}

/* Called for the header, for each piece of the body, once when all has arrived, and once more
 * after each resume. */
static enum MHD_Result on_access(void *data, struct MHD_Connection *connection, const char *path,
                                 const char *method, const char *version, const char *bytes,
                                 size_t *len, void **context)
{
    (void)version;
    struct exchange *exchange = *context;
    if (!exchange) {
        *context = exchange_new(data, connection);
        return MHD_YES;
    }
    if (*len) {
        /* What is too much is read and dropped: refusing it here would cut the connection before
         * the client has read why. */
        if (!exchange->body.overflowed && !buf_add(&exchange->body, bytes, *len))
            exchange->body.overflowed = true;
        *len = 0;
        return MHD_YES;
    }
    if (!exchange->dispatched)
        dispatch(exchange, method, path);
    if (exchange->answer)
        return send_answer(exchange);
    if (exchange->stream)
        return send_stream(exchange);
    suspend(exchange);
    return MHD_YES;
}

static void on_completed(void *data, struct MHD_Connection *connection, void **context,
                         enum MHD_RequestTerminationCode code)
{
    (void)connection;
    (void)code;
    struct control *control = data;
    struct exchange *exchange = *context;
    if (!exchange)
        return;
    control__peer_answered(control->peers, exchange->peer);
    exchange_free(exchange);
    *context = NULL;
}

static void on_connection(void *data, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct control *control = data;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *context = control__peer_add(
            control->peers,
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd);
        return;
    }
    control__peer_remove(control->peers, *context);
}

static void on_newcomer(void *data, int fd)
{
    /* The library wants an address, and only tells it back; on failure it closes the socket. */
    const struct sockaddr nowhere = {.sa_family = AF_UNIX};
    struct control *control = data;
    MHD_add_connection(control->daemon, fd, &nowhere, sizeof nowhere);
    timer_start(control->wake, 0);
}

/* --- making and ending one -------------------------------------------------------------------- */

static int at_least_one(int number)
{
    return number > 0 ? number : 1;
}

static struct control_limits limits_or_defaults(const struct control_limits *limits)
{
    return (struct control_limits){
        .connections = limits->connections ? limits->connections : 64,
        .streams = limits->streams ? limits->streams : 16,
        .arrival_ms = limits->arrival_ms ? limits->arrival_ms : 10000,
        .stall_ms = limits->stall_ms ? limits->stall_ms : 30000,
        .ping_ms = limits->ping_ms ? limits->ping_ms : 10000,
    };
}

/* It is handed connections and listens to nothing itself: at its limit it would not take one more,
 * whoever comes. Those that were cut count until it has closed them. */
static struct MHD_Daemon *start_library(struct control *control)
{
    unsigned connections = (unsigned)control->limits.connections + RECEPTION_BATCH;
    return MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0,
        NULL, NULL, on_access, control, MHD_OPTION_EXTERNAL_LOGGER, on_library_log, control,
        MHD_OPTION_CONNECTION_LIMIT, connections, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)HEADER_MEMORY, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)((control->limits.stall_ms + 999) / 1000), MHD_OPTION_NOTIFY_COMPLETED,
        on_completed, control, MHD_OPTION_NOTIFY_CONNECTION, on_connection, control,
        MHD_OPTION_END);
}

/* Watches the library and the socket; the descriptor is taken over. */
static bool start_watching(struct control *control, int fd)
{
    control->reception =
        control__reception_new(control->loop, fd, control->peers, on_newcomer, control);
    control->daemon = start_library(control);
    if (!control->daemon || !control->reception)
        return false;
    int epoll = MHD_get_daemon_info(control->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    control->poll = poll_new(control->loop, epoll, UV_READABLE, on_epoll, control);
    return control->poll;
}

int control_new(struct loop *loop, const struct control_options *options, struct control **ret,
                struct err *e)
{
    struct entrance entrance;
    int fd;
    int failed = control__entrance_open(options, &entrance, &fd, e);
    if (failed)
        return failed;
    struct control *control = mem_new(sizeof *control);
    control->loop = loop;
    control->ops = options->ops;
    control->app = options->app;
    control->limits = limits_or_defaults(&options->limits);
    control->entrance = entrance;
    control->wake = timer_new(loop, run_library, control);
    const struct peers_rules rules = {.arrival_ms = control->limits.arrival_ms,
                                      .places = control->limits.connections,
                                      .share = at_least_one(control->limits.connections / SHARE),
                                      .kept = control->limits.connections / PLACES_KEPT};
    control->peers = control__peers_new(loop, &rules);
    control->ping = timer_new(loop, on_ping, control);
    if (!start_watching(control, fd)) {
        control_free(control);
        return err_set(e, ERR_FAILED, "control: %s: the HTTP server does not start",
                       options->listen ? options->listen : options->socket_path);
    }
    *ret = control;
    return 0;
}

/* The library must not be stopped with a suspended connection: each is given its end, and a few
 * rounds carry out what fits into the sockets. */
static void drain(struct control *control)
{
    for (struct exchange *exchange = control->exchanges; exchange; exchange = exchange->next) {
        end_stream(exchange);
        if (exchange->dispatched && !exchange->stream && !exchange->answer)
            answer_closing(exchange);
        resume(exchange);
    }
    for (int i = 0; i < DRAIN_ROUNDS; i++)
        MHD_run(control->daemon);
}

struct control *control_free(struct control *control)
{
    if (!control)
        return NULL;
    control->closing = true;
    control->poll = poll_free(control->poll);
    control->reception = control__reception_free(control->reception);
    control__entrance_close(&control->entrance);
    if (control->daemon) {
        drain(control);
        MHD_stop_daemon(control->daemon); /* completes every exchange */
    }
    assert(!control->exchanges);
    for (struct call *call = control->calls; call; call = call->next)
        call->control = NULL;
    timer_free(control->wake);
    control__peers_free(control->peers);
    timer_free(control->ping);
    free(control);
    return NULL;
}
