/* Metrics as Prometheus reads them, and the status page: what foreign text may not do to them. */
#include "supervisor/metrics.h"
#include "supervisor/page.h"
#include "supervisor/tally.h"
#include "tests/unit/unit.h"

#include <math.h>

static void assert_text(struct exposition *out, const char *expected)
{
    CLEANUP_FREE char *text = exposition_take(out);
    ck_assert_str_eq(text, expected);
}

START_TEST(a_family_is_told_once_and_not_without_a_sample)
{
    struct exposition out;
    exposition_init(&out);
    exposition_family(&out, "stack_a", METRIC_GAUGE, "Nobody has it.");
    exposition_family(&out, "stack_b_total", METRIC_COUNTER, "Two have it.");
    const struct metric_label one[] = {{"x", "1"}, {.name = NULL}};
    const struct metric_label two[] = {{"x", "2"}, {"y", NULL}, {.name = NULL}};
    exposition_sample(&out, one, 3);
    exposition_sample(&out, two, 0.25);
    exposition_single(&out, "stack_c", METRIC_GAUGE, "One.", 1e-9);
    assert_text(&out, "# HELP stack_b_total Two have it.\n"
                      "# TYPE stack_b_total counter\n"
                      "stack_b_total{x=\"1\"} 3\n"
                      "stack_b_total{x=\"2\",y=\"\"} 0.25\n"
                      "# HELP stack_c One.\n"
                      "# TYPE stack_c gauge\n"
                      "stack_c 1e-09\n");
}
END_TEST

START_TEST(a_label_may_hold_anything)
{
    struct exposition out;
    exposition_init(&out);
    const struct metric_label labels[] = {{"name", "a\"} 1\nstack_evil \\"}, {.name = NULL}};
    exposition_family(&out, "stack_a", METRIC_GAUGE, "It.");
    exposition_sample(&out, labels, 1);
    assert_text(&out, "# HELP stack_a It.\n# TYPE stack_a gauge\n"
                      "stack_a{name=\"a\\\"} 1\\nstack_evil \\\\\"} 1\n");
}
END_TEST

START_TEST(what_is_no_number_has_its_own_words)
{
    struct exposition out;
    exposition_init(&out);
    exposition_family(&out, "stack_a", METRIC_GAUGE, "It.");
    exposition_sample(&out, NULL, (double)NAN);
    exposition_sample(&out, NULL, (double)INFINITY);
    exposition_sample(&out, NULL, -(double)INFINITY);
    assert_text(&out, "# HELP stack_a It.\n# TYPE stack_a gauge\n"
                      "stack_a NaN\nstack_a +Inf\nstack_a -Inf\n");
}
END_TEST

START_TEST(runs_and_decisions_are_counted)
{
    struct exposition out;
    struct tally *tally = tally_new();
    exposition_init(&out);
    tally_run_began(tally, "recover");
    tally_run_ended(tally, "failed", 1000);
    for (int64_t i = 1; i <= 2; i++) {
        tally_run_began(tally, "clean");
        tally_run_ended(tally, "succeeded", 1795000000000 + i * 500);
    }
    tally_decision(tally, "leaking", "run");
    tally_decision(tally, "leaking", "run");
    tally_decision(tally, "leaking", "healed");
    tally_expose(tally, &out);
    CLEANUP_FREE char *text = exposition_take(&out);
    unit_assert_has(text, "stack_runs_total{playbook=\"recover\",outcome=\"failed\"} 1\n");
    unit_assert_has(text, "stack_runs_total{playbook=\"clean\",outcome=\"succeeded\"} 2\n");
    unit_assert_has(text, "stack_last_run_timestamp_seconds{playbook=\"clean\","
                          "outcome=\"succeeded\"} 1795000001\n");
    unit_assert_has(text, "stack_decisions_total{policy=\"leaking\",decision=\"run\"} 2\n");
    unit_assert_has(text, "stack_decisions_total{policy=\"leaking\",decision=\"healed\"} 1\n");
    tally_free(tally);
}
END_TEST

/* --- observations ----------------------------------------------------------------------------- */

START_TEST(each_observation_is_in_base_units)
{
    struct exposition out;
    struct err e;
    struct board *board = board_new();
    exposition_init(&out);
    board_set_number(board, "connections.used", 1000, 71, &e);
    board_set_number(board, "connections.utilization", 1000, 0.71, &e);
    board_set_number(board, "connections.longest_idle", 1000, 90500, &e);
    board_set_number(board, "connections.refused.rate", 1000, 30, &e);
    board_set_number(board, "service(web).running", 1000, 1, &e);
    board_set_word(board, "database.state", 1000, "exhausted", &e);
    board_set_word(board, "service(web).health", 1000, "unhealthy", &e);
    board_set_word(board, "connections.leaker", 1000, "shop_web_1", &e);
    metrics_observations(board, 2000, &out);
    CLEANUP_FREE char *text = exposition_take(&out);
    unit_assert_has(text, "# HELP stack_connections_used Sessions that hold a slot.\n"
                          "# TYPE stack_connections_used gauge\n"
                          "stack_connections_used 71\n");
    unit_assert_has(text, "\nstack_connections_utilization_ratio 0.71\n");
    unit_assert_has(text, "\nstack_connections_longest_idle_seconds 90.5\n");
    unit_assert_has(text, "\nstack_connections_refused_rate 0.5\n");
    unit_assert_has(text, "\nstack_service_running{service=\"web\"} 1\n");
    unit_assert_has(text, "\nstack_database_state{state=\"exhausted\"} 1\n");
    unit_assert_has(text, "\nstack_database_state{state=\"ready\"} 0\n");
    unit_assert_has(text, "\nstack_service_health{service=\"web\",state=\"unhealthy\"} 1\n");
    unit_assert_has(text, "\nstack_connections_leaker{is=\"shop_web_1\"} 1\n");
    board_free(board);
}
END_TEST

START_TEST(what_is_unknown_is_not_told)
{
    struct exposition out;
    struct err e;
    struct board *board = board_new();
    exposition_init(&out);
    board_set_number(board, "connections.used", 1000, 71, &e);
    board_set_number(board, "service(web).running", 1000, 1, &e);
    metrics_observations(board, 1000 + 3600000, &out); /* an hour later: too old, and standing */
    CLEANUP_FREE char *text = exposition_take(&out);
    unit_assert_lacks(text, "stack_connections_used");
    unit_assert_has(text, "stack_service_running{service=\"web\"} 1\n");
    board_free(board);
}
END_TEST

/* A small file; the caller frees it. */
static char *read_text(const char *path)
{
    struct buf text;
    char block[4096];
    size_t len;
    buf_init(&text, 1 << 20);
    FILE *file = fopen(path, "re");
    ck_assert_ptr_nonnull(file);
    while ((len = fread(block, 1, sizeof block, file)) > 0)
        buf_add(&text, block, len);
    fclose(file);
    return buf_take(&text);
}

/* Every kind in one text, and what the process says: whether the names keep to the rules is
 * promtool's to judge, in tests/e2e/test_metrics.py. */
START_TEST(every_kind_has_a_documented_name_of_its_own)
{
    const struct observation_kind *kind;
    struct err e;
    struct board *board = board_new();
    struct exposition out;
    CLEANUP_FREE char *documented = read_text(METRICS_DOC);
    size_t count = 0;
    for (; (kind = observation_kind_at(count)) != NULL; count++) {
        char name[OBSERVATION_NAME_MAX];
        observation_name(kind, kind->parameter ? "x" : NULL, name);
        if (kind->unit == UNIT_WORD)
            board_set_word(board, name, 1000, kind->words[0] ? kind->words[0] : "x", &e);
        else
            board_set_number(board, name, 1000, 0.5, &e);
    }
    exposition_init(&out);
    metrics_observations(board, 1000, &out);
    metrics_process(1000, &out);
    CLEANUP_FREE char *text = exposition_take(&out);
    size_t families = 0;
    for (const char *at = text; (at = strstr(at, "# TYPE stack_")) != NULL; at++)
        families++;
    ck_assert_uint_eq(families, count);
    for (char *at = text; (at = strstr(at, "# TYPE ")) != NULL; at++) {
        CLEANUP_FREE char *name = mem_strndup(at + 7, strcspn(at + 7, " "));
        CLEANUP_FREE char *quoted = mem_printf("`%s`", name);
        ck_assert_msg(strstr(documented, quoted) != NULL, "docs/metrics.md has no %s", name);
    }
    unit_assert_has(text, "\nprocess_start_time_seconds 1\n");
    unit_assert_has(text, "\nprocess_resident_memory_bytes ");
    unit_assert_has(text, "\nprocess_open_fds ");
    board_free(board);
}
END_TEST

/* --- the page --------------------------------------------------------------------------------- */

#define EVIL "<script>alert(1)</script>\"'&"
#define TAME "&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;"

START_TEST(the_page_escapes_every_text)
{
    CLEANUP_JSON json_t *list = json_array();
    json_t *item = json_object();
    static const char *const keys[] = {"container", "service",  "state",       "name",
                                       "mode",      "at",       "explanation", "text",
                                       "playbook",  "decision", "sentence",    "started_at"};
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        json_set_text(item, keys[i], EVIL);
    json_array_append_new(list, item);
    const struct page page = {.project = EVIL,
                              .sentence = EVIL,
                              .at = EVIL,
                              .containers = list,
                              .observations = list,
                              .policies = list,
                              .decisions = list,
                              .runs = list};
    CLEANUP_FREE char *html = page_html(&page);
    unit_assert_lacks(html, "<script");
    unit_assert_lacks(html, "\"'");
    size_t shown = 0;
    for (const char *at = html; (at = strstr(at, TAME)) != NULL; at++)
        shown++;
    ck_assert_uint_eq(shown, 4 + 3 + 4 + 4 + 3);
}
END_TEST

START_TEST(the_page_says_how_it_is)
{
    CLEANUP_JSON json_t *observations =
        unit_json("[{'name': 'database.state', 'value': 'ready', 'text': 'ready', 'fresh': true},"
                  " {'name': 'connections.used', 'value': 71, 'text': '71', 'fresh': true},"
                  " {'name': 'connections.usable', 'value': 97, 'text': '97', 'fresh': true},"
                  " {'name': 'connections.idle', 'value': 5, 'text': '5', 'fresh': false},"
                  " {'name': 'service(web).health', 'value': 'unhealthy', 'text': 'unhealthy',"
                  "  'fresh': true}]");
    CLEANUP_JSON json_t *containers =
        unit_json("[{'container': 'shop_web_1', 'service': 'web', 'state': 'running'}]");
    const struct page page = {.project = "shop",
                              .sentence = "watching shop: not healthy: web",
                              .at = "2026-11-23T22:47:05.123Z",
                              .containers = containers,
                              .observations = observations};
    CLEANUP_FREE char *html = page_html(&page);
    unit_assert_has(html, "<title>watching shop: not healthy: web</title>");
    unit_assert_has(html, "<td class=\"good\">ready</td>");
    unit_assert_has(html, "value=\"71\"></meter> 71 of 97");
    unit_assert_has(html, "<td class=\"number\">unknown</td>"); /* what is too old */
    unit_assert_has(html, "<td>shop_web_1</td><td>web</td><td class=\"good\">running</td>"
                          "<td class=\"bad\">unhealthy</td>");
    unit_assert_has(page_style(), "color-scheme");
}
END_TEST

UNIT_MAIN("metrics", a_family_is_told_once_and_not_without_a_sample, a_label_may_hold_anything,
          what_is_no_number_has_its_own_words, runs_and_decisions_are_counted,
          each_observation_is_in_base_units, what_is_unknown_is_not_told,
          every_kind_has_a_documented_name_of_its_own, the_page_escapes_every_text,
          the_page_says_how_it_is)
