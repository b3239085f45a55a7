/* See signal_number.h. */
#include "watch/signal_number.h"

#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* As the Engine counts them (moby/sys/signal); glibc's SIGRTMIN is a call and may differ. */
enum { REAL_TIME_MIN = 34, REAL_TIME_MAX = 64 };

/* All of the text, or -1. */
static int whole_number(const char *text)
{
    char *end;
    long number = strtol(text, &end, 10);
    return *text && !*end && number >= 0 && number <= REAL_TIME_MAX ? (int)number : -1;
}

static int real_time_number(const char *name)
{
    bool from_min = strncasecmp(name, "RTMIN", 5) == 0;
    if (!from_min && strncasecmp(name, "RTMAX", 5) != 0)
        return 0;
    int base = from_min ? REAL_TIME_MIN : REAL_TIME_MAX;
    int offset = name[5] ? whole_number(name + 6) : 0;
    int number = from_min ? base + offset : base - offset;
    bool is_signed = !name[5] || name[5] == (from_min ? '+' : '-');
    return is_signed && offset >= 0 && number >= REAL_TIME_MIN && number <= REAL_TIME_MAX ? number
                                                                                          : 0;
}

int watch__signal_number(const char *text)
{
    if (!text)
        return 0;
    int number = whole_number(text);
    if (number >= 0)
        return number;
    const char *name = strncasecmp(text, "SIG", 3) == 0 ? text + 3 : text;
    for (int i = 1; i < REAL_TIME_MIN; i++) {
        const char *known = sigabbrev_np(i);
        if (known && strcasecmp(known, name) == 0)
            return i;
    }
    return real_time_number(name);
}
