/* How the stack is right now: containers, database, engine, and the runs. Asked live, so that what
 * it says is true when it is said. */
#include "base/mem.h"
#include "supervisor/app_private.h"

#include <string.h>

enum { LOAD_MS = 5000, PROBE_MS = 3000, ASK_MS = 3000 };

struct status {
    struct app *app;
    control_reply_fn reply;
    void *data;
    struct stack *stack;
    json_t *database;
    json_t *engine;
    json_t *reasons;
    bool known;
};

static void add_reason(struct status *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void add_reason(struct status *s, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    CLEANUP_FREE char *text = mem_vprintf(format, args);
    va_end(args);
    json_array_append_new(s->reasons, json_lossy_string(text, strlen(text)));
}

/* --- judging ---------------------------------------------------------------------------------- */

static bool should_run(const struct container *c)
{
    return strcmp(c->restart_policy, "always") == 0 ||
           strcmp(c->restart_policy, "unless-stopped") == 0;
}

static void judge_container(struct status *s, const struct stack_service *service,
                            const struct container *c)
{
    size_t shown = strcspn(c->health_output, "\r\n");
    if (c->health == HEALTH_UNHEALTHY)
        add_reason(s, "%s is unhealthy%s%.*s", c->name, shown ? ": " : "", (int)shown,
                   c->health_output);
    else if (c->state == CONTAINER_RESTARTING)
        add_reason(s, "%s ends again and again (exit code %d)", c->name, c->exit_code);
    else if (c->state == CONTAINER_PAUSED)
        add_reason(s, "%s is paused", c->name);
    else if (!container_is_up(c) && (should_run(c) || service->role == ROLE_DATABASE))
        add_reason(s, "%s is not running (%s, exit code %d)", c->name,
                   container_state_name(c->state), c->exit_code);
}

static void judge_stack(struct status *s)
{
    for (size_t i = 0; i < s->stack->service_count; i++) {
        const struct stack_service *service = &s->stack->services[i];
        for (size_t k = 0; service->role != ROLE_IGNORE && k < service->container_count; k++)
            judge_container(s, service, service->containers[k]);
    }
}

/* It is down because somebody wants it so, and no policy starts it. Only who watches can tell. */
static void note_stopped_by_hand(struct status *s, json_t *notes)
{
    for (size_t i = 0; i < s->stack->service_count; i++) {
        const struct stack_service *service = &s->stack->services[i];
        for (size_t k = 0; k < service->container_count; k++) {
            const struct container *c = service->containers[k];
            if (container_is_up(c) || !lookout_stopped_by_hand(s->app->lookout, c->name))
                continue;
            CLEANUP_FREE char *text = mem_printf("%s was stopped by hand: left alone", c->name);
            json_array_append_new(notes, json_lossy_string(text, strlen(text)));
        }
    }
}

static json_t *stack_shown(struct status *s)
{
    json_t *stack = stack_json(s->stack);
    if (s->app->lookout)
        note_stopped_by_hand(s, json_object_get(stack, "notes"));
    return stack;
}

/* --- the answer ------------------------------------------------------------------------------- */

static void status_reply(struct status *s, json_t *last_run)
{
    struct app *app = s->app;
    json_t *run = app->runner ? runner_summary(app->runner) : NULL;
    json_t *body = json_object();
    bool at_work = app->runner && runner_present(app->runner) != 0;
    if (run && !at_work)
        add_reason(s, "run %lld (%s) is unfinished, and nobody works on it",
                   (long long)json_int_at(run, "run", 0), json_text_at(run, "playbook", "?"));
    const char *word = at_work                           ? "recovering"
                       : !s->known                       ? "unknown"
                       : json_array_size(s->reasons) > 0 ? "degraded"
                                                         : "healthy";
    json_set_text(body, "status", word);
    json_object_set(body, "reasons", s->reasons);
    json_set_text(body, "project", s->stack ? s->stack->project : app->config->stack);
    json_object_set_new(body, "stack", s->stack ? stack_shown(s) : json_null());
    json_object_set_new(body, "database", s->database ? json_incref(s->database) : json_null());
    json_object_set(body, "engine", s->engine);
    json_object_set_new(body, "run", run ? run : json_null());
    json_object_set_new(body, "last_run", last_run ? json_incref(last_run) : json_null());
    json_set_bool(body, "configuration_stale", app->reload_failed);
    if (app->autopilot && !app->stopping) {
        json_t *policies = autopilot_brief(app->autopilot);
        json_set_text(policies, "mode", policy_mode_name(app_cap(app)));
        json_object_set_new(body, "policies", policies);
    }
    if (journal_trouble(app->journal))
        json_object_set_new(body, "journal", json_from_err(journal_trouble(app->journal)));
    s->reply(s->data, NULL, body);
    json_decref(body);
    json_decref(s->database);
    json_decref(s->engine);
    json_decref(s->reasons);
    stack_unref(s->stack);
    free(s);
    app_query_ends(app);
}

static void on_runs(void *data, const struct err *e, const json_t *list)
{
    struct status *s = data;
    json_t *last = NULL;
    for (size_t i = 0; !e && i < json_array_size(list) && !last; i++)
        if (json_text_at(json_array_get(list, i), "ended_at", NULL))
            last = json_array_get(list, i);
    status_reply(s, last);
}

static void status_runs(struct status *s)
{
    journal_list(s->app->journal, 2, on_runs, s);
}

/* --- the database ----------------------------------------------------------------------------- */

/* A superuser still gets in by a reserved slot where the apps are refused: that is exhaustion too.
 */
static void judge_slots(struct status *s, const struct db_activity *activity)
{
    const char *state = json_text_at(s->database, "state", "");
    int slots = activity->max_connections - activity->reserved;
    if (strcmp(state, db_state_name(DB_READY)) != 0 || activity->available > 0)
        return;
    json_set_text(s->database, "state", db_state_name(DB_EXHAUSTED));
    json_set_text(s->database, "exhaustion", db_exhaustion_name(DB_EXHAUSTION_RESERVED));
    add_reason(s, "the database is exhausted: all %d ordinary connections are taken", slots);
}

static void on_activity(void *data, const struct err *e, const struct db_activity *activity)
{
    struct status *s = data;
    if (!e) {
        json_set_int(s->database, "max", activity->max_connections);
        json_set_int(s->database, "reserved", activity->reserved);
        json_set_int(s->database, "used", activity->used);
        json_set_int(s->database, "available", activity->available);
        json_object_set_new(s->database, "utilization",
                            json_real(db_activity_utilization(activity)));
        json_set_text(s->database, "version", activity->version);
        json_set_bool(s->database, "restricted", activity->restricted);
        judge_slots(s, activity);
    }
    status_runs(s);
}

static void on_probed(void *data, const struct db_probe *probe)
{
    struct status *s = data;
    const char *exhaustion =
        probe->state == DB_EXHAUSTED ? db_exhaustion_name(probe->exhaustion) : NULL;
    json_set_text(s->database, "state", db_state_name(probe->state));
    json_set_text(s->database, "exhaustion", exhaustion);
    json_set_text(s->database, "sqlstate", *probe->sqlstate ? probe->sqlstate : NULL);
    json_set_bool(s->database, "lifeline", probe->lifeline_open);
    json_object_set_new(s->database, "why",
                        err_is_set(&probe->why) ? json_from_err(&probe->why) : json_null());
    if (probe->state != DB_READY)
        add_reason(s, "the database is %s%s%s", db_state_name(probe->state),
                   exhaustion ? ": limit met: " : "", exhaustion ? exhaustion : "");
    bool ask = probe->state == DB_READY || probe->state == DB_EXHAUSTED || probe->lifeline_open;
    if (ask && !s->app->stopping)
        db_activity(reach_db(s->app->reach), ASK_MS, on_activity, s);
    else
        status_runs(s);
}

static void ask_database(struct status *s)
{
    struct err e;
    const struct stack_service *service = s->stack->database;
    const struct container *c = service->container_count ? service->containers[0] : NULL;
    s->database = json_object();
    json_set_text(s->database, "service", service->name);
    json_set_text(s->database, "container", c ? c->name : NULL);
    if (!c || runner_aim(s->app->runner, c, &e) != 0) {
        json_set_text(s->database, "state", db_state_name(DB_UNREACHABLE));
        json_object_set_new(s->database, "why", c ? json_from_err(&e) : json_null());
        add_reason(s, "the database cannot be reached");
        status_runs(s);
        return;
    }
    json_set_text(s->database, "where", db_where(reach_db(s->app->reach)));
    db_probe(reach_db(s->app->reach), PROBE_MS, on_probed, s);
}

/* --- the engine ------------------------------------------------------------------------------- */

static json_t *engine_json(const struct app *app, const struct err *e)
{
    json_t *engine = json_object();
    bool reached = !e || (e->code != ERR_UNREACHABLE && e->code != ERR_PERMISSION &&
                          e->code != ERR_TIMEOUT && e->code != ERR_CANCELLED);
    json_set_text(engine, "host", app->docker ? docker_host(app->docker) : NULL);
    json_set_text(engine, "api_version", app->docker ? docker_api_version(app->docker) : NULL);
    json_set_text(engine, "server", app->docker ? docker_server(app->docker) : NULL);
    json_set_bool(engine, "reachable", reached);
    json_object_set_new(engine, "error", e ? json_from_err(e) : json_null());
    return engine;
}

static void on_loaded(void *data, const struct err *e, struct stack *stack)
{
    struct status *s = data;
    struct err failure = e ? *e : (struct err){0};
    docker_hint_silence(&failure);
    s->engine = engine_json(s->app, e ? &failure : NULL);
    if (e || s->app->stopping) {
        if (e)
            add_reason(s, "%s%s%s", failure.text, *failure.hint ? "; " : "", failure.hint);
        status_runs(s);
        return;
    }
    s->known = true;
    s->stack = stack_ref(stack);
    judge_stack(s);
    ask_database(s);
}

void query_status(struct app *app, control_reply_fn reply, void *data)
{
    struct status *s = mem_new(sizeof *s);
    *s = (struct status){.app = app, .reply = reply, .data = data, .reasons = json_array()};
    app_query_begins(app);
    if (app->stopping) {
        s->engine = engine_json(app, NULL);
        status_runs(s);
        return;
    }
    stack_load(app->docker, &app->selector, LOAD_MS, on_loaded, s);
}
