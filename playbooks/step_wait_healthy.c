/* Wait until a container is healthy.
 *
 * Event-driven: the Engine tells each change of health. Each event is confirmed by an inspect, as
 * labels may forge what an event says; a slow look of our own stands behind it for engines that do
 * not send the event. A container without a health check is judged by running at all.
 *
 * An Engine with live-restore may forget the health checks of running containers when it is
 * restarted (https://github.com/moby/moby/issues/41871; seen with 20.10): the wait is in vain then,
 * which is told. */
#include "base/mem.h"
#include "playbooks/run_private.h"

#include <string.h>

enum { INSPECT_MS = 5000, LOOK_ANYWAY_MS = 5000 };

/* When its last check was seen to have ended, by the loop's clock: the engine's may be wrong. */
struct healthy_work {
    int64_t checked_ns, started_ns;
    int64_t seen_ms;
    int64_t check_ms; /* one ends within so long */
    bool told;
};

static void healthy_look(void *data);

bool step_is_over(const struct container *c)
{
    bool down = c->state == CONTAINER_EXITED || c->state == CONTAINER_DEAD ||
                c->state == CONTAINER_CREATED || c->state == CONTAINER_REMOVING;
    return down && (strcmp(c->restart_policy, "no") == 0 || !*c->restart_policy ||
                    c->state == CONTAINER_CREATED);
}

static void fail_over(struct action_run *a, const struct container *c)
{
    struct err e;
    err_set(&e, ERR_FAILED, "%s is not running (%s, exit code %d)%s%s", c->name,
            container_state_name(c->state), c->exit_code, *c->error ? ": " : "", c->error);
    err_hint(&e, "docker logs %s", c->name);
    step_fail(a, &e);
}

/* For how long no check has ended. */
static int64_t silent_ms(struct action_run *a, const struct container *c)
{
    struct healthy_work *work = a->work;
    int64_t now_ms = loop_now(a->run->loop);
    work->check_ms = c->health_interval_ms + c->health_timeout_ms;
    if (c->state != CONTAINER_RUNNING || c->checked_ns != work->checked_ns ||
        c->started_ns != work->started_ns || !work->seen_ms) {
        work->checked_ns = c->checked_ns;
        work->started_ns = c->started_ns;
        work->seen_ms = now_ms;
    }
    return now_ms - work->seen_ms;
}

static void tell_silence(struct action_run *a, int64_t ms)
{
    struct healthy_work *work = a->work;
    const char *name = a->action->container;
    char silent[DURATION_MAX];
    step_says(a, "running; the Engine runs no health check of it: docker restart %s", name);
    if (!work->told)
        run_note(a->run,
                 "no health check of %s has ended for %s: an Engine with live-restore may forget "
                 "them when it is restarted; docker restart %s brings them back",
                 name, duration_text(ms, silent), name);
    work->told = true;
}

static void tell_state(struct action_run *a, const struct container *c)
{
    /* What the last probe said is what a person would look for; before the first failure in this
     * life of the container it is an earlier life's. */
    size_t shown = c->failing_streak > 0 ? strcspn(c->health_output, "\r\n") : 0;
    step_says(a, "%s, %s%s%.*s",
              c->state == CONTAINER_RUNNING ? "running" : container_state_name(c->state),
              container_health_name(c->health), shown ? ": " : "", (int)(shown > 80 ? 80 : shown),
              c->health_output);
}

static void healthy_judge(struct action_run *a, const struct container *c)
{
    char took[DURATION_MAX];
    duration_text(loop_now(a->run->loop) - a->started_ms, took);
    if (c->state == CONTAINER_RUNNING && c->health == HEALTH_HEALTHY) {
        step_finish(a, NULL, "healthy after %s", took);
    } else if (c->state == CONTAINER_RUNNING && !c->has_healthcheck) {
        step_finish(a, NULL, "running (it has no health check)");
    } else if (step_is_over(c)) {
        fail_over(a, c);
    } else {
        int64_t silent = silent_ms(a, c); /* which is seen a look later */
        if (silent > ((struct healthy_work *)a->work)->check_ms + LOOK_ANYWAY_MS)
            tell_silence(a, silent);
        else
            tell_state(a, c);
        step_again(a, healthy_look, LOOK_ANYWAY_MS);
    }
}

static void on_inspected(void *data, const struct err *e, struct container *c)
{
    struct action_run *a = data;
    if (!step_landed(a))
        return;
    if (e) /* nobody has seen meanwhile whether a check has ended */
        ((struct healthy_work *)a->work)->seen_ms = 0;
    if (step_awaits_engine(a, e, healthy_look))
        return;
    if (e && e->code != ERR_TIMEOUT)
        step_fail(a, e);
    else if (e)
        step_again(a, healthy_look, LOOK_ANYWAY_MS);
    else
        healthy_judge(a, c);
}

static void healthy_look(void *data)
{
    struct action_run *a = data;
    if (a->in_flight > 0)
        return; /* its answer is about to come */
    step_begins(a, docker_inspect(runner_docker(a->run->runner), a->action->container_id,
                                  INSPECT_MS, on_inspected, a));
}

static void healthy_event(struct action_run *a, const struct docker_event *event)
{
    if (strcmp(event->id, a->action->container_id) == 0)
        healthy_look(a);
}

static void healthy_start(struct action_run *a)
{
    a->work = mem_new(sizeof(struct healthy_work));
    /* The events tell what changes; the first look tells what is. */
    a->retries = 7; /* no eager polling: events come first */
    healthy_look(a);
}

static void healthy_sync(struct action_run *a)
{
    ((struct healthy_work *)a->work)->seen_ms = 0; /* the stream was lost: the Engine was away */
    healthy_look(a);
}

/* The wait has been in vain: the last chance to say why. */
static bool healthy_deadline(struct action_run *a)
{
    const struct healthy_work *work = a->work;
    int64_t silent = loop_now(a->run->loop) - work->seen_ms;
    if (work->seen_ms && work->check_ms && silent > work->check_ms)
        tell_silence(a, silent);
    return false;
}

const struct step_class step_wait_healthy = {
    .start = healthy_start,
    .on_event = healthy_event,
    .on_sync = healthy_sync,
    .on_deadline = healthy_deadline,
    .owed = true,
};
