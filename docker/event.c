/* See event.h. Docker: only Type, Action, Actor, time and timeNano are there in every version.
 * Podman: `died` and `remove` before it learnt Docker's words, and health_status bears its result
 * in a field beside. */
#include "docker/event.h"

#include "base/buf.h"
#include "base/hash.h"
#include "base/mem.h"
#include "docker/answer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NS_PER_S INT64_C(1000000000)

/* What we ask the Engine for; exec_* come by the dozen with every health check. */
static const char *const actions[] = {"create", "start",   "die",     "stop",
                                      "kill",   "oom",     "pause",   "unpause",
                                      "rename", "restart", "destroy", "health_status"};

static const struct {
    const char *theirs, *docker;
} podman_actions[] = {{"died", "die"}, {"remove", "destroy"}};

static bool is_known(const char *action)
{
    for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
        if (strcmp(actions[i], action) == 0)
            return true;
    return false;
}

/* "health_status: healthy" to its two halves. */
static void split_action(const char *text, struct docker__event_line *line)
{
    size_t len = strcspn(text, ":");
    snprintf(line->action, sizeof line->action, "%.*s", (int)(len < 60 ? len : 60), text);
    const char *detail = text[len] ? text + len + 1 : "";
    line->event.action = line->action;
    line->event.detail = detail + strspn(detail, " ");
    for (size_t i = 0; i < ARRAY_SIZE(podman_actions); i++)
        if (strcmp(podman_actions[i].theirs, line->action) == 0)
            line->event.action = podman_actions[i].docker;
    if (!line->event.detail[0])
        line->event.detail = json_text_at(line->json, "HealthStatus", "");
}

static int64_t time_of(const json_t *json)
{
    int64_t ns = json_int_at(json, "timeNano", 0);
    int64_t seconds = json_int_at(json, "time", 0);
    return ns > 0 ? ns : seconds > 0 && seconds < INT64_MAX / NS_PER_S ? seconds * NS_PER_S : 0;
}

bool docker__event_parse(const char *text, size_t len, struct docker__event_line *ret,
                         struct err *e)
{
    err_clear(e);
    struct docker__event_line line = {.json = json_parse(text, len, "event", e)};
    const char *action = json_text_at(line.json, "Action", NULL);
    const char *type = json_text_at(line.json, "Type", NULL);
    const char *id = json_text_at(line.json, "Actor/ID", NULL);
    if (line.json && (!action || !type))
        err_set(e, ERR_PROTOCOL, "event: neither Type nor Action in it");
    bool is_wanted = action && type && id && strcmp(type, "container") == 0;
    if (is_wanted)
        split_action(action, &line);
    if (!is_wanted || !is_known(line.event.action)) {
        json_decref(line.json);
        return false;
    }
    line.event.id = id;
    line.event.name = json_text_at(line.json, "Actor/Attributes/name", "");
    line.event.attributes = json_at(line.json, "Actor/Attributes");
    line.event.time_ns = time_of(line.json);
    *ret = line;
    if (line.event.action == line.action)
        ret->event.action = ret->action; /* the copy's own text */
    return true;
}

void docker__event_clear(struct docker__event_line *line)
{
    json_decref(line->json);
    line->json = NULL;
}

bool docker__seen_before(struct docker__seen *seen, const struct docker_event *event)
{
    CLEANUP_FREE char *key =
        mem_printf("%" PRId64 " %s %s", event->time_ns, event->id, event->action);
    uint64_t hash = hash_bytes(key, strlen(key));
    for (size_t i = 0; i < DOCKER__SEEN_MAX; i++)
        if (seen->hashes[i] == hash)
            return true;
    seen->hashes[seen->next] = hash;
    seen->next = (seen->next + 1) % DOCKER__SEEN_MAX;
    return false;
}

char *docker__events_path(bool is_podman, int64_t since_ns)
{
    CLEANUP_JSON json_t *filters = json_object();
    json_t *types = json_array();
    json_array_append_new(types, json_string("container"));
    json_object_set_new(filters, "type", types);
    if (!is_podman) {
        json_t *events = json_array();
        for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
            json_array_append_new(events, json_string(actions[i]));
        json_object_set_new(filters, "event", events);
    }
    CLEANUP_FREE char *line = json_line(filters);
    CLEANUP_FREE char *escaped = docker__escape(line);
    if (since_ns <= 0)
        return mem_printf("/events?filters=%s", escaped);
    /* Seconds with exactly nine digits behind the point: a bare number of nanoseconds would be
     * taken for seconds far in the future. */
    return mem_printf("/events?filters=%s&since=%" PRId64 ".%09" PRId64, escaped,
                      since_ns / NS_PER_S, since_ns % NS_PER_S);
}
