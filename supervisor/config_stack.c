/* What a configuration says of services, held against those of the stack that it means. See
 * config.h. Reads the file again, whose places it tells, and asks the Engine on a loop of its own.
 */
#include "supervisor/config_private.h"

#include "base/mem.h"
#include "docker/docker.h"

#include <string.h>

enum { LOOK_MS = 10000 };

/* --- the stack -------------------------------------------------------------------------------- */

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

/* --- holding ---------------------------------------------------------------------------------- */

struct holding {
    const struct config *config;
    const struct stack *stack;
    struct diag_list *diags, *warnings;
};

/* The caller frees it. */
static char *complaint(const struct stack *stack, const char *what, const char *name,
                       bool service_only)
{
    const char *bearer = service_only ? "service" : "container or service";
    const char *nearest =
        service_only ? stack_nearest_service(stack, name) : stack_nearest_name(stack, name);
    if (nearest)
        return mem_printf("%s: no %s '%s' in stack %s; did you mean '%s'?", what, bearer, name,
                          stack->project, nearest);
    return mem_printf("%s: no %s '%s' in stack %s", what, bearer, name, stack->project);
}

static void complain(const struct holding *h, int line, int column, const char *what,
                     const char *name)
{
    CLEANUP_FREE char *text = complaint(h->stack, what, name, true);
    diag_add(h->diags, line, column, "%s", text);
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

/* --- names of containers ---------------------------------------------------------------------- */

/* A place that names whom it is about: how it is called, whether services alone are meant, and
 * where it is told of a name that nobody bears. */
struct naming {
    const char *what;
    bool service_only;
    bool by_commas; /* a text is a list, too */
    struct diag_list *diags;
};

static void hold_name(const struct holding *h, const struct naming *naming,
                      const struct yaml_node *node, size_t offset, const char *name)
{
    if (stack_service(h->stack, name) || (!naming->service_only && stack_container(h->stack, name)))
        return;
    CLEANUP_FREE char *text = complaint(h->stack, naming->what, name, naming->service_only);
    yaml_error_at(naming->diags, node, offset, "%s", text);
}

static void hold_words(const struct holding *h, const struct naming *naming,
                       const struct yaml_node *node)
{
    static const char blanks[] = " \t";
    const char *at = node->text;
    while (*(at += strspn(at, ", \t"))) {
        size_t len = strcspn(at, ",");
        size_t word_len = len;
        while (strchr(blanks, at[word_len - 1]))
            word_len--;
        CLEANUP_FREE char *name = mem_strndup(at, word_len);
        hold_name(h, naming, node, (size_t)(at - node->text), name);
        at += len;
    }
}

/* One name or a list of them; of an observation the run will know what it says. */
static void hold_names(const struct holding *h, const struct naming *naming,
                       const struct yaml_node *node)
{
    if (!node || (node->kind == YAML_TEXT && strncmp(node->text, "${", 2) == 0))
        return;
    if (node->kind == YAML_TEXT && naming->by_commas)
        hold_words(h, naming, node);
    else if (node->kind == YAML_TEXT)
        hold_name(h, naming, node, 0, node->text);
    for (size_t i = 0; node->kind == YAML_LIST && i < node->count; i++)
        if (node->items[i]->kind == YAML_TEXT)
            hold_name(h, naming, node->items[i], 0, node->items[i]->text);
}

/* {containers: …, services: …} */
static void hold_both(const struct holding *h, struct naming naming, const struct yaml_node *map)
{
    if (!map || map->kind != YAML_MAP)
        return;
    hold_names(h, &naming, yaml_get(map, "containers"));
    naming.service_only = true;
    hold_names(h, &naming, yaml_get(map, "services"));
}

/* A selection of nobody's name is refused by the run; a clean finds no session of theirs, and that
 * may be as it should while they are down. */
static void hold_selections(const struct holding *h, const struct yaml_node *playbook)
{
    const struct yaml_node *steps = playbook;
    if (playbook->kind == YAML_MAP) {
        hold_both(h, (struct naming){.what = "selected", .diags = h->diags},
                  yaml_get(playbook, "selected"));
        steps = yaml_get(playbook, "steps");
    }
    const struct naming naming = {.what = step_kind_name(STEP_CLEAN), .diags = h->warnings};
    for (size_t i = 0; i < steps->count; i++) {
        const struct yaml_node *clean = yaml_get(steps->items[i], naming.what);
        if (clean && clean->kind == YAML_MAP)
            hold_names(h, &naming, yaml_get(clean, "containers"));
    }
}

/* --- the sections ----------------------------------------------------------------------------- */

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
        hold_selections(h, playbooks->items[i]);
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

/* Whom a policy names may be down for a while: nobody is at the keyboard to take it back. */
static void hold_ladder(const struct holding *h, const struct yaml_node *ladder)
{
    for (size_t i = 0; ladder && i < ladder->count; i++)
        hold_both(h, (struct naming){.what = "with", .by_commas = true, .diags = h->warnings},
                  yaml_get(ladder->items[i], "with"));
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
        hold_ladder(h, yaml_get(policies->items[i], "ladder"));
    }
}

static void hold(const struct config *config, const struct stack *stack,
                 const struct yaml_node *root, struct diag_list *diags, struct diag_list *warnings)
{
    struct holding h = {.config = config, .stack = stack, .diags = diags, .warnings = warnings};
    hold_services(&h, yaml_get(root, "services"));
    hold_database(&h, yaml_get(root, "database"));
    hold_playbooks(&h, yaml_get(root, "playbooks"));
    hold_policies(&h, yaml_get(root, "policies"));
}

int config_hold_against_stack(const struct config *config, const char *docker_host,
                              char **ret_project, struct diag_list *diags,
                              struct diag_list *warnings, struct err *e)
{
    struct diag_list unread; /* it was read without a complaint a moment ago */
    size_t len = 0;
    CLEANUP_FREE char *text = config->path ? config__read_file(config->path, &len) : NULL;
    diag_init(diags, config->path, text);
    diag_init(warnings, config->path, text);
    warnings->only_warns = true;
    diag_init(&unread, config->path, NULL);
    struct yaml_node *root = text ? yaml_parse(text, len, &unread) : NULL;
    struct stack *stack = find_stack(config, docker_host, e);
    *ret_project = stack ? mem_strdup(stack->project) : NULL;
    if (stack && root && root->kind == YAML_MAP)
        hold(config, stack, root, diags, warnings);
    stack_unref(stack);
    yaml_node_free(root);
    diag_free(&unread);
    return diags->count > 0 ? -(int)ERR_INVALID : 0;
}
