/* What a configuration says of services, held against those of the stack that it means. See
 * config.h. Reads the file again, whose places it tells, and asks the Engine on a loop of its own.
 */
#include "supervisor/config_private.h"

#include "base/mem.h"
#include "docker/docker.h"

#include <string.h>

enum { LOOK_MS = 10000 };

/* --- the stack ---------------------------------------------------------------------------------
 */

struct look {
    struct loop *loop;
    struct stack *stack;
    struct err *e;
};

static void on_stack(void *data, const struct err *e, struct stack *stack)
{
    struct look *look = data;
    if (e)
        *look->e = *e;
    else
        look->stack = stack_ref(stack);
    loop_stop(look->loop);
}

/* As it is by itself: with what is configured it might be refused for what is to be found here. */
static struct stack *find_stack(const struct config *config, const char *docker_host, struct err *e)
{
    struct look look = {.loop = loop_new(), .e = e};
    struct docker *docker = NULL;
    const struct docker_options options = {.host = docker_host ? docker_host : config->docker_host};
    const struct stack_selector selector = {.project = config->stack};
    err_clear(e);
    if (docker_new(look.loop, &options, &docker, e) == 0) {
        stack_load(docker, &selector, LOOK_MS, on_stack, &look);
        loop_run(look.loop);
        docker_free(docker);
    }
    loop_free(look.loop);
    return look.stack;
}

/* --- holding -----------------------------------------------------------------------------------
 */

struct holding {
    const struct config *config;
    const struct stack *stack;
    struct diag_list *diags;
};

static void complain(const struct holding *h, int line, int column, const char *what,
                     const char *name)
{
    const char *nearest = stack_nearest_service(h->stack, name);
    if (nearest)
        diag_add(h->diags, line, column, "%s: no service '%s' in stack %s; did you mean '%s'?",
                 what, name, h->stack->project, nearest);
    else
        diag_add(h->diags, line, column, "%s: no service '%s' in stack %s", what, name,
                 h->stack->project);
}

/* A service that has been taken down may well be configured still: only what resembles one of the
 * stack's is a slip of the pen. (For stack_build() that is a note: a stack must be recovered.) */
static void hold_loosely(const struct holding *h, const struct yaml_node *node, const char *what)
{
    const char *name = node->kind == YAML_TEXT ? node->text : NULL;
    if (name && !stack_service(h->stack, name) && stack_nearest_service(h->stack, name))
        complain(h, node->line, node->column, what, name);
}

static void hold_services(const struct holding *h, const struct yaml_node *services)
{
    for (size_t i = 0; services && i < services->count; i++) {
        hold_loosely(h, services->keys[i], "services");
        const struct yaml_node *depends_on = yaml_get(services->items[i], "depends_on");
        for (size_t k = 0; depends_on && k < depends_on->count; k++)
            hold_loosely(h,
                         depends_on->kind == YAML_MAP ? depends_on->keys[k] : depends_on->items[k],
                         "depends_on");
    }
}

static void hold_database(const struct holding *h, const struct yaml_node *database)
{
    const struct yaml_node *service = database ? yaml_get(database, "service") : NULL;
    if (service && !stack_service(h->stack, service->text))
        complain(h, service->line, service->column, "database: service", service->text);
}

/* The file's own alone: the built-in ones name no service. */
static void hold_playbooks(const struct holding *h, const struct yaml_node *playbooks)
{
    for (size_t i = 0; playbooks && i < playbooks->count; i++) {
        const struct playbook *playbook =
            playbook_set_find(h->config->playbooks, playbooks->keys[i]->text);
        for (size_t k = 0; playbook && k < playbook->step_count; k++) {
            const struct step *step = &playbook->steps[k];
            for (size_t n = 0; n < step->service_count; n++)
                if (!stack_service(h->stack, step->services[n]))
                    complain(h, step->service_lines[n], step->service_columns[n],
                             step_kind_name(step->kind), step->services[n]);
        }
    }
}

static void hold_condition(const struct holding *h, const struct condition *condition,
                           const struct yaml_node *place)
{
    const struct observation_kind *kind;
    const char *name;
    for (size_t i = 0; condition && condition_asks(condition, i, &kind, &name); i++) {
        bool of_service = kind->parameter && strcmp(kind->parameter, "service") == 0 && *name;
        if (of_service && !stack_service(h->stack, name) && stack_nearest_service(h->stack, name))
            complain(h, place->line, place->column, kind->name, name);
    }
}

static void hold_policies(const struct holding *h, const struct yaml_node *policies)
{
    for (size_t i = 0; policies && policies->kind == YAML_LIST && i < policies->count; i++) {
        const struct yaml_node *name = yaml_get(policies->items[i], "name");
        const struct yaml_node *when = yaml_get(policies->items[i], "when");
        const struct policy *policy = policy_set_find(h->config->policies, name->text);
        hold_condition(h, policy->when, when ? when : name);
        for (size_t k = 0; k < policy->rung_count; k++)
            hold_condition(h, policy->rungs[k].verify, name);
    }
}

static void hold(const struct config *config, const struct stack *stack,
                 const struct yaml_node *root, struct diag_list *diags)
{
    struct holding h = {.config = config, .stack = stack, .diags = diags};
    hold_services(&h, yaml_get(root, "services"));
    hold_database(&h, yaml_get(root, "database"));
    hold_playbooks(&h, yaml_get(root, "playbooks"));
    hold_policies(&h, yaml_get(root, "policies"));
}

int config_hold_against_stack(const struct config *config, const char *docker_host,
                              char **ret_project, struct diag_list *diags, struct err *e)
{
    struct diag_list unread; /* it was read without a complaint a moment ago */
    size_t len = 0;
    CLEANUP_FREE char *text = config->path ? config__read_file(config->path, &len) : NULL;
    diag_init(diags, config->path, text);
    diag_init(&unread, config->path, NULL);
    struct yaml_node *root = text ? yaml_parse(text, len, &unread) : NULL;
    struct stack *stack = find_stack(config, docker_host, e);
    *ret_project = stack ? mem_strdup(stack->project) : NULL;
    if (stack && root && root->kind == YAML_MAP)
        hold(config, stack, root, diags);
    stack_unref(stack);
    yaml_node_free(root);
    diag_free(&unread);
    return diags->count > 0 ? -(int)ERR_INVALID : 0;
}
