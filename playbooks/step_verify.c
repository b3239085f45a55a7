/* Did it help? The conditions of the step must hold, and go on holding for its time.
 *
 * Health is told by the Engine's events (an event starts a new look); utilisation has no event and
 * is asked for once a second while it is waited for. */
#include "base/mem.h"
#include "playbooks/run_private.h"

#include <string.h>

enum { LOOK_MS = 5000, LOOK_AGAIN_MS = 1000 };

struct verify_work {
    int64_t good_since_ms; /* 0: the conditions do not hold */
    bool looking;
    char missing[200];
};

static void verify_look(void *data);

/* The first container of the run that is not as it should be; NULL when all are. Only what ran
 * before is looked at, or only what the run has moved: others are none of its business. */
static const struct container *find_sick(const struct action_run *a, const struct stack *stack)
{
    for (size_t s = 0; s < stack->service_count; s++) {
        const struct stack_service *service = &stack->services[s];
        for (size_t i = 0; service->role != ROLE_IGNORE && i < service->container_count; i++) {
            const struct container *c = service->containers[i];
            bool ours = !a->action->step->selected_healthy && container_is_up(c) &&
                        c->state != CONTAINER_PAUSED;
            for (size_t k = 0; k < a->run->plan->action_count; k++) {
                const struct action *action = &a->run->plan->actions[k];
                ours |= action->kind == ACTION_STOP && strcmp(action->container_id, c->id) == 0;
            }
            bool well = c->state == CONTAINER_RUNNING &&
                        (!c->has_healthcheck || c->health == HEALTH_HEALTHY);
            if (ours && !well && !settle_has_finished(a->run, c))
                return c;
        }
    }
    return NULL;
}

static void verify_good(struct action_run *a)
{
    struct verify_work *work = a->work;
    int64_t now = loop_now(a->run->loop);
    int64_t hold_ms = a->action->step->hold_ms;
    if (!work->good_since_ms)
        work->good_since_ms = now;
    int64_t left_ms = work->good_since_ms + hold_ms - now;
    char hold[DURATION_MAX];
    duration_text(hold_ms, hold);
    if (left_ms <= 0) {
        a->own_ms = work->good_since_ms - a->started_ms + hold_ms;
        step_finish(a, NULL, "holds for %s", hold);
        return;
    }
    step_says(a, "good; watching for %s", hold);
    step_calm(a);
    step_again(a, verify_look, 0);
    timer_start(a->again, left_ms < LOOK_AGAIN_MS ? left_ms : LOOK_AGAIN_MS);
}

static void verify_bad(struct action_run *a, const char *missing)
{
    struct verify_work *work = a->work;
    work->good_since_ms = 0;
    snprintf(work->missing, sizeof work->missing, "%.*s", (int)sizeof work->missing - 1, missing);
    step_says(a, "%s", missing);
    step_again(a, verify_look, LOOK_AGAIN_MS);
}

static void on_activity(void *data, const struct err *e, const struct db_activity *activity)
{
    struct action_run *a = data;
    struct verify_work *work = a->work;
    work->looking = false;
    if (!step_landed(a))
        return;
    double limit = a->action->step->utilization_below;
    CLEANUP_FREE char *missing = NULL;
    if (e)
        missing = mem_strdup(e->text);
    else if (db_activity_utilization(activity) >= limit)
        missing = mem_printf("connections at %.0f%%, not below %.0f%%",
                             db_activity_utilization(activity) * 100, limit * 100);
    if (missing)
        verify_bad(a, missing);
    else
        verify_good(a);
}

static void verify_connections(struct action_run *a, const struct stack *stack)
{
    struct verify_work *work = a->work;
    struct reach *reach = runner_reach(a->run->runner);
    struct err failure;
    if (a->action->step->utilization_below < 0) {
        work->looking = false;
        verify_good(a);
    } else if (run_aim(a->run, stack, &failure) != 0) {
        work->looking = false;
        verify_bad(a, failure.text);
    } else {
        step_begins(a, db_activity(reach_db(reach), LOOK_MS, on_activity, a));
    }
}

/* Waiting cannot help where nothing will start it any more. */
static void verify_hopeless(struct action_run *a, const struct container *sick)
{
    struct err e;
    err_set(&e, ERR_FAILED, "not verified: %s is %s, exit code %d", sick->name,
            container_state_name(sick->state), sick->exit_code);
    err_hint(&e, "docker logs %s", sick->name);
    step_fail(a, &e);
}

static void on_loaded(void *data, const struct err *e, struct stack *stack)
{
    struct action_run *a = data;
    struct verify_work *work = a->work;
    const struct container *sick = NULL;
    if (!step_landed(a)) {
        work->looking = false;
        return;
    }
    if (!e && (a->action->step->services_healthy || a->action->step->selected_healthy))
        sick = find_sick(a, stack);
    if (sick && step_is_over(sick)) {
        work->looking = false;
        verify_hopeless(a, sick);
        return;
    }
    if (e || sick) {
        work->looking = false;
        CLEANUP_FREE char *missing =
            e ? mem_strdup(e->text)
              : mem_printf("%s is %s", sick->name,
                           sick->state != CONTAINER_RUNNING ? container_state_name(sick->state)
                                                            : container_health_name(sick->health));
        verify_bad(a, missing);
        return;
    }
    verify_connections(a, stack);
}

static void verify_look(void *data)
{
    struct action_run *a = data;
    struct verify_work *work = a->work;
    if (work->looking)
        return;
    work->looking = true;
    step_begins(a, run_load_stack(a->run, LOOK_MS, on_loaded, a));
}

static void verify_event(struct action_run *a, const struct docker_event *event)
{
    (void)event;
    verify_look(a);
}

static void verify_start(struct action_run *a)
{
    a->work = mem_new(sizeof(struct verify_work));
    verify_look(a);
}

static bool verify_deadline(struct action_run *a)
{
    const struct verify_work *work = a->work;
    struct err e;
    char limit[DURATION_MAX];
    err_set(&e, ERR_FAILED, "not verified within %s: %s",
            duration_text(a->action->timeout_ms, limit),
            *work->missing ? work->missing : "the conditions did not hold long enough");
    step_fail(a, &e);
    return true;
}

const struct step_class step_verify = {
    .start = verify_start, .on_event = verify_event, .on_deadline = verify_deadline};
