/* See stack_members.h. */
#include "docker/stack_members.h"

#include "base/mem.h"
#include "docker/stack_role.h"

#include <string.h>

void stack__note(struct stack *stack, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    *MEM_PUSH(stack->notes, stack->note_count) = mem_vprintf(format, args);
    va_end(args);
}

const struct container *stack__undescribed(struct container *const *containers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (containers[i]->is_partial)
            return containers[i];
    return NULL;
}

int stack__fail_undescribed(const char *what, const struct container *container, struct err *e)
{
    int code = err_set(e, ERR_TIMEOUT,
                       "%s has no PostgreSQL that is known, but the Engine lists %s and does not "
                       "describe it",
                       what, container->name);
    err_hint(e, "it may be stuck: look at `docker inspect %s` and the Engine's log",
             container->name);
    return code;
}

static struct stack_service *find_or_add(struct stack *stack, const char *name)
{
    struct stack_service *service = stack_service(stack, name);
    if (!service) {
        service = MEM_PUSH(stack->services, stack->service_count);
        service->name = mem_strdup(name);
        service->source = "none";
    }
    return service;
}

static int compare_services(const void *a, const void *b)
{
    const struct stack_service *x = a;
    const struct stack_service *y = b;
    return strcmp(x->name, y->name);
}

static int compare_containers(const void *a, const void *b)
{
    const struct container *x = *(struct container *const *)a;
    const struct container *y = *(struct container *const *)b;
    return x->number != y->number ? (x->number > y->number) - (x->number < y->number)
                                  : strcmp(x->name, y->name);
}

static void remove_at(struct stack_service *service, size_t at)
{
    container_unref(service->containers[at]);
    service->container_count--;
    memmove(service->containers + at, service->containers + at + 1,
            (service->container_count - at) * sizeof *service->containers);
}

/* compose v1 renames what it recreates: 0123456789ab_shop_postgres_1. */
static bool was_renamed(const struct container *c)
{
    enum { SHORT_ID = 12 };
    return strspn(c->name, "0123456789abcdef") == SHORT_ID && c->name[SHORT_ID] == '_';
}

/* compose recreates a container by making the new one beside the old: v2 with a label that names
 * what it replaces (and stays on it for good), v1 under the old one's name. Both are there for a
 * moment, or for good where that failed half-way: the one that is up counts, and of two that are
 * equal the new one. */
static bool is_better(const struct container *a, const struct container *b)
{
    if (container_is_up(a) != container_is_up(b))
        return container_is_up(a);
    if (was_renamed(a) != was_renamed(b))
        return was_renamed(b);
    const char *replaced = container_label(a, STACK__LABEL_COMPOSE "replace");
    return replaced && (strcmp(replaced, b->name) == 0 || strcmp(replaced, b->id) == 0);
}

/* A number is one container's: compose never has two of one on purpose. */
static bool is_same_replica(const struct container *a, const struct container *b)
{
    return a->number > 0 && a->number == b->number;
}

static void settle_recreated(struct stack *stack, struct stack_service *service)
{
    for (size_t i = 0; i + 1 < service->container_count;) {
        const struct container *a = service->containers[i];
        const struct container *b = service->containers[i + 1];
        if (!is_same_replica(a, b)) {
            i++;
            continue;
        }
        size_t out = is_better(a, b) ? i + 1 : i;
        stack__note(stack, "%s is being recreated by compose: %s is left out", service->name,
                    service->containers[out]->name);
        remove_at(service, out);
    }
}

void stack__collect(struct stack *stack, struct container *const *containers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct container *container = containers[i];
        if (stack__is_oneoff(container)) {
            *MEM_PUSH(stack->oneoffs, stack->oneoff_count) = container_ref(container);
        } else if (container->service[0]) {
            struct stack_service *service = find_or_add(stack, container->service);
            *MEM_PUSH(service->containers, service->container_count) = container_ref(container);
        }
    }
    if (stack->service_count)
        qsort(stack->services, stack->service_count, sizeof *stack->services, compare_services);
    for (size_t i = 0; i < stack->service_count; i++) {
        struct stack_service *service = &stack->services[i];
        qsort(service->containers, service->container_count, sizeof(struct container *),
              compare_containers);
        settle_recreated(stack, service);
    }
}
