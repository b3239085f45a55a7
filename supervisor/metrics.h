/* The metrics: everything that is known, as it is at the moment of asking. Nobody is asked for it.
 * docs/metrics.md lists them.
 *
 * May use: everything below supervisor/.
 */
#ifndef SUPERVISOR_METRICS_H
#define SUPERVISOR_METRICS_H

#include "policies/board.h"
#include "supervisor/exposition.h"

struct app;

/* The whole text; the caller frees it. */
char *metrics_text(const struct app *app);

/* One family for each kind of observation, named after it: `connections.used` is
 * stack_connections_used. What is unknown now has no sample. Durations are in seconds, rates per
 * second; a word is one sample a possible word, 1 for the one that holds. */
void metrics_observations(const struct board *board, int64_t now_ms, struct exposition *out);

/* What every process tells of itself (process_*). */
void metrics_process(int64_t started_wall_ms, struct exposition *out);

#endif
