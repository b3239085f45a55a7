/* The event watch against a fake Engine: what it tells, and how it comes back. */
#include "docker/docker.h"

#include "base/clock.h"
#include "base/mem.h"
#include "tests/fake/engine.h"

#include <check.h>
#include <inttypes.h>
#include <string.h>

#define ROUTE "GET /v1.41/events"

struct watcher {
    struct loop *loop;
    struct fake_engine *engine;
    struct docker *docker;
    struct docker_watch *watch;
    struct timer *guard, *pause;
    int syncs, losses, events;
    int wanted_syncs, wanted_losses, wanted_events; /* the loop stops when all are there */
    bool free_on_event;
    char *told; /* "start:web:;…" */
    struct err e;
};

static void check(struct watcher *w)
{
    if (w->syncs >= w->wanted_syncs && w->losses >= w->wanted_losses &&
        w->events >= w->wanted_events)
        loop_stop(w->loop);
}

static void on_event(void *data, const struct docker_event *event)
{
    struct watcher *w = data;
    char *told = mem_printf("%s%s:%s:%s;", w->told, event->action, event->name, event->detail);
    free(w->told);
    w->told = told;
    w->events++;
    if (w->free_on_event)
        w->watch = docker_watch_free(w->watch);
    check(w);
}

static void on_sync(void *data)
{
    struct watcher *w = data;
    w->syncs++;
    check(w);
}

static void on_lost(void *data, const struct err *e)
{
    struct watcher *w = data;
    w->losses++;
    err_copy(&w->e, e);
    check(w);
}

static void on_guard(void *data)
{
    (void)data;
    ck_abort_msg("nothing happened within 20 s");
}

static void on_pause(void *data)
{
    loop_stop(((struct watcher *)data)->loop);
}

static const struct docker_watch_class class = {
    .on_event = on_event, .on_sync = on_sync, .on_lost = on_lost};

static void watcher_open(struct watcher *w)
{
    *w = (struct watcher){.loop = loop_new(), .told = mem_strdup("")};
    unsetenv("DOCKER_API_VERSION");
    w->engine = fake_engine_new(w->loop);
    w->guard = timer_new(w->loop, on_guard, w);
    w->pause = timer_new(w->loop, on_pause, w);
    struct docker_options options = {.host = fake_engine_host(w->engine)};
    ck_assert_int_eq(docker_new(w->loop, &options, &w->docker, &w->e), 0);
}

static void watcher_start(struct watcher *w)
{
    w->watch = docker_watch_new(w->docker, &class, w);
}

static void watcher_close(struct watcher *w)
{
    docker_watch_free(w->watch);
    docker_free(w->docker);
    fake_engine_free(w->engine);
    timer_free(w->guard);
    timer_free(w->pause);
    loop_free(w->loop);
    free(w->told);
}

static void await(struct watcher *w, int syncs, int losses, int events)
{
    w->wanted_syncs = syncs;
    w->wanted_losses = losses;
    w->wanted_events = events;
    timer_start(w->guard, 20000);
    while (w->syncs < syncs || w->losses < losses || w->events < events)
        loop_run(w->loop);
    timer_stop(w->guard);
}

/* Lets the loop turn for a while in which nothing is expected to be told. */
static void idle(struct watcher *w, int ms)
{
    w->wanted_events = INT32_MAX;
    timer_start(w->pause, ms);
    loop_run(w->loop);
}

static char *event_line(const char *action, const char *name, int64_t time_ns)
{
    return mem_printf("{\"Type\":\"container\",\"Action\":\"%s\",\"Actor\":{\"ID\":\"%s\","
                      "\"Attributes\":{\"name\":\"%s\"}},\"timeNano\":%" PRId64 "}\n",
                      action, name, name, time_ns);
}

static void push(struct watcher *w, const char *text)
{
    CLEANUP_FREE char *chunk = fake_chunk(text);
    fake_engine_push(w->engine, ROUTE, chunk, strlen(chunk));
}

static void push_event(struct watcher *w, const char *action, const char *name, int64_t time_ns)
{
    CLEANUP_FREE char *line = event_line(action, name, time_ns);
    push(w, line);
}

static void script_stream(struct watcher *w)
{
    fake_engine_text(w->engine, ROUTE, FAKE_CHUNKED_HEAD, FAKE_HOLD);
}

static int64_t later(void)
{
    return clock_wall_ns() + INT64_C(1000000000);
}

START_TEST(events_are_told_as_they_come)
{
    struct watcher w;
    watcher_open(&w);
    script_stream(&w);
    watcher_start(&w);
    await(&w, 1, 0, 0);
    int64_t now = later();
    push_event(&w, "die", "web", now);
    push_event(&w, "health_status: healthy", "db", now + 1);
    push_event(&w, "exec_create: sh -c secret", "db", now + 2);
    push_event(&w, "start", "web", now + 3);
    await(&w, 1, 0, 3);
    ck_assert_str_eq(w.told, "die:web:;health_status:db:healthy;start:web:;");
    ck_assert_int_eq(w.losses, 0);
    watcher_close(&w);
}
END_TEST

START_TEST(a_line_may_come_in_pieces)
{
    struct watcher w;
    watcher_open(&w);
    script_stream(&w);
    watcher_start(&w);
    await(&w, 1, 0, 0);
    CLEANUP_FREE char *line = event_line("die", "web", later());
    for (const char *at = line; *at; at++)
        push(&w, (char[]){*at, '\0'});
    await(&w, 1, 0, 1);
    ck_assert_str_eq(w.told, "die:web:;");
    watcher_close(&w);
}
END_TEST

START_TEST(the_first_connection_asks_from_the_engines_clock_and_hides_the_past)
{
    struct watcher w;
    watcher_open(&w);
    script_stream(&w);
    watcher_start(&w);
    int64_t now_s = clock_wall_ms() / 1000;
    await(&w, 1, 0, 0);
    push_event(&w, "die", "past", (now_s - 1) * INT64_C(1000000000) - 1);
    push_event(&w, "die", "web", later());
    await(&w, 1, 0, 1);
    ck_assert_str_eq(w.told, "die:web:;");
    const char *since = strstr(fake_engine_last(w.engine, ROUTE), "&since=");
    ck_assert_ptr_nonnull(since);
    long long seconds = strtoll(since + 7, NULL, 10);
    ck_assert_int_le(llabs(seconds - (now_s - 2)), 1);
    watcher_close(&w);
}
END_TEST

START_TEST(a_broken_stream_is_told_and_taken_up_where_it_broke)
{
    struct watcher w;
    watcher_open(&w);
    script_stream(&w);
    watcher_start(&w);
    await(&w, 1, 0, 0);
    int64_t now = later() / 1000 * 1000 + 7;
    push_event(&w, "die", "web", now);
    await(&w, 1, 0, 1);
    fake_engine_cut(w.engine, ROUTE);
    await(&w, 1, 1, 1);
    ck_assert_int_eq(w.e.code, ERR_UNREACHABLE);
    await(&w, 2, 1, 1);
    CLEANUP_FREE char *since =
        mem_printf("&since=%" PRId64 ".%09" PRId64 " ", now / 1000000000 - 1, now % 1000000000);
    ck_assert_ptr_nonnull(strstr(fake_engine_last(w.engine, ROUTE), since));
    push_event(&w, "die", "web", now); /* the replay */
    push_event(&w, "start", "web", now + 5);
    await(&w, 2, 1, 2);
    ck_assert_str_eq(w.told, "die:web:;start:web:;");
    watcher_close(&w);
}
END_TEST

START_TEST(half_a_chunk_and_the_end_is_a_broken_stream)
{
    struct watcher w;
    watcher_open(&w);
    fake_engine_text(w.engine, ROUTE, FAKE_CHUNKED_HEAD "40\r\n{\"Type\":\"cont", FAKE_CLOSE);
    script_stream(&w);
    watcher_start(&w);
    await(&w, 2, 1, 0);
    ck_assert_int_eq(w.e.code, ERR_UNREACHABLE);
    watcher_close(&w);
}
END_TEST

START_TEST(an_engine_that_is_down_is_told_once_and_waited_for)
{
    struct watcher w;
    watcher_open(&w);
    script_stream(&w);
    fake_engine_listen(w.engine, false);
    watcher_start(&w);
    await(&w, 0, 1, 0);
    ck_assert_int_eq(w.e.code, ERR_UNREACHABLE);
    idle(&w, 500); /* several tries */
    ck_assert_int_eq(w.losses, 1);
    fake_engine_listen(w.engine, true);
    await(&w, 1, 1, 0);
    fake_engine_cut(w.engine, ROUTE);
    await(&w, 2, 2, 0);
    watcher_close(&w);
}
END_TEST

START_TEST(an_error_in_place_of_a_stream_is_no_event)
{
    struct watcher w;
    watcher_open(&w);
    fake_engine_json(w.engine, ROUTE, 403, "<html>denied");
    script_stream(&w);
    watcher_start(&w);
    await(&w, 0, 1, 0);
    ck_assert_int_eq(w.e.code, ERR_PERMISSION);
    ck_assert_ptr_nonnull(strstr(w.e.text, "GET /events"));
    ck_assert_int_eq(w.syncs, 0);
    await(&w, 1, 1, 0);
    watcher_close(&w);
}
END_TEST

START_TEST(an_event_that_cannot_be_read_means_look_again)
{
    struct watcher w;
    watcher_open(&w);
    script_stream(&w);
    watcher_start(&w);
    await(&w, 1, 0, 0);
    push(&w, "{\"Type\":broken\n\n");
    await(&w, 2, 0, 0);
    push_event(&w, "die", "web", later());
    await(&w, 2, 0, 1);
    watcher_close(&w);
}
END_TEST

START_TEST(an_endless_line_is_skipped_and_means_look_again)
{
    struct watcher w;
    watcher_open(&w);
    script_stream(&w);
    watcher_start(&w);
    await(&w, 1, 0, 0);
    CLEANUP_FREE char *part = mem_new((1 << 18) + 1);
    memset(part, 'x', 1 << 18);
    for (int i = 0; i < 6; i++)
        push(&w, part);
    push(&w, "\n");
    push_event(&w, "die", "web", later());
    await(&w, 2, 0, 1);
    ck_assert_int_eq(w.syncs, 2);
    ck_assert_str_eq(w.told, "die:web:;");
    watcher_close(&w);
}
END_TEST

START_TEST(podman_is_believed_to_have_subscribed_without_its_headers)
{
    struct watcher w;
    watcher_open(&w);
    fake_engine_set_server(w.engine, "Libpod/5.2.0 (linux)");
    fake_engine_text(w.engine, ROUTE, "", FAKE_HOLD);
    watcher_start(&w);
    await(&w, 1, 0, 0);
    ck_assert_ptr_null(strstr(fake_engine_last(w.engine, ROUTE), "health_status"));
    fake_engine_push(w.engine, ROUTE, FAKE_CHUNKED_HEAD, strlen(FAKE_CHUNKED_HEAD));
    push_event(&w, "died", "web", later());
    await(&w, 1, 0, 1);
    ck_assert_str_eq(w.told, "die:web:;");
    ck_assert_int_eq(w.syncs, 1);
    watcher_close(&w);
}
END_TEST

START_TEST(a_watch_may_be_freed_from_its_own_event)
{
    struct watcher w;
    watcher_open(&w);
    script_stream(&w);
    watcher_start(&w);
    await(&w, 1, 0, 0);
    w.free_on_event = true;
    CLEANUP_FREE char *one = event_line("die", "web", later());
    CLEANUP_FREE char *two = event_line("start", "web", later());
    CLEANUP_FREE char *both = mem_printf("%s%s", one, two);
    push(&w, both);
    await(&w, 1, 0, 1);
    idle(&w, 50);
    ck_assert_int_eq(w.events, 1);
    watcher_close(&w);
}
END_TEST

static void on_lost_free(void *data, const struct err *e)
{
    struct watcher *w = data;
    w->watch = docker_watch_free(w->watch);
    w->docker = docker_free(w->docker);
    on_lost(data, e);
}

static void on_sync_free(void *data)
{
    struct watcher *w = data;
    w->watch = docker_watch_free(w->watch);
    on_sync(data);
}

START_TEST(a_watch_may_be_freed_from_its_loss_with_the_client)
{
    static const struct docker_watch_class frees = {
        .on_event = on_event, .on_sync = on_sync, .on_lost = on_lost_free};
    struct watcher w;
    watcher_open(&w);
    fake_engine_text(w.engine, ROUTE, FAKE_CHUNKED_HEAD, FAKE_CLOSE);
    w.watch = docker_watch_new(w.docker, &frees, &w);
    await(&w, 1, 1, 0);
    watcher_close(&w);
}
END_TEST

START_TEST(a_watch_may_be_freed_at_any_time)
{
    static const struct docker_watch_class frees = {
        .on_event = on_event, .on_sync = on_sync_free, .on_lost = on_lost};
    struct watcher w;
    watcher_open(&w);
    script_stream(&w);
    w.watch = docker_watch_new(w.docker, &frees, &w);
    w.watch = docker_watch_free(w.watch); /* at once, with its ping under way */
    w.watch = docker_watch_new(w.docker, &frees, &w);
    await(&w, 1, 0, 0);
    fake_engine_listen(w.engine, false);
    w.watch = docker_watch_new(w.docker, &frees, &w);
    idle(&w, 150); /* in its back-off by now */
    ck_assert_ptr_null(docker_watch_free(NULL));
    watcher_close(&w);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        events_are_told_as_they_come,
        a_line_may_come_in_pieces,
        the_first_connection_asks_from_the_engines_clock_and_hides_the_past,
        a_broken_stream_is_told_and_taken_up_where_it_broke,
        half_a_chunk_and_the_end_is_a_broken_stream,
        an_engine_that_is_down_is_told_once_and_waited_for,
        an_error_in_place_of_a_stream_is_no_event,
        an_event_that_cannot_be_read_means_look_again,
        an_endless_line_is_skipped_and_means_look_again,
        podman_is_believed_to_have_subscribed_without_its_headers,
        a_watch_may_be_freed_from_its_own_event,
        a_watch_may_be_freed_from_its_loss_with_the_client,
        a_watch_may_be_freed_at_any_time,
    };
    Suite *suite = suite_create("docker watch");
    TCase *watch = tcase_create("watch");
    tcase_set_timeout(watch, 60);
    for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
        tcase_add_test(watch, tests[i]);
    suite_add_tcase(suite, watch);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
