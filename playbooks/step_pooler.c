/* What the steps that ask a pooler's console share: finding it. The stack is looked at each time,
 * as the pooler may have another address by now, and a run that is carried on knows none at all.
 * See step_with_pooler in run_private.h. */
#include "playbooks/run_private.h"

enum { LOAD_MS = 5000 };

static void find_pooler(void *data);

static void no_pooler(struct action_run *a, const struct err *e)
{
    if (a->without_pooler)
        a->without_pooler(a, e);
    else
        step_fail(a, e);
}

static void pooler_found(struct action_run *a, const struct stack *stack)
{
    const struct container *c = stack_container(stack, a->action->container_id);
    const struct stack_service *database = stack->database;
    struct err failure;
    a->pooler = pooler_free(a->pooler);
    if (!c)
        c = stack_container(stack, a->action->container); /* somebody made it anew */
    if (!c || c->state != CONTAINER_RUNNING) {
        a->with_pooler(a, NULL);
        return;
    }
    if (reach_pooler(runner_reach(a->run->runner), c,
                     database->container_count ? database->containers[0] : NULL, &a->pooler,
                     &failure) == 0)
        a->with_pooler(a, a->pooler);
    else
        no_pooler(a, &failure);
}

static void on_loaded(void *data, const struct err *e, struct stack *stack)
{
    struct action_run *a = data;
    if (!step_landed(a) || step_awaits_engine(a, e, find_pooler))
        return;
    if (e)
        no_pooler(a, e);
    else
        pooler_found(a, stack);
}

static void find_pooler(void *data)
{
    struct action_run *a = data;
    step_begins(a, run_load_stack(a->run, LOAD_MS, on_loaded, a));
}

void step_with_pooler(struct action_run *a,
                      void (*then)(struct action_run *a, struct pooler *pooler))
{
    step_try_pooler(a, then, NULL);
}

void step_try_pooler(struct action_run *a,
                     void (*then)(struct action_run *a, struct pooler *pooler),
                     void (*otherwise)(struct action_run *a, const struct err *e))
{
    a->with_pooler = then;
    a->without_pooler = otherwise;
    find_pooler(a);
}
