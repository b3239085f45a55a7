/* Building the model of a project from its containers: see stack.h. Pure.
 *
 * In order: collect containers into services; give every service its role and find the database;
 * give it its dependencies from the heaviest source that speaks of it; add what the kernel demands
 * (a shared network namespace); leave out what is not there; refuse circles.
 */
#include "docker/stack.h"

#include "base/buf.h"
#include "base/diag.h"
#include "base/mem.h"
#include "docker/stack_deps.h"
#include "docker/stack_graph.h"
#include "docker/stack_members.h"
#include "docker/stack_role.h"

#include <string.h>

struct builder {
    struct stack *stack;
    const struct stack_selector *selector;
    const struct stack_file *file;
    struct container *const *containers;
    size_t container_count;
};

/* The last override of a service that has what is asked for, or NULL. */
static const struct stack_override *override_of(const struct builder *b, const char *service,
                                                bool for_role)
{
    for (size_t i = b->selector->override_count; i > 0; i--) {
        const struct stack_override *item = &b->selector->overrides[i - 1];
        bool speaks = for_role ? item->has_role : item->has_dependencies;
        if (speaks && strcmp(item->service, service) == 0)
            return item;
    }
    return NULL;
}

/* --- names that the configuration knows ------------------------------------------------------- */

const char *stack_nearest_service(const struct stack *stack, const char *name)
{
    const char **names = mem_new((stack->service_count + 1) * sizeof *names);
    for (size_t i = 0; i < stack->service_count; i++)
        names[i] = stack->services[i].name;
    const char *nearest = diag_nearest(name, names);
    free(names);
    return nearest;
}

const char *stack_nearest_name(const struct stack *stack, const char *name)
{
    const char **names = NULL;
    size_t count = 0;
    for (size_t s = 0; s < stack->service_count; s++)
        for (size_t i = 0; i < stack->services[s].container_count; i++)
            *MEM_PUSH(names, count) = stack->services[s].containers[i]->name;
    for (size_t s = 0; s < stack->service_count; s++)
        *MEM_PUSH(names, count) = stack->services[s].name;
    *MEM_PUSH(names, count) = NULL;
    const char *nearest = diag_nearest(name, names);
    free(names);
    return nearest;
}

static int unknown_service(const struct stack *stack, const char *what, const char *name,
                           struct err *e)
{
    const char *nearest = stack_nearest_service(stack, name);
    struct buf known;
    int code = err_set(e, ERR_INVALID, "%s '%s': the project %s has no such service", what, name,
                       stack->project);
    if (nearest) {
        err_hint(e, "did you mean '%s'?", nearest);
        return code;
    }
    buf_init(&known, 1 << 16);
    for (size_t i = 0; i < stack->service_count; i++)
        buf_printf(&known, "%s%s", i ? ", " : "", stack->services[i].name);
    err_hint(e, "it has: %s", buf_text(&known));
    buf_free(&known);
    return code;
}

/* A service that was taken down may well be configured still, and keeps no stack from being
 * recovered. What looks like a slip of the pen is said to be one; `supervisorctl check`, which may
 * refuse it, does. */
static void note_absent(struct stack *stack, const char *name)
{
    const char *nearest = stack_nearest_service(stack, name);
    if (stack_service(stack, name))
        return;
    if (nearest)
        stack__note(stack,
                    "the configuration speaks of %s, which has no container: left out (if "
                    "'%s' is meant, correct it: supervisorctl check)",
                    name, nearest);
    else
        stack__note(stack, "the configuration speaks of %s, which has no container: left out",
                    name);
}

static int check_selector(const struct builder *b, struct err *e)
{
    const char *database = b->selector->database_service;
    if (database && !stack_service(b->stack, database))
        return unknown_service(b->stack, "the database", database, e);
    for (size_t i = 0; i < b->selector->override_count; i++)
        note_absent(b->stack, b->selector->overrides[i].service);
    return 0;
}

/* --- roles ------------------------------------------------------------------------------------ */

/* What configuration, label and image say; only the label of a database makes one here, the rest
 * is weighed by rank. */
static enum stack_role plain_role(const struct builder *b, const struct stack_service *service)
{
    const struct stack_override *item = override_of(b, service->name, true);
    enum stack_role role = ROLE_APP;
    if (item)
        return item->role;
    if (service->container_count == 0 || stack__role_of_label(service->containers[0], &role))
        return role;
    return stack__is_pooler(service->containers[0]) ? ROLE_POOLER : ROLE_APP;
}

static enum stack__rank rank_of(const struct builder *b, const struct stack_service *service)
{
    const struct stack_override *item = override_of(b, service->name, true);
    if (item)
        return item->role == ROLE_DATABASE ? RANK_LABEL : RANK_NONE;
    return service->container_count ? stack__database_rank(service->containers[0]) : RANK_NONE;
}

static int several_databases(const struct builder *b, enum stack__rank rank, struct err *e)
{
    struct buf names;
    buf_init(&names, 1 << 16);
    for (size_t i = 0; i < b->stack->service_count; i++)
        if (rank_of(b, &b->stack->services[i]) == rank)
            buf_printf(&names, "%s%s", names.len ? ", " : "", b->stack->services[i].name);
    int code = err_set(e, ERR_INVALID, "the project %s has several databases: %s",
                       b->stack->project, buf_text(&names));
    err_hint(
        e, "name the one to look after in the configuration, or label the others " STACK__LABEL_ROLE
           "=app");
    buf_free(&names);
    return code;
}

/* The one service of the highest rank. */
static int find_database(const struct builder *b, struct stack_service **ret, struct err *e)
{
    struct stack *stack = b->stack;
    enum stack__rank best = RANK_NONE;
    size_t count = 0;
    for (size_t i = 0; i < stack->service_count; i++) {
        enum stack__rank rank = rank_of(b, &stack->services[i]);
        if (rank == RANK_NONE || rank < best)
            continue;
        count = rank > best ? 1 : count + 1;
        best = rank;
        *ret = &stack->services[i];
    }
    if (count > 1)
        return several_databases(b, best, e);
    if (count == 1)
        return 0;
    const struct container *stuck = stack__undescribed(b->containers, b->container_count);
    if (stuck) {
        CLEANUP_FREE char *what = mem_printf("the project %s", stack->project);
        return stack__fail_undescribed(what, stuck, e);
    }
    int code = err_set(e, ERR_NOT_FOUND, "the project %s has no PostgreSQL", stack->project);
    err_hint(e,
             "name its service in the configuration, or label it " STACK__LABEL_ROLE "=database");
    return code;
}

static int assign_roles(struct builder *b, struct err *e)
{
    struct stack *stack = b->stack;
    if (b->selector->database_service) {
        stack->database = stack_service(stack, b->selector->database_service);
    } else {
        int code = find_database(b, &stack->database, e);
        if (code != 0)
            return code;
    }
    for (size_t i = 0; i < stack->service_count; i++) {
        struct stack_service *service = &stack->services[i];
        service->role = plain_role(b, service);
        if (service->role == ROLE_DATABASE)
            service->role = ROLE_APP; /* another one was named as the database */
    }
    stack->database->role = ROLE_DATABASE;
    return 0;
}

/* --- dependencies ----------------------------------------------------------------------------- */

static void take_label(struct stack_service *service, const char *label)
{
    stack_parse_depends_label(label, &service->dependencies, &service->dependency_count);
    service->source = "label";
}

/* From the heaviest source that speaks of the service; false when none does. */
static bool take_dependencies(const struct builder *b, struct stack_service *service)
{
    const struct stack_override *item = override_of(b, service->name, false);
    const struct container *first = service->container_count ? service->containers[0] : NULL;
    const char *own = first ? container_label(first, STACK__LABEL_DEPENDS) : NULL;
    const char *compose = first ? container_label(first, STACK__LABEL_COMPOSE_DEPENDS) : NULL;
    size_t count;
    const struct stack_dependency *filed = stack__file_service(b->file, service->name, &count);
    if (item) {
        stack__depend_all(&service->dependencies, &service->dependency_count, item->dependencies,
                          item->dependency_count);
        service->source = "configuration";
    } else if (own) {
        take_label(service, own);
    } else if (filed) {
        stack__depend_all(&service->dependencies, &service->dependency_count, filed, count);
        service->source = "compose file";
    } else if (compose) {
        take_label(service, compose);
    }
    return item || own || filed || compose;
}

/* `network_mode: container:<id>`: the Engine starts the one only while the other runs, whatever
 * the compose file says. */
static void add_namespace(const struct stack *stack, struct stack_service *service)
{
    for (size_t i = 0; i < service->container_count; i++) {
        const char *mode = service->containers[i]->network_mode;
        if (strncmp(mode, "container:", 10) != 0)
            continue;
        const struct container *owner = stack_container(stack, mode + 10);
        if (owner && strcmp(owner->service, service->name) != 0)
            stack__depend(&service->dependencies, &service->dependency_count, owner->service,
                          CONDITION_STARTED);
    }
}

static void remove_dependency(struct stack_service *service, size_t at)
{
    free(service->dependencies[at].service);
    service->dependency_count--;
    memmove(service->dependencies + at, service->dependencies + at + 1,
            (service->dependency_count - at) * sizeof *service->dependencies);
}

static bool has_healthcheck(const struct stack_service *service)
{
    for (size_t i = 0; i < service->container_count; i++)
        if (service->containers[i]->has_healthcheck)
            return true;
    return false;
}

/* Sure that nobody checks its health: all replicas were inspected and have no check. */
static bool lacks_healthcheck(const struct stack_service *service)
{
    for (size_t i = 0; i < service->container_count; i++)
        if (service->containers[i]->is_partial)
            return false;
    return !has_healthcheck(service);
}

/* A label or file may name what was removed since, or wait for a health that nobody checks: that
 * must not keep a stack from being recovered. */
static void adapt(struct stack *stack, struct stack_service *service)
{
    for (size_t i = 0; i < service->dependency_count;) {
        struct stack_dependency *dependency = &service->dependencies[i];
        const struct stack_service *target = stack_service(stack, dependency->service);
        if (!target) {
            stack__note(stack, "%s depends on %s, which has no container: left out", service->name,
                        dependency->service);
            remove_dependency(service, i);
            continue;
        }
        if (dependency->condition == CONDITION_HEALTHY && lacks_healthcheck(target)) {
            stack__note(stack,
                        "%s waits for %s to be healthy, which has no health check: "
                        "started will do",
                        service->name, dependency->service);
            dependency->condition = CONDITION_STARTED;
        }
        i++;
    }
}

/* Nobody says what these depend on. The safe guess: on the database, unless that needs them. */
static void assume(struct stack *stack, const bool *is_unknown)
{
    struct buf names;
    buf_init(&names, 1 << 16);
    enum stack_condition condition =
        has_healthcheck(stack->database) ? CONDITION_HEALTHY : CONDITION_STARTED;
    for (size_t i = 0; i < stack->service_count; i++) {
        struct stack_service *service = &stack->services[i];
        if (!is_unknown[i] || service->role == ROLE_IGNORE ||
            stack__reaches(stack, stack->database, service))
            continue;
        stack__depend(&service->dependencies, &service->dependency_count, stack->database->name,
                      condition);
        service->source = "assumed";
        buf_printf(&names, "%s%s", names.len ? ", " : "", service->name);
    }
    if (names.len)
        stack__note(stack,
                    "nothing says what these depend on, so they are taken to depend on %s: %s; "
                    "say it in the configuration (depends_on) or by the "
                    "label " STACK__LABEL_DEPENDS,
                    stack->database->name, buf_text(&names));
    buf_free(&names);
}

static int assign_dependencies(struct builder *b, struct err *e)
{
    struct stack *stack = b->stack;
    bool *is_unknown = mem_new(stack->service_count * sizeof *is_unknown);
    for (size_t i = 0; i < stack->service_count; i++)
        is_unknown[i] = !take_dependencies(b, &stack->services[i]);
    for (size_t i = 0; i < stack->service_count; i++)
        add_namespace(stack, &stack->services[i]);
    for (size_t i = 0; i < stack->service_count; i++)
        adapt(stack, &stack->services[i]);
    assume(stack, is_unknown);
    free(is_unknown);
    CLEANUP_FREE char *cycle = stack__find_cycle(stack);
    if (!cycle)
        return 0;
    int code =
        err_set(e, ERR_INVALID, "the project %s depends on itself: %s", stack->project, cycle);
    err_hint(e, "break the circle in the configuration: depends_on of one of these services");
    return code;
}

/* --- the whole -------------------------------------------------------------------------------- */

int stack_build(const char *project, struct container *const *containers, size_t count,
                const struct stack_selector *selector, const struct stack_file *file,
                struct stack **ret, struct err *e)
{
    static const struct stack_selector any = {0};
    struct stack *stack = mem_new(sizeof *stack);
    struct builder b = {.stack = stack,
                        .selector = selector ? selector : &any,
                        .file = file,
                        .containers = containers,
                        .container_count = count};
    stack->references = 1;
    stack->project = mem_strdup(project);
    stack__collect(stack, containers, count);
    int code = check_selector(&b, e);
    if (code == 0)
        code = assign_roles(&b, e);
    if (code == 0)
        code = assign_dependencies(&b, e);
    if (code == 0)
        *ret = stack;
    else
        stack_unref(stack);
    return code;
}

struct stack *stack_ref(struct stack *stack)
{
    stack->references++;
    return stack;
}

static void service_clear(struct stack_service *service)
{
    for (size_t i = 0; i < service->container_count; i++)
        container_unref(service->containers[i]);
    free(service->containers);
    stack_dependencies_free(service->dependencies, service->dependency_count);
    free(service->name);
}

struct stack *stack_unref(struct stack *stack)
{
    if (!stack || --stack->references > 0)
        return NULL;
    for (size_t i = 0; i < stack->service_count; i++)
        service_clear(&stack->services[i]);
    for (size_t i = 0; i < stack->oneoff_count; i++)
        container_unref(stack->oneoffs[i]);
    for (size_t i = 0; i < stack->note_count; i++)
        free(stack->notes[i]);
    free(stack->services);
    free(stack->oneoffs);
    free(stack->notes);
    free(stack->project);
    free(stack);
    return NULL;
}
