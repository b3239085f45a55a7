/* The lookout: the watchers, made and fed together.
 *
 * The application passes on what it hears of the Docker Engine and of its own runs; the watchers
 * turn that, and what they ask the database, into observations on the autopilot's board.
 *
 * May use: everything below supervisor/.
 */
#ifndef SUPERVISOR_LOOKOUT_H
#define SUPERVISOR_LOOKOUT_H

#include "docker/stack.h"
#include "playbooks/runner.h"
#include "supervisor/config.h"
#include "watch/feed.h"

struct lookout;

struct lookout_options {
    struct loop *loop;
    struct docker *docker;
    struct reach *reach;
    struct holders_cache *holders;
    struct runner *runner;
    struct journal *journal;
    struct feed *feed;
    const struct config *config; /* borrowed until lookout_configure */
};

struct lookout *lookout_new(const struct lookout_options *options);
struct lookout *lookout_free(struct lookout *lookout); /* accepts NULL; returns NULL */

/* What was remembered is there: nothing is watched before. */
void lookout_begin(struct lookout *lookout);
void lookout_configure(struct lookout *lookout, const struct config *config);

/* The newest model of the stack; a reference is taken. */
void lookout_stack(struct lookout *lookout, struct stack *stack);

/* The Engine's stream of events. */
void lookout_event(struct lookout *lookout, const struct docker_event *event);
void lookout_lost(struct lookout *lookout);
void lookout_sync(struct lookout *lookout);

/* A run of ours is over: what was held back during it is looked at now; where it has stopped or
 * restarted something, what the apps said before belongs to the trouble that it was for. */
void lookout_run_ended(struct lookout *lookout, bool disruptive);

/* Whether somebody stopped the container of this name, and nobody has started it since. */
bool lookout_stopped_by_hand(const struct lookout *lookout, const char *container);

json_t *lookout_containers(const struct lookout *lookout); /* see watch/containers.h; owned */

/* Adds to the body what does not stand on the board: how the logs and the checks are read. */
void lookout_json(const struct lookout *lookout, json_t *body);

#endif
