/* docker_exec: create the command, start it and take its output, then ask for its exit code.
 *
 * The start's 200 says nothing: what goes wrong afterwards stands in the stream, and the code is
 * only in the inspection. The stream ends with the connection, so an engine that dies looks like
 * an end too; the inspection tells that apart as well.
 */
#include "base/buf.h"
#include "base/mem.h"
#include "docker/client.h"
#include "docker/frames.h"

#include <string.h>

enum { OUTPUT_MAX = 8 * 1024 * 1024, POLL_MS = 50, CANNOT_RUN = 126, NOT_FOUND = 127 };

struct exec_call {
    struct docker__call call;
    char *path; /* of the next request */
    char *body;
    char *exec_id; /* escaped */
    docker_exec_fn done;
    void *data;

    struct docker__frames frames;
    struct buf out, err;
    bool too_large, malformed;
    int exit_code;
    struct timer *again;
};

static struct exec_call *exec_of(struct docker__call *call)
{
    return (struct exec_call *)call; /* its first member */
}

/* --- 3: the exit code ------------------------------------------------------------------------- */

/* The command could not be run at all: runc says so in the command's own output. */
static bool could_not_run(const struct exec_call *exec)
{
    const char *out = buf_text(&exec->out);
    return (exec->exit_code == CANNOT_RUN || exec->exit_code == NOT_FOUND) &&
           (strncmp(out, "OCI runtime exec failed", 23) == 0 ||
            strncmp(out, "OCI runtime error", 17) == 0);
}

static void finish(struct exec_call *exec)
{
    struct err e;
    if (!could_not_run(exec)) {
        docker__call_end(&exec->call, NULL);
        return;
    }
    const char *text = buf_text(&exec->out);
    err_set(&e, ERR_FAILED, "%.*s", (int)strcspn(text, "\r\n"), text);
    err_hint(&e, "the container's image does not have this command");
    docker__call_end(&exec->call, &e);
}

static void on_code(struct docker__call *call, const struct docker__answer *answer,
                    const struct err *e)
{
    struct exec_call *exec = exec_of(call);
    struct err problem;
    if (e) {
        docker__call_end(call, e);
        return;
    }
    CLEANUP_JSON json_t *body = json_parse(answer->body, answer->len, "the answer", &problem);
    if (!body) {
        docker__call_end(call, &problem);
        return;
    }
    const json_t *code = json_at(body, "ExitCode");
    if (json_bool_at(body, "Running", false) || !json_is_integer(code)) {
        timer_start(exec->again, POLL_MS); /* the stream ends a moment before the record */
        return;
    }
    exec->exit_code = (int)json_integer_value(code);
    finish(exec);
}

static void ask_code(void *data)
{
    struct exec_call *exec = data;
    free(exec->path);
    exec->path = mem_printf("/exec/%s/json", exec->exec_id);
    docker__call_request(&exec->call,
                         &(struct docker__request){.method = "GET",
                                                   .path = exec->path,
                                                   .ceiling = DOCKER__CEILING_INSPECT},
                         on_code);
}

/* --- 2: the output ---------------------------------------------------------------------------- */

static bool on_output(void *data, bool is_stderr, const char *bytes, size_t len, bool is_begin,
                      bool is_end)
{
    struct exec_call *exec = data;
    (void)is_begin;
    (void)is_end;
    exec->too_large = exec->out.len + exec->err.len + len > OUTPUT_MAX;
    return !exec->too_large && buf_add(is_stderr ? &exec->err : &exec->out, bytes, len);
}

static bool on_bytes(void *data, const char *bytes, size_t len)
{
    struct exec_call *exec = data;
    exec->malformed = !docker__frames_feed(&exec->frames, bytes, len, on_output, exec);
    return !exec->malformed;
}

static void on_end(struct docker__call *call, const struct docker__answer *answer,
                   const struct err *e)
{
    struct exec_call *exec = exec_of(call);
    struct err problem;
    (void)answer;
    if (exec->too_large) {
        err_set(&problem, ERR_FAILED, "the command wrote more than %d MiB", OUTPUT_MAX >> 20);
        docker__call_end(call, &problem);
    } else if (exec->malformed) {
        err_set(&problem, ERR_PROTOCOL, "the command's output came in no known form");
        docker__call_end(call, &problem);
    } else if (e) {
        docker__call_end(call, e);
    } else {
        ask_code(exec);
    }
}

static void start_command(struct exec_call *exec)
{
    free(exec->path);
    exec->path = mem_printf("/exec/%s/start", exec->exec_id);
    docker__call_request(&exec->call,
                         &(struct docker__request){.method = "POST",
                                                   .path = exec->path,
                                                   .body = "{\"Detach\":false,\"Tty\":false}",
                                                   .once = true,
                                                   .ceiling = DOCKER__CEILING_SMALL,
                                                   .on_bytes = on_bytes},
                         on_end);
}

/* --- 1: the command --------------------------------------------------------------------------- */

static void on_created(struct docker__call *call, const struct docker__answer *answer,
                       const struct err *e)
{
    struct exec_call *exec = exec_of(call);
    struct err problem;
    if (e) {
        docker__call_end(call, e);
        return;
    }
    CLEANUP_JSON json_t *body = json_parse(answer->body, answer->len, "the answer", &problem);
    const char *id = json_text_at(body, "Id", "");
    if (body && !*id)
        err_set(&problem, ERR_PROTOCOL, "the answer bears no id");
    if (!*id) {
        docker__call_end(call, &problem);
        return;
    }
    exec->exec_id = docker__escape(id);
    start_command(exec);
}

static void exec_send(struct docker__call *call)
{
    const struct exec_call *exec = exec_of(call);
    docker__call_request(call,
                         &(struct docker__request){.method = "POST",
                                                   .path = exec->path,
                                                   .body = exec->body,
                                                   .once = true,
                                                   .ceiling = DOCKER__CEILING_SMALL},
                         on_created);
}

static void exec_deliver(struct docker__call *call, const struct err *e)
{
    const struct exec_call *exec = exec_of(call);
    struct docker_output output = {
        .exit_code = exec->exit_code,
        .out = buf_text(&exec->out),
        .err = buf_text(&exec->err),
        .out_len = exec->out.len,
        .err_len = exec->err.len,
    };
    exec->done(exec->data, e, e ? NULL : &output);
}

static void exec_drop(struct docker__call *call)
{
    timer_stop(exec_of(call)->again);
}

static void exec_clear(struct docker__call *call)
{
    struct exec_call *exec = exec_of(call);
    timer_free(exec->again);
    free(exec->path);
    free(exec->body);
    free(exec->exec_id);
    buf_free(&exec->out);
    buf_free(&exec->err);
}

static const struct docker__call_class exec_class = {
    .send = exec_send, .deliver = exec_deliver, .clear = exec_clear, .drop = exec_drop};

static char *command_json(const struct docker_exec *command)
{
    CLEANUP_JSON json_t *body = json_object();
    json_t *argv = json_array();
    json_object_set_new(body, "Cmd", argv);
    for (size_t i = 0; command->argv[i]; i++)
        json_array_append_new(argv, json_lossy_string(command->argv[i], strlen(command->argv[i])));
    if (command->user)
        json_set_text(body, "User", command->user);
    json_set_bool(body, "AttachStdout", true);
    json_set_bool(body, "AttachStderr", true);
    return json_line(body);
}

op_id docker_exec(struct docker *docker, const char *id, const struct docker_exec *command,
                  docker_exec_fn done, void *data)
{
    struct exec_call *exec = mem_new(sizeof *exec);
    CLEANUP_FREE char *escaped = docker__escape(id);
    exec->path = mem_printf("/containers/%s/exec", escaped);
    exec->body = command_json(command);
    exec->done = done;
    exec->data = data;
    exec->again = timer_new(docker->loop, ask_code, exec);
    docker__frames_init(&exec->frames, false);
    buf_init(&exec->out, OUTPUT_MAX);
    buf_init(&exec->err, OUTPUT_MAX);
    CLEANUP_FREE char *name = docker__short_id(id);
    return docker__call_begin(&exec->call, docker, &exec_class, command->deadline_ms,
                              "docker: exec in %s", name);
}
