/* Plans: of a playbook and the stack as it is now. Reads the stack by docker/, asks nobody else.
 * See runner.h for runner_plan(), runner_private.h for the rest. */
#include "base/mem.h"
#include "playbooks/runner_private.h"

/* A plan that was asked for, to be shown. */
struct planning {
    struct planning *next;
    struct runner *runner; /* NULL: gone meanwhile */
    char *playbook;
    json_t *options;
    runner_plan_fn done;
    void *data;
};

int runner__refuse_stopping(struct err *e)
{
    return err_set(e, ERR_REFUSED, "the supervisor is stopping");
}

struct playbook *runner__find_playbook(const struct runner *runner, const char *name,
                                       const json_t *options, struct err *e)
{
    struct playbook *playbook = playbook_set_find(runner->playbooks, name);
    err_clear(e);
    if (!playbook) {
        const char *meant = playbook_set_nearest(runner->playbooks, name);
        err_set(e, ERR_NOT_FOUND, "there is no playbook '%s'", name);
        if (meant)
            err_hint(e, "did you mean '%s'?", meant);
        else
            err_hint(e, "supervisorctl playbooks lists them");
        return NULL;
    }
    return json_object_size(options) > 0 ? playbook_with_options(playbook, options, e)
                                         : playbook_ref(playbook);
}

int runner__make_plan(struct runner *runner, const char *playbook_name, const json_t *options,
                      struct stack *stack, struct plan **ret, struct err *e)
{
    struct playbook *playbook = runner__find_playbook(runner, playbook_name, options, e);
    if (!playbook)
        return -(int)e->code;
    if (stack->database->container_count > 0)
        runner_aim(runner, stack->database->containers[0], NULL);
    int status = plan_make(playbook, stack, ret, e);
    playbook_unref(playbook);
    return status;
}

/* --- a plan to be shown ----------------------------------------------------------------------- */

void runner__abandon_plannings(struct runner *runner)
{
    for (struct planning *planning = runner->plannings; planning; planning = planning->next)
        planning->runner = NULL;
}

static void planning_leave(struct planning *planning)
{
    struct planning **at = planning->runner ? &planning->runner->plannings : NULL;
    while (at && *at != planning)
        at = &(*at)->next;
    if (at)
        *at = planning->next;
}

static void on_plan_stack(void *data, const struct err *e, struct stack *stack)
{
    struct planning *planning = data;
    struct plan *plan = NULL;
    struct err failure;
    planning_leave(planning);
    if (e) {
        failure = *e;
        docker_hint_silence(&failure);
    } else if (!planning->runner) {
        runner__refuse_stopping(&failure);
    } else if (plan_check_names(planning->options, stack, &failure) == 0 &&
               runner__make_plan(planning->runner, planning->playbook, planning->options, stack,
                                 &plan, &failure) == 0) {
        err_clear(&failure);
    }
    planning->done(planning->data, plan ? NULL : &failure, plan);
    plan_unref(plan);
    free(planning->playbook);
    json_decref(planning->options);
    free(planning);
}

void runner_plan(struct runner *runner, const char *playbook, const json_t *options,
                 runner_plan_fn done, void *data)
{
    struct planning *planning = mem_new(sizeof *planning);
    planning->runner = runner;
    planning->playbook = mem_strdup(playbook);
    planning->options = json_deep_copy(options);
    planning->done = done;
    planning->data = data;
    planning->next = runner->plannings;
    runner->plannings = planning;
    stack_load(runner->docker, runner->selector, STACK_LOAD_MS, on_plan_stack, planning);
}
