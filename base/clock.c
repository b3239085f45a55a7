/* See clock.h. */
#include "base/clock.h"

#include "base/mem.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { MS_PER_S = 1000, NS_PER_MS = 1000000 };
#define NS_PER_S INT64_C(1000000000)

static int64_t clock_ns(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

int64_t clock_mono_ms(void)
{
    return clock_ns(CLOCK_MONOTONIC) / NS_PER_MS;
}

int64_t clock_wall_ms(void)
{
    return clock_ns(CLOCK_REALTIME) / NS_PER_MS;
}

int64_t clock_wall_ns(void)
{
    return clock_ns(CLOCK_REALTIME);
}

const char *clock_stamp(int64_t wall_ms, char out[static CLOCK_STAMP_MAX])
{
    time_t seconds = wall_ms / MS_PER_S;
    struct tm utc;
    gmtime_r(&seconds, &utc);
    size_t used = strftime(out, CLOCK_STAMP_MAX, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(out + used, CLOCK_STAMP_MAX - used, ".%03dZ", (int)(wall_ms % MS_PER_S));
    return out;
}

/* The character `before` (0: none) and exactly so many digits, between min and max; moves *cursor
 * behind them. strptime would let pass blanks, signs and short fields. */
static bool parse_field(const char **cursor, char before, int digits, int min, int max, int *ret)
{
    if (before && *(*cursor)++ != before)
        return false;
    int value = 0;
    for (; digits > 0; digits--, (*cursor)++) {
        if (!isdigit((unsigned char)**cursor))
            return false;
        value = value * 10 + (**cursor - '0');
    }
    *ret = value;
    return value >= min && value <= max;
}

/* "2026-11-23T22:47:05" to seconds since 1970. */
static bool parse_date_s(const char **cursor, int64_t *ret_s)
{
    struct tm utc = {0};
    int year;
    int month;
    int day;
    /* Nanoseconds in 64 bits end in 2262; and nobody's clock is there. */
    if (!parse_field(cursor, 0, 4, 1970, 2200, &year) ||
        !parse_field(cursor, '-', 2, 1, 12, &month) || !parse_field(cursor, '-', 2, 1, 31, &day) ||
        !parse_field(cursor, 'T', 2, 0, 23, &utc.tm_hour) ||
        !parse_field(cursor, ':', 2, 0, 59, &utc.tm_min) ||
        !parse_field(cursor, ':', 2, 0, 60, &utc.tm_sec))
        return false;
    utc.tm_year = year - 1900;
    utc.tm_mon = month - 1;
    utc.tm_mday = day;
    struct tm normal = {.tm_year = utc.tm_year, .tm_mon = utc.tm_mon, .tm_mday = day};
    timegm(&normal);
    if (normal.tm_mday != day)
        return false; /* 30 February */
    *ret_s = timegm(&utc);
    return true;
}

/* The fraction ".123456789" to nanoseconds, 0 if there is none. */
static bool parse_fraction_ns(const char **cursor, int64_t *ret_ns)
{
    *ret_ns = 0;
    if (**cursor != '.')
        return true;
    int64_t unit = NS_PER_S;
    for ((*cursor)++; unit > 1 && isdigit((unsigned char)**cursor); (*cursor)++) {
        unit /= 10;
        *ret_ns += unit * (**cursor - '0');
    }
    return unit < NS_PER_S; /* a tenth digit is left over, and no zone */
}

/* "Z" or "+01:00", up to the end of the text, to seconds. */
static bool parse_zone_s(const char *cursor, int64_t *ret_s)
{
    int hours;
    int minutes;
    *ret_s = 0;
    if (strcmp(cursor, "Z") == 0)
        return true;
    char sign = *cursor;
    if ((sign != '+' && sign != '-') || !parse_field(&cursor, sign, 2, 0, 23, &hours) ||
        !parse_field(&cursor, ':', 2, 0, 59, &minutes))
        return false;
    *ret_s = (hours * INT64_C(3600) + minutes * INT64_C(60)) * (sign == '-' ? -1 : 1);
    return *cursor == '\0';
}

bool clock_parse_rfc3339_ns(const char *text, int64_t *ret_ns)
{
    int64_t seconds;
    int64_t fraction;
    int64_t offset;
    if (!text || !parse_date_s(&text, &seconds) || !parse_fraction_ns(&text, &fraction) ||
        !parse_zone_s(text, &offset))
        return false;
    *ret_ns = (seconds - offset) * NS_PER_S + fraction;
    return true;
}

static const struct {
    const char *name;
    int64_t ms;
} duration_units[] = {
    {"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1},
};

#define DURATION_CEILING_MS (INT64_C(3650) * 86400000)

/* One "<number><unit>" at *cursor; *rank keeps the units falling. */
static bool duration_parse_part(const char **cursor, size_t *rank, int64_t *total)
{
    if (!isdigit((unsigned char)**cursor))
        return false;
    int64_t number = 0;
    for (; isdigit((unsigned char)**cursor); (*cursor)++) {
        number = number * 10 + (**cursor - '0');
        if (number > DURATION_CEILING_MS)
            return false;
    }
    size_t len = strspn(*cursor, "abcdefghijklmnopqrstuvwxyz");
    for (size_t i = *rank; i < ARRAY_SIZE(duration_units); i++) {
        if (len != strlen(duration_units[i].name) ||
            strncmp(*cursor, duration_units[i].name, len) != 0)
            continue;
        if (number > DURATION_CEILING_MS / duration_units[i].ms)
            return false;
        *total += number * duration_units[i].ms;
        *cursor += len;
        *rank = i + 1;
        return *total <= DURATION_CEILING_MS;
    }
    return false;
}

bool duration_parse(const char *text, int64_t *ret_ms)
{
    if (!text || !*text)
        return false;
    int64_t total = 0;
    size_t rank = 0;
    if (strcmp(text, "0") != 0)
        for (const char *cursor = text; *cursor;)
            if (!duration_parse_part(&cursor, &rank, &total))
                return false;
    *ret_ms = total;
    return true;
}

const char *duration_text(int64_t ms, char out[static DURATION_MAX])
{
    int64_t seconds = (ms + 500) / 1000;
    if (ms < 1000)
        snprintf(out, DURATION_MAX, "%" PRId64 "ms", ms);
    else if (ms < 59950)
        snprintf(out, DURATION_MAX, "%.1fs", (double)ms / 1000);
    else if (seconds < 3600)
        snprintf(out, DURATION_MAX, "%" PRId64 "m%02ds", seconds / 60, (int)(seconds % 60));
    else if (seconds < 86400)
        snprintf(out, DURATION_MAX, "%" PRId64 "h%02dm", seconds / 3600,
                 (int)(seconds % 3600 / 60));
    else
        snprintf(out, DURATION_MAX, "%" PRId64 "d%02dh", seconds / 86400,
                 (int)(seconds % 86400 / 3600));
    return out;
}
