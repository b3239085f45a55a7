/* docker_logs_follow: a log as it is written, on a connection of its own.
 *
 * A second before the last line is where a new connection begins: stdout and stderr are stamped
 * apart, so the log is in the order of its stamps only nearly. What was had before is dropped, by
 * stream: a line with an older stamp was told, and of those with the last stamp as many as were
 * counted. A line counts once it is whole, so that one that was cut in the middle comes again.
 *
 * A clock that is set back leaves stamps of the future behind. The Engine is never asked for what
 * is yet to come, as it would drop every line until then; and a stamp of the future makes no line
 * old that stands behind it, or was written after we asked.
 *
 * There is no limit for the headers: some engines send them with the first line only. curl's
 * callbacks only put bytes away and queue work(), which runs outside of curl and is the only place
 * that calls the asker.
 */
#include "base/buf.h"
#include "base/mem.h"
#include "docker/client.h"
#include "docker/log_stream.h"

#include <inttypes.h>

enum {
    LINE_MAX_BYTES = 64 * 1024,
    INPUT_MAX = 8 << 20, /* read in one turn of the loop */
};
#define NS_PER_S INT64_C(1000000000)

struct follow_call {
    struct docker__call call;
    char *path;
    struct docker_log_place *place;
    docker_line_fn on_line;
    docker_done_fn done;
    void *data;

    int64_t asked_ns; /* when, by the Engine's clock */
    struct docker__log_stream stream;
    struct buf input;
    bool work_queued; /* work() will run */
    bool too_much;    /* the input is full */
    bool has_ended;   /* to be told by work(): failure says why, or that the log ended */
    struct err failure;
    struct {
        bool is_replay; /* what comes may have been had */
        uint64_t seen;  /* of the lines with the last stamp */
    } again[DOCKER__LOG_STREAMS];
};

static struct follow_call *follow_of(struct docker__call *call)
{
    return (struct follow_call *)call; /* its first member */
}

/* --- the place -------------------------------------------------------------------------------- */

static bool is_written_since(const struct follow_call *follow, const struct docker_log_line *line)
{
    return line->time_ns > follow->asked_ns && line->time_ns <= docker_now_ns(follow->call.docker);
}

static bool was_had(struct follow_call *follow, const struct docker_log_line *line)
{
    int s = line->is_stderr;
    int64_t last_ns = follow->place->last[s].time_ns;
    uint64_t count = follow->place->last[s].count;
    if (!follow->again[s].is_replay)
        return false;
    if (line->time_ns == last_ns && follow->again[s].seen < count) {
        follow->again[s].seen++;
        follow->again[s].is_replay = follow->again[s].seen < count;
        return true;
    }
    follow->again[s].is_replay = line->time_ns < last_ns && !is_written_since(follow, line);
    return follow->again[s].is_replay;
}

static void move_on(struct docker_log_place *place, const struct docker_log_line *line)
{
    int s = line->is_stderr;
    if (line->time_ns == 0)
        return; /* the Engine's own word, between the lines */
    if (line->time_ns != place->last[s].time_ns) {
        place->last[s].time_ns = line->time_ns;
        place->last[s].count = 0;
    }
    place->last[s].count++;
    place->newest_ns = line->time_ns;
}

static int64_t since_ns(const struct docker_log_place *place, int64_t now_ns)
{
    int64_t again = place->newest_ns - NS_PER_S;
    int64_t since = again > place->since_ns && again <= now_ns ? again : place->since_ns;
    return since < now_ns ? since : now_ns;
}

/* --- work: outside of curl; after every line the call may be over ----------------------------- */

static bool on_stream_line(void *data, const struct docker_log_line *line)
{
    struct follow_call *follow = data;
    if (was_had(follow, line))
        return true;
    move_on(follow->place, line);
    follow->on_line(follow->data, line);
    return !follow->call.op.over;
}

static void take_input(struct follow_call *follow)
{
    size_t len = follow->input.len;
    CLEANUP_FREE char *bytes = buf_take(&follow->input);
    struct err e;
    if (docker__log_stream_feed(&follow->stream, bytes, len, on_stream_line, follow) ||
        follow->call.op.over)
        return;
    follow->call.exchange = docker__exchange_abort(follow->call.exchange);
    err_set(&e, ERR_PROTOCOL, "the log came in no known form");
    docker__call_end(&follow->call, &e);
}

/* A terminal's last line stays open: with what comes behind it, it would count as another one. */
static void end_log(struct follow_call *follow)
{
    bool is_whole = !err_is_set(&follow->failure) && !follow->stream.frames.raw;
    if (is_whole && !docker__log_stream_finish(&follow->stream, on_stream_line, follow))
        return;
    docker__call_end(&follow->call, err_is_set(&follow->failure) ? &follow->failure : NULL);
}

static void work(void *data)
{
    struct follow_call *follow = data;
    follow->work_queued = false;
    if (!follow->call.op.over)
        take_input(follow);
    if (!follow->call.op.over && follow->has_ended)
        end_log(follow);
}

/* --- from curl -------------------------------------------------------------------------------- */

static void queue_work(struct follow_call *follow)
{
    if (follow->work_queued)
        return;
    follow->work_queued = true;
    loop_defer(follow->call.op.loop, work, follow);
}

static bool on_bytes(void *data, const char *bytes, size_t len)
{
    struct follow_call *follow = data;
    queue_work(follow);
    follow->too_much = !buf_add(&follow->input, bytes, len);
    return !follow->too_much;
}

static void on_end(struct docker__call *call, const struct docker__answer *answer,
                   const struct err *e)
{
    struct follow_call *follow = follow_of(call);
    (void)answer;
    follow->has_ended = true;
    err_copy(&follow->failure, e);
    if (follow->too_much)
        err_set(&follow->failure, ERR_FAILED, "more than %d MiB came at once", INPUT_MAX >> 20);
    queue_work(follow);
}

/* --- life ------------------------------------------------------------------------------------- */

static void follow_send(struct docker__call *call)
{
    const struct follow_call *follow = follow_of(call);
    docker__call_request(call,
                         &(struct docker__request){.method = "GET",
                                                   .path = follow->path,
                                                   .once = true, /* held for good */
                                                   .ceiling = DOCKER__CEILING_SMALL,
                                                   .on_bytes = on_bytes},
                         on_end);
}

static void follow_deliver(struct docker__call *call, const struct err *e)
{
    const struct follow_call *follow = follow_of(call);
    follow->done(follow->data, e);
}

static void follow_clear(struct docker__call *call)
{
    struct follow_call *follow = follow_of(call);
    docker__log_stream_clear(&follow->stream);
    buf_free(&follow->input);
    free(follow->path);
}

static const struct docker__call_class follow_class = {
    .send = follow_send, .deliver = follow_deliver, .clear = follow_clear};

op_id docker_logs_follow(struct docker *docker, const char *id, bool tty,
                         struct docker_log_place *place, docker_line_fn on_line,
                         docker_done_fn done, void *data)
{
    struct follow_call *follow = mem_new(sizeof *follow);
    CLEANUP_FREE char *escaped = docker__escape(id);
    follow->asked_ns = docker_now_ns(docker);
    int64_t since = since_ns(place, follow->asked_ns);
    follow->path = mem_printf("/containers/%s/logs?follow=1&stdout=1&stderr=1&timestamps=1"
                              "&since=%" PRId64 ".%09" PRId64,
                              escaped, since / NS_PER_S, since % NS_PER_S);
    follow->place = place;
    follow->on_line = on_line;
    follow->done = done;
    follow->data = data;
    docker__log_stream_init(&follow->stream, tty, LINE_MAX_BYTES);
    buf_init(&follow->input, INPUT_MAX);
    for (int s = 0; s < DOCKER__LOG_STREAMS; s++)
        follow->again[s].is_replay = place->last[s].time_ns != 0;
    CLEANUP_FREE char *name = docker__short_id(id);
    return docker__call_begin(&follow->call, docker, &follow_class, OP_FOREVER,
                              "docker: follow the log of %s", name);
}
