/* The stack is the runner's while a run is at work: see stack_lock.h. A run that is asked for is
 * refused beside another supervisor's; one of an earlier life, which may have stopped something, is
 * not given up for that. */
#include "base/log.h"
#include "base/mem.h"
#include "playbooks/runner_private.h"
#include "playbooks/stack_lock.h"

enum { AGAIN_MS = 1000, PATIENCE_MS = 120000 };

static int take(struct runner *runner, const char *database, const char *project, struct err *e)
{
    const struct stack_lock_name name = {.scope = runner->lock_scope,
                                         .database = database,
                                         .project = project,
                                         .docker_host = docker_host(runner->docker)};
    if (!runner->lock_scope || runner->lock_fd >= 0)
        return 0;
    return stack_lock_take(&name, &runner->lock_fd, e);
}

void runner__unlock(struct runner *runner)
{
    runner->lock_again = timer_free(runner->lock_again);
    if (runner->lock_fd >= 0)
        close(runner->lock_fd);
    runner->lock_fd = -1;
}

int runner__lock(struct runner *runner, const struct stack *stack, struct err *e)
{
    const struct stack_service *database = stack->database;
    const char *id = database->container_count > 0 ? database->containers[0]->id : NULL;
    int status = take(runner, id, stack->project, e);
    if (status == 0 || e->code == ERR_CONFLICT)
        return status;
    /* Nothing here is worth a stack that stays down. */
    log_err(LOG_LEVEL_WARNING, stack->project, e);
    err_clear(e);
    return 0;
}

/* --- a run of an earlier life ----------------------------------------------------------------- */

/* What another supervisor made of the stack meanwhile nobody here knows, so the plan no longer
 * fits: the rest of it might take down once more what the other has just brought back. What is owed
 * is owed all the same, even if the other does not come to its end: starts, which harm nobody who
 * starts the same. */
static void come_late(struct runner *runner)
{
    runner->lock_again = timer_free(runner->lock_again);
    run_comes_late(runner->run);
}

static void on_again(void *data)
{
    struct runner *runner = data;
    struct run *run = runner->run;
    struct err e;
    if (run->draining)
        return;
    int status = take(runner, run->database_id, run->plan->project, &e);
    if (status != 0 && e.code == ERR_CONFLICT && loop_now(runner->loop) < runner->lock_until_ms) {
        timer_start(runner->lock_again, AGAIN_MS);
        return;
    }
    if (status != 0)
        run_note(run, "%s; what is owed is started all the same", e.text);
    come_late(runner);
}

/* Marked for a later life: by then the other may be gone, and what it made of the stack is there.
 */
static void note_held(struct run *run, const struct err *e, const char *limit)
{
    CLEANUP_FREE char *text =
        mem_printf("%s: its end is waited for, %s at the most", e->text, limit);
    log_warning("run %lld: %s", (long long)run->id, text);
    json_t *entry = json_object();
    json_set_text(entry, "type", "note");
    json_set_text(entry, "text", text);
    json_set_bool(entry, "held", true);
    story_add(run, entry);
}

void runner__lock_give_up(struct runner *runner)
{
    if (!runner->run->held)
        return;
    runner->lock_again = timer_free(runner->lock_again);
    runner->run->held = false;
    run_turn(runner->run);
}

void runner__lock_resumed(struct runner *runner)
{
    struct run *run = runner->run;
    struct err e;
    char limit[DURATION_MAX];
    int64_t patience_ms = runner->lock_patience_ms ? runner->lock_patience_ms : PATIENCE_MS;
    if (take(runner, run->database_id, run->plan->project, &e) == 0)
        return;
    if (e.code != ERR_CONFLICT) {
        run_note(run, "%s", e.text);
        return;
    }
    run->held = true;
    note_held(run, &e, duration_text(patience_ms, limit));
    runner->lock_until_ms = loop_now(runner->loop) + patience_ms;
    runner->lock_again = timer_new(runner->loop, on_again, runner);
    timer_start(runner->lock_again, patience_ms < AGAIN_MS ? patience_ms : AGAIN_MS);
}
