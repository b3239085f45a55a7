/* The driver of a run: which action is next, its intent, its result, and what a failure turns.
 * See runner.h for the life of a run. */
#include "base/log.h"
#include "base/mem.h"
#include "playbooks/run_private.h"

#include <assert.h>
#include <string.h>

enum {
    AGAIN_FIRST_MS = 50,
    ANSWER_TRIES_MAX = 6,
    ANSWER_RETRY_MAX_MS = 2000,
    ENGINE_PATIENCE_MS = 120000, /* a restart of the engine with many containers */
    ENGINE_RETRY_MAX_MS = 2000,
};

static const struct step_class *const step_classes[] = {
    [ACTION_CAPTURE] = &step_capture,
    [ACTION_STOP] = &step_stop,
    [ACTION_START] = &step_start,
    [ACTION_CLEAN] = &step_clean,
    [ACTION_CHECKPOINT] = &step_checkpoint,
    [ACTION_WAIT_READY] = &step_wait_ready,
    [ACTION_WAIT_HEALTHY] = &step_wait_healthy,
    [ACTION_VERIFY] = &step_verify,
    [ACTION_PAUSE_POOL] = &step_pause,
    [ACTION_RESUME_POOL] = &step_resume,
    [ACTION_BLOCK] = &step_block,
    [ACTION_UNBLOCK] = &step_unblock,
};
_Static_assert(ARRAY_SIZE(step_classes) == ACTION_KINDS, "a class for every kind");

static bool is_settled(enum action_state state)
{
    return state == ACTION_DONE || state == ACTION_FAILED || state == ACTION_SKIPPED;
}

/* --- making and freeing ----------------------------------------------------------------------- */

struct run *run_new(struct runner *runner, struct plan *plan, struct stack *stack,
                    const char *trigger, const char *requester)
{
    struct run *run = mem_new(sizeof *run);
    run->runner = runner;
    run->loop = runner_loop(runner);
    run->plan = plan_ref(plan);
    run->stack = stack_ref(stack);
    run->trigger = mem_strdup(trigger);
    run->requester = mem_strdup(requester);
    if (stack->database && stack->database->container_count > 0)
        run->database_id = mem_strdup(stack->database->containers[0]->id);
    run->entries = json_array();
    run->left_stopped = json_array();
    run->actions = mem_new(plan->action_count * sizeof *run->actions);
    for (size_t i = 0; i < plan->action_count; i++) {
        struct action_run *a = &run->actions[i];
        a->run = run;
        a->action = &plan->actions[i];
        a->class = step_classes[a->action->kind];
        a->own_ms = -1;
    }
    return run;
}

static void action_free(struct action_run *a)
{
    timer_free(a->deadline);
    timer_free(a->again);
    pooler_free(a->pooler);
    free(a->gate);
    free(a->unreached_at);
    if (a->class->free_work)
        a->class->free_work(a);
    else
        free(a->work);
}

void run_free(struct run *run)
{
    if (!run)
        return;
    assert(run_is_quiet(run));
    for (size_t i = 0; i < run->plan->action_count; i++)
        action_free(&run->actions[i]);
    free(run->actions);
    settle_free(run);
    free(run->events);
    free(run->trigger);
    free(run->requester);
    free(run->database_id);
    json_decref(run->entries);
    json_decref(run->before);
    json_decref(run->after);
    json_decref(run->left_stopped);
    plan_unref(run->plan);
    stack_unref(run->stack);
    free(run);
}

op_id run_load_stack(struct run *run, int64_t deadline_ms, stack_load_fn done, void *data)
{
    const struct stack_selector *configured = runner_selector(run->runner);
    struct stack_selector own = configured ? *configured : (struct stack_selector){0};
    own.project = run->plan->project;
    return stack_load(runner_docker(run->runner), &own, deadline_ms, done, data);
}

bool run_is_quiet(const struct run *run)
{
    if (run->turn_queued || run->in_flight > 0)
        return false;
    for (size_t i = 0; i < run->plan->action_count; i++)
        if (run->actions[i].in_flight > 0 || run->actions[i].state == ACTION_INTENDED ||
            run->actions[i].state == ACTION_RUNNING)
            return false;
    return true;
}

/* --- the one place that changes the state of an action ---------------------------------------- */

static void action_becomes(struct action_run *a, enum action_state state)
{
    static const bool allowed[ACTION_STATES][ACTION_STATES] = {
        [ACTION_PENDING] = {[ACTION_INTENDED] = true,
                            [ACTION_SKIPPED] = true,
                            [ACTION_FAILED] = true}, /* begun before, and not done again */
        [ACTION_INTENDED] = {[ACTION_RUNNING] = true, [ACTION_PENDING] = true},
        [ACTION_RUNNING] = {[ACTION_DONE] = true,
                            [ACTION_FAILED] = true,
                            [ACTION_SKIPPED] = true,
                            [ACTION_PENDING] = true}, /* left to the next life */
    };
    assert(allowed[a->state][state]);
    a->state = state;
    if (state == ACTION_RUNNING) {
        a->started_ms = loop_now(a->run->loop);
        a->started_ns = clock_wall_ns();
    } else {
        a->ended_ms = loop_now(a->run->loop);
        a->ended_ns = clock_wall_ns();
        a->deadline = timer_free(a->deadline);
        a->again = timer_free(a->again);
    }
}

/* --- results ---------------------------------------------------------------------------------- */

void run_wind_up(struct run *run)
{
    if (run->winding)
        return;
    run->winding = true;
    for (size_t i = 0; i < run->plan->action_count; i++) {
        struct action_run *a = &run->actions[i];
        if (a->state != ACTION_RUNNING || a->class->owed || a->class->patient)
            continue;
        action_becomes(a, ACTION_SKIPPED);
        story_add(run, story_action(a, "given up: the run is winding up", NULL, NULL));
        op_cancel(run->loop, a->operation);
    }
    run_turn(run);
}

static void action_settled(struct action_run *a, const char *text, const struct err *e,
                           json_t *detail)
{
    struct run *run = a->run;
    story_add(run, story_action(a, text, e, detail));
    if (e) {
        log_err(LOG_LEVEL_WARNING, a->action->id, e);
        if (!a->action->goes_on && !run->failed) {
            run->failed = true;
            snprintf(run->outcome, sizeof run->outcome, "%s failed: %.*s", a->action->id,
                     (int)(sizeof run->outcome / 2), e->text);
        }
        /* What gives back may fail without turning the run: the rest of it must be given back. */
        if (!a->action->goes_on && !a->class->owed)
            run_wind_up(run);
    }
    run_turn(run);
}

void step_finish(struct action_run *a, json_t *detail, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    CLEANUP_FREE char *text = mem_vprintf(format, args);
    va_end(args);
    action_becomes(a, ACTION_DONE);
    action_settled(a, text, NULL, detail);
}

void step_fail(struct action_run *a, const struct err *e)
{
    action_becomes(a, ACTION_FAILED);
    op_cancel(a->run->loop, a->operation);
    action_settled(a, e->text, e, NULL);
}

/* --- helpers of the steps --------------------------------------------------------------------- */

void step_begins(struct action_run *a, op_id operation)
{
    a->in_flight++;
    a->operation = operation;
}

bool step_landed(struct action_run *a)
{
    a->in_flight--;
    bool alive = a->state == ACTION_RUNNING;
    if (!alive)
        run_turn(a->run);
    return alive;
}

void step_says(struct action_run *a, const char *format, ...)
{
    char text[sizeof a->said];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (strcmp(text, a->said) == 0)
        return;
    memcpy(a->said, text, sizeof text);
    json_t *entry = json_object();
    json_set_text(entry, "type", "progress");
    json_set_text(entry, "action", a->action->id);
    json_set_text(entry, "text", text);
    story_tell(a->run, entry);
}

static void on_again(void *data)
{
    struct action_run *a = data;
    a->again_fn(a);
}

void step_again(struct action_run *a, loop_fn fn, int64_t max_ms)
{
    int64_t wait = AGAIN_FIRST_MS;
    for (int i = 0; i < a->retries && wait < max_ms; i++)
        wait *= 2;
    a->retries++;
    a->again_fn = fn;
    if (!a->again)
        a->again = timer_new(a->run->loop, on_again, a);
    timer_start(a->again, wait < max_ms ? wait : max_ms);
}

void step_calm(struct action_run *a)
{
    a->retries = 0;
}

static void on_action_deadline(void *data)
{
    struct action_run *a = data;
    struct err e;
    char limit[DURATION_MAX];
    if (a->class->on_deadline && a->class->on_deadline(a))
        return;
    if (a->state != ACTION_RUNNING)
        return; /* on_deadline has finished it */
    err_set(&e, ERR_TIMEOUT, "%s: not done within %s%s%s", a->action->id,
            duration_text(loop_now(a->run->loop) - a->started_ms, limit),
            *a->said ? "; last: " : "", a->said);
    step_fail(a, &e);
}

void step_extend(struct action_run *a, int64_t ms)
{
    if (a->deadline && step_left_ms(a) < ms)
        timer_start(a->deadline, ms);
}

int64_t step_left_ms(const struct action_run *a)
{
    return a->deadline ? timer_left_ms(a->deadline) : 0;
}

bool step_awaits_engine(struct action_run *a, const struct err *e, loop_fn fn)
{
    if (!e || e->code != ERR_UNREACHABLE)
        return false;
    a->run->engine_was_away = true;
    if (a->retries == 0)
        step_extend(a, ENGINE_PATIENCE_MS);
    step_says(a, "the Docker Engine does not answer; waiting for it");
    step_again(a, fn, ENGINE_RETRY_MAX_MS);
    return true;
}

bool step_asks_again(struct action_run *a, const struct err *e, loop_fn fn)
{
    bool is_passing =
        e && (e->code == ERR_TIMEOUT || e->code == ERR_FAILED || e->code == ERR_PROTOCOL);
    if (!is_passing || a->retries >= ANSWER_TRIES_MAX)
        return false;
    step_again(a, fn, ANSWER_RETRY_MAX_MS);
    return true;
}

/* --- the graph -------------------------------------------------------------------------------- */

static bool takes_for(enum action_kind taker, enum action_kind giver)
{
    return (taker == ACTION_STOP && giver == ACTION_START) ||
           (taker == ACTION_PAUSE_POOL && giver == ACTION_RESUME_POOL) ||
           (taker == ACTION_BLOCK && giver == ACTION_UNBLOCK);
}

static bool same_container(const struct action *one, const struct action *other)
{
    return !one->container_id || !other->container_id ||
           strcmp(one->container_id, other->container_id) == 0;
}

struct action_run *step_taker(const struct action_run *a)
{
    const struct run *run = a->run;
    struct action_run *last = NULL;
    for (size_t i = 0; &run->actions[i] != a; i++) /* takers stand before */
        if (takes_for(run->actions[i].action->kind, a->action->kind) &&
            same_container(run->actions[i].action, a->action))
            last = &run->actions[i];
    return last;
}

/* Whether there is something to give back, or to wait for: whoever took it has begun, in this life
 * or an earlier one. A wait has no taker of its own; it stands behind a start. */
static bool was_taken(const struct action_run *a)
{
    const struct run *run = a->run;
    bool planned = false;
    for (size_t i = 0; i < run->plan->action_count; i++) {
        const struct action_run *taker = &run->actions[i];
        bool of_this =
            a->action->kind == ACTION_WAIT_READY || a->action->kind == ACTION_WAIT_HEALTHY
                ? taker->action->kind == ACTION_STOP
                : takes_for(taker->action->kind, a->action->kind);
        if (!of_this || !same_container(taker->action, a->action))
            continue;
        planned = true;
        if (story_times_begun(run, taker->action->id) > 0)
            return true;
    }
    return !planned;
}

/* Why an action that could begin is skipped instead; NULL when it begins. After a failure there is
 * nothing to verify, and what was not stopped need not be started. */
static const char *why_skip(const struct action_run *a)
{
    const struct run *run = a->run;
    if ((run->winding || run->failed) && !a->class->owed)
        return "skipped: the run is winding up";
    if (run->winding && !was_taken(a))
        return "skipped: nothing was taken that it gives back";
    return NULL;
}

/* While winding up, a wait is there for the order alone: nobody is served by waiting long for what
 * may never be well. */
static int64_t time_allowed(const struct action_run *a)
{
    enum { WINDING_WAIT_MS = 30000 };
    bool only_waits =
        a->action->kind == ACTION_WAIT_READY || a->action->kind == ACTION_WAIT_HEALTHY;
    int64_t ms = a->action->timeout_ms;
    return a->run->winding && only_waits && ms > WINDING_WAIT_MS ? WINDING_WAIT_MS : ms;
}

static void on_intent_written(void *data)
{
    struct action_run *a = data;
    struct run *run = a->run;
    if (run->draining || why_skip(a)) {
        action_becomes(a, ACTION_PENDING); /* it never began */
        run_turn(run);
        return;
    }
    action_becomes(a, ACTION_RUNNING);
    a->deadline = timer_new(run->loop, on_action_deadline, a);
    timer_start(a->deadline, time_allowed(a));
    a->class->start(a);
}

static void action_begin(struct action_run *a)
{
    action_becomes(a, ACTION_INTENDED);
    CLEANUP_FREE char *text = action_text(a->action);
    story_add_then(a->run, story_action(a, text, NULL, NULL), on_intent_written, a);
}

static bool action_is_free(const struct action_run *a)
{
    for (size_t i = 0; i < a->action->after_count; i++)
        if (!is_settled(a->run->actions[a->action->after[i]].state))
            return false;
    return true;
}

/* A stop that an earlier life began may have come through: it counts as one, so that there is a
 * start. */
static void action_give_up(struct action_run *a)
{
    struct err e;
    err_set(&e, ERR_CANCELLED,
            "the supervisor ended while it was under way: how it ended is not known");
    a->started_ms = loop_now(a->run->loop);
    action_becomes(a, ACTION_FAILED);
    action_settled(a, e.text, &e, NULL);
}

static void action_skip(struct action_run *a, const char *why)
{
    if (a->begun_before && a->action->kind == ACTION_STOP) {
        action_give_up(a);
        return;
    }
    action_becomes(a, ACTION_SKIPPED);
    story_add(a->run, story_action(a, why, NULL, NULL));
}

/* Begins what can begin; true when every action is settled. */
static bool run_advance(struct run *run)
{
    bool settled = true;
    for (size_t i = 0; i < run->plan->action_count; i++) {
        struct action_run *a = &run->actions[i];
        if (a->state == ACTION_PENDING && action_is_free(a) && !run->draining) {
            const char *why = why_skip(a);
            if (why)
                action_skip(a, why);
            else
                action_begin(a);
        }
        settled = settled && is_settled(a->state) && a->in_flight == 0;
    }
    return settled;
}

static void on_turn(void *data)
{
    struct run *run = data;
    run->turn_queued = false;
    if (run->phase == RUN_RUNNING && !run->held && run_advance(run)) {
        run->phase = RUN_SETTLING;
        settle_begin(run);
    }
    if (run_is_quiet(run) && (run->draining || run->phase == RUN_ENDED))
        runner_ended(run->runner); /* frees the run */
}

void run_turn(struct run *run)
{
    if (run->turn_queued)
        return;
    run->turn_queued = true;
    loop_defer(run->loop, on_turn, run);
}

/* --- beginning, aborting, draining ------------------------------------------------------------ */

void run_begin(struct run *run)
{
    run->phase = RUN_RUNNING;
    json_t *entry = json_object();
    json_set_text(entry, "type", run->resumed ? "resume" : "begin");
    json_set_text(entry, "playbook", run->plan->playbook->name);
    json_set_text(entry, "project", run->plan->project);
    json_set_text(entry, "plan_id", run->plan->id);
    json_set_text(entry, "trigger", run->trigger);
    json_set_text(entry, "requester", run->requester);
    if (run->resumed)
        json_set_text(entry, "text",
                      run->winding ? "the supervisor came back: winding the run up"
                                   : "the supervisor came back: carrying the run on");
    story_add(run, entry);
    log_info("run %lld: %s %s, plan %s, asked by %s", (long long)run->id,
             run->resumed ? "carrying on" : "beginning", run->plan->playbook->name, run->plan->id,
             run->requester);
    run_turn(run);
}

void run_abort(struct run *run, const char *requester)
{
    if (run->aborted || run->phase != RUN_RUNNING)
        return;
    run->aborted = true;
    snprintf(run->outcome, sizeof run->outcome, "aborted by %s", requester);
    json_t *entry = json_object();
    json_set_text(entry, "type", "abort");
    json_set_text(entry, "by", requester);
    story_add(run, entry);
    run_wind_up(run);
}

void run_drain(struct run *run)
{
    run->draining = true;
    for (size_t i = 0; i < run->plan->action_count; i++) {
        struct action_run *a = &run->actions[i];
        if (a->state != ACTION_RUNNING || a->class->patient)
            continue;
        action_becomes(a, ACTION_PENDING); /* its intent stands in the journal: done again */
        op_cancel(run->loop, a->operation);
    }
    run_turn(run);
}
