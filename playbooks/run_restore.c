/* A run of an earlier life: what its story says of each action, and whether it is carried on or
 * only wound up. See runner.h for the life of a run; run.c drives it from here on.
 *
 * Touches the run alone. The states of its actions are set here without action_becomes(), since
 * they are read: nothing changes by it. */
#include "base/mem.h"
#include "playbooks/run_private.h"

#include <string.h>

static struct action_run *run_action(struct run *run, const char *id)
{
    for (size_t i = 0; id && i < run->plan->action_count; i++)
        if (strcmp(run->plan->actions[i].id, id) == 0)
            return &run->actions[i];
    return NULL;
}

static void describe_late(struct run *run)
{
    run->failed = true;
    if (!*run->outcome)
        snprintf(run->outcome, sizeof run->outcome,
                 "another run was at work on the stack when it was to be carried on: only what it "
                 "had stopped was started");
}

/* One entry of an earlier life. An action with an intent and no result stays pending: it is done
 * again. */
static void restore_entry(struct run *run, const json_t *entry)
{
    const char *type = json_text_at(entry, "type", "");
    const char *state = json_text_at(entry, "state", "");
    run->seq = json_int_at(entry, "seq", run->seq);
    if (strcmp(type, "abort") == 0) {
        run->aborted = run->winding = true;
        snprintf(run->outcome, sizeof run->outcome, "aborted by %s", json_text_at(entry, "by", ""));
    }
    if (json_bool_at(entry, "held", false)) { /* it came late to that life already */
        run->winding = true;
        describe_late(run);
    }
    struct action_run *a = run_action(run, json_text_at(entry, "action", NULL));
    if (strcmp(type, "action") != 0 || !a)
        return;
    a->begun_before = strcmp(state, "running") == 0;
    if (strcmp(state, "done") == 0)
        a->state = ACTION_DONE;
    else if (strcmp(state, "skipped") == 0)
        a->state = ACTION_SKIPPED;
    else if (strcmp(state, "failed") == 0) {
        a->state = ACTION_FAILED;
        if (!a->action->goes_on) {
            run->failed = true;
            run->winding = run->winding || !a->class->owed;
            snprintf(run->outcome, sizeof run->outcome, "%s failed: %s", a->action->id,
                     json_text_at(entry, "error/message", ""));
        }
    }
}

/* What was right an hour ago need not be now. */
static void run_is_too_old(struct run *run)
{
    run->winding = run->failed = true;
    if (!*run->outcome)
        snprintf(run->outcome, sizeof run->outcome,
                 "it began too long ago to be carried on: only what it had stopped was started");
}

void run_restore(struct run *run, const json_t *record)
{
    enum { TOO_OLD_MS = 3600000 };
    const json_t *entries = json_at(record, "entries");
    for (size_t i = 0; i < json_array_size(entries); i++) {
        json_t *entry = json_array_get(entries, i);
        json_array_append(run->entries, entry);
        restore_entry(run, entry);
    }
    run->id = json_int_at(record, "run", 0);
    run->resumed = true;
    mem_replace(&run->database_id, json_text_at(record, "database_id", NULL));
    run->phase = RUN_LEFT;
    run->started_wall_ms = json_int_at(record, "started_ms", clock_wall_ms());
    int64_t age_ms = clock_wall_ms() - run->started_wall_ms;
    if (age_ms > TOO_OLD_MS)
        run_is_too_old(run);
    /* A clock that was set back meanwhile knows less than the story does. */
    const json_t *last = json_array_get(entries, json_array_size(entries) - 1);
    int64_t told_ms = json_int_at(last, "elapsed_ms", 0);
    run->started_ms = loop_now(run->loop) - (age_ms > told_ms ? age_ms : told_ms);
}

void run_comes_late(struct run *run)
{
    run->held = false;
    describe_late(run);
    run_wind_up(run);
    run_turn(run); /* it may have been winding up before */
}
