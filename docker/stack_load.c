/* stack_load: the model of a stack, asked from an engine.
 *
 *   list -> inspect all side by side -> choose the project -> read the compose files -> build
 *
 * Every container has a time limit of its own, as the Engine holds a lock on one that is stuck:
 * such a one enters the model with what the list says of it, and so does one that the Engine fails
 * to describe while it describes others. One that vanishes on the way is left out. The calls are
 * operations of the same loop, so their last words come before ours: see base/op.h, and `over` in
 * every callback.
 */
#include "docker/stack.h"

#include "base/files.h"
#include "base/mem.h"
#include "docker/client.h"
#include "docker/stack_members.h"
#include "docker/stack_pick.h"
#include "docker/stack_role.h"
#include "docker/summary.h"

#include <string.h>

enum { INSPECT_MS = 8000 };

struct loader;

struct item {
    struct loader *loader;
    op_id inspection;            /* 0: not under way */
    struct container *container; /* the list's word until the inspection is there; NULL: vanished */
};

struct loader {
    struct op op;
    struct docker *docker;
    struct stack__choice *choice; /* what to load, copied */
    int64_t deadline_ms;
    char *what;
    stack_load_fn done;
    void *data;

    op_id list;
    struct item *items;
    size_t item_count, pending, inspected;
    struct err refusal; /* the first answer that described nothing; unset: there was none */
    char **notes;
    size_t note_count;
    char *project;
    struct container **members; /* of the project; borrowed from items */
    size_t member_count;
    struct files *files;
    struct stack *stack;
};

/* --- the end ---------------------------------------------------------------------------------- */

static void on_drop(struct op *op)
{
    struct loader *loader = (struct loader *)op;
    op_cancel(op->loop, loader->list);
    for (size_t i = 0; i < loader->item_count; i++)
        op_cancel(op->loop, loader->items[i].inspection);
    loader->files = files_abandon(loader->files);
}

static void loader_free(struct loader *loader)
{
    for (size_t i = 0; i < loader->item_count; i++)
        container_unref(loader->items[i].container);
    for (size_t i = 0; i < loader->note_count; i++)
        free(loader->notes[i]);
    stack_unref(loader->stack);
    stack__choice_free(loader->choice);
    free(loader->items);
    free(loader->notes);
    free(loader->members);
    free(loader->project);
    free(loader->what);
    free(loader);
}

static void on_deliver(struct op *op, const struct err *e)
{
    struct loader *loader = (struct loader *)op;
    loader->done(loader->data, e, e ? NULL : loader->stack);
    loader_free(loader);
}

static const struct op_class loader_class = {.drop = on_drop, .deliver = on_deliver};

static void fail(struct loader *loader, const struct err *e)
{
    if (!loader->op.over)
        on_drop(&loader->op); /* the inspections that are still under way */
    op_end(&loader->op, e);
}

static void note(struct loader *loader, char *text)
{
    *MEM_PUSH(loader->notes, loader->note_count) = text;
}

/* --- build ------------------------------------------------------------------------------------ */

static void build(struct loader *loader, const struct stack_file *file)
{
    struct err e;
    if (stack_build(loader->project, loader->members, loader->member_count,
                    stack__choice_selector(loader->choice), file, &loader->stack, &e) != 0) {
        fail(loader, &e);
        return;
    }
    for (size_t i = 0; i < loader->note_count; i++)
        stack__note(loader->stack, "%s", loader->notes[i]);
    op_end(&loader->op, NULL);
}

/* --- the compose files ------------------------------------------------------------------------ */

static void on_files(void *data, const struct file *files, size_t count)
{
    struct loader *loader = data;
    loader->files = NULL;
    char *problem = NULL;
    struct stack_file *file = stack__merge_files(files, count, &problem);
    if (problem)
        note(loader, problem);
    build(loader, file);
    stack_file_free(file);
}

static void read_files(struct loader *loader)
{
    size_t count = 0;
    char **paths =
        stack__compose_paths(loader->choice, loader->members, loader->member_count, &count);
    if (count == 0)
        build(loader, NULL);
    else
        loader->files = files_read(loader->op.loop, paths, count, on_files, loader);
}

/* --- the project ------------------------------------------------------------------------------ */

static void choose(struct loader *loader)
{
    struct err e;
    struct container **all = mem_new((loader->item_count + 1) * sizeof(struct container *));
    size_t count = 0;
    for (size_t i = 0; i < loader->item_count; i++)
        if (loader->items[i].container)
            all[count++] = loader->items[i].container;
    loader->members = all;
    int code = stack__choose_project(loader->choice, all, count, &loader->project, &e);
    if (code != 0) {
        fail(loader, &e);
        return;
    }
    for (size_t i = 0; i < count; i++)
        if (strcmp(all[i]->project, loader->project) == 0)
            loader->members[loader->member_count++] = all[i]; /* in place: never ahead of i */
    read_files(loader);
}

/* --- inspections ------------------------------------------------------------------------------ */

static bool is_of_one_container(const struct err *e)
{
    return e->code == ERR_TIMEOUT || e->code == ERR_FAILED || e->code == ERR_PROTOCOL;
}

static void note_uninspected(struct loader *loader, const char *name, const struct err *e)
{
    if (e->code == ERR_TIMEOUT) {
        note(loader, mem_printf("the Engine lists %s but does not inspect it: it may be stuck "
                                "(look at `docker inspect %s` and the Engine's log)",
                                name, name));
        return;
    }
    note(loader, mem_printf("the Engine lists %s but cannot describe it: %s", name, e->text));
    if (!err_is_set(&loader->refusal))
        err_copy(&loader->refusal, e);
}

static void on_inspected(void *data, const struct err *e, struct container *container)
{
    struct item *item = data;
    struct loader *loader = item->loader;
    item->inspection = 0;
    if (loader->op.over)
        return;
    if (!e) {
        loader->inspected++;
        container_unref(item->container);
        item->container = container_ref(container);
    } else if (e->code == ERR_NOT_FOUND) {
        item->container = container_unref(item->container);
    } else if (is_of_one_container(e)) {
        note_uninspected(loader, item->container->name, e);
    } else {
        fail(loader, e);
        return;
    }
    if (--loader->pending > 0)
        return;
    if (loader->inspected == 0 &&
        err_is_set(&loader->refusal)) /* the Engine's trouble, not one's */
        fail(loader, &loader->refusal);
    else
        choose(loader);
}

static void on_list(void *data, const struct err *e, const struct docker_summary *summaries,
                    size_t count)
{
    struct loader *loader = data;
    loader->list = 0;
    if (loader->op.over)
        return;
    if (e) {
        fail(loader, e);
        return;
    }
    int64_t limit = loader->deadline_ms / 2 < INSPECT_MS ? loader->deadline_ms / 2 : INSPECT_MS;
    loader->items = mem_new((count + 1) * sizeof *loader->items);
    loader->item_count = loader->pending = count;
    for (size_t i = 0; i < count; i++) {
        struct item *item = &loader->items[i];
        item->loader = loader;
        item->container = docker__container_from_summary(&summaries[i]);
        item->inspection =
            docker_inspect(loader->docker, summaries[i].id, limit, on_inspected, item);
    }
    if (count == 0)
        choose(loader);
}

op_id stack_load(struct docker *docker, const struct stack_selector *selector, int64_t deadline_ms,
                 stack_load_fn done, void *data)
{
    struct loader *loader = mem_new(sizeof *loader);
    loader->docker = docker;
    loader->choice = stack__choice_new(selector);
    loader->deadline_ms = deadline_ms;
    loader->done = done;
    loader->data = data;
    const char *project = stack__choice_selector(loader->choice)->project;
    loader->what = project ? mem_printf("docker: load the project %s", project)
                           : mem_strdup("docker: look for a project with a PostgreSQL");
    op_id id = op_begin(&loader->op, docker->loop, &loader_class, loader->what, deadline_ms);
    CLEANUP_FREE char *label =
        mem_printf(STACK__LABEL_COMPOSE_PROJECT "%s%s", project ? "=" : "", project ? project : "");
    loader->list =
        docker_list(docker, (const char *const[]){label, NULL}, deadline_ms, on_list, loader);
    return id;
}
