/* RESUME of a pooler that the run has paused, over a connection of its own: the one that paused it
 * may still wait there, or be gone with an earlier life of the daemon.
 *
 * It is owed: clients that wait for ever are worse than clients that fail. So it is tried until it
 * is done or its time is over. */
#include "base/mem.h"
#include "playbooks/run_private.h"

#include <string.h>

enum { RESUME_MS = 5000, AGAIN_MAX_MS = 1000 };

static void resume_try(void *data);

static void resume_again(struct action_run *a, const struct err *e)
{
    if (e->code == ERR_PERMISSION) {
        step_fail(a, e);
        return;
    }
    step_says(a, "%s", e->text);
    step_again(a, resume_try, AGAIN_MAX_MS);
}

static void on_resumed(void *data, const struct err *e, bool changed)
{
    struct action_run *a = data;
    char waited[DURATION_MAX];
    if (!step_landed(a))
        return;
    const struct action_run *pause = step_taker(a);
    if (e) {
        resume_again(a, e);
    } else if (changed && pause && pause->started_ms) {
        step_finish(a, NULL, "its clients go on, after %s",
                    duration_text(loop_now(a->run->loop) - pause->started_ms, waited));
    } else {
        step_finish(a, NULL, changed ? "its clients go on" : "was not paused any more");
    }
}

static void resume_begin(struct action_run *a, struct pooler *pooler)
{
    if (pooler)
        step_begins(a, pooler_resume(pooler, RESUME_MS, on_resumed, a));
    else
        step_finish(a, NULL, "does not run: nobody waits there");
}

static void resume_try(void *data)
{
    step_try_pooler(data, resume_begin, resume_again);
}

/* It was not let in, or its address is not known, the first and only time: PAUSE was never sent.
 * Any other failure may have come behind it, and to RESUME what is not paused does no harm. */
static bool never_paused(const struct action_run *a, const char *pause)
{
    static const char *const before[] = {"permission", "invalid", "not-found", "unsupported"};
    const json_t *failed = story_last(a->run, pause, "failed");
    if (!failed || story_times_begun(a->run, pause) > 1)
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(before); i++)
        if (strcmp(json_text_at(failed, "error/code", ""), before[i]) == 0)
            return true;
    return false;
}

/* Why there is nothing to resume, or NULL. */
static const char *why_not(const struct action_run *a)
{
    const struct action_run *pause = step_taker(a);
    if (!pause)
        return NULL;
    const char *id = pause->action->id;
    const json_t *done = story_last(a->run, id, "done");
    if (done && json_bool_at(done, "detail/was_paused", false))
        return "left paused, as it was before the run";
    if (!done && never_paused(a, id))
        return "was not paused";
    return NULL;
}

static void resume_start(struct action_run *a)
{
    const char *why = why_not(a);
    if (why)
        step_finish(a, NULL, "%s", why);
    else
        resume_try(a);
}

const struct step_class step_resume = {.start = resume_start, .owed = true};
