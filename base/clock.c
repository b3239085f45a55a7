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

/* The fraction ".123456789" to nanoseconds; moves *cursor behind it. */
static int64_t parse_fraction_ns(const char **cursor)
{
    int64_t ns = 0;
    int64_t unit = NS_PER_S / 10;
    if (**cursor != '.')
        return 0;
    for ((*cursor)++; isdigit((unsigned char)**cursor); (*cursor)++) {
        ns += unit * (**cursor - '0');
        unit /= 10;
    }
    return ns;
}

bool clock_parse_rfc3339_ns(const char *text, int64_t *ret_ns)
{
    struct tm utc = {0};
    const char *cursor = text ? strptime(text, "%Y-%m-%dT%H:%M:%S", &utc) : NULL;
    /* Nanoseconds in 64 bits end in 2262; and nobody's clock is there. */
    if (!cursor || utc.tm_year + 1900 < 1970 || utc.tm_year + 1900 > 2200)
        return false;
    int64_t fraction = parse_fraction_ns(&cursor);
    int64_t offset_s = 0;
    if (*cursor == '+' || *cursor == '-') {
        int hours;
        int minutes;
        if (sscanf(cursor + 1, "%2d:%2d", &hours, &minutes) != 2)
            return false;
        offset_s = (hours * 3600 + minutes * 60) * (*cursor == '-' ? -1 : 1);
    } else if (strcmp(cursor, "Z") != 0) {
        return false;
    }
    *ret_ns = ((int64_t)timegm(&utc) - offset_s) * NS_PER_S + fraction;
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
