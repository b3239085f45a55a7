/* Wiring: what the application is made of, in the order in which it is made, and its end in the
 * reverse order. See app.h. */
#include "base/log.h"
#include "base/mem.h"
#include "supervisor/app_private.h"
#include "supervisor/leftover.h"
#include "supervisor/state_dir.h"

#include <string.h>

enum { LOOK_MS = 15000, LOOK_WAIT_MIN_MS = 1000, LOOK_WAIT_MAX_MS = 32000 };

static void app_look(struct app *app);

/* --- questions that are open ------------------------------------------------------------------ */

static void app_maybe_stopped(struct app *app)
{
    if (!app->stopping || app->queries > 0 || app->looking || !app->on_stopped || app->runner)
        return;
    loop_fn stopped = app->on_stopped;
    app->on_stopped = NULL;
    loop_defer(app->loop, stopped, app->on_stopped_data);
}

void app_query_begins(struct app *app)
{
    app->queries++;
}

void app_query_ends(struct app *app)
{
    app->queries--;
    app_maybe_stopped(app);
}

/* --- looking at the stack, and aiming at its database ----------------------------------------- */

/* Without a model events mean nothing: an Engine that failed to tell is asked again. Where there is
 * no such stack, or several, asking again does not help: an event or a reload leads to the next
 * look. */
static void look_later(struct app *app, const struct err *e)
{
    bool is_known = e->code == ERR_NOT_FOUND || e->code == ERR_INVALID;
    if (app->look_wait_ms == LOOK_WAIT_MIN_MS || is_known)
        log_err(LOG_LEVEL_WARNING, "the stack is not known yet", e);
    if (is_known || err_is_set(&app->engine_trouble)) /* back in reach it is looked at anyway */
        return;
    timer_start(app->look_later, app->look_wait_ms);
    if (app->look_wait_ms * 2 <= LOOK_WAIT_MAX_MS)
        app->look_wait_ms *= 2;
}

/* What the configuration says and the stack does not know may be a slip of the pen, and of weight
 * (`ignore`): who starts or reloads the daemon hears of it. */
static void tell_notes(struct app *app, const struct stack *stack)
{
    for (size_t i = 0; i < stack->note_count && !app->notes_told; i++)
        log_warning("stack %s: %s", stack->project, stack->notes[i]);
    app->notes_told = true;
}

static void on_looked(void *data, const struct err *e, struct stack *stack)
{
    struct app *app = data;
    struct err failure;
    app->looking = false;
    if (app->stopping) {
        app_maybe_stopped(app);
        return;
    }
    if (e) {
        look_later(app, e);
    } else if (stack->database->container_count > 0) {
        const struct container *c = stack->database->containers[0];
        if (container_is_up(c) && runner_aim(app->runner, c, &failure) != 0)
            log_err(LOG_LEVEL_WARNING, "database", &failure);
    }
    if (!e) {
        app->look_wait_ms = LOOK_WAIT_MIN_MS;
        mem_replace(&app->project, stack->project);
        tell_notes(app, stack);
        lookout_stack(app->lookout, stack);
    }
    if (app->look_again)
        app_look(app);
}

static void app_look(struct app *app)
{
    app->look_again = app->looking;
    if (app->looking || app->standalone || app->stopping)
        return;
    app->looking = true;
    timer_stop(app->look_later);
    stack_load(app->docker, &app->selector, LOOK_MS, on_looked, app);
}

static void on_look_later(void *data)
{
    app_look(data);
}

static void on_lifeline(void *data, bool open, const struct err *e)
{
    (void)data;
    if (open)
        log_info("lifeline to the database is open");
    else if (e)
        log_err(LOG_LEVEL_WARNING, "lifeline to the database is lost", e);
}

/* --- the engine's events ---------------------------------------------------------------------- */

/* A container that starts may get an address that another one had. The database, the poolers and
 * the holders of sessions are found by address, so the stack is loaded again. */
static bool changes_stack(const struct docker_event *event)
{
    static const char *const actions[] = {"create", "destroy", "rename", "start"};
    for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
        if (strcmp(event->action, actions[i]) == 0)
            return true;
    return false;
}

static void on_event(void *data, const struct docker_event *event)
{
    struct app *app = data;
    runner_docker_event(app->runner, event);
    if (app->lookout)
        lookout_event(app->lookout, event);
    if (changes_stack(event))
        app_look(app);
}

static void on_sync(void *data)
{
    struct app *app = data;
    if (err_is_set(&app->engine_trouble))
        log_info("the Docker Engine answers again");
    err_clear(&app->engine_trouble);
    runner_docker_sync(app->runner);
    if (app->lookout)
        lookout_sync(app->lookout);
    app_look(app);
}

static void on_lost(void *data, const struct err *e)
{
    struct app *app = data;
    /* Each vain try tells; a person wants to hear it once. */
    if (!err_is_set(&app->engine_trouble))
        log_err(LOG_LEVEL_WARNING, "the Docker Engine is not reached", e);
    runner_docker_lost(app->runner);
    if (app->lookout)
        lookout_lost(app->lookout);
    err_copy(&app->engine_trouble, e);
}

static const struct docker_watch_class watch_class = {
    .on_event = on_event, .on_sync = on_sync, .on_lost = on_lost};

/* --- beginning -------------------------------------------------------------------------------- */

static void apply_selector(struct app *app)
{
    app->selector = (struct stack_selector){
        .project = app->config->stack,
        .database_service = app->config->database_service,
        .overrides = app->config->overrides,
        .override_count = app->config->override_count,
    };
    runner_configure(app->runner, app->config->playbooks, &app->selector);
    const struct reach_options console = {.connect = app->config->pooler_connect,
                                          .passfile = app->config->pooler_passfile};
    reach_configure_pooler(app->reach, &console);
}

static int open_docker(struct app *app, struct err *e)
{
    const struct docker_options options = {.host = app->docker_host ? app->docker_host
                                                                    : app->config->docker_host};
    return docker_new(app->loop, &options, &app->docker, e);
}

static void open_journal(struct app *app)
{
    struct err e;
    CLEANUP_FREE char *path = mem_printf("%s/journal.db", app->state_dir);
    app->journal = journal_open(app->loop, path, &e);
    if (err_is_set(&e))
        log_err(LOG_LEVEL_ERROR, "history is kept in memory only", &e);
}

static struct reach *open_reach(struct app *app)
{
    const struct reach_options options = {.connect = app->config->database_connect,
                                          .passfile = app->config->database_passfile};
    struct reach *reach = reach_new(app->loop, app->docker, &options);
    if (!app->standalone)
        reach_keep_lifeline(reach, on_lifeline, app);
    return reach;
}

static void on_resumed(void *data, bool resumed)
{
    struct app *app = data;
    app->resuming = resumed && runner_present(app->runner) != 0;
    if (app->autopilot)
        autopilot_resumed(app->autopilot, runner_present(app->runner));
    if (app->on_resumed)
        app->on_resumed(app->owner, resumed ? runner_present(app->runner) : 0);
}

static void on_leftover_checked(void *data, const struct err *e)
{
    struct app *app = data;
    int64_t run;
    if (e && !app->stopping)
        log_err(LOG_LEVEL_ERROR, "an unfinished run of an earlier life is not carried on", e);
    else if (!app->stopping && runner_left(app->runner, &run))
        runner_carry_on(app->runner, run);
    if (!app->stopping)
        on_resumed(app, !e);
    app_query_ends(app);
}

static void on_leftover(void *data, bool found)
{
    struct app *app = data;
    int64_t run = 0;
    struct plan *plan = found ? runner_left(app->runner, &run) : NULL;
    if (plan && leftover_is_checkable(plan)) {
        app_query_begins(app);
        leftover_check(run, plan, app->docker, on_leftover_checked, app);
        return;
    }
    if (plan)
        runner_carry_on(app->runner, run);
    on_resumed(app, plan);
}

static void on_run_began(void *data, int64_t run, const struct plan *plan, const char *trigger)
{
    struct app *app = data;
    tally_run_began(app->tally, plan->playbook->name);
    app->run_disrupts = plan_is_disruptive(plan);
    if (app->autopilot)
        autopilot_run_began(app->autopilot, run, plan, trigger);
}

static void on_run_ended(void *data, const struct run_end *end)
{
    struct app *app = data;
    app->resuming = false;
    tally_run_ended(app->tally, end->state, clock_wall_ms());
    reach_wake_lifeline(app->reach);
    app_look(app);
    if (!app->autopilot)
        return;
    lookout_run_ended(app->lookout, app->run_disrupts); /* before anything is decided on it */
    news_run_ended(app->news, end);
    autopilot_run_ended(app->autopilot, end->run, end->state);
}

static const struct runner_watcher run_watcher = {.began = on_run_began, .ended = on_run_ended};

static void on_ready(void *data)
{
    const struct app *app = data;
    lookout_begin(app->lookout);
    if (app->on_ready)
        app->on_ready(app->owner);
}

/* Budgets and pauses are forgotten with it: nothing bounds the policies any more, so each action
 * needs a person's yes. */
static void on_blind(void *data)
{
    struct app *app = data;
    app->blind = true;
    policy_set_cap(app->config->policies, app_cap(app));
}

static void on_decision(void *data, const struct decision *decision)
{
    const struct app *app = data;
    tally_decision(app->tally, decision->policy, decision_kind_name(decision->kind));
    news_decision(app->news, decision, app->project,
                  autopilot_last_run(app->autopilot, decision->incident));
}

int app_refuse_stopping(struct err *e)
{
    return err_set(e, ERR_CANCELLED, "the supervisor is stopping");
}

enum policy_mode app_cap(const struct app *app)
{
    enum policy_mode cap = app->config->mode > app->mode ? app->config->mode : app->mode;
    return app->blind && cap < MODE_ASK ? MODE_ASK : cap;
}

static struct autopilot_rules autopilot_rules_of(const struct app *app)
{
    struct config *config = app->config;
    policy_set_cap(config->policies, app_cap(app));
    return (struct autopilot_rules){.policies = config->policies,
                                    .playbooks = config->playbooks,
                                    .recoveries = config->recoveries};
}

static void open_autopilot(struct app *app)
{
    CLEANUP_FREE char *trace_path = mem_printf("%s/trace.jsonl", app->state_dir);
    const struct autopilot_options options = {.loop = app->loop,
                                              .journal = app->journal,
                                              .runner = app->runner,
                                              .trace_path = trace_path,
                                              .on_ready = on_ready,
                                              .on_blind = on_blind,
                                              .on_decision = on_decision,
                                              .data = app};
    const struct autopilot_rules rules = autopilot_rules_of(app);
    app->news = news_new(app->loop, app->journal, app->config->notify);
    app->autopilot = autopilot_new(&options, &rules);
    const struct lookout_options lookout_options = {.loop = app->loop,
                                                    .docker = app->docker,
                                                    .reach = app->reach,
                                                    .holders = app->holders,
                                                    .runner = app->runner,
                                                    .journal = app->journal,
                                                    .feed = autopilot_feed(app->autopilot),
                                                    .config = app->config};
    app->lookout = lookout_new(&lookout_options);
}

int app_new(struct loop *loop, const struct app_options *options, struct app **ret, struct err *e)
{
    struct app *app = mem_new(sizeof *app);
    app->loop = loop;
    app->config = options->config;
    app->docker_host = mem_strdup(options->docker_host);
    app->state_dir = mem_strdup(options->state_dir);
    app->standalone = options->standalone || options->leftover_only;
    app->mode = options->mode;
    app->on_ready = options->on_ready;
    app->on_resumed = options->on_resumed;
    app->owner = options->data;
    app->started_wall_ms = clock_wall_ms();
    app->reloaded_wall_ms = app->started_wall_ms;
    app->lock_fd = -1;
    app->tally = tally_new();
    app->look_later = timer_new(loop, on_look_later, app);
    app->look_wait_ms = LOOK_WAIT_MIN_MS;
    int status = state_dir_lock(app->state_dir, &app->lock_fd, e);
    if (status == 0)
        status = open_docker(app, e);
    if (status != 0) {
        app->stopping = true;
        app_free(app);
        return status;
    }
    open_journal(app);
    app->reach = open_reach(app);
    app->holders = holders_cache_new(loop);
    const struct runner_options runner_options = {.loop = loop,
                                                  .docker = app->docker,
                                                  .reach = app->reach,
                                                  .journal = app->journal,
                                                  .holders = app->holders,
                                                  .lock_scope = RUNNER_LOCK_SCOPE};
    app->runner = runner_new(&runner_options);
    apply_selector(app);
    runner_watch(app->runner, &run_watcher, app);
    if (!app->standalone)
        open_autopilot(app);
    app->watch = docker_watch_new(app->docker, &watch_class, app);
    if (options->leftover_only) {
        runner_find_left(app->runner, on_leftover, app);
    } else if (app->standalone) { /* most commands only ask; who acts says what becomes of it */
        runner_find_left(app->runner, on_resumed, app);
    } else {
        runner_resume(app->runner, on_resumed, app);
    }
    *ret = app;
    return 0;
}

const struct config *app_config(const struct app *app)
{
    return app->config;
}

bool app_is_resuming(const struct app *app)
{
    return app->resuming;
}

/* --- a new configuration ---------------------------------------------------------------------- */

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

void app_reload_failed(struct app *app)
{
    app->reload_failed = true;
}

void app_reload(struct app *app, struct config *config)
{
    app->reload_failed = app->notes_told = false;
    app->reloaded_wall_ms = clock_wall_ms();
    if (!same_text(config->docker_host, app->config->docker_host) && !app->docker_host)
        log_warning("docker.host has changed: it is taken at the next start");
    if (!same_text(config->database_connect, app->config->database_connect) ||
        !same_text(config->database_passfile, app->config->database_passfile)) {
        const struct reach_options options = {.connect = config->database_connect,
                                              .passfile = config->database_passfile};
        reach_configure(app->reach, &options);
    }
    config_free(app->previous);
    app->previous = app->config;
    app->config = config;
    apply_selector(app);
    if (app->autopilot) {
        const struct autopilot_rules rules = autopilot_rules_of(app);
        autopilot_configure(app->autopilot, &rules);
        lookout_configure(app->lookout, app->config);
        news_configure(app->news, app->config->notify);
    }
    app_look(app);
}

/* --- ending ----------------------------------------------------------------------------------- */

static void on_drained(void *data)
{
    struct app *app = data;
    /* Freeing the clients gives up what the open questions wait for; they end by that. */
    app->watch = docker_watch_free(app->watch);
    timer_stop(app->look_later);
    app->lookout = lookout_free(app->lookout);
    if (app->autopilot)
        autopilot_stop(app->autopilot);
    app->news = news_free(app->news);
    app->runner = runner_free(app->runner);
    app->reach = reach_free(app->reach);
    app->docker = docker_free(app->docker);
    app_maybe_stopped(app);
}

void app_shutdown(struct app *app, loop_fn done, void *data)
{
    app->stopping = true;
    app->on_stopped = done;
    app->on_stopped_data = data;
    if (app->autopilot)
        autopilot_hold(app->autopilot);
    runner_drain(app->runner, on_drained, app);
}

struct app *app_free(struct app *app)
{
    if (!app)
        return NULL;
    autopilot_free(app->autopilot);
    journal_close(app->journal);
    holders_cache_free(app->holders);
    tally_free(app->tally);
    timer_free(app->look_later);
    docker_free(app->docker);
    config_free(app->config);
    config_free(app->previous);
    free(app->docker_host);
    free(app->state_dir);
    free(app->project);
    if (app->lock_fd >= 0)
        close(app->lock_fd);
    free(app);
    return NULL;
}
