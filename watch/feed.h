/* The one way to the board: watchers write through it.
 *
 * It keeps the derived observations up to date, tells the tap (the trace) of each write, and its
 * listener, once a turn of the loop at most, that something has changed. The clock is loop_now().
 *
 * May use: base, policies.
 */
#ifndef WATCH_FEED_H
#define WATCH_FEED_H

#include "base/loop.h"
#include "policies/board.h"
#include "policies/trace.h"

struct feed;

struct feed *feed_new(struct loop *loop);
/* What was due is not told any more. Accepts NULL; returns NULL. */
struct feed *feed_free(struct feed *feed);

/* `name` is a kind's ("service.health"), `parameter` what stands in the parentheses; NULL when the
 * kind has none. A standing value that is what it was is no news: nothing is written. What the
 * board refuses (a number that is none, a parameter with a parenthesis, one series too many) is
 * dropped: the observation stays unknown. */
void feed_number(struct feed *feed, const char *name, const char *parameter, double number);
void feed_word(struct feed *feed, const char *name, const char *parameter, const char *word);

/* Unknown from now on; parameter NULL: the whole family. */
void feed_forget(struct feed *feed, const char *name, const char *parameter);

const struct board *feed_board(const struct feed *feed); /* as long as the feed */

/* Into a board that is still empty: see board_restore. Not told to the tap. */
void feed_restore(struct feed *feed, const json_t *saved_board, int64_t shift_ms);

/* changed() is a deferred call of the loop: once after any number of writes, when what is derived
 * from them is on the board too. It may write, and may free the feed. NULL: nobody listens. */
void feed_listen(struct feed *feed, void (*changed)(void *data), void *data);

/* Each write, at once, as an event of the trace (TRACE_OBSERVE, TRACE_FORGET), borrowed for the
 * call. Derived observations are not told: whoever replays derives them again. */
void feed_tap(struct feed *feed, void (*wrote)(void *data, const struct trace_event *event),
              void *data);

#endif
