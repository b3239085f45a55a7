/* Requests, single flight, followers: what stands around the one run. See run.h. */
#include "base/log.h"
#include "base/mem.h"
#include "playbooks/run_private.h"

#include <assert.h>
#include <string.h>

enum { LOAD_MS = 15000 };

/* Somebody who is told when the run has begun. */
struct waiter {
    struct waiter *next;
    runner_start_fn done;
    void *data;
    bool joined;
};

/* A request on its way from being asked to being a run. */
struct opening {
    struct runner *runner;
    char *playbook, *plan_id, *trigger, *requester;
    json_t *options;
    struct plan *plan;
    struct stack *stack;
    struct waiter *waiters;
};

struct follower {
    struct follower *next;
    uint64_t handle; /* 0: gone, to be swept */
    runner_entry_fn on_entry;
    void *data;
    size_t sent;
};

struct runner {
    struct loop *loop;
    struct docker *docker;
    struct reach *reach;
    struct journal *journal;
    const struct playbook_set *playbooks;
    const struct stack_selector *selector;
    struct opening *opening;
    struct run *run;
    struct follower *followers;
    bool pumping;
    bool resuming; /* the journal is asked for an unfinished run */
    loop_fn on_end, on_drained;
    void *on_end_data, *on_drained_data;
    runner_resume_fn on_resumed;
    void *on_resumed_data;
};

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
    return runner;
}

static void sweep_followers(struct runner *runner)
{
    struct follower **at = &runner->followers;
    while (*at) {
        struct follower *follower = *at;
        if (follower->handle) {
            at = &follower->next;
            continue;
        }
        *at = follower->next;
        free(follower);
    }
}

struct runner *runner_free(struct runner *runner)
{
    if (!runner)
        return NULL;
    assert(!runner->opening && !runner->resuming);
    run_free(runner->run);
    for (struct follower *f = runner->followers; f; f = f->next)
        f->handle = 0;
    sweep_followers(runner);
    free(runner);
    return NULL;
}

void runner_configure(struct runner *runner, const struct playbook_set *playbooks,
                      const struct stack_selector *selector)
{
    runner->playbooks = playbooks;
    runner->selector = selector;
}

void runner_on_end(struct runner *runner, loop_fn fn, void *data)
{
    runner->on_end = fn;
    runner->on_end_data = data;
}

/* --- planning ----------------------------------------------------------------------------------
 */

/* The playbook of a request with its options in place; the caller owns a reference. */
static struct playbook *find_playbook(const struct runner *runner, const char *name,
                                      const json_t *options, struct err *e)
{
    struct playbook *playbook = playbook_set_find(runner->playbooks, name);
    err_clear(e);
    if (!playbook) {
        err_set(e, ERR_NOT_FOUND, "there is no playbook '%s'", name);
        err_hint(e, "supervisorctl recover --help lists them");
        return NULL;
    }
    return options ? playbook_with_clean(playbook, options, e) : playbook_ref(playbook);
}

/* The plan for a stack that was loaded; the database is aimed at on the way, as the plan's actions
 * will need it. */
static int make_plan(struct runner *runner, const char *playbook_name, const json_t *options,
                     struct stack *stack, struct plan **ret, struct err *e)
{
    struct playbook *playbook = find_playbook(runner, playbook_name, options, e);
    if (!playbook)
        return -(int)e->code;
    if (stack->database->container_count > 0)
        reach_aim(runner->reach, stack->database->containers[0], NULL);
    int status = plan_make(playbook, stack, ret, e);
    playbook_unref(playbook);
    return status;
}

struct planning {
    struct runner *runner;
    char *playbook;
    json_t *options;
    runner_plan_fn done;
    void *data;
};

static void on_plan_stack(void *data, const struct err *e, struct stack *stack)
{
    struct planning *planning = data;
    struct plan *plan = NULL;
    struct err failure;
    if (e)
        failure = *e;
    else if (make_plan(planning->runner, planning->playbook, planning->options, stack, &plan,
                       &failure) == 0)
        err_clear(&failure);
    planning->done(planning->data, plan ? NULL : &failure, plan);
    plan_unref(plan);
    free(planning->playbook);
    json_decref(planning->options);
    free(planning);
}

void runner_plan(struct runner *runner, const char *playbook, const json_t *options,
                 runner_plan_fn done, void *data)
{
    struct planning *planning = mem_new(sizeof *planning);
    planning->runner = runner;
    planning->playbook = mem_strdup(playbook);
    planning->options = json_deep_copy(options);
    planning->done = done;
    planning->data = data;
    stack_load(runner->docker, runner->selector, LOAD_MS, on_plan_stack, planning);
}

/* --- from a request to a run -------------------------------------------------------------------
 */

static void waiter_add(struct waiter **list, runner_start_fn done, void *data, bool joined)
{
    struct waiter *waiter = mem_new(sizeof *waiter);
    *waiter = (struct waiter){.next = *list, .done = done, .data = data, .joined = joined};
    *list = waiter;
}

static void opening_free(struct opening *opening)
{
    plan_unref(opening->plan);
    stack_unref(opening->stack);
    json_decref(opening->options);
    free(opening->playbook);
    free(opening->plan_id);
    free(opening->trigger);
    free(opening->requester);
    free(opening);
}

/* Tells everybody who waits for this request, and forgets it. */
static void opening_close(struct opening *opening, const struct err *e, int64_t run)
{
    struct runner *runner = opening->runner;
    runner->opening = NULL;
    for (struct waiter *waiter = opening->waiters; waiter;) {
        struct waiter *next = waiter->next;
        waiter->done(waiter->data, e, run, waiter->joined, e ? NULL : opening->plan);
        free(waiter);
        waiter = next;
    }
    opening_free(opening);
    if (!runner->run && runner->on_drained)
        runner_ended(runner);
}

static void on_run_stored(void *data, int64_t id)
{
    struct opening *opening = data;
    struct run *run = opening->runner->run;
    struct runner *runner = opening->runner;
    run->id = id;
    run_begin(run);
    opening_close(opening, NULL, id);
    if (runner->on_drained)
        run_drain(run);
}

static void opening_begin(struct opening *opening)
{
    struct runner *runner = opening->runner;
    struct run *run =
        run_new(runner, opening->plan, opening->stack, opening->trigger, opening->requester);
    runner->run = run;
    run->started_ms = loop_now(runner->loop);
    run->started_wall_ms = clock_wall_ms();
    run->before = json_object();
    json_object_set_new(run->before, "containers", story_containers(opening->stack));
    json_t *summary = story_summary(run);
    json_t *plan = plan_json(opening->plan);
    journal_begin(runner->journal, summary, plan, on_run_stored, opening);
    json_decref(summary);
    json_decref(plan);
}

static int check_plan_id(const struct opening *opening, struct err *e)
{
    if (!opening->plan_id || strcmp(opening->plan_id, opening->plan->id) == 0)
        return 0;
    err_set(e, ERR_REFUSED, "the stack has changed: the plan is now %s, not %s", opening->plan->id,
            opening->plan_id);
    err_hint(e, "look at the new plan: supervisorctl recover %s --plan", opening->playbook);
    return -(int)ERR_REFUSED;
}

static void on_opening_stack(void *data, const struct err *e, struct stack *stack)
{
    struct opening *opening = data;
    struct err failure;
    int status = 0;
    if (e) {
        failure = *e;
        status = -(int)e->code;
    } else {
        opening->stack = stack_ref(stack);
        status = make_plan(opening->runner, opening->playbook, opening->options, stack,
                           &opening->plan, &failure);
    }
    if (status == 0)
        status = check_plan_id(opening, &failure);
    if (status == 0 && opening->runner->on_drained)
        status = err_set(&failure, ERR_REFUSED, "the supervisor is stopping");
    if (status == 0)
        opening_begin(opening);
    else
        opening_close(opening, &failure, 0);
}

static void opening_load(struct opening *opening)
{
    struct runner *runner = opening->runner;
    stack_load(runner->docker, runner->selector, LOAD_MS, on_opening_stack, opening);
}

static void refuse_beside(const struct runner *runner, const char *present, struct err *e)
{
    err_set(e, ERR_REFUSED, "another run is under way: %s (run %lld)", present,
            (long long)runner_present(runner));
    err_hint(e, "supervisorctl attach follows it, supervisorctl abort ends it");
}

/* A run of an earlier life is carried on: a request that came before that was known joins it, or
 * is refused. */
static void opening_meets_run(struct opening *opening)
{
    struct run *run = opening->runner->run;
    struct err e;
    if (strcmp(run->plan->playbook->name, opening->playbook) != 0) {
        refuse_beside(opening->runner, run->plan->playbook->name, &e);
        opening_close(opening, &e, 0);
        return;
    }
    opening->plan = plan_ref(run->plan);
    for (struct waiter *waiter = opening->waiters; waiter; waiter = waiter->next)
        waiter->joined = true;
    opening_close(opening, NULL, run->id);
}

/* An answer that is known at once comes by a deferred call all the same. */
struct answer {
    struct runner *runner;
    runner_start_fn done;
    void *data;
    struct err e;
    int64_t run;
    struct plan *plan;
};

static void on_answer(void *data)
{
    struct answer *answer = data;
    bool refused = err_is_set(&answer->e);
    answer->done(answer->data, refused ? &answer->e : NULL, answer->run, !refused, answer->plan);
    plan_unref(answer->plan);
    free(answer);
}

static struct answer *answer_later(struct runner *runner, runner_start_fn done, void *data)
{
    struct answer *answer = mem_new(sizeof *answer);
    answer->runner = runner;
    answer->done = done;
    answer->data = data;
    loop_defer(runner->loop, on_answer, answer);
    return answer;
}

/* Joins what is under way when it is the same playbook; refuses another. */
static void join_or_refuse(struct runner *runner, const struct run_request *request,
                           runner_start_fn done, void *data)
{
    const char *present = runner->opening ? runner->opening->playbook
                          : runner->run   ? runner->run->plan->playbook->name
                                          : "";
    if (runner->opening && strcmp(present, request->playbook) == 0) {
        waiter_add(&runner->opening->waiters, done, data, true);
        return;
    }
    struct answer *answer = answer_later(runner, done, data);
    if (runner->run && strcmp(present, request->playbook) == 0) {
        answer->run = runner->run->id;
        answer->plan = plan_ref(runner->run->plan);
    } else {
        refuse_beside(runner, present, &answer->e);
    }
}

void runner_start(struct runner *runner, const struct run_request *request, runner_start_fn done,
                  void *data)
{
    if (runner->opening || runner->run) {
        join_or_refuse(runner, request, done, data);
        return;
    }
    struct opening *opening = mem_new(sizeof *opening);
    runner->opening = opening;
    opening->runner = runner;
    opening->playbook = mem_strdup(request->playbook);
    opening->plan_id = mem_strdup(request->plan_id);
    opening->trigger = mem_strdup(request->trigger);
    opening->requester = mem_strdup(request->requester);
    opening->options = json_deep_copy(request->options);
    waiter_add(&opening->waiters, done, data, false);
    if (!runner->resuming) /* else it waits until the journal has told of an unfinished run */
        opening_load(opening);
}

int runner_abort(struct runner *runner, int64_t id, const char *requester, struct err *e)
{
    if (!runner->run || runner->run->id != id || runner->run->phase == RUN_ENDED)
        return err_set(e, ERR_NOT_FOUND, "run %lld is not under way", (long long)id);
    run_abort(runner->run, requester);
    return 0;
}

/* --- the end of a run --------------------------------------------------------------------------
 */

void runner_ended(struct runner *runner)
{
    struct run *run = runner->run;
    bool ended = run && run->phase == RUN_ENDED;
    if (run) {
        runner->run = NULL;
        for (struct follower *f = runner->followers; f; f = f->next) {
            if (f->handle && !ended)
                f->on_entry(f->data, NULL, true); /* it goes on in another life */
            f->handle = 0;
        }
        sweep_followers(runner);
        run_free(run);
    }
    if (ended && runner->on_end)
        runner->on_end(runner->on_end_data);
    if (runner->on_drained) {
        loop_fn drained = runner->on_drained;
        runner->on_drained = NULL;
        loop_defer(runner->loop, drained, runner->on_drained_data);
    }
}

void runner_drain(struct runner *runner, loop_fn done, void *data)
{
    runner->on_drained = done;
    runner->on_drained_data = data;
    if (runner->opening || runner->resuming)
        return; /* whoever is told of its outcome goes on from there */
    if (runner->run)
        run_drain(runner->run);
    else
        runner_ended(runner);
}

/* --- resuming ----------------------------------------------------------------------------------
 */

static void resume_finish(struct runner *runner, bool resumed)
{
    runner->resuming = false;
    runner->on_resumed(runner->on_resumed_data, resumed);
    if (runner->opening && !runner->run) {
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

static void on_unfinished(void *data, const struct err *e, const json_t *record)
{
    struct runner *runner = data;
    struct plan *plan = NULL;
    struct err unreadable;
    bool found = !e && json_is_object(record) && !runner->on_drained;
    if (found && plan_parse(json_at(record, "plan"), &plan, &unreadable) != 0)
        log_err(LOG_LEVEL_ERROR, "an unfinished run cannot be carried on: what it stopped is down",
                &unreadable);
    if (!plan) {
        resume_finish(runner, false);
        return;
    }
    struct stack *stack = empty_stack(plan);
    runner->run = run_new(runner, plan, stack, json_text_at(record, "trigger", ""),
                          json_text_at(record, "requester", ""));
    runner->run->started_ms = loop_now(runner->loop);
    run_restore(runner->run, record);
    run_begin(runner->run);
    stack_unref(stack);
    plan_unref(plan);
    resume_finish(runner, true);
}

void runner_resume(struct runner *runner, runner_resume_fn done, void *data)
{
    runner->resuming = true;
    runner->on_resumed = done;
    runner->on_resumed_data = data;
    journal_unfinished(runner->journal, on_unfinished, runner);
}

/* --- watching ----------------------------------------------------------------------------------
 */

json_t *runner_summary(const struct runner *runner)
{
    return runner->run ? story_summary(runner->run) : NULL;
}

int64_t runner_present(const struct runner *runner)
{
    return runner->run ? runner->run->id : 0;
}

static bool is_end(const json_t *entry)
{
    return strcmp(json_text_at(entry, "type", ""), "end") == 0;
}

/* Sends a follower what it has not had; false when it is through. */
static void pump(const struct run *run, struct follower *follower)
{
    while (follower->handle && follower->sent < json_array_size(run->entries)) {
        const json_t *entry = json_array_get(run->entries, follower->sent++);
        bool last = is_end(entry);
        follower->on_entry(follower->data, entry, last);
        if (last)
            follower->handle = 0;
    }
}

void runner_tell(struct runner *runner, const json_t *live_entry)
{
    const struct run *run = runner->run;
    if (!run)
        return;
    for (struct follower *f = runner->followers; f; f = f->next) {
        pump(run, f);
        if (live_entry && f->handle)
            f->on_entry(f->data, live_entry, false);
    }
}

static void pump_later(void *data)
{
    struct runner *runner = data;
    runner->pumping = false;
    runner_tell(runner, NULL);
    sweep_followers(runner);
}

uint64_t runner_follow(struct runner *runner, int64_t id, runner_entry_fn on_entry, void *data,
                       struct err *e)
{
    if (!runner->run || runner->run->id != id) {
        err_set(e, ERR_NOT_FOUND, "run %lld is not under way", (long long)id);
        return 0;
    }
    struct follower *follower = mem_new(sizeof *follower);
    follower->handle = loop_next_id(runner->loop);
    follower->on_entry = on_entry;
    follower->data = data;
    follower->next = runner->followers;
    runner->followers = follower;
    if (!runner->pumping)
        loop_defer(runner->loop, pump_later, runner);
    runner->pumping = true;
    return follower->handle;
}

void runner_unfollow(struct runner *runner, uint64_t handle)
{
    for (struct follower *f = runner->followers; f; f = f->next)
        if (f->handle == handle)
            f->handle = 0; /* swept later: it may be us who are being called */
}

/* --- the world ---------------------------------------------------------------------------------
 */

static void keep_event(struct run *run, const struct docker_event *event)
{
    enum { EVENTS_MAX = 10000 };
    if (run->event_count >= EVENTS_MAX)
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

void runner_docker_sync(struct runner *runner)
{
    struct run *run = runner->run;
    for (size_t i = 0; run && i < run->plan->action_count; i++) {
        struct action_run *a = &run->actions[i];
        if (a->state == ACTION_RUNNING && a->class->on_sync)
            a->class->on_sync(a);
    }
}
