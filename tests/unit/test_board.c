/* The board and the table of observations: what is kept, what is refused, what grows stale. */
#include "policies/board.h"

#include "policies/moment.h"
#include "unit.h"

#include <math.h>

static const struct observation_kind *kind_of(const char *name)
{
    const char *parameter;
    size_t len;
    const struct observation_kind *kind = observation_find(name, strlen(name), &parameter, &len);
    ck_assert_ptr_nonnull(kind);
    return kind;
}

static const struct series *series_of(const struct board *board, const char *name,
                                      const char *parameter)
{
    const struct series *series = board_find(board, kind_of(name), parameter);
    ck_assert_ptr_nonnull(series);
    return series;
}

static double newest(const struct board *board, const char *name, const char *parameter)
{
    return series_sample(series_of(board, name, parameter), 0)->number;
}

START_TEST(a_name_that_is_wrong_is_refused_and_nothing_is_kept)
{
    struct board *board = board_new();
    struct err e;
    ck_assert_int_lt(board_set_number(board, "connections.usd", 0, 1, &e), 0);
    unit_assert_has(e.text, "no such name");
    ck_assert_int_lt(board_set_word(board, "service.health", 0, "healthy", &e), 0);
    unit_assert_has(e.text, "which service?");
    ck_assert_int_lt(board_set_number(board, "database.state", 0, 1, &e), 0);
    unit_assert_has(e.text, "it is a word");
    ck_assert_int_lt(board_set_word(board, "connections.used", 0, "many", &e), 0);
    unit_assert_has(e.text, "it is a number");
    ck_assert_int_lt(board_set_number(board, "connections(a).used", 0, 1, &e), 0);
    ck_assert_int_lt(board_set_number(board, "service().running", 0, 1, &e), 0);
    ck_assert_int_lt(board_set_number(board, "service(a.running", 0, 1, &e), 0);
    ck_assert_int_lt(board_set_number(board, "connections.used", 0, NAN, &e), 0);
    ck_assert_int_lt(board_set_number(board, "connections.used", 0, INFINITY, &e), 0);
    ck_assert_uint_eq(board_count(board), 0);
    board_free(board);
}
END_TEST

START_TEST(a_late_sample_is_dropped_and_one_of_the_same_instant_replaces)
{
    struct board *board = board_new();
    board_set_number(board, "connections.used", 1000, 5, NULL);
    board_set_number(board, "connections.used", 999, 7, NULL);
    ck_assert_double_eq(newest(board, "connections.used", NULL), 5);
    board_set_number(board, "connections.used", 1000, 8, NULL);
    ck_assert_double_eq(newest(board, "connections.used", NULL), 8);
    ck_assert_ptr_null(series_sample(series_of(board, "connections.used", NULL), 1));
    board_set_word(board, "database.state", 1000, "ready", NULL);
    board_set_word(board, "database.state", 1000, "hung", NULL);
    board_set_word(board, "database.state", 10, "refused", NULL);
    ck_assert_str_eq(series_sample(series_of(board, "database.state", NULL), 0)->word, "hung");
    board_free(board);
}
END_TEST

START_TEST(history_is_short_and_in_order)
{
    struct board *board = board_new();
    for (int i = 0; i < 3 * SERIES_HISTORY; i++)
        board_set_number(board, "connections.used", i, i, NULL);
    const struct series *series = series_of(board, "connections.used", NULL);
    for (int age = 0; age < SERIES_HISTORY; age++)
        ck_assert_double_eq(series_sample(series, (size_t)age)->number,
                            3 * SERIES_HISTORY - 1 - age);
    ck_assert_ptr_null(series_sample(series, SERIES_HISTORY));
    board_free(board);
}
END_TEST

START_TEST(a_family_is_ordered_and_can_be_forgotten_in_part_or_whole)
{
    struct board *board = board_new();
    static const char *const services[] = {"worker", "backend", "cache", "backend-2"};
    char name[OBSERVATION_NAME_MAX];
    const struct observation_kind *kind = kind_of("service.health");
    const struct series *const *family;
    for (size_t i = 0; i < ARRAY_SIZE(services); i++)
        board_set_word(board, observation_name(kind, services[i], name), 0, "healthy", NULL);
    board_set_number(board, "connections.used", 0, 1, NULL);
    ck_assert_uint_eq(board_family(board, kind, &family), 4);
    ck_assert_str_eq(series_parameter(family[0]), "backend");
    ck_assert_str_eq(series_parameter(family[3]), "worker");
    board_forget(board, "service(backend).health");
    ck_assert_uint_eq(board_family(board, kind, &family), 3);
    ck_assert_str_eq(series_parameter(family[0]), "backend-2");
    board_forget(board, "service.health");
    ck_assert_uint_eq(board_family(board, kind, &family), 0);
    ck_assert_double_eq(newest(board, "connections.used", NULL), 1);
    board_forget(board, "no such thing");
    /* It can be told again. */
    board_set_word(board, "service(a).health", 1, "starting", NULL);
    ck_assert_uint_eq(board_family(board, kind, &family), 1);
    board_free(board);
}
END_TEST

START_TEST(sampled_values_age_and_standing_ones_do_not)
{
    struct board *board = board_new();
    board_set_number(board, "connections.used", 1000, 5, NULL);
    board_set_word(board, "service(a).health", 1000, "healthy", NULL);
    const struct series *used = series_of(board, "connections.used", NULL);
    const struct series *health = series_of(board, "service.health", "a");
    ck_assert_ptr_nonnull(series_fresh(used, 1000 + MINUTE_MS - 1, INT64_MIN));
    ck_assert_ptr_null(series_fresh(used, 1000 + MINUTE_MS, INT64_MIN));
    ck_assert_ptr_null(series_fresh(used, 1001, 1001));
    ck_assert_ptr_nonnull(series_fresh(health, 30 * DAY_MS, 1001));
    ck_assert_int_eq(series_stale_at_ms(used), 1000 + MINUTE_MS);
    ck_assert(series_stale_at_ms(health) == NEVER);
    board_free(board);
}
END_TEST

START_TEST(a_board_has_an_end)
{
    struct board *board = board_new();
    struct err e;
    char name[OBSERVATION_NAME_MAX];
    for (int i = 0; i < BOARD_SERIES_MAX; i++) {
        snprintf(name, sizeof name, "container(c%d).connections", i);
        ck_assert_int_eq(board_set_number(board, name, 0, 1, &e), 0);
    }
    ck_assert_int_eq(board_set_number(board, "connections.used", 0, 1, &e), -(int)ERR_EXHAUSTED);
    ck_assert_int_eq(board_set_number(board, "container(c7).connections", 1, 1, &e), 0);
    board_free(board);
}
END_TEST

START_TEST(a_board_survives_as_json)
{
    struct board *board = board_new();
    board_set_number(board, "connections.used", 1000, 5, NULL);
    board_set_number(board, "connections.used", 2000, 6.5, NULL);
    board_set_number(board, "service(a).running", 2000, 1, NULL);
    board_set_word(board, "service(a).health", 2000, "unhealthy", NULL);
    CLEANUP_JSON json_t *saved = board_save(board);
    struct board *other = board_new();
    board_restore(other, saved, -500);
    CLEANUP_JSON json_t *before = board_json(board, 2000);
    CLEANUP_JSON json_t *after = board_json(other, 1500);
    ck_assert(json_equal(before, after));
    ck_assert_int_eq(series_sample(series_of(other, "connections.used", NULL), 1)->at_ms, 500);
    board_free(other);
    board_free(board);
}
END_TEST

/* UBSan would tell of a sum that is none. */
START_TEST(instants_that_no_clock_can_show_do_no_harm)
{
    struct board *board = board_new();
    CLEANUP_JSON json_t *saved =
        unit_json("{'connections.used': [[-9223372036854775807, 1], [9223372036854775806, 2]]}");
    board_restore(board, saved, 5000);
    ck_assert_double_eq(newest(board, "connections.used", NULL), 2);
    CLEANUP_JSON json_t *shown = board_json(board, 1000);
    ck_assert_uint_eq(json_array_size(shown), 1);
    board_free(board);
}
END_TEST

START_TEST(what_is_no_saved_board_is_passed_over)
{
    struct board *board = board_new();
    CLEANUP_JSON json_t *saved = unit_json(
        "{'connections.used': [[1, 'many'], ['x', 3], 7, [5, {}], [6, null], [7, 3.5]],"
        " 'no.such': [[1, 2]], 'database.state': [[1, 3], [2, 'ready']], 'service.health': 4}");
    board_restore(board, saved, 0);
    board_restore(board, NULL, 0);
    ck_assert_double_eq(newest(board, "connections.used", NULL), 3.5);
    ck_assert_ptr_null(series_sample(series_of(board, "connections.used", NULL), 1));
    ck_assert_uint_eq(board_count(board), 2);
    board_free(board);
}
END_TEST

START_TEST(values_read_as_people_write_them)
{
    static const struct {
        const char *name;
        double number;
        const char *text;
    } rows[] = {
        {"connections.utilization", 0.714, "71.4%"},
        {"connections.utilization", 0.6, "60%"},
        {"connections.growth", -0.01, "0/min"},
        {"connections.growth", 12.25, "12.3/min"},
        {"connections.longest_idle", 90000, "1m30s"},
        {"connections.longest_idle", -5, "0ms"},
        {"connections.longest_idle", 1e300, "3650d00h"},
        {"connections.storm", 1, "true"},
        {"connections.used", 27, "27"},
    };
    char text[OBSERVATION_TEXT_MAX];
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        ck_assert_str_eq(observation_text(kind_of(rows[i].name), rows[i].number, NULL, text),
                         rows[i].text);
}
END_TEST

START_TEST(every_kind_is_found_by_its_name_and_means_something)
{
    char name[OBSERVATION_NAME_MAX];
    const char *parameter;
    size_t len;
    for (size_t i = 0; observation_kind_at(i); i++) {
        const struct observation_kind *kind = observation_kind_at(i);
        ck_assert_ptr_eq(kind_of(kind->name), kind);
        ck_assert_ptr_nonnull(strchr(kind->name, '.'));
        ck_assert_uint_gt(strlen(kind->doc), 5);
        observation_name(kind, kind->parameter ? "x-1" : NULL, name);
        ck_assert_ptr_eq(observation_find(name, strlen(name), &parameter, &len), kind);
        ck_assert_int_eq(parameter != NULL, kind->parameter != NULL);
    }
}
END_TEST

UNIT_MAIN("board", a_name_that_is_wrong_is_refused_and_nothing_is_kept,
          a_late_sample_is_dropped_and_one_of_the_same_instant_replaces,
          history_is_short_and_in_order, a_family_is_ordered_and_can_be_forgotten_in_part_or_whole,
          sampled_values_age_and_standing_ones_do_not, a_board_has_an_end, a_board_survives_as_json,
          instants_that_no_clock_can_show_do_no_harm, what_is_no_saved_board_is_passed_over,
          values_read_as_people_write_them, every_kind_is_found_by_its_name_and_means_something)
