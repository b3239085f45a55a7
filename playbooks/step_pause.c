/* PAUSE of a pooler: its clients wait, and none of them fails, while the server behind it is away.
 *
 * It holds at once; what is waited for is the end of the transactions that are open. When some are
 * still open after the step's time the pause holds all the same and the run goes on: what follows
 * ends them, or does not need them gone. Only a console that is not reached, or that does not let
 * us, is a failure.
 *
 * A pooler that somebody had paused before is left as it was: resume is told by our result. */
#include "playbooks/run_private.h"

enum { LOOK_MS = 3000, LOGIN_MS = 10000 };

static void pause_done(struct action_run *a, const struct pooler_pause *pause)
{
    char took[DURATION_MAX];
    char patience[DURATION_MAX];
    /* Begun twice: it was an earlier life of ours that paused it. */
    bool foreign = !pause->changed && story_times_begun(a->run, a->action->id) == 1;
    json_t *detail = json_object();
    json_set_bool(detail, "was_paused", foreign);
    duration_text(loop_now(a->run->loop) - a->started_ms, took);
    if (foreign) {
        run_note(a->run, "%s was paused already: it is left paused at the end",
                 a->action->container);
        step_finish(a, detail, "was paused already");
    } else if (pause->patience_ms > 0) {
        step_finish(a, detail, "paused in %s; a client waits %s at the most (query_wait_timeout)",
                    took, duration_text(pause->patience_ms, patience));
    } else {
        step_finish(a, detail, "paused in %s", took);
    }
}

static void on_looked(void *data, const struct err *e, const struct pooler_state *state)
{
    struct action_run *a = data;
    char waited[DURATION_MAX];
    if (!step_landed(a))
        return;
    if (e) {
        step_fail(a, e);
        return;
    }
    step_finish(a, NULL, "no new transactions begin; %d still open after %s%s",
                state->servers_active,
                duration_text(loop_now(a->run->loop) - a->started_ms, waited),
                state->has_session_mode ? " (in session mode: clients that stay connected)" : "");
}

static void on_paused(void *data, const struct err *e, const struct pooler_pause *pause)
{
    struct action_run *a = data;
    if (!step_landed(a))
        return;
    if (!e)
        pause_done(a, pause);
    else if (e->code == ERR_TIMEOUT)
        step_begins(a, pooler_look(a->pooler, LOOK_MS, on_looked, a));
    else
        step_fail(a, e);
}

static void pause_begin(struct action_run *a, struct pooler *pooler)
{
    if (!pooler) {
        step_finish(a, NULL, "does not run: nobody waits there");
        return;
    }
    step_says(a, "no new transactions begin; waiting for the open ones");
    step_begins(a, pooler_pause(pooler, a->action->timeout_ms, on_paused, a));
}

static void pause_start(struct action_run *a)
{
    /* The time is the open transactions'; ours stands behind it. */
    step_extend(a, a->action->timeout_ms + LOGIN_MS);
    step_with_pooler(a, pause_begin);
}

const struct step_class step_pause = {.start = pause_start};
