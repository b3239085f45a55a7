/* The answer as JSON: each session with its holder, and the sessions counted by state, application,
 * client, container and service. Pure. */
#include "base/mem.h"
#include "holders/holders_private.h"

#include <string.h>

struct group {
    const char *name;
    int count;
    int idle, idle_in_transaction;
    double oldest_s;      /* in the present state */
    double oldest_idle_s; /* of both kinds of idle */
};

struct grouping {
    struct group *groups;
    size_t count;
};

static struct group *group_named(struct grouping *grouping, const char *name)
{
    for (size_t i = 0; i < grouping->count; i++)
        if (strcmp(grouping->groups[i].name, name) == 0)
            return &grouping->groups[i];
    struct group *group = MEM_PUSH(grouping->groups, grouping->count);
    group->name = name;
    return group;
}

static void raise_to(double *oldest_s, double age_s)
{
    if (age_s > *oldest_s)
        *oldest_s = age_s;
}

static void group_add(struct grouping *grouping, const char *name, const struct db_session *session)
{
    struct group *group = group_named(grouping, *name ? name : "(unknown)");
    bool idle = strcmp(session->state, "idle") == 0;
    /* "… (aborted)" too */
    bool in_transaction = strncmp(session->state, "idle in transaction", 19) == 0;
    group->count++;
    group->idle += idle;
    group->idle_in_transaction += in_transaction;
    raise_to(&group->oldest_s, session->state_age_s);
    if (idle || in_transaction)
        raise_to(&group->oldest_idle_s, session->state_age_s);
}

/* The largest group first; equal ones by name, so that the order is stable. */
static int group_compare(const void *a, const void *b)
{
    const struct group *x = a;
    const struct group *y = b;
    return x->count != y->count ? y->count - x->count : strcmp(x->name, y->name);
}

static json_t *group_json(const struct group *group)
{
    json_t *item = json_object();
    json_set_text(item, "name", group->name);
    json_set_int(item, "count", group->count);
    json_object_set_new(item, "oldest_seconds", json_real(group->oldest_s));
    return item;
}

static void tell_holding(json_t *item, const struct group *group, int ordinary)
{
    json_set_int(item, "idle", group->idle);
    json_set_int(item, "idle_in_transaction", group->idle_in_transaction);
    json_object_set_new(item, "oldest_idle_seconds", json_real(group->oldest_idle_s));
    json_object_set_new(item, "share",
                        json_real(ordinary > 0 ? (double)group->count / ordinary : 0));
}

/* `ordinary`: how many slots there are to hold; < 0: not a group of holders. */
static json_t *grouping_json(struct grouping *grouping, int ordinary)
{
    json_t *list = json_array();
    if (grouping->count)
        qsort(grouping->groups, grouping->count, sizeof *grouping->groups, group_compare);
    for (size_t i = 0; i < grouping->count; i++) {
        json_t *item = group_json(&grouping->groups[i]);
        if (ordinary >= 0)
            tell_holding(item, &grouping->groups[i], ordinary);
        json_array_append_new(list, item);
    }
    free(grouping->groups);
    return list;
}

static json_t *groups_json(const struct holders *holders)
{
    struct grouping by_state = {0}, by_application = {0}, by_client = {0}, by_container = {0},
                    by_service = {0};
    const struct db_activity *activity = holders->activity;
    for (size_t i = 0; i < activity->session_count; i++) {
        const struct db_session *session = &activity->sessions[i];
        const struct holder *holder = &holders->holders[i];
        group_add(&by_state, session->state, session);
        group_add(&by_application, session->application, session);
        group_add(&by_client, session->client, session);
        group_add(&by_container, holder->label, session);
        group_add(&by_service, holder->container ? holder->container->service : holder->label,
                  session);
    }
    int reserved = activity->reserved < activity->max_connections ? activity->reserved : 0;
    int ordinary = activity->max_connections - reserved;
    json_t *groups = json_object();
    json_object_set_new(groups, "state", grouping_json(&by_state, -1));
    json_object_set_new(groups, "application", grouping_json(&by_application, -1));
    json_object_set_new(groups, "client", grouping_json(&by_client, -1));
    json_object_set_new(groups, "container", grouping_json(&by_container, ordinary));
    json_object_set_new(groups, "service", grouping_json(&by_service, ordinary));
    return groups;
}

json_t *holders_json(const struct holders *holders)
{
    json_t *json = db_activity_json(holders->activity);
    json_t *sessions = json_object_get(json, "sessions");
    for (size_t i = 0; i < holders->activity->session_count; i++) {
        const struct holder *holder = &holders->holders[i];
        json_t *item = json_array_get(sessions, i);
        json_set_text(item, "container", holder->container ? holder->container->name : NULL);
        json_set_text(item, "service", holder->container ? holder->container->service : NULL);
        json_set_text(item, "holder", holder->label);
    }
    json_object_set_new(json, "groups", groups_json(holders));
    json_object_set_new(json, "attribution_error",
                        err_is_set(&holders->why) ? json_from_err(&holders->why) : json_null());
    return json;
}
