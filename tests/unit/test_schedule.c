/* Schedules and time windows. 1970-01-01 was a Thursday. */
#include "policies/schedule.h"

#include "base/clock.h"
#include "policies/moment.h"
#include "unit.h"

enum { THURSDAY, FRIDAY, SATURDAY, SUNDAY, MONDAY };

static int64_t local(int day, int hour, int minute)
{
    return day * DAY_MS + hour * (int64_t)HOUR_MS + minute * (int64_t)MINUTE_MS;
}

static struct yaml_node *read_text(const char *text, struct diag_list *diags, char **ret_yaml)
{
    *ret_yaml = mem_printf("'%s'", text);
    diag_init(diags, "f", *ret_yaml);
    struct yaml_node *node = yaml_parse(*ret_yaml, strlen(*ret_yaml), diags);
    ck_assert_ptr_nonnull(node);
    return node;
}

static struct schedule schedule_of(const char *text)
{
    struct schedule schedule;
    struct diag_list diags;
    char *yaml;
    struct yaml_node *node = read_text(text, &diags, &yaml);
    bool fine = schedule_read(node, &schedule, &diags);
    CLEANUP_FREE char *shown = diag_format(&diags);
    ck_assert_msg(fine, "%s", shown);
    yaml_node_free(node);
    diag_free(&diags);
    free(yaml);
    return schedule;
}

static void refused(const char *text, int column, const char *words)
{
    struct schedule schedule;
    struct diag_list diags;
    char *yaml;
    struct yaml_node *node = read_text(text, &diags, &yaml);
    ck_assert_msg(!schedule_read(node, &schedule, &diags), "%s was read", text);
    unit_assert_has(diags.items[0].text, words);
    ck_assert_msg(diags.items[0].column == column + 1, "%s: column %d", text,
                  diags.items[0].column - 1);
    yaml_node_free(node);
    diag_free(&diags);
    free(yaml);
}

START_TEST(a_weekly_schedule_finds_its_day)
{
    struct schedule schedule = schedule_of("every sunday 04:00");
    ck_assert_int_eq(schedule_next_local_ms(&schedule, local(THURSDAY, 0, 0)), local(SUNDAY, 4, 0));
    ck_assert_int_eq(schedule_next_local_ms(&schedule, local(SUNDAY, 3, 59)), local(SUNDAY, 4, 0));
    ck_assert_int_eq(schedule_next_local_ms(&schedule, local(SUNDAY, 4, 0)),
                     local(SUNDAY + 7, 4, 0));
}
END_TEST

START_TEST(days_can_be_listed_ranged_and_named)
{
    struct schedule schedule = schedule_of("every mon,thu 12:30");
    ck_assert_int_eq(schedule_next_local_ms(&schedule, local(THURSDAY, 13, 0)),
                     local(MONDAY, 12, 30));
    schedule = schedule_of("every weekday 06:00");
    ck_assert_int_eq(schedule_next_local_ms(&schedule, local(FRIDAY, 7, 0)), local(MONDAY, 6, 0));
    schedule = schedule_of("every day 00:00");
    ck_assert_int_eq(schedule_next_local_ms(&schedule, local(SATURDAY, 0, 0)), local(SUNDAY, 0, 0));
    schedule = schedule_of("every Sat-Mon 23:59");
    ck_assert_int_eq(schedule_next_local_ms(&schedule, local(FRIDAY, 23, 59)),
                     local(SATURDAY, 23, 59));
    ck_assert_int_eq(schedule_next_local_ms(&schedule, local(MONDAY, 23, 59)),
                     local(SATURDAY + 7, 23, 59));
    schedule = schedule_of("every 15m");
    ck_assert_int_eq(schedule.every_ms, 15 * MINUTE_MS);
}
END_TEST

START_TEST(a_schedule_that_is_none_is_told_where)
{
    refused("sunday 04:00", 1, "begins with 'every'");
    refused("every sunnday 04:00", 7, "did you mean 'sunday'?");
    refused("every sunday 4:00", 14, "expected a time of day");
    refused("every sunday 24:30", 14, "no time of day");
    refused("every sunday 24:00", 19, "00:00 of the day after");
    refused("every sunday 04:00 sharp", 20, "unexpected 'sharp'");
    refused("every 5s", 7, "between 10s and 30d");
    refused("every 5 minutes", 7, "not a duration");
}
END_TEST

/* --- time windows ----------------------------------------------------------------------------- */

static struct time_windows windows_of(const char *yaml)
{
    struct time_windows windows = {0};
    struct diag_list diags;
    diag_init(&diags, "f", yaml);
    struct yaml_node *node = yaml_parse(yaml, strlen(yaml), &diags);
    bool fine = time_windows_read(node, &windows, &diags);
    CLEANUP_FREE char *shown = diag_format(&diags);
    ck_assert_msg(fine, "%s", shown);
    yaml_node_free(node);
    diag_free(&diags);
    return windows;
}

START_TEST(office_hours_are_open_on_weekdays_only)
{
    struct time_windows windows = windows_of("Mon-Fri 08:00-18:00");
    ck_assert(!time_windows_open(&windows, local(THURSDAY, 7, 59)));
    ck_assert(time_windows_open(&windows, local(THURSDAY, 8, 0)));
    ck_assert(time_windows_open(&windows, local(FRIDAY, 17, 59)));
    ck_assert(!time_windows_open(&windows, local(FRIDAY, 18, 0)));
    ck_assert(!time_windows_open(&windows, local(SATURDAY, 12, 0)));
    time_windows_free(&windows);
}
END_TEST

START_TEST(a_window_over_midnight_belongs_to_the_day_it_opens_on)
{
    struct time_windows windows = windows_of("fri 22:00-06:00");
    ck_assert(!time_windows_open(&windows, local(FRIDAY, 5, 0)));
    ck_assert(time_windows_open(&windows, local(FRIDAY, 22, 0)));
    ck_assert(time_windows_open(&windows, local(SATURDAY, 5, 59)));
    ck_assert(!time_windows_open(&windows, local(SATURDAY, 6, 0)));
    ck_assert(!time_windows_open(&windows, local(SATURDAY, 22, 0)));
    time_windows_free(&windows);
}
END_TEST

START_TEST(several_windows_are_open_when_one_is)
{
    struct time_windows windows = windows_of("['sat,sun', '20:00-24:00']");
    ck_assert(time_windows_open(&windows, local(SUNDAY, 3, 0)));
    ck_assert(time_windows_open(&windows, local(MONDAY, 23, 59)));
    ck_assert(!time_windows_open(&windows, local(MONDAY, 0, 0)));
    struct time_windows none = {0};
    ck_assert(time_windows_open(&none, 0));
    ck_assert(time_windows_change_local_ms(&none, 0) == NEVER);
    time_windows_free(&windows);
}
END_TEST

/* Whatever the windows, the answer changes only where it was foretold. */
START_TEST(the_next_change_is_never_late)
{
    static const char *const texts[] = {"Mon-Fri 08:00-18:00", "fri 22:00-06:00", "sun",
                                        "[mon 00:00-24:00, 'wed 12:01-12:02']", "23:00-01:00"};
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct time_windows windows = windows_of(texts[i]);
        int64_t change = 0;
        bool open = time_windows_open(&windows, 0);
        for (int64_t now = 0; now < 8 * DAY_MS; now += MINUTE_MS) {
            if (now >= change)
                change = time_windows_change_local_ms(&windows, now);
            else
                ck_assert_msg(time_windows_open(&windows, now) == open, "%s at minute %d", texts[i],
                              (int)(now / MINUTE_MS));
            open = time_windows_open(&windows, now);
        }
        time_windows_free(&windows);
    }
}
END_TEST

START_TEST(a_window_that_is_none_is_refused)
{
    static const char *const bad[] = {
        "08:00",         "8-18", "mon 08:00-08:00",      "sum 08:00-09:00",
        "08:00-09:00 x", "[]",   "[sat, '25:00-26:00']", "{a: b}"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct time_windows windows = {0};
        struct diag_list diags;
        diag_init(&diags, "f", bad[i]);
        struct yaml_node *node = yaml_parse(bad[i], strlen(bad[i]), &diags);
        ck_assert_msg(!time_windows_read(node, &windows, &diags), "%s was read", bad[i]);
        ck_assert_uint_eq(diags.count, 1);
        time_windows_free(&windows);
        yaml_node_free(node);
        diag_free(&diags);
    }
}
END_TEST

UNIT_MAIN("schedule", a_weekly_schedule_finds_its_day, days_can_be_listed_ranged_and_named,
          a_schedule_that_is_none_is_told_where, office_hours_are_open_on_weekdays_only,
          a_window_over_midnight_belongs_to_the_day_it_opens_on,
          several_windows_are_open_when_one_is, the_next_change_is_never_late,
          a_window_that_is_none_is_refused)
