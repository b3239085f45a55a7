/* A run as the journal keeps it, taken up by the next life: its plan, and all its entries. What
 * comes of it can be told. */
#include "fuzz.h"

#include "base/mem.h"
#include "playbooks/run_private.h"

static struct stack *empty_stack(void)
{
    struct stack *stack = mem_new(sizeof *stack);
    stack->references = 1;
    stack->project = mem_strdup("fuzz");
    return stack;
}

static void restore(struct runner *runner, const json_t *record, struct plan *plan)
{
    struct stack *stack = empty_stack();
    struct run *run = run_new(runner, plan, stack, json_text_at(record, "trigger", ""),
                              json_text_at(record, "requester", ""));
    run_restore(run, record);
    json_decref(story_summary(run));
    json_decref(story_own_times(run));
    story_critical_ms(run);
    for (size_t i = 0; i < plan->action_count; i++) {
        story_last(run, plan->actions[i].id, "done");
        story_times_begun(run, plan->actions[i].id);
        step_taker(&run->actions[i]);
    }
    run_free(run);
    stack_unref(stack);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct runner *runner;
    struct plan *plan = NULL;
    struct err e;
    if (!runner)
        runner = runner_new(&(struct runner_options){.loop = loop_new()});
    CLEANUP_JSON json_t *record = json_parse((const char *)data, size, "fuzz", &e);
    if (json_is_object(record) && plan_parse(json_at(record, "plan"), &plan, &e) == 0) {
        restore(runner, record, plan);
        plan_unref(plan);
    }
    return 0;
}
