/* The gate before the second connection slot: one login of ours at a time beside the lifeline.
 *
 * Whoever wants to log in asks for a turn: a probe, a query without a lifeline, a run of the back
 * door, and the lifeline itself while it is being opened. Turns are given in order, the
 * lifeline's when nobody else waits. Ending a turn hands over the session that was opened in it:
 * the next turn begins only when the server has freed its slot, so that there are never three.
 * (But for a server whose process is stuck and does not see that we have gone: after a second at
 * most we go on without it.)
 *
 * May use: base, session.h. Private to postgres/.
 */
#ifndef POSTGRES_SLOTS_H
#define POSTGRES_SLOTS_H

#include "base/loop.h"
#include "postgres/session.h"

/* What the server makes of a login that is under way. */
enum db__silence {
    DB__SILENCE_NONE,     /* it has answered, or nobody logs in */
    DB__SILENCE_NOT_MET,  /* nobody has taken the connection so far */
    DB__SILENCE_ACCEPTED, /* somebody has, and has not answered the login */
};

/* Embedded by who asks. */
struct db__turn {
    void (*granted)(void *data); /* may be called from inside db__turn_ask() */
    void (*yield)(void *data);   /* somebody else waits: end your turn; NULL: it is never cut */
    void *data;
    const struct db__session *login; /* opened in this turn, or NULL; gone when the turn ends */
    struct db__turn *next;
    bool waiting, held;
};

struct db__slots {
    struct db__turn *holder;
    struct db__turn *first; /* the queue */
    struct db__farewell *leaving;
    enum db__silence left_in; /* what the session that is leaving had met */
    uint64_t answers;         /* logins answered, and turns ended without silence, so far */
    bool closed;              /* no turn is given any more */
};

void db__turn_ask(struct db__slots *slots, struct db__turn *turn);

/* Leaves the queue, or gives the turn back with the session opened in it (may be NULL), which is
 * closed. Does nothing for a turn that was not asked for. */
void db__turn_end(struct db__slots *slots, struct db__turn *turn, struct db__session *session);

/* Gives the turn back while its session stays: it has become the lifeline. */
void db__turn_keep(struct db__slots *slots, struct db__turn *turn);

/* Of the login that holds the turn now, or of the one before while its slot is not free yet. */
enum db__silence db__slots_silence(const struct db__slots *slots);

/* No turn is given from now on, and no farewell waited for. */
void db__slots_close(struct db__slots *slots);

#endif
