/* From the last action to the end of a run: is everything that ran before running again, what does
 * the world look like now, and the last entry. See runner.h. */
#include "base/log.h"
#include "base/mem.h"
#include "playbooks/run_private.h"

#include <string.h>

enum {
    SETTLE_PATIENCE_MS = 60000, /* for an engine that is away */
    SETTLE_AGAIN_MS = 500,
    STARTS_MAX = 4,  /* of what the engine does not start … */
    STARTS_MORE = 8, /* … and where it was away: it may be long in letting go of a former life */
    STARTS_AGAIN_MAX_MS = 4000,
    LOAD_MS = 15000,
    START_MS = 60000,
    BLIND_MS = 15000, /* a start, when the Engine has not been legible for so long */
    LOOK_MS = 3000,   /* at the database, for the story's "after" */
};

struct settle {
    struct stack *stack; /* as it is now */
    struct timer *again;
    int64_t deadline_ms;
    int starts_pending;
    int rounds;         /* of starts */
    bool refused;       /* a start of this round was */
    bool started_again; /* the last try was made: what is still down is reported */
};

static void settle_load(void *data);

/* Counts a call of the run itself; false when the daemon is ending: touch nothing more. */
static bool settle_landed(struct run *run)
{
    run->in_flight--;
    if (run->draining) {
        run_turn(run);
        return false;
    }
    return true;
}

void settle_free(struct run *run)
{
    if (!run->settle)
        return;
    stack_unref(run->settle->stack);
    timer_free(run->settle->again);
    free(run->settle);
    run->settle = NULL;
}

/* --- the end ---------------------------------------------------------------------------------- */

static void describe_success(struct run *run)
{
    char took[DURATION_MAX];
    char critical[DURATION_MAX];
    snprintf(run->outcome, sizeof run->outcome, "%s in %s, critical path %s",
             run->plan->playbook->name, duration_text(story_took_ms(run), took),
             duration_text(story_critical_ms(run), critical));
}

static json_t *end_entry(const struct run *run)
{
    json_t *entry = story_summary(run);
    json_object_del(entry, "run");
    json_set_text(entry, "type", "end");
    json_object_set_new(entry, "own_ms", story_own_times(run));
    json_object_set(entry, "left_stopped", run->left_stopped);
    json_object_set_new(entry, "before", run->before ? json_incref(run->before) : json_null());
    json_object_set_new(entry, "after", run->after ? json_incref(run->after) : json_null());
    return entry;
}

static void on_end_stored(void *data)
{
    struct run *run = data;
    run->in_flight--;
    run_turn(run);
}

static void settle_end(struct run *run)
{
    if (json_array_size(run->left_stopped) > 0) {
        run->failed = true;
        CLEANUP_FREE char *names = json_line(run->left_stopped);
        log_error("run %lld: left stopped: %s", (long long)run->id, names);
        if (!*run->outcome)
            snprintf(run->outcome, sizeof run->outcome, "left stopped: %.*s", 400, names);
    }
    run->phase = RUN_ENDED;
    if (!run->failed && !run->aborted)
        describe_success(run);
    log_line(run->failed ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO, "run %lld: %s: %s", (long long)run->id,
             story_state(run), run->outcome);
    run->in_flight++;
    story_end(run, end_entry(run), on_end_stored);
}

/* --- what the world looks like now ------------------------------------------------------------ */

static void on_activity(void *data, const struct err *e, const struct db_activity *activity)
{
    struct run *run = data;
    if (!settle_landed(run))
        return;
    if (!e) {
        json_object_set_new(run->after, "connections", story_connections(activity));
        if (activity->available <= 0)
            json_set_text(run->after, "database", db_state_name(DB_EXHAUSTED));
    }
    settle_end(run);
}

static void on_probe(void *data, const struct db_probe *probe)
{
    struct run *run = data;
    if (!settle_landed(run))
        return;
    json_set_text(run->after, "database", db_state_name(probe->state));
    if (probe->state != DB_READY) {
        settle_end(run);
        return;
    }
    run->in_flight++;
    db_activity(reach_db(runner_reach(run->runner)), LOOK_MS, on_activity, run);
}

static void settle_look(struct run *run)
{
    run->after = json_object();
    json_object_set_new(run->after, "containers", story_containers(run->settle->stack));
    struct err failure;
    if (run_aim(run, run->settle->stack, &failure) != 0) {
        run_note(run, "the database could not be looked at: %s", failure.text);
        settle_end(run);
        return;
    }
    run->in_flight++;
    db_probe(reach_db(runner_reach(run->runner)), LOOK_MS, on_probe, run);
}

/* --- what ran before runs again --------------------------------------------------------------- */

/* The run may have stopped this one: its stop began, in this life or before, however it ended. */
static bool was_stopped(const struct action_run *a)
{
    return a->action->kind == ACTION_STOP && story_times_begun(a->run, a->action->id) > 0;
}

/* The container an action stopped, or the one that somebody put in its place meanwhile. */
static struct container *present_container(const struct stack *stack, const struct action *action)
{
    struct container *c = stack_container(stack, action->container_id);
    return c ? c : stack_container(stack, action->container);
}

static bool is_the_database(const struct run *run, const struct container *c)
{
    for (size_t i = 0; i < run->plan->action_count; i++) {
        const struct action *action = &run->plan->actions[i];
        if (action->database && strcmp(action->container_id, c->id) == 0)
            return true;
    }
    return false;
}

/* The engine told this of it after its last start. */
static bool was_heard(const struct run *run, const struct container *c, const char *action)
{
    for (size_t i = 0; i < run->event_count; i++) {
        const struct run_event *event = &run->events[i];
        if (strcmp(event->id, c->id) == 0 && event->time_ns > c->started_ns &&
            strcmp(event->action, action) == 0)
            return true;
    }
    return false;
}

/* Somebody signalled it: a person, or the engine on its own way down. Then an exit code of 0 tells
 * good manners, and not that the work is done. What ended between two lives, or while the stream of
 * events was lost, nobody heard why. */
static bool may_be_told_to_end(const struct run *run, const struct container *c)
{
    return was_heard(run, c, "kill") || was_heard(run, c, "stop") ||
           ((run->resumed || run->stream_was_lost) && !was_heard(run, c, "die"));
}

bool settle_has_finished(const struct run *run, const struct container *c)
{
    return c->state == CONTAINER_EXITED && c->exit_code == 0 &&
           c->started_ns / 1000000 >= run->started_wall_ms && c->finished_ns > c->started_ns &&
           !is_the_database(run, c) && !may_be_told_to_end(run, c);
}

/* Takes `text` over. What a plan stops twice is named once. */
static void leave_stopped(struct run *run, char *text)
{
    CLEANUP_FREE char *why = text;
    for (size_t i = 0; i < json_array_size(run->left_stopped); i++)
        if (strcmp(json_string_value(json_array_get(run->left_stopped, i)), why) == 0)
            return;
    json_array_append_new(run->left_stopped, json_lossy_string(why, strlen(why)));
}

static char *how_it_is(const struct container *c)
{
    return mem_printf("%s, exit code %d%s%s", container_state_name(c->state), c->exit_code,
                      *c->error ? ": " : "", c->error);
}

/* What a person has to do beyond a start, or "". An Engine that was killed may take a container for
 * exited whose process lives on below containerd: every start of it is refused as long as that
 * runs, and no call of the Engine's reaches it. */
static char *cure_of(const struct container *c)
{
    if (!strstr(c->error, "id already in use"))
        return mem_strdup("");
    return mem_printf("; its former process still runs, and the Engine has lost it: "
                      "ctr -n moby tasks kill -s SIGKILL %s; docker start %s",
                      c->id, c->name);
}

/* What ended by itself is started once more and then left; what was not started is tried again. */
static void settle_started(struct run *run)
{
    struct settle *settle = run->settle;
    int rounds = run->engine_was_away || run->resumed ? STARTS_MORE : STARTS_MAX;
    int64_t pause_ms = SETTLE_AGAIN_MS << (settle->rounds - 1);
    settle->started_again = !settle->refused || settle->rounds >= rounds;
    if (settle->started_again)
        settle_load(run); /* where the engine is away it is waited for */
    else
        timer_start(settle->again, pause_ms < STARTS_AGAIN_MAX_MS ? pause_ms : STARTS_AGAIN_MAX_MS);
    settle->refused = false;
}

static void on_started_again(void *data, const struct err *e, bool changed)
{
    struct run *run = data;
    (void)changed;
    run->settle->starts_pending--;
    if (!settle_landed(run))
        return;
    if (e && run->settle->rounds == 1)
        run_note(run, "starting once more: %s", e->text);
    run->settle->refused |= e != NULL;
    if (run->settle->starts_pending == 0)
        settle_started(run);
}

/* What else was taken and could not be given back. */
static void tell_what_is_held(struct run *run)
{
    for (size_t i = 0; i < run->plan->action_count; i++) {
        const struct action_run *a = &run->actions[i];
        if (a->state != ACTION_FAILED)
            continue;
        if (a->action->kind == ACTION_RESUME_POOL)
            leave_stopped(run, mem_printf("%s (it may be paused: RESUME it at its console)",
                                          a->action->container));
        else if (a->action->kind == ACTION_UNBLOCK)
            leave_stopped(
                run, mem_strdup("the roles of the apps (their logins are held off: see unblock)"));
    }
}

/* As far as is known it is down: no start of it behind this stop has a good end. */
static bool is_owed(const struct run *run, const struct action *stopped)
{
    for (size_t i = 0; i < run->plan->action_count; i++) {
        const struct action_run *a = &run->actions[i];
        if (a->action > stopped && a->action->kind == ACTION_START && a->state == ACTION_DONE &&
            strcmp(a->action->container_id, stopped->container_id) == 0)
            return false;
    }
    return true;
}

/* What a stop left behind, when nothing more is done about it; also where not even that is known:
 * no start has waited for the end of a stop that failed, and a journal that a full disk did not
 * keep does not say what an earlier life has stopped. */
static void tell_what_is_left(struct run *run, const struct action_run *stop)
{
    const struct action *action = stop->action;
    struct container *c = present_container(run->settle->stack, action);
    CLEANUP_FREE char *how = c ? how_it_is(c) : NULL;
    bool has_finished = c && !container_is_up(c) && settle_has_finished(run, c);
    bool up = c && (container_is_up(c) || has_finished);
    if (has_finished)
        run_note(run,
                 "%s ran before; it was started, and has ended with exit code 0 since: left as "
                 "a job that is done",
                 c->name);
    if (!was_stopped(stop)) {
        if (run->resumed && c && !up)
            leave_stopped(run, mem_printf("%s (%s; the journal does not say whether this run "
                                          "stopped it)",
                                          action->container, how));
    } else if (!c) {
        leave_stopped(run, mem_printf("%s (it was removed: docker-compose up -d %s makes it anew)",
                                      action->container, action->service));
    } else if (!up) {
        CLEANUP_FREE char *cure = cure_of(c);
        leave_stopped(run, mem_printf("%s (%s%s)", action->container, how, cure));
    } else if (stop->state == ACTION_FAILED && is_owed(run, action)) {
        leave_stopped(run, mem_printf("%s (%s, but its stop may still be under way)",
                                      action->container, container_state_name(c->state)));
    }
}

static void settle_start_again(struct run *run, const struct container *c)
{
    if (run->settle->rounds == 0)
        run_note(run, "%s is not running after the run; starting it once more", c->name);
    run->settle->starts_pending++;
    run->in_flight++;
    docker_start(runner_docker(run->runner), c->id, START_MS, on_started_again, run);
}

static void settle_examine(struct run *run)
{
    struct settle *settle = run->settle;
    for (size_t i = 0; i < run->plan->action_count && !settle->started_again; i++) {
        const struct action_run *a = &run->actions[i];
        struct container *c = was_stopped(a) ? present_container(settle->stack, a->action) : NULL;
        if (c && !container_is_up(c) && !settle_has_finished(run, c))
            settle_start_again(run, c);
    }
    if (settle->starts_pending > 0) {
        settle->rounds++;
        return;
    }
    for (size_t i = 0; i < run->plan->action_count; i++)
        if (run->actions[i].action->kind == ACTION_STOP)
            tell_what_is_left(run, &run->actions[i]);
    tell_what_is_held(run);
    settle_look(run);
}

static void on_started_blind(void *data, const struct err *e, bool changed)
{
    struct action_run *a = data;
    struct run *run = a->run;
    run->settle->starts_pending--;
    if (!settle_landed(run))
        return;
    if (e)
        leave_stopped(run, mem_printf("%s (unknown: %s)", a->action->container, e->text));
    else if (!changed && a->state == ACTION_FAILED)
        leave_stopped(run, mem_printf("%s (unknown: it runs, but its stop may still be under way)",
                                      a->action->container));
    if (run->settle->starts_pending == 0)
        settle_end(run);
}

/* The Engine tells nothing that can be read: what is owed is started all the same, as it may still
 * do what it is asked. What was started before is not touched: it may have done its work. */
static void settle_blind(struct run *run, const struct err *e)
{
    run_note(run, "the stack could not be looked at: %s", e->text);
    run->failed = true;
    if (!*run->outcome)
        snprintf(run->outcome, sizeof run->outcome, "the stack could not be looked at: %.*s", 600,
                 e->text);
    for (size_t i = 0; i < run->plan->action_count; i++) {
        struct action_run *a = &run->actions[i];
        if (run->resumed && a->action->kind == ACTION_STOP && !was_stopped(a))
            leave_stopped(run, mem_printf("%s (unknown: the journal does not say whether this run "
                                          "stopped it)",
                                          a->action->container));
        if (!was_stopped(a) || !is_owed(run, a->action))
            continue;
        run->settle->starts_pending++;
        run->in_flight++;
        docker_start(runner_docker(run->runner), a->action->container_id, BLIND_MS,
                     on_started_blind, a);
    }
    if (run->settle->starts_pending == 0)
        settle_end(run);
}

static void on_loaded(void *data, const struct err *e, struct stack *stack)
{
    struct run *run = data;
    struct settle *settle = run->settle;
    if (!settle_landed(run))
        return;
    if (!e) {
        stack_unref(settle->stack);
        settle->stack = stack_ref(stack);
        settle_examine(run);
    } else if (loop_now(run->loop) < settle->deadline_ms) {
        /* An engine that comes back has stopped what it was told to start: that try was none. */
        settle->started_again = settle->started_again && e->code != ERR_UNREACHABLE;
        run->engine_was_away |= e->code == ERR_UNREACHABLE;
        timer_start(settle->again, SETTLE_AGAIN_MS);
    } else {
        settle_blind(run, e);
    }
}

static void settle_load(void *data)
{
    struct run *run = data;
    run->in_flight++;
    run_load_stack(run, LOAD_MS, on_loaded, run);
}

void settle_begin(struct run *run)
{
    struct settle *settle = mem_new(sizeof *settle);
    run->settle = settle;
    settle->again = timer_new(run->loop, settle_load, run);
    settle->deadline_ms = loop_now(run->loop) + SETTLE_PATIENCE_MS;
    settle_load(run);
}
