/* The dependencies that stand in a compose file, for stacks whose labels do not tell them. Pure.
 *
 * Read as compose v1 reads it: `services:` at the top, or (file format 1) the services themselves.
 * What orders two services: depends_on (list or map), links, volumes_from, and a shared namespace
 * (network_mode, net, ipc, pid: "service:x"). May use: base.
 */
#include "docker/stack_deps.h"

#include "base/mem.h"
#include "base/yaml.h"

#include <stdio.h>
#include <string.h>

struct file_service {
    char *name;
    struct stack_dependency *dependencies;
    size_t count;
};

struct stack_file {
    struct file_service *services;
    size_t count;
};

static struct file_service *find(const struct stack_file *file, const char *name)
{
    for (size_t i = 0; i < file->count; i++)
        if (strcmp(file->services[i].name, name) == 0)
            return &file->services[i];
    return NULL;
}

static struct file_service *find_or_add(struct stack_file *file, const char *name)
{
    struct file_service *service = find(file, name);
    if (!service) {
        service = MEM_PUSH(file->services, file->count);
        service->name = mem_strdup(name);
    }
    return service;
}

/* The name up to ':' ("db:alias", "data:ro") as a dependency. */
static void depend_on_prefix(struct file_service *service, const char *text)
{
    size_t len = strcspn(text, ":");
    if (!stack__is_service_name(text, len))
        return;
    CLEANUP_FREE char *name = mem_strndup(text, len);
    stack__depend(&service->dependencies, &service->count, name, CONDITION_STARTED);
}

static const char *text_of(const struct yaml_node *node)
{
    return node && node->kind == YAML_TEXT ? node->text : "";
}

static void read_map(struct file_service *service, const struct yaml_node *map)
{
    for (size_t i = 0; i < map->count; i++) {
        const char *condition = text_of(yaml_get(map->items[i], "condition"));
        const char *name = text_of(map->keys[i]);
        if (stack__is_service_name(name, strlen(name)))
            stack__depend(&service->dependencies, &service->count, name,
                          stack__condition_parse(condition, strlen(condition)));
    }
}

/* A list of texts that begin with a service's name; "container:x" is somebody else's. */
static void read_list(struct file_service *service, const struct yaml_node *list)
{
    for (size_t i = 0; i < list->count; i++) {
        const char *text = text_of(list->items[i]);
        if (strncmp(text, "container:", 10) != 0)
            depend_on_prefix(service, text);
    }
}

static void read_links(struct file_service *service, const struct yaml_node *body)
{
    static const char *const keys[] = {"depends_on", "links", "volumes_from"};
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        const struct yaml_node *node = yaml_get(body, keys[i]);
        if (node && node->kind == YAML_MAP)
            read_map(service, node);
        else if (node && node->kind == YAML_LIST)
            read_list(service, node);
    }
}

static void read_namespaces(struct file_service *service, const struct yaml_node *body)
{
    static const char *const keys[] = {"network_mode", "net", "ipc", "pid"};
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        const char *text = text_of(yaml_get(body, keys[i]));
        if (strncmp(text, "service:", 8) == 0)
            depend_on_prefix(service, text + 8);
    }
}

static int read_root(const struct yaml_node *root, const char *path, struct stack_file *file,
                     struct err *e)
{
    const struct yaml_node *services = yaml_get(root, "services");
    if (!services && !yaml_get(root, "version"))
        services = root;
    if (services && services->kind == YAML_NULL)
        return 0;
    if (!services || services->kind != YAML_MAP)
        return err_set(e, ERR_INVALID, "%s: no services in it", path);
    for (size_t i = 0; i < services->count; i++) {
        struct file_service *service = find_or_add(file, text_of(services->keys[i]));
        read_links(service, services->items[i]);
        read_namespaces(service, services->items[i]);
    }
    return 0;
}

int stack_file_parse(const char *text, size_t len, const char *path, struct stack_file **ret,
                     struct err *e)
{
    struct diag_list diags;
    diag_init(&diags, path, NULL);
    struct yaml_node *root = yaml_parse(text, len, &diags);
    struct stack_file *file = mem_new(sizeof *file);
    int code;
    if (!root && diags.count > 0)
        code = err_set(e, ERR_INVALID, "%s:%d:%d: %s", path, diags.items[0].line,
                       diags.items[0].column, diags.items[0].text);
    else if (!root)
        code = err_set(e, ERR_INVALID, "%s: not YAML", path);
    else
        code = read_root(root, path, file, e);
    yaml_node_free(root);
    diag_free(&diags);
    if (code != 0)
        stack_file_free(file);
    else
        *ret = file;
    return code;
}

const struct stack_dependency *stack__file_service(const struct stack_file *file, const char *name,
                                                   size_t *ret_count)
{
    static const struct stack_dependency none;
    const struct file_service *service = file ? find(file, name) : NULL;
    *ret_count = service ? service->count : 0;
    return !service ? NULL : service->count ? service->dependencies : &none;
}

void stack__file_merge(struct stack_file *file, struct stack_file *more)
{
    for (size_t i = 0; i < more->count; i++) {
        struct file_service *service = find_or_add(file, more->services[i].name);
        stack__depend_all(&service->dependencies, &service->count, more->services[i].dependencies,
                          more->services[i].count);
    }
    stack_file_free(more);
}

struct stack_file *stack_file_free(struct stack_file *file)
{
    if (!file)
        return NULL;
    for (size_t i = 0; i < file->count; i++) {
        free(file->services[i].name);
        stack_dependencies_free(file->services[i].dependencies, file->services[i].count);
    }
    free(file->services);
    free(file);
    return NULL;
}
