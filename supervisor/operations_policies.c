/* The operations about acting by itself: what the policies see, decide, ask, and may not. */
#include "base/log.h"
#include "base/mem.h"
#include "control/alerts.h"
#include "supervisor/app_private.h"
#include "supervisor/operations.h"

/* NULL when there is none to ask: the refusal has been sent. */
static struct autopilot *autopilot_of(struct app *app, control_reply_fn reply, void *data)
{
    struct err e;
    if (app->autopilot && !app->stopping)
        return app->autopilot;
    if (app->stopping)
        app_refuse_stopping(&e);
    else
        err_set(&e, ERR_UNSUPPORTED, "nothing is watched in a command's own process");
    if (!app->stopping)
        err_hint(&e, "start stack-supervisord, and ask it without --standalone");
    reply(data, &e, NULL);
    return NULL;
}

/* 503: whoever asks tries again. */
static void refuse_early(control_reply_fn reply, void *data)
{
    struct err e;
    err_set(&e, ERR_CANCELLED, "the supervisor has just started; try again in a moment");
    reply(data, &e, NULL);
}

static void reply_now(control_reply_fn reply, void *data, json_t *body)
{
    reply(data, NULL, body);
    json_decref(body);
}

void op_policies(void *data, control_reply_fn reply, void *reply_data)
{
    struct autopilot *autopilot = autopilot_of(data, reply, reply_data);
    if (autopilot)
        reply_now(reply, reply_data, autopilot_policies(autopilot));
}

void op_observations(void *data, control_reply_fn reply, void *reply_data)
{
    struct app *app = data;
    struct autopilot *autopilot = autopilot_of(app, reply, reply_data);
    if (!autopilot)
        return;
    json_t *body = autopilot_observations(autopilot);
    lookout_json(app->lookout, body);
    reply_now(reply, reply_data, body);
}

void op_decisions(void *data, int limit, control_reply_fn reply, void *reply_data)
{
    struct autopilot *autopilot = autopilot_of(data, reply, reply_data);
    if (!autopilot)
        return;
    if (autopilot_is_ready(autopilot))
        reply_now(reply, reply_data, autopilot_decisions(autopilot, (size_t)limit));
    else
        refuse_early(reply, reply_data); /* no decisions would look like no history */
}

void op_answer(void *data, int64_t decision, bool approve, const char *requester,
               control_reply_fn reply, void *reply_data)
{
    struct err e;
    struct autopilot *autopilot = autopilot_of(data, reply, reply_data);
    if (!autopilot)
        return;
    if (autopilot_answer(autopilot, decision, approve, requester, &e) != 0) {
        reply(reply_data, &e, NULL);
        return;
    }
    reply_now(
        reply, reply_data,
        json_pack("{s:I, s:s}", "decision", decision, "answer", approve ? "approved" : "denied"));
}

/* `kept`: whether the next life of the daemon will know of it, as far as is known. */
static void reply_paused(const struct app *app, int status, const struct err *e,
                         control_reply_fn reply, void *data)
{
    if (status != 0) {
        reply(data, e, NULL);
        return;
    }
    json_t *body = json_object();
    json_object_set_new(body, "paused", autopilot_pause_json(app->autopilot));
    json_set_bool(body, "kept", !app->blind && !journal_trouble(app->journal));
    reply_now(reply, data, body);
}

void op_pause(void *data, const json_t *request, const char *requester, control_reply_fn reply,
              void *reply_data)
{
    struct autopilot *autopilot = autopilot_of(data, reply, reply_data);
    const char *duration = json_text_at(request, "for", NULL);
    int64_t for_ms = NEVER;
    struct err e;
    if (!autopilot)
        return;
    if (duration)
        duration_parse(duration, &for_ms); /* the route has checked it */
    int status = autopilot_pause(autopilot, for_ms,
                                 json_text_at(request, "reason", "no reason given"), requester, &e);
    reply_paused(data, status, &e, reply, reply_data);
}

void op_resume(void *data, const char *requester, control_reply_fn reply, void *reply_data)
{
    struct err e;
    struct autopilot *autopilot = autopilot_of(data, reply, reply_data);
    if (!autopilot)
        return;
    int status = autopilot_resume(autopilot, requester, &e);
    reply_paused(data, status, &e, reply, reply_data);
}

/* By the sender's id of its labels, or by the labels themselves. */
static void take_alert(struct autopilot *autopilot, const struct alert *alert)
{
    CLEANUP_FREE char *labels = json_dumps(alert->labels, JSON_COMPACT | JSON_SORT_KEYS);
    autopilot_take_alert(autopilot, alert->name, *alert->fingerprint ? alert->fingerprint : labels,
                         alert->firing);
}

/* One alert, to the policies that wait for it; what is told of it. */
static json_t *tell_alert(struct autopilot *autopilot, const struct alert *alert)
{
    json_t *told = json_object();
    size_t waiting = autopilot_alert(autopilot, alert->name);
    json_set_text(told, "name", alert->name);
    json_set_bool(told, "firing", alert->firing);
    json_set_int(told, "policies", (int64_t)waiting);
    return told;
}

void op_alerts(void *data, const json_t *body, const char *requester, control_reply_fn reply,
               void *reply_data)
{
    struct err e;
    struct alerts alerts;
    struct autopilot *autopilot = autopilot_of(data, reply, reply_data);
    if (!autopilot)
        return;
    if (!autopilot_is_ready(autopilot)) {
        refuse_early(reply, reply_data); /* a policy would miss it */
        return;
    }
    CLEANUP_JSON json_t *copy = json_deep_copy(body);
    if (alerts_read(copy, &alerts, &e) != 0) {
        reply(reply_data, &e, NULL);
        return;
    }
    log_info("%zu alert%s by %s", alerts.count, alerts.count == 1 ? "" : "s", requester);
    json_t *told = json_array();
    for (size_t i = 0; i < alerts.count; i++)
        take_alert(autopilot, &alerts.items[i]);
    for (size_t i = 0; i < alerts.count; i++)
        json_array_append_new(told, tell_alert(autopilot, &alerts.items[i]));
    alerts_clear(&alerts);
    reply_now(reply, reply_data, json_pack("{s:o}", "alerts", told));
}
