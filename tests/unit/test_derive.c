/* What follows from measured values: growth, time left, storms, and who leaks – never a guess. */
#include "policies/derive.h"

#include "policies/moment.h"
#include "unit.h"

static const struct series *find(const struct board *board, const char *name, const char *parameter)
{
    const char *ignored;
    size_t len;
    return board_find(board, observation_find(name, strlen(name), &ignored, &len), parameter);
}

static double value(const struct board *board, const char *name, const char *parameter)
{
    const struct series *series = find(board, name, parameter);
    ck_assert_msg(series != NULL, "%s is not there", name);
    return series_sample(series, 0)->number;
}

static const char *leaker(const struct board *board)
{
    return series_sample(find(board, "connections.leaker", NULL), 0)->word;
}

static void used(struct board *board, int64_t at_ms, double number)
{
    ck_assert_int_eq(board_set_number(board, "connections.used", at_ms, number, NULL), 0);
}

/* --- growth ----------------------------------------------------------------------------------- */

START_TEST(growth_is_the_median_slope)
{
    struct board *board = board_new();
    double growth;
    for (int i = 0; i < 20; i++)
        used(board, i * 2000, 3 + i); /* one every two seconds */
    ck_assert(derive_growth(find(board, "connections.used", NULL), HOUR_MS, &growth));
    ck_assert_double_eq_tol(growth, 30, 1e-9);
    board_free(board);
}
END_TEST

START_TEST(one_outlier_and_one_cleaning_do_not_bend_it)
{
    struct board *board = board_new();
    double growth;
    for (int i = 0; i < 20; i++)
        used(board, i * 2000, i == 7 ? 90 : i); /* a hiccup */
    ck_assert(derive_growth(find(board, "connections.used", NULL), HOUR_MS, &growth));
    ck_assert_double_eq_tol(growth, 30, 1e-9);
    board_forget(board, "connections.used");
    for (int i = 0; i < 40; i++)
        used(board, i * 2000, i < 30 ? i : i - 20); /* twenty are ended once */
    ck_assert(derive_growth(find(board, "connections.used", NULL), HOUR_MS, &growth));
    ck_assert_double_gt(growth, 0);
    board_free(board);
}
END_TEST

START_TEST(too_little_says_nothing)
{
    struct board *board = board_new();
    double growth;
    ck_assert(!derive_growth(NULL, HOUR_MS, &growth));
    for (int i = 0; i < 3; i++)
        used(board, i * 10000, i);
    ck_assert(!derive_growth(find(board, "connections.used", NULL), HOUR_MS, &growth));
    used(board, 30000, 3);
    ck_assert(derive_growth(find(board, "connections.used", NULL), HOUR_MS, &growth));
    ck_assert(!derive_growth(find(board, "connections.used", NULL), 15000, &growth));
    board_forget(board, "connections.used");
    for (int i = 0; i < 10; i++)
        used(board, i * 100, i); /* a second in all */
    ck_assert(!derive_growth(find(board, "connections.used", NULL), HOUR_MS, &growth));
    board_free(board);
}
END_TEST

START_TEST(the_time_left_is_that_of_the_present_growth)
{
    double ms;
    ck_assert(derive_time_to_exhaustion(17, 27, 10, &ms));
    ck_assert_double_eq_tol(ms, MINUTE_MS, 1e-6);
    ck_assert(derive_time_to_exhaustion(30, 27, 10, &ms));
    ck_assert_double_eq_tol(ms, 0, 1e-6);
    ck_assert(!derive_time_to_exhaustion(17, 27, 0, &ms));
    ck_assert(!derive_time_to_exhaustion(17, 27, -3, &ms));
    ck_assert(!derive_time_to_exhaustion(17, 27, 0.001, &ms)); /* a week */
}
END_TEST

START_TEST(five_refusals_in_thirty_seconds_are_ten_a_minute)
{
    struct rate rate = {0};
    for (int i = 0; i < 5; i++)
        rate_add(&rate, i * 1000);
    ck_assert_double_eq(rate_per_minute(&rate, 29999), 10);
    ck_assert_double_eq(rate_per_minute(&rate, 30000), 8);
    ck_assert_double_eq(rate_per_minute(&rate, 34000), 0);
    for (int i = 0; i < 3 * RATE_EVENTS_MAX; i++)
        rate_add(&rate, 40000);
    ck_assert_double_eq(rate_per_minute(&rate, 40000), 2 * RATE_EVENTS_MAX);
}
END_TEST

/* --- who holds it ----------------------------------------------------------------------------- */

START_TEST(who_leaks_is_never_a_guess)
{
    static const struct {
        const char *why;
        struct holder holders[3];
        int leaker;
    } rows[] = {
        {"one has leaked nearly all", {{"a", 20, 18, 0}, {"b", 4, 1, 0}, {"c", 3, 0, 0}}, 0},
        {"two share it", {{"a", 10, 9, 0}, {"b", 10, 8, 0}, {"c", 3, 0, 0}}, -1},
        {"two share it, one of them grows", {{"a", 10, 9, 5}, {"b", 10, 8, 0}, {"c", 3, 0, 0}}, 0},
        {"both grow", {{"a", 10, 9, 5}, {"b", 10, 8, 1}, {"c", 3, 0, 0}}, -1},
        {"it holds much and works", {{"a", 20, 5, 9}, {"b", 3, 1, 0}, {"c", 3, 0, 0}}, -1},
        {"it is no danger", {{"a", 2, 2, 9}, {"b", 1, 0, 0}, {"c", 1, 0, 0}}, -1},
        {"it has less than its share", {{"a", 4, 4, 0}, {"b", 10, 0, 0}, {"c", 10, 0, 0}}, -1},
        {"nobody holds anything", {{"a", 0, 0, 0}, {"b", 0, 0, 0}, {"c", 0, 0, 0}}, -1},
        {"the second of three", {{"a", 3, 0, 0}, {"b", 20, 18, 0}, {"c", 3, 1, 0}}, 1},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        ck_assert_msg(derive_leaker(rows[i].holders, 3, 27) == rows[i].leaker, "%s", rows[i].why);
    ck_assert_int_eq(derive_leaker(NULL, 0, 27), -1);
    ck_assert_int_eq(derive_leaker(rows[0].holders, 1, 27), 0); /* the only one there is */
    ck_assert_int_eq(derive_leaker(rows[0].holders, 3, 0), -1);
}
END_TEST

static void container(struct board *board, int64_t at_ms, const char *name, double connections,
                      double idle, double in_transaction, double oldest_ms)
{
    const struct {
        const char *field;
        double value;
    } rows[] = {{"connections", connections},
                {"idle", idle},
                {"idle_in_transaction", in_transaction},
                {"oldest_idle", oldest_ms}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        CLEANUP_FREE char *full = mem_printf("container(%s).%s", name, rows[i].field);
        ck_assert_int_eq(board_set_number(board, full, at_ms, rows[i].value, NULL), 0);
    }
}

START_TEST(the_leaker_of_a_board_is_who_has_idled_for_long)
{
    struct board *board = board_new();
    board_set_number(board, "connections.usable", 0, 27, NULL);
    container(board, 0, "worker-2", 20, 0, 19, 9000);
    container(board, 0, "backend-1", 5, 4, 0, 9000);
    derive_board(board, 0);
    ck_assert_str_eq(leaker(board), "none"); /* nine seconds in a transaction may be work */
    container(board, 2000, "worker-2", 20, 0, 19, 11000);
    derive_board(board, 2000);
    ck_assert_str_eq(leaker(board), "worker-2");
    /* A pool at rest becomes one that leaks after a minute. */
    container(board, 4000, "worker-2", 20, 19, 0, 59000);
    derive_board(board, 4000);
    ck_assert_str_eq(leaker(board), "none");
    container(board, 6000, "worker-2", 20, 19, 0, 61000);
    derive_board(board, 6000);
    ck_assert_str_eq(leaker(board), "worker-2");
    /* Who counts them exactly is believed: one old session says nothing of the others. */
    board_set_number(board, "container(worker-2).leaked", 6000, 2, NULL);
    derive_board(board, 6000);
    ck_assert_str_eq(leaker(board), "none");
    ck_assert_double_eq_tol(value(board, "container.share", "worker-2"), 20.0 / 27, 1e-9);
    board_free(board);
}
END_TEST

/* --- a whole board ---------------------------------------------------------------------------- */

START_TEST(utilization_growth_and_time_left_follow_from_used)
{
    struct board *board = board_new();
    board_set_number(board, "connections.usable", 0, 27, NULL);
    for (int i = 0; i <= 10; i++) {
        used(board, i * 2000, 7 + i);
        derive_board(board, i * 2000);
    }
    ck_assert_double_eq_tol(value(board, "connections.utilization", NULL), 17.0 / 27, 1e-9);
    ck_assert_double_eq_tol(value(board, "connections.growth", NULL), 30, 1e-9);
    ck_assert_double_eq_tol(value(board, "connections.time_to_exhaustion", NULL), 20000, 1e-6);
    for (int i = 11; i <= 60; i++)
        used(board, i * 2000, 17);
    board_set_number(board, "connections.usable", 120000, 27, NULL);
    derive_board(board, 120000);
    ck_assert_double_eq(value(board, "connections.growth", NULL), 0);
    ck_assert_double_eq(value(board, "connections.time_to_exhaustion", NULL), (double)DAY_MS);
    board_free(board);
}
END_TEST

START_TEST(what_is_derived_is_as_old_as_what_it_follows_from)
{
    struct board *board = board_new();
    board_set_number(board, "connections.usable", 1000, 27, NULL);
    used(board, 1000, 20);
    container(board, 1000, "a", 20, 0, 20, 90000);
    derive_board(board, 1000);
    board_set_word(board, "service(a).health", 40000, "unhealthy", NULL);
    derive_board(board, 40000);
    static const char *const derived[] = {"connections.utilization", "connections.leaker"};
    for (size_t i = 0; i < ARRAY_SIZE(derived); i++) {
        const struct series *series = find(board, derived[i], NULL);
        ck_assert_int_eq(series_sample(series, 0)->at_ms, 1000);
        ck_assert_ptr_null(series_sample(series, 1)); /* and is no second sample */
        ck_assert_ptr_null(series_fresh(series, 40000, 1001));
    }
    board_free(board);
}
END_TEST

START_TEST(everybody_at_once_is_a_storm)
{
    struct board *board = board_new();
    board_set_number(board, "connections.usable", 0, 27, NULL);
    board_set_number(board, "connections.opened.rate", 0, 54, NULL);
    derive_board(board, 0);
    ck_assert_double_eq(value(board, "connections.storm", NULL), 0);
    board_set_number(board, "connections.opened.rate", 1, 55, NULL);
    derive_board(board, 1);
    ck_assert_double_eq(value(board, "connections.storm", NULL), 1);
    board_free(board);
}
END_TEST

START_TEST(unhealthy_services_are_counted_and_named)
{
    struct board *board = board_new();
    board_set_word(board, "service(a).health", 0, "unhealthy", NULL);
    board_set_word(board, "service(b).health", 0, "healthy", NULL);
    board_set_word(board, "service(c).health", 0, "unhealthy", NULL);
    derive_board(board, 0);
    ck_assert_double_eq(value(board, "services.unhealthy", NULL), 2);
    ck_assert_str_eq(series_sample(find(board, "services.unhealthy.names", NULL), 0)->word, "a,c");
    board_forget(board, "service.health"); /* the stream of events was lost */
    derive_board(board, 1);
    ck_assert_ptr_null(find(board, "services.unhealthy", NULL));
    board_free(board);
}
END_TEST

START_TEST(without_the_slots_nothing_is_said_of_them)
{
    struct board *board = board_new();
    used(board, 0, 20);
    derive_board(board, 0);
    ck_assert_ptr_null(find(board, "connections.utilization", NULL));
    board_set_number(board, "connections.usable", 0, 0, NULL);
    derive_board(board, 0);
    ck_assert_ptr_null(find(board, "connections.utilization", NULL));
    board_free(board);
}
END_TEST

START_TEST(whoever_is_read_is_said_to_be_needed)
{
    const char *parameter;
    size_t len;
    ck_assert(derive_needs(observation_find("connections.used", 16, &parameter, &len)));
    ck_assert(derive_needs(observation_find("container.leaked", 16, &parameter, &len)));
    ck_assert(!derive_needs(observation_find("database.state", 14, &parameter, &len)));
}
END_TEST

UNIT_MAIN("derive", growth_is_the_median_slope, one_outlier_and_one_cleaning_do_not_bend_it,
          too_little_says_nothing, the_time_left_is_that_of_the_present_growth,
          five_refusals_in_thirty_seconds_are_ten_a_minute, who_leaks_is_never_a_guess,
          the_leaker_of_a_board_is_who_has_idled_for_long,
          utilization_growth_and_time_left_follow_from_used,
          what_is_derived_is_as_old_as_what_it_follows_from, everybody_at_once_is_a_storm,
          unhealthy_services_are_counted_and_named, without_the_slots_nothing_is_said_of_them,
          whoever_is_read_is_said_to_be_needed)
