/* The lifeline: a session opened in good times and kept, because an exhausted server still serves
 * whoever is in.
 *
 *     off ⇄ waiting → queued → opening → open
 *              └────────┴────────┴───────┘ (failed or lost: waiting again, 1 s doubling to 30 s)
 *
 * Opening it takes a turn of the gate and gives way to everybody else. Queries on it are asked one
 * after another. One that its asker has given up is not cut off, as that would cost the only way
 * in: its answer is thrown away when it comes. One that is not answered a moment after its time
 * limit, when the server should have cut it off, tells that the server's process is stuck; the
 * session is dropped then.
 *
 * May use: base, session.h, slots.h. Private to postgres/.
 */
#ifndef POSTGRES_LIFELINE_H
#define POSTGRES_LIFELINE_H

#include "postgres/db.h"
#include "postgres/session.h"
#include "postgres/slots.h"

enum db__lifeline_state {
    DB__LIFELINE_OFF,
    DB__LIFELINE_WAITING, /* for the next try */
    DB__LIFELINE_QUEUED,  /* for its turn */
    DB__LIFELINE_OPENING,
    DB__LIFELINE_OPEN,
};

/* A statement for the lifeline; embedded by who asks. */
struct db__query {
    const char *sql;  /* the asker's, until it is answered or taken back */
    int64_t until_ms; /* on the loop's clock: when the server is to cut it off */
    void (*done)(void *data, const struct db__fault *fault, const char *value);
    void *data;
    struct db__query *next;
    bool pending; /* queued or asked */
};

struct db__lifeline {
    enum db__lifeline_state state;
    struct db *db;
    db_lifeline_fn on_change;
    void *data;
    struct db__session *session;
    struct db__farewell *leaving; /* the session before this one, until its slot is free */
    struct db__turn turn;
    struct timer *timer; /* waiting: the next try; opening: the login's deadline */
    struct timer *stuck; /* for an answer that does not come, though the server limits its time */
    int64_t backoff_ms;
    struct db__query *queue; /* the first one is asked, unless an abandoned one still is */
    bool asked;              /* the first of the queue is on its way */
    bool abandoned;          /* the session is busy with a query that was taken back */
    struct db__query stay;   /* the first query: that nobody ends us for being idle */
};

void db__lifeline_init(struct db__lifeline *lifeline, struct db *db);
void db__lifeline_close(struct db__lifeline *lifeline); /* for good, with its timers */

/* Open, and not stuck in something abandoned. */
bool db__lifeline_is_usable(const struct db__lifeline *lifeline);

/* done is never called from inside; a lost lifeline is an answer with its fault. */
void db__lifeline_ask(struct db__lifeline *lifeline, struct db__query *query);
void db__lifeline_take_back(struct db__lifeline *lifeline, struct db__query *query);

#endif
