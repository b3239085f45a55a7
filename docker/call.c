/* See call.h. */
#include "docker/call.h"

#include "base/fault_point.h"
#include "base/mem.h"
#include "docker/client.h"

#include <assert.h>

static struct docker__call *call_of(struct op *op)
{
    return (struct docker__call *)op; /* its first member */
}

/* At the end: those that wait for the version are sent in the order they were asked for. */
static void link_call(struct docker__call *call)
{
    struct docker__call **at = &call->docker->calls;
    while (*at)
        at = &(*at)->next;
    *at = call;
    call->docker->call_count++;
}

static void unlink_call(struct docker__call *call)
{
    struct docker__call **at = &call->docker->calls;
    while (*at != call)
        at = &(*at)->next;
    *at = call->next;
    call->docker->call_count--;
}

static void on_drop(struct op *op)
{
    struct docker__call *call = call_of(op);
    call->exchange = docker__exchange_abort(call->exchange);
    if (call->class->drop)
        call->class->drop(call);
    if (call->is_waiting) {
        call->is_waiting = false;
        docker__negotiate_less(call->docker);
    }
}

static void on_deliver(struct op *op, const struct err *e)
{
    struct docker__call *call = call_of(op);
    struct docker *docker = call->docker;
    call->class->deliver(call, e);
    if (call->class->clear)
        call->class->clear(call);
    unlink_call(call);
    free(call->what);
    free(call->method);
    free(call->path);
    free(call);
    docker__maybe_free(docker);
}

static const struct op_class call_op_class = {.drop = on_drop, .deliver = on_deliver};

op_id docker__call_begin(struct docker__call *call, struct docker *docker,
                         const struct docker__call_class *class, int64_t deadline_ms,
                         const char *what_format, ...)
{
    va_list args;
    va_start(args, what_format);
    call->what = mem_vprintf(what_format, args);
    va_end(args);
    call->class = class;
    call->docker = docker;
    link_call(call);
    op_begin(&call->op, docker->loop, &call_op_class, call->what, deadline_ms);
    op_id id = call->op.id;
    if (docker->closing)
        op_cancel(docker->loop, id);
    else
        docker__negotiate(docker, call, false);
    return id;
}

#ifdef FAULT_POINTS
static bool changes(const struct docker__call *call)
{
    return *call->method == 'P'; /* POST, PUT */
}
#endif

static void on_answer(void *data, const struct docker__answer *answer)
{
    struct docker__call *call = data;
    struct err e = {0};
    call->exchange = NULL;
    FAULT_POINT(changes(call) ? "docker.answer" : "docker.told");
    int code = docker__answer_check(answer, call->method, call->path, &e);
    if (code == -ERR_UNREACHABLE || docker__answer_wants_other_version(answer))
        docker__forget_version(call->docker);
    call->on_answer(call, answer, code == 0 ? NULL : &e);
}

void docker__call_request(struct docker__call *call, const struct docker__request *request,
                          docker__call_answer_fn answer_fn)
{
    assert(!call->exchange && !call->op.over);
    CLEANUP_FREE char *path = mem_printf("/v1.%d%s", call->docker->minor, request->path);
    struct docker__request versioned = *request;
    versioned.path = path;
    mem_replace(&call->method, request->method);
    mem_replace(&call->path, request->path);
    call->on_answer = answer_fn;
    FAULT_POINT(changes(call) ? "docker.send" : "docker.ask");
    call->exchange = docker__exchange_start(call->docker->http, &versioned, on_answer, call);
}

void docker__call_end(struct docker__call *call, const struct err *e)
{
    struct err named;
    err_copy(&named, e);
    if (e)
        err_wrap(&named, "%s: ", call->what);
    op_end(&call->op, e ? &named : NULL);
}
