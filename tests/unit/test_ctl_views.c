/* What supervisorctl prints, and the events it reads: pure functions of text and JSON. */
#include "base/mem.h"
#include "supervisorctl/clean.h"
#include "supervisorctl/events.h"
#include "supervisorctl/progress.h"
#include "supervisorctl/render_plan.h"
#include "supervisorctl/story.h"

#include <check.h>
#include <string.h>

static const struct print_style plain = {.unicode = true};

static json_t *parse(const char *text)
{
    struct err e;
    json_t *value = json_parse(text, strlen(text), "test", &e);
    ck_assert_msg(value != NULL, "%s", e.text);
    return value;
}

/* Where a test prints to. */
static FILE *out;
static char *present; /* what goes to `out` */
static size_t present_len;
static char *past; /* what printed() gave */

static void set_up(void)
{
    out = open_memstream(&present, &present_len);
    ck_assert_ptr_nonnull(out);
}

/* What was printed since the last call; valid until the next one. */
static const char *printed(void)
{
    fclose(out);
    free(past);
    past = present;
    set_up();
    return past;
}

static void tear_down(void)
{
    fclose(out);
    free(present);
    free(past);
    past = NULL;
}

/* --- print ----------------------------------------------------------------------------------- */

START_TEST(test_control_characters_are_shown)
{
    print_text(out, "a\033[2Jb\tc\xC2\x9B"
                    "d\x7F\xC3\xA9");
    const char *text = printed();
    ck_assert_str_eq(text, "a?[2Jb?c?d?\xC3\xA9");
}
END_TEST

START_TEST(test_clipping_counts_characters)
{
    static const struct {
        const char *text;
        size_t columns;
        const char *clipped;
    } cases[] = {
        {"short", 5, "short"}, {"longer", 5, "long…"}, {"größer", 4, "grö…"},
        {"größe", 5, "größe"}, {"x", 0, ""},           {"\033[1m", 4, "?[1m"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        CLEANUP_FREE char *clipped = print_clipped(cases[i].text, cases[i].columns, true);
        ck_assert_str_eq(clipped, cases[i].clipped);
    }
    CLEANUP_FREE char *ascii = print_clipped("longer text", 8, false);
    ck_assert_str_eq(ascii, "longe...");
}
END_TEST

START_TEST(test_bars)
{
    static const struct {
        double part;
        const char *bar;
    } cases[] = {{0, "[----------]"},   {0.5, "[#####-----]"}, {1, "[##########]"},
                 {7, "[##########]"},   {-1, "[----------]"},  {0.04, "[----------]"},
                 {0.96, "[##########]"}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        CLEANUP_FREE char *bar = print_bar(cases[i].part, 10);
        ck_assert_str_eq(bar, cases[i].bar);
    }
}
END_TEST

START_TEST(test_ago)
{
    char ago[PRINT_AGO_MAX];
    int64_t now = INT64_C(1763938025123);
    ck_assert_str_eq(print_ago("2025-11-23T22:46:05.123Z", now, ago), "1m00s ago");
    ck_assert_str_eq(print_ago("2025-11-23T22:48:05Z", now, ago), "0ms ago"); /* clock stepped */
    ck_assert_str_eq(print_ago(NULL, now, ago), "-");
    ck_assert_str_eq(print_ago("yesterday", now, ago), "-");
}
END_TEST

START_TEST(test_tables_align)
{
    static const char *const headings[] = {">N", "NAME", "REST", NULL};
    struct print_table *table = print_table_new(headings);
    print_table_cellf(table, TONE_PLAIN, "%d", 7);
    print_table_cell(table, TONE_PLAIN, "größe");
    print_table_cell(table, TONE_PLAIN, "x");
    print_table_cellf(table, TONE_PLAIN, "%d", 1234);
    print_table_cell(table, TONE_PLAIN, NULL);
    print_table_blank(table);
    print_table_end(table, out, &plain, 2);
    const char *text = printed();
    ck_assert_str_eq(text, "     N  NAME   REST\n"
                           "     7  größe  x\n"
                           "  1234  -\n");
}
END_TEST

START_TEST(test_colours_only_in_their_style)
{
    struct print_style color = {.color = true};
    print_toned(out, &color, TONE_BAD, "x");
    ck_assert_str_eq(printed(), "\033[31mx\033[0m");
    print_toned(out, &plain, TONE_BAD, "x");
    ck_assert_str_eq(printed(), "x");
    ck_assert_int_eq(print_tone_of("exhausted"), TONE_BAD);
    ck_assert_int_eq(print_tone_of("something new"), TONE_PLAIN);
}
END_TEST

/* --- plan and clean -------------------------------------------------------------------------- */

static const char plan_text[] =
    "{\"id\":\"ab\",\"playbook\":\"recover\",\"project\":\"shop\",\"worst_case_ms\":61000,"
    "\"actions\":["
    "{\"id\":\"stop:a\",\"text\":\"stop a\",\"after\":[],\"timeout_ms\":30000},"
    "{\"id\":\"stop:b\",\"text\":\"stop b\",\"after\":[],\"timeout_ms\":30000},"
    "{\"id\":\"start:a\",\"text\":\"start a\",\"after\":[\"stop:a\",\"stop:b\"],"
    "\"timeout_ms\":1000}],"
    "\"skipped\":[{\"container\":\"c\",\"reason\":\"not running\"}],\"notes\":[\"look out\"]}";

START_TEST(test_a_plan_as_people_read_it)
{
    CLEANUP_JSON json_t *plan = parse(plan_text);
    render_plan(out, &plain, plan);
    const char *text = printed();
    ck_assert_str_eq(text, "recover on shop: 3 actions, at the worst 1m01s, plan ab\n"
                           "\n"
                           "#  ACTION   LIMIT  WHEN\n"
                           "1  stop a   30.0s  at once\n"
                           "2  stop b   30.0s  at once\n"
                           "3  start a   1.0s  after 1, 2\n"
                           "\n"
                           "left alone: c: not running\n"
                           "note: look out\n");
}
END_TEST

START_TEST(test_views_survive_what_is_not_there)
{
    static const char *const texts[] = {"{}",
                                        "[]",
                                        "null",
                                        "{\"actions\":{}}",
                                        "{\"actions\":[null,7,{}]}",
                                        "{\"entries\":[null,{\"type\":\"end\"}],\"ended\":[1]}"};
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        json_t *value = json_loads(texts[i], JSON_DECODE_ANY, NULL);
        struct progress *progress = progress_new(out, &plain, value);
        render_plan(out, &plain, value);
        render_clean(out, &plain, value);
        story_print(out, &plain, value, 0);
        story_print_outcome(out, &plain, 1, value);
        progress_entry(progress, value);
        progress_free(progress);
        json_decref(value);
    }
}
END_TEST

START_TEST(test_a_clean_says_who_and_why)
{
    CLEANUP_JSON json_t *report =
        parse("{\"dry_run\":false,\"used_before\":97,\"used_after\":57,"
              "\"ended\":[{\"pid\":7,\"application\":\"web\",\"role\":\"app\","
              "\"client\":\"10.0.0.1\",\"state\":\"idle\",\"why\":\"idle for 2m00s\"}],"
              "\"spared\":[],\"stayed\":[{\"pid\":8,\"why\":\"still there\"}],\"denied\":[],"
              "\"hint\":{\"code\":\"permission\",\"message\":\"a grant is missing\","
              "\"hint\":\"GRANT pg_signal_backend TO supervisor\"}}");
    render_clean(out, &plain, report);
    const char *text = printed();
    ck_assert_ptr_nonnull(strstr(text, "ended: 1 session\n"));
    ck_assert_ptr_nonnull(strstr(text, "7  web          app   10.0.0.1  idle   idle for 2m00s\n"));
    ck_assert_ptr_nonnull(strstr(text, "told to end, and not seen to go: 1 session\n"));
    ck_assert_ptr_null(strstr(text, "spared"));
    ck_assert_ptr_nonnull(strstr(text, "  GRANT pg_signal_backend TO supervisor\n"));
    ck_assert_ptr_nonnull(strstr(text, "connections used: 97 before, 57 after\n"));
}
END_TEST

/* --- progress -------------------------------------------------------------------------------- */

static void tell(struct progress *progress, const char *text)
{
    CLEANUP_JSON json_t *entry = parse(text);
    progress_entry(progress, entry);
}

static void expect_lines(const struct progress *progress, int64_t now_ms, int columns, int rows,
                         const char *expected)
{
    size_t count = 0;
    char **lines = progress_lines(progress, now_ms, columns, rows, &count);
    for (size_t i = 0; i < count; i++) {
        fprintf(out, "%s\n", lines[i]);
        free(lines[i]);
    }
    free(lines);
    ck_assert_str_eq(printed(), expected);
}

START_TEST(test_the_view_of_a_run)
{
    const int64_t began = INT64_C(1763938025000); /* 2025-11-23T22:47:05Z */
    struct print_style terminal = {.unicode = true, .terminal = true};
    CLEANUP_JSON json_t *plan = parse(plan_text);
    struct progress *progress = progress_new(stdout, &terminal, plan);
    tell(progress, "{\"type\":\"begin\",\"run\":12,\"playbook\":\"recover\",\"project\":\"shop\","
                   "\"at\":\"2025-11-23T22:47:05.000Z\"}");
    tell(progress, "{\"type\":\"action\",\"action\":\"stop:a\",\"state\":\"running\","
                   "\"at\":\"2025-11-23T22:47:06.000Z\"}");
    tell(progress, "{\"type\":\"action\",\"action\":\"stop:b\",\"state\":\"done\",\"took_ms\":850,"
                   "\"text\":\"exit code 0\",\"at\":\"2025-11-23T22:47:06.000Z\"}");
    tell(progress, "{\"type\":\"progress\",\"action\":\"stop:a\",\"text\":\"waits for the end\"}");
    expect_lines(progress, began + 4200, 60, 24,
                 "run 12: recover on shop  4.2s\n"
                 "▸ stop a      3.2s  waits for the end\n"
                 "✓ stop b     850ms  exit code 0\n"
                 "· start a\n");
    expect_lines(progress, began + 4200, 20, 24,
                 "run 12: recover on…\n"
                 "▸ stop a      3.2s…\n"
                 "✓ stop b     850ms…\n"
                 "· start a\n");
    expect_lines(progress, began + 4200, 60, 5,
                 "run 12: recover on shop  4.2s\n"
                 "▸ stop a      3.2s  waits for the end\n"
                 "✓ stop b     850ms  exit code 0\n"
                 "  (0 above, 1 below)\n");
    tell(progress, "{\"type\":\"action\",\"action\":\"stop:a\",\"state\":\"failed\","
                   "\"took_ms\":9000,\"error\":{\"message\":\"it stayed\"}}");
    tell(progress, "{\"type\":\"action\",\"action\":\"new#2\",\"state\":\"running\","
                   "\"at\":\"2025-11-23T22:47:20.000Z\"}"); /* one that no plan named */
    tell(progress, "{\"type\":\"end\",\"at\":\"2025-11-23T22:47:25.000Z\"}");
    expect_lines(progress, began + 99000, 60, 5,
                 "run 12: recover on shop  20.0s\n"
                 "✓ stop b     850ms  exit code 0\n"
                 "· start a\n"
                 "  (1 above, 1 below)\n");
    progress_free(progress);
    progress_free(NULL);
    progress_tick(NULL);
    progress_break(NULL);
    progress_entry(NULL, NULL);
}
END_TEST

START_TEST(test_who_holds_the_most)
{
    static const struct {
        const char *text;
        const char *line;
    } cases[] = {
        {"{\"max\":100,\"reserved\":3,\"groups\":{\"container\":["
         "{\"name\":\"(unknown)\",\"count\":80,\"oldest_idle_seconds\":9000},"
         "{\"name\":\"shop_worker_2\",\"count\":17,\"oldest_idle_seconds\":842.1},"
         "{\"name\":\"shop_web_1\",\"count\":3,\"oldest_idle_seconds\":1}]}}",
         "  shop_worker_2 holds 17 of 97, oldest idle 14m02s\n"},
        {"{\"max\":30,\"reserved\":3,\"groups\":{\"container\":["
         "{\"name\":\"a\\u001b\",\"count\":27,\"oldest_idle_seconds\":0}]}}",
         "  a? holds 27 of 27\n"},
        {"{\"groups\":{\"container\":[{\"name\":\"(host) psql\",\"count\":1}]}}", ""},
        {"{}", ""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        CLEANUP_JSON json_t *connections = parse(cases[i].text);
        story_print_holder(out, connections, 2);
        ck_assert_str_eq(printed(), cases[i].line);
    }
}
END_TEST

START_TEST(test_plain_lines)
{
    struct progress *p = progress_new(out, &plain, NULL);
    tell(p, "{\"type\":\"begin\",\"run\":3,\"playbook\":\"clean\",\"project\":\"s\","
            "\"requester\":\"uid 0\",\"elapsed_ms\":0}");
    tell(p, "{\"type\":\"action\",\"action\":\"stop:w_1\",\"state\":\"done\",\"took_ms\":800,"
            "\"text\":\"\",\"elapsed_ms\":12345}");
    tell(p, "{\"type\":\"progress\",\"action\":\"x\",\"text\":\"not yet\"}");
    tell(p, "{\"type\":\"note\",\"text\":\"a\\nb\",\"elapsed_ms\":13000}");
    tell(p, "{\"type\":\"abort\",\"by\":\"uid 1\",\"elapsed_ms\":14000}");
    progress_tick(p);
    progress_free(p);
    ck_assert_str_eq(printed(), "+0.0s run 3: clean on s, asked for by uid 0\n"
                                "+12.3s stop w_1 done 800ms\n"
                                "+13.0s note: a?b\n"
                                "+14.0s abort asked for by uid 1\n");
}
END_TEST

START_TEST(test_lines_that_nobody_would_read_are_counted)
{
    struct progress *p = progress_new(out, &plain, NULL);
    progress_quiet(p, true);
    tell(p, "{\"type\":\"note\",\"text\":\"a\",\"elapsed_ms\":1000}");
    tell(p, "{\"type\":\"note\",\"text\":\"b\",\"elapsed_ms\":2000}");
    progress_quiet(p, false);
    tell(p, "{\"type\":\"note\",\"text\":\"c\",\"elapsed_ms\":3000}");
    progress_quiet(p, false);
    progress_free(p);
    ck_assert_str_eq(printed(), "(lines left out here, as nobody read them: 2)\n"
                                "+3.0s note: c\n");
}
END_TEST

/* --- events ---------------------------------------------------------------------------------- */

static void count_event(void *data, const json_t *event)
{
    *(int64_t *)data = *(int64_t *)data * 10 + json_int_at(event, "seq", 0);
}

START_TEST(test_events_in_any_pieces)
{
    static const char stream[] = ": hello\n\nid: 1\ndata: {\"seq\":1}\n\n"
                                 "data:{\"seq\":\ndata: 2}\r\n\r\nevent: x\nid: 3\n"
                                 "data: {\"seq\":3}\n\n: ping\n\nid: 9\ndata: {\"se";
    for (size_t piece = 1; piece <= sizeof stream; piece++) {
        int64_t seen = 0;
        struct events events;
        events_init(&events, count_event, &seen);
        for (size_t at = 0; at < sizeof stream - 1; at += piece) {
            size_t left = sizeof stream - 1 - at;
            ck_assert(events_feed(&events, stream + at, left < piece ? left : piece));
        }
        ck_assert_int_eq(seen, 123);
        ck_assert_int_eq(events.last_id, 3);
        events_restart(&events); /* the half event is forgotten */
        ck_assert(events_feed(&events, "data: {\"seq\":4}\n\n", 17));
        ck_assert_int_eq(seen, 1234);
        events_free(&events);
    }
}
END_TEST

START_TEST(test_what_is_no_event_is_refused)
{
    int64_t seen = 0;
    struct events events;
    events_init(&events, count_event, &seen);
    ck_assert(!events_feed(&events, "data: not JSON\n\n", 16));
    events_free(&events);
    events_init(&events, count_event, &seen);
    CLEANUP_FREE char *endless = mem_new(1 << 20);
    memset(endless, 'x', 1 << 20);
    bool fine = true;
    for (int i = 0; i < 20 && fine; i++)
        fine = events_feed(&events, endless, 1 << 20);
    ck_assert(!fine);
    events_free(&events);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("views");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, test_control_characters_are_shown);
    tcase_add_test(tests, test_clipping_counts_characters);
    tcase_add_test(tests, test_bars);
    tcase_add_test(tests, test_ago);
    tcase_add_test(tests, test_tables_align);
    tcase_add_test(tests, test_colours_only_in_their_style);
    tcase_add_test(tests, test_a_plan_as_people_read_it);
    tcase_add_test(tests, test_views_survive_what_is_not_there);
    tcase_add_test(tests, test_a_clean_says_who_and_why);
    tcase_add_test(tests, test_the_view_of_a_run);
    tcase_add_test(tests, test_who_holds_the_most);
    tcase_add_test(tests, test_plain_lines);
    tcase_add_test(tests, test_lines_that_nobody_would_read_are_counted);
    tcase_add_test(tests, test_events_in_any_pieces);
    tcase_add_test(tests, test_what_is_no_event_is_refused);
    Suite *suite = suite_create("ctl_views");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
