/* The containers' logs, followed for patterns: log(NAME).rate.
 *
 * Each match counts in the pattern's rate of the last 30 s, at the time of its line's stamp, not of
 * its arrival: what comes late after a reconnection is as old as it is. The first lines read are 30
 * s old, so a restart of the supervisor counts what its former life counted. The rate falls back to
 * 0 by itself; with nothing to count there is no timer. It is unknown while the Engine is out of
 * reach, and when no log can be read that is searched for it.
 *
 * A log is taken up where it was left: at the container's next start, after a lost Engine, with
 * neither gaps nor repeats (docker_logs_follow). Whose logs are searched is the patterns' matter;
 * they leave the database's own out, so that the supervisor's refused probes do not count.
 *
 * May use: base, docker, patterns.h, feed.h, policies/derive.h.
 */
#ifndef WATCH_LOGS_H
#define WATCH_LOGS_H

#include "docker/stack.h"
#include "watch/feed.h"
#include "watch/patterns.h"

struct watch_logs;

struct watch_logs_options {
    struct loop *loop;
    struct docker *docker;
    struct feed *feed;
    const struct patterns *patterns; /* borrowed as long as the watch is */

    /* A line matched, not older than 30 s: for evidence, or to hurry a probe. All borrowed for the
     * call, which may free the watch. Or NULL. */
    void (*on_match)(void *data, const char *pattern, const struct container *container,
                     const struct docker_log_line *line);

    /* A log that cannot be read (told once for each container until it can be), or a pattern that
     * is too hard for a line (told once). Or NULL. */
    void (*on_trouble)(void *data, const struct err *e);
    void *data;
};

struct watch_logs *watch_logs_new(const struct watch_logs_options *options);
struct watch_logs *watch_logs_free(struct watch_logs *watch); /* accepts NULL; returns NULL */

/* The newest model: follows who is new, lets go of who is no more. */
void watch_logs_stack(struct watch_logs *watch, const struct stack *stack);

/* Passed on by the owner of the docker_watch, as are these two. */
void watch_logs_event(struct watch_logs *watch, const struct docker_event *event);
void watch_logs_lost(struct watch_logs *watch);
void watch_logs_sync(struct watch_logs *watch);

/* What was said until now belongs to a trouble that has been dealt with: the rates begin at
 * nothing. */
void watch_logs_begin_anew(struct watch_logs *watch);

/* [{"container","state","problem"}]: state is following, waiting (for a start, or to try again) or
 * unreadable. The caller owns it. */
json_t *watch_logs_json(const struct watch_logs *watch);

#endif
