/* What a plan is made of: the stack's containers, whom the steps mean, what is left alone and why,
 * and what makes a plan impossible. See plan.h. */
#include "base/buf.h"
#include "base/mem.h"
#include "playbooks/plan_private.h"

#include <string.h>

void plan__note(struct maker *m, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    *MEM_PUSH(m->plan->notes, m->plan->note_count) = mem_vprintf(format, args);
    va_end(args);
}

static void skip(struct maker *m, const char *container, const char *reason)
{
    *MEM_PUSH(m->plan->skipped, m->plan->skip_count) =
        (struct plan_skip){.container = mem_strdup(container), .reason = mem_strdup(reason)};
}

/* --- who -------------------------------------------------------------------------------------- */

static bool names(const struct step *step, const struct stack_service *service)
{
    for (size_t i = 0; i < step->service_count; i++)
        if (strcmp(step->services[i], service->name) == 0)
            return true;
    return false;
}

bool plan__means(const struct maker *m, const struct step *step, const struct place *place)
{
    const struct stack_service *service = place->service;
    if (service->role == ROLE_IGNORE)
        return false;
    switch (step->who) {
    case WHO_APPS:
        return service != m->stack->database;
    case WHO_DATABASE:
        return service == m->stack->database;
    case WHO_ALL:
        return true;
    case WHO_SELECTED:
        return place->selected && service != m->stack->database;
    case WHO_SERVICES:
        return names(step, service);
    default:
        return false;
    }
}

/* Whether one of the steps of these two kinds is about the database. */
static bool moves_database(const struct maker *m, enum step_kind kind, enum step_kind other)
{
    const struct playbook *playbook = m->plan->playbook;
    const struct place database = {.service = m->stack->database};
    for (size_t i = 0; i < playbook->step_count; i++) {
        const struct step *step = &playbook->steps[i];
        if ((step->kind == kind || step->kind == other) && plan__applies(m, step) &&
            plan__means(m, step, &database))
            return true;
    }
    return false;
}

static int check_services(const struct maker *m)
{
    const struct playbook *playbook = m->plan->playbook;
    for (size_t i = 0; i < playbook->step_count; i++) {
        const struct step *step = &playbook->steps[i];
        for (size_t k = 0; k < step->service_count; k++)
            if (!stack_service(m->stack, step->services[k])) {
                err_set(m->e, ERR_INVALID, "playbook %s, line %d: %s: no service '%s' in stack %s",
                        playbook->name, step->service_lines[k], step_kind_name(step->kind),
                        step->services[k], m->stack->project);
                err_hint(m->e, "supervisorctl check shows every such place");
                return -(int)ERR_INVALID;
            }
    }
    return 0;
}

static int check_database(const struct maker *m)
{
    const struct stack_service *database = m->stack->database;
    if (!moves_database(m, STEP_STOP, STEP_RESTART))
        return 0;
    for (size_t i = 0; i < database->container_count; i++) {
        const struct container *c = database->containers[i];
        if (c->auto_remove)
            return err_set(m->e, ERR_REFUSED,
                           "playbook %s would stop %s, which was started with --rm: it would "
                           "vanish with its data",
                           m->plan->playbook->name, c->name);
        if (c->state == CONTAINER_PAUSED) {
            err_set(m->e, ERR_REFUSED, "the database's container %s is paused", c->name);
            err_hint(m->e, "docker unpause %s", c->name);
            return -(int)ERR_REFUSED;
        }
    }
    return 0;
}

/* --- the containers --------------------------------------------------------------------------- */

/* Why a container is left alone, or NULL. */
static const char *why_not(const struct stack_service *service, const struct container *c)
{
    if (service->role == ROLE_IGNORE)
        return "ignored (stack-supervisor.role=ignore)";
    if (c->state == CONTAINER_PAUSED)
        return "paused by somebody; docker unpause it to have it recovered too";
    if (!container_is_up(c))
        return "was not running";
    if (c->auto_remove)
        return "started with --rm: it would vanish when stopped";
    return NULL;
}

static bool is_raisable(const struct container *c)
{
    return !container_is_up(c) && !c->auto_remove && c->state != CONTAINER_REMOVING &&
           c->state != CONTAINER_DEAD;
}

/* What was not running stays untouched, but for the database: a stack whose database is down is
 * not recovered by leaving it down. It counts as stopped already. One alone, and none beside one
 * that is up: two servers on one volume would ruin it. */
static bool is_to_be_raised(const struct maker *m, const struct stack_service *service,
                            const struct container *c)
{
    const struct container *first = NULL;
    if (service != m->stack->database || !moves_database(m, STEP_START, STEP_RESTART))
        return false;
    for (size_t i = 0; i < service->container_count; i++) {
        if (container_is_up(service->containers[i]))
            return false;
        if (!first && is_raisable(service->containers[i]))
            first = service->containers[i];
    }
    return first == c;
}

static void survey_container(struct maker *m, const struct stack_service *service,
                             struct container *c)
{
    struct place *place = MEM_PUSH(m->places, m->place_count);
    bool raise = is_to_be_raised(m, service, c);
    const char *reason = raise ? NULL : why_not(service, c);
    if (raise)
        plan__note(m, "the database's container %s is not running: it is started", c->name);
    *place =
        (struct place){.container = c,
                       .service = service,
                       .movable = !reason,
                       .stopped = raise,
                       .pausable = service->role == ROLE_POOLER && c->state == CONTAINER_RUNNING,
                       .stop = NONE,
                       .start = NONE,
                       .health = NONE};
    if (reason)
        skip(m, c->name, reason);
}

static bool has_running_pooler(const struct stack *stack)
{
    for (size_t s = 0; s < stack->service_count; s++)
        for (size_t i = 0; i < stack->services[s].container_count; i++)
            if (stack->services[s].role == ROLE_POOLER &&
                stack->services[s].containers[i]->state == CONTAINER_RUNNING)
                return true;
    return false;
}

bool plan__has_pooler(const struct maker *m)
{
    return has_running_pooler(m->stack);
}

bool plan__applies(const struct maker *m, const struct step *step)
{
    return step->when == WHEN_ALWAYS || plan__has_pooler(m) == (step->when == WHEN_POOLER);
}

/* --- the selection ---------------------------------------------------------------------------- */

/* Selects what bears this name: the container, else all containers of the service. */
static bool select_named(struct maker *m, const char *name, bool service_only)
{
    bool found = false;
    for (size_t i = 0; i < m->place_count && !service_only; i++) {
        struct place *place = &m->places[i];
        if (strcmp(place->container->name, name) == 0)
            found = place->selected = true;
    }
    for (size_t i = 0; i < m->place_count && !found; i++)
        m->places[i].selected |= strcmp(m->places[i].service->name, name) == 0;
    return found || stack_service(m->stack, name);
}

/* "did you mean …", or what there is. */
static int refuse_name(const struct stack *stack, const char *name, bool service_only,
                       struct err *e)
{
    const char *meant =
        service_only ? stack_nearest_service(stack, name) : stack_nearest_name(stack, name);
    int code = err_set(e, ERR_INVALID, "there is no %s '%s' in stack %s",
                       service_only ? "service" : "container or service", name, stack->project);
    if (meant) {
        err_hint(e, "did you mean '%s'?", meant);
        return code;
    }
    struct buf known;
    buf_init(&known, ERR_HINT_MAX - 32);
    for (size_t s = 0; s < stack->service_count && !service_only; s++)
        for (size_t i = 0; i < stack->services[s].container_count; i++)
            buf_printf(&known, "%s, ", stack->services[s].containers[i]->name);
    for (size_t s = 0; s < stack->service_count; s++)
        buf_printf(&known, "%s%s", s ? ", " : "", stack->services[s].name);
    err_hint(e, "there are %s", buf_text(&known));
    buf_free(&known);
    return code;
}

static int select_all(struct maker *m, char **names_given, bool service_only, size_t *count)
{
    for (size_t i = 0; names_given && names_given[i]; i++) {
        if (!select_named(m, names_given[i], service_only))
            return refuse_name(m->stack, names_given[i], service_only, m->e);
        ++*count;
    }
    return 0;
}

/* A selection is for the smallest cut: the database has playbooks of its own. */
static void spare_database(struct maker *m)
{
    for (size_t i = 0; i < m->place_count; i++)
        if (m->places[i].selected && m->places[i].service == m->stack->database)
            skip(m, m->places[i].container->name,
                 "it is the database, which no selection moves: see restart-database");
}

/* Nobody of those that are meant can be moved: says why of the first. */
static int refuse_selection(const struct maker *m)
{
    const struct plan *plan = m->plan;
    const char *name = plan->playbook->name;
    for (size_t i = 0; i < m->place_count; i++) {
        const struct place *place = &m->places[i];
        for (size_t k = 0; place->selected && k < plan->skip_count; k++)
            if (strcmp(plan->skipped[k].container, place->container->name) == 0)
                return err_set(m->e, ERR_REFUSED, "playbook %s cannot act on %s: %s", name,
                               plan->skipped[k].container, plan->skipped[k].reason);
    }
    return err_set(m->e, ERR_REFUSED, "playbook %s: what is selected has no container", name);
}

static int check_selection(struct maker *m)
{
    const struct playbook *playbook = m->plan->playbook;
    size_t count = 0;
    if (!playbook_selects(playbook))
        return 0;
    int status = select_all(m, playbook->selected_containers, false, &count);
    if (status == 0)
        status = select_all(m, playbook->selected_services, true, &count);
    if (status != 0)
        return status;
    if (count == 0) {
        err_set(m->e, ERR_INVALID, "playbook %s acts on whom it is told, and nobody is selected",
                playbook->name);
        err_hint(m->e,
                 "supervisorctl recover %s --container NAME, or --service NAME; over the API, "
                 "options: {\"containers\": [\"NAME\"]}",
                 playbook->name);
        return -(int)ERR_INVALID;
    }
    spare_database(m);
    for (size_t i = 0; i < m->place_count; i++)
        if (m->places[i].selected && m->places[i].movable &&
            m->places[i].service != m->stack->database)
            return 0;
    return refuse_selection(m);
}

/* --- the names that a request gave ------------------------------------------------------------ */

static bool is_there(const struct stack *stack, const char *name, bool service_only)
{
    return stack_service(stack, name) || (!service_only && stack_container(stack, name));
}

static int check_names(const json_t *options, const char *key, const struct stack *stack,
                       struct err *e)
{
    const bool service_only = strcmp(key, "services") == 0;
    const json_t *name;
    size_t i;
    CLEANUP_JSON json_t *names = playbook_option_names(options, key, e);
    if (!names)
        return -(int)ERR_INVALID;
    json_array_foreach(names, i, name)
    {
        if (!is_there(stack, json_string_value(name), service_only))
            return refuse_name(stack, json_string_value(name), service_only, e);
    }
    return 0;
}

int plan_check_names(const json_t *options, const struct stack *stack, struct err *e)
{
    int status = check_names(options, "containers", stack, e);
    return status ? status : check_names(options, "services", stack, e);
}

/* --- the whole -------------------------------------------------------------------------------- */

int plan__survey(struct maker *m)
{
    int status = check_services(m);
    if (status == 0)
        status = check_database(m);
    if (status != 0)
        return status;
    for (size_t s = 0; s < m->stack->service_count; s++)
        for (size_t i = 0; i < m->stack->services[s].container_count; i++)
            survey_container(m, &m->stack->services[s], m->stack->services[s].containers[i]);
    for (size_t i = 0; i < m->stack->oneoff_count; i++)
        skip(m, m->stack->oneoffs[i]->name, "a one-off container (run, not up)");
    for (size_t i = 0; i < m->stack->note_count; i++)
        plan__note(m, "%s", m->stack->notes[i]);
    return check_selection(m);
}
