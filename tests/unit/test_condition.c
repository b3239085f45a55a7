/* The condition language: what is read, what is refused and where, and what it comes to. */
#include "policies/condition.h"

#include "base/mem.h"
#include "policies/moment.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

/* Reads the value of `when` in a YAML text of one key. */
static struct condition *read_yaml(const char *yaml, struct diag_list *diags)
{
    diag_init(diags, "f.yaml", yaml);
    struct yaml_node *root = yaml_parse(yaml, strlen(yaml), diags);
    ck_assert_ptr_nonnull(root);
    struct condition *condition = condition_read(yaml_get(root, "when"), "when", diags);
    yaml_node_free(root);
    return condition;
}

static struct condition *read_good(const char *text)
{
    struct diag_list diags;
    CLEANUP_FREE char *yaml = mem_printf("when: %s\n", text);
    struct condition *condition = read_yaml(yaml, &diags);
    CLEANUP_FREE char *shown = diag_format(&diags);
    ck_assert_msg(condition != NULL, "%s", shown);
    diag_free(&diags);
    return condition;
}

/* The first complaint stands at line:column and has the words. */
static void expect_error_in(const char *yaml, int line, int column, const char *words)
{
    struct diag_list diags;
    struct condition *condition = read_yaml(yaml, &diags);
    CLEANUP_FREE char *shown = diag_format(&diags);
    ck_assert_msg(condition == NULL && diags.count > 0, "no error in %s", yaml);
    ck_assert_msg(strstr(diags.items[0].text, words) != NULL, "'%s' not in:\n%s", words, shown);
    ck_assert_msg(diags.items[0].line == line && diags.items[0].column == column,
                  "expected %d:%d:\n%s", line, column, shown);
    diag_free(&diags);
}

/* Column of the condition's own text, from 1. */
static void expect_error(const char *text, int column, const char *words)
{
    CLEANUP_FREE char *yaml = mem_printf("when: %s\n", text);
    expect_error_in(yaml, 1, column + (int)strlen("when: "), words);
}

static enum truth eval_at(const struct condition *condition, struct condition_state *state,
                          const struct board *board, int64_t now_ms)
{
    return condition_eval(condition, state, board, now_ms, INT64_MIN);
}

static enum truth eval_once(const char *text, const struct board *board, int64_t now_ms)
{
    struct condition *condition = read_good(text);
    struct condition_state *state = condition_state_new(condition);
    enum truth truth = eval_at(condition, state, board, now_ms);
    condition_state_free(state);
    condition_free(condition);
    return truth;
}

static void number(struct board *board, const char *name, int64_t at_ms, double value)
{
    struct err e;
    ck_assert_msg(board_set_number(board, name, at_ms, value, &e) == 0, "%s", e.text);
}

static void word(struct board *board, const char *name, int64_t at_ms, const char *value)
{
    struct err e;
    ck_assert_msg(board_set_word(board, name, at_ms, value, &e) == 0, "%s", e.text);
}

/* --- errors ----------------------------------------------------------------------------------- */

START_TEST(an_unknown_name_is_told_with_the_one_that_was_meant)
{
    expect_error("connections.utilisation > 60%", 1, "did you mean 'connections.utilization'?");
    expect_error("database.state == ready and connections.usd > 3", 29,
                 "did you mean 'connections.used'?");
    expect_error("service(backend).helth == healthy", 1, "did you mean 'service(…).health'?");
    expect_error("zebra > 1", 1, "'supervisorctl observations' shows all");
}
END_TEST

START_TEST(a_literal_of_the_wrong_unit_is_told_at_its_place)
{
    expect_error("connections.utilization > 60", 27, "did you mean '60%'?");
    expect_error("connections.utilization > 160%", 27, "lies between 0% and 100%");
    expect_error("connections.used > 60%", 20, "a number such as 15");
    expect_error("connections.longest_idle > 5", 28, "a duration such as 30s");
    expect_error("connections.growth > 5/day", 22, "a rate such as 10/min");
    expect_error("connections.storm == maybe", 22, "true or false");
    expect_error("connections.used > 0x10", 20, "a number such as 15");
    expect_error("connections.used > 1e3", 20, "a number such as 15");
    expect_error("database.state == redy", 19, "did you mean 'ready'?");
    expect_error("database.state > ready", 16, "has no order");
}
END_TEST

START_TEST(a_fault_of_form_is_told_where_it_stands)
{
    expect_error("connections.used = 3", 18, "did you mean '=='?");
    expect_error("connections.used > ", 19, "the condition ends here");
    expect_error("connections.used", 17, "expected one of > >= < <= == !=");
    expect_error("(connections.used > 3", 22, "expected 'and', 'or' or ')'");
    expect_error("connections.used > 3 xor connections.used > 4", 22, "found 'xor'");
    expect_error("connections.used > 3 for ever", 26, "expected a duration");
    expect_error("connections.used > 3 and", 25, "expected an observation");
    expect_error("and connections.used > 3", 1, "found 'and'");
    expect_error("connections.used > 3 5 of 3", 22, "5 of 3 can never be");
    expect_error("(connections.used > 3 and connections.idle > 1) 1 of 3", 49,
                 "one comparison only");
    expect_error("database.state == 'ready", 19, "never shut");
}
END_TEST

START_TEST(a_parameter_is_asked_for_or_refused)
{
    expect_error("service.health == healthy", 1,
                 "say service(NAME).health, or 'any service.health'");
    expect_error("any database.state == ready", 5, "only one database.state");
    expect_error("any service(a).health == healthy", 5, "without a name");
    expect_error("connections(a).used > 3", 1, "unknown observation");
}
END_TEST

START_TEST(a_caret_finds_its_way_into_every_form_of_scalar)
{
    expect_error_in("when: 'connections.usd > 3'\n", 1, 8, "connections.usd");
    expect_error_in("when: \"database.state == \\\"redy\\\"\"\n", 1, 28, "redy");
    expect_error_in("when: >-\n  connections.used > 3\n  and connections.usd > 3\n", 3, 7,
                    "connections.usd");
    expect_error_in("when: |\n  connections.used > 3 and\n\n    connections.usd > 3\n", 4, 5,
                    "connections.usd");
    expect_error_in("when: connections.used > 3\n      and connections.usd > 3\n", 2, 11,
                    "connections.usd");
    /* Columns count characters: ü and ß are one each. */
    expect_error_in("{größe: müßig, when: connections.usd > 3}\n", 1, 22, "connections.usd");
}
END_TEST

START_TEST(all_faults_of_meaning_are_told_at_once)
{
    struct diag_list diags;
    ck_assert_ptr_null(read_yaml(
        "when: connections.usd > 3 or database.state == redy or connections.idle > 3%\n", &diags));
    ck_assert_uint_eq(diags.count, 3);
    CLEANUP_FREE char *shown = diag_format(&diags);
    ck_assert_ptr_nonnull(strstr(shown, "f.yaml:1:7: error: when: unknown observation"));
    diag_free(&diags);
}
END_TEST

START_TEST(nesting_and_length_have_an_end)
{
    char deep[256] = "";
    memset(deep, '(', 100);
    expect_error(deep, 33, "less nesting");
    CLEANUP_FREE char *yaml = mem_new(6000);
    memcpy(yaml, "when: ", 6);
    memset(yaml + 6, 'a', 5000);
    expect_error_in(yaml, 1, 7, "longer than 4096");
}
END_TEST

/* --- outcomes --------------------------------------------------------------------------------- */

START_TEST(units_are_what_people_write)
{
    struct board *board = board_new();
    number(board, "connections.utilization", 0, 0.6);
    number(board, "connections.growth", 0, 12);
    number(board, "connections.longest_idle", 0, 90000);
    number(board, "connections.storm", 0, 1);
    ck_assert_int_eq(eval_once("connections.utilization > 60%", board, 0), TRUTH_FALSE);
    ck_assert_int_eq(eval_once("connections.utilization >= 60%", board, 0), TRUTH_TRUE);
    ck_assert_int_eq(eval_once("connections.utilization >= 0.6", board, 0), TRUTH_TRUE);
    ck_assert_int_eq(eval_once("connections.growth >= 0.2/s", board, 0), TRUTH_TRUE);
    ck_assert_int_eq(eval_once("connections.growth > 12/min", board, 0), TRUTH_FALSE);
    ck_assert_int_eq(eval_once("connections.growth > -3", board, 0), TRUTH_TRUE);
    ck_assert_int_eq(eval_once("connections.longest_idle == 1m30s", board, 0), TRUTH_TRUE);
    ck_assert_int_eq(eval_once("connections.storm", board, 0), TRUTH_TRUE);
    ck_assert_int_eq(eval_once("connections.storm == false", board, 0), TRUTH_FALSE);
    ck_assert_int_eq(eval_once("not connections.storm", board, 0), TRUTH_FALSE);
    board_free(board);
}
END_TEST

START_TEST(unknown_is_neither_true_nor_false)
{
    struct board *board = board_new();
    number(board, "connections.used", 0, 5);
    static const struct {
        const char *text;
        enum truth truth;
    } rows[] = {
        {"connections.idle > 1", TRUTH_UNKNOWN},
        {"not connections.idle > 1", TRUTH_UNKNOWN},
        {"connections.idle > 1 and connections.used > 9", TRUTH_FALSE},
        {"connections.idle > 1 and connections.used > 1", TRUTH_UNKNOWN},
        {"connections.idle > 1 or connections.used > 1", TRUTH_TRUE},
        {"connections.idle > 1 or connections.used > 9", TRUTH_UNKNOWN},
        {"any service.health == unhealthy", TRUTH_UNKNOWN},
        {"all service.health == healthy", TRUTH_UNKNOWN},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        ck_assert_msg(eval_once(rows[i].text, board, 0) == rows[i].truth, "%s", rows[i].text);
    board_free(board);
}
END_TEST

START_TEST(a_sampled_value_goes_stale_and_a_standing_one_does_not)
{
    struct board *board = board_new();
    number(board, "connections.used", 1000, 5);
    word(board, "service(a).health", 1000, "unhealthy");
    int64_t edge = 1000 + MINUTE_MS;
    ck_assert_int_eq(eval_once("connections.used > 1", board, edge - 1), TRUTH_TRUE);
    ck_assert_int_eq(eval_once("connections.used > 1", board, edge), TRUTH_UNKNOWN);
    ck_assert_int_eq(eval_once("service(a).health == unhealthy", board, DAY_MS), TRUTH_TRUE);
    board_forget(board, "service.health");
    ck_assert_int_eq(eval_once("service(a).health == unhealthy", board, DAY_MS), TRUTH_UNKNOWN);
    board_free(board);
}
END_TEST

START_TEST(any_and_all_look_at_the_whole_family)
{
    struct board *board = board_new();
    word(board, "service(a).health", 0, "healthy");
    word(board, "service(b).health", 0, "unhealthy");
    word(board, "service(c-3).health", 0, "healthy");
    ck_assert_int_eq(eval_once("any service.health == unhealthy", board, 0), TRUTH_TRUE);
    ck_assert_int_eq(eval_once("all service.health == healthy", board, 0), TRUTH_FALSE);
    ck_assert_int_eq(eval_once("not any service.health == starting", board, 0), TRUTH_TRUE);
    word(board, "service(b).health", 1, "healthy");
    ck_assert_int_eq(eval_once("all service.health == healthy", board, 1), TRUTH_TRUE);
    ck_assert_int_eq(eval_once("service(c-3).health != unhealthy", board, 1), TRUTH_TRUE);
    board_free(board);
}
END_TEST

START_TEST(and_binds_before_or_and_not_before_both)
{
    struct board *board = board_new();
    number(board, "connections.used", 0, 5);
    ck_assert_int_eq(
        eval_once("connections.used > 1 or connections.used > 9 and connections.used > 9", board,
                  0),
        TRUTH_TRUE);
    ck_assert_int_eq(
        eval_once("(connections.used > 1 or connections.used > 9) and connections.used > 9", board,
                  0),
        TRUTH_FALSE);
    ck_assert_int_eq(eval_once("not connections.used > 9 and connections.used > 1", board, 0),
                     TRUTH_TRUE);
    ck_assert_int_eq(eval_once("not not(connections.used > 9)", board, 0), TRUTH_FALSE);
    board_free(board);
}
END_TEST

START_TEST(for_holds_at_its_very_millisecond_and_begins_anew_after_a_gap)
{
    struct board *board = board_new();
    struct condition *condition = read_good("connections.used > 3 for 15s");
    struct condition_state *state = condition_state_new(condition);
    number(board, "connections.used", 1000, 5);
    ck_assert_int_eq(eval_at(condition, state, board, 1000), TRUTH_FALSE);
    ck_assert_int_eq(condition_next_change_ms(condition, state, board, 1000), 16000);
    ck_assert_int_eq(eval_at(condition, state, board, 15999), TRUTH_FALSE);
    ck_assert_int_eq(eval_at(condition, state, board, 16000), TRUTH_TRUE);
    /* The value goes stale: a gap. */
    ck_assert_int_eq(condition_next_change_ms(condition, state, board, 16000), 61000);
    ck_assert_int_eq(eval_at(condition, state, board, 61000), TRUTH_UNKNOWN);
    number(board, "connections.used", 61001, 5);
    ck_assert_int_eq(eval_at(condition, state, board, 61001), TRUTH_FALSE);
    ck_assert_int_eq(eval_at(condition, state, board, 76001), TRUTH_TRUE);
    condition_state_free(state);
    condition_free(condition);
    board_free(board);
}
END_TEST

START_TEST(n_of_m_counts_samples_not_steps)
{
    struct board *board = board_new();
    struct condition *condition = read_good("connections.used > 3 3 of 5");
    struct condition_state *state = condition_state_new(condition);
    static const int values[] = {9, 9, 1, 1, 9, 1, 1, 9, 9, 9};
    static const enum truth expected[] = {TRUTH_FALSE, TRUTH_FALSE, TRUTH_FALSE, TRUTH_FALSE,
                                          TRUTH_TRUE,  TRUTH_FALSE, TRUTH_FALSE, TRUTH_FALSE,
                                          TRUTH_TRUE,  TRUTH_TRUE};
    for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
        int64_t at_ms = (int64_t)i * 1000;
        number(board, "connections.used", at_ms, values[i]);
        for (int again = 0; again < 3; again++)
            ck_assert_msg(eval_at(condition, state, board, at_ms + again) == expected[i],
                          "sample %zu", i);
    }
    condition_state_free(state);
    condition_free(condition);
    board_free(board);
}
END_TEST

START_TEST(n_of_m_sees_samples_that_came_between_two_steps)
{
    struct board *board = board_new();
    struct condition *condition = read_good("connections.used > 3 2 of 3");
    struct condition_state *state = condition_state_new(condition);
    number(board, "connections.used", 1, 9);
    number(board, "connections.used", 2, 9);
    number(board, "connections.used", 3, 1);
    ck_assert_int_eq(eval_at(condition, state, board, 3), TRUTH_TRUE);
    condition_state_free(state);
    condition_free(condition);
    board_free(board);
}
END_TEST

START_TEST(n_of_m_begins_anew_after_a_gap)
{
    struct board *board = board_new();
    struct condition *condition = read_good("connections.used > 3 2 of 3");
    struct condition_state *state = condition_state_new(condition);
    number(board, "connections.used", 1000, 9);
    ck_assert_int_eq(eval_at(condition, state, board, 1000), TRUTH_FALSE);
    ck_assert_int_eq(eval_at(condition, state, board, 61000), TRUTH_UNKNOWN);
    number(board, "connections.used", 3600000, 9);
    ck_assert_int_eq(eval_at(condition, state, board, 3600000), TRUTH_FALSE);
    number(board, "connections.used", 3602000, 9);
    ck_assert_int_eq(eval_at(condition, state, board, 3602000), TRUTH_TRUE);
    condition_state_free(state);
    condition_free(condition);
    board_free(board);
}
END_TEST

START_TEST(not_for_means_that_it_has_not_been_for_so_long)
{
    struct board *board = board_new();
    struct condition *condition = read_good("not any service.health == unhealthy for 10s");
    struct condition_state *state = condition_state_new(condition);
    word(board, "service(a).health", 0, "unhealthy");
    ck_assert_int_eq(eval_at(condition, state, board, 0), TRUTH_FALSE);
    word(board, "service(a).health", 5000, "healthy");
    ck_assert_int_eq(eval_at(condition, state, board, 5000), TRUTH_FALSE);
    ck_assert_int_eq(condition_next_change_ms(condition, state, board, 5000), 15000);
    ck_assert_int_eq(eval_at(condition, state, board, 15000), TRUTH_TRUE);
    condition_state_free(state);
    condition_free(condition);
    /* Whoever wants the other says so. */
    ck_assert_int_eq(eval_once("not (any service.health == healthy for 10s)", board, 15000),
                     TRUTH_TRUE);
    board_free(board);
}
END_TEST

START_TEST(the_instant_knows_neither_for_nor_of)
{
    struct board *board = board_new();
    struct condition *condition =
        read_good("connections.used > 3 for 1h or connections.idle > 3 5 of 5");
    number(board, "connections.used", 0, 1);
    number(board, "connections.idle", 0, 5);
    ck_assert_int_eq(condition_now(condition, board, 0, INT64_MIN), TRUTH_TRUE);
    number(board, "connections.idle", 1, 1);
    ck_assert_int_eq(condition_now(condition, board, 1, INT64_MIN), TRUTH_FALSE);
    ck_assert_int_eq(condition_now(condition, board, 1, 1), TRUTH_UNKNOWN);
    number(board, "connections.used", 1, 5);
    ck_assert_int_eq(condition_now(condition, board, 1, 1), TRUTH_TRUE);
    condition_free(condition);
    board_free(board);
}
END_TEST

START_TEST(what_for_and_of_remember_survives_as_json)
{
    struct board *board = board_new();
    struct condition *condition =
        read_good("connections.used > 3 for 15s and connections.idle > 1 2 of 3");
    struct condition_state *state = condition_state_new(condition);
    number(board, "connections.used", 1000, 5);
    number(board, "connections.idle", 1000, 5);
    eval_at(condition, state, board, 1000);
    json_t *saved = condition_state_save(state);
    struct condition_state *restored = condition_state_new(condition);
    condition_state_restore(restored, saved, 500);
    number(board, "connections.idle", 2000, 5);
    ck_assert_int_eq(eval_at(condition, restored, board, 16499), TRUTH_FALSE);
    ck_assert_int_eq(eval_at(condition, restored, board, 16500), TRUTH_TRUE);
    json_decref(saved);
    condition_state_free(restored);
    condition_state_free(state);
    condition_free(condition);
    board_free(board);
}
END_TEST

START_TEST(what_was_measured_before_the_cut_is_unknown)
{
    struct board *board = board_new();
    struct condition *condition = read_good("connections.used > 3");
    number(board, "connections.used", 1000, 5);
    word(board, "service(a).health", 1000, "healthy");
    ck_assert_int_eq(condition_eval(condition, NULL, board, 2000, 1001), TRUTH_UNKNOWN);
    ck_assert_int_eq(condition_eval(condition, NULL, board, 2000, 1000), TRUTH_TRUE);
    condition_free(condition);
    condition = read_good("service(a).health == healthy");
    ck_assert_int_eq(condition_eval(condition, NULL, board, 2000, 1001), TRUTH_TRUE);
    condition_free(condition);
    board_free(board);
}
END_TEST

/* --- explaining ------------------------------------------------------------------------------- */

static void assert_explained(const struct board *board, const char *text, const char *expected)
{
    struct buf out;
    struct condition *condition = read_good(text);
    buf_init(&out, 1024);
    condition_explain(condition, board, 250, INT64_MIN, &out);
    ck_assert_str_eq(buf_text(&out), expected);
    buf_free(&out);
    condition_free(condition);
}

START_TEST(a_sentence_tells_what_decided_and_nothing_else)
{
    struct board *board = board_new();
    number(board, "connections.utilization", 0, 0.713);
    number(board, "connections.used", 0, 3);
    word(board, "service(a).health", 0, "unhealthy");
    /* true: the true side of an `or`; both sides of an `and` */
    assert_explained(board, "connections.used > 5 or connections.utilization > 60%",
                     "connections.utilization is 71.3% (> 60%)");
    assert_explained(board, "connections.used < 5 and connections.utilization > 60%",
                     "connections.used is 3 (< 5), connections.utilization is 71.3% (> 60%)");
    /* false: the other way round */
    assert_explained(board, "connections.used > 5 and connections.utilization > 60%",
                     "connections.used is 3 (> 5)");
    assert_explained(board, "connections.used > 5 or connections.utilization > 90%",
                     "connections.used is 3 (> 5), connections.utilization is 71.3% (> 90%)");
    /* unknown: what is not known */
    assert_explained(board, "database.state == ready and connections.utilization > 60%",
                     "database.state is unknown (== ready)");
    /* a `not` is told by its opposite */
    assert_explained(board, "not connections.used > 5", "connections.used is 3 (<= 5)");
    assert_explained(board, "not (any service.health == unhealthy or connections.used > 5)",
                     "service(a).health is unhealthy (not any == unhealthy)");
    board_free(board);
}
END_TEST

START_TEST(a_sentence_shows_the_values)
{
    struct board *board = board_new();
    struct condition *condition = read_good("connections.utilization > 60% and database.state == "
                                            "ready or any service.health == unhealthy");
    number(board, "connections.utilization", 0, 0.713);
    word(board, "service(a).health", 0, "healthy");
    word(board, "service(b).health", 0, "unhealthy");
    struct buf out;
    buf_init(&out, 1024);
    condition_explain(condition, board, 250, INT64_MIN, &out);
    ck_assert_str_eq(buf_text(&out), "service(b).health is unhealthy (any == unhealthy)");
    json_t *values = condition_values(condition, board, 250, INT64_MIN);
    ck_assert_uint_eq(json_array_size(values), 3);
    ck_assert_str_eq(json_text_at(json_array_get(values, 0), "outcome", ""), "true");
    ck_assert_str_eq(json_text_at(json_array_get(values, 1), "outcome", ""), "unknown");
    ck_assert_int_eq(json_int_at(json_array_get(values, 0), "age_ms", 0), 250);
    json_decref(values);
    buf_free(&out);
    condition_free(condition);
    board_free(board);
}
END_TEST

START_TEST(the_observations_asked_for_can_be_listed)
{
    struct condition *condition =
        read_good("connections.used > 1 and (service(a).health == healthy or any service.running)");
    const struct observation_kind *kind;
    const char *parameter;
    ck_assert(condition_asks(condition, 1, &kind, &parameter));
    ck_assert_str_eq(kind->name, "service.health");
    ck_assert_str_eq(parameter, "a");
    ck_assert(condition_asks(condition, 2, &kind, &parameter));
    ck_assert_str_eq(parameter, "");
    ck_assert(!condition_asks(condition, 3, &kind, &parameter));
    condition_free(condition);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("condition");
    TCase *errors = tcase_create("errors");
    tcase_add_test(errors, an_unknown_name_is_told_with_the_one_that_was_meant);
    tcase_add_test(errors, a_literal_of_the_wrong_unit_is_told_at_its_place);
    tcase_add_test(errors, a_fault_of_form_is_told_where_it_stands);
    tcase_add_test(errors, a_parameter_is_asked_for_or_refused);
    tcase_add_test(errors, a_caret_finds_its_way_into_every_form_of_scalar);
    tcase_add_test(errors, all_faults_of_meaning_are_told_at_once);
    tcase_add_test(errors, nesting_and_length_have_an_end);
    suite_add_tcase(suite, errors);
    TCase *outcomes = tcase_create("outcomes");
    tcase_add_test(outcomes, units_are_what_people_write);
    tcase_add_test(outcomes, unknown_is_neither_true_nor_false);
    tcase_add_test(outcomes, a_sampled_value_goes_stale_and_a_standing_one_does_not);
    tcase_add_test(outcomes, any_and_all_look_at_the_whole_family);
    tcase_add_test(outcomes, and_binds_before_or_and_not_before_both);
    tcase_add_test(outcomes, for_holds_at_its_very_millisecond_and_begins_anew_after_a_gap);
    tcase_add_test(outcomes, n_of_m_counts_samples_not_steps);
    tcase_add_test(outcomes, n_of_m_sees_samples_that_came_between_two_steps);
    tcase_add_test(outcomes, n_of_m_begins_anew_after_a_gap);
    tcase_add_test(outcomes, not_for_means_that_it_has_not_been_for_so_long);
    tcase_add_test(outcomes, the_instant_knows_neither_for_nor_of);
    tcase_add_test(outcomes, what_for_and_of_remember_survives_as_json);
    tcase_add_test(outcomes, what_was_measured_before_the_cut_is_unknown);
    suite_add_tcase(suite, outcomes);
    TCase *explaining = tcase_create("explaining");
    tcase_add_test(explaining, a_sentence_tells_what_decided_and_nothing_else);
    tcase_add_test(explaining, a_sentence_shows_the_values);
    tcase_add_test(explaining, the_observations_asked_for_can_be_listed);
    suite_add_tcase(suite, explaining);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
