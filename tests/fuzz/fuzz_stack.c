/* The containers of a project, as the Engine tells of them in a list of inspect answers, made into
 * a model and a plan on it. The plan is read back from what the journal would keep, the same. */
#include "fuzz.h"

#include "base/mem.h"
#include "playbooks/plan.h"

#include <assert.h>
#include <string.h>

static void make_plan(struct playbook *playbook, const struct stack *stack)
{
    struct plan *plan = NULL;
    struct plan *again = NULL;
    struct err e;
    if (plan_make(playbook, stack, &plan, &e) != 0)
        return;
    CLEANUP_JSON json_t *kept = plan_json(plan);
    int status = plan_parse(kept, &again, &e);
    assert(status == 0);
    assert(strcmp(plan->id, again->id) == 0 && plan->action_count == again->action_count);
    plan_unref(again);
    plan_unref(plan);
}

static void build(struct container **containers, size_t count)
{
    static const char *const playbooks[] = {"recover", "restart", "clean", "restart-unhealthy"};
    static struct playbook_set *set;
    struct stack *stack = NULL;
    struct err e;
    set = set ? set : playbook_set_new();
    if (stack_build("fuzz", containers, count, NULL, NULL, &stack, &e) != 0)
        return;
    json_decref(stack_json(stack));
    for (size_t i = 0; i < ARRAY_SIZE(playbooks); i++)
        make_plan(playbook_set_find(set, playbooks[i]), stack);
    stack_unref(stack);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { CONTAINERS_MAX = 32 };
    struct container *containers[CONTAINERS_MAX];
    size_t count = 0;
    struct err e;
    CLEANUP_JSON json_t *list = json_parse((const char *)data, size, "fuzz", &e);
    for (size_t i = 0; i < json_array_size(list) && count < CONTAINERS_MAX; i++) {
        containers[count] = container_from_json(json_array_get(list, i), &e);
        count += containers[count] != NULL;
    }
    build(containers, count);
    for (size_t i = 0; i < count; i++)
        container_unref(containers[i]);
    return 0;
}
