/* Traces: every event to a line and back; lines that are none; a whole text replayed. */
#include "policies/trace.h"

#include "policies/moment.h"
#include "policies/replay.h"
#include "unit.h"

static char *print(const struct trace_event *event)
{
    struct buf out;
    buf_init(&out, 4096);
    trace_print(event, &out);
    return buf_take(&out);
}

START_TEST(every_event_survives_a_round_trip)
{
    static const struct trace_event events[] = {
        {.at_ms = 5, .kind = TRACE_START, .span_ms = 1764547200000},
        {.at_ms = 5, .kind = TRACE_OBSERVE, .name = "connections.utilization", .number = 0.71},
        {.at_ms = 5, .kind = TRACE_OBSERVE, .name = "connections.used", .number = 27},
        {.at_ms = 5, .kind = TRACE_OBSERVE, .name = "service(a).running", .number = 1},
        {.at_ms = 5, .kind = TRACE_OBSERVE, .name = "database.state", .word = "ready"},
        {.at_ms = 6, .kind = TRACE_FORGET, .name = "service.health"},
        {.at_ms = 6, .kind = TRACE_RUN, .outcome = RUN_DONE},
        {.at_ms = 6, .kind = TRACE_RUN, .outcome = RUN_FAILED},
        {.at_ms = 6, .kind = TRACE_RUN, .outcome = RUN_ABORTED},
        {.at_ms = 7, .kind = TRACE_FOREIGN, .yes = true, .disruptive = true},
        {.at_ms = 7, .kind = TRACE_FOREIGN, .yes = false, .disruptive = false},
        {.at_ms = 7, .kind = TRACE_PAUSE, .span_ms = 1800000, .name = "deploy \"x\"\n"},
        {.at_ms = 7, .kind = TRACE_PAUSE, .span_ms = NEVER, .name = ""},
        {.at_ms = 7, .kind = TRACE_RESUME, .yes = true},
        {.at_ms = 7, .kind = TRACE_APPROVE, .yes = true},
        {.at_ms = 7, .kind = TRACE_APPROVE, .yes = false},
        {.at_ms = 8, .kind = TRACE_ALERT, .name = "PostgresDown", .yes = true},
        {.at_ms = 8, .kind = TRACE_ALERT, .name = "PostgresDown", .yes = false},
        {.at_ms = 8, .kind = TRACE_RESTART, .span_ms = 2000},
        {.at_ms = 8, .kind = TRACE_STEP, .yes = true},
    };
    for (size_t i = 0; i < ARRAY_SIZE(events); i++) {
        struct trace_event read;
        json_t *line;
        struct err e;
        CLEANUP_FREE char *printed = print(&events[i]);
        ck_assert_msg(trace_parse(printed, strlen(printed) - 1, &read, &line, &e) == 1, "%s: %s",
                      printed, e.text);
        CLEANUP_FREE char *again = print(&read);
        ck_assert_str_eq(printed, again);
        ck_assert_int_eq(read.kind, events[i].kind);
        ck_assert_int_eq(read.at_ms, events[i].at_ms);
        json_decref(line);
    }
}
END_TEST

START_TEST(a_line_that_is_none_is_refused)
{
    static const char *const bad[] = {
        "{",
        "[]",
        "3",
        "{\"observe\":\"x\",\"value\":1}",
        "{\"at\":-1,\"step\":true}",
        "{\"at\":9223372036854775807,\"step\":true}",
        "{\"at\":1.5,\"step\":true}",
        "{\"at\":1}",
        "{\"at\":1,\"trace\":1,\"local\":-5}",
        "{\"at\":1,\"trace\":1,\"local\":9223372036854775807}",
        "{\"at\":1,\"observe\":\"connections.used\"}",
        "{\"at\":1,\"observe\":7,\"value\":1}",
        "{\"at\":1,\"observe\":\"connections.used\",\"value\":[1]}",
        "{\"at\":1,\"run\":\"well\"}",
        "{\"at\":1,\"run\":1}",
        "{\"at\":1,\"pause\":-1}",
        "{\"at\":1,\"pause\":\"long\"}",
        "{\"at\":1,\"restart\":null}",
        "{\"at\":1,\"alert\":5}",
        "{\"at\":1,\"forget\":null}",
    };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct trace_event read;
        json_t *line;
        struct err e;
        ck_assert_msg(trace_parse(bad[i], strlen(bad[i]), &read, &line, &e) < 0, "%s", bad[i]);
        ck_assert_int_eq(e.code, ERR_PROTOCOL);
        ck_assert_ptr_null(line);
    }
}
END_TEST

START_TEST(empty_lines_and_comments_are_passed_over)
{
    static const char *const nothing[] = {"", "   \t", "# a word", "  # a word"};
    for (size_t i = 0; i < ARRAY_SIZE(nothing); i++) {
        struct trace_event read;
        json_t *line;
        ck_assert_int_eq(trace_parse(nothing[i], strlen(nothing[i]), &read, &line, NULL), 0);
        ck_assert_ptr_null(line);
    }
}
END_TEST

/* --- replaying -------------------------------------------------------------------------------- */

static void count(void *data, const struct decision *decision, const struct moment *now)
{
    (void)now;
    *(int *)data += decision->kind == DECISION_NOTIFY;
}

static int replay(const char *text, struct err *e)
{
    int notified = 0;
    struct policy_set *set = policy_set_new();
    struct replay_options options = {.run_ms = MINUTE_MS};
    struct replay *replay = replay_new(set, &options, count, &notified);
    int status = replay_text(replay, text, strlen(text), e);
    replay_free(replay);
    policy_set_free(set);
    return status < 0 ? status : notified;
}

START_TEST(a_trace_of_measured_values_only_leads_to_decisions)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    buf_puts(&out, "{\"at\":0,\"trace\":1,\"local\":0}\n# a comment\n\n");
    for (int at = 0; at < 60000; at += 2000)
        buf_printf(&out,
                   "{\"at\":%d,\"observe\":\"connections.usable\",\"value\":27}\n"
                   "{\"at\":%d,\"observe\":\"connections.used\",\"value\":21}\n",
                   at, at);
    struct err e;
    ck_assert_int_eq(replay(buf_text(&out), &e), 1); /* alert-utilization: 78 % */
    buf_free(&out);
}
END_TEST

START_TEST(a_text_that_goes_wrong_names_the_line)
{
    struct err e;
    ck_assert_int_lt(replay("{\"at\":5,\"step\":true}\n\n{\"at\":4,\"step\":true}\n", &e), 0);
    unit_assert_has(e.text, "line 3: time goes back from 5 to 4");
    ck_assert_int_lt(
        replay("{\"at\":5,\"step\":true}\n{\"at\":5,\"observe\":\"no.such\",\"value\":1}", &e), 0);
    unit_assert_has(e.text, "line 2: observation 'no.such': no such name");
    ck_assert_int_lt(replay("{\"at\":5,\"forget\":\"no.such\"}", &e), 0);
    ck_assert_int_lt(replay("nonsense", &e), 0);
    unit_assert_has(e.text, "line 1: ");
    ck_assert_int_eq(replay("", &e), 0);
}
END_TEST

/* A run is under way when the daemon goes, and has ended when it comes back. */
START_TEST(a_run_that_ends_while_the_daemon_is_away_is_found_ended)
{
    struct err e;
    ck_assert_int_ge(
        replay("{\"at\":0,\"trace\":1,\"local\":0}\n"
               "{\"at\":40000,\"observe\":\"connections.utilization\",\"value\":0.65}\n"
               "{\"at\":40000,\"observe\":\"connections.longest_idle\",\"value\":90000}\n"
               "{\"at\":41000,\"restart\":300000}\n"
               "{\"at\":345000,\"step\":true}\n"
               /* another boot, a minute later */
               "{\"at\":2000,\"trace\":1,\"local\":405000}\n"
               "{\"at\":900000,\"step\":true}\n",
               &e),
        0);
}
END_TEST

UNIT_MAIN("trace", every_event_survives_a_round_trip, a_line_that_is_none_is_refused,
          empty_lines_and_comments_are_passed_over,
          a_trace_of_measured_values_only_leads_to_decisions, a_text_that_goes_wrong_names_the_line,
          a_run_that_ends_while_the_daemon_is_away_is_found_ended)
