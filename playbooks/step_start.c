/* Start a container that the run stopped, and see that it runs.
 *
 * The Engine answers "already running" (304) also to a start that comes while a stop is still under
 * way, and the start is lost then; and for a container that waits in its restart policy's back-off,
 * where nothing runs. So a 304 is believed only when the stop is known to have ended, or when it
 * has been waited for as long as any stop of this container may take; and what does not run after a
 * 304 was not started: once more. */
#include "base/mem.h"
#include "playbooks/run_private.h"

#include <string.h>

enum { START_MS = 60000, INSPECT_MS = 5000, STOP_TAIL_MS = 25000, AGAIN_MAX_MS = 1000 };

struct start_work {
    bool changed; /* the Engine started it: it was not running */
    bool unpaused, restarted, waited;
};

static void start_begin(void *data);
static void start_inspect(struct action_run *a);
static void start_look(void *data);
static void on_exited(void *data, const struct err *e, int64_t exit_code);

/* The stop of the same container in this run has an answer: it is not under way any more. */
static bool stop_is_over(const struct action_run *a)
{
    const struct run *run = a->run;
    for (size_t i = 0; i < run->plan->action_count; i++) {
        const struct action_run *other = &run->actions[i];
        if (other->action->kind == ACTION_STOP &&
            strcmp(other->action->container_id, a->action->container_id) == 0 &&
            other->state != ACTION_DONE && other->state != ACTION_SKIPPED)
            return false;
    }
    return true;
}

/* The grace is the stop's; beyond it the Engine itself may need a while. */
static int64_t stop_ms(const struct action_run *a)
{
    const struct action_run *stop = step_taker(a);
    return (stop ? (int64_t)stop->action->grace_s * 1000 : 0) + STOP_TAIL_MS;
}

static void start_behind_stop(struct action_run *a, const struct container *c)
{
    char limit[DURATION_MAX];
    step_says(a, "a stop may still be under way; waiting for its end, %s at the most",
              duration_text(stop_ms(a), limit));
    step_extend(a, stop_ms(a) + START_MS);
    step_begins(a, docker_wait(runner_docker(a->run->runner), c->id, stop_ms(a), on_exited, a));
}

static void on_exited(void *data, const struct err *e, int64_t exit_code)
{
    struct action_run *a = data;
    struct start_work *work = a->work;
    (void)exit_code;
    work->waited = true;
    if (!step_landed(a) || step_awaits_engine(a, e, start_begin))
        return;
    /* It did not exit in time: no stop is under way after all, and it runs. */
    if (e)
        start_inspect(a);
    else
        start_begin(a);
}

static void on_unpaused(void *data, const struct err *e)
{
    struct action_run *a = data;
    if (!step_landed(a) || step_awaits_engine(a, e, start_begin))
        return;
    start_begin(a);
}

static void on_restarted(void *data, const struct err *e, bool changed)
{
    struct action_run *a = data;
    (void)changed;
    if (!step_landed(a) || step_awaits_engine(a, e, start_begin))
        return;
    if (e)
        step_fail(a, e);
    else
        start_inspect(a);
}

static void start_judge(struct action_run *a, const struct container *c)
{
    struct start_work *work = a->work;
    struct docker *docker = runner_docker(a->run->runner);
    if (c->state == CONTAINER_RESTARTING && !work->restarted) {
        work->restarted = true;
        step_begins(a, docker_restart(docker, c->id, a->action->grace_s, on_restarted, a));
    } else if (c->state == CONTAINER_RUNNING && !stop_is_over(a) && !work->waited) {
        start_behind_stop(a, c);
    } else if (container_is_up(c)) {
        step_finish(a, NULL, work->changed || work->restarted ? "started" : "was running already");
    } else if (!work->changed && !work->restarted) {
        step_again(a, start_begin, AGAIN_MAX_MS); /* a stop has ended behind the 304 */
    } else if (c->exit_code == 0) {
        step_finish(a, NULL, "ran and ended with exit code 0");
    } else {
        struct err e;
        err_set(&e, ERR_FAILED, "start %s: it ended at once with exit code %d%s%s", c->name,
                c->exit_code, *c->error ? ": " : "", c->error);
        err_hint(&e, "docker logs %s", c->name);
        step_fail(a, &e);
    }
}

static void on_inspected(void *data, const struct err *e, struct container *c)
{
    struct action_run *a = data;
    if (!step_landed(a) || step_awaits_engine(a, e, start_begin) ||
        step_asks_again(a, e, start_look))
        return;
    if (e)
        step_fail(a, e);
    else
        start_judge(a, c);
}

static void start_look(void *data)
{
    start_inspect(data);
}

static void start_inspect(struct action_run *a)
{
    step_begins(a, docker_inspect(runner_docker(a->run->runner), a->action->container_id,
                                  INSPECT_MS, on_inspected, a));
}

static void on_started(void *data, const struct err *e, bool changed)
{
    struct action_run *a = data;
    struct start_work *work = a->work;
    work->changed = work->changed || changed;
    if (!step_landed(a) || step_awaits_engine(a, e, start_begin))
        return;
    if (!e) {
        start_inspect(a);
    } else if (e->code == ERR_CONFLICT && strstr(e->text, "paused") && !work->unpaused) {
        work->unpaused = true; /* what ran before runs after: somebody froze it meanwhile */
        step_begins(a, docker_unpause(runner_docker(a->run->runner), a->action->container_id,
                                      START_MS, on_unpaused, a));
    } else {
        struct err failure = *e;
        if (e->code == ERR_NOT_FOUND)
            err_hint(&failure, "it was removed meanwhile: docker-compose up -d %s makes it anew",
                     a->action->service);
        step_fail(a, &failure);
    }
}

static void start_begin(void *data)
{
    struct action_run *a = data;
    step_says(a, "starting");
    step_begins(a, docker_start(runner_docker(a->run->runner), a->action->container_id, START_MS,
                                on_started, a));
}

static void start_start(struct action_run *a)
{
    a->work = mem_new(sizeof(struct start_work));
    step_pass_gate(a, start_begin);
}

const struct step_class step_start = {.start = start_start, .owed = true, .patient = true};
