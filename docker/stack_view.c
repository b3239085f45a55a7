/* Looking things up in a built stack, and showing it as JSON. Pure. May use: base. */
#include "docker/stack.h"

#include "base/clock.h"
#include "base/mem.h"

#include <string.h>

enum { NS_PER_MS = 1000000, ID_PREFIX_MIN = 12 };

struct stack_service *stack_service(const struct stack *stack, const char *name)
{
    for (size_t i = 0; i < stack->service_count; i++)
        if (strcmp(stack->services[i].name, name) == 0)
            return &stack->services[i];
    return NULL;
}

static bool is_called(const struct container *container, const char *id_or_name)
{
    size_t len = strlen(id_or_name);
    return strcmp(container->name, id_or_name) == 0 ||
           (len >= ID_PREFIX_MIN && strncmp(container->id, id_or_name, len) == 0);
}

struct container *stack_container(const struct stack *stack, const char *id_or_name)
{
    for (size_t i = 0; i < stack->service_count; i++)
        for (size_t j = 0; j < stack->services[i].container_count; j++)
            if (is_called(stack->services[i].containers[j], id_or_name))
                return stack->services[i].containers[j];
    for (size_t i = 0; i < stack->oneoff_count; i++)
        if (is_called(stack->oneoffs[i], id_or_name))
            return stack->oneoffs[i];
    return NULL;
}

static bool has_address(const struct container *container, const char *address)
{
    for (size_t i = 0; i < container->network_count; i++)
        if (strcmp(container->networks[i].address, address) == 0)
            return true;
    return false;
}

const struct container *stack_container_at(const struct stack *stack, const char *address)
{
    const struct container *found = NULL;
    size_t count = 0;
    if (!address || !*address)
        return NULL;
    for (size_t i = 0; i < stack->service_count; i++)
        for (size_t j = 0; j < stack->services[i].container_count; j++)
            if (has_address(stack->services[i].containers[j], address)) {
                found = stack->services[i].containers[j];
                count++;
            }
    for (size_t i = 0; i < stack->oneoff_count; i++)
        if (has_address(stack->oneoffs[i], address)) {
            found = stack->oneoffs[i];
            count++;
        }
    return count == 1 ? found : NULL;
}

static json_t *container_json(const struct container *container)
{
    char stamp[CLOCK_STAMP_MAX];
    json_t *object = json_object();
    json_set_text(object, "name", container->name);
    json_set_text(object, "id", container->id);
    json_set_text(object, "image", container->image);
    json_set_text(object, "state", container_state_name(container->state));
    json_set_text(object, "health", container_health_name(container->health));
    json_set_text(object, "started_at",
                  container->started_ns ? clock_stamp(container->started_ns / NS_PER_MS, stamp)
                                        : NULL);
    json_set_int(object, "restarts", container->restart_count);
    return object;
}

static json_t *containers_json(struct container *const *containers, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, container_json(containers[i]));
    return list;
}

static json_t *dependency_json(const struct stack_dependency *dependency)
{
    json_t *object = json_object();
    json_set_text(object, "service", dependency->service);
    json_set_text(object, "condition", stack_condition_name(dependency->condition));
    return object;
}

static json_t *service_json(const struct stack_service *service)
{
    json_t *object = json_object();
    json_t *dependencies = json_array();
    json_set_text(object, "name", service->name);
    json_set_text(object, "role", stack_role_name(service->role));
    for (size_t i = 0; i < service->dependency_count; i++)
        json_array_append_new(dependencies, dependency_json(&service->dependencies[i]));
    json_object_set_new(object, "depends_on", dependencies);
    json_set_text(object, "source", service->source);
    json_object_set_new(object, "containers",
                        containers_json(service->containers, service->container_count));
    return object;
}

json_t *stack_json(const struct stack *stack)
{
    json_t *object = json_object();
    json_t *services = json_array();
    json_t *notes = json_array();
    json_set_text(object, "project", stack->project);
    for (size_t i = 0; i < stack->service_count; i++)
        json_array_append_new(services, service_json(&stack->services[i]));
    for (size_t i = 0; i < stack->note_count; i++)
        json_array_append_new(notes, json_lossy_string(stack->notes[i], strlen(stack->notes[i])));
    json_object_set_new(object, "services", services);
    json_object_set_new(object, "oneoffs", containers_json(stack->oneoffs, stack->oneoff_count));
    json_object_set_new(object, "notes", notes);
    return object;
}
