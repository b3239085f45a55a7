/* See leftover.h. */
#include "supervisor/leftover.h"

#include "base/mem.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

enum { LIST_MS = 15000 };

struct leftover {
    struct docker *docker;
    json_t *run; /* as the journal has it */
    leftover_fn done;
    void *data;
};

bool leftover_is_possible(const char *state_dir)
{
    CLEANUP_FREE char *path = mem_printf("%s/journal.db", state_dir);
    return access(path, R_OK | W_OK) == 0;
}

static void leftover_end(struct leftover *leftover, const struct err *e)
{
    leftover->done(leftover->data, e);
    json_decref(leftover->run);
    free(leftover);
}

/* One of its actions is about this container; id NULL: about any. */
static bool is_about(const json_t *run, const char *id)
{
    const json_t *actions = json_at(run, "plan/actions");
    json_t *action;
    size_t i;
    json_array_foreach(actions, i, action)
    {
        const char *own = json_text_at(action, "container_id", NULL);
        if (own && (!id || strcmp(own, id) == 0))
            return true;
    }
    return false;
}

static void on_listed(void *data, const struct err *e, const struct docker_summary *items,
                      size_t count)
{
    struct leftover *leftover = data;
    struct err stranger;
    for (size_t i = 0; !e && i < count; i++) {
        if (is_about(leftover->run, items[i].id)) {
            leftover_end(leftover, NULL);
            return;
        }
    }
    err_set(&stranger, ERR_NOT_FOUND,
            "run %" PRId64 ": the Docker Engine has none of its containers",
            json_int_at(leftover->run, "run", 0));
    err_hint(&stranger, "mend the configuration, or name the Engine by --docker-host");
    leftover_end(leftover, e ? e : &stranger);
}

/* What cannot be read, or is about no container, is not for the Engine to judge. */
static void on_unfinished(void *data, const struct err *e, const json_t *run)
{
    struct leftover *leftover = data;
    if (e || !is_about(run, NULL)) {
        leftover_end(leftover, NULL);
        return;
    }
    leftover->run = json_deep_copy(run);
    docker_list(leftover->docker, NULL, LIST_MS, on_listed, leftover);
}

void leftover_check(struct journal *journal, struct docker *docker, leftover_fn done, void *data)
{
    struct leftover *leftover = mem_new(sizeof *leftover);
    leftover->docker = docker;
    leftover->done = done;
    leftover->data = data;
    journal_unfinished(journal, on_unfinished, leftover);
}
