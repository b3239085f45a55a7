/* See metrics.h. */
#include "supervisor/metrics.h"

#include "base/mem.h"
#include "supervisor/app_private.h"
#include "supervisor/news.h"

#include <string.h>

#define SECONDS_A_MS 1e-3

/* As in policies/decide.h. */
static const char *const policy_states[] = {"settling", "watching",  "due",     "asking",
                                            "running",  "verifying", "cooling", "handed"};

/* --- the daemon itself ------------------------------------------------------------------------ */

static void expose_build(struct exposition *out)
{
    const struct metric_label labels[] = {{"version", STACK_SUPERVISOR_VERSION}, {.name = NULL}};
    exposition_family(out, "stack_build_info", METRIC_GAUGE, "The version that runs; always 1.");
    exposition_sample(out, labels, 1);
}

static void expose_state(const struct app *app, struct exposition *out)
{
    exposition_single(out, "stack_config_last_reload_successful", METRIC_GAUGE,
                      "Whether the configuration that was read last had no errors.",
                      app->reload_failed ? 0 : 1);
    exposition_single(out, "stack_config_last_reload_success_timestamp_seconds", METRIC_GAUGE,
                      "When a configuration was last taken.",
                      (double)app->reloaded_wall_ms * SECONDS_A_MS);
    exposition_single(out, "stack_engine_up", METRIC_GAUGE,
                      "Whether the Docker Engine's events are heard.",
                      err_is_set(&app->engine_trouble) ? 0 : 1);
    exposition_single(out, "stack_journal_durable", METRIC_GAUGE,
                      "Whether history is on disk, and not in memory alone.",
                      journal_trouble(app->journal) ? 0 : 1);
    exposition_single(out, "stack_run_in_progress", METRIC_GAUGE, "Whether a run is under way.",
                      app_is_at_work(app) ? 1 : 0);
    tally_expose(app->tally, out);
}

/* --- the stack -------------------------------------------------------------------------------- */

static void expose_containers(const struct app *app, struct exposition *out)
{
    CLEANUP_JSON json_t *containers = lookout_containers(app->lookout);
    const json_t *one;
    size_t i;
    exposition_family(out, "stack_container_up", METRIC_GAUGE, "Whether a container runs.");
    json_array_foreach(containers, i, one)
    {
        const struct metric_label labels[] = {{"container", json_text_at(one, "container", "")},
                                              {"service", json_text_at(one, "service", "")},
                                              {.name = NULL}};
        exposition_sample(out, labels, json_bool_at(one, "up", false) ? 1 : 0);
    }
}

static void expose_database(const struct board *board, int64_t now_ms, struct exposition *out)
{
    const char *parameter;
    size_t len;
    static const char name[] = "database.state";
    const struct observation_kind *kind = observation_find(name, sizeof name - 1, &parameter, &len);
    const struct series *series = board_find(board, kind, NULL);
    const struct sample *state = series ? series_fresh(series, now_ms, 0) : NULL;
    if (state)
        exposition_single(out, "stack_database_up", METRIC_GAUGE,
                          "Whether a fresh login to the database is let in.",
                          strcmp(state->word, "ready") == 0 ? 1 : 0);
}

/* --- policies and notifications --------------------------------------------------------------- */

static void expose_policy(const json_t *policy, struct exposition *out)
{
    const char *state = json_text_at(policy, "state", "");
    for (size_t i = 0; i < ARRAY_SIZE(policy_states); i++) {
        const struct metric_label labels[] = {{"policy", json_text_at(policy, "name", "")},
                                              {"mode", json_text_at(policy, "mode", "")},
                                              {"state", policy_states[i]},
                                              {.name = NULL}};
        exposition_sample(out, labels, strcmp(state, policy_states[i]) == 0 ? 1 : 0);
    }
}

static void expose_policies(const struct autopilot *autopilot, struct exposition *out)
{
    CLEANUP_JSON json_t *body = autopilot_policies(autopilot);
    const json_t *list = json_at(body, "policies");
    exposition_family(out, "stack_policy_state", METRIC_GAUGE,
                      "Where a policy stands: 1 for the state that holds.");
    for (size_t i = 0; i < json_array_size(list); i++)
        expose_policy(json_array_get(list, i), out);
    exposition_single(out, "stack_policies_paused", METRIC_GAUGE,
                      "Whether somebody has told the policies to do nothing.",
                      json_is_object(json_at(body, "paused")) ? 1 : 0);
}

static void expose_receivers(const json_t *receivers, struct exposition *out)
{
    static const char *const outcomes[] = {"sent", "failed", "dropped"};
    exposition_family(out, "stack_notifications_total", METRIC_COUNTER,
                      "Notifications by outcome (failed: a try that is made again), since the "
                      "start of the daemon.");
    for (size_t i = 0; i < json_array_size(receivers); i++) {
        const json_t *one = json_array_get(receivers, i);
        for (size_t k = 0; k < ARRAY_SIZE(outcomes); k++) {
            const struct metric_label labels[] = {{"receiver", json_text_at(one, "name", "")},
                                                  {"outcome", outcomes[k]},
                                                  {.name = NULL}};
            exposition_sample(out, labels, json_number_at(one, outcomes[k], 0));
        }
    }
    exposition_family(out, "stack_notifications_queued", METRIC_GAUGE,
                      "Notifications that wait to be delivered.");
    for (size_t i = 0; i < json_array_size(receivers); i++) {
        const json_t *one = json_array_get(receivers, i);
        const struct metric_label labels[] = {{"receiver", json_text_at(one, "name", "")},
                                              {.name = NULL}};
        exposition_sample(out, labels, json_number_at(one, "queued", 0));
    }
}

static void expose_watched(const struct app *app, struct exposition *out)
{
    const struct board *board = feed_board(autopilot_feed(app->autopilot));
    int64_t now_ms = loop_now(app->loop);
    CLEANUP_JSON json_t *receivers = news_json(app->news);
    expose_containers(app, out);
    expose_database(board, now_ms, out);
    metrics_observations(board, now_ms, out);
    expose_policies(app->autopilot, out);
    expose_receivers(receivers, out);
}

char *metrics_text(const struct app *app)
{
    struct exposition out;
    exposition_init(&out);
    expose_build(&out);
    expose_state(app, &out);
    if (app->autopilot && !app->stopping)
        expose_watched(app, &out);
    metrics_process(app->started_wall_ms, &out);
    return exposition_take(&out);
}
