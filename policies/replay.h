/* Replaying a trace: a board and an engine fed with its events, decisions out.
 *
 * Between events the engine is stepped at its own decide_next_ms, just as the daemon does it. A
 * `restart` event saves engine and board as JSON, throws both away and restores them.
 *
 * May use: base. Pure: text in, decisions out.
 */
#ifndef POLICIES_REPLAY_H
#define POLICIES_REPLAY_H

#include "policies/trace.h"

struct replay_options {
    struct decide_options decide;
    /* A run of the simulated engine ends well after so long, whatever the trace says of runs: for
     * other policies than those it was recorded under. 0: runs end as the trace says. */
    int64_t run_ms;
};

typedef void (*replay_fn)(void *data, const struct decision *decision, const struct moment *now);

struct replay;

/* Borrows the policies. */
struct replay *replay_new(const struct policy_set *policies, const struct replay_options *options,
                          replay_fn on_decision, void *data);
struct replay *replay_free(struct replay *replay); /* accepts NULL; returns NULL */

/* Steps up to the event's time, applies it, steps. ERR_INVALID for an observation that does not
 * fit; the replay can go on. */
int replay_event(struct replay *replay, const struct trace_event *event, struct err *e);

/* All lines of a trace. 0, or ERR_PROTOCOL / ERR_INVALID: "line 12: …". */
int replay_text(struct replay *replay, const char *text, size_t len, struct err *e);

/* For those who look closer: borrowed, until the next event. */
const struct decide *replay_engine(const struct replay *replay);
const struct board *replay_board(const struct replay *replay);

#endif
