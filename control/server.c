/* The server: libmicrohttpd on our loop. See control.h. The only file that knows the library;
 * what is asked and answered is exchange.c's, and they meet in server_private.h.
 *
 * How it is driven: the library gives one epoll descriptor, which the loop watches; whatever
 * happens there, and whenever the library's own time-out passes, MHD_run() is called and the
 * time-out asked for anew. A request that has to wait is suspended in the library; resuming it
 * moves nothing by itself in this mode (0.9.75), so every resume also starts the timer with 0.
 */
#include "base/log.h"
#include "base/mem.h"
#include "control/reception.h"
#include "control/server_private.h"

#include <assert.h>
#include <microhttpd.h>
#include <string.h>

enum {
    HEADER_MEMORY = 32 << 10, /* a connection's: request line, headers and the library's buffers */
    STREAM_BLOCK = 16 << 10,
    DRAIN_ROUNDS = 8,
    SHARE = 4,       /* one user may have this part of the places */
    PLACES_KEPT = 8, /* this part of them is for root and our own user */
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

void control__server_resume(struct exchange *exchange)
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

json_t *control__server_query(const struct exchange *exchange)
{
    json_t *query = json_object();
    MHD_get_connection_values(exchange->connection, MHD_GET_ARGUMENT_KIND, add_argument, query);
    return query;
}

const char *control__server_header(const struct exchange *exchange, const char *name)
{
    return MHD_lookup_connection_value(exchange->connection, MHD_HEADER_KIND, name);
}

static struct peer *peer_of(struct MHD_Connection *connection)
{
    return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
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
        *context = control__exchange_new(data, connection, peer_of(connection));
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
        control__exchange_dispatch(exchange, method, path);
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
    control__exchange_free(exchange);
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
    control->ping = timer_new(loop, control__streams_ping, control);
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
    for (struct exchange *exchange = control->exchanges; exchange; exchange = exchange->next)
        control__exchange_close(exchange);
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
    control__calls_forget(control);
    timer_free(control->wake);
    control__peers_free(control->peers);
    timer_free(control->ping);
    free(control);
    return NULL;
}
