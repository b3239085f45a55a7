/* See trace_file.h. */
#include "supervisor/trace_file.h"

#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* What may wait for a slow disk. */
enum { WAITING_MAX = 1 << 20 };

struct trace_file {
    struct loop *loop;
    char *path, *old_path;
    void (*head)(void *data, struct buf *out);
    void *data;
    struct buf waiting; /* lines that the worker has not taken yet */
    bool fresh;         /* they begin a new file */
    size_t size;        /* of the file, once they are in it */
    /* the worker's while it works */
    uv_work_t work;
    bool working;
    struct buf writing;
    bool begin_file;
    int fd;
    int problem; /* errno of the last piece; 0: fine */
    bool told;   /* about a problem */
};

/* --- on the pool thread ----------------------------------------------------------------------- */

static int begin_file(struct trace_file *trace)
{
    if (trace->fd >= 0)
        close(trace->fd);
    trace->fd = -1;
    if (rename(trace->path, trace->old_path) != 0 && errno != ENOENT)
        return errno;
    trace->fd = open(trace->path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0640);
    return trace->fd < 0 ? errno : 0;
}

static int write_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t written = write(fd, bytes, len);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return errno;
        bytes += written;
        len -= (size_t)written;
    }
    return 0;
}

static void on_work(uv_work_t *work)
{
    struct trace_file *trace = work->data;
    trace->problem = trace->begin_file || trace->fd < 0 ? begin_file(trace) : 0;
    if (!trace->problem)
        trace->problem = write_all(trace->fd, trace->writing.data, trace->writing.len);
}

/* --- on the loop ------------------------------------------------------------------------------ */

static void write_waiting(struct trace_file *trace);

static void settle(struct trace_file *trace)
{
    trace->working = false;
    buf_reset(&trace->writing);
    if (trace->problem && !trace->told)
        log_warning("the trace %s cannot be written: %s", trace->path, strerror(trace->problem));
    trace->told = trace->problem != 0;
}

static void on_worked(uv_work_t *work, int status)
{
    struct trace_file *trace = work->data;
    (void)status;
    settle(trace);
    write_waiting(trace);
}

static void take_waiting(struct trace_file *trace)
{
    struct buf empty = trace->writing;
    trace->writing = trace->waiting;
    trace->waiting = empty;
    trace->begin_file = trace->fresh;
    trace->fresh = false;
}

static void write_waiting(struct trace_file *trace)
{
    if (trace->working || trace->waiting.len == 0)
        return;
    take_waiting(trace);
    trace->working = true;
    uv_queue_work(loop_uv(trace->loop), &trace->work, on_work, on_worked);
}

/* What waits belongs to the file before; a file is begun only when nothing does. */
static void begin_when_full(struct trace_file *trace)
{
    if (trace->size < TRACE_FILE_MAX || trace->waiting.len > 0)
        return;
    trace->fresh = true;
    trace->head(trace->data, &trace->waiting);
    trace->size = trace->waiting.len;
}

void trace_file_add(struct trace_file *trace, const struct trace_event *event)
{
    if (!trace)
        return;
    begin_when_full(trace);
    size_t before = trace->waiting.len;
    trace_print(event, &trace->waiting);
    trace->size += trace->waiting.len - before;
    write_waiting(trace);
}

struct trace_file *trace_file_new(struct loop *loop, const char *path,
                                  void (*head)(void *data, struct buf *out), void *data)
{
    struct trace_file *trace = mem_new(sizeof *trace);
    trace->loop = loop;
    trace->path = mem_strdup(path);
    trace->old_path = mem_printf("%s.1", path);
    trace->head = head;
    trace->data = data;
    trace->fd = -1;
    trace->work.data = trace;
    buf_init(&trace->waiting, WAITING_MAX);
    buf_init(&trace->writing, WAITING_MAX);
    trace->size = TRACE_FILE_MAX; /* begins a file with its first line */
    begin_when_full(trace);
    write_waiting(trace);
    return trace;
}

struct trace_file *trace_file_free(struct trace_file *trace)
{
    if (!trace)
        return NULL;
    while (trace->working)
        uv_run(loop_uv(trace->loop), UV_RUN_ONCE);
    if (trace->waiting.len > 0) {
        take_waiting(trace);
        on_work(&trace->work);
    }
    if (trace->fd >= 0)
        close(trace->fd);
    buf_free(&trace->waiting);
    buf_free(&trace->writing);
    free(trace->path);
    free(trace->old_path);
    free(trace);
    return NULL;
}
