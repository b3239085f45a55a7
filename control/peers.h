/* The connections, and the clock on those whose request does not arrive.
 *
 * The HTTP library's own time-out starts anew with each byte, so a client that sends one now and
 * then would hold its place for ever. Here a connection has one span from its beginning, or from
 * the last answer, to a whole request; then it is cut.
 *
 * Private to control/; knows no HTTP library. May use: base.
 */
#ifndef CONTROL_PEERS_H
#define CONTROL_PEERS_H

#include "base/loop.h"

struct peers;
struct peer;

struct peers *control__peers_new(struct loop *loop, int64_t arrival_ms);
void control__peers_free(struct peers *peers); /* when all are removed; accepts NULL */

/* `fd` stays the caller's and open until the peer is removed. The clock runs at once. */
struct peer *control__peer_add(struct peers *peers, int fd);
void control__peer_remove(struct peers *peers, struct peer *peer);

void control__peer_arrived(struct peer *peer);                       /* a request is in hand */
void control__peer_answered(struct peers *peers, struct peer *peer); /* the next one is awaited */

const char *control__peer_requester(const struct peer *peer); /* see control_requester() */

#endif
