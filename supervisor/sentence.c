/* What the application is about, in one sentence for `systemctl status`: from what is known
 * already, nobody is asked. */
#include "base/mem.h"
#include "policies/board.h"
#include "supervisor/app_private.h"

#include <inttypes.h>
#include <string.h>

/* The newest sample of an observation without a parameter, or NULL: unknown. */
static const struct sample *known(const struct app *app, const char *name)
{
    const char *parameter;
    size_t len;
    const struct observation_kind *kind = observation_find(name, strlen(name), &parameter, &len);
    const struct board *board = feed_board(autopilot_feed(app->autopilot));
    const struct series *series = board_find(board, kind, NULL);
    return series ? series_fresh(series, loop_now(app->loop), 0) : NULL;
}

static char *watching(const struct app *app)
{
    const struct sample *unhealthy = known(app, "services.unhealthy");
    const struct sample *names = known(app, "services.unhealthy.names");
    const struct sample *database = known(app, "database.state");
    const char *project = app->project ? app->project : app->config->stack;
    if (err_is_set(&app->engine_trouble))
        return mem_strdup("the Docker Engine is not reached");
    if (!project)
        return mem_strdup("looking for the stack");
    if (database && strcmp(database->word, "ready") != 0)
        return mem_printf("watching %s: the database is %s", project, database->word);
    if (unhealthy && unhealthy->number > 0)
        return mem_printf("watching %s: not healthy: %s", project,
                          names ? names->word : "some services");
    return mem_printf("watching %s%s", project, database && unhealthy ? ": healthy" : "");
}

static char *at_work(const struct app *app)
{
    CLEANUP_JSON json_t *run = runner_summary(app->runner);
    return mem_printf("run %" PRId64 ": %s, %s", json_int_at(run, "run", 0),
                      json_text_at(run, "playbook", "?"), json_text_at(run, "state", "?"));
}

char *app_sentence(const struct app *app)
{
    if (app->runner && app_is_at_work(app)) {
        CLEANUP_FREE char *run = at_work(app);
        return mem_printf("%s%s", app->stopping ? "stopping: " : "", run);
    }
    if (app->stopping || !app->autopilot)
        return mem_strdup(app->stopping ? "stopping" : "ready");
    CLEANUP_FREE char *what = watching(app);
    CLEANUP_JSON json_t *pause = autopilot_pause_json(app->autopilot);
    return mem_printf(
        "%s%s%s", what, json_is_null(pause) ? "" : "; policies are paused",
        app->reload_failed ? "; the configuration has errors: the old one stays in force" : "");
}

bool app_is_at_work(const struct app *app)
{
    return app->runner && runner_present(app->runner) != 0;
}

int64_t app_journal_busy_ms(const struct app *app)
{
    return journal_busy_ms(app->journal);
}
