/* Wiring: what the application is made of, in the order in which it is made, and its end in the
 * reverse order. See app.h. */
#include "base/log.h"
#include "base/mem.h"
#include "supervisor/app_private.h"
#include "supervisor/state_dir.h"

#include <string.h>

enum { LOOK_MS = 15000 };

static void app_look(struct app *app);

/* --- questions that are open --------------------------------------------------------------------
 */

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

/* --- aiming at the database ---------------------------------------------------------------------
 */

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
        log_err(LOG_LEVEL_WARNING, "the stack is not known yet", e);
    } else if (stack->database->container_count > 0) {
        const struct container *c = stack->database->containers[0];
        mem_replace(&app->database_container, c->name);
        if (container_is_up(c) && reach_aim(app->reach, c, &failure) != 0)
            log_err(LOG_LEVEL_WARNING, "database", &failure);
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
    stack_load(app->docker, &app->selector, LOOK_MS, on_looked, app);
}

static void on_lifeline(void *data, bool open, const struct err *e)
{
    (void)data;
    if (open)
        log_info("lifeline to the database is open");
    else if (e)
        log_err(LOG_LEVEL_WARNING, "lifeline to the database is lost", e);
}

/* --- the engine's events ------------------------------------------------------------------------
 */

static void on_event(void *data, const struct docker_event *event)
{
    struct app *app = data;
    runner_docker_event(app->runner, event);
    if (app->database_container && strcmp(event->name, app->database_container) == 0 &&
        strcmp(event->action, "start") == 0)
        app_look(app);
}

static void on_sync(void *data)
{
    struct app *app = data;
    if (err_is_set(&app->engine_trouble))
        log_info("the Docker Engine answers again");
    err_clear(&app->engine_trouble);
    runner_docker_sync(app->runner);
    app_look(app);
}

static void on_lost(void *data, const struct err *e)
{
    struct app *app = data;
    /* Each vain try tells; a person wants to hear it once. */
    if (!err_is_set(&app->engine_trouble))
        log_err(LOG_LEVEL_WARNING, "the Docker Engine is not reached", e);
    err_copy(&app->engine_trouble, e);
}

static const struct docker_watch_class watch_class = {
    .on_event = on_event, .on_sync = on_sync, .on_lost = on_lost};

/* --- beginning ----------------------------------------------------------------------------------
 */

static void apply_selector(struct app *app)
{
    app->selector = (struct stack_selector){
        .project = app->config->stack,
        .database_service = app->config->database_service,
        .overrides = app->config->overrides,
        .override_count = app->config->override_count,
    };
    runner_configure(app->runner, app->config->playbooks, &app->selector);
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
    app->resuming = resumed;
}

static void on_run_ended(void *data)
{
    struct app *app = data;
    app->resuming = false;
    reach_wake_lifeline(app->reach);
    app_look(app);
}

int app_new(struct loop *loop, const struct app_options *options, struct app **ret, struct err *e)
{
    struct app *app = mem_new(sizeof *app);
    app->loop = loop;
    app->config = options->config;
    app->docker_host = mem_strdup(options->docker_host);
    app->state_dir = mem_strdup(options->state_dir);
    app->standalone = options->standalone;
    app->started_wall_ms = clock_wall_ms();
    app->lock_fd = -1;
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
    const struct runner_options runner_options = {
        .loop = loop, .docker = app->docker, .reach = app->reach, .journal = app->journal};
    app->runner = runner_new(&runner_options);
    apply_selector(app);
    runner_on_end(app->runner, on_run_ended, app);
    app->watch = docker_watch_new(app->docker, &watch_class, app);
    runner_resume(app->runner, on_resumed, app);
    *ret = app;
    return 0;
}

bool app_is_resuming(const struct app *app)
{
    return app->resuming;
}

/* --- a new configuration ------------------------------------------------------------------------
 */

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

void app_reload(struct app *app, struct config *config)
{
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
    app_look(app);
}

/* --- ending -------------------------------------------------------------------------------------
 */

static void on_drained(void *data)
{
    struct app *app = data;
    /* Freeing the clients gives up what the open questions wait for; they end by that. */
    app->watch = docker_watch_free(app->watch);
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
    runner_drain(app->runner, on_drained, app);
}

struct app *app_free(struct app *app)
{
    if (!app)
        return NULL;
    journal_close(app->journal);
    docker_free(app->docker);
    config_free(app->config);
    config_free(app->previous);
    free(app->docker_host);
    free(app->state_dir);
    free(app->database_container);
    if (app->lock_fd >= 0)
        close(app->lock_fd);
    free(app);
    return NULL;
}
