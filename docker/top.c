/* docker_top: the processes of a running container as the host's ps tells of them, with what they
 * call themselves.
 *
 * May use: base, client.h. Used by: playbooks/step_wait_ready.c, by docker.h. */
#include "base/mem.h"
#include "docker/client.h"

#include <string.h>

struct top_call {
    struct docker__call call;
    char *path;
    docker_top_fn done;
    void *data;
    json_t *body;
    const char **commands; /* borrowed from body */
    size_t count;
};

static bool is_text(const json_t *value, const char *text)
{
    return json_is_string(value) && strcmp(json_string_value(value), text) == 0;
}

/* Which column the heading has; the number of columns when none does. */
static size_t column_of(const json_t *titles, const char *heading)
{
    size_t i = 0;
    while (i < json_array_size(titles) && !is_text(json_array_get(titles, i), heading))
        i++;
    return i;
}

static void top_read(struct top_call *top)
{
    size_t column = column_of(json_at(top->body, "Titles"), "COMMAND");
    const json_t *rows = json_at(top->body, "Processes");
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const char *command = json_string_value(json_array_get(json_array_get(rows, i), column));
        if (command)
            *MEM_PUSH(top->commands, top->count) = command;
    }
}

static void top_answer(struct docker__call *call, const struct docker__answer *answer,
                       const struct err *e)
{
    struct top_call *top = (struct top_call *)call;
    struct err problem;
    if (e) {
        docker__call_end(call, e);
        return;
    }
    top->body = json_parse(answer->body, answer->len, "the processes", &problem);
    if (top->body)
        top_read(top);
    docker__call_end(call, top->body ? NULL : &problem);
}

static void top_send(struct docker__call *call)
{
    const struct top_call *top = (struct top_call *)call;
    docker__call_request(call,
                         &(struct docker__request){
                             .method = "GET", .path = top->path, .ceiling = DOCKER__CEILING_SMALL},
                         top_answer);
}

static void top_deliver(struct docker__call *call, const struct err *e)
{
    const struct top_call *top = (struct top_call *)call;
    top->done(top->data, e, e ? NULL : top->commands, e ? 0 : top->count);
}

static void top_clear(struct docker__call *call)
{
    struct top_call *top = (struct top_call *)call;
    json_decref(top->body);
    free(top->commands);
    free(top->path);
}

static const struct docker__call_class top_class = {
    .send = top_send, .deliver = top_deliver, .clear = top_clear};

op_id docker_top(struct docker *docker, const char *id, int64_t deadline_ms, docker_top_fn done,
                 void *data)
{
    struct top_call *top = mem_new(sizeof *top);
    CLEANUP_FREE char *escaped = docker__escape(id);
    top->path = mem_printf("/containers/%s/top?ps_args=-eo%%20pid,args", escaped);
    top->done = done;
    top->data = data;
    CLEANUP_FREE char *name = docker__short_id(id);
    return docker__call_begin(&top->call, docker, &top_class, deadline_ms,
                              "docker: processes of %s", name);
}
