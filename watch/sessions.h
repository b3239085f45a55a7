/* What a snapshot of the database's sessions says: how many idle and for how long, who holds them,
 * which are new.
 *
 * May use: base, docker/stack.h, postgres/db.h. Pure.
 */
#ifndef WATCH_SESSIONS_H
#define WATCH_SESSIONS_H

#include "docker/stack.h"
#include "policies/derive.h"
#include "postgres/db.h"

/* The container at the other end of a session of the snapshot; NULL: not known. */
typedef const struct container *(*watch__holder_fn)(void *data, size_t session);

struct watch__holding {
    const struct container *container; /* borrowed from whoever told */
    int connections;
    int idle, idle_in_transaction;
    double oldest_idle_ms; /* of both kinds */
    int leaked;            /* of both kinds, those that have idled for DERIVE_LEAKED_MS */
};

/* Our own sessions are in none of it. */
struct watch__tally {
    int idle, idle_in_transaction;
    double longest_idle_ms, longest_idle_in_transaction_ms; /* 0 when there is none */
    struct watch__holding *holdings;                        /* of those that hold any */
    size_t holding_count;
};

/* Where the states are hidden (activity->restricted) there is nothing to count: all is 0. */
void watch__tally_make(struct watch__tally *tally, const struct db_activity *activity,
                       watch__holder_fn holder, void *data);
void watch__tally_clear(struct watch__tally *tally);

/* Idle sessions of some containers say nothing of a leak: a pooler's are its pool at rest, and an
 * open transaction there is one of its clients', nobody knows whose; the database's own container
 * holds those of whoever looks after it. To restart one of the two would take everybody down, so
 * neither may ever be named the leaker. */
bool watch__idle_says_nothing(const struct stack *stack, const struct container *container);

/* The sessions of the last snapshot, to know the new ones of the next. */
struct watch__seen {
    uint64_t *keys; /* of (pid, backend_start), sorted */
    size_t count;
};
/* Adds each session that was not seen before to the rate, at the time of its login. A session that
 * came and went between two snapshots is missed. */
void watch__seen_next(struct watch__seen *seen, const struct db_activity *activity,
                      struct rate *opened, int64_t now_ms);
void watch__seen_clear(struct watch__seen *seen);

#endif
