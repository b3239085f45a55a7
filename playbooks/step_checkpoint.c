/* CHECKPOINT before a planned shutdown: what it writes now, the shutdown need not write while every
 * login is refused. It may fail without harm (no right to it, no way in). */
#include "base/fault_point.h"
#include "playbooks/run_private.h"

static void on_checkpoint(void *data, const struct err *e)
{
    struct action_run *a = data;
    char took[DURATION_MAX];
    FAULT_POINT("postgres.checkpointed");
    if (!step_landed(a))
        return;
    if (e)
        step_fail(a, e);
    else
        step_finish(a, NULL, "done in %s",
                    duration_text(loop_now(a->run->loop) - a->started_ms, took));
}

static void checkpoint_begin(struct action_run *a, struct db *db)
{
    step_says(a, "writing what is dirty");
    FAULT_POINT("postgres.checkpoint");
    step_begins(a, db_checkpoint(db, step_left_ms(a), on_checkpoint, a));
}

static void checkpoint_start(struct action_run *a)
{
    step_with_database(a, checkpoint_begin);
}

const struct step_class step_checkpoint = {.start = checkpoint_start};
