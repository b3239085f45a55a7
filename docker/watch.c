/* docker_watch: the event stream, kept alive.
 *
 *   PINGING --answer--> CONNECTING --headers--> STANDING
 *      ^                    |                      |
 *      |                    +-------- lost --------+   (or the ping failed)
 *      +------------- after the back-off ----------+
 *
 * The ping negotiates the version and tells the Engine's own clock, from which the first `since`
 * is reckoned: the Engine sends the headers before it has subscribed us, and since= closes that
 * gap. A later connection begins a second before the last event, because stamps and order differ
 * a little, and drops what was there before.
 *
 * curl's callbacks only put bytes and flags away and queue work(), which runs outside of curl and
 * is the only place that calls the asker. While the stream stands, a ping on another connection
 * now and then finds the engine that hangs, or the peer that is gone without a word.
 */
#include "base/buf.h"
#include "base/mem.h"
#include "docker/client.h"
#include "docker/event.h"

#include <string.h>

enum {
    BACKOFF_MIN_MS = 100,
    BACKOFF_MAX_MS = 5000,
    PING_DEADLINE_MS = 10000,
    PING_EVERY_MS = 20000,
    STABLE_MS = 5000, /* a stream that stood so long ends the back-off */
    REPLAY_MS = 3000, /* within which the first connection's replay is over */
    PODMAN_HEADERS_MS = 2000,
    LINE_MAX_BYTES = 1 << 20,
    INPUT_MAX = 8 << 20, /* read in one turn of the loop */
};
#define NS_PER_S INT64_C(1000000000)

struct docker_watch {
    struct docker *docker;
    struct docker_watch_class class;
    void *data;
    bool is_over;     /* freed by its owner: no callback any more */
    bool work_queued; /* work() will run */

    op_id ping;
    struct docker__exchange *stream;
    struct timer *retry;  /* back-off; while the stream stands: the next ping */
    struct timer *podman; /* does not wait for headers for ever: see on_podman_waited */
    int64_t backoff_ms;
    int64_t stood_since; /* loop time at which the subscription stood; 0 = it does not */
    bool was_lost;       /* on_lost was called and on_sync not since */

    struct buf input;
    bool skipping;    /* within a line beyond the ceiling */
    bool has_headers; /* to be told by work() */
    bool has_ended;   /* to be told by work(): failure says why */
    struct err failure;

    int64_t start_ns;     /* the Engine's time at which the watch began; 0 = unknown */
    int64_t last_ns;      /* the last event's */
    int64_t replay_until; /* loop time; until then events before start_ns are the past */
    struct docker__seen seen;
};

static void connect_stream(void *data);
static void work(void *data);

/* --- the end of a connection ------------------------------------------------------------------ */

static void hang_up(struct docker_watch *watch)
{
    op_cancel(watch->docker->loop, watch->ping);
    watch->ping = 0;
    watch->stream = docker__exchange_abort(watch->stream);
    timer_stop(watch->retry);
    timer_stop(watch->podman);
    buf_reset(&watch->input);
    watch->skipping = watch->has_headers = watch->has_ended = false;
}

static void lose(struct docker_watch *watch, const struct err *e)
{
    int64_t now = loop_now(watch->docker->loop);
    if (watch->stood_since && now - watch->stood_since >= STABLE_MS)
        watch->backoff_ms = BACKOFF_MIN_MS;
    watch->stood_since = 0;
    hang_up(watch);
    docker__forget_version(watch->docker);
    timer_start(watch->retry, watch->backoff_ms);
    watch->backoff_ms =
        watch->backoff_ms * 2 < BACKOFF_MAX_MS ? watch->backoff_ms * 2 : BACKOFF_MAX_MS;
    if (watch->was_lost)
        return;
    watch->was_lost = true;
    watch->class.on_lost(watch->data, e);
}

/* --- from curl, inside and outside of its callbacks ------------------------------------------- */

static void queue_work(struct docker_watch *watch)
{
    if (watch->work_queued)
        return;
    watch->work_queued = true;
    loop_defer(watch->docker->loop, work, watch);
}

static bool on_bytes(void *data, const char *bytes, size_t len)
{
    struct docker_watch *watch = data;
    queue_work(watch);
    return buf_add(&watch->input, bytes, len);
}

static void on_headers(void *data)
{
    struct docker_watch *watch = data;
    watch->has_headers = true;
    queue_work(watch);
}

static void on_end(void *data, const struct docker__answer *answer)
{
    struct docker_watch *watch = data;
    watch->stream = NULL;
    watch->has_ended = true;
    if (docker__answer_check(answer, "GET", "/events", &watch->failure) == 0)
        err_set(&watch->failure, ERR_UNREACHABLE, "the Engine ended the event stream");
    err_wrap(&watch->failure, "docker: watch the events: ");
    queue_work(watch);
}

/* --- work: outside of curl; after every call of the asker the watch may be over --------------- */

static void give(struct docker_watch *watch, const struct docker_event *event)
{
    bool is_past =
        event->time_ns < watch->start_ns && loop_now(watch->docker->loop) < watch->replay_until;
    if (docker__seen_before(&watch->seen, event))
        return;
    watch->last_ns = event->time_ns;
    if (!is_past)
        watch->class.on_event(watch->data, event);
}

/* An event that cannot be read was missed, and what was missed is found by listing. */
static void take_line(struct docker_watch *watch, const char *text, size_t len)
{
    struct docker__event_line line;
    struct err e;
    if (docker__event_parse(text, len, &line, &e)) {
        give(watch, &line.event);
        docker__event_clear(&line);
    } else if (err_is_set(&e)) {
        watch->class.on_sync(watch->data);
    }
}

/* One line from `text`; returns the bytes it took, 0 when the line is not whole yet. */
static size_t take_input(struct docker_watch *watch, const char *text, size_t len)
{
    const char *newline = memchr(text, '\n', len);
    if (!newline && len <= LINE_MAX_BYTES)
        return 0;
    size_t taken = newline ? (size_t)(newline - text) + 1 : len;
    if (watch->skipping || taken > LINE_MAX_BYTES) {
        bool is_first = !watch->skipping;
        watch->skipping = !newline;
        if (is_first)
            watch->class.on_sync(watch->data);
    } else if (taken > 1) {
        take_line(watch, text, taken - 1);
    }
    return taken;
}

static void take_lines(struct docker_watch *watch)
{
    /* The asker may end the watch, and then its buffer is emptied: work on bytes of our own. */
    size_t len = watch->input.len;
    CLEANUP_FREE char *text = buf_take(&watch->input);
    size_t done = 0;
    while (!watch->is_over && done < len) {
        size_t taken = take_input(watch, text + done, len - done);
        if (taken == 0)
            break;
        done += taken;
    }
    if (!watch->is_over)
        buf_add(&watch->input, text + done, len - done);
}

static void stand(struct docker_watch *watch)
{
    if (watch->stood_since)
        return;
    int64_t now = loop_now(watch->docker->loop);
    watch->stood_since = now;
    watch->replay_until = watch->replay_until ? watch->replay_until : now + REPLAY_MS;
    watch->was_lost = false;
    timer_stop(watch->podman);
    timer_start(watch->retry, PING_EVERY_MS);
    watch->class.on_sync(watch->data);
}

static void work(void *data)
{
    struct docker_watch *watch = data;
    watch->work_queued = false;
    if (!watch->is_over && watch->has_headers) {
        watch->has_headers = false;
        stand(watch);
    }
    if (!watch->is_over)
        take_lines(watch);
    if (!watch->is_over && watch->has_ended)
        lose(watch, &watch->failure);
}

/* --- connecting ------------------------------------------------------------------------------- */

static bool is_podman(const struct docker_watch *watch)
{
    return strncmp(watch->docker->server, "Libpod", 6) == 0;
}

/* 0: no replay. Never from before the first connection's: that would be told as news. */
static int64_t since_ns(const struct docker_watch *watch)
{
    int64_t first = watch->start_ns ? watch->start_ns - 2 * NS_PER_S : 0;
    int64_t again = watch->last_ns - NS_PER_S;
    return again > first ? again : first;
}

static void open_stream(struct docker_watch *watch)
{
    struct docker *docker = watch->docker;
    if (!watch->start_ns)
        watch->start_ns = docker->engine_date_s * NS_PER_S;
    CLEANUP_FREE char *query = docker__events_path(is_podman(watch), since_ns(watch));
    CLEANUP_FREE char *path = mem_printf("/v1.%d%s", docker->minor, query);
    watch->stream =
        docker__exchange_start(docker->http,
                               &(struct docker__request){.method = "GET",
                                                         .path = path,
                                                         .once = true, /* held for good */
                                                         .ceiling = DOCKER__CEILING_SMALL,
                                                         .on_bytes = on_bytes,
                                                         .on_headers = on_headers},
                               on_end, watch);
    if (is_podman(watch))
        timer_start(watch->podman, PODMAN_HEADERS_MS);
    /* Headers that never come: the next ping cannot tell, so the connecting has its own end. */
    timer_start(watch->retry, PING_EVERY_MS);
}

/* Podman 5.2 sends the headers with the first event only. It has subscribed us by now, and since=
 * covers the case that it has not. */
static void on_podman_waited(void *data)
{
    struct docker_watch *watch = data;
    watch->has_headers = true;
    queue_work(watch);
}

static void on_pong(void *data, const struct err *e)
{
    struct docker_watch *watch = data;
    if (watch->is_over || (e && e->code == ERR_CANCELLED))
        return;
    watch->ping = 0;
    if (e)
        lose(watch, e);
    else if (!watch->stream)
        open_stream(watch);
    else
        timer_start(watch->retry, PING_EVERY_MS);
}

/* Due: a first or next try to connect, or a look whether the Engine still answers. */
static void connect_stream(void *data)
{
    struct docker_watch *watch = data;
    struct err e;
    if (watch->stream && !watch->stood_since) {
        err_set(&e, ERR_TIMEOUT, "docker: watch the events: no answer within %d s",
                PING_EVERY_MS / 1000);
        lose(watch, &e);
        return;
    }
    watch->ping = docker_ping(watch->docker, PING_DEADLINE_MS, on_pong, watch);
}

/* --- life ------------------------------------------------------------------------------------- */

struct docker_watch *docker_watch_new(struct docker *docker, const struct docker_watch_class *class,
                                      void *data)
{
    struct docker_watch *watch = mem_new(sizeof *watch);
    watch->docker = docker;
    watch->class = *class;
    watch->data = data;
    watch->backoff_ms = BACKOFF_MIN_MS;
    watch->retry = timer_new(docker->loop, connect_stream, watch);
    watch->podman = timer_new(docker->loop, on_podman_waited, watch);
    buf_init(&watch->input, INPUT_MAX);
    docker->watch_count++;
    connect_stream(watch);
    return watch;
}

static void watch_end(void *data)
{
    struct docker_watch *watch = data;
    buf_free(&watch->input);
    free(watch);
}

struct docker_watch *docker_watch_free(struct docker_watch *watch)
{
    if (!watch)
        return NULL;
    struct loop *loop = watch->docker->loop;
    hang_up(watch);
    watch->is_over = true;
    watch->docker->watch_count--;
    timer_free(watch->retry);
    timer_free(watch->podman);
    /* work() and the ping's end may be queued already; this comes behind them. */
    loop_defer(loop, watch_end, watch);
    return NULL;
}
