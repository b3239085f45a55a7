/* See leftover.h. */
#include "supervisor/leftover.h"

#include "base/mem.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

enum { LIST_MS = 15000 };

struct leftover {
    int64_t run;
    struct plan *plan;
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
    plan_unref(leftover->plan);
    free(leftover);
}

/* One of its actions is about this container; id NULL: about any. */
static bool is_about(const struct plan *plan, const char *id)
{
    for (size_t i = 0; i < plan->action_count; i++) {
        const char *own = plan->actions[i].container_id;
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
        if (is_about(leftover->plan, items[i].id)) {
            leftover_end(leftover, NULL);
            return;
        }
    }
    err_set(&stranger, ERR_NOT_FOUND,
            "run %" PRId64 ": the Docker Engine has none of its containers", leftover->run);
    err_hint(&stranger, "mend the configuration, or name the Engine by --docker-host");
    leftover_end(leftover, e ? e : &stranger);
}

void leftover_check(int64_t run, struct plan *plan, struct docker *docker, leftover_fn done,
                    void *data)
{
    struct leftover *leftover = mem_new(sizeof *leftover);
    *leftover = (struct leftover){.run = run, .plan = plan_ref(plan), .done = done, .data = data};
    docker_list(docker, NULL, LIST_MS, on_listed, leftover);
}

bool leftover_is_checkable(const struct plan *plan)
{
    return is_about(plan, NULL);
}
