/* See holders.h. */
#include "playbooks/holders.h"

#include "base/mem.h"

#include <string.h>

struct group {
    const char *name;
    int count;
    double oldest_s;
};

struct grouping {
    struct group *groups;
    size_t count;
};

static void group_add(struct grouping *grouping, const char *name, double age_s)
{
    struct group *group = NULL;
    for (size_t i = 0; i < grouping->count && !group; i++)
        if (strcmp(grouping->groups[i].name, name) == 0)
            group = &grouping->groups[i];
    if (!group) {
        group = MEM_PUSH(grouping->groups, grouping->count);
        group->name = name;
    }
    group->count++;
    if (age_s > group->oldest_s)
        group->oldest_s = age_s;
}

/* The largest group first; equal ones by name, so that the order is stable. */
static int group_compare(const void *a, const void *b)
{
    const struct group *x = a;
    const struct group *y = b;
    return x->count != y->count ? y->count - x->count : strcmp(x->name, y->name);
}

static json_t *grouping_json(struct grouping *grouping)
{
    json_t *list = json_array();
    if (grouping->count)
        qsort(grouping->groups, grouping->count, sizeof *grouping->groups, group_compare);
    for (size_t i = 0; i < grouping->count; i++) {
        json_t *item = json_object();
        json_set_text(item, "name", grouping->groups[i].name);
        json_set_int(item, "count", grouping->groups[i].count);
        json_object_set_new(item, "oldest_seconds", json_real(grouping->groups[i].oldest_s));
        json_array_append_new(list, item);
    }
    free(grouping->groups);
    return list;
}

static const char *or_unknown(const char *text)
{
    return text && *text ? text : "(unknown)";
}

json_t *holders_json(const struct db_activity *activity, const struct stack *stack)
{
    struct grouping by_state = {0};
    struct grouping by_application = {0};
    struct grouping by_client = {0};
    struct grouping by_container = {0};
    json_t *json = db_activity_json(activity);
    json_t *sessions = json_object_get(json, "sessions");
    for (size_t i = 0; i < activity->session_count; i++) {
        const struct db_session *session = &activity->sessions[i];
        const struct container *c = stack ? stack_container_at(stack, session->client) : NULL;
        json_t *item = json_array_get(sessions, i);
        json_set_text(item, "container", c ? c->name : NULL);
        json_set_text(item, "service", c ? c->service : NULL);
        group_add(&by_state, or_unknown(session->state), session->state_age_s);
        group_add(&by_application, or_unknown(session->application), session->state_age_s);
        group_add(&by_client, or_unknown(session->client), session->state_age_s);
        group_add(&by_container, c ? c->name : "(unknown)", session->state_age_s);
    }
    json_t *groups = json_object();
    json_object_set_new(groups, "state", grouping_json(&by_state));
    json_object_set_new(groups, "application", grouping_json(&by_application));
    json_object_set_new(groups, "client", grouping_json(&by_client));
    json_object_set_new(groups, "container", grouping_json(&by_container));
    json_object_set_new(json, "groups", groups);
    return json;
}
