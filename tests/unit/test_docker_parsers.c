/* The pure parts of docker/: addresses, versions, errors, frames, log lines, events. */
#include "docker/answer.h"
#include "docker/event.h"
#include "docker/frames.h"
#include "docker/host.h"
#include "docker/log_lines.h"
#include "docker/log_stream.h"

#include "base/buf.h"
#include "base/mem.h"

#include <check.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* --- addresses ------------------------------------------------------------------------------ */

static void clear_environment(void)
{
    unsetenv("DOCKER_HOST");
    unsetenv("DOCKER_TLS_VERIFY");
    unsetenv("DOCKER_CERT_PATH");
}

static void expect_host(const char *given, const char *name, const char *url)
{
    struct docker__host host;
    struct err e;
    clear_environment();
    ck_assert_int_eq(docker__host_resolve(&(struct docker_options){.host = given}, &host, &e), 0);
    ck_assert_str_eq(host.name, name);
    ck_assert_str_eq(host.base_url, url);
    docker__host_clear(&host);
}

static void expect_bad_host(const char *given, enum err_code code, const char *word)
{
    struct docker__host host;
    struct err e;
    clear_environment();
    ck_assert_int_eq(docker__host_resolve(&(struct docker_options){.host = given}, &host, &e),
                     -(int)code);
    ck_assert_msg(strstr(e.text, word) || strstr(e.hint, word), "'%s' lacks '%s'", e.text, word);
}

START_TEST(an_engine_is_named_by_a_socket_or_by_tcp)
{
    expect_host(NULL, "unix:///var/run/docker.sock", "http://engine");
    expect_host("", "unix:///var/run/docker.sock", "http://engine");
    expect_host("/run/d.sock", "unix:///run/d.sock", "http://engine");
    expect_host("unix:///run/d.sock", "unix:///run/d.sock", "http://engine");
    expect_host("tcp://box", "tcp://box:2375", "http://box:2375");
    expect_host("tcp://box:99/", "tcp://box:99", "http://box:99");
    expect_host("tcp://[::1]", "tcp://[::1]:2375", "http://[::1]:2375");
    expect_host("tcp://[::1]:7", "tcp://[::1]:7", "http://[::1]:7");
}
END_TEST

START_TEST(what_is_no_engine_is_refused_plainly)
{
    expect_bad_host("ssh://box", ERR_UNSUPPORTED, "ssh -N -L");
    expect_bad_host("npipe:////./pipe/docker", ERR_INVALID, "unix://");
    expect_bad_host("unix://relative.sock", ERR_INVALID, "begins with '/'");
    expect_bad_host("tcp://", ERR_INVALID, "host:port");
    expect_bad_host("tcp://:2375", ERR_INVALID, "host:port");
    expect_bad_host("tcp://user@box", ERR_INVALID, "host:port");
    expect_bad_host("tcp://box/prefix", ERR_INVALID, "host:port");
    char longer[200];
    memset(longer, 'a', sizeof longer - 1);
    longer[0] = '/';
    longer[sizeof longer - 1] = '\0';
    expect_bad_host(longer, ERR_INVALID, "107");
}
END_TEST

START_TEST(the_environment_names_what_the_options_leave_open)
{
    struct docker__host host;
    struct err e;
    clear_environment();
    setenv("DOCKER_HOST", "tcp://box", 1);
    ck_assert_int_eq(docker__host_resolve(&(struct docker_options){0}, &host, &e), 0);
    ck_assert_str_eq(host.base_url, "http://box:2375");
    docker__host_clear(&host);
    /* Any value turns TLS on, as it does for the docker command. */
    setenv("DOCKER_TLS_VERIFY", "0", 1);
    setenv("DOCKER_CERT_PATH", "/nowhere", 1);
    ck_assert_int_eq(docker__host_resolve(&(struct docker_options){0}, &host, &e), -ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(e.text, "/nowhere/ca.pem"));
    unsetenv("DOCKER_TLS_VERIFY"); /* the path alone does, as it does for the SDKs */
    ck_assert_int_eq(docker__host_resolve(&(struct docker_options){0}, &host, &e), -ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(e.text, "/nowhere/ca.pem"));
    setenv("DOCKER_TLS_VERIFY", "0", 1);
    unsetenv("DOCKER_CERT_PATH");
    setenv("HOME", "/nohome", 1);
    ck_assert_int_eq(docker__host_resolve(&(struct docker_options){0}, &host, &e), -ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(e.text, "/nohome/.docker/ca.pem"));
}
END_TEST

static void touch(const char *folder, const char *name)
{
    CLEANUP_FREE char *path = mem_printf("%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fclose(file);
}

START_TEST(certificates_turn_tls_on)
{
    char folder[] = "/tmp/certsXXXXXX";
    struct docker__host host;
    struct err e;
    clear_environment();
    ck_assert_ptr_nonnull(mkdtemp(folder));
    touch(folder, "ca.pem");
    touch(folder, "cert.pem");
    struct docker_options options = {.host = "tcp://box", .cert_dir = folder};
    ck_assert_int_eq(docker__host_resolve(&options, &host, &e), -ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(e.text, "key.pem"));
    touch(folder, "key.pem");
    ck_assert_int_eq(docker__host_resolve(&options, &host, &e), 0);
    ck_assert_str_eq(host.base_url, "https://box:2376");
    docker__host_clear(&host);
    options.host = "/run/docker.sock";
    ck_assert_int_eq(docker__host_resolve(&options, &host, &e), -ERR_INVALID);
    CLEANUP_FREE char *command = mem_printf("rm -r %s", folder);
    ck_assert_int_eq(system(command), 0);
}
END_TEST

/* --- versions, paths, errors ------------------------------------------------------------------ */

START_TEST(versions_are_read)
{
    ck_assert_int_eq(docker__parse_version("1.41"), 41);
    ck_assert_int_eq(docker__parse_version("1.5"), 5);
    ck_assert_int_eq(docker__parse_version("2.41"), 0);
    ck_assert_int_eq(docker__parse_version("1."), 0);
    ck_assert_int_eq(docker__parse_version("1.41x"), 0);
    ck_assert_int_eq(docker__parse_version(""), 0);
}
END_TEST

START_TEST(paths_are_escaped)
{
    CLEANUP_FREE char *escaped = docker__escape("../a b?{\"\xC3\xA4");
    ck_assert_str_eq(escaped, "..%2Fa%20b%3F%7B%22%C3%A4");
}
END_TEST

static enum err_code code_for(int status, const char *body, struct err *e)
{
    struct docker__answer answer = {.status = status, .body = body, .len = strlen(body)};
    return (enum err_code) - docker__answer_check(&answer, "POST", "/containers/a/stop", e);
}

START_TEST(statuses_become_errors_that_keep_the_engines_words)
{
    struct err e;
    ck_assert_int_eq(code_for(204, "", &e), ERR_NONE);
    ck_assert_int_eq(code_for(304, "", &e), ERR_NONE);
    ck_assert_int_eq(code_for(404, "{\"message\":\"No such container: a\"}", &e), ERR_NOT_FOUND);
    ck_assert_str_eq(e.text, "No such container: a (HTTP 404)");
    ck_assert_int_eq(code_for(404, "{\"message\":\"page not found\"}", &e), ERR_UNSUPPORTED);
    ck_assert_int_eq(code_for(404, "Not Found\n", &e), ERR_UNSUPPORTED);
    ck_assert_int_eq(code_for(404, "{\"message\":\"network x not found\"}", &e), ERR_FAILED);
    ck_assert_int_eq(code_for(409, "{\"message\":\"is paused\"}", &e), ERR_CONFLICT);
    ck_assert_int_eq(code_for(500, "{\"message\":\"strconv\"}", &e), ERR_FAILED);
    ck_assert_int_eq(code_for(501, "{\"message\":\"no reading\"}", &e), ERR_UNSUPPORTED);
    ck_assert_int_eq(code_for(503, "", &e), ERR_FAILED);
    ck_assert_ptr_nonnull(strstr(e.text, "(no message)"));
    code_for(400, "Client sent an HTTP request to an HTTPS server.\n", &e);
    ck_assert_ptr_nonnull(strstr(e.hint, "DOCKER_CERT_PATH"));
}
END_TEST

START_TEST(a_500_for_a_state_is_a_conflict)
{
    struct err e;
    ck_assert_int_eq(code_for(500, "{\"message\":\"Container x is not paused\"}", &e),
                     ERR_CONFLICT);
    /* Podman's: */
    ck_assert_int_eq(code_for(500,
                              "{\"cause\":\"container state improper\",\"message\":\"can only kill "
                              "running containers: container state improper\",\"response\":500}",
                              &e),
                     ERR_CONFLICT);
    ck_assert_int_eq(
        code_for(404, "{\"message\":\"no container with name or ID \\\"x\\\" found\"}", &e),
        ERR_NOT_FOUND);
}
END_TEST

START_TEST(a_guards_page_is_a_missing_permission_that_names_the_call)
{
    struct err e;
    ck_assert_int_eq(code_for(403, "<html><body><h1>403 Forbidden</h1>", &e), ERR_PERMISSION);
    ck_assert_ptr_nonnull(strstr(e.text, "POST /containers/a/stop was denied"));
    ck_assert_ptr_null(strstr(e.text, "<html>"));
    ck_assert_ptr_nonnull(strstr(e.hint, "POST=1"));
}
END_TEST

START_TEST(a_refused_version_says_who_is_too_old)
{
    struct err e;
    ck_assert_int_eq(code_for(400,
                              "client version 1.41 is too old. Minimum supported API version "
                              "is 1.60, please upgrade your client to a newer version\n",
                              &e),
                     ERR_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(e.text, "1.60"));
    ck_assert_ptr_nonnull(strstr(e.hint, "too new for this program"));
    ck_assert_int_eq(code_for(400,
                              "{\"message\":\"client version 1.55 is too new. Maximum "
                              "supported API version is 1.41\"}",
                              &e),
                     ERR_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(e.hint, "anew"));
}
END_TEST

START_TEST(foreign_text_becomes_one_tame_line)
{
    struct err e;
    code_for(500, "\n  line\none\x1b[31m  \n", &e);
    ck_assert_ptr_nonnull(strstr(e.text, "line one [31m"));
}
END_TEST

/* --- frames ----------------------------------------------------------------------------------- */

struct pieces {
    struct buf out, err;
    int begins, ends;
    bool refuse;
};

static bool on_piece(void *data, bool is_stderr, const char *bytes, size_t len, bool is_begin,
                     bool is_end)
{
    struct pieces *pieces = data;
    pieces->begins += is_begin;
    pieces->ends += is_end;
    buf_add(is_stderr ? &pieces->err : &pieces->out, bytes, len);
    return !pieces->refuse;
}

static struct pieces pieces_new(void)
{
    struct pieces pieces = {0};
    buf_init(&pieces.out, 4096);
    buf_init(&pieces.err, 4096);
    return pieces;
}

static void pieces_clear(struct pieces *pieces)
{
    buf_free(&pieces->out);
    buf_free(&pieces->err);
}

static const char framed[] = "\2\0\0\0\0\0\0\4err\n\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\7out one\1\0\0\0"
                             "\0\0\0\4two\n";

START_TEST(frames_may_be_cut_at_every_byte)
{
    const size_t len = sizeof framed - 1;
    for (size_t cut = 0; cut <= len; cut++) {
        struct docker__frames frames;
        struct pieces pieces = pieces_new();
        docker__frames_init(&frames, false);
        ck_assert(docker__frames_feed(&frames, framed, cut, on_piece, &pieces));
        ck_assert(docker__frames_feed(&frames, framed + cut, len - cut, on_piece, &pieces));
        ck_assert_str_eq(buf_text(&pieces.out), "out onetwo\n");
        ck_assert_str_eq(buf_text(&pieces.err), "err\n");
        ck_assert_int_eq(pieces.begins, 3);
        ck_assert_int_eq(pieces.ends, 3);
        pieces_clear(&pieces);
    }
}
END_TEST

START_TEST(frames_come_one_byte_at_a_time)
{
    struct docker__frames frames;
    struct pieces pieces = pieces_new();
    docker__frames_init(&frames, false);
    for (size_t i = 0; i < sizeof framed - 1; i++)
        ck_assert(docker__frames_feed(&frames, framed + i, 1, on_piece, &pieces));
    ck_assert_str_eq(buf_text(&pieces.out), "out onetwo\n");
    pieces_clear(&pieces);
}
END_TEST

START_TEST(what_is_not_framed_is_told)
{
    struct docker__frames frames;
    struct pieces pieces = pieces_new();
    docker__frames_init(&frames, false);
    ck_assert(!docker__frames_feed(&frames, "plain text", 10, on_piece, &pieces));
    docker__frames_init(&frames, true);
    ck_assert(docker__frames_feed(&frames, "plain text", 10, on_piece, &pieces));
    ck_assert_str_eq(buf_text(&pieces.out), "plain text");
    pieces.refuse = true;
    docker__frames_init(&frames, false);
    ck_assert(!docker__frames_feed(&frames, framed, sizeof framed - 1, on_piece, &pieces));
    pieces_clear(&pieces);
}
END_TEST

/* --- log lines -------------------------------------------------------------------------------- */

static void add_frame(struct buf *stream, char number, const char *text)
{
    size_t len = strlen(text);
    char header[8] = {number, 0, 0, 0, 0, 0, (char)(len >> 8), (char)(len & 0xFF)};
    buf_add(stream, header, sizeof header);
    buf_puts(stream, text);
}

#define STAMP "2026-11-23T04:57:32.233624383Z "

START_TEST(log_lines_bear_their_stamp_and_long_ones_are_joined)
{
    struct buf stream;
    buf_init(&stream, 4096);
    add_frame(&stream, 1, STAMP "one\n");
    add_frame(&stream, 1, STAMP "long ");
    add_frame(&stream, 2, STAMP "oops\n");
    add_frame(&stream, 1, STAMP "line\n");
    add_frame(&stream, 1, "no stamp\n");
    add_frame(&stream, 2, STAMP "no newline");
    for (size_t cut = 0; cut <= stream.len; cut += 7) {
        struct docker__log_lines *lines = docker__log_lines_new(false, 1 << 20);
        ck_assert(docker__log_lines_feed(lines, stream.data, cut));
        ck_assert(docker__log_lines_feed(lines, stream.data + cut, stream.len - cut));
        size_t count;
        const struct docker_log_line *item = docker__log_lines_get(lines, &count);
        ck_assert_uint_eq(count, 5);
        ck_assert_str_eq(item[0].text, "one");
        ck_assert_int_eq(item[0].time_ns, INT64_C(1795409852233624383));
        ck_assert_str_eq(item[1].text, "oops");
        ck_assert(item[1].is_stderr);
        ck_assert_str_eq(item[2].text, "long line");
        ck_assert_str_eq(item[3].text, "no stamp");
        ck_assert_int_eq(item[3].time_ns, 0);
        ck_assert_str_eq(item[4].text, "no newline");
        docker__log_lines_free(lines);
    }
    buf_free(&stream);
}
END_TEST

START_TEST(a_stamp_beyond_reckoning_is_text)
{
    struct docker__log_lines *lines = docker__log_lines_new(true, 1 << 20);
    ck_assert(docker__log_lines_feed(lines, "9579-11-23T04:57:32.2Z x\n", 25));
    size_t count;
    const struct docker_log_line *item = docker__log_lines_get(lines, &count);
    ck_assert_uint_eq(count, 1);
    ck_assert_int_eq(item[0].time_ns, 0);
    ck_assert_str_eq(item[0].text, "9579-11-23T04:57:32.2Z x");
    docker__log_lines_free(lines);
}
END_TEST

START_TEST(a_terminals_log_is_cut_at_its_newlines)
{
    static const char raw[] = STAMP "one\r\n" STAMP "\r\n" STAMP "prompt> ";
    struct docker__log_lines *lines = docker__log_lines_new(true, 1 << 20);
    for (size_t i = 0; i < sizeof raw - 1; i++)
        ck_assert(docker__log_lines_feed(lines, raw + i, 1));
    size_t count;
    const struct docker_log_line *item = docker__log_lines_get(lines, &count);
    ck_assert_uint_eq(count, 3);
    ck_assert_str_eq(item[0].text, "one");
    ck_assert_uint_eq(item[1].len, 0);
    ck_assert_str_eq(item[2].text, "prompt> ");
    docker__log_lines_free(lines);
}
END_TEST

START_TEST(of_too_long_a_log_the_newest_lines_stay)
{
    struct docker__log_lines *lines = docker__log_lines_new(false, 32);
    for (char c = 'a'; c <= 'z'; c++) {
        struct buf stream;
        buf_init(&stream, 64);
        char text[] = {c, c, c, c, c, c, c, c, '\n', '\0'};
        add_frame(&stream, 1, text);
        ck_assert(docker__log_lines_feed(lines, stream.data, stream.len));
        buf_free(&stream);
    }
    size_t count;
    const struct docker_log_line *item = docker__log_lines_get(lines, &count);
    ck_assert_uint_eq(count, 4);
    ck_assert_str_eq(item[0].text, "wwwwwwww");
    ck_assert_str_eq(item[3].text, "zzzzzzzz");
    docker__log_lines_free(lines);
}
END_TEST

/* --- the log as it comes ---------------------------------------------------------------------- */

/* "text|" for each line, "2:text|" for stderr. */
static bool write_down(void *data, const struct docker_log_line *line)
{
    struct buf *told = data;
    ck_assert_uint_eq(strlen(line->text), line->len);
    return buf_printf(told, "%s%s|", line->is_stderr ? "2:" : "", line->text);
}

/* Whatever the place at which the bytes are cut in two, the same lines come out. */
static void expect_lines(const struct buf *bytes, bool tty, size_t line_max, const char *expected)
{
    for (size_t cut = 0; cut <= bytes->len; cut++) {
        struct docker__log_stream stream;
        struct buf told;
        buf_init(&told, 4096);
        docker__log_stream_init(&stream, tty, line_max);
        ck_assert(docker__log_stream_feed(&stream, bytes->data, cut, write_down, &told));
        ck_assert(docker__log_stream_feed(&stream, bytes->data + cut, bytes->len - cut, write_down,
                                          &told));
        buf_puts(&told, "end ");
        ck_assert(docker__log_stream_finish(&stream, write_down, &told));
        ck_assert_str_eq(buf_text(&told), expected);
        docker__log_stream_clear(&stream);
        buf_free(&told);
    }
}

START_TEST(a_line_is_told_when_it_is_whole)
{
    struct buf bytes;
    buf_init(&bytes, 4096);
    add_frame(&bytes, 1, STAMP "one\n");
    add_frame(&bytes, 1, STAMP "lo");
    add_frame(&bytes, 2, STAMP "oops\n");
    add_frame(&bytes, 1, STAMP "ng\n");
    add_frame(&bytes, 1, STAMP "\n");
    add_frame(&bytes, 2, STAMP "dying word");
    expect_lines(&bytes, false, 64, "one|2:oops|long||end 2:dying word|");
    buf_free(&bytes);
}
END_TEST

START_TEST(a_last_word_without_newline_does_not_swallow_the_next_life)
{
    struct buf bytes;
    buf_init(&bytes, 4096);
    add_frame(&bytes, 1, STAMP "dying word");
    add_frame(&bytes, 1, "2026-11-23T04:57:33.000000001Z born again\n");
    expect_lines(&bytes, false, 64, "dying word|born again|end ");
    buf_free(&bytes);
}
END_TEST

START_TEST(a_line_beyond_the_limit_is_cut)
{
    struct buf bytes;
    buf_init(&bytes, 4096);
    add_frame(&bytes, 1, STAMP "0123456789abcdef");
    add_frame(&bytes, 1, STAMP "0123456789abcdef\n");
    add_frame(&bytes, 1, STAMP "ok\n");
    expect_lines(&bytes, false, 8, "01234567|ok|end ");
    expect_lines(&bytes, false, 20, "0123456789abcdef0123|ok|end ");
    buf_reset(&bytes);
    buf_puts(&bytes, STAMP "0123456789abcdef\r\n" STAMP "ok\r\n" STAMP "prompt> ");
    expect_lines(&bytes, true, 8, "01234567|ok|end prompt> |");
    buf_free(&bytes);
}
END_TEST

/* --- events ----------------------------------------------------------------------------------- */

static bool parse_event(const char *text, struct docker__event_line *line)
{
    struct err e;
    bool is_event = docker__event_parse(text, strlen(text), line, &e);
    ck_assert(!err_is_set(&e));
    return is_event;
}

START_TEST(an_event_is_read_to_the_nanosecond)
{
    struct docker__event_line line;
    ck_assert(parse_event("{\"status\":\"die\",\"id\":\"abc\",\"Type\":\"container\",\"Action\":"
                          "\"die\",\"Actor\":{\"ID\":\"abc\",\"Attributes\":{\"exitCode\":\"88\","
                          "\"name\":\"rf-a\",\"image\":\"lab\"}},\"scope\":\"local\",\"time\":"
                          "1795409581,\"timeNano\":1795409581229286123}",
                          &line));
    ck_assert_str_eq(line.event.action, "die");
    ck_assert_str_eq(line.event.detail, "");
    ck_assert_str_eq(line.event.id, "abc");
    ck_assert_str_eq(line.event.name, "rf-a");
    ck_assert_int_eq(line.event.time_ns, INT64_C(1795409581229286123));
    /* A label's, for all we know: it is passed on and no more. */
    ck_assert_str_eq(json_text_at(line.event.attributes, "exitCode", ""), "88");
    docker__event_clear(&line);
}
END_TEST

START_TEST(the_tail_of_an_action_is_its_detail)
{
    struct docker__event_line line;
    ck_assert(parse_event("{\"Type\":\"container\",\"Action\":\"health_status: unhealthy\","
                          "\"Actor\":{\"ID\":\"a\"},\"time\":5}",
                          &line));
    ck_assert_str_eq(line.event.action, "health_status");
    ck_assert_str_eq(line.event.detail, "unhealthy");
    ck_assert_str_eq(line.event.name, "");
    ck_assert_int_eq(line.event.time_ns, INT64_C(5000000000));
    docker__event_clear(&line);
}
END_TEST

START_TEST(podmans_words_are_understood)
{
    struct docker__event_line line;
    ck_assert(parse_event("{\"Type\":\"container\",\"Action\":\"health_status\",\"HealthStatus\":"
                          "\"healthy\",\"Actor\":{\"ID\":\"a\"},\"timeNano\":7}",
                          &line));
    ck_assert_str_eq(line.event.action, "health_status");
    ck_assert_str_eq(line.event.detail, "healthy");
    docker__event_clear(&line);
    ck_assert(parse_event("{\"Type\":\"container\",\"Action\":\"died\",\"Actor\":{\"ID\":\"a\"}}",
                          &line));
    ck_assert_str_eq(line.event.action, "die");
    ck_assert_int_eq(line.event.time_ns, 0);
    docker__event_clear(&line);
    ck_assert(parse_event("{\"Type\":\"container\",\"Action\":\"remove\",\"Actor\":{\"ID\":\"a\"}}",
                          &line));
    ck_assert_str_eq(line.event.action, "destroy");
    docker__event_clear(&line);
}
END_TEST

START_TEST(events_of_no_interest_are_dropped_and_broken_ones_told)
{
    struct docker__event_line line;
    struct err e;
    ck_assert(!parse_event("{\"Type\":\"container\",\"Action\":\"exec_create: sh -c secret\","
                           "\"Actor\":{\"ID\":\"a\"}}",
                           &line));
    ck_assert(!parse_event("{\"Type\":\"network\",\"Action\":\"create\",\"Actor\":{\"ID\":\"a\"}}",
                           &line));
    ck_assert(!docker__event_parse("{\"Type\":", 8, &line, &e));
    ck_assert_int_eq(e.code, ERR_PROTOCOL);
    ck_assert(!docker__event_parse("{\"message\":\"x\"}", 15, &line, &e));
    ck_assert_int_eq(e.code, ERR_PROTOCOL);
}
END_TEST

START_TEST(an_event_is_known_by_time_container_and_action)
{
    struct docker__seen seen = {0};
    struct docker_event event = {.action = "die", .id = "a", .time_ns = 1};
    ck_assert(!docker__seen_before(&seen, &event));
    ck_assert(docker__seen_before(&seen, &event));
    event.action = "stop";
    ck_assert(!docker__seen_before(&seen, &event));
    event.id = "b";
    ck_assert(!docker__seen_before(&seen, &event));
    for (int i = 0; i < DOCKER__SEEN_MAX; i++) {
        event.time_ns++;
        ck_assert(!docker__seen_before(&seen, &event));
    }
    event = (struct docker_event){.action = "die", .id = "a", .time_ns = 1};
    ck_assert(!docker__seen_before(&seen, &event)); /* forgotten by now */
}
END_TEST

START_TEST(since_is_seconds_with_nine_digits_behind)
{
    CLEANUP_FREE char *docker = docker__events_path(false, INT64_C(1795409581000000042));
    ck_assert_ptr_nonnull(strstr(docker, "&since=1795409581.000000042"));
    ck_assert_ptr_nonnull(strstr(docker, "health_status"));
    CLEANUP_FREE char *podman = docker__events_path(true, 0);
    ck_assert_ptr_null(strstr(podman, "since"));
    ck_assert_ptr_null(strstr(podman, "health_status"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("docker parsers");
    TCase *parsers = tcase_create("parsers");
    tcase_add_test(parsers, an_engine_is_named_by_a_socket_or_by_tcp);
    tcase_add_test(parsers, what_is_no_engine_is_refused_plainly);
    tcase_add_test(parsers, the_environment_names_what_the_options_leave_open);
    tcase_add_test(parsers, certificates_turn_tls_on);
    tcase_add_test(parsers, versions_are_read);
    tcase_add_test(parsers, paths_are_escaped);
    tcase_add_test(parsers, statuses_become_errors_that_keep_the_engines_words);
    tcase_add_test(parsers, a_500_for_a_state_is_a_conflict);
    tcase_add_test(parsers, a_guards_page_is_a_missing_permission_that_names_the_call);
    tcase_add_test(parsers, a_refused_version_says_who_is_too_old);
    tcase_add_test(parsers, foreign_text_becomes_one_tame_line);
    tcase_add_test(parsers, frames_may_be_cut_at_every_byte);
    tcase_add_test(parsers, frames_come_one_byte_at_a_time);
    tcase_add_test(parsers, what_is_not_framed_is_told);
    tcase_add_test(parsers, log_lines_bear_their_stamp_and_long_ones_are_joined);
    tcase_add_test(parsers, a_stamp_beyond_reckoning_is_text);
    tcase_add_test(parsers, a_terminals_log_is_cut_at_its_newlines);
    tcase_add_test(parsers, of_too_long_a_log_the_newest_lines_stay);
    tcase_add_test(parsers, a_line_is_told_when_it_is_whole);
    tcase_add_test(parsers, a_last_word_without_newline_does_not_swallow_the_next_life);
    tcase_add_test(parsers, a_line_beyond_the_limit_is_cut);
    tcase_add_test(parsers, an_event_is_read_to_the_nanosecond);
    tcase_add_test(parsers, the_tail_of_an_action_is_its_detail);
    tcase_add_test(parsers, podmans_words_are_understood);
    tcase_add_test(parsers, events_of_no_interest_are_dropped_and_broken_ones_told);
    tcase_add_test(parsers, an_event_is_known_by_time_container_and_action);
    tcase_add_test(parsers, since_is_seconds_with_nine_digits_behind);
    suite_add_tcase(suite, parsers);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
