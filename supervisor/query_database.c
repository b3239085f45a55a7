/* The questions about the database alone: who holds its connections, and what a clean would end. */
#include "base/mem.h"
#include "playbooks/clean_rules.h"
#include "supervisor/app_private.h"

enum { LOAD_MS = 10000, ASK_MS = 10000, FIND_MS = 2000 };

struct question {
    struct app *app;
    control_reply_fn reply;
    void *data;
    struct stack *stack;
    struct playbook *playbook; /* of a dry run: holds the rules */
    json_t *named;             /* whom it is about, as the request has it */
    struct clean_rules *rules;
    void (*ask)(struct question *q, struct db *db);
};

static void question_reply(struct question *q, const struct err *e, json_t *body)
{
    struct app *app = q->app;
    q->reply(q->data, e, body);
    json_decref(body);
    clean_rules_free(q->rules);
    playbook_unref(q->playbook);
    json_decref(q->named);
    stack_unref(q->stack);
    free(q);
    app_query_ends(app);
}

/* True when the clients are about to go, or gone: nothing more can be asked. The question has its
 * answer then. */
static bool question_is_late(struct question *q)
{
    struct err e;
    if (!q->app->stopping)
        return false;
    app_refuse_stopping(&e);
    question_reply(q, &e, NULL);
    return true;
}

static void on_loaded(void *data, const struct err *e, struct stack *stack)
{
    struct question *q = data;
    struct err failure;
    if (question_is_late(q))
        return;
    if (!e && stack->database->container_count == 0) {
        err_set(&failure, ERR_NOT_FOUND, "the database of stack %s has no container",
                stack->project);
        e = &failure;
    }
    if (!e && plan_check_names(q->named, stack, &failure) != 0)
        e = &failure;
    if (!e && runner_aim(q->app->runner, stack->database->containers[0], &failure) != 0)
        e = &failure;
    if (e) {
        failure = *e;
        docker_hint_silence(&failure);
        question_reply(q, &failure, NULL);
        return;
    }
    q->stack = stack_ref(stack);
    q->ask(q, reach_db(q->app->reach));
}

static void question_begin(struct app *app, struct question *q)
{
    app_query_begins(app);
    if (question_is_late(q))
        return;
    stack_load(app->docker, &app->selector, LOAD_MS, on_loaded, q);
}

/* --- connections ------------------------------------------------------------------------------ */

static void on_found(void *data, const struct holders *holders)
{
    question_reply(data, NULL, holders_json(holders));
}

static void on_activity(void *data, const struct err *e, const struct db_activity *activity)
{
    struct question *q = data;
    if (e)
        question_reply(q, e, NULL);
    else
        holders_find(q->app->holders, activity, q->stack, FIND_MS, on_found, q);
}

static void ask_connections(struct question *q, struct db *db)
{
    db_activity(db, ASK_MS, on_activity, q);
}

void query_connections(struct app *app, control_reply_fn reply, void *data)
{
    struct question *q = mem_new(sizeof *q);
    *q = (struct question){.app = app, .reply = reply, .data = data, .ask = ask_connections};
    question_begin(app, q);
}

/* --- clean, dry ------------------------------------------------------------------------------- */

static void on_chosen(void *data, const struct err *e, const struct db_clean_report *report)
{
    question_reply(data, e, e ? NULL : db_clean_report_json(report));
}

static const struct step *clean_step(const struct playbook *playbook)
{
    for (size_t i = 0; i < playbook->step_count; i++)
        if (playbook->steps[i].kind == STEP_CLEAN)
            return &playbook->steps[i];
    return NULL;
}

static void choose(struct question *q, const struct holders *holders)
{
    q->rules = clean_rules_new(clean_step(q->playbook), holders);
    db_clean(reach_db(q->app->reach), &q->rules->rules, true, ASK_MS, on_chosen, q);
}

static void on_holders(void *data, const struct holders *holders)
{
    if (!question_is_late(data))
        choose(data, holders);
}

static void on_sessions(void *data, const struct err *e, const struct db_activity *activity)
{
    struct question *q = data;
    if (e)
        question_reply(q, e, NULL);
    else
        holders_find(q->app->holders, activity, q->stack, FIND_MS, on_holders, q);
}

static void ask_clean(struct question *q, struct db *db)
{
    if (clean_rules_want_holders(clean_step(q->playbook)))
        db_activity(db, ASK_MS, on_sessions, q);
    else
        choose(q, NULL);
}

/* The clean playbook with the request's settings in place of its own, when it has any. */
static struct playbook *clean_playbook(const struct app *app, const json_t *request, struct err *e)
{
    struct playbook *playbook = playbook_set_find(app->config->playbooks, "clean");
    json_t *settings = json_copy(mem_unconst(request));
    json_object_del(settings, "dry_run");
    struct playbook *chosen = json_object_size(settings) > 0
                                  ? playbook_with_options(playbook, settings, e)
                                  : playbook_ref(playbook);
    json_decref(settings);
    if (chosen && !clean_step(chosen)) {
        err_set(e, ERR_INVALID, "the playbook clean has no clean step");
        chosen = playbook_unref(chosen);
    }
    return chosen;
}

void query_clean(struct app *app, const json_t *request, control_reply_fn reply, void *data)
{
    struct err e;
    struct playbook *playbook = NULL;
    if (!json_bool_at(request, "dry_run", false)) {
        err_set(&e, ERR_INVALID, "only \"dry_run\": true is answered here");
        err_hint(&e, "POST /v1/runs with {\"playbook\": \"clean\"} ends sessions");
    } else {
        playbook = clean_playbook(app, request, &e);
    }
    if (!playbook) {
        reply(data, &e, NULL);
        return;
    }
    struct question *q = mem_new(sizeof *q);
    *q = (struct question){
        .app = app, .reply = reply, .data = data, .playbook = playbook, .ask = ask_clean};
    q->named = json_copy(mem_unconst(request));
    question_begin(app, q);
}
