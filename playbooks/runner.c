/* The one run, who watches and follows it, and its end. A request comes to it by opening.c. See
 * runner.h. */
#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "playbooks/runner_private.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

struct loop *runner_loop(const struct runner *runner)
{
    return runner->loop;
}

struct docker *runner_docker(const struct runner *runner)
{
    return runner->docker;
}

struct reach *runner_reach(const struct runner *runner)
{
    return runner->reach;
}

struct journal *runner_journal(const struct runner *runner)
{
    return runner->journal;
}

struct holders_cache *runner_holders(const struct runner *runner)
{
    return runner->holders;
}

const struct stack_selector *runner_selector(const struct runner *runner)
{
    return runner->selector;
}

struct runner *runner_new(const struct runner_options *options)
{
    struct runner *runner = mem_new(sizeof *runner);
    runner->loop = options->loop;
    runner->docker = options->docker;
    runner->reach = options->reach;
    runner->journal = options->journal;
    runner->holders = options->holders;
    runner->lock_scope = options->lock_scope;
    runner->lock_patience_ms = options->lock_patience_ms;
    runner->lock_fd = -1;
    runner->followers = followers_new(options->loop);
    return runner;
}

struct runner *runner_free(struct runner *runner)
{
    if (!runner)
        return NULL;
    assert(!runner->opening && !runner->resuming);
    runner__abandon_plannings(runner);
    journal_unfinished_forget(runner->journal);
    run_free(runner->run);
    run_free(runner->left);
    followers_free(runner->followers);
    free(runner);
    return NULL;
}

void runner_configure(struct runner *runner, const struct playbook_set *playbooks,
                      const struct stack_selector *selector)
{
    runner->playbooks = playbooks;
    runner->selector = selector;
}

void runner_watch(struct runner *runner, const struct runner_watcher *watcher, void *data)
{
    runner->watcher = watcher;
    runner->watcher_data = data;
}

bool runner_works_on(const struct runner *runner, const char *container)
{
    const struct plan *plan = runner->run ? runner->run->plan : NULL;
    for (size_t i = 0; plan && i < plan->action_count; i++)
        if (plan->actions[i].container && strcmp(plan->actions[i].container, container) == 0)
            return true;
    return false;
}

int runner_aim(struct runner *runner, const struct container *database, struct err *e)
{
    if (runner->run && reach_db(runner->reach))
        return 0;
    return reach_aim(runner->reach, database, e);
}

void runner__begin(struct runner *runner)
{
    struct run *run = runner->run;
    run_begin(run);
    if (runner->watcher)
        runner->watcher->began(runner->watcher_data, run->id, run->plan, run->trigger);
}

/* --- the end of a run ------------------------------------------------------------------------- */

int runner_abort(struct runner *runner, int64_t id, const char *requester, struct err *e)
{
    runner_carry_on(runner, id);
    if (!runner->run || runner->run->id != id || runner->run->phase == RUN_ENDED)
        return err_set(e, ERR_NOT_FOUND, "run %lld is not under way", (long long)id);
    if (runner->run->phase == RUN_SETTLING && !runner->run->aborted) {
        err_set(e, ERR_REFUSED, "run %lld has done its work, and is looking at what came of it",
                (long long)id);
        err_hint(e, "supervisorctl attach follows it to its end");
        return -(int)ERR_REFUSED;
    }
    run_abort(runner->run, requester);
    runner__lock_give_up(runner); /* starts do no harm beside another's run */
    return 0;
}

static void tell_watcher(const struct runner *runner, const struct run *run)
{
    const struct run_end end = {.run = run->id,
                                .state = story_state(run),
                                .text = run->outcome,
                                .playbook = run->plan->playbook->name,
                                .project = run->plan->project,
                                .trigger = run->trigger,
                                .requester = run->requester,
                                .left_stopped = run->left_stopped,
                                .resumed = run->resumed};
    if (runner->watcher)
        runner->watcher->ended(runner->watcher_data, &end);
}

void runner_ended(struct runner *runner)
{
    struct run *run = runner->run;
    bool ended = run && run->phase == RUN_ENDED;
    runner->run = NULL; /* whoever is told of its end may ask for the next */
    if (run) {
        followers_end(runner->followers, !ended);
        runner__unlock(runner);
    }
    if (ended)
        tell_watcher(runner, run);
    run_free(run);
    if (runner->opening && opening_is_behind(runner->opening)) {
        opening_load(runner->opening); /* whoever is told of its outcome goes on from there */
        return;
    }
    if (runner->on_drained) {
        loop_fn drained = runner->on_drained;
        runner->on_drained = NULL;
        loop_defer(runner->loop, drained, runner->on_drained_data);
    }
}

static void resume_finish(struct runner *runner, bool resumed);

void runner_drain(struct runner *runner, loop_fn done, void *data)
{
    runner->draining = true;
    runner->on_drained = done;
    runner->on_drained_data = data;
    if (runner->resuming && !runner->opening) {
        journal_unfinished_forget(runner->journal); /* the next life asks again */
        resume_finish(runner, false);
        return;
    }
    if (runner->opening)
        return; /* whoever is told of its outcome goes on from there */
    if (runner->run)
        run_drain(runner->run);
    else
        runner_ended(runner);
}

/* --- resuming --------------------------------------------------------------------------------- */

static void resume_finish(struct runner *runner, bool resumed)
{
    runner->resuming = false;
    runner->on_resumed(runner->on_resumed_data, resumed);
    if (runner->opening && !runner->run && !runner->left) {
        opening_load(runner->opening); /* whoever is told of its outcome goes on from there */
        return;
    }
    if (runner->opening)
        opening_meets_run(runner->opening);
    if (!runner->on_drained)
        return;
    if (runner->run)
        run_drain(runner->run);
    else
        runner_ended(runner);
}

/* The run's stack is its containers by id; the actions inspect them anew, so the model may be an
 * empty one until the engine answers. */
static struct stack *empty_stack(const struct plan *plan)
{
    struct stack *stack = mem_new(sizeof *stack);
    stack->references = 1;
    stack->project = mem_strdup(plan->project);
    return stack;
}

/* Whatever it stopped is down; who that may be is told as far as it can be read. */
static void tell_unreadable(const json_t *record, const struct err *e)
{
    const json_t *actions = json_at(record, "plan/actions");
    json_t *action;
    size_t i;
    struct buf who;
    buf_init(&who, 4000);
    json_array_foreach(actions, i, action)
    {
        if (strcmp(json_text_at(action, "kind", ""), "start") == 0)
            buf_printf(&who, " %s", json_text_at(action, "container", "?"));
    }
    log_err(LOG_LEVEL_ERROR,
            json_is_object(record)
                ? "an unfinished run cannot be carried on: what it stopped is down"
                : "a run that an earlier life left unfinished, if there is one, is not carried on",
            e);
    if (json_is_object(record))
        log_error("run %" PRId64 " (%s) of %s may have stopped%s%s", json_int_at(record, "run", 0),
                  json_text_at(record, "plan/playbook", "?"),
                  json_text_at(record, "plan/project", "?"),
                  json_is_array(actions) ? who.len ? buf_text(&who) : " nobody"
                                         : " what cannot be read any more",
                  who.overflowed ? " and others" : "");
    buf_free(&who);
}

/* True when there is one; it is at work on it, unless that is somebody else's to say. */
static bool take_up(struct runner *runner, const struct err *e, const json_t *record)
{
    struct plan *plan = NULL;
    struct err unreadable;
    err_copy(&unreadable, e);
    if (json_is_object(record) && !runner->on_drained)
        plan_parse(json_at(record, "plan"), &plan, &unreadable);
    if (err_is_set(&unreadable))
        tell_unreadable(record, &unreadable);
    if (!plan)
        return false;
    struct stack *stack = empty_stack(plan);
    runner->left = run_new(runner, plan, stack, json_text_at(record, "trigger", ""),
                           json_text_at(record, "requester", ""));
    run_restore(runner->left, record);
    stack_unref(stack);
    plan_unref(plan);
    if (!runner->leaves_alone)
        runner_carry_on(runner, runner->left->id);
    return true;
}

/* The disk has answered when nobody waited any more. Another run may be under way. */
static void take_up_late(struct runner *runner, const json_t *record)
{
    struct err e;
    if (!runner->run && !runner->opening) {
        take_up(runner, NULL, record);
        return;
    }
    err_set(&e, ERR_REFUSED, "the disk told of it late, and another run is under way");
    err_hint(&e, "the next start of the supervisor carries it on");
    tell_unreadable(record, &e);
}

static void on_unfinished(void *data, const struct err *e, const json_t *record)
{
    struct runner *runner = data;
    if (runner->resuming)
        resume_finish(runner, take_up(runner, e, record));
    else if (!runner->draining)
        take_up_late(runner, record);
}

void runner_carry_on(struct runner *runner, int64_t id)
{
    if (!runner->left || runner->left->id != id || runner->draining)
        return;
    runner->run = runner->left;
    runner->left = NULL;
    runner__begin(runner);
    runner__lock_resumed(runner);
    if (runner->has_begun && !runner->run->held) /* its plan is from before that one */
        run_comes_late(runner->run);
}

struct plan *runner_left(const struct runner *runner, int64_t *ret_run)
{
    if (!runner->left)
        return NULL;
    *ret_run = runner->left->id;
    return runner->left->plan;
}

void runner_find_left(struct runner *runner, runner_resume_fn done, void *data)
{
    runner->leaves_alone = true;
    runner_resume(runner, done, data);
}

void runner_resume(struct runner *runner, runner_resume_fn done, void *data)
{
    runner->resuming = true;
    runner->on_resumed = done;
    runner->on_resumed_data = data;
    journal_unfinished(runner->journal, on_unfinished, runner);
}

/* --- watching --------------------------------------------------------------------------------- */

json_t *runner_summary(const struct runner *runner)
{
    const struct run *run = runner->run ? runner->run : runner->left;
    return run ? story_summary(run) : NULL;
}

int64_t runner_present(const struct runner *runner)
{
    return runner->run ? runner->run->id : 0;
}

void runner_tell(struct runner *runner, const json_t *live_entry)
{
    if (runner->run)
        followers_tell(runner->followers, runner->run->entries, live_entry);
}

static void tell_later(void *data)
{
    struct runner *runner = data;
    runner->telling_later = false;
    runner_tell(runner, NULL);
}

uint64_t runner_follow(struct runner *runner, int64_t id, runner_entry_fn on_entry, void *data,
                       struct err *e)
{
    if (!runner->run || runner->run->id != id) {
        err_set(e, ERR_NOT_FOUND, "run %lld is not under way", (long long)id);
        return 0;
    }
    if (!runner->telling_later)
        loop_defer(runner->loop, tell_later, runner);
    runner->telling_later = true;
    return followers_add(runner->followers, on_entry, data);
}

void runner_unfollow(struct runner *runner, uint64_t handle)
{
    followers_remove(runner->followers, handle);
}

/* --- the world -------------------------------------------------------------------------------- */

/* By name, too: somebody may put another in its place. */
static bool is_of_plan(const struct plan *plan, const struct docker_event *event)
{
    for (size_t i = 0; i < plan->action_count; i++) {
        const struct action *action = &plan->actions[i];
        if (action->container_id && (strcmp(action->container_id, event->id) == 0 ||
                                     strcmp(action->container, event->name) == 0))
            return true;
    }
    return false;
}

static void keep_event(struct run *run, const struct docker_event *event)
{
    enum { EVENTS_MAX = 10000 };
    if (run->event_count >= EVENTS_MAX || !is_of_plan(run->plan, event))
        return;
    struct run_event *kept = MEM_PUSH(run->events, run->event_count);
    snprintf(kept->id, sizeof kept->id, "%s", event->id);
    snprintf(kept->action, sizeof kept->action, "%s", event->action);
    snprintf(kept->detail, sizeof kept->detail, "%s", event->detail);
    kept->time_ns = event->time_ns;
}

void runner_docker_event(struct runner *runner, const struct docker_event *event)
{
    struct run *run = runner->run;
    if (!run || run->phase == RUN_ENDED)
        return;
    keep_event(run, event); /* settling asks them too: who was told to end */
    if (run->phase != RUN_RUNNING)
        return;
    for (size_t i = 0; i < run->plan->action_count; i++) {
        struct action_run *a = &run->actions[i];
        if (a->state == ACTION_RUNNING && a->class->on_event)
            a->class->on_event(a, event);
    }
}

void runner_docker_lost(struct runner *runner)
{
    if (runner->run)
        runner->run->stream_was_lost = true;
}

void runner_docker_sync(struct runner *runner)
{
    struct run *run = runner->run;
    for (size_t i = 0; run && i < run->plan->action_count; i++) {
        struct action_run *a = &run->actions[i];
        if (a->state == ACTION_RUNNING && a->class->on_sync)
            a->class->on_sync(a);
    }
}
