/* The containers' logs against a fake Engine: what counts, and that nothing counts twice. */
#include "watch/logs.h"

#include "base/buf.h"
#include "base/clock.h"
#include "policies/derive.h"
#include "tests/fake/engine.h"
#include "tests/unit/unit.h"

#include <inttypes.h>
#include <stdio.h>

#define HEAD     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
#define APP      "GET /v1.41/containers/app1/logs?"
#define WORKER   "GET /v1.41/containers/worker1/logs?"
#define DATABASE "GET /v1.41/containers/db1/logs?"
#define REFUSED  "FATAL:  sorry, too many clients already\n"
#define NS_PER_S INT64_C(1000000000)

/* --- the scene -------------------------------------------------------------------------------- */

struct scene {
    struct loop *loop;
    struct fake_engine *engine;
    struct docker *docker;
    struct feed *feed;
    struct patterns *patterns;
    struct watch_logs *watch;
    struct stack *stack;
    struct timer *guard, *pause;
    struct buf told; /* "too-many-clients app: the line|" */
    int matches, troubles, changes;
    bool free_on_match;
    bool has_clock;  /* the Engine's is our business */
    int64_t ahead_s; /* so far it is ahead of ours */
    struct err trouble;
};

static void on_guard(void *data)
{
    (void)data;
    ck_abort_msg("nothing happened within 20 s");
}

static void on_pause(void *data)
{
    loop_stop(((struct scene *)data)->loop);
}

static void on_match(void *data, const char *pattern, const struct container *container,
                     const struct docker_log_line *line)
{
    struct scene *s = data;
    buf_printf(&s->told, "%s %s: %s|", pattern, container->name, line->text);
    s->matches++;
    if (s->free_on_match)
        s->watch = watch_logs_free(s->watch);
}

static void on_trouble(void *data, const struct err *e)
{
    struct scene *s = data;
    s->troubles++;
    err_copy(&s->trouble, e);
}

static void on_change(void *data)
{
    ((struct scene *)data)->changes++;
}

static struct container *container(const char *name, const char *image, const char *state)
{
    CLEANUP_FREE char *text = mem_printf(
        "{'Id': '%s1', 'Name': '/%s', 'State': {'Status': '%s'}, 'Config': {'Image': '%s', "
        "'Labels': {'com.docker.compose.project': 'shop', 'com.docker.compose.service': '%s', "
        "'com.docker.compose.container-number': '1', 'com.docker.compose.depends_on': ''}}}",
        name, name, state, image, name);
    CLEANUP_JSON json_t *body = unit_json(text);
    struct container *c = container_from_json(body, NULL);
    ck_assert_ptr_nonnull(c);
    return c;
}

/* A database, and an app in that state; a worker if it has a state. */
static void model(struct scene *s, const char *app, const char *worker)
{
    struct container *all[3] = {container("db", "postgres:15", "running"),
                                container("app", "shop", app)};
    size_t count = 2;
    struct err e;
    if (worker)
        all[count++] = container("worker", "shop", worker);
    stack_unref(s->stack);
    ck_assert_msg(stack_build("shop", all, count, NULL, NULL, &s->stack, &e) == 0, "%s", e.text);
    for (size_t i = 0; i < count; i++)
        container_unref(all[i]);
    watch_logs_stack(s->watch, s->stack);
}

static struct patterns *read_patterns(const char *text)
{
    struct diag_list diags;
    diag_init(&diags, "f.yaml", text);
    struct yaml_node *list = yaml_parse(text, strlen(text), &diags);
    struct patterns *patterns = patterns_read(list, &diags);
    ck_assert_ptr_nonnull(patterns);
    yaml_node_free(list);
    diag_free(&diags);
    return patterns;
}

static void scene_open(struct scene *s, const char *patterns)
{
    struct err e;
    *s = (struct scene){.loop = loop_new()};
    unsetenv("DOCKER_API_VERSION");
    s->engine = fake_engine_new(s->loop);
    s->guard = timer_new(s->loop, on_guard, s);
    s->pause = timer_new(s->loop, on_pause, s);
    buf_init(&s->told, 1 << 24);
    struct docker_options options = {.host = fake_engine_host(s->engine)};
    ck_assert_int_eq(docker_new(s->loop, &options, &s->docker, &e), 0);
    s->feed = feed_new(s->loop);
    feed_listen(s->feed, on_change, s);
    s->patterns = read_patterns(patterns);
    s->watch = watch_logs_new(&(struct watch_logs_options){.loop = s->loop,
                                                           .docker = s->docker,
                                                           .feed = s->feed,
                                                           .patterns = s->patterns,
                                                           .on_match = on_match,
                                                           .on_trouble = on_trouble,
                                                           .data = s});
    fake_engine_text(s->engine, "GET /v1.41/containers/", HEAD, FAKE_HOLD);
}

static void scene_close(struct scene *s)
{
    watch_logs_free(s->watch);
    feed_free(s->feed);
    docker_free(s->docker);
    fake_engine_free(s->engine);
    timer_free(s->guard);
    timer_free(s->pause);
    stack_unref(s->stack);
    loop_free(s->loop);
    patterns_free(s->patterns);
    buf_free(&s->told);
}

/* --- waiting ---------------------------------------------------------------------------------- */

static void turn(struct scene *s, int ms)
{
    timer_start(s->pause, ms);
    loop_run(s->loop);
}

#define AWAIT(s, condition)                                                                        \
    do {                                                                                           \
        timer_start((s)->guard, 20000);                                                            \
        while (!(condition))                                                                       \
            turn((s), 1);                                                                          \
        timer_stop((s)->guard);                                                                    \
    } while (0)

static size_t asked(const struct scene *s, const char *route)
{
    return fake_engine_count(s->engine, route);
}

/* The newest rate on the board; -1 when it is unknown. */
static double rate(const struct scene *s, const char *pattern)
{
    const char *parameter;
    size_t len;
    const struct observation_kind *kind = observation_find("log.rate", 8, &parameter, &len);
    const struct series *series = board_find(feed_board(s->feed), kind, pattern);
    const struct sample *sample = series ? series_sample(series, 0) : NULL;
    return sample ? sample->number : -1;
}

static bool is_following(const struct scene *s, const char *name, const char *state)
{
    CLEANUP_JSON json_t *list = watch_logs_json(s->watch);
    size_t index;
    json_t *item;
    json_array_foreach(list, index, item) if (strcmp(json_text_at(item, "container", ""), name) ==
                                              0) return strcmp(json_text_at(item, "state", ""),
                                                               state) == 0;
    return false;
}

/* --- the Engine ------------------------------------------------------------------------------- */

static void add_line(struct buf *out, int64_t time_ns, const char *text)
{
    char stamp[CLOCK_STAMP_MAX];
    clock_stamp(time_ns / 1000000, stamp);
    stamp[19] = '\0'; /* without milliseconds */
    CLEANUP_FREE char *frame = mem_printf("%s.%09" PRId64 "Z %s", stamp, time_ns % NS_PER_S, text);
    size_t len = strlen(frame);
    char header[8] = {2, 0, 0, 0, 0, 0, (char)(len >> 8), (char)(len & 0xFF)};
    buf_add(out, header, sizeof header);
    buf_puts(out, frame);
}

static void write_line(struct scene *s, const char *route, int64_t time_ns, const char *text)
{
    struct buf bytes;
    buf_init(&bytes, 1 << 16);
    add_line(&bytes, time_ns, text);
    fake_engine_push_chunk(s->engine, route, bytes.data, bytes.len);
    buf_free(&bytes);
}

static void event(struct scene *s, const char *action, const char *id)
{
    watch_logs_event(s->watch, &(struct docker_event){.action = action, .id = id, .name = "app"});
}

/* --- counting --------------------------------------------------------------------------------- */

START_TEST(matching_lines_are_counted_and_told)
{
    struct scene s;
    scene_open(&s, "[]");
    model(&s, "running", "running");
    AWAIT(&s, asked(&s, APP) == 1 && asked(&s, WORKER) == 1);
    int64_t now = clock_wall_ns();
    write_line(&s, APP, now, "all is well\n");
    write_line(&s, APP, now + 1, REFUSED);
    write_line(&s, WORKER, now + 2, "QueuePool limit of size 5 overflow 10 reached\n");
    write_line(&s, WORKER, now + 3, REFUSED);
    AWAIT(&s, s.matches == 3);
    AWAIT(&s, rate(&s, "too-many-clients") == 4 && rate(&s, "pool-exhausted") == 2);
    unit_assert_has(buf_text(&s.told),
                    "too-many-clients app: FATAL:  sorry, too many clients already|");
    unit_assert_has(buf_text(&s.told), "pool-exhausted worker: QueuePool limit");
    unit_assert_has(buf_text(&s.told), "too-many-clients worker: FATAL:");
    ck_assert_int_eq(s.troubles, 0);
    scene_close(&s);
}
END_TEST

START_TEST(after_a_recovery_only_what_is_said_anew_counts)
{
    struct scene s;
    scene_open(&s, "[]");
    model(&s, "running", NULL);
    AWAIT(&s, asked(&s, APP) == 1);
    write_line(&s, APP, clock_wall_ns(), REFUSED);
    AWAIT(&s, rate(&s, "too-many-clients") == 2);
    watch_logs_begin_anew(s.watch);
    ck_assert(rate(&s, "too-many-clients") == 0);
    write_line(&s, APP, clock_wall_ns(), REFUSED);
    AWAIT(&s, rate(&s, "too-many-clients") == 2);
    scene_close(&s);
}
END_TEST

START_TEST(a_quiet_log_is_zero_and_not_unknown)
{
    struct scene s;
    scene_open(&s, "[]");
    model(&s, "running", NULL);
    ck_assert(rate(&s, "too-many-clients") == -1);
    AWAIT(&s, rate(&s, "too-many-clients") == 0 && rate(&s, "pool-exhausted") == 0);
    scene_close(&s);
}
END_TEST

START_TEST(the_rate_falls_back_by_itself)
{
    struct scene s;
    scene_open(&s, "[]");
    model(&s, "running", NULL);
    AWAIT(&s, asked(&s, APP) == 1);
    int64_t now = clock_wall_ns();
    write_line(&s, APP, now - 28 * NS_PER_S, REFUSED);
    write_line(&s, APP, now - 28 * NS_PER_S, REFUSED);
    AWAIT(&s, rate(&s, "too-many-clients") == 4);
    AWAIT(&s, rate(&s, "too-many-clients") == 0);
    /* and then there is nothing to do */
    int changes = s.changes;
    turn(&s, 1500);
    ck_assert_int_eq(s.changes, changes);
    scene_close(&s);
}
END_TEST

START_TEST(a_line_is_as_old_as_its_stamp)
{
    struct scene s;
    scene_open(&s, "[]");
    model(&s, "running", NULL);
    AWAIT(&s, asked(&s, APP) == 1);
    int64_t now = clock_wall_ns();
    write_line(&s, APP, now - 31 * NS_PER_S, REFUSED);
    write_line(&s, APP, now, REFUSED);
    AWAIT(&s, s.matches == 1);
    AWAIT(&s, rate(&s, "too-many-clients") == 2);
    const char *since = strstr(fake_engine_last(s.engine, APP), "&since=");
    ck_assert_ptr_nonnull(since);
    /* what a former life counted is counted again */
    ck_assert_int_le(llabs(strtoll(since + 7, NULL, 10) - (now / NS_PER_S - 30)), 2);
    scene_close(&s);
}
END_TEST

START_TEST(the_databases_own_log_is_not_read)
{
    struct scene s;
    scene_open(&s, "[]");
    model(&s, "running", NULL);
    AWAIT(&s, asked(&s, APP) == 1 && rate(&s, "too-many-clients") == 0);
    ck_assert_uint_eq(asked(&s, DATABASE), 0);
    scene_close(&s);
}
END_TEST

START_TEST(a_flood_is_one_change)
{
    struct scene s;
    struct buf flood;
    scene_open(&s, "[]");
    model(&s, "running", NULL);
    AWAIT(&s, asked(&s, APP) == 1 && rate(&s, "too-many-clients") == 0);
    buf_init(&flood, 1 << 22);
    int64_t now = clock_wall_ns();
    for (int i = 0; i < 20000; i++)
        add_line(&flood, now + i, REFUSED);
    int changes = s.changes;
    fake_engine_push_chunk(s.engine, APP, flood.data, flood.len);
    AWAIT(&s, s.matches == 20000);
    /* as much as a rate can tell, in far fewer turns than lines */
    AWAIT(&s, rate(&s, "too-many-clients") == 2.0 * RATE_EVENTS_MAX);
    ck_assert_int_lt(s.changes - changes, 500);
    buf_free(&flood);
    scene_close(&s);
}
END_TEST

static char *pong(void *data, const char *request, size_t *ret_len, enum fake_end *ret_end)
{
    const struct scene *s = data;
    time_t at = (time_t)(clock_wall_ns() / NS_PER_S + s->ahead_s);
    struct tm utc;
    char date[64];
    (void)request;
    gmtime_r(&at, &utc);
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &utc);
    char *answer = mem_printf("HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nDate: %s\r\n"
                              "Content-Length: 2\r\n\r\nOK",
                              date);
    *ret_len = strlen(answer);
    *ret_end = FAKE_KEEP;
    return answer;
}

static void on_pong(void *data, const struct err *e)
{
    ck_assert(!err_is_set(e));
    *(bool *)data = true;
}

static void set_clock(struct scene *s, int64_t ahead_s)
{
    bool done = false;
    if (!s->has_clock)
        fake_engine_answer(s->engine, "GET /_ping", pong, s);
    s->has_clock = true;
    s->ahead_s = ahead_s;
    docker_ping(s->docker, 5000, on_pong, &done);
    AWAIT(s, done);
}

static int64_t asked_since_s(const struct scene *s, const char *route)
{
    const char *since = strstr(fake_engine_last(s->engine, route), "&since=");
    ck_assert_ptr_nonnull(since);
    return strtoll(since + 7, NULL, 10);
}

START_TEST(a_clock_that_is_set_back_blinds_no_pattern)
{
    struct scene s;
    scene_open(&s, "[]");
    set_clock(&s, 3600);
    model(&s, "running", NULL);
    AWAIT(&s, asked(&s, APP) == 1);
    write_line(&s, APP, clock_wall_ns() + 3600 * NS_PER_S, REFUSED);
    AWAIT(&s, s.matches == 1);
    set_clock(&s, 0);
    /* one that was followed before, and one that is new */
    fake_engine_cut(s.engine, APP);
    model(&s, "running", "running");
    AWAIT(&s, asked(&s, APP) == 2 && asked(&s, WORKER) == 1);
    int64_t now = clock_wall_ns();
    ck_assert_int_lt(llabs(asked_since_s(&s, APP) - (now / NS_PER_S - 30)), 10);
    ck_assert_int_lt(llabs(asked_since_s(&s, WORKER) - (now / NS_PER_S - 30)), 10);
    write_line(&s, APP, now, REFUSED);
    write_line(&s, WORKER, now, REFUSED);
    AWAIT(&s, s.matches == 3);
    scene_close(&s);
}
END_TEST

/* --- comings and goings ----------------------------------------------------------------------- */

START_TEST(a_restart_is_followed_whichever_news_comes_first)
{
    struct scene s;
    scene_open(&s, "[]");
    model(&s, "running", NULL);
    AWAIT(&s, asked(&s, APP) == 1);
    int64_t now = clock_wall_ns();
    write_line(&s, APP, now, REFUSED);
    AWAIT(&s, s.matches == 1);
    /* the events before the end of the log */
    event(&s, "die", "app1");
    event(&s, "start", "app1");
    fake_engine_end_chunks(s.engine, APP);
    AWAIT(&s, asked(&s, APP) == 2);
    write_line(&s, APP, now, REFUSED); /* the overlap */
    write_line(&s, APP, now + 1, REFUSED);
    AWAIT(&s, s.matches == 2);
    /* the end of the log before the events */
    fake_engine_end_chunks(s.engine, APP);
    AWAIT(&s, asked(&s, APP) == 3);
    event(&s, "die", "app1");
    event(&s, "start", "app1");
    write_line(&s, APP, now + 1, REFUSED);
    write_line(&s, APP, now + 2, REFUSED);
    AWAIT(&s, s.matches == 3);
    scene_close(&s);
}
END_TEST

START_TEST(a_container_that_does_not_run_is_read_once_and_waited_for)
{
    struct scene s;
    scene_open(&s, "[]");
    fake_engine_text(s.engine, APP, HEAD "0\r\n\r\n", FAKE_CLOSE);
    model(&s, "exited", NULL);
    AWAIT(&s, is_following(&s, "app", "waiting") && rate(&s, "too-many-clients") == 0);
    size_t reads = asked(&s, APP);
    ck_assert_uint_le(reads, 2);
    turn(&s, 600);
    ck_assert_uint_eq(asked(&s, APP), reads);
    event(&s, "start", "app1");
    AWAIT(&s, asked(&s, APP) > reads);
    scene_close(&s);
}
END_TEST

START_TEST(a_log_that_ends_although_its_container_runs_is_opened_again)
{
    struct scene s;
    scene_open(&s, "[]");
    fake_engine_text(s.engine, APP, HEAD "0\r\n\r\n", FAKE_CLOSE);
    fake_engine_text(s.engine, APP, HEAD, FAKE_HOLD);
    model(&s, "running", NULL);
    AWAIT(&s, asked(&s, APP) == 2);
    write_line(&s, APP, clock_wall_ns(), REFUSED);
    AWAIT(&s, s.matches == 1);
    scene_close(&s);
}
END_TEST

START_TEST(a_broken_connection_leaves_no_gap)
{
    struct scene s;
    scene_open(&s, "[]");
    model(&s, "running", NULL);
    AWAIT(&s, asked(&s, APP) == 1);
    int64_t now = clock_wall_ns();
    write_line(&s, APP, now, REFUSED);
    AWAIT(&s, s.matches == 1);
    fake_engine_cut(s.engine, APP);
    AWAIT(&s, asked(&s, APP) == 2);
    write_line(&s, APP, now, REFUSED);
    write_line(&s, APP, now, REFUSED); /* of the same stamp, and new */
    AWAIT(&s, s.matches == 2);
    ck_assert_int_eq(s.troubles, 0);
    scene_close(&s);
}
END_TEST

START_TEST(a_lost_engine_means_unknown_and_is_taken_up_where_it_was_left)
{
    struct scene s;
    scene_open(&s, "[]");
    model(&s, "running", NULL);
    AWAIT(&s, asked(&s, APP) == 1);
    int64_t now = clock_wall_ns();
    write_line(&s, APP, now, REFUSED);
    AWAIT(&s, rate(&s, "too-many-clients") == 2);
    watch_logs_lost(s.watch);
    ck_assert(rate(&s, "too-many-clients") == -1);
    fake_engine_cut(s.engine, APP);
    turn(&s, 300);
    ck_assert_uint_eq(asked(&s, APP), 1);
    ck_assert(rate(&s, "too-many-clients") == -1);
    watch_logs_sync(s.watch);
    AWAIT(&s, asked(&s, APP) == 2);
    write_line(&s, APP, now, REFUSED);
    write_line(&s, APP, now + 5, REFUSED);
    AWAIT(&s, s.matches == 2);
    AWAIT(&s, rate(&s, "too-many-clients") == 4);
    /* lost and found in one turn */
    watch_logs_lost(s.watch);
    watch_logs_sync(s.watch);
    AWAIT(&s, asked(&s, APP) == 3);
    scene_close(&s);
}
END_TEST

START_TEST(who_leaves_the_stack_is_let_go_and_who_joins_is_followed)
{
    struct scene s;
    scene_open(&s, "[]");
    model(&s, "running", "running");
    AWAIT(&s, asked(&s, APP) == 1 && asked(&s, WORKER) == 1);
    model(&s, "running", NULL);
    turn(&s, 50);
    write_line(&s, WORKER, clock_wall_ns(), REFUSED);
    write_line(&s, APP, clock_wall_ns(), REFUSED);
    AWAIT(&s, s.matches == 1);
    unit_assert_lacks(buf_text(&s.told), "worker");
    ck_assert_uint_eq(asked(&s, APP), 1); /* who stayed is not disturbed */
    model(&s, "running", "running");
    AWAIT(&s, asked(&s, WORKER) == 2);
    scene_close(&s);
}
END_TEST

/* --- trouble ---------------------------------------------------------------------------------- */

START_TEST(a_log_that_cannot_be_read_is_told_once_and_unknown)
{
    struct scene s;
    scene_open(&s, "[]");
    fake_engine_json(s.engine, APP, 501,
                     "{\"message\":\"configured logging driver does not support reading\"}");
    model(&s, "running", NULL);
    AWAIT(&s, s.troubles == 1);
    ck_assert_int_eq(s.trouble.code, ERR_UNSUPPORTED);
    unit_assert_has(s.trouble.text, "app1: configured logging driver does not support reading");
    unit_assert_has(s.trouble.hint, "json-file");
    ck_assert(is_following(&s, "app", "unreadable"));
    event(&s, "start", "app1");
    model(&s, "running", NULL);
    watch_logs_sync(s.watch);
    AWAIT(&s, asked(&s, APP) == 2);
    turn(&s, 1200);
    ck_assert_int_eq(s.troubles, 1);
    ck_assert(rate(&s, "too-many-clients") == -1);
    scene_close(&s);
}
END_TEST

START_TEST(a_log_that_fails_is_tried_again)
{
    struct scene s;
    scene_open(&s, "[]");
    fake_engine_json(s.engine, APP, 500, "{\"message\":\"no space left on device\"}");
    fake_engine_json(s.engine, APP, 500, "{\"message\":\"no space left on device\"}");
    fake_engine_text(s.engine, APP, HEAD, FAKE_HOLD);
    model(&s, "running", NULL);
    AWAIT(&s, asked(&s, APP) == 3);
    ck_assert_int_eq(s.troubles, 1);
    write_line(&s, APP, clock_wall_ns(), REFUSED);
    AWAIT(&s, s.matches == 1);
    scene_close(&s);
}
END_TEST

START_TEST(a_pattern_that_is_too_hard_is_told_once_and_harms_no_other)
{
    struct scene s;
    scene_open(&s, "- {name: evil, match: '^(a+)+$'}\n");
    model(&s, "running", NULL);
    AWAIT(&s, asked(&s, APP) == 1);
    int64_t now = clock_wall_ns();
    for (int i = 0; i < 3; i++)
        write_line(&s, APP, now + i, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!\n");
    write_line(&s, APP, now + 3, REFUSED);
    AWAIT(&s, s.matches == 1);
    ck_assert_int_eq(s.troubles, 1);
    unit_assert_has(s.trouble.text, "log pattern evil gives up on a line of app");
    scene_close(&s);
}
END_TEST

START_TEST(the_watch_may_be_freed_by_a_match)
{
    struct scene s;
    struct buf bytes;
    scene_open(&s, "- {name: too, match: sorry}\n");
    model(&s, "running", NULL);
    AWAIT(&s, asked(&s, APP) == 1);
    s.free_on_match = true;
    buf_init(&bytes, 1 << 16);
    for (int i = 0; i < 3; i++)
        add_line(&bytes, clock_wall_ns(), REFUSED);
    fake_engine_push_chunk(s.engine, APP, bytes.data, bytes.len);
    AWAIT(&s, s.matches > 0);
    turn(&s, 50);
    ck_assert_int_eq(s.matches, 1);
    buf_free(&bytes);
    scene_close(&s);
}
END_TEST

UNIT_MAIN("watch logs", matching_lines_are_counted_and_told,
          after_a_recovery_only_what_is_said_anew_counts, a_quiet_log_is_zero_and_not_unknown,
          the_rate_falls_back_by_itself, a_line_is_as_old_as_its_stamp,
          a_clock_that_is_set_back_blinds_no_pattern, the_databases_own_log_is_not_read,
          a_flood_is_one_change, a_restart_is_followed_whichever_news_comes_first,
          a_container_that_does_not_run_is_read_once_and_waited_for,
          a_log_that_ends_although_its_container_runs_is_opened_again,
          a_broken_connection_leaves_no_gap,
          a_lost_engine_means_unknown_and_is_taken_up_where_it_was_left,
          who_leaves_the_stack_is_let_go_and_who_joins_is_followed,
          a_log_that_cannot_be_read_is_told_once_and_unknown, a_log_that_fails_is_tried_again,
          a_pattern_that_is_too_hard_is_told_once_and_harms_no_other,
          the_watch_may_be_freed_by_a_match)
