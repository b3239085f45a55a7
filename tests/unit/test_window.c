/* Budgets: a sliding, half-open window. */
#include "policies/window.h"

#include "policies/moment.h"
#include "unit.h"

START_TEST(a_budget_reads_as_it_is_written)
{
    static const char *const good[] = {"3 per 1h", "1 per 10s", "1000 per 7d"};
    static const char *const bad[] = {
        "",           "3",         "3 per",       "0 per 1h",     "1001 per 1h",
        "3 per 1h x", "-1 per 1h", "3 per 500ms", "three per 1h", "3 per hour"};
    char text[BUDGET_TEXT_MAX];
    struct budget budget;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++)
        ck_assert_msg(budget_parse(good[i], &budget), "%s", good[i]);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        ck_assert_msg(!budget_parse(bad[i], &budget), "%s", bad[i]);
    ck_assert(budget_parse("3 per 1h", &budget));
    ck_assert_str_eq(budget_text(&budget, text), "3 per 1h00m");
    ck_assert_str_eq(budget_text(&(struct budget){0}, text), "no limit");
}
END_TEST

START_TEST(the_fourth_may_come_exactly_a_window_after_the_first)
{
    struct window window = {0};
    struct budget budget = {3, HOUR_MS};
    for (int i = 0; i < 3; i++) {
        ck_assert(window_allows(&window, &budget, i * 1000));
        ck_assert_int_eq(window_allows_at_ms(&window, &budget, i * 1000), i * 1000);
        window_add(&window, &budget, i * 1000);
    }
    ck_assert(!window_allows(&window, &budget, HOUR_MS - 1));
    ck_assert_int_eq(window_allows_at_ms(&window, &budget, 5000), HOUR_MS);
    ck_assert(window_allows(&window, &budget, HOUR_MS));
    ck_assert_uint_eq(window_used(&window, &budget, HOUR_MS), 2);
    window_add(&window, &budget, HOUR_MS);
    ck_assert_int_eq(window_allows_at_ms(&window, &budget, HOUR_MS), HOUR_MS + 1000);
    window_free(&window);
}
END_TEST

START_TEST(no_limit_counts_nothing)
{
    struct window window = {0};
    struct budget budget = {0};
    for (int i = 0; i < 100; i++)
        window_add(&window, &budget, i);
    ck_assert(window_allows(&window, &budget, 100));
    ck_assert_uint_eq(window.count, 0);
    window_free(&window);
}
END_TEST

START_TEST(a_smaller_budget_holds_for_what_was_counted_under_a_larger_one)
{
    struct window window = {0};
    struct budget large = {5, HOUR_MS};
    struct budget small = {2, HOUR_MS};
    for (int i = 0; i < 5; i++)
        window_add(&window, &large, i * 1000);
    ck_assert(!window_allows(&window, &small, 5000));
    ck_assert_int_eq(window_allows_at_ms(&window, &small, 5000), HOUR_MS + 3000);
    window_free(&window);
}
END_TEST

START_TEST(a_window_survives_as_json)
{
    struct window window = {0};
    struct window other = {0};
    struct budget budget = {3, HOUR_MS};
    for (int i = 0; i < 3; i++)
        window_add(&window, &budget, i * 1000);
    CLEANUP_JSON json_t *saved = window_save(&window);
    window_restore(&other, saved, 500);
    ck_assert_int_eq(window_allows_at_ms(&other, &budget, 5000), HOUR_MS + 500);
    window_restore(&other, NULL, 0);
    ck_assert(window_allows(&other, &budget, 5000));
    window_free(&other);
    window_free(&window);
}
END_TEST

UNIT_MAIN("window", a_budget_reads_as_it_is_written,
          the_fourth_may_come_exactly_a_window_after_the_first, no_limit_counts_nothing,
          a_smaller_budget_holds_for_what_was_counted_under_a_larger_one, a_window_survives_as_json)
