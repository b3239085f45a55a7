/* The chain of peers.h, walked once. Blocks, so it is for threads of the pool only; touches nothing
 * but what it is given.
 *
 * May use: base, the rest of host/.
 */
#ifndef HOST_LOOK_H
#define HOST_LOOK_H

#include "host/peers.h"

/* Fills one peer a session (zeroed by the caller) until the monotonic clock says until_ms. `e` is
 * cleared, or says why some are unseen. */
void host__look(const struct peers_query *query, int64_t until_ms, struct peer *peers,
                struct err *e);

#endif
