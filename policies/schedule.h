/* Civil time: schedules ("every sunday 04:00") and time windows ("Mon-Fri 08:00-18:00").
 *
 * Both are read on the local clock that the caller passes in (moment.local_ms); 1970-01-01 was a
 * Thursday and a day has 1440 minutes. Where the zone jumps, the caller's offset jumps: a minute
 * that is jumped over is due at the jump, one that comes twice is due once.
 *
 * May use: base. Pure.
 */
#ifndef POLICIES_SCHEDULE_H
#define POLICIES_SCHEDULE_H

#include "base/yaml.h"

#include <stdbool.h>
#include <stdint.h>

/* --- schedules -------------------------------------------------------------------------------- */

struct schedule {
    int64_t every_ms; /* > 0: "every 15m", counted on the monotonic clock */
    unsigned days;    /* else: bit 0 Sunday … bit 6 Saturday, */
    int minute;       /* at this minute of the day */
};

/* "every 15m" (10s … 30d) | "every day 04:00" | "every weekday 04:00" | "every mon,thu 04:00" |
 * "every sunday 04:00". False with the complaint at its place. */
bool schedule_read(const struct yaml_node *node, struct schedule *ret, struct diag_list *diags);

/* The first time of a civil schedule that is later than local_ms, in local milliseconds. */
int64_t schedule_next_local_ms(const struct schedule *schedule, int64_t local_ms);

/* --- time windows ----------------------------------------------------------------------------- */

struct time_window {
    unsigned days; /* on which it opens */
    int from, to;  /* minutes of the day; to <= from: it shuts on the day after */
};

struct time_windows {
    struct time_window *items;
    size_t count; /* 0: always open */
};

/* A text or a list of texts: "Mon-Fri 08:00-18:00", "sat,sun", "22:00-06:00". */
bool time_windows_read(const struct yaml_node *node, struct time_windows *ret,
                       struct diag_list *diags);
void time_windows_free(struct time_windows *windows);

bool time_windows_open(const struct time_windows *windows, int64_t local_ms);

/* The next minute at which the answer of time_windows_open may change; NEVER with no window. */
int64_t time_windows_change_local_ms(const struct time_windows *windows, int64_t local_ms);

#endif
