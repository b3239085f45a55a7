/* See control_app.h. */
#include "tests/unit/control_app.h"

#include "base/mem.h"

#include <check.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct follower {
    struct follower *next;
    struct world *world;
    uint64_t handle;
    int64_t run;
    control_entry_fn on_entry;
    void *data;
};

static void reply_text(control_reply_fn reply, void *data, const char *key, const char *text)
{
    json_t *body = json_object();
    json_set_text(body, key, text);
    reply(data, NULL, body);
    json_decref(body);
}

static void fake_version(void *app, control_reply_fn reply, void *data)
{
    (void)app;
    reply_text(reply, data, "version", "at once");
}

static void hold(struct world *world, control_reply_fn reply, void *data)
{
    ck_assert_uint_lt(world->held_count, HELD_MAX);
    world->held[world->held_count++] = (struct held){reply, data};
}

void release(void *data)
{
    struct world *world = data;
    size_t count = world->held_count;
    world->held_count = 0;
    for (size_t i = 0; i < count; i++)
        reply_text(world->held[i].reply, world->held[i].data, "held", "released");
}

static void fake_status(void *app, control_reply_fn reply, void *data)
{
    struct world *world = app;
    hold(world, reply, data);
    timer_start(world->late, 20);
}

static void fake_connections(void *app, control_reply_fn reply, void *data)
{
    hold(app, reply, data);
}

static void fake_playbooks(void *app, control_reply_fn reply, void *data)
{
    (void)app;
    reply_text(reply, data, "playbooks", "recover");
}

static void fake_plan(void *app, const char *playbook, const json_t *options,
                      control_reply_fn reply, void *data)
{
    (void)app;
    if (options) {
        CLEANUP_FREE char *line = json_line(options);
        reply_text(reply, data, playbook, line);
        return;
    }
    if (strcmp(playbook, "nosuch") != 0) {
        reply_text(reply, data, "plan", playbook);
        return;
    }
    struct err e;
    err_set(&e, ERR_NOT_FOUND, "no playbook is called '%s'", playbook);
    err_hint(&e, "supervisorctl playbooks");
    reply(data, &e, NULL);
}

static void fake_clean(void *app, const json_t *request, control_reply_fn reply, void *data)
{
    (void)app;
    reply(data, NULL, request);
}

static void fake_runs(void *app, control_reply_fn reply, void *data)
{
    (void)app;
    reply_text(reply, data, "runs", "all");
}

static void reply_run(int64_t run, const char *who, control_reply_fn reply, void *data)
{
    json_t *body = json_object();
    json_set_int(body, "run", run);
    json_set_text(body, "requester", who);
    reply(data, NULL, body);
    json_decref(body);
}

static void fake_run(void *app, int64_t run, control_reply_fn reply, void *data)
{
    (void)app;
    reply_run(run, NULL, reply, data);
}

static void fake_start(void *app, const json_t *request, const char *requester,
                       control_reply_fn reply, void *data)
{
    (void)app;
    if (strcmp(json_text_at(request, "plan_id", ""), "stale") == 0) {
        struct err e;
        err_set(&e, ERR_REFUSED, "the plan has changed");
        reply(data, &e, NULL);
        return;
    }
    reply_run(12, requester, reply, data);
}

static void stop_server(void *data)
{
    struct world *world = data;
    world->control = control_free(world->control);
}

static void fake_abort(void *app, int64_t run, const char *requester, control_reply_fn reply,
                       void *data)
{
    struct world *world = app;
    reply_run(run, requester, reply, data);
    if (run == ABORT_RELEASE)
        loop_defer(world->loop, release, world);
    if (run == ABORT_STOP)
        loop_defer(world->loop, stop_server, world);
}

json_t *entry_of(int64_t seq, const char *type, const char *text)
{
    json_t *entry = json_object();
    if (seq)
        json_set_int(entry, "seq", seq);
    json_set_text(entry, "type", type);
    json_set_text(entry, "text", text);
    return entry;
}

static void tell(struct follower *follower, json_t *entry, bool last)
{
    follower->on_entry(follower->data, entry, last);
    json_decref(entry);
}

static void follower_remove(struct follower *follower)
{
    struct follower **at = &follower->world->followers;
    while (*at != follower)
        at = &(*at)->next;
    *at = follower->next;
    free(follower);
}

struct telling {
    struct world *world;
    uint64_t handle;
};

static void tell_all(void *data)
{
    CLEANUP_FREE struct telling *telling = data;
    struct follower *f = telling->world->followers;
    while (f && f->handle != telling->handle)
        f = f->next;
    if (!f)
        return;
    tell(f, entry_of(1, "begin", "first"), false);
    if (f->run == RUN_LARGE) {
        CLEANUP_FREE char *large = mem_new((1 << 20) + 1);
        memset(large, 'x', 1 << 20);
        tell(f, entry_of(2, "evidence", large), false);
    } else {
        tell(f, entry_of(2, "note", "second"), false);
    }
    if (f->run == RUN_ENDLESS)
        return;
    tell(f, entry_of(0, "progress", "waits"), false);
    tell(f, entry_of(3, "end", "third"), true);
    follower_remove(f);
}

static uint64_t fake_follow(void *app, int64_t run, control_entry_fn on_entry, void *data,
                            struct err *e)
{
    struct world *world = app;
    if (run != RUN_SHORT && run != RUN_ENDLESS && run != RUN_LARGE) {
        err_set(e, ERR_NOT_FOUND, "there is no run %d", (int)run);
        return 0;
    }
    struct follower *follower = mem_new(sizeof *follower);
    *follower = (struct follower){.next = world->followers,
                                  .world = world,
                                  .handle = loop_next_id(world->loop),
                                  .run = run,
                                  .on_entry = on_entry,
                                  .data = data};
    world->followers = follower;
    struct telling *telling = mem_new(sizeof *telling);
    *telling = (struct telling){world, follower->handle};
    loop_defer(world->loop, tell_all, telling);
    return follower->handle;
}

static void fake_unfollow(void *app, uint64_t handle)
{
    struct world *world = app;
    for (struct follower *f = world->followers; f; f = f->next) {
        if (f->handle != handle)
            continue;
        world->unfollowed++;
        follower_remove(f);
        return;
    }
    ck_abort_msg("unfollow: there is no handle %d", (int)handle);
}

static void fake_policies(void *app, control_reply_fn reply, void *data)
{
    (void)app;
    reply_text(reply, data, "policies", "each");
}

static void fake_observations(void *app, control_reply_fn reply, void *data)
{
    (void)app;
    reply_text(reply, data, "observations", "each");
}

static void fake_decisions(void *app, int limit, control_reply_fn reply, void *data)
{
    (void)app;
    reply_run(limit, NULL, reply, data);
}

static void fake_answer(void *app, int64_t decision, bool approve, const char *requester,
                        control_reply_fn reply, void *data)
{
    (void)app;
    (void)requester;
    reply_run(decision, approve ? "yes" : "no", reply, data);
}

static void fake_pause(void *app, const json_t *request, const char *requester,
                       control_reply_fn reply, void *data)
{
    (void)app;
    (void)requester;
    reply(data, NULL, request);
}

static void fake_resume(void *app, const char *requester, control_reply_fn reply, void *data)
{
    (void)app;
    reply_text(reply, data, "resumed by", requester);
}

static void fake_notify_test(void *app, const char *receiver, control_reply_fn reply, void *data)
{
    (void)app;
    reply_text(reply, data, "tried", receiver ? receiver : "everybody");
}

static void fake_alerts(void *app, const json_t *body, const char *requester,
                        control_reply_fn reply, void *data)
{
    (void)app;
    (void)requester;
    reply(data, NULL, body);
}

static void fake_page(void *app, const char *path, control_reply_fn reply, void *data)
{
    (void)app;
    json_t *body = json_string(strcmp(path, WIRE_STYLE) == 0 ? "p {}" : "<p>Hello</p>");
    reply(data, NULL, body);
    json_decref(body);
}

static void fake_metrics(void *app, control_reply_fn reply, void *data)
{
    (void)app;
    json_t *body = json_string("stack_up 1\n");
    reply(data, NULL, body);
    json_decref(body);
}

const struct control_ops fake_ops = {
    .version = fake_version,
    .status = fake_status,
    .playbooks = fake_playbooks,
    .plan = fake_plan,
    .connections = fake_connections,
    .clean = fake_clean,
    .runs = fake_runs,
    .run = fake_run,
    .start = fake_start,
    .abort = fake_abort,
    .policies = fake_policies,
    .observations = fake_observations,
    .decisions = fake_decisions,
    .answer = fake_answer,
    .pause = fake_pause,
    .resume = fake_resume,
    .notify_test = fake_notify_test,
    .alerts = fake_alerts,
    .page = fake_page,
    .metrics = fake_metrics,
    .follow = fake_follow,
    .unfollow = fake_unfollow,
};

void fresh_path(char out[static 108])
{
    char dir[] = "/tmp/test-control-XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(out, 108, "%s/control.sock", dir);
}

void remove_dir_of(char *path)
{
    *strrchr(path, '/') = '\0';
    ck_assert_int_eq(rmdir(path), 0); /* fails if a socket was left there */
}
