/* Replaying a trace: a board and an engine fed with its events, decisions out.
 *
 * As the daemon does it: observations of one instant are taken together, what follows from them is
 * derived, then the engine is stepped; between events it is stepped at its own decide_next_ms. A
 * `restart` event saves engine and board as JSON, throws both away and restores them; so does a
 * `trace` line whose time is lower than the one before, which is another boot.
 *
 * May use: base. Pure: text in, decisions out.
 */
#ifndef POLICIES_REPLAY_H
#define POLICIES_REPLAY_H

#include "policies/trace.h"

struct replay_options {
    struct decide_options decide;
    /* A run that the trace does not end ends well after so long: under other policies than those
     * it was recorded under, others are begun. 0: it goes on. */
    int64_t run_ms;
    /* A restart is a silence and nothing else: what a restart must come to. */
    bool unbroken;
};

/* now is on the clocks of the boot that it is in. */
typedef void (*replay_fn)(void *data, const struct decision *decision, const struct moment *now);

struct replay;

/* Borrows the policies. */
struct replay *replay_new(const struct policy_set *policies, const struct replay_options *options,
                          replay_fn on_decision, void *data);
struct replay *replay_free(struct replay *replay); /* accepts NULL; returns NULL */

/* Steps up to the event's time and applies it. ERR_INVALID for an observation that does not fit,
 * ERR_PROTOCOL for a time that goes back; the replay can go on without the event. */
int replay_event(struct replay *replay, const struct trace_event *event, struct err *e);

/* After the last event: the step that it still asks for. */
void replay_finish(struct replay *replay);

/* All lines of a trace, and replay_finish. 0, or ERR_PROTOCOL / ERR_INVALID: "line 12: …". */
int replay_text(struct replay *replay, const char *text, size_t len, struct err *e);

/* For those who look closer; the engine is borrowed until the next event, and NULL before the
 * first. */
const struct decide *replay_engine(const struct replay *replay);
const struct board *replay_board(const struct replay *replay);
struct moment replay_now(const struct replay *replay);

#endif
