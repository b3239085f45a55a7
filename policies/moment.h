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
 * May use: libc.
 */
#ifndef POLICIES_MOMENT_H
#define POLICIES_MOMENT_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define SECOND_MS INT64_C(1000)
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS   (60 * MINUTE_MS)
#define DAY_MS    (24 * HOUR_MS)
#define NEVER     INT64_MAX

/* No clock goes farther. What comes from a file is held to it before it is reckoned with. */
#define INSTANT_MAX (INT64_C(4000) * 366 * DAY_MS)

static inline int64_t instant_bound(int64_t at_ms)
{
    return at_ms > INSTANT_MAX ? INSTANT_MAX : at_ms < -INSTANT_MAX ? -INSTANT_MAX : at_ms;
}

struct moment {
    int64_t mono_ms;
    int64_t local_ms; /* civil time: UTC milliseconds since 1970 plus the zone's present offset */
};

#define BOOT_ID_MAX 40 /* /proc/sys/kernel/random/boot_id and its NUL */

struct life {
    int64_t mono_ms;
    int64_t wall_ms;        /* since 1970, UTC */
    char boot[BOOT_ID_MAX]; /* "" when it is not known */
};

/* The ids tell. Where neither is known (a hardened unit sees no more of /proc than processes) the
 * clocks do: within a boot both have gone on by the same, and two boots begin farther apart than
 * clocks are adjusted by. A wall clock that was set looks like a boot then, which is the safe way
 * to be wrong: everything settles. */
static inline bool life_is_same_boot(const struct life *then, const struct life *now)
{
    enum { ADJUSTED_MS = 2000 };
    if (then->boot[0] || now->boot[0])
        return strcmp(then->boot, now->boot) == 0;
    int64_t mono_ms = instant_bound(now->mono_ms) - instant_bound(then->mono_ms);
    int64_t wall_ms = instant_bound(now->wall_ms) - instant_bound(then->wall_ms);
    int64_t apart_ms = wall_ms > mono_ms ? wall_ms - mono_ms : mono_ms - wall_ms;
    return mono_ms >= 0 && apart_ms <= ADJUSTED_MS;
}

/* What to add to an instant written down in `then` so that it is one of `now`. */
static inline int64_t life_shift_ms(const struct life *then, const struct life *now)
{
    if (life_is_same_boot(then, now))
        return 0;
    int64_t then_wall_ms = instant_bound(then->wall_ms);
    int64_t gone_by = now->wall_ms > then_wall_ms ? now->wall_ms - then_wall_ms : 0;
    return now->mono_ms - instant_bound(then->mono_ms) - gone_by;
}

/* NEVER stays never. */
static inline int64_t instant_shift(int64_t at_ms, int64_t shift_ms)
{
    return at_ms == NEVER ? NEVER : instant_bound(instant_bound(at_ms) + shift_ms);
}

static inline int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

#endif
