/* Stop a container and see how it ended.
 *
 * The Engine's answer comes only after the exit, and a client that hangs up can turn a gentle stop
 * into a kill (engines 23.0.0-23.0.6, 24.0.0-24.0.2), so the call is never cancelled: neither by an
 * abort nor by the daemon's own end. */
#include "playbooks/run_private.h"

enum { INSPECT_MS = 5000, KILLED = 128 + 9 };

static void stop_begin(void *data);

static void on_inspected(void *data, const struct err *e, struct container *c)
{
    struct action_run *a = data;
    if (!step_landed(a))
        return;
    char took[DURATION_MAX];
    int64_t took_ms = loop_now(a->run->loop) - a->started_ms;
    duration_text(took_ms, took);
    if (e) {
        step_finish(a, NULL, "stopped in %s", took);
        return;
    }
    json_t *detail =
        json_pack("{s:i, s:b}", "exit_code", c->exit_code, "oom_killed", c->oom_killed);
    bool is_killed = c->exit_code == KILLED && !c->oom_killed;
    if (is_killed && took_ms >= (int64_t)a->action->grace_s * 1000)
        step_finish(a, detail, "killed after its grace of %ds (%s)", a->action->grace_s, took);
    else
        step_finish(a, detail, "stopped in %s, exit code %d", took, c->exit_code);
}

static void on_stopped(void *data, const struct err *e, bool changed)
{
    struct action_run *a = data;
    if (!step_landed(a) || step_awaits_engine(a, e, stop_begin))
        return;
    if (e && e->code == ERR_NOT_FOUND) {
        run_note(a->run, "%s was removed while the run was under way", a->action->container);
        step_finish(a, NULL, "gone: somebody removed it");
    } else if (e) {
        step_fail(a, e);
    } else if (!changed) {
        step_finish(a, NULL, "was stopped already");
    } else {
        step_begins(a, docker_inspect(runner_docker(a->run->runner), a->action->container_id,
                                      INSPECT_MS, on_inspected, a));
    }
}

static void stop_begin(void *data)
{
    struct action_run *a = data;
    step_says(a, "stopping, %ds to end", a->action->grace_s);
    if (a->action->database)
        reach_rest_lifeline(runner_reach(a->run->runner));
    docker_stop(runner_docker(a->run->runner), a->action->container_id, a->action->signal,
                a->action->grace_s, on_stopped, a);
    step_begins(a, 0); /* no operation to cancel: it is let end */
}

static void stop_start(struct action_run *a)
{
    /* docker_stop has the deadline that counts; ours stands behind it. */
    enum { BEHIND_MS = 5000 };
    step_extend(a, a->action->timeout_ms + BEHIND_MS);
    stop_begin(a);
}

const struct step_class step_stop = {.start = stop_start, .patient = true};
