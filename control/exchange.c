/* Exchanges: what a request asks for, who may ask it, the call of the application or the stream
 * that follows, and what is answered. See server_private.h; knows no HTTP library, which is
 * server.c's.
 *
 * Who owns what: an exchange is made when its request begins and freed when the library is done
 * with it (on_access and on_completed in server.c), whatever happens between. A call is an
 * operation of the application under way for an exchange; it knows the exchange by its number only,
 * since the client may be gone when the reply comes, and it outlives even the server.
 */
#include "base/mem.h"
#include "control/server_private.h"

#include <assert.h>
#include <string.h>

enum {
    BODY_MAX = 64 << 10,
    STREAMS_KEPT = 4, /* this part of the streams is for root and our own user */
};

/* --- answers --------------------------------------------------------------------------------- */

static void answer_json(struct exchange *exchange, int status, const json_t *body)
{
    CLEANUP_FREE char *line = json_line(body);
    exchange->status = status;
    exchange->answer = mem_printf("%s\n", line);
    exchange->type = "application/json";
    control__server_resume(exchange);
}

static void answer_text(struct exchange *exchange, const char *type, const json_t *text)
{
    exchange->status = 200;
    exchange->answer = mem_strdup(json_string_value(text));
    exchange->type = type;
    control__server_resume(exchange);
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

/* --- calls of the application ----------------------------------------------------------------- */

struct call {
    struct call *next;
    struct control *control; /* NULL once the server is gone */
    uint64_t exchange;
    struct audit *audit;
    const char *type; /* of a reply that is a text; NULL: JSON */
};

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

void control__calls_forget(struct control *control)
{
    for (struct call *call = control->calls; call; call = call->next)
        call->control = NULL;
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
    control__server_resume(exchange);
}

/* Where a client that comes again says what it has seen; 0 when it says nothing sensible. */
static int64_t last_event_id(const struct exchange *exchange)
{
    const char *text = control__server_header(exchange, "Last-Event-ID");
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
void control__streams_ping(void *data)
{
    struct control *control = data;
    for (struct exchange *exchange = control->exchanges; exchange; exchange = exchange->next) {
        if (!exchange->stream)
            continue;
        control__sse_ping(exchange->stream);
        control__server_resume(exchange);
    }
    if (control->streams)
        timer_start(control->ping, control->limits.ping_ms);
}

/* --- requests -------------------------------------------------------------------------------- */

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
    CLEANUP_JSON json_t *query = control__server_query(exchange);
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

/* Whether the entrance lets the request pass; else it is answered. */
static bool pass_entrance(struct exchange *exchange, const char *method, const char *path)
{
    struct err e;
    const struct visit visit = {.method = method,
                                .path = path,
                                .host = control__server_header(exchange, "Host"),
                                .authorization = control__server_header(exchange, "Authorization")};
    int refused = control__entrance_check(&exchange->control->entrance, &visit, &e);
    if (refused)
        answer_error(exchange, refused, &e);
    return !refused;
}

void control__exchange_dispatch(struct exchange *exchange, const char *method, const char *path)
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

/* --- making and freeing one ------------------------------------------------------------------ */

struct exchange *control__exchange_new(struct control *control, struct MHD_Connection *connection,
                                       struct peer *peer)
{
    struct exchange *exchange = mem_new(sizeof *exchange);
    exchange->id = loop_next_id(control->loop);
    exchange->control = control;
    exchange->connection = connection;
    exchange->peer = peer;
    buf_init(&exchange->body, BODY_MAX);
    exchange->next = control->exchanges;
    control->exchanges = exchange;
    return exchange;
}

void control__exchange_free(struct exchange *exchange)
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

void control__exchange_close(struct exchange *exchange)
{
    end_stream(exchange);
    if (exchange->dispatched && !exchange->stream && !exchange->answer)
        answer_closing(exchange);
    control__server_resume(exchange);
}
