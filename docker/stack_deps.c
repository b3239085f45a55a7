/* See stack_deps.h. */
#include "docker/stack_deps.h"

#include "base/mem.h"

#include <ctype.h>
#include <string.h>

static const struct {
    const char *name;
    enum stack_condition condition;
    int strength; /* completed implies nothing about health: it waits for the end */
} conditions[] = {
    {"service_started", CONDITION_STARTED, 0},
    {"service_healthy", CONDITION_HEALTHY, 1},
    {"service_completed_successfully", CONDITION_COMPLETED, 2},
};

const char *stack_condition_name(enum stack_condition condition)
{
    return (unsigned)condition < ARRAY_SIZE(conditions) ? conditions[condition].name
                                                        : conditions[0].name;
}

enum stack_condition stack__condition_parse(const char *name, size_t len)
{
    for (size_t i = 0; i < ARRAY_SIZE(conditions); i++)
        if (strlen(conditions[i].name) == len && strncmp(conditions[i].name, name, len) == 0)
            return conditions[i].condition;
    return CONDITION_STARTED;
}

bool stack__is_service_name(const char *name, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)name[i]) && !strchr("._-", name[i]))
            return false;
    return len > 0;
}

void stack__depend(struct stack_dependency **list, size_t *count, const char *service,
                   enum stack_condition condition)
{
    size_t at = 0;
    while (at < *count && strcmp((*list)[at].service, service) < 0)
        at++;
    if (at < *count && strcmp((*list)[at].service, service) == 0) {
        if (conditions[condition].strength > conditions[(*list)[at].condition].strength)
            (*list)[at].condition = condition;
        return;
    }
    (void)MEM_PUSH(*list, *count);
    memmove(*list + at + 1, *list + at, (*count - 1 - at) * sizeof **list);
    (*list)[at] = (struct stack_dependency){.service = mem_strdup(service), .condition = condition};
}

void stack__depend_all(struct stack_dependency **list, size_t *count,
                       const struct stack_dependency *more, size_t more_count)
{
    for (size_t i = 0; i < more_count; i++)
        stack__depend(list, count, more[i].service, more[i].condition);
}

/* "service[:condition[:restart]]"; compose v2.0 wrote the first part alone, v2.3 the second too. */
static void parse_entry(const char *entry, size_t len, struct stack_dependency **list,
                        size_t *count)
{
    const char *colon = memchr(entry, ':', len);
    size_t name_len = colon ? (size_t)(colon - entry) : len;
    if (!stack__is_service_name(entry, name_len))
        return;
    enum stack_condition condition = CONDITION_STARTED;
    if (colon) {
        size_t rest = len - name_len - 1;
        const char *end = memchr(colon + 1, ':', rest);
        condition = stack__condition_parse(colon + 1, end ? (size_t)(end - colon - 1) : rest);
    }
    CLEANUP_FREE char *name = mem_strndup(entry, name_len);
    stack__depend(list, count, name, condition);
}

void stack_parse_depends_label(const char *value, struct stack_dependency **ret, size_t *ret_count)
{
    *ret = NULL;
    *ret_count = 0;
    while (*value) {
        value += strspn(value, ", \t");
        size_t len = strcspn(value, ",");
        size_t trimmed = len;
        while (trimmed > 0 && isspace((unsigned char)value[trimmed - 1]))
            trimmed--;
        parse_entry(value, trimmed, ret, ret_count);
        value += len;
    }
}

void stack_dependencies_free(struct stack_dependency *dependencies, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(dependencies[i].service);
    free(dependencies);
}
