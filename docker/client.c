/* The client's life and the negotiation of its version: see client.h. */
#include "docker/client.h"

#include "base/clock.h"
#include "base/mem.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* A peer that takes the connection and then says nothing (systemd holds the socket while the
 * Engine starts) is waited for this long by one ping; the calls' own deadlines go on beside it. */
enum { PING_LIMIT_MS = 30000, SKEW_MS = 2000 };

/* --- life ------------------------------------------------------------------------------------ */

static int pin_version(struct docker *docker, const char *text, struct err *e)
{
    int minor = docker__parse_version(text);
    if (minor == 0)
        return err_set(e, ERR_INVALID, "docker API version '%s': not a version like 1.43", text);
    if (minor < DOCKER__API_MIN || minor > DOCKER__API_MAX)
        return err_set(e, ERR_UNSUPPORTED, "docker API version %s: this program knows 1.%d to 1.%d",
                       text, DOCKER__API_MIN, DOCKER__API_MAX);
    docker->minor = minor;
    docker->is_certain = docker->pinned = true;
    snprintf(docker->api_version, sizeof docker->api_version, "1.%d", minor);
    return 0;
}

static void on_ping_limit(void *data);

int docker_new(struct loop *loop, const struct docker_options *options, struct docker **ret,
               struct err *e)
{
    static const struct docker_options none = {0};
    if (!options)
        options = &none;
    struct docker *docker = mem_new(sizeof *docker);
    const char *version =
        options->api_version ? options->api_version : getenv("DOCKER_API_VERSION");
    int code = docker__host_resolve(options, &docker->host, e);
    if (code == 0 && version && *version)
        code = pin_version(docker, version, e);
    if (code != 0) {
        docker__host_clear(&docker->host);
        free(docker);
        return code;
    }
    docker->loop = loop;
    docker->http = docker__http_new(loop, &docker->host);
    docker->ping_limit = timer_new(loop, on_ping_limit, docker);
    *ret = docker;
    return 0;
}

void docker__maybe_free(struct docker *docker)
{
    if (!docker->closing || docker->call_count > 0)
        return;
    docker__exchange_abort(docker->ping);
    docker__http_free(docker->http);
    docker__host_clear(&docker->host);
    timer_free(docker->ping_limit);
    free(docker);
}

struct docker *docker_free(struct docker *docker)
{
    if (!docker)
        return NULL;
    assert(docker->watch_count == 0); /* a watch is freed before its client */
    docker->closing = true;
    /* Cancelling only queues the deliveries, so the list stays as it is meanwhile. */
    for (struct docker__call *call = docker->calls; call; call = call->next)
        op_cancel(docker->loop, call->op.id);
    docker__maybe_free(docker);
    return NULL;
}

const char *docker_host(const struct docker *docker)
{
    return docker->host.name;
}

const char *docker_api_version(const struct docker *docker)
{
    return docker->api_version;
}

const char *docker_server(const struct docker *docker)
{
    return docker->server;
}

int64_t docker_now_ns(const struct docker *docker)
{
    return clock_wall_ns() + docker->skew_ms * 1000000;
}

/* --- negotiation ------------------------------------------------------------------------------ */

static void start_ping(struct docker *docker);

void docker__forget_version(struct docker *docker)
{
    docker->is_certain = docker->pinned;
}

/* One that waits for the version, or NULL. */
static struct docker__call *next_waiting(const struct docker *docker)
{
    struct docker__call *call = docker->calls;
    while (call && !call->is_waiting)
        call = call->next;
    return call;
}

void docker__negotiate(struct docker *docker, struct docker__call *call, bool anew)
{
    if (docker->is_certain && !anew) {
        call->class->send(call);
        return;
    }
    call->is_waiting = true;
    if (!docker->ping)
        start_ping(docker);
}

static void end_ping(struct docker *docker)
{
    timer_stop(docker->ping_limit);
    docker->ping = docker__exchange_abort(docker->ping);
}

void docker__negotiate_less(struct docker *docker)
{
    if (!next_waiting(docker))
        end_ping(docker);
}

/* Sends every waiting call, or ends it with the error. */
static void release_waiting(struct docker *docker, const struct err *e)
{
    struct docker__call *call;
    while ((call = next_waiting(docker)) != NULL) {
        call->is_waiting = false;
        if (e)
            docker__call_end(call, e);
        else
            call->class->send(call);
    }
}

static int choose_version(struct docker *docker, const struct docker__answer *answer, struct err *e)
{
    int engine = docker__parse_version(answer->api_version);
    if (engine == 0) {
        int code =
            err_set(e, ERR_PROTOCOL, "%s answers, but names no API version", docker->host.name);
        err_hint(e, "is that really a Docker Engine?");
        return code;
    }
    if (engine < DOCKER__API_MIN)
        return err_set(e, ERR_UNSUPPORTED,
                       "engine too old: API %s, at least 1.%d (Docker 20.10) is needed",
                       answer->api_version, DOCKER__API_MIN);
    if (docker->pinned)
        return 0;
    docker->minor = engine < DOCKER__API_MAX ? engine : DOCKER__API_MAX;
    docker->is_certain = true;
    snprintf(docker->api_version, sizeof docker->api_version, "1.%d", docker->minor);
    return 0;
}

/* A Date has whole seconds and some milliseconds of age: less than two seconds are no difference.
 */
static int64_t skew_of(int64_t date_s)
{
    int64_t skew = date_s * 1000 + 500 - clock_wall_ms();
    return date_s == 0 || (skew > -SKEW_MS && skew < SKEW_MS) ? 0 : skew;
}

static void on_pong(void *data, const struct docker__answer *answer)
{
    struct docker *docker = data;
    struct err e = {0};
    docker->ping = NULL;
    timer_stop(docker->ping_limit);
    docker__forget_version(docker);
    int code = docker__answer_check(answer, "GET", "/_ping", &e);
    if (code == 0)
        code = choose_version(docker, answer, &e);
    if (code == 0) {
        snprintf(docker->server, sizeof docker->server, "%s", answer->server);
        docker->engine_date_s = answer->date_s;
        docker->skew_ms = skew_of(answer->date_s);
    }
    release_waiting(docker, code == 0 ? NULL : &e);
}

static void start_ping(struct docker *docker)
{
    /* GET, as guards often let no HEAD pass. Unversioned: this is how the version is learnt. */
    static const struct docker__request request = {
        .method = "GET", .path = "/_ping", .ceiling = DOCKER__CEILING_SMALL};
    docker->ping = docker__exchange_start(docker->http, &request, on_pong, docker);
    timer_start(docker->ping_limit, PING_LIMIT_MS);
}

static void on_ping_limit(void *data)
{
    struct docker *docker = data;
    struct err e;
    end_ping(docker);
    docker__forget_version(docker);
    err_set(&e, ERR_TIMEOUT, "%s takes connections but does not answer a ping within %d s",
            docker->host.name, PING_LIMIT_MS / 1000);
    docker_hint_silence(&e);
    release_waiting(docker, &e);
}

void docker_hint_silence(struct err *e)
{
    if (e->code == ERR_TIMEOUT && !*e->hint)
        err_hint(e, "the Engine is starting or hangs: `systemctl status docker`");
}

/* --- docker_ping ------------------------------------------------------------------------------ */

struct ping_call {
    struct docker__call call;
    docker_done_fn done;
    void *data;
    bool was_asked; /* the ping that came first was asked for by this call, or after it */
};

static void ping_send(struct docker__call *call)
{
    struct ping_call *ping = (struct ping_call *)call;
    if (ping->was_asked) {
        docker__call_end(call, NULL);
        return;
    }
    ping->was_asked = true;
    docker__negotiate(call->docker, call, true);
}

static void ping_deliver(struct docker__call *call, const struct err *e)
{
    const struct ping_call *ping = (const struct ping_call *)call;
    ping->done(ping->data, e);
}

static const struct docker__call_class ping_class = {.send = ping_send, .deliver = ping_deliver};

op_id docker_ping(struct docker *docker, int64_t deadline_ms, docker_done_fn done, void *data)
{
    struct ping_call *ping = mem_new(sizeof *ping);
    ping->done = done;
    ping->data = data;
    /* Without a version the call waits for a ping anyhow, and that one will do. */
    ping->was_asked = !docker->is_certain;
    return docker__call_begin(&ping->call, docker, &ping_class, deadline_ms, "docker: ping");
}
