/* Runs, from the request to the end of their story, on a small world behind a fake Engine: what the
 * real one does not do on demand. */
#include "playbooks/run.h"

#include "base/buf.h"
#include "base/clock.h"
#include "holders/holders.h"
#include "playbooks/stack_lock.h"
#include "tests/fake/world.h"
#include "tests/unit/pg_fixture.h"
#include "tests/unit/unit.h"

#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>

enum { LOCK_PATIENCE_MS = 300 };

static struct loop *loop;
static struct world world;
static struct reach *reach;
static struct journal *journal;
static struct holders_cache *holders;
static struct runner *runner;
static struct playbook_set *playbooks;
static struct timer *guard;
static char folder[32];
static char *path;
static char lock_scope[32]; /* nobody else's: the world's containers are the same in every test */

/* --- around each test --------------------------------------------------------------------------
 */

static void on_guard(void *data)
{
    (void)data;
    ck_abort_msg("it took too long");
}

static void add_playbook(const char *name, const char *text)
{
    struct diag_list diags;
    diag_init(&diags, name, text);
    struct yaml_node *node = yaml_parse(text, strlen(text), &diags);
    struct playbook *playbook = node ? playbook_read(name, node, &diags) : NULL;
    ck_assert_msg(playbook != NULL, "%s", diags.count ? diags.items[0].text : "");
    playbook_set_put(playbooks, playbook);
    playbook_unref(playbook);
    yaml_node_free(node);
    diag_free(&diags);
}

static void on_event(void *data, const struct docker_event *event)
{
    (void)data;
    if (runner)
        runner_docker_event(runner, event);
}

static void begin_life(const char *journal_path)
{
    struct err e;
    static const struct stack_selector selector = {0};
    journal = journal_open(loop, journal_path, &e);
    const struct runner_options options = {.loop = loop,
                                           .docker = world.docker,
                                           .reach = reach,
                                           .journal = journal,
                                           .holders = holders,
                                           .lock_scope = lock_scope,
                                           .lock_patience_ms = LOCK_PATIENCE_MS};
    runner = runner_new(&options);
    runner_configure(runner, playbooks, &selector);
}

static void end_life(void)
{
    runner = runner_free(runner);
    journal = journal_close(journal);
}

static void set_up(void)
{
    loop = loop_new();
    snprintf(folder, sizeof folder, "/tmp/run-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    path = mem_printf("%s/journal.db", folder);
    snprintf(lock_scope, sizeof lock_scope, "test-run-%d", (int)getpid());
    holders = holders_cache_new(loop);
    world_open(&world, loop);
    world.on_event = on_event;
    world_add(&world, "db", "");
    world_add(&world, "web", "db:service_healthy:false");
    playbooks = playbook_set_new();
    add_playbook("bounce", "- stop: apps\n- start: apps\n");
    add_playbook("other", "- capture: evidence\n");
    /* Nobody listens there: the database answers quickly that it does not. */
    CLEANUP_FREE char *connect =
        mem_printf("host=127.0.0.1 port=%d user=x password=x sslmode=disable", free_port());
    const struct reach_options options = {.connect = connect};
    reach = reach_new(loop, world.docker, &options);
    guard = timer_new(loop, on_guard, NULL);
    timer_start(guard, 40000);
    begin_life(NULL);
}

static void tear_down(void)
{
    end_life();
    reach_free(reach);
    holders_cache_free(holders);
    world_close(&world);
    playbook_set_free(playbooks);
    timer_free(guard);
    loop_free(loop);
    static const char *const endings[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < ARRAY_SIZE(endings); i++) {
        CLEANUP_FREE char *file = mem_printf("%s%s", path, endings[i]);
        remove(file);
    }
    remove(folder);
    free(path);
}

/* --- asking ------------------------------------------------------------------------------------
 */

struct asked {
    bool told, joined;
    struct err e;
    int64_t run;
    char plan_id[20];
};

static void on_asked(void *data, const struct err *e, int64_t run, bool joined,
                     const struct plan *plan)
{
    struct asked *asked = data;
    ck_assert(!asked->told);
    asked->told = true;
    asked->joined = joined;
    asked->run = run;
    err_copy(&asked->e, e);
    if (plan)
        snprintf(asked->plan_id, sizeof asked->plan_id, "%s", plan->id);
}

static void turn(void)
{
    uv_run(loop_uv(loop), UV_RUN_ONCE);
}

static void ask(const char *playbook, const char *plan_id, struct asked *asked)
{
    const struct run_request request = {
        .playbook = playbook, .plan_id = plan_id, .trigger = "test", .requester = "nobody"};
    *asked = (struct asked){0};
    runner_start(runner, &request, on_asked, asked);
    ck_assert(!asked->told);
}

static int64_t start(const char *playbook)
{
    struct asked asked;
    ask(playbook, NULL, &asked);
    while (!asked.told)
        turn();
    ck_assert_msg(!err_is_set(&asked.e), "%s", asked.e.text);
    return asked.run;
}

static void await_end(void)
{
    while (runner_present(runner))
        turn();
}

static void await_asked(const char *service, const char *what, size_t times)
{
    while (world_asked(&world, "POST", service, what) < times)
        turn();
}

static void on_read(void *data, const struct err *e, const json_t *record)
{
    ck_assert_msg(record != NULL, "%s", e ? e->text : "");
    *(json_t **)data = json_deep_copy(record);
}

/* The caller owns it. */
static json_t *record_of(int64_t run)
{
    json_t *record = NULL;
    journal_read(journal, run, on_read, &record);
    while (!record)
        turn();
    return record;
}

static json_t *run_to_end(const char *playbook)
{
    int64_t run = start(playbook);
    await_end();
    return record_of(run);
}

static const json_t *end_of(const json_t *record)
{
    const json_t *entries = json_at(record, "entries");
    const json_t *end = json_array_get(entries, json_array_size(entries) - 1);
    ck_assert_str_eq(json_text_at(end, "type", ""), "end");
    return end;
}

/* "stop:shop_web_1 done, start:shop_web_1 failed": the results in their order. */
static void assert_results(const json_t *record, const char *expected)
{
    struct buf all;
    buf_init(&all, 1 << 16);
    const json_t *entries = json_at(record, "entries");
    for (size_t i = 0; i < json_array_size(entries); i++) {
        const json_t *entry = json_array_get(entries, i);
        const char *state = json_text_at(entry, "state", "");
        if (strcmp(json_text_at(entry, "type", ""), "action") == 0 && strcmp(state, "running") != 0)
            buf_printf(&all, "%s%s %s", all.len ? ", " : "", json_text_at(entry, "action", ""),
                       state);
    }
    ck_assert_str_eq(buf_text(&all), expected);
    buf_free(&all);
}

static void assert_end(const json_t *record, const char *state, size_t left_stopped)
{
    const json_t *end = end_of(record);
    ck_assert_msg(strcmp(json_text_at(end, "state", ""), state) == 0, "%s: %s",
                  json_text_at(end, "state", ""), json_text_at(end, "text", ""));
    ck_assert_str_eq(json_text_at(record, "state", ""), state);
    ck_assert_uint_eq(json_array_size(json_at(end, "left_stopped")), left_stopped);
}

static bool has_entry(const json_t *record, const char *type, const char *words)
{
    const json_t *entries = json_at(record, "entries");
    for (size_t i = 0; i < json_array_size(entries); i++) {
        const json_t *entry = json_array_get(entries, i);
        if (strcmp(json_text_at(entry, "type", ""), type) == 0 &&
            strstr(json_text_at(entry, "text", ""), words))
            return true;
    }
    return false;
}

static void assert_up(const char *service)
{
    ck_assert_str_eq(world_find(&world, service)->state, "running");
}

/* --- the ordinary ------------------------------------------------------------------------------
 */

START_TEST(a_run_does_what_the_plan_says_and_tells_of_it)
{
    json_t *record = run_to_end("bounce");
    assert_end(record, "succeeded", 0);
    assert_results(record, "stop:shop_web_1 done, start:shop_web_1 done, "
                           "wait-healthy:shop_web_1 done");
    ck_assert_int_eq(world_find(&world, "web")->stops, 1);
    ck_assert_int_eq(world_find(&world, "web")->starts, 1);
    ck_assert_int_eq(world_find(&world, "db")->stops, 0);
    const json_t *begin = json_array_get(json_at(record, "entries"), 0);
    ck_assert_str_eq(json_text_at(begin, "type", ""), "begin");
    ck_assert_str_eq(json_text_at(begin, "trigger", ""), "test");
    ck_assert_str_eq(json_text_at(begin, "requester", ""), "nobody");
    const json_t *entries = json_at(record, "entries");
    for (size_t i = 0; i < json_array_size(entries); i++)
        ck_assert_int_eq(json_int_at(json_array_get(entries, i), "seq", 0), (int64_t)i + 1);
    ck_assert_int_gt(json_int_at(record, "critical_ms", -1), -1);
    ck_assert_ptr_nonnull(json_text_at(record, "ended_at", NULL));
    json_decref(record);
}
END_TEST

START_TEST(one_run_at_a_time_and_the_same_again_joins_it)
{
    struct asked first, same, other, later, shown, stale;
    ask("bounce", NULL, &first);
    ask("bounce", NULL, &same);
    ask("other", NULL, &other);
    while (!first.told || !same.told || !other.told)
        turn();
    ask("bounce", NULL, &later);
    ask("bounce", "0000000000000000", &stale);
    ask("bounce", first.plan_id, &shown);
    while (!later.told || !stale.told || !shown.told)
        turn();
    ck_assert(!first.joined && same.joined && later.joined && shown.joined);
    ck_assert_int_eq(stale.e.code, ERR_REFUSED); /* who agreed to a plan gets that one or none */
    ck_assert_int_eq(same.run, first.run);
    ck_assert_int_eq(later.run, first.run);
    ck_assert_str_eq(same.plan_id, first.plan_id);
    ck_assert_str_eq(later.plan_id, first.plan_id);
    ck_assert_int_eq(other.e.code, ERR_REFUSED);
    unit_assert_has(other.e.text, "bounce");
    await_end();
    ck_assert_int_eq(world_find(&world, "web")->stops, 1);
    ck_assert_int_eq(start("other"), 2);
    await_end();
}
END_TEST

START_TEST(only_the_plan_that_was_shown_is_run)
{
    struct asked asked;
    ask("bounce", "0000000000000000", &asked);
    while (!asked.told)
        turn();
    ck_assert_int_eq(asked.e.code, ERR_REFUSED);
    unit_assert_has(asked.e.text, "the stack has changed");
    ck_assert_int_eq(runner_present(runner), 0);
    ask("nothing", NULL, &asked);
    while (!asked.told)
        turn();
    ck_assert_int_eq(asked.e.code, ERR_NOT_FOUND);
    ck_assert_int_eq(world_find(&world, "web")->stops, 0);
}
END_TEST

struct heard {
    int64_t last_seq;
    size_t kept;
    bool over;
    uint64_t handle;
    bool leaves; /* after the first entry */
};

static void on_entry(void *data, const json_t *entry, bool last)
{
    struct heard *heard = data;
    ck_assert(!heard->over);
    int64_t seq = json_int_at(entry, "seq", 0);
    if (seq) {
        ck_assert_int_eq(seq, heard->last_seq + 1);
        heard->last_seq = seq;
        heard->kept++;
    }
    heard->over = last;
    if (heard->leaves)
        runner_unfollow(runner, heard->handle);
}

START_TEST(followers_hear_all_of_it_whenever_they_come)
{
    struct err e;
    struct heard early = {0}, late = {0}, leaving = {.leaves = true};
    int64_t run = start("bounce");
    early.handle = runner_follow(runner, run, on_entry, &early, &e);
    leaving.handle = runner_follow(runner, run, on_entry, &leaving, &e);
    await_asked("web", "/start", 1);
    late.handle = runner_follow(runner, run, on_entry, &late, &e);
    ck_assert(early.handle && late.handle && leaving.handle);
    await_end();
    json_t *record = record_of(run);
    ck_assert(early.over && late.over && !leaving.over);
    ck_assert_uint_eq(early.kept, json_array_size(json_at(record, "entries")));
    ck_assert_uint_eq(late.kept, early.kept);
    ck_assert_uint_le(leaving.kept, 1);
    ck_assert_uint_eq(runner_follow(runner, run, on_entry, &late, &e), 0);
    ck_assert_int_eq(e.code, ERR_NOT_FOUND);
    json_decref(record);
}
END_TEST

/* --- starts that fail --------------------------------------------------------------------------
 */

START_TEST(a_start_that_fails_for_a_while_is_tried_again)
{
    /* What an engine says that was killed, and has not let go of the container's former life. */
    world_find(&world, "web")->refused_starts = 3;
    world_find(&world, "web")->refusal = "id already in use";
    json_t *record = run_to_end("bounce");
    assert_end(record, "failed", 0);
    unit_assert_has(json_text_at(end_of(record), "text", ""), "id already in use");
    assert_up("web");
    json_decref(record);
}
END_TEST

START_TEST(a_start_that_fails_for_good_is_reported)
{
    world_add(&world, "api", "db");
    world_find(&world, "web")->refused_starts = 1000;
    world_find(&world, "web")->refusal = "address already in use";
    json_t *record = run_to_end("bounce");
    assert_end(record, "failed", 1);
    const char *left =
        json_string_value(json_array_get(json_at(end_of(record), "left_stopped"), 0));
    unit_assert_has(left, "shop_web_1");
    unit_assert_has(json_text_at(end_of(record), "text", ""), "address already in use");
    assert_up("api");
    json_decref(record);
}
END_TEST

/* No start helps as long as that process lives: the report has what does. */
START_TEST(a_container_that_the_engine_has_lost_is_reported_with_the_cure)
{
    world_find(&world, "web")->refused_starts = 1000;
    world_find(&world, "web")->refusal = "id already in use";
    json_t *record = run_to_end("bounce");
    assert_end(record, "failed", 1);
    const char *left =
        json_string_value(json_array_get(json_at(end_of(record), "left_stopped"), 0));
    CLEANUP_FREE char *cure =
        mem_printf("ctr -n moby tasks kill -s SIGKILL %s; docker start %s",
                   world_find(&world, "web")->id, world_find(&world, "web")->id);
    unit_assert_has(left, "id already in use");
    unit_assert_has(left, cure);
    json_decref(record);
}
END_TEST

START_TEST(what_did_its_work_and_ended_need_not_run)
{
    world_find(&world, "web")->ends_with = 0;
    world_find(&world, "web")->health = NULL;
    json_t *record = run_to_end("bounce");
    assert_end(record, "succeeded", 0);
    ck_assert_int_eq(world_find(&world, "web")->starts, 1);
    json_decref(record);
}
END_TEST

START_TEST(what_ends_at_once_with_an_error_is_no_success)
{
    world_find(&world, "web")->ends_with = 3;
    json_t *record = run_to_end("bounce");
    assert_end(record, "failed", 1);
    unit_assert_has(json_text_at(end_of(record), "text", ""), "exit code 3");
    json_decref(record);
}
END_TEST

START_TEST(a_start_is_not_lost_during_a_stop)
{
    /* The stop fails and is yet under way: the engine says "running already" to a start. */
    struct world_container *web = world_find(&world, "web");
    static const char wait_route[] = "POST /v1.41/containers/shop_web_1/wait";
    web->ignores_stop = web->stop_under_way = true;
    fake_engine_text(world.engine, wait_route, "", FAKE_HOLD);
    int64_t run = start("bounce");
    while (fake_engine_count(world.engine, wait_route) == 0)
        turn();
    ck_assert_int_eq(web->starts, 0);
    web->stop_under_way = false;
    world_exit(&world, web, 137);
    CLEANUP_FREE char *exited = fake_json(200, "{\"StatusCode\":137}");
    fake_engine_push(world.engine, wait_route, exited, strlen(exited));
    await_end();
    json_t *record = record_of(run);
    assert_results(record, "stop:shop_web_1 failed, start:shop_web_1 done, "
                           "wait-healthy:shop_web_1 done");
    assert_up("web");
    ck_assert_int_eq(web->starts, 1);
    json_decref(record);
}
END_TEST

START_TEST(what_may_yet_be_stopping_is_named)
{
    /* Neither the stop nor the start has an end that is known. */
    struct world_container *web = world_find(&world, "web");
    web->ignores_stop = web->stop_under_way = true;
    web->refused_starts = 1000;
    web->refusal = "context deadline exceeded";
    json_t *record = run_to_end("bounce");
    assert_end(record, "failed", 1);
    const char *left =
        json_string_value(json_array_get(json_at(end_of(record), "left_stopped"), 0));
    unit_assert_has(left, "shop_web_1 (running, ");
    unit_assert_has(left, "stop may still be under way");
    json_decref(record);
}
END_TEST

START_TEST(a_start_that_went_down_with_a_stop_is_made_again)
{
    /* The stop ends between the Engine's "running already" and our look. */
    struct world_container *web = world_find(&world, "web");
    web->ignores_stop = web->stop_under_way = web->stop_ends = true;
    json_t *record = run_to_end("bounce");
    assert_results(record, "stop:shop_web_1 failed, start:shop_web_1 done, "
                           "wait-healthy:shop_web_1 done");
    assert_up("web");
    ck_assert_int_eq(web->starts, 1);
    ck_assert(!has_entry(record, "note", "starting it once more"));
    json_decref(record);
}
END_TEST

static void on_progress(void *data, const json_t *entry, bool last)
{
    char *said = data;
    (void)last;
    if (strstr(json_text_at(entry, "text", ""), "a stop may still be under way"))
        snprintf(said, 160, "%s", json_text_at(entry, "text", ""));
}

START_TEST(a_start_waits_for_as_long_as_a_stop_may_take)
{
    struct err e;
    char said[160] = "";
    static const char wait_route[] = "POST /v1.41/containers/shop_web_1/wait";
    add_playbook("patient", "- stop: apps\n  grace: 60s\n- start: apps\n");
    struct world_container *web = world_find(&world, "web");
    web->ignores_stop = web->stop_under_way = true;
    fake_engine_text(world.engine, wait_route, "", FAKE_HOLD);
    ck_assert(runner_follow(runner, start("patient"), on_progress, said, &e) != 0);
    while (!*said)
        turn();
    unit_assert_has(said, "1m25s"); /* the grace, and what the Engine itself may need then */
    web->stop_under_way = false;
    world_exit(&world, web, 137);
    CLEANUP_FREE char *exited = fake_json(200, "{\"StatusCode\":137}");
    while (fake_engine_count(world.engine, wait_route) == 0)
        turn();
    fake_engine_push(world.engine, wait_route, exited, strlen(exited));
    await_end();
    assert_up("web");
}
END_TEST

START_TEST(a_container_that_was_removed_is_named)
{
    int64_t run = start("bounce");
    await_asked("web", "/stop", 1);
    world_find(&world, "web")->id[0] = 'x'; /* nobody of that name any more */
    await_end();
    json_t *record = record_of(run);
    assert_end(record, "failed", 1);
    const char *left =
        json_string_value(json_array_get(json_at(end_of(record), "left_stopped"), 0));
    unit_assert_has(left, "shop_web_1 (it was removed: docker-compose up -d web");
    json_decref(record);
}
END_TEST

/* --- verifying ---------------------------------------------------------------------------------
 */

START_TEST(what_does_not_get_healthy_fails_the_run_and_runs)
{
    add_playbook("checked", "- restart: apps\n  timeout: 1s\n");
    world_find(&world, "web")->sick = true;
    json_t *record = run_to_end("checked");
    assert_end(record, "failed", 0);
    unit_assert_has(json_text_at(end_of(record), "text", ""), "wait-healthy:shop_web_1 failed");
    assert_up("web");
    json_decref(record);
}
END_TEST

START_TEST(verify_says_what_is_missing)
{
    add_playbook("verified", "- verify: {services: healthy}\n  timeout: 1s\n");
    world_find(&world, "web")->health = "unhealthy";
    json_t *record = run_to_end("verified");
    assert_end(record, "failed", 0);
    unit_assert_has(json_text_at(end_of(record), "text", ""), "shop_web_1 is unhealthy");
    json_decref(record);
}
END_TEST

START_TEST(verify_waits_until_it_holds_for_long_enough)
{
    add_playbook("verified", "- verify: {services: healthy, for: 300ms}\n");
    world_find(&world, "web")->health = "starting";
    int64_t run = start("verified");
    while (fake_engine_count(world.engine, "GET /v1.41/containers/shop_web_1/json") < 2)
        turn();
    world_become(&world, world_find(&world, "web"), "healthy");
    int64_t since = loop_now(loop);
    await_end();
    ck_assert_int_ge(loop_now(loop) - since, 290);
    json_t *record = record_of(run);
    assert_end(record, "succeeded", 0);
    json_decref(record);
}
END_TEST

/* --- abort -------------------------------------------------------------------------------------
 */

START_TEST(an_abort_during_a_stop_starts_again_what_was_stopped)
{
    struct err e;
    static const char stop_route[] = "POST /v1.41/containers/shop_web_1/stop";
    fake_engine_text(world.engine, stop_route, "", FAKE_HOLD);
    int64_t run = start("bounce");
    await_asked("web", "/stop", 1);
    ck_assert_int_eq(runner_abort(runner, run + 1, "me", &e), -(int)ERR_NOT_FOUND);
    ck_assert_int_eq(runner_abort(runner, run, "me", &e), 0);
    ck_assert_int_eq(runner_abort(runner, run, "me", &e), 0); /* twice is harmless */
    json_t *summary = runner_summary(runner);
    ck_assert_str_eq(json_text_at(summary, "state", ""), "aborting");
    json_decref(summary);
    world_exit(&world, world_find(&world, "web"), 0);
    fake_engine_push(world.engine, stop_route, "HTTP/1.1 204 X\r\n\r\n", 18);
    await_end();
    json_t *record = record_of(run);
    assert_end(record, "aborted", 0);
    assert_up("web");
    ck_assert_int_eq(runner_abort(runner, run, "me", &e), -(int)ERR_NOT_FOUND);
    json_decref(record);
}
END_TEST

/* --- other supervisors --------------------------------------------------------------------------
 */

/* As another supervisor's run does; gives what is closed at its end, or -1 where one is at work. */
static int lock_stack(void)
{
    const struct stack_lock_name name = {.scope = lock_scope,
                                         .database = "shop_db_1",
                                         .project = "shop",
                                         .docker_host = "unix:///nowhere"};
    int fd = -1;
    struct err e;
    if (stack_lock_take(&name, &fd, &e) != 0)
        ck_assert_int_eq(e.code, ERR_CONFLICT);
    return fd;
}

START_TEST(a_request_beside_the_run_of_another_supervisor_is_refused)
{
    struct asked asked;
    CLEANUP_FREE char *who = mem_printf("another supervisor (pid %d)", (int)getpid());
    int fd = lock_stack();
    ask("bounce", NULL, &asked);
    while (!asked.told)
        turn();
    ck_assert_int_eq(asked.e.code, ERR_CONFLICT);
    unit_assert_has(asked.e.text, who);
    ck_assert_int_eq(runner_present(runner), 0);
    ck_assert_int_eq(world_find(&world, "web")->stops, 0);
    close(fd);
    start("bounce");
    ck_assert_int_eq(lock_stack(), -1); /* and the other is kept off as long as ours is at work */
    await_end();
    fd = lock_stack();
    ck_assert_int_ge(fd, 0);
    close(fd);
}
END_TEST

/* --- other lives -------------------------------------------------------------------------------
 */

static void on_resumed(void *data, bool resumed)
{
    *(int *)data = resumed;
}

static bool resume(void)
{
    int resumed = -1;
    runner_resume(runner, on_resumed, &resumed);
    ck_assert_int_eq(resumed, -1);
    while (resumed < 0)
        turn();
    return resumed;
}

static void on_drained(void *data)
{
    *(bool *)data = true;
}

static void drain(void)
{
    bool drained = false;
    runner_drain(runner, on_drained, &drained);
    ck_assert(!drained);
    while (!drained)
        turn();
}

START_TEST(a_daemon_that_ends_lets_a_stop_end_and_the_next_carries_on)
{
    end_life();
    begin_life(path);
    static const char stop_route[] = "POST /v1.41/containers/shop_web_1/stop";
    fake_engine_text(world.engine, stop_route, "", FAKE_HOLD);
    int64_t run = start("bounce");
    await_asked("web", "/stop", 1);
    bool drained = false;
    runner_drain(runner, on_drained, &drained);
    for (int i = 0; i < 20; i++)
        uv_run(loop_uv(loop), UV_RUN_NOWAIT);
    ck_assert(!drained); /* it waits for the stop */
    world_exit(&world, world_find(&world, "web"), 0);
    fake_engine_push(world.engine, stop_route, "HTTP/1.1 204 X\r\n\r\n", 18);
    while (!drained)
        turn();
    ck_assert_int_eq(world_find(&world, "web")->starts, 0);

    end_life();
    begin_life(path);
    ck_assert(resume());
    ck_assert_int_eq(runner_present(runner), run);
    await_end();
    json_t *record = record_of(run);
    assert_end(record, "succeeded", 0);
    ck_assert(json_bool_at(record, "resumed", false));
    ck_assert(has_entry(record, "resume", "carrying the run on"));
    assert_results(record, "stop:shop_web_1 done, start:shop_web_1 done, "
                           "wait-healthy:shop_web_1 done");
    ck_assert_uint_eq(world_asked(&world, "POST", "web", "/stop"), 1);
    assert_up("web");
    json_decref(record);
    ck_assert(!resume());
}
END_TEST

static void on_begun(void *data, int64_t run)
{
    *(int64_t *)data = run;
}

/* What the journal has of a `bounce` of an earlier life: how many of its entries behind "begin". */
enum { NOTHING, INTENT_TO_STOP, ALL_BUT_THE_END = 6 };

static void keep(int64_t run, const json_t *entry)
{
    bool kept = false;
    journal_add(journal, run, entry, on_drained, &kept);
    while (!kept)
        turn();
}

/* Such a run, begun `began_ms` ago. */
static int64_t unfinished_with(int entries, int64_t began_ms, const char *plan_damage)
{
    end_life();
    begin_life(path);
    int64_t run = start("bounce");
    await_end();
    json_t *record = record_of(run);
    json_t *summary = json_copy(record);
    json_t *plan = json_incref(json_object_get(record, "plan"));
    json_object_del(summary, "plan");
    json_object_del(summary, "entries");
    json_set_int(summary, "started_ms", clock_wall_ms() - began_ms);
    json_set_text(summary, "state", "running");
    if (plan_damage)
        json_set_text(plan, plan_damage, "?");
    run = 0;
    journal_begin(journal, summary, plan, on_begun, &run);
    while (run == 0)
        turn();
    const json_t *intent = json_array_get(json_at(record, "entries"), INTENT_TO_STOP);
    ck_assert_str_eq(json_text_at(intent, "action", ""), "stop:shop_web_1");
    ck_assert_str_eq(json_text_at(intent, "state", ""), "running");
    for (int i = 1; i <= entries; i++)
        keep(run, json_array_get(json_at(record, "entries"), (size_t)i));
    json_decref(plan);
    json_decref(summary);
    json_decref(record);
    end_life();
    begin_life(path);
    return run;
}

/* One whose last word was the intent to stop web. */
static int64_t unfinished_run(int64_t began_ms, const char *plan_damage)
{
    return unfinished_with(INTENT_TO_STOP, began_ms, plan_damage);
}

START_TEST(an_action_without_a_result_is_done_again)
{
    int64_t run = unfinished_run(1000, NULL);
    ck_assert(resume());
    await_end();
    json_t *record = record_of(run);
    assert_end(record, "succeeded", 0);
    ck_assert_int_eq(world_find(&world, "web")->stops, 2);
    assert_up("web");
    json_decref(record);
}
END_TEST

START_TEST(a_run_too_old_is_wound_up)
{
    int64_t run = unfinished_run(3 * 3600 * 1000, NULL);
    world_exit(&world, world_find(&world, "web"), 0); /* its stop did come through */
    ck_assert(resume());
    await_end();
    json_t *record = record_of(run);
    assert_end(record, "failed", 0);
    unit_assert_has(json_text_at(end_of(record), "text", ""), "began too long ago");
    ck_assert(has_entry(record, "resume", "winding the run up"));
    assert_results(record, "stop:shop_web_1 failed, start:shop_web_1 done, "
                           "wait-healthy:shop_web_1 done");
    ck_assert_int_eq(world_find(&world, "web")->stops, 1); /* only that of the run before */
    assert_up("web");
    json_decref(record);
}
END_TEST

static void on_lock_left(void *data)
{
    close(*(int *)data);
}

/* What the other has brought back is not taken down once more. */
START_TEST(a_run_that_comes_back_beside_another_supervisors_waits_and_is_wound_up)
{
    int64_t run = unfinished_run(1000, NULL);
    int stops = world_find(&world, "web")->stops;
    world_exit(&world, world_find(&world, "web"), 0);
    int fd = lock_stack();
    struct timer *leave = timer_new(loop, on_lock_left, &fd);
    timer_start(leave, LOCK_PATIENCE_MS / 2);
    ck_assert(resume());
    await_end();
    timer_free(leave);
    json_t *record = record_of(run);
    ck_assert(has_entry(record, "note", "is at work on this stack: its end is waited for"));
    ck_assert(!has_entry(record, "note", "all the same"));
    assert_end(record, "failed", 0);
    unit_assert_has(json_text_at(end_of(record), "text", ""), "another run was at work");
    ck_assert_int_eq(world_find(&world, "web")->stops, stops);
    assert_up("web");
    json_decref(record);
}
END_TEST

START_TEST(what_is_owed_is_started_also_beside_another_supervisor_that_goes_on)
{
    int64_t run = unfinished_run(1000, NULL);
    world_exit(&world, world_find(&world, "web"), 0);
    int fd = lock_stack();
    ck_assert(resume());
    await_end();
    close(fd);
    json_t *record = record_of(run);
    assert_end(record, "failed", 0);
    ck_assert(has_entry(record, "note", "what is owed is started all the same"));
    assert_up("web");
    json_decref(record);
}
END_TEST

/* By then the other may be gone, and has brought back what the plan would stop. */
START_TEST(a_run_that_waits_for_another_supervisor_is_wound_up_by_the_next_life)
{
    int64_t run = unfinished_run(1000, NULL);
    int stops = world_find(&world, "web")->stops;
    int fd = lock_stack();
    ck_assert(resume());
    drain();
    close(fd);
    end_life();
    begin_life(path);
    ck_assert(resume());
    await_end();
    json_t *record = record_of(run);
    assert_end(record, "failed", 0);
    unit_assert_has(json_text_at(end_of(record), "text", ""), "another run was at work");
    ck_assert_int_eq(world_find(&world, "web")->stops, stops);
    assert_up("web");
    json_decref(record);
}
END_TEST

START_TEST(who_aborts_a_run_that_waits_waits_no_longer)
{
    struct err e;
    int64_t run = unfinished_run(1000, NULL);
    world_exit(&world, world_find(&world, "web"), 0);
    int fd = lock_stack();
    ck_assert(resume());
    ck_assert_int_eq(runner_abort(runner, run, "me", &e), 0);
    await_end();
    close(fd);
    json_t *record = record_of(run);
    assert_end(record, "aborted", 0);
    ck_assert(!has_entry(record, "note", "all the same")); /* nor till the end of the patience */
    assert_up("web");
    json_decref(record);
}
END_TEST

static sqlite3 *read_journal(void)
{
    sqlite3 *db;
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, "BEGIN; SELECT count(*) FROM runs", NULL, NULL, NULL),
                     SQLITE_OK);
    return db;
}

/* A backup, and the daemon is told to end: nobody is there to wait for. */
START_TEST(a_runner_that_waits_for_the_journal_ends_when_it_is_told_to)
{
    int64_t run = unfinished_run(1000, NULL);
    end_life();
    sqlite3 *reader = read_journal();
    begin_life(path);
    int64_t began = loop_now(loop);
    int resumed = -1;
    runner_resume(runner, on_resumed, &resumed);
    drain();
    ck_assert_int_eq(resumed, 0);
    ck_assert_int_lt(loop_now(loop) - began, 5000);
    end_life();
    sqlite3_close(reader);
    begin_life(path);
    ck_assert(resume());
    await_end();
    json_t *record = record_of(run);
    assert_end(record, "succeeded", 0);
    json_decref(record);
}
END_TEST

START_TEST(a_clock_that_was_set_back_between_two_lives_makes_no_run_take_less_than_nothing)
{
    int64_t run = unfinished_run(-3600 * 1000, NULL);
    ck_assert(resume());
    await_end();
    json_t *record = record_of(run);
    int64_t took = json_int_at(end_of(record), "took_ms", -1);
    ck_assert(took >= 0 && took < 60000);
    json_decref(record);
}
END_TEST

static void keep_abort(int64_t run)
{
    json_t *abort = unit_json("{'seq':3,'type':'abort','by':'somebody'}");
    keep(run, abort);
    json_decref(abort);
    end_life();
    begin_life(path);
}

START_TEST(a_stop_begun_before_an_abort_and_the_end_of_the_daemon_is_made_good)
{
    int64_t run = unfinished_run(1000, NULL);
    keep_abort(run);
    world_exit(&world, world_find(&world, "web"), 0);
    ck_assert(resume());
    await_end();
    json_t *record = record_of(run);
    assert_end(record, "aborted", 0);
    ck_assert_str_eq(json_text_at(end_of(record), "text", ""), "aborted by somebody");
    assert_up("web");
    json_decref(record);
}
END_TEST

START_TEST(what_ended_while_nobody_listened_has_not_finished)
{
    /* The engine was restarted between the lives: an app that ends well is no job that is done. */
    int64_t run = unfinished_with(ALL_BUT_THE_END, 1000, NULL);
    world_exit(&world, world_find(&world, "web"), 0);
    ck_assert(resume());
    await_end();
    json_t *record = record_of(run);
    assert_end(record, "succeeded", 0);
    assert_up("web");
    json_decref(record);
}
END_TEST

/* The Engine died under it, and its next life ended what ran, without a word to anybody. */
static void on_engine_back_without_web(void *data)
{
    (void)data;
    world_exit(&world, world_find(&world, "web"), 0);
    fake_engine_listen(world.engine, true);
}

START_TEST(what_ended_while_the_stream_was_lost_has_not_finished)
{
    struct timer *back = timer_new(loop, on_engine_back_without_web, NULL);
    int64_t run = start("bounce");
    await_asked("web", "/start", 1);
    fake_engine_listen(world.engine, false);
    runner_docker_lost(runner);
    timer_start(back, 400);
    await_end();
    timer_free(back);
    json_t *record = record_of(run);
    assert_end(record, "succeeded", 0);
    assert_up("web");
    json_decref(record);
}
END_TEST

START_TEST(what_the_journal_may_have_missed_is_named)
{
    /* The disk refused the intent, then the daemon died: nobody knows who stopped it. */
    int64_t run = unfinished_with(NOTHING, 1000, NULL);
    keep_abort(run);
    world_exit(&world, world_find(&world, "web"), 0);
    ck_assert(resume());
    await_end();
    json_t *record = record_of(run);
    assert_end(record, "aborted", 1);
    const char *left =
        json_string_value(json_array_get(json_at(end_of(record), "left_stopped"), 0));
    unit_assert_has(left, "shop_web_1 (exited, exit code 0; ");
    unit_assert_has(left, "whether this run stopped it");
    json_decref(record);
}
END_TEST

START_TEST(a_run_that_cannot_be_read_is_not_carried_on)
{
    unfinished_run(1000, "source");
    ck_assert(!resume());
    ck_assert_int_eq(runner_present(runner), 0);
    ck_assert_int_gt(start("other"), 0); /* and does not stand in the way */
    await_end();
}
END_TEST

START_TEST(a_request_that_comes_before_the_journal_is_read_joins_what_is_carried_on)
{
    int64_t run = unfinished_run(1000, NULL);
    struct asked same;
    int resumed = -1;
    runner_resume(runner, on_resumed, &resumed);
    ask("bounce", NULL, &same);
    while (!same.told)
        turn();
    ck_assert_int_eq(resumed, 1);
    ck_assert_int_eq(same.run, run);
    ck_assert(same.joined);
    await_end();
}
END_TEST

START_TEST(who_named_another_plan_does_not_join_what_is_carried_on)
{
    struct asked other;
    int resumed = -1;
    unfinished_run(1000, NULL);
    runner_resume(runner, on_resumed, &resumed);
    ask("bounce", "0000000000000000", &other);
    while (!other.told)
        turn();
    ck_assert_int_eq(resumed, 1);
    ck_assert_int_eq(other.e.code, ERR_REFUSED);
    await_end();
}
END_TEST

START_TEST(a_supervisor_that_ends_takes_no_more_requests)
{
    struct asked asked;
    ask("bounce", NULL, &asked);
    drain();
    while (!asked.told)
        turn();
    ck_assert_int_eq(asked.e.code, ERR_REFUSED);
    ck_assert_int_eq(world_find(&world, "web")->stops, 0);
}
END_TEST

static void assert_refused_by_one_that_ends(void)
{
    struct asked asked;
    ask("bounce", NULL, &asked);
    while (!asked.told)
        turn();
    ck_assert_int_eq(asked.e.code, ERR_REFUSED);
    unit_assert_has(asked.e.text, "the supervisor is stopping");
    ck_assert_int_eq(asked.run, 0);
}

START_TEST(a_request_to_a_supervisor_that_has_ended_its_work_begins_nothing)
{
    drain();
    assert_refused_by_one_that_ends();
    ck_assert_int_eq(world_find(&world, "web")->stops, 0);
}
END_TEST

START_TEST(a_request_beside_a_run_that_is_left_to_the_next_life_does_not_join_it)
{
    static const char stop_route[] = "POST /v1.41/containers/shop_web_1/stop";
    fake_engine_text(world.engine, stop_route, "", FAKE_HOLD);
    start("bounce");
    await_asked("web", "/stop", 1);
    bool drained = false;
    runner_drain(runner, on_drained, &drained);
    assert_refused_by_one_that_ends();
    ck_assert(!drained); /* it waits for the stop */
    world_exit(&world, world_find(&world, "web"), 0);
    fake_engine_push(world.engine, stop_route, "HTTP/1.1 204 X\r\n\r\n", 18);
    while (!drained)
        turn();
}
END_TEST

START_TEST(without_a_disk_it_runs_all_the_same)
{
    end_life();
    begin_life("/proc/nowhere/journal.db");
    ck_assert_ptr_nonnull(journal_trouble(journal));
    json_t *record = run_to_end("bounce");
    assert_end(record, "succeeded", 0);
    json_decref(record);
}
END_TEST

/* --- an engine that comes and goes -------------------------------------------------------------
 */

static void on_engine_back(void *data)
{
    (void)data;
    fake_engine_listen(world.engine, true);
}

START_TEST(an_engine_that_is_away_is_waited_for)
{
    struct timer *back = timer_new(loop, on_engine_back, NULL);
    int64_t run = start("bounce");
    await_asked("web", "/stop", 1);
    fake_engine_listen(world.engine, false);
    timer_start(back, 400);
    await_end();
    timer_free(back);
    json_t *record = record_of(run);
    assert_end(record, "succeeded", 0);
    assert_up("web");
    json_decref(record);
}
END_TEST

START_TEST(an_engine_that_was_away_is_given_longer_to_let_go)
{
    struct timer *back = timer_new(loop, on_engine_back, NULL);
    world_find(&world, "web")->refused_starts = 6;
    world_find(&world, "web")->refusal = "id already in use";
    int64_t run = start("bounce");
    await_asked("web", "/stop", 1);
    fake_engine_listen(world.engine, false);
    timer_start(back, 400);
    await_end();
    timer_free(back);
    json_t *record = record_of(run);
    assert_end(record, "failed", 0); /* the start did fail; the container runs all the same */
    assert_up("web");
    json_decref(record);
}
END_TEST

/* --- a database that starts up -----------------------------------------------------------------
 */

#define STARTING "SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0"

static void on_client_closed(uv_handle_t *client)
{
    free(client);
}

/* "57P03" to whoever connects; a NUL cannot be told to fake_listen, so the port is our own. */
static void on_client(uv_stream_t *server, int status)
{
    static const char words[] = STARTING;
    ck_assert_int_eq(status, 0);
    uv_tcp_t *client = mem_new(sizeof *client);
    uv_tcp_init(loop_uv(loop), client);
    uv_accept(server, (uv_stream_t *)client);
    char message[5 + sizeof words] = {'E'};
    message[4] = (char)(4 + sizeof words - 1);
    memcpy(message + 5, words, sizeof words - 1);
    uv_buf_t bytes = uv_buf_init(message, 5 + sizeof words - 1);
    uv_try_write((uv_stream_t *)client, &bytes, 1);
    uv_close((uv_handle_t *)client, on_client_closed);
}

static int listen_starting(uv_tcp_t *server)
{
    struct sockaddr_in address;
    int len = sizeof address;
    uv_ip4_addr("127.0.0.1", 0, &address);
    uv_tcp_init(loop_uv(loop), server);
    ck_assert_int_eq(uv_tcp_bind(server, (const struct sockaddr *)&address, 0), 0);
    ck_assert_int_eq(uv_listen((uv_stream_t *)server, 16, on_client), 0);
    uv_tcp_getsockname(server, (struct sockaddr *)&address, &len);
    return ntohs(address.sin_port);
}

/* One line of the database's log, as the Engine frames it; told in turn, the last for ever. */
static void add_log_line(const char *line)
{
    static const char route[] = "GET /v1.41/containers/shop_db_1/logs";
    CLEANUP_FREE char *text = mem_printf("2026-01-01T00:00:00.000000000Z %s\n", line);
    struct buf answer;
    buf_init(&answer, 4096);
    buf_printf(&answer, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", strlen(text) + 8);
    const char head[8] = {1, 0, 0, 0, 0, 0, 0, (char)strlen(text)};
    buf_add(&answer, head, sizeof head);
    buf_puts(&answer, text);
    fake_engine_raw(world.engine, route, answer.data, answer.len, FAKE_KEEP);
    buf_free(&answer);
}

/* What the startup process calls itself the next time that it is asked. */
static void add_title(const char *title)
{
    static const char route[] = "GET /v1.41/containers/shop_db_1/top";
    CLEANUP_FREE char *body = mem_printf("{\"Titles\":[\"PID\",\"COMMAND\"],\"Processes\":"
                                         "[[\"1\",\"postgres\"],[\"7\",\"%s\"]]}",
                                         title);
    CLEANUP_FREE char *answer =
        mem_printf("HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(body), body);
    fake_engine_raw(world.engine, route, answer, strlen(answer), FAKE_KEEP);
}

/* Waits for a server that says "starting up" until it is given up; gives the milliseconds. */
static int64_t wait_for_one_that_starts(void)
{
    static uv_tcp_t server; /* closed by the loop's end */
    CLEANUP_FREE char *connect =
        mem_printf("host=127.0.0.1 port=%d user=x sslmode=disable", listen_starting(&server));
    const struct reach_options options = {.connect = connect};
    reach_configure(reach, &options);
    add_playbook("raise", "- wait: database ready\n  timeout: 1s\n");
    int64_t began = loop_now(loop);
    json_t *record = run_to_end("raise");
    int64_t took = loop_now(loop) - began;
    assert_end(record, "failed", 0);
    unit_assert_has(json_text_at(end_of(record), "text", ""), "shows no progress: starting");
    json_decref(record);
    uv_close((uv_handle_t *)&server, NULL);
    return took;
}

START_TEST(a_server_is_seen_to_get_on_by_what_its_process_calls_itself)
{
    add_log_line("das Datenbanksystem startet");
    add_title("postgres: startup recovering 00000001000000000000001A");
    add_title("postgres: startup recovering 00000001000000000000001B");
    int64_t took = wait_for_one_that_starts();
    ck_assert_int_ge(took, 2900); /* two signs, a second each, and the last time none */
    ck_assert_int_lt(took, 8000);
}
END_TEST

START_TEST(what_clients_leave_in_the_log_is_no_sign_of_a_replay)
{
    add_log_line("connection received: host=172.20.0.3 port=40001");
    add_log_line("connection received: host=172.20.0.3 port=40002");
    add_log_line("connection received: host=172.20.0.3 port=40003");
    ck_assert_int_lt(wait_for_one_that_starts(), 2000);
}
END_TEST

START_TEST(a_server_that_replays_is_given_more_time_while_it_gets_on)
{
    add_log_line("redo in progress, elapsed time: 1.00 s, current LSN: 0/1A000000");
    add_log_line("redo in progress, elapsed time: 2.00 s, current LSN: 0/1B000000");
    add_log_line("redo in progress, elapsed time: 3.00 s, current LSN: 0/1C000000");
    int64_t took = wait_for_one_that_starts();
    /* Three signs of progress, a second each, and the last one that was none. */
    ck_assert_int_ge(took, 3900);
    ck_assert_int_lt(took, 8000);
}
END_TEST

/* --- a database that answers -------------------------------------------------------------------
 */

static struct pg pg;

/* A real server, on which the world's database is found. */
static void begin_server(void)
{
    pg_template_make();
    pg_start(&pg);
    const struct reach_options options = {.connect = pg_conninfo(&pg, "guard")};
    reach_configure(reach, &options);
}

static void end_server(void)
{
    pg_stop(&pg);
    pg_template_remove();
}

static const json_t *evidence_of(const json_t *record, const char *what)
{
    const json_t *entries = json_at(record, "entries");
    for (size_t i = 0; i < json_array_size(entries); i++) {
        const json_t *entry = json_array_get(entries, i);
        if (strcmp(json_text_at(entry, "what", ""), what) == 0)
            return json_at(entry, "detail");
    }
    ck_abort_msg("no evidence of %s", what);
    return NULL;
}

static const json_t *detail_of(const json_t *record, const char *action)
{
    const json_t *entries = json_at(record, "entries");
    for (size_t i = 0; i < json_array_size(entries); i++) {
        const json_t *entry = json_array_get(entries, i);
        if (strcmp(json_text_at(entry, "action", ""), action) == 0 && json_at(entry, "detail"))
            return json_at(entry, "detail");
    }
    ck_abort_msg("no detail of %s", action);
    return NULL;
}

START_TEST(a_database_is_looked_at_cleaned_and_verified)
{
    struct crowd crowd = {0};
    begin_server();
    crowd_join(&crowd, &pg, "app", 12);
    add_playbook("tidy", "- capture: evidence\n"
                         "- clean: {idle: 0s}\n"
                         "- checkpoint: database\n"
                         "- wait: database ready\n"
                         "- verify: {services: healthy, connections.utilization: '< 60%'}\n");
    json_t *record = run_to_end("tidy");
    assert_end(record, "succeeded", 0);
    assert_results(record,
                   "capture done, clean done, checkpoint failed, wait-ready:shop_db_1 done, "
                   "verify done"); /* "guard" may not checkpoint, and that is no harm */
    const json_t *connections = evidence_of(record, "connections");
    ck_assert_int_ge(json_int_at(connections, "used", 0), 12);
    ck_assert_str_eq(json_text_at(evidence_of(record, "database"), "state", ""), "ready");
    ck_assert_uint_eq(json_array_size(json_at(detail_of(record, "clean"), "ended")), 12);
    const json_t *end = end_of(record);
    ck_assert_int_ge(json_int_at(end, "before/connections/used", 0), 12);
    ck_assert_int_lt(json_int_at(end, "after/connections/used", 99), 12);
    ck_assert_str_eq(json_text_at(end, "after/database", ""), "ready");
    json_decref(record);
    crowd_leave(&crowd);
    end_server();
}
END_TEST

static void on_planned(void *data, const struct err *e, const struct plan *plan)
{
    (void)e;
    *(bool *)data = plan != NULL;
    ck_assert_msg(plan != NULL, "%s", e ? e->text : "");
}

/* A clean that has ended one of two sessions, and waits for the other, which is `stuck`. */
static int64_t start_clean_that_waits(PGconn *boss, struct crowd *crowd, pid_t *ret_stuck)
{
    crowd_join(crowd, &pg, "app", 2);
    *ret_stuck = PQbackendPID(crowd->conns[0]);
    kill(*ret_stuck, SIGSTOP);
    add_playbook("tidy", "- clean: {idle: 0s}\n");
    int64_t run = start("tidy");
    while (pg_number(boss, "SELECT count(*) FROM pg_stat_activity WHERE application_name = "
                           "'crowd'") > 1)
        turn();
    return run;
}

START_TEST(a_plan_that_is_shown_takes_nothing_from_a_run)
{
    struct crowd crowd = {0};
    pid_t stuck;
    bool planned = false;
    begin_server();
    PGconn *boss = pg_connect(&pg, "postgres", "boss");
    int64_t run = start_clean_that_waits(boss, &crowd, &stuck);
    CLEANUP_FREE char *connect = mem_printf("%s application_name=other", pg_conninfo(&pg, "guard"));
    const struct reach_options options = {.connect = connect};
    reach_configure(reach, &options);
    runner_plan(runner, "bounce", NULL, on_planned, &planned);
    while (!planned)
        turn();
    kill(stuck, SIGCONT);
    await_end();
    json_t *record = record_of(run);
    assert_results(record, "clean done");
    ck_assert_uint_eq(json_array_size(json_at(detail_of(record, "clean"), "ended")), 2);
    json_decref(record);
    PQfinish(boss);
    crowd_leave(&crowd);
    end_server();
}
END_TEST

/* The note that is left of a clean that was given up, when it had told two sessions to end. */
static void assert_told_of_two(const json_t *record, int stuck)
{
    ck_assert(has_entry(record, "note", "clean did not come to its end; it had "));
    const json_t *detail = detail_of(record, "clean");
    const json_t *stayed = json_at(detail, "stayed");
    ck_assert_uint_eq(json_array_size(json_at(detail, "ended")) + json_array_size(stayed), 2);
    bool is_named = false;
    for (size_t i = 0; i < json_array_size(stayed); i++) {
        const json_t *one = json_array_get(stayed, i);
        unit_assert_has(json_text_at(one, "why", ""), "idle for ");
        is_named |= json_int_at(one, "pid", 0) == stuck;
    }
    ck_assert(is_named);
}

START_TEST(whom_an_aborted_clean_has_ended_is_told)
{
    struct crowd crowd = {0};
    struct err e;
    pid_t stuck;
    begin_server();
    PGconn *boss = pg_connect(&pg, "postgres", "boss");
    int64_t run = start_clean_that_waits(boss, &crowd, &stuck);
    ck_assert_int_eq(runner_abort(runner, run, "me", &e), 0);
    await_end();
    json_t *record = record_of(run);
    assert_end(record, "aborted", 0);
    assert_results(record, "clean skipped");
    assert_told_of_two(record, stuck);
    json_decref(record);
    kill(stuck, SIGCONT);
    PQfinish(boss);
    crowd_leave(&crowd);
    end_server();
}
END_TEST

START_TEST(whom_a_clean_has_ended_is_told_when_its_way_in_is_taken)
{
    struct crowd crowd = {0};
    pid_t stuck;
    begin_server();
    PGconn *boss = pg_connect(&pg, "postgres", "boss");
    int64_t run = start_clean_that_waits(boss, &crowd, &stuck);
    const struct reach_options options = {.connect = pg_conninfo(&pg, "postgres")};
    reach_configure(reach, &options);
    char name[] = "shop_db_1";
    const struct container nowhere = {.id = "db", .name = name};
    ck_assert_int_eq(reach_aim(reach, &nowhere, NULL), 0);
    await_end();
    json_t *record = record_of(run);
    assert_results(record, "clean failed");
    assert_told_of_two(record, stuck);
    json_decref(record);
    kill(stuck, SIGCONT);
    PQfinish(boss);
    crowd_leave(&crowd);
    end_server();
}
END_TEST

START_TEST(whom_a_clean_has_ended_is_told_though_the_daemon_ends)
{
    struct crowd crowd = {0};
    pid_t stuck;
    begin_server();
    end_life();
    begin_life(path);
    PGconn *boss = pg_connect(&pg, "postgres", "boss");
    int64_t run = start_clean_that_waits(boss, &crowd, &stuck);
    drain();
    end_life();
    begin_life(path);
    json_t *record = record_of(run);
    assert_told_of_two(record, stuck);
    json_decref(record);
    kill(stuck, SIGCONT);
    ck_assert(resume()); /* and is gone on with */
    await_end();
    record = record_of(run);
    assert_results(record, "clean done");
    json_decref(record);
    PQfinish(boss);
    crowd_leave(&crowd);
    end_server();
}
END_TEST

START_TEST(a_database_that_stays_full_is_not_verified)
{
    struct crowd crowd = {0};
    begin_server();
    crowd_join(&crowd, &pg, "app", 12);
    add_playbook("look", "- verify: {connections.utilization: '< 60%'}\n  timeout: 1s\n");
    json_t *record = run_to_end("look");
    assert_end(record, "failed", 0);
    unit_assert_has(json_text_at(end_of(record), "text", ""), "not below 60%");
    json_decref(record);
    crowd_leave(&crowd);
    end_server();
}
END_TEST

START_TEST(a_database_that_does_not_answer_fails_its_steps_in_seconds)
{
    add_playbook("tidy", "- capture: evidence\n- clean: {}\n- checkpoint: database\n");
    int64_t began = loop_now(loop);
    json_t *record = run_to_end("tidy");
    ck_assert_int_lt(loop_now(loop) - began, 10000);
    assert_results(record, "capture done, clean failed, checkpoint failed");
    assert_end(record, "succeeded", 0); /* none of the three turns a run */
    json_decref(record);
}
END_TEST

/* What a command's process does: an unfinished run is found, and left alone until it is asked for.
 */
static bool find_left(void)
{
    int found = -1;
    runner_find_left(runner, on_resumed, &found);
    while (found < 0)
        turn();
    return found;
}

static void assert_untouched(int64_t run)
{
    json_t *record = record_of(run);
    ck_assert_uint_eq(json_array_size(json_at(record, "entries")), INTENT_TO_STOP);
    ck_assert_int_eq(runner_present(runner), 0);
    ck_assert_int_eq(world_find(&world, "web")->stops, 1); /* that of the run before */
    json_decref(record);
}

START_TEST(an_unfinished_run_that_nobody_asks_for_is_told_and_left_alone)
{
    int64_t run = unfinished_run(1000, NULL);
    ck_assert(find_left());
    json_t *summary = runner_summary(runner);
    ck_assert_int_eq(json_int_at(summary, "run", 0), run);
    ck_assert_str_eq(json_text_at(summary, "state", ""), "interrupted");
    json_decref(summary);
    drain();
    assert_untouched(run);
    end_life();
    begin_life(path);
    ck_assert(find_left()); /* it is still there for the next */
}
END_TEST

START_TEST(who_asks_for_an_unfinished_run_carries_it_on)
{
    struct heard heard = {.last_seq = 1}; /* its "begin" is not in what the journal has */
    int64_t run = unfinished_run(1000, NULL);
    ck_assert(find_left());
    runner_carry_on(runner, run + 1); /* another */
    assert_untouched(run);
    runner_carry_on(runner, run);
    ck_assert_int_eq(runner_present(runner), run);
    heard.handle = runner_follow(runner, run, on_entry, &heard, NULL);
    await_end();
    ck_assert(heard.over);
    json_t *record = record_of(run);
    assert_end(record, "succeeded", 0);
    ck_assert(has_entry(record, "resume", "carrying the run on"));
    json_decref(record);
    ck_assert(!find_left());
}
END_TEST

/* Whether the journal has been read by then or not. */
static void ask_beside_unfinished(bool read, const char *playbook, struct asked *asked)
{
    int found = -1;
    if (read)
        ck_assert(find_left());
    else
        runner_find_left(runner, on_resumed, &found);
    ask(playbook, NULL, asked);
    while (!asked->told)
        turn();
}

static void carry_on_by_asking(bool read)
{
    struct asked same;
    int64_t run = unfinished_run(1000, NULL);
    ask_beside_unfinished(read, "bounce", &same);
    ck_assert(same.joined);
    ck_assert_int_eq(same.run, run);
    await_end();
    json_t *record = record_of(run);
    assert_end(record, "succeeded", 0);
    json_decref(record);
}

START_TEST(the_same_again_carries_an_unfinished_run_on)
{
    carry_on_by_asking(true);
}
END_TEST

START_TEST(the_same_again_may_come_before_the_journal_is_read)
{
    carry_on_by_asking(false);
}
END_TEST

static void be_refused_beside(int64_t run, bool read)
{
    struct asked other;
    ask_beside_unfinished(read, "other", &other);
    ck_assert_int_eq(other.e.code, ERR_REFUSED);
    unit_assert_has(other.e.text, "bounce");
    unit_assert_has(other.e.text, "unfinished");
    unit_assert_has(other.e.hint, "--standalone attach");
    drain();
    assert_untouched(run);
}

START_TEST(another_playbook_is_refused_beside_an_unfinished_run_which_is_left_alone)
{
    int64_t run = unfinished_run(1000, NULL);
    be_refused_beside(run, true);
    end_life();
    begin_life(path);
    be_refused_beside(run, false);
}
END_TEST

START_TEST(an_abort_of_an_unfinished_run_winds_it_up)
{
    struct err e;
    int64_t run = unfinished_run(1000, NULL);
    world_exit(&world, world_find(&world, "web"), 0); /* its stop did come through */
    ck_assert(find_left());
    ck_assert_int_eq(runner_abort(runner, run, "me", &e), 0);
    await_end();
    json_t *record = record_of(run);
    assert_end(record, "aborted", 0);
    assert_up("web");
    json_decref(record);
}
END_TEST

/* A life that has begun a run and not one of its actions, and another that does them all and knows
 * no address yet, as a command's process knows none. The caller owns the record. */
static json_t *carried_on_to_end(const char *playbook)
{
    end_life();
    begin_life(path);
    int64_t run = start(playbook);
    drain();
    end_life();
    reach_free(reach);
    const struct reach_options options = {.connect = pg_conninfo(&pg, "guard")};
    reach = reach_new(loop, world.docker, &options);
    begin_life(path);
    ck_assert(resume());
    await_end();
    return record_of(run);
}

START_TEST(a_run_that_is_carried_on_finds_the_database_to_verify)
{
    begin_server();
    add_playbook("look", "- verify: {connections.utilization: '< 90%'}\n  timeout: 4s\n");
    json_t *record = carried_on_to_end("look");
    assert_end(record, "succeeded", 0);
    json_decref(record);
    end_server();
}
END_TEST

START_TEST(a_run_that_is_carried_on_finds_the_database_for_its_evidence)
{
    begin_server();
    json_t *record = carried_on_to_end("other");
    assert_end(record, "succeeded", 0);
    ck_assert_str_eq(json_text_at(evidence_of(record, "database"), "state", ""), "ready");
    ck_assert_int_gt(json_int_at(evidence_of(record, "connections"), "max", 0), 0);
    json_decref(record);
    end_server();
}
END_TEST

START_TEST(a_run_that_is_carried_on_looks_at_the_database_at_its_end)
{
    begin_server();
    json_t *record = carried_on_to_end("bounce");
    assert_end(record, "succeeded", 0);
    ck_assert_str_eq(json_text_at(end_of(record), "after/database", ""), "ready");
    ck_assert_int_gt(json_int_at(end_of(record), "after/connections/max", 0), 0);
    json_decref(record);
    end_server();
}
END_TEST

START_TEST(a_run_that_is_carried_on_starts_nobody_before_slots_are_free)
{
    begin_server();
    add_playbook("gated", "- stop: apps\n- start: apps\n  gate: 1000\n");
    json_t *record = carried_on_to_end("gated");
    assert_end(record, "succeeded", 0);
    ck_assert(has_entry(record, "note", "free slots, not 1000")); /* it was asked for them */
    json_decref(record);
    end_server();
}
END_TEST

UNIT_MAIN_WITH(
    "run", set_up, tear_down, a_run_does_what_the_plan_says_and_tells_of_it,
    one_run_at_a_time_and_the_same_again_joins_it, only_the_plan_that_was_shown_is_run,
    followers_hear_all_of_it_whenever_they_come, a_start_that_fails_for_a_while_is_tried_again,
    a_start_that_fails_for_good_is_reported,
    a_container_that_the_engine_has_lost_is_reported_with_the_cure,
    what_did_its_work_and_ended_need_not_run, what_ends_at_once_with_an_error_is_no_success,
    a_start_is_not_lost_during_a_stop, what_may_yet_be_stopping_is_named,
    a_start_that_went_down_with_a_stop_is_made_again, a_start_waits_for_as_long_as_a_stop_may_take,
    a_container_that_was_removed_is_named, what_does_not_get_healthy_fails_the_run_and_runs,
    verify_says_what_is_missing, verify_waits_until_it_holds_for_long_enough,
    an_abort_during_a_stop_starts_again_what_was_stopped,
    a_daemon_that_ends_lets_a_stop_end_and_the_next_carries_on,
    a_request_beside_the_run_of_another_supervisor_is_refused,
    a_run_that_comes_back_beside_another_supervisors_waits_and_is_wound_up,
    what_is_owed_is_started_also_beside_another_supervisor_that_goes_on,
    a_run_that_waits_for_another_supervisor_is_wound_up_by_the_next_life,
    who_aborts_a_run_that_waits_waits_no_longer,
    a_runner_that_waits_for_the_journal_ends_when_it_is_told_to,
    an_action_without_a_result_is_done_again, a_run_too_old_is_wound_up,
    a_clock_that_was_set_back_between_two_lives_makes_no_run_take_less_than_nothing,
    a_stop_begun_before_an_abort_and_the_end_of_the_daemon_is_made_good,
    what_ended_while_nobody_listened_has_not_finished,
    what_ended_while_the_stream_was_lost_has_not_finished,
    what_the_journal_may_have_missed_is_named, a_run_that_cannot_be_read_is_not_carried_on,
    a_request_that_comes_before_the_journal_is_read_joins_what_is_carried_on,
    who_named_another_plan_does_not_join_what_is_carried_on,
    a_supervisor_that_ends_takes_no_more_requests,
    a_request_to_a_supervisor_that_has_ended_its_work_begins_nothing,
    a_request_beside_a_run_that_is_left_to_the_next_life_does_not_join_it,
    without_a_disk_it_runs_all_the_same, an_engine_that_is_away_is_waited_for,
    an_engine_that_was_away_is_given_longer_to_let_go,
    a_server_that_replays_is_given_more_time_while_it_gets_on,
    a_server_is_seen_to_get_on_by_what_its_process_calls_itself,
    what_clients_leave_in_the_log_is_no_sign_of_a_replay, whom_an_aborted_clean_has_ended_is_told,
    whom_a_clean_has_ended_is_told_when_its_way_in_is_taken,
    whom_a_clean_has_ended_is_told_though_the_daemon_ends,
    a_database_is_looked_at_cleaned_and_verified, a_plan_that_is_shown_takes_nothing_from_a_run,
    a_database_that_stays_full_is_not_verified,
    a_database_that_does_not_answer_fails_its_steps_in_seconds,
    an_unfinished_run_that_nobody_asks_for_is_told_and_left_alone,
    who_asks_for_an_unfinished_run_carries_it_on, the_same_again_carries_an_unfinished_run_on,
    the_same_again_may_come_before_the_journal_is_read,
    another_playbook_is_refused_beside_an_unfinished_run_which_is_left_alone,
    an_abort_of_an_unfinished_run_winds_it_up,
    a_run_that_is_carried_on_finds_the_database_to_verify,
    a_run_that_is_carried_on_finds_the_database_for_its_evidence,
    a_run_that_is_carried_on_looks_at_the_database_at_its_end,
    a_run_that_is_carried_on_starts_nobody_before_slots_are_free)
