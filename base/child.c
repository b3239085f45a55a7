/* See child.h. The process and the operation are two: an operation that is over lets go of its
 * process, which lives until it was reaped and its handles are closed. */
#include "base/child.h"

#include "base/mem.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

enum { OUTPUT_MAX = 4096, CHUNK = 4096, READS_MAX = 16 };

struct child_call;

struct process {
    uv_process_t uv; /* first: a handle of it is the process */
    uv_pipe_t out;
    struct child_call *call; /* NULL: nobody waits any more */
    int open;                /* handles that are not closed yet */
    char output[OUTPUT_MAX + 1];
    size_t len;
    char chunk[CHUNK];
};

struct child_call {
    struct op op;
    struct process *process; /* NULL: ended, or never begun */
    char *what;
    child_fn done;
    void *data;
    struct child_end end;
    char output[OUTPUT_MAX + 1];
};

/* --- its output --------------------------------------------------------------------------------
 */

/* The last of it. */
static void keep(struct process *process, const char *bytes, size_t len)
{
    size_t room = OUTPUT_MAX - process->len;
    if (len > room) {
        size_t gone = len - room < process->len ? len - room : process->len;
        memmove(process->output, process->output + gone, process->len - gone);
        process->len -= gone;
        room += gone;
    }
    if (len > room) {
        bytes += len - room;
        len = room;
    }
    memcpy(process->output + process->len, bytes, len);
    process->len += len;
    process->output[process->len] = '\0';
}

static void on_closed(uv_handle_t *handle)
{
    struct process *process = handle->data;
    if (--process->open == 0)
        free(process);
}

static void close_handle(uv_handle_t *handle)
{
    if (!uv_is_closing(handle))
        uv_close(handle, on_closed);
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
    struct process *process = handle->data;
    (void)suggested;
    *ret = uv_buf_init(process->chunk, sizeof process->chunk);
}

static void on_output(uv_stream_t *stream, ssize_t got, const uv_buf_t *chunk)
{
    if (got > 0)
        keep(stream->data, chunk->base, (size_t)got);
    else if (got < 0)
        close_handle((uv_handle_t *)stream);
}

/* What it printed is in the pipe when it has ended. What its children may print later is not waited
 * for, and one of those may be printing without end. */
static void read_rest(struct process *process)
{
    uv_os_fd_t fd;
    if (uv_is_closing((uv_handle_t *)&process->out) ||
        uv_fileno((uv_handle_t *)&process->out, &fd) != 0)
        return;
    for (int i = 0; i < READS_MAX; i++) {
        ssize_t got = read(fd, process->chunk, sizeof process->chunk);
        if (got <= 0)
            return;
        keep(process, process->chunk, (size_t)got);
    }
}

/* --- its life ----------------------------------------------------------------------------------
 */

static void on_exit_of(uv_process_t *uv, int64_t status, int signal_number)
{
    struct process *process = (struct process *)uv;
    struct child_call *call = process->call;
    read_rest(process);
    if (call) {
        call->process = NULL;
        call->end.signal = signal_number;
        call->end.exit_code = signal_number ? -1 : (int)status;
        memcpy(call->output, process->output, process->len + 1);
        op_end(&call->op, NULL);
    }
    close_handle((uv_handle_t *)&process->out);
    close_handle((uv_handle_t *)uv);
}

static void set_options(uv_process_options_t *options, uv_stdio_container_t stdio[static 3],
                        const struct child *child, int out)
{
    stdio[0] = (uv_stdio_container_t){.flags = UV_IGNORE};
    stdio[1] = stdio[2] = (uv_stdio_container_t){.flags = UV_INHERIT_FD, .data.fd = out};
    *options = (uv_process_options_t){
        .file = child->argv[0],
        .args = (char **)child->argv,
        .env = (char **)child->environment,
        .flags = UV_PROCESS_DETACHED, /* a group of its own */
        .exit_cb = on_exit_of,
        .stdio = stdio,
        .stdio_count = 3,
    };
}

/* libuv's error, or 0. Whatever it is, the process frees itself. */
static int spawn(struct child_call *call, const struct child *child)
{
    int pipe[2];
    uv_process_options_t options;
    uv_stdio_container_t stdio[3];
    int code = uv_pipe(pipe, UV_NONBLOCK_PIPE, 0);
    if (code != 0)
        return code;
    struct process *process = mem_new(sizeof *process);
    uv_loop_t *uv = loop_uv(call->op.loop);
    set_options(&options, stdio, child, pipe[1]);
    code = uv_spawn(uv, &process->uv, &options);
    close(pipe[1]);
    uv_pipe_init(uv, &process->out, 0);
    uv_pipe_open(&process->out, pipe[0]);
    process->uv.data = process->out.data = process;
    process->open = 2;
    if (code != 0) {
        close_handle((uv_handle_t *)&process->out);
        close_handle((uv_handle_t *)&process->uv); /* libuv knows it, spawned or not */
        return code;
    }
    uv_read_start((uv_stream_t *)&process->out, on_room, on_output);
    process->call = call;
    call->process = process;
    return 0;
}

/* --- the operation -----------------------------------------------------------------------------
 */

static void on_drop(struct op *op)
{
    struct child_call *call = (struct child_call *)op;
    if (!call->process)
        return;
    kill(-call->process->uv.pid, SIGKILL); /* it was not reaped yet, so the number is its own */
    call->process->call = NULL;
    call->process = NULL;
}

static void on_deliver(struct op *op, const struct err *e)
{
    struct child_call *call = (struct child_call *)op;
    call->end.output = call->output;
    call->done(call->data, e, e ? NULL : &call->end);
    free(call->what);
    free(call);
}

static void refuse(struct child_call *call, int code)
{
    struct err e;
    enum err_code kind = code == UV_ENOENT   ? ERR_NOT_FOUND
                         : code == UV_EACCES ? ERR_PERMISSION
                                             : ERR_FAILED;
    err_set(&e, kind, "%s: cannot be run: %s", call->what, uv_strerror(code));
    op_end(&call->op, &e);
}

op_id child_run(struct loop *loop, const struct child *child, child_fn done, void *data)
{
    static const struct op_class class = {.drop = on_drop, .deliver = on_deliver};
    struct child_call *call = mem_new(sizeof *call);
    call->what = mem_strdup(child->argv[0]);
    call->done = done;
    call->data = data;
    op_id id = op_begin(&call->op, loop, &class, call->what, child->deadline_ms);
    int code = spawn(call, child);
    if (code != 0)
        refuse(call, code);
    return id;
}
