/* Compiling a playbook against a stack: which actions, and behind which each stands. Printing and
 * storing are in plan_json.c. See plan.h. */
#include "playbooks/plan.h"

#include "base/clock.h"
#include "base/mem.h"
#include "playbooks/plan_private.h"

#include <string.h>

enum {
    SECOND = 1000,
    CAPTURE_MS = 10 * SECOND,
    CLEAN_MS = 20 * SECOND,
    CHECKPOINT_MS = 60 * SECOND,
    READY_MS = 120 * SECOND,
    START_MS = 60 * SECOND,
    VERIFY_MS = 60 * SECOND,
    PAUSE_MS = 10 * SECOND, /* for the transactions that are open */
    RESUME_MS = 60 * SECOND,
    BLOCK_MS = 20 * SECOND,
    UNBLOCK_MS = 120 * SECOND, /* a database that comes back late is waited for */
    /* The Engine's own worst case after the grace: kill, and wait for the kernel to let go. */
    STOP_MARGIN_MS = 20 * SECOND,
    /* A checkpoint at shutdown writes all of shared_buffers: 60 s is what a busy disk may need. */
    DATABASE_GRACE_S = 60,
};

/* --- actions ---------------------------------------------------------------------------------- */

static void action_put_after(struct action *action, size_t other)
{
    for (size_t i = 0; i < action->after_count; i++)
        if (action->after[i] == other)
            return;
    *MEM_PUSH(action->after, action->after_count) = other;
}

static char *unique_id(const struct plan *plan, enum action_kind kind, const char *container)
{
    char *id = container ? mem_printf("%s:%s", action_kind_name(kind), container)
                         : mem_strdup(action_kind_name(kind));
    size_t same = 1;
    size_t len = strlen(id);
    for (size_t i = 0; i < plan->action_count; i++) {
        const char *other = plan->actions[i].id;
        same += strncmp(other, id, len) == 0 && (other[len] == '\0' || other[len] == '#');
    }
    if (same > 1) {
        char *numbered = mem_printf("%s#%zu", id, same);
        free(id);
        id = numbered;
    }
    return id;
}

/* Appends an action; place may be NULL. Its index is stable, its address is not. */
static size_t add_action(struct maker *m, enum action_kind kind, const struct step *step,
                         const struct place *place, int64_t timeout_ms)
{
    char *id = unique_id(m->plan, kind, place ? place->container->name : NULL);
    size_t index = m->plan->action_count;
    struct action *action = MEM_PUSH(m->plan->actions, m->plan->action_count);
    action->id = id;
    action->kind = kind;
    action->step = step;
    action->goes_on = step->goes_on;
    action->timeout_ms = step->timeout_ms ? step->timeout_ms : timeout_ms;
    if (place) {
        action->service = mem_strdup(place->service->name);
        action->container = mem_strdup(place->container->name);
        action->container_id = mem_strdup(place->container->id);
        action->database = place->service == m->stack->database;
    }
    return index;
}

/* --- steps in a row --------------------------------------------------------------------------- */

/* Everything in the step that stands behind nothing of the step stands behind the step before. */
static void begin_barrier(struct maker *m)
{
    m->step_first = m->plan->action_count;
}

static void end_barrier(struct maker *m)
{
    struct plan *plan = m->plan;
    if (plan->action_count == m->step_first)
        return; /* the step had nothing to do */
    size_t count = plan->action_count - m->step_first;
    bool *is_sink = mem_new(count * sizeof *is_sink);
    for (size_t i = 0; i < count; i++)
        is_sink[i] = true;
    for (size_t i = m->step_first; i < plan->action_count; i++) {
        struct action *action = &plan->actions[i];
        bool inner = false;
        for (size_t k = 0; k < action->after_count; k++) {
            if (action->after[k] < m->step_first)
                continue;
            inner = true;
            is_sink[action->after[k] - m->step_first] = false;
        }
        for (size_t k = 0; !inner && k < m->barrier_count; k++)
            action_put_after(action, m->barrier[k]);
    }
    m->barrier_count = 0;
    free(m->barrier);
    m->barrier = NULL;
    for (size_t i = m->step_first; i < plan->action_count; i++)
        if (is_sink[i - m->step_first])
            *MEM_PUSH(m->barrier, m->barrier_count) = i;
    free(is_sink);
}

/* --- order ------------------------------------------------------------------------------------ */

typedef void (*dependency_fn)(struct maker *m, const struct stack_service *service,
                              enum stack_condition condition, void *data);

/* Calls fn for what `service` depends on. A dependency that has no movable container (it was not
 * running, or is left alone) is looked through to what it depends on itself, so that the order
 * holds across it. The stack has no cycles. */
static void each_dependency(struct maker *m, const struct stack_service *service, dependency_fn fn,
                            void *data)
{
    for (size_t i = 0; i < service->dependency_count; i++) {
        const struct stack_dependency *dependency = &service->dependencies[i];
        const struct stack_service *on = stack_service(m->stack, dependency->service);
        if (!on)
            continue;
        bool present = false;
        for (size_t k = 0; k < m->place_count; k++)
            present |= m->places[k].service == on && m->places[k].movable;
        if (present)
            fn(m, on, dependency->condition, data);
        else
            each_dependency(m, on, fn, data);
    }
}

/* data is the stop of a dependent: the stop of what it depends on stands behind it. */
static void stop_behind(struct maker *m, const struct stack_service *on,
                        enum stack_condition condition, void *data)
{
    (void)condition;
    size_t dependent_stop = *(const size_t *)data;
    for (size_t i = 0; i < m->place_count; i++)
        if (m->places[i].service == on && m->places[i].stop != NONE &&
            m->places[i].stop >= m->step_first)
            action_put_after(&m->plan->actions[m->places[i].stop], dependent_stop);
}

/* data is the start of a dependent: it stands behind the start, or the health, of this. */
static void start_behind(struct maker *m, const struct stack_service *on,
                         enum stack_condition condition, void *data)
{
    struct action *dependent = &m->plan->actions[*(const size_t *)data];
    for (size_t i = 0; i < m->place_count; i++) {
        const struct place *place = &m->places[i];
        if (place->service != on || place->start == NONE || place->start < m->step_first)
            continue;
        bool wait = condition == CONDITION_HEALTHY && place->health != NONE;
        action_put_after(dependent, wait ? place->health : place->start);
    }
}

/* --- steps ------------------------------------------------------------------------------------ */

static void compile_stop(struct maker *m, const struct step *step)
{
    for (size_t i = 0; i < m->place_count; i++) {
        struct place *place = &m->places[i];
        if (!place->movable || place->stopped || !plan__means(m, step, place))
            continue;
        bool database = place->service == m->stack->database;
        int grace_s = step->grace_ms >= 0 ? (int)((step->grace_ms + 999) / SECOND)
                                          : container_grace(place->container->stop_timeout_s);
        if (database && step->grace_ms < 0 && grace_s < DATABASE_GRACE_S)
            grace_s = DATABASE_GRACE_S;
        place->stop =
            add_action(m, ACTION_STOP, step, place, (int64_t)grace_s * SECOND + STOP_MARGIN_MS);
        place->stopped = true;
        struct action *action = &m->plan->actions[place->stop];
        action->grace_s = grace_s;
        action->goes_on = step->kind == STEP_RESTART || step->goes_on;
        if (action->timeout_ms < (int64_t)grace_s * SECOND + STOP_MARGIN_MS)
            action->timeout_ms = (int64_t)grace_s * SECOND + STOP_MARGIN_MS;
        /* SIGTERM is PostgreSQL's smart shutdown: it waits for every client to leave. */
        if (database && strcmp(place->container->stop_signal, "SIGINT") != 0)
            action->signal = mem_strdup("SIGINT");
    }
    for (size_t i = 0; i < m->place_count; i++)
        if (m->places[i].stop != NONE && m->places[i].stop >= m->step_first)
            each_dependency(m, m->places[i].service, stop_behind, &m->places[i].stop);
}

static void add_health_wait(struct maker *m, const struct step *step, struct place *place)
{
    const struct container *c = place->container;
    bool database = place->service == m->stack->database;
    if (!database && !c->has_healthcheck)
        return;
    /* Twice the check's own worst case: a machine that starts a whole stack is slow. */
    int64_t timeout_ms = database ? READY_MS : START_MS + 2 * container_health_worst_ms(c);
    place->health =
        add_action(m, database ? ACTION_WAIT_READY : ACTION_WAIT_HEALTHY, step, place, timeout_ms);
    m->plan->actions[place->health].goes_on = false;
    action_put_after(&m->plan->actions[place->health], place->start);
}

/* A start of the database waits for it only where apps start in the same step: playbooks say
 * `wait: database ready` themselves. */
static bool step_has_apps(struct maker *m, const struct step *step)
{
    return step->who == WHO_ALL || step->who == WHO_APPS || step->who == WHO_SELECTED ||
           (step->who == WHO_SERVICES &&
            !(step->service_count == 1 &&
              strcmp(step->services[0], m->stack->database->name) == 0));
}

static void compile_start(struct maker *m, const struct step *step)
{
    for (size_t i = 0; i < m->place_count; i++) {
        struct place *place = &m->places[i];
        if (!place->stopped || !plan__means(m, step, place))
            continue;
        place->start = add_action(m, ACTION_START, step, place, START_MS);
        place->stopped = false;
        place->health = NONE;
        m->plan->actions[place->start].goes_on = false;
        /* In a restart the stop is in the same step. */
        if (place->stop != NONE && place->stop >= m->step_first)
            action_put_after(&m->plan->actions[place->start], place->stop);
        if (place->service != m->stack->database || step_has_apps(m, step))
            add_health_wait(m, step, place);
    }
    for (size_t i = 0; i < m->place_count; i++)
        if (m->places[i].start != NONE && m->places[i].start >= m->step_first)
            each_dependency(m, m->places[i].service, start_behind, &m->places[i].start);
}

static void compile_wait(struct maker *m, const struct step *step)
{
    for (size_t i = 0; i < m->place_count; i++) {
        struct place *place = &m->places[i];
        if (!place->movable || !plan__means(m, step, place))
            continue;
        if (place->service == m->stack->database)
            place->health = add_action(m, ACTION_WAIT_READY, step, place, READY_MS);
        else
            place->health = add_action(m, ACTION_WAIT_HEALTHY, step, place,
                                       START_MS + 2 * container_health_worst_ms(place->container));
    }
}

/* Whom a pause holds is the business of the pooler; without one there is nothing to hold. */
static void compile_pause(struct maker *m, const struct step *step)
{
    for (size_t i = 0; i < m->place_count; i++) {
        struct place *place = &m->places[i];
        if (!place->pausable || place->paused)
            continue;
        add_action(m, ACTION_PAUSE_POOL, step, place, PAUSE_MS);
        place->paused = true;
    }
    if (!plan__has_pooler(m))
        plan__note(m, "no pooler runs in this stack: nothing is paused");
}

static void compile_resume(struct maker *m, const struct step *step)
{
    for (size_t i = 0; i < m->place_count; i++) {
        struct place *place = &m->places[i];
        if (!place->paused)
            continue;
        size_t index = add_action(m, ACTION_RESUME_POOL, step, place, RESUME_MS);
        m->plan->actions[index].goes_on = false; /* clients that wait for ever are a failure */
        place->paused = false;
    }
}

static void compile_block(struct maker *m, const struct step *step)
{
    if (!m->blocked)
        add_action(m, ACTION_BLOCK, step, NULL, BLOCK_MS);
    m->blocked = true;
}

static void compile_unblock(struct maker *m, const struct step *step)
{
    if (m->blocked) {
        size_t index = add_action(m, ACTION_UNBLOCK, step, NULL, UNBLOCK_MS);
        m->plan->actions[index].goes_on = false;
    }
    m->blocked = false;
}

static void compile_step(struct maker *m, const struct step *step)
{
    if (!plan__applies(m, step))
        return;
    begin_barrier(m);
    switch (step->kind) {
    case STEP_CAPTURE:
        add_action(m, ACTION_CAPTURE, step, NULL, CAPTURE_MS);
        break;
    case STEP_STOP:
        compile_stop(m, step);
        break;
    case STEP_START:
        compile_start(m, step);
        break;
    case STEP_RESTART:
        compile_stop(m, step);
        compile_start(m, step);
        break;
    case STEP_CLEAN:
        add_action(m, ACTION_CLEAN, step, NULL, CLEAN_MS);
        break;
    case STEP_CHECKPOINT:
        add_action(m, ACTION_CHECKPOINT, step, NULL, CHECKPOINT_MS);
        break;
    case STEP_WAIT:
        compile_wait(m, step);
        break;
    case STEP_VERIFY:
        add_action(m, ACTION_VERIFY, step, NULL, VERIFY_MS + step->hold_ms);
        break;
    case STEP_PAUSE:
        compile_pause(m, step);
        break;
    case STEP_RESUME:
        compile_resume(m, step);
        break;
    case STEP_BLOCK:
        compile_block(m, step);
        break;
    case STEP_UNBLOCK:
        compile_unblock(m, step);
        break;
    default:
        break;
    }
    end_barrier(m);
}

/* Promise: what is taken is given back. A playbook that forgets it is completed: logins first, as
 * what is started wants to log in. */
static void give_back_what_is_left(struct maker *m)
{
    size_t stopped = 0;
    size_t paused = 0;
    const char *name = m->plan->playbook->name;
    for (size_t i = 0; i < m->place_count; i++) {
        stopped += m->places[i].stopped;
        paused += m->places[i].paused;
    }
    if (m->blocked)
        plan__note(m, "playbook %s blocks logins and never unblocks them: it was added at its end",
                   name);
    if (paused > 0)
        plan__note(m, "playbook %s pauses the pooler and never resumes it: it was added at its end",
                   name);
    if (stopped > 0)
        plan__note(
            m,
            "playbook %s stops %zu container%s that it never starts: starts were added at its end",
            name, stopped, stopped == 1 ? "" : "s");
    compile_step(m, plan__added_step(ACTION_UNBLOCK));
    compile_step(m, plan__added_step(ACTION_RESUME_POOL));
    compile_step(m, plan__added_step(ACTION_START));
}

/* --- the whole -------------------------------------------------------------------------------- */

/* Puts the actions into an order that respects the edges (stops were made in the order of the
 * services' names) and renumbers the edges. */
static void sort_actions(struct plan *plan)
{
    size_t count = plan->action_count;
    size_t *place_of = mem_new(count * sizeof *place_of);
    size_t *order = mem_new(count * sizeof *order);
    bool *placed = mem_new(count * sizeof *placed);
    for (size_t next = 0; next < count;) {
        for (size_t i = 0; i < count; i++) {
            bool ready = !placed[i];
            for (size_t k = 0; ready && k < plan->actions[i].after_count; k++)
                ready = placed[plan->actions[i].after[k]];
            if (!ready)
                continue;
            placed[i] = true;
            place_of[i] = next;
            order[next++] = i;
            break;
        }
    }
    struct action *sorted = mem_new(count * sizeof *sorted);
    for (size_t i = 0; i < count; i++) {
        sorted[i] = plan->actions[order[i]];
        for (size_t k = 0; k < sorted[i].after_count; k++)
            sorted[i].after[k] = place_of[sorted[i].after[k]];
    }
    free(plan->actions);
    plan->actions = sorted;
    free(place_of);
    free(order);
    free(placed);
}

int plan_make(struct playbook *playbook, const struct stack *stack, struct plan **ret,
              struct err *e)
{
    struct plan *plan = mem_new(sizeof *plan);
    plan->references = 1;
    plan->playbook = playbook_ref(playbook);
    plan->project = mem_strdup(stack->project);
    struct maker m = {.plan = plan, .stack = stack, .e = e};
    int status = plan__survey(&m);
    if (status == 0) {
        for (size_t i = 0; i < playbook->step_count; i++)
            compile_step(&m, &playbook->steps[i]);
        give_back_what_is_left(&m);
        sort_actions(plan);
        plan__finish(plan);
    }
    free(m.places);
    free(m.barrier);
    if (status == 0)
        *ret = plan;
    else
        plan_unref(plan);
    return status;
}

bool plan_is_disruptive(const struct plan *plan)
{
    static const enum action_kind kinds[] = {ACTION_STOP, ACTION_PAUSE_POOL, ACTION_BLOCK};
    for (size_t i = 0; i < plan->action_count; i++)
        for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
            if (plan->actions[i].kind == kinds[k])
                return true;
    return false;
}

struct plan *plan_ref(struct plan *plan)
{
    plan->references++;
    return plan;
}

static void action_done(struct action *action)
{
    free(action->id);
    free(action->service);
    free(action->container);
    free(action->container_id);
    free(action->after);
    free(action->signal);
}

struct plan *plan_unref(struct plan *plan)
{
    if (!plan || --plan->references > 0)
        return NULL;
    for (size_t i = 0; i < plan->action_count; i++)
        action_done(&plan->actions[i]);
    for (size_t i = 0; i < plan->skip_count; i++) {
        free(plan->skipped[i].container);
        free(plan->skipped[i].reason);
    }
    for (size_t i = 0; i < plan->note_count; i++)
        free(plan->notes[i]);
    free(plan->actions);
    free(plan->skipped);
    free(plan->notes);
    free(plan->project);
    playbook_unref(plan->playbook);
    free(plan);
    return NULL;
}
