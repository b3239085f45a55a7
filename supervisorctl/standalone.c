/* The application in this process, with no daemon. See backend.h.
 *
 * The same operations that the daemon's socket offers are called directly; the loop runs only
 * while an answer or a run is waited for. The state directory's lock keeps a daemon and us from
 * acting at the same time.
 */
#include "base/diag.h"
#include "base/log.h"
#include "base/mem.h"
#include "supervisor/app.h"
#include "supervisor/config.h"
#include "supervisorctl/backend.h"
#include "supervisorctl/ctl.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { ASK_LIMIT_MS = 120000, TICK_MS = 100, DECISIONS_ASKED = 500 };

struct standalone {
    struct backend backend;
    struct loop *loop;
    struct app *app;
    int64_t limit_ms;
    bool down; /* the application has ended in good order */
};

/* --- asking ----------------------------------------------------------------------------------- */

/* Lives until both the asker and the operation have let go of it: a reply may come after its time
 * is over. */
struct answer {
    struct loop *loop;
    json_t *body;
    struct err e;
    bool failed;
    bool replied;
    bool waiting;   /* the loop runs for it */
    bool abandoned; /* nobody waits any more */
};

static void on_reply(void *data, const struct err *e, const json_t *body)
{
    struct answer *answer = data;
    if (answer->abandoned) {
        free(answer);
        return;
    }
    answer->replied = true;
    answer->failed = e;
    err_copy(&answer->e, e);
    answer->body = e ? NULL : json_deep_copy(body);
    if (answer->waiting)
        loop_stop(answer->loop);
}

static void call(struct standalone *standalone, const struct question *question,
                 struct answer *answer)
{
    const struct control_ops *ops = app_ops();
    struct app *app = standalone->app;
    char requester[CONTROL_REQUESTER_MAX];
    control_requester(getuid(), getpid(), requester);
    switch (question->ask) {
    case ASK_VERSION:
        ops->version(app, on_reply, answer);
        return;
    case ASK_STATUS:
        ops->status(app, on_reply, answer);
        return;
    case ASK_PLAYBOOKS:
        ops->playbooks(app, on_reply, answer);
        return;
    case ASK_PLAN:
        ops->plan(app, question->playbook, question->body, on_reply, answer);
        return;
    case ASK_CONNECTIONS:
        ops->connections(app, on_reply, answer);
        return;
    case ASK_CLEAN:
        ops->clean(app, question->body, on_reply, answer);
        return;
    case ASK_RUNS:
        ops->runs(app, on_reply, answer);
        return;
    case ASK_RUN:
        ops->run(app, question->run, on_reply, answer);
        return;
    case ASK_START:
        ops->start(app, question->body, requester, on_reply, answer);
        return;
    case ASK_ABORT:
        ops->abort(app, question->run, requester, on_reply, answer);
        return;
    case ASK_POLICIES:
        ops->policies(app, on_reply, answer);
        return;
    case ASK_OBSERVATIONS:
        ops->observations(app, on_reply, answer);
        return;
    case ASK_DECISIONS:
        ops->decisions(app, DECISIONS_ASKED, on_reply, answer);
        return;
    case ASK_APPROVE:
    case ASK_DENY:
        ops->answer(app, question->run, question->ask == ASK_APPROVE, requester, on_reply, answer);
        return;
    case ASK_PAUSE:
        ops->pause(app, question->body, requester, on_reply, answer);
        return;
    case ASK_RESUME:
        ops->resume(app, requester, on_reply, answer);
        return;
    case ASK_NOTIFY_TEST:
        ops->notify_test(app, json_text_at(question->body, "receiver", NULL), on_reply, answer);
        return;
    case ASKS:
        break;
    }
    abort(); /* the enumeration has no other value */
}

static void on_late(void *data)
{
    struct answer *answer = data;
    err_set(&answer->e, ERR_TIMEOUT, "no answer in time");
    loop_stop(answer->loop);
}

static int wait_for(struct standalone *standalone, struct answer *answer)
{
    struct timer *late = timer_new(standalone->loop, on_late, answer);
    timer_start(late, standalone->limit_ms);
    answer->waiting = true;
    if (!answer->replied)
        loop_run(standalone->loop);
    answer->waiting = false;
    timer_free(late);
    return answer->replied ? 0 : WIRE_EXIT_TIMEOUT;
}

static int standalone_ask(struct backend *backend, const struct question *question, json_t **ret,
                          struct err *e)
{
    struct standalone *standalone = (struct standalone *)backend;
    struct answer *answer = mem_new(sizeof *answer);
    answer->loop = standalone->loop;
    call(standalone, question, answer);
    int code = wait_for(standalone, answer);
    if (code) {
        err_copy(e, &answer->e);
        answer->abandoned = true; /* its reply frees it */
        return code;
    }
    if (answer->failed) {
        err_copy(e, &answer->e);
        code = ctl_exit_of(e->code);
    } else {
        *ret = answer->body;
    }
    free(answer);
    return code;
}

/* --- following -------------------------------------------------------------------------------- */

struct watch {
    struct standalone *standalone;
    const struct follower *follower;
    struct timer *tick;
    int64_t run;
    uint64_t handle;
};

static void on_entry(void *data, const json_t *entry, bool last)
{
    struct watch *watch = data;
    if (entry)
        watch->follower->on_entry(watch->follower->data, entry);
    if (last) {
        watch->handle = 0;
        loop_stop(watch->standalone->loop);
    }
}

static void ask_to_wind_up(struct watch *watch)
{
    struct answer *answer = mem_new(sizeof *answer);
    struct question question = {.ask = ASK_ABORT, .run = watch->run};
    answer->abandoned = true; /* the entries tell what comes of it */
    call(watch->standalone, &question, answer);
}

static void act_on_wish(struct watch *watch)
{
    enum follow_wish wish = watch->follower->on_tick(watch->follower->data);
    if (wish == FOLLOW_WIND_UP)
        ask_to_wind_up(watch);
    if (wish == FOLLOW_LEAVE)
        loop_stop(watch->standalone->loop);
}

static void on_tick(void *data)
{
    struct watch *watch = data;
    timer_start(watch->tick, TICK_MS);
    act_on_wish(watch);
}

static void on_wake(void *data, int status, int events)
{
    (void)status;
    (void)events;
    act_on_wish(data);
}

static int standalone_follow(struct backend *backend, int64_t run, const struct follower *follower,
                             struct err *e)
{
    struct standalone *standalone = (struct standalone *)backend;
    const struct control_ops *ops = app_ops();
    struct watch watch = {.standalone = standalone, .follower = follower, .run = run};
    watch.handle = ops->follow(standalone->app, run, on_entry, &watch, e);
    if (!watch.handle)
        return ctl_exit_of(e->code);
    watch.tick = timer_new(standalone->loop, on_tick, &watch);
    timer_start(watch.tick, TICK_MS);
    struct poll *wake = follower->wake_fd < 0 ? NULL
                                              : poll_new(standalone->loop, follower->wake_fd,
                                                         UV_READABLE, on_wake, &watch);
    loop_run(standalone->loop);
    if (watch.handle)
        ops->unfollow(standalone->app, watch.handle);
    poll_free(wake);
    timer_free(watch.tick);
    return 0;
}

/* --- making and ending one -------------------------------------------------------------------- */

static void on_down(void *data)
{
    struct standalone *standalone = data;
    standalone->down = true;
    loop_stop(standalone->loop);
}

static void standalone_free(struct backend *backend)
{
    struct standalone *standalone = (struct standalone *)backend;
    if (standalone->app) {
        app_shutdown(standalone->app, on_down, standalone);
        while (!standalone->down)
            loop_run(standalone->loop);
        app_free(standalone->app);
        log_catch_up();
    }
    loop_free(standalone->loop);
    free(standalone);
}

static const struct backend_class standalone_class = {
    .runs_outlive_us = false,
    .ask = standalone_ask,
    .follow = standalone_follow,
    .free = standalone_free,
};

static int load_config(const struct ctl_options *options, FILE *messages, struct config **ret,
                       struct err *e)
{
    struct diag_list diags;
    int failed = config_load(options->config, ret, &diags);
    if (failed) {
        diag_print(&diags, messages);
        err_set(e, ERR_INVALID, "the configuration cannot be used");
        err_hint(e, "supervisorctl check shows the same, and whether it is mended");
    }
    diag_free(&diags);
    return failed ? WIRE_EXIT_USAGE : 0;
}

/* Who cannot be reached here is not the supervisor: it is the lock, or the state directory. */
static int exit_of_opening(const struct err *e)
{
    return e->code == ERR_CONFLICT     ? WIRE_EXIT_REFUSED
           : e->code == ERR_PERMISSION ? WIRE_EXIT_UNREACHABLE
                                       : ctl_exit_of(e->code);
}

/* The threads that do the journal's work begin in here. They are to leave all signals to us:
 * Ctrl-C would end the process by one of them while we have it blocked to hear of it (signals.h).
 */
static int open_app(const struct app_options *options, struct standalone *standalone, struct err *e)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &before);
    int failed = app_new(standalone->loop, options, &standalone->app, e);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return failed;
}

int standalone_new(const struct ctl_options *options, FILE *messages, struct backend **ret,
                   struct err *e)
{
    struct config *config = NULL;
    int code = load_config(options, messages, &config, e);
    if (code)
        return code;
    struct standalone *standalone = mem_new(sizeof *standalone);
    standalone->backend.class = &standalone_class;
    standalone->limit_ms = options->timeout_ms ? options->timeout_ms : ASK_LIMIT_MS;
    standalone->loop = loop_new();
    log_set_level(LOG_LEVEL_ERROR); /* the rest is told by answers and entries */
    /* Dying because nobody reads what we print would leave a run half done. */
    signal(SIGPIPE, SIG_IGN);
    struct app_options app_options = {.config = config,
                                      .docker_host = options->docker_host,
                                      .state_dir = options->state_dir,
                                      .standalone = true};
    if (open_app(&app_options, standalone, e) != 0) {
        standalone->app = NULL;
        standalone_free(&standalone->backend);
        return exit_of_opening(e);
    }
    *ret = &standalone->backend;
    return 0;
}
