/* The calls that are one request each (a stop with a signal, on an old engine, is two): list,
 * inspect, start, stop, restart, kill, unpause, wait. Exec and logs have files of their own. */
#include "base/buf.h"
#include "base/mem.h"
#include "docker/client.h"
#include "docker/summary.h"

#include <string.h>

/* Beyond the grace the Engine itself needs up to some 14 s for a stop (KILL, 10 s, KILL of the
 * bare process, 2 s, 2 s); a restart starts the container on top of it. */
enum { STOP_MARGIN_S = 20, RESTART_MARGIN_S = 60, MS_PER_S = 1000 };
enum { API_WITH_STOP_SIGNAL = 42 };

/* "/containers/<id><rest>"; the caller frees it. */
static char *container_path(const char *id, const char *rest)
{
    CLEANUP_FREE char *escaped = docker__escape(id);
    return mem_printf("/containers/%s%s", escaped, rest);
}

/* --- list ------------------------------------------------------------------------------------- */

struct list_call {
    struct docker__call call;
    char *path;
    docker_list_fn done;
    void *data;
    struct docker_summary *items;
    size_t count;
};

/* Running or not, and filtered by the Engine: {"label":["a","b=c"]}. */
static char *list_path(const char *const *labels)
{
    if (!labels || !*labels)
        return mem_strdup("/containers/json?all=1");
    CLEANUP_JSON json_t *filters = json_object();
    json_t *wanted = json_array();
    json_object_set_new(filters, "label", wanted);
    for (; *labels; labels++)
        json_array_append_new(wanted, json_lossy_string(*labels, strlen(*labels)));
    CLEANUP_FREE char *line = json_line(filters);
    CLEANUP_FREE char *escaped = docker__escape(line);
    return mem_printf("/containers/json?all=1&filters=%s", escaped);
}

static void list_answer(struct docker__call *call, const struct docker__answer *answer,
                        const struct err *e)
{
    struct list_call *list = (struct list_call *)call;
    struct err problem;
    if (e) {
        docker__call_end(call, e);
        return;
    }
    CLEANUP_JSON json_t *body = json_parse(answer->body, answer->len, "the list", &problem);
    if (!json_is_array(body)) {
        if (body)
            err_set(&problem, ERR_PROTOCOL, "the answer is no list of containers");
        docker__call_end(call, &problem);
        return;
    }
    size_t i;
    json_t *item;
    json_array_foreach(body, i, item)
    {
        struct docker_summary summary;
        if (docker__summary_from_json(item, &summary))
            *MEM_PUSH(list->items, list->count) = summary;
    }
    docker__call_end(call, NULL);
}

static void list_send(struct docker__call *call)
{
    const struct list_call *list = (struct list_call *)call;
    docker__call_request(call,
                         &(struct docker__request){
                             .method = "GET", .path = list->path, .ceiling = DOCKER__CEILING_LIST},
                         list_answer);
}

static void list_deliver(struct docker__call *call, const struct err *e)
{
    const struct list_call *list = (struct list_call *)call;
    list->done(list->data, e, e ? NULL : list->items, e ? 0 : list->count);
}

static void list_clear(struct docker__call *call)
{
    struct list_call *list = (struct list_call *)call;
    for (size_t i = 0; i < list->count; i++)
        docker__summary_clear(&list->items[i]);
    free(list->items);
    free(list->path);
}

static const struct docker__call_class list_class = {
    .send = list_send, .deliver = list_deliver, .clear = list_clear};

op_id docker_list(struct docker *docker, const char *const *labels, int64_t deadline_ms,
                  docker_list_fn done, void *data)
{
    struct list_call *list = mem_new(sizeof *list);
    list->path = list_path(labels);
    list->done = done;
    list->data = data;
    return docker__call_begin(&list->call, docker, &list_class, deadline_ms,
                              "docker: list the containers");
}

/* --- inspect ---------------------------------------------------------------------------------- */

struct inspect_call {
    struct docker__call call;
    char *path;
    docker_inspect_fn done;
    void *data;
    struct container *container;
};

static void inspect_answer(struct docker__call *call, const struct docker__answer *answer,
                           const struct err *e)
{
    struct inspect_call *inspect = (struct inspect_call *)call;
    struct err problem;
    if (e) {
        docker__call_end(call, e);
        return;
    }
    CLEANUP_JSON json_t *body = json_parse(answer->body, answer->len, "the answer", &problem);
    if (body)
        inspect->container = container_from_json(body, &problem);
    docker__call_end(call, inspect->container ? NULL : &problem);
}

static void inspect_send(struct docker__call *call)
{
    const struct inspect_call *inspect = (struct inspect_call *)call;
    docker__call_request(call,
                         &(struct docker__request){.method = "GET",
                                                   .path = inspect->path,
                                                   .ceiling = DOCKER__CEILING_INSPECT},
                         inspect_answer);
}

static void inspect_deliver(struct docker__call *call, const struct err *e)
{
    const struct inspect_call *inspect = (struct inspect_call *)call;
    inspect->done(inspect->data, e, e ? NULL : inspect->container);
}

static void inspect_clear(struct docker__call *call)
{
    struct inspect_call *inspect = (struct inspect_call *)call;
    container_unref(inspect->container);
    free(inspect->path);
}

static const struct docker__call_class inspect_class = {
    .send = inspect_send, .deliver = inspect_deliver, .clear = inspect_clear};

op_id docker_inspect(struct docker *docker, const char *id, int64_t deadline_ms,
                     docker_inspect_fn done, void *data)
{
    struct inspect_call *inspect = mem_new(sizeof *inspect);
    inspect->path = container_path(id, "/json");
    inspect->done = done;
    inspect->data = data;
    CLEANUP_FREE char *name = docker__short_id(id);
    return docker__call_begin(&inspect->call, docker, &inspect_class, deadline_ms,
                              "docker: inspect %s", name);
}

/* --- changes: start, restart, kill, unpause, and the stop ------------------------------------- */

struct change_call {
    struct docker__call call;
    char *path;
    docker_change_fn on_change; /* one of the two is set */
    docker_done_fn on_done;
    void *data;
    bool changed;

    /* Only for a stop: */
    char *kill_path;   /* sent first to an engine whose stop knows no signal; or NULL */
    char *signal_path; /* the path to an engine whose stop does; or NULL */
    int64_t limit_ms;
};

static void change_answer(struct docker__call *call, const struct docker__answer *answer,
                          const struct err *e)
{
    struct change_call *change = (struct change_call *)call;
    if (!e && answer->status != 304)
        change->changed = true;
    docker__call_end(call, e);
}

static void change_request(struct docker__call *call, const char *path,
                           docker__call_answer_fn on_answer)
{
    docker__call_request(
        call,
        &(struct docker__request){
            .method = "POST", .path = path, .once = true, .ceiling = DOCKER__CEILING_SMALL},
        on_answer);
}

static void change_send(struct docker__call *call)
{
    const struct change_call *change = (struct change_call *)call;
    change_request(call, change->path, change_answer);
}

static void change_deliver(struct docker__call *call, const struct err *e)
{
    const struct change_call *change = (struct change_call *)call;
    if (change->on_change)
        change->on_change(change->data, e, !e && change->changed);
    else
        change->on_done(change->data, e);
}

static void change_clear(struct docker__call *call)
{
    struct change_call *change = (struct change_call *)call;
    free(change->path);
    free(change->kill_path);
    free(change->signal_path);
}

static const struct docker__call_class change_class = {
    .send = change_send, .deliver = change_deliver, .clear = change_clear};

static struct change_call *change_new(const char *id, const char *rest, void *data)
{
    struct change_call *change = mem_new(sizeof *change);
    change->path = container_path(id, rest);
    change->data = data;
    return change;
}

op_id docker_start(struct docker *docker, const char *id, int64_t deadline_ms,
                   docker_change_fn done, void *data)
{
    struct change_call *change = change_new(id, "/start", data);
    change->on_change = done;
    CLEANUP_FREE char *name = docker__short_id(id);
    return docker__call_begin(&change->call, docker, &change_class, deadline_ms, "docker: start %s",
                              name);
}

op_id docker_restart(struct docker *docker, const char *id, int grace_s, docker_change_fn done,
                     void *data)
{
    grace_s = container_grace(grace_s);
    CLEANUP_FREE char *rest = mem_printf("/restart?t=%d", grace_s);
    struct change_call *change = change_new(id, rest, data);
    change->on_change = done;
    CLEANUP_FREE char *name = docker__short_id(id);
    return docker__call_begin(&change->call, docker, &change_class,
                              ((int64_t)grace_s + RESTART_MARGIN_S) * MS_PER_S,
                              "docker: restart %s", name);
}

static char *kill_rest(const char *signal)
{
    CLEANUP_FREE char *escaped = docker__escape(signal ? signal : "SIGKILL");
    return mem_printf("/kill?signal=%s", escaped);
}

op_id docker_kill(struct docker *docker, const char *id, const char *signal, int64_t deadline_ms,
                  docker_done_fn done, void *data)
{
    CLEANUP_FREE char *rest = kill_rest(signal);
    struct change_call *change = change_new(id, rest, data);
    change->on_done = done;
    CLEANUP_FREE char *name = docker__short_id(id);
    return docker__call_begin(&change->call, docker, &change_class, deadline_ms, "docker: kill %s",
                              name);
}

op_id docker_unpause(struct docker *docker, const char *id, int64_t deadline_ms,
                     docker_done_fn done, void *data)
{
    struct change_call *change = change_new(id, "/unpause", data);
    change->on_done = done;
    CLEANUP_FREE char *name = docker__short_id(id);
    return docker__call_begin(&change->call, docker, &change_class, deadline_ms,
                              "docker: unpause %s", name);
}

/* The signal has gone out, or the container did not run (409): the stop tells which. */
static void stop_after_kill(struct docker__call *call, const struct docker__answer *answer,
                            const struct err *e)
{
    struct change_call *stop = (struct change_call *)call;
    (void)answer;
    if (e && e->code != ERR_CONFLICT) {
        docker__call_end(call, e);
        return;
    }
    stop->changed = !e;
    change_request(call, stop->path, change_answer);
}

static void stop_send(struct docker__call *call)
{
    const struct change_call *stop = (struct change_call *)call;
    op_extend(&call->op, stop->limit_ms); /* the time for finding the version does not count */
    if (!stop->signal_path)
        change_request(call, stop->path, change_answer);
    else if (call->docker->minor >= API_WITH_STOP_SIGNAL)
        change_request(call, stop->signal_path, change_answer);
    else
        change_request(call, stop->kill_path, stop_after_kill);
}

static const struct docker__call_class stop_class = {
    .send = stop_send, .deliver = change_deliver, .clear = change_clear};

op_id docker_stop(struct docker *docker, const char *id, const char *signal, int grace_s,
                  docker_change_fn done, void *data)
{
    grace_s = container_grace(grace_s);
    CLEANUP_FREE char *rest = mem_printf("/stop?t=%d", grace_s);
    struct change_call *stop = change_new(id, rest, data);
    stop->on_change = done;
    stop->limit_ms = ((int64_t)grace_s + STOP_MARGIN_S) * MS_PER_S;
    if (signal) {
        CLEANUP_FREE char *escaped = docker__escape(signal);
        CLEANUP_FREE char *kill = kill_rest(signal);
        stop->signal_path = mem_printf("%s&signal=%s", stop->path, escaped);
        stop->kill_path = container_path(id, kill);
    }
    CLEANUP_FREE char *name = docker__short_id(id);
    return docker__call_begin(&stop->call, docker, &stop_class, stop->limit_ms, "docker: stop %s",
                              name);
}

/* --- wait ------------------------------------------------------------------------------------- */

struct wait_call {
    struct docker__call call;
    char *path;
    docker_wait_fn done;
    void *data;
    int64_t exit_code;
};

static void wait_answer(struct docker__call *call, const struct docker__answer *answer,
                        const struct err *e)
{
    struct wait_call *wait = (struct wait_call *)call;
    struct err problem;
    if (e) {
        docker__call_end(call, e);
        return;
    }
    CLEANUP_JSON json_t *body = json_parse(answer->body, answer->len, "the answer", &problem);
    const json_t *code = json_at(body, "StatusCode");
    const char *message = json_text_at(body, "Error/Message", "");
    if (body && *message)
        err_set(&problem, ERR_FAILED, "%s", message);
    else if (body && !json_is_integer(code))
        err_set(&problem, ERR_PROTOCOL, "the answer bears no exit code");
    wait->exit_code = json_integer_value(code);
    docker__call_end(call, json_is_integer(code) && !*message ? NULL : &problem);
}

static void wait_send(struct docker__call *call)
{
    const struct wait_call *wait = (struct wait_call *)call;
    /* Changes nothing, but holds its connection: not one from the pool. */
    change_request(call, wait->path, wait_answer);
}

static void wait_deliver(struct docker__call *call, const struct err *e)
{
    const struct wait_call *wait = (struct wait_call *)call;
    wait->done(wait->data, e, wait->exit_code);
}

static void wait_clear(struct docker__call *call)
{
    free(((struct wait_call *)call)->path);
}

static const struct docker__call_class wait_class = {
    .send = wait_send, .deliver = wait_deliver, .clear = wait_clear};

op_id docker_wait(struct docker *docker, const char *id, int64_t deadline_ms, docker_wait_fn done,
                  void *data)
{
    struct wait_call *wait = mem_new(sizeof *wait);
    wait->path = container_path(id, "/wait");
    wait->done = done;
    wait->data = data;
    CLEANUP_FREE char *name = docker__short_id(id);
    return docker__call_begin(&wait->call, docker, &wait_class, deadline_ms, "docker: wait for %s",
                              name);
}
