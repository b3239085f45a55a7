/* The instant a decision is taken in, and how instants survive a restart.
 *
 * policies/ reads no clock: every call is told the time. Durations, budgets and deadlines are
 * counted on the monotonic clock; the local civil time serves time windows and schedules alone.
 *
 * State that is written down carries the clocks it was written under. CLOCK_MONOTONIC goes on
 * across a restart of the daemon, so within one boot nothing is corrected and a wall clock that
 * was set meanwhile changes nothing; across a boot the wall clock tells how much time went by.
 * A wall clock that went back tells "none": everything then looks as recent as it can, which keeps
 * budgets spent and cool-downs running.
 *
 * May use: libc. Used by: the rest of policies/, and whoever steps it.
 */
#ifndef POLICIES_MOMENT_H
#define POLICIES_MOMENT_H

#include <stdint.h>
#include <string.h>

enum { SECOND_MS = 1000, MINUTE_MS = 60 * SECOND_MS, HOUR_MS = 60 * MINUTE_MS };
#define DAY_MS INT64_C(86400000)
#define NEVER  INT64_MAX

struct moment {
    int64_t mono_ms;
    int64_t local_ms; /* civil time: UTC milliseconds since 1970 plus the zone's present offset */
};

#define BOOT_ID_MAX 40 /* /proc/sys/kernel/random/boot_id and its NUL */

struct life {
    int64_t mono_ms;
    int64_t wall_ms;        /* since 1970, UTC */
    char boot[BOOT_ID_MAX]; /* "" when it is not known: then it never equals another */
};

/* What to add to an instant written down in `then` so that it is one of `now`. */
static inline int64_t life_shift_ms(const struct life *then, const struct life *now)
{
    if (then->boot[0] && strcmp(then->boot, now->boot) == 0)
        return 0;
    int64_t gone_by = now->wall_ms > then->wall_ms ? now->wall_ms - then->wall_ms : 0;
    return now->mono_ms - then->mono_ms - gone_by;
}

/* NEVER stays never. */
static inline int64_t instant_shift(int64_t at_ms, int64_t shift_ms)
{
    return at_ms == NEVER ? NEVER : at_ms + shift_ms;
}

static inline int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

#endif
