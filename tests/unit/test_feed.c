/* The feed: what is written is on the board, what follows from it too, and who listens is told
 * once. */
#include "base/buf.h"
#include "tests/unit/unit.h"
#include "watch/feed.h"

struct scene {
    struct loop *loop;
    struct feed *feed;
    int changes;
    bool frees;              /* the listener frees the feed */
    bool writes;             /* the listener writes once more */
    double seen_utilization; /* what the listener saw on the board */
    struct buf tapped;       /* the trace's lines */
};

static double number_at(const struct scene *s, const char *name, const char *parameter)
{
    const char *rest;
    size_t len;
    const struct series *series = board_find(
        feed_board(s->feed), observation_find(name, strlen(name), &rest, &len), parameter);
    return series ? series_sample(series, 0)->number : -1;
}

static bool is_known(const struct scene *s, const char *name, const char *parameter)
{
    const char *rest;
    size_t len;
    return board_find(feed_board(s->feed), observation_find(name, strlen(name), &rest, &len),
                      parameter) != NULL;
}

static void on_changed(void *data)
{
    struct scene *s = data;
    s->changes++;
    s->seen_utilization = number_at(s, "connections.utilization", NULL);
    if (s->writes)
        feed_number(s->feed, "connections.blocked", NULL, 1);
    s->writes = false;
    if (s->frees)
        s->feed = feed_free(s->feed);
}

static void on_wrote(void *data, const struct trace_event *event)
{
    struct scene *s = data;
    struct trace_event timeless = *event;
    timeless.at_ms = 0;
    trace_print(&timeless, &s->tapped);
}

static void scene_open(struct scene *s)
{
    *s = (struct scene){.loop = loop_new()};
    buf_init(&s->tapped, 1 << 20);
    s->feed = feed_new(s->loop);
    feed_listen(s->feed, on_changed, s);
    feed_tap(s->feed, on_wrote, s);
}

static void scene_close(struct scene *s)
{
    feed_free(s->feed);
    loop_free(s->loop);
    buf_free(&s->tapped);
}

START_TEST(many_writes_are_told_once_and_what_follows_from_them_is_there)
{
    struct scene s;
    scene_open(&s);
    feed_number(s.feed, "connections.used", NULL, 30);
    feed_number(s.feed, "connections.usable", NULL, 40);
    feed_word(s.feed, "service.health", "backend", "unhealthy");
    ck_assert_int_eq(s.changes, 0); /* never from inside a write */
    loop_run(s.loop);
    ck_assert_int_eq(s.changes, 1);
    ck_assert_double_eq(s.seen_utilization, 0.75);
    ck_assert_double_eq(number_at(&s, "services.unhealthy", NULL), 1);
    scene_close(&s);
}
END_TEST

START_TEST(a_listener_that_writes_is_told_again)
{
    struct scene s;
    scene_open(&s);
    s.writes = true;
    feed_number(s.feed, "connections.used", NULL, 30);
    loop_run(s.loop);
    ck_assert_int_eq(s.changes, 2);
    scene_close(&s);
}
END_TEST

START_TEST(a_listener_may_free_the_feed)
{
    struct scene s;
    scene_open(&s);
    s.frees = true;
    feed_number(s.feed, "connections.used", NULL, 30);
    loop_run(s.loop);
    ck_assert_ptr_null(s.feed);
    scene_close(&s);
}
END_TEST

START_TEST(what_is_due_is_not_told_once_the_feed_is_freed)
{
    struct scene s;
    scene_open(&s);
    feed_number(s.feed, "connections.used", NULL, 30);
    s.feed = feed_free(s.feed);
    loop_run(s.loop);
    ck_assert_int_eq(s.changes, 0);
    scene_close(&s);
}
END_TEST

START_TEST(the_tap_hears_each_write_and_nothing_that_was_derived)
{
    struct scene s;
    scene_open(&s);
    feed_number(s.feed, "connections.used", NULL, 30);
    feed_number(s.feed, "connections.usable", NULL, 40);
    feed_word(s.feed, "service.health", "backend", "healthy");
    feed_number(s.feed, "service.running", "backend", 1);
    feed_forget(s.feed, "service.health", "backend");
    feed_forget(s.feed, "service.running", NULL);
    loop_run(s.loop);
    const char *told = buf_text(&s.tapped);
    unit_assert_has(told, "{\"at\":0,\"observe\":\"connections.used\",\"value\":30");
    unit_assert_has(told,
                    "{\"at\":0,\"observe\":\"service(backend).health\",\"value\":\"healthy\"}");
    unit_assert_has(told, "\"observe\":\"service(backend).running\"");
    unit_assert_has(told, "{\"at\":0,\"forget\":\"service(backend).health\"}");
    unit_assert_has(told, "{\"at\":0,\"forget\":\"service.running\"}");
    unit_assert_lacks(told, "utilization");
    unit_assert_lacks(told, "services.unhealthy");
    scene_close(&s);
}
END_TEST

START_TEST(a_standing_value_that_stays_is_no_news_a_sample_is)
{
    struct scene s;
    scene_open(&s);
    feed_word(s.feed, "service.health", "backend", "healthy");
    feed_number(s.feed, "connections.blocked", NULL, 0);
    loop_run(s.loop);
    feed_word(s.feed, "service.health", "backend", "healthy");
    feed_forget(s.feed, "service.health", "frontend"); /* was never known */
    loop_run(s.loop);
    ck_assert_int_eq(s.changes, 1);
    feed_number(s.feed, "connections.blocked", NULL, 0);
    loop_run(s.loop);
    ck_assert_int_eq(s.changes, 2);
    scene_close(&s);
}
END_TEST

START_TEST(what_is_forgotten_takes_what_followed_from_it_along)
{
    struct scene s;
    scene_open(&s);
    feed_word(s.feed, "service.health", "backend", "unhealthy");
    loop_run(s.loop);
    ck_assert_double_eq(number_at(&s, "services.unhealthy", NULL), 1);
    feed_forget(s.feed, "service.health", NULL);
    loop_run(s.loop);
    ck_assert_int_eq(s.changes, 2);
    ck_assert(!is_known(&s, "services.unhealthy", NULL));
    ck_assert(!is_known(&s, "services.unhealthy.names", NULL));
    scene_close(&s);
}
END_TEST

/* A verification that waits for news must not take an old sample for some. */
START_TEST(deriving_again_makes_nothing_look_newer)
{
    struct scene s;
    scene_open(&s);
    feed_number(s.feed, "connections.used", NULL, 30);
    feed_number(s.feed, "connections.usable", NULL, 40);
    loop_run(s.loop);
    const char *rest;
    size_t len;
    const struct observation_kind *kind =
        observation_find("connections.utilization", 23, &rest, &len);
    int64_t at_ms = series_sample(board_find(feed_board(s.feed), kind, NULL), 0)->at_ms;
    while (loop_now(s.loop) <= at_ms)
        ;
    feed_word(s.feed, "service.health", "backend", "unhealthy");
    loop_run(s.loop);
    const struct series *series = board_find(feed_board(s.feed), kind, NULL);
    ck_assert_int_eq(series_sample(series, 0)->at_ms, at_ms);
    ck_assert_ptr_null(series_sample(series, 1));
    scene_close(&s);
}
END_TEST

START_TEST(what_the_board_refuses_is_dropped)
{
    struct scene s;
    scene_open(&s);
    feed_number(s.feed, "connections.used", NULL, 0.0 / 0.0);
    feed_word(s.feed, "service.health", "a)b", "healthy");
    loop_run(s.loop);
    ck_assert_int_eq(s.changes, 0);
    ck_assert_uint_eq(board_count(feed_board(s.feed)), 0);
    ck_assert_uint_eq(s.tapped.len, 0);
    scene_close(&s);
}
END_TEST

START_TEST(a_saved_board_comes_back)
{
    struct scene s;
    scene_open(&s);
    CLEANUP_JSON json_t *saved =
        unit_json("{'service(backend).health': [[1000, 'unhealthy']], 'no.such': [[1, 2]]}");
    feed_restore(s.feed, saved, 500);
    ck_assert(is_known(&s, "service.health", "backend"));
    ck_assert_uint_eq(board_count(feed_board(s.feed)), 1);
    loop_run(s.loop);
    ck_assert_uint_eq(s.tapped.len, 0);
    scene_close(&s);
}
END_TEST

UNIT_MAIN("feed", many_writes_are_told_once_and_what_follows_from_them_is_there,
          a_listener_that_writes_is_told_again, a_listener_may_free_the_feed,
          what_is_due_is_not_told_once_the_feed_is_freed,
          the_tap_hears_each_write_and_nothing_that_was_derived,
          a_standing_value_that_stays_is_no_news_a_sample_is,
          what_is_forgotten_takes_what_followed_from_it_along,
          deriving_again_makes_nothing_look_newer, what_the_board_refuses_is_dropped,
          a_saved_board_comes_back)
