/* See clean_rules.h. */
#include "playbooks/clean_rules.h"

#include "base/mem.h"

#include <string.h>

bool clean_rules_want_holders(const struct step *step)
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

static void collect_sessions(struct clean_rules *made, const struct step *step,
                             const struct holders *holders)
{
    const struct db_activity *activity = holders_activity(holders);
    made->sessions = mem_new((activity->session_count + 1) * sizeof *made->sessions);
    for (size_t i = 0; i < activity->session_count; i++) {
        const struct db_session *session = &activity->sessions[i];
        const struct container *c = holders_container(holders, i);
        if (c && step_names(step, c))
            made->sessions[made->session_count++] = (struct db_session_id){
                .pid = session->pid, .backend_start = mem_strdup(session->backend_start)};
        made->unknown += !holders_is_known(holders, i) && !session->ours;
    }
}

struct clean_rules *clean_rules_new(const struct step *step, const struct holders *holders)
{
    struct clean_rules *made = mem_new(sizeof *made);
    if (step->containers)
        collect_sessions(made, step, holders);
    made->rules = (struct db_clean_rules){
        .idle_ms = step->idle_ms,
        .idle_in_transaction_ms = step->idle_in_transaction_ms,
        .applications = (const char *const *)step->applications,
        .roles = (const char *const *)step->roles,
        .databases = (const char *const *)step->databases,
        .clients = (const char *const *)step->clients,
        .sessions = made->sessions,
        .session_count = made->session_count,
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
    for (size_t i = 0; i < rules->session_count; i++)
        free((char *)rules->sessions[i].backend_start);
    free(rules->sessions);
    free(rules);
    return NULL;
}
