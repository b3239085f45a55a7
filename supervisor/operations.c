/* The table of control/control.h, filled: each API operation as a call into the application. */
#include "supervisor/operations.h"
#include "base/mem.h"
#include "supervisor/app_private.h"

#include <string.h>

enum { RUNS_SHOWN = 50 };

/* A reply that waits for somebody else's callback. */
struct pending {
    struct app *app;
    control_reply_fn reply;
    void *data;
};

/* NULL when the application is ending: the refusal has been sent. */
static struct pending *pending_new(struct app *app, control_reply_fn reply, void *data)
{
    if (app->stopping) {
        struct err e;
        app_refuse_stopping(&e);
        reply(data, &e, NULL);
        return NULL;
    }
    struct pending *pending = mem_new(sizeof *pending);
    *pending = (struct pending){.app = app, .reply = reply, .data = data};
    app_query_begins(app);
    return pending;
}

/* Replies, frees `pending`, and lets go of the body. */
static void pending_reply(struct pending *pending, const struct err *e, json_t *body)
{
    struct app *app = pending->app;
    pending->reply(pending->data, e, body);
    json_decref(body);
    free(pending);
    app_query_ends(app);
}

static void reply_now(control_reply_fn reply, void *data, json_t *body)
{
    reply(data, NULL, body);
    json_decref(body);
}

/* --- what is known at once -------------------------------------------------------------------- */

static void op_version(void *data, control_reply_fn reply, void *reply_data)
{
    struct app *app = data;
    char at[CLOCK_STAMP_MAX];
    json_t *body = json_object();
    json_set_text(body, "version", STACK_SUPERVISOR_VERSION);
    json_set_text(body, "api", WIRE_API);
    json_set_int(body, "pid", getpid());
    json_set_text(body, "started_at", clock_stamp(app->started_wall_ms, at));
    json_set_text(body, "config", app->config->path);
    json_set_text(body, "docker_host", app->docker ? docker_host(app->docker) : NULL);
    reply_now(reply, reply_data, body);
}

static void op_playbooks(void *data, control_reply_fn reply, void *reply_data)
{
    struct app *app = data;
    json_t *body = json_object();
    json_object_set_new(body, "playbooks", playbook_set_json(app->config->playbooks));
    reply_now(reply, reply_data, body);
}

/* --- plans and runs --------------------------------------------------------------------------- */

static void on_plan(void *data, const struct err *e, const struct plan *plan)
{
    pending_reply(data, e, e ? NULL : plan_json(plan));
}

static void op_plan(void *data, const char *playbook, const json_t *options, control_reply_fn reply,
                    void *reply_data)
{
    struct app *app = data;
    struct pending *pending = pending_new(app, reply, reply_data);
    if (pending)
        runner_plan(app->runner, playbook, options, on_plan, pending);
}

static void on_started(void *data, const struct err *e, int64_t run, bool joined,
                       const struct plan *plan)
{
    json_t *body = NULL;
    if (!e) {
        body = json_object();
        json_set_int(body, "run", run);
        json_set_bool(body, "joined", joined);
        json_object_set_new(body, "plan", plan_json(plan));
    }
    pending_reply(data, e, body);
}

static void op_start(void *data, const json_t *request, const char *requester,
                     control_reply_fn reply, void *reply_data)
{
    struct app *app = data;
    const struct run_request run_request = {
        .playbook = json_text_at(request, "playbook", "recover"),
        .plan_id = json_text_at(request, "plan_id", NULL),
        .options = json_at(request, "options"),
        .trigger = json_text_at(request, "trigger", "command"),
        .requester = requester,
    };
    struct pending *pending = pending_new(app, reply, reply_data);
    if (pending)
        runner_start(app->runner, &run_request, on_started, pending);
}

static void op_abort(void *data, int64_t run, const char *requester, control_reply_fn reply,
                     void *reply_data)
{
    struct app *app = data;
    struct err e;
    struct pending *pending = pending_new(app, reply, reply_data);
    if (!pending)
        return;
    if (runner_abort(app->runner, run, requester, &e) != 0)
        pending_reply(pending, &e, NULL);
    else
        pending_reply(pending, NULL, json_pack("{s:I, s:s}", "run", run, "state", "aborting"));
}

/* --- the history ------------------------------------------------------------------------------ */

/* The summary of the run that is under way is fresher here than in the journal. Who holds the lock
 * for one command alone knows that nobody works on any other that has no end. */
static json_t *with_present(const struct app *app, const json_t *summary)
{
    json_t *present = app->runner ? runner_summary(app->runner) : NULL;
    if (present && json_int_at(present, "run", -1) == json_int_at(summary, "run", 0))
        return present;
    json_decref(present);
    json_t *copy = json_deep_copy(summary);
    if (app->standalone && !json_text_at(copy, "ended_at", NULL))
        json_set_text(copy, "state", "interrupted");
    return copy;
}

static void on_list(void *data, const struct err *e, const json_t *list)
{
    struct pending *pending = data;
    json_t *body = NULL;
    if (!e) {
        json_t *runs = json_array();
        for (size_t i = 0; i < json_array_size(list); i++)
            json_array_append_new(runs, with_present(pending->app, json_array_get(list, i)));
        body = json_object();
        json_object_set_new(body, "runs", runs);
    }
    pending_reply(pending, e, body);
}

static void op_runs(void *data, control_reply_fn reply, void *reply_data)
{
    struct app *app = data;
    struct pending *pending = pending_new(app, reply, reply_data);
    if (pending)
        journal_list(app->journal, RUNS_SHOWN, on_list, pending);
}

static void on_read(void *data, const struct err *e, const json_t *record)
{
    struct pending *pending = data;
    json_t *body = NULL;
    if (!e) {
        body = json_deep_copy(record);
        json_t *fresh = with_present(pending->app, record);
        json_object_update(body, fresh);
        json_decref(fresh);
    }
    pending_reply(pending, e, body);
}

static void op_run(void *data, int64_t run, control_reply_fn reply, void *reply_data)
{
    struct app *app = data;
    struct pending *pending = pending_new(app, reply, reply_data);
    if (pending)
        journal_read(app->journal, run, on_read, pending);
}

/* --- the world -------------------------------------------------------------------------------- */

static void op_status(void *data, control_reply_fn reply, void *reply_data)
{
    query_status(data, reply, reply_data);
}

static void op_connections(void *data, control_reply_fn reply, void *reply_data)
{
    query_connections(data, reply, reply_data);
}

static void op_clean(void *data, const json_t *request, control_reply_fn reply, void *reply_data)
{
    query_clean(data, request, reply, reply_data);
}

/* --- following -------------------------------------------------------------------------------- */

static uint64_t op_follow(void *data, int64_t run, control_entry_fn on_entry, void *entry_data,
                          struct err *e)
{
    struct app *app = data;
    if (app->stopping) {
        app_refuse_stopping(e);
        return 0;
    }
    runner_carry_on(app->runner, run); /* what a command follows it works on */
    uint64_t handle = runner_follow(app->runner, run, on_entry, entry_data, NULL);
    return handle ? handle : replay_begin(app, run, on_entry, entry_data);
}

static void op_unfollow(void *data, uint64_t handle)
{
    struct app *app = data;
    if (!replay_end(app, handle) && app->runner)
        runner_unfollow(app->runner, handle);
}

const struct control_ops *app_ops(void)
{
    static const struct control_ops ops = {
        .version = op_version,
        .status = op_status,
        .playbooks = op_playbooks,
        .plan = op_plan,
        .connections = op_connections,
        .clean = op_clean,
        .runs = op_runs,
        .run = op_run,
        .start = op_start,
        .abort = op_abort,
        .policies = op_policies,
        .observations = op_observations,
        .decisions = op_decisions,
        .answer = op_answer,
        .pause = op_pause,
        .resume = op_resume,
        .notify_test = op_notify_test,
        .alerts = op_alerts,
        .page = op_page,
        .metrics = op_metrics,
        .follow = op_follow,
        .unfollow = op_unfollow,
    };
    return &ops;
}
