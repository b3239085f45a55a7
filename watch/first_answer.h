/* Whether a database that refuses every login may still be getting ready, for all that its
 * container runs.
 *
 * An image's entrypoint initialises, restores or upgrades before it lets anybody in over the
 * network (the official one runs its scripts with `listen_addresses=''`), for hours perhaps; killed
 * in the middle it leaves half a database behind, which the next start takes for a whole one. And a
 * server that listens somewhere else than we ask has nothing wrong with it. In both cases nobody
 * has answered since the container started. A server that did answer in this life of its container
 * and refuses now is dead.
 *
 * Where the Engine's restart policy ended a life without an answer, that is a crash loop, and no
 * more patience is due. A start by somebody is no such sign: it takes the restart count back to 0.
 *
 * May use: base, docker/container.h. Pure.
 */
#ifndef WATCH_FIRST_ANSWER_H
#define WATCH_FIRST_ANSWER_H

#include "docker/container.h"

#include <stdbool.h>

/* All zero: nothing was seen yet. */
struct first_answer {
    char *container_id;
    int64_t started_ns; /* of the life that was seen last; the Engine's clock */
    int restart_count;  /* by its policy, of that life */
    bool has_answered;
    bool loops;
};

void first_answer_clear(struct first_answer *first);

/* The database's container as the newest model has it, and whether a login met a PostgreSQL there,
 * whatever it said. Of one that is not known (NULL, or not inspected in time) or does not run
 * nothing is learnt. */
void first_answer_look(struct first_answer *first, const struct container *container,
                       bool has_answered);

/* False when nothing is known of its container. */
bool first_answer_is_due(const struct first_answer *first);

#endif
