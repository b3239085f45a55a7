/* From a request to a run: single flight, who may join, the plan that was agreed to. See runner.h
 * for runner_start(), runner_private.h for the rest. */
#include "base/mem.h"
#include "playbooks/runner_private.h"

#include <string.h>

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
    bool behind;          /* a run that has ended, and is not gone yet */
    bool names_are_given; /* whom the options name must be there */
};

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
    runner__begin(runner);
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
    runner->has_begun = true;
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
        docker_hint_silence(&failure);
        status = -(int)e->code;
    } else {
        opening->stack = stack_ref(stack);
        status = opening->names_are_given ? plan_check_names(opening->options, stack, &failure) : 0;
        status = status ? status
                        : runner__make_plan(opening->runner, opening->playbook, opening->options,
                                            stack, &opening->plan, &failure);
    }
    if (status == 0)
        status = check_plan_id(opening, &failure);
    if (status == 0 && opening->runner->draining)
        status = runner__refuse_stopping(&failure);
    if (status == 0)
        status = runner__lock(opening->runner, stack, &failure);
    if (status == 0)
        opening_begin(opening);
    else
        opening_close(opening, &failure, 0);
}

bool opening_is_behind(const struct opening *opening)
{
    return opening->behind;
}

void opening_load(struct opening *opening)
{
    struct runner *runner = opening->runner;
    opening->behind = false;
    stack_load(runner->docker, runner->selector, STACK_LOAD_MS, on_opening_stack, opening);
}

/* What is under way, or was left by an earlier life: neither has another beside it. */
static struct run *run_there(const struct runner *runner)
{
    return runner->run ? runner->run : runner->left;
}

static void refuse_beside_left(const struct run *left, struct err *e)
{
    err_set(e, ERR_REFUSED,
            "run %lld (%s) was interrupted and is unfinished: what it stopped may be down",
            (long long)left->id, left->plan->playbook->name);
    err_hint(e, "supervisorctl --standalone attach carries it on, supervisorctl --standalone abort "
                "winds it up");
}

static void refuse_beside(const struct runner *runner, const char *present, struct err *e)
{
    int64_t run = runner_present(runner); /* 0: it is about to begin */
    if (runner->left) {
        refuse_beside_left(runner->left, e);
        return;
    }
    if (run)
        err_set(e, ERR_REFUSED, "another run is under way: %s (run %lld)", present, (long long)run);
    else
        err_set(e, ERR_REFUSED, "another run is under way: %s", present);
    err_hint(e, "supervisorctl attach follows it, supervisorctl abort ends it");
}

/* Whether a request may join the run, or the request, that is there: the same playbook with the
 * same settings, for the same containers; who named a plan gets that one, or nothing. Else it is
 * refused. plan_id: of the present one, NULL when it named none. */
static bool may_join(const struct runner *runner, const struct playbook *present,
                     const char *plan_id, const struct run_request *request, struct err *e)
{
    const char *name = request->playbook;
    bool agrees = !request->plan_id || (plan_id && strcmp(request->plan_id, plan_id) == 0);
    if (strcmp(present->name, name) != 0 || !agrees) {
        refuse_beside(runner, present->name, e);
        return false;
    }
    struct playbook *wanted = runner__find_playbook(runner, name, request->options, e);
    bool same = wanted && json_equal(wanted->source, present->source);
    if (wanted && !same && runner->left) {
        refuse_beside_left(runner->left, e);
    } else if (wanted && !same) {
        err_set(e, ERR_REFUSED,
                "%s is under way for other containers, or with other settings (run %lld)", name,
                (long long)runner_present(runner));
        err_hint(e, "supervisorctl attach follows it; ask again when it is over");
    }
    playbook_unref(wanted);
    return same;
}

/* A request that came before it was known that there is a run of an earlier life. */
void opening_meets_run(struct opening *opening)
{
    struct run *run = run_there(opening->runner);
    const struct run_request request = {
        .playbook = opening->playbook, .options = opening->options, .plan_id = opening->plan_id};
    struct err e;
    if (!may_join(opening->runner, run->plan->playbook, run->plan->id, &request, &e)) {
        opening_close(opening, &e, 0);
        return;
    }
    runner_carry_on(opening->runner, run->id);
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

static void answer_run(struct answer *answer, const struct run *run)
{
    answer->run = run->id;
    answer->plan = plan_ref(run->plan);
}

static const struct run *carry_on_there(struct runner *runner)
{
    runner_carry_on(runner, run_there(runner)->id);
    return runner->run;
}

/* Joins what is under way when it is the same playbook; refuses another. */
static void join_or_refuse(struct runner *runner, const struct run_request *request,
                           runner_start_fn done, void *data)
{
    struct opening *opening = runner->opening;
    struct err e;
    struct playbook *present =
        opening ? runner__find_playbook(runner, opening->playbook, opening->options, &e)
                : playbook_ref(run_there(runner)->plan->playbook);
    const char *plan_id = opening ? opening->plan_id : run_there(runner)->plan->id;
    /* A request that is about to fail fails for everybody who waits for it. */
    bool joins = !present || may_join(runner, present, plan_id, request, &e);
    if (!joins)
        err_copy(&answer_later(runner, done, data)->e, &e);
    else if (opening)
        waiter_add(&opening->waiters, done, data, true);
    else
        answer_run(answer_later(runner, done, data), carry_on_there(runner));
    playbook_unref(present);
}

void runner_start(struct runner *runner, const struct run_request *request, runner_start_fn done,
                  void *data)
{
    bool ending = runner->run && runner->run->phase == RUN_ENDED; /* its end is being stored */
    if (runner->draining) {
        runner__refuse_stopping(&answer_later(runner, done, data)->e);
        return;
    }
    if (runner->opening || runner->left || (runner->run && !ending)) {
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
    opening->names_are_given = !request->may_miss;
    waiter_add(&opening->waiters, done, data, false);
    opening->behind = ending;
    /* Else it waits until the journal has told of an unfinished run, or has the end of the last. */
    if (!runner->resuming && !ending)
        opening_load(opening);
}
