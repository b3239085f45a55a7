/* The connections: who has a place, and the clock on those whose request does not arrive.
 *
 * The HTTP library's own time-out starts anew with each byte, so a client that sends one now and
 * then would hold its place for ever. Here a connection has one span from its beginning, or from
 * the last answer, to a whole request; then it is cut.
 *
 * Places are few, and nobody may take them all: one user has a share, and some places are kept for
 * root and the daemon's own user. Who comes when there is none takes the place of the one that has
 * been silent longest, of the same user if it is the share that is used up. A connection with a
 * request in hand is never cut for another.
 *
 * Private to control/; knows no HTTP library. May use: base, the kernel.
 */
#ifndef CONTROL_PEERS_H
#define CONTROL_PEERS_H

#include "base/loop.h"

struct peers;
struct peer;

struct peers_rules {
    int64_t arrival_ms;
    int places;
    int share; /* of one user who is not privileged */
    int kept;  /* for those who are */
};

struct peers *control__peers_new(struct loop *loop, const struct peers_rules *rules);
void control__peers_free(struct peers *peers); /* when all are removed; accepts NULL */

/* Whether who is at the other end of `fd` has a place; perhaps somebody silent is cut for it. */
bool control__peers_have_place(struct peers *peers, int fd);

/* `fd` stays the caller's and open until the peer is removed. The clock runs at once. */
struct peer *control__peer_add(struct peers *peers, int fd);
void control__peer_remove(struct peers *peers, struct peer *peer);

void control__peer_arrived(struct peer *peer);                       /* a request is in hand */
void control__peer_answered(struct peers *peers, struct peer *peer); /* the next one is awaited */

/* root, or the daemon's own user; nobody on a port. */
bool control__peer_is_privileged(const struct peer *peer);
const char *control__peer_requester(struct peer *peer); /* see control_requester() */

#endif
