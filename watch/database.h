/* How the database is and who holds its slots: a fresh login, then a snapshot of the sessions, to
 * database.*, connections.* and container(…).*.
 *
 * One round at a time: the login first (it alone tells whether an app would get in), then the
 * sessions, by the lifeline where there is one, so that at rest a round costs one login. Rounds
 * follow each other slowly when it is calm and fast when it is pressed: more than half of the slots
 * are used, the login met trouble, or at the present growth the slots run out within minutes. It is
 * calm again once none of that was so for a while.
 *
 * A server that refuses logins although its container runs, and that has not answered since that
 * container started, is `starting` (first_answer.h).
 *
 * Where the server is down or replays its WAL, what was known of its sessions is forgotten: they
 * are gone. Without pg_monitor the server hides the states and addresses of other roles' sessions:
 * then only the used, the usable and the refused are told. Our own sessions count as used, as
 * max_connections counts them, and nowhere else.
 *
 * May use: base, docker/stack.h, postgres/db.h, holders, policies.
 */
#ifndef WATCH_DATABASE_H
#define WATCH_DATABASE_H

#include "docker/stack.h"
#include "holders/holders.h"
#include "postgres/db.h"
#include "watch/feed.h"
#include "watch/first_answer.h"

struct watch_database;

struct watch_database_options {
    struct loop *loop;
    struct feed *feed;             /* lives longer than the watch */
    struct holders_cache *holders; /* lives longer than the watch */
    struct first_answer *first;    /* the same: the next watch goes on from what it knows */
    /* The questions are asked anew each time, and nothing of the answers is kept. Each but
     * `database` may be NULL. */
    struct db *(*database)(void *data);  /* NULL: not known yet */
    bool (*stopped_by_hand)(void *data); /* somebody stopped its container: no trouble */
    bool (*yields)(void *data);          /* a run is under way: ask the server nothing now */
    /* A login has met another state than the one before it; not for what was stopped by hand. */
    void (*met)(void *data, enum db_state state, const struct db_probe *probe);
    struct stack *(*stack)(void *data); /* NULL: not known yet */
    void *data;
    int64_t calm_ms, pressed_ms; /* from one round's begin to the next one's; 0: 15 s, 2 s */
    int64_t timeout_ms;          /* of each of its questions; 0: 5 s */
};

/* The first round begins at once. */
struct watch_database *watch_database_new(const struct watch_database_options *options);
struct watch_database *watch_database_free(struct watch_database *watch); /* NULL: NULL */

/* Something looks wrong (a container is unhealthy, a log line says so): a round at once, or behind
 * the one that is under way. However often it is called, rounds begin half a second apart at least.
 */
void watch_database_hurry(struct watch_database *watch);

/* A run is over, yields() is false again: what is under way was measured before, and is void. A
 * round at once. */
void watch_database_again(struct watch_database *watch);

#endif
