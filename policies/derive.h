/* Derived observations: what follows from those that were measured.
 *
 * May use: base. Pure: numbers in, numbers out; derive_board does it for a whole board.
 */
#ifndef POLICIES_DERIVE_H
#define POLICIES_DERIVE_H

#include "policies/board.h"

/* --- growth ----------------------------------------------------------------------------------- */

/* The change per minute of the samples within span_ms of the newest: the median of the slopes of
 * all pairs (Theil-Sen), which one outlier, or one cleaning in the middle, does not bend. False
 * with fewer than DERIVE_SAMPLES_MIN samples, or when they cover less than DERIVE_SPAN_MIN_MS. */
enum { DERIVE_SAMPLES_MIN = 4, DERIVE_SPAN_MIN_MS = 4000 };
bool derive_growth(const struct series *series, int64_t span_ms, double *ret_per_minute);

/* Until `used` reaches `usable` at that growth, in milliseconds. False when it does not grow, or
 * would take longer than a day. */
bool derive_time_to_exhaustion(double used, double usable, double per_minute, double *ret_ms);

/* --- rates ------------------------------------------------------------------------------------ */

/* Counts events (refused logins, log lines) over a sliding span. At most RATE_EVENTS_MAX are
 * remembered: beyond that the rate is a lower bound, which is far above every threshold. */
enum { RATE_EVENTS_MAX = 512, RATE_SPAN_MS = 30000 };

struct rate {
    int64_t times[RATE_EVENTS_MAX]; /* a ring */
    size_t next, count;
};

void rate_add(struct rate *rate, int64_t now_ms);
/* Per minute, over the last RATE_SPAN_MS: five in 30 s are 10/min. */
double rate_per_minute(const struct rate *rate, int64_t now_ms);

/* --- who holds it ----------------------------------------------------------------------------- */

/* What idles for longer is leaked: a pool in use does not let a session rest for so long. */
enum { DERIVE_LEAKED_MS = 10000 };

struct holder {
    const char *name; /* container; borrowed */
    double used;
    double leaked; /* of them (container.leaked) */
    double growth; /* per minute; 0 when it is not known */
};

/* The place of the one that leaks, or -1 when it is not clear; never a guess. It leaks who
 *  - holds a tenth of the usable slots or more, and more than its fair share (an equal part),
 *  - has leaked most of them, and
 *  - has leaked at least twice as many as anybody else, or is the only one of the two that grows.
 * A large pool at rest looks the same: whoever acts on it asks for pressure or growth as well.
 */
int derive_leaker(const struct holder *holders, size_t count, double usable);

/* --- all of it -------------------------------------------------------------------------------- */

/* From connections.used and .usable: .utilization, .growth, .time_to_exhaustion; from
 * connections.opened.rate: .storm; from container(…).*: their .share and .growth, and
 * connections.leaker; from service(…).health: services.unhealthy and its .names. What follows from
 * a sample bears the sample's time, so deriving again changes nothing and makes nothing look newer
 * than it is. What cannot be told is not set; what does not run out within a day has a day to go.
 */
void derive_board(struct board *board, int64_t now_ms);

/* Whether derive_board reads observations of this kind: after a change of others it need not be
 * called. */
bool derive_needs(const struct observation_kind *kind);

#endif
