/* Time: two clocks, and durations as people write them.
 *
 * The monotonic clock is for deadlines, waits and everything that is compared; the wall clock is
 * for printing and for talking to the Engine, and nothing is ever decided by it. Loop code takes
 * "now" from loop_now() (base/loop.h); the functions here are for code without a loop.
 *
 * May use: libc.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int64_t clock_mono_ms(void); /* milliseconds since some point in the past; never goes back */
int64_t clock_wall_ms(void); /* milliseconds since 1970, UTC; may jump */
int64_t clock_wall_ns(void);

#define CLOCK_STAMP_MAX 32

/* "2026-11-23T22:47:05.123Z" into out, which holds CLOCK_STAMP_MAX bytes; returns out. */
const char *clock_stamp(int64_t wall_ms, char out[static CLOCK_STAMP_MAX]);

/* RFC 3339 with 0 to 9 fraction digits, as the Engine writes it, to nanoseconds since 1970.
 * False for anything else, and for the Engine's "never" (0001-01-01T00:00:00Z). */
bool clock_parse_rfc3339_ns(const char *text, int64_t *ret_ns);

/* Durations: "250ms", "90s", "5m", "1h30m", "2d"; "0" alone needs no unit. Units must fall in
 * size. At most ten years. */
bool duration_parse(const char *text, int64_t *ret_ms);

#define DURATION_MAX 32

/* The short form people read: "850ms", "4.2s", "1m30s", "2h05m", "3d04h"; returns out. */
const char *duration_text(int64_t ms, char out[static DURATION_MAX]);

#endif
