/* Docker's events and the stack model, to service(…).health, .running, .restarts.rate, .oom.rate.
 *
 * Event-driven: an event is on the board in the same turn of the loop. What events cannot be
 * believed for is inspected, and after every new model (which the owner loads after each
 * (re)connection) every container is inspected, so nothing is lost for good.
 *
 * What is asked for is no trouble: a container that somebody stopped, killed, paused or removed by
 * hand says nothing, neither of its health nor of its running, until it is started again; nor does
 * one that a run of our own stops, while that run is at work. How the two are told from a crash:
 * member.h. A service all of whose containers say nothing is unknown. Services of the role `ignore`
 * are not watched.
 *
 * May use: base, docker's doors, policies.
 */
#ifndef WATCH_CONTAINERS_H
#define WATCH_CONTAINERS_H

#include "docker/docker.h"
#include "docker/stack.h"
#include "watch/feed.h"

struct watch_containers;

struct watch_containers_options {
    struct loop *loop;
    struct docker *docker; /* lives longer than the watch, whose questions it gives up */
    struct feed *feed;     /* lives longer than the watch */
    /* A run of our own is at work on the container of this name: what happens to it is our doing.
     * It must be true before the Engine is told. NULL: never. */
    bool (*ours)(void *data, const char *container);
    void *data;
};

struct watch_containers *watch_containers_new(const struct watch_containers_options *options);
struct watch_containers *watch_containers_free(struct watch_containers *watch); /* NULL: NULL */

/* The newest model (a reference is taken): after each sync, after create, destroy and rename, and
 * after a run of our own, so that what it left down is seen. Begins to watch, again when the stream
 * was lost; what is no more is forgotten. */
void watch_containers_stack(struct watch_containers *watch, struct stack *stack);

/* Every event of the stream; those of other projects are passed over. */
void watch_containers_event(struct watch_containers *watch, const struct docker_event *event);

/* The stream is lost: health and running of all are unknown until the next model. The stops seen
 * just before were the Engine's, shutting down, and nobody's by hand. */
void watch_containers_lost(struct watch_containers *watch);

/* By name or id: somebody has stopped, killed, paused or removed it, or is about to; not we. */
bool watch_containers_stopped_by_hand(const struct watch_containers *watch, const char *container);

/* [{"container","service","state","up"}]: as they are known now; none while the stream is lost. The
 * caller owns it. */
json_t *watch_containers_json(const struct watch_containers *watch);

/* What was stopped by hand, across a restart of the daemon: {"id": time of its end in ns}. The
 * caller owns it. restore comes before the first model, until which save gives it back as it is: a
 * life that never saw the stack knows no better. What a model does not have is remembered until one
 * comes whose containers are all described. Without a restore it is guessed: a container that is
 * down at first sight was stopped by hand when it ended with 0 or has a restart policy that would
 * have brought it back. */
json_t *watch_containers_save(const struct watch_containers *watch);
void watch_containers_restore(struct watch_containers *watch, const json_t *saved);

#endif
