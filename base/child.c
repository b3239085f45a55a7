/* See child.h. The operation is freed when its result is delivered; the pipe by libuv, when it has
 * closed it. */
#include "base/child.h"

#include "base/mem.h"
#include "base/program.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

enum { OUTPUT_MAX = 4096, CHUNK = 4096, READS_MAX = 16 };

/* What it prints. */
struct outlet {
    uv_pipe_t uv;
    char text[OUTPUT_MAX + 1];
    size_t len;
    char chunk[CHUNK];
};

struct child_call {
    struct op op;
    struct program *program; /* NULL: ended, or never begun */
    struct outlet *outlet;   /* NULL: closing */
    char *what;
    child_fn done;
    void *data;
    struct child_end end;
    char output[OUTPUT_MAX + 1];
    bool never_began;
};

/* --- its output ------------------------------------------------------------------------------- */

/* The last of it. */
static void keep(struct outlet *outlet, const char *bytes, size_t len)
{
    size_t room = OUTPUT_MAX - outlet->len;
    if (len > room) {
        size_t gone = len - room < outlet->len ? len - room : outlet->len;
        memmove(outlet->text, outlet->text + gone, outlet->len - gone);
        outlet->len -= gone;
        room += gone;
    }
    if (len > room) {
        bytes += len - room;
        len = room;
    }
    memcpy(outlet->text + outlet->len, bytes, len);
    outlet->len += len;
    outlet->text[outlet->len] = '\0';
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
    struct outlet *outlet = handle->data;
    (void)suggested;
    *ret = uv_buf_init(outlet->chunk, sizeof outlet->chunk);
}

static void on_output(uv_stream_t *stream, ssize_t got, const uv_buf_t *chunk)
{
    if (got > 0)
        keep(stream->data, chunk->base, (size_t)got);
    else if (got < 0)
        uv_read_stop(stream);
}

/* What it printed is in the pipe when it has ended. What its children may print later is not waited
 * for, and one of those may be printing without end. */
static void read_rest(struct outlet *outlet)
{
    uv_os_fd_t fd;
    if (uv_fileno((uv_handle_t *)&outlet->uv, &fd) != 0)
        return;
    for (int i = 0; i < READS_MAX; i++) {
        ssize_t got = read(fd, outlet->chunk, sizeof outlet->chunk);
        if (got <= 0)
            return;
        keep(outlet, outlet->chunk, (size_t)got);
    }
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static struct outlet *outlet_new(struct loop *loop, int fd)
{
    struct outlet *outlet = mem_new(sizeof *outlet);
    uv_pipe_init(loop_uv(loop), &outlet->uv, 0);
    uv_pipe_open(&outlet->uv, fd);
    outlet->uv.data = outlet;
    uv_read_start((uv_stream_t *)&outlet->uv, on_room, on_output);
    return outlet;
}

static struct outlet *outlet_close(struct outlet *outlet)
{
    if (outlet)
        uv_close((uv_handle_t *)&outlet->uv, on_closed);
    return NULL;
}

/* --- its life --------------------------------------------------------------------------------- */

static void refuse(struct child_call *call, int error)
{
    struct err e;
    enum err_code kind = error == ENOENT   ? ERR_NOT_FOUND
                         : error == EACCES ? ERR_PERMISSION
                                           : ERR_FAILED;
    err_set(&e, kind, "%s: cannot be run: %s", call->what, program_problem(error));
    op_end(&call->op, &e);
}

static void on_ended(void *data, const struct program_end *end)
{
    struct child_call *call = data;
    call->program = NULL;
    read_rest(call->outlet);
    memcpy(call->output, call->outlet->text, call->outlet->len + 1);
    call->outlet = outlet_close(call->outlet);
    call->end.signal = end->signal;
    call->end.exit_code = end->exit_code;
    if (end->error)
        refuse(call, end->error);
    else
        op_end(&call->op, NULL);
}

/* An errno, or 0. */
static int start(struct child_call *call, const struct child *child)
{
    int ends[2];
    int code = uv_pipe(ends, UV_NONBLOCK_PIPE, 0);
    if (code != 0)
        return -code; /* as libuv has it on Unix */
    struct program_options options = {
        .argv = child->argv, .environment = child->environment, .in = -1, .out = ends[1]};
    call->outlet = outlet_new(call->op.loop, ends[0]);
    call->program = program_start(call->op.loop, &options, on_ended, call, &code);
    close(ends[1]);
    if (code != 0)
        call->outlet = outlet_close(call->outlet);
    return code;
}

/* --- the operation ---------------------------------------------------------------------------- */

static void on_drop(struct op *op)
{
    struct child_call *call = (struct child_call *)op;
    call->never_began = call->program && !program_has_begun(call->program);
    call->program = program_abandon(call->program);
    call->outlet = outlet_close(call->outlet);
}

static void on_deliver(struct op *op, const struct err *e)
{
    struct child_call *call = (struct child_call *)op;
    struct err late;
    call->end.output = call->output;
    if (e && e->code == ERR_TIMEOUT && call->never_began) {
        err_set(&late, ERR_TIMEOUT, "%s: it has not begun yet, does its file system answer?",
                e->text);
        e = &late;
    }
    call->done(call->data, e, e ? NULL : &call->end);
    free(call->what);
    free(call);
}

op_id child_run(struct loop *loop, const struct child *child, child_fn done, void *data)
{
    static const struct op_class class = {.drop = on_drop, .deliver = on_deliver};
    struct child_call *call = mem_new(sizeof *call);
    call->what = mem_strdup(child->argv[0]);
    call->done = done;
    call->data = data;
    op_id id = op_begin(&call->op, loop, &class, call->what, child->deadline_ms);
    int error = start(call, child);
    if (error != 0)
        refuse(call, error);
    return id;
}
