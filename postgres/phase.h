/* Starting, recovering or shutting down? All three answer a login with 57P03, and the text that
 * tells them apart is in the server's language. So it is decided by what was seen before. Pure.
 *
 *  - A session of ours is open while logins are refused: a smart shutdown. A server that starts or
 *    recovers has no sessions.
 *  - Sessions ended with 57P02 (a sibling crashed), with 57P01 as a warning (an immediate stop) or
 *    without a word, and no login has succeeded since: it replays its WAL.
 *  - Sessions ended with 57P01, or the caller announced a stop, and it was not seen to be down
 *    since (port closed, host gone): it shuts down.
 *  - Else it starts. Without a lifeline nothing is known, so a crash recovery that nobody of ours
 *    saw beginning is called a start: both mean "wait".
 *
 * A standby that has not reached consistency answers 57P03 as well, and is called starting.
 * May use: fault.h. Private to postgres/.
 */
#ifndef POSTGRES_PHASE_H
#define POSTGRES_PHASE_H

#include "postgres/fault.h"

struct db__phase {
    bool announced; /* the caller is about to stop the server */
    bool stopping;  /* a session ended with the word of a shutdown */
    bool crashed;   /* sessions ended in a way that needs WAL replay afterwards */
};

void db__phase_lost(struct db__phase *phase, const char *sqlstate, bool as_warning);
void db__phase_announce(struct db__phase *phase, bool stop_ahead);

/* What a login got; fault NULL is success. */
void db__phase_login(struct db__phase *phase, const struct db__fault *fault);

enum db_state db__phase_judge(const struct db__phase *phase, bool lifeline_open);

#endif
