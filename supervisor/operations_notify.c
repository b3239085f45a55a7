/* The trial of the receivers: each is sent one notification, at once and beside its queue. */
#include "supervisor/operations.h"

#include "base/diag.h"
#include "base/mem.h"
#include "supervisor/app_private.h"

#include <string.h>

/* Until the last of its receivers has answered; notify/ bounds how long each may take. */
struct trial {
    struct app *app;
    control_reply_fn reply;
    void *data;
    json_t *results; /* in the order of the configuration */
    size_t pending;
};

struct tried {
    struct trial *trial;
    json_t *result; /* borrowed from the results */
    int64_t begun_ms;
};

static void trial_end(struct trial *trial)
{
    struct app *app = trial->app;
    CLEANUP_JSON json_t *body = json_object();
    json_object_set_new(body, "results", trial->results);
    trial->reply(trial->data, NULL, body);
    free(trial);
    app_query_ends(app);
}

static void on_tried(void *data, const struct err *e)
{
    struct tried *tried = data;
    struct trial *trial = tried->trial;
    bool failed = e && err_is_set(e);
    json_set_bool(tried->result, "delivered", !failed);
    json_set_int(tried->result, "took_ms", loop_now(trial->app->loop) - tried->begun_ms);
    json_set_text(tried->result, "error", failed ? e->text : NULL);
    json_set_text(tried->result, "hint", failed && *e->hint ? e->hint : NULL);
    free(tried);
    if (--trial->pending == 0)
        trial_end(trial);
}

static void try_one(struct trial *trial, const char *receiver)
{
    struct app *app = trial->app;
    struct tried *tried = mem_new(sizeof *tried);
    json_t *result = json_object();
    json_set_text(result, "receiver", receiver);
    json_array_append_new(trial->results, result);
    *tried = (struct tried){.trial = trial, .result = result, .begun_ms = loop_now(app->loop)};
    trial->pending++;
    notify_test(news_notify(app->news), receiver, app->project, on_tried, tried);
}

/* Whether there is somebody to be tried; NULL means all of them. */
static int check_receiver(const json_t *receivers, const char *wanted, struct err *e)
{
    size_t count = json_array_size(receivers);
    const char **names = mem_new((count + 1) * sizeof *names);
    bool found = !wanted && count > 0;
    for (size_t i = 0; i < count; i++) {
        names[i] = json_text_at(json_array_get(receivers, i), "name", "");
        found = found || (wanted && strcmp(names[i], wanted) == 0);
    }
    const char *meant = wanted ? diag_nearest(wanted, names) : NULL;
    free(names);
    if (found)
        return 0;
    if (count == 0) {
        err_set(e, ERR_NOT_FOUND, "nobody is told anything: the configuration names no receiver");
        err_hint(e, "notify: in the configuration; docs/notifications.md");
        return -(int)ERR_NOT_FOUND;
    }
    err_set(e, ERR_NOT_FOUND, "there is no receiver '%s'", wanted);
    if (meant)
        err_hint(e, "did you mean '%s'?", meant);
    return -(int)ERR_NOT_FOUND;
}

void op_notify_test(void *data, const char *receiver, control_reply_fn reply, void *reply_data)
{
    struct app *app = data;
    struct err e;
    CLEANUP_JSON json_t *receivers = app->news ? news_json(app->news) : json_array();
    int status = app->stopping ? app_refuse_stopping(&e) : check_receiver(receivers, receiver, &e);
    if (status != 0) {
        reply(reply_data, &e, NULL);
        return;
    }
    struct trial *trial = mem_new(sizeof *trial);
    *trial =
        (struct trial){.app = app, .reply = reply, .data = reply_data, .results = json_array()};
    app_query_begins(app);
    for (size_t i = 0; i < json_array_size(receivers); i++) {
        const char *name = json_text_at(json_array_get(receivers, i), "name", "");
        if (!receiver || strcmp(name, receiver) == 0)
            try_one(trial, name);
    }
}
