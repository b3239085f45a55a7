/* See loop.h. */
#include "base/loop.h"

#include "base/files.h"
#include "base/mem.h"
#include "base/program.h"

#include <stdio.h>

struct deferred {
    struct deferred *next;
    loop_fn fn;
    void *data;
};

struct loop {
    uv_loop_t uv;
    uv_check_t check; /* drains the queue after each poll for I/O */
    uv_idle_t idle;   /* runs only while the queue is not empty, so that the loop does not sleep */
    struct deferred *first;
    struct deferred **last;
    struct op *operations;
    struct reading *readings;
    struct program *programs;
    uint64_t last_id;
};

static void drain(struct loop *loop)
{
    /* Calls queued by these calls wait for the next round, so that a round always ends. */
    struct deferred *batch = loop->first;
    loop->first = NULL;
    loop->last = &loop->first;
    while (batch) {
        struct deferred *call = batch;
        batch = call->next;
        call->fn(call->data);
        free(call);
    }
    if (!loop->first)
        uv_idle_stop(&loop->idle);
}

static void on_check(uv_check_t *check)
{
    drain(check->data);
}

static void on_idle(uv_idle_t *idle)
{
    (void)idle; /* being active is its whole work */
}

struct loop *loop_new(void)
{
    struct loop *loop = mem_new(sizeof *loop);
    loop->last = &loop->first;
    if (uv_loop_init(&loop->uv) != 0)
        abort(); /* no epoll descriptor to be had: there is no process without a loop */
    uv_check_init(&loop->uv, &loop->check);
    uv_idle_init(&loop->uv, &loop->idle);
    loop->check.data = loop;
    uv_check_start(&loop->check, on_check);
    uv_unref((uv_handle_t *)&loop->check);
    return loop;
}

uv_loop_t *loop_uv(struct loop *loop)
{
    return &loop->uv;
}

int64_t loop_now(struct loop *loop)
{
    uv_update_time(&loop->uv);
    return (int64_t)uv_now(&loop->uv);
}

struct op **loop_operations(struct loop *loop)
{
    return &loop->operations;
}

struct reading **loop_readings(struct loop *loop)
{
    return &loop->readings;
}

struct program **loop_programs(struct loop *loop)
{
    return &loop->programs;
}

uint64_t loop_next_id(struct loop *loop)
{
    return ++loop->last_id;
}

void loop_run(struct loop *loop)
{
    uv_run(&loop->uv, UV_RUN_DEFAULT);
}

void loop_stop(struct loop *loop)
{
    uv_stop(&loop->uv);
}

void loop_defer(struct loop *loop, loop_fn fn, void *data)
{
    struct deferred *call = mem_new(sizeof *call);
    *call = (struct deferred){.fn = fn, .data = data};
    *loop->last = call;
    loop->last = &call->next;
    uv_idle_start(&loop->idle, on_idle);
}

static void report_open_handle(uv_handle_t *handle, void *data)
{
    (void)data;
    fprintf(stderr, "loop_free: a %s handle was left open\n", uv_handle_type_name(handle->type));
}

/* A loop_stop() that was asked for on the way must not end this one early. */
static void run_to_end(struct loop *loop)
{
    do
        uv_run(&loop->uv, UV_RUN_DEFAULT);
    while (uv_loop_alive(&loop->uv));
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    while (loop->first)
        drain(loop);
    /* Callbacks of closing handles may defer calls: our own handles close after them. */
    run_to_end(loop);
    files_leave(loop);
    programs_leave(loop);
    uv_close((uv_handle_t *)&loop->check, NULL);
    uv_close((uv_handle_t *)&loop->idle, NULL);
    run_to_end(loop);
    if (uv_loop_close(&loop->uv) != 0) {
        uv_walk(&loop->uv, report_open_handle, NULL);
        abort();
    }
    free(loop);
}

static void on_closed_free(uv_handle_t *handle)
{
    free(handle->data);
}

struct timer {
    uv_timer_t uv;
    loop_fn fn;
    void *data;
};

static void on_timer(uv_timer_t *uv)
{
    struct timer *timer = uv->data;
    timer->fn(timer->data);
}

struct timer *timer_new(struct loop *loop, loop_fn fn, void *data)
{
    struct timer *timer = mem_new(sizeof *timer);
    timer->fn = fn;
    timer->data = data;
    uv_timer_init(&loop->uv, &timer->uv);
    timer->uv.data = timer;
    return timer;
}

void timer_start(struct timer *timer, int64_t in_ms)
{
    uv_update_time(timer->uv.loop);
    uv_timer_start(&timer->uv, on_timer, in_ms > 0 ? (uint64_t)in_ms : 0, 0);
}

void timer_stop(struct timer *timer)
{
    uv_timer_stop(&timer->uv);
}

bool timer_is_running(const struct timer *timer)
{
    return uv_is_active((const uv_handle_t *)&timer->uv);
}

int64_t timer_left_ms(const struct timer *timer)
{
    uv_update_time(timer->uv.loop);
    return timer_is_running(timer) ? (int64_t)uv_timer_get_due_in(&timer->uv) : 0;
}

struct timer *timer_free(struct timer *timer)
{
    if (timer)
        uv_close((uv_handle_t *)&timer->uv, on_closed_free);
    return NULL;
}

struct poll {
    uv_poll_t uv;
    poll_fn fn;
    void *data;
};

static void on_poll(uv_poll_t *uv, int status, int events)
{
    struct poll *poll = uv->data;
    poll->fn(poll->data, status, events);
}

struct poll *poll_new(struct loop *loop, int fd, int events, poll_fn fn, void *data)
{
    struct poll *poll = mem_new(sizeof *poll);
    poll->fn = fn;
    poll->data = data;
    if (uv_poll_init(&loop->uv, &poll->uv, fd) != 0) {
        free(poll);
        return NULL;
    }
    poll->uv.data = poll;
    uv_poll_start(&poll->uv, events, on_poll);
    return poll;
}

void poll_set(struct poll *poll, int events)
{
    uv_poll_start(&poll->uv, events, on_poll);
}

struct poll *poll_free(struct poll *poll)
{
    if (poll) {
        uv_poll_stop(&poll->uv);
        uv_close((uv_handle_t *)&poll->uv, on_closed_free);
    }
    return NULL;
}
