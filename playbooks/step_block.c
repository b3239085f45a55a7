/* No new logins of the roles that hold the connections: CONNECTION LIMIT 0, so that what is cleaned
 * now does not come back at once. Sessions that are open stay.
 *
 * The limits as they were are in the journal before the first is changed: whoever gives them back,
 * in this life or the next one, finds them there. */
#include "base/buf.h"
#include "base/mem.h"
#include "playbooks/run_private.h"

enum { ASK_MS = 10000 };

static void block_free(struct action_run *a)
{
    json_decref(a->work);
}

/* "app, reporting"; the caller frees it. */
static char *role_names(const json_t *limits)
{
    struct buf names;
    const char *role;
    json_t *limit;
    buf_init(&names, 1 << 16);
    json_object_foreach((json_t *)limits, role, limit)
        buf_printf(&names, "%s%s", names.len ? ", " : "", role);
    return buf_take(&names);
}

static json_t *detail_of(const json_t *limits)
{
    json_t *detail = json_object();
    json_object_set_new(detail, "limits", json_deep_copy(limits));
    return detail;
}

static void on_blocked(void *data, const struct err *e)
{
    struct action_run *a = data;
    if (!step_landed(a))
        return;
    if (e) {
        step_fail(a, e);
        return;
    }
    CLEANUP_FREE char *names = role_names(a->work);
    step_finish(a, detail_of(a->work), "no new logins of %s", names);
}

static void on_kept(void *data)
{
    struct action_run *a = data;
    if (step_landed(a))
        step_begins(
            a, db_block(reach_db(runner_reach(a->run->runner)), a->work, ASK_MS, on_blocked, a));
}

/* What an earlier life has kept is how it was; a role that it did not know is as it is now. Who has
 * no login left already is not ours to let in again. */
static json_t *limits_before(const struct action_run *a, const json_t *present)
{
    const json_t *kept = json_at(story_kept(a->run, a->action->id), "limits");
    json_t *limits = json_object();
    const char *role;
    json_t *limit;
    json_object_foreach((json_t *)present, role, limit)
    {
        if (json_integer_value(limit) != 0)
            json_object_set(limits, role, limit);
    }
    if (kept)
        json_object_update(limits, (json_t *)kept);
    return limits;
}

static void on_limits(void *data, const struct err *e, const json_t *present)
{
    struct action_run *a = data;
    if (!step_landed(a))
        return;
    if (e) {
        step_fail(a, e);
        return;
    }
    json_decref(a->work);
    a->work = limits_before(a, present);
    if (json_object_size(a->work) == 0) {
        step_finish(a, NULL,
                    "nobody to hold off: no limit holds superusers, and no other role has "
                    "sessions");
        return;
    }
    CLEANUP_FREE char *back = db_unblock_text(a->work);
    CLEANUP_FREE char *text = mem_printf("holding logins off; to let them in again: %s", back);
    step_begins(a, 0);
    story_keep_then(a, text, detail_of(a->work), on_kept);
}

static void block_begin(struct action_run *a, struct db *db)
{
    step_begins(a, db_limits(db, ASK_MS, on_limits, a));
}

static void block_start(struct action_run *a)
{
    step_with_database(a, block_begin);
}

const struct step_class step_block = {.start = block_start, .free_work = block_free};
