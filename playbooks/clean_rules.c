/* See clean_rules.h. */
#include "playbooks/clean_rules.h"

#include "base/mem.h"

#include <string.h>

bool clean_rules_want_stack(const struct step *step)
{
    return step->containers != NULL;
}

/* A container is named by its own name or by its service's. */
static bool step_names(const struct step *step, const struct container *c)
{
    for (size_t i = 0; step->containers[i]; i++)
        if (strcmp(step->containers[i], c->name) == 0 ||
            strcmp(step->containers[i], c->service) == 0)
            return true;
    return false;
}

static void add_container(char ***clients, size_t *count, const struct container *c)
{
    for (size_t i = 0; i < c->network_count; i++)
        if (*c->networks[i].address)
            *MEM_PUSH(*clients, *count) = mem_strdup(c->networks[i].address);
}

static char **collect_clients(const struct step *step, const struct stack *stack)
{
    char **clients = NULL;
    size_t count = 0;
    for (size_t i = 0; step->clients && step->clients[i]; i++)
        *MEM_PUSH(clients, count) = mem_strdup(step->clients[i]);
    for (size_t s = 0; step->containers && stack && s < stack->service_count; s++)
        for (size_t i = 0; i < stack->services[s].container_count; i++)
            if (step_names(step, stack->services[s].containers[i]))
                add_container(&clients, &count, stack->services[s].containers[i]);
    *MEM_PUSH(clients, count) = NULL; /* an empty list matches nobody, and that is meant */
    return clients;
}

struct clean_rules *clean_rules_new(const struct step *step, const struct stack *stack)
{
    struct clean_rules *made = mem_new(sizeof *made);
    if (step->clients || step->containers)
        made->clients = collect_clients(step, stack);
    made->rules = (struct db_clean_rules){
        .idle_ms = step->idle_ms,
        .idle_in_transaction_ms = step->idle_in_transaction_ms,
        .applications = (const char *const *)step->applications,
        .roles = (const char *const *)step->roles,
        .databases = (const char *const *)step->databases,
        .clients = (const char *const *)made->clients,
        .protect = (const char *const *)step->protect,
        .superusers = step->superusers,
        .all = step->all_sessions,
    };
    return made;
}

struct clean_rules *clean_rules_free(struct clean_rules *rules)
{
    if (!rules)
        return NULL;
    for (size_t i = 0; rules->clients && rules->clients[i]; i++)
        free(rules->clients[i]);
    free(rules->clients);
    free(rules);
    return NULL;
}
