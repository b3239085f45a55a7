/* What is shown as it is and not as JSON: the status page and the metrics. Both tell what is known
 * already: whoever may look at them can make nobody be asked. */
#include "base/mem.h"
#include "control/wire.h"
#include "supervisor/app_private.h"
#include "supervisor/metrics.h"
#include "supervisor/operations.h"
#include "supervisor/page.h"

#include <string.h>

enum { RUNS_SHOWN = 10, DECISIONS_SHOWN = 10 };

struct pending {
    struct app *app;
    control_reply_fn reply;
    void *data;
};

static void reply_text(control_reply_fn reply, void *data, const char *text)
{
    json_t *body = json_lossy_string(text, strlen(text));
    reply(data, NULL, body);
    json_decref(body);
}

static void refuse(control_reply_fn reply, void *data)
{
    struct err e;
    app_refuse_stopping(&e);
    reply(data, &e, NULL);
}

void op_metrics(void *data, control_reply_fn reply, void *reply_data)
{
    const struct app *app = data;
    CLEANUP_FREE char *text = metrics_text(app);
    reply_text(reply, reply_data, text);
}

/* --- the page --------------------------------------------------------------------------------- */

static void reply_page(const struct pending *pending, const json_t *runs)
{
    const struct app *app = pending->app;
    char at[CLOCK_STAMP_MAX];
    CLEANUP_FREE char *sentence = app_sentence(app);
    CLEANUP_JSON json_t *containers = lookout_containers(app->lookout);
    CLEANUP_JSON json_t *observations = autopilot_observations(app->autopilot);
    CLEANUP_JSON json_t *policies = autopilot_policies(app->autopilot);
    CLEANUP_JSON json_t *decisions = autopilot_decisions(app->autopilot, DECISIONS_SHOWN);
    const struct page page = {.project = app->project,
                              .sentence = sentence,
                              .at = clock_stamp(clock_wall_ms(), at),
                              .containers = containers,
                              .observations = json_at(observations, "observations"),
                              .policies = json_at(policies, "policies"),
                              .decisions = json_at(decisions, "decisions"),
                              .runs = runs};
    CLEANUP_FREE char *html = page_html(&page);
    reply_text(pending->reply, pending->data, html);
}

static void on_runs(void *data, const struct err *e, const json_t *runs)
{
    struct pending *pending = data;
    struct app *app = pending->app;
    if (app->stopping || !app->autopilot)
        refuse(pending->reply, pending->data);
    else
        reply_page(pending, e ? NULL : runs);
    free(pending);
    app_query_ends(app);
}

void op_page(void *data, const char *path, control_reply_fn reply, void *reply_data)
{
    struct app *app = data;
    if (strcmp(path, WIRE_STYLE) == 0) {
        reply_text(reply, reply_data, page_style());
        return;
    }
    if (app->stopping) {
        refuse(reply, reply_data);
        return;
    }
    struct pending *pending = mem_new(sizeof *pending);
    *pending = (struct pending){.app = app, .reply = reply, .data = reply_data};
    app_query_begins(app);
    journal_list(app->journal, RUNS_SHOWN, on_runs, pending);
}
