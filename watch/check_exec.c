/* A check by a command, on this host or in a container: exit code 0. See check.h. */
#include "base/child.h"
#include "base/mem.h"
#include "watch/check.h"

#include <string.h>

enum {
    IN_CONTAINER_MS = 5 * 60 * 1000, /* after it a command counts as one that never ends */
    WORDS_MAX = 200,
};

struct exec_try {
    char *what;
    docker_done_fn done;
    void *data;
};

static struct exec_try *try_new(const struct check *check, docker_done_fn done, void *data)
{
    struct exec_try *try = mem_new(sizeof *try);
    try->what = check->container ? mem_printf("%s in %s", check->shown, check->container)
                                 : mem_strdup(check->shown);
    try->done = done;
    try->data = data;
    return try;
}

/* e NULL: it passed. */
static void try_end(struct exec_try *try, const struct err *e)
{
    struct err named;
    err_copy(&named, e);
    if (e)
        err_wrap(&named, "%s: ", try->what);
    try->done(try->data, e ? &named : NULL);
    free(try->what);
    free(try);
}

/* What it said last, in one line. */
static char *last_words(const char *output)
{
    size_t len = strlen(output);
    while (len > 0 && strchr(" \t\r\n", output[len - 1]))
        len--;
    const char *line = memrchr(output, '\n', len);
    line = line ? line + 1 : output;
    len -= (size_t)(line - output);
    return mem_strndup(line, len < WORDS_MAX ? len : WORDS_MAX);
}

static void judge(struct exec_try *try, int exit_code, int signal, const char *output)
{
    struct err e;
    CLEANUP_FREE char *words = last_words(output);
    if (signal)
        err_set(&e, ERR_FAILED, "ended by signal %d", signal);
    else if (exit_code != 0)
        err_set(&e, ERR_FAILED, "exit code %d%s%s", exit_code, *words ? ": " : "", words);
    else
        err_clear(&e);
    try_end(try, err_is_set(&e) ? &e : NULL);
}

/* --- on this host ----------------------------------------------------------------------------- */

static void on_child(void *data, const struct err *e, const struct child_end *end)
{
    if (e)
        try_end(data, e);
    else
        judge(data, end->exit_code, end->signal, end->output);
}

static op_id on_this_host(const struct watch__check_tools *tools, const struct check *check,
                          struct exec_try *try)
{
    CLEANUP_FREE char *name = mem_printf("STACK_SUPERVISOR_CHECK=%s", check->name);
    const char *const environment[] = {
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", name,
        NULL};
    struct child child = {.argv = (const char *const *)check->argv,
                          .environment = environment,
                          .deadline_ms = check->timeout_ms};
    return child_run(tools->loop, &child, on_child, try);
}

/* --- in a container --------------------------------------------------------------------------- */

/* The Engine out of reach says nothing about the check. */
static void on_exec(void *data, const struct err *e, const struct docker_output *output)
{
    struct err unknown;
    if (!e) {
        judge(data, output->exit_code, 0, *output->err ? output->err : output->out);
    } else if (e->code == ERR_UNREACHABLE || e->code == ERR_PERMISSION) {
        err_set(&unknown, ERR_CANCELLED, "%s", e->text);
        try_end(data, &unknown);
    } else {
        try_end(data, e);
    }
}

/* Its id; a name that is none is the Engine's to refuse. */
static const char *whom(const struct stack *stack, const char *name)
{
    const struct container *container = stack ? stack_container(stack, name) : NULL;
    const struct stack_service *service = stack ? stack_service(stack, name) : NULL;
    for (size_t i = 0; service && i < service->container_count; i++)
        if (!container || (container->state != CONTAINER_RUNNING &&
                           service->containers[i]->state == CONTAINER_RUNNING))
            container = service->containers[i];
    return container ? container->id : name;
}

op_id watch__check_exec(const struct watch__check_tools *tools, const struct check *check,
                        docker_done_fn done, void *data)
{
    struct exec_try *try = try_new(check, done, data);
    if (!check->container)
        return on_this_host(tools, check, try);
    struct docker_exec command = {.argv = (const char *const *)check->argv,
                                  .deadline_ms = IN_CONTAINER_MS};
    return docker_exec(tools->docker, whom(tools->stack, check->container), &command, on_exec, try);
}
