/* The story of a run: its entries, its summary, and the time it could not have done without. */
#include "base/log.h"
#include "base/mem.h"
#include "playbooks/run_private.h"

#include <string.h>

/* --- entries ---------------------------------------------------------------------------------- */

static void stamp(struct run *run, json_t *entry, bool kept)
{
    char at[CLOCK_STAMP_MAX];
    if (kept)
        json_set_int(entry, "seq", ++run->seq);
    json_set_int(entry, "run", run->id);
    json_set_text(entry, "at", clock_stamp(clock_wall_ms(), at));
    json_set_int(entry, "elapsed_ms", story_took_ms(run));
}

void story_add_then(struct run *run, json_t *entry, loop_fn done, void *data)
{
    stamp(run, entry, true);
    json_array_append_new(run->entries, entry);
    journal_add(runner_journal(run->runner), run->id, entry, done, data);
    runner_tell(run->runner, NULL);
}

void story_add(struct run *run, json_t *entry)
{
    story_add_then(run, entry, NULL, NULL);
}

void story_end(struct run *run, json_t *entry, loop_fn done)
{
    stamp(run, entry, true);
    json_array_append_new(run->entries, entry);
    json_t *summary = story_summary(run);
    journal_end(runner_journal(run->runner), run->id, entry, summary, done, run);
    json_decref(summary);
    runner_tell(run->runner, NULL);
}

void story_tell(struct run *run, json_t *entry)
{
    stamp(run, entry, false);
    runner_tell(run->runner, entry);
    json_decref(entry);
}

void run_note(struct run *run, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    CLEANUP_FREE char *text = mem_vprintf(format, args);
    va_end(args);
    log_warning("run %lld: %s", (long long)run->id, text);
    json_t *entry = json_object();
    json_set_text(entry, "type", "note");
    json_set_text(entry, "text", text);
    story_add(run, entry);
}

static const char *const action_states[] = {
    [ACTION_PENDING] = "pending", [ACTION_INTENDED] = "running", [ACTION_RUNNING] = "running",
    [ACTION_DONE] = "done",       [ACTION_FAILED] = "failed",    [ACTION_SKIPPED] = "skipped",
};
_Static_assert(ARRAY_SIZE(action_states) == ACTION_STATES, "a word for every state");

json_t *story_action(const struct action_run *a, const char *text, const struct err *e,
                     json_t *detail)
{
    json_t *entry = json_object();
    json_set_text(entry, "type", "action");
    json_set_text(entry, "action", a->action->id);
    json_set_text(entry, "state", action_states[a->state]);
    json_set_text(entry, "text", text);
    if (a->state == ACTION_DONE || a->state == ACTION_FAILED)
        json_set_int(entry, "took_ms", a->ended_ms - a->started_ms);
    if (e)
        json_object_set_new(entry, "error", json_from_err(e));
    if (detail)
        json_object_set_new(entry, "detail", detail);
    return entry;
}

static bool is_entry_of(const json_t *entry, const char *type, const char *action)
{
    return strcmp(json_text_at(entry, "type", ""), type) == 0 &&
           strcmp(json_text_at(entry, "action", ""), action) == 0;
}

static bool is_state_of(const json_t *entry, const char *action, const char *state)
{
    return is_entry_of(entry, "action", action) &&
           strcmp(json_text_at(entry, "state", ""), state) == 0;
}

const json_t *story_last(const struct run *run, const char *action, const char *state)
{
    for (size_t i = json_array_size(run->entries); i > 0; i--)
        if (is_state_of(json_array_get(run->entries, i - 1), action, state))
            return json_array_get(run->entries, i - 1);
    return NULL;
}

int story_times_begun(const struct run *run, const char *action)
{
    int count = 0;
    for (size_t i = 0; i < json_array_size(run->entries); i++) {
        const json_t *entry = json_array_get(run->entries, i);
        count += is_state_of(entry, action, "running");
    }
    return count;
}

void story_keep_then(struct action_run *a, const char *text, json_t *detail, loop_fn done)
{
    json_t *entry = json_object();
    json_set_text(entry, "type", "note");
    json_set_text(entry, "action", a->action->id);
    json_set_text(entry, "text", text);
    json_object_set_new(entry, "detail", detail);
    story_add_then(a->run, entry, done, a);
}

const json_t *story_kept(const struct run *run, const char *action)
{
    for (size_t i = json_array_size(run->entries); i > 0; i--) {
        const json_t *entry = json_array_get(run->entries, i - 1);
        if (is_entry_of(entry, "note", action) && json_at(entry, "detail"))
            return json_at(entry, "detail");
    }
    return NULL;
}

/* --- summary ---------------------------------------------------------------------------------- */

const char *story_state(const struct run *run)
{
    if (run->phase == RUN_LEFT)
        return "interrupted";
    if (run->phase != RUN_ENDED)
        return run->aborted ? "aborting" : "running";
    return run->aborted ? "aborted" : run->failed ? "failed" : "succeeded";
}

int64_t story_took_ms(const struct run *run)
{
    size_t count = json_array_size(run->entries);
    if (run->phase == RUN_LEFT) /* until its last word: nothing has been done since */
        return json_int_at(json_array_get(run->entries, count - 1), "elapsed_ms", 0);
    return loop_now(run->loop) - run->started_ms;
}

json_t *story_summary(const struct run *run)
{
    char at[CLOCK_STAMP_MAX];
    json_t *summary = json_object();
    bool ended = run->phase == RUN_ENDED;
    int64_t took = story_took_ms(run);
    json_set_int(summary, "run", run->id);
    json_set_text(summary, "playbook", run->plan->playbook->name);
    json_set_text(summary, "project", run->plan->project);
    json_set_text(summary, "database_id", run->database_id);
    json_set_text(summary, "trigger", run->trigger);
    json_set_text(summary, "requester", run->requester);
    json_set_text(summary, "state", story_state(run));
    json_set_text(summary, "plan_id", run->plan->id);
    json_set_text(summary, "started_at", clock_stamp(run->started_wall_ms, at));
    json_set_int(summary, "started_ms", run->started_wall_ms);
    json_set_text(summary, "ended_at", ended ? clock_stamp(run->started_wall_ms + took, at) : NULL);
    json_set_int(summary, "took_ms", took);
    if (ended) {
        int64_t critical = story_critical_ms(run);
        json_set_int(summary, "critical_ms", critical);
        json_object_set_new(summary, "overhead",
                            critical > 0 && !run->resumed
                                ? json_real((double)took / (double)critical - 1)
                                : json_null());
    }
    json_set_text(summary, "text", run->outcome);
    json_set_bool(summary, "resumed", run->resumed);
    return summary;
}

json_t *story_connections(const struct db_activity *activity)
{
    json_t *connections = json_object();
    json_set_int(connections, "used", activity->used);
    json_set_int(connections, "max", activity->max_connections);
    json_set_int(connections, "reserved", activity->reserved);
    json_object_set_new(connections, "utilization", json_real(db_activity_utilization(activity)));
    return connections;
}

json_t *story_containers(const struct stack *stack)
{
    json_t *list = json_array();
    for (size_t s = 0; s < stack->service_count; s++) {
        for (size_t i = 0; i < stack->services[s].container_count; i++) {
            const struct container *c = stack->services[s].containers[i];
            json_t *item = json_object();
            json_set_text(item, "name", c->name);
            json_set_text(item, "service", stack->services[s].name);
            json_set_text(item, "state", container_state_name(c->state));
            json_set_text(item, "health", container_health_name(c->health));
            json_array_append_new(list, item);
        }
    }
    return list;
}

/* --- the critical path --------------------------------------------------------------------------
 *
 * What the world needed for an action: from its beginning to the Engine's own event that ends it
 * (the last die or stop of a stop, the start of a start, the health of a wait). Between that event
 * and the end of the action lies our own time. Actions that have no event count whole, except what
 * a step has said itself (own_ms). */

static bool event_ends(const struct action_run *a, const struct run_event *event)
{
    switch (a->action->kind) {
    case ACTION_STOP:
        return strcmp(event->action, "die") == 0 || strcmp(event->action, "stop") == 0;
    case ACTION_START:
        return strcmp(event->action, "start") == 0;
    case ACTION_WAIT_HEALTHY:
        return strcmp(event->action, "health_status") == 0 && strcmp(event->detail, "healthy") == 0;
    default:
        return false;
    }
}

static int64_t own_time_ms(const struct run *run, const struct action_run *a)
{
    enum { NS_PER_MS = 1000000 };
    int64_t took = a->ended_ms - a->started_ms;
    if (a->state != ACTION_DONE && a->state != ACTION_FAILED)
        return 0;
    if (a->own_ms >= 0)
        return a->own_ms < took ? a->own_ms : took;
    int64_t end_ns = 0;
    for (size_t i = 0; i < run->event_count; i++) {
        const struct run_event *event = &run->events[i];
        if (event->time_ns >= a->started_ns && event->time_ns <= a->ended_ns &&
            a->action->container_id && strcmp(event->id, a->action->container_id) == 0 &&
            event_ends(a, event))
            end_ns = event->time_ns;
    }
    if (end_ns == 0)
        return took;
    int64_t own = (end_ns - a->started_ns + NS_PER_MS / 2) / NS_PER_MS;
    return own < took ? own : took;
}

json_t *story_own_times(const struct run *run)
{
    json_t *times = json_object();
    for (size_t i = 0; i < run->plan->action_count; i++) {
        const struct action_run *a = &run->actions[i];
        if (a->started_ms)
            json_set_int(times, a->action->id, own_time_ms(run, a));
    }
    return times;
}

int64_t story_critical_ms(const struct run *run)
{
    const struct plan *plan = run->plan;
    int64_t *ends = mem_new(plan->action_count * sizeof *ends);
    int64_t longest = 0;
    for (size_t i = 0; i < plan->action_count; i++) {
        int64_t starts = 0;
        const struct action *action = &plan->actions[i];
        for (size_t k = 0; k < action->after_count; k++)
            if (ends[action->after[k]] > starts)
                starts = ends[action->after[k]];
        ends[i] = starts + own_time_ms(run, &run->actions[i]);
        if (ends[i] > longest)
            longest = ends[i];
    }
    free(ends);
    return longest;
}
