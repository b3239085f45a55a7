/* Logins as before the block: each role its own CONNECTION LIMIT again, unless somebody has set
 * another meanwhile.
 *
 * It is owed, and a limit of 0 stays in the database until it is taken back: so a server that does
 * not answer is waited for until the time is over, and then the statement that a person has to run
 * is told. */
#include "base/mem.h"
#include "playbooks/run_private.h"

enum { ASK_MS = 10000, AGAIN_MAX_MS = 1000 };

struct unblock_work {
    const json_t *limits; /* the run's, in its entries */
    struct err last;      /* what stood in the way */
};

static void unblock_try(void *data);

static void unblock_fail(struct action_run *a)
{
    const struct unblock_work *work = a->work;
    struct err failure;
    CLEANUP_FREE char *statements = db_unblock_text(work->limits);
    err_set(&failure, work->last.code ? work->last.code : ERR_TIMEOUT,
            "logins are still held off: %.*s", ERR_TEXT_MAX / 2,
            *work->last.text ? work->last.text : "the database did not answer");
    err_hint(&failure, "as a superuser: %s", statements);
    step_fail(a, &failure);
}

static void unblock_again(struct action_run *a, const struct err *e)
{
    struct unblock_work *work = a->work;
    work->last = *e;
    if (e->code == ERR_PERMISSION) {
        unblock_fail(a);
        return;
    }
    step_says(a, "%s", e->text);
    step_again(a, unblock_try, AGAIN_MAX_MS);
}

static void on_unblocked(void *data, const struct err *e)
{
    struct action_run *a = data;
    if (!step_landed(a))
        return;
    if (e)
        unblock_again(a, e);
    else
        step_finish(a, NULL, "they may log in again");
}

static void unblock_begin(struct action_run *a, struct db *db)
{
    const struct unblock_work *work = a->work;
    step_begins(a, db_unblock(db, work->limits, ASK_MS, on_unblocked, a));
}

static void unblock_try(void *data)
{
    step_try_database(data, unblock_begin, unblock_again);
}

/* What the block has kept before it acted, in whichever life. */
static const json_t *limits_to_give_back(const struct action_run *a)
{
    const struct action_run *block = step_taker(a);
    return block ? json_at(story_kept(a->run, block->action->id), "limits") : NULL;
}

static void unblock_start(struct action_run *a)
{
    struct unblock_work *work = mem_new(sizeof *work);
    work->limits = limits_to_give_back(a);
    a->work = work;
    if (work->limits)
        unblock_try(a);
    else
        step_finish(a, NULL, "nobody was held off");
}

static bool unblock_deadline(struct action_run *a)
{
    unblock_fail(a);
    return true;
}

const struct step_class step_unblock = {
    .start = unblock_start, .on_deadline = unblock_deadline, .owed = true};
