/* Following a log against a fake Engine: every line once, wherever the stream is cut. */
#include "docker/docker.h"

#include "base/buf.h"
#include "base/clock.h"
#include "tests/fake/engine.h"
#include "tests/unit/unit.h"

#include <inttypes.h>
#include <stdio.h>

#define ROUTE "GET /v1.41/containers/web/logs?"
#define HEAD  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

enum { BASE_S = 1795409852 }; /* 2026-11-23T04:57:32Z */

/* --- who follows ------------------------------------------------------------------------------ */

struct reader {
    struct loop *loop;
    struct fake_engine *engine;
    struct docker *docker;
    struct timer *guard, *pause;
    struct docker_log_place place;
    op_id follow;
    struct buf told; /* "text|" for each line, "2:text|" for stderr */
    int lines, wanted_lines;
    int ends;
    int cancel_at; /* cancels when so many lines were told */
    time_t clock;  /* the Engine's, once it was set */
    struct err e;
};

static void on_guard(void *data)
{
    (void)data;
    ck_abort_msg("nothing happened within 20 s");
}

static void on_pause(void *data)
{
    loop_stop(((struct reader *)data)->loop);
}

static void reader_begin(struct reader *r)
{
    *r = (struct reader){.loop = loop_new()};
    unsetenv("DOCKER_API_VERSION");
    r->engine = fake_engine_new(r->loop);
    r->guard = timer_new(r->loop, on_guard, r);
    r->pause = timer_new(r->loop, on_pause, r);
    buf_init(&r->told, 1 << 24);
    struct docker_options options = {.host = fake_engine_host(r->engine)};
    ck_assert_int_eq(docker_new(r->loop, &options, &r->docker, &r->e), 0);
}

static void reader_close(struct reader *r)
{
    docker_free(r->docker);
    fake_engine_free(r->engine);
    timer_free(r->guard);
    timer_free(r->pause);
    loop_free(r->loop);
    buf_free(&r->told);
}

static void on_line(void *data, const struct docker_log_line *line)
{
    struct reader *r = data;
    ck_assert_int_eq(r->ends, 0);
    buf_printf(&r->told, "%s%s|", line->is_stderr ? "2:" : "", line->text);
    r->lines++;
    if (r->lines == r->cancel_at)
        op_cancel(r->loop, r->follow);
    if (r->lines == r->wanted_lines)
        loop_stop(r->loop);
}

static void on_end(void *data, const struct err *e)
{
    struct reader *r = data;
    r->ends++;
    err_copy(&r->e, e);
    loop_stop(r->loop);
}

static void follow(struct reader *r, bool tty)
{
    r->ends = 0;
    r->follow = docker_logs_follow(r->docker, "web", tty, &r->place, on_line, on_end, r);
}

static void await_lines(struct reader *r, int lines)
{
    r->wanted_lines = lines;
    timer_start(r->guard, 20000);
    while (r->lines < lines)
        loop_run(r->loop);
    timer_stop(r->guard);
}

static void await_end(struct reader *r)
{
    timer_start(r->guard, 20000);
    while (r->ends == 0)
        loop_run(r->loop);
    timer_stop(r->guard);
}

static void await_request(struct reader *r, size_t count)
{
    timer_start(r->guard, 20000);
    while (fake_engine_count(r->engine, ROUTE) < count) {
        timer_start(r->pause, 1);
        loop_run(r->loop);
    }
    timer_stop(r->guard);
}

static char *pong(void *data, const char *request, size_t *ret_len, enum fake_end *ret_end)
{
    const struct reader *r = data;
    struct tm utc;
    char date[64];
    (void)request;
    gmtime_r(&r->clock, &utc);
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &utc);
    char *answer = mem_printf("HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nDate: %s\r\n"
                              "Content-Length: 2\r\n\r\nOK",
                              date);
    *ret_len = strlen(answer);
    *ret_end = FAKE_KEEP;
    return answer;
}

/* The Engine's clock, as the Date of its pings tells it, to a second; it stands still. */
static void set_clock(struct reader *r, time_t second)
{
    if (!r->clock)
        fake_engine_answer(r->engine, "GET /_ping", pong, r);
    r->clock = second;
    r->ends = 0;
    docker_ping(r->docker, 5000, on_end, r);
    await_end(r);
    ck_assert_int_lt(llabs(docker_now_ns(r->docker) / 1000000000 - second), 5);
}

/* A minute later than what the Engine sends is stamped. */
static void reader_open(struct reader *r)
{
    reader_begin(r);
    set_clock(r, BASE_S + 60);
}

/* --- what the Engine sends -------------------------------------------------------------------- */

/* A frame, or a terminal's bytes, with a stamp BASE_S + ns. */
static void add_part(struct buf *out, bool tty, int stream, int64_t ns, const char *text)
{
    int64_t at = BASE_S * INT64_C(1000000000) + ns;
    time_t second = (time_t)(at / 1000000000);
    struct tm utc;
    char stamp[32];
    gmtime_r(&second, &utc);
    strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &utc);
    CLEANUP_FREE char *frame = mem_printf("%s.%09" PRId64 "Z %s", stamp, at % 1000000000, text);
    size_t len = strlen(frame);
    char header[8] = {(char)stream, 0, 0, 0, 0, 0, (char)(len >> 8), (char)(len & 0xFF)};
    if (!tty)
        buf_add(out, header, sizeof header);
    buf_puts(out, frame);
}

static void push(struct reader *r, int stream, int64_t ns, const char *text)
{
    struct buf bytes;
    buf_init(&bytes, 1 << 20);
    add_part(&bytes, false, stream, ns, text);
    fake_engine_push_chunk(r->engine, ROUTE, bytes.data, bytes.len);
    buf_free(&bytes);
}

START_TEST(lines_are_told_as_they_are_written)
{
    struct reader r;
    reader_open(&r);
    fake_engine_text(r.engine, ROUTE, HEAD, FAKE_HOLD);
    r.place.since_ns = BASE_S * INT64_C(1000000000) + 5;
    follow(&r, false);
    await_request(&r, 1);
    unit_assert_has(fake_engine_last(r.engine, ROUTE),
                    "logs?follow=1&stdout=1&stderr=1&timestamps=1&since=1795409852.000000005 ");
    push(&r, 1, 100, "one\n");
    await_lines(&r, 1);
    push(&r, 2, 200, "oops\n");
    push(&r, 1, 300, "tw");
    push(&r, 1, 300, "o\n");
    await_lines(&r, 3);
    ck_assert_str_eq(buf_text(&r.told), "one|2:oops|two|");
    ck_assert_int_eq(r.ends, 0);
    reader_close(&r);
    ck_assert_int_eq(r.e.code, ERR_CANCELLED);
}
END_TEST

START_TEST(a_container_that_stops_ends_the_follow_and_its_last_word_counts)
{
    struct reader r;
    reader_open(&r);
    fake_engine_text(r.engine, ROUTE, HEAD, FAKE_HOLD);
    follow(&r, false);
    await_request(&r, 1);
    push(&r, 1, 100, "one\n");
    push(&r, 2, 200, "dying word");
    fake_engine_end_chunks(r.engine, ROUTE);
    await_end(&r);
    ck_assert_int_eq(r.e.code, ERR_NONE);
    ck_assert_str_eq(buf_text(&r.told), "one|2:dying word|");
    /* the next life */
    follow(&r, false);
    await_request(&r, 2);
    unit_assert_has(fake_engine_last(r.engine, ROUTE), "&since=1795409851.000000200 ");
    push(&r, 1, 100, "one\n");
    push(&r, 2, 200, "dying word");
    push(&r, 2, 300, "born again\n");
    await_lines(&r, 3);
    ck_assert_str_eq(buf_text(&r.told), "one|2:dying word|2:born again|");
    reader_close(&r);
}
END_TEST

START_TEST(a_broken_line_comes_again_as_a_whole)
{
    struct reader r;
    reader_open(&r);
    fake_engine_text(r.engine, ROUTE, HEAD, FAKE_HOLD);
    follow(&r, false);
    await_request(&r, 1);
    push(&r, 1, 100, "one\n");
    push(&r, 1, 200, "a long ");
    await_lines(&r, 1);
    fake_engine_cut(r.engine, ROUTE);
    await_end(&r);
    ck_assert_int_eq(r.e.code, ERR_UNREACHABLE);
    ck_assert_str_eq(buf_text(&r.told), "one|");
    follow(&r, false);
    await_request(&r, 2);
    push(&r, 1, 100, "one\n");
    push(&r, 1, 200, "a long ");
    push(&r, 1, 200, "line\n");
    await_lines(&r, 2);
    ck_assert_str_eq(buf_text(&r.told), "one|a long line|");
    reader_close(&r);
}
END_TEST

START_TEST(lines_of_one_stamp_are_told_apart_by_their_number)
{
    struct reader r;
    reader_open(&r);
    fake_engine_text(r.engine, ROUTE, HEAD, FAKE_HOLD);
    follow(&r, false);
    await_request(&r, 1);
    push(&r, 1, 100, "a\n");
    push(&r, 1, 100, "b\n");
    push(&r, 2, 90, "late\n"); /* the streams are stamped apart */
    await_lines(&r, 3);
    fake_engine_cut(r.engine, ROUTE);
    await_end(&r);
    follow(&r, false);
    await_request(&r, 2);
    push(&r, 1, 100, "a\n");
    push(&r, 1, 100, "b\n");
    push(&r, 2, 90, "late\n");
    push(&r, 1, 100, "c\n");
    push(&r, 2, 95, "later\n");
    await_lines(&r, 5);
    ck_assert_str_eq(buf_text(&r.told), "a|b|2:late|c|2:later|");
    reader_close(&r);
}
END_TEST

START_TEST(a_clock_that_was_set_back_loses_no_line)
{
    struct reader r;
    reader_open(&r);
    fake_engine_text(r.engine, ROUTE, HEAD, FAKE_HOLD);
    follow(&r, false);
    await_request(&r, 1);
    push(&r, 1, INT64_C(9000000000), "before\n");
    push(&r, 1, INT64_C(2000000000), "after\n");
    await_lines(&r, 2);
    fake_engine_cut(r.engine, ROUTE);
    await_end(&r);
    follow(&r, false);
    await_request(&r, 2);
    unit_assert_has(fake_engine_last(r.engine, ROUTE), "&since=1795409853.000000000 ");
    reader_close(&r);
}
END_TEST

/* A host may boot an hour fast. Its stamps of that hour lie in the future once the clock is right.
 */
START_TEST(what_was_told_before_the_clock_was_set_back_hides_nothing_behind_it)
{
    static const int64_t hour = INT64_C(3600000000000);
    static const int64_t base = BASE_S * INT64_C(1000000000);
    struct reader r;
    reader_open(&r);
    set_clock(&r, BASE_S + 3600);
    fake_engine_text(r.engine, ROUTE, HEAD, FAKE_HOLD);
    r.place.since_ns = base + hour - INT64_C(30000000000);
    follow(&r, false);
    await_request(&r, 1);
    push(&r, 1, hour - 1, "one\n");
    push(&r, 1, hour, "two\n");
    push(&r, 2, hour - 1, "oops\n");
    push(&r, 2, hour, "rotated away\n");
    await_lines(&r, 4);
    fake_engine_cut(r.engine, ROUTE);
    await_end(&r);
    set_clock(&r, BASE_S);
    r.place.since_ns = base - INT64_C(30000000000);
    follow(&r, false);
    await_request(&r, 2);
    unit_assert_has(fake_engine_last(r.engine, ROUTE), "&since=1795409822.000000000 ");
    push(&r, 1, hour - 1, "one\n");
    push(&r, 1, hour, "two\n");
    push(&r, 1, INT64_C(-10000000000), "between set back and asked\n");
    push(&r, 2, hour - 1, "oops\n");
    push(&r, 2, docker_now_ns(r.docker) - base, "since\n");
    await_lines(&r, 6);
    ck_assert_str_eq(buf_text(&r.told), "one|two|2:oops|2:rotated away|"
                                        "between set back and asked|2:since|");
    reader_close(&r);
}
END_TEST

START_TEST(the_engine_is_never_asked_for_what_is_yet_to_come)
{
    struct reader r;
    reader_open(&r);
    set_clock(&r, BASE_S);
    fake_engine_text(r.engine, ROUTE, HEAD, FAKE_HOLD);
    r.place.since_ns = (BASE_S + 3600) * INT64_C(1000000000);
    follow(&r, false);
    await_request(&r, 1);
    const char *since = strstr(fake_engine_last(r.engine, ROUTE), "&since=");
    ck_assert_ptr_nonnull(since);
    ck_assert_int_lt(llabs(strtoll(since + 7, NULL, 10) - BASE_S), 5);
    reader_close(&r);
}
END_TEST

/* --- cut anywhere ----------------------------------------------------------------------------- */

struct message {
    int stream;
    int64_t ns;
    const char *text;
};

/* With equal stamps, long lines in parts, a second of silence, and no newline at a stop. */
static const struct message log_messages[] = {
    {1, 100, "start\n"},
    {1, 100, "same stamp\n"},
    {2, 90, "other stream\n"},
    {1, 200, "lo"},
    {2, 210, "between\n"},
    {1, 200, "ng\n"},
    {1, 300, "one\n"},
    {1, 300, "one\n"},
    {1, 300, "one\n"},
    {1, INT64_C(5000000000), "much later\n"},
    {2, INT64_C(5000000001), "\n"},
    {1, INT64_C(5000000002), "dying word"},
    {1, INT64_C(6000000000), "born again\n"},
};
#define LOG_TOLD                                                                                   \
    "start|same stamp|2:other stream|2:between|long|one|one|one|much later|2:|dying word|"         \
    "born again|"

struct log {
    size_t cut; /* bytes that come before the connection breaks, less at each connection */
    bool is_open;
};

/* What the real Engine gives: every message that is not older than since. */
static void add_log(struct buf *out, const char *request)
{
    long long seconds = 0;
    long long ns = 0;
    const char *since = strstr(request, "&since=");
    ck_assert_ptr_nonnull(since);
    char *end;
    seconds = strtoll(since + 7, &end, 10);
    ns = strtoll(end + 1, NULL, 10);
    for (size_t i = 0; i < ARRAY_SIZE(log_messages); i++)
        if ((seconds - BASE_S) * 1000000000 + ns <= log_messages[i].ns)
            add_part(out, false, log_messages[i].stream, log_messages[i].ns, log_messages[i].text);
}

static char *answer_log(void *data, const char *request, size_t *ret_len, enum fake_end *ret_end)
{
    const struct log *log = data;
    struct buf bytes;
    struct buf body;
    buf_init(&bytes, 1 << 16);
    buf_init(&body, 1 << 16);
    add_log(&body, request);
    size_t len = log->is_open || body.len < log->cut ? body.len : log->cut;
    /* A chunk that is longer than what comes of it: broken off in the middle. */
    buf_printf(&bytes, HEAD "%zx\r\n", log->is_open ? len : len + 1);
    buf_add(&bytes, body.data, len);
    buf_puts(&bytes, log->is_open ? "\r\n" : "");
    *ret_end = log->is_open ? FAKE_HOLD : FAKE_CLOSE;
    *ret_len = bytes.len;
    buf_free(&body);
    return buf_take(&bytes);
}

START_TEST(wherever_the_stream_breaks_no_line_is_lost_or_told_twice)
{
    for (size_t cut = 1; cut < 800; cut++) {
        struct reader r;
        struct log log = {.cut = cut};
        reader_open(&r);
        fake_engine_answer(r.engine, ROUTE, answer_log, &log);
        for (int i = 0; i < 3; i++) {
            follow(&r, false);
            await_end(&r);
            ck_assert_int_eq(r.e.code, ERR_UNREACHABLE);
        }
        log.is_open = true;
        follow(&r, false);
        await_lines(&r, 12);
        ck_assert_msg(strcmp(buf_text(&r.told), LOG_TOLD) == 0, "cut at %zu: %s", cut,
                      buf_text(&r.told));
        reader_close(&r);
    }
}
END_TEST

/* --- ends and errors -------------------------------------------------------------------------- */

START_TEST(a_terminals_log_is_followed_too)
{
    struct reader r;
    struct buf bytes;
    reader_open(&r);
    buf_init(&bytes, 1024);
    add_part(&bytes, true, 1, 100, "one\r\n");
    add_part(&bytes, true, 1, 200, "prompt> ");
    fake_engine_text(r.engine, ROUTE, HEAD, FAKE_HOLD);
    follow(&r, true);
    await_request(&r, 1);
    fake_engine_push_chunk(r.engine, ROUTE, bytes.data, bytes.len);
    fake_engine_end_chunks(r.engine, ROUTE);
    await_end(&r);
    ck_assert_str_eq(buf_text(&r.told), "one|");
    add_part(&bytes, true, 1, 300, "two\r\n"); /* the Engine puts no newline between the lives */
    follow(&r, true);
    await_request(&r, 2);
    fake_engine_push_chunk(r.engine, ROUTE, bytes.data, bytes.len);
    await_lines(&r, 2);
    unit_assert_has(buf_text(&r.told), "one|prompt> 2026-");
    unit_assert_has(buf_text(&r.told), "two|");
    buf_free(&bytes);
    reader_close(&r);
}
END_TEST

START_TEST(a_driver_that_cannot_be_read_is_told_from_a_container_that_is_gone)
{
    struct reader r;
    reader_open(&r);
    fake_engine_json(r.engine, ROUTE, 501,
                     "{\"message\":\"configured logging driver does not support reading\"}");
    fake_engine_json(r.engine, ROUTE, 404, "{\"message\":\"No such container: web\"}");
    follow(&r, false);
    await_end(&r);
    ck_assert_int_eq(r.e.code, ERR_UNSUPPORTED);
    unit_assert_has(r.e.text, "docker: follow the log of web: configured logging driver");
    follow(&r, false);
    await_end(&r);
    ck_assert_int_eq(r.e.code, ERR_NOT_FOUND);
    reader_close(&r);
}
END_TEST

START_TEST(what_is_no_log_is_an_error)
{
    struct reader r;
    reader_open(&r);
    fake_engine_text(r.engine, ROUTE, "HTTP/1.1 200 OK\r\n\r\nplain words", FAKE_HOLD);
    follow(&r, false);
    await_end(&r);
    ck_assert_int_eq(r.e.code, ERR_PROTOCOL);
    reader_close(&r);
}
END_TEST

START_TEST(a_follow_may_be_cancelled_from_its_own_line)
{
    struct reader r;
    struct buf bytes;
    reader_open(&r);
    buf_init(&bytes, 1024);
    for (int i = 0; i < 5; i++)
        add_part(&bytes, false, 1, i, "line\n");
    fake_engine_text(r.engine, ROUTE, HEAD, FAKE_HOLD);
    r.cancel_at = 2;
    follow(&r, false);
    await_request(&r, 1);
    fake_engine_push_chunk(r.engine, ROUTE, bytes.data, bytes.len);
    await_end(&r);
    ck_assert_int_eq(r.e.code, ERR_CANCELLED);
    ck_assert_int_eq(r.lines, 2);
    /* and goes on behind what was told */
    follow(&r, false);
    await_request(&r, 2);
    fake_engine_push_chunk(r.engine, ROUTE, bytes.data, bytes.len);
    await_lines(&r, 5);
    buf_free(&bytes);
    reader_close(&r);
}
END_TEST

START_TEST(headers_may_come_as_late_as_the_first_line)
{
    struct reader r;
    reader_open(&r);
    fake_engine_text(r.engine, ROUTE, "", FAKE_HOLD);
    follow(&r, false);
    await_request(&r, 1);
    fake_engine_push(r.engine, ROUTE, HEAD, strlen(HEAD));
    push(&r, 1, 100, "one\n");
    await_lines(&r, 1);
    reader_close(&r);
}
END_TEST

START_TEST(the_engines_own_word_is_no_line_of_the_log)
{
    struct reader r;
    reader_open(&r);
    fake_engine_text(r.engine, ROUTE, HEAD, FAKE_HOLD);
    follow(&r, false);
    await_request(&r, 1);
    push(&r, 2, 100, "one\n");
    static const char word[] = "\3\0\0\0\0\0\0\7no log\n";
    fake_engine_push_chunk(r.engine, ROUTE, word, sizeof word - 1);
    await_lines(&r, 2);
    ck_assert_int_eq(r.place.newest_ns, BASE_S * INT64_C(1000000000) + 100);
    reader_close(&r);
}
END_TEST

START_TEST(the_engines_clock_is_ours_unless_its_date_says_otherwise)
{
    struct reader r;
    reader_begin(&r);
    docker_ping(r.docker, 5000, on_end, &r);
    await_end(&r);
    ck_assert_int_lt(llabs(docker_now_ns(r.docker) - clock_wall_ns()), 1000000000);
    fake_engine_text(r.engine, "GET /_ping",
                     "HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nDate: Mon, 23 Nov 2026 04:57:32 "
                     "GMT\r\nContent-Length: 2\r\n\r\nOK",
                     FAKE_KEEP);
    r.ends = 0;
    docker_ping(r.docker, 5000, on_end, &r);
    await_end(&r);
    int64_t now_s = docker_now_ns(r.docker) / 1000000000;
    /* Whoever runs this on that very day sees nothing wrong either. */
    ck_assert_int_lt(llabs(now_s - BASE_S), 5);
    reader_close(&r);
}
END_TEST

UNIT_MAIN("docker follow", lines_are_told_as_they_are_written,
          a_container_that_stops_ends_the_follow_and_its_last_word_counts,
          a_broken_line_comes_again_as_a_whole, lines_of_one_stamp_are_told_apart_by_their_number,
          a_clock_that_was_set_back_loses_no_line,
          what_was_told_before_the_clock_was_set_back_hides_nothing_behind_it,
          the_engine_is_never_asked_for_what_is_yet_to_come,
          wherever_the_stream_breaks_no_line_is_lost_or_told_twice, a_terminals_log_is_followed_too,
          a_driver_that_cannot_be_read_is_told_from_a_container_that_is_gone,
          what_is_no_log_is_an_error, a_follow_may_be_cancelled_from_its_own_line,
          headers_may_come_as_late_as_the_first_line, the_engines_own_word_is_no_line_of_the_log,
          the_engines_clock_is_ours_unless_its_date_says_otherwise)
