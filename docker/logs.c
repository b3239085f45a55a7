/* docker_logs: the tail of a container's log, once; it does not follow. The log is read from the
 * Engine's file, so a slow reader harms nobody here. */
#include "base/mem.h"
#include "docker/client.h"
#include "docker/log_lines.h"

#include <inttypes.h>

enum { LOG_BYTES_MAX = 1 << 20 };

struct logs_call {
    struct docker__call call;
    char *path;
    docker_logs_fn done;
    void *data;
    struct docker__log_lines *lines;
    bool malformed;
};

static bool on_bytes(void *data, const char *bytes, size_t len)
{
    struct logs_call *logs = data;
    logs->malformed = !docker__log_lines_feed(logs->lines, bytes, len);
    return !logs->malformed;
}

static void on_end(struct docker__call *call, const struct docker__answer *answer,
                   const struct err *e)
{
    const struct logs_call *logs = (struct logs_call *)call;
    struct err problem;
    (void)answer;
    if (logs->malformed)
        err_set(&problem, ERR_PROTOCOL, "the log came in no known form");
    docker__call_end(call, logs->malformed ? &problem : e);
}

static void logs_send(struct docker__call *call)
{
    const struct logs_call *logs = (struct logs_call *)call;
    docker__call_request(call,
                         &(struct docker__request){.method = "GET",
                                                   .path = logs->path,
                                                   .ceiling = DOCKER__CEILING_SMALL,
                                                   .on_bytes = on_bytes},
                         on_end);
}

static void logs_deliver(struct docker__call *call, const struct err *e)
{
    const struct logs_call *logs = (struct logs_call *)call;
    size_t count = 0;
    const struct docker_log_line *lines = e ? NULL : docker__log_lines_get(logs->lines, &count);
    logs->done(logs->data, e, lines, count);
}

static void logs_clear(struct docker__call *call)
{
    struct logs_call *logs = (struct logs_call *)call;
    docker__log_lines_free(logs->lines);
    free(logs->path);
}

static const struct docker__call_class logs_class = {
    .send = logs_send, .deliver = logs_deliver, .clear = logs_clear};

op_id docker_logs(struct docker *docker, const char *id, bool tty, int tail, int64_t since_s,
                  int64_t deadline_ms, docker_logs_fn done, void *data)
{
    struct logs_call *logs = mem_new(sizeof *logs);
    CLEANUP_FREE char *escaped = docker__escape(id);
    logs->path = mem_printf("/containers/%s/logs?stdout=1&stderr=1&timestamps=1&tail=%d"
                            "&since=%" PRId64,
                            escaped, tail, since_s);
    logs->lines = docker__log_lines_new(tty, LOG_BYTES_MAX);
    logs->done = done;
    logs->data = data;
    CLEANUP_FREE char *name = docker__short_id(id);
    return docker__call_begin(&logs->call, docker, &logs_class, deadline_ms, "docker: logs of %s",
                              name);
}
