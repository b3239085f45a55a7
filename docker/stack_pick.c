/* See stack_pick.h. */
#include "docker/stack_pick.h"

#include "base/buf.h"
#include "base/mem.h"
#include "docker/stack_deps.h"
#include "docker/stack_members.h"
#include "docker/stack_role.h"

#include <string.h>

/* --- a selector of our own -------------------------------------------------------------------- */

struct stack__choice {
    struct stack_selector selector;
    struct stack_override *overrides; /* their texts are ours too */
};

struct stack__choice *stack__choice_new(const struct stack_selector *selector)
{
    struct stack__choice *choice = mem_new(sizeof *choice);
    if (!selector)
        return choice;
    choice->overrides = mem_new((selector->override_count + 1) * sizeof *choice->overrides);
    for (size_t i = 0; i < selector->override_count; i++) {
        const struct stack_override *from = &selector->overrides[i];
        struct stack_dependency *list = NULL;
        size_t count = 0;
        stack__depend_all(&list, &count, from->dependencies, from->dependency_count);
        choice->overrides[i] = *from;
        choice->overrides[i].service = mem_strdup(from->service);
        choice->overrides[i].dependencies = list;
        choice->overrides[i].dependency_count = count;
    }
    choice->selector = *selector;
    choice->selector.project = mem_strdup(selector->project);
    choice->selector.database_service = mem_strdup(selector->database_service);
    choice->selector.overrides = choice->overrides;
    return choice;
}

struct stack__choice *stack__choice_free(struct stack__choice *choice)
{
    if (!choice)
        return NULL;
    for (size_t i = 0; i < choice->selector.override_count; i++) {
        free((char *)choice->overrides[i].service);
        stack_dependencies_free((struct stack_dependency *)choice->overrides[i].dependencies,
                                choice->overrides[i].dependency_count);
    }
    free((char *)choice->selector.project);
    free((char *)choice->selector.database_service);
    free(choice->overrides);
    free(choice);
    return NULL;
}

const struct stack_selector *stack__choice_selector(const struct stack__choice *choice)
{
    return &choice->selector;
}

/* --- the project ------------------------------------------------------------------------------ */

/* What the configuration calls the database is one. */
static bool is_configured_database(const struct stack__choice *choice, const char *service)
{
    const char *named = choice->selector.database_service;
    if (named)
        return strcmp(service, named) == 0;
    for (size_t i = 0; i < choice->selector.override_count; i++)
        if (choice->overrides[i].has_role && choice->overrides[i].role == ROLE_DATABASE &&
            strcmp(choice->overrides[i].service, service) == 0)
            return true;
    return false;
}

/* Of all containers of one project, the surest word for a PostgreSQL. */
static enum stack__rank rank_of(const struct stack__choice *choice, const char *project,
                                struct container *const *containers, size_t count)
{
    enum stack__rank best = RANK_NONE;
    for (size_t i = 0; i < count; i++) {
        const struct container *container = containers[i];
        if (strcmp(container->project, project) != 0 || stack__is_oneoff(container))
            continue;
        enum stack__rank rank = RANK_NONE;
        if (is_configured_database(choice, container->service))
            rank = RANK_LABEL;
        else if (!choice->selector.database_service)
            rank = stack__database_rank(container);
        best = rank > best ? rank : best;
    }
    return best;
}

static bool is_first_of_project(struct container *const *containers, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (strcmp(containers[i]->project, containers[at]->project) == 0)
            return false;
    return true;
}

static int no_project(struct container *const *containers, size_t count, struct err *e)
{
    const struct container *stuck = stack__undescribed(containers, count);
    if (stuck)
        return stack__fail_undescribed("this engine", stuck, e);
    int code = err_set(e, ERR_NOT_FOUND, "no compose project with a PostgreSQL is on this engine");
    err_hint(e, "start the stack (`docker compose up -d`), or name its project and its database "
                "service in the configuration");
    return code;
}

static int several_projects(const char *names, struct err *e)
{
    int code = err_set(e, ERR_INVALID, "several compose projects have a PostgreSQL: %s", names);
    err_hint(e, "name one by `stack:` in the configuration");
    return code;
}

/* The project with the surest PostgreSQL; *ret is a copy. */
static int find_project(const struct stack__choice *choice, struct container *const *containers,
                        size_t count, char **ret, struct err *e)
{
    enum stack__rank best = RANK_HINT; /* an app's own POSTGRES_DB makes no database project */
    const char *found = NULL;
    size_t found_count = 0;
    struct buf names;
    buf_init(&names, 1 << 16);
    for (size_t i = 0; i < count; i++) {
        if (!is_first_of_project(containers, i))
            continue;
        enum stack__rank rank = rank_of(choice, containers[i]->project, containers, count);
        if (rank <= RANK_HINT || rank < best)
            continue;
        if (rank > best)
            buf_reset(&names);
        found_count = rank > best ? 1 : found_count + 1;
        best = rank;
        found = containers[i]->project;
        buf_printf(&names, "%s%s", names.len ? ", " : "", found);
    }
    int code = 0;
    if (found_count == 0)
        code = no_project(containers, count, e);
    else if (found_count > 1)
        code = several_projects(buf_text(&names), e);
    else
        *ret = mem_strdup(found);
    buf_free(&names);
    return code;
}

int stack__choose_project(const struct stack__choice *choice, struct container *const *containers,
                          size_t count, char **ret, struct err *e)
{
    const char *named = choice->selector.project;
    if (!named)
        return find_project(choice, containers, count, ret, e);
    for (size_t i = 0; i < count; i++)
        if (strcmp(containers[i]->project, named) == 0) {
            *ret = mem_strdup(named);
            return 0;
        }
    int code = err_set(e, ERR_NOT_FOUND,
                       "no container of the compose project '%s' is on this "
                       "engine",
                       named);
    err_hint(e, "`docker ps -a --format '{{.Label \"com.docker.compose.project\"}}'` shows the "
                "names");
    return code;
}

/* --- the compose files ------------------------------------------------------------------------ */

static bool is_configured(const struct stack__choice *choice, const char *service)
{
    for (size_t i = 0; i < choice->selector.override_count; i++)
        if (choice->overrides[i].has_dependencies &&
            strcmp(choice->overrides[i].service, service) == 0)
            return true;
    return false;
}

/* Nothing on the container or in the configuration tells what it depends on. A database is not
 * worth a file that cannot be read. */
static bool needs_file(const struct stack__choice *choice, const struct container *container)
{
    return container->service[0] && !stack__is_oneoff(container) &&
           !container_label(container, STACK__LABEL_COMPOSE_DEPENDS) &&
           !container_label(container, STACK__LABEL_DEPENDS) &&
           !is_configured(choice, container->service) &&
           stack__database_rank(container) <= RANK_HINT;
}

/* v1 writes names relative to the project's folder, v2 absolute ones. */
static char *absolute(const char *folder, const char *name, size_t len)
{
    if (name[0] == '/' || !folder)
        return mem_strndup(name, len);
    return mem_printf("%s/%.*s", folder, (int)len, name);
}

static char **split_paths(const struct container *container, size_t *ret_count)
{
    const char *names = container_label(container, STACK__LABEL_COMPOSE "project.config_files");
    const char *folder = container_label(container, STACK__LABEL_COMPOSE "project.working_dir");
    char **paths = NULL;
    while (names && *names) {
        size_t len = strcspn(names, ",");
        bool is_stdin = len == 1 && *names == '-'; /* `-f -`: nothing to be read any more */
        if (len > 0 && !is_stdin)
            *MEM_PUSH(paths, *ret_count) = absolute(folder, names, len);
        names += len + (names[len] == ',');
    }
    return paths;
}

char **stack__compose_paths(const struct stack__choice *choice, struct container *const *containers,
                            size_t count, size_t *ret_count)
{
    *ret_count = 0;
    for (size_t i = 0; i < count; i++)
        if (needs_file(choice, containers[i]))
            return split_paths(containers[i], ret_count);
    return NULL;
}

struct stack_file *stack__merge_files(const struct file *files, size_t count, char **ret_problem)
{
    struct stack_file *all = NULL;
    struct err e = {0};
    for (size_t i = 0; i < count; i++) {
        struct stack_file *file = NULL;
        int code = files[i].text
                       ? stack_file_parse(files[i].text, files[i].len, files[i].path, &file, &e)
                       : err_set(&e, ERR_FAILED, "%s: %s", files[i].path, file_problem(&files[i]));
        if (code != 0) {
            *ret_problem = mem_printf("the compose file cannot be read, so its start order is not "
                                      "known: %s; make it readable to this program, or say the "
                                      "order in the configuration (depends_on)",
                                      e.text);
            return stack_file_free(all);
        }
        if (all)
            stack__file_merge(all, file);
        else
            all = file;
    }
    return all;
}
