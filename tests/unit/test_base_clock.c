/* Durations as people write them, time stamps as the Engine writes them. */
#include "base/clock.h"

#include "tests/unit/unit.h"

static const struct {
    const char *text;
    int64_t ms;
} durations[] = {
    {"0", 0},
    {"0s", 0},
    {"250ms", 250},
    {"90s", 90000},
    {"5m", 300000},
    {"1h30m", 5400000},
    {"2d", 172800000},
    {"1d2h3m4s5ms", 93784005},
    {"1h05m", 3900000},
    {"007s", 7000},
    {"3650d", INT64_C(315360000000)},
    {"315360000000ms", INT64_C(315360000000)},
};

static const char *const not_durations[] = {
    "",
    " ",
    "s",
    "5",
    "00",
    "-5s",
    "+5s",
    "5 s",
    " 5s",
    "5s ",
    "1.5h",
    "5M",
    "5sec",
    "5y",
    "5m5m",
    "5s1m",
    "1m1h",
    "5ms5s",
    "soon",
    "1:30",
    "1e3s",
    "0x10s",
    "3651d",
    "3650d1ms",
    "99999999999999999999h",
    "5s\n",
    "5s0",
    "87601h",
    "315360001s",
    "9223372036854775807d",
    "٥s",
    "never",
    "infinity",
    "5s,5ms",
    "5ms5ms",
    "1d 2h",
    "1h-30m",
    "1d1d",
    "18446744073709551616ms",
};

START_TEST(durations_are_read)
{
    for (size_t i = 0; i < ARRAY_SIZE(durations); i++) {
        int64_t ms = -1;
        ck_assert_msg(duration_parse(durations[i].text, &ms), "%s", durations[i].text);
        ck_assert_int_eq(ms, durations[i].ms);
    }
}
END_TEST

START_TEST(nonsense_is_no_duration)
{
    int64_t ms = 77;
    for (size_t i = 0; i < ARRAY_SIZE(not_durations); i++)
        ck_assert_msg(!duration_parse(not_durations[i], &ms), "'%s'", not_durations[i]);
    ck_assert(!duration_parse(NULL, &ms));
    ck_assert_int_eq(ms, 77);
}
END_TEST

START_TEST(durations_are_shown_short)
{
    static const struct {
        int64_t ms;
        const char *text;
    } shown[] = {
        {0, "0ms"},          {999, "999ms"},       {1000, "1.0s"},     {4200, "4.2s"},
        {59949, "59.9s"},    {59950, "1m00s"},     {60000, "1m00s"},   {90000, "1m30s"},
        {3599499, "59m59s"}, {3599500, "1h00m"},   {7500000, "2h05m"}, {86399000, "23h59m"},
        {86400000, "1d00h"}, {273600000, "3d04h"}, {-5, "-5ms"},
    };
    char out[DURATION_MAX];
    for (size_t i = 0; i < ARRAY_SIZE(shown); i++)
        ck_assert_str_eq(duration_text(shown[i].ms, out), shown[i].text);
    ck_assert_uint_lt(strlen(duration_text(INT64_MAX - 1000, out)), DURATION_MAX);
}
END_TEST

START_TEST(what_is_shown_without_a_fraction_is_read_back)
{
    /* Each on a boundary of what its form can hold. */
    static const int64_t exact[] = {
        0, 850, 90000, 3540000, 3600000, 7500000, 86400000, 273600000, 31536000 * INT64_C(1000)};
    char out[DURATION_MAX];
    for (size_t i = 0; i < ARRAY_SIZE(exact); i++) {
        int64_t back = -1;
        ck_assert(duration_parse(duration_text(exact[i], out), &back));
        ck_assert_int_eq(back, exact[i]);
    }
}
END_TEST

START_TEST(stamps_of_the_engine_are_read)
{
    static const struct {
        const char *text;
        int64_t ns;
    } stamps[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"1970-01-01T00:00:01.5Z", 1500000000},
        {"2026-11-23T04:57:32.5Z", INT64_C(1795409852500000000)},
        {"2026-11-23T04:57:32.123456789Z", INT64_C(1795409852123456789)},
        {"2026-11-23T05:57:32.000000001+01:00", INT64_C(1795409852000000001)},
        {"2026-11-22T23:27:32-05:30", INT64_C(1795409852000000000)},
        {"2024-02-29T00:00:00Z", INT64_C(1709164800000000000)},
    };
    for (size_t i = 0; i < ARRAY_SIZE(stamps); i++) {
        int64_t ns = -1;
        ck_assert_msg(clock_parse_rfc3339_ns(stamps[i].text, &ns), "%s", stamps[i].text);
        ck_assert_int_eq(ns, stamps[i].ns);
    }
}
END_TEST

START_TEST(nonsense_is_no_stamp)
{
    static const char *const wrong[] = {
        "",
        "0001-01-01T00:00:00Z", /* the Engine's never */
        "2026-11-23",
        "2026-11-23 04:57:32Z",
        "2026-11-23T04:57:32",
        "2026-11-23T04:57:32.Z",
        "2026-11-23T04:57:32.1234567890Z",
        "2026-11-23T04:57:32Zz",
        "2026-11-23T04:57:32+01:00x",
        "2026-11-23T04:57:32+0100",
        "2026-11-23T04:57:32+-1:00",
        "2026-11-23T04:57:32+25:00",
        "2026-11-23T04:57:32+01:60",
        "2026-02-30T00:00:00Z",
        "2025-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-11-23T24:00:00Z",
        "2026-11-23T04:60:00Z",
        "2026-11- 3T04:57:32Z",
        " 2026-11-23T04:57:32Z",
        "+2026-11-23T04:57:32Z",
        "26-11-23T04:57:32Z",
        "2026-1-23T04:57:32Z",
        "9999-11-23T04:57:32Z",
        "99999999999-11-23T04:57:32Z",
    };
    int64_t ns = 77;
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
        ck_assert_msg(!clock_parse_rfc3339_ns(wrong[i], &ns), "'%s'", wrong[i]);
    ck_assert(!clock_parse_rfc3339_ns(NULL, &ns));
    ck_assert_int_eq(ns, 77);
}
END_TEST

START_TEST(a_stamp_is_written_and_read_back)
{
    static const int64_t moments[] = {0, 1, 999, 1795409852500, 4102444800000};
    char out[CLOCK_STAMP_MAX];
    ck_assert_str_eq(clock_stamp(1795409852007, out), "2026-11-23T04:57:32.007Z");
    for (size_t i = 0; i < ARRAY_SIZE(moments); i++) {
        int64_t ns = -1;
        ck_assert(clock_parse_rfc3339_ns(clock_stamp(moments[i], out), &ns));
        ck_assert_int_eq(ns, moments[i] * 1000000);
    }
}
END_TEST

START_TEST(the_clocks_run)
{
    int64_t mono = clock_mono_ms();
    int64_t wall = clock_wall_ms();
    ck_assert_int_ge(clock_mono_ms(), mono);
    ck_assert_int_gt(wall, INT64_C(1600000000000));
    ck_assert_int_ge(clock_wall_ns() / 1000000, wall);
}
END_TEST

UNIT_MAIN("base_clock", durations_are_read, nonsense_is_no_duration, durations_are_shown_short,
          what_is_shown_without_a_fraction_is_read_back, stamps_of_the_engine_are_read,
          nonsense_is_no_stamp, a_stamp_is_written_and_read_back, the_clocks_run)
