/* See log_follow.h. */
#include "watch/log_follow.h"

#include "base/mem.h"

enum {
    BACKOFF_MIN_MS = 100,
    BACKOFF_MAX_MS = 30000,
    STABLE_MS = 5000, /* a log that stood open so long ends the back-off */
    NS_PER_MS = 1000000,
};

static void open_log(struct watch__follow *follow);

static void retry_later(struct watch__follow *follow)
{
    timer_start(follow->retry, follow->backoff_ms);
    follow->backoff_ms =
        follow->backoff_ms * 2 < BACKOFF_MAX_MS ? follow->backoff_ms * 2 : BACKOFF_MAX_MS;
}

/* --- from the Engine -------------------------------------------------------------------------- */

static void on_line(void *data, const struct docker_log_line *line)
{
    struct watch__follow *follow = data;
    follow->class->on_line(follow->data, follow, line);
}

/* The log is at its end. If the container runs, that end was the Engine's or a proxy's whim. If it
 * does not, what it wrote last may have been cut off with it: once more, that gives the rest. */
static void log_ended(struct watch__follow *follow)
{
    follow->was_told = false;
    err_clear(&follow->problem);
    if (follow->again || (!follow->runs && !follow->rest_read)) {
        follow->rest_read = !follow->again;
        follow->again = false;
        open_log(follow);
    } else if (follow->runs) {
        retry_later(follow);
    }
}

static void tell(struct watch__follow *follow)
{
    if (follow->was_told)
        return;
    follow->was_told = true;
    follow->class->on_trouble(follow->data, &follow->problem);
}

static void log_failed(struct watch__follow *follow, const struct err *e)
{
    err_copy(&follow->problem, e);
    switch (e->code) {
    case ERR_NOT_FOUND: /* removed: the model will say so */
        return;
    case ERR_UNSUPPORTED:
        follow->is_unreadable = true;
        if (!e->hint[0])
            err_hint(&follow->problem,
                     "patterns are not looked for in this log; give the container a "
                     "logging driver that can be read (json-file, local, journald)");
        tell(follow);
        return;
    case ERR_UNREACHABLE: /* who watches the events tells of a lost Engine */
        retry_later(follow);
        return;
    default:
        retry_later(follow);
        tell(follow);
        return;
    }
}

static void release(void *data)
{
    struct watch__follow *follow = data;
    container_unref(follow->container);
    free(follow->searched);
    free(follow);
}

static void on_done(void *data, const struct err *e)
{
    struct watch__follow *follow = data;
    bool was_cancelled = follow->is_cancelled;
    follow->op = 0;
    follow->is_cancelled = false;
    if (follow->is_over) {
        release(follow);
        return;
    }
    if (loop_now(follow->loop) - follow->opened_at >= STABLE_MS)
        follow->backoff_ms = BACKOFF_MIN_MS;
    if (was_cancelled && !follow->is_lost)
        open_log(follow); /* the Engine was back before this end came */
    else if (!e)
        log_ended(follow);
    else if (e->code != ERR_CANCELLED)
        log_failed(follow, e);
}

static void open_log(struct watch__follow *follow)
{
    timer_stop(follow->retry);
    if (follow->op || follow->is_lost || follow->is_unreadable)
        return;
    follow->opened_at = loop_now(follow->loop);
    /* Anew each time: the clock may have been set back, and then an old time lies in the future. */
    follow->place.since_ns = docker_now_ns(follow->docker) - follow->reach_ms * NS_PER_MS;
    follow->op = docker_logs_follow(follow->docker, follow->container->id, follow->container->tty,
                                    &follow->place, on_line, on_done, follow);
}

static void on_retry(void *data)
{
    open_log(data);
}

/* --- from the owner --------------------------------------------------------------------------- */

static bool runs(const struct container *container)
{
    return container->state == CONTAINER_RUNNING || container->state == CONTAINER_PAUSED;
}

struct watch__follow *watch__follow_new(struct docker *docker, struct loop *loop,
                                        struct container *container, int64_t reach_ms,
                                        const struct watch__follow_class *class, void *data)
{
    struct watch__follow *follow = mem_new(sizeof *follow);
    follow->docker = docker;
    follow->loop = loop;
    follow->container = container_ref(container);
    follow->reach_ms = reach_ms;
    follow->class = class;
    follow->data = data;
    follow->backoff_ms = BACKOFF_MIN_MS;
    follow->runs = runs(container);
    follow->retry = timer_new(loop, on_retry, follow);
    return follow;
}

struct watch__follow *watch__follow_free(struct watch__follow *follow)
{
    if (!follow)
        return NULL;
    follow->is_over = true;
    timer_free(follow->retry);
    if (follow->op)
        op_cancel(follow->loop, follow->op); /* on_done releases it */
    else
        loop_defer(follow->loop, release, follow);
    return NULL;
}

void watch__follow_inspected(struct watch__follow *follow, struct container *container)
{
    container_ref(container);
    container_unref(follow->container);
    follow->container = container;
    follow->runs = runs(container);
    if (follow->runs && !timer_is_running(follow->retry))
        open_log(follow);
}

void watch__follow_started(struct watch__follow *follow)
{
    follow->runs = true;
    follow->rest_read = false;
    follow->backoff_ms = BACKOFF_MIN_MS;
    if (follow->op)
        follow->again = true;
    else
        open_log(follow);
}

void watch__follow_died(struct watch__follow *follow)
{
    follow->runs = follow->again = false;
}

void watch__follow_lost(struct watch__follow *follow)
{
    follow->is_lost = true;
    timer_stop(follow->retry);
    if (!follow->op)
        return;
    follow->is_cancelled = true;
    op_cancel(follow->loop, follow->op);
}

/* Also those that do not run: they may have run and stopped while nobody looked. */
void watch__follow_sync(struct watch__follow *follow)
{
    follow->is_lost = follow->is_unreadable = follow->rest_read = false;
    follow->backoff_ms = BACKOFF_MIN_MS;
    open_log(follow);
}
