/* See told.h. The rows are held as the JSON that is stored. */
#include "notify/told.h"

#include "base/mem.h"
#include "notify/notify.h"

#include <string.h>

enum {
    INCIDENTS_MAX = 256,
    WHATS_MAX = 64, /* of one incident and receiver; the oldest is forgotten */
};

struct notify__told {
    json_t *incidents; /* key -> row, the oldest first (jansson keeps the order) */
};

struct notify__told *notify__told_new(void)
{
    struct notify__told *told = mem_new(sizeof *told);
    told->incidents = json_object();
    return told;
}

struct notify__told *notify__told_free(struct notify__told *told)
{
    if (told)
        json_decref(told->incidents);
    free(told);
    return NULL;
}

char *notify__told_what(enum notify__kind kind, const struct notify_event *event)
{
    const char *name = notify__kind_names[kind];
    if (kind == NOTIFY__ASK)
        return mem_printf("%s %lld", name, (long long)event->decision);
    if (kind == NOTIFY__ACTED && event->playbook)
        return mem_printf("%s %s", name, event->playbook);
    return mem_strdup(name);
}

/* Keys and names are the user's: they are looked up whole, never as paths. */
static json_t *list_of(const struct notify__told *told, const char *key, const char *receiver)
{
    const json_t *row = json_object_get(told->incidents, key);
    return json_object_get(json_object_get(row, "to"), receiver);
}

bool notify__told_has(const struct notify__told *told, const char *key, const char *receiver,
                      const char *what)
{
    size_t index;
    json_t *item;
    json_array_foreach(list_of(told, key, receiver), index, item)
    {
        if (strcmp(json_text_at(item, "what", ""), what) == 0)
            return true;
    }
    return false;
}

static bool names(const json_t *list, const char *kind, const char *severity)
{
    size_t index;
    json_t *item;
    json_array_foreach(list, index, item)
    {
        if (strcmp(json_text_at(item, "kind", ""), kind) == 0 &&
            strcmp(json_text_at(item, "severity", ""), severity) == 0)
            return true;
    }
    return false;
}

json_t *notify__told_list(const struct notify__told *told, const char *key, const char *receiver)
{
    size_t index;
    json_t *item;
    json_t *list = list_of(told, key, receiver);
    if (json_array_size(list) == 0)
        return NULL;
    json_t *result = json_array();
    json_array_foreach(list, index, item)
    {
        const char *kind = json_text_at(item, "kind", "");
        const char *severity = json_text_at(item, "severity", "");
        if (!names(result, kind, severity))
            json_array_append_new(result,
                                  json_pack("{s:s,s:s}", "kind", kind, "severity", severity));
    }
    return result;
}

int64_t notify__told_since(const struct notify__told *told, const char *key, const char *receiver,
                           int64_t now_wall_ms)
{
    const json_t *row = json_object_get(told->incidents, key);
    const json_t *since = json_object_get(json_object_get(row, "since"), receiver);
    return json_is_integer(since) ? json_integer_value(since) : now_wall_ms;
}

static char *make_room(struct notify__told *told)
{
    if (json_object_size(told->incidents) < INCIDENTS_MAX)
        return NULL;
    char *key = mem_strdup(json_object_iter_key(json_object_iter(told->incidents)));
    json_object_del(told->incidents, key);
    return key;
}

void notify__told_add(struct notify__told *told, const char *key, const char *receiver,
                      const char *what, enum notify__kind kind, enum notify__severity severity,
                      int64_t now_wall_ms, char **ret_forgotten)
{
    json_t *row = json_object_get(told->incidents, key);
    *ret_forgotten = NULL;
    if (!row) {
        *ret_forgotten = make_room(told);
        row = json_pack("{s:{},s:{}}", "since", "to");
        json_object_set_new(told->incidents, key, row);
    }
    json_t *list = list_of(told, key, receiver);
    if (!list) {
        json_object_set_new(json_object_get(row, "since"), receiver, json_integer(now_wall_ms));
        list = json_array();
        json_object_set_new(json_object_get(row, "to"), receiver, list);
    }
    json_t *item = json_object();
    json_set_text(item, "what", what);
    json_set_text(item, "kind", notify__kind_names[kind]);
    json_set_text(item, "severity", notify__severity_names[severity]);
    if (json_array_size(list) >= WHATS_MAX)
        json_array_remove(list, 0);
    json_array_append_new(list, item);
}

bool notify__told_forget(struct notify__told *told, const char *key)
{
    return json_object_del(told->incidents, key) == 0;
}

const json_t *notify__told_row(const struct notify__told *told, const char *key)
{
    return json_object_get(told->incidents, key);
}

bool notify__told_restore(struct notify__told *told, const char *key, const json_t *row)
{
    const char *receiver;
    json_t *list;
    json_t *to = json_object_get(row, "to");
    if (!json_is_object(to) || !json_is_object(json_object_get(row, "since")))
        return false;
    json_object_foreach(to, receiver, list)
    {
        if (!json_is_array(list))
            return false;
    }
    json_object_set_new(told->incidents, key, json_deep_copy(row));
    return true;
}
