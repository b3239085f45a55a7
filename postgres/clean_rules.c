/* Rules of a cleaning: copying them, and matching names. May use: base. */
#include "postgres/clean.h"

#include "base/mem.h"

#include <string.h>

static bool matches(const char *pattern, const char *name)
{
    size_t len = strlen(pattern);
    if (len > 0 && pattern[len - 1] == '*')
        return strncmp(pattern, name, len - 1) == 0;
    return strcmp(pattern, name) == 0;
}

bool db__name_matches(const char *const *list, const char *name)
{
    for (; list && *list; list++)
        if (matches(*list, name))
            return true;
    return false;
}

static const char *const *copy_list(const char *const *list)
{
    if (!list)
        return NULL;
    size_t count = 0;
    while (list[count])
        count++;
    const char **copy = mem_new((count + 1) * sizeof *copy);
    for (size_t i = 0; i < count; i++)
        copy[i] = mem_strdup(list[i]);
    return copy;
}

static void free_list(const char *const *list)
{
    for (size_t i = 0; list && list[i]; i++)
        free((char *)list[i]);
    free((void *)list);
}

static const struct db_session_id *copy_sessions(const struct db_session_id *sessions, size_t count)
{
    if (!sessions)
        return NULL;
    struct db_session_id *copy = mem_new((count + 1) * sizeof *copy);
    for (size_t i = 0; i < count; i++)
        copy[i] = (struct db_session_id){.pid = sessions[i].pid,
                                         .backend_start = mem_strdup(sessions[i].backend_start)};
    return copy;
}

static void free_sessions(const struct db_session_id *sessions, size_t count)
{
    for (size_t i = 0; sessions && i < count; i++)
        free((char *)sessions[i].backend_start);
    free((void *)sessions);
}

struct db_clean_rules db__rules_copy(const struct db_clean_rules *rules)
{
    struct db_clean_rules copy = *rules;
    copy.applications = copy_list(rules->applications);
    copy.roles = copy_list(rules->roles);
    copy.databases = copy_list(rules->databases);
    copy.clients = copy_list(rules->clients);
    copy.sessions = copy_sessions(rules->sessions, rules->session_count);
    copy.protect = copy_list(rules->protect);
    return copy;
}

void db__rules_free(struct db_clean_rules *rules)
{
    free_list(rules->applications);
    free_list(rules->roles);
    free_list(rules->databases);
    free_list(rules->clients);
    free_sessions(rules->sessions, rules->session_count);
    free_list(rules->protect);
}
